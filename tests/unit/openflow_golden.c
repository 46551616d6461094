/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_golden.c - the codec against real messages: what Open vSwitch sent, how it prints, that
 * our encoders make the same bytes as ovs-ofctl did; every message cut at every byte; files the
 * fuzzer left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_again.h"
#include "openflow_all.h"

#define MESSAGES_MAX 400

struct golden {
    uint8_t *bytes; /* owned */
    size_t size;
    char *text; /* owned: what of_print() must say */
};

struct goldens {
    struct golden list[MESSAGES_MAX];
    unsigned n;
};

static uint8_t *
from_hex(const char *hex, size_t *ret_size)
{
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = malloc(size ? size : 1);
    unsigned byte;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    *ret_size = size;
    return bytes;
}

static int
load(void **state)
{
    struct goldens *all = calloc(1, sizeof(*all));
    FILE *file = fopen(TESTS_DIR "/unit/golden/openflow.txt", "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    struct golden *open = NULL;

    assert_non_null(all);
    assert_non_null(file);
    while ((len = getline(&line, &room, file)) > 0) {
        line[len - 1] = '\0';
        if (line[0] == '#')
            continue;
        if (!open) {
            assert_true(all->n < MESSAGES_MAX);
            open = &all->list[all->n++];
            open->bytes = from_hex(line, &open->size);
        } else {
            open->text = strdup(line);
            open = NULL;
        }
    }
    assert_null(open);
    assert_true(all->n >= 40);
    free(line);
    fclose(file);
    *state = all;
    return 0;
}

static int
unload(void **state)
{
    struct goldens *all = *state;

    for (unsigned i = 0; i < all->n; i++) {
        free(all->list[i].bytes);
        free(all->list[i].text);
    }
    free(all);
    return 0;
}

static void
prints_as_ovs_does(void **state)
{
    struct goldens *all = *state;
    char line[8192];

    for (unsigned i = 0; i < all->n; i++) {
        int len = of_print(all->list[i].bytes, all->list[i].size, line, sizeof(line));

        assert_string_equal(line, all->list[i].text);
        assert_int_equal(len, strlen(line));
        /* decoders of types that 1.0 shapes differently may refuse, but real messages are no
         * garbage */
        if (all->list[i].bytes[0] == OF13)
            assert_int_equal(openflow_all(all->list[i].bytes, all->list[i].size), OF_OK);
    }
}

/* Does a list from byte `from` on, whose elements have their length at byte `at`, end at n? */
static bool
ends_at(const uint8_t *m, uint32_t from, uint32_t at, uint32_t n)
{
    while (from < n && of_get16(m + from + at))
        from += of_get16(m + from + at);
    return from == n;
}

/* What remains of a message whose length field was cut to n and that stays valid: its tail is free
 * text, or a list that may end there. */
static bool
may_end_at(const struct golden *g, uint32_t n)
{
    const uint8_t *m = g->bytes;
    bool v10 = m[0] == OF10;

    switch (of_type13(m[0], m[1])) {
    case OFPT13_ERROR:
    case OFPT13_ECHO_REQUEST:
    case OFPT13_ECHO_REPLY:
    case OFPT13_EXPERIMENTER:
    case OFPT13_PACKET_IN:
    case OFPT13_PACKET_OUT:
    case OFPT13_MULTIPART_REPLY: /* its lists are in openflow_each.c */
        return true;
    case OFPT13_MULTIPART_REQUEST: /* but an experimenter's none ends early */
        return of_get16(m + 8) == OFPMP_EXPERIMENTER;
    case OFPT13_HELLO:
        return v10 || n == 8;
    case OFPT13_FEATURES_REPLY: /* the ports of 1.0 */
        return v10 && (n - 32) % 48 == 0;
    case OFPT13_FLOW_MOD:
        return v10 ? ends_at(m, 72, 2, n) : ends_at(m, 48 + ((of_get16(m + 50) + 7u) & ~7u), 2, n);
    case OFPT13_GROUP_MOD:
        return ends_at(m, 16, 0, n);
    case OFPT13_METER_MOD:
        return ends_at(m, 16, 2, n);
    case OFPT13_QUEUE_GET_CONFIG_REPLY:
        return ends_at(m, 16, v10 ? 4 : 8, n);
    default:
        return false;
    }
}

static void
cut_at_every_byte(void **state)
{
    struct goldens *all = *state;
    struct of_header header;
    unsigned refused = 0;

    for (unsigned i = 0; i < all->n; i++) {
        const struct golden *g = &all->list[i];

        for (size_t n = 0; n < g->size; n++) {
            uint8_t *cut = malloc(n ? n : 1); /* exact, so that ASan sees a byte too far */
            int error;

            assert_non_null(cut);
            memcpy(cut, g->bytes, n);
            /* the stream ends early: framing waits */
            assert_int_equal(of_frame(cut, n, &header), 0);
            openflow_all(cut, n);
            /* the message itself is that short */
            if (n >= OF_HEADER_SIZE) {
                cut[2] = (uint8_t)(n >> 8);
                cut[3] = (uint8_t)n;
                error = openflow_all(cut, n);
                if (error)
                    refused++;
                else
                    assert_true(may_end_at(g, (uint32_t)n));
            }
            free(cut);
        }
    }
    assert_true(refused > 1000);
}

/* Each byte of each message set to some values: nothing may crash, loop or read outside. */
static void
each_byte_changed(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x07, 0x08, 0x7f, 0x80, 0xff};
    struct goldens *all = *state;

    for (unsigned i = 0; i < all->n; i++) {
        const struct golden *g = &all->list[i];
        uint8_t *copy = malloc(g->size);

        assert_non_null(copy);
        for (size_t n = 0; n < g->size; n++)
            for (unsigned v = 0; v < sizeof(values); v++) {
                memcpy(copy, g->bytes, g->size);
                copy[n] = values[v];
                openflow_all(copy, g->size);
            }
        free(copy);
    }
}

