/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_abuse.c - limits that no switch can be played into within the time of a test, looked
 * at from inside (inside.h).
 */
#include "inside.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- between workers ----------------------------------------------------------------------- */

static void
make_line(struct inside_line *line, uint64_t a, uint64_t b)
{
    uint64_t dpids[2] = {a < b ? a : b, a < b ? b : a};

    memset(line, 0, sizeof(*line));
    for (unsigned i = 0; i < 2; i++) {
        line->ports[i][0] =
            (struct ctl_net_port){.port = 1, .type = SB_port_type_EDGE, .up = true, .peer = -1};
        line->ports[i][1] = (struct ctl_net_port){.port = 2,
                                                  .type = SB_port_type_LINK,
                                                  .up = true,
                                                  .tree = true,
                                                  .linked = true,
                                                  .peer = (int32_t)(1 - i),
                                                  .peer_port = 2};
        line->distances[i][1 - i] = 1;
        line->switches[i] = (struct ctl_net_switch){.dpid = dpids[i],
                                                    .n_ports = 2,
                                                    .ports = line->ports[i],
                                                    .distance = line->distances[i]};
    }
    line->net.n_switches = 2;
    line->net.switches = line->switches;
}

static unsigned
mails(struct inside *f, unsigned worker)
{
    return atomic_load(&f->workers[worker].mailbox.waiting);
}

/* One packet to the other switch makes a rule and a packet for its worker, as long as that one
 * takes its mail; beyond CTL_MAIL_MAX they are dropped and counted, whoever floods. */
static void
mail_between_workers(void **state)
{
    struct inside *f = *state;
    uint8_t frame[64] = {2, [5] = 2, [6] = 2, [11] = 1, [12] = 8, [14] = 0x45};
    struct of_packet_in in = {.buffer_id = OF_NO_BUFFER,
                              .in_port = 1,
                              .total_len = sizeof(frame),
                              .data = frame,
                              .data_size = sizeof(frame)};
    uint64_t a = inside_dpid(0, 0), b = inside_dpid(1, 0);
    struct ctl_conn *conn = inside_connect(f, a, OF13);
    struct ctl_mail *mail, *next;

    make_line(&f->line, a, b);
    f->workers[0].net = &f->line.net;
    conn->sw_index = ctl_net_find(&f->line.net, a);
    conn->sw = &f->line.switches[conn->sw_index];
    ctl_host_set(&f->workers[0], frame, b, 1);
    ctl_conn_packet_in(conn, &in);
    ctl_batch_run(&f->workers[0]);
    assert_int_equal(mails(f, 1), 2);
    mail = ctl_mailbox_take(&f->workers[1].mailbox);
    assert_int_equal(mail->type, CTL_W_INSTALL);
    assert_int_equal(mail->next->type, CTL_W_PACKET_OUT);
    free(mail->next);
    free(mail);
    assert_int_equal(f->workers[0].counters.dropped_mail, 0);
    while (mails(f, 1) < CTL_MAIL_MAX)
        ctl_post(&f->workers[1].mailbox, ctl_mail_new(CTL_W_COUNTERS, 0, 0));
    for (uint8_t i = 0; i < 100; i++) {
        frame[10] = i;
        ctl_conn_packet_in(conn, &in);
    }
    ctl_batch_run(&f->workers[0]);
    assert_int_equal(mails(f, 1), CTL_MAIL_MAX);
    assert_int_equal(f->workers[0].counters.dropped_mail, 200);
    for (mail = ctl_mailbox_take(&f->workers[1].mailbox); mail != NULL; mail = next) {
        next = mail->next;
        free(mail);
    }
}

/* ---- turns --------------------------------------------------------------------------------- */

/* An echo request of a switch: has it its answer after this turn? */
static bool
echo_in_one_turn(struct ctl_conn *conn, int fd)
{
    static const uint8_t echo[8] = {4, 2, 0, 8};
    uint8_t bytes[4096];

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(send(fd, echo, sizeof(echo), MSG_DONTWAIT), sizeof(echo));
    ctl_worker_turn(conn->worker, 0);
    return recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 8;
}

