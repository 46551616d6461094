/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c - a worker thread: one epoll loop over its connections and its mailbox.
 *
 * A turn: wait, read each ready connection once (which decides its packet-ins), take some mail, run
 * the timers when due, put one barrier behind each switch's new rules, write every dirty connection
 * once, earlier if answers pile up. Bounded work per switch and turn: one read of at
 * most CTL_RX_SHARED bytes; those whose last read was a big one come after the others have been
 * answered, one of them a turn.
 */
#include "controller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <trivet/clock.h>

#include "connection.h"
#include "policy/policy.h"

#define TICK_MS 100
#define EVENTS_MAX 128
/* Bytes of answers that wait for the end of the turn: writing many at once wakes their readers
 * once, writing them soon finds them in the cache. */
#define UNSENT_MAX 65536
#define MAIL_A_TURN 64 /* what comes in meanwhile does not wait for all of it */

/* ---- switches by dpid ------------------------------------------------------- */

static uint32_t
dpid_slot(const struct ctl_worker *worker, uint64_t dpid)
{
    uint64_t h = dpid * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(h >> 32) & (worker->by_dpid_size - 1);
}

struct ctl_conn *
ctl_worker_conn(const struct ctl_worker *worker, uint64_t dpid)
{
    uint32_t mask = worker->by_dpid_size - 1;

    for (uint32_t i = dpid_slot(worker, dpid); worker->by_dpid[i] != NULL; i = (i + 1) & mask)
        if (worker->by_dpid[i]->features.dpid == dpid)
            return worker->by_dpid[i];
    return NULL;
}

static void
insert_switch(struct ctl_worker *worker, struct ctl_conn *conn)
{
    uint32_t i = dpid_slot(worker, conn->features.dpid);

    while (worker->by_dpid[i] != NULL)
        i = (i + 1) & (worker->by_dpid_size - 1);
    worker->by_dpid[i] = conn;
}

/* Makes the table anew; used to grow it and after a removal (rare: once a disconnect). */
static void
rehash_switches(struct ctl_worker *worker, uint32_t size)
{
    struct ctl_conn **table = calloc(size, sizeof(struct ctl_conn *));

    if (table == NULL)
        abort();
    free(worker->by_dpid);
    worker->by_dpid = table;
    worker->by_dpid_size = size;
    for (struct ctl_conn *conn = worker->conns; conn != NULL; conn = conn->next)
        if (conn->registered)
            insert_switch(worker, conn);
}

void
ctl_worker_add_switch(struct ctl_worker *worker, struct ctl_conn *conn)
{
    conn->registered = true;
    worker->n_switches++;
    if (worker->n_switches * 2 > worker->by_dpid_size)
        rehash_switches(worker, worker->by_dpid_size * 2);
    else
        insert_switch(worker, conn);
    ctl_fdb_load(conn);
}

void
ctl_worker_remove_switch(struct ctl_worker *worker, struct ctl_conn *conn)
{
    if (!conn->registered)
        return;
    conn->registered = false;
    worker->n_switches--;
    ctl_fdb_free(&conn->fdb);
    rehash_switches(worker, worker->by_dpid_size);
}

/* ---- events -------------------------------------------------------------------- */

void
ctl_worker_event(struct ctl_worker *worker, enum sb_event_kind kind, enum sb_severity severity,
                 uint64_t dpid, uint32_t port, const char *format, ...)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_M_EVENT, dpid, sizeof(struct sb_event));
    struct sb_event *event = (void *)mail->data;
    va_list args;

    event->t_ns = worker->now_ns;
    event->dpid = dpid;
    event->port = port;
    event->kind = (uint8_t)kind;
    event->severity = (uint8_t)severity;
    va_start(args, format);
    vsnprintf(event->text, sizeof(event->text), format, args);
    va_end(args);
    ctl_post(&worker->app->mailbox, mail);
}

/* ---- mail ------------------------------------------------------------------------- */

/* A link whose far switch is not connected at the moment carries traffic all the same: its rules
 * are in both switches. */
static bool
port_carries(const struct ctl_net_port *port)
{
    return port->up &&
           (ctl_is_edge(port->type) || (port->type == SB_port_type_LINK && port->linked));
}

static bool
same_role(const struct ctl_net *net_before, const struct ctl_net_port *before,
          const struct ctl_net *net_after, const struct ctl_net_port *after)
{
    if (after == NULL || !port_carries(after) || after->type != before->type)
        return false;
    if (before->peer < 0 || after->peer < 0)
        return true;
    return net_before->switches[before->peer].dpid == net_after->switches[after->peer].dpid &&
           before->peer_port == after->peer_port;
}

