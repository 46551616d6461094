/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_chaos.c - real processes under load, a random one killed again and again.
 *
 * The test starts this program again in its roles: two owners (one with two writing threads, as the
 * controller has), two subscribers, two readers. It kills (SIGKILL) a random one and starts it anew
 * at once, a hundred times. Every byte of a row follows from its key and its generation, which a
 * writer draws from a counter that outlives it, so each read is proven: whole, and never older than
 * what this reader had seen of that key. Now and then the writers pause, and each subscriber's copy
 * must become the very content of the tables.
 *
 * Roles and driver share a page of counters, the board. A role is consistent again when whatever
 * was written after its death is seen: an owner's new rows by every subscriber and reader, all
 * owners' rows by a new subscriber or reader.
 */
#include "statebus_fixture.h"
#include "record.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW 4u /* times slower, so that many times fewer kills */
#else
#define SLOW 1u
#endif

#define OWNERS 2
#define SHARDS 2
#define WRITERS (SHARDS + 1) /* the shards' threads, and the main thread */
#define SEATS 6
#define KEYS 300     /* a table and writer; more than it has rows, so that it evicts, too */
#define CAPACITY 400 /* rows of mac, over all shards */
#define HOT 4        /* keys that get half of all writes, and most lookups */
#define BURST 1000   /* writes between two rests of 1 ms */
#define STUCK_NS (UINT64_C(10) * SLOW * SB_SECOND)
#define LATE_NS (UINT64_C(20) * SLOW * SB_SECOND)
#define TABLES (UINT64_C(1) << SB_T_mac | UINT64_C(1) << SB_T_host | UINT64_C(1) << SB_T_event)

enum role { OWNER, SUBSCRIBER, READER };
static const char *const role_names[] = {"owner", "subscriber", "reader"};
static const enum role role_of[SEATS] = {OWNER, OWNER, SUBSCRIBER, SUBSCRIBER, READER, READER};
static const char *const owner_names[OWNERS] = {"chaos.0", "chaos.1"};
static const unsigned n_shards[OWNERS] = {SHARDS, 1};

/* What one role says. All written by that role alone, but for the driver's reset at its death. */
struct page {
    uint64_t beat;                  /* turns of its loop, all lives */
    uint64_t paused;                /* owner: threads that rest because they were asked to */
    uint64_t reads;                 /* rows and records checked, all lives */
    uint64_t invalid;               /* of these: torn, mixed, or older than one seen before */
    uint64_t steps_back;            /* subscriber: rows that went through an earlier state */
    uint64_t busy;                  /* reads that ended in SB_EBUSY */
    uint64_t seen[OWNERS][WRITERS]; /* highest generation seen in this life */
    uint64_t digest[OWNERS];        /* subscriber: of its copy of the tables */
};

struct board {
    uint64_t pause;                       /* by the driver: owners rest */
    uint64_t generation[OWNERS][WRITERS]; /* last one drawn; by the writer */
    struct page pages[SEATS];
};

/* ---- rows ---------------------------------------------------------------------------- */

/* The switch whose rows a shard of an owner holds. */
static uint64_t
dpid_of(unsigned owner, unsigned shard)
{
    uint64_t dpid = 1 + 1000 * owner;

    while (sb_shard_of(dpid, n_shards[owner]) != shard)
        dpid++;
    return dpid;
}

static uint64_t
mix(uint64_t table, uint64_t owner, uint64_t n, uint64_t generation)
{
    static const uint64_t seed[2] = {0x1234567, 0x7654321};
    uint64_t key[] = {table, owner, n, generation};

    return sb_key_hash(seed, key, sizeof key);
}

static struct sb_mac
mac_row(unsigned owner, unsigned shard, uint64_t n, uint64_t generation)
{
    uint64_t sum = mix(SB_T_mac, owner, n, generation);
    struct sb_mac row = {.dpid = dpid_of(owner, shard), .vlan = (uint16_t)(n % 5)};

    memcpy(row.mac, &n, sizeof row.mac);
    row.last_ns = generation;
    row.first_ns = sum;
    row.port = (uint32_t)(sum >> 32);
    row.moves = (uint32_t)sum;
    return row;
}

