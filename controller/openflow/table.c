/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - flow tables: TABLE_MOD, their counters, and what they can do (TABLE_FEATURES).
 * Neighbours: multipart.c, action.c, instruction.c, oxm.c (names of what is listed). Any thread.
 * OpenFlow 1.3.5 sections 7.3.3, 7.3.5.4, 7.3.5.5; 1.0.0 section 5.3.5.
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define NAME_SIZE 32

/* ---- TABLE_MOD ---------------------------------------------------------------------------- */

int
of_decode_table_mod(const uint8_t *m, struct of_table_mod *ret, struct of_where *where)
{
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->table_id = m[8];
    ret->config = of_get32(m + 12);
    return OF_OK;
}

void
of_put_table_mod(struct of_buffer *b, uint32_t xid, const struct of_table_mod *mod)
{
    uint8_t *p = of_begin(b, OF13, OFPT13_TABLE_MOD, xid, 16, 0);

    if (p)
        of_store64(p + 8, (uint64_t)mod->table_id << 56 | mod->config);
}

void
of_say_table(struct of_printer *printer, const char *name, uint8_t table_id)
{
    if (table_id == OFPTT_ALL)
        of_say(printer, "%sALL", name);
    else
        of_say(printer, "%s%u", name, table_id);
}

int
of_print_table_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_table_mod mod;
    int error = of_decode_table_mod(m, &mod, where);

    if (error)
        return error;
    of_say_table(printer, " table=", mod.table_id);
    of_say(printer, " config=0x%x", mod.config);
    return OF_OK;
}

/* ---- counters ------------------------------------------------------------------------------- */

#define STATS13_SIZE 24
#define STATS10_SIZE 64

int
of_next_table_stats(uint8_t version, struct of_cursor *body, struct of_table_stats *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, version == OF10 ? STATS10_SIZE : STATS13_SIZE, &p))
        return OF_ESHORT;
    memset(ret, 0, sizeof(*ret));
    ret->table_id = p[0];
    if (version == OF10) {
        of_text(ret->name, p + 4, NAME_SIZE);
        ret->wildcards = of_get32(p + 36);
        ret->max_entries = of_get32(p + 40);
        p += 40;
    }
    ret->active = of_get32(p + 4);
    ret->lookups = of_get64(p + 8);
    ret->matched = of_get64(p + 16);
    return 1;
}

void
of_add_table_stats(struct of_buffer *b, uint8_t version, const struct of_table_stats *stats)
{
    uint8_t *p = of_grow(b, version == OF10 ? STATS10_SIZE : STATS13_SIZE);

    if (!p)
        return;
    of_store32(p, (uint32_t)stats->table_id << 24);
    if (version == OF10) {
        memset(p + 4, 0, NAME_SIZE);
        memcpy(p + 4, stats->name, strnlen(stats->name, NAME_SIZE));
        of_store32(p + 36, stats->wildcards);
        of_store32(p + 40, stats->max_entries);
        p += 40;
    }
    of_store32(p + 4, stats->active);
    of_store64(p + 8, stats->lookups);
    of_store64(p + 16, stats->matched);
}

int
of_print_table_stats(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_table_stats stats;
    int error;

    while ((error = of_next_table_stats(version, body, &stats)) > 0) {
        of_say(printer, " [");
        of_say_table(printer, "table=", stats.table_id);
        if (version == OF10) {
            of_say(printer, " name=");
            of_say_text(printer, stats.name);
            of_say(printer, " wildcards=0x%x max_entries=%u", stats.wildcards, stats.max_entries);
        }
        of_say(printer, " active=%u", stats.active);
        of_say_counter(printer, "lookups", stats.lookups);
        of_say_counter(printer, "matched", stats.matched);
        of_say(printer, "]");
    }
    return error;
}

/* ---- TABLE_FEATURES ---------------------------------------------------------------------------
 */

#define FEATURES_SIZE 64 /* before the properties */
#define PROPERTY_HEADER 4
#define EXPERIMENTER_ID 0xffff /* of an action or instruction */

enum ids { /* what a property lists */
           INSTRUCTIONS,
           TABLES,
           ACTIONS,
           FIELDS,
           OPAQUE
};

struct property_row {
    const char *name;
    uint8_t ids;
};

