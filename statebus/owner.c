/* SPDX-License-Identifier: Apache-2.0
 *
 * owner.c - an owner's side of a segment: lock, adopt or make, publish, heartbeat, close.
 *
 * Opened by the main thread before others start. After that each shard belongs to one thread
 * (table.c, ring.c); everything here stays with the main thread.
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <trivet/clock.h>
#include <unistd.h>

#define OWNER_MAGIC UINT32_C(0x5b0a9e51)
#define CHANGES_MAX 8192                /* records of one shard's change ring */
#define DRAIN_NS (500 * UINT64_C(1000)) /* between two drains, so that messages fill */

struct sb_owner {
    uint32_t magic;
    int lock;                              /* fd, held until the end */
    char instance[33], name[SB_OWNER_MAX]; /* of the segment */
    struct sb_map map;
    struct sb_table *shards[SB_T_COUNT]; /* owned arrays, by directory index */
    struct sb_waker waker;
    struct sb_publisher publisher;
    bool warm, publishing;
    bool lost; /* the segment's name means another one, or none */
    uint64_t incarnation;
};

/* Never 0. */
static uint64_t
random_id(void)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof id, 0) < 0 || id == 0)
        id = sb_now();
    return id;
}

/* ---- adopting ------------------------------------------------------------------- */

static int
open_shards(struct sb_owner *owner, const struct sb_map *map, char *message)
{
    for (unsigned i = 0; i < map->n_tables; i++) {
        owner->shards[i] = calloc(map->dir[i].shards, sizeof *owner->shards[i]);
        if (!owner->shards[i])
            return sb_fail(message, SB_ESYS, "out of memory");
        for (unsigned s = 0; s < map->dir[i].shards; s++)
            sb_table_init(&owner->shards[i][s], map, (int)i, s);
    }
    return SB_OK;
}

static int64_t
adopt_shard(struct sb_table *table)
{
    return table->info->kind == SB_RING ? sb_ring_adopt(table) : sb_table_adopt(table);
}

/* Same tables, capacities and shards: the rows stay where they are. */
static bool
same_geometry(const struct sb_map *map, const struct sb_owner_config *config)
{
    if (map->n_tables != config->n_tables)
        return false;
    for (unsigned i = 0; i < map->n_tables; i++) {
        const struct sb_owner_table *table = &config->tables[i];
        const struct sb_table_info *info = sb_table_info(table->id);

        if (!info || map->ids[i] != table->id ||
            map->dir[i].capacity != (table->capacity ? table->capacity : info->capacity) ||
            map->dir[i].shards != (table->shards ? table->shards : 1))
            return false;
    }
    return true;
}

/* A shard of a row: sharded tables start with the dpid of the switch whose worker owns it. */
static unsigned
shard_of_row(const struct sb_table_info *info, const void *row, unsigned shards)
{
    uint64_t dpid;

    if (!info->sharded || info->columns[0].size != sizeof dpid)
        return 0;
    memcpy(&dpid, row, sizeof dpid);
    return sb_shard_of(dpid, shards);
}

static void
copy_shard(struct sb_table *shards, unsigned n_shards, const struct sb_table *old,
           const struct sb_dir *old_dir)
{
    uint64_t row[SB_ROW_MAX / 8], first, head;

    if (old->info->kind == SB_HASH) {
        for (int64_t i = sb_next(old, -1); i >= 0; i = sb_next(old, i)) {
            sb_get(old, i, row);
            sb_put(&shards[shard_of_row(old->info, row, n_shards)], row);
        }
        return;
    }
    /* Readers follow rings by position: keep them where the shards stay the same. */
    struct sb_table *ring = &shards[old->index % n_shards];
    bool keep = old_dir->shards == n_shards;

    sb_ring_range(old_dir, old->shard, &first, &head);
    if (head - first > ring->n_slots)
        first = head - ring->n_slots;
    for (uint64_t p = first; p < head; p++) {
        if (keep)
            ring->head = p;
        if (sb_ring_read(old_dir, old->shard, p, row) == 1)
            sb_append(ring, row);
    }
    if (keep) { /* the last record may have been lost */
        ring->head = head;
        sb_store(&ring->shard->head, head);
    } else {
        sb_store(&ring->shard->start, ring->head);
    }
}

/* Other capacities, shards or tables, or readers in the way: copies the rows into the new segment.
 * *dropped: rows that were damaged or found no room. */
