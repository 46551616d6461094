/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_version10.c - what OpenFlow 1.0 says otherwise: ports of 16 bits, wildcards and
 * prefixes, numbers of types, flags and port features; and what it cannot say is refused.
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

static const struct of_action output = {.type = OF_A_OUTPUT, .port = 2};

static struct of_flow_mod
a_rule(void)
{
    return (struct of_flow_mod){.priority = 10,
                                .buffer_id = OF_NO_BUFFER,
                                .out_port = OFPP_ANY,
                                .out_group = OFPG_ANY,
                                .actions = &output,
                                .n_actions = 1};
}

static void
numbers_of_types(void **state)
{
    static const struct {
        uint8_t type13, type10;
    } rows[] = {
        {OFPT13_HELLO, 0},
        {OFPT13_EXPERIMENTER, OFPT10_VENDOR},
        {OFPT13_FLOW_MOD, OFPT10_FLOW_MOD},
        {OFPT13_PORT_MOD, OFPT10_PORT_MOD},
        {OFPT13_MULTIPART_REQUEST, OFPT10_STATS_REQUEST},
        {OFPT13_MULTIPART_REPLY, OFPT10_STATS_REPLY},
        {OFPT13_BARRIER_REQUEST, OFPT10_BARRIER_REQUEST},
        {OFPT13_BARRIER_REPLY, OFPT10_BARRIER_REPLY},
        {OFPT13_QUEUE_GET_CONFIG_REPLY, OFPT10_QUEUE_GET_CONFIG_REPLY},
    };
    struct of_buffer b;

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(of_type_number(OF10, rows[i].type13), rows[i].type10);
        assert_int_equal(of_type13(OF10, rows[i].type10), rows[i].type13);
        assert_int_equal(of_type_number(OF13, rows[i].type13), rows[i].type13);
    }
    assert_int_equal(of_type_number(OF10, OFPT13_GROUP_MOD), OF_TYPE_NONE);
    assert_int_equal(of_type_number(OF10, OFPT13_METER_MOD), OF_TYPE_NONE);
    assert_int_equal(of_type13(OF10, 22), OF_TYPE_NONE);
    b = fresh(64);
    of_put_header(&b, OF10, OFPT13_BARRIER_REQUEST, 5);
    message(&b, OFPT10_BARRIER_REQUEST, 5);
    of_put_header(&b, OF10, OFPT13_GET_ASYNC_REQUEST, 6);
    assert_true(b.full);
}

static void
ports_of_16_bits(void **state)
{
    static const struct {
        uint32_t port;
        uint16_t wire;
        bool refused;
    } rows[] = {
        {0, 0, false},
        {1, 1, false},
        {0xfeff, 0xfeff, false},
        {0xff00, 0, true}, /* a port of 1.3 that 16 bits cannot say */
        {0x10000, 0, true},
        {OFPP_MAX, 0xff00, false},
        {OFPP_IN_PORT, 0xfff8, false},
        {OFPP_CONTROLLER, 0xfffd, false},
        {OFPP_LOCAL, 0xfffe, false},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct of_action action = {.type = OF_A_OUTPUT, .port = rows[i].port};
        struct of_buffer b = fresh(256);
        struct of_packet_out out;
        struct of_action back;
        struct of_cursor c;

        of_put_packet_out(&b, OF10, 1, 7, 1, &action, 1, NULL, 0);
        assert_int_equal(b.full, rows[i].refused);
        if (b.full)
            continue;
        assert_int_equal(of_decode_packet_out(message(&b, OFPT10_PACKET_OUT, 1), &out, NULL),
                         OF_OK);
        assert_int_equal(of_get16(out.actions + 4), rows[i].wire);
        c = (struct of_cursor){out.actions, out.actions_size};
        assert_int_equal(of_next_action_v(OF10, &c, &back), 1);
        assert_int_equal(back.port, rows[i].port);
    }
}

/* What was on no port comes from OFPP_NONE. */
static void
packet_of_the_controller(void **state)
{
    struct of_buffer b = fresh(256);

    (void)state;
    of_put_packet_out(&b, OF10, 1, OF_NO_BUFFER, OFPP_CONTROLLER, &output, 1, "abc", 3);
    assert_int_equal(of_get16(message(&b, OFPT10_PACKET_OUT, 1) + 12), 0xffff);
    assert_int_equal(b.len, 16 + 8 + 3);
}

