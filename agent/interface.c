/* SPDX-License-Identifier: Apache-2.0
 *
 * interface.c - see interface.h. What changed is not taken from the netlink
 * messages but read anew: a lost message then costs nothing.
 */
#include "interface.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Position of the interface in the order wanted, or -1. */
static int
rank_of(const struct ifaddrs *ifa, char *const *names, unsigned n_names)
{
    if (n_names == 0)
        return (ifa->ifa_flags & IFF_MULTICAST) && !(ifa->ifa_flags & IFF_LOOPBACK) ? 0 : -1;
    for (unsigned i = 0; i < n_names; i++)
        if (strcmp(ifa->ifa_name, names[i]) == 0)
            return (int)i;
    return -1;
}

static void
find_mac(const struct ifaddrs *all, const char *name, uint8_t ret[6])
{
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        const struct sockaddr_ll *link = (const void *)i->ifa_addr;

        if (link && link->sll_family == AF_PACKET && link->sll_halen == 6 &&
            strcmp(i->ifa_name, name) == 0)
            memcpy(ret, link->sll_addr, 6);
    }
}

unsigned
ag_interfaces(struct ag_interface ret[AG_INTERFACES_MAX], char *const *names, unsigned n_names)
{
    int ranks[AG_INTERFACES_MAX];
    struct ifaddrs *all;
    unsigned n = 0;

    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *i = all; i && n < AG_INTERFACES_MAX; i = i->ifa_next) {
        struct ag_interface one = {.if_index = if_nametoindex(i->ifa_name)};
        int rank = rank_of(i, names, n_names);
        unsigned at;

        if (rank < 0 || !i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
            !(i->ifa_flags & IFF_UP) || one.if_index == 0)
            continue;
        for (at = 0; at < n && ret[at].if_index != one.if_index; at++)
            ;
        if (at < n) /* a further address */
            continue;
        snprintf(one.if_name, sizeof(one.if_name), "%s", i->ifa_name);
        one.if_address = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
        find_mac(all, one.if_name, one.if_mac);
        for (at = n++; at > 0 && ranks[at - 1] > rank; at--) {
            ret[at] = ret[at - 1];
            ranks[at] = ranks[at - 1];
        }
        ret[at] = one;
        ranks[at] = rank;
    }
    freeifaddrs(all);
    return n;
}

bool
ag_interfaces_exist(char *const *names, unsigned n_names, char *message, size_t size)
{
    struct if_nameindex *all = if_nameindex();
    bool exist = true;

    for (unsigned i = 0; i < n_names && exist; i++) {
        exist = if_nametoindex(names[i]) != 0;
        if (exist)
            continue;
        snprintf(message, size, "interface %s: no such interface; there are:", names[i]);
        for (const struct if_nameindex *one = all; one && one->if_index != 0; one++) {
            size_t len = strlen(message);

            snprintf(message + len, size - len, " %s", one->if_name);
        }
    }
    if (all)
        if_freenameindex(all);
    return exist;
}

int
ag_interface_events(void)
{
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error;

    if (fd >= 0 && bind(fd, (const void *)&address, sizeof(address)) != 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
