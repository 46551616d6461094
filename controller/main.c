/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - trivet-controller: command line, start, main loop, stop.
 *
 * Order of the start: configuration, listeners and TLS keys, privileges dropped, bus segment
 * (adopting what an earlier run left), topology from its rows, workers. The main thread then serves
 * listeners, topology, bus publisher and signals in one poll loop.
 */
#include "controller.h"

#include <argp.h>
#include <czmq.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <trivet/clock.h>
#include <trivet/privilege.h>

#include "topology/topology.h"

#define PROGRAM "trivet-controller"
#define LISTENERS_MAX 16

/* ---- command line -------------------------------------------------------------------- */

struct arguments {
    struct sb_common common;
    char *listen[LISTENERS_MAX]; /* borrowed from argv */
    unsigned n_listen;
    struct ctl_tls_files tls; /* borrowed from argv */
    enum sb_policy policy;    /* SB_policy_NONE: not given */
    int workers;              /* -1: not given */
};

enum { KEY_CERTIFICATE = 256, KEY_PRIVATE_KEY, KEY_CA, KEY_CRL };

static const struct argp_option options[] = {
    {"listen", 'l', "tcp:ADDR:PORT|ssl:ADDR:PORT|unix:PATH", 0,
     "Listen here; may be repeated (default tcp:127.0.0.1:6653 and tcp:127.0.0.1:6633)", 0},
    {"certificate", KEY_CERTIFICATE, "FILE", 0, "Our certificate, for ssl: addresses (PEM)", 0},
    {"private-key", KEY_PRIVATE_KEY, "FILE", 0, "Its private key (PEM)", 0},
    {"ca-certificate", KEY_CA, "FILE", 0, "The CA that signs the switches' certificates (PEM)", 0},
    {"crl", KEY_CRL, "FILE", 0, "Which of these it has revoked (PEM)", 0},
    {"ca-cert", KEY_CA, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0}, /* as OVS has it */
    {"policy", 'p', "NAME", 0, "shortest (default), learning or round-robin", 0},
    {"workers", 'w', "N", 0, "Worker threads (default: cores - 1, at least 1)", 0},
    {0},
};

static enum sb_policy
policy_by_name(const char *name)
{
    static const enum sb_policy all[] = {SB_policy_SHORTEST, SB_policy_LEARNING,
                                         SB_policy_ROUND_ROBIN};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(name, sb_policy_text(all[i])) == 0)
            return all[i];
    return SB_policy_NONE;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    char *end;
    long n;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case 'l':
        if (a->n_listen == LISTENERS_MAX)
            argp_error(state, "more than %d listen addresses", LISTENERS_MAX);
        a->listen[a->n_listen++] = arg;
        return 0;
    case KEY_CERTIFICATE:
        a->tls.certificate = arg;
        return 0;
    case KEY_PRIVATE_KEY:
        a->tls.private_key = arg;
        return 0;
    case KEY_CA:
        a->tls.ca_certificate = arg;
        return 0;
    case KEY_CRL:
        a->tls.crl = arg;
        return 0;
    case 'p':
        a->policy = policy_by_name(arg);
        if (a->policy == SB_policy_NONE)
            argp_error(state, "unknown policy '%s': shortest, learning or round-robin", arg);
        return 0;
    case 'w':
        n = strtol(arg, &end, 10);
        if (*end != '\0' || n < 1 || n > 64)
            argp_error(state, "--workers takes a number from 1 to 64, not '%s'", arg);
        a->workers = (int)n;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- start ------------------------------------------------------------------------------ */

static unsigned
default_workers(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores > 65 ? 64 : cores > 2 ? (unsigned)cores - 1 : 1;
}

/* The command line wins. */
static struct ctl_tls_files
tls_files(const struct arguments *a, const struct sb_config *config)
{
    struct ctl_tls_files files = a->tls;

    if (files.certificate == NULL)
        files.certificate = config->controller.certificate;
    if (files.private_key == NULL)
        files.private_key = config->controller.private_key;
    if (files.ca_certificate == NULL)
        files.ca_certificate = config->controller.ca_certificate;
    if (files.crl == NULL)
        files.crl = config->controller.crl;
    return files;
}

/* Listeners, and what they need: while we are still who may open low ports and read keys. */
static int
open_listeners(struct ctl_app *app, const struct arguments *a, struct ctl_listener *listeners,
               unsigned *ret_n)
{
    char *const *wanted = a->n_listen > 0 ? a->listen : app->config->controller.listen;
    unsigned n = a->n_listen > 0 ? a->n_listen : app->config->controller.n_listen;
    struct ctl_tls_files files = tls_files(a, app->config);
    char message[512];

    if (n > LISTENERS_MAX) {
        sb_error("controller.listen: more than %d addresses", LISTENERS_MAX);
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        if (ctl_listen_tls(wanted[i]) && app->tls == NULL) {
            app->tls = ctl_tls_server_new(&files, message, sizeof(message));
            if (app->tls == NULL) {
                sb_error("listen %s: %s", wanted[i], message);
                return -1;
            }
        }
        if (ctl_listen(&listeners[i], wanted[i], message, sizeof(message)) != 0) {
            sb_error("listen %s", message);
            return -1;
        }
        ++*ret_n;
    }
    return 0;
}

