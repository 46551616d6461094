/* SPDX-License-Identifier: Apache-2.0
 *
 * flood.c - broadcast and unknown destinations: one copy out of every edge port of the network.
 *
 * Nothing is ever flooded over a link, so no ring can loop it. Each packet is kept for two seconds:
 * an edge port that turns up within that time (a switch that connects a moment later, a port whose
 * type was still open) gets its copy then, so that the first packet of a network that just started
 * arrives.
 *
 * A port can be taken for an edge port for a moment when the switch behind it is not connected yet.
 * A copy that comes back in at another port while it is remembered is our own and ends here.
 */
#include "topology.h"

#include <stdlib.h>

#include <trivet/clock.h>

#define PORTS_A_MESSAGE 256
#define ENTRIES 256
#define KEEP_NS (2 * SB_SECOND)
#define ECHO_NS SB_SECOND /* the same frame from another port within this is a copy of ours */

struct end {
    uint64_t dpid;
    uint32_t port;
};

struct entry {
    uint64_t mono_ns; /* 0: free */
    uint64_t hash;
    struct end from;
    uint8_t *frame; /* owned */
    size_t size;
    struct end *sent; /* owned: ports that got it */
    uint32_t n_sent, sent_size;
};

struct ctl_flood {
    struct entry entries[ENTRIES]; /* ring */
    uint32_t next;
    uint64_t flooded, returned; /* packets; copies of ours that came back */
};

struct ctl_flood *
ctl_flood_new(void)
{
    return calloc(1, sizeof(struct ctl_flood));
}

static void
clear(struct entry *entry)
{
    free(entry->frame);
    free(entry->sent);
    memset(entry, 0, sizeof(*entry));
}

void
ctl_flood_free(struct ctl_flood *flood)
{
    if (flood == NULL)
        return;
    for (unsigned i = 0; i < ENTRIES; i++)
        clear(&flood->entries[i]);
    free(flood);
}

static uint64_t
frame_hash(const uint8_t *frame, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        h = (h ^ frame[i]) * UINT64_C(0x100000001b3);
    return h;
}

static bool
was_sent(const struct entry *entry, uint64_t dpid, uint32_t port)
{
    for (uint32_t i = 0; i < entry->n_sent; i++)
        if (entry->sent[i].dpid == dpid && entry->sent[i].port == port)
            return true;
    return false;
}

static bool
remember(struct entry *entry, uint64_t dpid, uint32_t port)
{
    if (entry->n_sent == entry->sent_size) {
        uint32_t size = entry->sent_size == 0 ? 16 : entry->sent_size * 2;
        struct end *more = realloc(entry->sent, size * sizeof(*more));

        if (more == NULL)
            return false;
        entry->sent = more;
        entry->sent_size = size;
    }
    entry->sent[entry->n_sent++] = (struct end){.dpid = dpid, .port = port};
    return true;
}

/* An edge port that is up, in the snapshot and at this moment. */
static bool
is_open(const struct ctl_switch *sw, const struct ctl_net_port *port)
{
    const struct ctl_port *now = ctl_graph_port(sw, port->port);

    return port->up && ctl_is_edge(port->type) && now != NULL && now->row.up &&
           ctl_is_edge(now->row.type);
}

/* To the edge ports within reach that do not have it yet. */
static void
spread(struct ctl_topology *topology, struct entry *entry)
{
    const struct ctl_net *net = topology->net;
    int32_t from = ctl_net_find(net, entry->from.dpid);

    if (from < 0)
        return;
    for (uint32_t i = 0; i < net->n_switches; i++) {
        const struct ctl_net_switch *to = &net->switches[i];
        struct ctl_switch *sw = ctl_graph_switch(topology, to->dpid);
        uint32_t ports[PORTS_A_MESSAGE], n = 0;

        if (sw == NULL || to->component != net->switches[from].component)
            continue;
        for (uint32_t j = 0; j < to->n_ports; j++) {
            const struct ctl_net_port *port = &to->ports[j];

            if (!is_open(sw, port) ||
                (to->dpid == entry->from.dpid && port->port == entry->from.port) ||
                was_sent(entry, to->dpid, port->port) || !remember(entry, to->dpid, port->port))
                continue;
            ports[n++] = port->port;
            if (n == PORTS_A_MESSAGE) {
                ctl_packet_out(topology, sw, ports, n, entry->frame, entry->size);
                n = 0;
            }
        }
        if (n > 0)
            ctl_packet_out(topology, sw, ports, n, entry->frame, entry->size);
    }
}

void
ctl_flood(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_packet *packet = (const void *)mail->data;
    const uint8_t *frame = mail->data + sizeof(*packet);
    size_t size = mail->size - sizeof(*packet);
    struct ctl_flood *flood = topology->flood;
    uint64_t mono = sb_mono(), hash = frame_hash(frame, size);
    struct entry *entry;

    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct entry *old = &flood->entries[i];

        if (old->mono_ns != 0 && old->hash == hash && mono - old->mono_ns < ECHO_NS &&
            (old->from.dpid != mail->dpid || old->from.port != packet->in_port)) {
            flood->returned++;
            return;
        }
    }
    entry = &flood->entries[flood->next++ % ENTRIES];
    clear(entry);
    entry->frame = malloc(size > 0 ? size : 1);
    if (entry->frame == NULL)
        return;
    memcpy(entry->frame, frame, size);
    entry->size = size;
    entry->hash = hash;
    entry->mono_ns = mono;
    entry->from = (struct end){.dpid = mail->dpid, .port = packet->in_port};
    flood->flooded++;
    spread(topology, entry);
}

void
ctl_flood_again(struct ctl_topology *topology)
{
    uint64_t mono = sb_mono();

    for (unsigned i = 0; i < ENTRIES; i++) {
        struct entry *entry = &topology->flood->entries[i];

        if (entry->mono_ns == 0)
            continue;
        if (mono - entry->mono_ns > KEEP_NS)
            clear(entry);
        else
            spread(topology, entry);
    }
}
