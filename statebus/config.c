/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c - the one YAML file of all services: schema, ranges, defaults.
 *
 * Neighbours: config.h (contract), config_document.c (syntax and positions), config_uplinks.c (the
 * one subtree with free keys), common.c (calls it). Threads: main.
 *
 * libcyaml checks structure, names and words against the schema below and fills the struct. Whole
 * numbers are checked before, from the table `numbers`, because libcyaml knows no ranges and stops
 * at the first character that is no digit; the table also holds their defaults.
 */
#include <trivet/config.h>

#include <cyaml/cyaml.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_document.h"

/* Where libcyaml puts things: sections by pointer, so that a section left empty ("log:") is
 * accepted. Their members are those of struct sb_config. */
struct loaded_controller {
    typeof(((struct sb_config *)NULL)->controller) settings; /* moved to the config */
    struct {
        uint32_t interval_ms, settle_ms; /* the table `numbers` sets the real ones */
    } * discovery;
    struct {
        char *certificate, *private_key, *ca_certificate, *crl; /* move to the config, too */
    } * tls;
    struct {
        uint8_t unused; /* its only key is read by config_uplinks() */
    } * round_robin;
};
struct loaded {
    typeof(((struct sb_config *)NULL)->log) *log;
    struct loaded_controller *controller;
    typeof(((struct sb_config *)NULL)->agent) *agent;
    typeof(((struct sb_config *)NULL)->pcapcheck) *pcapcheck;
    uint32_t (*tables)[SB_T_COUNT]; /* SB_T_<table> -> rows */
};

/* ---- schema ---- */

#define SECTION (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL)
#define WORD (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)
#define N(array) (sizeof(array) / sizeof(array)[0])

static const cyaml_strval_t levels[] = {{"error", SB_LOG_ERROR},
                                        {"warning", SB_LOG_WARNING},
                                        {"info", SB_LOG_INFO},
                                        {"debug", SB_LOG_DEBUG}};
static const cyaml_strval_t formats[] = {{"text", false}, {"json", true}};
/* Those a user may choose; the others of enum sb_policy name rules that are always there. */
static const cyaml_strval_t policies[] = {{"learning", SB_policy_LEARNING},
                                          {"round-robin", SB_policy_ROUND_ROBIN},
                                          {"shortest", SB_policy_SHORTEST}};

static const cyaml_schema_value_t address = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 255)};
static const cyaml_schema_value_t interface = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, IFNAMSIZ - 1)};

static const cyaml_schema_field_t log_fields[] = {
    CYAML_FIELD_ENUM("level", WORD, typeof(((struct sb_config *)NULL)->log), level, levels,
                     N(levels)),
    CYAML_FIELD_ENUM("format", WORD, typeof(((struct sb_config *)NULL)->log), json, formats,
                     N(formats)),
    CYAML_FIELD_END};

static const cyaml_schema_field_t discovery_fields[] = {
    CYAML_FIELD_UINT("interval-ms", CYAML_FLAG_OPTIONAL,
                     typeof(*((struct loaded_controller *)NULL)->discovery), interval_ms),
    CYAML_FIELD_UINT("settle-ms", CYAML_FLAG_OPTIONAL,
                     typeof(*((struct loaded_controller *)NULL)->discovery), settle_ms),
    CYAML_FIELD_END};
#define TLS typeof(*((struct loaded_controller *)NULL)->tls)
static const cyaml_schema_field_t tls_fields[] = {
    CYAML_FIELD_STRING_PTR("certificate", SECTION, TLS, certificate, 1, 4095),
    CYAML_FIELD_STRING_PTR("private-key", SECTION, TLS, private_key, 1, 4095),
    CYAML_FIELD_STRING_PTR("ca-certificate", SECTION, TLS, ca_certificate, 1, 4095),
    CYAML_FIELD_STRING_PTR("crl", SECTION, TLS, crl, 1, 4095), CYAML_FIELD_END};
static const cyaml_schema_field_t round_robin_fields[] = {
    CYAML_FIELD_IGNORE("switches", CYAML_FLAG_OPTIONAL), CYAML_FIELD_END};
