/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_hostile.c - messages that lie, each with the error it must get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_all.h"
#include "openflow_bytes.h"

struct vector {
    const char *name;
    const char *hex; /* blanks are skipped */
    int error;       /* of openflow_all() */
};

#define ZERO16 "0000000000000000"
/* cookie, mask, table, command, timeouts, priority, buffer, out_port, out_group, flags of a
 * flow_mod */
#define FIXED(command)                                                                             \
    ZERO16 ZERO16 "00" command "00000000 0000 ffffffff 00000000 00000000 0000 0000"
/* buffer_id, total_len, reason, table, cookie of a packet_in */
#define HEAD "ffffffff 0000 00 00 0000000000000000"

/* Bodies after those in reports against other controllers (zero-length elements that hang a parser)
 * and one for each check of the decoders. */
static const struct vector vectors[] = {
    {"length 0", "04000000 00000001", OF_ELENGTH},
    {"length 7", "04000007 00000001", OF_ELENGTH},
    {"version 0", "00000008 00000001", OF_EVERSION},
    {"version 5 that is no hello", "050e0008 00000001", OF_EVERSION},
    {"hello of a version we lack", "06000008 00000001", OF_OK},
    {"unknown type", "041e0008 00000001", OF_ETYPE},
    {"unknown type of 1.0", "01160008 00000001", OF_ETYPE},
    {"hello element of length 0", "04000010 00000001 00010000 00000012", OF_ELENGTH},
    {"hello element of length 3", "04000010 00000001 00010003 00000012", OF_ELENGTH},
    {"hello element beyond the end", "04000010 00000001 00010009 00000012", OF_ELENGTH},
    {"hello bitmap without a word", "04000010 00000001 00010004 00000012", OF_ELENGTH},
    {"hello half an element", "0400000a 00000001 0001", OF_ESHORT},
    {"hello unknown element first", "04000018 00000001 00770004 00000000 00010008 00000012", OF_OK},
    {"hello of 1.0 with garbage", "0100000a 00000001 ffff", OF_OK},
    {"error without code", "0401000a 00000001 0001", OF_ESHORT},
    {"features reply too short",
     "0406001f 00000001 0000000000000001 00000000 00000000 00000000 000000", OF_ESHORT},
    {"packet_in with match length 0",
     "040a002a 00000001 " HEAD "0001 0000 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match length 3",
     "040a002a 00000001 " HEAD "0001 0003 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match beyond the end",
     "040a002a 00000001 " HEAD "0001 0013 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in without padding",
     "040a0029 00000001 " HEAD "0001 000c 80000004 00000001 00000000 00", OF_ESHORT},
    {"packet_in without in_port",
     "040a002a 00000001 " HEAD "0001 0004 00000000 80000004 00000001 0000", OF_EVALUE},
    {"packet_in with in_port as second field",
     "040a0032 00000001 " HEAD "0001 0012 80000a02 0800 80000004 00000001"
     "000000000000 0000",
     OF_OK},
    {"packet_in with an oxm beyond the match",
     "040a002a 00000001 " HEAD "0001 000c 800000ff 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with half an oxm header",
     "040a002a 00000001 " HEAD "0001 0006 80000004 00000001 00000000 0000", OF_ESHORT},
    {"port_status with reason 3",
     "040c0050 00000001 03000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16,
     OF_EVALUE},
    {"port_status of 79 bytes",
     "040c004f 00000001 00000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16
     "00000000000000",
     OF_ESHORT},
    {"packet_out with actions beyond the end",
     "040d0020 00000001 ffffffff 00000001 0009 000000000000 0000000000000000", OF_ELENGTH},
    {"flow_mod with command 5", "040e0038 00000001" FIXED("05") "0001 0004 00000000", OF_EVALUE},
    {"flow_mod with the match of 1.1", "040e0038 00000001" FIXED("00") "0000 0004 00000000",
     OF_EVALUE},
    {"flow_mod with match length 2", "040e0038 00000001" FIXED("00") "0001 0002 00000000",
     OF_ELENGTH},
    {"flow_mod with an oxm of wrong size",
     "040e0040 00000001" FIXED("00") "0001 000b 80000003 000001 0000000000", OF_ELENGTH},
    {"flow_mod with in_port twice",
     "040e0048 00000001" FIXED("00") "0001 0014 80000004 00000001 80000004 00000002 00000000",
     OF_EVALUE},
    {"flow_mod with a masked in_port",
     "040e0040 00000001" FIXED("00") "0001 0010 80000108 00000001 0000ffff", OF_EVALUE},
    {"flow_mod with an unknown oxm of size 0",
     "040e0040 00000001" FIXED("00") "0001 000c 0001fe00 0001fc00 00000000", OF_OK},
    {"flow_mod with an instruction of length 0",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0000 00000000", OF_ELENGTH},
    {"flow_mod with an instruction of length 9",
     "040e0048 00000001" FIXED("00") "0001 0004 00000000 0004 0009 00000000" ZERO16, OF_ELENGTH},
    {"flow_mod with an instruction beyond the end",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0010 00000000", OF_ELENGTH},
    {"flow_mod with half an instruction header",
     "040e003a 00000001" FIXED("00") "0001 0004 00000000 0004", OF_ESHORT},
    {"flow_mod with short write_metadata",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0002 0008 00000000", OF_ELENGTH},
    {"flow_removed with a match beyond the end",
     "040b0038 00000001" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 "0001 0010 00000000", OF_ELENGTH},
    {"group_mod of 15 bytes", "040f000f 00000001 0000 0000 000000", OF_ESHORT},
    {"group_mod without buckets", "040f0010 00000001 0000 0000 00000001", OF_OK},
    {"group_mod with command 3", "040f0010 00000001 0003 0000 00000001", OF_EVALUE},
    {"group_mod with a bucket of length 0",
     "040f0020 00000001 0000 0000 00000001 0000 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 8",
     "040f0020 00000001 0000 0000 00000001 0008 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 17",
     "040f0028 00000001 0000 0000 00000001 0011 0000 ffffffff ffffffff 00000000" ZERO16,
     OF_ELENGTH},
    {"group_mod with a bucket beyond the end",
     "040f0020 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with half a bucket", "040f0018 00000001 0000 0000 00000001 0010 0000 ffffffff",
     OF_ESHORT},
    {"group_mod with an action of length 0",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0016 0000 00000001",
     OF_ELENGTH},
    {"group_mod with an action beyond its bucket",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0000 0010 00000001",
     OF_ELENGTH},
    {"multipart without body", "0413000f 00000001 000d 0000 000000", OF_ESHORT},
};

static void
hostile_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        uint8_t wide[512], *exact;
        char line[512];
        size_t n = bytes_of(v->hex, wide, sizeof(wide));
        struct of_header header;
        int error;

        assert_true(n >= OF_HEADER_SIZE);
        header.length = 0;
        of_frame(wide, n, &header);
        if (header.length >= OF_HEADER_SIZE && header.length != n)
            fail_msg("%s: the vector has %zu bytes, says %u", v->name, n, header.length);
        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        error = openflow_all(exact, n);
        if (error != v->error)
            fail_msg("%s: %s, expected %s", v->name, of_strerror(error), of_strerror(v->error));
        /* the line says so too, and where */
        error = of_print(exact, n, line, sizeof(line));
        assert_true(v->error ? error == v->error : error >= 0);
        if (v->error)
            assert_non_null(strstr(line, of_strerror(v->error)));
        free(exact);
    }
}

/* Lists of actions, which packet_out and flow_mod leave to who walks them. */
static void
hostile_actions(void **state)
{
    static const struct vector lists[] = {
        {"length 0", "0000 0000 00000001 ffe5 000000000000", OF_ELENGTH},
        {"length 4", "0012 0004 00000000", OF_ELENGTH},
        {"no multiple of 8", "0016 000c 00000001 00000000", OF_ELENGTH},
        {"beyond the list", "0016 0010 00000001", OF_ELENGTH},
        {"half a header", "0016", OF_ESHORT},
        {"output of 8 bytes", "0000 0008 00000001", OF_ELENGTH},
        {"group of 16 bytes", "0016 0010 00000001 0000000000000000", OF_ELENGTH},
        {"set_field of 8 bytes", "0019 0008 80000606", OF_ELENGTH},
        {"set_field longer than its action", "0019 0010 800034ff 0000000000000000", OF_ELENGTH},
        {"set_field shorter than its action",
         "0019 0018 80000606 0000000000000000 0000000000000000", OF_ELENGTH},
        {"unknown, then too short", "1234 0008 00000000 0000 0004", OF_ELENGTH},
        {"unknown alone", "1234 0008 00000000", OF_OK},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint8_t wide[64], *exact;
        size_t n = bytes_of(lists[i].hex, wide, sizeof(wide));
        struct of_cursor c;
        struct of_action action;
        int error;

        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        c = (struct of_cursor){exact, (uint32_t)n};
        while ((error = of_next_action(&c, &action)) > 0)
            ;
        if (error != lists[i].error)
            fail_msg("%s: %s", lists[i].name, of_strerror(error));
        free(exact);
    }
}

/* Entries of multipart replies. */
static void
hostile_lists(void **state)
{
    uint8_t entry[56] = {0, 56, [48] = 0, 1, 0, 4};
    struct of_cursor c = {entry, sizeof(entry)};
    struct of_group_mod group;
    struct of_flow flow;
    struct of_port one;
    static const uint16_t lies[] = {0, 1, 55, 57, 0xffff};

    (void)state;
    assert_int_equal(of_next_flow(&c, &flow), 1);
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        entry[0] = (uint8_t)(lies[i] >> 8);
        entry[1] = (uint8_t)lies[i];
        c = (struct of_cursor){entry, sizeof(entry)};
        assert_int_equal(of_next_flow(&c, &flow), OF_ELENGTH);
    }
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_flow(&c, &flow), OF_ESHORT);
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_port(&c, &one), OF_ESHORT);

    memset(entry, 0, sizeof(entry)); /* a group with one bucket */
    entry[1] = 24;
    entry[9] = 16;
    c = (struct of_cursor){entry, 24};
    assert_int_equal(of_next_group(&c, &group), 1);
    assert_int_equal(c.left, 0);
    for (uint8_t i = 0; i < 32; i++) { /* no other length of the bucket, or of the entry */
        entry[9] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 16)
            assert_int_equal(of_next_group(&c, &group), OF_ELENGTH);
        entry[9] = 16;
        entry[1] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 24 && i != 8) /* 8: without buckets */
            assert_true(of_next_group(&c, &group) < 0);
        entry[1] = 24;
    }
    c = (struct of_cursor){entry, 7};
    assert_int_equal(of_next_group(&c, &group), OF_ESHORT);
}

static void
a_line_that_is_too_long(void **state)
{
    struct of_buffer b = fresh(4096);
    struct of_flow_mod mod = {.match = full_match(6)};
    char line[64];

    (void)state;
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_int_equal(of_print(b.data, b.len, line, sizeof(line)), 63);
    assert_string_equal(line + 60, "...");
    assert_memory_equal(line, "FLOW_MOD (OF1.3)", 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_messages),
        cmocka_unit_test(hostile_actions),
        cmocka_unit_test(hostile_lists),
        cmocka_unit_test(a_line_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
