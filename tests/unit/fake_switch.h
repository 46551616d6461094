/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_switch.h - the peer of the controller's tests: the real trivet-controller as a child with a
 * runtime directory and an instance of its own, and switches that the test plays with the codec.
 *
 * A fake switch keeps the rules it is given and answers what a switch must answer, unless it is
 * told not to. It carries discovery frames over the cables of its net; all other frames it is told
 * to send are noted for the test to look at. One thread: nothing moves but in fake_step(), which
 * WAIT() and RUN() call.
 */
#ifndef FAKE_SWITCH_H
#define FAKE_SWITCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <trivet/clock.h>
#include <trivet/openflow.h>
#include <trivet/statebus.h>

#define FAKE_PORTS 320
#define FAKE_WAIT_MS 15000 /* how long a test waits for what must come: sanitizers are slow */

struct fake_net;

struct fake_rule {
    struct of_flow_mod mod;  /* mod.actions is set when it is sent */
    struct of_action action; /* its first */
    unsigned number;         /* of the message on its connection: order of arrival */
    uint32_t xid;
};

struct fake_group {
    uint32_t id;
    uint8_t type;
    uint32_t ports[FAKE_PORTS]; /* one output a bucket */
    unsigned n_ports;
};

/* A packet-out that is no discovery frame. */
struct fake_out {
    uint32_t buffer_id, in_port, marker;
    uint32_t ports[FAKE_PORTS];
    unsigned n_ports, number;
    uint16_t size; /* of the frame */
};

struct fake_switch {
    struct fake_net *net;
    uint64_t dpid;
    int fd; /* -1: not connected */
    struct of_port ports[FAKE_PORTS];
    unsigned n_ports;

    struct fake_rule *rules; /* owned: its flow table, which outlives a connection */
    unsigned n_rules;
    struct fake_rule *mods; /* owned: flow-mods since fake_forget() */
    unsigned n_mods;
    /* the rules of the multicast tree are kept apart: they come when they like */
    struct fake_rule *tree; /* owned */
    unsigned n_tree, n_tree_mods;
    struct fake_group groups[8];
    unsigned n_groups, n_group_mods;
    struct fake_out *outs; /* owned: packet-outs since fake_forget() */
    unsigned n_outs;
    unsigned count[256];                         /* messages by type since it connected */
    unsigned lldp[FAKE_PORTS + 1];               /* discovery frames out of each port */
    uint8_t echo[64], error[128], multipart[64]; /* the last echo reply, error, flow request */
    size_t echo_size, error_size;
    uint8_t last_lldp[256]; /* the last discovery frame it was given */
    size_t last_lldp_size;

    /* how it behaves */
    bool mute_multipart, mute_barrier, mute_all; /* leaves unanswered */
    bool no_read;                                /* does not even read */
    bool unmasked;                               /* lists all flows, whatever was asked for */
    bool no_groups;                              /* refuses all about them */
    enum {
        FAKE_COUNTS, /* answers: rx_packets of a port is its number; one flow table, 0 */
        FAKE_REFUSES,
        FAKE_MUTE,
        FAKE_WRONG,   /* answers with another list */
        FAKE_ENDLESS, /* always promises more */
    } statistics;
    unsigned polls[16];                /* requests for statistics, by type */
    uint16_t refuse;                   /* priority of rules it has no room for; 0: none */
    uint16_t refuse_type, refuse_code; /* the error it refuses them by; 0, 0: TABLE_FULL */
    uint16_t quoted;                   /* bytes of the request in an error; 0: 64 */
    bool no_buffers;                   /* rules with a buffer are refused: it is empty */
    unsigned part;                     /* entries in one part of a multipart reply; 0: all */
    size_t budget;                     /* bytes it sends before it closes */

    uint8_t *rx; /* owned */
    size_t rx_size, sent;
};

struct fake_cable {
    uint64_t dpid_a, dpid_b;
    uint32_t port_a, port_b;
    bool cut;
};

struct fake_net {
    int pid, log_fd;
    char instance[40], dir[64], listen[96];
    const char *policy, *workers, *config; /* of the next start */
    const char *more[8];                   /* arguments of it, on top; NULL behind the last */
    int (*open)(struct fake_net *net);     /* a way to it other than its unix socket; NULL: none */
    unsigned files;                        /* its limit of open files; 0: as ours */
    char *log;                             /* owned: what it wrote to stderr */
    size_t log_size;
    struct fake_switch *switches[16]; /* owned */
    unsigned n_switches;
    struct fake_cable cables[8];
    unsigned n_cables;
    uint32_t next_marker;
    uint64_t until; /* of RUN */
};

