/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h - the map of trivet-agent: one struct for the agent, one for a peer.
 *
 *   main.c       command line; starts one of the three modes below
 *   agent.c      the agent: start, tick, stop
 *   bus.c        its segment on the state bus: adopt, publish
 *   discovery.c  beacons out and in, interfaces that come and go
 *   peer.c       the peers: who is there, who has gone
 *   sender.c     probes to one peer, their replies, the windows
 *   ping.c       trivet-agent ping
 *   reflect.c    trivet-agent reflect
 *
 * and, without knowledge of the agent: reflector, session, window, histogram,
 * stamp, beacon, socket (address.c, timestamps.c, holder.c), interface, loop.
 * One thread enters all of them. Standards: RFC 8762, RFC 8972.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <trivet/clock.h>
#include <trivet/config.h>
#include <trivet/log.h>
#include <trivet/statebus.h>
#include "beacon.h"
#include "interface.h"
#include "loop.h"
#include "reflector.h"
#include "session.h"
#include "socket.h"
#include "window.h"

#define AG_PEERS_MAX 255     /* the table `agent` has 256 rows, one of them is ours */
#define AG_BEACON_MS 1000    /* between two beacons; each is up to 10 % early or late */
#define AG_SUSPECT_BEACONS 3 /* unheard for so many beacon intervals: suspected */
#define AG_EXPIRE_BEACONS 10 /* gone: probes stop */
#define AG_RESTORED_S 30 /* after a start: rows that nothing has confirmed by then are dropped */

/* What the command line and the config say; all strings are borrowed from them. */
struct ag_options {
    struct sb_common common;
    const char *name; /* NULL: from the first interface or the host */
    char **interfaces, **peers;
    unsigned n_interfaces, n_peers;
    uint32_t interval_ms, timeout_ms;
    uint16_t port;
    const char *host; /* ping: whom */
    uint32_t count;   /* ping: 0 is until interrupted */
    bool json;        /* ping */
    bool any;         /* reflect: answer everybody */
};

enum ag_peer_state {
    AG_PEER_GONE, /* said goodbye, or unheard too long; not probed unless configured */
    AG_PEER_ALIVE,
    AG_PEER_SUSPECT, /* unheard for some beacons; probed on */
};

struct ag_agent;

struct ag_peer {
    struct ag_agent *pe_agent; /* borrowed: the agent it belongs to */
    uint64_t pe_id; /* of a configured peer without a beacon yet: a hash of its address */
    uint64_t pe_incarnation;
    uint64_t pe_old_incarnation; /* of before its restart: stray beacons of then do not count */
    uint64_t pe_first_ns, pe_last_ns; /* CLOCK_REALTIME: first and last beacon or reply */
    uint64_t pe_heard_mono;           /* last beacon or reply */
    uint64_t pe_address_mono;         /* last beacon from pe_address */
    uint64_t pe_next_mono;            /* next probe */
    union ag_address pe_address;      /* of its reflector */
    struct ag_socket pe_socket;       /* its probes go out here: a source port for each session */
    struct ag_watch pe_watch;
    struct ag_session pe_session;
    uint32_t pe_beacon_seq, pe_beacon_ms, pe_probe_ms;
    uint8_t pe_mac[6];
    enum ag_peer_state pe_state;
    bool pe_configured;        /* --peer: probed even if it never sends a beacon */
    bool pe_named;             /* a beacon of it came since our start */
    bool pe_dirty;             /* its row is to be written */
    bool pe_restored;          /* known from before a restart, not heard since */
    char pe_name[AG_NAME_MAX]; /* as it says */
    char pe_row[AG_NAME_MAX];  /* key of its row: its name, made unique */
};

/* Every drop has a name. */
struct ag_counts {
    uint64_t beacons_sent, beacons_unsent;
    uint64_t beacons_received;
    uint64_t beacons_invalid;   /* of our magic, but not a beacon we can read */
    uint64_t beacons_foreign;   /* SSDP and others on the group */
    uint64_t beacons_duplicate; /* second interface, or a loop in the network */
    uint64_t beacons_stranger;  /* unicast, but not from a configured peer */
    uint64_t beacons_capped;    /* over the rate */
    uint64_t peers_refused;     /* more than AG_PEERS_MAX */
    uint64_t probes_unsent;     /* the system refused to send */
    uint64_t probes_skipped;    /* ticks missed by a late process: skipped, not caught up */
    uint64_t replies_invalid;   /* not a STAMP reply */
    uint64_t replies_foreign;   /* no probe of ours, or not from the peer */
};

