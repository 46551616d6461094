/* SPDX-License-Identifier: Apache-2.0
 *
 * port.c - ports: their descriptions (in PORT_STATUS, PORT_DESC, and the features reply of 1.0),
 * PORT_MOD, and their counters. Neighbours: session.c, multipart.c. Any thread.
 * OpenFlow 1.3.5 sections 7.2.1, 7.3.4.3, 7.3.5.6, 7.4.3; 1.0.0
 * sections 5.2.1, 5.3.3, 5.3.5, 5.4.3.
 *
 *   0       4       8      14      16              32     36      40 ...            56    60
 *  +-------+-------+-------+-------+---------------+------+-------+------------------+-----+-----+
 *  | port  |   0   |  mac  |   0   |     name      |config| state | 4 x features     |speed| max |
 *  +-------+-------+-------+-------+---------------+------+-------+------------------+-----+-----+
 *  1.0: u16 port, mac, name, config, state, 4 x features; 48 bytes
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define PORT13_SIZE 64
#define PORT10_SIZE 48
#define NAME_SIZE 16

static uint32_t
port_size(uint8_t version)
{
    return version == OF10 ? PORT10_SIZE : PORT13_SIZE;
}

/* Features up to 10GB_FD have the same bits; the five that describe the medium are 4 bits higher in
 * 1.3, which put new speeds between. */
#define SPEEDS10 0x7fu
#define MEDIA10 0xf80u

static uint32_t
features_from10(uint32_t features)
{
    return (features & SPEEDS10) | (features & MEDIA10) << 4;
}

static uint32_t
features_to10(uint32_t features)
{
    return (features & SPEEDS10) | (features >> 4 & MEDIA10);
}

/* ---- descriptions ------------------------------------------------------------------------- */

static void
decode_port13(const uint8_t *p, struct of_port *ret)
{
    ret->port = of_get32(p);
    memcpy(ret->mac, p + 8, 6);
    of_text(ret->name, p + 16, NAME_SIZE);
    ret->config = of_get32(p + 32);
    ret->state = of_get32(p + 36);
    ret->current = of_get32(p + 40);
    ret->advertised = of_get32(p + 44);
    ret->supported = of_get32(p + 48);
    ret->peer_features = of_get32(p + 52);
    ret->speed_kbps = of_get32(p + 56);
    ret->max_speed_kbps = of_get32(p + 60);
}

static void
decode_port10(const uint8_t *p, struct of_port *ret)
{
    ret->port = of_port_from10(of_get16(p));
    memcpy(ret->mac, p + 2, 6);
    of_text(ret->name, p + 8, NAME_SIZE);
    ret->config = of_get32(p + 24);
    ret->state = of_get32(p + 28);
    ret->current = features_from10(of_get32(p + 32));
    ret->advertised = features_from10(of_get32(p + 36));
    ret->supported = features_from10(of_get32(p + 40));
    ret->peer_features = features_from10(of_get32(p + 44));
    ret->speed_kbps = ret->max_speed_kbps = 0;
}

int
of_next_port_v(uint8_t version, struct of_cursor *body, struct of_port *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, port_size(version), &p))
        return OF_ESHORT;
    if (version == OF10)
        decode_port10(p, ret);
    else
        decode_port13(p, ret);
    return 1;
}

int
of_next_port(struct of_cursor *body, struct of_port *ret)
{
    return of_next_port_v(OF13, body, ret);
}

static void
put_port13(uint8_t *p, const struct of_port *port)
{
    memset(p, 0, 32);
    of_store32(p, port->port);
    memcpy(p + 8, port->mac, 6);
    memcpy(p + 16, port->name, strnlen(port->name, NAME_SIZE));
    of_store32(p + 32, port->config);
    of_store32(p + 36, port->state);
    of_store32(p + 40, port->current);
    of_store32(p + 44, port->advertised);
    of_store32(p + 48, port->supported);
    of_store32(p + 52, port->peer_features);
    of_store32(p + 56, port->speed_kbps);
    of_store32(p + 60, port->max_speed_kbps);
}