static struct sb_host
host_row(unsigned owner, uint64_t n, uint64_t generation)
{
    uint64_t sum = mix(SB_T_host, owner, n, generation);
    struct sb_host row = {.dpid = sum, .vlan = (uint16_t)(sum >> 40)};

    memcpy(row.mac, &n, sizeof row.mac);
    row.last_ns = generation;
    row.first_ns = ~sum;
    row.port = (uint32_t)(sum >> 32);
    row.moves = (uint32_t)sum;
    for (unsigned i = 0; i < sizeof row.ip; i++) {
        row.ip[i] = (uint8_t)(sum >> i);
        row.ip6[i] = (uint8_t)(sum >> (2 * i));
    }
    return row;
}

static struct sb_event
event_row(unsigned owner, uint64_t generation)
{
    uint64_t sum = mix(SB_T_event, owner, 0, generation);
    struct sb_event row = {.t_ns = generation, .dpid = sum, .port = (uint32_t)(sum >> 3)};

    row.kind = (uint8_t)(generation % 16);
    row.severity = (uint8_t)(generation % 3);
    memset(row.text, (int)('a' + generation % 26), 50 + generation % 50);
    return row;
}

/* What a reader or subscriber knows of one owner. */
struct known {
    uint64_t mac[SHARDS][KEYS], host[KEYS]; /* generation last seen of each key */
    uint64_t event;
};

/* Is the row whole? Its writer and key, too. */
static bool
whole(unsigned owner, enum sb_table_id id, const void *p, unsigned *ret_writer, uint64_t *ret_n,
      uint64_t *ret_generation)
{
    *ret_n = 0;
    *ret_writer = SHARDS;
    if (id == SB_T_event) {
        struct sb_event expected = event_row(owner, ((const struct sb_event *)p)->t_ns);

        *ret_generation = expected.t_ns;
        return memcmp(p, &expected, sizeof expected) == 0;
    }
    if (id == SB_T_host) {
        const struct sb_host *row = p;
        struct sb_host expected;

        memcpy(ret_n, row->mac, sizeof row->mac);
        *ret_generation = row->last_ns;
        expected = host_row(owner, *ret_n, row->last_ns);
        return *ret_n < KEYS && memcmp(p, &expected, sizeof expected) == 0;
    }
    const struct sb_mac *row = p;
    struct sb_mac expected;

    memcpy(ret_n, row->mac, sizeof row->mac);
    *ret_generation = row->last_ns;
    for (unsigned s = 0; s < n_shards[owner]; s++)
        if (row->dpid == dpid_of(owner, s))
            *ret_writer = s;
    if (*ret_writer == SHARDS || *ret_n >= KEYS)
        return false;
    expected = mac_row(owner, *ret_writer, *ret_n, row->last_ns);
    return memcmp(p, &expected, sizeof expected) == 0;
}

/* Checks one row that was read. may_step_back: a subscriber's rows may pass through a state again
 * that they had before a table was read anew; all else only goes forward. */
static void
check_row(struct page *page, struct known *known, unsigned owner, enum sb_table_id id,
          const void *row, bool may_step_back)
{
    uint64_t n, generation, *last;
    unsigned writer;
    bool good = whole(owner, id, row, &writer, &n, &generation), back;

    sb_store(&page->reads, page->reads + 1);
    if (good) {
        last = id == SB_T_event  ? &known->event
               : id == SB_T_host ? &known->host[n]
                                 : &known->mac[writer][n];
        /* a record comes once; a row may be read as often as one likes */
        back = generation < *last || (id == SB_T_event && generation == *last);
        if (back && may_step_back && id != SB_T_event)
            sb_store(&page->steps_back, page->steps_back + 1);
        else
            good = !back;
        if (!good)
            fprintf(stderr, "%s: %s %llu: generation %llu after %llu\n", owner_names[owner],
                    sb_table_info(id)->name, (unsigned long long)n, (unsigned long long)generation,
                    (unsigned long long)*last);
        *last = generation;
        if (generation > page->seen[owner][writer] && id != SB_T_event)
            sb_store(&page->seen[owner][writer], generation);
    }
    if (!good)
        sb_store(&page->invalid, page->invalid + 1);
}

