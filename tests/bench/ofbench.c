/* SPDX-License-Identifier: Apache-2.0
 *
 * ofbench.c - load generator: fake OpenFlow 1.3 switches against a controller.
 *
 * Each switch makes a real handshake and answers what a switch answers. Then, in this order:
 *   SETTLE  a packet-in from one known MAC to another is sent each 100 ms until the controller
 * answers with a packet-out to one port: its discovery takes the ports for edge ports by then; WARM
 * one broadcast packet-in from each MAC, so that every destination is known; RUN     packet-ins of
 * distinct (source, destination) pairs, in turn, a window of them outstanding per switch. Each
 * carries a running number; a packet-out with that number answers it, once. The measured interval
 * begins a while after the last switch is warm. The CPU time of the server process (all its
 * threads) over the interval, divided by the answers in it, is what a packet-in costs: throughput
 * alone could be limited by this program. Latency mode: one switch, one outstanding, the time of
 * each. Discovery frames are never looped back; what is no answer is ignored.
 *
 * One thread, epoll. Neighbours: openflow (codec), ofcanned.c (the floor), env/bench (runs both).
 */
#include <argp.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <trivet/openflow.h>

#define RX_SIZE (256u * 1024)
#define TX_SIZE (512u * 1024)
#define RING 8192u /* running numbers remembered per switch; a power of two above any window */
#define WINDOW_MAX (RING / 2)
#define MAGIC UINT32_C(0x7472626e)
#define DPID_BASE UINT64_C(0xbe00)
#define SECOND UINT64_C(1000000000)
#define PROBE_NS (SECOND / 10) /* between the probes of SETTLE */
#define LOST_NS SECOND         /* an answer later than this does not come */
#define SETTLE_MAX_NS (15 * SECOND)

/* Our frame: Ethernet 14, IPv4 20, UDP 8, then magic, switch, running number */
#define FRAME_SIZE 60u
#define AT_ETH_TYPE 12
#define AT_IP 14
#define AT_UDP 34
#define AT_MAGIC 42
#define AT_SWITCH 46
#define AT_NUMBER 50
#define IN_SIZE (42 + FRAME_SIZE) /* a packet-in with it */
#define AT_IN_PORT 32             /* in the packet-in */
#define AT_FRAME 42

enum phase { CONNECTED, SETTLE, WARM, RUN, DRAIN };

struct fake_switch {
    int fd;
    uint32_t index;
    enum phase phase;
    uint8_t *rx, *tx; /* owned */
    uint32_t rx_len, tx_len, tx_done;
    bool want_write;       /* EPOLLOUT is asked for */
    bool known;            /* the controller asked for features: it has seen a switch */
    uint64_t oldest, next; /* running numbers: [oldest, next) may be outstanding */
    uint32_t outstanding;
    bool answered[RING];     /* of number % RING */
    uint64_t sent_ns;        /* when the last window was filled or an answer came */
    uint64_t probe_ns;       /* SETTLE: last probe */
    uint64_t probe_number;   /* SETTLE: number of the probe with a known destination */
    uint32_t pair, warmed;   /* next pair; MACs that have been sent from */
    uint32_t n_pairs_sent;   /* pairs asked for at least once: the first so many */
    uint8_t in[IN_SIZE];     /* the packet-in to be patched */
    uint32_t expected[RING]; /* port that the answer must name, 0: any */
};

struct bench {
    /* options */
    const char *host, *save;
    uint16_t port;
    uint32_t n_switches, n_macs, n_ports, n_pairs, window;
    double seconds;
    pid_t server;
    bool latency, hold;

    int epoll;
    struct fake_switch *switches; /* owned */
    uint64_t now_ns;
    uint32_t n_settled, n_warm;
    bool measuring;

    /* counters of the measured interval */
    uint64_t sent, answers, flow_mods, flooded, wrong, duplicates, lost, errors;
    uint64_t warm_lost;
    uint32_t *samples; /* owned: latencies in ns */
    size_t n_samples, samples_size;
};

