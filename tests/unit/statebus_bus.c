/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bus.c - the bus between processes: deltas over ZeroMQ, late joiners, gaps, dead owners.
 *
 * The test itself never calls ZeroMQ. It starts this program again in two roles and talks to them
 * in lines over pipes.
 *
 * Role "owner NAME" opens that owner. "churn N SEED": its worker threads make N random changes a
 * shard; "fill": one row a table; both answer "content DIGEST ROWS CHANGES". "wake N": N single
 * changes, each made while the main thread sleeps or is about to; answers "woken SLOWEST_NS".
 *
 * Role "subscriber". "sync N": answers "synced" when it is, with N owners. "content DIGEST
 * CHANGES": runs until the content that its callbacks built has that digest and so many changes are
 * accounted for; answers "reached RECEIVED MISSED REREADS RING RING_LOST WRONG".
 *
 * A digest is the sum of the rows' hashes, so it does not depend on their order; the subscriber
 * subtracts the old row that each change brings, so a wrong old row shows as well.
 */
#include "statebus_fixture.h"
#include "reader.h"
#include "record.h"
#include <czmq.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <unistd.h>

#define DEADLINE_MS 20000
#define SHARDS 2
#define TABLES                                                                                     \
    (1u << SB_T_mac | 1u << SB_T_flow | 1u << SB_T_latency | 1u << SB_T_decision | 1u << SB_T_host)

static uint64_t
row_digest(enum sb_table_id id, const void *row)
{
    static const uint64_t seed[2] = {0x1234567, 0x7654321};

    return sb_key_hash(seed, row, sb_table_info(id)->row_size) * (2 * (uint64_t)id + 1);
}

/* ---- lines ---------------------------------------------------------------------- */

/* One line of a pipe, without its end. Returns its length, 0 at the end, -1 at the deadline. */
static int
read_line(int fd, char *ret, size_t size, int ms)
{
    uint64_t end = sb_mono() + (uint64_t)ms * SB_MS;
    size_t n = 0;

    for (;;) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        uint64_t now = sb_mono();

        if (now >= end || poll(&poller, 1, (int)((end - now) / SB_MS) + 1) == 0)
            return -1;
        if (read(fd, ret + n, 1) != 1)
            return 0;
        if (ret[n] == '\n' || n + 2 == size) {
            ret[n] = 0;
            return (int)n;
        }
        n++;
    }
}

/* ---- role: owner -------------------------------------------------------------------- */

struct worker {
    struct sb_owner *owner;
    unsigned shard;
    uint64_t n, seed;
    int done; /* fd: a byte when it has finished */
};

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct sb_table *mac = sb_owner_table(w->owner, SB_T_mac, w->shard);
    struct sb_table *flow = sb_owner_table(w->owner, SB_T_flow, w->shard);
    struct sb_table *decision = sb_owner_table(w->owner, SB_T_decision, w->shard);
    struct sb_table_stats stats;
    uint64_t dpid = 1;

    while (sb_shard_of(dpid, SHARDS) != w->shard)
        dpid++;
    for (uint64_t i = 0; i < w->n; i++) {
        uint64_t random = fixture_random(&w->seed);
        struct sb_mac m = {.dpid = dpid, .last_ns = random, .port = (uint32_t)i};
        struct sb_flow f = {.dpid = dpid, .in_port = random >> 20 & 0xff, .cookie = random};
        struct sb_decision d = {.dpid = dpid};
        int64_t slot;

        memcpy(m.mac, &(uint64_t){random % 700}, sizeof m.mac);
        if ((random >> 40) % 3 == 0 && (slot = sb_find(mac, &m)) >= 0)
            sb_remove(mac, slot);
        else
            sb_put(mac, &m);
        sb_put(flow, &f);
        sb_table_stats(decision, &stats);
        d.t_ns = stats.rows;
        d.in_port = w->shard;
        sb_append(decision, &d);
    }
    if (write(w->done, "", 1) != 1)
        abort();
    return NULL;
}