static uint64_t
row_digest(enum sb_table_id id, const void *row)
{
    static const uint64_t seed[2] = {0x1111, 0x2222};

    return sb_key_hash(seed, row, sb_table_info(id)->row_size);
}

/* ---- role: owner ------------------------------------------------------------------------ */

struct writer {
    struct board *board;
    struct page *page;
    struct sb_owner *sb;
    unsigned owner, shard;
};

static uint64_t
draw(struct board *board, unsigned owner, unsigned writer)
{
    uint64_t generation = board->generation[owner][writer] + 1;

    sb_store(&board->generation[owner][writer], generation);
    return generation;
}

/* Most bursts are small; one in sixteen overruns the change ring. */
static uint64_t
burst(uint64_t *seed)
{
    return fixture_random(seed) % 16 ? BURST : 20 * BURST;
}

static uint64_t
any_key(uint64_t random)
{
    return random >> 60 & 1 ? random % HOT : random % KEYS;
}

static void *
write_shard(void *arg)
{
    struct writer *w = arg;
    struct sb_table *mac = sb_owner_table(w->sb, SB_T_mac, w->shard);
    uint64_t seed = (uint64_t)getpid() * 3 + w->shard;
    bool resting = false;

    for (;;) {
        bool rest = sb_load_acquire(&w->board->pause);

        if (rest != resting)
            __atomic_fetch_add(&w->page->paused, rest ? 1 : (uint64_t)-1, __ATOMIC_ACQ_REL);
        resting = rest;
        for (uint64_t i = rest ? 0 : burst(&seed); i > 0; i--) {
            uint64_t random = fixture_random(&seed), n = any_key(random);
            struct sb_mac row = mac_row(w->owner, w->shard, n, draw(w->board, w->owner, w->shard));
            int64_t slot = sb_find(mac, &row);

            if ((random >> 32) % 5 == 0 && slot >= 0)
                sb_remove(mac, slot);
            else if ((random >> 40) % 2 && slot >= 0)
                sb_write(mac, slot, &row);
            else
                sb_put(mac, &row);
        }
        poll(NULL, 0, 1);
    }
    return NULL;
}

static void
write_main(struct writer *w, uint64_t *seed)
{
    struct sb_table *host = sb_owner_table(w->sb, SB_T_host, 0);
    struct sb_table *event = sb_owner_table(w->sb, SB_T_event, 0);

    for (uint64_t i = burst(seed); i > 0; i--) {
        uint64_t random = fixture_random(seed), n = any_key(random);
        uint64_t generation = draw(w->board, w->owner, SHARDS);
        struct sb_host row = host_row(w->owner, n, generation);
        int64_t slot = sb_find(host, &row);

        if ((random >> 32) % 5 == 0 && slot >= 0)
            sb_remove(host, slot);
        else
            sb_put(host, &row);
        if (i % 8 == 0) {
            struct sb_event record = event_row(w->owner, generation);

            sb_append(event, &record);
        }
    }
}

