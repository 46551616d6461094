/* SPDX-License-Identifier: Apache-2.0
 *
 * stamp.c - STAMP packets to structs and back (RFC 8762 sections 4.2.1 and
 * 4.3.1, RFC 8972 sections 3, 4.1 and 4.7).
 *
 * Session-Sender packet                    Session-Reflector packet
 *
 *  0                   1                    0                   1
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5          0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 * +-------------------------------+        +-------------------------------+  0
 * |        Sequence Number        |        |        Sequence Number        |
 * |                               |        |                               |
 * +-------------------------------+        +-------------------------------+  4
 * |         Timestamp T1          |        |         Timestamp T3          |
 * |           (8 bytes)           |        |           (8 bytes)           |
 * +-------------------------------+        +-------------------------------+ 12
 * |        Error Estimate         |        |        Error Estimate         |
 * +-------------------------------+        +-------------------------------+ 14
 * |             SSID              |        |             SSID              |
 * +-------------------------------+        +-------------------------------+ 16
 * |                               |        |     Receive Timestamp T2      |
 * |                               |        |           (8 bytes)           |
 * |                               |        +-------------------------------+ 24
 * |                               |        |        Sender Sequence        |
 * |                               |        |            Number             |
 * |          MBZ (28)             |        +-------------------------------+ 28
 * |                               |        |      Sender Timestamp T1      |
 * |                               |        |           (8 bytes)           |
 * |                               |        +-------------------------------+ 36
 * |                               |        |     Sender Error Estimate     |
 * |                               |        +-------------------------------+ 38
 * |                               |        |              MBZ              |
 * |                               |        +---------------+---------------+ 40
 * |                               |        |  Sender TTL   |    MBZ (3)    |
 * +-------------------------------+        +---------------+---------------+ 44
 * |           TLVs ...            |        |     TLVs, sent back ...       |
 *
 * TLV: Flags (U M I, 5 reserved) 1, Type 1, Length of the value 2, value.
 * MBZ is zero on sending and ignored on receipt.
 */
#include "stamp.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include <trivet/clock.h>

#define NTP_UNIX 2208988800U /* seconds from 1900 to 1970 */

enum {
    OFF_SEQ = 0,
    OFF_T = 4,
    OFF_ERROR = 12,
    OFF_SSID = 14,
    OFF_T2 = 16,
    OFF_PROBE_SEQ = 24,
    OFF_PROBE_T1 = 28,
    OFF_PROBE_ERROR = 36,
    OFF_MBZ = 38,
    OFF_TTL = 40,
};

static uint16_t
get16(const uint8_t *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof(value));
    return be16toh(value);
}

static uint32_t
get32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return be32toh(value);
}

static uint64_t
get64(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return be64toh(value);
}

static void
put16(uint8_t *p, uint16_t value)
{
    value = htobe16(value);
    memcpy(p, &value, sizeof(value));
}

static void
put32(uint8_t *p, uint32_t value)
{
    value = htobe32(value);
    memcpy(p, &value, sizeof(value));
}

static void
put64(uint8_t *p, uint64_t value)
{
    value = htobe64(value);
    memcpy(p, &value, sizeof(value));
}

/* ---- TLVs ------------------------------------------------------------------ */

/* Follow-up telemetry, RFC 8972 4.7: Sequence Number 4, Follow-Up Timestamp 8, Timestamp Mode 1,
 * Reserved 3. The sender sends zeros. */
static void
reflect_follow_up(uint8_t *value, const struct ag_stamp_reflection *reflection)
{
    memset(value, 0, AG_STAMP_FOLLOW_UP);
    if (reflection->follow_mode == AG_MODE_NONE)
        return;
    put32(value, reflection->follow_seq);
    put64(value + 4, reflection->follow_t3);
    value[12] = reflection->follow_mode;
}

