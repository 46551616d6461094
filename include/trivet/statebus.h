/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus.h - the state bus: tables in shared memory, changes over ZeroMQ.
 *
 * The table is the truth, the message is a hint. Every process that has state
 * owns one *segment* (POSIX shared memory /trivet.<instance>.<owner>) that holds
 * its tables; any number of processes read it without a lock. Each change is
 * also sent as a delta on a ZeroMQ PUB socket, to wake readers early. A lost
 * message costs latency, never state.
 *
 * Four objects:
 *   sb_owner       the writer's side: a segment, its lock, its publisher
 *   sb_table       one shard of one table of an owner; written by one thread
 *   sb_reader      a read-only mapping of one segment
 *   sb_subscriber  changes of some tables of some or all owners, with repair
 *
 * Functions return 0 or a positive answer, or a negative enum sb_error;
 * sb_strerror() names it, and the functions that open something also fill a
 * message that says what, where and what to do next.
 */
#ifndef TRIVET_STATEBUS_H
#define TRIVET_STATEBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <trivet/tables.h>

#define SB_ABI_MAJOR 1
#define SB_ABI_MINOR 0
#define SB_OWNER_MAX 48    /* bytes of an owner's name, final NUL included */
#define SB_MESSAGE_MAX 256 /* size of the error message buffers below */

enum sb_error {
    SB_OK = 0,
    SB_EINVAL = -1,    /* a bad argument, name or configuration */
    SB_ESYS = -2,      /* the system refused; errno is set and the message says what */
    SB_ENONE = -3,     /* no such segment, table or row */
    SB_ELAYOUT = -4,   /* foreign magic, ABI or layout hash; the message has both sides */
    SB_ENOTREADY = -5, /* the owner has not finished initialising it */
    SB_EBUSY = -6,     /* the row changed under every one of a bounded number of tries */
    SB_EFULL = -7,     /* the table refused the row (rule REFUSE) */
    SB_EOWNED = -8,    /* another process holds this owner's lock; the message names it */
    SB_ECORRUPT = -9,  /* lengths, indexes or words that no owner writes */
    SB_ENOSPC = -10,   /* /dev/shm is full; the message says how much is missing */
};
const char *sb_strerror(int error);

/* ---- tables.c: what tables.def says, at run time -------------------------- */

enum sb_kind { SB_HASH, SB_RING };
enum sb_full { SB_REFUSE, SB_OLDEST, SB_LAP };
enum sb_format { SB_DEC, SB_HEX16, SB_HEX8, SB_MAC, SB_IP, SB_TEXT, SB_BOOL, SB_ENUM_FORMAT };

struct sb_enum_value {
    uint32_t number;
    const char *text;
};

struct sb_column {
    const char *name; /* JSON name */
    const char *unit;
    const char *text;
    uint16_t offset;
    uint16_t size; /* bytes of the whole column */
    uint8_t is_key, is_signed;
    enum sb_format format;
    const struct sb_enum_value *values; /* SB_ENUM_FORMAT: ends with text == NULL */
};

struct sb_table_info {
    const char *name, *owner, *text;
    enum sb_kind kind;
    enum sb_full full;
    bool sharded;
    uint16_t row_size; /* bytes */
    uint16_t key_size; /* bytes; 0 for rings */
    uint32_t capacity; /* default */
    uint64_t hash;     /* of the layout: names, types, offsets, enumerations */
    const struct sb_column *columns;
    uint16_t n_columns;
};

/* The shard of a dpid: sharded tables whose key starts with a dpid keep its rows there, so that the
 * worker of that index may own the switch. shards: at least 1. */