static _Noreturn void
run_owner(struct board *board, unsigned seat, uint32_t capacity)
{
    struct page *page = &board->pages[seat];
    struct sb_owner_table tables[] = {
        {SB_T_mac, capacity, (uint16_t)n_shards[seat]}, {SB_T_host, 200, 1}, {SB_T_event, 128, 1}};
    struct sb_owner_config config = {
        .instance = fixture_instance(), .name = owner_names[seat], .tables = tables, .n_tables = 3};
    struct writer writers[WRITERS];
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner;
    uint64_t seed = (uint64_t)getpid();
    bool resting = false;

    if (sb_owner_open(&owner, &config, message) < 0) {
        fprintf(stderr, "%s: %s\n", owner_names[seat], message);
        exit(3);
    }
    if (strstr(message, "cold") || strstr(message, "damaged")) {
        fprintf(stderr, "%s: %s\n", owner_names[seat], message);
        exit(4); /* a killed owner leaves nothing of the kind */
    }
    for (unsigned i = 0; i <= n_shards[seat]; i++) {
        pthread_t thread;

        writers[i] = (struct writer){board, page, owner, seat, i};
        if (i < n_shards[seat] && pthread_create(&thread, NULL, write_shard, &writers[i]) != 0)
            exit(3);
    }
    sb_owner_phase(owner, SB_RUNNING);
    for (;;) {
        struct pollfd poller = {.fd = sb_owner_fd(owner), .events = POLLIN};
        bool rest = sb_load_acquire(&board->pause);

        if (rest != resting)
            __atomic_fetch_add(&page->paused, rest ? 1 : (uint64_t)-1, __ATOMIC_ACQ_REL);
        resting = rest;
        if (!rest)
            write_main(&writers[n_shards[seat]], &seed);
        sb_owner_pump(owner);
        sb_store(&page->beat, page->beat + 1);
        poll(&poller, 1, 1);
    }
}

/* ---- role: reader -------------------------------------------------------------------------- */

static void
read_owner(struct page *page, struct known *known, unsigned owner, struct sb_reader **reader,
           uint64_t *position, uint64_t *seed)
{
    struct sb_segment_info info;
    char message[SB_MESSAGE_MAX];
    uint64_t row[64], cursor = 0, lost = 0;
    int got;

    if (!*reader) {
        got = sb_reader_open(reader, fixture_instance(), owner_names[owner], message);
        if (got < 0) {
            if (got != SB_ENONE) { /* it has not begun yet; nothing else may be */
                fprintf(stderr, "reader: %s\n", message);
                sb_store(&page->invalid, page->invalid + 1);
            }
            return;
        }
    }
    sb_reader_info(*reader, &info);
    if (info.liveness == SB_RESTARTED)
        sb_reader_reopen(*reader, NULL);
    if (info.damaged) {
        fprintf(stderr, "reader: %s: %llu damaged rows\n", owner_names[owner],
                (unsigned long long)info.damaged);
        sb_store(&page->invalid, page->invalid + 1);
    }
    for (unsigned t = 0; t < 2; t++) {
        enum sb_table_id id = t ? SB_T_host : SB_T_mac;

        for (cursor = 0; (got = sb_read(*reader, id, &cursor, row)) != 0;) {
            if (got == 1)
                check_row(page, known, owner, id, row, false);
            else
                sb_store(&page->busy, page->busy + 1);
        }
    }
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t n = fixture_random(seed) % (i < 100 ? KEYS : HOT);
        struct sb_mac key = mac_row(owner, i % n_shards[owner], n, 0);

        got = sb_lookup(*reader, SB_T_mac, &key, row);
        if (got == 1)
            check_row(page, known, owner, SB_T_mac, row, false);
        else if (got < 0)
            sb_store(&page->busy, page->busy + 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        if (sb_follow(*reader, SB_T_event, 0, position, row, &lost) != 1)
            break;
        check_row(page, known, owner, SB_T_event, row, false);
    }
}

static _Noreturn void
run_reader(struct board *board, unsigned seat)
{
    static struct known known[OWNERS]; /* large */
    struct page *page = &board->pages[seat];
    struct sb_reader *readers[OWNERS] = {NULL};
    uint64_t positions[OWNERS] = {0}, seed = (uint64_t)getpid();

    for (;;) {
        for (unsigned o = 0; o < OWNERS; o++)
            read_owner(page, &known[o], o, &readers[o], &positions[o], &seed);
        sb_store(&page->beat, page->beat + 1);
        poll(NULL, 0, 1);
    }
}

/* ---- role: subscriber ------------------------------------------------------------------------ */

struct copy {
    struct page *page;
    struct known known[OWNERS];
    uint64_t digest[OWNERS];
};

