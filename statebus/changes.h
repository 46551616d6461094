/* SPDX-License-Identifier: Apache-2.0
 *
 * changes.h - the change ring of one shard: from its writer's thread to the main thread.
 *
 * Private memory, one producer, one consumer, no lock. A change is where it was and the word its
 * slot had then; the publisher copies the row out of the slot when it sends the change, and passes
 * it over if the word is another one by then, since that change comes later in the ring. So a row
 * that changes twice within a moment is told once, as it is. A removed row is kept here whole. If
 * the ring is full the change is only counted: the table has it, and the publisher leaves a gap in
 * the sequence, so that subscribers read the table again.
 * What is appended to a log (kind RING) lies in order in shared memory already, so it is not copied
 * here: only the positions are kept, and the publisher reads the log itself.
 *
 * Wake-up: the main thread arms the flag before it sleeps; the writer that finds it armed after
 * its push writes the eventfd. That is Dekker's pattern and needs a full barrier on both sides.
 * The main thread's membarrier(2) runs one on every thread of the process, so that the writer's
 * side is two plain moves; where the kernel refuses it, `full_fence` makes the writer pay.
 */
#ifndef STATEBUS_CHANGES_H
#define STATEBUS_CHANGES_H

#include "record.h"

/* One an owner. */
struct sb_waker {
    uint32_t armed;  /* live: the main thread sleeps */
    int fd;          /* eventfd, owned by the owner */
    bool full_fence; /* no membarrier(2) here */
};

struct sb_change_entry {
    uint64_t slot; /* of the shard */
    uint64_t word; /* the slot's; 0: removed */
};

struct sb_changes {
    uint64_t tail;      /* live: records pushed; written by the producer */
    uint64_t dropped;   /* live: changes that found the ring full */
    uint64_t head_seen; /* producer's last look at head */
    uint64_t pad0[5];
    uint64_t head;         /* live: records drained; written by the consumer */
    uint64_t dropped_seen; /* consumer's: drops already given a sequence */
    uint64_t pad1[6];
    struct sb_change_entry *entries; /* owned; NULL: of a log, which is read instead */
    uint8_t *removed;                /* owned: a row for each entry, used by removals only */
    struct sb_waker *waker;          /* borrowed from the owner */
    uint32_t mask;                   /* entries - 1, a power of two less one */
    uint32_t row_size;
};

/* at: of a log, the position that is appended next; else 0. entries: a power of two. */
struct sb_changes *sb_changes_new(uint32_t entries, uint32_t row_size, bool log, uint64_t at,
                                  struct sb_waker *waker);
void sb_changes_destroy(struct sb_changes **changes);
void sb_changes_wake(struct sb_waker *waker);

/* Producer: all before `tail` may be read now. */
static inline void
sb_changes_until(struct sb_changes *c, uint64_t tail)
{
    sb_store_release(&c->tail, tail);
    if (c->waker->full_fence)
        sb_changes_wake(c->waker);
    else {
        __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the compiler's half; membarrier is the CPU's */
        if (__builtin_expect(sb_load(&c->waker->armed) != 0, 0))
            sb_changes_wake(c->waker);
    }
}

static inline uint8_t *
sb_changes_removed(const struct sb_changes *c, uint64_t position)
{
    return c->removed + (position & c->mask) * c->row_size;
}

/* Producer. row: of a removal; NULL: it stands in its slot. */
static inline void
sb_changes_push(struct sb_changes *c, uint64_t slot, uint64_t word, const void *row)
{
    uint64_t tail = c->tail;

    if (tail - c->head_seen > c->mask) {
        c->head_seen = sb_load_acquire(&c->head);
        if (tail - c->head_seen > c->mask) {
            sb_store_release(&c->dropped, c->dropped + 1);
            return;
        }
    }
    c->entries[tail & c->mask] = (struct sb_change_entry){slot, word};
    if (row)
        memcpy(sb_changes_removed(c, tail), row, c->row_size);
    sb_changes_until(c, tail + 1);
}

#endif
