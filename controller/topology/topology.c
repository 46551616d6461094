/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.c - the topology as one object of the main thread: mail in, timers, snapshots out.
 */
#include "topology.h"

#include <stdio.h>
#include <stdlib.h>

#include <trivet/clock.h>

int
ctl_topology_open(struct ctl_app *app, const char *runtime_dir)
{
    struct ctl_topology *topology = calloc(1, sizeof(*topology));

    if (topology == NULL)
        return -1;
    app->topology = topology;
    topology->app = app;
    topology->interval_ns = app->config->controller.discovery_interval_ms * SB_MS;
    topology->settle_ns = app->config->controller.discovery_settle_ms * SB_MS;
    topology->switches_table = sb_owner_table(app->owner, SB_T_switch, 0);
    topology->ports_table = sb_owner_table(app->owner, SB_T_port, 0);
    topology->links_table = sb_owner_table(app->owner, SB_T_link, 0);
    topology->hosts_table = sb_owner_table(app->owner, SB_T_host, 0);
    topology->flood = ctl_flood_new();
    if (topology->flood == NULL || ctl_discovery_key(topology, runtime_dir) != 0)
        return -1;
    ctl_graph_restore(topology);
    ctl_tree_restore(topology);
    ctl_hosts_restore(topology);
    if (sb_owner_warm(app->owner)) /* a second after the workers */
        topology->confirm_mono_ns = sb_mono() + (app->config->controller.confirm_s + 1) * SB_SECOND;
    topology->dirty = true;
    return 0;
}

void
ctl_topology_close(struct ctl_topology *topology)
{
    if (topology == NULL)
        return;
    ctl_net_release(topology->net);
    ctl_graph_free(topology);
    ctl_flood_free(topology->flood);
    free(topology);
}

void
ctl_topology_mail(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    switch (mail->type) {
    case CTL_M_SWITCH_UP:
        ctl_graph_switch_up(topology, mail);
        break;
    case CTL_M_SWITCH_DOWN:
        ctl_graph_switch_down(topology, mail);
        break;
    case CTL_M_PORT:
        ctl_graph_port_status(topology, mail);
        break;
    case CTL_M_LLDP:
        ctl_discovery_frame(topology, mail);
        break;
    case CTL_M_HOST:
        ctl_hosts_seen(topology, (const void *)mail->data);
        break;
    case CTL_M_CLASH:
        ctl_hosts_clash(topology, (const void *)mail->data);
        break;
    case CTL_M_MULTICAST:
        ctl_tree_confirmed(topology, mail);
        break;
    case CTL_M_FLOOD:
        ctl_flood(topology, mail);
        break;
    case CTL_M_STATS:
        ctl_graph_stats(topology, mail);
        break;
    case CTL_M_COUNTERS:
        ctl_graph_counters(topology, mail);
        break;
    case CTL_M_POLLED:
        ctl_graph_polled(topology, mail);
        break;
    case CTL_M_PORT_SEEN: {
        struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

        if (sw != NULL && sw->conn == mail->conn)
            ctl_graph_port_seen(topology, sw, mail->port);
        break;
    }
    default:
        sb_error("main thread: mail of type %d is not for it, dropped", mail->type);
    }
}

/* When something that took `cost` at `last` may be done again: one a turn, and no more than a tenth
 * of the time is spent on it. */
static uint64_t
again_ns(uint64_t last, uint64_t cost)
{
    return last + cost * 10;
}

static void
publish_net(struct ctl_topology *topology, uint64_t mono)
{
    struct ctl_app *app = topology->app;
    struct ctl_net *net = ctl_net_build(topology);

    if (net == NULL) {
        sb_error("topology: out of memory for a snapshot of %u switches, the old one stays",
                 topology->n_switches);
        return;
    }
    topology->dirty = false;
    net->version = ++topology->version;
    atomic_init(&net->refs, app->n_workers + 1);
    for (unsigned i = 0; i < app->n_workers; i++) {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_NET, 0, sizeof(net));

        memcpy(mail->data, &net, sizeof(net));
        ctl_post(&app->workers[i].mailbox, mail);
    }
    ctl_net_release(topology->net);
    topology->net = net;
    topology->built_mono_ns = sb_mono();
    topology->build_cost_ns = topology->built_mono_ns - mono;
    topology->tree_due = true;
    ctl_flood_again(topology);
}

int
ctl_topology_run(struct ctl_topology *topology)
{
    uint64_t mono = sb_mono(), next, snapshot, tree;

    if (mono >= topology->next_check_ns) {
        ctl_graph_expire(topology, mono);
        topology->next_check_ns = ctl_discovery_run(topology, mono);
    }
    if (topology->confirm_mono_ns != 0 && mono >= topology->confirm_mono_ns) {
        topology->confirm_mono_ns = 0;
        ctl_hosts_confirm(topology);
    }
    if (topology->dirty && mono >= again_ns(topology->built_mono_ns, topology->build_cost_ns))
        publish_net(topology, mono);
    if (topology->tree_due && mono >= again_ns(topology->tree_mono_ns, topology->tree_cost_ns)) {
        mono = sb_mono();
        ctl_tree_run(topology);
        topology->tree_mono_ns = sb_mono();
        topology->tree_cost_ns = topology->tree_mono_ns - mono;
    }
    next = topology->next_check_ns;
    snapshot = again_ns(topology->built_mono_ns, topology->build_cost_ns);
    tree = again_ns(topology->tree_mono_ns, topology->tree_cost_ns);
    if (topology->dirty && next > snapshot)
        next = snapshot;
    if (topology->tree_due && next > tree)
        next = tree;
    mono = sb_mono();
    return next <= mono ? 0 : (int)((next - mono + SB_MS - 1) / SB_MS);
}
