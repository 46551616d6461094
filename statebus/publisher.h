/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.h - deltas and heartbeats on ZeroMQ: the format, and the owner's PUB socket.
 *
 * Every message has frames:
 *   0  topic: the table's name and its final NUL, or SB_TOPIC_HEARTBEAT and its NUL
 *   1  struct sb_message, 32 bytes, little-endian
 *   2  (delta) count records of record_size = 8 + row size: a u64 prefix, then the row
 *      hash tables: low 48 bits the row's slot over all shards, high 16 bits enum sb_op (SB_PUT,
 *                   SB_REMOVE). A removed row is sent whole, as it was.
 *      rings:       low 48 bits the record's position in its shard, high 16 bits the shard
 *   2  (heartbeat) count records of struct sb_beat
 * Sequences: one series a table, over all its shards, that goes on over restarts; one that begins
 * anew has another epoch in the segment's directory. Record i of a delta has first_seq + i. Changes
 * that never made it into a message use up numbers too, so that a subscriber sees the gap.
 */
#ifndef STATEBUS_PUBLISHER_H
#define STATEBUS_PUBLISHER_H

#include "table.h"
#include <czmq.h>
#include <endian.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rows and headers are sent as they lie in memory, and that is little-endian");

#define SB_MESSAGE_MAGIC UINT32_C(0x56525431)
#define SB_PREFIX_LOW ((UINT64_C(1) << 48) - 1)
#define SB_MESSAGE_SIZE 16384 /* of records in one message, at most */
/* sorts last: SUB sends its subscriptions in order, so a heartbeat proves that all others count */
#define SB_TOPIC_HEARTBEAT "\xffheartbeat"
#define SB_SOCKET_SUFFIX ".pub" /* of the sockets' names */
#define SB_HEARTBEAT_NS (250 * UINT64_C(1000000))

enum sb_message_kind { SB_MESSAGE_DELTA = 1, SB_MESSAGE_HEARTBEAT = 2 };

struct sb_message {
    uint32_t magic;
    uint16_t abi; /* SB_ABI_MAJOR */
    uint16_t kind;
    uint64_t incarnation;
    uint64_t first_seq; /* 0 in heartbeats */
    uint32_t count;
    uint32_t record_size;
};
_Static_assert(sizeof(struct sb_message) == 32, "message header");

struct sb_beat {
    char table[16];
    uint64_t last_seq;
};
_Static_assert(sizeof(struct sb_beat) == 24, "heartbeat record");

/* One table of the owner, all shards. */
struct sb_published {
    enum sb_table_id id;
    unsigned n_shards;
    struct sb_table *shards; /* borrowed from the owner */
    struct sb_dir *dir;      /* into the segment: last_seq lives here */
    uint64_t last_seq;
};

struct sb_publisher {
    zsock_t *socket;        /* owned */
    char instance[40];      /* says whose the socket is */
    char path[SB_PATH_MAX]; /* of the socket */
    bool bound;             /* subscribers may connect */
    uint64_t *inode;        /* of the socket, for subscribers; into the segment's header */
    uint64_t incarnation;
    uint64_t drained_ns;   /* CLOCK_MONOTONIC of the last drain */
    uint64_t heartbeat_ns; /* and of the last heartbeat */
    struct sb_published tables[SB_T_COUNT];
    unsigned n_tables;
};

/* listener.c */
/* Inode of the socket at a path; 0: there is none. While a socket is bound, no other one of its
 * file system has its inode. (The device is not asked for: containers that share the directory may
 * see another one.) */
uint64_t sb_socket_inode(const char *path);
int sb_publisher_open(struct sb_publisher *publisher, const char *instance, const char *path,
                      int hwm, char *message);
/* Once a heartbeat: subscribers, of whom ZeroMQ takes any number, must not use up the descriptors,
 * and others may have removed the socket, or put one of theirs in its place. Disconnects all and
 * binds anew a heartbeat later. */
void sb_publisher_guard(struct sb_publisher *publisher);
void sb_publisher_close(struct sb_publisher *publisher);
/* publisher.c */
/* Sends what waits in the change rings, a bounded number of records. True if there was any. */
bool sb_publisher_drain(struct sb_publisher *publisher);
/* Does any change ring hold a record or an unreported drop? */
bool sb_publisher_pending(const struct sb_publisher *publisher);
/* Is a change ring more than half full? */
bool sb_publisher_pressed(const struct sb_publisher *publisher);
void sb_publisher_heartbeat(struct sb_publisher *publisher);

#endif
