/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_session.c - the fate of probes and the windows over them, against a network simulated here
 * that knows the truth.
 */
#include "session.h"
#include "window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <trivet/clock.h>

#define INTERVAL (500 * SB_MS)
#define TIMEOUT (2 * SB_SECOND)
#define KEEP (14 * SB_SECOND)
#define EPOCH (UINT64_C(1704230400) * SB_SECOND) /* CLOCK_REALTIME - CLOCK_MONOTONIC */
#define FORWARD 20000                            /* ns one way */
#define RESIDENCE 90000
#define REVERSE 30000

/* One simulated path: a session, its reflector, and what was published. */
struct path {
    struct ag_session session;
    struct ag_window_room room;
    uint64_t now;          /* CLOCK_MONOTONIC */
    uint64_t step;         /* added to CLOCK_REALTIME */
    uint32_t rseq;         /* the reflector's next number */
    uint64_t last_t3;      /* of its last reply */
    bool follows;          /* it knows TLV 7 */
    unsigned published[4]; /* by enum sb_sample_state */
    struct ag_probe last;  /* last sample published */
};

static void
publish(void *arg, const struct ag_probe *probe, enum sb_sample_state state)
{
    struct path *path = arg;

    path->published[state]++;
    path->last = *probe;
}

static uint64_t
real(const struct path *path)
{
    return EPOCH + path->step + path->now;
}

static struct path *
open_path(uint64_t interval)
{
    struct path *path = calloc(1, sizeof(*path));

    assert_non_null(path);
    path->now = 100 * SB_SECOND;
    path->follows = true;
    assert_int_equal(ag_session_open(&path->session, interval, TIMEOUT, KEEP, publish, path), 0);
    return path;
}

static void
close_path(struct path *path)
{
    ag_session_close(&path->session);
    free(path);
}

/* A probe leaves now; the kernel's stamp of it is 7 us after user space's. */
static struct ag_stamp_probe
send_one(struct path *path)
{
    struct ag_stamp_probe packet;
    struct ag_probe *probe = ag_session_send(&path->session, path->now, real(path), &packet);

    ag_session_sent(&path->session, probe, packet.seq + 1000);
    ag_session_stamp(&path->session, packet.seq + 1000, real(path) + 3000, SB_stamp_method_SCHED);
    ag_session_stamp(&path->session, packet.seq + 1000, real(path) + 7000, SB_stamp_method_KERNEL);
    return packet;
}

/* The reflector answers a probe that left at sent (CLOCK_REALTIME). */
static struct ag_stamp_reply
answer(struct path *path, const struct ag_stamp_probe *probe, uint64_t sent)
{
    uint64_t t2 = sent + 7000 + FORWARD, t3 = t2 + RESIDENCE;
    struct ag_stamp_reply reply = {
        .probe_seq = probe->seq,
        .probe_t1 = probe->t1,
        .ssid = probe->ssid,
        .seq = path->rseq,
        .t2 = ag_stamp_from_ns(t2),
        .t3 = ag_stamp_from_ns(t3 - 15000), /* read before it was sent */
        .has_follow_up = path->follows,
    };

    if (path->follows && path->last_t3 != 0) {
        reply.follow_seq = path->rseq - 1;
        reply.follow_t3 = ag_stamp_from_ns(path->last_t3);
        reply.follow_mode = AG_MODE_SOFTWARE;
    }
    path->rseq++;
    path->last_t3 = t3;
    return reply;
}

static enum ag_reply_fate
receive(struct path *path, const struct ag_stamp_reply *reply, uint64_t t4)
{
    return ag_session_reply(&path->session, reply, t4, SB_stamp_method_KERNEL, path->now,
                            real(path));
}

/* One probe there and back, 0.2 ms later. */
static enum ag_reply_fate
exchange(struct path *path)
{
    uint64_t sent = real(path);
    struct ag_stamp_probe probe = send_one(path);
    struct ag_stamp_reply reply = answer(path, &probe, sent);

    path->now += SB_MS / 5;
    return receive(path, &reply, sent + 7000 + FORWARD + RESIDENCE + REVERSE);
}

static void
elapse(struct path *path, uint64_t ns)
{
    path->now += ns;
    ag_session_expire(&path->session, path->now);
}

