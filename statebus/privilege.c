/* SPDX-License-Identifier: Apache-2.0
 *
 * privilege.c - what a service keeps of root: the capabilities it names, mostly none.
 *
 * The runtime directory says who the services of an instance are: whoever root starts becomes its
 * owner, so that they all, however started, make their locks, sockets and segments side by side.
 * The services do this themselves, and not their supervisor by setpriv(1), because what comes
 * before needs root: a binary or a configuration below a closed home directory, a low port.
 *
 * The directory belongs to a user we do not trust any more, and /dev/shm to everybody. So what root
 * left is given away through descriptors, and only if it is a plain file of root's with one name.
 *
 * Neighbours: trivet/privilege.h (contract), names.c (where things lie). Threads: main, before
 * others start: capabilities belong to threads.
 */
#include <trivet/privilege.h>

#include "segment.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <trivet/clock.h>
#include <trivet/log.h>
#include <unistd.h>

#define SERVICE_USER "trivet"
#define PUBLIC_PARENT "/run/trivet"

struct identity {
    uid_t uid;
    gid_t gid;
    char name[64]; /* for people, and for the supplementary groups */
};

static void
name_it(struct identity *who)
{
    const struct passwd *user = getpwuid(who->uid);

    if (user)
        snprintf(who->name, sizeof who->name, "%s", user->pw_name);
    else
        snprintf(who->name, sizeof who->name, "%u", who->uid);
}

/* Whom to become: what --user says, else the owner of the directory, else the service user. */
static int
choose(struct identity *ret, const char *user, const char *dir)
{
    const struct passwd *found = NULL;
    struct stat st;

    *ret = (struct identity){0};
    if (user) {
        found = getpwnam(user);
        if (!found) {
            sb_error("--user %s: no such user; env/setup and the package make '" SERVICE_USER
                     "', and --user root keeps root",
                     user);
            return -1;
        }
    } else if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode)) {
        ret->uid = st.st_uid;
        ret->gid = st.st_gid;
    } else if (!getenv("TRIVET_RUNTIME_DIR")) {
        found = getpwnam(SERVICE_USER);
    }
    if (found) {
        ret->uid = found->pw_uid;
        ret->gid = found->pw_gid;
    }
    name_it(ret);
    return 0;
}

/* What an earlier run of this owner left under that name, if anything: root's own becomes `who`'s.
 * In /dev/shm, where anybody may make files, that of a stranger is in our way: removed, unless
 * somebody holds its lock. 0, or -1: logged. */
static int
take_over(int dir, const char *name, const struct identity *who)
{
    /* O_NONBLOCK: it may be a FIFO, and to open that would wait. Sockets are not opened at all. */
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), result = 0;
    bool plain;
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == who->uid)
        goto out;
    plain = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
    if (plain && st.st_uid == 0) {
        if (fchown(fd, who->uid, who->gid) == 0)
            sb_info("privileges: %s, left by root, is %s's now", name, who->name);
        else
            sb_warning("privileges: %s stays root's: %s", name, strerror(errno));
    } else if (plain && (flock(fd, LOCK_EX | LOCK_NB) < 0 || sb_segment_written(fd))) {
        sb_error("%s is in use by a process of uid %u: choose another --instance", name, st.st_uid);
        result = -1;
    } else if (unlinkat(dir, name, 0) == 0 || unlinkat(dir, name, AT_REMOVEDIR) == 0) {
        sb_warning("%s of uid %u was in the way: removed", name, st.st_uid);
    } else { /* a directory with something in it */
        char aside[SB_SEGMENT_NAME_MAX + 40];

        snprintf(aside, sizeof aside, "%.80s.aside-%" PRIx64, name, sb_now());
        if (renameat(dir, name, dir, aside) == 0)
            sb_warning("%s of uid %u was in the way: it is %s now", name, st.st_uid, aside);
    }
out:
    if (fd >= 0)
        close(fd);
    return result;
}

