/* SPDX-License-Identifier: Apache-2.0
 *
 * topology.h - switches, ports, links and hosts of the network. Main thread only.
 *
 *   graph.c      switches and ports, their rows, port types
 *   discovery.c  LLDP frames out and in, link time-outs
 *   hosts.c      where hosts are
 *   paths.c      distances, flood tree and the snapshot for the workers
 *   tree.c       the multicast tree and the order of its changes
 *   flood.c      packets for all edge ports, also for those that turn up a moment later
 *
 * What a neighbour's discovery frame said is kept at the port that heard it; a link is two ports
 * that hear each other. Nothing else is stored about links, so that nothing can disagree.
 */
#ifndef TRIVET_CONTROLLER_TOPOLOGY_H
#define TRIVET_CONTROLLER_TOPOLOGY_H

#include "../controller.h"

struct ctl_port {
    struct sb_port row;
    uint64_t up_mono_ns;    /* up since */
    uint64_t next_lldp_ns;  /* monotonic */
    uint64_t first_lldp_ns; /* monotonic; since it came up; 0: none sent */
    uint64_t lldp_sent_mono_ns;
    uint32_t lldp_count;            /* discovery frames sent since it came up */
    uint32_t nonce, previous_nonce; /* of the last two frames sent */
    /* heard from the other end */
    uint64_t heard_dpid; /* 0: nobody */
    uint32_t heard_port;
    uint32_t heard_count; /* the sender's lldp_count at that time */
    uint64_t heard_mono_ns, heard_ns;
    uint64_t latency_ns; /* smoothed */
    bool was_link;       /* unknown now, and a link before: see discovery.c */
    bool tree;           /* of a link: on the flood tree */
    /* of the multicast tree: wanted on it; maybe on; as last ordered; as a link */
    bool cast_want, cast_on, cast_ordered, cast_link;
    uint64_t cast_dpid; /* the end it reached when it was put on; 0: an edge port */
    uint32_t cast_port;
    uint64_t link_written_ns; /* monotonic; last time its link's row was written */
};

struct ctl_switch {
    struct sb_switch row;
    uint64_t conn;          /* id of its connection, 0 gone */
    uint64_t gone_mono_ns;  /* since */
    struct ctl_port *ports; /* owned, sorted by number */
    uint32_t n_ports;
    uint32_t cast_number; /* of the last order for the multicast tree */
    bool cast_known;      /* an order was given since it connected */
    bool cast_refused;    /* it has no groups */
    bool tree_seen;       /* the rest is for one run of tree.c: met by the search; its index; */
    uint32_t tree_index, tree_root; /* the switch that stands for all it is joined with */
};

struct ctl_flood;

struct ctl_topology {
    struct ctl_app *app;                                                       /* borrowed */
    struct sb_table *switches_table, *ports_table, *links_table, *hosts_table; /* borrowed */
    struct ctl_switch **switches; /* owned, sorted by dpid */
    uint32_t n_switches, n_ports;
    bool dirty;    /* a snapshot is due */
    bool tree_due; /* a run of tree.c is due */
    uint64_t built_mono_ns, build_cost_ns;
    uint64_t tree_mono_ns, tree_cost_ns; /* the same of tree.c */
    uint64_t version;
    struct ctl_net
        *net; /* the last snapshot: borrowed from itself, one reference is the main thread's */
    struct ctl_flood *flood;  /* owned */
    uint8_t key[32];          /* of the discovery frames' HMAC */
    uint64_t next_check_ns;   /* monotonic: of the discovery's timers */
    uint64_t confirm_mono_ns; /* when hosts of before the restart go; 0: they went */
    uint64_t interval_ns, settle_ns;
    uint64_t forged; /* discovery frames with our OUI and a bad HMAC */
};

/* topology.c */
int ctl_topology_open(struct ctl_app *app, const char *runtime_dir);
void ctl_topology_close(struct ctl_topology *topology);
void ctl_topology_mail(struct ctl_topology *topology, const struct ctl_mail *mail);
/* Timers, snapshot if due. Returns the milliseconds to the next call at the latest. */
int ctl_topology_run(struct ctl_topology *topology);