static void
read_follow_up(const uint8_t *value, struct ag_stamp_reply *ret)
{
    ret->has_follow_up = 1;
    ret->follow_seq = get32(value);
    ret->follow_t3 = get64(value + 4);
    ret->follow_mode = ret->follow_t3 == 0 ? AG_MODE_NONE : value[12];
}

/* One row a TLV type; the walk below has checked the length before it calls. */
static const struct tlv_row {
    uint16_t min, max; /* length of the value */
    bool known;
    void (*reflect)(uint8_t *value, const struct ag_stamp_reflection *reflection); /* NULL: copy */
    void (*read)(const uint8_t *value, struct ag_stamp_reply *ret);                /* NULL: skip */
} tlv_rows[] = {
    [AG_TLV_PADDING] = {.min = 0, .max = UINT16_MAX, .known = true},
    [AG_TLV_FOLLOW_UP] = {.min = AG_STAMP_FOLLOW_UP,
                          .max = AG_STAMP_FOLLOW_UP,
                          .known = true,
                          .reflect = reflect_follow_up,
                          .read = read_follow_up},
};

static const struct tlv_row *
tlv_row(uint8_t type)
{
    if (type >= sizeof(tlv_rows) / sizeof(tlv_rows[0]) || !tlv_rows[type].known)
        return NULL;
    return &tlv_rows[type];
}

/* Overwrites the three flags of each TLV: U for a type we do not know; M for a length that is
 * wrong, and then the rest is left as it came (RFC 8972 4.2). Fewer bytes than a header are
 * padding. */
static void
reflect_tlvs(uint8_t *data, size_t len, const struct ag_stamp_reflection *reflection)
{
    while (len >= AG_STAMP_TLV) {
        const struct tlv_row *row = tlv_row(data[1]);
        size_t length = get16(data + 2);

        if (length > len - AG_STAMP_TLV || (row && (length < row->min || length > row->max))) {
            data[0] = AG_STAMP_M;
            return;
        }
        data[0] = row ? 0 : AG_STAMP_U;
        if (row && row->reflect)
            row->reflect(data + AG_STAMP_TLV, reflection);
        data += AG_STAMP_TLV + length;
        len -= AG_STAMP_TLV + length;
    }
}

static int
read_tlvs(const uint8_t *data, size_t len, struct ag_stamp_reply *ret)
{
    while (len >= AG_STAMP_TLV) {
        const struct tlv_row *row = tlv_row(data[1]);
        size_t length = get16(data + 2);

        if (length > len - AG_STAMP_TLV || data[0] & AG_STAMP_M)
            return AG_STAMP_MALFORMED;
        if (row && row->read && !(data[0] & (AG_STAMP_U | AG_STAMP_I))) {
            if (length < row->min || length > row->max)
                return AG_STAMP_MALFORMED;
            row->read(data + AG_STAMP_TLV, ret);
        }
        data += AG_STAMP_TLV + length;
        len -= AG_STAMP_TLV + length;
    }
    return AG_STAMP_OK;
}

/* ---- packets --------------------------------------------------------------- */

size_t
ag_stamp_put_probe(uint8_t *ret, const struct ag_stamp_probe *probe)
{
    uint8_t *tlv = ret + AG_STAMP_BASE;

    memset(ret, 0, AG_STAMP_PROBE);
    put32(ret + OFF_SEQ, probe->seq);
    put64(ret + OFF_T, probe->t1);
    put16(ret + OFF_ERROR, probe->error);
    put16(ret + OFF_SSID, probe->ssid);
    tlv[0] = AG_STAMP_U; /* a sender sets U, so that a reflector that knows no TLVs leaves it set */
    tlv[1] = AG_TLV_FOLLOW_UP;
    put16(tlv + 2, AG_STAMP_FOLLOW_UP);
    return AG_STAMP_PROBE;
}

int
ag_stamp_get_probe(const uint8_t *data, size_t len, struct ag_stamp_probe *ret)
{
    if (len < AG_STAMP_BASE)
        return AG_STAMP_SHORT;
    *ret = (struct ag_stamp_probe){
        .seq = get32(data + OFF_SEQ),
        .t1 = get64(data + OFF_T),
        .error = get16(data + OFF_ERROR),
        .ssid = get16(data + OFF_SSID),
    };
    return AG_STAMP_OK;
}

