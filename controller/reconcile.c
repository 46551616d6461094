/* SPDX-License-Identifier: Apache-2.0
 *
 * reconcile.c - what a switch that connects holds, against what was decided. Worker thread only.
 *
 * The switch lists its groups and all its flows. Of those with our cookies:
 *   as decided            adopted: nothing is sent, so that age, counters and time-outs go on
 *   other actions         mended by MODIFY_STRICT, which keeps them too
 *   other cookie of ours, time-outs or flags
 *                         replaced by ADD, because MODIFY would keep the old ones
 *   nobody decided it     deleted, alone
 * Of those that were decided and are not there: a timed one has ended and so does its row; others
 * are sent again. Flows with foreign cookies are never touched. One that stands where a rule of
 * ours would (same match and priority) keeps its place: the row of ours goes, and of the rules
 * every switch has an event tells that it is missing. All are listed, not ours alone, to see those.
 *
 * Groups have no cookies: ids with our tag in their upper half are ours. Those that nobody uses go
 * after the flows that pointed to them, but not while a foreign flow does. multicast.c deals with
 * the one that is used.
 */
#include "controller.h"

#include <stdlib.h>

#include "connection.h"
#include "standing.h"
#include "policy/policy.h"

/* Groups with our tag that are remembered of one switch, so that listing millions costs no time. */
#define FOUND_MAX 64

/* What the read-back of one switch has shown so far. */
struct ctl_read_back {
    uint32_t groups[FOUND_MAX];  /* of ours, but the multicast tree's */
    uint32_t foreign[FOUND_MAX]; /* of ours, and a foreign flow points to them */
    uint32_t n_groups, n_foreign;
    uint32_t adopted, mended, replaced, stale, shadowed;
};

/* The rules every switch has, in the order of enum ctl_basic_rule. */
static const struct basic {
    uint64_t cookie;
    uint16_t priority, eth_type;
    const char *name;
} basics[CTL_N_BASIC] = {
    [CTL_TABLE_MISS] = {CTL_COOKIE_TABLE_MISS, 0, 0, "table-miss"},
    [CTL_DISCOVERY] = {CTL_COOKIE_DISCOVERY, UINT16_MAX, CTL_ETH_LLDP, "discovery"},
};
static const struct of_action to_controller = {
    .type = OF_A_OUTPUT, .port = OFPP_CONTROLLER, .max_len = OFPCML_NO_BUFFER}; /* what they do */

/* ---- comparing ------------------------------------------------------------------------ */

bool
ctl_flow_does(const struct ctl_conn *conn, const struct of_flow *flow, const struct of_action *only)
{
    struct of_cursor actions = {.p = flow->actions, .left = flow->actions_size};
    struct of_action action;

    return !flow->other_instructions && of_next_action_v(conn->version, &actions, &action) == 1 &&
           action.type == only->type && action.port == only->port &&
           (only->port != OFPP_CONTROLLER || action.max_len == only->max_len) &&
           action.group == only->group && of_next_action_v(conn->version, &actions, &action) == 0;
}

enum ctl_place
ctl_flow_place(const struct ctl_conn *conn, const struct of_flow *flow, uint64_t cookie,
               const struct of_action *only)
{
    if (flow->cookie >> 48 != CTL_COOKIE_TAG)
        return CTL_PLACE_FOREIGN;
    return flow->cookie == cookie && flow->idle_s == 0 && flow->hard_s == 0 && flow->flags == 0 &&
                   ctl_flow_does(conn, flow, only)
               ? CTL_PLACE_OURS
               : CTL_PLACE_CHANGED;
}

/* Is it at the place of one of the rules every switch has? Then that is noted. */
static bool
is_basic(struct ctl_conn *conn, const struct of_flow *flow)
{
    for (unsigned i = 0; i < CTL_N_BASIC; i++) {
        const struct basic *basic = &basics[i];

        if (flow->table_id != 0 || flow->priority != basic->priority ||
            flow->match.fields != (basic->eth_type != 0 ? OF_M_ETH_TYPE : 0) ||
            (basic->eth_type != 0 && flow->match.eth_type != basic->eth_type))
            continue;
        conn->basic[i] = (uint8_t)ctl_flow_place(conn, flow, basic->cookie, &to_controller);
        return true;
    }
    return false;
}

