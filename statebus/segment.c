/* SPDX-License-Identifier: Apache-2.0
 *
 * segment.c - makes, maps and checks segments; segment.h has their layout.
 *
 * A mapping is accepted only if every constant field is what we would have written ourselves, so
 * the code behind it needs no further bounds checks. A new segment is built under
 * "<name>.new" and takes its name by rename(2), which replaces an old one in one step: whenever we
 * are killed, either the old or the new one is there, whole. Readers of the old one keep their
 * mapping until they see that the name means another object.
 */
#include "record.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SHM_DIR                                                                                    \
    "/dev/shm" /* where Linux keeps POSIX shared memory: shm has no rename of its own              \
                */

static uint64_t
round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

int
sb_geometry(enum sb_table_id id, uint32_t capacity, unsigned shards, struct sb_dir *ret)
{
    const struct sb_table_info *info = sb_table_info(id);
    uint64_t rows, slots;

    if (!info || capacity == 0 || capacity > SB_CAPACITY_MAX || shards == 0 ||
        shards > SB_SHARDS_MAX)
        return SB_EINVAL;
    memset(ret, 0, sizeof *ret);
    snprintf(ret->name, sizeof ret->name, "%s", info->name);
    ret->hash = info->hash;
    ret->capacity = capacity;
    ret->shards = (uint16_t)shards;
    ret->row_size = info->row_size;
    rows = (capacity + shards - 1) / shards;
    if (info->kind == SB_RING) {
        for (slots = 8; slots < rows; slots *= 2)
            ;
        ret->stride = (uint32_t)sizeof(struct sb_ring_slot) + info->row_size;
        ret->shard_size = sizeof(struct sb_shard) + slots * ret->stride;
    } else {
        /* At most 80 % full when the capacity is reached: two choices of 16 slots then hardly ever
         * find both buckets full. */
        uint64_t buckets = (rows * 100 + SB_BUCKET * 80 - 1) / (SB_BUCKET * 80);

        if (buckets < 2)
            buckets = 2;
        slots = buckets * SB_BUCKET;
        struct sb_parts parts = sb_parts_of(info->key_size, info->row_size);

        ret->stride = (uint32_t)sizeof(struct sb_slot) + 8 * (parts.key + 2 * parts.values);
        ret->shard_size =
            sizeof(struct sb_shard) + buckets * sizeof(struct sb_bucket) + slots * ret->stride;
    }
    ret->slots = (uint32_t)slots;
    ret->shard_size = round_up(ret->shard_size, 64);
    return SB_OK;
}

static uint64_t
layout_hash(const struct sb_dir *dir, unsigned n)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < sizeof dir->name; j++)
            hash = (hash ^ (uint8_t)dir[i].name[j]) * UINT64_C(0x100000001b3);
        hash = (hash ^ dir[i].hash) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* ---- mapping what exists ------------------------------------------------------- */

