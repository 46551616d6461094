/* SPDX-License-Identifier: Apache-2.0
 *
 * messages.c - what a switch says: bytes in, whole messages out of them, each to where it belongs.
 * Worker thread.
 *
 * One buffer a worker, shared by its connections; what is left of a message that is not there whole
 * is kept in conn->partial. Messages are decoded where they lie. Packet-ins are decided in batches,
 * so that what a decision looks at is fetched while others are made.
 */
#include "controller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "connection.h"
#include "policy/policy.h"

#define TLS_HANDSHAKE 22 /* what TLS begins with, where OpenFlow has its version */

static void
send_error(struct ctl_conn *conn, const struct of_header *h, const uint8_t *m, uint16_t type,
           uint16_t code)
{
    struct of_buffer b;

    if (!ctl_conn_room_to(conn, 256, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
        return;
    of_put_error(&b, conn->version != 0 ? conn->version : OF13, h->xid, type, code, m,
                 h->length < 64 ? h->length : 64);
    ctl_conn_wrote(conn, &b);
}

static void
echo_request(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h)
{
    struct of_buffer b;

    if (!ctl_conn_room_to(conn, h->length, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
        return;
    of_put_echo(&b, h->version, OFPT13_ECHO_REPLY, h->xid, m + OF_HEADER_SIZE,
                (size_t)h->length - OF_HEADER_SIZE);
    ctl_conn_wrote(conn, &b);
}

void
ctl_batch_run(struct ctl_worker *worker)
{
    struct ctl_batch *batch = &worker->batch;

    if (batch->n == 0)
        return;
    if (worker->policy->expect != NULL && batch->n % CTL_GROUP != 0)
        worker->policy->expect(worker, batch, batch->n - batch->n % CTL_GROUP,
                               batch->n % CTL_GROUP);
    if (worker->policy->packets_in != NULL)
        worker->policy->packets_in(worker, batch);
    else
        for (unsigned i = 0; i < batch->n && batch->conn->state == CTL_READY; i++)
            worker->policy->packet_in(worker, &batch->packets[i]);
    batch->n = 0;
}

static void
post_lldp(struct ctl_conn *conn, const struct of_packet_in *in)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_M_LLDP, conn->features.dpid,
                                         sizeof(struct ctl_mail_packet) + in->data_size);
    struct ctl_mail_packet *lldp = (void *)mail->data;

    lldp->in_port = in->in_port;
    lldp->t_ns = sb_mono(); /* exact, not the turn's: the link's latency is made of it */
    memcpy(mail->data + sizeof(*lldp), in->data, in->data_size);
    if (!ctl_post_or_drop(&conn->worker->app->mailbox, mail))
        conn->worker->counters.dropped_mail++;
}

/* A packet from a port whose type is not known yet; of one it has not told of the main thread asks.
 */
static void
wait_for_port(struct ctl_conn *conn, const struct of_packet_in *in, const struct ctl_net_port *port)
{
    if (in->in_port == 0 || (in->in_port >= OFPP_MAX && in->in_port != OFPP_LOCAL)) {
        conn->worker->counters.dropped_malformed++; /* no port a packet can come from */
        return;
    }
    if (conn->sw != NULL && port == NULL) {
        struct ctl_mail *mail = ctl_mail_new(CTL_M_PORT_SEEN, conn->features.dpid, 0);

        mail->conn = conn->id;
        mail->port = in->in_port;
        ctl_post_or_drop(&conn->worker->app->mailbox, mail);
    }
    ctl_pending_add(conn->worker, conn, in);
}

/* What is not the policy's, or not yet. */
static __attribute__((noinline)) void
take_other(struct ctl_conn *conn, const struct of_packet_in *in, const struct ctl_packet *packet)
{
    struct ctl_worker *worker = conn->worker;

    if (packet->frame.eth_type == CTL_ETH_LLDP)
        post_lldp(conn, in);
    else if (ctl_frame_reserved(&packet->frame) || !ctl_mac_learnable(packet->frame.src_mac))
        worker->counters.dropped_reserved++;
    else
        wait_for_port(conn, in, packet->port);
}

static inline __attribute__((always_inline)) void
take_packet_in(struct ctl_conn *conn, const struct of_packet_in *in)
{
    struct ctl_worker *worker = conn->worker;
    struct ctl_batch *batch = &worker->batch;
    struct ctl_packet *packet = &batch->packets[batch->n];

    if (!ctl_frame_parse(&packet->frame, in->data, in->data_size)) {
        worker->counters.dropped_malformed++;
        return;
    }
    packet->port = conn->sw == NULL ? NULL : ctl_net_port(conn->sw, in->in_port);
    if (packet->port == NULL || packet->port->type == SB_port_type_UNKNOWN ||
        conn->state != CTL_READY || packet->frame.eth_type == CTL_ETH_LLDP ||
        ctl_frame_reserved(&packet->frame) || !ctl_mac_learnable(packet->frame.src_mac)) {
        take_other(conn, in, packet);
        return;
    }
    packet->conn = conn;
    packet->in_port = in->in_port;
    packet->buffer_id = in->buffer_id;
    batch->conn = conn;
    if (++batch->n % CTL_GROUP != 0)
        return;
    if (worker->policy->expect != NULL)
        worker->policy->expect(worker, batch, batch->n - CTL_GROUP, CTL_GROUP);
    if (batch->n == CTL_BATCH)
        ctl_batch_run(worker);
}

void
ctl_conn_packet_in(struct ctl_conn *conn, const struct of_packet_in *in)
{
    take_packet_in(conn, in);
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

/* From a switch whose buffers are gone whenever they are named: what came of the packet must do. */
static bool
unbuffer(struct ctl_conn *conn, struct of_packet_in *in)
{
    if (in->buffer_id != OF_NO_BUFFER && in->data_size < in->total_len) {
        conn->worker->counters.lost_buffers++; /* half a packet is none */
        return false;
    }
    in->buffer_id = OF_NO_BUFFER;
    return true;
}

static int
packet_in(struct ctl_conn *conn, const uint8_t *m, struct of_where *where)
{
    struct of_packet_in in;
    int error = of_decode_packet_in(m, &in, where);

    if (error != OF_OK)
        return error;
    conn->packet_ins++;
    conn->worker->counters.packet_ins++;
    if (conn->registered && (!conn->no_buffers || unbuffer(conn, &in)))
        ctl_conn_packet_in(conn, &in);
    return OF_OK;
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
    case OFPT13_PACKET_IN:
        error = packet_in(conn, m, &where);
        break;
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
        ctl_conn_dirty(conn);
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
        struct of_packet_in in;
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
        /* what comes by the million, before all questions about what may come when */
        if (conn->state == CTL_READY && h.version == conn->version && !conn->no_buffers &&
            of_packet_in_usual(worker->rx + at, &h, &in)) {
            conn->packet_ins++;
            worker->counters.packet_ins++;
            take_packet_in(conn, &in);
            at += (size_t)length;
            continue;
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
                ctl_conn_hand_over(conn, home);
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