/* This raises the limit of open files, too: every switch is one. */
static int
open_bus(struct ctl_app *app, const struct sb_common *common)
{
    static const enum sb_table_id ids[] = {
        SB_T_switch, SB_T_port,      SB_T_link,       SB_T_host,     SB_T_mac,   SB_T_flow,
        SB_T_group,  SB_T_installed, SB_T_flow_table, SB_T_decision, SB_T_event, SB_T_counter};
    struct sb_owner_table tables[sizeof(ids) / sizeof(ids[0])];
    struct sb_owner_config config = {.instance = common->instance,
                                     .name = "controller",
                                     .tables = tables,
                                     .n_tables = sizeof(ids) / sizeof(ids[0]),
                                     .cold = common->cold};
    char message[SB_MESSAGE_MAX];

    for (size_t i = 0; i < config.n_tables; i++)
        tables[i] = (struct sb_owner_table){
            .id = ids[i],
            .capacity = app->config->capacity[ids[i]],
            .shards = sb_table_info(ids[i])->sharded ? (uint16_t)app->n_workers : 1,
        };
    if (sb_owner_open(&app->owner, &config, message) != SB_OK) {
        sb_error("state bus: %s", message);
        return -1;
    }
    if (message[0] != '\0')
        sb_warning("state bus: %s", message);
    app->events = sb_owner_table(app->owner, SB_T_event, 0);
    ctl_counters_open(app);
    sb_owner_phase(app->owner, SB_RESTORED);
    return 0;
}

