/* SPDX-License-Identifier: Apache-2.0
 *
 * net.c - what the controller knows and decided, as the state bus (bus.c) or a file (expect.c)
 * tells it.
 *
 * Decided flows are found by tuple space search: the few distinct combinations of match columns and
 * priority in use are tried from the highest priority down, each with one exact look-up. A flow
 * keeps its previous version, because packets are judged some 100 ms after they were seen. One
 * thread.
 */
#include "pcapcheck.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <trivet/openflow.h>

#define KEY_SIZE offsetof(struct sb_flow, cookie)
_Static_assert(KEY_SIZE == 72, "the key columns of table flow, without holes");

#define FORGET_NS                                                                                  \
    (30 * SB_SECOND)              /* removed claims are kept so long, for packets still in flight */
#define EXPIRY_SLACK_NS SB_SECOND /* switches count timeouts in whole seconds */
#define REMOVAL_SLACK_NS (1500 * SB_MS) /* between the end of a flow and the removal of its row */

int
pc_net_init(struct pc_net *net)
{
    memset(net, 0, sizeof *net);
    net->claim = calloc(PC_CLAIMS_MAX, sizeof *net->claim);
    net->link = calloc(PC_LINKS_MAX, sizeof *net->link);
    net->sw = calloc(PC_SWITCHES_MAX, sizeof *net->sw);
    net->decision = calloc(PC_DECISIONS_MAX, sizeof *net->decision);
    if (!net->claim || !net->link || !net->sw || !net->decision || pc_points_init(&net->points) ||
        pc_index_init(&net->by_key, PC_CLAIMS_MAX) ||
        pc_index_init(&net->by_decision, PC_DECISIONS_MAX)) {
        pc_net_free(net);
        return -1;
    }
    return 0;
}

void
pc_net_free(struct pc_net *net)
{
    free(net->claim);
    free(net->link);
    free(net->sw);
    free(net->decision);
    pc_points_free(&net->points);
    pc_index_free(&net->by_key);
    pc_index_free(&net->by_decision);
    memset(net, 0, sizeof *net);
}

/* ---- switches, ports, links ------------------------------------------------- */

static void
join_links(struct pc_net *net)
{
    for (uint32_t i = 0; i < net->points.n; i++)
        net->points.point[i].peer = PC_NONE;
    for (uint32_t i = 0; i < net->n_links; i++) {
        const struct sb_link *l = &net->link[i];
        uint32_t a = pc_point_by_port(&net->points, l->dpid_a, l->port_a);
        uint32_t b = pc_point_by_port(&net->points, l->dpid_b, l->port_b);

        if (l->state == SB_link_state_DOWN || a == PC_NONE || b == PC_NONE)
            continue;
        net->points.point[a].peer = b;
        net->points.point[b].peer = a;
        net->points.point[a].peer_ns = net->points.point[b].peer_ns = l->changed_ns;
    }
}

static void
change_port(struct pc_net *net, const struct sb_port *row, bool gone)
{
    if (pc_point_put(&net->points, row, gone) == PC_NONE && !gone)
        net->refused++;
    net->points_version++;
    join_links(net);
}

static void
change_link(struct pc_net *net, const struct sb_link *row, bool gone)
{
    uint32_t i = 0;

    while (i < net->n_links &&
           memcmp(&net->link[i], row, offsetof(struct sb_link, seen_ab_ns)) != 0)
        i++;
    if (gone) {
        if (i < net->n_links)
            net->link[i] = net->link[--net->n_links];
    } else if (i < net->n_links) {
        bool same = net->link[i].state == row->state;

        net->link[i] = *row;
        if (same)
            return; /* only its counters changed */
    } else if (net->n_links < PC_LINKS_MAX) {
        net->link[net->n_links++] = *row;
    } else {
        net->refused++;
    }
    join_links(net);
}

