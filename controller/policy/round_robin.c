/* SPDX-License-Identifier: Apache-2.0
 *
 * round_robin.c - policy `round-robin`: each new IPv4 pair takes the next of the equal uplinks in
 * turn.
 *
 * Two forms. By discovery (default): at each switch, a pair new to it takes the next of the ports
 * that lie on shortest paths to the destination; one counter a switch. Literal (config
 * controller.round-robin.switches names dpids and ports): every switch learns MACs by itself; on a
 * named switch an unknown destination goes to the next port of its list, the one it came in by
 * skipped, without a rule; elsewhere it is flooded over the tree.
 *
 * Both decide hop by hop and install (eth_type, ipv4_src, ipv4_dst), priority 1, idle 10 s, hard 30
 * s, for IPv4 to known destinations and for nothing else. The counter lies in the table `switch`
 * and survives.
 */
#include "policy.h"

#define PRIORITY 1
#define IDLE_S 10
#define HARD_S 30
#define EQUAL_MAX 32

static void
pair_row(const struct ctl_packet *packet, struct sb_flow *ret)
{
    struct ctl_frame_ips ips = ctl_frame_ips(&packet->frame);

    *ret = (struct sb_flow){
        .dpid = packet->conn->features.dpid,
        .fields = SB_MATCH_ETH_TYPE | SB_MATCH_IP_SRC | SB_MATCH_IP_DST,
        .eth_type = CTL_ETH_IPV4,
        .priority = PRIORITY,
        .idle_s = IDLE_S,
        .hard_s = HARD_S,
        .policy = SB_policy_ROUND_ROBIN,
    };
    ctl_frame_ip(ret->ip_src, ips.src, ips.size);
    ctl_frame_ip(ret->ip_dst, ips.dst, ips.size);
}

/* Rule (IPv4 only) and packet to a port that is known to lead to the destination. */
static void
send_known(struct ctl_worker *worker, const struct ctl_packet *packet, uint32_t output)
{
    const struct ctl_frame *frame = &packet->frame;
    uint64_t dpid = packet->conn->features.dpid;
    struct sb_flow row;

    if (output == packet->in_port) {
        ctl_decision(worker, dpid, SB_decision_kind_DROP, SB_policy_ROUND_ROBIN, packet->in_port,
                     output, 0, frame);
        return;
    }
    if (frame->eth_type != CTL_ETH_IPV4 || frame->vlan != 0) {
        ctl_decision(worker, dpid, SB_decision_kind_PACKET_OUT, SB_policy_ROUND_ROBIN,
                     packet->in_port, output, 0, frame);
        ctl_forward(packet, output);
        return;
    }
    pair_row(packet, &row);
    row.output = output;
    if (!ctl_flow_install(worker, packet->conn, &row, sb_hash(worker->flow, &row), -1, packet))
        return;
    ctl_decision(worker, dpid, SB_decision_kind_FLOW, SB_policy_ROUND_ROBIN, packet->in_port,
                 output, row.cookie, frame);
}

static void
count_choice(struct ctl_conn *conn, const struct ctl_frame *frame, uint32_t output)
{
    struct ctl_frame_ips ips = ctl_frame_ips(frame);
    uint8_t s[16], d[16];

    ctl_frame_ip(s, ips.src, ips.size);
    ctl_frame_ip(d, ips.dst, ips.size);
    conn->rr_counter++;
    ctl_conn_report(conn); /* stored at once, so that a restart goes on in turn */
    sb_info("switch %016lx: round-robin choice %u: %u.%u.%u.%u to %u.%u.%u.%u takes uplink %u",
            conn->features.dpid, conn->rr_counter, s[12], s[13], s[14], s[15], d[12], d[13], d[14],
            d[15], output);
}

/* ---- by discovery --------------------------------------------------------------------- */

/* The port an earlier decision gave this pair here, if it is still one of the candidates; else 0.
 */
static uint32_t
decided_before(struct ctl_worker *worker, const struct ctl_packet *packet, const uint32_t *ports,
               uint32_t n)
{
    const struct sb_flow *old;
    struct sb_flow key;
    int64_t slot;

    pair_row(packet, &key);
    slot = sb_find(worker->flow, &key);
    if (slot < 0)
        return 0;
    old = sb_peek(worker->flow, slot);
    for (uint32_t i = 0; i < n; i++)
        if (ports[i] == old->output)
            return old->output;
    return 0;
}

