/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c - one readable line a message, from the rows of message.c. Used by pcapcheck to show a
 * captured channel and by logs. Values come from the decoders where there is one, so that what
 * prints is what the controller would see. Any thread.
 */
#include "codec.h"

#include <stdarg.h>
#include <stdio.h>

void
of_say(struct of_printer *printer, const char *format, ...)
{
    va_list args;
    int n;

    if (printer->truncated)
        return;
    va_start(args, format);
    n = vsnprintf(printer->text + printer->len, printer->size - printer->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= printer->size - printer->len) {
        printer->len = printer->size - 1;
        printer->truncated = true;
        return;
    }
    printer->len += (size_t)n;
}

void
of_say_mac(struct of_printer *printer, const uint8_t mac[6])
{
    of_say(printer, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
           mac[5]);
}

void
of_say_port(struct of_printer *printer, const char *name, uint32_t port)
{
    static const char *const reserved[] = {"IN_PORT", "TABLE",      "NORMAL", "FLOOD",
                                           "ALL",     "CONTROLLER", "LOCAL",  "ANY"};

    if (port >= OFPP_IN_PORT)
        of_say(printer, "%s:%s", name, reserved[port - OFPP_IN_PORT]);
    else
        of_say(printer, "%s:%u", name, port);
}

static const char *
name_of(const char *const *names, size_t len, uint8_t value)
{
    return value < len ? names[value] : "unknown";
}
#define NAME(table, value) name_of(table, sizeof(table) / sizeof((table)[0]), value)

static void
say_buffer(struct of_printer *printer, uint32_t buffer_id)
{
    if (buffer_id != OF_NO_BUFFER)
        of_say(printer, " buffer=0x%x", buffer_id);
}

/* Up to 64 bytes of text or hex */
static void
say_bytes(struct of_printer *printer, const uint8_t *p, uint32_t size)
{
    for (uint32_t i = 0; i < size && i < 64; i++)
        of_say(printer, "%02x", p[i]);
    if (size > 64)
        of_say(printer, "..(%u)", size);
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
of_print_error(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_error_msg e;
    char text[64], name[32];
    int error = of_decode_error(m, &e, where);

    if (error)
        return error;
    of_say(printer, " %s", of_error_text(m[0], e.type, e.code, text, sizeof(text)));
    if (e.request_type != 0xff) {
        of_say(printer, " of %s xid=0x%x", of_type_name(m[0], e.request_type, name, sizeof(name)),
               e.request_xid);
    } else if (e.data_size) {
        of_say(printer, " \"");
        for (unsigned i = 0; i < e.data_size && i < 80 && e.data[i]; i++)
            of_say(printer, "%c", e.data[i] >= ' ' && e.data[i] < 0x7f ? e.data[i] : '.');
        of_say(printer, "\"");
    }
    return OF_OK;
}

int
of_print_echo(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    (void)where;
    of_say(printer, " payload=%u", of_get16(m + 2) - OF_HEADER_SIZE);
    return OF_OK;
}

int
of_print_features_reply(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_features f;
    int error = of_decode_features_reply(m, &f, where);

    if (!error)
        of_say(printer, " dpid=%016lx n_buffers=%u n_tables=%u aux=%u capabilities=0x%x",
               (unsigned long)f.dpid, f.n_buffers, f.n_tables, f.auxiliary_id, f.capabilities);
    return error;
}

int
of_print_config(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    (void)where;
    of_say(printer, " flags=%u miss_send_len=%u", of_get16(m + 8), of_get16(m + 10));
    return OF_OK;
}

int
of_print_packet_in(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"no_match", "action", "invalid_ttl"};
    struct of_packet_in in;
    int error = of_decode_packet_in(m, &in, where);

    if (error)
        return error;
    of_say_port(printer, " in_port", in.in_port);
    of_say(printer, " reason=%s total_len=%u", NAME(reasons, in.reason), in.total_len);
    if (m[0] == OF13)
        of_say(printer, " table=%u cookie=%016lx", in.table_id, (unsigned long)in.cookie);
    say_buffer(printer, in.buffer_id);
    of_say(printer, " data=");
    say_bytes(printer, in.data, in.data_size);
    return OF_OK;
}

int
of_print_flow_removed(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"idle", "hard", "delete", "group_delete"};
    struct of_flow_removed r;
    int error = of_decode_flow_removed(m, &r, where);

    if (error)
        return error;
    of_say(printer,
           " reason=%s cookie=%016lx table=%u priority=%u idle=%u hard=%u duration=%u.%09u"
           " packets=%lu bytes=%lu",
           NAME(reasons, r.reason), (unsigned long)r.cookie, r.table_id, r.priority, r.idle_s,
           r.hard_s, r.duration_s, r.duration_ns, (unsigned long)r.packets, (unsigned long)r.bytes);
    of_match_print(printer, m + 48);
    return OF_OK;
}

/* Names come from the peer: nothing but printable ASCII leaves here. */
static void
say_port_desc(struct of_printer *printer, const struct of_port *port)
{
    of_say_port(printer, " port", port->port);
    of_say(printer, "(");
    for (const char *c = port->name; *c; c++)
        of_say(printer, "%c", *c > ' ' && *c < 0x7f ? *c : '.');
    of_say(printer, ",");
    of_say_mac(printer, port->mac);
    of_say(printer, ",config=0x%x,state=0x%x)", port->config, port->state);
}

int
of_print_port_status(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"add", "delete", "modify"};
    struct of_port_status status;
    int error = of_decode_port_status(m, &status, where);

    if (error)
        return error;
    of_say(printer, " reason=%s", NAME(reasons, status.reason));
    say_port_desc(printer, &status.port);
    return OF_OK;
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
    say_buffer(printer, out.buffer_id);
    error = of_actions_print(printer, out.actions, out.actions_size, &at);
    if (error)
        return of_fail(where, m, at, "action", error);
    if (out.data_size) {
        of_say(printer, " data=");
        say_bytes(printer, out.data, out.data_size);
    }
    return OF_OK;
}

