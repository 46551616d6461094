/* SPDX-License-Identifier: Apache-2.0
 *
 * mirror.c - rows in one array in the order they came, an index of their hashes, and hints.
 *
 * The index is open addressing with linear probing, at most 3/4 full, doubling. An entry carries
 * the hash, so that growing and probing touch no rows, and removal shifts entries back, so that
 * there are no tombstones and a long-lived mirror does not slow down. One thread.
 */
#include "mirror.h"
#include "record.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#define HUGE                                                                                       \
    ((size_t)4 << 20) /* bytes; from here on huge pages save faults and address lookups            \
                       */
#define ROWS_MAX (UINT32_MAX / 4) /* far more than a table has */

struct entry {
    uint32_t hash; /* the low half of the key's */
    uint32_t row;  /* its number + 1; 0: empty */
};

struct sb_mirror {
    size_t key_size, row_size;
    uint64_t seed[2];    /* keys come from the network */
    uint8_t *rows;       /* owned; n_used of room_rows have been used */
    uint32_t *rounds;    /* owned; the round a row was last seen in, 0: free */
    struct entry *index; /* owned */
    uint32_t *hints;     /* owned; row number + 1 by the owner's slot, 0: none */
    uint64_t n_hints;    /* the owner's slots */
    uint32_t index_mask; /* entries - 1 */
    uint32_t room;       /* rows allocated */
    uint32_t n_used;     /* rows ever used: the free ones among them are in the list */
    uint32_t n_rows;     /* rows that stand */
    uint32_t free_row;   /* number + 1 of the first free row, whose first bytes have the next */
    uint32_t round;      /* never 0 */
    uint32_t sweep;      /* row where sb_mirror_stale() goes on */
};

static void *
row_at(const struct sb_mirror *mirror, uint32_t row)
{
    return mirror->rows + row * mirror->row_size;
}

/* ---- memory ------------------------------------------------------------------------ */

static void
prefer_huge_pages(void *memory, size_t size)
{
    uintptr_t start = ((uintptr_t)memory + 4095) & ~(uintptr_t)4095;

    if (memory && size >= HUGE)
        madvise((void *)start, size - 4096, MADV_HUGEPAGE);
}

static bool
make_room(struct sb_mirror *mirror, uint32_t room)
{
    void *rows, *rounds;

    if (room <= mirror->room)
        return true;
    if (room > ROWS_MAX)
        return false;
    rows = realloc(mirror->rows, room * mirror->row_size);
    if (!rows)
        return false;
    mirror->rows = rows;
    prefer_huge_pages(rows, room * mirror->row_size);
    rounds = realloc(mirror->rounds, room * sizeof *mirror->rounds);
    if (!rounds)
        return false;
    mirror->rounds = rounds;
    mirror->room = room;
    return true;
}

static void
index_add(struct entry *index, uint32_t mask, struct entry entry)
{
    uint32_t i = entry.hash & mask;

    while (index[i].row)
        i = (i + 1) & mask;
    index[i] = entry;
}

/* An index for that many rows. */
static bool
make_index(struct sb_mirror *mirror, uint64_t rows)
{
    uint32_t mask = mirror->index_mask;
    struct entry *index;

    while (rows * 4 > (mask + UINT64_C(1)) * 3)
        mask = mask * 2 + 1;
    if (mirror->index && mask == mirror->index_mask)
        return true;
    index = calloc((size_t)mask + 1, sizeof *index);
    if (!index)
        return false;
    prefer_huge_pages(index, ((size_t)mask + 1) * sizeof *index);
    for (uint32_t i = 0; mirror->index && i <= mirror->index_mask; i++)
        if (mirror->index[i].row)
            index_add(index, mask, mirror->index[i]);
    free(mirror->index);
    mirror->index = index;
    mirror->index_mask = mask;
    return true;
}

struct sb_mirror *
sb_mirror_new(size_t key_size, size_t row_size)
{
    struct sb_mirror *mirror = calloc(1, sizeof *mirror);

    if (!mirror)
        return NULL;
    mirror->key_size = key_size;
    mirror->row_size = row_size;
    mirror->index_mask = 63;
    mirror->round = 1;
    if (getrandom(mirror->seed, sizeof mirror->seed, 0) < 0)
        mirror->seed[0] = (uintptr_t)mirror;
    if (!make_index(mirror, 0))
        sb_mirror_destroy(&mirror);
    return mirror;
}

void
sb_mirror_destroy(struct sb_mirror **mirror)
{
    if (!*mirror)
        return;
    free((*mirror)->rows);
    free((*mirror)->rounds);
    free((*mirror)->index);
    free((*mirror)->hints);
    free(*mirror);
    *mirror = NULL;
}

void
sb_mirror_expect(struct sb_mirror *mirror, uint64_t slots, uint64_t rows)
{
    free(mirror->hints);
    mirror->hints = calloc(slots, sizeof *mirror->hints);
    mirror->n_hints = mirror->hints ? slots : 0;
    if (rows < ROWS_MAX && make_room(mirror, (uint32_t)rows))
        make_index(mirror, rows);
}

