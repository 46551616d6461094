/* SPDX-License-Identifier: Apache-2.0
 *
 * flows.c - the rules of a worker's switches: rows of the table `flow` and the messages that make
 * them true. Worker thread only.
 *
 * A row is written when a rule is decided (state sent) and again when the barrier that covers it
 * comes back (installed). A rule that stands in its row and is decided again, because its packets
 * were on their way or the switch lost it, is sent again, and its row stays as it is: what is
 * there, and since when. Only a hard timeout, which begins anew with that, is a reason to write it.
 * The log of decisions has each. A row goes when the switch says that the flow ended, when its port
 * died, or at the read-back after a reconnect when the switch does not hold it any more. Cookies
 * name their row: owner tag, generation of the slot, shard and slot; so a message about a flow
 * finds its row without a search, and one about an earlier user of the slot finds nothing.
 */
#include "controller.h"

#include <stdlib.h>

#include "connection.h"
#include "standing.h"

#define UNCONFIRMED_MAX 65536
/* Between a switch's count of a flow's age and ours: at once, and one part in this many. */
#define CLOCK_SLACK_NS (50 * SB_MS)
#define CLOCK_DRIFT 1000
#define SENT_LOOKED_AT 256 /* of the rules not confirmed yet, when one is said to have ended */
#define OF10_PORTS 0xff00u /* the first number that is no port of a 1.0 switch */
#define FLOW_MOD_MAX 320   /* bytes of the longest flow-mod we send */

/* cookie: tag 16, generation 16, shard 8, slot 24 bits */
static int64_t
slot_of(uint64_t cookie)
{
    return (int64_t)(cookie & 0xffffff);
}

static uint64_t
make_cookie(const struct ctl_worker *worker, int64_t slot, uint16_t generation)
{
    return CTL_COOKIE_TAG << 48 | (uint64_t)generation << 32 |
           (uint64_t)(worker->index & 0xff) << 24 | ((uint64_t)slot & 0xffffff);
}

/* A row that was copied, to a table of other capacity or shards, has the cookie of another slot. */
static bool
names(const struct ctl_worker *worker, uint64_t cookie, int64_t slot)
{
    return (uint32_t)cookie == (uint32_t)make_cookie(worker, slot, 0);
}

/* The row a cookie names, or NULL: it may be foreign, stale or garbage. */
static const struct sb_flow *
row_of_cookie(const struct ctl_worker *worker, uint64_t cookie, int64_t *ret_slot)
{
    int64_t slot = slot_of(cookie);
    const struct sb_flow *row = sb_peek(worker->flow, slot);

    if (row == NULL || row->cookie != cookie)
        return NULL;
    *ret_slot = slot;
    return row;
}

void
ctl_decision(struct ctl_worker *worker, uint64_t dpid, enum sb_decision_kind kind,
             enum sb_policy policy, uint32_t in_port, uint32_t output, uint64_t cookie,
             const struct ctl_frame *frame)
{
    struct ctl_frame_ips ips = ctl_frame_ips(frame);
    struct sb_decision d = {
        .t_ns = worker->now_ns,
        .dpid = dpid,
        .cookie = cookie,
        .in_port = in_port,
        .output = output,
        .kind = (uint8_t)kind,
        .policy = (uint8_t)policy,
        .eth_type = frame->eth_type,
    };

    ctl_frame_macs(frame, &d, offsetof(struct sb_decision, eth_src));
    ctl_frame_ip(d.ip_src, ips.src, ips.size);
    ctl_frame_ip(d.ip_dst, ips.dst, ips.size);
    sb_append(worker->decision, &d);
}

/* ---- between rows and messages ----------------------------------------------------- */

static void
map_ipv4(uint8_t ret[16], uint32_t ipv4)
{
    uint8_t bytes[4] = {(uint8_t)(ipv4 >> 24), (uint8_t)(ipv4 >> 16), (uint8_t)(ipv4 >> 8),
                        (uint8_t)ipv4};

    ctl_map_ipv4(ret, bytes);
}

