/* SPDX-License-Identifier: Apache-2.0
 *
 * peer.c - the peers: from beacons, from the config, and from an earlier
 * incarnation's rows; and when one has gone.
 *
 * A peer is known by its id. A new incarnation of the same id is a restart: its
 * reflector counts from 0 again and what was on the way to it is no loss. A peer
 * heard on several addresses keeps the first until that falls silent.
 */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ag_peer *
by_id(const struct ag_agent *agent, uint64_t id)
{
    for (unsigned i = 0; i < agent->ag_n_peers; i++)
        if (agent->ag_peers[i]->pe_id == id)
            return agent->ag_peers[i];
    return NULL;
}

static struct ag_peer *
by_host(const struct ag_agent *agent, const union ag_address *from, bool configured)
{
    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        struct ag_peer *peer = agent->ag_peers[i];

        if (ag_address_same_host(&peer->pe_address, from) && (!configured || peer->pe_configured))
            return peer;
    }
    return NULL;
}

bool
ag_peer_is_member(const struct ag_agent *agent, const union ag_address *from)
{
    /* One that has gone is still answered: its beacons may be lost where its probes are not. */
    return by_host(agent, from, false) != NULL;
}

bool
ag_peer_is_configured(const struct ag_agent *agent, const union ag_address *from)
{
    return by_host(agent, from, true) != NULL;
}

static const char *
text_of(const struct ag_peer *peer, char *ret)
{
    return ag_address_text(&peer->pe_address, ret);
}

/* ---- coming and going ------------------------------------------------------- */

static void
destroy(struct ag_agent *agent, struct ag_peer *peer)
{
    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        if (agent->ag_peers[i] != peer)
            continue;
        agent->ag_peers[i] = agent->ag_peers[--agent->ag_n_peers];
        break;
    }
    ag_sender_close(peer);
    free(peer);
}

/* Two agents may have chosen one name; the rows are told apart by the end of the id. */
static void
choose_row(const struct ag_agent *agent, struct ag_peer *peer)
{
    bool taken = strcmp(peer->pe_name, agent->ag_name) == 0;

    for (unsigned i = 0; i < agent->ag_n_peers && !taken; i++)
        taken =
            agent->ag_peers[i] != peer && strcmp(agent->ag_peers[i]->pe_row, peer->pe_name) == 0;
    memset(peer->pe_row, 0, sizeof(peer->pe_row));
    if (taken)
        snprintf(peer->pe_row, sizeof(peer->pe_row), "%.26s~%04x", peer->pe_name,
                 (unsigned)(peer->pe_id & 0xffff));
    else
        memcpy(peer->pe_row, peer->pe_name, sizeof(peer->pe_row));
}

static struct ag_peer *
create(struct ag_agent *agent, uint64_t id, const char *name, const union ag_address *address)
{
    struct ag_peer *peer;

    /* Room is made by the one that has been gone longest. Never during a turn of the loop: its
     * watch may be in it. */
    if (agent->ag_n_peers == AG_PEERS_MAX)
        return NULL;
    peer = calloc(1, sizeof(*peer));
    if (!peer)
        return NULL;
    peer->pe_agent = agent;
    peer->pe_id = id;
    peer->pe_address = *address;
    peer->pe_first_ns = peer->pe_last_ns = sb_now();
    peer->pe_heard_mono = peer->pe_address_mono = sb_mono();
    peer->pe_beacon_ms = AG_BEACON_MS;
    peer->pe_probe_ms = agent->ag_options->interval_ms;
    peer->pe_dirty = true;
    snprintf(peer->pe_name, sizeof(peer->pe_name), "%s", name);
    choose_row(agent, peer);
    if (ag_sender_open(peer) < 0) {
        free(peer);
        return NULL;
    }
    agent->ag_peers[agent->ag_n_peers++] = peer;
    return peer;
}

static void
come(struct ag_peer *peer, uint64_t now)
{
    char text[AG_ADDRESS_TEXT];

    peer->pe_state = AG_PEER_ALIVE;
    peer->pe_dirty = true;
    ag_bus_event(peer->pe_agent, SB_event_kind_PEER_UP, SB_severity_INFO, "peer %s up at %s",
                 peer->pe_row, text_of(peer, text));
    ag_session_reset(&peer->pe_session);
    ag_sender_start(peer, now);
    ag_discovery_announce(peer->pe_agent, now);
}

