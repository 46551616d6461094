/* SPDX-License-Identifier: Apache-2.0 */
/* holder.h - who holds a port: for error messages that say what to stop. Any thread. */
#ifndef TRIVET_HOLDER_H
#define TRIVET_HOLDER_H

#include <stddef.h>
#include <stdint.h>

#define SB_HOLDER_MAX 96 /* bytes of the answer */

/* "ovs-testcontrol (pid 123)", or "another process" when it cannot be seen from here (another
 * user's, another pid namespace). protocol: "tcp" (listening sockets) or "udp" (bound ones), of
 * this network namespace, IPv4 and IPv6; the address is not compared. */
void sb_port_holder(const char *protocol, uint16_t port, char *ret, size_t size);

#endif
