/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - beacons to 239.255.255.250:1911 on each interface, and to each
 * configured peer; beacons from others; interfaces that come, change and go.
 *
 * The group is SSDP's, so other protocols' members may be in it: the magic tells
 * ours. It is joined by interface index, which needs no route and no address, and
 * joined anew each two minutes: a snooping switch without a querier (OVS) forgets
 * a member after five.
 */
#include "agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEACON_GROUP "239.255.255.250"
#define BEACON_PORT 1911
#define BEACON_BURST 3 /* beacons at start and when an interface comes */
#define BURST_MS 150   /* between them */
#define ANNOUNCE_MS 50 /* a newcomer is greeted within that time */
#define RESCAN_MS 50   /* a burst of netlink messages is one change */
#define REJOIN_S 120
#define BEACONS_A_TURN 64
#define BEACONS_PER_SECOND 1000U /* of all senders; 255 peers send 255 on each interface */

/* ---- out --------------------------------------------------------------------- */

static struct sockaddr_in
group_address(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(BEACON_PORT)};

    inet_pton(AF_INET, BEACON_GROUP, &address.sin_addr);
    return address;
}

static void
count_send(struct ag_agent *agent, ssize_t sent, const char *where)
{
    static struct sb_log_limit limit;

    if (sent >= 0) {
        agent->ag_counts.beacons_sent++;
        return;
    }
    agent->ag_counts.beacons_unsent++;
    if (sb_log_allowed(&limit, 1, NULL))
        sb_debug("beacon to %s: %s", where, strerror(errno));
}

static void
send_beacon(struct ag_agent *agent, enum ag_beacon_kind kind)
{
    int fd = agent->ag_beacon_watch.wa_fd;
    struct sockaddr_in group = group_address();
    uint8_t data[AG_BEACON_MAX];
    struct ag_beacon beacon = {
        .id = agent->ag_id,
        .incarnation = sb_owner_incarnation(agent->ag_owner),
        .seq = ++agent->ag_beacon_seq,
        .interval_ms = AG_BEACON_MS,
        .probe_interval_ms = agent->ag_options->interval_ms,
        .probe_port = agent->ag_options->port,
        .kind = (uint8_t)kind,
    };
    size_t len;

    memcpy(beacon.name, agent->ag_name, sizeof(beacon.name));
    if (agent->ag_n_interfaces > 0)
        memcpy(beacon.mac, agent->ag_interfaces[0].if_mac, sizeof(beacon.mac));
    len = ag_beacon_put(data, &beacon);
    for (unsigned i = 0; i < agent->ag_n_interfaces; i++) {
        const struct ag_interface *one = &agent->ag_interfaces[i];
        struct ip_mreqn via = {.imr_ifindex = (int)one->if_index};
        ssize_t sent = setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via));

        if (sent == 0)
            sent = sendto(fd, data, len, 0, (const void *)&group, sizeof(group));
        count_send(agent, sent, one->if_name);
    }
    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        const struct ag_peer *peer = agent->ag_peers[i];
        union ag_address to = peer->pe_address;

        if (!peer->pe_configured || to.sa.sa_family != AF_INET)
            continue;
        ag_address_set_port(&to, BEACON_PORT);
        count_send(agent, sendto(fd, data, len, 0, &to.sa, ag_address_size(&to)), peer->pe_row);
    }
}

void
ag_discovery_announce(struct ag_agent *agent, uint64_t now)
{
    uint64_t soon = now + ag_random(ANNOUNCE_MS * SB_MS);

    if (agent->ag_beacon_mono > soon)
        agent->ag_beacon_mono = soon;
}

/* ---- in ---------------------------------------------------------------------- */

/* A beacon counts if it came over the group on one of our interfaces, or from a configured peer. */
static bool
accept_from(const struct ag_agent *agent, const struct in_pktinfo *info,
            const union ag_address *from)
{
    if (!IN_MULTICAST(ntohl(info->ipi_addr.s_addr)))
        return ag_peer_is_configured(agent, from);
    for (unsigned i = 0; i < agent->ag_n_interfaces; i++)
        if (agent->ag_interfaces[i].if_index == (unsigned)info->ipi_ifindex)
            return true;
    return false;
}

