/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_switch.c - see fake_switch.h: the switches. The controller's process is fake_net.c.
 */
#include "fake_switch.h"

#include <trivet/openflow_stats.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- sending ------------------------------------------------------------------------- */

/* The controller does not read now: perhaps it waits until somebody reads its log. */
static void
wait_writable(struct fake_switch *sw)
{
    struct pollfd fds[2] = {{.fd = sw->fd, .events = POLLOUT},
                            {.fd = sw->net->log_fd, .events = POLLIN}};

    if (poll(fds, 2, 1000) > 0 && fds[1].revents != 0)
        fake_read_log(sw->net);
}

/* Sends all, or what the budget allows. */
void
fake_send(struct fake_switch *sw, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t allowed = sw->budget - sw->sent;

    if (size > allowed)
        size = allowed;
    while (size > 0 && sw->fd >= 0) {
        ssize_t n = send(sw->fd, p, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            wait_writable(sw);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break; /* closed by the controller: seen when it is read */
        p += n;
        size -= (size_t)n;
        sw->sent += (size_t)n;
    }
    if (sw->sent == sw->budget)
        fake_disconnect(sw);
}

#define SEND(sw, put, ...)                                                                         \
    do {                                                                                           \
        static uint8_t bytes_[65536];                                                              \
        struct of_buffer b_ = {.data = bytes_, .size = sizeof(bytes_)};                            \
        put(&b_, __VA_ARGS__);                                                                     \
        assert_false(b_.full);                                                                     \
        fake_send(sw, b_.data, b_.len);                                                            \
    } while (0)

void
fake_packet_in(struct fake_switch *sw, uint32_t port, const void *frame, size_t size,
               uint32_t buffer_id)
{
    struct of_packet_in in = {.buffer_id = buffer_id,
                              .in_port = port,
                              .total_len = (uint16_t)size,
                              .reason = OFPR_ACTION,
                              .data = frame,
                              .data_size = (uint16_t)size};

    SEND(sw, of_put_packet_in, OF13, 0, &in);
}

static void
put_host(uint8_t ret[6], uint8_t host)
{
    memset(ret, 0, 6);
    ret[0] = 2;
    ret[5] = host;
}

uint32_t
fake_packet(struct fake_switch *sw, uint32_t port, uint8_t from, uint8_t to, uint32_t buffer_id)
{
    uint8_t frame[64] = {[12] = 0x08};
    const uint8_t ip_from[4] = {10, 0, 0, from}, ip_to[4] = {10, 0, 0, to == 0 ? 254 : to};
    uint32_t marker = ++sw->net->next_marker;

    put_host(frame, to);
    put_host(frame + 6, from);
    if (to == 0) {
        memcpy(frame, broadcast, 6);
        frame[13] = 0x06;
        memcpy(frame + 28, ip_from, 4);
        memcpy(frame + 38, ip_to, 4);
    } else {
        frame[14] = 0x45;
        memcpy(frame + 26, ip_from, 4);
        memcpy(frame + 30, ip_to, 4);
    }
    memcpy(frame + 60, &marker, 4);
    fake_packet_in(sw, port, frame, sizeof(frame), buffer_id);
    return marker;
}

void
fake_port(struct fake_switch *sw, uint32_t port, uint8_t reason, bool up)
{
    struct of_port_status status = {.reason = reason};

    for (unsigned i = 0; i < sw->n_ports; i++)
        if (sw->ports[i].port == port) {
            sw->ports[i].state = up ? 0 : OFPPS_LINK_DOWN;
            status.port = sw->ports[i];
        }
    if (sw->fd >= 0)
        SEND(sw, of_put_port_status, OF13, 0, &status);
}

/* ---- its flow table -------------------------------------------------------------------- */

static bool
of_tree(const struct of_flow_mod *mod)
{
    return (mod->cookie & 0xffffffff) == 0xfffffffd;
}

static struct fake_rule *
append(struct fake_rule **list, unsigned *n, const struct fake_rule *rule)
{
    *list = realloc(*list, (*n + 1) * sizeof(**list));
    assert_non_null(*list);
    (*list)[*n] = *rule;
    return &(*list)[(*n)++];
}

static bool
same_rule(const struct fake_rule *a, const struct fake_rule *b)
{
    return a->mod.priority == b->mod.priority &&
           memcmp(&a->mod.match, &b->mod.match, sizeof(a->mod.match)) == 0;
}

static void
tree_rule(struct fake_switch *sw, const struct fake_rule *rule)
{
    unsigned i = 0;

    while (i < sw->n_tree && !same_rule(&sw->tree[i], rule))
        i++;
    sw->n_tree_mods++;
    if (rule->mod.command == OFPFC_DELETE_STRICT) {
        if (i < sw->n_tree)
            sw->tree[i] = sw->tree[--sw->n_tree];
    } else if (i < sw->n_tree) {
        sw->tree[i] = *rule;
    } else {
        append(&sw->tree, &sw->n_tree, rule);
    }
}

static void
remove_rule(struct fake_switch *sw, unsigned i)
{
    struct of_flow_removed removed = {.cookie = sw->rules[i].mod.cookie,
                                      .priority = sw->rules[i].mod.priority,
                                      .idle_s = sw->rules[i].mod.idle_s,
                                      .hard_s = sw->rules[i].mod.hard_s,
                                      .reason = OFPRR_DELETE,
                                      .match = sw->rules[i].mod.match};
    bool tell = sw->rules[i].mod.flags & OFPFF_SEND_FLOW_REM;

    sw->rules[i] = sw->rules[--sw->n_rules];
    if (tell)
        SEND(sw, of_put_flow_removed, OF13, 0, &removed);
}

static void
delete_rules(struct fake_switch *sw, const struct fake_rule *wanted)
{
    bool strict = wanted->mod.command == OFPFC_DELETE_STRICT;

    /* What is deleted loosely is named by cookie and output; other matches are not played. */
    assert_true(strict || wanted->mod.match.fields == 0);
    for (unsigned i = sw->n_rules; i-- > 0;) {
        const struct of_flow_mod *mod = &sw->rules[i].mod;

        if ((mod->cookie & wanted->mod.cookie_mask) ==
                (wanted->mod.cookie & wanted->mod.cookie_mask) &&
            (wanted->mod.out_port == OFPP_ANY ||
             wanted->mod.out_port == sw->rules[i].action.port) &&
            (!strict || same_rule(wanted, &sw->rules[i])))
            remove_rule(sw, i);
    }
}

static void
refuse_flow_mod(struct fake_switch *sw, const uint8_t *m, uint16_t size, uint16_t type,
                uint16_t code)
{
    uint16_t quoted = sw->quoted != 0 ? sw->quoted : 64;

    SEND(sw, of_put_error, OF13, of_get32(m + 4), type, code, m, size < quoted ? size : quoted);
}

static void
take_flow_mod(struct fake_switch *sw, const uint8_t *m, uint16_t size, unsigned number)
{
    struct fake_rule rule = {.number = number, .xid = of_get32(m + 4)};
    struct of_cursor c;

    assert_int_equal(of_decode_flow_mod(m, &rule.mod, NULL), OF_OK);
    c = (struct of_cursor){rule.mod.raw_actions, rule.mod.raw_actions_size};
    if (of_next_action(&c, &rule.action) != 1)
        rule.action.type = OF_A_OTHER;
    rule.mod.raw_actions = NULL;
    if (of_tree(&rule.mod)) {
        tree_rule(sw, &rule);
        return;
    }
    append(&sw->mods, &sw->n_mods, &rule);
    if (rule.mod.command == OFPFC_DELETE || rule.mod.command == OFPFC_DELETE_STRICT) {
        delete_rules(sw, &rule);
        return;
    }
    if (sw->refuse != 0 && rule.mod.priority == sw->refuse) {
        bool full = sw->refuse_type == 0 && sw->refuse_code == 0;

        refuse_flow_mod(sw, m, size, full ? 5 /* FLOW_MOD_FAILED */ : sw->refuse_type,
                        full ? 1 /* TABLE_FULL */ : sw->refuse_code);
        return;
    }
    if (sw->no_buffers && rule.mod.buffer_id != OF_NO_BUFFER) {
        refuse_flow_mod(sw, m, size, 1 /* BAD_REQUEST */, 8 /* BUFFER_UNKNOWN */);
        return;
    }
    for (unsigned i = 0; i < sw->n_rules; i++)
        if (same_rule(&sw->rules[i], &rule)) {
            if (rule.mod.command == OFPFC_ADD)
                sw->rules[i] = rule;
            else if (rule.mod.cookie == sw->rules[i].mod.cookie)
                sw->rules[i].action = rule.action; /* MODIFY keeps cookie and time-outs */
            return;
        }
    assert_int_equal(rule.mod.command, OFPFC_ADD);
    append(&sw->rules, &sw->n_rules, &rule);
}

const struct fake_rule *
fake_mod(const struct fake_switch *sw, uint8_t command, uint16_t priority)
{
    for (unsigned i = sw->n_mods; i-- > 0;)
        if (sw->mods[i].mod.command == command && sw->mods[i].mod.priority == priority)
            return &sw->mods[i];
    return NULL;
}

const struct fake_rule *
fake_rule(const struct fake_switch *sw, uint8_t from, uint8_t to)
{
    uint8_t src[6], dst[6];

    put_host(src, from);
    put_host(dst, to);
    for (unsigned i = 0; i < sw->n_rules; i++) {
        const struct of_match *match = &sw->rules[i].mod.match;

        if (match->fields & OF_M_ETH_DST
                ? memcmp(match->eth_dst, dst, 6) == 0 && memcmp(match->eth_src, src, 6) == 0
                : (match->fields & OF_M_IPV4_DST) &&
                      match->ipv4_src == (UINT32_C(10) << 24 | from) &&
                      match->ipv4_dst == (UINT32_C(10) << 24 | to))
            return &sw->rules[i];
    }
    return NULL;
}

/* ---- packet-outs --------------------------------------------------------------------------- */

static void
carry(struct fake_switch *sw, uint32_t port, const uint8_t *frame, size_t size)
{
    struct fake_net *net = sw->net;

    for (unsigned i = 0; i < net->n_cables; i++) {
        const struct fake_cable *cable = &net->cables[i];
        bool from_a = cable->dpid_a == sw->dpid && cable->port_a == port;

        if (cable->cut || (!from_a && !(cable->dpid_b == sw->dpid && cable->port_b == port)))
            continue;
        for (unsigned j = 0; j < net->n_switches; j++) {
            struct fake_switch *to = net->switches[j];

            if (to->dpid == (from_a ? cable->dpid_b : cable->dpid_a) && to->fd >= 0 &&
                !to->mute_all)
                fake_packet_in(to, from_a ? cable->port_b : cable->port_a, frame, size,
                               OF_NO_BUFFER);
        }
    }
}

static void
take_packet_out(struct fake_switch *sw, const uint8_t *m, unsigned number)
{
    struct of_packet_out message;
    struct fake_out out = {.number = number};
    struct of_action action;
    struct of_cursor c;
    bool lldp;

    assert_int_equal(of_decode_packet_out(m, &message, NULL), OF_OK);
    c = (struct of_cursor){message.actions, message.actions_size};
    lldp = message.data_size > 14 && of_get16(message.data + 12) == 0x88cc;
    while (of_next_action(&c, &action) == 1) {
        assert_int_equal(action.type, OF_A_OUTPUT);
        assert_true(out.n_ports < FAKE_PORTS);
        out.ports[out.n_ports++] = action.port;
        if (lldp && action.port <= FAKE_PORTS) {
            sw->lldp[action.port]++;
            sw->last_lldp_size = message.data_size;
            assert_true(message.data_size <= sizeof(sw->last_lldp));
            memcpy(sw->last_lldp, message.data, message.data_size);
            carry(sw, action.port, message.data, message.data_size);
        }
    }
    if (lldp)
        return;
    out.buffer_id = message.buffer_id;
    out.in_port = message.in_port;
    out.size = message.data_size;
    if (message.data_size >= 4)
        memcpy(&out.marker, message.data + message.data_size - 4, 4);
    if ((sw->n_outs & (sw->n_outs - 1)) == 0) /* doubled when full */
        sw->outs = realloc(sw->outs, (sw->n_outs == 0 ? 1 : sw->n_outs * 2) * sizeof(*sw->outs));
    assert_non_null(sw->outs);
    sw->outs[sw->n_outs++] = out;
}

unsigned
fake_times(const struct fake_switch *sw, uint32_t marker, uint32_t port)
{
    unsigned n = 0;

    for (unsigned i = 0; i < sw->n_outs; i++)
        for (unsigned j = 0; j < sw->outs[i].n_ports && sw->outs[i].marker == marker; j++)
            n += port == 0 || sw->outs[i].ports[j] == port;
    return n;
}

const struct fake_out *
fake_out(const struct fake_switch *sw, uint32_t marker)
{
    for (unsigned i = 0; i < sw->n_outs; i++)
        if (sw->outs[i].marker == marker)
            return &sw->outs[i];
    return NULL;
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
send_ports(struct fake_switch *sw, uint32_t xid)
{
    unsigned part = sw->part != 0 ? sw->part : FAKE_PORTS, i = 0;

    do {
        unsigned n = sw->n_ports - i < part ? sw->n_ports - i : part;
        uint16_t more = i + n < sw->n_ports ? OFPMPF_REPLY_MORE : 0;

        SEND(sw, of_put_port_desc_reply, xid, sw->ports + i, n, more);
        i += n;
    } while (i < sw->n_ports && sw->fd >= 0);
}

static void
send_flows(struct fake_switch *sw, uint32_t xid, uint64_t cookie, uint64_t mask)
{
    struct of_flow_mod *asked = calloc(sw->n_rules + sw->n_tree + 1, sizeof(*asked));
    unsigned n = 0, i = 0, part = sw->part != 0 ? sw->part : 256;

    assert_non_null(asked);
    for (unsigned j = 0; j < sw->n_rules + sw->n_tree; j++) {
        struct fake_rule *rule = j < sw->n_rules ? &sw->rules[j] : &sw->tree[j - sw->n_rules];

        if (!sw->unmasked && (rule->mod.cookie & mask) != (cookie & mask))
            continue;
        rule->mod.actions = &rule->action;
        rule->mod.n_actions = 1;
        asked[n++] = rule->mod;
    }
    do {
        unsigned some = n - i < part ? n - i : part;
        uint16_t more = i + some < n ? OFPMPF_REPLY_MORE : 0;

        SEND(sw, of_put_flow_stats_reply, xid, more, asked + i, some);
        i += some;
    } while (i < n && sw->fd >= 0);
    free(asked);
}

static void
send_groups(struct fake_switch *sw, uint32_t xid)
{
    unsigned i = 0, part = sw->part != 0 ? sw->part : 8;

    do {
        unsigned n = sw->n_groups - i < part ? sw->n_groups - i : part;
        static struct of_bucket buckets[8][FAKE_PORTS];
        static struct of_action outputs[8][FAKE_PORTS];
        struct of_group_mod some[8] = {0};

        for (unsigned j = 0; j < n; j++) {
            const struct fake_group *group = &sw->groups[i + j];

            some[j] = (struct of_group_mod){.type = group->type,
                                            .group = group->id,
                                            .buckets = buckets[j],
                                            .n_buckets = group->n_ports};
            for (unsigned k = 0; k < group->n_ports; k++) {
                outputs[j][k] = (struct of_action){.type = OF_A_OUTPUT, .port = group->ports[k]};
                buckets[j][k] = (struct of_bucket){.watch_port = OFPP_ANY,
                                                   .watch_group = OFPG_ANY,
                                                   .actions = &outputs[j][k],
                                                   .n_actions = 1};
            }
        }
        SEND(sw, of_put_group_desc_reply, xid, i + n < sw->n_groups ? OFPMPF_REPLY_MORE : 0, some,
             n);
        i += n;
    } while (i < sw->n_groups && sw->fd >= 0);
}

static void
take_group_mod(struct fake_switch *sw, const uint8_t *m, uint16_t size)
{
    struct fake_group group = {0};
    struct of_group_mod mod;
    struct of_cursor buckets;
    struct of_bucket bucket;
    unsigned i = 0;
    int code = -1;

    assert_int_equal(of_decode_group_mod(m, &mod, NULL), OF_OK);
    sw->n_group_mods++;
    group.id = mod.group;
    group.type = mod.type;
    buckets = (struct of_cursor){mod.raw_buckets, mod.raw_buckets_size};
    while (of_next_bucket(&buckets, &bucket) == 1) {
        struct of_cursor actions = {bucket.raw_actions, bucket.raw_actions_size};
        struct of_action action;

        assert_int_equal(of_next_action(&actions, &action), 1);
        assert_int_equal(action.type, OF_A_OUTPUT);
        assert_true(group.n_ports < FAKE_PORTS);
        group.ports[group.n_ports++] = action.port;
    }
    while (i < sw->n_groups && sw->groups[i].id != group.id)
        i++;
    if (sw->no_groups)
        code = 3 /* OUT_OF_GROUPS */;
    else if (mod.command == OFPGC_ADD && i < sw->n_groups)
        code = OFPGMFC_GROUP_EXISTS;
    else if (mod.command == OFPGC_MODIFY && i == sw->n_groups)
        code = OFPGMFC_UNKNOWN_GROUP;
    if (code >= 0) {
        SEND(sw, of_put_error, OF13, of_get32(m + 4), OFPET_GROUP_MOD_FAILED, (uint16_t)code, m,
             size < 64 ? size : 64);
    } else if (mod.command == OFPGC_DELETE) {
        if (i < sw->n_groups)
            sw->groups[i] = sw->groups[--sw->n_groups];
    } else {
        assert_true(i < 8);
        sw->n_groups += i == sw->n_groups;
        sw->groups[i] = group;
    }
}

const struct fake_group *
fake_group(const struct fake_switch *sw, uint32_t id)
{
    for (unsigned i = 0; i < sw->n_groups; i++)
        if (sw->groups[i].id == id)
            return &sw->groups[i];
    return NULL;
}

/* Statistics but those of flows, which are read when it connects, too. */
static void
send_statistics(struct fake_switch *sw, uint16_t type, const uint8_t *m, uint16_t size,
                uint32_t xid)
{
    static uint8_t data[32768];
    struct of_buffer b = {.data = data, .size = sizeof(data)};
    uint16_t flags = sw->statistics == FAKE_ENDLESS ? OFPMPF_REPLY_MORE : 0;
    size_t start;

    if (sw->statistics == FAKE_MUTE)
        return;
    if (sw->statistics == FAKE_REFUSES) {
        SEND(sw, of_put_error, OF13, xid, 1 /* BAD_REQUEST */, 2 /* BAD_MULTIPART */, m, size);
        return;
    }
    if (sw->statistics == FAKE_WRONG)
        type = OFPMP_DESC;
    start = of_open_reply(&b, OF13, xid, type, flags);
    for (unsigned i = 0; type == OFPMP_PORT_STATS && i < sw->n_ports; i++)
        of_add_port_stats(&b, OF13,
                          &(struct of_port_stats){.port = sw->ports[i].port,
                                                  .rx_packets = sw->ports[i].port,
                                                  .tx_errors = UINT64_MAX});
    if (type == OFPMP_TABLE)
        of_add_table_stats(&b, OF13, &(struct of_table_stats){.active = sw->n_rules, .lookups = 7});
    of_close(&b, start);
    assert_false(b.full);
    fake_send(sw, b.data, b.len);
}

static void
take_multipart(struct fake_switch *sw, const uint8_t *m, uint16_t size, uint32_t xid)
{
    struct of_multipart request;

    assert_int_equal(of_decode_multipart(m, &request, NULL), OF_OK);
    if (sw->mute_multipart)
        return;
    if (request.type == OFPMP_PORT_DESC) {
        send_ports(sw, xid);
    } else if (request.type == OFPMP_GROUP_DESC) {
        if (sw->no_groups)
            SEND(sw, of_put_error, OF13, xid, 1 /* BAD_REQUEST */, 2 /* BAD_MULTIPART */, m, size);
        else
            send_groups(sw, xid);
    } else if (request.type != OFPMP_FLOW) {
        assert_true(request.type < 16);
        sw->polls[request.type]++;
        send_statistics(sw, request.type, m, size, xid);
    } else {
        assert_int_equal(size, 56);
        memcpy(sw->multipart, m, size);
        send_flows(sw, xid, of_get64(m + 32), of_get64(m + 40));
    }
}

static void
keep(uint8_t *ret, size_t max, size_t *ret_size, const uint8_t *m, size_t size)
{
    *ret_size = size < max ? size : max;
    memcpy(ret, m, *ret_size);
}

static void
take_message(struct fake_switch *sw, const uint8_t *m, const struct of_header *h)
{
    struct of_features features = {.dpid = sw->dpid, .n_buffers = 256, .n_tables = 254};
    unsigned number = 0;

    sw->count[h->type]++;
    for (unsigned i = 0; i < 256; i++)
        number += sw->count[i];
    if (h->type == OFPT13_ERROR)
        keep(sw->error, sizeof(sw->error), &sw->error_size, m, h->length);
    if (sw->mute_all)
        return;
    switch (h->type) {
    case OFPT13_ECHO_REQUEST:
        SEND(sw, of_put_echo, OF13, OFPT13_ECHO_REPLY, h->xid, m + 8, h->length - 8u);
        break;
    case OFPT13_ECHO_REPLY:
        keep(sw->echo, sizeof(sw->echo), &sw->echo_size, m, h->length);
        break;
    case OFPT13_FEATURES_REQUEST:
        SEND(sw, of_put_features_reply, OF13, h->xid, &features);
        break;
    case OFPT13_MULTIPART_REQUEST:
        take_multipart(sw, m, h->length, h->xid);
        break;
    case OFPT13_BARRIER_REQUEST:
        if (!sw->mute_barrier)
            SEND(sw, of_put_header, OF13, OFPT13_BARRIER_REPLY, h->xid);
        break;
    case OFPT13_FLOW_MOD:
        take_flow_mod(sw, m, h->length, number);
        break;
    case OFPT13_GROUP_MOD:
        take_group_mod(sw, m, h->length);
        break;
    case OFPT13_PACKET_OUT:
        take_packet_out(sw, m, number);
        break;
    default:
        break;
    }
}

/* ---- connection ------------------------------------------------------------------------------ */

struct fake_switch *
fake_switch_new(struct fake_net *net, uint64_t dpid, unsigned n_ports)
{
    struct fake_switch *sw = calloc(1, sizeof(*sw));

    assert_non_null(sw);
    assert_true(n_ports <= FAKE_PORTS && net->n_switches < 16);
    sw->net = net;
    sw->dpid = dpid;
    sw->fd = -1;
    sw->budget = SIZE_MAX;
    sw->n_ports = n_ports;
    for (unsigned i = 0; i < n_ports; i++) {
        struct of_port *port = &sw->ports[i];

        port->port = i + 1;
        port->mac[0] = 0x06;
        port->mac[3] = (uint8_t)dpid;
        port->mac[4] = (uint8_t)(port->port >> 8);
        port->mac[5] = (uint8_t)port->port;
        snprintf(port->name, sizeof(port->name), "s%u-eth%u", (unsigned)dpid, port->port);
    }
    net->switches[net->n_switches++] = sw;
    return sw;
}

int
fake_open(struct fake_net *net)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (net->open != NULL)
        return net->open(net);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", net->listen + strlen("unix:"));
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void
fake_connect(struct fake_switch *sw)
{
    sw->fd = fake_open(sw->net);
    sw->sent = 0;
    sw->rx_size = 0;
    memset(sw->count, 0, sizeof(sw->count));
    SEND(sw, of_put_hello, OF13, 1, 1u << OF13);
}

struct fake_switch *
fake_switch_add(struct fake_net *net, uint64_t dpid, unsigned n_ports)
{
    struct fake_switch *sw = fake_switch_new(net, dpid, n_ports);

    fake_connect(sw);
    return sw;
}

void
fake_disconnect(struct fake_switch *sw)
{
    if (sw->fd >= 0)
        close(sw->fd);
    sw->fd = -1;
}

void
fake_forget(struct fake_switch *sw)
{
    sw->n_mods = sw->n_outs = 0;
}

void
fake_cable(struct fake_net *net, uint64_t dpid_a, uint32_t port_a, uint64_t dpid_b, uint32_t port_b)
{
    net->cables[net->n_cables++] = (struct fake_cable){dpid_a, dpid_b, port_a, port_b, false};
}

/* Reads what is there and answers it. */
void fake_switch_readable(struct fake_switch *sw);

void
fake_switch_readable(struct fake_switch *sw)
{
    size_t at = 0;
    ssize_t n;

    if (sw->rx == NULL)
        sw->rx = malloc(1u << 20);
    assert_non_null(sw->rx);
    n = recv(sw->fd, sw->rx + sw->rx_size, (1u << 20) - sw->rx_size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fake_disconnect(sw);
        return;
    }
    sw->rx_size += (size_t)n;
    while (sw->fd >= 0) {
        struct of_header h;
        int length = of_frame(sw->rx + at, sw->rx_size - at, &h);

        assert_true(length >= 0);
        if (length == 0)
            break;
        take_message(sw, sw->rx + at, &h);
        at += (size_t)length;
    }
    memmove(sw->rx, sw->rx + at, sw->rx_size - at);
    sw->rx_size -= at;
}
