/* SPDX-License-Identifier: Apache-2.0
 *
 * ofbench.c - load generator: fake OpenFlow switches against a controller.
 *
 * Each switch makes a real handshake and answers what a switch answers. Then, in this order:
 *
 * SETTLE: a packet-in from one known MAC to another is sent each 100 ms until the controller
 * answers with a packet-out to one port: its discovery takes the ports for edge ports by then.
 *
 * WARM: one broadcast packet-in from each MAC, so that every destination is known.
 *
 * RUN: packet-ins of distinct (source, destination) pairs, in turn, a window of them outstanding
 * per switch. Each carries a running number; a packet-out with that number answers it, once. In
 * OpenFlow 1.0 the switches keep the packets: the number is also the buffer id, and whatever
 * releases that buffer answers, a flow-mod or a packet-out.
 *
 * The measured interval begins a while after the last switch is warm. The CPU time of the server
 * process (all its threads) over the interval, divided by the answers in it, is what a packet-in
 * costs: throughput alone could be limited by this program. Latency mode: one switch, one
 * outstanding, the time of each. Discovery frames are never looped back; what is no answer is
 * ignored.
 *
 * One thread, epoll. Neighbours: ofbench_switch.c, ofcanned.c (the floor), env/bench (runs both).
 */
#include "ofbench.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MAX_NS (15 * SECOND)

