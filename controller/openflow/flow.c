/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.c - rules: FLOW_MOD makes them, FLOW_REMOVED tells of their end, FLOW and AGGREGATE
 * statistics read them back. Neighbours: oxm.c, match10.c, instruction.c, action.c, multipart.c.
 * Any thread; of_put_flow_mod() is hot: no allocation, each byte stored once.
 * OpenFlow 1.3.5 sections 7.3.4.1, 7.3.5.2, 7.3.5.3, 7.4.2; 1.0.0 sections 5.3.3, 5.3.5, 5.4.3.
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define MOD13_SIZE 48 /* before the match */
#define MOD10_SIZE 72 /* with the match */
#define REMOVED13_SIZE 48
#define REMOVED10_SIZE 88
#define STATS13_SIZE 48
#define STATS10_SIZE 88
#define MATCH13_MIN 8
#define APPLY_HEADER 8

/* ---- flags ------------------------------------------------------------------------------ */

#define EMERGENCY_WIRE10 4

static uint16_t
flags_from10(uint16_t flags)
{
    return (uint16_t)((flags & ~EMERGENCY_WIRE10) |
                      (flags & EMERGENCY_WIRE10 ? OFPFF_EMERGENCY10 : 0));
}

/* 1.0 always resets counters with an ADD and always counts: those flags have no meaning there. */
static uint16_t
flags_to10(uint16_t flags)
{
    return (uint16_t)((flags & (OFPFF_SEND_FLOW_REM | OFPFF_CHECK_OVERLAP)) |
                      (flags & OFPFF_EMERGENCY10 ? EMERGENCY_WIRE10 : 0));
}

static void
say_flags(struct of_printer *printer, uint16_t flags)
{
    static const char *const names[] = {"SEND_FLOW_REM", "CHECK_OVERLAP", "RESET_COUNTS",
                                        "NO_PKT_COUNTS", "NO_BYT_COUNTS", [15] = "EMERGENCY"};

    of_say(printer, " flags=");
    OF_SAY_FLAGS(printer, flags, names);
}

/* ---- FLOW_MOD: reading -------------------------------------------------------------------- */

static int
decode_mod10(const uint8_t *m, struct of_flow_mod *ret, struct of_where *where)
{
    uint16_t command = of_get16(m + 56);

    if (command > OFPFC_DELETE_STRICT)
        return of_fail(where, m, m + 56, "command", OF_EVALUE);
    of_match10_decode(m + 8, &ret->match);
    ret->cookie = of_get64(m + 48);
    ret->cookie_mask = 0;
    ret->table_id = 0;
    ret->command = (uint8_t)command;
    ret->idle_s = of_get16(m + 58);
    ret->hard_s = of_get16(m + 60);
    ret->priority = of_get16(m + 62);
    ret->buffer_id = of_get32(m + 64);
    ret->out_port = of_port_from10(of_get16(m + 68));
    ret->out_group = OFPG_ANY;
    ret->flags = flags_from10(of_get16(m + 70));
    ret->actions = NULL;
    ret->n_actions = 0;
    ret->raw_actions = m + MOD10_SIZE;
    ret->raw_actions_size = (uint16_t)(of_length(m) - MOD10_SIZE);
    ret->oxm = ret->instructions = of_rest(NULL, 0);
    return OF_OK;
}

int
of_decode_flow_mod(const uint8_t *m, struct of_flow_mod *ret, struct of_where *where)
{
    const uint8_t *at, *actions;
    uint32_t length = of_length(m), match;
    uint16_t actions_size;
    bool other;
    int error;

    if (m[0] == OF10)
        return decode_mod10(m, ret, where);
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (m[25] > OFPFC_DELETE_STRICT)
        return of_fail(where, m, m + 25, "command", OF_EVALUE);
    error = of_match_size(m + MOD13_SIZE, length - MOD13_SIZE);
    if (error < 0)
        return of_fail(where, m, m + MOD13_SIZE, "match length", error);
    match = (uint32_t)error;
    error = of_match_decode(m + MOD13_SIZE, &ret->match, &at);
    if (error)
        return of_fail(where, m, at, "match", error);
    ret->instructions = of_rest(m + MOD13_SIZE + match, length - MOD13_SIZE - match);
    error = of_instructions_decode(ret->instructions.p, ret->instructions.left, &actions,
                                   &actions_size, &other, &at);
    if (error)
        return of_fail(where, m, at, "instruction", error);
    ret->cookie = of_get64(m + 8);
    ret->cookie_mask = of_get64(m + 16);
    ret->table_id = m[24];
    ret->command = m[25];
    ret->idle_s = of_get16(m + 26);
    ret->hard_s = of_get16(m + 28);
    ret->priority = of_get16(m + 30);
    ret->buffer_id = of_get32(m + 32);
    ret->out_port = of_get32(m + 36);
    ret->out_group = of_get32(m + 40);
    ret->flags = of_get16(m + 44);
    ret->actions = NULL;
    ret->n_actions = 0;
    ret->raw_actions = actions;
    ret->raw_actions_size = actions_size;
    ret->oxm = of_match_list(m + MOD13_SIZE);
    return OF_OK;
}

