/* SPDX-License-Identifier: Apache-2.0
 *
 * controller_fdb.c - the forwarding database: whatever comes and goes, a switch's index and its
 * rows of the table `mac` say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"

#define CAPACITY 64
#define SWITCHES 4u
#define MACS 40u
#define PORTS 6u

struct fixture {
    char dir[64], instance[32];
    struct sb_owner *owner;
    struct ctl_worker *worker;
    struct ctl_conn conns[SWITCHES];
};

static void
open_table(struct fixture *f, bool cold)
{
    static const struct sb_owner_table tables[] = {{.id = SB_T_mac, .capacity = CAPACITY}};
    struct sb_owner_config config = {.instance = f->instance,
                                     .name = "controller",
                                     .tables = tables,
                                     .n_tables = 1,
                                     .cold = cold,
                                     .no_publish = true};
    struct ctl_worker *worker = f->worker;
    char message[SB_MESSAGE_MAX];

    assert_int_equal(sb_owner_open(&f->owner, &config, message), SB_OK);
    worker->mac = sb_owner_table(f->owner, SB_T_mac, 0);
    worker->mac_rows = ctl_rows_new(worker->mac);
    for (int64_t slot = -1; (slot = sb_next(worker->mac, slot)) >= 0;)
        ctl_rows_add(worker->mac_rows, *(const uint64_t *)sb_key(worker->mac, slot), slot);
    for (unsigned i = 0; i < SWITCHES; i++) {
        f->conns[i] = (struct ctl_conn){.worker = worker, .features.dpid = i + 1};
        ctl_worker_add_switch(worker, &f->conns[i]);
    }
}

static void
close_table(struct fixture *f)
{
    for (unsigned i = 0; i < SWITCHES; i++)
        ctl_worker_remove_switch(f->worker, &f->conns[i]);
    memset(f->worker->by_dpid, 0, f->worker->by_dpid_size * sizeof(*f->worker->by_dpid));
    free(f->worker->mac_rows);
    sb_owner_close(&f->owner);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->worker = calloc(1, sizeof(*f->worker));
    assert_non_null(f->worker);
    snprintf(f->dir, sizeof(f->dir), "/tmp/ctl-fdb-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    setenv("TRIVET_RUNTIME_DIR", f->dir, 1);
    snprintf(f->instance, sizeof(f->instance), "ctl-fdb-%d", (int)getpid());
    f->worker->by_dpid_size = 16;
    f->worker->by_dpid = calloc(16, sizeof(*f->worker->by_dpid));
    assert_int_equal(getrandom(f->worker->secret, 16, 0), 16);
    f->worker->secret[1] |= 1;
    f->worker->now_ns = 1000;
    open_table(f, true);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char path[128];

    close_table(f);
    snprintf(path, sizeof(path), "/dev/shm/trivet.%s.controller", f->instance);
    unlink(path);
    snprintf(path, sizeof(path), "%s/controller.lock", f->dir);
    unlink(path);
    rmdir(f->dir);
    free(f->worker->by_dpid);
    free(f->worker);
    free(f);
    return 0;
}

/* A packet between two addresses by number, as the decision path sees it; the port is a link, so
 * that no host is told of. Returns the port of the destination. */
static uint32_t
packet(struct ctl_conn *conn, unsigned src, unsigned dst, uint32_t in_port)
{
    static const struct ctl_net_port port = {.type = SB_port_type_LINK};
    uint8_t frame[14] = {2, 0, 0, 0, 0, (uint8_t)dst, 2, 0, 0, 0, 0, (uint8_t)src, 8, 0};
    struct ctl_packet p = {.conn = conn, .port = &port, .in_port = in_port};

    assert_true(ctl_frame_parse(&p.frame, frame, sizeof(frame)));
    ctl_learn_expect(conn->worker, &p);
    return ctl_learn(conn->worker, &p);
}

static int64_t
row_of(const struct ctl_conn *conn, unsigned mac)
{
    struct sb_mac key = {.dpid = conn->features.dpid, .mac = {2, 0, 0, 0, 0, (uint8_t)mac}};

    return sb_find(conn->worker->mac, &key);
}

static uint32_t
port_of(const struct ctl_conn *conn, unsigned mac)
{
    int64_t slot = row_of(conn, mac);

    return slot < 0 ? 0 : ((const struct sb_mac *)sb_peek(conn->worker->mac, slot))->port;
}

/* Looks by a packet of an address that is known, so that looking changes nothing. */
static void
check(struct ctl_conn *conn)
{
    unsigned known;

    for (known = 0; known < MACS && port_of(conn, known) == 0; known++)
        ;
    for (unsigned mac = 0; known < MACS && mac < MACS; mac++)
        assert_int_equal(packet(conn, known, mac, port_of(conn, known)), port_of(conn, mac));
}