static const struct golden *
find(const struct goldens *all, const char *text)
{
    for (unsigned i = 0; i < all->n; i++)
        if (strstr(all->list[i].text, text))
            return &all->list[i];
    fail_msg("no golden message with '%s'", text);
    return NULL;
}

static void
same_bytes(const struct golden *g, const struct of_buffer *b)
{
    assert_false(b->full);
    assert_int_equal(b->len, g->size);
    assert_memory_equal(b->data, g->bytes, g->size);
}

/* Decoding what ovs-ofctl made and encoding it again gives its bytes, where its order of fields is
 * ours. */
static void
encodes_as_ovs_does(void **state)
{
    static const char *const flow_mods[] = {
        "priority=0 cookie=1234000000000001",
        "priority=1 cookie=0000000000000002",
        "priority=65000",
        "arp_op=1",
        "actions=group:1",
        "cookie=0000000000000001/ffffffffffffffff",
    };
    struct goldens *all = *state;
    uint8_t bytes[1024];

    for (unsigned i = 0; i < sizeof(flow_mods) / sizeof(flow_mods[0]); i++) {
        struct of_buffer b = {bytes, sizeof(bytes), 0, false};
        const struct golden *g = find(all, flow_mods[i]);
        struct of_action actions[8];
        struct of_flow_mod mod;
        struct of_cursor c;

        assert_int_equal(of_decode_flow_mod(g->bytes, &mod, NULL), OF_OK);
        c = (struct of_cursor){mod.raw_actions, mod.raw_actions_size};
        while (mod.n_actions < 8 && of_next_action(&c, &actions[mod.n_actions]) > 0)
            mod.n_actions++;
        mod.actions = actions;
        of_put_flow_mod(&b, OF13, of_get32(g->bytes + 4), &mod);
        same_bytes(g, &b);
    }
}

