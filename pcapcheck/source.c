/* SPDX-License-Identifier: Apache-2.0
 *
 * source.c - a run over capture files, and the views of the flow table: that of this process, or
 * that of a checker which runs already (read from the bus, so it needs no privilege).
 */
#include "app.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <trivet/log.h>
#include <trivet/statebus.h>
#include <unistd.h>

#define ROWS_MAX 512 /* shown at most; the table may hold more */

/* ---- files ------------------------------------------------------------------------------- */

struct source {
    struct pc_reader *reader; /* owned; NULL at its end */
    struct pc_record record;
    uint32_t point[PC_INTERFACES_MAX]; /* of each interface of the file */
    uint32_t n_points;
    bool warned; /* of a link type that is not dissected */
};

static bool
known_link(int linktype)
{
    return linktype == PC_LINK_ETHERNET || linktype == PC_LINK_RAW || linktype == PC_LINK_SLL ||
           linktype == PC_LINK_SLL2;
}

/* Every interface of a file is watched, also one that saw nothing. */
static void
know_interfaces(struct app *app, struct source *s)
{
    struct pc_points *points = &app->engine->net.points;

    for (; s->n_points < pc_reader_interfaces(s->reader); s->n_points++) {
        uint32_t i = pc_point_add(points, pc_reader_interface(s->reader, s->n_points));

        s->point[s->n_points] = i;
        if (i == PC_NONE)
            continue;
        points->point[i].tap[PC_IN].since_ns = points->point[i].tap[PC_OUT].since_ns = 1;
        points->point[i].why[0] = '\0';
    }
}

static void
fetch(struct app *app, struct source *s, const char *path, bool *damaged)
{
    char message[256];
    int n = pc_reader_next(s->reader, &s->record, message);

    know_interfaces(app, s);
    if (n < 0) {
        sb_error("%s: %s; what was before it is judged", path, message);
        *damaged = true;
    }
    if (n != 1)
        pc_reader_close(&s->reader);
}

static void
feed(struct app *app, struct source *s)
{
    struct pc_record *r = &s->record;
    uint32_t point = r->interface < s->n_points ? s->point[r->interface] : PC_NONE;

    if (!known_link(r->linktype) && !s->warned) {
        s->warned = true;
        sb_warning("%s: link type %d is not dissected, its packets are counted as malformed",
                   pc_reader_interface(s->reader, r->interface), r->linktype);
    }
    if (point == PC_NONE)
        return; /* more interfaces than points */
    pc_engine_packet(app->engine, point, r->direction, r->t_ns, r->data, r->cap, r->len,
                     r->linktype);
    /* Interfaces of one file are written almost in order; journeys wait longer than that. */
    pc_engine_advance(app->engine, r->t_ns > PC_LAG_NS ? r->t_ns - PC_LAG_NS : 0);
}

int
app_run_files(struct app *app)
{
    struct source *sources = calloc(app->n_files, sizeof *sources);
    struct pc_points *points = &app->engine->net.points;
    char message[256];
    bool damaged = false;
    int result = 2;

    if (!sources) {
        sb_error("no memory");
        return 2;
    }
    for (uint32_t i = 0; i < points->n; i++)
        snprintf(points->point[i].why, sizeof points->point[i].why, "not in the files");
    for (unsigned i = 0; i < app->n_files; i++) {
        if (pc_reader_open(&sources[i].reader, app->files[i], message)) {
            sb_error("%s: %s", app->files[i], message);
            goto out;
        }
        fetch(app, &sources[i], app->files[i], &damaged);
    }
    for (;;) {
        struct source *first = NULL;

        for (unsigned i = 0; i < app->n_files; i++)
            if (sources[i].reader && (!first || sources[i].record.t_ns < first->record.t_ns))
                first = &sources[i];
        if (!first)
            break;
        feed(app, first);
        fetch(app, first, app->files[first - sources], &damaged);
    }
    pc_engine_advance(app->engine, UINT64_MAX);
    result = damaged ? 2 : 0;
out:
    for (unsigned i = 0; i < app->n_files; i++)
        pc_reader_close(&sources[i].reader);
    free(sources);
    return result;
}

/* ---- views --------------------------------------------------------------------------------- */

static void
draw(struct app *app, const struct pc_net *net, const struct sb_observed *rows, size_t n,
     const char *status, bool last)
{
    bool tty = isatty(STDOUT_FILENO);
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char *text = NULL;
    size_t length = 0;
    FILE *f;

    (void)app;
    if (!tty && !last)
        return;
    if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && !size.ws_row)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    f = open_memstream(&text, &length);
    if (!f)
        return;
    pc_view_table(f, net, rows, n, size.ws_col, tty && !app->once ? size.ws_row : 2 * ROWS_MAX + 5,
                  status);
    if (fclose(f) == 0) {
        if (tty && !app->once)
            fputs("\033[H\033[J", stdout);
        fwrite(text, 1, length, stdout);
        fflush(stdout);
    }
    free(text);
}

