/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - the program pcapcheck: command line, and the loop of a live run.
 *
 * One thread and one epoll for capture handles, bus and signals (the reason is in pcapcheck.h).
 * source.c holds the offline run and the view of another checker's table.
 */
#include "app.h"

#include <czmq.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <trivet/log.h>
#include <trivet/privilege.h>
#include <trivet/statebus.h>
#include <unistd.h>

#define TICK_MS 100
#define SYNC_NS (2 * SB_SECOND) /* a run waits so long for the bus before it counts its time */
#define DROP_MEMORY_NS (60 * SB_SECOND)

enum { OPT_FOR = 256, OPT_EXPECT, OPT_JSON, OPT_JUNIT, OPT_ONCE, OPT_PORT };

static const struct argp_option options[] = {
    {"interface", 'i', "IF", 0, "capture on this interface, and on no other than those given", 0},
    {"read", 'r', "FILE", 0, "read a capture (pcap or pcapng, also gzip) instead", 0},
    {"expect", OPT_EXPECT, "FILE", 0, "what should happen: JSON lines of statebus dump --json", 0},
    {"for", OPT_FOR, "TIME", 0, "end after this time: 10s, 500ms, 2m", 0},
    {"json", OPT_JSON, NULL, 0, "JSON, one object a line", 0},
    {"junit", OPT_JUNIT, "FILE", 0, "write the verdicts as JUnit XML", 0},
    {"once", OPT_ONCE, NULL, 0, "flows: print the table once", 0},
    {"port", OPT_PORT, "PORT", 0, "openflow: a TCP port of the channel beside 6653 and 6633", 0},
    {0},
};

static bool
parse_time(const char *text, uint64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"m", 60e9}, {"h", 3600e9}};
    char *end;
    double v = strtod(text, &end);

    if (end == text || !(v > 0) || v > 1e6)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ret_ns = (uint64_t)(v * units[i].ns);
            return true;
        }
    return false;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct app *app = state->input;
    unsigned long port;
    char *end;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &app->common;
        return 0;
    case 'i':
        if (app->n_interfaces == ARGS_MAX)
            argp_error(state, "too many interfaces");
        app->interfaces[app->n_interfaces++] = arg;
        return 0;
    case 'r':
        if (app->n_files == ARGS_MAX)
            argp_error(state, "too many files");
        app->files[app->n_files++] = arg;
        return 0;
    case OPT_EXPECT:
        app->expect = arg;
        return 0;
    case OPT_FOR:
        if (!parse_time(arg, &app->for_ns))
            argp_error(state, "%s: not a time (10s, 500ms, 2m)", arg);
        return 0;
    case OPT_JSON:
        app->json = true;
        return 0;
    case OPT_JUNIT:
        app->junit = arg;
        return 0;
    case OPT_ONCE:
        app->once = true;
        return 0;
    case OPT_PORT:
        port = strtoul(arg, &end, 10);
        if (!*arg || *end || !port || port > UINT16_MAX)
            argp_error(state, "%s: not a port", arg);
        app->port = (uint16_t)port;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && strcmp(arg, "flows") == 0)
            app->command = CMD_FLOWS;
        else if (state->arg_num == 0 && strcmp(arg, "openflow") == 0)
            app->command = CMD_OPENFLOW;
        else if (state->arg_num == 1 && app->command == CMD_OPENFLOW)
            app->channel = arg;
        else
            argp_error(state, "%s: unknown command (flows, openflow FILE)", arg);
        return 0;
    case ARGP_KEY_END:
        if (app->command == CMD_OPENFLOW && !app->channel)
            argp_error(state, "openflow needs a capture file");
        if (app->n_files && app->n_interfaces)
            argp_error(state, "-i and -r exclude each other");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the live run ----------------------------------------------------------------------- */

static void
on_point(void *arg, uint32_t point, const char *text)
{
    struct app *app = arg;
    const struct pc_point *p = &app->engine->net.points.point[point];
    char name[32], line[160];

    pc_point_text(p, name, sizeof name);
    snprintf(line, sizeof line, "%s: %s%.100s", name, p->why[0] ? "not capturable: " : "", text);
    if (!p->why[0]) {
        sb_debug("%s", line);
        return;
    }
    sb_info("%s", line);
    if (app->bus)
        pc_bus_event(app->bus, SB_event_kind_CAPTURE, SB_severity_WARNING, p, line);
}

static int
open_signals(int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = SIGNAL_TAG};
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

static void
tick(struct app *app, uint64_t now)
{
    if (now < app->tick_ns + SB_SECOND)
        return;
    app->tick_ns = now;
    if (app->command == CMD_FLOWS && !app->once)
        app_show_own(app, false);
    if (app->bus)
        pc_bus_publish(app->bus);
}

/* One turn of the loop; false at a signal. */
static bool
turn(struct app *app)
{
    struct epoll_event events[64];
    int bus_ms = app->bus ? pc_bus_run(app->bus) : TICK_MS, n;
    uint64_t now;
    bool go_on = true, followed;

    if (bus_ms > TICK_MS)
        bus_ms = TICK_MS;
    n = epoll_wait(app->epoll, events, 64, app->pending || pc_live_backlog(app->live) ? 0 : bus_ms);
    now = sb_now();
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == SIGNAL_TAG)
            go_on = false;
        else if (events[i].data.u64 & PC_LIVE_TAG)
            pc_live_read(app->live, (uint32_t)events[i].data.u64, now);
    }
    pc_live_poll(app->live, now);
    followed = pc_live_follow(app->live, on_point, app);
    pc_engine_advance(app->engine, pc_live_watermark(app->live, now));
    app->pending = !followed;
    if (!app->running && followed &&
        (!app->bus || pc_bus_synced(app->bus) || now > app->start_ns + SYNC_NS)) {
        app->running = true;
        app->start_ns = now;
        if (app->bus)
            pc_bus_phase_running(app->bus);
        sb_info("capturing on %u handles of %u ports", pc_live_handles(app->live),
                app->engine->net.points.n);
    }
    tick(app, now);
    return go_on;
}

