/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every.h - one of every message, as our encoders make it. For the round trips and
 * truncations of the unit tests, and for the system test that shows them to ovs-ofctl and tshark.
 */
#ifndef TESTS_OPENFLOW_EVERY_H
#define TESTS_OPENFLOW_EVERY_H

#include <trivet/openflow.h>

struct every_message {
    const char *name; /* "1.3 METER_MOD dscp" */
    uint8_t version, type;
    bool not_in_ovs; /* Open vSwitch does not know what is in it */
    uint8_t bytes[8192];
    size_t size;
};

/* Calls with each message in turn; it is gone when the call returns. Returns how many there were;
 * aborts when one cannot be encoded. */
unsigned openflow_every(void (*each)(void *user, const struct every_message *message), void *user);

#endif
