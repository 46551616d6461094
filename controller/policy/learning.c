/* SPDX-License-Identifier: Apache-2.0
 *
 * learning.c - policy `learning`: each switch by itself, as a bridge does, but on any topology.
 *
 * The source is learned at the port it came in by; a known destination gets a rule (in_port,
 * eth_src, eth_dst; priority 10, idle 60 s) and the packet; an unknown one is flooded hop by hop
 * over edge ports and the flood tree, so that a ring never loops. Frames that are flooded are
 * accepted from edge ports and tree links only. Moves are accepted at once.
 */
#include "policy.h"

#include <trivet/clock.h>

#include "../standing.h"

#define PRIORITY 10
#define IDLE_S 60
#define AHEAD 4 /* rows that are fetched before they are needed; more at once take longer */

void
ctl_learn_port_lost(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t port)
{
    (void)worker;
    ctl_fdb_forget_port(conn, port);
    /* What was learned over it is learned anew elsewhere: rules that lead there would shadow that.
     */
    ctl_flow_delete_port(conn, port);
}

/* The rules that will answer them, likely, and whether they stand. */
static void
expect(const struct ctl_worker *worker, struct ctl_batch *batch, unsigned first, unsigned n)
{
    static const struct sb_flow like = {
        .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST,
        .priority = PRIORITY,
        .idle_s = IDLE_S,
        .policy = SB_policy_LEARNING,
    };
    struct sb_flow *rows = batch->rows + first;

    /* Copied from the first: a compiler that knows what it fills does so by an instruction that
     * takes long to begin. */
    rows[0] = like;
    rows[0].dpid = batch->conn->features.dpid;
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            rows[i] = rows[0];
        rows[i].in_port = batch->packets[first + i].in_port;
        ctl_frame_macs(&batch->packets[first + i].frame, &rows[i],
                       offsetof(struct sb_flow, eth_src));
    }
    sb_hash_rows(worker->flow, rows, sizeof(rows[0]), n, batch->hashes + first);
    for (unsigned i = first; i < first + n; i++)
        __builtin_prefetch(ctl_standing_line(&worker->standings, batch->hashes[i]));
}

/* A packet whose rule does not stand: learned and decided as the first one. */
static void
decide_anew(struct ctl_worker *worker, struct ctl_batch *batch, unsigned i)
{
    struct ctl_packet *packet = &batch->packets[i];
    struct sb_flow *row = &batch->rows[i];
    enum sb_decision_kind kind = SB_decision_kind_FLOW;

    row->output = ctl_learn(worker, packet);
    if (row->output == 0) {
        ctl_flood_tree(worker, packet, SB_policy_LEARNING);
        return;
    }
    if (row->output == packet->in_port)
        kind = SB_decision_kind_DROP; /* it is where it belongs */
    else if (!ctl_flow_install(worker, packet->conn, row, batch->hashes[i], batch->slots[i],
                               packet))
        return;
    ctl_decision(worker, row->dpid, kind, SB_policy_LEARNING, packet->in_port, row->output,
                 row->cookie, &packet->frame);
}

static inline void
decide(struct ctl_worker *worker, struct ctl_batch *batch, unsigned i)
{
    const struct ctl_standing *standing = batch->standing[i];
    struct ctl_packet *packet = &batch->packets[i];
    struct sb_flow *row = &batch->rows[i];

    if (!ctl_on_tree(packet->port)) {
        /* A link off the tree carries nothing we flood; what comes in here was on its way when the
         * tree changed. Learning from it would point back along a path that is no more. */
        worker->counters.dropped_broadcast++;
        return;
    }
    if (!ctl_standing_holds(standing, packet->conn, batch->hashes[i]) ||
        !ctl_standing_answers(standing, &packet->frame)) {
        decide_anew(worker, batch, i);
        return;
    }
    row->output = standing->output;
    if (ctl_flow_again(packet->conn, standing, row, packet))
        ctl_decision(worker, row->dpid, SB_decision_kind_FLOW, SB_policy_LEARNING, packet->in_port,
                     row->output, row->cookie, &packet->frame);
}

static inline void
expect_row(const struct ctl_worker *worker, struct ctl_batch *batch, unsigned i)
{
    if (i < batch->n && !ctl_standing_holds(batch->standing[i], batch->conn, batch->hashes[i]))
        batch->slots[i] = sb_prefetch_row(worker->flow, batch->hashes[i]);
}

static void
packets_in(struct ctl_worker *worker, struct ctl_batch *batch)
{
    for (unsigned i = 0; i < batch->n; i++) {
        batch->standing[i] = ctl_standing_find(&worker->standings, batch->hashes[i]);
        batch->slots[i] = -1;
        if (!ctl_standing_holds(batch->standing[i], batch->conn, batch->hashes[i])) {
            ctl_learn_expect(worker, &batch->packets[i]);
            sb_prefetch(worker->flow, batch->hashes[i]);
        }
    }
    for (unsigned i = 0; i < AHEAD; i++)
        expect_row(worker, batch, i);
    for (unsigned i = 0; i < batch->n && batch->conn->state == CTL_READY; i++) {
        expect_row(worker, batch, i + AHEAD);
        decide(worker, batch, i);
    }
}

const struct ctl_policy ctl_policy_learning = {
    .id = SB_policy_LEARNING,
    .packets_in = packets_in,
    .expect = expect,
    .port_lost = ctl_learn_port_lost,
};
