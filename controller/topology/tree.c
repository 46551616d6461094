/* SPDX-License-Identifier: Apache-2.0
 *
 * tree.c - the multicast tree: which ports of each switch multicast may use in the data plane, and
 * in which order that changes. Main thread only; the workers carry it out (../multicast.c).
 *
 * A port is *on* when its switch may send multicast out of it or take some in by it: from the
 * moment that is ordered until the switch has confirmed the order that takes it away. A link
 * carries multicast only when both its ends are on. The one rule: links that carry form no ring at
 * any instant. So a port of a link that would close one waits until enough others are confirmed to
 * be off, however many switches have to answer: break before make.
 *
 * The tree is wanted over all switches that are known, also over those without a connection, since
 * their rules go on forwarding; it is found breadth first from the lowest dpid with ports in order,
 * so that a restarted controller wants what it wanted before and nothing changes in any switch.
 * What a switch really has it lists when it connects; until then every port of one that was known
 * before a restart counts as on.
 */
#include "topology.h"

#include <stdlib.h>

#include "../policy/policy.h"

/* ---- what is wanted ---------------------------------------------------------------------- */

/* The other end of a link that is up in both directions; NULL: it is none. */
static struct ctl_port *
far_end(const struct ctl_topology *topology, const struct ctl_switch *sw,
        const struct ctl_port *port, struct ctl_switch **ret_switch)
{
    struct ctl_port *end;

    if (port->row.type != SB_port_type_LINK)
        return NULL;
    end = ctl_graph_peer(topology, sw, port, ret_switch);
    return end == NULL || *ret_switch == sw || end->row.type != SB_port_type_LINK ? NULL : end;
}

static void
want_ports(struct ctl_topology *topology)
{
    for (uint32_t i = 0; i < topology->n_switches; i++) {
        struct ctl_switch *sw = topology->switches[i];

        sw->tree_root = i;
        sw->tree_seen = false;
        for (uint32_t j = 0; j < sw->n_ports; j++) {
            struct ctl_port *port = &sw->ports[j];

            port->cast_want = port->row.up && ctl_is_edge(port->row.type);
        }
    }
}

static void
want_tree(struct ctl_topology *topology, struct ctl_switch **queue)
{
    for (uint32_t i = 0; i < topology->n_switches; i++) {
        uint32_t first = 0, last = 0;

        if (topology->switches[i]->tree_seen)
            continue;
        topology->switches[i]->tree_seen = true;
        queue[last++] = topology->switches[i];
        while (first < last) {
            struct ctl_switch *sw = queue[first++], *other;

            for (uint32_t j = 0; j < sw->n_ports; j++) {
                struct ctl_port *end = far_end(topology, sw, &sw->ports[j], &other);

                if (end == NULL || other->tree_seen)
                    continue;
                other->tree_seen = true;
                sw->ports[j].cast_want = end->cast_want = true;
                queue[last++] = other;
            }
        }
    }
}

/* ---- what may be ordered ------------------------------------------------------------------- */

static uint32_t
root_of(struct ctl_topology *topology, uint32_t i)
{
    struct ctl_switch **switches = topology->switches;

    while (switches[i]->tree_root != i)
        i = switches[i]->tree_root = switches[switches[i]->tree_root]->tree_root;
    return i;
}

/* False: they were joined already. */
static bool
join(struct ctl_topology *topology, const struct ctl_switch *a, const struct ctl_switch *b)
{
    uint32_t x = root_of(topology, a->tree_index), y = root_of(topology, b->tree_index);

    topology->switches[x]->tree_root = y;
    return x != y;
}

/* The end that a port which is on, or may become so, reaches: what it was when it was put on counts
 * as well as what it hears now, since a cable does not end because discovery frames were lost. */
static struct ctl_port *
reached(const struct ctl_topology *topology, const struct ctl_port *port,
        struct ctl_switch **ret_switch)
{
    uint64_t dpid = port->heard_dpid != 0 ? port->heard_dpid : port->cast_dpid;
    uint32_t number = port->heard_dpid != 0 ? port->heard_port : port->cast_port;

    *ret_switch = dpid == 0 ? NULL : ctl_graph_switch(topology, dpid);
    return *ret_switch == NULL ? NULL : ctl_graph_port(*ret_switch, number);
}

