/* SPDX-License-Identifier: Apache-2.0
 *
 * count.c - appearances of one packet on a directed link, or at a port towards a host, against the
 * times it was injected at ports that are no links. By count and not by time, so equal packets that
 * a host really sent twice are no finding.
 *
 * A packet that was injected where nobody looks (by the controller's packet-out, or before the
 * capture began) has no injection: it is unattributed, unless it appears STORM times and every way
 * in was watched; then it circulates. Ambiguous, never a fail: journeys that are partial,
 * appearances before the first injection, and any count while the kernel drops packets. One thread.
 */
#include "count.h"

#define STORM 8
#define WATCHED_NS PC_QUIET_NS /* all ways in must have been watched since so long before */

void *
pc_count_new(const struct pc_check *check, bool links, const char *verb)
{
    struct pc_count *c = calloc(1, sizeof *c);

    if (c) {
        c->check = check;
        c->links = links;
        c->verb = verb;
    }
    return c;
}

static void
find(struct pc_count *c, struct pc_engine *e, const struct pc_trip *trip,
     const struct pc_trip_hop *h)
{
    char packet[100], port[32], at[20];

    if (!c->bad) {
        pc_trip_text(e, trip, packet, sizeof packet);
        snprintf(c->evidence, sizeof c->evidence, "%.60s %s %s %u times, injected %u times, %s",
                 packet, c->verb, pc_point_text(&e->net.points.point[h->point], port, sizeof port),
                 h->count, trip->injected, pc_time_text(h->first_ns, at, sizeof at));
    }
    c->bad += h->count - trip->injected;
}

/* Was the capture of some way in just beginning? What was injected there may have been missed,
 * which says nothing about the network. */
static bool
began_here(const struct pc_engine *e, uint64_t t)
{
    uint64_t before = t > WATCHED_NS ? t - WATCHED_NS : 0;
    uint32_t i = pc_blind_point(e, 0, PC_IN, before);

    return i != PC_NONE && pc_blind_point(e, 0, PC_IN, UINT64_MAX) == PC_NONE;
}

void
pc_count_trip(void *self, struct pc_engine *e, const struct pc_trip *trip)
{
    struct pc_count *c = self;

    for (unsigned i = 0; i < trip->n_hops; i++) {
        const struct pc_trip_hop *h = &trip->hop[i];
        const struct pc_point *p = &e->net.points.point[h->point];
        bool link = p->type == SB_port_type_LINK || p->peer != PC_NONE;
        bool storm = h->count >= STORM && h->count >= 2 * trip->injected;

        if (h->direction != PC_OUT || !p->mapped || link != c->links)
            continue;
        if (!c->first_ns || h->first_ns < c->first_ns)
            c->first_ns = h->first_ns;
        if (h->last_ns > c->last_ns)
            c->last_ns = h->last_ns;
        if (trip->injected && h->count <= trip->injected) {
            c->good += h->count;
        } else if (!trip->injected && !storm) {
            c->unattributed += h->count;
        } else if (began_here(e, h->first_ns)) {
            c->early += h->count;
        } else if ((trip->partial && !storm) ||
                   (trip->injected && h->first_ns < trip->injected_ns && !storm) ||
                   pc_dropping_point(e, 0, h->first_ns - PC_AGE_NS) != PC_NONE ||
                   pc_blind_point(e, 0, PC_IN, h->first_ns) != PC_NONE) {
            c->ambiguous += h->count;
        } else {
            find(c, e, trip, h);
        }
    }
}

void
pc_count_verdicts(void *self, struct pc_engine *e, pc_verdict_fn *each, void *arg)
{
    struct pc_count *c = self;
    struct pc_verdict v = {.flow_claim = PC_NONE};
    size_t size = sizeof v.row.reason;
    uint32_t at;
    char name[32];

    snprintf(v.row.check, sizeof v.row.check, "%s", c->check->name);
    snprintf(v.row.subject, sizeof v.row.subject, "network");
    v.row.first_ns = c->first_ns;
    v.row.last_ns = c->last_ns;
    v.row.good = c->good;
    v.row.bad = c->bad;
    v.row.result = SB_verdict_result_INCONCLUSIVE;
    at = pc_dropping_point(e, 0, c->first_ns);
    if (c->bad) {
        v.row.result = SB_verdict_result_FAIL;
        snprintf(v.row.reason, size, "%.118s", c->evidence);
    } else if (!c->good && !c->ambiguous) {
        v.idle = true;
        snprintf(v.row.reason, size, "no traffic %s", c->links ? "on links" : "towards hosts");
    } else if (at != PC_NONE) {
        snprintf(v.row.reason, size, "the kernel dropped packets at %s",
                 pc_point_text(&e->net.points.point[at], name, sizeof name));
    } else if (c->ambiguous) {
        snprintf(v.row.reason, size, "%llu packets ambiguous, %llu once each",
                 (unsigned long long)c->ambiguous, (unsigned long long)c->good);
    } else if ((at = pc_blind_point(e, 0, PC_OUT, UINT64_MAX)) != PC_NONE) {
        snprintf(v.row.reason, size, "%s not capturable: %.80s",
                 pc_point_text(&e->net.points.point[at], name, sizeof name),
                 e->net.points.point[at].why);
    } else {
        v.row.result = SB_verdict_result_PASS;
        snprintf(v.row.reason, size, "%llu packets once each, %llu without injection",
                 (unsigned long long)c->good, (unsigned long long)c->unattributed);
    }
    each(arg, c->check, &v);
}
