/* SPDX-License-Identifier: Apache-2.0
 *
 * offair.c - is a well-behaved switch served as fast while others misbehave?
 *
 * One switch sends a packet-in every fifth of a millisecond, one outstanding, and takes the time
 * until its packet-out is there: alone, then beside one kind of bad peer, then alone again, and so
 * on in windows, since on a shared machine the tail of a window says more about the machine than
 * about the controller; what is shown are medians over the windows of each kind. Bad peers are
 * processes of their own and run only when nobody else would, so that they disturb the controller
 * and not the measuring. Last, a storm: so many switches connect at once, and the time until the
 * state bus says that all are ready, what memory each costs, and what CPU time they take while
 * idle.
 *
 *   slow        peers that send a byte a second of a message
 *   deaf        a peer that asks for echos and reads nothing
 *   flood       packet-ins as fast as they are taken, answers are read
 *   floods      eight of those
 *   strangers   connect, HELLO, close, in a loop
 *   returning   connect, handshake until ready, close, in a loop
 *
 * Prints one object a line. Neighbours: env/bench (runs it), ofbench.c (throughput).
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <trivet/clock.h>
#include <trivet/openflow.h>
#include <trivet/statebus.h>

#define RX_SIZE (1u << 20)
#define N_PORTS 4
#define FRAME_SIZE 64
#define SAMPLES_MAX (1u << 20)
#define STORM_MAX 4000
#define PAUSE_NS (200 * 1000)
#define WINDOWS_MAX 99

struct fair {
    const char *instance;
    uint16_t port;
    pid_t server;
    double seconds; /* of a window */
    uint32_t windows, storm;
    const char *only; /* one kind of load, or "storm"; NULL: all */
};

/* One fake switch. */
struct peer {
    int fd;
    uint64_t dpid;
    bool ready;      /* has answered the barrier of the set-up */
    uint64_t number; /* of the last packet-out with a frame of ours */
    bool one_port;   /* ... to one port */
    uint8_t *rx;     /* owned */
    size_t rx_size, size;
    bool amid;            /* a message is half sent: answers wait */
    uint8_t later[65536]; /* they */
    size_t n_later;
};

