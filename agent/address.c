/* SPDX-License-Identifier: Apache-2.0
 *
 * address.c - socket addresses of both families: compare, print, parse, and the
 * 16-byte form of table rows. Part of socket.h.
 */
#include "socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

bool
ag_address_same_host(const union ag_address *a, const union ag_address *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0 &&
           (a->in6.sin6_scope_id == b->in6.sin6_scope_id || a->in6.sin6_scope_id == 0 ||
            b->in6.sin6_scope_id == 0);
}

uint16_t
ag_address_port(const union ag_address *address)
{
    return ntohs(address->sa.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port);
}

void
ag_address_set_port(union ag_address *address, uint16_t port)
{
    if (address->sa.sa_family == AF_INET)
        address->in.sin_port = htons(port);
    else
        address->in6.sin6_port = htons(port);
}

socklen_t
ag_address_size(const union ag_address *address)
{
    return address->sa.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

const char *
ag_address_text(const union ag_address *address, char *ret)
{
    char host[INET6_ADDRSTRLEN] = "?", scope[16] = "", port[8] = "";
    bool six = address->sa.sa_family == AF_INET6;

    inet_ntop(address->sa.sa_family,
              six ? (const void *)&address->in6.sin6_addr : &address->in.sin_addr, host,
              sizeof(host));
    if (six && address->in6.sin6_scope_id != 0)
        snprintf(scope, sizeof(scope), "%%%u", address->in6.sin6_scope_id);
    if (ag_address_port(address) == 0) {
        snprintf(ret, AG_ADDRESS_TEXT, "%s%s", host, scope);
        return ret;
    }
    snprintf(port, sizeof(port), ":%u", ag_address_port(address));
    snprintf(ret, AG_ADDRESS_TEXT, six ? "[%s%s]%s" : "%s%s%s", host, scope, port);
    return ret;
}

void
ag_address_to_row(const union ag_address *address, uint8_t ret[16])
{
    if (address->sa.sa_family == AF_INET6) {
        memcpy(ret, &address->in6.sin6_addr, 16);
        return;
    }
    memcpy(ret, mapped, sizeof(mapped));
    memcpy(ret + sizeof(mapped), &address->in.sin_addr, 4);
}

bool
ag_address_from_row(union ag_address *ret, const uint8_t row[16], uint16_t port)
{
    static const uint8_t none[16];

    if (memcmp(row, none, sizeof(none)) == 0)
        return false;
    memset(ret, 0, sizeof(*ret));
    if (memcmp(row, mapped, sizeof(mapped)) == 0) {
        ret->sa.sa_family = AF_INET;
        memcpy(&ret->in.sin_addr, row + sizeof(mapped), 4);
    } else {
        ret->sa.sa_family = AF_INET6;
        memcpy(&ret->in6.sin6_addr, row, 16);
    }
    ag_address_set_port(ret, port);
    return true;
}

int
ag_address_parse(union ag_address *ret, const char *text, uint16_t port, bool resolve,
                 char *message)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_DGRAM,
        .ai_flags = resolve ? 0 : AI_NUMERICHOST,
    };
    struct addrinfo *found;
    union ag_address address = {0};
    int error = getaddrinfo(text, NULL, &hints, &found);

    if (error) {
        snprintf(message, AG_MESSAGE_MAX, "%s: %s", text,
                 resolve ? gai_strerror(error) : "not an IPv4 or IPv6 address");
        return -1;
    }
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    ag_address_set_port(&address, port);
    *ret = address;
    return 0;
}
