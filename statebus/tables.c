/* SPDX-License-Identifier: Apache-2.0
 *
 * tables.c - tables.def at run time: columns, enumerations, layout hashes, text and JSON of rows.
 *
 * Everything here is made from tables.def by the preprocessor. The only thing computed at run time
 * is the layout hash of each table, once, before main(); after that all is constant, so any thread
 * may call anything. Rows come from shared memory and are not trusted: no function here needs a
 * valid enumeration number or a terminated text.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <trivet/statebus.h>

/* ---- enumerations: arrays that end with text == NULL, and sb_<name>_text() ---- */

#define SB_ENUM(name) static const struct sb_enum_value values_ENUM_##name[] = {
#define SB_VALUE(name, symbol, number, text) {number, text},
/* clang-format off */
#define SB_ENUM_END(name) {0, NULL} };
/* clang-format on */
#include <trivet/tables.def>

#define SB_ENUM(name)                                                                              \
    const char *sb_##name##_text(uint32_t number)                                                  \
    {                                                                                              \
        return sb_enum_text(values_ENUM_##name, number);                                           \
    }
#include <trivet/tables.def>

const char *
sb_enum_text(const struct sb_enum_value *values, uint32_t number)
{
    for (; values && values->text; values++)
        if (values->number == number)
            return values->text;
    return "?";
}

/* ---- columns: the format of tables.def as format_<format> and values_<format> ---- */

enum {
    format_DEC = SB_DEC,
    format_HEX16 = SB_HEX16,
    format_HEX8 = SB_HEX8,
    format_MAC = SB_MAC,
    format_IP = SB_IP,
    format_TEXT = SB_TEXT,
    format_BOOL = SB_BOOL,
#define SB_ENUM(name) format_ENUM_##name = SB_ENUM_FORMAT,
#include <trivet/tables.def>
};
#define values_DEC NULL
#define values_HEX16 NULL
#define values_HEX8 NULL
#define values_MAC NULL
#define values_IP NULL
#define values_TEXT NULL
#define values_BOOL NULL

#define COLUMN(table, type, member, array, fmt, unit_, json, text_, key)                           \
    {                                                                                              \
        .name = json,                                                                              \
        .unit = unit_,                                                                             \
        .text = text_,                                                                             \
        .offset = offsetof(struct sb_##table, member),                                             \
        .size = sizeof(type array),                                                                \
        .is_key = key,                                                                             \
        .is_signed = (type)-1 < (type)1,                                                           \
        .format = (enum sb_format)format_##fmt,                                                    \
        .values = values_##fmt,                                                                    \
    },

#define SB_TABLE(name, kind, owner, thread, capacity, full, text)                                  \
    static const struct sb_column columns_##name[] = {
#define SB_KEY(table, type, member, array, format, unit, json, text)                               \
    COLUMN(table, type, member, array, format, unit, json, text, 1)
#define SB_COL(table, type, member, array, format, unit, json, text)                               \
    COLUMN(table, type, member, array, format, unit, json, text, 0)
#define SB_END(table)                                                                              \
    }                                                                                              \
    ;
#include <trivet/tables.def>

/* Sum of the key's columns: they come first and have no holes (checked by the unit test). */
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) enum { key_size_##name = 0
#define SB_KEY(table, type, member, array, format, unit, json, text) +(int)sizeof(type array)
#define SB_END(table)                                                                              \
    }                                                                                              \
    ;
#include <trivet/tables.def>

/* All that the layout depends on and sizes and offsets do not show: names and types. */
#define SB_TABLE(name, kind, owner, thread, capacity, full, text)                                  \
    static const char signature_##name[] = #name " " #kind
#define SB_KEY(table, type, member, array, format, unit, json, text)                               \
    ";key " #type " " #member #array " " #format " " unit
#define SB_COL(table, type, member, array, format, unit, json, text)                               \
    ";" #type " " #member #array " " #format " " unit
#define SB_PAD(table, member, bytes) ";pad " #bytes
#define SB_END(table) ;
#include <trivet/tables.def>

enum { THREAD_MAIN, THREAD_SHARD };