static void
match_of_row(const struct sb_flow *row, struct of_match *ret)
{
    ret->fields = 0;
    ret->masked = 0;
    if (row->fields & SB_MATCH_IN_PORT) {
        ret->fields |= OF_M_IN_PORT;
        ret->in_port = row->in_port;
    }
    if (row->fields & SB_MATCH_ETH_SRC) {
        ret->fields |= OF_M_ETH_SRC;
        memcpy(ret->eth_src, row->eth_src, 6);
    }
    if (row->fields & SB_MATCH_ETH_DST) {
        ret->fields |= OF_M_ETH_DST;
        memcpy(ret->eth_dst, row->eth_dst, 6);
    }
    if (row->fields & SB_MATCH_ETH_TYPE) {
        ret->fields |= OF_M_ETH_TYPE;
        ret->eth_type = row->eth_type;
    }
    if (row->fields & SB_MATCH_IP_SRC) {
        ret->fields |= OF_M_IPV4_SRC;
        ret->ipv4_src = of_get32(row->ip_src + 12);
        ret->ipv4_src_mask = UINT32_MAX;
    }
    if (row->fields & SB_MATCH_IP_DST) {
        ret->fields |= OF_M_IPV4_DST;
        ret->ipv4_dst = of_get32(row->ip_dst + 12);
        ret->ipv4_dst_mask = UINT32_MAX;
    }
}

int64_t
ctl_flow_find(const struct ctl_conn *conn, const struct of_match *match, uint16_t priority,
              uint8_t table_id)
{
    static const uint32_t known =
        OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST | OF_M_ETH_TYPE | OF_M_IPV4_SRC | OF_M_IPV4_DST;
    struct sb_flow key = {.dpid = conn->features.dpid, .priority = priority, .table_id = table_id};

    if (match->masked != 0 || (match->fields & ~known) != 0)
        return SB_ENONE;
    if (match->fields & OF_M_IN_PORT) {
        key.fields |= SB_MATCH_IN_PORT;
        key.in_port = match->in_port;
    }
    if (match->fields & OF_M_ETH_SRC) {
        key.fields |= SB_MATCH_ETH_SRC;
        memcpy(key.eth_src, match->eth_src, 6);
    }
    if (match->fields & OF_M_ETH_DST) {
        key.fields |= SB_MATCH_ETH_DST;
        memcpy(key.eth_dst, match->eth_dst, 6);
    }
    if (match->fields & OF_M_ETH_TYPE) {
        key.fields |= SB_MATCH_ETH_TYPE;
        key.eth_type = match->eth_type;
    }
    if (match->fields & OF_M_IPV4_SRC) {
        key.fields |= SB_MATCH_IP_SRC;
        map_ipv4(key.ip_src, match->ipv4_src);
    }
    if (match->fields & OF_M_IPV4_DST) {
        key.fields |= SB_MATCH_IP_DST;
        map_ipv4(key.ip_dst, match->ipv4_dst);
    }
    return sb_find(conn->worker->flow, &key);
}

/* ---- sending -------------------------------------------------------------------------- */

_Static_assert(offsetof(struct sb_flow, table_id) == offsetof(struct sb_flow, priority) + 2 &&
                   offsetof(struct sb_flow, hard_s) == offsetof(struct sb_flow, group) + 6,
               "priority and table, and group and timeouts, lie side by side");

/* Rules of one policy differ in addresses and ports only: the bytes of the last one are used again.
 * Does the row have the shape of the other? */
static inline bool
same_shape(const struct sb_flow *a, const struct sb_flow *b)
{
    return a->fields == b->fields && memcmp(&a->priority, &b->priority, 4) == 0 &&
           memcmp(&a->group, &b->group, 8) == 0;
}

