/* SPDX-License-Identifier: Apache-2.0
 *
 * controller.h - the map of trivet-controller: its threads, its objects, who calls what.
 *
 *   main thread   listeners, topology (discovery, graph, hosts, flood), the bus's publisher
 *   workers       one epoll loop each; a switch stays on the worker that its dpid hashes to, and
 * that worker alone writes the switch's rows of the tables mac, flow and decision
 *
 * Threads talk by mailboxes only (mailbox.h) and share nothing else but the configuration, which is
 * never changed while workers run, and topology snapshots, which are immutable (net.h).
 */
#ifndef TRIVET_CONTROLLER_H
#define TRIVET_CONTROLLER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <trivet/config.h>
#include <trivet/openflow.h>
#include <trivet/statebus.h>

#include "frame.h"
#include "mailbox.h"
#include "net.h"
#include "openflow/template.h"
#include "tls.h"

struct ctl_worker;
struct ctl_greeter;
struct ctl_conn;
struct ctl_policy;
struct ctl_topology;

#define CTL_ADDRESS_MAX 64
#define CTL_COOKIE_TAG UINT64_C(0x7472) /* "tr": the upper 16 bits of every cookie of ours */
#define CTL_COOKIE_MASK (UINT64_C(0xffff) << 48)
/* Slot numbers of the rules every switch gets; no row of `flow` has them. */
#define CTL_COOKIE_TABLE_MISS (CTL_COOKIE_TAG << 48 | UINT64_C(0xffffffff))
#define CTL_COOKIE_DISCOVERY (CTL_COOKIE_TAG << 48 | UINT64_C(0xfffffffe))
#define CTL_COOKIE_MULTICAST (CTL_COOKIE_TAG << 48 | UINT64_C(0xfffffffd))
/* Groups have no cookie: the upper half of the ids of ours is the same tag. */
#define CTL_GROUP_TAG UINT32_C(0x7472)
#define CTL_GROUP_MULTICAST (CTL_GROUP_TAG << 16 | 1)

/* ---- mail contents ---------------------------------------------------------- */

struct ctl_mail_accept {
    int fd;              /* goes to the receiver */
    struct ctl_tls *tls; /* so does this; NULL: a plain connection */
    uint64_t opened_ns;  /* monotonic */
    char address[CTL_ADDRESS_MAX];
};

struct ctl_mail_packet {
    uint32_t in_port; /* where it came in; packet-out: the in_port of the message */
    uint32_t n_ports; /* packet-out: how many ports follow; the frame follows them */
    uint64_t t_ns;    /* when the message was read */
    uint32_t ports[]; /* then the frame */
};

struct ctl_mail_host {
    uint8_t mac[6];
    uint16_t vlan;
    bool gone;  /* to workers: forget it */
    bool flush; /* to workers: its flows lead to an old attachment, delete them */
    bool clash; /* to workers: its multicast came back in elsewhere; see multicast.c */
    bool alive; /* to main: no packet of it came, but rules of it are in use */
    uint64_t dpid;
    uint32_t port;
    uint8_t ip[16]; /* IPv4 (mapped) or IPv6; all zero unknown */
};

struct ctl_mail_switch {
    struct of_features features;
    char address[CTL_ADDRESS_MAX];
    char subject[CTL_SUBJECT_MAX]; /* of its certificate; "" without TLS */
    uint8_t version;
    uint16_t worker;
    uint32_t n_ports;
    uint32_t n_multicast;   /* ports that multicast may leave or enter by, as read back */
    struct of_port ports[]; /* then their numbers, uint32_t */
};

/* To a worker: how a switch shall take part in the multicast tree. Its number comes back in
 * ctl_mail_multicast_done when the switch has confirmed. */
struct ctl_mail_multicast {
    uint32_t number, n_ports;
    struct ctl_multicast_port {
        uint32_t port;
        bool link; /* of the tree; else an edge port */
    } ports[];     /* sorted by port; none: no group, no rules */
};

struct ctl_mail_multicast_done {
    uint32_t number;
    bool refused; /* it has no groups, or no room for ours */
};

/* What a switch counts at its ports: CTL_M_COUNTERS; and that a round of statistics is done. */
struct ctl_mail_counters {
    uint32_t n_ports;
    struct ctl_port_counters {
        uint32_t port;
        uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors,
            tx_errors;
    } ports[];
};
struct ctl_mail_polled {
    uint64_t t_ns;
    uint32_t n_flows;
};

struct ctl_mail_stats {
    uint64_t packet_ins, dropped;
    uint32_t rr_counter;
};

/* ---- app.c -------------------------------------------------------------------- */

