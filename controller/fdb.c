/* SPDX-License-Identifier: Apache-2.0
 *
 * fdb.c - the forwarding database of a switch: which port an address was learned at. Worker thread
 * only.
 *
 * The truth is the table `mac`. Beside it each switch has an index of its own rows in private
 * memory, address and VLAN to port and slot, four to a cache line: the decision path looks at two
 * lines, and at no row. A row is written when its address is learned or moves; that it was heard
 * again is only marked in the index, and a sweep, which comes by about once a second, writes the
 * rows of those that are marked. How many it writes is bounded, so that in a large network rows are
 * refreshed less often, and packets are decided as fast.
 *
 * Every row of a connected switch has its entry and the other way round: all that puts or removes
 * rows of `mac` is here. Addresses are chosen by hosts; where they go in an index is not, as the
 * hash has a secret.
 */
#include "controller.h"

#include <stdlib.h>

#include "policy/policy.h"
#include "standing.h"

#define SIZE_MIN 64u          /* entries of the first allocation; a power of two */
#define SWEEPS_A_SECOND 10    /* timers of a connection run about that often */
#define SWEEP_MAX 16384u      /* entries a sweep looks at */
#define REFRESHES_SWITCH 16u  /* rows a sweep of one switch may write in any case */
#define REFRESHES_WORKER 256u /* and those that all of a worker's share */

struct ctl_fdb_entry {
    uint64_t key; /* address << 16 | VLAN; 0: free (no source is all zero) */
    uint32_t port;
    uint32_t slot : 29; /* of the row; SB_CAPACITY_MAX is far below */
    uint32_t heard : 3; /* since the last sweep: HEARD, and above it CTL_SHOWS_ bits */
};

/* A host's first packets come within a moment, and those behind them go by rules: so what of it was
 * not heard yet is news. */
#define HEARD 1u
#define SLOT_MASK 0x1fffffffu

/* ---- index: open addressing, grows at half load --------------------------------------------
 * By buckets of four entries, a cache line, which are filled from their first on: one that has its
 * last is full, and what belongs there as well is in the next. */

#define BUCKET 4u