static void
as_the_table(void **state)
{
    struct fixture *f = *state;

    srandom(1);
    for (unsigned i = 0; i < 20000; i++) {
        struct ctl_conn *conn = &f->conns[random() % SWITCHES];
        unsigned mac = (unsigned)random() % MACS, what = (unsigned)random() % 100;
        uint32_t port = (uint32_t)random() % PORTS + 1;

        if (what < 90) { /* the table is too small for all: it evicts, also rows of others */
            packet(conn, mac, (unsigned)random() % MACS, port);
            assert_int_equal(port_of(conn, mac), port);
        } else if (what < 94) {
            ctl_fdb_forget_port(conn, port);
            for (unsigned m = 0; m < MACS; m++)
                assert_int_not_equal(port_of(conn, m), port);
        } else if (what < 96) {
            ctl_fdb_forget_switch(f->worker, conn->features.dpid);
            for (unsigned m = 0; m < MACS; m++)
                assert_int_equal(port_of(conn, m), 0);
        } else if (what < 98) { /* gone and back: what was known is known again */
            ctl_worker_remove_switch(f->worker, conn);
            memset(f->worker->by_dpid, 0, f->worker->by_dpid_size * sizeof(*f->worker->by_dpid));
            f->worker->n_switches = 0;
            for (unsigned c = 0; c < SWITCHES; c++) {
                ctl_fdb_free(&f->conns[c].fdb);
                ctl_worker_add_switch(f->worker, &f->conns[c]);
            }
        } else {
            ctl_fdb_timers(conn);
        }
        if (i % 8 == 0)
            check(&f->conns[random() % SWITCHES]);
    }
}

static void
sweep(struct fixture *f)
{
    for (unsigned turn = 0; turn < 200; turn++)
        for (unsigned c = 0; c < SWITCHES; c++)
            ctl_fdb_timers(&f->conns[c]);
}

/* A row is refreshed by the sweep when its address was heard, and only then. */
static void
rows_are_refreshed(void **state)
{
    struct fixture *f = *state;
    struct sb_mac row;

    packet(&f->conns[0], 1, 2, 1);
    packet(&f->conns[0], 2, 1, 2);
    sweep(f);
    f->worker->now_ns = 5000;
    assert_int_equal(packet(&f->conns[0], 1, 2, 1), 2);
    sb_get(f->worker->mac, row_of(&f->conns[0], 1), &row);
    assert_int_equal(row.last_ns, 1000); /* a packet writes no row */
    sweep(f);
    sb_get(f->worker->mac, row_of(&f->conns[0], 1), &row);
    assert_int_equal(row.last_ns, 5000);
    assert_int_equal(row.first_ns, 1000);
    assert_int_equal(row.moves, 0);
    sb_get(f->worker->mac, row_of(&f->conns[0], 2), &row);
    assert_int_equal(row.last_ns, 1000);
    packet(&f->conns[0], 1, 2, 3); /* a move is written at once */
    sb_get(f->worker->mac, row_of(&f->conns[0], 1), &row);
    assert_int_equal(row.port, 3);
    assert_int_equal(row.moves, 1);
}

/* After a restart: what was known is known; what is not heard again in time goes. */
static void
over_a_restart(void **state)
{
    struct fixture *f = *state;

    for (unsigned mac = 0; mac < 10; mac++)
        packet(&f->conns[mac % SWITCHES], mac, 0, mac % PORTS + 1);
    close_table(f);
    open_table(f, false);
    assert_true(sb_owner_warm(f->owner));
    for (unsigned mac = 0; mac < 10; mac++)
        check(&f->conns[mac % SWITCHES]); /* by packets of the first of each */
    assert_int_equal(ctl_fdb_drop_restored(f->worker), 10 - SWITCHES);
    for (unsigned mac = 0; mac < 10; mac++)
        assert_int_equal(port_of(&f->conns[mac % SWITCHES], mac),
                         mac < SWITCHES ? mac % PORTS + 1 : 0);
    for (unsigned c = 0; c < SWITCHES; c++)
        check(&f->conns[c]);
    assert_int_equal(ctl_fdb_drop_restored(f->worker), 0);
}

/* In a VLAN, of an address by number; the port of the destination. */
static uint32_t
tagged(struct ctl_conn *conn, uint8_t vlan, uint8_t src, uint8_t dst, uint32_t in_port)
{
    static const struct ctl_net_port port = {.type = SB_port_type_LINK};
    uint8_t frame[18] = {2, [5] = dst, [6] = 2, [11] = src, [12] = 0x81, [15] = vlan, [16] = 8};
    struct ctl_packet p = {.conn = conn, .port = &port, .in_port = in_port};

    assert_true(ctl_frame_parse(&p.frame, frame, sizeof(frame)));
    return ctl_learn(conn->worker, &p);
}

/* Buckets that are full push what belongs there to the next ones, round the end of the index, too;
 * whatever goes, the others are found. Without a secret the VLAN says where an address belongs. */
static void
full_buckets(void **state)
{
    static const uint8_t vlans[] = {120, 127, 124, 128, 132}; /* modulo 64 or 128, each by 4 */
    enum { N_VLANS = sizeof(vlans), EACH = 11, ASKS = 99 };
    struct fixture *f = *state;
    struct ctl_conn *conn = &f->conns[0];
    bool known[N_VLANS][EACH] = {{false}};

    f->worker->secret[0] = 0;
    f->worker->secret[1] = 1;
    srandom(2);
    for (unsigned v = 0; v < N_VLANS; v++) /* who asks is known */
        tagged(conn, vlans[v], ASKS, 0, 1);
    for (unsigned i = 0; i < 4000; i++) {
        unsigned v = (unsigned)random() % N_VLANS, mac = (unsigned)random() % EACH;

        known[v][mac] = random() % 2;
        if (known[v][mac])
            tagged(conn, vlans[v], (uint8_t)mac, ASKS, 2 + v * EACH + mac);
        else
            ctl_fdb_forget_port(conn, 2 + v * EACH + mac);
        for (v = 0; v < N_VLANS; v++)
            for (mac = 0; mac < EACH; mac++)
                assert_int_equal(tagged(conn, vlans[v], ASKS, (uint8_t)mac, 1),
                                 known[v][mac] ? 2 + v * EACH + mac : 0);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_the_table),
        TEST(rows_are_refreshed),
        TEST(over_a_restart),
        TEST(full_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
