/* SPDX-License-Identifier: Apache-2.0
 *
 * tool_text.c - cells and aligned tables for people; --json shows the same raw.
 *
 * Neighbours: tool_dump.c, tool_watch.c, tool_ls.c. Threads: main.
 */
#include "tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <trivet/clock.h>

#define TEXT_CUT 40 /* longer texts may be cut: no address is as long */
#define FIRST_SHARE                                                                                \
    60 /* percent of the line that the most important column gets if it needs them */

/* ---- cells ---- */

static uint64_t
column_number(const struct sb_column *column, const void *row)
{
    const char *p = (const char *)row + column->offset;
    uint64_t value = 0;

    if (column->size <= sizeof value)
        memcpy(&value, p, column->size); /* little-endian, as the deltas are */
    if (column->is_signed && column->size < sizeof value) {
        unsigned shift = 64 - 8u * column->size;
        value = (uint64_t)((int64_t)(value << shift) >> shift);
    }
    return value;
}

void
clock_text(uint64_t time_ns, char ret[CELL_MAX])
{
    time_t seconds = (time_t)(time_ns / SB_SECOND);
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    snprintf(ret, CELL_MAX, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
             (unsigned)(time_ns % SB_SECOND / SB_MS));
}

void
duration_text(int64_t ns, char ret[CELL_MAX])
{
    double value = (double)ns, size = ns < 0 ? -value : value;

    if (size >= 1e9)
        snprintf(ret, CELL_MAX, "%.3f s", value / 1e9);
    else if (size >= 1e6)
        snprintf(ret, CELL_MAX, "%.3f ms", value / 1e6);
    else if (size >= 1e3)
        snprintf(ret, CELL_MAX, "%.1f us", value / 1e3);
    else
        snprintf(ret, CELL_MAX, "%" PRId64 " ns", ns);
}

void
bytes_text(uint64_t bytes, char ret[CELL_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(ret, CELL_MAX, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Does the match column of this flow count? Columns that are no match fields always do. */
static bool
match_counts(const struct sb_column *column, const struct sb_flow *flow)
{
    static const struct {
        const char *name;
        uint32_t bit; /* SB_MATCH_* */
    } fields[] = {{"in_port", SB_MATCH_IN_PORT}, {"eth_src", SB_MATCH_ETH_SRC},
                  {"eth_dst", SB_MATCH_ETH_DST}, {"eth_type", SB_MATCH_ETH_TYPE},
                  {"vlan", SB_MATCH_VLAN},       {"ip_src", SB_MATCH_IP_SRC},
                  {"ip_dst", SB_MATCH_IP_DST},   {"ip_proto", SB_MATCH_IP_PROTO},
                  {"l4_src", SB_MATCH_L4_SRC},   {"l4_dst", SB_MATCH_L4_DST}};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!strcmp(fields[i].name, column->name))
            return flow->fields & fields[i].bit;
    }
    return true;
}

/* Names of well-known numbers of some columns, or NULL. */
static const char *
number_name(const char *column, uint64_t value)
{
    static const struct {
        const char *column;
        uint64_t value;
        const char *name;
    } names[] = {
        {"port", 0xfffffffe, "local"},
        {"in_port", 0xfffffffe, "local"},
        {"in_port", 0xfffffffd, "controller"},
        {"output", 0xfffffff8, "in-port"},
        {"output", 0xfffffff9, "table"},
        {"output", 0xfffffffa, "normal"},
        {"output", 0xfffffffb, "flood"},
        {"output", 0xfffffffc, "all"},
        {"output", 0xfffffffd, "controller"},
        {"output", 0xfffffffe, "local"},
        {"output", 0xffffffff, "none"},
        {"eth_type", 0x0800, "ip"},
        {"eth_type", 0x0806, "arp"},
        {"eth_type", 0x86dd, "ip6"},
        {"eth_type", 0x88cc, "lldp"},
        {"ip_proto", 1, "icmp"},
        {"ip_proto", 6, "tcp"},
        {"ip_proto", 17, "udp"},
        {"ip_proto", 58, "icmp6"},
        {"ip_proto", 132, "sctp"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].value == value && !strcmp(names[i].column, column))
            return names[i].name;
    }
    return NULL;
}

