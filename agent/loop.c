/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - see loop.h. zloop would hide POLLERR, by which transmit stamps come.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <trivet/clock.h>
#include <unistd.h>

#define EVENTS_A_TURN 64

static void
timer_ready(void *arg)
{
    struct ag_loop *loop = arg;
    uint64_t expirations;

    if (read(loop->lo_timer_watch.wa_fd, &expirations, sizeof(expirations)) > 0)
        loop->lo_armed = UINT64_MAX;
}

static void
signal_ready(void *arg)
{
    struct ag_loop *loop = arg;
    struct signalfd_siginfo info;

    while (read(loop->lo_signal_watch.wa_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop->lo_stop = true;
}

int
ag_loop_open(struct ag_loop *loop)
{
    sigset_t signals;

    *loop = (struct ag_loop){
        .lo_armed = UINT64_MAX,
        .lo_timer_watch = {.wa_ready = timer_ready, .wa_arg = loop},
        .lo_signal_watch = {.wa_ready = signal_ready, .wa_arg = loop},
    };
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    loop->lo_epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->lo_timer_watch.wa_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->lo_signal_watch.wa_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->lo_epoll < 0 || loop->lo_timer_watch.wa_fd < 0 || loop->lo_signal_watch.wa_fd < 0 ||
        ag_loop_watch(loop, &loop->lo_timer_watch) < 0 ||
        ag_loop_watch(loop, &loop->lo_signal_watch) < 0) {
        int error = errno;

        ag_loop_close(loop);
        errno = error;
        return -1;
    }
    /* The default slack of 50 us would be the largest error of our send times. */
    prctl(PR_SET_TIMERSLACK, 1);
    return 0;
}

void
ag_loop_close(struct ag_loop *loop)
{
    int fds[] = {loop->lo_epoll, loop->lo_timer_watch.wa_fd, loop->lo_signal_watch.wa_fd};

    for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    loop->lo_epoll = loop->lo_timer_watch.wa_fd = loop->lo_signal_watch.wa_fd = -1;
}

int
ag_loop_watch(struct ag_loop *loop, struct ag_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

    return epoll_ctl(loop->lo_epoll, EPOLL_CTL_ADD, watch->wa_fd, &event);
}

void
ag_loop_unwatch(struct ag_loop *loop, const struct ag_watch *watch)
{
    epoll_ctl(loop->lo_epoll, EPOLL_CTL_DEL, watch->wa_fd, NULL);
}

static void
arm(struct ag_loop *loop, uint64_t deadline)
{
    struct itimerspec when = {0};

    if (deadline == loop->lo_armed)
        return;
    loop->lo_armed = deadline;
    if (deadline != UINT64_MAX) { /* else all zero: disarmed */
        if (deadline == 0)
            deadline = 1;
        when.it_value.tv_sec = (time_t)(deadline / SB_SECOND);
        when.it_value.tv_nsec = (long)(deadline % SB_SECOND);
    }
    timerfd_settime(loop->lo_timer_watch.wa_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int
ag_loop_run(struct ag_loop *loop, ag_tick_fn *tick, void *arg)
{
    struct epoll_event events[EVENTS_A_TURN];

    while (!loop->lo_stop) {
        int n;

        arm(loop, tick(arg, sb_mono()));
        if (loop->lo_stop)
            break;
        n = epoll_wait(loop->lo_epoll, events, EVENTS_A_TURN, -1);
        if (n < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < n; i++) {
            const struct ag_watch *watch = events[i].data.ptr;

            watch->wa_ready(watch->wa_arg);
        }
    }
    return 0;
}