static int
check_directory(struct sb_map *map, const char *name, char *message)
{
    const struct sb_header *header = map->header;
    uint64_t offset = SB_HEADER_SIZE, version = sb_load_acquire(&header->version);
    uint32_t n = header->n_tables;

    if (version == 0)
        return sb_fail(message, SB_ENOTREADY, "segment %s is not initialised yet", name);
    if (header->magic != SB_MAGIC)
        return sb_fail(message, SB_ELAYOUT,
                       "segment %s has magic %016" PRIx64 ", ours is %016" PRIx64
                       ": it is not one of trivet's",
                       name, header->magic, SB_MAGIC);
    if (version != SB_VERSION)
        return sb_fail(message, SB_ELAYOUT,
                       "segment %s has ABI %u.%u, this program has %u.%u: run both from one build",
                       name, (unsigned)(version >> 16 & 0x7fff), (unsigned)(version & 0xffff),
                       SB_ABI_MAJOR, SB_ABI_MINOR);
    if (header->size != map->size || n == 0 || n > SB_T_COUNT)
        return sb_fail(message, SB_ECORRUPT,
                       "segment %s: header says %" PRIu64 " bytes and %" PRIu32
                       " tables, the file has %" PRIu64 " bytes",
                       name, header->size, n, map->size);
    memcpy(map->dir, map->base + SB_DIR_OFFSET, n * sizeof map->dir[0]);
    for (uint32_t i = 0; i < n; i++) {
        struct sb_dir *dir = &map->dir[i], ours;
        int id;

        dir->name[sizeof dir->name - 1] = 0;
        id = sb_table_by_name(dir->name);
        if (id < 0 || sb_table_info((enum sb_table_id)id)->hash != dir->hash)
            return sb_fail(
                message, SB_ELAYOUT,
                "segment %s has layout %016" PRIx64 " (table %.15s %016" PRIx64
                "), this program has ABI %u.%u and %s%016" PRIx64 ": run both from one build",
                name, header->layout_hash, sb_name_ok(dir->name, 16) ? dir->name : "?", dir->hash,
                SB_ABI_MAJOR, SB_ABI_MINOR, id < 0 ? "no such table " : "that table with ",
                id < 0 ? UINT64_C(0) : sb_table_info((enum sb_table_id)id)->hash);
        if (sb_geometry((enum sb_table_id)id, dir->capacity, dir->shards, &ours) < 0 ||
            dir->shard_size != ours.shard_size || dir->slots != ours.slots ||
            dir->stride != ours.stride || dir->row_size != ours.row_size || dir->offset != offset ||
            sb_map_find(map, (enum sb_table_id)id) >= 0)
            return sb_fail(message, SB_ECORRUPT,
                           "segment %s: directory entry of table %s is damaged", name, dir->name);
        offset += dir->shards * dir->shard_size; /* < 2^16 * 2^40 a table: no overflow */
        map->ids[i] = (enum sb_table_id)id;
        map->n_tables = i + 1;
    }
    if (offset != map->size || header->layout_hash != layout_hash(map->dir, n))
        return sb_fail(message, SB_ECORRUPT, "segment %s: its tables do not fill it", name);
    return SB_OK;
}

/* ---- the lock --------------------------------------------------------------------
 * The owner holds a write lock on its segment, and readers ask for it to know whether the owner
 * lives. It belongs to the open file (F_OFD_SETLK), so the kernel drops it when the process dies,
 * and no process id comes into it. Readers may open the segment, so they could hold a *read* lock
 * on it, for as long as they like; they have no reason to, since F_OFD_GETLK asks without locking,
 * but they must not be able to shut an owner out. So a write lock that only read locks prevent is
 * no obstacle: the rows are copied to a new segment, which nobody else can have locked.
 * It is an owner's second lock, too: the first one's file may be removed while it runs. */

