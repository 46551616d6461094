/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_stats.h - multipart messages (STATS in 1.0): requests, the entries of replies, and the
 * reassembly of replies that come in parts.
 *
 * A reply is a header (of_decode_multipart()) and a body of entries. Walk the body of each part as
 * it comes, with the of_next_ function of its type: 1 an entry, 0 the end, else an error. An entry
 * never straddles parts, so nothing need be kept; who wants the whole uses struct of_reassembly.
 * To encode: of_open_multipart(), of_add_ for each entry, of_close(). Nothing allocates; any
 * thread. Sections are those of OpenFlow 1.3.5; version is OF10 or OF13.
 */
#ifndef TRIVET_OPENFLOW_STATS_H
#define TRIVET_OPENFLOW_STATS_H

#include <trivet/openflow_config.h>

/* ---- multipart.c -------------------------------------------------------------------------- */

/* A request of any type; members that its type does not use are ignored, and 0 when decoded. */
struct of_stats_request {
    uint16_t type;      /* enum of_multipart_type */
    uint16_t flags;     /* OFPMPF_REQ_MORE */
    uint8_t table_id;   /* FLOW, AGGREGATE: OFPTT_ALL */
    uint32_t out_port;  /* FLOW, AGGREGATE: only with this output, OFPP_ANY */
    uint32_t out_group; /* the same, 1.3: OFPG_ANY */
    uint64_t cookie;    /* FLOW, AGGREGATE, 1.3: as in a flow_mod */
    uint64_t cookie_mask;
    struct of_match match; /* FLOW, AGGREGATE */
    struct of_cursor oxm;  /* 1.3: all fields; put: taken when match has OF_M_OTHER */
    uint32_t port;         /* PORT_STATS, QUEUE: OFPP_ANY: all */
    uint32_t queue;        /* QUEUE: OFPQ_ALL */
    uint32_t group;        /* GROUP: OFPG_ALL */
    uint32_t meter;        /* METER, METER_CONFIG: OFPM_ALL */
    uint32_t experimenter; /* EXPERIMENTER */
    uint32_t exp_type;     /* EXPERIMENTER, 1.3 */
    struct of_cursor body; /* EXPERIMENTER: its data; TABLE_FEATURES: what is to be set, or empty */
};
int of_decode_stats_request(const uint8_t *m, struct of_stats_request *ret, struct of_where *where);
void of_put_stats_request(struct of_buffer *b, uint8_t version, uint32_t xid,
                          const struct of_stats_request *request);

/* A message that grows at the end of the buffer. of_close() with what of_open() returned; when it
 * did not fit, it is gone and `full` is set. */
size_t of_open(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid);
size_t of_open_reply(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type,
                     uint16_t flags);
void of_close(struct of_buffer *b, size_t start);

/* "FLOW", or "unknown" */
const char *of_multipart_name(uint16_t type);

/* Bodies of a reply that comes in parts, put together in memory of the caller. */
struct of_reassembly {
    uint8_t *data;    /* borrowed */
    size_t size;      /* the cap: a reply that is larger is refused */
    size_t len;       /* bytes there */
    uint32_t xid;     /* of the request */
    uint16_t type;    /* enum of_multipart_type */
    uint16_t n_empty; /* parts that promised more and brought nothing */
    uint8_t version;
    bool done; /* the last part came, or an error */
};
#define OF_EMPTY_PARTS_MAX 16
void of_reassembly_start(struct of_reassembly *r, uint8_t version, uint32_t xid, uint16_t type,
                         uint8_t *data, size_t size);
/* Takes one part: 1 when the reply is whole (of_reassembly_body()), 0 when more are to come, else
 * an error, after which it takes no more: OF_ENOSPACE beyond the cap, OF_EVALUE when it is no part
 * of this reply, or the reply is over, or one of too many parts that are empty. */
int of_reassemble(struct of_reassembly *r, const uint8_t *m, struct of_where *where);
static inline struct of_cursor
of_reassembly_body(const struct of_reassembly *r)
{
    return (struct of_cursor){r->data, (uint32_t)r->len};
}

