/* SPDX-License-Identifier: Apache-2.0
 *
 * action.c - actions of OpenFlow 1.3, and what is alike in both versions: reading, writing,
 * printing. Neighbours: action10.c (those of 1.0), instruction.c, flow.c, packet.c, oxm.c (the
 * field of a set-field). Any thread; of_actions_encode() is hot. OpenFlow 1.3.5 section 7.2.5.
 *
 *  +-------------------------------+-------------------------------+
 *  |             type              |  length with padding (of 8)   |
 *  +-------------------------------+-------------------------------+
 *  |  argument ...                                                 |
 *  +---------------------------------------------------------------+
 */
#include "codec.h"

enum argument { /* how the bytes behind the header are read and written */
                NONE,
                OUTPUT,    /* u32 port, u16 max_len */
                NUMBER32,  /* u32, in .group */
                NUMBER16,  /* u16, in .value */
                NUMBER8,   /* u8, in .value */
                FIELD,     /* one OXM field */
                EXPERIMENT /* u32 experimenter, anything */
};

/* One row an action: our type, its number on the wire, smallest size, how its argument is, name.
 * All but FIELD and EXPERIMENT have no other size. */
#define ACTIONS(X)                                                                                 \
    X(OF_A_OUTPUT, 0, 16, OUTPUT, "output")                                                        \
    X(OF_A_COPY_TTL_OUT, 11, 8, NONE, "copy_ttl_out")                                              \
    X(OF_A_COPY_TTL_IN, 12, 8, NONE, "copy_ttl_in")                                                \
    X(OF_A_SET_MPLS_TTL, 15, 8, NUMBER8, "set_mpls_ttl")                                           \
    X(OF_A_DEC_MPLS_TTL, 16, 8, NONE, "dec_mpls_ttl")                                              \
    X(OF_A_PUSH_VLAN, 17, 8, NUMBER16, "push_vlan")                                                \
    X(OF_A_POP_VLAN, 18, 8, NONE, "pop_vlan")                                                      \
    X(OF_A_PUSH_MPLS, 19, 8, NUMBER16, "push_mpls")                                                \
    X(OF_A_POP_MPLS, 20, 8, NUMBER16, "pop_mpls")                                                  \
    X(OF_A_SET_QUEUE, 21, 8, NUMBER32, "set_queue")                                                \
    X(OF_A_GROUP, 22, 8, NUMBER32, "group")                                                        \
    X(OF_A_SET_NW_TTL, 23, 8, NUMBER8, "set_nw_ttl")                                               \
    X(OF_A_DEC_NW_TTL, 24, 8, NONE, "dec_nw_ttl")                                                  \
    X(OF_A_SET_FIELD, 25, 16, FIELD, "set_field")                                                  \
    X(OF_A_PUSH_PBB, 26, 8, NUMBER16, "push_pbb")                                                  \
    X(OF_A_POP_PBB, 27, 8, NONE, "pop_pbb")

#define SET_FIELD 25
#define EXPERIMENTER 0xffff
#define ETHERTYPE_VLAN 0x8100

struct action_row {
    const char *name;
    uint8_t size; /* smallest */
    uint8_t argument;
    uint8_t type; /* enum of_action_type */
};

static const struct action_row by_wire[] = {
#define ROW(type, wire, size, argument, name) [wire] = {name, size, argument, type},
    ACTIONS(ROW)
#undef ROW
};

static const struct action_row experimenter_row = {"experimenter", 8, EXPERIMENT,
                                                   OF_A_EXPERIMENTER};

struct wire_row {
    uint16_t wire;
    uint8_t argument;
    uint8_t size; /* 0: of_raw_action_size() knows, or it cannot be written */
};

static const struct wire_row by_type[OF_A_COUNT] = {
#define ROW(type, wire, size, argument, name)                                                      \
    [type] = {wire, argument, argument == FIELD ? 0 : size},
    ACTIONS(ROW)
#undef ROW
        [OF_A_EXPERIMENTER] = {EXPERIMENTER, EXPERIMENT, 0},
};

/* Set-fields that have a type of their own: also 1.0 has these actions. */
struct set_row {
    uint32_t oxm; /* its header: class, field, size */
    uint8_t type; /* enum of_action_type */
};

static const struct set_row sets[] = {
    {OF_OXM_ETH_DST, OF_A_SET_ETH_DST},   {OF_OXM_ETH_SRC, OF_A_SET_ETH_SRC},
    {OF_OXM_VLAN_VID, OF_A_SET_VLAN_VID}, {UINT32_C(0x80000e01), OF_A_SET_VLAN_PCP},
    {0x80001001, OF_A_SET_IP_DSCP},       {0x80001604, OF_A_SET_IPV4_SRC},
    {0x80001804, OF_A_SET_IPV4_DST},
};

