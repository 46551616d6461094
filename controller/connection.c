/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - one OpenFlow connection: bytes in, messages dispatched, bytes out, liveness.
 *
 * Reading: one buffer per worker, shared by its connections; what is left of a message that is not
 * there whole is kept in conn->partial. Messages are decoded where they lie. Writing: everything a
 * turn produces goes into conn->out and out by one write at its end. A switch that reads too slowly
 * loses first the answers to its packets (beyond CTL_OUT_PACKETS bytes), then all but echo and
 * errors (beyond CTL_OUT_MAX), all counted; when a byte has waited for CTL_BLOCKED_NS it is closed.
 */
#include "controller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "policy/policy.h"

#define TLS_HANDSHAKE 22 /* what TLS begins with, where OpenFlow has its version */
#define EXPECT_LAG 12 /* packets between the two steps of expect(): what memory needs to answer */

static const char *const state_names[] = {
    [CTL_HELLO] = "hello",         [CTL_FEATURES] = "features", [CTL_WAIT] = "wait",
    [CTL_DUPLICATE] = "duplicate", [CTL_SETUP] = "setup",       [CTL_BARRIER] = "barrier",
    [CTL_READY] = "ready",         [CTL_CLOSED] = "closed",
};

void
ctl_conn_state(struct ctl_conn *conn, enum ctl_conn_state state)
{
    sb_debug("switch %016lx (%s): %s -> %s", conn->features.dpid, conn->address,
             state_names[conn->state], state_names[state]);
    conn->state = state;
    conn->state_since_ns = conn->worker->mono_ns;
}

/* ---- life ------------------------------------------------------------------------ */

static int
watch(struct ctl_conn *conn, int operation, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.ptr = conn};

    return epoll_ctl(conn->worker->epoll, operation, conn->fd, &event);
}

static void
link_conn(struct ctl_worker *worker, struct ctl_conn *conn)
{
    conn->worker = worker;
    conn->next = worker->conns;
    conn->prev = &worker->conns;
    if (conn->next != NULL)
        conn->next->prev = &conn->next;
    worker->conns = conn;
}

static void
unlink_conn(struct ctl_conn *conn)
{
    *conn->prev = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
}