/* DESC (7.3.5.1): who made the switch. Text, without NUL on the wire when it fills its place. */
struct of_desc {
    char manufacturer[257], hardware[257], software[257], serial[33], datapath[257];
};
int of_next_desc(struct of_cursor *body, struct of_desc *ret);
void of_add_desc(struct of_buffer *b, const struct of_desc *desc);

/* EXPERIMENTER (7.3.5.17): all of the body */
int of_next_experimenter(uint8_t version, struct of_cursor *body, struct of_experimenter *ret);
void of_add_experimenter(struct of_buffer *b, uint8_t version,
                         const struct of_experimenter *experimenter);

/* ---- flow.c: FLOW (7.3.5.2) is of_next_flow_v(), AGGREGATE (7.3.5.3) ------------------------- */

void of_add_flow(struct of_buffer *b, uint8_t version, const struct of_flow *flow);

struct of_aggregate {
    uint64_t packets, bytes;
    uint32_t flows;
};
int of_next_aggregate(struct of_cursor *body, struct of_aggregate *ret);
void of_add_aggregate(struct of_buffer *b, const struct of_aggregate *aggregate);

/* ---- port.c: PORT_DESC (7.3.5.7) is of_next_port_v(), PORT_STATS (7.3.5.6) --------------------
 */

void of_add_port(struct of_buffer *b, uint8_t version, const struct of_port *port);

/* A counter that the switch does not have is UINT64_MAX. */
struct of_port_stats {
    uint32_t port;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors,
        tx_errors, rx_frame_errors, rx_overruns, rx_crc_errors, collisions;
    uint32_t duration_s, duration_ns; /* 1.3 */
};
int of_next_port_stats(uint8_t version, struct of_cursor *body, struct of_port_stats *ret);
void of_add_port_stats(struct of_buffer *b, uint8_t version, const struct of_port_stats *stats);

/* ---- queue.c: QUEUE (7.3.5.8) ------------------------------------------------------------------
 */

struct of_queue_stats {
    uint32_t port, queue;
    uint64_t tx_bytes, tx_packets, tx_errors;
    uint32_t duration_s, duration_ns; /* 1.3 */
};
int of_next_queue_stats(uint8_t version, struct of_cursor *body, struct of_queue_stats *ret);
void of_add_queue_stats(struct of_buffer *b, uint8_t version, const struct of_queue_stats *stats);

/* ---- table.c: TABLE (7.3.5.4), TABLE_FEATURES (7.3.5.5)
 * ------------------------------------------ */

struct of_table_stats {
    uint8_t table_id;
    uint32_t active; /* flows */
    uint64_t lookups, matched;
    char name[33];        /* 1.0 */
    uint32_t wildcards;   /* 1.0: bits of its match that may be wild */
    uint32_t max_entries; /* 1.0 */
};
int of_next_table_stats(uint8_t version, struct of_cursor *body, struct of_table_stats *ret);
void of_add_table_stats(struct of_buffer *b, uint8_t version, const struct of_table_stats *stats);

