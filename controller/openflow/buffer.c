/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.c - where messages are written: room for one, its header, and the messages that are
 * nothing else. A message of known size is begun only when all of it fits, so that the stores need
 * no checks; one that grows is opened, added to, and closed, and is gone again when it did not fit.
 * Neighbours: every file with an of_put_ function. Any thread. OpenFlow 1.3.5 section 7.1.
 */
#include "codec.h"

#include <trivet/openflow_oxm.h>
#include <trivet/openflow_stats.h>

uint8_t *
of_begin_multipart(struct of_buffer *b, uint8_t type, uint32_t xid, uint16_t multipart,
                   uint16_t flags, size_t size)
{
    uint8_t *p = of_begin(b, OF13, type, xid, 16, size);

    if (!p)
        return NULL;
    of_store16(p + 8, multipart);
    of_store16(p + 10, flags);
    of_store32(p + 12, 0);
    return p + 16;
}

size_t
of_open(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid)
{
    size_t start = b->len;
    uint8_t *p = of_grow(b, OF_HEADER_SIZE);

    if (p) {
        p[0] = version;
        p[1] = type;
        of_store16(p + 2, OF_HEADER_SIZE);
        of_store32(p + 4, xid);
    }
    return start;
}

void
of_close(struct of_buffer *b, size_t start)
{
    size_t size = b->len - start;

    if (size > OF_MESSAGE_MAX)
        b->full = true;
    if (b->full) {
        b->len = start;
        return;
    }
    of_store16(b->data + start + 2, (uint16_t)size);
}

void
of_put_header(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid)
{
    uint8_t number = of_type_number(version, type);

    if (number == OF_TYPE_NONE)
        of_refuse(b);
    else
        of_begin(b, version, number, xid, OF_HEADER_SIZE, 0);
}
