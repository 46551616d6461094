/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - the probes of one session-sender to one reflector, and their fate.
 *
 * No I/O and no clock: the caller sends what ag_session_send() notes, hands in
 * replies and transmit stamps, and tells the time. Neighbours: sender.c and
 * ping.c (callers), window.c (statistics over the records), stamp.c (codec).
 * One thread.
 *
 * When a sample is published: a reply carries T3 as read before it was sent; the
 * true T3 of reply n comes with reply n+1 in TLV 7. So a sample waits for that and
 * is published with it, or without it at its time-out; at once if the reflector
 * does not know TLV 7. Its method is the worst of its stamps:
 *
 *   kernel  T1 to T4 from the kernel: rtt = T4 - T1 - (T3 - T2)
 *   sched   the same, but T1 or T3 as the packet entered the queueing discipline
 *   user    some stamp came from user space, or T3 - T2 does not fit into T4 - T1
 *           (then rtt = T4 - T1), or the clock was set in between (then rtt is
 *           from the monotonic clock)
 *
 * Loss by direction: a stateful reflector counts its replies. Between two replies
 * that came back, (s1, r1) and (s2, r2), a reply number that never came is a reply
 * lost on its way back; the other missing probes were lost on their way there. Exact
 * unless replies overtake each other right there.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trivet/tables.h>
#include "stamp.h"

enum ag_probe_state {
    AG_PROBE_EMPTY,
    AG_PROBE_OUTSTANDING, /* sent, nothing came yet */
    AG_PROBE_ANSWERED,    /* the reply came, its true T3 not yet */
    AG_PROBE_RECEIVED,    /* published */
    AG_PROBE_LOST,        /* published: nothing came in time */
    AG_PROBE_LATE,        /* came after it was published as lost */
    AG_PROBE_VOID,        /* not counted: not sent, or its reflector was restarted */
};

struct ag_probe {
    uint64_t wire_t1;        /* T1 as it stands in the packet: must come back */
    uint64_t sent_mono;      /* CLOCK_MONOTONIC ns */
    uint64_t offset;         /* CLOCK_REALTIME - CLOCK_MONOTONIC as it was sent */
    uint64_t t1, t2, t3, t4; /* CLOCK_REALTIME ns; 0: not known */
    int64_t rtt;             /* ns, of answered ones */
    int64_t mono_rtt;        /* ns, from the monotonic clock */
    uint32_t seq;
    uint32_t rseq;                /* the reflector's sequence number, of answered ones */
    uint32_t key;                 /* OPT_ID of the datagram */
    uint8_t state;                /* enum ag_probe_state */
    uint8_t t1_method, t4_method; /* enum sb_stamp_method */
    uint8_t method;               /* enum sb_stamp_method of the sample */
    uint8_t duplicates;           /* further replies, at most 255 */
    bool has_key;                 /* was really sent */
    bool reordered;               /* its reply came after that of a later probe (RFC 4737) */
    bool clock_set;               /* CLOCK_REALTIME was set between sending and receiving */
};

/* Totals since the session began. */
struct ag_session_counts {
    uint64_t sent, received, lost, late, duplicated, reordered, voided;
    uint64_t foreign; /* replies that match no probe of ours: wrong SSID, sequence or T1 */
    uint64_t resets;  /* times the reflector began a new count */
};

struct ag_session;
typedef void ag_sample_fn(void *arg, const struct ag_probe *probe, enum sb_sample_state state);

struct ag_session {
    struct ag_probe *se_probes; /* owned; ring by sequence number */
    uint64_t *se_replies;       /* owned; ring by the reflector's number: reply_pair() */
    uint64_t se_timeout_ns;
    ag_sample_fn *se_publish;
    void *se_arg; /* borrowed, for se_publish */
    struct ag_session_counts se_counts;
    uint32_t se_mask;      /* slots of both rings - 1 */
    uint32_t se_next;      /* sequence number of the next probe */
    uint32_t se_open;      /* all probes before this one have met their fate */
    uint32_t se_expected;  /* highest answered sequence number + 1 */
    uint32_t se_last_rseq; /* highest number of the reflector */
    uint16_t se_ssid;
    bool se_answered; /* se_last_rseq is valid */
};

/* Remembers probes for keep_ns after they were sent (a multiple of the time-out). 0 or -ENOMEM. */
int ag_session_open(struct ag_session *session, uint64_t interval_ns, uint64_t timeout_ns,
                    uint64_t keep_ns, ag_sample_fn *publish, void *arg);
void ag_session_close(struct ag_session *session);

/* A new probe: its record, with t1 = real_ns from user space. The caller sends ret_packet and then
 * calls ag_session_sent() or ag_session_unsent(). */
struct ag_probe *ag_session_send(struct ag_session *session, uint64_t mono_ns, uint64_t real_ns,
                                 struct ag_stamp_probe *ret_packet);
void ag_session_sent(struct ag_session *session, struct ag_probe *probe, uint32_t key);
void ag_session_unsent(struct ag_session *session, struct ag_probe *probe);
/* A transmit stamp. */
void ag_session_stamp(struct ag_session *session, uint32_t key, uint64_t ns,
                      enum sb_stamp_method method);

enum ag_reply_fate {
    AG_REPLY_ACCEPTED,
    AG_REPLY_LATE,
    AG_REPLY_DUPLICATE,
    AG_REPLY_FOREIGN,
};
/* A reply, received at t4_ns (by `method`); mono_ns and real_ns are now. */
enum ag_reply_fate ag_session_reply(struct ag_session *session, const struct ag_stamp_reply *reply,
                                    uint64_t t4_ns, enum sb_stamp_method method, uint64_t mono_ns,
                                    uint64_t real_ns);
/* Publishes what is due by now: losses, and samples whose true T3 did not come. */
void ag_session_expire(struct ag_session *session, uint64_t mono_ns);
/* When ag_session_expire() has something to do next; UINT64_MAX: nothing is open. */
uint64_t ag_session_deadline(const struct ag_session *session);
/* The reflector was restarted or left: what is on its way will not be answered and is no loss. */
void ag_session_reset(struct ag_session *session);

/* The record of a sequence number, NULL if it is not remembered. */
const struct ag_probe *ag_session_probe(const struct ag_session *session, uint32_t seq);
/* Of the lost probes first .. end - 1, which all lie between two others: how many were lost on the
 * way there and on the way back. Both 0 if that cannot be known. */
void ag_session_direction(const struct ag_session *session, uint32_t first, uint32_t end,
                          uint32_t *ret_forward, uint32_t *ret_reverse);

#endif
