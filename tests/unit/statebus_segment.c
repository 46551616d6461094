/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_segment.c - who may open a segment, and what readers are told when its owner is dead,
 * killed, foreign, or not there.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
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
    assert_non_null(strstr(message, "ABI 2."));
    assert_non_null(strstr(message, "has 1."));
    header->version = 0;
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "foreign", message), SB_ENOTREADY);
    header->version = SB_VERSION + (1 << 16);

    /* its own owner replaces it, starts cold and says why */
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    assert_false(sb_owner_warm(owner));
    assert_non_null(strstr(message, "cold"));
    assert_non_null(strstr(message, "ABI 2."));
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

/* A segment's size is what somebody says until its header is looked at: no memory is taken for it.
 * Nor is a hole left where a write might find no memory. */
static void
a_size_that_is_not_true_costs_no_memory(void **state)
{
    struct sb_owner *owner = fixture_open("sparse", SB_T_mac, 1000, 1, false);
    char path[256];
    struct stat before, after;
    int fd;

    (void)state;
    sb_owner_close(&owner);
    fixture_path("sparse", "", path, sizeof path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 65536), 0);
    owner = fixture_open("sparse", SB_T_mac, 1000, 1, false);
    assert_true(sb_owner_warm(owner));
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    sb_owner_close(&owner);

    assert_int_equal(ftruncate(fd, 256 << 20), 0);
    owner = fixture_open("sparse", SB_T_mac, 1000, 1, false);
    assert_false(sb_owner_warm(owner));
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    sb_owner_close(&owner);
    close(fd);
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

/* A reader's lock, or several: it may open what the group may, and hold on to it. */
static void
lock_as_reader(const char *path, int ret_fds[2])
{
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    for (int i = 0; i < 2; i++) {
        ret_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(ret_fds[i] >= 0);
        assert_int_equal(
            i ? flock(ret_fds[i], LOCK_SH | LOCK_NB) : fcntl(ret_fds[i], F_OFD_SETLK, &all), 0);
    }
}

/* Who may only read cannot keep a dead owner from starting again, nor take anything from it: its
 * rows are there, it is alive to readers, and a second owner is refused. */
