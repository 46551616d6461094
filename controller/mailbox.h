/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox.h - messages between the controller's threads: many senders, one receiver, no lock.
 *
 * A mail is allocated by its sender and freed by its receiver. The receiver waits on an eventfd in
 * its own loop. Order holds per sender.
 */
#ifndef TRIVET_CONTROLLER_MAILBOX_H
#define TRIVET_CONTROLLER_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ctl_mail_type {
    /* to a worker; 100, 106 and 110 to the greeter, too */
    CTL_W_ACCEPT = 100,     /* a fresh socket: struct ctl_mail_accept */
    CTL_W_ADOPT = 101,      /* a connection whose dpid belongs to this worker: struct ctl_conn * */
    CTL_W_NET = 102,        /* a new topology snapshot: struct ctl_net * */
    CTL_W_HOST = 103,       /* a host came, moved or went: struct ctl_mail_host */
    CTL_W_PACKET_OUT = 104, /* struct ctl_mail_packet */
    CTL_W_INSTALL = 105,    /* a rule of a path: struct sb_flow */
    CTL_W_STOP = 106,
    CTL_W_COUNTERS = 110,    /* log your counters */
    CTL_W_MULTICAST = 109,   /* struct ctl_mail_multicast */
    CTL_W_FORGET = 108,      /* a switch is gone for good: its rows go */
    CTL_W_FLUSH_PATHS = 107, /* sorted path ids (uint64_t) whose rules are void */
    /* to the main thread */
    CTL_M_SWITCH_UP = 200,   /* struct ctl_mail_switch */
    CTL_M_SWITCH_DOWN = 201, /* the connection ended */
    CTL_M_PORT = 202,        /* struct of_port_status */
    CTL_M_LLDP = 203,        /* struct ctl_mail_packet */
    CTL_M_HOST = 204,        /* struct ctl_mail_host: seen on an edge port */
    CTL_M_FLOOD = 205,       /* struct ctl_mail_packet: to all edge ports of the network */
    CTL_M_STATS = 206,       /* struct ctl_mail_stats */
    CTL_M_EVENT = 207,       /* struct sb_event */
    CTL_M_MULTICAST = 209,   /* struct ctl_mail_multicast_done */
    CTL_M_COUNTERS = 211,    /* struct ctl_mail_counters: of ports */
    CTL_M_POLLED = 212,      /* struct ctl_mail_polled: a round of statistics was read */
    CTL_M_COUNTED = 213,     /* struct ctl_mail_counted: of a thread */
    CTL_M_CLASH = 210,       /* struct ctl_mail_host: its multicast came back in elsewhere */
    CTL_M_PORT_SEEN = 208,   /* a packet came from a port the switch never described */
};

#define CTL_MAIL_MAX 8192  /* packets are dropped beyond that */
#define CTL_MAIL_BUSY 4096 /* switches that connect wait beyond that */

struct ctl_mail {
    struct ctl_mail *next;
    enum ctl_mail_type type;
    uint32_t port;
    uint64_t dpid;
    uint64_t conn; /* id of the connection it speaks of or is meant for; 0 any */
    size_t size;   /* bytes of data */
    _Alignas(8) uint8_t data[];
};

struct ctl_mailbox {
    _Atomic(struct ctl_mail *) head; /* newest first */
    atomic_uint waiting;             /* mails not yet taken */
    int fd;                          /* eventfd */
};

int ctl_mailbox_init(struct ctl_mailbox *box);
/* Frees what nobody read. */
void ctl_mailbox_fini(struct ctl_mailbox *box);
/* A mail with `size` zeroed bytes of data; aborts on no memory (the machine is lost then). */
struct ctl_mail *ctl_mail_new(enum ctl_mail_type type, uint64_t dpid, size_t size);
/* Gives the mail away. Any thread. */
void ctl_post(struct ctl_mailbox *box, struct ctl_mail *mail);
/* The same for mail that may be lost (packets): dropped when CTL_MAIL_MAX wait. True: posted. */
bool ctl_post_or_drop(struct ctl_mailbox *box, struct ctl_mail *mail);
/* Is the receiver behind? Any thread. */
bool ctl_mailbox_busy(const struct ctl_mailbox *box);
/* All that waits, oldest first, as a list the caller frees mail by mail. The receiver's thread. */
struct ctl_mail *ctl_mailbox_take(struct ctl_mailbox *box);

#endif
