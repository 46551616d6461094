/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_topology.c - what the controller finds out: port types and links by discovery frames,
 * forged ones, ports that come and go, packets that wait until their port is known.
 */
#include "fake_switch.h"

#include <signal.h>

static struct fake_net *
two_switches(void **state)
{
    struct fake_net *net = *state;

    fake_cable(net, 1, 2, 2, 1);
    fake_switch_add(net, 1, 2);
    fake_switch_add(net, 2, 2);
    WAIT(net, fake_link_state(net, 1, 2) == SB_link_state_UP);
    fake_settle(net->switches[0]);
    fake_settle(net->switches[1]);
    return net;
}

static void
types_and_links(void **state)
{
    struct fake_net *net = two_switches(state);
    struct fake_switch *s1 = net->switches[0];
    unsigned sent;

    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    assert_int_equal(fake_port_type(net, 1, 2), SB_port_type_LINK);
    assert_int_equal(fake_port_type(net, 2, 1), SB_port_type_LINK);
    assert_int_equal(fake_port_type(net, 2, 2), SB_port_type_EDGE);
    assert_true(fake_events(net, SB_event_kind_LINK_UP) >= 1);

    /* four frames that nobody hears end the link, not fewer */
    sent = s1->lldp[2];
    net->cables[0].cut = true;
    WAIT(net, fake_link_state(net, 1, 2) != SB_link_state_UP);
    assert_true(s1->lldp[2] - sent >= 3 || net->switches[1]->lldp[1] >= 3);
    assert_true(fake_events(net, SB_event_kind_LINK_DOWN) >= 1);
    WAIT(net, fake_port_type(net, 1, 2) == SB_port_type_EDGE &&
                  fake_port_type(net, 2, 1) == SB_port_type_EDGE);
    net->cables[0].cut = false;
    WAIT(net, fake_link_state(net, 1, 2) == SB_link_state_UP &&
                  fake_port_type(net, 1, 2) == SB_port_type_LINK);
}

static void
one_way_is_no_link(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_add(net, 1, 2), *s2 = fake_switch_add(net, 2, 2);

    fake_settle(s1);
    fake_settle(s2);
    for (unsigned i = 0; i < 3; i++) {
        unsigned sent = s1->lldp[2];

        WAIT(net, s1->lldp[2] > sent);
        fake_packet_in(s2, 1, s1->last_lldp, s1->last_lldp_size, OF_NO_BUFFER);
    }
    RUN(net, 100);
    assert_int_not_equal(fake_link_state(net, 1, 2), SB_link_state_UP);
    assert_int_equal(fake_events(net, SB_event_kind_LINK_UP), 0);
}

static void
forged_frames_make_no_link(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_new(net, 1, 1), *s2 = fake_switch_add(net, 2, 1);
    uint8_t frame[256];
    size_t size;
    unsigned sent;

    fake_connect(s1);
    fake_settle(s1);
    fake_settle(s2);
    /* a genuine frame, altered at its end: the HMAC, in both directions */
    for (unsigned i = 0; i < 2; i++) {
        const struct fake_switch *from = net->switches[i];

        sent = from->lldp[1];
        WAIT(net, from->lldp[1] > sent);
        memcpy(frame, from->last_lldp, from->last_lldp_size);
        frame[from->last_lldp_size - 3] ^= 1;
        fake_packet_in(net->switches[1 - i], 1, frame, from->last_lldp_size, OF_NO_BUFFER);
    }
    WAIT(net, fake_events(net, SB_event_kind_ATTACK) >= 1);
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    assert_int_equal(fake_port_type(net, 2, 1), SB_port_type_EDGE);

    /* genuine ones, played again later */
    for (unsigned i = 0; i < 2; i++) {
        const struct fake_switch *from = net->switches[i];

        size = from->last_lldp_size;
        memcpy(frame, from->last_lldp, size);
        sent = from->lldp[1];
        WAIT(net, from->lldp[1] >= sent + 2);
        fake_packet_in(net->switches[1 - i], 1, frame, size, OF_NO_BUFFER);
    }
    RUN(net, 300);
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    assert_int_equal(fake_port_type(net, 2, 1), SB_port_type_EDGE);
    assert_int_equal(fake_events(net, SB_event_kind_LINK_UP), 0);
}

