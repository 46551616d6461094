/* SPDX-License-Identifier: Apache-2.0
 *
 * timestamps.c - UDP sockets whose datagrams carry kernel time stamps. Part of
 * socket.h; the only file that knows SO_TIMESTAMPING.
 *
 * Receive stamps come as a control message with the datagram. Transmit stamps
 * come on the error queue, with the id (OPT_ID) of the datagram: a counter the
 * kernel keeps per socket, which so_key follows. Two are asked for: SCHED, as the
 * packet enters the queueing discipline, and SOFTWARE, as the driver takes it;
 * some drivers (internal ports of the OVS kernel datapath) never give the latter.
 */
#include "socket.h"
#include <trivet/holder.h>
#include "stamp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <trivet/clock.h>
#include <unistd.h>

#define PROBE_TTL 255 /* RFC 8762 4.1 */

static const int stamp_flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
                               SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE |
                               SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;

static bool
set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Turning OPT_ID off and on makes the kernel count from 0 again. */
static void
stamps_start(struct ag_socket *sock)
{
    set(sock->so_fd, SOL_SOCKET, SO_TIMESTAMPING, 0);
    sock->so_stamps = set(sock->so_fd, SOL_SOCKET, SO_TIMESTAMPING, stamp_flags);
    sock->so_key = 0;
}

int
ag_socket_open(struct ag_socket *sock, int family, uint16_t port, char *message)
{
    union ag_address any = {.sa.sa_family = (sa_family_t)family};
    bool six = family == AF_INET6;
    char holder[SB_HOLDER_MAX];
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    *sock = (struct ag_socket){.so_fd = fd, .so_family = family};
    if (fd < 0)
        goto fail;
    ag_address_set_port(&any, port);
    /* One socket a family: a dual-stack one would show IPv4 peers as mapped addresses. */
    if (six && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        goto fail;
    if (bind(fd, &any.sa, ag_address_size(&any)) != 0)
        goto fail;
    if (six) {
        set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, PROBE_TTL);
        set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    } else {
        set(fd, IPPROTO_IP, IP_TTL, PROBE_TTL);
        set(fd, IPPROTO_IP, IP_RECVTTL, 1);
        set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    }
    stamps_start(sock);
    return 0;
fail:
    error = errno;
    holder[0] = '\0';
    if (error == EADDRINUSE)
        sb_port_holder("udp", port, holder, sizeof(holder));
    snprintf(message, AG_MESSAGE_MAX, "UDP port %u (IPv%d): %s%s%s", port, six ? 6 : 4,
             strerror(error), holder[0] ? ", held by " : "", holder);
    ag_socket_close(sock);
    return -error;
}

void
ag_socket_close(struct ag_socket *sock)
{
    if (sock->so_fd >= 0)
        close(sock->so_fd);
    sock->so_fd = -1;
}

uint16_t
ag_socket_port(const struct ag_socket *sock)
{
    union ag_address address = {0};
    socklen_t size = sizeof(address);

    if (getsockname(sock->so_fd, &address.sa, &size) != 0)
        return 0;
    return ag_address_port(&address);
}

int
ag_socket_send(struct ag_socket *sock, const void *data, size_t len, const union ag_address *to,
               const union ag_address *from, uint32_t *ret_key)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {0};
    struct msghdr msg = {
        .msg_name = (void *)(uintptr_t)to,
        .msg_namelen = ag_address_size(to),
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    int error;

    if (from && from->sa.sa_family == sock->so_family) {
        struct cmsghdr *cmsg;

        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        cmsg = CMSG_FIRSTHDR(&msg);
        if (sock->so_family == AF_INET) {
            struct in_pktinfo info = {.ipi_spec_dst = from->in.sin_addr};

            cmsg->cmsg_level = IPPROTO_IP;
            cmsg->cmsg_type = IP_PKTINFO;
            cmsg->cmsg_len = CMSG_LEN(sizeof(info));
            memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
            msg.msg_controllen = CMSG_SPACE(sizeof(info));
        } else {
            struct in6_pktinfo info = {.ipi6_addr = from->in6.sin6_addr,
                                       .ipi6_ifindex = to->in6.sin6_scope_id};

            cmsg->cmsg_level = IPPROTO_IPV6;
            cmsg->cmsg_type = IPV6_PKTINFO;
            cmsg->cmsg_len = CMSG_LEN(sizeof(info));
            memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
        }
    }
    if (sendmsg(sock->so_fd, &msg, 0) >= 0) {
        *ret_key = sock->so_key++;
        return 0;
    }
    error = errno;
    /* Whether a failed send used up an id depends on where it failed and on the kernel's version.
     */
    sock->so_resyncs++;
    stamps_start(sock);
    return -error;
}

