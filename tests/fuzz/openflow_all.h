/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_all.h - everything the codec can do with bytes from a peer, in one call. Shared by the
 * fuzz target and the unit tests, so that what the fuzzer finds becomes a test by adding its file.
 */
#ifndef TESTS_OPENFLOW_ALL_H
#define TESTS_OPENFLOW_ALL_H

#include <stddef.h>
#include <stdint.h>

/* Frames, checks, prints and decodes the message at p, walks all its lists, and encodes again what
 * has an encoder. Aborts when the codec breaks a promise: no progress, a pointer out of the
 * message, a second decoding that differs. Returns the error of the decoder of its type, or of the
 * check. */
int openflow_all(const uint8_t *p, size_t size);

#endif