static void
four_stamps(void **state)
{
    struct path *path = open_path(INTERVAL);

    (void)state;
    assert_int_equal(exchange(path), AG_REPLY_ACCEPTED);
    /* It waits for its T3, which comes with the next reply. */
    assert_int_equal(path->published[SB_sample_state_RECEIVED], 0);
    elapse(path, INTERVAL);
    exchange(path);
    assert_int_equal(path->published[SB_sample_state_RECEIVED], 1);
    assert_int_equal(path->last.seq, 0);
    assert_int_equal(path->last.method, SB_stamp_method_KERNEL);
    assert_int_equal(path->last.rtt, FORWARD + REVERSE);
    assert_int_equal(path->last.t2 - path->last.t1, FORWARD);
    assert_int_equal(path->last.t4 - path->last.t3, REVERSE);
    /* The last one has no successor: at its time-out, with the T3 of user space. */
    elapse(path, TIMEOUT);
    assert_int_equal(path->published[SB_sample_state_RECEIVED], 2);
    assert_int_equal(path->last.method, SB_stamp_method_USER);
    assert_int_equal(path->last.rtt, FORWARD + REVERSE + 15000);
    assert_int_equal(path->published[SB_sample_state_LOST], 0);
    close_path(path);
}

static void
methods(void **state)
{
    struct path *path = open_path(INTERVAL);
    struct ag_stamp_probe packet;
    struct ag_stamp_reply reply;
    struct ag_probe *probe;
    uint64_t sent;

    (void)state;
    /* A reflector that does not know TLV 7: published at once. */
    path->follows = false;
    exchange(path);
    assert_int_equal(path->published[SB_sample_state_RECEIVED], 1);
    assert_int_equal(path->last.method, SB_stamp_method_USER);
    /* T1 only from the queueing discipline. */
    path->follows = true;
    path->last_t3 = 0;
    elapse(path, INTERVAL);
    sent = real(path);
    probe = ag_session_send(&path->session, path->now, sent, &packet);
    ag_session_sent(&path->session, probe, 77);
    ag_session_stamp(&path->session, 77, sent + 3000, SB_stamp_method_SCHED);
    reply = answer(path, &packet, sent);
    path->now += SB_MS;
    receive(path, &reply, sent + 7000 + FORWARD + RESIDENCE + REVERSE);
    elapse(path, INTERVAL);
    exchange(path);
    assert_int_equal(path->last.method, SB_stamp_method_SCHED);
    assert_int_equal(path->last.rtt, FORWARD + REVERSE + 4000);
    /* A T3 of before T2: nothing is subtracted, and it is not called a kernel sample. */
    elapse(path, INTERVAL);
    path->last_t3 -= SB_SECOND;
    exchange(path);
    assert_int_equal(path->last.method, SB_stamp_method_USER);
    assert_int_equal(path->last.rtt, FORWARD + RESIDENCE + REVERSE);
    /* The clock was set while the probe was on its way: the monotonic clock counts. */
    elapse(path, INTERVAL);
    sent = real(path);
    packet = send_one(path);
    reply = answer(path, &packet, sent);
    path->step = SB_SECOND;
    path->now += SB_MS;
    receive(path, &reply, real(path));
    elapse(path, INTERVAL);
    exchange(path);
    assert_int_equal(path->last.method, SB_stamp_method_USER);
    assert_int_equal(path->last.rtt, SB_MS);
    close_path(path);
}

static void
foreign_replies(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t sent = real(path);
    struct ag_stamp_probe probe = send_one(path);
    struct ag_stamp_reply good = answer(path, &probe, sent), bad;

    (void)state;
    path->now += SB_MS;
    bad = good;
    bad.ssid = (uint16_t)(good.ssid == 1 ? 2 : good.ssid - 1);
    assert_int_equal(receive(path, &bad, real(path)), AG_REPLY_FOREIGN);
    bad = good;
    bad.probe_t1++;
    assert_int_equal(receive(path, &bad, real(path)), AG_REPLY_FOREIGN);
    bad = good;
    bad.probe_seq++;
    assert_int_equal(receive(path, &bad, real(path)), AG_REPLY_FOREIGN);
    bad.probe_seq = UINT32_MAX;
    assert_int_equal(receive(path, &bad, real(path)), AG_REPLY_FOREIGN);
    assert_int_equal(path->session.se_counts.foreign, 4);
    good.ssid = 0; /* a reflector without RFC 8972 */
    assert_int_equal(receive(path, &good, real(path)), AG_REPLY_ACCEPTED);
    close_path(path);
}

