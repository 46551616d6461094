/* SPDX-License-Identifier: Apache-2.0
 *
 * multipart.c - multipart messages, STATS in 1.0: a table of their types, requests of all types,
 * reassembly of replies, and the bodies that belong to nothing else (DESC, EXPERIMENTER).
 * Neighbours: flow.c, port.c, table.c, queue.c, group.c, meter.c (the entries of the others). Any
 * thread. OpenFlow 1.3.5 section 7.3.5, 1.0.0 section 5.3.5.
 *
 *  +-------------------------------+-------------------------------+
 *  |             type              |        flags (1: more)        |  behind the header
 *  +-------------------------------+-------------------------------+
 *  |               0 (not in 1.0)  |  body ...
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define HEAD10 12
#define HEAD13 16
#define N_TYPES10 6 /* DESC to QUEUE */

enum request { /* what the body of a request is */
               EMPTY,
               FLOWS,      /* a flow_mod's filter */
               PORT,       /* u32 port (1.0: u16), padding */
               QUEUE,      /* u32 port (1.0: u16, padding), u32 queue */
               GROUP,      /* u32, padding */
               METER,      /* u32, padding */
               FEATURES,   /* empty, or as in the reply */
               EXPERIMENT, /* u32 experimenter, u32 type (not in 1.0), anything */
};

struct part_row {
    const char *name;
    uint8_t request;               /* enum request */
    of_print_body_function *print; /* of a reply */
};

static of_print_body_function print_desc, print_experimenter;

static const struct part_row rows[] = {
    [OFPMP_DESC] = {"DESC", EMPTY, print_desc},                                     /* 7.3.5.1 */
    [OFPMP_FLOW] = {"FLOW", FLOWS, of_print_flows},                                 /* 7.3.5.2 */
    [OFPMP_AGGREGATE] = {"AGGREGATE", FLOWS, of_print_aggregate},                   /* 7.3.5.3 */
    [OFPMP_TABLE] = {"TABLE", EMPTY, of_print_table_stats},                         /* 7.3.5.4 */
    [OFPMP_PORT_STATS] = {"PORT_STATS", PORT, of_print_port_stats},                 /* 7.3.5.6 */
    [OFPMP_QUEUE] = {"QUEUE", QUEUE, of_print_queue_stats},                         /* 7.3.5.8 */
    [OFPMP_GROUP] = {"GROUP", GROUP, of_print_group_stats},                         /* 7.3.5.9 */
    [OFPMP_GROUP_DESC] = {"GROUP_DESC", EMPTY, of_print_groups},                    /* 7.3.5.10 */
    [OFPMP_GROUP_FEATURES] = {"GROUP_FEATURES", EMPTY, of_print_group_features},    /* 7.3.5.11 */
    [OFPMP_METER] = {"METER", METER, of_print_meter_stats},                         /* 7.3.5.12 */
    [OFPMP_METER_CONFIG] = {"METER_CONFIG", METER, of_print_meter_configs},         /* 7.3.5.13 */
    [OFPMP_METER_FEATURES] = {"METER_FEATURES", EMPTY, of_print_meter_features},    /* 7.3.5.14 */
    [OFPMP_TABLE_FEATURES] = {"TABLE_FEATURES", FEATURES, of_print_table_features}, /* 7.3.5.5 */
    [OFPMP_PORT_DESC] = {"PORT_DESC", EMPTY, of_print_port_descs},                  /* 7.3.5.7 */
};

static const struct part_row experimenter_row = {"EXPERIMENTER", EXPERIMENT, /* 7.3.5.17 */
                                                 print_experimenter};

/* NULL when the version has no such type. */
static const struct part_row *
row_of(uint8_t version, uint16_t type)
{
    if (type == OFPMP_EXPERIMENTER)
        return &experimenter_row;
    if (type == OFPMP_PORT_DESC) /* in 1.0 an extension of Open vSwitch: ovs-ofctl asks for it */
        return &rows[type];
    return type < (version == OF10 ? N_TYPES10 : OF_LEN(rows)) ? &rows[type] : NULL;
}

