/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_owners.c - which owners an instance has, and how the tool is told to stop.
 *
 * Neighbours: all subcommands. Threads: main.
 */
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <trivet/log.h>
#include <unistd.h>

static int
collect(void *arg, const char *owner)
{
    struct owners *owners = arg;

    if (owners->n == OWNERS_MAX) {
        sb_warning("more than %d owners: the others are not shown; use --owner", OWNERS_MAX);
        return 1;
    }
    snprintf(owners->names[owners->n++], SB_OWNER_MAX, "%s", owner);
    return 0;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool
owners_find(const struct tool *tool, struct owners *ret)
{
    char dir[PATH_MAX] = "?";

    ret->n = 0;
    if (sb_runtime_dir(tool->common.instance, dir, sizeof dir) < 0) {
        sb_error("no runtime directory for instance %s: set TRIVET_RUNTIME_DIR",
                 tool->common.instance);
        return false;
    }
    if (tool->owner) {
        collect(ret, tool->owner);
        return true;
    }
    if (access(dir, R_OK | X_OK) < 0 && errno == EACCES) {
        sb_error(
            "%s is closed to this user: sudo statebus, or join its group (sudo usermod -aG trivet "
            "USER, then log in again)",
            dir);
        return false;
    }
    sb_each_owner(tool->common.instance, collect, ret);
    qsort(ret->names, ret->n, sizeof ret->names[0], by_name);
    if (!ret->n)
        sb_error("no owner in %s; start trivet up, or name the right --instance", dir);
    return ret->n;
}

int
signal_fd(void)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        sb_error("signalfd: %s", strerror(errno));
    return fd;
}
