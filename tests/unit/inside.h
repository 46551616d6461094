/* SPDX-License-Identifier: Apache-2.0
 *
 * inside.h - the controller without its threads, for tests that look at it from inside: two
 * workers, the main thread's topology, and switches that are connections in state READY with an end
 * of a socket pair that nobody reads; what the controller sends them is looked at where it waits to
 * be written.
 */
#ifndef UNIT_INSIDE_H
#define UNIT_INSIDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <trivet/clock.h>

#include "controller.h"
#include "policy/policy.h"
#include "topology/topology.h"

#define WORKERS 2
#define SWITCHES 16 /* rows of `switch` */
#define PORTS 64
#define FLOWS 256 /* of `flow` and `installed`, all shards */

/* Two switches of two workers: port 1 an edge port, port 2 the link. */
struct inside_line {
    struct ctl_net net;
    struct ctl_net_switch switches[2];
    struct ctl_net_port ports[2][2];
    uint16_t distances[2][2];
};

struct inside {
    struct ctl_app app;
    struct ctl_worker workers[WORKERS];
    char dir[64], instance[32];
    int fds[300]; /* the switches' ends */
    unsigned n_fds;
    struct inside_line line; /* what the workers see of the network, in some tests */
};

/* Of a test whose state is a struct inside. */
int inside_setup(void **state);
int inside_teardown(void **state);
/* The nth dpid, from 0 on, of this worker. */
uint64_t inside_dpid(unsigned worker, unsigned n);
struct ctl_conn *inside_connect(struct inside *f, uint64_t dpid, uint8_t version);
/* Bytes that wait to be written to it. */
size_t inside_waiting(const struct ctl_conn *conn);
struct sb_flow inside_rule(uint64_t dpid, uint32_t n, uint32_t output);
/* Decides one rule; its slot. */
int64_t inside_install(struct ctl_conn *conn, uint32_t n, uint32_t output);
const struct sb_flow *inside_row(const struct ctl_conn *conn, int64_t slot);
/* The switch says that the rule of this row has ended, so many ns old. */
void inside_remove(struct ctl_conn *conn, const struct sb_flow *row, uint64_t age);

#endif
