/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_template.c - what a template makes is what the encoder makes, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "template.h"

static struct of_flow_mod
any_mod(uint32_t fields, const struct of_action *action)
{
    struct of_flow_mod mod = {
        .cookie = (uint64_t)random() << 32 | (uint64_t)random(),
        .cookie_mask = UINT64_MAX,
        .command = OFPFC_ADD,
        .idle_s = 60,
        .hard_s = 7,
        .priority = 10,
        .flags = OFPFF_SEND_FLOW_REM,
        .buffer_id = random() % 2 ? OF_NO_BUFFER : (uint32_t)random(),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .actions = action,
        .n_actions = 1,
        .match.fields = fields,
    };

    mod.match.in_port = (uint32_t)random() % 0xff00;
    for (int i = 0; i < 6; i++) {
        mod.match.eth_src[i] = (uint8_t)random();
        mod.match.eth_dst[i] = (uint8_t)random();
    }
    return mod;
}

static struct of_action
any_output(void)
{
    static const uint32_t ports[] = {1, 2, 77, 0xfeff, OFPP_IN_PORT};

    return (struct of_action){.type = OF_A_OUTPUT, .port = ports[random() % 5]};
}

static void
flow_mods(void **state)
{
    static const uint32_t fields[] = {0,
                                      OF_M_IN_PORT,
                                      OF_M_ETH_DST,
                                      OF_M_IN_PORT | OF_M_ETH_DST,
                                      OF_M_ETH_SRC | OF_M_ETH_DST,
                                      OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST};
    static const uint8_t versions[] = {OF13, OF10};

    (void)state;
    for (unsigned v = 0; v < 2; v++)
        for (unsigned f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
            struct of_action action = any_output();
            struct of_flow_mod mod = any_mod(fields[f], &action);
            struct of_template template;

            assert_true(of_template_make(&template, versions[v], &mod));
            for (unsigned i = 0; i < 1000; i++) {
                uint8_t ours[512], theirs[512], frame[97];
                struct of_buffer a = {.data = ours, .size = sizeof(ours)},
                                 b = {.data = theirs, .size = sizeof(theirs)};
                uint32_t xid = (uint32_t)random();

                for (unsigned j = 0; j < sizeof(frame); j++)
                    frame[j] = (uint8_t)random();
                action = any_output();
                mod = any_mod(fields[f], &action);
                of_put_template(&a, &template,
                                &(struct of_patch){.cookie = mod.cookie,
                                                   .xid = xid,
                                                   .buffer_id = mod.buffer_id,
                                                   .in_port = mod.match.in_port,
                                                   .output = action.port,
                                                   .eth_src = mod.match.eth_src,
                                                   .eth_dst = mod.match.eth_dst});
                of_put_flow_mod(&b, versions[v], xid, &mod);
                assert_false(a.full || b.full);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(ours, theirs, a.len);
                /* and the packet behind it */
                a = (struct of_buffer){.data = ours, .size = sizeof(ours)};
                of_put_answer(&a, &template,
                              &(struct of_patch){.cookie = mod.cookie,
                                                 .xid = xid,
                                                 .out_xid = xid + 1,
                                                 .buffer_id = mod.buffer_id,
                                                 .in_port = mod.match.in_port,
                                                 .output = action.port,
                                                 .eth_src = mod.match.eth_src,
                                                 .eth_dst = mod.match.eth_dst},
                              frame, i % sizeof(frame));
                of_put_packet_out(&b, versions[v], xid + 1, OF_NO_BUFFER, mod.match.in_port,
                                  &action, 1, frame, i % sizeof(frame));
                assert_false(a.full || b.full);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(ours, theirs, a.len);
                a = (struct of_buffer){.data = ours, .size = OF_ANSWER_MAX + 59};
                of_put_answer(&a, &template, &(struct of_patch){.eth_src = ours, .eth_dst = ours},
                              frame, 60);
                assert_true(a.full && a.len == 0);
                b.len = (size_t)theirs[2] << 8 | theirs[3];
                a = (struct of_buffer){.data = ours, .size = b.len - 1};
                of_put_template(&a, &template,
                                &(struct of_patch){.eth_src = ours, .eth_dst = ours});
                assert_true(a.full && a.len == 0);
            }
        }
}

/* What it cannot patch it refuses. */
static void
other_shapes(void **state)
{
    struct of_action action = any_output(), group = {.type = OF_A_GROUP, .group = 1};
    struct of_flow_mod mod = any_mod(OF_M_IN_PORT, &action);
    struct of_template template;

    (void)state;
    assert_false(of_template_make(&template, 0x02, &mod));
    mod.match.fields |= OF_M_ETH_TYPE;
    assert_false(of_template_make(&template, OF13, &mod));
    mod = any_mod(OF_M_ETH_DST, &action);
    mod.match.masked = OF_M_ETH_DST;
    assert_false(of_template_make(&template, OF13, &mod));
    mod = any_mod(OF_M_IN_PORT, &group);
    assert_false(of_template_make(&template, OF13, &mod));
    mod.n_actions = 0;
    assert_false(of_template_make(&template, OF13, &mod));
    assert_int_equal(template.size, 0);
}

static void
packet_outs(void **state)
{
    static const uint8_t versions[] = {OF13, OF10};
    uint8_t frame[1600], ours[2000], theirs[2000];

    (void)state;
    for (unsigned i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)random();
    for (unsigned v = 0; v < 2; v++)
        for (unsigned i = 0; i < 2000; i++) {
            struct of_action action = any_output();
            struct of_buffer a = {.data = ours, .size = sizeof(ours)},
                             b = {.data = theirs, .size = sizeof(theirs)};
            uint32_t xid = (uint32_t)random(), in_port = (uint32_t)random() % 0xff00;
            uint32_t buffer_id = i % 4 ? OF_NO_BUFFER : (uint32_t)random();
            size_t size = (size_t)random() % sizeof(frame);

            of_put_packet_out_to(&a, versions[v], xid, buffer_id, in_port, action.port, frame,
                                 size);
            of_put_packet_out(&b, versions[v], xid, buffer_id, in_port, &action, 1, frame, size);
            assert_false(a.full || b.full);
            assert_int_equal(a.len, b.len);
            assert_memory_equal(ours, theirs, a.len);
            a = (struct of_buffer){.data = ours, .size = b.len - 1};
            of_put_packet_out_to(&a, versions[v], xid, buffer_id, in_port, action.port, frame,
                                 size);
            assert_true(a.full && a.len == 0);
        }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_mods),
        cmocka_unit_test(other_shapes),
        cmocka_unit_test(packet_outs),
    };

    srandom(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
