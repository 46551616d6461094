/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_standing.c - rules that stand: whatever comes and goes, what is kept of them is what
 * their rows say, and what would be decided again.
 */
#include "inside.h"

#include <sys/socket.h>
#include <unistd.h>

#include "standing.h"

#define N_SWITCHES 3u
#define N_PORTS 5u /* the last one is OFPP_LOCAL, whose rules have no entry */
#define MACS 8u
#define VLANS 2u /* untagged and one other */
#define OPERATIONS 6000u

struct small {
    struct inside *f;
    struct ctl_worker *worker;
    struct ctl_net net;
    struct ctl_net_switch switches[N_SWITCHES];
    struct ctl_net_port ports[N_SWITCHES][N_PORTS];
    struct ctl_conn *conns[N_SWITCHES]; /* NULL: not connected */
    int fds[N_SWITCHES];                /* their ends */
    uint64_t dpids[N_SWITCHES];
    unsigned seed, operation;
    const char *what;
    unsigned held, again; /* entries that were seen to hold, rules that were sent again */
};

static unsigned
any(unsigned n)
{
    return (unsigned)random() % n;
}

static uint32_t
number(unsigned port)
{
    return port == N_PORTS - 1 ? OFPP_LOCAL : port + 1;
}

/* ---- the network ------------------------------------------------------------------------------
 */

static void
attach(struct small *s, unsigned i)
{
    s->conns[i] = inside_connect(s->f, s->dpids[i], i == 1 ? OF10 : OF13);
    s->fds[i] = s->f->fds[s->f->n_fds - 1];
    s->conns[i]->sw = &s->switches[i];
    s->conns[i]->sw_index = (int32_t)i;
}

static void
detach(struct small *s, unsigned i)
{
    unsigned j = 0;

    while (s->f->fds[j] != s->fds[i])
        j++;
    s->f->fds[j] = s->f->fds[--s->f->n_fds];
    close(s->fds[i]);
    ctl_conn_close(s->conns[i], SB_severity_INFO, "test");
    s->conns[i] = NULL;
}

static void
make(struct small *s, struct inside *f)
{
    *s = (struct small){.f = f, .worker = &f->workers[0]};
    s->worker->policy = &ctl_policy_learning;
    s->net = (struct ctl_net){.n_switches = N_SWITCHES, .switches = s->switches};
    s->worker->net = &s->net;
    for (unsigned i = 0; i < N_SWITCHES; i++) {
        s->dpids[i] = inside_dpid(0, i);
        s->switches[i] =
            (struct ctl_net_switch){.dpid = s->dpids[i], .n_ports = N_PORTS, .ports = s->ports[i]};
        for (unsigned j = 0; j < N_PORTS; j++)
            s->ports[i][j] = (struct ctl_net_port){
                .port = number(j), .type = SB_port_type_EDGE, .up = true, .peer = -1};
        attach(s, i);
    }
}

