/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_parts.c - replies in parts and messages that grow: reassembly with its cap, its refusals
 * and its end, and what of_open() and of_close() leave behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <trivet/openflow_stats.h>

#include "openflow_bytes.h"

/* A part of an AGGREGATE reply with so many entries. */
static const uint8_t *
part(uint8_t version, uint32_t xid, uint16_t flags, unsigned n)
{
    struct of_buffer b = fresh(OF_MESSAGE_MAX);
    size_t start = of_open_reply(&b, version, xid, OFPMP_AGGREGATE, flags);

    for (unsigned i = 0; i < n; i++) {
        const struct of_aggregate aggregate = {i, 10 * i, 1};

        of_add_aggregate(&b, &aggregate);
    }
    of_close(&b, start);
    assert_false(b.full);
    return b.data;
}

static void
parts_become_one(void **state)
{
    static const uint8_t versions[] = {OF10, OF13};
    uint8_t room[1000];

    (void)state;
    for (unsigned v = 0; v < 2; v++) {
        struct of_reassembly r;
        struct of_aggregate aggregate;
        struct of_cursor body;
        unsigned n = 0;

        of_reassembly_start(&r, versions[v], 7, OFPMP_AGGREGATE, room, sizeof(room));
        assert_int_equal(of_reassemble(&r, part(versions[v], 7, 1, 2), NULL), 0);
        assert_int_equal(of_reassemble(&r, part(versions[v], 7, 1, 0), NULL), 0);
        assert_int_equal(of_reassemble(&r, part(versions[v], 7, 0, 3), NULL), 1);
        body = of_reassembly_body(&r);
        while (of_next_aggregate(&body, &aggregate) > 0)
            n++;
        assert_int_equal(n, 5);
        assert_int_equal(body.left, 0);
        /* it is over */
        assert_int_equal(of_reassemble(&r, part(versions[v], 7, 0, 1), NULL), OF_EVALUE);
    }
}

static void
no_part_of_it(void **state)
{
    uint8_t room[100];
    struct of_reassembly r;
    struct of_where where;
    struct of_buffer b;

    (void)state;
    of_reassembly_start(&r, OF13, 7, OFPMP_AGGREGATE, room, sizeof(room));
    assert_int_equal(of_reassemble(&r, part(OF13, 8, 0, 1), &where), OF_EVALUE); /* xid */
    of_reassembly_start(&r, OF13, 7, OFPMP_AGGREGATE, room, sizeof(room));
    assert_int_equal(of_reassemble(&r, part(OF10, 7, 0, 1), &where), OF_EVALUE); /* version */
    of_reassembly_start(&r, OF13, 7, OFPMP_DESC, room, sizeof(room));
    assert_int_equal(of_reassemble(&r, part(OF13, 7, 0, 1), &where), OF_EVALUE); /* type */
    of_reassembly_start(&r, OF13, 7, OFPMP_AGGREGATE, room, sizeof(room));
    b = fresh(64);
    of_put_header(&b, OF13, OFPT13_BARRIER_REPLY, 7);
    assert_int_equal(of_reassemble(&r, b.data, &where), OF_EVALUE);
}

static void
a_reply_beyond_the_cap(void **state)
{
    uint8_t room[24 * 3];
    struct of_reassembly r;
    struct of_where where;

    (void)state;
    of_reassembly_start(&r, OF13, 7, OFPMP_AGGREGATE, room, sizeof(room));
    assert_int_equal(of_reassemble(&r, part(OF13, 7, 1, 3), &where), 0); /* just so */
    assert_int_equal(of_reassemble(&r, part(OF13, 7, 1, 1), &where), OF_ENOSPACE);
    assert_int_equal(r.len, sizeof(room));
    assert_int_equal(of_reassemble(&r, part(OF13, 7, 0, 0), &where), OF_EVALUE);
}

/* A switch that promises more and more and brings nothing is stopped. */
static void
a_reply_without_end(void **state)
{
    uint8_t room[100];
    struct of_reassembly r;
    unsigned n = 0;
    int error;

    (void)state;
    of_reassembly_start(&r, OF13, 7, OFPMP_AGGREGATE, room, sizeof(room));
    while ((error = of_reassemble(&r, part(OF13, 7, 1, 0), NULL)) == 0)
        n++;
    assert_int_equal(error, OF_EVALUE);
    assert_int_equal(n, OF_EMPTY_PARTS_MAX);
}

/* At each size of buffer too small the message is gone, and what was before it stays. */
static void
open_messages_are_whole(void **state)
{
    (void)state;
    for (size_t size = 0; size < 120; size++) {
        struct of_buffer b = fresh(size);
        const struct of_aggregate aggregate = {1, 2, 3};
        size_t start, before;

        of_put_hello(&b, OF13, 1, 0);
        before = b.len;
        start = of_open_reply(&b, OF13, 2, OFPMP_AGGREGATE, 0);
        of_add_aggregate(&b, &aggregate);
        of_add_aggregate(&b, &aggregate);
        of_close(&b, start);
        assert_int_equal(b.full, size < 8 + 16 + 48);
        assert_int_equal(b.len, b.full ? before : 8 + 16 + 48);
    }
}

static void
a_message_too_long(void **state)
{
    struct of_buffer b = fresh(OF_MESSAGE_MAX + 1000);
    size_t start = of_open_reply(&b, OF13, 2, OFPMP_AGGREGATE, 0);

    (void)state;
    for (unsigned i = 0; i < OF_MESSAGE_MAX / 24; i++) {
        const struct of_aggregate aggregate = {1, 2, i};

        of_add_aggregate(&b, &aggregate);
    }
    assert_false(b.full);
    of_close(&b, start);
    assert_true(b.full && b.len == 0);
}

/* 1.0 ends its statistics at QUEUE. */
static void
types_of_1_0(void **state)
{
    struct of_stats_request request = {.type = OFPMP_GROUP_DESC};
    struct of_buffer b = fresh(1024);

    (void)state;
    of_put_stats_request(&b, OF10, 1, &request);
    assert_true(b.full && b.len == 0);
    b = fresh(1024);
    of_close(&b, of_open_reply(&b, OF10, 1, OFPMP_METER, 0));
    assert_true(b.full && b.len == 0);
    b = fresh(1024);
    of_put_multipart_request(&b, OF10, 1, OFPMP_QUEUE, 0, "\0\1\0\0\0\0\0\1", 8);
    message(&b, OFPT10_STATS_REQUEST, 1);
    assert_int_equal(of_decode_stats_request(b.data, &request, NULL), OF_OK);
    assert_int_equal(request.port, 1);
    assert_int_equal(request.queue, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_become_one),
        cmocka_unit_test(no_part_of_it),
        cmocka_unit_test(a_reply_beyond_the_cap),
        cmocka_unit_test(a_reply_without_end),
        cmocka_unit_test(open_messages_are_whole),
        cmocka_unit_test(a_message_too_long),
        cmocka_unit_test(types_of_1_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
