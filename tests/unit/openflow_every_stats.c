/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every_stats.c - multipart requests and replies of each type.
 */
#include "openflow_every_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- multipart
 * ----------------------------------------------------------------------------------- */

static void
put_request(struct of_buffer *b, uint8_t version, uint16_t type)
{
    struct of_stats_request request = {.type = type,
                                       .table_id = OFPTT_ALL,
                                       .out_port = 4,
                                       .out_group = OFPG_ANY,
                                       .cookie = 0x1200,
                                       .cookie_mask = 0xff00,
                                       .match = every_rule(version),
                                       .port = 3,
                                       .queue = OFPQ_ALL,
                                       .group = 4,
                                       .meter = 5,
                                       .experimenter = 0xcafe,
                                       .exp_type = 1};

    if (type == OFPMP_EXPERIMENTER)
        request.body = (struct of_cursor){(const uint8_t *)"12345678", 8};
    of_put_stats_request(b, version, XID, &request);
}

#define REQUEST(name, type)                                                                        \
    static void name##_request(struct of_buffer *b, uint8_t version)                               \
    {                                                                                              \
        put_request(b, version, type);                                                             \
    }
REQUEST(desc, OFPMP_DESC)
REQUEST(flow, OFPMP_FLOW)
REQUEST(aggregate, OFPMP_AGGREGATE)
REQUEST(table, OFPMP_TABLE)
REQUEST(port_stats, OFPMP_PORT_STATS)
REQUEST(queue, OFPMP_QUEUE)
REQUEST(group, OFPMP_GROUP)
REQUEST(group_desc, OFPMP_GROUP_DESC)
REQUEST(group_features, OFPMP_GROUP_FEATURES)
REQUEST(meter, OFPMP_METER)
REQUEST(meter_config, OFPMP_METER_CONFIG)
REQUEST(meter_features, OFPMP_METER_FEATURES)
REQUEST(table_features, OFPMP_TABLE_FEATURES)
REQUEST(port_desc, OFPMP_PORT_DESC)
REQUEST(experimenter, OFPMP_EXPERIMENTER)
#undef REQUEST

static void
desc_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_desc desc = {"trivet", "any", "0.1", "serial 7", "s1 in rack 2"};
    size_t start = of_open_reply(b, version, XID, OFPMP_DESC, 0);

    of_add_desc(b, &desc);
    of_close(b, start);
}

static void
flow_reply(struct of_buffer *b, uint8_t version)
{
    uint8_t room[256];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_flow flow = {.cookie = 0x77,
                           .packets = 5,
                           .bytes = 500,
                           .duration_s = 12,
                           .duration_ns = 340000000,
                           .priority = 100,
                           .idle_s = 60,
                           .table_id = 2,
                           .match = every_rule(version)};
    size_t start = of_open_reply(b, version, XID, OFPMP_FLOW, OFPMPF_REPLY_MORE);

    of_add_actions(&l, version, every_bucket_actions, 2);
    flow.actions = l.data;
    flow.actions_size = (uint16_t)l.len;
    of_add_flow(b, version, &flow);
    flow.actions_size = 0;
    flow.hard_s = 90;
    of_add_flow(b, version, &flow);
    of_close(b, start);
}

static void
aggregate_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_aggregate aggregate = {1000, 100000, 12};
    size_t start = of_open_reply(b, version, XID, OFPMP_AGGREGATE, 0);

    of_add_aggregate(b, &aggregate);
    of_close(b, start);
}

static void
table_reply(struct of_buffer *b, uint8_t version)
{
    struct of_table_stats stats = {.table_id = 1, .active = 7, .lookups = 100, .matched = 99};
    size_t start = of_open_reply(b, version, XID, OFPMP_TABLE, 0);

    if (version == OF10) {
        strcpy(stats.name, "classifier");
        stats.wildcards = 0x3fffff;
        stats.max_entries = 1000000;
    }
    of_add_table_stats(b, version, &stats);
    stats.table_id = 2;
    of_add_table_stats(b, version, &stats);
    of_close(b, start);
}

static void
port_stats_reply(struct of_buffer *b, uint8_t version)
{
    struct of_port_stats stats = {.port = 3,
                                  .rx_packets = 1,
                                  .tx_packets = 2,
                                  .rx_bytes = 3,
                                  .tx_bytes = 4,
                                  .rx_dropped = 5,
                                  .tx_dropped = 6,
                                  .rx_errors = 7,
                                  .tx_errors = 8,
                                  .rx_frame_errors = 9,
                                  .rx_overruns = 10,
                                  .rx_crc_errors = 11,
                                  .collisions = UINT64_MAX};
    size_t start = of_open_reply(b, version, XID, OFPMP_PORT_STATS, 0);

    if (version == OF13) {
        stats.duration_s = 60;
        stats.duration_ns = 70000000;
    }
    of_add_port_stats(b, version, &stats);
    stats.port = OFPP_LOCAL;
    of_add_port_stats(b, version, &stats);
    of_close(b, start);
}

