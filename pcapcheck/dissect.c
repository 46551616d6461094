/* SPDX-License-Identifier: Apache-2.0
 *
 * dissect.c - from bytes to addresses, ports and payload.
 *
 * Ethernet, 802.1Q and 802.1ad tags, MPLS (RFC 3032), ARP (RFC 826), IPv4 (RFC 791), IPv6 with
 * extension headers (RFC 8200), TCP, UDP, SCTP, ICMP, ICMPv6, VXLAN (RFC 7348), GENEVE (RFC 8926),
 * GRE (RFC 2784, 2890), IP in IP. Inner headers win; the outer ones are kept for what switches
 * match.
 *
 * Every byte is fetched through a cursor with two bounds: `cap`, the bytes that were captured, and
 * `len`, the bytes the packet really had, so that "cut off by the capture" and "the packet lies"
 * are told apart. Nothing here loops without taking bytes. Pure; any thread.
 */
#include "dissect.h"

#include <string.h>

#define LAYERS_MAX 12     /* tags, headers and tunnels in one packet */
#define EXTENSIONS_MAX 16 /* IPv6 extension headers */

enum {
    ETH_IPV4 = 0x0800,
    ETH_ARP = 0x0806,
    ETH_TEB = 0x6558, /* Ethernet inside GRE and GENEVE */
    ETH_VLAN = 0x8100,
    ETH_QINQ = 0x88a8,
    ETH_QINQ_OLD = 0x9100,
    ETH_MPLS = 0x8847,
    ETH_MPLS_MULTICAST = 0x8848,
    ETH_IPV6 = 0x86dd,
    ETH_LLDP = 0x88cc,
    ETH_BDDP = 0x8942,   /* broadcast discovery */
    ETH_LOCAL1 = 0x88b5, /* IEEE local experimental: broadcast discovery too */
    ETH_LOCAL2 = 0x88b6,
};

enum {
    IP_ICMP = 1,
    IP_IPIP = 4,
    IP_TCP = 6,
    IP_UDP = 17,
    IP_IPV6 = 41,
    IP_GRE = 47,
    IP_ICMP6 = 58,
    IP_SCTP = 132,
};

enum { PORT_VXLAN = 4789, PORT_GENEVE = 6081 };

struct cur {
    const uint8_t *p;
    uint32_t cap; /* captured bytes left */
    uint32_t len; /* real bytes left; never less than cap */
};

/* What parses next, or DONE with the rest as payload. */
enum next { NEXT_DONE, NEXT_ETHERNET, NEXT_TYPE, NEXT_TRANSPORT };

struct walk {
    struct cur c;
    struct pc_packet *pk;
    enum pc_dissect_result result; /* set by the step that fails */
    uint16_t eth_type;             /* NEXT_TYPE */
    uint8_t proto;                 /* NEXT_TRANSPORT */
    bool tunnelled;                /* the outer headers are complete */
};

static uint16_t
get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* n bytes, or NULL with the reason in w->result. */
static const uint8_t *
take(struct walk *w, uint32_t n)
{
    const uint8_t *p = w->c.p;

    if (n > w->c.cap) {
        w->result = n > w->c.len ? PC_MALFORMED : PC_TRUNCATED;
        return NULL;
    }
    w->c.p += n;
    w->c.cap -= n;
    w->c.len -= n;
    return p;
}

/* The rest is at most n bytes: what follows is padding of the link layer. */
static void
narrow(struct walk *w, uint32_t n)
{
    if (w->c.len > n)
        w->c.len = n;
    if (w->c.cap > w->c.len)
        w->c.cap = w->c.len;
}

static void
put_ip4(uint8_t ret[16], const uint8_t *p)
{
    memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    memcpy(ret + 12, p, 4);
}

static enum next
step_ethernet(struct walk *w)
{
    const uint8_t *p = take(w, 14);

    if (!p)
        return NEXT_DONE;
    if (!w->tunnelled) {
        memcpy(w->pk->eth_dst, p, 6);
        memcpy(w->pk->eth_src, p + 6, 6);
    }
    memcpy(w->pk->inner_dst, p, 6);
    memcpy(w->pk->inner_src, p + 6, 6);
    w->pk->inner_vlan = 0;
    w->eth_type = get16(p + 12);
    return NEXT_TYPE;
}

static enum next
step_vlan(struct walk *w)
{
    const uint8_t *p = take(w, 4);
    uint16_t vid;

    if (!p)
        return NEXT_DONE;
    vid = get16(p) & 0xfff;
    if (!w->pk->inner_vlan)
        w->pk->inner_vlan = vid;
    if (!w->tunnelled && !w->pk->vlan)
        w->pk->vlan = vid;
    w->eth_type = get16(p + 2);
    return NEXT_TYPE;
}

