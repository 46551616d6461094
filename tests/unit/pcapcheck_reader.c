/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapcheck_reader.c - the pcapng reader: both byte orders, several interfaces and sections, time
 * units, and lengths that lie. Files are built here, block by block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcapcheck.h>

struct file {
    uint8_t data[4096];
    size_t size;
    bool swapped;
};

static void
put16(struct file *f, uint16_t v)
{
    v = f->swapped ? __builtin_bswap16(v) : v;
    memcpy(f->data + f->size, &v, 2);
    f->size += 2;
}

static void
put32(struct file *f, uint32_t v)
{
    v = f->swapped ? __builtin_bswap32(v) : v;
    memcpy(f->data + f->size, &v, 4);
    f->size += 4;
}

static void
put(struct file *f, const void *p, size_t n)
{
    memcpy(f->data + f->size, p, n);
    f->size += n;
    while (f->size % 4)
        f->data[f->size++] = 0;
}

static size_t
begin(struct file *f, uint32_t type)
{
    size_t at = f->size;

    put32(f, type);
    put32(f, 0);
    return at;
}

static void
end(struct file *f, size_t at)
{
    uint32_t length = (uint32_t)(f->size + 4 - at);
    size_t size = f->size;

    f->size = at + 4;
    put32(f, length);
    f->size = size;
    put32(f, length);
}

static void
section(struct file *f)
{
    size_t at = begin(f, 0x0a0d0d0a);

    put32(f, 0x1a2b3c4d);
    put16(f, 1);
    put16(f, 0);
    put32(f, UINT32_MAX);
    put32(f, UINT32_MAX);
    end(f, at);
}

static void
interface(struct file *f, const char *name, int resolution)
{
    size_t at = begin(f, 1);

    put16(f, 1);
    put16(f, 0);
    put32(f, 128);
    put16(f, 2);
    put16(f, (uint16_t)strlen(name));
    put(f, name, strlen(name));
    if (resolution >= 0) {
        uint8_t r = (uint8_t)resolution;

        put16(f, 9);
        put16(f, 1);
        put(f, &r, 1);
    }
    put32(f, 0);
    end(f, at);
}

static void
packet(struct file *f, uint32_t id, uint64_t t, const char *data, int flags)
{
    size_t at = begin(f, 6);

    put32(f, id);
    put32(f, (uint32_t)(t >> 32));
    put32(f, (uint32_t)t);
    put32(f, (uint32_t)strlen(data));
    put32(f, 1000);
    put(f, data, strlen(data));
    if (flags) {
        put16(f, 2);
        put16(f, 4);
        put32(f, (uint32_t)flags);
        put32(f, 0);
    }
    end(f, at);
}

/* The file in its own allocation, so that a sanitizer sees each byte beyond. */
static struct pc_reader *
open_file(const struct file *f, size_t size, uint8_t **ret_copy, char *message)
{
    struct pc_reader *reader = NULL;

    *ret_copy = malloc(size ? size : 1);
    memcpy(*ret_copy, f->data, size);
    pc_reader_memory(&reader, "/tmp/some.file.pcapng", *ret_copy, size, message);
    return reader;
}

static void
several_interfaces(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        struct file f = {.swapped = swapped};
        struct pc_reader *r;
        struct pc_record rec;
        char message[256];
        uint8_t *copy;

        section(&f);
        interface(&f, "s1-eth1", -1); /* microseconds */
        interface(&f, "s1-eth2", 9);  /* nanoseconds */
        interface(&f, "", 0x80 | 10); /* 1/1024 s */
        packet(&f, 0, 5000001, "hello", 0);
        end(&f, begin(&f, 0x0bad0bad)); /* a block of no known type */
        packet(&f, 1, UINT64_C(7000000001), "there", 2);
        packet(&f, 2, 512, "", 1);
        f.swapped = !f.swapped; /* another section, other byte order */
        section(&f);
        interface(&f, "s2-eth1", 6);
        packet(&f, 0, 1, "again", 0);
        r = open_file(&f, f.size, &copy, message);
        assert_non_null(r);
        assert_int_equal(pc_reader_next(r, &rec, message), 1);
        assert_int_equal(rec.t_ns, UINT64_C(5000001000));
        assert_int_equal(rec.cap, 5);
        assert_int_equal(rec.len, 1000);
        assert_memory_equal(rec.data, "hello", 5);
        assert_string_equal(pc_reader_interface(r, rec.interface), "s1-eth1");
        assert_int_equal(rec.direction, PC_EITHER);
        assert_int_equal(pc_reader_next(r, &rec, message), 1);
        assert_int_equal(rec.t_ns, UINT64_C(7000000001));
        assert_string_equal(pc_reader_interface(r, rec.interface), "s1-eth2");
        assert_int_equal(rec.direction, PC_OUT);
        assert_int_equal(pc_reader_next(r, &rec, message), 1);
        assert_int_equal(rec.t_ns, 500000000);
        assert_string_equal(pc_reader_interface(r, rec.interface), "some"); /* the file's name */
        assert_int_equal(rec.direction, PC_IN);
        assert_int_equal(pc_reader_next(r, &rec, message), 1);
        assert_string_equal(pc_reader_interface(r, rec.interface), "s2-eth1");
        assert_int_equal(pc_reader_next(r, &rec, message), 0);
        pc_reader_close(&r);
        free(copy);
    }
}

