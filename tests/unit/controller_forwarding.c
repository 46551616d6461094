/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_forwarding.c - what each policy does with packets: its rules, the packet itself by
 * bytes or by buffer, paths over switches of two workers, broadcast that never takes a link.
 */
#include "fake_switch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define N_POLICIES 3

static const struct {
    const char *name;
    enum sb_policy id;
    uint16_t priority, idle_s, hard_s;
    uint32_t fields;
} policies[N_POLICIES] = {
    {"shortest", SB_policy_SHORTEST, 100, 300, 0, OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST},
    {"learning", SB_policy_LEARNING, 10, 60, 0, OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST},
    {"round-robin", SB_policy_ROUND_ROBIN, 1, 10, 30,
     OF_M_ETH_TYPE | OF_M_IPV4_SRC | OF_M_IPV4_DST},
};

static struct fake_net *
start(void **state, const char *policy)
{
    struct fake_net *net = fake_net_new();

    *state = net;
    net->policy = policy;
    fake_start(net);
    return net;
}

/* Host n speaks once at a port, so that it is known. */
static void
speak(struct fake_switch *sw, uint32_t port, uint8_t host)
{
    fake_packet(sw, port, host, 0, OF_NO_BUFFER);
    WAIT(sw->net, fake_host(sw->net, host, sw->dpid, port));
}

static void
rule_and_packet(void **state)
{
    for (unsigned i = 0; i < N_POLICIES; i++) {
        struct fake_net *net = start(state, policies[i].name);
        struct fake_switch *sw = fake_switch_add(net, 1, 3);
        const struct fake_rule *rule;
        const struct fake_out *out;
        struct sb_flow row;
        uint32_t marker;

        fake_settle(sw);
        speak(sw, 2, 2);
        marker = fake_packet(sw, 1, 1, 2, OF_NO_BUFFER);
        WAIT(net, fake_times(sw, marker, 2) == 1);
        rule = fake_mod(sw, OFPFC_ADD, policies[i].priority);
        assert_non_null(rule);
        assert_int_equal(rule->mod.idle_s, policies[i].idle_s);
        assert_int_equal(rule->mod.hard_s, policies[i].hard_s);
        assert_int_equal(rule->mod.flags, OFPFF_SEND_FLOW_REM);
        assert_int_equal(rule->mod.buffer_id, OF_NO_BUFFER);
        assert_int_equal(rule->mod.match.fields, policies[i].fields);
        assert_int_equal(rule->mod.match.masked, 0);
        assert_int_equal(rule->mod.cookie >> 48, 0x7472);
        assert_int_equal(rule->action.port, 2);
        assert_ptr_equal(rule, fake_mod(sw, OFPFC_ADD, rule->mod.priority));
        assert_non_null(fake_rule(sw, 1, 2));
        if (policies[i].fields & OF_M_IN_PORT)
            assert_int_equal(rule->mod.match.in_port, 1);
        /* first the rule, then the packet, once */
        out = fake_out(sw, marker);
        assert_true(rule->number < out->number);
        assert_int_equal(fake_times(sw, marker, 0), 1);
        assert_int_equal(out->buffer_id, OF_NO_BUFFER);
        assert_int_equal(out->in_port, 1);
        assert_int_equal(out->size, 64);
        WAIT(net, fake_flow(net, 1, 1, 2, &row) == SB_flow_state_INSTALLED);
        assert_int_equal(row.policy, policies[i].id);
        assert_int_equal(row.output, 2);
        assert_int_equal(row.cookie, rule->mod.cookie);
        assert_true(row.decided_ns <= row.barrier_ns && row.sent_ns <= row.barrier_ns);
        fake_teardown(state);
    }
}

/* Packet-outs of a buffer. */
static unsigned
releases(const struct fake_switch *sw, uint32_t buffer_id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sw->n_outs; i++)
        n += sw->outs[i].buffer_id == buffer_id;
    return n;
}

static void
buffers(void **state)
{
    static const uint32_t buffers[] = {0, 77, 0x7fffffff};

    for (unsigned i = 0; i < N_POLICIES; i++) {
        struct fake_net *net = start(state, policies[i].name);
        struct fake_switch *sw = fake_switch_add(net, 1, 8);

        fake_settle(sw);
        speak(sw, 2, 2);
        for (uint8_t j = 0; j < 3; j++) {
            uint32_t marker;
            bool by_flow_mod;

            fake_forget(sw);
            marker = fake_packet(sw, 3 + j, 3 + j, 2, buffers[j]);
            WAIT(net, fake_mod(sw, OFPFC_ADD, policies[i].priority) != NULL);
            RUN(net, 50);
            /* exactly one message releases it, the flow-mod or a packet-out, and no bytes are sent
             */
            by_flow_mod =
                fake_mod(sw, OFPFC_ADD, policies[i].priority)->mod.buffer_id == buffers[j];
            assert_true(by_flow_mod || policies[i].id == SB_policy_SHORTEST);
            assert_int_equal(releases(sw, buffers[j]), by_flow_mod ? 0 : 1);
            assert_int_equal(fake_times(sw, marker, 0), 0);
        }
        /* a broadcast that was buffered is released as well */
        fake_forget(sw);
        fake_packet(sw, 1, 1, 0, 5);
        WAIT(net, releases(sw, 5) != 0);
        RUN(net, 50);
        assert_int_equal(releases(sw, 5), 1);
        fake_teardown(state);
    }
}

