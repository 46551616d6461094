/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.c - see histogram.h. Neighbour: window.c, its only user.
 */
#include "histogram.h"

#include <string.h>

/* Bucket of a value: 0..127 as they are, then 64 a power of two. */
static unsigned
bucket_of(uint64_t value)
{
    unsigned shift;

    if (value >> AG_HISTOGRAM_BITS)
        return AG_HISTOGRAM_BUCKETS - 1;
    if (value < 2 * AG_HISTOGRAM_SPLIT)
        return (unsigned)value;
    shift = 63U - 6U - (unsigned)__builtin_clzll(value); /* leaves 7 bits, the top one set */
    return shift * AG_HISTOGRAM_SPLIT + (unsigned)(value >> shift);
}

static uint64_t
middle_of(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2 * AG_HISTOGRAM_SPLIT)
        return bucket;
    shift = bucket / AG_HISTOGRAM_SPLIT - 1;
    return ((uint64_t)(bucket - shift * AG_HISTOGRAM_SPLIT) << shift) + (UINT64_C(1) << shift) / 2;
}

void
ag_histogram_clear(struct ag_histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->hi_min = UINT64_MAX;
}

void
ag_histogram_add(struct ag_histogram *histogram, uint64_t value)
{
    histogram->hi_count++;
    histogram->hi_buckets[bucket_of(value)]++;
    if (value < histogram->hi_min)
        histogram->hi_min = value;
    if (value > histogram->hi_max)
        histogram->hi_max = value;
}

uint64_t
ag_histogram_quantile(const struct ag_histogram *histogram, double q)
{
    uint64_t rank, seen = 0, value = histogram->hi_max;

    if (histogram->hi_count == 0)
        return 0;
    /* Nearest rank: the smallest value that has at least q * count values at or below it. */
    rank = (uint64_t)(q * (double)histogram->hi_count);
    if ((double)rank < q * (double)histogram->hi_count)
        rank++;
    if (rank == 0)
        return histogram->hi_min;
    for (unsigned i = 0; i < AG_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->hi_buckets[i];
        if (seen >= rank) {
            value = middle_of(i);
            break;
        }
    }
    if (value < histogram->hi_min)
        return histogram->hi_min;
    return value > histogram->hi_max ? histogram->hi_max : value;
}
