/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror.h - a private copy of one hash table, so that a change can be told with its old row.
 */
#ifndef STATEBUS_MIRROR_H
#define STATEBUS_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_mirror;

struct sb_mirror *sb_mirror_new(size_t key_size, size_t row_size);
void sb_mirror_destroy(struct sb_mirror **mirror);
size_t sb_mirror_rows(const struct sb_mirror *mirror);
/* The row with that key, or NULL; valid until the next put or remove. */
void *sb_mirror_find(const struct sb_mirror *mirror, const void *key);
/* Inserts or replaces; marks the row as of this round. False: out of memory. */
bool sb_mirror_put(struct sb_mirror *mirror, const void *row);
/* Marks a row that stays as it is. */
void sb_mirror_touch(struct sb_mirror *mirror, void *row);
void sb_mirror_remove(struct sb_mirror *mirror, const void *key);
/* A re-read: begin a round, put or touch what is there, then take the rows that were not:
 * sb_mirror_stale() copies one out and removes it, until it returns false. */
void sb_mirror_round(struct sb_mirror *mirror);
bool sb_mirror_stale(struct sb_mirror *mirror, void *ret_row);

#endif
