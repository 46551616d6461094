/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_hostile.c - peers that send what no switch sends, or too much, or nothing, or do not
 * read: that connection suffers, the log says what and where, the others are served on.
 *
 * One controller for all tests, with two switches that must be served after each; what takes long
 * (peers that stay silent, a switch that does not read) begins with the first test and is looked at
 * by the last.
 */
#include "fake_switch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define N_SILENT 1000

static const uint8_t hello[] = {4, 0, 0, 8, 0, 0, 0, 1};

struct hostile {
    struct fake_net *net;
    struct fake_switch *s1, *s2; /* the good ones: one edge port and a link each, and a port 3 */
    int silent[N_SILENT];
    pid_t slow; /* the process that plays slow switches */
};

/* Is the network served: does a broadcast of s1 reach the edge ports of s2, and is a new pair
 * decided? */
static void
assert_served(struct hostile *h)
{
    uint32_t marker = 0;

    /* packets for the main thread may be dropped while it is behind: hosts speak again */
    INSIST(h->net, fake_times(h->s2, marker, 2) == 1,
           marker = fake_packet(h->s1, 1, 1, 0, OF_NO_BUFFER));
    INSIST(h->net, fake_times(h->s1, marker, 1) == 1,
           marker = fake_packet(h->s2, 2, 2, 1, OF_NO_BUFFER));
    assert_true(h->s1->fd >= 0 && h->s2->fd >= 0);
    assert_int_not_equal(h->net->pid, 0);
}

/* Sends bytes on a connection of their own; it must be closed. logged: what the log says then;
 * NULL: nothing, perhaps, since ten strangers a second get their line and no more. */