/* Modulo the size it is where an entry belongs. */
static inline uint32_t
hash_of(const struct ctl_worker *worker, uint64_t key)
{
    __uint128_t product = (__uint128_t)(key ^ worker->secret[0]) * worker->secret[1];

    return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

/* All four are compared, since where it is among them cannot be foretold. */
static inline struct ctl_fdb_entry *
find(const struct ctl_worker *worker, const struct ctl_fdb *fdb, uint64_t key)
{
    uint32_t i = hash_of(worker, key) & fdb->mask & ~(BUCKET - 1);

    if (fdb->entries == NULL)
        return NULL;
    for (;; i = (i + BUCKET) & fdb->mask) {
        struct ctl_fdb_entry *e = &fdb->entries[i];
        unsigned found = (unsigned)(e[0].key == key) | (unsigned)(e[1].key == key) << 1 |
                         (unsigned)(e[2].key == key) << 2 | (unsigned)(e[3].key == key) << 3;

        if (found != 0)
            return e + __builtin_ctz(found);
        if (e[BUCKET - 1].key == 0)
            return NULL;
    }
}

static void
place(const struct ctl_worker *worker, struct ctl_fdb *fdb, struct ctl_fdb_entry entry)
{
    uint32_t i = hash_of(worker, entry.key) & fdb->mask & ~(BUCKET - 1);

    while (fdb->entries[i].key != 0)
        i = (i + 1) & fdb->mask;
    fdb->entries[i] = entry;
}

static bool
grow(const struct ctl_worker *worker, struct ctl_fdb *fdb)
{
    struct ctl_fdb old = *fdb;
    uint32_t size = old.entries == NULL ? SIZE_MIN : (old.mask + 1) * 2;
    struct ctl_fdb_entry *bigger = ctl_lines_new(size * sizeof(*bigger));

    if (bigger == NULL)
        return false;
    fdb->entries = bigger;
    fdb->mask = size - 1;
    for (uint32_t i = 0; old.entries != NULL && i <= old.mask; i++)
        if (old.entries[i].key != 0)
            place(worker, fdb, old.entries[i]);
    free(old.entries);
    return true;
}

/* Without memory the row stands without an entry, and is found in the table at the next packet. */
static void
add(const struct ctl_worker *worker, struct ctl_fdb *fdb, struct ctl_fdb_entry entry)
{
    if ((fdb->entries == NULL || fdb->n * 2 > fdb->mask) && !grow(worker, fdb))
        return;
    place(worker, fdb, entry);
    fdb->n++;
}

static void
take_out(const struct ctl_worker *worker, struct ctl_fdb *fdb, struct ctl_fdb_entry *entry)
{
    uint32_t i = (uint32_t)(entry - fdb->entries) & ~(BUCKET - 1);
    struct ctl_fdb_entry *bucket = &fdb->entries[i], *last = bucket + BUCKET - 1;
    bool full = last->key != 0;

    while (last->key == 0)
        last--;
    *entry = *last;
    last->key = 0;
    fdb->n--;
    /* Close the gap: entries behind it may have been pushed past it. */
    while (full) {
        struct ctl_fdb_entry moved[BUCKET];

        i = (i + BUCKET) & fdb->mask;
        bucket = &fdb->entries[i];
        full = bucket[BUCKET - 1].key != 0;
        memcpy(moved, bucket, sizeof(moved));
        memset(bucket, 0, sizeof(moved));
        for (unsigned j = 0; j < BUCKET && moved[j].key != 0; j++)
            place(worker, fdb, moved[j]);
    }
}

/* ---- rows and entries -------------------------------------------------------------------- */

static inline uint64_t
key_of(uint64_t mac, uint16_t vlan)
{
    return mac << 16 | vlan;
}

static uint64_t
key_of_row(const struct sb_mac *row)
{
    return key_of(ctl_mac_number(row->mac), row->vlan);
}

static struct ctl_fdb_entry *
entry_of_row(const struct ctl_worker *worker, const struct sb_mac *row, struct ctl_conn **ret_conn)
{
    *ret_conn = ctl_worker_conn(worker, row->dpid);
    return *ret_conn == NULL ? NULL : find(worker, &(*ret_conn)->fdb, key_of_row(row));
}

/* What was decided by its addresses so far may not be decided again. */
static void
changed(struct ctl_worker *worker, struct ctl_fdb *fdb)
{
    if (worker->fdb_version == CTL_FDB_VERSION_MAX) {
        worker->fdb_version = 0;
        ctl_standing_forget_all(&worker->standings);
        /* all begin anew: one that kept an old number would get it once more in time, with entries
         * that are void */
        for (uint32_t i = 0; i < worker->by_dpid_size; i++)
            if (worker->by_dpid[i] != NULL)
                worker->by_dpid[i]->fdb.version = ++worker->fdb_version;
    }
    fdb->version = ++worker->fdb_version;
}

static void
forget(struct ctl_worker *worker, int64_t slot)
{
    struct ctl_fdb_entry *entry;
    struct ctl_conn *conn;
    struct sb_mac row;

    if (sb_get(worker->mac, slot, &row) != SB_OK)
        return;
    entry = entry_of_row(worker, &row, &conn);
    if (entry != NULL) {
        take_out(worker, &conn->fdb, entry);
        changed(worker, &conn->fdb);
    }
    sb_remove(worker->mac, slot);
}

void
ctl_fdb_load(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;

    changed(worker, &conn->fdb);
    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->mac_rows, worker->mac, conn->features.dpid, slot)) >= 0;) {
        const struct sb_mac *row = sb_peek(worker->mac, slot);

        add(worker, &conn->fdb,
            (struct ctl_fdb_entry){
                .key = key_of_row(row), .port = row->port, .slot = (uint32_t)slot & SLOT_MASK});
    }
}

void
ctl_fdb_free(struct ctl_fdb *fdb)
{
    free(fdb->entries);
    *fdb = (struct ctl_fdb){.entries = NULL};
}

void
ctl_fdb_forget_switch(struct ctl_worker *worker, uint64_t dpid)
{
    for (int64_t slot = -1; (slot = ctl_rows_next(worker->mac_rows, worker->mac, dpid, slot)) >= 0;)
        forget(worker, slot);
}

void
ctl_fdb_forget_port(struct ctl_conn *conn, uint32_t port)
{
    struct ctl_worker *worker = conn->worker;

    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->mac_rows, worker->mac, conn->features.dpid, slot)) >= 0;)
        if (((const struct sb_mac *)sb_peek_values(worker->mac, slot))->port == port)
            forget(worker, slot);
}

void
ctl_fdb_forget_void(struct ctl_conn *conn, bool (*carries)(const struct ctl_net_port *port))
{
    struct ctl_worker *worker = conn->worker;

    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->mac_rows, worker->mac, conn->features.dpid, slot)) >= 0;) {
        const struct sb_mac *row = sb_peek_values(worker->mac, slot);
        const struct ctl_net_port *port = ctl_net_port(conn->sw, row->port);

        if (port == NULL || !carries(port))
            forget(worker, slot);
    }
}

uint64_t
ctl_fdb_drop_restored(struct ctl_worker *worker)
{
    uint64_t dropped = 0;

    for (int64_t slot = -1; (slot = sb_next(worker->mac, slot)) >= 0;) {
        const struct ctl_fdb_entry *entry;
        struct ctl_conn *conn;
        struct sb_mac row;

        if (!sb_restored(worker->mac, slot))
            continue;
        sb_get(worker->mac, slot, &row);
        entry = entry_of_row(worker, &row, &conn);
        if (entry != NULL && entry->heard) {
            sb_write_values(worker->mac, slot, &row); /* the sweep has not come by yet */
        } else {
            forget(worker, slot);
            dropped++;
        }
    }
    return dropped;
}