static void
take_beacon(struct ag_agent *agent, const uint8_t *data, size_t len, const struct in_pktinfo *info,
            const union ag_address *from)
{
    static struct sb_log_limit limit;
    char text[AG_ADDRESS_TEXT];
    struct ag_beacon beacon;
    int result;

    agent->ag_counts.beacons_received++;
    result = ag_beacon_get(data, len, &beacon);
    if (result == AG_BEACON_FOREIGN) {
        agent->ag_counts.beacons_foreign++;
        return;
    }
    if (result != AG_BEACON_OK) {
        agent->ag_counts.beacons_invalid++;
        if (sb_log_allowed(&limit, 1, NULL))
            sb_warning("beacon from %s: %zu bytes, %s, ignored", ag_address_text(from, text), len,
                       result == AG_BEACON_VERSION ? "another version"
                       : result == AG_BEACON_SHORT ? "truncated"
                                                   : "a field out of range");
        return;
    }
    if (beacon.id == agent->ag_id)
        return;
    if (!accept_from(agent, info, from)) {
        agent->ag_counts.beacons_stranger++;
        return;
    }
    if (!ag_bucket_spend(&agent->ag_beacon_bucket, sb_mono(), BEACONS_PER_SECOND)) {
        agent->ag_counts.beacons_capped++;
        return;
    }
    ag_peer_beacon(agent, &beacon, from);
}

static void
beacon_ready(void *arg)
{
    struct ag_agent *agent = arg;
    uint8_t data[AG_PACKET_MAX];

    for (unsigned i = 0; i < BEACONS_A_TURN; i++) {
        struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
        union {
            struct cmsghdr align;
            uint8_t bytes[256];
        } control;
        union ag_address from = {0};
        struct in_pktinfo info = {0};
        struct msghdr msg = {
            .msg_name = &from,
            .msg_namelen = sizeof(from),
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof(control.bytes),
        };
        ssize_t n = recvmsg(agent->ag_beacon_watch.wa_fd, &msg, 0);

        if (n < 0)
            return;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
                memcpy(&info, CMSG_DATA(c), sizeof(info));
        take_beacon(agent, data, (size_t)n, &info, &from);
    }
}

/* ---- interfaces --------------------------------------------------------------- */

static int
membership(const struct ag_agent *agent, const struct ag_interface *one, int option)
{
    struct ip_mreqn group = {.imr_multiaddr = group_address().sin_addr,
                             .imr_ifindex = (int)one->if_index};

    return setsockopt(agent->ag_beacon_watch.wa_fd, IPPROTO_IP, option, &group, sizeof(group));
}

static void
join(struct ag_agent *agent, struct ag_interface *one)
{
    one->if_joined = membership(agent, one, IP_ADD_MEMBERSHIP) == 0 || errno == EADDRINUSE;
    if (!one->if_joined)
        sb_warning("interface %s: cannot join %s: %s, will try again", one->if_name, BEACON_GROUP,
                   strerror(errno));
}

/* Membership of a vanished interface ends with it; one that lost its address is left. */
static void
rescan(struct ag_agent *agent, uint64_t now)
{
    struct ag_interface fresh[AG_INTERFACES_MAX], *old = agent->ag_interfaces;
    unsigned n =
        ag_interfaces(fresh, agent->ag_options->interfaces, agent->ag_options->n_interfaces);
    char text[INET_ADDRSTRLEN];
    bool came = false;

    for (unsigned i = 0; i < agent->ag_n_interfaces; i++) {
        unsigned j;

        for (j = 0; j < n && fresh[j].if_index != old[i].if_index; j++)
            ;
        if (j < n) {
            fresh[j].if_joined = old[i].if_joined;
            came |= fresh[j].if_address.s_addr != old[i].if_address.s_addr;
        } else {
            sb_warning("interface %s: gone or without address, not used any more", old[i].if_name);
            membership(agent, &old[i], IP_DROP_MEMBERSHIP);
        }
    }
    for (unsigned j = 0; j < n; j++) {
        if (fresh[j].if_joined)
            continue;
        join(agent, &fresh[j]);
        came |= fresh[j].if_joined;
        if (fresh[j].if_joined)
            sb_info("interface %s: %s, discovery on %s:%d", fresh[j].if_name,
                    inet_ntop(AF_INET, &fresh[j].if_address, text, sizeof(text)), BEACON_GROUP,
                    BEACON_PORT);
        else
            agent->ag_rescan_mono = now + SB_SECOND;
    }
    memcpy(old, fresh, sizeof(fresh));
    agent->ag_n_interfaces = n;
    if (came) {
        agent->ag_burst = BEACON_BURST;
        agent->ag_beacon_mono = now;
        ag_bus_self(agent);
    }
}

