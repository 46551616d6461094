/* SPDX-License-Identifier: Apache-2.0
 *
 * handshake.c - from the first byte to a switch that is ready (OpenFlow 1.3 section 6.3, 6.4).
 *
 *   HELLO      versions are compared by bitmap, else by the lower header version
 *   FEATURES   gives the dpid, by which the connection moves to its worker
 *   WAIT       that dpid has connected too often lately, or the main thread is behind
 *   DUPLICATE  that dpid is connected already: the old connection is probed; it stays if it answers
 *   SETUP      ports, groups and flows are read from the switch; nothing is wiped
 *   BARRIER    the two rules every switch has (table-miss, discovery) are there
 *   READY
 *
 * Every state has a deadline. A switch that leaves a question of SETUP or BARRIER unanswered (load
 * generators do) is taken as ready after CTL_SETUP_NS, with what is known.
 */
#include "controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "connection.h"

#define VERSIONS (1u << OF13 | 1u << OF10)
#define PORTS_MAX 4096            /* of one switch, so that a peer cannot fill memory */
#define LISTS_NS (60 * SB_SECOND) /* for all lists, so that one without an end ends */

static void
put(struct ctl_conn *conn, uint8_t type, uint32_t xid)
{
    struct of_buffer b;

    if (!ctl_conn_room(conn, OF_HEADER_SIZE, &b))
        return;
    of_put_header(&b, conn->version, type, xid);
    ctl_conn_wrote(conn, &b);
}

void
ctl_handshake_start(struct ctl_conn *conn)
{
    struct of_buffer b;

    if (!ctl_conn_room(conn, 64, &b))
        return;
    of_put_hello(&b, OF13, ctl_conn_xid(conn), VERSIONS);
    ctl_conn_wrote(conn, &b);
}

/* ---- HELLO ------------------------------------------------------------------------ */

/* The highest version that both speak: of the bitmaps, or the lower of the two headers' (section
 * 6.3.1). 0: none. */
static uint8_t
common_version(const struct of_hello *hello, uint8_t version)
{
    uint32_t both = hello->bitmap & VERSIONS;

    if (hello->bitmap == 0)
        both = version >= OF13 ? 1u << OF13 : version == OF10 ? 1u << OF10 : 0;
    return both & 1u << OF13 ? OF13 : both != 0 ? OF10 : 0;
}

void
ctl_handshake_hello(struct ctl_conn *conn, const uint8_t *m)
{
    static const char text[] = "trivet speaks OpenFlow 1.3 and 1.0 (wire versions 4 and 1)";
    struct of_hello hello = {.bitmap = 0};
    struct of_where where;
    struct of_buffer b;

    if (conn->state != CTL_HELLO)
        return; /* a second hello changes nothing */
    /* A bitmap that cannot be decoded counts as none: the header version then decides. */
    if (of_decode_hello(m, &hello, &where) != OF_OK)
        hello.bitmap = 0;
    conn->version = common_version(&hello, m[0]);
    if (conn->version != 0) {
        put(conn, OFPT13_FEATURES_REQUEST, ctl_conn_xid(conn));
        ctl_conn_state(conn, CTL_FEATURES);
        return;
    }
    if (ctl_conn_room(conn, 128, &b)) {
        of_put_error(&b, m[0] < OF13 ? m[0] : OF13, of_get32(m + 4), OFPET_HELLO_FAILED,
                     OFPHFC_INCOMPATIBLE, text, sizeof(text) - 1);
        ctl_conn_wrote(conn, &b);
    }
    ctl_conn_close(conn, SB_severity_WARNING,
                   "no common OpenFlow version: HELLO of version %u, bitmap 0x%x; we speak 1.3 and "
                   "1.0 (versions 4 and 1)",
                   m[0], hello.bitmap);
}

/* ---- ports ------------------------------------------------------------------------------ */

