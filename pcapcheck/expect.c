/* SPDX-License-Identifier: Apache-2.0
 *
 * expect.c - what should happen, from a file: JSON lines as `statebus dump TABLE --json` prints
 * them, rows of tables port, link, switch, flow and decision in any order.
 *
 * The table of a line follows from its columns (or from "table", if given). Columns may be left
 * out: a flow needs dpid and output, and its match is what is there when `fields` is not; without
 * t_barrier it counts as installed from the beginning. Start-up only; one thread.
 */
#include "pcapcheck.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <trivet/statebus.h>

static const struct { /* what a hand-written line must have */
    enum sb_table_id table;
    const char *need[4];
} tables[] = {
    {SB_T_flow, {"dpid", "output", "priority"}},
    {SB_T_port, {"dpid", "port", "name"}},
    {SB_T_link, {"dpid_a", "port_a", "dpid_b", "port_b"}},
    {SB_T_decision, {"t", "dpid", "kind"}},
    {SB_T_switch, {"dpid"}},
};

static const struct sb_column *
column_of(const struct sb_table_info *info, const char *name)
{
    for (unsigned i = 0; i < info->n_columns; i++)
        if (strcmp(info->columns[i].name, name) == 0)
            return &info->columns[i];
    return NULL;
}

/* The table all of whose needed columns are there, and which has all columns that are there. */
static int
table_of(json_t *object)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct sb_table_info *info = sb_table_info(tables[i].table);
        const char *name = json_string_value(json_object_get(object, "table"));
        const char *key;
        json_t *value;
        bool fits = true;

        /* "table" is also a column of flow, a number there */
        if (name && strcmp(name, info->name) != 0)
            continue;
        for (unsigned k = 0; k < 4 && tables[i].need[k]; k++)
            fits = fits && json_object_get(object, tables[i].need[k]);
        json_object_foreach(object, key, value)
        {
            if (json_is_string(value) && strcmp(key, "table") == 0)
                continue;
            fits = fits && column_of(info, key);
        }
        if (fits)
            return (int)tables[i].table;
    }
    return -1;
}

static void
put_number(void *row, const struct sb_column *c, uint64_t v)
{
    switch (c->size) {
    case 1:
        ((uint8_t *)row)[c->offset] = (uint8_t)v;
        break;
    case 2:
        memcpy((char *)row + c->offset, &(uint16_t){(uint16_t)v}, 2);
        break;
    case 4:
        memcpy((char *)row + c->offset, &(uint32_t){(uint32_t)v}, 4);
        break;
    case 8:
        memcpy((char *)row + c->offset, &v, 8);
        break;
    }
}

static bool
put_text(void *row, const struct sb_column *c, const char *text)
{
    uint8_t *at = (uint8_t *)row + c->offset;
    unsigned mac[6];
    char *end;

    switch (c->format) {
    case SB_HEX16:
    case SB_HEX8:
        errno = 0;
        put_number(row, c, strtoull(text, &end, 16));
        return *text && !*end && !errno;
    case SB_MAC:
        if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                   &mac[5]) != 6)
            return false;
        for (unsigned i = 0; i < 6; i++)
            at[i] = (uint8_t)mac[i];
        return true;
    case SB_IP:
        if (!*text)
            return true;
        if (inet_pton(AF_INET6, text, at) == 1)
            return true;
        memset(at, 0, 10);
        at[10] = at[11] = 0xff;
        return inet_pton(AF_INET, text, at + 12) == 1;
    case SB_TEXT:
        if (strlen(text) > c->size)
            return false;
        memcpy(at, text, strlen(text));
        return true;
    case SB_ENUM_FORMAT:
        for (const struct sb_enum_value *v = c->values; v->text; v++)
            if (strcmp(v->text, text) == 0) {
                put_number(row, c, v->number);
                return true;
            }
        return false;
    default:
        return false;
    }
}

static bool
put_value(void *row, const struct sb_column *c, const json_t *value)
{
    if (json_is_string(value))
        return put_text(row, c, json_string_value(value));
    if (json_is_boolean(value))
        put_number(row, c, (uint64_t)json_is_true(value));
    else if (json_is_integer(value))
        put_number(row, c, (uint64_t)json_integer_value(value));
    else
        return false;
    return true;
}

/* What a hand-written flow leaves to us. */
static void
complete_flow(struct sb_flow *f, const json_t *object)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } match[] = {
        {"in_port", SB_MATCH_IN_PORT}, {"eth_src", SB_MATCH_ETH_SRC},
        {"eth_dst", SB_MATCH_ETH_DST}, {"eth_type", SB_MATCH_ETH_TYPE},
        {"vlan", SB_MATCH_VLAN},       {"ip_src", SB_MATCH_IP_SRC},
        {"ip_dst", SB_MATCH_IP_DST},   {"ip_proto", SB_MATCH_IP_PROTO},
        {"l4_src", SB_MATCH_L4_SRC},   {"l4_dst", SB_MATCH_L4_DST},
    };

    if (!json_object_get(object, "fields"))
        for (size_t i = 0; i < sizeof match / sizeof match[0]; i++)
            if (json_object_get(object, match[i].name))
                f->fields |= match[i].bit;
    if (!json_object_get(object, "t_barrier")) {
        f->barrier_ns = 1;
        f->state = SB_flow_state_INSTALLED;
    }
}

static int
load_line(struct pc_net *net, const char *line, char *message, size_t size)
{
    _Alignas(8) uint8_t row[512] = {0};
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error), *value;
    const struct sb_table_info *info;
    const char *key;
    int table, result = -1;

    if (!json_is_object(object)) {
        snprintf(message, size, "column %d: %.100s", object ? 1 : error.column,
                 object ? "not an object" : error.text);
        goto out;
    }
    table = table_of(object);
    if (table < 0) {
        snprintf(message, size, "not a row of table flow, port, link, switch or decision");
        goto out;
    }
    info = sb_table_info((enum sb_table_id)table);
    if (info->row_size > sizeof row) {
        snprintf(message, size, "rows of table %s are too long", info->name);
        goto out;
    }
    json_object_foreach(object, key, value)
    {
        const struct sb_column *c = column_of(info, key);

        if (json_is_string(value) && strcmp(key, "table") == 0)
            continue;
        if (!c || !put_value(row, c, value)) {
            snprintf(message, size, "%.40s: not a value of this column", key);
            goto out;
        }
    }
    if (table == SB_T_flow)
        complete_flow((struct sb_flow *)(void *)row, object);
    if (table == SB_T_port && !json_object_get(object, "up"))
        ((struct sb_port *)(void *)row)->up = 1;
    if (table == SB_T_link && !json_object_get(object, "state"))
        ((struct sb_link *)(void *)row)->state = SB_link_state_UP;
    pc_net_change(net, (enum sb_table_id)table, row, NULL, 0);
    result = 0;
out:
    json_decref(object);
    return result;
}

int
pc_expect_load(struct pc_net *net, const char *path, char *message)
{
    FILE *f = fopen(path, "re");
    char *line = NULL, what[160];
    size_t size = 0;
    unsigned number = 0;
    int result = 0;

    if (!f) {
        snprintf(message, 256, "%.150s: %s", path, strerror(errno));
        return -1;
    }
    while (!result && getline(&line, &size, f) > 0) {
        number++;
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        result = load_line(net, line, what, sizeof what);
        if (result)
            snprintf(message, 256, "%.80s:%u: %.150s", path, number, what);
    }
    free(line);
    fclose(f);
    return result;
}
