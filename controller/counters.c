/* SPDX-License-Identifier: Apache-2.0
 *
 * counters.c - what the threads of the controller count: as a line of the log, and as rows of the
 * table `counter`. Each thread counts for itself, logs its own and tells the main thread, which
 * writes the table; nothing is shared, and a packet costs nothing here.
 */
#include "controller.h"

#include <stdio.h>

#include <trivet/clock.h>

#define TELL_NS SB_SECOND

static const struct counter {
    const char *name;
    size_t offset;
} all[] = {
#define CTL_COUNTER(name) {#name, offsetof(struct ctl_counters, name)},
    CTL_COUNTERS(CTL_COUNTER)
#undef CTL_COUNTER
};
#define N_COUNTERS (sizeof(all) / sizeof(all[0]))

static uint64_t
value_of(const struct ctl_counters *counters, const struct counter *counter)
{
    return *(const uint64_t *)(const void *)((const char *)counters + counter->offset);
}

void
ctl_counters_log(const char *who, const struct ctl_counters *counters)
{
    char text[1024] = "";
    size_t used = 0;

    for (size_t i = 0; i < N_COUNTERS && used < sizeof(text); i++) {
        uint64_t value = value_of(counters, &all[i]);

        if (value != 0)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, " %s=%lu", all[i].name, value);
    }
    sb_info("%s: counters:%s", who, used > 0 ? text : " none");
}

bool
ctl_counters_tell(struct ctl_app *app, const char *who, const struct ctl_counters *counters,
                  struct ctl_counted *told, uint64_t mono_ns)
{
    struct ctl_mail_counted *counted;
    struct ctl_mail *mail;

    if (memcmp(counters, &told->counters, sizeof(*counters)) == 0)
        return true;
    if (mono_ns - told->mono_ns < TELL_NS)
        return false;
    told->counters = *counters;
    told->mono_ns = mono_ns;
    mail = ctl_mail_new(CTL_M_COUNTED, 0, sizeof(*counted));
    counted = (void *)mail->data;
    snprintf(counted->thread, sizeof(counted->thread), "%s", who);
    counted->counters = *counters;
    ctl_post(&app->mailbox, mail);
    return true;
}

void
ctl_counters_open(struct ctl_app *app)
{
    app->counters = sb_owner_table(app->owner, SB_T_counter, 0);
    sb_drop_restored(app->counters);
}

void
ctl_counters_take(struct ctl_app *app, const struct ctl_mail_counted *counted)
{
    for (size_t i = 0; i < N_COUNTERS; i++) {
        struct sb_counter row = {.value = value_of(&counted->counters, &all[i]),
                                 .changed_ns = sb_now()};
        const struct sb_counter *old;

        if (row.value == 0)
            continue;
        memcpy(row.thread, counted->thread, sizeof(row.thread));
        snprintf(row.name, sizeof(row.name), "%s", all[i].name);
        old = sb_peek(app->counters, sb_find(app->counters, &row));
        if (old == NULL || old->value != row.value)
            sb_put(app->counters, &row);
    }
}