static void
change_switch(struct pc_net *net, const struct sb_switch *row, bool gone)
{
    uint32_t i = 0;

    while (i < net->n_switches && net->sw[i].dpid != row->dpid)
        i++;
    if (gone) {
        if (i < net->n_switches)
            net->sw[i] = net->sw[--net->n_switches];
    } else if (i < net->n_switches) {
        net->sw[i] = *row;
    } else if (net->n_switches < PC_SWITCHES_MAX) {
        net->sw[net->n_switches++] = *row;
    } else {
        net->refused++;
    }
}

const char *
pc_net_switch(const struct pc_net *net, uint64_t dpid, char *buf, size_t size)
{
    snprintf(buf, size, "%llx", (unsigned long long)dpid);
    for (uint32_t i = 0; i < net->n_switches; i++)
        if (net->sw[i].dpid == dpid && net->sw[i].name[0])
            snprintf(buf, size, "%.32s", net->sw[i].name);
    return buf;
}

/* ---- decided flows ------------------------------------------------------------ */

/* The key with the columns that do not count zeroed. */
static void
flow_key(const struct sb_flow *row, struct sb_flow *ret)
{
    uint32_t f = row->fields;

    memset(ret, 0, sizeof *ret);
    ret->dpid = row->dpid;
    ret->fields = f;
    ret->priority = row->priority;
    ret->table_id = row->table_id;
    if (f & SB_MATCH_IN_PORT)
        ret->in_port = row->in_port;
    if (f & SB_MATCH_ETH_SRC)
        memcpy(ret->eth_src, row->eth_src, 6);
    if (f & SB_MATCH_ETH_DST)
        memcpy(ret->eth_dst, row->eth_dst, 6);
    if (f & SB_MATCH_ETH_TYPE)
        ret->eth_type = row->eth_type;
    if (f & SB_MATCH_VLAN)
        ret->vlan = row->vlan & 0xfff;
    if (f & SB_MATCH_IP_SRC)
        memcpy(ret->ip_src, row->ip_src, 16);
    if (f & SB_MATCH_IP_DST)
        memcpy(ret->ip_dst, row->ip_dst, 16);
    if (f & SB_MATCH_IP_PROTO)
        ret->ip_proto = row->ip_proto;
    if (f & SB_MATCH_L4_SRC)
        ret->l4_src = row->l4_src;
    if (f & SB_MATCH_L4_DST)
        ret->l4_dst = row->l4_dst;
}

static uint32_t
find_claim(const struct pc_net *net, const struct sb_flow *key)
{
    uint32_t i = pc_index_first(&net->by_key, pc_hash(0, key, KEY_SIZE));

    while (i != PC_NONE && memcmp(&net->claim[i].row, key, KEY_SIZE) != 0)
        i = net->by_key.next[i];
    return i;
}

static bool
add_tuple(struct pc_net *net, const struct sb_flow *row)
{
    uint32_t i;

    for (i = 0; i < net->n_tuples; i++)
        if (net->tuple[i].fields == row->fields && net->tuple[i].priority == row->priority &&
            net->tuple[i].table_id == row->table_id) {
            net->tuple[i].n++;
            return true;
        }
    if (net->n_tuples == PC_TUPLES_MAX)
        return false;
    for (i = net->n_tuples++; i > 0 && net->tuple[i - 1].priority < row->priority; i--)
        net->tuple[i] = net->tuple[i - 1];
    net->tuple[i].fields = row->fields;
    net->tuple[i].priority = row->priority;
    net->tuple[i].table_id = row->table_id;
    net->tuple[i].n = 1;
    return true;
}

static void
drop_claim(struct pc_net *net, uint32_t slot)
{
    struct pc_claim *c = &net->claim[slot];

    pc_index_remove(&net->by_key, pc_hash(0, &c->row, KEY_SIZE), slot);
    for (uint32_t i = 0; i < net->n_tuples; i++)
        if (net->tuple[i].fields == c->row.fields && net->tuple[i].priority == c->row.priority &&
            net->tuple[i].table_id == c->row.table_id && !--net->tuple[i].n) {
            net->n_tuples--;
            memmove(&net->tuple[i], &net->tuple[i + 1], (net->n_tuples - i) * sizeof net->tuple[0]);
            break;
        }
    c->used = 0;
    c->generation++;
    net->n_used--;
}

