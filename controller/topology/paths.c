/* SPDX-License-Identifier: Apache-2.0
 *
 * paths.c - builds the snapshot that workers decide on: distances between all ready switches
 * (breadth first from each, O(n (n + links))), and one flood tree per component, rooted at its
 * lowest dpid with ports in order, so that the same network always has the same tree.
 */
#include "topology.h"

#include <stdlib.h>

#include <trivet/clock.h>

static bool
fill_switch(const struct ctl_switch *from, uint32_t n_switches, struct ctl_net_switch *to)
{
    to->dpid = from->row.dpid;
    to->rr_counter = from->row.rr_counter;
    to->component = UINT32_MAX;
    to->ports = calloc(from->n_ports > 0 ? from->n_ports : 1, sizeof(*to->ports));
    to->distance = malloc(n_switches * sizeof(*to->distance));
    if (to->ports == NULL || to->distance == NULL)
        return false;
    for (uint32_t i = 0; i < from->n_ports; i++) {
        struct ctl_net_port *port = &to->ports[to->n_ports++];

        port->port = from->ports[i].row.port;
        port->type = from->ports[i].row.type;
        port->up = from->ports[i].row.up;
        port->peer = -1;
        memcpy(port->mac, from->ports[i].row.mac, 6);
    }
    for (uint32_t i = 0; i < n_switches; i++)
        to->distance[i] = CTL_FAR;
    return true;
}

static void
fill_links(struct ctl_topology *topology, struct ctl_net *net, const struct ctl_switch *from,
           struct ctl_net_switch *to)
{
    for (uint32_t i = 0; i < from->n_ports; i++) {
        struct ctl_switch *other;
        const struct ctl_port *end = ctl_graph_peer(topology, from, &from->ports[i], &other);

        if (end == NULL || from->ports[i].row.type != SB_port_type_LINK || other == from)
            continue; /* a cable between two ports of one switch carries nothing */
        to->ports[i].linked = true;
        to->ports[i].peer = ctl_net_find(net, other->row.dpid);
        to->ports[i].peer_port = end->row.port;
    }
}

/* Distances from one switch to all; on the way, when tree is set, the flood tree of its component.
 */
static void
walk(struct ctl_net *net, uint32_t root, uint32_t *queue, bool tree)
{
    uint16_t *distance = net->switches[root].distance;
    uint32_t first = 0, last = 0;

    distance[root] = 0;
    queue[last++] = root;
    while (first < last) {
        uint32_t at = queue[first++];
        struct ctl_net_switch *sw = &net->switches[at];

        for (uint32_t i = 0; i < sw->n_ports; i++) {
            int32_t peer = sw->ports[i].peer;

            if (peer < 0 || distance[peer] != CTL_FAR)
                continue;
            distance[peer] = (uint16_t)(distance[at] + 1);
            queue[last++] = (uint32_t)peer;
            if (tree) {
                struct ctl_net_switch *other = &net->switches[peer];

                sw->ports[i].tree = true;
                for (uint32_t j = 0; j < other->n_ports; j++)
                    if (other->ports[j].port == sw->ports[i].peer_port)
                        other->ports[j].tree = true;
            }
        }
    }
    if (tree)
        for (uint32_t i = 0; i < last; i++)
            net->switches[queue[i]].component = root;
}

/* The tree goes back to the graph, where the rows of links are written from. */
static void
store_tree(struct ctl_topology *topology, const struct ctl_net *net)
{
    for (uint32_t i = 0; i < net->n_switches; i++) {
        const struct ctl_net_switch *from = &net->switches[i];
        struct ctl_switch *sw = ctl_graph_switch(topology, from->dpid);

        for (uint32_t j = 0; j < from->n_ports; j++) {
            struct ctl_port *port = &sw->ports[j];

            if (port->tree == from->ports[j].tree)
                continue;
            port->tree = from->ports[j].tree;
            ctl_graph_write_link(topology, sw, port);
        }
    }
}

struct ctl_net *
ctl_net_build(struct ctl_topology *topology)
{
    struct ctl_net *net = calloc(1, sizeof(*net));
    uint32_t n = 0, *queue = NULL;

    if (net == NULL)
        return NULL;
    atomic_init(&net->refs, 1);
    for (uint32_t i = 0; i < topology->n_switches; i++)
        n += topology->switches[i]->row.state == SB_switch_state_READY;
    net->switches = calloc(n > 0 ? n : 1, sizeof(*net->switches));
    queue = malloc((n > 0 ? n : 1) * sizeof(*queue));
    if (net->switches == NULL || queue == NULL)
        goto fail;
    for (uint32_t i = 0; i < topology->n_switches; i++) {
        const struct ctl_switch *sw = topology->switches[i];

        if (sw->row.state != SB_switch_state_READY)
            continue;
        if (!fill_switch(sw, n, &net->switches[net->n_switches++]))
            goto fail;
    }
    for (uint32_t i = 0; i < n; i++)
        fill_links(topology, net, ctl_graph_switch(topology, net->switches[i].dpid),
                   &net->switches[i]);
    for (uint32_t i = 0; i < n; i++)
        walk(net, i, queue, net->switches[i].component == UINT32_MAX);
    free(queue);
    store_tree(topology, net);
    return net;
fail:
    free(queue);
    ctl_net_release(net);
    return NULL;
}
