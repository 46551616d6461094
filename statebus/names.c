/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - where an instance's things lie: runtime directory, owner locks, segment names.
 *
 * The lock decides who owns a segment: flock on <owner>.lock, which the kernel drops when the
 * process dies, in whatever container it ran. Nobody but the services' user may open the file, so
 * nobody else can lock an owner out. It stays when the owner ends, and says for people who holds
 * it. Readers have no business with it but its name (sb_each_owner()): whether an owner lives, its
 * lock on the segment says (segment.c).
 */
#include "segment.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
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
    char system[64];
    int n;

    snprintf(system, sizeof system, "/run/trivet/%s", instance);
    if (given && *given)
        n = snprintf(ret, size, "%s", given);
    else if (geteuid() == 0)
        n = snprintf(ret, size, "%s", system);
    else if (xdg && *xdg)
        n = snprintf(ret, size, "%s/trivet/%s", xdg, instance);
    else
        n = snprintf(ret, size, "/tmp/trivet-%u/%s", geteuid(), instance);
    if (n <= 0 || (size_t)n >= size)
        return SB_EINVAL;
    if (!given && geteuid() != 0 && access(ret, F_OK) != 0 && access(system, F_OK) == 0)
        n = snprintf(ret, size, "%s", system);
    return (size_t)n < size ? SB_OK : SB_EINVAL;
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
    /* Below /tmp a stranger may have made it before us. One of ours that we cannot use is mended.
     */
    if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
        (st.st_mode & 0700) != 0700 && chmod(dir, 0750) < 0)
        return sb_fail(message, SB_ESYS, "directory %s has mode %04o: chmod 0750 it", dir,
                       (unsigned)st.st_mode & 07777);
    if (lstat(dir, &st) < 0 || (S_ISLNK(st.st_mode) && stat(dir, &st) < 0))
        return sb_fail(message, SB_ESYS, "cannot look at %s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0))
        return sb_fail(
            message, SB_ESYS,
            "%s is not a directory of ours, it is of uid %u: sudo, or another --instance", dir,
            st.st_uid);
    return SB_OK;
}

void
sb_share(const char *instance, int fd, const char *path)
{
    char dir[SB_PATH_MAX];
    struct stat st;
    int error = 0;

    if (sb_runtime_dir(instance, dir, sizeof dir) < 0 || stat(dir, &st) < 0 ||
        st.st_gid == getegid())
        return;
    error = fd >= 0 ? fchown(fd, (uid_t)-1, st.st_gid) : lchown(path, (uid_t)-1, st.st_gid);
    (void)error; /* only root and members may; for others the group stays their own */
}

bool
sb_mend_mode(const char *path, mode_t mode)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char self[32];
    struct stat st;
    bool mended;

    if (fd < 0)
        return false;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    mended = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
             st.st_uid == geteuid() && (st.st_mode & 0600) != 0600 && chmod(self, mode) == 0;
    close(fd);
    return mended;
}

/* ---- who holds it ------------------------------------------------------------------ */

/* A pid says nothing in another PID namespace; 0: we may not know. */
static unsigned long
pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long)st.st_ino : 0;
}

void
sb_holder_line(char *ret)
{
    time_t now = time(NULL);
    char since[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(since, sizeof since, "%FT%TZ", &tm);
    snprintf(ret, SB_HOLDER_MAX, "%ld %lu %s %.30s\n", (long)getpid(), pid_namespace(), since,
             program_invocation_short_name);
}

void
sb_holder_text(int fd, off_t offset, char *ret)
{
    char line[SB_HOLDER_MAX] = "", program[31], since[32];
    unsigned long space;
    long pid;

    if (pread(fd, line, sizeof line - 1, offset) < 0)
        line[0] = 0;
    for (char *p = line; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = 0;
    if (sscanf(line, "%ld %lu %31s %30[^\n]", &pid, &space, since, program) != 4)
        snprintf(ret, SB_HOLDER_MAX, "process unknown");
    else
        snprintf(ret, SB_HOLDER_MAX, "process %ld%s (%s) since %s", pid,
                 space == pid_namespace() ? "" : " of another PID namespace", program, since);
}

/* ---- the lock ---------------------------------------------------------------------- */

/* Does the path still mean this file? */
static bool
is_at(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int
cannot_open_lock(const char *path, char *message)
{
    int error = errno;
    struct stat st;

    if (error != EACCES)
        return sb_fail(message, SB_ESYS, "cannot open %s: %s", path, strerror(error));
    if (stat(path, &st) < 0)
        return sb_fail(
            message, SB_ESYS,
            "cannot make %s: we are uid %u, and may not write to its directory: sudo, or "
            "an instance of your own",
            path, geteuid());
    if (st.st_uid != geteuid())
        return sb_fail(message, SB_ESYS,
                       "cannot open %s: it is another user's (uid %u, we are %u): sudo, or an "
                       "instance of your own",
                       path, st.st_uid, geteuid());
    return sb_fail(message, SB_ESYS, "cannot open %s, mode %04o: chmod 0600 it, or remove it", path,
                   (unsigned)st.st_mode & 07777);
}

int
sb_lock_take(const char *instance, const char *owner, char *message)
{
    char path[SB_PATH_MAX], holder[SB_HOLDER_MAX];
    struct stat st;
    int error = sb_runtime_path(instance, owner, ".lock", path, message), fd;

    if (error < 0)
        return error;
    for (int tries = 0; tries < 8; tries++) {
        /* O_NOFOLLOW and the count of names: the directory may be of a user whom root does not
         * trust. */
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0 && errno == EACCES && sb_mend_mode(path, 0600))
            continue;
        if (fd < 0)
            return cannot_open_lock(path, message);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1) {
            close(fd);
            return sb_fail(message, SB_ESYS, "%s is not a plain file with one name: remove it",
                           path);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (!is_at(fd, path)) { /* replaced while we were at it */
                close(fd);
                continue;
            }
            sb_holder_line(holder);
            if (((st.st_mode & 077) && fchmod(fd, 0600) < 0) || ftruncate(fd, 0) < 0 ||
                pwrite(fd, holder, strlen(holder), 0) < 0) {
                error = sb_fail(message, SB_ESYS, "cannot write %s: %s", path, strerror(errno));
                close(fd);
                return error;
            }
            return fd;
        }
        if (flock(fd, LOCK_SH | LOCK_NB) < 0)
            break; /* an owner has it */
        /* Only readers hold it: earlier versions let them open it. It is no owner's, and its name
         * may go. */
        if (is_at(fd, path))
            unlink(path);
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        return sb_fail(message, SB_EOWNED, "%s is locked and replaced all the time", path);
    sb_holder_text(fd, 0, holder);
    close(fd);
    return sb_fail(message, SB_EOWNED, "'%s' of instance '%s' is already running as %s (lock %s)",
                   owner, instance, holder, path);
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
