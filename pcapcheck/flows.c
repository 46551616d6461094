/* SPDX-License-Identifier: Apache-2.0
 *
 * flows.c - the bidirectional flow table.
 *
 * One entry of two cache lines a flow, plus a colder part (path, MACs). Each packet is counted
 * once, at its first sight (engine.c), however many points see it. Fixed capacity: the least
 * recently used flow gives way and is counted. TCP: state, completion time (first SYN to last FIN),
 * retransmissions (a segment with data that lies wholly below what was already seen in its
 * direction; sights of one direction come from one capture handle and are in order there). One
 * thread.
 */
#include "pcapcheck.h"

#include <stddef.h>
#include <trivet/openflow.h>

enum {               /* pc_flow.tcp; the shifted ones by direction */
       SEEN_SYN = 1, /* << direction */
       SEEN_FIN = 4, /* << direction */
       SEEN_RST = 16,
       SEEN_DATA = 32, /* anything after the handshake */
       SEEN_SEQ = 64,  /* << direction: next_seq is valid */
       SEEN_TCP = 256,
};

int
pc_flows_init(struct pc_flows *flows, uint32_t capacity, uint64_t seed)
{
    memset(flows, 0, sizeof *flows);
    flows->capacity = capacity;
    flows->seed = seed;
    flows->newest = flows->oldest = PC_NONE;
    flows->flow = aligned_alloc(64, (size_t)capacity * sizeof *flows->flow);
    flows->more = calloc(capacity, sizeof *flows->more);
    if (!flows->flow || !flows->more || pc_index_init(&flows->by_key, capacity)) {
        pc_flows_free(flows);
        return -1;
    }
    return 0;
}

void
pc_flows_free(struct pc_flows *flows)
{
    free(flows->flow);
    free(flows->more);
    pc_index_free(&flows->by_key);
    memset(flows, 0, sizeof *flows);
}

bool
pc_flow_key(const struct pc_packet *pk, struct pc_flow_key *ret, unsigned *ret_dir)
{
    const struct pc_layer *l = &pk->inner;
    int order;

    if (!(l->has & PC_HAS_IP))
        return false;
    order = memcmp(l->ip_src, l->ip_dst, 16);
    if (order == 0)
        order = l->l4_src < l->l4_dst ? -1 : l->l4_src > l->l4_dst;
    *ret_dir = order > 0;
    memset(ret, 0, sizeof *ret);
    memcpy(ret->ip_a, order > 0 ? l->ip_dst : l->ip_src, 16);
    memcpy(ret->ip_b, order > 0 ? l->ip_src : l->ip_dst, 16);
    ret->port_a = order > 0 ? l->l4_dst : l->l4_src;
    ret->port_b = order > 0 ? l->l4_src : l->l4_dst;
    ret->vni = pk->vni;
    ret->vlan = pk->inner_vlan;
    ret->eth_type = l->eth_type;
    ret->ip_proto = l->ip_proto;
    return true;
}

static void
unlink_slot(struct pc_flows *t, uint32_t slot)
{
    struct pc_flow_more *m = &t->more[slot];

    if (m->newer != PC_NONE)
        t->more[m->newer].older = m->older;
    else
        t->newest = m->older;
    if (m->older != PC_NONE)
        t->more[m->older].newer = m->newer;
    else
        t->oldest = m->newer;
}

static void
link_newest(struct pc_flows *t, uint32_t slot)
{
    struct pc_flow_more *m = &t->more[slot];

    m->newer = PC_NONE;
    m->older = t->newest;
    if (t->newest != PC_NONE)
        t->more[t->newest].newer = slot;
    else
        t->oldest = slot;
    t->newest = slot;
}

