/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_again.c - see openflow_again.h. One function a kind of list, one a message.
 */
#include "openflow_again.h"

#include <string.h>

#include <trivet/openflow_stats.h>

/* Lists within lists: flow entries hold instructions, these hold actions. */
#define DEPTH 4
static uint8_t rooms[DEPTH][OF_MESSAGE_MAX];

static struct of_buffer
room(unsigned depth)
{
    return (struct of_buffer){rooms[depth], sizeof(rooms[depth]), 0, false};
}

/* A list by its walker and its adder: what the walker said last. */
#define WALK(element, next, add)                                                                   \
    do {                                                                                           \
        int error_;                                                                                \
                                                                                                   \
        while ((error_ = (next)) > 0)                                                              \
            add;                                                                                   \
        if (error_)                                                                                \
            return error_;                                                                         \
    } while (0)

static int
actions_again(uint8_t version, struct of_cursor c, struct of_buffer *out)
{
    struct of_action action;

    WALK(action, of_next_action_v(version, &c, &action), of_add_actions(out, version, &action, 1));
    return OF_OK;
}

static int
oxm_again(struct of_cursor c, struct of_buffer *out)
{
    struct of_oxm oxm;

    WALK(oxm, of_next_oxm(&c, &oxm), of_add_oxm(out, &oxm));
    return OF_OK;
}

static int
instructions_again(struct of_cursor c, struct of_buffer *out)
{
    struct of_instruction i;
    int error;

    while ((error = of_next_instruction(&c, &i)) > 0) {
        struct of_buffer actions = room(3);

        error = actions_again(OF13, i.actions, &actions);
        if (error)
            return error;
        i.actions = of_list(&actions);
        of_add_instruction(out, &i);
    }
    return error;
}

static int
buckets_again(struct of_cursor c, struct of_buffer *out)
{
    struct of_bucket bucket;
    int error;

    while ((error = of_next_bucket(&c, &bucket)) > 0) {
        struct of_buffer actions = room(3);

        error = actions_again(OF13, (struct of_cursor){bucket.raw_actions, bucket.raw_actions_size},
                              &actions);
        if (error)
            return error;
        bucket.n_actions = OF_VERBATIM;
        bucket.raw_actions = actions.data;
        bucket.raw_actions_size = (uint16_t)actions.len;
        of_add_bucket(out, &bucket);
    }
    return error;
}

static int
group_again(struct of_group_mod *group, struct of_buffer *list)
{
    int error =
        buckets_again((struct of_cursor){group->raw_buckets, group->raw_buckets_size}, list);

    group->n_buckets = OF_VERBATIM;
    group->raw_buckets = list->data;
    group->raw_buckets_size = (uint16_t)list->len;
    return error;
}

static int
bands_again(struct of_cursor *bands, struct of_buffer *list)
{
    struct of_band band;

    WALK(band, of_next_band(bands, &band), of_add_band(list, &band));
    *bands = of_list(list);
    return OF_OK;
}

static int
counters_again(struct of_cursor *counters, struct of_buffer *list)
{
    struct of_counter counter;

    WALK(counter, of_next_counter(counters, &counter), of_add_counter(list, &counter));
    *counters = of_list(list);
    return OF_OK;
}

static int
queues_again(uint8_t version, struct of_cursor *queues, struct of_buffer *list)
{
    struct of_queue queue;
    int error;

    while ((error = of_next_queue(version, queues, &queue)) > 0) {
        struct of_buffer properties = room(3);
        struct of_queue_property property;

        WALK(property, of_next_queue_property(&queue.properties, &property),
             of_add_queue_property(&properties, &property));
        queue.properties = of_list(&properties);
        of_add_queue(list, version, &queue);
    }
    *queues = of_list(list);
    return error;
}

static int
properties_again(struct of_cursor *c, struct of_buffer *list)
{
    struct of_table_property property;

    WALK(property, of_next_table_property(c, &property), of_add_table_property(list, &property));
    *c = of_list(list);
    return OF_OK;
}

/* ---- multipart -------------------------------------------------------------------------- */