struct ctl_conn *
ctl_conn_new(struct ctl_worker *worker, const struct ctl_mail_accept *accepted)
{
    struct ctl_conn *conn = calloc(1, sizeof(*conn));
    struct ctl_tls *tls = accepted->tls;

    if (conn == NULL) {
        ctl_tls_free(&tls);
        close(accepted->fd);
        return NULL;
    }
    conn->fd = accepted->fd;
    conn->tls = tls;
    conn->id = ++worker->next_conn * 64 + worker->index + 1;
    memcpy(conn->address, accepted->address, sizeof(conn->address));
    /* it may have been accepted since this turn began */
    conn->opened_ns = accepted->opened_ns < worker->mono_ns ? accepted->opened_ns : worker->mono_ns;
    conn->state_since_ns = conn->last_rx_ns = worker->mono_ns;
    conn->next_xid = 1;
    conn->sw_index = -1;
    link_conn(worker, conn);
    if (watch(conn, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        ctl_conn_close(conn, SB_severity_ERROR, "epoll: %s", strerror(errno));
        return NULL;
    }
    return conn;
}

void
ctl_conn_free(struct ctl_conn *conn)
{
    ctl_worker_remove_switch(conn->worker, conn);
    unlink_conn(conn);
    ctl_conn_discard(conn);
}

void
ctl_conn_discard(struct ctl_conn *conn)
{
    ctl_tls_free(&conn->tls);
    close(conn->fd);
    free(conn->partial);
    free(conn->out);
    free(conn->ports);
    free(conn->unconfirmed);
    free(conn->found);
    ctl_multicast_free(conn);
    free(conn);
}

/* Strangers come and go by the thousand, so not each of them gets its line and its event. */
static void
log_end(struct ctl_conn *conn, enum sb_severity severity, const char *why)
{
    static struct sb_log_limit limit;
    char others[40] = "";
    unsigned more = 0;

    if (severity != SB_severity_INFO)
        conn->worker->counters.bad_peers++;
    if (!conn->registered && !sb_log_allowed(&limit, 10, &more))
        return;
    if (more > 0)
        snprintf(others, sizeof(others), " (%u more not logged)", more);
    sb_log(severity == SB_severity_INFO ? SB_LOG_INFO : SB_LOG_WARNING,
           "switch %016lx (%s): %s, closing (state %s)%s", conn->features.dpid, conn->address, why,
           state_names[conn->state], others);
    if (severity != SB_severity_INFO)
        ctl_worker_event(conn->worker, SB_event_kind_BAD_PEER, severity, conn->features.dpid, 0,
                         "%s: %s", conn->address, why);
}

void
ctl_conn_close(struct ctl_conn *conn, enum sb_severity severity, const char *format, ...)
{
    struct ctl_worker *worker = conn->worker;
    char why[160];
    va_list args;

    if (conn->state == CTL_CLOSED)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    log_end(conn, severity, why);
    ctl_conn_flush(conn); /* an error message or a refusal may be on its way */
    if (conn->registered) {
        struct ctl_mail *mail = ctl_mail_new(CTL_M_SWITCH_DOWN, conn->features.dpid, 0);

        mail->conn = conn->id;
        ctl_post(&worker->app->mailbox, mail);
        ctl_worker_remove_switch(worker, conn);
    }
    conn->state = CTL_CLOSED;
    conn->sw = NULL;
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    conn->next_dead = worker->dead;
    worker->dead = conn;
}

/* The dpid is known and hashes to another worker: the connection moves there with all it has. */
static void
hand_over(struct ctl_conn *conn, struct ctl_worker *to)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_W_ADOPT, conn->features.dpid, sizeof(conn));
    struct ctl_worker *from = conn->worker;

    epoll_ctl(from->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    for (struct ctl_conn **p = &from->dirty; *p != NULL; p = &(*p)->next_dirty)
        if (*p == conn) {
            *p = conn->next_dirty;
            break;
        }
    conn->is_dirty = false;
    unlink_conn(conn);
    memcpy(mail->data, &conn, sizeof(conn));
    ctl_post(&to->mailbox, mail);
}

static void
mark_dirty(struct ctl_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    conn->next_dirty = conn->worker->dirty;
    conn->worker->dirty = conn;
}