const char *
of_multipart_name(uint16_t type)
{
    const struct part_row *row = row_of(OF13, type);

    return row ? row->name : "unknown";
}

int
of_decode_multipart(const uint8_t *m, struct of_multipart *ret, struct of_where *where)
{
    uint16_t head = m[0] == OF10 ? HEAD10 : HEAD13;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->type = of_get16(m + 8);
    ret->flags = of_get16(m + 10);
    ret->body = m + head;
    ret->body_size = (uint16_t)(of_length(m) - head);
    return OF_OK;
}

/* ---- requests: reading ----------------------------------------------------------------------- */

#define FLOWS10_SIZE 44
#define FLOWS13_SIZE 32 /* before the match */

static int
decode_flows10(struct of_cursor body, struct of_stats_request *ret)
{
    if (body.left != FLOWS10_SIZE)
        return OF_ELENGTH;
    of_match10_decode(body.p, &ret->match);
    ret->table_id = body.p[40];
    ret->out_port = of_port_from10(of_get16(body.p + 42));
    ret->out_group = OFPG_ANY;
    return OF_OK;
}

static int
decode_flows13(struct of_cursor body, struct of_stats_request *ret)
{
    const uint8_t *p = body.p, *at;
    int size;

    if (body.left < FLOWS13_SIZE)
        return OF_ESHORT;
    size = of_match_size(p + FLOWS13_SIZE, body.left - FLOWS13_SIZE);
    if (size < 0)
        return size;
    if (FLOWS13_SIZE + (uint32_t)size != body.left)
        return OF_ELENGTH;
    ret->table_id = p[0];
    ret->out_port = of_get32(p + 4);
    ret->out_group = of_get32(p + 8);
    ret->cookie = of_get64(p + 16);
    ret->cookie_mask = of_get64(p + 24);
    ret->oxm = of_match_list(p + FLOWS13_SIZE);
    return of_match_decode(p + FLOWS13_SIZE, &ret->match, &at);
}

static int
check_features(struct of_cursor body)
{
    struct of_table_features features;
    int error;

    while ((error = of_next_table_features(&body, &features)) > 0)
        ;
    return error;
}

static int
decode_request(uint8_t version, enum request kind, struct of_cursor body,
               struct of_stats_request *ret)
{
    uint32_t head = version == OF10 ? 4 : 8; /* of an experimenter */

    switch (kind) {
    case EMPTY:
        return body.left ? OF_ELENGTH : OF_OK;
    case FLOWS:
        return version == OF10 ? decode_flows10(body, ret) : decode_flows13(body, ret);
    case FEATURES:
        ret->body = body;
        return check_features(body);
    case EXPERIMENT:
        if (body.left < head)
            return OF_ESHORT;
        ret->experimenter = of_get32(body.p);
        ret->exp_type = version == OF10 ? 0 : of_get32(body.p + 4);
        ret->body = of_rest(body.p + head, body.left - head);
        return OF_OK;
    default:
        break;
    }
    if (body.left != 8)
        return body.left < 8 ? OF_ESHORT : OF_ELENGTH;
    switch (kind) {
    case QUEUE:
        ret->queue = of_get32(body.p + 4);
        /* fall through */
    case PORT:
        ret->port = version == OF10 ? of_port_from10(of_get16(body.p)) : of_get32(body.p);
        break;
    case GROUP:
        ret->group = of_get32(body.p);
        break;
    default:
        ret->meter = of_get32(body.p);
    }
    return OF_OK;
}

int
of_decode_stats_request(const uint8_t *m, struct of_stats_request *ret, struct of_where *where)
{
    struct of_multipart part;
    const struct part_row *row;
    int error = of_decode_multipart(m, &part, where);

    if (error)
        return error;
    row = row_of(m[0], part.type);
    if (!row)
        return of_fail(where, m, m + 8, "multipart type", OF_EVALUE);
    memset(ret, 0, sizeof(*ret));
    ret->type = part.type;
    ret->flags = part.flags;
    error = decode_request(m[0], row->request, of_rest(part.body, part.body_size), ret);
    return error ? of_fail(where, m, part.body, "request body", error) : OF_OK;
}

