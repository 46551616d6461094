/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - hash tables in shared memory, the writer's side.
 *
 * A key has two home buckets of 16 slots; its row lies in one of them and never moves. An insert
 * takes a free slot of the less full one. There are no tombstones and no displacement, so every
 * insert, update and remove is the publish of one record (record.h), and a reader that looks into
 * both buckets finds every row that is there. A line of 16 tags a bucket says where to look. A row
 * under a wrong tag is damage and gone; the order of stores below keeps that from happening to a
 * killed writer:
 *   insert   tag, then word          killed between: a tag over an empty slot
 *   remove   word = 0, then tag      the same
 *   evict    remove, then insert     the victim is gone, the new row is not there yet
 * Counters (rows, write clock) are made anew on adoption (adopt.c).
 *
 * One thread a shard. The handle reads its own writes with plain loads; nobody else writes.
 */
#include "table.h"
#include <inttypes.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

void
sb_table_init(struct sb_table *table, const struct sb_map *map, int index, unsigned shard)
{
    const struct sb_dir *dir = &map->dir[index];

    memset(table, 0, sizeof *table);
    table->id = map->ids[index];
    table->info = sb_table_info(table->id);
    table->shard = sb_map_shard(map, index, shard);
    memcpy(table->seed, map->header->seed, sizeof table->seed);
    table->stride = dir->stride;
    table->words = dir->row_size / 8u;
    table->n_slots = dir->slots;
    table->n_buckets = dir->slots / SB_BUCKET;
    table->capacity = (dir->capacity + dir->shards - 1) / dir->shards;
    table->index = (uint16_t)shard;
    table->key_size = table->info->key_size;
    table->slots = (uint8_t *)(table->shard + 1);
    if (table->info->kind == SB_HASH) {
        table->tags = (uint32_t *)table->slots;
        table->slots += dir->slots * sizeof(uint32_t);
    }
}

/* ---- finding -------------------------------------------------------------------- */

/* Bit i: tag i of the bucket is `tag`. Only the writing thread may look this way, since the vector
 * loads are not atomic. */
static inline unsigned
match_tags(const uint32_t *tags, uint32_t tag)
{
#ifdef __SSE2__
    const __m128i *lines = (const __m128i *)tags;
    __m128i wanted = _mm_set1_epi32((int)tag);
    __m128i low = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(lines), wanted),
                                  _mm_cmpeq_epi32(_mm_load_si128(lines + 1), wanted));
    __m128i high = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(lines + 2), wanted),
                                   _mm_cmpeq_epi32(_mm_load_si128(lines + 3), wanted));

    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
#else
    unsigned found = 0;

    for (unsigned i = 0; i < SB_BUCKET; i++)
        found |= (unsigned)(tags[i] == tag) << i;
    return found;
#endif
}

uint64_t
sb_hash(const struct sb_table *table, const void *key)
{
    return sb_key_hash(table->seed, key, table->key_size);
}

void
sb_prefetch(const struct sb_table *table, uint64_t hash)
{
    struct sb_home home = sb_home_of(hash, table->n_buckets);

    __builtin_prefetch(table->tags + home.bucket[0] * SB_BUCKET);
    __builtin_prefetch(table->tags + home.bucket[1] * SB_BUCKET);
}

void
sb_prefetch_at(const struct sb_table *table, int64_t slot)
{
    if (slot < 0 || slot >= table->n_slots)
        return;
    __builtin_prefetch(sb_table_slot(table, (uint64_t)slot));
    sb_prefetch_slot(sb_table_slot(table, (uint64_t)slot), table->stride);
}

int64_t
sb_prefetch_row(const struct sb_table *table, uint64_t hash)
{
    struct sb_home home = sb_home_of(hash, table->n_buckets);

    for (int i = 0; i < 2; i++) {
        unsigned found = match_tags(table->tags + home.bucket[i] * SB_BUCKET, home.tag);

        if (found) {
            uint32_t slot = home.bucket[i] * SB_BUCKET + (uint32_t)__builtin_ctz(found);

            sb_prefetch_at(table, slot);
            return slot;
        }
    }
    return SB_ENONE;
}

/* Keys are short and of one size a table: a loop over words beats a call of memcmp. */
static inline bool
same_key(const void *a, const void *b, size_t size)
{
    const uint8_t *p = a, *q = b;
    uint64_t x, y;

    for (; size >= 8; size -= 8, p += 8, q += 8) {
        memcpy(&x, p, 8);
        memcpy(&y, q, 8);
        if (x != y)
            return false;
    }
    return size == 0 || memcmp(p, q, size) == 0;
}

static inline int64_t
find_in(const struct sb_table *table, uint32_t bucket, uint32_t tag, const void *key)
{
    unsigned found = match_tags(table->tags + bucket * SB_BUCKET, tag);

    for (; found; found &= found - 1) {
        uint32_t i = bucket * SB_BUCKET + (uint32_t)__builtin_ctz(found);
        const struct sb_slot *slot = sb_table_slot(table, i);

        sb_prefetch_slot(slot, table->stride);
        if (slot->word && same_key(sb_table_row(table, slot), key, table->key_size))
            return i;
    }
    return SB_ENONE;
}

