/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapcheck_checks.c - journeys, flow table and checks on made-up sequences of packets.
 *
 *   h1 -- [s1-eth1] s1 [s1-eth2] -- [s2-eth2] s2 [s2-eth1] -- h2      s1-eth3, s2-eth3: more host
 * ports
 *
 * s1 is dpid 1, s2 is dpid 2; port n is sN-ethn. Times are in ms after T0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcapcheck.h>
#include <trivet/openflow.h>

#define T0 (UINT64_C(1700000000) * SB_SECOND)
#define AT(ms) (T0 + (uint64_t)((ms)*1e6))

static void
port(struct pc_engine *e, uint64_t dpid, uint32_t number, uint8_t type)
{
    struct sb_port row = {.dpid = dpid, .port = number, .type = type, .up = 1};
    uint32_t i;

    snprintf(row.name, sizeof row.name, "s%u-eth%u", (unsigned)dpid, number);
    pc_net_change(&e->net, SB_T_port, &row, NULL, 0);
    i = pc_point_by_port(&e->net.points, dpid, number);
    e->net.points.point[i].tap[PC_OUT].since_ns = 1;
    if (type != SB_port_type_LINK)
        e->net.points.point[i].tap[PC_IN].since_ns = 1;
}

static struct sb_flow
decided(uint64_t dpid, uint32_t in_port, unsigned to, uint32_t output)
{
    struct sb_flow f = {.dpid = dpid,
                        .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_DST,
                        .in_port = in_port,
                        .eth_dst = {2, 0, 0, 0, 0, (uint8_t)to},
                        .priority = 100,
                        .output = output,
                        .cookie = dpid << 8 | in_port,
                        .decided_ns = AT(0),
                        .barrier_ns = AT(1),
                        .state = SB_flow_state_INSTALLED};
    return f;
}

static void
decide(struct pc_engine *e, struct sb_flow f)
{
    pc_net_change(&e->net, SB_T_flow, &f, NULL, 0);
}

static struct pc_engine *
network(void)
{
    struct pc_engine_config config = {.flows = 64, .journeys = 1024, .seed = 1};
    struct pc_engine *e = pc_engine_new(&config);
    struct sb_link link = {
        .dpid_a = 1, .dpid_b = 2, .port_a = 2, .port_b = 2, .state = SB_link_state_UP};

    assert_non_null(e);
    for (uint64_t d = 1; d <= 2; d++) {
        port(e, d, 1, SB_port_type_EDGE);
        port(e, d, 2, SB_port_type_LINK);
        port(e, d, 3, SB_port_type_EDGE);
        decide(e, decided(d, 1, d == 1 ? 2 : 1, 2)); /* from the host into the link */
        decide(e, decided(d, 2, d == 1 ? 1 : 2, 1)); /* out of the link to the host */
    }
    pc_net_change(&e->net, SB_T_link, &link, NULL, 0);
    return e;
}

/* A UDP packet from h<from> to the other host; number makes it unique. */
static void
see(struct pc_engine *e, const char *point, enum pc_direction dir, double ms, unsigned from,
    uint32_t number)
{
    uint8_t p[14 + 20 + 8 + 20] = {
        2, 0, 0, 0, 0, (uint8_t)(3 - from), 2, 0, 0, 0, 0, (uint8_t)from, 8, 0, 0x45, 0, 0, 48};
    uint32_t i = pc_point_by_name(&e->net.points, point);

    assert_int_not_equal(i, PC_NONE);
    p[22] = 64;
    p[23] = 17;
    p[26] = p[30] = 10;
    p[29] = (uint8_t)from;
    p[33] = (uint8_t)(3 - from);
    p[35] = 7;
    p[37] = 9;
    p[39] = 28;
    memcpy(p + 42, &number, 4);
    pc_engine_packet(e, i, dir, AT(ms), p, sizeof p, sizeof p, PC_LINK_ETHERNET);
}