/* ---- requests: writing ------------------------------------------------------------------------
 */

static size_t
open_part(struct of_buffer *b, uint8_t version, uint8_t type13, uint32_t xid, uint16_t type,
          uint16_t flags)
{
    size_t start;
    uint8_t *p;

    if ((version != OF10 && version != OF13) || !row_of(version, type)) {
        of_refuse(b);
        return b->len;
    }
    start = of_open(b, version, of_type_number(version, type13), xid);
    p = of_grow(b, (version == OF10 ? HEAD10 : HEAD13) - OF_HEADER_SIZE);
    if (p) {
        of_store16(p, type);
        of_store16(p + 2, flags);
        if (version != OF10)
            of_store32(p + 4, 0);
    }
    return start;
}

size_t
of_open_reply(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type, uint16_t flags)
{
    return open_part(b, version, OFPT13_MULTIPART_REPLY, xid, type, flags);
}

void
of_put_multipart_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type,
                         uint16_t flags, const void *body, size_t size)
{
    size_t start = open_part(b, version, OFPT13_MULTIPART_REQUEST, xid, type, flags);
    uint8_t *p = of_grow(b, size);

    if (p)
        of_copy(p, body, size);
    of_close(b, start);
}

static void
add_flows(struct of_buffer *b, uint8_t version, const struct of_stats_request *request)
{
    uint32_t match = version == OF10 ? 0 : of_match_wire_size(&request->match, &request->oxm);
    uint16_t port = 0;
    uint8_t *p;

    if (version == OF10
            ? !of_match10_fits(&request->match) || !of_port_to10(request->out_port, &port)
            : !match) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, version == OF10 ? FLOWS10_SIZE : FLOWS13_SIZE + match);
    if (!p)
        return;
    if (version == OF10) {
        of_match10_encode(p, &request->match);
        p[40] = request->table_id;
        p[41] = 0;
        of_store16(p + 42, port);
        return;
    }
    of_store32(p, (uint32_t)request->table_id << 24);
    of_store32(p + 4, request->out_port);
    of_store32(p + 8, request->out_group);
    of_store32(p + 12, 0);
    of_store64(p + 16, request->cookie);
    of_store64(p + 24, request->cookie_mask);
    of_match_encode(p + FLOWS13_SIZE, &request->match, &request->oxm);
}

static void
add_number(struct of_buffer *b, uint32_t first, uint32_t second)
{
    uint8_t *p = of_grow(b, 8);

    if (!p)
        return;
    of_store32(p, first);
    of_store32(p + 4, second);
}

static void
add_port(struct of_buffer *b, uint8_t version, uint32_t port, uint32_t queue)
{
    uint16_t port10;

    if (version != OF10)
        add_number(b, port, queue);
    else if (of_port_to10(port, &port10))
        add_number(b, (uint32_t)port10 << 16, queue);
    else
        of_refuse(b);
}

void
of_put_stats_request(struct of_buffer *b, uint8_t version, uint32_t xid,
                     const struct of_stats_request *r)
{
    const struct part_row *row = row_of(version, r->type);
    size_t start = open_part(b, version, OFPT13_MULTIPART_REQUEST, xid, r->type, r->flags);
    const struct of_experimenter experimenter = {r->experimenter, r->exp_type, r->body};
    uint8_t *p;

    switch (row ? row->request : EMPTY) {
    case FLOWS:
        add_flows(b, version, r);
        break;
    case PORT:
        add_port(b, version, r->port, 0);
        break;
    case QUEUE:
        add_port(b, version, r->port, r->queue);
        break;
    case GROUP:
        add_number(b, r->group, 0);
        break;
    case METER:
        add_number(b, r->meter, 0);
        break;
    case FEATURES:
        p = of_grow(b, r->body.left);
        if (p)
            of_copy(p, r->body.p, r->body.left);
        break;
    case EXPERIMENT:
        of_add_experimenter(b, version, &experimenter);
        break;
    default:
        break;
    }
    of_close(b, start);
}

