/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every_rules.c - flow_mods with each field, action and instruction; every_groups and
 * meters.
 */
#include "openflow_every_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_type(struct of_buffer *b, const char *eth_type, const char *proto)
{
    every_add_field(b, OFPXMT_ETH_TYPE, eth_type, NULL);
    if (proto)
        every_add_field(b, OFPXMT_IP_PROTO, proto, NULL);
}

#define IPV4 "\x08\x00"
#define IPV6 "\x86\xdd"
#define ARP "\x08\x06"
#define MPLS "\x88\x47"
#define PBB "\x88\xe7"

/* Each field with what it depends on (section 7.2.3.6), a value and, where one is allowed, a mask.
 */
struct field_row {
    const char *eth_type, *proto; /* NULL: none needed */
    const char *value, *mask;
    bool not_in_ovs;
};

static const struct field_row fields[OFPXMT_COUNT] = {
    [OFPXMT_IN_PORT] = {NULL, NULL, "\0\0\0\x05", NULL, false},
    [OFPXMT_IN_PHY_PORT] = {NULL, NULL, "\0\0\0\x05", NULL, true},
    [OFPXMT_METADATA] = {NULL, NULL, "\1\2\3\4\5\6\7\0", "\xff\xff\xff\xff\xff\xff\xff\0", false},
    [OFPXMT_ETH_DST] = {NULL, NULL, "\x02\0\0\0\0\0", "\xff\xff\xff\0\0\0", false},
    [OFPXMT_ETH_SRC] = {NULL, NULL, "\x02\0\0\0\0\x09", "\xff\xff\xff\xff\xff\xfd", false},
    [OFPXMT_ETH_TYPE] = {NULL, NULL, "\x88\xcc", NULL, false},
    [OFPXMT_VLAN_VID] = {NULL, NULL, "\x11\x05", "\x1f\x0f", false},
    [OFPXMT_VLAN_PCP] = {NULL, NULL, "\x05", NULL, false},
    [OFPXMT_IP_DSCP] = {IPV4, NULL, "\x2e", NULL, false},
    [OFPXMT_IP_ECN] = {IPV4, NULL, "\x01", NULL, false},
    [OFPXMT_IP_PROTO] = {IPV4, NULL, "\x59", NULL, false},
    [OFPXMT_IPV4_SRC] = {IPV4, NULL, "\x0a\1\2\0", "\xff\xff\xff\0", false},
    [OFPXMT_IPV4_DST] = {IPV4, NULL, "\x0a\0\0\7", "\xff\0\0\xff", false},
    [OFPXMT_TCP_SRC] = {IPV4, "\6", "\x04\xd2", NULL, false},
    [OFPXMT_TCP_DST] = {IPV6, "\6", "\0\x50", NULL, false},
    [OFPXMT_UDP_SRC] = {IPV4, "\x11", "\x48\xbc", NULL, false},
    [OFPXMT_UDP_DST] = {IPV6, "\x11", "\0\x35", NULL, false},
    [OFPXMT_SCTP_SRC] = {IPV4, "\x84", "\x0b\x59", NULL, false},
    [OFPXMT_SCTP_DST] = {IPV4, "\x84", "\x0b\x5a", NULL, false},
    [OFPXMT_ICMPV4_TYPE] = {IPV4, "\1", "\x08", NULL, false},
    [OFPXMT_ICMPV4_CODE] = {IPV4, "\1", "\x01", NULL, false},
    [OFPXMT_ARP_OP] = {ARP, NULL, "\0\2", NULL, false},
    [OFPXMT_ARP_SPA] = {ARP, NULL, "\x0a\0\0\0", "\xff\xff\xff\0", false},
    [OFPXMT_ARP_TPA] = {ARP, NULL, "\x0a\0\0\2", "\xff\xff\xff\xff", false},
    [OFPXMT_ARP_SHA] = {ARP, NULL, "\2\0\0\0\0\1", "\xff\xff\xff\xff\0\xff", false},
    [OFPXMT_ARP_THA] = {ARP, NULL, "\2\0\0\0\0\2", "\xff\xff\xff\xff\xff\xff", false},
    [OFPXMT_IPV6_SRC] = {IPV6, NULL, "\xfd\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                         "\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false},
    [OFPXMT_IPV6_DST] = {IPV6, NULL, "\xfd\1\0\0\0\0\0\0\0\0\0\0\0\0\0\2",
                         "\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff", false},
    [OFPXMT_IPV6_FLABEL] = {IPV6, NULL, "\0\x01\x23\x40", "\0\x0f\xff\xf0", false},
    [OFPXMT_ICMPV6_TYPE] = {IPV6, "\x3a", "\x80", NULL, false},
    [OFPXMT_ICMPV6_CODE] = {IPV6, "\x3a", "\x03", NULL, false},
    [OFPXMT_IPV6_ND_TARGET] = {IPV6, "\x3a", "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", NULL, false},
    [OFPXMT_IPV6_ND_SLL] = {IPV6, "\x3a", "\2\0\0\0\0\3", NULL, false},
    [OFPXMT_IPV6_ND_TLL] = {IPV6, "\x3a", "\2\0\0\0\0\4", NULL, false},
    [OFPXMT_MPLS_LABEL] = {MPLS, NULL, "\0\x01\x00\x11", NULL, false},
    [OFPXMT_MPLS_TC] = {MPLS, NULL, "\x06", NULL, false},
    [OFPXMT_MPLS_BOS] = {MPLS, NULL, "\x01", NULL, false},
    [OFPXMT_PBB_ISID] = {PBB, NULL, "\x01\x02\x00", "\xff\xff\x00", true},
    [OFPXMT_TUNNEL_ID] = {NULL, NULL, "\0\0\0\0\0\0\x12\0", "\0\0\0\0\0\0\xff\0", false},
    [OFPXMT_IPV6_EXTHDR] = {IPV6, NULL, "\0\x10", "\0\x1f", true},
};

