/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_segment.c - tables in shared memory without ZeroMQ: against a model, over restarts, with
 * damage, and with writers killed in the middle.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* A mac row whose bytes all follow from its number and version, so that a torn one shows. */
static struct sb_mac
mac_row(uint64_t n, uint64_t version)
{
    struct sb_mac row = {.dpid = n % 7, .vlan = (uint16_t)(n % 3)};

    memcpy(row.mac, &n, sizeof row.mac);
    row.first_ns = n * 1000003 + version;
    row.last_ns = version;
    row.port = (uint32_t)(n ^ version);
    row.moves = (uint32_t)(n * 31 + version * 17);
    return row;
}

static void
assert_whole(const struct sb_mac *row)
{
    uint64_t n = 0;
    struct sb_mac expected;

    memcpy(&n, row->mac, sizeof row->mac);
    expected = mac_row(n, row->last_ns);
    assert_memory_equal(row, &expected, sizeof expected);
}

static void
put_find_write_remove(void **state)
{
    struct sb_owner *owner = fixture_open("one", SB_T_mac, 100, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_mac a = mac_row(1, 1), a2 = mac_row(1, 2), b = mac_row(2, 1), got;
    struct sb_table_stats stats;
    uint16_t generation;
    int64_t slot;

    (void)state;
    assert_false(sb_owner_warm(owner));
    assert_null(sb_owner_table(owner, SB_T_mac, 1));
    assert_null(sb_owner_table(owner, SB_T_flow, 0));
    assert_int_equal(sb_find(table, &a), SB_ENONE);
    assert_int_equal(sb_next(table, -1), SB_ENONE);
    slot = sb_slot_for(table, &a, sb_hash(table, &a));
    generation = sb_generation(table, slot);
    assert_int_equal(sb_put(table, &a), slot);
    assert_int_equal(sb_generation(table, slot), (uint16_t)(generation + 1));
    assert_int_equal(sb_put(table, &a2), slot);
    assert_int_equal(sb_generation(table, slot), (uint16_t)(generation + 1));
    assert_int_equal(sb_find(table, &a), slot);
    assert_int_equal(sb_get(table, slot, &got), SB_OK);
    assert_memory_equal(&got, &a2, sizeof got);
    assert_int_equal(sb_write(table, slot, &b), SB_EINVAL);
    assert_int_equal(sb_write(table, slot, &a), SB_OK);
    assert_memory_equal(sb_peek(table, slot), &a, sizeof a);
    assert_int_equal(sb_next(table, -1), slot);
    assert_int_equal(sb_next(table, slot), SB_ENONE);
    assert_int_equal(sb_remove(table, slot), SB_OK);
    assert_int_equal(sb_remove(table, slot), SB_ENONE);
    assert_null(sb_peek(table, slot));
    assert_null(sb_peek(table, -1));
    assert_null(sb_peek(table, INT64_MAX));
    assert_int_equal(sb_put(table, &a), slot);
    assert_int_equal(sb_generation(table, slot), (uint16_t)(generation + 2));
    sb_table_stats(table, &stats);
    assert_int_equal(stats.rows, 1);
    assert_int_equal(stats.capacity, 100);
    assert_int_equal(stats.inserted, 2);
    assert_int_equal(stats.updated, 2);
    assert_int_equal(stats.removed, 1);
    sb_owner_close(&owner);
    assert_null(owner);
}

/* A table with rule REFUSE takes exactly its capacity, whatever the keys. */
static void
refuses_when_full(void **state)
{
    static const uint32_t capacities[] = {1, 2, 27, 100, 2048, 8192};

    (void)state;
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        static const char *const names[] = {"full1", "full2", "full3", "full4", "full5", "full6"};
        struct sb_owner *owner = fixture_open(names[c], SB_T_port, capacities[c], 1, false);
        struct sb_table *table = sb_owner_table(owner, SB_T_port, 0);
        struct sb_port row = {.dpid = 9};
        struct sb_table_stats stats;

        for (row.port = 0; row.port < capacities[c]; row.port++)
            assert_true(sb_put(table, &row) >= 0);
        assert_int_equal(sb_put(table, &row), SB_EFULL);
        assert_int_equal(sb_slot_for(table, &row, sb_hash(table, &row)), SB_EFULL);
        row.port = 0; /* a row that is there may still change */
        assert_true(sb_put(table, &row) >= 0);
        sb_table_stats(table, &stats);
        assert_int_equal(stats.rows, capacities[c]);
        assert_int_equal(stats.refused, 1);
        sb_owner_close(&owner);
    }
}