void
of_put_flow_stats_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint64_t cookie,
                          uint64_t cookie_mask)
{
    const struct of_stats_request all = {
        .type = OFPMP_FLOW,
        .table_id = OFPTT_ALL,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .cookie = cookie,
        .cookie_mask = cookie_mask,
    };

    of_put_stats_request(b, version, xid, &all);
}

/* ---- reassembly ---------------------------------------------------------------------------------
 */

void
of_reassembly_start(struct of_reassembly *r, uint8_t version, uint32_t xid, uint16_t type,
                    uint8_t *data, size_t size)
{
    *r = (struct of_reassembly){
        .data = data, .size = size, .xid = xid, .type = type, .version = version};
}

int
of_reassemble(struct of_reassembly *r, const uint8_t *m, struct of_where *where)
{
    struct of_multipart part;
    int error = OF_OK;

    if (r->done)
        return of_fail(where, m, m, "part behind the last", OF_EVALUE);
    r->done = true; /* unless more are to come */
    if (m[0] != r->version || of_type13(m[0], m[1]) != OFPT13_MULTIPART_REPLY ||
        of_get32(m + 4) != r->xid)
        return of_fail(where, m, m, "part of another reply", OF_EVALUE);
    error = of_decode_multipart(m, &part, where);
    if (error)
        return error;
    if (part.type != r->type)
        return of_fail(where, m, m + 8, "multipart type", OF_EVALUE);
    if (part.body_size > r->size - r->len)
        return of_fail(where, m, part.body, "body", OF_ENOSPACE);
    of_copy(r->data + r->len, part.body, part.body_size);
    r->len += part.body_size;
    if (!(part.flags & OFPMPF_REPLY_MORE))
        return 1;
    if (!part.body_size && ++r->n_empty > OF_EMPTY_PARTS_MAX)
        return of_fail(where, m, m + 10, "empty part", OF_EVALUE);
    r->done = false;
    return 0;
}

/* ---- DESC
 * ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    uint16_t offset; /* in struct of_desc */
    uint16_t size;   /* on the wire */
} texts[] = {
    /* in the order of the wire */
    {"manufacturer", offsetof(struct of_desc, manufacturer), 256},
    {"hardware", offsetof(struct of_desc, hardware), 256},
    {"software", offsetof(struct of_desc, software), 256},
    {"serial", offsetof(struct of_desc, serial), 32},
    {"datapath", offsetof(struct of_desc, datapath), 256},
};
#define DESC_SIZE 1056

int
of_next_desc(struct of_cursor *body, struct of_desc *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, DESC_SIZE, &p))
        return OF_ESHORT;
    for (unsigned i = 0; i < OF_LEN(texts); p += texts[i++].size)
        of_text((char *)ret + texts[i].offset, p, texts[i].size);
    return 1;
}

void
of_add_desc(struct of_buffer *b, const struct of_desc *desc)
{
    uint8_t *p = of_grow(b, DESC_SIZE);

    for (unsigned i = 0; p && i < OF_LEN(texts); p += texts[i++].size) {
        const char *text = (const char *)desc + texts[i].offset;

        memset(p, 0, texts[i].size);
        memcpy(p, text, strnlen(text, texts[i].size));
    }
}

static int
print_desc(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_desc desc;
    int error;

    (void)version;
    while ((error = of_next_desc(body, &desc)) > 0)
        for (unsigned i = 0; i < OF_LEN(texts); i++) {
            of_say(printer, " %s=\"", texts[i].name);
            of_say_text(printer, (const char *)&desc + texts[i].offset);
            of_say(printer, "\"");
        }
    return error;
}

