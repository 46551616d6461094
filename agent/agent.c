/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.c - the agent as a whole: start, what a tick does, stop.
 */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <trivet/privilege.h>
#include <unistd.h>

/* A window is closed so much after its last probe's time-out. */
#define GRACE_NS (10 * SB_MS)

uint64_t
ag_random(uint64_t below)
{
    uint64_t value;

    if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
        value = sb_mono();
    return below == 0 ? 0 : value % below;
}

/* h1-eth0 gives h1; an interface without a dash, or none, the host's name. */
static int
choose_name(struct ag_agent *agent, const char *wanted)
{
    struct ag_interface all[AG_INTERFACES_MAX];
    char name[256] = "", *dash;
    const char *first = NULL;

    if (wanted) {
        if (!ag_name_valid(wanted)) {
            sb_error("name '%s': letters, digits, '-', '_' and '.', at most %d", wanted,
                     AG_NAME_MAX - 1);
            return -1;
        }
        strcpy(agent->ag_name, wanted);
        return 0;
    }
    if (agent->ag_options->n_interfaces > 0)
        first = agent->ag_options->interfaces[0];
    else if (ag_interfaces(all, NULL, 0) > 0)
        first = all[0].if_name;
    if (first && (dash = strchr(first, '-')) && dash != first)
        snprintf(name, sizeof(name), "%.*s", (int)(dash - first), first);
    else if (gethostname(name, sizeof(name) - 1) != 0)
        snprintf(name, sizeof(name), "agent");
    name[AG_NAME_MAX - 1] = '\0';
    if (!ag_name_valid(name)) {
        sb_error("name '%s' of the host does not suit: give one with --name", name);
        return -1;
    }
    memcpy(agent->ag_name, name, AG_NAME_MAX);
    return 0;
}

static bool
allow(void *arg, const union ag_address *from)
{
    const struct ag_agent *agent = arg;

    return ag_peer_is_member(agent, from);
}

static void
close_windows(struct ag_agent *agent, uint64_t now)
{
    uint64_t wait = agent->ag_options->timeout_ms * SB_MS + GRACE_NS;

    /* Stopped for long: windows of which nothing is remembered any more are passed over. */
    if (now > (agent->ag_second + 2 * SB_WINDOW_LONG_S) * SB_SECOND + wait)
        agent->ag_second = (now - wait) / SB_SECOND - SB_WINDOW_LONG_S;
    while (now >= agent->ag_second * SB_SECOND + wait)
        ag_sender_windows(agent, agent->ag_second++);
}

static void
keep_house(struct ag_agent *agent, uint64_t now)
{
    agent->ag_house_mono = now + SB_SECOND;
    agent->ag_clock_error = agent->ag_reflector.re_error = ag_clock_error();
    ag_bus_self(agent);
    ag_bus_sweep(agent, now);
    for (unsigned i = 0; i < agent->ag_n_peers; i++)
        agent->ag_peers[i]->pe_dirty = true;
}

static uint64_t
tick(void *arg, uint64_t now)
{
    struct ag_agent *agent = arg;
    uint64_t next[5], first = UINT64_MAX;

    if (now >= agent->ag_house_mono)
        keep_house(agent, now);
    next[0] = ag_discovery_tick(agent, now);
    next[1] = ag_peer_tick(agent, now);
    close_windows(agent, now);
    next[2] = agent->ag_second * SB_SECOND + agent->ag_options->timeout_ms * SB_MS + GRACE_NS;
    next[3] = agent->ag_house_mono;
    next[4] = ag_bus_pump(agent, now);
    for (unsigned i = 0; i < sizeof(next) / sizeof(next[0]); i++)
        if (next[i] < first)
            first = next[i];
    return first;
}

static int
start(struct ag_agent *agent)
{
    const struct ag_options *options = agent->ag_options;
    char message[1024];

    if (!ag_interfaces_exist(options->interfaces, options->n_interfaces, message,
                             sizeof(message))) {
        sb_error("%s", message);
        return -1;
    }
    if (choose_name(agent, options->name) < 0)
        return -1;
    if (ag_loop_open(&agent->ag_loop) < 0) {
        sb_error("event loop: %s", strerror(errno));
        return -1;
    }
    if (ag_reflector_open(&agent->ag_reflector, &agent->ag_loop, options->port, allow, agent,
                          message) < 0) {
        sb_error("reflector: %s", message);
        return -1;
    }
    snprintf(message, sizeof(message), "agent.%s", agent->ag_name);
    if (sb_privilege_drop(options->common.instance, message, options->common.user, NULL, 0) < 0 ||
        ag_bus_open(agent) < 0)
        return -1;
    for (unsigned i = 0; i < options->n_peers; i++)
        if (ag_peer_configure(agent, options->peers[i]) < 0)
            return -1;
    return ag_discovery_open(agent);
}

static void
report_drops(const struct ag_agent *agent)
{
    const struct ag_counts *c = &agent->ag_counts;
    const struct ag_reflector_counts *r = &agent->ag_reflector.re_counts;

    sb_info("agent %s: reflected %lu, dropped: stranger %lu, invalid %lu, capped %lu, unsent %lu",
            agent->ag_name, r->reflected, r->strangers, r->invalid, r->capped, r->unsent);
    sb_info("agent %s: beacons in %lu, dropped: foreign %lu, invalid %lu, duplicate %lu, "
            "stranger %lu, capped %lu, peers refused %lu; beacons unsent %lu; probes unsent %lu, "
            "skipped %lu; replies invalid %lu, foreign %lu",
            agent->ag_name, c->beacons_received, c->beacons_foreign, c->beacons_invalid,
            c->beacons_duplicate, c->beacons_stranger, c->beacons_capped, c->peers_refused,
            c->beacons_unsent, c->probes_unsent, c->probes_skipped, c->replies_invalid,
            c->replies_foreign);
}

int
ag_agent_run(const struct ag_options *options)
{
    struct ag_agent *agent = calloc(1, sizeof(*agent));
    int status = 1;

    if (!agent) {
        sb_error("out of memory");
        return 1;
    }
    agent->ag_options = options;
    agent->ag_loop.lo_epoll = agent->ag_loop.lo_timer_watch.wa_fd = -1;
    agent->ag_loop.lo_signal_watch.wa_fd = -1;
    agent->ag_beacon_watch.wa_fd = agent->ag_netlink_watch.wa_fd = -1;
    agent->ag_reflector.re_ports[0].rp_socket.so_fd = -1;
    agent->ag_reflector.re_ports[1].rp_socket.so_fd = -1;
    if (start(agent) < 0)
        goto out;
    agent->ag_second = sb_mono() / SB_SECOND + 1;
    sb_owner_phase(agent->ag_owner, SB_RUNNING);
    ag_bus_event(agent, SB_event_kind_START, SB_severity_INFO,
                 "id %016lx, probes on UDP port %u each %u ms%s", agent->ag_id, options->port,
                 options->interval_ms, sb_owner_warm(agent->ag_owner) ? ", warm" : "");
    status = ag_loop_run(&agent->ag_loop, tick, agent) < 0;
    if (status)
        sb_error("event loop: %s", strerror(errno));
    else if (agent->ag_failed)
        status = 1;
    report_drops(agent);
out:
    agent->ag_loop.lo_stop = true;
    ag_discovery_close(agent);
    ag_peer_close_all(agent);
    ag_reflector_close(&agent->ag_reflector);
    ag_bus_close(agent);
    ag_loop_close(&agent->ag_loop);
    free(agent);
    return status;
}
