/* SPDX-License-Identifier: Apache-2.0
 *
 * bus.c - the agent's segment agent.<name>: tables agent, latency, sample, event.
 * A restarted agent finds its id and its peers in the rows it adopts, so that it
 * probes and answers them at once, before the first beacon. A peer's row stays
 * restored until something is heard from it or it is given up, a window's until
 * the next one closes; what is restored still after AG_RESTORED_S is dropped.
 */
#include "agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void
bus_ready(void *arg)
{
    struct ag_agent *agent = arg;

    agent->ag_pump_mono = 0;
}

/* A row of an earlier incarnation is taken only if it could have been written by us. */
static bool
row_valid(const struct sb_agent *row)
{
    return memchr(row->name, '\0', sizeof(row->name)) && row->name[0] != '\0' && row->id != 0;
}

static void
adopt(struct ag_agent *agent)
{
    uint64_t fresh = (uint64_t)AG_EXPIRE_BEACONS * AG_BEACON_MS * SB_MS;
    struct sb_agent row;

    for (int64_t slot = -1; (slot = sb_next(agent->ag_agents, slot)) >= 0;) {
        if (sb_get(agent->ag_agents, slot, &row) != SB_OK)
            continue;
        if (!row_valid(&row)) {
            sb_warning("agent %s: an adopted row of table agent is invalid, removing it",
                       agent->ag_name);
            sb_remove(agent->ag_agents, slot);
        } else if (row.self) {
            if (strcmp(row.name, agent->ag_name) != 0) {
                sb_remove(agent->ag_agents, slot);
                continue;
            }
            agent->ag_id = row.id;
            agent->ag_first_ns = row.first_ns;
        } else if (row.alive && row.last_ns + fresh > sb_now()) {
            ag_peer_restore(agent, &row);
        } else if (row.alive) {
            row.alive = 0;
            sb_amend(agent->ag_agents, slot, &row);
        }
    }
    agent->ag_restored_mono = sb_mono() + AG_RESTORED_S * SB_SECOND;
}

void
ag_bus_sweep(struct ag_agent *agent, uint64_t now)
{
    uint64_t peers, windows;

    if (agent->ag_restored_mono == 0 || now < agent->ag_restored_mono)
        return;
    agent->ag_restored_mono = 0;
    peers = sb_drop_restored(agent->ag_agents);
    windows = sb_drop_restored(agent->ag_latency);
    if (peers + windows > 0)
        sb_info("agent %s: dropped %lu peers and %lu windows of an earlier life, not confirmed "
                "for %d s",
                agent->ag_name, peers, windows, AG_RESTORED_S);
}

int
ag_bus_open(struct ag_agent *agent)
{
    static const struct sb_owner_table tables[] = {
        {.id = SB_T_agent}, {.id = SB_T_latency}, {.id = SB_T_sample}, {.id = SB_T_event}};
    char owner[SB_OWNER_MAX], message[SB_MESSAGE_MAX];
    struct sb_owner_config config = {
        .instance = agent->ag_options->common.instance,
        .name = owner,
        .tables = tables,
        .n_tables = sizeof(tables) / sizeof(tables[0]),
        .cold = agent->ag_options->common.cold,
    };

    snprintf(owner, sizeof(owner), "agent.%s", agent->ag_name);
    if (sb_owner_open(&agent->ag_owner, &config, message) != SB_OK) {
        sb_error("segment %s: %s", owner, message);
        return -1;
    }
    if (message[0] != '\0')
        sb_warning("segment %s: %s", owner, message);
    agent->ag_agents = sb_owner_table(agent->ag_owner, SB_T_agent, 0);
    agent->ag_latency = sb_owner_table(agent->ag_owner, SB_T_latency, 0);
    agent->ag_samples = sb_owner_table(agent->ag_owner, SB_T_sample, 0);
    agent->ag_events = sb_owner_table(agent->ag_owner, SB_T_event, 0);
    if (sb_owner_warm(agent->ag_owner))
        adopt(agent);
    while (agent->ag_id == 0)
        if (getrandom(&agent->ag_id, sizeof(agent->ag_id), 0) < 0)
            agent->ag_id = sb_now();
    if (agent->ag_first_ns == 0)
        agent->ag_first_ns = sb_now();
    ag_bus_self(agent);
    agent->ag_bus_watch = (struct ag_watch){
        .wa_ready = bus_ready, .wa_arg = agent, .wa_fd = sb_owner_fd(agent->ag_owner)};
    ag_loop_watch(&agent->ag_loop, &agent->ag_bus_watch);
    sb_owner_phase(agent->ag_owner, SB_RESTORED);
    return 0;
}

