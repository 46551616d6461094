/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapcheck.h - the map of the checker.
 *
 *   source (live.c or reader.c) -> engine.c: dissect, identify, flow table, journeys
 *        -> checks/: each closed journey, in order -> report.c, publish.c, view.c
 *   bus.c or expect.c -> net.c: ports, links, decided flows, decisions (what should happen)
 *
 * A *point* is a switch port; packets are seen there in a *direction*, as the switch sees it:
 * PC_OUT is what the switch sends. A *journey* is everything seen of one packet identity until
 * nothing was seen of it for PC_QUIET_NS; only then the checks judge it, so the order in which the
 * capture handles were read does not matter.
 *
 * One thread enters all of this. The capture, the bus and the terminal share one epoll loop
 * (main.c): at laboratory rates the loop is idle most of the time, and the kernel's rings
 * (pcapcheck.buffer-mib) bridge the rest; a capture thread would buy throughput with a second copy
 * of every packet.
 */
#ifndef PC_PCAPCHECK_H
#define PC_PCAPCHECK_H

#include "dissect.h"
#include "index.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <trivet/clock.h>
#include <trivet/tables.h>

#define PC_POINTS_MAX 8192
#define PC_CLAIMS_MAX 32768
#define PC_LINKS_MAX 8192
#define PC_SWITCHES_MAX 2048
#define PC_DECISIONS_MAX 16384
#define PC_TUPLES_MAX 64          /* distinct (fields, priority) of decided flows */
#define PC_HOPS_MAX 64            /* (point, direction) pairs of one journey that are judged */
#define PC_QUIET_NS (500 * SB_MS) /* a journey ends when nothing was seen for so long */
#define PC_AGE_NS (3 * SB_SECOND) /* ... or when it is so old: a storm must be reported */
#define PC_SETTLE_NS (50 * SB_MS) /* after its barrier a flow is judged from here on */
#define PC_LAG_NS                                                                                  \
    (200 * SB_MS) /* live: packets older than this have been read from every handle                \
                   */

/* ---- points (points.c) --------------------------------------------------------- */

enum pc_direction { PC_IN, PC_OUT, PC_EITHER, PC_DIRECTIONS = 2 };

/* One direction of a point that is captured. */
struct pc_tap {
    uint64_t since_ns; /* captured from here on; 0: not captured */
    uint64_t packets;  /* seen */
    uint64_t drops;    /* by the kernel, all handles so far */
    uint64_t drop_ns;  /* when the last drop was noticed; 0 never */
};

struct pc_point {
    char name[16]; /* interface */
    uint64_t dpid; /* valid when mapped */
    uint32_t port;
    uint8_t mapped; /* the port table names it */
    uint8_t gone;   /* the row was removed again */
    uint8_t type;   /* enum sb_port_type */
    uint8_t up;
    uint64_t changed_ns;
    uint32_t peer;    /* point at the other end of its link, PC_NONE */
    uint64_t peer_ns; /* when that link last changed */
    struct pc_tap tap[PC_DIRECTIONS];
    char why[96]; /* why it cannot be captured, "" when it is */
};

struct pc_points {
    struct pc_point *point; /* owned */
    uint32_t n;
    struct pc_index by_name, by_port;
};

int pc_points_init(struct pc_points *points);
void pc_points_free(struct pc_points *points);
/* PC_NONE when there is none. */
uint32_t pc_point_by_name(const struct pc_points *points, const char *name);
uint32_t pc_point_by_port(const struct pc_points *points, uint64_t dpid, uint32_t port);
/* The point of that name, made if need be; PC_NONE when there are too many. */
uint32_t pc_point_add(struct pc_points *points, const char *name);
/* A row of the port table appeared or changed (gone: was removed). Returns the point. */
uint32_t pc_point_put(struct pc_points *points, const struct sb_port *row, bool gone);
/* "s1-eth1", or "dpid:port" for a port without a name. */
const char *pc_point_text(const struct pc_point *point, char *buf, size_t size);

/* ---- net: what the controller decided (net.c) -------------------------------------- */

/* Fields of a packet that a decided flow can match. */
struct pc_match {
    uint8_t eth_src[6], eth_dst[6];
    uint16_t eth_type, vlan;
    uint8_t ip_src[16], ip_dst[16];
    uint16_t l4_src, l4_dst;
    uint8_t ip_proto, pad[7];
};
_Static_assert(sizeof(struct pc_match) == 60, "compared and hashed as bytes");