static __attribute__((noreturn, format(printf, 1, 2))) void
die(const char *format, ...)
{
    va_list args;

    fputs("offair: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- a switch -------------------------------------------------------------------------- */

static int
connect_to(const struct fair *fair)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fair->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* False: the controller has closed. */
static bool
put(struct peer *peer, const void *data, size_t size)
{
    for (const uint8_t *p = data; size > 0;) {
        ssize_t n = send(peer->fd, p, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool
open_peer(const struct fair *fair, struct peer *peer, uint64_t dpid, size_t size)
{
    uint8_t bytes[64];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};

    memset(peer, 0, offsetof(struct peer, later));
    peer->n_later = 0;
    peer->fd = connect_to(fair);
    peer->dpid = dpid;
    peer->size = size;
    peer->rx = malloc(size);
    if (peer->rx == NULL)
        die("out of memory");
    of_put_hello(&b, OF13, 1, 1u << OF13);
    return peer->fd >= 0 && put(peer, b.data, b.len);
}

static void
close_peer(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    free(peer->rx);
}

static void
mac_of(uint8_t ret[6], uint64_t dpid, uint32_t host)
{
    memset(ret, 0, 6);
    ret[0] = 2;
    ret[1] = (uint8_t)(dpid >> 8);
    ret[2] = (uint8_t)dpid;
    ret[4] = (uint8_t)(host >> 8);
    ret[5] = (uint8_t)host;
}

/* A packet-in of a frame from one host to another; host h is at port h % N_PORTS + 1. */
static void
put_packet_in(struct of_buffer *b, uint64_t dpid, uint32_t from, uint32_t to, uint64_t number)
{
    uint8_t frame[FRAME_SIZE] = {[12] = 0x08, [14] = 0x45};
    struct of_packet_in in = {.buffer_id = OF_NO_BUFFER,
                              .in_port = from % N_PORTS + 1,
                              .total_len = FRAME_SIZE,
                              .data = frame,
                              .data_size = FRAME_SIZE};

    mac_of(frame, dpid, to);
    mac_of(frame + 6, dpid, from);
    memcpy(frame + 26, frame + 8, 4);
    memcpy(frame + 30, frame + 2, 4);
    memcpy(frame + FRAME_SIZE - 8, &number, sizeof(number));
    of_put_packet_in(b, OF13, 0, &in);
}

static void
take_packet_out(struct peer *peer, const uint8_t *m)
{
    struct of_packet_out out;
    struct of_cursor c;
    struct of_action action;

    if (of_decode_packet_out(m, &out, NULL) != OF_OK || out.data_size != FRAME_SIZE ||
        of_get16(out.data + 12) != 0x0800)
        return;
    memcpy(&peer->number, out.data + FRAME_SIZE - 8, sizeof(peer->number));
    c = (struct of_cursor){out.actions, out.actions_size};
    peer->one_port = of_next_action(&c, &action) == 1 && c.left == 0;
}

static bool
put_answer(struct peer *peer, const struct of_buffer *b)
{
    if (!peer->amid)
        return b->len == 0 || put(peer, b->data, b->len);
    if (peer->n_later + b->len > sizeof(peer->later))
        die("too many answers wait");
    memcpy(peer->later + peer->n_later, b->data, b->len);
    peer->n_later += b->len;
    return true;
}

static bool
answer(struct peer *peer, const uint8_t *m, const struct of_header *h)
{
    static uint8_t bytes[4096];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};
    struct of_features features = {.dpid = peer->dpid, .n_tables = 254};
    struct of_port ports[N_PORTS];
    uint8_t empty[8] = {0};

    switch (h->type) {
    case OFPT13_FEATURES_REQUEST:
        of_put_features_reply(&b, OF13, h->xid, &features);
        break;
    case OFPT13_MULTIPART_REQUEST:
        memcpy(empty, m + 8, 2);
        if (of_get16(m + 8) != OFPMP_PORT_DESC) {
            of_put_echo(&b, OF13, OFPT13_MULTIPART_REPLY, h->xid, empty, sizeof(empty));
            break;
        }
        memset(ports, 0, sizeof(ports));
        for (uint32_t i = 0; i < N_PORTS; i++) {
            ports[i].port = i + 1;
            mac_of(ports[i].mac, peer->dpid, 0xff00 + i);
            ports[i].mac[0] = 6;
            snprintf(ports[i].name, sizeof(ports[i].name), "f%lu-eth%u", peer->dpid, i + 1);
        }
        of_put_port_desc_reply(&b, h->xid, ports, N_PORTS, 0);
        break;
    case OFPT13_BARRIER_REQUEST:
        peer->ready = true;
        of_put_header(&b, OF13, OFPT13_BARRIER_REPLY, h->xid);
        break;
    case OFPT13_ECHO_REQUEST:
        of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, h->xid, m + OF_HEADER_SIZE,
                    (size_t)h->length - OF_HEADER_SIZE);
        break;
    case OFPT13_PACKET_OUT:
        take_packet_out(peer, m);
        break;
    default:
        break;
    }
    return put_answer(peer, &b);
}

/* Reads what is there, or waits for it, and answers. False: closed. */
static bool
serve(struct peer *peer, int flags)
{
    ssize_t n = recv(peer->fd, peer->rx + peer->rx_size, peer->size - peer->rx_size, flags);
    struct of_header h;
    size_t at = 0;
    int length;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    peer->rx_size += (size_t)n;
    while ((length = of_frame(peer->rx + at, peer->rx_size - at, &h)) > 0) {
        if (!answer(peer, peer->rx + at, &h))
            return false;
        at += (size_t)length;
    }
    memmove(peer->rx, peer->rx + at, peer->rx_size - at);
    peer->rx_size -= at;
    return length == 0;
}

static bool
make_ready(const struct fair *fair, struct peer *peer, uint64_t dpid)
{
    bool open = open_peer(fair, peer, dpid, RX_SIZE);

    while (open && !peer->ready)
        open = serve(peer, 0);
    return open;
}

/* ---- bad peers: processes ------------------------------------------------------------------ */

static void
be_slow(const struct fair *fair)
{
    static struct peer peers[10];
    static const uint8_t giant[8] = {4, 10, 0xff, 0xff};

    for (unsigned i = 0; i < 10; i++) {
        make_ready(fair, &peers[i], 100 + i);
        put(&peers[i], giant, sizeof(giant));
    }
    for (;;) {
        poll(NULL, 0, 1000);
        for (unsigned i = 0; i < 10; i++)
            send(peers[i].fd, giant, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void
be_deaf(const struct fair *fair)
{
    static uint8_t echo[8192] = {4, 2, 0x20, 0};
    struct peer peer;

    for (;;) {
        if (make_ready(fair, &peer, 200))
            while (put(&peer, echo, sizeof(echo)))
                ;
        close_peer(&peer);
        poll(NULL, 0, 10);
    }
}

static void
flood(const struct fair *fair, uint64_t dpid)
{
    static uint8_t bytes[262144];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};
    struct peer peer;
    uint32_t host = 0;

    if (!make_ready(fair, &peer, dpid))
        die("the flood finds no controller");
    for (uint32_t i = 0; i < 1000; i++) /* its hosts are known */
        put_packet_in(&b, dpid, i, 0xffff, 0);
    put(&peer, b.data, b.len);
    for (bool open = true; open;) {
        b.len = 0;
        for (unsigned i = 0; i < 64; i++, host++)
            put_packet_in(&b, dpid, host % 1000, (host * 7 + 1) % 1000, host);
        open = put(&peer, peer.later, peer.n_later);
        peer.n_later = 0;
        peer.amid = true;
        for (size_t at = 0; open && at < b.len;) {
            struct pollfd wait = {.fd = peer.fd, .events = POLLIN | POLLOUT};
            ssize_t n = send(peer.fd, b.data + at, b.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

            if (n > 0)
                at += (size_t)n;
            else if (errno != EAGAIN)
                open = false;
            else
                poll(&wait, 1, 100);
            open = open && serve(&peer, MSG_DONTWAIT);
        }
        peer.amid = false;
    }
    die("the flood was closed");
}

static void
be_flood(const struct fair *fair)
{
    flood(fair, 300);
}

static void
be_floods(const struct fair *fair)
{
    for (uint64_t i = 1; i < 8; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            flood(fair, 300 + i);
        }
    flood(fair, 300);
}

static void
be_strangers(const struct fair *fair)
{
    struct linger hard = {.l_onoff = 1}; /* no TIME_WAIT: ports would run out */
    struct peer peer;

    for (;;) {
        open_peer(fair, &peer, 400, 64);
        setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close_peer(&peer);
    }
}

static void
be_returning(const struct fair *fair)
{
    struct linger hard = {.l_onoff = 1};
    struct peer peer;

    for (;;) {
        make_ready(fair, &peer, 500);
        setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close_peer(&peer);
    }
}

static const struct {
    const char *name;
    void (*be)(const struct fair *fair);
} loads[] = {{"slow", be_slow},     {"deaf", be_deaf},           {"flood", be_flood},
             {"floods", be_floods}, {"strangers", be_strangers}, {"returning", be_returning}};

/* ---- measuring ------------------------------------------------------------------------------- */

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The time of one packet-in, ns; 0: no answer within a second. */
static uint32_t
ask(struct peer *good, uint64_t number)
{
    uint8_t bytes[256];
    struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};
    struct pollfd wait = {.fd = good->fd, .events = POLLIN};
    uint64_t begin = sb_mono();

    put_packet_in(&b, good->dpid, 1, 2, number);
    if (!put(good, b.data, b.len))
        die("the controller closed the good switch");
    while (good->number != number) {
        if (sb_mono() - begin > SB_SECOND)
            return 0;
        if (poll(&wait, 1, 100) > 0 && !serve(good, MSG_DONTWAIT))
            die("the controller closed the good switch");
    }
    return (uint32_t)(sb_mono() - begin);
}

static void
settle(struct peer *good)
{
    uint64_t begin = sb_mono();

    for (uint64_t number = 1; !good->one_port; number++) {
        uint8_t bytes[256];
        struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};

        put_packet_in(&b, good->dpid, 2, 1, 0);
        put(good, b.data, b.len);
        ask(good, number);
        if (sb_mono() - begin > 15 * SB_SECOND)
            die("the good switch is not served");
        poll(NULL, 0, 50);
    }
}

/* What the windows of one kind have shown, us. */
struct windows {
    double p50[WINDOWS_MAX], p99[WINDOWS_MAX], p999[WINDOWS_MAX];
    uint32_t n, samples, lost, max_ns;
};

static void
ask_for(struct peer *good, uint64_t ns, uint64_t *number)
{
    for (uint64_t end = sb_mono() + ns; sb_mono() < end;)
        ask(good, ++*number);
}

static void
take_window(const struct fair *fair, struct peer *good, const char *name, uint64_t *number,
            struct windows *ret)
{
    static uint32_t samples[SAMPLES_MAX];
    uint64_t end = sb_mono() + (uint64_t)(fair->seconds * 1e9);
    uint32_t n = 0;

    while (sb_mono() < end && n < SAMPLES_MAX) {
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        uint32_t ns = ask(good, ++*number);

        if (ns == 0)
            ret->lost++;
        else
            samples[n++] = ns;
        nanosleep(&pause, NULL);
    }
    if (n == 0)
        die("%s: no answer at all", name);
    qsort(samples, n, sizeof(samples[0]), by_value);
    ret->p50[ret->n] = samples[n / 2] / 1000.0;
    ret->p99[ret->n] = samples[(size_t)(0.99 * (n - 1))] / 1000.0;
    ret->p999[ret->n++] = samples[(size_t)(0.999 * (n - 1))] / 1000.0;
    ret->samples += n;
    if (samples[n - 1] > ret->max_ns)
        ret->max_ns = samples[n - 1];
}

static pid_t
begin_load(const struct fair *fair, const struct peer *good, size_t load)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* never in the way of who measures: at the lowest nice value it still could be, for a slice
         */
        sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
        close(good->fd);
        loads[load].be(fair);
        _exit(1);
    }
    return pid;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), by_size);
    return values[n / 2];
}