struct ctl_app {
    struct sb_config *config;      /* owned */
    struct sb_owner *owner;        /* owned */
    struct sb_table *events;       /* borrowed from owner */
    struct sb_table *counters;     /* borrowed from owner */
    struct ctl_topology *topology; /* owned */
    struct ctl_worker *workers;    /* owned */
    unsigned n_workers, n_started;
    unsigned n_accepted;         /* connections so far: handshakes are spread over the workers */
    struct ctl_tls_server *tls;  /* owned; NULL: no ssl: address */
    struct ctl_greeter *greeter; /* owned; NULL: no ssl: address */
    struct ctl_mailbox mailbox;  /* of the main thread */
};

/* Append to the ring `event` and to the log. Main thread. */
void ctl_event(struct ctl_app *app, enum sb_event_kind kind, enum sb_severity severity,
               uint64_t dpid, uint32_t port, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Mail of a worker or the greeter. Main thread; the caller frees it. */
void ctl_app_mail(struct ctl_app *app, const struct ctl_mail *mail);
/* The worker a switch belongs to. Any thread. */
struct ctl_worker *ctl_worker_of(struct ctl_app *app, uint64_t dpid);

/* ---- listener.c: main thread ---------------------------------------------------- */

struct ctl_listener {
    int fd;
    bool tls;               /* it is an ssl: address */
    char *spec;             /* owned: as configured, "tcp:127.0.0.1:6653" */
    uint64_t rest_until_ns; /* monotonic; accept failed for lack of something */
};

/* Does this address ask for TLS? */
bool ctl_listen_tls(const char *spec);
/* Opens a listening socket for tcp:ADDR:PORT, ssl:ADDR:PORT or unix:PATH. 0, or -1 with the reason
 * in message (who holds an address in use, too). */
int ctl_listen(struct ctl_listener *ret, const char *spec, char *message, size_t size);
void ctl_listener_close(struct ctl_listener *listener);
/* Accepts what waits, some at a time, and hands each socket to a worker or to the greeter. */
void ctl_listener_run(struct ctl_app *app, struct ctl_listener *listener);

/* A packet-in as policies see it. */
struct ctl_packet {
    struct ctl_conn *conn;           /* conn->sw is set */
    const struct ctl_net_port *port; /* of in_port */
    uint32_t in_port;
    uint32_t buffer_id;
    struct ctl_frame frame;
};

/* Packets of one switch that are decided together: what one needs is fetched while others are
 * looked at. */
#define CTL_BATCH 32
#define CTL_GROUP 8 /* packets of a batch that are expected together */
struct ctl_batch {
    struct ctl_conn *conn;
    unsigned n;
    struct ctl_packet packets[CTL_BATCH];
    /* The policy's own, from expect() to packets_in(): the rule that will answer each, likely; its
     * hash; what is known of it if it stands already, and else where its row is likely to be. */
    struct sb_flow rows[CTL_BATCH];
    uint64_t hashes[CTL_BATCH];
    const struct ctl_standing *standing[CTL_BATCH];
    int64_t slots[CTL_BATCH];
};

#define CTL_SPARES 16

/* ---- worker.c --------------------------------------------------------------------- */

/* What a thread counts. Those that are not 0 are in the table `counter`, a second later at most,
 * and in the log at the stop and at SIGUSR1. */
#define CTL_COUNTERS(C)                                                                            \
    C(packet_ins)                                                                                  \
    C(flows)                                                                                       \
    C(packet_outs)                                                                                 \
    C(dropped_pressure)    /* answers not sent: the switch does not read */                        \
    C(dropped_pending)     /* packets from ports not yet classified: queue full or too old */      \
    C(dropped_broadcast)   /* broadcast that came over a link */                                   \
    C(dropped_reserved)    /* 01:80:c2:00:00:0x and unusable sources */                            \
    C(dropped_hosts)       /* hosts forgotten to make room for others */                           \
    C(dropped_mail)        /* packets for the main thread while it was behind */                   \
    C(dropped_malformed)   /* packet-ins without a whole Ethernet header */                        \
    C(errors)              /* that switches sent */                                                \
    C(errors_unmatched)    /* ... about requests that are not remembered */                        \
    C(flows_held)          /* rules not sent while a switch refuses all */                         \
    C(lost_buffers)        /* packets that switches had dropped when we named their buffers */     \
    C(waited)              /* handshakes put off: came too often, or the main thread is behind */  \
    C(late_answers)        /* requests that were not answered in time */                           \
    C(unasked)             /* answers to nothing we asked, or too late */                          \
    C(bad_peers)           /* connections closed for what they sent, or did not */                 \
    C(tls_no_certificate)  /* TLS peers that showed none */                                        \
    C(tls_bad_certificate) /* ... one that our CA has not signed, or that has expired */           \
    C(tls_plaintext)       /* ... that do not speak TLS */                                         \
    C(tls_stalled)         /* ... whose handshake took too long */                                 \
    C(tls_crowd)           /* ... that were too many at once */                                    \
    C(tls_failed)          /* ... whose handshake failed otherwise */

struct ctl_counters {
#define CTL_COUNTER(name) uint64_t name;
    CTL_COUNTERS(CTL_COUNTER)
#undef CTL_COUNTER
};

/* What the main thread was last told of them. */
struct ctl_counted {
    struct ctl_counters counters;
    uint64_t mono_ns;
};
struct ctl_mail_counted {
    char thread[16];
    struct ctl_counters counters;
};

/* counters.c: one line with those that are not 0. The thread that counts. */
void ctl_counters_log(const char *who, const struct ctl_counters *counters);
/* By mail to the main thread, if they have changed, once a second at most. False: not yet. The
 * thread that counts. */
bool ctl_counters_tell(struct ctl_app *app, const char *who, const struct ctl_counters *counters,
                       struct ctl_counted *told, uint64_t mono_ns);
/* Into the table `counter`, where rows of an earlier run go first. Main thread. */
void ctl_counters_open(struct ctl_app *app);
void ctl_counters_take(struct ctl_app *app, const struct ctl_mail_counted *counted);

/* ---- greeter.c: a thread for TLS handshakes --------------------------------------------- */

struct ctl_greeter *ctl_greeter_start(struct ctl_app *app); /* NULL: errno */
/* Takes CTL_W_ACCEPT, CTL_W_COUNTERS and CTL_W_STOP. */
struct ctl_mailbox *ctl_greeter_mailbox(struct ctl_greeter *greeter);
void ctl_greeter_join(struct ctl_greeter **greeter); /* before the workers; NULLs; accepts NULL */

/* A host as a worker knows it: open addressing, private to the worker. */
struct ctl_host {
    uint8_t mac[6];
    bool used;
    uint32_t port;
    uint64_t dpid;
    uint64_t reported_ns; /* when the main thread was last told */
    uint64_t since_ns;    /* when it was set to this place */
    uint64_t clash_ns;    /* when its multicast last came back in elsewhere */
    uint8_t ip[16], ip6[16];
};

/* A packet from a port whose type is not known yet. */
struct ctl_pending {
    uint64_t conn; /* its buffer_id is only good on this connection */
    uint64_t dpid, queued_mono_ns;
    uint32_t in_port, buffer_id;
    uint16_t size;
    uint8_t *data; /* owned */
};

/* How often a dpid has connected lately. */
struct ctl_returns {
    uint64_t dpid, since_ns; /* monotonic */
    uint32_t n;
};
#define CTL_RETURNS 64 /* dpids that are remembered, by their hash: a power of two */

#define CTL_PENDING_MAX 1024
#define CTL_PENDING_SWITCH 64 /* of them from one switch */

/* Rules that need nothing but to be sent again: standing.h. */
struct ctl_standings {
    struct ctl_standing *lines; /* owned */
    uint64_t mask;              /* lines less one */
};

struct ctl_worker {
    struct ctl_app *app; /* borrowed; configuration and mailboxes only */
    const struct ctl_policy *policy;
    unsigned index;
    pthread_t thread;
    int epoll;
    struct ctl_mailbox mailbox;
    struct ctl_mail *mail; /* owned: taken from it, not done yet */

    /* borrowed: this worker's shards */
    struct sb_table *mac, *flow, *group, *decision, *installed, *flow_table;
    struct ctl_rows *installed_rows;  /* owned: rows of `installed` by switch */
    uint32_t *installed_round;        /* owned: by slot, the list of flows it was last seen in */
    uint32_t poll_rounds;             /* lists of flows read so far */
    struct ctl_rows *rows, *mac_rows; /* owned: rows of `flow` and `mac` by switch */
    struct ctl_standings standings;
    uint32_t fdb_version;     /* the last that a switch got: struct ctl_fdb */
    uint64_t secret[2];       /* of hashes over what hosts choose */
    uint64_t confirm_mono_ns; /* when what nobody confirmed since the restart goes; 0: it went */
    struct ctl_net *net;      /* shared: released when replaced */

    struct ctl_conn *conns;    /* list of all connections */
    struct ctl_conn **by_dpid; /* owned: open-addressed, power of two */
    uint32_t by_dpid_size, n_switches;
    struct ctl_conn *dirty, **dirty_end; /* those with output to write in this turn, in order */
    size_t unsent;                       /* bytes they have got in it */
    struct ctl_spare {
        uint8_t *data; /* owned */
        size_t size;
    } spares[CTL_SPARES]; /* buffers for output, the one used last at the end */
    unsigned n_spares;
    struct ctl_conn *dead; /* those to free at the end of the turn */

    struct ctl_host *hosts; /* owned */
    uint32_t hosts_size, n_hosts;

    struct ctl_returns returns[CTL_RETURNS];

    struct ctl_pending pending[CTL_PENDING_MAX]; /* ring */
    uint32_t pending_first, n_pending;

    struct of_template templates[2]; /* the last flow-mod by shape: see flows.c */
    struct sb_flow templates_of[2];  /* ... and the row it was made for */
    struct ctl_batch batch;
    uint8_t *rx;              /* owned: one buffer for all connections, 2 * 65535 at least */
    uint64_t now_ns, mono_ns; /* read once a turn */
    uint64_t next_tick_ns;    /* monotonic: when the timers run */
    uint64_t next_conn;       /* id of the next connection */
    uint64_t greedy_turn;     /* counts the turns of those who send much */
    struct ctl_counters counters;
    struct ctl_counted counted;
    bool stop;
};

/* All but its thread, and one turn of that: for start, and for those who have no threads (fuzzing).
 */
int ctl_worker_init(struct ctl_worker *worker, struct ctl_app *app, unsigned index);
void ctl_worker_turn(struct ctl_worker *worker, int timeout_ms);
int ctl_worker_start(struct ctl_worker *worker, struct ctl_app *app, unsigned index);
/* Ends its thread. Until all threads have ended they go on sending mail to each other. */
void ctl_worker_join(struct ctl_worker *worker);
/* All that it has, mail that came after its end, too; after the threads of all workers. */
void ctl_worker_fini(struct ctl_worker *worker);
struct ctl_conn *ctl_worker_conn(const struct ctl_worker *worker, uint64_t dpid);
void ctl_worker_add_switch(struct ctl_worker *worker, struct ctl_conn *conn);
void ctl_worker_remove_switch(struct ctl_worker *worker, struct ctl_conn *conn);
/* One record in the ring `event`, by way of the main thread. */
void ctl_worker_event(struct ctl_worker *worker, enum sb_event_kind kind, enum sb_severity severity,
                      uint64_t dpid, uint32_t port, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* known.c: hosts and pending packets of a worker */
struct ctl_host *ctl_host_find(struct ctl_worker *worker, const uint8_t *mac);
void ctl_host_set(struct ctl_worker *worker, const uint8_t *mac, uint64_t dpid, uint32_t port);
void ctl_host_forget(struct ctl_worker *worker, const uint8_t *mac);
/* Some time after a restart: what rules in use show is confirmed, rows of `mac` from before that
 * nothing confirms go. */
void ctl_known_confirm(struct ctl_worker *worker);
/* A frame came in at an edge port: tell the main thread what is new about its source. */
void ctl_host_seen(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t in_port,
                   const struct ctl_frame *frame);
void ctl_pending_add(struct ctl_worker *worker, struct ctl_conn *conn,
                     const struct of_packet_in *in);
/* Decide those whose port is known by now; drop the old. */
void ctl_pending_run(struct ctl_worker *worker);

/* ---- connection.c, messages.c: one switch connection, on its worker ---------------------- */

enum ctl_conn_state {
    CTL_HELLO,     /* ours sent, the peer's awaited */
    CTL_FEATURES,  /* features request sent */
    CTL_WAIT,      /* it comes too often, or the main thread is behind: not yet */
    CTL_DUPLICATE, /* its dpid is connected already: the old one is being probed */
    CTL_SETUP,     /* ports and flows are being read */
    CTL_BARRIER,   /* own rules sent, barrier awaited */
    CTL_READY,
    CTL_CLOSED, /* waits to be freed */
};

/* What a switch is asked to list when it connects. */
enum ctl_list { CTL_LIST_PORTS, CTL_LIST_GROUPS, CTL_LIST_FLOWS, CTL_N_LISTS };

/* The rules every switch has. They have no rows. */
enum ctl_basic_rule { CTL_TABLE_MISS, CTL_DISCOVERY, CTL_N_BASIC };

/* What the switch holds at the place (table, priority, match) of a rule of ours without a row. */
enum ctl_place {
    CTL_PLACE_EMPTY,
    CTL_PLACE_OURS,    /* as it should be */
    CTL_PLACE_CHANGED, /* ours once, not as it should be: an ADD replaces it */
    CTL_PLACE_FOREIGN, /* not ours, to be left alone */
};

/* Ways a switch is part of the multicast tree, as read back and sent: multicast.c. */
struct ctl_multicast {
    bool has_group;            /* the switch has it */
    bool strange;              /* with other buckets than one output each */
    bool refused;              /* it has no groups, or none for us */
    uint8_t guards[2];         /* enum ctl_place, of the rules that keep broadcast out */
    uint8_t repairs;           /* of one order: what the switch lost was sent again */
    uint32_t n_ports, n_links; /* of the lists below */
    uint32_t *ports;           /* owned: where the group sends to */
    struct ctl_link_rule {
        uint32_t port;
        uint8_t place;      /* enum ctl_place */
    } * links;              /* owned: rules for what comes in by a link */
    struct ctl_mail *order; /* owned: the last */
    bool waits;             /* it was not sent for lack of room */
    uint32_t first_xid;     /* of the last messages for it */
    uint32_t barrier_xid;   /* whose reply confirms it; 0: none awaited */
};

struct ctl_read_back;

/* Requests that are remembered by xid, and what is awaited: requests.c. */
#define CTL_REQUESTS 512 /* a power of two */
#define CTL_AWAITED 8
enum ctl_request_kind {
    CTL_R_NONE, /* not remembered */
    CTL_R_FLOW, /* a rule with a row: its slot */
    CTL_R_RULE, /* a permanent rule, without a row */
    CTL_R_GROUP,
    CTL_R_BARRIER,
    CTL_R_LIST, /* a multipart request: its type */
};
struct ctl_request {
    uint32_t xid;
    uint32_t what; /* kind 4, row 28 bits */
};
/* What a rule's row is remembered by, from its cookie: slot 24 bits, and the last 4 of its
 * generation, since the slot may have another row when the answer comes. Those of 16 later rows in
 * one slot, within the last CTL_REQUESTS requests, would be taken for it. */
static inline uint32_t
ctl_request_row(uint64_t cookie)
{
    return (uint32_t)(cookie & 0xffffff) | (uint32_t)(cookie >> 32 & 0xf) << 24;
}
struct ctl_awaited {
    uint32_t xid;
    enum ctl_request_kind kind;
    uint64_t sent_ns; /* monotonic */
};

/* Where a switch's round of statistics is: statistics.c. */
struct ctl_poll {
    uint64_t due_ns;             /* monotonic: the next round; 0: not set yet */
    uint64_t began_ns;           /* monotonic: this round */
    uint64_t asked_ns, heard_ns; /* monotonic: the request, the last part of its answer */
    uint32_t xid;                /* of the request; 0: none is outstanding */
    uint32_t n_foreign;          /* of these, flows of others */
    uint32_t round, n_flows;     /* number of the list of flows, and how many it had */
    uint8_t step;                /* which list */
    uint8_t refused;             /* a bit each: lists it does not have */
    uint8_t slowed;              /* rounds in turn that were not answered */
};

struct ctl_barrier {
    uint64_t sent_mono_ns;
    uint32_t xid;
    uint32_t end; /* index behind the last flow slot it covers, modulo 2^32 */
};

/* A rule that was sent, and when. */
struct ctl_sent {
    uint64_t t_ns;
    uint32_t slot;       /* of its row */
    uint16_t generation; /* of its cookie: the slot may be another row's by now */
    bool stood;          /* it was there before, and its row says so: nothing is to be confirmed */
};

/* The index of a switch's rows of `mac`: fdb.c. */
#define CTL_FDB_VERSION_MAX UINT32_C(0x3fffff)
struct ctl_fdb {
    struct ctl_fdb_entry *entries; /* owned; NULL: none yet */
    uint32_t mask, n;              /* entries less one, those in use */
    uint32_t swept;                /* where the next sweep begins, modulo the size */
    uint32_t version; /* another one whenever an address moved or went; no other switch has it */
};

struct ctl_conn {
    struct ctl_conn *next, **prev; /* in worker->conns */
    struct ctl_conn *next_dirty, *next_dead;
    struct ctl_worker *worker; /* borrowed */
    uint64_t id;               /* never reused within the process */
    int fd;
    struct ctl_tls *tls; /* owned; NULL: plain */
    enum ctl_conn_state state;
    uint8_t version;
    bool is_dirty;
    bool registered; /* in worker->by_dpid */
    bool waits_out;  /* EPOLLOUT is on */
    bool greedy;     /* its last read was a big one: others are served first */
    char address[CTL_ADDRESS_MAX];
    uint64_t greedy_turn; /* of the worker: the last one that it had among its like */

    uint64_t opened_ns;        /* monotonic */
    uint64_t state_since_ns;   /* monotonic */
    uint64_t last_rx_ns;       /* monotonic; the last whole message */
    uint64_t echo_sent_ns;     /* monotonic; 0: none outstanding */
    uint64_t blocked_since_ns; /* monotonic; output is stuck since; 0: it is not */
    size_t blocked_left;       /* bytes that waited then and wait still */
    uint32_t next_xid;

    uint64_t held_until_ns; /* monotonic; no new rules before, since it refuses them; 0: never */
    uint32_t hold_s;        /* the last hold */
    uint32_t n_awaited;
    struct ctl_awaited awaited[CTL_AWAITED]; /* oldest first */
    struct ctl_request requests[CTL_REQUESTS];

    uint8_t *partial; /* owned: the beginning of a message that is not there whole yet */
    uint32_t partial_size;
    uint8_t *out; /* owned: bytes not yet written */
    size_t out_first, out_end, out_size;

    struct of_features features;
    struct of_port *ports; /* owned: from the port description, until handed to the main thread */
    uint32_t n_ports;
    uint32_t setup_ports_xid, setup_groups_xid, setup_flows_xid,
        setup_barrier_xid;             /* 0: answered or given up */
    uint32_t setup_parts[CTL_N_LISTS]; /* of its lists, received */
    uint64_t setup_bytes[CTL_N_LISTS];
    uint64_t setup_since_ns;     /* monotonic */
    bool flows_read;             /* the switch listed its flows completely */
    uint8_t basic[CTL_N_BASIC];  /* enum ctl_place, as read back */
    struct ctl_read_back *found; /* owned: until the read-back is done */
    struct ctl_multicast multicast;

    struct ctl_fdb fdb;
    const struct ctl_net_switch *sw; /* in worker->net; NULL: not in it yet */
    int32_t sw_index;
    uint32_t rr_counter; /* round-robin choices made */
    bool rr_loaded;
    bool compared; /* its rules were held against a snapshot that has it */
    uint64_t packet_ins, dropped;
    struct ctl_mail_stats reported; /* what the main thread was last told */
    uint64_t reported_ns;           /* monotonic */

    struct ctl_sent *unconfirmed; /* owned ring, power of two: sent since the last barrier reply */
    uint32_t unconfirmed_size, unconfirmed_first, unconfirmed_end;
    uint64_t probed;         /* DUPLICATE: id of the connection that was asked for a sign of life */
    uint32_t n_pending;      /* of its packets in worker->pending */
    uint64_t ports_since_ns; /* monotonic: port changes are counted from here */
    uint32_t n_ports_changed;
    uint64_t buffers_since_ns; /* monotonic: lost buffers are counted from here */
    uint32_t n_buffers_lost;
    bool no_buffers; /* too many: they are not used any more */
    struct ctl_poll poll;
    struct ctl_barrier barriers[16]; /* ring: outstanding barriers, oldest first */
    uint32_t barriers_first, barriers_end;
    bool flows_since_barrier;
};

/* Takes over the socket and the TLS session. NULL: they are closed. */
struct ctl_conn *ctl_conn_new(struct ctl_worker *worker, const struct ctl_mail_accept *accepted);
void ctl_conn_free(struct ctl_conn *conn);
/* One that belongs to no worker at the moment (between two, at the stop). */
void ctl_conn_discard(struct ctl_conn *conn);
/* Bytes can be read or written. */
void ctl_conn_readable(struct ctl_conn *conn);
void ctl_conn_flush(struct ctl_conn *conn);
/* Deadlines and liveness; about ten times a second. */
void ctl_conn_timers(struct ctl_conn *conn);
/* Takes over a connection that another worker began. */
void ctl_conn_adopt(struct ctl_worker *worker, struct ctl_conn *conn);
/* Ends it: logs why, tells the main thread, frees it at the end of the turn. */
void ctl_conn_close(struct ctl_conn *conn, enum sb_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sends a frame out of some ports. in_port: as packet_out has it. buffer_id: OF_NO_BUFFER or the
 * switch's buffer, in which case the frame is not sent along. */
void ctl_conn_packet_out(struct ctl_conn *conn, uint32_t buffer_id, uint32_t in_port,
                         const uint32_t *ports, unsigned n_ports, const void *frame, size_t size);
/* The same, out of one port. */
void ctl_conn_packet_out_to(struct ctl_conn *conn, uint32_t buffer_id, uint32_t in_port,
                            uint32_t port, const void *frame, size_t size);
/* Tells the main thread its counters, if they changed. */
void ctl_conn_report(struct ctl_conn *conn);
/* Puts a packet-in into the worker's batch for the policy, or among the pending. */
void ctl_conn_packet_in(struct ctl_conn *conn, const struct of_packet_in *in);
/* Decides the batch; before the bytes of its frames go. */
void ctl_batch_run(struct ctl_worker *worker);

/* requests.c: the number of a request that changes something, which is remembered by it
 * (ctl_conn_request()), whose answer has a deadline, CTL_BARRIER_NS; and: it was answered. False:
 * it was not awaited (any more). */
uint32_t ctl_conn_await(struct ctl_conn *conn, enum ctl_request_kind kind, uint32_t row);
bool ctl_conn_answered(struct ctl_conn *conn, uint32_t xid);
void ctl_requests_timers(struct ctl_conn *conn);
/* Counts and logs an answer that has not come for so long. */
void ctl_conn_late(struct ctl_conn *conn, const char *what, uint32_t xid, uint64_t ns);
/* An error came that is not about the handshake. */
void ctl_conn_refused(struct ctl_conn *conn, const struct of_error_msg *error);
/* A rule that is not sent, because the switch refuses all at the moment: its row becomes what a
 * refused one is, the packet is sent on its way. True, as ctl_flow_install() says. */
bool ctl_flow_hold(struct ctl_conn *conn, struct sb_flow *row, const struct ctl_packet *packet);

/* handshake.c: from HELLO to READY */
void ctl_handshake_start(struct ctl_conn *conn);
void ctl_handshake_hello(struct ctl_conn *conn, const uint8_t *m);
void ctl_handshake_features(struct ctl_conn *conn, const uint8_t *m);
void ctl_handshake_multipart(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h);
void ctl_handshake_barrier(struct ctl_conn *conn);
/* The request with this xid was refused. True if it was one of the handshake's. */
bool ctl_handshake_refused(struct ctl_conn *conn, uint32_t xid);
void ctl_handshake_timers(struct ctl_conn *conn);
/* The dpid is free, or the old connection is dead: go on. */
void ctl_handshake_proceed(struct ctl_conn *conn);

/* ---- statistics.c: counters, read from the switch ------------------------------------------ */

void ctl_statistics_timers(struct ctl_conn *conn);
/* A multipart reply: false if it is none of ours. *ret: what is wrong with it, *where. */
bool ctl_statistics_reply(struct ctl_conn *conn, const uint8_t *m, const struct of_header *h,
                          int *ret, struct of_where *where);
/* The request with this xid was refused. True if it was ours. */
bool ctl_statistics_refused(struct ctl_conn *conn, uint32_t xid);

/* ---- rows.c: the rows of a table that are a switch's ---------------------------------------- */

/* Of a table whose rows begin with the dpid. NULL: out of memory; free() it. */
struct ctl_rows *ctl_rows_new(const struct sb_table *table);
/* A row of this switch was put into a slot that was another's, or empty. */
void ctl_rows_add(struct ctl_rows *rows, uint64_t dpid, int64_t slot);
/* The next slot with a row of this switch after `slot` (start with -1), or SB_ENONE. Rows may be
 * removed meanwhile; one that is added may be missed. */
int64_t ctl_rows_next(struct ctl_rows *rows, const struct sb_table *table, uint64_t dpid,
                      int64_t slot);

/* ---- fdb.c: the table `mac` ------------------------------------------------------------------ */

/* What is known of a switch that connects. */
void ctl_fdb_load(struct ctl_conn *conn);
void ctl_fdb_free(struct ctl_fdb *fdb);
/* Writes the rows of what was heard lately. */
void ctl_fdb_timers(struct ctl_conn *conn);
/* A switch for good; what was learned at a port; what nobody has confirmed since the restart (the
 * number of addresses). */
void ctl_fdb_forget_switch(struct ctl_worker *worker, uint64_t dpid);
void ctl_fdb_forget_port(struct ctl_conn *conn, uint32_t port);
/* What was learned at ports that carry nothing. */
void ctl_fdb_forget_void(struct ctl_conn *conn, bool (*carries)(const struct ctl_net_port *port));
uint64_t ctl_fdb_drop_restored(struct ctl_worker *worker);

/* ---- standing.h, standing.c ------------------------------------------------------------- */

/* Zeroed cache lines for an index, a power of two of bytes, which free() takes. Large ones are on
 * huge pages, where the kernel has them: a look into one is a miss of the TLB anyway, but a shorter
 * one. */
void *ctl_lines_new(size_t size);
/* For about so many rules. -1: out of memory. */
int ctl_standing_init(struct ctl_standings *standings, uint32_t rules);
void ctl_standing_fini(struct ctl_standings *standings);

/* ---- flows.c: rules of this worker's switches ------------------------------------------ */

/* Decides and sends one rule: fills cookie, times and state of *row, stores it, sends the flow-mod
 * and remembers it for the next barrier. False: not sent, because the switch is not connected (conn
 * NULL) or does not read. hash: sb_hash(worker->flow, row); slot: where its row may be, or -1;
 * packet: what it was decided for, if that shall go the rule's way at once: the flow-mod releases
 * its buffer, or a packet-out follows. */
bool ctl_flow_install(struct ctl_worker *worker, struct ctl_conn *conn, struct sb_flow *row,
                      uint64_t hash, int64_t slot, const struct ctl_packet *packet);
/* Sends the rule once more that stands in its switch: fills the cookie of *row. Else as above. */
bool ctl_flow_again(struct ctl_conn *conn, const struct ctl_standing *standing, struct sb_flow *row,
                    const struct ctl_packet *packet);
/* Writes the columns behind the key of a row that becomes another one. */
void ctl_flow_write(struct ctl_worker *worker, int64_t slot, const struct sb_flow *row);
/* Removes the row in a slot, or SB_ENONE: what of `flow` goes, goes by this. */
int ctl_flow_remove(struct ctl_worker *worker, int64_t slot);
/* Barriers that were never answered are given up. */
void ctl_flow_timers(struct ctl_conn *conn);
/* At the end of a turn: one barrier for all flow-mods since the last. */
void ctl_flow_barrier(struct ctl_conn *conn);
void ctl_flow_barrier_reply(struct ctl_conn *conn, uint32_t xid);
void ctl_flow_removed(struct ctl_conn *conn, const struct of_flow_removed *removed);
/* A flow-mod was refused. slot: of its row, if the request is remembered, else SB_ENONE; tell: with
 * an event. */
void ctl_flow_refused(struct ctl_conn *conn, const struct of_error_msg *error, int64_t slot,
                      bool tell);
/* The buffer it was to release is gone: sends it again without. False: it was no rule of ours. */
bool ctl_flow_without_buffer(struct ctl_conn *conn, const struct of_error_msg *error, int64_t slot);
/* Slot of the row with this match, or SB_ENONE. Rows are found by match, because slots change when
 * a restart has other capacities, so that a cookie alone would not do. */
int64_t ctl_flow_find(const struct ctl_conn *conn, const struct of_match *match, uint16_t priority,
                      uint8_t table_id);
/* Sends the rule of a row that stands: OFPFC_ADD or OFPFC_MODIFY_STRICT. */
bool ctl_flow_send_again(struct ctl_conn *conn, int64_t slot, uint8_t command);
/* The first snapshot after it connected: rules that lead to nowhere since then go. */
void ctl_flow_delete_void(struct ctl_conn *conn, bool (*carries)(const struct ctl_net_port *port));
/* Delete all our rules that lead out of a port (and, by mail to all workers, the other rules of
 * paths that went that way), all rules of some paths (sorted ids), or all that carry a MAC address.
 */
void ctl_flow_delete_paths(struct ctl_worker *worker, const uint64_t *paths, size_t n);
void ctl_flow_delete_port(struct ctl_conn *conn, uint32_t port);
void ctl_flow_delete_mac(struct ctl_worker *worker, const uint8_t *mac);
/* Delete the rule of the row in this slot, which stands. */
void ctl_flow_delete(struct ctl_worker *worker, int64_t slot);
/* One record in the ring `decision`. */
void ctl_decision(struct ctl_worker *worker, uint64_t dpid, enum sb_decision_kind kind,
                  enum sb_policy policy, uint32_t in_port, uint32_t output, uint64_t cookie,
                  const struct ctl_frame *frame);

/* ---- reconcile.c: what a switch that connects holds, against what was decided ------------ */

/* Rows of a switch that connects are hearsay until it has been asked. */
void ctl_reconcile_begin(struct ctl_conn *conn);
/* One group, one flow it holds; the end of the lists. */
void ctl_reconcile_group(struct ctl_conn *conn, const struct of_group_mod *group);
void ctl_reconcile_flow(struct ctl_conn *conn, const struct of_flow *flow);
void ctl_reconcile_end(struct ctl_conn *conn);
/* Sends those of the rules every switch has that are not there. */
void ctl_reconcile_basic(struct ctl_conn *conn);
/* Does a flow do this one action and nothing else? */
bool ctl_flow_does(const struct ctl_conn *conn, const struct of_flow *flow,
                   const struct of_action *only);
/* What a flow at the place of a permanent rule is. */
enum ctl_place ctl_flow_place(const struct ctl_conn *conn, const struct of_flow *flow,
                              uint64_t cookie, const struct of_action *only);

/* ---- multicast.c: a switch's part in the multicast tree ---------------------------------- */

/* Read back: its group; is this flow one of its rules? */
void ctl_multicast_found(struct ctl_conn *conn, const struct of_group_mod *group);
bool ctl_multicast_found_rule(struct ctl_conn *conn, const struct of_flow *flow);
/* Ports that multicast may leave or enter by: at most max into ret, the number. */
uint32_t ctl_multicast_ports(const struct ctl_conn *conn, uint32_t *ret, uint32_t max);
/* The policy has no multicast: what was found goes. */
void ctl_multicast_stale(struct ctl_conn *conn);
/* An order of the main thread (which it takes over), and again if there was no room. */
void ctl_multicast_order(struct ctl_conn *conn, struct ctl_mail *order);
void ctl_multicast_timers(struct ctl_conn *conn);
/* A barrier of its messages was answered. */
void ctl_multicast_barrier(struct ctl_conn *conn, uint32_t xid);
/* A request was refused: is what it says about our group? */
void ctl_multicast_error(struct ctl_conn *conn, const struct of_error_msg *error);
void ctl_multicast_free(struct ctl_conn *conn);
/* A frame to a group address came in at an edge port. False: it is a copy of one that came before,
 * to be dropped. */
bool ctl_multicast_fresh(struct ctl_worker *worker, const struct ctl_packet *packet);
/* ... and may the next ones go by the data plane? Then a rule for them is sent. */
void ctl_multicast_install(struct ctl_worker *worker, const struct ctl_packet *packet);
/* Its multicast came back in elsewhere. */
void ctl_multicast_clash(struct ctl_worker *worker, const uint8_t *mac);

#endif