static const cyaml_schema_field_t controller_fields[] = {
    CYAML_FIELD_SEQUENCE_COUNT("listen", SECTION, struct loaded_controller, settings.listen,
                               settings.n_listen, &address, 0, 64),
    CYAML_FIELD_ENUM("policy", WORD, struct loaded_controller, settings.policy, policies,
                     N(policies)),
    CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, struct loaded_controller, settings.workers),
    CYAML_FIELD_UINT("confirm-s", CYAML_FLAG_OPTIONAL, struct loaded_controller,
                     settings.confirm_s),
    CYAML_FIELD_UINT("statistics-s", CYAML_FLAG_OPTIONAL, struct loaded_controller,
                     settings.statistics_s),
    CYAML_FIELD_MAPPING_PTR("discovery", SECTION, struct loaded_controller, discovery,
                            discovery_fields),
    CYAML_FIELD_MAPPING_PTR("tls", SECTION, struct loaded_controller, tls, tls_fields),
    CYAML_FIELD_MAPPING_PTR("round-robin", SECTION, struct loaded_controller, round_robin,
                            round_robin_fields),
    CYAML_FIELD_END};

#define AGENT typeof(((struct sb_config *)NULL)->agent)
static const cyaml_schema_field_t agent_fields[] = {
    CYAML_FIELD_SEQUENCE_COUNT("interface", SECTION, AGENT, interfaces, n_interfaces, &interface, 0,
                               256),
    CYAML_FIELD_SEQUENCE_COUNT("peer", SECTION, AGENT, peers, n_peers, &address, 0, 4096),
    CYAML_FIELD_UINT("interval-ms", CYAML_FLAG_OPTIONAL, AGENT, interval_ms),
    CYAML_FIELD_UINT("timeout-ms", CYAML_FLAG_OPTIONAL, AGENT, timeout_ms),
    CYAML_FIELD_UINT("port", CYAML_FLAG_OPTIONAL, AGENT, port),
    CYAML_FIELD_END};

#define PCAPCHECK typeof(((struct sb_config *)NULL)->pcapcheck)
static const cyaml_schema_field_t pcapcheck_fields[] = {
    CYAML_FIELD_SEQUENCE_COUNT("interface", SECTION, PCAPCHECK, interfaces, n_interfaces,
                               &interface, 0, 4096),
    CYAML_FIELD_UINT("buffer-mib", CYAML_FLAG_OPTIONAL, PCAPCHECK, buffer_mib),
    CYAML_FIELD_UINT("snaplen", CYAML_FLAG_OPTIONAL, PCAPCHECK, snaplen), CYAML_FIELD_END};

static const cyaml_schema_field_t table_fields[] = {
#define SB_TABLE(name, kind, owner, thread, capacity, full, text)                                  \
    {.key = #name,                                                                                 \
     .data_offset = SB_T_##name * sizeof(uint32_t),                                                \
     .value = {CYAML_VALUE_UINT(CYAML_FLAG_OPTIONAL, uint32_t)}},
#include <trivet/tables.def>
    CYAML_FIELD_END};

static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_MAPPING_PTR("log", SECTION, struct loaded, log, log_fields),
    CYAML_FIELD_MAPPING_PTR("controller", SECTION, struct loaded, controller, controller_fields),
    CYAML_FIELD_MAPPING_PTR("agent", SECTION, struct loaded, agent, agent_fields),
    CYAML_FIELD_MAPPING_PTR("pcapcheck", SECTION, struct loaded, pcapcheck, pcapcheck_fields),
    CYAML_FIELD_MAPPING_PTR("tables", SECTION, struct loaded, tables, table_fields),
    CYAML_FIELD_END};
static const cyaml_schema_value_t top = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct loaded, top_fields)};

/* ---- whole numbers: ranges and defaults ---- */

