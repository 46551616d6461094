/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h - the event loop of a process: epoll, one timer, stop by signal.
 *
 * Each turn calls the tick, which does what is due and says when it wants to be
 * called next; then the loop waits for that moment or for a descriptor. Watches
 * may be added at any time, but removed and freed only from the tick: the turn
 * may still hold events of theirs elsewhere. One thread.
 */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct ag_watch {
    void (*wa_ready)(void *arg); /* the descriptor is readable or has an error queue */
    void *wa_arg;                /* borrowed */
    int wa_fd;
};

/* now: CLOCK_MONOTONIC ns. Returns the time of the next call, UINT64_MAX for never. */
typedef uint64_t ag_tick_fn(void *arg, uint64_t now);

struct ag_loop {
    struct ag_watch lo_timer_watch, lo_signal_watch;
    uint64_t lo_armed; /* what the timer is set to */
    int lo_epoll;
    bool lo_stop;
};

/* Blocks SIGINT and SIGTERM (threads started later inherit that) and takes them as a wish to stop.
 * 0, or -1 and errno. */
int ag_loop_open(struct ag_loop *loop);
void ag_loop_close(struct ag_loop *loop);
int ag_loop_watch(struct ag_loop *loop, struct ag_watch *watch);
void ag_loop_unwatch(struct ag_loop *loop, const struct ag_watch *watch);
/* Until lo_stop. 0, or -1 and errno. */
int ag_loop_run(struct ag_loop *loop, ag_tick_fn *tick, void *arg);

#endif
