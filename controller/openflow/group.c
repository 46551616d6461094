/* SPDX-License-Identifier: Apache-2.0
 *
 * group.c - groups and their buckets: GROUP_MOD, and what the switch has (GROUP_DESC), counts
 * (GROUP) and can do (GROUP_FEATURES). Neighbours: action.c (what a bucket does), multipart.c. Any
 * thread. OpenFlow 1.3.5 sections 7.3.4.2, 7.3.5.9 to 7.3.5.11; 1.0 has no groups.
 *
 *  +-------------------------------+-------------------------------+
 *  |  length with actions (of 8)   |            weight             |   a bucket
 *  +-------------------------------+-------------------------------+
 *  |        watch port             |         watch group           |
 *  +-------------------------------+-------------------------------+
 *  |  padding  |  actions ...
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

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

static uint32_t
actions_size(const struct of_bucket *bucket, bool *ret_bad)
{
    if (bucket->n_actions == OF_VERBATIM)
        return bucket->raw_actions_size;
    return of_actions_wire_size(bucket->actions, bucket->n_actions, ret_bad);
}

/* 0 and *ret_bad when it cannot be said in one message. */
static uint32_t
buckets_size(const struct of_group_mod *mod, bool *ret_bad)
{
    uint32_t size = 0;

    if (mod->n_buckets == OF_VERBATIM)
        return mod->raw_buckets_size;
    for (unsigned i = 0; i < mod->n_buckets; i++) {
        size += BUCKET_SIZE + actions_size(&mod->buckets[i], ret_bad);
        if (*ret_bad || size > OF_MESSAGE_MAX) {
            *ret_bad = true;
            return 0;
        }
    }
    return size;
}

static uint8_t *
put_bucket(uint8_t *p, const struct of_bucket *bucket)
{
    uint8_t *start = p;

    of_store16(p + 2, bucket->weight);
    of_store32(p + 4, bucket->watch_port);
    of_store32(p + 8, bucket->watch_group);
    of_store32(p + 12, 0);
    p += BUCKET_SIZE;
    if (bucket->n_actions == OF_VERBATIM) {
        of_copy(p, bucket->raw_actions, bucket->raw_actions_size);
        p += bucket->raw_actions_size;
    } else {
        p = of_actions_encode(p, bucket->actions, bucket->n_actions);
    }
    of_store16(start, (uint16_t)(p - start));
    return p;
}

static uint8_t *
put_buckets(uint8_t *p, const struct of_group_mod *mod)
{
    if (mod->n_buckets == OF_VERBATIM) {
        of_copy(p, mod->raw_buckets, mod->raw_buckets_size);
        return p + mod->raw_buckets_size;
    }
    for (unsigned i = 0; i < mod->n_buckets; i++)
        p = put_bucket(p, &mod->buckets[i]);
    return p;
}

