/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapcheck_fuzz.c - libFuzzer target: bytes as a capture file (first byte even) or as one frame
 * (odd), through the reader, the dissection, the flow table and the checks.
 */
#include <pcapcheck.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
as_frame(struct pc_engine *e, const uint8_t *data, size_t size)
{
    static const int links[] = {PC_LINK_ETHERNET, PC_LINK_RAW, PC_LINK_SLL, PC_LINK_SLL2};
    uint32_t point = pc_point_add(&e->net.points, "fuzz");

    if (size < 2)
        return;
    pc_engine_packet(e, point, data[0] & 1 ? PC_IN : PC_OUT, 1, data + 2, (uint32_t)size - 2,
                     (uint32_t)size - 2 + data[1], links[data[0] >> 1 & 3]);
}

static void
as_file(struct pc_engine *e, const uint8_t *data, size_t size)
{
    struct pc_reader *reader;
    struct pc_record record;
    char message[256];

    if (pc_reader_memory(&reader, "fuzz", data, size, message))
        return;
    while (pc_reader_next(reader, &record, message) == 1) {
        uint32_t point =
            pc_point_add(&e->net.points, pc_reader_interface(reader, record.interface));

        if (point == PC_NONE)
            break;
        pc_engine_packet(e, point, record.direction, record.t_ns, record.data, record.cap,
                         record.len, record.linktype);
        pc_engine_advance(e, record.t_ns);
    }
    pc_reader_close(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pc_engine_config config = {.flows = 16, .journeys = 16, .seed = 1};
    struct pc_engine *e = pc_engine_new(&config);
    struct pc_summary summary;

    if (!e)
        return 0;
    if (size && data[0] & 1)
        as_frame(e, data + 1, size - 1);
    else if (size)
        as_file(e, data + 1, size - 1);
    pc_engine_advance(e, UINT64_MAX);
    pc_summarise(e, &summary);
    pc_engine_destroy(&e);
    return 0;
}