/* ---- FLOW_MOD: writing ---------------------------------------------------------------------- */

/* Sizes of the variable parts of a flow; false when something in it has no encoding. */
static inline bool
flow_size(const struct of_flow_mod *mod, uint32_t *ret_match, uint32_t *ret_instructions)
{
    bool bad = false;

    *ret_match = of_match_wire_size(&mod->match, &mod->oxm);
    if (mod->n_actions == OF_VERBATIM) {
        *ret_instructions = mod->instructions.left;
        return *ret_match && *ret_instructions <= OF_MESSAGE_MAX;
    }
    *ret_instructions =
        mod->n_actions ? APPLY_HEADER + of_actions_hot_size(mod->actions, mod->n_actions, &bad) : 0;
    return *ret_match && !bad;
}

static inline uint8_t *
put_instructions(uint8_t *p, const struct of_flow_mod *mod, uint32_t size)
{
    if (!size)
        return p;
    if (mod->n_actions == OF_VERBATIM) {
        memcpy(p, mod->instructions.p, size);
    } else {
        of_store32(p, (uint32_t)OFPIT_APPLY_ACTIONS << 16 | size);
        of_store32(p + 4, 0);
        of_actions_hot_encode(p + APPLY_HEADER, mod->actions, mod->n_actions);
    }
    return p + size;
}

/* Would 1.0 do more, or something else, than what is asked? Its commands have no cookie, table or
 * group; a strict one names a single rule all the same. */
static bool
fits10(const struct of_flow_mod *mod)
{
    bool deletes = mod->command >= OFPFC_DELETE;
    bool strict = mod->command == OFPFC_DELETE_STRICT || mod->command == OFPFC_MODIFY_STRICT;
    uint16_t port;

    return of_match10_fits(&mod->match) && of_port_to10(mod->out_port, &port) &&
           (mod->table_id == 0 || mod->table_id == OFPTT_ALL) &&
           (mod->command == OFPFC_ADD || strict || !mod->cookie_mask) &&
           (!deletes || mod->out_group == OFPG_ANY);
}

static void
put_mod10(struct of_buffer *b, uint32_t xid, const struct of_flow_mod *mod)
{
    bool verbatim = mod->n_actions == OF_VERBATIM, bad = !fits10(mod);
    uint32_t actions = verbatim ? mod->raw_actions_size
                                : of_actions10_wire_size(mod->actions, mod->n_actions, &bad);
    uint8_t *p;

    if (bad) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, OF10, OFPT10_FLOW_MOD, xid, MOD10_SIZE + actions, 0);
    if (!p)
        return;
    of_match10_encode(p + 8, &mod->match);
    of_store64(p + 48, mod->cookie);
    of_store16(p + 56, mod->command);
    of_store16(p + 58, mod->idle_s);
    of_store16(p + 60, mod->hard_s);
    of_store16(p + 62, mod->priority);
    of_store32(p + 64, mod->buffer_id);
    of_store16(p + 68, (uint16_t)mod->out_port);
    of_store16(p + 70, flags_to10(mod->flags));
    if (verbatim)
        of_copy(p + MOD10_SIZE, mod->raw_actions, actions);
    else
        of_actions10_encode(p + MOD10_SIZE, mod->actions, mod->n_actions);
}

