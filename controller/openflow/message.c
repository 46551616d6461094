/* SPDX-License-Identifier: Apache-2.0
 *
 * message.c - the tables of message types, one set of rows per version, and what follows from them:
 * the check of a header before any decoder runs, names, and numbers of one version in the other.
 * Neighbours: every decoder (relies on the minimum lengths here), print.c (the rows' print
 * functions).
 * Any thread. OpenFlow 1.3.5 section 7, 1.0.0 section 5.
 */
#include "codec.h"

#include <stdio.h>

/* OpenFlow 1.3.5, section numbers of TS-023 */
static const struct of_row rows13[] = {
    [OFPT13_HELLO] = {"HELLO", 8, AT_LEAST, of_print_hello},                          /* 7.5.1 */
    [OFPT13_ERROR] = {"ERROR", 12, AT_LEAST, of_print_error},                         /* 7.4.4 */
    [OFPT13_ECHO_REQUEST] = {"ECHO_REQUEST", 8, AT_LEAST, of_print_echo},             /* 7.5.2 */
    [OFPT13_ECHO_REPLY] = {"ECHO_REPLY", 8, AT_LEAST, of_print_echo},                 /* 7.5.3 */
    [OFPT13_EXPERIMENTER] = {"EXPERIMENTER", 16, AT_LEAST, of_print_experimenter},    /* 7.5.4 */
    [OFPT13_FEATURES_REQUEST] = {"FEATURES_REQUEST", 8, FIXED, NULL},                 /* 7.3.1 */
    [OFPT13_FEATURES_REPLY] = {"FEATURES_REPLY", 32, FIXED, of_print_features_reply}, /* 7.3.1 */
    [OFPT13_GET_CONFIG_REQUEST] = {"GET_CONFIG_REQUEST", 8, FIXED, NULL},             /* 7.3.2 */
    [OFPT13_GET_CONFIG_REPLY] = {"GET_CONFIG_REPLY", 12, FIXED, of_print_config},     /* 7.3.2 */
    [OFPT13_SET_CONFIG] = {"SET_CONFIG", 12, FIXED, of_print_config},                 /* 7.3.2 */
    [OFPT13_PACKET_IN] = {"PACKET_IN", 34, AT_LEAST, of_print_packet_in},             /* 7.4.1 */
    [OFPT13_FLOW_REMOVED] = {"FLOW_REMOVED", 56, AT_LEAST, of_print_flow_removed},    /* 7.4.2 */
    [OFPT13_PORT_STATUS] = {"PORT_STATUS", 80, FIXED, of_print_port_status},          /* 7.4.3 */
    [OFPT13_PACKET_OUT] = {"PACKET_OUT", 24, AT_LEAST, of_print_packet_out},          /* 7.3.7 */
    [OFPT13_FLOW_MOD] = {"FLOW_MOD", 56, AT_LEAST, of_print_flow_mod},                /* 7.3.4.1 */
    [OFPT13_GROUP_MOD] = {"GROUP_MOD", 16, AT_LEAST, of_print_group_mod},             /* 7.3.4.2 */
    [OFPT13_PORT_MOD] = {"PORT_MOD", 40, FIXED, of_print_port_mod},                   /* 7.3.4.3 */
    [OFPT13_TABLE_MOD] = {"TABLE_MOD", 16, FIXED, of_print_table_mod},                /* 7.3.3 */
    [OFPT13_MULTIPART_REQUEST] = {"MULTIPART_REQUEST", 16, AT_LEAST,
                                  of_print_multipart},                                /* 7.3.5 */
    [OFPT13_MULTIPART_REPLY] = {"MULTIPART_REPLY", 16, AT_LEAST, of_print_multipart}, /* 7.3.5 */
    [OFPT13_BARRIER_REQUEST] = {"BARRIER_REQUEST", 8, FIXED, NULL},                   /* 7.3.8 */
    [OFPT13_BARRIER_REPLY] = {"BARRIER_REPLY", 8, FIXED, NULL},                       /* 7.3.8 */
    [OFPT13_QUEUE_GET_CONFIG_REQUEST] = {"QUEUE_GET_CONFIG_REQUEST", 16, FIXED,
                                         of_print_queue_config}, /* 7.3.6 */
    [OFPT13_QUEUE_GET_CONFIG_REPLY] = {"QUEUE_GET_CONFIG_REPLY", 16, AT_LEAST,
                                       of_print_queue_config},                 /* 7.3.6 */
    [OFPT13_ROLE_REQUEST] = {"ROLE_REQUEST", 24, FIXED, of_print_role},        /* 7.3.9 */
    [OFPT13_ROLE_REPLY] = {"ROLE_REPLY", 24, FIXED, of_print_role},            /* 7.3.9 */
    [OFPT13_GET_ASYNC_REQUEST] = {"GET_ASYNC_REQUEST", 8, FIXED, NULL},        /* 7.3.10 */
    [OFPT13_GET_ASYNC_REPLY] = {"GET_ASYNC_REPLY", 32, FIXED, of_print_async}, /* 7.3.10 */
    [OFPT13_SET_ASYNC] = {"SET_ASYNC", 32, FIXED, of_print_async},             /* 7.3.10 */
    [OFPT13_METER_MOD] = {"METER_MOD", 16, AT_LEAST, of_print_meter_mod},      /* 7.3.4.4 */
};