static uint64_t
clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static void
die(const char *format, ...)
{
    va_list args;

    fputs("ofbench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- CPU time of the server ------------------------------------------------------- */

/* Sum over its threads of the time on a CPU, ns; 0 when it cannot be read. */
static uint64_t
cpu_ns(pid_t pid)
{
    char path[64 + 256];
    uint64_t sum = 0;
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    folder = opendir(path);
    if (!folder)
        return 0;
    while ((entry = readdir(folder))) {
        uint64_t ns;
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%" SCNu64, &ns) == 1)
            sum += ns;
        fclose(file);
    }
    closedir(folder);
    return sum;
}

/* ---- frames -------------------------------------------------------------------------- */

static void
put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static void
put_mac(uint8_t *p, uint32_t sw, uint32_t mac)
{
    p[0] = 0x02; /* locally administered */
    p[1] = 0xbe;
    put16(p + 2, sw);
    put16(p + 4, mac);
}

static uint32_t
port_of(const struct bench *bench, uint32_t mac)
{
    return 1 + mac % bench->n_ports;
}

/* The constant part of a switch's packet-ins. */
static void
make_template(struct fake_switch *sw)
{
    struct of_packet_in in = {
        .buffer_id = OF_NO_BUFFER, .in_port = 1, .total_len = FRAME_SIZE, .reason = OFPR_NO_MATCH};
    uint8_t frame[FRAME_SIZE] = {0};
    struct of_buffer b = {sw->in, sizeof(sw->in), 0, false};

    put16(frame + AT_ETH_TYPE, 0x0800);
    frame[AT_IP] = 0x45;
    put16(frame + AT_IP + 2, FRAME_SIZE - AT_IP);
    frame[AT_IP + 8] = 64;
    frame[AT_IP + 9] = 17;
    put16(frame + AT_UDP, 7777);
    put16(frame + AT_UDP + 2, 7777);
    put16(frame + AT_UDP + 4, FRAME_SIZE - AT_UDP); /* checksum 0: none */
    put32(frame + AT_MAGIC, MAGIC);
    put32(frame + AT_SWITCH, sw->index);
    in.data = frame;
    in.data_size = FRAME_SIZE;
    of_put_packet_in(&b, OF13, 0, &in);
    if (b.full || b.len != IN_SIZE)
        die("a packet-in has %zu bytes, expected %u", b.len, IN_SIZE);
}

static void
put_addresses(struct fake_switch *sw, uint32_t src, uint32_t dst)
{
    uint8_t *ip = sw->in + AT_FRAME + AT_IP;
    uint32_t sum = 0;

    put32(ip + 12, 0x0a000000 | sw->index << 16 | (src + 1));
    put32(ip + 16, dst == UINT32_MAX ? 0xffffffff : 0x0a000000 | sw->index << 16 | (dst + 1));
    put16(ip + 10, 0);
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* Appends one packet-in; dst UINT32_MAX is broadcast. False when the buffer is full. */
static bool
send_in(struct bench *bench, struct fake_switch *sw, uint32_t src, uint32_t dst)
{
    uint8_t *frame = sw->in + AT_FRAME;
    uint32_t slot = sw->next % RING;

    if (sw->tx_len + IN_SIZE > TX_SIZE)
        return false;
    put32(sw->in + AT_IN_PORT, port_of(bench, src));
    if (dst == UINT32_MAX)
        memset(frame, 0xff, 6);
    else
        put_mac(frame, sw->index, dst);
    put_mac(frame + 6, sw->index, src);
    put_addresses(sw, src, dst);
    put32(frame + AT_NUMBER, (uint32_t)(sw->next >> 32));
    put32(frame + AT_NUMBER + 4, (uint32_t)sw->next);
    memcpy(sw->tx + sw->tx_len, sw->in, IN_SIZE);
    sw->tx_len += IN_SIZE;
    sw->answered[slot] = false;
    sw->expected[slot] = dst == UINT32_MAX ? 0 : port_of(bench, dst);
    sw->next++;
    sw->outstanding++;
    sw->sent_ns = bench->now_ns;
    return true;
}

/* Pair k: sources in turn, the distance to the destination grows each round; distances that lead to
 * the port of the source are left out. */
static void
pair_of(const struct bench *bench, uint32_t k, uint32_t *src, uint32_t *dst)
{
    uint32_t round = k / bench->n_macs;
    uint32_t distance = 1 + round + round / (bench->n_ports - 1);

    *src = k % bench->n_macs;
    *dst = (*src + distance) % bench->n_macs;
}

/* ---- filling windows --------------------------------------------------------------------- */

static void
enter(struct bench *bench, struct fake_switch *sw, enum phase phase)
{
    sw->phase = phase;
    sw->oldest = sw->next;
    sw->outstanding = 0;
    if (phase == WARM)
        bench->n_settled++;
    if (phase == RUN)
        bench->n_warm++;
}

static void
fill(struct bench *bench, struct fake_switch *sw)
{
    uint32_t src, dst;

    switch (sw->phase) {
    case CONNECTED:
    case DRAIN:
        break;
    case SETTLE:
        if (bench->now_ns - sw->probe_ns < PROBE_NS)
            break;
        sw->probe_ns = bench->now_ns;
        sw->oldest = sw->next;
        sw->outstanding = 0;
        send_in(bench, sw, 0, UINT32_MAX);
        send_in(bench, sw, 1, UINT32_MAX);
        sw->probe_number = sw->next;
        send_in(bench, sw, 0, 1);
        break;
    case WARM:
        while (sw->warmed < bench->n_macs && sw->outstanding < bench->window &&
               sw->next - sw->oldest < RING && send_in(bench, sw, sw->warmed, UINT32_MAX))
            sw->warmed++;
        if (sw->warmed == bench->n_macs && sw->outstanding == 0)
            enter(bench, sw, RUN);
        break;
    case RUN:
        /* no switch runs before all are warm: then the interval is the same for all */
        if (bench->n_warm < bench->n_switches)
            break;
        while (sw->outstanding < bench->window && sw->next - sw->oldest < RING) {
            pair_of(bench, sw->pair, &src, &dst);
            if (!send_in(bench, sw, src, dst))
                break;
            sw->pair++;
            if (sw->n_pairs_sent < sw->pair)
                sw->n_pairs_sent = sw->pair;
            if (sw->pair == bench->n_pairs)
                sw->pair = 0;
            bench->sent += bench->measuring;
        }
        break;
    }
}

/* ---- what the controller sends --------------------------------------------------------------- */

static void
sample(struct bench *bench, uint64_t ns)
{
    if (bench->n_samples < bench->samples_size)
        bench->samples[bench->n_samples++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void
take_packet_out(struct bench *bench, struct fake_switch *sw, const uint8_t *m)
{
    struct of_packet_out out;
    struct of_action action = {.type = OF_A_OTHER};
    struct of_cursor c;
    uint64_t number;
    uint32_t slot;
    bool one_port;

    if (of_decode_packet_out(m, &out, NULL) != OF_OK) {
        bench->errors++;
        return;
    }
    if (out.data_size < AT_NUMBER + 8 || of_get16(out.data + AT_ETH_TYPE) != 0x0800 ||
        of_get32(out.data + AT_MAGIC) != MAGIC || of_get32(out.data + AT_SWITCH) != sw->index)
        return; /* discovery, or another switch's flood */
    number = of_get64(out.data + AT_NUMBER);
    c = (struct of_cursor){out.actions, out.actions_size};
    if (of_next_action(&c, &action) <= 0)
        action.type = OF_A_OTHER;
    one_port = action.type == OF_A_OUTPUT && c.left == 0 && action.port < OFPP_MAX;
    if (sw->phase == SETTLE) {
        if (number == sw->probe_number && one_port)
            enter(bench, sw, WARM);
        return;
    }
    slot = number % RING;
    if (number < sw->oldest || number >= sw->next || sw->answered[slot]) {
        bench->duplicates += bench->measuring;
        return;
    }
    sw->answered[slot] = true;
    sw->outstanding--;
    while (sw->oldest < sw->next && sw->answered[sw->oldest % RING])
        sw->oldest++;
    if (!bench->measuring)
        return;
    bench->answers++;
    if (bench->latency)
        sample(bench, clock_ns() - sw->sent_ns);
    if (!one_port)
        bench->flooded++;
    else if (sw->expected[slot] && action.port != sw->expected[slot])
        bench->wrong++;
}

static void
put_ports(const struct bench *bench, struct fake_switch *sw, struct of_buffer *b, uint32_t xid)
{
    struct of_port ports[64];

    for (uint32_t i = 0; i < bench->n_ports; i++) {
        struct of_port *port = &ports[i];

        memset(port, 0, sizeof(*port));
        port->port = i + 1;
        put_mac(port->mac, sw->index, 0xff00 + i);
        port->mac[0] = 0x0a;
        snprintf(port->name, sizeof(port->name), "b%u-eth%u", sw->index, i + 1);
        port->current = port->supported = 0x2020;
        port->speed_kbps = port->max_speed_kbps = 1000000;
    }
    of_put_port_desc_reply(b, xid, ports, bench->n_ports, 0);
}

static void
answer_multipart(const struct bench *bench, struct fake_switch *sw, struct of_buffer *b,
                 const uint8_t *m, uint32_t xid)
{
    uint8_t body[8 + 1056] = {0}; /* ofp_multipart_reply, ofp_desc: all empty strings */
    uint16_t type = of_get16(m + 8);

    if (type == OFPMP_PORT_DESC) {
        put_ports(bench, sw, b, xid);
        return;
    }
    put16(body, type);
    of_put_echo(b, OF13, OFPT13_MULTIPART_REPLY, xid, body, type == OFPMP_DESC ? sizeof(body) : 8);
}

static void
take(struct bench *bench, struct fake_switch *sw, const uint8_t *m, const struct of_header *h)
{
    struct of_buffer b = {sw->tx, TX_SIZE, sw->tx_len, false};
    const struct of_features features = {
        .dpid = DPID_BASE + sw->index, .n_tables = 254, .capabilities = 0x4f};
    const uint8_t *body = m + OF_HEADER_SIZE;
    size_t size = h->length - (size_t)OF_HEADER_SIZE;

    switch (h->type) {
    case OFPT13_PACKET_OUT:
        take_packet_out(bench, sw, m);
        return;
    case OFPT13_FLOW_MOD:
        bench->flow_mods += bench->measuring;
        return;
    case OFPT13_ECHO_REQUEST:
        of_put_echo(&b, OF13, OFPT13_ECHO_REPLY, h->xid, body, size);
        break;
    case OFPT13_FEATURES_REQUEST:
        of_put_features_reply(&b, OF13, h->xid, &features);
        sw->known = true;
        break;
    case OFPT13_GET_CONFIG_REQUEST:
        of_put_echo(&b, OF13, OFPT13_GET_CONFIG_REPLY, h->xid, "\0\0\0\x80", 4);
        break;
    case OFPT13_MULTIPART_REQUEST:
        answer_multipart(bench, sw, &b, m, h->xid);
        break;
    case OFPT13_BARRIER_REQUEST:
        of_put_header(&b, OF13, OFPT13_BARRIER_REPLY, h->xid);
        break;
    case OFPT13_ROLE_REQUEST:
        of_put_echo(&b, OF13, OFPT13_ROLE_REPLY, h->xid, body, size);
        break;
    case OFPT13_GET_ASYNC_REQUEST:
        of_put_echo(&b, OF13, OFPT13_GET_ASYNC_REPLY, h->xid, (const uint8_t[24]){0}, 24);
        break;
    case OFPT13_ERROR:
        bench->errors++;
        return;
    default: /* hello, set-config, group-mod ...: nothing to say */
        return;
    }
    if (b.full)
        die("switch %u: no room for an answer", sw->index);
    sw->tx_len = (uint32_t)b.len;
}

/* ---- input and output ---------------------------------------------------------------------------
 */

static void
want(struct bench *bench, struct fake_switch *sw, bool write)
{
    struct epoll_event event = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = sw};

    if (sw->want_write == write)
        return;
    sw->want_write = write;
    epoll_ctl(bench->epoll, EPOLL_CTL_MOD, sw->fd, &event);
}

static void
flush(struct bench *bench, struct fake_switch *sw)
{
    while (sw->tx_done < sw->tx_len) {
        ssize_t n = write(sw->fd, sw->tx + sw->tx_done, sw->tx_len - sw->tx_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            die("switch %u: %s", sw->index, strerror(errno));
        sw->tx_done += (uint32_t)n;
    }
    if (sw->tx_done == sw->tx_len)
        sw->tx_done = sw->tx_len = 0;
    want(bench, sw, sw->tx_len > 0);
}

static void
receive(struct bench *bench, struct fake_switch *sw)
{
    ssize_t n = read(sw->fd, sw->rx + sw->rx_len, RX_SIZE - sw->rx_len);
    struct of_header header;
    uint32_t done = 0;
    int length, error;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("switch %u: the controller closed the connection%s%s", sw->index, n < 0 ? ": " : "",
            n < 0 ? strerror(errno) : "");
    sw->rx_len += (uint32_t)n;
    while ((length = of_frame(sw->rx + done, sw->rx_len - done, &header)) > 0) {
        error = of_check(&header);
        if (error)
            die("switch %u: type %u of %d bytes: %s", sw->index, header.type, length,
                of_strerror(error));
        take(bench, sw, sw->rx + done, &header);
        done += (uint32_t)length;
    }
    if (length < 0)
        die("switch %u: length %u in a header", sw->index, header.length);
    memmove(sw->rx, sw->rx + done, sw->rx_len - done);
    sw->rx_len -= done;
}

/* What is not answered by now is lost; the window opens again. */
static void
expire(struct bench *bench, struct fake_switch *sw)
{
    if (sw->outstanding == 0 || sw->phase == SETTLE || bench->now_ns - sw->sent_ns < LOST_NS)
        return;
    if (sw->phase == WARM)
        bench->warm_lost += sw->outstanding;
    else
        bench->lost += sw->outstanding;
    sw->oldest = sw->next;
    sw->outstanding = 0;
}

static void
turn(struct bench *bench, int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(bench->epoll, events, 64, timeout_ms);

    bench->now_ns = clock_ns();
    for (int i = 0; i < n; i++) {
        struct fake_switch *sw = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(bench, sw);
        if (bench->latency)
            bench->now_ns = clock_ns();
        fill(bench, sw);
        flush(bench, sw);
    }
}

/* Time-outs and whatever no answer starts; a few times a second. */
static void
tick(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->n_switches; i++) {
        struct fake_switch *sw = &bench->switches[i];

        if (sw->phase == CONNECTED && sw->known)
            sw->phase = SETTLE;
        expire(bench, sw);
        fill(bench, sw);
        flush(bench, sw);
    }
}

/* Turns until the condition holds or the time is over; true when it holds. */
#define UNTIL(bench, condition, ns)                                                                \
    ({                                                                                             \
        uint64_t end_ = clock_ns() + (ns), tick_ = 0;                                              \
        bool held_;                                                                                \
        while (!(held_ = (condition)) && clock_ns() < end_) {                                      \
            turn(bench, 10);                                                                       \
            if ((bench)->now_ns - tick_ > 20 * 1000000) {                                          \
                tick_ = (bench)->now_ns;                                                           \
                tick(bench);                                                                       \
            }                                                                                      \
        }                                                                                          \
        held_;                                                                                     \
    })

/* ---- the run
 * --------------------------------------------------------------------------------------- */

static void
connect_switch(struct bench *bench, struct fake_switch *sw, uint32_t index)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(bench->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = sw};
    struct of_buffer b;
    int one = 1;

    sw->index = index;
    sw->rx = malloc(RX_SIZE);
    sw->tx = malloc(TX_SIZE);
    if (!sw->rx || !sw->tx)
        die("out of memory");
    make_template(sw);
    if (inet_pton(AF_INET, bench->host, &address.sin_addr) != 1)
        die("%s is no IPv4 address", bench->host);
    sw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sw->fd < 0 || connect(sw->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("cannot connect to %s:%u: %s", bench->host, bench->port, strerror(errno));
    setsockopt(sw->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(sw->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(bench->epoll, EPOLL_CTL_ADD, sw->fd, &event) < 0)
        die("epoll: %s", strerror(errno));
    b = (struct of_buffer){sw->tx, TX_SIZE, 0, false};
    of_put_hello(&b, OF13, 1, 1 << OF13);
    sw->tx_len = (uint32_t)b.len;
    flush(bench, sw);
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double
percentile_us(const struct bench *bench, double p)
{
    if (bench->n_samples == 0)
        return 0;
    return bench->samples[(size_t)(p * (double)(bench->n_samples - 1))] / 1000.0;
}

/* One line a decision that the run asked for: dpid, in_port, source, destination, output. */
static void
save_decisions(const struct bench *bench)
{
    FILE *file = fopen(bench->save, "w");
    uint8_t a[6], z[6];
    uint32_t src, dst;

    if (!file)
        die("%s: %s", bench->save, strerror(errno));
    for (uint32_t s = 0; s < bench->n_switches; s++)
        for (uint32_t k = 0; k < bench->switches[s].n_pairs_sent; k++) {
            pair_of(bench, k, &src, &dst);
            put_mac(a, s, src);
            put_mac(z, s, dst);
            fprintf(file,
                    "%016" PRIx64 " %u %02x:%02x:%02x:%02x:%02x:%02x"
                    " %02x:%02x:%02x:%02x:%02x:%02x %u\n",
                    DPID_BASE + s, port_of(bench, src), a[0], a[1], a[2], a[3], a[4], a[5], z[0],
                    z[1], z[2], z[3], z[4], z[5], port_of(bench, dst));
        }
    fclose(file);
}

static void
report(const struct bench *bench, uint64_t ns, uint64_t cpu)
{
    double answers = bench->answers ? (double)bench->answers : 1;

    printf("{\"mode\":\"%s\",\"switches\":%u,\"macs\":%u,\"ports\":%u,\"pairs\":%u,\"window\":%u,"
           "\"seconds\":%.3f,\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
           ",\"per_second\":%.0f,\"flow_mods\":%" PRIu64 ",\"flooded\":%" PRIu64
           ",\"wrong_port\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"warm_lost\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"cpu_ns\":%" PRIu64
           ",\"cpu_share\":%.3f,\"cpu_ns_per_packet_in\":%.1f",
           bench->latency ? "latency" : "throughput", bench->n_switches, bench->n_macs,
           bench->n_ports, bench->n_pairs, bench->window, (double)ns / 1e9, bench->sent,
           bench->answers, answers * 1e9 / (double)ns, bench->flow_mods, bench->flooded,
           bench->wrong, bench->duplicates, bench->lost, bench->warm_lost, bench->errors, cpu,
           (double)cpu / (double)ns, (double)cpu / answers);
    if (bench->latency)
        printf(",\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f", percentile_us(bench, 0.5),
               percentile_us(bench, 0.99));
    printf("}\n");
    fflush(stdout);
}

static void
run(struct bench *bench)
{
    uint64_t start, cpu, ns;

    for (uint32_t i = 0; i < bench->n_switches; i++)
        connect_switch(bench, &bench->switches[i], i);
    if (!UNTIL(bench, bench->n_settled == bench->n_switches, SETTLE_MAX_NS))
        die("only %u of %u switches got a rule for a known destination within %u s",
            bench->n_settled, bench->n_switches, (unsigned)(SETTLE_MAX_NS / SECOND));
    if (!UNTIL(bench, bench->n_warm == bench->n_switches, 60 * SECOND))
        die("only %u of %u switches are warm after a minute", bench->n_warm, bench->n_switches);
    UNTIL(bench, false, SECOND / 4);

    cpu = cpu_ns(bench->server);
    start = clock_ns();
    bench->measuring = true;
    UNTIL(bench, false, (uint64_t)(bench->seconds * 1e9));
    bench->measuring = false;
    ns = clock_ns() - start;
    cpu = cpu_ns(bench->server) - cpu;

    for (uint32_t i = 0; i < bench->n_switches; i++)
        bench->switches[i].phase = DRAIN;
    UNTIL(bench, false, LOST_NS / 2); /* late answers; and the server's own queues */
    for (uint32_t i = 0; i < bench->n_switches; i++)
        bench->lost += bench->switches[i].outstanding;
    if (bench->latency)
        qsort(bench->samples, bench->n_samples, sizeof(bench->samples[0]), by_value);
    report(bench, ns, cpu);
    if (bench->save)
        save_decisions(bench);
}

/* Stays connected, as a switch does, until standard input ends. */
static void
hold(struct bench *bench)
{
    char c;

    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    UNTIL(bench, read(STDIN_FILENO, &c, 1) == 0, 120 * SECOND);
}

/* ---- command line
 * ------------------------------------------------------------------------------------- */

static uint32_t
number(const char *text, const char *name, uint32_t min, uint32_t max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || end == text || value < min || value > max)
        die("%s %s: expected %u to %u", name, text, min, max);
    return (uint32_t)value;
}

enum { KEY_HOLD = 256, KEY_SAVE, KEY_PAIRS, KEY_PORTS };

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct bench *bench = state->input;

    switch (key) {
    case 'H':
        bench->host = arg;
        break;
    case 'p':
        bench->port = (uint16_t)number(arg, "--port", 1, 65535);
        break;
    case 'P':
        bench->server = (pid_t)number(arg, "--server-pid", 1, INT32_MAX);
        break;
    case 'n':
        bench->n_switches = number(arg, "--switches", 1, 1000);
        break;
    case 'm':
        bench->n_macs = number(arg, "--macs", 4, 60000);
        break;
    case KEY_PORTS:
        bench->n_ports = number(arg, "--ports", 2, 64);
        break;
    case KEY_PAIRS:
        bench->n_pairs = number(arg, "--pairs", 1, 1000000);
        break;
    case 'w':
        bench->window = number(arg, "--window", 1, WINDOW_MAX);
        break;
    case 't':
        bench->seconds = strtod(arg, NULL);
        if (!(bench->seconds > 0 && bench->seconds <= 3600))
            die("--seconds %s: expected up to 3600", arg);
        break;
    case 'l':
        bench->latency = true;
        break;
    case KEY_HOLD:
        bench->hold = true;
        break;
    case KEY_SAVE:
        bench->save = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option options[] = {
    {"host", 'H', "ADDRESS", 0, "controller (127.0.0.1)", 0},
    {"port", 'p', "PORT", 0, "its TCP port (6653)", 0},
    {"server-pid", 'P', "PID", 0, "process whose CPU time is measured", 0},
    {"switches", 'n', "N", 0, "fake switches (16)", 0},
    {"macs", 'm', "M", 0, "MACs per switch (1000)", 0},
    {"ports", KEY_PORTS, "N", 0, "ports per switch (4); divides the MACs", 0},
    {"pairs", KEY_PAIRS, "N", 0, "distinct pairs per switch, used in turn (4000)", 0},
    {"window", 'w', "N", 0, "packet-ins outstanding per switch (64)", 0},
    {"seconds", 't', "T", 0, "measured interval (2)", 0},
    {"latency", 'l', NULL, 0, "one switch, one outstanding: the time of each answer", 0},
    {"hold", KEY_HOLD, NULL, 0, "stay connected after the report until standard input ends", 0},
    {"save-decisions", KEY_SAVE, "FILE", 0, "write every distinct decision asked for", 0},
    {0},
};

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse,
        NULL,    "Loads an OpenFlow 1.3 controller with fake switches and prints one line of JSON.",
        NULL,    NULL,
        NULL};
    struct bench bench = {.host = "127.0.0.1",
                          .port = 6653,
                          .n_switches = 16,
                          .n_macs = 1000,
                          .n_ports = 4,
                          .n_pairs = 4000,
                          .window = 64,
                          .seconds = 2};

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &bench);
    if (bench.latency)
        bench.n_switches = bench.window = 1;
    if (bench.n_macs % bench.n_ports)
        die("%u MACs do not divide among %u ports", bench.n_macs, bench.n_ports);
    if (bench.n_pairs > (uint64_t)bench.n_macs * (bench.n_macs - bench.n_macs / bench.n_ports))
        die("%u MACs have no %u pairs on different ports", bench.n_macs, bench.n_pairs);
    bench.samples_size = bench.latency ? 4u << 20 : 0;
    bench.samples = calloc(bench.samples_size + 1, sizeof(bench.samples[0]));
    bench.switches = calloc(bench.n_switches, sizeof(bench.switches[0]));
    bench.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!bench.samples || !bench.switches || bench.epoll < 0)
        die("%s", strerror(errno));
    run(&bench);
    if (bench.hold)
        hold(&bench);
    for (uint32_t i = 0; i < bench.n_switches; i++) {
        close(bench.switches[i].fd);
        free(bench.switches[i].rx);
        free(bench.switches[i].tx);
    }
    free(bench.switches);
    free(bench.samples);
    return 0;
}
