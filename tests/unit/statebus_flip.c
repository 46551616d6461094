/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_flip.c - segments with flipped bytes: readers and the next owner survive each.
 */
#include "statebus_fixture.h"
#include "segment.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reads all there is, every way there is; only crashes and endless loops count. */
static void
read_everything(struct sb_reader *reader)
{
    uint8_t row[2048];
    struct sb_mac key = fixture_mac(3, 3);
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
        struct sb_mac row = fixture_mac(n, n);

        sb_put(sb_owner_table(owner, SB_T_mac, 0), &row);
        sb_append(sb_owner_table(owner, SB_T_event, 0), &event);
    }
    sb_owner_close(&owner);
    base = fixture_map("flip", &size);
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
            base = fixture_map("flip", &size);
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
            base = fixture_map("flip", &size);
    }
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    sb_owner_close(&owner);
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bytes_harm_nobody),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
