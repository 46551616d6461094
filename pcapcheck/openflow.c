/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow.c - `pcapcheck openflow FILE`: the OpenFlow messages in a capture of the channel.
 *
 * TCP streams from or to port 6653, 6633 or the one that was given are put in order by sequence
 * number, each direction on its own. Segments that are early wait (up to WAIT_MAX bytes a stream);
 * bytes the capture does not have are skipped with a note, and the stream is taken up again at the
 * next segment that begins with a plausible header. Not a hot path: it allocates. One thread.
 */
#include "pcapcheck.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <trivet/openflow.h>

#define WAIT_MAX (1u << 20)
#define STREAMS_MAX 65536
#define TEXT_SIZE (1u << 20) /* of any message: the features of many tables are the longest */

struct segment {
    struct segment *next; /* by sequence number */
    uint32_t seq, size;
    uint8_t data[];
};

struct stream { /* one direction of a connection */
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    bool known;            /* next is valid */
    bool lost;             /* bytes are missing: look for a header */
    uint32_t next;         /* sequence number wanted */
    uint32_t waiting;      /* bytes in the list */
    struct segment *early; /* owned */
    uint8_t message[OF_MESSAGE_MAX + 1];
    uint32_t n; /* bytes in it */
};

struct channel {
    struct stream **stream; /* owned */
    uint32_t n_streams;
    struct pc_index by_key;
    char *text;    /* owned: TEXT_SIZE, the line of a message */
    uint16_t port; /* of the channel, beside the two that are assigned; 0: none */
    bool json;
    uint64_t messages, bad, skipped;
};

static void
ends(const struct stream *s, char *ret, size_t size)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
    bool v4 = memcmp(s->src, mapped, 12) == 0;

    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? s->src + 12 : s->src, a, sizeof a);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? s->dst + 12 : s->dst, b, sizeof b);
    snprintf(ret, size, v4 ? "%s:%u > %s:%u" : "[%s]:%u > [%s]:%u", a, s->sport, b, s->dport);
}

static void
line(struct channel *c, const struct stream *s, uint64_t t, const char *text)
{
    char at[20], who[128];

    ends(s, who, sizeof who);
    if (c->json) {
        json_t *o =
            json_pack("{s:I, s:s, s:s}", "t", (json_int_t)t, "stream", who, "message", text);
        char *out = o ? json_dumps(o, 0) : NULL;

        if (out)
            printf("%s\n", out);
        free(out);
        json_decref(o);
    } else {
        printf("%s %s %s\n", pc_time_text(t, at, sizeof at), who, text);
    }
}

static void
gap(struct channel *c, struct stream *s, uint64_t t, uint32_t size)
{
    char text[80];

    c->skipped += size;
    s->n = 0;
    s->lost = true;
    snprintf(text, sizeof text, "(%u bytes are not in the capture)", size);
    line(c, s, t, text);
}

/* Could a message begin here? */
static bool
plausible(const uint8_t *p, uint32_t size)
{
    struct of_header h;

    return size >= OF_HEADER_SIZE && of_frame(p, size, &h) >= 0 && of_check(&h) == OF_OK;
}

static void
take_bytes(struct channel *c, struct stream *s, uint64_t t, const uint8_t *p, uint32_t size)
{
    s->next += size;
    if (s->lost) {
        if (!plausible(p, size)) {
            c->skipped += size;
            return;
        }
        s->lost = false;
        s->n = 0;
    }
    while (size) {
        struct of_header h;
        uint32_t n = (uint32_t)sizeof s->message - s->n;
        int length;

        if (n > size)
            n = size;
        memcpy(s->message + s->n, p, n);
        s->n += n;
        p += n;
        size -= n;
        while ((length = of_frame(s->message, s->n, &h)) > 0) {
            if (of_print(s->message, (size_t)length, c->text, TEXT_SIZE) < 0)
                c->bad++;
            line(c, s, t, c->text);
            c->messages++;
            s->n -= (uint32_t)length;
            memmove(s->message, s->message + length, s->n);
        }
        if (length < 0) {
            c->bad++;
            snprintf(c->text, TEXT_SIZE,
                     "(message length %u is not possible: stream given up here)", h.length);
            line(c, s, t, c->text);
            s->lost = true;
            s->n = 0;
            return;
        }
    }
}

static void
take_early(struct channel *c, struct stream *s, uint64_t t)
{
    while (s->early && (int32_t)(s->early->seq - s->next) <= 0) {
        struct segment *g = s->early;
        uint32_t old = s->next - g->seq;

        s->early = g->next;
        s->waiting -= g->size;
        if (old < g->size)
            take_bytes(c, s, t, g->data + old, g->size - old);
        free(g);
    }
}