int64_t
sb_find_hashed(const struct sb_table *table, const void *key, uint64_t hash)
{
    struct sb_home home = sb_home_of(hash, table->n_buckets);
    int64_t slot;

    __builtin_prefetch(table->tags + home.bucket[1] * SB_BUCKET);
    slot = find_in(table, home.bucket[0], home.tag, key);
    return slot >= 0 ? slot : find_in(table, home.bucket[1], home.tag, key);
}

int64_t
sb_find_at(const struct sb_table *table, const void *key, uint64_t hash, int64_t slot)
{
    const struct sb_slot *s;

    if (slot >= 0 && slot < table->n_slots) {
        s = sb_table_slot(table, (uint64_t)slot);
        if (s->word && same_key(sb_table_row(table, s), key, table->key_size))
            return slot;
    }
    return sb_find_hashed(table, key, hash);
}

int64_t
sb_find(const struct sb_table *table, const void *key)
{
    return sb_find_hashed(table, key, sb_hash(table, key));
}

const void *
sb_peek(const struct sb_table *table, int64_t slot)
{
    const struct sb_slot *s;

    if (slot < 0 || slot >= table->n_slots)
        return NULL;
    s = sb_table_slot(table, (uint64_t)slot);
    return s->word ? sb_table_row(table, s) : NULL;
}

int
sb_get(const struct sb_table *table, int64_t slot, void *ret_row)
{
    const void *row = sb_peek(table, slot);

    if (!row)
        return SB_ENONE;
    memcpy(ret_row, row, table->words * 8u);
    return SB_OK;
}

int64_t
sb_next(const struct sb_table *table, int64_t slot)
{
    for (slot = slot < 0 ? 0 : slot + 1; slot < table->n_slots; slot++)
        if (sb_table_slot(table, (uint64_t)slot)->word)
            return slot;
    return SB_ENONE;
}

/* Offset by a random number of the segment: flows in switches outlive a cold start, and a new
 * segment's cookies should not look like theirs. */
uint16_t
sb_generation(const struct sb_table *table, int64_t slot)
{
    if (slot < 0 || slot >= table->n_slots)
        return 0;
    return (uint16_t)((sb_table_slot(table, (uint64_t)slot)->meta >> 48) + table->seed[0]);
}

/* ---- writing ----------------------------------------------------------------------- */

#define COUNT(table, counter) sb_store(&(table)->shard->counter, (table)->shard->counter + 1)

/* slot->meta of a write now. */
static inline uint64_t
stamp(struct sb_table *table, uint64_t generation)
{
    table->clock = (table->clock + 1) & SB_CLOCK_MASK;
    return generation << 48 | table->clock;
}

/* Publishes a row into a slot, full or empty. */
static void
publish(struct sb_table *table, uint64_t i, uint64_t meta, const void *row)
{
    struct sb_slot *slot = sb_table_slot(table, i);
    uint64_t word = slot->word, seq = word ? (word >> 1) + 1 : table->shard->floor + 1;
    uint64_t index = word ? !(word & 1) : 0;

    sb_store(&slot->meta, meta);
    sb_copy_in(slot->rows + index * table->words, row, table->words);
    sb_store_release(&slot->word, seq << 1 | index);
    if (table->changes)
        sb_changes_push(table->changes, sb_change_prefix(SB_PUT, table, i), row);
}

static void
empty(struct sb_table *table, uint32_t i)
{
    struct sb_slot *slot = sb_table_slot(table, i);
    const void *row = sb_table_row(table, slot); /* its bytes stand until the slot is used again */

    /* the floor before the word, so that no sequence of this slot comes again (record.h) */
    if (slot->word >> 1 > table->shard->floor)
        sb_store(&table->shard->floor, slot->word >> 1);
    sb_store_release(&slot->word, 0);
    sb_store_release(&table->tags[i], 0);
    table->rows--;
    sb_store(&table->shard->rows, table->rows);
    /* Told only when it is so: a subscriber that reads the table after it has the number of a
     * change must find the change made, or it keeps the row for good. */
    if (table->changes)
        sb_changes_push(table->changes, sb_change_prefix(SB_REMOVE, table, i), row);
}

static int64_t
oldest_of(const struct sb_table *table, uint32_t bucket, uint64_t *age)
{
    int64_t oldest = SB_ENONE;

    for (uint32_t i = bucket * SB_BUCKET; i < (bucket + 1) * SB_BUCKET; i++) {
        const struct sb_slot *slot = sb_table_slot(table, i);
        uint64_t since = (table->clock - slot->meta) & SB_CLOCK_MASK;

        if (slot->word && (oldest < 0 || since > *age)) {
            oldest = i;
            *age = since;
        }
    }
    return oldest;
}

