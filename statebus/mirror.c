/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror.c - open addressing with linear probing, at most 3/4 full, doubling.
 *
 * Removal shifts the rows behind the hole back, so that there are no tombstones and a long-lived
 * mirror does not slow down. One thread.
 */
#include "mirror.h"
#include "record.h"
#include <stdlib.h>
#include <sys/random.h>

struct sb_mirror {
    size_t key_size, row_size;
    size_t n_rows, mask; /* slots - 1 */
    uint64_t seed[2];    /* keys come from the network */
    uint32_t round;      /* never 0 */
    size_t sweep;        /* where sb_mirror_stale() goes on */
    uint32_t *rounds;    /* owned; of each slot's row, 0: empty slot */
    uint8_t *rows;       /* owned */
};

static void *
row_at(const struct sb_mirror *mirror, size_t i)
{
    return mirror->rows + i * mirror->row_size;
}

static size_t
home(const struct sb_mirror *mirror, const void *key)
{
    return sb_key_hash(mirror->seed, key, mirror->key_size) & mirror->mask;
}

/* The slot of the key, or the empty one where it would go. */
static size_t
probe(const struct sb_mirror *mirror, const void *key)
{
    size_t i = home(mirror, key);

    while (mirror->rounds[i] && memcmp(row_at(mirror, i), key, mirror->key_size) != 0)
        i = (i + 1) & mirror->mask;
    return i;
}

struct sb_mirror *
sb_mirror_new(size_t key_size, size_t row_size)
{
    struct sb_mirror *mirror = calloc(1, sizeof *mirror);

    if (!mirror)
        return NULL;
    mirror->key_size = key_size;
    mirror->row_size = row_size;
    mirror->mask = 63;
    mirror->round = 1;
    if (getrandom(mirror->seed, sizeof mirror->seed, 0) < 0)
        mirror->seed[0] = (uintptr_t)mirror;
    mirror->rounds = calloc(mirror->mask + 1, sizeof *mirror->rounds);
    mirror->rows = malloc((mirror->mask + 1) * row_size);
    if (!mirror->rounds || !mirror->rows)
        sb_mirror_destroy(&mirror);
    return mirror;
}

void
sb_mirror_destroy(struct sb_mirror **mirror)
{
    if (!*mirror)
        return;
    free((*mirror)->rounds);
    free((*mirror)->rows);
    free(*mirror);
    *mirror = NULL;
}

size_t
sb_mirror_rows(const struct sb_mirror *mirror)
{
    return mirror->n_rows;
}

void *
sb_mirror_find(const struct sb_mirror *mirror, const void *key)
{
    size_t i = probe(mirror, key);

    return mirror->rounds[i] ? row_at(mirror, i) : NULL;
}

static bool
grow(struct sb_mirror *mirror)
{
    struct sb_mirror bigger = *mirror;

    bigger.mask = mirror->mask * 2 + 1;
    bigger.rounds = calloc(bigger.mask + 1, sizeof *bigger.rounds);
    bigger.rows = malloc((bigger.mask + 1) * mirror->row_size);
    if (!bigger.rounds || !bigger.rows) {
        free(bigger.rounds);
        free(bigger.rows);
        return false;
    }
    for (size_t i = 0; i <= mirror->mask; i++) {
        size_t to;

        if (!mirror->rounds[i])
            continue;
        to = probe(&bigger, row_at(mirror, i));
        bigger.rounds[to] = mirror->rounds[i];
        memcpy(row_at(&bigger, to), row_at(mirror, i), mirror->row_size);
    }
    free(mirror->rounds);
    free(mirror->rows);
    *mirror = bigger;
    return true;
}

bool
sb_mirror_put(struct sb_mirror *mirror, const void *row)
{
    size_t i = probe(mirror, row);

    if (!mirror->rounds[i]) {
        if ((mirror->n_rows + 1) * 4 > (mirror->mask + 1) * 3) {
            if (!grow(mirror))
                return false;
            i = probe(mirror, row);
        }
        mirror->n_rows++;
    }
    mirror->rounds[i] = mirror->round;
    memcpy(row_at(mirror, i), row, mirror->row_size);
    return true;
}

void
sb_mirror_touch(struct sb_mirror *mirror, void *row)
{
    mirror->rounds[(size_t)((uint8_t *)row - mirror->rows) / mirror->row_size] = mirror->round;
}

static void
remove_at(struct sb_mirror *mirror, size_t hole)
{
    mirror->n_rows--;
    for (size_t i = (hole + 1) & mirror->mask; mirror->rounds[i]; i = (i + 1) & mirror->mask) {
        /* a row may move into the hole unless its home lies between the hole and itself */
        size_t from_home = (i - home(mirror, row_at(mirror, i))) & mirror->mask;

        if (from_home < ((i - hole) & mirror->mask))
            continue;
        mirror->rounds[hole] = mirror->rounds[i];
        memcpy(row_at(mirror, hole), row_at(mirror, i), mirror->row_size);
        hole = i;
    }
    mirror->rounds[hole] = 0;
}

void
sb_mirror_remove(struct sb_mirror *mirror, const void *key)
{
    size_t i = probe(mirror, key);

    if (mirror->rounds[i])
        remove_at(mirror, i);
}

void
sb_mirror_round(struct sb_mirror *mirror)
{
    if (++mirror->round == 0)
        mirror->round = 1;
    mirror->sweep = 0;
}

bool
sb_mirror_stale(struct sb_mirror *mirror, void *ret_row)
{
    while (mirror->sweep <= mirror->mask) {
        size_t i = mirror->sweep;

        if (mirror->rounds[i] && mirror->rounds[i] != mirror->round) {
            memcpy(ret_row, row_at(mirror, i), mirror->row_size);
            remove_at(mirror, i); /* may shift another row here: look at this slot again */
            return true;
        }
        mirror->sweep++;
    }
    return false;
}