static void
take_change(void *arg, const struct sb_change *change)
{
    struct copy *copy = arg;
    unsigned owner = strcmp(change->owner, owner_names[0]) != 0, writer;
    uint64_t n, generation;

    if (change->row)
        check_row(copy->page, &copy->known[owner], owner, change->table, change->row, true);
    if (change->old && !whole(owner, change->table, change->old, &writer, &n, &generation))
        sb_store(&copy->page->invalid, copy->page->invalid + 1);
    if (change->op == SB_APPEND)
        return;
    if (change->row)
        copy->digest[owner] += row_digest(change->table, change->row);
    if (change->old)
        copy->digest[owner] -= row_digest(change->table, change->old);
}

static _Noreturn void
run_subscriber(struct board *board, unsigned seat)
{
    static struct copy copy; /* large */
    struct page *page = &board->pages[seat];
    struct sb_subscriber *subscriber;
    char message[SB_MESSAGE_MAX];

    copy.page = page;
    if (sb_subscribe(&subscriber, fixture_instance(), NULL, TABLES, take_change, &copy, message) <
        0) {
        fprintf(stderr, "subscriber: %s\n", message);
        exit(3);
    }
    for (;;) {
        struct pollfd poller = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};
        int wait_ms = sb_subscriber_run(subscriber);

        for (unsigned o = 0; o < OWNERS; o++)
            sb_store_release(&page->digest[o], copy.digest[o]);
        sb_store(&page->beat, page->beat + 1);
        poll(&poller, 1, wait_ms < 100 ? wait_ms : 100);
    }
}

/* ---- driver ------------------------------------------------------------------------------------
 */

struct seat {
    pid_t pid;
    uint64_t killed_ns;             /* 0: consistent */
    uint64_t mark[OWNERS][WRITERS]; /* generations when it was killed */
    uint64_t beat, beat_ns;         /* last seen to change, and when */
};

struct driver {
    struct board *board;
    int board_fd; /* the roles inherit it */
    struct seat seats[SEATS];
    uint64_t *took_ns[3]; /* owned; by role */
    unsigned n_took[3];
    uint64_t seed;
};

static void
start(struct driver *driver, unsigned seat)
{
    static const uint32_t capacities[] = {CAPACITY, CAPACITY, CAPACITY, CAPACITY + 100};
    char seat_text[8], fd_text[8], capacity_text[16];
    pid_t pid;

    snprintf(seat_text, sizeof seat_text, "%u", seat);
    snprintf(fd_text, sizeof fd_text, "%d", driver->board_fd);
    /* now and then other capacities than before: the rows are copied to a new segment */
    snprintf(capacity_text, sizeof capacity_text, "%u",
             capacities[fixture_random(&driver->seed) % 4]);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/proc/self/exe", "statebus-chaos", seat_text, fd_text, capacity_text, NULL);
        _exit(127);
    }
    driver->seats[seat].pid = pid;
    driver->seats[seat].beat_ns = sb_mono();
}

static void
kill_and_restart(struct driver *driver, unsigned seat)
{
    struct seat *s = &driver->seats[seat];
    struct page *page = &driver->board->pages[seat];
    int status;

    kill(s->pid, SIGKILL);
    s->killed_ns = sb_mono();
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s %u had ended with status %#x", role_names[role_of[seat]], seat, status);
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned w = 0; w < WRITERS; w++) {
            s->mark[o][w] = sb_load(&driver->board->generation[o][w]);
            page->seen[o][w] = 0;
        }
    page->paused = 0;
    memset(page->digest, 0, sizeof page->digest);
    start(driver, seat);
}

/* Has page `p` seen what owner `o` wrote after the mark? */
static bool
fresh(const struct page *p, const struct seat *s, unsigned o)
{
    for (unsigned w = 0; w < WRITERS; w++)
        if ((w < n_shards[o] || w == SHARDS) && sb_load(&p->seen[o][w]) <= s->mark[o][w])
            return false;
    return true;
}

