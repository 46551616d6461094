/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - ERROR messages, and the names of their types and codes, one table a version.
 * Neighbours: message.c, print.c. Any thread. OpenFlow 1.3.5 section 7.4.4, 1.0.0 section 5.4.4.
 */
#include "codec.h"

#include <stdio.h>

/* Errors of experimenters say who and what before the request they refuse: u32 experimenter in 1.3
 * (7.4.4.15); in 1.0, which has none, Open vSwitch sends u32 vendor, u16 type, u16 code. 0: no
 * such.
 */
static uint32_t
own_size(uint8_t version, uint16_t type)
{
    if (version == OF10)
        return type == OFPET_NICIRA10 ? 8 : 0;
    return type == OFPET_EXPERIMENTER ? 4 : 0;
}

int
of_decode_error(const uint8_t *m, struct of_error_msg *ret, struct of_where *where)
{
    const uint8_t *request;
    uint32_t own;

    (void)where; /* of_check() has seen all that can be wrong */
    ret->type = of_get16(m + 8);
    ret->code = of_get16(m + 10);
    ret->data = m + 12;
    ret->data_size = (uint16_t)(of_length(m) - 12);
    ret->request_xid = of_get32(m + 4);
    ret->request_type = 0xff;
    ret->request = NULL;
    ret->request_size = 0;
    own = own_size(m[0], ret->type);
    request = ret->data + own;
    /* behind an experimenter's own there may be anything else, which our version tells */
    if (ret->type != OFPET_HELLO_FAILED && ret->data_size >= own + OF_HEADER_SIZE &&
        (!own || request[0] == m[0])) {
        ret->request_xid = of_get32(request + 4);
        ret->request_type = request[1];
        ret->request = request;
        ret->request_size = (uint16_t)(ret->data_size - own);
    }
    return OF_OK;
}

bool
of_refused_cookie(const struct of_error_msg *error, uint64_t *ret)
{
    unsigned at;

    if (!error->request || error->request_type != OFPT13_FLOW_MOD) /* the number of both versions */
        return false;
    at = error->request[0] == OF10 ? 48 : 8;
    if (error->request_size < at + 8)
        return false;
    *ret = of_get64(error->request + at);
    return true;
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
    of_copy(p + 12, data, size);
}

int
of_print_error(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_error_msg e;
    char text[64], name[32];
    uint32_t own;
    int error = of_decode_error(m, &e, where);

    if (error)
        return error;
    of_say(printer, " %s", of_error_text(m[0], e.type, e.code, text, sizeof(text)));
    own = own_size(m[0], e.type);
    if (own && e.data_size >= own) {
        of_say(printer, " experimenter=0x%x", of_get32(e.data));
        if (own == 8)
            of_say(printer, " type=%u code=%u", of_get16(e.data + 4), of_get16(e.data + 6));
    }
    if (e.request_type != 0xff) {
        of_say(printer, " of %s xid=0x%x", of_type_name(m[0], e.request_type, name, sizeof(name)),
               e.request_xid);
    } else if (own && e.data_size > own) {
        of_say(printer, " data=");
        of_say_hex(printer, e.data + own, e.data_size - own);
    } else if (own) {
        return OF_OK;
    } else if (e.data_size) {
        of_say(printer, " \"");
        for (unsigned i = 0; i < e.data_size && i < 80 && e.data[i]; i++)
            of_say(printer, "%c", e.data[i] >= ' ' && e.data[i] < 0x7f ? e.data[i] : '.');
        of_say(printer, "\"");
    }
    return OF_OK;
}

/* ---- error codes --------------------------------------------------------------- */

struct error_type {
    const char *name;         /* without OFPET_ */
    const char *const *codes; /* names without prefix */
    size_t n_codes;
};