/* What was sent and told is not looked at here. */
static void
drain(struct small *s)
{
    static uint8_t bytes[65536];
    struct ctl_mail *mail, *next;

    for (unsigned i = 0; i < N_SWITCHES; i++)
        while (s->conns[i] != NULL && recv(s->fds[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
    for (mail = ctl_mailbox_take(&s->f->app.mailbox); mail != NULL; mail = next) {
        next = mail->next;
        free(mail);
    }
}

/* ---- what holds at any time ------------------------------------------------------------------ */

#define CHECK(that)                                                                                \
    do {                                                                                           \
        if (!(that))                                                                               \
            fail_msg("seed %u, operation %u (%s): %s", s->seed, s->operation, s->what, #that);     \
    } while (0)

/* Does the switch know this address at this port, in any VLAN? Rules do not tell one from another.
 */
static bool
known_at(const struct small *s, uint64_t dpid, const uint8_t *mac, uint32_t port)
{
    for (uint16_t vlan = 0; vlan < VLANS; vlan++) {
        struct sb_mac row = {.dpid = dpid, .vlan = vlan};

        memcpy(row.mac, mac, 6);
        if (sb_get(s->worker->mac, sb_find(s->worker->mac, &row), &row) == SB_OK &&
            row.port == port)
            return true;
    }
    return false;
}

static void
check_entry(struct small *s, const struct ctl_standing *entry)
{
    int64_t slot = entry->slot;
    const void *key = sb_key(s->worker->flow, slot);
    const struct ctl_conn *conn;
    struct sb_flow row;
    uint64_t hash;

    /* of each entry, as its row cannot change or go without it */
    CHECK(key != NULL);
    hash = sb_hash(s->worker->flow, key);
    CHECK(ctl_standing_is(entry, hash));
    CHECK(ctl_standing_find(&s->worker->standings, hash) == entry);
    sb_get(s->worker->flow, slot, &row);
    CHECK((row.cookie & 0xffffff) == (uint64_t)slot);
    CHECK((row.cookie >> 32 & 0xffff) == (entry->hash & 0xffff));
    CHECK(row.output == entry->output);
    CHECK(row.group == 0 && row.path_id == 0 && row.hard_s == 0);
    CHECK(row.state == SB_flow_state_SENT || row.state == SB_flow_state_INSTALLED);
    /* of those that answer packets */
    conn = ctl_worker_conn(s->worker, row.dpid);
    if (conn == NULL || !ctl_standing_holds(entry, conn, hash))
        return;
    CHECK(known_at(s, row.dpid, row.eth_dst, row.output));
    CHECK(known_at(s, row.dpid, row.eth_src, row.in_port));
    s->held++;
}

static void
check(struct small *s)
{
    const struct ctl_standings *standings = &s->worker->standings;

    for (uint64_t i = 0; i < (standings->mask + 1) * CTL_STANDING_WAYS; i++)
        if (standings->lines[i].output != 0)
            check_entry(s, &standings->lines[i]);
}

/* ---- what comes and goes --------------------------------------------------------------------- */

static void
send_packets(struct small *s, unsigned i)
{
    static uint8_t frames[CTL_BATCH + 8][64];
    unsigned n = 1 + any(CTL_BATCH + 8);

    /* most from where their source lives at the moment, so that rules stand for a while */
    for (unsigned j = 0; j < n; j++) {
        uint8_t *frame = frames[j];
        unsigned src = any(MACS), dst = any(MACS), home = src % (N_PORTS - 1);
        bool tagged = any(8) == 0;
        struct of_packet_in in = {.buffer_id = any(4) == 0 ? any(256) : OF_NO_BUFFER,
                                  .in_port = number(any(24) != 0 ? home : any(N_PORTS)),
                                  .total_len = 64,
                                  .data = frame,
                                  .data_size = 64};

        memset(frame, 0, 64);
        frame[0] = any(16) == 0 ? 3 : 2; /* some to a group */
        frame[5] = (uint8_t)dst;
        frame[6] = 2;
        frame[11] = (uint8_t)src;
        frame[12] = tagged ? 0x81 : 0x08;
        if (tagged) {
            frame[15] = 1;
            frame[16] = 0x08;
        }
        ctl_conn_packet_in(s->conns[i], &in);
    }
    if (any(64) == 0) /* it goes while they wait to be decided */
        detach(s, i);
    ctl_batch_run(s->worker);
}

/* A row of this switch, or SB_ENONE. */
static int64_t
any_row(struct small *s, unsigned i)
{
    int64_t slot = -1;

    for (unsigned n = any(40); n > 0; n--) {
        int64_t next = ctl_rows_next(s->worker->rows, s->worker->flow, s->dpids[i], slot);

        if (next < 0)
            break;
        slot = next;
    }
    return slot < 0 ? SB_ENONE : slot;
}

static void
barrier(struct small *s, unsigned i)
{
    struct ctl_conn *conn = s->conns[i];
    unsigned n = conn->barriers_end - conn->barriers_first;

    if (n == 0)
        return;
    if (any(4) == 0) { /* it never comes */
        conn->barriers[conn->barriers_first % 16].sent_mono_ns -= 2 * CTL_BARRIER_NS;
        ctl_flow_timers(conn);
    } else {
        ctl_flow_barrier_reply(conn, conn->barriers[(conn->barriers_first + any(n)) % 16].xid);
    }
}

static void
refuse(struct small *s, unsigned i)
{
    struct of_error_msg error = {.type = 0};
    struct ctl_conn *conn = s->conns[i];
    int64_t slot = any_row(s, i);

    switch (any(3)) {
    case 0: /* the table is full: for a while nothing is sent */
        error.request_xid = conn->next_xid - 1 - any(20);
        error.type = conn->version == OF13 ? 5 : 3; /* FLOW_MOD_FAILED */
        error.code = conn->version == OF13 ? 1 : 0;
        ctl_conn_refused(conn, &error);
        break;
    case 1:
        ctl_flow_refused(conn, &error, slot, false);
        break;
    default:
        ctl_flow_without_buffer(conn, &error, slot);
    }
}

/* Gone, and back with some of its rules; they may have been copied meanwhile, so that their cookies
 * are of other slots or generations. */
static void
come_and_go(struct small *s, unsigned i)
{
    struct ctl_worker *worker = s->worker;

    if (s->conns[i] != NULL) {
        detach(s, i);
        return;
    }
    attach(s, i);
    ctl_reconcile_begin(s->conns[i]);
    for (int64_t slot = -1;
         (slot = ctl_rows_next(worker->rows, worker->flow, s->dpids[i], slot)) >= 0;) {
        struct sb_flow row;

        sb_get(worker->flow, slot, &row);
        row.cookie ^= any(8) == 0 ? UINT64_C(1) << 32 : any(8) == 0 ? 1 : 0;
        sb_write(worker->flow, slot, &row);
        if (any(4) == 0)
            ctl_flow_remove(worker, slot);
        else if (any(4) == 0)
            ctl_flow_send_again(s->conns[i], slot, OFPFC_ADD);
    }
}

static void
operate(struct small *s)
{
    unsigned i = any(N_SWITCHES), what = any(100);
    struct ctl_conn *conn = s->conns[i];
    int64_t slot;

    if (conn == NULL || what < 3) {
        s->what = "comes or goes";
        come_and_go(s, i);
    } else if (what < 60) {
        s->what = "packets";
        send_packets(s, i);
    } else if (what < 72) {
        s->what = "barrier";
        barrier(s, i);
    } else if (what < 78) {
        s->what = "refused";
        refuse(s, i);
    } else if (what < 86) {
        s->what = "removed";
        slot = any_row(s, i);
        if (slot >= 0)
            inside_remove(conn, sb_peek(s->worker->flow, slot), 0);
        else
            ctl_flow_remove(s->worker, slot);
    } else if (what < 89) {
        s->what = "port lost";
        s->worker->policy->port_lost(s->worker, conn, number(any(N_PORTS)));
    } else if (what < 91) {
        uint8_t mac[6] = {2, [5] = (uint8_t)any(MACS)};

        s->what = "host moved";
        ctl_flow_delete_mac(s->worker, mac);
    } else if (what < 92) {
        s->what = "forgotten";
        ctl_fdb_forget_switch(s->worker, s->dpids[i]);
    } else if (what < 93) {
        s->what = "versions run out";
        if (s->worker->fdb_version < CTL_FDB_VERSION_MAX - 8) /* as if others had had them */
            s->worker->fdb_version = CTL_FDB_VERSION_MAX - 8;
    } else {
        s->what = "hold ends";
        conn->held_until_ns = 0;
    }
    ctl_worker_turn(s->worker, 0);
}

static void
as_the_rows(void **state)
{
    static struct small s;

    make(&s, *state);
    for (s.seed = 1; s.seed <= 3; s.seed++) {
        srandom(s.seed);
        for (s.operation = 0; s.operation < OPERATIONS; s.operation++) {
            operate(&s);
            drain(&s);
            check(&s);
        }
    }
    /* it was about something */
    assert_true(s.held > 1000);
}

/* ---- what one rule shows -----------------------------------------------------------------------
 */

/* A packet from one of two known hosts to the other, of this kind, and a byte of its addresses. */
static void
send_one(struct small *s, uint8_t src, uint8_t dst, uint16_t eth_type, unsigned at, uint8_t byte)
{
    uint8_t frame[64] = {2, [5] = dst, [6] = 2, [11] = src};
    struct of_packet_in in = {.buffer_id = OF_NO_BUFFER,
                              .in_port = src,
                              .total_len = sizeof(frame),
                              .data = frame,
                              .data_size = sizeof(frame)};

    frame[12] = (uint8_t)(eth_type >> 8);
    frame[13] = (uint8_t)eth_type;
    frame[at] = byte;
    ctl_conn_packet_in(s->conns[0], &in);
    ctl_batch_run(s->worker);
}

static unsigned
told(struct small *s)
{
    unsigned n = atomic_load(&s->f->app.mailbox.waiting);

    drain(s);
    return n;
}

/* Each kind of address that a host shows is told at once, also when a rule answers its packets. */
static void
addresses_are_told(void **state)
{
    static struct small s;

    make(&s, *state);
    send_one(&s, 2, 1, 0x88b5, 14, 1);
    send_one(&s, 1, 2, 0x88b5, 14, 1); /* gets a rule */
    drain(&s);
    send_one(&s, 1, 2, 0x88b5, 14, 2);
    assert_int_equal(told(&s), 0);
    send_one(&s, 1, 2, 0x0800, 14, 0x45); /* from 0.0.0.0 */
    assert_int_equal(told(&s), 0);
    send_one(&s, 1, 2, 0x0800, 26, 10);
    assert_int_equal(told(&s), 1);
    send_one(&s, 1, 2, 0x0800, 26, 10);
    assert_int_equal(told(&s), 0);
    send_one(&s, 1, 2, 0x86dd, 22, 0xfd);
    assert_int_equal(told(&s), 1);
    send_one(&s, 1, 2, 0x86dd, 22, 0xfd);
    assert_int_equal(told(&s), 0);
}

/* A rule whose barrier was never answered is confirmed when it is sent once more. */
static void
confirmed_later(void **state)
{
    static struct small s;
    struct ctl_conn *conn;
    const struct sb_flow *row;
    int64_t slot;

    make(&s, *state);
    conn = s.conns[0];
    send_one(&s, 2, 1, 0x88b5, 14, 1);
    send_one(&s, 1, 2, 0x88b5, 14, 1);
    ctl_worker_turn(s.worker, 0);
    assert_int_equal(conn->barriers_end - conn->barriers_first, 1);
    conn->barriers[conn->barriers_first % 16].sent_mono_ns -= 2 * CTL_BARRIER_NS;
    ctl_flow_timers(conn);
    slot = ctl_rows_next(s.worker->rows, s.worker->flow, s.dpids[0], -1);
    row = sb_peek(s.worker->flow, slot);
    assert_int_equal(row->state, SB_flow_state_SENT);
    send_one(&s, 1, 2, 0x88b5, 14, 1);
    ctl_worker_turn(s.worker, 0);
    assert_int_equal(conn->barriers_end - conn->barriers_first, 1);
    ctl_flow_barrier_reply(conn, conn->barriers[conn->barriers_first % 16].xid);
    row = sb_peek(s.worker->flow, slot);
    assert_int_equal(row->state, SB_flow_state_INSTALLED);
}

/* A rule knows no VLAN, addresses do: a tagged packet is learned though the rule stands. */
static void
tagged_too(void **state)
{
    static struct small s;
    struct sb_mac key = {.mac = {2, [5] = 1}, .vlan = 1};

    make(&s, *state);
    key.dpid = s.dpids[0];
    send_one(&s, 2, 1, 0x88b5, 14, 1);
    send_one(&s, 1, 2, 0x88b5, 14, 1);
    send_one(&s, 1, 2, 0x8100, 15, 1);
    assert_true(sb_find(s.worker->mac, &key) >= 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, inside_setup, inside_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_the_rows),
        TEST(confirmed_later),
        TEST(addresses_are_told),
        TEST(tagged_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
