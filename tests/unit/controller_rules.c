/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_rules.c - the life of a rule after it was sent: confirmed, ended, refused, void
 * because a port died or a host moved.
 */
#include "fake_switch.h"

#include <signal.h>

/* One switch with hosts 1 and 2 at ports 1 and 2, and a rule from 1 to 2. */
static struct fake_switch *
one_rule(struct fake_net *net)
{
    struct fake_switch *sw = fake_switch_add(net, 1, 4);

    fake_settle(sw);
    fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 2, 1, 2));
    fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_rule(sw, 1, 2) != NULL && fake_flow(net, 1, 1, 2, NULL) >= 0);
    return sw;
}

static void
send_removed(struct fake_switch *sw, const struct fake_rule *rule, uint64_t cookie)
{
    struct of_flow_removed removed = {.cookie = cookie,
                                      .priority = rule->mod.priority,
                                      .idle_s = rule->mod.idle_s,
                                      .reason = OFPRR_IDLE_TIMEOUT,
                                      .match = rule->mod.match};
    uint8_t bytes[256];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};

    of_put_flow_removed(&b, OF13, 0, &removed);
    fake_send(sw, b.data, b.len);
}

static void
barrier_confirms(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = one_rule(net);
    struct sb_flow row;

    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    sw->mute_barrier = true;
    fake_packet(sw, 3, 3, 2, OF_NO_BUFFER);
    WAIT(net, fake_flow(net, 1, 3, 2, &row) >= 0);
    RUN(net, 200);
    assert_int_equal(fake_flow(net, 1, 3, 2, &row), SB_flow_state_SENT);
    assert_int_equal(row.barrier_ns, 0);
    /* a later barrier covers it too */
    sw->mute_barrier = false;
    fake_packet(sw, 4, 4, 2, OF_NO_BUFFER);
    WAIT(net, fake_flow(net, 1, 4, 2, NULL) == SB_flow_state_INSTALLED);
    WAIT(net, fake_flow(net, 1, 3, 2, NULL) == SB_flow_state_INSTALLED);
}

static void
removed_flow_loses_its_row(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = one_rule(net);
    struct fake_rule rule;

    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    rule = *fake_rule(sw, 1, 2);
    /* an earlier user of the slot, another owner, a row that is not there: nothing */
    send_removed(sw, &rule, rule.mod.cookie ^ UINT64_C(1) << 32);
    send_removed(sw, &rule, 0);
    send_removed(sw, &rule, UINT64_MAX);
    send_removed(sw, &rule, rule.mod.cookie | 0xffffff);
    RUN(net, 100);
    assert_int_equal(fake_flow(net, 1, 1, 2, NULL), SB_flow_state_INSTALLED);
    send_removed(sw, &rule, rule.mod.cookie);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) < 0);
    /* and it is decided anew */
    fake_forget(sw);
    fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    assert_int_not_equal(fake_rule(sw, 1, 2)->mod.cookie, rule.mod.cookie);
}

static void
removed_without_barrier(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw;
    struct fake_rule rule;

    /* a switch that answers no barrier: its rows end all the same */
    sw = fake_switch_new(net, 1, 4);
    sw->mute_barrier = true;
    fake_connect(sw);
    fake_settle(sw);
    fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 2, 1, 2));
    fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_rule(sw, 1, 2) != NULL);
    rule = *fake_rule(sw, 1, 2);
    for (unsigned i = 0; i < 100 && fake_flow(net, 1, 1, 2, NULL) >= 0; i++) {
        send_removed(sw, &rule, rule.mod.cookie);
        RUN(net, 100);
    }
    assert_int_equal(fake_flow(net, 1, 1, 2, NULL), -1);
}

static void
refused_flow_is_marked(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = one_rule(net);
    uint32_t marker;

    sw->refuse = fake_rule(sw, 1, 2)->mod.priority;
    marker = fake_packet(sw, 3, 3, 2, OF_NO_BUFFER);
    WAIT(net, fake_flow(net, 1, 3, 2, NULL) == SB_flow_state_REFUSED);
    WAIT(net, fake_events(net, SB_event_kind_REFUSED) == 1);
    WAIT(net, fake_logged(net, "TABLE_FULL"));
    /* the packet goes all the same, the switch stays, and its other rules stand */
    WAIT(net, fake_times(sw, marker, 2) == 1);
    assert_true(sw->fd >= 0);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    /* new rules are held back for a second */
    sw->refuse = 0;
    INSIST(net, fake_flow(net, 1, 3, 2, NULL) == SB_flow_state_INSTALLED,
           fake_packet(sw, 3, 3, 2, OF_NO_BUFFER));
}

