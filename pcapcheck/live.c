/* SPDX-License-Identifier: Apache-2.0
 *
 * live.c - libpcap handles on the switch ports of this network namespace.
 *
 * One handle a point and direction, because pcap gives no direction of a packet: always what the
 * switch sends, and at ports that are no links what it receives. On a veth end in this namespace
 * the kernel's "out" is what the switch sends. On a TAP (internal ports of the userspace datapath)
 * and on an internal port of the kernel datapath it is what the host sends, so the directions are
 * reversed there.
 *
 * All rings together stay within one budget. Handles follow the port table; an interface that goes
 * away or down closes its handle, and is tried again each second. One thread, no allocation while
 * packets are read.
 */
#include "pcapcheck.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDLES_MAX 4096
#define BATCH 512
#define BLOCK_TIMEOUT_MS 20 /* the kernel hands over a ring block at the latest after this */
#define RING_MIN (UINT64_C(512) << 10)
#define RING_MAX (UINT64_C(32) << 20)
#define RETRY_NS SB_SECOND
#define OPEN_MAX 1 /* handles opened in one turn: each takes the kernel some 10 ms and more */

struct handle {
    pcap_t *pcap; /* owned; NULL: free slot */
    uint32_t point;
    uint8_t direction;
    bool backlog; /* the last batch was full */
    int linktype;
    uint64_t ring;    /* bytes */
    uint64_t last_ns; /* stamp of the newest packet read */
    uint64_t opened_ns;
    uint32_t drops;       /* as the kernel counts for this handle */
    struct pc_live *live; /* borrowed: for the callback */
};

struct pc_live {
    struct pc_engine *e; /* borrowed */
    uint64_t budget, used;
    uint32_t snaplen;
    int epoll;
    bool limited;          /* only what was given by hand */
    uint8_t *chosen;       /* owned; by point: given by hand */
    uint64_t *retry_ns;    /* owned; by point: not tried again before */
    struct handle *handle; /* owned */
    uint32_t n_handles, n_backlog;
    uint64_t stats_ns, version, followed_ns;
    bool following;      /* pc_live_follow() was not done in the last turn ... */
    uint32_t next_point; /* ... and goes on here */
    unsigned opened;     /* handles, in this turn */
    void (*event)(void *arg, uint32_t point, const char *text); /* during pc_live_follow() */
    void *event_arg;
};

static void
list_interfaces(char *ret, size_t size)
{
    struct if_nameindex *all = if_nameindex();
    size_t n = 0;

    ret[0] = '\0';
    for (struct if_nameindex *i = all; i && i->if_name && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? " " : "", i->if_name);
    if (all)
        if_freenameindex(all);
}

int
pc_live_open(struct pc_live **ret, struct pc_engine *e, const struct pc_live_config *config,
             char *message)
{
    struct pc_live *l = calloc(1, sizeof *l);

    if (!l)
        goto memory;
    l->e = e;
    l->budget = config->buffer;
    l->snaplen = config->snaplen;
    l->epoll = config->epoll;
    l->limited = config->n_only > 0;
    l->chosen = calloc(PC_POINTS_MAX, 1);
    l->retry_ns = calloc(PC_POINTS_MAX, sizeof *l->retry_ns);
    l->handle = calloc(HANDLES_MAX, sizeof *l->handle);
    if (!l->chosen || !l->retry_ns || !l->handle)
        goto memory;
    for (unsigned i = 0; i < config->n_only; i++) {
        char names[160];
        uint32_t point;

        if (!if_nametoindex(config->only[i])) {
            list_interfaces(names, sizeof names);
            snprintf(message, 256, "no interface %.15s here; there are: %s", config->only[i],
                     names);
            pc_live_close(&l);
            return -1;
        }
        point = pc_point_add(&e->net.points, config->only[i]);
        if (point != PC_NONE)
            l->chosen[point] = 1;
    }
    *ret = l;
    return 0;
memory:
    snprintf(message, 256, "no memory");
    pc_live_close(&l);
    return -1;
}

/* ---- one handle ---------------------------------------------------------------------- */

static void
count_drops(struct pc_live *l, struct handle *h, uint64_t now)
{
    struct pc_tap *tap = &l->e->net.points.point[h->point].tap[h->direction];
    struct pcap_stat stat;

    if (pcap_stats(h->pcap, &stat) || stat.ps_drop == h->drops)
        return;
    tap->drops += stat.ps_drop - h->drops;
    tap->drop_ns = now;
    h->drops = stat.ps_drop;
}

static void
close_handle(struct pc_live *l, struct handle *h, uint64_t now)
{
    count_drops(l, h, now);
    l->e->net.points.point[h->point].tap[h->direction].since_ns = 0;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, pcap_get_selectable_fd(h->pcap), NULL);
    pcap_close(h->pcap);
    l->used -= h->ring;
    l->n_backlog -= h->backlog;
    l->n_handles--;
    h->pcap = NULL;
}

