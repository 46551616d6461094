/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_multicast.c - groups: the multicast tree as switches get it, in which order, and what
 * becomes of it when a switch has lost it, has no groups, or a controller comes back.
 */
#include "fake_switch.h"

#include <signal.h>

#define GROUP UINT32_C(0x74720001)

static bool
outputs(const struct fake_switch *sw, unsigned n, const uint32_t *ports)
{
    const struct fake_group *group = fake_group(sw, GROUP);

    return group != NULL && group->n_ports == n &&
           memcmp(group->ports, ports, n * sizeof(*ports)) == 0;
}
#define OUTPUTS(sw, ...)                                                                           \
    outputs(sw, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

/* Does it take multicast in by this port? */
static bool
accepts(const struct fake_switch *sw, uint32_t port)
{
    for (unsigned i = 0; i < sw->n_tree; i++) {
        const struct of_flow_mod *mod = &sw->tree[i].mod;

        if (mod->priority == 50 && mod->match.in_port == port) {
            assert_int_equal(sw->tree[i].action.type, OF_A_GROUP);
            assert_int_equal(sw->tree[i].action.group, GROUP);
            return true;
        }
    }
    return false;
}

static bool
sends(const struct fake_switch *sw, uint32_t port)
{
    const struct fake_group *group = fake_group(sw, GROUP);

    for (unsigned i = 0; group != NULL && i < group->n_ports; i++)
        if (group->ports[i] == port)
            return true;
    return false;
}

/* Cables over which multicast could run round: each end that sends has another that accepts. A ring
 * is closed when all cables of a cycle carry; the triangle here has one. */
static unsigned
carrying(const struct fake_net *net)
{
    unsigned n = 0;

    for (unsigned i = 0; i < net->n_cables; i++) {
        const struct fake_cable *c = &net->cables[i];
        const struct fake_switch *a = net->switches[c->dpid_a - 1],
                                 *b = net->switches[c->dpid_b - 1];

        n += (sends(a, c->port_a) && accepts(b, c->port_b)) ||
             (sends(b, c->port_b) && accepts(a, c->port_a));
    }
    return n;
}

/* Three switches in a ring: port 1 a host, 2 to the next, 3 to the one before. */
static void
triangle(struct fake_net *net)
{
    for (unsigned i = 1; i <= 3; i++)
        fake_switch_new(net, i, 3);
    for (unsigned i = 1; i <= 3; i++)
        fake_cable(net, i, 2, i % 3 + 1, 3);
    for (unsigned i = 0; i < 3; i++)
        fake_connect(net->switches[i]);
    for (unsigned i = 0; i < 3; i++)
        fake_settle(net->switches[i]);
    WAIT(net, OUTPUTS(net->switches[0], 1, 2, 3) && OUTPUTS(net->switches[1], 1, 3) &&
                  OUTPUTS(net->switches[2], 1, 2));
    WAIT(net, net->switches[0]->n_tree == 4 && net->switches[1]->n_tree == 3 &&
                  net->switches[2]->n_tree == 3);
}

static unsigned
installed(const struct fake_net *net)
{
    struct sb_group rows[8];
    unsigned n = 0, total = fake_rows(net, SB_T_group, rows, 8);

    for (unsigned i = 0; i < total; i++)
        n += rows[i].state == SB_flow_state_INSTALLED;
    return n;
}

static void
tree_of_a_ring(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1;
    struct sb_group rows[8];

    triangle(net);
    s1 = net->switches[0];
    WAIT(net, installed(net) == 3);
    assert_true(accepts(s1, 2) && accepts(s1, 3) && !accepts(s1, 1));
    assert_int_equal(carrying(net), 2);
    assert_int_equal(fake_rows(net, SB_T_group, rows, 8), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rows[i].group, GROUP);
        assert_int_equal(rows[i].type, SB_group_type_ALL);
        assert_int_equal(rows[i].user, SB_policy_MULTICAST);
        assert_true(rows[i].barrier_ns >= rows[i].sent_ns && rows[i].sent_ns > 0);
        if (rows[i].dpid == 1)
            assert_string_equal(rows[i].buckets, "1,2,3");
    }
}

