/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_fixture.h - a private instance for one test: own runtime directory, own segments.
 */
#ifndef STATEBUS_FIXTURE_H
#define STATEBUS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <trivet/statebus.h>

/* Name of this process's instance (the parent's in a child role). */
const char *fixture_instance(void);
/* cmocka setup: makes the runtime directory; teardown: removes it and all segments. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Opens an owner of one table; fails the test if it cannot. */
struct sb_owner *fixture_open(const char *owner, enum sb_table_id id, uint32_t capacity,
                              uint16_t shards, bool publish);
struct sb_reader *fixture_reader(const char *owner);
/* The file of an owner's segment, with a suffix; and the whole of it, mapped writable. */
void fixture_path(const char *owner, const char *suffix, char *ret, size_t size);
void *fixture_map(const char *owner, size_t *ret_size);
/* A mac row whose bytes all follow from its number and version, so that a torn one shows. */
struct sb_mac fixture_mac(uint64_t n, uint64_t version);
void fixture_assert_mac(const struct sb_mac *row);
/* A deterministic random number. */
uint64_t fixture_random(uint64_t *state);

#endif
