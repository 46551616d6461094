/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - command line of trivet-agent and its three modes: the agent itself,
 * `ping HOST` and `reflect`. The command line wins over the config.
 */
#include "agent.h"

#include <argp.h>
#include <czmq.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "trivet-agent"

enum key {
    KEY_NAME = 256,
    KEY_PEER,
    KEY_INTERVAL,
    KEY_TIMEOUT,
    KEY_PORT,
    KEY_COUNT,
    KEY_JSON,
    KEY_ANY,
};

/* What the command line gave; merged with the config afterwards. */
struct arguments {
    struct ag_options options;
    bool ping; /* the mode takes a HOST */
    bool has_count;
};

static int
number(const struct argp_state *state, const char *option, const char *text, uint32_t min,
       uint32_t max, uint32_t *ret)
{
    unsigned long value;
    char *end;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < min || value > max)
        argp_error(state, "--%s %s: a number from %u to %u is needed", option, text, min, max);
    *ret = (uint32_t)value;
    return 0;
}

/* Appends to a list of borrowed strings. */
static int
append(char ***list, unsigned *n, char *text)
{
    char **grown = reallocarray(*list, *n + 1U, sizeof(*grown));

    if (!grown)
        return ENOMEM;
    grown[(*n)++] = text;
    *list = grown;
    return 0;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct ag_options *options = &arguments->options;
    uint32_t value;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        return 0;
    case KEY_NAME:
        options->name = arg;
        return 0;
    case 'i':
        return append(&options->interfaces, &options->n_interfaces, arg);
    case KEY_PEER:
        return append(&options->peers, &options->n_peers, arg);
    case KEY_INTERVAL:
        return number(state, "interval", arg, 1, 3600000, &options->interval_ms);
    case KEY_TIMEOUT:
        return number(state, "timeout", arg, 10, 60000, &options->timeout_ms);
    case KEY_PORT:
        number(state, "port", arg, 1, UINT16_MAX, &value);
        options->port = (uint16_t)value;
        return 0;
    case KEY_COUNT:
        arguments->has_count = true;
        return number(state, "count", arg, 0, INT32_MAX, &options->count);
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_ANY:
        options->any = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!arguments->ping || options->host)
            argp_error(state, "%s: one argument too many", arg);
        options->host = arg;
        return 0;
    case ARGP_KEY_END:
        if (arguments->ping && !options->host)
            argp_error(state, "ping needs a HOST");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#define OPTION_INTERVAL                                                                            \
    {                                                                                              \
        .name = "interval", .key = KEY_INTERVAL, .arg = "MS", .doc = "Time between probes"         \
    }
#define OPTION_TIMEOUT                                                                             \
    {                                                                                              \
        .name = "timeout", .key = KEY_TIMEOUT, .arg = "MS",                                        \
        .doc = "A probe not back by then is lost"                                                  \
    }
#define OPTION_PORT                                                                                \
    {                                                                                              \
        .name = "port", .key = KEY_PORT, .arg = "PORT", .doc = "UDP port of the reflector"         \
    }
#define OPTION_PEER(text)                                                                          \
    {                                                                                              \
        .name = "peer", .key = KEY_PEER, .arg = "ADDR", .doc = text                                \
    }

static const struct argp_option agent_options[] = {
    {.name = "name", .key = KEY_NAME, .arg = "N", .doc = "Name of this agent"},
    {.name = "interface", .key = 'i', .arg = "IF", .doc = "Speak on this interface only (repeat)"},
    OPTION_PEER("Probe this address too, where multicast does not reach (repeat)"),
    OPTION_INTERVAL,
    OPTION_TIMEOUT,
    OPTION_PORT,
    {0},
};
static const struct argp_option ping_options[] = {
    {.name = "count", .key = KEY_COUNT, .arg = "N", .doc = "Probes; 0: until interrupted"},
    {.name = "json", .key = KEY_JSON, .doc = "One object a sample, then one with the summary"},
    OPTION_INTERVAL,
    OPTION_TIMEOUT,
    OPTION_PORT,
    {0},
};
static const struct argp_option reflect_options[] = {
    OPTION_PEER("Answer this address (repeat)"),
    {.name = "any", .key = KEY_ANY, .doc = "Answer everybody"},
    OPTION_PORT,
    {0},
};
static const struct argp_child children[] = {{.argp = &sb_common_argp, .header = "All:"}, {0}};

static const struct argp agent_argp = {
    .options = agent_options,
    .parser = parse,
    .doc =
        "Measure latency and loss to all other agents.\v"
        "Other agents are found by multicast on each interface.\n"
        "`" PROGRAM " ping HOST' and `" PROGRAM " reflect' are modes with a --help of their own.\n"
        "See trivet-agent(8).",
    .children = children,
};
static const struct argp ping_argp = {
    .options = ping_options,
    .parser = parse,
    .args_doc = "HOST",
    .doc = "Probe one agent, or any STAMP or TWAMP-Light reflector.",
    .children = children,
};
static const struct argp reflect_argp = {
    .options = reflect_options,
    .parser = parse,
    .doc = "Answer probes, and nothing else.",
    .children = children,
};

static const struct mode {
    const char *name, *title; /* title: of usage and messages */
    const struct argp *argp;
    int (*run)(const struct ag_options *options);
} modes[] = {
    {"", PROGRAM, &agent_argp, ag_agent_run},
    {"ping", PROGRAM " ping", &ping_argp, ag_ping_run},
    {"reflect", PROGRAM " reflect", &reflect_argp, ag_reflect_run},
};

/* Lists of the command line replace those of the config. */
static void
merge(struct ag_options *options, const struct sb_config *config)
{
    if (options->n_interfaces == 0) {
        options->interfaces = config->agent.interfaces;
        options->n_interfaces = config->agent.n_interfaces;
    }
    if (options->n_peers == 0) {
        options->peers = config->agent.peers;
        options->n_peers = config->agent.n_peers;
    }
    if (options->interval_ms == 0)
        options->interval_ms = config->agent.interval_ms;
    if (options->timeout_ms == 0)
        options->timeout_ms = config->agent.timeout_ms;
    if (options->port == 0)
        options->port = config->agent.port;
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {.options = {.common = {.log_level = -1, .log_json = -1}}};
    const struct mode *mode = &modes[0];
    struct ag_options merged;
    struct sb_config *config;
    int status;

    zsys_handler_set(NULL);
    for (unsigned i = 1; i < sizeof(modes) / sizeof(modes[0]) && argc > 1; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    if (mode != &modes[0]) {
        argc--;
        argv++;
        argv[0] = (char *)(uintptr_t)mode->title;
    }
    arguments.ping = mode->run == ag_ping_run;
    sb_common_version(PROGRAM);
    argp_parse(mode->argp, argc, argv, 0, NULL, &arguments);
    if (arguments.ping && !arguments.has_count)
        arguments.options.count = 10;
    config = sb_common_start(&arguments.options.common, PROGRAM);
    if (!config)
        return 1;
    merged = arguments.options;
    merge(&merged, config);
    status = mode->run(&merged);
    free(arguments.options.interfaces);
    free(arguments.options.peers);
    sb_config_free(&config);
    return status;
}
