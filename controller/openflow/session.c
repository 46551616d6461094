/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - what controller and switch say about each other and their connection: HELLO, ECHO,
 * FEATURES, CONFIG, EXPERIMENTER. Neighbours: message.c (minimum lengths), role.c, port.c (the
 * ports in a features reply of 1.0). Any thread. OpenFlow 1.3.5 sections 7.3.1, 7.3.2, 7.5; 1.0.0
 * sections 5.3.1, 5.3.2, 5.5.
 */
#include "codec.h"

#include <trivet/openflow_config.h>

/* ---- HELLO, ECHO ------------------------------------------------------------------------ */

#define VERSION_BITMAP 1 /* OFPHET_VERSIONBITMAP */

/* elements: u16 type, u16 length without padding, body, padding to 8 (section 7.5.1) */
int
of_decode_hello(const uint8_t *m, struct of_hello *ret, struct of_where *where)
{
    struct of_cursor c = {m + OF_HEADER_SIZE, of_length(m) - (uint32_t)OF_HEADER_SIZE};
    uint32_t bitmap = 0;
    int error = OF_OK;

    while (c.left) {
        uint32_t length = c.left < 4 ? 0 : of_get16(c.p + 2);

        if (length < 4 || length > c.left) {
            error = of_fail(where, m, c.p, "hello element", c.left < 4 ? OF_ESHORT : OF_ELENGTH);
            break;
        }
        if (of_get16(c.p) == VERSION_BITMAP) {
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

void
of_put_hello(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t bitmap)
{
    uint8_t *p =
        of_begin(b, version, OFPT13_HELLO, xid, bitmap ? OF_HEADER_SIZE + 8 : OF_HEADER_SIZE, 0);

    if (!p || !bitmap)
        return;
    of_store32(p + 8, VERSION_BITMAP << 16 | 8);
    of_store32(p + 12, bitmap);
}

void
of_put_echo(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, const void *data,
            size_t size)
{
    uint8_t *p = of_begin(b, version, type, xid, OF_HEADER_SIZE, size);

    if (p)
        of_copy(p + OF_HEADER_SIZE, data, size);
}

int
of_print_hello(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_hello hello;
    int error = of_decode_hello(m, &hello, where);

    if (!error && hello.bitmap)
        of_say(printer, " bitmap=0x%x", hello.bitmap);
    return error;
}

int
of_print_echo(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    (void)where;
    of_say(printer, " payload=%u", of_length(m) - OF_HEADER_SIZE);
    return OF_OK;
}

/* ---- FEATURES --------------------------------------------------------------------------- */

#define FEATURES_SIZE 32
#define PORT10_SIZE 48

int
of_decode_features_reply(const uint8_t *m, struct of_features *ret, struct of_where *where)
{
    uint32_t ports = of_length(m) - (uint32_t)FEATURES_SIZE;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (m[0] == OF10 && ports % PORT10_SIZE)
        return of_fail(where, m, m + 2, "ports", OF_ELENGTH);
    ret->dpid = of_get64(m + 8);
    ret->n_buffers = of_get32(m + 16);
    ret->n_tables = m[20];
    ret->auxiliary_id = m[0] == OF13 ? m[21] : 0;
    ret->capabilities = of_get32(m + 24);
    ret->actions10 = m[0] == OF10 ? of_get32(m + 28) : 0;
    ret->ports = m[0] == OF10 ? m + FEATURES_SIZE : NULL;
    ret->ports_size = m[0] == OF10 ? (uint16_t)ports : 0;
    return OF_OK;
}

void
of_put_features_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                      const struct of_features *features)
{
    uint32_t ports = version == OF10 ? features->ports_size : 0;
    uint8_t *p;

    if (version != OF13 && version != OF10) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, version, OFPT13_FEATURES_REPLY, xid, FEATURES_SIZE, ports);
    if (!p)
        return;
    of_store64(p + 8, features->dpid);
    of_store32(p + 16, features->n_buffers);
    p[20] = features->n_tables;
    p[21] = version == OF13 ? features->auxiliary_id : 0;
    of_store16(p + 22, 0);
    of_store32(p + 24, features->capabilities);
    of_store32(p + 28, version == OF10 ? features->actions10 : 0);
    of_copy(p + FEATURES_SIZE, features->ports, ports);
}

int
of_print_features_reply(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const names13[] = {
        "FLOW_STATS",     [1] = "TABLE_STATS", [2] = "PORT_STATS",  [3] = "GROUP_STATS",
        [5] = "IP_REASM", [6] = "QUEUE_STATS", [8] = "PORT_BLOCKED"};
    static const char *const names10[] = {
        "FLOW_STATS",     [1] = "TABLE_STATS", [2] = "PORT_STATS",  [3] = "STP",
        [5] = "IP_REASM", [6] = "QUEUE_STATS", [7] = "ARP_MATCH_IP"};
    struct of_features f;
    struct of_cursor c;
    struct of_port port;
    int error = of_decode_features_reply(m, &f, where);

    if (error)
        return error;
    of_say(printer,
           " dpid=%016lx n_buffers=%u n_tables=%u aux=%u capabilities=", (unsigned long)f.dpid,
           f.n_buffers, f.n_tables, f.auxiliary_id);
    if (m[0] == OF13) {
        OF_SAY_FLAGS(printer, f.capabilities, names13);
        return OF_OK;
    }
    OF_SAY_FLAGS(printer, f.capabilities, names10);
    of_say(printer, " actions=0x%x", f.actions10);
    c = of_rest(f.ports, f.ports_size);
    while (of_next_port_v(OF10, &c, &port) > 0)
        of_say_port_desc(printer, OF10, &port);
    return OF_OK;
}

/* ---- CONFIG ------------------------------------------------------------------------------ */

int
of_decode_config(const uint8_t *m, struct of_config *ret, struct of_where *where)
{
    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->flags = of_get16(m + 8);
    ret->miss_send_len = of_get16(m + 10);
    return OF_OK;
}

static void
put_config(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint16_t flags,
           uint16_t miss_send_len)
{
    uint8_t *p = of_begin(b, version, type, xid, 12, 0);

    if (!p)
        return;
    of_store16(p + 8, flags);
    of_store16(p + 10, miss_send_len);
}

void
of_put_set_config(struct of_buffer *b, uint8_t version, uint32_t xid, uint16_t flags,
                  uint16_t miss_send_len)
{
    put_config(b, version, OFPT13_SET_CONFIG, xid, flags, miss_send_len);
}

void
of_put_config_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                    const struct of_config *config)
{
    put_config(b, version, OFPT13_GET_CONFIG_REPLY, xid, config->flags, config->miss_send_len);
}

