/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_step.c - a writer stopped at every single instruction.
 *
 * A child makes inserts, updates, removes, evictions and ring records under ptrace. After each
 * instruction memory is what it would be had the child been killed there, and the parent checks it
 * twice: as a reader sees it, and as the next owner would adopt it (on a copy).
 */
#include "statebus_fixture.h"
#include "table.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY 12
#define RING 8

static struct sb_mac
mac_row(uint64_t n, uint64_t version)
{
    struct sb_mac row = {.dpid = n, .last_ns = version, .first_ns = n * 77 + version};

    row.port = (uint32_t)(n + version * 3);
    row.moves = (uint32_t)(n * version);
    return row;
}

static struct sb_event
event_row(uint64_t n)
{
    struct sb_event row = {.t_ns = n, .dpid = n * 3, .port = (uint32_t)n};

    memset(row.text, (int)('a' + n % 26), sizeof row.text);
    return row;
}

static void
child_writes(struct sb_owner *owner)
{
    struct sb_table *mac = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_table *ring = sb_owner_table(owner, SB_T_event, 0);
    uint64_t version = 1;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (uint64_t n = 0; n < 3 * CAPACITY; n++) {
        struct sb_mac row = mac_row(n, version++);
        struct sb_event event = event_row(n);
        int64_t slot = sb_put(mac, &row); /* evicts, from CAPACITY on */

        row = mac_row(n, version++);
        sb_write(mac, slot, &row);
        row = mac_row(n, version++);
        sb_put(mac, &row);
        if (n % 3 == 0) {
            sb_remove(mac, slot);
            row = mac_row(n, version++);
            sb_put(mac, &row);
        }
        sb_append(ring, &event);
    }
    _exit(0);
}

static void
check_as_reader(struct sb_reader *reader)
{
    uint64_t cursor = 0, rows = 0, seen = 0;
    struct sb_mac row, found;
    struct sb_event event;

    while (sb_read(reader, SB_T_mac, &cursor, &row) == 1) {
        struct sb_mac whole = mac_row(row.dpid, row.last_ns);

        assert_memory_equal(&row, &whole, sizeof row);
        assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &found), 1);
        assert_memory_equal(&found, &row, sizeof row);
        assert_false(seen >> row.dpid & 1); /* no key twice */
        seen |= UINT64_C(1) << row.dpid;
        rows++;
    }
    assert_true(rows <= CAPACITY);
    for (cursor = 0; sb_read(reader, SB_T_event, &cursor, &event) == 1;) {
        struct sb_event whole = event_row(event.t_ns);

        assert_memory_equal(&event, &whole, sizeof event);
    }
}

/* The record that is being overwritten, which a reader is just looking at. */
static void
check_oldest_record(const struct sb_map *map)
{
    int index = sb_map_find(map, SB_T_event);
    const struct sb_shard *shard = sb_map_shard(map, index, 0);
    struct sb_event event;

    if (shard->head >= RING &&
        sb_ring_read(&map->dir[index], shard, shard->head - RING, &event) == 1) {
        struct sb_event whole = event_row(shard->head - RING);

        assert_memory_equal(&event, &whole, sizeof event);
    }
}

static void
check_as_owner(const struct sb_map *map, uint8_t *copy)
{
    struct sb_map copied = *map;
    struct sb_table table;

    memcpy(copy, map->base, map->size);
    copied.base = copy;
    copied.header = (struct sb_header *)copy;
    sb_table_init(&table, &copied, sb_map_find(map, SB_T_mac), 0);
    assert_int_equal(sb_table_adopt(&table), 0);
    assert_true(table.rows <= CAPACITY);
    for (int64_t slot = sb_next(&table, -1); slot >= 0; slot = sb_next(&table, slot))
        assert_int_equal(sb_find(&table, sb_peek(&table, slot)), slot);
    sb_table_init(&table, &copied, sb_map_find(map, SB_T_event), 0);
    assert_int_equal(sb_ring_adopt(&table), 0);
}

static void
every_instruction_leaves_it_whole(void **state)
{
    struct sb_owner_table tables[] = {{SB_T_mac, CAPACITY, 1}, {SB_T_event, RING, 1}};
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "step",
        .tables = tables,
        .n_tables = 2,
        .no_publish = true,
    };
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner = NULL;
    struct sb_reader *reader;
    uint64_t steps = 0, last = 0;
    struct sb_map map;
    uint8_t *copy;
    int status;
    pid_t pid;

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* stepping through the sanitizer itself takes minutes, and there is one thread here */
#endif
    assert_int_equal(sb_owner_open(&owner, &config, message), SB_OK);
    reader = fixture_reader("step");
    assert_int_equal(sb_map_open(&map, fixture_instance(), "step", false, message), SB_OK);
    copy = aligned_alloc(4096, (map.size + 4095) / 4096 * 4096);
    assert_non_null(copy);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_writes(owner);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    /* fails without ptrace: the first step then notices */
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL);
    for (;;) {
        uint64_t sum = 0;

        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 && steps == 0) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            skip(); /* no ptrace in this container */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
            break;
        assert_int_equal(WSTOPSIG(status), SIGTRAP);
        steps++;
        /* only where something changed, hints and counters included */
        for (uint64_t i = 0; i < map.size / 8; i++)
            sum = sum * 31 + ((const uint64_t *)map.base)[i];
        if (sum == last)
            continue;
        last = sum;
        check_as_reader(reader);
        check_oldest_record(&map);
        check_as_owner(&map, copy);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_message("%llu instructions\n", (unsigned long long)steps);
    assert_true(steps > 10000);
    free(copy);
    sb_map_close(&map);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_instruction_leaves_it_whole, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