struct pc_claim {
    struct sb_flow row;    /* as decided; unused key columns zeroed */
    struct sb_flow before; /* its previous version, cookie 0 and barrier 0 when none */
    uint64_t alive_ns;     /* a packet was last seen to follow it */
    uint64_t removed_ns;   /* the row was removed then; 0 not */
    uint32_t generation;   /* changes with each new decision in this slot */
    uint8_t used, pad[3];
};

struct pc_decision { /* one record of the ring */
    uint64_t t_ns, dpid;
    uint32_t in_port;
    uint8_t eth_src[6], eth_dst[6];
};

struct pc_net {
    struct pc_points points;
    struct pc_claim *claim;    /* owned */
    uint32_t n_claims, n_used; /* slots ever used, slots in use */
    struct pc_index by_key;
    struct {
        uint32_t fields, n;
        uint16_t priority;
        uint8_t table_id;
    } tuple[PC_TUPLES_MAX]; /* by falling priority */
    uint32_t n_tuples;
    struct sb_link *link; /* owned */
    uint32_t n_links;
    struct sb_switch *sw; /* owned */
    uint32_t n_switches;
    struct pc_decision *decision; /* owned; ring of the newest */
    uint64_t n_decisions;
    struct pc_index by_decision;
    uint64_t decisions_lost_ns; /* last time records of the ring were lost */
    uint64_t refused;           /* rows for which there was no room */
    uint64_t points_version;    /* rises with each change of the port table */
};

int pc_net_init(struct pc_net *net);
void pc_net_free(struct pc_net *net);
/* One change of a table of the bus; row NULL: removed (old has the key). now: when we learnt it. */
void pc_net_change(struct pc_net *net, enum sb_table_id table, const void *row, const void *old,
                   uint64_t now);
/* Forgets claims removed long ago. */
void pc_net_expire(struct pc_net *net, uint64_t now);
/* "s1", or the dpid in hex. */
const char *pc_net_switch(const struct pc_net *net, uint64_t dpid, char *buf, size_t size);
void pc_match_of(const struct pc_packet *packet, struct pc_match *ret);

enum pc_force {
    PC_UNDECIDED, /* no decided flow matches */
    PC_SETTLING,  /* one does, but it changed around that time: not judged */
    PC_MAYBE,     /* one does, but may have expired in the switch: only agreement counts */
    PC_DECIDED,   /* one does: it must be obeyed */
};
/* What was decided at time t for such a packet that enters the switch. *ret_claim is the slot. */
enum pc_force pc_net_decided(const struct pc_net *net, const struct pc_match *match, uint64_t dpid,
                             uint32_t in_port, uint64_t t, uint32_t *ret_claim,
                             const struct sb_flow **ret_row);
/* Did the controller handle such a packet itself between the two times? */
bool pc_net_handled(const struct pc_net *net, const struct pc_match *match, uint64_t dpid,
                    uint64_t from, uint64_t to);
/* One line about a decided flow's match: "in 1 10.0.0.1>10.0.0.2 p100". */
char *pc_flow_text(const struct sb_flow *row, char *ret, size_t size);

/* ---- flow table (flows.c) ------------------------------------------------------------ */

struct pc_flow_key { /* as the key of the table `observed` */
    uint8_t ip_a[16], ip_b[16];
    uint32_t vni;
    uint16_t port_a, port_b, vlan, eth_type;
    uint8_t ip_proto, pad[3];
};
_Static_assert(sizeof(struct pc_flow_key) == 48, "compared and hashed as bytes");

#define PC_FLOW_POINTS 12
struct pc_flow { /* two cache lines */
    struct pc_flow_key key;
    uint64_t bytes[2]; /* by direction: 0 is a to b */
    uint64_t first_ns, last_ns;
    uint64_t fct_ns;
    uint32_t packets[2];
    uint32_t next_seq[2]; /* TCP: highest sequence number seen, plus one */
    uint32_t retransmits;
    uint32_t tcp;                    /* PC_SEEN_* bits */
    uint8_t verdict, dirty, pad[14]; /* enum sb_verdict_result; changed since last published */
};
_Static_assert(sizeof(struct pc_flow) == 128, "two cache lines");

