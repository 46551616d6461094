/* SPDX-License-Identifier: Apache-2.0
 *
 * tables_page.c - writes trivet-tables(5) from tables.def, at build time: so the page cannot drift.
 *
 * Neighbours: tables.c (what tables.def says), segment.c (what a table costs). One thread.
 */
#include "segment.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Text of tables.def is not roff: no macro at the start of a line, no escapes. */
static void
text(const char *s)
{
    for (; *s; s++) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '\'' || *s == '.')
            printf("\\&%c", *s);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
    }
}

static uint64_t
memory(enum sb_table_id id)
{
    struct sb_dir dir;

    return sb_geometry(id, sb_table_info(id)->capacity, 1, &dir) < 0 ? 0 : dir.shard_size;
}

static void
column_page(const struct sb_column *column)
{
    static const char *const formats[] = {[SB_DEC] = "number",         [SB_HEX16] = "16 hex digits",
                                          [SB_HEX8] = "8 hex digits",  [SB_MAC] = "MAC",
                                          [SB_IP] = "IP address",      [SB_TEXT] = "text",
                                          [SB_BOOL] = "true or false", [SB_ENUM_FORMAT] = "one of"};

    printf(".It Va %s%s\n%s", column->name, column->is_key ? " No (key)" : "",
           formats[column->format]);
    for (const struct sb_enum_value *v = column->values; v && v->text; v++) {
        putchar(' ');
        text(v->text);
    }
    if (column->format == SB_TEXT)
        printf(" of at most %u bytes", column->size);
    else if (*column->unit)
        printf(", %s", column->unit);
    if (*column->text) {
        fputs(": ", stdout);
        text(column->text);
    }
    putchar('\n');
}

static void
table_page(enum sb_table_id id)
{
    static const char *const full[] = {
        [SB_REFUSE] = "When it is full, new rows are refused and counted.",
        [SB_OLDEST] = "When it is full, an old row is evicted and counted.",
        [SB_LAP] = "It keeps the newest records."};
    const struct sb_table_info *info = sb_table_info(id);

    printf(".Ss %s\n", info->name);
    text(info->text);
    printf(".\nIn the segment of %s; %" PRIu32 " rows of %u bytes, %" PRIu64 " KiB.\n%s\n",
           strcmp(info->owner, "*") == 0 ? "each service" : info->owner, info->capacity,
           info->row_size, (memory(id) + 1023) / 1024, full[info->full]);
    puts(".Bl -tag -width Ds -compact");
    for (unsigned i = 0; i < info->n_columns; i++)
        column_page(&info->columns[i]);
    puts(".El");
}

int
main(void)
{
    uint64_t total = 0;

    puts(".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made from tables.def.\n"
         ".Dd November 21, 2026\n.Dt TRIVET-TABLES 5\n.Os\n.Sh NAME\n.Nm trivet-tables\n"
         ".Nd tables of the trivet state bus\n.Sh DESCRIPTION\n"
         "The services of trivet keep their state in tables in shared memory, which\n"
         ".Xr statebus 8\nprints and\n.Xr trivet-statebus 3\nreads.\n"
         "Columns are named as in JSON; times are in nanoseconds since 1970.\n"
         "Other numbers of rows are set by\n.Cm tables\nin\n.Xr trivet.yaml 5 .\n"
         ".Ss Memory\nOf one table each, with the default number of rows:\n"
         ".Bl -column \"decision\" \"rows\" \"row bytes\" \"KiB\"\n"
         ".It Sy table Ta Sy rows Ta Sy row bytes Ta Sy KiB");
    for (int id = 0; id < SB_T_COUNT; id++) {
        const struct sb_table_info *info = sb_table_info((enum sb_table_id)id);

        total += memory((enum sb_table_id)id);
        printf(".It %s Ta %" PRIu32 " Ta %u Ta %" PRIu64 "\n", info->name, info->capacity,
               info->row_size, (memory((enum sb_table_id)id) + 1023) / 1024);
    }
    printf(
        ".It Sy all Ta Ta Ta %" PRIu64 "\n.El\n.Pp\n"
        "A row of a hash table lies there twice, with 16 bytes more, in tables that are at most\n"
        "85 %% full; a record of a ring once, with 8 bytes more.\n",
        (total + 1023) / 1024);
    for (int id = 0; id < SB_T_COUNT; id++)
        table_page((enum sb_table_id)id);
    puts(".Sh SEE ALSO\n.Xr trivet-statebus 3 ,\n.Xr trivet.yaml 5 ,\n.Xr statebus 8");
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
