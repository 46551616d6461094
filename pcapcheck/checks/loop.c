/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - check `loop`: no packet crosses a directed link more often than it was injected.
 */
#include "count.h"

static void *
loop_open(struct pc_engine *e)
{
    (void)e;
    return pc_count_new(&pc_check_loop, true, "crossed");
}

const struct pc_check pc_check_loop = {
    .name = "loop",
    .text = "no packet crosses a link in one direction more often than it was injected",
    .open = loop_open,
    .close = free,
    .trip = pc_count_trip,
    .verdicts = pc_count_verdicts,
};
