/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - one OpenFlow connection: its life, bytes out, liveness. What comes in is in
 * messages.c.
 *
 * Everything a turn produces goes into conn->out and out by one write at its end. A switch that
 * reads too slowly loses first the answers to its packets (beyond CTL_OUT_PACKETS bytes), then all
 * but echo and errors (beyond CTL_OUT_MAX), all counted; when a byte has waited for CTL_BLOCKED_NS
 * it is closed.
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
void
ctl_conn_hand_over(struct ctl_conn *conn, struct ctl_worker *to)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_W_ADOPT, conn->features.dpid, sizeof(conn));
    struct ctl_worker *from = conn->worker;

    epoll_ctl(from->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    for (struct ctl_conn **p = &from->dirty; *p != NULL; p = &(*p)->next_dirty)
        if (*p == conn) {
            *p = conn->next_dirty;
            if (*p == NULL)
                from->dirty_end = p;
            break;
        }
    conn->is_dirty = false;
    unlink_conn(conn);
    memcpy(mail->data, &conn, sizeof(conn));
    ctl_post(&to->mailbox, mail);
}

void
ctl_conn_adopt(struct ctl_worker *worker, struct ctl_conn *conn)
{
    link_conn(worker, conn);
    conn->waits_out = false;
    conn->greedy_turn = 0; /* that was another's count */
    if (watch(conn, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        ctl_conn_close(conn, SB_severity_ERROR, "epoll: %s", strerror(errno));
        return;
    }
    if (conn->out_end > conn->out_first)
        ctl_conn_dirty(conn);
    ctl_handshake_proceed(conn);
}

/* ---- output ------------------------------------------------------------------------- */

/* Output buffers belong to those who have something to say: the worker's last one, which is still
 * in the cache, serves one switch after the other. */
static void
take_spare(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;

    if (worker->n_spares == 0)
        return;
    conn->out = worker->spares[--worker->n_spares].data;
    conn->out_size = worker->spares[worker->n_spares].size;
}

static void
give_spare(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;

    if (conn->out_size <= CTL_OUT_KEEP && worker->n_spares < CTL_SPARES)
        worker->spares[worker->n_spares++] = (struct ctl_spare){conn->out, conn->out_size};
    else
        free(conn->out);
    conn->out = NULL;
    conn->out_size = 0;
}

bool
ctl_conn_room_to(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret)
{
    size_t used = conn->out_end - conn->out_first;

    if (conn->state == CTL_CLOSED || used + need > limit)
        return false;
    if (conn->out == NULL)
        take_spare(conn);
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
    ctl_conn_room_is(conn, ret);
    return true;
}

bool
ctl_conn_room_or_drop(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret)
{
    if (ctl_conn_room_to(conn, need, limit, ret))
        return true;
    conn->dropped++;
    conn->worker->counters.dropped_pressure++;
    return false;
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
        if (conn->out != NULL)
            give_spare(conn);
    }
    wait_out(conn);
}

void
ctl_conn_packet_out_to(struct ctl_conn *conn, uint32_t buffer_id, uint32_t in_port, uint32_t port,
                       const void *frame, size_t size)
{
    struct of_buffer b;

    if (!ctl_conn_room_below(conn, size + 64, CTL_OUT_PACKETS, &b))
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
        if (!ctl_conn_room_below(conn, size + 64 + n * 16u, CTL_OUT_PACKETS, &b))
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
    ctl_fdb_timers(conn);
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

        if (!ctl_conn_room_to(conn, 64, CTL_OUT_MAX + CTL_OUT_RESERVE, &b))
            return;
        of_put_echo(&b, conn->version, OFPT13_ECHO_REQUEST, ctl_conn_xid(conn), NULL, 0);
        ctl_conn_wrote(conn, &b);
        conn->echo_sent_ns = now;
    }
}
