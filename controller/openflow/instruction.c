/* SPDX-License-Identifier: Apache-2.0
 *
 * instruction.c - instructions of OpenFlow 1.3: reading, writing, printing.
 * Neighbours: action.c (what most of them hold), flow.c. Any thread.
 * OpenFlow 1.3.5 section 7.2.4.
 *
 *  +-------------------------------+-------------------------------+
 *  |             type              |       length (of 8)           |
 *  +-------------------------------+-------------------------------+
 *  |  argument ...                                                 |
 *  +---------------------------------------------------------------+
 */
#include "codec.h"

#include <trivet/openflow_oxm.h>

struct instruction_row {
    const char *name;
    uint8_t size; /* smallest */
    bool fixed;   /* no other size */
};

static const struct instruction_row rows[] = {
    [OFPIT_GOTO_TABLE] = {"goto_table", 8, true},
    [OFPIT_WRITE_METADATA] = {"write_metadata", 24, true},
    [OFPIT_WRITE_ACTIONS] = {"write_actions", 8, false},
    [OFPIT_APPLY_ACTIONS] = {"apply_actions", 8, false},
    [OFPIT_CLEAR_ACTIONS] = {"clear_actions", 8, true},
    [OFPIT_METER] = {"meter", 8, true},
};
#define HEADER 8 /* of a list of actions, and the smallest instruction */

const char *
of_instruction_name(uint16_t type)
{
    if (type == OFPIT_EXPERIMENTER)
        return "experimenter";
    return type < OF_LEN(rows) ? rows[type].name : NULL;
}

/* ---- reading --------------------------------------------------------------------- */

/* A step takes at least 8 bytes. */
int
of_next_instruction(struct of_cursor *instructions, struct of_instruction *ret)
{
    const uint8_t *p;
    uint16_t type, size;
    int error;

    if (instructions->left >= OF_ACTION_HEADER) {
        type = of_get16(instructions->p);
        size = of_get16(instructions->p + 2);
        if (type < OF_LEN(rows) && rows[type].name &&
            (size < rows[type].size || (rows[type].fixed && size != rows[type].size)))
            return OF_ELENGTH;
    }
    error = of_next_raw(instructions, &p, &size);
    if (error <= 0)
        return error;
    memset(ret, 0, sizeof(*ret));
    ret->type = of_get16(p);
    switch (ret->type) {
    case OFPIT_GOTO_TABLE:
        ret->table_id = p[4];
        break;
    case OFPIT_WRITE_METADATA:
        ret->metadata = of_get64(p + 8);
        ret->metadata_mask = of_get64(p + 16);
        break;
    case OFPIT_WRITE_ACTIONS:
    case OFPIT_APPLY_ACTIONS:
        ret->actions = of_rest(p + HEADER, size - HEADER);
        break;
    case OFPIT_CLEAR_ACTIONS:
        break;
    case OFPIT_METER:
        ret->meter = of_get32(p + 4);
        break;
    case OFPIT_EXPERIMENTER:
        ret->experimenter = of_get32(p + 4);
        ret->data = of_rest(p + 8, size - 8u);
        break;
    default:
        ret->data = of_rest(p + 4, size - 4u);
    }
    return 1;
}

int
of_instructions_decode(const uint8_t *p, uint32_t size, const uint8_t **ret_actions,
                       uint16_t *ret_size, bool *ret_other, const uint8_t **at)
{
    struct of_cursor c = {p, size}, actions = {NULL, 0};
    struct of_instruction instruction;
    bool other = false;
    int error;

    while (*at = c.p, (error = of_next_instruction(&c, &instruction)) > 0) {
        if (instruction.type == OFPIT_APPLY_ACTIONS && !actions.p)
            actions = instruction.actions;
        else
            other = true;
    }
    if (error)
        return error;
    *ret_actions = actions.p;
    *ret_size = (uint16_t)actions.left;
    *ret_other = other;
    return OF_OK;
}

