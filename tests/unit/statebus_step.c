/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_step.c - a writer stopped at every single instruction, and killed at many.
 *
 * A child runs a script of inserts, updates, removes, evictions and ring records under ptrace, one
 * instruction at a time. What kill -9 leaves behind is the shared memory as it was between two
 * instructions, and nothing else of the writer; a trap after each instruction shows just that
 * memory. So wherever an instruction changed it, the parent checks what a reader sees, and lets
 * another owner adopt a copy and write on. That the copy is as good as a kill is shown by the
 * second test, which kills for real (SIGKILL, locks released by the kernel, the segment opened by
 * name) after a random number of instructions of a random operation, many times over. Between them
 * a third one watches the order: no change is told to the main thread before it is made.
 *
 * Every row follows from its key and its version, so that one byte of another version shows.
 */
#include "statebus_fixture.h"
#include "reader.h"
#include "table.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY 12
#define RING 8
#define KEYS (3 * CAPACITY)
#define SLOTS_MAX 64

enum op { PUT, WRITE, AMEND, REMOVE, APPEND };

struct step {
    enum op op;
    uint64_t n; /* key */
};

/* What the child is at; shared. Operations are counted from 1, and the number is the version of the
 * row that the operation writes. */
struct progress {
    uint64_t started, done;
};

/* Of each key its version, 0: not there. */
struct rows {
    uint64_t version[KEYS];
    uint64_t n;
};

/* What the parent knows while the child runs. */
struct watcher {
    struct sb_reader *reader;
    struct sb_map map;            /* of the same segment, to copy it */
    uint8_t *copy;                /* owned; as large as the segment */
    struct rows before;           /* when the last operation ended */
    uint64_t done;                /* operations that had ended then */
    uint64_t records;             /* of the ring, written then */
    uint64_t seen_seq[SLOTS_MAX]; /* of each slot of mac: the highest sequence ever published */
    bool seen_new;                /* the row of the operation under way was seen */
};

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

    memset(row.text, (int)('a' + n % 26), sizeof row.text - 1);
    return row;
}

/* Operation k, or false at the end: each key is put, updated twice (some amended), each third
 * removed and put again, and each sixth removed for good; from CAPACITY rows on a put evicts. */
static bool
script(uint64_t k, struct step *ret)
{
    static const enum op ops[] = {PUT, WRITE, PUT, REMOVE, PUT, REMOVE, APPEND};
    uint64_t n = (k - 1) / 7, i = (k - 1) % 7;

    if (n >= KEYS)
        return false;
    *ret = (struct step){.op = ops[i], .n = n};
    if (((i == 3 || i == 4) && n % 3 != 0) || (i == 5 && n % 6 != 0))
        ret->op = (n + i) % 2 == 0 ? AMEND : WRITE;
    return true;
}

static void
run(struct sb_owner *owner, const struct step *step, uint64_t version)
{
    struct sb_table *mac = sb_owner_table(owner, SB_T_mac, 0);
    struct sb_table *ring = sb_owner_table(owner, SB_T_event, 0);
    struct sb_mac row = mac_row(step->n, version);
    struct sb_event event;

    switch (step->op) {
    case PUT:
        sb_put(mac, &row);
        break;
    case WRITE:
        sb_write(mac, sb_find(mac, &row), &row);
        break;
    case AMEND:
        sb_amend(mac, sb_find(mac, &row), &row);
        break;
    case REMOVE:
        sb_remove(mac, sb_find(mac, &row));
        break;
    case APPEND:
        event = event_row(sb_load(&ring->shard->head));
        sb_append(ring, &event);
        break;
    }
}

static struct sb_owner *
open_owner(void)
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

    if (sb_owner_open(&owner, &config, message) < 0)
        fail_msg("%s", message);
    return owner;
}

/* The writing child: its own owner, stopped before operation `first`. */
static void
child_writes(struct progress *progress, uint64_t first)
{
    struct sb_owner *owner = open_owner();
    struct step step;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    for (uint64_t k = first; script(k, &step); k++) {
        sb_store_release(&progress->started, k);
        run(owner, &step, k);
        sb_store_release(&progress->done, k);
    }
    _exit(0);
}

/* Starts the child and waits for its stop. Skips the test where ptrace is not allowed. */
static pid_t
start_child(struct progress *progress, uint64_t first)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        child_writes(progress, first);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL) < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        skip(); /* no ptrace in this container */
    }
    return pid;
}

