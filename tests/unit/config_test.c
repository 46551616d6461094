/* SPDX-License-Identifier: Apache-2.0
 *
 * config_test.c - the config file: defaults, every key, and that bad files get an exact error.
 * Neighbours: statebus/config*.c. Threads: one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <trivet/config.h>

static char path[64];

static void
put_file(const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static struct sb_config *
load_text(const char *text)
{
    struct sb_config *config = NULL;
    char message[SB_CONFIG_MESSAGE_MAX];

    put_file(text, strlen(text));
    if (sb_config_load(&config, path, message))
        fail_msg("%s\n%s", message, text);
    return config;
}

static void
check_defaults(const struct sb_config *c)
{
    assert_int_equal(c->log.level, SB_LOG_INFO);
    assert_false(c->log.json);
    assert_int_equal(c->controller.n_listen, 2);
    assert_string_equal(c->controller.listen[0], "tcp:127.0.0.1:6653");
    assert_string_equal(c->controller.listen[1], "tcp:127.0.0.1:6633");
    assert_int_equal(c->controller.policy, SB_policy_SHORTEST);
    assert_int_equal(c->controller.workers, 0);
    assert_int_equal(c->controller.n_uplinks, 0);
    assert_int_equal(c->controller.discovery_interval_ms, 1000);
    assert_int_equal(c->controller.discovery_settle_ms, 500);
    assert_int_equal(c->controller.confirm_s, 300);
    assert_int_equal(c->agent.n_interfaces, 0);
    assert_int_equal(c->agent.n_peers, 0);
    assert_int_equal(c->agent.interval_ms, 500);
    assert_int_equal(c->agent.timeout_ms, 2000);
    assert_int_equal(c->agent.port, 18620);
    assert_int_equal(c->pcapcheck.n_interfaces, 0);
    assert_int_equal(c->pcapcheck.buffer_mib, 256);
    assert_int_equal(c->pcapcheck.snaplen, 128);
    for (int i = 0; i < SB_T_COUNT; i++)
        assert_int_equal(c->capacity[i], 0);
}

static void
test_defaults(void **state)
{
    /* No file, nothing in it, comments, and the defaults written out: all the same. */
    static const char *const texts[] = {
        "",
        "# nothing\n",
        "---\n",
        "{}",
        "log:\ncontroller:\nagent:\npcapcheck:\ntables:\n",
        "controller: {listen: , round-robin: , discovery: }\nagent: {interface: , peer: []}\n",
        "log: {level: info, format: text}\n"
        "controller:\n"
        "  listen: [tcp:127.0.0.1:6653, tcp:127.0.0.1:6633]\n"
        "  policy: shortest            # learning | round-robin | shortest\n"
        "  workers: 0\n"
        "  round-robin:\n"
        "    switches: {}\n"
        "  confirm-s: 300\n"
        "  statistics-s: 10\n"
        "  discovery: {interval-ms: 1000, settle-ms: 500}\n"
        "agent:\n"
        "  interface: []\n"
        "  peer: []\n"
        "  interval-ms: 500\n"
        "  timeout-ms: 2000\n"
        "  port: 18620\n"
        "pcapcheck:\n"
        "  interface: []\n"
        "  buffer-mib: 256\n"
        "  snaplen: 128\n",
    };
    struct sb_config *config = NULL;
    char message[SB_CONFIG_MESSAGE_MAX];

    (void)state;
    assert_int_equal(sb_config_load(&config, NULL, message), 0);
    check_defaults(config);
    sb_config_free(&config);
    assert_null(config);
    sb_config_free(&config);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        config = load_text(texts[i]);
        check_defaults(config);
        sb_config_free(&config);
    }
}

