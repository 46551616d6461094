/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_restart.c - switches that were away and a controller that was killed: what is as
 * decided is adopted and not sent again, what changed meanwhile is found out, nothing else is
 * touched.
 */
#include "fake_switch.h"

#include <signal.h>
#include <stdlib.h>

/* host 1 - 1:s1:3 - 3:s2:2 - host 2, a second link 4 - 4, and rules in both directions */
struct pair {
    struct fake_switch *s1, *s2;
};

static void
links_up(struct fake_net *net)
{
    for (unsigned i = 0; i < net->n_cables; i++)
        WAIT(net, net->cables[i].cut || fake_link_state(net, net->cables[i].dpid_a,
                                                        net->cables[i].port_a) == SB_link_state_UP);
    for (unsigned i = 0; i < net->n_switches; i++)
        fake_settle(net->switches[i]);
}

static bool
has_path(const struct fake_net *net, uint8_t from, uint8_t to)
{
    return fake_flow(net, 1, from, to, NULL) == SB_flow_state_INSTALLED &&
           fake_flow(net, 2, from, to, NULL) == SB_flow_state_INSTALLED;
}

static struct pair
pair(struct fake_net *net)
{
    struct pair p = {fake_switch_new(net, 1, 4), fake_switch_new(net, 2, 4)};

    fake_cable(net, 1, 3, 2, 3);
    fake_cable(net, 1, 4, 2, 4);
    fake_connect(p.s1);
    fake_connect(p.s2);
    links_up(net);
    fake_packet(p.s1, 1, 1, 0, OF_NO_BUFFER);
    fake_packet(p.s2, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 1, 1, 1) && fake_host(net, 2, 2, 2));
    INSIST(net, has_path(net, 1, 2) && has_path(net, 2, 1),
           fake_packet(p.s1, 1, 1, 2, OF_NO_BUFFER), fake_packet(p.s2, 2, 2, 1, OF_NO_BUFFER));
    fake_forget(p.s1);
    fake_forget(p.s2);
    return p;
}

static void
go_away(struct fake_switch *sw)
{
    fake_disconnect(sw);
    WAIT(sw->net, fake_switch_state(sw->net, sw->dpid) == SB_switch_state_GONE);
}

static void
come_back(struct fake_switch *sw)
{
    fake_connect(sw);
    WAIT(sw->net, fake_switch_state(sw->net, sw->dpid) == SB_switch_state_READY);
}

static void
reconnect_adopts(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);
    struct sb_flow before, after;

    fake_flow(net, 1, 1, 2, &before);
    /* long enough that frames sent and heard are many on both sides */
    WAIT(net, p.s1->lldp[3] >= 7 && p.s2->lldp[3] >= 7);
    go_away(p.s1);
    /* a link to a switch that is away goes on forwarding */
    assert_int_equal(fake_link_state(net, 1, 3), SB_link_state_UP);
    come_back(p.s1);
    WAIT(net, has_path(net, 1, 2) && has_path(net, 2, 1));
    RUN(net, 300);
    assert_int_equal(p.s1->n_mods + p.s2->n_mods, 0);
    assert_int_equal(fake_flow(net, 1, 1, 2, &after), SB_flow_state_INSTALLED);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(fake_events(net, SB_event_kind_LINK_DOWN), 0);
    WAIT(net, fake_events(net, SB_event_kind_RECONCILED) == 1);
}

/* The controller comes back, one switch finds it much later than the other. */
static void
late_switch_keeps_its_links(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);

    fake_stop(net, SIGKILL);
    WAIT(net, p.s1->fd < 0 && p.s2->fd < 0);
    memset(p.s1->lldp, 0, sizeof(p.s1->lldp));
    fake_start(net);
    fake_connect(p.s1);
    WAIT(net, p.s1->lldp[3] >= 7);
    fake_connect(p.s2);
    WAIT(net, has_path(net, 1, 2) && has_path(net, 2, 1));
    RUN(net, 300);
    assert_int_equal(p.s1->n_mods + p.s2->n_mods, 0);
    assert_int_equal(fake_link_state(net, 1, 3), SB_link_state_UP);
    assert_int_equal(fake_events(net, SB_event_kind_LINK_DOWN), 0);
}

