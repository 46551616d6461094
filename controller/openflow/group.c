/* SPDX-License-Identifier: Apache-2.0
 *
 * group.c - groups and their buckets: GROUP_MOD and the entries of GROUP_DESC, read, written and
 * printed. Neighbours: action.c (what a bucket does), encode.c, print.c. Any thread.
 * OpenFlow 1.3.5 sections 7.3.4.2 and 7.3.5.7.
 *
 *  +-------------------------------+-------------------------------+
 *  |  length with actions (of 8)   |            weight             |   a bucket
 *  +-------------------------------+-------------------------------+
 *  |        watch port             |         watch group           |
 *  +-------------------------------+-------------------------------+
 *  |  padding  |  actions ...
 */
#include "codec.h"

#define BUCKET_SIZE 16 /* without actions */
#define GROUP_SIZE 8   /* of a GROUP_DESC entry without buckets */
#define MOD_SIZE 16    /* of a GROUP_MOD without buckets */

/* ---- reading ------------------------------------------------------------------------ */

int
of_next_bucket(struct of_cursor *buckets, struct of_bucket *ret)
{
    const uint8_t *p;
    uint16_t size;

    if (buckets->left == 0)
        return 0;
    if (buckets->left < BUCKET_SIZE)
        return OF_ESHORT;
    size = of_get16(buckets->p);
    if (size < BUCKET_SIZE || size % 8 || size > buckets->left)
        return OF_ELENGTH;
    p = buckets->p;
    of_skip(buckets, size);
    *ret = (struct of_bucket){
        .weight = of_get16(p + 2),
        .watch_port = of_get32(p + 4),
        .watch_group = of_get32(p + 8),
        .raw_actions = p + BUCKET_SIZE,
        .raw_actions_size = (uint16_t)(size - BUCKET_SIZE),
    };
    return 1;
}

/* Are all buckets and their actions well-formed? On error *at is what is not. */
static int
check_buckets(const uint8_t *p, uint32_t size, const uint8_t **at)
{
    struct of_cursor c = {p, size}, actions;
    struct of_bucket bucket;
    struct of_action action;
    int error;

    while (*at = c.p, (error = of_next_bucket(&c, &bucket)) > 0) {
        actions = (struct of_cursor){bucket.raw_actions, bucket.raw_actions_size};
        while (*at = actions.p, (error = of_next_action(&actions, &action)) > 0)
            ;
        if (error)
            return error;
    }
    return error;
}

int
of_decode_group_mod(const uint8_t *m, struct of_group_mod *ret, struct of_where *where)
{
    uint16_t length = of_get16(m + 2);
    const uint8_t *at;
    int error;

    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (of_get16(m + 8) > OFPGC_DELETE)
        return of_fail(where, m, m + 8, "command", OF_EVALUE);
    error = check_buckets(m + MOD_SIZE, length - (uint32_t)MOD_SIZE, &at);
    if (error)
        return of_fail(where, m, at, "bucket", error);
    *ret = (struct of_group_mod){
        .command = (uint8_t)of_get16(m + 8),
        .type = m[10],
        .group = of_get32(m + 12),
        .raw_buckets = m + MOD_SIZE,
        .raw_buckets_size = (uint16_t)(length - MOD_SIZE),
    };
    return OF_OK;
}

int
of_next_group(struct of_cursor *body, struct of_group_mod *ret)
{
    const uint8_t *p, *at;
    uint16_t size;
    int error;

    if (body->left == 0)
        return 0;
    if (body->left < GROUP_SIZE)
        return OF_ESHORT;
    size = of_get16(body->p);
    if (size < GROUP_SIZE || size > body->left)
        return OF_ELENGTH;
    p = body->p;
    error = check_buckets(p + GROUP_SIZE, size - (uint32_t)GROUP_SIZE, &at);
    if (error)
        return error;
    of_skip(body, size);
    *ret = (struct of_group_mod){
        .command = OFPGC_ADD,
        .type = p[2],
        .group = of_get32(p + 4),
        .raw_buckets = p + GROUP_SIZE,
        .raw_buckets_size = (uint16_t)(size - GROUP_SIZE),
    };
    return 1;
}

/* ---- writing ------------------------------------------------------------------------- */

