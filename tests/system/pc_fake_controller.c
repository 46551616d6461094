/* SPDX-License-Identifier: Apache-2.0
 *
 * pc_fake_controller.c - stands in for the controller on the bus: owns a segment `controller`,
 * fills it with the rows of files (JSON lines, as `pcapcheck --expect` reads them; flows without
 * t_barrier count as installed now), prints "ready" and keeps the heartbeat until SIGINT or
 * SIGTERM.
 *
 *   pc-fake-controller INSTANCE FILE...
 */
#include <czmq.h>
#include <pcapcheck.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <trivet/statebus.h>
#include <unistd.h>

static void
put_rows(struct sb_owner *owner, const char *path)
{
    struct pc_net *net = calloc(1, sizeof *net);
    char message[256];

    if (!net || pc_net_init(net) || pc_expect_load(net, path, message)) {
        fprintf(stderr, "%s\n", net ? message : "no memory");
        exit(1);
    }
    for (uint32_t i = 0; i < net->points.n; i++) {
        const struct pc_point *p = &net->points.point[i];
        struct sb_port row = {.dpid = p->dpid,
                              .port = p->port,
                              .type = p->type,
                              .up = p->up,
                              .changed_ns = p->changed_ns};

        memcpy(row.name, p->name, sizeof row.name);
        sb_put(sb_owner_table(owner, SB_T_port, 0), &row);
    }
    for (uint32_t i = 0; i < net->n_links; i++)
        sb_put(sb_owner_table(owner, SB_T_link, 0), &net->link[i]);
    for (uint32_t i = 0; i < net->n_switches; i++)
        sb_put(sb_owner_table(owner, SB_T_switch, 0), &net->sw[i]);
    for (uint32_t i = 0; i < net->n_claims; i++)
        if (net->claim[i].used) {
            struct sb_flow row = net->claim[i].row;

            if (row.barrier_ns == 1)
                row.decided_ns = row.sent_ns = row.barrier_ns = sb_now();
            sb_put(sb_owner_table(owner, SB_T_flow, 0), &row);
        }
    pc_net_free(net);
    free(net);
}

int
main(int argc, char **argv)
{
    const struct sb_owner_table tables[] = {{.id = SB_T_switch},   {.id = SB_T_port},
                                            {.id = SB_T_link},     {.id = SB_T_flow},
                                            {.id = SB_T_decision}, {.id = SB_T_event}};
    struct sb_owner_config config = {.instance = argc > 1 ? argv[1] : "pct",
                                     .name = "controller",
                                     .tables = tables,
                                     .n_tables = sizeof tables / sizeof tables[0]};
    struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
    struct sb_owner *owner = NULL;
    char message[SB_MESSAGE_MAX];
    sigset_t set;

    zsys_handler_set(NULL);
    if (argc < 3) {
        fprintf(stderr, "usage: pc-fake-controller INSTANCE FILE...\n");
        return 2;
    }
    if (sb_owner_open(&owner, &config, message)) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    for (int i = 2; i < argc; i++)
        put_rows(owner, argv[i]);
    sb_owner_phase(owner, SB_RUNNING);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fds[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
    fds[1].fd = sb_owner_fd(owner);
    printf("ready\n");
    fflush(stdout);
    while (!(fds[0].revents & POLLIN))
        poll(fds, 2, sb_owner_pump(owner));
    sb_owner_close(&owner);
    return 0;
}
