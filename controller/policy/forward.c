/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.c - the packet itself: to a port, to a host's port elsewhere, to everybody. Worker
 * thread.
 */
#include "policy.h"

void
ctl_forward(const struct ctl_packet *packet, uint32_t port)
{
    /* back out of the port it came in by only when said so (section 7.2.1) */
    if (port == packet->in_port)
        port = OFPP_IN_PORT;
    ctl_conn_packet_out_to(packet->conn, packet->buffer_id, packet->in_port, port,
                           packet->frame.data, packet->frame.size);
}

/* A buffered packet whose bytes went another way: the switch may forget it. */
static void
release_buffer(const struct ctl_packet *packet)
{
    struct of_buffer b;

    if (packet->buffer_id == OF_NO_BUFFER || !ctl_conn_room(packet->conn, 64, &b))
        return;
    of_put_packet_out(&b, packet->conn->version, ctl_conn_xid(packet->conn), packet->buffer_id,
                      packet->in_port, NULL, 0, NULL, 0);
    ctl_conn_wrote(packet->conn, &b);
}

static struct ctl_mail *
packet_mail(enum ctl_mail_type type, uint64_t dpid, uint32_t in_port, const uint32_t *port,
            const struct ctl_frame *frame)
{
    uint32_t n_ports = port != NULL ? 1 : 0;
    size_t head = sizeof(struct ctl_mail_packet) + n_ports * sizeof(uint32_t);
    struct ctl_mail *mail = ctl_mail_new(type, dpid, head + frame->size);
    struct ctl_mail_packet *out = (void *)mail->data;

    out->in_port = in_port;
    out->n_ports = n_ports;
    if (port != NULL)
        out->ports[0] = *port;
    memcpy(mail->data + head, frame->data, frame->size);
    return mail;
}

void
ctl_deliver(struct ctl_worker *worker, const struct ctl_packet *packet, uint64_t dpid,
            uint32_t port)
{
    struct ctl_conn *conn = ctl_worker_conn(worker, dpid);

    if (conn == packet->conn) {
        ctl_forward(packet, port);
        return;
    }
    release_buffer(packet);
    if (conn != NULL && conn->state == CTL_READY)
        ctl_conn_packet_out(conn, OF_NO_BUFFER, OFPP_CONTROLLER, &port, 1, packet->frame.data,
                            packet->frame.size);
    else if (conn == NULL && !ctl_post_or_drop(&ctl_worker_of(worker->app, dpid)->mailbox,
                                               packet_mail(CTL_W_PACKET_OUT, dpid, OFPP_CONTROLLER,
                                                           &port, &packet->frame)))
        worker->counters.dropped_mail++;
}

void
ctl_flood_edges(struct ctl_worker *worker, const struct ctl_packet *packet, enum sb_policy policy)
{
    uint64_t dpid = packet->conn->features.dpid;

    release_buffer(packet);
    ctl_decision(worker, dpid, SB_decision_kind_FLOOD, policy, packet->in_port, OFPP_FLOOD, 0,
                 &packet->frame);
    if (!ctl_post_or_drop(&worker->app->mailbox,
                          packet_mail(CTL_M_FLOOD, dpid, packet->in_port, NULL, &packet->frame)))
        worker->counters.dropped_mail++;
}

bool
ctl_on_tree(const struct ctl_net_port *port)
{
    return ctl_is_edge(port->type) || (port->type == SB_port_type_LINK && port->tree);
}

void
ctl_flood_tree(struct ctl_worker *worker, const struct ctl_packet *packet, enum sb_policy policy)
{
    const struct ctl_net_switch *sw = packet->conn->sw;
    uint32_t ports[256], n = 0;

    ctl_decision(worker, sw->dpid, SB_decision_kind_FLOOD, policy, packet->in_port, OFPP_FLOOD, 0,
                 &packet->frame);
    for (uint32_t i = 0; i < sw->n_ports; i++) {
        const struct ctl_net_port *port = &sw->ports[i];

        if (port->port == packet->in_port || !port->up || !ctl_on_tree(port))
            continue;
        ports[n++] = port->port;
        if (n == 256) { /* very large switches: several messages, the packet by its bytes */
            ctl_conn_packet_out(packet->conn, OF_NO_BUFFER, packet->in_port, ports, n,
                                packet->frame.data, packet->frame.size);
            n = 0;
        }
    }
    if (n > 0 && n <= 64) {
        ctl_conn_packet_out(packet->conn, packet->buffer_id, packet->in_port, ports, n,
                            packet->frame.data, packet->frame.size);
        return;
    }
    release_buffer(packet);
    if (n > 0)
        ctl_conn_packet_out(packet->conn, OF_NO_BUFFER, packet->in_port, ports, n,
                            packet->frame.data, packet->frame.size);
}
