/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c - structs into messages, appended to a buffer. A message is written only when all of it
 * fits; its size is known beforehand, so that the stores need no checks. Neighbours: oxm.c,
 * action.c. Any thread; of_put_flow_mod() and of_put_packet_out() are hot: no allocation, each byte
 * stored once. OpenFlow 1.3.5 section 7; versions before 1.3 only where messages are alike.
 */
#include "codec.h"

uint8_t *
of_begin(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint32_t fixed,
         size_t more)
{
    uint8_t *p = b->data + b->len;
    size_t size = fixed + more;

    if (b->full || more > OF_MESSAGE_MAX || size > OF_MESSAGE_MAX || size > b->size - b->len) {
        b->full = true;
        return NULL;
    }
    p[0] = version;
    p[1] = type;
    of_store16(p + 2, (uint16_t)size);
    of_store32(p + 4, xid);
    b->len += size;
    return p;
}

static uint8_t *
begin(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint32_t size)
{
    return of_begin(b, version, type, xid, size, 0);
}

/* The same for messages that only OF1.3 has in this form. */
static uint8_t *
begin13(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint32_t fixed,
        size_t more)
{
    if (version != OF13) {
        b->full = true;
        return NULL;
    }
    return of_begin(b, version, type, xid, fixed, more);
}

static void
put_bytes(uint8_t *p, const void *data, size_t size)
{
    if (size) /* data may be NULL then, which memcpy() does not take */
        memcpy(p, data, size);
}

void
of_put_header(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid)
{
    begin(b, version, type, xid, OF_HEADER_SIZE);
}

void
of_put_hello(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t bitmap)
{
    uint8_t *p = begin(b, version, OFPT13_HELLO, xid, bitmap ? 16 : OF_HEADER_SIZE);

    if (!p || !bitmap)
        return;
    of_store32(p + 8, 1 << 16 | 8); /* OFPHET_VERSIONBITMAP, length 8 */
    of_store32(p + 12, bitmap);
}

void
of_put_error(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type, uint16_t code,
             const void *data, size_t size)
{
    uint8_t *p = of_begin(b, version, OFPT13_ERROR, xid, 12, size);

    if (!p)
        return;
    of_store16(p + 8, type);
    of_store16(p + 10, code);
    put_bytes(p + 12, data, size);
}

void
of_put_echo(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, const void *data,
            size_t size)
{
    uint8_t *p = of_begin(b, version, type, xid, OF_HEADER_SIZE, size);

    if (p)
        put_bytes(p + OF_HEADER_SIZE, data, size);
}

void
of_put_set_config(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t flags,
                  uint16_t miss_send_len)
{
    uint8_t *p = begin(b, version, OFPT13_SET_CONFIG, xid, 12);

    if (!p)
        return;
    of_store16(p + 8, flags);
    of_store16(p + 10, miss_send_len);
}

uint8_t *
of_begin_multipart(struct of_buffer *b, uint8_t type, uint32_t xid, uint16_t multipart,
                   uint16_t flags, size_t size)
{
    uint8_t *p = of_begin(b, OF13, type, xid, 16, size);

    if (!p)
        return NULL;
    of_store16(p + 8, multipart);
    of_store16(p + 10, flags);
    of_store32(p + 12, 0);
    return p + 16;
}

void
of_put_multipart_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t type,
                         uint16_t flags, const void *body, size_t size)
{
    uint8_t *p;

    if (version == OF10) { /* no padding after the flags: 1.0.0 section 5.3.5, type 16 */
        p = of_begin(b, version, 16, xid, 12, size);
        if (!p)
            return;
        of_store16(p + 8, type);
        of_store16(p + 10, flags);
        put_bytes(p + 12, body, size);
        return;
    }
    p = of_begin_multipart(b, OFPT13_MULTIPART_REQUEST, xid, type, flags, size);
    if (p)
        put_bytes(p, body, size);
}

void
of_put_flow_stats_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint64_t cookie,
                          uint64_t cookie_mask)
{
    static const struct of_match all; /* no field */
    uint8_t *p;

    if (version != OF13) {
        b->full = true;
        return;
    }
    p = of_begin_multipart(b, OFPT13_MULTIPART_REQUEST, xid, OFPMP_FLOW, 0, 40);
    if (!p)
        return;
    of_store32(p, (uint32_t)OFPTT_ALL << 24);
    of_store32(p + 4, OFPP_ANY);
    of_store32(p + 8, OFPG_ANY);
    of_store32(p + 12, 0);
    of_store64(p + 16, cookie);
    of_store64(p + 24, cookie_mask);
    of_match_encode(p + 32, &all);
}

