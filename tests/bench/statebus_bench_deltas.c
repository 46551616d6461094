/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_bench_deltas.c - changes of 128-byte rows to three subscribers, each in a process of its
 * own and each of which gets every one: the state bus, raw libzmq with a message a record, and raw
 * libzmq with 16 KB of records a message, which is what the sockets themselves can carry.
 *
 * Pacing: each subscriber stores how many it has taken in shared memory, and the sender waits while
 * the slowest is WINDOW behind. That is less than the high-water mark holds, so nothing is dropped;
 * should anything be lost all the same, the run fails. All subscribers do the same with a record:
 * copy it to its place in an array, whose hash must be the sender's at the end.
 * CPU time is that of whole processes, libzmq's threads included, over the records.
 */
#include "statebus_bench.h"
#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <unistd.h>

#define SUBSCRIBERS 3
/* That change, in turn: more than may wait, so that none is told by its next change. */
#define ROWS 8192
#define WINDOW 8192          /* records that the slowest subscriber may be behind: 1 MB */
#define BURST 1024           /* records between two looks at the subscribers */
#define BLOCK 128            /* records of a 16 KB message */
#define RAW_HWM (4 * WINDOW) /* messages: libzmq may count up to half of it late */
#define HWM 1000 /* messages of the state bus, its default: of 16 KB, so 16 MB a subscriber */
#define PATIENCE_NS (20 * SB_SECOND)

/* One subscriber's words to the sender; one writer each. */
struct lane {
    uint64_t ready; /* subscribed: what is sent from now on must come */
    uint64_t taken; /* records */
    uint64_t done;
    uint64_t missed, rereads;
    uint64_t content; /* hash of its array */
    uint64_t cpu_ns;
    uint64_t first_ns, again_ns; /* role reread: its first and its second reading */
    uint64_t pad[7];
};

/* In a memfd that all processes map. */
struct board {
    uint64_t total; /* records to be sent; set before any subscriber starts */
    uint64_t pad[15];
    struct lane lanes[SUBSCRIBERS + 1];
};

#define load(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

static uint64_t
process_cpu(void)
{
    return sb_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static uint64_t
content_of(const struct sb_flow *rows)
{
    const uint64_t *words = (const uint64_t *)rows;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < ROWS * sizeof *rows / sizeof *words; i++)
        hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* ---- subscribers ------------------------------------------------------------------------ */

/* What a subscriber makes of the records: all of them, by number. */
struct view {
    struct lane *lane;
    uint64_t taken;
    struct sb_flow rows[ROWS];
};

static inline void
take(struct view *view, const void *row)
{
    uint32_t n = ((const struct sb_flow *)row)->in_port;

    if (n >= ROWS)
        die("a row that nobody sent");
    memcpy(&view->rows[n], row, sizeof view->rows[n]);
    store(&view->lane->taken, ++view->taken);
}

static void
finish(struct view *view, uint64_t cpu_at_start)
{
    view->lane->cpu_ns = process_cpu() - cpu_at_start;
    view->lane->content = content_of(view->rows);
    store(&view->lane->done, 1);
}

static void
on_change(void *arg, const struct sb_change *change)
{
    take(arg, change->row);
}

static void
role_trivet(const struct board *board, struct view *view)
{
    struct sb_subscriber_stats stats;
    struct sb_subscriber *subscriber = NULL;
    char message[SB_MESSAGE_MAX];
    uint64_t start = 0;

    if (sb_subscribe(&subscriber, instance(), "deltas", UINT64_C(1) << SB_T_flow, on_change, view,
                     message) < 0)
        die("%s", message);
    do {
        struct pollfd poller = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};

        poll(&poller, 1, sb_subscriber_run(subscriber));
        if (!start && sb_subscriber_synced(subscriber)) {
            start = process_cpu();
            store(&view->lane->ready, 1);
        }
        sb_subscriber_stats(subscriber, &stats);
    } while (view->taken + stats.missed < board->total);
    view->lane->missed = stats.missed;
    view->lane->rereads = stats.rereads;
    finish(view, start);
    sb_subscriber_close(&subscriber);
}

