/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_tls.c - switches over TLS. The fake switches talk to a relay each, a process that
 * carries their bytes over TLS as a switch's own TLS would; so all that they do can be done over
 * it. Real Open vSwitch does so in tests/system/tls.bats.
 */
#include "fake_switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Of all nets of this program; the tests run one after another. */
static struct {
    char dir[40], listen[64];
    char certificate[64], key[64], ca[64];
    uint16_t port;
    const char *as; /* whose certificate relays show; NULL: none */
    int version;    /* of TLS; 0: any */
} tls;

/* ---- the relay ---------------------------------------------------------------------------- */

/* From the nth address of the loopback. */
static int
connect_from(unsigned n)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + n - 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        _exit(3);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(tls.port);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        _exit(3);
    return fd;
}

static int
connect_port(void)
{
    return connect_from(1);
}

/* Reads from the test whatever the test does, so that it may write without reading. */
static void
carry(SSL *ssl, int local, int remote)
{
    static char in[16384], out[16384];
    int n_in = 0, at = 0;

    for (;;) {
        bool waits = at < n_in;
        struct pollfd fds[2] = {
            {.fd = local, .events = (short)(POLLIN | (waits ? POLLOUT : 0))},
            {.fd = waits ? -1 : remote, .events = POLLIN},
        };

        if (poll(fds, 2, !waits && SSL_pending(ssl) > 0 ? 0 : -1) < 0)
            continue;
        if (!waits && (SSL_pending(ssl) > 0 || fds[1].revents != 0)) {
            at = 0;
            n_in = SSL_read(ssl, in, sizeof(in));
            if (n_in <= 0)
                return;
        }
        if (at < n_in) {
            ssize_t n = send(local, in + at, (size_t)(n_in - at), MSG_DONTWAIT | MSG_NOSIGNAL);

            if (n < 0 && errno != EAGAIN)
                return;
            at += n > 0 ? (int)n : 0;
        }
        if (fds[0].revents & (POLLIN | POLLHUP)) {
            ssize_t n = recv(local, out, sizeof(out), MSG_DONTWAIT);

            if (n == 0)
                SSL_shutdown(ssl);
            if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && SSL_write(ssl, out, (int)n) <= 0))
                return;
        }
    }
}

static int
open_relay(struct fake_net *net)
{
    char path[128];
    SSL_CTX *context;
    int fds[2], remote;
    SSL *ssl;
    pid_t pid;

    (void)net;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        close(fds[1]);
        return fds[0];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(fds[0]);
    for (int fd = 3; fd < 256; fd++) /* the other switches' connections */
        if (fd != fds[1])
            close(fd);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(context, tls.ca, NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (tls.as != NULL) {
        snprintf(path, sizeof(path), "%s/%s.pem", tls.dir, tls.as);
        SSL_CTX_use_certificate_file(context, path, SSL_FILETYPE_PEM);
        snprintf(path, sizeof(path), "%s/%s.key", tls.dir, tls.as);
        SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM);
    }
    if (tls.version != 0)
        SSL_CTX_set_max_proto_version(context, tls.version);
    ssl = SSL_new(context);
    remote = connect_port();
    SSL_set_fd(ssl, remote);
    if (SSL_connect(ssl) == 1)
        carry(ssl, fds[1], remote);
    _exit(0);
}

/* ---- set up ------------------------------------------------------------------------------------
 */

#define EC "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

static void
make_keys(void)
{
    static const char script[] =
        "set -e; cd %s; exec 2>openssl.log; for ca in ca other; do"
        " openssl req -x509 " EC " -keyout $ca.key -out $ca.pem -subj /CN=$ca -days 2; done;"
        " for pair in controller:ca switch:ca stranger:other; do n=${pair%%:*} ca=${pair#*:};"
        " openssl req " EC " -keyout $n.key -out $n.csr -subj /CN=$n;"
        " openssl x509 -req -in $n.csr -CA $ca.pem -CAkey $ca.key -CAcreateserial -days 2"
        " -out $n.pem; done";
    char command[1024];

    snprintf(command, sizeof(command), script, tls.dir);
    assert_int_equal(system(command), 0);
}