static enum next
step_mpls(struct walk *w)
{
    const uint8_t *p;

    do {
        p = take(w, 4);
        if (!p)
            return NEXT_DONE;
    } while (!(p[2] & 1)); /* bottom of stack */
    if (!w->c.cap) {
        w->result = w->c.len ? PC_TRUNCATED : PC_WHOLE;
        return NEXT_DONE;
    }
    /* No type field: the first nibble tells, as routers do it (RFC 4928). */
    if (w->c.p[0] >> 4 == 4)
        w->eth_type = ETH_IPV4;
    else if (w->c.p[0] >> 4 == 6)
        w->eth_type = ETH_IPV6;
    else
        return NEXT_DONE;
    return NEXT_TYPE;
}

static enum next
step_arp(struct walk *w)
{
    struct pc_layer *l = &w->pk->inner;
    const uint8_t *p = take(w, 8), *body;

    if (!p)
        return NEXT_DONE;
    if (get16(p) != 1 || get16(p + 2) != ETH_IPV4 || p[4] != 6 || p[5] != 4)
        return NEXT_DONE; /* not Ethernet and IPv4: opaque */
    body = take(w, 20);
    if (!body)
        return NEXT_DONE;
    w->pk->arp_op = p[7];
    put_ip4(l->ip_src, body + 6);
    put_ip4(l->ip_dst, body + 16);
    l->has |= PC_HAS_IP;
    memcpy(w->pk->l4_word, body, 6); /* sender and target MAC: part of the identity */
    memcpy((uint8_t *)w->pk->l4_word + 6, body + 10, 6);
    narrow(w, 0);
    return NEXT_DONE;
}

static enum next
step_ipv4(struct walk *w)
{
    struct pc_layer *l = &w->pk->inner;
    const uint8_t *p;
    uint32_t header, total, all = w->c.len;

    p = take(w, 20);
    if (!p)
        return NEXT_DONE;
    header = (uint32_t)(p[0] & 15) * 4;
    total = get16(p + 2);
    if (!total)
        total = all; /* segmentation offload: longer than the field can say */
    if (p[0] >> 4 != 4 || header < 20 || total < header || total > all) {
        w->result = PC_MALFORMED;
        return NEXT_DONE;
    }
    narrow(w, total - 20);
    if (!take(w, header - 20))
        return NEXT_DONE;
    put_ip4(l->ip_src, p + 12);
    put_ip4(l->ip_dst, p + 16);
    l->has |= PC_HAS_IP;
    l->ip_proto = p[9];
    w->pk->ip_id = get16(p + 4);
    w->pk->ip_length = total - header;
    w->pk->fragment = (uint16_t)((get16(p + 6) & 0x1fff) << 3 | (p[6] >> 5 & 1));
    w->proto = p[9];
    return w->pk->fragment >> 3 ? NEXT_DONE : NEXT_TRANSPORT;
}

static enum next
step_ipv6(struct walk *w)
{
    struct pc_layer *l = &w->pk->inner;
    const uint8_t *p = take(w, 40), *x;
    uint32_t length;
    uint8_t next;

    if (!p)
        return NEXT_DONE;
    length = get16(p + 4);
    if (p[0] >> 4 != 6 || length > w->c.len) {
        w->result = PC_MALFORMED;
        return NEXT_DONE;
    }
    if (length) /* 0: a jumbogram or segmentation offload */
        narrow(w, length);
    memcpy(l->ip_src, p + 8, 16);
    memcpy(l->ip_dst, p + 24, 16);
    l->has |= PC_HAS_IP;
    next = p[6];
    w->pk->ip_length = w->c.len;
    for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
        l->ip_proto = next;
        switch (next) {
        case 0:
        case 43:
        case 60:
        case 135:
        case 139:
        case 140: /* hop-by-hop, routing, ... */
            x = take(w, 8);
            if (!x || !take(w, (uint32_t)x[1] * 8))
                return NEXT_DONE;
            break;
        case 44: /* fragment */
            x = take(w, 8);
            if (!x)
                return NEXT_DONE;
            w->pk->fragment = (uint16_t)((get16(x + 2) & 0xfff8) | (x[3] & 1));
            w->pk->ip_id = get32(x + 4);
            if (w->pk->fragment >> 3) {
                l->ip_proto = x[0];
                return NEXT_DONE;
            }
            break;
        case 51: /* authentication header: length in words of 4, minus 2 */
            x = take(w, 8);
            if (!x || !take(w, (uint32_t)x[1] * 4))
                return NEXT_DONE;
            break;
        default:
            w->proto = next;
            return next == 59 ? NEXT_DONE : NEXT_TRANSPORT;
        }
        next = x[0];
    }
    w->result = PC_DEEP;
    return NEXT_DONE;
}

