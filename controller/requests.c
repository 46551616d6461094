/* SPDX-License-Identifier: Apache-2.0
 *
 * requests.c - what was asked of a switch lately, by xid: which request an error refuses and what
 * is done about it, and which answers are late. Worker thread only.
 *
 * Each connection remembers its last CTL_REQUESTS requests that change something, in a ring whose
 * index is the xid: nothing is allocated or searched. An error whose xid is not there any more is
 * judged by the piece of the request that it quotes.
 *
 * HELLO_FAILED, BAD_VERSION: the connection ends, it would never be of use.
 *
 * TABLE_FULL: the rule is refused; for a while no new ones are sent, and packets go by the
 * controller (backed off, 1 s to 64 s). EPERM, IS_SLAVE: the same, another controller is master.
 *
 * BUFFER_EMPTY, BUFFER_UNKNOWN: the packet is lost with its buffer; the rule is sent again without.
 * A switch that says so all the time has its buffers named no more.
 *
 * GROUP_EXISTS, UNKNOWN_GROUP, BAD_OUT_GROUP: multicast.c sends MODIFY, or the group again and then
 * its rules.
 *
 * All others: the rule is refused (flows.c).
 */
#include "controller.h"

#include <stdio.h>

#include <trivet/clock.h>

#include "connection.h"

#define HOLD_MIN_S 1
#define HOLD_MAX_S 64
#define HOLD_FORGET_NS                                                                             \
    (60 * SB_SECOND) /* without a refusal: the next hold is a short one again                      \
                      */

/* ---- remembering -------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [CTL_R_NONE] = "something", [CTL_R_FLOW] = "a rule",       [CTL_R_RULE] = "a permanent rule",
    [CTL_R_GROUP] = "a group",  [CTL_R_BARRIER] = "a barrier", [CTL_R_LIST] = "a list",
};

static enum ctl_request_kind
recall(const struct ctl_conn *conn, uint32_t xid, uint32_t *ret_row)
{
    const struct ctl_request *request = &conn->requests[xid % CTL_REQUESTS];

    if (request->xid != xid || request->what == 0)
        return CTL_R_NONE;
    *ret_row = request->what & 0xfffffff;
    return (enum ctl_request_kind)(request->what >> 28);
}

/* The slot of the rule that a request was for, if it is still that rule's. */
static int64_t
slot_of(const struct ctl_conn *conn, uint32_t row)
{
    int64_t slot = row & 0xffffff;
    const struct sb_flow *standing = sb_peek(conn->worker->flow, slot);

    return standing != NULL && ctl_request_row(standing->cookie) == row ? slot : SB_ENONE;
}

/* ---- answers -------------------------------------------------------------------------------- */

uint32_t
ctl_conn_await(struct ctl_conn *conn, enum ctl_request_kind kind, uint32_t row)
{
    uint32_t xid = ctl_conn_request(conn, kind, row);

    /* with all places taken the oldest is not watched any more */
    if (conn->n_awaited == CTL_AWAITED)
        memmove(conn->awaited, conn->awaited + 1, --conn->n_awaited * sizeof(conn->awaited[0]));
    conn->awaited[conn->n_awaited++] =
        (struct ctl_awaited){.xid = xid, .kind = kind, .sent_ns = conn->worker->mono_ns};
    return xid;
}

bool
ctl_conn_answered(struct ctl_conn *conn, uint32_t xid)
{
    for (unsigned i = 0; i < conn->n_awaited; i++)
        if (conn->awaited[i].xid == xid) {
            conn->n_awaited--;
            memmove(conn->awaited + i, conn->awaited + i + 1,
                    (conn->n_awaited - i) * sizeof(conn->awaited[0]));
            return true;
        }
    return false;
}

void
ctl_conn_late(struct ctl_conn *conn, const char *what, uint32_t xid, uint64_t ns)
{
    static struct sb_log_limit limit;
    unsigned more = 0;

    conn->worker->counters.late_answers++;
    if (sb_log_allowed(&limit, 5, &more))
        sb_warning("switch %016lx: no answer to %s (xid %u) for %lu s, going on without (%u more "
                   "not logged)",
                   conn->features.dpid, what, xid, ns / SB_SECOND, more);
}

