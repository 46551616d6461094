/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bench.c - what the state bus costs, in records of 128 bytes (table flow).
 *
 * Here: CPU ns of the publishing thread per put (with the change ring that feeds the deltas), and
 * per find, lookup and read, on a table that fits into the caches and on one far bigger. In
 * statebus_bench_deltas.c: deltas to three subscribers beside raw libzmq, the cost of a subscriber
 * that stands still, and reading a large table again.
 *
 * Runs in a private instance and runtime directory, and removes both. Figures of tables are CPU
 * time of the thread, so that a busy machine matters less.
 */
#include "statebus_bench.h"
#include <czmq.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <trivet/clock.h>
#include <unistd.h>

#define HOT 256     /* rows: fit into the second-level cache */
#define COLD 200000 /* rows: about 60 MB, far more than any cache of one core */
#define OPERATIONS 2000000
#define BURST 4096 /* puts between two pumps: half of the change ring */

void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("statebus-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void
result(const char *what, const char *side, double value, const char *unit)
{
    if (getenv("SB_BENCH_JSON"))
        printf("{\"what\":\"%s\",\"side\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", what, side,
               value, unit);
    else
        printf("%-34s %-22s %10.4g %s\n", what, side, value, unit);
}

const char *
instance(void)
{
    return getenv("SB_BENCH_INSTANCE");
}

void
socket_path(const char *name, char *ret, size_t size)
{
    snprintf(ret, size, "ipc://%s/%s", getenv("TRIVET_RUNTIME_DIR"), name);
}

struct sb_owner *
open_owner(const char *name, uint32_t capacity, bool publish)
{
    struct sb_owner_table table = {SB_T_flow, capacity, 1};
    struct sb_owner_config config = {
        .instance = instance(),
        .name = name,
        .tables = &table,
        .n_tables = 1,
        .cold = true,
        .no_publish = !publish,
    };
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner = NULL;

    if (sb_owner_open(&owner, &config, message) < 0)
        die("%s", message);
    return owner;
}

struct sb_flow
row_of(uint32_t n, uint32_t version)
{
    struct sb_flow row = {.dpid = n % 16, .in_port = n, .cookie = n, .output = version};

    return row;
}

uint32_t
scatter(uint32_t i, uint32_t rows)
{
    return (uint32_t)(((uint64_t)(i * UINT32_C(2654435761)) * rows) >> 32);
}

/* ---- tables ------------------------------------------------------------------------ */

static uint64_t
cpu(void)
{
    return sb_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void
bench_put(struct sb_owner *owner, const char *temperature, uint32_t rows, bool prefetched)
{
    struct sb_table *table = sb_owner_table(owner, SB_T_flow, 0);
    struct sb_table_stats stats;
    uint64_t spent = 0;

    for (uint32_t i = 0; i < OPERATIONS;) {
        uint64_t start = cpu();

        for (uint32_t end = i + BURST; !prefetched && i < end; i++) {
            struct sb_flow row = row_of(scatter(i, rows), i);

            sb_put(table, &row);
        }
        for (uint32_t end = i + BURST; prefetched && i < end; i += 16) {
            struct sb_flow batch[16];
            uint64_t hashes[16];

            for (uint32_t j = 0; j < 16; j++)
                batch[j] = row_of(scatter(i + j, rows), i);
            sb_hash_rows(table, batch, sizeof batch[0], 16, hashes);
            for (uint32_t j = 0; j < 16; j++)
                sb_prefetch(table, hashes[j]);
            for (uint32_t j = 0; j < 16; j++)
                sb_prefetch_row(table, hashes[j]);
            for (uint32_t j = 0; j < 16; j++)
                sb_put_hashed(table, &batch[j], hashes[j]);
        }
        spent += cpu() - start;
        while (sb_owner_pump(owner) == 0)
            ; /* the main thread's work, not the writer's: it is in the figures of the deltas */
    }
    sb_table_stats(table, &stats);
    if (stats.unpublished)
        die("%llu puts were not published", (unsigned long long)stats.unpublished);
    result(prefetched ? "put, prefetched in batches" : "put", temperature,
           (double)spent / OPERATIONS, "ns");
}

static void
bench_tables(const char *temperature, uint32_t rows)
{
    /* at least as large as the change ring, which is no larger than its table */
    uint32_t capacity = rows < 2 * BURST ? 2 * BURST : rows + rows / 8;
    struct sb_owner *owner = open_owner("bench", capacity, true);
    struct sb_table *table = sb_owner_table(owner, SB_T_flow, 0);
    struct sb_reader *reader = NULL;
    char message[SB_MESSAGE_MAX];
    uint64_t start, sum = 0, cursor = 0;
    struct sb_flow row;

    for (uint32_t i = 0; i < rows; i++) {
        row = row_of(i, 0);
        if (sb_put(table, &row) < 0)
            die("table full");
        if (i % BURST == BURST - 1)
            while (sb_owner_pump(owner) == 0)
                ;
    }
    bench_put(owner, temperature, rows, false);
    bench_put(owner, temperature, rows, true);
    start = cpu();
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        row = row_of(scatter(i, rows), 0);
        sum += (uint64_t)sb_find(table, &row);
    }
    result("find by the owner", temperature, (double)(cpu() - start) / OPERATIONS, "ns");
    if (sb_reader_open(&reader, instance(), "bench", message) < 0)
        die("%s", message);
    while (sb_read(reader, SB_T_flow, &cursor, &row) == 1)
        sum += row.cookie; /* maps the pages */
    start = cpu();
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        struct sb_flow key = row_of(scatter(i, rows), 0);

        if (sb_lookup(reader, SB_T_flow, &key, &row) != 1)
            die("row lost");
        sum += row.output;
    }
    result("lookup by a reader", temperature, (double)(cpu() - start) / OPERATIONS, "ns");
    if (sum == 1)
        puts("");
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* ---- the run ------------------------------------------------------------------------ */

static void
clean(void)
{
    char prefix[64], path[512];
    const char *const dirs[] = {getenv("TRIVET_RUNTIME_DIR"), "/dev/shm"};

    snprintf(prefix, sizeof prefix, "trivet.%s.", instance());
    for (int i = 0; i < 2; i++) {
        struct dirent *entry;
        DIR *dir = opendir(dirs[i]);

        while (dir && (entry = readdir(dir)) != NULL) {
            if (entry->d_name[0] == '.' ||
                (i == 1 && strncmp(entry->d_name, prefix, strlen(prefix)) != 0))
                continue;
            snprintf(path, sizeof path, "%s/%s", dirs[i], entry->d_name);
            unlink(path);
        }
        if (dir)
            closedir(dir);
    }
    rmdir(dirs[0]);
}

static void
print_machine(void)
{
    char line[256], cpu_name[128] = "?", date[32];
    time_t now = time(NULL);
    struct utsname name;
    struct tm tm;
    FILE *file = fopen("/proc/cpuinfo", "re");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %127[^\n]", cpu_name) == 1)
            break;
    if (file)
        fclose(file);
    uname(&name);
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%FT%TZ", &tm);
    if (getenv("SB_BENCH_JSON"))
        printf(
            "{\"what\":\"machine\",\"host\":\"%s\",\"cpu\":\"%s\",\"cores\":%ld,\"kernel\":\"%s\","
            "\"date\":\"%s\"}\n",
            name.nodename, cpu_name, sysconf(_SC_NPROCESSORS_ONLN), name.release, date);
    else
        printf("%s: %s, %ld cores, Linux %s, %s\nrecords of 128 bytes\n\n", name.nodename, cpu_name,
               sysconf(_SC_NPROCESSORS_ONLN), name.release, date);
}

static void
usage(FILE *out)
{
    fputs("Usage: statebus-bench [--quick] [--json] [--only PART]\n"
          "\n"
          "  --quick      a fifth of the records, one round\n"
          "  --json       one object a figure\n"
          "  --only PART  tables, deltas or reread\n"
          "\n"
          "Exit: 0 ok, 1 failed (also when a subscriber lost a record), 2 usage.\n",
          out);
}

int
main(int argc, char **argv)
{
    char dir[] = "/tmp/sb-bench-XXXXXX", name[32];
    const char *only = NULL;
    bool quick = false;

    zsys_handler_set(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 5 && strcmp(argv[1], "--role") == 0)
        return bench_role(argv[2], atoi(argv[3]), atoi(argv[4]));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            setenv("SB_BENCH_JSON", "1", 1);
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else {
            bool help = strcmp(argv[i], "--help") == 0;

            usage(help ? stdout : stderr);
            return help ? 0 : 2;
        }
    }
    if (!mkdtemp(dir))
        die("no directory in /tmp");
    snprintf(name, sizeof name, "bench%ld", (long)getpid());
    setenv("SB_BENCH_INSTANCE", name, 1);
    setenv("TRIVET_RUNTIME_DIR", dir, 1);
    atexit(clean);
    print_machine();
    if (!only || strcmp(only, "tables") == 0) {
        bench_tables("hot", HOT);
        bench_tables("cold", COLD);
    }
    if (!only || strcmp(only, "deltas") == 0)
        bench_deltas(quick ? 1000000 : 5000000, quick ? 1 : 3);
    if (!only || strcmp(only, "reread") == 0)
        bench_reread(quick ? 200000 : 1000000, quick ? 1 : 3);
    return 0;
}
