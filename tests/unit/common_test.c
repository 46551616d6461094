/* SPDX-License-Identifier: Apache-2.0
 *
 * common_test.c - the options that all programs share, and which of config and command line wins.
 * Neighbours: statebus/common.c. Each command line is parsed in a child, since argp may exit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <trivet/config.h>

static char config_path[64];

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* A program: prints what it was told, then logs at each level. Does not return. */
static void
program(char **argv)
{
    static const struct argp_child children[] = {{&sb_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {.parser = parse, .children = children};
    struct sb_common common = {0};
    struct sb_config *config;
    int argc = 0;

    while (argv[argc])
        argc++;
    sb_common_version("trivet-controller");
    argp_parse(&argp, argc, argv, 0, NULL, &common);
    printf("instance=%s config=%s cold=%d\n", common.instance,
           common.config_path ? common.config_path : "-", common.cold);
    fflush(stdout);
    config = sb_common_start(&common, "trivet-controller");
    if (!config)
        exit(1);
    sb_debug("a debug record");
    sb_info("an info record");
    sb_warning("a warning record");
    sb_config_free(&config);
    exit(0);
}

/* Runs it with these words; output and errors together into ret. The exit status, or -1. */
static int
run(char *ret, size_t size, const char *words)
{
    char line[256], *argv[16], *save = NULL;
    int argc = 0, fds[2], status;
    size_t used = 0;
    ssize_t n;
    pid_t pid;

    snprintf(line, sizeof line, "trivet-controller %s", words);
    for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        program(argv);
    }
    close(fds[1]);
    while ((n = read(fds[0], ret + used, size - 1 - used)) > 0)
        used += (size_t)n;
    ret[used] = 0;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
put_config(const char *text)
{
    FILE *file = fopen(config_path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
test_command_lines(void **state)
{
    static const struct {
        const char *words;
        int status;
        const char *says; /* must be in its output */
    } cases[] = {
        {"", 0, "instance=default config=- cold=0\n"},
        {"--instance lab-1_b --cold", 0, "instance=lab-1_b config=- cold=1\n"},
        {"--version", 0, "trivet-controller 0.1.0\n"},
        {"--help", 0, "--instance=NAME"},
        {"--instance a/b", 2, "--instance 'a/b': give 1 to 32 letters"},
        {"--instance a.b", 2, "--instance 'a.b'"},
        {"--instance=", 2, "--instance ''"},
        {"--instance aaaaaaaabbbbbbbbccccccccdddddddd", 0,
         "instance=aaaaaaaabbbbbbbbccccccccdddddddd"},
        {"--instance aaaaaaaabbbbbbbbccccccccdddddddde", 2, "give 1 to 32"},
        {"--log-level loud", 2, "--log-level 'loud'"},
        {"--log-format xml", 2, "--log-format 'xml'"},
        {"--no-such-option", 2, "unrecognized option"},
        {"--config", 2, "requires an argument"},
        {"too many", 2, "Too many arguments"},
        {"--config /nonexistent", 1, "error /nonexistent: there is no such file"},
        {"--config /nonexistent --log-format json", 1, "\"message\":\"/nonexistent: there is no"},
        {"--log-level debug", 0, "debug a debug record\n"},
        {"--log-format json", 0,
         "\"level\":\"warning\",\"service\":\"trivet-controller\",\"message\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char output[8192];
        int status = run(output, sizeof output, cases[i].words);

        if (status != cases[i].status || !strstr(output, cases[i].says))
            fail_msg("'%s' exits %d, not %d, and says: %s", cases[i].words, status, cases[i].status,
                     output);
    }
}

static void
test_who_wins(void **state)
{
    char output[8192], words[160];

    (void)state;
    put_config("log: {level: warning, format: json}\n");
    snprintf(words, sizeof words, "--config %s", config_path);
    assert_int_equal(run(output, sizeof output, words), 0);
    assert_null(strstr(output, "an info record"));
    assert_non_null(strstr(output, "\"message\":\"a warning record\""));

    snprintf(words, sizeof words, "--config %s --log-level debug --log-format text", config_path);
    assert_int_equal(run(output, sizeof output, words), 0);
    assert_non_null(strstr(output, "debug a debug record\n"));
    assert_non_null(strstr(output, "warning a warning record\n"));

    put_config("log: {level: warning}\ncontroller: {workers: many}\n");
    snprintf(words, sizeof words, "--config %s", config_path);
    assert_int_equal(run(output, sizeof output, words), 1);
    snprintf(words, sizeof words, "%s:2:23: controller.workers: ", config_path);
    assert_non_null(strstr(output, words));
}

static int
teardown(void **state)
{
    (void)state;
    unlink(config_path);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_lines),
        cmocka_unit_test(test_who_wins),
    };

    snprintf(config_path, sizeof config_path, "/tmp/trivet-common-test.%d", (int)getpid());
    return cmocka_run_group_tests_name("common", tests, NULL, teardown);
}