void
pc_live_close(struct pc_live **live)
{
    struct pc_live *l = *live;

    if (!l)
        return;
    for (uint32_t i = 0; l->handle && i < HANDLES_MAX; i++)
        if (l->handle[i].pcap)
            close_handle(l, &l->handle[i], sb_now());
    free(l->chosen);
    free(l->retry_ns);
    free(l->handle);
    free(l);
    *live = NULL;
}

/* On these the host is inside: what it sends, the switch receives. */
static bool
reversed(const char *interface)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq ifr = {.ifr_data = (void *)&info};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool answer = false;

    if (fd < 0)
        return false;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", interface);
    if (ioctl(fd, SIOCETHTOOL, &ifr) == 0)
        answer = strcmp(info.driver, "tun") == 0 || strcmp(info.driver, "openvswitch") == 0;
    close(fd);
    return answer;
}

/* Asked before a handle is made: to find out by binding it costs a ring and its grace periods. */
static bool
is_up(const char *interface)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = true;

    if (fd < 0)
        return true;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", interface);
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
        up = ifr.ifr_flags & IFF_UP;
    close(fd);
    return up;
}

/* A share of the budget that leaves room for those that come later; 0: none left. */
static uint64_t
ring_size(const struct pc_live *l)
{
    uint64_t share = 16, size;

    while (share < 2ull * l->n_handles)
        share *= 2;
    size = l->budget / share;
    if (size > (l->budget - l->used) / 2)
        size = (l->budget - l->used) / 2;
    if (size > RING_MAX)
        size = RING_MAX;
    return size < RING_MIN ? (l->budget - l->used >= RING_MIN ? RING_MIN : 0) : size;
}

static bool
open_handle(struct pc_live *l, uint32_t point, unsigned direction, uint64_t now)
{
    struct pc_point *p = &l->e->net.points.point[point];
    char error[PCAP_ERRBUF_SIZE] = "";
    struct epoll_event event = {.events = EPOLLIN};
    struct handle *h = NULL;
    uint32_t slot;
    bool out;
    int result;

    for (slot = 0; slot < HANDLES_MAX && l->handle[slot].pcap;)
        slot++;
    if (slot == HANDLES_MAX || !ring_size(l)) {
        snprintf(p->why, sizeof p->why, "the capture buffer (pcapcheck.buffer-mib) is used up");
        return false;
    }
    if (!if_nametoindex(p->name)) {
        snprintf(p->why, sizeof p->why,
                 "no such interface here (a patch port, or in another namespace)");
        return false;
    }
    if (!is_up(p->name)) {
        snprintf(p->why, sizeof p->why, "the interface is down");
        return false;
    }
    h = &l->handle[slot];
    *h = (struct handle){.point = point,
                         .direction = (uint8_t)direction,
                         .ring = ring_size(l),
                         .last_ns = now,
                         .live = l};
    h->pcap = pcap_create(p->name, error);
    if (!h->pcap) {
        snprintf(p->why, sizeof p->why, "%.90s", error);
        return false;
    }
    pcap_set_snaplen(h->pcap, (int)l->snaplen);
    pcap_set_promisc(h->pcap, 0); /* virtual ports get all frames anyway */
    pcap_set_timeout(h->pcap, BLOCK_TIMEOUT_MS);
    pcap_set_buffer_size(h->pcap, (int)h->ring);
    pcap_set_tstamp_precision(h->pcap, PCAP_TSTAMP_PRECISION_NANO);
    result = pcap_activate(h->pcap);
    out = (direction == PC_OUT) != reversed(p->name);
    if (result >= 0 && pcap_setdirection(h->pcap, out ? PCAP_D_OUT : PCAP_D_IN) < 0)
        result = PCAP_ERROR;
    if (result >= 0 && pcap_setnonblock(h->pcap, 1, error) < 0)
        result = PCAP_ERROR;
    if (result < 0) {
        const char *detail = pcap_geterr(h->pcap);

        snprintf(p->why, sizeof p->why, "%.40s%s%.50s", pcap_statustostr(result),
                 *detail ? ": " : "", detail);
        pcap_close(h->pcap);
        h->pcap = NULL;
        return false;
    }
    h->linktype = pcap_datalink(h->pcap);
    event.data.u64 = PC_LIVE_TAG | slot;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, pcap_get_selectable_fd(h->pcap), &event)) {
        snprintf(p->why, sizeof p->why, "epoll: %.60s", strerror(errno));
        pcap_close(h->pcap);
        h->pcap = NULL;
        return false;
    }
    h->opened_ns = sb_now();
    p->tap[direction].since_ns = h->opened_ns;
    p->why[0] = '\0';
    l->used += h->ring;
    l->n_handles++;
    return true;
}

/* ---- following the port table ---------------------------------------------------------- */

static struct handle *
handle_of(struct pc_live *l, uint32_t point, unsigned direction)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++)
        if (l->handle[i].pcap && l->handle[i].point == point && l->handle[i].direction == direction)
            return &l->handle[i];
    return NULL;
}

