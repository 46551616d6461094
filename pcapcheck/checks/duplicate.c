/* SPDX-License-Identifier: Apache-2.0
 *
 * duplicate.c - check `duplicate`: no packet is delivered at a port more often than it was
 * injected.
 */
#include "count.h"

static void *
duplicate_open(struct pc_engine *e)
{
    (void)e;
    return pc_count_new(&pc_check_duplicate, false, "left");
}

const struct pc_check pc_check_duplicate = {
    .name = "duplicate",
    .text = "no packet is delivered at a port more often than it was injected",
    .open = duplicate_open,
    .close = free,
    .trip = pc_count_trip,
    .verdicts = pc_count_verdicts,
};
