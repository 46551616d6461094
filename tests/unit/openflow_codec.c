/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_codec.c - round trips of all messages the codec encodes, every field of a match, the
 * builder's promises, and a table of hostile messages with the error each must get.
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

static uint8_t bytes[OF_MESSAGE_MAX + 1000];
static const uint8_t payload[OF_MESSAGE_MAX];

static struct of_buffer
fresh(size_t size)
{
    memset(bytes, 0xa5, sizeof(bytes)); /* what an encoder leaves out shows */
    return (struct of_buffer){bytes, size, 0, false};
}

/* The one message in the buffer, seen by framing and check. */
static const uint8_t *
message(const struct of_buffer *b, uint8_t type, uint32_t xid)
{
    struct of_header header;

    assert_false(b->full);
    assert_int_equal(of_frame(b->data, b->len, &header), b->len);
    assert_int_equal(header.version, OF13);
    assert_int_equal(header.type, type);
    assert_int_equal(header.xid, xid);
    assert_int_equal(of_check(&header), OF_OK);
    assert_int_equal(openflow_all(b->data, b->len), OF_OK);
    return b->data;
}

static struct of_match
full_match(uint8_t ip_proto)
{
    struct of_match match;

    memset(&match, 0, sizeof(match));
    match.fields = OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC | OF_M_ETH_TYPE | OF_M_VLAN_VID |
                   OF_M_VLAN_PCP | OF_M_IP_PROTO | OF_M_IPV4_SRC | OF_M_IPV4_DST | OF_M_L4_SRC |
                   OF_M_L4_DST | OF_M_ARP_OP | OF_M_ARP_SPA | OF_M_ARP_TPA | OF_M_IPV6_SRC |
                   OF_M_IPV6_DST | OF_M_IN_PHY_PORT | OF_M_METADATA | OF_M_TUNNEL_ID |
                   OF_M_IP_DSCP | OF_M_ICMP_TYPE | OF_M_ICMP_CODE;
    match.masked = OF_M_ETH_DST | OF_M_IPV4_DST | OF_M_METADATA;
    match.in_port = 0x01020304;
    match.in_phy_port = 0x11121314;
    match.metadata = 0x2122232425262728;
    match.metadata_mask = 0xff00ff00ff00ff00;
    match.tunnel_id = 0x3132333435363738;
    memcpy(match.eth_dst, "\x41\x42\x43\x44\x45\x46", 6);
    memcpy(match.eth_dst_mask, "\xff\xff\xff\x00\x00\x00", 6);
    memcpy(match.eth_src, "\x51\x52\x53\x54\x55\x56", 6);
    match.eth_type = 0x0800;
    match.vlan_vid = OFPVID_PRESENT | 5;
    match.vlan_pcp = 3;
    match.ip_proto = ip_proto;
    match.ip_dscp = 46;
    match.icmp_type = 8;
    match.icmp_code = 1;
    match.arp_op = 2;
    match.arp_spa = 0x0a000001;
    match.arp_tpa = 0x0a000002;
    match.ipv4_src = 0xc0a80001;
    match.ipv4_dst = 0xc0a80000;
    match.ipv4_dst_mask = 0xffff0000;
    memset(match.ipv6_src, 0x61, 16);
    memset(match.ipv6_dst, 0x62, 16);
    match.l4_src = 1234;
    match.l4_dst = 80;
    return match;
}

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
        struct of_buffer b = fresh(sizeof(bytes));
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

    b = fresh(4096);
    of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, 5, "ping", 4);
    assert_memory_equal(message(&b, OFPT13_ECHO_REPLY, 5) + OF_HEADER_SIZE, "ping", 4);
    b = fresh(4096);
    of_put_set_config(&b, OF13, 6, 1, OFPCML_NO_BUFFER);
    message(&b, OFPT13_SET_CONFIG, 6);
    assert_int_equal(of_get16(bytes + 8), 1);
    assert_int_equal(of_get16(bytes + 10), OFPCML_NO_BUFFER);
    b = fresh(4096);
    of_put_header(&b, OF13, OFPT13_BARRIER_REQUEST, 7);
    message(&b, OFPT13_BARRIER_REQUEST, 7);
}

