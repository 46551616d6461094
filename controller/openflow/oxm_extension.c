/* SPDX-License-Identifier: Apache-2.0
 *
 * oxm_extension.c - fields that OpenFlow 1.3 does not have and that switches use all the same:
 * those of later versions, Nicira's classes, packet registers, and the experimenters' fields that
 * Open vSwitch has. Only for printing: struct of_match holds none of them, and of_next_oxm() gives
 * their bytes. Neighbours: oxm.c (reads the TLVs, prints the values), table.c (lists of fields).
 * Any thread. ovs-fields(7); ONF extensions 109 and 233.
 */
#include "codec.h"

#include <trivet/openflow_oxm.h>

enum class {
    NXM_0 = 0x0000,
    NXM_1 = 0x0001,
    ERICSSON = 0x1000,
    BASIC = OFPXMC_OPENFLOW_BASIC,
    PACKET_REGISTERS = 0x8001,
};

enum experimenter {
    NICIRA = 0x00002320,
    NSH = 0x005ad650,
    ONF = 0x4f4e4600,
};

/* A field, or several of one kind in a row: their names end with a number. */
#define ROW(c, from, to, n, s, f)                                                                  \
    {                                                                                              \
        .name = n, .class = c, .first = from, .last = to, .size = s, .format = f                   \
    }
#define FIELD(class, field, name, size, format) ROW(class, field, field, name, size, format)
#define OF_EXP(id, at, n, s, f)                                                                    \
    {                                                                                              \
        .name = n, .class = OFPXMC_EXPERIMENTER, .experimenter = id, .first = at, .last = at,      \
        .size = s, .format = f                                                                     \
    }

