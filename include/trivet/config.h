/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h - the one YAML file of all services, and the command line they share.
 *
 * Every key is optional. libcyaml checks it against a schema: an unknown key, a wrong type or a
 * value out of range is refused with file, line, column and key. Example (all defaults):
 *
 *   log: {level: info, format: text}
 *   controller:
 *     listen: [tcp:127.0.0.1:6653, tcp:127.0.0.1:6633]
 *     policy: shortest            # learning | round-robin | shortest
 *     workers: 0                  # 0: cores - 1, at least 1
 *     tls: {}                     # {certificate: FILE, private-key: FILE, ca-certificate: FILE,
 *                                 #  crl: FILE}
 *     round-robin:
 *       switches: {}              # the literal form, e.g. {2: [1, 2], 4: [1, 2]}; keys are dpids
 *     confirm-s: 300              # hosts of before a restart go unless confirmed by then
 *     statistics-s: 10            # counters are read from each switch; 0: never
 *     discovery: {interval-ms: 1000, settle-ms: 500}
 *   agent:
 *     interface: []
 *     peer: []
 *     interval-ms: 500
 *     timeout-ms: 2000
 *     port: 18620
 *   pcapcheck:
 *     interface: []
 *     buffer-mib: 256
 *     snaplen: 128
 *   tables: {mac: 32768, flow: 32768}   # rows; any table of tables.def
 */
#ifndef TRIVET_CONFIG_H
#define TRIVET_CONFIG_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <trivet/log.h>
#include <trivet/tables.h>

#define SB_CONFIG_MESSAGE_MAX 512

/* One `dpid: [port, ...]` of controller.round-robin.switches */
struct sb_config_uplinks {
    uint64_t dpid;
    uint32_t *ports; /* owned */
    unsigned n_ports;
};

struct sb_config {
    struct {
        enum sb_log_level level;
        bool json;
    } log;
    struct {
        char **listen; /* owned, as the strings in it */
        unsigned n_listen;
        enum sb_policy policy;
        uint16_t workers;
        struct sb_config_uplinks *uplinks; /* owned; literal round-robin */
        unsigned n_uplinks;
        char *certificate, *private_key, *ca_certificate, *crl; /* owned; NULL: not given */
        uint32_t discovery_interval_ms, discovery_settle_ms;
        uint32_t confirm_s, statistics_s;
    } controller;
    struct {
        char **interfaces, **peers; /* owned */
        unsigned n_interfaces, n_peers;
        uint32_t interval_ms, timeout_ms;
        uint16_t port;
    } agent;
    struct {
        char **interfaces; /* owned */
        unsigned n_interfaces;
        uint32_t buffer_mib, snaplen;
    } pcapcheck;
    uint32_t capacity[SB_T_COUNT]; /* rows; 0: default of tables.def */
};

/* path NULL: defaults only. message: SB_CONFIG_MESSAGE_MAX bytes, on error
 * "FILE:LINE:COLUMN: key: what is wrong". 0 or -1. *ret is set on success only. */
int sb_config_load(struct sb_config **ret, const char *path, char *message);
void sb_config_free(struct sb_config **config); /* NULLs; accepts NULL */

/* ---- command line ----------------------------------------------------------- */

/* The options every service takes: --config FILE, --instance NAME, --log-level LEVEL,
 * --log-format text|json, --cold, --user NAME. Use &sb_common_argp as an argp child whose input is
 * a struct sb_common (zeroed); argp_program_version is set by sb_common_version(). Usage errors
 * exit with 2: set argp_err_exit_status = 2 first (sb_common_version() does). */
struct sb_common {
    const char *instance;    /* "default" unless given; checked: [A-Za-z0-9_-]{1,32} */
    const char *config_path; /* NULL: none */
    int log_level;           /* -1: not given */
    int log_json;            /* -1: not given */
    bool cold;
    const char *user; /* for sb_privilege_drop(); NULL: not given */
};
extern const struct argp sb_common_argp;
void sb_common_version(const char *program);
/* After argp_parse: loads the config, sets up the log from config and command line. On error logs
 * it and returns NULL. The caller owns the config. */
struct sb_config *sb_common_start(const struct sb_common *common, const char *program);

#endif
