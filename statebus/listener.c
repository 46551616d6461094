/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.c - an owner's socket: bound in the runtime directory, open to the group, never crowded.
 *
 * Whoever may read the segment may also subscribe, and ZeroMQ takes any number of connections. Two
 * things keep a crowd of them from using up the descriptors of the process:
 *
 * Admission: a connection is closed at once, where libzmq accepts it (accept4() below), when the
 * bus has half of the descriptors, or when of all of them only the last eighth is left, which is
 * for others.
 *
 * The guard: at the next heartbeat a full house is emptied: all are disconnected, and a heartbeat
 * later the socket is bound anew, so that whoever was kept out may come. Subscribers lose nothing
 * by that: they read the segment meanwhile.
 *
 * Only what the bus has counts as its crowd: a controller with more switches than that keeps its
 * subscribers. There is no list of connections: the kernel knows them, by the name of the socket
 * that they came to, and it is asked only when so many descriptors are open that they could be too
 * many, some tenths of a microsecond for each.
 *
 * Who may write to the directory could put a socket of his own in this one's place. So the segment
 * says which one is the owner's, subscribers connect to no other, and the guard takes the place
 * back. Main thread, but for accept4().
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* ---- whose descriptors they are ------------------------------------------------------ */

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

/* Could as many as a crowd be there? The lowest free number says so. */
static bool
many_below(int lowest_free)
{
    return (rlim_t)lowest_free > file_limit() / 2;
}

/* Are only the descriptors left that are kept for others? */
static bool
nearly_out(int lowest_free)
{
    return (rlim_t)lowest_free >= file_limit() - file_limit() / 8;
}

/* Sockets of owners in this process, listening and accepted. Admission lets none have a number
 * beyond the limit, so those are all. */
static rlim_t
count_connections(void)
{
    rlim_t n = 0, end = file_limit();

    for (rlim_t fd = 3; fd < end; fd++)
        n += is_publisher((int)fd);
    return n;
}

/* ---- admission ------------------------------------------------------------------- */

/* Takes the place of the C library's for libzmq, in programs that have an owner. libzmq 4.3 accepts
 * in a thread of its own, as fast as it can, and takes EMFILE for a bug: it aborts the process. No
 * option of it bounds connections (a short backlog only slows them, and whoever counts them outside
 * of that thread may do so too late). ENFILE it knows: this one was not accepted, go on. Sockets
 * that are no owner's get what the system says. */
__attribute__((visibility("default"))) int
accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    int ret = (int)syscall(SYS_accept4, fd, address, size, flags);

    if (ret >= 0 && many_below(ret) && is_publisher(fd) &&
        (nearly_out(ret) || count_connections() > file_limit() / 2)) {
        close(ret);
        errno = ENFILE;
        return -1;
    }
    if (ret < 0 && errno == EMFILE)
        errno = is_publisher(fd) ? ENFILE : EMFILE;
    return ret;
}

/* Does the bus turn connections away because of those it has? When others have most descriptors, a
 * quarter is a crowd, too. */
static bool
crowded(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int lowest_free = fd >= 0 ? fd : errno == EMFILE ? INT_MAX : 0;
    rlim_t n;

    if (fd >= 0)
        close(fd);
    if (!many_below(lowest_free))
        return false;
    n = count_connections();
    return n >= file_limit() / 2 || (nearly_out(lowest_free) && n >= file_limit() / 4);
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
    zsys_handler_set(NULL); /* the first socket would take SIGINT and SIGTERM from the program */
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