static void
copy_rows(struct sb_owner *owner, const struct sb_map *old, uint64_t *dropped)
{
    uint64_t rows;

    for (unsigned i = 0; i < old->n_tables; i++) {
        int index = sb_map_find(&owner->map, old->ids[i]);

        if (index < 0)
            continue;
        rows = 0;
        for (unsigned s = 0; s < old->dir[i].shards; s++) {
            struct sb_table table;
            int64_t bad;

            sb_table_init(&table, old, (int)i, s);
            bad = adopt_shard(&table);
            if (bad < 0) {
                *dropped += table.n_slots;
                continue;
            }
            *dropped += (uint64_t)bad;
            rows += table.rows;
            copy_shard(owner->shards[index], owner->map.dir[index].shards, &table, &old->dir[i]);
        }
        if (owner->shards[index][0].info->kind == SB_HASH ||
            old->dir[i].shards == owner->map.dir[index].shards) { /* else its positions are new */
            sb_map_dir(&owner->map, index)->last_seq = sb_map_dir(old, (int)i)->last_seq;
            sb_map_dir(&owner->map, index)->epoch = sb_map_dir(old, (int)i)->epoch;
        }
        for (unsigned s = 0; s < owner->map.dir[index].shards; s++)
            rows -= owner->shards[index][s].rows;
        *dropped += rows;
    }
}

/* Adopts the old segment in place. SB_ECORRUPT if a shard is beyond use. */
static int
adopt_in_place(struct sb_owner *owner, uint64_t *dropped)
{
    for (unsigned i = 0; i < owner->map.n_tables; i++)
        for (unsigned s = 0; s < owner->map.dir[i].shards; s++) {
            int64_t bad = adopt_shard(&owner->shards[i][s]);

            if (bad < 0)
                return SB_ECORRUPT;
            *dropped += (uint64_t)bad;
        }
    return SB_OK;
}

/* One of ours may have got another mode since: too open, or closed to readers. */
static void
mend_mode(const struct sb_owner *owner, mode_t mode, char *remark)
{
    struct stat st;

    if (fstat(owner->map.lock, &st) == 0 && (st.st_mode & 07777) != mode)
        sb_fail(remark, 0, "segment /trivet.%s.%s had mode %04o, %s %04o", owner->instance,
                owner->name, (unsigned)st.st_mode & 07777,
                fchmod(owner->map.lock, mode) == 0 ? "now" : "and cannot be given", (unsigned)mode);
}

static void
free_shards(struct sb_owner *owner)
{
    for (unsigned i = 0; i < SB_T_COUNT; i++) {
        for (unsigned s = 0; owner->shards[i] && s < owner->map.dir[i].shards; s++)
            sb_changes_destroy(&owner->shards[i][s].changes);
        free(owner->shards[i]);
        owner->shards[i] = NULL;
    }
}

/* Makes a new segment beside the old one, which keeps its name until the new one has it. Only where
 * there is no memory for both, and nothing of the old one will be taken over, it goes first. */
static int
make_segment(struct sb_owner *owner, const struct sb_owner_config *config, mode_t mode,
             bool old_is_useless, char *message)
{
    char why[SB_MESSAGE_MAX] = "";
    int error = sb_map_create(&owner->map, config->instance, config->name, config->tables,
                              config->n_tables, mode, message);

    if (error != SB_ENOSPC || !old_is_useless || !sb_map_remove(config->instance, config->name))
        return error;
    error = sb_map_create(&owner->map, config->instance, config->name, config->tables,
                          config->n_tables, mode, why);
    if (error < 0)
        sb_fail(message, error, "%.180s%s", why,
                error == SB_ENOSPC ? "; the old one is removed, its readers still keep it" : "");
    return error;
}

