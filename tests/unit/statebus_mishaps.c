/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_mishaps.c - what people do to the files of an owner: wrong modes, removed segments.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* In a child that is nobody, since modes are nothing to root: its exit status is the line where it
 * went wrong, modulo 256. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ & 0xff ? __LINE__ & 0xff : 255);                                        \
    } while (0)

static mode_t
mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static int
open_mode(struct sb_owner **ret, char *message)
{
    const struct sb_owner_table table = {SB_T_mac, 64, 1};
    const struct sb_owner_config config = {.instance = fixture_instance(),
                                           .name = "mode",
                                           .tables = &table,
                                           .n_tables = 1,
                                           .no_publish = true};

    return sb_owner_open(ret, &config, message);
}

static void
mend_as_nobody(const char *dir)
{
    char message[SB_MESSAGE_MAX], lock[256], segment[256];
    struct sb_owner *owner = NULL;
    struct sb_reader *reader = NULL;
    struct sb_mac row = fixture_mac(1, 1);

    CHECK(geteuid() != 0 ||
          (chown(dir, NOBODY, NOBODY) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0));
    snprintf(lock, sizeof lock, "%s/mode.lock", dir);
    fixture_path("mode", "", segment, sizeof segment);
    CHECK(open_mode(&owner, message) == SB_OK);
    CHECK(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    sb_owner_close(&owner);

    /* closed to ourselves, all of it: opened again, and nothing is lost */
    CHECK(chmod(lock, 0) == 0 && chmod(segment, 0) == 0 && chmod(dir, 0500) == 0);
    CHECK(sb_reader_open(&reader, fixture_instance(), "mode", message) == SB_ESYS);
    CHECK(strstr(message, "is ours, but has mode 0000: chmod 0640 /dev/shm/trivet."));
    CHECK(open_mode(&owner, message) == SB_OK && sb_owner_warm(owner));
    CHECK(mode_of(lock) == 0600 && mode_of(segment) == 0640 && mode_of(dir) == 0750);
    CHECK(sb_find(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    sb_owner_close(&owner);

    /* open to strangers: closed, and said */
    CHECK(chmod(lock, 0666) == 0 && chmod(segment, 0646) == 0);
    CHECK(open_mode(&owner, message) == SB_OK && sb_owner_warm(owner));
    CHECK(strstr(message, "had mode 0646, now 0640"));
    CHECK(mode_of(lock) == 0600 && mode_of(segment) == 0640);
    sb_owner_close(&owner);
    _exit(0);
}

static void
remain_as_nobody(const char *dir)
{
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner = NULL;

    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK(open_mode(&owner, message) == SB_ESYS);
    CHECK(strstr(message, "is another user's (uid 0, we are 65534): sudo"));
    CHECK(strstr(message, dir) && strstr(message, "mode.lock"));
    _exit(0);
}

static void
assert_child(void (*run)(const char *dir), const char *dir)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        run(dir);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Modes of files of our own are mended; those of others get an error that says whose they are. */
static void
modes_are_mended_or_explained(void **state)
{
    char dir[256], lock[280], segment[256];

    (void)state;
    snprintf(dir, sizeof dir, "%s", getenv("TRIVET_RUNTIME_DIR"));
    assert_child(mend_as_nobody, dir);
    if (geteuid() != 0)
        skip();
    snprintf(lock, sizeof lock, "%s/mode.lock", dir);
    fixture_path("mode", "", segment, sizeof segment);
    assert_int_equal(chown(lock, 0, 0), 0);
    assert_child(remain_as_nobody, dir);
    assert_int_equal(unlink(lock) | unlink(segment) | chown(dir, 0, 0), 0);
}

/* ---- a removed segment and its subscribers ---------------------------------------------- */

struct heard {
    unsigned put, removed;
};

static void
note(void *arg, const struct sb_change *change)
{
    struct heard *heard = arg;

    heard->put += change->op == SB_PUT;
    heard->removed += change->op == SB_REMOVE;
}

static bool
is_mapped(const char *name)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");

    assert_non_null(maps);
    while (!found && fgets(line, sizeof line, maps))
        found = strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

/* Its memory is only free when nobody maps it any more, and its next owner may need that. The
 * subscriber knows the rows all the same, and tells what is different in the next segment. */
static void
a_removed_segment_is_let_go(void **state)
{
    struct sb_owner *owner = fixture_open("gone", SB_T_mac, 64, 1, true);
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats;
    struct heard heard = {0};
    char message[SB_MESSAGE_MAX], path[256];
    struct sb_mac row;

    (void)state;
    for (uint64_t n = 0; n < 3; n++) {
        row = fixture_mac(n, n);
        sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    }
    assert_int_equal(sb_subscribe(&subscriber, fixture_instance(), "gone", UINT64_C(1) << SB_T_mac,
                                  note, &heard, message),
                     SB_OK);
    for (int i = 0; i < 1000 && !sb_subscriber_synced(subscriber); i++) {
        sb_owner_pump(owner);
        sb_subscriber_run(subscriber);
        poll(NULL, 0, 5);
    }
    assert_int_equal(heard.put, 3);
    fixture_path("gone", "", path, sizeof path);
    assert_int_equal(unlink(path), 0);
    row = fixture_mac(3, 3); /* its owner does not know yet; the rest is not drained, but counted */
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    sb_owner_close(&owner);
    assert_true(is_mapped(path));
    for (int i = 0; i < 1000 && is_mapped(path); i++) {
        sb_subscriber_run(subscriber);
        poll(NULL, 0, 5);
    }
    assert_false(is_mapped(path));
    assert_int_equal(heard.put, 4);
    assert_int_equal(heard.removed, 0);
    sb_subscriber_stats(subscriber, &stats);
    assert_int_equal(stats.received + stats.missed, 1); /* of the other three it read the rows */
    assert_true(sb_subscriber_synced(subscriber));

    owner = fixture_open("gone", SB_T_mac, 64, 1, true);
    row = fixture_mac(1, 1); /* one as before, one new */
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    row = fixture_mac(9, 9);
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    for (int i = 0; i < 1000 && stats.received + stats.missed < 3; i++) {
        sb_owner_pump(owner);
        sb_subscriber_run(subscriber);
        sb_subscriber_stats(subscriber, &stats);
        poll(NULL, 0, 5);
    }
    assert_int_equal(heard.put, 5);
    assert_int_equal(heard.removed, 3);
    assert_int_equal(stats.received + stats.missed, 3);
    sb_subscriber_close(&subscriber);
    sb_owner_close(&owner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_are_mended_or_explained),
        cmocka_unit_test(a_removed_segment_is_let_go),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
