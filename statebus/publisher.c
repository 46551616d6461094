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
    table->last_seq += n;
    sb_store_release(&table->dir->last_seq, table->last_seq);
    sb_store(&shard->shard->unpublished, shard->shard->unpublished + n);
}

/* Copies the oldest records of a change ring. */
static void
copy_changes(const struct sb_changes *c, uint8_t *data, uint32_t count)
{
    uint32_t at = (uint32_t)c->head & c->mask, first = c->mask + 1 - at;

    if (first > count)
        first = count;
    memcpy(data, c->records + (size_t)at * c->record_size, (size_t)first * c->record_size);
    memcpy(data + (size_t)first * c->record_size, c->records,
           (size_t)(count - first) * c->record_size);
}

/* The same of a log. Returns how many were there still: its writer may lap us as it may any reader.
 */
static uint32_t
copy_log(const struct sb_published *table, const struct sb_table *shard, uint8_t *data,
         uint32_t count)
{
    const struct sb_changes *c = shard->changes;

    for (uint32_t i = 0; i < count; i++, data += c->record_size) {
        uint64_t prefix = sb_append_prefix(shard->index, c->head + i);

        if (sb_ring_read(table->dir, shard->shard, c->head + i, data + 8) != 1)
            return i;
        memcpy(data, &prefix, sizeof prefix);
    }
    return count;
}

/* One message of the oldest records of a shard. Returns how many it took. */
static uint32_t
send_batch(struct sb_publisher *publisher, struct sb_published *table, struct sb_table *shard)
{
    struct sb_changes *c = shard->changes;
    uint64_t ready = sb_load_acquire(&c->tail) - c->head, lost = 0;
    uint32_t most = SB_MESSAGE_SIZE / c->record_size, count, got = 0;
    struct sb_message header = {.kind = SB_MESSAGE_DELTA, .record_size = c->record_size};
    zmq_msg_t body;
    bool made;

    if (c->records == NULL && ready > c->mask) { /* lapped; one less, as sb_ring_range() */
        lost = ready - c->mask;
        leave_gap(table, shard, lost);
        c->head += lost;
        ready = c->mask;
    }
    count = ready < most ? (uint32_t)ready : most;
    if (count == 0)
        return 0;
    made = zmq_msg_init_size(&body, (size_t)count * c->record_size) == 0;
    if (made && c->records != NULL) {
        copy_changes(c, zmq_msg_data(&body), count);
        got = count;
    } else if (made) {
        got = copy_log(table, shard, zmq_msg_data(&body), count);
    }
    sb_store_release(&c->head, c->head + count);
    if (got > 0 && got < count) { /* a shorter message, then a gap */
        zmq_msg_t whole = body;

        made = zmq_msg_init_size(&body, (size_t)got * c->record_size) == 0;
        if (made)
            memcpy(zmq_msg_data(&body), zmq_msg_data(&whole), zmq_msg_size(&body));
        else
            got = 0;
        zmq_msg_close(&whole);
    }
    header.first_seq = table->last_seq + 1;
    header.count = got;
    table->last_seq += got;
    sb_store_release(&table->dir->last_seq, table->last_seq);
    if (got > 0)
        send_message(publisher, sb_table_info(table->id)->name, &header, &body);
    else if (made)
        zmq_msg_close(&body);
    if (got < count)
        leave_gap(table, shard, count - got);
    return count;
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
