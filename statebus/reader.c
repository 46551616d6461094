/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - a read-only view of one segment. One thread a reader object.
 *
 * The mapping's geometry is checked when it is opened (segment.c) and kept in private memory; what
 * changes afterwards (words, tags, heads, counters) is only ever used as data, or masked, so
 * nothing in the segment can lead a reader out of it or keep it busy. Rows that no owner writes are
 * passed over and counted; flipped bits that leave a row as an owner might have written it cannot
 * be told.
 */
#include "reader.h"
#include "table.h"
#include <stdlib.h>
#include <trivet/clock.h>

#define READER_MAGIC UINT32_C(0x5b4ead3e)
#define STALLED_NS (2 * SB_SECOND)
#define CURSOR_POSITION ((UINT64_C(1) << 48) - 1) /* of a ring's cursor; the shard lies above */

struct sb_reader {
    uint32_t magic;
    char instance[40], owner[SB_OWNER_MAX];
    struct sb_map map;
    uint64_t incarnation; /* at open */
    uint64_t damaged;     /* rows and records passed over since it was opened */
    bool restored;        /* the row last returned was not confirmed yet */
};

/* ---- open and close ----------------------------------------------------------------- */

int
sb_reader_open(struct sb_reader **ret, const char *instance, const char *owner, char *message)
{
    struct sb_reader *reader = calloc(1, sizeof *reader);
    int error;

    if (!reader)
        return sb_fail(message, SB_ESYS, "out of memory");
    error = sb_map_open(&reader->map, instance, owner, false, message);
    if (error < 0) {
        free(reader);
        return error;
    }
    reader->magic = READER_MAGIC;
    memcpy(reader->instance, instance, strlen(instance) + 1);
    memcpy(reader->owner, owner, strlen(owner) + 1);
    reader->incarnation = sb_load_acquire(&reader->map.header->incarnation);
    *ret = reader;
    return SB_OK;
}

void
sb_reader_close(struct sb_reader **ref)
{
    struct sb_reader *reader = *ref;

    if (!reader)
        return;
    sb_map_close(&reader->map);
    reader->magic = 0;
    free(reader);
    *ref = NULL;
}

int
sb_reader_reopen(struct sb_reader *reader, char *message)
{
    struct sb_map map;

    if (!sb_map_current(&reader->map, reader->instance, reader->owner)) {
        int error = sb_map_open(&map, reader->instance, reader->owner, false, message);

        if (error < 0)
            return error; /* the old mapping stays */
        sb_map_close(&reader->map);
        reader->map = map;
    }
    reader->incarnation = sb_load_acquire(&reader->map.header->incarnation);
    return SB_OK;
}

/* ---- questions ------------------------------------------------------------------------ */

int
sb_reader_info(struct sb_reader *reader, struct sb_segment_info *ret)
{
    const struct sb_header *header = reader->map.header;
    uint64_t now = sb_mono(), heartbeat = sb_load_acquire(&header->heartbeat);
    uint64_t incarnation = sb_load_acquire(&header->incarnation);
    struct sb_segment_info info = {
        .incarnation = incarnation,
        .heartbeat_age_ns = now > heartbeat ? now - heartbeat : 0,
        .size = reader->map.size,
        .layout_hash = header->layout_hash,
        .pid = sb_load(&header->pid),
        .abi_major = SB_ABI_MAJOR, /* others are refused at open */
        .abi_minor = SB_ABI_MINOR,
        .phase = (enum sb_phase)sb_load_acquire(&header->phase),
        .damaged = reader->damaged,
    };
    int held;

    memcpy(info.owner, reader->owner, sizeof info.owner);
    held = sb_map_held(reader->instance, reader->owner);
    if (incarnation != reader->incarnation ||
        !sb_map_current(&reader->map, reader->instance, reader->owner))
        info.liveness = SB_RESTARTED;
    else if (held == 0 || (held < 0 && info.heartbeat_age_ns > STALLED_NS))
        info.liveness =
            SB_DEAD; /* held < 0: we may not open the segment any more, the heartbeat decides */
    else
        info.liveness = info.heartbeat_age_ns > STALLED_NS ? SB_STALLED : SB_ALIVE;
    *ret = info;
    return SB_OK;
}

