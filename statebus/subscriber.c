/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber.c - changes of many owners, with repair from shared memory. One thread.
 *
 * Per owner one SUB socket and one reader; per hash table a mirror, per ring a position in each
 * shard. Deltas are applied as they come while they follow each other; whatever breaks the chain
 * (a gap, a heartbeat that is ahead, a new incarnation, an owner's death) only marks the table
 * stale. Deltas of a stale table are counted and dropped, and at the end of the turn it is read
 * again. That loses nothing: the owner stores a delta's sequence in the segment before it
 * sends it, so the sequence S read before the table covers every delta that came before, and
 * later ones up to S are skipped.
 * A table read at S may already hold changes beyond S, whose deltas come afterwards: the rows then
 * step through a state they had before. They end right, as the last delta of a row is its state.
 */
#include "mirror.h"
#include "publisher.h"
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <trivet/clock.h>
#include <unistd.h>

#define SUBSCRIBER_MAGIC UINT32_C(0x5b5b5c4b)
#define SCAN_NS (250 * SB_MS)     /* between looks for new and dead owners */
#define DEAF_MAX 4                /* looks without a message until the segment is asked */
#define TURN_MAX 1024             /* messages of one owner a turn */
#define SILENT_NS (2 * SB_SECOND) /* without a heartbeat: nobody writes it */
#define PREFETCH 8                /* rows fetched ahead of the one at hand */

/* One table of one owner. */
struct follow {
    bool present;             /* the owner has it */
    bool stale;               /* to be read again */
    uint64_t epoch;           /* of the series that stream and positions belong to */
    uint64_t stream;          /* last sequence accounted for, received or missed */
    uint64_t applied;         /* our copy holds all changes up to here */
    struct sb_mirror *mirror; /* owned; hash tables */
    uint64_t *positions;      /* owned; rings: the next record of each shard */
    unsigned n_shards;
};

struct source {
    char owner[SB_OWNER_MAX];
    char path[SB_PATH_MAX];   /* of its socket; "" if it does not fit */
    zsock_t *socket;          /* owned; NULL while the owner is dead */
    struct sb_reader *reader; /* owned; NULL: no segment that we can read */
    uint64_t incarnation;
    bool alive;    /* its lock was held at the last scan */
    bool beat;     /* a heartbeat of this incarnation came */
    unsigned deaf; /* looks since a message came */
    bool foreign;  /* its segment has another layout */
    bool from_now; /* rings: it was there when we subscribed, so its past is not news */
    struct follow tables[SB_T_COUNT];
    struct source *next;
};

struct sb_subscriber {
    uint32_t magic;
    int epoll;
    char instance[40], only[SB_OWNER_MAX]; /* only: the one owner, or "" for all */
    uint64_t tables;
    sb_change_fn *change;
    void *arg;
    uint64_t scanned_ns;    /* CLOCK_MONOTONIC, 0 never */
    struct source *sources; /* owned */
    struct sb_subscriber_stats stats;
};

static bool
wanted(const struct sb_subscriber *subscriber, int id)
{
    return subscriber->tables >> id & 1;
}

static void
report(struct sb_subscriber *subscriber, const struct source *source, enum sb_table_id id,
       enum sb_op op, const void *row, const void *old)
{
    struct sb_change change = {
        .owner = source->owner,
        .incarnation = source->incarnation,
        .table = id,
        .op = op,
        .row = row,
        .old = old,
    };

    subscriber->change(subscriber->arg, &change);
}

/* ---- one row --------------------------------------------------------------------- */

/* slot: a hint where the owner has it */
static void
put_row(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id, uint64_t slot,
        const void *row)
{
    struct follow *table = &source->tables[id];
    size_t size = sb_table_info(id)->row_size;
    uint64_t hash;
    void *known = sb_mirror_find(table->mirror, slot, row, &hash);

    if (known) {
        if (memcmp(known, row, size) == 0)
            return;
        report(subscriber, source, id, SB_PUT, row, known);
        memcpy(known, row, size);
        return;
    }
    if (sb_mirror_insert(table->mirror, slot, row, hash))
        report(subscriber, source, id, SB_PUT, row, NULL);
    else
        table->stale = true; /* out of memory: try again */
}

static void
remove_row(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id,
           uint64_t slot, const void *key)
{
    struct follow *table = &source->tables[id];
    uint64_t hash;
    void *known = sb_mirror_find(table->mirror, slot, key, &hash);

    if (!known)
        return;
    report(subscriber, source, id, SB_REMOVE, NULL, known);
    sb_mirror_remove(table->mirror, known);
}

/* All rows that were not seen in this round are gone. */
static void
remove_stale(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id)
{
    uint64_t row[SB_ROW_MAX / 8];

    while (sb_mirror_stale(source->tables[id].mirror, row))
        report(subscriber, source, id, SB_REMOVE, NULL, row);
}

/* ---- reading a table again ----------------------------------------------------------- */

static void
reread_hash(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id)
{
    struct follow *table = &source->tables[id];
    uint64_t rows[PREFETCH][SB_ROW_MAX / 8], slots[PREFETCH], cursor = 0;
    uint64_t seq = sb_reader_seq(source->reader, id);
    bool whole = true;
    int got = 1;

    table->stale = false;
    sb_mirror_round(table->mirror);
    while (got != 0) {
        int n = 0;

        while (n < PREFETCH && (got = sb_read(source->reader, id, &cursor, rows[n])) != 0) {
            if (got != 1) {
                whole = false;
                continue;
            }
            slots[n] = cursor - 1;
            sb_mirror_prefetch_key(table->mirror, slots[n], rows[n]);
            n++;
        }
        for (int i = 0; i < n; i++)
            put_row(subscriber, source, id, slots[i], rows[i]);
    }
    if (!whole) {
        table->stale = true; /* a row was too busy: we do not know which ones are gone */
        return;
    }
    remove_stale(subscriber, source, id);
    table->applied = seq;
}

static void
reread_ring(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id)
{
    struct follow *table = &source->tables[id];
    uint64_t row[SB_ROW_MAX / 8], seq = sb_reader_seq(source->reader, id);

    table->stale = false;
    for (unsigned s = 0; s < table->n_shards; s++) {
        /* bounded: a writer faster than we are must not keep us here */
        for (uint32_t i = 0; i < 2 * SB_CAPACITY_MAX; i++) {
            uint64_t lost = 0;
            int got = sb_reader_next(source->reader, id, s, &table->positions[s], row, &lost);

            subscriber->stats.ring_lost += lost;
            if (got == 1)
                report(subscriber, source, id, SB_APPEND, row, NULL);
            else if (lost == 0)
                break; /* the end; nothing but lost records may go on behind them */
        }
    }
    table->applied = seq;
}

static void
repair(struct sb_subscriber *subscriber, struct source *source)
{
    if (!source->reader)
        return;
    for (int id = 0; id < SB_T_COUNT; id++) {
        if (!source->tables[id].present || !source->tables[id].stale)
            continue;
        subscriber->stats.rereads++;
        if (sb_table_info((enum sb_table_id)id)->kind == SB_RING)
            reread_ring(subscriber, source, (enum sb_table_id)id);
        else
            reread_hash(subscriber, source, (enum sb_table_id)id);
    }
}

/* ---- incarnations ---------------------------------------------------------------------- */

/* All numbers up to `last` have been given out, and what did not come by now does not come. */
static void
account(struct sb_subscriber *subscriber, struct follow *table, uint64_t last)
{
    if (last <= table->stream)
        return;
    subscriber->stats.missed += last - table->stream;
    table->stream = last;
}

/* The owner's last words: what it gave out and we did not get. */
static void
account_all(struct sb_subscriber *subscriber, struct source *source)
{
    for (int id = 0; id < SB_T_COUNT; id++)
        if (source->tables[id].present)
            account(subscriber, &source->tables[id],
                    sb_reader_seq(source->reader, (enum sb_table_id)id));
}

/* A table begun anew: its old numbers and records are what the old mapping, which nobody writes any
 * more, still shows. A cold start between two looks of ours, of which nothing is left, is the one
 * thing that cannot be counted. */
static void
end_series(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id,
           const struct sb_reader *next)
{
    struct follow *table = &source->tables[id];
    uint64_t seq = sb_reader_seq(next, id);

    if (sb_reader_epoch(next, id) == table->epoch) {
        if (seq < table->stream)
            table->stream = seq; /* damage that its owner took for the truth */
        return;
    }
    if (source->reader) { /* else that is done: let_go() */
        account(subscriber, table, sb_reader_seq(source->reader, id));
        if (sb_table_info(id)->kind == SB_RING)
            reread_ring(subscriber, source, id);
    }
    table->stream = 0;
}

static bool
begin_ring(struct source *source, enum sb_table_id id, bool anew)
{
    struct follow *table = &source->tables[id];
    unsigned shards = sb_reader_shards(source->reader, id);
    bool first = !table->positions;

    if (table->n_shards != shards) {
        free(table->positions);
        table->positions = calloc(shards, sizeof *table->positions);
        table->n_shards = table->positions ? shards : 0;
    }
    for (unsigned s = 0; s < table->n_shards && anew; s++) {
        struct sb_ring_range range = {0};

        sb_reader_ring(source->reader, id, s, &range);
        table->positions[s] = !first ? range.start : source->from_now ? range.head : range.first;
    }
    return table->positions != NULL;
}

static bool
begin_hash(struct source *source, enum sb_table_id id)
{
    const struct sb_table_info *info = sb_table_info(id);
    struct follow *table = &source->tables[id];
    struct sb_table_stats stats;

    if (!table->mirror)
        table->mirror = sb_mirror_new(info->key_size, info->row_size);
    if (!table->mirror)
        return false;
    sb_reader_stats(source->reader, id, &stats);
    sb_mirror_expect(table->mirror, sb_reader_slots(source->reader, id),
                     stats.rows < stats.capacity ? stats.rows : stats.capacity);
    return true;
}

/* Everything of a new incarnation is to be read; what we hold stays until then, to compare. */
static void
begin_incarnation(struct sb_subscriber *subscriber, struct source *source)
{
    bool first = source->incarnation == 0;

    source->incarnation = sb_reader_incarnation(source->reader);
    source->beat = false;
    for (int i = 0; i < SB_T_COUNT; i++) {
        enum sb_table_id id = (enum sb_table_id)i;
        struct follow *table = &source->tables[id];
        uint64_t epoch = sb_reader_epoch(source->reader, id);
        bool anew = !table->present || epoch != table->epoch;

        table->present = wanted(subscriber, i) && sb_reader_has(source->reader, id);
        if (!table->present) {
            if (table->mirror) { /* it no longer has this table */
                sb_mirror_round(table->mirror);
                remove_stale(subscriber, source, id);
            }
            continue;
        }
        if (first)
            table->stream = sb_reader_seq(source->reader, id);
        table->epoch = epoch;
        table->stale = true;
        table->applied = 0;
        table->present = sb_table_info(id)->kind == SB_RING ? begin_ring(source, id, anew)
                                                            : begin_hash(source, id);
    }
}

/* A segment that has no name any more lies in memory because we map it, and perhaps its next owner
 * waits for that memory. Once nobody writes it (the owner may not know yet that it was removed), it
 * has been read to its end, and what we know of its rows is in the mirrors. */
static void
let_go(struct sb_subscriber *subscriber, struct source *source, uint64_t silent_ns)
{
    if (source->alive || silent_ns < SILENT_NS)
        return;
    account_all(subscriber, source);
    for (int id = 0; id < SB_T_COUNT; id++)
        source->tables[id].stale = source->tables[id].present;
    repair(subscriber, source);
    for (int id = 0; id < SB_T_COUNT; id++)
        if (source->tables[id].stale)
            return; /* the next look tries again */
    sb_reader_close(&source->reader);
}

/* Opens the segment, or looks whether it is another one now. */
static void
open_source(struct sb_subscriber *subscriber, struct source *source)
{
    struct sb_reader *reader = NULL;
    struct sb_segment_info info = {0};
    int error;

    if (source->reader && sb_reader_info(source->reader, &info) == SB_OK &&
        info.liveness != SB_RESTARTED)
        return;
    error = sb_reader_open(&reader, subscriber->instance, source->owner, NULL);
    if (error == SB_ENONE && source->reader)
        let_go(subscriber, source, info.heartbeat_age_ns);
    if (error == SB_ELAYOUT || error == SB_ECORRUPT) {
        if (!source->foreign)
            subscriber->stats.refused++;
        source->foreign = true;
    }
    if (error < 0)
        return; /* the old mapping stays, to be read */
    source->foreign = false;
    for (int id = 0; id < SB_T_COUNT; id++)
        if (source->tables[id].present)
            end_series(subscriber, source, (enum sb_table_id)id, reader);
    sb_reader_close(&source->reader);
    source->reader = reader;
    begin_incarnation(subscriber, source);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void
apply_ring(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id,
           uint64_t prefix, const void *row)
{
    struct follow *table = &source->tables[id];
    uint64_t shard = prefix >> 48, position = prefix & SB_PREFIX_LOW;

    if (shard >= table->n_shards || position > table->positions[shard]) {
        table->stale = true;
    } else if (position == table->positions[shard]) {
        table->positions[shard]++;
        report(subscriber, source, id, SB_APPEND, row, NULL);
    }
}

static void
take_delta(struct sb_subscriber *subscriber, struct source *source, enum sb_table_id id,
           const struct sb_message *header, const uint8_t *records)
{
    struct follow *table = &source->tables[id];
    uint64_t last = header->first_seq + header->count - 1, prefix, copy[SB_ROW_MAX / 8];
    bool ring = sb_table_info(id)->kind == SB_RING, aligned = (uintptr_t)records % 8 == 0;
    uint32_t i = 0;

    account(subscriber, table, header->first_seq - 1);
    if (last > table->stream) { /* those before were counted when the segment showed them */
        subscriber->stats.received += last - table->stream;
        table->stream = last;
    }
    if (header->first_seq > table->applied + 1)
        table->stale = true;
    if (table->stale || last <= table->applied)
        return;
    if (header->first_seq <= table->applied)
        i = (uint32_t)(table->applied + 1 - header->first_seq);
    for (uint32_t j = i; j < header->count && !ring; j++) {
        memcpy(&prefix, records + (size_t)j * header->record_size, 8);
        sb_mirror_prefetch_hint(table->mirror, prefix & SB_PREFIX_LOW);
    }
    for (; i < header->count && !table->stale; i++) {
        const uint8_t *record = records + (size_t)i * header->record_size;
        const void *row = record + 8;

        if (!ring && i + PREFETCH < header->count) {
            memcpy(&prefix, record + PREFETCH * (size_t)header->record_size, 8);
            sb_mirror_prefetch(table->mirror, prefix & SB_PREFIX_LOW);
        }
        if (!aligned)
            row = memcpy(copy, row, header->record_size - 8);
        memcpy(&prefix, record, 8);
        if ((!ring && prefix >> 48 > SB_REMOVE) || !sb_row_valid(id, row)) {
            subscriber->stats.refused++; /* no owner sends such: the table knows better */
            table->stale = true;
        } else if (ring) {
            apply_ring(subscriber, source, id, prefix, row);
        } else if (prefix >> 48 == SB_REMOVE) {
            remove_row(subscriber, source, id, prefix & SB_PREFIX_LOW, row);
        } else {
            put_row(subscriber, source, id, prefix & SB_PREFIX_LOW, row);
        }
    }
    if (!table->stale)
        table->applied = last;
}

static void
take_heartbeat(struct sb_subscriber *subscriber, struct source *source,
               const struct sb_message *header, const uint8_t *records)
{
    source->beat = true;
    for (uint32_t i = 0; i < header->count; i++) {
        struct sb_beat beat;
        struct follow *table;
        int id;

        memcpy(&beat, records + i * sizeof beat, sizeof beat);
        beat.table[sizeof beat.table - 1] = 0;
        id = sb_table_by_name(beat.table);
        if (id < 0 || !source->tables[id].present)
            continue;
        table = &source->tables[id];
        if (beat.last_seq > sb_reader_seq(source->reader, (enum sb_table_id)id))
            continue; /* it was never given out: see take_message() */
        account(subscriber, table, beat.last_seq);
        if (beat.last_seq > table->applied)
            table->stale = true;
    }
}

/* Checks a message and hands it on. False: not one of ours. */
static bool
take_message(struct sb_subscriber *subscriber, struct source *source, const char *topic,
             size_t topic_size, const void *frame, size_t frame_size, const uint8_t *records,
             size_t size)
{
    struct sb_message header;
    int id;

    if (topic_size == 0 || topic[topic_size - 1] != 0 || frame_size != sizeof header)
        return false;
    memcpy(&header, frame, sizeof header);
    if (header.magic != SB_MESSAGE_MAGIC || header.abi != SB_ABI_MAJOR || header.record_size == 0 ||
        (uint64_t)header.count * header.record_size != size)
        return false;
    if (!source->reader || header.incarnation != source->incarnation) {
        open_source(subscriber, source);
        if (!source->reader || header.incarnation != source->incarnation)
            return !source->foreign; /* the last words of an earlier incarnation */
    }
    source->deaf = 0;
    if (header.kind == SB_MESSAGE_HEARTBEAT) {
        if (header.record_size != sizeof(struct sb_beat))
            return false;
        take_heartbeat(subscriber, source, &header, records);
        return true;
    }
    id = sb_table_by_name(topic);
    if (id < 0 || header.kind != SB_MESSAGE_DELTA || header.count == 0 || header.first_seq == 0 ||
        header.first_seq >= SB_SEQ_MAX ||
        header.record_size != 8u + sb_table_info((enum sb_table_id)id)->row_size)
        return false;
    if (!source->tables[id].present)
        return true;
    /* The segment shows a sequence before its message is sent: this one never was given out. */
    if (header.first_seq + header.count - 1 > sb_reader_seq(source->reader, (enum sb_table_id)id)) {
        source->tables[id].stale = true;
        return false;
    }
    take_delta(subscriber, source, (enum sb_table_id)id, &header, records);
    return true;
}

/* Takes one message off the socket. False: there is none. */
static bool
receive(struct sb_subscriber *subscriber, struct source *source)
{
    void *socket = zsock_resolve(source->socket);
    zmq_msg_t frames[3], more;
    int n = 0, rest = 1;

    while (rest) {
        zmq_msg_t *frame = n < 3 ? &frames[n] : &more;

        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            break; /* only before the first frame: messages come whole */
        }
        rest = zmq_msg_more(frame);
        if (n < 3)
            n++;
        else
            zmq_msg_close(frame);
    }
    if (n > 0 && (n != 3 || !take_message(subscriber, source, zmq_msg_data(&frames[0]),
                                          zmq_msg_size(&frames[0]), zmq_msg_data(&frames[1]),
                                          zmq_msg_size(&frames[1]), zmq_msg_data(&frames[2]),
                                          zmq_msg_size(&frames[2]))))
        subscriber->stats.refused++;
    for (int i = 0; i < n; i++)
        zmq_msg_close(&frames[i]);
    return n > 0;
}

static void
disconnect_source(struct sb_subscriber *subscriber, struct source *source)
{
    if (!source->socket)
        return;
    epoll_ctl(subscriber->epoll, EPOLL_CTL_DEL, (int)zsock_fd(source->socket), NULL);
    zsock_destroy(&source->socket);
}

/* Is the socket at the owner's path the owner's own? Who has the services' rights could bind
 * another one there, and what it says is not to be heard. (Nor what an owner says that we cannot
 * read.) */
static bool
is_genuine(struct sb_subscriber *subscriber, struct source *source)
{
    uint64_t inode = sb_socket_inode(source->path);

    if (source->reader && inode != sb_reader_socket(source->reader))
        open_source(subscriber, source); /* it may have another segment now */
    return source->reader && inode != 0 && inode == sb_reader_socket(source->reader);
}

/* True if there may be more. */
static bool
drain(struct sb_subscriber *subscriber, struct source *source)
{
    int taken = 0;

    if (source->socket && zsock_events(source->socket) & ZMQ_POLLIN &&
        !is_genuine(subscriber, source)) {
        /* with all that has come; the next scan tries again */
        disconnect_source(subscriber, source);
        for (int id = 0; id < SB_T_COUNT; id++)
            source->tables[id].stale = source->tables[id].present;
        return false;
    }
    /* ZMQ_FD is edge-triggered: only ZMQ_EVENTS tells that nothing is left, and clears it. */
    while (source->socket && zsock_events(source->socket) & ZMQ_POLLIN) {
        while (taken < TURN_MAX && receive(subscriber, source))
            taken++;
        if (taken >= TURN_MAX)
            return true;
    }
    return false;
}

/* ---- owners --------------------------------------------------------------------------------- */

static void
connect_source(struct sb_subscriber *subscriber, struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN};

    source->socket = zsock_new(ZMQ_SUB);
    if (!source->socket)
        return;
    zsock_set_rcvhwm(source->socket, 1000);
    zsock_set_maxmsgsize(source->socket, 2 * SB_MESSAGE_SIZE);
    zsock_set_linger(source->socket, 0);
    zsock_set_reconnect_ivl(source->socket, 50);
    for (int id = 0; id < SB_T_COUNT; id++) {
        const char *name = sb_table_info((enum sb_table_id)id)->name;

        if (wanted(subscriber, id))
            zmq_setsockopt(zsock_resolve(source->socket), ZMQ_SUBSCRIBE, name, strlen(name) + 1);
    }
    zmq_setsockopt(zsock_resolve(source->socket), ZMQ_SUBSCRIBE, SB_TOPIC_HEARTBEAT,
                   sizeof SB_TOPIC_HEARTBEAT);
    if (zsock_connect(source->socket, "ipc://%s", source->path) < 0 ||
        epoll_ctl(subscriber->epoll, EPOLL_CTL_ADD, (int)zsock_fd(source->socket), &event) < 0)
        zsock_destroy(&source->socket);
}