/* The field with all it needs. */
static void
add_with_needs(struct of_buffer *b, uint8_t field, bool masked)
{
    const struct field_row *row = &fields[field];

    if (field == OFPXMT_IN_PHY_PORT)
        every_add_field(b, OFPXMT_IN_PORT, "\0\0\0\x06", NULL);
    if (field == OFPXMT_VLAN_PCP)
        every_add_field(b, OFPXMT_VLAN_VID, "\x10\x07", NULL);
    if (row->eth_type)
        add_type(b, row->eth_type, row->proto);
    if (field == OFPXMT_IPV6_ND_TARGET || field == OFPXMT_IPV6_ND_SLL)
        every_add_field(b, OFPXMT_ICMPV6_TYPE, "\x87", NULL); /* solicitation */
    if (field == OFPXMT_IPV6_ND_TLL)
        every_add_field(b, OFPXMT_ICMPV6_TYPE, "\x88", NULL); /* advertisement */
    every_add_field(b, field, row->value, masked ? row->mask : NULL);
}

static void
put_match(struct of_buffer *b, struct of_cursor oxm)
{
    const struct of_flow_mod mod = {.table_id = 1,
                                    .priority = 77,
                                    .buffer_id = OF_NO_BUFFER,
                                    .out_port = OFPP_ANY,
                                    .out_group = OFPG_ANY,
                                    .match.fields = OF_M_OTHER,
                                    .oxm = oxm,
                                    .actions = every_one_output,
                                    .n_actions = 1};

    of_put_flow_mod(b, OF13, XID, &mod);
}

static void
flow_removed(struct of_buffer *b, uint8_t version)
{
    const struct of_flow_removed removed = {.cookie = 0xabc,
                                            .packets = 17,
                                            .bytes = 1700,
                                            .duration_s = 61,
                                            .duration_ns = 5000000,
                                            .priority = 100,
                                            .idle_s = 60,
                                            .hard_s = version == OF13 ? 300 : 0,
                                            .reason = OFPRR_IDLE_TIMEOUT,
                                            .match = every_rule(version)};

    of_put_flow_removed(b, version, XID, &removed);
}

static void
flow_mod(struct of_buffer *b, uint8_t version)
{
    const struct of_action actions[] = {
        {.type = OF_A_SET_ETH_DST, .mac = {2, 0, 0, 0, 0, 9}},
        {.type = OF_A_SET_IPV4_SRC, .value = 0x0a000009},
        {.type = OF_A_OUTPUT, .port = 4},
        {.type = OF_A_OUTPUT, .port = OFPP_CONTROLLER, .max_len = OFPCML_NO_BUFFER}};
    const struct of_flow_mod mod = {.cookie = 0x0102030405060708,
                                    .command = OFPFC_ADD,
                                    .idle_s = 10,
                                    .hard_s = 30,
                                    .priority = 1000,
                                    .flags = OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP,
                                    .buffer_id = OF_NO_BUFFER,
                                    .out_port = OFPP_ANY,
                                    .out_group = OFPG_ANY,
                                    .match = every_rule(version),
                                    .actions = actions,
                                    .n_actions = LEN(actions)};

    of_put_flow_mod(b, version, XID, &mod);
}

