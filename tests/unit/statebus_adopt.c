/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_adopt.c - what a restarted owner takes over: rows in place, rows copied, damage
 * dropped.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
        struct sb_mac row = fixture_mac(n, n);

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
        struct sb_mac row = fixture_mac(n, n);

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
        row = fixture_mac(n, n);
        assert_true(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    }
    sb_owner_close(&owner);
    owner = fixture_open("geo", SB_T_mac, 6000, 3, false);
    assert_true(sb_owner_warm(owner));
    for (uint64_t n = 0; n < 600; n++) {
        row = fixture_mac(n, n);
        for (unsigned s = 0; s < 3; s++)
            assert_int_equal(sb_find(sb_owner_table(owner, SB_T_mac, s), &row) >= 0,
                             s == sb_shard_of(row.dpid, 3));
    }
    sb_reader_info(reader, &info);
    assert_int_equal(info.liveness, SB_RESTARTED);
    assert_int_equal(sb_reader_shards(reader, SB_T_mac), 1); /* the old one is still readable */
    row = fixture_mac(5, 5);
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
        row = fixture_mac(n, n);
        assert_true(sb_put(table, &row) >= 0);
    }
    row = fixture_mac(0, 0);
    first = sb_find(table, &row);
    sb_owner_close(&owner);
    base = fixture_map("adopt", &size);
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
        row = fixture_mac(n, n);
        assert_true(sb_find(table, &row) >= 0);
    }
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
    fixture_path("worn", "", path, sizeof path);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stay_where_they_are_over_a_restart),
        cmocka_unit_test(geometry_changes_keep_the_rows),
        cmocka_unit_test(adoption_drops_what_no_owner_writes),
        cmocka_unit_test(a_damaged_sequence_begins_anew),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
