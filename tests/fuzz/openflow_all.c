/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_all.c - see openflow_all.h.
 */
#include "openflow_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

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

/* Walks a list of actions, the first max of them into ret. */
static int
walk_actions(const uint8_t *p, uint32_t size, struct of_action *ret, unsigned max, unsigned *ret_n)
{
    struct of_cursor c = {p, size};
    unsigned n = 0;
    uint32_t before = size;
    int error;
    struct of_action action;

    while ((error = of_next_action(&c, &action)) > 0) {
        PROMISE(c.left < before);
        before = c.left;
        if (n < max)
            ret[n] = action;
        n++;
    }
    *ret_n = n;
    return error;
}

static void
walk_body(const uint8_t *m, size_t size, const struct of_multipart *part)
{
    struct of_cursor c = {part->body, part->body_size};
    struct of_port port;
    struct of_flow flow;
    struct of_group_mod group;
    struct of_action actions[1];
    uint32_t before;
    unsigned n;

    /* whatever its type says, all walkers must bear it */
    before = c.left;
    while (of_next_port(&c, &port) > 0) {
        PROMISE(c.left < before);
        before = c.left;
        PROMISE(memchr(port.name, 0, sizeof(port.name)));
    }
    c = (struct of_cursor){part->body, part->body_size};
    before = c.left;
    while (of_next_flow(&c, &flow) > 0) {
        PROMISE(c.left < before);
        before = c.left;
        inside(m, size, flow.actions, flow.actions_size);
        walk_actions(flow.actions, flow.actions_size, actions, 1, &n);
    }
    c = (struct of_cursor){part->body, part->body_size};
    before = c.left;
    while (of_next_group(&c, &group) > 0) {
        struct of_cursor buckets = {group.raw_buckets, group.raw_buckets_size};
        struct of_bucket bucket;
        int error;

        PROMISE(c.left < before);
        before = c.left;
        inside(m, size, group.raw_buckets, group.raw_buckets_size);
        while ((error = of_next_bucket(&buckets, &bucket)) > 0)
            PROMISE(walk_actions(bucket.raw_actions, bucket.raw_actions_size, actions, 1, &n) ==
                    OF_OK);
        PROMISE(error == OF_OK);
    }
}

/* Encodes a group that was decoded, if it is not too large or strange. False: it is. */
static bool
put_group_again(struct of_buffer *b, const uint8_t *m, size_t size, const struct of_group_mod *mod)
{
    struct of_cursor c = {mod->raw_buckets, mod->raw_buckets_size};
    struct of_action actions[16][4];
    struct of_bucket buckets[16];
    struct of_group_mod again = *mod;

    while (again.n_buckets < 16 && of_next_bucket(&c, &buckets[again.n_buckets]) > 0) {
        struct of_bucket *bucket = &buckets[again.n_buckets];

        inside(m, size, bucket->raw_actions, bucket->raw_actions_size);
        PROMISE(walk_actions(bucket->raw_actions, bucket->raw_actions_size,
                             actions[again.n_buckets], 4, &bucket->n_actions) == OF_OK);
        if (bucket->n_actions > 4)
            return false;
        bucket->actions = actions[again.n_buckets++];
    }
    again.buckets = buckets;
    of_put_group_mod(b, OF13, 1, &again);
    return c.left == 0 && !b->full;
}

