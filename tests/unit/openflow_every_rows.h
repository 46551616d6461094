/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every_rows.h - private to openflow_every*.c: a row a message, and what several build on.
 */
#ifndef TESTS_OPENFLOW_EVERY_ROWS_H
#define TESTS_OPENFLOW_EVERY_ROWS_H

#include <trivet/openflow_stats.h>

#include "openflow_every.h"

#define XID 0x11223344
#define EXPERIMENTER 0x00002320 /* Nicira's, which Open vSwitch knows */
#define LEN(table) (sizeof(table) / sizeof((table)[0]))

enum versions { V13 = 1, V10 = 2, BOTH = 3 };

struct every_row {
    const char *name; /* NULL: the end */
    void (*put)(struct of_buffer *b, uint8_t version);
    uint8_t versions; /* enum versions */
    bool not_in_ovs;
};
extern const struct every_row every_session[], every_rules[], every_stats[];

/* The row that makes a flow_mod with an OXM field, alone but for what it depends on; false when
 * there is none: the field takes no mask. name: room for its name. Valid until the next call. */
bool every_field(uint8_t field, bool masked, struct every_row *ret, char *name, size_t size);

struct of_buffer every_list(uint8_t *room, size_t size);
/* A field of OPENFLOW_BASIC; mask may be NULL. */
void every_add_field(struct of_buffer *b, uint8_t field, const char *value, const char *mask);
extern const struct of_action every_one_output[1], every_bucket_actions[2];
#define EVERY_PORTS 2
struct of_port every_port_for(uint8_t version, unsigned i);
/* A match that both versions can say. */
struct of_match every_rule(uint8_t version);
extern const struct of_group_mod every_groups[5];
struct of_cursor every_bands(struct of_buffer *l, bool with_experimenter);

#endif
