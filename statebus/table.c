/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - hash tables in shared memory, the writer's side.
 *
 * A key has two home buckets of 16 slots; its row lies in one of them and never moves. An insert
 * takes a free slot of the first one while that is not crowded, else of the less full one: so most
 * lookups end in the first, and both are hardly ever full. There are no tombstones and no
 * displacement, so every insert, update and remove is the publish of one record (record.h), and a
 * reader that looks into both buckets finds every row that is there. A line of 16 tags a bucket
 * says where to look. A row under a wrong tag is damage and gone; the order of stores below keeps
 * that from happening to a killed writer:
 *   insert   tag, key, then word     killed between: a tag over an empty slot
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

#define FLOW_KEY offsetof(struct sb_flow, cookie) /* bytes of its key */

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
    table->parts = sb_parts_of(table->info->key_size, dir->row_size);
    table->n_slots = dir->slots;
    table->n_buckets = dir->slots / SB_BUCKET;
    table->capacity = (dir->capacity + dir->shards - 1) / dir->shards;
    table->index = (uint16_t)shard;
    table->key_size = table->info->key_size;
    table->slots = (uint8_t *)(table->shard + 1);
    if (table->info->kind == SB_HASH) {
        table->buckets = (struct sb_bucket *)table->slots;
        table->slots += table->n_buckets * sizeof(struct sb_bucket);
    }
}

/* ---- finding -------------------------------------------------------------------- */

/* Bit i: tag i of the bucket is `tag`. Only the writing thread may look this way, since the vector
 * loads are not atomic. */
static inline unsigned
match_tags(const struct sb_bucket *bucket, uint16_t tag)
{
#ifdef __SSE2__
    const __m128i *tags = (const __m128i *)bucket->tags;
    __m128i wanted = _mm_set1_epi16((short)tag);

    return (unsigned)_mm_movemask_epi8(
        _mm_packs_epi16(_mm_cmpeq_epi16(_mm_load_si128(tags), wanted),
                        _mm_cmpeq_epi16(_mm_load_si128(tags + 1), wanted)));
#else
    unsigned found = 0;

    for (unsigned i = 0; i < SB_BUCKET; i++)
        found |= (unsigned)(bucket->tags[i] == tag) << i;
    return found;
#endif
}

static inline uint16_t *
tag_of(const struct sb_table *table, uint64_t i)
{
    return &table->buckets[i / SB_BUCKET].tags[i % SB_BUCKET];
}

static inline uint16_t *
generation_of(const struct sb_table *table, uint64_t i)
{
    return &table->buckets[i / SB_BUCKET].generations[i % SB_BUCKET];
}

uint64_t
sb_hash(const struct sb_table *table, const void *key)
{
    return sb_key_hash(table->seed, key, table->key_size);
}

/* Straight code for the keys of the decision path. */
void
sb_hash_rows(const struct sb_table *table, const void *rows, size_t stride, unsigned n,
             uint64_t *ret_hashes)
{
    const uint8_t *row = rows;

    if (table->key_size == FLOW_KEY)
        for (unsigned i = 0; i < n; i++, row += stride)
            ret_hashes[i] = sb_key_hash(table->seed, row, FLOW_KEY);
    else
        for (unsigned i = 0; i < n; i++, row += stride)
            ret_hashes[i] = sb_key_hash(table->seed, row, table->key_size);
}

void
sb_prefetch(const struct sb_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->buckets[sb_first_home_of(hash, table->n_buckets)]);
}

int64_t
sb_prefetch_row(const struct sb_table *table, uint64_t hash)
{
    uint32_t bucket = sb_first_home_of(hash, table->n_buckets);
    unsigned found = match_tags(&table->buckets[bucket], sb_tag_of(hash));
    uint32_t slot = bucket * SB_BUCKET + (uint32_t)__builtin_ctz(found | 1u << 31);

    if (!found) { /* most rows are in their first home */
        __builtin_prefetch(&table->buckets[sb_home_of(hash, table->n_buckets).bucket[1]]);
        return SB_ENONE;
    }
    sb_prefetch_slot(sb_table_slot(table, slot), table->stride);
    return slot;
}

void
sb_prefetch_at(const struct sb_table *table, int64_t slot)
{
    if (slot >= 0 && slot < table->n_slots)
        sb_prefetch_slot(sb_table_slot(table, (uint64_t)slot), table->stride);
}

/* Word by word: keys are short, and the call of a memcmp() is not. */
static inline bool
same_key(const struct sb_table *table, const struct sb_slot *slot, const void *key)
{
    const uint8_t *p = key;
    uint64_t differ = 0, word;

    for (unsigned i = 0; i < table->parts.key; i++, p += 8) {
        memcpy(&word, p, 8);
        differ |= slot->data[i] ^ word;
    }
    return !differ && (table->key_size % 8 == 0 || memcmp(sb_values(slot, table->parts, slot->word),
                                                          p, table->key_size % 8) == 0);
}

