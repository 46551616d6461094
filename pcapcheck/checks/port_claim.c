/* SPDX-License-Identifier: Apache-2.0
 *
 * port_claim.c - check `port-claim`: every packet that a decided flow covers leaves its switch by
 * the port that the controller named, and by no other.
 *
 * A packet enters a switch where it came in at a port that is no link, or where the neighbour sent
 * it into a link. What was decided for it at that time says where it must leave. Not judged:
 * packets from before t_barrier + 50 ms or around a change of the flow, packets that the controller
 * delivered itself (ring `decision`), journeys whose beginning is unknown, flows to groups and
 * reserved ports. A flow that may have expired in the switch (idle and hard timeouts) is judged by
 * agreement only.
 *
 * Fail: packets left by another port; or at least MISSING_MIN entered and none ever left by the
 * named port while it was up and watched. Pass: packets left as decided, the kernel dropped none at
 * this switch, and every port of it is watched, for else "and by no other" is not known. One
 * thread.
 */
#include "../pcapcheck.h"

#include <trivet/openflow.h>

#define MISSING_MIN 3
#define HANDLED_BEFORE_NS (20 * SB_MS) /* a decision may be stamped before the capture's time */
#define LINK_SETTLE_NS SB_SECOND       /* a link this young may not be the one the packet took */

struct tally {
    uint32_t generation; /* of the claim when these were counted */
    uint64_t first_ns, last_ns;
    uint64_t good, bad;
    uint64_t missing;  /* entered, not seen leaving at all */
    uint64_t exempt;   /* not judged: settling, handled by the controller */
    char evidence[96]; /* of the first bad packet */
    uint8_t adopted;
};

struct port_claim {
    struct tally *tally; /* owned; by claim slot */
};

struct entry {
    uint64_t dpid, t;
    uint32_t in_port, count;
    bool same;
};

struct expected {
    uint32_t claim, output, count;
    uint64_t t;
    bool maybe, seen;
};

static void *
port_claim_open(struct pc_engine *e)
{
    struct port_claim *self = calloc(1, sizeof *self);

    (void)e;
    if (!self)
        return NULL;
    self->tally = calloc(PC_CLAIMS_MAX, sizeof *self->tally);
    if (!self->tally) {
        free(self);
        return NULL;
    }
    return self;
}

static void
port_claim_close(void *arg)
{
    struct port_claim *self = arg;

    free(self->tally);
    free(self);
}

static struct tally *
tally_of(struct port_claim *self, struct pc_engine *e, uint32_t claim, uint64_t t)
{
    struct tally *y = &self->tally[claim];

    if (y->generation != e->net.claim[claim].generation)
        *y = (struct tally){.generation = e->net.claim[claim].generation};
    if (!y->first_ns || t < y->first_ns)
        y->first_ns = t;
    if (t > y->last_ns)
        y->last_ns = t;
    return y;
}

static unsigned
entries_of(const struct pc_engine *e, const struct pc_trip *trip, struct entry *ret)
{
    unsigned n = 0;

    for (unsigned i = 0; i < trip->n_hops; i++) {
        const struct pc_trip_hop *h = &trip->hop[i];
        const struct pc_point *p = &e->net.points.point[h->point], *peer;

        if (!p->mapped)
            continue;
        if (h->direction == PC_IN) {
            if (p->peer != PC_NONE)
                continue; /* a link: the neighbour's sight counts */
            ret[n++] = (struct entry){p->dpid, h->first_ns, p->port, h->count, h->same};
        } else if (h->direction == PC_OUT && p->peer != PC_NONE) {
            peer = &e->net.points.point[p->peer];
            ret[n++] = (struct entry){peer->dpid, h->first_ns, peer->port, h->count,
                                      h->same && h->first_ns > p->peer_ns + LINK_SETTLE_NS};
        }
    }
    return n;
}

static void
set_flow_verdict(struct pc_engine *e, const struct pc_trip *trip, enum sb_verdict_result result)
{
    struct pc_flow *f;

    if (trip->flow == PC_NONE)
        return;
    f = &e->flows.flow[trip->flow];
    if (f->verdict == SB_verdict_result_FAIL || f->verdict == result)
        return;
    f->verdict = (uint8_t)result;
    f->dirty = 1;
}

