/* SPDX-License-Identifier: Apache-2.0
 *
 * record.h - one row in shared memory: the A/B record, the ring record, and the hash of a key.
 *
 * A/B record
 *   A slot holds one atomic word and two copies of the row. word = (seq << 1) | index: copy `index`
 *   is the row; 0 = empty, whatever the copies hold. To publish, the one writer fills the other
 *   copy and then stores the new word. Killed before that store, the old word stands over the old
 *   copy, which nobody touched; killed after it, the new one stands over the new copy. There is
 *   no state in between, so nothing is ever repaired and no reader waits for a dead writer.
 *
 * Why a reader never takes a torn row
 *   The reader loads the word X (acquire), copies copy X & 1 out, and loads the word again; it
 *   accepts only if it is still X.
 *   1. It sees at least the row of X: the writer stored the copy before it stored X with release,
 *      and the reader read X with acquire.
 *   2. It sees nothing newer: the writer touches copy X & 1 again only after it has stored a word
 *      Y != X (the next publish goes to the other copy; a remove stores 0). Every data word is
 *      stored with release and loaded with acquire, so a reader that picks up one newer data
 *      word synchronises with the writer after Y; its second load of the word then cannot return
 *      X, nor anything before Y in the word's modification order, and Y and what follows are not
 *      X (next point).
 *   3. A word never comes back (no ABA): a publish over a full slot uses seq + 1. A remove first
 *      raises shard->floor to the slot's seq and only then stores 0 (release), and an insert into
 *      an empty slot uses floor + 1. So the sequences of one slot only rise, over restarts too,
 *      because the floor lies in the segment. 62 bits do not run out.
 *   The words are acquire/release instead of relaxed with fences (Boehm 2012): ThreadSanitizer
 *   knows no fences, on x86-64 the instructions are the same plain moves, and on ARM ldar/stlr of
 *   one cache line or two cost a few ns.
 *
 * Ring record
 *   A slot holds its sequence (position + 1) and one row. The writer stores 0 into the sequence,
 * the row, then the new sequence (release). Same argument: whoever reads a newer data word must see
 *   0 or a later sequence when it looks again, and each sequence is used once. Killed in between,
 *   one record, which was to be overwritten anyway, is gone.
 */
#ifndef STATEBUS_RECORD_H
#define STATEBUS_RECORD_H

#include "segment.h"
#include <string.h>

#define sb_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define sb_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define sb_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define sb_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

#define SB_CLOCK_MASK ((UINT64_C(1) << 48) - 1) /* of slot->meta */

#define SB_TRIES 64 /* of a reader at one row before SB_EBUSY */

struct sb_slot {
    uint64_t word;   /* live */
    uint64_t meta;   /* live: generation << 48 | write clock */
    uint64_t rows[]; /* live: copy 0, copy 1 */
};

struct sb_ring_slot {
    uint64_t seq;   /* live: position + 1, 0 while written */
    uint64_t row[]; /* live */
};

/* n is the number of 8-byte words; the row in private memory needs no alignment */
static inline void
sb_copy_in(uint64_t *shared, const void *row, unsigned n)
{
    const uint8_t *p = row;

    for (unsigned i = 0; i < n; i++) {
        uint64_t word;

        memcpy(&word, p + 8 * i, 8);
        sb_store_release(&shared[i], word);
    }
}

static inline void
sb_copy_out(void *row, const uint64_t *shared, unsigned n)
{
    uint8_t *p = row;

    for (unsigned i = 0; i < n; i++) {
        uint64_t word = sb_load_acquire(&shared[i]);

        memcpy(p + 8 * i, &word, 8);
    }
}

/* Fetches all lines of a slot at once: which copy is live shows only in its first. */
static inline void
sb_prefetch_slot(const struct sb_slot *slot, uint32_t stride)
{
    for (uint32_t offset = 64; offset < stride; offset += 64)
        __builtin_prefetch((const uint8_t *)slot + offset);
}