struct pc_flow_more { /* not touched for each packet */
    uint8_t mac_a[6], mac_b[6];
    uint16_t point[2][PC_FLOW_POINTS]; /* in path order, by direction */
    uint8_t n_points[2], rank[2];      /* rank: number of hops of the journey the path came from */
    uint32_t in_port[2];               /* where packets of that direction enter the first switch */
    uint64_t in_dpid[2];
    uint32_t generation;
    uint32_t newer, older; /* by last use */
};

struct pc_flows {
    struct pc_flow *flow;      /* owned */
    struct pc_flow_more *more; /* owned */
    uint32_t capacity, n;
    uint32_t newest, oldest;
    struct pc_index by_key;
    uint64_t seed;
    uint64_t evicted; /* flows pushed out by newer ones */
    /* Called for each new flow, to fill it with what an earlier run knew; may be NULL. */
    void (*adopt)(void *arg, struct pc_flow *flow);
    void *adopt_arg;
};

int pc_flows_init(struct pc_flows *flows, uint32_t capacity, uint64_t seed);
void pc_flows_free(struct pc_flows *flows);
/* Counts a packet that was not seen before; PC_NONE when it belongs to no flow. *ret_dir: 0 a to b.
 */
uint32_t pc_flows_packet(struct pc_flows *flows, const struct pc_packet *packet, uint64_t t,
                         uint32_t len, unsigned *ret_dir);
/* The flow's key; false when the packet has none (no addresses). */
bool pc_flow_key(const struct pc_packet *packet, struct pc_flow_key *ret, unsigned *ret_dir);
enum sb_tcp_state pc_flow_tcp_state(const struct pc_flow *flow);
/* The row of table `observed`, decisions included. */
void pc_flow_row(const struct pc_flows *flows, const struct pc_net *net, uint32_t slot,
                 struct sb_observed *ret);

/* ---- journeys and engine (engine.c) ------------------------------------------------------ */

struct pc_trip_hop { /* one journey at one point in one direction */
    uint64_t first_ns, last_ns;
    uint32_t count, point;
    uint8_t direction;
    uint8_t same; /* with the same match fields as the journey's first sight */
};

struct pc_trip { /* a closed journey, for the checks */
    uint64_t identity, first_ns, last_ns;
    const struct pc_match *match;
    struct pc_trip_hop hop[PC_HOPS_MAX]; /* by time of first sight */
    unsigned n_hops;
    uint32_t injected;    /* times it came in at ports that are no links */
    uint64_t injected_ns; /* the first of these */
    bool partial;         /* its beginning, end or some hops are unknown */
    uint32_t flow;        /* slot, or PC_NONE */
    unsigned dir;         /* direction of the flow */
};

struct pc_counters {
    uint64_t packets, bytes;
    uint64_t truncated, malformed, deep; /* by result of the dissection */
    uint64_t unidentified;               /* no identity: cut off too early */
    uint64_t own;                        /* discovery frames */
    uint64_t journeys;
    uint64_t journeys_early; /* closed early for want of room */
    uint64_t hops_lost;      /* no room for a hop */
};

struct pc_check;
struct pc_engine {
    struct pc_net net;
    struct pc_flows flows;
    struct pc_counters count;
    uint64_t seed;
    uint64_t watermark_ns;        /* everything before has been seen */
    uint64_t drop_memory_ns;      /* how long a kernel drop makes verdicts inconclusive */
    struct pc_journeys *journeys; /* owned */
    void *check[8];               /* owned; state of each of pc_checks[] */
};

struct pc_engine_config {
    uint32_t flows, journeys; /* capacities; 0: 65536 and 262144 */
    uint64_t seed;            /* of the hashes */
};
struct pc_engine *pc_engine_new(const struct pc_engine_config *config);
void pc_engine_destroy(struct pc_engine **engine);
/* A packet seen at a point. direction PC_EITHER: to be concluded from the order of sights. */
void pc_engine_packet(struct pc_engine *e, uint32_t point, enum pc_direction direction, uint64_t t,
                      const uint8_t *data, uint32_t cap, uint32_t len, int linktype);
/* Nothing older than the watermark will come: judge what has ended. UINT64_MAX at the end. */
void pc_engine_advance(struct pc_engine *e, uint64_t watermark);

/* ---- checks (checks/) ----------------------------------------------------------------------- */

struct pc_verdict {
    struct sb_verdict row;
    bool idle;           /* inconclusive only because there was nothing to see: spoils nothing */
    uint32_t flow_claim; /* claim judged, PC_NONE for others */
};
typedef void pc_verdict_fn(void *arg, const struct pc_check *check,
                           const struct pc_verdict *verdict);

