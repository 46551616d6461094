/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.h - who holds a UDP port. Neighbour: timestamps.c, for its error message.
 */
#ifndef AGENT_HOLDER_H
#define AGENT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AG_HOLDER_MAX 96 /* bytes of the answer */

/* "pid 123 (trivet-agent)"; "" if no process of ours to see holds it. */
void ag_port_holder(uint16_t port, bool six, char *ret, size_t size);

#endif
