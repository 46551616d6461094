/* SPDX-License-Identifier: Apache-2.0
 *
 * multicast.c - group addresses in the data plane: one switch's part in the multicast tree. Worker
 * thread only. topology/tree.c (main thread) decides which ports take part, and when.
 *
 *   group CTL_GROUP_MULTICAST (ALL)   a bucket for each link of the tree and each edge port
 *   priority 51, no time-out          broadcast and 01:80:c2:00:00:0x to the controller
 *   priority 50, no time-out          in_port = a link of the tree, eth_dst = any group address: to
 *                                     the group
 *   priority 100, idle 300 s          in_port = an edge port, eth_src, eth_dst: to the group
 *
 * The last are rules like any other, with rows, sent when a host's first packet to a group address
 * has come to the controller: so hosts are learned by their multicast, as they are by other
 * packets, and a stream costs the controller its first packets only. Broadcast stays with the
 * controller. A group never sends out of the port a packet came in by. What comes in by a link off
 * the tree meets no rule and ends at the controller.
 *
 * A switch of others may join two edge ports: then a copy comes back in at another edge port. There
 * its source is not at home, so no rule is there; it comes to the controller and is known by that
 * (a clash): it ends, and for 10 s the multicast of this host goes by the controller, whose memory
 * of floods ends copies (topology/flood.c).
 */
#include "controller.h"

#include <stdlib.h>

#include <trivet/clock.h>

#include "connection.h"
#include "policy/policy.h"

#define PRIORITY_GUARD 51
#define PRIORITY_LINK 50
#define PRIORITY_SOURCE 100
#define IDLE_S 300
#define PORTS_MAX 2000            /* buckets of 32 bytes in one message */
#define LINKS_MAX 4096            /* link rules read back that are remembered */
#define REPAIRS_MAX 3             /* of one order */
#define AT_HOME_NS (200 * SB_MS)  /* a host must have been at its port for this */
#define CLASH_NS (10 * SB_SECOND) /* see above */
#define OFPBAC_BAD_OUT_GROUP 9    /* of OFPET_BAD_ACTION, which is 2 */

static const uint8_t any_group[6] = {0x01};
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct of_action to_controller = {
    .type = OF_A_OUTPUT, .port = OFPP_CONTROLLER, .max_len = OFPCML_NO_BUFFER};
static const struct of_action to_group = {.type = OF_A_GROUP, .group = CTL_GROUP_MULTICAST};

/* ---- its rules -------------------------------------------------------------------------- */

/* guard 0: broadcast; 1: the addresses no bridge forwards (IEEE 802.1Q table 8-1) */
static void
guard_match(unsigned guard, struct of_match *ret)
{
    static const uint8_t reserved[6] = {0x01, 0x80, 0xc2},
                         mask[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xf0};

    memset(ret, 0, sizeof(*ret));
    ret->fields = OF_M_ETH_DST;
    memcpy(ret->eth_dst, guard == 0 ? broadcast : reserved, 6);
    if (guard == 1) {
        ret->masked = OF_M_ETH_DST;
        memcpy(ret->eth_dst_mask, mask, 6);
    }
}

static void
link_match(uint32_t port, struct of_match *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->fields = OF_M_IN_PORT | OF_M_ETH_DST;
    ret->masked = OF_M_ETH_DST;
    ret->in_port = port;
    memcpy(ret->eth_dst, any_group, 6);
    memcpy(ret->eth_dst_mask, any_group, 6);
}

static bool
same_match(const struct of_match *a, const struct of_match *b)
{
    return a->fields == b->fields && a->masked == b->masked &&
           (!(a->fields & OF_M_IN_PORT) || a->in_port == b->in_port) &&
           memcmp(a->eth_dst, b->eth_dst, 6) == 0 &&
           (!(a->masked & OF_M_ETH_DST) || memcmp(a->eth_dst_mask, b->eth_dst_mask, 6) == 0);
}