/* Names are those that ovs-ofctl prints. */
static const struct of_oxm_extension rows[] = {
    FIELD(NXM_0, 0, "in_port", 2, OF_FORMAT_PORT),
    FIELD(NXM_0, 1, "dl_dst", 6, OF_FORMAT_MAC),
    FIELD(NXM_0, 2, "dl_src", 6, OF_FORMAT_MAC),
    FIELD(NXM_0, 3, "dl_type", 2, OF_FORMAT_HEX),
    FIELD(NXM_0, 4, "vlan_tci", 2, OF_FORMAT_HEX),
    FIELD(NXM_0, 5, "nw_tos", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 6, "nw_proto", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 7, "nw_src", 4, OF_FORMAT_IPV4),
    FIELD(NXM_0, 8, "nw_dst", 4, OF_FORMAT_IPV4),
    FIELD(NXM_0, 9, "tcp_src", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 10, "tcp_dst", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 11, "udp_src", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 12, "udp_dst", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 13, "icmp_type", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 14, "icmp_code", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 15, "arp_op", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_0, 16, "arp_spa", 4, OF_FORMAT_IPV4),
    FIELD(NXM_0, 17, "arp_tpa", 4, OF_FORMAT_IPV4),
    ROW(NXM_1, 0, 15, "reg", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 16, "tun_id", 8, OF_FORMAT_HEX),
    FIELD(NXM_1, 17, "arp_sha", 6, OF_FORMAT_MAC),
    FIELD(NXM_1, 18, "arp_tha", 6, OF_FORMAT_MAC),
    FIELD(NXM_1, 19, "ipv6_src", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 20, "ipv6_dst", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 21, "icmpv6_type", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 22, "icmpv6_code", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 23, "nd_target", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 24, "nd_sll", 6, OF_FORMAT_MAC),
    FIELD(NXM_1, 25, "nd_tll", 6, OF_FORMAT_MAC),
    FIELD(NXM_1, 26, "ip_frag", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 27, "ipv6_label", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 28, "nw_ecn", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 29, "nw_ttl", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 30, "mpls_ttl", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 31, "tun_src", 4, OF_FORMAT_IPV4),
    FIELD(NXM_1, 32, "tun_dst", 4, OF_FORMAT_IPV4),
    FIELD(NXM_1, 33, "pkt_mark", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 34, "tcp_flags", 2, OF_FORMAT_HEX),
    FIELD(NXM_1, 35, "dp_hash", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 36, "recirc_id", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 37, "conj_id", 4, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 38, "tun_gbp_id", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 39, "tun_gbp_flags", 1, OF_FORMAT_HEX),
    ROW(NXM_1, 40, 103, "tun_metadata", OF_ANY_SIZE, OF_FORMAT_HEX),
    FIELD(NXM_1, 104, "tun_flags", 2, OF_FORMAT_HEX),
    FIELD(NXM_1, 105, "ct_state", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 106, "ct_zone", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 107, "ct_mark", 4, OF_FORMAT_HEX),
    FIELD(NXM_1, 108, "ct_label", 16, OF_FORMAT_HEX),
    FIELD(NXM_1, 109, "tun_ipv6_src", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 110, "tun_ipv6_dst", 16, OF_FORMAT_IPV6),
    ROW(NXM_1, 111, 114, "xxreg", 16, OF_FORMAT_HEX),
    FIELD(NXM_1, 119, "ct_nw_proto", 1, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 120, "ct_nw_src", 4, OF_FORMAT_IPV4),
    FIELD(NXM_1, 121, "ct_nw_dst", 4, OF_FORMAT_IPV4),
    FIELD(NXM_1, 122, "ct_ipv6_src", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 123, "ct_ipv6_dst", 16, OF_FORMAT_IPV6),
    FIELD(NXM_1, 124, "ct_tp_src", 2, OF_FORMAT_DECIMAL),
    FIELD(NXM_1, 125, "ct_tp_dst", 2, OF_FORMAT_DECIMAL),
    FIELD(ERICSSON, 1, "nd_reserved", 4, OF_FORMAT_HEX),
    FIELD(ERICSSON, 2, "nd_options_type", 1, OF_FORMAT_DECIMAL),
    FIELD(BASIC, 41, "pbb_uca", 1, OF_FORMAT_DECIMAL), /* 1.4 */
    FIELD(BASIC, 42, "tcp_flags", 2, OF_FORMAT_HEX),   /* 1.5, as the two behind it */
    FIELD(BASIC, 43, "actset_output", 4, OF_FORMAT_PORT),
    FIELD(BASIC, 44, "packet_type", 4, OF_FORMAT_HEX),
    ROW(PACKET_REGISTERS, 0, 7, "xreg", 8, OF_FORMAT_HEX),
    OF_EXP(NICIRA, 0, "dp_hash", 4, OF_FORMAT_HEX),
    OF_EXP(NICIRA, 11, "tun_erspan_idx", 4, OF_FORMAT_HEX),
    OF_EXP(NICIRA, 12, "tun_erspan_ver", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NICIRA, 13, "tun_erspan_dir", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NICIRA, 14, "tun_erspan_hwid", 1, OF_FORMAT_HEX),
    OF_EXP(NICIRA, 15, "tun_gtpu_flags", 1, OF_FORMAT_HEX),
    OF_EXP(NICIRA, 16, "tun_gtpu_msgtype", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NSH, 1, "nsh_flags", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NSH, 2, "nsh_mdtype", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NSH, 3, "nsh_np", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NSH, 4, "nsh_spi", 4, OF_FORMAT_HEX),
    OF_EXP(NSH, 5, "nsh_si", 1, OF_FORMAT_DECIMAL),
    OF_EXP(NSH, 6, "nsh_c1", 4, OF_FORMAT_HEX),
    OF_EXP(NSH, 7, "nsh_c2", 4, OF_FORMAT_HEX),
    OF_EXP(NSH, 8, "nsh_c3", 4, OF_FORMAT_HEX),
    OF_EXP(NSH, 9, "nsh_c4", 4, OF_FORMAT_HEX),
    OF_EXP(NSH, 10, "nsh_ttl", 1, OF_FORMAT_DECIMAL),
    OF_EXP(ONF, 42, "tcp_flags", 2, OF_FORMAT_HEX),
    OF_EXP(ONF, 43, "actset_output", 4, OF_FORMAT_PORT),
};

const struct of_oxm_extension *
of_oxm_extension(uint16_t class, uint32_t experimenter, uint8_t field)
{
    for (unsigned i = 0; i < OF_LEN(rows); i++)
        if (rows[i].class == class && rows[i].experimenter == experimenter &&
            rows[i].first <= field && field <= rows[i].last)
            return &rows[i];
    return NULL;
}

void
of_say_oxm_name(struct of_printer *printer, uint16_t class, uint32_t experimenter, uint8_t field)
{
    const struct of_oxm_extension *row = of_oxm_extension(class, experimenter, field);
    const char *name = of_oxm_name(class, field);

    if (name)
        of_say(printer, "%s", name);
    else if (!row)
        of_say(printer, "oxm(0x%x,%u)", experimenter ? experimenter : class, field);
    else if (row->first == row->last)
        of_say(printer, "%s", row->name);
    else
        of_say(printer, "%s%u", row->name, field - row->first);
}