/* h1 to h2 the right way */
static void
right(struct pc_engine *e, double ms, uint32_t number)
{
    see(e, "s1-eth1", PC_IN, ms, 1, number);
    see(e, "s1-eth2", PC_OUT, ms + .1, 1, number);
    see(e, "s2-eth1", PC_OUT, ms + .2, 1, number);
}

struct wanted {
    const char *check, *subject;
    struct pc_verdict found;
    unsigned n;
};

static void
pick(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    struct wanted *w = arg;

    if (strcmp(check->name, w->check) != 0 || strstr(v->row.subject, w->subject) != v->row.subject)
        return;
    w->found = *v;
    w->n++;
}

static struct pc_verdict
verdict(struct pc_engine *e, const char *check, const char *subject)
{
    struct wanted w = {.check = check, .subject = subject};

    pc_engine_advance(e, UINT64_MAX);
    pc_verdicts(e, pick, &w);
    assert_int_equal(w.n, 1);
    print_message("%s %s: %s\n", check, subject, w.found.row.reason);
    return w.found;
}

#define EXPECT(e, check, subject, result_)                                                         \
    assert_int_equal(verdict(e, check, subject).row.result, SB_verdict_result_##result_)

static enum sb_verdict_result
whole(struct pc_engine *e)
{
    struct pc_summary s;

    pc_engine_advance(e, UINT64_MAX);
    pc_summarise(e, &s);
    return s.result;
}

static void
obeyed(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        right(e, 100 + i, i);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    EXPECT(e, "port-claim", "2 in 2", PASS);
    EXPECT(e, "port-claim", "2 in 1", INCONCLUSIVE); /* nothing came back */
    EXPECT(e, "loop", "network", PASS);
    EXPECT(e, "duplicate", "network", PASS);
    assert_int_equal(verdict(e, "port-claim", "1 in 1").row.good, 10);
    assert_int_equal(whole(e), SB_verdict_result_PASS);
    pc_engine_destroy(&e);
}

static void
wrong_port(void **state)
{
    struct pc_engine *e = network();
    struct pc_verdict v;

    (void)state;
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth3", PC_OUT, 100.1, 1, 1);
    v = verdict(e, "port-claim", "1 in 1");
    assert_int_equal(v.row.result, SB_verdict_result_FAIL);
    assert_int_equal(v.row.bad, 1);
    assert_int_equal(v.row.cookie, 0x101);
    assert_non_null(strstr(v.row.reason, "decided s1-eth2, left by s1-eth3 at 22:13:20.100100"));
    assert_int_equal(whole(e), SB_verdict_result_FAIL);
    assert_int_equal(e->flows.flow[0].verdict, SB_verdict_result_FAIL);
    pc_engine_destroy(&e);
}

static void
copy_elsewhere(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    right(e, 100, 1);
    see(e, "s2-eth3", PC_OUT, 100.2, 1, 1);
    EXPECT(e, "port-claim", "2 in 2", FAIL);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    pc_engine_destroy(&e);
}

static void
never_left(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth1", PC_IN, 101, 1, 2);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE); /* two may be lost */
    e->watermark_ns = 0;
    see(e, "s1-eth1", PC_IN, 1000, 1, 3);
    EXPECT(e, "port-claim", "1 in 1", FAIL);
    pc_engine_destroy(&e);
}

/* Only packets after t_barrier + 50 ms count. */
static void
before_the_barrier(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (uint32_t i = 0; i < 10; i++) {
        see(e, "s1-eth1", PC_IN, 50 - i, 1, i);
        see(e, "s1-eth3", PC_OUT, 51 - i, 1, i);
    }
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    e->watermark_ns = 0;
    see(e, "s1-eth1", PC_IN, 51.1, 1, 100);
    see(e, "s1-eth3", PC_OUT, 51.2, 1, 100);
    EXPECT(e, "port-claim", "1 in 1", FAIL);
    pc_engine_destroy(&e);
}

/* Journeys are judged late: each packet by what was decided when it entered. */
static void
changed_decision(void **state)
{
    struct pc_engine *e = network();
    struct sb_flow f = decided(1, 1, 2, 3);

    (void)state;
    right(e, 900, 1);
    f.decided_ns = AT(1000);
    f.barrier_ns = AT(1010);
    decide(e, f); /* known before the packet of the old version was judged */
    see(e, "s1-eth1", PC_IN, 1005, 1, 2); /* in between: either way */
    see(e, "s1-eth2", PC_OUT, 1005.1, 1, 2);
    see(e, "s1-eth1", PC_IN, 1100, 1, 3);
    see(e, "s1-eth3", PC_OUT, 1100.1, 1, 3);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    e->watermark_ns = 0;
    see(e, "s1-eth1", PC_IN, 2000, 1, 4); /* still the old way */
    see(e, "s1-eth2", PC_OUT, 2000.1, 1, 4);
    EXPECT(e, "port-claim", "1 in 1", FAIL);
    pc_engine_destroy(&e);
}

static void
handled_by_the_controller(void **state)
{
    struct pc_engine *e = network();
    struct sb_decision d = {.t_ns = AT(103),
                            .dpid = 1,
                            .in_port = 1,
                            .eth_src = {2, 0, 0, 0, 0, 1},
                            .eth_dst = {2, 0, 0, 0, 0, 2},
                            .kind = SB_decision_kind_FLOOD};

    (void)state;
    pc_net_change(&e->net, SB_T_decision, &d, NULL, 0);
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth3", PC_OUT, 105, 1, 1);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    pc_engine_destroy(&e);
    /* of another packet: no excuse */
    e = network();
    d.eth_dst[5] = 9;
    pc_net_change(&e->net, SB_T_decision, &d, NULL, 0);
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth3", PC_OUT, 105, 1, 1);
    EXPECT(e, "port-claim", "1 in 1", FAIL);
    pc_engine_destroy(&e);
}

static void
sent_by_packet_out(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    right(e, 99, 7);
    for (uint32_t i = 0; i < 4; i++) /* never entered anywhere */
        see(e, "s2-eth3", PC_OUT, 100 + i, 1, i);
    EXPECT(e, "port-claim", "2 in 2", PASS);
    EXPECT(e, "duplicate", "network", PASS);
    pc_engine_destroy(&e);
}

/* The order in which the handles are read does not matter. */
static void
handles_race(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct pc_engine *e = network();

        for (unsigned k = 0; k < 3; k++)
            for (uint32_t i = 0; i < 20; i++) {
                double ms = 100 + 5 * i;

                if (orders[order][k] == 0)
                    see(e, "s1-eth1", PC_IN, ms, 1, i);
                else if (orders[order][k] == 1)
                    see(e, "s1-eth2", PC_OUT, ms + .1, 1, i);
                else
                    see(e, "s2-eth1", PC_OUT, ms + .2, 1, i);
            }
        assert_int_equal(whole(e), SB_verdict_result_PASS);
        assert_int_equal(verdict(e, "port-claim", "1 in 1").row.good, 20);
        assert_int_equal(e->flows.n, 1);
        assert_int_equal(e->flows.flow[0].packets[0] + e->flows.flow[0].packets[1], 20);
        assert_int_equal(e->flows.more[0].n_points[0], 3);
        for (unsigned k = 0; k < 3; k++) {
            static const char *const path[] = {"s1-eth1", "s1-eth2", "s2-eth1"};

            assert_string_equal(e->net.points.point[e->flows.more[0].point[0][k]].name, path[k]);
        }
        pc_engine_destroy(&e);
    }
}

