/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the two clocks of the project, in nanoseconds. Any thread. */
#ifndef TRIVET_CLOCK_H
#define TRIVET_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SB_SECOND UINT64_C(1000000000) /* in ns */
#define SB_MS UINT64_C(1000000)        /* in ns */

static inline uint64_t
sb_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * SB_SECOND + (uint64_t)t.tv_nsec;
}

/* CLOCK_REALTIME: what lies in tables, as captures have it. */
static inline uint64_t
sb_now(void)
{
    return sb_clock(CLOCK_REALTIME);
}

/* CLOCK_MONOTONIC: time-outs and intervals. */
static inline uint64_t
sb_mono(void)
{
    return sb_clock(CLOCK_MONOTONIC);
}

#endif
