/* SPDX-License-Identifier: Apache-2.0
 *
 * ofbench_switch.c - one fake switch: its handshake, its packet-ins, and what it makes of the
 * answers. Neighbours: ofbench.c (loop and phases), openflow (codec).
 */
#include "ofbench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <trivet/openflow_stats.h>

#define RX_SIZE 0x40000u /* 256 KiB */
#define TX_SIZE 0x80000u /* 512 KiB */
#define MAGIC UINT32_C(0x7472626e)
#define PROBE_NS (SECOND / 10) /* between the probes of SETTLE */

#define AT_ETH_TYPE 12 /* in the frame */
#define AT_IP 14
#define AT_UDP 34
#define AT_MAGIC 42
#define AT_SWITCH 46
#define AT_NUMBER 50
#define AT_BUFFER 8 /* in the packet-in */
#define AT_IN_PORT10 14
#define AT_IN_PORT13 32
#define BUFFER_MASK UINT32_C(0x7fffffff) /* ids are running numbers, never OF_NO_BUFFER */

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

void
bench_mac(uint8_t p[6], uint32_t sw, uint32_t mac)
{
    p[0] = 0x02; /* locally administered */
    put16(p + 1, sw);
    p[3] = (uint8_t)(mac >> 16);
    put16(p + 4, mac & 0xffff);
}

uint32_t
bench_port(const struct bench *bench, uint32_t mac)
{
    return 1 + mac % bench->n_ports;
}

/* The constant part of a switch's packet-ins. */
static void
make_template(struct bench *bench, struct fake_switch *sw)
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
    of_put_packet_in(&b, bench->version, 0, &in);
    if (b.full)
        bench_die("a packet-in has more than %u bytes", IN_MAX);
    bench->in_size = (uint32_t)b.len;
    bench->at_frame = bench->in_size - FRAME_SIZE;
}

static void
put_addresses(uint8_t *ip, uint32_t first, uint32_t src, uint32_t dst)
{
    uint32_t sum = 0;

    put32(ip + 12, first + src);
    put32(ip + 16, dst == UINT32_MAX ? 0xffffffff : first + dst);
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
    uint8_t *frame = sw->in + bench->at_frame;
    uint32_t slot = sw->next % RING;

    if (sw->tx_len + bench->in_size > TX_SIZE)
        return false;
    if (bench->version == OF10) {
        put32(sw->in + AT_BUFFER, (uint32_t)sw->next & BUFFER_MASK);
        put16(sw->in + AT_IN_PORT10, bench_port(bench, src));
    } else {
        put32(sw->in + AT_IN_PORT13, bench_port(bench, src));
    }
    if (dst == UINT32_MAX)
        memset(frame, 0xff, 6);
    else
        bench_mac(frame, sw->index, dst);
    bench_mac(frame + 6, sw->index, src);
    put_addresses(frame + AT_IP, 0x0a000001 + sw->index * bench->n_macs, src, dst);
    put32(frame + AT_NUMBER, (uint32_t)(sw->next >> 32));
    put32(frame + AT_NUMBER + 4, (uint32_t)sw->next);
    memcpy(sw->tx + sw->tx_len, sw->in, bench->in_size);
    sw->tx_len += bench->in_size;
    sw->answered[slot] = false;
    sw->expected[slot] = dst == UINT32_MAX ? 0 : bench_port(bench, dst);
    sw->next++;
    sw->outstanding++;
    sw->sent_ns = bench->now_ns;
    return true;
}

/* Pair k: sources in turn, the distance to the destination grows each round; distances that lead to
 * the port of the source are left out. */
void
bench_pair(const struct bench *bench, uint32_t k, uint32_t *src, uint32_t *dst)
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

void
bench_fill(struct bench *bench, struct fake_switch *sw)
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
            bench_pair(bench, sw->pair, &src, &dst);
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

/* The packet of this number leaves the switch. */
static void
release(struct bench *bench, struct fake_switch *sw, uint64_t number, struct of_cursor actions)
{
    struct of_action action = {.type = OF_A_OTHER};
    uint32_t slot = number % RING;
    bool one_port;

    if (of_next_action_v(bench->version, &actions, &action) <= 0)
        action.type = OF_A_OTHER;
    one_port = action.type == OF_A_OUTPUT && actions.left == 0 && action.port < OFPP_MAX;
    if (sw->phase == SETTLE) {
        if (number == sw->probe_number && one_port)
            enter(bench, sw, WARM);
        return;
    }
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
        sample(bench, bench_clock_ns() - sw->sent_ns);
    if (!one_port)
        bench->flooded++;
    else if (sw->expected[slot] && action.port != sw->expected[slot])
        bench->wrong++;
}