static void
put_rule(struct ctl_conn *conn, struct of_buffer *b, uint8_t command, uint16_t priority,
         const struct of_match *match, const struct of_action *action)
{
    struct of_flow_mod mod = {.cookie = CTL_COOKIE_MULTICAST,
                              .cookie_mask = CTL_COOKIE_MASK,
                              .command = command,
                              .priority = priority,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY,
                              .match = *match,
                              .actions = action,
                              .n_actions = command == OFPFC_ADD};

    of_put_flow_mod(b, conn->version, ctl_conn_request(conn, CTL_R_RULE, 0), &mod);
}

/* ---- read back ---------------------------------------------------------------------------- */

static int
compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void
ctl_multicast_found(struct ctl_conn *conn, const struct of_group_mod *group)
{
    struct of_cursor buckets = {.p = group->raw_buckets, .left = group->raw_buckets_size};
    struct ctl_multicast *m = &conn->multicast;
    struct of_bucket bucket;

    free(m->ports);
    m->n_ports = 0;
    m->ports = calloc(group->raw_buckets_size / 16u + 1u, sizeof(*m->ports));
    if (m->ports == NULL)
        abort();
    m->has_group = true;
    m->strange = group->type != OFPGT_ALL;
    while (of_next_bucket(&buckets, &bucket) == 1) {
        struct of_cursor actions = {.p = bucket.raw_actions, .left = bucket.raw_actions_size};
        struct of_action action = {.type = OF_A_OTHER};
        unsigned outputs = 0;

        while (of_next_action(&actions, &action) == 1)
            if (action.type == OF_A_OUTPUT && outputs++ == 0)
                m->ports[m->n_ports++] = action.port;
        m->strange |= outputs != 1 || bucket.raw_actions_size != 16;
    }
    qsort(m->ports, m->n_ports, sizeof(*m->ports), compare_numbers);
    for (uint32_t i = 1; i < m->n_ports; i++)
        m->strange |= m->ports[i] == m->ports[i - 1];
}

static struct ctl_link_rule *
link_rule(struct ctl_multicast *m, uint32_t port)
{
    for (uint32_t i = 0; i < m->n_links; i++)
        if (m->links[i].port == port)
            return &m->links[i];
    return NULL;
}

static void
set_link_rule(struct ctl_multicast *m, uint32_t port, enum ctl_place place)
{
    struct ctl_link_rule *link = link_rule(m, port), *more;

    if (link == NULL) {
        more = realloc(m->links, (m->n_links + 1) * sizeof(*more));
        if (more == NULL)
            abort();
        m->links = more;
        link = &more[m->n_links++];
        link->port = port;
    }
    link->place = (uint8_t)place;
}

bool
ctl_multicast_found_rule(struct ctl_conn *conn, const struct of_flow *flow)
{
    struct ctl_multicast *m = &conn->multicast;
    struct of_match match;

    if (flow->table_id != 0 || !(flow->match.fields & OF_M_ETH_DST))
        return false;
    for (unsigned i = 0; i < 2 && flow->priority == PRIORITY_GUARD; i++) {
        guard_match(i, &match);
        if (same_match(&match, &flow->match)) {
            m->guards[i] =
                (uint8_t)ctl_flow_place(conn, flow, CTL_COOKIE_MULTICAST, &to_controller);
            return true;
        }
    }
    link_match(flow->match.in_port, &match);
    if (flow->priority != PRIORITY_LINK || !same_match(&match, &flow->match) ||
        m->n_links == LINKS_MAX)
        return false;
    set_link_rule(m, flow->match.in_port,
                  ctl_flow_place(conn, flow, CTL_COOKIE_MULTICAST, &to_group));
    return true;
}

uint32_t
ctl_multicast_ports(const struct ctl_conn *conn, uint32_t *ret, uint32_t max)
{
    const struct ctl_multicast *m = &conn->multicast;
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->n_ports; i++, n++)
        if (n < max)
            ret[n] = m->ports[i];
    for (uint32_t i = 0; i < m->n_links; i++, n++)
        if (n < max)
            ret[n] = m->links[i].port;
    return n;
}