static inline int64_t
find_in(const struct sb_table *table, uint32_t bucket, uint16_t tag, const void *key)
{
    unsigned found = match_tags(&table->buckets[bucket], tag);

    for (; found; found &= found - 1) {
        uint32_t i = bucket * SB_BUCKET + (uint32_t)__builtin_ctz(found);
        const struct sb_slot *slot = sb_table_slot(table, i);

        sb_prefetch_slot(slot, table->stride);
        if (slot->word && same_key(table, slot, key))
            return i;
    }
    return SB_ENONE;
}

int64_t
sb_find_hashed(const struct sb_table *table, const void *key, uint64_t hash)
{
    struct sb_home home = sb_home_of(hash, table->n_buckets);
    int64_t slot;

    __builtin_prefetch(&table->buckets[home.bucket[1]]);
    slot = find_in(table, home.bucket[0], home.tag, key);
    return slot >= 0 ? slot : find_in(table, home.bucket[1], home.tag, key);
}

/* The slot, if it is full, else NULL. */
static inline struct sb_slot *
full_slot(const struct sb_table *table, int64_t slot)
{
    struct sb_slot *s;

    if (slot < 0 || slot >= table->n_slots)
        return NULL;
    s = sb_table_slot(table, (uint64_t)slot);
    return s->word ? s : NULL;
}

int64_t
sb_find(const struct sb_table *table, const void *key)
{
    return sb_find_hashed(table, key, sb_hash(table, key));
}

void
sb_table_copy(const struct sb_table *table, const struct sb_slot *slot, void *ret_row)
{
    struct sb_parts parts = table->parts;

    memcpy(ret_row, slot->data, parts.key * 8);
    memcpy((uint8_t *)ret_row + parts.key * 8, sb_values(slot, parts, slot->word),
           parts.values * 8);
}

const void *
sb_key(const struct sb_table *table, int64_t slot)
{
    const struct sb_slot *s = full_slot(table, slot);

    return s ? s->data : NULL;
}

const void *
sb_peek(struct sb_table *table, int64_t slot)
{
    const struct sb_slot *s = full_slot(table, slot);

    if (!s)
        return NULL;
    sb_table_copy(table, s, table->peeked);
    return table->peeked;
}

int
sb_get(const struct sb_table *table, int64_t slot, void *ret_row)
{
    const struct sb_slot *s = full_slot(table, slot);

    if (!s)
        return SB_ENONE;
    sb_table_copy(table, s, ret_row);
    return SB_OK;
}

const void *
sb_peek_values(const struct sb_table *table, int64_t slot)
{
    const struct sb_slot *s = full_slot(table, slot);

    return s ? sb_values(s, table->parts, s->word) - table->parts.key : NULL;
}

const void *
sb_find_values(const struct sb_table *table, const void *key, uint64_t hash, int64_t *slot)
{
    const struct sb_slot *s = full_slot(table, *slot);

    if (!s || !same_key(table, s, key)) {
        *slot = sb_find_hashed(table, key, hash);
        if (*slot < 0)
            return NULL;
        s = sb_table_slot(table, (uint64_t)*slot);
    }
    return sb_values(s, table->parts, s->word) - table->parts.key;
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
    return (uint16_t)(*generation_of(table, (uint64_t)slot) + table->seed[0]);
}

/* ---- writing ----------------------------------------------------------------------- */

#define COUNT(table, counter) sb_store(&(table)->shard->counter, (table)->shard->counter + 1)

/* The clock of a write now, in its place in the word. */
static inline uint64_t
tick(struct sb_table *table)
{
    return ++table->clock << SB_CLOCK_SHIFT;
}

/* Publishes values under a new word (but for its index) in a slot whose key stands. */
static inline void
publish(struct sb_table *table, uint64_t i, struct sb_slot *slot, uint64_t word, const void *row)
{
    struct sb_parts parts = table->parts;

    word |= slot->word ? !(slot->word & 1) : 0;
    sb_copy_in(slot->data + parts.key + (word & 1) * parts.values,
               (const uint64_t *)row + parts.key, parts.values);
    sb_store_release(&slot->word, word);
    if (table->changes)
        sb_changes_push(table->changes, i, word, NULL);
}

static void
empty(struct sb_table *table, uint32_t i)
{
    struct sb_slot *slot = sb_table_slot(table, i);
    uint64_t row[SB_ROW_MAX / 8];

    sb_table_copy(table, slot, row);
    /* the floor before the word, so that no word of this slot comes again (record.h) */
    sb_store(&table->shard->floor, table->clock);
    sb_store_release(&slot->word, 0);
    sb_store_release(tag_of(table, i), 0);
    table->rows--;
    sb_store(&table->shard->rows, table->rows);
    /* Told only when it is so: a subscriber that reads the table after it has the number of a
     * change must find the change made, or it keeps the row for good. */
    if (table->changes)
        sb_changes_push(table->changes, i, 0, row);
}

