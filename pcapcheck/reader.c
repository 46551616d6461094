/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - capture files: classic pcap here, pcapng in pcapng.c, both plain or gzip.
 *
 * zlib reads both plain and compressed files. Every length is checked before it is used; a damaged
 * file ends with a message that names the byte, and what was before it stands. One thread a reader.
 */
#include "pcapcheck.h"

#include <errno.h>
#include <zlib.h>

struct pc_reader {
    gzFile gz;             /* owned; NULL: from memory */
    const uint8_t *memory; /* borrowed */
    size_t memory_size;
    uint64_t offset; /* bytes read so far, after decompression */
    bool ng, swapped;
    uint32_t nano;  /* classic: ns of one unit of the second time word */
    char name[32];  /* of the file, without folder and ending */
    uint8_t *block; /* owned */
    size_t block_size;
    struct pc_reader_if *interfaces;        /* owned */
    uint32_t n_interfaces, first_interface; /* first of the current pcapng section */
};

int64_t
pc_reader_read(struct pc_reader *r, void *ret, size_t size)
{
    int64_t n;

    if (r->gz) {
        n = gzread(r->gz, ret, (unsigned)size);
    } else {
        size_t left = r->memory_size - (size_t)r->offset;

        n = (int64_t)(size < left ? size : left);
        if (n)
            memcpy(ret, r->memory + r->offset, (size_t)n);
    }
    if (n > 0)
        r->offset += (uint64_t)n;
    return n;
}

uint64_t
pc_reader_offset(const struct pc_reader *r)
{
    return r->offset;
}

uint8_t *
pc_reader_block(struct pc_reader *r, size_t size)
{
    uint8_t *block;

    if (size <= r->block_size)
        return r->block;
    block = realloc(r->block, size);
    if (!block)
        return NULL;
    r->block = block;
    r->block_size = size;
    return block;
}

struct pc_reader_if *
pc_reader_add_interface(struct pc_reader *r)
{
    struct pc_reader_if *all;

    if (r->n_interfaces == PC_INTERFACES_MAX)
        return NULL;
    all = realloc(r->interfaces, (r->n_interfaces + 1) * sizeof *all);
    if (!all)
        return NULL;
    r->interfaces = all;
    all[r->n_interfaces] = (struct pc_reader_if){.linktype = PC_LINK_ETHERNET, .units = 1000000};
    return &all[r->n_interfaces++];
}

/* interface counts from the start of the section; the answer is told apart over sections */
struct pc_reader_if *
pc_reader_get_interface(struct pc_reader *r, uint32_t interface)
{
    return interface < r->n_interfaces - r->first_interface
               ? &r->interfaces[r->first_interface + interface]
               : NULL;
}

void
pc_reader_drop_interfaces(struct pc_reader *r)
{
    r->first_interface = r->n_interfaces;
}

const char *
pc_reader_interface(const struct pc_reader *r, uint32_t interface)
{
    return interface < r->n_interfaces && r->interfaces[interface].name[0]
               ? r->interfaces[interface].name
               : r->name;
}

uint32_t
pc_reader_interfaces(const struct pc_reader *r)
{
    return r->n_interfaces;
}

/* ---- classic pcap ------------------------------------------------------------------- */

static uint32_t
word(const struct pc_reader *r, const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return r->swapped ? __builtin_bswap32(v) : v;
}

static int
classic_begin(struct pc_reader *r, const uint8_t *magic, char *message)
{
    static const uint32_t micro = 0xa1b2c3d4, nano = 0xa1b23c4d;
    struct pc_reader_if *interface;
    uint8_t h[20];
    uint32_t m;

    memcpy(&m, magic, 4);
    r->swapped = m == __builtin_bswap32(micro) || m == __builtin_bswap32(nano);
    if (r->swapped)
        m = __builtin_bswap32(m);
    if (m != micro && m != nano) {
        snprintf(message, 256, "neither pcap nor pcapng (it begins %02x %02x %02x %02x)", magic[0],
                 magic[1], magic[2], magic[3]);
        return -1;
    }
    r->nano = m == nano ? 1 : 1000;
    if (pc_reader_read(r, h, sizeof h) != sizeof h) {
        snprintf(message, 256, "byte %llu: the pcap header is cut off",
                 (unsigned long long)r->offset);
        return -1;
    }
    interface = pc_reader_add_interface(r);
    if (!interface) {
        snprintf(message, 256, "no memory");
        return -1;
    }
    interface->linktype = (int)(word(r, h + 16) & 0xffff);
    return 0;
}

