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

#endif