/* One instruction. False: the child has ended. */
static bool
step_child(pid_t pid)
{
    int status;

    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
        fail_msg("ptrace: single step");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSTOPPED(status)) {
        assert_int_equal(WSTOPSIG(status), SIGTRAP);
        return true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

/* ---- as a reader sees it ---------------------------------------------------------- */

static struct rows
read_rows(struct sb_reader *reader)
{
    struct rows rows = {.n = 0};
    struct sb_mac row, found;
    uint64_t cursor = 0;
    int got;

    while ((got = sb_read(reader, SB_T_mac, &cursor, &row)) != 0) {
        struct sb_mac whole = mac_row(row.dpid, row.last_ns);

        assert_int_equal(got, 1); /* nobody writes: never busy */
        assert_memory_equal(&row, &whole, sizeof row);
        assert_true(row.dpid < KEYS && row.last_ns > 0);
        assert_int_equal(rows.version[row.dpid], 0); /* no key twice */
        rows.version[row.dpid] = row.last_ns;
        rows.n++;
        assert_int_equal(sb_lookup(reader, SB_T_mac, &row, &found), 1);
        assert_memory_equal(&found, &row, sizeof row);
    }
    assert_true(rows.n <= CAPACITY);
    return rows;
}

/* All that is promised to stand stands, whole and in order. */
static uint64_t
check_ring(const struct sb_map *map)
{
    int index = sb_map_find(map, SB_T_event);
    const struct sb_shard *shard = sb_map_shard(map, index, 0);
    struct sb_event event, whole;
    uint64_t first, head;

    sb_ring_range(&map->dir[index], shard, &first, &head);
    assert_true(head - first == (head < RING ? head : RING - 1));
    for (uint64_t p = first; p < head; p++) {
        assert_int_equal(sb_ring_read(&map->dir[index], shard, p, &event), 1);
        whole = event_row(p);
        assert_memory_equal(&event, &whole, sizeof event);
    }
    /* the oldest one, which may be under the writer's hand: whole or refused */
    if (head >= RING && sb_ring_read(&map->dir[index], shard, head - RING, &event) == 1) {
        whole = event_row(head - RING);
        assert_memory_equal(&event, &whole, sizeof event);
    }
    return head;
}

/* What may differ from the rows before operation k: the row it writes, old or new, never new and
 * then old again; a removed row; and one victim, if it inserts into a full table. */
static void
check_change(struct watcher *w, uint64_t k, const struct rows *now, bool ended)
{
    struct step step;
    uint64_t gone = 0;
    bool inserts;

    assert_true(script(k, &step));
    inserts = step.op == PUT && w->before.version[step.n] == 0;
    for (uint64_t n = 0; n < KEYS; n++) {
        if (n == step.n || now->version[n] == w->before.version[n])
            continue;
        assert_int_equal(now->version[n], 0);
        gone++;
    }
    assert_true(gone <= (uint64_t)(inserts && w->before.n == CAPACITY));
    if (step.op == APPEND ||
        ((step.op == WRITE || step.op == AMEND) && w->before.version[step.n] == 0)) {
        assert_int_equal(now->version[step.n], w->before.version[step.n]);
    } else {
        uint64_t wanted = step.op == REMOVE ? 0 : k;

        if (ended || w->seen_new)
            assert_int_equal(now->version[step.n], wanted);
        else
            assert_true(now->version[step.n] == wanted ||
                        now->version[step.n] == w->before.version[step.n]);
        w->seen_new = now->version[step.n] == wanted && wanted != w->before.version[step.n];
    }
    if (ended && inserts)
        assert_int_equal(now->n, w->before.n == CAPACITY ? CAPACITY : w->before.n + 1);
}

/* ---- as the next owner finds it ------------------------------------------------------ */

/* Sequences of a slot never come back: else a reader that was at it since before the kill could
 * take half of an old and half of a new row for one (record.h). */
static void
check_sequences(const struct sb_table *table, const uint64_t *seen, const uint64_t *at_start)
{
    for (uint32_t i = 0; i < table->n_slots; i++) {
        uint64_t word = sb_table_slot(table, i)->word;

        if (word != 0 && word != at_start[i])
            assert_true(word >> 1 > seen[i]);
    }
}

/* The adopted table takes updates, evicting inserts and removes like any other, and is empty at the
 * end: nothing leaked, nothing doubled. */
static void
write_on(struct sb_table *table, const struct rows *rows, const uint64_t *seen)
{
    uint64_t at_start[SLOTS_MAX], version = 100000;
    struct sb_mac row;

    assert_true(table->n_slots <= SLOTS_MAX);
    for (uint32_t i = 0; i < table->n_slots; i++)
        at_start[i] = sb_table_slot(table, i)->word;
    for (uint64_t n = 0; n < KEYS; n++) {
        if (rows->version[n] == 0)
            continue;
        row = mac_row(n, version++);
        assert_true(sb_put(table, &row) >= 0);
        assert_memory_equal(sb_peek(table, sb_find(table, &row)), &row, sizeof row);
    }
    assert_int_equal(table->rows, rows->n);
    check_sequences(table, seen, at_start);
    for (uint64_t n = KEYS; n < KEYS + 2 * CAPACITY; n++) {
        uint64_t had = table->rows;

        row = mac_row(n, version++);
        assert_true(sb_put(table, &row) >= 0);
        assert_memory_equal(sb_peek(table, sb_find(table, &row)), &row, sizeof row);
        assert_int_equal(table->rows, had < CAPACITY ? had + 1 : CAPACITY);
        check_sequences(table, seen, at_start);
    }
    for (int64_t slot; (slot = sb_next(table, -1)) >= 0;)
        assert_int_equal(sb_remove(table, slot), SB_OK);
    assert_int_equal(table->rows, 0);
    assert_int_equal(table->shard->rows, 0);
    for (uint32_t i = 0; i < table->n_slots; i++) {
        assert_int_equal(sb_table_slot(table, i)->word, 0);
        assert_int_equal(table->buckets[i / SB_BUCKET].tags[i % SB_BUCKET], 0);
    }
}

static void
check_as_owner(const struct watcher *w, const struct rows *rows, uint64_t head)
{
    struct sb_map copied = w->map;
    struct sb_event event = event_row(0);
    struct sb_table table;
    uint64_t n = 0;

    memcpy(w->copy, w->map.base, w->map.size);
    copied.base = w->copy;
    copied.header = (struct sb_header *)w->copy;
    sb_table_init(&table, &copied, sb_map_find(&w->map, SB_T_mac), 0);
    assert_int_equal(sb_table_adopt(&table), 0); /* nothing is dropped ... */
    for (int64_t slot = sb_next(&table, -1); slot >= 0; slot = sb_next(&table, slot), n++) {
        const struct sb_mac *row = sb_peek(&table, slot);

        assert_int_equal(sb_find(&table, row), slot);
        assert_int_equal(rows->version[row->dpid], row->last_ns); /* ... nor turned up */
    }
    assert_int_equal(n, rows->n);
    assert_int_equal(table.rows, rows->n);
    write_on(&table, rows, w->seen_seq);

    sb_table_init(&table, &copied, sb_map_find(&w->map, SB_T_event), 0);
    assert_int_equal(sb_ring_adopt(&table), 0);
    /* a record that was whole but not counted yet is kept */
    assert_in_range(table.head, head, head + 1);
    check_ring(&copied);
    for (unsigned i = 0; i < RING + 1; i++) {
        event = event_row(table.head);
        sb_append(&table, &event);
        check_ring(&copied);
    }
}

/* ---- every instruction ------------------------------------------------------------------ */

static void
note_sequences(struct watcher *w)
{
    struct sb_table table;

    sb_table_init(&table, &w->map, sb_map_find(&w->map, SB_T_mac), 0);
    for (uint32_t i = 0; i < table.n_slots; i++) {
        uint64_t seq = sb_table_slot(&table, i)->word >> 1;

        if (seq > w->seen_seq[i])
            w->seen_seq[i] = seq;
    }
}

static void
check_all(struct watcher *w, const struct progress *progress)
{
    uint64_t started = progress->started, done = progress->done;
    struct rows now = read_rows(w->reader);
    uint64_t head = check_ring(&w->map);
    struct step step;

    note_sequences(w);
    if (done == w->done + 1) { /* it has just ended */
        check_change(w, done, &now, true);
        assert_true(script(done, &step));
        assert_int_equal(head, w->records + (step.op == APPEND));
        w->before = now;
        w->records = head;
        w->done = done;
        w->seen_new = false;
    } else if (started > done) {
        check_change(w, started, &now, false);
        assert_in_range(head, w->records, w->records + 1);
    }
    check_as_owner(w, &now, head);
}

static void
open_watcher(struct watcher *w)
{
    char message[SB_MESSAGE_MAX];

    memset(w, 0, sizeof *w);
    w->reader = fixture_reader("step");
    assert_int_equal(sb_map_open(&w->map, fixture_instance(), "step", false, message), SB_OK);
    w->copy = aligned_alloc(4096, (w->map.size + 4095) / 4096 * 4096);
    assert_non_null(w->copy);
}

static void
close_watcher(struct watcher *w)
{
    free(w->copy);
    sb_map_close(&w->map);
    sb_reader_close(&w->reader);
}

static struct progress *
shared_progress(void)
{
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(progress != MAP_FAILED);
    return progress;
}

/* Stepping through what a sanitizer adds takes a minute: the quick tier steps without. (With that
 * of threads it takes hours, and there is one thread here.) */
static bool
can_step(void)
{
#if defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__SANITIZE_ADDRESS__)
    return getenv("TRIVET_FULL") != NULL;
#else
    return true;
#endif
}

static void
every_instruction_leaves_it_whole(void **state)
{
    struct progress *progress = shared_progress();
    uint64_t steps = 0, states = 0, last = 0;
    struct watcher w;
    pid_t pid;

    (void)state;
    if (!can_step())
        skip();
    pid = start_child(progress, 1);
    open_watcher(&w);
    while (step_child(pid)) {
        uint64_t sum = progress->done;

        steps++;
        /* only where something changed, hints and counters included */
        for (uint64_t i = 0; i < w.map.size / 8; i++)
            sum = sum * 31 + ((const uint64_t *)w.map.base)[i];
        if (sum == last)
            continue;
        last = sum;
        states++;
        check_all(&w, progress);
    }
    assert_int_equal(w.done, KEYS * 7);
    assert_int_equal(w.records, KEYS);
    print_message("%llu instructions, %llu states of the segment\n", (unsigned long long)steps,
                  (unsigned long long)states);
    assert_true(states > KEYS * 7 * 5);
    close_watcher(&w);
    munmap(progress, sizeof *progress);
}

/* ---- told only when it is so ----------------------------------------------------------------- */

/* A subscriber that has the number of a change, and reads the table because of it, must find the
 * change made: else it takes the old row for the new state, and nothing tells it better afterwards.
 * So when a change comes into sight of the main thread, which gives it its number, it stands in the
 * segment. The change rings are private memory of the owner. They are made before the fork, so that
 * the child's are where ours are, and are read out of the child. */

static void
peek(pid_t pid, void *ret, const void *address, size_t size)
{
    struct iovec local = {ret, size}, remote = {(void *)(uintptr_t)address, size};

    assert_int_equal(process_vm_readv(pid, &local, 1, &remote, 1, 0), size);
}

/* The changes that came into sight since `seen`: each one's row is as it says. */
static uint64_t
check_told(pid_t pid, const struct sb_table *table, uint64_t seen, struct sb_reader *reader)
{
    struct sb_changes ring;
    uint64_t row[256], told[256];

    peek(pid, &ring, table->changes, sizeof ring);
    assert_true(ring.tail - seen <= 1); /* they come one by one */
    for (; seen < ring.tail; seen++) {
        struct sb_change_entry entry;

        if (ring.entries == NULL) { /* a log, which has it in order; the publisher reads it there */
            uint64_t position = seen, lost = 0;

            assert_int_equal(sb_reader_next(reader, table->id, 0, &position, told, &lost), 1);
            assert_int_equal(lost, 0);
            continue;
        }
        assert_true(ring.row_size <= sizeof row);
        peek(pid, &entry, &ring.entries[seen & ring.mask], sizeof entry);
        if (entry.word == 0) { /* removed */
            peek(pid, row, sb_changes_removed(&ring, seen), ring.row_size);
            assert_int_equal(sb_lookup(reader, table->id, row, told), 0);
        } else {
            const struct sb_slot *slot = sb_table_slot(table, entry.slot);

            assert_int_equal(slot->word, entry.word);
            sb_table_copy(table, slot, row);
            assert_int_equal(sb_lookup(reader, table->id, row, told), 1);
            assert_memory_equal(told, row, ring.row_size);
        }
    }
    return ring.tail;
}

static void
a_change_is_told_when_it_is_made(void **state)
{
    struct progress *progress;
    struct sb_owner *owner;
    struct sb_table *tables[2];
    struct sb_waker waker = {.fd = -1};
    struct sb_reader *reader;
    uint64_t seen[2] = {0}, tails[2];
    struct step step;
    int status;
    pid_t pid;

    (void)state;
    if (!can_step())
        skip();
    progress = shared_progress();
    owner = open_owner(); /* the child goes on with it: no ZeroMQ, no threads */
    reader = fixture_reader("step");
    tables[0] = sb_owner_table(owner, SB_T_mac, 0);
    tables[1] = sb_owner_table(owner, SB_T_event, 0);
    for (int i = 0; i < 2; i++) {
        bool log = tables[i]->info->kind == SB_RING;

        tables[i]->changes = sb_changes_new(log ? tables[i]->n_slots : 4096,
                                            tables[i]->info->row_size, log, 0, &waker);
        assert_non_null(tables[i]->changes);
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        for (uint64_t k = 1; script(k, &step); k++) {
            run(owner, &step, k);
            progress->done = k;
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL) < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        skip();
    }
    while (step_child(pid)) {
        if (progress->done == KEYS * 7)
            continue; /* it ends, and its memory with it */
        for (int i = 0; i < 2; i++) {
            peek(pid, &tails[i], &tables[i]->changes->tail, sizeof tails[i]);
            if (tails[i] != seen[i])
                seen[i] = check_told(pid, tables[i], seen[i], reader);
        }
    }
    /* puts, updates, removals, and evictions, which are removals, too */
    assert_true(seen[0] > KEYS * 5);
    assert_int_equal(seen[1], KEYS);
    print_message("%llu changes\n", (unsigned long long)(seen[0] + seen[1]));
    sb_reader_close(&reader);
    sb_owner_close(&owner);
    munmap(progress, sizeof *progress);
}

/* ---- killed for real ----------------------------------------------------------------------- */

/* One life: starts at operation `first`, takes `instructions` of them and is killed. */
static void
live_and_die(struct progress *progress, uint64_t first, uint64_t instructions)
{
    pid_t pid = start_child(progress, first);
    bool lives = true;
    int status;

    while (instructions-- > 0 && (lives = step_child(pid)))
        ;
    if (!lives)
        return;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
killed_writers_are_followed_by_others(void **state)
{
    const unsigned rounds = getenv("TRIVET_FULL") ? 2000 : 250;
    struct progress *progress = shared_progress();
    struct sb_owner *owner = open_owner(); /* of the first segment */
    uint64_t seed = 5, first = 1, inside = 0;
    struct watcher w;

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    sb_owner_close(&owner);
    open_watcher(&w);
    for (unsigned round = 0; round < rounds; round++) {
        struct sb_table_stats stats;
        struct sb_table *mac;
        struct rows rows;
        struct step step;

        /* about an operation or two; most of a life is its first 400 instructions */
        live_and_die(progress, first, fixture_random(&seed) % 500);
        inside += progress->started > progress->done;
        rows = read_rows(w.reader);
        check_ring(&w.map);
        note_sequences(&w);

        owner = open_owner();
        assert_true(sb_owner_warm(owner));
        mac = sb_owner_table(owner, SB_T_mac, 0);
        sb_table_stats(mac, &stats);
        assert_int_equal(stats.rows, rows.n);
        for (uint64_t n = 0; n < KEYS; n++) {
            struct sb_mac row = mac_row(n, rows.version[n]);
            int64_t slot = sb_find(mac, &row);

            assert_int_equal(slot >= 0, rows.version[n] != 0);
            if (slot >= 0)
                assert_memory_equal(sb_peek(mac, slot), &row, sizeof row);
        }
        check_as_owner(&w, &rows, sb_load(&sb_owner_table(owner, SB_T_event, 0)->shard->head));
        /* the operation that may have been cut short is run again, then the script goes on */
        first = progress->started > 0 ? progress->started : 1;
        assert_true(script(first, &step));
        if (step.op == PUT)
            run(owner, &step, first);
        assert_true(step.op != PUT || read_rows(w.reader).version[step.n] == first);
        if (!script(++first, &step)) {
            first = 1; /* versions of keys start anew, too: only rows that are whole matter here */
            *progress = (struct progress){0};
        }
        sb_owner_close(&owner);
    }
    print_message("%u kills, %llu of them inside an operation\n", rounds,
                  (unsigned long long)inside);
    assert_true(inside > rounds / 4);
    close_watcher(&w);
    munmap(progress, sizeof *progress);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_instruction_leaves_it_whole, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_change_is_told_when_it_is_made, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(killed_writers_are_followed_by_others, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
