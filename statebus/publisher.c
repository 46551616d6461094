/* SPDX-License-Identifier: Apache-2.0
 *
 * publisher.c - drains the change rings into messages. Main thread only.
 *
 * PUB never blocks: a subscriber whose queue is full loses the message, sees the gap in the
 * sequence and reads the table again. Nothing a subscriber does slows the owner. Its socket is in
 * listener.c.
 */
#include "publisher.h"

#if defined(__SANITIZE_THREAD__)
/* The distribution's libzmq is not instrumented, so ThreadSanitizer cannot see how it hands
 * messages to its own threads. */
const char *__tsan_default_suppressions(void);
const char *
__tsan_default_suppressions(void)
{
    return "race:libzmq.so\ncalled_from_lib:libzmq.so\n";
}
#endif

/* A PUB socket takes every message; failures are out of memory and the context's end, where the
 * message is as lost as one beyond the high-water mark, and seen by the same gap. */
static void
send_message(struct sb_publisher *publisher, const char *topic, struct sb_message *header,
             zmq_msg_t *body)
{
    void *socket = zsock_resolve(publisher->socket);

    header->magic = SB_MESSAGE_MAGIC;
    header->abi = SB_ABI_MAJOR;
    header->incarnation = publisher->incarnation;
    if (zmq_send(socket, topic, strlen(topic) + 1, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        zmq_send(socket, header, sizeof *header, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        zmq_msg_send(body, socket, ZMQ_DONTWAIT) < 0)
        zmq_msg_close(body);
}

/* Numbers that nobody gets: the gap tells subscribers to read the table again. */
static void
leave_gap(struct sb_published *table, struct sb_table *shard, uint64_t n)
{
    if (n == 0)
        return;
    table->last_seq += n;
    sb_store_release(&table->dir->last_seq, table->last_seq);
    sb_store(&shard->shard->unpublished, shard->shard->unpublished + n);
}

/* What takes records out of a shard's change ring: each fills data with at most `most` of the next
 * `count` changes and returns how many records that gave; *taken: how many changes they are. */
typedef uint32_t take_fn(const struct sb_published *table, const struct sb_table *shard,
                         uint32_t count, uint8_t *data, uint32_t most, uint32_t *taken);

#define FETCH_AHEAD 8 /* slots that are fetched before the one that is copied */

/* The row that a change left in its slot, behind the prefix. False: it changed again. */
static inline bool
take_row(const struct sb_table *shard, const struct sb_change_entry *entry, uint8_t *data)
{
    const struct sb_slot *slot = sb_table_slot(shard, entry->slot);
    struct sb_parts parts = shard->parts;

    if (sb_load_acquire(&slot->word) != entry->word)
        return false;
    sb_copy_out(data, slot->data, parts.key);
    sb_copy_out(data + 8 * parts.key, sb_values(slot, parts, entry->word), parts.values);
    return sb_load(&slot->word) == entry->word;
}

static uint32_t
take_changes(const struct sb_published *table, const struct sb_table *shard, uint32_t count,
             uint8_t *data, uint32_t most, uint32_t *taken)
{
    const struct sb_changes *c = shard->changes;
    uint32_t record_size = 8 + table->dir->row_size, got = 0, i;

    for (i = 0; i < count && got < most; i++) {
        const struct sb_change_entry *entry = &c->entries[(c->head + i) & c->mask];
        uint64_t prefix;

        if (i + FETCH_AHEAD < count)
            sb_prefetch_slot(
                sb_table_slot(shard, c->entries[(c->head + i + FETCH_AHEAD) & c->mask].slot),
                shard->stride);
        if (entry->word == 0)
            memcpy(data + 8, sb_changes_removed(c, c->head + i), record_size - 8);
        else if (!take_row(shard, entry, data + 8))
            continue; /* told by the later change */
        prefix = sb_change_prefix(entry->word ? SB_PUT : SB_REMOVE, shard, entry->slot);
        memcpy(data, &prefix, 8);
        data += record_size;
        got++;
    }
    *taken = i;
    return got;
}

/* The same of a log. Its writer may lap us as it may any reader: then the rest is gone. */
static uint32_t
take_log(const struct sb_published *table, const struct sb_table *shard, uint32_t count,
         uint8_t *data, uint32_t most, uint32_t *taken)
{
    const struct sb_changes *c = shard->changes;
    uint32_t i;

    *taken = count < most ? count : most;
    for (i = 0; i < *taken; i++, data += 8 + c->row_size) {
        uint64_t prefix = sb_append_prefix(shard->index, c->head + i);

        if (sb_ring_read(table->dir, shard->shard, c->head + i, data + 8) != 1)
            break;
        memcpy(data, &prefix, sizeof prefix);
    }
    return i;
}

static void
free_records(void *data, void *hint)
{
    (void)hint;
    free(data);
}

static void
send_records(struct sb_publisher *publisher, struct sb_published *table, void *data, uint32_t count)
{
    uint32_t record_size = 8u + table->dir->row_size;
    struct sb_message header = {.kind = SB_MESSAGE_DELTA,
                                .record_size = record_size,
                                .first_seq = table->last_seq + 1,
                                .count = count};
    zmq_msg_t body;

    table->last_seq += count;
    sb_store_release(&table->dir->last_seq, table->last_seq);
    if (zmq_msg_init_data(&body, data, (size_t)count * record_size, free_records, NULL) < 0)
        free(data);
    else
        send_message(publisher, sb_table_info(table->id)->name, &header, &body);
}

/* One message of the oldest changes of a shard. Returns how many it took. */
static uint32_t
send_batch(struct sb_publisher *publisher, struct sb_published *table, struct sb_table *shard)
{
    struct sb_changes *c = shard->changes;
    take_fn *take = c->entries ? take_changes : take_log;
    uint64_t ready = sb_load_acquire(&c->tail) - c->head;
    uint32_t most = SB_MESSAGE_SIZE / (8u + c->row_size), got, taken;
    uint8_t *data;

    if (ready == 0)
        return 0;
    if (!c->entries && ready > c->mask) { /* lapped; one less, as sb_ring_range() */
        leave_gap(table, shard, ready - c->mask);
        c->head += ready - c->mask;
        ready = c->mask;
    }
    data = malloc((size_t)most * (8u + c->row_size));
    if (!data) {
        taken = ready < most ? (uint32_t)ready : most;
        got = 0;
    } else {
        got = take(table, shard, (uint32_t)ready, data, most, &taken);
    }
    sb_store_release(&c->head, c->head + taken);
    if (got > 0)
        send_records(publisher, table, data, got);
    else
        free(data);
    if (!data || !c->entries) /* records of a log that are gone */
        leave_gap(table, shard, taken - got);
    else if (got < taken)
        sb_store(&shard->shard->superseded, shard->shard->superseded + taken - got);
    return taken;
}

bool
sb_publisher_drain(struct sb_publisher *publisher)
{
    bool any = false;

    for (unsigned t = 0; t < publisher->n_tables; t++) {
        struct sb_published *table = &publisher->tables[t];

        for (unsigned s = 0; s < table->n_shards; s++) {
            struct sb_table *shard = &table->shards[s];
            struct sb_changes *c = shard->changes;
            uint64_t dropped = sb_load_acquire(&c->dropped);
            uint32_t taken = 0, n;

            /* A whole ring's worth, so that all that was pushed before the drops goes before their
             * gap: who reads the table again because of it must not step back afterwards. */
            while (taken <= c->mask && (n = send_batch(publisher, table, shard)) > 0)
                taken += n;
            if (dropped != c->dropped_seen) {
                leave_gap(table, shard, dropped - c->dropped_seen);
                c->dropped_seen = dropped;
                any = true;
            }
            any |= taken > 0;
        }
    }
    return any;
}

bool
sb_publisher_pending(const struct sb_publisher *publisher)
{
    for (unsigned t = 0; t < publisher->n_tables; t++)
        for (unsigned s = 0; s < publisher->tables[t].n_shards; s++) {
            const struct sb_changes *c = publisher->tables[t].shards[s].changes;

            if (sb_load_acquire(&c->tail) != c->head ||
                sb_load_acquire(&c->dropped) != c->dropped_seen)
                return true;
        }
    return false;
}

bool
sb_publisher_pressed(const struct sb_publisher *publisher)
{
    for (unsigned t = 0; t < publisher->n_tables; t++)
        for (unsigned s = 0; s < publisher->tables[t].n_shards; s++) {
            const struct sb_changes *c = publisher->tables[t].shards[s].changes;

            if (sb_load(&c->tail) - c->head > c->mask / 2)
                return true;
        }
    return false;
}

void
sb_publisher_heartbeat(struct sb_publisher *publisher)
{
    struct sb_message header = {
        .kind = SB_MESSAGE_HEARTBEAT,
        .count = publisher->n_tables,
        .record_size = sizeof(struct sb_beat),
    };
    zmq_msg_t body;

    if (zmq_msg_init_size(&body, publisher->n_tables * sizeof(struct sb_beat)) < 0)
        return;
    for (unsigned t = 0; t < publisher->n_tables; t++) {
        struct sb_beat beat = {.last_seq = publisher->tables[t].last_seq};

        memcpy(beat.table, publisher->tables[t].dir->name, sizeof beat.table);
        memcpy((uint8_t *)zmq_msg_data(&body) + t * sizeof beat, &beat, sizeof beat);
    }
    send_message(publisher, SB_TOPIC_HEARTBEAT, &header, &body);
}