uint64_t
bench_clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) void
bench_die(const char *format, ...)
{
    va_list args;

    fputs("ofbench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- CPU time of the server ------------------------------------------------------- */

/* Sum over its threads of the time on a CPU, ns; 0 when it cannot be read. */
static uint64_t
cpu_ns(pid_t pid)
{
    char path[64 + 256];
    uint64_t sum = 0;
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    folder = opendir(path);
    if (!folder)
        return 0;
    while ((entry = readdir(folder))) {
        uint64_t ns;
        FILE *file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%" SCNu64, &ns) == 1)
            sum += ns;
        fclose(file);
    }
    closedir(folder);
    return sum;
}

/* ---- loop ------------------------------------------------------------ */

static void
turn(struct bench *bench, int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(bench->epoll, events, 64, timeout_ms);

    bench->now_ns = bench_clock_ns();
    for (int i = 0; i < n; i++) {
        struct fake_switch *sw = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            bench_receive(bench, sw);
        if (bench->latency)
            bench->now_ns = bench_clock_ns();
        bench_fill(bench, sw);
        bench_flush(bench, sw);
    }
}

/* Time-outs and whatever no answer starts; a few times a second. */
static void
tick(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->n_switches; i++) {
        struct fake_switch *sw = &bench->switches[i];

        if (sw->phase == CONNECTED && sw->known)
            sw->phase = SETTLE;
        bench_expire(bench, sw);
        bench_fill(bench, sw);
        bench_flush(bench, sw);
    }
}

/* Turns until the condition holds or the time is over; true when it holds. */
#define UNTIL(bench, condition, ns)                                                                \
    ({                                                                                             \
        uint64_t end_ = bench_clock_ns() + (ns), tick_ = 0;                                        \
        bool held_;                                                                                \
        while (!(held_ = (condition)) && bench_clock_ns() < end_) {                                \
            turn(bench, 10);                                                                       \
            if ((bench)->now_ns - tick_ > 20000000) {                                              \
                tick_ = (bench)->now_ns;                                                           \
                tick(bench);                                                                       \
            }                                                                                      \
        }                                                                                          \
        held_;                                                                                     \
    })

/* ---- the run ------------------------------------------------------------------------------- */

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double
percentile_us(const struct bench *bench, double p)
{
    if (bench->n_samples == 0)
        return 0;
    return bench->samples[(size_t)(p * (double)(bench->n_samples - 1))] / 1000.0;
}

/* One line a decision that the run asked for: dpid, in_port, source, destination, output. */
static void
save_decisions(const struct bench *bench)
{
    FILE *file = fopen(bench->save, "w");
    uint8_t a[6], z[6];
    uint32_t src, dst;

    if (!file)
        bench_die("%s: %s", bench->save, strerror(errno));
    for (uint32_t s = 0; s < bench->n_switches; s++)
        for (uint32_t k = 0; k < bench->switches[s].n_pairs_sent; k++) {
            bench_pair(bench, k, &src, &dst);
            bench_mac(a, s, src);
            bench_mac(z, s, dst);
            fprintf(file,
                    "%016" PRIx64 " %u %02x:%02x:%02x:%02x:%02x:%02x"
                    " %02x:%02x:%02x:%02x:%02x:%02x %u\n",
                    DPID_BASE + s, bench_port(bench, src), a[0], a[1], a[2], a[3], a[4], a[5], z[0],
                    z[1], z[2], z[3], z[4], z[5], bench_port(bench, dst));
        }
    fclose(file);
}

static void
report(const struct bench *bench, uint64_t ns, uint64_t cpu)
{
    double answers = bench->answers ? (double)bench->answers : 1;

    printf("{\"mode\":\"%s\",\"openflow\":\"%s\",\"switches\":%u,\"macs\":%u,\"ports\":%u,"
           "\"pairs\":%u,\"window\":%u,"
           "\"seconds\":%.3f,\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
           ",\"per_second\":%.0f,\"flow_mods\":%" PRIu64 ",\"flooded\":%" PRIu64
           ",\"wrong_port\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"warm_lost\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"cpu_ns\":%" PRIu64
           ",\"cpu_share\":%.3f,\"cpu_ns_per_packet_in\":%.1f",
           bench->latency ? "latency" : "throughput", bench->version == OF10 ? "1.0" : "1.3",
           bench->n_switches, bench->n_macs, bench->n_ports, bench->n_pairs, bench->window,
           (double)ns / 1e9, bench->sent, bench->answers, answers * 1e9 / (double)ns,
           bench->flow_mods, bench->flooded, bench->wrong, bench->duplicates, bench->lost,
           bench->warm_lost, bench->errors, cpu, (double)cpu / (double)ns, (double)cpu / answers);
    if (bench->latency)
        printf(",\"latency_p50_us\":%.1f,\"latency_p99_us\":%.1f", percentile_us(bench, 0.5),
               percentile_us(bench, 0.99));
    if (bench->again)
        printf(",\"first_ns_per_packet_in\":%.1f", bench->first_ns);
    printf("}\n");
    fflush(stdout);
}

static uint64_t
server_cpu(const struct bench *bench)
{
    uint64_t ns = cpu_ns(bench->server);

    if (bench->server && !ns)
        bench_die("no CPU time of process %d: is it there, and has the kernel schedstat?",
                  bench->server);
    return ns;
}

static bool
all_asked(const struct bench *bench)
{
    for (uint32_t i = 0; i < bench->n_switches; i++)
        if (bench->switches[i].n_pairs_sent < bench->n_pairs)
            return false;
    return true;
}

/* Each pair once, measured by itself: a new decision is more work than one that is made again. */
static void
first_pass(struct bench *bench)
{
    uint64_t cpu = server_cpu(bench);

    bench->measuring = true;
    if (!UNTIL(bench, all_asked(bench), 120 * SECOND))
        bench_die("not every pair has been asked for after two minutes");
    bench->measuring = false;
    if (bench->answers)
        bench->first_ns = (double)(server_cpu(bench) - cpu) / (double)bench->answers;
    bench->sent = bench->answers = bench->flow_mods = 0; /* what went wrong stays */
}

static void
run(struct bench *bench)
{
    uint64_t start, cpu, ns;

    for (uint32_t i = 0; i < bench->n_switches; i++)
        bench_connect(bench, &bench->switches[i], i);
    if (!UNTIL(bench, bench->n_settled == bench->n_switches, SETTLE_MAX_NS))
        bench_die("only %u of %u switches got a rule for a known destination within %u s",
                  bench->n_settled, bench->n_switches, (unsigned)(SETTLE_MAX_NS / SECOND));
    if (!UNTIL(bench, bench->n_warm == bench->n_switches, 60 * SECOND))
        bench_die("only %u of %u switches are warm after a minute", bench->n_warm,
                  bench->n_switches);
    if (bench->again)
        first_pass(bench);
    UNTIL(bench, false, SECOND / 4);

    cpu = server_cpu(bench);
    start = bench_clock_ns();
    bench->measuring = true;
    UNTIL(bench, false, (uint64_t)(bench->seconds * 1e9));
    bench->measuring = false;
    ns = bench_clock_ns() - start;
    cpu = server_cpu(bench) - cpu;

    for (uint32_t i = 0; i < bench->n_switches; i++)
        bench->switches[i].phase = DRAIN;
    UNTIL(bench, false, LOST_NS / 2); /* late answers; and the server's own queues */
    for (uint32_t i = 0; i < bench->n_switches; i++)
        bench->lost += bench->switches[i].outstanding;
    if (bench->latency)
        qsort(bench->samples, bench->n_samples, sizeof(bench->samples[0]), by_value);
    if (bench->save) /* before the report, which says that it can be read */
        save_decisions(bench);
    report(bench, ns, cpu);
}

/* Stays connected, as a switch does, until standard input ends. */
static void
hold(struct bench *bench)
{
    char c;

    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    UNTIL(bench, read(STDIN_FILENO, &c, 1) == 0, 300 * SECOND);
}

/* ---- command line -------------------------------------------------------------------------- */

static uint32_t
number(const char *text, const char *name, uint32_t min, uint32_t max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || end == text || value < min || value > max)
        bench_die("%s %s: expected %u to %u", name, text, min, max);
    return (uint32_t)value;
}

