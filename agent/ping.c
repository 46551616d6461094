/* SPDX-License-Identifier: Apache-2.0
 *
 * ping.c - trivet-agent ping: probes to one host, a line each, a summary. After
 * the last probe that counts it sends one that does not, whose reply carries the
 * true T3 of the last. Any STAMP or TWAMP-Light reflector will answer; stamps are
 * as good as that reflector's.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The samples of one stamp method. */
struct tally {
    struct ag_histogram rtt;
    int64_t sum;
};

struct ping {
    struct ag_loop loop;
    struct ag_socket socket;
    struct ag_watch watch;
    struct ag_session session;
    struct tally tallies[SB_stamp_method_KERNEL + 1]; /* by enum sb_stamp_method */
    const struct ag_options *options;                 /* borrowed */
    union ag_address target;
    uint64_t next_mono; /* next probe */
    uint64_t invalid;   /* datagrams that are no reply */
    uint32_t duplicated, reordered, lost, received;
    uint32_t last; /* probes that count; more come only to fetch a T3 */
    uint16_t clock_error;
    bool extra; /* the probe that does not count was sent */
};

static void
print_sample(const struct ping *ping, const struct ag_probe *probe, enum sb_sample_state state)
{
    struct sb_sample row;
    char json[1024];

    ag_sample_row(probe, state, ping->target.sa.sa_family, &row);
    row.udp_src = ag_socket_port(&ping->socket);
    if (ping->options->json) {
        if (sb_row_json(SB_T_sample, &row, json, sizeof(json)) > 0)
            puts(json);
    } else if (state == SB_sample_state_LOST) {
        printf("seq %" PRIu32 ": lost\n", probe->seq);
    } else {
        printf("seq %" PRIu32 ": rtt %.3f ms (%s)%s\n", probe->seq, (double)probe->rtt / 1e6,
               sb_stamp_method_text(probe->method),
               state == SB_sample_state_DUPLICATE ? ", duplicate"
               : state == SB_sample_state_LATE    ? ", late, counted lost"
                                                  : "");
    }
    fflush(stdout);
}

static void
publish(void *arg, const struct ag_probe *probe, enum sb_sample_state state)
{
    struct ping *ping = arg;

    if (ping->options->count != 0 ? probe->seq >= ping->options->count
                                  : probe->seq >= ping->last && ping->extra)
        return;
    switch (state) {
    case SB_sample_state_RECEIVED:
        ping->received++;
        ping->reordered += probe->reordered;
        ag_histogram_add(&ping->tallies[probe->method].rtt, (uint64_t)probe->rtt);
        ping->tallies[probe->method].sum += probe->rtt;
        break;
    case SB_sample_state_LOST:
        ping->lost++;
        break;
    case SB_sample_state_DUPLICATE:
        ping->duplicated++;
        break;
    case SB_sample_state_LATE:
        break;
    }
    print_sample(ping, probe, state);
}

static void
ping_ready(void *arg)
{
    struct ping *ping = arg;
    uint8_t data[AG_PACKET_MAX];
    struct ag_tx_stamp stamp;
    struct ag_packet packet;
    struct ag_stamp_reply reply;

    for (unsigned i = 0; i < 64; i++) {
        while (ag_socket_stamp(&ping->socket, &stamp))
            ag_session_stamp(&ping->session, stamp.key, stamp.ns, stamp.method);
        if (ag_socket_receive(&ping->socket, data, sizeof(data), &packet) <= 0)
            return;
        if (packet.truncated || !ag_address_same_host(&packet.from, &ping->target) ||
            ag_stamp_get_reply(data, packet.len, &reply) == AG_STAMP_SHORT) {
            ping->invalid++;
            continue;
        }
        ag_session_reply(&ping->session, &reply, packet.stamp_ns, packet.method, sb_mono(),
                         sb_now());
    }
}

static void
send_probe(struct ping *ping, uint64_t now)
{
    uint64_t interval = ping->options->interval_ms * SB_MS;
    struct ag_stamp_probe header;
    uint8_t data[AG_STAMP_PROBE];
    struct ag_probe *probe = ag_session_send(&ping->session, sb_mono(), sb_now(), &header);
    uint32_t key;
    int error;

    header.error = ping->clock_error;
    ag_stamp_put_probe(data, &header);
    error = ag_socket_send(&ping->socket, data, sizeof(data), &ping->target, NULL, &key);
    if (error == 0) {
        ag_session_sent(&ping->session, probe, key);
    } else {
        sb_warning("seq %" PRIu32 ": not sent: %s", probe->seq, strerror(-error));
        ag_session_unsent(&ping->session, probe);
    }
    ping->next_mono += ((now - ping->next_mono) / interval + 1) * interval;
}

/* Have all probes that count met their fate? Those that wait for a T3 only need the extra one. */
static bool
settled(const struct ping *ping, bool *ret_answered)
{
    *ret_answered = true;
    for (uint32_t seq = ping->session.se_open; seq != ping->last; seq++) {
        const struct ag_probe *probe = ag_session_probe(&ping->session, seq);

        if (probe && probe->state == AG_PROBE_OUTSTANDING)
            *ret_answered = false;
    }
    return (int32_t)(ping->session.se_open - ping->last) >= 0;
}

static uint64_t
tick(void *arg, uint64_t now)
{
    struct ping *ping = arg;
    uint32_t count = ping->options->count;
    bool answered;
    uint64_t due;

    ag_session_expire(&ping->session, now);
    if (count == 0 || ping->session.se_next < count) {
        if (now >= ping->next_mono)
            send_probe(ping, now);
        ping->last = ping->session.se_next;
    } else if (settled(ping, &answered)) {
        ping->loop.lo_stop = true;
    } else if (answered && !ping->extra && now >= ping->next_mono) {
        ping->extra = true;
        send_probe(ping, now);
    }
    due = ag_session_deadline(&ping->session);
    return ping->extra || due < ping->next_mono ? due : ping->next_mono;
}