/* Takes over what an earlier incarnation left, or starts anew. remark: what people should know. */
static int
take_segment(struct sb_owner *owner, const struct sb_owner_config *config, char *message,
             char *remark)
{
    mode_t mode = config->mode ? config->mode : 0640;
    struct sb_map old = {0};
    uint64_t dropped = 0;
    int found = SB_ENONE, error;

    if (!config->cold)
        found = sb_map_open(&old, config->instance, config->name, true, remark);
    if (found == SB_ESYS || found == SB_EOWNED)
        return sb_fail(message, found, "%s", remark);
    if (found < 0 && found != SB_ENONE) {
        char why[SB_MESSAGE_MAX];

        memcpy(why, remark, sizeof why);
        sb_fail(remark, 0, "started cold: %.230s", why);
    } else {
        remark[0] = 0;
    }

    if (found == SB_OK && !old.shared && same_geometry(&old, config)) {
        owner->map = old;
        error = open_shards(owner, &owner->map, message);
        if (error < 0)
            return error;
        if (adopt_in_place(owner, &dropped) == SB_OK) {
            owner->warm = true;
            mend_mode(owner, mode, remark);
            if (dropped)
                sb_fail(remark, 0, "dropped %" PRIu64 " damaged rows on adoption", dropped);
            return SB_OK;
        }
        sb_fail(remark, 0, "started cold: segment /trivet.%s.%s was damaged", config->instance,
                config->name);
        free_shards(owner);
        sb_map_close(&owner->map);
        found = SB_ECORRUPT;
    }

    error = make_segment(owner, config, mode, found != SB_OK, message);
    for (unsigned i = 0; error == SB_OK && i < owner->map.n_tables; i++)
        sb_map_dir(&owner->map, (int)i)->epoch = random_id();
    if (error == SB_OK)
        error = open_shards(owner, &owner->map, message);
    if (error == SB_OK && found == SB_OK) {
        copy_rows(owner, &old, &dropped);
        owner->warm = true;
        sb_fail(remark, 0, "copied the rows to %s, dropped %" PRIu64,
                old.shared ? "a new segment, as a reader keeps the old one locked"
                           : "new capacities or shards",
                dropped);
    }
    if (found == SB_OK)
        sb_map_close(&old);
    return error;
}

/* ---- open and close ------------------------------------------------------------------ */

static int
open_publisher(struct sb_owner *owner, const struct sb_owner_config *config, char *message)
{
    char path[SB_PATH_MAX];
    struct sb_publisher *publisher = &owner->publisher;
    int error = sb_runtime_path(config->instance, config->name, SB_SOCKET_SUFFIX, path, message);

    if (error < 0)
        return error;
    owner->waker.full_fence =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0;
    publisher->incarnation = owner->incarnation;
    publisher->inode = &owner->map.header->socket;
    for (unsigned i = 0; i < owner->map.n_tables; i++) {
        struct sb_published *table = &publisher->tables[i];
        const struct sb_dir *dir = &owner->map.dir[i];
        uint32_t records = 64;

        while (records < CHANGES_MAX && records < owner->shards[i][0].capacity)
            records *= 2;
        table->id = owner->map.ids[i];
        table->n_shards = dir->shards;
        table->shards = owner->shards[i];
        table->dir = sb_map_dir(&owner->map, (int)i);
        table->last_seq = sb_load(&table->dir->last_seq);
        if (table->last_seq >= SB_SEQ_MAX) { /* damage: count anew */
            table->last_seq = 0;
            sb_store(&table->dir->last_seq, 0);
            sb_store(&table->dir->epoch, random_id());
        }
        for (unsigned s = 0; s < dir->shards; s++) {
            struct sb_table *shard = &table->shards[s];
            bool log = shard->info->kind == SB_RING;

            shard->changes = sb_changes_new(log ? shard->n_slots : records, dir->row_size, log,
                                            log ? shard->head : 0, &owner->waker);
            if (!shard->changes)
                return sb_fail(message, SB_ESYS, "out of memory");
        }
    }
    publisher->n_tables = owner->map.n_tables;
    error = sb_publisher_open(publisher, config->instance, path, config->hwm ? config->hwm : 1000,
                              message);
    owner->publishing = error == SB_OK;
    return error;
}

int
sb_owner_open(struct sb_owner **ret, const struct sb_owner_config *config, char *message)
{
    char name[SB_SEGMENT_NAME_MAX], remark[SB_MESSAGE_MAX] = "";
    struct sb_owner *owner;
    int error = sb_segment_name(config->instance, config->name, name, message);

    if (error == SB_OK)
        error = sb_runtime_make(config->instance, message);
    if (error < 0)
        return error;
    owner = calloc(1, sizeof *owner);
    if (!owner)
        return sb_fail(message, SB_ESYS, "out of memory");
    owner->magic = OWNER_MAGIC;
    owner->waker.fd = -1;
    snprintf(owner->instance, sizeof owner->instance, "%s", config->instance);
    snprintf(owner->name, sizeof owner->name, "%s", config->name);
    owner->lock = sb_lock_take(config->instance, config->name, message);
    if (owner->lock < 0) {
        error = owner->lock;
        goto fail;
    }
    owner->waker.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (owner->waker.fd < 0) {
        error = sb_fail(message, SB_ESYS, "eventfd: %s", strerror(errno));
        goto fail;
    }
    error = take_segment(owner, config, message, remark);
    if (error < 0)
        goto fail;
    for (unsigned i = 0; i < owner->map.n_tables; i++)
        for (unsigned s = 0; s < owner->map.dir[i].shards; s++)
            sb_table_begin(&owner->shards[i][s]);
    owner->incarnation = random_id();
    sb_holder_line(owner->map.header->holder);
    sb_store(&owner->map.header->pid, (uint32_t)getpid());
    sb_store(&owner->map.header->phase, SB_INIT);
    sb_store(&owner->map.header->socket, 0);
    sb_store(&owner->map.header->heartbeat, sb_mono());
    sb_store_release(&owner->map.header->incarnation, owner->incarnation);
    if (owner->map.fresh)
        error = sb_map_publish(&owner->map, config->instance, config->name, message);
    if (error == SB_OK && !config->no_publish)
        error = open_publisher(owner, config, message);
    if (error < 0)
        goto fail;
    sb_fail(message, 0, "%s", remark);
    *ret = owner;
    return SB_OK;

fail:
    if (owner->lock >= 0)
        sb_map_abandon(config->instance, config->name);
    sb_owner_close(&owner);
    return error;
}

