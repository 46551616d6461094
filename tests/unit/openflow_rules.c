/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_rules.c - rules, groups and packets of 1.3 as a controller makes them, encoded and
 * decoded: every field of a match, every action it uses.
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

static void
flow_mod_round_trip(void **state)
{
    static const uint8_t protos[] = {6, 17, 132, 1, 58};
    const struct of_action actions[] = {
        {.type = OF_A_SET_ETH_DST, .mac = {1, 2, 3, 4, 5, 6}},
        {.type = OF_A_SET_ETH_SRC, .mac = {6, 5, 4, 3, 2, 1}},
        {.type = OF_A_PUSH_VLAN},
        {.type = OF_A_SET_VLAN_VID, .vlan_vid = OFPVID_PRESENT | 77},
        {.type = OF_A_SET_QUEUE, .group = 9},
        {.type = OF_A_OUTPUT, .port = 0x01020304},
        {.type = OF_A_POP_VLAN},
        {.type = OF_A_OUTPUT, .port = OFPP_CONTROLLER, .max_len = OFPCML_NO_BUFFER},
        {.type = OF_A_GROUP, .group = 0x50607080},
    };
    const unsigned n_actions = sizeof(actions) / sizeof(actions[0]);

    (void)state;
    for (unsigned i = 0; i < sizeof(protos); i++) {
        struct of_flow_mod mod = {
            .cookie = 0x0102030405060708,
            .cookie_mask = UINT64_MAX,
            .table_id = 3,
            .command = OFPFC_MODIFY_STRICT,
            .idle_s = 10,
            .hard_s = 30,
            .priority = 100,
            .flags = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP,
            .buffer_id = 0,
            .out_port = OFPP_ANY,
            .out_group = OFPG_ANY,
            .match = full_match(protos[i]),
            .actions = actions,
            .n_actions = n_actions,
        };
        struct of_buffer b = fresh(OF_MESSAGE_MAX);
        struct of_flow_mod back;
        struct of_action action;
        struct of_cursor c;

        of_put_flow_mod(&b, OF13, 77, &mod);
        assert_int_equal(of_decode_flow_mod(message(&b, OFPT13_FLOW_MOD, 77), &back, NULL), OF_OK);
        assert_memory_equal(&back.match, &mod.match, sizeof(mod.match));
        assert_int_equal(back.cookie, mod.cookie);
        assert_int_equal(back.cookie_mask, mod.cookie_mask);
        assert_int_equal(back.table_id, 3);
        assert_int_equal(back.command, OFPFC_MODIFY_STRICT);
        assert_int_equal(back.idle_s, 10);
        assert_int_equal(back.hard_s, 30);
        assert_int_equal(back.priority, 100);
        assert_int_equal(back.flags, 3);
        assert_int_equal(back.buffer_id, 0);
        assert_int_equal(back.out_port, OFPP_ANY);
        assert_int_equal(back.out_group, OFPG_ANY);
        c = (struct of_cursor){back.raw_actions, back.raw_actions_size};
        for (unsigned k = 0; k < n_actions; k++) {
            assert_int_equal(of_next_action(&c, &action), 1);
            assert_int_equal(action.type, actions[k].type);
            assert_int_equal(action.port, actions[k].port);
            assert_int_equal(action.max_len, actions[k].max_len);
            assert_int_equal(action.group, actions[k].group);
            assert_int_equal(action.vlan_vid, actions[k].vlan_vid);
            assert_memory_equal(action.mac, actions[k].mac, 6);
        }
        assert_int_equal(of_next_action(&c, &action), 0);
    }
}

