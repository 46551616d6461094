/* SPDX-License-Identifier: Apache-2.0
 *
 * connection_fuzz.c - libFuzzer target of the controller as a switch sees it: one worker without
 * its thread, the topology, a state bus of its own, and up to four switches that the input plays.
 * So messages of any kind come in any state: framing, handshake, lists, rules, errors, barriers,
 * ports, packets, silence, and peers that close or do not read.
 *
 * The input is a list of steps: a byte that says what, a byte that says who, then what the step
 * needs. Only what is wrong by itself is looked for (a crash, undefined behaviour, a leak); states
 * of the topology live on from input to input.
 */
#include "controller.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <trivet/clock.h>

#include "connection.h"
#include "policy/policy.h"
#include "topology/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define N_PEERS 4

static struct ctl_app app;
static struct ctl_worker workers[1];

struct input {
    const uint8_t *p;
    size_t left;
};

struct peer {
    int fd; /* the switch's end; -1: closed */
    uint8_t rx[65536];
    size_t rx_size;
};

/* ---- the controller ---------------------------------------------------------------------- */

static void
must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void
clean(void)
{
    char path[96];

    sb_log_level(SB_LOG_INFO);
    ctl_counters_log("reached", &workers[0].counters);
    sb_owner_close(&app.owner);
    snprintf(path, sizeof(path), "rm -rf '%s'", getenv("TRIVET_RUNTIME_DIR"));
    if (system(path) != 0)
        perror("rm");
    snprintf(path, sizeof(path), "/dev/shm/trivet.fuzz-%d.controller", (int)getpid());
    unlink(path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const enum sb_table_id ids[] = {
        SB_T_switch, SB_T_port,      SB_T_link,       SB_T_host,     SB_T_mac,   SB_T_flow,
        SB_T_group,  SB_T_installed, SB_T_flow_table, SB_T_decision, SB_T_event, SB_T_counter};
    struct sb_owner_table tables[sizeof(ids) / sizeof(ids[0])];
    struct sb_owner_config config = {
        .name = "controller", .tables = tables, .n_tables = sizeof(ids) / sizeof(ids[0])};
    static char instance[32], dir[] = "/tmp/connection-fuzz-XXXXXX";
    char message[SB_MESSAGE_MAX], config_message[SB_CONFIG_MESSAGE_MAX];

    (void)argc;
    (void)argv;
    must(mkdtemp(dir) != NULL, "mkdtemp");
    setenv("TRIVET_RUNTIME_DIR", dir, 1);
    snprintf(instance, sizeof(instance), "fuzz-%d", (int)getpid());
    config.instance = instance;
    for (size_t i = 0; i < config.n_tables; i++)
        tables[i] = (struct sb_owner_table){.id = ids[i], .capacity = 64, .shards = 1};
    must(sb_config_load(&app.config, NULL, config_message) == 0, "config");
    must(sb_owner_open(&app.owner, &config, message) == SB_OK, message);
    sb_log_level(SB_LOG_ERROR);
    app.events = sb_owner_table(app.owner, SB_T_event, 0);
    ctl_counters_open(&app);
    app.workers = workers;
    app.n_workers = 1;
    must(ctl_mailbox_init(&app.mailbox) == 0 && ctl_mailbox_init(&workers[0].mailbox) == 0,
         "mailbox");
    must(ctl_topology_open(&app, dir) == 0, "topology");
    app.topology->settle_ns = 0; /* ports are known at once: an input takes a millisecond */
    must(ctl_worker_init(&workers[0], &app, 0) == 0, "worker");
    atexit(clean);
    return 0;
}

/* A turn of the worker and one of the main thread. */
static void
turn(void)
{
    struct ctl_mail *mail, *next;

    ctl_worker_turn(&workers[0], 0);
    for (mail = ctl_mailbox_take(&app.mailbox); mail != NULL; mail = next) {
        next = mail->next;
        ctl_app_mail(&app, mail);
        free(mail);
    }
    ctl_topology_run(app.topology);
}

/* Time passes for all connections, but not for the clock. */
static void
age(uint64_t ns)
{
    for (struct ctl_conn *conn = workers[0].conns; conn != NULL; conn = conn->next) {
        conn->opened_ns -= ns;
        conn->state_since_ns -= ns;
        conn->setup_since_ns -= ns;
        conn->last_rx_ns -= ns;
        conn->reported_ns -= ns;
        conn->echo_sent_ns -= conn->echo_sent_ns != 0 ? ns : 0;
        conn->blocked_since_ns -= conn->blocked_since_ns != 0 ? ns : 0;
        conn->held_until_ns -= conn->held_until_ns != 0 ? ns : 0;
        for (unsigned i = 0; i < conn->n_awaited; i++)
            conn->awaited[i].sent_ns -= ns;
        for (unsigned i = 0; i < 16; i++)
            conn->barriers[i].sent_mono_ns -= ns;
    }
    memset(workers[0].returns, 0, sizeof(workers[0].returns));
    workers[0].next_tick_ns = 0;
}

/* ---- switches ---------------------------------------------------------------------------------
 */

static uint8_t
byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

/* At most that many of the next bytes. */
static size_t
bytes(struct input *in, size_t max, const uint8_t **ret)
{
    size_t n = in->left < max ? in->left : max;

    *ret = in->p;
    in->p += n;
    in->left -= n;
    return n;
}

static void
put(struct peer *peer, const void *data, size_t size)
{
    if (peer->fd >= 0 && size > 0 && send(peer->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno == EPIPE) {
        close(peer->fd);
        peer->fd = -1;
    }
}

static void
open_peer(struct peer *peer)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_W_ACCEPT, 0, sizeof(struct ctl_mail_accept));
    struct ctl_mail_accept *accepted = (void *)mail->data;
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
         "socketpair");
    accepted->fd = fds[0];
    accepted->opened_ns = sb_mono();
    snprintf(accepted->address, sizeof(accepted->address), "fuzz");
    ctl_post(&workers[0].mailbox, mail);
    peer->fd = fds[1];
    peer->rx_size = 0;
}

