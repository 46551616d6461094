/* SPDX-License-Identifier: Apache-2.0
 *
 * hosts.c - where hosts are attached: the table `host`, and the workers' copies of it.
 *
 * A host is a source address on an edge port. Workers report, the main thread decides and tells all
 * workers. A move is accepted at once and counted; the rules of a host that moved or whose port
 * died are deleted everywhere, because they lead to where it is no more.
 */
#include "topology.h"

#include <stdio.h>

#include <trivet/clock.h>

/* An address heard at one port does not move to another within this: a forged or looped source
 * would otherwise have the rules of its owner deleted with every packet. */
#define SETTLED_NS (100 * SB_MS)

static void
tell(struct ctl_topology *topology, const struct sb_host *row, bool gone, bool flush)
{
    struct ctl_app *app = topology->app;

    for (unsigned i = 0; i < app->n_workers; i++) {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_HOST, row->dpid, sizeof(struct ctl_mail_host));
        struct ctl_mail_host *host = (void *)mail->data;

        memcpy(host->mac, row->mac, 6);
        host->dpid = row->dpid;
        host->port = row->port;
        host->gone = gone;
        host->flush = flush;
        ctl_post(&app->workers[i].mailbox, mail);
    }
}

static void
set_ip(struct sb_host *row, const uint8_t ip[16])
{
    static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(ip, zero, 16) == 0)
        return;
    memcpy(memcmp(ip, mapped, 12) == 0 ? row->ip : row->ip6, ip, 16);
}

static bool
is_edge(const struct ctl_topology *topology, uint64_t dpid, uint32_t number)
{
    const struct ctl_switch *sw = ctl_graph_switch(topology, dpid);
    const struct ctl_port *port = sw == NULL ? NULL : ctl_graph_port(sw, number);

    return port != NULL && ctl_is_edge(port->row.type) && port->row.up;
}

void
ctl_hosts_seen(struct ctl_topology *topology, const struct ctl_mail_host *seen)
{
    struct sb_host row = {.first_ns = sb_now()};
    bool known, moved;
    int64_t slot;

    memcpy(row.mac, seen->mac, 6);
    slot = sb_find(topology->hosts_table, &row);
    known = sb_get(topology->hosts_table, slot, &row) == SB_OK;
    if (seen->alive) {
        if (known && row.dpid == seen->dpid && row.port == seen->port)
            sb_put(topology->hosts_table, &row);
        return;
    }
    moved = known && (row.dpid != seen->dpid || row.port != seen->port);
    if (!is_edge(topology, seen->dpid, seen->port) ||
        (moved && sb_now() - row.last_ns < SETTLED_NS)) {
        /* The port changed meanwhile, or two ports claim the address; the worker has believed it.
         */
        if (!known) {
            row.dpid = seen->dpid;
            row.port = seen->port;
        }
        tell(topology, &row, !known, false);
        return;
    }
    row.moves += moved;
    row.dpid = seen->dpid;
    row.port = seen->port;
    row.vlan = seen->vlan;
    row.last_ns = sb_now();
    set_ip(&row, seen->ip);
    sb_put(topology->hosts_table, &row);
    if (!known || moved) {
        ctl_event(topology->app, known ? SB_event_kind_HOST_MOVED : SB_event_kind_HOST_NEW,
                  SB_severity_INFO, row.dpid, row.port,
                  "host %02x:%02x:%02x:%02x:%02x:%02x at switch %lx port %u", row.mac[0],
                  row.mac[1], row.mac[2], row.mac[3], row.mac[4], row.mac[5], row.dpid, row.port);
        tell(topology, &row, false, moved);
    }
}

void
ctl_hosts_clash(struct ctl_topology *topology, const struct ctl_mail_host *clash)
{
    static struct sb_log_limit limit;
    const uint8_t *mac = clash->mac;

    if (sb_log_allowed(&limit, 1, NULL))
        sb_warning("multicast of host %02x:%02x:%02x:%02x:%02x:%02x came in at switch %lx port %u, "
                   "where it is not attached: for 10 s it goes by the controller",
                   mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], clash->dpid, clash->port);
    for (unsigned i = 0; i < topology->app->n_workers; i++) {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_HOST, clash->dpid, sizeof(*clash));

        memcpy(mail->data, clash, sizeof(*clash));
        ((struct ctl_mail_host *)(void *)mail->data)->clash = true;
        ctl_post(&topology->app->workers[i].mailbox, mail);
    }
}

void
ctl_hosts_port_lost(struct ctl_topology *topology, uint64_t dpid, uint32_t port)
{
    for (int64_t slot = -1; (slot = sb_next(topology->hosts_table, slot)) >= 0;) {
        struct sb_host row;

        if (sb_get(topology->hosts_table, slot, &row) != SB_OK || row.dpid != dpid ||
            row.port != port)
            continue;
        sb_remove(topology->hosts_table, slot);
        tell(topology, &row, true, true);
    }
}

void
ctl_hosts_restore(struct ctl_topology *topology)
{
    for (int64_t slot = -1; (slot = sb_next(topology->hosts_table, slot)) >= 0;) {
        const struct ctl_switch *sw;
        const struct ctl_port *port;
        struct sb_host row;

        if (sb_get(topology->hosts_table, slot, &row) != SB_OK)
            continue;
        sw = ctl_graph_switch(topology, row.dpid);
        port = sw == NULL ? NULL : ctl_graph_port(sw, row.port);
        if (port == NULL || !ctl_is_edge(port->row.type)) {
            sb_remove(topology->hosts_table, slot);
            continue;
        }
        tell(topology, &row, false, false);
    }
}

void
ctl_hosts_confirm(struct ctl_topology *topology)
{
    uint64_t dropped = 0;

    for (int64_t slot = -1; (slot = sb_next(topology->hosts_table, slot)) >= 0;) {
        struct sb_host row;

        if (!sb_restored(topology->hosts_table, slot) ||
            sb_get(topology->hosts_table, slot, &row) != SB_OK)
            continue;
        sb_remove(topology->hosts_table, slot);
        tell(topology, &row, true, false);
        dropped++;
    }
    if (dropped > 0)
        sb_info("%lu hosts from before the restart were not heard again: forgotten", dropped);
}