/* ---- reading --------------------------------------------------------------------- */

int
of_next_raw(struct of_cursor *c, const uint8_t **ret, uint16_t *ret_size)
{
    uint16_t size;

    if (c->left == 0)
        return 0;
    if (c->left < OF_ACTION_HEADER)
        return OF_ESHORT;
    size = of_get16(c->p + 2);
    if (size < 8 || size % 8 || size > c->left)
        return OF_ELENGTH;
    *ret_size = size;
    of_take(c, size, ret);
    return 1;
}

static const struct action_row *
row_of(uint16_t wire)
{
    if (wire < OF_LEN(by_wire) && by_wire[wire].name)
        return &by_wire[wire];
    return wire == EXPERIMENTER ? &experimenter_row : NULL;
}

const char *
of_action_name(uint16_t wire)
{
    const struct action_row *row = row_of(wire);

    return row ? row->name : NULL;
}

static int
decode_set_field(const uint8_t *p, uint16_t size, struct of_action *ret)
{
    uint32_t oxm = of_get32(p + 4);

    if (of_pad8(8 + (oxm & 0xff)) != size)
        return OF_ELENGTH;
    for (unsigned i = 0; i < OF_LEN(sets); i++)
        if (sets[i].oxm == oxm)
            ret->type = sets[i].type;
    switch (ret->type) {
    case OF_A_SET_ETH_DST:
    case OF_A_SET_ETH_SRC:
        memcpy(ret->mac, p + 8, 6);
        break;
    case OF_A_SET_VLAN_VID:
        ret->vlan_vid = of_get16(p + 8);
        break;
    case OF_A_SET_VLAN_PCP:
    case OF_A_SET_IP_DSCP:
        ret->value = p[8];
        break;
    case OF_A_SET_IPV4_SRC:
    case OF_A_SET_IPV4_DST:
        ret->value = of_get32(p + 8);
        break;
    default:
        ret->raw = p + 4;
        ret->raw_size = (uint16_t)(4 + (oxm & 0xff));
    }
    return OF_OK;
}

int
of_next_action(struct of_cursor *actions, struct of_action *ret)
{
    const struct action_row *row;
    const uint8_t *p;
    uint16_t size, wire;
    int error = of_next_raw(actions, &p, &size);

    if (error <= 0)
        return error;
    wire = of_get16(p);
    row = row_of(wire);
    if (row && (size < row->size || (row->argument < FIELD && size != row->size)))
        return OF_ELENGTH;
    memset(ret, 0, sizeof(*ret));
    if (!row) {
        ret->type = OF_A_OTHER;
        ret->value = wire;
        ret->raw = p;
        ret->raw_size = size;
        return 1;
    }
    ret->type = row->type;
    switch (row->argument) {
    case OUTPUT:
        ret->port = of_get32(p + 4);
        ret->max_len = of_get16(p + 8);
        break;
    case NUMBER32:
        ret->group = of_get32(p + 4);
        break;
    case NUMBER16:
        ret->value = of_get16(p + 4);
        break;
    case NUMBER8:
        ret->value = p[4];
        break;
    case FIELD:
        error = decode_set_field(p, size, ret);
        if (error)
            return error;
        break;
    case EXPERIMENT:
        ret->value = of_get32(p + 4);
        ret->raw = p;
        ret->raw_size = size;
        break;
    default:
        break;
    }
    return 1;
}

int
of_next_action_v(uint8_t version, struct of_cursor *actions, struct of_action *ret)
{
    return version == OF10 ? of_next_action10(actions, ret) : of_next_action(actions, ret);
}

/* ---- writing ------------------------------------------------------------------------ */

uint32_t
of_raw_action_size(const struct of_action *action)
{
    if (!action->raw)
        return 0;
    if (action->type == OF_A_SET_FIELD) /* one whole field */
        return action->raw_size >= 4 && action->raw[3] == action->raw_size - 4
                   ? of_pad8(4u + action->raw_size)
                   : 0;
    return action->raw_size >= 8 && action->raw_size % 8 == 0 &&
                   of_get16(action->raw + 2) == action->raw_size
               ? action->raw_size
               : 0;
}

static const struct set_row *
set_of(enum of_action_type type)
{
    for (unsigned i = 0; i < OF_LEN(sets); i++)
        if (sets[i].type == type)
            return &sets[i];
    return NULL;
}

static uint32_t
wire_size(const struct of_action *action)
{
    if (action->type == OF_A_OUTPUT) /* hot */
        return 16;
    if ((unsigned)action->type >= OF_A_COUNT)
        return 0;
    if (by_type[action->type].size)
        return by_type[action->type].size;
    if (set_of(action->type))
        return 16;
    return of_raw_action_size(action);
}