static struct source *
add_source(struct sb_subscriber *subscriber, const char *owner)
{
    struct source *source = calloc(1, sizeof *source);

    if (!source)
        return NULL;
    snprintf(source->owner, sizeof source->owner, "%s", owner);
    if (sb_runtime_path(subscriber->instance, owner, SB_SOCKET_SUFFIX, source->path, NULL) < 0)
        source->path[0] = 0;
    source->from_now = subscriber->scanned_ns == 0;
    source->next = subscriber->sources;
    subscriber->sources = source;
    return source;
}

static void
free_source(struct sb_subscriber *subscriber, struct source *source)
{
    disconnect_source(subscriber, source);
    sb_reader_close(&source->reader);
    for (int id = 0; id < SB_T_COUNT; id++) {
        sb_mirror_destroy(&source->tables[id].mirror);
        free(source->tables[id].positions);
    }
    free(source);
}

/* The owner lives and nothing comes, not even heartbeats: we cannot connect, or its main thread
 * stands still. The segment tells all the same. */
static void
do_without_messages(struct sb_subscriber *subscriber, struct source *source)
{
    account_all(subscriber, source);
    for (int id = 0; id < SB_T_COUNT; id++) {
        struct follow *table = &source->tables[id];

        table->stale |= table->present && table->stream > table->applied;
    }
}