bool
sb_reader_has(const struct sb_reader *reader, enum sb_table_id id)
{
    return sb_map_find(&reader->map, id) >= 0;
}

unsigned
sb_reader_shards(const struct sb_reader *reader, enum sb_table_id id)
{
    int index = sb_map_find(&reader->map, id);

    return index < 0 ? 0 : reader->map.dir[index].shards;
}

int
sb_reader_stats(const struct sb_reader *reader, enum sb_table_id id, struct sb_table_stats *ret)
{
    int index = sb_map_find(&reader->map, id);
    const struct sb_dir *dir = &reader->map.dir[index < 0 ? 0 : index];
    bool ring;

    if (index < 0)
        return SB_ENONE;
    ring = sb_table_info(id)->kind == SB_RING;
    *ret = (struct sb_table_stats){
        .capacity = ring ? (uint64_t)dir->slots * dir->shards : dir->capacity,
    };
    for (unsigned s = 0; s < dir->shards; s++) {
        const struct sb_shard *shard = sb_map_shard(&reader->map, index, s);

        ret->rows += ring ? sb_load(&shard->head) : sb_load(&shard->rows);
        ret->inserted += sb_load(&shard->inserted);
        ret->updated += sb_load(&shard->updated);
        ret->removed += sb_load(&shard->removed);
        ret->evicted += sb_load(&shard->evicted);
        ret->refused += sb_load(&shard->refused);
        ret->unpublished += sb_load(&shard->unpublished);
        ret->superseded += sb_load(&shard->superseded);
    }
    return SB_OK;
}

/* ---- hash tables ------------------------------------------------------------------------ */

static const struct sb_slot *
slot_of(const struct sb_dir *dir, const struct sb_shard *shard, uint64_t slot)
{
    const struct sb_bucket *buckets = (const struct sb_bucket *)(shard + 1);

    return (const struct sb_slot *)((const uint8_t *)(buckets + dir->slots / SB_BUCKET) +
                                    slot * dir->stride);
}

static const uint16_t *
tag_of(const struct sb_shard *shard, uint64_t slot)
{
    return &((const struct sb_bucket *)(shard + 1))[slot / SB_BUCKET].tags[slot % SB_BUCKET];
}

/* Is this a slot of the row's key? */
static bool
at_home(const struct sb_reader *reader, int index, uint64_t slot, uint16_t tag, const void *row)
{
    size_t key_size = sb_table_info(reader->map.ids[index])->key_size;
    struct sb_home home = sb_home_of(sb_key_hash(reader->map.header->seed, row, key_size),
                                     reader->map.dir[index].slots / SB_BUCKET);

    return tag == home.tag &&
           (slot / SB_BUCKET == home.bucket[0] || slot / SB_BUCKET == home.bucket[1]);
}

/* Reads a slot and passes over what no owner writes: a row in a bucket that is none of its key's or
 * under another tag (key: the one that led here, else NULL), a clock or a column out of range.
 * 1, 0 if there is no such row, SB_EBUSY. */
static int
read_slot(struct sb_reader *reader, int index, const struct sb_shard *shard, uint64_t slot,
          const void *key, void *ret_row)
{
    const struct sb_dir *dir = &reader->map.dir[index];
    enum sb_table_id id = reader->map.ids[index];
    struct sb_seen seen;
    int got = sb_slot_read(slot_of(dir, shard, slot), tag_of(shard, slot),
                           sb_parts_of(sb_table_info(id)->key_size, dir->row_size), ret_row, &seen);

    if (got != 1)
        return got;
    if (key && memcmp(ret_row, key, sb_table_info(id)->key_size) != 0)
        return 0;
    if (seen.word >> SB_CLOCK_SHIFT == 0 || seen.word >> SB_CLOCK_SHIFT >= SB_CLOCK_MAX ||
        !sb_row_valid(id, ret_row) || (!key && !at_home(reader, index, slot, seen.tag, ret_row))) {
        reader->damaged++;
        return 0;
    }
    reader->restored = sb_is_restored(seen.word, sb_load(&shard->epoch));
    return 1;
}