/* Rule OLDEST: never above capacity, the victim is the older row of the two buckets, counted. */
static void
evicts_the_oldest(void **state)
{
    static const uint32_t capacities[] = {1, 2, 100, 3000};

    (void)state;
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        static const char *const names[] = {"old1", "old2", "old3", "old4"};
        uint32_t capacity = capacities[c];
        struct sb_owner *owner = fixture_open(names[c], SB_T_mac, capacity, 1, false);
        struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
        struct sb_table_stats stats;
        unsigned survivors = 0;

        for (uint64_t n = 0; n < 3 * capacity; n++) {
            struct sb_mac row = mac_row(n, n);
            int64_t slot = sb_slot_for(table, &row, sb_hash(table, &row));

            assert_int_equal(sb_put(table, &row), slot);
            sb_table_stats(table, &stats);
            assert_int_equal(stats.rows, n < capacity ? n + 1 : capacity);
        }
        assert_int_equal(stats.evicted, 2 * capacity);
        for (uint64_t n = 2 * capacity; n < 3 * capacity; n++) {
            struct sb_mac row = mac_row(n, n);

            survivors += sb_find(table, &row) >= 0;
        }
        /* two buckets of 16 are a good sample of the age, so nearly all of the newest third stay */
        print_message("capacity %u: %u of the newest stand\n", capacity, survivors);
        assert_true(survivors >= capacity * 9 / 10);
        sb_owner_close(&owner);
    }
}

/* Random operations against an array, with a reader that must agree, and restarts in between. */
static void
agrees_with_a_model(void **state)
{
    enum { KEYS = 700, STEPS = 60000 };
    static uint64_t model[KEYS]; /* version, 0: not there */
    struct sb_owner *owner = fixture_open("model", SB_T_mac, 1000, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_reader *reader = fixture_reader("model");
    uint64_t seed = 42, rows = 0;

    (void)state;
    memset(model, 0, sizeof model);
    for (uint64_t step = 1; step <= STEPS; step++) {
        uint64_t random = fixture_random(&seed), n = random % KEYS;
        struct sb_mac row = mac_row(n, step), got;
        int64_t slot = sb_find(table, &row);

        assert_int_equal(slot >= 0, model[n] != 0);
        switch (random >> 32 & 3) {
        case 0:
            if (slot < 0)
                break;
            assert_int_equal(sb_remove(table, slot), SB_OK);
            model[n] = 0;
            rows--;
            break;
        case 1:
            if (slot < 0)
                break;
            assert_int_equal(sb_write(table, slot, &row), SB_OK);
            model[n] = step;
            break;
        default:
            assert_true(sb_put(table, &row) >= 0);
            rows += model[n] == 0;
            model[n] = step;
        }
        assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &got), model[n] != 0);
        if (model[n]) {
            assert_int_equal(got.last_ns, model[n]);
            assert_whole(&got);
        }
        if (step % 10000 == 0) {
            uint64_t cursor = 0, seen = 0;
            struct sb_table_stats stats;

            sb_owner_close(&owner);
            owner = fixture_open("model", SB_T_mac, 1000, 1, false);
            assert_true(sb_owner_warm(owner));
            table = sb_owner_table(owner, SB_T_mac, 0);
            while (sb_read(reader, SB_T_mac, &cursor, &got) == 1) {
                uint64_t key = 0;

                memcpy(&key, got.mac, sizeof got.mac);
                assert_true(key < KEYS);
                assert_int_equal(got.last_ns, model[key]);
                seen++;
            }
            assert_int_equal(seen, rows);
            assert_int_equal(sb_reader_stats(reader, SB_T_mac, &stats), SB_OK);
            assert_int_equal(stats.rows, rows);
        }
    }
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