void
of_put_flow_mod(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_flow_mod *mod)
{
    uint32_t match, instructions;
    uint8_t *p;

    if (version == OF10) {
        put_mod10(b, xid, mod);
        return;
    }
    if (version != OF13 || !flow_size(mod, &match, &instructions)) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, OF13, OFPT13_FLOW_MOD, xid, MOD13_SIZE + match + instructions, 0);
    if (!p)
        return;
    of_store64(p + 8, mod->cookie);
    of_store64(p + 16, mod->cookie_mask);
    p[24] = mod->table_id;
    p[25] = mod->command;
    of_store16(p + 26, mod->idle_s);
    of_store16(p + 28, mod->hard_s);
    of_store16(p + 30, mod->priority);
    of_store32(p + 32, mod->buffer_id);
    of_store32(p + 36, mod->out_port);
    of_store32(p + 40, mod->out_group);
    of_store32(p + 44, (uint32_t)mod->flags << 16);
    p = of_match_encode(p + MOD13_SIZE, &mod->match, &mod->oxm);
    put_instructions(p, mod, instructions);
}

int
of_print_flow_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const commands[] = {"ADD", "MODIFY", "MODIFY_STRICT", "DELETE",
                                           "DELETE_STRICT"};
    struct of_flow_mod mod;
    const uint8_t *at;
    int error = of_decode_flow_mod(m, &mod, where);

    if (error)
        return error;
    of_say(printer, " %s", commands[mod.command]);
    if (m[0] == OF13) {
        of_say_table(printer, " table=", mod.table_id);
        of_say(printer, " priority=%u cookie=%016lx/%016lx", mod.priority,
               (unsigned long)mod.cookie, (unsigned long)mod.cookie_mask);
    } else {
        of_say(printer, " priority=%u cookie=%016lx", mod.priority, (unsigned long)mod.cookie);
    }
    of_say(printer, " idle=%u hard=%u", mod.idle_s, mod.hard_s);
    say_flags(printer, mod.flags);
    of_say_buffer(printer, mod.buffer_id);
    if (m[0] == OF13)
        of_match_print(printer, m + MOD13_SIZE, &at);
    else
        of_match_say(printer, &mod.match);
    if (mod.command == OFPFC_DELETE || mod.command == OFPFC_DELETE_STRICT) {
        of_say_port(printer, " out_port", mod.out_port);
        if (m[0] == OF13)
            of_say_group(printer, " out_group:", mod.out_group);
        return OF_OK; /* instructions have no meaning then (6.4) */
    }
    if (m[0] == OF13)
        error = of_instructions_print(printer, mod.instructions.p, mod.instructions.left, &at);
    else
        error = of_actions_print(printer, OF10, mod.raw_actions, mod.raw_actions_size, &at);
    return error ? of_fail(where, m, at, "action", error) : OF_OK;
}

/* ---- FLOW_REMOVED -----------------------------------------------------------------------------
 */

int
of_decode_flow_removed(const uint8_t *m, struct of_flow_removed *ret, struct of_where *where)
{
    const uint8_t *at;
    int error;

    if (m[0] == OF10) {
        of_match10_decode(m + 8, &ret->match);
        ret->oxm = of_rest(NULL, 0);
        ret->cookie = of_get64(m + 48);
        ret->priority = of_get16(m + 56);
        ret->reason = m[58];
        ret->table_id = 0;
        ret->duration_s = of_get32(m + 60);
        ret->duration_ns = of_get32(m + 64);
        ret->idle_s = of_get16(m + 68);
        ret->hard_s = 0;
        ret->packets = of_get64(m + 72);
        ret->bytes = of_get64(m + 80);
        return OF_OK;
    }
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    error = of_match_size(m + REMOVED13_SIZE, of_length(m) - (uint32_t)REMOVED13_SIZE);
    if (error > 0 && REMOVED13_SIZE + error != of_length(m)) /* something is behind it */
        error = OF_ELENGTH;
    if (error < 0)
        return of_fail(where, m, m + REMOVED13_SIZE, "match length", error);
    error = of_match_decode(m + REMOVED13_SIZE, &ret->match, &at);
    if (error)
        return of_fail(where, m, at, "match", error);
    ret->oxm = of_match_list(m + REMOVED13_SIZE);
    ret->cookie = of_get64(m + 8);
    ret->priority = of_get16(m + 16);
    ret->reason = m[18];
    ret->table_id = m[19];
    ret->duration_s = of_get32(m + 20);
    ret->duration_ns = of_get32(m + 24);
    ret->idle_s = of_get16(m + 28);
    ret->hard_s = of_get16(m + 30);
    ret->packets = of_get64(m + 32);
    ret->bytes = of_get64(m + 40);
    return OF_OK;
}