static uint16_t
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int
setup(void **state)
{
    struct fake_net *net = fake_net_new();

    tls.as = "switch";
    tls.version = 0;
    tls.port = free_port();
    snprintf(tls.listen, sizeof(tls.listen), "ssl:127.0.0.1:%u", tls.port);
    net->open = open_relay;
    memcpy(net->more,
           (const char *[8]){"--listen", tls.listen, "--certificate", tls.certificate,
                             "--private-key", tls.key, "--ca-certificate", tls.ca},
           sizeof(net->more));
    fake_start(net);
    *state = net;
    return 0;
}

static int
begin(void **state)
{
    struct rlimit limit = {8192, 8192};

    (void)state;
    setrlimit(RLIMIT_NOFILE, &limit); /* and the controller's */
    snprintf(tls.dir, sizeof(tls.dir), "/tmp/ctl-tls-XXXXXX");
    assert_non_null(mkdtemp(tls.dir));
    snprintf(tls.certificate, sizeof(tls.certificate), "%s/controller.pem", tls.dir);
    snprintf(tls.key, sizeof(tls.key), "%s/controller.key", tls.dir);
    snprintf(tls.ca, sizeof(tls.ca), "%s/ca.pem", tls.dir);
    make_keys();
    signal(SIGCHLD, SIG_DFL);
    return 0;
}

static int
end(void **state)
{
    char command[80];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", tls.dir);
    return system(command);
}

/* ---- tests --------------------------------------------------------------------------------------
 */

static void
assert_served(struct fake_net *net, struct fake_switch *sw)
{
    uint32_t marker = 0;

    INSIST(net, fake_times(sw, marker, 2) == 1, marker = fake_packet(sw, 1, 1, 0, OF_NO_BUFFER));
}

static void
switches_connect(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_new(net, 1, 3), *s2 = fake_switch_new(net, 2, 3);
    uint32_t marker = 0;

    fake_cable(net, 1, 3, 2, 3);
    fake_connect(s1);
    tls.version = TLS1_2_VERSION;
    fake_connect(s2);
    WAIT(net, fake_link_state(net, 1, 3) == SB_link_state_UP);
    fake_settle(s1);
    fake_settle(s2);
    INSIST(net, fake_times(s2, marker, 1) == 1, marker = fake_packet(s1, 1, 1, 0, OF_NO_BUFFER));
    INSIST(net, fake_times(s1, marker, 1) == 1, marker = fake_packet(s2, 1, 2, 1, OF_NO_BUFFER));
    WAIT(net, fake_flow(net, 2, 2, 1, NULL) == SB_flow_state_INSTALLED);
    assert_true(fake_logged(net, "certificate CN = switch"));
    /* a goodbye, or the relay's socket is reset since it had not read all */
    fake_disconnect(s1);
    WAIT(net, fake_switch_state(net, 1) == SB_switch_state_GONE);
    WAIT(net, fake_logged(net, "the peer closed, closing (state ready)") ||
                  fake_logged(net, "Connection reset by peer, closing (state ready)"));
    assert_int_equal(fake_events(net, SB_event_kind_BAD_PEER), 0);
}

/* Large messages, and more than any buffer holds, while the switch does not read: what was begun
 * goes on at the right byte. */
static void
much_both_ways(void **state)
{
    static uint8_t echo[60000] = {4, 2, 0xea, 0x60};
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    unsigned before;

    fake_settle(sw);
    for (size_t i = 8; i < sizeof(echo); i++)
        echo[i] = (uint8_t)(i * 31);
    before = sw->count[OFPT13_ECHO_REPLY];
    sw->no_read = true;
    for (uint8_t i = 0; i < 40; i++) { /* 2.4 MB, below the limit */
        echo[7] = i;
        fake_send(sw, echo, sizeof(echo));
    }
    RUN(net, 500);
    sw->no_read = false;
    WAIT(net, sw->count[OFPT13_ECHO_REPLY] == before + 40);
    assert_int_equal(sw->echo[7], 39);
    assert_memory_equal(sw->echo + 8, echo + 8, sw->echo_size - 8);
    for (unsigned i = 0; i < 3000; i++) {
        fake_packet(sw, 1, (uint8_t)(1 + i % 50), 0, OF_NO_BUFFER);
        if (i % 50 == 0)
            fake_step(net);
    }
    fake_forget(sw);
    assert_served(net, sw);
}

