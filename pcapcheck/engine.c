/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - from packets to closed journeys, and from these to the checks.
 *
 * A journey collects what was seen of one identity: for each (point, direction) the first and last
 * time and how often. It is closed when nothing was seen of it for PC_QUIET_NS before the watermark
 * (the time before which everything has been read from every handle), so races between handles
 * cannot turn its order around. A journey that never falls quiet (a storm, a repeated identical
 * packet) is judged each PC_AGE_NS and marked partial from then on. No allocation after
 * pc_engine_new(). One thread.
 */
#include "pcapcheck.h"

#include <arpa/inet.h>
#include <time.h>

#define FLOWS_DEFAULT 65536
#define JOURNEYS_DEFAULT 262144
#define HOPS_PER_JOURNEY 4 /* on average; the pool is shared */

struct hop {
    uint64_t first_ns, last_ns;
    uint32_t count, next;
    uint16_t point;
    uint8_t direction, same, pad[4];
};

struct journey {
    uint64_t identity, first_ns, last_ns;
    struct pc_match match; /* at the first sight */
    uint32_t newer, older; /* by last sight */
    uint32_t hops;         /* list in hop[] */
    uint32_t flow, flow_generation;
    uint8_t dir;
    uint8_t continued;  /* judged before: its beginning is not in the hops */
    uint8_t incomplete; /* a hop found no room */
    uint8_t used;
};

struct pc_journeys {
    struct journey *journey; /* owned */
    struct hop *hop;         /* owned */
    uint32_t capacity, n_hops;
    uint32_t free_journey, free_hop; /* lists through `older` and `next` */
    uint32_t newest, oldest;
    struct pc_index by_identity;
    struct pc_trip trip; /* scratch: too big for the stack of a hot function */
};

const struct pc_check *const pc_checks[] = {&pc_check_port_claim, &pc_check_loop,
                                            &pc_check_duplicate, NULL};

static struct pc_journeys *
journeys_new(uint32_t capacity)
{
    struct pc_journeys *js = calloc(1, sizeof *js);

    if (!js)
        return NULL;
    js->capacity = capacity;
    js->n_hops = capacity * HOPS_PER_JOURNEY;
    js->journey = calloc(capacity, sizeof *js->journey);
    js->hop = calloc(js->n_hops, sizeof *js->hop);
    if (!js->journey || !js->hop || pc_index_init(&js->by_identity, capacity)) {
        free(js->journey);
        free(js->hop);
        pc_index_free(&js->by_identity);
        free(js);
        return NULL;
    }
    for (uint32_t i = 0; i < capacity; i++)
        js->journey[i].older = i + 1 < capacity ? i + 1 : PC_NONE;
    for (uint32_t i = 0; i < js->n_hops; i++)
        js->hop[i].next = i + 1 < js->n_hops ? i + 1 : PC_NONE;
    js->newest = js->oldest = PC_NONE;
    return js;
}

struct pc_engine *
pc_engine_new(const struct pc_engine_config *config)
{
    struct pc_engine *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->seed = config->seed;
    e->drop_memory_ns = UINT64_MAX;
    e->journeys = journeys_new(config->journeys ? config->journeys : JOURNEYS_DEFAULT);
    if (!e->journeys || pc_net_init(&e->net) ||
        pc_flows_init(&e->flows, config->flows ? config->flows : FLOWS_DEFAULT, e->seed)) {
        pc_engine_destroy(&e);
        return NULL;
    }
    for (unsigned i = 0; pc_checks[i]; i++) {
        e->check[i] = pc_checks[i]->open(e);
        if (!e->check[i]) {
            pc_engine_destroy(&e);
            return NULL;
        }
    }
    return e;
}

void
pc_engine_destroy(struct pc_engine **engine)
{
    struct pc_engine *e = *engine;

    if (!e)
        return;
    for (unsigned i = 0; pc_checks[i]; i++)
        if (e->check[i])
            pc_checks[i]->close(e->check[i]);
    if (e->journeys) {
        free(e->journeys->journey);
        free(e->journeys->hop);
        pc_index_free(&e->journeys->by_identity);
        free(e->journeys);
    }
    pc_net_free(&e->net);
    pc_flows_free(&e->flows);
    free(e);
    *engine = NULL;
}

/* ---- judging --------------------------------------------------------------------- */

