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
#define REFRESH_NS SB_SECOND /* last_ns is written at most this often */

static void
mac_key(struct sb_mac *ret, const struct ctl_packet *packet, const uint8_t *mac)
{
    *ret = (struct sb_mac){.dpid = packet->conn->features.dpid, .vlan = packet->frame.vlan};
    memcpy(ret->mac, mac, 6);
}

void
ctl_learn_expect(const struct ctl_worker *worker, struct ctl_packet *packet, unsigned step)
{
    struct sb_mac key;

    if (step == 0) {
        mac_key(&key, packet, packet->frame.src);
        packet->hash[0] = sb_hash(worker->mac, &key);
        memcpy(key.mac, packet->frame.dst, 6);
        packet->hash[1] = sb_hash(worker->mac, &key);
        sb_prefetch(worker->mac, packet->hash[0]);
        sb_prefetch(worker->mac, packet->hash[1]);
    } else {
        packet->slot[0] = sb_prefetch_row(worker->mac, packet->hash[0]);
        packet->slot[1] = sb_prefetch_row(worker->mac, packet->hash[1]);
    }
}

uint32_t
ctl_learn(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    const struct ctl_frame *frame = &packet->frame;
    const struct sb_mac *row;
    struct sb_mac key;
    int64_t slot;

    mac_key(&key, packet, frame->src);
    slot = sb_find_at(worker->mac, &key, packet->hash[0], packet->slot[0]);
    row = slot < 0 ? NULL : sb_peek(worker->mac, slot);
    if (row == NULL || row->port != packet->in_port || worker->now_ns - row->last_ns > REFRESH_NS) {
        key.first_ns = row == NULL ? worker->now_ns : row->first_ns;
        key.last_ns = worker->now_ns;
        key.port = packet->in_port;
        key.moves = row == NULL ? 0 : row->moves + (row->port != packet->in_port);
        sb_put_hashed(worker->mac, &key, packet->hash[0]);
        if (ctl_is_edge(packet->port->type))
            ctl_host_seen(worker, packet->conn, packet->in_port, frame);
    }
    if (frame->group)
        return 0;
    memcpy(key.mac, frame->dst, 6);
    slot = sb_find_at(worker->mac, &key, packet->hash[1], packet->slot[1]);
    return slot < 0 ? 0 : ((const struct sb_mac *)sb_peek(worker->mac, slot))->port;
}

void
ctl_learn_port_lost(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t port)
{
    for (int64_t slot = -1; (slot = sb_next(worker->mac, slot)) >= 0;) {
        const struct sb_mac *row = sb_peek(worker->mac, slot);

        if (row->dpid == conn->features.dpid && row->port == port)
            sb_remove(worker->mac, slot);
    }
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
    ctl_learn_expect(worker, packet, step);
    if (packet->frame.group)
        return;
    if (step == 0) {
        fill_row(&packet->row, packet);
        packet->hash[2] = sb_hash(worker->flow, &packet->row);
        sb_prefetch(worker->flow, packet->hash[2]);
    } else {
        packet->slot[2] = sb_prefetch_row(worker->flow, packet->hash[2]);
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
    if (!ctl_flow_install(worker, packet->conn, row, packet->hash[2], packet->slot[2],
                          packet->buffer_id))
        return;
    ctl_decision(worker, row->dpid, SB_decision_kind_FLOW, SB_policy_LEARNING, packet->in_port,
                 output, row->cookie, frame);
    if (packet->buffer_id == OF_NO_BUFFER)
        ctl_forward(packet, output);
}

const struct ctl_policy ctl_policy_learning = {
    .id = SB_policy_LEARNING,
    .packet_in = packet_in,
    .expect = expect,
    .port_lost = ctl_learn_port_lost,
};
