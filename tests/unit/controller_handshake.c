/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_handshake.c - from HELLO to ready: versions, set-up messages, the two rules every
 * switch has, switches that leave questions open, a dpid that comes twice.
 */
#include "fake_switch.h"

#include <stdlib.h>

#define COOKIE_TABLE_MISS UINT64_C(0x74720000ffffffff)
#define COOKIE_DISCOVERY UINT64_C(0x74720000fffffffe)

static void
assert_to_controller(const struct fake_rule *rule, uint64_t cookie)
{
    assert_non_null(rule);
    assert_int_equal(rule->mod.cookie, cookie);
    assert_int_equal(rule->mod.idle_s, 0);
    assert_int_equal(rule->mod.hard_s, 0);
    assert_int_equal(rule->mod.buffer_id, OF_NO_BUFFER);
    assert_int_equal(rule->action.type, OF_A_OUTPUT);
    assert_int_equal(rule->action.port, OFPP_CONTROLLER);
    assert_int_equal(rule->action.max_len, OFPCML_NO_BUFFER);
}

static void
sets_up(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    const struct fake_rule *discovery;
    struct sb_switch row;
    uint16_t priority;

    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_int_equal(sw->count[OFPT13_HELLO], 1);
    assert_int_equal(sw->count[OFPT13_FEATURES_REQUEST], 1);
    assert_int_equal(sw->count[OFPT13_SET_CONFIG], 1);
    assert_int_equal(sw->count[OFPT13_MULTIPART_REQUEST], 3);
    assert_int_equal(sw->count[OFPT13_ERROR], 0);
    /* all flows are asked for: a foreign one may stand where one of ours belongs */
    assert_int_equal(of_get64(sw->multipart + 40), 0);

    assert_int_equal(sw->n_mods, 2);
    assert_to_controller(fake_mod(sw, OFPFC_ADD, 0), COOKIE_TABLE_MISS);
    assert_int_equal(fake_mod(sw, OFPFC_ADD, 0)->mod.match.fields, 0);
    discovery = fake_mod(sw, OFPFC_ADD, UINT16_MAX);
    assert_to_controller(discovery, COOKIE_DISCOVERY);
    assert_int_equal(discovery->mod.match.fields, OF_M_ETH_TYPE);
    assert_int_equal(discovery->mod.match.eth_type, 0x88cc);

    assert_int_equal(fake_rows(net, SB_T_switch, &row, 1), 1);
    assert_int_equal(row.dpid, 1);
    assert_int_equal(row.n_ports, 3);
    assert_int_equal(row.version, OF13);
    assert_int_equal(row.connects, 1);

    /* what is there is not sent again */
    fake_forget(sw);
    fake_disconnect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_GONE);
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_int_equal(sw->n_mods, 0);
    /* what is there but otherwise is */
    priority = sw->rules[0].mod.priority;
    sw->rules[0].mod.idle_s = 10;
    fake_disconnect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_GONE);
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_non_null(fake_mod(sw, OFPFC_ADD, priority));
    assert_int_equal(sw->n_rules, 2);
}

static void
versions(void **state)
{
    static const struct {
        const char *what;
        uint8_t hello[16];
        size_t size;
        bool accepted;
    } cases[] = {
        {"1.3, no bitmap", {4, 0, 0, 8, 0, 0, 0, 1}, 8, true},
        {"1.4, no bitmap", {5, 0, 0, 8, 0, 0, 0, 1}, 8, true},
        {"1.5 header, bitmap of all",
         {6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x7e},
         16,
         true},
        {"1.0 header, bitmap with 1.3",
         {1, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x12},
         16,
         true},
        {"an element that is no bitmap",
         {4, 0, 0, 16, 0, 0, 0, 1, 0, 9, 0, 8, 0, 0, 0, 2},
         16,
         true},
        {"1.1", {2, 0, 0, 8, 0, 0, 0, 9}, 8, false},
        {"1.2", {3, 0, 0, 8, 0, 0, 0, 9}, 8, false},
        {"1.4 header, bitmap of it alone",
         {5, 0, 0, 16, 0, 0, 0, 9, 0, 1, 0, 8, 0, 0, 0, 0x20},
         16,
         false},
    };
    struct fake_net *net = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_switch *sw =
            net->n_switches == 0 ? fake_switch_new(net, 1, 1) : net->switches[0];

        fake_disconnect(sw);
        WAIT(net, fake_switch_state(net, 1) != SB_switch_state_READY);
        sw->fd = fake_open(net);
        sw->rx_size = sw->error_size = 0;
        fake_send(sw, cases[i].hello, cases[i].size);
        print_message("%s\n", cases[i].what);
        if (cases[i].accepted) {
            WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
            continue;
        }
        WAIT(net, sw->fd < 0);
        assert_true(sw->error_size > 12);
        assert_int_equal(of_get16(sw->error + 8), OFPET_HELLO_FAILED);
        assert_int_equal(of_get16(sw->error + 10), OFPHFC_INCOMPATIBLE);
        assert_int_equal(of_get32(sw->error + 4), 9); /* of their HELLO */
        assert_non_null(memmem(sw->error + 12, sw->error_size - 12, "1.3", 3));
    }
    WAIT(net, fake_logged(net, "no common OpenFlow version"));
}