static const struct number {
    const char *key;       /* path of keys */
    uint32_t min, max;     /* accepted range, both included */
    uint32_t fallback;     /* when the key is not there */
    uint16_t offset, size; /* of the member in struct sb_config; 2 or 4 bytes */
} numbers[] = {
#define NUMBER(key, member, min, max, fallback)                                                    \
    {                                                                                              \
        key, min, max, fallback, offsetof(struct sb_config, member),                               \
            sizeof(((struct sb_config *)NULL)->member)                                             \
    }
    NUMBER("controller.workers", controller.workers, 0, 64, 0),
    NUMBER("controller.statistics-s", controller.statistics_s, 0, 3600, 10),
    NUMBER("controller.confirm-s", controller.confirm_s, 1, 86400, 300),
    NUMBER("controller.discovery.interval-ms", controller.discovery_interval_ms, 1, 60000, 1000),
    NUMBER("controller.discovery.settle-ms", controller.discovery_settle_ms, 1, 60000, 500),
    NUMBER("agent.interval-ms", agent.interval_ms, 1, 60000, 500),
    NUMBER("agent.timeout-ms", agent.timeout_ms, 1, 60000, 2000),
    NUMBER("agent.port", agent.port, 1, 65535, 18620),
    NUMBER("pcapcheck.buffer-mib", pcapcheck.buffer_mib, 1, 65536, 256),
    NUMBER("pcapcheck.snaplen", pcapcheck.snaplen, 64, 262144, 128),
#define SB_TABLE(name, kind, owner, thread, rows, full, text)                                      \
    {"tables." #name,                                                                              \
     16,                                                                                           \
     16777216,                                                                                     \
     0,                                                                                            \
     offsetof(struct sb_config, capacity) + SB_T_##name * sizeof(uint32_t),                        \
     sizeof(uint32_t)},
#include <trivet/tables.def>
};

static int
set_numbers(struct document *doc, struct sb_config *config)
{
    for (size_t i = 0; i < N(numbers); i++) {
        const struct number *n = &numbers[i];
        yaml_node_t *node = document_find(doc, n->key);
        uint64_t value = n->fallback;
        char *member = (char *)config + n->offset;

        if (node) {
            const char *text = node_text(node);

            if (!text || !parse_number(text, &value) || value < n->min || value > n->max)
                return node_error(doc, node, n->key,
                                  "give a whole number from %u to %u, not '%.40s'", n->min, n->max,
                                  text ? text : "(a list or mapping)");
        }
        if (n->size == sizeof(uint16_t))
            *(uint16_t *)(void *)member = (uint16_t)value;
        else
            *(uint32_t *)(void *)member = (uint32_t)value;
    }
    return 0;
}

/* ---- libcyaml and its errors ---- */

/* What libcyaml says on its way out of an error: the reason, then one line a level of nesting,
 * innermost first: "  in mapping field 'workers' (line: 2, column: 12)". */
struct complaint {
    char reason[160];    /* the first line */
    char key[96];        /* path of keys, built from the inside */
    size_t line, column; /* of the innermost level; 0: none was named */
    bool backtrace;      /* "Backtrace:" has come */
};

static void
hear(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    struct complaint *c = ctx;
    char text[256], word[64], longer[sizeof c->key];
    size_t line, column;
    unsigned entry;

    if (level != CYAML_LOG_ERROR)
        return;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    if (strstr(text, "Backtrace:")) {
        c->backtrace = true;
        return;
    }
    if (!c->backtrace) {
        if (!c->reason[0])
            snprintf(c->reason, sizeof c->reason, "%.150s",
                     strncmp(text, "Load: ", 6) ? text : text + 6);
        return;
    }
    word[0] = 0;
    if (sscanf(text, " in mapping field '%63[^']' (line: %zu, column: %zu)", word, &line,
               &column) != 3 &&
        sscanf(text, " in mapping (line: %zu, column: %zu)", &line, &column) != 2 &&
        sscanf(text, " in sequence entry '%u' (line: %zu, column: %zu)", &entry, &line, &column) !=
            3)
        return;
    if (!c->line) {
        c->line = line;
        c->column = column;
    }
    if (word[0]) {
        snprintf(longer, sizeof longer, "%.40s%s%.50s", word, c->key[0] ? "." : "", c->key);
        memcpy(c->key, longer, sizeof c->key);
    }
}

/* libcyaml's allocator, so that what it allocates may be freed with free(). */
static void *
allocate(void *ctx, void *pointer, size_t size)
{
    (void)ctx;
    if (size)
        return realloc(pointer, size);
    free(pointer);
    return NULL;
}

/* "learning, round-robin, shortest" for a key whose value is one of some words, else "". */
static void
choices(const char *key, char *ret, size_t size)
{
    static const struct {
        const char *key;
        const cyaml_strval_t *words;
        size_t n;
    } words[] = {{"log.level", levels, N(levels)},
                 {"log.format", formats, N(formats)},
                 {"controller.policy", policies, N(policies)}};
    size_t used = 0;

    ret[0] = 0;
    for (size_t i = 0; i < N(words); i++) {
        if (strcmp(key, words[i].key) != 0)
            continue;
        for (size_t j = 0; j < words[i].n && used < size; j++)
            used += (size_t)snprintf(ret + used, size - used, "%s%s", j ? ", " : "",
                                     words[i].words[j].str);
    }
}

