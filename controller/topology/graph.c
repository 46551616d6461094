/* SPDX-License-Identifier: Apache-2.0
 *
 * graph.c - switches and ports: what they said, of which type they are, and their rows on the bus.
 *
 * After a restart the graph is made from the rows; a port that comes back with the same number,
 * name and address keeps its type, so that nothing is discovered twice; any other starts as
 * unknown.
 */
#include "topology.h"

#include <stdio.h>
#include <stdlib.h>

#include <trivet/clock.h>

#define SWITCH_PORTS_MAX 4096
#define FORGET_NS (60 * SB_SECOND) /* a switch gone this long is forgotten with all it had */

/* ---- look-up ------------------------------------------------------------------------- */

struct ctl_switch *
ctl_graph_switch(const struct ctl_topology *topology, uint64_t dpid)
{
    uint32_t low = 0, high = topology->n_switches;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (topology->switches[middle]->row.dpid < dpid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < topology->n_switches && topology->switches[low]->row.dpid == dpid
               ? topology->switches[low]
               : NULL;
}

struct ctl_port *
ctl_graph_port(const struct ctl_switch *sw, uint32_t port)
{
    uint32_t low = 0, high = sw->n_ports;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (sw->ports[middle].row.port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sw->n_ports && sw->ports[low].row.port == port ? &sw->ports[low] : NULL;
}

static struct ctl_switch *
add_switch(struct ctl_topology *topology, uint64_t dpid)
{
    struct ctl_switch *sw = calloc(1, sizeof(*sw));
    struct ctl_switch **more =
        realloc(topology->switches, (topology->n_switches + 1) * sizeof(*more));
    uint32_t i;

    if (sw == NULL || more == NULL)
        abort();
    topology->switches = more;
    sw->row.dpid = dpid;
    for (i = topology->n_switches++; i > 0 && more[i - 1]->row.dpid > dpid; i--)
        more[i] = more[i - 1];
    more[i] = sw;
    return sw;
}

static struct ctl_port *
add_port(struct ctl_switch *sw, uint32_t port)
{
    struct ctl_port *more = realloc(sw->ports, (sw->n_ports + 1) * sizeof(*more));
    uint32_t i;

    if (more == NULL)
        abort();
    sw->ports = more;
    for (i = sw->n_ports++; i > 0 && more[i - 1].row.port > port; i--)
        more[i] = more[i - 1];
    memset(&more[i], 0, sizeof(more[i]));
    more[i].row.port = port;
    more[i].row.dpid = sw->row.dpid;
    return &more[i];
}

struct ctl_port *
ctl_graph_peer(const struct ctl_topology *topology, const struct ctl_switch *sw,
               const struct ctl_port *port, struct ctl_switch **ret_switch)
{
    struct ctl_switch *other;
    struct ctl_port *end;

    if (port->heard_dpid == 0 || !port->row.up)
        return NULL;
    other = ctl_graph_switch(topology, port->heard_dpid);
    end = other == NULL ? NULL : ctl_graph_port(other, port->heard_port);
    if (end == NULL || !end->row.up || end->heard_dpid != sw->row.dpid ||
        end->heard_port != port->row.port)
        return NULL;
    *ret_switch = other;
    return end;
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Text into a column: NUL padded, cut to fit. */
static void
copy_text(char *to, size_t to_size, const char *from, size_t from_size)
{
    size_t n = strnlen(from, from_size < to_size ? from_size : to_size - 1);

    memset(to, 0, to_size);
    memcpy(to, from, n);
}

static void
write_switch(struct ctl_topology *topology, struct ctl_switch *sw)
{
    bool local = sw->n_ports > 0 && sw->ports[sw->n_ports - 1].row.port == OFPP_LOCAL;

    sw->row.n_ports = sw->n_ports - local; /* ports are sorted: the local one is last */
    sb_put(topology->switches_table, &sw->row);
}

static void
write_port(struct ctl_topology *topology, struct ctl_port *port)
{
    port->row.changed_ns = sb_now();
    sb_put(topology->ports_table, &port->row);
}

/* The key of the link between two ends: the lower (dpid, port) first. True if a is the lower. */
static bool
link_key(struct sb_link *ret, uint64_t dpid_a, uint32_t port_a, uint64_t dpid_b, uint32_t port_b)
{
    bool ordered = dpid_a < dpid_b || (dpid_a == dpid_b && port_a < port_b);

    memset(ret, 0, sizeof(*ret));
    ret->dpid_a = ordered ? dpid_a : dpid_b;
    ret->port_a = ordered ? port_a : port_b;
    ret->dpid_b = ordered ? dpid_b : dpid_a;
    ret->port_b = ordered ? port_b : port_a;
    return ordered;
}

static void
write_link_between(struct ctl_topology *topology, uint64_t dpid_a, uint32_t port_a, uint64_t dpid_b,
                   uint32_t port_b)
{
    struct ctl_switch *sw_a = ctl_graph_switch(topology, dpid_a),
                      *sw_b = ctl_graph_switch(topology, dpid_b);
    struct ctl_port *a = sw_a == NULL ? NULL : ctl_graph_port(sw_a, port_a),
                    *b = sw_b == NULL ? NULL : ctl_graph_port(sw_b, port_b);
    bool ab = b != NULL && b->heard_dpid == dpid_a && b->heard_port == port_a && b->row.up;
    bool ba = a != NULL && a->heard_dpid == dpid_b && a->heard_port == port_b && a->row.up;
    enum sb_link_state state = ab && ba   ? SB_link_state_UP
                               : ab || ba ? SB_link_state_HALF
                                          : SB_link_state_DOWN;
    struct sb_link row, old;
    bool ordered = link_key(&row, dpid_a, port_a, dpid_b, port_b);
    int64_t slot = sb_find(topology->links_table, &row);

    if (sb_get(topology->links_table, slot, &old) == SB_OK)
        row = old;
    else
        memset(&old, 0, sizeof(old));
    if (ab)
        *(ordered ? &row.seen_ab_ns : &row.seen_ba_ns) = b->heard_ns;
    if (ba)
        *(ordered ? &row.seen_ba_ns : &row.seen_ab_ns) = a->heard_ns;
    row.state = (uint8_t)state;
    if (state == SB_link_state_UP) {
        row.latency_ns = (a->latency_ns + b->latency_ns) / 2;
        row.tree = a->tree;
    }
    if (row.state != old.state) {
        row.changed_ns = sb_now();
        if (old.state == SB_link_state_UP)
            row.flaps++;
        if (state == SB_link_state_UP || old.state == SB_link_state_UP)
            ctl_event(topology->app,
                      state == SB_link_state_UP ? SB_event_kind_LINK_UP : SB_event_kind_LINK_DOWN,
                      state == SB_link_state_UP ? SB_severity_INFO : SB_severity_WARNING,
                      row.dpid_a, row.port_a, "link %lx:%u - %lx:%u is %s", row.dpid_a, row.port_a,
                      row.dpid_b, row.port_b, sb_link_state_text(state));
    }
    if (a != NULL)
        a->link_written_ns = sb_mono();
    if (b != NULL)
        b->link_written_ns = sb_mono();
    sb_put(topology->links_table, &row);
}

void
ctl_graph_write_link(struct ctl_topology *topology, const struct ctl_switch *sw,
                     struct ctl_port *port)
{
    if (port->heard_dpid != 0)
        write_link_between(topology, sw->row.dpid, port->row.port, port->heard_dpid,
                           port->heard_port);
}

/* ---- types -------------------------------------------------------------------------------- */

void
ctl_graph_type(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port,
               enum sb_port_type type)
{
    enum sb_port_type old = port->row.type;

    if (old == type)
        return;
    port->row.type = (uint8_t)type;
    port->was_link = type == SB_port_type_UNKNOWN && old == SB_port_type_LINK;
    topology->dirty = true;
    write_port(topology, port);
    sb_info("switch %016lx: port %u (%s) is %s", sw->row.dpid, port->row.port, port->row.name,
            sb_port_type_text(type));
    if (old == SB_port_type_EDGE)
        ctl_hosts_port_lost(topology, sw->row.dpid, port->row.port);
}

void
ctl_graph_heard(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port,
                uint64_t dpid, uint32_t from)
{
    uint64_t old_dpid = port->heard_dpid;
    uint32_t old_port = port->heard_port;

    if (old_dpid == dpid && old_port == from)
        return;
    port->heard_dpid = dpid;
    port->heard_port = from;
    topology->dirty = true;
    if (old_dpid != 0)
        write_link_between(topology, sw->row.dpid, port->row.port, old_dpid, old_port);
}

/* A port starts anew: down, come up, or another interface under the same number. */
static void
reset_port(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port)
{
    ctl_graph_heard(topology, sw, port, 0, 0);
    port->lldp_count = 0;
    port->heard_count = 0;
    port->first_lldp_ns = 0;
    port->next_lldp_ns = 0;
    port->latency_ns = 0;
    port->tree = false;
    ctl_graph_type(topology, sw, port,
                   port->row.port >= OFPP_MAX ? SB_port_type_LOCAL : SB_port_type_UNKNOWN);
    topology->next_check_ns = 0;
}

/* Is the port up? Open vSwitch cannot see an internal port any more once it was moved into a
 * namespace: it calls it down in both ways, with an address of zeros, while packets pass. So what
 * it says of a port that lost its address like this, or came without, counts for nothing. before:
 * NULL for a new port. */
static bool
is_up(const struct of_port *said, const struct sb_port *before)
{
    static const uint8_t zeros[6];

    if (!(said->config & OFPPC_PORT_DOWN) && !(said->state & OFPPS_LINK_DOWN))
        return true;
    if (!(said->config & OFPPC_PORT_DOWN) || !(said->state & OFPPS_LINK_DOWN) ||
        memcmp(said->mac, zeros, 6) != 0)
        return false;
    return before == NULL || memcmp(before->mac, zeros, 6) != 0 ||
           (before->up && (before->config & OFPPC_PORT_DOWN));
}

static void make_room(struct ctl_topology *topology);

/* Ports are limited per switch and in all, so that a peer that invents them fills nothing. */
static bool
may_add_port(struct ctl_topology *topology, const struct ctl_switch *sw, uint32_t number)
{
    static struct sb_log_limit limit;
    struct sb_table_stats stats;

    sb_table_stats(topology->ports_table, &stats);
    if (number == 0 || number == OFPP_ANY || (number >= OFPP_MAX && number != OFPP_LOCAL))
        return false;
    if (topology->n_ports >= stats.capacity)
        make_room(topology);
    if (sw->n_ports < SWITCH_PORTS_MAX && topology->n_ports < stats.capacity)
        return true;
    if (sb_log_allowed(&limit, 1, NULL))
        sb_warning("switch %016lx: port %u is not used: %u ports on this switch (limit %d), %u in "
                   "all (limit %lu, config tables.port)",
                   sw->row.dpid, number, sw->n_ports, SWITCH_PORTS_MAX, topology->n_ports,
                   stats.capacity);
    return false;
}

static void
apply_port(struct ctl_topology *topology, struct ctl_switch *sw, const struct of_port *said)
{
    struct ctl_port *port = ctl_graph_port(sw, said->port);
    bool fresh = port == NULL, was_up;
    struct sb_port before;

    if (fresh && !may_add_port(topology, sw, said->port))
        return;
    if (fresh) {
        port = add_port(sw, said->port);
        topology->n_ports++;
    }
    before = port->row;
    was_up = !fresh && before.up;
    port->row.config = said->config;
    port->row.state = said->state;
    port->row.speed_kbps = said->speed_kbps;
    port->row.up = is_up(said, fresh ? NULL : &before);
    memcpy(port->row.mac, said->mac, 6);
    copy_text(port->row.name, sizeof(port->row.name), said->name, sizeof(said->name));
    if (fresh)
        port->row.type = said->port >= OFPP_MAX ? SB_port_type_LOCAL : SB_port_type_UNKNOWN;
    if (said->port == OFPP_LOCAL)
        copy_text(sw->row.name, sizeof(sw->row.name), said->name, sizeof(said->name));
    if (!fresh &&
        (memcmp(before.mac, port->row.mac, 6) != 0 ||
         memcmp(before.name, port->row.name, sizeof(before.name)) != 0 || was_up != port->row.up))
        reset_port(topology, sw, port);
    if (fresh || memcmp(&before, &port->row, sizeof(before)) != 0) {
        topology->dirty = true;
        write_port(topology, port);
        if (!fresh && was_up != port->row.up)
            ctl_event(topology->app, SB_event_kind_PORT,
                      port->row.up ? SB_severity_INFO : SB_severity_WARNING, sw->row.dpid,
                      port->row.port, "port %s is %s", port->row.name,
                      port->row.up ? "up" : "down");
    } else if (sb_restored(topology->ports_table, sb_find(topology->ports_table, &port->row))) {
        sb_put(topology->ports_table, &port->row); /* as it was, and now we know */
    }
    if (port->row.up && !was_up)
        topology->next_check_ns = 0; /* its first discovery frame is due */
}

static void
remove_port(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port)
{
    uint32_t i = (uint32_t)(port - sw->ports);

    port->row.up = 0;
    reset_port(topology, sw, port);
    sb_remove(topology->ports_table, sb_find(topology->ports_table, &port->row));
    memmove(port, port + 1, (--sw->n_ports - i) * sizeof(*port));
    topology->n_ports--;
    topology->dirty = true;
}

/* ---- mail ------------------------------------------------------------------------------------ */

/* A switch that comes back owes nobody a frame: what it and its neighbours heard of each other
 * counts from now on. */
static void
count_anew(struct ctl_topology *topology, struct ctl_switch *sw)
{
    for (uint32_t i = 0; i < sw->n_ports; i++) {
        struct ctl_port *port = &sw->ports[i], *end;
        const struct ctl_switch *from = ctl_graph_switch(topology, port->heard_dpid);

        end = from == NULL ? NULL : ctl_graph_port(from, port->heard_port);
        port->lldp_count = 0;
        port->first_lldp_ns = port->next_lldp_ns = 0;
        port->heard_count = end == NULL ? 0 : end->lldp_count;
    }
    for (uint32_t i = 0; i < topology->n_switches; i++)
        for (uint32_t j = 0; j < topology->switches[i]->n_ports; j++)
            if (topology->switches[i]->ports[j].heard_dpid == sw->row.dpid)
                topology->switches[i]->ports[j].heard_count = 0;
}

void
ctl_graph_switch_up(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_switch *up = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);
    static struct sb_log_limit limit;
    struct sb_table_stats stats;

    if (sw == NULL) {
        sb_table_stats(topology->switches_table, &stats);
        if (topology->n_switches >= stats.capacity)
            make_room(topology);
        if (topology->n_switches >= stats.capacity) {
            if (sb_log_allowed(&limit, 1, NULL))
                sb_error("switch %016lx: not used: %lu switches are known already (config "
                         "tables.switch)",
                         mail->dpid, stats.capacity);
            return;
        }
        sw = add_switch(topology, mail->dpid);
    }
    sw->conn = mail->conn;
    sw->row.state = SB_switch_state_READY;
    sw->row.connected_ns = sb_now();
    sw->row.connects++;
    sw->row.packet_ins = sw->row.dropped = 0;
    sw->row.n_tables = up->features.n_tables;
    sw->row.capabilities = up->features.capabilities;
    sw->row.version = up->version;
    sw->row.worker = up->worker;
    copy_text(sw->row.address, sizeof(sw->row.address), up->address, sizeof(up->address));
    /* ports it does not have any more */
    for (uint32_t i = sw->n_ports; i-- > 0;) {
        bool there = false;

        for (uint32_t j = 0; j < up->n_ports; j++)
            there |= up->ports[j].port == sw->ports[i].row.port;
        if (!there)
            remove_port(topology, sw, &sw->ports[i]);
    }
    for (uint32_t i = 0; i < up->n_ports; i++)
        apply_port(topology, sw, &up->ports[i]);
    ctl_tree_switch_up(sw, (const uint32_t *)(const void *)&up->ports[up->n_ports],
                       up->n_multicast);
    count_anew(topology, sw);
    topology->next_check_ns = 0;
    topology->dirty = true;
    write_switch(topology, sw);
    ctl_event(topology->app, SB_event_kind_SWITCH_UP, SB_severity_INFO, sw->row.dpid, 0,
              "switch %s from %s, OpenFlow 1.%d, %u ports%s%s", sw->row.name, sw->row.address,
              sw->row.version - 1, sw->row.n_ports, up->subject[0] != '\0' ? ", certificate " : "",
              up->subject);
}

void
ctl_graph_switch_down(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

    if (sw == NULL || sw->conn != mail->conn)
        return; /* a newer connection has taken its place */
    sw->conn = 0;
    sw->gone_mono_ns = sb_mono();
    sw->row.state = SB_switch_state_GONE;
    topology->dirty = true;
    write_switch(topology, sw);
    ctl_event(topology->app, SB_event_kind_SWITCH_DOWN, SB_severity_WARNING, sw->row.dpid, 0,
              "switch %s disconnected; its rules stay and go on forwarding", sw->row.name);
}

void
ctl_graph_port_status(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct of_port_status *status = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);
    struct ctl_port *port;

    if (sw == NULL || sw->conn != mail->conn)
        return;
    if (status->reason != OFPPR_DELETE) {
        apply_port(topology, sw, &status->port);
    } else if ((port = ctl_graph_port(sw, status->port.port)) != NULL) {
        ctl_event(topology->app, SB_event_kind_PORT, SB_severity_INFO, sw->row.dpid, port->row.port,
                  "port %s removed", port->row.name);
        remove_port(topology, sw, port);
    }
    write_switch(topology, sw);
}

void
ctl_graph_stats(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_stats *stats = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

    if (sw == NULL || sw->conn != mail->conn)
        return;
    sw->row.packet_ins = stats->packet_ins;
    sw->row.dropped = stats->dropped;
    sw->row.rr_counter = stats->rr_counter;
    write_switch(topology, sw);
}

void
ctl_graph_counters(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_counters *counters = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

    for (uint32_t i = 0; sw != NULL && sw->conn == mail->conn && i < counters->n_ports; i++) {
        const struct ctl_port_counters *from = &counters->ports[i];
        struct ctl_port *port = ctl_graph_port(sw, from->port);
        struct sb_port before;

        if (port == NULL)
            continue;
        before = port->row;
        port->row.rx_packets = from->rx_packets;
        port->row.tx_packets = from->tx_packets;
        port->row.rx_bytes = from->rx_bytes;
        port->row.tx_bytes = from->tx_bytes;
        port->row.rx_dropped = from->rx_dropped;
        port->row.tx_dropped = from->tx_dropped;
        port->row.rx_errors = from->rx_errors;
        port->row.tx_errors = from->tx_errors;
        if (memcmp(&before, &port->row, sizeof(before)) == 0)
            continue;
        port->row.counted_ns = sb_now();
        sb_put(topology->ports_table, &port->row);
    }
}

void
ctl_graph_polled(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_polled *polled = (const void *)mail->data;
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid);

    if (sw == NULL || sw->conn != mail->conn)
        return;
    sw->row.polled_ns = polled->t_ns;
    sw->row.n_flows = polled->n_flows;
    write_switch(topology, sw);
}

