/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_openflow.c - libFuzzer target of the OpenFlow codec: one message a run.
 * Run: fuzz_openflow CORPUS tests/fuzz/corpus/openflow tests/fuzz/regression/openflow
 */
#include <stdlib.h>
#include <string.h>

#include "openflow_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    openflow_all(data, size);
    if (size < 8 || size > UINT16_MAX)
        return 0;
    /* and with a length that is true, which a mutation seldom hits */
    copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[2] = (uint8_t)(size >> 8);
    copy[3] = (uint8_t)size;
    openflow_all(copy, size);
    free(copy);
    return 0;
}
