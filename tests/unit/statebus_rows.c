/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_rows.c - tables and rings in shared memory as their owner and a reader use them,
 * against a model.
 */
#include "statebus_fixture.h"
#include "table.h"
#include <string.h>

static void
put_find_write_remove(void **state)
{
    struct sb_owner *owner = fixture_open("one", SB_T_mac, 100, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_mac a = fixture_mac(1, 1), a2 = fixture_mac(1, 2), b = fixture_mac(2, 1), got;
    struct sb_table_stats stats;
    uint16_t generation;
    int64_t slot, victim;

    (void)state;
    assert_false(sb_owner_warm(owner));
    assert_null(sb_owner_table(owner, SB_T_mac, 1));
    assert_null(sb_owner_table(owner, SB_T_flow, 0));
    assert_int_equal(sb_find(table, &a), SB_ENONE);
    assert_int_equal(sb_next(table, -1), SB_ENONE);
    slot = sb_slot_for(table, sb_hash(table, &a), &victim);
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
        int64_t victim;

        for (row.port = 0; row.port < capacities[c]; row.port++)
            assert_true(sb_put(table, &row) >= 0);
        assert_int_equal(sb_put(table, &row), SB_EFULL);
        assert_int_equal(sb_slot_for(table, sb_hash(table, &row), &victim), SB_EFULL);
        row.port = 0; /* a row that is there may still change */
        assert_true(sb_put(table, &row) >= 0);
        sb_table_stats(table, &stats);
        assert_int_equal(stats.rows, capacities[c]);
        assert_int_equal(stats.refused, 1);
        sb_owner_close(&owner);
    }
}

/* Seeds of the hash by which these keys, put in order, once found both their buckets full. */
static void
refuses_only_when_full(void **state)
{
    static const uint64_t seeds[] = {20739, 22388, 31201, 55725, 173697, 211722, 268153};
    struct sb_owner *owner = fixture_open("seeds", SB_T_port, 100, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_port, 0);
    struct sb_port row = {.dpid = 9};

    (void)state;
    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        table->seed[0] = seeds[s];
        table->seed[1] = seeds[s] * UINT64_C(0x9e3779b97f4a7c15);
        for (row.port = 0; row.port < 100; row.port++)
            assert_true(sb_put(table, &row) >= 0);
        assert_int_equal(sb_put(table, &row), SB_EFULL);
        for (row.port = 0; row.port < 100; row.port++)
            assert_int_equal(sb_remove(table, sb_find(table, &row)), SB_OK);
    }
    sb_owner_close(&owner);
}

/* Tags that say that every slot is taken, over empty ones: damage, but a row finds a slot. */
static void
tags_without_rows(void **state)
{
    struct sb_owner *owner = fixture_open("tags", SB_T_mac, 12, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_mac row = fixture_mac(1, 1);
    int64_t slot, victim;

    (void)state;
    for (uint32_t i = 0; i < table->n_slots; i++)
        sb_store(&table->buckets[i / SB_BUCKET].tags[i % SB_BUCKET], 7);
    slot = sb_slot_for(table, sb_hash(table, &row), &victim);
    assert_in_range(slot, 0, table->n_slots - 1);
    assert_true(victim < 0);
    assert_int_equal(sb_put(table, &row), slot);
    assert_int_equal(sb_find(table, &row), slot);
    sb_owner_close(&owner);
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
            struct sb_mac row = fixture_mac(n, n);
            int64_t victim, slot = sb_slot_for(table, sb_hash(table, &row), &victim);

            assert_int_equal(victim >= 0, n >= capacity);
            assert_int_equal(sb_put(table, &row), slot);
            sb_table_stats(table, &stats);
            assert_int_equal(stats.rows, n < capacity ? n + 1 : capacity);
        }
        assert_int_equal(stats.evicted, 2 * capacity);
        for (uint64_t n = 2 * capacity; n < 3 * capacity; n++) {
            struct sb_mac row = fixture_mac(n, n);

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
        struct sb_mac row = fixture_mac(n, step), got;
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
            fixture_assert_mac(&got);
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
        cmocka_unit_test(put_find_write_remove),    cmocka_unit_test(refuses_when_full),
        cmocka_unit_test(refuses_only_when_full),   cmocka_unit_test(tags_without_rows),
        cmocka_unit_test(evicts_the_oldest),        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(rings_tell_what_was_lost), cmocka_unit_test(defaults_fit_into_docker),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