void
ctl_conn_adopt(struct ctl_worker *worker, struct ctl_conn *conn)
{
    link_conn(worker, conn);
    conn->waits_out = false;
    if (watch(conn, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        ctl_conn_close(conn, SB_severity_ERROR, "epoll: %s", strerror(errno));
        return;
    }
    if (conn->out_end > conn->out_first)
        mark_dirty(conn);
    ctl_handshake_proceed(conn);
}

/* ---- output ------------------------------------------------------------------------- */

uint32_t
ctl_conn_xid(struct ctl_conn *conn)
{
    if (conn->next_xid == OF_XID_NONE)
        conn->next_xid++;
    return conn->next_xid++;
}

static bool
room(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret)
{
    size_t used = conn->out_end - conn->out_first;

    if (conn->state == CTL_CLOSED || used + need > limit)
        return false;
    if (conn->out_end + need > conn->out_size) {
        size_t size = conn->out_size == 0 ? CTL_OUT_MIN : conn->out_size;
        uint8_t *bigger;

        if (conn->out_first > 0) {
            memmove(conn->out, conn->out + conn->out_first, used);
            conn->out_first = 0;
            conn->out_end = used;
        }
        while (size < used + need)
            size *= 2;
        if (size > conn->out_size) {
            bigger = realloc(conn->out, size);
            if (bigger == NULL)
                return false;
            conn->out = bigger;
            conn->out_size = size;
        }
    }
    ret->data = conn->out + conn->out_end;
    ret->size = conn->out_size - conn->out_end;
    ret->len = 0;
    ret->full = false;
    return true;
}

static bool
room_below(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret)
{
    if (room(conn, need, limit, ret))
        return true;
    conn->dropped++;
    conn->worker->counters.dropped_pressure++;
    return false;
}

bool
ctl_conn_room(struct ctl_conn *conn, size_t need, struct of_buffer *ret)
{
    return room_below(conn, need, CTL_OUT_MAX, ret);
}

void
ctl_conn_wrote(struct ctl_conn *conn, const struct of_buffer *buffer)
{
    conn->out_end += buffer->len;
    mark_dirty(conn);
}

/* Whether we must be woken when the socket can be written to. */
static void
wait_out(struct ctl_conn *conn)
{
    bool out = conn->out_end > 0;

    if (conn->tls != NULL)
        out = ctl_tls_waits_out(conn->tls) || (out && !ctl_tls_waits_in(conn->tls));
    if (conn->state == CTL_CLOSED || conn->waits_out == out)
        return;
    conn->waits_out = out;
    watch(conn, EPOLL_CTL_MOD, out ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* What waits now must be gone in CTL_BLOCKED_NS: a switch that reads a byte now and then does not
 * live on that. */
static void
block(struct ctl_conn *conn)
{
    conn->blocked_since_ns = conn->worker->mono_ns;
    conn->blocked_left = conn->out_end - conn->out_first;
}

static void
unblock(struct ctl_conn *conn, size_t written)
{
    if (written >= conn->blocked_left)
        conn->blocked_since_ns = 0;
    else
        conn->blocked_left -= written;
}

void
ctl_conn_flush(struct ctl_conn *conn)
{
    while (conn->out_first < conn->out_end) {
        const uint8_t *data = conn->out + conn->out_first;
        size_t size = conn->out_end - conn->out_first;
        ssize_t n = conn->tls == NULL ? send(conn->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
                                      : ctl_tls_write(conn->tls, data, size);

        if (n >= 0) {
            conn->out_first += (size_t)n;
            if (conn->blocked_since_ns != 0)
                unblock(conn, (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) /* the reading side will find out and say why */
            conn->out_first = conn->out_end;
        else if (conn->blocked_since_ns == 0)
            block(conn);
        break;
    }
    if (conn->out_first == conn->out_end) {
        conn->out_first = conn->out_end = 0;
        conn->blocked_since_ns = 0;
        if (conn->out_size > CTL_OUT_KEEP) {
            free(conn->out);
            conn->out = NULL;
            conn->out_size = 0;
        }
    }
    wait_out(conn);
}

void
ctl_conn_packet_out_to(struct ctl_conn *conn, uint32_t buffer_id, uint32_t in_port, uint32_t port,
                       const void *frame, size_t size)
{
    struct of_buffer b;

    if (!room_below(conn, size + 64, CTL_OUT_PACKETS, &b))
        return;
    of_put_packet_out_to(&b, conn->version, ctl_conn_xid(conn), buffer_id, in_port, port, frame,
                         size);
    if (b.full) {
        conn->dropped++;
        conn->worker->counters.dropped_malformed++;
        return;
    }
    ctl_conn_wrote(conn, &b);
    conn->worker->counters.packet_outs++;
}

void
ctl_conn_packet_out(struct ctl_conn *conn, uint32_t buffer_id, uint32_t in_port,
                    const uint32_t *ports, unsigned n_ports, const void *frame, size_t size)
{
    struct of_action actions[64];
    struct of_buffer b;

    for (unsigned first = 0; first < n_ports; first += 64) {
        unsigned n = n_ports - first > 64 ? 64 : n_ports - first;

        for (unsigned i = 0; i < n; i++)
            actions[i] = (struct of_action){.type = OF_A_OUTPUT, .port = ports[first + i]};
        if (!room_below(conn, size + 64 + n * 16u, CTL_OUT_PACKETS, &b))
            return;
        of_put_packet_out(&b, conn->version, ctl_conn_xid(conn), buffer_id, in_port, actions, n,
                          frame, size);
        if (b.full) { /* frame and actions do not fit one message */
            conn->dropped++;
            conn->worker->counters.dropped_malformed++;
            return;
        }
        ctl_conn_wrote(conn, &b);
        conn->worker->counters.packet_outs++;
    }
}

/* ---- messages ------------------------------------------------------------------------- */

static void
send_error(struct ctl_conn *conn, const struct of_header *h, const uint8_t *m, uint16_t type,
           uint16_t code)
{
    struct of_buffer b;

    if (!room(conn, 256, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
        return;
    of_put_error(&b, conn->version != 0 ? conn->version : OF13, h->xid, type, code, m,
                 h->length < 64 ? h->length : 64);
    ctl_conn_wrote(conn, &b);
}

static void
echo_request(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h)
{
    struct of_buffer b;

    if (!room(conn, h->length, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
        return;
    of_put_echo(&b, h->version, OFPT13_ECHO_REPLY, h->xid, m + OF_HEADER_SIZE,
                (size_t)h->length - OF_HEADER_SIZE);
    ctl_conn_wrote(conn, &b);
}

void
ctl_batch_run(struct ctl_worker *worker)
{
    const struct ctl_policy *policy = worker->policy;

    while (worker->n_expected < worker->n_batch && policy->expect != NULL)
        policy->expect(worker, &worker->batch[worker->n_expected++], 1);
    for (unsigned i = 0; i < worker->n_batch; i++)
        if (worker->batch[i].conn->state == CTL_READY)
            policy->packet_in(worker, &worker->batch[i]);
    worker->n_batch = worker->n_expected = 0;
}

void
ctl_conn_packet_in(struct ctl_conn *conn, const struct of_packet_in *in)
{
    struct ctl_worker *worker = conn->worker;
    struct ctl_packet *packet = &worker->batch[worker->n_batch];

    if (!ctl_frame_parse(&packet->frame, in->data, in->data_size)) {
        worker->counters.dropped_malformed++;
        return;
    }
    if (packet->frame.eth_type == CTL_ETH_LLDP) {
        struct ctl_mail *mail = ctl_mail_new(CTL_M_LLDP, conn->features.dpid,
                                             sizeof(struct ctl_mail_packet) + in->data_size);
        struct ctl_mail_packet *lldp = (void *)mail->data;

        lldp->in_port = in->in_port;
        lldp->t_ns = sb_mono(); /* exact, not the turn's: the link's latency is made of it */
        memcpy(mail->data + sizeof(*lldp), in->data, in->data_size);
        if (!ctl_post_or_drop(&worker->app->mailbox, mail))
            worker->counters.dropped_mail++;
        return;
    }
    if (ctl_frame_reserved(&packet->frame) || !ctl_mac_learnable(packet->frame.src)) {
        worker->counters.dropped_reserved++;
        return;
    }
    packet->port = conn->sw == NULL ? NULL : ctl_net_port(conn->sw, in->in_port);
    if (in->in_port == 0 || (in->in_port >= OFPP_MAX && in->in_port != OFPP_LOCAL)) {
        worker->counters.dropped_malformed++; /* no port a packet can come from */
        return;
    }
    if (conn->sw != NULL && packet->port == NULL) {
        struct ctl_mail *mail = ctl_mail_new(CTL_M_PORT_SEEN, conn->features.dpid, 0);

        mail->conn = conn->id;
        mail->port = in->in_port;
        ctl_post_or_drop(&worker->app->mailbox, mail);
    }
    if (conn->state != CTL_READY || packet->port == NULL ||
        packet->port->type == SB_port_type_UNKNOWN) {
        ctl_pending_add(worker, conn, in);
        return;
    }
    packet->conn = conn;
    packet->in_port = in->in_port;
    packet->buffer_id = in->buffer_id;
    if (worker->policy->expect != NULL)
        worker->policy->expect(worker, packet, 0);
    worker->n_batch++;
    if (worker->policy->expect != NULL && worker->n_batch > EXPECT_LAG)
        worker->policy->expect(worker, &worker->batch[worker->n_expected++], 1);
    if (worker->n_batch == CTL_BATCH)
        ctl_batch_run(worker);
}

/* Each is mail for the main thread, which must not be lost: a switch that makes them up by the
 * thousand is closed. All its ports may change a few times at once, though. */
static void
post_port_status(struct ctl_conn *conn, const struct of_port_status *status)
{
    struct ctl_mail *mail;

    if (conn->worker->mono_ns - conn->ports_since_ns > CTL_PORTS_NS) {
        conn->ports_since_ns = conn->worker->mono_ns;
        conn->n_ports_changed = 0;
    }
    if (++conn->n_ports_changed > CTL_PORTS_MAX) {
        ctl_conn_close(conn, SB_severity_WARNING, "more than %u changes of ports within %u s",
                       CTL_PORTS_MAX, (unsigned)(CTL_PORTS_NS / SB_SECOND));
        return;
    }
    mail = ctl_mail_new(CTL_M_PORT, conn->features.dpid, sizeof(*status));

    mail->conn = conn->id;
    memcpy(mail->data, status, sizeof(*status));
    ctl_post(&conn->worker->app->mailbox, mail);
}

static void
bad_message(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h, int error,
            const struct of_where *where)
{
    char name[32];

    send_error(conn, h, m, 1 /* OFPET_BAD_REQUEST */, 6 /* OFPBRC_BAD_LEN */);
    ctl_conn_close(conn, SB_severity_WARNING, "%s of %u bytes: %s at byte %u (%s)",
                   of_type_name(h->version, h->type, name, sizeof(name)), h->length,
                   of_strerror(error), where->offset, where->field);
}

static bool
wrong_version(const struct ctl_conn *conn, const struct of_header *h)
{
    return h->type != OFPT13_HELLO && conn->state != CTL_HELLO && h->version != conn->version;
}

/* One whole message. False: the connection was closed or handed over; stop reading it. */
static bool
message(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h)
{
    struct of_where where = {.offset = 0, .field = "header"};
    int error;

    if (wrong_version(conn, h)) {
        send_error(conn, h, m, 1 /* OFPET_BAD_REQUEST */, 0 /* OFPBRC_BAD_VERSION */);
        ctl_conn_close(conn, SB_severity_WARNING,
                       "message of version %u after version %u was agreed", h->version,
                       conn->version);
        return false;
    }
    if (conn->state == CTL_HELLO && h->type != OFPT13_HELLO && h->type != OFPT13_ERROR &&
        h->type != OFPT13_ECHO_REQUEST) {
        char name[32];

        if (h->version == TLS_HANDSHAKE)
            ctl_conn_close(conn, SB_severity_WARNING,
                           "it speaks TLS, and this address is not for ssl:");
        else
            ctl_conn_close(conn, SB_severity_WARNING, "%s before HELLO",
                           of_type_name(h->version, h->type, name, sizeof(name)));
        return false;
    }
    error = of_check(h);
    if (h->type == OFPT13_HELLO && h->version != OF13)
        error = OF_OK; /* only its header counts: version negotiation is for every version */
    if (error == OF_ETYPE) {
        send_error(conn, h, m, 1 /* OFPET_BAD_REQUEST */, 1 /* OFPBRC_BAD_TYPE */);
        return true;
    }
    if (error != OF_OK) {
        bad_message(conn, m, h, error, &where);
        return false;
    }
    switch (of_type13(h->version, h->type)) {
    case OFPT13_HELLO:
        ctl_handshake_hello(conn, m);
        break;
    case OFPT13_ECHO_REQUEST:
        echo_request(conn, m, h);
        break;
    case OFPT13_ECHO_REPLY:
        break; /* any message counts as a sign of life */
    case OFPT13_ERROR: {
        struct of_error_msg refusal;

        if ((error = of_decode_error(m, &refusal, &where)) != OF_OK)
            break;
        if (ctl_handshake_refused(conn, refusal.request_xid) ||
            ctl_statistics_refused(conn, refusal.request_xid))
            break;
        ctl_conn_refused(conn, &refusal);
        break;
    }
    case OFPT13_FEATURES_REPLY:
        ctl_handshake_features(conn, m);
        break;
    case OFPT13_PACKET_IN: {
        struct of_packet_in in;

        if ((error = of_decode_packet_in(m, &in, &where)) != OF_OK)
            break;
        conn->packet_ins++;
        conn->worker->counters.packet_ins++;
        if (conn->registered)
            ctl_conn_packet_in(conn, &in);
        break;
    }
    case OFPT13_FLOW_REMOVED: {
        struct of_flow_removed removed;

        if ((error = of_decode_flow_removed(m, &removed, &where)) != OF_OK)
            break;
        if (conn->registered)
            ctl_flow_removed(conn, &removed);
        break;
    }
    case OFPT13_PORT_STATUS: {
        struct of_port_status status;

        if ((error = of_decode_port_status(m, &status, &where)) != OF_OK)
            break;
        if (conn->registered)
            post_port_status(conn, &status);
        break;
    }
    case OFPT13_MULTIPART_REPLY:
        if (!ctl_statistics_reply(conn, m, h, &error, &where))
            ctl_handshake_multipart(conn, m, h);
        break;
    case OFPT13_BARRIER_REPLY:
        if (conn->state == CTL_BARRIER && h->xid == conn->setup_barrier_xid)
            ctl_handshake_barrier(conn);
        else if (conn->n_awaited > 0 && ctl_conn_answered(conn, h->xid))
            ctl_multicast_barrier(conn, h->xid);
        else
            ctl_flow_barrier_reply(conn, h->xid);
        break;
    default: { /* known, but nothing we asked for */
        char name[32];

        sb_debug("switch %016lx: %s ignored", conn->features.dpid,
                 of_type_name(h->version, h->type, name, sizeof(name)));
    }
    }
    if (error != OF_OK)
        bad_message(conn, m, h, error, &where);
    return conn->state != CTL_CLOSED;
}

/* ---- input -------------------------------------------------------------------------------- */

static bool
keep_partial(struct ctl_conn *conn, const uint8_t *data, size_t size)
{
    uint8_t *copy = NULL;

    if (size > 0) {
        copy = malloc(size);
        if (copy == NULL)
            return false;
        memcpy(copy, data, size);
    }
    free(conn->partial);
    conn->partial = copy;
    conn->partial_size = (uint32_t)size;
    return true;
}

/* A read of the session may have to write first, and may let a write go on. */
static ssize_t
tls_read(struct ctl_conn *conn, uint8_t *ret, size_t size)
{
    ssize_t n = ctl_tls_read(conn->tls, ret, size > CTL_TLS_READ_MIN ? size : CTL_TLS_READ_MIN);

    if (ctl_tls_waits_out(conn->tls) || conn->waits_out || conn->out_end > 0)
        mark_dirty(conn);
    return n;
}

static void
read_messages(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;
    size_t have = conn->partial_size, at = 0;
    size_t space = worker->n_switches > 1 ? CTL_RX_SHARED : CTL_RX_SIZE;
    ssize_t n;

    if (have > 0)
        memcpy(worker->rx, conn->partial, have);
    /* What was kept at the end of the handshake may be more than one message: there is always room
     * behind it, but not always for a whole read. */
    if (space > CTL_RX_BUFFER - have)
        space = CTL_RX_BUFFER - have;
    n = conn->tls == NULL ? recv(conn->fd, worker->rx + have, space, MSG_DONTWAIT)
                          : tls_read(conn, worker->rx + have, space);
    if (n < 0) {
        if (errno == EPROTO && conn->tls != NULL)
            ctl_conn_close(conn, SB_severity_WARNING, "TLS: %s", ctl_tls_error(conn->tls));
        else if (errno != EAGAIN && errno != EINTR)
            ctl_conn_close(conn, SB_severity_INFO, "%s", strerror(errno));
        return;
    }
    if (n == 0) {
        if (have > 0)
            ctl_conn_close(conn, SB_severity_WARNING,
                           "the peer closed after %zu bytes of an unfinished message", have);
        else
            ctl_conn_close(conn, SB_severity_INFO, "the peer closed");
        return;
    }
    conn->greedy = n >= CTL_RX_GREEDY;
    have += (size_t)n;
    while (at < have) {
        struct of_header h;
        int length = of_frame(worker->rx + at, have - at, &h);

        if (length == 0) {
            /* a whole header tells enough: waiting for up to 64 KB of nonsense helps nobody */
            if (have - at >= OF_HEADER_SIZE && wrong_version(conn, &h)) {
                h.length = (uint16_t)(have - at); /* what of it may be quoted in the error */
                message(conn, worker->rx + at, &h);
                return;
            }
            if (have - at >= OF_HEADER_SIZE && conn->state == CTL_HELLO && h.length > 1024) {
                ctl_conn_close(conn, SB_severity_WARNING,
                               "first message claims %u bytes: this is no OpenFlow peer", h.length);
                return;
            }
            break;
        }
        if (length < 0) {
            ctl_conn_close(conn, SB_severity_WARNING,
                           "message header (version %u, type %u) with length %u < 8 at byte %zu of "
                           "this read",
                           h.version, h.type, h.length, at);
            return;
        }
        if (!message(conn, worker->rx + at, &h))
            return;
        at += (size_t)length;
        if (conn->state == CTL_FEATURES && conn->features.dpid != 0 && !conn->registered) {
            struct ctl_worker *home = ctl_worker_of(worker->app, conn->features.dpid);

            if (!keep_partial(conn, worker->rx + at, have - at)) {
                ctl_conn_close(conn, SB_severity_ERROR, "out of memory");
                return;
            }
            if (home == worker) {
                /* goes on here; whole messages kept in partial are found at the next read, which
                 * the answer to our next request brings */
                ctl_handshake_proceed(conn);
            } else {
                hand_over(conn, home);
            }
            return;
        }
    }
    if (at > 0) { /* whole messages: single bytes are no sign of life */
        conn->last_rx_ns = worker->mono_ns;
        conn->echo_sent_ns = 0;
    }
    if ((at < have || conn->partial_size > 0) && !keep_partial(conn, worker->rx + at, have - at))
        ctl_conn_close(conn, SB_severity_ERROR, "out of memory");
}

void
ctl_conn_readable(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;

    read_messages(conn);
    ctl_batch_run(worker); /* its frames lie in the buffer of this read */
}

/* ---- liveness ------------------------------------------------------------------------------- */

void
ctl_conn_report(struct ctl_conn *conn)
{
    struct ctl_mail *mail;

    if (conn->reported.packet_ins == conn->packet_ins && conn->reported.dropped == conn->dropped &&
        conn->reported.rr_counter == conn->rr_counter)
        return;
    conn->reported = (struct ctl_mail_stats){
        .packet_ins = conn->packet_ins, .dropped = conn->dropped, .rr_counter = conn->rr_counter};
    conn->reported_ns = conn->worker->mono_ns;
    mail = ctl_mail_new(CTL_M_STATS, conn->features.dpid, sizeof(conn->reported));
    memcpy(mail->data, &conn->reported, sizeof(conn->reported));
    mail->conn = conn->id;
    ctl_post(&conn->worker->app->mailbox, mail);
}

void
ctl_conn_timers(struct ctl_conn *conn)
{
    uint64_t now = conn->worker->mono_ns;

    if (conn->blocked_since_ns != 0 && now - conn->blocked_since_ns > CTL_BLOCKED_NS) {
        ctl_conn_close(conn, SB_severity_WARNING, "it has not read for %u s what waits for it",
                       (unsigned)(CTL_BLOCKED_NS / SB_SECOND));
        return;
    }
    if (conn->state != CTL_READY) {
        ctl_handshake_timers(conn);
        return;
    }
    ctl_flow_timers(conn);
    ctl_requests_timers(conn);
    ctl_multicast_timers(conn);
    ctl_statistics_timers(conn);
    if (conn->rr_loaded && now - conn->reported_ns > SB_SECOND)
        ctl_conn_report(conn);
    if (conn->echo_sent_ns != 0 && now - conn->echo_sent_ns > CTL_DEAD_NS) {
        ctl_conn_close(conn, SB_severity_WARNING, "no answer to an echo request for %u s",
                       (unsigned)(CTL_DEAD_NS / SB_SECOND));
    } else if (conn->echo_sent_ns == 0 && now - conn->last_rx_ns > CTL_IDLE_NS) {
        struct of_buffer b;

        if (!room(conn, 64, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
            return;
        of_put_echo(&b, conn->version, OFPT13_ECHO_REQUEST, ctl_conn_xid(conn), NULL, 0);
        ctl_conn_wrote(conn, &b);
        conn->echo_sent_ns = now;
    }
}
