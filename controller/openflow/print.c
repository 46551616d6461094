/* SPDX-License-Identifier: Apache-2.0
 *
 * print.c - one readable line a message, from the rows of message.c. Used by pcapcheck to show a
 * captured channel and by logs. The rows' functions stand with what they print; values come from
 * the decoders, so that what prints is what the controller would see. Any thread.
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
of_say_port_number(struct of_printer *printer, uint32_t port)
{
    static const char *const reserved[] = {"IN_PORT", "TABLE",      "NORMAL", "FLOOD",
                                           "ALL",     "CONTROLLER", "LOCAL",  "ANY"};

    if (port >= OFPP_IN_PORT)
        of_say(printer, "%s", reserved[port - OFPP_IN_PORT]);
    else
        of_say(printer, "%u", port);
}

void
of_say_port(struct of_printer *printer, const char *name, uint32_t port)
{
    of_say(printer, "%s:", name);
    of_say_port_number(printer, port);
}

void
of_say_buffer(struct of_printer *printer, uint32_t buffer_id)
{
    if (buffer_id != OF_NO_BUFFER)
        of_say(printer, " buffer=0x%x", buffer_id);
}

void
of_say_counter(struct of_printer *printer, const char *name, uint64_t value)
{
    const char *separator = printer->len && printer->text[printer->len - 1] == '{' ? "" : " ";

    if (value != UINT64_MAX)
        of_say(printer, "%s%s=%lu", separator, name, (unsigned long)value);
}

void
of_say_duration(struct of_printer *printer, uint32_t seconds, uint32_t nanoseconds)
{
    if (seconds != UINT32_MAX)
        of_say(printer, " duration=%u.%09u", seconds, nanoseconds);
}

void
of_say_hex(struct of_printer *printer, const uint8_t *p, uint32_t size)
{
    for (uint32_t i = 0; i < size && i < 64; i++)
        of_say(printer, "%02x", p[i]);
    if (size > 64)
        of_say(printer, "..(%u)", size);
}

void
of_say_text(struct of_printer *printer, const char *text)
{
    for (; *text; text++)
        of_say(printer, "%c", *text >= ' ' && *text < 0x7f && *text != '"' ? *text : '.');
}

void
of_say_flags(struct of_printer *printer, uint32_t value, const char *const *names, size_t n)
{
    const char *separator = "";

    if (!value)
        of_say(printer, "0");
    for (size_t i = 0; i < n && i < 32; i++)
        if (names[i] && value & UINT32_C(1) << i) {
            of_say(printer, "%s%s", separator, names[i]);
            value &= ~(UINT32_C(1) << i);
            separator = "|";
        }
    if (value)
        of_say(printer, "%s0x%x", separator, value);
}

void
of_say_name(struct of_printer *printer, uint32_t value, const char *const *names, size_t n)
{
    if (value < n && names[value])
        of_say(printer, "%s", names[value]);
    else
        of_say(printer, "%u", value);
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
        } else if (row && framed == 0) {
            error = OF_ESHORT;
            where = (struct of_where){(uint32_t)size, "body"};
        } else if (row && of_check(&header) != OF_OK) {
            error = of_check(&header);
            where = (struct of_where){header.length, "body"};
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
