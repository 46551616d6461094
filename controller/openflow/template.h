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
/* As of_put_packet_out() with one output (no limit on bytes to the controller). */
void of_put_packet_out_to(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                          uint32_t in_port, uint32_t output, const void *data, size_t size);

/* ---- inline, since it is for the decision path ----------------------------------------------- */

/* Offsets of the fields that do not move, by version; constants, so that each version has code of
 * its own. Those of the match are found in 1.3, where it is a list, and fixed in 1.0. output is
 * counted from the end of the flow-mod; out_ are of a packet-out with one output. */
struct of_layout {
    uint8_t cookie, buffer_id, output, port_size;
    uint8_t in_port, eth_src, eth_dst; /* 1.0 */
    uint8_t out_in_port, out_output, out_size;
};
static const struct of_layout of_layout10 = {.cookie = 48,
                                             .buffer_id = 64,
                                             .output = 4,
                                             .port_size = 2,
                                             .in_port = 12,
                                             .eth_src = 14,
                                             .eth_dst = 20,
                                             .out_in_port = 12,
                                             .out_output = 20,
                                             .out_size = 24};
static const struct of_layout of_layout13 = {.cookie = 8,
                                             .buffer_id = 32,
                                             .output = 12,
                                             .port_size = 4,
                                             .out_in_port = 12,
                                             .out_output = 28,
                                             .out_size = 40};

/* The reserved ports of 1.0 are the lower halves of those of 1.3. */
static inline void
of_store_port(uint8_t *p, uint32_t port, uint8_t size)
{
    if (size == 4)
        of_store32(p, port);
    else
        of_store16(p, (uint16_t)port);
}

static inline __attribute__((always_inline)) void
of_patch_flow_mod(uint8_t *p, const struct of_template *t, struct of_layout layout,
                  const struct of_patch *patch)
{
    of_store32(p + 4, patch->xid);
    of_store64(p + layout.cookie, patch->cookie);
    of_store32(p + layout.buffer_id, patch->buffer_id);
    if (t->in_port != 0)
        of_store_port(p + t->in_port, patch->in_port, layout.port_size);
    if (t->eth_src != 0)
        memcpy(p + t->eth_src, patch->eth_src, 6);
    if (t->eth_dst != 0)
        memcpy(p + t->eth_dst, patch->eth_dst, 6);
    of_store_port(p + t->size - layout.output, patch->output, layout.port_size);
}

/* Appends the flow-mod, or sets b->full. */
static inline void
of_put_template(struct of_buffer *b, const struct of_template *t, const struct of_patch *patch)
{
    if (t->size > b->size - b->len) {
        b->full = true;
        return;
    }
    memcpy(b->data + b->len, t->bytes, t->size);
    of_patch_flow_mod(b->data + b->len, t, t->version == OF13 ? of_layout13 : of_layout10, patch);
    b->len += t->size;
}

static inline __attribute__((always_inline)) size_t
of_answer(uint8_t *p, const struct of_template *t, struct of_layout layout,
          const struct of_patch *patch, const void *data, size_t size)
{
    uint8_t *out = p + t->size;

    memcpy(p, t->bytes, OF_TEMPLATE_MAX); /* of a fixed size: no call */
    of_patch_flow_mod(p, t, layout, patch);
    of_store16(out + 2, (uint16_t)(layout.out_size + size));
    of_store32(out + 4, patch->out_xid);
    of_store_port(out + layout.out_in_port, patch->in_port, layout.port_size);
    of_store_port(out + layout.out_output, patch->output, layout.port_size);
    memcpy(out + layout.out_size, data, size);
    return t->size + layout.out_size + size;
}

/* The flow-mod, and behind it a packet-out of a packet from the rule's port to its
 * output. OF_ANSWER_MAX + size bytes must be free, and size at most OF_ANSWER_PACKET_MAX; else
 * b->full, and neither is there. */
static inline void
of_put_answer(struct of_buffer *b, const struct of_template *t, const struct of_patch *patch,
              const void *data, size_t size)
{
    uint8_t *p = b->data + b->len;

    if (size > OF_ANSWER_PACKET_MAX || OF_ANSWER_MAX + size > b->size - b->len) {
        b->full = true;
        return;
    }
    if (t->version == OF13)
        b->len += of_answer(p, t, of_layout13, patch, data, size);
    else
        b->len += of_answer(p, t, of_layout10, patch, data, size);
}

#endif