int
of_print_flow_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const commands[] = {"ADD", "MODIFY", "MODIFY_STRICT", "DELETE",
                                           "DELETE_STRICT"};
    struct of_flow_mod mod;
    const uint8_t *at;
    uint32_t match;
    int error = of_decode_flow_mod(m, &mod, where);

    if (error)
        return error;
    of_say(printer, " %s table=%u priority=%u cookie=%016lx/%016lx idle=%u hard=%u flags=0x%x",
           NAME(commands, mod.command), mod.table_id, mod.priority, (unsigned long)mod.cookie,
           (unsigned long)mod.cookie_mask, mod.idle_s, mod.hard_s, mod.flags);
    say_buffer(printer, mod.buffer_id);
    of_match_print(printer, m + 48);
    if (mod.command == OFPFC_DELETE || mod.command == OFPFC_DELETE_STRICT) {
        of_say_port(printer, " out_port", mod.out_port);
        of_say(printer, " out_group:0x%x", mod.out_group);
        return OF_OK; /* instructions have no meaning then (6.4) */
    }
    match = of_pad8(of_get16(m + 50));
    error = of_instructions_print(printer, m + 48 + match, of_get16(m + 2) - 48u - match, &at);
    return error ? of_fail(where, m, at, "action", error) : OF_OK;
}

/* Entries of a flow stats reply, each as its rule. */
static int
print_flows(struct of_printer *printer, struct of_cursor body, const uint8_t *m,
            struct of_where *where)
{
    struct of_flow flow;
    const uint8_t *p, *at;
    int error;

    while (p = body.p, (error = of_next_flow(&body, &flow)) > 0) {
        uint32_t match = of_pad8(of_get16(p + 50));

        of_say(printer, " [table=%u priority=%u cookie=%016lx idle=%u hard=%u packets=%lu",
               flow.table_id, flow.priority, (unsigned long)flow.cookie, flow.idle_s, flow.hard_s,
               (unsigned long)flow.packets);
        of_match_print(printer, p + 48);
        error = of_instructions_print(printer, p + 48 + match, of_get16(p) - 48u - match, &at);
        if (error)
            return of_fail(where, m, at, "action", error);
        of_say(printer, "]");
    }
    return error ? of_fail(where, m, p, "flow entry", error) : OF_OK;
}

int
of_print_multipart(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_multipart part;
    struct of_cursor body;
    struct of_port port;
    bool reply = m[0] == OF13 && m[1] == OFPT13_MULTIPART_REPLY;
    int error = of_decode_multipart(m, &part, where);

    if (error)
        return error;
    of_say(printer, " %s%s", of_multipart_name(part.type),
           part.flags & OFPMPF_REPLY_MORE ? " more" : "");
    body = (struct of_cursor){part.body, part.body_size};
    if (reply && part.type == OFPMP_FLOW)
        return print_flows(printer, body, m, where);
    if (reply && part.type == OFPMP_GROUP_DESC)
        return of_print_groups(printer, body, m, where);
    if (reply && part.type == OFPMP_PORT_DESC) {
        while ((error = of_next_port(&body, &port)) > 0)
            say_port_desc(printer, &port);
        return error ? of_fail(where, m, body.p, "port", error) : OF_OK;
    }
    of_say(printer, " body=%u", part.body_size);
    return OF_OK;
}

int
of_print_role(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const roles[] = {"NOCHANGE", "EQUAL", "MASTER", "SLAVE"};
    uint32_t role = of_get32(m + 8);

    (void)where;
    of_say(printer, " %s generation_id=%lu", role < 4 ? roles[role] : "unknown",
           (unsigned long)of_get64(m + 16));
    return OF_OK;
}

static void
say_version(struct of_printer *printer, uint8_t version)
{
    if (version >= 1 && version <= 6)
        of_say(printer, " (OF1.%u)", version - 1u);
    else
        of_say(printer, " (version %u)", version);
}

int
of_print(const uint8_t *message, size_t size, char *ret, size_t ret_size)
{
    struct of_printer printer = {.text = ret, .size = ret_size};
    struct of_where where = {.offset = 0, .field = "header"};
    struct of_header header;
    const struct of_row *row;
    char name[32];
    int framed, error = OF_OK;

    if (ret_size < 4)
        return OF_ENOSPACE;
    ret[0] = '\0';
    framed = of_frame(message, size, &header);
    if (size < OF_HEADER_SIZE) {
        of_say(&printer, "%zu bytes", size);
        error = OF_ESHORT;
    } else {
        of_say(&printer, "%s", of_type_name(header.version, header.type, name, sizeof(name)));
        say_version(&printer, header.version);
        of_say(&printer, " xid=0x%x", header.xid);
        row = of_row(header.version, header.type, &error);
        if (framed < 0) {
            error = framed;
            where = (struct of_where){2, "length"};
        } else if (row && (header.length < row->minimum || framed == 0)) {
            error = OF_ESHORT;
            where = (struct of_where){(uint32_t)(framed ? header.length : size), "body"};
        } else if (row && row->print) {
            error = row->print(&printer, message, &where);
        } else if (row && header.length > OF_HEADER_SIZE) {
            of_say(&printer, " body=%u", header.length - OF_HEADER_SIZE);
        }
    }
    if (error)
        of_say(&printer, " !%s at %u (%s)", of_strerror(error), where.offset, where.field);
    if (printer.truncated)
        memcpy(ret + ret_size - 4, "...", 4);
    return error ? error : (int)printer.len;
}