static uint32_t
find_or_make(struct pc_flows *t, const struct pc_flow_key *key, uint64_t now)
{
    uint64_t hash = pc_hash(t->seed, key, sizeof *key);
    uint32_t slot = pc_index_first(&t->by_key, hash), generation;
    struct pc_flow *f;

    while (slot != PC_NONE && memcmp(&t->flow[slot].key, key, sizeof *key) != 0)
        slot = t->by_key.next[slot];
    if (slot != PC_NONE) {
        if (t->newest != slot) {
            unlink_slot(t, slot);
            link_newest(t, slot);
        }
        return slot;
    }
    if (t->n < t->capacity) {
        slot = t->n++;
    } else {
        slot = t->oldest;
        unlink_slot(t, slot);
        pc_index_remove(&t->by_key, pc_hash(t->seed, &t->flow[slot].key, sizeof t->flow[slot].key),
                        slot);
        t->evicted++;
    }
    generation = t->more[slot].generation + 1;
    memset(&t->more[slot], 0, sizeof t->more[slot]);
    t->more[slot].generation = generation;
    f = &t->flow[slot];
    memset(f, 0, sizeof *f);
    f->key = *key;
    f->first_ns = now;
    pc_index_add(&t->by_key, hash, slot);
    link_newest(t, slot);
    if (t->adopt)
        t->adopt(t->adopt_arg, f);
    return slot;
}

static void
track_tcp(struct pc_flow *f, const struct pc_packet *pk, unsigned dir, uint64_t t)
{
    uint32_t flags = pk->tcp_flags;
    uint32_t end = pk->tcp_seq + pk->payload_len + ((flags & (PC_TCP_SYN | PC_TCP_FIN)) != 0);
    bool syn = flags & PC_TCP_SYN;

    f->tcp |= SEEN_TCP;
    if (syn && !(flags & PC_TCP_ACK) && (f->tcp & (SEEN_RST | (uint32_t)SEEN_FIN << dir))) {
        /* The ports are used again: a new connection under the old key. */
        f->tcp = SEEN_TCP;
        f->first_ns = t;
        f->fct_ns = 0;
    }
    if (f->tcp & (uint32_t)SEEN_SEQ << dir) {
        if (pk->payload_len && !syn && (int32_t)(end - f->next_seq[dir]) <= 0)
            f->retransmits++;
        if ((int32_t)(end - f->next_seq[dir]) > 0)
            f->next_seq[dir] = end;
    } else {
        f->next_seq[dir] = end;
    }
    f->tcp |= (uint32_t)SEEN_SEQ << dir;
    if (syn) {
        if (!(f->tcp & (SEEN_SYN | SEEN_SYN << 1)) && f->packets[0] + f->packets[1] == 1)
            f->first_ns = t;
        f->tcp |= (uint32_t)SEEN_SYN << dir;
    } else if (flags & PC_TCP_ACK) {
        f->tcp |= SEEN_DATA;
    }
    if (flags & PC_TCP_FIN) {
        f->tcp |= (uint32_t)SEEN_FIN << dir;
        if ((f->tcp & (SEEN_FIN | SEEN_FIN << 1)) == (SEEN_FIN | SEEN_FIN << 1) &&
            f->tcp & (SEEN_SYN | SEEN_SYN << 1) && !f->fct_ns)
            f->fct_ns = t - f->first_ns;
    }
    if (flags & PC_TCP_RST)
        f->tcp |= SEEN_RST;
}

enum sb_tcp_state
pc_flow_tcp_state(const struct pc_flow *f)
{
    uint32_t fins = f->tcp & (SEEN_FIN | SEEN_FIN << 1);

    if (!(f->tcp & SEEN_TCP))
        return SB_tcp_state_NONE;
    if (fins == (SEEN_FIN | SEEN_FIN << 1))
        return SB_tcp_state_CLOSED;
    if (f->tcp & SEEN_RST)
        return SB_tcp_state_RESET;
    if (fins)
        return SB_tcp_state_CLOSING;
    if (!(f->tcp & (SEEN_SYN | SEEN_SYN << 1)))
        return SB_tcp_state_MIDDLE;
    return f->tcp & SEEN_DATA ? SB_tcp_state_OPEN : SB_tcp_state_OPENING;
}

uint32_t
pc_flows_packet(struct pc_flows *t, const struct pc_packet *pk, uint64_t now, uint32_t len,
                unsigned *ret_dir)
{
    struct pc_flow_key key;
    struct pc_flow *f;
    unsigned dir;
    uint32_t slot;

    if (!pc_flow_key(pk, &key, &dir))
        return PC_NONE;
    slot = find_or_make(t, &key, now);
    f = &t->flow[slot];
    f->packets[dir]++;
    f->bytes[dir] += len;
    if (now > f->last_ns)
        f->last_ns = now;
    f->dirty = 1;
    memcpy(dir ? t->more[slot].mac_b : t->more[slot].mac_a, pk->inner_src, 6);
    if (!(pk->inner_dst[0] & 1))
        memcpy(dir ? t->more[slot].mac_a : t->more[slot].mac_b, pk->inner_dst, 6);
    if (key.ip_proto == 6 && pk->inner.has & PC_HAS_L4)
        track_tcp(f, pk, dir, now);
    *ret_dir = dir;
    return slot;
}