/* However much mail there is, switches are served between some and some; all of it is taken. */
static void
mail_by_turns(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    struct ctl_worker *worker = conn->worker;
    uint32_t had = 0;

    for (uint32_t i = 1; i <= 1000; i++) {
        struct ctl_mail *mail = ctl_mail_new(CTL_W_HOST, 0, sizeof(struct ctl_mail_host));
        struct ctl_mail_host *host = (void *)mail->data;

        host->mac[0] = 2;
        memcpy(host->mac + 2, &i, sizeof(i));
        host->port = i;
        ctl_post(&worker->mailbox, mail);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_true(echo_in_one_turn(conn, f->fds[0]));
        assert_in_range(worker->n_hosts - had, had < 1000 ? 1 : 0, 100);
        had = worker->n_hosts;
    }
    assert_int_equal(had, 1000);
}

/* Of those who send much one is read in a turn, and each once before one is twice. */
static void
floods_by_turns(void **state)
{
    static uint8_t echo[1000] = {4, 2, 1000 >> 8, 1000 & 0xff};
    struct inside *f = *state;
    struct ctl_conn *conns[8], *quiet = inside_connect(f, inside_dpid(0, 0), OF13);

    for (unsigned i = 0; i < 8; i++) {
        conns[i] = inside_connect(f, inside_dpid(0, 1 + i), OF13);
        conns[i]->greedy = true;
        for (unsigned j = 0; j < 14; j++)
            assert_int_equal(send(f->fds[1 + i], echo, sizeof(echo), MSG_DONTWAIT), sizeof(echo));
    }
    for (unsigned turns = 1; turns <= 8; turns++) {
        unsigned unread = 0;

        assert_true(echo_in_one_turn(quiet, f->fds[0]));
        for (unsigned i = 0; i < 8; i++) {
            int bytes;

            assert_int_equal(ioctl(conns[i]->fd, FIONREAD, &bytes), 0);
            assert_true(bytes == 0 || bytes == 14000);
            unread += bytes > 0;
        }
        assert_int_equal(unread, 8 - turns);
    }
}

/* So it is with more of them than one look at the sockets tells of. */
static void
floods_by_many(void **state)
{
    static uint8_t echo[1000] = {4, 2, 1000 >> 8, 1000 & 0xff};
    const unsigned n = 256;
    struct inside *f = *state;
    struct ctl_conn *conns[256];
    unsigned unread = 0;

    for (unsigned i = 0; i < n; i++) {
        conns[i] = inside_connect(f, inside_dpid(0, i), OF13);
        conns[i]->greedy = true;
        for (unsigned j = 0; j < 20; j++) /* more than one read takes: it is never done */
            assert_int_equal(send(f->fds[i], echo, sizeof(echo), MSG_DONTWAIT), sizeof(echo));
    }
    for (unsigned turns = 0; turns < n; turns++) {
        ctl_worker_turn(&f->workers[0], 0);
        for (unsigned i = 0; i < n; i++) { /* who was read sends more */
            int bytes;

            assert_int_equal(ioctl(conns[i]->fd, FIONREAD, &bytes), 0);
            for (; bytes < 20000; bytes += (int)sizeof(echo))
                assert_int_equal(send(f->fds[i], echo, sizeof(echo), MSG_DONTWAIT), sizeof(echo));
        }
    }
    for (unsigned i = 0; i < n; i++)
        unread += conns[i]->partial_size == 0;
    assert_int_equal(unread, 0);
}

/* ---- what no real switch sends -------------------------------------------------------------- */

static unsigned
rules_waiting(const struct ctl_conn *conn)
{
    unsigned n = 0;
    struct of_header h = {0};
    int length;

    for (size_t at = conn->out_first; at < conn->out_end; at += (size_t)length) {
        length = of_frame(conn->out + at, conn->out_end - at, &h);
        assert_true(length > 0);
        n += of_type13(h.version, h.type) == OFPT13_FLOW_MOD;
    }
    return n;
}

/* A packet too long for a packet-out is lost; its rule is sent all the same, however much room
 * there is. */
static void
longest_packets(void **state)
{
    static uint8_t frame[OF_MESSAGE_MAX - OF_IN10_SIZE];
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF10);
    struct ctl_worker *worker = conn->worker;
    struct ctl_packet packet = {.conn = conn, .in_port = 1, .buffer_id = OF_NO_BUFFER};

    assert_true(ctl_frame_parse(&packet.frame, frame, sizeof(frame)));
    for (uint32_t n = 1; n <= 4; n++) {
        struct sb_flow row = inside_rule(conn->features.dpid, n, 2);

        assert_true(ctl_flow_install(worker, conn, &row, sb_hash(worker->flow, &row), -1, &packet));
        assert_int_equal(rules_waiting(conn), n);
    }
}

/* ---- ports that are gone --------------------------------------------------------------------- */

