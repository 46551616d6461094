/* SPDX-License-Identifier: Apache-2.0
 *
 * packet.c - packets between switch and controller: PACKET_IN and PACKET_OUT.
 * Neighbours: oxm.c (where a packet came from), action.c (where it goes). Any thread; all decoders
 * and encoders here are hot: no allocation, no copy but of the packet into the message.
 * OpenFlow 1.3.5 sections 7.4.1 and 7.3.7, 1.0.0 sections 5.4.1 and 5.3.6.
 */
#include "codec.h"

#include <trivet/openflow_oxm.h>

#define OUT13_SIZE 24
#define OUT10_SIZE 16

/* ---- PACKET_IN ----------------------------------------------------------------------------- */

int
of_decode_packet_in(const uint8_t *m, struct of_packet_in *ret, struct of_where *where)
{
    uint32_t length = of_length(m), match;
    struct of_header h = {.version = m[0], .type = m[1], .length = (uint16_t)length};
    int size, error;

    if (of_packet_in_usual(m, &h, ret))
        return OF_OK;
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    size = of_match_size(m + OF_IN13_SIZE, length - OF_IN13_SIZE);
    if (size < 0)
        return of_fail(where, m, m + OF_IN13_SIZE, "match length", size);
    error = of_match_in_port(m + OF_IN13_SIZE, &ret->in_port);
    if (error)
        return of_fail(where, m, m + OF_IN13_SIZE, "in_port", error);
    match = (uint32_t)size;
    if (length < OF_IN13_SIZE + match + 2)
        return of_fail(where, m, m + length, "padding", OF_ESHORT);
    ret->buffer_id = of_get32(m + 8);
    ret->total_len = of_get16(m + 12);
    ret->reason = m[14];
    ret->table_id = m[15];
    ret->cookie = of_get64(m + 16);
    ret->data = m + OF_IN13_SIZE + match + 2;
    ret->data_size = (uint16_t)(length - OF_IN13_SIZE - match - 2);
    return OF_OK;
}

struct of_cursor
of_packet_in_oxm(const uint8_t *m)
{
    return of_match_list(m + OF_IN13_SIZE);
}

static void
put_in10(struct of_buffer *b, uint32_t xid, const struct of_packet_in *in)
{
    uint16_t port;
    uint8_t *p;

    if (!of_port_to10(in->in_port, &port)) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, OF10, OFPT13_PACKET_IN, xid, OF_IN10_SIZE, in->data_size);
    if (!p)
        return;
    of_store32(p + 8, in->buffer_id);
    of_store16(p + 12, in->total_len);
    of_store16(p + 14, port);
    p[16] = in->reason;
    p[17] = 0;
    of_copy(p + OF_IN10_SIZE, in->data, in->data_size);
}

void
of_put_packet_in_oxm(struct of_buffer *b, uint32_t xid, const struct of_packet_in *in,
                     struct of_cursor oxm)
{
    uint32_t match = of_pad8(4 + (oxm.left <= OF_MESSAGE_MAX ? oxm.left : OF_MESSAGE_MAX));
    /* behind the match 2 bytes, so that the IP header lies at a multiple of 4 */
    uint8_t *p = of_begin(b, OF13, OFPT13_PACKET_IN, xid, OF_IN13_SIZE + match + 2, in->data_size);

    if (!p)
        return;
    of_store32(p + 8, in->buffer_id);
    of_store16(p + 12, in->total_len);
    p[14] = in->reason;
    p[15] = in->table_id;
    of_store64(p + 16, in->cookie);
    p = of_oxm_list_encode(p + OF_IN13_SIZE, &oxm);
    of_store16(p, 0);
    of_copy(p + 2, in->data, in->data_size);
}

void
of_put_packet_in(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_packet_in *in)
{
    uint8_t port[8];

    if (version == OF10) {
        put_in10(b, xid, in);
        return;
    }
    if (version != OF13) {
        of_refuse(b);
        return;
    }
    of_store32(port, OF_OXM_IN_PORT);
    of_store32(port + 4, in->in_port);
    of_put_packet_in_oxm(b, xid, in, of_rest(port, sizeof(port)));
}

int
of_print_packet_in(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"no_match", "action", "invalid_ttl"};
    struct of_packet_in in;
    const uint8_t *at;
    int error = of_decode_packet_in(m, &in, where);

    if (error)
        return error;
    of_say_port(printer, " in_port", in.in_port);
    of_say(printer, " reason=");
    OF_SAY_NAME(printer, in.reason, reasons);
    of_say(printer, " total_len=%u", in.total_len);
    if (m[0] == OF13) {
        of_say(printer, " table=%u cookie=%016lx", in.table_id, (unsigned long)in.cookie);
        if (of_packet_in_oxm(m).left > 8) /* more than in_port */
            error = of_match_print(printer, m + OF_IN13_SIZE, &at);
        if (error)
            return of_fail(where, m, at, "match", error);
    }
    of_say_buffer(printer, in.buffer_id);
    of_say(printer, " data=");
    of_say_hex(printer, in.data, in.data_size);
    return OF_OK;
}