/* ---- orders -----------------------------------------------------------------------------------
 */

static const struct ctl_multicast_port *
ordered(const struct ctl_mail_multicast *order, uint32_t port)
{
    return bsearch(&port, order->ports, order->n_ports, sizeof(order->ports[0]), compare_numbers);
}

/* The row of its group; n_ports 0: none. */
static void
write_row(struct ctl_conn *conn, enum sb_flow_state state)
{
    struct sb_table *table = conn->worker->group;
    const struct ctl_multicast *m = &conn->multicast;
    struct sb_group row = {.dpid = conn->features.dpid, .group = CTL_GROUP_MULTICAST}, old;
    int64_t slot = sb_find(table, &row);
    size_t at = 0;

    if (!m->has_group && state != SB_flow_state_REFUSED) {
        if (slot >= 0)
            sb_remove(table, slot);
        return;
    }
    row.type = SB_group_type_ALL;
    row.user = SB_policy_MULTICAST;
    row.state = (uint8_t)state;
    row.n_buckets = m->n_ports;
    for (uint32_t i = 0; i < m->n_ports; i++) {
        char text[16];
        size_t n = (size_t)snprintf(text, sizeof(text), "%s%u", i > 0 ? "," : "", m->ports[i]);

        if (at + n > sizeof(row.buckets) - 2) {
            row.buckets[at] = '+';
            break;
        }
        memcpy(row.buckets + at, text, n);
        at += n;
    }
    row.sent_ns = conn->worker->now_ns;
    if (sb_get(table, slot, &old) == SB_OK) {
        row.packets = old.packets;
        row.bytes = old.bytes;
        if (memcmp(old.buckets, row.buckets, sizeof(old.buckets)) == 0) {
            row.sent_ns = old.sent_ns;
            row.barrier_ns = old.barrier_ns;
        }
    }
    if (state == SB_flow_state_INSTALLED && row.barrier_ns == 0)
        row.barrier_ns = conn->worker->now_ns;
    sb_put(table, &row);
}

static void
tell_done(struct ctl_conn *conn)
{
    const struct ctl_mail_multicast *order = (const void *)conn->multicast.order->data;
    struct ctl_mail *mail =
        ctl_mail_new(CTL_M_MULTICAST, conn->features.dpid, sizeof(struct ctl_mail_multicast_done));
    struct ctl_mail_multicast_done *done = (void *)mail->data;

    mail->conn = conn->id;
    done->number = order->number;
    done->refused = conn->multicast.refused;
    ctl_post(&conn->worker->app->mailbox, mail);
}

static void
refuse(struct ctl_conn *conn, const char *why)
{
    conn->multicast.refused = true;
    conn->multicast.barrier_xid = 0;
    ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_WARNING, conn->features.dpid,
                     0, "no multicast group (%s): group addresses go by the controller", why);
    write_row(conn, SB_flow_state_REFUSED);
    if (conn->multicast.order != NULL)
        tell_done(conn);
}

/* Rules to the group whose ports are no edge ports any more. */
static void
delete_sources(struct ctl_conn *conn, const struct ctl_mail_multicast *order)
{
    struct ctl_worker *worker = conn->worker;

    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->rows, worker->flow, conn->features.dpid, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);
        const struct ctl_multicast_port *port;

        if (row->group != CTL_GROUP_MULTICAST)
            continue;
        port = ordered(order, row->in_port);
        if (port == NULL || port->link)
            ctl_flow_delete(worker, slot);
    }
}

