/* SPDX-License-Identifier: Apache-2.0
 *
 * bus.c - the checker on the state bus: follows the controller's tables, owns observed, verdict,
 * event.
 *
 * A restart is warm: a flow seen again goes on from its row, and a verdict on the same decision
 * keeps its counts, so that a fail is not forgotten because the checker was restarted. Rows stay
 * restored until their flow is seen or their check judges again; those that are restored still
 * after RESTORED_NS are dropped. Main thread only.
 */
#include "pcapcheck.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <trivet/config.h>
#include <trivet/log.h>
#include <trivet/statebus.h>

#define ADOPTED_MAX 4096
#define RETRY_NS (100 * SB_MS)
#define RESTORED_NS (600 * SB_SECOND)
#define OBSERVED_KEY 45 /* bytes of the key columns; pc_flow_key begins with the same */
_Static_assert(offsetof(struct sb_observed, tcp_state) == OBSERVED_KEY, "key of table observed");
_Static_assert(offsetof(struct pc_flow_key, pad) == OBSERVED_KEY, "same order, same sizes");

struct pc_bus {
    struct pc_engine *e;                         /* borrowed */
    struct sb_owner *owner;                      /* owned; NULL: only following */
    struct sb_subscriber *subscriber;            /* owned */
    struct sb_table *observed, *verdict, *event; /* borrowed from owner */
    struct sb_verdict *adopted;                  /* owned; verdicts of an earlier incarnation */
    unsigned n_adopted;
    uint64_t ring_lost;
    uint64_t retry_ns;              /* of taking the segment over */
    uint64_t opened_ns;             /* the segment; 0: restored rows were dropped already */
    uint64_t second_ns;             /* last time of what is done each second */
    const struct sb_config *config; /* borrowed */
    char instance[40];
    int epoll;
    bool observe;                /* never own the segment */
    bool running;                /* the phase was asked for */
    enum sb_verdict_result last; /* of the whole network, when it was last told */
};

static void
on_change(void *arg, const struct sb_change *change)
{
    struct pc_bus *bus = arg;

    pc_net_change(&bus->e->net, change->table, change->row, change->old, sb_now());
}

static void
adopt_flow(void *arg, struct pc_flow *f)
{
    struct pc_bus *bus = arg;
    struct sb_observed row = {0};
    int64_t slot;

    memcpy(&row, &f->key, OBSERVED_KEY);
    slot = sb_find(bus->observed, &row);
    if (slot < 0 || sb_get(bus->observed, slot, &row) != SB_OK || row.last_ns > sb_now())
        return;
    f->packets[0] += (uint32_t)row.packets_ab;
    f->packets[1] += (uint32_t)row.packets_ba;
    f->bytes[0] += row.bytes_ab;
    f->bytes[1] += row.bytes_ba;
    if (row.first_ns && row.first_ns < f->first_ns)
        f->first_ns = row.first_ns;
    if (!f->fct_ns)
        f->fct_ns = row.fct_ns;
    f->retransmits += row.retransmits;
    if (row.verdict <= SB_verdict_result_FAIL && row.verdict > f->verdict)
        f->verdict = row.verdict;
}

static void
adopt_verdicts(struct pc_bus *bus)
{
    int64_t slot = -1;

    bus->adopted = calloc(ADOPTED_MAX, sizeof *bus->adopted);
    if (!bus->adopted)
        return;
    while ((slot = sb_next(bus->verdict, slot)) >= 0 && bus->n_adopted < ADOPTED_MAX) {
        struct sb_verdict *v = &bus->adopted[bus->n_adopted];

        if (sb_get(bus->verdict, slot, v) == SB_OK && v->result <= SB_verdict_result_FAIL)
            bus->n_adopted++;
    }
}

/* Nobody has confirmed these rows for so long: they tell of a network of the past. */
static void
drop_restored(struct pc_bus *bus)
{
    uint64_t flows = sb_drop_restored(bus->observed), verdicts = sb_drop_restored(bus->verdict);
    unsigned kept = 0;

    bus->opened_ns = 0;
    for (unsigned i = 0; i < bus->n_adopted; i++)
        if (sb_find(bus->verdict, &bus->adopted[i]) >= 0)
            bus->adopted[kept++] = bus->adopted[i];
    bus->n_adopted = kept;
    if (flows + verdicts > 0)
        sb_info(
            "bus: dropped %lu flows and %lu verdicts of an earlier run, not confirmed for %lu s",
            flows, verdicts, (unsigned long)(RESTORED_NS / SB_SECOND));
}