int
of_print_config(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const fragments[] = {"normal", "drop", "reassemble"};
    struct of_config config;
    int error = of_decode_config(m, &config, where);

    if (error)
        return error;
    of_say(printer, " frags=");
    OF_SAY_NAME(printer, config.flags & 3u, fragments);
    if (config.flags & ~3u)
        of_say(printer, " flags=0x%x", config.flags);
    of_say(printer, " miss_send_len=%u", config.miss_send_len);
    return OF_OK;
}

/* ---- EXPERIMENTER ------------------------------------------------------------------------- */

int
of_decode_experimenter(const uint8_t *m, struct of_experimenter *ret, struct of_where *where)
{
    uint32_t head = m[0] == OF10 ? 12 : 16;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->experimenter = of_get32(m + 8);
    ret->type = m[0] == OF10 ? 0 : of_get32(m + 12);
    ret->data = of_rest(m + head, of_length(m) - head);
    return OF_OK;
}

void
of_put_experimenter(struct of_buffer *b, uint8_t version, uint32_t xid,
                    const struct of_experimenter *experimenter)
{
    uint32_t head = version == OF10 ? 12 : 16;
    uint8_t *p;

    if (version != OF13 && version != OF10) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, version, OFPT13_EXPERIMENTER, xid, head, experimenter->data.left);
    if (!p)
        return;
    of_store32(p + 8, experimenter->experimenter);
    if (version == OF13)
        of_store32(p + 12, experimenter->type);
    of_copy(p + head, experimenter->data.p, experimenter->data.left);
}

int
of_print_experimenter(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_experimenter e;
    int error = of_decode_experimenter(m, &e, where);

    if (error)
        return error;
    of_say(printer, " experimenter=0x%x", e.experimenter);
    if (m[0] == OF13)
        of_say(printer, " type=%u", e.type);
    if (e.data.left) {
        of_say(printer, " data=");
        of_say_hex(printer, e.data.p, e.data.left);
    }
    return OF_OK;
}
