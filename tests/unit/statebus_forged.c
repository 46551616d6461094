/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_forged.c - what a subscriber makes of messages that no owner sent.
 *
 * All in one thread: owner, subscriber and forger take turns. The forger has the services' rights:
 * it may put a socket of its own at the owner's path, and knows the next sequence number.
 */
#include "statebus_fixture.h"
#include "publisher.h"
#include "reader.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <trivet/clock.h>
#include <unistd.h>

#define NAME "forged"
#define GOOD_PID 1000 /* rows of the owner have this pid or a higher one */
#define FORGED_PID 7
#define DEADLINE (20 * SB_SECOND)

struct seen {
    struct sb_subscriber *subscriber;
    uint64_t changes, forged, invalid;
    uint32_t pid; /* of the row, as last told */
};

static struct sb_service
service(uint32_t pid)
{
    return (struct sb_service){.name = "controller", .pid = pid};
}

static void
note(void *arg, const struct sb_change *change)
{
    const struct sb_service *row = change->row;
    struct seen *seen = arg;

    seen->changes++;
    if (!row)
        return;
    seen->forged += row->pid == FORGED_PID;
    seen->invalid += !sb_row_valid(SB_T_service, row);
    seen->pid = row->pid;
}

static void
subscribe(struct seen *seen)
{
    char message[SB_MESSAGE_MAX];

    *seen = (struct seen){0};
    if (sb_subscribe(&seen->subscriber, fixture_instance(), NAME, UINT64_C(1) << SB_T_service, note,
                     seen, message) < 0)
        fail_msg("%s", message);
}

static struct sb_subscriber_stats
stats_of(const struct seen *seen)
{
    struct sb_subscriber_stats stats;

    sb_subscriber_stats(seen->subscriber, &stats);
    return stats;
}

/* One turn of owner and subscriber. */
static void
turn(struct sb_owner *owner, const struct seen *seen)
{
    struct pollfd fds[] = {{.fd = sb_owner_fd(owner), .events = POLLIN},
                           {.fd = sb_subscriber_fd(seen->subscriber), .events = POLLIN}};

    sb_owner_pump(owner);
    sb_subscriber_run(seen->subscriber);
    poll(fds, 2, 1);
}

/* Changes come as messages from here on. */
static void
listen_well(struct sb_owner *owner, struct seen *seen)
{
    uint64_t begin = sb_mono(), received = stats_of(seen).received;
    uint32_t pid = GOOD_PID;

    while (stats_of(seen).received <= received) {
        struct sb_service row = service(++pid);

        assert_true(sb_mono() - begin < DEADLINE);
        sb_put(sb_owner_table(owner, SB_T_service, 0), &row);
        turn(owner, seen);
    }
}

