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
        struct ctl_frame_ips ips = ctl_frame_ips(&frame);
        uint8_t ip[16], row[16] = {0};

        if (frame.data != copy || frame.size != size || frame.vlan > 0x0fff ||
            (ctl_frame_reserved(&frame) && !frame.group) ||
            (ctl_mac_learnable(frame.src_mac) && (ctl_frame_src(&frame)[0] & 1)))
            abort();
        if (ips.size != 0 && frame.eth_type != CTL_ETH_IPV4 && frame.eth_type != CTL_ETH_ARP &&
            frame.eth_type != CTL_ETH_IPV6)
            abort();
        ctl_frame_ip(ip, ips.src, ips.size); /* reads what they are */
        ctl_frame_ip(ip, ips.dst, ips.size);
        ctl_frame_macs(&frame, row, 2);
        if (memcmp(row + 2, ctl_frame_src(&frame), 6) != 0 ||
            memcmp(row + 8, ctl_frame_dst(&frame), 6) != 0)
            abort();
    }
    free(copy);
    return 0;
}