static int
classic_next(struct pc_reader *r, struct pc_record *ret, char *message)
{
    uint8_t h[16], *data;
    uint64_t at = r->offset;
    uint32_t cap;
    int64_t n = pc_reader_read(r, h, sizeof h);

    if (n == 0)
        return 0;
    if (n != sizeof h) {
        snprintf(message, 256, "byte %llu: a record header is cut off", (unsigned long long)at);
        return -1;
    }
    cap = word(r, h + 8);
    if (cap > PC_PACKET_MAX) {
        snprintf(message, 256, "byte %llu: a record of %u bytes is not possible",
                 (unsigned long long)at, cap);
        return -1;
    }
    data = pc_reader_block(r, cap ? cap : 1);
    if (!data || pc_reader_read(r, data, cap) != (int64_t)cap) {
        snprintf(message, 256, "byte %llu: a record of %u bytes is cut off", (unsigned long long)at,
                 cap);
        return -1;
    }
    *ret = (struct pc_record){.t_ns = word(r, h) * SB_SECOND + (uint64_t)word(r, h + 4) * r->nano,
                              .data = data,
                              .cap = cap,
                              .len = word(r, h + 12),
                              .linktype = r->interfaces[0].linktype,
                              .direction = PC_EITHER};
    return 1;
}

/* ---- both ---------------------------------------------------------------------------- */

static int
begin(struct pc_reader **ret, struct pc_reader *r, const char *name, char *message)
{
    const char *base = strrchr(name, '/');
    uint8_t magic[4];
    int64_t n;
    int error;

    base = base ? base + 1 : name;
    snprintf(r->name, sizeof r->name, "%.*s", (int)strcspn(base, "."), base);
    n = pc_reader_read(r, magic, 4);
    if (n != 4) {
        snprintf(message, 256,
                 n < 0 ? "cannot be read or decompressed" : "too short to be a capture");
        error = -1;
    } else if (memcmp(magic, "\x0a\x0d\x0d\x0a", 4) == 0) {
        r->ng = true;
        error = pc_pcapng_begin(r, magic, &r->swapped, message);
    } else {
        error = classic_begin(r, magic, message);
    }
    if (error) {
        pc_reader_close(&r);
        return -1;
    }
    *ret = r;
    return 0;
}

int
pc_reader_open(struct pc_reader **ret, const char *path, char *message)
{
    struct pc_reader *r = calloc(1, sizeof *r);

    if (!r) {
        snprintf(message, 256, "no memory");
        return -1;
    }
    r->gz = strcmp(path, "-") == 0 ? gzdopen(0, "rb") : gzopen(path, "rb");
    if (!r->gz) {
        snprintf(message, 256, "%s", strerror(errno ? errno : ENOMEM));
        free(r);
        return -1;
    }
    gzbuffer(r->gz, 256 * 1024);
    return begin(ret, r, path, message);
}

int
pc_reader_memory(struct pc_reader **ret, const char *name, const uint8_t *data, size_t size,
                 char *message)
{
    struct pc_reader *r = calloc(1, sizeof *r);

    if (!r) {
        snprintf(message, 256, "no memory");
        return -1;
    }
    r->memory = data;
    r->memory_size = size;
    return begin(ret, r, name, message);
}

void
pc_reader_close(struct pc_reader **reader)
{
    struct pc_reader *r = *reader;

    if (!r)
        return;
    if (r->gz)
        gzclose(r->gz);
    free(r->block);
    free(r->interfaces);
    free(r);
    *reader = NULL;
}

int
pc_reader_next(struct pc_reader *r, struct pc_record *ret, char *message)
{
    int n = r->ng ? pc_pcapng_next(r, &r->swapped, ret, message) : classic_next(r, ret, message);

    if (n == 1 && r->ng)
        ret->interface += r->first_interface;
    return n;
}