/* sb_each_owner: look at one owner, known or not. */
static int
look_at(void *arg, const char *owner)
{
    struct sb_subscriber *subscriber = arg;
    struct source *source = subscriber->sources;
    bool was_alive;

    while (source && strcmp(source->owner, owner) != 0)
        source = source->next;
    if (!source)
        source = add_source(subscriber, owner);
    if (!source)
        return 0; /* out of memory: the next scan tries again */
    was_alive = source->alive;
    source->alive = sb_map_held(subscriber->instance, owner) != 0;
    if (!source->alive && was_alive) {
        /* What it wrote last may never have been sent. */
        disconnect_source(subscriber, source);
        for (int id = 0; source->reader && id < SB_T_COUNT; id++)
            source->tables[id].stale = source->tables[id].present;
        if (source->reader)
            account_all(subscriber, source);
    }
    open_source(subscriber, source);
    if (source->alive && !source->socket && is_genuine(subscriber, source))
        connect_source(subscriber, source);
    if (source->reader && source->alive && source->deaf++ >= DEAF_MAX)
        do_without_messages(subscriber, source);
    return 0;
}

static void
scan(struct sb_subscriber *subscriber, uint64_t now)
{
    subscriber->stats.owners = 0;
    if (subscriber->only[0])
        look_at(subscriber, subscriber->only);
    else
        sb_each_owner(subscriber->instance, look_at, subscriber);
    for (struct source *source = subscriber->sources; source; source = source->next)
        subscriber->stats.owners += source->alive && source->reader;
    subscriber->scanned_ns = now;
}