static void
keep_early(struct channel *c, struct stream *s, uint64_t t, uint32_t seq, const uint8_t *p,
           uint32_t size)
{
    struct segment **at = &s->early, *g = malloc(sizeof *g + size);

    if (!g)
        return;
    g->seq = seq;
    g->size = size;
    memcpy(g->data, p, size);
    while (*at && (int32_t)((*at)->seq - seq) < 0)
        at = &(*at)->next;
    g->next = *at;
    *at = g;
    s->waiting += size;
    if (s->waiting > WAIT_MAX) {
        gap(c, s, t, s->early->seq - s->next);
        s->next = s->early->seq;
        take_early(c, s, t);
    }
}

static struct stream *
stream_of(struct channel *c, const struct pc_packet *pk)
{
    struct stream key = {.sport = pk->inner.l4_src, .dport = pk->inner.l4_dst}, *s;
    size_t size = offsetof(struct stream, known);
    uint64_t hash;
    uint32_t i;

    memcpy(key.src, pk->inner.ip_src, 16);
    memcpy(key.dst, pk->inner.ip_dst, 16);
    hash = pc_hash(0, &key, size);
    for (i = pc_index_first(&c->by_key, hash); i != PC_NONE; i = c->by_key.next[i])
        if (memcmp(c->stream[i], &key, size) == 0)
            return c->stream[i];
    if (c->n_streams == STREAMS_MAX)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    memcpy(s, &key, size);
    pc_index_add(&c->by_key, hash, c->n_streams);
    c->stream[c->n_streams++] = s;
    return s;
}

static bool
is_channel(const struct channel *c, uint16_t port)
{
    return port == 6653 || port == 6633 || (c->port && port == c->port);
}

static void
segment(struct channel *c, const struct pc_packet *pk, uint64_t t)
{
    const uint8_t *p = pk->payload;
    uint32_t seq = pk->tcp_seq, size = pk->payload_cap, missing = pk->payload_len - size;
    struct stream *s;

    if (pk->inner.ip_proto != 6 || !(pk->inner.has & PC_HAS_L4) ||
        (!is_channel(c, pk->inner.l4_src) && !is_channel(c, pk->inner.l4_dst)))
        return;
    s = stream_of(c, pk);
    if (!s)
        return;
    if (pk->tcp_flags & PC_TCP_SYN) {
        s->known = true;
        s->lost = false;
        s->n = 0;
        s->next = seq + 1;
        return;
    }
    if (!pk->payload_len)
        return;
    if (!s->known) { /* the capture began later: start at the first header seen */
        s->known = true;
        s->lost = true;
        s->next = seq;
    }
    if ((int32_t)(seq - s->next) > 0) {
        if (!missing)
            keep_early(c, s, t, seq, p, size);
        return;
    }
    if ((int32_t)(seq + size - s->next) > 0) {
        uint32_t old = s->next - seq;

        take_bytes(c, s, t, p + old, size - old);
    }
    if (missing && (int32_t)(seq + pk->payload_len - s->next) > 0) {
        uint32_t n = seq + pk->payload_len - s->next;

        gap(c, s, t, n);
        s->next += n;
    }
    take_early(c, s, t);
}

int
pc_openflow(const char *path, uint16_t port, bool json)
{
    struct channel c = {.port = port, .json = json};
    struct pc_reader *reader = NULL;
    struct pc_record record;
    char message[256];
    int n = -1;

    if (pc_reader_open(&reader, path, message)) {
        fprintf(stderr, "pcapcheck: %s: %s\n", path, message);
        return 2;
    }
    c.stream = calloc(STREAMS_MAX, sizeof *c.stream);
    c.text = malloc(TEXT_SIZE);
    if (!c.stream || !c.text || pc_index_init(&c.by_key, STREAMS_MAX)) {
        fprintf(stderr, "pcapcheck: no memory\n");
        goto out;
    }
    while ((n = pc_reader_next(reader, &record, message)) == 1) {
        struct pc_packet pk;

        if (pc_dissect(record.data, record.cap, record.len, record.linktype, &pk) == PC_WHOLE)
            segment(&c, &pk, record.t_ns);
    }
    if (n < 0)
        fprintf(stderr, "pcapcheck: %s: %s\n", path, message);
    fflush(stdout);
    fprintf(stderr, "%llu messages in %u streams, %llu malformed, %llu bytes not in the capture\n",
            (unsigned long long)c.messages, c.n_streams, (unsigned long long)c.bad,
            (unsigned long long)c.skipped);
out:
    for (uint32_t i = 0; i < c.n_streams; i++) {
        while (c.stream[i]->early) {
            struct segment *g = c.stream[i]->early;

            c.stream[i]->early = g->next;
            free(g);
        }
        free(c.stream[i]);
    }
    free(c.stream);
    free(c.text);
    pc_index_free(&c.by_key);
    pc_reader_close(&reader);
    if (n < 0)
        return 2;
    return c.bad ? 1 : c.messages ? 0 : 3;
}
