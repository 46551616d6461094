/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_services.c - statebus services: the supervisor's voice on the bus.
 *
 * The supervisor is a shell script and cannot own a segment; it writes lines into this process,
 * which owns the segment `supervisor` with the table `service`:
 *
 *     NAME PID STATE RESTARTS      state: stopped, starting, running, backoff, hung
 *     - NAME                       the service is no more
 *
 * Neighbours: env/trivet (writes), tool.h, trivet/statebus.h (owner). Threads: main; ZeroMQ has its
 * own. Ends with its standard input; the rows stay for the next start, which marks them as restored
 * until they are said again, and drops those that were not.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <trivet/clock.h>
#include <trivet/log.h>
#include <trivet/privilege.h>

#define RESTORED_NS (5 * SB_SECOND) /* the supervisor says all it has when it starts us */

struct services {
    struct sb_owner *owner; /* owned */
    struct sb_table *table; /* borrowed from owner */
    char line[256];         /* what has come of the current line */
    size_t used;            /* bytes of it */
    bool overlong;          /* the current line is too long and is skipped to its end */
    uint64_t bad;           /* lines refused so far */
    uint64_t until_ns;      /* CLOCK_MONOTONIC: restored rows stay so long; 0: they are gone */
};

/* Letters, digits, '.', '_' and '-', as in owners' names, and it fits. */
static bool
name_ok(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return len && !name[len] && len < sizeof((struct sb_service *)NULL)->name;
}

static bool
number_ok(const char *text, uint32_t *ret)
{
    char *end;
    unsigned long long value;

    if (!*text || text[strspn(text, "0123456789")])
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static int
state_by_text(const char *text)
{
    for (uint32_t state = 0; state <= SB_service_state_HUNG; state++) {
        if (!strcmp(text, sb_service_state_text(state)))
            return (int)state;
    }
    return -1;
}

/* Why the line is bad, or NULL when it is done. */
static const char *
take_line(struct services *s, char *line)
{
    struct sb_service row = {0}, before;
    char *words[5], *save = NULL;
    unsigned n = 0;
    int64_t slot;
    int state;

    for (char *word = strtok_r(line, " \t\r", &save); word && n < 5;
         word = strtok_r(NULL, " \t\r", &save))
        words[n++] = word;
    if (n == 0)
        return NULL;
    if (n == 2 && !strcmp(words[0], "-")) {
        if (!name_ok(words[1]))
            return "bad service name";
        memcpy(row.name, words[1], strlen(words[1]));
        slot = sb_find(s->table, &row);
        if (slot < 0)
            return "no such service";
        sb_remove(s->table, slot);
        return NULL;
    }
    if (n != 4)
        return "give NAME PID STATE RESTARTS, or - NAME";
    if (!name_ok(words[0]))
        return "bad service name";
    memcpy(row.name, words[0], strlen(words[0]));
    state = state_by_text(words[2]);
    if (state < 0)
        return "state is none of stopped, starting, running, backoff, hung";
    row.state = (uint8_t)state;
    if (!number_ok(words[1], &row.pid) || !number_ok(words[3], &row.restarts))
        return "pid or restarts is no number";
    slot = sb_find(s->table, &row);
    if (slot >= 0 && sb_get(s->table, slot, &before) >= 0 && before.pid == row.pid)
        row.started_ns = before.started_ns;
    else
        row.started_ns = row.pid ? sb_now() : 0;
    if (slot >= 0 && before.pid == row.pid && !memcmp(&before, &row, sizeof row) &&
        !sb_restored(s->table, slot))
        return NULL; /* the supervisor says it again: no change to publish */
    if (sb_put(s->table, &row) < 0)
        return "the table is full; give tables.service in the config";
    return NULL;
}

/* Cuts what was read into lines. */
static void
take_bytes(struct services *s, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char *why = NULL;

        if (bytes[i] != '\n') {
            if (s->used + 1 < sizeof s->line)
                s->line[s->used++] = bytes[i];
            else
                s->overlong = true;
            continue;
        }
        s->line[s->used] = 0;
        if (s->overlong)
            why = "too long";
        else if (strlen(s->line) != s->used)
            why = "has a NUL";
        if (!why) {
            char copy[sizeof s->line];

            memcpy(copy, s->line, s->used + 1);
            why = take_line(s, copy);
        }
        if (why) {
            s->bad++;
            sb_warning("services: line '%.80s' skipped: %s", s->line, why);
        }
        s->used = 0;
        s->overlong = false;
    }
}

/* Until standard input ends (0), a signal (0), or it or the segment is lost (-1). */
static int
serve(struct services *s, int signals)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = sb_owner_fd(s->owner), .events = POLLIN},
                           {.fd = signals, .events = POLLIN}};

    for (;;) {
        int wait_ms = sb_owner_pump(s->owner);
        char bytes[4096], message[SB_MESSAGE_MAX];
        ssize_t n;

        if (s->until_ns && sb_mono() > s->until_ns) {
            s->until_ns = 0;
            sb_drop_restored(s->table);
        }
        if (poll(fds, 3, wait_ms) < 0 && errno != EINTR) {
            sb_error("services: poll: %s", strerror(errno));
            return -1;
        }
        if (fds[2].revents)
            return 0;
        if (sb_owner_check(s->owner, message) != SB_OK) {
            sb_error("services: %s; ending, to be started anew", message);
            return -1;
        }
        if (!fds[0].revents)
            continue;
        n = read(STDIN_FILENO, bytes, sizeof bytes);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0) {
            sb_error("services: standard input: %s", strerror(errno));
            return -1;
        }
        if (n == 0) {
            if (s->used)
                take_bytes(s, "\n", 1); /* the last line had no newline */
            sb_owner_pump(s->owner);
            return 0;
        }
        take_bytes(s, bytes, (size_t)n);
    }
}

int
tool_services(const struct tool *tool)
{
    const struct sb_owner_table tables[] = {
        {.id = SB_T_service, .capacity = tool->config->capacity[SB_T_service]}};
    const struct sb_owner_config config = {
        .instance = tool->common.instance,
        .name = "supervisor",
        .tables = tables,
        .n_tables = 1,
        .cold = tool->common.cold,
    };
    char message[SB_MESSAGE_MAX];
    struct services s = {0};
    int signals = signal_fd(), result;

    if (signals < 0)
        return EXIT_FAILED;
    result = sb_privilege_drop(tool->common.instance, "supervisor", tool->common.user, NULL, 0);
    if (result < 0) {
        close(signals);
        return EXIT_FAILED;
    }
    result = sb_owner_open(&s.owner, &config, message);
    if (result < 0) {
        sb_error("services: %s", message);
        close(signals);
        return EXIT_FAILED;
    }
    if (*message)
        sb_info("services: %s", message);
    s.table = sb_owner_table(s.owner, SB_T_service, 0);
    s.until_ns = sb_mono() + RESTORED_NS;
    sb_owner_phase(s.owner, SB_RUNNING);
    result = serve(&s, signals);
    sb_owner_close(&s.owner);
    close(signals);
    return result ? EXIT_FAILED : EXIT_OK;
}