static void
role_raw(const struct board *board, struct view *view)
{
    zsock_t *sub = zsock_new(ZMQ_SUB);
    void *socket = zsock_resolve(sub);
    uint64_t start = 0;
    char path[128];
    zmq_msg_t message;

    socket_path("raw", path, sizeof path);
    zsock_set_rcvhwm(sub, RAW_HWM);
    zsock_set_subscribe(sub, "");
    if (zsock_connect(sub, "%s", path) < 0)
        die("cannot connect %s", path);
    zmq_msg_init(&message);
    while (view->taken < board->total) {
        const uint8_t *rows;
        size_t size;

        if (zmq_msg_recv(&message, socket, 0) < 0)
            die("receive: %s", zmq_strerror(zmq_errno()));
        rows = zmq_msg_data(&message);
        size = zmq_msg_size(&message);
        if (size < sizeof(struct sb_flow)) { /* the greeting */
            if (!start)
                start = process_cpu();
            store(&view->lane->ready, 1);
        }
        for (size_t i = 0; i < size / sizeof(struct sb_flow); i++)
            take(view, rows + i * sizeof(struct sb_flow));
    }
    zmq_msg_close(&message);
    finish(view, start);
    zsock_destroy(&sub);
}

/* A reader of a large table: first into an empty copy, then again after a gap. */
static void
count_change(void *arg, const struct sb_change *change)
{
    struct view *view = arg;

    view->taken += change->row != NULL;
}

static void
role_reread(const struct board *board, struct view *view)
{
    struct sb_subscriber_stats stats;
    struct sb_subscriber *subscriber = NULL;
    char message[SB_MESSAGE_MAX];
    uint64_t rereads = 0;

    zsys_init(); /* takes its time, and is not what is measured */
    if (sb_subscribe(&subscriber, instance(), "large", UINT64_C(1) << SB_T_flow, count_change, view,
                     message) < 0)
        die("%s", message);
    while (rereads < 2) {
        struct pollfd poller = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};
        uint64_t start = sb_mono();
        int ms = sb_subscriber_run(subscriber);

        start = sb_mono() - start;
        sb_subscriber_stats(subscriber, &stats);
        if (stats.rereads == 1 && rereads == 0) {
            if (view->taken != board->total)
                die("read %" PRIu64 " rows of %" PRIu64, view->taken, board->total);
            view->lane->first_ns = start;
        } else if (stats.rereads == 2) {
            view->lane->again_ns = start;
        }
        rereads = stats.rereads;
        if (sb_subscriber_synced(subscriber))
            store(&view->lane->ready, 1);
        poll(&poller, 1, ms);
    }
    sb_subscriber_close(&subscriber);
    store(&view->lane->done, 1);
}

int
bench_role(const char *role, int board_fd, int lane)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0);
    struct view *view = calloc(1, sizeof *view);

    if (board == MAP_FAILED || !view || lane < 0 || lane > SUBSCRIBERS)
        die("role %s: cannot start", role);
    view->lane = &board->lanes[lane];
    if (strcmp(role, "trivet") == 0)
        role_trivet(board, view);
    else if (strcmp(role, "raw") == 0)
        role_raw(board, view);
    else
        role_reread(board, view);
    free(view);
    return 0;
}

/* ---- the sender -------------------------------------------------------------------------- */

struct feed {
    struct sb_owner *owner; /* owned; the state bus */
    struct sb_table *table;
    zsock_t *pub; /* owned; raw */
    size_t block; /* raw: records a message */
    struct board *board;
    int board_fd, lanes;
    pid_t pids[SUBSCRIBERS + 1];
    uint64_t sent;
    struct sb_flow rows[ROWS]; /* what has been sent last of each */
};