static uint32_t
next_uplink(struct ctl_worker *worker, const struct ctl_packet *packet, const struct ctl_host *host)
{
    uint32_t equal[EQUAL_MAX], n, port;
    int32_t to = ctl_net_find(worker->net, host->dpid);

    if (to < 0)
        return 0;
    n = ctl_net_next_hops(worker->net, packet->conn->sw_index, to, equal, EQUAL_MAX);
    if (n < 2)
        return n == 0 ? 0 : equal[0];
    if (packet->frame.eth_type != CTL_ETH_IPV4)
        return equal[0];
    port = decided_before(worker, packet, equal, n);
    if (port != 0)
        return port;
    port = equal[packet->conn->rr_counter % n];
    count_choice(packet->conn, &packet->frame, port);
    return port;
}

static void
by_discovery(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    const struct ctl_frame *frame = &packet->frame;
    const struct ctl_host *host;
    uint32_t output;

    if (ctl_is_edge(packet->port->type)) {
        ctl_learn(worker, packet);
        ctl_host_seen(worker, packet->conn, packet->in_port, frame);
    } else if (frame->group) {
        worker->counters.dropped_broadcast++;
        return;
    }
    host = frame->group ? NULL : ctl_host_find(worker, ctl_frame_dst(frame));
    if (host == NULL) {
        ctl_flood_edges(worker, packet, SB_policy_ROUND_ROBIN);
        return;
    }
    output =
        host->dpid == packet->conn->features.dpid ? host->port : next_uplink(worker, packet, host);
    if (output == 0) {
        ctl_decision(worker, packet->conn->features.dpid, SB_decision_kind_DROP,
                     SB_policy_ROUND_ROBIN, packet->in_port, 0, 0, frame);
        return;
    }
    send_known(worker, packet, output);
}

/* ---- literal ------------------------------------------------------------------------------ */

static const struct sb_config_uplinks *
uplinks_of(const struct ctl_worker *worker, uint64_t dpid)
{
    const struct sb_config *config = worker->app->config;

    for (unsigned i = 0; i < config->controller.n_uplinks; i++)
        if (config->controller.uplinks[i].dpid == dpid)
            return &config->controller.uplinks[i];
    return NULL;
}

static void
literal(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    uint64_t dpid = packet->conn->features.dpid;
    const struct sb_config_uplinks *uplinks;
    uint32_t output;

    if (!ctl_on_tree(packet->port)) {
        /* A guess may send a frame over a link off the tree; flooding it on from there would give
         * the network two copies, so it ends here. */
        worker->counters.dropped_broadcast++;
        return;
    }
    output = ctl_learn(worker, packet);
    if (output != 0) {
        send_known(worker, packet, output);
        return;
    }
    uplinks = packet->frame.group ? NULL : uplinks_of(worker, dpid);
    if (uplinks == NULL) {
        ctl_flood_tree(worker, packet, SB_policy_ROUND_ROBIN);
        return;
    }
    for (unsigned i = 0; i < uplinks->n_ports && output == 0; i++) {
        uint32_t candidate = uplinks->ports[(packet->conn->rr_counter + i) % uplinks->n_ports];

        if (candidate != packet->in_port)
            output = candidate;
    }
    if (output == 0) { /* its only uplink is where it came from */
        ctl_decision(worker, dpid, SB_decision_kind_DROP, SB_policy_ROUND_ROBIN, packet->in_port, 0,
                     0, &packet->frame);
        return;
    }
    count_choice(packet->conn, &packet->frame, output);
    ctl_decision(worker, dpid, SB_decision_kind_PACKET_OUT, SB_policy_ROUND_ROBIN, packet->in_port,
                 output, 0, &packet->frame);
    ctl_forward(packet, output);
}

static void
packet_in(struct ctl_worker *worker, struct ctl_packet *packet)
{
    if (worker->app->config->controller.n_uplinks > 0)
        literal(worker, packet);
    else
        by_discovery(worker, packet);
}

static void
expect(const struct ctl_worker *worker, struct ctl_batch *batch, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        ctl_learn_expect(worker, &batch->packets[i]);
}

const struct ctl_policy ctl_policy_round_robin = {
    .id = SB_policy_ROUND_ROBIN,
    .packet_in = packet_in,
    .expect = expect,
    .port_lost = ctl_learn_port_lost,
};