static void
kernel_drops(void **state)
{
    struct pc_engine *e = network();
    uint32_t i = pc_point_by_name(&e->net.points, "s1-eth3");

    (void)state;
    right(e, 100, 1);
    e->net.points.point[i].tap[PC_OUT].drops = 3;
    e->net.points.point[i].tap[PC_OUT].drop_ns = AT(101);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    EXPECT(e, "port-claim", "2 in 2", PASS); /* another switch */
    EXPECT(e, "loop", "network", INCONCLUSIVE);
    assert_int_equal(whole(e), SB_verdict_result_INCONCLUSIVE);
    pc_engine_destroy(&e);
}

static void
not_capturable(void **state)
{
    struct pc_engine *e = network();
    uint32_t i = pc_point_by_name(&e->net.points, "s1-eth3");

    (void)state;
    e->net.points.point[i].tap[PC_OUT].since_ns = 0;
    snprintf(e->net.points.point[i].why, sizeof e->net.points.point[i].why, "a patch port");
    right(e, 100, 1);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    assert_non_null(strstr(verdict(e, "port-claim", "1 in 1").row.reason,
                           "s1-eth3 not capturable: a patch port"));
    assert_int_equal(whole(e), SB_verdict_result_INCONCLUSIVE);
    pc_engine_destroy(&e);
}

