/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - queues of ports: what they are set up for (QUEUE_GET_CONFIG), and their counters.
 * Neighbours: multipart.c. Any thread.
 * OpenFlow 1.3.5 sections 7.2.2, 7.3.6, 7.3.5.8; 1.0.0 sections 5.2.2, 5.3.4, 5.3.5.
 *
 *  +---------------------------------------------------------------+
 *  |                            queue                              |   a queue
 *  +---------------------------------------------------------------+
 *  |                     port (not in 1.0)                         |
 *  +-------------------------------+-------------------------------+
 *  |   length with properties      |   0 (of 6 bytes; 1.0: 2)      |
 *  +-------------------------------+-------------------------------+
 *  |  properties: u16 type, u16 length, 4 bytes of 0, body ...
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define QUEUE13_SIZE 16
#define QUEUE10_SIZE 8
#define PROPERTY_HEADER 8
#define RATE_SIZE 16
#define EXPERIMENTER_SIZE 16

/* ---- QUEUE_GET_CONFIG: reading ------------------------------------------------------------- */

int
of_next_queue_property(struct of_cursor *properties, struct of_queue_property *ret)
{
    const uint8_t *p = properties->p;
    uint32_t size, head = PROPERTY_HEADER;
    uint16_t type;

    if (properties->left == 0)
        return 0;
    if (properties->left < PROPERTY_HEADER)
        return OF_ESHORT;
    type = of_get16(p);
    size = of_get16(p + 2);
    if (size < PROPERTY_HEADER || size > properties->left)
        return OF_ELENGTH;
    if ((type == OFPQT_MIN_RATE || type == OFPQT_MAX_RATE) && size != RATE_SIZE)
        return OF_ELENGTH;
    if (type == OFPQT_EXPERIMENTER && size < EXPERIMENTER_SIZE)
        return OF_ELENGTH;
    memset(ret, 0, sizeof(*ret));
    ret->type = type;
    if (type == OFPQT_EXPERIMENTER) {
        ret->experimenter = of_get32(p + 8);
        head = EXPERIMENTER_SIZE;
    } else if (type == OFPQT_MIN_RATE || type == OFPQT_MAX_RATE) {
        ret->rate = of_get16(p + 8);
        head = RATE_SIZE;
    }
    ret->data = of_rest(p + head, size - head);
    of_skip(properties, size);
    return 1;
}

int
of_next_queue(uint8_t version, struct of_cursor *queues, struct of_queue *ret)
{
    const uint8_t *p = queues->p;
    uint32_t head = version == OF10 ? QUEUE10_SIZE : QUEUE13_SIZE, size;

    if (queues->left == 0)
        return 0;
    if (queues->left < head)
        return OF_ESHORT;
    size = of_get16(p + (version == OF10 ? 4 : 8));
    if (size < head || size > queues->left)
        return OF_ELENGTH;
    ret->queue = of_get32(p);
    ret->port = version == OF10 ? 0 : of_get32(p + 4);
    ret->properties = of_rest(p + head, size - head);
    of_skip(queues, size);
    return 1;
}

static int
check_queues(uint8_t version, struct of_cursor c, const uint8_t **at)
{
    struct of_queue queue;
    int error;

    while (*at = c.p, (error = of_next_queue(version, &c, &queue)) > 0) {
        struct of_queue_property property;

        while (*at = queue.properties.p,
               (error = of_next_queue_property(&queue.properties, &property)) > 0)
            ;
        if (error)
            return error;
    }
    return error;
}

int
of_decode_queue_config(const uint8_t *m, struct of_queue_config *ret, struct of_where *where)
{
    bool reply = of_type13(m[0], m[1]) == OFPT13_QUEUE_GET_CONFIG_REPLY;
    const uint8_t *at;
    int error;

    if (m[0] != OF13 && m[0] != OF10)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->port = m[0] == OF10 ? of_port_from10(of_get16(m + 8)) : of_get32(m + 8);
    ret->queues = reply ? of_rest(m + 16, of_length(m) - 16u) : of_rest(NULL, 0);
    error = check_queues(m[0], ret->queues, &at);
    return error ? of_fail(where, m, at, "queue", error) : OF_OK;
}

/* ---- QUEUE_GET_CONFIG: writing --------------------------------------------------------------- */

void
of_add_queue_property(struct of_buffer *list, const struct of_queue_property *property)
{
    bool rate = property->type == OFPQT_MIN_RATE || property->type == OFPQT_MAX_RATE;
    uint32_t head = property->type == OFPQT_EXPERIMENTER ? EXPERIMENTER_SIZE
                    : rate                               ? RATE_SIZE
                                                         : PROPERTY_HEADER;
    uint32_t more = rate ? 0 : property->data.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - head ? of_grow(list, head + more) : NULL;

    if (!p) {
        of_refuse(list);
        return;
    }
    memset(p, 0, head);
    of_store16(p, property->type);
    of_store16(p + 2, (uint16_t)(head + more));
    if (rate)
        of_store16(p + 8, property->rate);
    else if (property->type == OFPQT_EXPERIMENTER)
        of_store32(p + 8, property->experimenter);
    of_copy(p + head, property->data.p, more);
}

void
of_add_queue(struct of_buffer *list, uint8_t version, const struct of_queue *queue)
{
    uint32_t head = version == OF10 ? QUEUE10_SIZE : QUEUE13_SIZE, more = queue->properties.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - head ? of_grow(list, head + more) : NULL;

    if (!p) {
        of_refuse(list);
        return;
    }
    memset(p, 0, head);
    of_store32(p, queue->queue);
    if (version != OF10)
        of_store32(p + 4, queue->port);
    of_store16(p + (version == OF10 ? 4 : 8), (uint16_t)(head + more));
    of_copy(p + head, queue->properties.p, more);
}

