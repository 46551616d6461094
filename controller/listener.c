/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.c - where switches connect: tcp:ADDR:PORT, ssl:ADDR:PORT ([...] around an IPv6 address)
 * and unix:PATH. Main thread. An address in use is reported with the process that holds it.
 */
#include "controller.h"

#include <trivet/clock.h>
#include <trivet/holder.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024 /* storms of reconnecting switches; net.core.somaxconn may be less */
#define AT_ONCE 32   /* accepted in one turn, so that other work is not kept waiting */
#define SOCKET_MODE 0660

/* ---- listening ---------------------------------------------------------------------------- */

static int
listen_tcp(const char *spec, char *message, size_t size)
{
    char host[128], holder[SB_HOLDER_MAX];
    const char *rest = spec + 4, *colon = strrchr(rest, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM},
                    *info = NULL;
    int fd = -1, one = 1, error;
    unsigned long port;
    char *end;

    if (colon == NULL || (size_t)(colon - rest) >= sizeof(host)) {
        snprintf(message, size, "%s: write %.4sADDRESS:PORT", spec, spec);
        return -1;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(colon - rest), rest);
    if (host[0] == '[' && host[strlen(host) - 1] == ']') { /* IPv6, a scope id with it */
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    /* getaddrinfo() would take 99999 for 34463 */
    port = strtoul(colon + 1, &end, 10);
    error = port < 1 || port > UINT16_MAX || *end != '\0'
                ? EAI_SERVICE
                : getaddrinfo(host, colon + 1, &hints, &info);
    if (error != 0) {
        snprintf(message, size, "%s: %s (an address in numbers and a port from 1 to 65535)", spec,
                 gai_strerror(error));
        return -1;
    }
    fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        goto fail;
    freeaddrinfo(info);
    return fd;
fail:
    error = errno;
    if (error == EADDRINUSE) {
        sb_port_holder("tcp", (uint16_t)port, holder, sizeof(holder));
        snprintf(message, size,
                 "%s: in use by %s; stop that, or choose another address with --listen", spec,
                 holder);
    } else {
        snprintf(message, size, "%s: %s", spec, strerror(error));
    }
    freeaddrinfo(info);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int
listen_unix(const char *spec, char *message, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = spec + 5;
    struct stat st;
    int fd, probe, error;
    mode_t mask;
    bool bound;

    if (*path == '\0' || strlen(path) >= sizeof(address.sun_path)) {
        snprintf(message, size, "%.60s%s: a path of %zu bytes; it may have 1 to %zu", spec,
                 strlen(spec) > 60 ? "..." : "", strlen(path), sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        snprintf(message, size, "%s: is there already, and no socket; choose another path", spec);
        return -1;
    }
    /* A socket file whose owner is dead is in the way; one that answers is in use. */
    if (lstat(path, &st) == 0) {
        probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe >= 0 && connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0 &&
            errno == ECONNREFUSED)
            unlink(path);
        if (probe >= 0)
            close(probe);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mask = umask(0777 & ~SOCKET_MODE); /* other threads are not there yet */
    bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    error = errno;
    umask(mask);
    if (bound && listen(fd, BACKLOG) == 0)
        return fd;
    if (bound)
        error = errno;
    snprintf(message, size, "%s: %s", spec,
             error == EADDRINUSE ? "in use by a process that answers on it" : strerror(error));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool
ctl_listen_tls(const char *spec)
{
    return strncmp(spec, "ssl:", 4) == 0;
}

int
ctl_listen(struct ctl_listener *ret, const char *spec, char *message, size_t size)
{
    int fd;

    if (strncmp(spec, "tcp:", 4) == 0 || ctl_listen_tls(spec)) {
        fd = listen_tcp(spec, message, size);
    } else if (strncmp(spec, "unix:", 5) == 0) {
        fd = listen_unix(spec, message, size);
    } else {
        snprintf(message, size, "%s: write tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH", spec);
        return -1;
    }
    if (fd < 0)
        return -1;
    ret->fd = fd;
    ret->tls = ctl_listen_tls(spec);
    ret->spec = strdup(spec);
    ret->rest_until_ns = 0;
    return 0;
}

void
ctl_listener_close(struct ctl_listener *listener)
{
    if (listener->spec != NULL && strncmp(listener->spec, "unix:", 5) == 0)
        unlink(listener->spec + 5);
    close(listener->fd);
    free(listener->spec);
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void
name_peer(const struct sockaddr_storage *peer, char *ret, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)peer;

        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        snprintf(ret, size, "%s:%u", text, ntohs(v4->sin_port));
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)peer;

        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
        snprintf(ret, size, "[%s]:%u", text, ntohs(v6->sin6_port));
    } else {
        snprintf(ret, size, "unix");
    }
}

/* To a worker, or for its TLS handshake to the greeter. */
static void
hand_on(struct ctl_app *app, const struct ctl_listener *listener, int fd,
        const struct sockaddr_storage *peer)
{
    struct ctl_mail_accept *accepted;
    struct ctl_mail *mail = ctl_mail_new(CTL_W_ACCEPT, 0, sizeof(*accepted));
    int one = 1;

    if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    accepted = (void *)mail->data;
    accepted->fd = fd;
    accepted->opened_ns = sb_mono();
    name_peer(peer, accepted->address, sizeof(accepted->address));
    if (!listener->tls) {
        ctl_post(&app->workers[app->n_accepted++ % app->n_workers].mailbox, mail);
        return;
    }
    accepted->tls = ctl_tls_new(app->tls, fd);
    if (accepted->tls != NULL) {
        ctl_post(ctl_greeter_mailbox(app->greeter), mail);
        return;
    }
    sb_error("%s: switch from %s: TLS: out of memory, closing", listener->spec, accepted->address);
    close(fd);
    free(mail);
}

void
ctl_listener_run(struct ctl_app *app, struct ctl_listener *listener)
{
    static struct sb_log_limit limit;

    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        int fd;

        fd = accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_on(app, listener, fd, &peer);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        listener->rest_until_ns = sb_mono() + SB_SECOND / 4;
        if (sb_log_allowed(&limit, 1, NULL))
            sb_warning("%s: accept: %s; no new switch until connections end%s", listener->spec,
                       strerror(errno),
                       errno == EMFILE
                           ? " (raise the limit of open files: ulimit -Hn, LimitNOFILE=)"
                       : errno == ENFILE ? " (raise fs.file-max)"
                                         : "");
        return;
    }
}