static void
go(struct ag_peer *peer, enum sb_severity severity, const char *why)
{
    peer->pe_state = AG_PEER_GONE;
    peer->pe_restored = false; /* that it is gone we know ourselves */
    peer->pe_dirty = true;
    ag_bus_event(peer->pe_agent, SB_event_kind_PEER_DOWN, severity, "peer %s down: %s",
                 peer->pe_row, why);
}

/* ---- sources of peers -------------------------------------------------------- */

int
ag_peer_configure(struct ag_agent *agent, const char *text)
{
    uint64_t id = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the text: the same at each start */
    char message[AG_MESSAGE_MAX];
    union ag_address address;
    struct ag_peer *peer;

    if (ag_address_parse(&address, text, agent->ag_options->port, false, message) < 0) {
        sb_error("peer %s", message);
        return -1;
    }
    peer = by_host(agent, &address, false); /* restored from the bus */
    if (!peer) {
        for (const char *c = text; *c; c++)
            id = (id ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
        peer = create(agent, id, text, &address);
        if (!peer) {
            sb_error("peer %s: cannot be added", text);
            return -1;
        }
    }
    peer->pe_configured = true;
    return 0;
}

void
ag_peer_restore(struct ag_agent *agent, const struct sb_agent *row)
{
    union ag_address address;
    struct ag_peer *peer;

    if (!ag_name_valid(row->name) || row->probe_port == 0 ||
        !(ag_address_from_row(&address, row->ip, row->probe_port) ||
          ag_address_from_row(&address, row->ip6, row->probe_port)))
        return;
    peer = create(agent, row->id, row->name, &address);
    if (!peer)
        return;
    peer->pe_incarnation = row->incarnation;
    peer->pe_first_ns = row->first_ns;
    peer->pe_last_ns = row->last_ns;
    memcpy(peer->pe_mac, row->mac, sizeof(peer->pe_mac));
    peer->pe_state = AG_PEER_ALIVE;
    peer->pe_restored = true;
    ag_sender_start(peer, sb_mono());
}

/* The peer a beacon comes from, if it can be one. */
static struct ag_peer *
peer_of(struct ag_agent *agent, const struct ag_beacon *beacon, const union ag_address *reflector)
{
    struct ag_peer *peer = by_id(agent, beacon->id);

    if (peer)
        return peer;
    peer = by_host(agent, reflector, false);
    /* A configured peer tells its name, or one that started cold its new id. Two agents of one host
     * (one address, two ports) are two peers. */
    if (peer && ((peer->pe_configured && !peer->pe_named) ||
                 (strcmp(peer->pe_name, beacon->name) == 0 &&
                  ag_address_port(&peer->pe_address) == beacon->probe_port))) {
        ag_bus_forget(agent, peer);
        peer->pe_id = beacon->id;
        peer->pe_incarnation = peer->pe_old_incarnation = 0;
        return peer;
    }
    if (beacon->kind == AG_BEACON_GOODBYE)
        return NULL;
    peer = create(agent, beacon->id, beacon->name, reflector);
    if (!peer)
        agent->ag_counts.peers_refused++;
    return peer;
}

/* Follows a peer to a new address, if the old one is silent. */
static void
update_address(struct ag_peer *peer, const union ag_address *reflector, uint64_t now)
{
    uint64_t patience = AG_SUSPECT_BEACONS * peer->pe_beacon_ms * SB_MS;
    char was[AG_ADDRESS_TEXT], is[AG_ADDRESS_TEXT];

    if (ag_address_same_host(&peer->pe_address, reflector) &&
        ag_address_port(&peer->pe_address) == ag_address_port(reflector)) {
        peer->pe_address_mono = now;
        return;
    }
    if (now - peer->pe_address_mono < patience && peer->pe_named && peer->pe_state != AG_PEER_GONE)
        return;
    sb_info("peer %s: address %s, was %s", peer->pe_row, ag_address_text(reflector, is),
            ag_address_text(&peer->pe_address, was));
    peer->pe_address = *reflector;
    peer->pe_address_mono = now;
    peer->pe_dirty = true;
    ag_session_reset(&peer->pe_session);
}

static void
restarted(struct ag_peer *peer, uint64_t incarnation, uint64_t now)
{
    bool first = peer->pe_incarnation == 0;

    peer->pe_old_incarnation = peer->pe_incarnation;
    peer->pe_incarnation = incarnation;
    peer->pe_beacon_seq = 0;
    peer->pe_dirty = true;
    if (first || peer->pe_state == AG_PEER_GONE)
        return;
    ag_bus_event(peer->pe_agent, SB_event_kind_PEER_UP, SB_severity_INFO, "peer %s restarted",
                 peer->pe_row);
    ag_session_reset(&peer->pe_session);
    ag_sender_start(peer, now);
    ag_discovery_announce(peer->pe_agent, now);
}

void
ag_peer_beacon(struct ag_agent *agent, const struct ag_beacon *beacon, const union ag_address *from)
{
    union ag_address reflector = *from;
    uint64_t now = sb_mono();
    struct ag_peer *peer;

    ag_address_set_port(&reflector, beacon->probe_port);
    peer = peer_of(agent, beacon, &reflector);
    if (!peer || beacon->incarnation == peer->pe_old_incarnation)
        return;
    if (beacon->incarnation != peer->pe_incarnation)
        restarted(peer, beacon->incarnation, now);
    else if (peer->pe_named && (int32_t)(beacon->seq - peer->pe_beacon_seq) <= 0) {
        agent->ag_counts.beacons_duplicate++;
        return;
    }
    peer->pe_beacon_seq = beacon->seq;
    if (beacon->kind == AG_BEACON_GOODBYE) {
        if (peer->pe_state != AG_PEER_GONE)
            go(peer, SB_severity_INFO, "said goodbye");
        ag_session_reset(&peer->pe_session);
        return;
    }
    update_address(peer, &reflector, now);
    if (strcmp(peer->pe_name, beacon->name) != 0) {
        ag_bus_forget(agent, peer);
        memcpy(peer->pe_name, beacon->name, sizeof(peer->pe_name));
        choose_row(agent, peer);
        peer->pe_dirty = true;
    }
    peer->pe_named = true;
    peer->pe_beacon_ms = beacon->interval_ms;
    peer->pe_probe_ms = beacon->probe_interval_ms;
    memcpy(peer->pe_mac, beacon->mac, sizeof(peer->pe_mac));
    if (peer->pe_state == AG_PEER_GONE)
        come(peer, now);
    ag_peer_heard(peer, now);
}

void
ag_peer_heard(struct ag_peer *peer, uint64_t now)
{
    peer->pe_heard_mono = now;
    peer->pe_last_ns = sb_now();
    peer->pe_restored = false;
    if (peer->pe_state == AG_PEER_GONE) { /* configured, without beacons */
        char text[AG_ADDRESS_TEXT];

        ag_bus_event(peer->pe_agent, SB_event_kind_PEER_UP, SB_severity_INFO, "peer %s up at %s",
                     peer->pe_row, text_of(peer, text));
        peer->pe_dirty = true;
    }
    peer->pe_state = AG_PEER_ALIVE;
}

/* ---- time -------------------------------------------------------------------- */

/* Of the peers that have gone, the one that did so first makes room when the list is full. */
static void
make_room(struct ag_agent *agent)
{
    struct ag_peer *oldest = NULL;

    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        struct ag_peer *peer = agent->ag_peers[i];

        if (peer->pe_state == AG_PEER_GONE && !peer->pe_configured &&
            (!oldest || peer->pe_heard_mono < oldest->pe_heard_mono))
            oldest = peer;
    }
    if (!oldest)
        return;
    ag_bus_forget(agent, oldest);
    destroy(agent, oldest);
}