static int
add_ports(struct ctl_conn *conn, struct of_cursor *list)
{
    static struct sb_log_limit limit;
    struct of_port port;
    int error;

    while ((error = of_next_port_v(conn->version, list, &port)) == 1) {
        struct of_port *more;

        if (conn->n_ports == PORTS_MAX) {
            if (sb_log_allowed(&limit, 1, NULL))
                sb_warning("switch %016lx: more than %d ports, the rest is not used",
                           conn->features.dpid, PORTS_MAX);
            return OF_OK;
        }
        more = realloc(conn->ports, (conn->n_ports + 1) * sizeof(*more));
        if (more == NULL)
            return OF_ENOSPACE;
        conn->ports = more;
        conn->ports[conn->n_ports++] = port;
    }
    return error;
}

/* OpenFlow 1.0 lists them in its FEATURES_REPLY. */
static void
take_ports10(struct ctl_conn *conn)
{
    struct of_cursor list = {.p = conn->features.ports, .left = conn->features.ports_size};
    int error = add_ports(conn, &list);

    conn->features.ports = NULL; /* it lies in the message */
    if (error != OF_OK)
        ctl_conn_close(conn, SB_severity_WARNING, "FEATURES_REPLY: bad port (%s)",
                       of_strerror(error));
}

/* ---- FEATURES, DUPLICATE -------------------------------------------------------------- */

void
ctl_handshake_features(struct ctl_conn *conn, const uint8_t *m)
{
    struct of_where where;

    if (conn->state != CTL_FEATURES || conn->registered || conn->features.dpid != 0)
        return; /* the first one counts */
    if (of_decode_features_reply(m, &conn->features, &where) != OF_OK)
        ctl_conn_close(conn, SB_severity_WARNING, "FEATURES_REPLY: bad %s", where.field);
    else if (conn->features.auxiliary_id != 0)
        ctl_conn_close(conn, SB_severity_INFO, "auxiliary connection %u: not used",
                       conn->features.auxiliary_id);
    else if (conn->features.dpid == 0)
        ctl_conn_close(conn, SB_severity_WARNING, "datapath id 0");
    else if (conn->version == OF10)
        take_ports10(conn);
}

static void
begin_setup(struct ctl_conn *conn)
{
    struct of_buffer b;

    if (!ctl_conn_room(conn, 256, &b)) { /* with thousands of our bytes unread there is none */
        ctl_conn_close(conn, SB_severity_WARNING, "it does not read, no room for the set-up");
        return;
    }
    if (conn->version == OF10) { /* has no groups; its ports came with the features */
        conn->multicast.refused = true;
    } else {
        conn->setup_ports_xid = ctl_conn_xid(conn);
        conn->setup_groups_xid = ctl_conn_xid(conn);
    }
    conn->setup_flows_xid = ctl_conn_xid(conn);
    of_put_set_config(&b, conn->version, ctl_conn_xid(conn), 0, OFPCML_NO_BUFFER);
    if (conn->version != OF10) {
        of_put_multipart_request(&b, conn->version, conn->setup_ports_xid, OFPMP_PORT_DESC, 0, NULL,
                                 0);
        of_put_multipart_request(&b, conn->version, conn->setup_groups_xid, OFPMP_GROUP_DESC, 0,
                                 NULL, 0);
    }
    of_put_flow_stats_request(&b, conn->version, conn->setup_flows_xid, 0, 0);
    ctl_conn_wrote(conn, &b);
    ctl_reconcile_begin(conn);
    ctl_conn_state(conn, CTL_SETUP);
    conn->setup_since_ns = conn->state_since_ns;
}

/* Does this dpid come too often? It counts once each time it comes. */
static bool
comes_too_often(struct ctl_worker *worker, uint64_t dpid, bool again)
{
    uint64_t hash = dpid * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    struct ctl_returns *returns = &worker->returns[hash & (CTL_RETURNS - 1)];

    if (returns->dpid != dpid || worker->mono_ns - returns->since_ns > CTL_RETURNS_NS)
        *returns = (struct ctl_returns){.dpid = dpid, .since_ns = worker->mono_ns};
    returns->n += !again;
    return returns->n > CTL_RETURNS_MAX;
}

