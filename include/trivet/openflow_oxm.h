/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_oxm.h - the parts that messages of OpenFlow 1.3 are put together from: OXM fields and
 * instructions, and buffers that hold lists of them.
 *
 * struct of_match and struct of_action (openflow.h) hold what rules are usually made of; here is
 * everything. A list is bytes: decoders give it as a cursor into the message, ready to be walked;
 * to encode one, add its parts to a buffer of your own and pass of_list() of it. Pure functions,
 * any thread. Sections are those of OpenFlow 1.3.5.
 */
#ifndef TRIVET_OPENFLOW_OXM_H
#define TRIVET_OPENFLOW_OXM_H

#include <trivet/openflow.h>

/* ---- lists ------------------------------------------------------------------------------ */

/* What was added to a buffer. */
static inline struct of_cursor
of_list(const struct of_buffer *b)
{
    return (struct of_cursor){b->data, (uint32_t)b->len};
}

/* n bytes more at the end of a buffer, to be filled; NULL and the sticky error when they do not
 * fit. */
static inline uint8_t *
of_grow(struct of_buffer *b, size_t n)
{
    uint8_t *p = b->data + b->len;

    if (b->full || n > b->size - b->len) {
        b->full = true;
        return NULL;
    }
    b->len += n;
    return p;
}

/* ---- OXM fields (section 7.2.3) ---------------------------------------------------------- */

#define OFPXMC_OPENFLOW_BASIC 0x8000
#define OFPXMC_EXPERIMENTER 0xffff

enum of_oxm_field { /* of class OPENFLOW_BASIC, section 7.2.3.7 */
                    OFPXMT_IN_PORT = 0,
                    OFPXMT_IN_PHY_PORT = 1,
                    OFPXMT_METADATA = 2,
                    OFPXMT_ETH_DST = 3,
                    OFPXMT_ETH_SRC = 4,
                    OFPXMT_ETH_TYPE = 5,
                    OFPXMT_VLAN_VID = 6,
                    OFPXMT_VLAN_PCP = 7,
                    OFPXMT_IP_DSCP = 8,
                    OFPXMT_IP_ECN = 9,
                    OFPXMT_IP_PROTO = 10,
                    OFPXMT_IPV4_SRC = 11,
                    OFPXMT_IPV4_DST = 12,
                    OFPXMT_TCP_SRC = 13,
                    OFPXMT_TCP_DST = 14,
                    OFPXMT_UDP_SRC = 15,
                    OFPXMT_UDP_DST = 16,
                    OFPXMT_SCTP_SRC = 17,
                    OFPXMT_SCTP_DST = 18,
                    OFPXMT_ICMPV4_TYPE = 19,
                    OFPXMT_ICMPV4_CODE = 20,
                    OFPXMT_ARP_OP = 21,
                    OFPXMT_ARP_SPA = 22,
                    OFPXMT_ARP_TPA = 23,
                    OFPXMT_ARP_SHA = 24,
                    OFPXMT_ARP_THA = 25,
                    OFPXMT_IPV6_SRC = 26,
                    OFPXMT_IPV6_DST = 27,
                    OFPXMT_IPV6_FLABEL = 28,
                    OFPXMT_ICMPV6_TYPE = 29,
                    OFPXMT_ICMPV6_CODE = 30,
                    OFPXMT_IPV6_ND_TARGET = 31,
                    OFPXMT_IPV6_ND_SLL = 32,
                    OFPXMT_IPV6_ND_TLL = 33,
                    OFPXMT_MPLS_LABEL = 34,
                    OFPXMT_MPLS_TC = 35,
                    OFPXMT_MPLS_BOS = 36,
                    OFPXMT_PBB_ISID = 37,
                    OFPXMT_TUNNEL_ID = 38,
                    OFPXMT_IPV6_EXTHDR = 39,
                    OFPXMT_COUNT = 40, /* not a field */
};

/* One field. Values are bytes in network order. */
struct of_oxm {
    uint16_t class;        /* OFPXMC_*, or one that is not known here (0 and 1: Nicira's) */
    uint8_t field;         /* OFPXMT_* in class OPENFLOW_BASIC */
    uint8_t size;          /* of the value, and of the mask if there is one */
    uint32_t experimenter; /* class EXPERIMENTER */
    const uint8_t *value;
    const uint8_t *mask; /* NULL: none */
};
/* The next field of a list: 1, 0 at the end, or an error. Fields of OPENFLOW_BASIC have the size,
 * and no mask where none is allowed, as their row in section 7.2.3.7 says. */
int of_next_oxm(struct of_cursor *list, struct of_oxm *ret);
void of_add_oxm(struct of_buffer *list, const struct of_oxm *oxm);
/* As in a match ("nw_src"), NULL when it is not known. */
const char *of_oxm_name(uint16_t class, uint8_t field);
/* Size of the value on the wire, 0 when the field is not known. */
uint8_t of_oxm_size(uint16_t class, uint8_t field);
/* Does the field take a mask? */
bool of_oxm_maskable(uint16_t class, uint8_t field);

/* The fields of a PACKET_IN that was decoded without error; OF1.3. */
struct of_cursor of_packet_in_oxm(const uint8_t *m);
/* The same as of_put_packet_in() with these fields in place of in_port. */
void of_put_packet_in_oxm(struct of_buffer *b, uint32_t xid, const struct of_packet_in *in,
                          struct of_cursor oxm);

/* ---- instructions (section 7.2.4) ----------------------------------------------------------- */

enum of_instruction_type {
    OFPIT_GOTO_TABLE = 1,
    OFPIT_WRITE_METADATA = 2,
    OFPIT_WRITE_ACTIONS = 3,
    OFPIT_APPLY_ACTIONS = 4,
    OFPIT_CLEAR_ACTIONS = 5,
    OFPIT_METER = 6,
    OFPIT_EXPERIMENTER = 0xffff,
};
struct of_instruction {
    uint16_t type;                    /* enum of_instruction_type or unknown */
    uint8_t table_id;                 /* GOTO_TABLE */
    uint64_t metadata, metadata_mask; /* WRITE_METADATA */
    uint32_t meter;                   /* METER */
    uint32_t experimenter;            /* EXPERIMENTER */
    struct of_cursor actions;         /* WRITE_ACTIONS, APPLY_ACTIONS: for of_next_action() */
    struct of_cursor data;            /* EXPERIMENTER: behind its number; unknown: all. Padded */
};
int of_next_instruction(struct of_cursor *instructions, struct of_instruction *ret);
void of_add_instruction(struct of_buffer *list, const struct of_instruction *instruction);
/* "goto_table", NULL when it is not known */
const char *of_instruction_name(uint16_t type);

/* Actions as a list. */
void of_add_actions(struct of_buffer *list, uint8_t version, const struct of_action *actions,
                    unsigned n);

#endif
