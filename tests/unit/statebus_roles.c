/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_roles.c - see statebus_roles.h.
 */
#include "statebus_roles.h"
#include "publisher.h"
#include "reader.h"
#include "record.h"
#include <czmq.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <trivet/clock.h>
#include <unistd.h>

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

/* The number behind `name` in the options. */
static uint64_t
option(const char *options, const char *name, uint64_t otherwise)
{
    const char *at = strstr(options, name);

    return at ? strtoull(at + strlen(name), NULL, 10) : otherwise;
}

/* ---- role: owner -------------------------------------------------------------------- */

struct worker {
    struct sb_owner *owner;
    unsigned shard, shards;
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
    uint64_t dpid = 1, now = 0;

    while (sb_shard_of(dpid, w->shards) != w->shard)
        dpid++;
    for (uint64_t i = 0; i < w->n; i++) {
        uint64_t random = fixture_random(&w->seed);
        struct sb_mac m = {.dpid = dpid, .last_ns = random, .port = (uint32_t)i};
        struct sb_flow f = {.dpid = dpid, .in_port = random >> 20 & 0xff, .cookie = random};
        struct sb_decision d = {.dpid = dpid, .in_port = w->shard};
        int64_t slot;

        memcpy(m.mac, &(uint64_t){random % 700}, sizeof m.mac);
        if ((random >> 40) % 3 == 0 && (slot = sb_find(mac, &m)) >= 0)
            sb_remove(mac, slot);
        else
            sb_put(mac, &m);
        sb_put(flow, &f);
        now = sb_mono() > now ? sb_mono() : now + 1; /* rises, over restarts too */
        d.t_ns = now;
        sb_append(decision, &d);
    }
    if (write(w->done, "", 1) != 1)
        abort();
    return NULL;
}

static void
churn(struct sb_owner *owner, unsigned shards, uint64_t n, uint64_t seed)
{
    struct worker workers[SHARDS];
    pthread_t threads[SHARDS];
    int fds[2], running = (int)shards;
    char byte;

    if (pipe(fds) < 0)
        abort();
    for (unsigned s = 0; s < shards; s++) {
        workers[s] = (struct worker){owner, s, shards, n, seed + s, fds[1]};
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
    for (unsigned s = 0; s < shards; s++)
        pthread_join(threads[s], NULL);
    close(fds[0]);
    close(fds[1]);
}

struct lonely {
    struct sb_owner *owner;
    uint64_t n, slowest_ns;
    int done;
    uint64_t pushed; /* live: changes made, each with its wake-up */
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
        __atomic_store_n(&w->pushed, i + 1, __ATOMIC_RELEASE);
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
    struct sb_reader *reader = fixture_reader("controller");
    uint64_t first = sb_reader_seq(reader, SB_T_mac), lost = 0;
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

        int pause = sb_owner_pump(owner);

        /* It sleeps for more than a drain's pace, so it waits to be woken. If it was not, though a
         * change that was made, wake-up and all, is not published: that one was lost. */
        if (poll(pollers, 2, pause) == 0 && pause > 5) {
            uint64_t pushed = __atomic_load_n(&lonely.pushed, __ATOMIC_ACQUIRE);

            lost +=
                sb_reader_seq(reader, SB_T_mac) - first < pushed && poll(&pollers[1], 1, 0) == 0;
        }
        running = !pollers[0].revents;
    }
    pthread_join(thread, NULL);
    sb_reader_close(&reader);
    close(fds[0]);
    close(fds[1]);
    printf("woken %" PRIu64 " %" PRIu64 "\n", lonely.slowest_ns, lost);
}

static void
fill(struct sb_owner *owner, unsigned shards)
{
    struct sb_mac m = {.dpid = 1, .mac = {2, 0, 0, 0, 0, 1}, .port = 4};
    struct sb_flow f = {.dpid = 1, .in_port = 4, .output = 2};
    struct sb_latency l = {.peer_id = 7, .window_s = 1, .rtt_min_ns = 1000, .peer = "h2"};

    if (sb_owner_table(owner, SB_T_latency, 0)) {
        sb_put(sb_owner_table(owner, SB_T_latency, 0), &l);
        return;
    }
    sb_put(sb_owner_table(owner, SB_T_mac, sb_shard_of(1, shards)), &m);
    sb_put(sb_owner_table(owner, SB_T_flow, sb_shard_of(1, shards)), &f);
}

/* As fast as messages go out, so that no change ring is ever full. */
static void
flood(struct sb_owner *owner, unsigned shards, uint64_t n)
{
    struct sb_table *mac = sb_owner_table(owner, SB_T_mac, sb_shard_of(1, shards));

    for (uint64_t i = 0; i < n; i++) {
        struct sb_mac m = {.dpid = 1, .last_ns = i};

        memcpy(m.mac, &(uint64_t){i % 500}, sizeof m.mac);
        sb_put(mac, &m);
        if (i % 64 == 0)
            sb_owner_pump(owner);
    }
}

