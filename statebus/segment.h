/* SPDX-License-Identifier: Apache-2.0
 *
 * segment.h - what lies in a segment of the state bus, byte by byte, and how to map it.
 *
 *   0      struct sb_header      version word first, stored last
 *   512    struct sb_dir [n]     one entry a table
 *   4096   per table, per shard: struct sb_shard, then
 *            hash: the buckets (16 u16 tags and 16 u16 generations each), then the slots
 *            ring: the slots
 *   hash slot: u64 word, whole words of the key, values copy 0, values copy 1 (record.h)
 *   ring slot: u64 sequence, row
 *
 * All numbers are in the machine's byte order: a segment never leaves the host. Fields marked
 * "live" change while readers look and are only touched through the sb_load/sb_store functions of
 * record.h; the others are constant once the version word is set. The geometry of a table follows
 * from its row size, its capacity and its shards alone; a mapper computes it again and accepts
 * nothing else, so no offset of the segment is ever trusted.
 */
#ifndef STATEBUS_SEGMENT_H
#define STATEBUS_SEGMENT_H

#include <stdarg.h>
#include <trivet/statebus.h>

#define SB_MAGIC UINT64_C(0x3174657669727473) /* "strivet1" */
#define SB_VERSION (UINT64_C(1) << 63 | SB_ABI_MAJOR << 16 | SB_ABI_MINOR)
#define SB_HEADER_SIZE 4096
#define SB_DIR_OFFSET 512
#define SB_BUCKET 16                        /* slots a bucket: one cache line of tags */
#define SB_CAPACITY_MAX (UINT32_C(1) << 26) /* rows a table */
#define SB_SHARDS_MAX 256
#define SB_SEQ_MAX (UINT64_C(1) << 62) /* of deltas; no owner gets there: more is damage */
#define SB_ROW_MAX 512                 /* bytes of a row, at most */
#define SB_HOLDER_MAX 128              /* bytes of a line that says who holds a lock */
#define SB_PATH_MAX 108                /* sun_path, final NUL included */

#define SB_END(table) _Static_assert(sizeof(struct sb_##table) <= SB_ROW_MAX, #table);
#include <trivet/tables.def>

struct sb_header {
    uint64_t version; /* live: SB_VERSION, 0 while not ready */
    uint64_t magic;
    uint64_t layout_hash; /* of the names and hashes of all tables in the directory */
    uint64_t size;        /* bytes of the whole segment */
    uint64_t seed[2];     /* of the hash function: keys come from strangers */
    uint64_t incarnation; /* live: random, new at each start of the owner */
    uint64_t heartbeat;   /* live: CLOCK_MONOTONIC ns */
    uint32_t pid;         /* live */
    uint32_t phase;       /* live: enum sb_phase */
    uint32_t n_tables;
    uint32_t pad;
    char owner[SB_OWNER_MAX];
    char holder[SB_HOLDER_MAX]; /* live: who writes it, for people: sb_holder_line() */
    uint64_t socket;            /* live: inode of the owner's PUB socket; 0: it has none now */
};
_Static_assert(sizeof(struct sb_header) <= SB_DIR_OFFSET, "the header ends before the directory");

struct sb_dir {
    char name[16];       /* of the table */
    uint64_t hash;       /* layout of its rows */
    uint64_t offset;     /* of shard 0 */
    uint64_t shard_size; /* bytes from one shard to the next */
    uint64_t last_seq;   /* live: sequence of the last delta given out, over all incarnations */
    uint32_t capacity;   /* rows over all shards */
    uint32_t slots;      /* a shard */
    uint32_t stride;     /* bytes from one slot to the next */
    uint16_t shards;
    uint16_t row_size;
    uint64_t epoch; /* live: random; another one when last_seq and ring positions begin anew */
    uint64_t pad[7];
};
_Static_assert(sizeof(struct sb_dir) == 128, "directory entries are two cache lines");
_Static_assert(SB_DIR_OFFSET + SB_T_COUNT * sizeof(struct sb_dir) <= SB_HEADER_SIZE,
               "the directory fits into the header page");

/* One shard's counters; all live, written by its one thread. None of them is needed to read rows:
 * an owner that adopts the segment makes `rows` anew. */
struct sb_shard {
    uint64_t rows;  /* full slots */
    uint64_t floor; /* hash: no clock above it was ever in a slot that is now empty */
    uint64_t head;  /* ring: records written */
    uint64_t inserted, updated, removed, evicted, refused;
    uint64_t unpublished; /* changes that found the change ring full; by the main thread */
    uint64_t epoch;       /* hash: write clock when this incarnation began (adopt.c) */
    uint64_t start; /* ring: its head when the epoch began, 0 unless records were brought over */
    uint64_t superseded; /* changes told by a later one of their row; by the main thread */
    uint64_t pad[4];
};
_Static_assert(sizeof(struct sb_shard) == 128, "shards start with two cache lines");

