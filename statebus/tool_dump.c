/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_dump.c - statebus dump TABLE: its rows over all owners, sorted by key, rings by time. Rows
 * that their owner took over from an earlier incarnation and has not confirmed are marked.
 *
 * Neighbours: tool.h, tool_text.c, trivet/statebus.h (reader). Threads: main.
 */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trivet/log.h>

struct row {
    const char *owner; /* borrowed from the list of owners */
    void *bytes;       /* owned */
    bool restored;     /* of an earlier incarnation, not confirmed yet */
};

struct rows {
    enum sb_table_id id;
    struct row *rows; /* owned */
    size_t n, room;   /* used, allocated */
    bool owners_differ;
    bool some_restored;
};

static int
compare_column(const struct sb_column *column, const char *a, const char *b)
{
    uint64_t x = 0, y = 0;

    a += column->offset;
    b += column->offset;
    if ((column->format != SB_DEC && column->format != SB_HEX16 && column->format != SB_HEX8) ||
        column->size > sizeof x)
        return memcmp(a, b, column->size);
    memcpy(&x, a, column->size);
    memcpy(&y, b, column->size);
    return (x > y) - (x < y);
}

/* Rings by their first time column; tables by key, then owner. */
static int
compare(const void *a, const void *b, void *arg)
{
    const struct sb_table_info *info = arg;
    const struct row *x = a, *y = b;

    for (unsigned i = 0; i < info->n_columns; i++) {
        const struct sb_column *column = &info->columns[i];
        bool counts = info->kind == SB_RING ? !strcmp(column->unit, "ns") : column->is_key;
        int order = counts ? compare_column(column, x->bytes, y->bytes) : 0;

        if (order)
            return order;
        if (counts && info->kind == SB_RING)
            break;
    }
    return strcmp(x->owner, y->owner);
}

static bool
keep(struct rows *rows, const char *owner, const void *bytes, bool restored)
{
    size_t size = sb_table_info(rows->id)->row_size;

    if (rows->n == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 256;
        struct row *larger = reallocarray(rows->rows, room, sizeof *larger);

        if (!larger)
            return false;
        rows->rows = larger;
        rows->room = room;
    }
    rows->rows[rows->n].owner = owner;
    rows->rows[rows->n].restored = restored;
    rows->some_restored |= restored;
    rows->rows[rows->n].bytes = malloc(size);
    if (!rows->rows[rows->n].bytes)
        return false;
    memcpy(rows->rows[rows->n].bytes, bytes, size);
    if (rows->n && strcmp(rows->rows[0].owner, owner) != 0)
        rows->owners_differ = true;
    rows->n++;
    return true;
}

/* All rows of one owner. 1: it has the table, 0: it has not, -1: failed and logged. */
static int
read_owner(const struct tool *tool, struct rows *rows, const char *owner)
{
    uint64_t words[256] = {0}; /* one row; larger than any of tables.def */
    char message[SB_MESSAGE_MAX];
    struct sb_reader *reader = NULL;
    struct sb_segment_info info;
    uint64_t cursor = 0, skipped = 0;
    int result;

    result = sb_reader_open(&reader, tool->common.instance, owner, message);
    if (result < 0) {
        sb_warning("%s: left out: %s", owner, message);
        return -1;
    }
    if (!sb_reader_has(reader, rows->id)) {
        sb_reader_close(&reader);
        return 0;
    }
    if (sb_reader_info(reader, &info) >= 0 && info.liveness != SB_ALIVE)
        sb_warning("%s is %s: its rows are those of its last moment", owner,
                   sb_liveness_text(info.liveness));
    while ((result = sb_read(reader, rows->id, &cursor, words)) != 0) {
        if (result == SB_EBUSY) {
            skipped++;
            continue;
        }
        if (result < 0) {
            sb_warning("%s: reading stops: %s", owner, sb_strerror(result));
            break;
        }
        if (!keep(rows, owner, words, sb_reader_restored(reader))) {
            sb_error("out of memory after %zu rows", rows->n);
            result = -1;
            break;
        }
    }
    if (skipped)
        sb_warning("%s: %llu rows changed too fast to be read; run it again", owner,
                   (unsigned long long)skipped);
    sb_reader_close(&reader);
    return result < 0 ? -1 : 1;
}

static void
print_json(const struct rows *rows)
{
    bool ring = sb_table_info(rows->id)->kind == SB_RING;

    for (size_t i = 0; i < rows->n; i++) {
        static const char *const marks[] = {",\"restored\":false}", ",\"restored\":true}"};
        char text[4096];
        int len = sb_row_json(rows->id, rows->rows[i].bytes, text, sizeof text);

        if (len < 0)
            continue;
        if (!ring) /* in the place of the last brace */
            text[len - 1] = 0;
        printf("{\"owner\":\"%s\",%s%s\n", rows->rows[i].owner, text + 1,
               ring ? "" : marks[rows->rows[i].restored]);
    }
}

static bool
print_text(const struct rows *rows, bool wide)
{
    struct text_column columns[SB_COLUMNS_MAX];
    unsigned n = text_columns(rows->id, wide, columns);
    struct grid *grid = grid_new(n + rows->owners_differ + rows->some_restored);
    bool ok = grid;

    if (ok && rows->owners_differ)
        ok = grid_add(grid, "owner", false);
    for (unsigned i = 0; ok && i < n; i++) {
        ok = grid_add(grid, columns[i].heading, columns[i].column->format == SB_DEC);
        if (columns[i].first)
            grid_first(grid, i + rows->owners_differ);
    }
    if (ok && rows->some_restored)
        ok = grid_add(grid, "restored", false);
    for (size_t row = 0; ok && row < rows->n; row++) {
        if (rows->owners_differ)
            ok = grid_add(grid, rows->rows[row].owner, false);
        for (unsigned i = 0; ok && i < n; i++) {
            char text[CELL_MAX];

            cell_text(rows->id, columns[i].column, rows->rows[row].bytes, text);
            ok = grid_add(grid, text, columns[i].column->format == SB_DEC);
        }
        if (ok && rows->some_restored)
            ok = grid_add(grid, rows->rows[row].restored ? "yes" : "", false);
    }
    if (ok)
        grid_print(grid, wide ? 0 : text_width());
    else
        sb_error("out of memory");
    grid_free(&grid);
    return ok;
}

int
tool_dump(const struct tool *tool)
{
    int id = sb_table_by_name(tool->arguments[0]), holders = 0, failed = 0;
    struct rows rows = {0};
    struct owners owners;
    bool ok = true;

    if (!owners_find(tool, &owners))
        return EXIT_FAILED;
    rows.id = (enum sb_table_id)id;
    for (unsigned i = 0; i < owners.n; i++) {
        int result = read_owner(tool, &rows, owners.names[i]);

        holders += result > 0;
        failed += result < 0;
    }
    if (rows.n)
        qsort_r(rows.rows, rows.n, sizeof *rows.rows, compare, (void *)sb_table_info(rows.id));
    if (!holders && !failed)
        sb_error("no owner holds the table %s; `%s` would: see statebus ls", tool->arguments[0],
                 sb_table_info(rows.id)->owner);
    if (tool->json)
        print_json(&rows);
    else if (rows.n)
        ok = print_text(&rows, tool->wide);
    else if (holders)
        fprintf(stderr, "%s: no rows\n", tool->arguments[0]);
    for (size_t i = 0; i < rows.n; i++)
        free(rows.rows[i].bytes);
    free(rows.rows);
    return ok && holders ? EXIT_OK : EXIT_FAILED;
}
