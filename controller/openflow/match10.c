/* SPDX-License-Identifier: Apache-2.0
 *
 * match10.c - the match of OpenFlow 1.0: 40 bytes with a word of wildcards, into and out of struct
 * of_match. Neighbours: oxm.c (the match of 1.3, and how a match prints), flow.c. Any thread.
 * OpenFlow 1.0.0 section 5.2.3.
 *
 *   0                   1                   2                   3
 *  +---------------------------------------------------------------+
 *  | wildcards: a bit a field, 6 bits each for nw_src and nw_dst   |
 *  +-------------------------------+-------------------------------+
 *  |           in_port             |  dl_src ...                   |
 *  +-------------------------------+-------------------------------+ 8
 *  |  ... dl_src                                                   |
 *  +---------------------------------------------------------------+
 *  |  dl_dst ...                                                   |
 *  +-------------------------------+-------------------------------+
 *  |  ... dl_dst                   |           dl_vlan             |
 *  +---------------+---------------+-------------------------------+ 20
 *  |   vlan pcp    |       0       |           dl_type             |
 *  +---------------+---------------+-------------------------------+
 *  |    nw_tos     |   nw_proto    |               0               |
 *  +---------------+---------------+-------------------------------+
 *  |                            nw_src                             |
 *  +---------------------------------------------------------------+
 *  |                            nw_dst                             |
 *  +-------------------------------+-------------------------------+
 *  |            tp_src             |            tp_dst             |
 *  +-------------------------------+-------------------------------+
 */
#include "codec.h"

enum wildcard {
    IN_PORT = 1 << 0,
    DL_VLAN = 1 << 1,
    DL_SRC = 1 << 2,
    DL_DST = 1 << 3,
    DL_TYPE = 1 << 4,
    NW_PROTO = 1 << 5,
    TP_SRC = 1 << 6,
    TP_DST = 1 << 7,
    NW_SRC_SHIFT = 8, /* number of low bits that are wild; 32 and more: all */
    NW_DST_SHIFT = 14,
    DL_VLAN_PCP = 1 << 20,
    NW_TOS = 1 << 21,
    ALL = IN_PORT | DL_VLAN | DL_SRC | DL_DST | DL_TYPE | NW_PROTO | TP_SRC | TP_DST |
          32 << NW_SRC_SHIFT | 32 << NW_DST_SHIFT | DL_VLAN_PCP | NW_TOS,
};

#define VLAN_NONE 0xffff /* frames without a tag */
#define TYPE_ARP 0x0806
#define PROTO_ICMP 1

/* What depends on the protocol: nw_proto, nw_src and nw_dst are ARP's when dl_type is ARP, tp_src
 * and tp_dst are ICMP's when nw_proto is ICMP. */
static bool
is_arp(const struct of_match *match)
{
    return match->fields & OF_M_ETH_TYPE && match->eth_type == TYPE_ARP;
}

static bool
is_icmp(const struct of_match *match)
{
    return !is_arp(match) && match->fields & OF_M_IP_PROTO && match->ip_proto == PROTO_ICMP;
}

/* The prefix that a number of wild bits leaves; 0: none */
static uint32_t
prefix_of(uint32_t wild)
{
    return wild >= 32 ? 0 : UINT32_MAX << wild;
}

static void
decode_address(struct of_match *ret, uint32_t bit, uint32_t address, uint32_t prefix,
               uint32_t *ret_address, uint32_t *ret_mask)
{
    if (!prefix)
        return;
    ret->fields |= bit;
    *ret_address = address & prefix;
    if (prefix == UINT32_MAX)
        return;
    ret->masked |= bit;
    *ret_mask = prefix;
}

