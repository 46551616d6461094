/* SPDX-License-Identifier: Apache-2.0
 *
 * report.c - verdicts at the end of a run: for people, as JSON lines, as JUnit.
 *
 * A run fails if any verdict fails. It passes if some verdict passes and none that had packets to
 * judge is inconclusive. A flow without traffic spoils nothing, but a run in which nothing at all
 * was judged is inconclusive. One thread.
 */
#include "pcapcheck.h"

#include <errno.h>
#include <jansson.h>
#include <trivet/statebus.h>

static void
count(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    struct pc_summary *s = arg;

    s->n[v->row.result]++;
    if (v->row.result == SB_verdict_result_INCONCLUSIVE && v->idle) {
        s->n_idle++;
        return;
    }
    if (v->row.result != SB_verdict_result_PASS && (!s->why[0] || v->row.result > s->result)) {
        snprintf(s->why, sizeof s->why, "%s %.60s: %.80s", check->name, v->row.subject,
                 v->row.reason);
        s->result = v->row.result;
    }
}

void
pc_summarise(struct pc_engine *e, struct pc_summary *ret)
{
    unsigned undecided;

    memset(ret, 0, sizeof *ret);
    pc_verdicts(e, count, ret);
    undecided = ret->n[SB_verdict_result_INCONCLUSIVE] - ret->n_idle;
    if (ret->n[SB_verdict_result_FAIL])
        ret->result = SB_verdict_result_FAIL;
    else if (ret->n[SB_verdict_result_PASS] && !undecided)
        ret->result = SB_verdict_result_PASS;
    else
        ret->result = SB_verdict_result_INCONCLUSIVE;
    if (ret->result == SB_verdict_result_INCONCLUSIVE && !ret->why[0])
        snprintf(ret->why, sizeof ret->why, "%s",
                 e->count.packets ? "no packet could be judged" : "no packets were seen");
}

/* ---- text --------------------------------------------------------------------------- */

static void
text_line(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    fprintf(arg, "%-12s %-10s %.79s: %.118s\n", sb_verdict_result_text(v->row.result), check->name,
            v->row.subject, v->row.reason);
}

