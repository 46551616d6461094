/* SPDX-License-Identifier: Apache-2.0
 *
 * known.c - what a worker knows beside the topology: where hosts are, and packets that wait until
 * the type of their port is known. Worker thread only.
 *
 * Hosts are told by the main thread, which decides (topology/hosts.c); a worker sets its own entry
 * at once when it sees a host, so that it reports it once and not with every packet.
 */
#include "controller.h"

#include <stdlib.h>

#include "connection.h"

#define REPORT_NS (5 * SB_SECOND) /* a host that goes on speaking is reported again after this */
/* Beyond it one goes for each that comes: forged sources fill no memory. */
#define HOSTS_MAX (1u << 18)
#define PENDING_NS (2 * SB_SECOND) /* packets wait at most this long */

/* ---- hosts: open addressing, grows at half load ------------------------------------- */

static uint32_t
host_slot(const struct ctl_worker *worker, const uint8_t *mac)
{
    uint64_t h = 0;

    memcpy(&h, mac, 6);
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 33) & (worker->hosts_size - 1);
}

struct ctl_host *
ctl_host_find(struct ctl_worker *worker, const uint8_t *mac)
{
    uint32_t mask = worker->hosts_size - 1;

    for (uint32_t i = host_slot(worker, mac); worker->hosts[i].used; i = (i + 1) & mask)
        if (memcmp(worker->hosts[i].mac, mac, 6) == 0)
            return &worker->hosts[i];
    return NULL;
}

static struct ctl_host *
insert_host(struct ctl_worker *worker, const uint8_t *mac)
{
    uint32_t mask = worker->hosts_size - 1, i = host_slot(worker, mac);

    while (worker->hosts[i].used)
        i = (i + 1) & mask;
    memset(&worker->hosts[i], 0, sizeof(worker->hosts[i]));
    worker->hosts[i].used = true;
    memcpy(worker->hosts[i].mac, mac, 6);
    return &worker->hosts[i];
}

static void
grow_hosts(struct ctl_worker *worker)
{
    struct ctl_host *old = worker->hosts;
    uint32_t old_size = worker->hosts_size;

    worker->hosts = calloc(old_size * 2u, sizeof(*old));
    if (worker->hosts == NULL)
        abort();
    worker->hosts_size = old_size * 2;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i].used)
            *insert_host(worker, old[i].mac) = old[i];
    free(old);
}

/* Makes room: the entry behind this address's place goes, which is as good as any. */
static void
evict_host(struct ctl_worker *worker, const uint8_t *mac)
{
    uint32_t mask = worker->hosts_size - 1, i = host_slot(worker, mac);
    uint8_t victim[6];

    while (!worker->hosts[i].used)
        i = (i + 1) & mask;
    memcpy(victim, worker->hosts[i].mac, 6);
    ctl_host_forget(worker, victim);
    worker->counters.dropped_hosts++;
}

void
ctl_host_set(struct ctl_worker *worker, const uint8_t *mac, uint64_t dpid, uint32_t port)
{
    struct ctl_host *host = ctl_host_find(worker, mac);

    if (host == NULL) {
        if (worker->n_hosts == HOSTS_MAX)
            evict_host(worker, mac);
        if (++worker->n_hosts * 2 > worker->hosts_size)
            grow_hosts(worker);
        host = insert_host(worker, mac);
    }
    if (host->dpid != dpid || host->port != port)
        host->since_ns = worker->now_ns;
    host->dpid = dpid;
    host->port = port;
}

void
ctl_host_forget(struct ctl_worker *worker, const uint8_t *mac)
{
    struct ctl_host *host = ctl_host_find(worker, mac);
    uint32_t mask = worker->hosts_size - 1, i;

    if (host == NULL)
        return;
    worker->n_hosts--;
    host->used = false;
    /* Close the gap: entries behind it may have been pushed past it. */
    for (i = ((uint32_t)(host - worker->hosts) + 1) & mask; worker->hosts[i].used;
         i = (i + 1) & mask) {
        struct ctl_host moved = worker->hosts[i];

        worker->hosts[i].used = false;
        *insert_host(worker, moved.mac) = moved;
    }
}

void
ctl_host_seen(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t in_port,
              const struct ctl_frame *frame)
{
    static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct ctl_host *host = ctl_host_find(worker, ctl_frame_src(frame));
    struct ctl_frame_ips ips = ctl_frame_ips(frame);
    uint8_t ip[16];
    bool ipv4, has_ip;
    struct ctl_mail *mail;
    struct ctl_mail_host *seen;
    uint8_t *known;

    ctl_frame_ip(ip, ips.src, ips.size);
    ipv4 = memcmp(ip, mapped, 12) == 0;
    has_ip = memcmp(ip, zero, 16) != 0 && !(ipv4 && of_get32(ip + 12) == 0) && ip[0] != 0xff;
    if (host != NULL && host->dpid == conn->features.dpid && host->port == in_port &&
        worker->now_ns - host->reported_ns < REPORT_NS) {
        known = ipv4 ? host->ip : host->ip6;
        if (!has_ip || memcmp(known, ip, 16) == 0)
            return;
    }
    ctl_host_set(worker, ctl_frame_src(frame), conn->features.dpid, in_port);
    host = ctl_host_find(worker, ctl_frame_src(frame));
    host->reported_ns = worker->now_ns;
    if (has_ip)
        memcpy(ipv4 ? host->ip : host->ip6, ip, 16);
    mail = ctl_mail_new(CTL_M_HOST, conn->features.dpid, sizeof(*seen));
    seen = (void *)mail->data;
    memcpy(seen->mac, ctl_frame_src(frame), 6);
    seen->vlan = frame->vlan;
    seen->dpid = conn->features.dpid;
    seen->port = in_port;
    if (has_ip)
        memcpy(seen->ip, ip, 16);
    if (!ctl_post_or_drop(&worker->app->mailbox, mail)) {
        host->reported_ns = 0; /* the next packet tells it again */
        worker->counters.dropped_mail++;
    }
}

