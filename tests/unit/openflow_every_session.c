/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every_session.c - the messages about the switch and its connection, ports, queues and
 * packets.
 */
#include "openflow_every_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- builders of 1.3 ---------------------------------------------------------------------------
 */

static void
hello(struct of_buffer *b, uint8_t version)
{
    of_put_hello(b, version, XID, version == OF13 ? 1 << OF13 | 1 << OF10 : 0);
}

/* About a request that is whole, so that others can show it. */
static void
error_message(struct of_buffer *b, uint8_t version)
{
    static const uint8_t group_mod[16] = {OF13, OFPT13_GROUP_MOD, 0, 16, 0, 0, 0, 9},
                         barrier[8] = {OF10, OFPT10_BARRIER_REQUEST, 0, 8, 0, 0, 0, 9};

    if (version == OF13)
        of_put_error(b, version, XID, OFPET_GROUP_MOD_FAILED, OFPGMFC_UNKNOWN_GROUP, group_mod,
                     sizeof(group_mod));
    else
        of_put_error(b, version, XID, 1, 5, barrier, sizeof(barrier));
}

static void
hello_failed(struct of_buffer *b, uint8_t version)
{
    of_put_error(b, version, XID, OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE, "no version", 10);
}

static void
experimenter_error(struct of_buffer *b, uint8_t version)
{
    of_put_error(b, version, XID, OFPET_EXPERIMENTER, 2300, "\x4f\x4e\x46\0\4\x0e\0\x40\0\0\0\1",
                 12);
}

/* As Open vSwitch refuses what 1.0 has no code for: vendor, type and code, then the request */
static void
nicira_error(struct of_buffer *b, uint8_t version)
{
    static const uint8_t data[] = {0, 0, 0x23, 0x20, 0, 0, 2, 2, OF10, OFPT10_BARRIER_REQUEST,
                                   0, 8, 0,    0,    0, 9};

    of_put_error(b, version, XID, OFPET_NICIRA10, 0, data, sizeof(data));
}

static void
echo_request(struct of_buffer *b, uint8_t version)
{
    of_put_echo(b, version, OFPT13_ECHO_REQUEST, XID, "ping", 4);
}

static void
echo_reply(struct of_buffer *b, uint8_t version)
{
    of_put_echo(b, version, OFPT13_ECHO_REPLY, XID, "ping", 4);
}

/* NXT_SET_PACKET_IN_FORMAT: one of Nicira's that is short */
static void
experimenter(struct of_buffer *b, uint8_t version)
{
    static const uint8_t in_data[] = {0, 0, 0, 16, 0, 0, 0, 2};
    const struct of_experimenter e = {.experimenter = EXPERIMENTER,
                                      .type = version == OF13 ? 16 : 0,
                                      .data = version == OF13 ? (struct of_cursor){in_data + 4, 4}
                                                              : (struct of_cursor){in_data, 8}};

    of_put_experimenter(b, version, XID, &e);
}

static void
features_request(struct of_buffer *b, uint8_t version)
{
    of_put_header(b, version, OFPT13_FEATURES_REQUEST, XID);
}

static void
features_reply(struct of_buffer *b, uint8_t version)
{
    uint8_t room[256];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_features features = {.dpid = 0x00000a0b0c0d0e0f,
                                   .n_buffers = 256,
                                   .n_tables = 254,
                                   .capabilities = version == OF13 ? 0x16f : 0xc7};

    if (version == OF10) {
        for (unsigned i = 0; i < EVERY_PORTS; i++) {
            const struct of_port port = every_port_for(version, i);

            of_add_port(&l, OF10, &port);
        }
        features.actions10 = 0xfff;
        features.ports = l.data;
        features.ports_size = (uint16_t)l.len;
    }
    of_put_features_reply(b, version, XID, &features);
}

static void
get_config_request(struct of_buffer *b, uint8_t version)
{
    of_put_header(b, version, OFPT13_GET_CONFIG_REQUEST, XID);
}

static void
get_config_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_config config = {OFPC_FRAG_REASM, 128};

    of_put_config_reply(b, version, XID, &config);
}

static void
set_config(struct of_buffer *b, uint8_t version)
{
    of_put_set_config(b, version, XID, OFPC_FRAG_DROP, 256);
}