/* Rules that lead out of a port which no longer carries traffic as before must go. */
static void
compare_ports(struct ctl_worker *worker, struct ctl_conn *conn, const struct ctl_net *net_before,
              const struct ctl_net_switch *before)
{
    for (uint32_t i = 0; i < before->n_ports; i++) {
        const struct ctl_net_port *port = &before->ports[i];

        if (!port_carries(port) ||
            same_role(net_before, port, worker->net, ctl_net_port(conn->sw, port->port)))
            continue;
        sb_debug("switch %016lx: port %u carries traffic no more as before, its rules go",
                 conn->features.dpid, port->port);
        ctl_flow_delete_port(conn, port->port);
        if (worker->policy->port_lost != NULL)
            worker->policy->port_lost(worker, conn, port->port);
    }
}

/* Has a link left the flood tree? Then what was learned over links may point the wrong way
 * anywhere. */
static bool
tree_changed(const struct ctl_net *before, const struct ctl_net *after)
{
    for (uint32_t i = 0; before != NULL && i < before->n_switches; i++) {
        const struct ctl_net_switch *sw = &before->switches[i];
        int32_t now = ctl_net_find(after, sw->dpid);

        for (uint32_t j = 0; now >= 0 && j < sw->n_ports; j++) {
            const struct ctl_net_port *port =
                ctl_net_port(&after->switches[now], sw->ports[j].port);

            if (sw->ports[j].tree && (port == NULL || !port->tree))
                return true;
        }
    }
    return false;
}

static void
forget_learned(struct ctl_worker *worker, struct ctl_conn *conn)
{
    for (uint32_t i = 0; i < conn->sw->n_ports; i++)
        if (conn->sw->ports[i].type == SB_port_type_LINK)
            worker->policy->port_lost(worker, conn, conn->sw->ports[i].port);
}

static void
take_net(struct ctl_worker *worker, struct ctl_net *net)
{
    struct ctl_net *old = worker->net;
    bool relearn = worker->policy->port_lost != NULL && tree_changed(old, net);

    worker->net = net;
    for (struct ctl_conn *conn = worker->conns; conn != NULL; conn = conn->next) {
        const struct ctl_net_switch *before = conn->sw;

        if (!conn->registered)
            continue;
        conn->sw_index = ctl_net_find(net, conn->features.dpid);
        conn->sw = conn->sw_index < 0 ? NULL : &net->switches[conn->sw_index];
        if (conn->sw == NULL)
            continue;
        if (!conn->rr_loaded) {
            conn->rr_counter = conn->sw->rr_counter;
            conn->rr_loaded = true;
        }
        if (conn->state != CTL_READY)
            continue;
        if (before != NULL && conn->compared) {
            compare_ports(worker, conn, old, before);
        } else { /* ports may have gone while it, or we, were away */
            ctl_flow_delete_void(conn, port_carries);
            ctl_fdb_forget_void(conn, port_carries);
        }
        conn->compared = true;
        if (relearn)
            forget_learned(worker, conn);
    }
    ctl_net_release(old);
    ctl_pending_run(worker);
}

static void
packet_out(struct ctl_worker *worker, const struct ctl_mail *mail)
{
    const struct ctl_mail_packet *packet = (const void *)mail->data;
    struct ctl_conn *conn = ctl_worker_conn(worker, mail->dpid);
    size_t head = sizeof(*packet) + packet->n_ports * sizeof(uint32_t);

    if (conn == NULL || conn->state != CTL_READY)
        return;
    ctl_conn_packet_out(conn, OF_NO_BUFFER, packet->in_port, packet->ports, packet->n_ports,
                        mail->data + head, mail->size - head);
}

/* Its rules, if it lives on somewhere, are read back and deleted as stale should it ever return. */
static void
forget_switch(struct ctl_worker *worker, uint64_t dpid)
{
    struct sb_table *const others[] = {worker->group, worker->flow_table};

    for (int64_t slot = -1; (slot = ctl_rows_next(worker->rows, worker->flow, dpid, slot)) >= 0;)
        ctl_flow_remove(worker, slot);
    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->installed_rows, worker->installed, dpid, slot)) >= 0;)
        sb_remove(worker->installed, slot);
    ctl_fdb_forget_switch(worker, dpid);
    for (unsigned i = 0; i < 2; i++)
        for (int64_t slot = -1; (slot = sb_next(others[i], slot)) >= 0;)
            if (*(const uint64_t *)sb_key(others[i], slot) == dpid)
                sb_remove(others[i], slot);
}

