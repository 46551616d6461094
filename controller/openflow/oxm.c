/* SPDX-License-Identifier: Apache-2.0
 *
 * oxm.c - matches as OXM TLVs: one table of fields, from which decoding, encoding and printing
 * follow. Neighbours: decode.c, encode.c, action.c (set-field), print.c. Any thread. OpenFlow 1.3.5
 * section 7.2.3.
 *
 *   0                   1                   2                   3
 *  +-------------------------------+-------------+-+---------------+
 *  |          oxm class            |  oxm field  |M|    length     |   M: a mask follows the value;
 *  +-------------------------------+-------------+-+---------------+   length counts both
 *  |  value (length or length / 2 bytes) ...  | mask ...           |
 *  +---------------------------------------------------------------+
 */
#include "codec.h"

#include <arpa/inet.h>

#include <trivet/openflow_oxm.h>

#define CLASS_BASIC OFPXMC_OPENFLOW_BASIC
#define EXPERIMENTER_SIZE 4 /* its number, before the value; counted in the length */
#define TLV_HEADER 4
#define MATCH_HEADER 4 /* u16 type, u16 length without padding */
#define MATCH_OXM 1

struct oxm_field {
    const char *name;      /* as ovs-ofctl prints it */
    uint8_t size;          /* of the value on the wire */
    bool maskable;         /* the spec allows a mask */
    enum of_format format; /* how it prints */
    uint8_t value_offset;  /* in struct of_match */
    uint8_t mask_offset;   /* in struct of_match; 0: it holds no mask of this field */
    uint32_t bit;          /* OF_M_*; OF_M_OTHER: struct of_match does not hold it */
};
/* offset 0 is of_match.fields, so it can never be a mask */
_Static_assert(offsetof(struct of_match, fields) == 0, "mask_offset 0 means none");
_Static_assert(sizeof(struct of_match) < 256, "offsets are 8 bits");

#define AT(member) offsetof(struct of_match, member)
#define OTHER .bit = OF_M_OTHER

