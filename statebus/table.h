/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - the writer's handle of one shard (table.c, ring.c, adopt.c), as owner.c and publisher.c
 * see it.
 */
#ifndef STATEBUS_TABLE_H
#define STATEBUS_TABLE_H

#include "changes.h"

struct sb_table {
    enum sb_table_id id;
    const struct sb_table_info *info;
    struct sb_shard *shard;    /* into the segment */
    struct sb_bucket *buckets; /* into the segment; hash tables only */
    uint8_t *slots;            /* into the segment */
    uint64_t seed[2];
    uint64_t clock;  /* of writes: orders rows by age */
    uint64_t head;   /* ring: records written */
    uint32_t stride; /* bytes from slot to slot */
    struct sb_parts parts;
    uint32_t n_slots;
    uint32_t n_buckets;
    uint32_t capacity; /* rows this shard takes */
    uint32_t rows;     /* full slots */
    uint16_t index;    /* of this shard */
    uint16_t key_size;
    struct sb_changes *changes;      /* owned; NULL: not published */
    uint32_t swept;                  /* slots that sb_sweep_restored() is through with */
    uint64_t peeked[SB_ROW_MAX / 8]; /* what sb_peek() returned last */
};

/* table.c */
void sb_table_init(struct sb_table *table, const struct sb_map *map, int index, unsigned shard);
/* adopt.c */
/* Checks each row of an adopted shard and drops what no owner writes; makes tags, count and clock
 * anew. Returns the rows dropped, or SB_ECORRUPT if the shard is beyond use. */
int64_t sb_table_adopt(struct sb_table *table);
/* The shard is taken over: whatever is in it now is restored. */
void sb_table_begin(struct sb_table *table);
/* ring.c */
int64_t sb_ring_adopt(struct sb_table *table);
/* A reader's copy of the record at a position: 1, 0 not written yet, SB_EBUSY overwritten. */
int sb_ring_read(const struct sb_dir *dir, const struct sb_shard *shard, uint64_t position,
                 void *ret_row);
/* Positions that may stand: from *ret_first to before *ret_head. */
void sb_ring_range(const struct sb_dir *dir, const struct sb_shard *shard, uint64_t *ret_first,
                   uint64_t *ret_head);

static inline struct sb_slot *
sb_table_slot(const struct sb_table *table, uint64_t slot)
{
    return (struct sb_slot *)(table->slots + slot * table->stride);
}

/* The row of a full slot; the writing thread's. */
void sb_table_copy(const struct sb_table *table, const struct sb_slot *slot, void *ret_row);

/* The prefix of a change record: see publisher.h. Slots count over all shards, as sb_read()'s
 * cursor does. */
static inline uint64_t
sb_change_prefix(enum sb_op op, const struct sb_table *table, uint64_t i)
{
    return (uint64_t)op << 48 | ((uint64_t)table->index * table->n_slots + i);
}

static inline uint64_t
sb_append_prefix(unsigned shard, uint64_t position)
{
    return (uint64_t)shard << 48 | position;
}

#endif