static bool
delete_rules(struct ctl_conn *conn, const struct ctl_mail_multicast *order, struct of_buffer *b)
{
    struct ctl_multicast *m = &conn->multicast;
    struct of_match match;
    size_t before = b->len;

    for (uint32_t i = m->n_links; i-- > 0;) {
        const struct ctl_multicast_port *port = ordered(order, m->links[i].port);

        if (m->links[i].place == CTL_PLACE_FOREIGN || (port != NULL && port->link))
            continue;
        link_match(m->links[i].port, &match);
        put_rule(conn, b, OFPFC_DELETE_STRICT, PRIORITY_LINK, &match, NULL);
        m->links[i] = m->links[--m->n_links];
    }
    for (unsigned i = 0; i < 2 && order->n_ports == 0; i++) {
        if (m->guards[i] != CTL_PLACE_OURS && m->guards[i] != CTL_PLACE_CHANGED)
            continue;
        guard_match(i, &match);
        put_rule(conn, b, OFPFC_DELETE_STRICT, PRIORITY_GUARD, &match, NULL);
        m->guards[i] = CTL_PLACE_EMPTY;
    }
    return b->len > before;
}

static bool
same_ports(const struct ctl_multicast *m, const struct ctl_mail_multicast *order)
{
    if (!m->has_group || m->strange || m->n_ports != order->n_ports)
        return order->n_ports == 0 && !m->has_group;
    for (uint32_t i = 0; i < m->n_ports; i++)
        if (m->ports[i] != order->ports[i].port)
            return false;
    return true;
}

static void
put_group(struct ctl_conn *conn, const struct ctl_mail_multicast *order, struct of_buffer *b)
{
    struct ctl_multicast *m = &conn->multicast;
    uint32_t n = order->n_ports;
    struct of_bucket *buckets = calloc(n + 1, sizeof(*buckets));
    struct of_action *outputs = calloc(n + 1, sizeof(*outputs));
    struct of_group_mod mod = {.command = n == 0         ? OFPGC_DELETE
                                          : m->has_group ? OFPGC_MODIFY
                                                         : OFPGC_ADD,
                               .type = OFPGT_ALL,
                               .group = CTL_GROUP_MULTICAST,
                               .buckets = buckets,
                               .n_buckets = n};

    free(m->ports);
    m->ports = calloc(n + 1, sizeof(*m->ports));
    if (buckets == NULL || outputs == NULL || m->ports == NULL)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        m->ports[i] = order->ports[i].port;
        outputs[i] = (struct of_action){.type = OF_A_OUTPUT, .port = m->ports[i]};
        buckets[i] = (struct of_bucket){.watch_port = OFPP_ANY,
                                        .watch_group = OFPG_ANY,
                                        .actions = &outputs[i],
                                        .n_actions = 1};
    }
    m->n_ports = n;
    m->has_group = n > 0;
    m->strange = false;
    of_put_group_mod(b, conn->version, ctl_conn_request(conn, CTL_R_GROUP, 0), &mod);
    free(buckets);
    free(outputs);
}

static void
add_rules(struct ctl_conn *conn, const struct ctl_mail_multicast *order, struct of_buffer *b)
{
    struct ctl_multicast *m = &conn->multicast;
    struct of_match match;

    for (unsigned i = 0; i < 2 && order->n_ports > 0; i++) {
        if (m->guards[i] == CTL_PLACE_OURS || m->guards[i] == CTL_PLACE_FOREIGN)
            continue;
        guard_match(i, &match);
        put_rule(conn, b, OFPFC_ADD, PRIORITY_GUARD, &match, &to_controller);
        m->guards[i] = CTL_PLACE_OURS;
    }
    for (uint32_t i = 0; i < order->n_ports; i++) {
        uint32_t port = order->ports[i].port;
        const struct ctl_link_rule *link = link_rule(m, port);

        if (!order->ports[i].link ||
            (link != NULL && (link->place == CTL_PLACE_OURS || link->place == CTL_PLACE_FOREIGN)))
            continue;
        link_match(port, &match);
        put_rule(conn, b, OFPFC_ADD, PRIORITY_LINK, &match, &to_group);
        set_link_rule(m, port, CTL_PLACE_OURS);
    }
}

