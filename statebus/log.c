/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - log records: made whole in one buffer, escaped, sent to stderr with one write(2).
 *
 * Neighbours: everybody logs; the supervisor's log files and the journal read it.
 * Threads: any. Level, format and service name are the only globals of the project's own code that
 * change after the start; all are atomic words.
 *
 * Much of what is logged comes from peers (switch names, hosts, packets). A control character that
 * reaches a terminal can move its cursor or answer for its user, and one newline forges a record;
 * so control characters, C1 ones included, and bytes that are not UTF-8 never leave here raw, in
 * text no less than in JSON.
 */
#include <trivet/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <trivet/clock.h>

/* One write(2) of at most PIPE_BUF bytes into a pipe is atomic. */
#define RECORD_MAX 4096
/* What must still fit after the message: "...", quote, brace, newline. */
#define RECORD_TAIL 8

static const char *const level_names[] = {
    [SB_LOG_ERROR] = "error",
    [SB_LOG_WARNING] = "warning",
    [SB_LOG_INFO] = "info",
    [SB_LOG_DEBUG] = "debug",
};

static struct {
    const char *_Atomic service; /* borrowed from the caller of sb_log_init() */
    _Atomic int level;           /* enum sb_log_level; records above it are not made */
    _Atomic bool json;           /* else text */
} log_state = {.service = "trivet", .level = SB_LOG_INFO};

void
sb_log_init(const char *service)
{
    atomic_store(&log_state.service, service);
}

void
sb_log_level(enum sb_log_level level)
{
    atomic_store(&log_state.level, (int)level);
}

void
sb_log_json(bool json)
{
    atomic_store(&log_state.json, json);
}

int
sb_log_level_by_name(const char *name)
{
    for (int i = SB_LOG_ERROR; i <= SB_LOG_DEBUG; i++) {
        if (!strcmp(name, level_names[i]))
            return i;
    }
    return -1;
}

/* Length of the printable UTF-8 character at s (`left` bytes are there), or 0 if it must be
 * escaped: a control character (C0, DEL, C1) or no well-formed UTF-8 (Unicode 15, table 3-7). */
static size_t
printable(const uint8_t *s, size_t left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t len;

    if (s[0] >= 0x20 && s[0] < 0x7f)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        len = 2;
        if (s[0] == 0xc2)
            low = 0xa0; /* U+0080..U+009F are the C1 controls */
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        len = 3;
        if (s[0] == 0xe0)
            low = 0xa0;
        else if (s[0] == 0xed)
            high = 0x9f; /* surrogates */
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        len = 4;
        if (s[0] == 0xf0)
            low = 0x90;
        else if (s[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (len > left || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

/* Appends text to out[*used], escaped, as far as it fits before `limit`; else ends with "...". */
static void
append(char *out, size_t *used, size_t limit, const char *text, bool json)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t left = strlen(text);

    while (left) {
        char escape[8];
        const char *piece = (const char *)s;
        size_t take = printable(s, left), len = take;

        if (!take) {
            static const char letters[] = "\n\r\t", names[] = "nrt";
            const char *letter = strchr(letters, *s);

            take = 1;
            if (letter && *letter)
                len = (size_t)snprintf(escape, sizeof escape, "\\%c", names[letter - letters]);
            else if (json && *s < 0x80)
                len = (size_t)snprintf(escape, sizeof escape, "\\u%04x", *s);
            else /* in JSON a byte that is no UTF-8 has no escape of its own: spell it out */
                len = (size_t)snprintf(escape, sizeof escape, json ? "\\\\x%02x" : "\\x%02x", *s);
            piece = escape;
        } else if (json && (*s == '"' || *s == '\\')) {
            len = (size_t)snprintf(escape, sizeof escape, "\\%c", *s);
            piece = escape;
        }
        if (*used + len > limit) {
            memcpy(out + *used, "...", 3);
            *used += 3;
            return;
        }
        memcpy(out + *used, piece, len);
        *used += len;
        s += take;
        left -= take;
    }
}

void
sb_log(enum sb_log_level level, const char *format, ...)
{
    char message[RECORD_MAX - 256], record[RECORD_MAX], time_text[40];
    int saved_errno = errno;
    bool json = atomic_load_explicit(&log_state.json, memory_order_relaxed);
    size_t used, limit = sizeof record - RECORD_TAIL;
    struct timespec now;
    struct tm tm;
    va_list args;

    if ((int)level > atomic_load_explicit(&log_state.level, memory_order_relaxed))
        return;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        snprintf(message, sizeof message, "(a log record that cannot be formatted: %s)", format);
    va_end(args);

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    used = strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time_text + used, sizeof time_text - used, ".%03ldZ", now.tv_nsec / 1000000);

    if (json) {
        used =
            (size_t)snprintf(record, sizeof record, "{\"t\":\"%s\",\"level\":\"%s\",\"service\":\"",
                             time_text, level_names[level]);
        append(record, &used, used + 100, atomic_load(&log_state.service), true);
        used += (size_t)snprintf(record + used, sizeof record - used, "\",\"message\":\"");
        append(record, &used, limit, message, true);
        memcpy(record + used, "\"}\n", 3);
        used += 3;
    } else {
        used = (size_t)snprintf(record, sizeof record, "%s %s ", time_text, level_names[level]);
        append(record, &used, limit, message, false);
        record[used++] = '\n';
    }
    /* Nobody can be told when stderr does not take it, and waiting would stop the service. */
    while (write(STDERR_FILENO, record, used) < 0 && errno == EINTR)
        continue;
    errno = saved_errno;
}

bool
sb_log_allowed(struct sb_log_limit *limit, unsigned burst, unsigned *ret_suppressed)
{
    long now = (long)(sb_clock(CLOCK_MONOTONIC_COARSE) / SB_SECOND);
    long then = atomic_load(&limit->second);

    /* Who wins the exchange opens the new second; that a thread beside it still counts in the old
     * one costs a line more or less, nothing else. */
    if (then != now && atomic_compare_exchange_strong(&limit->second, &then, now))
        atomic_store(&limit->count, 0);
    if (atomic_fetch_add(&limit->count, 1) >= burst) {
        atomic_fetch_add(&limit->suppressed, 1);
        return false;
    }
    unsigned suppressed = atomic_exchange(&limit->suppressed, 0);
    if (ret_suppressed)
        *ret_suppressed = suppressed;
    return true;
}
