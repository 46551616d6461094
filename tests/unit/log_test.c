/* SPDX-License-Identifier: Apache-2.0
 *
 * log_test.c - log records: one write each, nothing raw from peers, JSON that a parser takes.
 * Neighbours: statebus/log.c. Threads: several in one test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <trivet/log.h>

/* Standard error as a datagram-like pipe (O_DIRECT): one read() returns one write(). */
struct capture {
    int saved; /* the true standard error */
    int pipe[2];
};

static void
capture_begin(struct capture *c)
{
    assert_int_equal(pipe2(c->pipe, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    c->saved = dup(STDERR_FILENO);
    assert_true(dup2(c->pipe[1], STDERR_FILENO) >= 0);
}

static void
capture_end(struct capture *c)
{
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    close(c->pipe[0]);
    close(c->pipe[1]);
}

/* The next record, or "" when there is none. */
static const char *
capture_read(struct capture *c, char *buffer, size_t size)
{
    ssize_t n = read(c->pipe[0], buffer, size - 1);

    buffer[n > 0 ? n : 0] = 0;
    return buffer;
}

/* Logs one message in text and returns what follows the time. */
static void
text_of(const char *message, char *ret, size_t size)
{
    struct capture c;
    char record[8192];

    capture_begin(&c);
    sb_log_json(false);
    sb_info("%s", message);
    capture_read(&c, record, sizeof record);
    capture_end(&c);
    assert_true(strlen(record) > 30);
    snprintf(ret, size, "%s", record + 25);
}

static void
test_text_format(void **state)
{
    struct capture c;
    char record[8192];
    struct tm tm;
    int ms, used = 0;
    time_t now = time(NULL);

    (void)state;
    capture_begin(&c);
    sb_log_json(false);
    errno = ENOSPC;
    sb_warning("switch %016x: length %d < %d", 1, 12, 24);
    assert_int_equal(errno, ENOSPC);
    capture_read(&c, record, sizeof record);
    capture_end(&c);
    memset(&tm, 0, sizeof tm);
    assert_int_equal(sscanf(record, "%d-%d-%dT%d:%d:%d.%3dZ %n", &tm.tm_year, &tm.tm_mon,
                            &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &used),
                     7);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    assert_true(labs((long)(timegm(&tm) - now)) <= 1);
    assert_string_equal(record + used, "warning switch 0000000000000001: length 12 < 24\n");
}

static void
test_text_is_harmless(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \\ \"text\"", "info plain \\ \"text\"\n"},
        {"two\nlines\r\tx", "info two\\nlines\\r\\tx\n"},
        {"\x1b[31mred\x7f\x01", "info \\x1b[31mred\\x7f\\x01\n"},
        {"\xc2\x9b"
         "31m",
         "info \\xc2\\x9b31m\n"}, /* C1 CSI in UTF-8 */
        {"\x9b"
         "31m",
         "info \\x9b31m\n"}, /* and alone */
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x90",
         "info gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x90\n"},
        {"\xc0\xaf \xed\xa0\x80 \xf5\x80", "info \\xc0\\xaf \\xed\\xa0\\x80 \\xf5\\x80\n"},
        {"cut \xe2\x82", "info cut \\xe2\\x82\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[8192];

        text_of(cases[i].in, text, sizeof text);
        assert_string_equal(text, cases[i].out);
    }
}

/* Every byte value, alone and between letters: a JSON parser takes it, and nothing is lost that is
 * valid text. */
static void
test_json(void **state)
{
    (void)state;
    sb_log_init("trivet-\"test\"");
    for (int byte = 1; byte < 256; byte++) {
        char message[] = {'a', (char)byte, 'b', 0}, record[8192];
        struct capture c;
        json_t *object;
        json_error_t error;
        const char *text;

        capture_begin(&c);
        sb_log_json(true);
        sb_error("%s", message);
        capture_read(&c, record, sizeof record);
        sb_log_json(false);
        capture_end(&c);
        assert_non_null(strchr(record, '\n'));
        assert_ptr_equal(strchr(record, '\n'), record + strlen(record) - 1);
        object = json_loads(record, 0, &error);
        if (!object)
            fail_msg("byte %d: %s: %s", byte, error.text, record);
        assert_string_equal(json_string_value(json_object_get(object, "level")), "error");
        assert_string_equal(json_string_value(json_object_get(object, "service")),
                            "trivet-\"test\"");
        assert_int_equal(strlen(json_string_value(json_object_get(object, "t"))), 24);
        text = json_string_value(json_object_get(object, "message"));
        if (byte < 0x80) {
            assert_string_equal(text, message);
        } else {
            char expected[16];

            snprintf(expected, sizeof expected, "a\\x%02xb", byte);
            assert_string_equal(text, expected);
        }
        json_decref(object);
    }
    sb_log_init("trivet");
}