/* Table 11 of section 7.2.3.7, in its order: the index is the oxm field */
static const struct oxm_field fields[] = {
    [0] = {"in_port", 4, false, OF_FORMAT_PORT, AT(in_port), .bit = OF_M_IN_PORT},
    [1] = {"in_phy_port", 4, false, OF_FORMAT_PORT, AT(in_phy_port), .bit = OF_M_IN_PHY_PORT},
    [2] = {"metadata", 8, true, OF_FORMAT_HEX, AT(metadata), AT(metadata_mask), OF_M_METADATA},
    [3] = {"dl_dst", 6, true, OF_FORMAT_MAC, AT(eth_dst), AT(eth_dst_mask), OF_M_ETH_DST},
    [4] = {"dl_src", 6, true, OF_FORMAT_MAC, AT(eth_src), AT(eth_src_mask), OF_M_ETH_SRC},
    [5] = {"dl_type", 2, false, OF_FORMAT_HEX, AT(eth_type), .bit = OF_M_ETH_TYPE},
    [6] = {"vlan_vid", 2, true, OF_FORMAT_HEX, AT(vlan_vid), AT(vlan_vid_mask), OF_M_VLAN_VID},
    [7] = {"vlan_pcp", 1, false, OF_FORMAT_DECIMAL, AT(vlan_pcp), .bit = OF_M_VLAN_PCP},
    [8] = {"ip_dscp", 1, false, OF_FORMAT_DECIMAL, AT(ip_dscp), .bit = OF_M_IP_DSCP},
    [9] = {"ip_ecn", 1, false, OF_FORMAT_DECIMAL, OTHER},
    [10] = {"nw_proto", 1, false, OF_FORMAT_DECIMAL, AT(ip_proto), .bit = OF_M_IP_PROTO},
    [11] = {"nw_src", 4, true, OF_FORMAT_IPV4, AT(ipv4_src), AT(ipv4_src_mask), OF_M_IPV4_SRC},
    [12] = {"nw_dst", 4, true, OF_FORMAT_IPV4, AT(ipv4_dst), AT(ipv4_dst_mask), OF_M_IPV4_DST},
    [13] = {"tcp_src", 2, false, OF_FORMAT_DECIMAL, AT(l4_src), .bit = OF_M_L4_SRC},
    [14] = {"tcp_dst", 2, false, OF_FORMAT_DECIMAL, AT(l4_dst), .bit = OF_M_L4_DST},
    [15] = {"udp_src", 2, false, OF_FORMAT_DECIMAL, AT(l4_src), .bit = OF_M_L4_SRC},
    [16] = {"udp_dst", 2, false, OF_FORMAT_DECIMAL, AT(l4_dst), .bit = OF_M_L4_DST},
    [17] = {"sctp_src", 2, false, OF_FORMAT_DECIMAL, AT(l4_src), .bit = OF_M_L4_SRC},
    [18] = {"sctp_dst", 2, false, OF_FORMAT_DECIMAL, AT(l4_dst), .bit = OF_M_L4_DST},
    [19] = {"icmp_type", 1, false, OF_FORMAT_DECIMAL, AT(icmp_type), .bit = OF_M_ICMP_TYPE},
    [20] = {"icmp_code", 1, false, OF_FORMAT_DECIMAL, AT(icmp_code), .bit = OF_M_ICMP_CODE},
    [21] = {"arp_op", 2, false, OF_FORMAT_DECIMAL, AT(arp_op), .bit = OF_M_ARP_OP},
    [22] = {"arp_spa", 4, true, OF_FORMAT_IPV4, AT(arp_spa), AT(arp_spa_mask), OF_M_ARP_SPA},
    [23] = {"arp_tpa", 4, true, OF_FORMAT_IPV4, AT(arp_tpa), AT(arp_tpa_mask), OF_M_ARP_TPA},
    [24] = {"arp_sha", 6, true, OF_FORMAT_MAC, OTHER},
    [25] = {"arp_tha", 6, true, OF_FORMAT_MAC, OTHER},
    [26] = {"ipv6_src", 16, true, OF_FORMAT_IPV6, AT(ipv6_src), .bit = OF_M_IPV6_SRC},
    [27] = {"ipv6_dst", 16, true, OF_FORMAT_IPV6, AT(ipv6_dst), .bit = OF_M_IPV6_DST},
    [28] = {"ipv6_label", 4, true, OF_FORMAT_HEX, OTHER},
    [29] = {"icmpv6_type", 1, false, OF_FORMAT_DECIMAL, AT(icmp_type), .bit = OF_M_ICMP_TYPE},
    [30] = {"icmpv6_code", 1, false, OF_FORMAT_DECIMAL, AT(icmp_code), .bit = OF_M_ICMP_CODE},
    [31] = {"nd_target", 16, false, OF_FORMAT_IPV6, OTHER},
    [32] = {"nd_sll", 6, false, OF_FORMAT_MAC, OTHER},
    [33] = {"nd_tll", 6, false, OF_FORMAT_MAC, OTHER},
    [34] = {"mpls_label", 4, false, OF_FORMAT_DECIMAL, OTHER},
    [35] = {"mpls_tc", 1, false, OF_FORMAT_DECIMAL, OTHER},
    [36] = {"mpls_bos", 1, false, OF_FORMAT_DECIMAL, OTHER},
    [37] = {"pbb_isid", 3, true, OF_FORMAT_HEX, OTHER},
    [38] = {"tun_id", 8, true, OF_FORMAT_HEX, AT(tunnel_id), AT(tunnel_id_mask), OF_M_TUNNEL_ID},
    [39] = {"ipv6_exthdr", 2, true, OF_FORMAT_HEX, OTHER},
};
#define N_FIELDS OF_LEN(fields)
_Static_assert(N_FIELDS == OFPXMT_COUNT, "a row for every field of the spec");

/* Which fields to encode for a bit of of_match.fields, in the order of the bits, which puts every
 * prerequisite before what needs it (section 7.2.3.6). L4 and ICMP depend on ip_proto: see
 * index_of(). */
