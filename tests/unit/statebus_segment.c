/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_segment.c - who may open a segment, and what readers are told when its owner is dead,
 * killed, foreign, or not there.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static void
foreign_segments_are_refused_and_replaced(void **state)
{
    struct sb_owner *owner = fixture_open("foreign", SB_T_mac, 100, 1, false);
    struct sb_mac row = fixture_mac(1, 1);
    struct sb_owner_table table = {SB_T_mac, 100, 1};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "foreign",
        .tables = &table,
        .n_tables = 1,
        .no_publish = true,
    };
    char message[SB_MESSAGE_MAX], hex[2][32];
    struct sb_reader *reader = NULL;
    struct sb_header *header;
    struct sb_dir *dir;
    size_t size;

    (void)state;
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    sb_owner_close(&owner);
    header = fixture_map("foreign", &size);
    dir = (struct sb_dir *)((uint8_t *)header + SB_DIR_OFFSET);

    /* another layout hash: both sides are named */
    snprintf(hex[0], sizeof hex[0], "%016llx", (unsigned long long)dir->hash);
    dir->hash ^= 0xff00;
    snprintf(hex[1], sizeof hex[1], "%016llx", (unsigned long long)dir->hash);
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "foreign", message), SB_ELAYOUT);
    assert_non_null(strstr(message, hex[0]));
    assert_non_null(strstr(message, hex[1]));
    assert_null(reader);
    dir->hash ^= 0xff00;

    header->version += 1 << 16; /* another ABI */
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "foreign", message), SB_ELAYOUT);
    assert_non_null(strstr(message, "ABI 2.0"));
    assert_non_null(strstr(message, "has 1.0"));
    header->version = 0;
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "foreign", message), SB_ENOTREADY);
    header->version = SB_VERSION + (1 << 16);

    /* its own owner replaces it, starts cold and says why */
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    assert_false(sb_owner_warm(owner));
    assert_non_null(strstr(message, "cold"));
    assert_non_null(strstr(message, "ABI 2.0"));
    assert_int_equal(sb_find(sb_owner_table(owner, SB_T_mac, 0), &row), SB_ENONE);
    sb_owner_close(&owner);
    munmap(header, size);

    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "nobody", message), SB_ENONE);
    assert_non_null(strstr(message, "nobody"));
}

static void
a_second_owner_is_refused(void **state)
{
    struct sb_owner *owner = fixture_open("lock", SB_T_mac, 100, 1, false), *second = NULL;
    struct sb_owner_table table = {SB_T_mac, 100, 1};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "lock",
        .tables = &table,
        .n_tables = 1,
        .no_publish = true,
    };
    char message[SB_MESSAGE_MAX], pid[16];

    (void)state;
    assert_int_equal(sb_owner_open(&second, &config, message), SB_EOWNED);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_non_null(strstr(message, pid));
    assert_non_null(strstr(message, "statebus-segme")); /* the program, as the kernel cuts it */
    assert_null(second);
    sb_owner_close(&owner);
    config.cold = true;
    assert_int_equal(sb_owner_open(&second, &config, message), SB_OK);
    assert_false(sb_owner_warm(second));
    sb_owner_close(&second);
    config.name = "../x";
    assert_int_equal(sb_owner_open(&second, &config, message), SB_EINVAL);
    config.name = "lock";
    config.instance = "no such/thing";
    assert_int_equal(sb_owner_open(&second, &config, message), SB_EINVAL);
    config.instance = fixture_instance();
    table.capacity = UINT32_MAX;
    assert_int_equal(sb_owner_open(&second, &config, message), SB_EINVAL);
}

static void
too_little_memory_is_an_error(void **state)
{
    struct sb_owner_table tables[] = {{SB_T_verdict, SB_CAPACITY_MAX, 1},
                                      {SB_T_observed, SB_CAPACITY_MAX, 1}};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "huge",
        .tables = tables,
        .n_tables = 2,
        .no_publish = true,
    };
    char message[SB_MESSAGE_MAX], path[256];
    struct sb_owner *owner = NULL;
    struct statvfs fs;

    (void)state;
    assert_int_equal(statvfs("/dev/shm", &fs), 0);
    if ((uint64_t)fs.f_blocks * fs.f_frsize > UINT64_C(60) << 30)
        skip(); /* it would fit */
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_ENOSPC);
    assert_null(owner);
    assert_non_null(strstr(message, "KiB are missing"));
    snprintf(path, sizeof path, "/dev/shm/trivet.%s.huge.new", fixture_instance());
    assert_int_equal(access(path, F_OK), -1);
    tables[0].capacity = tables[1].capacity = 10; /* and the lock is free again */
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    sb_owner_close(&owner);
}

/* ---- kill -9 ------------------------------------------------------------------------ */

