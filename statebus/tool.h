/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.h - the subcommands of statebus(8) and what they share. One thread.
 */
#ifndef TRIVET_TOOL_H
#define TRIVET_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trivet/config.h>
#include <trivet/statebus.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define OWNERS_MAX 512 /* owners of an instance that are looked at; more are named in a warning */
#define CELL_MAX 160   /* bytes of one cell of a text table, final NUL included */

struct tool {
    struct sb_common common;  /* --instance and what else all programs take */
    struct sb_config *config; /* owned by main() */
    bool json;                /* one object a line */
    bool wide;                /* text: all columns, in lines of any length */
    bool verbose;             /* doctor: also what is well, one by one */
    const char *owner;        /* --owner: only this one, or NULL */
    double for_s;             /* --for: seconds, 0 without end */
    char **arguments;         /* after the subcommand */
    unsigned n_arguments;
};

/* ---- tool_ls.c, tool_dump.c, tool_watch.c, tool_doctor.c, tool_services.c ----
 * Each returns the exit code of the program. */
int tool_ls(const struct tool *tool);
int tool_dump(const struct tool *tool);
int tool_watch(const struct tool *tool);
int tool_doctor(const struct tool *tool);
int tool_services(const struct tool *tool);

/* ---- tool_owners.c ---- */

struct owners {
    char names[OWNERS_MAX][SB_OWNER_MAX]; /* sorted */
    unsigned n;
};
/* The owners of the instance, of which --owner chooses. False, and an error is logged that says
 * what to do, when there is none. */
bool owners_find(const struct tool *tool, struct owners *ret);
/* SIGINT and SIGTERM as a file descriptor, so that loops end between two steps; SIGPIPE ignored.
 * Call before the bus starts threads. -1: logged. */
int signal_fd(void);

/* ---- tool_text.c: rows for people ---- */

/* Text of one column: times as HH:MM:SS.mmm, durations in s, ms, us or ns, ports and protocols by
 * their name, nothing that a terminal would obey. Blank if it says nothing (no address, no time, a
 * match field that does not count). */
void cell_text(enum sb_table_id id, const struct sb_column *column, const void *row,
               char ret[CELL_MAX]);
void clock_text(uint64_t time_ns, char ret[CELL_MAX]);
void duration_text(int64_t ns, char ret[CELL_MAX]);
void bytes_text(uint64_t bytes, char ret[CELL_MAX]);
/* Columns of the table to show in text, the most asked-for first, or all of them in their own
 * order: fills ret (room for SB_COLUMNS_MAX), returns how many. */
#define SB_COLUMNS_MAX 64
struct text_column {
    const struct sb_column *column;
    char heading[24]; /* its name, or a shorter one */
    bool first;       /* what the table is for: has its room before the others, and may be cut */
};
unsigned text_columns(enum sb_table_id id, bool wide, struct text_column *ret);
/* Columns a line may have: the terminal's, or 80. */
size_t text_width(void);

struct grid; /* cells in columns as wide as their content */
struct grid *grid_new(unsigned n_columns);
void grid_free(struct grid **grid);
/* This column has its room before the others, and is cut where there is too little. */
void grid_first(struct grid *grid, unsigned column);
/* The next cell, row by row; the first row is the heading. False: out of memory. */
bool grid_add(struct grid *grid, const char *text, bool right);
/* Prints it; a column that is blank in all rows is left out. limit: columns of a line, 0 for any;
 * what does not fit is left out from the end, but for long texts, which are cut, and named on
 * stderr. */
void grid_print(const struct grid *grid, size_t limit);

#endif