static void
late_duplicate_reordered(void **state)
{
    struct path *path = open_path(INTERVAL);
    struct ag_stamp_probe probe[4];
    struct ag_stamp_reply reply[4];
    struct sb_latency row;
    uint64_t start = path->now;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t sent = real(path);

        probe[i] = send_one(path);
        reply[i] = answer(path, &probe[i], sent);
        elapse(path, 100 * SB_MS);
    }
    assert_int_equal(receive(path, &reply[1], real(path)), AG_REPLY_ACCEPTED);
    assert_int_equal(receive(path, &reply[0], real(path)), AG_REPLY_ACCEPTED); /* overtaken */
    assert_int_equal(receive(path, &reply[3], real(path)), AG_REPLY_ACCEPTED);
    assert_int_equal(receive(path, &reply[3], real(path)), AG_REPLY_DUPLICATE);
    assert_int_equal(receive(path, &reply[1], real(path)), AG_REPLY_DUPLICATE);
    elapse(path, TIMEOUT);
    assert_int_equal(path->published[SB_sample_state_LOST], 1);
    assert_int_equal(receive(path, &reply[2], real(path)), AG_REPLY_LATE);
    assert_int_equal(receive(path, &reply[2], real(path)), AG_REPLY_DUPLICATE);
    assert_true(ag_window_close(&path->session, start, start + SB_SECOND, &path->room, &row));
    assert_int_equal(row.sent, 4);
    assert_int_equal(row.received, 3);
    assert_int_equal(row.lost, 1);
    assert_int_equal(row.late, 1);
    assert_int_equal(row.duplicated, 3);
    assert_int_equal(row.reordered, 2);               /* 0, and the late 2 */
    assert_int_equal(row.lost_fwd + row.lost_rev, 0); /* it was not lost after all */
    close_path(path);
}

/* fates: one character a probe: '.' answered, 'f' lost there, 'r' lost on the way back */
static void
play(struct path *path, const char *fates)
{
    for (; *fates; fates++) {
        uint64_t sent = real(path);
        struct ag_stamp_probe probe;
        struct ag_stamp_reply reply;

        if (*fates == '.') {
            exchange(path);
        } else {
            probe = send_one(path);
            if (*fates == 'r')
                reply = answer(path, &probe, sent);
        }
        elapse(path, INTERVAL);
        (void)reply;
    }
}

static void
loss_by_direction(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t start = path->now;
    struct sb_latency row;

    (void)state;
    play(path, "..ff.r.frr.rf.....f");
    elapse(path, TIMEOUT);
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.sent, 19);
    assert_int_equal(row.received, 10);
    assert_int_equal(row.lost, 9);
    assert_int_equal(row.lost_fwd, 4);
    assert_int_equal(row.lost_rev, 4); /* of the last one, nobody can say */
    close_path(path);
}

static void
restart_is_no_loss(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t start = path->now;
    struct sb_latency row;

    (void)state;
    play(path, "......");
    /* It restarts: two probes meet nobody, then its beacon comes. */
    send_one(path);
    elapse(path, INTERVAL);
    send_one(path);
    elapse(path, INTERVAL);
    ag_session_reset(&path->session);
    path->rseq = 0;
    path->last_t3 = 0;
    play(path, "......");
    elapse(path, TIMEOUT);
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.sent, 12);
    assert_int_equal(row.received, 12);
    assert_int_equal(row.lost, 0);
    assert_int_equal(path->published[SB_sample_state_LOST], 0);
    assert_int_equal(path->session.se_counts.voided, 2);
    close_path(path);
}

/* No beacon tells of it: the reflector just counts from 0 again. Only what met nobody is lost, and
 * its direction is not known; afterwards directions are right again. */