static void
flow_mod_delete(struct of_buffer *b, uint8_t version)
{
    const struct of_flow_mod mod = {.cookie = 0xff00,
                                    .cookie_mask = version == OF13 ? 0xff00 : 0,
                                    .table_id = version == OF13 ? OFPTT_ALL : 0,
                                    .command = OFPFC_DELETE,
                                    .priority = 32768,
                                    .buffer_id = OF_NO_BUFFER,
                                    .out_port = 7,
                                    .out_group = OFPG_ANY};

    of_put_flow_mod(b, version, XID, &mod);
}

/* ARP and ICMP have their own meaning in the match of 1.0. */
static void
flow_mod_arp(struct of_buffer *b, uint8_t version)
{
    struct of_flow_mod mod = {.priority = 5,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY,
                              .actions = every_one_output,
                              .n_actions = 1};

    mod.match.fields = OF_M_ETH_TYPE | OF_M_ARP_OP | OF_M_ARP_SPA | OF_M_ARP_TPA;
    mod.match.masked = OF_M_ARP_TPA;
    mod.match.eth_type = 0x0806;
    mod.match.arp_op = 1;
    mod.match.arp_spa = 0x0a000001;
    mod.match.arp_tpa = 0x0a000000;
    mod.match.arp_tpa_mask = 0xfffffe00;
    of_put_flow_mod(b, version, XID, &mod);
}

static void
flow_mod_icmp(struct of_buffer *b, uint8_t version)
{
    struct of_flow_mod mod = {.command = OFPFC_MODIFY_STRICT,
                              .priority = 6,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY};

    mod.match.fields = OF_M_ETH_TYPE | OF_M_IP_PROTO | OF_M_ICMP_TYPE | OF_M_ICMP_CODE;
    mod.match.eth_type = 0x0800;
    mod.match.ip_proto = 1;
    mod.match.icmp_type = 3;
    mod.match.icmp_code = 4;
    of_put_flow_mod(b, version, XID, &mod);
}

/* No tag, and a TCP port without its protocol's type */
static void
flow_mod_untagged(struct of_buffer *b, uint8_t version)
{
    struct of_flow_mod mod = {.priority = 7,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY,
                              .actions = every_one_output,
                              .n_actions = 1};

    mod.match.fields = OF_M_VLAN_VID;
    of_put_flow_mod(b, version, XID, &mod);
}

static void
put_actions(struct of_buffer *b, uint8_t version, const struct of_action *actions, unsigned n)
{
    const struct of_flow_mod mod = {.priority = 8,
                                    .buffer_id = OF_NO_BUFFER,
                                    .out_port = OFPP_ANY,
                                    .out_group = OFPG_ANY,
                                    .match.fields = OF_M_ETH_TYPE | OF_M_IP_PROTO,
                                    .match.eth_type = 0x0800,
                                    .match.ip_proto = 6,
                                    .actions = actions,
                                    .n_actions = n};

    of_put_flow_mod(b, version, XID, &mod);
}

static void
actions10(struct of_buffer *b, uint8_t version)
{
    static const uint8_t note[16] = {0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 8, 1, 2, 3, 4, 5, 6};
    const struct of_action all[] = {
        {.type = OF_A_OUTPUT, .port = 2},
        {.type = OF_A_SET_VLAN_VID, .vlan_vid = OFPVID_PRESENT | 100},
        {.type = OF_A_SET_VLAN_PCP, .value = 6},
        {.type = OF_A_POP_VLAN},
        {.type = OF_A_SET_ETH_SRC, .mac = {2, 0, 0, 0, 0, 1}},
        {.type = OF_A_SET_ETH_DST, .mac = {2, 0, 0, 0, 0, 2}},
        {.type = OF_A_SET_IPV4_SRC, .value = 0x0a000001},
        {.type = OF_A_SET_IPV4_DST, .value = 0x0a000002},
        {.type = OF_A_SET_IP_DSCP, .value = 46},
        {.type = OF_A_SET_L4_SRC, .value = 1},
        {.type = OF_A_SET_L4_DST, .value = 65535},
        {.type = OF_A_EXPERIMENTER, .value = EXPERIMENTER, .raw = note, .raw_size = sizeof(note)},
        {.type = OF_A_OUTPUT, .port = OFPP_CONTROLLER, .max_len = 128},
        {.type = OF_A_ENQUEUE, .port = 3, .group = 9},
    };

    put_actions(b, version, all, LEN(all));
}

