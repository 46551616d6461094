/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - what the subscriber needs of a reader beyond the public API.
 */
#ifndef STATEBUS_READER_H
#define STATEBUS_READER_H

#include <trivet/statebus.h>

/* The segment's incarnation now (not the one at open). */
uint64_t sb_reader_incarnation(const struct sb_reader *reader);
/* Sequence of the last delta given out: the table, read after this call, contains it. */
uint64_t sb_reader_seq(const struct sb_reader *reader, enum sb_table_id id);
/* Slots over all shards: what sb_read()'s cursor of a hash table counts. */
uint64_t sb_reader_slots(const struct sb_reader *reader, enum sb_table_id id);
/* A ring's first position in this epoch that was not brought over from another one. */
uint64_t sb_reader_ring_start(const struct sb_reader *reader, enum sb_table_id id, unsigned shard);

#endif