/* A group as ovs-ofctl adds it and as the switch lists it. */
static void
encodes_groups_as_ovs_does(void **state)
{
    static const char *const names[] = {"GROUP_MOD (OF1.3)", "GROUP_DESC ["};
    struct goldens *all = *state;
    uint8_t bytes[1024];

    for (unsigned i = 0; i < 2; i++) {
        struct of_buffer b = {bytes, sizeof(bytes), 0, false};
        const struct golden *g = find(all, names[i]);
        struct of_action actions[8][4];
        struct of_bucket buckets[8];
        struct of_group_mod group;
        struct of_cursor c;

        if (i == 0) {
            assert_int_equal(of_decode_group_mod(g->bytes, &group, NULL), OF_OK);
        } else {
            c = (struct of_cursor){g->bytes + 16, (uint32_t)g->size - 16};
            assert_int_equal(of_next_group(&c, &group), 1);
            assert_int_equal(c.left, 0);
        }
        c = (struct of_cursor){group.raw_buckets, group.raw_buckets_size};
        while (group.n_buckets < 8 && of_next_bucket(&c, &buckets[group.n_buckets]) > 0) {
            struct of_bucket *bucket = &buckets[group.n_buckets];
            struct of_cursor list = {bucket->raw_actions, bucket->raw_actions_size};

            bucket->actions = actions[group.n_buckets++];
            while (bucket->n_actions < 4 &&
                   of_next_action(&list, &actions[group.n_buckets - 1][bucket->n_actions]) > 0)
                bucket->n_actions++;
        }
        group.buckets = buckets;
        assert_int_equal(group.n_buckets, 2);
        if (i == 0)
            of_put_group_mod(&b, OF13, of_get32(g->bytes + 4), &group);
        else
            of_put_group_desc_reply(&b, of_get32(g->bytes + 4), 0, &group, 1);
        same_bytes(g, &b);
    }
}

/* Taken apart to the last element and put together again, real messages are what they were. */
static void
encodes_all_as_they_were(void **state)
{
    static uint8_t bytes[OF_MESSAGE_MAX];
    struct goldens *all = *state;
    unsigned others = 0;

    for (unsigned i = 0; i < all->n; i++) {
        struct of_buffer b = {bytes, sizeof(bytes), 0, false};

        assert_int_equal(openflow_again(all->list[i].bytes, &b), OF_OK);
        assert_false(b.full);
        if (b.len != all->list[i].size || memcmp(bytes, all->list[i].bytes, b.len) != 0) {
            print_message("%s\n", all->list[i].text);
            others++;
        }
    }
    assert_int_equal(others, 0);
}

/* The same for actions alone, of all flow_mods: matches may differ in the order of fields. */
static void
encodes_actions_as_ovs_does(void **state)
{
    struct goldens *all = *state;
    unsigned n_lists = 0;

    for (unsigned i = 0; i < all->n; i++) {
        const uint8_t *m = all->list[i].bytes;
        uint8_t bytes[512];
        struct of_buffer b = {bytes, sizeof(bytes), 0, false};
        struct of_action actions[8];
        struct of_flow_mod mod;
        struct of_cursor c;
        unsigned n = 0;

        if (m[0] != OF13 || m[1] != OFPT13_FLOW_MOD)
            continue;
        assert_int_equal(of_decode_flow_mod(m, &mod, NULL), OF_OK);
        c = (struct of_cursor){mod.raw_actions, mod.raw_actions_size};
        while (n < 8 && of_next_action(&c, &actions[n]) > 0)
            n++;
        of_put_packet_out(&b, OF13, 1, OF_NO_BUFFER, 1, actions, n, NULL, 0);
        assert_int_equal(b.len, 24u + mod.raw_actions_size);
        if (mod.raw_actions_size)
            assert_memory_equal(b.data + 24, mod.raw_actions, mod.raw_actions_size);
        n_lists += n > 0;
    }
    assert_true(n_lists >= 8);
}