void
cell_text(enum sb_table_id id, const struct sb_column *column, const void *row, char ret[CELL_MAX])
{
    uint64_t value = column_number(column, row);
    const char *name;

    ret[0] = 0;
    if (id == SB_T_flow && !match_counts(column, row))
        return;
    switch (column->format) {
    case SB_DEC:
        name = number_name(column->name, value);
        if (name)
            snprintf(ret, CELL_MAX, "%s", name);
        else if (!strcmp(column->name, "eth_type") && value)
            snprintf(ret, CELL_MAX, "0x%04" PRIx64, value);
        else if (!strcmp(column->unit, "ns") && !column->is_signed && value > 100000000 * SB_SECOND)
            clock_text(value, ret); /* since 1973: no duration is that long */
        else if (!strcmp(column->unit, "ns") && (column->is_signed || value))
            duration_text((int64_t)value, ret);
        else if (value || (strcmp(column->unit, "ns") != 0 && strcmp(column->name, "vlan") != 0 &&
                           strcmp(column->name, "vni") != 0 && strcmp(column->name, "group") != 0 &&
                           strcmp(column->name, "eth_type") != 0))
            sb_column_text(column, row, ret, CELL_MAX);
        break;
    case SB_HEX16:
        if (value || (column->is_key && strcmp(column->name, "path_id") != 0))
            sb_column_text(column, row, ret, CELL_MAX);
        break;
    case SB_MAC:
        if (value)
            sb_column_text(column, row, ret, CELL_MAX);
        break;
    case SB_BOOL:
        snprintf(ret, CELL_MAX, "%s", value ? "yes" : "no");
        break;
    default:
        sb_column_text(column, row, ret, CELL_MAX);
        break;
    }
    /* Text comes from peers: only what has one column on every terminal. */
    for (char *p = ret; *p; p++) {
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    }
}

/* ---- which columns ---- */

static const struct sb_column *
column_by_name(const struct sb_table_info *info, const char *name, size_t len)
{
    for (unsigned i = 0; i < info->n_columns; i++) {
        const struct sb_column *column = &info->columns[i];

        if (strlen(column->name) == len && !memcmp(column->name, name, len))
            return column;
    }
    return NULL;
}

unsigned
text_columns(enum sb_table_id id, bool wide, struct text_column *ret)
{
    /* "column" or "column=heading", what people look for first in front: what does not fit into the
     * line is left out from the end; --wide shows all there is. One marked "!" is what the table is
     * for, and has its room before the others, wherever it stands. */
    static const char *const chosen[SB_T_COUNT] = {
        [SB_T_switch] = "dpid name state address n_ports=ports packet_ins dropped rr_counter=rr "
                        "connected_ns=connected",
        [SB_T_port] = "dpid port name type up rx_packets=rx tx_packets=tx rx_dropped tx_dropped "
                      "rx_bytes tx_bytes mac speed_kbps=kbit/s changed_ns=changed",
        [SB_T_link] = "dpid_a port_a dpid_b port_b state! tree latency_ns=latency flaps "
                      "changed_ns=changed",
        [SB_T_host] = "mac ip dpid port vlan ip6 moves last_ns=last",
        [SB_T_flow] = "dpid in_port=in eth_src eth_dst ip_src ip_dst ip_proto=proto l4_src l4_dst "
                      "output=out group state priority=prio policy eth_type vlan "
                      "idle_timeout=idle hard_timeout=hard cookie",
        [SB_T_group] = "dpid group type buckets user state packets bytes t_sent=sent "
                       "t_barrier=barrier n_buckets",
        [SB_T_installed] = "dpid priority=prio in_port=in eth_src eth_dst output=out kind! packets "
                           "bytes since_ns=since cookie eth_type more idle_timeout=idle "
                           "hard_timeout=hard group table",
        [SB_T_flow_table] = "dpid table flows lookups matched",
        [SB_T_decision] = "t dpid kind in_port=in output=out eth_dst eth_src policy ip_dst ip_src "
                          "eth_type",
        [SB_T_agent] = "name self alive ip ip6 mac probe_port=port interval_ns=interval "
                       "last_ns=last",
        [SB_T_latency] = "peer path_id=path family=ip window_s=win sent lost rtt_min_ns=min "
                         "rtt_p50_ns=p50 rtt_p99_ns=p99 rtt_max_ns=max method late start_ns=start",
        [SB_T_sample] = "t1=sent peer_id path_id=path seq state rtt_ns=rtt! method family=ip",
        [SB_T_observed] = "ip_a port_a ip_b port_b ip_proto=proto packets_ab=a>b packets_ba=b>a "
                          "verdict tcp_state=tcp fct_ns=fct points eth_type vlan vni",
        [SB_T_counter] = "thread counter value changed_ns=changed",
        [SB_T_service] = "service pid state restarts started_ns=started",
        [SB_T_verdict] = "check subject result! good bad reason last_ns=last",
        [SB_T_event] = "t severity text! kind dpid port",
    };
    const struct sb_table_info *info = sb_table_info(id);
    const char *names = wide ? NULL : chosen[id];
    unsigned n = 0;

    for (unsigned i = 0; !names && i < info->n_columns && n < SB_COLUMNS_MAX; i++) {
        ret[n].column = &info->columns[i];
        ret[n].first = false;
        snprintf(ret[n].heading, sizeof ret[n].heading, "%s", info->columns[i].name);
        n++;
    }
    for (; names && *names && n < SB_COLUMNS_MAX; names += strspn(names, " ")) {
        size_t len = strcspn(names, " "), name = strcspn(names, " =!");
        size_t from = names[name] == '=' ? name + 1 : 0;

        ret[n].column = column_by_name(info, names, name);
        ret[n].first = names[len - 1] == '!';
        snprintf(ret[n].heading, sizeof ret[n].heading, "%.*s", (int)(len - from - ret[n].first),
                 names + from);
        n += ret[n].column != NULL;
        names += len;
    }
    return n;
}

