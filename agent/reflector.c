/* SPDX-License-Identifier: Apache-2.0
 *
 * reflector.c - see reflector.h. The reply is written over the probe, in place
 * (stamp.c), so it has the probe's size. Its T3 is read just before it is sent;
 * the kernel's stamp of it is kept for TLV 7 of the session's next reply.
 */
#include "reflector.h"
#include "stamp.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <trivet/clock.h>

#define PACKETS_A_TURN 64
#define WAYS 8 /* slots a session may lie in */

/* A peer's probes come each 0.5 s, a ping with as little as 1 ms between them. */
#define HOST_PER_SECOND 5000U
#define ALL_PER_SECOND 50000U

static uint64_t
mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t
hash_host(const struct ag_reflector *reflector, const union ag_address *from)
{
    uint64_t words[2] = {0, 0};

    if (from->sa.sa_family == AF_INET)
        words[0] = from->in.sin_addr.s_addr;
    else
        memcpy(words, &from->in6.sin6_addr, sizeof(words));
    return mix(mix(reflector->re_secret, words[0]), words[1]);
}

/* The session of a sender, a new one if it has none. */
static struct ag_reflection *
session_of(struct ag_reflector *reflector, const union ag_address *from, uint16_t ssid,
           uint64_t now)
{
    uint64_t hash = mix(hash_host(reflector, from), (uint64_t)ag_address_port(from) << 16 | ssid);
    struct ag_reflection *oldest = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        struct ag_reflection *one = &reflector->re_sessions[(hash + i) % AG_REFLECTOR_SESSIONS];

        if (one->rf_used != 0 && one->rf_ssid == ssid &&
            ag_address_port(&one->rf_from) == ag_address_port(from) &&
            ag_address_same_host(&one->rf_from, from)) {
            one->rf_used = now;
            return one;
        }
        if (!oldest || one->rf_used < oldest->rf_used)
            oldest = one;
    }
    *oldest = (struct ag_reflection){.rf_from = *from, .rf_used = now, .rf_ssid = ssid};
    return oldest;
}

static void
drain_stamps(struct ag_reflector_port *port)
{
    struct ag_tx_stamp stamp;

    while (ag_socket_stamp(&port->rp_socket, &stamp)) {
        unsigned slot = stamp.key % AG_REFLECTOR_KEYS;
        uint32_t index = port->rp_keys[slot].session;
        struct ag_reflection *session = &port->rp_reflector->re_sessions[index];

        /* A stamp of a reply that was not the session's last is of no use any more. */
        if (port->rp_keys[slot].key != stamp.key || session->rf_next == 0 ||
            session->rf_next - 1 != port->rp_keys[slot].seq || !session->rf_t2_kernel ||
            session->rf_mode == AG_MODE_SOFTWARE)
            continue;
        session->rf_t3 = stamp.ns;
        session->rf_mode =
            stamp.method == SB_stamp_method_KERNEL ? AG_MODE_SOFTWARE : AG_MODE_CONTROL;
    }
}

static void
reflect(struct ag_reflector_port *port, uint8_t *data, const struct ag_packet *packet)
{
    struct ag_reflector *reflector = port->rp_reflector;
    uint64_t now = sb_mono();
    struct ag_bucket *host =
        &reflector->re_hosts[hash_host(reflector, &packet->from) % AG_REFLECTOR_BUCKETS];
    struct ag_stamp_reflection reply;
    struct ag_stamp_probe probe;
    struct ag_reflection *session;
    uint32_t key;

    if (packet->truncated || ag_stamp_get_probe(data, packet->len, &probe) != AG_STAMP_OK) {
        reflector->re_counts.invalid++;
        return;
    }
    if (!reflector->re_allow(reflector->re_arg, &packet->from)) {
        reflector->re_counts.strangers++;
        return;
    }
    if (!ag_bucket_spend(host, now, HOST_PER_SECOND) ||
        !ag_bucket_spend(&reflector->re_all, now, ALL_PER_SECOND)) {
        reflector->re_counts.capped++;
        return;
    }
    session = session_of(reflector, &packet->from, probe.ssid, now);
    reply = (struct ag_stamp_reflection){
        .t2 = ag_stamp_from_ns(packet->stamp_ns),
        .seq = session->rf_next,
        .error = reflector->re_error,
        .ttl = packet->ttl,
    };
    if (session->rf_t3 != 0) {
        reply.follow_seq = session->rf_next - 1;
        reply.follow_t3 = ag_stamp_from_ns(session->rf_t3);
        reply.follow_mode = session->rf_mode;
    }
    reply.t3 = ag_stamp_from_ns(sb_now());
    ag_stamp_reflect(data, packet->len, &reply);
    if (ag_socket_send(&port->rp_socket, data, packet->len, &packet->from,
                       packet->to.sa.sa_family == AF_UNSPEC ? NULL : &packet->to, &key) < 0) {
        reflector->re_counts.unsent++;
        return;
    }
    reflector->re_counts.reflected++;
    session->rf_next++;
    session->rf_t3 = 0;
    session->rf_mode = AG_MODE_NONE;
    session->rf_t2_kernel = packet->method == SB_stamp_method_KERNEL;
    port->rp_keys[key % AG_REFLECTOR_KEYS].key = key;
    port->rp_keys[key % AG_REFLECTOR_KEYS].seq = reply.seq;
    port->rp_keys[key % AG_REFLECTOR_KEYS].session = (uint32_t)(session - reflector->re_sessions);
}

static void
port_ready(void *arg)
{
    struct ag_reflector_port *port = arg;
    uint8_t data[AG_PACKET_MAX];
    struct ag_packet packet;

    for (unsigned i = 0; i < PACKETS_A_TURN; i++) {
        drain_stamps(port);
        if (ag_socket_receive(&port->rp_socket, data, sizeof(data), &packet) <= 0)
            return;
        reflect(port, data, &packet);
    }
}

int
ag_reflector_open(struct ag_reflector *reflector, struct ag_loop *loop, uint16_t port,
                  ag_reflector_allow_fn *allow, void *arg, char *message)
{
    static const int families[] = {AF_INET, AF_INET6};
    int error;

    memset(reflector, 0, sizeof(*reflector));
    reflector->re_allow = allow;
    reflector->re_arg = arg;
    reflector->re_error = ag_clock_error();
    reflector->re_ports[0].rp_socket.so_fd = reflector->re_ports[1].rp_socket.so_fd = -1;
    if (getrandom(&reflector->re_secret, sizeof(reflector->re_secret), 0) < 0)
        reflector->re_secret = sb_now();
    for (unsigned i = 0; i < 2; i++) {
        struct ag_reflector_port *one = &reflector->re_ports[i];

        one->rp_reflector = reflector;
        error = ag_socket_open(&one->rp_socket, families[i], port, message);
        if (error == -EAFNOSUPPORT && families[i] == AF_INET6)
            break;
        if (error)
            goto fail;
        one->rp_watch =
            (struct ag_watch){.wa_ready = port_ready, .wa_arg = one, .wa_fd = one->rp_socket.so_fd};
        if (ag_loop_watch(loop, &one->rp_watch) < 0) {
            error = -errno;
            goto fail;
        }
    }
    return 0;
fail:
    ag_reflector_close(reflector);
    return error;
}

void
ag_reflector_close(struct ag_reflector *reflector)
{
    ag_socket_close(&reflector->re_ports[0].rp_socket);
    ag_socket_close(&reflector->re_ports[1].rp_socket);
}