static int
decode(const uint8_t *m, size_t size)
{
    uint8_t again[2048];
    struct of_buffer b = {again, sizeof(again), 0, false};
    struct of_where where = {0, NULL};
    struct of_action actions[32];
    unsigned n;
    int error = OF_OK;
    union {
        struct of_hello hello;
        struct of_error_msg error;
        struct of_features features;
        struct of_packet_in in;
        struct of_flow_removed removed;
        struct of_port_status status;
        struct of_multipart part;
        struct of_flow_mod mod;
        struct of_group_mod group;
        struct of_packet_out out;
    } u, v;

    memset(&u, 0, sizeof(u));
    memset(&v, 0, sizeof(v));
    switch (m[1]) { /* beyond PORT_STATUS 1.0 numbers differ: the decoders refuse its version */
    case OFPT13_HELLO:
        error = of_decode_hello(m, &u.hello, &where);
        break;
    case OFPT13_ERROR:
        error = of_decode_error(m, &u.error, &where);
        if (!error)
            inside(m, size, u.error.data, u.error.data_size);
        break;
    case OFPT13_FEATURES_REPLY:
        error = of_decode_features_reply(m, &u.features, &where);
        break;
    case OFPT13_PACKET_IN:
        error = of_decode_packet_in(m, &u.in, &where);
        if (error)
            break;
        inside(m, size, u.in.data, u.in.data_size);
        if (m[0] != OF13)
            break;
        of_put_packet_in(&b, OF13, 1, &u.in);
        if (b.full)
            break;
        PROMISE(of_decode_packet_in(again, &v.in, NULL) == OF_OK);
        PROMISE(v.in.in_port == u.in.in_port && v.in.cookie == u.in.cookie &&
                v.in.data_size == u.in.data_size &&
                memcmp(v.in.data, u.in.data, u.in.data_size) == 0);
        break;
    case OFPT13_FLOW_REMOVED:
        error = of_decode_flow_removed(m, &u.removed, &where);
        if (error || m[0] != OF13)
            break;
        of_put_flow_removed(&b, OF13, 1, &u.removed);
        if (b.full)
            break;
        PROMISE(of_decode_flow_removed(again, &v.removed, NULL) == OF_OK);
        PROMISE(memcmp(&v.removed.match, &u.removed.match, sizeof(struct of_match)) == 0);
        break;
    case OFPT13_PORT_STATUS:
        error = of_decode_port_status(m, &u.status, &where);
        break;
    case OFPT13_PACKET_OUT:
        error = of_decode_packet_out(m, &u.out, &where);
        if (error)
            break;
        inside(m, size, u.out.data, u.out.data_size);
        inside(m, size, u.out.actions, u.out.actions_size);
        walk_actions(u.out.actions, u.out.actions_size, actions, 32, &n);
        break;
    case OFPT13_FLOW_MOD:
        error = of_decode_flow_mod(m, &u.mod, &where);
        if (error)
            break;
        inside(m, size, u.mod.raw_actions, u.mod.raw_actions_size);
        if (walk_actions(u.mod.raw_actions, u.mod.raw_actions_size, actions, 32, &n) || n > 32)
            break;
        u.mod.actions = actions;
        u.mod.n_actions = n;
        of_put_flow_mod(&b, OF13, 1, &u.mod);
        if (b.full)
            break;
        PROMISE(of_decode_flow_mod(again, &v.mod, NULL) == OF_OK);
        PROMISE(memcmp(&v.mod.match, &u.mod.match, sizeof(struct of_match)) == 0);
        PROMISE(v.mod.cookie == u.mod.cookie && v.mod.priority == u.mod.priority &&
                v.mod.buffer_id == u.mod.buffer_id && v.mod.flags == u.mod.flags);
        break;
    case OFPT13_GROUP_MOD:
        error = of_decode_group_mod(m, &u.group, &where);
        if (error)
            break;
        inside(m, size, u.group.raw_buckets, u.group.raw_buckets_size);
        if (!put_group_again(&b, m, size, &u.group))
            break;
        PROMISE(of_decode_group_mod(again, &v.group, NULL) == OF_OK);
        PROMISE(v.group.command == u.group.command && v.group.type == u.group.type &&
                v.group.group == u.group.group);
        break;
    case 16: /* STATS_REQUEST and STATS_REPLY of 1.0 */
    case 17:
        if (m[0] != OF10)
            break;
        /* fall through */
    case OFPT13_MULTIPART_REQUEST:
    case OFPT13_MULTIPART_REPLY:
        if (m[0] == OF10 && m[1] > 17)
            break;
        error = of_decode_multipart(m, &u.part, &where);
        if (error)
            break;
        inside(m, size, u.part.body, u.part.body_size);
        walk_body(m, size, &u.part);
        break;
    default:
        break;
    }
    if (error)
        PROMISE(where.field && where.offset <= size);
    return error;
}

int
openflow_all(const uint8_t *p, size_t size)
{
    static const size_t sizes[] = {3, 4, 40, 4096};
    struct of_header header;
    char line[4096], name[32], text[64];
    int framed, error;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(line, 'x', sizeof(line));
        int printed = of_print(p, size, line, sizes[i]);

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
    return decode(p, (size_t)framed);
}
