/* SPDX-License-Identifier: Apache-2.0
 *
 * ofcanned.c - the canned responder: the floor that a controller's cost is compared with.
 *
 * It accepts fake switches, asks for their features, and answers each packet-in without looking at
 * it: it frames the message, copies a ready-made flow_mod and packet_out, and patches xid, in_port,
 * addresses and data. In OpenFlow 1.0 it is the flow_mod alone, with the buffer id. As much is read
 * as there is, all answers of a turn go out in one write. Nothing is decided, learned or kept: no
 * controller that answers with these messages can be cheaper by more than luck.
 *
 * One thread, epoll. Neighbour: ofbench.c.
 */
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

#include <trivet/openflow.h>

#define RX_SIZE 0x10000u /* 64 KiB */
#define TX_SIZE 0x40000u /* 256 KiB */
#define ANSWER_MAX 512u

struct peer {
    int fd;
    uint32_t rx_len, tx_len;
    uint8_t rx[RX_SIZE], tx[TX_SIZE];
};

struct canned {
    int epoll, listener;
    uint8_t version;
    uint8_t answer[ANSWER_MAX]; /* flow_mod, then (1.3) packet_out without data */
    uint32_t flow_mod_size, answer_size;
    uint32_t at_in_port, at_eth_dst, at_eth_src; /* in the flow_mod */
    uint32_t xid;
};