static void
message(struct peer *peer, uint8_t type, uint32_t xid, const void *body, size_t size)
{
    uint8_t m[4096] = {4, type};

    if (size > sizeof(m) - 8)
        size = sizeof(m) - 8;
    m[2] = (uint8_t)((size + 8) >> 8);
    m[3] = (uint8_t)(size + 8);
    for (unsigned i = 0; i < 4; i++)
        m[4 + i] = (uint8_t)(xid >> (24 - 8 * i));
    if (size > 0)
        memcpy(m + 8, body, size);
    put(peer, m, size + 8);
}

/* Answers one message of the controller as a switch does, or with what the input says. */
static void
answer(struct peer *peer, uint8_t who, const uint8_t *m, const struct of_header *h,
       struct input *in)
{
    uint8_t out[4096];
    struct of_buffer b = {.data = out, .size = sizeof(out)};
    struct of_features features = {.dpid = 1u + who / 2, .n_tables = 254};
    struct of_port ports[4];
    const uint8_t *body;
    uint8_t reply[8 + 255 * 4] = {0};
    size_t n;

    switch (h->type) {
    case OFPT13_FEATURES_REQUEST:
        of_put_features_reply(&b, OF13, h->xid, &features);
        break;
    case OFPT13_BARRIER_REQUEST:
        of_put_header(&b, OF13, OFPT13_BARRIER_REPLY, h->xid);
        break;
    case OFPT13_ECHO_REQUEST:
        of_put_header(&b, OF13, OFPT13_ECHO_REPLY, h->xid);
        break;
    case OFPT13_MULTIPART_REQUEST:
        memset(ports, 0, sizeof(ports));
        for (uint32_t i = 0; i < 4; i++)
            ports[i].port = i + 1;
        if (of_get16(m + 8) == OFPMP_PORT_DESC) {
            of_put_port_desc_reply(&b, h->xid, ports, 4, 0);
            break;
        }
        reply[1] = m[9];
        reply[3] = byte(in) & 1;
        n = bytes(in, byte(in) * 4u, &body);
        memcpy(reply + 8, body, n);
        message(peer, OFPT13_MULTIPART_REPLY, h->xid, reply, n + 8);
        break;
    case OFPT13_FLOW_MOD:
    case OFPT13_GROUP_MOD:
        if ((byte(in) & 3) != 0)
            break;
        of_put_error(&b, OF13, h->xid, byte(in) % 14, byte(in) % 16, m,
                     h->length < 64 ? h->length : 64);
        break;
    default:
        break;
    }
    put(peer, b.data, b.len);
}

static void
serve(struct peer *peer, uint8_t who, struct input *in)
{
    ssize_t n;
    size_t at = 0;
    int length;
    struct of_header h;

    if (peer->fd < 0)
        return;
    n = recv(peer->fd, peer->rx + peer->rx_size, sizeof(peer->rx) - peer->rx_size, MSG_DONTWAIT);
    if (n == 0) {
        close(peer->fd);
        peer->fd = -1;
    }
    if (n <= 0)
        return;
    peer->rx_size += (size_t)n;
    while ((length = of_frame(peer->rx + at, peer->rx_size - at, &h)) > 0) {
        if (peer->fd >= 0)
            answer(peer, who, peer->rx + at, &h, in);
        at += (size_t)length;
    }
    if (length < 0)
        abort(); /* what we send is well-formed */
    memmove(peer->rx, peer->rx + at, peer->rx_size - at);
    peer->rx_size -= at;
    if (peer->rx_size == sizeof(peer->rx))
        peer->rx_size = 0;
}