/* Waits until a peer of the TLS address is closed. */
static void
assert_closed(struct fake_net *net, int fd)
{
    uint8_t bytes[4096];
    ssize_t n = 1;

    while (n != 0 && !(n < 0 && errno == ECONNRESET)) {
        WAIT(net, poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1);
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    close(fd);
}

static void
strangers_are_refused(void **state)
{
    static const uint8_t hello[8] = {4, 0, 0, 8, 0, 0, 0, 1},
                         begun[] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    uint64_t seed = 7;
    int fd;

    fake_settle(sw);
    tls.as = NULL;
    assert_closed(net, fake_open(net));
    WAIT(net, fake_logged(net, "TLS: it shows no certificate"));
    tls.as = "stranger";
    tls.version = TLS1_2_VERSION;
    assert_closed(net, fake_open(net));
    WAIT(net, fake_logged(net, "TLS: its certificate is not accepted"));
    tls.as = "switch";
    fd = connect_port();
    send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
    assert_closed(net, fd);
    WAIT(net, fake_logged(net, "TLS: it does not speak TLS but plain OpenFlow"));
    fd = connect_port();
    send(fd, begun, sizeof(begun), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    assert_closed(net, fd);
    WAIT(net, fake_logged(net, "the peer closed"));
    for (unsigned i = 0; i < 50; i++) {
        uint8_t garbage[600];

        for (size_t j = 0; j < sizeof(garbage); j++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            garbage[j] = (uint8_t)(seed >> 33);
        }
        if (i % 2 == 0)
            memcpy(garbage, begun, sizeof(begun));
        fd = connect_port();
        send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        assert_closed(net, fd);
    }
    assert_served(net, sw);
    kill(net->pid, SIGUSR1);
    WAIT(net, fake_logged(net, "tls_no_certificate=1 tls_bad_certificate=1 tls_plaintext="));
}

/* Peers that connect and say nothing, more than may be there at once: a switch comes in all the
 * same, also from the address of the crowd, and one that is slow and not of it is left alone. */
static void
crowd_makes_room(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_new(net, 1, 3);
    static int crowd[2300];
    uint64_t begun = sb_mono();
    int slow = connect_from(2);

    send(slow, "\x16\3\1", 3, MSG_NOSIGNAL);
    for (unsigned i = 0; i < 2300; i++) {
        crowd[i] = connect_port();
        if (i % 64 == 0)
            fake_step(net);
    }
    WAIT(net, fake_logged(net, "too many handshakes at once"));
    fake_connect(sw);
    fake_settle(sw);
    assert_served(net, sw);
    assert_int_equal(poll(&(struct pollfd){.fd = slow, .events = POLLIN}, 1, 0), 0);
    assert_in_range(sb_mono() - begun, 0, 10 * SB_SECOND); /* or time has made the room */
    assert_int_equal(poll(&(struct pollfd){.fd = crowd[0], .events = POLLIN}, 1, 0), 1);
    for (unsigned i = 0; i < 2300; i++)
        close(crowd[i]);
    close(slow);
}

static void
reload_keeps_connections(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *s1 = fake_switch_add(net, 1, 3), *s2;

    fake_settle(s1);
    kill(net->pid, SIGHUP);
    WAIT(net, fake_logged(net, "SIGHUP: certificates read again"));
    s2 = fake_switch_add(net, 2, 3);
    fake_settle(s2);
    assert_served(net, s1);
    assert_true(s1->fd >= 0);
    assert_int_equal(rename(tls.key, "/tmp/ctl-tls-away"), 0);
    kill(net->pid, SIGHUP);
    WAIT(net, fake_logged(net, "the old certificates stay"));
    assert_int_equal(rename("/tmp/ctl-tls-away", tls.key), 0);
    fake_disconnect(s2);
    fake_connect(s2);
    fake_settle(s2);
}

/* Ends while handshakes are under way, and with connections. */
static void
stop_amid(void **state)
{
    struct fake_net *net = *state;
    struct fake_switch *sw = fake_switch_add(net, 1, 3);
    int fds[20];

    fake_settle(sw);
    for (unsigned i = 0; i < 20; i++) {
        fds[i] = connect_port();
        send(fds[i], "\x16\3\1", 3, MSG_NOSIGNAL);
    }
    RUN(net, 200);
    fake_restart(net, SIGTERM);
    fake_settle(sw);
    for (unsigned i = 0; i < 20; i++)
        close(fds[i]);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, fake_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(switches_connect),         TEST(much_both_ways), TEST(strangers_are_refused),
        TEST(reload_keeps_connections), TEST(stop_amid),      TEST(crowd_makes_room),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
