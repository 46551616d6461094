/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - see session.h. RFC 8762 (STAMP), RFC 8972 4.7 (follow-up
 * telemetry), RFC 4737 (reordering), RFC 5560 (duplicates), RFC 6673 (loss).
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* CLOCK_REALTIME may be slewed by at most 500 ppm: 1 ms in 2 s. More is a clock that was set. */
#define CLOCK_STEP_NS 5000000

#define RING_MAX (1U << 20)

/* One entry of se_replies: the reflector's number + 1 (so that 0 is an empty entry) and the
 * sequence number of the probe it answered. */
static uint64_t
reply_pair(uint32_t rseq, uint32_t seq)
{
    return (uint64_t)(rseq + 1U) << 32 | seq;
}

/* seq a is before b, modulo 2^32 */
static bool
before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

int
ag_session_open(struct ag_session *session, uint64_t interval_ns, uint64_t timeout_ns,
                uint64_t keep_ns, ag_sample_fn *publish, void *arg)
{
    uint32_t slots = 64;

    while (slots < RING_MAX && slots < keep_ns / interval_ns + 16)
        slots *= 2;
    *session = (struct ag_session){
        .se_probes = calloc(slots, sizeof(*session->se_probes)),
        .se_replies = calloc(slots, sizeof(*session->se_replies)),
        .se_timeout_ns = timeout_ns,
        .se_publish = publish,
        .se_arg = arg,
        .se_mask = slots - 1,
    };
    if (!session->se_probes || !session->se_replies) {
        ag_session_close(session);
        return -ENOMEM;
    }
    /* Never 0: that is what a reflector without RFC 8972 may send back. */
    while (session->se_ssid == 0)
        if (getrandom(&session->se_ssid, sizeof(session->se_ssid), 0) < 0)
            session->se_ssid = 1;
    return 0;
}

void
ag_session_close(struct ag_session *session)
{
    free(session->se_probes);
    free(session->se_replies);
    session->se_probes = NULL;
    session->se_replies = NULL;
}

static struct ag_probe *
find(const struct ag_session *session, uint32_t seq)
{
    struct ag_probe *probe = &session->se_probes[seq & session->se_mask];

    return probe->state != AG_PROBE_EMPTY && probe->seq == seq ? probe : NULL;
}

const struct ag_probe *
ag_session_probe(const struct ag_session *session, uint32_t seq)
{
    return find(session, seq);
}

/* ---- sending --------------------------------------------------------------- */

static void
make_void(struct ag_session *session, struct ag_probe *probe)
{
    probe->state = AG_PROBE_VOID;
    session->se_counts.voided++;
    session->se_counts.sent--;
}

struct ag_probe *
ag_session_send(struct ag_session *session, uint64_t mono_ns, uint64_t real_ns,
                struct ag_stamp_probe *ret_packet)
{
    struct ag_probe *probe = &session->se_probes[session->se_next & session->se_mask];

    *probe = (struct ag_probe){
        .seq = session->se_next++,
        .state = AG_PROBE_OUTSTANDING,
        .sent_mono = mono_ns,
        .offset = real_ns - mono_ns,
        .t1 = real_ns,
        .t1_method = SB_stamp_method_USER,
        .wire_t1 = ag_stamp_from_ns(real_ns),
    };
    session->se_counts.sent++;
    *ret_packet = (struct ag_stamp_probe){
        .seq = probe->seq,
        .t1 = probe->wire_t1,
        .ssid = session->se_ssid,
    };
    return probe;
}

void
ag_session_sent(struct ag_session *session, struct ag_probe *probe, uint32_t key)
{
    (void)session;
    probe->key = key;
    probe->has_key = true;
}

void
ag_session_unsent(struct ag_session *session, struct ag_probe *probe)
{
    make_void(session, probe);
}

void
ag_session_stamp(struct ag_session *session, uint32_t key, uint64_t ns, enum sb_stamp_method method)
{
    /* The stamp is of a probe that was sent just now: look from the youngest on. */
    for (uint32_t seq = session->se_next; seq != session->se_open;) {
        struct ag_probe *probe = find(session, --seq);

        if (!probe)
            return;
        if (!probe->has_key || probe->key != key)
            continue;
        if (probe->state == AG_PROBE_OUTSTANDING && method > probe->t1_method) {
            probe->t1 = ns;
            probe->t1_method = (uint8_t)method;
        }
        return;
    }
}

/* ---- publishing ------------------------------------------------------------ */

static void
publish(struct ag_session *session, const struct ag_probe *probe, enum sb_sample_state state)
{
    if (session->se_publish)
        session->se_publish(session->se_arg, probe, state);
}