/* Each field alone, without and with each mask the struct holds. */
static void
each_field_alone(void **state)
{
    const uint32_t masks = OF_M_METADATA | OF_M_TUNNEL_ID | OF_M_ETH_DST | OF_M_ETH_SRC |
                           OF_M_VLAN_VID | OF_M_IPV4_SRC | OF_M_IPV4_DST | OF_M_ARP_SPA |
                           OF_M_ARP_TPA;

    (void)state;
    for (unsigned bit = 0; bit < 22; bit++)
        for (unsigned masked = 0; masked < 2; masked++) {
            struct of_match full = full_match(17);
            struct of_flow_removed in = {.cookie = 5}, out;
            struct of_buffer b = fresh(4096);

            memset(&in.match, 0, sizeof(in.match));
            in.match.fields = UINT32_C(1) << bit;
            in.match.masked = masked ? UINT32_C(1) << bit : 0;
            full.metadata_mask = full.tunnel_id_mask = 0x00ff;
            memset(full.eth_src_mask, 0xf0, 6);
            full.vlan_vid_mask = OFPVID_PRESENT;
            full.ipv4_src_mask = 0xff000000;
            full.arp_spa_mask = full.arp_tpa_mask = 0xffffff00;
#define COPY(flag, member)                                                                         \
    if (in.match.fields & (flag))                                                                  \
    memcpy(&in.match.member, &full.member, sizeof(full.member))
            COPY(OF_M_IN_PORT, in_port);
            COPY(OF_M_IN_PHY_PORT, in_phy_port);
            COPY(OF_M_METADATA, metadata);
            COPY(OF_M_TUNNEL_ID, tunnel_id);
            COPY(OF_M_ETH_DST, eth_dst);
            COPY(OF_M_ETH_SRC, eth_src);
            COPY(OF_M_ETH_TYPE, eth_type);
            COPY(OF_M_VLAN_VID, vlan_vid);
            COPY(OF_M_VLAN_PCP, vlan_pcp);
            COPY(OF_M_IP_PROTO, ip_proto);
            COPY(OF_M_IP_DSCP, ip_dscp);
            COPY(OF_M_ICMP_TYPE, icmp_type);
            COPY(OF_M_ICMP_CODE, icmp_code);
            COPY(OF_M_ARP_OP, arp_op);
            COPY(OF_M_ARP_SPA, arp_spa);
            COPY(OF_M_ARP_TPA, arp_tpa);
            COPY(OF_M_IPV4_SRC, ipv4_src);
            COPY(OF_M_IPV4_DST, ipv4_dst);
            COPY(OF_M_IPV6_SRC, ipv6_src);
            COPY(OF_M_IPV6_DST, ipv6_dst);
            COPY(OF_M_L4_SRC, l4_src);
            COPY(OF_M_L4_DST, l4_dst);
            if (masked) {
                COPY(OF_M_METADATA, metadata_mask);
                COPY(OF_M_TUNNEL_ID, tunnel_id_mask);
                COPY(OF_M_ETH_DST, eth_dst_mask);
                COPY(OF_M_ETH_SRC, eth_src_mask);
                COPY(OF_M_VLAN_VID, vlan_vid_mask);
                COPY(OF_M_IPV4_SRC, ipv4_src_mask);
                COPY(OF_M_IPV4_DST, ipv4_dst_mask);
                COPY(OF_M_ARP_SPA, arp_spa_mask);
                COPY(OF_M_ARP_TPA, arp_tpa_mask);
            }
            of_put_flow_removed(&b, OF13, 1, &in);
            if (masked && !(in.match.fields & masks)) {
                assert_true(b.full); /* no mask to write: refused, not sent wrong */
                continue;
            }
            assert_int_equal(
                of_decode_flow_removed(message(&b, OFPT13_FLOW_REMOVED, 1), &out, NULL), OF_OK);
            assert_memory_equal(&out.match, &in.match, sizeof(in.match));
        }
}

