/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapng.c - blocks of a pcapng file (draft-ietf-opsawg-pcapng): sections of both byte orders,
 * several interfaces with their names and time units, enhanced, simple and (old) packet blocks.
 * Other blocks are skipped. libpcap's reader gives no interface of a packet, which is all that
 * matters here.
 *
 *   +---------------+---------------+----------- ... -+---------------+
 *   | type          | total length  | body            | total length  |
 *   +---------------+---------------+----------- ... -+---------------+
 *
 * Pure but for the reader it is called from (reader.c). One thread a reader.
 */
#include "pcapcheck.h"

enum {
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2, /* obsolete */
    BLOCK_SIMPLE = 3,
    BLOCK_ENHANCED = 6,
    BLOCK_SECTION = 0x0a0d0d0a,
};

enum { OPTION_END = 0, IF_NAME = 2, IF_TSRESOL = 9, IF_TSOFFSET = 14, EPB_FLAGS = 2 };

#define BYTE_ORDER_MAGIC 0x1a2b3c4d

static uint32_t
get32(const uint8_t *p, bool swapped)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return swapped ? __builtin_bswap32(v) : v;
}

static uint16_t
get16(const uint8_t *p, bool swapped)
{
    uint16_t v;

    memcpy(&v, p, 2);
    return swapped ? __builtin_bswap16(v) : v;
}

static int
damaged(struct pc_reader *r, char *message, const char *what, uint32_t value)
{
    snprintf(message, 256, "byte %llu: %s (%u)", (unsigned long long)pc_reader_offset(r), what,
             value);
    return -1;
}

/* The rest of a section header whose type word was read. */
int
pc_pcapng_begin(struct pc_reader *r, const uint8_t magic[4], bool *ret_swapped, char *message)
{
    uint8_t h[8], *rest;
    uint32_t length, order;

    (void)magic;
    if (pc_reader_read(r, h, 8) != 8)
        return damaged(r, message, "a section header is cut off", 0);
    memcpy(&order, h + 4, 4);
    if (order != BYTE_ORDER_MAGIC && order != __builtin_bswap32(BYTE_ORDER_MAGIC))
        return damaged(r, message, "no byte order magic in the section header", order);
    *ret_swapped = order != BYTE_ORDER_MAGIC;
    length = get32(h, *ret_swapped);
    if (length < 28 || length % 4 || length > PC_BLOCK_MAX)
        return damaged(r, message, "impossible length of a section header", length);
    rest = pc_reader_block(r, length);
    if (!rest || pc_reader_read(r, rest, length - 12) != (int64_t)length - 12)
        return damaged(r, message, "a section header is cut off", length);
    if (get16(rest, *ret_swapped) != 1)
        return damaged(r, message, "unknown pcapng version", get16(rest, *ret_swapped));
    pc_reader_drop_interfaces(r);
    return 0;
}

/* The next option of a list: 1, or 0 at its end (also where it is damaged: options are optional).
 */
static int
next_option(const uint8_t **p, const uint8_t *end, bool swapped, uint16_t *ret_code,
            uint16_t *ret_size, const uint8_t **ret_value)
{
    uint32_t padded;

    if (end - *p < 4)
        return 0;
    *ret_code = get16(*p, swapped);
    *ret_size = get16(*p + 2, swapped);
    padded = (*ret_size + 3u) & ~3u;
    if (*ret_code == OPTION_END || (size_t)(end - *p - 4) < padded)
        return 0;
    *ret_value = *p + 4;
    *p += 4 + padded;
    return 1;
}

static int
add_interface(struct pc_reader *r, const uint8_t *body, uint32_t size, bool swapped, char *message)
{
    struct pc_reader_if *interface;
    const uint8_t *p = body + 8, *value;
    uint16_t code, n;

    if (size < 8)
        return damaged(r, message, "an interface block is too short", size);
    interface = pc_reader_add_interface(r);
    if (!interface)
        return damaged(r, message, "too many interfaces", PC_INTERFACES_MAX);
    interface->linktype = get16(body, swapped);
    interface->snaplen = get32(body + 4, swapped);
    while (next_option(&p, body + size, swapped, &code, &n, &value)) {
        if (code == IF_NAME) {
            snprintf(interface->name, sizeof interface->name, "%.*s", (int)n, (const char *)value);
        } else if (code == IF_TSRESOL && n >= 1) {
            unsigned exponent = value[0] & 127;
            uint64_t units = 1, base = value[0] & 128 ? 2 : 10;

            if (exponent > (base == 2 ? 62u : 18u))
                return damaged(r, message, "impossible time resolution", value[0]);
            while (exponent--)
                units *= base;
            interface->units = units;
        } else if (code == IF_TSOFFSET && n >= 8) {
            uint64_t v;

            memcpy(&v, value, 8);
            interface->offset_s = (int64_t)(swapped ? __builtin_bswap64(v) : v);
        }
    }
    return 0;
}