static void
encodes_other_types_as_ovs_does(void **state)
{
    struct goldens *all = *state;
    uint8_t bytes[2048];
    struct of_buffer b = {bytes, sizeof(bytes), 0, false};
    struct of_action flood = {.type = OF_A_OUTPUT, .port = OFPP_FLOOD};
    const struct golden *g;
    struct of_packet_in in;
    struct of_packet_out out;
    struct of_features features;
    struct of_port_status status;
    struct of_flow_removed removed;
    struct of_multipart part;
    struct of_cursor c;
    struct of_port ports[4];
    unsigned n = 0;

    g = find(all, "HELLO (OF1.3) xid=0x15");
    of_put_hello(&b, OF13, 0x15, 1 << OF13 | 1 << OF10);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "PACKET_IN (OF1.3)");
    assert_int_equal(of_decode_packet_in(g->bytes, &in, NULL), OF_OK);
    assert_int_equal(in.buffer_id, OF_NO_BUFFER);
    of_put_packet_in(&b, OF13, 0, &in);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "output:FLOOD data=");
    assert_int_equal(of_decode_packet_out(g->bytes, &out, NULL), OF_OK);
    of_put_packet_out(&b, OF13, of_get32(g->bytes + 4), OF_NO_BUFFER, out.in_port, &flood, 1,
                      out.data, out.data_size);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "FEATURES_REPLY (OF1.3)");
    assert_int_equal(of_decode_features_reply(g->bytes, &features, NULL), OF_OK);
    of_put_features_reply(&b, OF13, of_get32(g->bytes + 4), &features);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "PORT_STATUS (OF1.3)");
    assert_int_equal(of_decode_port_status(g->bytes, &status, NULL), OF_OK);
    of_put_port_status(&b, OF13, 0, &status);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "FLOW_REMOVED (OF1.3)");
    assert_int_equal(of_decode_flow_removed(g->bytes, &removed, NULL), OF_OK);
    of_put_flow_removed(&b, OF13, 0, &removed);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "PORT_DESC port:LOCAL");
    assert_int_equal(of_decode_multipart(g->bytes, &part, NULL), OF_OK);
    c = (struct of_cursor){part.body, part.body_size};
    while (n < 4 && of_next_port(&c, &ports[n]) > 0)
        n++;
    assert_int_equal(n, 2);
    of_put_port_desc_reply(&b, of_get32(g->bytes + 4), ports, n, 0);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "SET_CONFIG (OF1.3) xid=0x3 frags=normal miss_send_len=65534");
    of_put_set_config(&b, OF13, 3, 0, 65534);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "MULTIPART_REQUEST (OF1.3) xid=0x3 PORT_DESC");
    of_put_multipart_request(&b, OF13, 3, OFPMP_PORT_DESC, 0, NULL, 0);
    same_bytes(g, &b);

    b.len = 0;
    g = find(all, "MULTIPART_REQUEST (OF1.3) xid=0x2 FLOW");
    of_put_flow_stats_request(&b, OF13, 2, 0, 0);
    same_bytes(g, &b);
}

/* Corpus and what the fuzzer once broke: must run, whatever it is. */
static void
files_of_the_fuzzer(void **state)
{
    static const char *const folders[] = {TESTS_DIR "/fuzz/corpus/openflow",
                                          TESTS_DIR "/fuzz/regression/openflow"};
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        DIR *folder = opendir(folders[i]);
        struct dirent *entry;

        assert_non_null(folder);
        while ((entry = readdir(folder))) {
            uint8_t bytes[4096], *exact;
            char path[4096];
            size_t size;
            FILE *file;

            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", folders[i], entry->d_name);
            file = fopen(path, "r");
            assert_non_null(file);
            size = fread(bytes, 1, sizeof(bytes), file);
            fclose(file);
            exact = malloc(size ? size : 1);
            assert_non_null(exact);
            memcpy(exact, bytes, size);
            openflow_all(exact, size);
            free(exact);
            n++;
        }
        closedir(folder);
    }
    assert_true(n >= 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_as_ovs_does),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(each_byte_changed),
        cmocka_unit_test(encodes_as_ovs_does),
        cmocka_unit_test(encodes_groups_as_ovs_does),
        cmocka_unit_test(encodes_actions_as_ovs_does),
        cmocka_unit_test(encodes_all_as_they_were),
        cmocka_unit_test(encodes_other_types_as_ovs_does),
        cmocka_unit_test(files_of_the_fuzzer),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