static void
die(const char *what)
{
    fprintf(stderr, "ofcanned: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
put32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static void
make_answer(struct canned *canned)
{
    const struct of_action output = {.type = OF_A_OUTPUT, .port = 1};
    struct of_flow_mod mod = {.idle_s = 60,
                              .priority = 10,
                              .buffer_id = OF_NO_BUFFER,
                              .out_port = OFPP_ANY,
                              .out_group = OFPG_ANY,
                              .match = {.fields = OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC},
                              .actions = &output,
                              .n_actions = 1};
    struct of_buffer b = {canned->answer, sizeof(canned->answer), 0, false};

    of_put_flow_mod(&b, canned->version, 0, &mod);
    canned->flow_mod_size = (uint32_t)b.len;
    if (canned->version == OF13)
        of_put_packet_out(&b, OF13, 0, OF_NO_BUFFER, 0, &output, 1, NULL, 0);
    canned->answer_size = (uint32_t)b.len;
    /* match at 48: type and length 4, then in_port 4 + 4, eth_dst 4 + 6, eth_src 4 + 6 */
    canned->at_in_port = 48 + 4 + 4;
    canned->at_eth_dst = canned->at_in_port + 4 + 4;
    canned->at_eth_src = canned->at_eth_dst + 6 + 4;
}

/* ofp_packet_in of 1.0: buffer_id at 8, in_port (2) at 14, data at 18; ofp_flow_mod: in_port at 12,
 * eth_src at 14, eth_dst at 20, buffer_id at 64. */
static void
answer10(struct canned *canned, struct peer *peer, const uint8_t *m)
{
    uint8_t *flow_mod = peer->tx + peer->tx_len;

    memcpy(flow_mod, canned->answer, canned->answer_size);
    put32(flow_mod + 4, ++canned->xid);
    memcpy(flow_mod + 12, m + 14, 2);
    memcpy(flow_mod + 14, m + 18 + 6, 6);
    memcpy(flow_mod + 20, m + 18, 6);
    memcpy(flow_mod + 64, m + 8, 4);
    peer->tx_len += canned->answer_size;
}

static void
answer(struct canned *canned, struct peer *peer, const uint8_t *m, uint32_t length)
{
    uint32_t size = length - 42; /* an ofp_packet_in whose match is in_port alone */
    const uint8_t *data = m + 42;
    uint8_t *flow_mod = peer->tx + peer->tx_len, *out = flow_mod + canned->flow_mod_size;

    memcpy(flow_mod, canned->answer, canned->answer_size);
    put32(flow_mod + 4, ++canned->xid);
    memcpy(flow_mod + canned->at_in_port, m + 32, 4);
    memcpy(flow_mod + canned->at_eth_dst, data, 6);
    memcpy(flow_mod + canned->at_eth_src, data + 6, 6);
    put32(out + 4, ++canned->xid);
    memcpy(out + 12, m + 32, 4);
    size += canned->answer_size - canned->flow_mod_size;
    out[2] = (uint8_t)(size >> 8);
    out[3] = (uint8_t)size;
    memcpy(peer->tx + peer->tx_len + canned->answer_size, data, length - 42);
    peer->tx_len += canned->answer_size + length - 42;
}

/* False when the peer is gone. A peer that does not read as fast as it asks is beyond a floor: its
 * socket blocks us. */
static bool
serve(struct canned *canned, struct peer *peer)
{
    ssize_t n = read(peer->fd, peer->rx + peer->rx_len, RX_SIZE - peer->rx_len);
    struct of_header header;
    uint32_t done = 0;
    int length;

    if (n <= 0)
        return false;
    peer->rx_len += (uint32_t)n;
    while ((length = of_frame(peer->rx + done, peer->rx_len - done, &header)) > 0) {
        const uint8_t *m = peer->rx + done;

        if (peer->tx_len + (uint32_t)length + ANSWER_MAX > TX_SIZE)
            break;
        if (header.type == OFPT13_PACKET_IN && canned->version == OF10 && length >= 18 + 14) {
            answer10(canned, peer, m);
        } else if (header.type == OFPT13_PACKET_IN && length >= 42 + 14) {
            answer(canned, peer, m, (uint32_t)length);
        } else if (header.type == OFPT13_ECHO_REQUEST) {
            memcpy(peer->tx + peer->tx_len, m, (size_t)length);
            peer->tx[peer->tx_len + 1] = OFPT13_ECHO_REPLY;
            peer->tx_len += (uint32_t)length;
        }
        done += (uint32_t)length;
    }
    if (length < 0)
        return false;
    memmove(peer->rx, peer->rx + done, peer->rx_len - done);
    peer->rx_len -= done;
    for (uint32_t sent = 0; sent < peer->tx_len;) {
        n = write(peer->fd, peer->tx + sent, peer->tx_len - sent);
        if (n < 0)
            return false;
        sent += (uint32_t)n;
    }
    peer->tx_len = 0;
    return true;
}

static void
welcome(struct canned *canned)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    struct of_buffer b;
    int one = 1;

    if (!peer)
        die("memory");
    peer->fd = accept4(canned->listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer->fd < 0)
        die("accept");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    b = (struct of_buffer){peer->tx, TX_SIZE, 0, false};
    of_put_hello(&b, canned->version, 1, canned->version == OF13 ? 1 << OF13 : 0);
    of_put_header(&b, canned->version, OFPT13_FEATURES_REQUEST, 2);
    if (write(peer->fd, peer->tx, b.len) != (ssize_t)b.len)
        die("hello");
    if (epoll_ctl(canned->epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
        die("epoll");
}

int
main(int argc, char **argv)
{
    static struct canned canned;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    int one = 1;

    if (argc != 3 || (strcmp(argv[1], "1.0") != 0 && strcmp(argv[1], "1.3") != 0) ||
        atoi(argv[2]) <= 0 || atoi(argv[2]) > 65535) {
        fprintf(stderr, "Usage: ofcanned 1.0|1.3 PORT\nAnswers every packet-in with a canned "
                        "flow_mod and, in OpenFlow 1.3, packet_out.\n");
        return 2;
    }
    canned.version = argv[1][2] == '0' ? OF10 : OF13;
    make_answer(&canned);
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    canned.epoll = epoll_create1(EPOLL_CLOEXEC);
    canned.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(canned.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(canned.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(canned.listener, 1024) < 0)
        die(argv[2]);
    if (epoll_ctl(canned.epoll, EPOLL_CTL_ADD, canned.listener, &event) < 0)
        die("epoll");
    for (;;) {
        int n = epoll_wait(canned.epoll, events, 64, -1);

        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;

            if (!peer) {
                welcome(&canned);
            } else if (!serve(&canned, peer)) {
                close(peer->fd);
                free(peer);
            }
        }
    }
}
