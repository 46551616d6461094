/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_net.c - see fake_switch.h: the controller as a child, its log, its state bus.
 */
#include "fake_switch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

void fake_switch_readable(struct fake_switch *sw); /* fake_switch.c */

/* ---- the controller ---------------------------------------------------------------------- */

struct fake_net *
fake_net_new(void)
{
    struct fake_net *net = calloc(1, sizeof(*net));
    static unsigned n;

    assert_non_null(net);
    snprintf(net->dir, sizeof(net->dir), "/tmp/ctl-test-XXXXXX");
    assert_non_null(mkdtemp(net->dir));
    snprintf(net->instance, sizeof(net->instance), "ctl-test-%d-%u", (int)getpid(), n++);
    snprintf(net->listen, sizeof(net->listen), "unix:%s/switches", net->dir);
    setenv("TRIVET_RUNTIME_DIR", net->dir, 1);
    net->policy = "shortest";
    net->workers = "2";
    net->config = "controller: {discovery: {interval-ms: 250, settle-ms: 300}}\n";
    net->log_fd = -1;
    net->log = calloc(1, 1);
    return net;
}

static void
write_config(const struct fake_net *net, char *path, size_t size)
{
    FILE *file;

    snprintf(path, size, "%s/trivet.yaml", net->dir);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(net->config, file);
    fclose(file);
}

void
fake_start(struct fake_net *net)
{
    size_t before = net->log_size;
    char config[96];
    const char *arguments[20] = {CONTROLLER,  "--instance", net->instance, "--listen",
                                 net->listen, "--config",   config,        "--policy",
                                 net->policy, "--workers",  net->workers};
    int pipes[2];

    for (unsigned i = 0; i < 8 && net->more[i] != NULL; i++)
        arguments[11 + i] = net->more[i];

    write_config(net, config, sizeof(config));
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    net->pid = fork();
    assert_true(net->pid >= 0);
    if (net->pid == 0) {
        struct rlimit limit = {net->files, net->files};

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        dup2(pipes[1], STDERR_FILENO);
        if (net->files != 0)
            setrlimit(RLIMIT_NOFILE, &limit);
        execv(CONTROLLER, (char **)arguments);
        _exit(127);
    }
    close(pipes[1]);
    net->log_fd = pipes[0];
    WAIT(net, net->log_fd < 0 || strstr(net->log + before, "listening on") != NULL);
    assert_true(net->log_fd >= 0);
}

void
fake_stop(struct fake_net *net, int number)
{
    int status;

    if (net->pid == 0)
        return;
    assert_int_equal(kill(net->pid, number), 0);
    WAIT(net, net->log_fd < 0);
    assert_int_equal(waitpid(net->pid, &status, 0), net->pid);
    net->pid = 0;
    if (number == SIGTERM && status != 0)
        fail_msg("the controller ended with status 0x%x:\n%s", (unsigned)status, net->log);
}

void
fake_restart(struct fake_net *net, int number)
{
    fake_stop(net, number);
    for (unsigned i = 0; i < net->n_switches; i++)
        WAIT(net, net->switches[i]->fd < 0);
    fake_start(net);
    for (unsigned i = 0; i < net->n_switches; i++)
        fake_connect(net->switches[i]);
}

static void
remove_all(const char *dir_name, const char *prefix)
{
    struct dirent *entry;
    DIR *dir = opendir(dir_name);

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
}

void
fake_net_free(struct fake_net *net)
{
    char prefix[64];

    for (unsigned i = 0; i < net->n_switches; i++) {
        struct fake_switch *sw = net->switches[i];

        fake_disconnect(sw);
        free(sw->rules);
        free(sw->mods);
        free(sw->tree);
        free(sw->outs);
        free(sw->rx);
        free(sw);
    }
    snprintf(prefix, sizeof(prefix), "trivet.%s.", net->instance);
    remove_all("/dev/shm", prefix);
    remove_all(net->dir, "");
    rmdir(net->dir);
    free(net->log);
    free(net);
}

int
fake_setup(void **state)
{
    struct fake_net *net = fake_net_new();

    *state = net;
    fake_start(net);
    return 0;
}

int
fake_teardown(void **state)
{
    struct fake_net *net = *state;

    fake_stop(net, SIGTERM);
    fake_net_free(net);
    return 0;
}

/* ---- going on ---------------------------------------------------------------------------- */

void
fake_read_log(struct fake_net *net)
{
    char bytes[65536]; /* as much as the pipe holds: the controller must not wait for us */
    ssize_t n = read(net->log_fd, bytes, sizeof(bytes));

    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close(net->log_fd);
        net->log_fd = -1;
        return;
    }
    net->log = realloc(net->log, net->log_size + (size_t)n + 1);
    assert_non_null(net->log);
    memcpy(net->log + net->log_size, bytes, (size_t)n);
    net->log_size += (size_t)n;
    net->log[net->log_size] = '\0';
}

