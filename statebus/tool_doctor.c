/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_doctor.c - statebus doctor: is all well on the bus, and if not, what is to be done?
 *
 * Each finding is one line, "ok|warn|fail what: why; what to do". Fail: something of trivet does
 * not work now. Warn: it works, but less well than it should, or will not survive what it should.
 * An owner with whom all is well has one line, unless --verbose or --json asks for each check.
 *
 * Neighbours: tool.h, tool_bridges.c (Open vSwitch), trivet/statebus.h. Threads: main; ZeroMQ has
 * its own.
 */
#include "tool_doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <trivet/clock.h>
#include <trivet/log.h>

#define BEAT_WAIT (1 * SB_SECOND) /* four heartbeats of an owner */

void
finding(struct doctor *doctor, enum finding_level level, const char *what, const char *action,
        const char *format, ...)
{
    static const char *const names[] = {"ok", "warn", "fail"};
    char why[512];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    for (char *p = why; *p; p++) { /* names of bridges and the like come from others */
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    }
    doctor->count[level]++;
    if (level == FINDING_OK && doctor->brief)
        return;
    if (doctor->tool->json) {
        json_t *object = json_pack("{s:s,s:s,s:s,s:s}", "level", names[level], "what", what, "why",
                                   why, "do", action);

        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
    } else {
        printf("%-4s %s: %s%s%s\n", names[level], what, why, *action ? "; " : "", action);
    }
}

static void
check_directory(struct doctor *doctor)
{
    char dir[PATH_MAX], action[PATH_MAX + 32];
    struct stat st;

    if (sb_runtime_dir(doctor->tool->common.instance, dir, sizeof dir) < 0 || stat(dir, &st) < 0) {
        finding(doctor, FINDING_FAIL, "runtime directory", "start trivet up", "%s: %s", dir,
                strerror(errno));
        return;
    }
    snprintf(action, sizeof action, "chmod 0750 %s", dir);
    if ((st.st_mode & 07777) == 0750)
        finding(doctor, FINDING_OK, "runtime directory", "", "%s, mode 0750", dir);
    else
        /* Who may write there can bind in the owners' place; who may read sees all state. */
        finding(doctor, st.st_mode & 0027 ? FINDING_FAIL : FINDING_WARN, "runtime directory",
                action, "%s has mode %04o, not 0750", dir, (unsigned)(st.st_mode & 07777));
}

static void
check_segment_mode(struct doctor *doctor, const char *owner)
{
    char path[128 + SB_OWNER_MAX], action[192 + SB_OWNER_MAX];
    struct stat st;

    snprintf(path, sizeof path, "/dev/shm/trivet.%s.%s", doctor->tool->common.instance, owner);
    snprintf(action, sizeof action, "chmod 0640 %s", path);
    if (stat(path, &st) < 0)
        finding(doctor, FINDING_FAIL, owner, "restart it", "%s: %s", path, strerror(errno));
    else if ((st.st_mode & 07777) == 0640)
        finding(doctor, FINDING_OK, owner, "", "segment has mode 0640");
    else
        finding(doctor, st.st_mode & 0027 ? FINDING_FAIL : FINDING_WARN, owner, action,
                "segment has mode %04o, not 0640", (unsigned)(st.st_mode & 07777));
}

static void
check_counters(struct doctor *doctor, const char *owner, const struct sb_reader *reader)
{
    bool well = true;

    for (int i = 0; i < SB_T_COUNT; i++) {
        enum sb_table_id id = (enum sb_table_id)i;
        const struct sb_table_info *info = sb_table_info(id);
        struct sb_table_stats s;
        char action[96];

        if (!sb_reader_has(reader, id) || sb_reader_stats(reader, id, &s) < 0)
            continue;
        snprintf(action, sizeof action, "give more rows: tables: {%s: %" PRIu64 "} in the config",
                 info->name, 2 * s.capacity);
        if (s.refused || s.evicted) {
            well = false;
            finding(doctor, FINDING_WARN, owner, action,
                    "table %s of %" PRIu64 " rows is full: %" PRIu64 " refused, %" PRIu64
                    " evicted",
                    info->name, s.capacity, s.refused, s.evicted);
        }
        if (s.unpublished) {
            well = false;
            finding(doctor, FINDING_WARN, owner,
                    "readers repair it by reading the table again; if it grows, the owner's main "
                    "thread is too slow",
                    "table %s: %" PRIu64 " changes were not sent as deltas", info->name,
                    s.unpublished);
        }
    }
    if (well)
        finding(doctor, FINDING_OK, owner, "", "nothing refused, evicted or unpublished");
}