static int
by_time(const void *a, const void *b)
{
    const struct pc_trip_hop *x = a, *y = b;

    return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

/* A file that does not tell directions: conclude them from the order of sights. At a port that is
 * no link, the journey begins (in) or ends (out); of the two ends of a link, the sending one is
 * first. */
static void
conclude_directions(struct pc_engine *e, struct pc_trip *trip)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < trip->n_hops; i++) {
        struct pc_trip_hop *h = &trip->hop[i];
        const struct pc_point *p = &e->net.points.point[h->point];
        unsigned other = trip->n_hops;

        if (h->direction != PC_EITHER) {
            trip->hop[kept++] = *h;
            continue;
        }
        if (!p->mapped) {
            trip->hop[kept++] = *h; /* no role: seen, but nothing to judge */
            continue;
        }
        if (p->peer == PC_NONE) {
            h->direction = i == 0 ? PC_IN : PC_OUT;
            if (h->count > 1)
                trip->partial = true; /* in and out cannot be told apart */
            trip->hop[kept++] = *h;
            continue;
        }
        for (unsigned k = i + 1; k < trip->n_hops; k++)
            if (trip->hop[k].point == p->peer && trip->hop[k].direction == PC_EITHER)
                other = k;
        /* The receiving end says nothing that the sending end, which was kept, has not said. */
        h->direction = PC_OUT;
        for (unsigned k = 0; k < kept; k++)
            if (trip->hop[k].point == p->peer && trip->hop[k].direction == PC_OUT)
                h->direction = PC_IN;
        if (h->direction == PC_OUT && other == trip->n_hops)
            trip->partial = true; /* one end only: no telling */
        if (h->direction == PC_OUT)
            trip->hop[kept++] = *h;
    }
    trip->n_hops = kept;
}

static void
note_path(struct pc_engine *e, const struct pc_trip *trip, uint32_t generation)
{
    struct pc_flow_more *m;
    uint8_t n;
    bool changed;

    if (trip->flow == PC_NONE)
        return;
    m = &e->flows.more[trip->flow];
    n = trip->n_hops < PC_FLOW_POINTS ? (uint8_t)trip->n_hops : PC_FLOW_POINTS;
    /* Only a journey seen from its start tells the path. One that is shorter than what we have may
     * have been lost on its way. */
    if (m->generation != generation || trip->partial || n < m->rank[trip->dir])
        return;
    changed = m->n_points[trip->dir] != n;
    for (unsigned i = 0; i < n; i++) {
        changed |= m->point[trip->dir][i] != trip->hop[i].point;
        m->point[trip->dir][i] = (uint16_t)trip->hop[i].point;
    }
    m->n_points[trip->dir] = n;
    m->rank[trip->dir] = n;
    if (n && trip->hop[0].direction == PC_IN) {
        m->in_dpid[trip->dir] = e->net.points.point[trip->hop[0].point].dpid;
        m->in_port[trip->dir] = e->net.points.point[trip->hop[0].point].port;
    }
    if (changed)
        e->flows.flow[trip->flow].dirty = 1;
}

static void
judge(struct pc_engine *e, struct journey *j)
{
    struct pc_journeys *js = e->journeys;
    struct pc_trip *trip = &js->trip;
    uint32_t most = 0;

    *trip = (struct pc_trip){.identity = j->identity,
                             .first_ns = j->first_ns,
                             .last_ns = j->last_ns,
                             .match = &j->match,
                             .partial = j->continued || j->incomplete,
                             .flow = j->flow,
                             .dir = j->dir};
    for (uint32_t i = j->hops; i != PC_NONE; i = js->hop[i].next) {
        const struct hop *h = &js->hop[i];

        if (h->count > most)
            most = h->count;
        if (trip->n_hops == PC_HOPS_MAX) {
            trip->partial = true;
            continue;
        }
        trip->hop[trip->n_hops++] = (struct pc_trip_hop){.first_ns = h->first_ns,
                                                         .last_ns = h->last_ns,
                                                         .count = h->count,
                                                         .point = h->point,
                                                         .direction = h->direction,
                                                         .same = h->same};
    }
    qsort(trip->hop, trip->n_hops, sizeof trip->hop[0], by_time);
    conclude_directions(e, trip);
    for (unsigned i = 0; i < trip->n_hops; i++) {
        const struct pc_trip_hop *h = &trip->hop[i];

        if (h->direction != PC_IN || e->net.points.point[h->point].type == SB_port_type_LINK)
            continue;
        if (!trip->injected)
            trip->injected_ns = h->first_ns;
        trip->injected += h->count;
    }
    /* The first sight was counted when it came; equal packets count as often as they were seen
     * where they were seen most. */
    if (j->flow != PC_NONE && e->flows.more[j->flow].generation == j->flow_generation && most > 1)
        e->flows.flow[j->flow].packets[j->dir] += most - 1;
    note_path(e, trip, j->flow_generation);
    e->count.journeys++;
    for (unsigned i = 0; pc_checks[i]; i++)
        pc_checks[i]->trip(e->check[i], e, trip);
}

