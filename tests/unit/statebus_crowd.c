/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_crowd.c - more connections than an owner has descriptors, as fast as they can be made.
 *
 * The owner is a child with a hard limit of 1024 open files; six others connect, 900 times each and
 * all at once, which is five times as much. It must live, and be found by a subscriber afterwards,
 * while the crowd is still there; and live through a crowd that comes back all the time.
 * Descriptors that the process has for other things are no crowd.
 */
#include "statebus_fixture.h"
#include "reader.h"
#include "segment.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <unistd.h>

#define OWNER_FILES 1024
#define CROWD 6
#define EACH 900

/* In a child: so many files, and no longer life than the test's. */
static void
be_child(rlim_t files)
{
    struct rlimit limit = {files, files};

    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(3);
}

/* Writes a row every millisecond, for ever. A program of its own: ZeroMQ does not outlive fork(2).
 */
static void
own(int ready, int others)
{
    struct sb_owner *owner;
    struct sb_mac row;

    for (int i = 0; i < others; i++)
        if (socket(AF_INET, SOCK_STREAM, 0) < 0)
            _exit(1);
    owner = fixture_open("crowd", SB_T_mac, 64, 1, true);
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (uint64_t version = 1;; version++) {
        struct pollfd fd = {.fd = sb_owner_fd(owner), .events = POLLIN};

        row = fixture_mac(version % 8, version);
        sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
        sb_owner_pump(owner);
        poll(&fd, 1, 1);
    }
}

/* Connects as often as it can, says so, and stays; or, for ever, begins anew. */
static void
press(int go, int done, bool for_ever)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 5};
    int fds[EACH];
    char byte;

    sb_runtime_path(fixture_instance(), "crowd", ".pub", address.sun_path, NULL);
    be_child(EACH + 64);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    do {
        for (int i = 0; i < EACH; i++) {
            fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
            if (connect(fds[i], (struct sockaddr *)&address, sizeof address) < 0 && !for_ever)
                continue; /* refused while the owner empties its house */
        }
        for (int i = 0; i < EACH && for_ever; i++)
            close(fds[i]);
        if (write(done, "", 1) != 1)
            _exit(1);
    } while (for_ever);
    for (;;)
        pause();
}

static void
wait_bytes(int fd, int n)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;

    while (n-- > 0) {
        assert_int_equal(poll(&poll_fd, 1, 60000), 1);
        assert_int_equal(read(fd, &byte, 1), 1);
    }
}

static void
assert_lives(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, WNOHANG) == pid)
        fail_msg("the owner ended: %s %d", WIFSIGNALED(status) ? "signal" : "exit",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void
end(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

static pid_t
start_owner(int ready, int others)
{
    char fd[16], number[16];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        be_child(OWNER_FILES);
        snprintf(fd, sizeof fd, "%d", ready);
        snprintf(number, sizeof number, "%d", others);
        execl("/proc/self/exe", "statebus-crowd", fd, number, (char *)NULL);
        _exit(1);
    }
    return pid;
}

static void
ignore(void *arg, const struct sb_change *change)
{
    (void)arg;
    (void)change;
}

/* Until changes come as messages, not only by reading the table. */
static void
assert_gets_in(pid_t owner)
{
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats = {0};
    char message[SB_MESSAGE_MAX];
    uint64_t begin = sb_mono();

    assert_int_equal(sb_subscribe(&subscriber, fixture_instance(), "crowd", UINT64_C(1) << SB_T_mac,
                                  ignore, NULL, message),
                     SB_OK);
    while (stats.received == 0 && sb_mono() - begin < 30 * SB_SECOND) {
        struct pollfd fd = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};

        assert_lives(owner);
        poll(&fd, 1, sb_subscriber_run(subscriber));
        sb_subscriber_stats(subscriber, &stats);
    }
    assert_true(stats.received > 0);
    print_message("a subscriber got in after %llu ms\n",
                  (unsigned long long)((sb_mono() - begin) / SB_MS));
    sb_subscriber_close(&subscriber);
}

static void
a_crowd_does_not_end_an_owner(void **state)
{
    int ready[2], go[2], done[2];
    pid_t owner, crowd[CROWD];

    (void)state;
    for (int round = 0; round < 2; round++) {
        bool for_ever = round == 1;

        assert_true(pipe(ready) == 0 && pipe(go) == 0 && pipe(done) == 0);
        owner = start_owner(ready[1], 0);
        wait_bytes(ready[0], 1);
        for (int i = 0; i < CROWD; i++) {
            crowd[i] = fork();
            assert_true(crowd[i] >= 0);
            if (crowd[i] == 0)
                press(go[0], done[1], for_ever);
        }
        assert_int_equal(write(go[1], "......", CROWD), CROWD);
        wait_bytes(done[0], for_ever ? 5 * CROWD : CROWD);
        assert_lives(owner);
        for (int i = 0; i < CROWD && for_ever; i++)
            end(crowd[i]);
        assert_gets_in(owner);
        for (int i = 0; i < CROWD && !for_ever; i++)
            end(crowd[i]);
        assert_lives(owner);
        end(owner);
        for (int i = 0; i < 2; i++) {
            close(ready[i]);
            close(go[i]);
            close(done[i]);
        }
    }
}

/* As a controller with hundreds of switches: subscribers get in, and stay. */
static void
other_descriptors_are_no_crowd(void **state)
{
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats = {0};
    char message[SB_MESSAGE_MAX];
    uint64_t begin, socket;
    struct sb_reader *reader;
    int ready[2], fd;
    pid_t owner;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    owner = start_owner(ready[1], OWNER_FILES * 6 / 10);
    wait_bytes(ready[0], 1);
    reader = fixture_reader("crowd");
    socket = sb_reader_socket(reader);
    assert_true(socket != 0);
    assert_int_equal(sb_subscribe(&subscriber, fixture_instance(), "crowd", UINT64_C(1) << SB_T_mac,
                                  ignore, NULL, message),
                     SB_OK);
    begin = sb_mono();
    do { /* for six heartbeats, or until enough has come */
        fd = sb_subscriber_fd(subscriber);
        poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, sb_subscriber_run(subscriber));
        assert_int_equal(sb_reader_socket(reader), socket); /* never unbound */
        sb_subscriber_stats(subscriber, &stats);
    } while (sb_mono() - begin < 1500 * SB_MS ||
             (stats.received < 100 && sb_mono() - begin < 30 * SB_SECOND));
    assert_true(stats.received >= 100);
    sb_subscriber_close(&subscriber);
    sb_reader_close(&reader);
    assert_lives(owner);
    end(owner);
    close(ready[0]);
    close(ready[1]);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crowd_does_not_end_an_owner, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(other_descriptors_are_no_crowd, fixture_setup,
                                        fixture_teardown),
    };

    if (argc > 2)
        own(atoi(argv[1]), atoi(argv[2]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