static void
churn(struct sb_owner *owner, uint64_t n, uint64_t seed)
{
    struct worker workers[SHARDS];
    pthread_t threads[SHARDS];
    int fds[2], running = SHARDS;
    char byte;

    if (pipe(fds) < 0)
        abort();
    for (unsigned s = 0; s < SHARDS; s++) {
        workers[s] = (struct worker){owner, s, n, seed + s, fds[1]};
        if (pthread_create(&threads[s], NULL, work, &workers[s]) != 0)
            abort();
    }
    while (running) {
        struct pollfd pollers[] = {{.fd = fds[0], .events = POLLIN},
                                   {.fd = sb_owner_fd(owner), .events = POLLIN}};

        poll(pollers, 2, sb_owner_pump(owner));
        if (pollers[0].revents && read(fds[0], &byte, 1) == 1)
            running--;
    }
    for (unsigned s = 0; s < SHARDS; s++)
        pthread_join(threads[s], NULL);
    close(fds[0]);
    close(fds[1]);
}

struct lonely {
    struct sb_owner *owner;
    uint64_t n, slowest_ns;
    int done;
};

/* One change at a time: the next only after the last has been published. A wake-up lost between the
 * writer's push and the main thread's going to sleep would take until the next heartbeat. */
static void *
work_alone(void *arg)
{
    struct lonely *w = arg;
    struct sb_table *mac = sb_owner_table(w->owner, SB_T_mac, 0);
    struct sb_reader *reader = fixture_reader("controller");
    struct sb_mac m = {.dpid = 1};

    for (uint64_t i = 0; i < w->n; i++) {
        uint64_t seq = sb_reader_seq(reader, SB_T_mac), start = sb_mono();

        m.last_ns = i;
        sb_put(mac, &m);
        while (sb_reader_seq(reader, SB_T_mac) == seq)
            sched_yield();
        if (sb_mono() - start > w->slowest_ns)
            w->slowest_ns = sb_mono() - start;
        /* let it drain again, find nothing, and fall asleep: here and there just while we push */
        for (start = sb_mono(); sb_mono() - start < i % 1500 * 1000;)
            sched_yield();
    }
    sb_reader_close(&reader);
    if (write(w->done, "", 1) != 1)
        abort();
    return NULL;
}

static void
wake(struct sb_owner *owner, uint64_t n)
{
    struct lonely lonely = {.owner = owner, .n = n};
    pthread_t thread;
    int fds[2], running = 1;

    if (pipe(fds) < 0)
        abort();
    lonely.done = fds[1];
    if (pthread_create(&thread, NULL, work_alone, &lonely) != 0)
        abort();
    while (running) {
        struct pollfd pollers[] = {{.fd = fds[0], .events = POLLIN},
                                   {.fd = sb_owner_fd(owner), .events = POLLIN}};

        poll(pollers, 2, sb_owner_pump(owner));
        running = !pollers[0].revents;
    }
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
    printf("woken %" PRIu64 "\n", lonely.slowest_ns);
}

static void
fill(struct sb_owner *owner)
{
    struct sb_mac m = {.dpid = 1, .mac = {2, 0, 0, 0, 0, 1}, .port = 4};
    struct sb_flow f = {.dpid = 1, .in_port = 4, .output = 2};
    struct sb_latency l = {.peer_id = 7, .window_s = 1, .rtt_min_ns = 1000, .peer = "h2"};

    if (sb_owner_table(owner, SB_T_latency, 0)) {
        sb_put(sb_owner_table(owner, SB_T_latency, 0), &l);
        return;
    }
    sb_put(sb_owner_table(owner, SB_T_mac, sb_shard_of(1, SHARDS)), &m);
    sb_put(sb_owner_table(owner, SB_T_flow, sb_shard_of(1, SHARDS)), &f);
}

static void
print_content(struct sb_owner *owner)
{
    uint64_t digest = 0, rows = 0, changes = 0;

    for (int id = 0; id < SB_T_COUNT; id++)
        for (unsigned s = 0; s < SHARDS; s++) {
            struct sb_table *table = sb_owner_table(owner, (enum sb_table_id)id, s);
            struct sb_table_stats stats;

            if (!table)
                continue;
            sb_table_stats(table, &stats);
            if (sb_table_info((enum sb_table_id)id)->kind == SB_RING) {
                changes += stats.rows;
                continue;
            }
            changes += stats.inserted + stats.updated + stats.removed + stats.evicted;
            rows += stats.rows;
            for (int64_t i = sb_next(table, -1); i >= 0; i = sb_next(table, i))
                digest += row_digest((enum sb_table_id)id, sb_peek(table, i));
        }
    printf("content %016" PRIx64 " %" PRIu64 " %" PRIu64 "\n", digest, rows, changes);
}