static void
put_port10(uint8_t *p, const struct of_port *port)
{
    memset(p, 0, 24);
    of_store16(p, (uint16_t)port->port);
    memcpy(p + 2, port->mac, 6);
    memcpy(p + 8, port->name, strnlen(port->name, NAME_SIZE));
    of_store32(p + 24, port->config);
    of_store32(p + 28, port->state);
    of_store32(p + 32, features_to10(port->current));
    of_store32(p + 36, features_to10(port->advertised));
    of_store32(p + 40, features_to10(port->supported));
    of_store32(p + 44, features_to10(port->peer_features));
}

/* Is there such a port in that version? */
static bool
sayable(uint8_t version, uint32_t port)
{
    uint16_t port10;

    return version == OF13 || (version == OF10 && of_port_to10(port, &port10));
}

static void
put_port(uint8_t *p, uint8_t version, const struct of_port *port)
{
    if (version == OF10)
        put_port10(p, port);
    else
        put_port13(p, port);
}

void
of_add_port(struct of_buffer *b, uint8_t version, const struct of_port *port)
{
    uint8_t *p;

    if (!sayable(version, port->port)) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, port_size(version));
    if (p)
        put_port(p, version, port);
}

void
of_put_port_desc_reply(struct of_buffer *b, uint32_t xid, const struct of_port *ports, unsigned n,
                       uint16_t flags)
{
    uint8_t *p = of_begin_multipart(b, OFPT13_MULTIPART_REPLY, xid, OFPMP_PORT_DESC, flags,
                                    (size_t)n * PORT13_SIZE);

    for (unsigned i = 0; p && i < n; i++)
        put_port13(p + (size_t)i * PORT13_SIZE, &ports[i]);
}

static const char *const config_names[] = {"PORT_DOWN", "NO_STP", "NO_RECV",     "NO_RECV_STP",
                                           "NO_FLOOD",  "NO_FWD", "NO_PACKET_IN"};
static const char *const state_names13[] = {"LINK_DOWN", "BLOCKED", "LIVE"};
static const char *const state_names10[] = {"LINK_DOWN"};
static const char *const stp_names10[] = {"STP_LISTEN", "STP_LEARN", "STP_FORWARD", "STP_BLOCK"};
static const char *const feature_names[] = {
    "10MB-HD", "10MB-FD",  "100MB-HD",   "100MB-FD",       "1GB-HD", "1GB-FD",
    "10GB-FD", "40GB-FD",  "100GB-FD",   "1TB-FD",         "OTHER",  "COPPER",
    "FIBER",   "AUTO_NEG", "AUTO_PAUSE", "AUTO_PAUSE_ASYM"};

static void
say_state(struct of_printer *printer, uint8_t version, uint32_t state)
{
    if (version != OF10) {
        OF_SAY_FLAGS(printer, state, state_names13);
        return;
    }
    /* 0 in those two bits is LISTEN, but also what a switch without STP says */
    if (!(state & OFPPS_STP_MASK10)) {
        OF_SAY_FLAGS(printer, state, state_names10);
        return;
    }
    of_say(printer, "%s", stp_names10[state >> 8 & 3]);
    if (state & ~(uint32_t)OFPPS_STP_MASK10) {
        of_say(printer, "|");
        OF_SAY_FLAGS(printer, state & ~(uint32_t)OFPPS_STP_MASK10, state_names10);
    }
}

void
of_say_port_desc(struct of_printer *printer, uint8_t version, const struct of_port *port)
{
    const struct {
        const char *name;
        uint32_t value;
    } features[] = {{"current", port->current},
                    {"advertised", port->advertised},
                    {"supported", port->supported},
                    {"peer", port->peer_features}};

    of_say_port(printer, " port", port->port);
    of_say(printer, "(");
    of_say_text(printer, port->name);
    of_say(printer, ",");
    of_say_mac(printer, port->mac);
    of_say(printer, ",config=");
    OF_SAY_FLAGS(printer, port->config, config_names);
    of_say(printer, ",state=");
    say_state(printer, version, port->state);
    for (unsigned i = 0; i < OF_LEN(features); i++)
        if (features[i].value) {
            of_say(printer, ",%s=", features[i].name);
            OF_SAY_FLAGS(printer, features[i].value, feature_names);
        }
    if (port->speed_kbps || port->max_speed_kbps)
        of_say(printer, ",speed=%u/%ukbps", port->speed_kbps, port->max_speed_kbps);
    of_say(printer, ")");
}