/* What was learned at a port that is not there any more when its switch, or the controller, comes
 * back is forgotten: rules would lead nowhere. */
static void
learned_at_a_lost_port(void **state)
{
    struct inside *f = *state;
    uint64_t a = inside_dpid(0, 0);
    struct ctl_worker *worker = ctl_worker_of(&f->app, a);
    struct sb_mac at[2] = {{.dpid = a, .mac = {2, 1}, .port = 1},
                           {.dpid = a, .mac = {2, 2}, .port = 2}};
    struct ctl_mail *mail = ctl_mail_new(CTL_W_NET, 0, sizeof(void *));
    struct ctl_net *net = &f->line.net;

    worker->policy = &ctl_policy_learning;
    for (unsigned i = 0; i < 2; i++)
        ctl_rows_add(worker->mac_rows, a, sb_put(worker->mac, &at[i]));
    inside_connect(f, a, OF13);
    make_line(&f->line, a, inside_dpid(1, 0));
    f->line.ports[ctl_net_find(net, a)][1].up = false;
    memcpy(mail->data, &net, sizeof(net));
    ctl_post(&worker->mailbox, mail);
    ctl_worker_turn(worker, 0);
    assert_true(sb_find(worker->mac, &at[0]) >= 0);
    assert_int_equal(sb_find(worker->mac, &at[1]), SB_ENONE);
}

/* A host's first packets come within a moment, and those behind them go by rules: each kind of
 * address that they show is told at once. */
static void
addresses_are_told_at_once(void **state)
{
    static const struct {
        uint16_t eth_type;
        uint8_t at, first; /* where a byte of the source's address lies, and its value */
        bool told;
    } packets[] = {
        {0x88b5, 0, 2, true},      /* a new host */
        {0x0800, 14, 0x45, false}, /* IPv4 from 0.0.0.0, as DHCP begins */
        {0x86dd, 22, 0xfd, true},  {0x86dd, 22, 0xfd, false}, {0x0800, 26, 10, true},
        {0x0800, 26, 10, false},   {0x88b5, 0, 2, false},
    };
    struct inside *f = *state;
    uint64_t a = inside_dpid(0, 0);
    struct ctl_conn *conn = inside_connect(f, a, OF13);
    struct ctl_worker *worker = conn->worker;

    worker->policy = &ctl_policy_learning;
    make_line(&f->line, a, inside_dpid(1, 0));
    worker->net = &f->line.net;
    conn->sw_index = ctl_net_find(worker->net, a);
    conn->sw = &f->line.switches[conn->sw_index];
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        uint8_t frame[64] = {2, [5] = 2, [6] = 2, [11] = 1};
        struct of_packet_in in = {.buffer_id = OF_NO_BUFFER,
                                  .in_port = 1,
                                  .total_len = sizeof(frame),
                                  .data = frame,
                                  .data_size = sizeof(frame)};
        struct ctl_mail *mail;

        frame[12] = (uint8_t)(packets[i].eth_type >> 8);
        frame[13] = (uint8_t)packets[i].eth_type;
        frame[packets[i].at] = packets[i].first;
        ctl_conn_packet_in(conn, &in);
        ctl_batch_run(worker);
        mail = ctl_mailbox_take(&f->app.mailbox);
        assert_int_equal(mail != NULL, packets[i].told);
        if (mail != NULL) {
            assert_int_equal(mail->type, CTL_M_HOST);
            assert_null(mail->next);
        }
        free(mail);
    }
}

/* ---- cookies ------------------------------------------------------------------------------- */

static void
barrier_comes_back(struct ctl_conn *conn)
{
    ctl_worker_turn(conn->worker, 0);
    assert_int_equal(conn->barriers_end - conn->barriers_first, 1);
    ctl_flow_barrier_reply(conn, conn->barriers[conn->barriers_first % 16].xid);
}

/* Rows that were copied, as other capacities or workers make it, lie in other slots than their
 * cookies name. Their rules are confirmed all the same once they are sent. */
static void
cookies_of_other_slots(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    struct ctl_worker *worker = conn->worker;
    uint64_t wrong = CTL_COOKIE_TAG << 48 | 0x123456;

    for (uint32_t n = 1; n <= 2; n++) {
        struct sb_flow row = inside_rule(conn->features.dpid, n, 2);
        int64_t slot;

        row.state = SB_flow_state_INSTALLED;
        row.cookie = wrong + n;
        slot = sb_put(worker->flow, &row);
        ctl_rows_add(worker->rows, row.dpid, slot);
        if (n == 1)
            assert_int_equal(inside_install(conn, n, 3), slot);
        else
            assert_true(ctl_flow_send_again(conn, slot, OFPFC_ADD));
        assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_SENT);
        assert_int_not_equal(inside_row(conn, slot)->cookie, wrong + n);
        barrier_comes_back(conn);
        assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_INSTALLED);
    }
}