static void
test_long_message(void **state)
{
    static char message[10000];
    char record[8192];

    (void)state;
    for (int json = 0; json < 2; json++) {
        struct capture c;
        size_t len;

        memset(message, '\n', sizeof message - 1); /* the longest when escaped */
        capture_begin(&c);
        sb_log_json(json);
        sb_error("%s", message);
        capture_read(&c, record, sizeof record);
        sb_log_json(false);
        len = strlen(record);
        assert_true(len > 4000 && len <= 4096);
        assert_string_equal(record + len - (json ? 6 : 4), json ? "...\"}\n" : "...\n");
        assert_string_equal(capture_read(&c, record, sizeof record), ""); /* one write only */
        capture_end(&c);
    }
}

static void
test_levels(void **state)
{
    struct capture c;
    char record[8192];

    (void)state;
    assert_int_equal(sb_log_level_by_name("error"), SB_LOG_ERROR);
    assert_int_equal(sb_log_level_by_name("debug"), SB_LOG_DEBUG);
    assert_int_equal(sb_log_level_by_name("Debug"), -1);
    assert_int_equal(sb_log_level_by_name(""), -1);
    capture_begin(&c);
    sb_log_level(SB_LOG_WARNING);
    sb_info("no");
    sb_debug("no");
    assert_string_equal(capture_read(&c, record, sizeof record), "");
    sb_warning("yes");
    assert_non_null(strstr(capture_read(&c, record, sizeof record), "warning yes"));
    sb_log_level(SB_LOG_DEBUG);
    sb_debug("now");
    assert_non_null(strstr(capture_read(&c, record, sizeof record), "debug now"));
    sb_log_level(SB_LOG_INFO);
    capture_end(&c);
}

static void
test_limit(void **state)
{
    struct sb_log_limit limit = {0};
    unsigned allowed = 0, suppressed = 99;
    long second;

    (void)state;
    do { /* all in one second of the clock */
        limit = (struct sb_log_limit){0};
        allowed = 0;
        sb_log_allowed(&limit, 3, NULL);
        second = limit.second;
        for (int i = 0; i < 99; i++)
            allowed += sb_log_allowed(&limit, 3, NULL);
    } while (limit.second != second);
    assert_int_equal(allowed, 2); /* and the one before */
    limit.second--;               /* a second goes by */
    assert_true(sb_log_allowed(&limit, 3, &suppressed));
    assert_int_equal(suppressed, 97);
    assert_true(sb_log_allowed(&limit, 3, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void *
talk(void *arg)
{
    for (int i = 0; i < 100; i++)
        sb_info("thread %d says %d and then a long tail %0200d", *(int *)arg, i, 0);
    return NULL;
}

/* Lines of several threads never mix. */
static void
test_threads(void **state)
{
    pthread_t threads[4];
    int numbers[4], lines = 0;
    struct capture c;
    char record[8192];

    (void)state;
    capture_begin(&c);
    assert_true(fcntl(c.pipe[1], F_SETPIPE_SZ, 1 << 20) > 0);
    assert_int_equal(fcntl(c.pipe[1], F_SETFL, O_DIRECT), 0); /* blocking, packets */
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &numbers[i]), 0);
    }
    /* 400 packets fit the pipe's 256 slots only while we read. */
    while (lines < 400) {
        int thread, number, used = 0;

        if (!*capture_read(&c, record, sizeof record))
            continue;
        assert_int_equal(sscanf(record + 25, "info thread %d says %d and then a long tail %n",
                                &thread, &number, &used),
                         2);
        assert_int_equal(strlen(record + 25 + used), 201);
        lines++;
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    capture_end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_format), cmocka_unit_test(test_text_is_harmless),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_levels),      cmocka_unit_test(test_limit),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
