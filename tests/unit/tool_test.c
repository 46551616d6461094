/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_test.c - cells and aligned tables of statebus(8) for rows that need more than digits.
 * Neighbours: statebus/tool_text.c. Threads: one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <trivet/clock.h>
#include "../../statebus/tool.h"

static const char *
cell(enum sb_table_id id, const char *name, const void *row)
{
    static char text[CELL_MAX];
    const struct sb_table_info *info = sb_table_info(id);

    for (unsigned i = 0; i < info->n_columns; i++) {
        if (!strcmp(info->columns[i].name, name)) {
            cell_text(id, &info->columns[i], row, text);
            return text;
        }
    }
    fail_msg("%s has no column %s", info->name, name);
    return "";
}

static void
test_flow(void **state)
{
    struct sb_flow flow = {.dpid = 1,
                           .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_TYPE | SB_MATCH_IP_SRC,
                           .in_port = 0xfffffffe,
                           .eth_type = 0x0800,
                           .priority = 0,
                           .output = 0xfffffffd,
                           .ip_src = {[10] = 0xff, 0xff, 10, 0, 0, 1},
                           .ip_dst = {[10] = 0xff, 0xff, 10, 0, 0, 2},
                           .policy = SB_policy_ROUND_ROBIN};

    (void)state;
    assert_string_equal(cell(SB_T_flow, "dpid", &flow), "0000000000000001");
    assert_string_equal(cell(SB_T_flow, "in_port", &flow), "local");
    assert_string_equal(cell(SB_T_flow, "eth_type", &flow), "ip");
    assert_string_equal(cell(SB_T_flow, "ip_src", &flow), "10.0.0.1");
    assert_string_equal(cell(SB_T_flow, "ip_dst", &flow), ""); /* does not count */
    assert_string_equal(cell(SB_T_flow, "eth_dst", &flow), "");
    assert_string_equal(cell(SB_T_flow, "l4_src", &flow), "");
    assert_string_equal(cell(SB_T_flow, "priority", &flow), "0");
    assert_string_equal(cell(SB_T_flow, "output", &flow), "controller");
    assert_string_equal(cell(SB_T_flow, "group", &flow), "");
    assert_string_equal(cell(SB_T_flow, "policy", &flow), "round-robin");
    assert_string_equal(cell(SB_T_flow, "cookie", &flow), "");
    flow.output = 7;
    flow.eth_type = 0x1234;
    flow.policy = 200; /* not a number of the enumeration */
    assert_string_equal(cell(SB_T_flow, "output", &flow), "7");
    assert_string_equal(cell(SB_T_flow, "eth_type", &flow), "0x1234");
    assert_string_equal(cell(SB_T_flow, "policy", &flow), "?");
}

static void
test_times(void **state)
{
    struct sb_latency row = {.rtt_min_ns = -5,
                             .rtt_p50_ns = 1500,
                             .rtt_p99_ns = 2345678,
                             .rtt_max_ns = 3 * (int64_t)SB_SECOND,
                             .start_ns = UINT64_C(1700000000) * SB_SECOND + 42 * SB_MS};
    struct sb_agent agent = {.interval_ns = 500000000};

    (void)state;
    assert_string_equal(cell(SB_T_latency, "rtt_min_ns", &row), "-5 ns");
    assert_string_equal(cell(SB_T_latency, "rtt_p50_ns", &row), "1.5 us");
    assert_string_equal(cell(SB_T_latency, "rtt_p99_ns", &row), "2.346 ms");
    assert_string_equal(cell(SB_T_latency, "rtt_max_ns", &row), "3.000 s");
    assert_string_equal(cell(SB_T_latency, "rtt_mean_ns", &row), "0 ns");
    assert_string_equal(cell(SB_T_latency, "start_ns", &row), "22:13:20.042"); /* TZ=UTC */
    assert_string_equal(cell(SB_T_agent, "interval_ns", &agent), "500.000 ms");
    assert_string_equal(cell(SB_T_agent, "last_ns", &agent), ""); /* never */
}

/* What a peer calls itself cannot command the terminal. */
static void
test_hostile_text(void **state)
{
    struct sb_agent agent = {0};

    (void)state;
    memcpy(agent.name, "\x1b[2Jh1\xc2\x9b\n", 10);
    assert_string_equal(cell(SB_T_agent, "name", &agent), "?[2Jh1???");
    memset(agent.name, 'x', sizeof agent.name); /* no NUL */
    assert_int_equal(strlen(cell(SB_T_agent, "name", &agent)), sizeof agent.name);
}