/* ---- strangers ----------------------------------------------------------------------------- */

static void
take_mail(struct inside *f, struct ctl_mail *mail, uint64_t conn)
{
    mail->conn = conn;
    ctl_topology_mail(f->app.topology, mail);
    free(mail);
}

static void
switch_up(struct inside *f, uint64_t dpid, uint32_t n_ports)
{
    struct ctl_mail *mail = ctl_mail_new(
        CTL_M_SWITCH_UP, dpid, sizeof(struct ctl_mail_switch) + n_ports * sizeof(struct of_port));
    struct ctl_mail_switch *up = (void *)mail->data;

    up->version = OF13;
    up->n_ports = n_ports;
    for (uint32_t i = 0; i < n_ports; i++)
        up->ports[i].port = i + 1;
    take_mail(f, mail, dpid);
}

static void
switch_down(struct inside *f, uint64_t dpid)
{
    take_mail(f, ctl_mail_new(CTL_M_SWITCH_DOWN, dpid, 0), dpid);
}

static void
told_its_flows(struct inside *f, uint64_t dpid)
{
    struct ctl_mail *mail = ctl_mail_new(CTL_M_POLLED, dpid, sizeof(struct ctl_mail_polled));

    ((struct ctl_mail_polled *)(void *)mail->data)->t_ns = sb_now();
    take_mail(f, mail, dpid);
}

static bool
is_known(struct inside *f, uint64_t dpid)
{
    struct sb_switch row = {.dpid = dpid};

    return sb_find(sb_owner_table(f->app.owner, SB_T_switch, 0), &row) >= 0;
}

/* Switches that were asked for their flows keep their rows while they are away, however many
 * strangers come with dpids, or ports, that they invent; these make room for each other. */
static void
strangers_push_nobody_out(void **state)
{
    struct inside *f = *state;

    for (uint64_t dpid = 1; dpid <= 8; dpid++) {
        switch_up(f, dpid, 4);
        told_its_flows(f, dpid);
        switch_down(f, dpid);
    }
    for (uint64_t dpid = 1000; dpid < 1100; dpid++) {
        switch_up(f, dpid, 20);
        assert_true(is_known(f, dpid));
        assert_non_null(ctl_graph_port(ctl_graph_switch(f->app.topology, dpid), 20));
        switch_down(f, dpid);
    }
    for (uint64_t dpid = 1; dpid <= 8; dpid++) {
        assert_true(is_known(f, dpid));
        assert_non_null(ctl_graph_port(ctl_graph_switch(f->app.topology, dpid), 4));
    }
    /* with the table full of such, a newcomer is the one that is not used */
    for (uint64_t dpid = 9; dpid <= SWITCHES; dpid++) {
        switch_up(f, dpid, 1);
        told_its_flows(f, dpid);
        switch_down(f, dpid);
    }
    switch_up(f, 2000, 1);
    assert_false(is_known(f, 2000));
    for (uint64_t dpid = 1; dpid <= SWITCHES; dpid++)
        assert_true(is_known(f, dpid));
}

/* ---- rules --------------------------------------------------------------------------------- */

/* A switch's clock may run fast by one part in a thousand: a rule that ended after 1000 s by its
 * count, and was sent 999.6 s ago by ours, is this one; one that is older than that is not. */
static void
clocks_drift(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    int64_t fast = inside_install(conn, 1, 2), older = inside_install(conn, 2, 2);

    conn->worker->now_ns += 1000 * SB_SECOND;
    inside_remove(conn, inside_row(conn, fast), 1000 * SB_SECOND + 400 * SB_MS);
    assert_null(inside_row(conn, fast));
    inside_remove(conn, inside_row(conn, older), 1002 * SB_SECOND);
    assert_non_null(inside_row(conn, older));
    inside_remove(conn, inside_row(conn, older), 999 * SB_SECOND);
    assert_null(inside_row(conn, older));
}

/* A switch that confirms nothing has a great many rules on the way, and says of one that is sent
 * again and again that it ended long ago: only the last ones are searched for it. */
