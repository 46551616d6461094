/* SPDX-License-Identifier: Apache-2.0
 *
 * ring.c - the broadcast log in shared memory, and the private change ring.
 *
 * The log: one writer, any number of readers who each keep their own position and find out
 * themselves when they were lapped. record.h argues why no torn record is ever taken.
 * The change ring is described in changes.h.
 */
#include "table.h"
#include <stdlib.h>
#include <unistd.h>

static struct sb_ring_slot *
ring_slot(const struct sb_table *table, uint64_t position)
{
    return (struct sb_ring_slot *)(table->slots +
                                   (position & (table->n_slots - 1)) * table->stride);
}

void
sb_append(struct sb_table *table, const void *row)
{
    struct sb_ring_slot *slot = ring_slot(table, table->head);
    uint64_t position = table->head++;

    sb_store(&slot->seq, 0);
    sb_copy_in(slot->row, row, table->parts.values);
    sb_store_release(&slot->seq, position + 1);
    sb_store_release(&table->shard->head, position + 1);
    if (table->changes)
        sb_changes_until(table->changes, position + 1);
}

int64_t
sb_ring_adopt(struct sb_table *table)
{
    uint64_t head = table->shard->head;
    int64_t dropped = 0;

    if (head >= UINT64_C(1) << 47)
        return SB_ECORRUPT;
    if (ring_slot(table, head)->seq == head + 1)
        head++; /* killed between the record and the head */
    for (uint32_t i = 0; i < table->n_slots; i++) {
        struct sb_ring_slot *slot = ring_slot(table, i);
        uint64_t seq = slot->seq;

        if (seq && (seq > head || ((seq - 1) & (table->n_slots - 1)) != i ||
                    !sb_row_valid(table->id, slot->row))) {
            sb_store_release(&slot->seq, 0);
            dropped++;
        }
    }
    table->head = head;
    sb_store_release(&table->shard->head, head);
    return dropped;
}

void
sb_ring_range(const struct sb_dir *dir, const struct sb_shard *shard, uint64_t *ret_first,
              uint64_t *ret_head)
{
    uint64_t head = sb_load_acquire(&shard->head);

    /* One less than there are slots: the writer may be in the oldest one. */
    *ret_first = head >= dir->slots ? head - dir->slots + 1 : 0;
    *ret_head = head;
}

int
sb_ring_read(const struct sb_dir *dir, const struct sb_shard *shard, uint64_t position,
             void *ret_row)
{
    const struct sb_ring_slot *slot =
        (const struct sb_ring_slot *)((const uint8_t *)(shard + 1) +
                                      (position & (dir->slots - 1)) * dir->stride);
    uint64_t seq = sb_load_acquire(&slot->seq);

    if (seq != position + 1)
        return position < sb_load_acquire(&shard->head) ? SB_EBUSY : 0;
    sb_copy_out(ret_row, slot->row, dir->row_size / 8u);
    return sb_load(&slot->seq) == seq ? 1 : SB_EBUSY;
}

/* ---- change ring ----------------------------------------------------------------- */

struct sb_changes *
sb_changes_new(uint32_t entries, uint32_t row_size, bool log, uint64_t at, struct sb_waker *waker)
{
    struct sb_changes *c = aligned_alloc(64, sizeof *c + (64 - sizeof *c % 64) % 64);

    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->row_size = row_size;
    c->mask = entries - 1;
    c->waker = waker;
    c->head = c->head_seen = c->tail = at;
    if (log)
        return c;
    c->entries = calloc(entries, sizeof *c->entries);
    c->removed = calloc(entries, row_size);
    if (!c->entries || !c->removed)
        sb_changes_destroy(&c);
    return c;
}

void
sb_changes_destroy(struct sb_changes **changes)
{
    if (!*changes)
        return;
    free((*changes)->entries);
    free((*changes)->removed);
    free(*changes);
    *changes = NULL;
}

void
sb_changes_wake(struct sb_waker *waker)
{
    static const uint64_t one = 1;

    if (__atomic_exchange_n(&waker->armed, 0, __ATOMIC_SEQ_CST) &&
        write(waker->fd, &one, sizeof one) < 0) {
        /* cannot fail: the counter is far from its end, and a late pump finds the change anyway */
    }
}
