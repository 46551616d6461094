/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - `pcapcheck flows`: the flow table on a terminal of 80x24 or more, and as JSON lines.
 *
 * Two lines a flow: what it is and its verdict; where it was seen and what was decided. The rows
 * come from the flow table of this process or from the bus; the decision is looked up by its
 * cookie.
 */
#include "pcapcheck.h"

#include <arpa/inet.h>
#include <trivet/statebus.h>

static void
end_text(const uint8_t ip[16], uint16_t port, bool ports, char *ret, size_t size)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool v4 = memcmp(ip, mapped, 12) == 0;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + 12 : ip, text, sizeof text);
    if (ports)
        snprintf(ret, size, v4 ? "%s:%u" : "[%s]:%u", text, port);
    else
        snprintf(ret, size, "%s", text);
}

static const char *
protocol(const struct sb_observed *r, char *buf, size_t size)
{
    switch (r->eth_type == 0x0806 ? 256 : r->ip_proto) {
    case 256:
        return "arp";
    case 1:
        return "icmp";
    case 6:
        return "tcp";
    case 17:
        return "udp";
    case 58:
        return "icmp6";
    case 132:
        return "sctp";
    }
    snprintf(buf, size, "ip/%u", r->ip_proto);
    return buf;
}

/* "shortest -> s1-eth3", or "" */
static void
decision_text(const struct pc_net *net, uint64_t cookie, char *ret, size_t size)
{
    ret[0] = '\0';
    for (uint32_t i = 0; cookie && i < net->n_claims; i++) {
        const struct sb_flow *row = &net->claim[i].row;
        char port[32];
        uint32_t at;

        if (!net->claim[i].used || row->cookie != cookie)
            continue;
        at = pc_point_by_port(&net->points, row->dpid, row->output);
        if (row->group)
            snprintf(port, sizeof port, "group %u", row->group);
        else if (at == PC_NONE)
            snprintf(port, sizeof port, "port %u", row->output);
        else
            pc_point_text(&net->points.point[at], port, sizeof port);
        snprintf(ret, size, "%s -> %s", sb_policy_text(row->policy), port);
        return;
    }
}

static const char *
verdict_text(const struct sb_observed *r)
{
    if (!r->cookie_ab && !r->cookie_ba && r->verdict == SB_verdict_result_INCONCLUSIVE)
        return "-";
    return sb_verdict_result_text(r->verdict);
}

void
pc_view_table(FILE *f, const struct pc_net *net, const struct sb_observed *rows, size_t n,
              unsigned width, unsigned height, const char *status)
{
    size_t shown = height > 5 ? (height - 3) / 2 : 1;
    unsigned wide = width < 60 ? 60 : width;

    fprintf(f, "%.*s\n", (int)wide, status);
    fprintf(f, "%-6s%-*s%9s %-9s%s\n", "PROTO", (int)wide - 37, "FLOW / seen at, decided",
            "PACKETS", "TCP", "VERDICT");
    for (size_t i = 0; i < n && i < shown; i++) {
        const struct sb_observed *r = &rows[i];
        char a[64], b[64], flow[160], path[300], decided[80], buf[8];
        bool ports = r->ip_proto == 6 || r->ip_proto == 17 || r->ip_proto == 132;
        int room = (int)wide - 37;

        end_text(r->ip_a, r->port_a, ports, a, sizeof a);
        end_text(r->ip_b, r->port_b, ports, b, sizeof b);
        snprintf(flow, sizeof flow, "%s <> %s", a, b);
        if (r->vlan)
            snprintf(flow + strlen(flow), sizeof flow - strlen(flow), " vlan %u", r->vlan);
        if (r->vni)
            snprintf(flow + strlen(flow), sizeof flow - strlen(flow), " vni %u", r->vni);
        fprintf(f, "%-6s%-*.*s %8llu %-9s%s\n", protocol(r, buf, sizeof buf), room, room, flow,
                (unsigned long long)(r->packets_ab + r->packets_ba),
                r->tcp_state ? sb_tcp_state_text(r->tcp_state) : "", verdict_text(r));
        decision_text(net, r->cookie_ab ? r->cookie_ab : r->cookie_ba, decided, sizeof decided);
        snprintf(path, sizeof path, "%.127s%s%s%s", r->points, decided[0] ? "  [" : "", decided,
                 decided[0] ? "]" : "");
        fprintf(f, "      %-.*s\n", (int)wide - 6, path);
    }
    if (n > shown)
        fprintf(f, "... and %zu more\n", n - shown);
}

void
pc_view_json(FILE *f, const struct pc_net *net, const struct sb_observed *row)
{
    char line[2048], ab[80], ba[80];
    int n = sb_row_json(SB_T_observed, row, line, sizeof line);

    if (n < 2)
        return;
    decision_text(net, row->cookie_ab, ab, sizeof ab);
    decision_text(net, row->cookie_ba, ba, sizeof ba);
    /* Texts of ours and interface names: nothing that JSON would need escaped but quotes and
     * backslashes, which interface names cannot carry into them. */
    for (char *p = ab; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 32)
            *p = '?';
    for (char *p = ba; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 32)
            *p = '?';
    fprintf(f, "%.*s,\"decision_ab\":\"%s\",\"decision_ba\":\"%s\"}\n", n - 1, line, ab, ba);
}
