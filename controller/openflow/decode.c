/* SPDX-License-Identifier: Apache-2.0
 *
 * decode.c - messages into structs. A decoder runs on a message that of_frame() found whole and
 * of_check() found long enough for its fixed part, so fixed fields are read at their offsets (from
 * the structs of the spec, padding included); every variable part is checked against the length.
 * Neighbours: message.c (minimum lengths), oxm.c, action.c. Any thread; of_decode_packet_in() is
 * hot. OpenFlow 1.3.5 section 7, 1.0.0 section 5.
 */
#include "codec.h"

static uint32_t
length_of(const uint8_t *m)
{
    return of_get16(m + 2);
}

int
of_decode_hello(const uint8_t *m, struct of_hello *ret, struct of_where *where)
{
    struct of_cursor c = {m + OF_HEADER_SIZE, length_of(m) - OF_HEADER_SIZE};
    uint32_t bitmap = 0;
    int error = OF_OK;

    /* elements: u16 type, u16 length without padding, body, padding to 8 (section 7.5.1) */
    while (c.left) {
        uint32_t length = c.left < 4 ? 0 : of_get16(c.p + 2);

        if (length < 4 || length > c.left) {
            error = of_fail(where, m, c.p, "hello element", c.left < 4 ? OF_ESHORT : OF_ELENGTH);
            break;
        }
        if (of_get16(c.p) == 1) { /* OFPHET_VERSIONBITMAP */
            if (length < 8) {
                error = of_fail(where, m, c.p, "version bitmap", OF_ELENGTH);
                break;
            }
            bitmap = of_get32(c.p + 4);
        }
        length = of_pad8(length);
        of_skip(&c, length < c.left ? length : c.left);
    }
    /* before 1.3 the body had no meaning: whatever it is, it is to be ignored (1.0.0, 5.5.1) */
    if (error && m[0] >= OF13)
        return error;
    ret->bitmap = error ? 0 : bitmap;
    return OF_OK;
}

int
of_decode_error(const uint8_t *m, struct of_error_msg *ret, struct of_where *where)
{
    (void)where; /* of_check() has seen all that can be wrong */
    ret->type = of_get16(m + 8);
    ret->code = of_get16(m + 10);
    ret->data = m + 12;
    ret->data_size = (uint16_t)(length_of(m) - 12);
    ret->request_xid = of_get32(m + 4);
    ret->request_type = 0xff;
    if (ret->type != OFPET_HELLO_FAILED && ret->data_size >= OF_HEADER_SIZE) {
        ret->request_xid = of_get32(ret->data + 4);
        ret->request_type = ret->data[1];
    }
    return OF_OK;
}

int
of_decode_features_reply(const uint8_t *m, struct of_features *ret, struct of_where *where)
{
    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->dpid = of_get64(m + 8);
    ret->n_buffers = of_get32(m + 16);
    ret->n_tables = m[20];
    ret->auxiliary_id = m[0] == OF13 ? m[21] : 0;
    ret->capabilities = of_get32(m + 24);
    return OF_OK;
}

int
of_decode_packet_in(const uint8_t *m, struct of_packet_in *ret, struct of_where *where)
{
    uint32_t length = length_of(m), match;
    int size, error;

    if (m[0] == OF10) {
        ret->buffer_id = of_get32(m + 8);
        ret->total_len = of_get16(m + 12);
        ret->in_port = of_port_from10(of_get16(m + 14));
        ret->reason = m[16];
        ret->table_id = 0;
        ret->cookie = 0;
        ret->data = m + 18;
        ret->data_size = (uint16_t)(length - 18);
        return OF_OK;
    }
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    size = of_match_size(m + 24, length - 24);
    if (size < 0)
        return of_fail(where, m, m + 24, "match length", size);
    error = of_match_in_port(m + 24, &ret->in_port);
    if (error)
        return of_fail(where, m, m + 24, "in_port", error);
    match = (uint32_t)size;
    if (length < 24 + match + 2)
        return of_fail(where, m, m + length, "padding", OF_ESHORT);
    ret->buffer_id = of_get32(m + 8);
    ret->total_len = of_get16(m + 12);
    ret->reason = m[14];
    ret->table_id = m[15];
    ret->cookie = of_get64(m + 16);
    ret->data = m + 24 + match + 2;
    ret->data_size = (uint16_t)(length - 24 - match - 2);
    return OF_OK;
}

int
of_decode_flow_removed(const uint8_t *m, struct of_flow_removed *ret, struct of_where *where)
{
    const uint8_t *at;
    int error;

    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    error = of_match_size(m + 48, length_of(m) - 48);
    if (error < 0)
        return of_fail(where, m, m + 48, "match length", error);
    error = of_match_decode(m + 48, &ret->match, &at);
    if (error)
        return of_fail(where, m, at, "match", error);
    ret->cookie = of_get64(m + 8);
    ret->priority = of_get16(m + 16);
    ret->reason = m[18];
    ret->table_id = m[19];
    ret->duration_s = of_get32(m + 20);
    ret->duration_ns = of_get32(m + 24);
    ret->idle_s = of_get16(m + 28);
    ret->hard_s = of_get16(m + 30);
    ret->packets = of_get64(m + 32);
    ret->bytes = of_get64(m + 40);
    return OF_OK;
}

/* ---- ports ------------------------------------------------------------------------ */

#define PORT13_SIZE 64
#define PORT10_SIZE 48

