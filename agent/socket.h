/* SPDX-License-Identifier: Apache-2.0
 *
 * socket.h - UDP sockets with kernel time stamps, and addresses of both families.
 *
 * Neighbours: sender.c, reflector.c, ping.c (probes), discovery.c (addresses
 * only). One thread a socket. Linux SO_TIMESTAMPING,
 * Documentation/networking/timestamping.rst.
 */
#ifndef AGENT_SOCKET_H
#define AGENT_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trivet/tables.h>

#define AG_ADDRESS_TEXT 64    /* bytes of ag_address_text() */
#define AG_MESSAGE_MAX 256    /* bytes of the error messages */
#define AG_PACKET_MAX 9216    /* bytes of the largest datagram we take */
#define AG_PORT_DEFAULT 18620 /* probes; 862 is privileged */

union ag_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Same family and address (and scope, for link-local ones); ports do not matter. */
bool ag_address_same_host(const union ag_address *a, const union ag_address *b);
uint16_t ag_address_port(const union ag_address *address);
void ag_address_set_port(union ag_address *address, uint16_t port);
socklen_t ag_address_size(const union ag_address *address);
/* "10.0.0.1:18620" or "[fe80::1%3]:18620"; without ":port" if the port is 0. Returns ret. */
const char *ag_address_text(const union ag_address *address, char *ret);
/* To and from the 16 bytes of a table row (IPv4 as ::ffff:a.b.c.d). */
void ag_address_to_row(const union ag_address *address, uint8_t ret[16]);
bool ag_address_from_row(union ag_address *ret, const uint8_t row[16], uint16_t port);
/* A literal address of either family, or (resolve) a host name. 0, or -1 with a message. */
int ag_address_parse(union ag_address *ret, const char *text, uint16_t port, bool resolve,
                     char *message);

struct ag_socket {
    int so_fd;           /* -1: closed */
    int so_family;       /* AF_INET or AF_INET6 */
    uint32_t so_key;     /* OPT_ID the kernel gives to the next datagram */
    bool so_stamps;      /* SO_TIMESTAMPING was accepted */
    uint64_t so_resyncs; /* times a failed send made the ids start anew */
};

struct ag_packet {
    union ag_address from;
    union ag_address to; /* our address it came to; family AF_UNSPEC if not known; port 0 */
    uint64_t stamp_ns;   /* CLOCK_REALTIME */
    size_t len;
    enum sb_stamp_method method; /* KERNEL or USER */
    uint8_t ttl;                 /* 0: not known */
    bool truncated;
};

struct ag_tx_stamp {
    uint64_t ns;
    uint32_t key;                /* as ag_socket_send() returned it */
    enum sb_stamp_method method; /* KERNEL (to the driver) or SCHED (to the queueing discipline) */
};

/* A socket on `port` of all addresses (0: any port), TTL 255. On EADDRINUSE the message names the
 * holder. 0, or a negative errno. */
int ag_socket_open(struct ag_socket *socket, int family, uint16_t port, char *message);
void ag_socket_close(struct ag_socket *socket);
uint16_t ag_socket_port(const struct ag_socket *socket);
/* from: the address to send from, NULL for the kernel's choice. 0, or a negative errno. */
int ag_socket_send(struct ag_socket *socket, const void *data, size_t len,
                   const union ag_address *to, const union ag_address *from, uint32_t *ret_key);
/* 1: a datagram, 0: none, or a negative errno. */
int ag_socket_receive(struct ag_socket *socket, void *data, size_t size, struct ag_packet *ret);
/* One entry of the error queue: 1: a transmit stamp, 0: the queue is empty. Other entries are
 * skipped. Must be called until 0 whenever the socket is ready: a queue that is not drained keeps
 * the loop awake. */
int ag_socket_stamp(struct ag_socket *socket, struct ag_tx_stamp *ret);
/* Error estimate (stamp.h) of CLOCK_REALTIME, as the kernel knows it. */
uint16_t ag_clock_error(void);

#endif
