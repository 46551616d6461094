/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow.h - the OpenFlow codec: frames, decodes, encodes and prints messages.
 *
 * Used by the controller (decode what switches send, encode what it sends), by pcapcheck (decode
 * and print a captured channel) and by the benchmark (play the switch). Pure functions on byte
 * ranges: no allocation, no state, any thread. Nothing a peer sends can make a decoder read outside
 * the message, loop without progress or assert.
 *
 * Here is what a controller needs all the time. openflow_oxm.h has all fields and instructions,
 * openflow_config.h the messages that configure a switch, openflow_stats.h multipart messages.
 *
 * Spec sections are those of OpenFlow Switch Specification 1.3.5 (ONF TS-023), or 1.0.0 where said
 * so.
 */
#ifndef TRIVET_OPENFLOW_H
#define TRIVET_OPENFLOW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------ */

enum of_error {
    OF_OK = 0,
    OF_ESHORT = -1,   /* the message ends before what it must hold */
    OF_ELENGTH = -2,  /* a length field lies: too small, misaligned or beyond its container */
    OF_EVERSION = -3, /* a version this codec does not decode */
    OF_ETYPE = -4,    /* an unknown message type */
    OF_EVALUE = -5,   /* a field has a value the spec forbids */
    OF_ENOSPACE = -6, /* the output buffer is full */
};
const char *of_strerror(int error);

/* Where decoding failed: byte offset in the message and the name of the field. */
struct of_where {
    uint32_t offset;
    const char *field; /* static text */
};

/* ---- cursor: bounded reading in network order ---------------------------------- */

struct of_cursor {
    const uint8_t *p;
    uint32_t left;
};

static inline bool
of_take(struct of_cursor *c, uint32_t n, const uint8_t **ret)
{
    if (c->left < n)
        return false;
    *ret = c->p;
    c->p += n;
    c->left -= n;
    return true;
}

static inline uint16_t
of_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
of_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t
of_get64(const uint8_t *p)
{
    return (uint64_t)of_get32(p) << 32 | of_get32(p + 4);
}

static inline void
of_store16(uint8_t *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}

static inline void
of_store32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void
of_store64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the stores swap always");

static inline bool
of_u8(struct of_cursor *c, uint8_t *ret)
{
    const uint8_t *p;

    if (!of_take(c, 1, &p))
        return false;
    *ret = p[0];
    return true;
}

static inline bool
of_u16(struct of_cursor *c, uint16_t *ret)
{
    const uint8_t *p;

    if (!of_take(c, 2, &p))
        return false;
    *ret = of_get16(p);
    return true;
}

static inline bool
of_u32(struct of_cursor *c, uint32_t *ret)
{
    const uint8_t *p;

    if (!of_take(c, 4, &p))
        return false;
    *ret = of_get32(p);
    return true;
}

static inline bool
of_u64(struct of_cursor *c, uint64_t *ret)
{
    const uint8_t *p;

    if (!of_take(c, 8, &p))
        return false;
    *ret = of_get64(p);
    return true;
}

static inline bool
of_skip(struct of_cursor *c, uint32_t n)
{
    const uint8_t *p;

    return of_take(c, n, &p);
}

/* ---- constants ------------------------------------------------------------------ */

#define OF10 0x01
#define OF13 0x04
#define OF_HEADER_SIZE 8
#define OF_MESSAGE_MAX 65535
#define OF_NO_BUFFER UINT32_C(0xffffffff)
#define OF_XID_NONE 0

