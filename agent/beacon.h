/* SPDX-License-Identifier: Apache-2.0
 *
 * beacon.h - codec of the discovery beacon. Pure functions on bytes, any thread.
 * Neighbour: discovery.c, which sends and receives them.
 */
#ifndef AGENT_BEACON_H
#define AGENT_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_NAME_MAX 32 /* bytes of an agent's name, final NUL included */
#define AG_BEACON_HEADER 48
#define AG_BEACON_MAX (AG_BEACON_HEADER + AG_NAME_MAX - 1)

enum ag_beacon_kind {
    AG_BEACON_HELLO = 0,
    AG_BEACON_GOODBYE = 1, /* clean stop: no probes from now on */
};

struct ag_beacon {
    uint64_t id;          /* of the agent, kept over restarts */
    uint64_t incarnation; /* of the process */
    uint32_t seq;         /* counts up within an incarnation */
    uint32_t interval_ms; /* between two beacons */
    uint32_t probe_interval_ms;
    uint16_t probe_port; /* where its reflector listens, UDP */
    uint8_t kind;        /* enum ag_beacon_kind */
    uint8_t mac[6];      /* of its first interface; zero if it has none */
    char name[AG_NAME_MAX];
};

enum ag_beacon_result {
    AG_BEACON_OK = 0,
    AG_BEACON_SHORT = -1,   /* truncated, or a length that does not fit */
    AG_BEACON_FOREIGN = -2, /* another protocol's magic (SSDP shares the group) */
    AG_BEACON_VERSION = -3, /* a version we do not speak */
    AG_BEACON_INVALID = -4, /* a field out of range */
};

/* Letters, digits, '-', '_' and '.', 1 to 31 of them. */
bool ag_name_valid(const char *name);
/* ret: AG_BEACON_MAX bytes. Returns the length. */
size_t ag_beacon_put(uint8_t *ret, const struct ag_beacon *beacon);
int ag_beacon_get(const uint8_t *data, size_t len, struct ag_beacon *ret);

#endif