static void
actions13(struct of_buffer *b, uint8_t version)
{
    static const uint8_t note[16] = {0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 8, 1, 2, 3, 4, 5, 6};
    static const uint8_t tcp_dst[6] = {0x80, 0, OFPXMT_TCP_DST << 1, 2, 0x1f, 0x90};
    const struct of_action all[] = {
        {.type = OF_A_OUTPUT, .port = 2},
        {.type = OF_A_SET_ETH_SRC, .mac = {2, 0, 0, 0, 0, 1}},
        {.type = OF_A_SET_ETH_DST, .mac = {2, 0, 0, 0, 0, 2}},
        {.type = OF_A_SET_IPV4_SRC, .value = 0x0a000001},
        {.type = OF_A_SET_IPV4_DST, .value = 0x0a000002},
        {.type = OF_A_SET_IP_DSCP, .value = 46},
        {.type = OF_A_SET_FIELD, .raw = tcp_dst, .raw_size = sizeof(tcp_dst)},
        {.type = OF_A_SET_NW_TTL, .value = 3},
        {.type = OF_A_DEC_NW_TTL},
        {.type = OF_A_SET_QUEUE, .group = 9},
        {.type = OF_A_GROUP, .group = 1},
        {.type = OF_A_PUSH_VLAN, .value = 0x88a8},
        {.type = OF_A_SET_VLAN_VID, .vlan_vid = OFPVID_PRESENT | 100},
        {.type = OF_A_SET_VLAN_PCP, .value = 6},
        {.type = OF_A_POP_VLAN},
        {.type = OF_A_EXPERIMENTER, .value = EXPERIMENTER, .raw = note, .raw_size = sizeof(note)},
        {.type = OF_A_PUSH_MPLS, .value = 0x8847},
        {.type = OF_A_SET_MPLS_TTL, .value = 64},
        {.type = OF_A_DEC_MPLS_TTL},
        {.type = OF_A_POP_MPLS, .value = 0x0800},
    };

    put_actions(b, version, all, LEN(all));
}

/* Open vSwitch has none of these. */
static void
actions13_rare(struct of_buffer *b, uint8_t version)
{
    const struct of_action all[] = {
        {.type = OF_A_COPY_TTL_OUT},
        {.type = OF_A_COPY_TTL_IN},
        {.type = OF_A_PUSH_PBB, .value = 0x88e7},
        {.type = OF_A_POP_PBB},
    };

    put_actions(b, version, all, LEN(all));
}

static void
put_instructions(struct of_buffer *b, const struct of_instruction *instructions, unsigned n)
{
    uint8_t room[512];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_flow_mod mod = {.priority = 9,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY,
                              .n_actions = OF_VERBATIM};

    for (unsigned i = 0; i < n; i++)
        of_add_instruction(&l, &instructions[i]);
    mod.instructions = of_list(&l);
    of_put_flow_mod(b, OF13, XID, &mod);
}

static void
instructions(struct of_buffer *b, uint8_t version)
{
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_instruction all[] = {
        {.type = OFPIT_METER, .meter = 5},
        {.type = OFPIT_APPLY_ACTIONS},
        {.type = OFPIT_CLEAR_ACTIONS},
        {.type = OFPIT_WRITE_ACTIONS},
        {.type = OFPIT_WRITE_METADATA, .metadata = 0x1200, .metadata_mask = 0xff00},
        {.type = OFPIT_GOTO_TABLE, .table_id = 3},
    };

    of_add_actions(&l, version, every_one_output, 1);
    all[1].actions = all[3].actions = of_list(&l);
    put_instructions(b, all, LEN(all));
}

static void
instruction_experimenter(struct of_buffer *b, uint8_t version)
{
    const struct of_instruction all[] = {
        {.type = OFPIT_EXPERIMENTER,
         .experimenter = 0xcafe,
         .data = {(const uint8_t *)"12345678", 8}},
    };

    (void)version;
    put_instructions(b, all, LEN(all));
}

static void
oxm_experimenter(struct of_buffer *b, uint8_t version)
{
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));
    const struct of_oxm oxm = {.class = OFPXMC_EXPERIMENTER,
                               .field = 5,
                               .size = 3,
                               .experimenter = 0xcafe,
                               .value = (const uint8_t *)"\1\2\3",
                               .mask = (const uint8_t *)"\xff\xff\xff"};

    (void)version;
    of_add_oxm(&l, &oxm);
    put_match(b, of_list(&l));
}