struct pc_check {
    const char *name; /* as in the table `verdict` */
    const char *text; /* one line for --help and reports */
    void *(*open)(struct pc_engine *e);
    void (*close)(void *self);
    void (*trip)(void *self, struct pc_engine *e, const struct pc_trip *trip);
    void (*verdicts)(void *self, struct pc_engine *e, pc_verdict_fn *each, void *arg);
};
extern const struct pc_check pc_check_port_claim, pc_check_loop, pc_check_duplicate;
/* All of them, ending with NULL. */
extern const struct pc_check *const pc_checks[];
void pc_verdicts(struct pc_engine *e, pc_verdict_fn *each, void *arg);

/* shared by the checks (engine.c) */
/* An address, IPv4 in its usual form; size of at least INET6_ADDRSTRLEN (net.c) */
void pc_ip_text(const uint8_t ip[16], char *ret, size_t size);
/* "10.0.0.1>10.0.0.2 icmp" of a journey */
char *pc_trip_text(const struct pc_engine *e, const struct pc_trip *trip, char *ret, size_t size);
/* "03:04:05.678901" (UTC) */
char *pc_time_text(uint64_t ns, char *ret, size_t size);
/* A point of the switch (dpid 0: of any) that lost packets since then, or PC_NONE. */
uint32_t pc_dropping_point(const struct pc_engine *e, uint64_t dpid, uint64_t since);
/* A port of the switch (dpid 0: of any) that is up but not captured in that direction at that time.
 */
uint32_t pc_blind_point(const struct pc_engine *e, uint64_t dpid, enum pc_direction direction,
                        uint64_t t);

/* ---- capture files (reader.c, pcapng.c) ------------------------------------------------------ */

struct pc_record {
    uint64_t t_ns;
    const uint8_t *data; /* borrowed: valid until the next record */
    uint32_t cap, len;
    int linktype;
    uint32_t interface;          /* index within the file */
    enum pc_direction direction; /* PC_EITHER when the file does not say */
};

struct pc_reader;
/* message: 256 bytes, filled on error: what is wrong, where. A capture of 0 packets is not an
 * error. */
int pc_reader_open(struct pc_reader **ret, const char *path, char *message);
/* The same from memory (tests, fuzzing). The bytes are borrowed. */
int pc_reader_memory(struct pc_reader **ret, const char *name, const uint8_t *data, size_t size,
                     char *message);
void pc_reader_close(struct pc_reader **reader);
/* 1: a record, 0: the end, -1: the file is damaged here; message says how (records before it
 * stand). */
int pc_reader_next(struct pc_reader *reader, struct pc_record *ret, char *message);
/* Name of an interface: if_name of the file, else the file's own name without folder and ending. */
const char *pc_reader_interface(const struct pc_reader *reader, uint32_t interface);
/* Interfaces known so far. */
uint32_t pc_reader_interfaces(const struct pc_reader *reader);

/* inside the readers */
#define PC_PACKET_MAX (256 * 1024) /* captured bytes of one packet */
#define PC_BLOCK_MAX (1024 * 1024) /* of one pcapng block */
#define PC_INTERFACES_MAX 4096
struct pc_reader_if {
    char name[32];
    int linktype;
    uint32_t snaplen;
    uint64_t units;   /* time units a second */
    int64_t offset_s; /* added to each time */
};
/* Up to size bytes, fewer only at the end of the file; -1 on a read error. */
int64_t pc_reader_read(struct pc_reader *reader, void *ret, size_t size);
uint64_t pc_reader_offset(const struct pc_reader *reader);
uint8_t *pc_reader_block(struct pc_reader *reader,
                         size_t size); /* buffer of at least size, or NULL */
struct pc_reader_if *pc_reader_add_interface(struct pc_reader *reader); /* NULL: too many */
struct pc_reader_if *pc_reader_get_interface(struct pc_reader *reader, uint32_t interface);
void pc_reader_drop_interfaces(struct pc_reader *reader); /* those of the section that ended */
int pc_pcapng_begin(struct pc_reader *reader, const uint8_t magic[4], bool *ret_swapped,
                    char *message);
int pc_pcapng_next(struct pc_reader *reader, bool *swapped, struct pc_record *ret, char *message);