void
of_put_group_mod(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_group_mod *mod)
{
    bool bad = version != OF13;
    uint32_t size = buckets_size(mod, &bad);
    uint8_t *p;

    if (bad) {
        of_refuse(b);
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
of_add_bucket(struct of_buffer *list, const struct of_bucket *bucket)
{
    bool bad = false;
    uint32_t size = BUCKET_SIZE + actions_size(bucket, &bad);
    uint8_t *p = bad || size > OF_MESSAGE_MAX ? NULL : of_grow(list, size);

    if (p)
        put_bucket(p, bucket);
    else
        of_refuse(list);
}

void
of_add_group(struct of_buffer *b, const struct of_group_mod *group)
{
    bool bad = false;
    uint32_t size = GROUP_SIZE + buckets_size(group, &bad);
    uint8_t *p = bad || size > OF_MESSAGE_MAX ? NULL : of_grow(b, size);

    if (!p) {
        of_refuse(b);
        return;
    }
    of_store16(p, (uint16_t)size);
    p[2] = group->type;
    p[3] = 0;
    of_store32(p + 4, group->group);
    put_buckets(p + GROUP_SIZE, group);
}

void
of_put_group_desc_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                        const struct of_group_mod *groups, unsigned n)
{
    size_t start = of_open_reply(b, OF13, xid, OFPMP_GROUP_DESC, flags);

    for (unsigned i = 0; i < n; i++)
        of_add_group(b, &groups[i]);
    of_close(b, start);
}

/* ---- printing ------------------------------------------------------------------------- */

static const char *const types[] = {"all", "select", "indirect", "ff"};

void
of_say_group(struct of_printer *printer, const char *name, uint32_t group)
{
    if (group == OFPG_ANY || group == OFPG_ALL)
        of_say(printer, "%s%s", name, group == OFPG_ANY ? "ANY" : "ALL");
    else
        of_say(printer, "%s%u", name, group);
}

static void
say_group(struct of_printer *printer, const struct of_group_mod *group)
{
    struct of_cursor c = {group->raw_buckets, group->raw_buckets_size};
    struct of_bucket bucket;

    of_say_group(printer, "group=", group->group);
    of_say(printer, " type=");
    OF_SAY_NAME(printer, group->type, types);
    while (of_next_bucket(&c, &bucket) > 0) {
        const uint8_t *at;

        of_say(printer, " bucket={weight=%u", bucket.weight);
        if (bucket.watch_port != OFPP_ANY)
            of_say_port(printer, " watch_port", bucket.watch_port);
        if (bucket.watch_group != OFPG_ANY)
            of_say_group(printer, " watch_group:", bucket.watch_group);
        of_actions_print(printer, OF13, bucket.raw_actions, bucket.raw_actions_size, &at);
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
of_print_groups(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_group_mod group;
    int error;

    (void)version;
    while ((error = of_next_group(body, &group)) > 0) {
        of_say(printer, " [");
        say_group(printer, &group);
        of_say(printer, "]");
    }
    return error;
}

/* ---- counters of groups, and of meters' bands --------------------------------------------- */

#define STATS_SIZE 40
#define COUNTER_SIZE 16

int
of_next_counter(struct of_cursor *counters, struct of_counter *ret)
{
    const uint8_t *p;

    if (counters->left == 0)
        return 0;
    if (!of_take(counters, COUNTER_SIZE, &p))
        return OF_ESHORT;
    ret->packets = of_get64(p);
    ret->bytes = of_get64(p + 8);
    return 1;
}

void
of_add_counter(struct of_buffer *list, const struct of_counter *counter)
{
    uint8_t *p = of_grow(list, COUNTER_SIZE);

    if (!p)
        return;
    of_store64(p, counter->packets);
    of_store64(p + 8, counter->bytes);
}

void
of_say_counters(struct of_printer *printer, const char *name, struct of_cursor counters)
{
    struct of_counter counter;

    for (unsigned i = 0; of_next_counter(&counters, &counter) > 0; i++) {
        of_say(printer, " %s%u={", name, i);
        of_say_counter(printer, "packets", counter.packets);
        of_say_counter(printer, "bytes", counter.bytes);
        of_say(printer, "}");
    }
}

int
of_next_group_stats(struct of_cursor *body, struct of_group_stats *ret)
{
    const uint8_t *p = body->p;
    uint32_t size;

    if (body->left == 0)
        return 0;
    if (body->left < STATS_SIZE)
        return OF_ESHORT;
    size = of_get16(p);
    if (size < STATS_SIZE || size > body->left || (size - STATS_SIZE) % COUNTER_SIZE)
        return OF_ELENGTH;
    ret->group = of_get32(p + 4);
    ret->references = of_get32(p + 8);
    ret->packets = of_get64(p + 16);
    ret->bytes = of_get64(p + 24);
    ret->duration_s = of_get32(p + 32);
    ret->duration_ns = of_get32(p + 36);
    ret->counters = of_rest(p + STATS_SIZE, size - STATS_SIZE);
    of_skip(body, size);
    return 1;
}

void
of_add_group_stats(struct of_buffer *b, const struct of_group_stats *stats)
{
    uint32_t more = stats->counters.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - STATS_SIZE ? of_grow(b, STATS_SIZE + more) : NULL;

    if (!p) {
        of_refuse(b);
        return;
    }
    of_store32(p, (STATS_SIZE + more) << 16);
    of_store32(p + 4, stats->group);
    of_store64(p + 8, (uint64_t)stats->references << 32);
    of_store64(p + 16, stats->packets);
    of_store64(p + 24, stats->bytes);
    of_store32(p + 32, stats->duration_s);
    of_store32(p + 36, stats->duration_ns);
    of_copy(p + STATS_SIZE, stats->counters.p, more);
}

int
of_print_group_stats(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_group_stats stats;
    int error;

    (void)version;
    while ((error = of_next_group_stats(body, &stats)) > 0) {
        of_say(printer, " [");
        of_say_group(printer, "group=", stats.group);
        of_say(printer, " ref_count=%u", stats.references);
        of_say_counter(printer, "packets", stats.packets);
        of_say_counter(printer, "bytes", stats.bytes);
        of_say_duration(printer, stats.duration_s, stats.duration_ns);
        of_say_counters(printer, "bucket", stats.counters);
        of_say(printer, "]");
    }
    return error;
}

/* ---- GROUP_FEATURES ------------------------------------------------------------------------ */

#define FEATURES_SIZE 40

int
of_next_group_features(struct of_cursor *body, struct of_group_features *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, FEATURES_SIZE, &p))
        return OF_ESHORT;
    ret->types = of_get32(p);
    ret->capabilities = of_get32(p + 4);
    for (unsigned i = 0; i < 4; i++) {
        ret->max_groups[i] = of_get32(p + 8 + 4 * i);
        ret->actions[i] = of_get32(p + 24 + 4 * i);
    }
    return 1;
}

void
of_add_group_features(struct of_buffer *b, const struct of_group_features *features)
{
    uint8_t *p = of_grow(b, FEATURES_SIZE);

    if (!p)
        return;
    of_store32(p, features->types);
    of_store32(p + 4, features->capabilities);
    for (unsigned i = 0; i < 4; i++) {
        of_store32(p + 8 + 4 * i, features->max_groups[i]);
        of_store32(p + 24 + 4 * i, features->actions[i]);
    }
}

/* A word with a bit for each action's number. */
static void
say_actions(struct of_printer *printer, uint32_t bits)
{
    const char *names[32];

    for (uint16_t i = 0; i < 32; i++)
        names[i] = of_action_name(i);
    OF_SAY_FLAGS(printer, bits, names);
}

int
of_print_group_features(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    static const char *const capabilities[] = {"select_weight", "select_liveness", "chaining",
                                               "chaining_checks"};
    struct of_group_features f;
    int error;

    (void)version;
    while ((error = of_next_group_features(body, &f)) > 0) {
        of_say(printer, " capabilities=");
        OF_SAY_FLAGS(printer, f.capabilities, capabilities);
        for (unsigned i = 0; i < OF_LEN(types); i++)
            if (f.types & 1u << i) {
                of_say(printer, " %s={max=%u actions=", types[i], f.max_groups[i]);
                say_actions(printer, f.actions[i]);
                of_say(printer, "}");
            }
    }
    return error;
}