enum of13_type { /* section 7.1 */
                 OFPT13_HELLO = 0,
                 OFPT13_ERROR = 1,
                 OFPT13_ECHO_REQUEST = 2,
                 OFPT13_ECHO_REPLY = 3,
                 OFPT13_EXPERIMENTER = 4,
                 OFPT13_FEATURES_REQUEST = 5,
                 OFPT13_FEATURES_REPLY = 6,
                 OFPT13_GET_CONFIG_REQUEST = 7,
                 OFPT13_GET_CONFIG_REPLY = 8,
                 OFPT13_SET_CONFIG = 9,
                 OFPT13_PACKET_IN = 10,
                 OFPT13_FLOW_REMOVED = 11,
                 OFPT13_PORT_STATUS = 12,
                 OFPT13_PACKET_OUT = 13,
                 OFPT13_FLOW_MOD = 14,
                 OFPT13_GROUP_MOD = 15,
                 OFPT13_PORT_MOD = 16,
                 OFPT13_TABLE_MOD = 17,
                 OFPT13_MULTIPART_REQUEST = 18,
                 OFPT13_MULTIPART_REPLY = 19,
                 OFPT13_BARRIER_REQUEST = 20,
                 OFPT13_BARRIER_REPLY = 21,
                 OFPT13_QUEUE_GET_CONFIG_REQUEST = 22,
                 OFPT13_QUEUE_GET_CONFIG_REPLY = 23,
                 OFPT13_ROLE_REQUEST = 24,
                 OFPT13_ROLE_REPLY = 25,
                 OFPT13_GET_ASYNC_REQUEST = 26,
                 OFPT13_GET_ASYNC_REPLY = 27,
                 OFPT13_SET_ASYNC = 28,
                 OFPT13_METER_MOD = 29,
};

enum of10_type { /* 1.0.0, 5.1: up to PORT_STATUS as in 1.3; also PACKET_OUT, FLOW_MOD */
                 OFPT10_VENDOR = 4,
                 OFPT10_PACKET_OUT = 13,
                 OFPT10_FLOW_MOD = 14,
                 OFPT10_PORT_MOD = 15,
                 OFPT10_STATS_REQUEST = 16,
                 OFPT10_STATS_REPLY = 17,
                 OFPT10_BARRIER_REQUEST = 18,
                 OFPT10_BARRIER_REPLY = 19,
                 OFPT10_QUEUE_GET_CONFIG_REQUEST = 20,
                 OFPT10_QUEUE_GET_CONFIG_REPLY = 21,
};

#define OF_TYPE_NONE 0xff
/* The number that a version has for a type of 1.3, or the other way round; OF_TYPE_NONE when it
 * lacks it.
 * MULTIPART is STATS in 1.0, EXPERIMENTER is VENDOR. of_put_header() takes numbers of 1.3. */
uint8_t of_type_number(uint8_t version, uint8_t type13);
uint8_t of_type13(uint8_t version, uint8_t type);

enum of_port_no { /* section 7.2.1, 32 bit; in 1.0 the low 16 bits of these */
                  OFPP_MAX = 0xffffff00,
                  OFPP_IN_PORT = 0xfffffff8,
                  OFPP_TABLE = 0xfffffff9,
                  OFPP_NORMAL = 0xfffffffa,
                  OFPP_FLOOD = 0xfffffffb,
                  OFPP_ALL = 0xfffffffc,
                  OFPP_CONTROLLER = 0xfffffffd,
                  OFPP_LOCAL = 0xfffffffe,
                  OFPP_ANY = 0xffffffff,
};