static enum next
step_tcp(struct walk *w)
{
    struct pc_packet *pk = w->pk;
    const uint8_t *p = take(w, 20);
    uint32_t header;

    if (!p)
        return NEXT_DONE;
    pk->inner.l4_src = get16(p);
    pk->inner.l4_dst = get16(p + 2);
    pk->inner.has |= PC_HAS_L4;
    pk->tcp_seq = get32(p + 4);
    pk->tcp_ack = get32(p + 8);
    pk->tcp_flags = p[13];
    pk->l4_word[0] = get32(p);
    pk->l4_word[1] = pk->tcp_seq;
    pk->l4_word[2] = pk->tcp_ack;
    pk->l4_word[3] = get32(p + 12); /* offset, flags, window */
    header = (uint32_t)(p[12] >> 4) * 4;
    if (header < 20) {
        w->result = PC_MALFORMED;
        return NEXT_DONE;
    }
    take(w, header - 20);
    return NEXT_DONE;
}

/* The tunnel headers below change nothing when they are not what they seem (a host may use the port
 * for something else): the caller then keeps the UDP payload. */
static enum next
try_vxlan(struct walk *w)
{
    const uint8_t *p = w->c.p;

    /* The I flag must be set, others are ignored; with the P flag of VXLAN-GPE only Ethernet. */
    if (w->c.cap < 8 || !(p[0] & 0x08) || (p[0] & 0x04 && p[3] != 3) || w->c.len < 8 + 14)
        return NEXT_DONE;
    w->pk->vni = get32(p + 4) >> 8;
    take(w, 8);
    return NEXT_ETHERNET;
}

static enum next
try_geneve(struct walk *w)
{
    const uint8_t *p = w->c.p;
    uint32_t header;
    uint16_t type;

    if (w->c.cap < 8 || p[0] >> 6)
        return NEXT_DONE;
    header = 8 + (uint32_t)(p[0] & 63) * 4;
    type = get16(p + 2);
    if (w->c.len < header || (type != ETH_TEB && type != ETH_IPV4 && type != ETH_IPV6))
        return NEXT_DONE;
    w->pk->vni = get32(p + 4) >> 8;
    if (!take(w, header))
        return NEXT_DONE;
    w->eth_type = type;
    return type == ETH_TEB ? NEXT_ETHERNET : NEXT_TYPE;
}

static enum next
step_udp(struct walk *w)
{
    struct pc_packet *pk = w->pk;
    const uint8_t *p = take(w, 8);
    uint32_t length;

    if (!p)
        return NEXT_DONE;
    pk->inner.l4_src = get16(p);
    pk->inner.l4_dst = get16(p + 2);
    pk->inner.has |= PC_HAS_L4;
    length = get16(p + 4);
    pk->l4_word[0] = get32(p);
    pk->l4_word[1] = length;
    if (length >= 8 && !pk->fragment) /* 0: jumbogram or offload */
        narrow(w, length - 8);
    if (pk->inner.l4_dst == PORT_VXLAN)
        return try_vxlan(w);
    if (pk->inner.l4_dst == PORT_GENEVE)
        return try_geneve(w);
    return NEXT_DONE;
}

static enum next
step_icmp(struct walk *w)
{
    struct pc_packet *pk = w->pk;
    const uint8_t *p = take(w, 8);
    bool echo;

    if (!p)
        return NEXT_DONE;
    echo = w->proto == IP_ICMP ? p[0] == 0 || p[0] == 8 : p[0] == 128 || p[0] == 129;
    if (echo)
        pk->inner.l4_src = pk->inner.l4_dst = get16(p + 4);
    pk->l4_word[0] = get16(p); /* type, code; not the checksum */
    pk->l4_word[1] = get32(p + 4);
    return NEXT_DONE;
}

static enum next
step_sctp(struct walk *w)
{
    struct pc_packet *pk = w->pk;
    const uint8_t *p = take(w, 12);

    if (!p)
        return NEXT_DONE;
    pk->inner.l4_src = get16(p);
    pk->inner.l4_dst = get16(p + 2);
    pk->inner.has |= PC_HAS_L4;
    pk->l4_word[0] = get32(p);
    pk->l4_word[1] = get32(p + 4); /* verification tag */
    return NEXT_DONE;
}

static enum next
step_gre(struct walk *w)
{
    const uint8_t *p = take(w, 4), *key = NULL;
    uint16_t flags;

    if (!p)
        return NEXT_DONE;
    flags = get16(p);
    if (flags & 7)
        return NEXT_DONE; /* version 1 is PPTP: opaque */
    if ((flags & 0x8000 && !take(w, 4)) || (flags & 0x2000 && !(key = take(w, 4))) ||
        (flags & 0x1000 && !take(w, 4)))
        return NEXT_DONE;
    if (key)
        w->pk->vni = get32(key);
    w->eth_type = get16(p + 2);
    if (w->eth_type == ETH_TEB)
        return NEXT_ETHERNET;
    return w->eth_type == ETH_IPV4 || w->eth_type == ETH_IPV6 ? NEXT_TYPE : NEXT_DONE;
}