static void
take_host(struct ctl_worker *worker, const struct ctl_mail_host *host)
{
    if (host->clash) {
        ctl_multicast_clash(worker, host->mac);
        return;
    }
    if (host->flush)
        ctl_flow_delete_mac(worker, host->mac);
    if (host->gone)
        ctl_host_forget(worker, host->mac);
    else
        ctl_host_set(worker, host->mac, host->dpid, host->port);
}

static void
tell_counters(struct ctl_worker *worker)
{
    char who[16];

    snprintf(who, sizeof(who), "worker.%u", worker->index & 0xff);
    ctl_counters_tell(worker->app, who, &worker->counters, &worker->counted, worker->mono_ns);
}

static void
log_counters(const struct ctl_worker *worker)
{
    char who[24];

    snprintf(who, sizeof(who), "worker %u", worker->index);
    ctl_counters_log(who, &worker->counters);
}

/* True: the mail is to be freed. */
static bool
take_mail(struct ctl_worker *worker, struct ctl_mail *mail)
{
    switch (mail->type) {
    case CTL_W_ACCEPT: {
        const struct ctl_mail_accept *accepted = (const void *)mail->data;
        struct ctl_conn *conn = ctl_conn_new(worker, accepted);

        if (conn != NULL)
            ctl_handshake_start(conn);
        if (conn != NULL && conn->tls != NULL)
            ctl_conn_readable(conn); /* what came with the end of its handshake wakes nobody */
        break;
    }
    case CTL_W_ADOPT: {
        struct ctl_conn *conn;

        memcpy(&conn, mail->data, sizeof(conn));
        ctl_conn_adopt(worker, conn);
        break;
    }
    case CTL_W_NET: {
        struct ctl_net *net;

        memcpy(&net, mail->data, sizeof(net));
        take_net(worker, net);
        break;
    }
    case CTL_W_HOST:
        take_host(worker, (const void *)mail->data);
        break;
    case CTL_W_PACKET_OUT:
        packet_out(worker, mail);
        break;
    case CTL_W_INSTALL: {
        struct sb_flow *row = (void *)mail->data;

        ctl_flow_install(worker, ctl_worker_conn(worker, mail->dpid), row,
                         sb_hash(worker->flow, row), -1, NULL);
        break;
    }
    case CTL_W_MULTICAST: {
        struct ctl_conn *conn = ctl_worker_conn(worker, mail->dpid);

        if (conn == NULL || conn->id != mail->conn || conn->state != CTL_READY)
            break;
        ctl_multicast_order(conn, mail);
        return false;
    }
    case CTL_W_FORGET:
        if (ctl_worker_conn(worker, mail->dpid) == NULL)
            forget_switch(worker, mail->dpid);
        break;
    case CTL_W_FLUSH_PATHS:
        ctl_flow_delete_paths(worker, (const uint64_t *)mail->data, mail->size / sizeof(uint64_t));
        break;
    case CTL_W_COUNTERS:
        log_counters(worker);
        break;
    case CTL_W_STOP:
        worker->stop = true;
        break;
    default:
        sb_error("worker %u: mail of type %d is not for a worker, dropped", worker->index,
                 mail->type);
    }
    return true;
}

/* What comes after the stop owns things too. */
static void
discard_mail(struct ctl_mail *mail)
{
    struct ctl_conn *conn;
    struct ctl_net *net;

    if (mail->type == CTL_W_ACCEPT) {
        struct ctl_mail_accept *accepted = (void *)mail->data;

        ctl_tls_free(&accepted->tls);
        close(accepted->fd);
    } else if (mail->type == CTL_W_ADOPT) {
        memcpy(&conn, mail->data, sizeof(conn));
        ctl_conn_discard(conn);
    } else if (mail->type == CTL_W_NET) {
        memcpy(&net, mail->data, sizeof(net));
        ctl_net_release(net);
    }
    free(mail);
}

/* ---- the loop -------------------------------------------------------------------------- */

static void
run_timers(struct ctl_worker *worker)
{
    struct ctl_conn *next;

    for (struct ctl_conn *conn = worker->conns; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->state != CTL_CLOSED)
            ctl_conn_timers(conn);
    }
    ctl_pending_run(worker);
    if (worker->confirm_mono_ns != 0 && worker->mono_ns >= worker->confirm_mono_ns) {
        worker->confirm_mono_ns = 0;
        ctl_known_confirm(worker);
    }
    tell_counters(worker);
}