bool
sb_segment_written(int fd)
{
    /* conflicts with write locks, which only who may write can hold */
    struct flock probe = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

enum lock { LOCK_TAKEN, LOCK_READERS, LOCK_OWNED };

/* A killed owner's descriptors are closed one after the other, so this lock may be free an instant
 * later than the first. */
static enum lock
lock(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int readers = 0;

    for (int i = 0; i < 100; i++) {
        if (fcntl(fd, F_OFD_SETLK, &all) == 0)
            return LOCK_TAKEN;
        if (sb_segment_written(fd))
            poll(NULL, 0, 1);
        else if (++readers > 2) /* once may be an owner that has just died */
            return LOCK_READERS;
    }
    return LOCK_OWNED;
}

/* Everybody may put files into /dev/shm; one who could cut his file short under us would kill us.
 * So a segment is read if it is root's, ours, or of whoever has the runtime directory. */
static bool
trusted(const char *instance, uid_t uid)
{
    char dir[SB_PATH_MAX];
    struct stat st;

    return uid == 0 || uid == geteuid() ||
           (sb_runtime_dir(instance, dir, sizeof dir) == SB_OK && stat(dir, &st) == 0 &&
            st.st_uid == uid);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif
#define HUGE_PAGE ((size_t)2 << 20)

/* Maps a whole file at an address that huge pages can have. The look-ups of a table far larger than
 * the caches are as many misses of the TLB; with huge pages there are next to none. The owner asks
 * for them, once the memory is there: whatever the system's setting for tmpfs is, since that is
 * what MADV_COLLAPSE is for. Where the kernel does not, or has none free, all works as well,
 * slower. Readers get what lies there. */
static void *
map_file(int fd, size_t size, int protection)
{
    size_t room = size + HUGE_PAGE;
    uint8_t *around =
                mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            *at;
    void *base;

    if (around == MAP_FAILED)
        return MAP_FAILED;
    at = (uint8_t *)(((uintptr_t)around + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    base = mmap(at, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
    if (base == MAP_FAILED) {
        munmap(around, room);
        return MAP_FAILED;
    }
    size = (size + 4095) & ~(size_t)4095; /* what of the room is left before and behind it goes */
    if (at > around)
        munmap(around, (size_t)(at - around));
    if (at + size < around + room)
        munmap(at + size, (size_t)(around + room - (at + size)));
    return base;
}

static void
populate(const struct sb_map *map)
{
    size_t huge = map->size & ~(HUGE_PAGE - 1);

    madvise(map->base, map->size, MADV_POPULATE_WRITE); /* older kernels: at first use */
    if (huge > 0)
        madvise(map->base, huge, MADV_COLLAPSE);
}

static int
cannot_open(const char *path, const char *name, bool writable, char *message)
{
    int error = errno;
    struct stat st;

    if (error != EACCES || stat(path, &st) < 0)
        return sb_fail(message, SB_ESYS, "cannot open segment %s: %s", name, strerror(error));
    if (st.st_uid == geteuid())
        return sb_fail(message, SB_ESYS,
                       "cannot open segment %s: it is ours, but has mode %04o: chmod 0640 %s", name,
                       (unsigned)st.st_mode & 07777, path);
    if (writable)
        return sb_fail(message, SB_ESYS,
                       "cannot open segment %s: it was left by another user (uid %u, we are %u): "
                       "start it as root, or remove %s",
                       name, st.st_uid, geteuid(), path);
    return sb_fail(message, SB_ESYS,
                   "cannot open segment %s, mode %04o: root, uid %u and group %u may; its next "
                   "start mends the mode",
                   name, (unsigned)st.st_mode & 07777, st.st_uid, st.st_gid);
}

int
sb_map_open(struct sb_map *ret, const char *instance, const char *owner, bool writable,
            char *message)
{
    char name[SB_SEGMENT_NAME_MAX], path[SB_SEGMENT_NAME_MAX + sizeof SHM_DIR];
    int error = sb_segment_name(instance, owner, name, message), fd = -1;
    struct sb_map map = {0};
    enum lock taken;
    struct stat st;
    void *base;

    if (error < 0)
        return error;
    /* O_NONBLOCK: anybody may put a FIFO there, and to open that would wait for its writer. */
    snprintf(path, sizeof path, SHM_DIR "%s", name);
    for (int tries = 0; tries < 2; tries++) {
        fd = shm_open(name, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK, 0);
        if (fd >= 0 || errno != EACCES || !writable || !sb_mend_mode(path, 0600))
            break;
    }
    if (fd < 0 && errno == ENOENT)
        return sb_fail(message, SB_ENONE,
                       "no segment %s: '%s' of instance '%s' has not run since the machine started",
                       name, owner, instance);
    if (fd < 0)
        return cannot_open(path, name, writable, message);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < SB_HEADER_SIZE) {
        close(fd);
        return sb_fail(message, SB_ECORRUPT, "segment %s is shorter than its header", name);
    }
    /* Root goes on with what the instance's user left. */
    if (writable && st.st_uid != geteuid() &&
        !(geteuid() == 0 && trusted(instance, st.st_uid) && fchown(fd, 0, (gid_t)-1) == 0)) {
        close(fd);
        return sb_fail(message, SB_ELAYOUT, "segment %s belongs to uid %u, we are %u", name,
                       st.st_uid, geteuid());
    }
    if (!writable && !trusted(instance, st.st_uid)) {
        close(fd);
        return sb_fail(message, SB_ELAYOUT,
                       "segment %s belongs to uid %u, who is neither root nor the one who has the "
                       "runtime directory",
                       name, st.st_uid);
    }
    taken = writable ? lock(fd) : LOCK_TAKEN;
    if (taken == LOCK_OWNED) {
        char holder[SB_HOLDER_MAX];

        sb_holder_text(fd, offsetof(struct sb_header, holder), holder);
        close(fd);
        return sb_fail(message, SB_EOWNED,
                       "'%s' of instance '%s' is already running as %s, though its lock file was "
                       "removed",
                       owner, instance, holder);
    }
    base = map_file(fd, (size_t)st.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ);
    if (base == MAP_FAILED) {
        error = sb_fail(message, SB_ESYS, "cannot map segment %s: %s", name, strerror(errno));
        close(fd);
        return error;
    }
    if (!writable)
        close(fd);
    map.lock = writable ? fd : -1;
    map.shared = taken == LOCK_READERS;
    map.base = base;
    map.header = base;
    map.size = (uint64_t)st.st_size;
    map.device = st.st_dev;
    map.inode = st.st_ino;
    error = check_directory(&map, name, message);
    /* Only now: its size is one of ours, and a hole in it must not end us at the first write. */
    if (error == SB_OK && writable && posix_fallocate(fd, 0, st.st_size) != 0)
        error = sb_fail(message, SB_ENOSPC, "segment %s has holes, and " SHM_DIR " is full", name);
    if (error < 0) {
        sb_map_close(&map);
        return error;
    }
    if (writable)
        populate(&map);
    *ret = map;
    return SB_OK;
}

int
sb_map_held(const char *instance, const char *owner)
{
    char name[SB_SEGMENT_NAME_MAX];
    struct stat st;
    int fd, held;

    if (sb_segment_name(instance, owner, name, NULL) < 0)
        return 0;
    fd = shm_open(name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return errno == EACCES ? -1 : 0;
    held = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && sb_segment_written(fd) &&
           trusted(instance, st.st_uid);
    close(fd);
    return held;
}

bool
sb_map_current(const struct sb_map *map, const char *instance, const char *owner)
{
    char name[SB_SEGMENT_NAME_MAX], path[SB_SEGMENT_NAME_MAX + sizeof SHM_DIR];
    struct stat st;

    if (sb_segment_name(instance, owner, name, NULL) < 0)
        return false;
    snprintf(path, sizeof path, SHM_DIR "%s", name);
    if (stat(path, &st) < 0)
        return errno != ENOENT;
    return st.st_ino == map->inode && st.st_dev == map->device;
}

void
sb_map_close(struct sb_map *map)
{
    if (map->base) {
        munmap(map->base, map->size);
        if (map->lock >= 0)
            close(map->lock);
    }
    map->base = NULL;
}

int
sb_map_find(const struct sb_map *map, enum sb_table_id id)
{
    for (unsigned i = 0; i < map->n_tables; i++)
        if (map->ids[i] == id)
            return (int)i;
    return -1;
}

/* ---- making a new one -------------------------------------------------------------- */

static int
reserve(int fd, const char *name, uint64_t size, char *message)
{
    struct statvfs fs;
    uint64_t available = 0;
    int error = posix_fallocate(fd, 0, (off_t)size);

    if (error == 0)
        return SB_OK;
    if (error != ENOSPC)
        return sb_fail(message, SB_ESYS, "cannot reserve %" PRIu64 " bytes for %s: %s", size, name,
                       strerror(error));
    if (ftruncate(fd, 0) == 0 && fstatvfs(fd, &fs) == 0)
        available = (uint64_t)fs.f_bavail * fs.f_frsize;
    return sb_fail(message, SB_ENOSPC,
                   "segment %s needs %" PRIu64 " KiB, " SHM_DIR " has %" PRIu64
                   " KiB free, %" PRIu64
                   " KiB are missing: enlarge it or lower the capacities in the config",
                   name, size / 1024, available / 1024,
                   size > available ? (size - available + 1023) / 1024 : 0);
}

int
sb_map_create(struct sb_map *ret, const char *instance, const char *owner,
              const struct sb_owner_table *tables, size_t n_tables, mode_t mode, char *message)
{
    char name[SB_SEGMENT_NAME_MAX], new_name[SB_SEGMENT_NAME_MAX + 4];
    int error = sb_segment_name(instance, owner, name, message), fd;
    struct sb_map map = {.size = SB_HEADER_SIZE};
    struct stat st;
    void *base;

    if (error < 0)
        return error;
    if (n_tables == 0 || n_tables > SB_T_COUNT)
        return sb_fail(message, SB_EINVAL, "segment %s: %zu tables", name, n_tables);
    for (size_t i = 0; i < n_tables; i++) {
        const struct sb_table_info *info = sb_table_info(tables[i].id);
        uint32_t capacity = tables[i].capacity;
        unsigned shards = tables[i].shards ? tables[i].shards : 1;
        struct sb_dir *dir = &map.dir[i];

        if (info && capacity == 0)
            capacity = info->capacity;
        if (!info || sb_map_find(&map, tables[i].id) >= 0 ||
            sb_geometry(tables[i].id, capacity, shards, dir) < 0)
            return sb_fail(message, SB_EINVAL,
                           "segment %s: table %s with capacity %" PRIu32
                           " and %u shards (at most %u rows, %u shards, each table once)",
                           name, info ? info->name : "?", capacity, shards, SB_CAPACITY_MAX,
                           SB_SHARDS_MAX);
        dir->offset = map.size;
        map.size += dir->shards * dir->shard_size;
        map.ids[i] = tables[i].id;
        map.n_tables = (unsigned)i + 1;
    }

    snprintf(new_name, sizeof new_name, "%s.new", name);
    shm_unlink(new_name); /* left by an owner killed while it made one; we hold the lock */
    fd = shm_open(new_name, O_RDWR | O_CREAT | O_EXCL, 0600); /* until it is locked */
    if (fd < 0)
        return sb_fail(
            message, SB_ESYS, "cannot make segment %s: %s%s", new_name, strerror(errno),
            errno == EACCES ? "; " SHM_DIR " must have mode 1777 (a Docker volume: nocopy)" : "");
    sb_share(instance, fd, NULL);
    error = reserve(fd, name, map.size, message);
    if (error < 0)
        goto fail;
    base = map_file(fd, map.size, PROT_READ | PROT_WRITE);
    if (base == MAP_FAILED || lock(fd) != LOCK_TAKEN || fchmod(fd, mode) < 0 ||
        fstat(fd, &st) < 0) {
        error = sb_fail(message, SB_ESYS, "cannot map segment %s: %s", name, strerror(errno));
        if (base != MAP_FAILED)
            munmap(base, map.size);
        goto fail;
    }
    map.lock = fd;
    map.fresh = true;
    map.base = base;
    map.header = base;
    map.device = st.st_dev;
    map.inode = st.st_ino;
    map.header->magic = SB_MAGIC;
    map.header->layout_hash = layout_hash(map.dir, map.n_tables);
    map.header->size = map.size;
    map.header->n_tables = map.n_tables;
    snprintf(map.header->owner, sizeof map.header->owner, "%s", owner);
    if (getrandom(map.header->seed, sizeof map.header->seed, 0) != sizeof map.header->seed)
        map.header->seed[0] = (uint64_t)(uintptr_t)base; /* never seen: the pool is not ready */
    memcpy(map.base + SB_DIR_OFFSET, map.dir, map.n_tables * sizeof map.dir[0]);
    populate(&map);
    *ret = map;
    return SB_OK;

fail:
    close(fd);
    shm_unlink(new_name);
    return error;
}

bool
sb_map_remove(const char *instance, const char *owner)
{
    char name[SB_SEGMENT_NAME_MAX];

    return sb_segment_name(instance, owner, name, NULL) == SB_OK &&
           sb_map_held(instance, owner) == 0 && shm_unlink(name) == 0;
}

void
sb_map_abandon(const char *instance, const char *owner)
{
    char name[SB_SEGMENT_NAME_MAX], new_name[SB_SEGMENT_NAME_MAX + 4];

    if (sb_segment_name(instance, owner, name, NULL) < 0)
        return;
    snprintf(new_name, sizeof new_name, "%s.new", name);
    shm_unlink(new_name);
}

int
sb_map_publish(struct sb_map *map, const char *instance, const char *owner, char *message)
{
    char name[SB_SEGMENT_NAME_MAX];
    char from[SB_SEGMENT_NAME_MAX + sizeof SHM_DIR + 4], to[SB_SEGMENT_NAME_MAX + sizeof SHM_DIR];

    sb_segment_name(instance, owner, name, NULL);
    snprintf(from, sizeof from, SHM_DIR "%s.new", name);
    snprintf(to, sizeof to, SHM_DIR "%s", name);
    sb_store_release(&map->header->version, SB_VERSION);
    if (rename(from, to) < 0) {
        int error =
            sb_fail(message, SB_ESYS, "cannot put segment %s in place: %s", name, strerror(errno));

        unlink(from);
        return error;
    }
    map->fresh = false;
    return SB_OK;
}
