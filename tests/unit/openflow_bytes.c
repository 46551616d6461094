/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_bytes.c - see openflow_bytes.h.
 */
#include "openflow_bytes.h"

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

struct of_buffer
fresh(size_t size)
{
    memset(bytes, 0xa5, sizeof(bytes));
    return (struct of_buffer){bytes, size, 0, false};
}

const uint8_t *
message(const struct of_buffer *b, uint8_t type, uint32_t xid)
{
    struct of_header header;

    assert_false(b->full);
    assert_int_equal(of_frame(b->data, b->len, &header), b->len);
    assert_true(header.version == OF13 || header.version == OF10);
    assert_int_equal(header.type, type);
    assert_int_equal(header.xid, xid);
    assert_int_equal(of_check(&header), OF_OK);
    assert_int_equal(openflow_all(b->data, b->len), OF_OK);
    return b->data;
}

struct of_match
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

struct of_port
a_port(uint32_t number)
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

size_t
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
