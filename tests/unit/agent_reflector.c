/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_reflector.c - the reflector and the stamped sockets, on the loopback interface.
 */
#include "reflector.h"
#include "stamp.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <trivet/clock.h>

struct fixture {
    struct ag_loop loop;
    struct ag_reflector reflector;
    struct ag_socket client;
    struct ag_watch client_watch;
    union ag_address target;
    uint64_t stop_mono;
    unsigned wanted, replies; /* stop after so many replies, or at stop_mono */
    size_t last_len;
    uint8_t last[AG_PACKET_MAX];
    struct ag_packet packet;
    struct ag_tx_stamp stamp; /* last transmit stamp of the client */
    unsigned stamps;
    bool allowed;
};

static bool
allow(void *arg, const union ag_address *from)
{
    const struct fixture *f = arg;

    (void)from;
    return f->allowed;
}

static void
client_ready(void *arg)
{
    struct fixture *f = arg;
    struct ag_tx_stamp stamp;

    while (ag_socket_stamp(&f->client, &stamp)) {
        f->stamp = stamp;
        f->stamps++;
    }
    while (ag_socket_receive(&f->client, f->last, sizeof(f->last), &f->packet) > 0)
        f->replies++;
}

static uint64_t
tick(void *arg, uint64_t now)
{
    struct fixture *f = arg;

    f->loop.lo_stop = f->replies >= f->wanted || now >= f->stop_mono;
    return f->stop_mono;
}

/* Runs until n replies came in all, or 0.2 s are over. */
static void
run(struct fixture *f, unsigned n)
{
    f->wanted = n;
    f->stop_mono = sb_mono() + 200 * SB_MS;
    f->loop.lo_stop = false;
    assert_int_equal(ag_loop_run(&f->loop, tick, f), 0);
}

static int
setup_family(void **state, const char *host, unsigned port_index)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char message[AG_MESSAGE_MAX];

    assert_non_null(f);
    f->allowed = true;
    assert_int_equal(ag_loop_open(&f->loop), 0);
    assert_int_equal(ag_reflector_open(&f->reflector, &f->loop, 0, allow, f, message), 0);
    assert_int_equal(ag_address_parse(&f->target, host,
                                      ag_socket_port(&f->reflector.re_ports[port_index].rp_socket),
                                      false, message),
                     0);
    assert_int_equal(ag_socket_open(&f->client, f->target.sa.sa_family, 0, message), 0);
    f->client_watch =
        (struct ag_watch){.wa_ready = client_ready, .wa_arg = f, .wa_fd = f->client.so_fd};
    assert_int_equal(ag_loop_watch(&f->loop, &f->client_watch), 0);
    *state = f;
    return 0;
}

static int
setup(void **state)
{
    return setup_family(state, "127.0.0.1", 0);
}

static int
setup6(void **state)
{
    return setup_family(state, "::1", 1);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    ag_socket_close(&f->client);
    ag_reflector_close(&f->reflector);
    ag_loop_close(&f->loop);
    free(f);
    return 0;
}

static void
send_bytes(struct fixture *f, const void *data, size_t len)
{
    uint32_t key;

    assert_int_equal(ag_socket_send(&f->client, data, len, &f->target, NULL, &key), 0);
}

static struct ag_stamp_reply
exchange(struct fixture *f, uint32_t seq)
{
    const struct ag_stamp_probe probe = {.seq = seq, .t1 = ag_stamp_from_ns(sb_now()), .ssid = 9};
    struct ag_stamp_reply reply;
    uint8_t data[AG_STAMP_PROBE];

    ag_stamp_put_probe(data, &probe);
    send_bytes(f, data, sizeof(data));
    run(f, f->replies + 1);
    assert_int_equal(f->packet.len, sizeof(data)); /* as many bytes as it got */
    assert_int_equal(ag_stamp_get_reply(f->last, f->packet.len, &reply), AG_STAMP_OK);
    assert_int_equal(reply.probe_seq, seq);
    assert_int_equal(reply.probe_t1, probe.t1);
    assert_int_equal(reply.ssid, 9);
    assert_int_equal(reply.ttl, 255);
    return reply;
}

/* The count of replies, four kernel stamps, and the true T3 one reply later. */
static void
reflects_with_true_t3(void **state)
{
    struct fixture *f = *state;
    struct ag_stamp_reply first = exchange(f, 100), second;
    uint64_t now = sb_now(), t2 = ag_stamp_to_ns(first.t2, first.error, now);
    uint64_t t3 = ag_stamp_to_ns(first.t3, first.error, now), t4 = f->packet.stamp_ns, true_t3;

    assert_int_equal(first.seq, 0);
    assert_true(first.has_follow_up);
    assert_int_equal(first.follow_mode, AG_MODE_NONE);
    assert_int_equal(f->packet.method, SB_stamp_method_KERNEL);
    assert_int_equal(f->packet.ttl, 255);
    assert_true(ag_address_same_host(&f->packet.from, &f->target));
    assert_true(f->stamps >= 1);
    assert_int_equal(f->stamp.method, SB_stamp_method_KERNEL);
    assert_int_equal(f->stamp.key, 0);
    assert_true(f->stamp.ns <= t2 && t2 <= t3 && t3 <= t4);
    second = exchange(f, 101);
    assert_int_equal(second.seq, 1);
    assert_int_equal(second.follow_seq, 0);
    assert_int_equal(second.follow_mode, AG_MODE_SOFTWARE);
    true_t3 = ag_stamp_to_ns(second.follow_t3, second.error, now);
    assert_true(t3 <= true_t3 && true_t3 <= t4);
    assert_int_equal(f->stamp.key, 1);
}

