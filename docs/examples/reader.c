/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - reads the services' table: all rows, one by key, then each change for two seconds.
 *   cc reader.c $(pkg-config --cflags --libs trivet-statebus) -o reader
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <trivet/statebus.h>

static void
print_change(void *arg, const struct sb_change *change)
{
    const struct sb_service *now = change->row, *old = change->old;

    (void)arg;
    printf("%.32s: %s -> %s\n", (now ? now : old)->name,
           old ? sb_service_state_text(old->state) : "new",
           now ? sb_service_state_text(now->state) : "gone");
}

int
main(int argc, char **argv)
{
    const char *instance = argc > 1 ? argv[1] : "default";
    struct sb_service row, key = {.name = "controller"}; /* text keys are padded with zeros */
    char message[SB_MESSAGE_MAX];
    struct sb_subscriber *subscriber;
    struct sb_reader *reader;
    uint64_t cursor = 0;
    int got;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, also into a pipe */
    if (sb_reader_open(&reader, instance, "supervisor", message) < 0)
        return fprintf(stderr, "%s\n", message), 1;
    while ((got = sb_read(reader, SB_T_service, &cursor, &row)) == 1 || got == SB_EBUSY)
        if (got == 1) /* SB_EBUSY: this row changed all the time */
            printf("%.32s has pid %u\n", row.name, row.pid);
    if (sb_lookup(reader, SB_T_service, &key, &row) == 1)
        printf("found %.32s, %s\n", row.name, sb_service_state_text(row.state));
    sb_reader_close(&reader);

    if (sb_subscribe(&subscriber, instance, NULL, 1u << SB_T_service, print_change, NULL, message) <
        0)
        return fprintf(stderr, "%s\n", message), 1;
    for (time_t end = time(NULL) + 2; time(NULL) < end;) {
        struct pollfd fd = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};

        poll(&fd, 1, sb_subscriber_run(subscriber));
    }
    sb_subscriber_close(&subscriber);
    return 0;
}