/* ---- flow_mod and packet_out -------------------------------------------------------- */

/* Sizes of the variable parts of a flow; false when something in it has no encoding. */
static bool
flow_size(const struct of_flow_mod *mod, uint32_t *ret_match, uint32_t *ret_actions)
{
    bool bad = false;

    *ret_match = of_match_wire_size(&mod->match);
    *ret_actions = of_actions_wire_size(mod->actions, mod->n_actions, &bad);
    return *ret_match && !bad;
}

static void
put_apply_actions(uint8_t *p, const struct of_flow_mod *mod, uint32_t actions)
{
    of_store32(p, 4u << 16 | (8 + actions)); /* OFPIT_APPLY_ACTIONS */
    of_store32(p + 4, 0);
    of_actions_encode(p + 8, mod->actions, mod->n_actions);
}

void
of_put_flow_mod(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_flow_mod *mod)
{
    uint32_t match, actions, instruction;
    uint8_t *p;

    if (!flow_size(mod, &match, &actions)) {
        b->full = true;
        return;
    }
    instruction = mod->n_actions ? 8 + actions : 0;
    p = begin13(b, version, OFPT13_FLOW_MOD, xid, 48 + match + instruction, 0);
    if (!p)
        return;
    of_store64(p + 8, mod->cookie);
    of_store64(p + 16, mod->cookie_mask);
    p[24] = mod->table_id;
    p[25] = mod->command;
    of_store16(p + 26, mod->idle_s);
    of_store16(p + 28, mod->hard_s);
    of_store16(p + 30, mod->priority);
    of_store32(p + 32, mod->buffer_id);
    of_store32(p + 36, mod->out_port);
    of_store32(p + 40, mod->out_group);
    of_store32(p + 44, (uint32_t)mod->flags << 16);
    p = of_match_encode(p + 48, &mod->match);
    if (instruction)
        put_apply_actions(p, mod, actions);
}

void
of_put_packet_out(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                  uint32_t in_port, const struct of_action *actions, unsigned n_actions,
                  const void *data, size_t size)
{
    bool bad = false;
    uint32_t actions_size = of_actions_wire_size(actions, n_actions, &bad);
    uint8_t *p;

    if (bad) {
        b->full = true;
        return;
    }
    if (buffer_id != OF_NO_BUFFER)
        size = 0;
    p = begin13(b, version, OFPT13_PACKET_OUT, xid, 24 + actions_size, size);
    if (!p)
        return;
    of_store32(p + 8, buffer_id);
    of_store32(p + 12, in_port);
    of_store64(p + 16, (uint64_t)actions_size << 48);
    p = of_actions_encode(p + 24, actions, n_actions);
    put_bytes(p, data, size);
}

/* ---- what a switch sends -------------------------------------------------------------- */

void
of_put_features_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                      const struct of_features *features)
{
    uint8_t *p = begin13(b, version, OFPT13_FEATURES_REPLY, xid, 32, 0);

    if (!p)
        return;
    of_store64(p + 8, features->dpid);
    of_store32(p + 16, features->n_buffers);
    p[20] = features->n_tables;
    p[21] = features->auxiliary_id;
    of_store16(p + 22, 0);
    of_store32(p + 24, features->capabilities);
    of_store32(p + 28, 0);
}

void
of_put_packet_in(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_packet_in *in)
{
    /* a match of 12 bytes padded to 16, then 2 bytes so that the IP header lies at a multiple of 4
     */
    uint8_t *p = begin13(b, version, OFPT13_PACKET_IN, xid, 42, in->data_size);

    if (!p)
        return;
    of_store32(p + 8, in->buffer_id);
    of_store16(p + 12, in->total_len);
    p[14] = in->reason;
    p[15] = in->table_id;
    of_store64(p + 16, in->cookie);
    of_store32(p + 24, 1 << 16 | 12); /* OFPMT_OXM, length 12 */
    of_store32(p + 28, OF_OXM_IN_PORT);
    of_store32(p + 32, in->in_port);
    of_store32(p + 36, 0);
    of_store16(p + 40, 0);
    put_bytes(p + 42, in->data, in->data_size);
}

