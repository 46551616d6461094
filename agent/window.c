/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c - see window.h. Two passes over the records: the first counts and
 * finds the method and the bounds, the second fills the histograms.
 */
#include "window.h"

#include <string.h>

struct bounds {
    int64_t min, max;
};

static void
widen(struct bounds *bounds, int64_t value)
{
    if (value < bounds->min)
        bounds->min = value;
    if (value > bounds->max)
        bounds->max = value;
}

static int64_t
forward_of(const struct ag_probe *probe)
{
    return (int64_t)(probe->t2 - probe->t1);
}

static int64_t
reverse_of(const struct ag_probe *probe)
{
    return (int64_t)(probe->t4 - probe->t3);
}

/* Clocks that disagree make one-way times negative; the histogram counts from below them. */
static int64_t
base_of(const struct bounds *bounds)
{
    return bounds->min < 0 ? bounds->min : 0;
}

static int64_t
quantile(const struct ag_histogram *histogram, const struct bounds *bounds, double q)
{
    return base_of(bounds) + (int64_t)ag_histogram_quantile(histogram, q);
}

/* Loss by direction of the run of lost probes around seq, as far as it lies in [first, end): those
 * lost on the way there are taken to be the first of the run. */
static void
count_run(const struct ag_session *session, uint32_t seq, uint32_t run_end, uint32_t end,
          struct sb_latency *row)
{
    const struct ag_probe *probe;
    uint32_t run = seq, forward, reverse;

    while ((probe = ag_session_probe(session, run - 1)) && probe->state == AG_PROBE_LOST)
        run--;
    ag_session_direction(session, run, run_end, &forward, &reverse);
    if (forward + reverse == 0)
        return;
    for (uint32_t i = seq; i != run_end && i != end; i++) {
        if (i - run < forward)
            row->lost_fwd++;
        else
            row->lost_rev++;
    }
}

/* The sequence numbers [*ret_first, *ret_end) that were sent in the window. */
static bool
range(const struct ag_session *session, uint64_t start_mono, uint64_t end_mono, uint32_t *ret_first,
      uint32_t *ret_end)
{
    const struct ag_probe *probe;
    uint32_t seq = session->se_next;

    while ((probe = ag_session_probe(session, seq - 1)) && probe->sent_mono >= end_mono)
        seq--;
    *ret_end = seq;
    while ((probe = ag_session_probe(session, seq - 1)) && probe->sent_mono >= start_mono)
        seq--;
    *ret_first = seq;
    return *ret_first != *ret_end;
}

static void
count_probe(const struct ag_probe *probe, struct sb_latency *row)
{
    if (probe->state == AG_PROBE_VOID || probe->state == AG_PROBE_EMPTY)
        return;
    row->sent++;
    row->received += probe->state == AG_PROBE_RECEIVED;
    row->lost += probe->state == AG_PROBE_LOST || probe->state == AG_PROBE_LATE;
    row->late += probe->state == AG_PROBE_LATE;
    row->duplicated += probe->duplicates;
    row->reordered += probe->reordered;
    row->kernel += probe->state == AG_PROBE_RECEIVED && probe->method == SB_stamp_method_KERNEL;
}

/* The most frequent method of the received ones; of equally frequent ones the better. */
static uint8_t
usual_method(const struct ag_session *session, uint32_t first, uint32_t end)
{
    uint32_t counts[SB_stamp_method_KERNEL + 1] = {0};
    uint8_t best = SB_stamp_method_NONE;

    for (uint32_t seq = first; seq != end; seq++) {
        const struct ag_probe *probe = ag_session_probe(session, seq);

        if (probe && probe->state == AG_PROBE_RECEIVED)
            counts[probe->method]++;
    }
    for (uint8_t i = SB_stamp_method_USER; i <= SB_stamp_method_KERNEL; i++)
        if (counts[i] > 0 && counts[i] >= counts[best])
            best = i;
    return best;
}

bool
ag_window_close(const struct ag_session *session, uint64_t start_mono, uint64_t end_mono,
                struct ag_window_room *room, struct sb_latency *ret)
{
    struct bounds fwd = {INT64_MAX, INT64_MIN}, rev = fwd, rtt = fwd;
    struct sb_latency row = {0};
    int64_t sum = 0, jitter_sum = 0;
    uint32_t first, end, n = 0, n_jitter = 0;
    const struct ag_probe *probe, *last;

    if (!range(session, start_mono, end_mono, &first, &end))
        return false;
    row.method = usual_method(session, first, end);
    for (uint32_t seq = first; seq != end; seq++) {
        probe = ag_session_probe(session, seq);
        if (!probe)
            continue;
        count_probe(probe, &row);
        if (probe->state == AG_PROBE_LOST) {
            uint32_t run_end = seq + 1;
            const struct ag_probe *next;

            while ((next = ag_session_probe(session, run_end)) && next->state == AG_PROBE_LOST)
                run_end++;
            count_run(session, seq, run_end, end, &row);
            /* The rest of the run is counted; its records need only the totals. */
            while (seq + 1 != run_end && seq + 1 != end)
                count_probe(ag_session_probe(session, ++seq), &row);
            continue;
        }
        if (probe->state != AG_PROBE_RECEIVED || probe->method != row.method)
            continue;
        n++;
        sum += probe->rtt;
        widen(&rtt, probe->rtt);
        widen(&fwd, forward_of(probe));
        widen(&rev, reverse_of(probe));
    }
    if (row.sent == 0)
        return false;
    ag_histogram_clear(&room->rtt);
    ag_histogram_clear(&room->fwd);
    ag_histogram_clear(&room->rev);
    last = NULL;
    for (uint32_t seq = first; seq != end; seq++) {
        probe = ag_session_probe(session, seq);
        if (!probe || probe->state != AG_PROBE_RECEIVED || probe->method != row.method) {
            last = NULL;
            continue;
        }
        ag_histogram_add(&room->rtt, (uint64_t)probe->rtt);
        ag_histogram_add(&room->fwd, (uint64_t)(forward_of(probe) - base_of(&fwd)));
        ag_histogram_add(&room->rev, (uint64_t)(reverse_of(probe) - base_of(&rev)));
        if (last) {
            jitter_sum += probe->rtt < last->rtt ? last->rtt - probe->rtt : probe->rtt - last->rtt;
            n_jitter++;
        }
        last = probe;
    }
    if (n > 0) {
        row.rtt_min_ns = rtt.min;
        row.rtt_max_ns = rtt.max;
        row.rtt_mean_ns = sum / n;
        row.rtt_p50_ns = (int64_t)ag_histogram_quantile(&room->rtt, 0.5);
        row.rtt_p90_ns = (int64_t)ag_histogram_quantile(&room->rtt, 0.9);
        row.rtt_p99_ns = (int64_t)ag_histogram_quantile(&room->rtt, 0.99);
        row.fwd_p50_ns = quantile(&room->fwd, &fwd, 0.5);
        row.fwd_p99_ns = quantile(&room->fwd, &fwd, 0.99);
        row.rev_p50_ns = quantile(&room->rev, &rev, 0.5);
        row.rev_p99_ns = quantile(&room->rev, &rev, 0.99);
    }
    if (n_jitter > 0)
        row.ipdv_mean_ns = jitter_sum / n_jitter;
    *ret = row;
    return true;
}
