/* SPDX-License-Identifier: Apache-2.0
 *
 * ofbench.h - the load generator's two parts: ofbench.c (options, event loop, measuring, report)
 * and ofbench_switch.c (a fake switch: frames, windows, answers to the controller).
 */
#ifndef TESTS_OFBENCH_H
#define TESTS_OFBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <trivet/openflow.h>

#define RING 8192u /* running numbers remembered per switch; a power of two above any window */
#define WINDOW_MAX (RING / 2)
#define DPID_BASE UINT64_C(0xbe00)
#define SECOND UINT64_C(1000000000)
#define LOST_NS SECOND /* an answer later than this does not come */

/* Our frame: Ethernet 14, IPv4 20, UDP 8, then magic, switch, running number */
#define FRAME_SIZE 60u
#define IN_MAX (42 + FRAME_SIZE) /* a packet-in with it: in 1.3 42 bytes before it, in 1.0 18 */

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
    uint8_t in[IN_MAX];      /* the packet-in to be patched */
    uint32_t expected[RING]; /* port that the answer must name, 0: any */
};

struct bench {
    /* options */
    const char *host, *save;
    uint16_t port;
    uint8_t version; /* OF10: packets are buffered and released by buffer id; OF13: they are not */
    uint32_t n_switches, n_macs, n_ports, n_pairs, window;
    double seconds;
    pid_t server;
    bool latency, hold;
    bool again; /* the interval begins when each pair has been asked for */

    int epoll;
    uint32_t in_size, at_frame;   /* of a packet-in of this version */
    struct fake_switch *switches; /* owned */
    uint64_t now_ns;
    uint32_t n_settled, n_warm;
    bool measuring;

    /* counters of the measured interval */
    uint64_t sent, answers, flow_mods, flooded, wrong, duplicates, lost, errors;
    uint64_t warm_lost;
    double first_ns;   /* CPU time per packet-in of pairs asked for the first time */
    uint32_t *samples; /* owned: latencies in ns */
    size_t n_samples, samples_size;
};

/* ofbench.c */
uint64_t bench_clock_ns(void);
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/* ofbench_switch.c */
void bench_connect(struct bench *bench, struct fake_switch *sw, uint32_t index);
/* Reads once and answers what came. */
void bench_receive(struct bench *bench, struct fake_switch *sw);
/* Fills the window, as the phase says. */
void bench_fill(struct bench *bench, struct fake_switch *sw);
void bench_flush(struct bench *bench, struct fake_switch *sw);
/* What is not answered by now is lost; the window opens again. */
void bench_expire(struct bench *bench, struct fake_switch *sw);
/* Pair k: sources in turn, the distance to the destination grows each round; distances that lead to
 * the port of the source are left out. */
void bench_pair(const struct bench *bench, uint32_t k, uint32_t *src, uint32_t *dst);
uint32_t bench_port(const struct bench *bench, uint32_t mac);
void bench_mac(uint8_t mac[6], uint32_t sw, uint32_t index);

#endif