static void
release_buffer(struct bench *bench, struct fake_switch *sw, uint32_t id, struct of_cursor actions)
{
    uint64_t number = sw->oldest + ((id - (uint32_t)sw->oldest) & BUFFER_MASK);

    if (bench->version == OF13 || id > BUFFER_MASK)
        bench->errors++; /* no such buffer was ever named */
    else
        release(bench, sw, number, actions);
}

static void
take_packet_out(struct bench *bench, struct fake_switch *sw, const uint8_t *m)
{
    struct of_packet_out out;
    struct of_cursor actions;

    if (of_decode_packet_out(m, &out, NULL) != OF_OK) {
        bench->errors++;
        return;
    }
    actions = (struct of_cursor){out.actions, out.actions_size};
    if (out.buffer_id != OF_NO_BUFFER)
        release_buffer(bench, sw, out.buffer_id, actions);
    else if (out.data_size >= AT_NUMBER + 8 && of_get16(out.data + AT_ETH_TYPE) == 0x0800 &&
             of_get32(out.data + AT_MAGIC) == MAGIC && of_get32(out.data + AT_SWITCH) == sw->index)
        release(bench, sw, of_get64(out.data + AT_NUMBER), actions);
    /* else discovery, or another switch's flood */
}

/* It answers when it names a buffer: then the packet takes the way of the new rule. */
static void
take_flow_mod(struct bench *bench, struct fake_switch *sw, const uint8_t *m)
{
    struct of_flow_mod mod;

    bench->flow_mods += bench->measuring;
    if (bench->version == OF13)
        return;
    if (of_decode_flow_mod(m, &mod, NULL) != OF_OK)
        bench->errors++;
    else if (mod.buffer_id != OF_NO_BUFFER)
        release_buffer(bench, sw, mod.buffer_id,
                       (struct of_cursor){mod.raw_actions, mod.raw_actions_size});
}

static void
add_ports(const struct bench *bench, const struct fake_switch *sw, struct of_buffer *b)
{
    for (uint32_t i = 0; i < bench->n_ports; i++) {
        struct of_port port = {.port = i + 1, .current = 0x2020, .supported = 0x2020};

        bench_mac(port.mac, sw->index, 0xff00 + i);
        port.mac[0] = 0x0a; /* no host's */
        snprintf(port.name, sizeof(port.name), "b%u-eth%u", sw->index, i + 1);
        if (bench->version == OF13)
            port.speed_kbps = port.max_speed_kbps = 1000000;
        of_add_port(b, bench->version, &port);
    }
}

static void
answer_features(const struct bench *bench, const struct fake_switch *sw, struct of_buffer *b,
                uint32_t xid)
{
    uint8_t bytes[64 * 48]; /* of 64 ports */
    struct of_buffer ports = {bytes, sizeof(bytes), 0, false};
    struct of_features features = {
        .dpid = DPID_BASE + sw->index, .n_tables = 254, .capabilities = 0x4f};

    if (bench->version == OF10) {
        add_ports(bench, sw, &ports);
        features.ports = bytes;
        features.ports_size = (uint16_t)ports.len;
        features.n_buffers = RING;
        features.n_tables = 1;
        features.capabilities = 0x87;
        features.actions10 = 0xfff;
    }
    of_put_features_reply(b, bench->version, xid, &features);
}

static void
answer_multipart(const struct bench *bench, const struct fake_switch *sw, struct of_buffer *b,
                 const uint8_t *m, uint32_t xid)
{
    uint16_t type = of_get16(m + 8);
    size_t start = of_open_reply(b, bench->version, xid, type, 0);

    if (type == OFPMP_PORT_DESC)
        add_ports(bench, sw, b);
    else if (type == OFPMP_DESC)
        of_add_desc(b, &(struct of_desc){.manufacturer = ""}); /* all empty strings */
    of_close(b, start);
}