static const struct property_row rows[] = {
    [OFPTFPT_INSTRUCTIONS] = {"instructions", INSTRUCTIONS},
    [OFPTFPT_INSTRUCTIONS_MISS] = {"instructions_miss", INSTRUCTIONS},
    [OFPTFPT_NEXT_TABLES] = {"next_tables", TABLES},
    [OFPTFPT_NEXT_TABLES_MISS] = {"next_tables_miss", TABLES},
    [OFPTFPT_WRITE_ACTIONS] = {"write_actions", ACTIONS},
    [OFPTFPT_WRITE_ACTIONS_MISS] = {"write_actions_miss", ACTIONS},
    [OFPTFPT_APPLY_ACTIONS] = {"apply_actions", ACTIONS},
    [OFPTFPT_APPLY_ACTIONS_MISS] = {"apply_actions_miss", ACTIONS},
    [OFPTFPT_MATCH] = {"match", FIELDS},
    [OFPTFPT_WILDCARDS] = {"wildcards", FIELDS},
    [OFPTFPT_WRITE_SETFIELD] = {"write_setfield", FIELDS},
    [OFPTFPT_WRITE_SETFIELD_MISS] = {"write_setfield_miss", FIELDS},
    [OFPTFPT_APPLY_SETFIELD] = {"apply_setfield", FIELDS},
    [OFPTFPT_APPLY_SETFIELD_MISS] = {"apply_setfield_miss", FIELDS},
};

static enum ids
ids_of(uint16_t type)
{
    return type < OF_LEN(rows) && rows[type].name ? rows[type].ids : OPAQUE;
}

const char *
of_table_property_name(uint16_t type)
{
    if (type == OFPTFPT_EXPERIMENTER)
        return "experimenter";
    if (type == OFPTFPT_EXPERIMENTER_MISS)
        return "experimenter_miss";
    return type < OF_LEN(rows) ? rows[type].name : NULL;
}

/* Instructions and actions: u16 number, u16 length (4; an experimenter's 8 or more). OXM: u32
 * header, for an experimenter's field u32 more. */
int
of_next_table_id(uint16_t property_type, struct of_cursor *body, uint32_t *ret,
                 uint32_t *ret_experimenter)
{
    enum ids ids = ids_of(property_type);
    uint32_t size = ids == TABLES ? 1 : 4;
    bool experimenter = false;
    const uint8_t *p = body->p;

    if (body->left == 0)
        return 0;
    if (body->left < size)
        return OF_ESHORT;
    if (ids == FIELDS) {
        experimenter = of_get16(p) == OFPXMC_EXPERIMENTER;
        if (experimenter)
            size = 8;
    } else if (ids != TABLES) {
        experimenter = of_get16(p) == EXPERIMENTER_ID;
        size = of_get16(p + 2);
        /* the header of an action is 8 bytes with its padding, which some send too */
        if (experimenter ? size < 8 : size != 4 && size != 8)
            return OF_ELENGTH;
    }
    if (body->left < size)
        return OF_ESHORT;
    of_skip(body, size);
    *ret_experimenter = experimenter ? of_get32(p + 4) : 0;
    *ret = ids == TABLES ? p[0] : ids == FIELDS ? of_get32(p) : of_get16(p);
    return 1;
}

int
of_next_table_property(struct of_cursor *properties, struct of_table_property *ret)
{
    const uint8_t *p = properties->p;
    uint32_t size;

    if (properties->left == 0)
        return 0;
    if (properties->left < PROPERTY_HEADER)
        return OF_ESHORT;
    size = of_get16(p + 2);
    if (size < PROPERTY_HEADER || of_pad8(size) > properties->left)
        return OF_ELENGTH;
    ret->type = of_get16(p);
    ret->body = of_rest(p + PROPERTY_HEADER, size - PROPERTY_HEADER);
    of_skip(properties, of_pad8(size));
    return 1;
}

static int
check_properties(struct of_cursor c)
{
    struct of_table_property property;
    int error;

    while ((error = of_next_table_property(&c, &property)) > 0) {
        uint32_t id, experimenter;

        if (ids_of(property.type) == OPAQUE)
            continue;
        while ((error = of_next_table_id(property.type, &property.body, &id, &experimenter)) > 0)
            ;
        if (error)
            return error;
    }
    return error;
}