/* Writes without end in a child; a byte on the pipe now and then shows that it runs. */
static void
write_for_ever(int pipe_fd, uint64_t seed)
{
    struct sb_owner *owner = fixture_open("killed", SB_T_mac, 200, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);

    for (uint64_t step = 1;; step++) {
        uint64_t random = fixture_random(&seed);
        struct sb_mac row =
            fixture_mac(random % 400, step); /* more keys than rows: evictions too */
        int64_t slot;

        if ((random >> 32) % 4 == 0 && (slot = sb_find(table, &row)) >= 0)
            sb_remove(table, slot);
        else
            sb_put(table, &row);
        if (step % 256 == 0 && write(pipe_fd, "", 1) != 1)
            _exit(1);
    }
}

static void
a_writer_may_be_killed_anywhere(void **state)
{
    uint64_t seed = 99, torn_tries = 0;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct sb_reader *reader = NULL;
        struct sb_owner *owner;
        struct sb_table *table;
        struct sb_mac row;
        uint64_t rows = 0, cursor = 0, wait = 1 + fixture_random(&seed) % 40;
        struct sb_table_stats stats;
        char byte;
        int fds[2], status;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            write_for_ever(fds[1], seed);
        }
        close(fds[1]);
        while (wait-- > 0) { /* read while it writes */
            assert_int_equal(read(fds[0], &byte, 1), 1);
            if (!reader)
                reader = fixture_reader("killed");
            cursor = 0;
            for (int got; (got = sb_read(reader, SB_T_mac, &cursor, &row)) != 0;) {
                if (got == 1)
                    fixture_assert_mac(&row);
                else
                    torn_tries++;
            }
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(fds[0]);

        /* the dead one's rows are whole, and a lookup finds each of them */
        cursor = 0;
        while (sb_read(reader, SB_T_mac, &cursor, &row) == 1) {
            struct sb_mac found;

            fixture_assert_mac(&row);
            assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &found), 1);
            assert_memory_equal(&found, &row, sizeof row);
            rows++;
        }
        owner = fixture_open("killed", SB_T_mac, 200, 1, false);
        assert_true(sb_owner_warm(owner));
        table = sb_owner_table(owner, SB_T_mac, 0);
        sb_table_stats(table, &stats);
        assert_int_equal(stats.rows, rows); /* adoption had nothing to drop */
        assert_true(rows <= 200);
        for (int64_t s = sb_next(table, -1); s >= 0; s = sb_next(table, s))
            assert_int_equal(sb_find(table, sb_peek(table, s)), s);
        sb_owner_close(&owner);
        sb_reader_close(&reader);
    }
    assert_true(torn_tries < 1000);
}

static int
count_owner(void *arg, const char *owner)
{
    *(unsigned *)arg += strcmp(owner, "killed") == 0 || strcmp(owner, "foreign") == 0;
    return 0;
}

static void
owners_are_listed(void **state)
{
    unsigned n = 0;

    (void)state;
    assert_int_equal(sb_each_owner(fixture_instance(), count_owner, &n), 0);
    assert_int_equal(n, 2);
}

/* Whoever removes the lock file of a running owner does not get a second writer. */
static void
a_removed_lock_file_lets_nobody_in(void **state)
{
    const struct sb_owner_table table = {.id = SB_T_mac, .capacity = 64};
    const struct sb_owner_config config = {.instance = fixture_instance(),
                                           .name = "unlocked",
                                           .tables = &table,
                                           .n_tables = 1,
                                           .no_publish = true};
    struct sb_owner *owner = fixture_open("unlocked", SB_T_mac, 64, 1, false), *second = NULL;
    char message[SB_MESSAGE_MAX], path[SB_PATH_MAX];

    (void)state;
    assert_int_equal(sb_runtime_path(config.instance, "unlocked", ".lock", path, message), SB_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sb_owner_open(&second, &config, message), SB_EOWNED);
    assert_non_null(strstr(message, "lock file was removed"));
    sb_owner_close(&owner);
    assert_int_equal(sb_owner_open(&second, &config, message), SB_OK);
    assert_true(sb_owner_warm(second));
    sb_owner_close(&second);
}

/* What others put into /dev/shm neither stops a reader nor is read. */
static void
strangers_segments_are_refused(void **state)
{
    struct sb_owner *owner = fixture_open("stranger", SB_T_mac, 64, 1, false);
    char message[SB_MESSAGE_MAX], path[128], fifo[128];
    struct sb_reader *reader = NULL;

    (void)state;
    fixture_path("fifo", "", fifo, sizeof fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    alarm(5); /* to open it would wait for ever */
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "fifo", message), SB_ECORRUPT);
    alarm(0);
    assert_int_equal(unlink(fifo), 0);

    fixture_path("stranger", "", path, sizeof path);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(sb_reader_open(&reader, fixture_instance(), "stranger", message),
                         SB_ELAYOUT);
        assert_non_null(strstr(message, "belongs to uid 65534"));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "stranger", message), SB_OK);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_segments_are_refused_and_replaced),
        cmocka_unit_test(a_second_owner_is_refused),
        cmocka_unit_test(too_little_memory_is_an_error),
        cmocka_unit_test(a_writer_may_be_killed_anywhere),
        cmocka_unit_test(owners_are_listed),
        cmocka_unit_test(a_removed_lock_file_lets_nobody_in),
        cmocka_unit_test(strangers_segments_are_refused),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