/* Where a new key goes: its slot, and in *victim the row that must go first (or -1). */
static int64_t
plan(const struct sb_table *table, struct sb_home home, int64_t *victim)
{
    unsigned free0 = match_tags(table->tags + home.bucket[0] * SB_BUCKET, 0);
    unsigned free1 = match_tags(table->tags + home.bucket[1] * SB_BUCKET, 0);
    bool second = __builtin_popcount(free1) > __builtin_popcount(free0);
    uint32_t bucket = home.bucket[second];
    unsigned room = second ? free1 : free0;
    int64_t oldest[2];
    uint64_t age[2] = {0, 0};

    *victim = -1;
    if (table->rows < table->capacity && room)
        return bucket * SB_BUCKET + (uint32_t)__builtin_ctz(room);
    if (table->info->full == SB_REFUSE)
        return SB_EFULL;
    oldest[0] = oldest_of(table, home.bucket[0], &age[0]);
    oldest[1] = oldest_of(table, home.bucket[1], &age[1]);
    *victim = oldest[1] < 0 || (oldest[0] >= 0 && age[0] >= age[1]) ? oldest[0] : oldest[1];
    if (*victim >= 0)
        return *victim;
    /* At capacity, yet both home buckets are empty: the next bucket with a row gives one up. */
    for (uint32_t i = 1; i < table->n_buckets && *victim < 0; i++)
        *victim = oldest_of(table, (home.bucket[0] + i) % table->n_buckets, &age[0]);
    return bucket * SB_BUCKET + (uint32_t)__builtin_ctz(room);
}

int64_t
sb_slot_for(const struct sb_table *table, const void *key, uint64_t hash)
{
    int64_t victim;

    (void)key; /* the answer is the same for all keys of one hash */
    return plan(table, sb_home_of(hash, table->n_buckets), &victim);
}

int64_t
sb_put_hashed(struct sb_table *table, const void *row, uint64_t hash)
{
    struct sb_home home = sb_home_of(hash, table->n_buckets);
    int64_t i = sb_find_hashed(table, row, hash), victim;
    struct sb_slot *slot;

    if (i >= 0) {
        slot = sb_table_slot(table, (uint64_t)i);
        publish(table, (uint64_t)i, stamp(table, slot->meta >> 48), row);
        COUNT(table, updated);
        return i;
    }
    i = plan(table, home, &victim);
    if (i < 0) {
        COUNT(table, refused);
        return i;
    }
    if (victim >= 0) {
        empty(table, (uint32_t)victim);
        COUNT(table, evicted);
    }
    slot = sb_table_slot(table, (uint64_t)i);
    sb_store_release(&table->tags[i], home.tag);
    /* generation 0xffff + 1 leaves the word at the top, so it wraps to 0 */
    publish(table, (uint64_t)i, stamp(table, (slot->meta >> 48) + 1), row);
    table->rows++;
    sb_store(&table->shard->rows, table->rows);
    COUNT(table, inserted);
    return i;
}

int64_t
sb_put(struct sb_table *table, const void *row)
{
    return sb_put_hashed(table, row, sb_hash(table, row));
}

static int
write_row(struct sb_table *table, int64_t i, const void *row, bool confirm)
{
    const void *old = sb_peek(table, i);
    struct sb_slot *slot;

    if (!old)
        return SB_ENONE;
    if (!same_key(old, row, table->key_size))
        return SB_EINVAL;
    slot = sb_table_slot(table, (uint64_t)i);
    publish(table, (uint64_t)i, confirm ? stamp(table, slot->meta >> 48) : slot->meta, row);
    COUNT(table, updated);
    return SB_OK;
}

int
sb_write(struct sb_table *table, int64_t i, const void *row)
{
    return write_row(table, i, row, true);
}

int
sb_amend(struct sb_table *table, int64_t i, const void *row)
{
    return write_row(table, i, row, false);
}

int
sb_remove(struct sb_table *table, int64_t i)
{
    if (!sb_peek(table, i))
        return SB_ENONE;
    empty(table, (uint32_t)i);
    COUNT(table, removed);
    return SB_OK;
}

uint32_t
sb_table_slots(const struct sb_table *table)
{
    return table->n_slots;
}

void
sb_table_stats(const struct sb_table *table, struct sb_table_stats *ret)
{
    const struct sb_shard *shard = table->shard;

    *ret = (struct sb_table_stats){
        .rows = table->info->kind == SB_RING ? sb_load(&shard->head) : sb_load(&shard->rows),
        .capacity = table->info->kind == SB_RING ? table->n_slots : table->capacity,
        .inserted = sb_load(&shard->inserted),
        .updated = sb_load(&shard->updated),
        .removed = sb_load(&shard->removed),
        .evicted = sb_load(&shard->evicted),
        .refused = sb_load(&shard->refused),
        .unpublished = sb_load(&shard->unpublished),
    };
}