static struct of_port
port(uint32_t number)
{
    struct of_port port = {.port = number,
                           .mac = {2, 0, 0, 0, 0, (uint8_t)number},
                           .config = OFPPC_PORT_DOWN,
                           .state = OFPPS_LINK_DOWN,
                           .current = 1,
                           .advertised = 2,
                           .supported = 3,
                           .peer_features = 4,
                           .speed_kbps = 5,
                           .max_speed_kbps = 6};

    memcpy(port.name, "sixteen-bytes-00", 16); /* no NUL on the wire */
    port.name[15] = (char)('0' + number % 10);
    return port;
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
    struct of_port_status status = {OFPPR_DELETE, port(3)}, back;
    struct of_port ports[3] = {port(1), port(2), port(OFPP_LOCAL)}, one;
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
static void
builder_keeps_whole_messages(void **state)
{
    const struct of_action output = {.type = OF_A_OUTPUT, .port = 9};
    struct of_flow_mod mod = {.match = full_match(6), .actions = &output, .n_actions = 1};
    struct of_packet_in in = {.data = payload, .data_size = 60};
    struct of_port_status status = {0, port(1)};

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
    struct of_buffer b = fresh(sizeof(bytes));

    (void)state;
    memset(&mod.match, 0, sizeof(mod.match));
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_true(b.full && b.len == 0);
    b = fresh(sizeof(bytes));
    mod.actions = &output;
    mod.match.fields = OF_M_OTHER;
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_true(b.full && b.len == 0);
    b = fresh(sizeof(bytes));
    mod.match.fields = 0;
    of_put_flow_mod(&b, 0x05, 1, &mod);
    assert_true(b.full && b.len == 0);
    for (unsigned i = 0; i < 3; i++) { /* another version, such an action, too many of them */
        const struct of_bucket bucket = {.actions = i == 1 ? &other : &output, .n_actions = 1};
        static struct of_bucket many[4096];
        struct of_group_mod group = {.buckets = i == 2 ? many : &bucket,
                                     .n_buckets = i == 2 ? 4096 : 1};

        b = fresh(sizeof(bytes));
        of_put_group_mod(&b, i == 0 ? OF10 : OF13, 1, &group);
        assert_true(b.full && b.len == 0);
    }
    b = fresh(sizeof(bytes));
    /* the largest message, and one byte more */
    b = fresh(sizeof(bytes));
    of_put_packet_out(&b, OF13, 1, OF_NO_BUFFER, 1, &output, 1, payload, OF_MESSAGE_MAX - 40);
    assert_true(!b.full && b.len == OF_MESSAGE_MAX);
    b = fresh(sizeof(bytes));
    of_put_packet_out(&b, OF13, 1, OF_NO_BUFFER, 1, &output, 1, payload, OF_MESSAGE_MAX - 39);
    assert_true(b.full && b.len == 0);
    b = fresh(sizeof(bytes));
    of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, 1, payload, SIZE_MAX - 4);
    assert_true(b.full && b.len == 0);
}

/* ---- hostile messages ----------------------------------------------------------------- */

struct vector {
    const char *name;
    const char *hex; /* blanks are skipped */
    int error;       /* of openflow_all() */
};

#define ZERO16 "0000000000000000"
/* cookie, mask, table, command, timeouts, priority, buffer, out_port, out_group, flags of a
 * flow_mod */
#define FIXED(command)                                                                             \
    ZERO16 ZERO16 "00" command "00000000 0000 ffffffff 00000000 00000000 0000 0000"