/* This switch says 1.0 in its HELLO and goes on in 1.3: so it is seen which version was agreed. */
static void
version_1_0(void **state)
{
    static const uint8_t hellos[][16] = {{1, 0, 0, 8, 0, 0, 0, 1},
                                         {1, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 2},
                                         {5, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x22}};
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 1);

    for (size_t i = 0; i < 3; i++) {
        size_t before = net->log_size;

        sw->fd = fake_open(net);
        sw->rx_size = sw->error_size = 0;
        fake_send(sw, hellos[i], hellos[i][3]);
        WAIT(net, sw->fd < 0);
        WAIT(net, strstr(net->log + before, "after version 1 was agreed") != NULL);
        assert_int_equal(of_get16(sw->error + 8), 1 /* OFPET_BAD_REQUEST */);
        assert_int_equal(sw->error[0], OF10);
    }
}

static void
goes_on_without_answers(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 2);
    uint64_t begin = sb_mono();
    uint32_t marker;

    sw->mute_multipart = true;
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_in_range(sb_mono() - begin, 800 * SB_MS, 4 * SB_SECOND);
    assert_int_equal(sw->n_mods, 2);
    /* its ports are found by the packets that come in there */
    for (unsigned i = 0; i < 100 && fake_port_type(net, 1, 1) != SB_port_type_EDGE; i++) {
        fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
        RUN(net, 50);
    }
    marker = fake_packet(sw, 2, 2, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 1) == 1);

    sw = fake_switch_new(net, 2, 2);
    sw->mute_barrier = true;
    begin = sb_mono();
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 2) == SB_switch_state_READY);
    assert_in_range(sb_mono() - begin, 800 * SB_MS, 4 * SB_SECOND);
    assert_true(fake_logged(net, "no answer to"));
}

static void
multipart_in_parts(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 7);
    struct sb_port rows[16];
    struct fake_rule foreign = {.mod = {.cookie = 5, .priority = 7, .out_port = OFPP_ANY}};

    sw->part = 2;
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_int_equal(fake_rows(net, SB_T_port, rows, 16), 7);
    fake_disconnect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_GONE);
    /* one entry a part, and entries that are not ours between them */
    sw->rules = realloc(sw->rules, 4 * sizeof(*sw->rules));
    assert_non_null(sw->rules);
    foreign.action = sw->rules[0].action;
    sw->rules[2] = sw->rules[1];
    sw->rules[1] = foreign;
    foreign.mod.priority = 8;
    sw->rules[3] = foreign;
    sw->n_rules = 4;
    sw->part = 1;
    sw->unmasked = true;
    fake_forget(sw);
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    assert_int_equal(sw->n_mods, 0);
    assert_int_equal(sw->n_rules, 4);
    assert_int_equal(fake_rows(net, SB_T_port, rows, 16), 7);
}

static void
echo_returns_its_payload(void **state)
{
    static const uint8_t request[] = {4, 2, 0, 13, 0xaa, 0xbb, 0xcc, 0xdd, 'h', 'e', 'l', 'l', 'o'};
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 1);

    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    fake_send(sw, request, sizeof(request));
    WAIT(net, sw->echo_size != 0);
    assert_int_equal(sw->echo_size, sizeof(request));
    assert_int_equal(sw->echo[1], OFPT13_ECHO_REPLY);
    assert_memory_equal(sw->echo + 2, request + 2, sizeof(request) - 2);
}

static void
living_holder_keeps_its_dpid(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *holder = fake_switch_add(net, 2, 2), *thief;
    uint32_t marker;

    fake_settle(holder);
    thief = fake_switch_add(net, 2, 1);
    WAIT(net, thief->fd < 0);
    assert_true(holder->fd >= 0);
    assert_int_equal(thief->n_mods, 0);
    WAIT(net, fake_events(net, SB_event_kind_ATTACK) == 1);
    marker = fake_packet(holder, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(holder, marker, 2) == 1);
}

static void
silent_holder_is_replaced(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *old = fake_switch_add(net, 2, 2), *fresh;
    uint64_t begin;
    uint32_t marker;

    fake_settle(old);
    old->mute_all = true;
    begin = sb_mono();
    fresh = fake_switch_new(net, 2, 2);
    fake_connect(fresh);
    WAIT(net, fresh->n_mods == 2);
    assert_in_range(sb_mono() - begin, 0, 4 * SB_SECOND);
    WAIT(net, old->fd < 0);
    fake_settle(fresh);
    marker = fake_packet(fresh, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(fresh, marker, 2) == 1);
    assert_true(fresh->fd >= 0);
    assert_int_equal(fake_events(net, SB_event_kind_ATTACK), 0);
}

/* Each time costs the others something, so there is an end to it. */
static void
who_comes_too_often_waits(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 3, 2), *other;
    uint64_t begin = sb_mono();

    for (unsigned i = 0; i < 20; i++) {
        fake_connect(sw);
        WAIT(net, sw->count[OFPT13_BARRIER_REQUEST] > 0);
        fake_disconnect(sw);
    }
    fake_connect(sw);
    WAIT(net, fake_logged(net, "has connected more than 20 times in 10 s, waits"));
    other = fake_switch_add(net, 5, 2); /* of the same worker */
    WAIT(net, fake_switch_state(net, 5) == SB_switch_state_READY);
    assert_int_equal(other->count[OFPT13_ERROR], 0);
    if (sb_mono() - begin < 9 * SB_SECOND)
        assert_int_equal(sw->count[OFPT13_MULTIPART_REQUEST], 0);
    WAIT(net, fake_switch_state(net, 3) == SB_switch_state_READY);
    assert_true(sb_mono() - begin > 9 * SB_SECOND);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(sets_up),
        TEST(versions),
        TEST(version_1_0),
        TEST(goes_on_without_answers),
        TEST(multipart_in_parts),
        TEST(echo_returns_its_payload),
        TEST(living_holder_keeps_its_dpid),
        TEST(silent_holder_is_replaced),
        TEST(who_comes_too_often_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