static void
reconnect_compares(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);
    struct fake_rule stale = *fake_rule(p.s1, 1, 2), foreign = stale;
    const struct fake_rule *deleted;
    unsigned i = 0;

    go_away(p.s1);
    /* 1 to 2 ended by its time-out; a rule of ours that nobody knows; two that are not ours */
    while (&p.s1->rules[i] != fake_rule(p.s1, 1, 2))
        i++;
    stale.mod.match.in_port = 2;
    stale.mod.cookie ^= UINT64_C(5) << 32;
    p.s1->rules[i] = stale;
    p.s1->rules = realloc(p.s1->rules, (p.s1->n_rules + 2) * sizeof(*p.s1->rules));
    assert_non_null(p.s1->rules);
    foreign.mod.cookie = UINT64_C(0x7473) << 48 | 1;
    foreign.mod.match.in_port = 7;
    p.s1->rules[p.s1->n_rules++] = foreign;
    foreign.mod.cookie = 0;
    foreign.mod.match.in_port = 8;
    p.s1->rules[p.s1->n_rules++] = foreign;
    p.s1->unmasked = true;
    come_back(p.s1);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) < 0);
    WAIT(net, fake_flow(net, 1, 2, 1, NULL) == SB_flow_state_INSTALLED);
    WAIT(net, fake_mod(p.s1, OFPFC_DELETE_STRICT, stale.mod.priority) != NULL);
    deleted = fake_mod(p.s1, OFPFC_DELETE_STRICT, stale.mod.priority);
    assert_int_equal(deleted->mod.cookie, stale.mod.cookie);
    assert_int_equal(deleted->mod.cookie_mask, UINT64_MAX);
    RUN(net, 200);
    assert_int_equal(p.s1->n_mods, 1);
    assert_int_equal(p.s1->n_rules, 5); /* two of every switch, 2 to 1, the two foreign */
}

static struct fake_rule *
rule_of(struct fake_switch *sw, uint8_t from, uint8_t to)
{
    unsigned i = 0;

    while (&sw->rules[i] != fake_rule(sw, from, to))
        i++;
    return &sw->rules[i];
}

static void
reconnect_mends(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);
    uint64_t cookie = fake_rule(p.s2, 1, 2)->mod.cookie;
    uint32_t output = fake_rule(p.s1, 1, 2)->action.port;
    const struct fake_rule *mod;

    go_away(p.s1);
    go_away(p.s2);
    rule_of(p.s1, 1, 2)->action.port = 2;
    rule_of(p.s1, 2, 1)->mod.idle_s = 77;
    rule_of(p.s2, 1, 2)->mod.cookie ^= UINT64_C(1) << 40;
    rule_of(p.s2, 2, 1)->mod.cookie = 0x1234;
    come_back(p.s1);
    come_back(p.s2);
    WAIT(net, has_path(net, 1, 2) && fake_flow(net, 1, 2, 1, NULL) == SB_flow_state_INSTALLED);
    /* other actions: MODIFY_STRICT of ours alone, which keeps counters and time-outs */
    mod = fake_mod(p.s1, OFPFC_MODIFY_STRICT, 100);
    assert_non_null(mod);
    assert_int_equal(mod->mod.cookie_mask, UINT64_MAX);
    assert_int_equal(fake_rule(p.s1, 1, 2)->action.port, output);
    /* other time-outs, another cookie of ours: ADD */
    assert_non_null(fake_mod(p.s1, OFPFC_ADD, 100));
    assert_int_equal(fake_rule(p.s1, 2, 1)->mod.idle_s, 300);
    assert_int_equal(fake_rule(p.s2, 1, 2)->mod.cookie, cookie);
    assert_int_equal(p.s1->n_mods, 2);
    /* a foreign rule in our place stays, the row goes */
    assert_int_equal(p.s2->n_mods, 1);
    assert_int_equal(fake_rule(p.s2, 2, 1)->mod.cookie, 0x1234);
    assert_true(fake_flow(net, 2, 2, 1, NULL) < 0);
}