static void
queue_reply(struct of_buffer *b, uint8_t version)
{
    struct of_queue_stats stats = {
        .port = 3, .queue = 9, .tx_bytes = 900, .tx_packets = 9, .tx_errors = 1};
    size_t start = of_open_reply(b, version, XID, OFPMP_QUEUE, 0);

    if (version == OF13)
        stats.duration_s = 61;
    of_add_queue_stats(b, version, &stats);
    of_close(b, start);
}

static struct of_cursor
counters(struct of_buffer *l)
{
    const struct of_counter all[] = {{10, 1000}, {20, 2000}};

    for (unsigned i = 0; i < 2; i++)
        of_add_counter(l, &all[i]);
    return of_list(l);
}

static void
group_reply(struct of_buffer *b, uint8_t version)
{
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));
    const struct of_group_stats stats = {.group = 1,
                                         .references = 2,
                                         .packets = 30,
                                         .bytes = 3000,
                                         .duration_s = 62,
                                         .duration_ns = 5000000,
                                         .counters = counters(&l)};
    size_t start = of_open_reply(b, version, XID, OFPMP_GROUP, 0);

    of_add_group_stats(b, &stats);
    of_close(b, start);
}

static void
group_desc_reply(struct of_buffer *b, uint8_t version)
{
    (void)version;
    of_put_group_desc_reply(b, XID, 0, every_groups, 4);
}

static void
group_features_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_group_features features = {
        15, 9, {100, 200, 300, 400}, {0x7fff801, 0x7fff801, 1, 0x400001}};
    size_t start = of_open_reply(b, version, XID, OFPMP_GROUP_FEATURES, 0);

    of_add_group_features(b, &features);
    of_close(b, start);
}

static void
meter_reply(struct of_buffer *b, uint8_t version)
{
    uint8_t room[64];
    struct of_buffer l = every_list(room, sizeof(room));
    const struct of_meter_stats stats = {.meter = 5,
                                         .flows = 2,
                                         .packets = 30,
                                         .bytes = 3000,
                                         .duration_s = 63,
                                         .duration_ns = 6000000,
                                         .counters = counters(&l)};
    size_t start = of_open_reply(b, version, XID, OFPMP_METER, 0);

    of_add_meter_stats(b, &stats);
    of_close(b, start);
}

static void
meter_config_reply(struct of_buffer *b, uint8_t version)
{
    uint8_t room[128];
    struct of_buffer l = every_list(room, sizeof(room));
    const struct of_meter_mod meter = {
        .flags = OFPMF_PKTPS | OFPMF_BURST, .meter = 5, .bands = every_bands(&l, false)};
    size_t start = of_open_reply(b, version, XID, OFPMP_METER_CONFIG, 0);

    of_add_meter_config(b, &meter);
    of_close(b, start);
}

static void
meter_features_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_meter_features features = {1000, 1 << OFPMBT_DROP | 1 << OFPMBT_DSCP_REMARK, 15,
                                               8, 3};
    size_t start = of_open_reply(b, version, XID, OFPMP_METER_FEATURES, 0);

    of_add_meter_features(b, &features);
    of_close(b, start);
}

static void
add_property(struct of_buffer *l, uint16_t type, const void *body, uint32_t size)
{
    const struct of_table_property property = {type, {body, size}};

    of_add_table_property(l, &property);
}

