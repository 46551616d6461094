/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_config.h - messages that configure a switch beside its flows and groups: switch config,
 * ports, tables, meters, queues, the controller's role, which asynchronous messages it wants, and
 * experimenters. What a rule is made of is in openflow.h, statistics are in openflow_stats.h.
 *
 * Decoders take a whole message that of_frame() and of_check() accepted and return OF_OK or an
 * error with *where filled (where may be NULL). Lists in a message come as cursors into it; to
 * encode one, give the bytes, as openflow_oxm.h says. Sections are those of OpenFlow 1.3.5.
 */
#ifndef TRIVET_OPENFLOW_CONFIG_H
#define TRIVET_OPENFLOW_CONFIG_H

#include <trivet/openflow_oxm.h>

/* ---- session.c: config (7.3.2) ------------------------------------------------------------ */

enum of_config_flags { OFPC_FRAG_NORMAL, OFPC_FRAG_DROP, OFPC_FRAG_REASM, OFPC_FRAG_MASK };
struct of_config {
    uint16_t flags;         /* OFPC_* */
    uint16_t miss_send_len; /* bytes of a packet in PACKET_IN, OFPCML_NO_BUFFER: all */
};
/* GET_CONFIG_REPLY or SET_CONFIG, both versions */
int of_decode_config(const uint8_t *m, struct of_config *ret, struct of_where *where);
void of_put_config_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                         const struct of_config *config);

/* ---- session.c: experimenters (7.5.4), VENDOR of 1.0 ---------------------------------------- */

struct of_experimenter {
    uint32_t experimenter;
    uint32_t type;         /* the experimenter's own; 0 in 1.0, which leaves it to the data */
    struct of_cursor data; /* opaque */
};
int of_decode_experimenter(const uint8_t *m, struct of_experimenter *ret, struct of_where *where);
void of_put_experimenter(struct of_buffer *b, uint8_t version, uint32_t xid,
                         const struct of_experimenter *experimenter);

/* ---- port.c: PORT_MOD (7.3.4.3) ------------------------------------------------------------- */

struct of_port_mod {
    uint32_t port;
    uint8_t mac[6];        /* must be the port's */
    uint32_t config, mask; /* OFPPC_*: bits of mask get the value they have in config */
    uint32_t advertise;    /* OFPPF_*, 0: as it is */
};
int of_decode_port_mod(const uint8_t *m, struct of_port_mod *ret, struct of_where *where);
void of_put_port_mod(struct of_buffer *b, uint8_t version, uint32_t xid,
                     const struct of_port_mod *mod);

/* ---- table.c: TABLE_MOD (7.3.3), 1.3 ----------------------------------------------------------
 */

struct of_table_mod {
    uint8_t table_id; /* OFPTT_ALL: all */
    uint32_t config;  /* bits 0 and 1 are deprecated and must be 0 */
};
int of_decode_table_mod(const uint8_t *m, struct of_table_mod *ret, struct of_where *where);
void of_put_table_mod(struct of_buffer *b, uint32_t xid, const struct of_table_mod *mod);

/* ---- meter.c: METER_MOD (7.3.4.4), 1.3 ----------------------------------------------------------
 */

enum of_meter_command { OFPMC_ADD, OFPMC_MODIFY, OFPMC_DELETE };
enum of_meter_flags { OFPMF_KBPS = 1, OFPMF_PKTPS = 2, OFPMF_BURST = 4, OFPMF_STATS = 8 };
enum of_meter_number {
    OFPM_MAX = 0xffff0000,
    OFPM_SLOWPATH = 0xfffffffd,
    OFPM_CONTROLLER = 0xfffffffe,
    OFPM_ALL = 0xffffffff,
};
enum of_band_type { OFPMBT_DROP = 1, OFPMBT_DSCP_REMARK = 2, OFPMBT_EXPERIMENTER = 0xffff };
struct of_band {
    uint16_t type;         /* enum of_band_type or unknown */
    uint32_t rate;         /* above it the band acts: kilobit/s, packets/s with OFPMF_PKTPS */
    uint32_t burst;        /* kilobits or packets, with OFPMF_BURST */
    uint8_t prec_level;    /* DSCP_REMARK: how many drop precedences lower */
    uint32_t experimenter; /* EXPERIMENTER */
    struct of_cursor data; /* EXPERIMENTER: behind its number; unknown: behind burst */
};
int of_next_band(struct of_cursor *bands, struct of_band *ret);
void of_add_band(struct of_buffer *list, const struct of_band *band);

