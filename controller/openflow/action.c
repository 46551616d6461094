/* SPDX-License-Identifier: Apache-2.0
 *
 * action.c - actions and instructions: reading, writing, printing.
 * Neighbours: decode.c, encode.c, oxm.c (the field of a set-field). Any thread.
 * OpenFlow 1.3.5 sections 7.2.4 (instructions) and 7.2.5 (actions).
 */
#include "codec.h"

enum wire_action { /* section 7.2.5 */
                   OFPAT_OUTPUT = 0,
                   OFPAT_COPY_TTL_OUT = 11,
                   OFPAT_COPY_TTL_IN = 12,
                   OFPAT_SET_MPLS_TTL = 15,
                   OFPAT_DEC_MPLS_TTL = 16,
                   OFPAT_PUSH_VLAN = 17,
                   OFPAT_POP_VLAN = 18,
                   OFPAT_PUSH_MPLS = 19,
                   OFPAT_POP_MPLS = 20,
                   OFPAT_SET_QUEUE = 21,
                   OFPAT_GROUP = 22,
                   OFPAT_SET_NW_TTL = 23,
                   OFPAT_DEC_NW_TTL = 24,
                   OFPAT_SET_FIELD = 25,
                   OFPAT_PUSH_PBB = 26,
                   OFPAT_POP_PBB = 27,
                   OFPAT_EXPERIMENTER = 0xffff,
};

struct action_row {
    const char *name;
    uint8_t size;    /* smallest size */
    bool fixed;      /* no other size */
    uint8_t to_type; /* enum of_action_type */
};

static const struct action_row rows[] = {
    [OFPAT_OUTPUT] = {"output", 16, true, OF_A_OUTPUT},
    [OFPAT_COPY_TTL_OUT] = {"copy_ttl_out", 8, true, OF_A_OTHER},
    [OFPAT_COPY_TTL_IN] = {"copy_ttl_in", 8, true, OF_A_OTHER},
    [OFPAT_SET_MPLS_TTL] = {"set_mpls_ttl", 8, true, OF_A_OTHER},
    [OFPAT_DEC_MPLS_TTL] = {"dec_mpls_ttl", 8, true, OF_A_OTHER},
    [OFPAT_PUSH_VLAN] = {"push_vlan", 8, true, OF_A_PUSH_VLAN},
    [OFPAT_POP_VLAN] = {"pop_vlan", 8, true, OF_A_POP_VLAN},
    [OFPAT_PUSH_MPLS] = {"push_mpls", 8, true, OF_A_OTHER},
    [OFPAT_POP_MPLS] = {"pop_mpls", 8, true, OF_A_OTHER},
    [OFPAT_SET_QUEUE] = {"set_queue", 8, true, OF_A_SET_QUEUE},
    [OFPAT_GROUP] = {"group", 8, true, OF_A_GROUP},
    [OFPAT_SET_NW_TTL] = {"set_nw_ttl", 8, true, OF_A_OTHER},
    [OFPAT_DEC_NW_TTL] = {"dec_nw_ttl", 8, true, OF_A_OTHER},
    [OFPAT_SET_FIELD] = {"set_field", 16, false, OF_A_OTHER}, /* the field decides */
    [OFPAT_PUSH_PBB] = {"push_pbb", 8, true, OF_A_OTHER},
    [OFPAT_POP_PBB] = {"pop_pbb", 8, true, OF_A_OTHER},
};

#define ACTION_HEADER 4 /* u16 type, u16 length with padding */
#define ETHERTYPE_VLAN 0x8100

/* ---- reading --------------------------------------------------------------------- */

/* The bytes of the next action: 1, 0 at the end, or an error. A step takes at least 8 bytes. */
static int
next_raw(struct of_cursor *c, const uint8_t **ret, uint16_t *ret_size)
{
    uint16_t type, size;

    if (c->left == 0)
        return 0;
    if (c->left < ACTION_HEADER)
        return OF_ESHORT;
    type = of_get16(c->p);
    size = of_get16(c->p + 2);
    if (size < 8 || size % 8 || size > c->left)
        return OF_ELENGTH;
    if (type < sizeof(rows) / sizeof(rows[0]) && rows[type].name &&
        (size < rows[type].size || (rows[type].fixed && size != rows[type].size)))
        return OF_ELENGTH;
    *ret_size = size;
    of_take(c, size, ret);
    return 1;
}

static int
decode_set_field(const uint8_t *p, uint16_t size, struct of_action *ret)
{
    uint32_t oxm = of_get32(p + 4);

    if (of_pad8(8 + (oxm & 0xff)) != size)
        return OF_ELENGTH;
    if (oxm == OF_OXM_ETH_DST || oxm == OF_OXM_ETH_SRC) {
        ret->type = oxm == OF_OXM_ETH_DST ? OF_A_SET_ETH_DST : OF_A_SET_ETH_SRC;
        memcpy(ret->mac, p + 8, 6);
    } else if (oxm == OF_OXM_VLAN_VID) {
        ret->type = OF_A_SET_VLAN_VID;
        ret->vlan_vid = of_get16(p + 8);
    }
    return OF_OK;
}