static void
measure(const struct fair *fair, struct peer *good, size_t load)
{
    static uint64_t number = 1u << 30;
    struct windows alone = {.n = 0}, beside = {.n = 0};
    double quiet[3], loud[3];

    for (uint32_t i = 0; i < fair->windows; i++) {
        pid_t pid;

        ask_for(good, 300 * SB_MS, &number);
        take_window(fair, good, "alone", &number, &alone);
        pid = begin_load(fair, good, load);
        ask_for(good, SB_SECOND, &number); /* until it is under way */
        take_window(fair, good, loads[load].name, &number, &beside);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    quiet[0] = median(alone.p50, alone.n);
    quiet[1] = median(alone.p99, alone.n);
    quiet[2] = median(alone.p999, alone.n);
    loud[0] = median(beside.p50, beside.n);
    loud[1] = median(beside.p99, beside.n);
    loud[2] = median(beside.p999, beside.n);
    printf("{\"load\":\"%s\",\"windows\":%u,\"samples\":%u,\"lost\":%u,\"alone_p50_us\":%.1f,"
           "\"alone_p99_us\":%.1f,\"alone_p999_us\":%.1f,\"alone_max_us\":%.1f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"p50_ratio\":%.2f,"
           "\"p99_ratio\":%.2f,\"p999_ratio\":%.2f}\n",
           loads[load].name, beside.n, beside.samples, beside.lost, quiet[0], quiet[1], quiet[2],
           alone.max_ns / 1000.0, loud[0], loud[1], loud[2], beside.max_ns / 1000.0,
           loud[0] / quiet[0], loud[1] / quiet[1], loud[2] / quiet[2]);
    fflush(stdout);
}

/* ---- storm -------------------------------------------------------------------------------------
 */

/* A line of /proc/PID/status in KB, such as "RssAnon:"; 0 when it is not there. */
static long
status_kb(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kb = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return kb;
}

/* CPU time of a process with all its threads, ns. */
static uint64_t
cpu_ns(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        die("no CPU time of process %d", pid);
    return (uint64_t)t.tv_sec * SB_SECOND + (uint64_t)t.tv_nsec;
}

static uint32_t
ready_on_bus(struct sb_reader *reader)
{
    uint64_t cursor = 0;
    struct sb_switch row;
    uint32_t n = 0;
    int got;

    while ((got = sb_read(reader, SB_T_switch, &cursor, &row)) != 0)
        n += got == 1 && row.state == SB_switch_state_READY && row.dpid >= 1000;
    return n;
}

/* Answers what comes for a while. */
static void
serve_all(struct peer *peers, struct pollfd *fds, uint32_t n, uint64_t ns)
{
    for (uint64_t end = sb_mono() + ns; sb_mono() < end;)
        if (poll(fds, n, 5) > 0)
            for (uint32_t i = 0; i < n; i++)
                if (fds[i].revents != 0 && !serve(&peers[i], MSG_DONTWAIT))
                    die("storm: switch %u was closed", i);
}

static void
storm(const struct fair *fair)
{
    struct peer *peers = calloc(fair->storm, sizeof(*peers));
    struct pollfd *fds = calloc(fair->storm, sizeof(*fds));
    uint64_t begin, connected, ready_ns = 0, cpu;
    char message[SB_MESSAGE_MAX];
    struct sb_reader *reader;
    long anon = status_kb(fair->server, "RssAnon:"), all = status_kb(fair->server, "VmRSS:");
    uint32_t ready;

    if (peers == NULL || fds == NULL ||
        sb_reader_open(&reader, fair->instance, "controller", message) != SB_OK)
        die("cannot read the state bus: %s", message);
    begin = sb_mono();
    for (uint32_t i = 0; i < fair->storm; i++) {
        if (!open_peer(fair, &peers[i], 1000 + i, 16384))
            die("storm: connection %u: %s", i, strerror(errno));
        fds[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
    }
    connected = sb_mono();
    while (ready_ns == 0 && sb_mono() - begin < 30 * SB_SECOND) {
        serve_all(peers, fds, fair->storm, 10 * SB_MS);
        if (ready_on_bus(reader) == fair->storm)
            ready_ns = sb_mono() - begin;
    }
    if (ready_ns == 0)
        die("storm: only %u of %u switches are ready after 30 s", ready_on_bus(reader),
            fair->storm);
    serve_all(peers, fds, fair->storm, 3 * SB_SECOND); /* until discovery has gone round */
    anon = status_kb(fair->server, "RssAnon:") - anon;
    all = status_kb(fair->server, "VmRSS:") - all;
    cpu = cpu_ns(fair->server);
    serve_all(peers, fds, fair->storm, (uint64_t)(fair->seconds * 1e9));
    cpu = cpu_ns(fair->server) - cpu;
    if ((ready = ready_on_bus(reader)) != fair->storm)
        die("storm: only %u of %u switches are still ready when idle", ready, fair->storm);
    printf("{\"load\":\"storm\",\"switches\":%u,\"connected_ms\":%.0f,\"ready_ms\":%.0f,"
           "\"bytes_per_switch\":%ld,\"rss_bytes_per_switch\":%ld,\"idle_cpu_share\":%.3f}\n",
           fair->storm, (double)(connected - begin) / 1e6, (double)ready_ns / 1e6,
           anon * 1024 / (long)fair->storm, all * 1024 / (long)fair->storm,
           (double)cpu / 1e9 / fair->seconds);
    fflush(stdout);
    sb_reader_close(&reader);
    for (uint32_t i = 0; i < fair->storm; i++)
        close_peer(&peers[i]);
    free(peers);
    free(fds);
}

/* ---- command line ---------------------------------------------------------------------------- */

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct fair *fair = state->input;

    switch (key) {
    case 'p':
        fair->port = (uint16_t)atoi(arg);
        return 0;
    case 'P':
        fair->server = atoi(arg);
        return 0;
    case 'i':
        fair->instance = arg;
        return 0;
    case 's':
        fair->storm = (uint32_t)atoi(arg);
        if (fair->storm > STORM_MAX)
            argp_error(state, "--storm: at most %d", STORM_MAX);
        return 0;
    case 't':
        fair->seconds = strtod(arg, NULL);
        return 0;
    case 'w':
        fair->windows = (uint32_t)atoi(arg);
        if (fair->windows < 1 || fair->windows > WINDOWS_MAX)
            argp_error(state, "--windows: 1 to %d", WINDOWS_MAX);
        return 0;
    case 'o':
        fair->only = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int
main(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"port", 'p', "PORT", 0, "TCP port of the controller on 127.0.0.1", 0},
        {"server-pid", 'P', "PID", 0, "its process", 0},
        {"instance", 'i', "NAME", 0, "its instance", 0},
        {"seconds", 't', "T", 0, "length of each window (1)", 0},
        {"windows", 'w', "N", 0, "windows of each kind (7)", 0},
        {"storm", 's', "N", 0, "switches in the storm, 0: none (1000)", 0},
        {"only", 'o', "LOAD", 0, "slow, deaf, flood, floods, strangers, returning or storm", 0},
        {0}};
    static const struct argp argp = {
        options, parse, NULL, "Measures how bad peers disturb a good switch.", NULL, NULL, NULL};
    struct fair fair = {
        .instance = "default", .port = 6653, .seconds = 1, .windows = 7, .storm = 1000};
    struct rlimit limit;
    struct peer good;

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &fair);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    /* As root, answers are taken as soon as they are there: else what is measured is the turn of
     * the scheduler among us, the flood and the subscriber, whom the controller has nothing to do
     * with. */
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) < 0)
        fprintf(stderr, "offair: no real-time priority (%s): tails are the scheduler's, too\n",
                strerror(errno));
    if (fair.only == NULL || strcmp(fair.only, "storm") != 0) {
        if (!make_ready(&fair, &good, 1))
            die("no controller on port %u", fair.port);
        settle(&good);
        for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
            if (fair.only == NULL || strcmp(fair.only, loads[i].name) == 0)
                measure(&fair, &good, i);
        close_peer(&good);
    }
    if (fair.storm > 0)
        storm(&fair);
    return 0;
}
