/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_all.c - see openflow_all.h.
 */
#include "openflow_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow_stats.h>

#include "openflow_again.h"

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A view lies inside the message. */
static void
inside(const uint8_t *p, size_t size, const uint8_t *view, size_t view_size)
{
    PROMISE(!view_size || (view >= p && view + view_size <= p + size));
}

/* Walks a list to its end: each step gets on, and the walk ends. */
#define WALK(p, size, next)                                                                        \
    do {                                                                                           \
        struct of_cursor c = {(p), (uint32_t)(size)};                                              \
        uint32_t before_ = c.left;                                                                 \
                                                                                                   \
        while ((next) > 0) {                                                                       \
            PROMISE(c.left < before_ && c.p + c.left == (p) + (size));                             \
            before_ = c.left;                                                                      \
        }                                                                                          \
    } while (0)

/* Whatever the bytes are said to be, every walker must bear them. */
static void
walk_all(uint8_t version, const uint8_t *p, size_t size)
{
    union {
        struct of_action action;
        struct of_oxm oxm;
        struct of_instruction instruction;
        struct of_bucket bucket;
        struct of_band band;
        struct of_queue queue;
        struct of_queue_property queue_property;
        struct of_table_property table_property;
        struct of_counter counter;
        struct of_desc desc;
        struct of_flow flow;
        struct of_aggregate aggregate;
        struct of_table_stats table;
        struct of_port port;
        struct of_port_stats port_stats;
        struct of_queue_stats queue_stats;
        struct of_group_mod group;
        struct of_group_stats group_stats;
        struct of_group_features group_features;
        struct of_meter_mod meter;
        struct of_meter_stats meter_stats;
        struct of_meter_features meter_features;
        struct of_table_features table_features;
        struct of_experimenter experimenter;
    } u;
    uint32_t id, experimenter;

    WALK(p, size, of_next_action_v(version, &c, &u.action));
    WALK(p, size, of_next_oxm(&c, &u.oxm));
    WALK(p, size, of_next_instruction(&c, &u.instruction));
    WALK(p, size, of_next_bucket(&c, &u.bucket));
    WALK(p, size, of_next_band(&c, &u.band));
    WALK(p, size, of_next_queue(version, &c, &u.queue));
    WALK(p, size, of_next_queue_property(&c, &u.queue_property));
    WALK(p, size, of_next_table_property(&c, &u.table_property));
    for (uint16_t type = 0; type < 17; type++)
        WALK(p, size, of_next_table_id(type, &c, &id, &experimenter));
    WALK(p, size, of_next_counter(&c, &u.counter));
    WALK(p, size, of_next_desc(&c, &u.desc));
    WALK(p, size, of_next_flow_v(version, &c, &u.flow));
    WALK(p, size, of_next_aggregate(&c, &u.aggregate));
    WALK(p, size, of_next_table_stats(version, &c, &u.table));
    WALK(p, size, of_next_port_v(version, &c, &u.port));
    WALK(p, size, of_next_port_stats(version, &c, &u.port_stats));
    WALK(p, size, of_next_queue_stats(version, &c, &u.queue_stats));
    WALK(p, size, of_next_group(&c, &u.group));
    WALK(p, size, of_next_group_stats(&c, &u.group_stats));
    WALK(p, size, of_next_group_features(&c, &u.group_features));
    WALK(p, size, of_next_meter_config(&c, &u.meter));
    WALK(p, size, of_next_meter_stats(&c, &u.meter_stats));
    WALK(p, size, of_next_meter_features(&c, &u.meter_features));
    WALK(p, size, of_next_table_features(&c, &u.table_features));
    WALK(p, size, of_next_experimenter(version, &c, &u.experimenter));
}

/* The decoders a controller calls itself: their views and where they say it went wrong. */
static void
decode_hot(const uint8_t *m, size_t size)
{
    struct of_where where = {0, NULL};
    union {
        struct of_error_msg error;
        struct of_features features;
        struct of_packet_in in;
        struct of_flow_removed removed;
        struct of_port_status status;
        struct of_multipart part;
        struct of_flow_mod mod;
        struct of_group_mod group;
        struct of_packet_out out;
    } u;
    int error = OF_OK;

    switch (of_type13(m[0], m[1])) {
    case OFPT13_ERROR:
        error = of_decode_error(m, &u.error, &where);
        if (!error)
            inside(m, size, u.error.data, u.error.data_size);
        break;
    case OFPT13_FEATURES_REPLY:
        error = of_decode_features_reply(m, &u.features, &where);
        if (!error)
            inside(m, size, u.features.ports, u.features.ports_size);
        break;
    case OFPT13_PACKET_IN:
        error = of_decode_packet_in(m, &u.in, &where);
        if (!error)
            inside(m, size, u.in.data, u.in.data_size);
        break;
    case OFPT13_FLOW_REMOVED:
        error = of_decode_flow_removed(m, &u.removed, &where);
        if (!error)
            inside(m, size, u.removed.oxm.p, u.removed.oxm.left);
        break;
    case OFPT13_PORT_STATUS:
        error = of_decode_port_status(m, &u.status, &where);
        if (!error)
            PROMISE(memchr(u.status.port.name, 0, sizeof(u.status.port.name)));
        break;
    case OFPT13_PACKET_OUT:
        error = of_decode_packet_out(m, &u.out, &where);
        if (error)
            break;
        inside(m, size, u.out.data, u.out.data_size);
        inside(m, size, u.out.actions, u.out.actions_size);
        break;
    case OFPT13_FLOW_MOD:
        error = of_decode_flow_mod(m, &u.mod, &where);
        if (error)
            break;
        inside(m, size, u.mod.raw_actions, u.mod.raw_actions_size);
        inside(m, size, u.mod.oxm.p, u.mod.oxm.left);
        inside(m, size, u.mod.instructions.p, u.mod.instructions.left);
        break;
    case OFPT13_GROUP_MOD:
        error = of_decode_group_mod(m, &u.group, &where);
        if (!error)
            inside(m, size, u.group.raw_buckets, u.group.raw_buckets_size);
        break;
    case OFPT13_MULTIPART_REQUEST:
    case OFPT13_MULTIPART_REPLY:
        error = of_decode_multipart(m, &u.part, &where);
        if (error)
            break;
        inside(m, size, u.part.body, u.part.body_size);
        walk_all(m[0], u.part.body, u.part.body_size);
        break;
    default:
        break;
    }
    if (error)
        PROMISE(where.field && where.offset <= size);
}

