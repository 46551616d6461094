/* SPDX-License-Identifier: Apache-2.0
 *
 * interface.h - the network interfaces an agent speaks on, as they are now.
 * Neighbours: agent.c (start), discovery.c (joins the group on each).
 */
#ifndef AGENT_INTERFACE_H
#define AGENT_INTERFACE_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_INTERFACES_MAX 32

struct ag_interface {
    char if_name[IF_NAMESIZE];
    struct in_addr if_address; /* IPv4; its first */
    unsigned if_index;
    uint8_t if_mac[6];
    bool if_joined; /* discovery.c: member of the group */
};

/* Those that are up and have an IPv4 address: of the names given, in their order, else all but
 * loopback and those that cannot multicast. Returns how many, at most AG_INTERFACES_MAX. */
unsigned ag_interfaces(struct ag_interface ret[AG_INTERFACES_MAX], char *const *names,
                       unsigned n_names);
/* Does every name exist? If not, a message with the missing one and those there are. */
bool ag_interfaces_exist(char *const *names, unsigned n_names, char *message, size_t size);
/* A netlink socket that becomes readable when links or addresses change, or -1 and errno. */
int ag_interface_events(void);

#endif