static void
put_off(struct ctl_conn *conn)
{
    static struct sb_log_limit limit;

    if (conn->state == CTL_WAIT)
        return;
    conn->worker->counters.waited++;
    if (sb_log_allowed(&limit, 1, NULL))
        sb_warning("switch %016lx (%s): %s", conn->features.dpid, conn->address,
                   ctl_mailbox_busy(&conn->worker->app->mailbox)
                       ? "waits until earlier switches have been taken in"
                       : "has connected more than 20 times in 10 s, waits");
    ctl_conn_state(conn, CTL_WAIT);
}

void
ctl_handshake_proceed(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;
    struct ctl_conn *old = ctl_worker_conn(worker, conn->features.dpid);

    if (comes_too_often(worker, conn->features.dpid, conn->state == CTL_WAIT) ||
        ctl_mailbox_busy(&worker->app->mailbox)) {
        put_off(conn);
        return;
    }
    if (old == NULL) {
        ctl_worker_add_switch(worker, conn);
        begin_setup(conn);
        return;
    }
    ctl_conn_state(conn, CTL_DUPLICATE);
    conn->probed = old->id;
    put(old, OFPT13_ECHO_REQUEST, ctl_conn_xid(old));
}

/* The old connection is probed once; whoever answers keeps the dpid, so that a forged dpid cannot
 * push a living switch out, and a switch whose old connection died silently is back within a
 * second. */
static void
resolve_duplicate(struct ctl_conn *conn)
{
    struct ctl_conn *old = ctl_worker_conn(conn->worker, conn->features.dpid);

    if (old == NULL || old->id != conn->probed) {
        ctl_handshake_proceed(conn); /* which probes a new holder */
    } else if (old->last_rx_ns > conn->state_since_ns) {
        ctl_worker_event(conn->worker, SB_event_kind_ATTACK, SB_severity_WARNING,
                         conn->features.dpid, 0, "%s claims a dpid that %s holds", conn->address,
                         old->address);
        ctl_conn_close(conn, SB_severity_WARNING, "this dpid is connected from %s, which answers",
                       old->address);
    } else if (conn->worker->mono_ns - conn->state_since_ns > CTL_PROBE_NS) {
        ctl_conn_close(old, SB_severity_INFO, "it is silent, and %s came with the same dpid",
                       conn->address);
        ctl_handshake_proceed(conn);
    }
}

/* ---- SETUP -------------------------------------------------------------------------------- */

static void
end_setup(struct ctl_conn *conn)
{
    struct of_buffer b;

    ctl_reconcile_end(conn);
    ctl_reconcile_basic(conn);
    if (!ctl_conn_room(conn, OF_HEADER_SIZE, &b))
        return;
    conn->setup_barrier_xid = ctl_conn_xid(conn);
    of_put_header(&b, conn->version, OFPT13_BARRIER_REQUEST, conn->setup_barrier_xid);
    ctl_conn_wrote(conn, &b);
    ctl_conn_state(conn, CTL_BARRIER);
}

static void
answered(struct ctl_conn *conn, uint32_t *xid)
{
    *xid = 0;
    if (conn->state == CTL_SETUP && conn->setup_ports_xid == 0 && conn->setup_groups_xid == 0 &&
        conn->setup_flows_xid == 0)
        end_setup(conn);
}

static int
take_ports(struct ctl_conn *conn, const struct of_multipart *part)
{
    struct of_cursor body = {.p = part->body, .left = part->body_size};

    return add_ports(conn, &body);
}

static int
take_groups(struct ctl_conn *conn, const struct of_multipart *part)
{
    struct of_cursor body = {.p = part->body, .left = part->body_size};
    struct of_group_mod group;
    int error;

    while ((error = of_next_group(&body, &group)) == 1)
        ctl_reconcile_group(conn, &group);
    return error;
}

