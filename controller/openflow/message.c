/* SPDX-License-Identifier: Apache-2.0
 *
 * message.c - the tables of message types, one set of rows per version, and what follows from them:
 * the check of a header before any decoder runs, and names. Error codes are tables too.
 * Neighbours: decode.c (relies on the minimum lengths here), print.c (the rows' print functions).
 * Any thread. OpenFlow 1.3.5 section 7, 1.0.0 section 5.
 */
#include "codec.h"

#include <stdio.h>

/* OpenFlow 1.3.5, section numbers of TS-023 */
static const struct of_row rows13[] = {
    [OFPT13_HELLO] = {"HELLO", 8, of_print_hello},                              /* 7.5.1 */
    [OFPT13_ERROR] = {"ERROR", 12, of_print_error},                             /* 7.4.4 */
    [OFPT13_ECHO_REQUEST] = {"ECHO_REQUEST", 8, of_print_echo},                 /* 7.5.2 */
    [OFPT13_ECHO_REPLY] = {"ECHO_REPLY", 8, of_print_echo},                     /* 7.5.3 */
    [OFPT13_EXPERIMENTER] = {"EXPERIMENTER", 16, NULL},                         /* 7.5.4 */
    [OFPT13_FEATURES_REQUEST] = {"FEATURES_REQUEST", 8, NULL},                  /* 7.3.1 */
    [OFPT13_FEATURES_REPLY] = {"FEATURES_REPLY", 32, of_print_features_reply},  /* 7.3.1 */
    [OFPT13_GET_CONFIG_REQUEST] = {"GET_CONFIG_REQUEST", 8, NULL},              /* 7.3.2 */
    [OFPT13_GET_CONFIG_REPLY] = {"GET_CONFIG_REPLY", 12, of_print_config},      /* 7.3.2 */
    [OFPT13_SET_CONFIG] = {"SET_CONFIG", 12, of_print_config},                  /* 7.3.2 */
    [OFPT13_PACKET_IN] = {"PACKET_IN", 34, of_print_packet_in},                 /* 7.4.1 */
    [OFPT13_FLOW_REMOVED] = {"FLOW_REMOVED", 56, of_print_flow_removed},        /* 7.4.2 */
    [OFPT13_PORT_STATUS] = {"PORT_STATUS", 80, of_print_port_status},           /* 7.4.3 */
    [OFPT13_PACKET_OUT] = {"PACKET_OUT", 24, of_print_packet_out},              /* 7.3.7 */
    [OFPT13_FLOW_MOD] = {"FLOW_MOD", 56, of_print_flow_mod},                    /* 7.3.4.1 */
    [OFPT13_GROUP_MOD] = {"GROUP_MOD", 16, of_print_group_mod},                 /* 7.3.4.2 */
    [OFPT13_PORT_MOD] = {"PORT_MOD", 40, NULL},                                 /* 7.3.4.3 */
    [OFPT13_TABLE_MOD] = {"TABLE_MOD", 16, NULL},                               /* 7.3.3 */
    [OFPT13_MULTIPART_REQUEST] = {"MULTIPART_REQUEST", 16, of_print_multipart}, /* 7.3.5 */
    [OFPT13_MULTIPART_REPLY] = {"MULTIPART_REPLY", 16, of_print_multipart},     /* 7.3.5 */
    [OFPT13_BARRIER_REQUEST] = {"BARRIER_REQUEST", 8, NULL},                    /* 7.3.8 */
    [OFPT13_BARRIER_REPLY] = {"BARRIER_REPLY", 8, NULL},                        /* 7.3.8 */
    [OFPT13_QUEUE_GET_CONFIG_REQUEST] = {"QUEUE_GET_CONFIG_REQUEST", 16, NULL}, /* 7.3.6 */
    [OFPT13_QUEUE_GET_CONFIG_REPLY] = {"QUEUE_GET_CONFIG_REPLY", 16, NULL},     /* 7.3.6 */
    [OFPT13_ROLE_REQUEST] = {"ROLE_REQUEST", 24, of_print_role},                /* 7.3.9 */
    [OFPT13_ROLE_REPLY] = {"ROLE_REPLY", 24, of_print_role},                    /* 7.3.9 */
    [OFPT13_GET_ASYNC_REQUEST] = {"GET_ASYNC_REQUEST", 8, NULL},                /* 7.3.10 */
    [OFPT13_GET_ASYNC_REPLY] = {"GET_ASYNC_REPLY", 32, NULL},                   /* 7.3.10 */
    [OFPT13_SET_ASYNC] = {"SET_ASYNC", 32, NULL},                               /* 7.3.10 */
    [OFPT13_METER_MOD] = {"METER_MOD", 16, NULL},                               /* 7.3.4.4 */
};

