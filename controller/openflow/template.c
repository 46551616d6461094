/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c - see template.h. OpenFlow 1.3.5 sections 7.3.4.1 (flow-mod) and 7.3.7 (packet-out);
 * 1.0.1 sections 5.3.3 and 5.3.6. Whatever it makes is what encode.c makes, byte for byte: the unit
 * test holds one against the other.
 */
#include "template.h"

#include <string.h>

#include "codec.h"

/* Offsets of the fields that do not move, by version; constants, so that each version has code of
 * its own. Those of the match are found in 1.3, where it is a list, and fixed in 1.0. output is
 * counted from the end of the flow-mod; out_ are of a packet-out with one output. */
struct layout {
    uint8_t cookie, buffer_id, output, port_size;
    uint8_t in_port, eth_src, eth_dst; /* 1.0 */
    uint8_t out_in_port, out_output, out_size;
};
static const struct layout layout10 = {.cookie = 48,
                                       .buffer_id = 64,
                                       .output = 4,
                                       .port_size = 2,
                                       .in_port = 12,
                                       .eth_src = 14,
                                       .eth_dst = 20,
                                       .out_in_port = 12,
                                       .out_output = 20,
                                       .out_size = 24};
static const struct layout layout13 = {.cookie = 8,
                                       .buffer_id = 32,
                                       .output = 12,
                                       .port_size = 4,
                                       .out_in_port = 12,
                                       .out_output = 28,
                                       .out_size = 40};

#define MATCH_AT 48 /* of a 1.3 flow-mod */

/* Where the OXM fields of a 1.3 flow-mod lie that we encoded ourselves. */
static bool
find_oxm(struct of_template *t)
{
    const uint8_t *match = t->bytes + MATCH_AT;
    uint16_t end = of_get16(match + 2);

    for (uint16_t at = 4; at + 4 <= end; at = (uint16_t)(at + 4 + match[at + 3])) {
        uint8_t value = (uint8_t)(MATCH_AT + at + 4);

        switch (match[at + 2] >> 1) {
        case 0: /* OFPXMT_OFB_IN_PORT */
            t->in_port = value;
            break;
        case 3: /* OFPXMT_OFB_ETH_DST */
            t->eth_dst = value;
            break;
        case 4: /* OFPXMT_OFB_ETH_SRC */
            t->eth_src = value;
            break;
        default:
            return false;
        }
    }
    return true;
}

bool
of_template_make(struct of_template *ret, uint8_t version, const struct of_flow_mod *mod)
{
    static const uint32_t patched = OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST;
    struct of_buffer b = {.data = ret->bytes, .size = sizeof(ret->bytes)};

    memset(ret, 0, offsetof(struct of_template, bytes));
    if ((version != OF10 && version != OF13) || mod->match.masked != 0 ||
        (mod->match.fields & ~patched) != 0 || mod->n_actions != 1 ||
        mod->actions[0].type != OF_A_OUTPUT)
        return false;
    of_put_flow_mod(&b, version, 0, mod);
    if (b.full)
        return false;
    if (version == OF13) {
        if (!find_oxm(ret))
            return false;
    } else {
        ret->in_port = mod->match.fields & OF_M_IN_PORT ? layout10.in_port : 0;
        ret->eth_src = mod->match.fields & OF_M_ETH_SRC ? layout10.eth_src : 0;
        ret->eth_dst = mod->match.fields & OF_M_ETH_DST ? layout10.eth_dst : 0;
    }
    ret->size = (uint16_t)b.len;
    of_put_packet_out(&b, version, 0, OF_NO_BUFFER, 1, mod->actions, 1, NULL, 0);
    if (b.full) { /* no room: longer than any we send */
        ret->size = 0;
        return false;
    }
    ret->version = version;
    return true;
}

/* The reserved ports of 1.0 are the lower halves of those of 1.3. */
static inline void
store_port(uint8_t *p, uint32_t port, uint8_t size)
{
    if (size == 4)
        of_store32(p, port);
    else
        of_store16(p, (uint16_t)port);
}

static inline __attribute__((always_inline)) void
patch_flow_mod(uint8_t *p, const struct of_template *t, struct layout layout,
               const struct of_patch *patch)
{
    of_store32(p + 4, patch->xid);
    of_store64(p + layout.cookie, patch->cookie);
    of_store32(p + layout.buffer_id, patch->buffer_id);
    if (t->in_port != 0)
        store_port(p + t->in_port, patch->in_port, layout.port_size);
    if (t->eth_src != 0)
        memcpy(p + t->eth_src, patch->eth_src, 6);
    if (t->eth_dst != 0)
        memcpy(p + t->eth_dst, patch->eth_dst, 6);
    store_port(p + t->size - layout.output, patch->output, layout.port_size);
}

void
of_put_template(struct of_buffer *b, const struct of_template *t, const struct of_patch *patch)
{
    if (t->size > b->size - b->len) {
        b->full = true;
        return;
    }
    memcpy(b->data + b->len, t->bytes, t->size);
    patch_flow_mod(b->data + b->len, t, t->version == OF13 ? layout13 : layout10, patch);
    b->len += t->size;
}

static inline __attribute__((always_inline)) size_t
put_answer(uint8_t *p, const struct of_template *t, struct layout layout,
           const struct of_patch *patch, const void *data, size_t size)
{
    uint8_t *out = p + t->size;

    memcpy(p, t->bytes, OF_TEMPLATE_MAX); /* of a fixed size: no call */
    patch_flow_mod(p, t, layout, patch);
    of_store16(out + 2, (uint16_t)(layout.out_size + size));
    of_store32(out + 4, patch->out_xid);
    store_port(out + layout.out_in_port, patch->in_port, layout.port_size);
    store_port(out + layout.out_output, patch->output, layout.port_size);
    memcpy(out + layout.out_size, data, size);
    return t->size + layout.out_size + size;
}

void
of_put_answer(struct of_buffer *b, const struct of_template *t, const struct of_patch *patch,
              const void *data, size_t size)
{
    uint8_t *p = b->data + b->len;

    if (size > OF_ANSWER_PACKET_MAX || OF_ANSWER_MAX + size > b->size - b->len) {
        b->full = true;
        return;
    }
    if (t->version == OF13)
        b->len += put_answer(p, t, layout13, patch, data, size);
    else
        b->len += put_answer(p, t, layout10, patch, data, size);
}

void
of_put_packet_out_to(struct of_buffer *b, uint8_t version, uint32_t xid, uint32_t buffer_id,
                     uint32_t in_port, uint32_t output, const void *data, size_t size)
{
    static const uint8_t head13[40] = {[0] = OF13, [1] = OFPT13_PACKET_OUT, [17] = 16, [27] = 16};
    uint8_t *p = b->data + b->len;

    if (version != OF13) {
        struct of_action to = {.type = OF_A_OUTPUT, .port = output};

        of_put_packet_out(b, version, xid, buffer_id, in_port, &to, 1, data, size);
        return;
    }
    if (buffer_id != OF_NO_BUFFER)
        size = 0;
    if (size > OF_MESSAGE_MAX - sizeof(head13) || sizeof(head13) + size > b->size - b->len) {
        b->full = true;
        return;
    }
    memcpy(p, head13, sizeof(head13));
    of_store16(p + 2, (uint16_t)(sizeof(head13) + size));
    of_store32(p + 4, xid);
    of_store32(p + 8, buffer_id);
    of_store32(p + 12, in_port);
    of_store32(p + 28, output);
    memcpy(p + sizeof(head13), data, size);
    b->len += sizeof(head13) + size;
}
