/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - one line a log record on stderr: what, which object, which value, what was done.
 *
 * Text:  2026-01-02T03:04:05.678Z warning switch 0000000000000001: PACKET_IN length 12 < 24,
 * closing JSON:
 * {"t":"2026-01-02T03:04:05.678Z","level":"warning","service":"trivet-controller","message":"..."}
 * Any thread; each record is one write(2), so lines of several threads never mix.
 */
#ifndef TRIVET_LOG_H
#define TRIVET_LOG_H

#include <stdbool.h>

enum sb_log_level { SB_LOG_ERROR, SB_LOG_WARNING, SB_LOG_INFO, SB_LOG_DEBUG };

/* Before threads start; level and format may be changed later (SIGHUP) by the main thread.
 * service: borrowed, lives as long as the process. */
void sb_log_init(const char *service);
void sb_log_level(enum sb_log_level level);
void sb_log_json(bool json);
/* "error" "warning" "info" "debug" -> level, or -1 */
int sb_log_level_by_name(const char *name);

void sb_log(enum sb_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define sb_error(...) sb_log(SB_LOG_ERROR, __VA_ARGS__)
#define sb_warning(...) sb_log(SB_LOG_WARNING, __VA_ARGS__)
#define sb_info(...) sb_log(SB_LOG_INFO, __VA_ARGS__)
#define sb_debug(...) sb_log(SB_LOG_DEBUG, __VA_ARGS__)

/* True at most `burst` times a second for one place: `static struct sb_log_limit limit;
 * if (sb_log_allowed(&limit, 5)) sb_warning(...)`. When it allows again after refusing,
 * *ret_suppressed (may be NULL) tells how many were refused. */
struct sb_log_limit {
    _Atomic long second;
    _Atomic unsigned count, suppressed;
};
bool sb_log_allowed(struct sb_log_limit *limit, unsigned burst, unsigned *ret_suppressed);

#endif