enum of_flow_mod_command {
    OFPFC_ADD,
    OFPFC_MODIFY,
    OFPFC_MODIFY_STRICT,
    OFPFC_DELETE,
    OFPFC_DELETE_STRICT
};
enum of_group_command { OFPGC_ADD, OFPGC_MODIFY, OFPGC_DELETE };
enum of_group_type { OFPGT_ALL, OFPGT_SELECT, OFPGT_INDIRECT, OFPGT_FF };
enum of_group_error { /* codes of GROUP_MOD_FAILED, section 7.4.4.7 */
                      OFPGMFC_GROUP_EXISTS = 0,
                      OFPGMFC_UNKNOWN_GROUP = 8,
};
enum of_flow_mod_flags {
    OFPFF_SEND_FLOW_REM = 1,
    OFPFF_CHECK_OVERLAP = 2,
    OFPFF_RESET_COUNTS = 4, /* this and the next two: 1.3 */
    OFPFF_NO_PKT_COUNTS = 8,
    OFPFF_NO_BYT_COUNTS = 16,
    OFPFF_EMERGENCY10 = 0x8000, /* 1.0; its number on the wire is 4 */
};
enum of_packet_in_reason { OFPR_NO_MATCH, OFPR_ACTION, OFPR_INVALID_TTL };
enum of_flow_removed_reason {
    OFPRR_IDLE_TIMEOUT,
    OFPRR_HARD_TIMEOUT,
    OFPRR_DELETE,
    OFPRR_GROUP_DELETE
};
enum of_port_status_reason { OFPPR_ADD, OFPPR_DELETE, OFPPR_MODIFY };
enum of_multipart_type {
    OFPMP_DESC = 0,
    OFPMP_FLOW = 1,
    OFPMP_AGGREGATE = 2,
    OFPMP_TABLE = 3,
    OFPMP_PORT_STATS = 4,
    OFPMP_QUEUE = 5,
    OFPMP_GROUP = 6,
    OFPMP_GROUP_DESC = 7,
    OFPMP_GROUP_FEATURES = 8,
    OFPMP_METER = 9,
    OFPMP_METER_CONFIG = 10,
    OFPMP_METER_FEATURES = 11,
    OFPMP_TABLE_FEATURES = 12,
    OFPMP_PORT_DESC = 13,
    OFPMP_EXPERIMENTER = 0xffff,
};
#define OFPMPF_REQ_MORE 1
#define OFPMPF_REPLY_MORE 1
#define OFPG_ANY UINT32_C(0xffffffff)
#define OFPG_MAX UINT32_C(0xffffff00)
#define OFPG_ALL UINT32_C(0xfffffffc)
#define OFPTT_ALL 0xff
#define OFPCML_NO_BUFFER 0xffff
enum of_port_config {
    OFPPC_PORT_DOWN = 1,
    OFPPC_NO_STP10 = 2, /* 1.0 */
    OFPPC_NO_RECV = 4,
    OFPPC_NO_RECV_STP10 = 8, /* 1.0 */
    OFPPC_NO_FLOOD10 = 16,   /* 1.0 */
    OFPPC_NO_FWD = 32,
    OFPPC_NO_PACKET_IN = 64,
};
enum of_port_state {
    OFPPS_LINK_DOWN = 1,
    OFPPS_BLOCKED = 2,        /* 1.3 */
    OFPPS_LIVE = 4,           /* 1.3 */
    OFPPS_STP_MASK10 = 0x300, /* 1.0: listen, learn, forward, block */
};
enum of_port_features { /* numbers of 1.3; translated in 1.0 */
                        OFPPF_10MB_HD = 1 << 0,
                        OFPPF_10MB_FD = 1 << 1,
                        OFPPF_100MB_HD = 1 << 2,
                        OFPPF_100MB_FD = 1 << 3,
                        OFPPF_1GB_HD = 1 << 4,
                        OFPPF_1GB_FD = 1 << 5,
                        OFPPF_10GB_FD = 1 << 6,
                        OFPPF_40GB_FD = 1 << 7, /* not in 1.0, to OTHER */
                        OFPPF_100GB_FD = 1 << 8,
                        OFPPF_1TB_FD = 1 << 9,
                        OFPPF_OTHER = 1 << 10,
                        OFPPF_COPPER = 1 << 11,
                        OFPPF_FIBER = 1 << 12,
                        OFPPF_AUTONEG = 1 << 13,
                        OFPPF_PAUSE = 1 << 14,
                        OFPPF_PAUSE_ASYM = 1 << 15,
};
#define OFPVID_PRESENT 0x1000
#define OFPET_HELLO_FAILED 0
#define OFPHFC_INCOMPATIBLE 0
#define OFPET_GROUP_MOD_FAILED 6
#define OFPET_NICIRA10 0xb0c2     /* 1.0, of Open vSwitch: data begins with vendor, type, code */
#define OFPET_EXPERIMENTER 0xffff /* 1.3; code is the experimenter's type, data begins with who */

/* ---- framing and printing --------------------------------------------------------- */

struct of_header {
    uint8_t version, type;
    uint16_t length; /* whole message, header included */
    uint32_t xid;
};