/* Every chosen column exists, and any bytes of any table make cells. */
static void
test_all_tables(void **state)
{
    static const unsigned wide[SB_T_COUNT] = {
        [SB_T_switch] = 9, [SB_T_port] = 14,     [SB_T_link] = 9,    [SB_T_host] = 8,
        [SB_T_flow] = 19,  [SB_T_decision] = 11, [SB_T_agent] = 9,   [SB_T_latency] = 13,
        [SB_T_sample] = 8, [SB_T_observed] = 14, [SB_T_verdict] = 7, [SB_T_service] = 5,
        [SB_T_event] = 6,  [SB_T_installed] = 17};

    (void)state;
    for (int i = 0; i < SB_T_COUNT; i++) {
        enum sb_table_id id = (enum sb_table_id)i;
        struct text_column columns[SB_COLUMNS_MAX];
        unsigned n = text_columns(id, false, columns);
        uint8_t row[1024];

        assert_int_equal(text_columns(id, true, columns), sb_table_info(id)->n_columns);
        n = text_columns(id, false, columns);
        assert_int_equal(n, wide[id] ? wide[id] : sb_table_info(id)->n_columns);
        for (int byte = 0; byte < 256; byte++) {
            memset(row, byte, sizeof row);
            for (unsigned c = 0; c < n; c++) {
                char text[CELL_MAX];

                memset(text, 1, sizeof text);
                cell_text(id, columns[c].column, row, text);
                assert_true(memchr(text, 0, sizeof text) != NULL);
            }
        }
    }
}

/* What grid_print() writes to standard output; into ret. */
static void
printed(const struct grid *grid, size_t limit, char *ret, size_t size)
{
    int fds[2], saved;
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    grid_print(grid, limit);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    n = read(fds[0], ret, size - 1);
    close(fds[0]);
    close(fds[1]);
    assert_true(n > 0);
    ret[n] = 0;
}

static void
test_grid(void **state)
{
    static const char *const cells[][4] = {
        {"name", "n", "blank", "end"}, {"a", "1000", "", ""}, {"", "7", "", "x"}};
    struct grid *grid = grid_new(4);
    char output[256];

    (void)state;
    for (int i = 0; i < 12; i++)
        assert_true(grid_add(grid, cells[i / 4][i % 4], i % 4 == 1));
    printed(grid, 0, output, sizeof output);
    grid_free(&grid);
    assert_null(grid);
    assert_string_equal(output, "name     n  end\n"
                                "a     1000\n"
                                "         7  x\n");
}

/* The column that the table is for stays, wherever it stands, and has what the others leave. */
static void
test_first_column(void **state)
{
    static const char *const cells[][4] = {
        {"when", "text", "kind", "where"},
        {"12:00:00", "0123456789abcdefghijklmnopqrstuvwxyz0123456789", "link-down", "s1"}};
    static const struct {
        size_t limit;
        const char *line;
    } cases[] = {
        {0, "12:00:00  0123456789abcdefghijklmnopqrstuvwxyz0123456789  link-down  s1\n"},
        {80, "12:00:00  0123456789abcdefghijklmnopqrstuvwxyz0123456789  link-down  s1\n"},
        {64, "12:00:00  0123456789abcdefghijklmnopqrstuvwxyz012345~  link-down\n"},
        {52, "12:00:00  0123456789abcdefghijklmnopqrst~  link-down\n"},
        {50, "12:00:00  0123456789abcdefghijklmnopqrstuv~  s1\n"},
        {34, "12:00:00  0123456789abcdefghijklm~\n"},
        {20, "0123456789ab~  s1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grid *grid = grid_new(4);
        char output[512];

        for (int c = 0; c < 8; c++)
            assert_true(grid_add(grid, cells[c / 4][c % 4], false));
        grid_first(grid, 1);
        printed(grid, cases[i].limit, output, sizeof output);
        grid_free(&grid);
        assert_non_null(strchr(output, '\n'));
        print_message("%zu: %s", cases[i].limit, strchr(output, '\n') + 1);
        assert_true(cases[i].limit == 0 || strlen(strchr(output, '\n') + 1) <= cases[i].limit + 1);
        assert_string_equal(strchr(output, '\n') + 1, cases[i].line);
    }
}

/* Of a whole event the text is there, on 80 columns and with the owner in front. */
static void
test_event(void **state)
{
    struct text_column columns[SB_COLUMNS_MAX];
    unsigned n = text_columns(SB_T_event, false, columns), first = 0;

    (void)state;
    for (unsigned i = 0; i < n; i++)
        first += columns[i].first && !strcmp(columns[i].column->name, "text") &&
                 !strcmp(columns[i].heading, "text");
    assert_int_equal(first, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow),         cmocka_unit_test(test_times),
        cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_all_tables),
        cmocka_unit_test(test_grid),         cmocka_unit_test(test_first_column),
        cmocka_unit_test(test_event),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests_name("tool", tests, NULL, NULL);
}