static void
take(struct bench *bench, struct fake_switch *sw, const uint8_t *m, const struct of_header *h)
{
    struct of_buffer b = {sw->tx, TX_SIZE, sw->tx_len, false};
    const uint8_t version = bench->version, *body = m + OF_HEADER_SIZE;
    size_t size = h->length - (size_t)OF_HEADER_SIZE;

    if (h->version != version) {
        if (h->type == OFPT13_HELLO)
            return; /* it may offer more */
        bench_die("switch %u: type %u in version %u, negotiated was %u", sw->index, h->type,
                  h->version, version);
    }
    switch (of_type13(version, h->type)) {
    case OFPT13_PACKET_OUT:
        take_packet_out(bench, sw, m);
        return;
    case OFPT13_FLOW_MOD:
        take_flow_mod(bench, sw, m);
        return;
    case OFPT13_ECHO_REQUEST:
        of_put_echo(&b, version, OFPT13_ECHO_REPLY, h->xid, body, size);
        break;
    case OFPT13_FEATURES_REQUEST:
        answer_features(bench, sw, &b, h->xid);
        sw->known = true;
        break;
    case OFPT13_GET_CONFIG_REQUEST:
        of_put_echo(&b, version, OFPT13_GET_CONFIG_REPLY, h->xid, "\0\0\0\x80", 4);
        break;
    case OFPT13_MULTIPART_REQUEST:
        answer_multipart(bench, sw, &b, m, h->xid);
        break;
    case OFPT13_BARRIER_REQUEST:
        of_put_header(&b, version, OFPT13_BARRIER_REPLY, h->xid);
        break;
    case OFPT13_ROLE_REQUEST:
        of_put_echo(&b, version, OFPT13_ROLE_REPLY, h->xid, body, size);
        break;
    case OFPT13_GET_ASYNC_REQUEST:
        of_put_echo(&b, version, OFPT13_GET_ASYNC_REPLY, h->xid, (const uint8_t[24]){0}, 24);
        break;
    case OFPT13_ERROR:
        bench->errors++;
        return;
    default: /* hello, set-config, group-mod ...: nothing to say */
        return;
    }
    if (b.full)
        bench_die("switch %u: no room for an answer", sw->index);
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

void
bench_flush(struct bench *bench, struct fake_switch *sw)
{
    while (sw->tx_done < sw->tx_len) {
        ssize_t n = write(sw->fd, sw->tx + sw->tx_done, sw->tx_len - sw->tx_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            bench_die("switch %u: %s", sw->index, strerror(errno));
        sw->tx_done += (uint32_t)n;
    }
    if (sw->tx_done == sw->tx_len)
        sw->tx_done = sw->tx_len = 0;
    want(bench, sw, sw->tx_len > 0);
}

void
bench_receive(struct bench *bench, struct fake_switch *sw)
{
    ssize_t n = read(sw->fd, sw->rx + sw->rx_len, RX_SIZE - sw->rx_len);
    struct of_header header;
    uint32_t done = 0;
    int length, error;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        bench_die("switch %u: the controller closed the connection%s%s", sw->index,
                  n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
    sw->rx_len += (uint32_t)n;
    while ((length = of_frame(sw->rx + done, sw->rx_len - done, &header)) > 0) {
        error = of_check(&header);
        if (error)
            bench_die("switch %u: type %u of %d bytes: %s", sw->index, header.type, length,
                      of_strerror(error));
        take(bench, sw, sw->rx + done, &header);
        done += (uint32_t)length;
    }
    if (length < 0)
        bench_die("switch %u: length %u in a header", sw->index, header.length);
    memmove(sw->rx, sw->rx + done, sw->rx_len - done);
    sw->rx_len -= done;
}

/* What is not answered by now is lost; the window opens again. */
void
bench_expire(struct bench *bench, struct fake_switch *sw)
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

/* ---- life ------------------------------------------------------------ */

void
bench_connect(struct bench *bench, struct fake_switch *sw, uint32_t index)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(bench->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = sw};
    struct of_buffer b;
    int one = 1;

    sw->index = index;
    sw->rx = malloc(RX_SIZE);
    sw->tx = malloc(TX_SIZE);
    if (!sw->rx || !sw->tx)
        bench_die("out of memory");
    make_template(bench, sw);
    if (inet_pton(AF_INET, bench->host, &address.sin_addr) != 1)
        bench_die("%s is no IPv4 address", bench->host);
    sw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sw->fd < 0 || connect(sw->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        bench_die("cannot connect to %s:%u: %s", bench->host, bench->port, strerror(errno));
    setsockopt(sw->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(sw->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(bench->epoll, EPOLL_CTL_ADD, sw->fd, &event) < 0)
        bench_die("epoll: %s", strerror(errno));
    b = (struct of_buffer){sw->tx, TX_SIZE, 0, false};
    of_put_hello(&b, bench->version, 1, bench->version == OF13 ? 1 << OF13 : 0);
    sw->tx_len = (uint32_t)b.len;
    bench_flush(bench, sw);
}
