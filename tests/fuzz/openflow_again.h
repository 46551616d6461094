/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_again.h - a message decoded to its last element and encoded again. Shared by the fuzz
 * target and the unit tests.
 */
#ifndef TESTS_OPENFLOW_AGAIN_H
#define TESTS_OPENFLOW_AGAIN_H

#include <trivet/openflow.h>

/* m has been framed and checked. Every list in it is walked and put together again from what its
 * elements decode to, so that the result shows what the structs hold. OF_OK, or the error of the
 * decoder or walker that refused it; b is full when it cannot be encoded (a type of multipart that
 * is not known). Not for threads: the lists are in static memory. */
int openflow_again(const uint8_t *m, struct of_buffer *b);

#endif
