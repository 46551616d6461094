/* SPDX-License-Identifier: Apache-2.0
 *
 * shortest.c - policy `shortest`: rules along a shortest path, equal paths chosen by hash (ECMP).
 *
 * The hash is over both addresses and the switch, so that a restart decides the same. Rules
 * (in_port, eth_src, eth_dst; priority 100, idle 300 s) go in from the far end to the ingress, each
 * on its switch's worker; the packet itself is handed out at the destination's edge port. Broadcast
 * and unknown destinations go to all edge ports, never over a link, so they cannot loop whatever
 * the topology. Multicast does so too until the data plane has it (multicast.c).
 */
#include "policy.h"

#define PRIORITY 100
#define IDLE_S 300
#define HOPS_MAX 64
#define EQUAL_MAX 32

struct hop {
    uint64_t dpid;
    uint32_t in_port, out_port;
};

static uint64_t
mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 32;
}

static uint64_t
pair_hash(const struct ctl_frame *frame)
{
    uint64_t src = 0, dst = 0;

    memcpy(&src, ctl_frame_src(frame), 6);
    memcpy(&dst, ctl_frame_dst(frame), 6);
    return mix(mix(0, src), dst);
}

/* The path from this packet's switch to a host, or 0 hops when there is none. */
static unsigned
find_path(const struct ctl_worker *worker, const struct ctl_packet *packet,
          const struct ctl_host *host, struct hop *ret)
{
    const struct ctl_net *net = worker->net;
    int32_t at = packet->conn->sw_index, to = ctl_net_find(net, host->dpid);
    uint64_t hash = pair_hash(&packet->frame);
    uint32_t in_port = packet->in_port;
    unsigned n = 0;

    if (to < 0)
        return 0;
    while (at != to) {
        const struct ctl_net_switch *sw = &net->switches[at];
        uint32_t equal[EQUAL_MAX], n_equal = ctl_net_next_hops(net, at, to, equal, EQUAL_MAX);
        const struct ctl_net_port *port;

        if (n_equal == 0 || n == HOPS_MAX - 1)
            return 0;
        port = ctl_net_port(sw, equal[mix(hash, sw->dpid) % n_equal]);
        ret[n++] = (struct hop){.dpid = sw->dpid, .in_port = in_port, .out_port = port->port};
        at = port->peer;
        in_port = port->peer_port;
    }
    ret[n++] = (struct hop){.dpid = host->dpid, .in_port = in_port, .out_port = host->port};
    return n;
}

static void
install(struct ctl_worker *worker, uint64_t dpid, struct sb_flow *row)
{
    struct ctl_worker *home = ctl_worker_of(worker->app, dpid);

    if (home == worker) {
        ctl_flow_install(worker, ctl_worker_conn(worker, dpid), row, sb_hash(worker->flow, row), -1,
                         NULL);
    } else {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_INSTALL, dpid, sizeof(*row));

        memcpy(mail->data, row, sizeof(*row));
        if (!ctl_post_or_drop(&home->mailbox, mail)) /* the next packet decides it again */
            worker->counters.dropped_mail++;
    }
}

static void
packet_in(struct ctl_worker *worker, struct ctl_packet *packet)
{
    const struct ctl_frame *frame = &packet->frame;
    const struct ctl_host *host;
    struct hop hops[HOPS_MAX];
    uint64_t path_id = 0, dpid = packet->conn->features.dpid, cookie = 0;
    unsigned n;

    if (ctl_is_edge(packet->port->type)) {
        if (frame->group && !ctl_multicast_fresh(worker, packet))
            return;
        ctl_host_seen(worker, packet->conn, packet->in_port, frame);
    } else if (frame->group) {
        worker->counters.dropped_broadcast++; /* off the multicast tree, or before its rules */
        return;
    }
    host = frame->group ? NULL : ctl_host_find(worker, ctl_frame_dst(frame));
    if (host == NULL) {
        ctl_flood_edges(worker, packet, SB_policy_SHORTEST);
        if (frame->group)
            ctl_multicast_install(worker, packet);
        return;
    }
    if (host->dpid == dpid && host->port == packet->in_port) {
        ctl_decision(worker, dpid, SB_decision_kind_DROP, SB_policy_SHORTEST, packet->in_port,
                     packet->in_port, 0, frame);
        return;
    }
    n = find_path(worker, packet, host, hops);
    if (n == 0) {
        ctl_decision(worker, dpid, SB_decision_kind_DROP, SB_policy_SHORTEST, packet->in_port, 0, 0,
                     frame);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        path_id = mix(mix(path_id, hops[i].dpid), hops[i].out_port);
    for (unsigned i = n; i-- > 0;) {
        struct sb_flow row = {
            .dpid = hops[i].dpid,
            .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST,
            .in_port = hops[i].in_port,
            .priority = PRIORITY,
            .idle_s = IDLE_S,
            /* out of the port it came in by only when said so (section 7.2.1) */
            .output = hops[i].out_port == hops[i].in_port ? OFPP_IN_PORT : hops[i].out_port,
            .policy = SB_policy_SHORTEST,
            .path_id = path_id,
        };

        memcpy(row.eth_src, ctl_frame_src(frame), 6);
        memcpy(row.eth_dst, ctl_frame_dst(frame), 6);
        install(worker, hops[i].dpid, &row);
        cookie = row.cookie; /* at the end: the ingress rule's */
    }
    ctl_decision(worker, dpid, SB_decision_kind_FLOW, SB_policy_SHORTEST, packet->in_port,
                 hops[0].out_port, cookie, frame);
    /* A buffered packet can only leave its own switch; all its rules are ahead of it. */
    if (packet->buffer_id != OF_NO_BUFFER)
        ctl_forward(packet, hops[0].out_port);
    else
        ctl_deliver(worker, packet, host->dpid, host->port);
}

const struct ctl_policy ctl_policy_shortest = {
    .id = SB_policy_SHORTEST,
    .multicast = true,
    .packet_in = packet_in,
};