static void
rows_stay_where_they_are_over_a_restart(void **state)
{
    struct sb_owner *owner = fixture_open("warm", SB_T_mac, 500, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    uint64_t incarnation = sb_owner_incarnation(owner);
    struct sb_reader *reader = fixture_reader("warm");
    struct sb_segment_info info;
    int64_t slots[300];
    uint16_t generations[300];

    (void)state;
    for (uint64_t n = 0; n < 300; n++) {
        struct sb_mac row = mac_row(n, n);

        slots[n] = sb_put(table, &row);
        generations[n] = sb_generation(table, slots[n]);
    }
    sb_owner_phase(owner, SB_RUNNING);
    sb_owner_pump(owner);
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_ALIVE);
    assert_int_equal(info.phase, SB_RUNNING);
    assert_int_equal(info.incarnation, incarnation);
    assert_string_equal(info.owner, "warm");
    sb_owner_close(&owner);
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_DEAD);

    owner = fixture_open("warm", SB_T_mac, 500, 1, false);
    table = sb_owner_table(owner, SB_T_mac, 0);
    assert_true(sb_owner_warm(owner));
    assert_true(sb_owner_incarnation(owner) != incarnation);
    for (uint64_t n = 0; n < 300; n++) {
        struct sb_mac row = mac_row(n, n);

        assert_int_equal(sb_find(table, &row), slots[n]);
        assert_int_equal(sb_generation(table, slots[n]), generations[n]);
        assert_memory_equal(sb_peek(table, slots[n]), &row, sizeof row);
    }
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_RESTARTED);
    assert_int_equal(info.phase, SB_INIT);
    assert_int_equal(sb_reader_reopen(reader, NULL), SB_OK);
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_ALIVE);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* Other capacity and shards: every row is copied, into the shard of its switch. */
static void
geometry_changes_keep_the_rows(void **state)
{
    struct sb_owner *owner = fixture_open("geo", SB_T_mac, 1000, 1, false);
    struct sb_reader *reader = fixture_reader("geo");
    struct sb_segment_info info;
    struct sb_table_stats stats;
    struct sb_mac row, got;

    (void)state;
    for (uint64_t n = 0; n < 600; n++) {
        row = mac_row(n, n);
        assert_true(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    }
    sb_owner_close(&owner);
    owner = fixture_open("geo", SB_T_mac, 6000, 3, false);
    assert_true(sb_owner_warm(owner));
    for (uint64_t n = 0; n < 600; n++) {
        row = mac_row(n, n);
        for (unsigned s = 0; s < 3; s++)
            assert_int_equal(sb_find(sb_owner_table(owner, SB_T_mac, s), &row) >= 0,
                             s == sb_shard_of(row.dpid, 3));
    }
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_RESTARTED);
    assert_int_equal(sb_reader_shards(reader, SB_T_mac), 1); /* the old one is still readable */
    row = mac_row(5, 5);
    assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &got), 1);
    assert_int_equal(sb_reader_reopen(reader, NULL), SB_OK);
    assert_int_equal(sb_reader_shards(reader, SB_T_mac), 3);
    assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &got), 1);
    assert_memory_equal(&got, &row, sizeof row);
    sb_owner_close(&owner);

    owner = fixture_open("geo", SB_T_mac, 100, 1, false); /* too small: the rule evicts */
    sb_table_stats(sb_owner_table(owner, SB_T_mac, 0), &stats);
    assert_int_equal(stats.rows, 100);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

static void *
map_file(const char *owner, size_t *ret_size)
{
    char path[256];
    struct stat st;
    void *base;
    int fd;

    snprintf(path, sizeof path, "/trivet.%s.%s", fixture_instance(), owner);
    fd = shm_open(path, O_RDWR, 0);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(base != MAP_FAILED);
    close(fd);
    *ret_size = (size_t)st.st_size;
    return base;
}