static int
owner_role(const char *name)
{
    static const struct sb_owner_table controller[] = {
        {SB_T_mac, 2000, SHARDS}, {SB_T_flow, 400, SHARDS}, {SB_T_decision, 16384, SHARDS}};
    static const struct sb_owner_table agent[] = {{SB_T_latency, 0, 1}};
    bool is_agent = strncmp(name, "agent.", 6) == 0;
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = name,
        .tables = is_agent ? agent : controller,
        .n_tables = is_agent ? 1 : 3,
    };
    char message[SB_MESSAGE_MAX], line[128];
    struct sb_owner *owner = NULL;

    if (sb_owner_open(&owner, &config, message) < 0) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    sb_owner_phase(owner, SB_RUNNING);
    printf("ready %d\n", sb_owner_warm(owner));
    for (;;) {
        struct pollfd pollers[] = {{.fd = 0, .events = POLLIN},
                                   {.fd = sb_owner_fd(owner), .events = POLLIN}};
        uint64_t n, seed;

        poll(pollers, 2, sb_owner_pump(owner));
        if (!pollers[0].revents)
            continue;
        if (read_line(0, line, sizeof line, DEADLINE_MS) <= 0)
            break;
        if (sscanf(line, "churn %" SCNu64 " %" SCNu64, &n, &seed) == 2)
            churn(owner, n, seed);
        else if (strcmp(line, "fill") == 0)
            fill(owner);
        if (sscanf(line, "wake %" SCNu64, &n) == 1)
            wake(owner, n);
        else
            print_content(owner);
    }
    sb_owner_close(&owner);
    return 0;
}

/* ---- role: subscriber ------------------------------------------------------------------- */

struct view {
    uint64_t digest;
    uint64_t ring;          /* records received */
    uint64_t next[SHARDS];  /* of the decision ring */
    uint64_t ring_disorder; /* records out of order or twice */
};

static void
on_change(void *arg, const struct sb_change *change)
{
    struct view *view = arg;

    if (change->op == SB_APPEND) {
        const struct sb_decision *d = change->row;

        if (d->in_port >= SHARDS || d->t_ns < view->next[d->in_port])
            view->ring_disorder++;
        else
            view->next[d->in_port] = d->t_ns + 1;
        view->ring++;
        return;
    }
    if (change->old)
        view->digest -= row_digest(change->table, change->old);
    if (change->row)
        view->digest += row_digest(change->table, change->row);
}

static int
subscriber_role(void)
{
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats;
    char message[SB_MESSAGE_MAX], line[128] = "";
    struct view view = {0};
    uint64_t wanted = 0, changes = 0;
    unsigned owners = 0;

    if (sb_subscribe(&subscriber, fixture_instance(), NULL, TABLES, on_change, &view, message) <
        0) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    printf("ready\n");
    for (;;) {
        struct pollfd pollers[] = {{.fd = 0, .events = POLLIN},
                                   {.fd = sb_subscriber_fd(subscriber), .events = POLLIN}};

        poll(pollers, 2, sb_subscriber_run(subscriber));
        if (pollers[0].revents && read_line(0, line, sizeof line, DEADLINE_MS) <= 0)
            break;
        sb_subscriber_stats(subscriber, &stats);
        if (sscanf(line, "sync %u", &owners) == 1 && stats.owners == owners &&
            sb_subscriber_synced(subscriber)) {
            printf("synced\n");
            line[0] = 0;
        }
        if (sscanf(line, "content %" SCNx64 " %" SCNu64, &wanted, &changes) == 2 &&
            view.digest == wanted && sb_subscriber_synced(subscriber) &&
            (changes == 0 || stats.received + stats.missed >= changes)) {
            printf("reached %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                   "\n",
                   stats.received, stats.missed, stats.rereads, view.ring, stats.ring_lost,
                   view.ring_disorder + stats.refused);
            line[0] = 0;
        }
    }
    sb_subscriber_close(&subscriber);
    return 0;
}

