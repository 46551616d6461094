/* SPDX-License-Identifier: Apache-2.0
 *
 * action10.c - actions of OpenFlow 1.0, read into the types of 1.3 where they mean the same.
 * Neighbours: action.c (the types and lists), flow.c, packet.c. Any thread.
 * of_actions10_encode() is hot. OpenFlow 1.0.0 section 5.2.4.
 */
#include "codec.h"

enum argument { /* how the bytes behind the header are read and written */
                NONE,
                OUTPUT,  /* u16 port, u16 max_len */
                VLAN,    /* u16, in .vlan_vid */
                NUMBER8, /* u8, in .value */
                TOS,     /* u8, its upper 6 bits in .value */
                MAC,
                NUMBER32,   /* u32, in .value */
                NUMBER16,   /* u16, in .value */
                ENQUEUE,    /* u16 port, 6 bytes of padding, u32 queue */
                EXPERIMENT, /* u32 vendor, anything */
};

struct action_row {
    const char *name;
    uint8_t size; /* the only one; of a vendor's the smallest */
    uint8_t argument;
    uint8_t type; /* enum of_action_type */
};

static const struct action_row rows[] = {
    /* index: number on the wire */
    [0] = {"output", 8, OUTPUT, OF_A_OUTPUT},
    [1] = {"mod_vlan_vid", 8, VLAN, OF_A_SET_VLAN_VID},
    [2] = {"mod_vlan_pcp", 8, NUMBER8, OF_A_SET_VLAN_PCP},
    [3] = {"strip_vlan", 8, NONE, OF_A_POP_VLAN},
    [4] = {"mod_dl_src", 16, MAC, OF_A_SET_ETH_SRC},
    [5] = {"mod_dl_dst", 16, MAC, OF_A_SET_ETH_DST},
    [6] = {"mod_nw_src", 8, NUMBER32, OF_A_SET_IPV4_SRC},
    [7] = {"mod_nw_dst", 8, NUMBER32, OF_A_SET_IPV4_DST},
    [8] = {"mod_nw_tos", 8, TOS, OF_A_SET_IP_DSCP},
    [9] = {"mod_tp_src", 8, NUMBER16, OF_A_SET_L4_SRC},
    [10] = {"mod_tp_dst", 8, NUMBER16, OF_A_SET_L4_DST},
    [11] = {"enqueue", 16, ENQUEUE, OF_A_ENQUEUE},
};

static const struct action_row vendor_row = {"vendor", 8, EXPERIMENT, OF_A_EXPERIMENTER};
#define VENDOR 0xffff

static const struct action_row *
row_of(uint16_t wire)
{
    if (wire < OF_LEN(rows))
        return &rows[wire];
    return wire == VENDOR ? &vendor_row : NULL;
}

