/* SPDX-License-Identifier: Apache-2.0
 *
 * beacon.c - the discovery beacon, all integers big-endian:
 *
 *  0               4       5       6               8
 * +---------------+-------+-------+---------------+
 * |  magic TVAG   |version| kind  | total length  |
 * +---------------+-------+-------+---------------+---------------+  8
 * |                           agent id                            |
 * +---------------------------------------------------------------+ 16
 * |                          incarnation                          |
 * +-------------------------------+-------------------------------+ 24
 * |            sequence           |      beacon interval, ms      |
 * +-------------------------------+---------------+---------------+ 32
 * |       probe interval, ms      |  probe port   |   MAC ...     |
 * +-------------------------------+-------+-------+---------------+ 40
 * |            ... MAC            |n. len | MBZ (3)               |
 * +-------------------------------+-------+-----------------------+ 48
 * |                  name, 1 to 31 bytes, no NUL                  |
 *
 * Bytes after the name, within the total length, are left for later versions.
 */
#include "beacon.h"

#include <endian.h>
#include <string.h>

#define BEACON_MAGIC 0x54564147U /* "TVAG" */
#define BEACON_VERSION 1

/* An integer of `size` bytes, most significant first. */
static uint64_t
get(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    while (size--)
        value = value << 8 | *p++;
    return value;
}

static void
put(uint8_t *p, unsigned size, uint64_t value)
{
    while (size--) {
        p[size] = (uint8_t)value;
        value >>= 8;
    }
}

bool
ag_name_valid(const char *name)
{
    size_t len = strnlen(name, AG_NAME_MAX);

    return len > 0 && len < AG_NAME_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

size_t
ag_beacon_put(uint8_t *ret, const struct ag_beacon *beacon)
{
    size_t name_len = strnlen(beacon->name, AG_NAME_MAX - 1);
    size_t len = AG_BEACON_HEADER + name_len;

    memset(ret, 0, AG_BEACON_HEADER);
    put(ret, 4, BEACON_MAGIC);
    put(ret + 4, 1, BEACON_VERSION);
    put(ret + 5, 1, beacon->kind);
    put(ret + 6, 2, len);
    put(ret + 8, 8, beacon->id);
    put(ret + 16, 8, beacon->incarnation);
    put(ret + 24, 4, beacon->seq);
    put(ret + 28, 4, beacon->interval_ms);
    put(ret + 32, 4, beacon->probe_interval_ms);
    put(ret + 36, 2, beacon->probe_port);
    memcpy(ret + 38, beacon->mac, sizeof(beacon->mac));
    put(ret + 44, 1, name_len);
    memcpy(ret + AG_BEACON_HEADER, beacon->name, name_len);
    return len;
}

int
ag_beacon_get(const uint8_t *data, size_t len, struct ag_beacon *ret)
{
    struct ag_beacon beacon = {0};
    size_t total, name_len;

    if (len >= 4 && get(data, 4) != BEACON_MAGIC)
        return AG_BEACON_FOREIGN;
    if (len < AG_BEACON_HEADER)
        return AG_BEACON_SHORT;
    if (data[4] != BEACON_VERSION)
        return AG_BEACON_VERSION;
    total = (size_t)get(data + 6, 2);
    name_len = data[44];
    if (total > len || total < AG_BEACON_HEADER + name_len)
        return AG_BEACON_SHORT;
    if (name_len >= AG_NAME_MAX || data[5] > AG_BEACON_GOODBYE)
        return AG_BEACON_INVALID;
    beacon.kind = data[5];
    beacon.id = get(data + 8, 8);
    beacon.incarnation = get(data + 16, 8);
    beacon.seq = (uint32_t)get(data + 24, 4);
    beacon.interval_ms = (uint32_t)get(data + 28, 4);
    beacon.probe_interval_ms = (uint32_t)get(data + 32, 4);
    beacon.probe_port = (uint16_t)get(data + 36, 2);
    memcpy(beacon.mac, data + 38, sizeof(beacon.mac));
    memcpy(beacon.name, data + AG_BEACON_HEADER, name_len);
    /* An interval outside of these bounds would make our time-outs absurd. */
    if (beacon.id == 0 || beacon.probe_port == 0 || beacon.interval_ms < 100 ||
        beacon.interval_ms > 60000 || beacon.probe_interval_ms == 0 ||
        beacon.probe_interval_ms > 3600000 || !ag_name_valid(beacon.name) ||
        strlen(beacon.name) != name_len)
        return AG_BEACON_INVALID;
    *ret = beacon;
    return AG_BEACON_OK;
}