int
of_next_table_features(struct of_cursor *body, struct of_table_features *ret)
{
    const uint8_t *p = body->p;
    struct of_cursor properties;
    uint32_t size;
    int error;

    if (body->left == 0)
        return 0;
    if (body->left < FEATURES_SIZE)
        return OF_ESHORT;
    size = of_get16(p);
    if (size < FEATURES_SIZE || size % 8 || size > body->left)
        return OF_ELENGTH;
    properties = of_rest(p + FEATURES_SIZE, size - FEATURES_SIZE);
    error = check_properties(properties);
    if (error)
        return error;
    ret->table_id = p[2];
    of_text(ret->name, p + 8, NAME_SIZE);
    ret->metadata_match = of_get64(p + 40);
    ret->metadata_write = of_get64(p + 48);
    ret->config = of_get32(p + 56);
    ret->max_entries = of_get32(p + 60);
    ret->properties = properties;
    of_skip(body, size);
    return 1;
}

void
of_add_table_features(struct of_buffer *b, const struct of_table_features *features)
{
    size_t size = FEATURES_SIZE + (size_t)features->properties.left;
    uint8_t *p;

    if (size > OF_MESSAGE_MAX || size % 8) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, size);
    if (!p)
        return;
    memset(p, 0, FEATURES_SIZE);
    of_store16(p, (uint16_t)size);
    p[2] = features->table_id;
    memcpy(p + 8, features->name, strnlen(features->name, NAME_SIZE));
    of_store64(p + 40, features->metadata_match);
    of_store64(p + 48, features->metadata_write);
    of_store32(p + 56, features->config);
    of_store32(p + 60, features->max_entries);
    of_copy(p + FEATURES_SIZE, features->properties.p, features->properties.left);
}

void
of_add_table_property(struct of_buffer *list, const struct of_table_property *property)
{
    uint32_t size = PROPERTY_HEADER + property->body.left;
    uint8_t *p;

    if (property->body.left > OF_MESSAGE_MAX) {
        of_refuse(list);
        return;
    }
    p = of_grow(list, of_pad8(size));
    if (!p)
        return;
    memset(p, 0, of_pad8(size));
    of_store16(p, property->type);
    of_store16(p + 2, (uint16_t)size);
    of_copy(p + PROPERTY_HEADER, property->body.p, property->body.left);
}

static void
say_id(struct of_printer *printer, uint16_t type, uint32_t id, uint32_t experimenter)
{
    const char *name;

    if (ids_of(type) == FIELDS) {
        of_say_oxm_name(printer, (uint16_t)(id >> 16), experimenter, (uint8_t)(id >> 9 & 0x7f));
        return;
    }
    name =
        ids_of(type) == ACTIONS ? of_action_name((uint16_t)id) : of_instruction_name((uint16_t)id);
    if (name)
        of_say(printer, "%s", name);
    else
        of_say(printer, "%u", id);
}

/* Next tables are many and in order: runs are said as first-last. */
static void
say_tables(struct of_printer *printer, const struct of_cursor *body)
{
    for (uint32_t i = 0; i < body->left; i++) {
        uint32_t first = i;

        while (i + 1 < body->left && body->p[i + 1] == body->p[i] + 1)
            i++;
        of_say(printer, "%s%u", first ? "," : "", body->p[first]);
        if (i > first)
            of_say(printer, "-%u", body->p[i]);
    }
}

static void
say_property(struct of_printer *printer, struct of_table_property *property)
{
    const char *name = of_table_property_name(property->type), *separator = "";
    uint32_t id, experimenter;

    if (name)
        of_say(printer, " %s=", name);
    else
        of_say(printer, " property(%u)=", property->type);
    if (ids_of(property->type) == OPAQUE) {
        of_say_hex(printer, property->body.p, property->body.left);
        return;
    }
    if (ids_of(property->type) == TABLES) {
        say_tables(printer, &property->body);
        return;
    }
    while (of_next_table_id(property->type, &property->body, &id, &experimenter) > 0) {
        of_say(printer, "%s", separator);
        say_id(printer, property->type, id, experimenter);
        separator = ",";
    }
}

int
of_print_table_features(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_table_features f;
    struct of_table_property property;
    int error;

    (void)version;
    while ((error = of_next_table_features(body, &f)) > 0) {
        of_say(printer, " [");
        of_say_table(printer, "table=", f.table_id);
        of_say(printer, " name=");
        of_say_text(printer, f.name);
        of_say(printer, " metadata_match=0x%lx metadata_write=0x%lx config=0x%x max_entries=%u",
               (unsigned long)f.metadata_match, (unsigned long)f.metadata_write, f.config,
               f.max_entries);
        while (of_next_table_property(&f.properties, &property) > 0)
            say_property(printer, &property);
        of_say(printer, "]");
    }
    return error;
}