static int
flows_again(uint8_t version, struct of_cursor *c, struct of_buffer *b)
{
    struct of_flow flow;
    int error;

    while ((error = of_next_flow_v(version, c, &flow)) > 0) {
        struct of_buffer list = room(1), oxm = room(2);

        if (version == OF10) {
            error = actions_again(OF10, (struct of_cursor){flow.actions, flow.actions_size}, &list);
            flow.actions = list.data;
            flow.actions_size = (uint16_t)list.len;
        } else {
            error = instructions_again(flow.instructions, &list);
            flow.instructions = of_list(&list);
            if (!error)
                error = oxm_again(flow.oxm, &oxm);
            flow.oxm = of_list(&oxm);
            flow.match.fields |= OF_M_OTHER; /* in the order it had */
        }
        if (error)
            return error;
        of_add_flow(b, version, &flow);
    }
    return error;
}

static int
groups_again(struct of_cursor *c, struct of_buffer *b)
{
    struct of_group_mod group;
    int error;

    while ((error = of_next_group(c, &group)) > 0) {
        struct of_buffer list = room(1);

        error = group_again(&group, &list);
        if (error)
            return error;
        of_add_group(b, &group);
    }
    return error;
}

static int
features_again(struct of_cursor *c, struct of_buffer *b)
{
    struct of_table_features features;
    int error;

    while ((error = of_next_table_features(c, &features)) > 0) {
        struct of_buffer list = room(1);

        error = properties_again(&features.properties, &list);
        if (error)
            return error;
        of_add_table_features(b, &features);
    }
    return error;
}

static int
reply_body_again(uint8_t version, uint16_t type, struct of_cursor c, struct of_buffer *b)
{
    struct of_buffer list = room(1);
    union {
        struct of_desc desc;
        struct of_aggregate aggregate;
        struct of_table_stats table;
        struct of_port_stats port_stats;
        struct of_queue_stats queue;
        struct of_group_stats group;
        struct of_group_features group_features;
        struct of_meter_stats meter;
        struct of_meter_mod config;
        struct of_meter_features meter_features;
        struct of_port port;
        struct of_experimenter experimenter;
    } u;

    switch (type) {
    case OFPMP_DESC:
        WALK(u, of_next_desc(&c, &u.desc), of_add_desc(b, &u.desc));
        break;
    case OFPMP_FLOW:
        return flows_again(version, &c, b);
    case OFPMP_AGGREGATE:
        WALK(u, of_next_aggregate(&c, &u.aggregate), of_add_aggregate(b, &u.aggregate));
        break;
    case OFPMP_TABLE:
        WALK(u, of_next_table_stats(version, &c, &u.table),
             of_add_table_stats(b, version, &u.table));
        break;
    case OFPMP_PORT_STATS:
        WALK(u, of_next_port_stats(version, &c, &u.port_stats),
             of_add_port_stats(b, version, &u.port_stats));
        break;
    case OFPMP_QUEUE:
        WALK(u, of_next_queue_stats(version, &c, &u.queue),
             of_add_queue_stats(b, version, &u.queue));
        break;
    case OFPMP_GROUP:
        WALK(u, of_next_group_stats(&c, &u.group),
             (list.len = 0, (void)counters_again(&u.group.counters, &list),
              of_add_group_stats(b, &u.group)));
        break;
    case OFPMP_GROUP_DESC:
        return groups_again(&c, b);
    case OFPMP_GROUP_FEATURES:
        WALK(u, of_next_group_features(&c, &u.group_features),
             of_add_group_features(b, &u.group_features));
        break;
    case OFPMP_METER:
        WALK(u, of_next_meter_stats(&c, &u.meter),
             (list.len = 0, (void)counters_again(&u.meter.counters, &list),
              of_add_meter_stats(b, &u.meter)));
        break;
    case OFPMP_METER_CONFIG:
        WALK(u, of_next_meter_config(&c, &u.config),
             (list.len = 0, (void)bands_again(&u.config.bands, &list),
              of_add_meter_config(b, &u.config)));
        break;
    case OFPMP_METER_FEATURES:
        WALK(u, of_next_meter_features(&c, &u.meter_features),
             of_add_meter_features(b, &u.meter_features));
        break;
    case OFPMP_TABLE_FEATURES:
        return features_again(&c, b);
    case OFPMP_PORT_DESC:
        WALK(u, of_next_port_v(version, &c, &u.port), of_add_port(b, version, &u.port));
        break;
    case OFPMP_EXPERIMENTER:
        WALK(u, of_next_experimenter(version, &c, &u.experimenter),
             of_add_experimenter(b, version, &u.experimenter));
        break;
    default:
        break;
    }
    return OF_OK;
}