static void
put_removed10(struct of_buffer *b, uint32_t xid, const struct of_flow_removed *removed)
{
    uint8_t *p;

    if (!of_match10_fits(&removed->match)) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, OF10, OFPT13_FLOW_REMOVED, xid, REMOVED10_SIZE, 0);
    if (!p)
        return;
    of_match10_encode(p + 8, &removed->match);
    of_store64(p + 48, removed->cookie);
    of_store16(p + 56, removed->priority);
    p[58] = removed->reason;
    p[59] = 0;
    of_store32(p + 60, removed->duration_s);
    of_store32(p + 64, removed->duration_ns);
    of_store32(p + 68, (uint32_t)removed->idle_s << 16);
    of_store64(p + 72, removed->packets);
    of_store64(p + 80, removed->bytes);
}

void
of_put_flow_removed(struct of_buffer *b, uint8_t version, uint32_t xid,
                    const struct of_flow_removed *removed)
{
    uint32_t match;
    uint8_t *p;

    if (version == OF10) {
        put_removed10(b, xid, removed);
        return;
    }
    match = of_match_wire_size(&removed->match, &removed->oxm);
    if (version != OF13 || !match) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, version, OFPT13_FLOW_REMOVED, xid, REMOVED13_SIZE + match, 0);
    if (!p)
        return;
    of_store64(p + 8, removed->cookie);
    of_store16(p + 16, removed->priority);
    p[18] = removed->reason;
    p[19] = removed->table_id;
    of_store32(p + 20, removed->duration_s);
    of_store32(p + 24, removed->duration_ns);
    of_store16(p + 28, removed->idle_s);
    of_store16(p + 30, removed->hard_s);
    of_store64(p + 32, removed->packets);
    of_store64(p + 40, removed->bytes);
    of_match_encode(p + REMOVED13_SIZE, &removed->match, &removed->oxm);
}

int
of_print_flow_removed(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"idle", "hard", "delete", "group_delete"};
    struct of_flow_removed r;
    const uint8_t *at;
    int error = of_decode_flow_removed(m, &r, where);

    if (error)
        return error;
    of_say(printer, " reason=");
    OF_SAY_NAME(printer, r.reason, reasons);
    of_say(printer, " cookie=%016lx", (unsigned long)r.cookie);
    if (m[0] == OF13)
        of_say(printer, " table=%u", r.table_id);
    of_say(printer, " priority=%u idle=%u", r.priority, r.idle_s);
    if (m[0] == OF13)
        of_say(printer, " hard=%u", r.hard_s);
    of_say_duration(printer, r.duration_s, r.duration_ns);
    of_say_counter(printer, "packets", r.packets);
    of_say_counter(printer, "bytes", r.bytes);
    if (m[0] == OF13)
        of_match_print(printer, m + REMOVED13_SIZE, &at);
    else
        of_match_say(printer, &r.match);
    return OF_OK;
}

/* ---- FLOW statistics
 * ----------------------------------------------------------------------------- */

static int
next_flow10(struct of_cursor *body, struct of_flow *ret)
{
    const uint8_t *p = body->p;
    uint32_t size;

    if (body->left < STATS10_SIZE)
        return OF_ESHORT;
    size = of_get16(p);
    if (size < STATS10_SIZE || size > body->left)
        return OF_ELENGTH;
    of_match10_decode(p + 4, &ret->match);
    ret->table_id = p[2];
    ret->duration_s = of_get32(p + 44);
    ret->duration_ns = of_get32(p + 48);
    ret->priority = of_get16(p + 52);
    ret->idle_s = of_get16(p + 54);
    ret->hard_s = of_get16(p + 56);
    ret->flags = 0;
    ret->cookie = of_get64(p + 64);
    ret->packets = of_get64(p + 72);
    ret->bytes = of_get64(p + 80);
    ret->actions = p + STATS10_SIZE;
    ret->actions_size = (uint16_t)(size - STATS10_SIZE);
    ret->other_instructions = false;
    ret->oxm = ret->instructions = of_rest(NULL, 0);
    of_skip(body, size);
    return 1;
}

