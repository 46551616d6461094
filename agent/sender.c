/* SPDX-License-Identifier: Apache-2.0
 *
 * sender.c - the session-sender of one peer: probes at a steady interval, what
 * comes back, and the windows. A tick that comes too late skips the probes it
 * missed: a burst would measure itself.
 */
#include "agent.h"

#include <errno.h>
#include <string.h>

#define REPLIES_A_TURN 64
#define GREETING_MS 250 /* our beacon reaches a newcomer before the first probe does */

void
ag_sample_row(const struct ag_probe *probe, enum sb_sample_state state, int family,
              struct sb_sample *ret)
{
    *ret = (struct sb_sample){
        .t1_ns = probe->t1,
        .t2_ns = probe->t2,
        .t3_ns = probe->t3,
        .t4_ns = probe->t4,
        .rtt_ns = probe->rtt,
        .seq = probe->seq,
        .family = family == AF_INET6 ? 6 : 4,
        .method = probe->method,
        .state = (uint8_t)state,
    };
}

static void
publish(void *arg, const struct ag_probe *probe, enum sb_sample_state state)
{
    const struct ag_peer *peer = arg;
    struct sb_sample row;

    ag_sample_row(probe, state, peer->pe_address.sa.sa_family, &row);
    row.peer_id = peer->pe_id;
    row.udp_src = ag_socket_port(&peer->pe_socket);
    sb_append(peer->pe_agent->ag_samples, &row);
}

static void
drain_stamps(struct ag_peer *peer)
{
    struct ag_tx_stamp stamp;

    while (ag_socket_stamp(&peer->pe_socket, &stamp))
        ag_session_stamp(&peer->pe_session, stamp.key, stamp.ns, stamp.method);
}

static void
take_reply(struct ag_peer *peer, const uint8_t *data, const struct ag_packet *packet)
{
    struct ag_counts *counts = &peer->pe_agent->ag_counts;
    struct ag_stamp_reply reply;
    uint64_t now = sb_mono();

    if (!ag_address_same_host(&packet->from, &peer->pe_address) ||
        ag_address_port(&packet->from) != ag_address_port(&peer->pe_address)) {
        counts->replies_foreign++;
        return;
    }
    if (packet->truncated || ag_stamp_get_reply(data, packet->len, &reply) != AG_STAMP_OK) {
        counts->replies_invalid++;
        return;
    }
    if (ag_session_reply(&peer->pe_session, &reply, packet->stamp_ns, packet->method, now,
                         sb_now()) == AG_REPLY_FOREIGN) {
        counts->replies_foreign++;
        return;
    }
    ag_peer_heard(peer, now);
}

static void
sender_ready(void *arg)
{
    struct ag_peer *peer = arg;
    uint8_t data[AG_PACKET_MAX];
    struct ag_packet packet;

    for (unsigned i = 0; i < REPLIES_A_TURN; i++) {
        drain_stamps(peer);
        if (ag_socket_receive(&peer->pe_socket, data, sizeof(data), &packet) <= 0)
            return;
        take_reply(peer, data, &packet);
    }
}

int
ag_sender_open(struct ag_peer *peer)
{
    const struct ag_options *options = peer->pe_agent->ag_options;
    uint64_t timeout = options->timeout_ms * SB_MS;
    char message[AG_MESSAGE_MAX];

    if (ag_session_open(&peer->pe_session, options->interval_ms * SB_MS, timeout,
                        timeout + (SB_WINDOW_LONG_S + 2) * SB_SECOND, publish, peer) < 0) {
        sb_error("peer %s: out of memory", peer->pe_row);
        return -1;
    }
    if (ag_socket_open(&peer->pe_socket, peer->pe_address.sa.sa_family, 0, message) < 0) {
        sb_error("peer %s: %s", peer->pe_row, message);
        ag_session_close(&peer->pe_session);
        return -1;
    }
    peer->pe_watch =
        (struct ag_watch){.wa_ready = sender_ready, .wa_arg = peer, .wa_fd = peer->pe_socket.so_fd};
    if (ag_loop_watch(&peer->pe_agent->ag_loop, &peer->pe_watch) < 0) {
        sb_error("peer %s: epoll: %s", peer->pe_row, strerror(errno));
        ag_sender_close(peer);
        return -1;
    }
    return 0;
}

