/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c - the hash that recognises one packet at several capture points.
 *
 * Trajectory sampling's idea (RFC 5475): hash what no switch changes, plus the first bytes of the
 * payload. Packets that are equal in all of it (a repeated ARP request) share an identity; the
 * checks therefore count appearances and never rely on an identity being unique. Pure; any thread.
 */
#include "dissect.h"
#include "index.h"

#include <string.h>

#define IDENTITY_PAYLOAD 16 /* bytes of payload for packets with an IP header */
#define IDENTITY_OPAQUE 64  /* bytes after the Ethernet header for all others */

struct invariants {
    uint8_t ip_src[16], ip_dst[16];
    uint32_t l4_word[4];
    uint32_t ip_id, ip_length;
    uint16_t eth_type, fragment;
    uint8_t ip_proto, arp_op, n_payload, pad;
    uint8_t payload[IDENTITY_PAYLOAD];
};
_Static_assert(sizeof(struct invariants) == 80, "hashed as bytes: no padding");

/* Frames without IP or ARP: switches of a layer-2 network do not rewrite their MACs. */
struct opaque {
    uint8_t dst[6], src[6];
    uint16_t eth_type, n_payload;
    uint8_t payload[IDENTITY_OPAQUE];
};

void
pc_identify(struct pc_packet *pk, enum pc_dissect_result result, uint64_t seed)
{
    bool ip = pk->inner.has & PC_HAS_IP;
    uint32_t want = ip ? IDENTITY_PAYLOAD : IDENTITY_OPAQUE;

    pk->identifiable = 0;
    if (want > pk->payload_len)
        want = pk->payload_len;
    if (result != PC_WHOLE || pk->payload_cap < want)
        return;
    pk->identifiable = 1;
    if (ip) {
        struct invariants v = {.ip_id = pk->ip_id,
                               .ip_length = pk->ip_length,
                               .eth_type = pk->inner.eth_type,
                               .fragment = pk->fragment,
                               .ip_proto = pk->inner.ip_proto,
                               .arp_op = pk->arp_op,
                               .n_payload = (uint8_t)want};

        memcpy(v.ip_src, pk->inner.ip_src, 16);
        memcpy(v.ip_dst, pk->inner.ip_dst, 16);
        memcpy(v.l4_word, pk->l4_word, sizeof v.l4_word);
        memcpy(v.payload, pk->payload, want);
        pk->identity = pc_hash(seed, &v, sizeof v);
    } else {
        struct opaque v = {.eth_type = pk->inner.eth_type, .n_payload = (uint16_t)want};

        memcpy(v.dst, pk->inner_dst, 6);
        memcpy(v.src, pk->inner_src, 6);
        memcpy(v.payload, pk->payload, want);
        pk->identity = pc_hash(seed, &v, sizeof v);
    }
}