static void
nothing_seen(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    EXPECT(e, "loop", "network", INCONCLUSIVE);
    assert_int_equal(whole(e), SB_verdict_result_INCONCLUSIVE);
    pc_engine_destroy(&e);
}

/* A flow that may have expired in the switch is no ground for a fail, but its packets keep it
 * alive. */
static void
timeouts(void **state)
{
    struct pc_engine *e = network();
    struct sb_flow f = decided(1, 1, 2, 2);

    (void)state;
    f.idle_s = 5;
    decide(e, f);
    for (uint32_t i = 0; i < 4; i++)
        see(e, "s1-eth1", PC_IN, 6000 + i, 1, i); /* gone */
    see(e, "s1-eth1", PC_IN, 7000, 1, 50);
    see(e, "s1-eth3", PC_OUT, 7001, 1, 50);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    pc_engine_destroy(&e);

    e = network();
    decide(e, f);
    for (uint32_t i = 0; i < 10; i++) {
        right(e, 1000 + 3000 * i, i);
        pc_engine_advance(e, AT(1000 + 3000 * i + 1000));
    }
    see(e, "s1-eth1", PC_IN, 30000, 1, 50); /* kept alive: must be obeyed */
    see(e, "s1-eth3", PC_OUT, 30001, 1, 50);
    EXPECT(e, "port-claim", "1 in 1", FAIL);
    pc_engine_destroy(&e);

    e = network();
    f.idle_s = 0;
    f.hard_s = 10;
    decide(e, f);
    right(e, 8000, 1);
    see(e, "s1-eth1", PC_IN, 9500, 1, 50);
    see(e, "s1-eth3", PC_OUT, 9501, 1, 50);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    pc_engine_destroy(&e);
}

static void
removed_flow(void **state)
{
    struct pc_engine *e = network();
    struct sb_flow f = decided(1, 1, 2, 2);

    (void)state;
    right(e, 100, 1);
    pc_net_change(&e->net, SB_T_flow, NULL, &f, AT(5000));
    see(e, "s1-eth1", PC_IN, 5100, 1, 2);
    see(e, "s1-eth3", PC_OUT, 5101, 1, 2);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    pc_net_expire(&e->net, AT(60000));
    assert_int_equal(e->net.n_used, 3);
    pc_engine_destroy(&e);
}

static void
higher_priority_wins(void **state)
{
    struct pc_engine *e = network();
    struct sb_flow f = decided(1, 1, 2, 3);

    (void)state;
    f.priority = 200;
    f.fields = SB_MATCH_ETH_DST;
    decide(e, f);
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth3", PC_OUT, 100.1, 1, 1);
    EXPECT(e, "port-claim", "1 *>02:00:00:00:00:02 p200", PASS);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    pc_engine_destroy(&e);
    /* of the same priority: OpenFlow does not say which */
    e = network();
    f.priority = 100;
    decide(e, f);
    see(e, "s1-eth1", PC_IN, 100, 1, 1);
    see(e, "s1-eth3", PC_OUT, 100.1, 1, 1);
    EXPECT(e, "port-claim", "1 in 1", INCONCLUSIVE);
    pc_engine_destroy(&e);
}

/* ---- loop, duplicate ----------------------------------------------------------------- */

