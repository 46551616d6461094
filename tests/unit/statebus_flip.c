/* SPDX-License-Identifier: Apache-2.0
 *
 * statebus_flip.c - every byte of a segment flipped in turn: readers, subscribers and the next
 * owner get an error, or rows that an owner could have written; nothing crashes, spins or leaves
 * the segment.
 *
 * The segment has a table of each kind and rule, sharded and not, with rows in either copy and with
 * removed ones. Of what steers (header, directory, shards' heads, tags, words, sequences) every bit
 * is flipped, of the rest one of each byte; the full tier flips them all. A row that comes back has
 * a key that stands in the table, once; so neither removed rows nor the insides of others turn up.
 * What a flip makes of a free column cannot be told, and is not asked for.
 */
#include "statebus_fixture.h"
#include "table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MACS 20
#define PORTS 7
#define SHARDS 2

static const struct sb_owner_table tables[] = {{SB_T_mac, 2 * MACS, SHARDS},
                                               {SB_T_port, 8, 1},
                                               {SB_T_event, 8, 1},
                                               {SB_T_decision, 16, SHARDS}};
#define N_TABLES (sizeof tables / sizeof tables[0])

struct segment {
    uint8_t *base; /* mapped */
    uint8_t *copy; /* owned; as it was */
    uint8_t *work; /* owned; for adoption in private memory */
    size_t size;
    struct sb_map map; /* its geometry; base and header are set as needed */
};

static int
open_owner(struct sb_owner **ret, char *message)
{
    struct sb_owner_config config = {
        .instance = fixture_instance(),
        .name = "flip",
        .tables = tables,
        .n_tables = N_TABLES,
        .no_publish = true,
    };

    return sb_owner_open(ret, &config, message);
}

/* Rows n = 0, 2, 4 ... of either table stand, the odd ones were removed. */
static void
fill(struct sb_owner *owner)
{
    struct sb_event event = {.text = "what people want to know"};
    struct sb_decision decision = {.t_ns = 0};

    for (uint64_t n = 0; n < MACS; n++)
        for (unsigned version = 0; version < 2 + n % 2; version++) {
            struct sb_mac row = fixture_mac(n, version);
            struct sb_table *mac = sb_owner_table(owner, SB_T_mac, sb_shard_of(row.dpid, SHARDS));

            assert_true(sb_put(mac, &row) >= 0);
        }
    for (uint32_t n = 0; n < PORTS; n++)
        for (unsigned version = 0; version < 2 + n % 2; version++) {
            struct sb_port row = {
                .dpid = 7, .port = n, .speed_kbps = version, .type = (uint8_t)(n % 4), .up = 1};

            snprintf(row.name, sizeof row.name, "s1-eth%u", n);
            assert_true(sb_put(sb_owner_table(owner, SB_T_port, 0), &row) >= 0);
        }
    for (uint64_t n = 1; n < MACS; n += 2) {
        struct sb_mac key = fixture_mac(n, 0);
        struct sb_table *mac = sb_owner_table(owner, SB_T_mac, sb_shard_of(key.dpid, SHARDS));
        struct sb_port port = {.dpid = 7, .port = (uint32_t)n};

        assert_int_equal(sb_remove(mac, sb_find(mac, &key)), SB_OK);
        if (n < PORTS)
            sb_remove(sb_owner_table(owner, SB_T_port, 0),
                      sb_find(sb_owner_table(owner, SB_T_port, 0), &port));
    }
    for (uint64_t n = 0; n < 13; n++) {
        event.t_ns = decision.t_ns = n;
        sb_append(sb_owner_table(owner, SB_T_event, 0), &event);
        sb_append(sb_owner_table(owner, SB_T_decision, n % SHARDS), &decision);
    }
}

/* ---- what may come back ------------------------------------------------------------------ */

struct found {
    unsigned rows[N_TABLES];
    uint64_t seen[N_TABLES]; /* keys, as bits */
};

/* A row of tables[t] that was read: its key stands, and comes once. */
static void
take(struct found *found, unsigned t, const void *row)
{
    const struct sb_mac *mac = row;
    const struct sb_port *port = row;
    uint64_t n = 0;

    assert_true(sb_row_valid(tables[t].id, row));
    if (tables[t].id == SB_T_mac) {
        memcpy(&n, mac->mac, sizeof mac->mac);
        assert_true(n < MACS && n % 2 == 0);
        assert_int_equal(mac->dpid, n % 7);
        assert_int_equal(mac->vlan, n % 3);
    } else if (tables[t].id == SB_T_port) {
        n = port->port;
        assert_true(n < PORTS && n % 2 == 0 && port->dpid == 7);
    } else {
        found->rows[t]++;
        return;
    }
    assert_int_equal(found->seen[t] >> n & 1, 0);
    found->seen[t] |= UINT64_C(1) << n;
    found->rows[t]++;
}

