/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapcheck_dissect.c - dissection and identity against what scapy says (pcapcheck_golden.py), and
 * against packets cut off at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dissect.h>
#include <index.h>
#include <stdio.h>

#define SEED 12345

struct golden {
    char name[32], src[64], dst[64];
    unsigned vlan, vni, proto, sport, dport, eth_type, payload;
    uint8_t *data; /* owned; its own allocation, so that a sanitizer sees each byte beyond */
    uint32_t size;
};

static struct golden golden[64];
static unsigned n_golden;

static int
load(void **state)
{
    uint8_t h[24], r[16];
    FILE *text = fopen(GOLDEN_DIR "/pcapcheck_layers.txt", "re");
    FILE *pcap = fopen(GOLDEN_DIR "/pcapcheck_layers.pcap", "re");

    (void)state;
    assert_non_null(text);
    assert_non_null(pcap);
    assert_int_equal(fread(h, 1, 24, pcap), 24);
    while (fread(r, 1, 16, pcap) == 16) {
        struct golden *g = &golden[n_golden++];

        assert_true(n_golden <= 64);
        memcpy(&g->size, r + 8, 4);
        g->data = malloc(g->size);
        assert_int_equal(fread(g->data, 1, g->size, pcap), g->size);
        assert_int_equal(fscanf(text, "%31s %u %u %63s %63s %u %u %u %u %u", g->name, &g->vlan,
                                &g->vni, g->src, g->dst, &g->proto, &g->sport, &g->dport,
                                &g->eth_type, &g->payload),
                         10);
    }
    fclose(text);
    fclose(pcap);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    for (unsigned i = 0; i < n_golden; i++)
        free(golden[i].data);
    return 0;
}

static void
expect_ip(const uint8_t ip[16], const char *text)
{
    uint8_t want[16] = {0};

    if (strchr(text, ':')) {
        assert_int_equal(inet_pton(AF_INET6, text, want), 1);
    } else if (strcmp(text, "-") != 0) {
        want[10] = want[11] = 0xff;
        assert_int_equal(inet_pton(AF_INET, text, want + 12), 1);
    }
    assert_memory_equal(ip, want, 16);
}

static void
every_encapsulation(void **state)
{
    (void)state;
    assert_true(n_golden >= 25);
    for (unsigned i = 0; i < n_golden; i++) {
        struct golden *g = &golden[i];
        struct pc_packet pk;

        print_message("%s\n", g->name);
        assert_int_equal(pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk), PC_WHOLE);
        assert_int_equal(pk.vlan, g->vlan);
        assert_int_equal(pk.vni, g->vni);
        expect_ip(pk.inner.ip_src, g->src);
        expect_ip(pk.inner.ip_dst, g->dst);
        assert_int_equal(pk.inner.ip_proto, g->proto);
        assert_int_equal(pk.inner.l4_src, g->sport);
        assert_int_equal(pk.inner.l4_dst, g->dport);
        assert_int_equal(pk.inner.eth_type, g->eth_type);
        assert_int_equal(pk.payload_len, g->payload);
        assert_int_equal(pk.own, strcmp(g->name, "lldp.x") == 0);
    }
}

static void
outer_headers_are_what_a_switch_sees(void **state)
{
    struct pc_packet pk;

    (void)state;
    for (unsigned i = 0; i < n_golden; i++) {
        struct golden *g = &golden[i];

        if (strcmp(g->name, "tcp.vxlan") != 0)
            continue;
        pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk);
        expect_ip(pk.outer.ip_src, "192.0.2.1");
        assert_int_equal(pk.outer.ip_proto, 17);
        assert_int_equal(pk.outer.l4_dst, 4789);
        assert_int_equal(pk.eth_src[5], 0x0c);
        assert_int_equal(pk.inner_src[5], 0x01);
        return;
    }
    fail();
}

/* One packet has one identity wherever it is seen; different packets have different ones. */
static void
identity_is_of_the_packet(void **state)
{
    struct pc_packet pk, other;

    (void)state;
    for (unsigned i = 0; i < n_golden; i++)
        for (unsigned k = 0; k < i; k++) {
            struct golden *a = &golden[i], *b = &golden[k];
            size_t group = strcspn(a->name, ".");
            bool same = strcspn(b->name, ".") == group && strncmp(a->name, b->name, group) == 0;

            pc_identify(&pk, pc_dissect(a->data, a->size, a->size, PC_LINK_ETHERNET, &pk), SEED);
            pc_identify(&other, pc_dissect(b->data, b->size, b->size, PC_LINK_ETHERNET, &other),
                        SEED);
            assert_true(pk.identifiable);
            if ((pk.identity == other.identity) != same)
                fail_msg("%s and %s", a->name, b->name);
        }
}

