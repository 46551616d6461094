/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bench.c - what the state bus costs: CPU ns per put, find, lookup of a 128-byte row
 * (flow), hot and cold, with and without change ring; deltas a second to N subscribers.
 *
 * usage: statebus-bench [SUBSCRIBERS [SECONDS]]
 * Runs in a private instance and a private runtime directory, and removes both. One line a number:
 * "name value unit". CPU time is the thread's own, so that a busy machine matters less.
 */
#include <czmq.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <trivet/statebus.h>
#include <unistd.h>

#define HOT 256     /* rows: fit into the second-level cache */
#define COLD 200000 /* rows: about 60 MB, far more than any cache of one core */
#define OPERATIONS 2000000

struct counted {
    uint64_t changes;
};

static void
die(const char *message)
{
    fprintf(stderr, "statebus-bench: %s\n", message);
    exit(1);
}

static struct sb_owner *
open_owner(const char *name, uint32_t capacity, bool publish)
{
    struct sb_owner_table table = {SB_T_flow, capacity, 1};
    struct sb_owner_config config = {
        .instance = getenv("SB_BENCH_INSTANCE"),
        .name = name,
        .tables = &table,
        .n_tables = 1,
        .cold = true,
        .no_publish = !publish,
    };
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner = NULL;

    if (sb_owner_open(&owner, &config, message) < 0)
        die(message);
    return owner;
}

static struct sb_flow
row_of(uint32_t n, uint32_t version)
{
    struct sb_flow row = {.dpid = n % 16, .in_port = n, .cookie = n, .output = version};

    return row;
}

/* The next row in an order that no prefetcher follows. */
static uint32_t
scatter(uint32_t i, uint32_t rows)
{
    return (uint32_t)(((uint64_t)(i * UINT32_C(2654435761)) * rows) >> 32);
}

static void
print(const char *name, const char *temperature, uint64_t start, uint64_t n)
{
    printf("%-16s %-5s %6.1f ns\n", name, temperature,
           (double)(sb_clock(CLOCK_THREAD_CPUTIME_ID) - start) / (double)n);
}

static void
tables(const char *temperature, uint32_t rows)
{
    struct sb_owner *owner = open_owner("bench", rows + rows / 8, false);
    struct sb_table *table = sb_owner_table(owner, SB_T_flow, 0);
    struct sb_reader *reader = NULL;
    char message[SB_MESSAGE_MAX];
    uint64_t start, sum = 0, cursor = 0, hashes[16];
    struct sb_flow row, batch[16];

    for (uint32_t i = 0; i < rows; i++) {
        row = row_of(i, 0);
        if (sb_put(table, &row) < 0)
            die("table full");
    }
    start = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        row = row_of(scatter(i, rows), i);
        sum += (uint64_t)sb_put(table, &row);
    }
    print("put", temperature, start, OPERATIONS);
    start = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < OPERATIONS; i += 16) {
        for (uint32_t j = 0; j < 16; j++) {
            batch[j] = row_of(scatter(i + j, rows), i);
            hashes[j] = sb_hash(table, &batch[j]);
            sb_prefetch(table, hashes[j]);
        }
        for (uint32_t j = 0; j < 16; j++)
            sum += (uint64_t)sb_put_hashed(table, &batch[j], hashes[j]);
    }
    print("put-prefetched", temperature, start, OPERATIONS);
    start = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        row = row_of(scatter(i, rows), 0);
        sum += (uint64_t)sb_find(table, &row);
    }
    print("find", temperature, start, OPERATIONS);
    if (sb_reader_open(&reader, getenv("SB_BENCH_INSTANCE"), "bench", message) < 0)
        die(message);
    while (sb_read(reader, SB_T_flow, &cursor, &row) == 1)
        sum += row.cookie; /* maps the pages */
    start = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        struct sb_flow key = row_of(scatter(i, rows), 0);

        if (sb_lookup(reader, SB_T_flow, &key, &row) != 1)
            die("row lost");
        sum += row.output;
    }
    print("lookup", temperature, start, OPERATIONS);
    start = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    cursor = 0;
    for (uint32_t n = 0; n < rows; n++)
        if (sb_read(reader, SB_T_flow, &cursor, &row) != 1)
            die("row lost");
    print("read-all", temperature, start, rows);
    if (sum == 1)
        puts("");
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

static void
count(void *arg, const struct sb_change *change)
{
    struct counted *counted = arg;

    counted->changes += change->table == SB_T_flow;
}

