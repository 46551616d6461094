/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.c - statebus(8): a look into the state bus. Command line and dispatch.
 *
 * Neighbours: tool.h lists the subcommands, one file each; common.c has the options all programs
 * share; trivet/statebus.h is the library. Threads: main.
 */
#include "tool.h"

#include <argp.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trivet/log.h>

enum { OPTION_OWNER = 0x200, OPTION_FOR, OPTION_WIDE };

/* The config was read before we got here, so it is good. */
static int
check_config(const struct tool *tool)
{
    const char *path = tool->common.config_path;

    printf("%s: ok\n", path ? path : "defaults");
    return EXIT_OK;
}

static const struct subcommand {
    const char *name;
    int (*run)(const struct tool *tool);
    unsigned min, max; /* arguments */
    bool tables;       /* the arguments are names of tables */
    bool json;         /* --json means something */
} subcommands[] = {
    {"ls", tool_ls, 0, 0, false, true},
    {"dump", tool_dump, 1, 1, true, true},
    {"watch", tool_watch, 0, SB_T_COUNT, true, true},
    {"doctor", tool_doctor, 0, 0, false, true},
    {"services", tool_services, 0, 0, false, false},
    {"check-config", check_config, 0, 0, false, false},
};

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "print one JSON object a line", 1},
    {"wide", OPTION_WIDE, NULL, 0, "dump, watch: all columns, however long the lines", 1},
    {"verbose", 'v', NULL, 0, "doctor: each check, not only what is wrong", 1},
    {"owner", OPTION_OWNER, "NAME", 0, "look at this owner only", 1},
    {"for", OPTION_FOR, "SECONDS", 0, "watch: end after so long", 1},
    {0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct tool *tool = state->input;
    char *end;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &tool->common;
        return 0;
    case 'j':
        tool->json = true;
        return 0;
    case 'v':
        tool->verbose = true;
        return 0;
    case OPTION_WIDE:
        tool->wide = true;
        return 0;
    case OPTION_OWNER:
        if (!*arg || strlen(arg) >= SB_OWNER_MAX)
            argp_error(state, "--owner '%s': give 1 to %d bytes", arg, SB_OWNER_MAX - 1);
        tool->owner = arg;
        return 0;
    case OPTION_FOR:
        tool->for_s = strtod(arg, &end);
        if (end == arg || *end || !(tool->for_s > 0 && tool->for_s <= 1e6))
            argp_error(state, "--for '%s': give seconds, more than 0", arg);
        return 0;
    case ARGP_KEY_ARGS: /* all that are no options */
        tool->arguments = state->argv + state->next;
        tool->n_arguments = (unsigned)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&sb_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "ls\ndump TABLE\nwatch [TABLE...]\ndoctor\nservices\ncheck-config",
    .doc = "Look into the state bus of a running trivet.\v"
           "ls            the owners: how they are and what they hold\n"
           "dump          the rows of a table, over all owners\n"
           "watch         the rows, then each change: + new, ~ changed, - gone\n"
           "doctor        check that all is well; says what to do where it is not\n"
           "services      publish lines `NAME PID STATE RESTARTS` from standard input\n"
           "check-config  read the file of --config and say what is wrong with it\n\n"
           "Exit status: 0 ok, 1 failed, 2 usage.",
    .children = children,
};

static int
usage(const char *format, const char *word)
{
    fputs("statebus: ", stderr);
    fprintf(stderr, format, word);
    fputs("; see statebus --help\n", stderr);
    return EXIT_USAGE;
}

/* Which subcommand, and are its arguments what it takes? EXIT_OK or EXIT_USAGE. */
static int
choose(struct tool *tool, const struct subcommand **ret)
{
    const struct subcommand *found = NULL;

    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (!strcmp(tool->arguments[0], subcommands[i].name))
            found = &subcommands[i];
    }
    if (!found)
        return usage("no such subcommand: %s", tool->arguments[0]);
    tool->arguments++;
    tool->n_arguments--;
    if (tool->n_arguments < found->min)
        return usage("%s needs the name of a table", found->name);
    if (tool->n_arguments > found->max)
        return usage("too many arguments: %s", tool->arguments[found->max]);
    for (unsigned i = 0; found->tables && i < tool->n_arguments; i++) {
        if (sb_table_by_name(tool->arguments[i]) >= 0)
            continue;
        fprintf(stderr, "statebus: no such table: %s; there are", tool->arguments[i]);
        for (int id = 0; id < SB_T_COUNT; id++)
            fprintf(stderr, " %s", sb_table_info((enum sb_table_id)id)->name);
        fputc('\n', stderr);
        return EXIT_USAGE;
    }
    if (tool->json && !found->json)
        return usage("%s has no --json", found->name);
    *ret = found;
    return EXIT_OK;
}

int
main(int argc, char **argv)
{
    const struct subcommand *subcommand = NULL;
    struct tool tool = {0};
    int result;

    zsys_handler_set(NULL); /* czmq would take SIGINT and SIGTERM for itself */
    sb_common_version("statebus");
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    result = choose(&tool, &subcommand);
    if (result != EXIT_OK)
        return result;
    tool.config = sb_common_start(&tool.common, "statebus");
    if (!tool.config)
        return EXIT_FAILED;
    result = subcommand->run(&tool);
    sb_config_free(&tool.config);
    if (fflush(stdout) && result == EXIT_OK && subcommand->run != tool_watch)
        result = EXIT_FAILED; /* a full disk; for watch a closed pipe is an end like any other */
    return result;
}
