/* SPDX-License-Identifier: Apache-2.0
 *
 * learned.h - a worker's private digest of its shard of `mac`: where an address was learned, in one
 * cache line instead of the six that two lookups in shared memory touch.
 *
 * It only saves work: an entry is good as long as no row has left the shard since it was made, and
 * everything else is asked of the table. The key is the table's 64-bit hash, whose seed is secret,
 * folded with the count of rows that left; two live keys meet in it once in 2^64. Worker thread
 * only.
 */
#ifndef TRIVET_CONTROLLER_LEARNED_H
#define TRIVET_CONTROLLER_LEARNED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <trivet/statebus.h>

struct ctl_learned_entry {
    uint64_t key;    /* 0: none */
    uint32_t port;   /* where it was learned */
    uint32_t last_t; /* when the row was last written, in units of 2^20 ns, modulo 2^32 */
};

struct ctl_learned {
    struct ctl_learned_entry *entries; /* owned; direct-mapped */
    uint64_t mask;                     /* entries - 1 */
};

#define CTL_LEARNED_MAX (1u << 18)

/* False: out of memory. */
static inline bool
ctl_learned_init(struct ctl_learned *learned, const struct sb_table *mac)
{
    struct sb_table_stats stats;
    uint64_t n = 1024;

    sb_table_stats(mac, &stats);
    while (n < stats.capacity && n < CTL_LEARNED_MAX)
        n *= 2;
    learned->mask = n - 1;
    learned->entries = calloc(n, sizeof(*learned->entries));
    return learned->entries != NULL;
}

static inline uint64_t
ctl_learned_key(const struct sb_table *mac, uint64_t hash)
{
    return (hash + sb_left(mac) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static inline struct ctl_learned_entry *
ctl_learned_at(const struct ctl_learned *learned, uint64_t hash)
{
    return &learned->entries[hash >> 20 & learned->mask];
}

/* The entry of a hash, or NULL: ask the table. */
static inline const struct ctl_learned_entry *
ctl_learned_find(const struct ctl_learned *learned, const struct sb_table *mac, uint64_t hash)
{
    const struct ctl_learned_entry *entry = ctl_learned_at(learned, hash);

    return entry->key == ctl_learned_key(mac, hash) ? entry : NULL;
}

static inline void
ctl_learned_set(struct ctl_learned *learned, const struct sb_table *mac, uint64_t hash,
                uint32_t port, uint64_t last_ns)
{
    *ctl_learned_at(learned, hash) = (struct ctl_learned_entry){
        .key = ctl_learned_key(mac, hash), .port = port, .last_t = (uint32_t)(last_ns >> 20)};
}

#endif
