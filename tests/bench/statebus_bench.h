/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bench.h - what the parts of the state bus benchmark share.
 */
#ifndef STATEBUS_BENCH_H
#define STATEBUS_BENCH_H

#include <stdint.h>
#include <trivet/statebus.h>

_Static_assert(sizeof(struct sb_flow) == 128, "the records of this benchmark have 128 bytes");

/* statebus_bench.c */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* One figure. what: "put", side: "hot", "trivet" ... */
void result(const char *what, const char *side, double value, const char *unit);
/* An owner of `flow` in this run's instance. */
struct sb_owner *open_owner(const char *name, uint32_t capacity, bool publish);
const char *instance(void);
/* Row n, of a version. */
struct sb_flow row_of(uint32_t n, uint32_t version);
/* The next row in an order that no prefetcher follows. */
uint32_t scatter(uint32_t i, uint32_t rows);
/* A place for a socket of this run. */
void socket_path(const char *name, char *ret, size_t size);

/* statebus_bench_deltas.c: the owner's side; runs as `role` in processes of its own */
void bench_deltas(uint64_t records, int rounds);
void bench_reread(uint32_t rows, int rounds);
/* One of those processes. */
int bench_role(const char *role, int board_fd, int lane);

#endif
