/* SPDX-License-Identifier: Apache-2.0
 *
 * record.h - one row in shared memory: the A/B record, the ring record, and the hash of a key.
 *
 * A/B record
 *   A slot holds one atomic word, the key's whole words once, and two copies of the rest of the row
 *   (the values). word = clock << 16 | amendments << 1 | index: copy `index` is the row's; 0 =
 * empty slot, whatever else lies in it. The clock counts the writes of the shard, over restarts
 * too, so it also says how old a row is; a write that confirms nothing (sb_amend) leaves it and
 * counts an amendment. To publish, the one writer fills the other copy and then stores the new
 * word. Killed before that store, the old word stands over the old copy, which nobody touched;
 * killed after it, the new one stands over the new copy. There is no state in between, so nothing
 * is ever repaired and no reader waits for a dead writer. The key is only written while the word is
 * 0.
 *
 * Why a reader never takes a torn row
 *   The reader loads the word X (acquire), copies the key and copy X & 1 out, and loads the word
 *   again; it accepts only if it is still X.
 *   1. It sees at least the row of X: the writer stored key and copy before it stored X with
 *      release, and the reader read X with acquire.
 *   2. It sees nothing newer: the writer touches copy X & 1, or the key, again only after it has
 *      stored a word Y != X (the next publish goes to the other copy; a remove stores 0). Every
 *      data word is stored with release and loaded with acquire, so a reader that picks up one
 *      newer data word synchronises with the writer after Y; its second load of the word then
 *      cannot return X, nor anything before Y in the word's modification order, and Y and what
 *      follows are not X (next point).
 *   3. A word never comes back (no ABA): each write has a clock of its own, each amendment of one
 *      write a number of its own (when they run out it is a write). A remove first raises
 *      shard->floor to the clock and only then stores 0 (release); a restarted owner's clock goes
 *      on from the highest of floor and all words. 47 bits are two years of two million a second
 *   without a restart, and one with it.
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

#define SB_TRIES 64 /* of a reader at one row before SB_EBUSY */

struct sb_slot {
    uint64_t word;   /* live */
    uint64_t data[]; /* live: whole words of the key, values copy 0, values copy 1 */
};

/* The fields of a slot's word. */
#define SB_CLOCK_SHIFT 16
#define SB_CLOCK_MAX (UINT64_C(1) << 47) /* no owner gets there; more is damage */
/* So is this much to who takes a shard over: it has as many writes before it. */
#define SB_CLOCK_ADOPTED (SB_CLOCK_MAX / 2)
#define SB_AMENDMENTS UINT64_C(0xfffe)

/* One cache line for a bucket of slots. */
struct sb_bucket {
    uint16_t tags[SB_BUCKET];        /* live: of the keys' hashes; 0: free */
    uint16_t generations[SB_BUCKET]; /* the writer's: how often the slot was given to a new key */
};
_Static_assert(sizeof(struct sb_bucket) == 64, "a bucket's tags are one cache line");

/* Where the parts of a row lie in its slot, in 8-byte words. A key that ends within a word has its
 * last bytes among the values. */
struct sb_parts {
    uint32_t key, values;
};

static inline struct sb_parts
sb_parts_of(size_t key_size, size_t row_size)
{
    uint32_t key = (uint32_t)key_size / 8;

    return (struct sb_parts){.key = key, .values = (uint32_t)row_size / 8 - key};
}

struct sb_ring_slot {
    uint64_t seq;   /* live: position + 1, 0 while written */
    uint64_t row[]; /* live */
};

static inline void
sb_word_in(uint64_t *shared, const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    sb_store_release(shared, word);
}

static inline void
sb_word_out(uint8_t *p, const uint64_t *shared)
{
    uint64_t word = sb_load_acquire(shared);

    memcpy(p, &word, 8);
}

/* n is the number of 8-byte words; the row in private memory needs no alignment. By fours, since
 * the compiler may not merge atomic moves. */