static void
assert_refused(struct hostile *h, const void *data, size_t size, bool more, const char *logged)
{
    size_t before = h->net->log_size;
    uint8_t bytes[4096];
    ssize_t n = 1;
    int fd;

    if (logged != NULL)
        RUN(h->net, 120);
    fd = fake_open(h->net);
    send(fd, data, size, MSG_NOSIGNAL);
    if (!more)
        shutdown(fd, SHUT_WR);
    while (n != 0 && !(n < 0 && errno == ECONNRESET)) {
        WAIT(h->net, poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1);
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    close(fd);
    WAIT(h->net, logged == NULL || strstr(h->net->log + before, logged) != NULL);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void
bad_messages(void **state)
{
    /* after HELLO; each wants the connection closed and a line in the log */
    static const struct {
        const char *logged;
        uint8_t bytes[64];
        size_t size;
    } cases[] = {
        {"length 7 < 8", {4, 2, 0, 7, 0, 0, 0, 1}, 8},
        {"length 0 < 8", {4, 2, 0, 0, 0, 0, 0, 1}, 8},
        {"message of version 1", {1, 2, 0, 8, 0, 0, 0, 1}, 8},
        {"FEATURES_REPLY of 16 bytes", {4, 6, 0, 16, 0, 0, 0, 2}, 16},
        {"datapath id 0", {4, 6, 0, 32, 0, 0, 0, 2}, 32},
        {"auxiliary connection", {4, 6, 0, 32, 0, 0, 0, 2, [15] = 9, [21] = 1}, 32},
        {"PACKET_IN of 24 bytes", {4, 10, 0, 24, 0, 0, 0, 0}, 24},
        {"PACKET_IN of 42 bytes: ", /* an OXM list longer than the message */
         {4, 10, 0, 42, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, [24] = 0, 1, 0xff, 0xff},
         42},
        {"PACKET_IN of 42 bytes: ", /* a match shorter than its header */
         {4, 10, 0, 42, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, [24] = 0, 1, 0, 3},
         42},
        {"PORT_STATUS of 16 bytes", {4, 12, 0, 16, 0, 0, 0, 0}, 16},
        {"FLOW_REMOVED of 40 bytes", {4, 11, 0, 40, 0, 0, 0, 0}, 40},
    };
    struct hostile *h = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[80];

        print_message("%s\n", cases[i].logged);
        memcpy(bytes, hello, sizeof(hello));
        memcpy(bytes + sizeof(hello), cases[i].bytes, cases[i].size);
        assert_refused(h, bytes, sizeof(hello) + cases[i].size, true, cases[i].logged);
    }
    assert_served(h);
}

static void
bad_beginnings(void **state)
{
    static const uint8_t packet_in[50] = {4, 10, 0, 50}, giant[8] = {4, 0, 0xff, 0xff},
                         tls[300] = {0x16, 3, 1, 1, 0x27, 1},
                         http[] = "GET / HTTP/1.1\r\nHost: controller\r\n\r\n", zero[64];
    struct hostile *h = *state;
    uint64_t seed = 1;

    RUN(h->net, 1000);
    assert_refused(h, packet_in, sizeof(packet_in), true, "PACKET_IN before HELLO");
    assert_refused(h, giant, sizeof(giant), true, "no OpenFlow peer");
    assert_refused(h, http, sizeof(http) - 1, true, "closing (state hello)");
    assert_refused(h, tls, sizeof(tls), true, "it speaks TLS, and this address is not for ssl:");
    assert_refused(h, zero, sizeof(zero), true, "length 0 < 8");
    assert_refused(h, "", 0, false, "the peer closed");
    for (unsigned i = 0; i < 50; i++) {
        uint8_t garbage[512];

        for (size_t j = 0; j < sizeof(garbage); j++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            garbage[j] = (uint8_t)(seed >> 33);
        }
        if (i % 2 == 0) /* reaches further */
            memcpy(garbage, hello, sizeof(hello));
        assert_refused(h, garbage, sizeof(garbage), false, NULL);
    }
    assert_served(h);
}

/* A third switch whose bytes end anywhere. */
static void
truncated_handshake(void **state)
{
    struct hostile *h = *state;
    struct fake_switch *sw = fake_switch_new(h->net, 3, 2);
    size_t whole;

    fake_connect(sw);
    WAIT(h->net, fake_switch_state(h->net, 3) == SB_switch_state_READY);
    whole = sw->sent;
    assert_in_range(whole, 150, 2000);
    fake_disconnect(sw);
    for (size_t n = 0; n <= whole; n++) {
        sw->budget = n;
        sw->n_rules = 0;
        sw->dpid = 0x300 + n; /* one that comes so often would have to wait */
        fake_connect(sw);
        WAIT(h->net, sw->fd < 0);
    }
    assert_true(fake_logged(h->net, "bytes of an unfinished message"));
    sw->budget = SIZE_MAX;
    sw->dpid = 3;
    fake_connect(sw);
    WAIT(h->net, fake_switch_state(h->net, 3) == SB_switch_state_READY);
    fake_disconnect(sw);
    h->net->n_switches--;
    free(sw->rules);
    free(sw->mods);
    free(sw->tree);
    free(sw->outs);
    free(sw->rx);
    free(sw);
    assert_served(h);
}

/* More than the worker's buffer, in one go behind the handshake's first two messages: what is left
 * over when the connection moves to its worker must fit, and be read. */
static void
much_behind_features(void **state)
{
    static const uint8_t features[32] = {4, 6, 0, 32, 0, 0, 0, 9, [15] = 5, [21] = 0};
    static uint8_t burst[1200000];
    struct hostile *h = *state;
    int size = 4 << 20;
    size_t n = 0, at = 0;

    memcpy(burst, hello, sizeof(hello));
    memcpy(burst + sizeof(hello), features, sizeof(features));
    for (n = sizeof(hello) + sizeof(features); n + 2008 < sizeof(burst); n += 2008)
        memcpy(burst + n, (const uint8_t[]){4, 3, 0x07, 0xd8, 0, 0, 0, 0}, 8);
    for (uint8_t dpid = 5; dpid < 11; dpid += 4) { /* one of each worker */
        int fd;

        burst[23] = dpid;
        kill(h->net->pid, SIGSTOP);
        fd = fake_open(h->net);
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        for (at = 0; at < n;) {
            ssize_t some = send(fd, burst + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

            if (some < 0)
                break;
            at += (size_t)some;
        }
        kill(h->net->pid, SIGCONT);
        WAIT(h->net, fake_switch_state(h->net, dpid) == SB_switch_state_READY);
        close(fd);
        WAIT(h->net, fake_switch_state(h->net, dpid) == SB_switch_state_GONE);
    }
    assert_served(h);
}

/* ---- too much ------------------------------------------------------------------------------ */

static void
discard(int fd)
{
    uint8_t bytes[65536];

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

/* All of it, however long the controller takes to read; false: it closed. */
static bool
send_all(struct hostile *h, int fd, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t some = send(fd, data + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (some < 0 && errno != EAGAIN)
            return false;
        at += some > 0 ? (size_t)some : 0;
        fake_step(h->net);
    }
    return true;
}

/* One that reads nothing leaves no room for its set-up, and must not become a switch without one:
 * it could give itself the dpid of another by a second FEATURES_REPLY. */
static void
deaf_before_setup(void **state)
{
    static const uint8_t features[32] = {4, 6, 0, 32, 0, 0, 0, 9, [15] = 7};
    static uint8_t echo[60000] = {4, 2, 60000 >> 8, 60000 & 0xff};
    struct hostile *h = *state;
    int fd = fake_open(h->net);

    assert_true(send_all(h, fd, hello, sizeof(hello)));
    for (unsigned i = 0; i < 200 && send_all(h, fd, echo, sizeof(echo)); i++)
        ;
    send_all(h, fd, features, sizeof(features));
    WAIT(h->net, fake_logged(h->net, "no room for the set-up"));
    assert_true(fake_switch_state(h->net, 7) < 0);
    close(fd);
}

/* Each change of a port is mail that must not be lost: there is a limit to them. */
static void
ports_without_end(void **state)
{
    struct hostile *h = *state;
    static uint8_t changes[256 * 80];
    struct of_port_status status = {.reason = OFPPR_MODIFY, .port = {.port = 1, .name = "a"}};
    struct of_buffer b = {.data = changes, .size = sizeof(changes)};
    struct fake_switch *sw = fake_switch_add(h->net, 77, 1);

    for (unsigned i = 0; i < 256; i++)
        of_put_port_status(&b, OF13, 1, &status);
    assert_false(b.full);
    for (unsigned i = 0; i < 80 && sw->fd >= 0; i++)
        send_all(h, sw->fd, b.data, b.len);
    WAIT(h->net, sw->fd < 0);
    WAIT(h->net, fake_logged(h->net, "changes of ports within"));
}

/* Lists of groups: one whose bucket has no length, then a great many. */
static void
bad_groups(void **state)
{
    static const uint8_t features[32] = {4, 6, 0, 32, 0, 0, 0, 9, [15] = 7},
                         no_length[40] = {4, 19, 0,         40,          0,    0, 0, 4,
                                          0, 7,  [17] = 24, [20] = 0x74, 0x72, 0, 1};
    static uint8_t part[65536];
    struct of_buffer b = {.data = part, .size = sizeof(part)};
    struct hostile *h = *state;
    struct of_group_mod groups[1000] = {{0}};
    int fd;

    for (unsigned round = 0; round < 2; round++) {
        fd = fake_open(h->net);
        send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
        send(fd, features, sizeof(features), MSG_NOSIGNAL);
        RUN(h->net, 300);
        if (round == 0) {
            send(fd, no_length, sizeof(no_length), MSG_NOSIGNAL);
            WAIT(h->net, fake_logged(h->net, "GROUP_DESC: bad length field"));
        }
        for (unsigned i = 0; round == 1 && i < 500; i++) {
            for (unsigned j = 0; j < 1000; j++)
                groups[j].group = UINT32_C(0x74720000) + (i * 1000 + j) % 65536;
            b.len = 0;
            of_put_group_desc_reply(&b, 4, i < 499 ? OFPMPF_REPLY_MORE : 0, groups, 1000);
            assert_false(b.full);
            for (size_t at = 0; at < b.len;) {
                ssize_t some = send(fd, part + at, b.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

                assert_true(some > 0 || errno == EAGAIN);
                at += some > 0 ? (size_t)some : 0;
                fake_step(h->net);
            }
            discard(fd);
        }
        close(fd);
        assert_served(h);
    }
}

/* Parts of the list of ports without end, then a list whose parts come slower than it is long. */
static void
endless_multipart(void **state)
{
    static const uint8_t features[32] = {4, 6, 0, 32, 0, 0, 0, 9, [15] = 6};
    struct hostile *h = *state;
    static uint8_t part[65536];
    struct of_buffer b = {.data = part, .size = sizeof(part)};
    struct of_port ports[2] = {{0}};
    size_t logged = h->net->log_size;
    int fd = fake_open(h->net);
    bool open = true;

    send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
    send(fd, features, sizeof(features), MSG_NOSIGNAL);
    for (unsigned i = 0; i < 5000 && open; i++) {
        ports[0].port = 1 + 2 * i;
        ports[1].port = 2 + 2 * i;
        /* the answer to the third message to us: HELLO, FEATURES, this */
        of_put_port_desc_reply(&b, 3, ports, 2, OFPMPF_REPLY_MORE);
        assert_false(b.full);
        if (i % 100 != 99)
            continue;
        for (size_t at = 0; at < b.len && open;) {
            ssize_t some = send(fd, part + at, b.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

            open = some > 0 || errno == EAGAIN;
            at += some > 0 ? (size_t)some : 0;
            fake_step(h->net); /* it may wait for us to read its log */
        }
        b.len = 0;
        discard(fd);
        fake_step(h->net);
    }
    WAIT(h->net,
         strstr(h->net->log + logged, "MULTIPART_REPLY PORT_DESC has no end: 4097 parts") != NULL);
    close(fd);
    assert_true(fake_switch_state(h->net, 6) != SB_switch_state_READY);
    assert_served(h);
    assert_in_range(h->net->log_size - logged, 1, 32768); /* nor does it fill the log */
}

static void
endless_ports(void **state)
{
    struct hostile *h = *state;
    struct fake_switch *sw = fake_switch_add(h->net, 7, 1);
    struct sb_port *rows = calloc(16384, sizeof(*rows));
    unsigned n, of_seven = 0;

    assert_non_null(rows);
    WAIT(h->net, fake_switch_state(h->net, 7) == SB_switch_state_READY);
    for (uint32_t i = 0; i < 20000; i++) {
        sw->ports[0].port = 1000 + i;
        fake_port(sw, 1000 + i, OFPPR_ADD, true);
    }
    assert_served(h); /* at once */
    n = fake_rows(h->net, SB_T_port, rows, 16384);
    for (unsigned i = 0; i < n; i++)
        of_seven += rows[i].dpid == 7;
    assert_in_range(of_seven, 1, 4096);
    free(rows);
    fake_disconnect(sw);
    WAIT(h->net, fake_switch_state(h->net, 7) == SB_switch_state_GONE);
    assert_served(h);
}

/* The peers of the last tests are gone; the ports they invented must not keep a switch out. */
static void
new_switch_has_room(void **state)
{
    struct hostile *h = *state;
    struct fake_switch *sw = fake_switch_add(h->net, 10, 2);
    uint32_t marker;

    WAIT(h->net, fake_switch_state(h->net, 10) == SB_switch_state_READY);
    marker = fake_packet(sw, 1, 10, 0, OF_NO_BUFFER);
    WAIT(h->net, fake_times(sw, marker, 2) == 1);
    fake_disconnect(sw);
    WAIT(h->net, fake_switch_state(h->net, 10) == SB_switch_state_GONE);
}

static void
endless_pending_packets(void **state)
{
    struct hostile *h = *state;
    struct fake_switch *sw = fake_switch_add(h->net, 8, 2), *late;
    uint32_t marker;

    WAIT(h->net, fake_switch_state(h->net, 8) == SB_switch_state_READY);
    /* packets of ports that no switch has: none can be decided */
    for (uint32_t i = 0; i < 3000; i++)
        fake_packet(sw, OFPP_MAX + 1 + i % 50, 8, 9, OF_NO_BUFFER);
    late = fake_switch_add(h->net, 4, 2); /* of the same worker */
    assert_int_equal(sb_shard_of(4, 2), sb_shard_of(8, 2));
    WAIT(h->net, fake_switch_state(h->net, 4) == SB_switch_state_READY);
    marker = fake_packet(late, 1, 4, 0, OF_NO_BUFFER);
    WAIT(h->net, fake_times(late, marker, 2) == 1);
    fake_disconnect(sw);
    fake_disconnect(late);
    WAIT(h->net, fake_switch_state(h->net, 4) == SB_switch_state_GONE);
    assert_served(h);
}

static void
forged_hosts(void **state)
{
    struct hostile *h = *state;
    uint8_t frame[64] = {2, 0, 0, 0, 0, 99, 2, 9};

    /* 20 000 sources, each once */
    for (uint32_t i = 0; i < 20000; i++) {
        memcpy(frame + 8, &i, 4);
        fake_packet_in(h->s1, 3, frame, sizeof(frame), OF_NO_BUFFER);
        if (i % 100 == 0) {
            fake_forget(h->s1);
            fake_forget(h->s2);
            fake_step(h->net);
        }
    }
    assert_served(h);
}

/* ---- slow ------------------------------------------------------------------------------------ */

static void
byte_by_byte(void **state)
{
    static const uint8_t bytes[] = {4, 0,  0, 8, 0, 0, 0,   1,   4,   2,
                                    0, 12, 0, 0, 0, 7, 'e', 'c', 'h', 'o'};
    struct hostile *h = *state;
    uint8_t answer[256];
    ssize_t n = 0;
    int fd = fake_open(h->net);

    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(send(fd, bytes + i, 1, MSG_NOSIGNAL), 1);
        RUN(h->net, 20);
    }
    assert_served(h);
    WAIT(h->net, (n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_PEEK)) >= 12 &&
                     memcmp(answer + n - 4, "echo", 4) == 0);
    close(fd);
}

/* Ends what began with the first test, 10 s ago or less. */
static void
silent_peers_are_closed(void **state)
{
    struct hostile *h = *state;

    assert_served(h);
    for (unsigned i = 0; i < N_SILENT; i++) {
        uint8_t bytes[256];
        ssize_t n = 1;

        WAIT(h->net, (n = recv(h->silent[i], bytes, sizeof(bytes), MSG_DONTWAIT)) == 0 ||
                         (n < 0 && errno == ECONNRESET));
        close(h->silent[i]);
    }
    assert_true(fake_logged(h->net, "no HELLO for 10 s"));
    assert_served(h);
}

static void
deaf_switch_is_closed(void **state)
{
    struct hostile *h = *state;

    WAIT(h->net, fake_switch_state(h->net, 9) == SB_switch_state_GONE);
    WAIT(h->net, fake_logged(h->net, "it has not read for 10 s what waits for it"));
    assert_served(h);
}

static void
slow_peers_are_closed(void **state)
{
    struct hostile *h = *state;

    WAIT(h->net, fake_switch_state(h->net, 13) == SB_switch_state_GONE);
    WAIT(h->net, fake_switch_state(h->net, 15) == SB_switch_state_GONE);
    WAIT(h->net, fake_logged(h->net, "no answer to an echo request for 5 s"));
    assert_served(h);
}

/* A switch that asks and never reads the answers: up to the limit, then they are dropped. */
static struct fake_switch *
begin_deaf_switch(struct hostile *h, uint64_t dpid)
{
    static uint8_t echo[60000] = {4, 2, 0xea, 0x60};
    struct fake_switch *sw = fake_switch_add(h->net, dpid, 1);

    WAIT(h->net, fake_switch_state(h->net, dpid) == SB_switch_state_READY);
    sw->no_read = true;
    for (unsigned i = 0; i < 120; i++)
        fake_send(sw, echo, sizeof(echo));
    return sw;
}

/* One that reads, but 20 KB a second, and one that sends a byte now and then of a message that it
 * never ends. They go on beside the tests, in a process of their own. */
static void
begin_slow_switches(struct hostile *h)
{
    struct fake_switch *reader = begin_deaf_switch(h, 13), *writer = fake_switch_add(h->net, 15, 1);
    static const uint8_t giant[8] = {4, 10, 0xff, 0xff};
    uint8_t bytes[2048] = {0};

    WAIT(h->net, fake_switch_state(h->net, 15) == SB_switch_state_READY);
    writer->no_read = true;
    fake_send(writer, giant, sizeof(giant));
    h->slow = fork();
    assert_true(h->slow >= 0);
    if (h->slow != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        poll(NULL, 0, 100);
        recv(reader->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        send(writer->fd, bytes, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* ---- files ------------------------------------------------------------------------------------
 */

static uint64_t
cpu_ticks(int pid)
{
    char path[64], line[1024], *p;
    unsigned long user = 0, kernel = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    p = strrchr(line, ')');
    assert_non_null(p);
    assert_int_equal(
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel), 2);
    return user + kernel;
}

static void
no_files_left(void **state)
{
    struct fake_net *net = fake_net_new();
    struct fake_switch *sw;
    int fds[400];
    uint64_t before;
    uint32_t marker;

    (void)state;
    net->files = 128;
    fake_start(net);
    sw = fake_switch_add(net, 1, 2);
    fake_settle(sw);
    for (unsigned i = 0; i < 400; i++)
        fds[i] = fake_open(net);
    marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 2) == 1);
    WAIT(net, fake_logged(net, "Too many open files"));
    /* it does not spin */
    before = cpu_ticks(net->pid);
    RUN(net, 500);
    assert_in_range(cpu_ticks(net->pid) - before, 0, sysconf(_SC_CLK_TCK) / 5);
    marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER);
    WAIT(net, fake_times(sw, marker, 2) == 1);
    for (unsigned i = 0; i < 400; i++)
        close(fds[i]);
    /* and it accepts again */
    fake_disconnect(sw);
    fake_connect(sw);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_READY);
    fake_stop(net, SIGTERM);
    fake_net_free(net);
}

/* ---- all ----------------------------------------------------------------------------------------
 */

static int
setup(void **state)
{
    struct rlimit limit = {4096, 4096};
    struct hostile *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    setrlimit(RLIMIT_NOFILE, &limit); /* and the controller's */
    h->net = fake_net_new();
    /* seldom: 4096 ports are many frames for a build with sanitizers */
    h->net->config = "controller: {discovery: {interval-ms: 2000, settle-ms: 300}}\n";
    fake_start(h->net);
    *state = h;
    h->s1 = fake_switch_new(h->net, 1, 3);
    h->s2 = fake_switch_new(h->net, 2, 3);
    fake_cable(h->net, 1, 2, 2, 1);
    fake_connect(h->s1);
    fake_connect(h->s2);
    WAIT(h->net, fake_link_state(h->net, 1, 2) == SB_link_state_UP);
    fake_settle(h->s1);
    fake_settle(h->s2);
    for (unsigned i = 0; i < N_SILENT; i++)
        h->silent[i] = fake_open(h->net);
    assert_served(h);
    begin_deaf_switch(h, 9);
    begin_slow_switches(h);
    assert_served(h);
    return 0;
}

static int
teardown(void **state)
{
    struct hostile *h = *state;

    kill(h->slow, SIGKILL);
    waitpid(h->slow, NULL, 0);
    fake_stop(h->net, SIGTERM);
    fake_net_free(h->net);
    free(h);
    return 0;
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_messages),
        cmocka_unit_test(bad_beginnings),
        cmocka_unit_test(truncated_handshake),
        cmocka_unit_test(much_behind_features),
        cmocka_unit_test(endless_pending_packets),
        cmocka_unit_test(deaf_before_setup),
        cmocka_unit_test(ports_without_end),
        cmocka_unit_test(bad_groups),
        cmocka_unit_test(endless_multipart),
        cmocka_unit_test(endless_ports),
        cmocka_unit_test(new_switch_has_room),
        cmocka_unit_test(forged_hosts),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(no_files_left),
        cmocka_unit_test(silent_peers_are_closed),
        cmocka_unit_test(deaf_switch_is_closed),
        cmocka_unit_test(slow_peers_are_closed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
