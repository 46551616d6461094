/* SPDX-License-Identifier: Apache-2.0
 *
 * standing.c - see standing.h.
 */
#include "standing.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LINE (CTL_STANDING_WAYS * sizeof(struct ctl_standing))
_Static_assert(LINE == 64, "a line of entries is a cache line");
_Static_assert(offsetof(struct sb_flow, cookie) % 8 == 0, "sb_key() is the whole key");
#define HUGE_PAGE ((size_t)2 << 20)

int
ctl_standing_init(struct ctl_standings *standings, uint32_t rules)
{
    size_t lines = 1, size;

    while (lines * CTL_STANDING_WAYS < rules)
        lines *= 2;
    size = lines * LINE;
    standings->mask = lines - 1;
    standings->lines = aligned_alloc(size < HUGE_PAGE ? LINE : HUGE_PAGE, size);
    if (standings->lines == NULL)
        return -1;
    if (size >= HUGE_PAGE)
        madvise(standings->lines, size, MADV_HUGEPAGE);
    memset(standings->lines, 0, size);
    return 0;
}

void
ctl_standing_fini(struct ctl_standings *standings)
{
    free(standings->lines);
    standings->lines = NULL;
}

/* Where there is no place left the rule goes without: then it is found in its table each time. */
void
ctl_standing_note(struct ctl_worker *worker, const struct ctl_conn *conn, uint64_t hash,
                  int64_t slot, const struct sb_flow *row)
{
    struct ctl_standing *line = ctl_standing_line(&worker->standings, hash);
    unsigned way = 0;

    if (row->group != 0 || row->path_id != 0 || row->hard_s != 0 || row->output > UINT16_MAX)
        return;
    while (way < CTL_STANDING_WAYS && (line[way].hash ^ hash) >> 16 != 0)
        way++;
    if (way == CTL_STANDING_WAYS)
        for (way = 0; line[way].output != 0;)
            if (++way == CTL_STANDING_WAYS)
                return;
    line[way] = (struct ctl_standing){
        .hash = (hash & ~UINT64_C(0xffff)) | sb_generation(worker->flow, slot),
        .output = row->output & 0xffff,
        .slot = (uint64_t)slot & 0xffffff,
        .version = conn->fdb.version & CTL_FDB_VERSION_MAX,
    };
}

void
ctl_standing_forget(struct ctl_worker *worker, int64_t slot)
{
    const void *key = sb_key(worker->flow, slot);
    struct ctl_standing *line;

    if (key == NULL)
        return;
    line = ctl_standing_line(&worker->standings, sb_hash(worker->flow, key));
    for (unsigned way = 0; way < CTL_STANDING_WAYS; way++)
        if (line[way].slot == (uint64_t)slot)
            line[way] = (struct ctl_standing){.output = 0};
}

void
ctl_standing_forget_all(struct ctl_standings *standings)
{
    memset(standings->lines, 0, (standings->mask + 1) * LINE);
}