static void
link_died_while_away(struct fake_net *net, bool restart)
{
    struct pair p = pair(net);
    uint32_t used = fake_rule(p.s1, 1, 2)->action.port;
    struct fake_cable *cable = &net->cables[used == 3 ? 0 : 1];

    if (restart) {
        fake_stop(net, SIGKILL);
        WAIT(net, p.s1->fd < 0 && p.s2->fd < 0);
    } else {
        go_away(p.s1);
        go_away(p.s2);
    }
    cable->cut = true;
    fake_port(p.s1, used, OFPPR_MODIFY, false);
    fake_port(p.s2, used, OFPPR_MODIFY, false);
    if (restart)
        fake_start(net);
    fake_connect(p.s1);
    fake_connect(p.s2);
    WAIT(net, fake_link_state(net, 1, used) != SB_link_state_UP);
    /* no rule leads out of the dead port, in the switch or on the bus */
    WAIT(net, fake_rule(p.s1, 1, 2) == NULL || fake_rule(p.s1, 1, 2)->action.port != used);
    WAIT(net, fake_rule(p.s2, 2, 1) == NULL || fake_rule(p.s2, 2, 1)->action.port != used);
    links_up(net);
    for (unsigned i = 0; i < 100 && !(fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED &&
                                      fake_rule(p.s1, 1, 2) != NULL &&
                                      fake_rule(p.s1, 1, 2)->action.port == 7 - used);
         i++) {
        fake_packet(p.s1, 1, 1, 2, OF_NO_BUFFER);
        RUN(net, 50);
    }
    assert_int_equal(fake_rule(p.s1, 1, 2)->action.port, 7 - used);
    /* on the far switch the old rule has gone, too */
    WAIT(net,
         fake_rule(p.s2, 1, 2) != NULL && fake_rule(p.s2, 1, 2)->mod.match.in_port == 7 - used);
}

static void
link_died_while_switch_was_away(void **state)
{
    link_died_while_away(*state, false);
}

static void
link_died_while_controller_was_away(void **state)
{
    link_died_while_away(*state, true);
}

static void
port_vanished_while_away(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);

    go_away(p.s2);
    p.s2->ports[1] = p.s2->ports[3]; /* port 2, host 2's, is no more */
    p.s2->n_ports = 3;
    net->cables[1].cut = true;
    come_back(p.s2);
    WAIT(net, fake_rule(p.s2, 1, 2) == NULL && fake_rule(p.s1, 1, 2) == NULL);
    WAIT(net, !fake_host(net, 2, 2, 2));
}

static void
killed_controller_forgets_nothing(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);
    struct sb_flow before, after;

    fake_flow(net, 2, 1, 2, &before);
    fake_restart(net, SIGKILL);
    assert_true(fake_logged(net, ", warm"));
    /* before any discovery: rows of links and hosts are there */
    assert_int_equal(fake_link_state(net, 1, 3), SB_link_state_UP);
    assert_int_equal(fake_link_state(net, 1, 4), SB_link_state_UP);
    assert_true(fake_host(net, 1, 1, 1) && fake_host(net, 2, 2, 2));
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    WAIT(net, has_path(net, 1, 2) && has_path(net, 2, 1));
    RUN(net, 300);
    assert_int_equal(p.s1->n_mods + p.s2->n_mods, 0);
    assert_int_equal(fake_flow(net, 2, 1, 2, &after), SB_flow_state_INSTALLED);
    assert_int_equal(before.cookie, after.cookie);
    assert_int_equal(before.path_id, after.path_id);
    assert_int_equal(before.decided_ns, after.decided_ns);
    links_up(net);
    /* a host known from before is found at once */
    fake_packet(p.s1, 2, 5, 2, OF_NO_BUFFER);
    WAIT(net, fake_rule(p.s1, 5, 2) != NULL && fake_rule(p.s2, 5, 2) != NULL);
}

static void
other_number_of_workers(void **state)
{
    static const char *const workers[] = {"1", "3", "2"};
    struct fake_net *net = *state;
    struct pair p = pair(net);

    for (unsigned i = 0; i < 3; i++) {
        net->workers = workers[i];
        fake_restart(net, i == 0 ? SIGTERM : SIGKILL);
        WAIT(net, has_path(net, 1, 2) && has_path(net, 2, 1));
        RUN(net, 100);
        assert_int_equal(p.s1->n_mods + p.s2->n_mods, 0);
        links_up(net);
    }
    /* a message about a flow finds its row still */
    fake_port(p.s2, 2, OFPPR_MODIFY, false);
    WAIT(net, fake_rule(p.s2, 1, 2) == NULL && fake_rule(p.s1, 1, 2) == NULL);
    WAIT(net, fake_flow(net, 2, 1, 2, NULL) < 0 && fake_flow(net, 1, 1, 2, NULL) < 0);
}

