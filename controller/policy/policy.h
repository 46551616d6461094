/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h - a policy is one const struct; adding one touches only the table in policy.c.
 *
 * A policy is asked on the worker that owns the switch, for each packet-in whose port is known. It
 * answers by rules (flows.c) and packet-outs. Its choices are deterministic or read from tables, so
 * that a restart decides the same.
 */
#ifndef TRIVET_CONTROLLER_POLICY_H
#define TRIVET_CONTROLLER_POLICY_H

#include "../connection.h"

struct ctl_policy {
    enum sb_policy id;
    bool multicast; /* group addresses go over the multicast tree, in the data plane */
    /* n packets of a batch, from the first on, will be decided soon: prefetches what that looks at,
     * so that memory answers meanwhile. May be NULL. */
    void (*expect)(const struct ctl_worker *worker, struct ctl_batch *batch, unsigned first,
                   unsigned n);
    /* Called with a valid source; the destination may be a group address. It may close the
     * connection, and what else came from it is not decided then. */
    void (*packet_in)(struct ctl_worker *worker, struct ctl_packet *packet);
    /* Instead, all packets of a batch: for those who fetch ahead among them. May be NULL. */
    void (*packets_in)(struct ctl_worker *worker, struct ctl_batch *batch);
    /* A port of a switch does not carry traffic any more (down, off the tree, now a link ...). May
     * be NULL. The rules that lead out of it are deleted by the caller. */
    void (*port_lost)(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t port);
};

extern const struct ctl_policy ctl_policy_learning, ctl_policy_round_robin, ctl_policy_shortest;
const struct ctl_policy *ctl_policy_find(enum sb_policy id); /* NULL: none */

/* ---- what several policies do (forward.c) ---- */

/* The packet itself to one port of its switch, by its buffer if it has one. */
void ctl_forward(const struct ctl_packet *packet, uint32_t port);
/* To the port of another (or this) switch where a host is attached. */
void ctl_deliver(struct ctl_worker *worker, const struct ctl_packet *packet, uint64_t dpid,
                 uint32_t port);
/* To all edge ports of the network, by way of the main thread: cannot loop. */
void ctl_flood_edges(struct ctl_worker *worker, const struct ctl_packet *packet,
                     enum sb_policy policy);
/* To this switch's edge ports and flood-tree links, but the one it came from. */
void ctl_flood_tree(struct ctl_worker *worker, const struct ctl_packet *packet,
                    enum sb_policy policy);
/* May a frame that is flooded hop by hop come in here? Edge ports and links of the tree only. */
bool ctl_on_tree(const struct ctl_net_port *port);

/* fdb.c: fetches what the next will look at; learns the source; the port of the
 * destination, or 0 */
void ctl_learn_expect(const struct ctl_worker *worker, const struct ctl_packet *packet);
uint32_t ctl_learn(struct ctl_worker *worker, const struct ctl_packet *packet);
/* learning.c, used by round_robin.c too */
void ctl_learn_port_lost(struct ctl_worker *worker, struct ctl_conn *conn, uint32_t port);

#endif