static void
rejoin(struct ag_agent *agent)
{
    for (unsigned i = 0; i < agent->ag_n_interfaces; i++) {
        membership(agent, &agent->ag_interfaces[i], IP_DROP_MEMBERSHIP);
        join(agent, &agent->ag_interfaces[i]);
    }
}

static void
netlink_ready(void *arg)
{
    struct ag_agent *agent = arg;
    uint8_t data[8192];

    /* ENOBUFS means that messages were lost: the look at everything makes up for them. */
    while (recv(agent->ag_netlink_watch.wa_fd, data, sizeof(data), 0) > 0 || errno == ENOBUFS)
        ;
    agent->ag_rescan_mono = sb_mono() + RESCAN_MS * SB_MS;
}

/* ---- life ---------------------------------------------------------------------- */

int
ag_discovery_open(struct ag_agent *agent)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(BEACON_PORT)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;

    agent->ag_beacon_watch =
        (struct ag_watch){.wa_ready = beacon_ready, .wa_arg = agent, .wa_fd = fd};
    agent->ag_netlink_watch = (struct ag_watch){
        .wa_ready = netlink_ready, .wa_arg = agent, .wa_fd = ag_interface_events()};
    /* REUSEADDR: several agents of one namespace all get the group's datagrams. MULTICAST_ALL off:
     * none of groups that others joined. The TTL of multicast is 1 by default; say it all the same.
     */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0 ||
        bind(fd, (const void *)&any, sizeof(any)) != 0 ||
        ag_loop_watch(&agent->ag_loop, &agent->ag_beacon_watch) < 0) {
        sb_error("discovery on UDP port %d: %s", BEACON_PORT, strerror(errno));
        return -1;
    }
    if (agent->ag_netlink_watch.wa_fd < 0 ||
        ag_loop_watch(&agent->ag_loop, &agent->ag_netlink_watch) < 0) {
        sb_error("netlink: %s", strerror(errno));
        return -1;
    }
    agent->ag_rescan_mono = UINT64_MAX;
    rescan(agent, sb_mono());
    if (agent->ag_n_interfaces == 0)
        sb_warning("no interface is up and has an IPv4 address: waiting for one");
    agent->ag_rejoin_mono = sb_mono() + REJOIN_S * SB_SECOND;
    return 0;
}

void
ag_discovery_close(struct ag_agent *agent)
{
    if (agent->ag_beacon_watch.wa_fd >= 0) {
        /* Twice, as one may be lost; the second is a duplicate to who heard the first. */
        for (unsigned i = 0; i < 2 && agent->ag_owner; i++)
            send_beacon(agent, AG_BEACON_GOODBYE);
        close(agent->ag_beacon_watch.wa_fd);
    }
    if (agent->ag_netlink_watch.wa_fd >= 0)
        close(agent->ag_netlink_watch.wa_fd);
    agent->ag_beacon_watch.wa_fd = agent->ag_netlink_watch.wa_fd = -1;
}

uint64_t
ag_discovery_tick(struct ag_agent *agent, uint64_t now)
{
    if (now >= agent->ag_rescan_mono) {
        agent->ag_rescan_mono = UINT64_MAX;
        rescan(agent, now);
    }
    if (now >= agent->ag_rejoin_mono) {
        agent->ag_rejoin_mono = now + REJOIN_S * SB_SECOND;
        rejoin(agent);
    }
    if (now >= agent->ag_beacon_mono) {
        uint64_t wait = AG_BEACON_MS * SB_MS;

        send_beacon(agent, AG_BEACON_HELLO);
        if (agent->ag_burst > 0) {
            agent->ag_burst--;
            wait = BURST_MS * SB_MS;
        }
        agent->ag_beacon_mono = now + wait * 9 / 10 + ag_random(wait / 5);
    }
    return agent->ag_beacon_mono < agent->ag_rescan_mono ? agent->ag_beacon_mono
                                                         : agent->ag_rescan_mono;
}