/* The round-trip time from what is known, and the method it deserves. t3_method: of probe->t3. */
static void
finish(struct ag_session *session, struct ag_probe *probe, enum sb_stamp_method t3_method)
{
    int64_t whole = (int64_t)(probe->t4 - probe->t1);
    int64_t residence = (int64_t)(probe->t3 - probe->t2);
    uint8_t method = (uint8_t)t3_method;

    if (probe->t1_method < method)
        method = probe->t1_method;
    if (probe->t4_method < method)
        method = probe->t4_method;
    probe->rtt = whole - residence;
    if (probe->clock_set) {
        probe->rtt = probe->mono_rtt;
        method = SB_stamp_method_USER;
    } else if (residence < 0 || residence > whole) {
        probe->rtt = whole;
        method = SB_stamp_method_USER;
    }
    if (probe->rtt < 0)
        probe->rtt = 0;
    probe->method = method;
    probe->state = AG_PROBE_RECEIVED;
    session->se_counts.received++;
    publish(session, probe, SB_sample_state_RECEIVED);
}

static void
advance_open(struct ag_session *session)
{
    while (session->se_open != session->se_next) {
        const struct ag_probe *probe = find(session, session->se_open);

        if (probe && (probe->state == AG_PROBE_OUTSTANDING || probe->state == AG_PROBE_ANSWERED))
            return;
        session->se_open++;
    }
}

void
ag_session_expire(struct ag_session *session, uint64_t mono_ns)
{
    advance_open(session);
    for (uint32_t seq = session->se_open; seq != session->se_next; seq++) {
        struct ag_probe *probe = find(session, seq);

        if (!probe)
            continue;
        if (probe->sent_mono + session->se_timeout_ns > mono_ns)
            break;
        if (probe->state == AG_PROBE_ANSWERED) {
            finish(session, probe, SB_stamp_method_USER);
        } else if (probe->state == AG_PROBE_OUTSTANDING) {
            probe->state = AG_PROBE_LOST;
            session->se_counts.lost++;
            publish(session, probe, SB_sample_state_LOST);
        }
    }
    advance_open(session);
}

uint64_t
ag_session_deadline(const struct ag_session *session)
{
    const struct ag_probe *probe;

    if (session->se_open == session->se_next)
        return UINT64_MAX;
    probe = find(session, session->se_open);
    return probe ? probe->sent_mono + session->se_timeout_ns : 0;
}

/* ---- replies --------------------------------------------------------------- */

static void
forget_replies(struct ag_session *session)
{
    memset(session->se_replies, 0, (session->se_mask + 1U) * sizeof(*session->se_replies));
    session->se_answered = false;
    session->se_counts.resets++;
}

void
ag_session_reset(struct ag_session *session)
{
    for (uint32_t seq = session->se_open; seq != session->se_next; seq++) {
        struct ag_probe *probe = find(session, seq);

        if (!probe)
            continue;
        if (probe->state == AG_PROBE_ANSWERED)
            finish(session, probe, SB_stamp_method_USER);
        else if (probe->state == AG_PROBE_OUTSTANDING)
            make_void(session, probe);
    }
    advance_open(session);
    forget_replies(session);
}

/* Notes the reflector's number. A number that stands for another, earlier probe already, or one far
 * below the highest, means that the reflector counts anew: it was restarted and we saw no beacon.
 */
static void
note_reply(struct ag_session *session, uint32_t rseq, uint32_t seq)
{
    uint64_t *slot = &session->se_replies[rseq & session->se_mask];
    uint64_t pair = reply_pair(rseq, seq);

    if (session->se_answered) {
        bool taken = *slot >> 32 == pair >> 32 && before((uint32_t)*slot, seq);
        bool far =
            before(rseq, session->se_last_rseq) && session->se_last_rseq - rseq > session->se_mask;

        if (taken || far)
            forget_replies(session);
    }
    *slot = pair;
    if (!session->se_answered || before(session->se_last_rseq, rseq))
        session->se_last_rseq = rseq;
    session->se_answered = true;
}

/* TLV 7 of a reply: the true T3 of an earlier one. */
static void
follow_up(struct ag_session *session, const struct ag_stamp_reply *reply, uint64_t real_ns)
{
    uint32_t rseq = reply->follow_seq;
    uint64_t pair = session->se_replies[rseq & session->se_mask];
    struct ag_probe *probe = find(session, (uint32_t)pair);

    if (reply->follow_mode == AG_MODE_NONE || !probe || pair != reply_pair(rseq, probe->seq) ||
        probe->state != AG_PROBE_ANSWERED || probe->rseq != rseq)
        return;
    probe->t3 = ag_stamp_to_ns(reply->follow_t3, reply->error, real_ns);
    finish(session, probe,
           reply->follow_mode == AG_MODE_CONTROL ? SB_stamp_method_SCHED : SB_stamp_method_KERNEL);
    advance_open(session);
}