struct ag_agent {
    struct ag_loop ag_loop;
    const struct ag_options *ag_options; /* borrowed */
    char ag_name[AG_NAME_MAX];
    uint64_t ag_id;
    uint64_t ag_first_ns; /* CLOCK_REALTIME of the first start with this id */

    /* bus.c */
    struct sb_owner *ag_owner;                                        /* owned */
    struct sb_table *ag_agents, *ag_latency, *ag_samples, *ag_events; /* borrowed from ag_owner */
    struct ag_watch ag_bus_watch;
    uint64_t ag_pump_mono; /* next pump */
    bool ag_failed;        /* the segment is lost, and it was said */

    /* discovery.c */
    struct ag_interface ag_interfaces[AG_INTERFACES_MAX];
    unsigned ag_n_interfaces;
    struct ag_watch ag_beacon_watch, ag_netlink_watch;
    uint64_t ag_beacon_mono; /* next beacon */
    uint64_t ag_rescan_mono; /* next look at the interfaces */
    uint64_t ag_rejoin_mono; /* next renewal of the memberships */
    struct ag_bucket ag_beacon_bucket;
    uint32_t ag_beacon_seq;
    unsigned ag_burst; /* beacons of the starting burst still to be sent */

    /* peer.c */
    struct ag_peer *ag_peers[AG_PEERS_MAX]; /* owned */
    unsigned ag_n_peers;

    struct ag_reflector ag_reflector;
    struct ag_window_room ag_room;
    uint64_t ag_second;        /* end of the next window to close, in s of CLOCK_MONOTONIC */
    uint64_t ag_house_mono;    /* next housekeeping, once a second */
    uint64_t ag_restored_mono; /* restored rows are dropped then; 0: they were */
    uint16_t ag_clock_error;   /* error estimate of the probes */
    struct ag_counts ag_counts;
};

/* agent.c */
int ag_agent_run(const struct ag_options *options);
uint64_t ag_random(uint64_t below);

/* bus.c */
/* Opens the segment and takes the tables; id and peers come from the rows adopted. 0 or -1, logged.
 */
int ag_bus_open(struct ag_agent *agent);
void ag_bus_close(struct ag_agent *agent);
uint64_t ag_bus_pump(struct ag_agent *agent, uint64_t now);
void ag_bus_self(struct ag_agent *agent);
void ag_bus_peer(struct ag_agent *agent, const struct ag_peer *peer);
/* Once, some time after the start: drops the rows of earlier lives that nothing has confirmed. */
void ag_bus_sweep(struct ag_agent *agent, uint64_t now);
/* Removes a peer's rows, those of `latency` too. */
void ag_bus_forget(struct ag_agent *agent, const struct ag_peer *peer);
void ag_bus_event(struct ag_agent *agent, enum sb_event_kind kind, enum sb_severity severity,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* discovery.c */
int ag_discovery_open(struct ag_agent *agent);
void ag_discovery_close(struct ag_agent *agent); /* says goodbye */
uint64_t ag_discovery_tick(struct ag_agent *agent, uint64_t now);
/* A beacon soon, that a newcomer learns of us before its first probe comes. */
void ag_discovery_announce(struct ag_agent *agent, uint64_t now);

/* peer.c */
/* A configured peer. 0 or -1, logged. */
int ag_peer_configure(struct ag_agent *agent, const char *text);
/* A peer from the row of an earlier incarnation. */
void ag_peer_restore(struct ag_agent *agent, const struct sb_agent *row);
void ag_peer_beacon(struct ag_agent *agent, const struct ag_beacon *beacon,
                    const union ag_address *from);
bool ag_peer_is_member(const struct ag_agent *agent, const union ag_address *from);
bool ag_peer_is_configured(const struct ag_agent *agent, const union ag_address *from);
/* A sign of life: a beacon or a reply. */
void ag_peer_heard(struct ag_peer *peer, uint64_t now);
uint64_t ag_peer_tick(struct ag_agent *agent, uint64_t now);
void ag_peer_close_all(struct ag_agent *agent);

/* sender.c */
int ag_sender_open(struct ag_peer *peer);
void ag_sender_close(struct ag_peer *peer);
uint64_t ag_sender_tick(struct ag_peer *peer, uint64_t now);
void ag_sender_start(struct ag_peer *peer, uint64_t now);       /* first probe at a random phase */
void ag_sender_windows(struct ag_agent *agent, uint64_t end_s); /* those that end there */
void ag_sample_row(const struct ag_probe *probe, enum sb_sample_state state, int family,
                   struct sb_sample *ret);

/* ping.c, reflect.c */
int ag_ping_run(const struct ag_options *options);
int ag_reflect_run(const struct ag_options *options);

#endif