struct figures {
    double per_second, owner_ns, subscriber_ns, memory_mb;
};

static void
start_roles(struct feed *feed, const char *role, int lanes, uint64_t total)
{
    feed->board_fd = memfd_create("board", 0);
    if (feed->board_fd < 0 || ftruncate(feed->board_fd, sizeof *feed->board) < 0)
        die("memfd: %s", strerror(errno));
    feed->board =
        mmap(NULL, sizeof *feed->board, PROT_READ | PROT_WRITE, MAP_SHARED, feed->board_fd, 0);
    if (feed->board == MAP_FAILED)
        die("memfd: %s", strerror(errno));
    feed->board->total = total;
    feed->lanes = lanes;
    for (int i = 0; i < lanes; i++) {
        char fd[16], lane[16];

        snprintf(fd, sizeof fd, "%d", feed->board_fd);
        snprintf(lane, sizeof lane, "%d", i);
        feed->pids[i] = fork();
        if (feed->pids[i] < 0)
            die("fork: %s", strerror(errno));
        if (feed->pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* the sender may end by die() */
            execl("/proc/self/exe", "statebus-bench", "--role", role, fd, lane, (char *)NULL);
            _exit(127);
        }
    }
}

/* Lets the sender's machinery work for up to a millisecond. */
static void
turn(struct feed *feed)
{
    struct pollfd poller = {.fd = feed->owner ? sb_owner_fd(feed->owner) : -1, .events = POLLIN};
    int ms = feed->owner ? sb_owner_pump(feed->owner) : 1;

    poll(&poller, 1, ms < 1 ? ms : 1);
    for (int i = 0; i < feed->lanes; i++)
        if (feed->pids[i] && waitpid(feed->pids[i], NULL, WNOHANG) == feed->pids[i]) {
            feed->pids[i] = 0;
            if (!load(&feed->board->lanes[i].done))
                die("a subscriber died");
        }
}

static void
wait_ready(struct feed *feed)
{
    uint64_t deadline = sb_mono() + PATIENCE_NS;

    for (int ready = 0; ready < feed->lanes;) {
        if (feed->pub && zmq_send(zsock_resolve(feed->pub), "", 0, ZMQ_DONTWAIT) < 0)
            die("send: %s", zmq_strerror(zmq_errno()));
        turn(feed);
        ready = 0;
        for (int i = 0; i < feed->lanes; i++)
            ready += load(&feed->board->lanes[i].ready) != 0;
        if (sb_mono() > deadline)
            die("only %d of %d subscribers came", ready, feed->lanes);
    }
}

/* The slowest of the subscribers that run. */
static uint64_t
slowest(const struct feed *feed)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < SUBSCRIBERS; i++) {
        uint64_t taken = load(&feed->board->lanes[i].taken);

        if (taken < least)
            least = taken;
    }
    return least;
}

static void
send_burst(struct feed *feed, uint32_t n)
{
    void *socket = feed->pub ? zsock_resolve(feed->pub) : NULL;

    for (uint32_t i = 0; i < n; i += (uint32_t)feed->block) {
        struct sb_flow block[BLOCK];

        for (uint32_t j = 0; j < feed->block; j++) {
            uint32_t version = (uint32_t)(feed->sent + i + j + 1);

            block[j] = row_of(version * 40503u % ROWS, version);
            feed->rows[block[j].in_port] = block[j];
        }
        if (feed->table)
            sb_put(feed->table, block);
        else if (zmq_send(socket, block, feed->block * sizeof *block, ZMQ_DONTWAIT) < 0)
            die("send: %s", zmq_strerror(zmq_errno()));
    }
    feed->sent += n;
    if (feed->owner)
        sb_owner_pump(feed->owner);
}