/* Break before make: a switch that does not confirm keeps the new link from being used. */
static void
ring_never_closes(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1, *s2, *s3;

    triangle(net);
    s1 = net->switches[0];
    s2 = net->switches[1];
    s3 = net->switches[2];
    WAIT(net, installed(net) == 3);
    /* 1 - 2 fails: both must give it up before 2 - 3 may carry */
    s1->mute_barrier = s2->mute_barrier = true;
    net->cables[0].cut = true;
    fake_port(s1, 2, OFPPR_MODIFY, false);
    fake_port(s2, 3, OFPPR_MODIFY, false);
    WAIT(net, !sends(s1, 2) && !sends(s2, 3));
    RUN(net, 500);
    assert_true(carrying(net) <= 1);
    assert_false(accepts(s2, 2) && accepts(s3, 3));
    /* one of them is enough */
    s1->mute_barrier = false;
    fake_port(s1, 1, OFPPR_MODIFY, false); /* so that it gets another order, and confirms that */
    WAIT(net, accepts(s2, 2) && accepts(s3, 3) && sends(s2, 2) && sends(s3, 3));
    /* the link comes back, and the tree is what it was */
    s2->mute_barrier = false;
    net->cables[0].cut = false;
    fake_port(s1, 2, OFPPR_MODIFY, true);
    fake_port(s2, 3, OFPPR_MODIFY, true);
    for (unsigned i = 0; i < 500 && !(accepts(s1, 2) && accepts(s2, 3)); i++) {
        assert_true(carrying(net) <= 2);
        RUN(net, 10);
    }
    WAIT(net, accepts(s1, 2) && accepts(s2, 3) && !accepts(s2, 2) && !accepts(s3, 3));
    assert_int_equal(carrying(net), 2);
}

static void
killed_controller_finds_its_tree(void **state)
{
    struct fake_net *net = *state;
    unsigned mods = 0;

    triangle(net);
    WAIT(net, installed(net) == 3);
    for (unsigned i = 0; i < 3; i++)
        mods += net->switches[i]->n_tree_mods + net->switches[i]->n_group_mods;
    fake_restart(net, SIGKILL);
    WAIT(net, installed(net) == 3);
    RUN(net, 700);
    for (unsigned i = 0; i < 3; i++)
        mods -= net->switches[i]->n_tree_mods + net->switches[i]->n_group_mods;
    assert_int_equal(mods, 0);
}

static void
what_was_changed_is_mended(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1, *s2, *s3;

    triangle(net);
    s1 = net->switches[0];
    s2 = net->switches[1];
    s3 = net->switches[2];
    fake_stop(net, SIGKILL);
    WAIT(net, s1->fd < 0 && s2->fd < 0 && s3->fd < 0);
    s1->n_groups = 0; /* and with it what points to it */
    for (unsigned i = s1->n_tree; i-- > 0;)
        if (s1->tree[i].action.type == OF_A_GROUP)
            s1->tree[i] = s1->tree[--s1->n_tree];
    s2->groups[0].ports[0] = 9;
    s2->groups[s2->n_groups++] = (struct fake_group){.id = UINT32_C(0x74720033)}; /* of ours */
    s2->groups[s2->n_groups++] = (struct fake_group){.id = 0x33};                 /* not ours */
    s3->groups[0].type = OFPGT_SELECT;
    s3->part = 1;
    fake_start(net);
    for (unsigned i = 0; i < 3; i++)
        fake_connect(net->switches[i]);
    WAIT(net, OUTPUTS(s1, 1, 2, 3) && OUTPUTS(s2, 1, 3) && OUTPUTS(s3, 1, 2));
    WAIT(net, s1->n_tree == 4 && fake_group(s3, GROUP)->type == OFPGT_ALL);
    WAIT(net, fake_group(s2, UINT32_C(0x74720033)) == NULL);
    assert_non_null(fake_group(s2, 0x33));
    WAIT(net, installed(net) == 3);
}