static void
decode_port13(const uint8_t *p, struct of_port *ret)
{
    ret->port = of_get32(p);
    memcpy(ret->mac, p + 8, 6);
    memcpy(ret->name, p + 16, 16);
    ret->name[16] = '\0';
    ret->config = of_get32(p + 32);
    ret->state = of_get32(p + 36);
    ret->current = of_get32(p + 40);
    ret->advertised = of_get32(p + 44);
    ret->supported = of_get32(p + 48);
    ret->peer_features = of_get32(p + 52);
    ret->speed_kbps = of_get32(p + 56);
    ret->max_speed_kbps = of_get32(p + 60);
}

static void
decode_port10(const uint8_t *p, struct of_port *ret)
{
    ret->port = of_port_from10(of_get16(p));
    memcpy(ret->mac, p + 2, 6);
    memcpy(ret->name, p + 8, 16);
    ret->name[16] = '\0';
    ret->config = of_get32(p + 24);
    ret->state = of_get32(p + 28);
    ret->current = of_get32(p + 32);
    ret->advertised = of_get32(p + 36);
    ret->supported = of_get32(p + 40);
    ret->peer_features = of_get32(p + 44);
    ret->speed_kbps = ret->max_speed_kbps = 0;
}

int
of_decode_port_status(const uint8_t *m, struct of_port_status *ret, struct of_where *where)
{
    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (m[8] > OFPPR_MODIFY)
        return of_fail(where, m, m + 8, "reason", OF_EVALUE);
    ret->reason = m[8];
    if (m[0] == OF10)
        decode_port10(m + 16, &ret->port);
    else
        decode_port13(m + 16, &ret->port);
    return OF_OK;
}

int
of_next_port(struct of_cursor *body, struct of_port *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, PORT13_SIZE, &p))
        return OF_ESHORT;
    decode_port13(p, ret);
    return 1;
}

/* ---- multipart ----------------------------------------------------------------------- */

int
of_decode_multipart(const uint8_t *m, struct of_multipart *ret, struct of_where *where)
{
    uint16_t head = m[0] == OF10 ? 12 : 16;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->type = of_get16(m + 8);
    ret->flags = of_get16(m + 10);
    ret->body = m + head;
    ret->body_size = (uint16_t)(length_of(m) - head);
    return OF_OK;
}

#define FLOW_STATS_SIZE 56 /* fixed part with an empty match, section 7.3.5.2 */

int
of_next_flow(struct of_cursor *body, struct of_flow *ret)
{
    const uint8_t *p, *at;
    uint32_t size, match;
    int error;

    if (body->left == 0)
        return 0;
    if (body->left < FLOW_STATS_SIZE)
        return OF_ESHORT;
    size = of_get16(body->p);
    if (size < FLOW_STATS_SIZE || size > body->left)
        return OF_ELENGTH;
    p = body->p;
    error = of_match_size(p + 48, size - 48);
    if (error < 0)
        return error;
    match = (uint32_t)error;
    error = of_match_decode(p + 48, &ret->match, &at);
    if (error)
        return error;
    error = of_instructions_decode(p + 48 + match, size - 48 - match, &ret->actions,
                                   &ret->actions_size, &ret->other_instructions, &at);
    if (error)
        return error;
    ret->table_id = p[2];
    ret->duration_s = of_get32(p + 4);
    ret->duration_ns = of_get32(p + 8);
    ret->priority = of_get16(p + 12);
    ret->idle_s = of_get16(p + 14);
    ret->hard_s = of_get16(p + 16);
    ret->flags = of_get16(p + 18);
    ret->cookie = of_get64(p + 24);
    ret->packets = of_get64(p + 32);
    ret->bytes = of_get64(p + 40);
    of_skip(body, size);
    return 1;
}

/* ---- what a controller sends --------------------------------------------------------- */

int
of_decode_flow_mod(const uint8_t *m, struct of_flow_mod *ret, struct of_where *where)
{
    const uint8_t *at, *actions;
    uint32_t length = length_of(m), match;
    uint16_t actions_size;
    bool other;
    int error;

    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (m[25] > OFPFC_DELETE_STRICT)
        return of_fail(where, m, m + 25, "command", OF_EVALUE);
    error = of_match_size(m + 48, length - 48);
    if (error < 0)
        return of_fail(where, m, m + 48, "match length", error);
    match = (uint32_t)error;
    error = of_match_decode(m + 48, &ret->match, &at);
    if (error)
        return of_fail(where, m, at, "match", error);
    error = of_instructions_decode(m + 48 + match, length - 48 - match, &actions, &actions_size,
                                   &other, &at);
    if (error)
        return of_fail(where, m, at, "instruction", error);
    ret->cookie = of_get64(m + 8);
    ret->cookie_mask = of_get64(m + 16);
    ret->table_id = m[24];
    ret->command = m[25];
    ret->idle_s = of_get16(m + 26);
    ret->hard_s = of_get16(m + 28);
    ret->priority = of_get16(m + 30);
    ret->buffer_id = of_get32(m + 32);
    ret->out_port = of_get32(m + 36);
    ret->out_group = of_get32(m + 40);
    ret->flags = of_get16(m + 44);
    ret->actions = NULL;
    ret->n_actions = 0;
    ret->raw_actions = actions;
    ret->raw_actions_size = actions_size;
    return OF_OK;
}

int
of_decode_packet_out(const uint8_t *m, struct of_packet_out *ret, struct of_where *where)
{
    uint32_t length = length_of(m);
    uint16_t actions_size;

    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    actions_size = of_get16(m + 16);
    if (actions_size > length - 24)
        return of_fail(where, m, m + 16, "actions length", OF_ELENGTH);
    ret->buffer_id = of_get32(m + 8);
    ret->in_port = of_get32(m + 12);
    ret->actions = m + 24;
    ret->actions_size = actions_size;
    ret->data = m + 24 + actions_size;
    ret->data_size = (uint16_t)(length - 24 - actions_size);
    return OF_OK;
}
