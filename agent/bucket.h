/* SPDX-License-Identifier: Apache-2.0
 *
 * bucket.h - a token bucket: a cap on a rate that lets bursts of 0.2 s pass. Zeroed
 * is full. Neighbours: reflector.c, discovery.c.
 */
#ifndef AGENT_BUCKET_H
#define AGENT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <trivet/clock.h>

#define AG_BUCKET_NS (SB_SECOND / 5)

struct ag_bucket {
    uint64_t bu_ns;   /* credit, as time */
    uint64_t bu_last; /* CLOCK_MONOTONIC ns of the last refill */
};

static inline bool
ag_bucket_spend(struct ag_bucket *bucket, uint64_t now, unsigned per_second)
{
    uint64_t cost = SB_SECOND / per_second;

    bucket->bu_ns += now - bucket->bu_last;
    bucket->bu_last = now;
    if (bucket->bu_ns > AG_BUCKET_NS)
        bucket->bu_ns = AG_BUCKET_NS;
    if (bucket->bu_ns < cost)
        return false;
    bucket->bu_ns -= cost;
    return true;
}

#endif