static inline unsigned
sb_shard_of(uint64_t dpid, unsigned shards)
{
    /* splitmix64's finaliser: dpids are often small consecutive numbers */
    dpid = (dpid ^ (dpid >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    dpid = (dpid ^ (dpid >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((dpid ^ (dpid >> 31)) % shards);
}

/* All tables, indexed by enum sb_table_id. */
const struct sb_table_info *sb_table_info(enum sb_table_id id);
/* The table of that name, or SB_ENONE. */
int sb_table_by_name(const char *name);
/* The text of an enumeration's number, or "?" */
const char *sb_enum_text(const struct sb_enum_value *values, uint32_t number);
/* Text of one column of a row, as tables and --json print it (no quotes). Returns ret. */
char *sb_column_text(const struct sb_column *column, const void *row, char *ret, size_t size);
/* One JSON object (no newline) of a row: {"dpid":"0000000000000001",...}. HEX16, MAC, IP, TEXT and
 * enumerations are strings, the rest numbers and booleans. Returns the length, or SB_EINVAL if it
 * does not fit. */
int sb_row_json(enum sb_table_id id, const void *row, char *ret, size_t size);
/* Could an owner have written this row? Enumerations and booleans are in range, texts end with a
 * NUL, padding is zero. Owners drop what they adopt otherwise, readers pass it over. */
bool sb_row_valid(enum sb_table_id id, const void *row);

/* sb_<enumeration>_text(number), e.g. sb_port_type_text(SB_port_type_EDGE) = "edge" */
#define SB_ENUM(name) const char *sb_##name##_text(uint32_t number);
#include <trivet/tables.def>

/* ---- runtime directory ----------------------------------------------------- */

/* Where an instance's sockets and locks lie: $TRIVET_RUNTIME_DIR, else /run/trivet/<instance> as
 * root, else $XDG_RUNTIME_DIR/trivet/<instance>, else /tmp/trivet-<uid>/<instance>. */
int sb_runtime_dir(const char *instance, char *ret, size_t size);

/* ---- owner ------------------------------------------------------------------ */

enum sb_phase { SB_INIT, SB_RESTORED, SB_RECONCILED, SB_RUNNING };
const char *sb_phase_text(enum sb_phase phase); /* "init", "restored", ... */

struct sb_owner;
struct sb_table;

struct sb_owner_table {
    enum sb_table_id id;
    uint32_t capacity; /* rows over all shards; 0: the default of tables.def */
    uint16_t shards;   /* 0 means 1 */
};

struct sb_owner_config {
    const char *instance;
    const char *name; /* "controller", "agent.h1" ... */
    const struct sb_owner_table *tables;
    size_t n_tables;
    bool cold;       /* start empty even if there is a segment to adopt */
    mode_t mode;     /* of the segment; 0 means 0640 */
    int hwm;         /* messages queued per subscriber before they are dropped; 0 means 1000 */
    bool no_publish; /* no ZeroMQ socket (tests of the tables alone) */
};

/* Takes the owner's lock, then adopts the existing segment if its layout is ours (rows stay where
 * they are; other capacities or shard counts: rows are copied over) or makes a new one, and binds
 * the PUB socket. A new incarnation, phase SB_INIT. Call before other threads start.
 * message: SB_MESSAGE_MAX bytes, filled on error, and with a remark (or "") on success, e.g.
 * that a foreign layout was replaced. */
int sb_owner_open(struct sb_owner **ret, const struct sb_owner_config *config, char *message);
/* Clean stop. The segment stays, for the next start. NULLs *owner; accepts NULL. */
void sb_owner_close(struct sb_owner **owner);
/* Were rows adopted from an earlier incarnation? */
bool sb_owner_warm(const struct sb_owner *owner);
uint64_t sb_owner_incarnation(const struct sb_owner *owner);
void sb_owner_phase(struct sb_owner *owner, enum sb_phase phase); /* main thread */
/* The writer's handle of one shard; borrowed from the owner. NULL if it has no such table. */
struct sb_table *sb_owner_table(struct sb_owner *owner, enum sb_table_id id, unsigned shard);

/* Publishing. sb_owner_fd() becomes readable when changes wait; whatever loop the main thread runs,
 * it calls sb_owner_pump() then, and no later than the number of milliseconds the last call
 * returned. The pump drains the change rings of all shards, sends the deltas (at most 16 KB each),
 * keeps the heartbeat and never blocks. Main thread only. */
int sb_owner_fd(const struct sb_owner *owner);
int sb_owner_pump(struct sb_owner *owner);

/* ---- table: the writer's side ------------------------------------------------
 * One thread a shard. No function here allocates, locks or makes a system call, but for an
 * eventfd write when the main thread sleeps and the first change of a batch is made. */

struct sb_table_stats {
    uint64_t rows, capacity; /* now; rings: records written, slots */
    uint64_t inserted, updated, removed, evicted, refused;
    uint64_t unpublished; /* changes not sent as deltas because the change ring was full */
};

/* Hash of a key (row_size bytes are not needed, only the key). Prefetching: hash a batch of keys,
 * prefetch each, then find or put. */
uint64_t sb_hash(const struct sb_table *table, const void *key);
void sb_prefetch(const struct sb_table *table, uint64_t hash);
/* The second step, some work after the first: the row that the tags point to. Returns its slot, or
 * SB_ENONE: a guess, which sb_find_at() takes. */
int64_t sb_prefetch_row(const struct sb_table *table, uint64_t hash);
/* Prefetches a row whose slot is known. */
void sb_prefetch_at(const struct sb_table *table, int64_t slot);
/* Slot of the row with that key, or SB_ENONE. A row, which starts with its key, may be passed. */
int64_t sb_find(const struct sb_table *table, const void *key);
int64_t sb_find_hashed(const struct sb_table *table, const void *key, uint64_t hash);
/* The same, but looks into `slot` first; any value is allowed there. */
int64_t sb_find_at(const struct sb_table *table, const void *key, uint64_t hash, int64_t slot);
/* Copy of the row in a slot. SB_ENONE if the slot is empty or out of range. */
int sb_get(const struct sb_table *table, int64_t slot, void *ret_row);
/* The live copy itself, for the writing thread to look at: valid until it writes this slot again.
 * NULL if the slot is empty or out of range. */
const void *sb_peek(const struct sb_table *table, int64_t slot);
/* Insert, or replace the row with this key. Returns its slot, or SB_EFULL. */
int64_t sb_put(struct sb_table *table, const void *row);
int64_t sb_put_hashed(struct sb_table *table, const void *row, uint64_t hash);
/* Replace the row in a slot; the key must be the same (else SB_EINVAL). */
int sb_write(struct sb_table *table, int64_t slot, const void *row);
/* The same, but the row stays restored if it is, and as old as it was: for marking what nobody has
 * confirmed. */
int sb_amend(struct sb_table *table, int64_t slot, const void *row);
/* Remove the row in a slot. SB_ENONE if it is empty. */
int sb_remove(struct sb_table *table, int64_t slot);
/* How often the slot was given to a new key, modulo 2^16: makes cookies of reused slots differ. */
uint16_t sb_generation(const struct sb_table *table, int64_t slot);
/* The slot sb_put() would use for a new key: lets a row carry its own slot and generation
 * (generation of that slot after the insert is sb_generation() + 1). SB_EFULL if refused; may be
 * the slot of a row that the put will evict. */
int64_t sb_slot_for(const struct sb_table *table, const void *key, uint64_t hash);
/* Iteration: the next full slot after `slot` (start with -1), or SB_ENONE at the end. */
int64_t sb_next(const struct sb_table *table, int64_t slot);
/* Is the row of an earlier incarnation? Every row that an owner adopts is, until it is written
 * again, be it with the same bytes. */
bool sb_restored(const struct sb_table *table, int64_t slot);
/* Removes all rows that are still restored: nobody will confirm them now. Returns how many. */
uint64_t sb_drop_restored(struct sb_table *table);
/* Append to a ring. */
void sb_append(struct sb_table *table, const void *row);
void sb_table_stats(const struct sb_table *table, struct sb_table_stats *ret);

/* ---- reader -------------------------------------------------------------------
 * Maps read-only; checks every index, length and count taken from the segment. One thread a
 * reader object. */

struct sb_reader;

enum sb_liveness {
    SB_ALIVE,     /* lock held, heartbeat fresh */
    SB_STALLED,   /* lock held, heartbeat older than 2 s */
    SB_DEAD,      /* lock free: nobody writes; the rows stand as they were */
    SB_RESTARTED, /* another incarnation than the one first seen, or the segment was replaced:
                     call sb_reader_reopen() */
};
const char *sb_liveness_text(enum sb_liveness liveness); /* "alive", "stalled", ... */

struct sb_segment_info {
    char owner[SB_OWNER_MAX];
    uint64_t incarnation;
    uint64_t heartbeat_age_ns;
    uint64_t size; /* bytes */
    uint64_t layout_hash;
    uint64_t damaged; /* rows and records that this reader passed over: no owner writes such */
    uint32_t pid;     /* in the owner's pid namespace */
    uint16_t abi_major, abi_minor;
    enum sb_phase phase;
    enum sb_liveness liveness;
};

int sb_reader_open(struct sb_reader **ret, const char *instance, const char *owner, char *message);
void sb_reader_close(struct sb_reader **reader);
int sb_reader_reopen(struct sb_reader *reader, char *message);
int sb_reader_info(struct sb_reader *reader, struct sb_segment_info *ret);
bool sb_reader_has(const struct sb_reader *reader, enum sb_table_id id);
/* Sums over all shards. */
int sb_reader_stats(const struct sb_reader *reader, enum sb_table_id id,
                    struct sb_table_stats *ret);
/* One row after another: *cursor starts at 0. 1: a row, 0: the end, SB_EBUSY: one row skipped (go
 * on). Only rows that sb_row_valid() are returned, here and below. For rings: the records that stand, oldest first, shard by shard. */
int sb_read(struct sb_reader *reader, enum sb_table_id id, uint64_t *cursor, void *ret_row);
/* 1: found, 0: not there, else an error. */
int sb_lookup(struct sb_reader *reader, enum sb_table_id id, const void *key, void *ret_row);
/* Was the row that the last sb_read() or sb_lookup() returned written by an earlier incarnation of
 * its owner, and not confirmed by this one yet? Never so for rings. */
bool sb_reader_restored(const struct sb_reader *reader);
/* Follow a ring: *position starts at 0 (from the oldest record) or UINT64_MAX (from now on).
 * 1: a record, 0: none yet. *ret_lost is increased by the records overwritten before they were
 * read. */
int sb_follow(struct sb_reader *reader, enum sb_table_id id, unsigned shard, uint64_t *position,
              void *ret_row, uint64_t *ret_lost);
/* Random, another one when the table was begun anew (a cold start), 0 without the table. After
 * sb_reader_reopen(): while it is the same a ring's positions go on, else start again at 0. */
uint64_t sb_reader_epoch(const struct sb_reader *reader, enum sb_table_id id);
unsigned sb_reader_shards(const struct sb_reader *reader, enum sb_table_id id);

/* The owners of an instance that have a lock file, dead ones included: calls each(arg, owner) until
 * it returns non-zero, and returns that. */
int sb_each_owner(const char *instance, int (*each)(void *arg, const char *owner), void *arg);

/* ---- subscriber -----------------------------------------------------------------
 * Subscribes to some tables of all owners of an instance (owners that come later are found within
 * 250 ms), or of one. Keeps a copy of the hash tables, so that a change comes with its old row, and
 * repairs itself: after a gap, a new incarnation or a heartbeat that is ahead it re-reads the table
 * and reports the differences. One thread. */

enum sb_op {
    SB_PUT,    /* old == NULL: a new row */
    SB_REMOVE, /* row == NULL */
    SB_APPEND, /* a ring record; old == NULL */
};

struct sb_change {
    const char *owner;
    uint64_t incarnation;
    enum sb_table_id table;
    enum sb_op op;
    const void *row, *old; /* valid during the call */
};
typedef void sb_change_fn(void *arg, const struct sb_change *change);

struct sb_subscriber;
struct sb_subscriber_stats {
    uint64_t received;  /* changes that came as deltas */
    uint64_t missed;    /* changes known to have been given out and not received; with received: all
                           that the owners gave out since their segments were first opened */
    uint64_t rereads;   /* tables read again from shared memory */
    uint64_t ring_lost; /* ring records lost for good (lapped) */
    uint64_t refused;   /* messages or segments of a foreign layout */
    uint32_t owners;    /* connected now */
};

/* tables: bit 1 << SB_T_<table> each. owner: NULL for all. Nothing happens before the first run.
 * Hash tables: a write of the same bytes is no change; the rows that stand are reported first, also
 * those of dead owners. Rings: of owners found by the first run only what comes from then on, of
 * later ones everything from the oldest record. The callback must not call the subscriber. */
int sb_subscribe(struct sb_subscriber **ret, const char *instance, const char *owner,
                 uint64_t tables, sb_change_fn *change, void *arg, char *message);
void sb_subscriber_close(struct sb_subscriber **subscriber);
/* Readable when something may be there (a ZeroMQ fd inside an epoll: edges are handled). */
int sb_subscriber_fd(const struct sb_subscriber *subscriber);
/* Handles all that is there and returns the milliseconds after which to call it at the latest. */
int sb_subscriber_run(struct sb_subscriber *subscriber);
/* True when every table of every known owner has been read and nothing is known to be missing. */
bool sb_subscriber_synced(const struct sb_subscriber *subscriber);
void sb_subscriber_stats(const struct sb_subscriber *subscriber, struct sb_subscriber_stats *ret);

#endif