/* Frames the message at p (n bytes there): its length when it is there whole, 0 when more bytes are
 * needed, OF_ELENGTH when its length field is below 8. *ret is filled whenever n >= 8. */
static inline int
of_frame(const uint8_t *p, size_t n, struct of_header *ret)
{
    if (n < OF_HEADER_SIZE)
        return 0;
    ret->version = p[0];
    ret->type = p[1];
    ret->length = of_get16(p + 2);
    ret->xid = of_get32(p + 4);
    if (ret->length < OF_HEADER_SIZE)
        return OF_ELENGTH;
    return n < ret->length ? 0 : ret->length;
}

/* "PACKET_IN", or "type 99"; buf of at least 16 bytes. */
const char *of_type_name(uint8_t version, uint8_t type, char *buf, size_t size);
/* Is the length of this message possible for its version and type? OF_OK, or OF_EVERSION, OF_ETYPE,
 * OF_ESHORT, OF_ELENGTH (too long for a type that has one size). Every decoder below assumes it was
 * called with OF_OK. HELLO, ERROR and ECHO are alike in every version and are OK in each: a peer
 * refuses our version in its own. */
int of_check(const struct of_header *header);
/* One readable line, no newline. Returns the length written (it truncates with "..."), or an error,
 * after printing what could be decoded and the error with its offset. */
int of_print(const uint8_t *message, size_t size, char *ret, size_t ret_size);

/* ---- match: OXM (section 7.2.3), or the 40 bytes of 1.0 (1.0.0, 5.2.3) ---------------- */

enum of_match_field { /* bits of of_match.fields */
                      OF_M_IN_PORT = 1 << 0,
                      OF_M_ETH_DST = 1 << 1,
                      OF_M_ETH_SRC = 1 << 2,
                      OF_M_ETH_TYPE = 1 << 3,
                      OF_M_VLAN_VID = 1 << 4,
                      OF_M_VLAN_PCP = 1 << 5,
                      OF_M_IP_PROTO = 1 << 6,
                      OF_M_IPV4_SRC = 1 << 7,
                      OF_M_IPV4_DST = 1 << 8,
                      OF_M_L4_SRC = 1 << 9,
                      OF_M_L4_DST = 1 << 10,
                      OF_M_ARP_OP = 1 << 11,
                      OF_M_ARP_SPA = 1 << 12,
                      OF_M_ARP_TPA = 1 << 13,
                      OF_M_IPV6_SRC = 1 << 14,
                      OF_M_IPV6_DST = 1 << 15,
                      OF_M_IN_PHY_PORT = 1 << 16,
                      OF_M_METADATA = 1 << 17,
                      OF_M_TUNNEL_ID = 1 << 18,
                      OF_M_IP_DSCP = 1 << 19,
                      OF_M_ICMP_TYPE = 1 << 20,
                      OF_M_ICMP_CODE = 1 << 21,
                      OF_M_OTHER = UINT32_C(1)
                                   << 31, /* a field was there that this struct does not hold */
};

/* What rules are made of. Fields of OpenFlow 1.3 that it does not hold (OF_M_OTHER) are in the list
 * of OXM fields that stands beside it, see openflow_oxm.h. What 1.0 can match it holds in full:
 * there the 16-bit ports are 32-bit ones, a VLAN id has OFPVID_PRESENT, "no VLAN" is 0, nw_* and
 * tp_* are ARP or ICMP fields when dl_type and nw_proto say so, and the TOS is a DSCP. */
struct of_match {
    uint32_t fields; /* OF_M_* bits: what is matched */
    uint32_t masked; /* OF_M_* bits: of these, with a mask other than all ones */
    uint32_t in_port, in_phy_port;
    uint64_t metadata, metadata_mask, tunnel_id, tunnel_id_mask;
    uint8_t eth_dst[6], eth_src[6], eth_dst_mask[6], eth_src_mask[6];
    uint16_t eth_type;
    uint16_t vlan_vid, vlan_vid_mask; /* with OFPVID_PRESENT */
    uint8_t vlan_pcp, ip_proto, ip_dscp, icmp_type, icmp_code;
    uint16_t arp_op;
    uint32_t arp_spa, arp_tpa; /* host order */
    uint32_t arp_spa_mask, arp_tpa_mask;
    uint32_t ipv4_src, ipv4_dst; /* host order */
    uint32_t ipv4_src_mask, ipv4_dst_mask;
    uint8_t ipv6_src[16], ipv6_dst[16];
    uint16_t l4_src, l4_dst; /* TCP, UDP or SCTP, as ip_proto says */
};

