/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_bridges.c - statebus doctor's look at Open vSwitch: is each bridge that has a controller
 * connected to it, and does it keep its flows when the controller is away?
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

/* Is the bridge connected to us? Open vSwitch writes its side into its database every 5 s only, so
 * a bridge whose one controller is ours is asked about on the bus. */
static bool
is_ours(struct sb_reader *controller, const json_t *row)
{
    const char *dpid = json_string_value(json_array_get(row, 3));
    const char *kind = json_string_value(json_array_get(json_array_get(row, 2), 0));
    struct sb_switch key = {0}, found;

    if (!controller || !dpid || !kind || strcmp(kind, "uuid") != 0) /* several are a "set" */
        return false;
    key.dpid = strtoull(dpid, NULL, 16);
    return sb_lookup(controller, SB_T_switch, &key, &found) == 1 &&
           found.state == SB_switch_state_READY;
}

/* Controllers of one bridge that are configured and not connected. */
static bool
check_connections(struct doctor *doctor, const char *name, const json_t *value,
                  const json_t *controllers)
{
    const json_t *row;
    char what[64], action[160], list[4096];
    bool well = true;
    size_t i, size;

    /* The references are looked for in the text, where one and several look the same. */
    size = json_dumpb(value, list, sizeof list - 1, 0);
    if (size >= sizeof list)
        return true;
    list[size] = '\0';
    json_array_foreach(controllers, i, row)
    {
        const char *uuid = json_string_value(json_array_get(json_array_get(row, 0), 1));
        const char *target = json_string_value(json_array_get(row, 1));

        if (!uuid || !target || !json_is_false(json_array_get(row, 2)) || !strstr(list, uuid))
            continue;
        well = false;
        snprintf(what, sizeof what, "bridge %.40s", name);
        snprintf(action, sizeof action,
                 "start the controller there, or trivet attach %.40s points it at ours", name);
        finding(doctor, FINDING_WARN, what, action, "not connected to its controller %.80s",
                target);
    }
    return well;
}

static void
check_bridge(struct doctor *doctor, const json_t *row, const json_t *controllers,
             struct sb_reader *controller, unsigned *bad)
{
    const char *name = json_string_value(json_array_get(row, 0));
    const char *mode = json_string_value(json_array_get(row, 1));
    char what[64], action[160];

    if (!name || set_is_empty(json_array_get(row, 2)))
        return;
    if (!is_ours(controller, row) &&
        !check_connections(doctor, name, json_array_get(row, 2), controllers))
        ++*bad;
    if (mode && !strcmp(mode, "secure"))
        return;
    ++*bad;
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
    /* Two documents, bridges and controllers. The shell says 127 when there is no ovs-vsctl; a
     * time-out when the database is not there. */
    FILE *pipe = popen("exec ovs-vsctl --timeout=2 --format=json "
                       "-- --columns=name,fail_mode,controller,datapath_id list bridge "
                       "-- --columns=_uuid,target,is_connected list controller 2>/dev/null",
                       "re");
    json_t *answer[2] = {NULL}, *rows = NULL, *controllers = NULL, *row;
    struct sb_reader *controller = NULL;
    struct sb_segment_info info;
    unsigned bad = 0;
    size_t i;

    if (!pipe)
        return;
    if (sb_reader_open(&controller, doctor->tool->common.instance, "controller", NULL) == SB_OK &&
        (sb_reader_info(controller, &info) != SB_OK || info.liveness != SB_ALIVE))
        sb_reader_close(&controller); /* what it knew says nothing now */
    for (i = 0; i < 2; i++)
        answer[i] = json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL);
    while (fgetc(pipe) != EOF) /* so that it does not die of a closed pipe */
        continue;
    if (pclose(pipe) == 0) {
        rows = json_object_get(answer[0], "data");
        controllers = json_object_get(answer[1], "data");
    }
    json_array_foreach(rows, i, row) check_bridge(doctor, row, controllers, controller, &bad);
    sb_reader_close(&controller);
    if (rows && !bad)
        finding(doctor, FINDING_OK, "bridges", "",
                "%zu in Open vSwitch, none without its controller or in fail mode standalone",
                json_array_size(rows));
    for (i = 0; i < 2; i++)
        json_decref(answer[i]);
}
