/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bus.c - the bus between processes: deltas over ZeroMQ, late joiners, wake-ups, and who
 * may own a name.
 */
#include "statebus_roles.h"
#include "segment.h"
#include <sys/stat.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <trivet/clock.h>
#include <unistd.h>

static void
add_digests(const char *a, const char *b, char *ret)
{
    snprintf(ret, 32, "%016llx", strtoull(a, NULL, 16) + strtoull(b, NULL, 16));
}

/* mac, flow and latency records of two owners reach another process as deltas, every one of them;
 * a late joiner ends with the same content. */
static void
records_cross_and_a_late_joiner_agrees(void **state)
{
    struct child early = start("subscriber", "", ""), late;
    struct child controller = start("owner", "controller", ""),
                 agent = start("owner", "agent.h1", "");
    struct content c, a;
    struct reached r;
    char sum[32];

    (void)state;
    sync_with(&early, 2);
    a = order(&agent, "fill");
    c = order(&controller, "fill");
    assert_int_equal(a.changes, 1);
    assert_int_equal(c.changes, 2);
    add_digests(c.digest, a.digest, sum);
    r = wait_for(&early, sum, 3);
    assert_int_equal(r.received, 3); /* as deltas, not by reading the tables */
    assert_int_equal(r.missed, 0);

    c = order(&controller, "churn 1500 1");
    add_digests(c.digest, a.digest, sum);
    late = start("subscriber", "", "");
    r = wait_for(&late, sum, 0);
    assert_int_equal(r.missed, 0);
    r = wait_for(&early, sum, c.changes + a.changes);
    assert_int_equal(r.received + r.missed, c.changes + a.changes);
    assert_int_equal(r.ring, 2 * 1500);
    assert_int_equal(r.ring_lost, 0);

    /* and both go on from there */
    c = order(&controller, "churn 1500 2");
    add_digests(c.digest, a.digest, sum);
    wait_for(&late, sum, 0);
    r = wait_for(&early, sum, c.changes + a.changes);
    assert_int_equal(r.received + r.missed, c.changes + a.changes);
    assert_int_equal(r.ring, 2 * 3000);
    stop(&late, 0);
    stop(&early, 0);
    stop(&agent, 0);
    stop(&controller, 0);
}

/* Subscribers that come at any time into random writes, some of which go again: at the end all that
 * are left hold what the owner holds, and go on from there. */
static void
joiners_at_any_time_agree(void **state)
{
    uint64_t seed = 77, rounds = getenv("TRIVET_FULL") ? 40 : 4;

    (void)state;
    for (uint64_t round = 0; round < rounds; round++) {
        struct child controller = start("owner", "controller", round % 2 ? "cold hwm=10" : "cold");
        struct child joiners[4];
        struct reached after;
        struct content content = {.changes = 0}, last;

        for (int i = 0; i < 4; i++) {
            say(&controller, "churn %" PRIu64 " %" PRIu64, 500 + fixture_random(&seed) % 4000,
                fixture_random(&seed));
            joiners[i] = start("subscriber", "", "");
            if (fixture_random(&seed) % 3 == 0) {
                stop(&joiners[i], SIGKILL);
                joiners[i] = start("subscriber", "", "");
            }
            content = answer(&controller);
        }
        for (int i = 0; i < 4; i++) {
            sync_with(&joiners[i], 1);
            wait_for(&joiners[i], content.digest, 0);
        }
        last = order(&controller, "churn 300 9");
        for (int i = 0; i < 4; i++) {
            /* in step does not mean that all deltas have come: some of before may follow */
            after = wait_for(&joiners[i], last.digest, last.sent - content.sent);
            assert_in_range(after.received + after.missed, last.sent - content.sent, last.sent);
            stop(&joiners[i], 0);
        }
        stop(&controller, 0);
    }
}

static void
no_wake_up_is_lost(void **state)
{
    struct child controller = start("owner", "controller", "");
    uint64_t slowest = 0, lost = 0;
    char line[64];

    (void)state;
    say(&controller, "wake 2000");
    expect_line(&controller, line, sizeof line);
    assert_int_equal(sscanf(line, "woken %" SCNu64 " %" SCNu64, &slowest, &lost), 2);
    print_message("slowest of 2000 changes: %" PRIu64 " us\n", slowest / 1000);
    assert_true(slowest > 0);
    assert_int_equal(lost, 0);
    stop(&controller, 0);
}

/* Who has the name is said by pid, program and time; the lock file may have gone, and a pid of
 * another namespace is not taken for one of ours. */