static void
endings_cost_little(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    int64_t early = inside_install(conn, 1, 2), late = inside_install(conn, 2, 2),
            other = inside_install(conn, 3, 2);

    conn->worker->now_ns += 100 * SB_SECOND;
    assert_int_equal(inside_install(conn, 1, 2), early);
    for (unsigned i = 0; i < 60000; i++) {
        assert_int_equal(inside_install(conn, 3, 2), other);
        conn->out_first = conn->out_end = 0;
    }
    assert_int_equal(inside_install(conn, 2, 2), late);
    assert_true(conn->unconfirmed_end - conn->unconfirmed_first > 60000);
    for (unsigned i = 0; i < 100; i++)
        inside_install(conn, 3, 2);
    conn->worker->now_ns += SB_SECOND;
    /* ended before it was sent again: that stands, if it is found among the last */
    for (unsigned i = 0; i < 3; i++)
        inside_remove(conn, inside_row(conn, late), 10 * SB_SECOND);
    assert_non_null(inside_row(conn, late));
    inside_remove(conn, inside_row(conn, early), 10 * SB_SECOND);
    assert_null(inside_row(conn, early));
}

/* A rule that stands is sent again when it is decided again, and its row stays as it is; unless
 * that starts a hard timeout anew. */
static void
decided_again(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    struct ctl_worker *worker = conn->worker;
    struct sb_flow row = inside_rule(conn->features.dpid, 1, 2), first, now;
    int64_t slot;

    for (unsigned hard = 0; hard < 2; hard++) {
        row.hard_s = hard != 0 ? 30 : 0;
        for (unsigned i = 0; i < 3; i++) {
            size_t before = inside_waiting(conn);

            worker->now_ns += SB_SECOND;
            assert_true(
                ctl_flow_install(worker, conn, &row, sb_hash(worker->flow, &row), -1, NULL));
            assert_true(inside_waiting(conn) > before);
            slot = sb_find(worker->flow, &row);
            assert_true(slot >= 0);
            ctl_flow_barrier(conn);
            worker->now_ns += SB_MS;
            ctl_flow_barrier_reply(conn, conn->next_xid - 1);
            assert_int_equal(conn->unconfirmed_end, conn->unconfirmed_first);
            now = *inside_row(conn, slot);
            assert_int_equal(now.state, SB_flow_state_INSTALLED);
            assert_int_equal(now.barrier_ns, now.sent_ns + SB_MS);
            if (hard != 0 || i == 0)
                assert_int_equal(now.barrier_ns, worker->now_ns);
            else
                assert_memory_equal(&now, &first, sizeof(now));
            if (i == 0)
                first = now;
        }
    }
}

/* An error says which request it is about, and quotes nothing: if another rule has the slot by
 * then, that one is not refused. */
static void
errors_about_an_earlier_rule(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    struct sb_table *flow = conn->worker->flow;
    struct of_error_msg error = {.type = 2 /* BAD_ACTION */, .code = 4};
    int64_t slot = inside_install(conn, 1, 2), victim;
    struct sb_flow row;
    uint32_t n = 1;

    error.request_xid = conn->next_xid - 1;
    sb_remove(flow, slot);
    do
        row = inside_rule(conn->features.dpid, ++n, 2);
    while (sb_slot_for(flow, sb_hash(flow, &row), &victim) != slot);
    assert_int_equal(inside_install(conn, n, 2), slot);
    ctl_conn_refused(conn, &error);
    assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_SENT);
    error.request_xid = conn->next_xid - 1;
    ctl_conn_refused(conn, &error);
    assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_REFUSED);
}

/* OpenFlow 1.0 has 16 bits for a port: a rule from a time when the switch spoke 1.3 cannot be sent
 * again, and is not said to be. */
static void
no_such_port_in_10(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF10);
    struct ctl_worker *worker = conn->worker;
    struct sb_flow row = inside_rule(conn->features.dpid, 1, 0x12345);
    int64_t slot;

    row.state = SB_flow_state_RESTORED;
    slot = sb_put(worker->flow, &row);
    assert_true(slot >= 0);
    assert_false(ctl_flow_send_again(conn, slot, OFPFC_ADD));
    assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_RESTORED);
    assert_int_equal(inside_waiting(conn), 0);
    assert_int_equal(worker->counters.dropped_malformed, 1);
    assert_int_equal(conn->unconfirmed_end, conn->unconfirmed_first);
    /* one that it has is */
    row.output = 2;
    assert_int_equal(sb_write(worker->flow, slot, &row), SB_OK);
    assert_true(ctl_flow_send_again(conn, slot, OFPFC_ADD));
    assert_int_equal(inside_row(conn, slot)->state, SB_flow_state_SENT);
    assert_true(inside_waiting(conn) >= 72);
    /* nor is one by a port to come in by, whatever rules were sent before it */
    inside_install(conn, 2, 2);
    row = inside_rule(conn->features.dpid, 3, 2);
    row.in_port = 0x12345;
    assert_false(ctl_flow_install(worker, conn, &row, sb_hash(worker->flow, &row), -1, NULL));
    assert_int_equal(sb_find(worker->flow, &row), SB_ENONE);
}