void
ctl_graph_port_seen(struct ctl_topology *topology, struct ctl_switch *sw, uint32_t number)
{
    struct of_port port = {.port = number};

    if (ctl_graph_port(sw, number) != NULL)
        return;
    snprintf(port.name, sizeof(port.name), "port%u", number);
    apply_port(topology, sw, &port);
}

/* ---- restore and expire
 * -------------------------------------------------------------------------- */

static void
restore_links(struct ctl_topology *topology)
{
    for (int64_t slot = -1; (slot = sb_next(topology->links_table, slot)) >= 0;) {
        const struct sb_link *row = sb_peek(topology->links_table, slot);
        struct ctl_switch *a = ctl_graph_switch(topology, row->dpid_a),
                          *b = ctl_graph_switch(topology, row->dpid_b);
        struct ctl_port *end_a = a == NULL ? NULL : ctl_graph_port(a, row->port_a),
                        *end_b = b == NULL ? NULL : ctl_graph_port(b, row->port_b);

        if (row->state != SB_link_state_UP || end_a == NULL || end_b == NULL)
            continue;
        end_a->heard_dpid = row->dpid_b;
        end_a->heard_port = row->port_b;
        end_a->heard_ns = row->seen_ba_ns;
        end_b->heard_dpid = row->dpid_a;
        end_b->heard_port = row->port_a;
        end_b->heard_ns = row->seen_ab_ns;
        end_a->latency_ns = end_b->latency_ns = row->latency_ns;
    }
}

