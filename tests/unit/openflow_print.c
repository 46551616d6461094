/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_print.c - lines of of_print() that other programs taught us: ports and fields by name,
 * fields that the specification does not have, counters that a switch does not keep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <trivet/openflow_oxm.h>
#include <trivet/openflow_stats.h>

#include "openflow_bytes.h"

static char line[4096];

static void
expect_in(const struct of_buffer *b, const char *text)
{
    assert_false(b->full);
    assert_true(of_print(b->data, b->len, line, sizeof(line)) > 0);
    if (!strstr(line, text))
        fail_msg("'%s' is not in '%s'", text, line);
}

static void
expect_not_in(const char *text)
{
    if (strstr(line, text))
        fail_msg("'%s' is in '%s'", text, line);
}

/* The line of a FLOW_MOD with one field, as it is in the match and in a set-field. */
static void
field_prints(const struct of_oxm *oxm, const char *text)
{
    struct of_buffer b = fresh(OF_MESSAGE_MAX);
    uint8_t bytes[64];
    struct of_buffer list = {.data = bytes, .size = sizeof(bytes)};
    struct of_action set = {.type = OF_A_SET_FIELD};
    struct of_flow_mod mod = {.match.fields = OF_M_OTHER, .buffer_id = OF_NO_BUFFER};
    char match[128], action[128];

    of_add_oxm(&list, oxm);
    assert_false(list.full);
    set.raw = bytes;
    set.raw_size = (uint16_t)list.len;
    mod.oxm = of_list(&list);
    mod.actions = &set;
    mod.n_actions = 1;
    of_put_flow_mod(&b, OF13, 7, &mod);
    snprintf(match, sizeof(match), "match={%s}", text);
    snprintf(action, sizeof(action), "actions=set_field:%s", text);
    expect_in(&b, match);
    expect_in(&b, action);
}

static const uint8_t *
raw(const char *text)
{
    return (const uint8_t *)text;
}

struct field_row {
    uint16_t class;
    uint32_t experimenter;
    uint8_t field, size;
    const char *value, *mask; /* mask: NULL for none */
    const char *text;
};

static const struct field_row fields[] = {
    /* ports by name, in 32 and in Nicira's 16 bits */
    {0x8000, 0, 0, 4, "\xff\xff\xff\xfe", NULL, "in_port=LOCAL"},
    {0x8000, 0, 0, 4, "\0\0\xff\xfe", NULL, "in_port=65534"},
    {0x8000, 0, 1, 4, "\0\0\0\7", NULL, "in_phy_port=7"},
    {0x0000, 0, 0, 2, "\xff\xfe", NULL, "in_port=LOCAL"},
    {0x0000, 0, 0, 2, "\0\7", NULL, "in_port=7"},
    /* later versions and ONF's extensions of 1.3 */
    {0x8000, 0, 42, 2, "\0\x12", "\0\x17", "tcp_flags=0x0012/0x0017"},
    {0x8000, 0, 44, 4, "\0\1\x08\0", NULL, "packet_type=0x10800"},
    {0xffff, 0x4f4e4600, 42, 2, "\0\x12", NULL, "tcp_flags=0x0012"},
    {0xffff, 0x4f4e4600, 43, 4, "\xff\xff\xff\xfd", NULL, "actset_output=CONTROLLER"},
    /* Nicira's */
    {0x0000, 0, 4, 2, "\x10\0", "\x10\0", "vlan_tci=0x1000/0x1000"},
    {0x0000, 0, 7, 4, "\x0a\1\0\0", "\xff\xff\0\0", "nw_src=10.1.0.0/255.255.0.0"},
    {0x0001, 0, 0, 4, "\0\0\0\1", NULL, "reg0=0x1"},
    {0x0001, 0, 15, 4, "\0\x6b\0\0", "\0\xff\0\0", "reg15=0x6b0000/0xff0000"},
    {0x0001, 0, 31, 4, "\x0a\0\0\1", NULL, "tun_src=10.0.0.1"},
    {0x0001, 0, 37, 4, "\0\0\0\x6b", NULL, "conj_id=107"},
    {0x0001, 0, 40, 3, "\1\2\3", NULL, "tun_metadata0=0x10203"},
    {0x0001, 0, 103, 12, "\0\1\2\3\4\5\6\7\0\0\0\1", NULL,
     "tun_metadata63=0x102030405060700000001"},
    {0x0001, 0, 105, 4, "\0\0\0\x21", "\0\0\0\x21", "ct_state=0x21/0x21"},
    {0x0001, 0, 106, 2, "\0\x4d", "\xff\xff", "ct_zone=77"},
    {0x0001, 0, 108, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x2a", NULL, "ct_label=0x2a"},
    {0x0001, 0, 112, 16, "\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08", NULL,
     "xxreg1=0x1020304050607080102030405060708"},
    {0x8001, 0, 7, 8, "\1\0\0\0\0\0\0\2", NULL, "xreg7=0x100000000000002"},
    {0xffff, 0x005ad650, 4, 4, "\0\x12\x34\x56", NULL, "nsh_spi=0x123456"},
    /* what nobody knows, or not with this size */
    {0x0001, 0, 126, 2, "\1\2", "\xff\xff", "oxm(0x1,126)=0102/ffff"},
    {0x0001, 0, 5, 2, "\1\2", NULL, "reg5=0102"},
    {0x0003, 0, 0, 1, "\1", NULL, "oxm(0x3,0)=01"},
    {0xffff, 0x6b656e, 3, 2, "\1\2", "\3\4", "oxm(0x6b656e,3)=0102/0304"},
};

static void
fields_by_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct field_row *f = &fields[i];
        const struct of_oxm oxm = {
            .class = f->class,
            .experimenter = f->experimenter,
            .field = f->field,
            .size = f->size,
            .value = raw(f->value),
            .mask = f->mask ? raw(f->mask) : NULL,
        };

        field_prints(&oxm, f->text);
    }
}

