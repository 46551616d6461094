/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_roles.h - processes of the bus for the tests: owners, subscribers and a bad wire.
 *
 * The test starts its own program again in a role and talks to it in lines over pipes; it never
 * calls ZeroMQ itself. Each order is answered by one line.
 *
 * owner NAME OPTIONS     opens that owner. OPTIONS: "cold", "hwm=N", "shards=N"
 *   churn N SEED         N random changes a shard and table, made by one thread a shard
 *   flood N              N changes of `mac`, all of them published
 *   fill                 one row a table
 *   wake N               N single changes, each while the main thread sleeps or is about to;
 *                        answers "woken SLOWEST_NS"
 * subscriber NAME OPTIONS  OPTIONS: "slow=NS" spends so long on each change
 *   sync N               answers "synced" when it is in step with N living owners
 *   content DIGEST N     answers "reached ..." (struct reached) once what its callbacks built has
 *                        that digest and N changes are accounted for
 * wire NAME              stands between an owner and its subscribers
 *   drop PERCENT SEED    of the deltas from now on, at random; answers "dropped RECORDS", all so
 * far
 *
 * Every role: OPTIONS "pidns": as process 1 of a PID namespace of its own.
 *
 * A digest is the sum of the rows' hashes, so it does not depend on their order; the subscriber
 * subtracts the old row that each change brings, so a wrong old row shows as well.
 */
#ifndef STATEBUS_ROLES_H
#define STATEBUS_ROLES_H

#include "statebus_fixture.h"
#include <sys/types.h>

#define DEADLINE_MS 20000
#define SHARDS 2 /* at most */

struct child {
    pid_t pid;
    int in, out; /* ours: what it reads, what it writes */
};

/* What an owner holds and has done; all but the digest and the rows since its segment was made. */
struct content {
    char digest[32];
    uint64_t rows, changes; /* those that a later one told are not counted */
    uint64_t sent;          /* numbers given out over all tables */
    uint64_t unpublished;   /* of those without a delta: the change ring was full */
    uint64_t ring;          /* records appended */
};

/* What a subscriber got. */
struct reached {
    uint64_t received, missed, rereads;
    uint64_t ring, ring_lost; /* records of rings: reported, known as lost */
    uint64_t wrong;           /* records out of order or twice, messages refused */
};

/* Runs the role that the arguments ask for; -1: none, this is the test. */
int role_main(int argc, char **argv);

struct child start(const char *role, const char *name, const char *options);
/* signal 0: end of its input, and it must end well */
void stop(struct child *child, int signal);
void stop_and_hold(const struct child *child); /* SIGSTOP, and it stands */
void say(const struct child *child, const char *format, ...) __attribute__((format(printf, 2, 3)));
void expect_line(const struct child *child, char *ret, size_t size);
/* An owner's answer. */
struct content answer(const struct child *owner);
struct content order(const struct child *owner, const char *line);
/* Returns once the subscriber is in step with that many living owners. */
void sync_with(const struct child *subscriber, unsigned owners);
/* changes: 0, or how many the subscriber must have accounted for */
struct reached wait_for(const struct child *subscriber, const char *digest, uint64_t changes);
/* Of what stands in shared memory, whoever wrote it. */
struct content content_of_segment(const char *owner);

#endif