static bool
is_consistent(const struct driver *driver, unsigned seat)
{
    const struct seat *s = &driver->seats[seat];

    if (role_of[seat] == OWNER) {
        for (unsigned i = 0; i < SEATS; i++)
            if (role_of[i] != OWNER && !fresh(&driver->board->pages[i], s, seat))
                return false;
        return true;
    }
    for (unsigned o = 0; o < OWNERS; o++)
        if (!fresh(&driver->board->pages[seat], s, o))
            return false;
    return true;
}

/* One look at all roles: who is consistent again, who is stuck, who has died by itself. */
static unsigned
look(struct driver *driver)
{
    uint64_t now = sb_mono();
    unsigned consistent = 0;

    for (unsigned i = 0; i < SEATS; i++) {
        struct seat *s = &driver->seats[i];
        const struct page *page = &driver->board->pages[i];
        const char *role = role_names[role_of[i]];
        uint64_t beat = sb_load(&page->beat);
        int status;

        if (waitpid(s->pid, &status, WNOHANG) != 0)
            fail_msg("%s %u ended by itself, status %#x", role, i, status);
        if (sb_load(&page->invalid) != 0)
            fail_msg("%s %u: %llu invalid reads", role, i, (unsigned long long)page->invalid);
        if (beat != s->beat) {
            s->beat = beat;
            s->beat_ns = now;
        } else if (now - s->beat_ns > STUCK_NS) {
            fail_msg("%s %u is stuck", role, i);
        }
        if (s->killed_ns && is_consistent(driver, i)) {
            driver->took_ns[role_of[i]][driver->n_took[role_of[i]]++] = now - s->killed_ns;
            s->killed_ns = 0;
        } else if (s->killed_ns && now - s->killed_ns > LATE_NS) {
            fail_msg("%s %u is not consistent again", role, i);
        }
        consistent += s->killed_ns == 0;
    }
    return consistent;
}

static void
wait_for_all(struct driver *driver)
{
    while (look(driver) < SEATS)
        poll(NULL, 0, 1);
}

static uint64_t
digest_of(unsigned owner)
{
    struct sb_reader *reader = fixture_reader(owner_names[owner]);
    uint64_t row[64], cursor, digest = 0;

    for (unsigned t = 0; t < 2; t++) {
        enum sb_table_id id = t ? SB_T_host : SB_T_mac;
        int got;

        for (cursor = 0; (got = sb_read(reader, id, &cursor, row)) != 0;) {
            assert_int_equal(got, 1);
            digest += row_digest(id, row);
        }
    }
    sb_reader_close(&reader);
    return digest;
}

/* The writers rest; each subscriber's copy becomes what the tables hold. */
static void
compare_copies(struct driver *driver)
{
    uint64_t deadline = sb_mono() + LATE_NS;
    unsigned n_equal = 0;

    wait_for_all(driver);
    sb_store_release(&driver->board->pause, 1);
    for (unsigned o = 0; o < OWNERS; o++)
        while (sb_load_acquire(&driver->board->pages[o].paused) < n_shards[o] + 1) {
            assert_true(sb_mono() < deadline);
            poll(NULL, 0, 1);
        }
    while (n_equal < 2 * OWNERS) {
        n_equal = 0;
        look(driver);
        for (unsigned o = 0; o < OWNERS; o++)
            for (unsigned i = 0; i < SEATS; i++)
                n_equal += role_of[i] == SUBSCRIBER &&
                           sb_load_acquire(&driver->board->pages[i].digest[o]) == digest_of(o);
        if (sb_mono() > deadline)
            fail_msg("only %u of %u copies are what the tables hold", n_equal, 2 * OWNERS);
        poll(NULL, 0, 5);
    }
    sb_store_release(&driver->board->pause, 0);
    for (unsigned o = 0; o < OWNERS; o++)
        while (sb_load_acquire(&driver->board->pages[o].paused) > 0) {
            assert_true(sb_mono() < deadline + LATE_NS);
            poll(NULL, 0, 1);
        }
}

/* ---- what is told ------------------------------------------------------------------------------
 */