static void
ignores_strangers_and_short_packets(void **state)
{
    struct fixture *f = *state;
    uint8_t data[AG_STAMP_PROBE] = {0};

    f->allowed = false;
    send_bytes(f, data, sizeof(data));
    run(f, 1);
    assert_int_equal(f->replies, 0);
    assert_int_equal(f->reflector.re_counts.strangers, 1);
    f->allowed = true;
    send_bytes(f, data, AG_STAMP_BASE - 1);
    send_bytes(f, data, 0);
    run(f, 1);
    assert_int_equal(f->replies, 0);
    assert_int_equal(f->reflector.re_counts.invalid, 2);
    send_bytes(f, data, AG_STAMP_BASE);
    run(f, 1);
    assert_int_equal(f->replies, 1);
    assert_int_equal(f->packet.len, AG_STAMP_BASE);
    assert_int_equal(f->reflector.re_counts.reflected, 1);
}

static void
caps_the_rate(void **state)
{
    struct fixture *f = *state;
    uint8_t data[AG_STAMP_BASE] = {0};
    uint64_t start = sb_mono(), handled = 0;
    double seconds;

    /* In portions that fit into the socket's buffer. */
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned j = 0; j < 100; j++)
            send_bytes(f, data, sizeof(data));
        while (handled < (i + 1) * 100U) {
            f->replies = 0;
            f->wanted = 1;
            f->stop_mono = sb_mono() + 20 * SB_MS;
            f->loop.lo_stop = false;
            ag_loop_run(&f->loop, tick, f);
            handled = f->reflector.re_counts.reflected + f->reflector.re_counts.capped;
        }
    }
    seconds = (double)(sb_mono() - start) / (double)SB_SECOND;
    assert_true(f->reflector.re_counts.reflected >= 900);
    assert_true((double)f->reflector.re_counts.reflected <= 1000 + 5000 * seconds + 1);
    if (seconds < 0.4)
        assert_true(f->reflector.re_counts.capped > 0);
}

static void
names_the_holder_of_its_port(void **state)
{
    struct fixture *f = *state;
    char message[AG_MESSAGE_MAX] = "", expected[32];
    struct ag_socket second;

    assert_int_equal(ag_socket_open(&second, AF_INET, ag_address_port(&f->target), message),
                     -EADDRINUSE);
    snprintf(expected, sizeof(expected), "(pid %d)", (int)getpid());
    assert_non_null(strstr(message, expected));
}

/* The kernel begins to stamp packets a moment after the first socket asks for it (a static key is
 * switched by a work queue). This socket asks, waits until it happens, and stays open. */
static int
warm_up(struct ag_socket *sock)
{
    union ag_address self;
    char message[AG_MESSAGE_MAX];
    uint64_t deadline = sb_mono() + 5 * SB_SECOND;

    if (ag_socket_open(sock, AF_INET, 0, message) != 0 ||
        ag_address_parse(&self, "127.0.0.1", ag_socket_port(sock), false, message) != 0)
        return -1;
    while (sb_mono() < deadline) {
        struct pollfd fd = {.fd = sock->so_fd, .events = POLLIN};
        struct ag_packet packet = {0};
        struct ag_tx_stamp stamp;
        uint8_t data[64] = {0};
        uint32_t key;

        if (ag_socket_send(sock, data, sizeof(data), &self, NULL, &key) != 0 ||
            poll(&fd, 1, 1000) < 0)
            return -1;
        while (ag_socket_stamp(sock, &stamp))
            ;
        while (ag_socket_receive(sock, data, sizeof(data), &packet) > 0)
            ;
        if (packet.method == SB_stamp_method_KERNEL)
            return 0;
    }
    return -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reflects_with_true_t3, setup, teardown),
        {"reflects_with_true_t3_ipv6", reflects_with_true_t3, setup6, teardown, NULL},
        cmocka_unit_test_setup_teardown(ignores_strangers_and_short_packets, setup, teardown),
        cmocka_unit_test_setup_teardown(caps_the_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_holder_of_its_port, setup, teardown),
    };

    struct ag_socket warm;
    int failed;

    if (warm_up(&warm) != 0) {
        fputs("no kernel time stamps on the loopback interface\n", stderr);
        return 1;
    }
    failed = cmocka_run_group_tests_name("agent_reflector", tests, NULL, NULL);
    ag_socket_close(&warm);
    return failed;
}
