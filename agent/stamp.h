/* SPDX-License-Identifier: Apache-2.0
 *
 * stamp.h - codec of STAMP test packets (RFC 8762, unauthenticated) with the
 * TLVs of RFC 8972 that we use. Pure functions on bytes: no I/O, no clock, any
 * thread. Neighbours: session.c (what a reply means), reflector.c (who gets one).
 *
 * Time stamps stay in wire form (uint64_t, NTP or PTP by the Z bit of the error
 * estimate beside them) until ag_stamp_to_ns().
 */
#ifndef AGENT_STAMP_H
#define AGENT_STAMP_H

#include <stddef.h>
#include <stdint.h>

#define AG_STAMP_BASE 44      /* bytes of a packet without TLVs */
#define AG_STAMP_TLV 4        /* bytes of a TLV header */
#define AG_STAMP_FOLLOW_UP 16 /* bytes of the value of TLV 7 */
#define AG_STAMP_PROBE (AG_STAMP_BASE + AG_STAMP_TLV + AG_STAMP_FOLLOW_UP)

/* Error estimate (RFC 4656 4.1.2, RFC 8186): S, Z, scale, multiplier */
#define AG_STAMP_SYNCHRONISED 0x8000
#define AG_STAMP_PTP 0x4000

/* TLV flags (RFC 8972 4.2) */
#define AG_STAMP_U 0x80 /* unrecognised */
#define AG_STAMP_M 0x40 /* malformed */
#define AG_STAMP_I 0x20 /* integrity check failed */

enum ag_stamp_tlv {
    AG_TLV_PADDING = 1,
    AG_TLV_FOLLOW_UP = 7,
};

/* Time stamp mode of TLV 7 (RFC 8972 4.7) */
enum ag_stamp_mode {
    AG_MODE_NONE = 0, /* nothing to report */
    AG_MODE_HARDWARE = 1,
    AG_MODE_SOFTWARE = 2, /* we: taken by the kernel as the packet went to the driver */
    AG_MODE_CONTROL = 3,  /* we: taken by the kernel as it went to the queueing discipline */
};

/* What a session-sender sends. */
struct ag_stamp_probe {
    uint64_t t1; /* wire form */
    uint32_t seq;
    uint16_t error; /* error estimate */
    uint16_t ssid;  /* session id, RFC 8972 section 3 */
};

/* What a session-reflector sends. */
struct ag_stamp_reply {
    uint64_t t3, t2;    /* wire form, format by `error` */
    uint64_t probe_t1;  /* our own, come back */
    uint64_t follow_t3; /* true T3 of the reply follow_seq; only if follow_mode is not NONE */
    uint32_t seq;       /* the reflector's own count */
    uint32_t probe_seq;
    uint32_t follow_seq;
    uint16_t error, probe_error;
    uint16_t ssid;
    uint8_t ttl;           /* TTL the probe arrived with */
    uint8_t follow_mode;   /* enum ag_stamp_mode */
    uint8_t has_follow_up; /* the reflector understood TLV 7 */
};

/* What the reflector adds to a probe to make it a reply. */
struct ag_stamp_reflection {
    uint64_t t2, t3;    /* wire form */
    uint64_t follow_t3; /* wire form; 0 with AG_MODE_NONE */
    uint32_t seq;
    uint32_t follow_seq;
    uint16_t error;
    uint8_t ttl;
    uint8_t follow_mode; /* enum ag_stamp_mode */
};

enum ag_stamp_result {
    AG_STAMP_OK = 0,
    AG_STAMP_SHORT = -1,     /* fewer bytes than a base packet */
    AG_STAMP_MALFORMED = -2, /* a TLV runs past the packet, or has the M flag */
};

/* Writes a probe with an empty TLV 7: AG_STAMP_PROBE bytes, which it returns. */
size_t ag_stamp_put_probe(uint8_t *ret, const struct ag_stamp_probe *probe);
/* Reads the base packet of a probe. AG_STAMP_OK or AG_STAMP_SHORT. */
int ag_stamp_get_probe(const uint8_t *data, size_t len, struct ag_stamp_probe *ret);
/* Turns the probe in data into its reply, in place: a reply has the size of its probe because it
 * cannot have another. Returns AG_STAMP_OK, or AG_STAMP_SHORT with the data untouched; malformed
 * TLVs are marked and sent back, as RFC 8972 wants. */
int ag_stamp_reflect(uint8_t *data, size_t len, const struct ag_stamp_reflection *reflection);
/* Reads a reply. On AG_STAMP_MALFORMED the base part is valid. */
int ag_stamp_get_reply(const uint8_t *data, size_t len, struct ag_stamp_reply *ret);

/* CLOCK_REALTIME ns to NTP form and back; ns -> NTP -> ns is exact. The era (RFC 5905 6, next
 * change in 2036) and, for foreign stamps, the format come from near_ns, a time less than 68 years
 * away, and the error estimate. */
uint64_t ag_stamp_from_ns(uint64_t ns);
uint64_t ag_stamp_to_ns(uint64_t stamp, uint16_t error, uint64_t near_ns);
/* Error estimate from an error bound in microseconds. */
uint16_t ag_stamp_error(uint64_t bound_us, int synchronised);

#endif