/* graph.c */
void ctl_graph_restore(struct ctl_topology *topology);
void ctl_graph_free(struct ctl_topology *topology);
struct ctl_switch *ctl_graph_switch(const struct ctl_topology *topology, uint64_t dpid);
struct ctl_port *ctl_graph_port(const struct ctl_switch *sw, uint32_t port);
void ctl_graph_switch_up(struct ctl_topology *topology, const struct ctl_mail *mail);
void ctl_graph_switch_down(struct ctl_topology *topology, const struct ctl_mail *mail);
void ctl_graph_port_status(struct ctl_topology *topology, const struct ctl_mail *mail);
void ctl_graph_stats(struct ctl_topology *topology, const struct ctl_mail *mail);
void ctl_graph_counters(struct ctl_topology *topology, const struct ctl_mail *mail);
void ctl_graph_polled(struct ctl_topology *topology, const struct ctl_mail *mail);
/* A packet came from a port the switch never described. */
void ctl_graph_port_seen(struct ctl_topology *topology, struct ctl_switch *sw, uint32_t port);
void ctl_graph_type(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port,
                    enum sb_port_type type);
/* The port heard another end than before (or, dpid 0, none any more). */
void ctl_graph_heard(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port,
                     uint64_t dpid, uint32_t from);
/* Writes the row of the link this port has, if it has one. */
void ctl_graph_write_link(struct ctl_topology *topology, const struct ctl_switch *sw,
                          struct ctl_port *port);
/* The port at the other end if both hear each other and are up; else NULL. */
struct ctl_port *ctl_graph_peer(const struct ctl_topology *topology, const struct ctl_switch *sw,
                                const struct ctl_port *port, struct ctl_switch **ret_switch);
/* Forgets switches that have been gone for long. */
void ctl_graph_expire(struct ctl_topology *topology, uint64_t mono);

/* discovery.c */
int ctl_discovery_key(struct ctl_topology *topology, const char *runtime_dir);
void ctl_discovery_send(struct ctl_topology *topology, struct ctl_switch *sw,
                        struct ctl_port *port);
void ctl_discovery_frame(struct ctl_topology *topology, const struct ctl_mail *mail);
/* Frames that are due, time-outs, port types that are settled. Returns the next deadline
 * (monotonic). */
uint64_t ctl_discovery_run(struct ctl_topology *topology, uint64_t mono);
void ctl_packet_out(struct ctl_topology *topology, const struct ctl_switch *sw,
                    const uint32_t *ports, uint32_t n_ports, const void *frame, size_t size);

/* hosts.c */
void ctl_hosts_restore(struct ctl_topology *topology);
void ctl_hosts_seen(struct ctl_topology *topology, const struct ctl_mail_host *seen);
/* Multicast of a host came back in elsewhere: the workers are told. */
void ctl_hosts_clash(struct ctl_topology *topology, const struct ctl_mail_host *clash);
/* Some time after a restart, the workers having confirmed what their rules show: hosts from before
 * that nothing confirms go. Their rules stay, and end by their time-outs. */
void ctl_hosts_confirm(struct ctl_topology *topology);
/* A port is no edge port any more: its hosts go at once. */
void ctl_hosts_port_lost(struct ctl_topology *topology, uint64_t dpid, uint32_t port);

/* paths.c */
struct ctl_net *ctl_net_build(struct ctl_topology *topology);

/* tree.c */
void ctl_tree_restore(struct ctl_topology *topology);
/* Orders what has changed. */
void ctl_tree_run(struct ctl_topology *topology);
/* It connected, with multicast on at these ports. */
void ctl_tree_switch_up(struct ctl_switch *sw, const uint32_t *ports, uint32_t n_ports);
void ctl_tree_confirmed(struct ctl_topology *topology, const struct ctl_mail *mail);

/* flood.c */
struct ctl_flood *ctl_flood_new(void);
void ctl_flood_free(struct ctl_flood *flood);
void ctl_flood(struct ctl_topology *topology, const struct ctl_mail *mail);
/* After a new snapshot: edge ports that came within reach get the recent packets too. */
void ctl_flood_again(struct ctl_topology *topology);

#endif
