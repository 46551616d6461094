/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_doctor.h - findings of statebus doctor, shared by its two files. One thread.
 */
#ifndef TRIVET_TOOL_DOCTOR_H
#define TRIVET_TOOL_DOCTOR_H

#include "tool.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
    const struct tool *tool; /* borrowed */
    unsigned count[3];       /* findings by level */
    bool brief;              /* what is well is counted only: the owner's one line sums it up */
};

/* ---- tool_doctor.c ---- */

/* Prints one finding. what: the object looked at; action: what to do, or ""; format: why. */
void finding(struct doctor *doctor, enum finding_level level, const char *what, const char *action,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- tool_bridges.c ---- */

/* Open vSwitch bridges that have a controller but would go wild without it. */
void doctor_bridges(struct doctor *doctor);

#endif