static void
restart_unannounced(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t start = path->now;
    struct sb_latency row;

    (void)state;
    play(path, "......");
    send_one(path);
    elapse(path, INTERVAL);
    path->rseq = 0;
    path->last_t3 = 0;
    play(path, "....r..f..");
    elapse(path, TIMEOUT);
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.sent, 17);
    assert_int_equal(row.lost, 3);
    assert_int_equal(row.lost_fwd, 1);
    assert_int_equal(row.lost_rev, 1);
    assert_int_equal(row.received, 14);
    /* Not: before the restart, before the reply that was lost, and the last. */
    assert_int_equal(row.kernel, 11);
    close_path(path);
}

static void
sequence_wraps(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t start = path->now;
    struct sb_latency row;

    (void)state;
    path->session.se_next = path->session.se_open = path->session.se_expected = UINT32_MAX - 4;
    path->rseq = UINT32_MAX - 2;
    play(path, ".....r....f....");
    elapse(path, TIMEOUT);
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.sent, 15);
    assert_int_equal(row.received, 13);
    assert_int_equal(row.reordered, 0);
    assert_int_equal(row.lost_rev, 1);
    assert_int_equal(row.lost_fwd, 1);
    close_path(path);
}

static void
unsent_is_not_counted(void **state)
{
    struct path *path = open_path(INTERVAL);
    uint64_t start = path->now;
    struct ag_stamp_probe packet;
    struct sb_latency row;

    (void)state;
    ag_session_unsent(&path->session,
                      ag_session_send(&path->session, path->now, real(path), &packet));
    elapse(path, INTERVAL);
    assert_int_equal(ag_session_deadline(&path->session), UINT64_MAX);
    assert_false(ag_window_close(&path->session, start, path->now, &path->room, &row));
    exchange(path);
    elapse(path, TIMEOUT);
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.sent, 1);
    assert_int_equal(row.lost, 0);
    close_path(path);
}

/* One-way times with clocks that differ by 5 s are negative one way, and still right to 0.8 %. */
static void
clocks_that_differ(void **state)
{
    struct path *path = open_path(INTERVAL);
    struct sb_latency row;
    const struct ag_probe *probe;
    uint64_t start = path->now;

    (void)state;
    play(path, "..........");
    elapse(path, TIMEOUT);
    for (uint32_t seq = 0; seq < 10; seq++) {
        probe = ag_session_probe(&path->session, seq);
        ((struct ag_probe *)(uintptr_t)probe)->t2 -= 5 * SB_SECOND;
        ((struct ag_probe *)(uintptr_t)probe)->t3 -= 5 * SB_SECOND;
    }
    assert_true(ag_window_close(&path->session, start, path->now, &path->room, &row));
    assert_int_equal(row.fwd_p50_ns, FORWARD - 5 * (int64_t)SB_SECOND);
    assert_true(row.rev_p50_ns > REVERSE + 4960 * (int64_t)SB_MS);
    assert_true(row.rev_p50_ns < REVERSE + 5040 * (int64_t)SB_MS);
    assert_int_equal(row.rtt_p50_ns, FORWARD + REVERSE);
    close_path(path);
}

/* A datagram in the simulated network. */
struct flight {
    uint64_t arrives; /* CLOCK_MONOTONIC */
    uint64_t sent;    /* CLOCK_REALTIME of its probe */
    bool back;
    struct ag_stamp_probe probe;
    struct ag_stamp_reply reply;
};

static int
by_arrival(const void *a, const void *b)
{
    const struct flight *x = a, *y = b;

    return x->arrives < y->arrives ? -1 : x->arrives > y->arrives;
}

/* 4000 probes, each 10 ms, over a path that loses, doubles and delays at random in both directions:
 * windows of 1 s must sum up to the truth. */