static void
put_barrier(struct ctl_conn *conn, struct of_buffer *b)
{
    conn->multicast.barrier_xid = ctl_conn_await(conn, CTL_R_BARRIER, 0);
    of_put_header(b, conn->version, OFPT13_BARRIER_REQUEST, conn->multicast.barrier_xid);
}

/* Flows before the group where they go, the group before flows where they come. The main thread has
 * made sure that nothing between the old state and the new closes a ring. */
static void
apply(struct ctl_conn *conn)
{
    struct ctl_multicast *m = &conn->multicast;
    const struct ctl_mail_multicast *order = (const void *)m->order->data;
    bool same = same_ports(m, order);
    struct of_buffer b;
    size_t before;

    if (order->n_ports > PORTS_MAX) {
        refuse(conn, "too many ports");
        return;
    }
    if (m->refused && order->n_ports > 0) {
        tell_done(conn);
        return;
    }
    m->barrier_xid = 0;
    m->waits = !ctl_conn_room(conn, 1024 + order->n_ports * 160 + m->n_links * 128, &b);
    if (m->waits)
        return;
    m->first_xid = conn->next_xid;
    if (!same) {
        delete_sources(conn, order);
        m->waits = !ctl_conn_room(conn, 1024 + order->n_ports * 160 + m->n_links * 128, &b);
        if (m->waits)
            return;
    }
    if (delete_rules(conn, order, &b))
        put_barrier(conn, &b);
    if (!same)
        put_group(conn, order, &b);
    before = b.len;
    if (!same && order->n_ports > 0)
        put_barrier(conn, &b);
    add_rules(conn, order, &b);
    if (b.len > 0 && (m->barrier_xid == 0 || b.len > before))
        put_barrier(conn, &b);
    if (b.len > 0) {
        ctl_conn_wrote(conn, &b);
        write_row(conn, SB_flow_state_SENT);
    } else {
        write_row(conn, SB_flow_state_INSTALLED);
        tell_done(conn);
    }
}

void
ctl_multicast_order(struct ctl_conn *conn, struct ctl_mail *order)
{
    free(conn->multicast.order);
    conn->multicast.order = order;
    conn->multicast.repairs = 0;
    apply(conn);
}

void
ctl_multicast_stale(struct ctl_conn *conn)
{
    if (conn->multicast.has_group || conn->multicast.n_links > 0 ||
        conn->multicast.guards[0] != CTL_PLACE_EMPTY ||
        conn->multicast.guards[1] != CTL_PLACE_EMPTY)
        ctl_multicast_order(conn, ctl_mail_new(CTL_W_MULTICAST, conn->features.dpid,
                                               sizeof(struct ctl_mail_multicast)));
}

void
ctl_multicast_timers(struct ctl_conn *conn)
{
    if (conn->multicast.waits)
        apply(conn);
}

void
ctl_multicast_barrier(struct ctl_conn *conn, uint32_t xid)
{
    if (conn->multicast.barrier_xid != xid)
        return; /* of an order before the last */
    conn->multicast.barrier_xid = 0;
    conn->multicast.repairs = 0;
    write_row(conn, SB_flow_state_INSTALLED);
    tell_done(conn);
}

void
ctl_multicast_error(struct ctl_conn *conn, const struct of_error_msg *error)
{
    struct ctl_multicast *m = &conn->multicast;
    bool missing = false;

    if (m->order == NULL || m->refused || error->data_size < 16 ||
        (int32_t)(error->request_xid - m->first_xid) < 0)
        return; /* not about what was sent last */
    if (error->request_type == OFPT13_GROUP_MOD &&
        of_get32(error->data + 12) == CTL_GROUP_MULTICAST) {
        missing = error->type == OFPET_GROUP_MOD_FAILED && error->code == OFPGMFC_UNKNOWN_GROUP;
        if (error->type == OFPET_GROUP_MOD_FAILED && error->code == OFPGMFC_GROUP_EXISTS) {
            m->has_group = m->strange = true; /* MODIFY, then */
        } else if (!missing) {
            refuse(conn, "refused");
            return;
        }
    } else if (error->request_type == OFPT13_FLOW_MOD &&
               of_get64(error->data + 8) >> 48 == CTL_COOKIE_TAG) {
        missing = error->type == 2 && error->code == OFPBAC_BAD_OUT_GROUP;
        if (!missing && of_get64(error->data + 8) == CTL_COOKIE_MULTICAST)
            refuse(conn, "its rules are refused");
        if (!missing)
            return;
    } else {
        return;
    }
    if (missing) { /* somebody deleted it, and with it the rules that pointed to it */
        m->has_group = false;
        m->n_ports = m->n_links = 0;
    }
    if (++m->repairs > REPAIRS_MAX)
        refuse(conn, "it does not stay");
    else
        apply(conn);
}