/* OpenFlow 1.0.0, section 5.1 numbers the types */
static const struct of_row rows10[] = {
    [0] = {"HELLO", 8, AT_LEAST, of_print_hello},                           /* 5.5.1 */
    [1] = {"ERROR", 12, AT_LEAST, of_print_error},                          /* 5.4.4 */
    [2] = {"ECHO_REQUEST", 8, AT_LEAST, of_print_echo},                     /* 5.5.2 */
    [3] = {"ECHO_REPLY", 8, AT_LEAST, of_print_echo},                       /* 5.5.3 */
    [4] = {"VENDOR", 12, AT_LEAST, of_print_experimenter},                  /* 5.5.4 */
    [5] = {"FEATURES_REQUEST", 8, FIXED, NULL},                             /* 5.3.1 */
    [6] = {"FEATURES_REPLY", 32, AT_LEAST, of_print_features_reply},        /* 5.3.1 */
    [7] = {"GET_CONFIG_REQUEST", 8, FIXED, NULL},                           /* 5.3.2 */
    [8] = {"GET_CONFIG_REPLY", 12, FIXED, of_print_config},                 /* 5.3.2 */
    [9] = {"SET_CONFIG", 12, FIXED, of_print_config},                       /* 5.3.2 */
    [10] = {"PACKET_IN", 18, AT_LEAST, of_print_packet_in},                 /* 5.4.1 */
    [11] = {"FLOW_REMOVED", 88, FIXED, of_print_flow_removed},              /* 5.4.3 */
    [12] = {"PORT_STATUS", 64, FIXED, of_print_port_status},                /* 5.4.3 */
    [13] = {"PACKET_OUT", 16, AT_LEAST, of_print_packet_out},               /* 5.3.6 */
    [14] = {"FLOW_MOD", 72, AT_LEAST, of_print_flow_mod},                   /* 5.3.3 */
    [15] = {"PORT_MOD", 32, FIXED, of_print_port_mod},                      /* 5.3.3 */
    [16] = {"STATS_REQUEST", 12, AT_LEAST, of_print_multipart},             /* 5.3.5 */
    [17] = {"STATS_REPLY", 12, AT_LEAST, of_print_multipart},               /* 5.3.5 */
    [18] = {"BARRIER_REQUEST", 8, FIXED, NULL},                             /* 5.3.7 */
    [19] = {"BARRIER_REPLY", 8, FIXED, NULL},                               /* 5.3.7 */
    [20] = {"QUEUE_GET_CONFIG_REQUEST", 12, FIXED, of_print_queue_config},  /* 5.3.4 */
    [21] = {"QUEUE_GET_CONFIG_REPLY", 16, AT_LEAST, of_print_queue_config}, /* 5.3.4 */
};

const struct of_row *
of_row(uint8_t version, uint8_t type, int *ret_error)
{
    const struct of_row *rows = rows13;
    size_t len = OF_LEN(rows13);

    if (version == OF10) {
        rows = rows10;
        len = OF_LEN(rows10);
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
    if (header->length < row->size)
        return OF_ESHORT;
    return row->size_is == FIXED && header->length != row->size ? OF_ELENGTH : OF_OK;
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

/* ---- numbers ------------------------------------------------------------------------- */

/* Types of 1.3 that have another number in 1.0; below FLOW_MOD all are alike. */
static const uint8_t numbers10[] = {
    /* index: number of 1.3 */
    [OFPT13_GROUP_MOD] = OF_TYPE_NONE,
    [OFPT13_PORT_MOD] = OFPT10_PORT_MOD,
    [OFPT13_TABLE_MOD] = OF_TYPE_NONE,
    [OFPT13_MULTIPART_REQUEST] = OFPT10_STATS_REQUEST,
    [OFPT13_MULTIPART_REPLY] = OFPT10_STATS_REPLY,
    [OFPT13_BARRIER_REQUEST] = OFPT10_BARRIER_REQUEST,
    [OFPT13_BARRIER_REPLY] = OFPT10_BARRIER_REPLY,
    [OFPT13_QUEUE_GET_CONFIG_REQUEST] = OFPT10_QUEUE_GET_CONFIG_REQUEST,
    [OFPT13_QUEUE_GET_CONFIG_REPLY] = OFPT10_QUEUE_GET_CONFIG_REPLY,
};

uint8_t
of_type_number(uint8_t version, uint8_t type13)
{
    if (version != OF10 || type13 <= OFPT13_FLOW_MOD)
        return type13;
    return type13 < OF_LEN(numbers10) ? numbers10[type13] : OF_TYPE_NONE;
}

uint8_t
of_type13(uint8_t version, uint8_t type)
{
    if (version != OF10 || type <= OFPT13_FLOW_MOD)
        return type;
    for (uint8_t i = OFPT13_GROUP_MOD; i < OF_LEN(numbers10); i++)
        if (numbers10[i] == type)
            return i;
    return OF_TYPE_NONE;
}