static struct of_flow_mod
mod_of_row(const struct sb_flow *row, uint8_t command, uint32_t buffer_id,
           const struct of_action *action)
{
    struct of_flow_mod mod = {
        .cookie = row->cookie,
        .cookie_mask = UINT64_MAX, /* what is changed or deleted is ours; an ADD ignores it */
        .table_id = row->table_id,
        .command = command,
        .idle_s = row->idle_s,
        .hard_s = row->hard_s,
        .priority = row->priority,
        .flags = OFPFF_SEND_FLOW_REM,
        .buffer_id = buffer_id,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .actions = action,
        .n_actions = command == OFPFC_DELETE_STRICT ? 0 : 1,
    };

    match_of_row(row, &mod.match);
    return mod;
}

static bool
send_row(struct ctl_conn *conn, const struct sb_flow *row, uint8_t command, uint32_t buffer_id)
{
    struct of_action output = {.type = row->group != 0 ? OF_A_GROUP : OF_A_OUTPUT,
                               .port = row->output,
                               .group = row->group};
    struct of_flow_mod mod;
    struct of_buffer b;

    if (!ctl_conn_room(conn, FLOW_MOD_MAX, &b))
        return false;
    mod = mod_of_row(row, command, buffer_id, &output);
    of_put_flow_mod(&b, conn->version,
                    ctl_conn_request(conn, CTL_R_FLOW, ctl_request_row(row->cookie)), &mod);
    if (b.full) { /* the version has no such rule (a port beyond 0xff00 in 1.0) */
        conn->worker->counters.dropped_malformed++;
        return false;
    }
    ctl_conn_wrote(conn, &b);
    return true;
}

static __attribute__((noinline, cold)) const struct of_template *
make_template(struct ctl_conn *conn, const struct sb_flow *row)
{
    struct ctl_worker *worker = conn->worker;
    struct of_template *template = &worker->templates[conn->version == OF13];
    struct of_action output = {.type = OF_A_OUTPUT, .port = row->output};
    struct of_flow_mod mod = mod_of_row(row, OFPFC_ADD, OF_NO_BUFFER, &output);

    worker->templates_of[conn->version == OF13] = *row;
    template->size = 0;
    if (row->group != 0 || !of_template_make(template, conn->version, &mod))
        return NULL; /* which is remembered, too */
    return template;
}

static inline bool
no_port_of_10(uint32_t port)
{
    return port >= OF10_PORTS && port < OFPP_MAX;
}

/* The template for a rule like this, or NULL. */
static inline const struct of_template *
template_of(struct ctl_conn *conn, const struct sb_flow *row)
{
    const struct of_template *template = &conn->worker->templates[conn->version == OF13];

    if (conn->version == OF10 && (no_port_of_10(row->output) || no_port_of_10(row->in_port)))
        return NULL; /* a host that is behind a port of 1.3 still: encoding it will be refused */
    if (same_shape(&conn->worker->templates_of[conn->version == OF13], row))
        return template->size != 0 ? template : NULL;
    return make_template(conn, row);
}

/* The ADD of a decision for which there is no template or no room at hand. */
static __attribute__((noinline)) bool
send_unusual(struct ctl_conn *conn, const struct sb_flow *row, const struct ctl_packet *packet)
{
    uint32_t buffer_id = packet != NULL ? packet->buffer_id : OF_NO_BUFFER;

    if (!send_row(conn, row, OFPFC_ADD, buffer_id))
        return false;
    if (packet != NULL && buffer_id == OF_NO_BUFFER)
        ctl_conn_packet_out_to(conn, buffer_id, packet->in_port, row->output, packet->frame.data,
                               packet->frame.size);
    return true;
}

