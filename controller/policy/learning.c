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

#define PRIORITY 10
#define IDLE_S 60

void
ctl_learn_port_lost(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t port)
{
    (void)worker;
    ctl_fdb_forget_port(conn, port);
    /* What was learned over it is learned anew elsewhere: rules that lead there would shadow that.
     */
    ctl_flow_delete_port(conn, port);
}

static void
fill_row(struct sb_flow *ret, const struct ctl_packet *packet)
{
    *ret = (struct sb_flow){
        .dpid = packet->conn->features.dpid,
        .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST,
        .in_port = packet->in_port,
        .priority = PRIORITY,
        .idle_s = IDLE_S,
        .policy = SB_policy_LEARNING,
    };
    memcpy(ret->eth_src, packet->frame.src, 6);
    memcpy(ret->eth_dst, packet->frame.dst, 6);
}

static void
expect(const struct ctl_worker *worker, struct ctl_packet *packet, unsigned step)
{
    if (step == 0)
        ctl_learn_expect(worker, packet);
    if (packet->frame.group)
        return;
    if (step == 0) {
        fill_row(&packet->row, packet);
        packet->hash = sb_hash(worker->flow, &packet->row);
        sb_prefetch(worker->flow, packet->hash);
    } else {
        packet->slot = sb_prefetch_row(worker->flow, packet->hash);
    }
}

static void
packet_in(struct ctl_worker *worker, struct ctl_packet *packet)
{
    const struct ctl_frame *frame = &packet->frame;
    struct sb_flow *row = &packet->row;
    uint32_t output;

    if (!ctl_on_tree(packet->port)) {
        /* A link off the tree carries nothing we flood; what comes in here was on its way when the
         * tree changed. Learning from it would point back along a path that is no more. */
        worker->counters.dropped_broadcast++;
        return;
    }
    output = ctl_learn(worker, packet);
    if (output == 0) {
        ctl_flood_tree(worker, packet, SB_policy_LEARNING);
        return;
    }
    if (output == packet->in_port) {
        ctl_decision(worker, row->dpid, SB_decision_kind_DROP, SB_policy_LEARNING, packet->in_port,
                     output, 0, frame);
        return;
    }
    row->output = output;
    if (!ctl_flow_install(worker, packet->conn, row, packet->hash, packet->slot, packet))
        return;
    ctl_decision(worker, row->dpid, SB_decision_kind_FLOW, SB_policy_LEARNING, packet->in_port,
                 output, row->cookie, frame);
}

const struct ctl_policy ctl_policy_learning = {
    .id = SB_policy_LEARNING,
    .packet_in = packet_in,
    .expect = expect,
    .port_lost = ctl_learn_port_lost,
};