/* ---- live capture (live.c) ------------------------------------------------------------------- */

struct pc_live;
struct pc_live_config {
    uint64_t buffer; /* bytes for all rings together */
    uint32_t snaplen;
    char *const *only; /* interfaces given by hand; NULL: all that the port table names */
    unsigned n_only;
    int epoll; /* handles are added with data.u64 = PC_LIVE_TAG | handle */
};
#define PC_LIVE_TAG (UINT64_C(1) << 32)
/* -1 with message (256 bytes) when an interface given by hand does not exist. */
int pc_live_open(struct pc_live **ret, struct pc_engine *e, const struct pc_live_config *config,
                 char *message);
void pc_live_close(struct pc_live **live);
/* Opens and closes handles as the port table says now, a bounded number in a turn; true when all is
 * done. event: what to tell people, or NULL. */
bool pc_live_follow(struct pc_live *live,
                    void (*event)(void *arg, uint32_t point, const char *text), void *arg);
/* Reads a bounded batch from a handle. */
void pc_live_read(struct pc_live *live, uint32_t handle, uint64_t now);
/* Each turn of the loop: reads on where a batch was full, and each second the drop counters. */
void pc_live_poll(struct pc_live *live, uint64_t now);
/* Is something left to read at once? */
bool pc_live_backlog(const struct pc_live *live);
/* Everything older than this has been read. */
uint64_t pc_live_watermark(const struct pc_live *live, uint64_t now);
/* Reads everything that waits in all handles (at the end of a run). */
void pc_live_drain(struct pc_live *live, uint64_t now);
unsigned pc_live_handles(const struct pc_live *live);

/* ---- the state bus (bus.c) ----------------------------------------------------------------- */

struct pc_bus;
struct sb_config;
/* Follows the controller's tables into e->net, and owns the segment `pcapcheck` unless `observe` is
 * set or another process has it (then it says so and only follows). -1 with message (256 bytes). */
int pc_bus_open(struct pc_bus **ret, struct pc_engine *e, const char *instance,
                const struct sb_config *config, bool cold, bool observe, int epoll, char *message);
void pc_bus_close(struct pc_bus **bus);
bool pc_bus_owns(const struct pc_bus *bus);
/* Handles what came and sends what waits; the milliseconds after which to call it at the latest. */
int pc_bus_run(struct pc_bus *bus);
/* SB_OK, or the segment is lost, as sb_owner_check() has it. */
int pc_bus_check(const struct pc_bus *bus, char *message);
/* Has everything that was there at the start been read? */
bool pc_bus_synced(const struct pc_bus *bus);
void pc_bus_phase_running(struct pc_bus *bus);
/* Writes the changed rows of observed and verdict; about once a second. */
void pc_bus_publish(struct pc_bus *bus);
void pc_bus_event(struct pc_bus *bus, enum sb_event_kind kind, enum sb_severity severity,
                  const struct pc_point *point, const char *text);

/* ---- expectations from a file (expect.c) ------------------------------------------------------
 */

/* JSON lines as `statebus dump --json` prints them. 0, or -1 with message (256 bytes) "FILE:LINE:
 * ..." */
int pc_expect_load(struct pc_net *net, const char *path, char *message);

/* ---- report (report.c)
 * --------------------------------------------------------------------------- */

struct pc_summary {
    unsigned n[3]; /* by enum sb_verdict_result */
    unsigned n_idle;
    enum sb_verdict_result result;
    char why[160];
};
void pc_summarise(struct pc_engine *e, struct pc_summary *ret);
void pc_report_text(struct pc_engine *e, FILE *f);
void pc_report_json(struct pc_engine *e, FILE *f);
int pc_report_junit(struct pc_engine *e, FILE *f);

/* ---- the live table (view.c)
 * ----------------------------------------------------------------------- */

/* rows: newest first. decision text is looked up in net (may be empty). */
void pc_view_table(FILE *f, const struct pc_net *net, const struct sb_observed *rows, size_t n,
                   unsigned width, unsigned height, const char *status);
void pc_view_json(FILE *f, const struct pc_net *net, const struct sb_observed *row);

/* ---- openflow (openflow.c)
 * --------------------------------------------------------------------------- */

/* Prints the OpenFlow messages in a capture; port: of the channel, beside those assigned. Exit
 * code.
 */
int pc_openflow(const char *path, uint16_t port, bool json);

#endif
