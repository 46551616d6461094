/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - links by LLDP (IEEE 802.1AB): frames out of every port, frames that come back in.
 *
 *   +--------------------+-------------------+--------+---------------------------------+-----+
 *   | chassis id (local) | port id (local)   | TTL    | organisation 02:74:76, type 1:  | end |
 *   | "dpid:0000...0001" | "3"               | 120 s  | dpid 8, port 4, nonce 4,        |     |
 *   |                    |                   |        | count 4, HMAC 16                |     |
 *   +--------------------+-------------------+--------+---------------------------------+-----+
 *
 * The HMAC (SHA-256, left 16 bytes, over the 20 bytes before it) makes links that a host invents
 * void; the key lies in the runtime directory and survives a restart. The nonce must be one of the
 * last two sent, so that an old frame played again makes no link. LLDP of others is none of our
 * business.
 *
 * A time-out is counted in frames, not in time: a link is lost when four frames were sent after the
 * last one heard. So it scales with the real cycle, and nobody is late because we were slow.
 */
#include "topology.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#include <trivet/clock.h>

#define LOST_FRAMES 4
#define UNKNOWN_INTERVAL_NS (125 * SB_MS) /* between frames while a port's type is open */
#define FRAMES_A_RUN 16                   /* to one switch; the rest in the next run */
#define RUN_NS (5 * SB_MS)                /* between two runs */
/* A port that was a link stays unknown this many times longer: its far end is more likely to come
 * back late (a busy machine) than to have become a host, and as an edge port it would be sent the
 * copies that flood.c keeps for new edge ports. */
#define AGAIN_SETTLE 4
#define LINK_WRITE_NS (5 * SB_SECOND) /* a link's "last seen" is published this often */
#define HMAC_SIZE 16
#define SIGNED_SIZE 20

static const uint8_t lldp_dst[6] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e};
static const uint8_t organisation[4] = {0x02, 0x74, 0x76, 0x01}; /* OUI and our subtype */

/* ---- key -------------------------------------------------------------------------- */