void
ag_sender_close(struct ag_peer *peer)
{
    ag_loop_unwatch(&peer->pe_agent->ag_loop, &peer->pe_watch);
    ag_socket_close(&peer->pe_socket);
    ag_session_close(&peer->pe_session);
}

void
ag_sender_start(struct ag_peer *peer, uint64_t now)
{
    /* A random phase for each peer (RFC 3432): a full mesh does not probe in step. */
    peer->pe_next_mono =
        now + GREETING_MS * SB_MS + ag_random(peer->pe_agent->ag_options->interval_ms * SB_MS);
}

static void
send_probe(struct ag_peer *peer)
{
    static struct sb_log_limit limit;
    struct ag_agent *agent = peer->pe_agent;
    struct ag_stamp_probe header;
    uint8_t data[AG_STAMP_PROBE];
    struct ag_probe *probe;
    uint32_t key;
    int error;

    probe = ag_session_send(&peer->pe_session, sb_mono(), sb_now(), &header);
    header.error = agent->ag_clock_error;
    ag_stamp_put_probe(data, &header);
    error = ag_socket_send(&peer->pe_socket, data, sizeof(data), &peer->pe_address, NULL, &key);
    if (error == 0) {
        ag_session_sent(&peer->pe_session, probe, key);
        return;
    }
    /* What never left us says nothing about the network. */
    ag_session_unsent(&peer->pe_session, probe);
    agent->ag_counts.probes_unsent++;
    if (sb_log_allowed(&limit, 1, NULL))
        sb_warning("peer %s: probe not sent: %s, not counted", peer->pe_row, strerror(-error));
}

uint64_t
ag_sender_tick(struct ag_peer *peer, uint64_t now)
{
    uint64_t interval = peer->pe_agent->ag_options->interval_ms * SB_MS, due;

    drain_stamps(peer);
    if (ag_session_deadline(&peer->pe_session) <= now)
        ag_session_expire(&peer->pe_session, now);
    due = ag_session_deadline(&peer->pe_session);
    if (peer->pe_state == AG_PEER_GONE && !peer->pe_configured)
        return due;
    if (now >= peer->pe_next_mono) {
        uint64_t missed = (now - peer->pe_next_mono) / interval;

        /* The first probe of a configured peer starts the clock. */
        if (peer->pe_next_mono == 0) {
            ag_sender_start(peer, now);
            return due < peer->pe_next_mono ? due : peer->pe_next_mono;
        }
        peer->pe_agent->ag_counts.probes_skipped += missed;
        peer->pe_next_mono += (missed + 1) * interval;
        send_probe(peer);
    }
    return due < peer->pe_next_mono ? due : peer->pe_next_mono;
}

static void
close_window(struct ag_peer *peer, uint64_t end_s, uint16_t length_s)
{
    struct ag_agent *agent = peer->pe_agent;
    uint64_t start = (end_s - length_s) * SB_SECOND, end = end_s * SB_SECOND;
    struct sb_latency row;

    if (!ag_window_close(&peer->pe_session, start, end, &agent->ag_room, &row))
        return;
    row.peer_id = peer->pe_id;
    row.window_s = length_s;
    row.family = peer->pe_address.sa.sa_family == AF_INET6 ? 6 : 4;
    row.start_ns = start + (sb_now() - sb_mono());
    memcpy(row.peer, peer->pe_row, sizeof(row.peer));
    sb_put(agent->ag_latency, &row);
}

void
ag_sender_windows(struct ag_agent *agent, uint64_t end_s)
{
    for (unsigned i = 0; i < agent->ag_n_peers; i++) {
        close_window(agent->ag_peers[i], end_s, SB_WINDOW_SHORT_S);
        if (end_s % SB_WINDOW_LONG_S == 0)
            close_window(agent->ag_peers[i], end_s, SB_WINDOW_LONG_S);
    }
}