/* ---- PORT_STATUS -------------------------------------------------------------------------- */

int
of_decode_port_status(const uint8_t *m, struct of_port_status *ret, struct of_where *where)
{
    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (m[8] > OFPPR_MODIFY)
        return of_fail(where, m, m + 8, "reason", OF_EVALUE);
    ret->reason = m[8];
    if (m[0] == OF10)
        decode_port10(m + 16, &ret->port);
    else
        decode_port13(m + 16, &ret->port);
    return OF_OK;
}

void
of_put_port_status(struct of_buffer *b, uint8_t version, uint32_t xid,
                   const struct of_port_status *status)
{
    uint8_t *p;

    if (!sayable(version, status->port.port)) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, version, OFPT13_PORT_STATUS, xid, 16 + port_size(version), 0);
    if (!p)
        return;
    of_store64(p + 8, (uint64_t)status->reason << 56);
    put_port(p + 16, version, &status->port);
}

int
of_print_port_status(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const reasons[] = {"add", "delete", "modify"};
    struct of_port_status status;
    int error = of_decode_port_status(m, &status, where);

    if (error)
        return error;
    of_say(printer, " reason=%s", reasons[status.reason]);
    of_say_port_desc(printer, m[0], &status.port);
    return OF_OK;
}

/* ---- PORT_MOD ----------------------------------------------------------------------------- */

#define MOD13_SIZE 40
#define MOD10_SIZE 32

int
of_decode_port_mod(const uint8_t *m, struct of_port_mod *ret, struct of_where *where)
{
    if (m[0] == OF13) {
        ret->port = of_get32(m + 8);
        memcpy(ret->mac, m + 16, 6);
        ret->config = of_get32(m + 24);
        ret->mask = of_get32(m + 28);
        ret->advertise = of_get32(m + 32);
        return OF_OK;
    }
    if (m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->port = of_port_from10(of_get16(m + 8));
    memcpy(ret->mac, m + 10, 6);
    ret->config = of_get32(m + 16);
    ret->mask = of_get32(m + 20);
    ret->advertise = features_from10(of_get32(m + 24));
    return OF_OK;
}

void
of_put_port_mod(struct of_buffer *b, uint8_t version, uint32_t xid, const struct of_port_mod *mod)
{
    uint32_t size = version == OF10 ? MOD10_SIZE : MOD13_SIZE;
    uint8_t *p;

    if (!sayable(version, mod->port)) {
        of_refuse(b);
        return;
    }
    p = of_begin(b, version, of_type_number(version, OFPT13_PORT_MOD), xid, size, 0);
    if (!p)
        return;
    memset(p + OF_HEADER_SIZE, 0, size - OF_HEADER_SIZE);
    if (version == OF10) {
        of_store16(p + 8, (uint16_t)mod->port);
        memcpy(p + 10, mod->mac, 6);
        of_store32(p + 16, mod->config);
        of_store32(p + 20, mod->mask);
        of_store32(p + 24, features_to10(mod->advertise));
    } else {
        of_store32(p + 8, mod->port);
        memcpy(p + 16, mod->mac, 6);
        of_store32(p + 24, mod->config);
        of_store32(p + 28, mod->mask);
        of_store32(p + 32, mod->advertise);
    }
}

int
of_print_port_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_port_mod mod;
    int error = of_decode_port_mod(m, &mod, where);

    if (error)
        return error;
    of_say_port(printer, " port", mod.port);
    of_say(printer, " mac=");
    of_say_mac(printer, mod.mac);
    of_say(printer, " config=");
    OF_SAY_FLAGS(printer, mod.config, config_names);
    of_say(printer, " mask=");
    OF_SAY_FLAGS(printer, mod.mask, config_names);
    of_say(printer, " advertise=");
    OF_SAY_FLAGS(printer, mod.advertise, feature_names);
    return OF_OK;
}