/* Of the rows that stand in each table, at most so many are missing. */
static void
check_count(const struct found *found, unsigned missing)
{
    static const unsigned stand[] = {MACS / 2, (PORTS + 1) / 2};

    for (unsigned t = 0; t < 2; t++)
        assert_in_range(found->rows[t], stand[t] > missing ? stand[t] - missing : 0, stand[t]);
    assert_true(found->rows[2] <= 8 && found->rows[3] <= 16);
}

static void
read_everything(struct sb_reader *reader, unsigned missing)
{
    struct found found = {.rows = {0}};
    struct sb_segment_info info;
    struct sb_table_stats stats;
    uint64_t row[64];

    for (unsigned t = 0; t < N_TABLES; t++) {
        uint64_t cursor = 0;
        int got;

        while ((got = sb_read(reader, tables[t].id, &cursor, row)) != 0) {
            assert_int_equal(got, 1); /* nobody writes */
            take(&found, t, row);
        }
        assert_int_equal(sb_reader_stats(reader, tables[t].id, &stats), SB_OK);
        assert_int_equal(sb_reader_info(reader, &info), SB_OK);
    }
    check_count(&found, missing);
    for (uint64_t n = 0; n < MACS; n++) {
        struct sb_mac key = fixture_mac(n, 0);
        struct sb_port port = {.dpid = 7, .port = (uint32_t)n};

        if (sb_lookup(reader, SB_T_mac, &key, row) == 1)
            assert_true(n % 2 == 0 && sb_row_valid(SB_T_mac, row));
        if (sb_lookup(reader, SB_T_port, &port, row) == 1)
            assert_true(n % 2 == 0 && sb_row_valid(SB_T_port, row));
    }
    for (unsigned s = 0; s < SHARDS; s++)
        for (unsigned t = 2; t < N_TABLES; t++) {
            uint64_t position = 0, lost = 0;
            unsigned n = 0;

            while (sb_follow(reader, tables[t].id, s, &position, row, &lost) == 1) {
                assert_true(sb_row_valid(tables[t].id, row));
                assert_true(n++ < 16);
            }
        }
}

static void
take_change(void *arg, const struct sb_change *change)
{
    if (change->op == SB_PUT)
        take(arg, change->table == SB_T_port, change->row);
}

/* A subscriber reads the tables of the dead owner. */
static void
subscribe_everything(unsigned missing)
{
    struct sb_subscriber *subscriber;
    struct found found = {.rows = {0}};
    char message[SB_MESSAGE_MAX];

    assert_int_equal(sb_subscribe(&subscriber, fixture_instance(), "flip",
                                  UINT64_C(1) << SB_T_mac | UINT64_C(1) << SB_T_port, take_change,
                                  &found, message),
                     SB_OK);
    sb_subscriber_run(subscriber);
    check_count(&found, missing);
    sb_subscriber_close(&subscriber);
}

/* ---- the next owner ------------------------------------------------------------------------ */

static void
check_adopted(struct sb_table *table, unsigned t, struct found *found)
{
    for (int64_t slot = sb_next(table, -1); slot >= 0; slot = sb_next(table, slot)) {
        assert_int_equal(sb_find(table, sb_peek(table, slot)), slot);
        take(found, t, sb_peek(table, slot));
    }
}

/* It comes up: in place if the damage allows it, else with a new segment, and can write. */
static void
adopt_for_real(struct segment *s, unsigned missing)
{
    struct found found = {.rows = {0}};
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner;
    struct sb_mac row = fixture_mac(1000, 1);

    assert_int_equal(open_owner(&owner, message), SB_OK);
    for (unsigned t = 0; t < 2; t++)
        for (unsigned i = 0; i < tables[t].shards; i++)
            check_adopted(sb_owner_table(owner, tables[t].id, i), t, &found);
    check_count(&found, sb_owner_warm(owner) ? missing : MACS / 2);
    assert_true(sb_put(sb_owner_table(owner, SB_T_mac, 0), &row) >= 0);
    sb_owner_close(&owner);
    munmap(s->base, s->size);
    s->base = fixture_map("flip", &s->size);
    memcpy(s->base, s->copy, s->size);
}

/* The same in private memory, which is quick enough to be done for each flip. */
static void
adopt_in_memory(struct segment *s, unsigned missing)
{
    struct found found = {.rows = {0}};
    struct sb_table table;

    memcpy(s->work, s->base, s->size);
    for (unsigned t = 0; t < N_TABLES; t++)
        for (unsigned i = 0; i < tables[t].shards; i++) {
            struct sb_mac row = fixture_mac(1000, 1);
            uint64_t zero[64] = {0};
            int64_t dropped;

            sb_table_init(&table, &s->map, (int)t, i);
            dropped = table.info->kind == SB_RING ? sb_ring_adopt(&table) : sb_table_adopt(&table);
            if (dropped < 0) {
                missing = MACS / 2; /* the owner starts cold */
                continue;
            }
            if (table.info->kind == SB_RING) {
                sb_append(&table, zero);
                continue;
            }
            check_adopted(&table, t, &found);
            if (tables[t].id == SB_T_mac) {
                assert_true(sb_put(&table, &row) >= 0);
                assert_int_equal(sb_remove(&table, sb_find(&table, &row)), SB_OK);
            }
        }
    check_count(&found, missing);
}