/* A subscriber process: runs until its stdin ends, then prints what it got. */
static int
subscriber(void)
{
    struct counted counted = {0};
    struct sb_subscriber_stats stats;
    struct sb_subscriber *sub = NULL;
    char message[SB_MESSAGE_MAX];
    bool synced = false;

    if (sb_subscribe(&sub, getenv("SB_BENCH_INSTANCE"), "deltas", UINT64_C(1) << SB_T_flow, count,
                     &counted, message) < 0)
        die(message);
    for (;;) {
        struct pollfd pollers[] = {{.fd = 0, .events = POLLIN},
                                   {.fd = sb_subscriber_fd(sub), .events = POLLIN}};

        poll(pollers, 2, sb_subscriber_run(sub));
        if (!synced && sb_subscriber_synced(sub)) {
            synced = true;
            if (write(1, "s", 1) != 1)
                return 1;
        }
        if (pollers[0].revents)
            break;
    }
    sb_subscriber_stats(sub, &stats);
    fprintf(stderr,
            "subscriber       received %" PRIu64 " missed %" PRIu64 " rereads %" PRIu64 "\n",
            stats.received, stats.missed, stats.rereads);
    sb_subscriber_close(&sub);
    return 0;
}

static void
deltas(int n, double seconds)
{
    struct sb_owner *owner = open_owner("deltas", 4096, true);
    struct sb_table *table = sb_owner_table(owner, SB_T_flow, 0);
    uint64_t start, cpu, sent = 0, spent;
    struct sb_table_stats stats;
    int to[2], from[2];
    char byte;

    if (pipe(to) < 0 || pipe(from) < 0)
        die("pipe");
    for (int i = 0; i < n; i++)
        if (fork() == 0) {
            dup2(to[0], 0);
            dup2(from[1], 1);
            close(to[1]);
            execl("/proc/self/exe", "statebus-bench", "--subscriber", (char *)NULL);
            _exit(127);
        }
    for (int synced = 0; synced < n;) {
        struct pollfd poller = {.fd = from[0], .events = POLLIN};

        poll(&poller, 1, sb_owner_pump(owner));
        if (poller.revents && read(from[0], &byte, 1) == 1)
            synced++;
    }
    start = sb_mono();
    cpu = sb_clock(CLOCK_THREAD_CPUTIME_ID);
    while ((double)(sb_mono() - start) < seconds * 1e9) {
        for (uint32_t i = 0; i < 1024; i++, sent++) {
            struct sb_flow row = row_of(scatter((uint32_t)sent, 2048), (uint32_t)sent);

            sb_put(table, &row);
        }
        sb_owner_pump(owner);
    }
    cpu = sb_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
    spent = sb_mono() - start;
    sb_table_stats(table, &stats);
    printf("deltas           %.2f M/s put, %.2f M/s sent to %d subscribers, %.1f ns CPU each "
           "(put, change ring, pump)\n",
           (double)sent * 1e3 / (double)spent,
           (double)(sent - stats.unpublished) * 1e3 / (double)spent, n, (double)cpu / (double)sent);
    for (start = sb_mono(); sb_mono() - start < 600 * SB_MS;) /* the tail, and a heartbeat */
        poll(NULL, 0, sb_owner_pump(owner));
    close(to[1]);
    while (wait(NULL) > 0)
        ;
    sb_owner_close(&owner);
}

int
main(int argc, char **argv)
{
    char dir[] = "/tmp/sb-bench-XXXXXX", name[64];

    zsys_handler_set(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "--subscriber") == 0)
        return subscriber();
    if (!mkdtemp(dir))
        die("no directory in /tmp");
    snprintf(name, sizeof name, "bench%ld", (long)getpid());
    setenv("SB_BENCH_INSTANCE", name, 1);
    setenv("TRIVET_RUNTIME_DIR", dir, 1);
    tables("hot", HOT);
    tables("cold", COLD);
    deltas(argc > 1 ? atoi(argv[1]) : 1, argc > 2 ? atof(argv[2]) : 2.0);
    for (int i = 0; i < 2; i++) {
        static const char *const owners[] = {"bench", "deltas"};
        static const char *const suffixes[] = {".lock", ".pub"};
        char path[128];

        snprintf(path, sizeof path, "/trivet.%s.%s", name, owners[i]);
        shm_unlink(path);
        for (int j = 0; j < 2; j++) {
            snprintf(path, sizeof path, "%s/%s%s", dir, owners[i], suffixes[j]);
            unlink(path);
        }
    }
    rmdir(dir);
    return 0;
}
