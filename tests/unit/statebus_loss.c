/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_loss.c - what subscribers know of what they did not get: received + missed is what was
 * sent, exactly, and for rings reported + lost is what was appended, whatever happens to them, to
 * the wire and to the owner.
 */
#include "statebus_roles.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Everything since the owner's beginning, on top of what older owners left behind. */
static struct reached
accounts(const struct child *subscriber, const struct content *content, uint64_t sent,
         uint64_t ring)
{
    struct reached r = wait_for(subscriber, content->digest, sent + content->sent);

    assert_int_equal(r.received + r.missed, sent + content->sent);
    assert_int_equal(r.ring + r.ring_lost, ring + content->ring);
    return r;
}

/* Ten times the high-water mark and more, at once: the one that keeps up, the one that does not,
 * and the one that does not even run. */
static void
beyond_the_high_water_mark(void **state)
{
    struct child controller = start("owner", "controller", "hwm=10");
    struct child quick = start("subscriber", "", ""), slow = start("subscriber", "", "slow=3000"),
                 stopped = start("subscriber", "", "");
    struct content content = {.sent = 0};
    struct reached r;

    (void)state;
    sync_with(&quick, 1);
    sync_with(&slow, 1);
    sync_with(&stopped, 1);
    stop_and_hold(&stopped);
    content = order(&controller, "flood 200000"); /* some 600 messages */
    assert_int_equal(content.sent, content.changes);
    assert_int_equal(content.unpublished, 0); /* whatever is lost, ZeroMQ has dropped */
    accounts(&quick, &content, 0, 0);
    accounts(&slow, &content, 0, 0);
    kill(stopped.pid, SIGCONT);
    /* nothing is sent any more: only the heartbeat tells of the end of it */
    r = accounts(&stopped, &content, 0, 0);
    assert_true(r.missed > 100000 && r.rereads > 1);

    stop_and_hold(&stopped);
    for (int i = 0; i < 5; i++) {
        content = order(&controller, "churn 10000 1");
        assert_int_equal(content.sent, content.changes);
    }
    accounts(&quick, &content, 0, 0);
    accounts(&slow, &content, 0, 0);
    kill(stopped.pid, SIGCONT);
    accounts(&stopped, &content, 0, 0);
    stop(&stopped, 0);
    stop(&slow, 0);
    stop(&quick, 0);
    stop(&controller, 0);
}

/* A wire that drops known messages: exactly those are known as missed, also the last ones. */
static void
a_bad_wire_is_known_to_the_record(void **state)
{
    struct child controller = start("owner", "controller", ""), wire, subscriber;
    struct content content;
    uint64_t dropped = 0;
    struct reached r;
    char line[64];

    (void)state;
    wire = start("wire", "controller", "");
    subscriber = start("subscriber", "", "");
    sync_with(&subscriber, 1);
    for (unsigned percent = 0; percent <= 100; percent += 20) {
        say(&wire, "drop %u %u", percent, percent + 1);
        expect_line(&wire, line, sizeof line);
        content = order(&controller, "churn 2000 4");
        r = accounts(&subscriber, &content, 0, 0);
        assert_int_equal(r.ring_lost, 0); /* the ring still has them */
        say(&wire, "drop 0 0");
        expect_line(&wire, line, sizeof line);
        assert_int_equal(sscanf(line, "dropped %" SCNu64, &dropped), 1);
        assert_int_equal(r.missed, dropped + content.unpublished);
        assert_int_equal(r.received, content.sent - dropped - content.unpublished);
    }
    assert_true(dropped > 0);
    stop(&subscriber, 0);
    stop(&wire, 0);
    stop(&controller, 0);
}

/* kill -9 in the middle of a churn, with one subscriber that stands still meanwhile and one that
 * does not; the next owner goes on (or begins anew: cold), and nothing goes uncounted. */
static void
owners_die(const char *next)
{
    struct child running = start("subscriber", "", ""), stopped = start("subscriber", "", "");
    struct child controller = start("owner", "controller", "");
    struct content content, left = {.sent = 0};
    uint64_t sent = 0, ring = 0;

    sync_with(&running, 1);
    sync_with(&stopped, 1);
    for (int round = 0; round < 3; round++) {
        struct sb_reader *reader;
        struct sb_table_stats stats;

        order(&controller, "churn 200 5");
        say(&controller, "churn 100000000 %d", round);
        if (round > 0)
            stop_and_hold(&stopped);
        /* it is in the middle of it once its segment shows so */
        reader = fixture_reader("controller");
        do
            sb_reader_stats(reader, SB_T_decision, &stats);
        while (stats.rows < (round == 2 ? 20000 : 5000));
        sb_reader_close(&reader);
        stop(&controller, SIGKILL);
        left = content_of_segment("controller");
        wait_for(&running, left.digest, 0);
        controller = start("owner", "controller", next);
        if (strstr(next, "cold")) {
            sent += left.sent;
            ring += left.ring;
            /* beyond where the followers of the old ring stand */
            say(&controller, "churn 40000 %d", 50 + round);
            content = answer(&controller);
        } else {
            content = order(&controller, "churn 100 6");
        }
        kill(stopped.pid, SIGCONT);
        accounts(&stopped, &content, sent, ring);
        accounts(&running, &content, sent, ring);
    }
    stop(&controller, 0);
    stop(&stopped, 0);
    stop(&running, 0);
}

static void
a_killed_owner_loses_no_count(void **state)
{
    (void)state;
    owners_die("");
}

static void
a_cold_owner_is_told_from_the_one_before(void **state)
{
    (void)state;
    owners_die("cold");
}

/* Other shards: the ring's records are brought over to other positions, in a series of its own, and
 * none of them is told twice. */
static void
other_shards_begin_another_ring(void **state)
{
    struct child subscriber = start("subscriber", "", "");
    struct child controller = start("owner", "controller", "");
    uint64_t shards = 2, before = 0, now = 0;
    struct content content;
    struct reached r;

    (void)state;
    sync_with(&subscriber, 1);
    for (int round = 0; round < 4; round++) {
        order(&controller, "churn 3000 7");
        before += now + 3000 * shards;
        stop(&controller, 0);
        shards = 3 - shards;
        controller = start("owner", "controller", shards == 1 ? "shards=1" : "shards=2");
        content = order(&controller, "churn 2 8");
        now = 2 * shards;
        assert_true(content.ring > now); /* some were brought over */
        r = wait_for(&subscriber, content.digest, content.sent + before);
        assert_int_equal(r.received + r.missed, content.sent + before);
        assert_int_equal(r.ring + r.ring_lost, before + now);
        assert_int_equal(r.ring_lost, 0);
    }
    stop(&controller, 0);
    stop(&subscriber, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(beyond_the_high_water_mark, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_bad_wire_is_known_to_the_record, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_killed_owner_loses_no_count, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_cold_owner_is_told_from_the_one_before, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(other_shards_begin_another_ring, fixture_setup,
                                        fixture_teardown),
    };
    int role = role_main(argc, argv);

    return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