/* ---- flipping ---------------------------------------------------------------------------- */

/* Does this byte steer, or is it a row's (or nobody's)? */
static bool
steers(const struct segment *s, size_t at)
{
    if (at < SB_HEADER_SIZE)
        return at < SB_DIR_OFFSET + N_TABLES * sizeof(struct sb_dir);
    for (unsigned t = 0; t < N_TABLES; t++) {
        const struct sb_dir *dir = &s->map.dir[t];
        size_t in = at - dir->offset;

        if (at < dir->offset || in >= dir->shards * dir->shard_size)
            continue;
        in %= dir->shard_size;
        if (in < sizeof(struct sb_shard))
            return true;
        in -= sizeof(struct sb_shard);
        if (sb_table_info(tables[t].id)->kind == SB_RING)
            return in % dir->stride < sizeof(struct sb_ring_slot);
        if (in < dir->slots * sizeof(uint32_t))
            return true;
        return (in - dir->slots * sizeof(uint32_t)) % dir->stride < sizeof(struct sb_slot);
    }
    return false;
}

static void
open_segment(struct segment *s)
{
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner;

    assert_int_equal(open_owner(&owner, message), SB_OK);
    fill(owner);
    sb_owner_close(&owner);
    assert_int_equal(sb_map_open(&s->map, fixture_instance(), "flip", false, message), SB_OK);
    s->base = fixture_map("flip", &s->size);
    s->copy = malloc(s->size);
    s->work = aligned_alloc(4096, (s->size + 4095) / 4096 * 4096);
    assert_true(s->copy && s->work);
    memcpy(s->copy, s->base, s->size);
    sb_map_close(&s->map);
    s->map.base = s->work;
    s->map.header = (struct sb_header *)s->work;
}

static void
flipped_bytes_harm_nobody(void **state)
{
    const bool full = getenv("TRIVET_FULL") != NULL;
    unsigned flips = 0, refused = 0, adopted = 0;
    char message[SB_MESSAGE_MAX];
    struct segment s = {.base = NULL};
    uint64_t seed = 7;

    (void)state;
    alarm(full ? 600 : 300); /* a spin is a failure, too */
    open_segment(&s);
    for (size_t at = 0; at < s.size; at++) {
        bool header = at < SB_HEADER_SIZE, all = full || steers(&s, at);
        unsigned only = (unsigned)(fixture_random(&seed) % 8);

        for (unsigned bit = 0; bit < 8; bit++) {
            struct sb_reader *reader = NULL;
            /* the header has the hash's seed; elsewhere one flip costs one row at most */
            unsigned missing = header ? MACS / 2 : 1;
            int error;

            if (!all && bit != only)
                continue;
            s.base[at] ^= (uint8_t)(1u << bit);
            message[0] = 0;
            error = sb_reader_open(&reader, fixture_instance(), "flip", message);
            if (error == SB_OK) {
                read_everything(reader, missing);
                sb_reader_close(&reader);
            } else {
                assert_true(error == SB_ELAYOUT || error == SB_ECORRUPT || error == SB_ENOTREADY);
                assert_true(header && message[0] != 0);
                refused++;
            }
            if (error == SB_OK && flips % 16 == 0)
                subscribe_everything(missing);
            if (!header)
                adopt_in_memory(&s, missing);
            flips++;
            if (full || (steers(&s, at) && header) || flips % 97 == 0) {
                adopt_for_real(&s, missing);
                adopted++;
            } else {
                s.base[at] = s.copy[at];
            }
        }
    }
    assert_true(refused > 1500); /* magic, sizes, the directory */

    /* untouched, all is there */
    adopt_in_memory(&s, 0);
    print_message("%u flips in %zu bytes, %u refused at open, %u adopted by a new owner\n", flips,
                  s.size, refused, adopted);
    munmap(s.base, s.size);
    free(s.copy);
    free(s.work);
    alarm(0);
}

/* Shorter than its header says, and shorter than a header. */
static void
short_segments_are_refused(void **state)
{
    static const off_t sizes[] = {SB_HEADER_SIZE + 4096, 100, 0};
    char path[256], message[SB_MESSAGE_MAX];
    struct sb_reader *reader = NULL;
    struct sb_owner *owner = NULL;

    (void)state;
    fixture_path("flip", "", path, sizeof path);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_int_equal(sb_reader_open(&reader, fixture_instance(), "flip", message), SB_ECORRUPT);
    }
    assert_int_equal(open_owner(&owner, message), SB_OK);
    assert_false(sb_owner_warm(owner));
    sb_owner_close(&owner);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(flipped_bytes_harm_nobody),
        cmocka_unit_test(short_segments_are_refused),
    };

    return cmocka_run_group_tests(cases, fixture_setup, fixture_teardown);
}
