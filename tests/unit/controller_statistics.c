/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_statistics.c - counters that switches tell, refuse, forget to tell or lie about. What
 * real switches tell is in tests/system/statistics.bats.
 */
#include "fake_switch.h"

#include <trivet/openflow_stats.h>

#include <signal.h>

static int
setup(void **state)
{
    struct fake_net *net = fake_net_new();

    net->policy = "learning"; /* without the rules of the multicast tree */
    net->config = "controller: {statistics-s: 1, discovery: {interval-ms: 250, settle-ms: 300}}\n";
    fake_start(net);
    *state = net;
    return 0;
}

static bool
counted(const struct fake_net *net, uint64_t dpid, uint32_t port)
{
    struct sb_port rows[64];
    unsigned n = fake_rows(net, SB_T_port, rows, 64);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].dpid == dpid && rows[i].port == port)
            return rows[i].rx_packets == port && rows[i].tx_errors == UINT64_MAX;
    return false;
}

static unsigned
installed(const struct fake_net *net, uint64_t dpid, enum sb_installed_kind kind)
{
    struct sb_installed rows[64];
    unsigned n = fake_rows(net, SB_T_installed, rows, 64), found = 0;

    for (unsigned i = 0; i < n; i++)
        found += rows[i].dpid == dpid && rows[i].kind == kind;
    return found;
}

static uint64_t
polled(const struct fake_net *net)
{
    struct sb_switch rows[8];

    return fake_rows(net, SB_T_switch, rows, 8) == 1 ? rows[0].polled_ns : 0;
}

static void
told(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    struct sb_flow_table tables[2];
    uint64_t first;

    sw->part = 1; /* entries come one by one, in parts */
    WAIT(net, polled(net) > 0);
    first = polled(net);
    assert_true(counted(net, 1, 1) && counted(net, 1, 3));
    assert_int_equal(installed(net, 1, SB_installed_kind_OWN), 2);
    assert_int_equal(installed(net, 1, SB_installed_kind_FOREIGN), 0);
    assert_int_equal(fake_rows(net, SB_T_flow_table, tables, 2), 1);
    assert_int_equal(tables[0].lookups, 7);
    assert_int_equal(tables[0].flows, 2);
    /* the next round finds a rule of others; and one that went */
    sw->rules[1].mod.cookie = 5;
    sw->rules[1].mod.match.fields = OF_M_IN_PORT;
    sw->rules[1].mod.match.in_port = 9;
    WAIT(net, polled(net) > first && installed(net, 1, SB_installed_kind_FOREIGN) == 1);
    WAIT(net, installed(net, 1, SB_installed_kind_OWN) == 1);
}

/* What it does not have it is not asked for again; the rest is. */
static void
refused(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2);

    sw->statistics = FAKE_REFUSES;
    fake_connect(sw);
    WAIT(net, polled(net) > 0);
    WAIT(net, fake_logged(net, "has no statistics TABLE"));
    assert_int_equal(installed(net, 1, SB_installed_kind_OWN), 2);
    RUN(net, 2500);
    assert_int_equal(sw->polls[OFPMP_PORT_STATS], 1);
    assert_int_equal(sw->polls[OFPMP_TABLE], 1);
    assert_int_equal(fake_switch_state(net, 1), SB_switch_state_READY);
    /* a new connection, a new question */
    fake_disconnect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_GONE);
    sw->statistics = FAKE_COUNTS;
    fake_connect(sw);
    WAIT(net, counted(net, 1, 2));
}

static void
forgotten(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2);

    sw->statistics = FAKE_MUTE;
    fake_connect(sw);
    WAIT(net, fake_logged(net, "no answer to PORT_STATS"));
    assert_int_equal(sw->polls[OFPMP_PORT_STATS], 1);
    assert_int_equal(fake_switch_state(net, 1), SB_switch_state_READY);
    sw->statistics = FAKE_COUNTS;
    WAIT(net, counted(net, 1, 2)); /* after a longer rest */
}

static void
wrong(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2);

    sw->statistics = FAKE_WRONG;
    fake_connect(sw);
    WAIT(net, sw->fd < 0);
    WAIT(net, fake_logged(net, "MULTIPART_REPLY"));
}

/* The list goes on as long as it likes; nobody else waits, and the memory it takes has an end. */
static void
endless(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2), *other = fake_switch_new(net, 2, 2);

    sw->statistics = FAKE_ENDLESS;
    fake_connect(sw);
    fake_connect(other);
    WAIT(net, counted(net, 1, 2)); /* what came counts */
    WAIT(net, counted(net, 2, 2));
    WAIT(net, fake_logged(net, "no answer to PORT_STATS"));
    assert_int_equal(sw->polls[OFPMP_TABLE], 0);
    assert_int_equal(fake_switch_state(net, 1), SB_switch_state_READY);
}

static struct sb_counter
counter(const struct fake_net *net, const char *thread, const char *name)
{
    struct sb_counter rows[512];
    unsigned n = fake_rows(net, SB_T_counter, rows, 512);

    for (unsigned i = 0; i < n; i++)
        if (strcmp(rows[i].thread, thread) == 0 && strcmp(rows[i].name, name) == 0)
            return rows[i];
    return (struct sb_counter){0};
}

/* What a worker counts is in the table, exactly, a second later, and begins anew with the process.
 */
static void
counters_are_told(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 2);
    const char *worker = sb_shard_of(1, 2) == 0 ? "worker.0" : "worker.1";
    uint64_t begun, seen, last = 0;
    unsigned sent = 0, changes = 0;

    fake_settle(sw);
    begun = sb_mono();
    while (sb_mono() - begun < 2500 * SB_MS) {
        fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
        sent++;
        RUN(net, 20);
        seen = counter(net, worker, "packet_ins").changed_ns;
        changes += seen != last;
        last = seen;
    }
    WAIT(net, counter(net, worker, "packet_ins").value == sent);
    assert_in_range(changes, 1, 4);
    assert_int_equal(counter(net, worker, "dropped_malformed").changed_ns, 0); /* 0 has no row */
    for (unsigned i = 0; i < 3; i++)
        fake_packet_in(sw, 1, "short", 5, OF_NO_BUFFER);
    WAIT(net, counter(net, worker, "dropped_malformed").value == 3);
    fake_restart(net, SIGKILL);
    fake_settle(sw);
    assert_int_equal(counter(net, worker, "dropped_malformed").value, 0);
    fake_packet_in(sw, 1, "short", 5, OF_NO_BUFFER);
    WAIT(net, counter(net, worker, "dropped_malformed").value == 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(told),  TEST(refused), TEST(forgotten),
        TEST(wrong), TEST(endless), TEST(counters_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
