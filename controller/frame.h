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
    const uint8_t *data; /* borrowed: the whole frame */
    const uint8_t *dst, *src;
    uint64_t dst_mac, src_mac; /* the same as numbers */
    uint16_t size;
    uint16_t eth_type;              /* behind one VLAN tag */
    uint16_t vlan;                  /* id, 0 untagged */
    bool group;                     /* destination is multicast or broadcast */
    uint8_t ip_src[16], ip_dst[16]; /* IPv4 (mapped), ARP's spa and tpa, IPv6 */
};

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
    const uint8_t *p;
    uint16_t left;

    if (size < 14)
        return false;
    f->data = data;
    f->size = size;
    f->dst = data;
    f->src = data + 6;
    f->dst_mac = of_get64(data) >> 16;
    f->src_mac = of_get64(data + 6) >> 16;
    f->group = (data[0] & 1) != 0;
    f->eth_type = of_get16(data + 12);
    f->vlan = 0;
    p = data + 14;
    left = (uint16_t)(size - 14);
    if (f->eth_type == CTL_ETH_VLAN && left >= 4) {
        f->vlan = of_get16(p) & 0x0fff;
        f->eth_type = of_get16(p + 2);
        p += 4;
        left = (uint16_t)(left - 4);
    }
    if (f->eth_type == CTL_ETH_IPV4 && left >= 20) {
        ctl_map_ipv4(f->ip_src, p + 12);
        ctl_map_ipv4(f->ip_dst, p + 16);
    } else if (f->eth_type == CTL_ETH_ARP && left >= 28) {
        ctl_map_ipv4(f->ip_src, p + 14);
        ctl_map_ipv4(f->ip_dst, p + 24);
    } else if (f->eth_type == CTL_ETH_IPV6 && left >= 40) {
        memcpy(f->ip_src, p + 8, 16);
        memcpy(f->ip_dst, p + 24, 16);
    } else {
        memset(f->ip_src, 0, 16);
        memset(f->ip_dst, 0, 16);
    }
    return true;
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
