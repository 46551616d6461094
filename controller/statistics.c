/* SPDX-License-Identifier: Apache-2.0
 *
 * statistics.c - counters of a switch's ports, flows, groups and tables, read in rounds. Worker
 * thread only.
 *
 * A round asks for one list after another, each when the one before is there whole, so a switch is
 * never asked faster than it answers. Then it rests: the configured interval, or 20 times what the
 * round took if that is longer; after a round that was not answered twice the interval, and twice
 * that after each in turn, up to 16 times. A list that a switch refuses is not asked for again on
 * that connection. Rounds begin spread over the interval, by dpid.
 *
 * What was read goes to the tables `installed`, `group` and `flow_table` here, and by mail to
 * `port` and `switch`, which are the main thread's. Rows that did not change are not written, so
 * that a quiet network publishes nothing. OpenFlow 1.3.5 section 7.3.5, 1.0.1 section 5.3.5.
 */
#include "controller.h"

#include <stdlib.h>

#include <trivet/clock.h>
#include <trivet/openflow_stats.h>

#include "connection.h"

#define ANSWER_NS (5 * SB_SECOND) /* between two parts of an answer */
#define REST_FACTOR 20
#define SLOWED_MAX 4              /* doublings */
#define ROUND_NS (60 * SB_SECOND) /* a list without an end ends */
#define SINCE_NS                                                                                   \
    (2 * SB_SECOND) /* a flow's beginning, reckoned from its age, may differ by this               \
                     */
#define PORTS_A_MAIL 512
/* One switch's flows of others take no more than this part of `installed`: else a switch full of
 * them would push out what others have. */
#define FOREIGN_SHARE 8

/* ---- rows ------------------------------------------------------------------------------ */

static int
take_ports(struct ctl_conn *conn, struct of_cursor *body)
{
    struct of_port_stats stats;
    struct ctl_mail *mail = NULL;
    struct ctl_mail_counters *to = NULL;
    int error;

    while ((error = of_next_port_stats(conn->version, body, &stats)) == 1) {
        if (mail == NULL) {
            mail = ctl_mail_new(CTL_M_COUNTERS, conn->features.dpid,
                                sizeof(*to) + PORTS_A_MAIL * sizeof(to->ports[0]));
            to = (void *)mail->data;
            mail->conn = conn->id;
            to->n_ports = 0;
        }
        to->ports[to->n_ports++] = (struct ctl_port_counters){
            .port = stats.port,
            .rx_packets = stats.rx_packets,
            .tx_packets = stats.tx_packets,
            .rx_bytes = stats.rx_bytes,
            .tx_bytes = stats.tx_bytes,
            .rx_dropped = stats.rx_dropped,
            .tx_dropped = stats.tx_dropped,
            .rx_errors = stats.rx_errors,
            .tx_errors = stats.tx_errors,
        };
        if (to->n_ports == PORTS_A_MAIL) {
            ctl_post(&conn->worker->app->mailbox, mail);
            mail = NULL;
        }
    }
    if (mail != NULL)
        ctl_post(&conn->worker->app->mailbox, mail);
    return error;
}

/* A name for a rule of a switch: of its place, that is table, priority and the bytes of its match
 * (FNV-1a). Cookies would not do: flows of others often have none. */