static const uint8_t by_bit[] = {
    0 /* in_port */,     3 /* eth_dst */,    4 /* eth_src */,    5 /* eth_type */,
    6 /* vlan_vid */,    7 /* pcp */,        10 /* ip_proto */,  11 /* ipv4_src */,
    12 /* ipv4_dst */,   13 /* l4_src */,    14 /* l4_dst */,    21 /* arp_op */,
    22 /* arp_spa */,    23 /* arp_tpa */,   26 /* ipv6_src */,  27 /* ipv6_dst */,
    1 /* in_phy_port */, 2 /* metadata */,   38 /* tunnel_id */, 8 /* ip_dscp */,
    19 /* icmp_type */,  20 /* icmp_code */,
};
#define ENCODABLE ((UINT32_C(1) << sizeof(by_bit)) - 1)
_Static_assert(OF_M_ICMP_CODE == 1 << (sizeof(by_bit) - 1), "by_bit follows enum of_match_field");

#define PROTO_UDP 17
#define PROTO_ICMPV6 58
#define PROTO_SCTP 132

static unsigned
index_of(unsigned bit, uint8_t ip_proto)
{
    unsigned index = by_bit[bit];

    if (index == 13 || index == 14)
        return index + (ip_proto == PROTO_UDP ? 2u : ip_proto == PROTO_SCTP ? 4u : 0u);
    if ((index == 19 || index == 20) && ip_proto == PROTO_ICMPV6)
        return index + 10;
    return index;
}

/* ---- reading ---------------------------------------------------------------------- */

struct tlv {
    uint16_t class;
    uint8_t field;
    bool has_mask;
    uint8_t size; /* of value and mask together */
    const uint8_t *value;
};

/* Next TLV of a list: 1, 0 at the end, or an error. Each step takes at least the 4 bytes of header.
 */
static int
next_tlv(struct of_cursor *c, struct tlv *ret)
{
    const uint8_t *p;

    if (c->left == 0)
        return 0;
    if (!of_take(c, TLV_HEADER, &p))
        return OF_ESHORT;
    ret->class = of_get16(p);
    ret->field = p[2] >> 1;
    ret->has_mask = p[2] & 1;
    ret->size = p[3];
    if (!of_take(c, ret->size, &ret->value))
        return OF_ELENGTH;
    return 1;
}

/* The row of a TLV, NULL when it is none we know; checks its size. */
static int
find_field(const struct tlv *tlv, const struct oxm_field **ret)
{
    unsigned head = tlv->class == OFPXMC_EXPERIMENTER ? EXPERIMENTER_SIZE : 0;

    *ret = NULL;
    if (tlv->size < head)
        return OF_ELENGTH;
    if (tlv->class != CLASS_BASIC || tlv->field >= N_FIELDS)
        return tlv->has_mask && tlv->size % 2 ? OF_ELENGTH : OF_OK;
    if (tlv->size != fields[tlv->field].size * (tlv->has_mask ? 2 : 1))
        return OF_ELENGTH;
    if (tlv->has_mask && !fields[tlv->field].maskable)
        return OF_EVALUE;
    *ret = &fields[tlv->field];
    return OF_OK;
}

/* MACs and IPv6 addresses are bytes in struct of_match, all others numbers in host order. */
static void
load(uint8_t *to, const uint8_t *from, unsigned size)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (size) {
    case 2:
        u16 = of_get16(from);
        memcpy(to, &u16, 2);
        break;
    case 4:
        u32 = of_get32(from);
        memcpy(to, &u32, 4);
        break;
    case 8:
        u64 = of_get64(from);
        memcpy(to, &u64, 8);
        break;
    default:
        memcpy(to, from, size);
    }
}

static void
store(uint8_t *to, const uint8_t *from, unsigned size)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (size) {
    case 2:
        memcpy(&u16, from, 2);
        of_store16(to, u16);
        break;
    case 4:
        memcpy(&u32, from, 4);
        of_store32(to, u32);
        break;
    case 8:
        memcpy(&u64, from, 8);
        of_store64(to, u64);
        break;
    default:
        memcpy(to, from, size);
    }
}

static bool
all_ones(const uint8_t *p, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (p[i] != 0xff)
            return false;
    return true;
}

int
of_match_size(const uint8_t *p, uint32_t n)
{
    uint32_t length;

    if (n < MATCH_HEADER)
        return OF_ESHORT;
    length = of_get16(p + 2);
    if (length < MATCH_HEADER || of_pad8(length) > n)
        return OF_ELENGTH;
    return (int)of_pad8(length);
}

struct of_cursor
of_match_list(const uint8_t *p)
{
    return (struct of_cursor){p + MATCH_HEADER, (uint32_t)of_get16(p + 2) - MATCH_HEADER};
}