static int
by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
print_histogram(const struct driver *driver)
{
    for (unsigned r = 0; r < 3; r++) {
        uint64_t *took = driver->took_ns[r];
        unsigned n = driver->n_took[r], at = 0;

        if (n == 0)
            continue;
        qsort(took, n, sizeof *took, by_value);
        print_message("%-10s %4u kills, consistent again after p50 %llu ms, p99 %llu ms, max %llu "
                      "ms;",
                      role_names[r], n, (unsigned long long)(took[n / 2] / SB_MS),
                      (unsigned long long)(took[(n * 99) / 100] / SB_MS),
                      (unsigned long long)(took[n - 1] / SB_MS));
        for (uint64_t bound = 8; at < n; bound *= 2) {
            unsigned from = at;

            while (at < n && took[at] < bound * SB_MS)
                at++;
            if (at > from)
                print_message(" <%llu: %u", (unsigned long long)bound, at - from);
        }
        print_message("\n");
    }
}

static void
killed_at_random_all_stay_consistent(void **state)
{
    const unsigned kills = (getenv("TRIVET_FULL") ? 1000u : 100u) / SLOW;
    struct driver driver = {.seed = 2026};
    uint64_t reads = 0, steps_back = 0, busy = 0;

    (void)state;
    driver.board_fd = memfd_create("board", 0);
    assert_true(driver.board_fd >= 0);
    assert_int_equal(ftruncate(driver.board_fd, sizeof *driver.board), 0);
    driver.board =
        mmap(NULL, sizeof *driver.board, PROT_READ | PROT_WRITE, MAP_SHARED, driver.board_fd, 0);
    assert_true(driver.board != MAP_FAILED);
    for (unsigned r = 0; r < 3; r++) {
        driver.took_ns[r] = calloc(kills + SEATS, sizeof *driver.took_ns[r]);
        assert_non_null(driver.took_ns[r]);
    }
    for (unsigned i = 0; i < SEATS; i++) {
        driver.seats[i].killed_ns = sb_mono(); /* not consistent yet */
        start(&driver, i);
    }
    wait_for_all(&driver);
    memset(driver.n_took, 0, sizeof driver.n_took); /* starts are no kills */

    for (unsigned k = 1; k <= kills; k++) {
        uint64_t rest = sb_mono() + (1 + fixture_random(&driver.seed) % 60) * SB_MS;
        unsigned victim;

        while (look(&driver) == 0 || sb_mono() < rest)
            poll(NULL, 0, 1);
        do
            victim = (unsigned)(fixture_random(&driver.seed) % SEATS);
        while (driver.seats[victim].killed_ns != 0);
        kill_and_restart(&driver, victim);
        if (k % (20 / SLOW) == 0)
            compare_copies(&driver);
    }
    compare_copies(&driver);
    for (unsigned i = 0; i < SEATS; i++) {
        int status;

        kill(driver.seats[i].pid, SIGKILL);
        waitpid(driver.seats[i].pid, &status, 0);
        reads += driver.board->pages[i].reads;
        steps_back += driver.board->pages[i].steps_back;
        busy += driver.board->pages[i].busy;
        assert_int_equal(driver.board->pages[i].invalid, 0);
    }
    print_histogram(&driver);
    print_message("%u kills, %llu reads, 0 invalid, %llu busy; subscribers' rows stepped back %llu "
                  "times\n",
                  kills, (unsigned long long)reads, (unsigned long long)busy,
                  (unsigned long long)steps_back);
    assert_true(reads > 1000u * kills);
    for (unsigned r = 0; r < 3; r++)
        free(driver.took_ns[r]);
    munmap(driver.board, sizeof *driver.board);
    close(driver.board_fd);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_random_all_stay_consistent),
    };

    if (argc == 4) {
        unsigned seat = (unsigned)atoi(argv[1]);
        struct board *board =
            mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);

        if (board == MAP_FAILED || seat >= SEATS)
            return 2;
        if (role_of[seat] == OWNER)
            run_owner(board, seat, (uint32_t)atoi(argv[3]));
        else if (role_of[seat] == READER)
            run_reader(board, seat);
        else
            run_subscriber(board, seat);
    }
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