/* The runtime directory, and what this owner left there and in /dev/shm, becomes theirs. */
static int
prepare(const char *instance, const char *owner, const char *dir, const struct identity *who)
{
    char message[SB_MESSAGE_MAX], name[SB_SEGMENT_NAME_MAX + 8];
    int fd = -1, shm = -1, result = -1;
    struct stat st;

    if (sb_runtime_make(instance, message) < 0) {
        sb_error("%s", message);
        return -1;
    }
    /* Earlier versions closed it: then nobody but root reaches what is below. */
    if (strncmp(dir, PUBLIC_PARENT "/", strlen(PUBLIC_PARENT "/")) == 0 &&
        lstat(PUBLIC_PARENT, &st) == 0 && st.st_uid == 0 && (st.st_mode & 0755) != 0755 &&
        chmod(PUBLIC_PARENT, 0755) < 0)
        sb_warning("privileges: %s: %s", PUBLIC_PARENT, strerror(errno));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        sb_error("runtime directory %s: %s", dir, strerror(errno));
        goto fail;
    }
    if (st.st_uid != who->uid &&
        (st.st_uid != 0 || fchown(fd, who->uid, who->gid) < 0 || fchmod(fd, 0750) < 0)) {
        sb_error("runtime directory %s belongs to uid %u and cannot become %s's: choose another "
                 "--user, or another directory",
                 dir, st.st_uid, who->name);
        goto fail;
    }
    shm = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(name, sizeof name, "%s.lock", owner);
    result = take_over(fd, name, who);
    snprintf(name, sizeof name, "%s.key", owner);
    result |= take_over(fd, name, who);
    if (sb_segment_name(instance, owner, name, message) == SB_OK && shm >= 0)
        result |= take_over(shm, name + 1, who);
    strcat(name, ".new"); /* a killed owner's; sb_segment_name leaves room */
    if (shm >= 0)
        result |= take_over(shm, name + 1, who);
fail:
    if (fd >= 0)
        close(fd);
    if (shm >= 0)
        close(shm);
    return result;
}

/* Keeps these capabilities, effective and permitted, and no other. */
static int
keep_only(const int *keep, unsigned n, int more)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    for (unsigned i = 0; i <= n; i++) {
        int cap = i < n ? keep[i] : more;

        if (cap < 0)
            continue;
        data[cap / 32].permitted |= UINT32_C(1) << cap % 32;
        data[cap / 32].effective |= UINT32_C(1) << cap % 32;
    }
    return (int)syscall(SYS_capset, &header, data);
}

static int
become(const struct identity *who, const int *keep, unsigned n)
{
    /* By number where the directory is all that is known of the user. */
    int groups = getpwuid(who->uid) ? initgroups(who->name, who->gid) : setgroups(0, NULL);

    if (groups < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
        prctl(PR_SET_KEEPCAPS, n > 0, 0, 0, 0) < 0 || setresuid(who->uid, who->uid, who->uid) < 0 ||
        (n > 0 && keep_only(keep, n, -1) < 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        sb_error("cannot become user %s: %s; --user root stays root", who->name, strerror(errno));
        return -1;
    }
    return 0;
}

int
sb_privilege_drop(const char *instance, const char *owner, const char *user, const int *keep,
                  unsigned n)
{
    struct identity who, self = {.uid = geteuid(), .gid = getegid()};
    char dir[SB_PATH_MAX];

    name_it(&self);
    if (sb_runtime_dir(instance, dir, sizeof dir) < 0) {
        sb_error("the runtime directory's path is too long: set TRIVET_RUNTIME_DIR");
        return -1;
    }
    if (self.uid != 0) { /* systemd's User= or a person: what they have is what they were given */
        if (user && strcmp(user, self.name) != 0) {
            sb_error("--user %s: only root may become another user, and we are %s", user,
                     self.name);
            return -1;
        }
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return 0;
    }
    if (choose(&who, user, dir) < 0)
        return -1;
    if (who.uid == 0) {
        /* Services that say what they need keep no more; DAC_OVERRIDE is what lets root read the
         * segments of services that run as others. */
        if (n > 0 && keep_only(keep, n, CAP_DAC_OVERRIDE) < 0)
            sb_warning("privileges: cannot drop capabilities: %s", strerror(errno));
        return 0;
    }
    if (prepare(instance, owner, dir, &who) < 0 || become(&who, keep, n) < 0)
        return -1;
    setenv("TRIVET_RUNTIME_DIR", dir, 1); /* root's, not the user's own */
    if (access(dir, W_OK | X_OK) < 0) {
        sb_error("user %s cannot get into %s: %s; open the directories above it, set "
                 "TRIVET_RUNTIME_DIR, or use --user root",
                 who.name, dir, strerror(errno));
        return -1;
    }
    sb_info("running as user %s, capabilities: %s", who.name, n ? "as needed" : "none");
    return 0;
}