static void
watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int
open_owner(struct pc_bus *bus, bool cold, char *message)
{
    const struct sb_owner_table tables[] = {
        {.id = SB_T_observed, .capacity = bus->config->capacity[SB_T_observed]},
        {.id = SB_T_verdict, .capacity = bus->config->capacity[SB_T_verdict]},
        {.id = SB_T_event, .capacity = bus->config->capacity[SB_T_event]},
    };
    struct sb_owner_config c = {.instance = bus->instance,
                                .name = "pcapcheck",
                                .tables = tables,
                                .n_tables = sizeof tables / sizeof tables[0],
                                .cold = cold};
    int error = sb_owner_open(&bus->owner, &c, message);

    if (error)
        return error;
    if (*message)
        sb_info("bus: %s", message);
    bus->observed = sb_owner_table(bus->owner, SB_T_observed, 0);
    bus->verdict = sb_owner_table(bus->owner, SB_T_verdict, 0);
    bus->event = sb_owner_table(bus->owner, SB_T_event, 0);
    adopt_verdicts(bus);
    bus->opened_ns = sb_now();
    bus->e->flows.adopt = adopt_flow;
    bus->e->flows.adopt_arg = bus;
    for (uint32_t i = 0; i < bus->e->flows.n; i++) /* seen before the segment was ours */
        adopt_flow(bus, &bus->e->flows.flow[i]);
    sb_owner_phase(bus->owner, SB_RESTORED);
    watch(bus->epoll, sb_owner_fd(bus->owner));
    pc_bus_event(bus, SB_event_kind_START, SB_severity_INFO, NULL, "pcapcheck started");
    return 0;
}

int
pc_bus_open(struct pc_bus **ret, struct pc_engine *e, const char *instance,
            const struct sb_config *config, bool cold, bool observe, int epoll, char *message)
{
    const uint64_t tables = UINT64_C(1) << SB_T_port | UINT64_C(1) << SB_T_link |
                            UINT64_C(1) << SB_T_switch | UINT64_C(1) << SB_T_flow |
                            UINT64_C(1) << SB_T_decision;
    struct pc_bus *bus = calloc(1, sizeof *bus);
    int error;

    if (!bus) {
        snprintf(message, 256, "no memory");
        return -1;
    }
    bus->e = e;
    bus->config = config;
    bus->epoll = epoll;
    bus->observe = observe;
    snprintf(bus->instance, sizeof bus->instance, "%s", instance);
    if (!observe) {
        error = open_owner(bus, cold, message);
        if (error == SB_EOWNED) {
            sb_info("bus: %s; not publishing until it ends", message);
        } else if (error) {
            pc_bus_close(&bus);
            return -1;
        }
    }
    if (sb_subscribe(&bus->subscriber, instance, "controller", tables, on_change, bus, message)) {
        pc_bus_close(&bus);
        return -1;
    }
    watch(epoll, sb_subscriber_fd(bus->subscriber));
    *ret = bus;
    return 0;
}

void
pc_bus_close(struct pc_bus **ret)
{
    struct pc_bus *bus = *ret;

    if (!bus)
        return;
    bus->e->flows.adopt = NULL;
    sb_subscriber_close(&bus->subscriber);
    if (bus->owner)
        sb_owner_pump(bus->owner);
    sb_owner_close(&bus->owner);
    free(bus->adopted);
    free(bus);
    *ret = NULL;
}

bool
pc_bus_owns(const struct pc_bus *bus)
{
    return bus->owner != NULL;
}

/* The process that had the segment may have ended: one that was killed holds its lock until the
 * kernel has taken its capture rings down, which outlasts the start of its successor. */
static void
take_over(struct pc_bus *bus)
{
    char message[SB_MESSAGE_MAX];

    if (bus->owner || bus->observe || open_owner(bus, false, message))
        return;
    sb_info("bus: publishing");
    if (bus->running)
        pc_bus_phase_running(bus);
}