static void
change_flow(struct pc_net *net, const struct sb_flow *row, bool gone, uint64_t now)
{
    struct sb_flow key;
    struct pc_claim *c;
    uint32_t slot;

    flow_key(row, &key);
    slot = find_claim(net, &key);
    if (gone) {
        if (slot != PC_NONE)
            net->claim[slot].removed_ns = now;
        return;
    }
    if (slot == PC_NONE) {
        for (slot = 0; slot < net->n_claims && net->claim[slot].used;)
            slot = net->n_used == net->n_claims ? net->n_claims : slot + 1;
        if (slot == PC_CLAIMS_MAX || !add_tuple(net, &key)) {
            net->refused++;
            return;
        }
        if (slot == net->n_claims)
            net->n_claims++;
        net->n_used++;
        c = &net->claim[slot];
        *c = (struct pc_claim){.used = 1, .generation = c->generation + 1};
        memcpy(&c->row, &key, KEY_SIZE);
        pc_index_add(&net->by_key, pc_hash(0, &key, KEY_SIZE), slot);
    } else {
        c = &net->claim[slot];
        if (c->row.decided_ns != row->decided_ns || c->row.output != row->output ||
            c->row.group != row->group) {
            c->before = c->row;
            c->alive_ns = 0;
            c->generation++;
        }
        c->removed_ns = 0;
    }
    memcpy((char *)&c->row + KEY_SIZE, (const char *)row + KEY_SIZE, sizeof *row - KEY_SIZE);
}

void
pc_net_expire(struct pc_net *net, uint64_t now)
{
    for (uint32_t i = 0; i < net->n_claims; i++)
        if (net->claim[i].used && net->claim[i].removed_ns &&
            now > net->claim[i].removed_ns + FORGET_NS)
            drop_claim(net, i);
}

void
pc_match_of(const struct pc_packet *pk, struct pc_match *ret)
{
    memset(ret, 0, sizeof *ret);
    memcpy(ret->eth_src, pk->eth_src, 6);
    memcpy(ret->eth_dst, pk->eth_dst, 6);
    ret->eth_type = pk->outer.eth_type;
    ret->vlan = pk->vlan;
    ret->ip_proto = pk->outer.ip_proto;
    if (pk->outer.has & PC_HAS_IP) {
        memcpy(ret->ip_src, pk->outer.ip_src, 16);
        memcpy(ret->ip_dst, pk->outer.ip_dst, 16);
    }
    if (pk->outer.has & PC_HAS_L4) {
        ret->l4_src = pk->outer.l4_src;
        ret->l4_dst = pk->outer.l4_dst;
    }
}

/* Was this version of a flow in the switch at time t? */
static enum pc_force
in_force(const struct pc_claim *c, const struct sb_flow *row, uint64_t t)
{
    uint64_t alive = c->alive_ns > row->barrier_ns ? c->alive_ns : row->barrier_ns;

    if (t < row->decided_ns || row->state == SB_flow_state_REFUSED)
        return PC_UNDECIDED;
    if (!row->barrier_ns || t < row->barrier_ns + PC_SETTLE_NS)
        return PC_SETTLING;
    if (row->state == SB_flow_state_RESTORED)
        return PC_MAYBE;
    if (row->hard_s && t + EXPIRY_SLACK_NS > row->barrier_ns + row->hard_s * SB_SECOND)
        return PC_MAYBE;
    if (row->idle_s && t + EXPIRY_SLACK_NS > alive + row->idle_s * SB_SECOND)
        return PC_MAYBE;
    return PC_DECIDED;
}

