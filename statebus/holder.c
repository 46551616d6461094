/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.c - the process behind a port: the socket's inode in /proc/net, then the descriptor that
 * shows it (proc(5)).
 */
#include <trivet/holder.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTEN 0x0a

/* Inode of the socket that listens on (tcp) or is bound to (udp) a port; 0 if there is none. */
static unsigned long
inode_of(const char *protocol, const char *suffix, unsigned port)
{
    bool tcp = strcmp(protocol, "tcp") == 0;
    unsigned long inode, found = 0;
    char path[64], line[512];
    unsigned local, state;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/net/%.8s%s", protocol, suffix);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (found == 0 && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu", &local, &state,
                   &inode) == 3 &&
            local == port && (!tcp || state == TCP_LISTEN))
            found = inode;
    fclose(file);
    return found;
}

static bool
holds_inode(const char *pid, unsigned long inode)
{
    char path[300], wanted[64], target[64];
    bool found = false;
    struct dirent *entry;
    DIR *dir;

    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    dir = opendir(path);
    while (!found && dir != NULL && (entry = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        if (n > 0) {
            target[n] = '\0';
            found = strcmp(target, wanted) == 0;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

void
sb_port_holder(const char *protocol, uint16_t port, char *ret, size_t size)
{
    unsigned long inode = inode_of(protocol, "", port);
    struct dirent *entry;
    DIR *proc;

    snprintf(ret, size, "another process");
    if (inode == 0)
        inode = inode_of(protocol, "6", port);
    if (inode == 0 || (proc = opendir("/proc")) == NULL)
        return;
    while ((entry = readdir(proc)) != NULL) {
        char path[300], name[32] = "?";
        FILE *file;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !holds_inode(entry->d_name, inode))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file != NULL) {
            if (fgets(name, sizeof(name), file) != NULL)
                name[strcspn(name, "\n")] = '\0';
            fclose(file);
        }
        snprintf(ret, size, "%s (pid %.10s)", name, entry->d_name);
        break;
    }
    closedir(proc);
}