/* Constant but for `hash`, which hash_tables() sets before main(). */
static struct sb_table_info infos[SB_T_COUNT] = {
#define SB_TABLE(name_, kind_, owner_, thread_, capacity_, full_, text_)                           \
    [SB_T_##name_] = {                                                                             \
        .name = #name_,                                                                            \
        .owner = owner_,                                                                           \
        .text = text_,                                                                             \
        .kind = SB_##kind_,                                                                        \
        .full = SB_##full_,                                                                        \
        .sharded = THREAD_##thread_ == THREAD_SHARD,                                               \
        .row_size = sizeof(struct sb_##name_),                                                     \
        .key_size = key_size_##name_,                                                              \
        .capacity = capacity_,                                                                     \
        .columns = columns_##name_,                                                                \
        .n_columns = sizeof columns_##name_ / sizeof columns_##name_[0],                           \
    },
#include <trivet/tables.def>
};

static uint64_t
fnv(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

__attribute__((constructor)) static void
hash_tables(void)
{
    static const char *const signatures[] = {
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) [SB_T_##name] = signature_##name,
#include <trivet/tables.def>
    };

    for (int t = 0; t < SB_T_COUNT; t++) {
        struct sb_table_info *info = &infos[t];
        uint64_t hash = fnv(UINT64_C(0xcbf29ce484222325), signatures[t], strlen(signatures[t]));

        hash = fnv(hash, &info->row_size, sizeof info->row_size);
        for (int c = 0; c < info->n_columns; c++) {
            const struct sb_column *column = &info->columns[c];

            hash = fnv(hash, column->name, strlen(column->name) + 1);
            hash = fnv(hash, &column->offset, sizeof column->offset);
            hash = fnv(hash, &column->size, sizeof column->size);
            for (const struct sb_enum_value *v = column->values; v && v->text; v++) {
                hash = fnv(hash, &v->number, sizeof v->number);
                hash = fnv(hash, v->text, strlen(v->text) + 1);
            }
        }
        info->hash = hash;
    }
}

const struct sb_table_info *
sb_table_info(enum sb_table_id id)
{
    return (unsigned)id < SB_T_COUNT ? &infos[id] : NULL;
}

int
sb_table_by_name(const char *name)
{
    for (int t = 0; t < SB_T_COUNT; t++)
        if (strcmp(infos[t].name, name) == 0)
            return t;
    return SB_ENONE;
}

/* ---- text of a column ------------------------------------------------------------ */

static uint64_t
column_number(const struct sb_column *column, const uint8_t *p)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (column->size) {
    case 1:
        return column->is_signed ? (uint64_t)(int64_t)(int8_t)*p : *p;
    case 2:
        memcpy(&u16, p, sizeof u16);
        return column->is_signed ? (uint64_t)(int64_t)(int16_t)u16 : u16;
    case 4:
        memcpy(&u32, p, sizeof u32);
        return column->is_signed ? (uint64_t)(int64_t)(int32_t)u32 : u32;
    case 8:
        memcpy(&u64, p, sizeof u64);
        return u64;
    default:
        return 0; /* an array */
    }
}

static void
ip_text(const uint8_t *p, char *ret, size_t size)
{
    static const uint8_t none[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(p, none, sizeof none) == 0)
        snprintf(ret, size, "%s", "");
    else if (memcmp(p, mapped, sizeof mapped) == 0)
        snprintf(ret, size, "%u.%u.%u.%u", p[12], p[13], p[14], p[15]);
    else if (!inet_ntop(AF_INET6, p, ret, (socklen_t)size) && size > 0)
        ret[0] = 0;
}

char *
sb_column_text(const struct sb_column *column, const void *row, char *ret, size_t size)
{
    const uint8_t *p = (const uint8_t *)row + column->offset;
    uint64_t number = column_number(column, p);

    if (size == 0)
        return ret;
    switch (column->format) {
    case SB_DEC:
        if (column->is_signed)
            snprintf(ret, size, "%" PRId64, (int64_t)number);
        else
            snprintf(ret, size, "%" PRIu64, number);
        break;
    case SB_HEX16:
        snprintf(ret, size, "%016" PRIx64, number);
        break;
    case SB_HEX8:
        snprintf(ret, size, "%08" PRIx64, number);
        break;
    case SB_MAC:
        snprintf(ret, size, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
        break;
    case SB_IP:
        ip_text(p, ret, size);
        break;
    case SB_BOOL:
        snprintf(ret, size, "%s", number ? "true" : "false");
        break;
    case SB_ENUM_FORMAT:
        snprintf(ret, size, "%s", sb_enum_text(column->values, (uint32_t)number));
        break;
    case SB_TEXT: {
        /* Control characters would reach the terminal of whoever looks: they become '?'. */
        size_t n = strnlen((const char *)p, column->size), i;

        for (i = 0; i < n && i + 1 < size; i++)
            ret[i] = p[i] < 0x20 || p[i] == 0x7f ? '?' : (char)p[i];
        ret[i] = 0;
        break;
    }
    }
    return ret;
}

/* ---- JSON ------------------------------------------------------------------------- */

/* A bounded text; once it does not fit, `full` stays set. */
struct writer {
    char *at, *end; /* next byte; one behind the last, room for the final NUL kept */
    bool full;
};

static void
add(struct writer *w, const char *text, size_t n)
{
    if (w->full || (size_t)(w->end - w->at) < n) {
        w->full = true;
        return;
    }
    memcpy(w->at, text, n);
    w->at += n;
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none (RFC 3629, table 3-7 of Unicode). */
static size_t
utf8_length(const uint8_t *p, size_t n)
{
    size_t length;
    uint8_t low = 0x80, high = 0xbf;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        length = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        length = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* no overlong forms */
    else if (p[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* A JSON string. Bytes that are no UTF-8 become U+FFFD, so that the line stays valid JSON. */
static void
add_string(struct writer *w, const uint8_t *p, size_t n)
{
    add(w, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t length = utf8_length(p + i, n - i);
        char escape[8];

        if (length == 0) {
            add(w, "\\ufffd", 6);
            length = 1;
        } else if (p[i] == '"' || p[i] == '\\') {
            escape[0] = '\\';
            escape[1] = (char)p[i];
            add(w, escape, 2);
        } else if (p[i] < 0x20 || p[i] == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", p[i]);
            add(w, escape, 6);
        } else {
            add(w, (const char *)p + i, length);
        }
        i += length;
    }
    add(w, "\"", 1);
}

int
sb_row_json(enum sb_table_id id, const void *row, char *ret, size_t size)
{
    const struct sb_table_info *info = sb_table_info(id);
    struct writer w = {ret, ret + size - 1, false};

    if (!info || size == 0)
        return SB_EINVAL;
    for (int c = 0; c < info->n_columns; c++) {
        const struct sb_column *column = &info->columns[c];
        const uint8_t *p = (const uint8_t *)row + column->offset;
        char text[64];

        add(&w, c ? "," : "{", 1);
        add_string(&w, (const uint8_t *)column->name, strlen(column->name));
        add(&w, ":", 1);
        if (column->format == SB_TEXT) {
            add_string(&w, p, strnlen((const char *)p, column->size));
            continue;
        }
        sb_column_text(column, row, text, sizeof text);
        if (column->format == SB_DEC || column->format == SB_BOOL)
            add(&w, text, strlen(text));
        else
            add_string(&w, (const uint8_t *)text, strlen(text));
    }
    add(&w, "}", 1);
    if (w.full)
        return SB_EINVAL;
    *w.at = 0;
    return (int)(w.at - ret);
}

/* ---- validity: valid_<format>() of each column, valid_<table>() of all of them ---------- */

static inline bool
valid_any(const void *column, size_t size)
{
    (void)column;
    (void)size;
    return true;
}
#define valid_DEC valid_any
#define valid_HEX16 valid_any
#define valid_HEX8 valid_any
#define valid_MAC valid_any
#define valid_IP valid_any

static inline bool
valid_TEXT(const void *column, size_t size)
{
    return ((const char *)column)[size - 1] == 0;
}

static inline bool
valid_BOOL(const void *column, size_t size)
{
    return *(const uint8_t *)column <= 1 && size == 1;
}

static inline bool
valid_pad(const void *column, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)column)[i])
            return false;
    return true;
}

/* clang-format off */
#define SB_ENUM(name)                                                                              \
    static inline bool valid_ENUM_##name(const void *column, size_t size)                          \
    {                                                                                              \
        switch (*(const uint8_t *)column) {
#define SB_VALUE(name, symbol, number, text) case number:
#define SB_ENUM_END(name)                                                                          \
            return size == 1;                                                                      \
        default:                                                                                   \
            return false;                                                                          \
        }                                                                                          \
    }
#include <trivet/tables.def>

#define VALID(format, member) && valid_##format(&row->member, sizeof row->member)
#define SB_TABLE(name, kind, owner, thread, capacity, full, text)                                  \
    static bool valid_##name(const void *p)                                                        \
    {                                                                                              \
        const struct sb_##name *row = p;                                                           \
                                                                                                   \
        return true
#define SB_KEY(table, type, member, array, format, unit, json, text) VALID(format, member)
#define SB_COL(table, type, member, array, format, unit, json, text) VALID(format, member)
#define SB_PAD(table, member, bytes) VALID(pad, member)
#define SB_END(table) ; }
#include <trivet/tables.def>
/* clang-format on */

bool
sb_row_valid(enum sb_table_id id, const void *row)
{
    static bool (*const valid[])(const void *) = {
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) [SB_T_##name] = valid_##name,
#include <trivet/tables.def>
    };

    return valid[id](row);
}

/* ---- names of codes ----------------------------------------------------------------- */

const char *
sb_strerror(int error)
{
    static const char *const texts[] = {
        [-SB_OK] = "success",
        [-SB_EINVAL] = "bad argument",
        [-SB_ESYS] = "system error",
        [-SB_ENONE] = "not there",
        [-SB_ELAYOUT] = "foreign layout",
        [-SB_ENOTREADY] = "not ready yet",
        [-SB_EBUSY] = "row changes too fast",
        [-SB_EFULL] = "table full",
        [-SB_EOWNED] = "owned by another process",
        [-SB_ECORRUPT] = "corrupt segment",
        [-SB_ENOSPC] = "shared memory full",
    };

    if (error >= 0)
        return texts[0];
    if (error < SB_ENOSPC)
        return "unknown error";
    return texts[-error];
}

const char *
sb_phase_text(enum sb_phase phase)
{
    static const char *const texts[] = {"init", "restored", "reconciled", "running"};

    return (unsigned)phase < 4 ? texts[phase] : "?";
}

const char *
sb_liveness_text(enum sb_liveness liveness)
{
    static const char *const texts[] = {"alive", "stalled", "dead", "restarted"};

    return (unsigned)liveness < 4 ? texts[liveness] : "?";
}
