/* SPDX-License-Identifier: Apache-2.0
 *
 * net.h - the network as the workers see it: an immutable snapshot of switches, ports and links.
 *
 * The main thread builds one (topology/paths.c) after each change and mails it to every worker; a
 * worker uses it without a lock until it gets the next one. The last worker to let go frees it.
 */
#ifndef TRIVET_CONTROLLER_NET_H
#define TRIVET_CONTROLLER_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <trivet/tables.h>

#define CTL_FAR UINT16_MAX /* distance of an unreachable switch */

struct ctl_net_port {
    uint32_t port;
    uint8_t type; /* enum sb_port_type */
    bool up;
    bool tree;    /* a link on the flood tree */
    bool linked;  /* both ends hear each other, whether or not the far switch is connected now */
    int32_t peer; /* index of the switch at the other end of a link that is up, else -1 */
    uint32_t peer_port;
    uint8_t mac[6];
};

struct ctl_net_switch {
    uint64_t dpid;
    uint32_t rr_counter; /* as stored: a worker takes it when it first sees the switch */
    uint32_t component;  /* switches with the same number reach each other */
    uint32_t n_ports;
    struct ctl_net_port *ports; /* sorted by port */
    uint16_t *distance;         /* hops to each switch, by index */
};

struct ctl_net {
    atomic_uint refs; /* workers that may still use it */
    uint64_t version;
    uint32_t n_switches;
    struct ctl_net_switch *switches; /* sorted by dpid; those that are ready */
};

/* Hosts may be behind it: edge ports, and the switch's own port (a bridge interface with an
 * address). */
static inline bool
ctl_is_edge(uint8_t type)
{
    return type == SB_port_type_EDGE || type == SB_port_type_SHARED || type == SB_port_type_LOCAL;
}

/* Index of a switch, or -1. */
int32_t ctl_net_find(const struct ctl_net *net, uint64_t dpid);
/* A port of a switch, or NULL. */
const struct ctl_net_port *ctl_net_search_port(const struct ctl_net_switch *sw, uint32_t port);
static inline const struct ctl_net_port *
ctl_net_port(const struct ctl_net_switch *sw, uint32_t port)
{
    /* Ports are numbered 1, 2, 3 ... on nearly every switch. */
    if (port - 1 < sw->n_ports && sw->ports[port - 1].port == port)
        return &sw->ports[port - 1];
    return ctl_net_search_port(sw, port);
}
/* Ports of `from` that lie on a shortest path to `to`, in port order: at most max into ret; the
 * number found. None if from == to or unreachable. */
uint32_t ctl_net_next_hops(const struct ctl_net *net, int32_t from, int32_t to, uint32_t *ret,
                           uint32_t max);
void ctl_net_release(struct ctl_net *net);

#endif