static void
simple_packets(void **state)
{
    struct file f = {0};
    struct pc_reader *r;
    struct pc_record rec;
    char message[256];
    uint8_t *copy;
    size_t at;

    (void)state;
    section(&f);
    interface(&f, "e", -1);
    at = begin(&f, 3);
    put32(&f, 6);
    put(&f, "simple", 6);
    end(&f, at);
    r = open_file(&f, f.size, &copy, message);
    assert_non_null(r);
    assert_int_equal(pc_reader_next(r, &rec, message), 1);
    assert_int_equal(rec.cap, 6);
    assert_memory_equal(rec.data, "simple", 6);
    pc_reader_close(&r);
    free(copy);
}

/* Cut off anywhere: packets before stand, then the end or an error with a message; no read beyond.
 */
static void
cut_off_at_every_byte(void **state)
{
    struct file f = {0};

    (void)state;
    section(&f);
    interface(&f, "s1-eth1", 9);
    packet(&f, 0, 1, "first", 1);
    packet(&f, 0, 2, "second", 2);
    for (size_t size = 0; size < f.size; size++) {
        struct pc_record rec;
        char message[256] = "";
        uint8_t *copy;
        struct pc_reader *r = open_file(&f, size, &copy, message);
        int n = -1;

        if (r)
            while ((n = pc_reader_next(r, &rec, message)) == 1)
                assert_true(rec.cap == 5 || rec.cap == 6);
        if (n < 0)
            assert_true(message[0] != '\0');
        pc_reader_close(&r);
        free(copy);
    }
}

/* Each 32-bit word of the file replaced by a hostile value. */
static void
hostile_words(void **state)
{
    static const uint32_t evil[] = {0,          1,          4,          11,         12,
                                    13,         16,         0x7fffffff, 0x80000000, 0xfffffff0,
                                    0xffffffff, 0x00100000, 0x00100004, 0xffff0000, 0x0000ffff};
    struct file f = {0};

    (void)state;
    section(&f);
    interface(&f, "s1-eth1", 9);
    packet(&f, 0, 1, "first", 1);
    packet(&f, 0, 2, "second", 2);
    for (size_t at = 0; at + 4 <= f.size; at += 4)
        for (size_t i = 0; i < sizeof evil / sizeof evil[0]; i++) {
            struct file g = f;
            struct pc_record rec;
            struct pc_packet pk;
            char message[256] = "";
            uint8_t *copy;
            struct pc_reader *r;
            int n = -1, packets = 0;

            memcpy(g.data + at, &evil[i], 4);
            r = open_file(&g, g.size, &copy, message);
            if (r)
                while ((n = pc_reader_next(r, &rec, message)) == 1) {
                    pc_dissect(rec.data, rec.cap, rec.len, rec.linktype, &pk);
                    assert_true(++packets <= 2);
                }
            if (n < 0)
                assert_true(message[0] != '\0');
            pc_reader_close(&r);
            free(copy);
        }
}

static void
not_a_capture(void **state)
{
    struct file f = {.size = 100};
    struct pc_reader *r;
    char message[256];
    uint8_t *copy;

    (void)state;
    memcpy(f.data, "<html>", 6);
    r = open_file(&f, f.size, &copy, message);
    assert_null(r);
    assert_non_null(strstr(message, "neither pcap nor pcapng"));
    free(copy);
    assert_int_equal(pc_reader_open(&r, "/nonexistent/x.pcap", message), -1);
    assert_non_null(strstr(message, "No such file"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_interfaces),    cmocka_unit_test(simple_packets),
        cmocka_unit_test(cut_off_at_every_byte), cmocka_unit_test(hostile_words),
        cmocka_unit_test(not_a_capture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
