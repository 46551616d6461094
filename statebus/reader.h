/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - what the subscriber needs of a reader beyond the public API.
 */
#ifndef STATEBUS_READER_H
#define STATEBUS_READER_H

#include <trivet/statebus.h>

/* The segment's incarnation now (not the one at open). */
uint64_t sb_reader_incarnation(const struct sb_reader *reader);
/* Inode of the owner's socket; 0: it has none now. */
uint64_t sb_reader_socket(const struct sb_reader *reader);
/* Sequence of the last delta given out: the table, read after this call, contains it. */
uint64_t sb_reader_seq(const struct sb_reader *reader, enum sb_table_id id);
/* Slots over all shards: what sb_read()'s cursor of a hash table counts. */
uint64_t sb_reader_slots(const struct sb_reader *reader, enum sb_table_id id);
/* Positions of a ring: the oldest that may stand, the next to be written, and the first one of this
 * epoch (those before were brought over from another one). */
struct sb_ring_range {
    uint64_t first, head, start;
};
int sb_reader_ring(const struct sb_reader *reader, enum sb_table_id id, unsigned shard,
                   struct sb_ring_range *ret);
/* sb_follow() from exactly *position on, which has no special values. */
int sb_reader_next(struct sb_reader *reader, enum sb_table_id id, unsigned shard,
                   uint64_t *position, void *ret_row, uint64_t *ret_lost);

#endif