uint32_t
of_actions_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad)
{
    uint32_t size = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t one = wire_size(&actions[i]);

        if (!one || size + one > OF_MESSAGE_MAX) {
            *ret_bad = true;
            return 0;
        }
        size += one;
    }
    return size;
}

static void
encode_set(uint8_t *p, const struct set_row *row, const struct of_action *a)
{
    of_store32(p, SET_FIELD << 16 | 16);
    of_store32(p + 4, row->oxm);
    of_store64(p + 8, 0);
    switch (row->type) {
    case OF_A_SET_ETH_DST:
    case OF_A_SET_ETH_SRC:
        memcpy(p + 8, a->mac, 6);
        break;
    case OF_A_SET_VLAN_VID:
        of_store16(p + 8, a->vlan_vid | OFPVID_PRESENT);
        break;
    case OF_A_SET_VLAN_PCP:
    case OF_A_SET_IP_DSCP:
        p[8] = (uint8_t)a->value;
        break;
    default:
        of_store32(p + 8, a->value);
    }
}

static void
encode(uint8_t *p, const struct of_action *a, uint32_t size)
{
    const struct wire_row *row = &by_type[a->type];
    const struct set_row *set = set_of(a->type);

    if (set) {
        encode_set(p, set, a);
        return;
    }
    if (a->type == OF_A_SET_FIELD) {
        memset(p, 0, size);
        of_store32(p, SET_FIELD << 16 | size);
        memcpy(p + 4, a->raw, a->raw_size);
        return;
    }
    if (!row->size) { /* EXPERIMENTER, OTHER */
        memcpy(p, a->raw, size);
        return;
    }
    of_store16(p, row->wire);
    of_store16(p + 2, (uint16_t)size);
    of_store32(p + 4, 0);
    switch (row->argument) {
    case NUMBER32:
        of_store32(p + 4, a->group);
        break;
    case NUMBER16:
        of_store16(p + 4,
                   (uint16_t)(a->type == OF_A_PUSH_VLAN && !a->value ? ETHERTYPE_VLAN : a->value));
        break;
    case NUMBER8:
        p[4] = (uint8_t)a->value;
        break;
    default:
        break;
    }
}

uint8_t *
of_actions_encode(uint8_t *p, const struct of_action *actions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct of_action *a = &actions[i];
        uint32_t size;

        if (a->type == OF_A_OUTPUT) {
            of_output_encode(p, a);
            p += 16;
            continue;
        }
        size = wire_size(a);
        encode(p, a, size);
        p += size;
    }
    return p;
}

/* ---- printing ------------------------------------------------------------------------- */

static void
print_action(struct of_printer *printer, const struct of_action *action, const uint8_t *p,
             uint32_t size)
{
    const struct action_row *row = row_of(of_get16(p));

    if (!row) {
        of_say(printer, "action(%u)=", action->value);
        of_say_hex(printer, p + OF_ACTION_HEADER, size - OF_ACTION_HEADER);
        return;
    }
    switch (row->argument) {
    case OUTPUT:
        of_say_port(printer, row->name, action->port);
        if (action->port == OFPP_CONTROLLER)
            of_say(printer, ":%u", action->max_len);
        break;
    case NUMBER32:
        of_say(printer, "%s:%u", row->name, action->group);
        break;
    case NUMBER16:
        of_say(printer, "%s:0x%04x", row->name, action->value);
        break;
    case NUMBER8:
        of_say(printer, "%s:%u", row->name, action->value);
        break;
    case FIELD:
        of_say(printer, "set_field:");
        of_oxm_print(printer, p + 4, size - 4);
        break;
    case EXPERIMENT:
        of_say(printer, "experimenter(0x%x)=", action->value);
        of_say_hex(printer, p + 8, size - 8);
        break;
    default:
        of_say(printer, "%s", row->name);
    }
}

int
of_actions_print(struct of_printer *printer, uint8_t version, const uint8_t *p, uint32_t size,
                 const uint8_t **at)
{
    struct of_cursor c = {p, size};
    const char *separator = "";
    struct of_action action;
    int error;

    of_say(printer, " actions=");
    if (!size)
        of_say(printer, "drop");
    while (*at = c.p, (error = of_next_action_v(version, &c, &action)) > 0) {
        of_say(printer, "%s", separator);
        if (version == OF10)
            of_action10_print(printer, &action);
        else
            print_action(printer, &action, *at, (uint32_t)(c.p - *at));
        separator = ",";
    }
    return error;
}