size_t
sb_mirror_rows(const struct sb_mirror *mirror)
{
    return mirror->n_rows;
}

/* ---- finding --------------------------------------------------------------------------- */

void
sb_mirror_prefetch_hint(const struct sb_mirror *mirror, uint64_t slot)
{
    if (slot < mirror->n_hints)
        __builtin_prefetch(&mirror->hints[slot]);
}

void
sb_mirror_prefetch(const struct sb_mirror *mirror, uint64_t slot)
{
    uint32_t hint = slot < mirror->n_hints ? mirror->hints[slot] : 0;
    const uint8_t *row;

    if (!hint)
        return;
    row = row_at(mirror, hint - 1);
    __builtin_prefetch(&mirror->rounds[hint - 1]);
    for (size_t offset = 0; offset < mirror->row_size; offset += 64)
        __builtin_prefetch(row + offset);
}

void
sb_mirror_prefetch_key(const struct sb_mirror *mirror, uint64_t slot, const void *key)
{
    if (slot < mirror->n_hints && mirror->hints[slot])
        sb_mirror_prefetch(mirror, slot);
    else
        __builtin_prefetch(
            &mirror->index[(uint32_t)sb_key_hash(mirror->seed, key, mirror->key_size) &
                           mirror->index_mask]);
}

static void *
found(struct sb_mirror *mirror, uint32_t row)
{
    mirror->rounds[row] = mirror->round;
    return row_at(mirror, row);
}

void *
sb_mirror_find(struct sb_mirror *mirror, uint64_t slot, const void *key, uint64_t *ret_hash)
{
    uint32_t row = slot < mirror->n_hints ? mirror->hints[slot] : 0;

    /* the row may have gone and its number have been used again: the key decides */
    if (row && mirror->rounds[row - 1] &&
        memcmp(row_at(mirror, row - 1), key, mirror->key_size) == 0)
        return found(mirror, row - 1);
    *ret_hash = sb_key_hash(mirror->seed, key, mirror->key_size);
    for (uint32_t i = (uint32_t)*ret_hash & mirror->index_mask; mirror->index[i].row;
         i = (i + 1) & mirror->index_mask) {
        row = mirror->index[i].row - 1;
        if (mirror->index[i].hash == (uint32_t)*ret_hash &&
            memcmp(row_at(mirror, row), key, mirror->key_size) == 0) {
            if (slot < mirror->n_hints)
                mirror->hints[slot] = row + 1;
            return found(mirror, row);
        }
    }
    return NULL;
}

/* ---- writing ------------------------------------------------------------------------------- */

bool
sb_mirror_insert(struct sb_mirror *mirror, uint64_t slot, const void *row, uint64_t hash)
{
    uint32_t number;

    if (!make_index(mirror, mirror->n_rows + UINT64_C(1)))
        return false;
    if (mirror->free_row) {
        number = mirror->free_row - 1;
        memcpy(&mirror->free_row, row_at(mirror, number), sizeof mirror->free_row);
    } else {
        if (mirror->n_used == mirror->room && !make_room(mirror, 64 + mirror->room * 2))
            return false;
        number = mirror->n_used++;
    }
    memcpy(row_at(mirror, number), row, mirror->row_size);
    mirror->rounds[number] = mirror->round;
    mirror->n_rows++;
    index_add(mirror->index, mirror->index_mask,
              (struct entry){.hash = (uint32_t)hash, .row = number + 1});
    if (slot < mirror->n_hints)
        mirror->hints[slot] = number + 1;
    return true;
}

/* Empties an entry and moves those behind it back, unless they are at or before their home. */
static void
index_remove(struct sb_mirror *mirror, uint32_t hole)
{
    uint32_t mask = mirror->index_mask;

    for (uint32_t i = (hole + 1) & mask; mirror->index[i].row; i = (i + 1) & mask) {
        uint32_t from_home = (i - mirror->index[i].hash) & mask;

        if (from_home < ((i - hole) & mask))
            continue;
        mirror->index[hole] = mirror->index[i];
        hole = i;
    }
    mirror->index[hole].row = 0;
}

void
sb_mirror_remove(struct sb_mirror *mirror, void *row)
{
    uint32_t number = (uint32_t)((size_t)((uint8_t *)row - mirror->rows) / mirror->row_size);
    uint32_t i = (uint32_t)sb_key_hash(mirror->seed, row, mirror->key_size) & mirror->index_mask;

    while (mirror->index[i].row != number + 1)
        i = (i + 1) & mirror->index_mask;
    index_remove(mirror, i);
    memcpy(row, &mirror->free_row, sizeof mirror->free_row);
    mirror->free_row = number + 1;
    mirror->rounds[number] = 0;
    mirror->n_rows--;
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
    while (mirror->sweep < mirror->n_used) {
        uint32_t row = mirror->sweep++;

        if (mirror->rounds[row] && mirror->rounds[row] != mirror->round) {
            memcpy(ret_row, row_at(mirror, row), mirror->row_size);
            sb_mirror_remove(mirror, row_at(mirror, row));
            return true;
        }
    }
    return false;
}