static enum pc_force
claim_at(const struct pc_claim *c, uint64_t t, const struct sb_flow **ret)
{
    enum pc_force force;

    *ret = &c->row;
    if (c->removed_ns) {
        if (t + REMOVAL_SLACK_NS > c->removed_ns)
            return t > c->removed_ns + PC_SETTLE_NS ? PC_UNDECIDED : PC_SETTLING;
    }
    force = in_force(c, &c->row, t);
    if (force != PC_UNDECIDED || !c->before.decided_ns || t >= c->row.decided_ns)
        return force;
    /* Before the latest decision: the previous version, while it is the one before this. */
    *ret = &c->before;
    return in_force(c, &c->before, t);
}

enum pc_force
pc_net_decided(const struct pc_net *net, const struct pc_match *m, uint64_t dpid, uint32_t in_port,
               uint64_t t, uint32_t *ret_claim, const struct sb_flow **ret_row)
{
    struct sb_flow packet = {.dpid = dpid,
                             .in_port = in_port,
                             .eth_type = m->eth_type,
                             .vlan = m->vlan,
                             .l4_src = m->l4_src,
                             .l4_dst = m->l4_dst,
                             .ip_proto = m->ip_proto};
    enum pc_force best = PC_UNDECIDED;

    memcpy(packet.eth_src, m->eth_src, 6);
    memcpy(packet.eth_dst, m->eth_dst, 6);
    memcpy(packet.ip_src, m->ip_src, 16);
    memcpy(packet.ip_dst, m->ip_dst, 16);
    for (uint32_t i = 0; i < net->n_tuples; i++) {
        const struct sb_flow *row;
        struct sb_flow key;
        enum pc_force force;
        uint32_t slot;

        if (best != PC_UNDECIDED && net->tuple[i].priority < (*ret_row)->priority)
            break;
        if (net->tuple[i].table_id != 0)
            continue; /* packets enter at table 0; later tables follow from its rules */
        packet.fields = net->tuple[i].fields;
        packet.priority = net->tuple[i].priority;
        flow_key(&packet, &key);
        slot = find_claim(net, &key);
        if (slot == PC_NONE)
            continue;
        force = claim_at(&net->claim[slot], t, &row);
        if (force == PC_UNDECIDED)
            continue;
        if (best != PC_UNDECIDED) {
            /* Two rules of one priority match: OpenFlow leaves open which one wins. */
            if (row->output != (*ret_row)->output || row->group != (*ret_row)->group)
                best = PC_SETTLING;
            continue;
        }
        best = force;
        *ret_claim = slot;
        *ret_row = row;
    }
    return best;
}

/* ---- decisions ------------------------------------------------------------------ */

struct decision_key {
    uint64_t dpid;
    uint8_t eth_src[6], eth_dst[6], pad[4];
};

static uint64_t
decision_hash(uint64_t dpid, const uint8_t *src, const uint8_t *dst)
{
    struct decision_key key = {.dpid = dpid};

    memcpy(key.eth_src, src, 6);
    memcpy(key.eth_dst, dst, 6);
    return pc_hash(0, &key, sizeof key);
}

static void
add_decision(struct pc_net *net, const struct sb_decision *row)
{
    uint32_t slot = (uint32_t)(net->n_decisions++ % PC_DECISIONS_MAX);
    struct pc_decision *d = &net->decision[slot];

    if (net->n_decisions > PC_DECISIONS_MAX)
        pc_index_remove(&net->by_decision, decision_hash(d->dpid, d->eth_src, d->eth_dst), slot);
    d->t_ns = row->t_ns;
    d->dpid = row->dpid;
    d->in_port = row->in_port;
    memcpy(d->eth_src, row->eth_src, 6);
    memcpy(d->eth_dst, row->eth_dst, 6);
    pc_index_add(&net->by_decision, decision_hash(d->dpid, d->eth_src, d->eth_dst), slot);
}

