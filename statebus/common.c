/* SPDX-License-Identifier: Apache-2.0
 *
 * common.c - the command line that all services share, and their start: config, then log.
 *
 * Neighbours: config.h (contract), config.c, log.c; the argp parsers of the services have
 * sb_common_argp as a child. Threads: main, before others start.
 */
#include <trivet/config.h>

#include <stdio.h>
#include <string.h>
#include <trivet/log.h>

enum {
    OPTION_CONFIG = 0x1000,
    OPTION_INSTANCE,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
    OPTION_COLD,
    OPTION_USER,
};

static const struct argp_option options[] = {
    {"config", OPTION_CONFIG, "FILE", 0, "read the settings of trivet.yaml(5) from FILE", 100},
    {"instance", OPTION_INSTANCE, "NAME", 0,
     "name of the group of services that share a state bus (default)", 100},
    {"log-level", OPTION_LOG_LEVEL, "LEVEL", 0, "error, warning, info or debug (info)", 100},
    {"log-format", OPTION_LOG_FORMAT, "FORMAT", 0, "text or json, one record a line (text)", 100},
    {"cold", OPTION_COLD, NULL, 0, "forget the state of an earlier run", 100},
    {"user", OPTION_USER, "NAME", 0,
     "when started as root, become this user (who owns the runtime directory)", 100},
    {0},
};

/* An instance is part of file, shared-memory and socket names: letters, digits, '_' and '-' only.
 */
static bool
instance_ok(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    return len >= 1 && len <= 32 && !name[len];
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct sb_common *common = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        common->instance = "default";
        common->log_level = -1;
        common->log_json = -1;
        return 0;
    case OPTION_CONFIG:
        common->config_path = arg;
        return 0;
    case OPTION_INSTANCE:
        if (!instance_ok(arg))
            argp_error(state, "--instance '%s': give 1 to 32 letters, digits, '_' or '-'", arg);
        common->instance = arg;
        return 0;
    case OPTION_LOG_LEVEL:
        common->log_level = sb_log_level_by_name(arg);
        if (common->log_level < 0)
            argp_error(state, "--log-level '%s': give error, warning, info or debug", arg);
        return 0;
    case OPTION_LOG_FORMAT:
        if (strcmp(arg, "text") != 0 && strcmp(arg, "json") != 0)
            argp_error(state, "--log-format '%s': give text or json", arg);
        common->log_json = !strcmp(arg, "json");
        return 0;
    case OPTION_COLD:
        common->cold = true;
        return 0;
    case OPTION_USER:
        common->user = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp sb_common_argp = {.options = options, .parser = parse};

void
sb_common_version(const char *program)
{
    static char version[64]; /* argp keeps the pointer */

    snprintf(version, sizeof version, "%s %s", program, TRIVET_VERSION);
    argp_program_version = version;
    argp_err_exit_status = 2;
}

struct sb_config *
sb_common_start(const struct sb_common *common, const char *program)
{
    char message[SB_CONFIG_MESSAGE_MAX];
    struct sb_config *config;

    /* The command line counts before the config is read too, so that an error in it comes out as
     * asked for. */
    sb_log_init(program);
    if (common->log_json >= 0)
        sb_log_json(common->log_json);
    if (common->log_level >= 0)
        sb_log_level((enum sb_log_level)common->log_level);
    if (sb_config_load(&config, common->config_path, message)) {
        sb_error("%s", message);
        return NULL;
    }
    if (common->log_json < 0)
        sb_log_json(config->log.json);
    if (common->log_level < 0)
        sb_log_level(config->log.level);
    return config;
}
