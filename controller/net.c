/* SPDX-License-Identifier: Apache-2.0
 *
 * net.c - look-ups in a topology snapshot. Pure reads, any thread.
 */
#include "net.h"

#include <stdlib.h>

int32_t
ctl_net_find(const struct ctl_net *net, uint64_t dpid)
{
    uint32_t low = 0, high = net == NULL ? 0 : net->n_switches;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (net->switches[middle].dpid < dpid)
            low = middle + 1;
        else
            high = middle;
    }
    if (net == NULL || low == net->n_switches || net->switches[low].dpid != dpid)
        return -1;
    return (int32_t)low;
}

const struct ctl_net_port *
ctl_net_search_port(const struct ctl_net_switch *sw, uint32_t port)
{
    uint32_t low = 0, high = sw->n_ports;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (sw->ports[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sw->n_ports && sw->ports[low].port == port ? &sw->ports[low] : NULL;
}

uint32_t
ctl_net_next_hops(const struct ctl_net *net, int32_t from, int32_t to, uint32_t *ret, uint32_t max)
{
    const struct ctl_net_switch *sw = &net->switches[from];
    uint32_t n = 0;

    if (from == to || sw->distance[to] == CTL_FAR)
        return 0;
    for (uint32_t i = 0; i < sw->n_ports && n < max; i++) {
        const struct ctl_net_port *port = &sw->ports[i];

        if (port->peer >= 0 && net->switches[port->peer].distance[to] + 1 == sw->distance[to])
            ret[n++] = port->port;
    }
    return n;
}

void
ctl_net_release(struct ctl_net *net)
{
    if (net == NULL || atomic_fetch_sub(&net->refs, 1) != 1)
        return;
    for (uint32_t i = 0; i < net->n_switches; i++) {
        free(net->switches[i].ports);
        free(net->switches[i].distance);
    }
    free(net->switches);
    free(net);
}