int
of_next_action(struct of_cursor *actions, struct of_action *ret)
{
    const uint8_t *p;
    uint16_t size, type;
    int error = next_raw(actions, &p, &size);

    if (error <= 0)
        return error;
    memset(ret, 0, sizeof(*ret));
    ret->type = OF_A_OTHER;
    type = of_get16(p);
    if (type < sizeof(rows) / sizeof(rows[0]) && rows[type].name)
        ret->type = rows[type].to_type;
    switch (type) {
    case OFPAT_OUTPUT:
        ret->port = of_get32(p + 4);
        ret->max_len = of_get16(p + 8);
        break;
    case OFPAT_GROUP:
    case OFPAT_SET_QUEUE:
        ret->group = of_get32(p + 4);
        break;
    case OFPAT_PUSH_VLAN:
        if (of_get16(p + 4) != ETHERTYPE_VLAN)
            ret->type = OF_A_OTHER;
        break;
    case OFPAT_SET_FIELD:
        error = decode_set_field(p, size, ret);
        if (error)
            return error;
        break;
    default:
        break;
    }
    return 1;
}

enum instruction { /* section 7.2.4 */
                   OFPIT_GOTO_TABLE = 1,
                   OFPIT_WRITE_METADATA = 2,
                   OFPIT_WRITE_ACTIONS = 3,
                   OFPIT_APPLY_ACTIONS = 4,
                   OFPIT_CLEAR_ACTIONS = 5,
                   OFPIT_METER = 6,
                   OFPIT_EXPERIMENTER = 0xffff,
};

/* The next instruction: 1, 0 at the end, or an error. A step takes at least 8 bytes. */
static int
next_instruction(struct of_cursor *c, uint16_t *ret_type, const uint8_t **ret, uint16_t *ret_size)
{
    uint16_t size;

    if (c->left == 0)
        return 0;
    if (c->left < ACTION_HEADER)
        return OF_ESHORT;
    *ret_type = of_get16(c->p);
    size = of_get16(c->p + 2);
    if (size < 8 || size % 8 || size > c->left)
        return OF_ELENGTH;
    if (*ret_type == OFPIT_WRITE_METADATA && size != 24)
        return OF_ELENGTH;
    *ret_size = size;
    of_take(c, size, ret);
    return 1;
}

int
of_instructions_decode(const uint8_t *p, uint32_t size, const uint8_t **ret_actions,
                       uint16_t *ret_size, bool *ret_other, const uint8_t **at)
{
    struct of_cursor c = {p, size};
    const uint8_t *instruction, *actions = NULL;
    uint16_t type, instruction_size, actions_size = 0;
    bool other = false;
    int error;

    while (*at = c.p, (error = next_instruction(&c, &type, &instruction, &instruction_size)) > 0) {
        if (type == OFPIT_APPLY_ACTIONS && !actions) {
            actions = instruction + 8;
            actions_size = (uint16_t)(instruction_size - 8);
        } else {
            other = true;
        }
    }
    if (error)
        return error;
    *ret_actions = actions;
    *ret_size = actions_size;
    *ret_other = other;
    return OF_OK;
}

/* ---- writing ------------------------------------------------------------------------ */

static uint32_t
wire_size(enum of_action_type type)
{
    switch (type) {
    case OF_A_OUTPUT:
    case OF_A_SET_ETH_DST:
    case OF_A_SET_ETH_SRC:
    case OF_A_SET_VLAN_VID:
        return 16;
    case OF_A_GROUP:
    case OF_A_SET_QUEUE:
    case OF_A_PUSH_VLAN:
    case OF_A_POP_VLAN:
        return 8;
    case OF_A_OTHER:
        break;
    }
    return 0;
}

uint32_t
of_actions_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad)
{
    uint32_t size = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t one = wire_size(actions[i].type);

        if (!one || size + one > OF_MESSAGE_MAX) {
            *ret_bad = true;
            return 0;
        }
        size += one;
    }
    return size;
}

static void
encode_set_field(uint8_t *p, uint32_t oxm)
{
    of_store16(p, OFPAT_SET_FIELD);
    of_store16(p + 2, 16);
    of_store32(p + 4, oxm);
    of_store64(p + 8, 0);
}

static void
encode_short(uint8_t *p, uint16_t type, uint32_t argument)
{
    of_store16(p, type);
    of_store16(p + 2, 8);
    of_store32(p + 4, argument);
}

