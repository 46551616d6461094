/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_mirror.c - the mirror against a plain array: random rows, and slots that are right,
 * wrong or out of range, which may cost time but nothing else.
 */
#include "statebus_fixture.h"
#include "mirror.h"
#include <stdlib.h>
#include <string.h>

#define KEYS 3000
#define SLOTS 1000

struct row {
    uint64_t key[2], value;
};

struct model {
    struct sb_mirror *mirror;
    struct row rows[KEYS];
    bool present[KEYS], seen[KEYS];
    size_t n;
    uint64_t seed;
};

static uint64_t
slot_for(struct model *model, uint64_t key)
{
    uint64_t kind = fixture_random(&model->seed) % 4;

    return kind < 2 ? key : kind == 2 ? fixture_random(&model->seed) % SLOTS : UINT64_MAX;
}

/* Looks the key up, compares with the model, and then does as `want` says. */
static void
set(struct model *model, uint64_t key, bool want)
{
    struct row row = {.key = {key, key * 7}, .value = fixture_random(&model->seed)};
    uint64_t slot = slot_for(model, key), hash = 0;
    struct row *known = sb_mirror_find(model->mirror, slot, &row, &hash);

    assert_int_equal(known != NULL, model->present[key]);
    if (known)
        assert_memory_equal(known, &model->rows[key], sizeof row);
    if (want && known)
        *known = row;
    else if (want)
        assert_true(sb_mirror_insert(model->mirror, slot, &row, hash));
    else if (known)
        sb_mirror_remove(model->mirror, known);
    model->n += (size_t)want - (size_t)model->present[key];
    model->rows[key] = row;
    model->present[key] = model->seen[key] = want;
    assert_int_equal(sb_mirror_rows(model->mirror), model->n);
}

static void
a_mirror_holds_what_was_put(void **state)
{
    struct model *model = calloc(1, sizeof *model);
    struct row row;

    (void)state;
    assert_non_null(model);
    model->mirror = sb_mirror_new(sizeof row.key, sizeof row);
    assert_non_null(model->mirror);
    for (int round = 0; round < 20; round++) {
        if (round % 5 == 0) /* the owner's table has another size now; at first there is none */
            sb_mirror_expect(model->mirror, (uint64_t)round * SLOTS / 5, (uint64_t)round * 200);
        for (int i = 0; i < 20000; i++)
            set(model, fixture_random(&model->seed) % KEYS, fixture_random(&model->seed) % 3 != 0);
        /* a re-read that sees some of the rows: the others are stale, each once */
        sb_mirror_round(model->mirror);
        memset(model->seen, 0, sizeof model->seen);
        for (int i = 0; i < 2000; i++)
            set(model, fixture_random(&model->seed) % KEYS, true);
        while (sb_mirror_stale(model->mirror, &row)) {
            assert_in_range(row.key[0], 0, KEYS - 1);
            assert_true(model->present[row.key[0]] && !model->seen[row.key[0]]);
            assert_memory_equal(&row, &model->rows[row.key[0]], sizeof row);
            model->present[row.key[0]] = false;
            model->n--;
        }
        for (int key = 0; key < KEYS; key++)
            assert_int_equal(model->present[key], model->seen[key]);
        assert_int_equal(sb_mirror_rows(model->mirror), model->n);
    }
    sb_mirror_destroy(&model->mirror);
    free(model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_mirror_holds_what_was_put)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