/* Reads every row there is: readers pass over what no owner writes. Returns how many there are. */
static uint64_t
check_rows(struct doctor *doctor, const char *owner, struct sb_reader *reader)
{
    uint64_t words[256], rows = 0; /* words: one row; larger than any of tables.def */
    struct sb_segment_info info;

    for (int i = 0; i < SB_T_COUNT; i++) {
        uint64_t cursor = 0;
        int got;

        while ((got = sb_read(reader, (enum sb_table_id)i, &cursor, words)) == 1 || got == SB_EBUSY)
            rows += got == 1;
    }
    if (sb_reader_info(reader, &info) < 0 || info.damaged == 0)
        finding(doctor, FINDING_OK, owner, "", "no damaged rows");
    else
        finding(doctor, FINDING_FAIL, owner, "restart it: it drops them and learns anew",
                "%" PRIu64 " rows are as no owner writes them: its memory was damaged",
                info.damaged);
    return rows;
}

static void
ignore_change(void *arg, const struct sb_change *change)
{
    (void)arg;
    (void)change;
}

/* Do the owner's messages arrive? A subscriber is in sync only when a heartbeat has told it how far
 * the owner's tables are. Returns after how many milliseconds it was. */
static uint64_t
check_subscription(struct doctor *doctor, const char *owner, const struct sb_reader *reader)
{
    uint64_t begin = sb_mono(), tables = 0, ms;
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats = {0};
    char message[SB_MESSAGE_MAX];
    bool synced = false;

    for (int id = 0; id < SB_T_COUNT; id++) {
        if (sb_reader_has(reader, (enum sb_table_id)id))
            tables |= UINT64_C(1) << id;
    }
    if (sb_subscribe(&subscriber, doctor->tool->common.instance, owner, tables, ignore_change, NULL,
                     message) < 0) {
        finding(doctor, FINDING_FAIL, owner, "restart it", "cannot subscribe: %s", message);
        return 0;
    }
    while (!synced && sb_mono() - begin < BEAT_WAIT) {
        struct pollfd fd = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};
        int wait_ms = sb_subscriber_run(subscriber);

        sb_subscriber_stats(subscriber, &stats);
        synced = stats.owners && sb_subscriber_synced(subscriber);
        if (!synced)
            poll(&fd, 1, wait_ms >= 0 && wait_ms < 50 ? wait_ms : 50);
    }
    ms = (sb_mono() - begin) / SB_MS;
    if (synced)
        finding(doctor, FINDING_OK, owner, "", "a subscriber was in sync after %" PRIu64 " ms", ms);
    else
        finding(doctor, FINDING_FAIL, owner, "restart it",
                "a subscriber got no heartbeat within 1 s (%" PRIu64 " messages refused)",
                stats.refused);
    sb_subscriber_close(&subscriber);
    return ms;
}

/* Does the supervisor say that this service should run? */
static bool
is_wanted(const struct doctor *doctor, const char *owner)
{
    struct sb_service key = {0}, row;
    struct sb_reader *reader = NULL;
    bool wanted = !strcmp(owner, "controller") || !strcmp(owner, "supervisor");

    if (strlen(owner) >= sizeof key.name ||
        sb_reader_open(&reader, doctor->tool->common.instance, "supervisor", NULL) < 0)
        return wanted;
    memcpy(key.name, owner, strlen(owner));
    if (sb_lookup(reader, SB_T_service, &key, &row) == 1)
        wanted = row.state != SB_service_state_STOPPED;
    sb_reader_close(&reader);
    return wanted;
}

/* Switches that are known and all gone: of an earlier network, or they do not find us any more. */
static void
check_switches(struct doctor *doctor, struct sb_reader *reader)
{
    unsigned gone = 0, here = 0;
    char names[256] = "";
    struct sb_switch row;
    uint64_t cursor = 0;
    int got;

    if (!sb_reader_has(reader, SB_T_switch))
        return;
    while ((got = sb_read(reader, SB_T_switch, &cursor, &row)) == 1 || got == SB_EBUSY) {
        size_t used = strlen(names);

        if (got != 1)
            continue;
        here += row.state != SB_switch_state_GONE;
        if (row.state == SB_switch_state_GONE && gone++ < 8)
            snprintf(names + used, sizeof names - used, " %.20s", row.name);
    }
    if (gone && !here)
        finding(
            doctor, FINDING_WARN, "switches",
            "after a restart they come back in some seconds, else see the bridges below; trivet up "
            "--cold forgets switches that will not come back",
            "no switch is connected, %u gone:%s%s", gone, names, gone > 8 ? " ..." : "");
}