/* Packets left by a port that no decision named. */
static void
contradict(struct port_claim *self, struct pc_engine *e, const struct pc_trip *trip,
           const struct pc_trip_hop *h, const struct expected *x)
{
    struct tally *y = tally_of(self, e, x->claim, h->first_ns);
    char packet[100], port[32], at[20];

    if (!y->bad) {
        pc_trip_text(e, trip, packet, sizeof packet);
        snprintf(y->evidence, sizeof y->evidence, "left by %.16s at %.15s: %.50s",
                 pc_point_text(&e->net.points.point[h->point], port, sizeof port),
                 pc_time_text(h->first_ns, at, sizeof at), packet);
    }
    y->bad += h->count;
    set_flow_verdict(e, trip, SB_verdict_result_FAIL);
}

/* What must happen at one switch; false when nothing may be concluded there. */
static bool
expect(struct port_claim *self, struct pc_engine *e, const struct pc_trip *trip,
       const struct entry *entry, unsigned n, uint64_t dpid, struct expected *ret, unsigned *ret_n)
{
    bool judged = true;

    *ret_n = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct sb_flow *row;
        uint32_t claim;
        enum pc_force force;

        if (entry[i].dpid != dpid)
            continue;
        if (!entry[i].same) {
            judged = false;
            continue;
        }
        force =
            pc_net_decided(&e->net, trip->match, dpid, entry[i].in_port, entry[i].t, &claim, &row);
        if (force == PC_UNDECIDED) {
            judged = false;
            continue;
        }
        if (force == PC_SETTLING || row->group || row->output >= OFPP_MAX ||
            pc_net_handled(&e->net, trip->match, dpid, entry[i].t - HANDLED_BEFORE_NS,
                           trip->last_ns + SB_SECOND)) {
            tally_of(self, e, claim, entry[i].t)->exempt += entry[i].count;
            judged = false;
            continue;
        }
        ret[(*ret_n)++] = (struct expected){.claim = claim,
                                            .output = row->output,
                                            .count = entry[i].count,
                                            .t = entry[i].t,
                                            .maybe = force == PC_MAYBE};
    }
    return judged && *ret_n;
}

static void
judge_switch(struct port_claim *self, struct pc_engine *e, const struct pc_trip *trip,
             const struct entry *entry, unsigned n, uint64_t dpid)
{
    struct expected x[PC_HOPS_MAX];
    unsigned n_x;
    bool maybe = false;

    if (!expect(self, e, trip, entry, n, dpid, x, &n_x))
        return;
    for (unsigned i = 0; i < n_x; i++)
        maybe |= x[i].maybe;
    for (unsigned i = 0; i < trip->n_hops; i++) {
        const struct pc_trip_hop *h = &trip->hop[i];
        const struct pc_point *p = &e->net.points.point[h->point];
        unsigned k = 0;

        if (h->direction != PC_OUT || !p->mapped || p->dpid != dpid)
            continue;
        while (k < n_x && x[k].output != p->port)
            k++;
        if (k < n_x) {
            struct tally *y = tally_of(self, e, x[k].claim, h->first_ns);

            y->good += h->count;
            x[k].seen = true;
            if (e->net.claim[x[k].claim].alive_ns < h->last_ns)
                e->net.claim[x[k].claim].alive_ns = h->last_ns;
            set_flow_verdict(e, trip, SB_verdict_result_PASS);
        } else if (!maybe && h->last_ns >= x[0].t) {
            contradict(self, e, trip, h, &x[0]);
        }
    }
    for (unsigned i = 0; i < n_x; i++) {
        uint32_t at = pc_point_by_port(&e->net.points, dpid, x[i].output);
        const struct pc_point *p = at == PC_NONE ? NULL : &e->net.points.point[at];

        if (x[i].seen || maybe || !p || !p->up || !p->tap[PC_OUT].since_ns ||
            p->tap[PC_OUT].since_ns > x[i].t || p->changed_ns > x[i].t)
            continue;
        tally_of(self, e, x[i].claim, x[i].t)->missing += x[i].count;
    }
}

static void
port_claim_trip(void *arg, struct pc_engine *e, const struct pc_trip *trip)
{
    struct entry entry[PC_HOPS_MAX];
    unsigned n, k;

    if (trip->partial)
        return;
    n = entries_of(e, trip, entry);
    for (unsigned i = 0; i < n; i++) {
        for (k = 0; k < i && entry[k].dpid != entry[i].dpid;)
            k++;
        if (k == i)
            judge_switch(arg, e, trip, entry, n, entry[i].dpid);
    }
}

/* ---- verdicts ---------------------------------------------------------------------- */