static void
free_hops(struct pc_journeys *js, struct journey *j)
{
    while (j->hops != PC_NONE) {
        uint32_t i = j->hops;

        j->hops = js->hop[i].next;
        js->hop[i].next = js->free_hop;
        js->free_hop = i;
    }
}

static void
unlink_journey(struct pc_journeys *js, uint32_t slot)
{
    struct journey *j = &js->journey[slot];

    if (j->newer != PC_NONE)
        js->journey[j->newer].older = j->older;
    else
        js->newest = j->older;
    if (j->older != PC_NONE)
        js->journey[j->older].newer = j->newer;
    else
        js->oldest = j->newer;
}

static void
link_newest(struct pc_journeys *js, uint32_t slot)
{
    struct journey *j = &js->journey[slot];

    j->newer = PC_NONE;
    j->older = js->newest;
    if (js->newest != PC_NONE)
        js->journey[js->newest].newer = slot;
    else
        js->oldest = slot;
    js->newest = slot;
}

static void
close_journey(struct pc_engine *e, uint32_t slot)
{
    struct pc_journeys *js = e->journeys;
    struct journey *j = &js->journey[slot];

    judge(e, j);
    free_hops(js, j);
    unlink_journey(js, slot);
    pc_index_remove(&js->by_identity, j->identity, slot);
    j->used = 0;
    j->older = js->free_journey;
    js->free_journey = slot;
}

void
pc_engine_advance(struct pc_engine *e, uint64_t watermark)
{
    struct pc_journeys *js = e->journeys;

    if (watermark <= e->watermark_ns)
        return;
    e->watermark_ns = watermark;
    while (js->oldest != PC_NONE &&
           (watermark == UINT64_MAX || js->journey[js->oldest].last_ns + PC_QUIET_NS < watermark))
        close_journey(e, js->oldest);
}

/* ---- packets ------------------------------------------------------------------------ */

static void
close_early(struct pc_engine *e)
{
    struct pc_journeys *js = e->journeys;

    js->journey[js->oldest].incomplete = 1;
    e->count.journeys_early++;
    close_journey(e, js->oldest);
}

static uint32_t
open_journey(struct pc_engine *e, const struct pc_packet *pk, const struct pc_match *match,
             uint64_t t, uint32_t len)
{
    struct pc_journeys *js = e->journeys;
    struct journey *j;
    uint32_t slot;
    unsigned dir = 0;

    if (js->free_journey == PC_NONE)
        close_early(e);
    slot = js->free_journey;
    j = &js->journey[slot];
    js->free_journey = j->older;
    *j = (struct journey){.identity = pk->identity,
                          .first_ns = t,
                          .last_ns = t,
                          .match = *match,
                          .hops = PC_NONE,
                          .used = 1};
    j->flow = pc_flows_packet(&e->flows, pk, t, len, &dir);
    j->dir = (uint8_t)dir;
    if (j->flow != PC_NONE)
        j->flow_generation = e->flows.more[j->flow].generation;
    pc_index_add(&js->by_identity, j->identity, slot);
    link_newest(js, slot);
    return slot;
}

static void
add_hop(struct pc_engine *e, struct journey *j, uint32_t point, enum pc_direction direction,
        bool same, uint64_t t)
{
    struct pc_journeys *js = e->journeys;
    uint32_t i;

    for (i = j->hops; i != PC_NONE; i = js->hop[i].next) {
        struct hop *h = &js->hop[i];

        if (h->point != point || h->direction != direction)
            continue;
        h->count++;
        h->same &= same;
        if (t < h->first_ns)
            h->first_ns = t;
        if (t > h->last_ns)
            h->last_ns = t;
        return;
    }
    if (js->free_hop == PC_NONE) {
        e->count.hops_lost++;
        j->incomplete = 1;
        return;
    }
    i = js->free_hop;
    js->free_hop = js->hop[i].next;
    js->hop[i] = (struct hop){.first_ns = t,
                              .last_ns = t,
                              .count = 1,
                              .next = j->hops,
                              .point = (uint16_t)point,
                              .direction = (uint8_t)direction,
                              .same = same};
    j->hops = i;
}