void
ctl_reconcile_basic(struct ctl_conn *conn)
{
    struct of_buffer b;

    for (unsigned i = 0; i < CTL_N_BASIC; i++) {
        struct of_flow_mod mod = {.cookie = basics[i].cookie,
                                  .command = OFPFC_ADD,
                                  .priority = basics[i].priority,
                                  .buffer_id = OF_NO_BUFFER,
                                  .out_port = OFPP_ANY,
                                  .out_group = OFPG_ANY,
                                  .actions = &to_controller,
                                  .n_actions = 1};

        if (basics[i].eth_type != 0) {
            mod.match.fields = OF_M_ETH_TYPE;
            mod.match.eth_type = basics[i].eth_type;
        }
        if (conn->basic[i] == CTL_PLACE_OURS)
            continue;
        if (conn->basic[i] == CTL_PLACE_FOREIGN) {
            ctl_worker_event(conn->worker, SB_event_kind_REFUSED, SB_severity_ERROR,
                             conn->features.dpid, 0,
                             "a foreign flow stands where the %s rule belongs: it is left there",
                             basics[i].name);
            continue;
        }
        if (!ctl_conn_room(conn, 256, &b))
            return;
        of_put_flow_mod(&b, conn->version, ctl_conn_request(conn, CTL_R_RULE, 0), &mod);
        ctl_conn_wrote(conn, &b);
    }
}

/* ---- one group, one flow -------------------------------------------------------------- */

static struct ctl_read_back *
found(struct ctl_conn *conn)
{
    if (conn->found == NULL)
        conn->found = calloc(1, sizeof(*conn->found));
    if (conn->found == NULL)
        abort();
    return conn->found;
}

/* Adds a group id to a list; one too many is forgotten, and then neither deleted nor spared: none
 * is deleted that was not listed. */
static void
note_group(uint32_t *list, uint32_t *n, uint32_t group)
{
    for (uint32_t i = 0; i < *n; i++)
        if (list[i] == group)
            return;
    if (*n < FOUND_MAX)
        list[(*n)++] = group;
}

void
ctl_reconcile_group(struct ctl_conn *conn, const struct of_group_mod *group)
{
    struct ctl_read_back *back = found(conn);

    if (group->group >> 16 != CTL_GROUP_TAG)
        return;
    if (group->group == CTL_GROUP_MULTICAST)
        ctl_multicast_found(conn, group);
    else
        note_group(back->groups, &back->n_groups, group->group);
}

static void
delete_strict(struct ctl_conn *conn, const struct of_flow *flow)
{
    struct of_flow_mod mod = {
        .cookie = flow->cookie,
        .cookie_mask = UINT64_MAX,
        .table_id = flow->table_id,
        .command = OFPFC_DELETE_STRICT,
        .priority = flow->priority,
        .buffer_id = OF_NO_BUFFER,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .match = flow->match,
    };
    struct of_buffer b;

    if (!ctl_conn_room(conn, 1024, &b))
        return;
    of_put_flow_mod(&b, conn->version, ctl_conn_request(conn, CTL_R_RULE, 0), &mod);
    ctl_conn_wrote(conn, &b);
}

static void
foreign_flow(struct ctl_conn *conn, const struct of_flow *flow)
{
    struct of_cursor actions = {.p = flow->actions, .left = flow->actions_size};
    struct ctl_read_back *back = found(conn);
    struct of_action action;

    while (of_next_action_v(conn->version, &actions, &action) == 1)
        if (action.type == OF_A_GROUP && action.group >> 16 == CTL_GROUP_TAG)
            note_group(back->foreign, &back->n_foreign, action.group);
    if (ctl_flow_remove(conn->worker,
                        ctl_flow_find(conn, &flow->match, flow->priority, flow->table_id)) == SB_OK)
        back->shadowed++;
}

/* The rule in this slot and the flow at its place. */
static void
compare(struct ctl_conn *conn, int64_t slot, const struct of_flow *flow)
{
    struct sb_table *table = conn->worker->flow;
    struct ctl_read_back *back = found(conn);
    struct sb_flow row = *(const struct sb_flow *)sb_peek(table, slot);
    struct of_action only = {
        .type = row.group != 0 ? OF_A_GROUP : OF_A_OUTPUT, .port = row.output, .group = row.group};

    if (row.cookie != flow->cookie || row.idle_s != flow->idle_s || row.hard_s != flow->hard_s ||
        (conn->version != OF10 &&
         flow->flags != OFPFF_SEND_FLOW_REM)) { /* 1.0 does not list them */
        back->replaced += ctl_flow_send_again(conn, slot, OFPFC_ADD);
    } else if (!ctl_flow_does(conn, flow, &only) && row.group != 0 && !conn->multicast.has_group) {
        /* the group, which it should point to, went with all that did; the next packet decides */
        ctl_flow_remove(conn->worker, slot);
        delete_strict(conn, flow);
        back->stale++;
    } else if (!ctl_flow_does(conn, flow, &only)) {
        back->mended += ctl_flow_send_again(conn, slot, OFPFC_MODIFY_STRICT);
    } else {
        row.state = SB_flow_state_INSTALLED;
        if (row.barrier_ns == 0)
            row.barrier_ns = conn->worker->now_ns;
        ctl_flow_write(conn->worker, slot, &row);
        back->adopted++;
    }
}

