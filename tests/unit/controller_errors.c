/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_errors.c - what switches refuse, and what they leave unanswered: the request is known
 * by its xid, and what follows is done.
 */
#include "fake_switch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct fake_net *
start(void **state, const char *policy)
{
    struct fake_net *net = fake_net_new();

    net->policy = policy;
    fake_start(net);
    *state = net;
    return net;
}

static int
setup(void **state)
{
    start(state, "shortest");
    return 0;
}

static int
setup_learning(void **state)
{
    start(state, "learning");
    return 0;
}

/* A switch with two hosts that the controller knows: 1 at port 1 and 2 at port 2. */
static struct fake_switch *
two_hosts(struct fake_net *net)
{
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    uint32_t marker = 0;

    fake_settle(sw);
    INSIST(net, fake_times(sw, marker, 1) > 0, fake_packet(sw, 1, 1, 0, OF_NO_BUFFER),
           marker = fake_packet(sw, 2, 2, 0, OF_NO_BUFFER));
    WAIT(net, fake_host(net, 1, 1, 1) && fake_host(net, 2, 1, 2));
    return sw;
}

/* Its packet-out comes whatever becomes of the rule. */
static void
assert_forwarded(struct fake_net *net, struct fake_switch *sw, uint8_t from, uint8_t to)
{
    uint32_t marker = 0;

    INSIST(net, fake_times(sw, marker, to) == 1,
           marker = fake_packet(sw, from, from, to, OF_NO_BUFFER));
}

static void
full_table_is_left_alone(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);
    struct sb_flow row;
    uint64_t begin;
    unsigned n;

    sw->refuse = 100;
    fake_forget(sw);
    assert_forwarded(net, sw, 1, 2);
    WAIT(net, fake_flow(net, 1, 1, 2, &row) == SB_flow_state_REFUSED);
    WAIT(net, fake_logged(net, "the flow table is full: no new rules for 1 s"));
    begin = sb_mono();
    n = sw->n_mods;
    assert_true(n >= 1);
    /* no rule is sent for a while, and its packets go all the same */
    for (unsigned i = 0; sb_mono() - begin < 500 * SB_MS; i++) {
        assert_forwarded(net, sw, i % 2 == 0 ? 2 : 1, i % 2 == 0 ? 1 : 2);
        assert_int_equal(sw->n_mods, n);
    }
    /* then one is tried, and refused: for longer now */
    RUN(net, 1000);
    assert_forwarded(net, sw, 1, 2);
    WAIT(net, fake_logged(net, "no new rules for 2 s"));
    /* there is room again */
    sw->refuse = 0;
    INSIST(net, fake_rule(sw, 1, 2) != NULL, fake_packet(sw, 1, 1, 2, OF_NO_BUFFER));
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    assert_in_range(sb_mono() - begin, 1500 * SB_MS, 10 * SB_SECOND);
    assert_true(sw->fd >= 0);
    assert_in_range(fake_events(net, SB_event_kind_REFUSED), 2, 4); /* one a hold, not one a rule */
}

static void
other_master_is_left_alone(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);

    sw->refuse = 100;
    sw->refuse_type = 1; /* BAD_REQUEST/IS_SLAVE */
    sw->refuse_code = 10;
    assert_forwarded(net, sw, 1, 2);
    WAIT(net, fake_logged(net, "another controller is its master: no new rules for 1 s"));
    assert_int_equal(fake_flow(net, 1, 1, 2, NULL), SB_flow_state_REFUSED);
}

/* An error quotes 64 bytes of the request; here a header only. What it is about is remembered. */
static void
refused_by_xid(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);

    sw->refuse = 100;
    sw->refuse_type = 2; /* BAD_ACTION/BAD_OUT_PORT */
    sw->refuse_code = 4;
    sw->quoted = 8;
    assert_forwarded(net, sw, 1, 2);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_REFUSED);
    WAIT(net, fake_logged(net, "refused a rule of ours (xid"));
    assert_false(fake_logged(net, "no new rules")); /* this is about that rule alone */
}

static void
rule_without_its_buffer(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);

    sw->no_buffers = true;
    fake_forget(sw);
    INSIST(net, sw->n_mods > 0, fake_packet(sw, 1, 1, 2, 7));
    WAIT(net, fake_rule(sw, 1, 2) != NULL);
    assert_int_equal(sw->mods[0].mod.buffer_id, 7);
    assert_int_equal(fake_rule(sw, 1, 2)->mod.buffer_id, OF_NO_BUFFER);
    WAIT(net, fake_flow(net, 1, 1, 2, NULL) == SB_flow_state_INSTALLED);
    assert_int_equal(sw->n_mods, 2);
}

/* It says so of every buffer: some are believed, then its buffers are not used any more, and its
 * errors are not answered by rules. */
