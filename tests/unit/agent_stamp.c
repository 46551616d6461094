/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_stamp.c - the STAMP codec: packets of another implementation, round trips, truncation at
 * every byte, TLV flags, time stamps.
 */
#include "stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <trivet/clock.h>

#define NEAR_NS (UINT64_C(1704230400) * SB_SECOND) /* 2024-01-02, of the packets below */

static size_t
unhex(uint8_t *ret, const char *hex)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned value;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        ret[i] = (uint8_t)value;
    }
    return n;
}

/* Packets that scapy 2.5 (contrib.stamp) made: seq 7, ts 3913219200.5, S=1 scale 3 multiplier 0x21,
 * ssid 0xbeef; and a reply to it. */
static const char golden_probe[] = "00000007e93efc80800000008321beef"
                                   "00000000000000000000000000000000000000000000000000000000";
static const char golden_reply[] = "00000009e93efc81400000000101beefe93efc8120000000"
                                   "00000007e93efc808000000083210000ff000000";

static void
reads_foreign_probe(void **state)
{
    struct ag_stamp_probe probe;
    uint8_t data[64];

    (void)state;
    assert_int_equal(unhex(data, golden_probe), AG_STAMP_BASE);
    assert_int_equal(ag_stamp_get_probe(data, AG_STAMP_BASE, &probe), AG_STAMP_OK);
    assert_int_equal(probe.seq, 7);
    assert_int_equal(probe.ssid, 0xbeef);
    assert_int_equal(probe.error, 0x8321);
    assert_int_equal(ag_stamp_to_ns(probe.t1, probe.error, NEAR_NS), NEAR_NS + SB_SECOND / 2);
}

static void
reads_foreign_reply(void **state)
{
    struct ag_stamp_reply reply;
    uint8_t data[64];

    (void)state;
    assert_int_equal(unhex(data, golden_reply), AG_STAMP_BASE);
    assert_int_equal(ag_stamp_get_reply(data, AG_STAMP_BASE, &reply), AG_STAMP_OK);
    assert_int_equal(reply.seq, 9);
    assert_int_equal(reply.probe_seq, 7);
    assert_int_equal(reply.ssid, 0xbeef);
    assert_int_equal(reply.ttl, 255);
    assert_int_equal(reply.error, 0x0101);
    assert_int_equal(reply.probe_error, 0x8321);
    assert_int_equal(ag_stamp_to_ns(reply.t3, reply.error, NEAR_NS), NEAR_NS + 1250 * SB_MS);
    assert_int_equal(ag_stamp_to_ns(reply.t2, reply.error, NEAR_NS), NEAR_NS + 1125 * SB_MS);
    assert_int_equal(ag_stamp_to_ns(reply.probe_t1, 0, NEAR_NS), NEAR_NS + 500 * SB_MS);
    assert_false(reply.has_follow_up);
}

/* The same reply, made by us from the same probe. */
static void
makes_the_same_reply(void **state)
{
    const struct ag_stamp_reflection reflection = {
        .seq = 9,
        .t3 = ag_stamp_from_ns(NEAR_NS + 1250 * SB_MS),
        .t2 = ag_stamp_from_ns(NEAR_NS + 1125 * SB_MS),
        .error = 0x0101,
        .ttl = 255,
    };
    uint8_t data[64], expected[64];

    (void)state;
    unhex(data, golden_probe);
    unhex(expected, golden_reply);
    assert_int_equal(ag_stamp_reflect(data, AG_STAMP_BASE, &reflection), AG_STAMP_OK);
    assert_memory_equal(data, expected, AG_STAMP_BASE);
}