/* ---- the test's side --------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int in, out; /* ours: what it reads, what it writes */
};

struct content {
    char digest[32];
    uint64_t rows, changes;
};

struct reached {
    uint64_t received, missed, rereads, ring, ring_lost, wrong;
};

static void
expect_line(const struct child *child, char *ret, size_t size)
{
    int n = read_line(child->out, ret, size, DEADLINE_MS);

    if (n <= 0)
        fail_msg("child %ld: %s", (long)child->pid, n < 0 ? "no answer in time" : "gone");
}

static struct child
start(const char *role, const char *name)
{
    struct child child;
    int in[2], out[2];
    char line[64];

    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/proc/self/exe", "statebus-bus", role, name, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    child.in = in[1];
    child.out = out[0];
    expect_line(&child, line, sizeof line);
    assert_memory_equal(line, "ready", 5);
    return child;
}

static void
stop(struct child *child, int signal)
{
    int status;

    if (signal)
        kill(child->pid, signal);
    close(child->in);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    if (signal)
        assert_true(WIFSIGNALED(status));
    else
        assert_int_equal(status, 0);
    close(child->out);
}

static void
say(const struct child *child, const char *line)
{
    assert_int_equal(dprintf(child->in, "%s\n", line), strlen(line) + 1);
}

static struct content
order(const struct child *owner, const char *line)
{
    struct content content;
    char answer[128];

    say(owner, line);
    expect_line(owner, answer, sizeof answer);
    assert_int_equal(sscanf(answer, "content %31s %" SCNu64 " %" SCNu64, content.digest,
                            &content.rows, &content.changes),
                     3);
    return content;
}

/* Returns once the subscriber is in step with that many living owners. */
static void
sync_with(const struct child *subscriber, unsigned owners)
{
    char line[64];

    snprintf(line, sizeof line, "sync %u", owners);
    say(subscriber, line);
    expect_line(subscriber, line, sizeof line);
    assert_string_equal(line, "synced");
}