static void
packets_round_trip(void **state)
{
    static const uint8_t data[] = "any bytes of a frame";
    const struct of_action output = {.type = OF_A_OUTPUT, .port = 7};
    struct of_packet_in in = {.buffer_id = 0,
                              .in_port = 5,
                              .cookie = 0x1122334455667788,
                              .total_len = 1500,
                              .reason = OFPR_ACTION,
                              .table_id = 2,
                              .data = data,
                              .data_size = sizeof(data)},
                        in_back;
    struct of_packet_out out;
    struct of_action action;
    struct of_cursor c;
    struct of_buffer b = fresh(4096);

    (void)state;
    of_put_packet_in(&b, OF13, 9, &in);
    assert_int_equal(of_decode_packet_in(message(&b, OFPT13_PACKET_IN, 9), &in_back, NULL), OF_OK);
    assert_int_equal(in_back.buffer_id, 0);
    assert_int_equal(in_back.in_port, 5);
    assert_int_equal(in_back.cookie, in.cookie);
    assert_int_equal(in_back.total_len, 1500);
    assert_int_equal(in_back.reason, OFPR_ACTION);
    assert_int_equal(in_back.table_id, 2);
    assert_int_equal(in_back.data_size, sizeof(data));
    assert_memory_equal(in_back.data, data, sizeof(data));

    b = fresh(4096);
    of_put_packet_out(&b, OF13, 8, OF_NO_BUFFER, OFPP_CONTROLLER, &output, 1, data, sizeof(data));
    assert_int_equal(of_decode_packet_out(message(&b, OFPT13_PACKET_OUT, 8), &out, NULL), OF_OK);
    assert_int_equal(out.buffer_id, OF_NO_BUFFER);
    assert_int_equal(out.in_port, OFPP_CONTROLLER);
    assert_int_equal(out.data_size, sizeof(data));
    assert_memory_equal(out.data, data, sizeof(data));
    c = (struct of_cursor){out.actions, out.actions_size};
    assert_int_equal(of_next_action(&c, &action), 1);
    assert_int_equal(action.port, 7);

    /* buffer 0 is a buffer: the data stays away */
    b = fresh(4096);
    of_put_packet_out(&b, OF13, 8, 0, 1, &output, 1, data, sizeof(data));
    assert_int_equal(of_decode_packet_out(message(&b, OFPT13_PACKET_OUT, 8), &out, NULL), OF_OK);
    assert_int_equal(out.buffer_id, 0);
    assert_int_equal(out.data_size, 0);
}

static void
flow_stats_round_trip(void **state)
{
    const struct of_action output = {.type = OF_A_OUTPUT, .port = 9};
    struct of_flow_mod flows[2] = {
        {.cookie = 11, .priority = 100, .idle_s = 60, .actions = &output, .n_actions = 1},
        {.cookie = 12, .table_id = 1, .hard_s = 30, .flags = OFPFF_SEND_FLOW_REM},
    };
    struct of_multipart part;
    struct of_flow flow;
    struct of_action action;
    struct of_cursor c, actions;
    struct of_buffer b = fresh(4096);

    (void)state;
    memset(&flows[0].match, 0, sizeof(flows[0].match));
    flows[0].match = full_match(6);
    of_put_flow_stats_reply(&b, 3, 0, flows, 2);
    assert_int_equal(of_decode_multipart(message(&b, OFPT13_MULTIPART_REPLY, 3), &part, NULL),
                     OF_OK);
    assert_int_equal(part.type, OFPMP_FLOW);
    c = (struct of_cursor){part.body, part.body_size};
    assert_int_equal(of_next_flow(&c, &flow), 1);
    assert_int_equal(flow.cookie, 11);
    assert_int_equal(flow.priority, 100);
    assert_int_equal(flow.idle_s, 60);
    assert_false(flow.other_instructions);
    assert_memory_equal(&flow.match, &flows[0].match, sizeof(flow.match));
    actions = (struct of_cursor){flow.actions, flow.actions_size};
    assert_int_equal(of_next_action(&actions, &action), 1);
    assert_int_equal(action.port, 9);
    assert_int_equal(of_next_action(&actions, &action), 0);
    assert_int_equal(of_next_flow(&c, &flow), 1);
    assert_int_equal(flow.cookie, 12);
    assert_int_equal(flow.table_id, 1);
    assert_int_equal(flow.hard_s, 30);
    assert_int_equal(flow.flags, OFPFF_SEND_FLOW_REM);
    assert_int_equal(flow.actions_size, 0);
    assert_false(flow.other_instructions);
    assert_int_equal(of_next_flow(&c, &flow), 0);

    b = fresh(4096);
    of_put_flow_stats_request(&b, OF13, 4, 0x1234, 0xffff);
    assert_int_equal(of_decode_multipart(message(&b, OFPT13_MULTIPART_REQUEST, 4), &part, NULL),
                     OF_OK);
    assert_int_equal(part.type, OFPMP_FLOW);
    assert_int_equal(part.body[0], OFPTT_ALL);
    assert_int_equal(of_get64(part.body + 16), 0x1234);
    assert_int_equal(of_get64(part.body + 24), 0xffff);
}