/* Does a row stand from before the incarnation that began at that epoch (adopt.c)? The clock
 * wraps: after 2^47 writes of one incarnation, years of a million a second, this would err. */
static inline bool
sb_is_restored(uint64_t meta, uint64_t epoch)
{
    return ((epoch - meta) & SB_CLOCK_MASK) < SB_CLOCK_MASK / 2;
}

/* What a reader finds beside a row: the word it goes by, the slot's meta and its tag. Tags are
 * stored with release before the word on insert, and after word = 0 on remove, so by the argument
 * above a row read well comes with its own tag. The meta is the row's or one that is just coming.
 */
struct sb_seen {
    uint64_t word, meta;
    uint32_t tag;
};

/* A reader's copy of a slot: 1, 0 if it is empty, SB_EBUSY. */
static inline int
sb_slot_read(const struct sb_slot *slot, const uint32_t *tag, unsigned n, void *ret_row,
             struct sb_seen *ret)
{
    for (int i = 0; i < SB_TRIES; i++) {
        ret->word = sb_load_acquire(&slot->word);
        if (ret->word == 0)
            return 0;
        ret->meta = sb_load(&slot->meta);
        ret->tag = sb_load_acquire(tag);
        sb_copy_out(ret_row, slot->rows + (ret->word & 1) * n, n);
        if (sb_load(&slot->word) == ret->word)
            return 1;
    }
    return SB_EBUSY;
}

/* ---- hash ------------------------------------------------------------------------
 * Multiply and fold, as wyhash does, with both factors hidden by the segment's random seed:
 * keys come from the network, and nobody outside may choose a product of zero. */

static inline uint64_t
sb_fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
sb_key_hash(const uint64_t seed[2], const void *key, size_t size)
{
    const uint8_t *p = key;
    uint64_t hash = seed[0] ^ size, other = seed[1], a, b;

    for (; size > 32; size -= 32, p += 32) { /* two chains: each waits for its own products only */
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        hash = sb_fold(a ^ hash, b ^ seed[1]);
        memcpy(&a, p + 16, 8);
        memcpy(&b, p + 24, 8);
        other = sb_fold(a ^ other, b ^ seed[0]);
    }
    hash ^= other;
    for (; size > 16; size -= 16, p += 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        hash = sb_fold(a ^ hash, b ^ seed[1]);
    }
    a = b = 0;
    if (size >= 8) { /* 8 to 16 bytes: two words that may overlap */
        memcpy(&a, p, 8);
        memcpy(&b, p + size - 8, 8);
    } else if (size >= 4) {
        uint32_t low, high;

        memcpy(&low, p, 4);
        memcpy(&high, p + size - 4, 4);
        a = low;
        b = high;
    } else {
        for (size_t i = 0; i < size; i++)
            a = a << 8 | p[i];
    }
    hash = sb_fold(a ^ hash, b ^ seed[1]);
    return sb_fold(hash ^ seed[0], UINT64_C(0x9e3779b97f4a7c15));
}

/* The two home buckets and the tag of a hash, out of different bits of it. n_buckets >= 2. */
struct sb_home {
    uint32_t bucket[2];
    uint32_t tag; /* never 0 */
};

static inline struct sb_home
sb_home_of(uint64_t hash, uint32_t n_buckets)
{
    uint64_t other = hash * UINT64_C(0xd6e8feb86659fd93);
    struct sb_home home = {.tag = (uint32_t)hash | 1};

    home.bucket[0] = (uint32_t)((hash >> 32) * n_buckets >> 32);
    home.bucket[1] = (uint32_t)((other >> 32) * n_buckets >> 32);
    if (home.bucket[1] == home.bucket[0])
        home.bucket[1] = home.bucket[0] + 1 == n_buckets ? 0 : home.bucket[0] + 1;
    return home;
}

#endif