void
fake_step(struct fake_net *net)
{
    struct pollfd fds[17] = {{.fd = net->log_fd, .events = POLLIN}};

    for (unsigned i = 0; i < net->n_switches; i++)
        fds[i + 1] = (struct pollfd){.fd = net->switches[i]->no_read ? -1 : net->switches[i]->fd,
                                     .events = POLLIN};
    if (poll(fds, net->n_switches + 1, 10) <= 0)
        return;
    if (fds[0].revents != 0)
        fake_read_log(net);
    for (unsigned i = 0; i < net->n_switches; i++)
        if (fds[i + 1].revents != 0 && net->switches[i]->fd == fds[i + 1].fd)
            fake_switch_readable(net->switches[i]);
}

void
fake_expired(struct fake_net *net, const char *condition, const char *file, int line)
{
    size_t shown = net->log_size > 4000 ? net->log_size - 4000 : 0;

    fprintf(stderr, "%s:%d: waited %d ms for: %s\nend of the controller's log:\n%s\n", file, line,
            FAKE_WAIT_MS, condition, net->log + shown);
    _fail(file, line);
}

bool
fake_logged(const struct fake_net *net, const char *text)
{
    return strstr(net->log, text) != NULL;
}

/* ---- the state bus ------------------------------------------------------------------------ */

unsigned
fake_rows(const struct fake_net *net, enum sb_table_id table, void *ret, unsigned max)
{
    size_t size = sb_table_info(table)->row_size;
    char message[SB_MESSAGE_MAX];
    struct sb_reader *reader;
    uint64_t cursor = 0;
    unsigned n = 0;
    uint8_t row[1024];
    int got;

    if (sb_reader_open(&reader, net->instance, "controller", message) != SB_OK)
        return 0;
    while ((got = sb_read(reader, table, &cursor, row)) != 0) {
        if (got != 1)
            continue; /* it changes just now: whoever waits reads again */
        if (n < max)
            memcpy((uint8_t *)ret + n * size, row, size);
        n++;
    }
    sb_reader_close(&reader);
    return n < max ? n : max;
}

int
fake_switch_state(const struct fake_net *net, uint64_t dpid)
{
    struct sb_switch rows[64];
    unsigned n = fake_rows(net, SB_T_switch, rows, 64);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].dpid == dpid)
            return rows[i].state;
    return -1;
}

int
fake_port_type(const struct fake_net *net, uint64_t dpid, uint32_t port)
{
    struct sb_port rows[1024];
    unsigned n = fake_rows(net, SB_T_port, rows, 1024);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].dpid == dpid && rows[i].port == port)
            return rows[i].type;
    return -1;
}

static bool
settled(const struct fake_switch *sw)
{
    struct sb_port rows[1024];
    unsigned n = fake_rows(sw->net, SB_T_port, rows, 1024), known = 0;

    if (fake_switch_state(sw->net, sw->dpid) != SB_switch_state_READY)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (rows[i].dpid == sw->dpid) {
            if (rows[i].up && rows[i].type == SB_port_type_UNKNOWN)
                return false;
            known++;
        }
    return known == sw->n_ports;
}

void
fake_settle(struct fake_switch *sw)
{
    WAIT(sw->net, settled(sw));
}

int
fake_link_state(const struct fake_net *net, uint64_t dpid, uint32_t port)
{
    struct sb_link rows[64];
    unsigned n = fake_rows(net, SB_T_link, rows, 64);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].dpid_a == dpid && rows[i].port_a == port)
            return rows[i].state;
    return -1;
}

int
fake_flow(const struct fake_net *net, uint64_t dpid, uint8_t from, uint8_t to, struct sb_flow *ret)
{
    const uint8_t ip_from[4] = {10, 0, 0, from}, ip_to[4] = {10, 0, 0, to};
    struct sb_flow rows[256];
    unsigned n = fake_rows(net, SB_T_flow, rows, 256);

    for (unsigned i = 0; i < n; i++) {
        bool by_mac = rows[i].fields & SB_MATCH_ETH_DST;

        if (rows[i].dpid != dpid || (by_mac ? rows[i].eth_src[5] != from || rows[i].eth_dst[5] != to
                                            : memcmp(rows[i].ip_src + 12, ip_from, 4) != 0 ||
                                                  memcmp(rows[i].ip_dst + 12, ip_to, 4) != 0))
            continue;
        if (ret != NULL)
            *ret = rows[i];
        return rows[i].state;
    }
    return -1;
}

bool
fake_host(const struct fake_net *net, uint8_t host, uint64_t dpid, uint32_t port)
{
    struct sb_host rows[256];
    unsigned n = fake_rows(net, SB_T_host, rows, 256);

    for (unsigned i = 0; i < n; i++)
        if (rows[i].mac[5] == host && rows[i].dpid == dpid && rows[i].port == port)
            return true;
    return false;
}

unsigned
fake_events(const struct fake_net *net, enum sb_event_kind kind)
{
    struct sb_event rows[1024];
    unsigned n = fake_rows(net, SB_T_event, rows, 1024), found = 0;

    for (unsigned i = 0; i < n; i++)
        found += rows[i].kind == kind;
    return found;
}