static int
reply_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_multipart part;
    size_t start;
    int error = of_decode_multipart(m, &part, NULL);

    if (error)
        return error;
    if (m[0] == OF10 && part.type > OFPMP_QUEUE && part.type != OFPMP_PORT_DESC &&
        part.type != OFPMP_EXPERIMENTER)
        part.type = 0xfffe; /* not in 1.0 */
    start = of_open_reply(b, m[0], of_get32(m + 4), part.type, part.flags);
    error = reply_body_again(m[0], part.type, (struct of_cursor){part.body, part.body_size}, b);
    of_close(b, start);
    return error;
}

static int
request_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_stats_request request;
    struct of_buffer list = room(0);
    int error = of_decode_stats_request(m, &request, NULL);

    if (error)
        return error;
    if (request.type == OFPMP_TABLE_FEATURES) {
        error = features_again(&request.body, &list);
        request.body = of_list(&list);
    } else if (m[0] == OF13 && (request.type == OFPMP_FLOW || request.type == OFPMP_AGGREGATE)) {
        error = oxm_again(request.oxm, &list);
        request.oxm = of_list(&list);
        request.match.fields |= OF_M_OTHER;
    }
    of_put_stats_request(b, m[0], of_get32(m + 4), &request);
    return error;
}

/* ---- messages ----------------------------------------------------------------------------- */

static int
flow_mod_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_buffer list = room(0), oxm = room(1);
    struct of_flow_mod mod;
    int error = of_decode_flow_mod(m, &mod, NULL);

    if (error)
        return error;
    mod.n_actions = OF_VERBATIM;
    if (m[0] == OF10) {
        error =
            actions_again(OF10, (struct of_cursor){mod.raw_actions, mod.raw_actions_size}, &list);
        mod.raw_actions = list.data;
        mod.raw_actions_size = (uint16_t)list.len;
    } else {
        error = instructions_again(mod.instructions, &list);
        mod.instructions = of_list(&list);
        if (!error)
            error = oxm_again(mod.oxm, &oxm);
        mod.oxm = of_list(&oxm);
        mod.match.fields |= OF_M_OTHER;
    }
    of_put_flow_mod(b, m[0], of_get32(m + 4), &mod);
    return error;
}

static int
packet_out_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_buffer list = room(0);
    struct of_packet_out out;
    int error = of_decode_packet_out(m, &out, NULL);

    if (error)
        return error;
    error = actions_again(m[0], (struct of_cursor){out.actions, out.actions_size}, &list);
    out.actions = list.data;
    out.actions_size = (uint16_t)list.len;
    of_put_packet_out_again(b, m[0], of_get32(m + 4), &out);
    return error;
}

static int
packet_in_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_buffer list = room(0);
    struct of_packet_in in;
    int error = of_decode_packet_in(m, &in, NULL);

    if (error)
        return error;
    if (m[0] == OF10) {
        of_put_packet_in(b, OF10, of_get32(m + 4), &in);
        return OF_OK;
    }
    error = oxm_again(of_packet_in_oxm(m), &list);
    of_put_packet_in_oxm(b, of_get32(m + 4), &in, of_list(&list));
    return error;
}

static int
features_reply_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_buffer list = room(0);
    struct of_features features;
    struct of_cursor c;
    struct of_port port;
    int error = of_decode_features_reply(m, &features, NULL);

    if (error)
        return error;
    c = (struct of_cursor){features.ports, features.ports_size};
    WALK(port, of_next_port_v(OF10, &c, &port), of_add_port(&list, OF10, &port));
    features.ports = list.data;
    of_put_features_reply(b, m[0], of_get32(m + 4), &features);
    return OF_OK;
}

static int
flow_removed_again(const uint8_t *m, struct of_buffer *b)
{
    struct of_buffer list = room(0);
    struct of_flow_removed removed;
    int error = of_decode_flow_removed(m, &removed, NULL);

    if (error)
        return error;
    if (m[0] == OF13) {
        error = oxm_again(removed.oxm, &list);
        removed.oxm = of_list(&list);
        removed.match.fields |= OF_M_OTHER;
    }
    of_put_flow_removed(b, m[0], of_get32(m + 4), &removed);
    return error;
}