static void
foreign_segments_are_refused_and_replaced(void **state)
{
    struct sb_owner *owner = fixture_open("foreign", SB_T_mac, 100, 1, false);
    struct sb_mac row = mac_row(1, 1);
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
    header = map_file("foreign", &size);
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

static void
rings_tell_what_was_lost(void **state)
{
    struct sb_owner *owner = fixture_open("ring", SB_T_event, 64, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_event, 0);
    struct sb_reader *reader = fixture_reader("ring");
    struct sb_event event = {0};
    uint64_t position = 0, now = UINT64_MAX, lost = 0, cursor = 0, n = 0;

    (void)state;
    assert_int_equal(sb_follow(reader, SB_T_event, 0, &position, &event, &lost), 0);
    assert_int_equal(sb_follow(reader, SB_T_event, 1, &position, &event, &lost), SB_ENONE);
    for (event.t_ns = 0; event.t_ns < 10; event.t_ns++)
        sb_append(table, &event);
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(sb_follow(reader, SB_T_event, 0, &position, &event, &lost), 1);
        assert_int_equal(event.t_ns, i);
    }
    assert_int_equal(sb_follow(reader, SB_T_event, 0, &position, &event, &lost), 0);
    assert_int_equal(lost, 0);
    assert_int_equal(sb_follow(reader, SB_T_event, 0, &now, &event, &lost), 0);

    /* lapped: 10..209 written, 63 of them stand */
    for (event.t_ns = 10; event.t_ns < 210; event.t_ns++)
        sb_append(table, &event);
    assert_int_equal(sb_follow(reader, SB_T_event, 0, &position, &event, &lost), 1);
    assert_int_equal(event.t_ns, 147);
    assert_int_equal(lost, 137);

    /* restart: positions go on */
    sb_owner_close(&owner);
    owner = fixture_open("ring", SB_T_event, 64, 1, false);
    table = sb_owner_table(owner, SB_T_event, 0);
    event.t_ns = 210;
    sb_append(table, &event);
    while (sb_follow(reader, SB_T_event, 0, &position, &event, &lost) == 1)
        ;
    assert_int_equal(event.t_ns, 210);
    assert_int_equal(position, 211);
    assert_int_equal(lost, 137);
    while (sb_read(reader, SB_T_event, &cursor, &event) == 1)
        assert_int_equal(event.t_ns, 148 + n++);
    assert_int_equal(n, 63);
    sb_owner_close(&owner);

    /* a larger ring takes over records and positions */
    owner = fixture_open("ring", SB_T_event, 256, 1, false);
    assert_int_equal(sb_reader_reopen(reader, NULL), SB_OK);
    event.t_ns = 211;
    sb_append(sb_owner_table(owner, SB_T_event, 0), &event);
    assert_int_equal(sb_follow(reader, SB_T_event, 0, &position, &event, &lost), 1);
    assert_int_equal(event.t_ns, 211);
    assert_int_equal(lost, 137);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* Reads all there is, every way there is; only crashes and endless loops count. */
static void
read_everything(struct sb_reader *reader)
{
    uint8_t row[2048];
    struct sb_mac key = mac_row(3, 3);
    uint64_t cursor = 0, position = 0, lost = 0;
    struct sb_table_stats stats;
    struct sb_segment_info info;
    unsigned n = 0;

    while (sb_read(reader, SB_T_mac, &cursor, row) != 0)
        assert_true(n++ < 100000);
    sb_lookup(reader, SB_T_mac, &key, row);
    sb_reader_stats(reader, SB_T_mac, &stats);
    sb_reader_info(reader, &info);
    for (cursor = n = 0; sb_read(reader, SB_T_event, &cursor, row) == 1;)
        assert_true(n++ < 100000);
    for (n = 0; sb_follow(reader, SB_T_event, 0, &position, row, &lost) == 1;)
        assert_true(n++ < 100000);
}

/* Every byte of the header page, and many behind it, flipped: readers get an error or rows, and an
 * owner that adopts it comes up. */
static void
flipped_bytes_harm_nobody(void **state)
{
    struct sb_owner_table tables[] = {{SB_T_mac, 64, 1}, {SB_T_event, 64, 1}};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "flip",
        .tables = tables,
        .n_tables = 2,
        .no_publish = true,
    };
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner = NULL;
    struct sb_event event = {0};
    uint8_t *base, *copy;
    unsigned refused = 0;
    uint64_t seed = 7;
    size_t size;

    (void)state;
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    for (uint64_t n = 0; n < 50; n++) {
        struct sb_mac row = mac_row(n, n);

        sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
        sb_append(sb_owner_table(owner, SB_T_event, 0), &event);
    }
    sb_owner_close(&owner);
    base = map_file("flip", &size);
    copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, base, size);

    for (size_t i = 0; i < 4096 + 20000; i++) {
        size_t at = i < 4096 ? i : fixture_random(&seed) % size;
        struct sb_reader *reader = NULL;

        base[at] ^= (uint8_t)(i < 4096 ? 0xff : 1u << (fixture_random(&seed) & 7));
        if (sb_reader_open(&reader, fixture_instance(), "flip", message) == SB_OK) {
            read_everything(reader);
            sb_reader_close(&reader);
        } else {
            refused++;
        }
        if (i % 97 == 0) { /* in place if the damage allows it, else a new segment */
            uint64_t rows = 0;
            struct sb_table *table;

            assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
            table = sb_owner_table(owner, SB_T_mac, 0);
            for (int64_t s = sb_next(table, -1); s >= 0; s = sb_next(table, s), rows++)
                assert_int_equal(sb_find(table, sb_peek(table, s)), s);
            assert_true(rows <= 64);
            sb_owner_close(&owner);
            munmap(base, size);
            base = map_file("flip", &size);
            memcpy(base, copy, size);
        }
        base[at] = copy[at];
    }
    assert_true(refused > 200); /* magic, sizes, the directory */

    /* shorter than its header says, and shorter than a header */
    for (unsigned i = 0; i < 2; i++) {
        char path[256];
        struct sb_reader *reader = NULL;

        munmap(base, size);
        snprintf(path, sizeof path, "/dev/shm/trivet.%s.flip", fixture_instance());
        assert_int_equal(truncate(path, i ? 100 : 8192), 0);
        assert_int_equal(sb_reader_open(&reader, fixture_instance(), "flip", message), SB_ECORRUPT);
        if (i == 0)
            base = map_file("flip", &size);
    }
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    sb_owner_close(&owner);
    free(copy);
}