/* A message as the owner would send it, of the change that it gave out last. */
static void
forge(zsock_t *socket, const struct sb_owner *owner, const struct sb_reader *reader, uint64_t op,
      const struct sb_service *row)
{
    struct sb_message header = {
        .magic = SB_MESSAGE_MAGIC,
        .abi = SB_ABI_MAJOR,
        .kind = SB_MESSAGE_DELTA,
        .incarnation = sb_owner_incarnation(owner),
        .first_seq = sb_reader_seq(reader, SB_T_service),
        .count = 1,
        .record_size = 8 + sizeof *row,
    };
    uint64_t prefix = op << 48;
    uint8_t record[8 + sizeof *row];
    void *raw = zsock_resolve(socket);

    memcpy(record, &prefix, 8);
    memcpy(record + 8, row, sizeof *row);
    assert_true(zmq_send(raw, "service", 8, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(raw, &header, sizeof header, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(raw, record, sizeof record, 0) >= 0);
}

static zsock_t *
take_place(const char *path)
{
    zsock_t *forger = zsock_new(ZMQ_PUB);

    assert_non_null(forger);
    assert_int_equal(zsock_bind(forger, "ipc://%s", path), 0); /* unlinks what is there */
    return forger;
}

/* A socket in the owner's place is not listened to, and the owner takes its place back. */
static void
another_socket_is_not_heard(void **state)
{
    struct sb_owner *owner = fixture_open(NAME, SB_T_service, 64, 1, true);
    struct sb_reader *reader = fixture_reader(NAME);
    struct sb_service forged = service(FORGED_PID), row = service(GOOD_PID);
    uint64_t begin = sb_mono();
    char path[SB_PATH_MAX];
    struct seen seen;
    zsock_t *forger;

    (void)state;
    assert_int_equal(sb_runtime_path(fixture_instance(), NAME, ".pub", path, NULL), SB_OK);
    assert_true(sb_socket_inode(path) != 0);
    assert_int_equal(sb_socket_inode(path), sb_reader_socket(reader));
    forger = take_place(path);
    assert_true(sb_socket_inode(path) != sb_reader_socket(reader));
    subscribe(&seen);
    while (stats_of(&seen).received == 0) {
        assert_true(sb_mono() - begin < DEADLINE);
        row.pid++;
        sb_put(sb_owner_table(owner, SB_T_service, 0), &row);
        turn(owner, &seen);
        forge(forger, owner, reader, SB_PUT, &forged);
    }
    assert_int_equal(seen.forged, 0);
    assert_int_equal(sb_socket_inode(path), sb_reader_socket(reader));

    /* nor is one that comes when we are connected, whoever is so */
    zsock_destroy(&forger);
    forger = take_place(path);
    for (int i = 0; i < 500; i++) {
        row.pid++;
        sb_put(sb_owner_table(owner, SB_T_service, 0), &row);
        turn(owner, &seen);
        forge(forger, owner, reader, SB_PUT, &forged);
    }
    listen_well(owner, &seen);
    assert_int_equal(seen.forged, 0);
    zsock_destroy(&forger);
    sb_subscriber_close(&seen.subscriber);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

/* Who writes the segment, too, gets himself heard. But no row comes through that no owner writes:
 * it is refused, and the table says what is true. */
static void
rows_that_no_owner_writes_are_refused(void **state)
{
    static const struct {
        uint64_t op;
        const char *what;
        struct sb_service row;
    } cases[] = {
        {SB_PUT, "a state that is none", {.name = "controller", .pid = FORGED_PID, .state = 200}},
        {SB_PUT, "padding", {.name = "controller", .pid = FORGED_PID, .pad = {1}}},
        {SB_PUT, "text without an end", {.name = "0123456789abcdef0123456789abcdef", .pid = 7}},
        {SB_REMOVE, "a removal of such", {.name = "controller", .state = 200}},
        {SB_APPEND, "an append to a hash table", {.name = "controller", .pid = FORGED_PID}},
        {0xffff, "an operation that is none", {.name = "controller", .pid = FORGED_PID}},
    };
    struct sb_owner *owner = fixture_open(NAME, SB_T_service, 64, 1, true);
    struct sb_reader *reader = fixture_reader(NAME);
    struct sb_service row = service(GOOD_PID);
    char path[SB_PATH_MAX];
    struct sb_header *header;
    struct seen seen;
    zsock_t *forger;
    size_t size;

    (void)state;
    assert_int_equal(sb_runtime_path(fixture_instance(), NAME, ".pub", path, NULL), SB_OK);
    header = fixture_map(NAME, &size);
    forger = take_place(path);
    sb_store_release(&header->socket, sb_socket_inode(path));
    subscribe(&seen);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t refused = stats_of(&seen).refused, begin = sb_mono();

        while (stats_of(&seen).refused == refused) {
            if (sb_mono() - begin > DEADLINE)
                fail_msg("%s was not refused", cases[i].what);
            row.pid++;
            sb_put(sb_owner_table(owner, SB_T_service, 0), &row);
            turn(owner, &seen);
            forge(forger, owner, reader, cases[i].op, &cases[i].row);
        }
        for (begin = sb_mono(); seen.pid != row.pid;) {
            assert_true(sb_mono() - begin < DEADLINE);
            turn(owner, &seen);
        }
    }
    assert_int_equal(seen.forged, 0);
    assert_int_equal(seen.invalid, 0);
    zsock_destroy(&forger);
    sb_subscriber_close(&seen.subscriber);
    sb_reader_close(&reader);
    sb_owner_close(&owner);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_socket_is_not_heard, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(rows_that_no_owner_writes_are_refused, fixture_setup,
                                        fixture_teardown),
    };

    zsys_handler_set(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