void
ctl_known_confirm(struct ctl_worker *worker)
{
    uint64_t dropped;

    /* Its idle time-out did not end this rule, so its source was heard at its port. */
    for (int64_t slot = -1; (slot = sb_next(worker->flow, slot)) >= 0;) {
        static const uint32_t source = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC;
        const struct sb_flow *flow = sb_peek(worker->flow, slot);
        struct sb_mac row = {.dpid = flow->dpid};
        struct ctl_host *host;
        struct ctl_mail *mail;
        struct ctl_mail_host *seen;

        if (flow->state != SB_flow_state_INSTALLED || flow->idle_s == 0 ||
            (flow->fields & source) != source)
            continue;
        memcpy(row.mac, flow->eth_src, 6);
        if (sb_get(worker->mac, sb_find(worker->mac, &row), &row) == SB_OK &&
            row.port == flow->in_port)
            sb_put(worker->mac, &row);
        host = ctl_host_find(worker, flow->eth_src);
        if (host == NULL || host->dpid != flow->dpid || host->port != flow->in_port ||
            worker->now_ns - host->reported_ns < REPORT_NS)
            continue;
        mail = ctl_mail_new(CTL_M_HOST, flow->dpid, sizeof(*seen));
        seen = (void *)mail->data;
        memcpy(seen->mac, flow->eth_src, 6);
        seen->dpid = flow->dpid;
        seen->port = flow->in_port;
        seen->alive = true;
        if (ctl_post_or_drop(&worker->app->mailbox, mail))
            host->reported_ns = worker->now_ns;
        else
            worker->counters.dropped_mail++;
    }
    dropped = ctl_fdb_drop_restored(worker);
    if (dropped > 0)
        sb_info("worker %u: %lu addresses from before the restart were not heard again: forgotten",
                worker->index, dropped);
}

/* ---- pending packets: a bounded ring ------------------------------------------------------ */

void
ctl_pending_add(struct ctl_worker *worker, struct ctl_conn *conn, const struct of_packet_in *in)
{
    struct ctl_pending *p;
    uint8_t *copy;

    if (worker->n_pending == CTL_PENDING_MAX || conn->n_pending == CTL_PENDING_SWITCH ||
        (copy = malloc(in->data_size)) == NULL) {
        worker->counters.dropped_pending++;
        return;
    }
    memcpy(copy, in->data, in->data_size);
    conn->n_pending++;
    p = &worker->pending[(worker->pending_first + worker->n_pending++) % CTL_PENDING_MAX];
    p->dpid = conn->features.dpid;
    p->conn = conn->id;
    p->queued_mono_ns = worker->mono_ns;
    p->in_port = in->in_port;
    p->buffer_id = in->buffer_id;
    p->size = in->data_size;
    p->data = copy;
}

static bool
decidable(const struct ctl_conn *conn, uint32_t in_port)
{
    const struct ctl_net_port *port;

    if (conn == NULL || conn->state != CTL_READY || conn->sw == NULL)
        return false;
    port = ctl_net_port(conn->sw, in_port);
    return port != NULL && port->type != SB_port_type_UNKNOWN;
}

void
ctl_pending_run(struct ctl_worker *worker)
{
    uint32_t n = worker->n_pending;

    /* Once round the ring: what cannot be decided yet goes to its end, in order. */
    while (n-- > 0) {
        struct ctl_pending p = worker->pending[worker->pending_first];
        struct ctl_conn *conn = ctl_worker_conn(worker, p.dpid);

        worker->pending[worker->pending_first].data = NULL;
        worker->pending_first = (worker->pending_first + 1) % CTL_PENDING_MAX;
        worker->n_pending--;
        if (conn != NULL && conn->id != p.conn)
            p.buffer_id = OF_NO_BUFFER; /* a buffer of an earlier connection */
        else if (conn != NULL)
            conn->n_pending--;
        if (decidable(conn, p.in_port)) {
            struct of_packet_in in = {.buffer_id = p.buffer_id,
                                      .in_port = p.in_port,
                                      .total_len = p.size,
                                      .data = p.data,
                                      .data_size = p.size};

            ctl_conn_packet_in(conn, &in);
            ctl_batch_run(worker);
            free(p.data);
        } else if (worker->mono_ns - p.queued_mono_ns > PENDING_NS) {
            worker->counters.dropped_pending++;
            free(p.data);
        } else {
            worker->pending[(worker->pending_first + worker->n_pending++) % CTL_PENDING_MAX] = p;
            if (conn != NULL && conn->id == p.conn)
                conn->n_pending++;
        }
    }
}