static void
dead_port_voids_whole_paths(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_new(net, 1, 4), *s2 = fake_switch_new(net, 2, 4);
    const struct fake_rule *mod;

    fake_cable(net, 1, 3, 2, 3);
    fake_connect(s1);
    fake_connect(s2);
    WAIT(net, fake_link_state(net, 1, 3) == SB_link_state_UP);
    fake_settle(s1);
    fake_settle(s2);
    fake_packet(s2, 2, 2, 0, OF_NO_BUFFER);
    fake_packet(s1, 2, 4, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 2, 2, 2) && fake_host(net, 4, 1, 2));
    INSIST(net, fake_flow(net, 1, 1, 2, NULL) >= 0, fake_packet(s1, 1, 1, 2, OF_NO_BUFFER));
    fake_packet(s1, 1, 1, 4, OF_NO_BUFFER); /* within s1 */
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED &&
                  fake_flow(net, 2, 1, 2, NULL) == SB_flow_state_INSTALLED &&
                  fake_flow(net, 1, 1, 4, NULL) == SB_flow_state_INSTALLED);
    fake_forget(s1);
    fake_forget(s2);
    /* host 2's port dies on s2: the rule there goes, and the one on s1 that leads to it */
    fake_port(s2, 2, OFPPR_MODIFY, false);
    WAIT(net, fake_rule(s1, 1, 2) == NULL && fake_rule(s2, 1, 2) == NULL);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) < 0 && fake_flow(net, 2, 1, 2, NULL) < 0);
    assert_int_equal(fake_flow(net, 1, 1, 4, NULL), SB_flow_state_INSTALLED);
    assert_non_null(fake_rule(s1, 1, 4));
    WAIT(net, !fake_host(net, 2, 2, 2));
    /* what deletes by port touches nothing but ours */
    mod = fake_mod(s2, OFPFC_DELETE, 0);
    if (mod != NULL) {
        assert_int_equal(mod->mod.cookie_mask, UINT64_C(0xffff) << 48);
        assert_int_equal(mod->mod.out_port, 2);
    }
    assert_int_equal(s1->n_rules, 3);
    assert_int_equal(s2->n_rules, 2);
    /* it comes back, and so does the path */
    fake_port(s2, 2, OFPPR_MODIFY, true);
    fake_settle(s2);
    /* hosts repeat themselves: the first may come before the port's return has gone round */
    INSIST(net, fake_host(net, 2, 2, 2), fake_packet(s2, 2, 2, 0, OF_NO_BUFFER));
    INSIST(net, fake_rule(s1, 1, 2) != NULL && fake_rule(s2, 1, 2) != NULL,
           fake_packet(s1, 1, 1, 2, OF_NO_BUFFER));
}

static void
moved_host_is_followed(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = one_rule(net);
    struct sb_host rows[8];
    uint32_t marker;
    unsigned moves, n;

    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    /* one that seems to be at two ports at once is not believed at every packet */
    for (unsigned i = 0; i < 40; i++)
        fake_packet(sw, i % 2 == 0 ? 3 : 2, 2, 0, OF_NO_BUFFER);
    RUN(net, 200);
    assert_in_range(fake_events(net, SB_event_kind_HOST_MOVED), 0, 20);
    fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_host(net, 2, 1, 2));
    RUN(net, 200);
    fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_rule(sw, 1, 2) != NULL && fake_flow(net, 1, 1, 2, NULL) >= 0);
    moves = fake_events(net, SB_event_kind_HOST_MOVED);
    fake_packet(sw, 3, 2, 0, OF_NO_BUFFER); /* host 2 speaks at port 3 only */
    WAIT(net, fake_host(net, 2, 1, 3));
    WAIT(net, fake_rule(sw, 1, 2) == NULL && fake_flow(net, 1, 1, 2, NULL) < 0);
    WAIT(net, fake_events(net, SB_event_kind_HOST_MOVED) == moves + 1);
    marker = fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 3) == 1);
    assert_int_equal(fake_rule(sw, 1, 2)->action.port, 3);
    n = fake_rows(net, SB_T_host, rows, 8);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(rows[i].moves, rows[i].mac[5] == 2 ? moves + 1 : 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(barrier_confirms),
        TEST(removed_flow_loses_its_row),
        TEST(removed_without_barrier),
        TEST(refused_flow_is_marked),
        TEST(dead_port_voids_whole_paths),
        TEST(moved_host_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
