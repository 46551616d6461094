/* SPDX-License-Identifier: Apache-2.0
 *
 * privilege.c - what the checker keeps of root: CAP_NET_RAW.
 *
 * Called once the bus is open and before the first packet is read. Where the user `trivet` exists
 * and owns the runtime directory, it becomes that user; else it stays the user it is (the segments
 * of the other services are readable for their own user and group only) without any other
 * capability.
 */
#include "pcapcheck.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <trivet/log.h>
#include <unistd.h>

static bool
keep_only(const cap_value_t *values, int n)
{
    cap_t caps = cap_init();
    bool ok = caps && cap_set_flag(caps, CAP_PERMITTED, n, values, CAP_SET) == 0 &&
              cap_set_flag(caps, CAP_EFFECTIVE, n, values, CAP_SET) == 0 && cap_set_proc(caps) == 0;

    if (caps)
        cap_free(caps);
    return ok;
}

void
pc_privilege_drop(const char *runtime_dir)
{
    /* NET_RAW: packet sockets, also for ports that appear later.
     * DAC_OVERRIDE: only where the services run as another user than we do, whose segments and
     * sockets root could read until now. */
    cap_value_t keep[] = {CAP_NET_RAW, CAP_DAC_OVERRIDE};
    const struct passwd *user = getpwnam("trivet");
    struct stat st;
    bool have_dir = stat(runtime_dir, &st) == 0;
    int n = have_dir && st.st_uid != geteuid() ? 2 : 1;

    if (geteuid() != 0)
        return; /* file capabilities, or none */
    if (user && have_dir && st.st_uid == user->pw_uid) {
        n = 1;
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) || setgid(user->pw_gid) ||
            setuid(user->pw_uid))
            sb_warning("privileges: cannot become user trivet (%s), staying root", strerror(errno));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || !keep_only(keep, n))
        sb_warning("privileges: cannot drop capabilities (%s), keeping them", strerror(errno));
}
