/* SPDX-License-Identifier: Apache-2.0
 *
 * template.h - answers to packet-ins, by patching what was encoded once.
 *
 * The rules of a policy differ in their addresses, ports and cookie only: the first is encoded as
 * every flow-mod is (encode.c), the others are its bytes with those fields stored over. The same of
 * a packet-out with one output. Pure functions, any thread; a template belongs to its holder.
 */
#ifndef OPENFLOW_TEMPLATE_H
#define OPENFLOW_TEMPLATE_H

#include <trivet/openflow.h>

#define OF_TEMPLATE_MAX 192 /* bytes of the longest flow-mod and packet-out that become one */

struct of_template {
    uint16_t size; /* of the flow-mod; 0: none was made */
    uint8_t version;
    /* where these fields lie, in bytes; 0: the match does not have it */
    uint8_t in_port, eth_src, eth_dst;
    uint8_t bytes[OF_TEMPLATE_MAX]; /* the flow-mod, and a packet-out without a packet */
};
#define OF_ANSWER_MAX (OF_TEMPLATE_MAX) /* bytes of an answer, less those of its packet */
#define OF_ANSWER_PACKET_MAX (OF_MESSAGE_MAX - 40) /* what fits a packet-out of either version */

/* What differs from rule to rule. Fields that the template's match lacks are not looked at. */
struct of_patch {
    uint64_t cookie;
    uint32_t xid, buffer_id;
    uint32_t out_xid; /* of the packet-out in an answer */
    uint32_t in_port, output;
    const uint8_t *eth_src, *eth_dst; /* borrowed, 6 bytes each */
};

/* From a flow-mod that matches on none but in_port, eth_src and eth_dst, unmasked, and has one
 * action, an output. False, and ret->size 0, if it is another one or has no encoding. */
bool of_template_make(struct of_template *ret, uint8_t version, const struct of_flow_mod *mod);
/* Appends the flow-mod, or sets b->full. */
void of_put_template(struct of_buffer *b, const struct of_template *t,
                     const struct of_patch *patch);
/* The same, and behind it a packet-out of a packet from the rule's port to its
 * output. OF_ANSWER_MAX + size bytes must be free, and size at most OF_ANSWER_PACKET_MAX; else
 * b->full, and neither is there. */
void of_put_answer(struct of_buffer *b, const struct of_template *t, const struct of_patch *patch,
                   const void *data, size_t size);
/* As of_put_packet_out() with one output (no limit on bytes to the controller). */
void of_put_packet_out_to(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                          uint32_t in_port, uint32_t output, const void *data, size_t size);

#endif