static void
loops(void **state)
{
    struct pc_engine *e = network();
    struct pc_verdict v;

    (void)state;
    see(e, "s1-eth1", PC_IN, 600, 1, 1);
    see(e, "s1-eth2", PC_OUT, 600.1, 1, 1);
    see(e, "s2-eth2", PC_OUT, 600.2, 1, 1); /* back: the other direction, no loop yet */
    EXPECT(e, "loop", "network", PASS);
    e->watermark_ns = 0;
    see(e, "s1-eth1", PC_IN, 1600, 1, 2);
    see(e, "s1-eth2", PC_OUT, 1600.1, 1, 2);
    see(e, "s2-eth2", PC_OUT, 1600.2, 1, 2);
    see(e, "s1-eth2", PC_OUT, 1600.3, 1, 2);
    v = verdict(e, "loop", "network");
    assert_int_equal(v.row.result, SB_verdict_result_FAIL);
    assert_int_equal(v.row.bad, 1);
    assert_non_null(strstr(v.row.reason, "crossed s1-eth2 2 times, injected 1 times"));
    pc_engine_destroy(&e);
}

/* Equal packets that were really sent so often are counted, not condemned. */
static void
equal_packets(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        right(e, 600 + 10 * i, 1);
    EXPECT(e, "loop", "network", PASS);
    EXPECT(e, "duplicate", "network", PASS);
    pc_engine_destroy(&e);
    e = network();
    for (unsigned i = 0; i < 1000; i++) { /* for longer than a journey may last */
        right(e, 600 + 10 * i, 1);
        pc_engine_advance(e, AT(600 + 10 * i - 200));
    }
    assert_int_not_equal(verdict(e, "loop", "network").row.result, SB_verdict_result_FAIL);
    assert_int_not_equal(verdict(e, "duplicate", "network").row.result, SB_verdict_result_FAIL);
    EXPECT(e, "port-claim", "1 in 1", PASS);
    pc_engine_destroy(&e);
}

/* Sent by the controller, or injected before the capture: few prove nothing, a storm does. */
static void
without_injection(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (unsigned i = 0; i < 7; i++)
        see(e, "s1-eth2", PC_OUT, 600 + i, 1, 1);
    EXPECT(e, "loop", "network", INCONCLUSIVE);
    e->watermark_ns = 0;
    for (unsigned i = 0; i < 1000; i++) {
        see(e, "s1-eth2", PC_OUT, 2000 + i, 1, 2);
        see(e, "s2-eth2", PC_OUT, 2000.5 + i, 1, 2);
    }
    EXPECT(e, "loop", "network", FAIL);
    pc_engine_destroy(&e);
}

/* A storm never falls quiet: it is told while it rages. */
static void
storm_is_told(void **state)
{
    struct pc_engine *e = network();
    struct wanted w = {.check = "loop", .subject = "network"};

    (void)state;
    see(e, "s1-eth1", PC_IN, 600, 1, 1);
    for (unsigned i = 0; i < 5000; i++)
        see(e, "s1-eth2", PC_OUT, 600 + i, 1, 1);
    pc_engine_advance(e, AT(5400));
    pc_verdicts(e, pick, &w);
    assert_int_equal(w.found.row.result, SB_verdict_result_FAIL);
    pc_engine_destroy(&e);
}

static void
duplicates(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    right(e, 600, 1);
    see(e, "s2-eth1", PC_OUT, 600.3, 1, 1);
    EXPECT(e, "duplicate", "network", FAIL);
    EXPECT(e, "loop", "network", PASS);
    pc_engine_destroy(&e);
    /* an unwatched way in: it may have come from there */
    e = network();
    e->net.points.point[pc_point_by_name(&e->net.points, "s2-eth3")].tap[PC_IN].since_ns = 0;
    right(e, 600, 1);
    see(e, "s2-eth1", PC_OUT, 600.3, 1, 1);
    EXPECT(e, "duplicate", "network", INCONCLUSIVE);
    pc_engine_destroy(&e);
}

