/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror.h - a private copy of one hash table, so that a change can be told with its old row.
 *
 * Rows are found by key. The owner's slot of a row, which deltas and re-reads carry, is a hint that
 * spares the hash and the probe: a row never moves in its owner's table, so it nearly always fits,
 * and where it does not (another segment, a damaged message) only time is lost.
 */
#ifndef STATEBUS_MIRROR_H
#define STATEBUS_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_mirror;

struct sb_mirror *sb_mirror_new(size_t key_size, size_t row_size);
void sb_mirror_destroy(struct sb_mirror **mirror);
/* The owner's table has that many slots and about so many rows: forgets all hints and makes room.
 * Without memory it goes on without. */
void sb_mirror_expect(struct sb_mirror *mirror, uint64_t slots, uint64_t rows);
size_t sb_mirror_rows(const struct sb_mirror *mirror);
/* Fetches what find will look at, in two steps with some work between them. */
void sb_mirror_prefetch_hint(const struct sb_mirror *mirror, uint64_t slot);
void sb_mirror_prefetch(const struct sb_mirror *mirror, uint64_t slot);
/* Both at once, for a row at hand: also where there is no hint yet. */
void sb_mirror_prefetch_key(const struct sb_mirror *mirror, uint64_t slot, const void *key);
/* The row with that key, to look at or to write over (the key must stay), marked as of this round.
 * Valid until the next insert or removal. NULL: none, and *ret_hash is the key's, for
 * sb_mirror_insert(). slot: where the owner has it, any number else. */
void *sb_mirror_find(struct sb_mirror *mirror, uint64_t slot, const void *key, uint64_t *ret_hash);
/* A row whose key is not there. False: out of memory. */
bool sb_mirror_insert(struct sb_mirror *mirror, uint64_t slot, const void *row, uint64_t hash);
/* Removes what sb_mirror_find() found. */
void sb_mirror_remove(struct sb_mirror *mirror, void *row);
/* A re-read: begin a round, find or insert what is there, then take the rows that were not:
 * sb_mirror_stale() copies one out and removes it, until it returns false. */
void sb_mirror_round(struct sb_mirror *mirror);
bool sb_mirror_stale(struct sb_mirror *mirror, void *ret_row);

#endif