/* Sends what waits, so that all changes have their numbers, and says what there is. */
static void
print_content(struct sb_owner *owner, const char *name)
{
    struct content content = {.changes = 0};
    struct sb_reader *reader = fixture_reader(name);
    uint64_t digest = 0;

    while (sb_owner_pump(owner) <= 1)
        poll(NULL, 0, 1);
    for (int id = 0; id < SB_T_COUNT; id++) {
        content.sent += sb_reader_seq(reader, (enum sb_table_id)id);
        for (unsigned s = 0; s < SHARDS; s++) {
            struct sb_table *table = sb_owner_table(owner, (enum sb_table_id)id, s);
            struct sb_table_stats stats;

            if (!table)
                continue;
            sb_table_stats(table, &stats);
            content.unpublished += stats.unpublished;
            if (sb_table_info((enum sb_table_id)id)->kind == SB_RING) {
                content.changes += stats.rows;
                content.ring += stats.rows;
                continue;
            }
            content.changes +=
                stats.inserted + stats.updated + stats.removed + stats.evicted - stats.superseded;
            content.rows += stats.rows;
            for (int64_t i = sb_next(table, -1); i >= 0; i = sb_next(table, i))
                digest += row_digest((enum sb_table_id)id, sb_peek(table, i));
        }
    }
    sb_reader_close(&reader);
    printf("content %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
           digest, content.rows, content.changes, content.sent, content.unpublished, content.ring);
}

static int
owner_role(const char *name, const char *options)
{
    uint16_t shards = (uint16_t)option(options, "shards=", SHARDS);
    const struct sb_owner_table controller[] = {
        {SB_T_mac, 2000, shards}, {SB_T_flow, 400, shards}, {SB_T_decision, 16384, shards}};
    static const struct sb_owner_table agent[] = {{SB_T_latency, 0, 1}};
    bool is_agent = strncmp(name, "agent.", 6) == 0;
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = name,
        .tables = is_agent ? agent : controller,
        .n_tables = is_agent ? 1 : 3,
        .cold = strstr(options, "cold") != NULL,
        .hwm = (int)option(options, "hwm=", 0),
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
            churn(owner, shards, n, seed);
        else if (sscanf(line, "flood %" SCNu64, &n) == 1)
            flood(owner, shards, n);
        else if (strcmp(line, "fill") == 0)
            fill(owner, shards);
        if (sscanf(line, "wake %" SCNu64, &n) == 1)
            wake(owner, n);
        else
            print_content(owner, name);
    }
    sb_owner_close(&owner);
    return 0;
}

/* ---- role: subscriber ------------------------------------------------------------------- */

struct view {
    uint64_t slow_ns; /* to spend on each change */
    uint64_t digest;
    uint64_t ring;          /* records received */
    uint64_t next[SHARDS];  /* time of the decision ring's next record, at least */
    uint64_t ring_disorder; /* records out of order or twice */
};