static int
summary(const struct ping *ping)
{
    const struct ag_session_counts *counts = &ping->session.se_counts;
    uint32_t sent = ping->received + ping->lost;
    const struct tally *best = &ping->tallies[SB_stamp_method_NONE];
    const struct ag_histogram *rtt;
    int64_t mean = 0;

    /* The most frequent method, of equally frequent ones the better. */
    for (unsigned i = 0; i <= SB_stamp_method_KERNEL; i++)
        if (ping->tallies[i].rtt.hi_count >= best->rtt.hi_count &&
            ping->tallies[i].rtt.hi_count > 0)
            best = &ping->tallies[i];
    rtt = &best->rtt;
    if (rtt->hi_count > 0)
        mean = best->sum / (int64_t)rtt->hi_count;
    if (ping->options->json) {
        printf("{\"sent\":%" PRIu32 ",\"received\":%" PRIu32 ",\"lost\":%" PRIu32
               ",\"duplicated\":%" PRIu32 ",\"reordered\":%" PRIu32 ",\"rtt_min_ns\":%" PRIu64
               ",\"rtt_mean_ns\":%" PRId64 ",\"rtt_p50_ns\":%" PRIu64 ",\"rtt_p99_ns\":%" PRIu64
               ",\"rtt_max_ns\":%" PRIu64 ",\"method\":\"%s\"}\n",
               sent, ping->received, ping->lost, ping->duplicated, ping->reordered,
               rtt->hi_count ? rtt->hi_min : 0, mean, ag_histogram_quantile(rtt, 0.5),
               ag_histogram_quantile(rtt, 0.99), rtt->hi_max,
               sb_stamp_method_text((uint32_t)(best - ping->tallies)));
        return ping->received > 0 ? 0 : 1;
    }
    printf("%" PRIu32 " sent, %" PRIu32 " received, %" PRIu32 " lost, %" PRIu32
           " duplicated, %" PRIu32 " reordered\n",
           sent, ping->received, ping->lost, ping->duplicated, ping->reordered);
    if (rtt->hi_count > 0)
        printf("rtt min/mean/p50/p99/max %.3f/%.3f/%.3f/%.3f/%.3f ms, %s stamps (%" PRIu64
               " of %" PRIu32 ")\n",
               (double)rtt->hi_min / 1e6, (double)mean / 1e6,
               (double)ag_histogram_quantile(rtt, 0.5) / 1e6,
               (double)ag_histogram_quantile(rtt, 0.99) / 1e6, (double)rtt->hi_max / 1e6,
               sb_stamp_method_text((uint32_t)(best - ping->tallies)), rtt->hi_count,
               ping->received);
    if (ping->invalid + counts->foreign > 0)
        printf("%" PRIu64 " datagrams ignored: not a reply to a probe of ours\n",
               ping->invalid + counts->foreign);
    if (sent > 0 && ping->received == 0)
        printf("no reply: is %s reachable, and does an agent there know this host, or "
               "trivet-agent reflect run?\n",
               ping->options->host);
    return ping->received > 0 ? 0 : 1;
}

static int
open_ping(struct ping *ping)
{
    const struct ag_options *options = ping->options;
    uint64_t timeout = options->timeout_ms * SB_MS;
    char message[AG_MESSAGE_MAX];

    if (ag_address_parse(&ping->target, options->host, options->port, true, message) < 0 ||
        ag_socket_open(&ping->socket, ping->target.sa.sa_family, 0, message) < 0) {
        sb_error("ping %s", message);
        return -1;
    }
    /* Duplicates and late replies are recognised for 3 s after the time-out. */
    if (ag_session_open(&ping->session, options->interval_ms * SB_MS, timeout,
                        timeout + 3 * SB_SECOND, publish, ping) < 0 ||
        ag_loop_open(&ping->loop) < 0) {
        sb_error("ping %s: %s", options->host, strerror(errno));
        return -1;
    }
    ping->watch =
        (struct ag_watch){.wa_ready = ping_ready, .wa_arg = ping, .wa_fd = ping->socket.so_fd};
    return ag_loop_watch(&ping->loop, &ping->watch);
}

int
ag_ping_run(const struct ag_options *options)
{
    struct ping *ping = calloc(1, sizeof(*ping));
    char text[AG_ADDRESS_TEXT];
    int status = 1;

    if (!ping) {
        sb_error("out of memory");
        return 1;
    }
    ping->options = options;
    ping->socket.so_fd = -1;
    ping->loop.lo_epoll = ping->loop.lo_timer_watch.wa_fd = ping->loop.lo_signal_watch.wa_fd = -1;
    for (unsigned i = 0; i <= SB_stamp_method_KERNEL; i++)
        ag_histogram_clear(&ping->tallies[i].rtt);
    if (open_ping(ping) < 0)
        goto out;
    if (!options->json)
        printf("STAMP probes of %d bytes to %s each %u ms\n", AG_STAMP_PROBE,
               ag_address_text(&ping->target, text), options->interval_ms);
    ping->clock_error = ag_clock_error();
    ping->next_mono = sb_mono();
    if (ag_loop_run(&ping->loop, tick, ping) < 0)
        sb_error("event loop: %s", strerror(errno));
    /* Interrupted: what is answered counts, what is on its way is neither sent nor lost. */
    ping->extra = true;
    ag_session_reset(&ping->session);
    status = summary(ping);
out:
    ag_socket_close(&ping->socket);
    ag_session_close(&ping->session);
    ag_loop_close(&ping->loop);
    free(ping);
    return status;
}