/* changes: 0, or how many the subscriber must have accounted for */
static struct reached
wait_for(const struct child *subscriber, const char *digest, uint64_t changes)
{
    struct reached r;
    char line[128];

    snprintf(line, sizeof line, "content %s %" PRIu64, digest, changes);
    say(subscriber, line);
    expect_line(subscriber, line, sizeof line);
    assert_int_equal(
        sscanf(line, "reached %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &r.received, &r.missed, &r.rereads, &r.ring, &r.ring_lost, &r.wrong),
        6);
    assert_int_equal(r.wrong, 0);
    return r;
}

/* The digest of what stands in shared memory, whoever wrote it. */
static void
content_of_segment(const char *owner, char *ret_digest)
{
    struct sb_reader *reader = fixture_reader(owner);
    uint64_t digest = 0, row[256];

    for (int id = 0; id < SB_T_COUNT; id++) {
        uint64_t cursor = 0;

        if (!sb_reader_has(reader, (enum sb_table_id)id) ||
            sb_table_info((enum sb_table_id)id)->kind == SB_RING)
            continue;
        while (sb_read(reader, (enum sb_table_id)id, &cursor, row) == 1)
            digest += row_digest((enum sb_table_id)id, row);
    }
    snprintf(ret_digest, 32, "%016" PRIx64, digest);
    sb_reader_close(&reader);
}

static void
add_digests(const char *a, const char *b, char *ret)
{
    snprintf(ret, 32, "%016llx", strtoull(a, NULL, 16) + strtoull(b, NULL, 16));
}

/* mac, flow and latency records of two owners reach another process as deltas, every one of them;
 * a late joiner ends with the same content. */
static void
records_cross_and_a_late_joiner_agrees(void **state)
{
    struct child early = start("subscriber", ""), late;
    struct child controller = start("owner", "controller"), agent = start("owner", "agent.h1");
    struct content c, a;
    struct reached r;
    char sum[32];

    (void)state;
    sync_with(&early, 2);
    a = order(&agent, "fill");
    c = order(&controller, "fill");
    assert_int_equal(a.changes, 1);
    assert_int_equal(c.changes, 2);
    add_digests(c.digest, a.digest, sum);
    r = wait_for(&early, sum, 3);
    assert_int_equal(r.received, 3); /* as deltas, not by reading the tables */
    assert_int_equal(r.missed, 0);

    c = order(&controller, "churn 1500 1");
    add_digests(c.digest, a.digest, sum);
    late = start("subscriber", "");
    r = wait_for(&late, sum, 0);
    assert_int_equal(r.missed, 0);
    r = wait_for(&early, sum, c.changes + a.changes);
    assert_int_equal(r.received + r.missed, c.changes + a.changes);
    assert_int_equal(r.ring, 2 * 1500);
    assert_int_equal(r.ring_lost, 0);

    /* and both go on from there */
    c = order(&controller, "churn 1500 2");
    add_digests(c.digest, a.digest, sum);
    wait_for(&late, sum, 0);
    r = wait_for(&early, sum, c.changes + a.changes);
    assert_int_equal(r.received + r.missed, c.changes + a.changes);
    assert_int_equal(r.ring, 2 * 3000);
    stop(&late, 0);
    stop(&early, 0);
    stop(&agent, 0);
    stop(&controller, 0);
}

/* A subscriber that stands still through far more than the high-water mark: what it received and
 * what it knows it missed add up, and its content is right. */
static void
a_stopped_subscriber_repairs_itself(void **state)
{
    struct child controller = start("owner", "controller"), subscriber;
    struct content before = order(&controller, "churn 10 3"), after = before;
    struct reached r;

    (void)state;
    subscriber = start("subscriber", "");
    sync_with(&subscriber, 1);
    kill(subscriber.pid, SIGSTOP);
    for (int i = 0; i < 40; i++) {
        char line[64];

        snprintf(line, sizeof line, "churn 20000 %d", 100 + i);
        after = order(&controller, line);
    }
    kill(subscriber.pid, SIGCONT);
    r = wait_for(&subscriber, after.digest, after.changes - before.changes);
    assert_int_equal(r.received + r.missed, after.changes - before.changes);
    assert_true(r.missed > 0);
    assert_true(r.rereads > 0);
    assert_int_equal(r.ring + r.ring_lost, 40 * 2 * 20000);
    stop(&subscriber, 0);
    stop(&controller, 0);
}

/* kill -9 in the middle of a churn: subscribers end with what stands in shared memory, and with
 * what the next incarnation makes of it. */
static void
a_killed_owner_loses_nothing(void **state)
{
    struct child subscriber = start("subscriber", ""), controller;
    struct content content;
    char digest[32], line[64];

    (void)state;
    for (int round = 0; round < 3; round++) {
        controller = start("owner", "controller");
        order(&controller, "churn 100 5");
        snprintf(line, sizeof line, "churn 100000000 %d", round);
        say(&controller, line);
        /* it is in the middle once the subscriber has seen some of it */
        sync_with(&subscriber, 1);
        stop(&controller, SIGKILL);
        content_of_segment("controller", digest);
        wait_for(&subscriber, digest, 0);
    }
    controller = start("owner", "controller");
    content = order(&controller, "churn 100 6");
    wait_for(&subscriber, content.digest, 0);
    stop(&controller, 0);
    stop(&subscriber, 0);
}

static void
no_wake_up_is_lost(void **state)
{
    struct child controller = start("owner", "controller");
    uint64_t slowest = 0;
    char line[64];

    (void)state;
    say(&controller, "wake 2000");
    expect_line(&controller, line, sizeof line);
    assert_int_equal(sscanf(line, "woken %" SCNu64, &slowest), 1);
    print_message("slowest of 2000 changes: %" PRIu64 " us\n", slowest / 1000);
    assert_true(slowest > 0 && slowest < 200 * SB_MS); /* a lost one waits for the heartbeat */
    stop(&controller, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_cross_and_a_late_joiner_agrees, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_stopped_subscriber_repairs_itself, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(no_wake_up_is_lost, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_killed_owner_loses_nothing, fixture_setup,
                                        fixture_teardown),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3) {
        zsys_handler_set(NULL);
        return strcmp(argv[1], "owner") == 0 ? owner_role(argv[2]) : subscriber_role();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
