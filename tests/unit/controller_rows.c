/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_rows.c - the chains of rows by switch against a plain list: rows that come, go, are
 * evicted and change hands, and walks within walks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller.h"

#define SLOTS_WANTED 64
#define SWITCHES 5

struct fixture {
    char dir[64];
    struct sb_owner *owner;
    struct sb_table *flow;
    struct ctl_rows *rows;
};

static int
setup(void **state)
{
    static const struct sb_owner_table tables[] = {{.id = SB_T_flow, .capacity = SLOTS_WANTED}};
    struct fixture *f = calloc(1, sizeof(*f));
    struct sb_owner_config config = {
        .name = "controller", .tables = tables, .n_tables = 1, .cold = true, .no_publish = true};
    char message[SB_MESSAGE_MAX], instance[32];

    assert_non_null(f);
    snprintf(f->dir, sizeof(f->dir), "/tmp/ctl-rows-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    setenv("TRIVET_RUNTIME_DIR", f->dir, 1);
    snprintf(instance, sizeof(instance), "ctl-rows-%d", (int)getpid());
    config.instance = instance;
    assert_int_equal(sb_owner_open(&f->owner, &config, message), SB_OK);
    f->flow = sb_owner_table(f->owner, SB_T_flow, 0);
    f->rows = ctl_rows_new(f->flow);
    assert_non_null(f->rows);
    snprintf(message, sizeof(message), "/dev/shm/trivet.%s.controller", instance);
    unlink(message);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char path[96];

    free(f->rows);
    sb_owner_close(&f->owner);
    snprintf(path, sizeof(path), "%s/controller.lock", f->dir);
    unlink(path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void
put(struct fixture *f, uint64_t dpid, uint32_t port)
{
    struct sb_flow row = {.dpid = dpid, .in_port = port};
    int64_t slot = sb_find(f->flow, &row);

    if (slot >= 0)
        return;
    slot = sb_put(f->flow, &row);
    assert_true(slot >= 0);
    ctl_rows_add(f->rows, dpid, slot);
}

/* A walk meets each row of the switch exactly once. */
static void
check(struct fixture *f, uint64_t dpid)
{
    uint8_t *met = calloc(sb_table_slots(f->flow), 1);
    unsigned walked = 0, there = 0;

    assert_non_null(met);
    for (int64_t slot = -1; (slot = ctl_rows_next(f->rows, f->flow, dpid, slot)) >= 0; walked++) {
        assert_true(slot < sb_table_slots(f->flow));
        assert_false(met[slot]);
        met[slot] = 1;
        assert_int_equal(((const struct sb_flow *)sb_peek(f->flow, slot))->dpid, dpid);
    }
    for (int64_t slot = -1; (slot = sb_next(f->flow, slot)) >= 0;)
        there += ((const struct sb_flow *)sb_peek(f->flow, slot))->dpid == dpid;
    assert_int_equal(walked, there);
    free(met);
}

static void
as_a_plain_list(void **state)
{
    struct fixture *f = *state;

    srandom(1);
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t dpid = (uint64_t)random() % SWITCHES + 1;
        uint32_t port = (uint32_t)random() % 40;
        struct sb_flow row = {.dpid = dpid, .in_port = port};

        if (random() % 3 != 0)
            put(f, dpid, port); /* the table is too small for all: it evicts */
        else
            sb_remove(f->flow, sb_find(f->flow, &row));
        if (i % 16 == 0)
            check(f, (uint64_t)random() % SWITCHES + 1);
    }
    for (uint64_t dpid = 1; dpid <= SWITCHES; dpid++)
        check(f, dpid);
}

/* The inner walk removes rows, also the one at which the outer stands. */
static void
walks_within_walks(void **state)
{
    struct fixture *f = *state;
    unsigned outer = 0;

    for (uint32_t port = 0; port < 40; port++)
        put(f, 1, port);
    put(f, 2, 1);
    for (int64_t slot = -1; (slot = ctl_rows_next(f->rows, f->flow, 1, slot)) >= 0; outer++) {
        uint32_t tens = ((const struct sb_flow *)sb_peek(f->flow, slot))->in_port / 10;

        for (int64_t other = -1; (other = ctl_rows_next(f->rows, f->flow, 1, other)) >= 0;)
            if (((const struct sb_flow *)sb_peek(f->flow, other))->in_port / 10 == tens)
                sb_remove(f->flow, other);
        check(f, 1); /* which takes what went off the chain */
    }
    assert_int_equal(outer, 4);
    assert_true(ctl_rows_next(f->rows, f->flow, 1, -1) < 0);
    assert_true(ctl_rows_next(f->rows, f->flow, 2, -1) >= 0);
}

/* A slot that goes to another switch while a walk stands on it. */
static void
place_taken(void **state)
{
    struct fixture *f = *state;
    unsigned walked = 0;

    for (uint32_t port = 0; port < 8; port++)
        put(f, 1, port);
    for (int64_t slot = -1; (slot = ctl_rows_next(f->rows, f->flow, 1, slot)) >= 0; walked++) {
        sb_remove(f->flow, slot);
        ctl_rows_add(f->rows, 2, slot);
    }
    assert_int_equal(walked, 8);
    assert_true(ctl_rows_next(f->rows, f->flow, 2, -1) < 0);
}

/* The same, with other rows on the chain that it went to: they stay on it. */
static void
place_taken_on_a_long_chain(void **state)
{
    struct fixture *f = *state;
    struct sb_flow key = {.dpid = 1, .in_port = 3};
    unsigned walked = 0;

    for (uint32_t port = 0; port < 8; port++) {
        put(f, 1, port);
        put(f, 2, port);
    }
    for (int64_t slot = -1; (slot = ctl_rows_next(f->rows, f->flow, 1, slot)) >= 0; walked++) {
        if (slot != sb_find(f->flow, &key))
            continue;
        /* rows are put until one takes the place, as when a table evicts */
        sb_remove(f->flow, slot);
        for (uint32_t port = 100; sb_peek(f->flow, slot) == NULL; port++) {
            struct sb_flow row = {.dpid = 2, .in_port = port};
            int64_t victim;

            if (sb_slot_for(f->flow, sb_hash(f->flow, &row), &victim) == slot)
                put(f, 2, port);
        }
    }
    assert_in_range(walked, 8, 15); /* from the start again: some are met twice */
    check(f, 1);
    check(f, 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(as_a_plain_list),
        TEST(walks_within_walks),
        TEST(place_taken),
        TEST(place_taken_on_a_long_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