/* ---- statistics ---------------------------------------------------------------------------- */

/* First rounds begin all over the interval: a product of more than 64 bits made them all begin
 * within its first 4 s. */
static void
rounds_are_spread(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *conn = inside_connect(f, inside_dpid(0, 0), OF13);
    uint64_t dpid = conn->features.dpid, now = conn->worker->mono_ns;
    unsigned thirds[3] = {0};

    for (uint64_t i = 1; i <= 300; i++) {
        conn->features.dpid = i;
        conn->poll.due_ns = 0;
        ctl_statistics_timers(conn);
        assert_in_range(conn->poll.due_ns - now, SB_SECOND, 61 * SB_SECOND);
        thirds[(conn->poll.due_ns - now - SB_SECOND) / (20 * SB_SECOND) % 3]++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(thirds[i], 70, 130);
    conn->features.dpid = dpid;
}

static unsigned
installed_of(const struct ctl_conn *conn)
{
    struct sb_table *table = conn->worker->installed;
    unsigned n = 0;

    for (int64_t slot = -1; (slot = sb_next(table, slot)) >= 0;)
        n += ((const struct sb_installed *)sb_peek(table, slot))->dpid == conn->features.dpid;
    return n;
}

/* The switch lists n flows of others, in parts. */
static void
list_foreign(struct ctl_conn *conn, unsigned n)
{
    static uint8_t bytes[65536];

    conn->poll = (struct ctl_poll){.due_ns = 1, .refused = 1 /* not its ports */};
    ctl_statistics_timers(conn);
    assert_int_not_equal(conn->poll.xid, 0);
    for (unsigned at = 0; at < n; at += 100) {
        struct of_flow_mod flows[100] = {{0}};
        struct of_buffer b = {.data = bytes, .size = sizeof(bytes)};
        struct of_where where;
        struct of_header h;
        int error = -1;

        for (unsigned i = 0; i < 100; i++)
            flows[i].match = (struct of_match){.fields = OF_M_IN_PORT, .in_port = 1 + at + i};
        of_put_flow_stats_reply(&b, conn->poll.xid, at + 100 < n ? OFPMPF_REPLY_MORE : 0, flows,
                                100);
        assert_false(b.full);
        assert_true(of_frame(bytes, b.len, &h) > 0);
        assert_true(ctl_statistics_reply(conn, bytes, &h, &error, &where));
        assert_int_equal(error, OF_OK);
    }
}

/* A switch full of flows of others leaves room for what the others of its worker have. */
static void
foreign_flows_take_their_share(void **state)
{
    struct inside *f = *state;
    struct ctl_conn *modest = inside_connect(f, inside_dpid(0, 0), OF13),
                    *full = inside_connect(f, inside_dpid(0, 1), OF13);
    unsigned slots = sb_table_slots(modest->worker->installed), had;

    list_foreign(modest, 100);
    had = installed_of(modest);
    assert_in_range(had, slots / 10, slots / 8);
    list_foreign(full, 10 * slots / 100 * 100);
    assert_int_equal(full->poll.n_flows, 10 * slots / 100 * 100); /* how many there are is told */
    assert_in_range(installed_of(full), slots / 10, slots / 8);
    assert_int_equal(installed_of(modest), had);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, inside_setup, inside_teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(mail_between_workers),
        TEST(mail_by_turns),
        TEST(floods_by_turns),
        TEST(strangers_push_nobody_out),
        TEST(clocks_drift),
        TEST(endings_cost_little),
        TEST(errors_about_an_earlier_rule),
        TEST(no_such_port_in_10),
        TEST(rounds_are_spread),
        TEST(foreign_flows_take_their_share),
        TEST(decided_again),
        TEST(floods_by_many),
        TEST(longest_packets),
        TEST(learned_at_a_lost_port),
        TEST(addresses_are_told_at_once),
        TEST(cookies_of_other_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