/* The software stamp of a control message, 0 if it has none. */
static uint64_t
stamp_of(struct cmsghdr *cmsg)
{
    struct scm_timestamping stamps;

    if (cmsg->cmsg_len < CMSG_LEN(sizeof(stamps)))
        return 0;
    memcpy(&stamps, CMSG_DATA(cmsg), sizeof(stamps));
    return (uint64_t)stamps.ts[0].tv_sec * SB_SECOND + (uint64_t)stamps.ts[0].tv_nsec;
}

static void
read_control(struct cmsghdr *cmsg, struct ag_packet *ret)
{
    int level = cmsg->cmsg_level, type = cmsg->cmsg_type, value = 0;
    uint64_t stamp;

    if (level == SOL_SOCKET && type == SO_TIMESTAMPING) {
        stamp = stamp_of(cmsg);
        if (stamp != 0) {
            ret->stamp_ns = stamp;
            ret->method = SB_stamp_method_KERNEL;
        }
    } else if ((level == IPPROTO_IP && type == IP_TTL) ||
               (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT)) {
        memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
        ret->ttl = (uint8_t)value;
    } else if (level == IPPROTO_IP && type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
        ret->to.sa.sa_family = AF_INET;
        ret->to.in.sin_addr = info.ipi_addr;
    } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
        ret->to.sa.sa_family = AF_INET6;
        ret->to.in6.sin6_addr = info.ipi6_addr;
    }
}

int
ag_socket_receive(struct ag_socket *sock, void *data, size_t size, struct ag_packet *ret)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};
    union {
        struct cmsghdr align;
        uint8_t bytes[512];
    } control;
    struct ag_packet packet = {.method = SB_stamp_method_USER};
    struct msghdr msg = {
        .msg_name = &packet.from,
        .msg_namelen = sizeof(packet.from),
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t n = recvmsg(sock->so_fd, &msg, 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    packet.len = (size_t)n;
    packet.truncated = (msg.msg_flags & MSG_TRUNC) != 0;
    packet.stamp_ns = sb_now();
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        read_control(c, &packet);
    *ret = packet;
    return 1;
}

int
ag_socket_stamp(struct ag_socket *sock, struct ag_tx_stamp *ret)
{
    for (;;) {
        union {
            struct cmsghdr align;
            uint8_t bytes[512];
        } control;
        struct msghdr msg = {.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
        struct sock_extended_err error = {0};
        uint64_t stamp = 0;

        /* TSONLY: no payload comes back, so no buffer is needed. */
        if (recvmsg(sock->so_fd, &msg, MSG_ERRQUEUE) < 0) {
            if (errno == EINTR)
                continue;
            return 0;
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING)
                stamp = stamp_of(c);
            else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                     (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
                memcpy(&error, CMSG_DATA(c), sizeof(error));
        }
        if (stamp == 0 || error.ee_errno != ENOMSG ||
            error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING ||
            (error.ee_info != SCM_TSTAMP_SND && error.ee_info != SCM_TSTAMP_SCHED))
            continue;
        *ret = (struct ag_tx_stamp){
            .ns = stamp,
            .key = error.ee_data,
            .method =
                error.ee_info == SCM_TSTAMP_SND ? SB_stamp_method_KERNEL : SB_stamp_method_SCHED,
        };
        return 1;
    }
}

uint16_t
ag_clock_error(void)
{
    struct timex timex = {0};
    int state = adjtimex(&timex);

    if (state < 0)
        return ag_stamp_error(UINT32_MAX, 0);
    return ag_stamp_error((uint64_t)(timex.maxerror < 0 ? 0 : timex.maxerror),
                          state != TIME_ERROR && !(timex.status & STA_UNSYNC));
}