static int
take_flows(struct ctl_conn *conn, const struct of_multipart *part)
{
    struct of_cursor body = {.p = part->body, .left = part->body_size};
    struct of_flow flow;
    int error;

    while ((error = of_next_flow_v(conn->version, &body, &flow)) == 1)
        ctl_reconcile_flow(conn, &flow);
    return error;
}

/* The lists that are asked for. */
struct list {
    uint16_t type;
    const char *name, *without; /* what is missing when it is refused */
    int (*take)(struct ctl_conn *conn, const struct of_multipart *part);
    uint32_t parts_max, bytes_max; /* more has no switch */
};

static const struct list lists[CTL_N_LISTS] = {
    [CTL_LIST_PORTS] = {OFPMP_PORT_DESC, "PORT_DESC",
                        "its ports are found when packets come from them", take_ports, PORTS_MAX,
                        4u << 20},
    [CTL_LIST_GROUPS] = {OFPMP_GROUP_DESC, "GROUP_DESC", "its groups are not known", take_groups,
                         65536, 64u << 20},
    [CTL_LIST_FLOWS] = {OFPMP_FLOW, "FLOW", "none of its flows can be adopted", take_flows, 65536,
                        512u << 20},
};

/* False: it is longer than any switch's; the connection is closed. */
static bool
has_end(struct ctl_conn *conn, const struct list *list, const struct of_header *h)
{
    size_t i = (size_t)(list - lists);

    conn->setup_bytes[i] += h->length;
    if (++conn->setup_parts[i] <= list->parts_max && conn->setup_bytes[i] <= list->bytes_max)
        return true;
    ctl_conn_close(conn, SB_severity_WARNING,
                   "MULTIPART_REPLY %s has no end: %u parts, %lu bytes so far", list->name,
                   conn->setup_parts[i], conn->setup_bytes[i]);
    return false;
}

/* By the xid of the request, or NULL. */
static const struct list *
list_of(struct ctl_conn *conn, uint32_t xid, uint32_t **ret_xid)
{
    uint32_t *const xids[] = {&conn->setup_ports_xid, &conn->setup_groups_xid,
                              &conn->setup_flows_xid};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (xid != OF_XID_NONE && *xids[i] == xid) {
            *ret_xid = xids[i];
            return &lists[i];
        }
    return NULL;
}

void
ctl_handshake_multipart(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h)
{
    struct of_multipart part;
    struct of_where where = {.offset = 8, .field = "body"};
    int error = of_decode_multipart(m, &part, &where);
    uint32_t *xid;
    const struct list *list = list_of(conn, h->xid, &xid);

    if (conn->state != CTL_SETUP || list == NULL) {
        conn->worker->counters.unasked++;
        return;
    }
    if (!has_end(conn, list, h))
        return;
    if (error == OF_OK && part.type != list->type)
        error = OF_EVALUE;
    if (error == OF_OK)
        error = list->take(conn, &part);
    if (error != OF_OK) {
        ctl_conn_close(conn, SB_severity_WARNING, "MULTIPART_REPLY %s: %s at byte %u (%s)",
                       list->name, of_strerror(error), where.offset, where.field);
        return;
    }
    if (part.flags & OFPMPF_REPLY_MORE) {
        /* the deadline is for silence, not for long lists; their length has a limit */
        conn->state_since_ns = conn->worker->mono_ns;
        return;
    }
    if (list->type == OFPMP_FLOW)
        conn->flows_read = true;
    answered(conn, xid);
}

bool
ctl_handshake_refused(struct ctl_conn *conn, uint32_t xid)
{
    uint32_t *which;
    const struct list *list = list_of(conn, xid, &which);

    if (conn->state != CTL_SETUP || list == NULL)
        return false;
    sb_warning("switch %016lx: refuses %s: %s", conn->features.dpid, list->name, list->without);
    if (list->type == OFPMP_GROUP_DESC)
        conn->multicast.refused = true; /* it has none */
    answered(conn, which);
    return true;
}

