/* SPDX-License-Identifier: Apache-2.0
 *
 * app.c - what the process has once: its events, its mail, and which worker a switch belongs to.
 */
#include "controller.h"

#include <stdarg.h>
#include <stdio.h>

#include <trivet/clock.h>

#include "topology/topology.h"

void
ctl_event(struct ctl_app *app, enum sb_event_kind kind, enum sb_severity severity, uint64_t dpid,
          uint32_t port, const char *format, ...)
{
    struct sb_event event = {.t_ns = sb_now(),
                             .dpid = dpid,
                             .port = port,
                             .kind = (uint8_t)kind,
                             .severity = (uint8_t)severity};
    va_list args;

    va_start(args, format);
    vsnprintf(event.text, sizeof(event.text), format, args);
    va_end(args);
    sb_append(app->events, &event);
    /* Hosts come by the thousand: they are in the ring, not in the log. */
    if (kind != SB_event_kind_HOST_NEW)
        sb_log(severity == SB_severity_INFO ? SB_LOG_INFO : SB_LOG_WARNING, "%s%s%s",
               sb_event_kind_text(kind), ": ", event.text);
}

void
ctl_app_mail(struct ctl_app *app, const struct ctl_mail *mail)
{
    switch (mail->type) {
    case CTL_M_EVENT:
        sb_append(app->events, mail->data);
        break;
    case CTL_M_COUNTED:
        ctl_counters_take(app, (const void *)mail->data);
        break;
    default:
        ctl_topology_mail(app->topology, mail);
    }
}

struct ctl_worker *
ctl_worker_of(struct ctl_app *app, uint64_t dpid)
{
    return &app->workers[sb_shard_of(dpid, app->n_workers)];
}