/* ---- decoded messages ------------------------------------------------------------------
 * Decoders take a whole message that of_frame() and of_check() accepted. They return OF_OK, or an
 * error with *where filled (where may be NULL). Pointers point into the message. */

struct of_hello {
    uint32_t bitmap; /* bit v: version v offered; 0: no version bitmap element */
};
int of_decode_hello(const uint8_t *m, struct of_hello *ret, struct of_where *where);

struct of_error_msg {
    uint16_t type, code;
    const uint8_t *data; /* at least 64 bytes of the refused request, or text for HELLO_FAILED */
    uint16_t data_size;
    uint32_t request_xid;   /* from request when it holds a header, else the message's own xid */
    uint8_t request_type;   /* from request, else 0xff */
    uint16_t request_size;  /* 0: the request is not there; else 8 and more */
    const uint8_t *request; /* in data; an experimenter's error has its own before it */
};
int of_decode_error(const uint8_t *m, struct of_error_msg *ret, struct of_where *where);
/* The cookie of the FLOW_MOD that was refused; false when it is another type or cut off. */
bool of_refused_cookie(const struct of_error_msg *error, uint64_t *ret);
/* "FLOW_MOD_FAILED/TABLE_FULL" into buf */
const char *of_error_text(uint8_t version, uint16_t type, uint16_t code, char *buf, size_t size);

struct of_features {
    uint64_t dpid;
    uint32_t n_buffers;
    uint32_t capabilities; /* as the version numbers its bits */
    uint8_t n_tables;
    uint8_t auxiliary_id; /* OF1.3 */
    uint32_t actions10;   /* OF1.0: bit n: action n is supported */
    const uint8_t *ports; /* OF1.0: its ports, for of_next_port_v(OF10); 1.3 has PORT_DESC */
    uint16_t ports_size;
};
int of_decode_features_reply(const uint8_t *m, struct of_features *ret, struct of_where *where);

/* Hot: does not walk the match beyond finding in_port (OF1.3) */
struct of_packet_in {
    uint32_t buffer_id, in_port;
    uint64_t cookie;
    uint16_t total_len;
    uint8_t reason, table_id;
    const uint8_t *data;
    uint16_t data_size;
};
int of_decode_packet_in(const uint8_t *m, struct of_packet_in *ret, struct of_where *where);

#define OF_IN10_SIZE 18 /* of a packet-in of 1.0, and of one of 1.3 before its match */
#define OF_IN13_SIZE 24
/* One of the shape that nearly all have, without a call: of 1.0, or of 1.3 with a match of nothing
 * but in_port. False: it is another message, or another shape, for of_decode_packet_in(). */
static inline bool
of_packet_in_usual(const uint8_t *m, const struct of_header *h, struct of_packet_in *ret)
{
    /* type OXM and 12 bytes, then the header of the field in_port */
    static const uint64_t in_port_alone =
        UINT64_C(1) << 48 | UINT64_C(12) << 32 | UINT32_C(0x80000004);

    if (h->type != OFPT13_PACKET_IN)
        return false;
    if (h->version == OF13 && h->length >= OF_IN13_SIZE + 16 + 2 &&
        of_get64(m + OF_IN13_SIZE) == in_port_alone) {
        *ret = (struct of_packet_in){.buffer_id = of_get32(m + 8),
                                     .total_len = of_get16(m + 12),
                                     .reason = m[14],
                                     .table_id = m[15],
                                     .cookie = of_get64(m + 16),
                                     .in_port = of_get32(m + OF_IN13_SIZE + 8),
                                     .data = m + OF_IN13_SIZE + 16 + 2,
                                     .data_size = (uint16_t)(h->length - OF_IN13_SIZE - 16 - 2)};
        return true;
    }
    if (h->version == OF10 && h->length >= OF_IN10_SIZE) {
        uint32_t port = of_get16(m + 14);

        *ret = (struct of_packet_in){.buffer_id = of_get32(m + 8),
                                     .total_len = of_get16(m + 12),
                                     .reason = m[16],
                                     /* the reserved ports of 1.0 are the lower halves of ours */
                                     .in_port = port >= 0xff00 ? 0xffff0000 | port : port,
                                     .data = m + OF_IN10_SIZE,
                                     .data_size = (uint16_t)(h->length - OF_IN10_SIZE)};
        return true;
    }
    return false;
}