static void
pending_packets_keep_their_buffer(void **state)
{
    struct fake_net *net = start(state, "learning");
    struct fake_switch *sw = fake_switch_add(net, 1, 2);

    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    fake_packet(sw, 1, 1, 0, 9);
    WAIT(net, releases(sw, 9) != 0);
    RUN(net, 50);
    assert_int_equal(releases(sw, 9), 1);
    fake_teardown(state);
}

/* host 1 - s1 - s2 - host 2, the switches on two workers */
static void
path_over_two_workers(void **state)
{
    struct fake_net *net = start(state, "shortest");
    struct fake_switch *s1 = fake_switch_new(net, 1, 3), *s2 = fake_switch_new(net, 2, 3);
    struct sb_flow row1, row2;
    uint32_t marker = 0;

    assert_int_not_equal(sb_shard_of(1, 2), sb_shard_of(2, 2));
    fake_cable(net, 1, 3, 2, 3);
    fake_connect(s1);
    fake_connect(s2);
    WAIT(net, fake_link_state(net, 1, 3) == SB_link_state_UP);
    fake_settle(s1);
    fake_settle(s2);
    speak(s2, 2, 2);
    INSIST(net, fake_rule(s1, 1, 2) != NULL, marker = fake_packet(s1, 1, 1, 2, OF_NO_BUFFER));
    WAIT(net, fake_times(s2, marker, 2) == 1);
    WAIT(net, fake_flow(net, 1, 1, 2, &row1) == SB_flow_state_INSTALLED);
    WAIT(net, fake_flow(net, 2, 1, 2, &row2) == SB_flow_state_INSTALLED);
    assert_int_equal(row1.output, 3);
    assert_int_equal(row2.in_port, 3);
    assert_int_equal(row2.output, 2);
    assert_int_equal(row1.path_id, row2.path_id);
    assert_int_not_equal(row1.path_id, 0);
    /* once, at the end of the path, and nowhere else */
    assert_int_equal(fake_times(s1, marker, 0) + fake_times(s2, marker, 0), 1);
    fake_teardown(state);
}

static void
broadcast_once_to_each_edge_port(void **state)
{
    for (unsigned i = 0; i < N_POLICIES; i++) {
        struct fake_net *net = start(state, policies[i].name);
        struct fake_switch *s1 = fake_switch_new(net, 1, 4), *s2 = fake_switch_new(net, 2, 300);
        bool hop_by_hop = policies[i].id == SB_policy_LEARNING;
        uint32_t markers[2];

        /* two links: a ring */
        fake_cable(net, 1, 3, 2, 3);
        fake_cable(net, 1, 4, 2, 4);
        fake_connect(s1);
        fake_connect(s2);
        WAIT(net, fake_link_state(net, 1, 3) == SB_link_state_UP);
        WAIT(net, fake_link_state(net, 1, 4) == SB_link_state_UP);
        fake_settle(s1);
        fake_settle(s2);
        markers[0] = fake_packet(s1, 1, 1, 0, OF_NO_BUFFER); /* broadcast */
        markers[1] = fake_packet(s1, 1, 1, 9, OF_NO_BUFFER); /* to a host that nobody knows */
        for (unsigned j = 0; j < 2; j++) {
            WAIT(net, fake_times(s1, markers[j], 2) == 1);
            assert_int_equal(fake_times(s1, markers[j], 1), 0);
            if (hop_by_hop) {
                /* over the one link of the tree; no rule for either */
                assert_int_equal(fake_times(s1, markers[j], 3) + fake_times(s1, markers[j], 4), 1);
                assert_int_equal(fake_times(s1, markers[j], 0), 2);
                continue;
            }
            WAIT(net, fake_times(s2, markers[j], 300) == 1);
            RUN(net, 30);
            assert_int_equal(fake_times(s1, markers[j], 0), 1);
            assert_int_equal(fake_times(s2, markers[j], 0), 298);
            for (uint32_t port = 1; port <= 300; port++)
                assert_int_equal(fake_times(s2, markers[j], port), port != 3 && port != 4);
        }
        assert_null(fake_mod(s1, OFPFC_ADD, policies[i].priority));
        assert_int_equal(fake_rows(net, SB_T_flow, &(struct sb_flow){0}, 1), 0);
        if (!hop_by_hop) {
            /* one that comes in over a link ends there */
            markers[0] = fake_packet(s2, 3, 8, 0, OF_NO_BUFFER);
            RUN(net, 100);
            assert_int_equal(fake_times(s2, markers[0], 0) + fake_times(s1, markers[0], 0), 0);
        }
        fake_teardown(state);
    }
}