/* ---- the API ------------------------------------------------------------------------------------
 */

int
sb_subscribe(struct sb_subscriber **ret, const char *instance, const char *owner, uint64_t tables,
             sb_change_fn *change, void *arg, char *message)
{
    char name[SB_SEGMENT_NAME_MAX];
    struct sb_subscriber *subscriber;
    int error = sb_segment_name(instance, owner ? owner : "any", name, message);

    if (error < 0)
        return error;
    if (tables == 0 || tables >> SB_T_COUNT)
        return sb_fail(message, SB_EINVAL, "no such tables: %#llx", (unsigned long long)tables);
    error = sb_runtime_path(instance, owner ? owner : "any", SB_SOCKET_SUFFIX, name, message);
    if (error < 0)
        return error;
    zsys_handler_set(NULL); /* the first socket would take SIGINT and SIGTERM from the program */
    subscriber = calloc(1, sizeof *subscriber);
    if (!subscriber)
        return sb_fail(message, SB_ESYS, "out of memory");
    subscriber->magic = SUBSCRIBER_MAGIC;
    subscriber->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (subscriber->epoll < 0) {
        error = sb_fail(message, SB_ESYS, "epoll: %s", strerror(errno));
        free(subscriber);
        return error;
    }
    snprintf(subscriber->instance, sizeof subscriber->instance, "%s", instance);
    snprintf(subscriber->only, sizeof subscriber->only, "%s", owner ? owner : "");
    subscriber->tables = tables;
    subscriber->change = change;
    subscriber->arg = arg;
    *ret = subscriber;
    return SB_OK;
}

