/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_fuzz.c - libFuzzer target of what the controller reads inside a packet-in: the
 * Ethernet frame, as the decision path parses it.
 */
#include "frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zero[16];
    struct ctl_frame frame;
    uint8_t *copy;

    if (size > UINT16_MAX)
        return 0;
    copy = malloc(size + !size); /* exactly its size, so that a byte too far is seen */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    if (ctl_frame_parse(&frame, copy, (uint16_t)size) != (size >= 14))
        abort();
    if (size >= 14) {
        bool addresses = memcmp(frame.ip_src, zero, 16) != 0;

        if (frame.data != copy || frame.size != size || frame.vlan > 0x0fff ||
            (ctl_frame_reserved(&frame) && !frame.group) ||
            (ctl_mac_learnable(frame.src_mac) && (frame.src[0] & 1)))
            abort();
        if (addresses && frame.eth_type != CTL_ETH_IPV4 && frame.eth_type != CTL_ETH_ARP &&
            frame.eth_type != CTL_ETH_IPV6)
            abort();
    }
    free(copy);
    return 0;
}