/* The ADD of a decision, and the packet it was made for, if it is to follow its rule. */
static inline bool
send_add(struct ctl_conn *conn, const struct sb_flow *row, const struct ctl_packet *packet)
{
    const struct of_template *template = template_of(conn, row);
    struct of_patch patch = {.cookie = row->cookie,
                             .in_port = row->in_port,
                             .output = row->output,
                             .eth_src = row->eth_src,
                             .eth_dst = row->eth_dst};
    struct of_buffer b;

    if (packet == NULL || template == NULL || row->in_port != packet->in_port ||
        packet->frame.size > OF_ANSWER_PACKET_MAX ||
        !ctl_conn_room_fast(conn, OF_ANSWER_MAX + packet->frame.size, &b))
        return send_unusual(conn, row, packet);
    patch.buffer_id = packet->buffer_id;
    patch.xid = ctl_conn_request(conn, CTL_R_FLOW, ctl_request_row(row->cookie));
    if (packet->buffer_id == OF_NO_BUFFER) {
        patch.out_xid = ctl_conn_xid(conn);
        of_put_answer(&b, template, &patch, packet->frame.data, packet->frame.size);
        conn->worker->counters.packet_outs++;
    } else {
        of_put_template(&b, template, &patch);
    }
    ctl_conn_wrote(conn, &b);
    return true;
}

/* Makes room for one more. False: there is no ring at all. */
static __attribute__((noinline, cold)) bool
grow_unconfirmed(struct ctl_conn *conn)
{
    uint32_t size = conn->unconfirmed_size == 0 ? 64 : conn->unconfirmed_size * 2;
    const struct ctl_sent *oldest;
    struct ctl_sent *bigger;

    if (size > UNCONFIRMED_MAX || (bigger = malloc(size * sizeof(*bigger))) == NULL) {
        if (conn->unconfirmed == NULL)
            return false;
        /* the oldest stays in state sent, until it is sent once more: honest, if less helpful */
        oldest = &conn->unconfirmed[conn->unconfirmed_first++ & (conn->unconfirmed_size - 1)];
        if (!oldest->stood)
            ctl_standing_forget(conn->worker, oldest->slot);
        return true;
    }
    for (uint32_t i = conn->unconfirmed_first; i != conn->unconfirmed_end; i++)
        bigger[i & (size - 1)] = conn->unconfirmed[i & (conn->unconfirmed_size - 1)];
    free(conn->unconfirmed);
    conn->unconfirmed = bigger;
    conn->unconfirmed_size = size;
    return true;
}

static inline void
remember_unconfirmed(struct ctl_conn *conn, int64_t slot, const struct sb_flow *row, bool stood)
{
    if (conn->unconfirmed_end - conn->unconfirmed_first == conn->unconfirmed_size &&
        !grow_unconfirmed(conn))
        return;
    conn->unconfirmed[conn->unconfirmed_end++ & (conn->unconfirmed_size - 1)] =
        (struct ctl_sent){.t_ns = conn->worker->now_ns,
                          .slot = (uint32_t)slot,
                          .generation = (uint16_t)(row->cookie >> 32),
                          .stood = stood};
    conn->flows_since_barrier = true;
}

/* Takes over from the row that stands what only sending changes. True if they are the same then:
 * output, group, timeouts and policy lie side by side. */
static inline bool
stands(const struct sb_flow *standing, struct sb_flow *row)
{
    row->cookie = standing->cookie;
    row->decided_ns = standing->decided_ns;
    row->sent_ns = standing->sent_ns;
    row->barrier_ns = standing->barrier_ns;
    row->state = standing->state;
    return (row->state == SB_flow_state_INSTALLED || row->state == SB_flow_state_SENT) &&
           row->hard_s == 0 && row->path_id == standing->path_id &&
           memcmp(&row->output, &standing->output,
                  offsetof(struct sb_flow, state) - offsetof(struct sb_flow, output)) == 0;
}

bool
ctl_flow_again(struct ctl_conn *conn, const struct ctl_standing *standing, struct sb_flow *row,
               const struct ctl_packet *packet)
{
    struct ctl_worker *worker = conn->worker;

    if (conn->held_until_ns > worker->mono_ns)
        return ctl_flow_hold(conn, row, packet);
    row->cookie = make_cookie(worker, standing->slot, (uint16_t)standing->hash);
    if (!send_add(conn, row, packet))
        return false;
    remember_unconfirmed(conn, standing->slot, row, true); /* its row is as it would be written */
    worker->counters.flows++;
    return true;
}

