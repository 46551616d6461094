/* SPDX-License-Identifier: Apache-2.0
 *
 * subscriber.c - prints what is in the services' table, then each change, with what was before.
 *   cc subscriber.c $(pkg-config --cflags --libs trivet-statebus) -o subscriber
 */
#include <poll.h>
#include <stdio.h>
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
    char message[SB_MESSAGE_MAX];
    struct sb_subscriber *subscriber;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* each line at once, also into a pipe */
    if (sb_subscribe(&subscriber, argc > 1 ? argv[1] : "default", NULL, 1u << SB_T_service,
                     print_change, NULL, message) < 0) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    for (;;) {
        struct pollfd fd = {.fd = sb_subscriber_fd(subscriber), .events = POLLIN};

        poll(&fd, 1, sb_subscriber_run(subscriber));
    }
}
