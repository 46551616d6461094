/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - prints the rows of a table: here, what the supervisor started.
 *   cc reader.c $(pkg-config --cflags --libs trivet-statebus) -o reader
 */
#include <stdio.h>
#include <trivet/statebus.h>

int
main(int argc, char **argv)
{
    char message[SB_MESSAGE_MAX];
    struct sb_reader *reader;
    struct sb_service row;
    uint64_t cursor = 0;
    int got;

    if (sb_reader_open(&reader, argc > 1 ? argv[1] : "default", "supervisor", message) < 0) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    while ((got = sb_read(reader, SB_T_service, &cursor, &row)) == 1 || got == SB_EBUSY)
        if (got == 1) /* SB_EBUSY: this row changed all the time */
            printf("%.32s: pid %u, %s\n", row.name, row.pid, sb_service_state_text(row.state));
    sb_reader_close(&reader);
    return 0;
}