bool
ctl_flow_install(struct ctl_worker *worker, struct ctl_conn *conn, struct sb_flow *row,
                 uint64_t hash, int64_t slot, const struct ctl_packet *packet)
{
    const struct sb_flow *standing;
    int64_t victim = SB_ENONE;
    bool same = false;

    if (conn == NULL || conn->state != CTL_READY)
        return false;
    if (conn->held_until_ns > worker->mono_ns)
        return ctl_flow_hold(conn, row, packet);
    standing = sb_find_values(worker->flow, row, hash, &slot);
    if (standing != NULL) {
        same = stands(standing, row);
        if (!names(worker, row->cookie, slot)) {
            row->cookie = make_cookie(worker, slot, sb_generation(worker->flow, slot));
            same = false;
        }
    } else {
        slot = sb_slot_for(worker->flow, hash, &victim);
        if (slot < 0)
            return false; /* cannot be: the table evicts */
        row->cookie = make_cookie(worker, slot, (uint16_t)(sb_generation(worker->flow, slot) + 1));
    }
    if (!send_add(conn, row, packet))
        return false;
    if (!same) {
        row->state = SB_flow_state_SENT;
        row->decided_ns = row->sent_ns = worker->now_ns;
        row->barrier_ns = 0;
    }
    if (standing == NULL) {
        ctl_standing_forget(worker, victim);
        ctl_rows_add(worker->rows, row->dpid, sb_insert_hashed(worker->flow, row, hash));
    } else if (!same) {
        ctl_flow_write(worker, slot, row);
    }
    ctl_standing_note(worker, conn, hash, slot, row, packet);
    remember_unconfirmed(conn, slot, row, same && row->state == SB_flow_state_INSTALLED);
    worker->counters.flows++;
    return true;
}

/* ---- barriers ------------------------------------------------------------------------------ */

#define N_BARRIERS 16

void
ctl_flow_barrier(struct ctl_conn *conn)
{
    struct ctl_barrier *barrier;
    struct of_buffer b;

    /* With all slots in flight the next turn's barrier covers these rules too. */
    if (!conn->flows_since_barrier || conn->barriers_end - conn->barriers_first == N_BARRIERS ||
        !ctl_conn_room(conn, OF_HEADER_SIZE, &b))
        return;
    barrier = &conn->barriers[conn->barriers_end++ % N_BARRIERS];
    barrier->xid = ctl_conn_xid(conn);
    barrier->end = conn->unconfirmed_end;
    barrier->sent_mono_ns = conn->worker->mono_ns;
    of_put_header(&b, conn->version, OFPT13_BARRIER_REQUEST, barrier->xid);
    conn->out_end += b.len;
    conn->flows_since_barrier = false;
}

#define BARRIER_AHEAD 8 /* rows fetched ahead of the one that is confirmed */

static void
prefetch_unconfirmed(const struct ctl_conn *conn, uint32_t i, uint32_t end)
{
    const struct ctl_sent *sent = &conn->unconfirmed[i & (conn->unconfirmed_size - 1)];

    if ((int32_t)(end - i) > 0 && !sent->stood)
        sb_prefetch_at(conn->worker->flow, sent->slot);
}

/* A rule that was sent is there (or, state sent, nobody has said so in time). */
static void
confirm(struct ctl_conn *conn, const struct ctl_sent *sent, enum sb_flow_state state)
{
    struct ctl_worker *worker = conn->worker;
    const struct sb_flow *standing;
    struct sb_flow row;

    if (sent->stood)
        return;
    standing = sb_peek_values(worker->flow, sent->slot);
    /* another one's slot by now; or sent once more after the barrier, with something else: behind
     * the next one, then; or there already, by an earlier barrier */
    if (standing == NULL || (uint16_t)(standing->cookie >> 32) != sent->generation ||
        standing->sent_ns > sent->t_ns || standing->state != SB_flow_state_SENT)
        return;
    if (state != SB_flow_state_INSTALLED) /* so that it is confirmed when it is sent once more */
        ctl_standing_forget(worker, sent->slot);
    memcpy(&row.cookie, &standing->cookie, sizeof(row) - offsetof(struct sb_flow, cookie));
    row.state = (uint8_t)state;
    row.barrier_ns = state == SB_flow_state_INSTALLED ? worker->now_ns : 0;
    sb_write_values(worker->flow, sent->slot, &row);
}