static int
start_workers(struct ctl_app *app)
{
    for (; app->n_started < app->n_workers; app->n_started++)
        if (ctl_worker_start(&app->workers[app->n_started], app, app->n_started) != 0) {
            sb_error("worker %u: %s", app->n_started, strerror(errno));
            return -1;
        }
    if (app->tls != NULL && (app->greeter = ctl_greeter_start(app)) == NULL) {
        sb_error("thread for TLS handshakes: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* Switches that are connected stay. */
static void
reload_tls(struct ctl_app *app, const struct arguments *a, const struct sb_config *fresh)
{
    struct ctl_tls_files files = tls_files(a, fresh);
    char message[512];

    if (app->tls == NULL)
        return;
    if (ctl_tls_server_reload(app->tls, &files, message, sizeof(message)) == 0)
        sb_info("SIGHUP: certificates read again, for switches that connect from now on");
    else
        sb_error("SIGHUP: %s; the old certificates stay", message);
}

static void
reload(struct ctl_app *app, const struct arguments *a)
{
    const struct sb_common *common = &a->common;
    struct sb_config *fresh;
    char message[SB_CONFIG_MESSAGE_MAX];

    if (sb_config_load(&fresh, common->config_path, message) != 0) {
        sb_error("SIGHUP: %s; the old configuration stays", message);
        return;
    }
    if (common->log_level < 0)
        sb_log_level(fresh->log.level);
    if (common->log_json < 0)
        sb_log_json(fresh->log.json);
    sb_info("SIGHUP: log settings taken over%s",
            fresh->controller.policy != app->config->controller.policy ||
                    fresh->controller.n_uplinks != app->config->controller.n_uplinks ||
                    fresh->controller.workers != app->config->controller.workers
                ? "; policy, uplinks and workers need a restart, which loses nothing"
                : "");
    reload_tls(app, a, fresh);
    sb_config_free(&fresh);
}

static void
log_counters(struct ctl_app *app)
{
    for (unsigned i = 0; i < app->n_workers; i++)
        ctl_post(&app->workers[i].mailbox, ctl_mail_new(CTL_W_COUNTERS, 0, 0));
    if (app->greeter != NULL)
        ctl_post(ctl_greeter_mailbox(app->greeter), ctl_mail_new(CTL_W_COUNTERS, 0, 0));
}

/* False: stop. */
static bool
take_signal(struct ctl_app *app, const struct arguments *a, int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != sizeof(info))
        return true;
    if (info.ssi_signo == SIGHUP) {
        reload(app, a);
        return true;
    }
    if (info.ssi_signo == SIGUSR1) {
        log_counters(app);
        return true;
    }
    sb_info("signal %u: stopping; the switches keep their rules", info.ssi_signo);
    return false;
}

static void
take_mail(struct ctl_app *app)
{
    struct ctl_mail *mail, *next;

    for (mail = ctl_mailbox_take(&app->mailbox); mail != NULL; mail = next) {
        next = mail->next;
        ctl_app_mail(app, mail);
        free(mail);
    }
}

/* Until a signal: 0; or -1, when it cannot go on. */
static int
serve(struct ctl_app *app, const struct arguments *a, struct ctl_listener *listeners,
      unsigned n_listeners, int signals)
{
    struct pollfd fds[3 + LISTENERS_MAX] = {
        {.fd = signals, .events = POLLIN},
        {.fd = app->mailbox.fd, .events = POLLIN},
        {.fd = sb_owner_fd(app->owner), .events = POLLIN},
    };
    char message[SB_MESSAGE_MAX];
    bool go_on = true;

    while (go_on) {
        int bus = sb_owner_pump(app->owner), topology = ctl_topology_run(app->topology);

        /* a listener that found no free file descriptor rests until its time */
        for (unsigned i = 0; i < n_listeners; i++)
            fds[3 + i] =
                (struct pollfd){.fd = sb_mono() < listeners[i].rest_until_ns ? -1 : listeners[i].fd,
                                .events = POLLIN};

        if (poll(fds, 3 + n_listeners, bus < topology ? bus : topology) < 0 && errno != EINTR) {
            sb_error("poll: %s", strerror(errno));
            return -1;
        }
        if (sb_owner_check(app->owner, message) != SB_OK) {
            sb_error("state bus: %s; ending, to be started anew; the switches keep their rules",
                     message);
            return -1;
        }
        if (fds[0].revents != 0)
            go_on = take_signal(app, a, signals);
        if (fds[1].revents != 0)
            take_mail(app);
        for (unsigned i = 0; i < n_listeners; i++)
            if (fds[3 + i].revents != 0)
                ctl_listener_run(app, &listeners[i]);
    }
    return 0;
}

static int
signal_fd(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) /* inherited by all threads */
        return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&sb_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse,
                                     NULL,
                                     "OpenFlow controller: switches connect, it decides and keeps "
                                     "its state on the bus.",
                                     children,
                                     NULL,
                                     NULL};
    struct arguments a = {.workers = -1};
    struct ctl_app app = {.mailbox.fd = -1};
    struct ctl_listener listeners[LISTENERS_MAX];
    unsigned n_listeners = 0;
    char runtime_dir[256];
    int signals, status = EXIT_FAILURE;

    zsys_handler_set(NULL);
    sb_common_version(PROGRAM);
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    signals = signal_fd();
    app.config = sb_common_start(&a.common, PROGRAM);
    if (app.config == NULL || signals < 0)
        return EXIT_FAILURE;
    if (a.policy != SB_policy_NONE)
        app.config->controller.policy = a.policy;
    app.n_workers = a.workers > 0                        ? (unsigned)a.workers
                    : app.config->controller.workers > 0 ? app.config->controller.workers
                                                         : default_workers();
    if (open_listeners(&app, &a, listeners, &n_listeners) != 0)
        goto out;
    app.workers = calloc(app.n_workers, sizeof(*app.workers));
    if (sb_privilege_drop(a.common.instance, "controller", a.common.user, NULL, 0) != 0 ||
        app.workers == NULL || ctl_mailbox_init(&app.mailbox) != 0 ||
        open_bus(&app, &a.common) != 0 ||
        sb_runtime_dir(a.common.instance, runtime_dir, sizeof(runtime_dir)) != SB_OK)
        goto out;
    for (unsigned i = 0; i < app.n_workers; i++)
        if (ctl_mailbox_init(&app.workers[i].mailbox) != 0)
            goto out;
    if (ctl_topology_open(&app, runtime_dir) != 0 || start_workers(&app) != 0)
        goto out;
    ctl_event(&app, SB_event_kind_START, SB_severity_INFO, 0, 0,
              "%s %s, policy %s, %u worker%s, %s", PROGRAM, TRIVET_VERSION,
              sb_policy_text(app.config->controller.policy), app.n_workers,
              app.n_workers == 1 ? "" : "s", sb_owner_warm(app.owner) ? "warm" : "cold");
    for (unsigned i = 0; i < n_listeners; i++)
        sb_info("listening on %s", listeners[i].spec);
    sb_owner_phase(app.owner, SB_RUNNING);
    if (serve(&app, &a, listeners, n_listeners, signals) == 0)
        status = EXIT_SUCCESS;
out:
    ctl_greeter_join(&app.greeter);
    for (unsigned i = 0; i < app.n_started; i++)
        ctl_worker_join(&app.workers[i]);
    for (unsigned i = 0; i < app.n_started; i++)
        ctl_worker_fini(&app.workers[i]);
    for (unsigned i = 0; i < n_listeners; i++)
        ctl_listener_close(&listeners[i]);
    ctl_topology_close(app.topology);
    if (app.mailbox.fd >= 0)
        ctl_mailbox_fini(&app.mailbox);
    sb_owner_close(&app.owner);
    free(app.workers);
    ctl_tls_server_free(&app.tls);
    sb_config_free(&app.config);
    return status;
}