/* OpenFlow 1.0.0, section 5.1 numbers the types */
static const struct of_row rows10[] = {
    [0] = {"HELLO", 8, of_print_hello},                    /* 5.5.1 */
    [1] = {"ERROR", 12, of_print_error},                   /* 5.4.4 */
    [2] = {"ECHO_REQUEST", 8, of_print_echo},              /* 5.5.2 */
    [3] = {"ECHO_REPLY", 8, of_print_echo},                /* 5.5.3 */
    [4] = {"VENDOR", 12, NULL},                            /* 5.5.4 */
    [5] = {"FEATURES_REQUEST", 8, NULL},                   /* 5.3.1 */
    [6] = {"FEATURES_REPLY", 32, of_print_features_reply}, /* 5.3.1 */
    [7] = {"GET_CONFIG_REQUEST", 8, NULL},                 /* 5.3.2 */
    [8] = {"GET_CONFIG_REPLY", 12, of_print_config},       /* 5.3.2 */
    [9] = {"SET_CONFIG", 12, of_print_config},             /* 5.3.2 */
    [10] = {"PACKET_IN", 18, of_print_packet_in},          /* 5.4.1 */
    [11] = {"FLOW_REMOVED", 88, NULL},                     /* 5.4.3 */
    [12] = {"PORT_STATUS", 64, of_print_port_status},      /* 5.4.3 */
    [13] = {"PACKET_OUT", 16, NULL},                       /* 5.3.6 */
    [14] = {"FLOW_MOD", 72, NULL},                         /* 5.3.3 */
    [15] = {"PORT_MOD", 32, NULL},                         /* 5.3.3 */
    [16] = {"STATS_REQUEST", 12, of_print_multipart},      /* 5.3.5 */
    [17] = {"STATS_REPLY", 12, of_print_multipart},        /* 5.3.5 */
    [18] = {"BARRIER_REQUEST", 8, NULL},                   /* 5.3.7 */
    [19] = {"BARRIER_REPLY", 8, NULL},                     /* 5.3.7 */
    [20] = {"QUEUE_GET_CONFIG_REQUEST", 12, NULL},         /* 5.3.4 */
    [21] = {"QUEUE_GET_CONFIG_REPLY", 16, NULL},           /* 5.3.4 */
};

#define LEN(table) (sizeof(table) / sizeof((table)[0]))

const struct of_row *
of_row(uint8_t version, uint8_t type, int *ret_error)
{
    const struct of_row *rows = rows13;
    size_t len = LEN(rows13);

    if (version == OF10) {
        rows = rows10;
        len = LEN(rows10);
    } else if (version != OF13) {
        /* HELLO, ERROR and ECHO look alike in all versions; a peer that talks of a version which we
         * lack says so with the first two */
        len = OFPT13_ECHO_REPLY + 1;
    }
    if (version == 0 || (version != OF10 && version != OF13 && type >= len)) {
        *ret_error = OF_EVERSION;
        return NULL;
    }
    if (type >= len) {
        *ret_error = OF_ETYPE;
        return NULL;
    }
    return &rows[type];
}

int
of_check(const struct of_header *header)
{
    int error = OF_OK;
    const struct of_row *row = of_row(header->version, header->type, &error);

    if (!row)
        return error;
    return header->length < row->minimum ? OF_ESHORT : OF_OK;
}

const char *
of_type_name(uint8_t version, uint8_t type, char *buf, size_t size)
{
    int error;
    const struct of_row *row = of_row(version, type, &error);

    if (row)
        snprintf(buf, size, "%s", row->name);
    else
        snprintf(buf, size, "type %u", type);
    return buf;
}

const char *
of_strerror(int error)
{
    switch (error) {
    case OF_OK:
        return "ok";
    case OF_ESHORT:
        return "message too short";
    case OF_ELENGTH:
        return "bad length field";
    case OF_EVERSION:
        return "unknown version";
    case OF_ETYPE:
        return "unknown message type";
    case OF_EVALUE:
        return "bad value";
    case OF_ENOSPACE:
        return "output buffer full";
    default:
        return "unknown error";
    }
}

const char *
of_multipart_name(uint16_t type)
{
    static const char *const names[] = {
        [OFPMP_DESC] = "DESC", /* 7.3.5.1 */
        [OFPMP_FLOW] = "FLOW",
        [OFPMP_AGGREGATE] = "AGGREGATE",
        [OFPMP_TABLE] = "TABLE",
        [OFPMP_PORT_STATS] = "PORT_STATS",
        [OFPMP_QUEUE] = "QUEUE",
        [OFPMP_GROUP] = "GROUP",
        [OFPMP_GROUP_DESC] = "GROUP_DESC",
        [OFPMP_GROUP_FEATURES] = "GROUP_FEATURES",
        [OFPMP_METER] = "METER",
        [OFPMP_METER_CONFIG] = "METER_CONFIG",
        [OFPMP_METER_FEATURES] = "METER_FEATURES",
        [OFPMP_TABLE_FEATURES] = "TABLE_FEATURES",
        [OFPMP_PORT_DESC] = "PORT_DESC",
    };

    if (type == OFPMP_EXPERIMENTER)
        return "EXPERIMENTER";
    return type < LEN(names) ? names[type] : "unknown";
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
                  "BAD_FLAGS", "BAD_RATE", "BAD_BURST", "BAD_BAND", "BAD_BAND_TYPE",
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
    size_t len = version == OF10 ? LEN(errors10) : LEN(errors13);

    if (type >= len)
        snprintf(buf, size, "error type %u/code %u", type, code);
    else if (code >= table[type].n_codes)
        snprintf(buf, size, "%s/code %u", table[type].name, code);
    else
        snprintf(buf, size, "%s/%s", table[type].name, table[type].codes[code]);
    return buf;
}