struct of_flow_removed {
    uint64_t cookie, packets, bytes;
    uint32_t duration_s, duration_ns;
    uint16_t priority, idle_s, hard_s;
    uint8_t reason, table_id;
    struct of_match match;
    struct of_cursor oxm; /* OF1.3: all fields; put: taken when match has OF_M_OTHER */
};
int of_decode_flow_removed(const uint8_t *m, struct of_flow_removed *ret, struct of_where *where);

struct of_port {
    uint32_t port;
    uint8_t mac[6];
    char name[17];
    uint32_t config, state; /* OFPPC_*, OFPPS_* */
    uint32_t current, advertised, supported,
        peer_features;                   /* OFPPF_*: bits of 1.3 in any version */
    uint32_t speed_kbps, max_speed_kbps; /* 0 in 1.0 */
};
struct of_port_status {
    uint8_t reason;
    struct of_port port;
};
int of_decode_port_status(const uint8_t *m, struct of_port_status *ret, struct of_where *where);

/* Header of a multipart reply or request; body is what follows. */
struct of_multipart {
    uint16_t type, flags;
    const uint8_t *body;
    uint16_t body_size;
};
int of_decode_multipart(const uint8_t *m, struct of_multipart *ret, struct of_where *where);
/* Entries of a body, one after another: 1 an entry, 0 the end, else an error. */
int of_next_port(struct of_cursor *body, struct of_port *ret); /* OFPMP_PORT_DESC */
/* The same for a version: 1.0 has them in its FEATURES_REPLY. */
int of_next_port_v(uint8_t version, struct of_cursor *body, struct of_port *ret);

/* ---- actions, instructions, flows ------------------------------------------------------- */

/* What an action does, in any version. Encoders refuse what their version lacks. */
enum of_action_type {
    OF_A_OUTPUT,       /* port, max_len */
    OF_A_GROUP,        /* group; 1.3 */
    OF_A_SET_QUEUE,    /* group: the queue; 1.3 */
    OF_A_SET_ETH_DST,  /* mac */
    OF_A_SET_ETH_SRC,  /* mac */
    OF_A_SET_VLAN_VID, /* vlan_vid, always with OFPVID_PRESENT; 1.0 adds a tag if there is none */
    OF_A_PUSH_VLAN,    /* value: ethertype, 0 is 0x8100; 1.3 */
    OF_A_POP_VLAN,
    OF_A_OTHER,        /* unknown: raw, value is its number */
    OF_A_SET_VLAN_PCP, /* value */
    OF_A_SET_IPV4_SRC, /* value */
    OF_A_SET_IPV4_DST, /* value */
    OF_A_SET_IP_DSCP,  /* value: 6 bits, also in 1.0, where it is sent as a TOS */
    OF_A_SET_L4_SRC,   /* value; 1.0: 1.3 names the protocol, use OF_A_SET_FIELD */
    OF_A_SET_L4_DST,   /* value; 1.0 */
    OF_A_ENQUEUE,      /* port, group: the queue; 1.0 */
    OF_A_COPY_TTL_OUT, /* this and the following: 1.3 */
    OF_A_COPY_TTL_IN,
    OF_A_SET_MPLS_TTL, /* value */
    OF_A_DEC_MPLS_TTL,
    OF_A_PUSH_MPLS,  /* value: ethertype */
    OF_A_POP_MPLS,   /* value: ethertype of what is then seen */
    OF_A_SET_NW_TTL, /* value */
    OF_A_DEC_NW_TTL,
    OF_A_SET_FIELD, /* raw: one OXM field; those that have a type above do not come as this */
    OF_A_PUSH_PBB,  /* value: ethertype */
    OF_A_POP_PBB,
    OF_A_EXPERIMENTER, /* raw, value is the experimenter; a VENDOR action in 1.0 */
    OF_A_COUNT,        /* not an action */
};
struct of_action {
    enum of_action_type type;
    uint32_t port;    /* OUTPUT, ENQUEUE */
    uint16_t max_len; /* OUTPUT to the controller */
    uint32_t group;   /* GROUP; or queue of SET_QUEUE, ENQUEUE */
    uint16_t vlan_vid;
    uint8_t mac[6];
    uint32_t value;     /* see the types */
    uint16_t raw_size;  /* bytes at raw */
    const uint8_t *raw; /* SET_FIELD: the field; EXPERIMENTER and OTHER: the whole action, header
                         * and all, a multiple of 8 bytes, which is encoded as it is */
};

