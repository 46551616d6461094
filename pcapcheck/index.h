/* SPDX-License-Identifier: Apache-2.0
 *
 * index.h - hashing, and a chained hash index over the slots of a fixed array.
 *
 * The rows lie in arrays of their owners (flows, journeys, claims, points); an index only says
 * which slots share a hash. Fixed capacity, no allocation after init. One thread.
 */
#ifndef PC_INDEX_H
#define PC_INDEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PC_NONE UINT32_MAX

struct pc_index {
    uint32_t *head; /* owned; first slot of each bucket */
    uint32_t *next; /* owned; by slot */
    uint32_t mask;  /* buckets - 1 */
};

/* 0 or -1 (no memory). At least `capacity` buckets. */
static inline int
pc_index_init(struct pc_index *ix, uint32_t capacity)
{
    uint32_t buckets = 16;

    while (buckets < capacity)
        buckets *= 2;
    ix->head = malloc((size_t)buckets * sizeof(uint32_t));
    ix->next = malloc((size_t)capacity * sizeof(uint32_t));
    ix->mask = buckets - 1;
    if (!ix->head || !ix->next)
        return -1;
    memset(ix->head, 0xff, (size_t)buckets * sizeof(uint32_t));
    return 0;
}

static inline void
pc_index_free(struct pc_index *ix)
{
    free(ix->head);
    free(ix->next);
    memset(ix, 0, sizeof *ix);
}

static inline uint32_t
pc_index_first(const struct pc_index *ix, uint64_t hash)
{
    return ix->head[hash & ix->mask];
}

static inline void
pc_index_add(struct pc_index *ix, uint64_t hash, uint32_t slot)
{
    ix->next[slot] = ix->head[hash & ix->mask];
    ix->head[hash & ix->mask] = slot;
}

static inline void
pc_index_remove(struct pc_index *ix, uint64_t hash, uint32_t slot)
{
    uint32_t *link = &ix->head[hash & ix->mask];

    while (*link != PC_NONE && *link != slot)
        link = &ix->next[*link];
    if (*link == slot)
        *link = ix->next[slot];
}

static inline uint64_t
pc_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded hash of some bytes. The seed is random in each process, so that nobody can prepare packets
 * that share a bucket or an identity. */
static inline uint64_t
pc_hash(uint64_t seed, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = seed ^ UINT64_C(0x9e3779b97f4a7c15) * (size + 1), w;

    for (; size >= 8; size -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = pc_mix(h ^ w, UINT64_C(0xa0761d6478bd642f)) + UINT64_C(0xe7037ed1a0b428db);
    }
    if (size) {
        w = 0;
        memcpy(&w, p, size);
        h = pc_mix(h ^ w, UINT64_C(0xa0761d6478bd642f)) + UINT64_C(0xe7037ed1a0b428db);
    }
    return pc_mix(h, h ^ UINT64_C(0x8ebc6af09c88c6e3));
}

#endif