static const uint8_t frame[64] = {2,    0, 0,  0,  0, 2, 2,    0,    0,  0,  0, 1, 8,  0,
                                  0x45, 0, 0,  50, 0, 0, 0,    0,    64, 17, 0, 0, 10, 0,
                                  0,    1, 10, 0,  0, 2, 0x12, 0x34, 0,  53, 0, 30};

static void
packet_in(struct of_buffer *b, uint8_t version)
{
    const struct of_packet_in in = {.buffer_id = 0x111,
                                    .in_port = 3,
                                    .cookie = version == OF13 ? 0x1122334455667788 : 0,
                                    .total_len = 64,
                                    .reason = OFPR_ACTION,
                                    .table_id = version == OF13 ? 7 : 0,
                                    .data = frame,
                                    .data_size = sizeof(frame)};

    of_put_packet_in(b, version, XID, &in);
}

static void
packet_in_more(struct of_buffer *b, uint8_t version)
{
    const struct of_packet_in in = {.buffer_id = OF_NO_BUFFER,
                                    .in_port = 3,
                                    .total_len = 1500,
                                    .reason = OFPR_NO_MATCH,
                                    .data = frame,
                                    .data_size = sizeof(frame)};
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));

    (void)version;
    every_add_field(&l, OFPXMT_METADATA, "\0\0\0\0\0\0\0\5", NULL);
    every_add_field(&l, OFPXMT_IN_PORT, "\0\0\0\3", NULL);
    every_add_field(&l, OFPXMT_TUNNEL_ID, "\0\0\0\0\0\0\0\x2a", NULL);
    of_put_packet_in_oxm(b, XID, &in, of_list(&l));
}

static void
port_status(struct of_buffer *b, uint8_t version)
{
    const struct of_port_status status = {OFPPR_MODIFY, every_port_for(version, 0)};

    of_put_port_status(b, version, XID, &status);
}

static void
packet_out(struct of_buffer *b, uint8_t version)
{
    const struct of_action actions[] = {{.type = OF_A_SET_ETH_SRC, .mac = {2, 0, 0, 0, 9, 9}},
                                        {.type = OF_A_OUTPUT, .port = OFPP_FLOOD}};

    of_put_packet_out(b, version, XID, OF_NO_BUFFER, 3, actions, 2, frame, sizeof(frame));
}

static void
packet_out_buffer(struct of_buffer *b, uint8_t version)
{
    of_put_packet_out(b, version, XID, 0, OFPP_CONTROLLER, every_one_output, 1, NULL, 0);
}

static void
port_mod(struct of_buffer *b, uint8_t version)
{
    const struct of_port_mod mod = {.port = 1,
                                    .mac = {2, 0, 0, 0, 1, 1},
                                    .config = OFPPC_PORT_DOWN,
                                    .mask = OFPPC_PORT_DOWN | OFPPC_NO_FWD,
                                    .advertise = OFPPF_1GB_FD | OFPPF_COPPER};

    of_put_port_mod(b, version, XID, &mod);
}

static void
table_mod(struct of_buffer *b, uint8_t version)
{
    const struct of_table_mod mod = {.table_id = 3, .config = 0};

    (void)version;
    of_put_table_mod(b, XID, &mod);
}

static void
barrier_request(struct of_buffer *b, uint8_t version)
{
    of_put_header(b, version, OFPT13_BARRIER_REQUEST, XID);
}

static void
barrier_reply(struct of_buffer *b, uint8_t version)
{
    of_put_header(b, version, OFPT13_BARRIER_REPLY, XID);
}

static void
queue_config_request(struct of_buffer *b, uint8_t version)
{
    of_put_queue_config_request(b, version, XID, 3);
}

