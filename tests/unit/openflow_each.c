/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_each.c - one of every message, through everything: encoded again from what it decodes to
 * it is the same bytes, cut at every byte it is refused or is another whole message, with every
 * length in it wrong it does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_again.h"
#include "openflow_all.h"
#include "openflow_every.h"

/* In memory of its exact size, so that ASan sees a byte too far. */
static uint8_t *
exact(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

struct seen {
    bool types[2][256]; /* [0]: 1.3, [1]: 1.0 */
    unsigned refused, taken;
};

static void
same_again(void *user, const struct every_message *message)
{
    static uint8_t bytes[OF_MESSAGE_MAX];
    struct of_buffer b = {bytes, sizeof(bytes), 0, false};
    struct seen *seen = user;
    char line[16384];
    uint8_t *m = exact(message->bytes, message->size);

    if (openflow_all(m, message->size) || openflow_again(m, &b) || b.full)
        fail_msg("%s is not taken", message->name);
    if (b.len != message->size || memcmp(bytes, m, b.len) != 0)
        fail_msg("%s is encoded otherwise again", message->name);
    if (of_print(m, message->size, line, sizeof(line)) <= 0 || strchr(line, '!') ||
        strchr(line, '\n'))
        fail_msg("%s prints as %s", message->name, line);
    seen->types[message->version == OF10][message->type] = true;
    free(m);
}

static void
every_type_is_the_same_again(void **state)
{
    struct seen seen = {0};
    char name[32];

    (void)state;
    assert_true(openflow_every(same_again, &seen) > 150);
    for (unsigned version = 0; version < 2; version++)
        for (unsigned type = 0; type < (version ? 22 : 30); type++)
            if (!seen.types[version][type])
                fail_msg("no message of type %s of version %u",
                         of_type_name(version ? OF10 : OF13, (uint8_t)type, name, sizeof(name)),
                         version ? OF10 : OF13);
}

static void
cut(void *user, const struct every_message *message)
{
    struct seen *seen = user;

    for (size_t n = 0; n < message->size; n++) {
        uint8_t *m = exact(message->bytes, n);
        struct of_header header;

        assert_int_equal(of_frame(m, n, &header), 0); /* the stream ends early: framing waits */
        openflow_all(m, n);
        if (n >= OF_HEADER_SIZE) { /* the message itself is that short */
            m[2] = (uint8_t)(n >> 8);
            m[3] = (uint8_t)n;
            if (openflow_all(m, n))
                seen->refused++;
            else
                seen->taken++;
        }
        free(m);
    }
}

static void
cut_at_every_byte(void **state)
{
    struct seen seen = {0};

    (void)state;
    openflow_every(cut, &seen);
    /* what is taken has a free tail (an echo, a packet) or ends behind a whole entry of a list */
    assert_true(seen.refused > 8000);
    assert_true(seen.taken < seen.refused / 3);
}

/* Any two bytes may be a length: 0, 1, less, more, all. Each byte in turn, too. */
static void
lie(void *user, const struct every_message *message)
{
    static const uint16_t values[] = {0, 1, 3, 4, 7, 8, 12, 16, 0x7fff, 0xfff8, 0xffff};
    struct seen *seen = user;

    for (size_t i = OF_HEADER_SIZE; i + 1 < message->size; i++) {
        uint8_t *m = exact(message->bytes, message->size);
        uint16_t old = of_get16(m + i);

        for (unsigned v = 0; v < sizeof(values) / sizeof(values[0]) + 2; v++) {
            uint16_t value = v < sizeof(values) / sizeof(values[0]) ? values[v]
                             : v % 2                                ? (uint16_t)(old + 8)
                                                                    : (uint16_t)(old - 8);

            m[i] = (uint8_t)(value >> 8);
            m[i + 1] = (uint8_t)value;
            if (openflow_all(m, message->size))
                seen->refused++;
            else
                seen->taken++;
        }
        free(m);
    }
}

static void
lying_lengths(void **state)
{
    struct seen seen = {0};

    (void)state;
    openflow_every(lie, &seen);
    assert_true(seen.refused > 1000 && seen.taken > 1000);
}

/* A buffer that is too small by any number of bytes stays as it was. */
static void
squeeze(void *user, const struct every_message *message)
{
    uint8_t *m = exact(message->bytes, message->size);

    (void)user;
    for (size_t n = 0; n < message->size; n++) {
        uint8_t *room = malloc(n ? n : 1);
        struct of_buffer b = {room, n, 0, false};

        assert_non_null(room);
        assert_int_equal(openflow_again(m, &b), OF_OK);
        if (!b.full || b.len)
            fail_msg("%s fits into %zu bytes", message->name, n);
        free(room);
    }
    free(m);
}

static void
no_room(void **state)
{
    (void)state;
    openflow_every(squeeze, NULL);
}

/* A type the tables do not know, of every version that negotiates. */
static void
unknown(void *user, const struct every_message *message)
{
    uint8_t *m = exact(message->bytes, message->size);

    (void)user;
    for (unsigned i = 0; i < 256; i++) {
        m[1] = (uint8_t)i;
        openflow_all(m, message->size); /* the body of another type */
    }
    free(m);
}

static void
bodies_of_other_types(void **state)
{
    (void)state;
    openflow_every(unknown, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_the_same_again),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(lying_lengths),
        cmocka_unit_test(no_room),
        cmocka_unit_test(bodies_of_other_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