enum of_table_property_type {
    OFPTFPT_INSTRUCTIONS = 0,
    OFPTFPT_INSTRUCTIONS_MISS = 1,
    OFPTFPT_NEXT_TABLES = 2,
    OFPTFPT_NEXT_TABLES_MISS = 3,
    OFPTFPT_WRITE_ACTIONS = 4,
    OFPTFPT_WRITE_ACTIONS_MISS = 5,
    OFPTFPT_APPLY_ACTIONS = 6,
    OFPTFPT_APPLY_ACTIONS_MISS = 7,
    OFPTFPT_MATCH = 8,
    OFPTFPT_WILDCARDS = 10,
    OFPTFPT_WRITE_SETFIELD = 12,
    OFPTFPT_WRITE_SETFIELD_MISS = 13,
    OFPTFPT_APPLY_SETFIELD = 14,
    OFPTFPT_APPLY_SETFIELD_MISS = 15,
    OFPTFPT_EXPERIMENTER = 0xfffe,
    OFPTFPT_EXPERIMENTER_MISS = 0xffff,
};
struct of_table_property {
    uint16_t type; /* enum of_table_property_type or unknown */
    struct of_cursor
        body; /* without padding: ids of instructions or actions, tables, OXM headers */
};
struct of_table_features {
    uint8_t table_id;
    char name[33];
    uint64_t metadata_match, metadata_write; /* bits that can be matched and written */
    uint32_t config, max_entries;
    struct of_cursor properties; /* for of_next_table_property() */
};
/* The decoder has checked all properties and their ids. */
int of_next_table_features(struct of_cursor *body, struct of_table_features *ret);
void of_add_table_features(struct of_buffer *b, const struct of_table_features *features);
int of_next_table_property(struct of_cursor *properties, struct of_table_property *ret);
void of_add_table_property(struct of_buffer *list, const struct of_table_property *property);
/* What a property lists, one after another: the number of an instruction, action or table, or an
 * OXM header. *ret_experimenter is 0 unless it is an experimenter's. */
int of_next_table_id(uint16_t property_type, struct of_cursor *body, uint32_t *ret,
                     uint32_t *ret_experimenter);
/* "apply_actions", NULL when it is not known */
const char *of_table_property_name(uint16_t type);

/* ---- group.c: GROUP_DESC (7.3.5.10) is of_next_group(), GROUP, GROUP_FEATURES
 * ---------------------- */

void of_add_group(struct of_buffer *b, const struct of_group_mod *group);
/* Buckets as a list, for OF_VERBATIM. */
void of_add_bucket(struct of_buffer *list, const struct of_bucket *bucket);

struct of_counter { /* of a bucket or a band */
    uint64_t packets, bytes;
};
struct of_group_stats {         /* 7.3.5.9 */
    uint32_t group, references; /* flows or groups that point to it */
    uint64_t packets, bytes;
    uint32_t duration_s, duration_ns;
    struct of_cursor counters; /* of its buckets in order, for of_next_counter() */
};
int of_next_group_stats(struct of_cursor *body, struct of_group_stats *ret);
void of_add_group_stats(struct of_buffer *b, const struct of_group_stats *stats);
int of_next_counter(struct of_cursor *counters, struct of_counter *ret);
void of_add_counter(struct of_buffer *list, const struct of_counter *counter);

struct of_group_features {  /* 7.3.5.11 */
    uint32_t types;         /* bit n: enum of_group_type n */
    uint32_t capabilities;  /* SELECT_WEIGHT, SELECT_LIVENESS, CHAINING, CHAINING_CHECKS */
    uint32_t max_groups[4]; /* a type each */
    uint32_t actions[4];    /* bit n: action n on the wire */
};
int of_next_group_features(struct of_cursor *body, struct of_group_features *ret);
void of_add_group_features(struct of_buffer *b, const struct of_group_features *features);

/* ---- meter.c: METER (7.3.5.12), METER_CONFIG (7.3.5.13), METER_FEATURES (7.3.5.14)
 * ------------------ */

struct of_meter_stats {
    uint32_t meter, flows;
    uint64_t packets, bytes; /* in */
    uint32_t duration_s, duration_ns;
    struct of_cursor counters; /* of its bands in order, for of_next_counter() */
};
int of_next_meter_stats(struct of_cursor *body, struct of_meter_stats *ret);
void of_add_meter_stats(struct of_buffer *b, const struct of_meter_stats *stats);

int of_next_meter_config(struct of_cursor *body, struct of_meter_mod *ret);
void of_add_meter_config(struct of_buffer *b, const struct of_meter_mod *meter);

struct of_meter_features {
    uint32_t max_meters;
    uint32_t band_types;   /* bit n: enum of_band_type n */
    uint32_t capabilities; /* OFPMF_* */
    uint8_t max_bands, max_color;
};
int of_next_meter_features(struct of_cursor *body, struct of_meter_features *ret);
void of_add_meter_features(struct of_buffer *b, const struct of_meter_features *features);

#endif