int
of_match_decode(const uint8_t *p, struct of_match *ret, const uint8_t **at)
{
    struct of_cursor c = of_match_list(p);
    struct tlv tlv;
    int error;

    memset(ret, 0, sizeof(*ret));
    *at = p;
    if (of_get16(p) != MATCH_OXM)
        return OF_EVALUE;
    while (*at = c.p, (error = next_tlv(&c, &tlv)) > 0) {
        const struct oxm_field *field;
        bool masked;

        error = find_field(&tlv, &field);
        if (error)
            return error;
        masked = tlv.has_mask && !all_ones(tlv.value + tlv.size / 2, tlv.size / 2);
        /* unknown, not held, or held without the mask that is there */
        if (!field || field->bit == OF_M_OTHER || (masked && !field->mask_offset)) {
            ret->fields |= OF_M_OTHER;
            continue;
        }
        if (ret->fields & field->bit)
            return OF_EVALUE; /* OFPBMC_DUP_FIELD */
        ret->fields |= field->bit;
        load((uint8_t *)ret + field->value_offset, tlv.value, field->size);
        if (masked) {
            ret->masked |= field->bit;
            load((uint8_t *)ret + field->mask_offset, tlv.value + field->size, field->size);
        }
    }
    return error;
}

int
of_match_in_port(const uint8_t *p, uint32_t *ret)
{
    struct of_cursor c = of_match_list(p);
    struct tlv tlv;
    int error;

    /* every switch we know puts it first */
    if (c.left >= 8 && of_get32(c.p) == OF_OXM_IN_PORT) {
        *ret = of_get32(c.p + 4);
        return OF_OK;
    }
    while ((error = next_tlv(&c, &tlv)) > 0)
        if (tlv.class == CLASS_BASIC && tlv.field == 0 && tlv.size == 4 && !tlv.has_mask) {
            *ret = of_get32(tlv.value);
            return OF_OK;
        }
    return error ? error : OF_EVALUE;
}

int
of_next_oxm(struct of_cursor *list, struct of_oxm *ret)
{
    struct of_cursor c = *list;
    const struct oxm_field *field;
    struct tlv tlv;
    unsigned head;
    int error = next_tlv(&c, &tlv);

    if (error <= 0)
        return error;
    error = find_field(&tlv, &field);
    if (error)
        return error;
    head = tlv.class == OFPXMC_EXPERIMENTER ? EXPERIMENTER_SIZE : 0;
    ret->class = tlv.class;
    ret->field = tlv.field;
    ret->size = (uint8_t)((tlv.size - head) / (tlv.has_mask ? 2u : 1u));
    ret->experimenter = head ? of_get32(tlv.value) : 0;
    ret->value = tlv.value + head;
    ret->mask = tlv.has_mask ? ret->value + ret->size : NULL;
    *list = c;
    return 1;
}

static const struct oxm_field *
known(uint16_t class, uint8_t field)
{
    return class == CLASS_BASIC && field < N_FIELDS ? &fields[field] : NULL;
}

const char *
of_oxm_name(uint16_t class, uint8_t field)
{
    return known(class, field) ? fields[field].name : NULL;
}

uint8_t
of_oxm_size(uint16_t class, uint8_t field)
{
    return known(class, field) ? fields[field].size : 0;
}

bool
of_oxm_maskable(uint16_t class, uint8_t field)
{
    return known(class, field) && fields[field].maskable;
}

/* ---- writing ------------------------------------------------------------------------- */

uint32_t
of_match_wire_size(const struct of_match *match, const struct of_cursor *oxm)
{
    const uint32_t hot = OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC;
    uint32_t size = MATCH_HEADER;

    if (!(match->fields & ~hot) && !(match->masked & hot)) /* the rule of most policies */
        return of_pad8(size + (match->fields & OF_M_IN_PORT ? 8 : 0) +
                       (match->fields & OF_M_ETH_DST ? 10 : 0) +
                       (match->fields & OF_M_ETH_SRC ? 10 : 0));
    if (match->fields & ~ENCODABLE) {
        if (!(match->fields & OF_M_OTHER) || !oxm->p || oxm->left > OF_MESSAGE_MAX)
            return 0;
        return of_pad8(size + oxm->left);
    }
    for (uint32_t left = match->fields; left; left &= left - 1) {
        unsigned bit = (unsigned)__builtin_ctz(left);
        const struct oxm_field *field = &fields[by_bit[bit]];
        bool masked = match->masked & field->bit;

        if (masked && !field->mask_offset)
            return 0;
        size += TLV_HEADER + field->size * (masked ? 2u : 1u);
    }
    return of_pad8(size);
}