/* A message that begins with a port; NULL when the version cannot say it. */
static uint8_t *
begin(struct of_buffer *b, uint8_t version, uint8_t type13, uint32_t xid, uint32_t port,
      uint32_t size, size_t more)
{
    uint16_t port10;
    uint8_t *p;

    if (version != OF13 && (version != OF10 || !of_port_to10(port, &port10))) {
        of_refuse(b);
        return NULL;
    }
    p = of_begin(b, version, of_type_number(version, type13), xid, size, more);
    if (!p)
        return NULL;
    memset(p + OF_HEADER_SIZE, 0, size - OF_HEADER_SIZE);
    if (version == OF10)
        of_store16(p + 8, (uint16_t)port);
    else
        of_store32(p + 8, port);
    return p;
}

void
of_put_queue_config_request(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t port)
{
    begin(b, version, OFPT13_QUEUE_GET_CONFIG_REQUEST, xid, port, version == OF10 ? 12 : 16, 0);
}

void
of_put_queue_config_reply(struct of_buffer *b, uint8_t version, uint32_t xid,
                          const struct of_queue_config *config)
{
    uint8_t *p = begin(b, version, OFPT13_QUEUE_GET_CONFIG_REPLY, xid, config->port, 16,
                       config->queues.left);

    if (p)
        of_copy(p + 16, config->queues.p, config->queues.left);
}

/* ---- QUEUE_GET_CONFIG: printing ------------------------------------------------------------- */

static void
say_property(struct of_printer *printer, const struct of_queue_property *property)
{
    switch (property->type) {
    case OFPQT_MIN_RATE:
    case OFPQT_MAX_RATE:
        of_say(printer, " %s=", property->type == OFPQT_MIN_RATE ? "min_rate" : "max_rate");
        if (property->rate > 1000)
            of_say(printer, "off");
        else
            of_say(printer, "%u.%u%%", property->rate / 10, property->rate % 10);
        break;
    case OFPQT_EXPERIMENTER:
        of_say(printer, " experimenter(0x%x)=", property->experimenter);
        of_say_hex(printer, property->data.p, property->data.left);
        break;
    default:
        of_say(printer, " property(%u)=", property->type);
        of_say_hex(printer, property->data.p, property->data.left);
    }
}

int
of_print_queue_config(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    struct of_queue_config config;
    struct of_queue queue;
    struct of_queue_property property;
    int error = of_decode_queue_config(m, &config, where);

    if (error)
        return error;
    of_say_port(printer, " port", config.port);
    while (of_next_queue(m[0], &config.queues, &queue) > 0) {
        of_say(printer, " [queue=%u", queue.queue);
        if (m[0] != OF10)
            of_say_port(printer, " port", queue.port);
        while (of_next_queue_property(&queue.properties, &property) > 0)
            say_property(printer, &property);
        of_say(printer, "]");
    }
    return OF_OK;
}

/* ---- counters ------------------------------------------------------------------------------- */

#define STATS13_SIZE 40
#define STATS10_SIZE 32

int
of_next_queue_stats(uint8_t version, struct of_cursor *body, struct of_queue_stats *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, version == OF10 ? STATS10_SIZE : STATS13_SIZE, &p))
        return OF_ESHORT;
    ret->port = version == OF10 ? of_port_from10(of_get16(p)) : of_get32(p);
    ret->queue = of_get32(p + 4);
    ret->tx_bytes = of_get64(p + 8);
    ret->tx_packets = of_get64(p + 16);
    ret->tx_errors = of_get64(p + 24);
    ret->duration_s = version == OF10 ? 0 : of_get32(p + 32);
    ret->duration_ns = version == OF10 ? 0 : of_get32(p + 36);
    return 1;
}

void
of_add_queue_stats(struct of_buffer *b, uint8_t version, const struct of_queue_stats *stats)
{
    uint16_t port10 = 0;
    uint8_t *p;

    if (version == OF10 && !of_port_to10(stats->port, &port10)) {
        of_refuse(b);
        return;
    }
    p = of_grow(b, version == OF10 ? STATS10_SIZE : STATS13_SIZE);
    if (!p)
        return;
    of_store32(p, version == OF10 ? (uint32_t)port10 << 16 : stats->port);
    of_store32(p + 4, stats->queue);
    of_store64(p + 8, stats->tx_bytes);
    of_store64(p + 16, stats->tx_packets);
    of_store64(p + 24, stats->tx_errors);
    if (version != OF10) {
        of_store32(p + 32, stats->duration_s);
        of_store32(p + 36, stats->duration_ns);
    }
}

int
of_print_queue_stats(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_queue_stats stats;
    int error;

    while ((error = of_next_queue_stats(version, body, &stats)) > 0) {
        of_say(printer, " [");
        of_say_port(printer, "port", stats.port);
        of_say(printer, " queue=%u", stats.queue);
        of_say_counter(printer, "bytes", stats.tx_bytes);
        of_say_counter(printer, "packets", stats.tx_packets);
        of_say_counter(printer, "errors", stats.tx_errors);
        if (version != OF10)
            of_say_duration(printer, stats.duration_s, stats.duration_ns);
        of_say(printer, "]");
    }
    return error;
}