int
ag_stamp_reflect(uint8_t *data, size_t len, const struct ag_stamp_reflection *reflection)
{
    struct ag_stamp_probe probe;

    /* RFC 8762 4.3 would answer a short packet with a full one; that is amplification. */
    if (ag_stamp_get_probe(data, len, &probe) != AG_STAMP_OK)
        return AG_STAMP_SHORT;
    put32(data + OFF_SEQ, reflection->seq);
    put64(data + OFF_T, reflection->t3);
    put16(data + OFF_ERROR, reflection->error);
    put64(data + OFF_T2, reflection->t2);
    put32(data + OFF_PROBE_SEQ, probe.seq);
    put64(data + OFF_PROBE_T1, probe.t1);
    put16(data + OFF_PROBE_ERROR, probe.error);
    memset(data + OFF_MBZ, 0, AG_STAMP_BASE - OFF_MBZ);
    data[OFF_TTL] = reflection->ttl;
    reflect_tlvs(data + AG_STAMP_BASE, len - AG_STAMP_BASE, reflection);
    return AG_STAMP_OK;
}

int
ag_stamp_get_reply(const uint8_t *data, size_t len, struct ag_stamp_reply *ret)
{
    if (len < AG_STAMP_BASE)
        return AG_STAMP_SHORT;
    *ret = (struct ag_stamp_reply){
        .seq = get32(data + OFF_SEQ),
        .t3 = get64(data + OFF_T),
        .error = get16(data + OFF_ERROR),
        .ssid = get16(data + OFF_SSID),
        .t2 = get64(data + OFF_T2),
        .probe_seq = get32(data + OFF_PROBE_SEQ),
        .probe_t1 = get64(data + OFF_PROBE_T1),
        .probe_error = get16(data + OFF_PROBE_ERROR),
        .ttl = data[OFF_TTL],
    };
    return read_tlvs(data + AG_STAMP_BASE, len - AG_STAMP_BASE, ret);
}

/* ---- time ------------------------------------------------------------------ */

uint64_t
ag_stamp_from_ns(uint64_t ns)
{
    uint64_t seconds = (ns / SB_SECOND + NTP_UNIX) & UINT32_MAX;
    uint64_t fraction = (((ns % SB_SECOND) << 32) + SB_SECOND / 2) / SB_SECOND;

    return seconds << 32 | fraction;
}

uint64_t
ag_stamp_to_ns(uint64_t stamp, uint16_t error, uint64_t near_ns)
{
    uint64_t near_s = near_ns / SB_SECOND;
    uint32_t seconds = (uint32_t)(stamp >> 32);
    uint64_t low = stamp & UINT32_MAX;

    if (error & AG_STAMP_PTP)
        return seconds * SB_SECOND + low;
    /* The difference modulo 2^32 is right on both sides of the era's end. */
    near_s += (uint64_t)(int64_t)(int32_t)(seconds - (uint32_t)(near_s + NTP_UNIX));
    return near_s * SB_SECOND + ((low * SB_SECOND + (UINT64_C(1) << 31)) >> 32);
}

uint16_t
ag_stamp_error(uint64_t bound_us, int synchronised)
{
    uint64_t multiplier;
    unsigned scale = 0;

    if (bound_us > UINT32_MAX)
        bound_us = UINT32_MAX;
    multiplier = (bound_us << 32) / 1000000U;
    while (multiplier > UINT8_MAX) {
        multiplier = (multiplier + 1) / 2;
        scale++;
    }
    if (multiplier == 0) /* forbidden: the packet would have no error estimate */
        multiplier = 1;
    return (uint16_t)((synchronised ? AG_STAMP_SYNCHRONISED : 0U) | scale << 8 | multiplier);
}
