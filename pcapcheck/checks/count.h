/* SPDX-License-Identifier: Apache-2.0
 *
 * count.h - appearances against injections, the part that checks loop and duplicate share.
 */
#ifndef PC_COUNT_H
#define PC_COUNT_H

#include "../pcapcheck.h"

struct pc_count {
    const struct pc_check *check; /* whose verdict it is */
    bool links;                   /* look at links; else at all other ports */
    const char *verb;             /* "crossed", "left" */
    uint64_t first_ns, last_ns;
    uint64_t good, bad;    /* packets */
    uint64_t ambiguous;    /* could be either: never a fail */
    uint64_t early;        /* seen while the capture began: not judged */
    uint64_t unattributed; /* with no injection seen: sent by the controller, for example */
    char evidence[119];
};

void *pc_count_new(const struct pc_check *check, bool links, const char *verb);
void pc_count_trip(void *self, struct pc_engine *e, const struct pc_trip *trip);
void pc_count_verdicts(void *self, struct pc_engine *e, pc_verdict_fn *each, void *arg);

#endif