size_t
text_width(void)
{
    struct winsize size;

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    return 80;
}

/* ---- aligned tables ---- */

struct grid_cell {
    char *text; /* owned */
    bool right; /* numbers: aligned at the right */
};

struct grid {
    struct grid_cell *cells; /* owned; row after row */
    size_t n, room;          /* cells used, allocated */
    unsigned n_columns;
    unsigned first; /* column that has its room before the others; n_columns: none */
};

struct grid *
grid_new(unsigned n_columns)
{
    struct grid *grid = calloc(1, sizeof *grid);

    if (grid)
        grid->n_columns = grid->first = n_columns;
    return grid;
}

void
grid_free(struct grid **grid)
{
    if (!*grid)
        return;
    for (size_t i = 0; i < (*grid)->n; i++)
        free((*grid)->cells[i].text);
    free((*grid)->cells);
    free(*grid);
    *grid = NULL;
}

void
grid_first(struct grid *grid, unsigned column)
{
    grid->first = column;
}

bool
grid_add(struct grid *grid, const char *text, bool right)
{
    if (grid->n == grid->room) {
        size_t room = grid->room ? grid->room * 2 : 64;
        struct grid_cell *cells = realloc(grid->cells, room * sizeof *cells);

        if (!cells)
            return false;
        grid->cells = cells;
        grid->room = room;
    }
    grid->cells[grid->n].text = strdup(text);
    grid->cells[grid->n].right = right;
    return grid->cells[grid->n++].text;
}

/* Width of each column, 0 for one that is not shown: blank in all rows, or does not fit any more.
 */
static void
grid_fit(const struct grid *grid, size_t limit, size_t *width)
{
    unsigned first = grid->first;
    size_t used = 0, whole = 0, reserved = 0;

    for (size_t i = grid->n_columns; i < grid->n; i++) {
        size_t len = strlen(grid->cells[i].text), column = i % grid->n_columns;

        if (len > width[column])
            width[column] = len;
    }
    if (limit && first < grid->n_columns && width[first]) {
        whole = width[first];
        if (width[first] > limit * FIRST_SHARE / 100)
            width[first] = limit * FIRST_SHARE / 100;
        reserved = 2 + width[first];
    }
    for (unsigned i = 0; i < grid->n_columns; i++) {
        size_t heading = strlen(grid->cells[i].text), gap = used ? 2 : 0;

        if (!width[i])
            continue;
        if (heading > width[i])
            width[i] = heading;
        if (i == first)
            reserved = 0;
        else if (limit && used + gap + width[i] + reserved > limit && reserved) {
            width[i] = 0;
            continue;
        }
        if (limit && used + gap + width[i] > limit) {
            /* A long text is cut rather than left out; half a number or address would be wrong. */
            if (width[i] <= TEXT_CUT || used + gap + TEXT_CUT > limit) {
                width[i] = 0;
                continue;
            }
            width[i] = limit - used - gap;
        }
        used += gap + width[i];
    }
    if (whole && width[first] && whole > width[first] && used < limit)
        width[first] += whole - width[first] < limit - used ? whole - width[first] : limit - used;
}

void
grid_print(const struct grid *grid, size_t limit)
{
    size_t *width = calloc(grid->n_columns, sizeof *width);
    const char *left_out = "left out:";

    if (!width)
        return;
    grid_fit(grid, limit, width);
    for (size_t row = 0; row + grid->n_columns <= grid->n; row += grid->n_columns) {
        size_t gap = 0; /* blanks due before the next text; a line does not end with blanks */

        for (unsigned column = 0; column < grid->n_columns; column++) {
            const struct grid_cell *cell = &grid->cells[row + column];
            size_t len = strlen(cell->text);
            bool cut = len > width[column];
            size_t pad = cut ? 0 : width[column] - len;

            if (!width[column])
                continue;
            if (!len) {
                gap += width[column] + 2;
                continue;
            }
            printf("%*s%.*s%s", (int)(gap + (cell->right ? pad : 0)), "",
                   (int)(cut ? width[column] - 1 : len), cell->text, cut ? "~" : "");
            gap = (cell->right ? 0 : pad) + 2;
        }
        putchar('\n');
    }
    fflush(stdout);
    for (unsigned column = 0; column < grid->n_columns; column++) {
        bool full = false;

        for (size_t i = grid->n_columns + column; i < grid->n && !full; i += grid->n_columns)
            full = grid->cells[i].text[0];
        if (width[column] || !full)
            continue;
        fprintf(stderr, "%s %s", left_out, grid->cells[column].text);
        left_out = "";
    }
    if (!*left_out)
        fputs("; --wide shows all\n", stderr);
    free(width);
}