/* ---- PACKET_OUT ----------------------------------------------------------------------------- */

int
of_decode_packet_out(const uint8_t *m, struct of_packet_out *ret, struct of_where *where)
{
    uint32_t length = of_length(m), head = m[0] == OF10 ? OUT10_SIZE : OUT13_SIZE;
    uint16_t actions_size;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    actions_size = of_get16(m + (m[0] == OF10 ? 14 : 16));
    if (actions_size > length - head)
        return of_fail(where, m, m + (m[0] == OF10 ? 14 : 16), "actions length", OF_ELENGTH);
    ret->buffer_id = of_get32(m + 8);
    ret->in_port = m[0] == OF10 ? of_port_from10(of_get16(m + 12)) : of_get32(m + 12);
    ret->actions = m + head;
    ret->actions_size = actions_size;
    ret->data = m + head + actions_size;
    ret->data_size = (uint16_t)(length - head - actions_size);
    return OF_OK;
}

/* The message with room for its actions and data; the end of its fixed part, where the actions go.
 */
static inline uint8_t *
begin_out13(struct of_buffer *b, uint32_t xid, uint32_t buffer_id, uint32_t in_port,
            uint32_t actions_size, size_t size)
{
    uint8_t *p = of_begin(b, OF13, OFPT13_PACKET_OUT, xid, OUT13_SIZE + actions_size, size);

    if (!p)
        return NULL;
    of_store32(p + 8, buffer_id);
    of_store32(p + 12, in_port);
    of_store64(p + 16, (uint64_t)actions_size << 48);
    return p + OUT13_SIZE;
}

static uint8_t *
begin_out10(struct of_buffer *b, uint32_t xid, uint32_t buffer_id, uint32_t in_port,
            uint32_t actions_size, size_t size)
{
    uint16_t port;
    uint8_t *p;

    if (!of_port_to10(in_port, &port)) {
        of_refuse(b);
        return NULL;
    }
    p = of_begin(b, OF10, OFPT10_PACKET_OUT, xid, OUT10_SIZE + actions_size, size);
    if (!p)
        return NULL;
    of_store32(p + 8, buffer_id);
    of_store16(p + 12, port);
    of_store16(p + 14, (uint16_t)actions_size);
    return p + OUT10_SIZE;
}

static void
put_out10(struct of_buffer *b, uint32_t xid, uint32_t buffer_id, uint32_t in_port,
          const struct of_action *actions, unsigned n_actions, const void *data, size_t size)
{
    bool bad = false;
    uint32_t actions_size = of_actions10_wire_size(actions, n_actions, &bad);
    uint8_t *p;

    if (bad) {
        of_refuse(b);
        return;
    }
    if (in_port == OFPP_CONTROLLER)
        in_port = OFPP_ANY; /* what was on no port is from OFPP_NONE there (1.0.0, 5.3.6) */
    p = begin_out10(b, xid, buffer_id, in_port, actions_size, size);
    if (!p)
        return;
    p = of_actions10_encode(p, actions, n_actions);
    of_copy(p, data, size);
}

void
of_put_packet_out(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                  uint32_t in_port, const struct of_action *actions, unsigned n_actions,
                  const void *data, size_t size)
{
    bool bad = version != OF13;
    uint32_t actions_size;
    uint8_t *p;

    if (buffer_id != OF_NO_BUFFER)
        size = 0;
    if (version == OF10) {
        put_out10(b, xid, buffer_id, in_port, actions, n_actions, data, size);
        return;
    }
    actions_size = of_actions_hot_size(actions, n_actions, &bad);
    if (bad) {
        of_refuse(b);
        return;
    }
    p = begin_out13(b, xid, buffer_id, in_port, actions_size, size);
    if (!p)
        return;
    p = of_actions_hot_encode(p, actions, n_actions);
    of_copy(p, data, size);
}

void
of_put_packet_out_again(struct of_buffer *b, uint8_t version, uint32_t xid,
                        const struct of_packet_out *out)
{
    uint8_t *p = NULL;

    if (version == OF13)
        p = begin_out13(b, xid, out->buffer_id, out->in_port, out->actions_size, out->data_size);
    else if (version == OF10)
        p = begin_out10(b, xid, out->buffer_id, out->in_port, out->actions_size, out->data_size);
    else
        of_refuse(b);
    if (!p)
        return;
    of_copy(p, out->actions, out->actions_size);
    of_copy(p + out->actions_size, out->data, out->data_size);
}

int
of_print_packet_out(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_packet_out out;
    const uint8_t *at;
    int error = of_decode_packet_out(m, &out, where);

    if (error)
        return error;
    of_say_port(printer, " in_port", out.in_port);
    of_say_buffer(printer, out.buffer_id);
    error = of_actions_print(printer, m[0], out.actions, out.actions_size, &at);
    if (error)
        return of_fail(where, m, at, "action", error);
    if (out.data_size) {
        of_say(printer, " data=");
        of_say_hex(printer, out.data, out.data_size);
    }
    return OF_OK;
}