static void
put_table_features(struct of_buffer *b, uint8_t version, bool with_experimenter)
{
    static const uint8_t instruction_ids[] = {0, 1, 0, 4, 0, 4, 0, 4}, tables[] = {2, 3, 4, 7},
                         action_ids[] = {0, 0, 0, 4, 0, 22, 0, 4, 0, 25, 0, 4},
                         oxms[] = {0x80, 0, OFPXMT_IN_PORT << 1,     4,
                                   0x80, 0, OFPXMT_ETH_DST << 1 | 1, 12},
                         sets[] = {0x80, 0, OFPXMT_ETH_DST << 1, 6};
    uint8_t room[1024];
    struct of_buffer l = every_list(room, sizeof(room));
    struct of_table_features features = {.table_id = 1,
                                         .name = "classifier",
                                         .metadata_match = UINT64_MAX,
                                         .metadata_write = 0xffff,
                                         .max_entries = 4096};
    size_t start = of_open_reply(b, version, XID, OFPMP_TABLE_FEATURES, 0);

    add_property(&l, OFPTFPT_INSTRUCTIONS, instruction_ids, sizeof(instruction_ids));
    add_property(&l, OFPTFPT_INSTRUCTIONS_MISS, instruction_ids, 4);
    add_property(&l, OFPTFPT_NEXT_TABLES, tables, sizeof(tables));
    add_property(&l, OFPTFPT_NEXT_TABLES_MISS, tables, 1);
    for (uint16_t type = OFPTFPT_WRITE_ACTIONS; type <= OFPTFPT_APPLY_ACTIONS_MISS; type++)
        add_property(&l, type, action_ids, sizeof(action_ids));
    add_property(&l, OFPTFPT_MATCH, oxms, sizeof(oxms));
    add_property(&l, OFPTFPT_WILDCARDS, oxms, 4);
    for (uint16_t type = OFPTFPT_WRITE_SETFIELD; type <= OFPTFPT_APPLY_SETFIELD_MISS; type++)
        add_property(&l, type, sets, sizeof(sets));
    if (with_experimenter) {
        add_property(&l, OFPTFPT_EXPERIMENTER, "\0\0\xca\xfe\0\0\0\1!", 9);
        add_property(&l, OFPTFPT_EXPERIMENTER_MISS, "\0\0\xca\xfe\0\0\0\2", 8);
    }
    features.properties = of_list(&l);
    of_add_table_features(b, &features);
    of_close(b, start);
}

static void
table_features_reply(struct of_buffer *b, uint8_t version)
{
    put_table_features(b, version, false);
}

static void
table_features_experimenter(struct of_buffer *b, uint8_t version)
{
    put_table_features(b, version, true);
}

static void
port_desc_reply(struct of_buffer *b, uint8_t version)
{
    size_t start = of_open_reply(b, version, XID, OFPMP_PORT_DESC, 0);

    for (unsigned i = 0; i < EVERY_PORTS; i++) {
        const struct of_port port = every_port_for(version, i);

        of_add_port(b, version, &port);
    }
    of_close(b, start);
}

static void
experimenter_reply(struct of_buffer *b, uint8_t version)
{
    const struct of_experimenter e = {
        0xcafe, version == OF13 ? 7 : 0, {(const uint8_t *)"12345678", 8}};
    size_t start = of_open_reply(b, version, XID, OFPMP_EXPERIMENTER, 0);

    of_add_experimenter(b, version, &e);
    of_close(b, start);
}

const struct every_row every_stats[] = {
    {"DESC request", desc_request, BOTH, false},
    {"DESC reply", desc_reply, BOTH, false},
    {"FLOW request", flow_request, BOTH, false},
    {"FLOW reply", flow_reply, BOTH, false},
    {"AGGREGATE request", aggregate_request, BOTH, false},
    {"AGGREGATE reply", aggregate_reply, BOTH, false},
    {"TABLE request", table_request, BOTH, false},
    {"TABLE reply", table_reply, BOTH, false},
    {"PORT_STATS request", port_stats_request, BOTH, false},
    {"PORT_STATS reply", port_stats_reply, BOTH, false},
    {"QUEUE request", queue_request, BOTH, false},
    {"QUEUE reply", queue_reply, BOTH, false},
    {"GROUP request", group_request, V13, false},
    {"GROUP reply", group_reply, V13, false},
    {"GROUP_DESC request", group_desc_request, V13, false},
    {"GROUP_DESC reply", group_desc_reply, V13, false},
    {"GROUP_FEATURES request", group_features_request, V13, false},
    {"GROUP_FEATURES reply", group_features_reply, V13, false},
    {"METER request", meter_request, V13, false},
    {"METER reply", meter_reply, V13, false},
    {"METER_CONFIG request", meter_config_request, V13, false},
    {"METER_CONFIG reply", meter_config_reply, V13, false},
    {"METER_FEATURES request", meter_features_request, V13, false},
    {"METER_FEATURES reply", meter_features_reply, V13, false},
    {"TABLE_FEATURES request", table_features_request, V13, false},
    {"TABLE_FEATURES reply", table_features_reply, V13, false},
    {"TABLE_FEATURES reply experimenter", table_features_experimenter, V13, true},
    {"PORT_DESC request", port_desc_request, V13, false},
    {"PORT_DESC reply", port_desc_reply, V13, false},
    {"EXPERIMENTER request", experimenter_request, BOTH, true},
    {"EXPERIMENTER reply", experimenter_reply, BOTH, true},
    {0},
};