/* ---- EXPERIMENTER
 * --------------------------------------------------------------------------------- */

int
of_next_experimenter(uint8_t version, struct of_cursor *body, struct of_experimenter *ret)
{
    uint32_t head = version == OF10 ? 4 : 8;
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, head, &p))
        return OF_ESHORT;
    ret->experimenter = of_get32(p);
    ret->type = version == OF10 ? 0 : of_get32(p + 4);
    ret->data = *body;
    of_skip(body, body->left);
    return 1;
}

void
of_add_experimenter(struct of_buffer *b, uint8_t version,
                    const struct of_experimenter *experimenter)
{
    uint32_t head = version == OF10 ? 4 : 8;
    uint8_t *p = of_grow(b, (size_t)head + experimenter->data.left);

    if (!p)
        return;
    of_store32(p, experimenter->experimenter);
    if (version != OF10)
        of_store32(p + 4, experimenter->type);
    of_copy(p + head, experimenter->data.p, experimenter->data.left);
}

static int
print_experimenter(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_experimenter e;
    int error = of_next_experimenter(version, body, &e);

    if (error <= 0)
        return error;
    of_say(printer, " experimenter=0x%x", e.experimenter);
    if (version != OF10)
        of_say(printer, " type=%u", e.type);
    of_say(printer, " data=");
    of_say_hex(printer, e.data.p, e.data.left);
    return OF_OK;
}

/* ---- printing
 * ------------------------------------------------------------------------------------- */

static void
print_request(struct of_printer *printer, uint8_t version, enum request kind,
              const struct of_stats_request *r, const uint8_t *body)
{
    const uint8_t *at;

    switch (kind) {
    case FLOWS:
        of_say_table(printer, " table=", r->table_id);
        of_say_port(printer, " out_port", r->out_port);
        if (version != OF10) {
            of_say_group(printer, " out_group:", r->out_group);
            of_say(printer, " cookie=%016lx/%016lx", (unsigned long)r->cookie,
                   (unsigned long)r->cookie_mask);
            of_match_print(printer, body + FLOWS13_SIZE, &at);
        } else {
            of_match_say(printer, &r->match);
        }
        break;
    case QUEUE:
        of_say_port(printer, " port", r->port);
        if (r->queue == OFPQ_ALL)
            of_say(printer, " queue=ALL");
        else
            of_say(printer, " queue=%u", r->queue);
        break;
    case PORT:
        of_say_port(printer, " port", r->port);
        break;
    case GROUP:
        of_say_group(printer, " group=", r->group);
        break;
    case METER:
        of_say_meter(printer, " meter=", r->meter);
        break;
    case EXPERIMENT:
        of_say(printer, " experimenter=0x%x", r->experimenter);
        if (version != OF10)
            of_say(printer, " type=%u", r->exp_type);
        of_say(printer, " data=");
        of_say_hex(printer, r->body.p, r->body.left);
        break;
    default:
        break;
    }
}

int
of_print_multipart(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_stats_request request;
    const struct part_row *row;
    struct of_multipart part;
    struct of_cursor body;
    bool reply = of_type13(m[0], m[1]) == OFPT13_MULTIPART_REPLY;
    int error = of_decode_multipart(m, &part, where);

    if (error)
        return error;
    row = row_of(m[0], part.type);
    body = of_rest(part.body, part.body_size);
    if (!row) {
        of_say(printer, " type %u body=", part.type);
        of_say_hex(printer, body.p, body.left);
        return OF_OK;
    }
    of_say(printer, " %s%s", row->name, part.flags & OFPMPF_REPLY_MORE ? " more" : "");
    if (reply || (row->request == FEATURES && body.left)) {
        error = row->print(printer, m[0], &body);
        return error ? of_fail(where, m, body.p, row->name, error) : OF_OK;
    }
    error = of_decode_stats_request(m, &request, where);
    if (!error)
        print_request(printer, m[0], row->request, &request, part.body);
    return error;
}