static uint64_t
time_of(const struct pc_reader_if *interface, uint32_t high, uint32_t low)
{
    uint64_t t = (uint64_t)high << 32 | low;
    uint64_t seconds = t / interface->units, rest = t % interface->units;

    return (seconds + (uint64_t)interface->offset_s) * SB_SECOND +
           (uint64_t)((unsigned __int128)rest * SB_SECOND / interface->units);
}

static int
enhanced(struct pc_reader *r, const uint8_t *body, uint32_t size, bool swapped, bool old,
         struct pc_record *ret, char *message)
{
    struct pc_reader_if *interface;
    const uint8_t *p, *value;
    uint16_t code, n;
    uint32_t cap, id;

    if (size < 20)
        return damaged(r, message, "a packet block is too short", size);
    id = old ? get16(body, swapped) : get32(body, swapped);
    interface = pc_reader_get_interface(r, id);
    if (!interface)
        return damaged(r, message, "a packet of an unknown interface", id);
    cap = get32(body + 12, swapped);
    if (cap > size - 20 || cap > PC_PACKET_MAX)
        return damaged(r, message, "a packet longer than its block", cap);
    *ret = (struct pc_record){
        .t_ns = time_of(interface, get32(body + 4, swapped), get32(body + 8, swapped)),
        .data = body + 20,
        .cap = cap,
        .len = get32(body + 16, swapped),
        .linktype = interface->linktype,
        .interface = id,
        .direction = PC_EITHER};
    p = body + 20 + ((cap + 3) & ~3u);
    if (p > body + size)
        p = body + size;
    while (next_option(&p, body + size, swapped, &code, &n, &value))
        if (code == EPB_FLAGS && n >= 4) {
            uint32_t flags = get32(value, swapped) & 3;

            /* As the capturing host saw it: outbound is what it, the switch, sent. */
            ret->direction = flags == 1 ? PC_IN : flags == 2 ? PC_OUT : PC_EITHER;
        }
    return 1;
}

static int
simple(struct pc_reader *r, const uint8_t *body, uint32_t size, bool swapped, struct pc_record *ret,
       char *message)
{
    struct pc_reader_if *interface = pc_reader_get_interface(r, 0);
    uint32_t cap;

    if (size < 4)
        return damaged(r, message, "a packet block is too short", size);
    if (!interface)
        return damaged(r, message, "a packet before any interface", 0);
    cap = get32(body, swapped);
    if (interface->snaplen && cap > interface->snaplen)
        cap = interface->snaplen;
    if (cap > size - 4)
        cap = size - 4;
    /* It carries no time: 0, so that such packets are shown but never judged by time. */
    *ret = (struct pc_record){.data = body + 4,
                              .cap = cap,
                              .len = get32(body, swapped),
                              .linktype = interface->linktype,
                              .direction = PC_EITHER};
    return 1;
}

int
pc_pcapng_next(struct pc_reader *r, bool *swapped, struct pc_record *ret, char *message)
{
    for (;;) {
        uint8_t h[8], *body;
        uint32_t type, length;
        int64_t n = pc_reader_read(r, h, 4);
        int error = 0;

        if (n == 0)
            return 0;
        if (n != 4)
            return damaged(r, message, "a block header is cut off", (uint32_t)(n < 0 ? 0 : n));
        type = get32(h, *swapped);
        if (type == BLOCK_SECTION) { /* reads the same in both byte orders */
            if (pc_pcapng_begin(r, h, swapped, message))
                return -1;
            continue;
        }
        if (pc_reader_read(r, h + 4, 4) != 4)
            return damaged(r, message, "a block header is cut off", 4);
        length = get32(h + 4, *swapped);
        if (length < 12 || length % 4 || length > PC_BLOCK_MAX)
            return damaged(r, message, "impossible block length", length);
        body = pc_reader_block(r, length);
        if (!body || pc_reader_read(r, body, length - 8) != (int64_t)length - 8)
            return damaged(r, message, "a block is cut off", length);
        length -= 12;
        switch (type) {
        case BLOCK_INTERFACE:
            error = add_interface(r, body, length, *swapped, message);
            break;
        case BLOCK_ENHANCED:
        case BLOCK_PACKET:
            return enhanced(r, body, length, *swapped, type == BLOCK_PACKET, ret, message);
        case BLOCK_SIMPLE:
            return simple(r, body, length, *swapped, ret, message);
        }
        if (error)
            return error;
    }
}