void
sb_owner_close(struct sb_owner **ref)
{
    struct sb_owner *owner = *ref;

    if (!owner)
        return;
    while (owner->publishing && sb_publisher_drain(&owner->publisher))
        ;
    sb_publisher_close(&owner->publisher);
    free_shards(owner);
    sb_map_close(&owner->map);
    if (owner->waker.fd >= 0)
        close(owner->waker.fd);
    if (owner->lock >= 0)
        close(owner->lock);
    owner->magic = 0;
    free(owner);
    *ref = NULL;
}

/* ---- questions ------------------------------------------------------------------------ */

bool
sb_owner_warm(const struct sb_owner *owner)
{
    return owner->warm;
}

uint64_t
sb_owner_incarnation(const struct sb_owner *owner)
{
    return owner->incarnation;
}

void
sb_owner_phase(struct sb_owner *owner, enum sb_phase phase)
{
    sb_store_release(&owner->map.header->phase, (uint32_t)phase);
}

int
sb_owner_check(const struct sb_owner *owner, char *message)
{
    if (owner->lost)
        return sb_fail(message, SB_ENONE,
                       "segment /trivet.%s.%s was removed from /dev/shm, or replaced: nobody finds "
                       "what is written here any more",
                       owner->instance, owner->name);
    return SB_OK;
}

struct sb_table *
sb_owner_table(struct sb_owner *owner, enum sb_table_id id, unsigned shard)
{
    int index = sb_map_find(&owner->map, id);

    if (index < 0 || shard >= owner->map.dir[index].shards)
        return NULL;
    return &owner->shards[index][shard];
}

/* ---- publishing ------------------------------------------------------------------------- */

int
sb_owner_fd(const struct sb_owner *owner)
{
    return owner->waker.fd;
}

/* From now on writers wake us. False if something came while we were at it. */
static bool
arm(struct sb_owner *owner)
{
    __atomic_exchange_n(&owner->waker.armed, 1, __ATOMIC_SEQ_CST);
    if (!owner->waker.full_fence)
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    if (!sb_publisher_pending(&owner->publisher))
        return true;
    sb_store(&owner->waker.armed, 0);
    return false;
}

int
sb_owner_pump(struct sb_owner *owner)
{
    uint64_t now = sb_mono(), woken, beat;
    bool busy = false;

    if (read(owner->waker.fd, &woken, sizeof woken) < 0 && errno != EAGAIN)
        return 1; /* EINTR: again */
    if (owner->publishing && !sb_load(&owner->waker.armed)) {
        struct sb_publisher *publisher = &owner->publisher;

        busy = true;
        if (now - publisher->drained_ns >= DRAIN_NS || sb_publisher_pressed(publisher)) {
            publisher->drained_ns = now;
            busy = sb_publisher_drain(publisher) || !arm(owner);
        }
    }
    beat = now - owner->publisher.heartbeat_ns;
    if (beat >= SB_HEARTBEAT_NS) {
        sb_store_release(&owner->map.header->heartbeat, now);
        if (owner->publishing) {
            sb_publisher_heartbeat(&owner->publisher);
            sb_publisher_guard(&owner->publisher);
        }
        if (!sb_map_current(&owner->map, owner->instance, owner->name))
            owner->lost = true;
        owner->publisher.heartbeat_ns = now;
        beat = 0;
    }
    if (busy)
        return sb_publisher_pressed(&owner->publisher) ? 0 : 1;
    return (int)((SB_HEARTBEAT_NS - beat + SB_MS - 1) / SB_MS);
}
