/* SPDX-License-Identifier: Apache-2.0
 *
 * frame.h - what the decision path needs of an Ethernet frame, parsed in place.
 *
 * Bounded: nothing past `size` is read. Fields that the frame does not have are zero. Any thread.
 */
#ifndef TRIVET_CONTROLLER_FRAME_H
#define TRIVET_CONTROLLER_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <trivet/openflow.h>

#define CTL_ETH_IPV4 0x0800
#define CTL_ETH_ARP 0x0806
#define CTL_ETH_VLAN 0x8100
#define CTL_ETH_IPV6 0x86dd
#define CTL_ETH_LLDP 0x88cc

struct ctl_frame {
    const uint8_t *data;       /* borrowed: the whole frame */
    uint64_t dst_mac, src_mac; /* as numbers, see ctl_mac_number() */
    uint16_t size;
    uint16_t eth_type; /* behind one VLAN tag */
    uint16_t vlan;     /* id, 0 untagged */
    uint8_t head;      /* bytes before what eth_type says */
    bool group;        /* destination is multicast or broadcast */
};

static inline const uint8_t *
ctl_frame_dst(const struct ctl_frame *f)
{
    return f->data;
}

static inline const uint8_t *
ctl_frame_src(const struct ctl_frame *f)
{
    return f->data + 6;
}

/* Both as rows have them, eth_src and behind it eth_dst, at this offset of the row. By two moves
 * that words of the row begin with, so that who copies it in words need not wait for them. */
static inline void
ctl_frame_macs(const struct ctl_frame *f, void *row, size_t offset)
{
    uint8_t *p = (uint8_t *)row + offset;

    of_store64(p, f->src_mac << 16 | f->dst_mac >> 32);
    of_store32(p + 8, (uint32_t)f->dst_mac);
}

static inline void
ctl_map_ipv4(uint8_t ret[16], const uint8_t *ipv4)
{
    memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    memcpy(ret + 12, ipv4, 4);
}

/* An address as a number: its first byte is the highest of six. */
static inline uint64_t
ctl_mac_number(const uint8_t mac[6])
{
    return (uint64_t)of_get16(mac) << 32 | of_get32(mac + 2);
}

/* False when it is no Ethernet frame at all (shorter than its header). */
static inline bool
ctl_frame_parse(struct ctl_frame *f, const uint8_t *data, uint16_t size)
{
    if (size < 14)
        return false;
    f->data = data;
    f->size = size;
    f->dst_mac = of_get64(data) >> 16;
    f->src_mac = of_get64(data + 6) >> 16;
    f->group = (data[0] & 1) != 0;
    f->eth_type = of_get16(data + 12);
    f->vlan = 0;
    f->head = 14;
    if (f->eth_type == CTL_ETH_VLAN && size >= 18) {
        f->vlan = of_get16(data + 14) & 0x0fff;
        f->eth_type = of_get16(data + 16);
        f->head = 18;
    }
    return true;
}

/* Where its network addresses lie: IPv4, ARP's spa and tpa, or IPv6. */
struct ctl_frame_ips {
    const uint8_t *src, *dst; /* in the frame */
    unsigned size;            /* bytes of each; 0: it has none */
};

static inline struct ctl_frame_ips
ctl_frame_ips(const struct ctl_frame *f)
{
    const uint8_t *p = f->data + f->head;
    unsigned left = f->size - (unsigned)f->head;

    if (f->eth_type == CTL_ETH_IPV4 && left >= 20)
        return (struct ctl_frame_ips){p + 12, p + 16, 4};
    if (f->eth_type == CTL_ETH_ARP && left >= 28)
        return (struct ctl_frame_ips){p + 14, p + 24, 4};
    if (f->eth_type == CTL_ETH_IPV6 && left >= 40)
        return (struct ctl_frame_ips){p + 8, p + 24, 16};
    return (struct ctl_frame_ips){NULL, NULL, 0};
}

/* The kinds of network addresses of its source that a frame shows: zero, as DHCP begins, is none.
 */
#define CTL_SHOWS_IPV4 1u
#define CTL_SHOWS_IPV6 2u

static inline unsigned
ctl_frame_shows(const struct ctl_frame *f)
{
    struct ctl_frame_ips ips = ctl_frame_ips(f);

    if (ips.size == 4)
        return of_get32(ips.src) != 0 ? CTL_SHOWS_IPV4 : 0;
    if (ips.size == 16)
        return of_get64(ips.src) != 0 ? CTL_SHOWS_IPV6 : 0;
    return 0;
}

/* An address as rows have it: IPv4 mapped, zero if there is none. */
static inline void
ctl_frame_ip(uint8_t ret[16], const uint8_t *ip, unsigned size)
{
    if (size == 4)
        ctl_map_ipv4(ret, ip);
    else if (size == 16)
        memcpy(ret, ip, 16);
    else
        memset(ret, 0, 16);
}

/* 01:80:c2:00:00:00 to 0f: addresses no bridge forwards (IEEE 802.1D 7.12.6) */
static inline bool
ctl_frame_reserved(const struct ctl_frame *f)
{
    return f->dst_mac >> 4 == UINT64_C(0x0180c200000);
}

/* May this source address be learned? Not group addresses, not all zero. */
static inline bool
ctl_mac_learnable(uint64_t mac)
{
    return mac != 0 && (mac >> 40 & 1) == 0;
}

#endif