/* ---- writing ------------------------------------------------------------------------ */

void
of_add_instruction(struct of_buffer *list, const struct of_instruction *instruction)
{
    const struct of_cursor *body =
        instruction->actions.left ? &instruction->actions : &instruction->data;
    uint32_t fixed = instruction->type == OFPIT_WRITE_METADATA ? 24 : HEADER, size;
    uint8_t *p;

    if (instruction->type < OF_LEN(rows) && !rows[instruction->type].name) {
        of_refuse(list);
        return;
    }
    if (!of_instruction_name(instruction->type))
        fixed = OF_ACTION_HEADER;
    size = fixed + body->left;
    if (body->left > OF_MESSAGE_MAX || size > OF_MESSAGE_MAX || size % 8) {
        of_refuse(list);
        return;
    }
    p = of_grow(list, size);
    if (!p)
        return;
    of_store16(p, instruction->type);
    of_store16(p + 2, (uint16_t)size);
    memset(p + 4, 0, fixed - 4);
    of_copy(p + fixed, body->p, body->left);
    switch (instruction->type) {
    case OFPIT_GOTO_TABLE:
        p[4] = instruction->table_id;
        break;
    case OFPIT_WRITE_METADATA:
        of_store64(p + 8, instruction->metadata);
        of_store64(p + 16, instruction->metadata_mask);
        break;
    case OFPIT_METER:
        of_store32(p + 4, instruction->meter);
        break;
    case OFPIT_EXPERIMENTER:
        of_store32(p + 4, instruction->experimenter);
        break;
    default:
        break;
    }
}

void
of_add_actions(struct of_buffer *list, uint8_t version, const struct of_action *actions, unsigned n)
{
    bool bad = version != OF13 && version != OF10;
    uint32_t size = version == OF10 ? of_actions10_wire_size(actions, n, &bad)
                                    : of_actions_wire_size(actions, n, &bad);
    uint8_t *p = bad ? NULL : of_grow(list, size);

    if (bad)
        of_refuse(list);
    if (!p)
        return;
    if (version == OF10)
        of_actions10_encode(p, actions, n);
    else
        of_actions_encode(p, actions, n);
}

/* ---- printing ------------------------------------------------------------------------- */

int
of_instructions_print(struct of_printer *printer, const uint8_t *p, uint32_t size,
                      const uint8_t **at)
{
    struct of_cursor c = {p, size};
    struct of_instruction i;
    int error;

    if (!size)
        of_say(printer, " actions=drop");
    while (*at = c.p, (error = of_next_instruction(&c, &i)) > 0) {
        switch (i.type) {
        case OFPIT_GOTO_TABLE:
            of_say(printer, " goto_table:%u", i.table_id);
            break;
        case OFPIT_WRITE_METADATA:
            of_say(printer, " write_metadata:0x%lx", (unsigned long)i.metadata);
            if (i.metadata_mask != UINT64_MAX)
                of_say(printer, "/0x%lx", (unsigned long)i.metadata_mask);
            break;
        case OFPIT_WRITE_ACTIONS:
        case OFPIT_APPLY_ACTIONS:
            if (i.type == OFPIT_WRITE_ACTIONS)
                of_say(printer, " write");
            error = of_actions_print(printer, OF13, i.actions.p, i.actions.left, at);
            if (error)
                return error;
            break;
        case OFPIT_CLEAR_ACTIONS:
            of_say(printer, " clear_actions");
            break;
        case OFPIT_METER:
            of_say(printer, " meter:%u", i.meter);
            break;
        case OFPIT_EXPERIMENTER:
            of_say(printer, " experimenter(0x%x)=", i.experimenter);
            of_say_hex(printer, i.data.p, i.data.left);
            break;
        default:
            of_say(printer, " instruction(%u)=", i.type);
            of_say_hex(printer, i.data.p, i.data.left);
        }
    }
    return error;
}