/* A rule as a controller makes it, from struct of_match and struct of_action, says the same when it
 * is decoded again. */
static void
flow_mod_by_struct(const uint8_t *m)
{
    static uint8_t bytes[OF_MESSAGE_MAX];
    struct of_buffer b = {bytes, sizeof(bytes), 0, false};
    struct of_action actions[32];
    struct of_flow_mod mod, back;
    struct of_cursor c;
    int error;

    if (of_decode_flow_mod(m, &mod, NULL))
        return;
    c = (struct of_cursor){mod.raw_actions, mod.raw_actions_size};
    while (mod.n_actions < 32 && (error = of_next_action_v(m[0], &c, &actions[mod.n_actions])) > 0)
        mod.n_actions++;
    mod.actions = actions;
    mod.oxm.p = NULL;
    of_put_flow_mod(&b, m[0], 1, &mod);
    if (mod.match.fields & OF_M_OTHER)
        PROMISE(b.full);
    if (b.full)
        return;
    PROMISE(of_decode_flow_mod(bytes, &back, NULL) == OF_OK);
    PROMISE(memcmp(&back.match, &mod.match, sizeof(struct of_match)) == 0);
    PROMISE(back.cookie == mod.cookie && back.priority == mod.priority &&
            back.buffer_id == mod.buffer_id && back.out_port == mod.out_port);
}

/* Encoded again it is a message, which encoded again is the same. */
static int
again(const uint8_t *m)
{
    static uint8_t first[OF_MESSAGE_MAX], second[OF_MESSAGE_MAX];
    struct of_buffer one = {first, sizeof(first), 0, false};
    struct of_buffer two = {second, sizeof(second), 0, false};
    struct of_header header;
    int error = openflow_again(m, &one);

    if (error || one.full)
        return error;
    PROMISE(of_frame(first, one.len, &header) == (int)one.len);
    PROMISE(of_check(&header) == OF_OK);
    PROMISE(header.version == m[0] && header.type == m[1]);
    PROMISE(openflow_again(first, &two) == OF_OK);
    PROMISE(!two.full && one.len == two.len && memcmp(first, second, one.len) == 0);
    return OF_OK;
}

static bool
is_delete(const uint8_t *m)
{
    struct of_flow_mod mod;

    return of_type13(m[0], m[1]) == OFPT13_FLOW_MOD && of_decode_flow_mod(m, &mod, NULL) == OF_OK &&
           mod.command >= OFPFC_DELETE;
}

int
openflow_all(const uint8_t *p, size_t size)
{
    static const size_t sizes[] = {3, 4, 40, 4096};
    struct of_header header;
    char line[4096], name[32], text[64];
    int framed, error, printed = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(line, 'x', sizeof(line));
        printed = of_print(p, size, line, sizes[i]);
        if (sizes[i] >= 4)
            PROMISE(memchr(line, 0, sizes[i]));
        if (printed >= 0)
            PROMISE((size_t)printed == strlen(line));
    }
    framed = of_frame(p, size, &header);
    PROMISE(framed <= (int)size);
    if (size < OF_HEADER_SIZE)
        return OF_ESHORT;
    PROMISE(of_type_name(header.version, header.type, name, sizeof(name))[0]);
    if (framed <= 0)
        return framed ? framed : OF_ESHORT;
    error = of_check(&header);
    if (error)
        return error;
    if (header.type == OFPT13_ERROR)
        of_error_text(header.version, of_get16(p + 8), of_get16(p + 10), text, sizeof(text));
    decode_hot(p, (size_t)framed);
    if (of_type13(p[0], p[1]) == OFPT13_FLOW_MOD)
        flow_mod_by_struct(p);
    error = again(p);
    /* what prints without an error decodes without one; a DELETE does not print its actions */
    PROMISE((printed < 0) == (error < 0) || (printed >= 0 && is_delete(p)) ||
            error == OF_EVALUE /* a multipart of no known type */);
    return error;
}