static const char full[] =
    "log: {level: debug, format: json}\n"
    "controller:\n"
    "  listen: ['tcp:[::1]:6653', ssl:0.0.0.0:0, unix:/run/of.sock]\n"
    "  policy: round-robin\n"
    "  workers: 64\n"
    "  round-robin:\n"
    "    switches: {4: [1, 0xffffff00], 0x2: [1, 2], 0xffffffffffffffff: [7]}\n"
    "  discovery: {interval-ms: 0x10, settle-ms: 60000}\n"
    "agent:\n"
    "  interface: [h1-eth0, h1-eth1]\n"
    "  peer:\n"
    "    - 10.0.0.2\n"
    "    - fd01::6\n"
    "  interval-ms: 1\n"
    "  timeout-ms: 60000\n"
    "  port: 862\n"
    "pcapcheck: {interface: [s1-eth1], buffer-mib: 1, snaplen: 262144}\n"
    "tables: {mac: 16, flow: 16777216, event: 17}\n";

static void
test_all_keys(void **state)
{
    struct sb_config *c = load_text(full);

    (void)state;
    assert_int_equal(c->log.level, SB_LOG_DEBUG);
    assert_true(c->log.json);
    assert_int_equal(c->controller.n_listen, 3);
    assert_string_equal(c->controller.listen[0], "tcp:[::1]:6653");
    assert_string_equal(c->controller.listen[2], "unix:/run/of.sock");
    assert_int_equal(c->controller.policy, SB_policy_ROUND_ROBIN);
    assert_int_equal(c->controller.workers, 64);
    assert_int_equal(c->controller.n_uplinks, 3); /* by rising dpid */
    assert_int_equal(c->controller.uplinks[0].dpid, 2);
    assert_int_equal(c->controller.uplinks[0].n_ports, 2);
    assert_int_equal(c->controller.uplinks[0].ports[1], 2);
    assert_int_equal(c->controller.uplinks[1].dpid, 4);
    assert_int_equal(c->controller.uplinks[1].ports[1], 0xffffff00);
    assert_true(c->controller.uplinks[2].dpid == UINT64_MAX);
    assert_int_equal(c->controller.discovery_interval_ms, 16);
    assert_int_equal(c->controller.discovery_settle_ms, 60000);
    assert_int_equal(c->agent.n_interfaces, 2);
    assert_string_equal(c->agent.interfaces[1], "h1-eth1");
    assert_int_equal(c->agent.n_peers, 2);
    assert_string_equal(c->agent.peers[1], "fd01::6");
    assert_int_equal(c->agent.interval_ms, 1);
    assert_int_equal(c->agent.timeout_ms, 60000);
    assert_int_equal(c->agent.port, 862);
    assert_int_equal(c->pcapcheck.n_interfaces, 1);
    assert_int_equal(c->pcapcheck.buffer_mib, 1);
    assert_int_equal(c->pcapcheck.snaplen, 262144);
    assert_int_equal(c->capacity[SB_T_mac], 16);
    assert_int_equal(c->capacity[SB_T_flow], 16777216);
    assert_int_equal(c->capacity[SB_T_event], 17);
    assert_int_equal(c->capacity[SB_T_host], 0);
    sb_config_free(&c);
}

