/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.c - an owner's socket: bound in the runtime directory, open to the group, never crowded.
 *
 * Whoever may read the segment may also subscribe, and ZeroMQ takes any number of connections. Two
 * things keep a crowd of them from using up the descriptors of the process:
 *   admission  A connection that would get a descriptor beyond half of the limit is closed at once,
 *              where libzmq accepts it (accept4() below).
 *   the guard  At the next heartbeat a full house is emptied: all are disconnected, and a heartbeat
 *              later the socket is bound anew, so that whoever was kept out may come. Subscribers
 *              lose nothing by that: they read the segment meanwhile.
 * Who may write to the directory could put a socket of his own in this one's place. So the segment
 * says which one is the owner's, subscribers connect to no other, and the guard takes the place
 * back.
 * Main thread, but for accept4().
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Bytes of a subscription, all that a subscriber may send. */
#define TOPIC_MAX 64
/* Descriptors that are enough for every service and its subscribers: a higher limit is for others,
 * and connections cost memory. */
#define FILES_ENOUGH 8192

static rlim_t
file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    return limit.rlim_cur < FILES_ENOUGH ? limit.rlim_cur : FILES_ENOUGH;
}

static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- admission ------------------------------------------------------------------- */

static bool
is_publisher(int fd)
{
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    size_t n;

    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0 || name.sun_family != AF_UNIX ||
        size <= offsetof(struct sockaddr_un, sun_path) || size > sizeof name)
        return false;
    n = strnlen(name.sun_path, size - offsetof(struct sockaddr_un, sun_path));
    return n > strlen(SB_SOCKET_SUFFIX) && memcmp(name.sun_path + n - strlen(SB_SOCKET_SUFFIX),
                                                  SB_SOCKET_SUFFIX, strlen(SB_SOCKET_SUFFIX)) == 0;
}

/* Takes the place of the C library's for libzmq, in programs that have an owner. libzmq 4.3 accepts
 * in a thread of its own, as fast as it can, and takes EMFILE for a bug: it aborts the process. No
 * option of it bounds connections (a short backlog only slows them, and whoever counts them outside
 * of that thread may do so too late). ENFILE it knows: this one was not accepted, go on. Sockets
 * that are no owner's get what the system says. */
__attribute__((visibility("default"))) int
accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    int ret = (int)syscall(SYS_accept4, fd, address, size, flags);

    if (ret >= 0 && (rlim_t)ret > file_limit() / 2 && is_publisher(fd)) {
        close(ret);
        errno = ENFILE;
        return -1;
    }
    if (ret < 0 && errno == EMFILE)
        errno = is_publisher(fd) ? ENFILE : EMFILE;
    return ret;
}

/* The kernel gives out the lowest free number: is it beyond what accept4() takes? */
static bool
crowded(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return errno == EMFILE;
    close(fd);
    return (rlim_t)fd > file_limit() / 2;
}

uint64_t
sb_socket_inode(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/* ---- the socket -------------------------------------------------------------------- */

/* Whoever may read the segment may also subscribe, nobody else: to connect takes write permission.
 * Until chmod(2) the group has none under any usual umask, and the directory is closed to others.
 */
static int
bind_socket(struct sb_publisher *publisher, char *message)
{
    if (zsock_bind(publisher->socket, "ipc://%s", publisher->path) < 0)
        return sb_fail(message, SB_ESYS, "cannot bind ipc://%s: %s", publisher->path,
                       zmq_strerror(zmq_errno()));
    publisher->bound = true;
    sb_share(publisher->instance, -1, publisher->path);
    if (chmod(publisher->path, 0660) < 0)
        return sb_fail(message, SB_ESYS, "cannot open %s to its group: %s", publisher->path,
                       strerror(errno));
    sb_store_release(publisher->inode, sb_socket_inode(publisher->path));
    return SB_OK;
}

int
sb_publisher_open(struct sb_publisher *publisher, const char *instance, const char *path, int hwm,
                  char *message)
{
    int error;

    raise_file_limit();
    snprintf(publisher->instance, sizeof publisher->instance, "%s", instance);
    snprintf(publisher->path, sizeof publisher->path, "%s", path);
    publisher->socket = zsock_new(ZMQ_PUB);
    if (!publisher->socket)
        return sb_fail(message, SB_ESYS, "cannot make a ZeroMQ socket: %s",
                       zmq_strerror(zmq_errno()));
    zsock_set_sndhwm(publisher->socket, hwm);
    zsock_set_linger(publisher->socket, 0);
    zsock_set_maxmsgsize(publisher->socket, TOPIC_MAX);
    error = bind_socket(publisher, message);
    if (error < 0)
        zsock_destroy(&publisher->socket);
    return error;
}

void
sb_publisher_guard(struct sb_publisher *publisher)
{
    if (!publisher->bound) {
        if (!crowded())
            bind_socket(publisher, NULL); /* else the next heartbeat tries again */
    } else if (crowded() || sb_socket_inode(publisher->path) != sb_load(publisher->inode)) {
        sb_store_release(publisher->inode, 0);
        zsock_unbind(publisher->socket, "ipc://%s", publisher->path);
        publisher->bound = false;
    }
}

void
sb_publisher_close(struct sb_publisher *publisher)
{
    zsock_destroy(&publisher->socket);
}
