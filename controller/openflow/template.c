/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c - see template.h. OpenFlow 1.3.5 sections 7.3.4.1 (flow-mod) and 7.3.7 (packet-out);
 * 1.0.1 sections 5.3.3 and 5.3.6. Whatever it makes is what encode.c makes, byte for byte: the unit
 * test holds one against the other.
 */
#include "template.h"

#include <string.h>

#include "codec.h"

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
        ret->in_port = mod->match.fields & OF_M_IN_PORT ? of_layout10.in_port : 0;
        ret->eth_src = mod->match.fields & OF_M_ETH_SRC ? of_layout10.eth_src : 0;
        ret->eth_dst = mod->match.fields & OF_M_ETH_DST ? of_layout10.eth_dst : 0;
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