void
ctl_flow_barrier_reply(struct ctl_conn *conn, uint32_t xid)
{
    uint32_t i, end;

    /* Replies come in order; one that is missing is covered by the next. */
    for (i = conn->barriers_first; i != conn->barriers_end; i++)
        if (conn->barriers[i % N_BARRIERS].xid == xid)
            break;
    if (i == conn->barriers_end) {
        conn->worker->counters.unasked++;
        return;
    }
    end = conn->barriers[i % N_BARRIERS].end;
    conn->barriers_first = i + 1;
    for (uint32_t j = 0; j < BARRIER_AHEAD; j++)
        prefetch_unconfirmed(conn, conn->unconfirmed_first + j, end);
    while ((int32_t)(end - conn->unconfirmed_first) > 0) {
        prefetch_unconfirmed(conn, conn->unconfirmed_first + BARRIER_AHEAD, end);
        confirm(conn, &conn->unconfirmed[conn->unconfirmed_first++ & (conn->unconfirmed_size - 1)],
                SB_flow_state_INSTALLED);
    }
    if (conn->barriers_first == conn->barriers_end && conn->flows_since_barrier) {
        struct of_buffer none = {0};

        ctl_flow_barrier(conn);
        ctl_conn_wrote(conn, &none); /* so that this turn writes it */
    }
}

void
ctl_flow_timers(struct ctl_conn *conn)
{
    const struct ctl_barrier *oldest = &conn->barriers[conn->barriers_first % N_BARRIERS];

    if (conn->barriers_first == conn->barriers_end ||
        conn->worker->mono_ns - oldest->sent_mono_ns < CTL_BARRIER_NS)
        return;
    ctl_conn_late(conn, "a barrier", oldest->xid, CTL_BARRIER_NS);
    while ((int32_t)(oldest->end - conn->unconfirmed_first) > 0)
        confirm(conn, &conn->unconfirmed[conn->unconfirmed_first++ & (conn->unconfirmed_size - 1)],
                SB_flow_state_SENT);
    conn->barriers_first++;
}

/* ---- what the switch tells ----------------------------------------------------------------- */

/* Was the rule in this slot sent after t_ns? Its row may not say so yet; then it is among the last
 * that were sent, and only of those some are looked at: a switch that never confirms anything has
 * tens of thousands, and may say of any rule, as often as it likes, that it ended. */
static bool
sent_after(const struct ctl_conn *conn, int64_t slot, uint64_t t_ns)
{
    uint32_t n = conn->unconfirmed_end - conn->unconfirmed_first;

    for (uint32_t i = 1; i <= n && i <= SENT_LOOKED_AT; i++) {
        const struct ctl_sent *sent =
            &conn->unconfirmed[(conn->unconfirmed_end - i) & (conn->unconfirmed_size - 1)];

        if (sent->t_ns <= t_ns)
            return false; /* so are all before it */
        if (sent->slot == slot)
            return true;
    }
    return false;
}

void
ctl_flow_removed(struct ctl_conn *conn, const struct of_flow_removed *removed)
{
    int64_t slot = ctl_flow_find(conn, &removed->match, removed->priority, removed->table_id);
    const struct sb_flow *row = sb_peek(conn->worker->flow, slot);
    uint64_t age = removed->duration_s * SB_SECOND + removed->duration_ns;
    uint64_t sent_ns = conn->worker->now_ns - age + CLOCK_SLACK_NS + age / CLOCK_DRIFT;

    /* A rule that was sent again after this one ended is not the one that ended: its age tells. */
    if (row == NULL || row->cookie != removed->cookie || row->sent_ns > sent_ns ||
        sent_after(conn, slot, sent_ns))
        return;
    ctl_flow_remove(conn->worker, slot);
}

