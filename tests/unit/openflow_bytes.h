/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_bytes.h - what the codec's unit tests share: a buffer to encode into, messages as hex, a
 * match with all fields.
 */
#ifndef TESTS_OPENFLOW_BYTES_H
#define TESTS_OPENFLOW_BYTES_H

#include <trivet/openflow.h>

/* One buffer a program, filled with 0xa5, so that what an encoder leaves out shows. size at most
 * OF_MESSAGE_MAX + 1000. */
struct of_buffer fresh(size_t size);
/* The one message in the buffer, seen by framing and check; fails the test when it is none. */
const uint8_t *message(const struct of_buffer *b, uint8_t type, uint32_t xid);
/* Hex with blanks into bytes; their number. */
size_t bytes_of(const char *hex, uint8_t *ret, size_t size);
/* A match of 1.3 with every field that struct of_match holds. */
struct of_match full_match(uint8_t ip_proto);
/* A port with a name of 16 letters, which has no NUL on the wire. */
struct of_port a_port(uint32_t number);

#endif
