/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_builder.c - the handshake and ports in a round trip, and what the builder promises:
 * whole messages or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_all.h"
#include "openflow_bytes.h"

#define MOST (OF_MESSAGE_MAX + 1000)
static const uint8_t payload[OF_MESSAGE_MAX];

static void
handshake_round_trip(void **state)
{
    struct of_hello hello;
    struct of_features features = {.dpid = 0xaabbccddeeff0011,
                                   .n_buffers = 256,
                                   .capabilities = 0x4f,
                                   .n_tables = 254,
                                   .auxiliary_id = 1},
                       features_back;
    struct of_error_msg error;
    struct of_buffer b = fresh(4096);
    static const uint8_t request[16] = {OF13, OFPT13_FLOW_MOD, 0, 56, 0, 0, 0x12, 0x34};
    char text[64];

    (void)state;
    of_put_hello(&b, OF13, 1, 1 << OF13 | 1 << OF10);
    assert_int_equal(of_decode_hello(message(&b, OFPT13_HELLO, 1), &hello, NULL), OF_OK);
    assert_int_equal(hello.bitmap, 0x12);
    b = fresh(4096);
    of_put_hello(&b, OF13, 1, 0);
    assert_int_equal(b.len, OF_HEADER_SIZE);
    assert_int_equal(of_decode_hello(message(&b, OFPT13_HELLO, 1), &hello, NULL), OF_OK);
    assert_int_equal(hello.bitmap, 0);

    b = fresh(4096);
    of_put_features_reply(&b, OF13, 2, &features);
    memset(&features_back, 0, sizeof(features_back));
    assert_int_equal(
        of_decode_features_reply(message(&b, OFPT13_FEATURES_REPLY, 2), &features_back, NULL),
        OF_OK);
    assert_int_equal(features_back.dpid, features.dpid);
    assert_int_equal(features_back.n_buffers, 256);
    assert_int_equal(features_back.capabilities, 0x4f);
    assert_int_equal(features_back.n_tables, 254);
    assert_int_equal(features_back.auxiliary_id, 1);

    b = fresh(4096);
    of_put_error(&b, OF13, 3, 5, 1, request, sizeof(request));
    assert_int_equal(of_decode_error(message(&b, OFPT13_ERROR, 3), &error, NULL), OF_OK);
    assert_int_equal(error.request_xid, 0x1234);
    assert_int_equal(error.request_type, OFPT13_FLOW_MOD);
    assert_string_equal(of_error_text(OF13, error.type, error.code, text, sizeof(text)),
                        "FLOW_MOD_FAILED/TABLE_FULL");
    b = fresh(4096);
    of_put_error(&b, OF13, 4, OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE, "only 1.3", 8);
    assert_int_equal(of_decode_error(message(&b, OFPT13_ERROR, 4), &error, NULL), OF_OK);
    assert_int_equal(error.request_type, 0xff);
    assert_int_equal(error.request_xid, 4);
    assert_memory_equal(error.data, "only 1.3", 8);

    /* an experimenter's own comes before the request; what is no request is none */
    b = fresh(4096);
    of_put_error(&b, OF13, 4, OFPET_EXPERIMENTER, 7, "\0\0\x23\x20\4\x0e\0\x50\0\0\0\x4d", 12);
    assert_int_equal(of_decode_error(message(&b, OFPT13_ERROR, 4), &error, NULL), OF_OK);
    assert_int_equal(error.request_xid, 77);
    assert_int_equal(error.request_type, OFPT13_FLOW_MOD);
    b = fresh(4096);
    of_put_error(&b, OF13, 4, OFPET_EXPERIMENTER, 7, "\0\0\x23\x20text that is none", 20);
    assert_int_equal(of_decode_error(message(&b, OFPT13_ERROR, 4), &error, NULL), OF_OK);
    assert_int_equal(error.request_xid, 4);
    b = fresh(4096);
    of_put_error(&b, OF10, 4, OFPET_NICIRA10, 0, "\0\0\x23\x20\0\1\0\2\1\x0e\0\x50\0\0\0\x4d", 16);
    assert_int_equal(of_decode_error(message(&b, OFPT13_ERROR, 4), &error, NULL), OF_OK);
    assert_int_equal(error.request_xid, 77);

    b = fresh(4096);
    of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, 5, "ping", 4);
    assert_memory_equal(message(&b, OFPT13_ECHO_REPLY, 5) + OF_HEADER_SIZE, "ping", 4);
    b = fresh(4096);
    of_put_set_config(&b, OF13, 6, 1, OFPCML_NO_BUFFER);
    message(&b, OFPT13_SET_CONFIG, 6);
    assert_int_equal(of_get16(b.data + 8), 1);
    assert_int_equal(of_get16(b.data + 10), OFPCML_NO_BUFFER);
    b = fresh(4096);
    of_put_header(&b, OF13, OFPT13_BARRIER_REQUEST, 7);
    message(&b, OFPT13_BARRIER_REQUEST, 7);
}

