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
 * Errors. Functions return 0 or a positive answer, or a negative enum sb_error;
 * sb_strerror() names it, and the functions that open something also fill a
 * message (SB_MESSAGE_MAX bytes, or NULL) that says what, where and what to do
 * next. Outputs (ret_...) are written on success only. What lies in shared
 * memory is hostile input to every function: it is checked, never trusted.
 *
 * Ownership. What an _open() or _subscribe() returns is the caller's, until the
 * matching _close(), which takes a pointer to the pointer, accepts NULL in it
 * and sets it NULL. Everything else that is returned is borrowed.
 *
 * Processes and threads. One process owns a segment; any process may read it.
 * An object belongs to one thread at a time, but for the shards of an owner's
 * tables, of which each may have a thread of its own; each function says so
 * where it differs. Open before other threads start, and do not use an object
 * on both sides of a fork(). Functions without an object may be called anywhere.
 *
 * Signals. The library leaves them to the program: sb_owner_open() and sb_subscribe() switch czmq's
 * handlers of SIGINT and SIGTERM off, which would keep it from ending.
 *
 * Units. Sizes are bytes; times are nanoseconds, CLOCK_REALTIME in columns whose
 * unit is "ns" and CLOCK_MONOTONIC where a name ends in _mono_ns or says "age";
 * time-outs are milliseconds. Numbers are in the machine's byte order.
 *
 * Link with `pkg-config --cflags --libs trivet-statebus`. The library is static
 * on purpose: rows are structs of the program, so program and library must come
 * from one build; another build's segments are refused with both versions named.
 * statebus(8) looks at a bus from a shell, trivet-tables(5) has every table,
 * trivet-statebus(3) an example.
 */
#ifndef TRIVET_STATEBUS_H
#define TRIVET_STATEBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <trivet/tables.h>

#define SB_ABI_MAJOR 1
#define SB_ABI_MINOR 2
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
    SB_EOWNED = -8,    /* another process is this owner; the message names it */
    SB_ECORRUPT = -9,  /* lengths, indexes or words that no owner writes */
    SB_ENOSPC = -10,   /* /dev/shm is full; the message says how much is missing */
};
/* A few words for an error; never NULL, constant. */
const char *sb_strerror(int error);

/* ---- tables.c: what tables.def says, at run time -------------------------- */

enum sb_kind {
    SB_HASH, /* rows found by key */
    SB_RING, /* a log; the newest records stand */
};
enum sb_full {            /* what a write does when the table is full; counted in sb_table_stats */
               SB_REFUSE, /* fails with SB_EFULL */
               SB_OLDEST, /* evicts the row not written for longest, of the key's two buckets */
               SB_LAP,    /* rings: overwrites the oldest record */
};
/* How a column reads as text and JSON; see tables.def. */
enum sb_format { SB_DEC, SB_HEX16, SB_HEX8, SB_MAC, SB_IP, SB_TEXT, SB_BOOL, SB_ENUM_FORMAT };

struct sb_enum_value {
    uint32_t number;
    const char *text;
};

struct sb_column {
    const char *name; /* in JSON; the struct's member may differ */
    const char *unit; /* "ns", "packets" ...; "" for none */
    const char *text; /* what it means; "" where the name says it */
    uint16_t offset;  /* in the row */
    uint16_t size;    /* bytes of the whole column, arrays included */
    uint8_t is_key;   /* part of the key; keys are the first bytes of a row */
    uint8_t is_signed;
    enum sb_format format;
    const struct sb_enum_value *values; /* SB_ENUM_FORMAT: ends with text == NULL */
};