#define PORT_SIZE 64

static void
put_port(uint8_t *p, const struct of_port *port)
{
    size_t name = strnlen(port->name, 16);

    memset(p, 0, 32);
    of_store32(p, port->port);
    memcpy(p + 8, port->mac, 6);
    memcpy(p + 16, port->name, name);
    of_store32(p + 32, port->config);
    of_store32(p + 36, port->state);
    of_store32(p + 40, port->current);
    of_store32(p + 44, port->advertised);
    of_store32(p + 48, port->supported);
    of_store32(p + 52, port->peer_features);
    of_store32(p + 56, port->speed_kbps);
    of_store32(p + 60, port->max_speed_kbps);
}

void
of_put_port_status(struct of_buffer *b, uint8_t version, uint32_t xid,
                   const struct of_port_status *status)
{
    uint8_t *p = begin13(b, version, OFPT13_PORT_STATUS, xid, 16 + PORT_SIZE, 0);

    if (!p)
        return;
    of_store64(p + 8, (uint64_t)status->reason << 56);
    put_port(p + 16, &status->port);
}

void
of_put_port_desc_reply(struct of_buffer *b, uint32_t xid, const struct of_port *ports, unsigned n,
                       uint16_t flags)
{
    uint8_t *p = of_begin_multipart(b, OFPT13_MULTIPART_REPLY, xid, OFPMP_PORT_DESC, flags,
                                    (size_t)n * PORT_SIZE);

    for (unsigned i = 0; p && i < n; i++)
        put_port(p + (size_t)i * PORT_SIZE, &ports[i]);
}

void
of_put_flow_removed(struct of_buffer *b, uint8_t version, uint32_t xid,
                    const struct of_flow_removed *removed)
{
    uint32_t match = of_match_wire_size(&removed->match);
    uint8_t *p;

    if (!match) {
        b->full = true;
        return;
    }
    p = begin13(b, version, OFPT13_FLOW_REMOVED, xid, 48 + match, 0);
    if (!p)
        return;
    of_store64(p + 8, removed->cookie);
    of_store16(p + 16, removed->priority);
    p[18] = removed->reason;
    p[19] = removed->table_id;
    of_store32(p + 20, removed->duration_s);
    of_store32(p + 24, removed->duration_ns);
    of_store16(p + 28, removed->idle_s);
    of_store16(p + 30, removed->hard_s);
    of_store64(p + 32, removed->packets);
    of_store64(p + 40, removed->bytes);
    of_match_encode(p + 48, &removed->match);
}

void
of_put_flow_stats_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                        const struct of_flow_mod *flows, unsigned n)
{
    uint32_t match, actions;
    size_t size = 0;
    uint8_t *p;

    for (unsigned i = 0; i < n && size <= OF_MESSAGE_MAX; i++) {
        if (!flow_size(&flows[i], &match, &actions)) {
            b->full = true;
            return;
        }
        size += 48 + match + (flows[i].n_actions ? 8 + actions : 0);
    }
    p = of_begin_multipart(b, OFPT13_MULTIPART_REPLY, xid, OFPMP_FLOW, flags, size);
    for (unsigned i = 0; p && i < n; i++) {
        const struct of_flow_mod *flow = &flows[i];
        uint32_t instruction;

        flow_size(flow, &match, &actions);
        instruction = flow->n_actions ? 8 + actions : 0;
        of_store16(p, (uint16_t)(48 + match + instruction));
        p[2] = flow->table_id;
        p[3] = 0;
        of_store64(p + 4, 0); /* duration */
        of_store16(p + 12, flow->priority);
        of_store16(p + 14, flow->idle_s);
        of_store16(p + 16, flow->hard_s);
        of_store16(p + 18, flow->flags);
        of_store32(p + 20, 0);
        of_store64(p + 24, flow->cookie);
        of_store64(p + 32, 0); /* packets */
        of_store64(p + 40, 0); /* bytes */
        p = of_match_encode(p + 48, &flow->match);
        if (instruction) {
            put_apply_actions(p, flow, actions);
            p += instruction;
        }
    }
}
