/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_bridges.c - statebus doctor's look at Open vSwitch: does each bridge that has a controller
 * keep its flows when the controller is away?
 *
 * In fail mode standalone, Open vSwitch's default, a bridge drops all flows some seconds after its
 * controller died and then acts as a plain switch, which storms on any ring.
 *
 * Neighbours: tool_doctor.c; ovs-vsctl(8), asked for JSON. Threads: main.
 */
#include "tool_doctor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OVSDB JSON (RFC 7047 section 5.1): a set of one is its element, others are ["set", [...]]. */
static bool
set_is_empty(const json_t *value)
{
    const char *tag = json_string_value(json_array_get(value, 0));

    return tag && !strcmp(tag, "set") && json_array_size(json_array_get(value, 1)) == 0;
}

static void
check_bridge(struct doctor *doctor, const json_t *row, unsigned *insecure)
{
    const char *name = json_string_value(json_array_get(row, 0));
    const char *mode = json_string_value(json_array_get(row, 1));
    char what[64], action[160];

    if (!name || set_is_empty(json_array_get(row, 2)) || (mode && !strcmp(mode, "secure")))
        return;
    ++*insecure;
    snprintf(what, sizeof what, "bridge %.40s", name);
    snprintf(action, sizeof action, "ovs-vsctl set-fail-mode %.40s secure, or trivet attach %.40s",
             name, name);
    finding(doctor, FINDING_WARN, what, action,
            "fail mode is %s: it drops its flows when the controller is away",
            mode ? mode : "standalone");
}

void
doctor_bridges(struct doctor *doctor)
{
    /* The shell says 127 when there is no ovs-vsctl; a time-out when the database is not there. */
    FILE *pipe = popen("exec ovs-vsctl --timeout=2 --format=json "
                       "--columns=name,fail_mode,controller list bridge 2>/dev/null",
                       "re");
    json_t *answer = NULL, *rows = NULL, *row;
    unsigned insecure = 0;
    size_t i;

    if (!pipe)
        return;
    answer = json_loadf(pipe, 0, NULL);
    while (fgetc(pipe) != EOF) /* so that it does not die of a closed pipe */
        continue;
    if (pclose(pipe) == 0)
        rows = json_object_get(answer, "data");
    json_array_foreach(rows, i, row) check_bridge(doctor, row, &insecure);
    if (rows && !insecure)
        finding(doctor, FINDING_OK, "bridges", "",
                "%zu in Open vSwitch, none with a controller and fail mode standalone",
                json_array_size(rows));
    json_decref(answer);
}