/* Damage that only adoption can see: a row in a bucket that is not its, and one key twice. */
static void
adoption_drops_what_no_owner_writes(void **state)
{
    struct sb_owner *owner = fixture_open("adopt", SB_T_mac, 1000, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_table_stats stats;
    struct sb_dir dir;
    struct sb_mac row;
    uint8_t *base, *slots;
    int64_t first;
    size_t size;

    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        row = mac_row(n, n);
        assert_true(sb_put(table, &row) >= 0);
    }
    row = mac_row(0, 0);
    first = sb_find(table, &row);
    sb_owner_close(&owner);
    base = map_file("adopt", &size);
    assert_int_equal(sb_geometry(SB_T_mac, 1000, 1, &dir), SB_OK);
    slots = base + SB_HEADER_SIZE + sizeof(struct sb_shard) + dir.slots * 4;
    /* the row of `first` into every empty slot: only copies in a home bucket hash right, and those
     * are duplicates */
    for (uint32_t i = 0; i < dir.slots; i++) {
        uint64_t word;

        memcpy(&word, slots + i * dir.stride, 8);
        if (word == 0)
            memcpy(slots + i * dir.stride, slots + (uint64_t)first * dir.stride, dir.stride);
    }
    memset(base + SB_HEADER_SIZE + sizeof(struct sb_shard), 0xee, dir.slots * 4); /* and the tags */
    munmap(base, size);

    owner = fixture_open("adopt", SB_T_mac, 1000, 1, false);
    assert_true(sb_owner_warm(owner));
    table = sb_owner_table(owner, SB_T_mac, 0);
    sb_table_stats(table, &stats);
    assert_int_equal(stats.rows, 100);
    for (uint64_t n = 0; n < 100; n++) {
        row = mac_row(n, n);
        assert_true(sb_find(table, &row) >= 0);
    }
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
        struct sb_mac row = mac_row(random % 400, step); /* more keys than rows: evictions too */
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
                    assert_whole(&row);
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

            assert_whole(&row);
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
    *(unsigned *)arg += strcmp(owner, "killed") == 0 || strcmp(owner, "warm") == 0;
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

static void
segment_path(const char *owner, const char *what, char *ret, size_t size)
{
    snprintf(ret, size, "/dev/shm/trivet.%s.%s%s", fixture_instance(), owner, what);
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
    segment_path("fifo", "", fifo, sizeof fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    alarm(5); /* to open it would wait for ever */
    assert_int_equal(sb_reader_open(&reader, fixture_instance(), "fifo", message), SB_ECORRUPT);
    alarm(0);
    assert_int_equal(unlink(fifo), 0);

    segment_path("stranger", "", path, sizeof path);
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

static void
note_change(void *arg, const struct sb_change *change)
{
    *(unsigned *)arg += change->op == SB_PUT;
}

/* A last sequence at the end of its range would make the next one small, and subscribers deaf. */
static void
a_damaged_sequence_begins_anew(void **state)
{
    struct sb_owner *owner = fixture_open("worn", SB_T_mac, 64, 1, true);
    struct sb_mac row = {.dpid = 1};
    struct sb_subscriber *subscriber;
    char message[SB_MESSAGE_MAX], path[128];
    const uint64_t worn = UINT64_MAX;
    unsigned changes = 0;
    int fd;

    (void)state;
    sb_owner_close(&owner);
    segment_path("worn", "", path, sizeof path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(
        pwrite(fd, &worn, sizeof worn, SB_DIR_OFFSET + (off_t)offsetof(struct sb_dir, last_seq)),
        sizeof worn);
    close(fd);
    owner = fixture_open("worn", SB_T_mac, 64, 1, true);
    assert_int_equal(sb_subscribe(&subscriber, fixture_instance(), "worn", UINT64_C(1) << SB_T_mac,
                                  note_change, &changes, message),
                     SB_OK);
    for (int i = 0; i < 400 && !sb_subscriber_synced(subscriber); i++) {
        sb_owner_pump(owner);
        sb_subscriber_run(subscriber);
        poll(NULL, 0, 5);
    }
    assert_true(sb_subscriber_synced(subscriber));
    sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
    for (int i = 0; i < 400 && changes == 0; i++) {
        sb_owner_pump(owner);
        sb_subscriber_run(subscriber);
        poll(NULL, 0, 5);
    }
    assert_int_equal(changes, 1);
    sb_subscriber_close(&subscriber);
    sb_owner_close(&owner);
}

/* All tables with their defaults together stay under 32 MB. */
static void
defaults_fit_into_docker(void **state)
{
    uint64_t size = 0;

    (void)state;
    for (int t = 0; t < SB_T_COUNT; t++) {
        struct sb_dir dir;

        assert_int_equal(
            sb_geometry((enum sb_table_id)t, sb_table_info((enum sb_table_id)t)->capacity, 1, &dir),
            SB_OK);
        size += dir.shard_size;
    }
    assert_in_range(size, 1 << 20, 32 << 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_find_write_remove),
        cmocka_unit_test(refuses_when_full),
        cmocka_unit_test(evicts_the_oldest),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(rows_stay_where_they_are_over_a_restart),
        cmocka_unit_test(geometry_changes_keep_the_rows),
        cmocka_unit_test(foreign_segments_are_refused_and_replaced),
        cmocka_unit_test(a_second_owner_is_refused),
        cmocka_unit_test(too_little_memory_is_an_error),
        cmocka_unit_test(rings_tell_what_was_lost),
        cmocka_unit_test(flipped_bytes_harm_nobody),
        cmocka_unit_test(adoption_drops_what_no_owner_writes),
        cmocka_unit_test(a_writer_may_be_killed_anywhere),
        cmocka_unit_test(owners_are_listed),
        cmocka_unit_test(a_removed_lock_file_lets_nobody_in),
        cmocka_unit_test(strangers_segments_are_refused),
        cmocka_unit_test(a_damaged_sequence_begins_anew),
        cmocka_unit_test(defaults_fit_into_docker),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