/* ---- the controller ---- */
struct fake_net *fake_net_new(void);
void fake_start(struct fake_net *net);
/* Ends it. SIGTERM must end it with status 0 (sanitizers say otherwise if they found something). */
void fake_stop(struct fake_net *net, int signal);
/* Ends it by the signal, starts it again and connects all switches again. */
void fake_restart(struct fake_net *net, int signal);
void fake_net_free(struct fake_net *net);
/* cmocka: a net with two workers in *state, started; and its end. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* Serves all switches and reads the log once; waits 10 ms at most. */
void fake_step(struct fake_net *net);
void fake_expired(struct fake_net *net, const char *condition, const char *file, int line);

/* Goes on until the condition holds; fails the test when it does not in time. */
#define WAIT(net, condition)                                                                       \
    do {                                                                                           \
        uint64_t until_ = sb_mono() + FAKE_WAIT_MS * SB_MS;                                        \
        while (!(condition)) {                                                                     \
            if (sb_mono() > until_)                                                                \
                fake_expired(net, #condition, __FILE__, __LINE__);                                 \
            fake_step(net);                                                                        \
        }                                                                                          \
    } while (0)
/* Goes on for a time, for what must not happen. */
#define RUN(net, ms)                                                                               \
    for ((net)->until = sb_mono() + (ms)*SB_MS; sb_mono() < (net)->until;)                         \
    fake_step(net)

/* Sends something again every 100 ms until the condition holds: for packets that need what another
 * thread has not been told yet. */
#define INSIST(net, condition, ...)                                                                \
    do {                                                                                           \
        for (unsigned tries_ = 0; tries_ == 0 || !(condition); tries_++) {                         \
            if (tries_ * 100 > FAKE_WAIT_MS)                                                       \
                fake_expired(net, #condition, __FILE__, __LINE__);                                 \
            __VA_ARGS__;                                                                           \
            RUN(net, 100);                                                                         \
        }                                                                                          \
    } while (0)

/* Takes over what the controller has written; waits for it if there is nothing. */
void fake_read_log(struct fake_net *net);
bool fake_logged(const struct fake_net *net, const char *text);

/* ---- switches ---- */
struct fake_switch *fake_switch_new(struct fake_net *net, uint64_t dpid, unsigned n_ports);
/* new, connected */
struct fake_switch *fake_switch_add(struct fake_net *net, uint64_t dpid, unsigned n_ports);
void fake_connect(struct fake_switch *sw);    /* sends HELLO, too */
int fake_open(struct fake_net *net);          /* a bare connection */
void fake_disconnect(struct fake_switch *sw); /* keeps its rules */
void fake_send(struct fake_switch *sw, const void *data, size_t size);
void fake_forget(struct fake_switch *sw); /* mods and outs */
void fake_cable(struct fake_net *net, uint64_t dpid_a, uint32_t port_a, uint64_t dpid_b,
                uint32_t port_b);
/* Changes a port and tells the controller. */
void fake_port(struct fake_switch *sw, uint32_t port, uint8_t reason, bool up);
/* Waits until all its ports are either edge or link for the controller. */
void fake_settle(struct fake_switch *sw);
/* A packet-in; returns its marker. Host n has the address 02:00:00:00:00:n and 10.0.0.n; to host 0
 * is a broadcast (ARP), else it is IPv4. */
uint32_t fake_packet(struct fake_switch *sw, uint32_t port, uint8_t from, uint8_t to,
                     uint32_t buffer_id);
void fake_packet_in(struct fake_switch *sw, uint32_t port, const void *frame, size_t size,
                    uint32_t buffer_id);
/* How often a packet was sent out of a port (0: of any port). */
unsigned fake_times(const struct fake_switch *sw, uint32_t marker, uint32_t port);
const struct fake_out *fake_out(const struct fake_switch *sw, uint32_t marker);
/* The flow-mod of this command and priority, the newest first; NULL: none. */
const struct fake_rule *fake_mod(const struct fake_switch *sw, uint8_t command, uint16_t priority);
const struct fake_group *fake_group(const struct fake_switch *sw, uint32_t id); /* NULL: none */
/* The rule that host `from`'s packets to `to` meet, with an output port; NULL: none. */
const struct fake_rule *fake_rule(const struct fake_switch *sw, uint8_t from, uint8_t to);

/* ---- the state bus, as the controller writes it ---- */
/* Copies rows of a table; the number there. */
unsigned fake_rows(const struct fake_net *net, enum sb_table_id table, void *ret, unsigned max);
int fake_switch_state(const struct fake_net *net, uint64_t dpid); /* -1: no row */
int fake_port_type(const struct fake_net *net, uint64_t dpid, uint32_t port);
int fake_link_state(const struct fake_net *net, uint64_t dpid, uint32_t port); /* of end a */
/* Of the rule from one host to another on a switch: its state, -1 if there is no row. ret may be
 * NULL. */
int fake_flow(const struct fake_net *net, uint64_t dpid, uint8_t from, uint8_t to,
              struct sb_flow *ret);
bool fake_host(const struct fake_net *net, uint8_t host, uint64_t dpid, uint32_t port);
unsigned fake_events(const struct fake_net *net, enum sb_event_kind kind);

#endif
