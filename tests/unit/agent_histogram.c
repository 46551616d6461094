/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_histogram.c - the error bound of quantiles, against sorted values.
 */
#include "histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int
compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double
error_of(uint64_t got, uint64_t truth)
{
    double error = (double)got - (double)truth;

    return truth == 0 ? error : (error < 0 ? -error : error) / (double)truth;
}

/* Every value alone in its bucket, with a small and a large one so that the bounds do not help. */
static void
every_bucket(void **state)
{
    static struct ag_histogram histogram;

    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << AG_HISTOGRAM_BITS; value += 1 + value / 97) {
        ag_histogram_clear(&histogram);
        ag_histogram_add(&histogram, 0);
        ag_histogram_add(&histogram, value);
        ag_histogram_add(&histogram, UINT64_MAX);
        assert_true(error_of(ag_histogram_quantile(&histogram, 0.5), value) < 0.008);
    }
}

static void
quantiles_of_many(void **state)
{
    static struct ag_histogram histogram;
    static const double qs[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    enum { N = 100000 };
    uint64_t *values = malloc(N * sizeof(*values));

    (void)state;
    assert_non_null(values);
    srandom(3);
    ag_histogram_clear(&histogram);
    for (unsigned i = 0; i < N; i++) {
        values[i] = (uint64_t)random() >> (random() % 31); /* all magnitudes */
        ag_histogram_add(&histogram, values[i]);
    }
    qsort(values, N, sizeof(*values), compare);
    for (unsigned i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
        uint64_t truth = values[(size_t)(qs[i] * N + 0.5) - 1];

        assert_true(error_of(ag_histogram_quantile(&histogram, qs[i]), truth) < 0.008);
    }
    free(values);
}

static void
bounds(void **state)
{
    static struct ag_histogram histogram;

    (void)state;
    ag_histogram_clear(&histogram);
    assert_int_equal(ag_histogram_quantile(&histogram, 0.5), 0);
    ag_histogram_add(&histogram, 1000003);
    /* One value: every quantile is it, exactly. */
    assert_int_equal(ag_histogram_quantile(&histogram, 0), 1000003);
    assert_int_equal(ag_histogram_quantile(&histogram, 0.5), 1000003);
    assert_int_equal(ag_histogram_quantile(&histogram, 1), 1000003);
    ag_histogram_clear(&histogram);
    ag_histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(ag_histogram_quantile(&histogram, 0.5), UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bucket),
        cmocka_unit_test(quantiles_of_many),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests_name("agent_histogram", tests, NULL, NULL);
}