void
pc_engine_packet(struct pc_engine *e, uint32_t point, enum pc_direction direction, uint64_t t,
                 const uint8_t *data, uint32_t cap, uint32_t len, int linktype)
{
    struct pc_journeys *js = e->journeys;
    struct pc_packet pk;
    struct pc_match match;
    enum pc_dissect_result result;
    struct journey *j;
    uint32_t slot;
    unsigned dir;

    e->count.packets++;
    e->count.bytes += len;
    e->net.points.point[point].tap[direction == PC_IN ? PC_IN : PC_OUT].packets++;
    result = pc_dissect(data, cap, len, linktype, &pk);
    e->count.truncated += result == PC_TRUNCATED;
    e->count.malformed += result == PC_MALFORMED;
    e->count.deep += result == PC_DEEP;
    if (pk.own) {
        e->count.own++;
        return;
    }
    pc_identify(&pk, result, e->seed);
    if (!pk.identifiable) {
        e->count.unidentified++;
        /* Counted in its flow where the flow enters; without identity other points would count it
         * again. */
        if (direction == PC_IN)
            pc_flows_packet(&e->flows, &pk, t, len, &dir);
        return;
    }
    pc_match_of(&pk, &match);
    slot = pc_index_first(&js->by_identity, pk.identity);
    while (slot != PC_NONE && js->journey[slot].identity != pk.identity)
        slot = js->by_identity.next[slot];
    if (slot == PC_NONE) {
        slot = open_journey(e, &pk, &match, t, len);
    } else if (js->newest != slot) {
        unlink_journey(js, slot);
        link_newest(js, slot);
    }
    j = &js->journey[slot];
    if (t > j->first_ns + PC_AGE_NS) {
        judge(e, j);
        free_hops(js, j);
        j->first_ns = t;
        j->continued = 1;
    }
    if (t > j->last_ns)
        j->last_ns = t;
    if (t < j->first_ns)
        j->first_ns = t;
    add_hop(e, j, point, direction, memcmp(&match, &j->match, sizeof match) == 0, t);
}

/* ---- shared by the checks ------------------------------------------------------------- */

void
pc_verdicts(struct pc_engine *e, pc_verdict_fn *each, void *arg)
{
    for (unsigned i = 0; pc_checks[i]; i++)
        pc_checks[i]->verdicts(e->check[i], e, each, arg);
}

uint32_t
pc_dropping_point(const struct pc_engine *e, uint64_t dpid, uint64_t since)
{
    const struct pc_points *points = &e->net.points;

    for (uint32_t i = 0; i < points->n; i++)
        for (unsigned d = 0; d < PC_DIRECTIONS; d++) {
            uint64_t at = points->point[i].tap[d].drop_ns;

            if (at && at >= since && (!dpid || points->point[i].dpid == dpid) &&
                (e->drop_memory_ns == UINT64_MAX || at + e->drop_memory_ns > e->watermark_ns))
                return i;
        }
    return PC_NONE;
}

uint32_t
pc_blind_point(const struct pc_engine *e, uint64_t dpid, enum pc_direction direction, uint64_t t)
{
    const struct pc_points *points = &e->net.points;

    for (uint32_t i = 0; i < points->n; i++) {
        const struct pc_point *p = &points->point[i];

        if (!p->mapped || p->gone || !p->up || (dpid && p->dpid != dpid))
            continue;
        if (direction == PC_IN && p->type == SB_port_type_LINK)
            continue; /* what comes in there was sent by the neighbour */
        if (!p->tap[direction].since_ns || p->tap[direction].since_ns > t)
            return i;
    }
    return PC_NONE;
}

char *
pc_time_text(uint64_t ns, char *ret, size_t size)
{
    time_t s = (time_t)(ns / SB_SECOND);
    struct tm tm;

    gmtime_r(&s, &tm);
    snprintf(ret, size, "%02d:%02d:%02d.%06u", tm.tm_hour, tm.tm_min, tm.tm_sec,
             (unsigned)(ns % SB_SECOND / 1000));
    return ret;
}

char *
pc_trip_text(const struct pc_engine *e, const struct pc_trip *trip, char *ret, size_t size)
{
    const struct pc_match *m = trip->match;
    char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

    (void)e;
    if (m->eth_type != 0x0800 && m->eth_type != 0x86dd && m->eth_type != 0x0806) {
        snprintf(ret, size, "%02x:%02x:%02x:%02x:%02x:%02x type %04x", m->eth_src[0], m->eth_src[1],
                 m->eth_src[2], m->eth_src[3], m->eth_src[4], m->eth_src[5], m->eth_type);
        return ret;
    }
    pc_ip_text(m->ip_src, a, sizeof a);
    pc_ip_text(m->ip_dst, b, sizeof b);
    if (m->l4_src || m->l4_dst)
        snprintf(ret, size, "%s:%u>%s:%u/%u", a, m->l4_src, b, m->l4_dst, m->ip_proto);
    else
        snprintf(ret, size, "%s>%s %s%u", a, b, m->eth_type == 0x0806 ? "arp/" : "/", m->ip_proto);
    return ret;
}
