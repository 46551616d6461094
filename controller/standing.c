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

void *
ctl_lines_new(size_t size)
{
    void *lines = aligned_alloc(size < HUGE_PAGE ? LINE : HUGE_PAGE, size);

    if (lines == NULL)
        return NULL;
    if (size >= HUGE_PAGE)
        madvise(lines, size, MADV_HUGEPAGE);
    return memset(lines, 0, size);
}

int
ctl_standing_init(struct ctl_standings *standings, uint32_t rules)
{
    size_t lines = 2; /* one is the other's other */

    while (lines * CTL_STANDING_WAYS < rules)
        lines *= 2;
    standings->mask = lines - 1;
    standings->lines = ctl_lines_new(lines * LINE);
    return standings->lines == NULL ? -1 : 0;
}

void
ctl_standing_fini(struct ctl_standings *standings)
{
    free(standings->lines);
    standings->lines = NULL;
}

/* Its place, or a free one. NULL: there is none. */
static struct ctl_standing *
place_of(const struct ctl_standings *standings, uint64_t hash)
{
    struct ctl_standing *lines[] = {ctl_standing_line(standings, hash),
                                    ctl_standing_other_line(standings, hash)};
    struct ctl_standing *place = NULL;

    for (unsigned i = 2 * CTL_STANDING_WAYS; i-- > 0;) {
        struct ctl_standing *standing = &lines[i / CTL_STANDING_WAYS][i % CTL_STANDING_WAYS];

        if (ctl_standing_is(standing, hash))
            return standing;
        if (standing->output == 0)
            place = standing; /* the first one in the end */
    }
    return place;
}

void
ctl_standing_note(struct ctl_worker *worker, const struct ctl_conn *conn, uint64_t hash,
                  int64_t slot, const struct sb_flow *row, const struct ctl_packet *packet)
{
    struct ctl_standing *place = place_of(&worker->standings, hash);
    unsigned told;

    if (place == NULL || packet == NULL || packet->frame.vlan != 0 || row->group != 0 ||
        row->path_id != 0 || row->hard_s != 0 || row->output > UINT16_MAX)
        return; /* its row tells, each time */
    told = ctl_frame_shows(&packet->frame);
    if (ctl_standing_holds(place, conn, hash))
        told |= place->told;
    *place = (struct ctl_standing){
        /* the cookie's: a row that was copied into its slot may have that of another time */
        .hash = (hash & ~UINT64_C(0xffff)) | (row->cookie >> 32 & 0xffff),
        .output = row->output & 0xffff,
        .slot = (uint64_t)slot & 0xffffff,
        .told = told & 3,
        .version = conn->fdb.version & CTL_FDB_VERSION_MAX,
    };
}

void
ctl_standing_forget(struct ctl_worker *worker, int64_t slot)
{
    const void *key = sb_key(worker->flow, slot);
    struct ctl_standing *place;

    if (key == NULL)
        return;
    place = place_of(&worker->standings, sb_hash(worker->flow, key));
    if (place != NULL && place->slot == (uint64_t)slot)
        *place = (struct ctl_standing){.output = 0};
}

void
ctl_standing_forget_all(struct ctl_standings *standings)
{
    memset(standings->lines, 0, (standings->mask + 1) * LINE);
}