void
ctl_requests_timers(struct ctl_conn *conn)
{
    uint64_t now = conn->worker->mono_ns;

    while (conn->n_awaited > 0 && now - conn->awaited[0].sent_ns > CTL_BARRIER_NS) {
        struct ctl_awaited late = conn->awaited[0];

        ctl_conn_answered(conn, late.xid);
        ctl_conn_late(conn, kind_names[late.kind], late.xid, now - late.sent_ns);
    }
}

/* ---- errors ------------------------------------------------------------------------------------
 */

enum meaning { M_OTHER, M_HELLO, M_VERSION, M_SLAVE, M_BUFFER, M_FULL };

/* OpenFlow 1.3 section 7.4.4, 1.0 section 5.4.4 */
static const struct {
    uint8_t version;
    uint16_t type, code;
    enum meaning meaning;
} meanings[] = {
    {OF13, 1, 0, M_VERSION}, /* BAD_REQUEST/BAD_VERSION */
    {OF13, 1, 5, M_SLAVE},   /* BAD_REQUEST/EPERM */
    {OF13, 1, 7, M_BUFFER},  /* BAD_REQUEST/BUFFER_EMPTY */
    {OF13, 1, 8, M_BUFFER},  /* BAD_REQUEST/BUFFER_UNKNOWN */
    {OF13, 1, 10, M_SLAVE},  /* BAD_REQUEST/IS_SLAVE */
    {OF13, 5, 1, M_FULL},    /* FLOW_MOD_FAILED/TABLE_FULL */
    {OF13, 5, 4, M_SLAVE},   /* FLOW_MOD_FAILED/EPERM */
    {OF13, 6, 14, M_SLAVE},  /* GROUP_MOD_FAILED/EPERM */
    {OF10, 1, 0, M_VERSION}, {OF10, 1, 5, M_SLAVE}, {OF10, 1, 7, M_BUFFER},
    {OF10, 1, 8, M_BUFFER},  {OF10, 3, 0, M_FULL},  {OF10, 3, 2, M_SLAVE},
};

static enum meaning
meaning_of(uint8_t version, const struct of_error_msg *error)
{
    if (error->type == OFPET_HELLO_FAILED)
        return M_HELLO;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].version == version && meanings[i].type == error->type &&
            meanings[i].code == error->code)
            return meanings[i].meaning;
    return M_OTHER;
}

/* A full table refuses by the thousand, so not every refusal gets its line. */
static void
log_refusal(const struct ctl_conn *conn, const struct of_error_msg *error,
            enum ctl_request_kind kind)
{
    static struct sb_log_limit limit;
    char name[32], text[64], others[40] = "";
    unsigned more = 0;

    if (!sb_log_allowed(&limit, 10, &more))
        return;
    if (more > 0)
        snprintf(others, sizeof(others), " (%u more not logged)", more);
    if (kind == CTL_R_NONE) /* what it quotes is all we know */
        of_type_name(conn->version, error->request_type, name, sizeof(name));
    else
        snprintf(name, sizeof(name), "%s", kind_names[kind]);
    sb_warning("switch %016lx: refused %s of ours (xid %u): %s%s", conn->features.dpid, name,
               error->request_xid,
               of_error_text(conn->version, error->type, error->code, text, sizeof(text)), others);
}

/* No new rules for a while: each would be refused as well, and its packets go by the controller
 * anyway. */