enum ag_reply_fate
ag_session_reply(struct ag_session *session, const struct ag_stamp_reply *reply, uint64_t t4_ns,
                 enum sb_stamp_method method, uint64_t mono_ns, uint64_t real_ns)
{
    struct ag_probe *probe = find(session, reply->probe_seq);
    int64_t drift;

    /* A reflector without RFC 8972 sends zero for the SSID. T1 has come back unchanged: only who
     * saw our probe can have answered it. */
    if (!probe || (reply->ssid != session->se_ssid && reply->ssid != 0) ||
        reply->probe_t1 != probe->wire_t1 || !probe->has_key || probe->state == AG_PROBE_VOID) {
        session->se_counts.foreign++;
        return AG_REPLY_FOREIGN;
    }
    note_reply(session, reply->seq, probe->seq);
    follow_up(session, reply, real_ns);
    if (probe->state != AG_PROBE_OUTSTANDING && probe->state != AG_PROBE_LOST) {
        session->se_counts.duplicated++;
        if (probe->duplicates < UINT8_MAX)
            probe->duplicates++;
        publish(session, probe, SB_sample_state_DUPLICATE);
        return AG_REPLY_DUPLICATE;
    }
    probe->rseq = reply->seq;
    probe->t2 = ag_stamp_to_ns(reply->t2, reply->error, real_ns);
    probe->t3 = ag_stamp_to_ns(reply->t3, reply->error, real_ns);
    probe->t4 = t4_ns;
    probe->t4_method = (uint8_t)method;
    probe->mono_rtt = (int64_t)(mono_ns - probe->sent_mono);
    drift = (int64_t)(real_ns - mono_ns - probe->offset);
    probe->clock_set = drift > CLOCK_STEP_NS || drift < -CLOCK_STEP_NS;
    if (before(probe->seq, session->se_expected)) {
        probe->reordered = true;
        session->se_counts.reordered++;
    } else {
        session->se_expected = probe->seq + 1;
    }
    if (probe->state == AG_PROBE_LOST || probe->sent_mono + session->se_timeout_ns <= mono_ns) {
        if (probe->state == AG_PROBE_OUTSTANDING) {
            session->se_counts.lost++;
            publish(session, probe, SB_sample_state_LOST);
        }
        probe->state = AG_PROBE_LATE;
        probe->rtt = (int64_t)(probe->t4 - probe->t1);
        probe->method = SB_stamp_method_USER;
        session->se_counts.late++;
        publish(session, probe, SB_sample_state_LATE);
        advance_open(session);
        return AG_REPLY_LATE;
    }
    probe->state = AG_PROBE_ANSWERED;
    if (!reply->has_follow_up) {
        finish(session, probe, SB_stamp_method_USER);
        advance_open(session);
    }
    return AG_REPLY_ACCEPTED;
}

/* ---- loss by direction ------------------------------------------------------ */

static bool
has_rseq(const struct ag_probe *probe)
{
    return probe && (probe->state == AG_PROBE_ANSWERED || probe->state == AG_PROBE_RECEIVED ||
                     probe->state == AG_PROBE_LATE);
}

void
ag_session_direction(const struct ag_session *session, uint32_t first, uint32_t end,
                     uint32_t *ret_forward, uint32_t *ret_reverse)
{
    const struct ag_probe *a = find(session, first - 1), *b = find(session, end);
    uint32_t lost = end - first, unseen = 0;

    *ret_forward = *ret_reverse = 0;
    if (!has_rseq(a) || !has_rseq(b))
        return;
    /* Numbers of a count that ended are forgotten, and nothing can be said across its end. */
    if (session->se_replies[a->rseq & session->se_mask] != reply_pair(a->rseq, a->seq) ||
        session->se_replies[b->rseq & session->se_mask] != reply_pair(b->rseq, b->seq))
        return;
    if (before(b->rseq, a->rseq)) { /* b overtook a */
        const struct ag_probe *c = a;

        a = b;
        b = c;
    }
    for (uint32_t rseq = a->rseq + 1; rseq != b->rseq && unseen < lost; rseq++)
        unseen += session->se_replies[rseq & session->se_mask] >> 32 != rseq + 1U;
    *ret_reverse = unseen;
    *ret_forward = lost - unseen;
}
