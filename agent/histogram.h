/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.h - log-linear histogram of durations in ns, for quantiles.
 *
 * Values below 128 have a bucket each; above, every power of two is split into
 * 64 equal buckets, and a quantile is the middle of its bucket: at most
 * 1/128 = 0.78 % away from the true value. 2^36 ns (68 s) and more end up in the
 * last bucket. Fixed size, no allocation; one thread.
 */
#ifndef AGENT_HISTOGRAM_H
#define AGENT_HISTOGRAM_H

#include <stdint.h>

#define AG_HISTOGRAM_SPLIT 64 /* buckets a power of two */
#define AG_HISTOGRAM_BITS 36  /* values of up to so many bits */
#define AG_HISTOGRAM_BUCKETS ((AG_HISTOGRAM_BITS - 5) * AG_HISTOGRAM_SPLIT)

struct ag_histogram {
    uint64_t hi_count; /* values added */
    uint64_t hi_min, hi_max;
    uint32_t hi_buckets[AG_HISTOGRAM_BUCKETS];
};

void ag_histogram_clear(struct ag_histogram *histogram);
void ag_histogram_add(struct ag_histogram *histogram, uint64_t value);
/* The value below or at which a part q (0 to 1) of all values lies; 0 of an empty histogram. Never
 * outside of [minimum, maximum], which are exact. */
uint64_t ag_histogram_quantile(const struct ag_histogram *histogram, double q);

#endif