/* ---- BARRIER, READY ---------------------------------------------------------------------------
 */

void
ctl_handshake_barrier(struct ctl_conn *conn)
{
    uint32_t n_multicast = ctl_multicast_ports(conn, NULL, 0);
    size_t size = sizeof(struct ctl_mail_switch) + conn->n_ports * sizeof(struct of_port) +
                  n_multicast * sizeof(uint32_t);
    struct ctl_mail *mail = ctl_mail_new(CTL_M_SWITCH_UP, conn->features.dpid, size);
    struct ctl_mail_switch *up = (void *)mail->data;

    ctl_conn_state(conn, CTL_READY);
    mail->conn = conn->id;
    up->features = conn->features;
    up->version = conn->version;
    up->worker = (uint16_t)conn->worker->index;
    up->n_ports = conn->n_ports;
    up->n_multicast = n_multicast;
    ctl_multicast_ports(conn, (uint32_t *)(void *)&up->ports[conn->n_ports], n_multicast);
    snprintf(up->address, sizeof(up->address), "%s", conn->address);
    if (conn->tls != NULL)
        snprintf(up->subject, sizeof(up->subject), "%s", ctl_tls_subject(conn->tls));
    if (conn->n_ports > 0)
        memcpy(up->ports, conn->ports, conn->n_ports * sizeof(struct of_port));
    free(conn->ports);
    conn->ports = NULL;
    conn->n_ports = 0;
    ctl_post(&conn->worker->app->mailbox, mail);
}

void
ctl_handshake_timers(struct ctl_conn *conn)
{
    uint64_t age = conn->worker->mono_ns - conn->state_since_ns;

    switch (conn->state) {
    case CTL_HELLO: /* since it was accepted: a TLS handshake counts */
        if (conn->worker->mono_ns - conn->opened_ns > CTL_HELLO_NS)
            ctl_conn_close(conn, SB_severity_WARNING, "no HELLO for %u s",
                           (unsigned)(CTL_HELLO_NS / SB_SECOND));
        break;
    case CTL_FEATURES:
        if (age > CTL_HELLO_NS)
            ctl_conn_close(conn, SB_severity_WARNING, "no FEATURES_REPLY for %u s",
                           (unsigned)(CTL_HELLO_NS / SB_SECOND));
        break;
    case CTL_WAIT:
        ctl_handshake_proceed(conn);
        break;
    case CTL_DUPLICATE:
        resolve_duplicate(conn);
        break;
    case CTL_SETUP:
        if (conn->worker->mono_ns - conn->setup_since_ns > LISTS_NS) {
            ctl_conn_close(conn, SB_severity_WARNING, "its lists have not ended after %u s",
                           (unsigned)(LISTS_NS / SB_SECOND));
            break;
        }
        if (age <= CTL_SETUP_NS)
            break;
        conn->worker->counters.late_answers++;
        sb_warning("switch %016lx: no answer to%s%s%s, going on without", conn->features.dpid,
                   conn->setup_ports_xid != 0 ? " PORT_DESC" : "",
                   conn->setup_groups_xid != 0 ? " GROUP_DESC" : "",
                   conn->setup_flows_xid != 0 ? " FLOW" : "");
        conn->setup_ports_xid = conn->setup_groups_xid = conn->setup_flows_xid = 0;
        end_setup(conn);
        break;
    case CTL_BARRIER:
        if (age <= CTL_SETUP_NS)
            break;
        conn->worker->counters.late_answers++;
        sb_warning("switch %016lx: no answer to the barrier (xid %u), going on without",
                   conn->features.dpid, conn->setup_barrier_xid);
        ctl_handshake_barrier(conn);
        break;
    case CTL_READY:
    case CTL_CLOSED:
        break;
    }
}