static void
round_trip_with_follow_up(void **state)
{
    const struct ag_stamp_probe probe = {
        .seq = 0xfffffffe, .t1 = 0x0123456789abcdef, .error = 0x8001, .ssid = 0x7a7a};
    struct ag_stamp_reflection reflection = {
        .seq = 5,
        .t2 = 11,
        .t3 = 12,
        .error = 0x0202,
        .ttl = 63,
        .follow_seq = 4,
        .follow_t3 = 0xfedcba9876543210,
        .follow_mode = AG_MODE_SOFTWARE,
    };
    struct ag_stamp_probe back;
    struct ag_stamp_reply reply;
    uint8_t data[AG_STAMP_PROBE];

    (void)state;
    assert_int_equal(ag_stamp_put_probe(data, &probe), AG_STAMP_PROBE);
    assert_int_equal(data[AG_STAMP_BASE], AG_STAMP_U);
    assert_int_equal(ag_stamp_get_probe(data, sizeof(data), &back), AG_STAMP_OK);
    assert_int_equal(back.seq, probe.seq);
    assert_int_equal(back.t1, probe.t1);
    assert_int_equal(back.error, probe.error);
    assert_int_equal(back.ssid, probe.ssid);
    assert_int_equal(ag_stamp_reflect(data, sizeof(data), &reflection), AG_STAMP_OK);
    assert_int_equal(ag_stamp_get_reply(data, sizeof(data), &reply), AG_STAMP_OK);
    assert_int_equal(reply.seq, 5);
    assert_int_equal(reply.t2, 11);
    assert_int_equal(reply.t3, 12);
    assert_int_equal(reply.ttl, 63);
    assert_int_equal(reply.probe_seq, probe.seq);
    assert_int_equal(reply.probe_t1, probe.t1);
    assert_int_equal(reply.probe_error, probe.error);
    assert_int_equal(reply.ssid, probe.ssid);
    assert_true(reply.has_follow_up);
    assert_int_equal(reply.follow_seq, 4);
    assert_int_equal(reply.follow_t3, 0xfedcba9876543210);
    assert_int_equal(reply.follow_mode, AG_MODE_SOFTWARE);

    /* Nothing to follow up: the TLV is known, but empty. */
    reflection.follow_mode = AG_MODE_NONE;
    ag_stamp_put_probe(data, &probe);
    ag_stamp_reflect(data, sizeof(data), &reflection);
    assert_int_equal(ag_stamp_get_reply(data, sizeof(data), &reply), AG_STAMP_OK);
    assert_true(reply.has_follow_up);
    assert_int_equal(reply.follow_mode, AG_MODE_NONE);
    assert_int_equal(reply.follow_t3, 0);
}

/* A reflector of RFC 8762 alone sends the TLV back as it came, U set: no follow-up. */
static void
ignores_unrecognised_tlv(void **state)
{
    const struct ag_stamp_probe probe = {.seq = 1};
    struct ag_stamp_reply reply;
    uint8_t data[AG_STAMP_PROBE];

    (void)state;
    ag_stamp_put_probe(data, &probe);
    assert_int_equal(ag_stamp_get_reply(data, sizeof(data), &reply), AG_STAMP_OK);
    assert_false(reply.has_follow_up);
}

/* Every length is safe (the buffer is exactly that long: ASan sees a byte too far), and a reply
 * never claims a follow-up that was cut. */
static void
truncation(void **state)
{
    const struct ag_stamp_reflection reflection = {.follow_mode = AG_MODE_SOFTWARE, .follow_t3 = 1};
    const struct ag_stamp_probe probe = {.seq = 1};
    struct ag_stamp_probe got_probe;
    struct ag_stamp_reply reply;
    uint8_t full[AG_STAMP_PROBE];

    (void)state;
    ag_stamp_put_probe(full, &probe);
    for (size_t len = 0; len <= sizeof(full); len++) {
        uint8_t *data = malloc(len + !len);
        int expected = len < AG_STAMP_BASE ? AG_STAMP_SHORT : AG_STAMP_OK;

        assert_non_null(data);
        memcpy(data, full, len);
        assert_int_equal(ag_stamp_get_probe(data, len, &got_probe), expected);
        assert_int_equal(ag_stamp_reflect(data, len, &reflection), expected);
        if (len > AG_STAMP_BASE + 3 && len < sizeof(full)) {
            assert_int_equal(data[AG_STAMP_BASE], AG_STAMP_M);
            expected = AG_STAMP_MALFORMED;
        }
        assert_int_equal(ag_stamp_get_reply(data, len, &reply), expected);
        if (len >= AG_STAMP_BASE)
            assert_int_equal(reply.has_follow_up, len == sizeof(full));
        free(data);
    }
}

