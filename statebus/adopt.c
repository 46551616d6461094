/* SPDX-License-Identifier: Apache-2.0
 *
 * adopt.c - a restarted owner takes its shards over: damaged rows go, the others are restored.
 *
 * Rows stay where they are, and readers may be looking all the while. Whatever no owner writes (a
 * key in a bucket or under a tag that is not its, or twice, a sequence out of range, columns that
 * are not valid) is dropped and counted, so the code behind an adopted table needs no checks of its
 * own but for what its columns mean together.
 *
 * Restored rows. A row is hearsay until its owner has said it again, or decides that it is too old.
 * Each slot's word carries the clock of its last write; the shard's epoch is what that clock stood
 * at when the owner took it over. So a row is restored as long as its clock is not beyond the
 * epoch, and any write confirms it: the mark costs a writer nothing, and lies in no row.
 */
#include "table.h"

/* Drops a row that no owner wrote, or wrote twice. */
static void
drop(struct sb_table *table, uint32_t i)
{
    struct sb_slot *slot = sb_table_slot(table, i);

    uint64_t clock = slot->word >> SB_CLOCK_SHIFT;

    if (clock < SB_CLOCK_ADOPTED && clock > table->shard->floor)
        sb_store(&table->shard->floor, clock);
    sb_store_release(&slot->word, 0);
}

/* The same key in an earlier slot of its home buckets: damage only, since put looks first. */
static bool
is_duplicate(const struct sb_table *table, struct sb_home home, uint32_t i, const void *key)
{
    uint64_t row[SB_ROW_MAX / 8];

    for (int b = 0; b < 2; b++) {
        uint32_t first = home.bucket[b] * SB_BUCKET;

        for (uint32_t j = first; j < first + SB_BUCKET && j < i; j++) {
            if (table->buckets[home.bucket[b]].tags[j % SB_BUCKET] == home.tag &&
                sb_get(table, j, row) == SB_OK && memcmp(row, key, table->key_size) == 0)
                return true;
        }
    }
    return false;
}

int64_t
sb_table_adopt(struct sb_table *table)
{
    int64_t dropped = 0;
    uint64_t row[SB_ROW_MAX / 8];

    if (table->shard->floor >= SB_CLOCK_ADOPTED)
        return SB_ECORRUPT;
    table->rows = 0;
    table->clock = 0;
    /* In order, so that is_duplicate() only compares with slots that are checked already. Tags are
     * stored only where they differ: readers are looking. */
    for (uint32_t i = 0; i < table->n_slots; i++) {
        struct sb_slot *slot = sb_table_slot(table, i);
        uint16_t *stands = &table->buckets[i / SB_BUCKET].tags[i % SB_BUCKET], tag = 0;

        if (sb_get(table, i, row) == SB_OK) {
            uint64_t clock = slot->word >> SB_CLOCK_SHIFT;
            struct sb_home home = sb_home_of(sb_hash(table, row), table->n_buckets);

            if (clock == 0 || clock >= SB_CLOCK_ADOPTED ||
                (i / SB_BUCKET != home.bucket[0] && i / SB_BUCKET != home.bucket[1]) ||
                *stands != home.tag || !sb_row_valid(table->id, row) ||
                is_duplicate(table, home, i, row)) {
                drop(table, i);
                dropped++;
            } else {
                tag = home.tag;
                table->rows++;
                if (clock > table->clock)
                    table->clock = clock;
            }
        }
        if (*stands != tag)
            sb_store(stands, tag);
    }
    if (table->clock < table->shard->floor)
        table->clock = table->shard->floor;
    sb_store(&table->shard->rows, table->rows);
    return dropped;
}

void
sb_table_begin(struct sb_table *table)
{
    if (table->info->kind == SB_HASH)
        sb_store(&table->shard->epoch, table->clock);
}

/* ---- restored rows ------------------------------------------------------------------ */

bool
sb_restored(const struct sb_table *table, int64_t slot)
{
    uint64_t word;

    if (slot < 0 || slot >= table->n_slots)
        return false;
    word = sb_table_slot(table, (uint64_t)slot)->word;
    return word && sb_is_restored(word, table->shard->epoch);
}

/* One pass is enough: nothing that is written later is restored. */
bool
sb_sweep_restored(struct sb_table *table, uint32_t budget, uint64_t *removed)
{
    if (table->info->kind != SB_HASH)
        return true;
    for (; table->swept < table->n_slots && budget > 0; table->swept++, budget--)
        if (sb_restored(table, table->swept)) {
            sb_remove(table, table->swept);
            if (removed)
                ++*removed;
        }
    return table->swept == table->n_slots;
}

uint64_t
sb_drop_restored(struct sb_table *table)
{
    uint64_t removed = 0;

    sb_sweep_restored(table, UINT32_MAX, &removed);
    return removed;
}