int
ctl_discovery_key(struct ctl_topology *topology, const char *runtime_dir)
{
    char path[4096];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/controller.key", runtime_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        n = read(fd, topology->key, sizeof(topology->key));
        close(fd);
        if (n == (ssize_t)sizeof(topology->key))
            return 0;
    }
    if (RAND_bytes(topology->key, sizeof(topology->key)) != 1)
        return -1;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, topology->key, sizeof(topology->key)) != sizeof(topology->key)) {
        /* it still works, but the links of a restarted controller are found anew */
        sb_warning("%s: %s; the discovery key is not kept over a restart", path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

static void
sign(const struct ctl_topology *topology, const uint8_t *data, uint8_t ret[HMAC_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = sizeof(digest);

    HMAC(EVP_sha256(), topology->key, sizeof(topology->key), data, SIGNED_SIZE, digest, &size);
    memcpy(ret, digest, HMAC_SIZE);
}

/* ---- frames out --------------------------------------------------------------------- */

static uint8_t *
put_tlv(uint8_t *p, unsigned type, const void *value, size_t size)
{
    p[0] = (uint8_t)(type << 1 | size >> 8);
    p[1] = (uint8_t)size;
    memcpy(p + 2, value, size);
    return p + 2 + size;
}

static void
put32(uint8_t *p, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = (uint8_t)value;
}

static size_t
make_frame(const struct ctl_topology *topology, const struct ctl_port *port, uint8_t *ret)
{
    static const uint8_t ttl[2] = {0, 120};
    uint8_t ours[sizeof(organisation) + SIGNED_SIZE + HMAC_SIZE], *p = ret;
    char text[32];
    int n;

    memcpy(p, lldp_dst, 6);
    memcpy(p + 6, port->row.mac, 6);
    if (!ctl_mac_learnable(ctl_mac_number(p + 6)))
        p[6] = 0x02; /* zeros are no source: make it a locally administered one */
    p[12] = CTL_ETH_LLDP >> 8;
    p[13] = CTL_ETH_LLDP & 0xff;
    p += 14;
    n = snprintf(text, sizeof(text),
                 "\x07"
                 "dpid:%016lx",
                 port->row.dpid);
    p = put_tlv(p, 1, text, (size_t)n);
    n = snprintf(text, sizeof(text), "\x07%u", port->row.port);
    p = put_tlv(p, 2, text, (size_t)n);
    p = put_tlv(p, 3, ttl, sizeof(ttl));
    memcpy(ours, organisation, sizeof(organisation));
    put32(ours + 4, (uint32_t)(port->row.dpid >> 32));
    put32(ours + 8, (uint32_t)port->row.dpid);
    put32(ours + 12, port->row.port);
    put32(ours + 16, port->nonce);
    put32(ours + 20, port->lldp_count);
    sign(topology, ours + 4, ours + 4 + SIGNED_SIZE);
    p = put_tlv(p, 127, ours, sizeof(ours));
    p[0] = p[1] = 0;
    return (size_t)(p + 2 - ret);
}

void
ctl_packet_out(struct ctl_topology *topology, const struct ctl_switch *sw, const uint32_t *ports,
               uint32_t n_ports, const void *frame, size_t size)
{
    size_t head = sizeof(struct ctl_mail_packet) + n_ports * sizeof(uint32_t);
    struct ctl_mail *mail = ctl_mail_new(CTL_W_PACKET_OUT, sw->row.dpid, head + size);
    struct ctl_mail_packet *out = (void *)mail->data;

    out->in_port = OFPP_CONTROLLER;
    out->n_ports = n_ports;
    memcpy(out->ports, ports, n_ports * sizeof(uint32_t));
    memcpy(mail->data + head, frame, size);
    ctl_post_or_drop(&topology->app->workers[sw->row.worker].mailbox, mail);
}

void
ctl_discovery_send(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port)
{
    uint64_t mono = sb_mono();
    uint8_t frame[160];
    size_t size;

    port->previous_nonce = port->nonce;
    if (RAND_bytes((uint8_t *)&port->nonce, sizeof(port->nonce)) != 1)
        return;
    port->lldp_count++;
    size = make_frame(topology, port, frame);
    port->lldp_sent_mono_ns = mono;
    if (port->first_lldp_ns == 0)
        port->first_lldp_ns = mono;
    port->next_lldp_ns = mono + (port->row.type == SB_port_type_UNKNOWN ? UNKNOWN_INTERVAL_NS
                                                                        : topology->interval_ns);
    ctl_packet_out(topology, sw, &port->row.port, 1, frame, size);
}

/* ---- frames in ------------------------------------------------------------------------ */

/* Finds our TLV in a frame: its value behind OUI and subtype, or NULL when it is not ours. */
static const uint8_t *
find_ours(const uint8_t *frame, size_t size)
{
    struct of_cursor c = {.p = frame, .left = (uint32_t)size};
    uint16_t head;
    const uint8_t *value;

    if (!of_skip(&c, 14))
        return NULL;
    while (of_u16(&c, &head)) {
        uint32_t length = head & 0x1ff;

        if (head >> 9 == 0 || !of_take(&c, length, &value))
            return NULL;
        if (head >> 9 == 127 && length == sizeof(organisation) + SIGNED_SIZE + HMAC_SIZE &&
            memcmp(value, organisation, sizeof(organisation)) == 0)
            return value + sizeof(organisation);
    }
    return NULL;
}

static void
forged(struct ctl_topology *topology, const struct ctl_switch *sw, uint32_t port, const char *why)
{
    static struct sb_log_limit limit;

    topology->forged++;
    if (sb_log_allowed(&limit, 5, NULL))
        ctl_event(topology->app, SB_event_kind_ATTACK, SB_severity_WARNING, sw->row.dpid, port,
                  "discovery frame that is not ours on port %u: %s", port, why);
}

void
ctl_discovery_frame(struct ctl_topology *topology, const struct ctl_mail *mail)
{
    const struct ctl_mail_packet *packet = (const void *)mail->data;
    const uint8_t *ours = find_ours(mail->data + sizeof(*packet), mail->size - sizeof(*packet));
    struct ctl_switch *sw = ctl_graph_switch(topology, mail->dpid), *from;
    struct ctl_port *port = sw == NULL ? NULL : ctl_graph_port(sw, packet->in_port), *end;
    uint8_t expected[HMAC_SIZE];
    uint64_t delay;
    uint32_t nonce;
    bool changed;

    if (ours == NULL || port == NULL || sw->row.state != SB_switch_state_READY)
        return;
    sign(topology, ours, expected);
    if (CRYPTO_memcmp(expected, ours + SIGNED_SIZE, HMAC_SIZE) != 0) {
        forged(topology, sw, packet->in_port, "bad HMAC");
        return;
    }
    from = ctl_graph_switch(topology, of_get64(ours));
    end = from == NULL ? NULL : ctl_graph_port(from, of_get32(ours + 8));
    nonce = of_get32(ours + 12);
    if (end == NULL || (nonce != end->nonce && nonce != end->previous_nonce))
        return; /* from before a restart, or played again */
    changed = port->heard_dpid != from->row.dpid || port->heard_port != end->row.port;
    ctl_graph_heard(topology, sw, port, from->row.dpid, end->row.port);
    port->heard_count = of_get32(ours + 16);
    port->heard_mono_ns = packet->t_ns;
    port->heard_ns = sb_now();
    delay = packet->t_ns > end->lldp_sent_mono_ns ? packet->t_ns - end->lldp_sent_mono_ns : 0;
    if (nonce == end->nonce)
        port->latency_ns = port->latency_ns == 0 ? delay : (port->latency_ns * 7 + delay) / 8;
    /* Either direction shows that these are no edge ports; the other direction is asked for at
     * once. */
    ctl_graph_type(topology, sw, port, SB_port_type_LINK);
    ctl_graph_type(topology, from, end, SB_port_type_LINK);
    if (end->heard_dpid != sw->row.dpid || end->heard_port != port->row.port)
        if (packet->t_ns - port->lldp_sent_mono_ns > UNKNOWN_INTERVAL_NS / 2)
            ctl_discovery_send(topology, sw, port);
    if (changed || packet->t_ns > port->link_written_ns + LINK_WRITE_NS)
        ctl_graph_write_link(topology, sw, port);
}

/* ---- timers ----------------------------------------------------------------------------- */

/* Has what this port heard become void? */
static bool
lost(const struct ctl_topology *topology, const struct ctl_port *port)
{
    const struct ctl_switch *from = ctl_graph_switch(topology, port->heard_dpid);
    const struct ctl_port *end;

    if (from == NULL)
        return true;
    if (from->row.state != SB_switch_state_READY)
        return false; /* it cannot send for us now; its link goes on forwarding */
    end = ctl_graph_port(from, port->heard_port);
    return end == NULL || !end->row.up || end->lldp_count >= port->heard_count + LOST_FRAMES;
}

/* Does some port hear this one? Then it is no edge port either. */
static bool
is_heard(const struct ctl_topology *topology, const struct ctl_switch *sw,
         const struct ctl_port *port)
{
    for (uint32_t i = 0; i < topology->n_switches; i++)
        for (uint32_t j = 0; j < topology->switches[i]->n_ports; j++) {
            const struct ctl_port *other = &topology->switches[i]->ports[j];

            if (other->heard_dpid == sw->row.dpid && other->heard_port == port->row.port)
                return true;
        }
    return false;
}

static uint64_t
run_port(struct ctl_topology *topology, struct ctl_switch *sw, struct ctl_port *port, uint64_t mono,
         unsigned *budget)
{
    uint64_t next;

    if (port->heard_dpid != 0 && lost(topology, port)) {
        sb_info("switch %016lx: port %u lost its neighbour %016lx port %u", sw->row.dpid,
                port->row.port, port->heard_dpid, port->heard_port);
        ctl_graph_heard(topology, sw, port, 0, 0);
    }
    if (port->row.type == SB_port_type_LINK && port->heard_dpid == 0 &&
        !is_heard(topology, sw, port)) {
        port->first_lldp_ns = 0;
        port->next_lldp_ns = 0;
        ctl_graph_type(topology, sw, port, SB_port_type_UNKNOWN);
    }
    if (port->next_lldp_ns <= mono) {
        if (*budget == 0)
            return mono;
        (*budget)--;
        ctl_discovery_send(topology, sw, port);
    }
    next = port->next_lldp_ns;
    if (port->row.type == SB_port_type_UNKNOWN) {
        uint64_t settled =
            port->first_lldp_ns + topology->settle_ns * (port->was_link ? AGAIN_SETTLE : 1);

        if (mono >= settled)
            ctl_graph_type(topology, sw, port, SB_port_type_EDGE);
        else if (settled < next)
            next = settled;
    }
    return next;
}

uint64_t
ctl_discovery_run(struct ctl_topology *topology, uint64_t mono)
{
    uint64_t next = mono + SB_SECOND;

    for (uint32_t i = 0; i < topology->n_switches; i++) {
        struct ctl_switch *sw = topology->switches[i];

        unsigned budget = FRAMES_A_RUN; /* a switch with thousands of ports delays only its own */

        if (sw->row.state != SB_switch_state_READY)
            continue;
        for (uint32_t j = 0; j < sw->n_ports; j++) {
            struct ctl_port *port = &sw->ports[j];
            uint64_t due;

            if (port->row.type == SB_port_type_LOCAL || !port->row.up)
                continue;
            due = run_port(topology, sw, port, mono, &budget);
            if (due < next)
                next = due;
        }
    }
    return next < mono + RUN_NS ? mono + RUN_NS : next;
}