static void
same_port(const struct of_port *a, const struct of_port *b)
{
    assert_int_equal(a->port, b->port);
    assert_memory_equal(a->mac, b->mac, 6);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->config, b->config);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->current, b->current);
    assert_int_equal(a->advertised, b->advertised);
    assert_int_equal(a->supported, b->supported);
    assert_int_equal(a->peer_features, b->peer_features);
    assert_int_equal(a->speed_kbps, b->speed_kbps);
    assert_int_equal(a->max_speed_kbps, b->max_speed_kbps);
}

static void
ports_round_trip(void **state)
{
    struct of_port_status status = {OFPPR_DELETE, a_port(3)}, back;
    struct of_port ports[3] = {a_port(1), a_port(2), a_port(OFPP_LOCAL)}, one;
    struct of_multipart part;
    struct of_cursor c;
    struct of_buffer b = fresh(4096);

    (void)state;
    of_put_port_status(&b, OF13, 1, &status);
    assert_int_equal(of_decode_port_status(message(&b, OFPT13_PORT_STATUS, 1), &back, NULL), OF_OK);
    assert_int_equal(back.reason, OFPPR_DELETE);
    same_port(&back.port, &status.port);

    b = fresh(4096);
    of_put_port_desc_reply(&b, 2, ports, 3, OFPMPF_REPLY_MORE);
    assert_int_equal(of_decode_multipart(message(&b, OFPT13_MULTIPART_REPLY, 2), &part, NULL),
                     OF_OK);
    assert_int_equal(part.type, OFPMP_PORT_DESC);
    assert_int_equal(part.flags, OFPMPF_REPLY_MORE);
    c = (struct of_cursor){part.body, part.body_size};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(of_next_port(&c, &one), 1);
        same_port(&one, &ports[i]);
    }
    assert_int_equal(of_next_port(&c, &one), 0);
}

static void
builder_keeps_whole_messages(void **state)
{
    const struct of_action output = {.type = OF_A_OUTPUT, .port = 9};
    struct of_flow_mod mod = {.match = full_match(6), .actions = &output, .n_actions = 1};
    struct of_packet_in in = {.data = payload, .data_size = 60};
    struct of_port_status status = {0, a_port(1)};

    (void)state;
    for (size_t size = 0; size < 600; size++) {
        uint8_t *room = malloc(size ? size : 1);
        struct of_buffer b = {room, size, 0, false};
        struct of_header header;
        size_t at = 0;
        unsigned n = 0, whole;

        assert_non_null(room);
        of_put_hello(&b, OF13, 0, 0x12), n += !b.full;
        of_put_flow_mod(&b, OF13, 1, &mod), n += !b.full;
        of_put_packet_in(&b, OF13, 2, &in), n += !b.full;
        of_put_packet_out(&b, OF13, 3, OF_NO_BUFFER, 1, &output, 1, payload, 60), n += !b.full;
        of_put_port_status(&b, OF13, 4, &status), n += !b.full;
        assert_true(b.len <= size);
        for (whole = 0; at < b.len; whole++) {
            int length = of_frame(room + at, b.len - at, &header);

            assert_true(length > 0);
            assert_int_equal(header.xid, whole);
            at += (size_t)length;
        }
        assert_int_equal(at, b.len);
        assert_int_equal(whole, n);
        free(room);
    }
}

static void
builder_refuses_what_it_cannot_say(void **state)
{
    const struct of_action other = {.type = OF_A_OTHER}, output = {.type = OF_A_OUTPUT};
    struct of_flow_mod mod = {.actions = &other, .n_actions = 1};
    struct of_buffer b = fresh(MOST);

    (void)state;
    memset(&mod.match, 0, sizeof(mod.match));
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_true(b.full && b.len == 0);
    b = fresh(MOST);
    mod.actions = &output;
    mod.match.fields = OF_M_OTHER;
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_true(b.full && b.len == 0);
    b = fresh(MOST);
    mod.match.fields = 0;
    of_put_flow_mod(&b, 0x05, 1, &mod);
    assert_true(b.full && b.len == 0);
    for (unsigned i = 0; i < 3; i++) { /* another version, such an action, too many of them */
        const struct of_bucket bucket = {.actions = i == 1 ? &other : &output, .n_actions = 1};
        static struct of_bucket many[4096];
        struct of_group_mod group = {.buckets = i == 2 ? many : &bucket,
                                     .n_buckets = i == 2 ? 4096 : 1};

        b = fresh(MOST);
        of_put_group_mod(&b, i == 0 ? OF10 : OF13, 1, &group);
        assert_true(b.full && b.len == 0);
    }
    b = fresh(MOST);
    /* the largest message, and one byte more */
    b = fresh(MOST);
    of_put_packet_out(&b, OF13, 1, OF_NO_BUFFER, 1, &output, 1, payload, OF_MESSAGE_MAX - 40);
    assert_true(!b.full && b.len == OF_MESSAGE_MAX);
    b = fresh(MOST);
    of_put_packet_out(&b, OF13, 1, OF_NO_BUFFER, 1, &output, 1, payload, OF_MESSAGE_MAX - 39);
    assert_true(b.full && b.len == 0);
    b = fresh(MOST);
    of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, 1, payload, SIZE_MAX - 4);
    assert_true(b.full && b.len == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_round_trip),
        cmocka_unit_test(ports_round_trip),
        cmocka_unit_test(builder_keeps_whole_messages),
        cmocka_unit_test(builder_refuses_what_it_cannot_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
