/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_ls.c - statebus ls: the owners of an instance, how they are, and what they hold.
 *
 * Neighbours: tool.h, trivet/statebus.h (reader). Threads: main.
 */
#include "segment.h"
#include "tool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <trivet/log.h>

#define WIDTH 80

/* Bytes of a table in its segment: its geometry follows from capacity and shards. */
static uint64_t
table_memory(const struct sb_reader *reader, enum sb_table_id id, const struct sb_table_stats *s)
{
    unsigned shards = sb_reader_shards(reader, id);
    struct sb_dir dir;

    return sb_geometry(id, (uint32_t)s->capacity, shards, &dir) < 0 ? 0 : shards * dir.shard_size;
}

static void
print_json(const struct sb_segment_info *info, const struct sb_reader *reader)
{
    char incarnation[20], layout[20];
    json_t *tables = json_object(), *object;

    for (int id = 0; id < SB_T_COUNT; id++) {
        struct sb_table_stats s;

        if (!sb_reader_has(reader, (enum sb_table_id)id) ||
            sb_reader_stats(reader, (enum sb_table_id)id, &s) < 0)
            continue;
        json_object_set_new(
            tables, sb_table_info((enum sb_table_id)id)->name,
            json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "memory",
                      (json_int_t)table_memory(reader, (enum sb_table_id)id, &s), "rows",
                      (json_int_t)s.rows, "capacity", (json_int_t)s.capacity, "inserted",
                      (json_int_t)s.inserted, "updated", (json_int_t)s.updated, "removed",
                      (json_int_t)s.removed, "evicted", (json_int_t)s.evicted, "refused",
                      (json_int_t)s.refused, "unpublished", (json_int_t)s.unpublished, "superseded",
                      (json_int_t)s.superseded));
    }
    snprintf(incarnation, sizeof incarnation, "%016" PRIx64, info->incarnation);
    snprintf(layout, sizeof layout, "%016" PRIx64, info->layout_hash);
    object = json_pack("{s:s,s:s,s:s,s:I,s:s,s:I,s:I,s:s,s:o}", "owner", info->owner, "liveness",
                       sb_liveness_text(info->liveness), "phase", sb_phase_text(info->phase), "pid",
                       (json_int_t)info->pid, "incarnation", incarnation, "heartbeat_age_ns",
                       (json_int_t)info->heartbeat_age_ns, "memory", (json_int_t)info->size,
                       "layout_hash", layout, "tables", tables);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

/* "  mac 4/65536 (6.8 MiB)  flow 2/32768 (9.7 MiB)", in lines of at most WIDTH columns. */
static void
print_tables(const struct sb_reader *reader)
{
    size_t used = 0;

    for (int id = 0; id < SB_T_COUNT; id++) {
        const struct sb_table_info *info = sb_table_info((enum sb_table_id)id);
        struct sb_table_stats s;
        char text[80], memory[CELL_MAX];
        size_t len;

        if (!sb_reader_has(reader, (enum sb_table_id)id) ||
            sb_reader_stats(reader, (enum sb_table_id)id, &s) < 0)
            continue;
        /* A ring's rows are all it ever got; what stands is at most its capacity. */
        bytes_text(table_memory(reader, (enum sb_table_id)id, &s), memory);
        len = (size_t)snprintf(
            text, sizeof text, "  %s %" PRIu64 "/%" PRIu64 " (%.12s)", info->name,
            info->kind == SB_RING && s.rows > s.capacity ? s.capacity : s.rows, s.capacity, memory);
        if (used && used + len > WIDTH) {
            putchar('\n');
            used = 0;
        }
        fputs(text, stdout);
        used += len;
    }
    if (used)
        putchar('\n');
}

static void
print_text(const struct sb_segment_info *info, const struct sb_reader *reader)
{
    char beat[CELL_MAX], memory[CELL_MAX];

    duration_text((int64_t)info->heartbeat_age_ns, beat);
    if (info->heartbeat_age_ns > UINT64_C(86400) * 1000000000)
        snprintf(beat, sizeof beat, "> 1 day");
    bytes_text(info->size, memory);
    printf("%-11s", info->owner);
    if (strlen(info->owner) > 11) /* a long name has a line of its own */
        printf("\n%-11s", "");
    printf(" %-9s %-10s %7" PRIu32 "  %016" PRIx64 " %10s %10s\n", sb_liveness_text(info->liveness),
           sb_phase_text(info->phase), info->pid, info->incarnation, beat, memory);
    print_tables(reader);
}

int
tool_ls(const struct tool *tool)
{
    struct owners owners;
    unsigned opened = 0;

    if (!owners_find(tool, &owners))
        return EXIT_FAILED;
    if (!tool->json)
        printf("%-11s %-9s %-10s %7s  %-16s %10s %10s\n", "OWNER", "LIVENESS", "PHASE", "PID",
               "INCARNATION", "HEARTBEAT", "MEMORY");
    for (unsigned i = 0; i < owners.n; i++) {
        char message[SB_MESSAGE_MAX];
        struct sb_segment_info info;
        struct sb_reader *reader = NULL;
        int error = sb_reader_open(&reader, tool->common.instance, owners.names[i], message);

        if (error >= 0) {
            error = sb_reader_info(reader, &info);
            if (error < 0)
                snprintf(message, sizeof message, "%s", sb_strerror(error));
        }
        if (error < 0 && tool->json) {
            json_t *object = json_pack("{s:s,s:s}", "owner", owners.names[i], "error", message);

            json_dumpf(object, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(object);
        } else if (error < 0) {
            printf("%-11s %s\n", owners.names[i], message);
        } else if (tool->json) {
            print_json(&info, reader);
        } else {
            print_text(&info, reader);
        }
        opened += error >= 0;
        sb_reader_close(&reader);
    }
    return opened ? EXIT_OK : EXIT_FAILED;
}