/* A packet-in with a frame that begins well. */
static void
packet_in(struct peer *peer, struct input *in)
{
    uint8_t out[2048], frame[512] = {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 8, 0, 0x45};
    struct of_buffer b = {.data = out, .size = sizeof(out)};
    struct of_packet_in m = {.buffer_id = OF_NO_BUFFER, .data = frame, .data_size = 60};
    const uint8_t *rest;
    uint8_t how = byte(in);
    size_t n;

    m.in_port = 1 + (how & 3);
    frame[5] = byte(in) & 7;
    frame[11] = byte(in) & 7;
    if (how & 4) /* broadcast or multicast */
        memset(frame, how & 8 ? 0xff : 0x01, 6);
    if (how & 16) {
        frame[12] = 0x88;
        frame[13] = 0xcc;
    }
    if (how & 32)
        m.buffer_id = how >> 6;
    n = bytes(in, byte(in), &rest);
    memcpy(frame + 14, rest, n);
    m.data_size = (uint16_t)(60 > n + 14 ? 60 : n + 14);
    m.total_len = m.data_size;
    of_put_packet_in(&b, OF13, 0, &m);
    put(peer, b.data, b.len);
}

static void
step(struct peer *peers, struct input *in)
{
    uint8_t what = byte(in), who = byte(in) % N_PEERS, type;
    struct peer *peer = &peers[who];
    const uint8_t *body;
    size_t n;

    if (peer->fd < 0)
        open_peer(peer);
    switch (what % 10) {
    case 0: /* bytes */
        n = bytes(in, byte(in), &body);
        put(peer, body, n);
        break;
    case 1: /* a message of any kind */
        type = byte(in) % 32;
        n = byte(in);
        n = bytes(in, byte(in) + (n & 7) * 256, &body);
        message(peer, type, byte(in), body, n);
        break;
    case 2: /* HELLO */
        put(peer, (const uint8_t[]){4, 0, 0, 8, 0, 0, 0, 1}, 8);
        break;
    case 3: /* all that is asked, some rounds */
        for (unsigned i = 0; i < 4; i++) {
            turn();
            serve(peer, who, in);
        }
        break;
    case 4:
        age(byte(in) * SB_SECOND / 8);
        break;
    case 5: /* the peer closes */
        turn();
        close(peer->fd);
        peer->fd = -1;
        break;
    case 6:
        packet_in(peer, in);
        break;
    case 7: { /* an error about a recent request */
        uint8_t error[4 + 64] = {0};
        const struct ctl_conn *conn = workers[0].conns;

        error[1] = byte(in) % 15;
        error[3] = byte(in) % 16;
        n = bytes(in, byte(in) & 63, &body);
        memcpy(error + 4, body, n);
        if (conn != NULL && n >= 8) {
            uint32_t xid = conn->next_xid - byte(in);

            error[8] = (uint8_t)(xid >> 24);
            error[9] = (uint8_t)(xid >> 16);
            error[10] = (uint8_t)(xid >> 8);
            error[11] = (uint8_t)xid;
        }
        message(peer, OFPT13_ERROR, 1, error, n + 4);
        break;
    }
    case 8: { /* a port comes, goes or changes */
        uint8_t out[128];
        struct of_buffer b = {.data = out, .size = sizeof(out)};
        struct of_port_status status = {.reason = byte(in) % 4};

        status.port.port = byte(in) % 8;
        status.port.state = byte(in) & 1;
        of_put_port_status(&b, OF13, 0, &status);
        put(peer, b.data, b.len);
        break;
    }
    default: /* another policy: as if it had been started so */
        if (workers[0].batch.n == 0)
            workers[0].policy = ctl_policy_find((const enum sb_policy[]){
                SB_policy_SHORTEST, SB_policy_LEARNING, SB_policy_ROUND_ROBIN}[byte(in) % 3]);
        break;
    }
    turn();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct peer peers[N_PEERS];
    struct input in = {data, size};

    for (unsigned i = 0; i < N_PEERS; i++)
        peers[i].fd = -1;
    for (unsigned i = 0; i < 256 && in.left > 0; i++)
        step(peers, &in);
    for (unsigned i = 0; i < N_PEERS; i++)
        if (peers[i].fd >= 0)
            close(peers[i].fd);
    for (unsigned i = 0; workers[0].conns != NULL; i++) {
        turn();
        age(60 * SB_SECOND);
        if (i > 100)
            abort(); /* a connection that never ends */
    }
    return 0;
}