/* The group is deleted or added behind our back while the switch is connected. */
static void
lost_group_is_sent_again(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);

    fake_settle(sw);
    WAIT(net, OUTPUTS(sw, 1, 2, 3) && installed(net) == 1);
    sw->n_groups = 0;
    fake_port(sw, 3, OFPPR_MODIFY, false);
    WAIT(net, OUTPUTS(sw, 1, 2) && installed(net) == 1);
    /* all ports go, and so does the group; then one is in the way of the new one */
    fake_port(sw, 1, OFPPR_MODIFY, false);
    fake_port(sw, 2, OFPPR_MODIFY, false);
    WAIT(net, fake_group(sw, GROUP) == NULL && sw->n_tree == 0);
    sw->groups[sw->n_groups++] = (struct fake_group){.id = GROUP, .n_ports = 1, .ports = {9}};
    fake_port(sw, 2, OFPPR_MODIFY, true);
    WAIT(net, OUTPUTS(sw, 2) && installed(net) == 1);
}

static void
switch_without_groups(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_add(net, 1, 2), *s2;
    uint8_t frame[64] = {0x01, 0x00, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x08};
    struct sb_flow row;

    fake_settle(s1);
    WAIT(net, OUTPUTS(s1, 1, 2));
    s2 = fake_switch_new(net, 2, 2);
    s2->no_groups = true;
    fake_connect(s2);
    fake_settle(s2);
    /* then nobody has one: its hosts would not hear the others */
    WAIT(net, fake_group(s1, GROUP) == NULL && s1->n_tree == 0);
    assert_true(fake_logged(net, "refuses GROUP_DESC"));
    fake_packet_in(s1, 1, frame, sizeof(frame), OF_NO_BUFFER);
    WAIT(net, s1->n_outs == 1 && s1->outs[0].ports[0] == 2);
    RUN(net, 300);
    fake_packet_in(s1, 1, frame, sizeof(frame), OF_NO_BUFFER);
    RUN(net, 300);
    assert_int_equal(s1->n_outs, 2);
    assert_int_equal(fake_rows(net, SB_T_flow, &row, 1), 0);
}

/* A source is learned by its first packet; its rule comes when it has been at home for a moment;
 * when its packets come in elsewhere, its rules go and the packet ends. */
static void
source_and_clash(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    uint8_t frame[64] = {0x01, 0x00, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x08};
    struct sb_flow rows[2];

    fake_settle(sw);
    WAIT(net, OUTPUTS(sw, 1, 2, 3) && installed(net) == 1);
    fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER);
    WAIT(net, fake_host(net, 1, 1, 1));
    assert_int_equal(fake_rows(net, SB_T_flow, rows, 2), 0);
    RUN(net, 300);
    INSIST(net, fake_rows(net, SB_T_flow, rows, 2) == 1,
           fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER));
    assert_int_equal(rows[0].group, GROUP);
    assert_int_equal(rows[0].in_port, 1);
    assert_int_equal(rows[0].idle_s, 300);
    WAIT(net, fake_mod(sw, OFPFC_ADD, 100) != NULL);
    assert_int_equal(fake_mod(sw, OFPFC_ADD, 100)->action.group, GROUP);
    /* broadcast never gets one */
    fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    RUN(net, 100);
    assert_int_equal(fake_rows(net, SB_T_flow, rows, 2), 1);
    fake_forget(sw);
    fake_packet_in(sw, 3, frame, sizeof(frame), OF_NO_BUFFER);
    WAIT(net,
         fake_rows(net, SB_T_flow, rows, 2) == 0 && fake_mod(sw, OFPFC_DELETE_STRICT, 100) != NULL);
    RUN(net, 200);
    assert_int_equal(sw->n_outs, 0);
    assert_true(fake_host(net, 1, 1, 1));
    assert_true(fake_logged(net, "where it is not attached"));
    /* for a while the controller sends it, and no rule is made */
    fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER);
    WAIT(net, sw->n_outs == 1);
    RUN(net, 200);
    assert_int_equal(fake_rows(net, SB_T_flow, rows, 2), 0);
}

static void
other_policies_have_none(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 2);

    fake_settle(sw);
    WAIT(net, OUTPUTS(sw, 1, 2) && sw->n_tree == 2);
    net->policy = "learning";
    fake_restart(net, SIGTERM);
    WAIT(net, fake_group(sw, GROUP) == NULL && sw->n_tree == 0 && installed(net) == 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(tree_of_a_ring),
        TEST(ring_never_closes),
        TEST(killed_controller_finds_its_tree),
        TEST(what_was_changed_is_mended),
        TEST(lost_group_is_sent_again),
        TEST(switch_without_groups),
        TEST(source_and_clash),
        TEST(other_policies_have_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