/* Something at the switch that keeps a pass from being known, or "". */
static void
obstacle(const struct pc_engine *e, const struct pc_claim *c, const struct tally *y, char *ret,
         size_t size)
{
    uint32_t at = pc_point_by_port(&e->net.points, c->row.dpid, c->row.output);
    const struct pc_point *p;
    char name[32];

    ret[0] = '\0';
    if (at == PC_NONE) {
        snprintf(ret, size, "port %u is not known", c->row.output);
        return;
    }
    p = &e->net.points.point[at];
    if (p->tap[PC_OUT].since_ns)
        at = pc_blind_point(e, c->row.dpid, PC_OUT, UINT64_MAX);
    if (at != PC_NONE) {
        p = &e->net.points.point[at];
        snprintf(ret, size, "%s not capturable: %s", pc_point_text(p, name, sizeof name),
                 p->why[0] ? p->why : "not captured");
        return;
    }
    at = pc_dropping_point(e, c->row.dpid, y->first_ns);
    if (at != PC_NONE) {
        p = &e->net.points.point[at];
        snprintf(ret, size, "the kernel dropped %llu packets at %s",
                 (unsigned long long)(p->tap[PC_IN].drops + p->tap[PC_OUT].drops),
                 pc_point_text(p, name, sizeof name));
    }
}

static void
conclude(const struct pc_engine *e, const struct pc_claim *c, const struct tally *y,
         struct pc_verdict *v)
{
    uint32_t at = pc_point_by_port(&e->net.points, c->row.dpid, c->row.output);
    char port[32], why[128];
    size_t size = sizeof v->row.reason;

    if (at != PC_NONE)
        pc_point_text(&e->net.points.point[at], port, sizeof port);
    else
        snprintf(port, sizeof port, "port %u", c->row.output);
    v->row.result = SB_verdict_result_INCONCLUSIVE;
    if (y->bad) {
        v->row.result = SB_verdict_result_FAIL;
        snprintf(v->row.reason, size, "decided %.16s, %.90s", port, y->evidence);
        return;
    }
    obstacle(e, c, y, why, sizeof why);
    if (y->good && !why[0]) {
        v->row.result = SB_verdict_result_PASS;
        if (y->missing)
            snprintf(v->row.reason, size, "%llu left by %s, %llu were lost in the switch",
                     (unsigned long long)y->good, port, (unsigned long long)y->missing);
        else
            snprintf(v->row.reason, size, "%llu left by %s", (unsigned long long)y->good, port);
    } else if (why[0]) {
        v->idle = !y->good && !y->missing && !y->exempt;
        snprintf(v->row.reason, size, "%.118s", why);
    } else if (y->missing >= MISSING_MIN) {
        v->row.result = SB_verdict_result_FAIL;
        v->row.bad = y->missing;
        snprintf(v->row.reason, size, "%llu entered, none left by %s",
                 (unsigned long long)y->missing, port);
    } else if (y->missing || y->exempt) {
        v->idle = !y->missing;
        snprintf(v->row.reason, size, "too few packets: %llu exempt, %llu not seen leaving",
                 (unsigned long long)y->exempt, (unsigned long long)y->missing);
    } else {
        v->idle = true;
        snprintf(v->row.reason, size, "no traffic");
    }
}

static void
port_claim_verdicts(void *arg, struct pc_engine *e, pc_verdict_fn *each, void *each_arg)
{
    struct port_claim *self = arg;

    for (uint32_t i = 0; i < e->net.n_claims; i++) {
        const struct pc_claim *c = &e->net.claim[i];
        struct tally none = {0}, *y = &self->tally[i];
        struct pc_verdict v = {.flow_claim = i};
        char name[40], text[120];

        if (!c->used || c->row.group || c->row.output >= OFPP_MAX)
            continue;
        if (y->generation != c->generation)
            y = &none;
        if (c->removed_ns && !y->good && !y->bad && !y->missing)
            continue;
        snprintf(v.row.check, sizeof v.row.check, "%s", pc_check_port_claim.name);
        snprintf(v.row.subject, sizeof v.row.subject, "%s %.60s",
                 pc_net_switch(&e->net, c->row.dpid, name, sizeof name),
                 pc_flow_text(&c->row, text, sizeof text));
        v.row.first_ns = y->first_ns;
        v.row.last_ns = y->last_ns;
        v.row.good = y->good;
        v.row.bad = y->bad;
        v.row.cookie = c->row.cookie;
        conclude(e, c, y, &v);
        each(each_arg, &pc_check_port_claim, &v);
    }
}

const struct pc_check pc_check_port_claim = {
    .name = "port-claim",
    .text = "packets of a decided flow leave by the port the controller named, and by no other",
    .open = port_claim_open,
    .close = port_claim_close,
    .trip = port_claim_trip,
    .verdicts = port_claim_verdicts,
};