#define CODES(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* Section 7.4.4 */
static const struct error_type errors13[] = {
    [0] = {"HELLO_FAILED", CODES("INCOMPATIBLE", "EPERM")},
    [1] = {"BAD_REQUEST",
           CODES("BAD_VERSION", "BAD_TYPE", "BAD_MULTIPART", "BAD_EXPERIMENTER", "BAD_EXP_TYPE",
                 "EPERM", "BAD_LEN", "BUFFER_EMPTY", "BUFFER_UNKNOWN", "BAD_TABLE_ID", "IS_SLAVE",
                 "BAD_PORT", "BAD_PACKET", "MULTIPART_BUFFER_OVERFLOW")},
    [2] = {"BAD_ACTION", CODES("BAD_TYPE", "BAD_LEN", "BAD_EXPERIMENTER", "BAD_EXP_TYPE",
                               "BAD_OUT_PORT", "BAD_ARGUMENT", "EPERM", "TOO_MANY", "BAD_QUEUE",
                               "BAD_OUT_GROUP", "MATCH_INCONSISTENT", "UNSUPPORTED_ORDER",
                               "BAD_TAG", "BAD_SET_TYPE", "BAD_SET_LEN", "BAD_SET_ARGUMENT")},
    [3] = {"BAD_INSTRUCTION",
           CODES("UNKNOWN_INST", "UNSUP_INST", "BAD_TABLE_ID", "UNSUP_METADATA",
                 "UNSUP_METADATA_MASK", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_LEN", "EPERM")},
    [4] = {"BAD_MATCH", CODES("BAD_TYPE", "BAD_LEN", "BAD_TAG", "BAD_DL_ADDR_MASK",
                              "BAD_NW_ADDR_MASK", "BAD_WILDCARDS", "BAD_FIELD", "BAD_VALUE",
                              "BAD_MASK", "BAD_PREREQ", "DUP_FIELD", "EPERM")},
    [5] = {"FLOW_MOD_FAILED", CODES("UNKNOWN", "TABLE_FULL", "BAD_TABLE_ID", "OVERLAP", "EPERM",
                                    "BAD_TIMEOUT", "BAD_COMMAND", "BAD_FLAGS")},
    [6] = {"GROUP_MOD_FAILED",
           CODES("GROUP_EXISTS", "INVALID_GROUP", "WEIGHT_UNSUPPORTED", "OUT_OF_GROUPS",
                 "OUT_OF_BUCKETS", "CHAINING_UNSUPPORTED", "WATCH_UNSUPPORTED", "LOOP",
                 "UNKNOWN_GROUP", "CHAINED_GROUP", "BAD_TYPE", "BAD_COMMAND", "BAD_BUCKET",
                 "BAD_WATCH", "EPERM")},
    [7] = {"PORT_MOD_FAILED",
           CODES("BAD_PORT", "BAD_HW_ADDR", "BAD_CONFIG", "BAD_ADVERTISE", "EPERM")},
    [8] = {"TABLE_MOD_FAILED", CODES("BAD_TABLE", "BAD_CONFIG", "EPERM")},
    [9] = {"QUEUE_OP_FAILED", CODES("BAD_PORT", "BAD_QUEUE", "EPERM")},
    [10] = {"SWITCH_CONFIG_FAILED", CODES("BAD_FLAGS", "BAD_LEN", "EPERM")},
    [11] = {"ROLE_REQUEST_FAILED", CODES("STALE", "UNSUP", "BAD_ROLE")},
    [12] = {"METER_MOD_FAILED",
            CODES("UNKNOWN", "METER_EXISTS", "INVALID_METER", "UNKNOWN_METER", "BAD_COMMAND",
                  "BAD_FLAGS", "BAD_RATE", "BAD_BURST", "BAD_BAND", "BAD_BAND_VALUE",
                  "OUT_OF_METERS", "OUT_OF_BANDS")},
    [13] = {"TABLE_FEATURES_FAILED",
            CODES("BAD_TABLE", "BAD_METADATA", "BAD_TYPE", "BAD_LEN", "BAD_ARGUMENT", "EPERM")},
};

/* 1.0.0 section 5.4.4 */
static const struct error_type errors10[] = {
    [0] = {"HELLO_FAILED", CODES("INCOMPATIBLE", "EPERM")},
    [1] = {"BAD_REQUEST", CODES("BAD_VERSION", "BAD_TYPE", "BAD_STAT", "BAD_VENDOR", "BAD_SUBTYPE",
                                "EPERM", "BAD_LEN", "BUFFER_EMPTY", "BUFFER_UNKNOWN")},
    [2] = {"BAD_ACTION", CODES("BAD_TYPE", "BAD_LEN", "BAD_VENDOR", "BAD_VENDOR_TYPE",
                               "BAD_OUT_PORT", "BAD_ARGUMENT", "EPERM", "TOO_MANY", "BAD_QUEUE")},
    [3] = {"FLOW_MOD_FAILED", CODES("ALL_TABLES_FULL", "OVERLAP", "EPERM", "BAD_EMERG_TIMEOUT",
                                    "BAD_COMMAND", "UNSUPPORTED")},
    [4] = {"PORT_MOD_FAILED", CODES("BAD_PORT", "BAD_HW_ADDR")},
    [5] = {"QUEUE_OP_FAILED", CODES("BAD_PORT", "BAD_QUEUE", "EPERM")},
};

const char *
of_error_text(uint8_t version, uint16_t type, uint16_t code, char *buf, size_t size)
{
    const struct error_type *table = version == OF10 ? errors10 : errors13;
    size_t len = version == OF10 ? OF_LEN(errors10) : OF_LEN(errors13);

    if (type == OFPET_EXPERIMENTER && version != OF10)
        snprintf(buf, size, "EXPERIMENTER/type %u", code);
    else if (type == OFPET_NICIRA10 && version == OF10)
        snprintf(buf, size, "NICIRA/code %u", code);
    else if (type >= len)
        snprintf(buf, size, "error type %u/code %u", type, code);
    else if (code >= table[type].n_codes)
        snprintf(buf, size, "%s/code %u", table[type].name, code);
    else
        snprintf(buf, size, "%s/%s", table[type].name, table[type].codes[code]);
    return buf;
}