static void
learned_addresses_are_kept(void **state)
{
    struct fake_net *net = fake_net_new();
    struct fake_switch *sw;
    struct sb_mac rows[8];

    *state = net;
    net->policy = "learning";
    fake_start(net);
    sw = fake_switch_add(net, 1, 3);
    fake_settle(sw);
    fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_rows(net, SB_T_mac, rows, 8) == 1);
    fake_restart(net, SIGKILL);
    fake_settle(sw);
    assert_int_equal(fake_rows(net, SB_T_mac, rows, 8), 1);
    assert_int_equal(rows[0].port, 2);
    fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_rule(sw, 1, 2) != NULL);
    assert_int_equal(fake_rule(sw, 1, 2)->action.port, 2);
    fake_teardown(state);
}

/* What was known before the restart and is not heard again goes; rules in use speak for theirs. */
static void
silent_hosts_go(void **state)
{
    struct fake_net *net = *state;
    struct pair p = pair(net);

    fake_packet(p.s1, 2, 5, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 5, 1, 2));
    net->config = "controller: {confirm-s: 2, discovery: {interval-ms: 250, settle-ms: 300}}\n";
    fake_restart(net, SIGKILL);
    assert_true(fake_host(net, 5, 1, 2));
    WAIT(net, has_path(net, 1, 2) && has_path(net, 2, 1));
    WAIT(net, !fake_host(net, 5, 1, 2));
    assert_true(fake_host(net, 1, 1, 1) && fake_host(net, 2, 2, 2));
    assert_int_equal(p.s1->n_mods + p.s2->n_mods, 0);
}

static void
silent_addresses_go(void **state)
{
    struct fake_net *net = fake_net_new();
    struct fake_switch *sw;
    struct sb_mac rows[8];

    *state = net;
    net->policy = "learning";
    net->config = "controller: {confirm-s: 2, discovery: {interval-ms: 250, settle-ms: 300}}\n";
    fake_start(net);
    sw = fake_switch_add(net, 1, 3);
    fake_settle(sw);
    fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    fake_packet(sw, 3, 3, 0, OF_NO_BUFFER);
    WAIT(net, fake_rows(net, SB_T_mac, rows, 8) == 2);
    INSIST(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED,
           fake_packet(sw, 1, 1, 2, OF_NO_BUFFER));
    fake_restart(net, SIGKILL);
    assert_int_equal(fake_rows(net, SB_T_mac, rows, 8), 3);
    /* 1 is the source of a rule that is still there; 2 only its destination */
    WAIT(net, fake_rows(net, SB_T_mac, rows, 8) == 1);
    assert_int_equal(rows[0].mac[5], 1);
    assert_int_equal(fake_flow(net, 1, 1, 2, NULL), SB_flow_state_INSTALLED);
    fake_teardown(state);
}

static void
round_robin_goes_on_in_turn(void **state)
{
    struct fake_net *net = fake_net_new();
    struct fake_switch *s1, *s2;
    uint32_t taken[4];

    *state = net;
    net->policy = "round-robin";
    net->config = "controller:\n  discovery: {settle-ms: 200}\n"
                  "  round-robin: {switches: {1: [1, 2, 3]}}\n";
    fake_start(net);
    s1 = fake_switch_add(net, 1, 4);
    s2 = fake_switch_add(net, 2, 1);
    fake_settle(s1);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t marker = fake_packet(s1, 4, 4, 9, OF_NO_BUFFER);

        WAIT(net, fake_out(s1, marker) != NULL);
        taken[i] = fake_out(s1, marker)->ports[0];
        if (i < 3) {
            struct sb_switch rows[2];

            WAIT(net, fake_rows(net, SB_T_switch, rows, 2) == 2 &&
                          rows[0].rr_counter + rows[1].rr_counter == i + 1);
            fake_restart(net, SIGKILL);
            fake_settle(s1);
        }
    }
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(taken[i], taken[i - 1] % 3 + 1);
    assert_true(s2->fd >= 0);
    fake_teardown(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(reconnect_adopts),
        TEST(late_switch_keeps_its_links),
        TEST(reconnect_compares),
        TEST(reconnect_mends),
        TEST(link_died_while_switch_was_away),
        TEST(link_died_while_controller_was_away),
        TEST(port_vanished_while_away),
        TEST(killed_controller_forgets_nothing),
        TEST(other_number_of_workers),
        TEST(silent_hosts_go),
        cmocka_unit_test(silent_addresses_go),
        cmocka_unit_test(learned_addresses_are_kept),
        cmocka_unit_test(round_robin_goes_on_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