uint8_t *
of_actions_encode(uint8_t *p, const struct of_action *actions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct of_action *a = &actions[i];

        switch (a->type) {
        case OF_A_OUTPUT:
            of_store32(p, OFPAT_OUTPUT << 16 | 16);
            of_store32(p + 4, a->port);
            of_store64(p + 8, (uint64_t)a->max_len << 48);
            break;
        case OF_A_GROUP:
            encode_short(p, OFPAT_GROUP, a->group);
            break;
        case OF_A_SET_QUEUE:
            encode_short(p, OFPAT_SET_QUEUE, a->group);
            break;
        case OF_A_SET_ETH_DST:
            encode_set_field(p, OF_OXM_ETH_DST);
            memcpy(p + 8, a->mac, 6);
            break;
        case OF_A_SET_ETH_SRC:
            encode_set_field(p, OF_OXM_ETH_SRC);
            memcpy(p + 8, a->mac, 6);
            break;
        case OF_A_SET_VLAN_VID:
            encode_set_field(p, OF_OXM_VLAN_VID);
            of_store16(p + 8, a->vlan_vid | OFPVID_PRESENT);
            break;
        case OF_A_PUSH_VLAN:
            encode_short(p, OFPAT_PUSH_VLAN, (uint32_t)ETHERTYPE_VLAN << 16);
            break;
        case OF_A_POP_VLAN:
            encode_short(p, OFPAT_POP_VLAN, 0);
            break;
        case OF_A_OTHER: /* of_actions_wire_size() refused it */
            break;
        }
        p += wire_size(a->type);
    }
    return p;
}

/* ---- printing ------------------------------------------------------------------------- */

static void
print_action(struct of_printer *printer, const uint8_t *p, uint16_t size)
{
    uint16_t type = of_get16(p);
    const char *name =
        type < sizeof(rows) / sizeof(rows[0]) && rows[type].name ? rows[type].name : "action";

    switch (type) {
    case OFPAT_OUTPUT:
        of_say_port(printer, "output", of_get32(p + 4));
        if (of_get32(p + 4) == OFPP_CONTROLLER)
            of_say(printer, ":%u", of_get16(p + 8));
        break;
    case OFPAT_GROUP:
    case OFPAT_SET_QUEUE:
        of_say(printer, "%s:%u", name, of_get32(p + 4));
        break;
    case OFPAT_PUSH_VLAN:
    case OFPAT_PUSH_MPLS:
    case OFPAT_POP_MPLS:
    case OFPAT_PUSH_PBB:
        of_say(printer, "%s:0x%04x", name, of_get16(p + 4));
        break;
    case OFPAT_SET_MPLS_TTL:
    case OFPAT_SET_NW_TTL:
        of_say(printer, "%s:%u", name, p[4]);
        break;
    case OFPAT_SET_FIELD:
        of_say(printer, "set_field:");
        of_oxm_print(printer, p + 4, (uint32_t)size - 4);
        break;
    default:
        if (strcmp(name, "action") == 0)
            of_say(printer, "action(%u)", type);
        else
            of_say(printer, "%s", name);
    }
}

int
of_actions_print(struct of_printer *printer, const uint8_t *p, uint32_t size, const uint8_t **at)
{
    struct of_cursor c = {p, size};
    const char *separator = "";
    uint16_t one;
    int error;

    of_say(printer, " actions=");
    if (!size)
        of_say(printer, "drop");
    while (*at = c.p, (error = next_raw(&c, &p, &one)) > 0) {
        of_say(printer, "%s", separator);
        print_action(printer, p, one);
        separator = ",";
    }
    return error;
}

int
of_instructions_print(struct of_printer *printer, const uint8_t *p, uint32_t size,
                      const uint8_t **at)
{
    struct of_cursor c = {p, size};
    uint16_t type, one;
    int error;

    if (!size)
        of_say(printer, " actions=drop");
    while (*at = c.p, (error = next_instruction(&c, &type, &p, &one)) > 0) {
        switch (type) {
        case OFPIT_GOTO_TABLE:
            of_say(printer, " goto_table:%u", p[4]);
            break;
        case OFPIT_WRITE_METADATA:
            of_say(printer, " write_metadata:0x%lx/0x%lx", (unsigned long)of_get64(p + 8),
                   (unsigned long)of_get64(p + 16));
            break;
        case OFPIT_WRITE_ACTIONS:
        case OFPIT_APPLY_ACTIONS:
            if (type == OFPIT_WRITE_ACTIONS)
                of_say(printer, " write");
            error = of_actions_print(printer, p + 8, one - 8u, at);
            if (error)
                return error;
            break;
        case OFPIT_CLEAR_ACTIONS:
            of_say(printer, " clear_actions");
            break;
        case OFPIT_METER:
            of_say(printer, " meter:%u", of_get32(p + 4));
            break;
        default:
            of_say(printer, " instruction(%u)", type);
        }
    }
    return error;
}