static void
put_queue_config(struct of_buffer *b, uint8_t version, bool with_experimenter)
{
    const struct of_queue_property all[] = {
        {.type = OFPQT_MIN_RATE, .rate = 250},
        {.type = OFPQT_MAX_RATE, .rate = 900},
        {.type = OFPQT_EXPERIMENTER,
         .experimenter = 0xcafe,
         .data = {(const uint8_t *)"12345678", 8}},
    };
    uint8_t rooms[2][256];
    struct of_buffer properties = every_list(rooms[0], 256), queues = every_list(rooms[1], 256);
    struct of_queue_config config = {.port = 3};
    struct of_queue queue = {.queue = 9, .port = 3};

    for (unsigned i = 0; i < (version == OF10 ? 1u : with_experimenter ? 3u : 2u); i++)
        of_add_queue_property(&properties, &all[i]);
    queue.properties = of_list(&properties);
    of_add_queue(&queues, version, &queue);
    queue.queue = 10;
    queue.properties = (struct of_cursor){NULL, 0};
    of_add_queue(&queues, version, &queue);
    config.queues = of_list(&queues);
    of_put_queue_config_reply(b, version, XID, &config);
}

static void
queue_config_reply(struct of_buffer *b, uint8_t version)
{
    put_queue_config(b, version, false);
}

static void
queue_config_experimenter(struct of_buffer *b, uint8_t version)
{
    put_queue_config(b, version, true);
}

static void
role_request(struct of_buffer *b, uint8_t version)
{
    const struct of_role role = {OFPCR_ROLE_MASTER, 12345};

    (void)version;
    of_put_role(b, OFPT13_ROLE_REQUEST, XID, &role);
}

static void
role_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_role role = {OFPCR_ROLE_SLAVE, 12346};

    (void)version;
    of_put_role(b, OFPT13_ROLE_REPLY, XID, &role);
}

static const struct of_async async = {{7, 2}, {7, 7}, {15, 0}};

static void
get_async_request(struct of_buffer *b, uint8_t version)
{
    of_put_header(b, version, OFPT13_GET_ASYNC_REQUEST, XID);
}

static void
get_async_reply(struct of_buffer *b, uint8_t version)
{
    (void)version;
    of_put_async(b, OFPT13_GET_ASYNC_REPLY, XID, &async);
}

static void
set_async(struct of_buffer *b, uint8_t version)
{
    (void)version;
    of_put_async(b, OFPT13_SET_ASYNC, XID, &async);
}

const struct every_row every_session[] = {
    {"HELLO", hello, BOTH, false},
    {"ERROR", error_message, BOTH, false},
    {"ERROR hello failed", hello_failed, BOTH, false},
    {"ERROR experimenter", experimenter_error, V13, false},
    {"ERROR Nicira", nicira_error, V10, true},
    {"ECHO_REQUEST", echo_request, BOTH, false},
    {"ECHO_REPLY", echo_reply, BOTH, false},
    {"EXPERIMENTER", experimenter, BOTH, false},
    {"FEATURES_REQUEST", features_request, BOTH, false},
    {"FEATURES_REPLY", features_reply, BOTH, false},
    {"GET_CONFIG_REQUEST", get_config_request, BOTH, false},
    {"GET_CONFIG_REPLY", get_config_reply, BOTH, false},
    {"SET_CONFIG", set_config, BOTH, false},
    {"PACKET_IN", packet_in, BOTH, false},
    {"PACKET_IN more fields", packet_in_more, V13, false},
    {"PORT_STATUS", port_status, BOTH, false},
    {"PACKET_OUT", packet_out, BOTH, false},
    {"PACKET_OUT buffer", packet_out_buffer, BOTH, false},
    {"PORT_MOD", port_mod, BOTH, false},
    {"TABLE_MOD", table_mod, V13, false},
    {"BARRIER_REQUEST", barrier_request, BOTH, false},
    {"BARRIER_REPLY", barrier_reply, BOTH, false},
    {"QUEUE_GET_CONFIG_REQUEST", queue_config_request, BOTH, false},
    {"QUEUE_GET_CONFIG_REPLY", queue_config_reply, BOTH, false},
    {"QUEUE_GET_CONFIG_REPLY experimenter", queue_config_experimenter, V13, true},
    {"ROLE_REQUEST", role_request, V13, false},
    {"ROLE_REPLY", role_reply, V13, false},
    {"GET_ASYNC_REQUEST", get_async_request, V13, false},
    {"GET_ASYNC_REPLY", get_async_reply, V13, false},
    {"SET_ASYNC", set_async, V13, false},
    {0},
};