/* The row that writes a type, NULL when 1.0 has none. */
static const struct action_row *
row_of_type(enum of_action_type type)
{
    for (unsigned i = 0; i < OF_LEN(rows); i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

int
of_next_action10(struct of_cursor *actions, struct of_action *ret)
{
    const struct action_row *row;
    const uint8_t *p;
    uint16_t size;
    int error = of_next_raw(actions, &p, &size);

    if (error <= 0)
        return error;
    row = row_of(of_get16(p));
    if (row && row->argument != EXPERIMENT && size != row->size)
        return OF_ELENGTH;
    memset(ret, 0, sizeof(*ret));
    if (!row) {
        ret->type = OF_A_OTHER;
        ret->value = of_get16(p);
        ret->raw = p;
        ret->raw_size = size;
        return 1;
    }
    ret->type = row->type;
    switch (row->argument) {
    case OUTPUT:
        ret->port = of_port_from10(of_get16(p + 4));
        ret->max_len = of_get16(p + 6);
        break;
    case VLAN:
        ret->vlan_vid = (of_get16(p + 4) & 0xfff) | OFPVID_PRESENT;
        break;
    case NUMBER8:
        ret->value = p[4];
        break;
    case TOS:
        ret->value = p[4] >> 2;
        break;
    case MAC:
        memcpy(ret->mac, p + 4, 6);
        break;
    case NUMBER32:
        ret->value = of_get32(p + 4);
        break;
    case NUMBER16:
        ret->value = of_get16(p + 4);
        break;
    case ENQUEUE:
        ret->port = of_port_from10(of_get16(p + 4));
        ret->group = of_get32(p + 12);
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

static uint32_t
wire_size(const struct of_action *action)
{
    const struct action_row *row;
    uint16_t port;

    if (action->type == OF_A_OUTPUT) /* hot */
        return of_port_to10(action->port, &port) ? 8 : 0;
    if (action->type == OF_A_EXPERIMENTER || action->type == OF_A_OTHER)
        return of_raw_action_size(action);
    row = row_of_type(action->type);
    if (!row)
        return 0;
    if (row->argument == ENQUEUE && !of_port_to10(action->port, &port))
        return 0;
    return row->size;
}

uint32_t
of_actions10_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad)
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
encode(uint8_t *p, const struct action_row *row, const struct of_action *a)
{
    of_store32(p, (uint32_t)(row - rows) << 16 | row->size);
    memset(p + 4, 0, row->size - 4u);
    switch (row->argument) {
    case VLAN:
        of_store16(p + 4, a->vlan_vid & 0xfff);
        break;
    case NUMBER8:
        p[4] = (uint8_t)a->value;
        break;
    case TOS:
        p[4] = (uint8_t)(a->value << 2);
        break;
    case MAC:
        memcpy(p + 4, a->mac, 6);
        break;
    case NUMBER32:
        of_store32(p + 4, a->value);
        break;
    case NUMBER16:
        of_store16(p + 4, (uint16_t)a->value);
        break;
    case ENQUEUE:
        of_store16(p + 4, (uint16_t)a->port);
        of_store32(p + 12, a->group);
        break;
    default:
        break;
    }
}

uint8_t *
of_actions10_encode(uint8_t *p, const struct of_action *actions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct of_action *a = &actions[i];
        const struct action_row *row;

        if (a->type == OF_A_OUTPUT) {
            of_store32(p, 8);
            of_store32(p + 4, a->port << 16 | a->max_len);
            p += 8;
            continue;
        }
        row = row_of_type(a->type);
        if (row) {
            encode(p, row, a);
            p += row->size;
        } else {
            memcpy(p, a->raw, a->raw_size);
            p += a->raw_size;
        }
    }
    return p;
}

/* As ovs-ofctl names them. */
void
of_action10_print(struct of_printer *printer, const struct of_action *a)
{
    const struct action_row *row = row_of_type(a->type);

    if (!row) {
        if (a->type == OF_A_EXPERIMENTER)
            of_say(printer, "vendor(0x%x)=", a->value);
        else
            of_say(printer, "action(%u)=", a->value);
        of_say_hex(printer, a->raw + OF_ACTION_HEADER, (uint32_t)a->raw_size - OF_ACTION_HEADER);
        return;
    }
    switch (row->argument) {
    case OUTPUT:
        of_say_port(printer, row->name, a->port);
        if (a->port == OFPP_CONTROLLER)
            of_say(printer, ":%u", a->max_len);
        break;
    case VLAN:
        of_say(printer, "%s:%u", row->name, a->vlan_vid & 0xfff);
        break;
    case TOS:
        of_say(printer, "%s:%u", row->name, a->value << 2);
        break;
    case MAC:
        of_say(printer, "%s:", row->name);
        of_say_mac(printer, a->mac);
        break;
    case NUMBER32:
        of_say(printer, "%s:%u.%u.%u.%u", row->name, a->value >> 24, a->value >> 16 & 0xff,
               a->value >> 8 & 0xff, a->value & 0xff);
        break;
    case ENQUEUE:
        of_say_port(printer, row->name, a->port);
        of_say(printer, ":%u", a->group);
        break;
    case NONE:
        of_say(printer, "%s", row->name);
        break;
    default:
        of_say(printer, "%s:%u", row->name, a->value);
    }
}
