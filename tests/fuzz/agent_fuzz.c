/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_fuzz.c - libFuzzer target of what the agent reads from the network: a beacon, a probe to
 * reflect, and replies to probes of a session. Sources: agent/stamp.c beacon.c session.c window.c
 * histogram.c.
 */
#include "beacon.h"
#include "session.h"
#include "stamp.h"
#include "window.h"

#include <stdlib.h>
#include <string.h>
#include <trivet/clock.h>

#define START (1000 * SB_SECOND)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a reply to one of eight probes, each time; what identifies the probe is made right,
 * so that the fuzzer reaches what lies behind. */
static void
replies(struct ag_session *session, const uint8_t *data, size_t size)
{
    uint64_t now = START;

    for (unsigned i = 0; i < 8; i++) {
        struct ag_stamp_probe packet;
        struct ag_stamp_reply reply;
        struct ag_probe *probe = ag_session_send(session, now, now, &packet);

        ag_session_sent(session, probe, i);
        now += 300 * SB_MS;
        if (ag_stamp_get_reply(data, size, &reply) == AG_STAMP_OK) {
            const struct ag_probe *asked = ag_session_probe(session, reply.probe_seq % 8);

            if (asked) {
                reply.probe_seq = asked->seq;
                reply.probe_t1 = asked->wire_t1;
                reply.ssid = 0;
            }
            ag_session_reply(session, &reply, now, SB_stamp_method_KERNEL, now, now);
        }
        ag_session_expire(session, now);
        if (size > 5) {
            data += 5;
            size -= 5;
        }
    }
    ag_session_expire(session, now + 10 * SB_SECOND);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ag_window_room room;
    const struct ag_stamp_reflection reflection = {
        .follow_mode = AG_MODE_SOFTWARE, .follow_t3 = 1, .seq = 2};
    struct ag_session session;
    struct ag_stamp_reply reply;
    struct ag_beacon beacon, again;
    struct sb_latency row;
    uint8_t bytes[AG_BEACON_MAX], *copy = malloc(size + !size);

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (ag_beacon_get(copy, size, &beacon) == AG_BEACON_OK &&
        (ag_beacon_get(bytes, ag_beacon_put(bytes, &beacon), &again) != AG_BEACON_OK ||
         memcmp(&beacon, &again, sizeof(beacon)) != 0))
        abort();
    /* A reply of ours must be readable, whatever the probe was, unless a TLV was malformed. */
    if (ag_stamp_reflect(copy, size, &reflection) == AG_STAMP_OK &&
        (ag_stamp_get_reply(copy, size, &reply) == AG_STAMP_SHORT || reply.seq != 2))
        abort();
    free(copy);
    if (ag_session_open(&session, SB_SECOND, 2 * SB_SECOND, 4 * SB_SECOND, NULL, NULL) == 0) {
        replies(&session, data, size);
        if (ag_window_close(&session, 0, UINT64_MAX, &room, &row) &&
            row.sent != row.received + row.lost)
            abort();
        ag_session_close(&session);
    }
    return 0;
}