uint8_t *
of_oxm_list_encode(uint8_t *p, const struct of_cursor *oxm)
{
    uint32_t length = MATCH_HEADER + oxm->left;

    of_store16(p, MATCH_OXM);
    of_store16(p + 2, (uint16_t)length);
    of_copy(p + MATCH_HEADER, oxm->p, oxm->left);
    memset(p + length, 0, of_pad8(length) - length);
    return p + of_pad8(length);
}

uint8_t *
of_match_encode(uint8_t *p, const struct of_match *match, const struct of_cursor *oxm)
{
    uint8_t *start = p;
    uint32_t left = match->fields, length;

    if (left & OF_M_OTHER)
        return of_oxm_list_encode(p, oxm);
    p += MATCH_HEADER;
    /* the fields of every rule a policy makes, without the table */
    if (!(match->masked & (OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC))) {
        if (left & OF_M_IN_PORT) {
            of_store32(p, OF_OXM_IN_PORT);
            of_store32(p + 4, match->in_port);
            p += 8;
        }
        if (left & OF_M_ETH_DST) {
            of_store32(p, OF_OXM_ETH_DST);
            memcpy(p + 4, match->eth_dst, 6);
            p += 10;
        }
        if (left & OF_M_ETH_SRC) {
            of_store32(p, OF_OXM_ETH_SRC);
            memcpy(p + 4, match->eth_src, 6);
            p += 10;
        }
        left &= ~(uint32_t)(OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC);
    }
    for (; left; left &= left - 1) {
        unsigned index = index_of((unsigned)__builtin_ctz(left), match->ip_proto);
        const struct oxm_field *field = &fields[index];
        bool masked = match->masked & field->bit;

        of_store16(p, CLASS_BASIC);
        p[2] = (uint8_t)(index << 1 | masked);
        p[3] = (uint8_t)(field->size * (masked ? 2 : 1));
        p += TLV_HEADER;
        store(p, (const uint8_t *)match + field->value_offset, field->size);
        p += field->size;
        if (masked) {
            store(p, (const uint8_t *)match + field->mask_offset, field->size);
            p += field->size;
        }
    }
    length = (uint32_t)(p - start);
    of_store16(start, MATCH_OXM);
    of_store16(start + 2, (uint16_t)length);
    while (length++ % 8)
        *p++ = 0;
    return p;
}

void
of_add_oxm(struct of_buffer *list, const struct of_oxm *oxm)
{
    unsigned head = oxm->class == OFPXMC_EXPERIMENTER ? EXPERIMENTER_SIZE : 0;
    unsigned body = head + oxm->size * (oxm->mask ? 2u : 1u);
    uint8_t *p = body <= UINT8_MAX ? of_grow(list, TLV_HEADER + body) : NULL;

    if (!p) {
        of_refuse(list);
        return;
    }
    of_store16(p, oxm->class);
    p[2] = (uint8_t)(oxm->field << 1 | (oxm->mask ? 1 : 0));
    p[3] = (uint8_t)body;
    p += TLV_HEADER;
    if (head)
        of_store32(p, oxm->experimenter);
    of_copy(p + head, oxm->value, oxm->size);
    if (oxm->mask)
        of_copy(p + head + oxm->size, oxm->mask, oxm->size);
}

/* ---- printing ------------------------------------------------------------------------- */

