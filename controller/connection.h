/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h - limits and output of a switch connection, for all that talks to it. */
#ifndef TRIVET_CONTROLLER_CONNECTION_H
#define TRIVET_CONTROLLER_CONNECTION_H

#include <trivet/clock.h>

#include "controller.h"

/* Bytes read from one switch in one turn: from the only one of its worker, and where others wait
 * for their turn (some 50 us of packet-ins, so that a flood does not show in their latency); and a
 * worker's buffer: such a read behind a rest. */
#define CTL_RX_SIZE 131072
#define CTL_RX_SHARED 16384
#define CTL_RX_GREEDY 8192 /* who sends so much at once is served after the others */
#define CTL_RX_BUFFER (CTL_RX_SIZE + OF_MESSAGE_MAX + 1)

/* Output: first allocation; kept when empty; limit beyond which packet-outs are dropped (rules
 * still go out: without them more packets would come in), and beyond which all answers are; what
 * echo and errors may use on top; how long a byte may wait before the switch is closed. */
#define CTL_OUT_MIN 4096
#define CTL_OUT_KEEP 65536
#define CTL_OUT_PACKETS (1u << 20)
#define CTL_OUT_MAX (4u << 20)
#define CTL_OUT_RESERVE (64u << 10)
#define CTL_BLOCKED_NS (10 * SB_SECOND)

/* Deadlines: of HELLO and of FEATURES; of each answer of the set-up; of a barrier; of the sign of
 * life of an old connection whose dpid comes again. */
#define CTL_HELLO_NS (10 * SB_SECOND)
#define CTL_SETUP_NS (1 * SB_SECOND)
#define CTL_BARRIER_NS (5 * SB_SECOND)
#define CTL_PROBE_NS (1 * SB_SECOND)

/* A dpid that connects more often than that in that time waits until it is over: each time costs
 * its worker and the main thread some work. */
#define CTL_RETURNS_MAX 20
#define CTL_RETURNS_NS (10 * SB_SECOND)

/* Silence after which we ask for an echo, and after which the switch is dead. */
#define CTL_IDLE_NS (5 * SB_SECOND)
#define CTL_DEAD_NS (5 * SB_SECOND)

/* Changes of ports that a switch may tell of in a time. */
#define CTL_PORTS_MAX 16384u
#define CTL_PORTS_NS (10 * SB_SECOND)

/* Rules that are sent again without a buffer that the switch says it does not have, in a time;
 * beyond that its buffers are not used. */
#define CTL_BUFFERS_MAX 64u
#define CTL_BUFFERS_NS (10 * SB_SECOND)

void ctl_conn_state(struct ctl_conn *conn, enum ctl_conn_state state);
/* The dpid is known and hashes to another worker: the connection moves there with all it has. */
void ctl_conn_hand_over(struct ctl_conn *conn, struct ctl_worker *to);

/* ---- numbers of our messages ------------------------------------------------------------- */

static inline uint32_t
ctl_conn_xid(struct ctl_conn *conn)
{
    if (__builtin_expect(conn->next_xid == OF_XID_NONE, 0))
        conn->next_xid++;
    return conn->next_xid++;
}

/* For a request that changes something, which is remembered by it: requests.c. */
static inline uint32_t
ctl_conn_request(struct ctl_conn *conn, enum ctl_request_kind kind, uint32_t row)
{
    uint32_t xid = ctl_conn_xid(conn);

    conn->requests[xid % CTL_REQUESTS] =
        (struct ctl_request){.xid = xid, .what = (uint32_t)kind << 28 | (row & 0xfffffff)};
    return xid;
}

/* ---- output: room for a message at its end ----------------------------------------------- */

/* It has something to write at the end of the turn. */
static inline void
ctl_conn_dirty(struct ctl_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    conn->next_dirty = NULL;
    *conn->worker->dirty_end = conn;
    conn->worker->dirty_end = &conn->next_dirty;
}

static inline void
ctl_conn_room_is(const struct ctl_conn *conn, struct of_buffer *ret)
{
    *ret = (struct of_buffer){.data = conn->out + conn->out_end,
                              .size = conn->out_size - conn->out_end};
}

/* Room for `need` bytes, if no more than `limit` wait then. False: there is none; _or_drop and
 * _below count that as a message dropped. */
bool ctl_conn_room_to(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret);
bool ctl_conn_room_or_drop(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret);

/* The same if it is there without more ado, for packet-outs too. False says nothing. */
static inline bool
ctl_conn_room_fast(struct ctl_conn *conn, size_t need, struct of_buffer *ret)
{
    size_t end = conn->out_end + need;

    if (__builtin_expect(end > conn->out_size || end > CTL_OUT_PACKETS || conn->state == CTL_CLOSED,
                         0))
        return false;
    ctl_conn_room_is(conn, ret);
    return true;
}

static inline bool
ctl_conn_room_below(struct ctl_conn *conn, size_t need, size_t limit, struct of_buffer *ret)
{
    return ctl_conn_room_fast(conn, need, ret) || ctl_conn_room_or_drop(conn, need, limit, ret);
}

/* Room for a message of ours. The caller puts messages into it at once and calls ctl_conn_wrote().
 * False: the switch does not read. */
static inline bool
ctl_conn_room(struct ctl_conn *conn, size_t need, struct of_buffer *ret)
{
    return ctl_conn_room_below(conn, need, CTL_OUT_MAX, ret);
}

static inline void
ctl_conn_wrote(struct ctl_conn *conn, const struct of_buffer *buffer)
{
    conn->out_end += buffer->len;
    conn->worker->unsent += buffer->len;
    ctl_conn_dirty(conn);
}

#endif