struct sb_table_info {
    const char *name;  /* "mac" */
    const char *owner; /* which segments have it: "controller", "agent.*", "*" */
    const char *text;  /* what a row is */
    enum sb_kind kind;
    enum sb_full full;
    bool sharded;                    /* one shard a worker of the controller */
    uint16_t row_size;               /* bytes */
    uint16_t key_size;               /* bytes; 0 for rings */
    uint32_t capacity;               /* default */
    uint64_t hash;                   /* of the layout: names, types, offsets, enumerations */
    const struct sb_column *columns; /* n_columns of them, in memory order */
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

/* What tables.def says of a table; constant, for ever. NULL if there is no such id. */
const struct sb_table_info *sb_table_info(enum sb_table_id id);
/* The id (enum sb_table_id) of the table of that name, or SB_ENONE. */
int sb_table_by_name(const char *name);
/* The text of an enumeration's number, or "?"; constant. */
const char *sb_enum_text(const struct sb_enum_value *values, uint32_t number);
/* Text of one column of a row, as --json prints it but for quotes and escapes: NUL-terminated, cut
 * to size, control characters as '?'. Returns ret. */
char *sb_column_text(const struct sb_column *column, const void *row, char *ret, size_t size);
/* One JSON object (no newline) of a row: {"dpid":"0000000000000001",...}. HEX16, MAC, IP, TEXT and
 * enumerations are strings, the rest numbers and booleans. Always valid JSON and UTF-8, whatever
 * the row holds. Returns the length without the final NUL, or SB_EINVAL if it does not fit; 4096
 * bytes are enough for every table. */
int sb_row_json(enum sb_table_id id, const void *row, char *ret, size_t size);
/* Could an owner have written this row? Enumerations and booleans are in range, texts end with a
 * NUL, padding is zero. Owners drop what they adopt otherwise, readers pass it over. */
bool sb_row_valid(enum sb_table_id id, const void *row);

/* sb_<enumeration>_text(number), e.g. sb_port_type_text(SB_port_type_EDGE) = "edge" */
#define SB_ENUM(name) const char *sb_##name##_text(uint32_t number);
#include <trivet/tables.def>

/* ---- runtime directory ----------------------------------------------------- */

/* Where an instance's sockets and locks lie: $TRIVET_RUNTIME_DIR; else /run/trivet/<instance> for
 * root, and for others when they have no directory of their own and that one is there; else
 * $XDG_RUNTIME_DIR/trivet/<instance>, else /tmp/trivet-<uid>/<instance>. Whether it is there is not
 * asked. 108 bytes are enough for every one that works. SB_EINVAL: does not fit. */
int sb_runtime_dir(const char *instance, char *ret, size_t size);

/* ---- owner ------------------------------------------------------------------ */

enum sb_phase {
    SB_INIT,       /* the segment is there, its rows are not looked at yet */
    SB_RESTORED,   /* rows of the earlier incarnation are adopted, not yet confirmed */
    SB_RECONCILED, /* and compared with the world */
    SB_RUNNING,    /* ready */
};
const char *sb_phase_text(enum sb_phase phase); /* "init", "restored", ... */

struct sb_owner; /* one a process and segment; main thread, but for its tables */
struct sb_table; /* one shard; one thread writes it */

struct sb_owner_table {
    enum sb_table_id id;
    uint32_t capacity; /* rows over all shards; 0: the default of tables.def */
    uint16_t shards;   /* 0 means 1 */
};

struct sb_owner_config {  /* read during sb_owner_open() only */
    const char *instance; /* 1 to 32 of A-Z a-z 0-9 _ - */
    const char *name;     /* "controller", "agent.h1" ...: 1 to 47 of those and '.' */
    const struct sb_owner_table *tables;
    size_t n_tables; /* at least 1, each table once */
    bool cold;       /* start empty even if there is a segment to adopt */
    mode_t mode;     /* of the segment; 0 means 0640 */
    int hwm;         /* messages queued per subscriber before they are dropped; 0 means 1000 */
    bool no_publish; /* no ZeroMQ socket (tests of the tables alone) */
};

/* Takes the owner's lock, then adopts the existing segment if its layout is ours (rows stay where
 * they are; other capacities or shard counts: rows are copied over) or makes a new one, and binds
 * the PUB socket; what of its own has the wrong mode gets the right one. A new incarnation, phase
 * SB_INIT. Call before other threads start. Raises the process's limit of open files as far as it
 * may: subscribers are connections. They may have half of the limit, at most 4096, and of all
 * descriptors the last eighth is left to others; one more is refused, and then all are disconnected
 * and may come back; until then they read the segment. (For that, programs with an owner have an
 * accept4() of the library's, which does as the C library's for all sockets but owners'.) message
 * is filled on error, and with a remark (or "") on success, e.g. that a foreign layout was
 * replaced. SB_EOWNED: another process has it; SB_ENOSPC: /dev/shm is full; SB_EINVAL: a name or
 * capacity; SB_ESYS: the system refused, e.g. the directory or segment is another user's. */
int sb_owner_open(struct sb_owner **ret, const struct sb_owner_config *config, char *message);
/* Clean stop: what waits is given out, the lock is free, the segment stays for the next start. Call
 * from the main thread when no other one writes any more; tables of it are gone. NULLs *owner;
 * accepts NULL. */
void sb_owner_close(struct sb_owner **owner);
/* Were rows adopted from an earlier incarnation? */
bool sb_owner_warm(const struct sb_owner *owner);
/* Random, new at each open, never 0. */
uint64_t sb_owner_incarnation(const struct sb_owner *owner);
/* Tells readers how far the start is: owners go from SB_INIT to SB_RUNNING, through the others as
 * far as they have such steps. Main thread. */
void sb_owner_phase(struct sb_owner *owner, enum sb_phase phase);
/* The writer's handle of one shard; borrowed from the owner until it is closed. NULL if it has no
 * such table or shard. */
struct sb_table *sb_owner_table(struct sb_owner *owner, enum sb_table_id id, unsigned shard);

/* Publishing. sb_owner_fd() becomes readable when changes wait; whatever loop the main thread runs,
 * it calls sb_owner_pump() then, and no later than the number of milliseconds the last call
 * returned (0 to 250). The pump drains the change rings of all shards, sends the deltas (at most 16
 * KB each), keeps the heartbeat and never blocks; who does not call it is stalled after 2 s. It
 * cannot fail: what cannot be sent is found by its missing number. The fd is the owner's. Main
 * thread only, which may be one of the writers. */
int sb_owner_fd(const struct sb_owner *owner);
int sb_owner_pump(struct sb_owner *owner);
/* Is the segment still the one that readers find? SB_ENONE, for good, when the pump saw at one of
 * its heartbeats that somebody removed or replaced it (a clean-up of /dev/shm; systemd's RemoveIPC=
 * at a log-out). Its rows cannot be put back into sight: the process says so (the message does) and
 * ends, and its next start makes a new segment, whose incarnation readers see. No system call. Main
 * thread. */
int sb_owner_check(const struct sb_owner *owner, char *message);

/* ---- table: the writer's side ------------------------------------------------
 * One thread a shard, in the owner's process. No function here allocates, locks or makes a system
 * call, but for an eventfd write when the main thread sleeps and the first change of a batch is
 * made.
 *
 * A row is a struct sb_<table>, whole: row_size bytes, which are read or written during the call
 * and never kept. Owners write rows that are sb_row_valid(), with zeros behind the end of texts;
 * others are stored, but no reader is shown them. Slots are numbers from 0 on within a shard; a row
 * keeps its slot until it is removed or evicted, over restarts too, unless a start had to copy the
 * rows (another capacity or shard count, or sb_owner_open() says why). Rings have sb_append() and
 * sb_table_stats() only, hash tables all but sb_append(). */

struct sb_table_stats {
    uint64_t rows, capacity; /* now; rings: records written, slots */
    /* Since the segment was made: writes by what they did. evicted: of these inserts, those that
     * cost another row its place; refused: not done. Rings count nothing here. */
    uint64_t inserted, updated, removed, evicted, refused;
    uint64_t unpublished; /* changes not sent as deltas because the change ring was full */
    uint64_t superseded;  /* ... because the row changed again before they were: that one was */
};

/* Hash of a key (row_size bytes are not needed, only the key), for this segment: each has another
 * seed; and of the keys of n rows that lie stride bytes apart. Prefetching: hash a batch of keys,
 * prefetch each, then find or put. */
uint64_t sb_hash(const struct sb_table *table, const void *key);
void sb_hash_rows(const struct sb_table *table, const void *rows, size_t stride, unsigned n,
                  uint64_t *ret_hashes);
void sb_prefetch(const struct sb_table *table, uint64_t hash);
/* The second step, some work after the first: the row that the tags point to. Returns its slot, or
 * SB_ENONE: a guess, which sb_find_values() takes. */
int64_t sb_prefetch_row(const struct sb_table *table, uint64_t hash);
/* Prefetches a row whose slot is known. */
void sb_prefetch_at(const struct sb_table *table, int64_t slot);
/* Slot of the row with that key, or SB_ENONE. A row, which starts with its key, may be passed. */
int64_t sb_find(const struct sb_table *table, const void *key);
int64_t sb_find_hashed(const struct sb_table *table, const void *key, uint64_t hash);
/* Copy of the row in a slot. SB_ENONE if the slot is empty or out of range. */
int sb_get(const struct sb_table *table, int64_t slot, void *ret_row);
/* The key of a row, where it lies: its whole 8-byte words only. Valid until the row is removed.
 * NULL if the slot is empty or out of range. */
const void *sb_key(const struct sb_table *table, int64_t slot);
/* The columns behind the key, where they lie: those of the key must not be looked at in it. For the
 * writing thread only, until it writes this slot again. NULL as above. */
const void *sb_peek_values(const struct sb_table *table, int64_t slot);
/* Both: the columns behind the key of the row with that key, or NULL. It looks into *slot first;
 * any value is allowed there. *slot: its slot, or SB_ENONE. */
const void *sb_find_values(const struct sb_table *table, const void *key, uint64_t hash,
                           int64_t *slot);
/* A copy in the table's handle, to look at: valid until the next peek into this table. NULL if the
 * slot is empty or out of range. */
const void *sb_peek(struct sb_table *table, int64_t slot);
/* Insert, or replace the row with this key; _hashed: with sb_hash() of it. Returns its slot, or
 * SB_EFULL: the table refuses (rule SB_REFUSE). One of rule SB_OLDEST evicts instead. */
int64_t sb_put(struct sb_table *table, const void *row);
int64_t sb_put_hashed(struct sb_table *table, const void *row, uint64_t hash);
/* The same for a key that is not there: the caller has just looked. */
int64_t sb_insert_hashed(struct sb_table *table, const void *row, uint64_t hash);
/* Replace the row in a slot; the key must be the same (else SB_EINVAL). SB_ENONE: it is empty. */
int sb_write(struct sb_table *table, int64_t slot, const void *row);
/* The same, but the key is not looked at: it is known to be that row's. SB_ENONE: it is empty. */
int sb_write_values(struct sb_table *table, int64_t slot, const void *row);
/* The same, but the row stays restored if it is, and as old as it was: for marking what nobody has
 * confirmed. Errors as sb_write(). */
int sb_amend(struct sb_table *table, int64_t slot, const void *row);
/* Remove the row in a slot. SB_ENONE if it is empty. */
int sb_remove(struct sb_table *table, int64_t slot);
/* How often the slot was given to a new key, modulo 2^16: makes cookies of reused slots differ. */
uint16_t sb_generation(const struct sb_table *table, int64_t slot);
/* The slot sb_put() would use for a new key: lets a row carry its own slot and generation
 * (generation of that slot after the insert is sb_generation() + 1). SB_EFULL if refused.
 * *ret_victim: the slot of the row that the put will evict (maybe that same slot), or -1. */
int64_t sb_slot_for(const struct sb_table *table, uint64_t hash, int64_t *ret_victim);
/* Iteration: the next full slot after `slot` (start with -1), or SB_ENONE at the end. */
int64_t sb_next(const struct sb_table *table, int64_t slot);
/* Is the row of an earlier incarnation? Every row that an owner adopts is, until it is written
 * again, be it with the same bytes. */
bool sb_restored(const struct sb_table *table, int64_t slot);
/* Ageing: removes the rows that are still restored, since nobody will confirm them now. When that
 * is, the owner decides: after the time in which all that still is so has been heard again.
 * sb_drop_restored() does it at once and returns how many rows went. sb_sweep_restored() does it in
 * steps, for large tables and threads that must not pause: it looks at `budget` slots, from where
 * the last call ended. *removed is increased by the rows that went; may be NULL. False: call it
 * again; true: the whole shard has been gone through, and no row is restored until the next start,
 * so that more calls cost nothing. Rows that are written meanwhile stay. Rings have no restored
 * rows. Each shard by its own thread. */
uint64_t sb_drop_restored(struct sb_table *table);
bool sb_sweep_restored(struct sb_table *table, uint32_t budget, uint64_t *removed);
/* Append to a ring, over its oldest record when it is full. Never fails. */
void sb_append(struct sb_table *table, const void *row);
/* From any thread of the owner's process. */
void sb_table_stats(const struct sb_table *table, struct sb_table_stats *ret);
/* Slot numbers are below this: for what an owner keeps beside its rows. */
uint32_t sb_table_slots(const struct sb_table *table);

/* ---- reader -------------------------------------------------------------------
 * Maps read-only; checks every index, length and count taken from the segment. One thread a
 * reader object. */

struct sb_reader; /* one thread; other threads open readers of their own */

enum sb_liveness {
    SB_ALIVE,     /* the owner has its segment locked, heartbeat fresh */
    SB_STALLED,   /* locked, heartbeat older than 2 s */
    SB_DEAD,      /* not locked: nobody writes; the rows stand as they were */
    SB_RESTARTED, /* another incarnation than the one first seen, or the segment was replaced:
                     call sb_reader_reopen() */
};
const char *sb_liveness_text(enum sb_liveness liveness); /* "alive", "stalled", ... */

struct sb_segment_info {
    char owner[SB_OWNER_MAX];
    uint64_t incarnation;      /* now, not when it was opened */
    uint64_t heartbeat_age_ns; /* monotonic; owners beat every 250 ms */
    uint64_t size;             /* bytes of shared memory */
    uint64_t layout_hash;      /* of all its tables */
    uint64_t damaged;          /* rows and records this reader passed over: no owner writes such */
    uint32_t pid;              /* in the owner's pid namespace */
    uint16_t abi_major, abi_minor;
    enum sb_phase phase;
    enum sb_liveness liveness;
};

/* Maps the segment of an owner, alive or dead. SB_ENONE: it has not run since the machine started;
 * SB_ENOTREADY: it is starting, try again; SB_ELAYOUT: of another build (the message has both
 * versions), or of a user we do not trust; SB_ECORRUPT: no owner writes such a thing; SB_ESYS: the
 * system refused, mostly because we are not in the group of the instance. */
int sb_reader_open(struct sb_reader **ret, const char *instance, const char *owner, char *message);
/* NULLs *reader; accepts NULL. */
void sb_reader_close(struct sb_reader **reader);
/* After SB_RESTARTED: maps what is there now and takes over its incarnation. Positions of
 * sb_follow() go on where the shards are as before. Errors as sb_reader_open(); then the old
 * mapping stays. */
int sb_reader_reopen(struct sb_reader *reader, char *message);
/* How the owner is. Some system calls; once a second is plenty. Always SB_OK; asking locks nothing.
 */
int sb_reader_info(struct sb_reader *reader, struct sb_segment_info *ret);
/* Is the table in this segment? What is there never changes under a mapping. */
bool sb_reader_has(const struct sb_reader *reader, enum sb_table_id id);
/* Sums over all shards. SB_ENONE: no such table here, as everywhere below. */
int sb_reader_stats(const struct sb_reader *reader, enum sb_table_id id,
                    struct sb_table_stats *ret);
/* One row after another: *cursor starts at 0. 1: a row was copied to ret_row (row_size bytes,
 * 8-byte aligned: a struct sb_<table>), 0: the end, SB_EBUSY: one row skipped, as it changed all
 * the time (go on). Only rows that sb_row_valid() are returned, here and below. Each row is whole;
 * all of them together are no snapshot, since others may change meanwhile. For rings: the records
 * that stand, oldest first, shard by shard. */
int sb_read(struct sb_reader *reader, enum sb_table_id id, uint64_t *cursor, void *ret_row);
/* The row with that key: key_size bytes, or a row with its key columns set and zeros behind text.
 * 1: copied to ret_row, 0: not there, SB_EBUSY: try again, SB_EINVAL: a ring has no keys. About 100
 * ns, no system call. ret_row may be written even when the row is not found. */
int sb_lookup(struct sb_reader *reader, enum sb_table_id id, const void *key, void *ret_row);
/* Was the row that the last sb_read() or sb_lookup() returned written by an earlier incarnation of
 * its owner, and not confirmed by this one yet? Never so for rings. */
bool sb_reader_restored(const struct sb_reader *reader);
/* Follow a ring: *position starts at 0 (from the oldest record) or UINT64_MAX (from now on).
 * 1: a record, 0: none yet. *ret_lost is increased by the records overwritten before they were
 * read. SB_ENONE: no such table or shard here; SB_EINVAL: no ring; SB_ECORRUPT: its head is one
 * that no owner writes. No system call. */
int sb_follow(struct sb_reader *reader, enum sb_table_id id, unsigned shard, uint64_t *position,
              void *ret_row, uint64_t *ret_lost);
/* Random, another one when the table was begun anew (a cold start), 0 without the table. After
 * sb_reader_reopen(): while it is the same a ring's positions go on, else start again at 0. */
uint64_t sb_reader_epoch(const struct sb_reader *reader, enum sb_table_id id);
/* How many shards the table has here; 0: it is not in this segment. */
unsigned sb_reader_shards(const struct sb_reader *reader, enum sb_table_id id);

/* The owners of an instance that have a lock file, dead ones included: calls each(arg, owner) until
 * it returns non-zero, and returns that; 0 at the end, also when we may not read the directory. The
 * name is valid during the call. SB_EINVAL: the directory's path is too long. */
int sb_each_owner(const char *instance, int (*each)(void *arg, const char *owner), void *arg);

/* ---- subscriber -----------------------------------------------------------------
 * Subscribes to some tables of all owners of an instance (owners that come later are found within
 * 250 ms), or of one. Keeps a copy of the hash tables, so that a change comes with its old row, and
 * repairs itself: after a gap, a new incarnation or a heartbeat that is ahead it re-reads the table
 * and reports the differences. One thread, which is also where the callback runs; any process that
 * may read, also an owner's. */

enum sb_op {
    SB_PUT,    /* old == NULL: a new row */
    SB_REMOVE, /* row == NULL */
    SB_APPEND, /* a ring record; old == NULL */
};

struct sb_change {
    const char *owner;      /* whose table; valid during the call, as row and old */
    uint64_t incarnation;   /* of that owner */
    enum sb_table_id table; /* what struct row and old are: sb_<table> */
    enum sb_op op;
    const void *row, *old;
};
/* Called by sb_subscriber_run(), in its thread. */
typedef void sb_change_fn(void *arg, const struct sb_change *change);

struct sb_subscriber;
struct sb_subscriber_stats {
    uint64_t received;  /* changes that came as deltas */
    uint64_t missed;    /* changes known to have been given out and not received; with received: all
                           that the owners gave out since their segments were first opened */
    uint64_t rereads;   /* tables read again from shared memory */
    uint64_t ring_lost; /* ring records lost for good (lapped) */
    uint64_t refused;   /* messages and segments of a foreign layout, rows that no owner writes */
    uint32_t owners;    /* connected now */
};

/* tables: bit 1 << SB_T_<table> each. owner: NULL for all. Nothing happens before the first run.
 * Hash tables: a write of the same bytes is no change; the rows that stand are reported first, also
 * those of dead owners. Rings: of owners found by the first run only what comes from then on, of
 * later ones everything from the oldest record. The callback must not call the subscriber.
 * SB_EINVAL: a name, or no table; SB_ESYS: no memory, descriptors or sockets. Owners that cannot be
 * read are no error: they are counted in `refused` and tried again. */
int sb_subscribe(struct sb_subscriber **ret, const char *instance, const char *owner,
                 uint64_t tables, sb_change_fn *change, void *arg, char *message);
/* Without any further callback. NULLs *subscriber; accepts NULL. */
void sb_subscriber_close(struct sb_subscriber **subscriber);
/* Readable when something may be there (a ZeroMQ fd inside an epoll: edges are handled). The
 * subscriber's; the same until it is closed. */
int sb_subscriber_fd(const struct sb_subscriber *subscriber);
/* Handles all that is there, calling back for each change, and returns the milliseconds after which
 * to call it again at the latest (0 to 250). Never blocks, never fails. */
int sb_subscriber_run(struct sb_subscriber *subscriber);
/* True when every table of every known owner has been read and nothing is known to be missing. */
bool sb_subscriber_synced(const struct sb_subscriber *subscriber);
void sb_subscriber_stats(const struct sb_subscriber *subscriber, struct sb_subscriber_stats *ret);

#endif