static void
reserved_addresses_go_nowhere(void **state)
{
    struct fake_net *net = start(state, "shortest");
    struct fake_switch *sw = fake_switch_add(net, 1, 2);
    uint8_t frame[64] = {0x01, 0x80, 0xc2, 0, 0, 0x02, 2, 0, 0, 0, 0, 1, 0x88, 0x09};
    uint32_t marker;

    fake_settle(sw);
    fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER); /* LACP */
    memset(frame, 0xff, 6);
    memset(frame + 6, 0xff, 6);
    fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER); /* from a group address */
    memset(frame + 6, 0, 6);
    fake_packet_in(sw, 1, frame, sizeof(frame), OF_NO_BUFFER); /* from nobody */
    marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 2) == 1);
    assert_int_equal(sw->n_outs, 1);
    fake_teardown(state);
}

/* s1 has two equal ways, over s2 and over s3, to s4 */
static void
round_robin_takes_uplinks_in_turn(void **state)
{
    struct fake_net *net = start(state, "round-robin");
    struct fake_switch *s1 = fake_switch_new(net, 1, 6), *s4;
    uint32_t first, taken[4];
    struct sb_switch rows[8];

    fake_switch_new(net, 2, 2);
    fake_switch_new(net, 3, 2);
    s4 = fake_switch_new(net, 4, 3);
    fake_cable(net, 1, 5, 2, 1);
    fake_cable(net, 1, 6, 3, 1);
    fake_cable(net, 2, 2, 4, 1);
    fake_cable(net, 3, 2, 4, 2);
    for (unsigned i = 0; i < 4; i++)
        fake_connect(net->switches[i]);
    WAIT(net, fake_link_state(net, 1, 5) == SB_link_state_UP);
    WAIT(net, fake_link_state(net, 1, 6) == SB_link_state_UP);
    WAIT(net, fake_link_state(net, 2, 2) == SB_link_state_UP);
    WAIT(net, fake_link_state(net, 3, 2) == SB_link_state_UP);
    for (unsigned i = 0; i < 4; i++)
        fake_settle(net->switches[i]);
    speak(s4, 3, 9);
    for (uint8_t i = 0; i < 4; i++) {
        INSIST(net, fake_rule(s1, 1 + i, 9) != NULL,
               fake_packet(s1, 1u + i, 1 + i, 9, OF_NO_BUFFER));
        taken[i] = fake_rule(s1, 1 + i, 9)->action.port;
    }
    first = taken[0];
    assert_true(first == 5 || first == 6);
    assert_int_equal(taken[1], 11 - first);
    assert_int_equal(taken[2], first);
    assert_int_equal(taken[3], 11 - first);
    /* a pair that was decided keeps its uplink */
    fake_forget(s1);
    fake_packet(s1, 2, 2, 9, OF_NO_BUFFER);
    WAIT(net, fake_mod(s1, OFPFC_ADD, 1) != NULL);
    assert_int_equal(fake_mod(s1, OFPFC_ADD, 1)->action.port, 11 - first);
    WAIT(net,
         fake_rows(net, SB_T_switch, rows, 8) == 4 &&
             rows[0].rr_counter + rows[1].rr_counter + rows[2].rr_counter + rows[3].rr_counter ==
                 4);
    fake_teardown(state);
}

static void
round_robin_by_list(void **state)
{
    struct fake_net *net = fake_net_new();
    struct fake_switch *sw;
    uint32_t marker, taken[4];

    *state = net;
    net->policy = "round-robin";
    net->config = "controller:\n  discovery: {settle-ms: 200}\n"
                  "  round-robin: {switches: {1: [1, 2]}}\n";
    fake_start(net);
    sw = fake_switch_add(net, 1, 4);
    fake_settle(sw);
    for (unsigned i = 0; i < 4; i++) {
        marker = fake_packet(sw, 3, 3, 9, OF_NO_BUFFER); /* nobody knows host 9 */
        WAIT(net, fake_out(sw, marker) != NULL);
        assert_int_equal(fake_times(sw, marker, 0), 1);
        taken[i] = fake_out(sw, marker)->ports[0];
    }
    assert_int_equal(taken[0] + taken[1], 3);
    assert_int_equal(taken[2], taken[0]);
    assert_int_equal(taken[3], taken[1]);
    assert_null(fake_mod(sw, OFPFC_ADD, 1)); /* a guess is no rule */
    fake_teardown(state);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_and_packet),
        cmocka_unit_test(buffers),
        cmocka_unit_test(pending_packets_keep_their_buffer),
        cmocka_unit_test(path_over_two_workers),
        cmocka_unit_test(broadcast_once_to_each_edge_port),
        cmocka_unit_test(reserved_addresses_go_nowhere),
        cmocka_unit_test(round_robin_takes_uplinks_in_turn),
        cmocka_unit_test(round_robin_by_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