/* What was injected before its way in was watched says nothing. */
static void
capture_begins(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    e->net.points.point[pc_point_by_name(&e->net.points, "s2-eth3")].tap[PC_IN].since_ns = AT(500);
    right(e, 600, 1);
    see(e, "s2-eth1", PC_OUT, 600.3, 1, 1);
    right(e, 1200, 2);
    EXPECT(e, "duplicate", "network", PASS);
    e->watermark_ns = 0;
    right(e, 2200, 3);
    see(e, "s2-eth1", PC_OUT, 2200.3, 1, 3);
    EXPECT(e, "duplicate", "network", FAIL);
    pc_engine_destroy(&e);
}

static void
own_and_unidentifiable(void **state)
{
    struct pc_engine *e = network();
    uint8_t lldp[60] = {1, 0x80, 0xc2, 0, 0, 0xe, 2, 0, 0, 0, 0, 1, 0x88, 0xcc, 2};
    uint8_t cut[40] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 48};

    (void)state;
    cut[23] = 17;
    for (unsigned i = 0; i < 20; i++) {
        pc_engine_packet(e, 1, PC_OUT, AT(600 + i), lldp, sizeof lldp, sizeof lldp,
                         PC_LINK_ETHERNET);
        pc_engine_packet(e, 1, PC_OUT, AT(600 + i), cut, sizeof cut, 62, PC_LINK_ETHERNET);
    }
    assert_int_equal(e->count.own, 20);
    assert_int_equal(e->count.unidentified, 20);
    assert_int_equal(whole(e), SB_verdict_result_INCONCLUSIVE);
    EXPECT(e, "loop", "network", INCONCLUSIVE);
    pc_engine_destroy(&e);
}

/* Files that do not tell directions: concluded from the order. */
static void
concluded_directions(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        see(e, "s1-eth1", PC_EITHER, 600 + i, 1, i);
        see(e, "s1-eth2", PC_EITHER, 600.1 + i, 1, i);
        see(e, "s2-eth2", PC_EITHER, 600.2 + i, 1, i);
        see(e, "s2-eth1", PC_EITHER, 600.3 + i, 1, i);
    }
    EXPECT(e, "port-claim", "1 in 1", PASS);
    EXPECT(e, "port-claim", "2 in 2", PASS);
    EXPECT(e, "loop", "network", PASS);
    pc_engine_destroy(&e);
}

/* ---- flow table ------------------------------------------------------------------------- */

static void
tcp(struct pc_engine *e, double ms, unsigned from, uint32_t seq, uint8_t flags, unsigned size,
    uint16_t id)
{
    uint8_t p[14 + 40 + 100] = {2, 0, 0,   0, 0, (uint8_t)(3 - from), 2, 0, 0, 0, 0, (uint8_t)from,
                                8, 0, 0x45};

    p[17] = (uint8_t)(40 + size);
    p[18] = (uint8_t)(id >> 8);
    p[19] = (uint8_t)id;
    p[23] = 6;
    p[26] = p[30] = 10;
    p[29] = (uint8_t)from;
    p[33] = (uint8_t)(3 - from);
    p[35] = from == 1 ? 90 : 80;
    p[37] = from == 1 ? 80 : 90;
    p[38] = (uint8_t)(seq >> 24);
    p[39] = (uint8_t)(seq >> 16);
    p[40] = (uint8_t)(seq >> 8);
    p[41] = (uint8_t)seq;
    p[46] = 0x50;
    p[47] = flags;
    pc_engine_packet(e, pc_point_by_name(&e->net.points, from == 1 ? "s1-eth1" : "s2-eth1"), PC_IN,
                     AT(ms), p, 54 + size, 54 + size, PC_LINK_ETHERNET);
}