uint64_t
ag_peer_tick(struct ag_agent *agent, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    if (agent->ag_n_peers == AG_PEERS_MAX)
        make_room(agent);
    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        struct ag_peer *peer = agent->ag_peers[i];
        uint64_t beacon_ns = peer->pe_beacon_ms * SB_MS, silent = 0, due;

        if (now > peer->pe_heard_mono)
            silent = now - peer->pe_heard_mono;
        /* A silence is noticed by the housekeeping at the latest, which wakes us each second. */
        if (peer->pe_state != AG_PEER_GONE && silent > AG_EXPIRE_BEACONS * beacon_ns) {
            go(peer, SB_severity_WARNING, "no beacon and no reply");
        } else if (peer->pe_state == AG_PEER_ALIVE && silent > AG_SUSPECT_BEACONS * beacon_ns) {
            peer->pe_state = AG_PEER_SUSPECT;
            sb_debug("peer %s: silent for %u beacons, suspected", peer->pe_row, AG_SUSPECT_BEACONS);
        }
        due = ag_sender_tick(peer, now);
        if (due < next)
            next = due;
        if (peer->pe_dirty) {
            peer->pe_dirty = false;
            ag_bus_peer(agent, peer);
        }
    }
    return next;
}

void
ag_peer_close_all(struct ag_agent *agent)
{
    while (agent->ag_n_peers > 0)
        destroy(agent, agent->ag_peers[0]);
}