int
pc_bus_run(struct pc_bus *bus)
{
    struct sb_subscriber_stats stats;
    uint64_t now = sb_now();
    int ms = sb_subscriber_run(bus->subscriber), other;

    sb_subscriber_stats(bus->subscriber, &stats);
    if (stats.ring_lost != bus->ring_lost) {
        bus->ring_lost = stats.ring_lost;
        bus->e->net.decisions_lost_ns = now;
    }
    if (now > bus->second_ns + SB_SECOND) {
        bus->second_ns = now;
        pc_net_expire(&bus->e->net, now);
        if (bus->owner && bus->opened_ns && now > bus->opened_ns + RESTORED_NS)
            drop_restored(bus);
    }
    if (now > bus->retry_ns + RETRY_NS) {
        bus->retry_ns = now;
        take_over(bus);
    }
    if (bus->owner) {
        other = sb_owner_pump(bus->owner);
        if (other < ms)
            ms = other;
    }
    return ms;
}

int
pc_bus_check(const struct pc_bus *bus, char *message)
{
    return bus->owner ? sb_owner_check(bus->owner, message) : SB_OK;
}

bool
pc_bus_synced(const struct pc_bus *bus)
{
    return sb_subscriber_synced(bus->subscriber);
}

void
pc_bus_phase_running(struct pc_bus *bus)
{
    bus->running = true;
    if (!bus->owner)
        return;
    sb_owner_phase(bus->owner, SB_RECONCILED);
    sb_owner_phase(bus->owner, SB_RUNNING);
}

void
pc_bus_event(struct pc_bus *bus, enum sb_event_kind kind, enum sb_severity severity,
             const struct pc_point *point, const char *text)
{
    struct sb_event row = {.t_ns = sb_now(), .kind = (uint8_t)kind, .severity = (uint8_t)severity};

    if (!bus->event)
        return;
    if (point && point->mapped) {
        row.dpid = point->dpid;
        row.port = point->port;
    }
    snprintf(row.text, sizeof row.text, "%.*s", (int)sizeof row.text - 1, text);
    sb_append(bus->event, &row);
}

/* ---- publishing -------------------------------------------------------------------------- */

static const struct sb_verdict *
adopted(const struct pc_bus *bus, const struct sb_verdict *row)
{
    for (unsigned i = 0; i < bus->n_adopted; i++)
        if (memcmp(&bus->adopted[i], row, offsetof(struct sb_verdict, first_ns)) == 0 &&
            bus->adopted[i].cookie == row->cookie)
            return &bus->adopted[i];
    return NULL;
}

static void
publish_verdict(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    struct pc_bus *bus = arg;
    struct sb_verdict row = v->row, old;
    const struct sb_verdict *before = adopted(bus, &row);
    int64_t slot;
    char text[220];

    if (before) {
        if (v->idle)
            return; /* nothing new: what an earlier run saw stands */
        row.good += before->good;
        row.bad += before->bad;
        if (before->first_ns && before->first_ns < row.first_ns)
            row.first_ns = before->first_ns;
        if (before->result == SB_verdict_result_FAIL && row.result != SB_verdict_result_FAIL) {
            row.result = SB_verdict_result_FAIL;
            memcpy(row.reason, before->reason, sizeof row.reason);
        }
    }
    slot = sb_find(bus->verdict, &row);
    if (slot >= 0 && sb_get(bus->verdict, slot, &old) == SB_OK) {
        if (memcmp(&old, &row, sizeof row) == 0 && !sb_restored(bus->verdict, slot))
            return;
    } else {
        memset(&old, 0, sizeof old);
    }
    if (row.result == SB_verdict_result_FAIL && old.result != SB_verdict_result_FAIL) {
        snprintf(text, sizeof text, "%s %.79s: %.118s", check->name, row.subject, row.reason);
        sb_warning("fail %s", text);
        pc_bus_event(bus, SB_event_kind_VERDICT, SB_severity_ERROR, NULL, text);
    }
    sb_put(bus->verdict, &row);
}

void
pc_bus_publish(struct pc_bus *bus)
{
    struct pc_flows *flows = &bus->e->flows;

    if (!bus->owner)
        return;
    /* From the least recently used on, so that the table keeps the newest when it is the smaller.
     */
    for (uint32_t i = flows->oldest; i != PC_NONE; i = flows->more[i].newer) {
        struct sb_observed row, old;
        int64_t slot;

        if (!flows->flow[i].dirty)
            continue;
        flows->flow[i].dirty = 0;
        pc_flow_row(flows, &bus->e->net, i, &row);
        slot = sb_find(bus->observed, &row);
        if (slot < 0 || sb_get(bus->observed, slot, &old) != SB_OK ||
            memcmp(&old, &row, sizeof row) != 0 || sb_restored(bus->observed, slot))
            sb_put(bus->observed, &row);
    }
    pc_verdicts(bus->e, publish_verdict, bus);
}
