/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_openflow.c - libFuzzer target of the OpenFlow codec: one message a run.
 * Run: fuzz_openflow CORPUS tests/fuzz/corpus/openflow tests/fuzz/regression/openflow
 */
#include "openflow_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    openflow_all(data, size);
    return 0;
}