/* What a bad file is told, after its name. */
static void
test_errors(void **state)
{
    static const struct {
        const char *text, *error; /* error: begin of the message after the path */
    } cases[] = {
        /* unknown keys, at every level */
        {"foo: 1\n", ":1:1: foo: unknown key"},
        {"controller:\n  workerz: 1\n", ":2:3: controller.workerz: unknown key"},
        {"controller: {round-robin: {switchez: {}}}",
         ":1:28: controller.round-robin.switchez: unk"},
        {"tables:\n  mac: 16\n  mak: 16\n", ":3:3: tables.mak: unknown key"},
        /* numbers */
        {"controller:\n  workers: 65\n",
         ":2:12: controller.workers: give a whole number from 0 to 64"},
        {"controller:\n  workers: -1\n", ":2:12: controller.workers: give a whole number"},
        {"controller:\n  workers: 1.5\n", ":2:12: controller.workers: give a whole number"},
        {"controller:\n  workers: 0x1g\n", ":2:12: controller.workers: give a whole number"},
        {"controller:\n  workers: 010\n", ":2:12: controller.workers: give a whole number"},
        {"controller:\n  workers: ' 1'\n", ":2:12: controller.workers: give a whole number"},
        {"controller:\n  workers:\n", ":2:11: controller.workers: give a whole number"},
        {"controller:\n  workers: [1]\n", ":2:12: controller.workers: give a whole number"},
        {"controller: {discovery: {interval-ms: 0}}",
         ":1:39: controller.discovery.interval-ms: give"},
        {"controller: {discovery: {settle-ms: 60001}}",
         ":1:37: controller.discovery.settle-ms: give"},
        {"agent: {port: 0}", ":1:15: agent.port: give a whole number from 1 to 65535"},
        {"agent: {port: 65536}", ":1:15: agent.port: give"},
        {"agent: {timeout-ms: 18446744073709551617}", ":1:21: agent.timeout-ms: give"},
        {"tables: {flow: 15}",
         ":1:16: tables.flow: give a whole number from 16 to 16777216, not '15'"},
        {"tables: {flow: 16777217}", ":1:16: tables.flow: give"},
        /* words */
        {"log: {level: loud}",
         ":1:14: log.level: give one of error, warning, info, debug, not 'loud'"},
        {"log: {level: 1}", ":1:14: log.level: give one of"},
        {"log: {format: xml}", ":1:15: log.format: give one of text, json, not 'xml'"},
        {"controller: {policy: none}",
         ":1:22: controller.policy: give one of learning, round-robin, shortest, not 'none'"},
        /* types */
        {"controller: 3\n", ":1:13: controller: give a mapping"},
        {"controller: {listen: 5}", ":1:22: controller.listen: give a list"},
        {"controller: {listen: {a: b}}", ":1:22: controller.listen: give a list"},
        {"agent: {peer: [a, {b: c}]}", ":1:19: agent.peer: give a single value"},
        {"- a\n", ":1:1: give a mapping"},
        {"just words\n", ":1:1: give a mapping"},
        {"[a]: b\n", ":1:1: a key must be a word"},
        {"agent: {interface: [abcdefghijklmnop]}", ":1:21: agent.interface: give at most 15 bytes"},
        {"agent: {interface: ['']}", ":1:21: agent.interface: give a value"},
        /* listeners */
        {"controller:\n  listen: [tcp:a:1, foo]",
         ":2:21: controller.listen: 'foo' is not tcp:ADDRESS"},
        {"controller: {listen: [tcp:6653]}", ":1:23: controller.listen: 'tcp:6653'"},
        {"controller: {listen: [ssl:a:65536]}", ":1:23: controller.listen: 'ssl:a:65536'"},
        {"controller: {listen: ['unix:']}", ":1:23: controller.listen: 'unix:'"},
        {"controller: {listen: [tcp]}", ":1:23: controller.listen: 'tcp'"},
        /* twice */
        {"controller: {workers: 1, workers: 2}",
         ":1:26: controller.workers: this key is there twice"},
        {"log: {}\nlog: {}\n", ":2:1: log: this key is there twice"},
    /* round-robin's switches */
#define RR "controller: {round-robin: {switches: "
        {RR "{2: [1, 0]}}}", ":1:46: controller.round-robin.switches: '0' is not a port"},
        {RR "{2: [1, 0xffffff01]}}}", ":1:46: controller.round-robin.switches: '0xffffff01'"},
        {RR "{2: [1, x]}}}", ":1:46: controller.round-robin.switches: 'x' is not a port"},
        {RR "{2: [[1]]}}}", ":1:43: controller.round-robin.switches: '(a list or mapping)'"},
        {RR "{2: [1, 1]}}}", ":1:46: controller.round-robin.switches: port 1 is there twice"},
        {RR "{2: []}}}",
         ":1:42: controller.round-robin.switches: give a list of ports, at least one"},
        {RR "{2: 1}}}", ":1:42: controller.round-robin.switches: give a list of ports"},
        {RR "{2: {}}}}", ":1:42: controller.round-robin.switches: give a list of ports"},
        {RR "{2: [1], 0x2: [2]}}}",
         ":1:38: controller.round-robin.switches: dpid 0x2 is there twice"},
        {RR "{x: [1]}}}", ":1:39: controller.round-robin.switches: 'x' is not a dpid"},
        {RR "{0000000000000002: [1]}}}", ":1:39: controller.round-robin.switches: '00000000000"},
        {RR "{-2: [1]}}}", ":1:39: controller.round-robin.switches: '-2' is not a dpid"},
        {RR "{0x10000000000000000: [1]}}}", ":1:39: controller.round-robin.switches: '0x1000"},
        {RR "[1]}}", ":1:38: controller.round-robin.switches: give a mapping"},
        {RR "7}}", ":1:38: controller.round-robin.switches: give a mapping"},
        /* not YAML, or YAML that no config needs */
        {"controller:\n\tworkers: 1",
         ":2:1: not YAML: found character that cannot start any token"},
        {"a: [", ":2:1: not YAML"}, /* libyaml's end of input */
        {"a: b: c", ":1:5: not YAML"},
        {"log: {}\n\x80", ":2:1: not YAML: invalid leading UTF-8 octet"},
        {"log: {}\nx: \x01", ":2:4: not YAML: control characters are not allowed"},
        {"controller: &a {workers: 1}\nagent: *a\n", ":2:8: aliases (*a) are not taken"},
        {"x: *nowhere", ":1:4: aliases (*nowhere)"},
        {"log: {}\n---\nlog: {}\n", ":2:1: a second document begins here"},
        {"a: [[[[[[[[[[[[[[[[[[[[[[", ":1:19: nested deeper than 16 levels"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sb_config *config = (struct sb_config *)path; /* untouched on failure */
        char message[SB_CONFIG_MESSAGE_MAX], expected[SB_CONFIG_MESSAGE_MAX];

        put_file(cases[i].text, strlen(cases[i].text));
        if (!sb_config_load(&config, path, message))
            fail_msg("accepted: %s", cases[i].text);
        assert_ptr_equal(config, path);
        snprintf(expected, sizeof expected, "%s%s", path, cases[i].error);
        if (strncmp(message, expected, strlen(expected)))
            fail_msg("\n%s\nsays %s\nnot  %s", cases[i].text, message, expected);
    }
}

static void
expect_file_error(const char *file, const char *words)
{
    struct sb_config *config = NULL;
    char message[SB_CONFIG_MESSAGE_MAX];

    assert_int_equal(sb_config_load(&config, file, message), -1);
    assert_null(config);
    if (strncmp(message, file, strlen(file)) || !strstr(message, words))
        fail_msg("%s does not say '%s'", message, words);
}

static void
test_bad_files(void **state)
{
    char name[600];

    (void)state;
    expect_file_error("/nonexistent/trivet.yaml", "there is no such file");
    expect_file_error("/tmp", "is a directory");
    expect_file_error("/dev/zero", "is larger than 1048576 bytes");
    expect_file_error("/proc/self/mem", "cannot be read");
    expect_file_error("/proc/self/exe", "not YAML");
    /* 100 MB, sparse: not even read. */
    put_file("", 0);
    assert_int_equal(truncate(path, 100 << 20), 0);
    expect_file_error(path, "is larger than");
    /* A long path leaves room for the reason. */
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    {
        struct sb_config *config = NULL;
        char message[SB_CONFIG_MESSAGE_MAX];

        assert_int_equal(sb_config_load(&config, name, message), -1);
        assert_non_null(strstr(message, ": cannot be opened: File name too long"));
    }
    if (geteuid() != 0) {
        put_file("", 0);
        chmod(path, 0);
        expect_file_error(path, "Permission denied");
    }
}

/* Names from tables.def: each is a key of `tables`. */
static void
test_every_table(void **state)
{
    static const char *const names[] = {
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) #name,
#include <trivet/tables.def>
    };

    (void)state;
    for (int i = 0; i < SB_T_COUNT; i++) {
        char text[64];
        struct sb_config *config;

        snprintf(text, sizeof text, "tables: {%s: %d}", names[i], 100 + i);
        config = load_text(text);
        for (int j = 0; j < SB_T_COUNT; j++)
            assert_int_equal(config->capacity[j], i == j ? 100 + i : 0);
        sb_config_free(&config);
    }
}