static void
on_change(void *arg, const struct sb_change *change)
{
    struct view *view = arg;

    for (uint64_t start = sb_mono(); view->slow_ns && sb_mono() - start < view->slow_ns;)
        ;
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
subscriber_role(const char *options)
{
    struct sb_subscriber *subscriber = NULL;
    struct sb_subscriber_stats stats;
    char message[SB_MESSAGE_MAX], line[128] = "";
    struct view view = {.slow_ns = option(options, "slow=", 0)};
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

/* ---- role: wire ---------------------------------------------------------------------------- */

/* One message from the owner: 0 passed on, else the records that were dropped. */
static uint32_t
pass_on(zsock_t *from, zsock_t *to, uint64_t percent, uint64_t *seed)
{
    zmsg_t *message = zmsg_recv(from);
    zframe_t *frame = message && zmsg_size(message) == 3 ? zmsg_first(message) : NULL;
    struct sb_message header;

    frame = frame ? zmsg_next(message) : NULL;
    if (!frame || zframe_size(frame) != sizeof header)
        abort();
    memcpy(&header, zframe_data(frame), sizeof header);
    if (header.kind == SB_MESSAGE_DELTA && fixture_random(seed) % 100 < percent) {
        zmsg_destroy(&message);
        return header.count;
    }
    if (zmsg_send(&message, to) < 0)
        abort();
    return 0;
}

static int
wire_role(const char *name)
{
    char path[SB_PATH_MAX], real[SB_PATH_MAX], line[128];
    uint64_t percent = 0, seed = 0, dropped = 0;
    zsock_t *from = zsock_new(ZMQ_SUB), *to = zsock_new(ZMQ_PUB);
    struct sb_header *header;
    size_t size;

    if (sb_runtime_path(fixture_instance(), name, ".pub", path, NULL) < 0 ||
        sb_runtime_path(fixture_instance(), name, ".real", real, NULL) < 0)
        return 1;
    header = fixture_map(name, &size);
    zsock_set_rcvhwm(from, 0);
    zsock_set_sndhwm(to, 0);
    zsock_set_subscribe(from, "");
    /* takes the owner's place, and says in the segment that it is its own */
    if (zsock_bind(to, "ipc://%s", real) < 0 ||
        renameat2(AT_FDCWD, real, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
        return 1;
    sb_store_release(&header->socket, sb_socket_inode(path));
    if (zsock_connect(from, "ipc://%s", real) < 0)
        return 1;
    pass_on(from, to, 0, &seed); /* a heartbeat: from here on the owner sends us everything */
    printf("ready\n");
    for (;;) {
        struct pollfd pollers[] = {{.fd = 0, .events = POLLIN},
                                   {.fd = (int)zsock_fd(from), .events = POLLIN}};

        while (zsock_events(from) & ZMQ_POLLIN)
            dropped += pass_on(from, to, percent, &seed);
        poll(pollers, 2, 100);
        if (!pollers[0].revents)
            continue;
        if (read_line(0, line, sizeof line, DEADLINE_MS) <= 0)
            break;
        sscanf(line, "drop %" SCNu64 " %" SCNu64, &percent, &seed);
        while (zsock_events(from) & ZMQ_POLLIN)
            dropped += pass_on(from, to, percent, &seed);
        printf("dropped %" PRIu64 "\n", dropped);
    }
    zsock_destroy(&from);
    zsock_destroy(&to);
    return 0;
}

int
role_main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 4)
        return -1;
    zsys_handler_set(NULL);
    if (strcmp(argv[1], "owner") == 0)
        return owner_role(argv[2], argv[3]);
    return strcmp(argv[1], "wire") == 0 ? wire_role(argv[2]) : subscriber_role(argv[3]);
}

/* ---- the test's side --------------------------------------------------------------------- */

void
expect_line(const struct child *child, char *ret, size_t size)
{
    int n = read_line(child->out, ret, size, DEADLINE_MS);

    if (n <= 0)
        fail_msg("child %ld: %s", (long)child->pid, n < 0 ? "no answer in time" : "gone");
}

/* Returns in a child that is process 1 of another PID namespace, and ends with it. */
static void
enter_pid_namespace(void)
{
    int status;
    pid_t pid;

    if (unshare(CLONE_NEWPID) < 0 || (pid = fork()) < 0)
        _exit(126);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        return;
    }
    close_range(0, ~0U, 0); /* the ends of the pipes that are the test's */
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        _exit(125);
    _exit(WEXITSTATUS(status));
}

struct child
start(const char *role, const char *name, const char *options)
{
    struct child child;
    int in[2], out[2];
    char line[64];

    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where it stands still */
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (strstr(options, "pidns"))
            enter_pid_namespace();
        execl("/proc/self/exe", "statebus-role", role, name, options, (char *)NULL);
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

void
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

void
stop_and_hold(const struct child *child)
{
    int status;

    kill(child->pid, SIGSTOP);
    assert_int_equal(waitpid(child->pid, &status, WUNTRACED), child->pid);
    assert_true(WIFSTOPPED(status));
}

void
say(const struct child *child, const char *format, ...)
{
    va_list args;
    char line[128];

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_int_equal(dprintf(child->in, "%s\n", line), strlen(line) + 1);
}

struct content
answer(const struct child *owner)
{
    struct content content;
    char line[256];

    expect_line(owner, line, sizeof line);
    assert_int_equal(sscanf(line,
                            "content %31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                            content.digest, &content.rows, &content.changes, &content.sent,
                            &content.unpublished, &content.ring),
                     6);
    return content;
}

struct content
order(const struct child *owner, const char *line)
{
    say(owner, "%s", line);
    return answer(owner);
}

void
sync_with(const struct child *subscriber, unsigned owners)
{
    char line[64];

    say(subscriber, "sync %u", owners);
    expect_line(subscriber, line, sizeof line);
    assert_string_equal(line, "synced");
}

struct reached
wait_for(const struct child *subscriber, const char *digest, uint64_t changes)
{
    struct reached r;
    char line[128];

    say(subscriber, "content %s %" PRIu64, digest, changes);
    expect_line(subscriber, line, sizeof line);
    assert_int_equal(
        sscanf(line, "reached %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &r.received, &r.missed, &r.rereads, &r.ring, &r.ring_lost, &r.wrong),
        6);
    assert_int_equal(r.wrong, 0);
    return r;
}

struct content
content_of_segment(const char *owner)
{
    struct sb_reader *reader = fixture_reader(owner);
    struct content content = {.changes = 0};
    uint64_t digest = 0, row[256];

    for (int i = 0; i < SB_T_COUNT; i++) {
        enum sb_table_id id = (enum sb_table_id)i;
        struct sb_table_stats stats;
        uint64_t cursor = 0;

        if (!sb_reader_has(reader, id))
            continue;
        content.sent += sb_reader_seq(reader, id);
        if (sb_table_info(id)->kind == SB_RING) {
            sb_reader_stats(reader, id, &stats);
            content.ring += stats.rows;
            continue;
        }
        for (; sb_read(reader, id, &cursor, row) == 1; content.rows++)
            digest += row_digest(id, row);
    }
    snprintf(content.digest, sizeof content.digest, "%016" PRIx64, digest);
    sb_reader_close(&reader);
    return content;
}