static void
groups_round_trip(void **state)
{
    const struct of_action one[] = {{.type = OF_A_OUTPUT, .port = 9}},
                           two[] = {{.type = OF_A_SET_ETH_DST, .mac = {2, 0, 0, 0, 0, 1}},
                                    {.type = OF_A_OUTPUT, .port = OFPP_IN_PORT}};
    const struct of_bucket buckets[] = {
        {.weight = 50, .watch_port = 3, .watch_group = 7, .actions = one, .n_actions = 1},
        {.watch_port = OFPP_ANY, .watch_group = OFPG_ANY, .actions = two, .n_actions = 2},
        {.watch_port = OFPP_ANY, .watch_group = OFPG_ANY},
    };
    struct of_group_mod mods[4], back;
    struct of_multipart part;
    struct of_cursor c, list;
    struct of_bucket bucket;
    struct of_action action;
    struct of_buffer b;

    (void)state;
    for (uint8_t i = 0; i < 4; i++) {
        mods[i] = (struct of_group_mod){
            .command = i % 3, .type = i, .group = OFPG_MAX - i, .buckets = buckets, .n_buckets = i};
        b = fresh(4096);
        of_put_group_mod(&b, OF13, i, &mods[i]);
        assert_int_equal(of_decode_group_mod(message(&b, OFPT13_GROUP_MOD, i), &back, NULL), OF_OK);
        assert_int_equal(back.command, i % 3);
        assert_int_equal(back.type, i);
        assert_int_equal(back.group, OFPG_MAX - i);
    }
    b = fresh(4096);
    of_put_group_desc_reply(&b, 9, OFPMPF_REPLY_MORE, mods, 4);
    assert_int_equal(of_decode_multipart(message(&b, OFPT13_MULTIPART_REPLY, 9), &part, NULL),
                     OF_OK);
    assert_int_equal(part.type, OFPMP_GROUP_DESC);
    assert_int_equal(part.flags, OFPMPF_REPLY_MORE);
    c = (struct of_cursor){part.body, part.body_size};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(of_next_group(&c, &back), 1);
        assert_int_equal(back.type, i);
        assert_int_equal(back.group, OFPG_MAX - i);
        list = (struct of_cursor){back.raw_buckets, back.raw_buckets_size};
        for (unsigned j = 0; j < i; j++) {
            struct of_cursor actions;

            assert_int_equal(of_next_bucket(&list, &bucket), 1);
            assert_int_equal(bucket.weight, buckets[j].weight);
            assert_int_equal(bucket.watch_port, buckets[j].watch_port);
            assert_int_equal(bucket.watch_group, buckets[j].watch_group);
            actions = (struct of_cursor){bucket.raw_actions, bucket.raw_actions_size};
            for (unsigned k = 0; k < buckets[j].n_actions; k++) {
                assert_int_equal(of_next_action(&actions, &action), 1);
                assert_int_equal(action.type, buckets[j].actions[k].type);
                assert_int_equal(action.port, buckets[j].actions[k].port);
            }
            assert_int_equal(of_next_action(&actions, &action), 0);
        }
        assert_int_equal(of_next_bucket(&list, &bucket), 0);
    }
    assert_int_equal(of_next_group(&c, &back), 0);
}

/* At each size of buffer too small: nothing is written, the error sticks, what was there stays. */

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_mod_round_trip), cmocka_unit_test(each_field_alone),
        cmocka_unit_test(packets_round_trip),  cmocka_unit_test(flow_stats_round_trip),
        cmocka_unit_test(groups_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