static void
prefixes(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 32; bits++) {
        struct of_flow_mod mod = a_rule(), back;
        struct of_buffer b = fresh(256);
        uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
        const uint8_t *m;

        mod.match.fields = OF_M_ETH_TYPE | (bits ? OF_M_IPV4_DST : 0u);
        mod.match.masked = bits && bits < 32 ? OF_M_IPV4_DST : 0;
        mod.match.eth_type = 0x0800;
        if (bits)
            mod.match.ipv4_dst = 0x0a0b0c0d & mask;
        if (mod.match.masked)
            mod.match.ipv4_dst_mask = mask;
        of_put_flow_mod(&b, OF10, 1, &mod);
        m = message(&b, OFPT10_FLOW_MOD, 1);
        assert_int_equal(of_get32(m + 8) >> 14 & 63, 32 - bits);
        assert_int_equal(of_get32(m + 8) >> 8 & 63, 32);
        assert_int_equal(of_decode_flow_mod(m, &back, NULL), OF_OK);
        assert_memory_equal(&back.match, &mod.match, sizeof(back.match));
    }
}

/* More wild bits than an address has; undefined wildcards; values that are wild. */
static void
wildcards_of_others(void **state)
{
    uint8_t m[72] = {OF10, OFPT10_FLOW_MOD, 0, 72};
    struct of_flow_mod mod;

    (void)state;
    memset(m + 8, 0xff, 40);
    assert_int_equal(of_decode_flow_mod(m, &mod, NULL), OF_OK);
    assert_int_equal(mod.match.fields, 0);
    m[8] = m[9] = m[10] = m[11] = 0; /* nothing is wild */
    assert_int_equal(of_decode_flow_mod(m, &mod, NULL), OF_OK);
    assert_int_equal(mod.match.vlan_vid, 0); /* 0xffff: no tag */
    assert_int_equal(mod.match.fields & OF_M_VLAN_VID, OF_M_VLAN_VID);
    assert_int_equal(mod.match.in_port, OFPP_ANY);
    assert_int_equal(mod.match.ip_dscp, 63);
}

/* Rules that 1.0 would take for others, or hit more with than was asked. */
static void
refusals(void **state)
{
    const struct of_action group = {.type = OF_A_GROUP, .group = 1},
                           push = {.type = OF_A_PUSH_VLAN};
    struct of_flow_mod mods[14];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(mods) / sizeof(mods[0]); i++)
        mods[i] = a_rule();
    mods[n].match.fields = OF_M_METADATA;
    n++;
    mods[n].match.fields = OF_M_OTHER;
    n++;
    mods[n].match.fields = OF_M_ETH_DST, mods[n].match.masked = OF_M_ETH_DST;
    n++;
    mods[n].match.fields = mods[n].match.masked = OF_M_IPV4_SRC;
    mods[n].match.ipv4_src_mask = 0xff00ff00;
    n++;
    mods[n].match.fields = OF_M_ARP_OP; /* without dl_type */
    n++;
    mods[n].match.fields = OF_M_ICMP_TYPE; /* without nw_proto */
    n++;
    mods[n].match.fields = OF_M_IN_PORT, mods[n].match.in_port = 0x12345;
    n++;
    mods[n].match.fields = OF_M_IPV6_DST;
    n++;
    mods[n].command = OFPFC_DELETE, mods[n].cookie_mask = 1;
    n++;
    mods[n].command = OFPFC_MODIFY, mods[n].cookie_mask = 1;
    n++;
    mods[n].command = OFPFC_DELETE, mods[n].out_group = 3;
    n++;
    mods[n].table_id = 1;
    n++;
    mods[n].actions = &group;
    n++;
    mods[n].actions = &push;
    n++;
    for (unsigned i = 0; i < n; i++) {
        struct of_buffer b = fresh(1024);

        of_put_flow_mod(&b, OF10, 1, &mods[i]);
        if (!b.full || b.len)
            fail_msg("rule %u is not refused", i);
    }
    /* a strict one names a single rule: its cookie need not be asked for */
    mods[0] = a_rule();
    mods[0].command = OFPFC_DELETE_STRICT;
    mods[0].cookie_mask = UINT64_MAX;
    mods[0].table_id = OFPTT_ALL;
    {
        struct of_buffer b = fresh(1024);

        of_put_flow_mod(&b, OF10, 1, &mods[0]);
        message(&b, OFPT10_FLOW_MOD, 1);
    }
}