void
ag_bus_close(struct ag_agent *agent)
{
    if (agent->ag_owner) {
        ag_bus_self(agent); /* not alive any more */
        sb_owner_pump(agent->ag_owner);
    }
    sb_owner_close(&agent->ag_owner);
}

uint64_t
ag_bus_pump(struct ag_agent *agent, uint64_t now)
{
    char message[SB_MESSAGE_MAX];

    if (now >= agent->ag_pump_mono) {
        int wait_ms = sb_owner_pump(agent->ag_owner);

        agent->ag_pump_mono = now + (uint64_t)(wait_ms > 0 ? wait_ms : 1) * SB_MS;
        if (sb_owner_check(agent->ag_owner, message) != SB_OK && !agent->ag_failed) {
            sb_error("agent %s: %s; ending, to be started anew", agent->ag_name, message);
            agent->ag_failed = agent->ag_loop.lo_stop = true;
        }
    }
    return agent->ag_pump_mono;
}

void
ag_bus_self(struct ag_agent *agent)
{
    struct sb_agent row = {
        .id = agent->ag_id,
        .incarnation = sb_owner_incarnation(agent->ag_owner),
        .first_ns = agent->ag_first_ns,
        .last_ns = sb_now(),
        .interval_ns = agent->ag_options->interval_ms * (uint32_t)SB_MS,
        .probe_port = agent->ag_options->port,
        .self = 1,
        .alive = !agent->ag_loop.lo_stop,
    };

    memcpy(row.name, agent->ag_name, sizeof(row.name));
    if (agent->ag_n_interfaces > 0) {
        const struct ag_interface *first = &agent->ag_interfaces[0];
        union ag_address address = {.in = {.sin_family = AF_INET, .sin_addr = first->if_address}};

        ag_address_to_row(&address, row.ip);
        memcpy(row.mac, first->if_mac, sizeof(row.mac));
    }
    sb_put(agent->ag_agents, &row);
}

void
ag_bus_peer(struct ag_agent *agent, const struct ag_peer *peer)
{
    uint64_t interval_ns = peer->pe_probe_ms * SB_MS;
    struct sb_agent row = {
        .id = peer->pe_id,
        .incarnation = peer->pe_incarnation,
        .first_ns = peer->pe_first_ns,
        .last_ns = peer->pe_last_ns,
        .interval_ns = interval_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)interval_ns,
        .probe_port = ag_address_port(&peer->pe_address),
        .alive = peer->pe_state != AG_PEER_GONE,
    };

    memcpy(row.name, peer->pe_row, sizeof(row.name));
    memcpy(row.mac, peer->pe_mac, sizeof(row.mac));
    ag_address_to_row(&peer->pe_address,
                      peer->pe_address.sa.sa_family == AF_INET ? row.ip : row.ip6);
    if (!peer->pe_restored || sb_amend(agent->ag_agents, sb_find(agent->ag_agents, &row), &row) < 0)
        sb_put(agent->ag_agents, &row);
}

void
ag_bus_forget(struct ag_agent *agent, const struct ag_peer *peer)
{
    struct sb_latency row;
    struct sb_agent key = {0};
    int64_t slot;

    memcpy(key.name, peer->pe_row, sizeof(key.name));
    slot = sb_find(agent->ag_agents, &key);
    if (slot >= 0)
        sb_remove(agent->ag_agents, slot);
    for (slot = -1; (slot = sb_next(agent->ag_latency, slot)) >= 0;)
        if (sb_get(agent->ag_latency, slot, &row) == SB_OK && row.peer_id == peer->pe_id)
            sb_remove(agent->ag_latency, slot);
}

void
ag_bus_event(struct ag_agent *agent, enum sb_event_kind kind, enum sb_severity severity,
             const char *format, ...)
{
    struct sb_event row = {.t_ns = sb_now(), .kind = (uint8_t)kind, .severity = (uint8_t)severity};
    va_list args;

    va_start(args, format);
    vsnprintf(row.text, sizeof(row.text), format, args);
    va_end(args);
    sb_append(agent->ag_events, &row);
    sb_log(severity == SB_severity_INFO ? SB_LOG_INFO : SB_LOG_WARNING, "agent %s: %s",
           agent->ag_name, row.text);
}
