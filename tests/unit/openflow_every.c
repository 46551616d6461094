/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_every.c - see openflow_every.h. Tables of builders: a row makes one message. Values are
 * such as a switch would take: fields have what they depend on, MACs and ports exist.
 */
#include "openflow_every_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct of_buffer
every_list(uint8_t *room, size_t size)
{
    return (struct of_buffer){room, size, 0, false};
}

void
every_add_field(struct of_buffer *b, uint8_t field, const char *value, const char *mask)
{
    const struct of_oxm oxm = {.class = OFPXMC_OPENFLOW_BASIC,
                               .field = field,
                               .size = of_oxm_size(OFPXMC_OPENFLOW_BASIC, field),
                               .value = (const uint8_t *)value,
                               .mask = (const uint8_t *)mask};

    of_add_oxm(b, &oxm);
}

const struct of_action every_one_output[] = {{.type = OF_A_OUTPUT, .port = 2}};

static const struct of_port ports[] = {
    {.port = 1,
     .mac = {2, 0, 0, 0, 1, 1},
     .name = "s1-eth1",
     .config = OFPPC_NO_RECV | OFPPC_NO_PACKET_IN,
     .state = OFPPS_LINK_DOWN,
     .current = OFPPF_1GB_FD | OFPPF_COPPER | OFPPF_AUTONEG,
     .advertised = OFPPF_100MB_FD | OFPPF_1GB_FD | OFPPF_PAUSE,
     .supported = OFPPF_10MB_HD | OFPPF_10MB_FD | OFPPF_10GB_FD | OFPPF_FIBER | OFPPF_PAUSE_ASYM,
     .peer_features = OFPPF_100MB_HD | OFPPF_1GB_HD},
    {.port = OFPP_LOCAL, .mac = {2, 0, 0, 0, 1, 0}, .name = "fifteen-letters", .config = 1},
};

struct of_port
every_port_for(uint8_t version, unsigned i)
{
    struct of_port port = ports[i];

    if (version == OF13) {
        port.speed_kbps = 1000000;
        port.max_speed_kbps = 10000000;
        port.state |= OFPPS_LIVE;
    }
    return port;
}

struct of_match
every_rule(uint8_t version)
{
    struct of_match match;

    memset(&match, 0, sizeof(match));
    match.fields = OF_M_IN_PORT | OF_M_ETH_DST | OF_M_ETH_SRC | OF_M_ETH_TYPE | OF_M_VLAN_VID |
                   OF_M_IP_PROTO | OF_M_IPV4_SRC | OF_M_IPV4_DST | OF_M_L4_SRC | OF_M_L4_DST |
                   OF_M_VLAN_PCP | OF_M_IP_DSCP;
    match.masked = OF_M_IPV4_SRC;
    match.in_port = 3;
    memcpy(match.eth_dst, "\2\0\0\0\0\2", 6);
    memcpy(match.eth_src, "\2\0\0\0\0\1", 6);
    match.eth_type = 0x0800;
    match.vlan_vid = OFPVID_PRESENT | 12;
    match.vlan_pcp = 4;
    match.ip_dscp = 10;
    match.ip_proto = 6;
    match.ipv4_src = 0x0a010000;
    match.ipv4_src_mask = 0xffff0000;
    match.ipv4_dst = 0x0a000002;
    match.l4_src = 1234;
    match.l4_dst = 80;
    (void)version;
    return match;
}

/* ---- every_groups, meters, ports, tables, queues, roles
 * ------------------------------------------------- */

const struct of_action every_bucket_actions[] = {
    {.type = OF_A_SET_ETH_DST, .mac = {2, 0, 0, 0, 0, 1}},
    {.type = OF_A_OUTPUT, .port = 5},
};
static const struct of_bucket weighted[] = {
    {.weight = 50,
     .watch_port = OFPP_ANY,
     .watch_group = OFPG_ANY,
     .actions = every_bucket_actions,
     .n_actions = 2},
    {.weight = 30,
     .watch_port = OFPP_ANY,
     .watch_group = OFPG_ANY,
     .actions = every_one_output,
     .n_actions = 1},
};
static const struct of_bucket watching[] = {
    {.watch_port = 2, .watch_group = OFPG_ANY, .actions = every_one_output, .n_actions = 1},
    {.watch_port = OFPP_ANY, .watch_group = 3, .actions = every_bucket_actions, .n_actions = 2},
};
static const struct of_bucket plain[] = {
    {.watch_port = OFPP_ANY, .watch_group = OFPG_ANY, .actions = every_one_output, .n_actions = 1},
};
const struct of_group_mod every_groups[] = {
    {OFPGC_ADD, OFPGT_SELECT, 1, weighted, 2, NULL, 0},
    {OFPGC_MODIFY, OFPGT_FF, 2, watching, 2, NULL, 0},
    {OFPGC_ADD, OFPGT_ALL, 4, plain, 1, NULL, 0},
    {OFPGC_ADD, OFPGT_INDIRECT, 5, plain, 1, NULL, 0},
    {OFPGC_DELETE, OFPGT_ALL, OFPG_ALL, NULL, 0, NULL, 0},
};

struct of_cursor
every_bands(struct of_buffer *l, bool with_experimenter)
{
    const struct of_band all[] = {
        {.type = OFPMBT_DROP, .rate = 1000, .burst = 200},
        {.type = OFPMBT_DSCP_REMARK, .rate = 500, .burst = 100, .prec_level = 1},
        {.type = OFPMBT_EXPERIMENTER,
         .rate = 7,
         .experimenter = 0xcafe,
         .data = {(const uint8_t *)"12345678", 8}},
    };

    for (unsigned i = 0; i < (with_experimenter ? 3 : 2); i++)
        of_add_band(l, &all[i]);
    return of_list(l);
}

static unsigned
one(const struct every_row *row, uint8_t version,
    void (*each)(void *, const struct every_message *), void *user)
{
    static struct every_message message;
    struct of_buffer b = {message.bytes, sizeof(message.bytes), 0, false};
    char name[80];

    row->put(&b, version);
    if (b.full || b.len < OF_HEADER_SIZE) {
        fprintf(stderr, "%s of version %u cannot be encoded\n", row->name, version);
        abort();
    }
    snprintf(name, sizeof(name), "1.%u %s", version - 1u, row->name);
    message.name = name;
    message.version = version;
    message.type = message.bytes[1];
    message.not_in_ovs = row->not_in_ovs;
    message.size = b.len;
    each(user, &message);
    return 1;
}

unsigned
openflow_every(void (*each)(void *, const struct every_message *), void *user)
{
    static const struct every_row *const tables[] = {every_session, every_rules, every_stats};
    unsigned n = 0;

    for (unsigned i = 0; i < LEN(tables); i++)
        for (const struct every_row *row = tables[i]; row->name; row++) {
            if (row->versions & V13)
                n += one(row, OF13, each, user);
            if (row->versions & V10)
                n += one(row, OF10, each, user);
        }
    for (uint8_t field = 0; field < OFPXMT_COUNT; field++)
        for (unsigned masked = 0; masked < 2; masked++) {
            struct every_row row;
            char name[64];

            if (every_field(field, masked, &row, name, sizeof(name)))
                n += one(&row, OF13, each, user);
        }
    return n;
}
