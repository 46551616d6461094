/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - where an instance's things lie: runtime directory, owner locks, segment names.
 *
 * The lock decides who owns a segment and whether the owner lives: flock on <owner>.lock, which the
 * kernel drops when the process dies, in whatever container it ran. The file stays; it holds the
 * holder's pid and program for people. Called while something opens, and by readers that ask
 * whether an owner lives.
 */
#include "segment.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int
sb_fail(char *message, int error, const char *format, ...)
{
    if (message) {
        va_list args;

        va_start(args, format);
        vsnprintf(message, SB_MESSAGE_MAX, format, args);
        va_end(args);
    }
    return error;
}

bool
sb_name_ok(const char *name, size_t max)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    size_t n = name ? strnlen(name, max) : 0;

    return n > 0 && n < max && name[0] != '.' && strspn(name, letters) == n;
}

int
sb_segment_name(const char *instance, const char *owner, char *ret, char *message)
{
    if (!sb_name_ok(instance, 33) || strchr(instance, '.'))
        return sb_fail(message, SB_EINVAL,
                       "instance name '%.40s': 1 to 32 letters, digits, '_' or '-'",
                       instance ? instance : "");
    if (!sb_name_ok(owner, SB_OWNER_MAX))
        return sb_fail(message, SB_EINVAL,
                       "owner name '%.60s': 1 to %d letters, digits, '_', '-' or '.'",
                       owner ? owner : "", SB_OWNER_MAX - 1);
    snprintf(ret, SB_SEGMENT_NAME_MAX, "/trivet.%s.%s", instance, owner);
    return SB_OK;
}

int
sb_runtime_dir(const char *instance, char *ret, size_t size)
{
    const char *given = getenv("TRIVET_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
    int n;

    if (given && *given)
        n = snprintf(ret, size, "%s", given);
    else if (geteuid() == 0)
        n = snprintf(ret, size, "/run/trivet/%s", instance);
    else if (xdg && *xdg)
        n = snprintf(ret, size, "%s/trivet/%s", xdg, instance);
    else
        n = snprintf(ret, size, "/tmp/trivet-%u/%s", geteuid(), instance);
    return n > 0 && (size_t)n < size ? SB_OK : SB_EINVAL;
}

int
sb_runtime_path(const char *instance, const char *owner, const char *suffix, char *ret,
                char *message)
{
    char dir[SB_PATH_MAX];
    int n;

    if (sb_runtime_dir(instance, dir, sizeof dir) < 0)
        return sb_fail(message, SB_EINVAL,
                       "the runtime directory's path is longer than %d bytes: set "
                       "TRIVET_RUNTIME_DIR to a shorter one",
                       SB_PATH_MAX - 1);
    n = snprintf(ret, SB_PATH_MAX, "%s/%s%s", dir, owner, suffix);
    if (n < 0 || n >= SB_PATH_MAX)
        return sb_fail(message, SB_EINVAL,
                       "%s/%s%s is longer than the %d bytes of a socket path: set "
                       "TRIVET_RUNTIME_DIR to a shorter one",
                       dir, owner, suffix, SB_PATH_MAX - 1);
    return SB_OK;
}

int
sb_runtime_make(const char *instance, char *message)
{
    char dir[SB_PATH_MAX];
    struct stat st;

    if (sb_runtime_dir(instance, dir, sizeof dir) < 0)
        return sb_fail(message, SB_EINVAL, "the runtime directory's path is too long");
    for (char *p = dir + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
            return sb_fail(message, SB_ESYS, "cannot make directory %s: %s", dir, strerror(errno));
        *p = '/';
    }
    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return sb_fail(message, SB_ESYS, "cannot make directory %s: %s", dir, strerror(errno));
    /* Below /tmp a stranger may have made it before us. */
    if (lstat(dir, &st) < 0 || (S_ISLNK(st.st_mode) && stat(dir, &st) < 0))
        return sb_fail(message, SB_ESYS, "cannot look at %s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0))
        return sb_fail(message, SB_ESYS, "%s is not a directory of ours (owner uid %u)", dir,
                       st.st_uid);
    return SB_OK;
}

/* What the holder wrote into its lock file, in one line. */
static void
read_holder(int fd, char *ret, size_t size)
{
    ssize_t n = pread(fd, ret, size - 1, 0);

    ret[n > 0 ? n : 0] = 0;
    for (char *p = ret; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = p[1] ? ' ' : 0;
}

int
sb_lock_take(const char *instance, const char *owner, char *message)
{
    char path[SB_PATH_MAX], holder[64];
    int error = sb_runtime_path(instance, owner, ".lock", path, message), fd;

    if (error < 0)
        return error;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return sb_fail(message, SB_ESYS, "cannot open %s: %s", path, strerror(errno));
    /* A reader that asks whether we live holds the lock shared for an instant, so a failure alone
     * says nothing: only where not even a shared lock is to be had there is another owner. */
    for (int i = 0; i < 10000; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            char text[64];
            int n = snprintf(text, sizeof text, "%ld %.40s\n", (long)getpid(),
                             program_invocation_short_name);

            if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
                error = sb_fail(message, SB_ESYS, "cannot write %s: %s", path, strerror(errno));
                close(fd);
                return error;
            }
            return fd;
        }
        if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
            read_holder(fd, holder, sizeof holder);
            close(fd);
            return sb_fail(message, SB_EOWNED,
                           "'%s' of instance '%s' is already running as process %s (lock %s)",
                           owner, instance, holder[0] ? holder : "unknown", path);
        }
        sched_yield();
    }
    close(fd);
    return sb_fail(message, SB_EOWNED, "readers keep %s locked", path);
}

int
sb_lock_held(const char *instance, const char *owner)
{
    char path[SB_PATH_MAX];
    int fd, held;

    if (sb_runtime_path(instance, owner, ".lock", path, NULL) < 0)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == EACCES ? -1 : 0;
    held = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return held;
}

int
sb_each_owner(const char *instance, int (*each)(void *arg, const char *owner), void *arg)
{
    char path[SB_PATH_MAX];
    struct dirent *entry;
    DIR *dir;
    int ret = 0;

    if (sb_runtime_dir(instance, path, sizeof path) < 0)
        return SB_EINVAL;
    dir = opendir(path);
    if (!dir)
        return 0; /* nobody has run yet */
    while (ret == 0 && (entry = readdir(dir)) != NULL) {
        char owner[SB_OWNER_MAX];
        size_t n = strlen(entry->d_name);

        if (n < 6 || n - 5 >= sizeof owner || strcmp(entry->d_name + n - 5, ".lock") != 0)
            continue;
        memcpy(owner, entry->d_name, n - 5);
        owner[n - 5] = 0;
        if (sb_name_ok(owner, sizeof owner))
            ret = each(arg, owner);
    }
    closedir(dir);
    return ret;
}