#define TWICE "Mapping field already seen"

/* libcyaml's words in ours: "Expecting MAPPING, got event: SCALAR" and the like. */
static void
reword(const char *reason, char *ret, size_t size)
{
    static const char *const kinds[][2] = {{"MAPPING", "a mapping (key: value)"},
                                           {"SEQUENCE", "a list"},
                                           {"SCALAR", "a single value"},
                                           {"STRING", "a single value"},
                                           {"ENUM", "a single word"},
                                           {"UINT", "a whole number"}};
    const char *words[2] = {"something else", "something else"};
    char wanted[16], got[24];
    unsigned bound;

    if (sscanf(reason, "Expecting %15[A-Z], got event: %23[A-Z]", wanted, got) == 2) {
        for (size_t i = 0; i < N(kinds); i++) {
            if (!strcmp(wanted, kinds[i][0]))
                words[0] = kinds[i][1];
            if (!strcmp(got, kinds[i][0]))
                words[1] = kinds[i][1];
        }
        snprintf(ret, size, "give %s, not %s", words[0], words[1]);
    } else if (sscanf(reason, "STRING length > %u", &bound) == 1) {
        snprintf(ret, size, "give at most %u bytes, not '%.60s'", bound, strchr(reason, ':') + 2);
    } else if (!strncmp(reason, "STRING length <", 15)) {
        snprintf(ret, size, "give a value, not ''");
    } else if (!strncmp(reason, TWICE, strlen(TWICE))) {
        snprintf(ret, size, "this key is there twice");
    } else {
        snprintf(ret, size, "%.150s", reason);
    }
}

static int
refuse(struct document *doc, const struct complaint *c, cyaml_err_t error)
{
    const char *colon = strstr(c->reason, ": ");
    const char *value = colon ? colon + 2 : "";
    size_t line = c->line ? c->line : 1, column = c->line ? c->column : 1;
    char words[128], text[160];
    yaml_node_t *key = NULL;

    /* For a wrong key libcyaml gives the position of the value before it. */
    if (error == CYAML_ERR_INVALID_KEY) {
        key = document_key(doc, c->key, value, 1);
    } else if (!strncmp(c->reason, TWICE, strlen(TWICE))) {
        const char *dot = strrchr(c->key, '.');

        snprintf(text, sizeof text, "%.*s", dot ? (int)(dot - c->key) : 0, c->key);
        key = document_key(doc, text, value, 2);
    }
    if (key) {
        line = key->start_mark.line + 1;
        column = key->start_mark.column + 1;
    }
    if (error == CYAML_ERR_INVALID_KEY) {
        snprintf(text, sizeof text, "%s%s%.30s", c->key, c->key[0] ? "." : "", value);
        return document_error(doc, line, column, text, "unknown key");
    }
    choices(c->key, words, sizeof words);
    if (words[0] && !strncmp(c->reason, "Invalid", 7))
        return document_error(doc, line, column, c->key, "give one of %s, not '%.60s'", words,
                              value);
    reword(c->reason[0] ? c->reason : cyaml_strerror(error), text, sizeof text);
    return document_error(doc, line, column, c->key, "%s", text);
}

