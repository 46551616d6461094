/* SPDX-License-Identifier: Apache-2.0
 *
 * points.c - the table of capture points: switch ports, and interfaces given by hand or by a file.
 *
 * Points are never removed, only marked gone: flows and journeys refer to them by index. One
 * thread.
 */
#include "pcapcheck.h"

struct port_key {
    uint64_t dpid, port;
};

static uint64_t
hash_name(const char *name)
{
    return pc_hash(0, name, strnlen(name, sizeof((struct pc_point *)0)->name));
}

static uint64_t
hash_port(uint64_t dpid, uint32_t port)
{
    struct port_key key = {dpid, port};

    return pc_hash(0, &key, sizeof key);
}

int
pc_points_init(struct pc_points *points)
{
    memset(points, 0, sizeof *points);
    points->point = calloc(PC_POINTS_MAX, sizeof *points->point);
    if (!points->point || pc_index_init(&points->by_name, PC_POINTS_MAX) ||
        pc_index_init(&points->by_port, PC_POINTS_MAX)) {
        pc_points_free(points);
        return -1;
    }
    return 0;
}

void
pc_points_free(struct pc_points *points)
{
    free(points->point);
    pc_index_free(&points->by_name);
    pc_index_free(&points->by_port);
    memset(points, 0, sizeof *points);
}

uint32_t
pc_point_by_name(const struct pc_points *points, const char *name)
{
    uint32_t i = pc_index_first(&points->by_name, hash_name(name));

    while (i != PC_NONE && strncmp(points->point[i].name, name, sizeof points->point[i].name) != 0)
        i = points->by_name.next[i];
    return i;
}

uint32_t
pc_point_by_port(const struct pc_points *points, uint64_t dpid, uint32_t port)
{
    uint32_t i = pc_index_first(&points->by_port, hash_port(dpid, port));

    while (i != PC_NONE && (points->point[i].dpid != dpid || points->point[i].port != port))
        i = points->by_port.next[i];
    return i;
}

uint32_t
pc_point_add(struct pc_points *points, const char *name)
{
    uint32_t i = *name ? pc_point_by_name(points, name) : PC_NONE;
    struct pc_point *p;

    if (i != PC_NONE)
        return i;
    if (points->n == PC_POINTS_MAX)
        return PC_NONE;
    i = points->n++;
    p = &points->point[i];
    memset(p, 0, sizeof *p);
    memcpy(p->name, name, strnlen(name, sizeof p->name - 1));
    p->peer = PC_NONE;
    p->up = 1;
    pc_index_add(&points->by_name, hash_name(p->name), i);
    return i;
}

uint32_t
pc_point_put(struct pc_points *points, const struct sb_port *row, bool gone)
{
    uint32_t i = pc_point_by_port(points, row->dpid, row->port);
    char name[sizeof row->name + 1] = "";
    struct pc_point *p;

    memcpy(name, row->name, sizeof row->name);
    if (i != PC_NONE && strncmp(points->point[i].name, name, sizeof row->name - 1) != 0) {
        /* Another interface under the same number: the old point is gone. */
        pc_index_remove(&points->by_port, hash_port(row->dpid, row->port), i);
        points->point[i].mapped = 0;
        points->point[i].gone = 1;
        i = PC_NONE;
    }
    if (i == PC_NONE) {
        if (gone)
            return PC_NONE;
        i = pc_point_add(points, name);
        if (i == PC_NONE)
            return PC_NONE;
        p = &points->point[i];
        if (p->mapped) /* the interface moved to another port */
            pc_index_remove(&points->by_port, hash_port(p->dpid, p->port), i);
        p->dpid = row->dpid;
        p->port = row->port;
        p->mapped = 1;
        pc_index_add(&points->by_port, hash_port(p->dpid, p->port), i);
    }
    p = &points->point[i];
    p->gone = gone;
    p->type = row->type;
    p->up = row->up && !gone;
    p->changed_ns = row->changed_ns;
    return i;
}

const char *
pc_point_text(const struct pc_point *point, char *buf, size_t size)
{
    if (point->name[0])
        snprintf(buf, size, "%.16s", point->name);
    else
        snprintf(buf, size, "%llx:%u", (unsigned long long)point->dpid, point->port);
    return buf;
}