static void
flags_and_features(void **state)
{
    struct of_flow_mod mod = a_rule(), back;
    struct of_port_status status = {OFPPR_ADD, {.port = 1}}, status_back;
    struct of_buffer b = fresh(1024);

    (void)state;
    mod.flags = OFPFF_SEND_FLOW_REM | OFPFF_RESET_COUNTS | OFPFF_EMERGENCY10;
    of_put_flow_mod(&b, OF10, 1, &mod);
    assert_int_equal(of_get16(message(&b, OFPT10_FLOW_MOD, 1) + 70), 5);
    assert_int_equal(of_decode_flow_mod(b.data, &back, NULL), OF_OK);
    assert_int_equal(back.flags, OFPFF_SEND_FLOW_REM | OFPFF_EMERGENCY10);
    assert_int_equal(back.out_group, OFPG_ANY);

    b = fresh(1024);
    status.port.current = OFPPF_10GB_FD | OFPPF_40GB_FD | OFPPF_COPPER | OFPPF_PAUSE_ASYM;
    of_put_port_status(&b, OF10, 2, &status);
    assert_int_equal(of_get32(message(&b, OFPT13_PORT_STATUS, 2) + 16 + 32),
                     1 << 6 | 1 << 7 | 1 << 11);
    assert_int_equal(of_decode_port_status(b.data, &status_back, NULL), OF_OK);
    assert_int_equal(status_back.port.current, OFPPF_10GB_FD | OFPPF_COPPER | OFPPF_PAUSE_ASYM);
}

/* Where the cookie of a refused rule is, in both versions, whole or cut. */
static void
refused_cookies(void **state)
{
    static const uint8_t versions[] = {OF10, OF13};

    (void)state;
    for (unsigned v = 0; v < 2; v++)
        for (size_t n = 0; n <= 64; n++) {
            uint8_t request[200];
            struct of_buffer b = {request, sizeof(request), 0, false}, e = fresh(256);
            struct of_flow_mod mod = a_rule();
            struct of_error_msg error;
            uint64_t cookie = 0;

            mod.cookie = 0x0102030405060708;
            of_put_flow_mod(&b, versions[v], 77, &mod);
            of_put_error(&e, versions[v], 1, 3, 0, request, n);
            assert_int_equal(of_decode_error(message(&e, OFPT13_ERROR, 1), &error, NULL), OF_OK);
            assert_int_equal(error.request_xid, n < 8 ? 1 : 77);
            assert_int_equal(of_refused_cookie(&error, &cookie), n >= (v ? 16 : 56));
            if (cookie)
                assert_int_equal(cookie, mod.cookie);
        }
}

/* Its ports come with the features; half a port is none. */
static void
ports_in_features(void **state)
{
    uint8_t room[96];
    struct of_buffer list = {room, sizeof(room), 0, false}, b = fresh(1024);
    const struct of_port ports[] = {{.port = 1, .name = "a"}, {.port = OFPP_LOCAL, .name = "b"}};
    struct of_features features = {.dpid = 5, .ports = room, .ports_size = 96}, back;
    struct of_where where;
    struct of_cursor c;
    struct of_port port;

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        of_add_port(&list, OF10, &ports[i]);
    assert_false(list.full);
    of_put_features_reply(&b, OF10, 1, &features);
    assert_int_equal(of_decode_features_reply(message(&b, OFPT13_FEATURES_REPLY, 1), &back, NULL),
                     OF_OK);
    c = (struct of_cursor){back.ports, back.ports_size};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(of_next_port_v(OF10, &c, &port), 1);
        assert_int_equal(port.port, ports[i].port);
        assert_string_equal(port.name, ports[i].name);
    }
    assert_int_equal(of_next_port_v(OF10, &c, &port), 0);
    b.data[3] = (uint8_t)(b.data[3] - 1);
    assert_int_equal(of_decode_features_reply(b.data, &back, &where), OF_ELENGTH);
    assert_string_equal(where.field, "ports");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_types),         cmocka_unit_test(ports_of_16_bits),
        cmocka_unit_test(packet_of_the_controller), cmocka_unit_test(prefixes),
        cmocka_unit_test(wildcards_of_others),      cmocka_unit_test(refusals),
        cmocka_unit_test(flags_and_features),       cmocka_unit_test(refused_cookies),
        cmocka_unit_test(ports_in_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
