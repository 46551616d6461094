/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h - statistics over the probes of one session that were sent in a window.
 *
 * A window is closed one time-out after its end: then each of its probes has met
 * its fate, so what was sent is what was answered or lost. Quantiles are those of
 * the most frequent stamp method of the window, never of a mixture. Neighbours:
 * session.c (the records), histogram.c, sender.c and ping.c (callers).
 */
#ifndef AGENT_WINDOW_H
#define AGENT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include "histogram.h"
#include "session.h"

/* Room to work in, shared by all sessions of a thread. */
struct ag_window_room {
    struct ag_histogram rtt, fwd, rev;
};

/* Fills all columns but the key, `start_ns` and `peer` of a row from the probes sent at
 * [start_mono, end_mono), CLOCK_MONOTONIC. False, and nothing filled, if none was sent then.
 * O(probes since start_mono). */
bool ag_window_close(const struct ag_session *session, uint64_t start_mono, uint64_t end_mono,
                     struct ag_window_room *room, struct sb_latency *ret);

#endif