void
of_match10_decode(const uint8_t *p, struct of_match *ret)
{
    uint32_t wild = of_get32(p);
    uint32_t src = prefix_of(wild >> NW_SRC_SHIFT & 63), dst = prefix_of(wild >> NW_DST_SHIFT & 63);

    memset(ret, 0, sizeof(*ret));
    if (!(wild & IN_PORT)) {
        ret->fields |= OF_M_IN_PORT;
        ret->in_port = of_port_from10(of_get16(p + 4));
    }
    if (!(wild & DL_SRC)) {
        ret->fields |= OF_M_ETH_SRC;
        memcpy(ret->eth_src, p + 6, 6);
    }
    if (!(wild & DL_DST)) {
        ret->fields |= OF_M_ETH_DST;
        memcpy(ret->eth_dst, p + 12, 6);
    }
    if (!(wild & DL_VLAN)) {
        uint16_t vlan = of_get16(p + 18);

        ret->fields |= OF_M_VLAN_VID;
        ret->vlan_vid = vlan == VLAN_NONE ? 0 : (vlan & 0xfff) | OFPVID_PRESENT;
    }
    if (!(wild & DL_VLAN_PCP)) {
        ret->fields |= OF_M_VLAN_PCP;
        ret->vlan_pcp = p[20];
    }
    if (!(wild & DL_TYPE)) {
        ret->fields |= OF_M_ETH_TYPE;
        ret->eth_type = of_get16(p + 22);
    }
    if (!(wild & NW_TOS)) {
        ret->fields |= OF_M_IP_DSCP;
        ret->ip_dscp = p[24] >> 2;
    }
    if (is_arp(ret)) {
        if (!(wild & NW_PROTO)) {
            ret->fields |= OF_M_ARP_OP;
            ret->arp_op = p[25];
        }
        decode_address(ret, OF_M_ARP_SPA, of_get32(p + 28), src, &ret->arp_spa, &ret->arp_spa_mask);
        decode_address(ret, OF_M_ARP_TPA, of_get32(p + 32), dst, &ret->arp_tpa, &ret->arp_tpa_mask);
    } else {
        if (!(wild & NW_PROTO)) {
            ret->fields |= OF_M_IP_PROTO;
            ret->ip_proto = p[25];
        }
        decode_address(ret, OF_M_IPV4_SRC, of_get32(p + 28), src, &ret->ipv4_src,
                       &ret->ipv4_src_mask);
        decode_address(ret, OF_M_IPV4_DST, of_get32(p + 32), dst, &ret->ipv4_dst,
                       &ret->ipv4_dst_mask);
    }
    if (!(wild & TP_SRC)) {
        ret->fields |= is_icmp(ret) ? OF_M_ICMP_TYPE : OF_M_L4_SRC;
        if (is_icmp(ret))
            ret->icmp_type = p[37];
        else
            ret->l4_src = of_get16(p + 36);
    }
    if (!(wild & TP_DST)) {
        ret->fields |= is_icmp(ret) ? OF_M_ICMP_CODE : OF_M_L4_DST;
        if (is_icmp(ret))
            ret->icmp_code = p[39];
        else
            ret->l4_dst = of_get16(p + 38);
    }
}

static bool
is_prefix(uint32_t mask)
{
    return mask && !(~mask & (~mask + 1));
}

bool
of_match10_fits(const struct of_match *match)
{
    const uint32_t addresses = OF_M_IPV4_SRC | OF_M_IPV4_DST | OF_M_ARP_SPA | OF_M_ARP_TPA;
    const uint32_t arp = OF_M_ARP_OP | OF_M_ARP_SPA | OF_M_ARP_TPA;
    const uint32_t icmp = OF_M_ICMP_TYPE | OF_M_ICMP_CODE;
    const uint32_t ip = OF_M_IP_PROTO | OF_M_IPV4_SRC | OF_M_IPV4_DST;
    const uint32_t l4 = OF_M_L4_SRC | OF_M_L4_DST;
    uint32_t sayable = OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC | OF_M_ETH_TYPE | OF_M_VLAN_VID |
                       OF_M_VLAN_PCP | OF_M_IP_DSCP;
    uint32_t masked = match->masked & match->fields;
    uint16_t port;

    if (!(match->fields & ~sayable) && !masked) /* what most rules match: hot */
        return !(match->fields & OF_M_IN_PORT) || of_port_to10(match->in_port, &port);
    sayable |= is_arp(match) ? arp : ip;
    sayable |= is_icmp(match) ? icmp : l4;
    return !(match->fields & ~sayable) && !(masked & ~addresses) &&
           (!(match->fields & OF_M_IN_PORT) || of_port_to10(match->in_port, &port)) &&
           (!(match->fields & OF_M_ARP_OP) || match->arp_op <= 0xff) &&
           (!(masked & OF_M_IPV4_SRC) || is_prefix(match->ipv4_src_mask)) &&
           (!(masked & OF_M_IPV4_DST) || is_prefix(match->ipv4_dst_mask)) &&
           (!(masked & OF_M_ARP_SPA) || is_prefix(match->arp_spa_mask)) &&
           (!(masked & OF_M_ARP_TPA) || is_prefix(match->arp_tpa_mask));
}

