/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.c - finds the process behind a UDP port: the socket's inode in
 * /proc/net/udp (of this network namespace), then the descriptor that shows it.
 */
#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Inode of the socket bound to that port, 0 if there is none. */
static unsigned long
inode_of(uint16_t port, bool six)
{
    FILE *file = fopen(six ? "/proc/net/udp6" : "/proc/net/udp", "re");
    char line[512];
    unsigned long inode, found = 0;
    unsigned local;

    if (!file)
        return 0;
    while (!found && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %lu", &local, &inode) ==
                2 &&
            local == port)
            found = inode;
    }
    fclose(file);
    return found;
}

static bool
holds(const char *pid, const char *wanted)
{
    char path[PATH_MAX], target[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    dir = opendir(path);
    if (!dir)
        return false;
    while (!found && (entry = readdir(dir))) {
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    closedir(dir);
    return found;
}

void
ag_port_holder(uint16_t port, bool six, char *ret, size_t size)
{
    unsigned long inode = inode_of(port, six);
    char wanted[64], path[300], name[32] = "?";
    struct dirent *entry;
    FILE *file;
    DIR *proc;

    ret[0] = '\0';
    proc = inode ? opendir("/proc") : NULL;
    if (!proc)
        return;
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while ((entry = readdir(proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, wanted))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file) {
            if (fgets(name, sizeof(name), file))
                name[strcspn(name, "\n")] = '\0';
            fclose(file);
        }
        snprintf(ret, size, "pid %s (%s)", entry->d_name, name);
        break;
    }
    closedir(proc);
}