/* Nicira's register 0, which is an unknown class to us */
static void
oxm_nicira(struct of_buffer *b, uint8_t version)
{
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));
    const struct of_oxm oxm = {.class = 1,
                               .field = 0,
                               .size = 4,
                               .value = (const uint8_t *)"\0\0\0\5",
                               .mask = (const uint8_t *)"\0\0\xff\xff"};

    (void)version;
    of_add_oxm(&l, &oxm);
    put_match(b, of_list(&l));
}

#define GROUP(name, i)                                                                             \
    static void name(struct of_buffer *b, uint8_t version)                                         \
    {                                                                                              \
        of_put_group_mod(b, version, XID, &every_groups[i]);                                       \
    }
GROUP(group_select, 0)
GROUP(group_ff, 1)
GROUP(group_all, 2)
GROUP(group_indirect, 3)
GROUP(group_delete, 4)
#undef GROUP

static void
put_meter(struct of_buffer *b, uint16_t command, bool with_experimenter)
{
    uint8_t room[128];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_meter_mod mod = {
        .command = command,
        .flags = command == OFPMC_DELETE ? 0 : OFPMF_KBPS | OFPMF_BURST | OFPMF_STATS,
        .meter = command == OFPMC_DELETE ? OFPM_ALL : 5};

    if (command != OFPMC_DELETE)
        mod.bands = every_bands(&l, with_experimenter);
    of_put_meter_mod(b, XID, &mod);
}

static void
meter_add(struct of_buffer *b, uint8_t version)
{
    (void)version;
    put_meter(b, OFPMC_ADD, false);
}

static void
meter_modify(struct of_buffer *b, uint8_t version)
{
    (void)version;
    put_meter(b, OFPMC_MODIFY, true);
}

static void
meter_delete(struct of_buffer *b, uint8_t version)
{
    (void)version;
    put_meter(b, OFPMC_DELETE, false);
}

/* What field_message() makes; set by every_field(). */
static uint8_t the_field;
static bool the_mask;

static void
field_message(struct of_buffer *b, uint8_t version)
{
    uint8_t room[256];
    struct of_buffer l = every_list(room, sizeof(room));

    (void)version;
    add_with_needs(&l, the_field, the_mask);
    put_match(b, of_list(&l));
}

bool
every_field(uint8_t field, bool masked, struct every_row *ret, char *name, size_t size)
{
    if (masked && !fields[field].mask)
        return false;
    the_field = field;
    the_mask = masked;
    snprintf(name, size, "FLOW_MOD %s%s", of_oxm_name(OFPXMC_OPENFLOW_BASIC, field),
             masked ? " masked" : "");
    *ret = (struct every_row){name, field_message, V13, fields[field].not_in_ovs};
    return true;
}

const struct every_row every_rules[] = {
    {"FLOW_REMOVED", flow_removed, BOTH, false},
    {"FLOW_MOD", flow_mod, BOTH, false},
    {"FLOW_MOD delete", flow_mod_delete, BOTH, false},
    {"FLOW_MOD arp", flow_mod_arp, BOTH, false},
    {"FLOW_MOD icmp", flow_mod_icmp, BOTH, false},
    {"FLOW_MOD untagged", flow_mod_untagged, BOTH, false},
    {"FLOW_MOD actions", actions13, V13, false},
    {"FLOW_MOD actions", actions10, V10, false},
    {"FLOW_MOD rare actions", actions13_rare, V13, true},
    {"FLOW_MOD instructions", instructions, V13, false},
    {"FLOW_MOD experimenter instruction", instruction_experimenter, V13, true},
    {"FLOW_MOD experimenter field", oxm_experimenter, V13, true},
    {"FLOW_MOD Nicira field", oxm_nicira, V13, false},
    {"GROUP_MOD select", group_select, V13, false},
    {"GROUP_MOD fast failover", group_ff, V13, false},
    {"GROUP_MOD all", group_all, V13, false},
    {"GROUP_MOD indirect", group_indirect, V13, false},
    {"GROUP_MOD delete", group_delete, V13, false},
    {"METER_MOD add", meter_add, V13, false},
    {"METER_MOD modify", meter_modify, V13, true},
    {"METER_MOD delete", meter_delete, V13, false},
    {0},
};