static bool
own_type(uint16_t type)
{
    return type == ETH_LLDP || type == ETH_BDDP || type == ETH_LOCAL1 || type == ETH_LOCAL2;
}

/* Inner headers begin: what was read so far is the outer set. */
static void
enter_tunnel(struct walk *w)
{
    struct pc_packet *pk = w->pk;

    if (!w->tunnelled)
        pk->outer = pk->inner;
    w->tunnelled = true;
    memset(&pk->inner, 0, sizeof pk->inner);
    memset(pk->l4_word, 0, sizeof pk->l4_word);
    pk->ip_id = 0;
    pk->ip_length = 0;
    pk->fragment = 0;
    pk->tcp_flags = 0;
}

static enum next
step_type(struct walk *w)
{
    switch (w->eth_type) {
    case ETH_VLAN:
    case ETH_QINQ:
    case ETH_QINQ_OLD:
        return step_vlan(w);
    }
    w->pk->inner.eth_type = w->eth_type;
    if (!w->tunnelled && own_type(w->eth_type))
        w->pk->own = 1;
    switch (w->eth_type) {
    case ETH_MPLS:
    case ETH_MPLS_MULTICAST: {
        enum next next = step_mpls(w);

        if (next == NEXT_TYPE && !w->tunnelled) {
            /* A switch matches the label, not what lies below it. */
            enter_tunnel(w);
        }
        return next;
    }
    case ETH_ARP:
        return step_arp(w);
    case ETH_IPV4:
        return step_ipv4(w);
    case ETH_IPV6:
        return step_ipv6(w);
    }
    return NEXT_DONE;
}

static enum next
step_transport(struct walk *w)
{
    enum next next;

    switch (w->proto) {
    case IP_TCP:
        return step_tcp(w);
    case IP_UDP:
        next = step_udp(w);
        break;
    case IP_ICMP:
    case IP_ICMP6:
        return step_icmp(w);
    case IP_SCTP:
        return step_sctp(w);
    case IP_GRE:
        next = step_gre(w);
        break;
    case IP_IPIP:
        w->eth_type = ETH_IPV4;
        next = NEXT_TYPE;
        break;
    case IP_IPV6:
        w->eth_type = ETH_IPV6;
        next = NEXT_TYPE;
        break;
    default:
        return NEXT_DONE;
    }
    if (next != NEXT_DONE)
        enter_tunnel(w);
    return next;
}

/* Cooked captures of Linux: the header replaces the Ethernet header. */
static enum next
step_cooked(struct walk *w, int linktype)
{
    const uint8_t *p = take(w, linktype == PC_LINK_SLL ? 16 : 20);

    if (!p)
        return NEXT_DONE;
    memcpy(w->pk->eth_src, linktype == PC_LINK_SLL ? p + 6 : p + 12, 6);
    memcpy(w->pk->inner_src, w->pk->eth_src, 6);
    w->eth_type = get16(linktype == PC_LINK_SLL ? p + 14 : p);
    return NEXT_TYPE;
}

enum pc_dissect_result
pc_dissect(const uint8_t *data, uint32_t cap, uint32_t len, int linktype, struct pc_packet *ret)
{
    struct walk w = {.c = {data, cap, len < cap ? cap : len}, .pk = ret, .result = PC_WHOLE};
    enum next next = NEXT_ETHERNET;
    unsigned layers = 0;

    memset(ret, 0, sizeof *ret);
    if (linktype == PC_LINK_SLL || linktype == PC_LINK_SLL2) {
        next = step_cooked(&w, linktype);
    } else if (linktype == PC_LINK_RAW) {
        w.eth_type = cap && data[0] >> 4 == 6 ? ETH_IPV6 : ETH_IPV4;
        next = NEXT_TYPE;
    } else if (linktype != PC_LINK_ETHERNET) {
        w.result = PC_MALFORMED;
        next = NEXT_DONE;
    }
    while (next != NEXT_DONE) {
        if (++layers > LAYERS_MAX) {
            w.result = PC_DEEP;
            break;
        }
        if (next == NEXT_ETHERNET)
            next = step_ethernet(&w);
        else if (next == NEXT_TYPE)
            next = step_type(&w);
        else
            next = step_transport(&w);
    }
    if (!w.tunnelled)
        ret->outer = ret->inner;
    ret->payload = w.c.p;
    ret->payload_cap = w.c.cap;
    ret->payload_len = w.c.len;
    return w.result;
}