/* 4000 damaged copies of a good file: each is taken or gets an error with a position, and no
 * sanitizer has anything to say. A fixed seed, so that a failure can be had again. */
static void
test_mutations(void **state)
{
    static const char *const bits[] = {":",   "{",  "}",  "[",     "]",  "- ", "\n",   "  ",
                                       "&a ", "*a", "!!", "|",     "> ", "?",  "<<: ", "~",
                                       "\"",  "'",  "%",  "---\n", "#",  ",",  "0x",   "\t"};
    uint64_t random = 88172645463325252u;
    unsigned taken = 0, refused = 0;

    (void)state;
    for (int round = 0; round < 4000; round++) {
        char text[sizeof full + 64], message[SB_CONFIG_MESSAGE_MAX];
        size_t size = sizeof full - 1;
        struct sb_config *config = NULL;

        memcpy(text, full, size);
        for (int n = 1 + round % 4; n; n--) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = random % size, from = (random >> 32) % size;
            const char *bit = bits[(random >> 20) % (sizeof bits / sizeof bits[0])];

            switch ((random >> 16) % 5) {
            case 0:
                text[at] = (char)(random >> 40);
                break;
            case 1: /* cut something out */
                memmove(text + at, text + at + 1, size - at - 1);
                size--;
                break;
            case 2: /* put something in */
                if (size + strlen(bit) < sizeof text) {
                    memmove(text + at + strlen(bit), text + at, size - at);
                    memcpy(text + at, bit, strlen(bit));
                    size += strlen(bit);
                }
                break;
            case 3: /* copy a piece over another */
                memmove(text + at, text + from, (size - (at > from ? at : from)) % 24);
                break;
            case 4: /* cut the end off */
                if (n == 1)
                    size = at + 1;
                break;
            }
        }
        put_file(text, size);
        if (sb_config_load(&config, path, message) == 0) {
            taken++;
            assert_true(config->controller.n_listen > 0);
            assert_in_range(config->controller.workers, 0, 64);
        } else {
            refused++;
            assert_null(config);
            if (strncmp(message, path, strlen(path)) || message[strlen(path)] != ':' ||
                strlen(message) < strlen(path) + 10)
                fail_msg("round %d: bad message: %s", round, message);
        }
        sb_config_free(&config);
    }
    assert_true(taken > 100 && refused > 1000);
}

/* No input of the size limit may take long: libyaml's work can grow with the square. */
static void
test_large(void **state)
{
    static const char *const pieces[] = {"[", "{a: ", "- ", "a: ", "? ", "&a ", "!x ", "'", "a\n"};
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sb_config *config = NULL;
        char message[SB_CONFIG_MESSAGE_MAX];
        size_t len = strlen(pieces[i]);

        for (size_t at = 0; at < SIZE; at++)
            text[at] = pieces[i][at % len];
        put_file(text, SIZE);
        assert_int_equal(sb_config_load(&config, path, message), -1);
    }
    free(text);
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_errors),      cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_every_table), cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_large),
    };

    snprintf(path, sizeof path, "/tmp/trivet-config-test.%d", (int)getpid());
    return cmocka_run_group_tests_name("config", tests, NULL, teardown);
}