static void
readers_cannot_keep_an_owner_out(void **state)
{
    const struct sb_owner_table table = {.id = SB_T_mac, .capacity = 64};
    const struct sb_owner_config config = {.instance = fixture_instance(),
                                           .name = "besieged",
                                           .tables = &table,
                                           .n_tables = 1,
                                           .no_publish = true};
    struct sb_owner *owner = fixture_open("besieged", SB_T_mac, 64, 1, false), *second = NULL;
    char message[SB_MESSAGE_MAX], lock[SB_PATH_MAX], segment[128];
    struct sb_mac row = fixture_mac(1, 1);
    struct sb_reader *reader = fixture_reader("besieged");
    struct sb_segment_info info;
    int fds[2][2];
    struct stat st;

    (void)state;
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    sb_owner_close(&owner);
    assert_int_equal(sb_runtime_path(config.instance, "besieged", ".lock", lock, message), SB_OK);
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* nobody else even opens it */
    assert_int_equal(chmod(lock, 0640), 0);     /* as earlier versions made it */
    lock_as_reader(lock, fds[0]);
    fixture_path("besieged", "", segment, sizeof segment);
    lock_as_reader(segment, fds[1]);
    assert_int_equal(sb_reader_info(reader, &info), SB_OK);
    assert_int_equal(info.liveness, SB_DEAD); /* a reader's lock is no sign of life */

    for (int life = 0; life < 2; life++) {
        if (sb_owner_open(&owner, &config, message) < 0)
            fail_msg("%s", message);
        assert_true(sb_owner_warm(owner));
        /* the first life had to leave what was locked, the second finds what nobody locked */
        assert_int_equal(strstr(message, "copied the rows to a new segment") != NULL, life == 0);
        assert_memory_equal(sb_peek(sb_owner_table(owner, SB_T_mac, 0),
                                    sb_find(sb_owner_table(owner, SB_T_mac, 0), &row)),
                            &row, sizeof row);
        assert_int_equal(stat(lock, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(segment, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(sb_reader_reopen(reader, message), SB_OK);
        assert_int_equal(sb_reader_info(reader, &info), SB_OK);
        assert_int_equal(info.liveness, SB_ALIVE);
        assert_int_equal(sb_owner_open(&second, &config, message), SB_EOWNED);
        assert_non_null(strstr(message, "already running as process "));
        sb_owner_close(&owner);
        assert_int_equal(sb_reader_info(reader, &info), SB_OK);
        assert_int_equal(info.liveness, SB_DEAD);
    }
    sb_reader_close(&reader);
    for (int i = 0; i < 4; i++)
        close(fds[i / 2][i % 2]);
}

/* A reader that asks all the time whether an owner lives is in nobody's way. */
static void
asking_locks_nothing(void **state)
{
    struct sb_owner *owner;
    struct sb_reader *reader;
    struct sb_segment_info info;
    int status;
    pid_t pid;

    (void)state;
    owner = fixture_open("asked", SB_T_mac, 64, 1, false);
    sb_owner_close(&owner);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        reader = fixture_reader("asked");
        for (;;)
            sb_reader_info(reader, &info);
    }
    for (int i = 0; i < 200; i++) {
        owner = fixture_open("asked", SB_T_mac, 64, 1, false);
        sb_owner_close(&owner);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
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

/* ---- what readers are told when the segment under them changes ------------------------------ */

static enum sb_liveness
liveness_of(struct sb_reader *reader)
{
    struct sb_segment_info info;

    assert_int_equal(sb_reader_info(reader, &info), SB_OK);
    return info.liveness;
}

static void
assert_reads(struct sb_reader *reader, uint64_t n, uint64_t version)
{
    struct sb_mac key = fixture_mac(n, 0), row;

    assert_int_equal(sb_lookup(reader, SB_T_mac, &key, &row), 1);
    fixture_assert_mac(&row);
    assert_int_equal(row.last_ns, version);
}

/* An owner hears of it at one of its next two heartbeats, and never before. */
static void
assert_is_lost(struct sb_owner *owner, const char *name)
{
    char message[SB_MESSAGE_MAX] = "";
    int beats = 0;

    while (sb_owner_check(owner, message) == SB_OK && beats++ < 3)
        poll(NULL, 0, sb_owner_pump(owner));
    assert_int_equal(sb_owner_check(owner, message), SB_ENONE);
    assert_non_null(strstr(message, name));
    assert_non_null(strstr(message, "removed from /dev/shm, or replaced"));
}

/* The name goes; the mapping stays readable, and the next owner is found by that name again. */
static void
a_removed_segment_stays_readable(void **state)
{
    struct sb_owner *owner = fixture_open("removed", SB_T_mac, 64, 1, false);
    struct sb_mac row = fixture_mac(1, 1);
    char message[SB_MESSAGE_MAX], path[128], spare[140];
    struct sb_reader *reader, *late = NULL;
    int fd;

    (void)state;
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    reader = fixture_reader("removed");
    sb_owner_pump(owner);
    assert_int_equal(sb_owner_check(owner, message), SB_OK);
    fixture_path("removed", "", path, sizeof path);
    assert_int_equal(unlink(path), 0);
    /* its owner still writes what nobody can open any more: as good as gone */
    assert_int_equal(liveness_of(reader), SB_RESTARTED);
    assert_int_equal(sb_reader_reopen(reader, message), SB_ENONE);
    assert_reads(reader, 1, 1);
    assert_int_equal(sb_reader_open(&late, fixture_instance(), "removed", message), SB_ENONE);
    assert_null(late);
    assert_is_lost(owner, "removed");
    sb_owner_close(&owner);
    assert_reads(reader, 1, 1);

    owner = fixture_open("removed", SB_T_mac, 64, 1, false); /* with nothing to adopt */
    assert_false(sb_owner_warm(owner));
    row = fixture_mac(1, 2);
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    assert_reads(reader, 1, 1);
    assert_int_equal(sb_reader_reopen(reader, message), SB_OK);
    assert_int_equal(liveness_of(reader), SB_ALIVE);
    assert_reads(reader, 1, 2);
    sb_reader_close(&reader);

    /* another file in its place is no better */
    fixture_path("removed", ".new", spare, sizeof spare);
    fd = open(spare, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(rename(spare, path), 0);
    assert_is_lost(owner, "removed");
    sb_owner_close(&owner);
}

/* Another program, of another layout, takes the name: the reader keeps what it has and is told. */
static void
a_segment_replaced_by_a_foreign_one_is_refused(void **state)
{
    struct sb_owner *owner = fixture_open("upgrade", SB_T_mac, 64, 1, false);
    char message[SB_MESSAGE_MAX], path[128], spare[140];
    struct sb_mac row = fixture_mac(1, 1);
    struct sb_reader *reader;
    uint8_t *base, *copy;
    struct sb_dir *dir;
    size_t size;
    int fd;

    (void)state;
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    reader = fixture_reader("upgrade");
    sb_owner_close(&owner);
    assert_int_equal(liveness_of(reader), SB_DEAD);

    base = fixture_map("upgrade", &size);
    copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, base, size);
    munmap(base, size);
    dir = (struct sb_dir *)(copy + SB_DIR_OFFSET);
    dir->hash ^= 1;
    fixture_path("upgrade", "", path, sizeof path);
    fixture_path("upgrade", ".new", spare, sizeof spare);
    fd = open(spare, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
    assert_int_equal(write(fd, copy, size), size);
    close(fd);
    assert_int_equal(rename(spare, path), 0);
    assert_int_equal(liveness_of(reader), SB_RESTARTED);
    for (unsigned i = 0; i < 2; i++) { /* as often as it likes to ask */
        assert_int_equal(sb_reader_reopen(reader, message), SB_ELAYOUT);
        assert_non_null(strstr(message, "run both from one build"));
        assert_reads(reader, 1, 1);
    }
    free(copy);

    /* ours again: a cold one, since the foreign rows cannot be read */
    owner = fixture_open("upgrade", SB_T_mac, 64, 1, false);
    assert_false(sb_owner_warm(owner));
    assert_int_equal(sb_reader_reopen(reader, message), SB_OK);
    assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &(struct sb_mac){0}), 0);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* ---- /dev/shm full ------------------------------------------------------------------------------
 */

/* In a mount namespace of its own, with a /dev/shm of 64 KiB. The result is its exit status: the
 * line where it went wrong, modulo 256. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ & 0xff ? __LINE__ & 0xff : 255);                                        \
    } while (0)

static void
fill_shared_memory(void)
{
    struct sb_owner_table table = {SB_T_mac, 64, 1};
    struct sb_owner_config config = {.instance = fixture_instance(),
                                     .name = "cramped",
                                     .tables = &table,
                                     .n_tables = 1,
                                     .no_publish = true};
    char message[SB_MESSAGE_MAX], path[128], block[4096] = {1};
    struct sb_owner *owner = NULL, *other = NULL;
    struct sb_mac row = fixture_mac(3, 4), got;
    struct sb_reader *reader = NULL;
    struct sb_header *header;
    size_t size;
    int fd;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("shm", "/dev/shm", "tmpfs", 0, "size=64k") < 0)
        _exit(77);
    CHECK(sb_owner_open(&owner, &config, message) == SB_OK);
    CHECK(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    fd = open("/dev/shm/filler", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof block) > 0)
        ;

    /* what stands is written and read as before: its memory was reserved */
    for (uint64_t n = 0; n < 64; n++) {
        row = fixture_mac(n, n);
        CHECK(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    }
    CHECK(sb_reader_open(&reader, fixture_instance(), "cramped", message) == SB_OK);
    row = fixture_mac(3, 0);
    CHECK(sb_lookup(reader, SB_T_mac, &row, &got) == 1 && got.last_ns == 3);

    /* another owner is told how much is missing, and leaves nothing behind */
    config.name = "another";
    CHECK(sb_owner_open(&other, &config, message) == SB_ENOSPC);
    CHECK(other == NULL && strstr(message, "/dev/shm has 0 KiB free") &&
          strstr(message, "KiB are missing: enlarge it or lower the capacities"));
    fixture_path("another", ".new", path, sizeof path);
    CHECK(access(path, F_OK) < 0);

    /* so is this one, when it wants more rows at its next start; its rows stay for the time after
     */
    sb_owner_close(&owner);
    config.name = "cramped";
    table.capacity = 1000;
    CHECK(sb_owner_open(&owner, &config, message) == SB_ENOSPC && owner == NULL);
    CHECK(sb_lookup(reader, SB_T_mac, &row, &got) == 1 && got.last_ns == 3);
    table.capacity = 64;
    CHECK(sb_owner_open(&owner, &config, message) == SB_OK && sb_owner_warm(owner));
    CHECK(sb_find(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    sb_owner_close(&owner);

    /* Rows that are of no use need no room beside the new ones. But they are there as long as
     * somebody reads them. */
    config.cold = true;
    CHECK(sb_owner_open(&owner, &config, message) == SB_ENOSPC && owner == NULL);
    CHECK(strstr(message, "the old one is removed, its readers still keep it"));
    CHECK(sb_lookup(reader, SB_T_mac, &row, &got) == 1 && got.last_ns == 3);
    sb_reader_close(&reader);
    for (int i = 0; i < 3; i++) { /* now there is none, then one for --cold, then a foreign one */
        CHECK(sb_owner_open(&owner, &config, message) == SB_OK && !sb_owner_warm(owner));
        CHECK(sb_find(sb_owner_table(owner, SB_T_mac, 0), &row) == SB_ENONE);
        CHECK(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
        sb_owner_close(&owner);
        if (i == 1) {
            config.cold = false;
            header = fixture_map(config.name, &size);
            header->version += 1 << 16;
            munmap(header, size);
        }
    }
    CHECK(strstr(message, "started cold: ") && strstr(message, "ABI 2."));
    CHECK(sb_owner_open(&owner, &config, message) == SB_OK && sb_owner_warm(owner));
    sb_owner_close(&owner);
    _exit(0);
}

static void
full_shared_memory_is_a_clear_error(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        fill_shared_memory();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* not allowed to mount */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_segments_are_refused_and_replaced),
        cmocka_unit_test(a_second_owner_is_refused),
        cmocka_unit_test(too_little_memory_is_an_error),
        cmocka_unit_test(a_size_that_is_not_true_costs_no_memory),
        cmocka_unit_test(full_shared_memory_is_a_clear_error),
        cmocka_unit_test(a_removed_segment_stays_readable),
        cmocka_unit_test(a_segment_replaced_by_a_foreign_one_is_refused),
        cmocka_unit_test(a_writer_may_be_killed_anywhere),
        cmocka_unit_test(owners_are_listed),
        cmocka_unit_test(a_removed_lock_file_lets_nobody_in),
        cmocka_unit_test(readers_cannot_keep_an_owner_out),
        cmocka_unit_test(asking_locks_nothing),
        cmocka_unit_test(strangers_segments_are_refused),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