void
pc_report_text(struct pc_engine *e, FILE *f)
{
    struct pc_summary s;
    char name[32];
    unsigned captured = 0, known = 0;

    pc_verdicts(e, text_line, f);
    for (uint32_t i = 0; i < e->net.points.n; i++) {
        const struct pc_point *p = &e->net.points.point[i];
        uint64_t drops = p->tap[PC_IN].drops + p->tap[PC_OUT].drops;

        if (p->gone)
            continue;
        known++;
        captured += p->tap[PC_OUT].since_ns || p->tap[PC_IN].since_ns || p->tap[PC_OUT].packets ||
                    p->tap[PC_IN].packets;
        if (p->why[0])
            fprintf(f, "%s: not capturable: %s\n", pc_point_text(p, name, sizeof name), p->why);
        if (drops)
            fprintf(f, "%s: the kernel dropped %llu packets\n", pc_point_text(p, name, sizeof name),
                    (unsigned long long)drops);
    }
    fprintf(f,
            "%llu packets (%llu own, %llu unidentifiable, %llu malformed) at %u of %u points, "
            "%u flows\n",
            (unsigned long long)e->count.packets, (unsigned long long)e->count.own,
            (unsigned long long)e->count.unidentified, (unsigned long long)e->count.malformed,
            captured, known, e->flows.n);
    pc_summarise(e, &s);
    fprintf(f, "%s: %u pass, %u fail, %u inconclusive (%u without traffic)%s%s\n",
            sb_verdict_result_text(s.result), s.n[SB_verdict_result_PASS],
            s.n[SB_verdict_result_FAIL], s.n[SB_verdict_result_INCONCLUSIVE], s.n_idle,
            s.why[0] ? "; " : "", s.why);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void
json_line(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    char line[2048];

    (void)check;
    if (sb_row_json(SB_T_verdict, &v->row, line, sizeof line) > 0)
        fprintf(arg, "%s\n", line);
}

void
pc_report_json(struct pc_engine *e, FILE *f)
{
    struct pc_summary s;
    json_t *o;
    char *text;

    pc_verdicts(e, json_line, f);
    for (uint32_t i = 0; i < e->net.points.n; i++) {
        const struct pc_point *p = &e->net.points.point[i];
        char name[32], dpid[20] = "";

        if (p->gone)
            continue;
        if (p->mapped)
            snprintf(dpid, sizeof dpid, "%016llx", (unsigned long long)p->dpid);
        o = json_pack(
            "{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:s}", "point",
            pc_point_text(p, name, sizeof name), "dpid", dpid, "port", p->mapped ? (int)p->port : 0,
            "type", sb_port_type_text(p->type), "sent", (json_int_t)p->tap[PC_OUT].packets,
            "received", (json_int_t)p->tap[PC_IN].packets, "dropped_by_kernel",
            (json_int_t)(p->tap[PC_IN].drops + p->tap[PC_OUT].drops), "not_capturable", p->why);
        text = o ? json_dumps(o, 0) : NULL;
        if (text)
            fprintf(f, "%s\n", text);
        free(text);
        json_decref(o);
    }
    pc_summarise(e, &s);
    o = json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:s}", "summary",
                  sb_verdict_result_text(s.result), "pass", (int)s.n[SB_verdict_result_PASS],
                  "fail", (int)s.n[SB_verdict_result_FAIL], "inconclusive",
                  (int)s.n[SB_verdict_result_INCONCLUSIVE], "idle", (int)s.n_idle, "packets",
                  (json_int_t)e->count.packets, "unidentifiable", (json_int_t)e->count.unidentified,
                  "malformed", (json_int_t)e->count.malformed, "flows_evicted",
                  (json_int_t)e->flows.evicted, "journeys_early",
                  (json_int_t)e->count.journeys_early, "why", s.why);
    text = o ? json_dumps(o, 0) : NULL;
    if (text)
        fprintf(f, "%s\n", text);
    free(text);
    json_decref(o);
}

/* ---- JUnit -------------------------------------------------------------------------------- */

static void
xml(FILE *f, const char *s)
{
    for (; *s; s++) {
        if (*s == '<')
            fputs("&lt;", f);
        else if (*s == '>')
            fputs("&gt;", f);
        else if (*s == '&')
            fputs("&amp;", f);
        else if (*s == '"')
            fputs("&quot;", f);
        else
            fputc((unsigned char)*s < 32 ? '?' : *s, f);
    }
}

static void
junit_case(void *arg, const struct pc_check *check, const struct pc_verdict *v)
{
    FILE *f = arg;

    fprintf(f, "  <testcase classname=\"pcapcheck.%s\" name=\"", check->name);
    xml(f, v->row.subject);
    fputs("\">", f);
    if (v->row.result != SB_verdict_result_PASS) {
        fputs(v->row.result == SB_verdict_result_FAIL ? "<failure message=\""
                                                      : "<skipped message=\"",
              f);
        xml(f, v->row.reason);
        fputs("\"/>", f);
    }
    fputs("</testcase>\n", f);
}

int
pc_report_junit(struct pc_engine *e, FILE *f)
{
    struct pc_summary s;

    pc_summarise(e, &s);
    fprintf(
        f,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"pcapcheck\" tests=\"%u\" "
        "failures=\"%u\" skipped=\"%u\">\n",
        s.n[0] + s.n[1] + s.n[2], s.n[SB_verdict_result_FAIL], s.n[SB_verdict_result_INCONCLUSIVE]);
    pc_verdicts(e, junit_case, f);
    fputs("</testsuite>\n", f);
    return fflush(f) || ferror(f) ? -1 : 0;
}
