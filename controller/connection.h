/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h - limits of a switch connection, shared by worker.c, connection.c and handshake.c.
 */
#ifndef TRIVET_CONTROLLER_CONNECTION_H
#define TRIVET_CONTROLLER_CONNECTION_H

#include <trivet/clock.h>

#define CTL_RX_SIZE 131072              /* bytes read from one switch in one turn */
#define CTL_RX_BUFFER (CTL_RX_SIZE + OF_MESSAGE_MAX + 1) /* of a worker: a read behind a rest */
#define CTL_OUT_MIN 4096                /* first allocation of an output buffer */
#define CTL_OUT_KEEP 65536              /* kept when empty */
#define CTL_OUT_MAX (4u << 20)          /* more than this unwritten: answers are dropped */
#define CTL_OUT_RESERVE (64u << 10)     /* on top of it, for echo, errors and the handshake */
#define CTL_BLOCKED_NS (10 * SB_SECOND) /* output stuck this long: closed */
#define CTL_HELLO_NS (10 * SB_SECOND)   /* deadline of HELLO and of FEATURES */
#define CTL_SETUP_NS                                                                               \
    (1 * SB_SECOND) /* a switch that leaves a question of the set-up unanswered                    \
                     */
#define CTL_PROBE_NS                                                                               \
    (1 * SB_SECOND)                 /* an old connection of a dpid that comes again must answer    \
                                     */
#define CTL_IDLE_NS (5 * SB_SECOND) /* silence after which we send an echo request */
#define CTL_DEAD_NS (5 * SB_SECOND) /* silence after the echo request: dead */

void ctl_conn_state(struct ctl_conn *conn, enum ctl_conn_state state);

#endif