static int
run_live(struct app *app)
{
    struct pc_live_config live = {.buffer = (uint64_t)app->config->pcapcheck.buffer_mib << 20,
                                  .snaplen = app->config->pcapcheck.snaplen,
                                  .only = app->interfaces,
                                  .n_only = app->n_interfaces,
                                  .epoll = app->epoll};
    static const int keep[] = {CAP_NET_RAW}; /* packet sockets, also for ports that appear later */
    char message[256];
    uint64_t end;

    if (!app->n_interfaces) {
        live.only = app->config->pcapcheck.interfaces;
        live.n_only = app->config->pcapcheck.n_interfaces;
    }
    if (pc_live_open(&app->live, app->engine, &live, message)) {
        sb_error("%s", message);
        return 2;
    }
    if (sb_privilege_drop(app->common.instance, "pcapcheck", app->common.user, keep, 1))
        return 1;
    if (pc_bus_open(&app->bus, app->engine, app->common.instance, app->config, app->common.cold,
                    app->command == CMD_FLOWS, app->epoll, message)) {
        sb_error("bus: %s", message);
        return 1;
    }
    if (!app->for_ns)
        app->engine->drop_memory_ns = DROP_MEMORY_NS;
    if (app->once && !app->for_ns)
        app->for_ns = 3 * SB_SECOND;
    app->start_ns = sb_now();
    do {
        end = app->running && app->for_ns ? app->start_ns + app->for_ns : UINT64_MAX;
        /* One with an end has its verdicts without a segment, too. */
        if (!app->for_ns && pc_bus_check(app->bus, message) != SB_OK) {
            sb_error("bus: %s; ending, to be started anew", message);
            return 1;
        }
    } while (turn(app) && sb_now() < end);
    /* What is in the rings and on the bus already still counts. */
    for (uint64_t late = sb_now() + PC_LAG_NS; app->for_ns && sb_now() < late;)
        if (!turn(app))
            break;
    pc_live_drain(app->live, sb_now());
    pc_bus_run(app->bus);
    pc_engine_advance(app->engine, UINT64_MAX);
    pc_bus_publish(app->bus);
    return 0;
}

static int
finish(struct app *app)
{
    static const int codes[] = {[SB_verdict_result_INCONCLUSIVE] = 3,
                                [SB_verdict_result_PASS] = 0,
                                [SB_verdict_result_FAIL] = 1};
    struct pc_summary s;

    if (app->command == CMD_FLOWS) {
        app_show_own(app, true);
        return 0;
    }
    if (app->junit && pc_report_junit(app->engine, app->junit_file)) {
        sb_error("%s: cannot be written", app->junit);
        return 2;
    }
    if (app->json)
        pc_report_json(app->engine, stdout);
    else
        pc_report_text(app->engine, stdout);
    pc_summarise(app->engine, &s);
    return codes[s.result];
}

int
main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&sb_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[flows | openflow FILE]",
        .doc = "Looks at the real packets and says whether the network does what the controller "
               "decided.\vExit status: 0 pass, 1 fail, 2 usage, 3 inconclusive.",
        .children = children,
    };
    struct app *app = calloc(1, sizeof *app);
    struct pc_engine_config config = {0};
    char message[256];
    int result = 2, signals = -1;

    zsys_handler_set(NULL);
    if (!app)
        return 2;
    sb_common_version("pcapcheck");
    argp_parse(&argp, argc, argv, 0, NULL, app);
    if (app->command == CMD_OPENFLOW) {
        result = pc_openflow(app->channel, app->port, app->json);
        free(app);
        return result;
    }
    app->config = sb_common_start(&app->common, "pcapcheck");
    if (!app->config) {
        free(app);
        return 2;
    }
    app->epoll = epoll_create1(EPOLL_CLOEXEC);
    signals = open_signals(app->epoll);
    if (app->command == CMD_FLOWS && !app->n_files && !app->n_interfaces &&
        app_view_other(app, &result))
        goto out;
    if (getrandom(&config.seed, sizeof config.seed, 0) != sizeof config.seed)
        config.seed = sb_now();
    app->engine = pc_engine_new(&config);
    if (!app->engine) {
        sb_error("no memory");
        goto out;
    }
    if (app->expect && pc_expect_load(&app->engine->net, app->expect, message)) {
        sb_error("%s", message);
        goto out;
    }
    if (app->junit && !(app->junit_file = fopen(app->junit, "we"))) {
        sb_error("%s: cannot be written: %s", app->junit, strerror(errno));
        goto out;
    }
    result = app->n_files ? app_run_files(app) : run_live(app);
    if (!result)
        result = finish(app);
out:
    pc_live_close(&app->live);
    pc_bus_close(&app->bus);
    pc_engine_destroy(&app->engine);
    sb_config_free(&app->config);
    if (app->junit_file)
        fclose(app->junit_file);
    if (signals >= 0)
        close(signals);
    if (app->epoll >= 0)
        close(app->epoll);
    free(app);
    return result;
}