bool
pc_net_handled(const struct pc_net *net, const struct pc_match *m, uint64_t dpid, uint64_t from,
               uint64_t to)
{
    uint32_t i = pc_index_first(&net->by_decision, decision_hash(dpid, m->eth_src, m->eth_dst));

    if (net->decisions_lost_ns && net->decisions_lost_ns + SB_SECOND > from)
        return true; /* perhaps: so nothing may be concluded */
    for (; i != PC_NONE; i = net->by_decision.next[i]) {
        const struct pc_decision *d = &net->decision[i];

        if (d->dpid == dpid && d->t_ns >= from && d->t_ns <= to &&
            memcmp(d->eth_src, m->eth_src, 6) == 0 && memcmp(d->eth_dst, m->eth_dst, 6) == 0)
            return true;
    }
    return false;
}

/* ---- changes, texts ----------------------------------------------------------------- */

void
pc_net_change(struct pc_net *net, enum sb_table_id table, const void *row, const void *old,
              uint64_t now)
{
    const void *any = row ? row : old;

    if (!any)
        return;
    switch (table) {
    case SB_T_port:
        change_port(net, any, !row);
        break;
    case SB_T_link:
        change_link(net, any, !row);
        break;
    case SB_T_switch:
        change_switch(net, any, !row);
        break;
    case SB_T_flow:
        change_flow(net, any, !row, now);
        break;
    case SB_T_decision:
        add_decision(net, any);
        break;
    default:
        break;
    }
}

void
pc_ip_text(const uint8_t ip[16], char *ret, size_t size)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (memcmp(ip, mapped, 12) == 0)
        inet_ntop(AF_INET, ip + 12, ret, (socklen_t)size);
    else
        inet_ntop(AF_INET6, ip, ret, (socklen_t)size);
}

char *
pc_flow_text(const struct sb_flow *row, char *ret, size_t size)
{
    char a[INET6_ADDRSTRLEN] = "*", b[INET6_ADDRSTRLEN] = "*";
    uint32_t f = row->fields;
    int n = 0;

#define PUT(...)                                                                                   \
    do {                                                                                           \
        if (n >= 0 && (size_t)n < size)                                                            \
            n += snprintf(ret + n, size - (size_t)n, __VA_ARGS__);                                 \
    } while (0)
    ret[0] = '\0';
    if (f & SB_MATCH_IN_PORT)
        PUT("in %u ", row->in_port);
    if (f & SB_MATCH_VLAN)
        PUT("vlan %u ", row->vlan);
    if (f & (SB_MATCH_IP_SRC | SB_MATCH_IP_DST)) {
        if (f & SB_MATCH_IP_SRC)
            pc_ip_text(row->ip_src, a, sizeof a);
        if (f & SB_MATCH_IP_DST)
            pc_ip_text(row->ip_dst, b, sizeof b);
        PUT("%s>%s ", a, b);
    } else if (f & (SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST)) {
        const uint8_t *s = row->eth_src, *d = row->eth_dst;

        if (f & SB_MATCH_ETH_SRC)
            snprintf(a, sizeof a, "%02x:%02x:%02x:%02x:%02x:%02x", s[0], s[1], s[2], s[3], s[4],
                     s[5]);
        if (f & SB_MATCH_ETH_DST)
            snprintf(b, sizeof b, "%02x:%02x:%02x:%02x:%02x:%02x", d[0], d[1], d[2], d[3], d[4],
                     d[5]);
        PUT("%s>%s ", a, b);
    }
    if (f & SB_MATCH_IP_PROTO)
        PUT("proto %u ", row->ip_proto);
    if (f & SB_MATCH_L4_SRC)
        PUT("sport %u ", row->l4_src);
    if (f & SB_MATCH_L4_DST)
        PUT("dport %u ", row->l4_dst);
    PUT("p%u", row->priority);
#undef PUT
    return ret;
}