/* The row a refused flow-mod was about: by what is remembered of its xid, else by the cookie that
 * the error quotes. The slot may have another row by now. */
static int64_t
refused_row(const struct ctl_conn *conn, const struct of_error_msg *error, int64_t slot)
{
    uint64_t cookie;
    bool quoted = of_refused_cookie(error, &cookie);
    const struct sb_flow *row;

    if (slot < 0 && (!quoted || row_of_cookie(conn->worker, cookie, &slot) == NULL))
        return SB_ENONE;
    row = sb_peek(conn->worker->flow, slot);
    if (row == NULL || row->dpid != conn->features.dpid || (quoted && row->cookie != cookie))
        return SB_ENONE;
    return slot;
}

void
ctl_flow_refused(struct ctl_conn *conn, const struct of_error_msg *error, int64_t slot, bool tell)
{
    static struct sb_log_limit limit;
    struct sb_flow row;
    uint64_t cookie;

    if (of_refused_cookie(error, &cookie) && cookie == CTL_COOKIE_TABLE_MISS)
        ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_ERROR,
                         conn->features.dpid, 0,
                         "table-miss rule refused (type %u code %u): no packet will reach us",
                         error->type, error->code);
    slot = refused_row(conn, error, slot);
    if (sb_get(conn->worker->flow, slot, &row) != SB_OK)
        return;
    row.state = SB_flow_state_REFUSED;
    ctl_flow_write(conn->worker, slot, &row);
    if (!tell || !sb_log_allowed(&limit, 10, NULL))
        return;
    ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_WARNING, row.dpid, 0,
                     "flow %016lx refused: error type %u code %u", row.cookie, error->type,
                     error->code);
}

/* ---- for reconcile.c ----------------------------------------------------------------------- */

bool
ctl_flow_send_again(struct ctl_conn *conn, int64_t slot, uint8_t command)
{
    struct ctl_worker *worker = conn->worker;
    struct sb_flow row = *(const struct sb_flow *)sb_peek(worker->flow, slot);

    if (command == OFPFC_ADD && !names(worker, row.cookie, slot))
        row.cookie = make_cookie(worker, slot, sb_generation(worker->flow, slot));
    row.state = SB_flow_state_SENT;
    row.sent_ns = worker->now_ns;
    row.barrier_ns = 0;
    if (!send_row(conn, &row, command, OF_NO_BUFFER))
        return false;
    ctl_flow_write(worker, slot, &row);
    remember_unconfirmed(conn, slot, &row, false);
    return true;
}

/* ---- deleting ------------------------------------------------------------------------------ */

void
ctl_flow_write(struct ctl_worker *worker, int64_t slot, const struct sb_flow *row)
{
    ctl_standing_forget(worker, slot);
    sb_write_values(worker->flow, slot, row);
}

int
ctl_flow_remove(struct ctl_worker *worker, int64_t slot)
{
    ctl_standing_forget(worker, slot);
    return sb_remove(worker->flow, slot);
}

static int
compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void
delete_row(struct ctl_worker *worker, int64_t slot)
{
    const struct sb_flow *row = sb_peek(worker->flow, slot);
    struct ctl_conn *conn = ctl_worker_conn(worker, row->dpid);

    /* also while it connects: its rules may have been read back already */
    if (conn != NULL && conn->registered)
        send_row(conn, row, OFPFC_DELETE_STRICT, OF_NO_BUFFER);
    ctl_flow_remove(worker, slot);
}

/* A path that went over a dead port is void from its ingress on: were only the rule at the break to
 * go, packets would still run up to it and have to be turned round there. */