static void
foreign_lldp_is_ignored(void **state)
{
    /* LLDP of somebody else, cut at every byte */
    static const uint8_t frame[] = {
        0x01, 0x80, 0xc2, 0, 0, 0x0e, 2,    0, 0, 0,   0,    9, 0x88, 0xcc, 0x02, 7, 4, 2, 0, 0, 0,
        0,    9,    0x04, 2, 7, '1',  0x06, 2, 0, 120, 0xfe, 6, 0,    0x12, 0x0f, 1, 2, 3, 0, 0};
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 2);
    uint32_t marker;

    fake_settle(sw);
    for (size_t n = 0; n <= sizeof(frame); n++)
        fake_packet_in(sw, 1, frame, n, OF_NO_BUFFER);
    marker = fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 1) == 1);
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    assert_int_equal(fake_events(net, SB_event_kind_ATTACK), 0);
    assert_int_equal(sw->n_outs, 1);
}

static void
packets_wait_for_the_port_type(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2);
    uint64_t begin;
    uint32_t markers[3];

    /* with the settings everybody has: half a second */
    fake_stop(net, SIGTERM);
    net->config = "{}\n";
    fake_start(net);
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY && sw->lldp[1] + sw->lldp[2] >= 2);
    begin = sb_mono();
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_UNKNOWN);
    for (unsigned i = 0; i < 3; i++)
        markers[i] = fake_packet(sw, 1, (uint8_t)(1 + i), 0, OF_NO_BUFFER);
    WAIT(net, fake_port_type(net, 1, 1) != SB_port_type_UNKNOWN);
    assert_int_equal(fake_port_type(net, 1, 1), SB_port_type_EDGE);
    assert_in_range(sb_mono() - begin, 300 * SB_MS, 1500 * SB_MS);
    for (unsigned i = 0; i < 3; i++)
        WAIT(net, fake_times(sw, markers[i], 2) == 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(fake_times(sw, markers[i], 0), 1);
}

static void
late_ports_get_recent_broadcasts(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_add(net, 1, 2), *s2 = fake_switch_new(net, 2, 2);
    uint32_t marker;

    fake_cable(net, 1, 2, 2, 1);
    fake_connect(s2);
    fake_settle(s1);
    marker = fake_packet(s1, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(s2, marker, 2) == 1);
    RUN(net, 200);
    assert_int_equal(fake_times(s2, marker, 0), 1);
    assert_int_equal(fake_times(s1, marker, 0), 0);
}

static void
ports_come_and_go(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 2);
    struct sb_port rows[4];
    uint32_t marker;

    fake_settle(sw);
    sw->ports[2] = sw->ports[1];
    sw->ports[2].port = 3;
    sw->n_ports = 3;
    fake_port(sw, 3, OFPPR_ADD, true);
    WAIT(net, fake_port_type(net, 1, 3) == SB_port_type_EDGE);
    marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 0) == 2);
    fake_port(sw, 2, OFPPR_MODIFY, false);
    fake_port(sw, 3, OFPPR_DELETE, true);
    WAIT(net, fake_rows(net, SB_T_port, rows, 4) == 2);
    WAIT(net, fake_events(net, SB_event_kind_PORT) == 2);
    marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    RUN(net, 200);
    assert_int_equal(fake_times(sw, marker, 0), 0);
    fake_port(sw, 2, OFPPR_MODIFY, true);
    WAIT(net, fake_times(sw, marker, 2) == 1); /* it is recent still */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(types_and_links),
        TEST(one_way_is_no_link),
        TEST(forged_frames_make_no_link),
        TEST(foreign_lldp_is_ignored),
        TEST(packets_wait_for_the_port_type),
        TEST(late_ports_get_recent_broadcasts),
        TEST(ports_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