static int
read_hash(struct sb_reader *reader, int index, uint64_t *cursor, void *ret_row)
{
    const struct sb_dir *dir = &reader->map.dir[index];
    uint64_t end = (uint64_t)dir->slots * dir->shards;

    while (*cursor < end) {
        uint64_t i = (*cursor)++;
        const struct sb_shard *shard =
            sb_map_shard(&reader->map, index, (unsigned)(i / dir->slots));
        int got = read_slot(reader, index, shard, i % dir->slots, NULL, ret_row);

        if (got)
            return got;
    }
    return 0;
}

static int
lookup_in(struct sb_reader *reader, int index, unsigned shard_index, const void *key, uint64_t hash,
          void *ret_row)
{
    const struct sb_dir *dir = &reader->map.dir[index];
    const struct sb_shard *shard = sb_map_shard(&reader->map, index, shard_index);
    const struct sb_bucket *buckets = (const struct sb_bucket *)(shard + 1);
    struct sb_home home = sb_home_of(hash, dir->slots / SB_BUCKET);
    int ret = 0;

    __builtin_prefetch(&buckets[home.bucket[1]]);
    for (int b = 0; b < 2; b++) {
        uint32_t first = home.bucket[b] * SB_BUCKET;

        for (uint32_t i = first; i < first + SB_BUCKET; i++) {
            int got;

            if (sb_load(&buckets[home.bucket[b]].tags[i - first]) != home.tag)
                continue;
            sb_prefetch_slot(slot_of(dir, shard, i), dir->stride);
            got = read_slot(reader, index, shard, i, key, ret_row);
            if (got == 1)
                return 1;
            if (got < 0)
                ret = got; /* it may have been the one */
        }
    }
    return ret;
}

int
sb_lookup(struct sb_reader *reader, enum sb_table_id id, const void *key, void *ret_row)
{
    int index = sb_map_find(&reader->map, id), ret = 0;
    const struct sb_table_info *info = sb_table_info(id);
    uint64_t hash;
    unsigned shards;

    if (index < 0)
        return SB_ENONE;
    if (info->kind != SB_HASH)
        return SB_EINVAL;
    reader->restored = false;
    hash = sb_key_hash(reader->map.header->seed, key, info->key_size);
    shards = reader->map.dir[index].shards;
    for (unsigned s = 0; s < shards; s++) {
        int got = lookup_in(reader, index, s, key, hash, ret_row);

        if (got == 1)
            return 1;
        if (got < 0)
            ret = got;
    }
    return ret;
}

bool
sb_reader_restored(const struct sb_reader *reader)
{
    return reader->restored;
}

/* ---- rings -------------------------------------------------------------------------------- */

/* The next record at or behind *position; *ret_lost counts those that were overwritten. 1, 0, or
 * SB_ECORRUPT. */
static int
follow(struct sb_reader *reader, int index, unsigned shard_index, uint64_t *position, void *ret_row,
       uint64_t *ret_lost)
{
    const struct sb_dir *dir = &reader->map.dir[index];
    const struct sb_shard *shard = sb_map_shard(&reader->map, index, shard_index);
    uint64_t first, head;

    /* Each turn either ends or skips what was overwritten; a writer that laps us all the time
     * cannot keep us here for more than a few of them. */
    for (int i = 0; i < SB_TRIES; i++) {
        sb_ring_range(dir, shard, &first, &head);
        if (head >= UINT64_C(1) << 47)
            return SB_ECORRUPT;
        if (*position > head)
            *position = 0; /* a ring begun anew: all of it is new to us */
        if (*position < first) {
            *ret_lost += first - *position;
            *position = first;
        }
        if (*position == head)
            return 0;
        if (sb_ring_read(dir, shard, (*position)++, ret_row) != 1) {
            ++*ret_lost; /* overwritten while we looked, or lost with a killed writer */
        } else if (sb_row_valid(reader->map.ids[index], ret_row)) {
            return 1;
        } else {
            reader->damaged++;
            ++*ret_lost;
        }
    }
    return 0;
}