static void
print_number(struct of_printer *printer, enum of_format format, const uint8_t *p, unsigned size)
{
    uint64_t number = 0;

    while (size > 8 && *p == 0) { /* a label or register of 16 bytes */
        p++;
        size--;
    }
    if (size > 8) {
        of_say(printer, "0x%x", *p);
        while (--size)
            of_say(printer, "%02x", *++p);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        number = number << 8 | p[i];
    if (format == OF_FORMAT_HEX)
        of_say(printer, "0x%0*lx", size == 2 ? 4 : 1, (unsigned long)number);
    else
        of_say(printer, "%lu", (unsigned long)number);
}

static void
print_value(struct of_printer *printer, enum of_format format, const uint8_t *p, unsigned size)
{
    char text[INET6_ADDRSTRLEN];

    switch (format) {
    case OF_FORMAT_MAC:
        of_say_mac(printer, p);
        break;
    case OF_FORMAT_IPV4:
    case OF_FORMAT_IPV6:
        of_say(printer, "%s",
               inet_ntop(format == OF_FORMAT_IPV4 ? AF_INET : AF_INET6, p, text, sizeof(text)));
        break;
    case OF_FORMAT_PORT: /* Nicira's is of 1.0 */
        of_say_port_number(printer, size == 2 ? of_port_from10(of_get16(p)) : of_get32(p));
        break;
    default:
        print_number(printer, format, p, size);
    }
}

/* A field that find_field() does not know. */
static void
print_extension(struct of_printer *printer, const struct tlv *tlv)
{
    unsigned head =
        tlv->class == OFPXMC_EXPERIMENTER && tlv->size >= EXPERIMENTER_SIZE ? EXPERIMENTER_SIZE : 0;
    uint32_t experimenter = head ? of_get32(tlv->value) : 0;
    const struct of_oxm_extension *row = of_oxm_extension(tlv->class, experimenter, tlv->field);
    unsigned size = (tlv->size - head) / (tlv->has_mask ? 2u : 1u);
    const uint8_t *value = tlv->value + head, *mask = value + size;
    bool known = row && size && (row->size == size || row->size == OF_ANY_SIZE);

    of_say_oxm_name(printer, tlv->class, experimenter, tlv->field);
    of_say(printer, "=");
    if (known)
        print_value(printer, row->format, value, size);
    else
        of_say_hex(printer, value, size);
    if (!tlv->has_mask || (known && all_ones(mask, size)))
        return;
    of_say(printer, "/");
    if (known)
        print_value(printer, row->format, mask, size);
    else
        of_say_hex(printer, mask, size);
}

static void
print_tlv(struct of_printer *printer, const struct tlv *tlv)
{
    const struct oxm_field *field;

    if (find_field(tlv, &field) || !field) {
        print_extension(printer, tlv);
        return;
    }
    of_say(printer, "%s=", field->name);
    print_value(printer, field->format, tlv->value, field->size);
    if (tlv->has_mask && !all_ones(tlv->value + field->size, field->size)) {
        of_say(printer, "/");
        print_value(printer, field->format, tlv->value + field->size, field->size);
    }
}

void
of_match_say(struct of_printer *printer, const struct of_match *match)
{
    const char *separator = "";

    of_say(printer, " match={");
    for (uint32_t left = match->fields & ENCODABLE; left; left &= left - 1) {
        const struct oxm_field *field =
            &fields[index_of((unsigned)__builtin_ctz(left), match->ip_proto)];
        bool masked = match->masked & field->bit;
        uint8_t value[16];

        of_say(printer, "%s%s=", separator, field->name);
        store(value, (const uint8_t *)match + field->value_offset, field->size);
        print_value(printer, field->format, value, field->size);
        if (masked && field->mask_offset) {
            of_say(printer, "/");
            store(value, (const uint8_t *)match + field->mask_offset, field->size);
            print_value(printer, field->format, value, field->size);
        }
        separator = ",";
    }
    of_say(printer, "}");
}

int
of_match_print(struct of_printer *printer, const uint8_t *p, const uint8_t **at)
{
    struct of_cursor c = of_match_list(p);
    const struct oxm_field *field;
    struct tlv tlv;
    const char *separator = "";
    int error;

    of_say(printer, " match={");
    while (*at = c.p, (error = next_tlv(&c, &tlv)) > 0) {
        error = find_field(&tlv, &field);
        if (error)
            break;
        of_say(printer, "%s", separator);
        print_tlv(printer, &tlv);
        separator = ",";
    }
    of_say(printer, "}");
    return error;
}

void
of_oxm_print(struct of_printer *printer, const uint8_t *p, uint32_t size)
{
    struct of_cursor c = {p, size};
    struct tlv tlv;

    if (next_tlv(&c, &tlv) > 0)
        print_tlv(printer, &tlv);
}
