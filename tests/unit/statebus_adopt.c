/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_adopt.c - what a restarted owner takes over: rows in place, rows copied, damage
 * dropped.
 */
#include "statebus_fixture.h"
#include "table.h"
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

/* Damage: one row all over the table, in buckets that are not its, and twice in those that are. */
static void
adoption_drops_what_no_owner_writes(void **state)
{
    struct sb_owner *owner = fixture_open("adopt", SB_T_mac, 1000, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_table_stats stats;
    struct sb_dir dir;
    struct sb_mac row;
    struct sb_bucket *buckets;
    uint8_t *base, *slots;
    int64_t first;
    uint16_t tag;
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
    buckets = (struct sb_bucket *)(base + SB_HEADER_SIZE + sizeof(struct sb_shard));
    slots = (uint8_t *)(buckets + dir.slots / SB_BUCKET);
    tag = buckets[first / SB_BUCKET].tags[first % SB_BUCKET];
    /* the row of `first` into every empty slot: only copies in a home bucket hash right, and those
     * are duplicates */
    for (uint32_t i = 0; i < dir.slots; i++) {
        uint64_t word;

        memcpy(&word, slots + i * dir.stride, 8);
        if (word == 0) {
            memcpy(slots + i * dir.stride, slots + (uint64_t)first * dir.stride, dir.stride);
            buckets[i / SB_BUCKET].tags[i % SB_BUCKET] = tag;
        }
    }
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

/* A clock near the end of its range would soon give words that no reader takes. */
static void
a_damaged_clock_is_not_gone_on_from(void **state)
{
    struct sb_owner *owner = fixture_open("clock", SB_T_mac, 64, 1, false);
    struct sb_mac a = fixture_mac(1, 1), b = fixture_mac(2, 1), found;
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_reader *reader;

    (void)state;
    assert_true(sb_put(table, &a) >= 0);
    sb_store(&sb_table_slot(table, (uint64_t)sb_find(table, &a))->word, (SB_CLOCK_MAX - 1)
                                                                            << SB_CLOCK_SHIFT);
    sb_owner_close(&owner);
    for (int i = 0; i < 2; i++) { /* and it stays so */
        owner = fixture_open("clock", SB_T_mac, 64, 1, false);
        table = sb_owner_table(owner, SB_T_mac, 0);
        assert_true(sb_owner_warm(owner));
        if (i == 0)
            assert_int_equal(sb_find(table, &a), SB_ENONE);
        else
            assert_true(sb_find(table, &b) >= 0);
        assert_true(sb_put(table, &a) >= 0);
        assert_true(sb_put(table, &b) >= 0);
        reader = fixture_reader("clock");
        assert_int_equal(sb_lookup(reader, SB_T_mac, &a, &found), 1);
        assert_int_equal(sb_lookup(reader, SB_T_mac, &b, &found), 1);
        sb_reader_close(&reader);
        sb_owner_close(&owner);
    }
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

/* ---- restored rows --------------------------------------------------------------------- */

static struct sb_table *
reopen(struct sb_owner **owner, const char *name, uint32_t capacity)
{
    sb_owner_close(owner);
    *owner = fixture_open(name, SB_T_mac, capacity, 1, false);
    assert_true(sb_owner_warm(*owner));
    return sb_owner_table(*owner, SB_T_mac, 0);
}

static void
assert_restored(const struct sb_table *table, struct sb_reader *reader, uint64_t n, bool expected)
{
    struct sb_mac key = fixture_mac(n, 0), row;

    assert_int_equal(sb_restored(table, sb_find(table, &key)), expected);
    assert_int_equal(sb_lookup(reader, SB_T_mac, &key, &row), 1);
    assert_int_equal(sb_reader_restored(reader), expected);
}

static void
rows_are_restored_until_they_are_written(void **state)
{
    struct sb_owner *owner = fixture_open("mark", SB_T_mac, 100, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_reader *reader = fixture_reader("mark");
    struct sb_mac row;
    uint64_t cursor = 0, n_restored = 0;

    (void)state;
    for (uint64_t n = 0; n < 6; n++) {
        row = fixture_mac(n, 1);
        sb_put(table, &row);
        assert_restored(table, reader, n, false);
    }
    table = reopen(&owner, "mark", 100);
    for (uint64_t n = 0; n < 6; n++)
        assert_restored(table, reader, n, true);

    row = fixture_mac(0, 1); /* said again, the same */
    sb_put(table, &row);
    row = fixture_mac(1, 2); /* said anew */
    sb_write(table, sb_find(table, &row), &row);
    row = fixture_mac(2, 3); /* only marked */
    assert_int_equal(sb_amend(table, sb_find(table, &row), &row), SB_OK);
    assert_memory_equal(sb_peek(table, sb_find(table, &row)), &row, sizeof row);
    row = fixture_mac(3, 4); /* gone and back */
    sb_remove(table, sb_find(table, &row));
    sb_put(table, &row);
    row = fixture_mac(6, 1); /* new */
    sb_put(table, &row);
    for (uint64_t n = 0; n < 7; n++)
        assert_restored(table, reader, n, n == 2 || n == 4 || n == 5);
    while (sb_read(reader, SB_T_mac, &cursor, &row) == 1)
        n_restored += sb_reader_restored(reader);
    assert_int_equal(n_restored, 3);
    assert_int_equal(sb_amend(table, INT64_MAX, &row), SB_ENONE);
    assert_int_equal(
        sb_amend(table, sb_next(table, sb_next(table, -1)), sb_peek(table, sb_next(table, -1))),
        SB_EINVAL);

    /* other capacities: the same, though the rows were copied */
    table = reopen(&owner, "mark", 300);
    assert_int_equal(sb_reader_reopen(reader, NULL), SB_OK);
    for (uint64_t n = 0; n < 7; n++)
        assert_restored(table, reader, n, true);
    row = fixture_mac(4, 9);
    sb_put(table, &row);
    assert_int_equal(sb_drop_restored(table), 6);
    assert_int_equal(sb_drop_restored(table), 0);
    assert_restored(table, reader, 4, false);
    assert_int_equal(sb_next(table, sb_find(table, &row)), SB_ENONE);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* In steps that end: each looks at so many slots and no more, what is written between them stays,
 * and at the end nothing is restored. */
static void
restored_rows_are_swept_in_steps(void **state)
{
    enum { ROWS = 300, BUDGET = 16 };
    struct sb_owner *owner = fixture_open("sweep", SB_T_mac, ROWS, 1, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_table_stats stats;
    uint64_t removed = 0, before = 0;
    unsigned steps = 0, written = 0, kept = 0;
    struct sb_mac row;

    (void)state;
    for (uint64_t n = 0; n < ROWS; n++) {
        row = fixture_mac(n, 1);
        sb_put(table, &row);
    }
    table = reopen(&owner, "sweep", ROWS);
    assert_false(sb_sweep_restored(table, 0, &removed));
    assert_int_equal(removed, 0);
    while (!sb_sweep_restored(table, BUDGET, &removed)) {
        assert_true(removed - before <= BUDGET);
        before = removed;
        row = fixture_mac(steps++, 2); /* perhaps swept already: then it is new */
        sb_put(table, &row);
        written++;
    }
    assert_true(steps > ROWS / BUDGET);
    sb_table_stats(table, &stats);
    assert_int_equal(stats.rows, written);
    assert_int_equal(stats.removed, removed);
    for (int64_t slot = -1; (slot = sb_next(table, slot)) >= 0; kept++)
        assert_false(sb_restored(table, slot));
    assert_int_equal(kept, written);
    assert_true(sb_sweep_restored(table, BUDGET, NULL));
    assert_int_equal(sb_drop_restored(table), 0);

    /* the next life begins anew */
    table = reopen(&owner, "sweep", ROWS);
    assert_false(sb_sweep_restored(table, 1, NULL));
    assert_true(sb_sweep_restored(table, UINT32_MAX, NULL));
    assert_int_equal(sb_next(table, -1), SB_ENONE);
    sb_owner_close(&owner);
}

static void
rings_have_no_restored_rows(void **state)
{
    struct sb_owner *owner = fixture_open("log", SB_T_event, 16, 1, false);
    struct sb_event row = {.t_ns = 1};
    struct sb_table_stats stats;

    (void)state;
    sb_append(sb_owner_table(owner, SB_T_event, 0), &row);
    sb_owner_close(&owner);
    owner = fixture_open("log", SB_T_event, 16, 1, false);
    assert_true(sb_sweep_restored(sb_owner_table(owner, SB_T_event, 0), 1, NULL));
    assert_int_equal(sb_drop_restored(sb_owner_table(owner, SB_T_event, 0)), 0);
    sb_table_stats(sb_owner_table(owner, SB_T_event, 0), &stats);
    assert_int_equal(stats.rows, 1);
    sb_owner_close(&owner);
}

/* Whatever comes in whatever order while rows are restored, the last word stands (a row updated
 * twice is not taken for the same), and the mark goes with the first of them. */
static void
restored_rows_agree_with_a_model(void **state)
{
    enum { KEYS = 60, LIVES = 40 };
    struct sb_owner *owner = fixture_open("again", SB_T_mac, 100, 1, false);
    struct sb_reader *reader = fixture_reader("again");
    uint64_t version[KEYS] = {0}, seed = 11, clock = 0;
    bool restored[KEYS] = {false};

    (void)state;
    for (unsigned life = 0; life < LIVES; life++) {
        struct sb_table *table = reopen(&owner, "again", 100);
        uint64_t steps = fixture_random(&seed) % 150;

        for (uint64_t n = 0; n < KEYS; n++)
            restored[n] = version[n] != 0;
        for (; steps > 0; steps--) {
            uint64_t random = fixture_random(&seed), n = random % KEYS;
            struct sb_mac row = fixture_mac(n, ++clock);
            int64_t slot = sb_find(table, &row);

            assert_int_equal(slot >= 0, version[n] != 0);
            switch (random >> 32 & 7) {
            case 0:
                if (slot < 0)
                    continue;
                sb_remove(table, slot);
                version[n] = 0;
                restored[n] = false;
                continue;
            case 1:
            case 2:
                if (slot < 0)
                    continue;
                assert_int_equal(sb_amend(table, slot, &row), SB_OK);
                break;
            case 3: /* the same bytes */
                if (slot < 0)
                    continue;
                row = *(const struct sb_mac *)sb_peek(table, slot);
                sb_write(table, slot, &row);
                restored[n] = false;
                continue;
            case 4: { /* twice, and back to what it was */
                struct sb_mac other = fixture_mac(n, ++clock);

                sb_put(table, &other);
                sb_put(table, &row);
                restored[n] = false;
                break;
            }
            default:
                sb_put(table, &row);
                restored[n] = false;
            }
            version[n] = row.last_ns;
        }
        for (uint64_t n = 0; n < KEYS; n++) {
            struct sb_mac row = fixture_mac(n, 0), got;

            assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &got), version[n] != 0);
            if (version[n] == 0)
                continue;
            assert_int_equal(got.last_ns, version[n]);
            fixture_assert_mac(&got);
            assert_int_equal(sb_reader_restored(reader), restored[n]);
        }
    }
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* ---- columns that no owner writes ---------------------------------------------------------- */

/* Damages the bytes of one row that was found in the segment; true if it does. */
static bool
spoil(const struct sb_column *column, uint8_t *row)
{
    switch (column->format) {
    case SB_BOOL:
        row[column->offset] = 2;
        return true;
    case SB_ENUM_FORMAT:
        row[column->offset] = 200;
        return true;
    case SB_TEXT:
        memset(row + column->offset, 'x', column->size);
        return true;
    default:
        return false;
    }
}

/* Every such column of every table: the reader passes the row over, the next owner drops it. */
static void
invalid_columns_are_dropped(void **state)
{
    unsigned spoilt = 0;

    (void)state;
    for (int id = 0; id < SB_T_COUNT; id++) {
        const struct sb_table_info *info = sb_table_info((enum sb_table_id)id);

        for (unsigned c = 0; c < info->n_columns; c++) {
            struct sb_owner_table config_table = {(enum sb_table_id)id, 16, 1};
            struct sb_owner_config config = {.instance = fixture_instance(),
                                             .name = "columns",
                                             .tables = &config_table,
                                             .n_tables = 1,
                                             .cold = true,
                                             .no_publish = true};
            char message[SB_MESSAGE_MAX];
            struct sb_owner *owner = NULL;
            struct sb_table *table;
            struct sb_reader *reader;
            struct sb_segment_info segment;
            uint64_t row[128], position = 0, lost = 0, cursor = 0;
            uint8_t *base, *found = NULL;
            unsigned rows = 0;
            size_t size;

            memset(row, 0, sizeof row);
            assert_true(info->row_size <= sizeof row);
            if (info->columns[c].is_key || !spoil(&info->columns[c], (uint8_t *)row))
                continue; /* a damaged key is in the wrong place, too: see the flipped bytes */
            assert_false(sb_row_valid((enum sb_table_id)id, row));
            assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
            table = sb_owner_table(owner, (enum sb_table_id)id, 0);
            for (unsigned i = 0; i < 3; i++) {
                memset(row, 0, sizeof row);
                /* each key different, and something to find it by in its first bytes */
                memset(row, (int)(0x61 + i), info->key_size ? 3 : 8);
                if (info->kind == SB_RING)
                    sb_append(table, row);
                else
                    assert_true(sb_put(table, row) >= 0);
            }
            sb_owner_close(&owner);
            base = fixture_map("columns", &size);
            for (size_t at = SB_HEADER_SIZE; at + info->row_size <= size && !found; at += 8)
                if (memcmp(base + at, row, info->row_size) == 0)
                    found = base + at;
            assert_non_null(found);
            spoil(&info->columns[c], found);
            munmap(base, size);

            reader = fixture_reader("columns");
            if (info->kind == SB_RING) {
                while (sb_follow(reader, (enum sb_table_id)id, 0, &position, row, &lost) == 1)
                    rows++;
                assert_int_equal(lost, 1);
            } else {
                while (sb_read(reader, (enum sb_table_id)id, &cursor, row) == 1)
                    rows++;
            }
            assert_int_equal(rows, 2);
            assert_int_equal(sb_reader_info(reader, &segment), SB_OK);
            assert_int_equal(segment.damaged, 1);
            sb_reader_close(&reader);

            config.cold = false;
            assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
            assert_non_null(strstr(message, "dropped 1 damaged"));
            sb_owner_close(&owner);
            spoilt++;
        }
    }
    assert_true(spoilt > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stay_where_they_are_over_a_restart),
        cmocka_unit_test(geometry_changes_keep_the_rows),
        cmocka_unit_test(adoption_drops_what_no_owner_writes),
        cmocka_unit_test(a_damaged_sequence_begins_anew),
        cmocka_unit_test(a_damaged_clock_is_not_gone_on_from),
        cmocka_unit_test(rows_are_restored_until_they_are_written),
        cmocka_unit_test(restored_rows_are_swept_in_steps),
        cmocka_unit_test(rings_have_no_restored_rows),
        cmocka_unit_test(restored_rows_agree_with_a_model),
        cmocka_unit_test(invalid_columns_are_dropped),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