static void
buffers_that_are_never_there(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);
    uint8_t half[64] = {2, [5] = 2, [6] = 2, [11] = 99, [12] = 8, [14] = 0x45};
    struct of_packet_in cut = {.buffer_id = 7,
                               .in_port = 1,
                               .total_len = 1000,
                               .reason = OFPR_ACTION,
                               .data = half,
                               .data_size = sizeof(half)};
    uint8_t bytes[256];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};
    unsigned buffered = 0, n;
    uint32_t marker;

    sw->no_buffers = true;
    fake_forget(sw);
    for (uint8_t from = 10; from < 10 + 2 * 64; from++)
        fake_packet(sw, 1, from, 2, 7);
    WAIT(net, fake_logged(net, "has lost 64 buffers within 10 s"));
    WAIT(net, fake_events(net, SB_event_kind_REFUSED) >= 1);
    RUN(net, 100);
    for (unsigned i = 0; i < sw->n_mods; i++)
        buffered += sw->mods[i].mod.buffer_id == 7;
    assert_in_range(buffered, 65, 2 * 64);
    /* none is answered twice, so there are no more than one for each packet and 64 */
    assert_in_range(sw->n_mods, 65 + 64, 2 * 64 + 64);
    /* from now on without, and with the packet's bytes */
    fake_forget(sw);
    marker = fake_packet(sw, 1, 200, 2, 7);
    WAIT(net, fake_times(sw, marker, 2) == 1);
    WAIT(net, fake_rule(sw, 200, 2) != NULL);
    assert_int_equal(fake_mod(sw, OFPFC_ADD, 10)->mod.buffer_id, OF_NO_BUFFER);
    n = sw->n_mods;
    /* the switch may go on complaining */
    of_put_error(&b, OF13, fake_mod(sw, OFPFC_ADD, 10)->xid, 1, 8, NULL, 0);
    for (unsigned i = 0; i < 100; i++)
        fake_send(sw, b.data, b.len);
    /* and half a packet, whose rest is in such a buffer, is lost */
    b.len = 0;
    of_put_packet_in(&b, OF13, 0, &cut);
    fake_send(sw, b.data, b.len);
    marker = fake_packet(sw, 1, 201, 2, 7);
    WAIT(net, fake_times(sw, marker, 2) == 1);
    assert_int_equal(sw->n_mods, n + 1);
    assert_int_equal(sw->n_outs, 2);
}

static void
bad_version_ends_it(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);
    static const uint8_t error[20] = {4, 1, 0, 20, 0, 0, 0, 0, 0, 1, 0, 0, 4, 14, 0, 8, 0, 0, 9, 9};

    fake_send(sw, error, sizeof(error));
    WAIT(net, sw->fd < 0);
    WAIT(net, fake_logged(net, "it answers BAD_VERSION"));
}

static void
hello_failed_says_why(void **state)
{
    static const uint8_t error[22] = {5, 1,   0,   22,  0,   0,   0,   0,   0,   0,    0,
                                      0, 'o', 'n', 'l', 'y', ' ', '1', '.', '4', '\n', 0};
    struct fake_net *net = *state;
    uint8_t bytes[256];
    int fd = fake_open(net);

    assert_int_equal(send(fd, error, sizeof(error), MSG_NOSIGNAL), sizeof(error));
    WAIT(net, fake_logged(net, "it refuses our HELLO: 'only 1.4"));
    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
    close(fd);
}

/* Errors about nothing we know: garbage, and far too many. */
static void
strange_errors(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);

    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t error[12 + 64] = {
            4, 1, 0, 76, [9] = (uint8_t)(1 + i % 14), [11] = (uint8_t)i, [12] = 4, 14, 0, 64};

        if (error[9] == 1 && error[11] == 0)
            continue; /* BAD_VERSION */
        if (i % 20 == 0)
            error[3] = 12; /* no request at all */
        memcpy(error + 16, &i, 4);
        memcpy(error + 20, "\x74\x72\0\1\0\0\0", 7);
        error[27] = (uint8_t)i;
        fake_send(sw, error, error[3]);
    }
    assert_true(sw->fd >= 0);
    sw->refuse = 0;
    RUN(net, 500);
    assert_forwarded(net, sw, 1, 2);
    assert_in_range(net->log_size, 1, 65536);
}

static void
late_barrier(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = two_hosts(net);

    sw->mute_barrier = true;
    assert_forwarded(net, sw, 1, 2);
    WAIT(net, fake_logged(net, "no answer to a barrier (xid"));
    assert_int_equal(fake_flow(net, 1, 1, 2, NULL),
                     SB_flow_state_SENT); /* nobody said it is there */
    /* and those after it are confirmed as ever */
    sw->mute_barrier = false;
    assert_forwarded(net, sw, 2, 1);
    WAIT(net, fake_flow(net, 1, 2, 1, NULL) == SB_flow_state_INSTALLED);
}

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(full_table_is_left_alone, setup),
        TEST(other_master_is_left_alone, setup),
        TEST(refused_by_xid, setup),
        TEST(rule_without_its_buffer, setup_learning),
        TEST(buffers_that_are_never_there, setup_learning),
        TEST(bad_version_ends_it, setup),
        TEST(hello_failed_says_why, setup),
        TEST(strange_errors, setup),
        TEST(late_barrier, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