static int
read_ring(struct sb_reader *reader, int index, uint64_t *cursor, void *ret_row)
{
    const struct sb_dir *dir = &reader->map.dir[index];

    for (;;) {
        uint64_t shard = *cursor >> 48, position = *cursor & CURSOR_POSITION, lost = 0;
        int got;

        if (shard >= dir->shards)
            return 0;
        got = follow(reader, index, (unsigned)shard, &position, ret_row, &lost);
        if (got == 1) {
            *cursor = shard << 48 | position;
            return 1;
        }
        *cursor = (shard + 1) << 48;
    }
}

int
sb_read(struct sb_reader *reader, enum sb_table_id id, uint64_t *cursor, void *ret_row)
{
    int index = sb_map_find(&reader->map, id);

    if (index < 0)
        return SB_ENONE;
    reader->restored = false;
    if (sb_table_info(id)->kind == SB_RING)
        return read_ring(reader, index, cursor, ret_row);
    return read_hash(reader, index, cursor, ret_row);
}

int
sb_follow(struct sb_reader *reader, enum sb_table_id id, unsigned shard, uint64_t *position,
          void *ret_row, uint64_t *ret_lost)
{
    int index = sb_map_find(&reader->map, id), got;
    const struct sb_dir *dir = &reader->map.dir[index < 0 ? 0 : index];
    uint64_t lost = 0;

    if (index < 0 || shard >= dir->shards)
        return SB_ENONE;
    if (sb_table_info(id)->kind != SB_RING)
        return SB_EINVAL;
    if (*position == UINT64_MAX) {
        uint64_t first;

        sb_ring_range(dir, sb_map_shard(&reader->map, index, shard), &first, position);
        return 0;
    }
    if (*position ==
        0) { /* from the oldest: what went before is not lost, it was never asked for */
        uint64_t head;

        sb_ring_range(dir, sb_map_shard(&reader->map, index, shard), position, &head);
    }
    got = follow(reader, index, shard, position, ret_row, &lost);
    *ret_lost += lost;
    return got;
}

/* ---- for subscriber.c ------------------------------------------------------------------------ */

uint64_t
sb_reader_incarnation(const struct sb_reader *reader)
{
    return sb_load_acquire(&reader->map.header->incarnation);
}

uint64_t
sb_reader_socket(const struct sb_reader *reader)
{
    return sb_load_acquire(&reader->map.header->socket);
}

uint64_t
sb_reader_seq(const struct sb_reader *reader, enum sb_table_id id)
{
    int index = sb_map_find(&reader->map, id);

    return index < 0 ? 0 : sb_load_acquire(&sb_map_dir(&reader->map, index)->last_seq);
}

uint64_t
sb_reader_epoch(const struct sb_reader *reader, enum sb_table_id id)
{
    int index = sb_map_find(&reader->map, id);

    return index < 0 ? 0 : sb_load_acquire(&sb_map_dir(&reader->map, index)->epoch);
}

uint64_t
sb_reader_slots(const struct sb_reader *reader, enum sb_table_id id)
{
    int index = sb_map_find(&reader->map, id);

    return index < 0 ? 0 : (uint64_t)reader->map.dir[index].slots * reader->map.dir[index].shards;
}

int
sb_reader_ring(const struct sb_reader *reader, enum sb_table_id id, unsigned shard,
               struct sb_ring_range *ret)
{
    int index = sb_map_find(&reader->map, id);
    const struct sb_shard *s;

    if (index < 0 || shard >= reader->map.dir[index].shards)
        return SB_ENONE;
    s = sb_map_shard(&reader->map, index, shard);
    sb_ring_range(&reader->map.dir[index], s, &ret->first, &ret->head);
    ret->start = sb_load_acquire(&s->start);
    return SB_OK;
}

int
sb_reader_next(struct sb_reader *reader, enum sb_table_id id, unsigned shard, uint64_t *position,
               void *ret_row, uint64_t *ret_lost)
{
    int index = sb_map_find(&reader->map, id);

    if (index < 0 || shard >= reader->map.dir[index].shards)
        return SB_ENONE;
    return follow(reader, index, shard, position, ret_row, ret_lost);
}
