/* SPDX-License-Identifier: Apache-2.0
 *
 * standing.h - which rules were sent as they would be decided again: those that need nothing but to
 * be sent once more.
 *
 * Packets that were on their way when their rule went in, or that a switch sends although it has
 * the rule, are answered as before, and tell nothing new. To see that, the decision path would
 * fetch two lines of addresses, one of tags and three of a row; here it is one, of private memory.
 * It is a cache, by the hash of the row's key, of which 62 bits and more count; the hash has the
 * segment's secret in it, so nobody chooses two rules that are taken for each other.
 *
 * An entry is made when a rule is sent, and stays when the switch confirms it. It goes before its
 * row is removed or evicted or becomes another one: who does so calls ctl_standing_forget(). And it
 * is void when an address of its switch has moved or gone since (struct ctl_fdb, version), because
 * the decision came of those. Only rules for untagged packets with an output below 2^16, no group,
 * no path and no hard timeout have one. Worker thread.
 */
#ifndef TRIVET_CONTROLLER_STANDING_H
#define TRIVET_CONTROLLER_STANDING_H

#include "controller.h"

#define CTL_STANDING_WAYS 4 /* entries of one cache line, any of which a hash may be in */

struct ctl_standing {
    uint64_t hash; /* its upper 48 bits; the lower ones say which line, here is the generation */
    uint64_t output : 16; /* 0: no entry */
    uint64_t slot : 24;
    uint64_t told : 2; /* what its packets have shown: CTL_SHOWS_ */
    uint64_t version : 22;
};

/* This rule, whose row is in that slot, was sent, for this packet (NULL: for none). */
void ctl_standing_note(struct ctl_worker *worker, const struct ctl_conn *conn, uint64_t hash,
                       int64_t slot, const struct sb_flow *row, const struct ctl_packet *packet);
/* The row in this slot is about to change, or to go. Any value is allowed. */
void ctl_standing_forget(struct ctl_worker *worker, int64_t slot);
/* No entry is of use: all go. */
void ctl_standing_forget_all(struct ctl_standings *standings);

static inline struct ctl_standing *
ctl_standing_line(const struct ctl_standings *standings, uint64_t hash)
{
    return &standings->lines[(hash & standings->mask) * CTL_STANDING_WAYS];
}

/* Where else it may be, if that line was full: the other one of a pair. */
static inline struct ctl_standing *
ctl_standing_other_line(const struct ctl_standings *standings, uint64_t hash)
{
    return &standings->lines[((hash & standings->mask) ^ 1) * CTL_STANDING_WAYS];
}

static inline bool
ctl_standing_is(const struct ctl_standing *standing, uint64_t hash)
{
    return (standing->hash ^ hash) >> 16 == 0;
}

/* Is it this rule's, and as it would be decided now? */
static inline bool
ctl_standing_holds(const struct ctl_standing *standing, const struct ctl_conn *conn, uint64_t hash)
{
    return ctl_standing_is(standing, hash) && standing->output != 0 &&
           standing->version == conn->fdb.version;
}

/* ... and is what it says all there is to say to this packet? Addresses are learned by VLAN, rules
 * know none; and a source may show another address. */
static inline bool
ctl_standing_answers(const struct ctl_standing *standing, const struct ctl_frame *frame)
{
    return frame->vlan == 0 && (ctl_frame_shows(frame) & ~(unsigned)standing->told) == 0;
}

/* What is known of the rule with this hash; it may not hold. Where it is in its line cannot be
 * foretold, so there is no branch on that. */
static inline const struct ctl_standing *
ctl_standing_find(const struct ctl_standings *standings, uint64_t hash)
{
    const struct ctl_standing *line = ctl_standing_line(standings, hash);

    for (unsigned i = 0; i < 2; i++, line = ctl_standing_other_line(standings, hash)) {
        unsigned way = 0;

        for (unsigned j = 1; j < CTL_STANDING_WAYS; j++)
            way = ctl_standing_is(&line[j], hash) ? j : way;
        if (ctl_standing_is(&line[way], hash))
            return &line[way];
    }
    return line;
}

#endif