/* False when there is more to do for this point in the next turn. */
static bool
follow_point(struct pc_live *l, uint32_t i, uint64_t now)
{
    struct pc_point *p = &l->e->net.points.point[i];
    bool wanted = l->limited ? l->chosen[i] : (p->mapped || l->chosen[i]) && !p->gone;
    bool changed = false, failed = false;
    char before[sizeof p->why];

    memcpy(before, p->why, sizeof before);
    for (unsigned d = 0; d < PC_DIRECTIONS; d++) {
        bool want = wanted && (d == PC_OUT || p->type != SB_port_type_LINK);

        if (want && !p->tap[d].since_ns && now >= l->retry_ns[i]) {
            if (l->opened >= OPEN_MAX)
                return false;
            if (open_handle(l, i, d, now)) {
                changed = true;
                l->opened++;
            } else {
                failed = true;
            }
        } else if (!want && p->tap[d].since_ns) {
            struct handle *h = handle_of(l, i, d);

            if (h)
                close_handle(l, h, now);
        }
    }
    if (failed)
        l->retry_ns[i] = now + RETRY_NS;
    if (!wanted && p->mapped && !p->gone && l->limited)
        snprintf(p->why, sizeof p->why, "not among the interfaces given");
    if (l->event && (changed || strncmp(before, p->why, sizeof before) != 0))
        l->event(l->event_arg, i, p->why[0] ? p->why : "captured");
    return true;
}

bool
pc_live_follow(struct pc_live *l, void (*event)(void *arg, uint32_t point, const char *text),
               void *arg)
{
    uint64_t now = sb_now();

    if (!l->following) {
        /* Each second anyway: interfaces come and go without a change of the port table. */
        if (l->version == l->e->net.points_version && l->followed_ns &&
            now < l->followed_ns + RETRY_NS)
            return true;
        l->version = l->e->net.points_version;
        l->followed_ns = now;
        l->next_point = 0;
    }
    l->event = event;
    l->event_arg = arg;
    l->opened = 0;
    while (l->next_point < l->e->net.points.n && follow_point(l, l->next_point, now))
        l->next_point++;
    l->event = NULL;
    l->following = l->next_point < l->e->net.points.n;
    return !l->following;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void
on_packet(u_char *arg, const struct pcap_pkthdr *header, const u_char *data)
{
    struct handle *h = (struct handle *)(void *)arg;
    /* With nanosecond precision tv_usec holds nanoseconds. */
    uint64_t t = (uint64_t)header->ts.tv_sec * SB_SECOND + (uint64_t)header->ts.tv_usec;

    h->last_ns = t;
    if (t < h->opened_ns)
        return; /* from before the direction was set */
    pc_engine_packet(h->live->e, h->point, h->direction, t, data, header->caplen, header->len,
                     h->linktype);
}

void
pc_live_read(struct pc_live *l, uint32_t slot, uint64_t now)
{
    struct handle *h;
    bool full;
    int n;

    if (slot >= HANDLES_MAX || !l->handle[slot].pcap)
        return; /* closed in this turn */
    h = &l->handle[slot];
    n = pcap_dispatch(h->pcap, BATCH, on_packet, (u_char *)h);
    if (n < 0) {
        struct pc_point *p = &l->e->net.points.point[h->point];

        snprintf(p->why, sizeof p->why, "%.90s", pcap_geterr(h->pcap));
        l->retry_ns[h->point] = now + RETRY_NS;
        close_handle(l, h, now);
        return;
    }
    full = n >= BATCH;
    l->n_backlog += (uint32_t)full - (uint32_t)h->backlog;
    h->backlog = full;
}

void
pc_live_poll(struct pc_live *l, uint64_t now)
{
    bool stats = now >= l->stats_ns + SB_SECOND;

    if (!stats && !l->n_backlog)
        return;
    if (stats)
        l->stats_ns = now;
    for (uint32_t i = 0; i < HANDLES_MAX; i++) {
        if (!l->handle[i].pcap)
            continue;
        if (l->handle[i].backlog)
            pc_live_read(l, i, now);
        if (stats && l->handle[i].pcap)
            count_drops(l, &l->handle[i], now);
    }
}

bool
pc_live_backlog(const struct pc_live *l)
{
    return l->n_backlog > 0;
}

uint64_t
pc_live_watermark(const struct pc_live *l, uint64_t now)
{
    uint64_t watermark = now - PC_LAG_NS;

    if (l->n_backlog)
        for (uint32_t i = 0; i < HANDLES_MAX; i++)
            if (l->handle[i].pcap && l->handle[i].backlog && l->handle[i].last_ns < watermark)
                watermark = l->handle[i].last_ns;
    return watermark;
}

void
pc_live_drain(struct pc_live *l, uint64_t now)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++) {
        /* Bounded: what arrives after now is not waited for. */
        do {
            if (!l->handle[i].pcap)
                break;
            pc_live_read(l, i, now);
        } while (l->handle[i].pcap && l->handle[i].backlog && l->handle[i].last_ns < now);
        if (l->handle[i].pcap)
            count_drops(l, &l->handle[i], now);
    }
}

unsigned
pc_live_handles(const struct pc_live *l)
{
    return l->n_handles;
}