static void
hold_rules(struct ctl_conn *conn, const char *why)
{
    uint64_t now = conn->worker->mono_ns;

    if (now < conn->held_until_ns)
        return; /* it was sent before the first refusal came */
    if (conn->hold_s == 0 || now - conn->held_until_ns > HOLD_FORGET_NS)
        conn->hold_s = HOLD_MIN_S;
    else if (conn->hold_s < HOLD_MAX_S)
        conn->hold_s *= 2;
    conn->held_until_ns = now + conn->hold_s * SB_SECOND;
    sb_warning("switch %016lx: %s: no new rules for %u s, packets go by the controller",
               conn->features.dpid, why, conn->hold_s);
    ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_WARNING, conn->features.dpid,
                     0, "%s: no new rules for %u s, packets go by the controller", why,
                     conn->hold_s);
}

/* One that says so of every buffer would have every rule twice, for as long as it likes. */
static bool
buffers_may_be_lost(struct ctl_conn *conn)
{
    uint64_t now = conn->worker->mono_ns;

    if (conn->no_buffers)
        return false;
    if (now - conn->buffers_since_ns > CTL_BUFFERS_NS) {
        conn->buffers_since_ns = now;
        conn->n_buffers_lost = 0;
    }
    if (++conn->n_buffers_lost <= CTL_BUFFERS_MAX)
        return true;
    conn->no_buffers = true;
    sb_warning("switch %016lx: has lost %u buffers within %u s: they are not used any more",
               conn->features.dpid, CTL_BUFFERS_MAX, (unsigned)(CTL_BUFFERS_NS / SB_SECOND));
    ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_WARNING, conn->features.dpid,
                     0, "%u buffers lost within %u s: they are not used any more", CTL_BUFFERS_MAX,
                     (unsigned)(CTL_BUFFERS_NS / SB_SECOND));
    return false;
}

bool
ctl_flow_hold(struct ctl_conn *conn, struct sb_flow *row, const struct ctl_packet *packet)
{
    conn->worker->counters.flows_held++;
    row->cookie = 0;
    row->state = SB_flow_state_REFUSED;
    if (packet != NULL && row->group == 0) /* the rule would have sent it on its way */
        ctl_conn_packet_out_to(conn, packet->buffer_id, packet->in_port, row->output,
                               packet->frame.data, packet->frame.size);
    return true;
}

/* What the switch says, if it is readable. */
static void
close_hello_failed(struct ctl_conn *conn, const struct of_error_msg *error)
{
    char text[64];
    size_t n = error->data_size < sizeof(text) - 1 ? error->data_size : sizeof(text) - 1;

    memcpy(text, error->data, n);
    text[n] = '\0';
    ctl_conn_close(conn, SB_severity_WARNING, "it refuses our HELLO: '%s'", text);
}

void
ctl_conn_refused(struct ctl_conn *conn, const struct of_error_msg *error)
{
    uint32_t row = 0;
    enum ctl_request_kind kind = recall(conn, error->request_xid, &row);
    enum meaning meaning = meaning_of(conn->version, error);
    int64_t slot = kind == CTL_R_FLOW ? slot_of(conn, row) : SB_ENONE;

    conn->worker->counters.errors++;
    if (kind == CTL_R_NONE)
        conn->worker->counters.errors_unmatched++;
    ctl_conn_answered(conn, error->request_xid);
    if (meaning == M_HELLO) {
        close_hello_failed(conn, error);
        return;
    }
    if (meaning == M_VERSION) {
        ctl_conn_close(conn, SB_severity_WARNING,
                       "it answers BAD_VERSION, after version %u was agreed", conn->version);
        return;
    }
    if (!conn->registered)
        return; /* it has been asked for nothing else that could be refused */
    log_refusal(conn, error, kind);
    switch (meaning) {
    case M_BUFFER:
        conn->worker->counters.lost_buffers++;
        if (buffers_may_be_lost(conn) && ctl_flow_without_buffer(conn, error, slot))
            return;
        break;
    case M_FULL:
        hold_rules(conn, "the flow table is full");
        break;
    case M_SLAVE:
        hold_rules(conn, "another controller is its master");
        break;
    case M_HELLO:
    case M_VERSION:
    case M_OTHER:
        break;
    }
    ctl_flow_refused(conn, error, slot, meaning == M_OTHER);
    ctl_multicast_error(conn, error);
}