/* All ports of 1.0 by name, too. */
static void
port_of_a_match10(void **state)
{
    const struct of_flow_mod mod = {.match = {.fields = OF_M_IN_PORT, .in_port = OFPP_LOCAL},
                                    .buffer_id = OF_NO_BUFFER,
                                    .out_group = OFPG_ANY,
                                    .out_port = OFPP_ANY};
    struct of_buffer b = fresh(OF_MESSAGE_MAX);

    (void)state;
    of_put_flow_mod(&b, OF10, 7, &mod);
    expect_in(&b, "match={in_port=LOCAL}");
}

static void
fields_of_a_table(void **state)
{
    /* reg3, a field of ONF's, one that nobody knows, in_port */
    static const uint8_t ids[] = {0,    1,    6, 4, 0xff, 0xff, 0x54, 6,    0x4f, 0x4e, 0x46, 0,
                                  0xff, 0xff, 2, 5, 0,    0x6b, 0x65, 0x6e, 0x80, 0,    0,    4};
    const struct of_table_property match = {OFPTFPT_MATCH, {ids, sizeof(ids)}};
    uint8_t room[64];
    struct of_buffer b = fresh(OF_MESSAGE_MAX), list = {.data = room, .size = sizeof(room)};
    struct of_table_features features = {.name = "t"};
    size_t start = of_open_reply(&b, OF13, 7, OFPMP_TABLE_FEATURES, 0);

    (void)state;
    of_add_table_property(&list, &match);
    features.properties = of_list(&list);
    of_add_table_features(&b, &features);
    of_close(&b, start);
    expect_in(&b, " match=reg3,tcp_flags,oxm(0x6b656e,1),in_port]");
}

/* "the unsigned equivalent of -1": the switch has no such counter. */
static void
counters_not_kept(void **state)
{
    const struct of_queue_stats queue = {.port = 3,
                                         .queue = 1,
                                         .tx_bytes = UINT64_MAX,
                                         .tx_packets = 7,
                                         .tx_errors = UINT64_MAX,
                                         .duration_s = UINT32_MAX,
                                         .duration_ns = UINT32_MAX};
    struct of_port_stats port = {
        .port = 2, .rx_packets = 5, .duration_s = UINT32_MAX, .duration_ns = UINT32_MAX};
    const struct of_counter counter = {UINT64_MAX, 9};
    uint8_t room[16];
    struct of_buffer list = {.data = room, .size = sizeof(room)};
    struct of_group_stats group = {.group = 4, .packets = 1, .bytes = UINT64_MAX};
    struct of_buffer b = fresh(OF_MESSAGE_MAX);
    size_t start = of_open_reply(&b, OF13, 7, OFPMP_QUEUE, 0);

    (void)state;
    of_add_queue_stats(&b, OF13, &queue);
    of_close(&b, start);
    expect_in(&b, "[port:3 queue=1 packets=7]");

    b = fresh(OF_MESSAGE_MAX);
    start = of_open_reply(&b, OF13, 7, OFPMP_PORT_STATS, 0);
    of_add_port_stats(&b, OF13, &port);
    of_close(&b, start);
    expect_in(&b, "[port:2 rx_packets=5 ");
    expect_not_in("duration");

    b = fresh(OF_MESSAGE_MAX);
    start = of_open_reply(&b, OF13, 7, OFPMP_GROUP, 0);
    of_add_counter(&list, &counter);
    group.counters = of_list(&list);
    of_add_group_stats(&b, &group);
    of_close(&b, start);
    expect_in(&b, "[group=4 ref_count=0 packets=1 duration=0.000000000 bucket0={bytes=9}]");
}

/* What FLOW_REMOVED of 1.0 does not hold is not said. */
static void
end_of_a_flow10(void **state)
{
    const struct of_flow_removed removed = {.priority = 5, .idle_s = 60, .duration_s = 3};
    struct of_buffer b = fresh(OF_MESSAGE_MAX);

    (void)state;
    of_put_flow_removed(&b, OF10, 7, &removed);
    expect_in(&b, " priority=5 idle=60 duration=3.000000000 packets=0 bytes=0 match={}");
    expect_not_in("table=");
    expect_not_in("hard=");
    b = fresh(OF_MESSAGE_MAX);
    of_put_flow_removed(&b, OF13, 7, &removed);
    expect_in(&b, " table=0 priority=5 idle=60 hard=0 duration=3.000000000 ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_by_name),    cmocka_unit_test(port_of_a_match10),
        cmocka_unit_test(fields_of_a_table), cmocka_unit_test(counters_not_kept),
        cmocka_unit_test(end_of_a_flow10),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
