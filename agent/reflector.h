/* SPDX-License-Identifier: Apache-2.0
 *
 * reflector.h - a stateful STAMP session-reflector (RFC 8762 4.3, RFC 8972) that
 * answers only those it was told to, never with more bytes than it got, and not
 * faster than its caps. Neighbours: agent.c and main.c (reflect) own one. One
 * thread, that of the loop.
 */
#ifndef AGENT_REFLECTOR_H
#define AGENT_REFLECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include "bucket.h"
#include "loop.h"
#include "socket.h"

#define AG_REFLECTOR_SESSIONS 1024 /* remembered; the longest unused gives way */
#define AG_REFLECTOR_KEYS 1024     /* replies whose transmit stamp is awaited */
#define AG_REFLECTOR_BUCKETS 256   /* rate caps; hosts of the same hash share one */

/* Is this host to be answered? */
typedef bool ag_reflector_allow_fn(void *arg, const union ag_address *from);

struct ag_reflector_counts {
    uint64_t reflected;
    uint64_t strangers; /* dropped: neither member nor configured */
    uint64_t invalid;   /* dropped: short or truncated */
    uint64_t capped;    /* dropped: over the rate of one host or of all */
    uint64_t unsent;    /* dropped: the system refused to send */
};

/* One session of one sender (RFC 8972 section 3: addresses, ports and SSID). */
struct ag_reflection {
    union ag_address rf_from;
    uint64_t rf_used; /* CLOCK_MONOTONIC; 0: free */
    uint64_t rf_t3;   /* true T3 of the last reply; 0: not known */
    uint32_t rf_next; /* sequence number of the next reply */
    uint16_t rf_ssid;
    uint8_t rf_mode;   /* enum ag_stamp_mode of rf_t3 */
    bool rf_t2_kernel; /* T2 of the last reply came from the kernel */
};

struct ag_reflector_port {
    struct ag_reflector *rp_reflector; /* borrowed: the one this is part of */
    struct ag_socket rp_socket;
    struct ag_watch rp_watch;
    struct {
        uint32_t key, session, seq; /* which reply the kernel's id stands for */
    } rp_keys[AG_REFLECTOR_KEYS];
};

struct ag_reflector {
    ag_reflector_allow_fn *re_allow;
    void *re_arg; /* borrowed */
    struct ag_reflector_counts re_counts;
    struct ag_bucket re_all; /* cap of all hosts together */
    struct ag_bucket re_hosts[AG_REFLECTOR_BUCKETS];
    struct ag_reflection re_sessions[AG_REFLECTOR_SESSIONS];
    struct ag_reflector_port re_ports[2]; /* IPv4, IPv6 */
    uint64_t re_secret;                   /* seed of the hash: senders cannot choose collisions */
    uint16_t re_error;                    /* error estimate to send; set by the owner */
};

/* Opens the sockets (no IPv6 in the system: IPv4 alone) and watches them. 0, or a negative errno
 * and a message. The struct must not move afterwards. */
int ag_reflector_open(struct ag_reflector *reflector, struct ag_loop *loop, uint16_t port,
                      ag_reflector_allow_fn *allow, void *arg, char *message);
void ag_reflector_close(struct ag_reflector *reflector);

#endif