void
ctl_multicast_free(struct ctl_conn *conn)
{
    free(conn->multicast.ports);
    free(conn->multicast.links);
    free(conn->multicast.order);
}

/* ---- packets --------------------------------------------------------------------------------- */

bool
ctl_multicast_fresh(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    struct ctl_host *host = ctl_host_find(worker, ctl_frame_src(&packet->frame));
    struct ctl_mail_host *clash;
    struct ctl_mail *mail;

    if (host == NULL || memcmp(ctl_frame_dst(&packet->frame), broadcast, 6) == 0 ||
        (host->dpid == packet->conn->features.dpid && host->port == packet->in_port) ||
        (host->clash_ns != 0 && worker->now_ns - host->clash_ns < CLASH_NS))
        return true;
    host->clash_ns = worker->now_ns;
    mail = ctl_mail_new(CTL_M_CLASH, packet->conn->features.dpid, sizeof(*clash));
    clash = (void *)mail->data;
    memcpy(clash->mac, ctl_frame_src(&packet->frame), 6);
    clash->dpid = packet->conn->features.dpid;
    clash->port = packet->in_port;
    ctl_post(&worker->app->mailbox, mail);
    worker->counters.dropped_broadcast++;
    return false;
}

void
ctl_multicast_install(struct ctl_worker *worker, const struct ctl_packet *packet)
{
    struct ctl_conn *conn = packet->conn;
    const struct ctl_host *host = ctl_host_find(worker, ctl_frame_src(&packet->frame));
    const struct ctl_multicast *m = &conn->multicast;
    const struct ctl_multicast_port *port;
    struct sb_flow row = {
        .dpid = conn->features.dpid,
        .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST,
        .in_port = packet->in_port,
        .priority = PRIORITY_SOURCE,
        .idle_s = IDLE_S,
        .group = CTL_GROUP_MULTICAST,
        .policy = SB_policy_MULTICAST,
    };

    if (!m->has_group || m->refused || m->order == NULL || host == NULL ||
        memcmp(ctl_frame_dst(&packet->frame), broadcast, 6) == 0 ||
        host->dpid != conn->features.dpid || host->port != packet->in_port ||
        worker->now_ns - host->since_ns < AT_HOME_NS ||
        (host->clash_ns != 0 && worker->now_ns - host->clash_ns < CLASH_NS))
        return;
    port = ordered((const void *)m->order->data, packet->in_port);
    if (port == NULL || port->link)
        return;
    memcpy(row.eth_src, ctl_frame_src(&packet->frame), 6);
    memcpy(row.eth_dst, ctl_frame_dst(&packet->frame), 6);
    ctl_flow_install(worker, conn, &row, sb_hash(worker->flow, &row), -1, NULL);
}

void
ctl_multicast_clash(struct ctl_worker *worker, const uint8_t *mac)
{
    struct ctl_host *host = ctl_host_find(worker, mac);

    if (host != NULL)
        host->clash_ns = worker->now_ns;
    for (int64_t slot = -1; (slot = sb_next(worker->flow, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);

        if (row->group == CTL_GROUP_MULTICAST && memcmp(row->eth_src, mac, 6) == 0)
            ctl_flow_delete(worker, slot);
    }
}