static void
expect_refusal(const struct child *holder, bool other_namespace, time_t since)
{
    const struct sb_owner_table table = {.id = SB_T_mac, .capacity = 64};
    const struct sb_owner_config config = {
        .instance = fixture_instance(), .name = "controller", .tables = &table, .n_tables = 1};
    char message[SB_MESSAGE_MAX], process[96], date[32], path[SB_PATH_MAX];
    struct sb_segment_info info;
    struct sb_owner *second = NULL;
    struct sb_reader *reader;
    struct tm tm = {.tm_isdst = 0};
    char *at;

    snprintf(process, sizeof process, "process %ld%s (statebus-role) since ",
             other_namespace ? 1 : (long)holder->pid,
             other_namespace ? " of another PID namespace" : "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sb_owner_open(&second, &config, message), SB_EOWNED);
        at = strstr(message, process);
        if (!at)
            fail_msg("%s", message);
        snprintf(date, sizeof date, "%.20s", at + strlen(process));
        at = strptime(date, "%FT%TZ", &tm);
        assert_true(at && *at == 0 && timegm(&tm) >= since && timegm(&tm) <= time(NULL));
        if (i == 0) {
            assert_int_equal(sb_runtime_path(config.instance, "controller", ".lock", path, NULL),
                             SB_OK);
            assert_int_equal(unlink(path), 0);
        } else {
            assert_non_null(strstr(message, "lock file was removed"));
        }
    }
    reader = fixture_reader("controller");
    do /* on a busy machine a heartbeat may be late, and the owner look stalled for a moment */
        assert_int_equal(sb_reader_info(reader, &info), SB_OK);
    while (info.liveness == SB_STALLED && time(NULL) < since + 20);
    assert_int_equal(info.liveness, SB_ALIVE);
    sb_reader_close(&reader);
}

static void
a_second_owner_learns_who_is_there(void **state)
{
    time_t since = time(NULL);
    struct child first = start("owner", "controller", "");

    (void)state;
    expect_refusal(&first, false, since);
    stop(&first, 0);
    if (geteuid() != 0)
        return; /* only root makes namespaces */
    first = start("owner", "controller", "pidns");
    expect_refusal(&first, true, since);
    stop(&first, 0);
}

#define CROWD 700  /* connections */
#define FILES 1024 /* the owner's limit */

static void
socket_path(char *ret)
{
    assert_int_equal(sb_runtime_path(fixture_instance(), "controller", ".pub", ret, NULL), SB_OK);
}

/* ZeroMQ takes any number of connections and aborts when it has no descriptor for one. */
static void
a_crowd_of_connections_is_sent_away(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct child subscriber = start("subscriber", "", ""), controller;
    const struct rlimit limit = {FILES, FILES};
    struct content content;
    int crowd[CROWD], n;

    (void)state;
    controller = start("owner", "controller", "");
    sync_with(&subscriber, 1);
    assert_int_equal(prlimit(controller.pid, RLIMIT_NOFILE, &limit, NULL), 0);
    socket_path(address.sun_path);
    for (n = 0; n < CROWD; n++) { /* the last ones may find that nobody listens any more */
        crowd[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(crowd[n] >= 0);
        if (connect(crowd[n], (struct sockaddr *)&address, sizeof address) < 0) {
            close(crowd[n]);
            break;
        }
    }
    assert_true(n > FILES / 2 - 50);
    for (int i = 0; i < n; i++) {
        struct pollfd gone = {.fd = crowd[i]}; /* POLLHUP */

        assert_int_equal(poll(&gone, 1, DEADLINE_MS), 1);
        close(crowd[i]);
    }
    content = order(&controller, "churn 300 5");
    wait_for(&subscriber, content.digest, content.changes);
    sync_with(&subscriber, 1);
    stop(&subscriber, 0);
    stop(&controller, 0);
}

/* The message is a hint: who gets none finds the changes all the same; a removed socket comes back.
 */
static void
no_socket_no_messages_but_the_changes(void **state)
{
    struct child controller = start("owner", "controller", ""), subscriber;
    char path[SB_PATH_MAX];
    struct content content;
    struct reached r;

    (void)state;
    socket_path(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* the owner cannot remove that */
    subscriber = start("subscriber", "", "");
    content = order(&controller, "churn 300 5");
    wait_for(&subscriber, content.digest, 0);
    content = order(&controller, "churn 300 6");
    r = wait_for(&subscriber, content.digest, 300);
    assert_int_equal(r.received, 0);
    assert_int_equal(rmdir(path), 0);
    sync_with(&subscriber, 1); /* a heartbeat came */
    stop(&subscriber, 0);
    stop(&controller, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_cross_and_a_late_joiner_agrees, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(joiners_at_any_time_agree, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(no_wake_up_is_lost, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_crowd_of_connections_is_sent_away, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(no_socket_no_messages_but_the_changes, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_second_owner_learns_who_is_there, fixture_setup,
                                        fixture_teardown),
    };
    int role = role_main(argc, argv);

    return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