/* ---- counters ------------------------------------------------------------------------------- */

#define STATS13_SIZE 112
#define STATS10_SIZE 104

/* In the order of the wire, from byte 8 on, 8 bytes each. */
static const struct {
    const char *name; /* as ovs-ofctl groups them: rx pkts, bytes ... */
    size_t offset;    /* in struct of_port_stats */
} counters[] = {
    {"rx_packets", offsetof(struct of_port_stats, rx_packets)},
    {"tx_packets", offsetof(struct of_port_stats, tx_packets)},
    {"rx_bytes", offsetof(struct of_port_stats, rx_bytes)},
    {"tx_bytes", offsetof(struct of_port_stats, tx_bytes)},
    {"rx_dropped", offsetof(struct of_port_stats, rx_dropped)},
    {"tx_dropped", offsetof(struct of_port_stats, tx_dropped)},
    {"rx_errors", offsetof(struct of_port_stats, rx_errors)},
    {"tx_errors", offsetof(struct of_port_stats, tx_errors)},
    {"rx_frame_errors", offsetof(struct of_port_stats, rx_frame_errors)},
    {"rx_overruns", offsetof(struct of_port_stats, rx_overruns)},
    {"rx_crc_errors", offsetof(struct of_port_stats, rx_crc_errors)},
    {"collisions", offsetof(struct of_port_stats, collisions)},
};
#define COUNTERS_END (8 + 8 * OF_LEN(counters))
_Static_assert(COUNTERS_END == STATS10_SIZE, "twelve counters");

int
of_next_port_stats(uint8_t version, struct of_cursor *body, struct of_port_stats *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, version == OF10 ? STATS10_SIZE : STATS13_SIZE, &p))
        return OF_ESHORT;
    memset(ret, 0, sizeof(*ret));
    ret->port = version == OF10 ? of_port_from10(of_get16(p)) : of_get32(p);
    for (unsigned i = 0; i < OF_LEN(counters); i++) {
        uint64_t value = of_get64(p + 8 + 8 * i);

        memcpy((uint8_t *)ret + counters[i].offset, &value, 8);
    }
    if (version != OF10) {
        ret->duration_s = of_get32(p + COUNTERS_END);
        ret->duration_ns = of_get32(p + COUNTERS_END + 4);
    }
    return 1;
}

void
of_add_port_stats(struct of_buffer *b, uint8_t version, const struct of_port_stats *stats)
{
    uint8_t *p;

    if (!sayable(version, stats->port)) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, version == OF10 ? STATS10_SIZE : STATS13_SIZE);
    if (!p)
        return;
    of_store64(p, (uint64_t)stats->port << (version == OF10 ? 48 : 32));
    for (unsigned i = 0; i < OF_LEN(counters); i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)stats + counters[i].offset, 8);
        of_store64(p + 8 + 8 * i, value);
    }
    if (version != OF10) {
        of_store32(p + COUNTERS_END, stats->duration_s);
        of_store32(p + COUNTERS_END + 4, stats->duration_ns);
    }
}

int
of_print_port_descs(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_port port;
    int error;

    while ((error = of_next_port_v(version, body, &port)) > 0)
        of_say_port_desc(printer, version, &port);
    return error;
}

int
of_print_port_stats(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_port_stats stats;
    int error;

    while ((error = of_next_port_stats(version, body, &stats)) > 0) {
        of_say(printer, " [");
        of_say_port(printer, "port", stats.port);
        for (unsigned i = 0; i < OF_LEN(counters); i++) {
            uint64_t value;

            memcpy(&value, (const uint8_t *)&stats + counters[i].offset, 8);
            of_say_counter(printer, counters[i].name, value);
        }
        if (version != OF10)
            of_say_duration(printer, stats.duration_s, stats.duration_ns);
        of_say(printer, "]");
    }
    return error;
}