/* What 1.0 lacks has no number there, so its version need not be asked for below. */
int
openflow_again(const uint8_t *m, struct of_buffer *b)
{
    uint8_t version = m[0], type = of_type13(version, m[1]);
    uint32_t xid = of_get32(m + 4);
    struct of_buffer list = room(0);
    int error = OF_OK;
    union {
        struct of_hello hello;
        struct of_error_msg error;
        struct of_experimenter experimenter;
        struct of_config config;
        struct of_port_status status;
        struct of_port_mod port;
        struct of_table_mod table;
        struct of_group_mod group;
        struct of_meter_mod meter;
        struct of_queue_config queues;
        struct of_role role;
        struct of_async async;
    } u;

    switch (type) {
    case OFPT13_HELLO:
        error = of_decode_hello(m, &u.hello, NULL);
        if (!error)
            of_put_hello(b, version, xid, u.hello.bitmap);
        break;
    case OFPT13_ERROR:
        error = of_decode_error(m, &u.error, NULL);
        if (!error)
            of_put_error(b, version, xid, u.error.type, u.error.code, u.error.data,
                         u.error.data_size);
        break;
    case OFPT13_ECHO_REQUEST:
    case OFPT13_ECHO_REPLY:
        of_put_echo(b, version, type, xid, m + OF_HEADER_SIZE,
                    (size_t)of_get16(m + 2) - OF_HEADER_SIZE);
        break;
    case OFPT13_EXPERIMENTER:
        error = of_decode_experimenter(m, &u.experimenter, NULL);
        if (!error)
            of_put_experimenter(b, version, xid, &u.experimenter);
        break;
    case OFPT13_FEATURES_REPLY:
        return features_reply_again(m, b);
    case OFPT13_GET_CONFIG_REPLY:
    case OFPT13_SET_CONFIG:
        error = of_decode_config(m, &u.config, NULL);
        if (error)
            break;
        if (type == OFPT13_SET_CONFIG)
            of_put_set_config(b, version, xid, u.config.flags, u.config.miss_send_len);
        else
            of_put_config_reply(b, version, xid, &u.config);
        break;
    case OFPT13_PACKET_IN:
        return packet_in_again(m, b);
    case OFPT13_FLOW_REMOVED:
        return flow_removed_again(m, b);
    case OFPT13_PORT_STATUS:
        error = of_decode_port_status(m, &u.status, NULL);
        if (!error)
            of_put_port_status(b, version, xid, &u.status);
        break;
    case OFPT13_PACKET_OUT:
        return packet_out_again(m, b);
    case OFPT13_FLOW_MOD:
        return flow_mod_again(m, b);
    case OFPT13_GROUP_MOD:
        error = of_decode_group_mod(m, &u.group, NULL);
        if (!error)
            error = group_again(&u.group, &list);
        if (!error)
            of_put_group_mod(b, version, xid, &u.group);
        break;
    case OFPT13_PORT_MOD:
        error = of_decode_port_mod(m, &u.port, NULL);
        if (!error)
            of_put_port_mod(b, version, xid, &u.port);
        break;
    case OFPT13_TABLE_MOD:
        error = of_decode_table_mod(m, &u.table, NULL);
        if (!error)
            of_put_table_mod(b, xid, &u.table);
        break;
    case OFPT13_METER_MOD:
        error = of_decode_meter_mod(m, &u.meter, NULL);
        if (!error)
            error = bands_again(&u.meter.bands, &list);
        if (!error)
            of_put_meter_mod(b, xid, &u.meter);
        break;
    case OFPT13_MULTIPART_REQUEST:
        return request_again(m, b);
    case OFPT13_MULTIPART_REPLY:
        return reply_again(m, b);
    case OFPT13_QUEUE_GET_CONFIG_REQUEST:
    case OFPT13_QUEUE_GET_CONFIG_REPLY:
        error = of_decode_queue_config(m, &u.queues, NULL);
        if (!error)
            error = queues_again(version, &u.queues.queues, &list);
        if (error)
            break;
        if (type == OFPT13_QUEUE_GET_CONFIG_REQUEST)
            of_put_queue_config_request(b, version, xid, u.queues.port);
        else
            of_put_queue_config_reply(b, version, xid, &u.queues);
        break;
    case OFPT13_ROLE_REQUEST:
    case OFPT13_ROLE_REPLY:
        error = of_decode_role(m, &u.role, NULL);
        if (!error)
            of_put_role(b, type, xid, &u.role);
        break;
    case OFPT13_GET_ASYNC_REPLY:
    case OFPT13_SET_ASYNC:
        error = of_decode_async(m, &u.async, NULL);
        if (!error)
            of_put_async(b, type, xid, &u.async);
        break;
    default: /* header only */
        of_put_header(b, version, type, xid);
        break;
    }
    return error;
}