/* In place of a number of actions or buckets to encode: the undecoded list beside is taken as it
 * is. */
#define OF_VERBATIM UINT_MAX

/* A flow as read back (OFPMP_FLOW reply) or as captured (FLOW_MOD). actions: those of the
 * apply-actions instruction, undecoded; walk them with of_next_action(). */
struct of_flow {
    uint64_t cookie, packets, bytes;
    uint32_t duration_s, duration_ns;
    uint16_t priority, idle_s, hard_s, flags;
    uint8_t table_id;
    struct of_match match;
    const uint8_t *actions;
    uint16_t actions_size;
    bool other_instructions; /* anything beside one apply-actions; false for none (drop) */
    struct of_cursor oxm;    /* OF1.3: all fields; put: taken when match has OF_M_OTHER */
    struct of_cursor
        instructions; /* OF1.3: all; put: taken in place of actions, unless p is NULL */
};
int of_next_flow(struct of_cursor *body, struct of_flow *ret);        /* OF1.3 */
int of_next_action(struct of_cursor *actions, struct of_action *ret); /* OF1.3 */
/* The same for a version. */
int of_next_flow_v(uint8_t version, struct of_cursor *body, struct of_flow *ret);
int of_next_action_v(uint8_t version, struct of_cursor *actions, struct of_action *ret);

struct of_flow_mod {
    uint64_t cookie, cookie_mask;
    uint8_t table_id, command;
    uint16_t idle_s, hard_s, priority, flags;
    uint32_t buffer_id, out_port, out_group;
    struct of_match match;
    const struct of_action *actions; /* put: apply-actions; NULL: none */
    unsigned n_actions;              /* put: OF_VERBATIM: take instructions (OF1.0: raw_actions) */
    const uint8_t *raw_actions;      /* decode: as in of_flow */
    uint16_t raw_actions_size;
    struct of_cursor oxm; /* OF1.3, decode: all fields; put: taken when match has OF_M_OTHER */
    struct of_cursor instructions; /* OF1.3, decode: all */
};
/* In 1.0: no cookie mask, no group, table 0 and, as the number of its flag CHECK_EMERGENCY means
 * something else in 1.3, OFPFF_EMERGENCY10. */
int of_decode_flow_mod(const uint8_t *m, struct of_flow_mod *ret, struct of_where *where);

/* A group as in GROUP_MOD, or as read back (GROUP_DESC; its command is OFPGC_ADD). Decoders have
 * checked all buckets and their actions. */