static inline void
sb_copy_in(uint64_t *shared, const void *row, unsigned n)
{
    const uint8_t *p = row;

    for (; n >= 4; n -= 4, shared += 4, p += 32) {
        sb_word_in(shared, p);
        sb_word_in(shared + 1, p + 8);
        sb_word_in(shared + 2, p + 16);
        sb_word_in(shared + 3, p + 24);
    }
    switch (n) {
    case 3:
        sb_word_in(shared + 2, p + 16); /* fall through */
    case 2:
        sb_word_in(shared + 1, p + 8); /* fall through */
    case 1:
        sb_word_in(shared, p);
    }
}

static inline void
sb_copy_out(void *row, const uint64_t *shared, unsigned n)
{
    uint8_t *p = row;

    for (; n >= 4; n -= 4, shared += 4, p += 32) {
        sb_word_out(p, shared);
        sb_word_out(p + 8, shared + 1);
        sb_word_out(p + 16, shared + 2);
        sb_word_out(p + 24, shared + 3);
    }
    switch (n) {
    case 3:
        sb_word_out(p + 16, shared + 2); /* fall through */
    case 2:
        sb_word_out(p + 8, shared + 1); /* fall through */
    case 1:
        sb_word_out(p, shared);
    }
}

static inline const uint64_t *
sb_values(const struct sb_slot *slot, struct sb_parts parts, uint64_t word)
{
    return slot->data + parts.key + (word & 1) * parts.values;
}

/* Fetches all lines of a slot at once: which copy is live shows only in its first. */
static inline void
sb_prefetch_slot(const struct sb_slot *slot, uint32_t stride)
{
    uintptr_t first = (uintptr_t)slot & ~(uintptr_t)63, end = (uintptr_t)slot + stride;

    for (uintptr_t line = first; line < end; line += 64)
        __builtin_prefetch((const void *)line);
}

/* Does a row stand from before the incarnation that began at that epoch (adopt.c)? */
static inline bool
sb_is_restored(uint64_t word, uint64_t epoch)
{
    return word >> SB_CLOCK_SHIFT <= epoch;
}

/* What a reader finds beside a row: the word it goes by, and its tag. Tags are stored with release
 * before the word on insert, and after word = 0 on remove, so by the argument above a row read well
 * comes with its own tag. */
struct sb_seen {
    uint64_t word;
    uint16_t tag;
};

/* A reader's copy of a slot: 1, 0 if it is empty, SB_EBUSY. */
static inline int
sb_slot_read(const struct sb_slot *slot, const uint16_t *tag, struct sb_parts parts, void *ret_row,
             struct sb_seen *ret)
{
    for (int i = 0; i < SB_TRIES; i++) {
        ret->word = sb_load_acquire(&slot->word);
        if (ret->word == 0)
            return 0;
        ret->tag = sb_load_acquire(tag);
        sb_copy_out(ret_row, slot->data, parts.key);
        sb_copy_out((uint64_t *)ret_row + parts.key, sb_values(slot, parts, ret->word),
                    parts.values);
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
    uint16_t tag; /* never 0 */
};

static inline uint16_t
sb_tag_of(uint64_t hash)
{
    return (uint16_t)hash ? (uint16_t)hash : 1;
}

static inline uint32_t
sb_first_home_of(uint64_t hash, uint32_t n_buckets)
{
    return (uint32_t)((hash >> 32) * n_buckets >> 32);
}

static inline struct sb_home
sb_home_of(uint64_t hash, uint32_t n_buckets)
{
    uint64_t other = hash * UINT64_C(0xd6e8feb86659fd93);
    struct sb_home home = {.tag = sb_tag_of(hash)};

    home.bucket[0] = sb_first_home_of(hash, n_buckets);
    home.bucket[1] = (uint32_t)((other >> 32) * n_buckets >> 32);
    if (home.bucket[1] == home.bucket[0])
        home.bucket[1] = home.bucket[0] + 1 == n_buckets ? 0 : home.bucket[0] + 1;
    return home;
}

#endif