/* 0 and *ret_bad when it cannot be said in one message. */
static uint32_t
buckets_size(const struct of_group_mod *mod, bool *ret_bad)
{
    uint32_t size = 0;

    for (unsigned i = 0; i < mod->n_buckets; i++) {
        size += BUCKET_SIZE +
                of_actions_wire_size(mod->buckets[i].actions, mod->buckets[i].n_actions, ret_bad);
        if (*ret_bad || size > OF_MESSAGE_MAX) {
            *ret_bad = true;
            return 0;
        }
    }
    return size;
}

static uint8_t *
put_buckets(uint8_t *p, const struct of_group_mod *mod)
{
    for (unsigned i = 0; i < mod->n_buckets; i++) {
        const struct of_bucket *bucket = &mod->buckets[i];
        uint8_t *start = p;

        of_store16(p + 2, bucket->weight);
        of_store32(p + 4, bucket->watch_port);
        of_store32(p + 8, bucket->watch_group);
        of_store32(p + 12, 0);
        p = of_actions_encode(p + BUCKET_SIZE, bucket->actions, bucket->n_actions);
        of_store16(start, (uint16_t)(p - start));
    }
    return p;
}

void
of_put_group_mod(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_group_mod *mod)
{
    bool bad = version != OF13;
    uint32_t size = buckets_size(mod, &bad);
    uint8_t *p;

    if (bad) {
        b->full = true;
        return;
    }
    p = of_begin(b, version, OFPT13_GROUP_MOD, xid, MOD_SIZE, size);
    if (!p)
        return;
    of_store16(p + 8, mod->command);
    p[10] = mod->type;
    p[11] = 0;
    of_store32(p + 12, mod->group);
    put_buckets(p + MOD_SIZE, mod);
}

void
of_put_group_desc_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                        const struct of_group_mod *groups, unsigned n)
{
    size_t size = 0;
    bool bad = false;
    uint8_t *p;

    for (unsigned i = 0; i < n && !bad && size <= OF_MESSAGE_MAX; i++)
        size += GROUP_SIZE + buckets_size(&groups[i], &bad);
    if (bad) {
        b->full = true;
        return;
    }
    p = of_begin_multipart(b, OFPT13_MULTIPART_REPLY, xid, OFPMP_GROUP_DESC, flags, size);
    for (unsigned i = 0; p && i < n; i++) {
        uint8_t *start = p;

        p[2] = groups[i].type;
        p[3] = 0;
        of_store32(p + 4, groups[i].group);
        p = put_buckets(p + GROUP_SIZE, &groups[i]);
        of_store16(start, (uint16_t)(p - start));
    }
}

/* ---- printing ------------------------------------------------------------------------- */

static void
say_group(struct of_printer *printer, const struct of_group_mod *group)
{
    static const char *const types[] = {"all", "select", "indirect", "ff"};
    struct of_cursor c = {group->raw_buckets, group->raw_buckets_size};
    struct of_bucket bucket;

    of_say(printer, "group=%u type=", group->group);
    if (group->type < sizeof(types) / sizeof(types[0]))
        of_say(printer, "%s", types[group->type]);
    else
        of_say(printer, "%u", group->type);
    while (of_next_bucket(&c, &bucket) > 0) {
        const uint8_t *at;

        of_say(printer, " bucket={weight=%u", bucket.weight);
        if (bucket.watch_port != OFPP_ANY)
            of_say_port(printer, " watch_port", bucket.watch_port);
        if (bucket.watch_group != OFPG_ANY)
            of_say(printer, " watch_group:%u", bucket.watch_group);
        of_actions_print(printer, bucket.raw_actions, bucket.raw_actions_size, &at);
        of_say(printer, "}");
    }
}

int
of_print_group_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const commands[] = {"ADD", "MODIFY", "DELETE"};
    struct of_group_mod mod;
    int error = of_decode_group_mod(m, &mod, where);

    if (error)
        return error;
    of_say(printer, " %s ", commands[mod.command]);
    say_group(printer, &mod);
    return OF_OK;
}

int
of_print_groups(struct of_printer *printer, struct of_cursor body, const uint8_t *m,
                struct of_where *where)
{
    struct of_group_mod group;
    const uint8_t *p;
    int error;

    while (p = body.p, (error = of_next_group(&body, &group)) > 0) {
        of_say(printer, " [");
        say_group(printer, &group);
        of_say(printer, "]");
    }
    return error ? of_fail(where, m, p, "group entry", error) : OF_OK;
}
