/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.c - which rows of `flow`, or of another table whose key begins with a dpid, are a switch's.
 * Worker thread only; private memory.
 *
 * A switch that connects, and a port that dies, concern the rows of one switch. With a thousand
 * switches back after a restart, a pass over the whole table for each would take seconds. So every
 * slot is on one chain, by the hash of its row's dpid, linked both ways by slot numbers.
 *
 * Nothing is done when a row goes: its slot stays linked until a walk comes by or another row takes
 * it, so that rows may be removed by whoever removes them (the table itself evicts), and a rule
 * that is decided again costs nothing here.
 */
#include "controller.h"

#include <stdlib.h>

#define CHAINS 4096u /* a power of two: the thousands of switches one process is made for */

struct ctl_rows {
    uint32_t n_slots; /* nodes below are slots; those from here on are heads of chains */
    struct node {
        uint32_t prev, next; /* itself: not linked */
    } nodes[];
};

static uint32_t
head_of(const struct ctl_rows *rows, uint64_t dpid)
{
    return rows->n_slots + (uint32_t)(dpid * UINT64_C(0x9e3779b97f4a7c15) >> 32) % CHAINS;
}

static void
unlink_node(struct ctl_rows *rows, uint32_t i)
{
    struct node *node = &rows->nodes[i];

    rows->nodes[node->prev].next = node->next;
    rows->nodes[node->next].prev = node->prev;
    node->prev = node->next = i;
}

struct ctl_rows *
ctl_rows_new(const struct sb_table *table)
{
    uint32_t n_slots = sb_table_slots(table), n = n_slots + CHAINS;
    struct ctl_rows *rows = malloc(sizeof(*rows) + n * sizeof(struct node));

    if (rows == NULL)
        return NULL;
    rows->n_slots = n_slots;
    for (uint32_t i = 0; i < n; i++)
        rows->nodes[i] = (struct node){i, i};
    return rows;
}

void
ctl_rows_add(struct ctl_rows *rows, uint64_t dpid, int64_t slot)
{
    uint32_t i = (uint32_t)slot, head = head_of(rows, dpid);

    unlink_node(rows, i); /* of the row that had the slot before */
    rows->nodes[i] = (struct node){.prev = head, .next = rows->nodes[head].next};
    rows->nodes[rows->nodes[i].next].prev = i;
    rows->nodes[head].next = i;
}

int64_t
ctl_rows_next(struct ctl_rows *rows, const struct sb_table *table, uint64_t dpid, int64_t slot)
{
    uint32_t head = head_of(rows, dpid), i = slot < 0 ? head : (uint32_t)slot, next;

    /* Its slot was given to a row of another switch meanwhile: from the start. */
    if (slot >= 0) {
        const uint64_t *row = sb_key(table, slot);

        if (row != NULL && head_of(rows, *row) != head)
            i = head;
    }
    /* A walk inside this one took the place we stood at off the chain: its row is gone. From the
     * start then; each time it happens, a node is gone for good. */
    if (slot >= 0 && rows->nodes[i].next == i)
        i = head;
    for (next = rows->nodes[i].next; next != head; next = rows->nodes[i].next) {
        const uint64_t *row = sb_key(table, next);

        if (next >= rows->n_slots) { /* our place went to another chain: again from the start */
            i = head;
            continue;
        }
        if (row == NULL || head_of(rows, *row) != head) {
            unlink_node(rows, next);
            continue;
        }
        i = next;
        if (*row == dpid)
            return i;
    }
    return SB_ENONE;
}
