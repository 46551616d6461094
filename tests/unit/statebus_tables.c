/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_tables.c - rows as text and JSON, and the rules tables.def sets for itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <trivet/statebus.h>

static void
json_of_a_flow(void **state)
{
    static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
    static const uint8_t v6[16] = {0xfd, 0x01, [15] = 5};
    struct sb_flow flow = {
        .dpid = 0x1f,
        .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC,
        .in_port = 3,
        .eth_src = {0, 0, 0, 0, 0, 0x0a},
        .eth_type = 0x800,
        .priority = 100,
        .cookie = UINT64_C(0x5b00000100000002),
        .decided_ns = UINT64_C(18446744073709551615),
        .output = 4294967291u,
        .idle_s = 300,
        .policy = SB_policy_SHORTEST,
        .state = SB_flow_state_INSTALLED,
    };
    char text[1024];
    int n;

    (void)state;
    memcpy(flow.ip_src, v4, sizeof v4);
    memcpy(flow.ip_dst, v6, sizeof v6);
    n = sb_row_json(SB_T_flow, &flow, text, sizeof text);
    assert_string_equal(
        text,
        "{\"dpid\":\"000000000000001f\",\"fields\":\"00000003\",\"in_port\":3,"
        "\"eth_src\":\"00:00:00:00:00:0a\",\"eth_dst\":\"00:00:00:00:00:00\",\"eth_type\":2048,"
        "\"vlan\":0,\"ip_src\":\"10.0.0.1\",\"ip_dst\":\"fd01::5\",\"l4_src\":0,\"l4_dst\":0,"
        "\"priority\":100,\"table\":0,\"ip_proto\":0,\"cookie\":\"5b00000100000002\","
        "\"path_id\":\"0000000000000000\",\"t_decided\":18446744073709551615,\"t_sent\":0,"
        "\"t_barrier\":0,\"output\":4294967291,\"group\":0,\"idle_timeout\":300,"
        "\"hard_timeout\":0,\"policy\":\"shortest\",\"state\":\"installed\"}");
    assert_int_equal(n, strlen(text));
    /* exactly enough room, and one byte too few */
    assert_int_equal(sb_row_json(SB_T_flow, &flow, text, (size_t)n + 1), n);
    assert_int_equal(sb_row_json(SB_T_flow, &flow, text, (size_t)n), SB_EINVAL);
}

static void
json_of_hostile_text(void **state)
{
    struct sb_event event = {.kind = 255, .severity = SB_severity_WARNING, .port = 7};
    struct sb_latency latency = {.rtt_min_ns = -5};
    char text[1024];

    (void)state;
    /* a quote, a backslash, a newline, an escape, good and bad UTF-8, and no final NUL */
    memset(event.text, 'x', sizeof event.text);
    memcpy(event.text, "\"\\\n\x1b\xc3\xa9\xff\xc0\xaf", 9);
    sb_row_json(SB_T_event, &event, text, sizeof text);
    assert_memory_equal(text,
                        "{\"t\":0,\"dpid\":\"0000000000000000\",\"port\":7,\"kind\":\"?\","
                        "\"severity\":\"warning\",\"text\":\"\\\"\\\\\\u000a\\u001b\xc3\xa9"
                        "\\ufffd\\ufffd\\ufffdxxx",
                        120);
    assert_non_null(strstr(text, "xxx\"}"));
    sb_row_json(SB_T_latency, &latency, text, sizeof text);
    assert_non_null(strstr(text, "\"rtt_min_ns\":-5,"));
}

static void
text_of_columns(void **state)
{
    struct sb_switch sw = {.dpid = 1, .state = SB_switch_state_READY, .name = "s1\x1b[2J"};
    const struct sb_table_info *info = sb_table_info(SB_T_switch);
    char text[64];
    int checked = 0;

    (void)state;
    for (int c = 0; c < info->n_columns; c++) {
        const struct sb_column *column = &info->columns[c];

        sb_column_text(column, &sw, text, sizeof text);
        if (strcmp(column->name, "state") == 0)
            checked += strcmp(text, "ready") == 0;
        if (strcmp(column->name, "name") == 0)
            checked += strcmp(text, "s1?[2J") == 0;
        if (strcmp(column->name, "dpid") == 0)
            checked += strcmp(text, "0000000000000001") == 0;
    }
    assert_int_equal(checked, 3);
    assert_string_equal(sb_column_text(&info->columns[0], &sw, text, 5), "0000");
    assert_string_equal(sb_port_type_text(SB_port_type_EDGE), "edge");
    assert_string_equal(sb_port_type_text(77), "?");
}

/* Keys first and without holes, columns by offset, no hidden padding but what SB_PAD shows. */
static void
every_table_keeps_the_rules(void **state)
{
    (void)state;
    for (int t = 0; t < SB_T_COUNT; t++) {
        const struct sb_table_info *info = sb_table_info((enum sb_table_id)t);
        unsigned key_size = 0, end = 0;
        bool in_key = true;

        assert_int_equal(sb_table_by_name(info->name), t);
        assert_true(strlen(info->name) < 16);
        assert_int_equal(info->row_size % 8, 0);
        assert_true(info->row_size <= 2048);
        assert_true(info->hash != 0);
        for (int c = 0; c < info->n_columns; c++) {
            const struct sb_column *column = &info->columns[c];

            assert_true(column->offset >= end);
            if (column->is_key) {
                assert_true(in_key);
                assert_int_equal(column->offset, end);
                key_size += column->size;
            } else {
                in_key = false;
            }
            end = column->offset + column->size;
        }
        assert_true(end <= info->row_size && info->row_size - end < 8);
        assert_int_equal(info->key_size, key_size);
        assert_int_equal(info->kind == SB_RING, key_size == 0);
        assert_int_equal(info->kind == SB_RING, info->full == SB_LAP);
        for (int other = 0; other < t; other++)
            assert_true(info->hash != sb_table_info((enum sb_table_id)other)->hash);
    }
    assert_null(sb_table_info(SB_T_COUNT));
    assert_int_equal(sb_table_by_name("nonsense"), SB_ENONE);
}

static void
shards_are_even(void **state)
{
    unsigned count[4] = {0};

    (void)state;
    for (uint64_t dpid = 1; dpid <= 4000; dpid++)
        count[sb_shard_of(dpid, 4)]++;
    for (int s = 0; s < 4; s++)
        assert_in_range(count[s], 850, 1150);
    assert_int_equal(sb_shard_of(77, 1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_of_a_flow),  cmocka_unit_test(json_of_hostile_text),
        cmocka_unit_test(text_of_columns), cmocka_unit_test(every_table_keeps_the_rules),
        cmocka_unit_test(shards_are_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