static void
random_path(void **state)
{
    enum { N = 4000, JITTER = 12 }; /* ms; more than the interval: some overtake others */
    const uint64_t interval = 10 * SB_MS;
    struct path *path = open_path(interval);
    struct flight *flights = calloc(4 * N, sizeof(*flights));
    struct sb_latency row, sum = {0};
    bool *there = calloc(N, 1), *back = calloc(N, 1);
    uint32_t lost_fwd = 0, lost_rev = 0, doubles = 0;
    uint64_t start = path->now / SB_SECOND + 1, closed = start;
    size_t n = 0;

    (void)state;
    assert_true(flights && there && back);
    srandom(4);
    path->now = start * SB_SECOND;
    for (uint32_t sent = 0; sent < N || n > 0 || path->now < (start + 44) * SB_SECOND;) {
        uint64_t next = sent < N ? start * SB_SECOND + sent * interval : path->now + 50 * SB_MS;

        qsort(flights, n, sizeof(*flights), by_arrival);
        if (n > 0 && flights[0].arrives <= next) {
            struct flight one = flights[0];

            memmove(flights, flights + 1, --n * sizeof(*flights));
            path->now = one.arrives;
            ag_session_expire(&path->session, path->now);
            if (one.back) {
                back[one.probe.seq] = true;
                receive(path, &one.reply, real(path));
            } else {
                one.reply = answer(path, &one.probe, one.sent);
                there[one.probe.seq] = one.back = true;
                one.arrives += (uint64_t)random() % (JITTER * SB_MS);
                if (random() % 100 >= 7)
                    flights[n++] = one;
            }
        } else {
            path->now = next;
            ag_session_expire(&path->session, path->now);
            if (sent < N) {
                struct flight one = {.sent = real(path), .probe = send_one(path)};
                unsigned copies = random() % 100 < 5 ? 0 : random() % 100 < 3 ? 2 : 1;

                sent++;
                while (copies-- > 0) {
                    one.arrives = path->now + (uint64_t)random() % (JITTER * SB_MS);
                    flights[n++] = one;
                }
            }
        }
        while (path->now >= closed * SB_SECOND + SB_SECOND + TIMEOUT) {
            if (ag_window_close(&path->session, closed * SB_SECOND, (closed + 1) * SB_SECOND,
                                &path->room, &row)) {
                sum.sent += row.sent;
                sum.received += row.received;
                sum.lost += row.lost;
                sum.lost_fwd += row.lost_fwd;
                sum.lost_rev += row.lost_rev;
                sum.duplicated += row.duplicated;
                sum.late += row.late;
                assert_int_equal(row.sent, row.received + row.lost);
                assert_true(row.rtt_min_ns <= row.rtt_p50_ns && row.rtt_p50_ns <= row.rtt_p90_ns &&
                            row.rtt_p90_ns <= row.rtt_p99_ns && row.rtt_p99_ns <= row.rtt_max_ns);
            }
            closed++;
        }
    }
    for (unsigned i = 0; i < N; i++) {
        lost_fwd += !there[i];
        lost_rev += there[i] && !back[i];
    }
    doubles = (uint32_t)path->session.se_counts.duplicated;
    assert_int_equal(sum.sent, N);
    assert_int_equal(sum.lost, lost_fwd + lost_rev);
    assert_int_equal(sum.received, N - lost_fwd - lost_rev);
    assert_int_equal(sum.late, 0);
    assert_int_equal(sum.duplicated, doubles);
    assert_true(doubles > 0 && lost_fwd > 100 && lost_rev > 100);
    /* Where replies overtake each other around a loss, and where one of two replies to a doubled
     * probe is lost, numbers do not tell directions for certain: right to an eighth here. */
    assert_true(sum.lost_fwd + sum.lost_rev <= sum.lost);
    assert_in_range(sum.lost_rev, lost_rev - lost_rev / 8, lost_rev + lost_rev / 8);
    assert_in_range(sum.lost_fwd, lost_fwd - lost_fwd / 8, lost_fwd + lost_fwd / 8);
    free(flights);
    free(there);
    free(back);
    close_path(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_stamps),           cmocka_unit_test(methods),
        cmocka_unit_test(foreign_replies),       cmocka_unit_test(late_duplicate_reordered),
        cmocka_unit_test(loss_by_direction),     cmocka_unit_test(restart_is_no_loss),
        cmocka_unit_test(restart_unannounced),   cmocka_unit_test(sequence_wraps),
        cmocka_unit_test(unsent_is_not_counted), cmocka_unit_test(clocks_that_differ),
        cmocka_unit_test(random_path),
    };

    return cmocka_run_group_tests_name("agent_session", tests, NULL, NULL);
}