/* Extra bytes of 8: an unknown type, a known one with a wrong length, and what comes after. */
static void
tlv_flags(void **state)
{
    static const struct {
        const char *tlvs, *expected;
    } cases[] = {
        /* unknown: copied, U set, M and I overwritten */
        {"60fb0002abcd", "80fb0002abcd"},
        /* padding: known, copied */
        {"80010003010203", "00010003010203"},
        /* follow-up with a wrong length: M, and the rest untouched */
        {"8007000400000000"
         "80010000",
         "4007000400000000"
         "80010000"},
        /* longer than the packet */
        {"8001ffff00", "4001ffff00"},
        /* unknown, then padding, then 3 bytes that are no TLV */
        {"80630000"
         "80010000"
         "aabbcc",
         "80630000"
         "00010000"
         "aabbcc"},
        /* type 0, as in zero padding of TWAMP-Light */
        {"0000000000000000", "8000000080000000"},
    };
    const struct ag_stamp_reflection reflection = {.seq = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t data[128] = {0}, expected[128];
        size_t len = AG_STAMP_BASE + unhex(data + AG_STAMP_BASE, cases[i].tlvs);

        unhex(expected, cases[i].expected);
        assert_int_equal(ag_stamp_reflect(data, len, &reflection), AG_STAMP_OK);
        assert_memory_equal(data + AG_STAMP_BASE, expected, len - AG_STAMP_BASE);
    }
}

static void
random_bytes_are_safe(void **state)
{
    const struct ag_stamp_reflection reflection = {.follow_mode = AG_MODE_SOFTWARE, .follow_t3 = 1};
    struct ag_stamp_reply reply;

    (void)state;
    srandom(1);
    for (unsigned i = 0; i < 200000; i++) {
        size_t len = (size_t)random() % 160;
        uint8_t *data = malloc(len + !len);

        assert_non_null(data);
        for (size_t j = 0; j < len; j++) /* small numbers make plausible lengths */
            data[j] = (uint8_t)(random() % (j % 4 == 3 ? 20 : 3));
        ag_stamp_get_reply(data, len, &reply);
        ag_stamp_reflect(data, len, &reflection);
        ag_stamp_get_reply(data, len, &reply);
        free(data);
    }
}

static void
times_are_exact(void **state)
{
    const uint64_t era_end = (UINT64_C(4294967296) - 2208988800U) * SB_SECOND; /* 2036-02-07 */
    const uint64_t starts[] = {NEAR_NS, era_end - 500 * SB_MS, era_end - 1, era_end, era_end + 7};

    (void)state;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        for (uint64_t step = 0; step < 2000; step++) {
            uint64_t ns = starts[i] + step * 500009;
            uint64_t stamp = ag_stamp_from_ns(ns);

            assert_int_equal(ag_stamp_to_ns(stamp, 0, ns), ns);
            /* The receiver's clock may be on the other side of the era's end. */
            assert_int_equal(ag_stamp_to_ns(stamp, 0, ns + 10 * SB_SECOND), ns);
            assert_int_equal(ag_stamp_to_ns(stamp, 0, ns - 10 * SB_SECOND), ns);
        }
    /* PTP form: seconds and nanoseconds */
    assert_int_equal(ag_stamp_to_ns(UINT64_C(5) << 32 | 7, AG_STAMP_PTP, NEAR_NS),
                     5 * SB_SECOND + 7);
}

static void
error_estimates(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 20000000; us = us * 3 / 2 + 1) {
        uint16_t error = ag_stamp_error(us, 1);
        unsigned multiplier = error & 0xff, scale = error >> 8 & 0x3f;
        double value = (double)multiplier * (double)(UINT64_C(1) << scale) / 4294967296.0 * 1e6;

        assert_true(error & AG_STAMP_SYNCHRONISED);
        assert_false(error & AG_STAMP_PTP);
        assert_true(multiplier > 0);
        /* It is a bound, and no more than 2 % and the unit above. */
        assert_true(value >= (double)us * 0.999);
        assert_true(value <= (double)us * 1.02 + 0.001);
    }
    assert_int_equal(ag_stamp_error(0, 0), 1);
    assert_true(ag_stamp_error(UINT64_MAX, 0) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_foreign_probe),
        cmocka_unit_test(reads_foreign_reply),
        cmocka_unit_test(makes_the_same_reply),
        cmocka_unit_test(round_trip_with_follow_up),
        cmocka_unit_test(ignores_unrecognised_tlv),
        cmocka_unit_test(truncation),
        cmocka_unit_test(tlv_flags),
        cmocka_unit_test(random_bytes_are_safe),
        cmocka_unit_test(times_are_exact),
        cmocka_unit_test(error_estimates),
    };

    return cmocka_run_group_tests_name("agent_stamp", tests, NULL, NULL);
}
