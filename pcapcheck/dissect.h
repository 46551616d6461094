/* SPDX-License-Identifier: Apache-2.0
 *
 * dissect.h - what pcapcheck knows of one packet.
 *
 * Pure functions on byte ranges: no allocation, no state, any thread.
 */
#ifndef PC_DISSECT_H
#define PC_DISSECT_H

#include <stdbool.h>
#include <stdint.h>

enum pc_linktype { /* values of the pcap file formats (tcpdump.org/linktypes.html) */
                   PC_LINK_ETHERNET = 1,
                   PC_LINK_RAW = 101,
                   PC_LINK_SLL = 113,
                   PC_LINK_SLL2 = 276,
};

enum pc_dissect_result {
    PC_WHOLE,     /* every header was there */
    PC_TRUNCATED, /* the capture ends inside the headers */
    PC_MALFORMED, /* a length lies, or the packet ends inside its headers */
    PC_DEEP,      /* more layers than we follow */
};

/* What a switch can match: one set of addresses and ports. */
struct pc_layer {
    uint8_t ip_src[16], ip_dst[16]; /* IPv4 as ::ffff:a.b.c.d; ARP: the protocol addresses */
    uint16_t eth_type;
    uint16_t l4_src, l4_dst; /* ICMP echo: the identifier in both */
    uint8_t ip_proto;
    uint8_t has; /* PC_HAS_* */
};
#define PC_HAS_IP 1 /* addresses are filled */
#define PC_HAS_L4 2 /* real ports */

#define PC_TCP_FIN 0x01
#define PC_TCP_SYN 0x02
#define PC_TCP_RST 0x04
#define PC_TCP_ACK 0x10

struct pc_packet {
    uint8_t eth_dst[6], eth_src[6];     /* of the outer frame */
    uint16_t vlan;                      /* id of the outermost tag of the outer frame, 0 untagged */
    uint16_t inner_vlan;                /* the same of the frame that `inner` lies in */
    uint8_t inner_dst[6], inner_src[6]; /* MACs of that frame; the outer ones if not tunnelled */
    uint32_t vni;                       /* VXLAN or GENEVE network id, or GRE key; 0 none */
    struct pc_layer outer;              /* as a switch sees it */
    struct pc_layer inner;              /* innermost headers: the flow */
    uint32_t ip_id;     /* IPv4 identification, or that of the IPv6 fragment header */
    uint32_t ip_length; /* bytes after the innermost IP header, as it states them */
    uint16_t fragment;  /* offset in bytes, lowest bit: more fragments */
    uint8_t tcp_flags;
    uint8_t arp_op;
    uint8_t own;          /* a frame of the toolkit's own discovery: never judged */
    uint8_t identifiable; /* identity is valid */
    uint32_t tcp_seq, tcp_ack;
    uint32_t l4_word[4];    /* invariant words of the transport header, for the identity */
    const uint8_t *payload; /* borrowed from the capture */
    uint32_t payload_cap;   /* bytes of it that are there */
    uint32_t payload_len;   /* bytes it had on the wire */
    uint64_t identity;      /* hash of what no switch changes */
};

/* ---- dissect.c ---- */

/* cap bytes at data of a packet that was len bytes long. Fills all that could be read; the result
 * tells how far it got. */
enum pc_dissect_result pc_dissect(const uint8_t *data, uint32_t cap, uint32_t len, int linktype,
                                  struct pc_packet *ret);

/* ---- identity.c ---- */

/* Sets identity and identifiable. Excluded, because switches and tunnels change them: MACs (of IP
 * and ARP), TTL, ToS, VLAN and MPLS tags, checksums, outer headers. */
void pc_identify(struct pc_packet *packet, enum pc_dissect_result result, uint64_t seed);

#endif