/* Every byte of the packet that a switch does not change counts, up to 16 bytes of payload. */
static void
identity_counts_payload(void **state)
{
    struct golden *g = &golden[0];
    struct pc_packet pk;
    uint64_t identity;
    uint32_t payload = g->size - 48;

    (void)state;
    pc_identify(&pk, pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk), SEED);
    identity = pk.identity;
    for (uint32_t i = 0; i < 20; i++) {
        g->data[payload + i] ^= 1;
        pc_identify(&pk, pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk), SEED);
        assert_int_equal(pk.identity != identity, i < 16);
        g->data[payload + i] ^= 1;
    }
    pc_identify(&pk, pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk), SEED + 1);
    assert_true(pk.identity != identity);
}

/* Cut off by the capture: never an identity before 16 bytes of payload, never a read beyond, and
 * the same identity as the whole packet after that. */
static void
cut_off_at_every_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < n_golden; i++) {
        struct golden *g = &golden[i];
        struct pc_packet whole, pk;
        uint32_t first = 0;

        pc_identify(&whole, pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &whole), SEED);
        for (uint32_t cap = 0; cap <= g->size; cap++) {
            uint8_t *copy = malloc(cap ? cap : 1);
            enum pc_dissect_result result;

            memcpy(copy, g->data, cap);
            result = pc_dissect(copy, cap, g->size, PC_LINK_ETHERNET, &pk);
            assert_int_not_equal(result, PC_MALFORMED);
            pc_identify(&pk, result, SEED);
            if (pk.identifiable && pk.vni == whole.vni) {
                assert_true(pk.identity == whole.identity);
                if (!first)
                    first = cap;
            }
            /* The packet itself ends here: malformed or shorter, but never a crash. */
            pc_identify(&pk, pc_dissect(copy, cap, cap, PC_LINK_ETHERNET, &pk), SEED);
            for (int link = 100; link < 280; link++)
                pc_dissect(copy, cap, cap, link, &pk);
            free(copy);
        }
        assert_true(first > 0 && first <= g->size);
    }
}

static void
lies_are_malformed(void **state)
{
    struct golden *g = &golden[0]; /* Ethernet, IPv4, TCP */
    struct pc_packet pk;
    static const struct {
        unsigned at;
        uint8_t value;
    } lies[] = {
        {14, 0x44}, /* IPv4 header of 16 bytes */
        {14, 0x65}, /* version 6 */
        {16, 0xff}, /* total length beyond the packet */
        {46, 0x10}, /* TCP header of 4 bytes */
        {46, 0xf0}, /* ... of 60, that is into the payload: allowed */
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint8_t was = g->data[lies[i].at];

        g->data[lies[i].at] = lies[i].value;
        assert_int_equal(pc_dissect(g->data, g->size, g->size, PC_LINK_ETHERNET, &pk),
                         i == 4 ? PC_WHOLE : PC_MALFORMED);
        g->data[lies[i].at] = was;
    }
}

/* Tags without end, IP in IP without end: a bounded number of layers. */
static void
depth_is_bounded(void **state)
{
    uint8_t frame[1500] = {0}, *p = frame + 12;
    struct pc_packet pk;

    (void)state;
    for (; p < frame + sizeof frame - 4; p += 4) {
        p[0] = 0x81;
        p[1] = 0x00;
    }
    assert_int_equal(pc_dissect(frame, sizeof frame, sizeof frame, PC_LINK_ETHERNET, &pk), PC_DEEP);
    memset(frame, 0, sizeof frame);
    frame[12] = 8;
    for (size_t at = 14; at + 20 <= sizeof frame; at += 20) {
        size_t left = sizeof frame - at;

        frame[at] = 0x45;
        frame[at + 2] = (uint8_t)(left >> 8);
        frame[at + 3] = (uint8_t)left;
        frame[at + 9] = 4;
    }
    assert_int_equal(pc_dissect(frame, sizeof frame, sizeof frame, PC_LINK_ETHERNET, &pk), PC_DEEP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encapsulation),
        cmocka_unit_test(outer_headers_are_what_a_switch_sees),
        cmocka_unit_test(identity_is_of_the_packet),
        cmocka_unit_test(identity_counts_payload),
        cmocka_unit_test(cut_off_at_every_byte),
        cmocka_unit_test(lies_are_malformed),
        cmocka_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