static void
flush_paths(struct ctl_worker *worker, uint64_t *paths, size_t n)
{
    struct ctl_app *app = worker->app;

    qsort(paths, n, sizeof(*paths), compare_ids);
    for (unsigned i = 0; i < app->n_workers; i++) {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_FLUSH_PATHS, 0, n * sizeof(*paths));

        memcpy(mail->data, paths, n * sizeof(*paths));
        ctl_post(&app->workers[i].mailbox, mail);
    }
}

void
ctl_flow_delete_paths(struct ctl_worker *worker, const uint64_t *paths, size_t n)
{
    for (int64_t slot = -1; (slot = sb_next(worker->flow, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);

        if (row->path_id != 0 && bsearch(&row->path_id, paths, n, sizeof(*paths), compare_ids))
            delete_row(worker, slot);
    }
}

void
ctl_flow_delete_port(struct ctl_conn *conn, uint32_t port)
{
    struct ctl_worker *worker = conn->worker;
    struct of_flow_mod mod = {
        .cookie = CTL_COOKIE_TAG << 48,
        .cookie_mask = CTL_COOKIE_MASK,
        .table_id = OFPTT_ALL,
        .command = OFPFC_DELETE,
        .buffer_id = OF_NO_BUFFER,
        .out_port = port,
        .out_group = OFPG_ANY,
    };
    uint64_t paths[1024];
    struct of_buffer b;
    size_t n = 0;

    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->rows, worker->flow, conn->features.dpid, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);

        if (row->group != 0)
            continue; /* multicast.c keeps its buckets true and deletes what comes in by the port */
        if (row->output == OFPP_IN_PORT && row->in_port == port) {
            if (row->path_id != 0)
                paths[n++] = row->path_id;
            delete_row(worker, slot); /* no filter by output port finds it in the switch */
        } else if (row->output != port) {
            continue;
        } else if (conn->version == OF10) { /* one by one: 1.0 has no filter by cookie */
            if (row->path_id != 0)
                paths[n++] = row->path_id;
            delete_row(worker, slot);
        } else {
            if (row->path_id != 0)
                paths[n++] = row->path_id;
            ctl_flow_remove(worker, slot);
        }
        if (n == sizeof(paths) / sizeof(paths[0])) {
            flush_paths(worker, paths, n);
            n = 0;
        }
    }
    if (n > 0)
        flush_paths(worker, paths, n);
    if (conn->version == OF10 || !ctl_conn_room(conn, 128, &b))
        return;
    of_put_flow_mod(&b, conn->version, ctl_conn_xid(conn), &mod);
    ctl_conn_wrote(conn, &b);
    conn->flows_since_barrier = true;
}

void
ctl_flow_delete_void(struct ctl_conn *conn, bool (*carries)(const struct ctl_net_port *port))
{
    struct ctl_worker *worker = conn->worker;

    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->rows, worker->flow, conn->features.dpid, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);
        const struct ctl_net_port *port;
        uint32_t output;

        if (row->group != 0)
            continue;
        output = row->output == OFPP_IN_PORT ? row->in_port : row->output;
        port = ctl_net_port(conn->sw, output);
        if (port == NULL || !carries(port))
            ctl_flow_delete_port(conn, output);
    }
}

void
ctl_flow_delete_mac(struct ctl_worker *worker, const uint8_t *mac)
{
    for (int64_t slot = -1; (slot = sb_next(worker->flow, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);

        if (((row->fields & SB_MATCH_ETH_DST) && memcmp(row->eth_dst, mac, 6) == 0) ||
            ((row->fields & SB_MATCH_ETH_SRC) && memcmp(row->eth_src, mac, 6) == 0))
            delete_row(worker, slot);
    }
}

void
ctl_flow_delete(struct ctl_worker *worker, int64_t slot)
{
    delete_row(worker, slot);
}

/* ---- for requests.c ------------------------------------------------------------------------ */

bool
ctl_flow_without_buffer(struct ctl_conn *conn, const struct of_error_msg *error, int64_t slot)
{
    slot = refused_row(conn, error, slot);
    return slot >= 0 && ctl_flow_send_again(conn, slot, OFPFC_ADD);
}