void
sb_subscriber_close(struct sb_subscriber **ref)
{
    struct sb_subscriber *subscriber = *ref;
    struct source *next;

    if (!subscriber)
        return;
    for (struct source *source = subscriber->sources; source; source = next) {
        next = source->next;
        free_source(subscriber, source);
    }
    close(subscriber->epoll);
    subscriber->magic = 0;
    free(subscriber);
    *ref = NULL;
}

int
sb_subscriber_fd(const struct sb_subscriber *subscriber)
{
    return subscriber->epoll;
}

int
sb_subscriber_run(struct sb_subscriber *subscriber)
{
    uint64_t now = sb_mono();
    bool more = false, busy = false;

    for (struct source *source = subscriber->sources; source; source = source->next)
        more |= drain(subscriber, source);
    if (subscriber->scanned_ns == 0 || now - subscriber->scanned_ns >= SCAN_NS)
        scan(subscriber, now);
    for (struct source *source = subscriber->sources; source; source = source->next) {
        repair(subscriber, source);
        for (int id = 0; id < SB_T_COUNT; id++)
            busy |= source->tables[id].present && source->tables[id].stale;
    }
    if (more)
        return 0;
    if (busy)
        return 1;
    now = sb_mono() - subscriber->scanned_ns;
    return now >= SCAN_NS ? 0 : (int)((SCAN_NS - now + SB_MS - 1) / SB_MS);
}

bool
sb_subscriber_synced(const struct sb_subscriber *subscriber)
{
    if (subscriber->scanned_ns == 0)
        return false;
    for (const struct source *source = subscriber->sources; source; source = source->next) {
        if (source->foreign || (!source->alive && !source->reader))
            continue; /* nothing there that we could read */
        if (!source->reader || (source->alive && !source->beat && source->deaf <= DEAF_MAX))
            return false;
        for (int id = 0; id < SB_T_COUNT; id++)
            if (source->tables[id].present && source->tables[id].stale)
                return false;
    }
    return true;
}

void
sb_subscriber_stats(const struct sb_subscriber *subscriber, struct sb_subscriber_stats *ret)
{
    *ret = subscriber->stats;
}
