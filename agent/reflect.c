/* SPDX-License-Identifier: Apache-2.0
 *
 * reflect.c - trivet-agent reflect: a reflector and nothing else, for hosts that
 * another agent or any STAMP or TWAMP-Light sender shall measure to.
 */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reflect {
    struct ag_loop loop;
    struct ag_reflector reflector;
    const struct ag_options *options; /* borrowed */
    union ag_address peers[AG_PEERS_MAX];
};

static bool
allow(void *arg, const union ag_address *from)
{
    const struct reflect *reflect = arg;

    for (unsigned i = 0; i < reflect->options->n_peers; i++)
        if (ag_address_same_host(&reflect->peers[i], from))
            return true;
    return reflect->options->any;
}

static uint64_t
tick(void *arg, uint64_t now)
{
    struct reflect *reflect = arg;

    reflect->reflector.re_error = ag_clock_error();
    return now + SB_SECOND;
}

int
ag_reflect_run(const struct ag_options *options)
{
    struct reflect *reflect = calloc(1, sizeof(*reflect));
    const struct ag_reflector_counts *counts;
    char message[AG_MESSAGE_MAX];
    int status = 1;

    if (!reflect || ag_loop_open(&reflect->loop) < 0) {
        sb_error("start: %s", strerror(errno));
        free(reflect);
        return 1;
    }
    reflect->options = options;
    if (options->n_peers > AG_PEERS_MAX) {
        sb_error("peers: %u, more than %d", options->n_peers, AG_PEERS_MAX);
        goto out;
    }
    for (unsigned i = 0; i < options->n_peers; i++) {
        if (ag_address_parse(&reflect->peers[i], options->peers[i], 0, false, message) < 0) {
            sb_error("peer %s", message);
            goto out;
        }
    }
    if (ag_reflector_open(&reflect->reflector, &reflect->loop, options->port, allow, reflect,
                          message) < 0) {
        sb_error("reflector: %s", message);
        goto out;
    }
    sb_info("reflecting on UDP port %u for %s", options->port,
            options->any ? "everybody" : "the configured peers");
    status = ag_loop_run(&reflect->loop, tick, reflect) < 0;
    counts = &reflect->reflector.re_counts;
    sb_info("reflected %lu, dropped: stranger %lu, invalid %lu, capped %lu, unsent %lu",
            counts->reflected, counts->strangers, counts->invalid, counts->capped, counts->unsent);
    ag_reflector_close(&reflect->reflector);
out:
    ag_loop_close(&reflect->loop);
    free(reflect);
    return status;
}