static uint64_t
rule_id(uint8_t table_id, uint16_t priority, const uint8_t *match, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ table_id ^ (uint64_t)priority << 8;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ match[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The bytes of the match of the entry at p, which a decoder has checked. */
static const uint8_t *
match_bytes(uint8_t version, const uint8_t *p, size_t *ret_size)
{
    if (version == OF10) {
        *ret_size = 40;
        return p + 4;
    }
    *ret_size = of_get16(p + 50);
    return p + 48;
}

static enum sb_installed_kind
kind_of(const struct ctl_conn *conn, const struct of_flow *flow)
{
    if (flow->cookie >> 48 != CTL_COOKIE_TAG)
        return SB_installed_kind_FOREIGN;
    if (flow->cookie == CTL_COOKIE_TABLE_MISS || flow->cookie == CTL_COOKIE_DISCOVERY ||
        flow->cookie == CTL_COOKIE_MULTICAST)
        return SB_installed_kind_OWN;
    return ctl_flow_find(conn, &flow->match, flow->priority, flow->table_id) >= 0
               ? SB_installed_kind_DECIDED
               : SB_installed_kind_STALE;
}

static void
fill_match(struct sb_installed *row, const struct of_match *match)
{
    static const uint32_t ours = OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST | OF_M_ETH_TYPE;

    if (match->fields & OF_M_IN_PORT) {
        row->fields |= SB_MATCH_IN_PORT;
        row->in_port = match->in_port;
    }
    if (match->fields & OF_M_ETH_SRC) {
        row->fields |= SB_MATCH_ETH_SRC;
        memcpy(row->eth_src, match->eth_src, 6);
    }
    if (match->fields & OF_M_ETH_DST) {
        row->fields |= SB_MATCH_ETH_DST;
        memcpy(row->eth_dst, match->eth_dst, 6);
    }
    if (match->fields & OF_M_ETH_TYPE) {
        row->fields |= SB_MATCH_ETH_TYPE;
        row->eth_type = match->eth_type;
    }
    row->more = (match->fields & ~ours) != 0 || match->masked != 0;
}

static void
fill_actions(struct ctl_conn *conn, struct sb_installed *row, const struct of_flow *flow)
{
    struct of_cursor actions = {.p = flow->actions, .left = flow->actions_size};
    struct of_action action;

    while (of_next_action_v(conn->version, &actions, &action) == 1) {
        row->n_actions++;
        if (action.type == OF_A_OUTPUT && row->output == 0)
            row->output = action.port;
        if (action.type == OF_A_GROUP && row->group == 0)
            row->group = action.group;
    }
}

static void
take_flow(struct ctl_conn *conn, const struct of_flow *flow, const uint8_t *entry)
{
    struct ctl_worker *worker = conn->worker;
    size_t size;
    const uint8_t *match = match_bytes(conn->version, entry, &size);
    uint64_t age = flow->duration_s * SB_SECOND + flow->duration_ns;
    struct sb_installed row = {
        .dpid = conn->features.dpid,
        .rule = rule_id(flow->table_id, flow->priority, match, size),
        .cookie = flow->cookie,
        .packets = flow->packets,
        .bytes = flow->bytes,
        .since_ns = worker->now_ns - age,
        .idle_s = flow->idle_s,
        .hard_s = flow->hard_s,
        .priority = flow->priority,
        .table_id = flow->table_id,
        .kind = (uint8_t)kind_of(conn, flow),
    };
    int64_t slot = sb_find(worker->installed, &row);
    const struct sb_installed *old = sb_peek(worker->installed, slot);

    fill_match(&row, &flow->match);
    fill_actions(conn, &row, flow);
    conn->poll.n_flows++;
    if (row.kind == SB_installed_kind_FOREIGN &&
        ++conn->poll.n_foreign > sb_table_slots(worker->installed) / FOREIGN_SHARE)
        return; /* n_flows tells how many there are */
    if (old != NULL) {
        uint64_t shift = row.since_ns > old->since_ns ? row.since_ns - old->since_ns
                                                      : old->since_ns - row.since_ns;

        if (shift < SINCE_NS)
            row.since_ns = old->since_ns;
    }
    if (old == NULL || memcmp(old, &row, sizeof(row)) != 0 || sb_restored(worker->installed, slot))
        slot = sb_put(worker->installed, &row);
    if (slot < 0)
        return; /* full: the table says so itself */
    if (old == NULL)
        ctl_rows_add(worker->installed_rows, row.dpid, slot);
    worker->installed_round[slot] = conn->poll.round;
}

static int
take_flows(struct ctl_conn *conn, struct of_cursor *body)
{
    const uint8_t *entry = body->p;
    struct of_flow flow;
    int error;

    while ((error = of_next_flow_v(conn->version, body, &flow)) == 1) {
        take_flow(conn, &flow, entry);
        entry = body->p;
    }
    return error;
}

/* The list of flows is there whole: what was not in it is no more. */
static void
flows_read(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;

    for (int64_t slot = -1; (slot = ctl_rows_next(worker->installed_rows, worker->installed,
                                                  conn->features.dpid, slot)) >= 0;)
        if (worker->installed_round[slot] != conn->poll.round)
            sb_remove(worker->installed, slot);
}

static int
take_groups(struct ctl_conn *conn, struct of_cursor *body)
{
    struct sb_table *table = conn->worker->group;
    struct of_group_stats stats;
    int error;

    while ((error = of_next_group_stats(body, &stats)) == 1) {
        struct sb_group row = {.dpid = conn->features.dpid, .group = stats.group};
        int64_t slot = sb_find(table, &row);

        if (sb_get(table, slot, &row) != SB_OK ||
            (row.packets == stats.packets && row.bytes == stats.bytes))
            continue;
        row.packets = stats.packets;
        row.bytes = stats.bytes;
        sb_amend(table, slot, &row);
    }
    return error;
}

/* Tables that hold nothing and see nothing have no row: most switches have 254 of them. */
static int
take_tables(struct ctl_conn *conn, struct of_cursor *body)
{
    struct sb_table *table = conn->worker->flow_table;
    struct of_table_stats stats;
    int error;

    while ((error = of_next_table_stats(conn->version, body, &stats)) == 1) {
        struct sb_flow_table row = {.dpid = conn->features.dpid,
                                    .table_id = stats.table_id,
                                    .flows = stats.active,
                                    .lookups = stats.lookups,
                                    .matched = stats.matched};
        int64_t slot = sb_find(table, &row);
        const struct sb_flow_table *old = sb_peek(table, slot);

        if (stats.active == 0 && stats.lookups == 0)
            sb_remove(table, slot);
        else if (old == NULL || memcmp(old, &row, sizeof(row)) != 0 || sb_restored(table, slot))
            sb_put(table, &row);
    }
    return error;
}

/* ---- the round ----------------------------------------------------------------------------- */

/* Its lists, in order. */
static const struct list {
    uint16_t type;
    bool only13;
    const char *name;
    int (*take)(struct ctl_conn *conn, struct of_cursor *body);
    void (*end)(struct ctl_conn *conn);
} lists[] = {
    {OFPMP_PORT_STATS, false, "PORT_STATS", take_ports, NULL},
    {OFPMP_FLOW, false, "FLOW", take_flows, flows_read},
    {OFPMP_GROUP, true, "GROUP", take_groups, NULL},
    {OFPMP_TABLE, false, "TABLE", take_tables, NULL},
};
#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

static void
rest(struct ctl_conn *conn, bool answered)
{
    struct ctl_poll *poll = &conn->poll;
    uint64_t now = conn->worker->mono_ns, pause = (now - poll->began_ns) * REST_FACTOR,
             interval = conn->worker->app->config->controller.statistics_s * SB_SECOND;

    poll->xid = 0;
    if (answered) {
        poll->slowed = 0;
        poll->due_ns = now + (pause > interval ? pause : interval);
    } else {
        if (poll->slowed < SLOWED_MAX)
            poll->slowed++;
        poll->due_ns = now + (interval << poll->slowed);
    }
}

static void
end_round(struct ctl_conn *conn)
{
    struct ctl_mail *mail =
        ctl_mail_new(CTL_M_POLLED, conn->features.dpid, sizeof(struct ctl_mail_polled));
    struct ctl_mail_polled *polled = (void *)mail->data;

    mail->conn = conn->id;
    polled->t_ns = conn->worker->now_ns;
    polled->n_flows = conn->poll.n_flows;
    ctl_post(&conn->worker->app->mailbox, mail);
    rest(conn, true);
}

/* Asks for the next list from this one on. */
static void
ask(struct ctl_conn *conn, unsigned step)
{
    struct ctl_poll *poll = &conn->poll;
    struct of_stats_request request = {.table_id = OFPTT_ALL,
                                       .out_port = OFPP_ANY,
                                       .out_group = OFPG_ANY,
                                       .port = OFPP_ANY,
                                       .group = OFPG_ALL};
    struct of_buffer b;

    while (step < N_LISTS &&
           ((poll->refused & 1u << step) || (lists[step].only13 && conn->version == OF10)))
        step++;
    if (step == N_LISTS) {
        end_round(conn);
        return;
    }
    if (!ctl_conn_room(conn, 128, &b)) {
        rest(conn, false); /* it does not read what it has */
        return;
    }
    if (lists[step].type == OFPMP_FLOW) {
        poll->round = ++conn->worker->poll_rounds;
        poll->n_flows = poll->n_foreign = 0;
    }
    request.type = lists[step].type;
    poll->step = (uint8_t)step;
    poll->xid = ctl_conn_request(conn, CTL_R_LIST, request.type);
    poll->asked_ns = poll->heard_ns = conn->worker->mono_ns;
    of_put_stats_request(&b, conn->version, poll->xid, &request);
    ctl_conn_wrote(conn, &b);
}

bool
ctl_statistics_reply(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h, int *ret,
                     struct of_where *where)
{
    struct ctl_poll *poll = &conn->poll;
    const struct list *list = &lists[poll->step];
    struct of_multipart part;
    struct of_cursor body;

    if (poll->xid == 0 || h->xid != poll->xid)
        return false;
    *ret = of_decode_multipart(m, &part, where);
    if (*ret != OF_OK)
        return true;
    if (part.type != list->type) {
        *ret = OF_EVALUE;
        return true;
    }
    body = (struct of_cursor){.p = part.body, .left = part.body_size};
    *ret = list->take(conn, &body);
    if (*ret != OF_OK) {
        *where = (struct of_where){.offset = (uint32_t)(body.p - m), .field = list->name};
        return true;
    }
    poll->heard_ns = conn->worker->mono_ns;
    if (part.flags & OFPMPF_REPLY_MORE)
        return true;
    if (list->end != NULL)
        list->end(conn);
    ask(conn, poll->step + 1u);
    return true;
}

bool
ctl_statistics_refused(struct ctl_conn *conn, uint32_t xid)
{
    struct ctl_poll *poll = &conn->poll;

    if (poll->xid == 0 || xid != poll->xid)
        return false;
    sb_info("switch %016lx: has no statistics %s", conn->features.dpid, lists[poll->step].name);
    poll->refused |= (uint8_t)(1u << poll->step);
    ask(conn, poll->step + 1u);
    return true;
}

void
ctl_statistics_timers(struct ctl_conn *conn)
{
    struct ctl_poll *poll = &conn->poll;
    uint64_t now = conn->worker->mono_ns,
             interval = conn->worker->app->config->controller.statistics_s * SB_SECOND;

    if (interval == 0)
        return;
    if (poll->due_ns == 0) { /* just connected */
        uint64_t spread = conn->features.dpid * UINT64_C(0x9e3779b97f4a7c15) >> 32;

        poll->due_ns = now + SB_SECOND + (uint64_t)((__uint128_t)interval * spread >> 32);
    } else if (poll->xid != 0 &&
               (now - poll->heard_ns > ANSWER_NS || now - poll->asked_ns > ROUND_NS)) {
        ctl_conn_late(conn, lists[poll->step].name, poll->xid, now - poll->asked_ns);
        rest(conn, false);
    } else if (poll->xid == 0 && now >= poll->due_ns) {
        poll->began_ns = now;
        ask(conn, 0);
    }
}