/* ---- the decision path --------------------------------------------------------------------- */

void
ctl_learn_expect(const struct ctl_worker *worker, const struct ctl_packet *packet)
{
    const struct ctl_fdb *fdb = &packet->conn->fdb;
    const struct ctl_frame *frame = &packet->frame;

    uint32_t from = hash_of(worker, key_of(frame->src_mac, frame->vlan));
    uint32_t to = hash_of(worker, key_of(frame->dst_mac, frame->vlan));

    if (fdb->entries == NULL)
        return;
    __builtin_prefetch(&fdb->entries[from & fdb->mask]);
    __builtin_prefetch(&fdb->entries[to & fdb->mask]);
}

/* A new address. If its row costs another one its place, that one's entry goes first. */
static void
learn(struct ctl_worker *worker, struct ctl_conn *conn, const struct ctl_packet *packet,
      unsigned heard)
{
    struct sb_mac row = {
        .dpid = conn->features.dpid, .vlan = packet->frame.vlan, .first_ns = worker->now_ns};
    int64_t slot, victim;
    uint64_t hash;

    memcpy(row.mac, ctl_frame_src(&packet->frame), 6);
    hash = sb_hash(worker->mac, &row);
    slot = sb_find_hashed(worker->mac, &row, hash);
    if (slot >= 0) { /* there was no memory for its entry */
        sb_get(worker->mac, slot, &row);
        row.moves += row.port != packet->in_port;
        changed(worker, &conn->fdb);
    } else if (sb_slot_for(worker->mac, hash, &victim) >= 0 && victim >= 0) {
        forget(worker, victim);
    }
    row.last_ns = worker->now_ns;
    row.port = packet->in_port;
    if (slot >= 0) {
        sb_write_values(worker->mac, slot, &row);
    } else {
        slot = sb_insert_hashed(worker->mac, &row, hash); /* it evicts: it never refuses */
        ctl_rows_add(worker->mac_rows, row.dpid, slot);
    }
    add(worker, &conn->fdb,
        (struct ctl_fdb_entry){.key = key_of_row(&row),
                               .port = row.port,
                               .slot = (uint32_t)slot & SLOT_MASK,
                               .heard = heard & 7});
}

static void
move(struct ctl_worker *worker, struct ctl_fdb_entry *entry, uint32_t port)
{
    struct sb_mac row;

    if (sb_get(worker->mac, entry->slot, &row) != SB_OK)
        return; /* cannot be: its entry would be gone */
    row.last_ns = worker->now_ns;
    row.port = entry->port = port;
    row.moves++;
    sb_write_values(worker->mac, entry->slot, &row);
}

/* As an entry has it. */
static inline unsigned
heard_in(const struct ctl_frame *frame)
{
    return HEARD | ctl_frame_shows(frame) << 1;
}

uint32_t
ctl_learn(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    const struct ctl_frame *frame = &packet->frame;
    struct ctl_conn *conn = packet->conn;
    uint64_t key = key_of(frame->src_mac, frame->vlan);
    struct ctl_fdb_entry *entry = find(worker, &conn->fdb, key);
    unsigned heard = heard_in(frame), news = heard;

    if (entry == NULL) {
        learn(worker, conn, packet, heard);
    } else {
        if (entry->port != packet->in_port) {
            move(worker, entry, packet->in_port);
            changed(worker, &conn->fdb);
            entry->heard = 0;
        }
        news = heard & ~(unsigned)entry->heard;
        entry->heard = (entry->heard | heard) & 7;
    }
    if (news != 0 && ctl_is_edge(packet->port->type))
        ctl_host_seen(worker, conn, packet->in_port, frame);
    if (frame->group)
        return 0;
    entry = find(worker, &conn->fdb, key_of(frame->dst_mac, frame->vlan));
    return entry == NULL ? 0 : entry->port;
}

/* ---- timers ------------------------------------------------------------------------------- */

void
ctl_fdb_timers(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;
    struct ctl_fdb *fdb = &conn->fdb;
    uint32_t refreshes = REFRESHES_SWITCH + REFRESHES_WORKER / (worker->n_switches + 1);
    uint32_t n = fdb->entries == NULL ? 0 : fdb->mask / SWEEPS_A_SECOND + 1;

    if (n > SWEEP_MAX)
        n = SWEEP_MAX;
    for (; n > 0; n--, fdb->swept++) {
        struct ctl_fdb_entry *entry = &fdb->entries[fdb->swept & fdb->mask];
        struct sb_mac row;

        if (entry->key == 0 || !entry->heard)
            continue;
        if (refreshes-- == 0)
            return;
        entry->heard = 0;
        if (sb_get(worker->mac, entry->slot, &row) != SB_OK)
            continue;
        row.last_ns = worker->now_ns;
        sb_write_values(worker->mac, entry->slot, &row);
    }
}