/* A meter as in METER_MOD, or as read back (OFPMP_METER_CONFIG, its command is OFPMC_ADD). Decoders
 * have checked all bands. */
struct of_meter_mod {
    uint16_t command; /* enum of_meter_command */
    uint16_t flags;   /* OFPMF_* */
    uint32_t meter;
    struct of_cursor bands; /* for of_next_band() */
};
int of_decode_meter_mod(const uint8_t *m, struct of_meter_mod *ret, struct of_where *where);
void of_put_meter_mod(struct of_buffer *b, uint32_t xid, const struct of_meter_mod *mod);

/* ---- queue.c: QUEUE_GET_CONFIG (7.3.6), both versions
 * --------------------------------------------- */

#define OFPQ_ALL UINT32_C(0xffffffff)
enum of_queue_property_type {
    OFPQT_NONE10 = 0, /* 1.0 */
    OFPQT_MIN_RATE = 1,
    OFPQT_MAX_RATE = 2, /* 1.3, as the next */
    OFPQT_EXPERIMENTER = 0xffff,
};
struct of_queue_property {
    uint16_t type;         /* enum of_queue_property_type or unknown */
    uint16_t rate;         /* MIN_RATE, MAX_RATE: in 1/10 of a percent; above 1000: off */
    uint32_t experimenter; /* EXPERIMENTER */
    struct of_cursor data; /* EXPERIMENTER: behind its header; unknown: all of the body */
};
struct of_queue {
    uint32_t queue, port;        /* 1.0: port is that of the message */
    struct of_cursor properties; /* for of_next_queue_property() */
};
struct of_queue_config {
    uint32_t port;           /* OFPP_ANY: all, in requests of 1.3 */
    struct of_cursor queues; /* for of_next_queue(); none in a request */
};
/* Request or reply. The reply's queues and properties have been checked. */
int of_decode_queue_config(const uint8_t *m, struct of_queue_config *ret, struct of_where *where);
int of_next_queue(uint8_t version, struct of_cursor *queues, struct of_queue *ret);
int of_next_queue_property(struct of_cursor *properties, struct of_queue_property *ret);
void of_add_queue_property(struct of_buffer *list, const struct of_queue_property *property);
void of_add_queue(struct of_buffer *list, uint8_t version, const struct of_queue *queue);
void of_put_queue_config_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t port);
void of_put_queue_config_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                               const struct of_queue_config *config);

/* ---- role.c: ROLE (7.3.9) and ASYNC (7.3.10), 1.3
 * --------------------------------------------------- */

enum of_controller_role {
    OFPCR_ROLE_NOCHANGE,
    OFPCR_ROLE_EQUAL,
    OFPCR_ROLE_MASTER,
    OFPCR_ROLE_SLAVE
};
struct of_role {
    uint32_t role;          /* enum of_controller_role */
    uint64_t generation_id; /* of the election that made it master */
};
int of_decode_role(const uint8_t *m, struct of_role *ret, struct of_where *where);
/* type: OFPT13_ROLE_REQUEST or OFPT13_ROLE_REPLY */
void of_put_role(struct of_buffer *b, uint8_t type, uint32_t xid, const struct of_role *role);

/* Which reasons are sent, a bit each (1 << OFPR_ACTION ...): [0] as master or equal, [1] as slave
 */
struct of_async {
    uint32_t packet_in[2], port_status[2], flow_removed[2];
};
int of_decode_async(const uint8_t *m, struct of_async *ret, struct of_where *where);
/* type: OFPT13_SET_ASYNC or OFPT13_GET_ASYNC_REPLY */
void of_put_async(struct of_buffer *b, uint8_t type, uint32_t xid, const struct of_async *async);

#endif