void
ctl_graph_restore(struct ctl_topology *topology)
{
    uint64_t mono = sb_mono();

    for (int64_t slot = -1; (slot = sb_next(topology->switches_table, slot)) >= 0;) {
        const struct sb_switch *row = sb_peek(topology->switches_table, slot);
        struct ctl_switch *sw = ctl_graph_switch(topology, row->dpid);

        if (sw == NULL)
            sw = add_switch(topology, row->dpid);
        sw->row = *row;
        sw->gone_mono_ns = mono;
        sw->row.state = SB_switch_state_GONE;
        sb_amend(topology->switches_table, slot, &sw->row);
    }
    for (int64_t slot = -1; (slot = sb_next(topology->ports_table, slot)) >= 0;) {
        const struct sb_port *row = sb_peek(topology->ports_table, slot);
        struct ctl_switch *sw = ctl_graph_switch(topology, row->dpid);

        if (sw == NULL || row->type > SB_port_type_LOCAL)
            sb_remove(topology->ports_table, slot);
        else {
            add_port(sw, row->port)->row = *row;
            topology->n_ports++;
        }
    }
    restore_links(topology);
}

static void
forget_switch(struct ctl_topology *topology, uint32_t index)
{
    struct ctl_switch *sw = topology->switches[index];

    sb_info("switch %016lx (%s): gone, forgotten", sw->row.dpid, sw->row.name);
    while (sw->n_ports > 0)
        remove_port(topology, sw, &sw->ports[sw->n_ports - 1]);
    for (int64_t slot = -1; (slot = sb_next(topology->links_table, slot)) >= 0;) {
        const struct sb_link *row = sb_peek(topology->links_table, slot);

        if (row->dpid_a == sw->row.dpid || row->dpid_b == sw->row.dpid)
            sb_remove(topology->links_table, slot);
    }
    sb_remove(topology->switches_table, sb_find(topology->switches_table, &sw->row));
    ctl_post(&ctl_worker_of(topology->app, sw->row.dpid)->mailbox,
             ctl_mail_new(CTL_W_FORGET, sw->row.dpid, 0));
    free(sw->ports);
    free(sw);
    memmove(&topology->switches[index], &topology->switches[index + 1],
            (--topology->n_switches - index) * sizeof(topology->switches[0]));
    topology->dirty = true;
}

void
ctl_graph_expire(struct ctl_topology *topology, uint64_t mono)
{
    for (uint32_t i = topology->n_switches; i-- > 0;) {
        const struct ctl_switch *sw = topology->switches[i];

        if (sw->conn == 0 && mono - sw->gone_mono_ns >= FORGET_NS)
            forget_switch(topology, i);
    }
}

/* The tables are full: those that came, went and never told their flows go at once. One that did,
 * every switch that stayed for some seconds, has its rules still and keeps its time to come back,
 * or strangers who invent switches would make us forget it. */
static void
make_room(struct ctl_topology *topology)
{
    for (uint32_t i = topology->n_switches; i-- > 0;)
        if (topology->switches[i]->conn == 0 && topology->switches[i]->row.polled_ns == 0)
            forget_switch(topology, i);
}

void
ctl_graph_free(struct ctl_topology *topology)
{
    for (uint32_t i = 0; i < topology->n_switches; i++) {
        free(topology->switches[i]->ports);
        free(topology->switches[i]);
    }
    free(topology->switches);
}
