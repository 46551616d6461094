/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_beacon.c - the beacon codec: round trip, layout, what is refused, bytes flipped and cut.
 */
#include "beacon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ag_beacon example = {
    .id = 0x1122334455667788,
    .incarnation = 0x99aabbccddeeff00,
    .seq = 0x01020304,
    .interval_ms = 1000,
    .probe_interval_ms = 500,
    .probe_port = 18620,
    .mac = {2, 0, 0, 0, 0, 1},
    .name = "h1",
};

static void
layout(void **state)
{
    static const uint8_t expected[] = {
        'T',  'V',  'A',  'G',  1,    0,    0,    50,   /* magic, version, kind, length */
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, /* id */
        0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0,    /* incarnation */
        1,    2,    3,    4,    0,    0,    0x03, 0xe8, /* sequence, interval */
        0,    0,    0x01, 0xf4, 0x48, 0xbc, 2,    0,    0, 0, 0, 1, /* probe interval, port, MAC */
        2,    0,    0,    0,    'h',  '1'};
    uint8_t data[AG_BEACON_MAX];

    (void)state;
    assert_int_equal(ag_beacon_put(data, &example), sizeof(expected));
    assert_memory_equal(data, expected, sizeof(expected));
}

static void
round_trip(void **state)
{
    struct ag_beacon beacon = example, back;
    uint8_t data[AG_BEACON_MAX];

    (void)state;
    beacon.kind = AG_BEACON_GOODBYE;
    strcpy(beacon.name, "a-host.with_31_characters.12345");
    assert_int_equal(strlen(beacon.name), AG_NAME_MAX - 1);
    assert_int_equal(ag_beacon_put(data, &beacon), AG_BEACON_MAX);
    assert_int_equal(ag_beacon_get(data, AG_BEACON_MAX, &back), AG_BEACON_OK);
    assert_memory_equal(&back, &beacon, sizeof(beacon));
}

static void
truncation_and_growth(void **state)
{
    uint8_t data[AG_BEACON_MAX + 8] = {0};
    struct ag_beacon back = {.seq = 77};
    size_t len = ag_beacon_put(data, &example);

    (void)state;
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n + !n);

        assert_non_null(cut);
        memcpy(cut, data, n);
        assert_int_equal(ag_beacon_get(cut, n, &back), AG_BEACON_SHORT);
        assert_int_equal(back.seq, 77); /* untouched on failure */
        free(cut);
    }
    /* Bytes behind the total length, or behind the name within it, are of later versions. */
    assert_int_equal(ag_beacon_get(data, len + 8, &back), AG_BEACON_OK);
    data[7] = (uint8_t)(len + 8);
    assert_int_equal(ag_beacon_get(data, len + 8, &back), AG_BEACON_OK);
    assert_string_equal(back.name, "h1");
}

static void
refuses(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
        int result;
    } cases[] = {
        {0, 'M', AG_BEACON_FOREIGN},   {4, 2, AG_BEACON_VERSION},     {5, 2, AG_BEACON_INVALID},
        {7, 49, AG_BEACON_SHORT},      {7, 51, AG_BEACON_SHORT},      {44, 3, AG_BEACON_SHORT},
        {44, 0, AG_BEACON_INVALID},    {28, 1, AG_BEACON_INVALID},    {30, 0, AG_BEACON_OK},
        {32, 0xff, AG_BEACON_INVALID}, {48, 0, AG_BEACON_INVALID},    {49, '/', AG_BEACON_INVALID},
        {49, ' ', AG_BEACON_INVALID},  {49, 0xe4, AG_BEACON_INVALID},
    };
    static const char ssdp[] = "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n";
    struct ag_beacon back;

    (void)state;
    assert_int_equal(ag_beacon_get((const uint8_t *)ssdp, sizeof(ssdp), &back), AG_BEACON_FOREIGN);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t data[AG_BEACON_MAX];
        size_t len = ag_beacon_put(data, &example);

        data[cases[i].offset] = cases[i].value;
        assert_int_equal(ag_beacon_get(data, len, &back), cases[i].result);
    }
}

/* Whatever is accepted is in range, and is the same after another round. */
static void
random_changes_are_safe(void **state)
{
    unsigned accepted = 0;

    (void)state;
    srandom(2);
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t data[AG_BEACON_MAX], again[AG_BEACON_MAX];
        size_t len = ag_beacon_put(data, &example);
        struct ag_beacon a, b;
        uint8_t *exact;

        for (unsigned n = (unsigned)random() % 4; n > 0; n--)
            data[(size_t)random() % len] ^= (uint8_t)(1U << random() % 8);
        if (random() % 4 == 0)
            len = (size_t)random() % (len + 1);
        exact = malloc(len + !len);
        assert_non_null(exact);
        memcpy(exact, data, len);
        if (ag_beacon_get(exact, len, &a) == AG_BEACON_OK) {
            accepted++;
            assert_true(a.id != 0 && a.probe_port != 0 && ag_name_valid(a.name));
            assert_true(a.interval_ms >= 100 && a.interval_ms <= 60000);
            assert_int_equal(ag_beacon_get(again, ag_beacon_put(again, &a), &b), AG_BEACON_OK);
            assert_memory_equal(&a, &b, sizeof(a));
        }
        free(exact);
    }
    assert_true(accepted > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(truncation_and_growth),
        cmocka_unit_test(refuses),
        cmocka_unit_test(random_changes_are_safe),
    };

    return cmocka_run_group_tests_name("agent_beacon", tests, NULL, NULL);
}