/* Writes an address and gives its number of wild bits. */
static uint32_t
encode_address(uint8_t *p, const struct of_match *match, uint32_t bit, uint32_t address,
               uint32_t mask)
{
    if (!(match->fields & bit))
        return 32;
    of_store32(p, address);
    return match->masked & bit ? (uint32_t)__builtin_ctz(mask) : 0;
}

void
of_match10_encode(uint8_t *p, const struct of_match *match)
{
    uint32_t fields = match->fields, wild = ALL & ~(63u << NW_SRC_SHIFT) & ~(63u << NW_DST_SHIFT);
    uint32_t src, dst;

    memset(p, 0, OF_MATCH10_SIZE);
    if (fields & OF_M_IN_PORT) {
        wild &= ~(uint32_t)IN_PORT;
        of_store16(p + 4, (uint16_t)match->in_port);
    }
    if (fields & OF_M_ETH_SRC) {
        wild &= ~(uint32_t)DL_SRC;
        memcpy(p + 6, match->eth_src, 6);
    }
    if (fields & OF_M_ETH_DST) {
        wild &= ~(uint32_t)DL_DST;
        memcpy(p + 12, match->eth_dst, 6);
    }
    if (fields & OF_M_VLAN_VID) {
        wild &= ~(uint32_t)DL_VLAN;
        of_store16(p + 18, match->vlan_vid & OFPVID_PRESENT ? match->vlan_vid & 0xfff : VLAN_NONE);
    }
    if (fields & OF_M_VLAN_PCP) {
        wild &= ~(uint32_t)DL_VLAN_PCP;
        p[20] = match->vlan_pcp;
    }
    if (fields & OF_M_ETH_TYPE) {
        wild &= ~(uint32_t)DL_TYPE;
        of_store16(p + 22, match->eth_type);
    }
    if (fields & OF_M_IP_DSCP) {
        wild &= ~(uint32_t)NW_TOS;
        p[24] = (uint8_t)(match->ip_dscp << 2);
    }
    if (fields & (OF_M_IP_PROTO | OF_M_ARP_OP)) {
        wild &= ~(uint32_t)NW_PROTO;
        p[25] = fields & OF_M_ARP_OP ? (uint8_t)match->arp_op : match->ip_proto;
    }
    if (is_arp(match)) {
        src = encode_address(p + 28, match, OF_M_ARP_SPA, match->arp_spa, match->arp_spa_mask);
        dst = encode_address(p + 32, match, OF_M_ARP_TPA, match->arp_tpa, match->arp_tpa_mask);
    } else {
        src = encode_address(p + 28, match, OF_M_IPV4_SRC, match->ipv4_src, match->ipv4_src_mask);
        dst = encode_address(p + 32, match, OF_M_IPV4_DST, match->ipv4_dst, match->ipv4_dst_mask);
    }
    wild |= src << NW_SRC_SHIFT | dst << NW_DST_SHIFT;
    if (fields & (OF_M_L4_SRC | OF_M_ICMP_TYPE)) {
        wild &= ~(uint32_t)TP_SRC;
        of_store16(p + 36, fields & OF_M_ICMP_TYPE ? match->icmp_type : match->l4_src);
    }
    if (fields & (OF_M_L4_DST | OF_M_ICMP_CODE)) {
        wild &= ~(uint32_t)TP_DST;
        of_store16(p + 38, fields & OF_M_ICMP_CODE ? match->icmp_code : match->l4_dst);
    }
    of_store32(p, wild);
}