enum { KEY_AGAIN = 256, KEY_HOLD, KEY_OPENFLOW, KEY_SAVE, KEY_PAIRS, KEY_PORTS };

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct bench *bench = state->input;

    switch (key) {
    case 'H':
        bench->host = arg;
        break;
    case 'p':
        bench->port = (uint16_t)number(arg, "--port", 1, 65535);
        break;
    case 'P':
        bench->server = (pid_t)number(arg, "--server-pid", 1, INT32_MAX);
        break;
    case 'n':
        bench->n_switches = number(arg, "--switches", 1, 1000);
        break;
    case 'm':
        bench->n_macs = number(arg, "--macs", 4, 1000000);
        break;
    case KEY_PORTS:
        bench->n_ports = number(arg, "--ports", 2, 64);
        break;
    case KEY_PAIRS:
        bench->n_pairs = number(arg, "--pairs", 1, 4000000);
        break;
    case 'w':
        bench->window = number(arg, "--window", 1, WINDOW_MAX);
        break;
    case 't':
        bench->seconds = strtod(arg, NULL);
        if (!(bench->seconds > 0 && bench->seconds <= 3600))
            bench_die("--seconds %s: expected up to 3600", arg);
        break;
    case 'l':
        bench->latency = true;
        break;
    case KEY_OPENFLOW:
        if (strcmp(arg, "1.0") != 0 && strcmp(arg, "1.3") != 0)
            bench_die("--openflow %s: expected 1.0 or 1.3", arg);
        bench->version = arg[2] == '0' ? OF10 : OF13;
        break;
    case KEY_AGAIN:
        bench->again = true;
        break;
    case KEY_HOLD:
        bench->hold = true;
        break;
    case KEY_SAVE:
        bench->save = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option options[] = {
    {"host", 'H', "ADDRESS", 0, "controller (127.0.0.1)", 0},
    {"port", 'p', "PORT", 0, "its TCP port (6653)", 0},
    {"server-pid", 'P', "PID", 0, "process whose CPU time is measured", 0},
    {"openflow", KEY_OPENFLOW, "VERSION", 0, "1.3, or 1.0 with buffers in the switch (1.3)", 0},
    {"switches", 'n', "N", 0, "fake switches (16)", 0},
    {"macs", 'm', "M", 0, "MACs per switch (1000)", 0},
    {"ports", KEY_PORTS, "N", 0, "ports per switch (4); divides the MACs", 0},
    {"pairs", KEY_PAIRS, "N", 0, "distinct pairs per switch, used in turn (4000)", 0},
    {"window", 'w', "N", 0, "packet-ins outstanding per switch (64)", 0},
    {"seconds", 't', "T", 0, "measured interval (2)", 0},
    {"latency", 'l', NULL, 0, "one switch, one outstanding: the time of each answer", 0},
    {"again", KEY_AGAIN, NULL, 0, "each pair once before the measured interval, by itself", 0},
    {"hold", KEY_HOLD, NULL, 0, "stay connected after the report until standard input ends", 0},
    {"save-decisions", KEY_SAVE, "FILE", 0, "write every distinct decision asked for", 0},
    {0},
};

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse,
        NULL,    "Loads an OpenFlow controller with fake switches and prints one line of JSON.",
        NULL,    NULL,
        NULL};
    struct bench bench = {.host = "127.0.0.1",
                          .port = 6653,
                          .version = OF13,
                          .n_switches = 16,
                          .n_macs = 1000,
                          .n_ports = 4,
                          .n_pairs = 4000,
                          .window = 64,
                          .seconds = 2};

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &bench);
    if (bench.latency)
        bench.n_switches = bench.window = 1;
    if ((uint64_t)bench.n_switches * bench.n_macs >= 1 << 24)
        bench_die("%u switches of %u MACs: no addresses for so many", bench.n_switches,
                  bench.n_macs);
    if (bench.n_macs % bench.n_ports)
        bench_die("%u MACs do not divide among %u ports", bench.n_macs, bench.n_ports);
    if (bench.n_pairs > (uint64_t)bench.n_macs * (bench.n_macs - bench.n_macs / bench.n_ports))
        bench_die("%u MACs have no %u pairs on different ports", bench.n_macs, bench.n_pairs);
    bench.samples_size = bench.latency ? 4u << 20 : 0;
    bench.samples = calloc(bench.samples_size + 1, sizeof(bench.samples[0]));
    bench.switches = calloc(bench.n_switches, sizeof(bench.switches[0]));
    bench.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!bench.samples || !bench.switches || bench.epoll < 0)
        bench_die("%s", strerror(errno));
    run(&bench);
    if (bench.hold)
        hold(&bench);
    for (uint32_t i = 0; i < bench.n_switches; i++) {
        close(bench.switches[i].fd);
        free(bench.switches[i].rx);
        free(bench.switches[i].tx);
    }
    free(bench.switches);
    free(bench.samples);
    return 0;
}
