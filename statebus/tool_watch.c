/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_watch.c - statebus watch: what the tables hold, then each change as it comes, one a line.
 *
 * Neighbours: tool.h, trivet/statebus.h (subscriber). Threads: main; ZeroMQ has its own.
 */
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <trivet/clock.h>
#include <trivet/log.h>

#define TEXT_LINE_MAX 4096 /* bytes of a line: more than all columns of any table */

struct watch {
    const struct tool *tool;
    size_t width; /* of a line; SIZE_MAX with --wide */
};

static void
print_json(const struct sb_change *change)
{
    static const char *const ops[] = {
        [SB_PUT] = "put", [SB_REMOVE] = "remove", [SB_APPEND] = "append"};
    char text[4096];

    if (sb_row_json(change->table, change->row ? change->row : change->old, text, sizeof text) < 0)
        return;
    printf("{\"op\":\"%s\",\"owner\":\"%s\",\"table\":\"%s\",\"row\":%s}\n", ops[change->op],
           change->owner, sb_table_info(change->table)->name, text);
}

/* Adds " name=text" to the line, if as many bytes stay free. False: no room. */
static bool
add(char *line, size_t width, size_t keep, const char *name, const char *text)
{
    size_t used = strlen(line), room = width < TEXT_LINE_MAX ? width : TEXT_LINE_MAX - 1;

    if (used + 2 + strlen(name) + strlen(text) + keep > room)
        return false;
    snprintf(line + used, TEXT_LINE_MAX - used, " %s=%s", name, text);
    return true;
}

/* The same, but a text that does not fit is cut. False: it was. */
static bool
add_cut(char *line, size_t width, size_t keep, const char *name, char *text)
{
    size_t used = strlen(line) + 2 + strlen(name) + keep;

    if (add(line, width, keep, name, text))
        return true;
    if (used + 1 < width) {
        strcpy(text + (width - used - 1), "~");
        add(line, width, keep, name, text);
    }
    return false;
}

/* Adds the columns that differ, times or the others, as old>new. False: no room for all. */
static bool
add_changes(char *news, size_t room, const struct sb_change *change, bool times)
{
    const struct sb_table_info *table = sb_table_info(change->table);
    char text[CELL_MAX], old[CELL_MAX * 2];
    bool all = true;

    for (unsigned i = 0; i < table->n_columns; i++) {
        const struct sb_column *column = &table->columns[i];

        if (column->is_key || times != !strcmp(column->unit, "ns") ||
            !memcmp((const char *)change->row + column->offset,
                    (const char *)change->old + column->offset, column->size))
            continue;
        cell_text(change->table, column, change->old, old);
        cell_text(change->table, column, change->row, text);
        strcat(strcat(old, ">"), text);
        all &= add(news, room, 0, column->name, old);
    }
    return all;
}

/* "03:04:05.678 ~ controller mac dpid=... mac=... port=2": + a new row, - a row that is gone,
 * whole; ~ a changed one: its key and the columns that differ, as old>new. What changed goes first
 * when there is no room for all, times last (they change with everything else); "..." says that
 * something was left out. */
static void
print_text(const struct watch *watch, const struct sb_change *change)
{
    const void *row = change->row ? change->row : change->old;
    bool changed = change->row && change->old, wide = watch->tool->wide, all = true;
    const char *sign = changed ? "~" : change->op == SB_REMOVE ? "-" : "+";
    struct text_column columns[SB_COLUMNS_MAX];
    unsigned n = text_columns(change->table, wide, columns);
    char line[TEXT_LINE_MAX], news[TEXT_LINE_MAX] = "", text[CELL_MAX];
    bool late, cut_key = false;
    size_t keep, room = watch->width - (wide ? 0 : strlen(" ..."));

    clock_text(sb_now(), text);
    snprintf(line, sizeof line, "%s %s %s %s", text, sign, change->owner,
             sb_table_info(change->table)->name);
    room = room > strlen(line) ? room - strlen(line) : 0;
    if (changed)
        all = add_changes(news, room, change, false);
    late = changed && *news;
    if (changed && !late)
        all = add_changes(news, room, change, true);
    keep = strlen(news) + (wide ? 0 : strlen(" ..."));
    for (unsigned i = 0; i < n; i++) /* what the table is for: before the others, and rather cut */
        if (columns[i].first && !changed && change->op != SB_REMOVE) {
            cell_text(change->table, columns[i].column, row, text);
            all &= add_cut(line, watch->width, keep, columns[i].column->name, text);
        }
    for (unsigned i = 0; i < n; i++) {
        const struct sb_column *column = columns[i].column;

        if ((changed || change->op == SB_REMOVE) ? !column->is_key : columns[i].first)
            continue;
        if (column->is_key && cut_key)
            continue; /* its beginning, but no key with a hole in it */
        cell_text(change->table, column, row, text);
        if (*text && !add(line, watch->width, keep, column->name, text)) {
            all = false;
            cut_key |= column->is_key;
        }
    }
    if (late) {
        room = watch->width - (wide ? 0 : strlen(" ..."));
        all &= add_changes(news, room > strlen(line) ? room - strlen(line) : 0, change, true);
    }
    printf("%s%s%s\n", line, news, all ? "" : " ...");
}

static void
print_change(void *arg, const struct sb_change *change)
{
    const struct watch *watch = arg;

    if (watch->tool->json)
        print_json(change);
    else
        print_text(watch, change);
}

/* Until a signal, the end of --for, or nobody reads us any more. */
static void
follow(const struct tool *tool, struct sb_subscriber *subscriber, int signals)
{
    uint64_t end = tool->for_s > 0 ? sb_mono() + (uint64_t)(tool->for_s * (double)SB_SECOND) : 0;
    struct pollfd fds[] = {{.fd = sb_subscriber_fd(subscriber), .events = POLLIN},
                           {.fd = signals, .events = POLLIN},
                           {.fd = STDOUT_FILENO, .events = 0}}; /* tells of a closed pipe */

    for (;;) {
        int wait_ms = sb_subscriber_run(subscriber);
        uint64_t now = sb_mono();

        if (ferror(stdout) || (end && now >= end))
            return;
        if (end && (wait_ms < 0 || (uint64_t)wait_ms > (end - now) / SB_MS))
            wait_ms = (int)((end - now) / SB_MS) + 1;
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
            return;
        if (fds[1].revents || (fds[2].revents & POLLERR))
            return;
    }
}

int
tool_watch(const struct tool *tool)
{
    struct watch watch = {.tool = tool, .width = tool->wide ? SIZE_MAX : text_width()};
    struct sb_subscriber *subscriber = NULL;
    char message[SB_MESSAGE_MAX];
    struct owners owners;
    uint64_t tables = 0;
    int signals;

    for (unsigned i = 0; i < tool->n_arguments; i++)
        tables |= UINT64_C(1) << sb_table_by_name(tool->arguments[i]);
    if (!tables)
        tables = (UINT64_C(1) << SB_T_COUNT) - 1;
    if (!owners_find(tool, &owners))
        return EXIT_FAILED;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    signals = signal_fd();
    if (signals < 0)
        return EXIT_FAILED;
    if (sb_subscribe(&subscriber, tool->common.instance, tool->owner, tables, print_change, &watch,
                     message) < 0) {
        sb_error("%s", message);
        close(signals);
        return EXIT_FAILED;
    }
    follow(tool, subscriber, signals);
    sb_subscriber_close(&subscriber);
    close(signals);
    return EXIT_OK;
}