static void
tcp_life(void **state)
{
    struct pc_engine *e = network();
    struct pc_flow *f = &e->flows.flow[0];

    (void)state;
    tcp(e, 100, 1, 0xfffffff0, PC_TCP_SYN, 0, 1);
    assert_int_equal(pc_flow_tcp_state(f), SB_tcp_state_OPENING);
    tcp(e, 101, 2, 500, PC_TCP_SYN | PC_TCP_ACK, 0, 1);
    tcp(e, 102, 1, 0xfffffff1, PC_TCP_ACK, 0, 2);
    assert_int_equal(pc_flow_tcp_state(f), SB_tcp_state_OPEN);
    tcp(e, 103, 1, 0xfffffff1, PC_TCP_ACK, 50, 3); /* wraps */
    tcp(e, 104, 1, 0x23, PC_TCP_ACK, 50, 4);
    assert_int_equal(f->retransmits, 0);
    tcp(e, 105, 1, 0xfffffff1, PC_TCP_ACK, 50, 5);
    assert_int_equal(f->retransmits, 1);
    tcp(e, 106, 2, 501, PC_TCP_FIN | PC_TCP_ACK, 0, 2);
    assert_int_equal(pc_flow_tcp_state(f), SB_tcp_state_CLOSING);
    assert_int_equal(f->fct_ns, 0);
    tcp(e, 150, 1, 0x55, PC_TCP_FIN | PC_TCP_ACK, 0, 6);
    assert_int_equal(pc_flow_tcp_state(f), SB_tcp_state_CLOSED);
    assert_int_equal(f->fct_ns, 50 * SB_MS);
    assert_int_equal(e->flows.n, 1);
    pc_engine_destroy(&e);
}

static void
table_is_bounded(void **state)
{
    struct pc_flows flows;
    struct pc_packet pk = {.inner = {.has = PC_HAS_IP, .eth_type = 0x0800}};
    unsigned dir;

    (void)state;
    assert_int_equal(pc_flows_init(&flows, 10, 1), 0);
    for (unsigned i = 0; i < 25; i++) {
        pk.inner.ip_src[15] = (uint8_t)(i + 1);
        assert_int_not_equal(pc_flows_packet(&flows, &pk, i, 60, &dir), PC_NONE);
        pk.inner.ip_src[15] = 1; /* in use: never evicted */
        pc_flows_packet(&flows, &pk, i, 60, &dir);
    }
    assert_int_equal(flows.n, 10);
    assert_int_equal(flows.evicted, 15);
    assert_int_equal(flows.flow[pc_flows_packet(&flows, &pk, 99, 60, &dir)].packets[dir], 27);
    pc_flows_free(&flows);
}

/* No room for journeys: counted, judged as partial, never a crash or a fail. */
static void
journeys_are_bounded(void **state)
{
    struct pc_engine *e = network();

    (void)state;
    for (uint32_t i = 0; i < 5000; i++)
        see(e, "s1-eth1", PC_IN, 600 + i * .001, 1, i);
    for (uint32_t i = 0; i < 5000; i++)
        see(e, "s1-eth3", PC_OUT, 606 + i * .001, 1, i);
    assert_true(e->count.journeys_early > 0);
    assert_int_not_equal(whole(e), SB_verdict_result_PASS);
    pc_engine_destroy(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obeyed),
        cmocka_unit_test(wrong_port),
        cmocka_unit_test(copy_elsewhere),
        cmocka_unit_test(never_left),
        cmocka_unit_test(before_the_barrier),
        cmocka_unit_test(changed_decision),
        cmocka_unit_test(handled_by_the_controller),
        cmocka_unit_test(sent_by_packet_out),
        cmocka_unit_test(handles_race),
        cmocka_unit_test(kernel_drops),
        cmocka_unit_test(not_capturable),
        cmocka_unit_test(nothing_seen),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(removed_flow),
        cmocka_unit_test(higher_priority_wins),
        cmocka_unit_test(loops),
        cmocka_unit_test(equal_packets),
        cmocka_unit_test(without_injection),
        cmocka_unit_test(storm_is_told),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(capture_begins),
        cmocka_unit_test(own_and_unidentifiable),
        cmocka_unit_test(concluded_directions),
        cmocka_unit_test(tcp_life),
        cmocka_unit_test(table_is_bounded),
        cmocka_unit_test(journeys_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
