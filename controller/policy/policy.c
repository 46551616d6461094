/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c - the table of policies. To add one: its const struct here, its name in tables.def.
 */
#include "policy.h"

static const struct ctl_policy *const policies[] = {
    &ctl_policy_shortest,
    &ctl_policy_learning,
    &ctl_policy_round_robin,
};

const struct ctl_policy *
ctl_policy_find(enum sb_policy id)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (policies[i]->id == id)
            return policies[i];
    return NULL;
}