void
ctl_reconcile_flow(struct ctl_conn *conn, const struct of_flow *flow)
{
    bool noted = is_basic(conn, flow) || ctl_multicast_found_rule(conn, flow);
    const struct sb_flow *row;
    int64_t slot;

    if (flow->cookie >> 48 != CTL_COOKIE_TAG) {
        foreign_flow(conn, flow);
        return;
    }
    if (noted)
        return;
    slot = ctl_flow_find(conn, &flow->match, flow->priority, flow->table_id);
    row = sb_peek(conn->worker->flow, slot);
    /* A group may have gone under rules that a policy without it decided. */
    if (row != NULL && (row->group == 0 || conn->worker->policy->multicast)) {
        compare(conn, slot, flow);
        return;
    }
    sb_debug("switch %016lx: deletes stale rule %016lx", conn->features.dpid, flow->cookie);
    delete_strict(conn, flow);
    found(conn)->stale++;
}

/* ---- before and after ------------------------------------------------------------------ */

void
ctl_reconcile_begin(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;
    struct sb_group group = {.dpid = conn->features.dpid, .group = CTL_GROUP_MULTICAST};
    int64_t slot = sb_find(worker->group, &group);

    if (sb_get(worker->group, slot, &group) == SB_OK) {
        group.state = SB_flow_state_RESTORED;
        sb_amend(worker->group, slot, &group);
    }
    for (slot = -1;
         (slot = ctl_rows_next(worker->rows, worker->flow, conn->features.dpid, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);
        struct sb_flow doubted;

        if (row->state == SB_flow_state_RESTORED)
            continue;
        doubted = *row;
        doubted.state = SB_flow_state_RESTORED;
        ctl_standing_forget(worker, slot);
        sb_amend(worker->flow, slot, &doubted);
    }
}

static void
delete_group(struct ctl_conn *conn, uint32_t group)
{
    struct of_group_mod mod = {.command = OFPGC_DELETE, .group = group};
    struct of_buffer b;

    if (!ctl_conn_room(conn, 64, &b))
        return;
    of_put_group_mod(&b, conn->version, ctl_conn_request(conn, CTL_R_GROUP, 0), &mod);
    ctl_conn_wrote(conn, &b);
}

/* Groups with our tag that nobody uses. The flows that pointed to them have been deleted, and a
 * barrier makes sure of that; flows of others would be deleted with the group. */
static void
delete_groups(struct ctl_conn *conn)
{
    struct ctl_read_back *back = conn->found;
    struct of_buffer b;

    if (back->n_groups == 0 || !ctl_conn_room(conn, OF_HEADER_SIZE, &b))
        return;
    of_put_header(&b, conn->version, OFPT13_BARRIER_REQUEST, ctl_conn_xid(conn));
    ctl_conn_wrote(conn, &b);
    for (uint32_t i = 0; i < back->n_groups; i++) {
        bool spared = back->n_foreign == FOUND_MAX;

        for (uint32_t j = 0; j < back->n_foreign; j++)
            spared |= back->foreign[j] == back->groups[i];
        if (spared)
            sb_warning("switch %016lx: group %08x is stale, but a foreign flow points to it: left",
                       conn->features.dpid, back->groups[i]);
        else
            delete_group(conn, back->groups[i]);
    }
}

void
ctl_reconcile_end(struct ctl_conn *conn)
{
    struct ctl_worker *worker = conn->worker;
    struct ctl_read_back *back = found(conn);
    uint32_t ended = 0, again = 0;

    /* not asked or not answered: what is restored stays restored */
    for (int64_t slot = -1;
         conn->flows_read &&
         (slot = ctl_rows_next(worker->rows, worker->flow, conn->features.dpid, slot)) >= 0;) {
        const struct sb_flow *row = sb_peek(worker->flow, slot);

        if (row->state != SB_flow_state_RESTORED)
            continue;
        if (row->idle_s != 0 || row->hard_s != 0) {
            /* A timed flow that the switch has no more has ended; the next packet decides anew. */
            ctl_flow_remove(worker, slot);
            ended++;
        } else {
            again += ctl_flow_send_again(conn, slot, OFPFC_ADD);
        }
    }
    if (!worker->policy->multicast)
        ctl_multicast_stale(conn);
    delete_groups(conn);
    if (back->adopted + back->mended + back->replaced + ended + again + back->stale +
            back->shadowed >
        0)
        ctl_worker_event(worker, SB_event_kind_RECONCILED, SB_severity_INFO, conn->features.dpid, 0,
                         "%u adopted, %u mended, %u replaced, %u ended, %u again, %u stale, "
                         "%u foreign in %lu ms",
                         back->adopted, back->mended, back->replaced, ended, again, back->stale,
                         back->shadowed, (sb_mono() - conn->opened_ns) / SB_MS);
    free(conn->found);
    conn->found = NULL;
}