static int
load(struct document *doc, struct sb_config *config)
{
    struct complaint complaint = {0};
    const cyaml_config_t settings = {
        .log_fn = hear,
        .log_ctx = &complaint,
        .mem_fn = allocate,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct loaded *loaded = NULL;
    cyaml_err_t error;

    if (doc->empty)
        return 0;
    error = cyaml_load_data(doc->text, doc->size, &settings, &top, (void **)&loaded, NULL);
    if (error != CYAML_OK)
        return refuse(doc, &complaint, error);
    if (!loaded)
        return 0;
    /* What the sections own moves to the config. */
    if (loaded->log) {
        if (document_find(doc, "log.level"))
            config->log.level = loaded->log->level;
        config->log.json = loaded->log->json;
        free(loaded->log);
    }
    if (loaded->controller) {
        config->controller.listen = loaded->controller->settings.listen;
        config->controller.n_listen = loaded->controller->settings.n_listen;
        if (document_find(doc, "controller.policy"))
            config->controller.policy = loaded->controller->settings.policy;
        if (loaded->controller->tls) {
            config->controller.certificate = loaded->controller->tls->certificate;
            config->controller.private_key = loaded->controller->tls->private_key;
            config->controller.ca_certificate = loaded->controller->tls->ca_certificate;
            config->controller.crl = loaded->controller->tls->crl;
        }
        free(loaded->controller->tls);
        free(loaded->controller->discovery);
        free(loaded->controller->round_robin);
        free(loaded->controller);
    }
    if (loaded->agent) {
        config->agent = *loaded->agent;
        free(loaded->agent);
    }
    if (loaded->pcapcheck) {
        config->pcapcheck = *loaded->pcapcheck;
        free(loaded->pcapcheck);
    }
    free(loaded->tables);
    free(loaded);
    return 0;
}

/* ---- listeners ---- */

/* tcp:ADDR:PORT, ssl:ADDR:PORT (ADDR may be an IPv6 address in brackets) or unix:PATH */
static bool
listen_ok(const char *text)
{
    const char *port;
    uint64_t number;

    if (!strncmp(text, "unix:", 5))
        return text[5];
    if (strncmp(text, "tcp:", 4) != 0 && strncmp(text, "ssl:", 4) != 0)
        return false;
    port = strrchr(text, ':') + 1;
    return port - text > 5 && parse_number(port, &number) && number <= UINT16_MAX;
}

static int
check_listen(struct document *doc, struct sb_config *config)
{
    static const char *const defaults[] = {"tcp:127.0.0.1:6653", "tcp:127.0.0.1:6633"};
    yaml_node_t *list = document_find(doc, "controller.listen");

    for (unsigned i = 0; i < config->controller.n_listen; i++) {
        if (!listen_ok(config->controller.listen[i]))
            return node_error(
                doc, yaml_document_get_node(&doc->yaml, list->data.sequence.items.start[i]),
                "controller.listen",
                "'%.60s' is not tcp:ADDRESS:PORT, ssl:ADDRESS:PORT or unix:PATH",
                config->controller.listen[i]);
    }
    if (config->controller.n_listen)
        return 0;
    free(config->controller.listen);
    config->controller.listen = calloc(N(defaults), sizeof *config->controller.listen);
    for (size_t i = 0; config->controller.listen && i < N(defaults); i++) {
        config->controller.listen[i] = strdup(defaults[i]);
        if (!config->controller.listen[i])
            return document_error(doc, 0, 0, "", "out of memory");
        config->controller.n_listen++;
    }
    return config->controller.listen ? 0 : document_error(doc, 0, 0, "", "out of memory");
}

/* ---- contract ---- */

int
sb_config_load(struct sb_config **ret, const char *path, char *message)
{
    struct document doc = {.path = "config", .message = message, .empty = true};
    struct sb_config *config = calloc(1, sizeof *config);
    int result;

    message[0] = 0;
    if (!config)
        return document_error(&doc, 0, 0, "", "out of memory");
    config->log.level = SB_LOG_INFO;
    config->controller.policy = SB_policy_SHORTEST;

    result = path ? document_load(&doc, path, message) : 0;
    /* Numbers twice: first to refuse bad ones with better words than libcyaml has, then because
     * load() has put whole sections in their place. */
    result = result || set_numbers(&doc, config) || load(&doc, config) ||
             set_numbers(&doc, config) || config_uplinks(&doc, config) ||
             check_listen(&doc, config);
    document_free(&doc);
    if (result) {
        sb_config_free(&config);
        return -1;
    }
    *ret = config;
    return 0;
}

static void
free_strings(char **strings, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(strings[i]);
    free(strings);
}

void
sb_config_free(struct sb_config **config)
{
    struct sb_config *c = *config;

    if (!c)
        return;
    free_strings(c->controller.listen, c->controller.n_listen);
    free(c->controller.certificate);
    free(c->controller.private_key);
    free(c->controller.ca_certificate);
    free(c->controller.crl);
    free_strings(c->agent.interfaces, c->agent.n_interfaces);
    free_strings(c->agent.peers, c->agent.n_peers);
    free_strings(c->pcapcheck.interfaces, c->pcapcheck.n_interfaces);
    for (unsigned i = 0; i < c->controller.n_uplinks; i++)
        free(c->controller.uplinks[i].ports);
    free(c->controller.uplinks);
    free(c);
    *config = NULL;
}