static int
next_flow13(struct of_cursor *body, struct of_flow *ret)
{
    const uint8_t *p = body->p, *at;
    uint32_t size, match;
    int error;

    if (body->left < STATS13_SIZE + MATCH13_MIN)
        return OF_ESHORT;
    size = of_get16(p);
    if (size < STATS13_SIZE + MATCH13_MIN || size > body->left)
        return OF_ELENGTH;
    error = of_match_size(p + STATS13_SIZE, size - STATS13_SIZE);
    if (error < 0)
        return error;
    match = (uint32_t)error;
    error = of_match_decode(p + STATS13_SIZE, &ret->match, &at);
    if (error)
        return error;
    ret->oxm = of_match_list(p + STATS13_SIZE);
    ret->instructions = of_rest(p + STATS13_SIZE + match, size - STATS13_SIZE - match);
    error = of_instructions_decode(ret->instructions.p, ret->instructions.left, &ret->actions,
                                   &ret->actions_size, &ret->other_instructions, &at);
    if (error)
        return error;
    ret->table_id = p[2];
    ret->duration_s = of_get32(p + 4);
    ret->duration_ns = of_get32(p + 8);
    ret->priority = of_get16(p + 12);
    ret->idle_s = of_get16(p + 14);
    ret->hard_s = of_get16(p + 16);
    ret->flags = of_get16(p + 18);
    ret->cookie = of_get64(p + 24);
    ret->packets = of_get64(p + 32);
    ret->bytes = of_get64(p + 40);
    of_skip(body, size);
    return 1;
}

int
of_next_flow_v(uint8_t version, struct of_cursor *body, struct of_flow *ret)
{
    if (body->left == 0)
        return 0;
    return version == OF10 ? next_flow10(body, ret) : next_flow13(body, ret);
}

int
of_next_flow(struct of_cursor *body, struct of_flow *ret)
{
    return of_next_flow_v(OF13, body, ret);
}

static void
put_flow13(uint8_t *p, const struct of_flow *flow, uint32_t size)
{
    of_store16(p, (uint16_t)size);
    p[2] = flow->table_id;
    p[3] = 0;
    of_store32(p + 4, flow->duration_s);
    of_store32(p + 8, flow->duration_ns);
    of_store16(p + 12, flow->priority);
    of_store16(p + 14, flow->idle_s);
    of_store16(p + 16, flow->hard_s);
    of_store16(p + 18, flow->flags);
    of_store32(p + 20, 0);
    of_store64(p + 24, flow->cookie);
    of_store64(p + 32, flow->packets);
    of_store64(p + 40, flow->bytes);
}

static void
add_flow13(struct of_buffer *b, const struct of_flow *flow)
{
    bool whole = flow->instructions.p != NULL;
    uint32_t match = of_match_wire_size(&flow->match, &flow->oxm);
    uint32_t apply = flow->actions_size ? APPLY_HEADER + (uint32_t)flow->actions_size : 0;
    uint32_t instructions = whole ? flow->instructions.left : apply;
    uint32_t size = STATS13_SIZE + match + instructions;
    uint8_t *p;

    if (!match || instructions > OF_MESSAGE_MAX || size > OF_MESSAGE_MAX) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, size);
    if (!p)
        return;
    put_flow13(p, flow, size);
    p = of_match_encode(p + STATS13_SIZE, &flow->match, &flow->oxm);
    if (whole) {
        of_copy(p, flow->instructions.p, instructions);
    } else if (apply) {
        of_store32(p, (uint32_t)OFPIT_APPLY_ACTIONS << 16 | apply);
        of_store32(p + 4, 0);
        memcpy(p + APPLY_HEADER, flow->actions, flow->actions_size);
    }
}

static void
add_flow10(struct of_buffer *b, const struct of_flow *flow)
{
    uint32_t size = STATS10_SIZE + (uint32_t)flow->actions_size;
    uint8_t *p;

    if (!of_match10_fits(&flow->match) || size > OF_MESSAGE_MAX) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, size);
    if (!p)
        return;
    memset(p, 0, STATS10_SIZE);
    of_store16(p, (uint16_t)size);
    p[2] = flow->table_id;
    of_match10_encode(p + 4, &flow->match);
    of_store32(p + 44, flow->duration_s);
    of_store32(p + 48, flow->duration_ns);
    of_store16(p + 52, flow->priority);
    of_store16(p + 54, flow->idle_s);
    of_store16(p + 56, flow->hard_s);
    of_store64(p + 64, flow->cookie);
    of_store64(p + 72, flow->packets);
    of_store64(p + 80, flow->bytes);
    of_copy(p + STATS10_SIZE, flow->actions, flow->actions_size);
}