/* The decision that covers one direction at its first switch, now. */
static uint64_t
decision_of(const struct pc_flows *t, const struct pc_net *net, uint32_t slot, unsigned dir)
{
    const struct pc_flow *f = &t->flow[slot];
    const struct pc_flow_more *m = &t->more[slot];
    struct pc_match match = {.eth_type = f->key.eth_type,
                             .vlan = f->key.vlan,
                             .ip_proto = f->key.ip_proto,
                             .l4_src = dir ? f->key.port_b : f->key.port_a,
                             .l4_dst = dir ? f->key.port_a : f->key.port_b};
    const struct sb_flow *row;
    uint32_t claim;

    if (!m->in_dpid[dir] || f->key.vni)
        return 0;
    memcpy(match.eth_src, dir ? m->mac_b : m->mac_a, 6);
    memcpy(match.eth_dst, dir ? m->mac_a : m->mac_b, 6);
    memcpy(match.ip_src, dir ? f->key.ip_b : f->key.ip_a, 16);
    memcpy(match.ip_dst, dir ? f->key.ip_a : f->key.ip_b, 16);
    if (pc_net_decided(net, &match, m->in_dpid[dir], m->in_port[dir], f->last_ns, &claim, &row) ==
        PC_UNDECIDED) {
        /* The last packet may be the one that made the controller decide. */
        if (pc_net_decided(net, &match, m->in_dpid[dir], m->in_port[dir], f->last_ns + SB_SECOND,
                           &claim, &row) == PC_UNDECIDED)
            return 0;
    }
    return row->output < OFPP_MAX || row->group ? row->cookie : 0;
}

void
pc_flow_row(const struct pc_flows *t, const struct pc_net *net, uint32_t slot,
            struct sb_observed *ret)
{
    const struct pc_flow *f = &t->flow[slot];
    const struct pc_flow_more *m = &t->more[slot];
    unsigned dir = m->n_points[0] ? 0 : 1;
    size_t n = 0;

    memset(ret, 0, sizeof *ret);
    memcpy(ret->ip_a, f->key.ip_a, 16);
    memcpy(ret->ip_b, f->key.ip_b, 16);
    ret->vni = f->key.vni;
    ret->port_a = f->key.port_a;
    ret->port_b = f->key.port_b;
    ret->vlan = f->key.vlan;
    ret->eth_type = f->key.eth_type;
    ret->ip_proto = f->key.ip_proto;
    ret->tcp_state = (uint8_t)pc_flow_tcp_state(f);
    ret->verdict = f->verdict;
    ret->n_points = m->n_points[dir];
    ret->packets_ab = f->packets[0];
    ret->packets_ba = f->packets[1];
    ret->bytes_ab = f->bytes[0];
    ret->bytes_ba = f->bytes[1];
    ret->first_ns = f->first_ns;
    ret->last_ns = f->last_ns;
    ret->fct_ns = f->fct_ns;
    ret->retransmits = f->retransmits;
    memcpy(ret->mac_a, m->mac_a, 6);
    memcpy(ret->mac_b, m->mac_b, 6);
    ret->cookie_ab = decision_of(t, net, slot, 0);
    ret->cookie_ba = decision_of(t, net, slot, 1);
    for (unsigned i = 0; i < m->n_points[dir]; i++) {
        /* A flow seen in one direction only, b to a, is still told from a to b. */
        unsigned at = dir ? m->n_points[dir] - 1 - i : i;
        char name[32];
        int k;

        pc_point_text(&net->points.point[m->point[dir][at]], name, sizeof name);
        k = snprintf(ret->points + n, sizeof ret->points - n, "%s%s", n ? ">" : "", name);
        if (k < 0 || n + (size_t)k >= sizeof ret->points)
            break;
        n += (size_t)k;
    }
}