struct of_bucket {
    uint16_t weight;                 /* SELECT; 0 in others */
    uint32_t watch_port;             /* FF; OFPP_ANY in others */
    uint32_t watch_group;            /* FF; OFPG_ANY in others */
    const struct of_action *actions; /* put */
    unsigned n_actions;              /* put: OF_VERBATIM: take raw_actions */
    const uint8_t *raw_actions;      /* decode: undecoded, for of_next_action() */
    uint16_t raw_actions_size;
};
struct of_group_mod {
    uint8_t command; /* enum of_group_command */
    uint8_t type;    /* enum of_group_type, or what a switch invents */
    uint32_t group;
    const struct of_bucket *buckets; /* put */
    unsigned n_buckets;              /* put: OF_VERBATIM: take raw_buckets */
    const uint8_t *raw_buckets;      /* decode: undecoded, for of_next_bucket() */
    uint16_t raw_buckets_size;
};
int of_decode_group_mod(const uint8_t *m, struct of_group_mod *ret, struct of_where *where);
int of_next_group(struct of_cursor *body, struct of_group_mod *ret); /* OFPMP_GROUP_DESC */
int of_next_bucket(struct of_cursor *buckets, struct of_bucket *ret);

struct of_packet_out {
    uint32_t buffer_id, in_port;
    const uint8_t *actions;
    uint16_t actions_size;
    const uint8_t *data;
    uint16_t data_size;
};
int of_decode_packet_out(const uint8_t *m, struct of_packet_out *ret, struct of_where *where);

/* ---- encoding ---------------------------------------------------------------------------
 * A builder with a sticky error: put what you like, test `full` once at the end. A message that
 * does not fit is not begun: the buffer keeps only whole messages. So is one that cannot be encoded
 * (OF_A_OTHER without raw, a field, action or filter that the version lacks): it sets `full` too.
 * version: OF10 or OF13; hello, error, echo and set_config take any. */

struct of_buffer {
    uint8_t *data; /* borrowed */
    size_t size, len;
    bool full; /* something did not fit */
};

void of_put_hello(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t bitmap);
void of_put_error(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type, uint16_t code,
                  const void *data, size_t size);
/* Messages of header only: features, barrier, get-config requests ... type: as 1.3 numbers it */
void of_put_header(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid);
/* echo request or reply (type) with a payload */
void of_put_echo(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, const void *data,
                 size_t size);
void of_put_set_config(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t flags,
                       uint16_t miss_send_len);
/* body may be NULL with size 0 */
void of_put_multipart_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type,
                              uint16_t flags, const void *body, size_t size);
/* OFPMP_FLOW request for flows with (cookie & mask) == (flow cookie & mask), all tables. 1.0 has no
 * cookie there: it lists all flows, which is more than asked when the mask is not 0. */
void of_put_flow_stats_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint64_t cookie,
                               uint64_t cookie_mask);
void of_put_flow_mod(struct of_buffer *b, uint8_t version, uint32_t xid,
                     const struct of_flow_mod *mod);
void of_put_group_mod(struct of_buffer *b, uint8_t version, uint32_t xid,
                      const struct of_group_mod *mod);
/* data is left out when buffer_id != OF_NO_BUFFER */
void of_put_packet_out(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                       uint32_t in_port, const struct of_action *actions, unsigned n_actions,
                       const void *data, size_t size);
/* One that was decoded: its list of actions and its data as they are. */
void of_put_packet_out_again(struct of_buffer *b, uint8_t version, uint32_t xid,
                             const struct of_packet_out *out);

/* What a switch sends: for the benchmark's fake switches and the tests. */
void of_put_features_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                           const struct of_features *features);
void of_put_packet_in(struct of_buffer *b, uint8_t version, uint32_t xid,
                      const struct of_packet_in *in);
void of_put_port_status(struct of_buffer *b, uint8_t version, uint32_t xid,
                        const struct of_port_status *status);
/* Replies of 1.3; openflow_stats.h has all, for both versions. */
void of_put_port_desc_reply(struct of_buffer *b, uint32_t xid, const struct of_port *ports,
                            unsigned n, uint16_t flags);
void of_put_flow_removed(struct of_buffer *b, uint8_t version, uint32_t xid,
                         const struct of_flow_removed *removed);
void of_put_flow_stats_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                             const struct of_flow_mod *flows, unsigned n);
void of_put_group_desc_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                             const struct of_group_mod *groups, unsigned n);

#endif