/* A mapping. dir is a private, checked copy: its constant fields may be trusted. */
struct sb_map {
    uint8_t *base; /* owned */
    uint64_t size;
    int lock;               /* owned; the owner's fd, which holds the segment's lock; readers: -1 */
    bool shared;            /* writable, but readers keep it locked: it must be replaced */
    bool fresh;             /* made by sb_map_create(), and not in place yet */
    uint64_t device, inode; /* of the object, to see when it is replaced */
    struct sb_header *header; /* into base */
    enum sb_table_id ids[SB_T_COUNT];
    struct sb_dir dir[SB_T_COUNT];
    unsigned n_tables;
};

/* names.c: fills message (may be NULL) and returns error */
int sb_fail(char *message, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool sb_name_ok(const char *name, size_t max);
/* "/trivet.<instance>.<owner>", checked; the buffer is big enough for all valid names */
int sb_segment_name(const char *instance, const char *owner, char *ret, char *message);
#define SB_SEGMENT_NAME_MAX 128
/* "<runtime dir>/<owner><suffix>", checked against SB_PATH_MAX */
int sb_runtime_path(const char *instance, const char *owner, const char *suffix, char *ret,
                    char *message);
/* Makes the runtime directory (0750) and its parents. */
int sb_runtime_make(const char *instance, char *message);
/* Gives a file of ours (fd, or a socket's path with fd -1) the group of the runtime directory, so
 * that its members may read what root made. */
void sb_share(const char *instance, int fd, const char *path);
/* A file of ours that its own mode keeps us from (a chmod too many, a restored copy) gets this one.
 * False: it is not ours, or the mode is not the matter. */
bool sb_mend_mode(const char *path, mode_t mode);
/* Takes the lock file for good: the fd, or SB_EOWNED (message names the holder). */
int sb_lock_take(const char *instance, const char *owner, char *message);
/* "pid pid-namespace since program" of this process, SB_HOLDER_MAX bytes. */
void sb_holder_line(char *ret);
/* What such a line in a file says, in words: "process 7 (trivet-agent) since ..." */
void sb_holder_text(int fd, off_t offset, char *ret);

/* segment.c */
int sb_geometry(enum sb_table_id id, uint32_t capacity, unsigned shards, struct sb_dir *ret);
/* Does an owner hold the lock of this segment? */
bool sb_segment_written(int fd);
/* Does the owner live? 1, 0, or -1 if we may not know. */
int sb_map_held(const char *instance, const char *owner);
/* Maps and checks an existing segment, and locks it if it is writable. SB_ENONE, SB_ENOTREADY,
 * SB_ELAYOUT, SB_ECORRUPT, SB_EOWNED, SB_ESYS. */
int sb_map_open(struct sb_map *ret, const char *instance, const char *owner, bool writable,
                char *message);
/* Makes a new segment beside a possible old one, all zero but for the constant fields. It gets its
 * name, replacing the old one in one step, by sb_map_publish(). */
int sb_map_create(struct sb_map *ret, const char *instance, const char *owner,
                  const struct sb_owner_table *tables, size_t n_tables, mode_t mode, char *message);
/* Takes the name from an old segment, which nobody writes and whose rows are of no use, to make
 * room for a new one. False: it stays. */
bool sb_map_remove(const char *instance, const char *owner);
/* Removes what sb_map_create() made and nobody published. */
void sb_map_abandon(const char *instance, const char *owner);
int sb_map_publish(struct sb_map *map, const char *instance, const char *owner, char *message);
/* Is the object of that name still the one mapped? Also true when the system does not say. */
bool sb_map_current(const struct sb_map *map, const char *instance, const char *owner);
void sb_map_close(struct sb_map *map);
/* Index of a table in the directory, or -1. */
int sb_map_find(const struct sb_map *map, enum sb_table_id id);

static inline struct sb_shard *
sb_map_shard(const struct sb_map *map, int index, unsigned shard)
{
    const struct sb_dir *dir = &map->dir[index];

    return (struct sb_shard *)(map->base + dir->offset + shard * dir->shard_size);
}

/* The live directory entry, for last_seq. */
static inline struct sb_dir *
sb_map_dir(const struct sb_map *map, int index)
{
    return (struct sb_dir *)(map->base + SB_DIR_OFFSET) + index;
}

#endif