static double
memory_mb(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        die("/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* Sends them all, at the pace of the slowest, and checks what has arrived. */
static struct figures
run_feed(struct feed *feed, const char *side)
{
    uint64_t total = feed->board->total, start, cpu, deadline = sb_mono() + PATIENCE_NS;
    struct figures figures = {.memory_mb = memory_mb()};

    start = sb_mono();
    cpu = process_cpu();
    while (slowest(feed) < total) {
        if (feed->sent < total && feed->sent - slowest(feed) < WINDOW)
            send_burst(feed, BURST);
        else
            turn(feed);
        if (sb_mono() > deadline)
            die("%s: sent %" PRIu64 ", the slowest got %" PRIu64, side, feed->sent, slowest(feed));
    }
    start = sb_mono() - start;
    figures.owner_ns = (double)(process_cpu() - cpu) / (double)total;
    figures.per_second = (double)total * 1e9 / (double)start;
    figures.memory_mb = memory_mb() - figures.memory_mb;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        struct lane *lane = &feed->board->lanes[i];

        while (!load(&lane->done))
            turn(feed);
        if (lane->taken != total || lane->missed || lane->content != content_of(feed->rows))
            die("%s: subscriber %d got %" PRIu64 " of %" PRIu64 ", missed %" PRIu64 ", content %s",
                side, i, lane->taken, total, lane->missed,
                lane->content == content_of(feed->rows) ? "equal" : "not equal");
        figures.subscriber_ns += (double)lane->cpu_ns / (double)total / SUBSCRIBERS;
    }
    return figures;
}

static void
end_feed(struct feed *feed)
{
    for (int i = 0; i < feed->lanes; i++) {
        if (!feed->pids[i])
            continue;
        if (i == SUBSCRIBERS)
            kill(feed->pids[i], SIGKILL);
        waitpid(feed->pids[i], NULL, 0);
    }
    sb_owner_close(&feed->owner);
    zsock_destroy(&feed->pub);
    munmap(feed->board, sizeof *feed->board);
    close(feed->board_fd);
    free(feed);
}

static struct feed *
new_feed(void)
{
    struct feed *feed = calloc(1, sizeof *feed);

    if (!feed)
        die("out of memory");
    feed->block = 1;
    return feed;
}

/* stopped: beside a fourth subscriber that stands still from the first record on */
static struct figures
feed_trivet(uint64_t total, bool stopped)
{
    struct feed *feed = new_feed();
    struct figures figures;

    feed->owner = open_owner("deltas", 2 * ROWS, true);
    feed->table = sb_owner_table(feed->owner, SB_T_flow, 0);
    start_roles(feed, "trivet", SUBSCRIBERS + stopped, total);
    wait_ready(feed);
    if (stopped) {
        int status;

        kill(feed->pids[SUBSCRIBERS], SIGSTOP);
        waitpid(feed->pids[SUBSCRIBERS], &status, WUNTRACED);
    }
    figures = run_feed(feed, "trivet");
    end_feed(feed);
    return figures;
}

static struct figures
feed_raw(uint64_t total, size_t block)
{
    struct feed *feed = new_feed();
    struct figures figures;
    char path[128];

    feed->block = block;
    feed->pub = zsock_new(ZMQ_PUB);
    socket_path("raw", path, sizeof path);
    zsock_set_sndhwm(feed->pub, RAW_HWM);
    zsock_set_linger(feed->pub, 0);
    if (zsock_bind(feed->pub, "%s", path) < 0)
        die("cannot bind %s", path);
    start_roles(feed, "raw", SUBSCRIBERS, total);
    wait_ready(feed);
    figures = run_feed(feed, "raw libzmq");
    end_feed(feed);
    return figures;
}

/* ---- the figures --------------------------------------------------------------------------- */

static int
by_rate(const void *a, const void *b)
{
    double x = ((const struct figures *)a)->per_second, y = ((const struct figures *)b)->per_second;

    return (x > y) - (x < y);
}

static void
print_median(struct figures *rounds, int n, const char *side, bool memory)
{
    struct figures *median = &rounds[n / 2];
    double most = 0;

    qsort(rounds, (size_t)n, sizeof *rounds, by_rate);
    result("deltas, each of 3 subscribers", side, median->per_second / 1e6, "M records/s");
    result("  CPU of the sender", side, median->owner_ns, "ns/record");
    result("  CPU of a subscriber", side, median->subscriber_ns, "ns/record");
    for (int i = 0; i < n; i++) /* later rounds use again what the first one took */
        most = rounds[i].memory_mb > most ? rounds[i].memory_mb : most;
    if (memory)
        result("  memory the sender took, at most", side, most, "MB");
}

/* All sides in turn, so that what else the machine does meets all of them. */
void
bench_deltas(uint64_t records, int rounds)
{
    struct figures trivet[9], stopped[9], raw[9], ceiling[9];

    records -= records % BURST;
    for (int i = 0; i < rounds && i < 9; i++) {
        trivet[i] = feed_trivet(records, false);
        stopped[i] = feed_trivet(records, true);
        raw[i] = feed_raw(records / 5 - records / 5 % BURST, 1);
        ceiling[i] = feed_raw(records * 2, BLOCK);
    }
    print_median(trivet, rounds, "trivet", true);
    print_median(stopped, rounds, "trivet, 1 more stopped", true);
    print_median(raw, rounds, "libzmq, 1 a message", false);
    print_median(ceiling, rounds, "libzmq, 16 KB messages", false);
}

/* Milliseconds: a reader's pass over the table, a subscriber's first reading, and its second. */
struct readings {
    double pass, first, again;
};

static struct readings
read_table(uint32_t rows)
{
    struct feed *feed = new_feed();
    struct sb_reader *reader = NULL;
    uint64_t start, cursor = 0, n = 0, deadline = sb_mono() + PATIENCE_NS;
    struct readings readings;
    char message[SB_MESSAGE_MAX];
    struct sb_flow row;

    feed->owner = open_owner("large", rows + rows / 20, true);
    feed->table = sb_owner_table(feed->owner, SB_T_flow, 0);
    for (uint32_t i = 0; i < rows; i++) {
        row = row_of(i, 0);
        sb_put(feed->table, &row);
        if (i % BURST == 0)
            sb_owner_pump(feed->owner);
    }
    if (sb_reader_open(&reader, instance(), "large", message) < 0)
        die("%s", message);
    start = sb_mono();
    while (sb_read(reader, SB_T_flow, &cursor, &row) == 1)
        n++;
    readings.pass = (double)(sb_mono() - start) / 1e6;
    sb_reader_close(&reader);
    if (n != rows)
        die("read %" PRIu64 " rows of %u", n, rows);
    start_roles(feed, "reread", 1, rows);
    wait_ready(feed);
    /* more than the change ring takes: the rest is a gap */
    for (uint32_t i = 0; i < 20000; i++) {
        row = row_of(i, 1);
        sb_put(feed->table, &row);
    }
    while (!load(&feed->board->lanes[0].done)) {
        turn(feed);
        if (sb_mono() > deadline)
            die("nobody read the table again");
    }
    readings.first = (double)feed->board->lanes[0].first_ns / 1e6;
    readings.again = (double)feed->board->lanes[0].again_ns / 1e6;
    end_feed(feed);
    return readings;
}

static int
by_first(const void *a, const void *b)
{
    double x = ((const struct readings *)a)->first, y = ((const struct readings *)b)->first;

    return (x > y) - (x < y);
}

void
bench_reread(uint32_t rows, int rounds)
{
    struct readings readings[9];
    char side[32];

    for (int i = 0; i < rounds && i < 9; i++)
        readings[i] = read_table(rows);
    qsort(readings, (size_t)rounds, sizeof *readings, by_first);
    snprintf(side, sizeof side, "%u rows", rows);
    result("read a table", side, readings[rounds / 2].pass, "ms");
    result("read it into a new copy", side, readings[rounds / 2].first, "ms");
    result("read it again after a gap", side, readings[rounds / 2].again, "ms");
}
