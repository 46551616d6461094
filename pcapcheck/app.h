/* SPDX-License-Identifier: Apache-2.0
 *
 * app.h - what main.c and source.c share: the whole program's state, owned by main().
 */
#ifndef PC_APP_H
#define PC_APP_H

#include "pcapcheck.h"

#include <trivet/config.h>

#define ARGS_MAX 256
#define SIGNAL_TAG (UINT64_C(1) << 33)

enum command { CMD_CHECK, CMD_FLOWS, CMD_OPENFLOW };

struct app {
    struct sb_common common;
    struct sb_config *config; /* owned */
    enum command command;
    char *interfaces[ARGS_MAX]; /* borrowed from argv */
    char *files[ARGS_MAX];      /* borrowed from argv */
    unsigned n_interfaces, n_files;
    const char *expect, *junit, *channel; /* borrowed from argv */
    FILE *junit_file;                     /* owned; opened before privileges are dropped */
    uint16_t port;                        /* openflow: of the channel; 0: those assigned */
    bool json, once;
    uint64_t for_ns; /* 0: until a signal */
    int epoll;
    struct pc_engine *engine; /* owned */
    struct pc_live *live;     /* owned */
    struct pc_bus *bus;       /* owned */
    bool running;             /* the bus was read; the run's time counts from start_ns */
    bool pending;             /* handles are still to be opened */
    uint64_t start_ns, tick_ns;
    uint64_t shown_ns; /* flows --json: rows older than this were printed */
};

/* source.c */
int app_run_files(struct app *app); /* 0, or an exit code */
/* Prints the flow table of this process: redraws, or the last time prints it for good. */
void app_show_own(struct app *app, bool last);
/* Shows the table of the checker that runs already. False when there is none. */
bool app_view_other(struct app *app, int *ret_code);

#endif