/* An agent whose veth was deleted sits in a namespace with nothing but lo, and measures nothing. */
static void
check_interfaces(struct doctor *doctor, const char *owner, uint32_t pid)
{
    char path[64], line[512], action[128];
    unsigned lines = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRIu32 "/net/dev", pid);
    file = fopen(path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof line, file))
        lines++;
    fclose(file);
    snprintf(action, sizeof action, "trivet agents --stop %.60s, if its host is gone",
             owner + strlen("agent."));
    if (lines <= 3) /* two of heading, and lo */
        finding(doctor, FINDING_WARN, owner, action,
                "its network namespace has no interface but lo any more");
}

static void
check_owner(struct doctor *doctor, const char *owner)
{
    char message[SB_MESSAGE_MAX] = "", age[CELL_MAX];
    struct sb_reader *reader = NULL;
    unsigned problems = doctor->count[FINDING_WARN] + doctor->count[FINDING_FAIL];
    struct sb_segment_info info;
    uint64_t rows, ms = 0;
    int error = sb_reader_open(&reader, doctor->tool->common.instance, owner, message);

    if (error >= 0)
        error = sb_reader_info(reader, &info);
    if (error < 0) {
        finding(doctor, is_wanted(doctor, owner) ? FINDING_FAIL : FINDING_WARN, owner,
                error == SB_ELAYOUT ? "use a statebus of the same version, or restart the owner"
                                    : "restart it; see its log",
                "%s", *message ? message : sb_strerror(error));
        sb_reader_close(&reader);
        return;
    }
    duration_text((int64_t)info.heartbeat_age_ns, age);
    switch (info.liveness) {
    case SB_ALIVE:
        finding(doctor, FINDING_OK, owner, "", "alive, heartbeat %s ago, layout %016" PRIx64, age,
                info.layout_hash);
        break;
    case SB_STALLED:
        finding(doctor, FINDING_FAIL, owner, "restart it; see its log",
                "pid %" PRIu32 " holds its lock but its heartbeat is %s old", info.pid, age);
        break;
    case SB_RESTARTED:
        finding(doctor, FINDING_WARN, owner, "run doctor again", "restarted just now");
        break;
    case SB_DEAD:
        if (is_wanted(doctor, owner))
            finding(doctor, FINDING_FAIL, owner, "trivet up, or start it by hand; see its log",
                    "not running; its rows stand as they were");
        else
            finding(doctor, FINDING_WARN, owner, "start it again if it is missed",
                    "not running, and nobody asked for it; its rows stand as they were");
        sb_reader_close(&reader);
        return;
    }
    if (info.phase == SB_RUNNING)
        finding(doctor, FINDING_OK, owner, "", "phase running");
    else
        finding(doctor, FINDING_FAIL, owner, "wait a second, or see its log", "still in phase %s",
                sb_phase_text(info.phase));
    check_segment_mode(doctor, owner);
    check_counters(doctor, owner, reader);
    rows = check_rows(doctor, owner, reader);
    if (!strncmp(owner, "agent.", strlen("agent.")))
        check_interfaces(doctor, owner, info.pid);
    check_switches(doctor, reader);
    if (info.liveness != SB_STALLED)
        ms = check_subscription(doctor, owner, reader);
    if (doctor->brief && doctor->count[FINDING_WARN] + doctor->count[FINDING_FAIL] == problems)
        printf("ok   %s: running, %" PRIu64 " rows, heartbeat %" PRIu64
               " ms ago, in sync after %" PRIu64 " ms\n",
               owner, rows, info.heartbeat_age_ns / SB_MS, ms);
    sb_reader_close(&reader);
}

int
tool_doctor(const struct tool *tool)
{
    struct doctor doctor = {.tool = tool};
    struct owners owners;

    if (!owners_find(tool, &owners))
        return EXIT_FAILED;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    check_directory(&doctor);
    doctor.brief = !tool->verbose && !tool->json;
    for (unsigned i = 0; i < owners.n; i++)
        check_owner(&doctor, owners.names[i]);
    doctor.brief = false;
    doctor_bridges(&doctor);
    if (!tool->json)
        printf("%u ok, %u warnings, %u failed\n", doctor.count[FINDING_OK],
               doctor.count[FINDING_WARN], doctor.count[FINDING_FAIL]);
    return doctor.count[FINDING_FAIL] ? EXIT_FAILED : EXIT_OK;
}
