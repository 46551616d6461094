/* SPDX-License-Identifier: Apache-2.0
 *
 * counters.c - what the threads of the controller count, as a line of the log. Each thread has its
 * own and logs its own.
 */
#include "controller.h"

#include <stdio.h>

void
ctl_counters_log(const char *who, const struct ctl_counters *counters)
{
    static const struct {
        const char *name;
        size_t offset;
    } all[] = {
#define CTL_COUNTER(name) {#name, offsetof(struct ctl_counters, name)},
        CTL_COUNTERS(CTL_COUNTER)
#undef CTL_COUNTER
    };
    char text[1024] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && used < sizeof(text); i++) {
        uint64_t value = *(const uint64_t *)(const void *)((const char *)counters + all[i].offset);

        if (value != 0)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, " %s=%lu", all[i].name, value);
    }
    sb_info("%s: counters:%s", who, used > 0 ? text : " none");
}
