/* SPDX-License-Identifier: Apache-2.0
 *
 * inside.c - see inside.h.
 */
#include "inside.h"

#include <sys/socket.h>
#include <unistd.h>

int
inside_setup(void **state)
{
    static const struct sb_owner_table tables[] = {
        {.id = SB_T_switch, .capacity = SWITCHES},
        {.id = SB_T_port, .capacity = PORTS},
        {.id = SB_T_link, .capacity = 64},
        {.id = SB_T_host, .capacity = 64},
        {.id = SB_T_event, .capacity = 64},
        {.id = SB_T_counter, .capacity = 64},
        {.id = SB_T_mac, .capacity = 64, .shards = WORKERS},
        {.id = SB_T_flow, .capacity = FLOWS, .shards = WORKERS},
        {.id = SB_T_group, .capacity = 64, .shards = WORKERS},
        {.id = SB_T_installed, .capacity = FLOWS, .shards = WORKERS},
        {.id = SB_T_flow_table, .capacity = 64, .shards = WORKERS},
        {.id = SB_T_decision, .capacity = 64, .shards = WORKERS},
    };
    struct inside *f = calloc(1, sizeof(*f));
    struct sb_owner_config config = {.name = "controller",
                                     .tables = tables,
                                     .n_tables = sizeof(tables) / sizeof(tables[0]),
                                     .cold = true,
                                     .no_publish = true};
    char message[SB_MESSAGE_MAX], config_message[SB_CONFIG_MESSAGE_MAX];

    assert_non_null(f);
    sb_log_level(SB_LOG_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/ctl-abuse-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    setenv("TRIVET_RUNTIME_DIR", f->dir, 1);
    snprintf(f->instance, sizeof(f->instance), "ctl-abuse-%d", (int)getpid());
    config.instance = f->instance;
    assert_int_equal(sb_config_load(&f->app.config, NULL, config_message), 0);
    f->app.config->controller.statistics_s = 60;
    assert_int_equal(sb_owner_open(&f->app.owner, &config, message), SB_OK);
    f->app.events = sb_owner_table(f->app.owner, SB_T_event, 0);
    ctl_counters_open(&f->app);
    f->app.workers = f->workers;
    f->app.n_workers = WORKERS;
    assert_int_equal(ctl_mailbox_init(&f->app.mailbox), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(ctl_mailbox_init(&f->workers[i].mailbox), 0);
    assert_int_equal(ctl_topology_open(&f->app, f->dir), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(ctl_worker_init(&f->workers[i], &f->app, i), 0);
    *state = f;
    return 0;
}

int
inside_teardown(void **state)
{
    static const char *const files[] = {"controller.lock", "controller.key", "controller.pub"};
    struct inside *f = *state;
    char path[96];

    for (unsigned i = 0; i < WORKERS; i++) {
        f->workers[i].net = NULL; /* it is ours */
        ctl_worker_fini(&f->workers[i]);
    }
    ctl_topology_close(f->app.topology);
    ctl_mailbox_fini(&f->app.mailbox);
    sb_owner_close(&f->app.owner);
    sb_config_free(&f->app.config);
    for (unsigned i = 0; i < f->n_fds; i++)
        close(f->fds[i]);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "/dev/shm/trivet.%s.controller", f->instance);
    unlink(path);
    rmdir(f->dir);
    free(f);
    return 0;
}

/* ---- switches ------------------------------------------------------------------------------ */

/* The nth dpid, from 0 on, of this worker. */
uint64_t
inside_dpid(unsigned worker, unsigned n)
{
    uint64_t dpid = 0;

    for (;;)
        if (sb_shard_of(++dpid, WORKERS) == worker && n-- == 0)
            return dpid;
}

struct ctl_conn *
inside_connect(struct inside *f, uint64_t dpid, uint8_t version)
{
    struct ctl_worker *worker = ctl_worker_of(&f->app, dpid);
    struct ctl_mail_accept accepted = {.opened_ns = sb_mono(), .address = "test"};
    struct ctl_conn *conn;
    int fds[2];

    assert_true(f->n_fds < sizeof(f->fds) / sizeof(f->fds[0]));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    accepted.fd = fds[0];
    f->fds[f->n_fds++] = fds[1];
    conn = ctl_conn_new(worker, &accepted);
    assert_non_null(conn);
    conn->version = version;
    conn->features.dpid = dpid;
    ctl_worker_add_switch(worker, conn);
    conn->state = CTL_READY;
    return conn;
}

/* What waits to be written to it. */
size_t
inside_waiting(const struct ctl_conn *conn)
{
    return conn->out_end - conn->out_first;
}

struct sb_flow
inside_rule(uint64_t dpid, uint32_t n, uint32_t output)
{
    struct sb_flow row = {.dpid = dpid,
                          .fields = SB_MATCH_IN_PORT | SB_MATCH_ETH_SRC | SB_MATCH_ETH_DST,
                          .in_port = 1,
                          .priority = 100,
                          .idle_s = 300,
                          .output = output,
                          .policy = SB_policy_SHORTEST};

    row.eth_src[0] = row.eth_dst[0] = 2;
    memcpy(row.eth_src + 2, &n, sizeof(n));
    return row;
}

/* Decides one rule; its slot. */
int64_t
inside_install(struct ctl_conn *conn, uint32_t n, uint32_t output)
{
    struct ctl_worker *worker = conn->worker;
    struct sb_flow row = inside_rule(conn->features.dpid, n, output);

    assert_true(ctl_flow_install(worker, conn, &row, sb_hash(worker->flow, &row), -1, NULL));
    return sb_find(worker->flow, &row);
}

const struct sb_flow *
inside_row(const struct ctl_conn *conn, int64_t slot)
{
    return sb_peek(conn->worker->flow, slot);
}

/* The switch says that the rule in this slot has ended, so many ns old. */
void
inside_remove(struct ctl_conn *conn, const struct sb_flow *row, uint64_t age)
{
    struct of_flow_removed removed = {
        .cookie = row->cookie,
        .priority = row->priority,
        .duration_s = (uint32_t)(age / SB_SECOND),
        .duration_ns = (uint32_t)(age % SB_SECOND),
        .match = {.fields = OF_M_IN_PORT | OF_M_ETH_SRC | OF_M_ETH_DST, .in_port = row->in_port}};

    memcpy(removed.match.eth_src, row->eth_src, 6);
    memcpy(removed.match.eth_dst, row->eth_dst, 6);
    ctl_flow_removed(conn, &removed);
}