/* buffer_id, total_len, reason, table, cookie of a packet_in */
#define HEAD "ffffffff 0000 00 00 0000000000000000"

/* Bodies after those in reports against other controllers (zero-length elements that hang a parser)
 * and one for each check of the decoders. */
static const struct vector vectors[] = {
    {"length 0", "04000000 00000001", OF_ELENGTH},
    {"length 7", "04000007 00000001", OF_ELENGTH},
    {"version 0", "00000008 00000001", OF_EVERSION},
    {"version 5 that is no hello", "050e0008 00000001", OF_EVERSION},
    {"hello of a version we lack", "06000008 00000001", OF_OK},
    {"unknown type", "041e0008 00000001", OF_ETYPE},
    {"unknown type of 1.0", "01160008 00000001", OF_ETYPE},
    {"hello element of length 0", "04000010 00000001 00010000 00000012", OF_ELENGTH},
    {"hello element of length 3", "04000010 00000001 00010003 00000012", OF_ELENGTH},
    {"hello element beyond the end", "04000010 00000001 00010009 00000012", OF_ELENGTH},
    {"hello bitmap without a word", "04000010 00000001 00010004 00000012", OF_ELENGTH},
    {"hello half an element", "0400000a 00000001 0001", OF_ESHORT},
    {"hello unknown element first", "04000018 00000001 00770004 00000000 00010008 00000012", OF_OK},
    {"hello of 1.0 with garbage", "0100000a 00000001 ffff", OF_OK},
    {"error without code", "0401000a 00000001 0001", OF_ESHORT},
    {"features reply too short",
     "0406001f 00000001 0000000000000001 00000000 00000000 00000000 000000", OF_ESHORT},
    {"packet_in with match length 0",
     "040a002a 00000001 " HEAD "0001 0000 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match length 3",
     "040a002a 00000001 " HEAD "0001 0003 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match beyond the end",
     "040a002a 00000001 " HEAD "0001 0013 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in without padding",
     "040a0029 00000001 " HEAD "0001 000c 80000004 00000001 00000000 00", OF_ESHORT},
    {"packet_in without in_port",
     "040a002a 00000001 " HEAD "0001 0004 00000000 80000004 00000001 0000", OF_EVALUE},
    {"packet_in with in_port as second field",
     "040a0032 00000001 " HEAD "0001 0012 80000a02 0800 80000004 00000001"
     "000000000000 0000",
     OF_OK},
    {"packet_in with an oxm beyond the match",
     "040a002a 00000001 " HEAD "0001 000c 800000ff 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with half an oxm header",
     "040a002a 00000001 " HEAD "0001 0006 80000004 00000001 00000000 0000", OF_ESHORT},
    {"port_status with reason 3",
     "040c0050 00000001 03000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16,
     OF_EVALUE},
    {"port_status of 79 bytes",
     "040c004f 00000001 00000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16
     "00000000000000",
     OF_ESHORT},
    {"packet_out with actions beyond the end",
     "040d0020 00000001 ffffffff 00000001 0009 000000000000 0000000000000000", OF_ELENGTH},
    {"flow_mod with command 5", "040e0038 00000001" FIXED("05") "0001 0004 00000000", OF_EVALUE},
    {"flow_mod with the match of 1.1", "040e0038 00000001" FIXED("00") "0000 0004 00000000",
     OF_EVALUE},
    {"flow_mod with match length 2", "040e0038 00000001" FIXED("00") "0001 0002 00000000",
     OF_ELENGTH},
    {"flow_mod with an oxm of wrong size",
     "040e0040 00000001" FIXED("00") "0001 000b 80000003 000001 0000000000", OF_ELENGTH},
    {"flow_mod with in_port twice",
     "040e0048 00000001" FIXED("00") "0001 0014 80000004 00000001 80000004 00000002 00000000",
     OF_EVALUE},
    {"flow_mod with a masked in_port",
     "040e0040 00000001" FIXED("00") "0001 0010 80000108 00000001 0000ffff", OF_EVALUE},
    {"flow_mod with an unknown oxm of size 0",
     "040e0040 00000001" FIXED("00") "0001 000c 0001fe00 0001fc00 00000000", OF_OK},
    {"flow_mod with an instruction of length 0",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0000 00000000", OF_ELENGTH},
    {"flow_mod with an instruction of length 9",
     "040e0048 00000001" FIXED("00") "0001 0004 00000000 0004 0009 00000000" ZERO16, OF_ELENGTH},
    {"flow_mod with an instruction beyond the end",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0010 00000000", OF_ELENGTH},
    {"flow_mod with half an instruction header",
     "040e003a 00000001" FIXED("00") "0001 0004 00000000 0004", OF_ESHORT},
    {"flow_mod with short write_metadata",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0002 0008 00000000", OF_ELENGTH},
    {"flow_removed with a match beyond the end",
     "040b0038 00000001" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 "0001 0010 00000000", OF_ELENGTH},
    {"group_mod of 15 bytes", "040f000f 00000001 0000 0000 000000", OF_ESHORT},
    {"group_mod without buckets", "040f0010 00000001 0000 0000 00000001", OF_OK},
    {"group_mod with command 3", "040f0010 00000001 0003 0000 00000001", OF_EVALUE},
    {"group_mod with a bucket of length 0",
     "040f0020 00000001 0000 0000 00000001 0000 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 8",
     "040f0020 00000001 0000 0000 00000001 0008 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 17",
     "040f0028 00000001 0000 0000 00000001 0011 0000 ffffffff ffffffff 00000000" ZERO16,
     OF_ELENGTH},
    {"group_mod with a bucket beyond the end",
     "040f0020 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with half a bucket", "040f0018 00000001 0000 0000 00000001 0010 0000 ffffffff",
     OF_ESHORT},
    {"group_mod with an action of length 0",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0016 0000 00000001",
     OF_ELENGTH},
    {"group_mod with an action beyond its bucket",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0000 0010 00000001",
     OF_ELENGTH},
    {"multipart without body", "0413000f 00000001 000d 0000 000000", OF_ESHORT},
};

static size_t
bytes_of(const char *hex, uint8_t *ret, size_t size)
{
    size_t n = 0;

    while (*hex) {
        unsigned byte;

        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        assert_true(n < size);
        ret[n++] = (uint8_t)byte;
        hex += 2;
    }
    return n;
}

static void
hostile_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        uint8_t wide[512], *exact;
        char line[512];
        size_t n = bytes_of(v->hex, wide, sizeof(wide));
        struct of_header header;
        int error;

        assert_true(n >= OF_HEADER_SIZE);
        header.length = 0;
        of_frame(wide, n, &header);
        if (header.length >= OF_HEADER_SIZE && header.length != n)
            fail_msg("%s: the vector has %zu bytes, says %u", v->name, n, header.length);
        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        error = openflow_all(exact, n);
        if (error != v->error)
            fail_msg("%s: %s, expected %s", v->name, of_strerror(error), of_strerror(v->error));
        /* the line says so too, and where */
        error = of_print(exact, n, line, sizeof(line));
        assert_true(v->error ? error == v->error : error >= 0);
        if (v->error)
            assert_non_null(strstr(line, of_strerror(v->error)));
        free(exact);
    }
}

/* Lists of actions, which packet_out and flow_mod leave to who walks them. */
static void
hostile_actions(void **state)
{
    static const struct vector lists[] = {
        {"length 0", "0000 0000 00000001 ffe5 000000000000", OF_ELENGTH},
        {"length 4", "0012 0004 00000000", OF_ELENGTH},
        {"no multiple of 8", "0016 000c 00000001 00000000", OF_ELENGTH},
        {"beyond the list", "0016 0010 00000001", OF_ELENGTH},
        {"half a header", "0016", OF_ESHORT},
        {"output of 8 bytes", "0000 0008 00000001", OF_ELENGTH},
        {"group of 16 bytes", "0016 0010 00000001 0000000000000000", OF_ELENGTH},
        {"set_field of 8 bytes", "0019 0008 80000606", OF_ELENGTH},
        {"set_field longer than its action", "0019 0010 800034ff 0000000000000000", OF_ELENGTH},
        {"set_field shorter than its action",
         "0019 0018 80000606 0000000000000000 0000000000000000", OF_ELENGTH},
        {"unknown, then too short", "1234 0008 00000000 0000 0004", OF_ELENGTH},
        {"unknown alone", "1234 0008 00000000", OF_OK},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint8_t wide[64], *exact;
        size_t n = bytes_of(lists[i].hex, wide, sizeof(wide));
        struct of_cursor c;
        struct of_action action;
        int error;

        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        c = (struct of_cursor){exact, (uint32_t)n};
        while ((error = of_next_action(&c, &action)) > 0)
            ;
        if (error != lists[i].error)
            fail_msg("%s: %s", lists[i].name, of_strerror(error));
        free(exact);
    }
}

/* Entries of multipart replies. */
static void
hostile_lists(void **state)
{
    uint8_t entry[56] = {0, 56, [48] = 0, 1, 0, 4};
    struct of_cursor c = {entry, sizeof(entry)};
    struct of_group_mod group;
    struct of_flow flow;
    struct of_port one;
    static const uint16_t lies[] = {0, 1, 55, 57, 0xffff};

    (void)state;
    assert_int_equal(of_next_flow(&c, &flow), 1);
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        entry[0] = (uint8_t)(lies[i] >> 8);
        entry[1] = (uint8_t)lies[i];
        c = (struct of_cursor){entry, sizeof(entry)};
        assert_int_equal(of_next_flow(&c, &flow), OF_ELENGTH);
    }
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_flow(&c, &flow), OF_ESHORT);
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_port(&c, &one), OF_ESHORT);

    memset(entry, 0, sizeof(entry)); /* a group with one bucket */
    entry[1] = 24;
    entry[9] = 16;
    c = (struct of_cursor){entry, 24};
    assert_int_equal(of_next_group(&c, &group), 1);
    assert_int_equal(c.left, 0);
    for (uint8_t i = 0; i < 32; i++) { /* no other length of the bucket, or of the entry */
        entry[9] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 16)
            assert_int_equal(of_next_group(&c, &group), OF_ELENGTH);
        entry[9] = 16;
        entry[1] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 24 && i != 8) /* 8: without buckets */
            assert_true(of_next_group(&c, &group) < 0);
        entry[1] = 24;
    }
    c = (struct of_cursor){entry, 7};
    assert_int_equal(of_next_group(&c, &group), OF_ESHORT);
}

static void
a_line_that_is_too_long(void **state)
{
    struct of_buffer b = fresh(4096);
    struct of_flow_mod mod = {.match = full_match(6)};
    char line[64];

    (void)state;
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_int_equal(of_print(b.data, b.len, line, sizeof(line)), 63);
    assert_string_equal(line + 60, "...");
    assert_memory_equal(line, "FLOW_MOD (OF1.3)", 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_mod_round_trip),
        cmocka_unit_test(each_field_alone),
        cmocka_unit_test(packets_round_trip),
        cmocka_unit_test(handshake_round_trip),
        cmocka_unit_test(ports_round_trip),
        cmocka_unit_test(flow_stats_round_trip),
        cmocka_unit_test(groups_round_trip),
        cmocka_unit_test(builder_keeps_whole_messages),
        cmocka_unit_test(builder_refuses_what_it_cannot_say),
        cmocka_unit_test(hostile_messages),
        cmocka_unit_test(hostile_actions),
        cmocka_unit_test(hostile_lists),
        cmocka_unit_test(a_line_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