static void
write_dirty(struct ctl_worker *worker)
{
    struct ctl_conn *conn;

    while ((conn = worker->dirty) != NULL) {
        worker->dirty = conn->next_dirty;
        if (worker->dirty == NULL)
            worker->dirty_end = &worker->dirty;
        conn->is_dirty = false;
        if (conn->state == CTL_CLOSED)
            continue;
        ctl_flow_barrier(conn);
        ctl_conn_flush(conn);
    }
    worker->unsent = 0;
}

static void
end_turn(struct ctl_worker *worker)
{
    struct ctl_conn *conn;

    write_dirty(worker);
    while ((conn = worker->dead) != NULL) {
        worker->dead = conn->next_dead;
        ctl_conn_free(conn);
    }
}

static void
serve(const struct epoll_event *event)
{
    struct ctl_conn *conn = event->data.ptr;
    struct ctl_worker *worker = conn->worker; /* it may be another's afterwards */

    if (conn->state != CTL_CLOSED && (event->events & EPOLLOUT))
        ctl_conn_flush(conn);
    if (conn->state != CTL_CLOSED &&
        ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || conn->tls != NULL))
        ctl_conn_readable(conn); /* TLS may have had to write before it could read */
    if (worker->unsent >= UNSENT_MAX)
        write_dirty(worker);
}

/* Those who flood us: who has waited longest has its turn. (Going by the place among the events is
 * not fair: with more of them than one look tells of, it can be the same ones' each time.) */
static void
serve_greedy(struct ctl_worker *worker, const struct epoll_event *events, int n)
{
    const struct epoll_event *next = &events[0];
    struct ctl_conn *conn;

    for (int i = 1; i < n; i++)
        if (((const struct ctl_conn *)events[i].data.ptr)->greedy_turn <
            ((const struct ctl_conn *)next->data.ptr)->greedy_turn)
            next = &events[i];
    conn = next->data.ptr;
    conn->greedy_turn = ++worker->greedy_turn;
    serve(next);
}

/* Those who ask for little have their answers before those who flood us are read; of these one has
 * its turn, the next time another, so that a crowd of them is no worse than one. */
static void
serve_all(struct ctl_worker *worker, struct epoll_event *events, int n)
{
    int n_greedy = 0;

    for (int i = 0; i < n; i++) {
        const struct ctl_conn *conn = events[i].data.ptr;

        if (conn == NULL)
            continue; /* the mailbox */
        if (conn->greedy)
            events[n_greedy++] = events[i];
        else
            serve(&events[i]);
    }
    if (n_greedy > 0) {
        write_dirty(worker);
        serve_greedy(worker, events, n_greedy);
    }
}

/* New mail is taken when the old is done, so that senders see how much waits. */
static void
take_mails(struct ctl_worker *worker)
{
    if (worker->mail == NULL)
        worker->mail = ctl_mailbox_take(&worker->mailbox);
    for (unsigned i = 0; i < MAIL_A_TURN && worker->mail != NULL; i++) {
        struct ctl_mail *mail = worker->mail;

        worker->mail = mail->next;
        if (take_mail(worker, mail))
            free(mail);
    }
}

void
ctl_worker_turn(struct ctl_worker *worker, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(worker->epoll, events, EVENTS_MAX, worker->mail != NULL ? 0 : timeout_ms);

    worker->now_ns = sb_now();
    worker->mono_ns = sb_mono();
    serve_all(worker, events, n);
    take_mails(worker);
    if (worker->mono_ns >= worker->next_tick_ns) {
        run_timers(worker);
        worker->next_tick_ns = worker->mono_ns + TICK_MS * SB_MS;
    }
    end_turn(worker);
}

static void *
run(void *arg)
{
    struct ctl_worker *worker = arg;

    while (!worker->stop)
        ctl_worker_turn(worker, TICK_MS);
    log_counters(worker);
    return NULL;
}

/* Rows of an earlier run are hearsay until their switch is back and has been asked. What another
 * policy decided would shadow what this one decides: without their rows its rules are stale, and go
 * when their switch connects. */
static void
adopt_rows(struct ctl_worker *worker)
{
    for (int64_t slot = -1; (slot = sb_next(worker->flow, slot)) >= 0;) {
        struct sb_flow row;

        sb_get(worker->flow, slot, &row);
        if (row.policy != worker->policy->id &&
            !(row.policy == SB_policy_MULTICAST && worker->policy->multicast)) {
            sb_remove(worker->flow, slot);
            continue;
        }
        row.state = SB_flow_state_RESTORED;
        sb_amend(worker->flow, slot, &row);
        ctl_rows_add(worker->rows, row.dpid, slot);
    }
    for (int64_t slot = -1; (slot = sb_next(worker->mac, slot)) >= 0;)
        ctl_rows_add(worker->mac_rows, *(const uint64_t *)sb_key(worker->mac, slot), slot);
    for (int64_t slot = -1; (slot = sb_next(worker->installed, slot)) >= 0;)
        ctl_rows_add(worker->installed_rows,
                     ((const struct sb_installed *)sb_peek(worker->installed, slot))->dpid, slot);
    for (int64_t slot = -1; (slot = sb_next(worker->group, slot)) >= 0;) {
        struct sb_group row;

        sb_get(worker->group, slot, &row);
        row.state = SB_flow_state_RESTORED;
        sb_amend(worker->group, slot, &row);
    }
}