static int64_t
oldest_of(const struct sb_table *table, uint32_t bucket, uint64_t *age)
{
    int64_t oldest = SB_ENONE;

    for (uint32_t i = bucket * SB_BUCKET; i < (bucket + 1) * SB_BUCKET; i++) {
        uint64_t word = sb_table_slot(table, i)->word;
        uint64_t since = table->clock - (word >> SB_CLOCK_SHIFT);

        if (word && (oldest < 0 || since > *age)) {
            oldest = i;
            *age = since;
        }
    }
    return oldest;
}

/* While it has more than so many free, a new row goes into its first home. With 80 % of all slots
 * taken a row in some millions then finds both homes full, and one that could stay is evicted; a
 * table that refuses must not do so before it is full, so its rows always go where there is more
 * room. */
#define CROWDED 4

/* Where a new key goes: its slot, and in *victim the row that must go first (or -1). */
static int64_t
plan(const struct sb_table *table, struct sb_home home, int64_t *victim)
{
    unsigned free0 = match_tags(&table->buckets[home.bucket[0]], 0), free1 = 0;
    int crowded = table->info->full == SB_REFUSE ? SB_BUCKET : CROWDED;
    bool second = false;
    uint32_t bucket;
    unsigned room;
    int64_t oldest[2];
    uint64_t age[2] = {0, 0};

    *victim = -1;
    if (__builtin_popcount(free0) <= crowded) {
        free1 = match_tags(&table->buckets[home.bucket[1]], 0);
        second = __builtin_popcount(free1) > __builtin_popcount(free0);
    }
    bucket = home.bucket[second];
    room = second ? free1 : free0;
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
    return bucket * SB_BUCKET + (room ? (uint32_t)__builtin_ctz(room) : 0); /* 0: damaged tags */
}

int64_t
sb_slot_for(const struct sb_table *table, uint64_t hash, int64_t *ret_victim)
{
    return plan(table, sb_home_of(hash, table->n_buckets), ret_victim);
}

static int64_t
insert(struct sb_table *table, const void *row, struct sb_home home)
{
    int64_t victim, i = plan(table, home, &victim);
    struct sb_slot *slot;

    if (i < 0) {
        COUNT(table, refused);
        return i;
    }
    if (victim >= 0) {
        empty(table, (uint32_t)victim);
        COUNT(table, evicted);
    }
    slot = sb_table_slot(table, (uint64_t)i);
    sb_store_release(tag_of(table, (uint64_t)i), home.tag);
    sb_store(generation_of(table, (uint64_t)i), *generation_of(table, (uint64_t)i) + 1);
    sb_copy_in(slot->data, row, table->parts.key);
    publish(table, (uint64_t)i, slot, tick(table), row);
    table->rows++;
    sb_store(&table->shard->rows, table->rows);
    COUNT(table, inserted);
    return i;
}

int64_t
sb_put_hashed(struct sb_table *table, const void *row, uint64_t hash)
{
    int64_t i = sb_find_hashed(table, row, hash);

    if (i < 0)
        return insert(table, row, sb_home_of(hash, table->n_buckets));
    publish(table, (uint64_t)i, sb_table_slot(table, (uint64_t)i), tick(table), row);
    COUNT(table, updated);
    return i;
}

int64_t
sb_insert_hashed(struct sb_table *table, const void *row, uint64_t hash)
{
    return insert(table, row, sb_home_of(hash, table->n_buckets));
}

int64_t
sb_put(struct sb_table *table, const void *row)
{
    return sb_put_hashed(table, row, sb_hash(table, row));
}

int
sb_write_values(struct sb_table *table, int64_t i, const void *row)
{
    struct sb_slot *slot = full_slot(table, i);

    if (!slot)
        return SB_ENONE;
    publish(table, (uint64_t)i, slot, tick(table), row);
    COUNT(table, updated);
    return SB_OK;
}

int
sb_write(struct sb_table *table, int64_t i, const void *row)
{
    const struct sb_slot *slot = full_slot(table, i);

    if (slot && !same_key(table, slot, row))
        return SB_EINVAL;
    return sb_write_values(table, i, row);
}

int
sb_amend(struct sb_table *table, int64_t i, const void *row)
{
    struct sb_slot *slot = full_slot(table, i);

    if (!slot)
        return SB_ENONE;
    if (!same_key(table, slot, row))
        return SB_EINVAL;
    if ((slot->word & SB_AMENDMENTS) == SB_AMENDMENTS) /* no number left for one more */
        return sb_write_values(table, i, row);
    publish(table, (uint64_t)i, slot, (slot->word & ~UINT64_C(1)) + 2, row);
    COUNT(table, updated);
    return SB_OK;
}

int
sb_remove(struct sb_table *table, int64_t i)
{
    if (!full_slot(table, i))
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
        .superseded = sb_load(&shard->superseded),
    };
}