void
app_show_own(struct app *app, bool last)
{
    struct pc_engine *e = app->engine;
    struct sb_observed *rows = calloc(ROWS_MAX, sizeof *rows);
    char status[160], at[20];
    struct pc_summary s;
    uint64_t drops = 0;
    size_t n = 0;

    if (!rows)
        return;
    for (uint32_t i = e->flows.newest; i != PC_NONE && n < ROWS_MAX; i = e->flows.more[i].older) {
        if (app->json && !last && e->flows.flow[i].last_ns < app->shown_ns)
            break;
        pc_flow_row(&e->flows, &e->net, i, &rows[n++]);
    }
    for (uint32_t i = 0; i < e->net.points.n; i++)
        drops += e->net.points.point[i].tap[0].drops + e->net.points.point[i].tap[1].drops;
    if (app->json) {
        if (last || !app->once)
            for (size_t i = n; i-- > 0;)
                if (!last || app->once || !app->shown_ns || rows[i].last_ns >= app->shown_ns)
                    pc_view_json(stdout, &e->net, &rows[i]);
        fflush(stdout);
        app->shown_ns = sb_now() - SB_SECOND;
    } else {
        pc_summarise(e, &s);
        snprintf(status, sizeof status, "%.8s  %u flows  %u pass  %u fail  %u drops  %u handles",
                 pc_time_text(sb_now(), at, sizeof at), e->flows.n, s.n[SB_verdict_result_PASS],
                 s.n[SB_verdict_result_FAIL], (unsigned)drops,
                 app->live ? pc_live_handles(app->live) : 0);
        draw(app, &e->net, rows, n, status, last);
    }
    free(rows);
}

static int
newest_first(const void *a, const void *b)
{
    const struct sb_observed *x = a, *y = b;

    return x->last_ns > y->last_ns ? -1 : x->last_ns < y->last_ns;
}

/* What another checker published, once. */
static void
show_other(struct app *app, struct sb_reader *reader, const struct pc_net *net, bool last)
{
    struct sb_observed *rows = NULL, row;
    struct sb_segment_info info;
    size_t n = 0, room = 0;
    uint64_t cursor = 0, newest = app->shown_ns;
    char status[120], at[20];
    int got;

    while ((got = sb_read(reader, SB_T_observed, &cursor, &row)) > 0 || got == SB_EBUSY) {
        if (got == SB_EBUSY)
            continue;
        if (n == room) {
            struct sb_observed *more = realloc(rows, (room = room ? room * 2 : 256) * sizeof row);

            if (!more)
                break;
            rows = more;
        }
        rows[n++] = row;
    }
    if (n)
        qsort(rows, n, sizeof *rows, newest_first);
    if (app->json) {
        for (size_t i = n; i-- > 0;)
            if (rows[i].last_ns > app->shown_ns) {
                pc_view_json(stdout, net, &rows[i]);
                newest = rows[i].last_ns > newest ? rows[i].last_ns : newest;
            }
        fflush(stdout);
        app->shown_ns = newest;
    } else {
        bool known = sb_reader_info(reader, &info) == SB_OK;

        snprintf(status, sizeof status, "%.8s  %zu flows  checker %s",
                 pc_time_text(sb_now(), at, sizeof at), n,
                 known ? sb_liveness_text(info.liveness) : "unknown");
        draw(app, net, rows, n, status, last);
    }
    free(rows);
}

static void
on_change(void *arg, const struct sb_change *change)
{
    pc_net_change(arg, change->table, change->row, change->old, sb_now());
}

bool
app_view_other(struct app *app, int *ret_code)
{
    const uint64_t tables = UINT64_C(1) << SB_T_port | UINT64_C(1) << SB_T_flow;
    struct sb_reader *reader = NULL;
    struct sb_subscriber *subscriber = NULL;
    struct sb_segment_info info;
    struct epoll_event event = {.events = EPOLLIN};
    struct pc_net net = {0};
    char message[SB_MESSAGE_MAX];
    uint64_t end, shown = 0, now, start = sb_now();
    int error = sb_reader_open(&reader, app->common.instance, "pcapcheck", message);

    if (error == SB_ESYS && errno == EACCES) {
        /* Who may not read the table may hardly capture: an empty view would say "no flows". */
        sb_error("bus: %s", message);
        *ret_code = 1;
        return true;
    }
    if (error)
        return false;
    if (sb_reader_info(reader, &info) || info.liveness != SB_ALIVE || pc_net_init(&net)) {
        sb_reader_close(&reader);
        return false;
    }
    *ret_code = 0;
    if (sb_subscribe(&subscriber, app->common.instance, "controller", tables, on_change, &net,
                     message)) {
        sb_error("bus: %s", message);
        *ret_code = 1;
        goto out;
    }
    epoll_ctl(app->epoll, EPOLL_CTL_ADD, sb_subscriber_fd(subscriber), &event);
    now = sb_now();
    end = app->for_ns ? now + app->for_ns : UINT64_MAX;
    while (now < end) {
        int ms = sb_subscriber_run(subscriber);

        if (app->once && !app->for_ns &&
            (sb_subscriber_synced(subscriber) || now > start + SB_SECOND))
            break;
        if (!app->once && now >= shown + SB_SECOND) {
            if (sb_reader_info(reader, &info) == SB_OK && info.liveness == SB_RESTARTED)
                sb_reader_reopen(reader, message);
            show_other(app, reader, &net, false);
            shown = now;
        }
        if (epoll_wait(app->epoll, &event, 1, ms < 100 ? ms : 100) > 0 &&
            event.data.u64 == SIGNAL_TAG)
            break;
        now = sb_now();
    }
    show_other(app, reader, &net, true);
out:
    sb_subscriber_close(&subscriber);
    sb_reader_close(&reader);
    pc_net_free(&net);
    return true;
}