void
of_add_flow(struct of_buffer *b, uint8_t version, const struct of_flow *flow)
{
    if (version == OF10)
        add_flow10(b, flow);
    else
        add_flow13(b, flow);
}

/* For who has rules as flow_mods (a fake switch). */
void
of_put_flow_stats_reply(struct of_buffer *b, uint32_t xid, uint16_t flags,
                        const struct of_flow_mod *flows, unsigned n)
{
    uint32_t match, instructions;
    size_t size = 0;
    uint8_t *p;

    for (unsigned i = 0; i < n && size <= OF_MESSAGE_MAX; i++) {
        if (!flow_size(&flows[i], &match, &instructions)) {
            of_refuse(b);
            return;
        }
        size += STATS13_SIZE + match + instructions;
    }
    p = of_begin_multipart(b, OFPT13_MULTIPART_REPLY, xid, OFPMP_FLOW, flags, size);
    for (unsigned i = 0; p && i < n; i++) {
        const struct of_flow_mod *mod = &flows[i];
        const struct of_flow flow = {.cookie = mod->cookie,
                                     .priority = mod->priority,
                                     .idle_s = mod->idle_s,
                                     .hard_s = mod->hard_s,
                                     .flags = mod->flags,
                                     .table_id = mod->table_id};

        flow_size(mod, &match, &instructions);
        put_flow13(p, &flow, STATS13_SIZE + match + instructions);
        p = of_match_encode(p + STATS13_SIZE, &mod->match, &mod->oxm);
        p = put_instructions(p, mod, instructions);
    }
}

int
of_print_flows(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_flow flow;
    const uint8_t *p, *at;
    int error;

    while (p = body->p, (error = of_next_flow_v(version, body, &flow)) > 0) {
        of_say(printer, " [table=%u priority=%u cookie=%016lx", flow.table_id, flow.priority,
               (unsigned long)flow.cookie);
        of_say_duration(printer, flow.duration_s, flow.duration_ns);
        of_say(printer, " idle=%u hard=%u", flow.idle_s, flow.hard_s);
        of_say_counter(printer, "packets", flow.packets);
        of_say_counter(printer, "bytes", flow.bytes);
        if (flow.flags)
            say_flags(printer, flow.flags);
        if (version == OF10) {
            of_match_say(printer, &flow.match);
            error = of_actions_print(printer, OF10, flow.actions, flow.actions_size, &at);
        } else {
            of_match_print(printer, p + STATS13_SIZE, &at);
            error =
                of_instructions_print(printer, flow.instructions.p, flow.instructions.left, &at);
        }
        if (error) {
            body->p = at;
            return error;
        }
        of_say(printer, "]");
    }
    return error;
}

/* ---- AGGREGATE statistics
 * ------------------------------------------------------------------------ */

#define AGGREGATE_SIZE 24

int
of_next_aggregate(struct of_cursor *body, struct of_aggregate *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, AGGREGATE_SIZE, &p))
        return OF_ESHORT;
    ret->packets = of_get64(p);
    ret->bytes = of_get64(p + 8);
    ret->flows = of_get32(p + 16);
    return 1;
}

void
of_add_aggregate(struct of_buffer *b, const struct of_aggregate *aggregate)
{
    uint8_t *p = of_grow(b, AGGREGATE_SIZE);

    if (!p)
        return;
    of_store64(p, aggregate->packets);
    of_store64(p + 8, aggregate->bytes);
    of_store64(p + 16, (uint64_t)aggregate->flows << 32);
}

int
of_print_aggregate(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_aggregate a;
    int error;

    (void)version;
    while ((error = of_next_aggregate(body, &a)) > 0) {
        of_say_counter(printer, "packets", a.packets);
        of_say_counter(printer, "bytes", a.bytes);
        of_say(printer, " flows=%u", a.flows);
    }
    return error;
}