static void
join_carrying(struct ctl_topology *topology)
{
    for (uint32_t i = 0; i < topology->n_switches; i++)
        for (uint32_t j = 0; j < topology->switches[i]->n_ports; j++) {
            const struct ctl_port *port = &topology->switches[i]->ports[j], *end;
            struct ctl_switch *other;

            end = port->cast_on ? reached(topology, port, &other) : NULL;
            if (end != NULL && end->cast_on)
                join(topology, topology->switches[i], other);
        }
}

static bool
may_be_on(struct ctl_topology *topology, const struct ctl_switch *sw, struct ctl_port *port)
{
    struct ctl_switch *other;
    const struct ctl_port *end;

    if (port->row.type != SB_port_type_LINK)
        return true;
    end = reached(topology, port, &other);
    if (end == NULL || (!port->cast_on && end->cast_on && !join(topology, sw, other)))
        return false;
    port->cast_dpid = other->row.dpid;
    port->cast_port = end->row.port;
    return true;
}

static void
order(struct ctl_topology *topology, struct ctl_switch *sw, bool none)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_W_MULTICAST, sw->row.dpid,
                                         sizeof(struct ctl_mail_multicast) +
                                             sw->n_ports * sizeof(struct ctl_multicast_port));
    struct ctl_mail_multicast *message = (void *)mail->data;
    bool changed = !sw->cast_known;

    for (uint32_t i = 0; i < sw->n_ports; i++) {
        struct ctl_port *port = &sw->ports[i];
        bool link = port->row.type == SB_port_type_LINK;
        bool on = !none && port->cast_want && may_be_on(topology, sw, port);

        changed |= on != port->cast_ordered || (on && link != port->cast_link);
        port->cast_ordered = on;
        port->cast_link = link;
        if (!on)
            continue;
        port->cast_on = true;
        message->ports[message->n_ports++] = (struct ctl_multicast_port){port->row.port, link};
    }
    if (!changed) {
        free(mail);
        return;
    }
    sw->cast_known = true;
    message->number = ++sw->cast_number;
    mail->conn = sw->conn;
    ctl_post(&topology->app->workers[sw->row.worker].mailbox, mail);
}

void
ctl_tree_run(struct ctl_topology *topology)
{
    struct ctl_switch **queue;
    bool refused = false;

    topology->tree_due = false;
    if (!topology->app->workers[0].policy->multicast || topology->n_switches == 0)
        return;
    queue = malloc(topology->n_switches * sizeof(struct ctl_switch *));
    if (queue == NULL) {
        topology->tree_due = true; /* the old tree stays */
        return;
    }
    for (uint32_t i = 0; i < topology->n_switches; i++) {
        topology->switches[i]->tree_index = i;
        refused |= topology->switches[i]->cast_refused;
    }
    want_ports(topology);
    want_tree(topology, queue);
    free(queue);
    join_carrying(topology);
    /* A switch without groups would keep multicast from its hosts: then all of it goes by the
     * controller, everywhere. */
    for (uint32_t i = 0; i < topology->n_switches; i++)
        if (topology->switches[i]->conn != 0)
            order(topology, topology->switches[i], refused);
}

/* ---- what switches say ---------------------------------------------------------------------- */

void
ctl_tree_switch_up(struct ctl_switch *sw, const uint32_t *ports, uint32_t n_ports)
{
    for (uint32_t i = 0; i < sw->n_ports; i++) {
        struct ctl_port *port = &sw->ports[i];

        port->cast_on = port->cast_ordered = false;
        for (uint32_t j = 0; j < n_ports; j++)
            port->cast_on |= ports[j] == port->row.port;
    }
    sw->cast_known = sw->cast_refused = false;
}

void
ctl_tree_confirmed(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_multicast_done *done = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

    if (sw == NULL || sw->conn != mail->conn)
        return;
    topology->tree_due = true;
    if (done->refused) {
        sw->cast_refused = true;
        return;
    }
    if (done->number != sw->cast_number)
        return; /* a newer order is on its way */
    for (uint32_t i = 0; i < sw->n_ports; i++)
        sw->ports[i].cast_on = sw->ports[i].cast_ordered;
}

void
ctl_tree_restore(struct ctl_topology *topology)
{
    for (uint32_t i = 0; i < topology->n_switches; i++)
        for (uint32_t j = 0; j < topology->switches[i]->n_ports; j++)
            topology->switches[i]->ports[j].cast_on = true;
}