int
ctl_worker_init(struct ctl_worker *worker, struct ctl_app *app, unsigned index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    worker->app = app;
    worker->index = index;
    worker->policy = ctl_policy_find(app->config->controller.policy);
    worker->mac = sb_owner_table(app->owner, SB_T_mac, index);
    worker->flow = sb_owner_table(app->owner, SB_T_flow, index);
    worker->group = sb_owner_table(app->owner, SB_T_group, index);
    worker->decision = sb_owner_table(app->owner, SB_T_decision, index);
    worker->dirty_end = &worker->dirty;
    worker->by_dpid_size = 64;
    worker->by_dpid = calloc(worker->by_dpid_size, sizeof(struct ctl_conn *));
    worker->hosts_size = 1024;
    worker->hosts = calloc(worker->hosts_size, sizeof(*worker->hosts));
    worker->rx = malloc(CTL_RX_BUFFER);
    if (getrandom(worker->secret, sizeof(worker->secret), 0) != sizeof(worker->secret))
        return -1;
    worker->secret[1] |= 1;
    worker->installed = sb_owner_table(app->owner, SB_T_installed, index);
    worker->flow_table = sb_owner_table(app->owner, SB_T_flow_table, index);
    worker->rows = ctl_rows_new(worker->flow);
    worker->mac_rows = ctl_rows_new(worker->mac);
    worker->installed_rows = ctl_rows_new(worker->installed);
    worker->installed_round = calloc(sb_table_slots(worker->installed), sizeof(uint32_t));
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->now_ns = sb_now();
    worker->mono_ns = sb_mono();
    if (worker->policy == NULL || worker->by_dpid == NULL || worker->hosts == NULL ||
        worker->rx == NULL || worker->rows == NULL || worker->mac_rows == NULL ||
        worker->installed_rows == NULL || worker->installed_round == NULL || worker->epoll < 0 ||
        ctl_standing_init(&worker->standings, sb_table_slots(worker->flow) / 4 * 3) < 0)
        return -1;
    adopt_rows(worker);
    if (sb_owner_warm(app->owner))
        worker->confirm_mono_ns = worker->mono_ns + app->config->controller.confirm_s * SB_SECOND;
    /* the mailbox was set up before, so that mail could be posted already */
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->mailbox.fd, &event);
}

int
ctl_worker_start(struct ctl_worker *worker, struct ctl_app *app, unsigned index)
{
    if (ctl_worker_init(worker, app, index) < 0)
        return -1;
    errno = pthread_create(&worker->thread, NULL, run, worker);
    return errno == 0 ? 0 : -1;
}

void
ctl_worker_join(struct ctl_worker *worker)
{
    ctl_post(&worker->mailbox, ctl_mail_new(CTL_W_STOP, 0, 0));
    pthread_join(worker->thread, NULL);
}

void
ctl_worker_fini(struct ctl_worker *worker)
{
    for (unsigned i = 0; i < 2; i++) { /* what was taken, what was not */
        for (struct ctl_mail *next; worker->mail != NULL; worker->mail = next) {
            next = worker->mail->next;
            discard_mail(worker->mail);
        }
        worker->mail = ctl_mailbox_take(&worker->mailbox);
    }
    /* A clean stop says nothing to the switches: their rules stay and carry the traffic. */
    while (worker->conns != NULL) {
        worker->conns->state = CTL_CLOSED;
        ctl_conn_free(worker->conns);
    }
    for (uint32_t i = 0; i < CTL_PENDING_MAX; i++)
        free(worker->pending[i].data);
    ctl_net_release(worker->net);
    ctl_mailbox_fini(&worker->mailbox);
    close(worker->epoll);
    free(worker->by_dpid);
    free(worker->hosts);
    while (worker->n_spares > 0)
        free(worker->spares[--worker->n_spares].data);
    free(worker->rx);
    free(worker->rows);
    ctl_standing_fini(&worker->standings);
    free(worker->mac_rows);
    free(worker->installed_rows);
    free(worker->installed_round);
}
