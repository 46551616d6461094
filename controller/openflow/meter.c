/* SPDX-License-Identifier: Apache-2.0
 *
 * meter.c - meters and their bands: METER_MOD, what the switch has, can do and counts.
 * Neighbours: multipart.c, group.c (counters). Any thread.
 * OpenFlow 1.3.5 sections 7.3.4.4, 7.3.5.12 to 7.3.5.14; 1.0 has no meters.
 *
 *  +-------------------------------+-------------------------------+
 *  |             type              |     length (16)               |   a band
 *  +-------------------------------+-------------------------------+
 *  |                             rate                              |
 *  +---------------------------------------------------------------+
 *  |                             burst                             |
 *  +---------------------------------------------------------------+
 *  |  0, or precedence level in 8 bits, or experimenter and data   |
 *  +---------------------------------------------------------------+
 */
#include "codec.h"

#include <trivet/openflow_stats.h>

#define MOD_SIZE 16
#define BAND_SIZE 16
#define BAND_HEADER 12
#define STATS_SIZE 40
#define CONFIG_SIZE 8
#define FEATURES_SIZE 16

/* ---- bands ------------------------------------------------------------------------------- */

int
of_next_band(struct of_cursor *bands, struct of_band *ret)
{
    const uint8_t *p = bands->p;
    uint32_t size;

    if (bands->left == 0)
        return 0;
    if (bands->left < BAND_HEADER)
        return OF_ESHORT;
    size = of_get16(p + 2);
    if (size < BAND_HEADER || size > bands->left)
        return OF_ELENGTH;
    memset(ret, 0, sizeof(*ret));
    ret->type = of_get16(p);
    ret->rate = of_get32(p + 4);
    ret->burst = of_get32(p + 8);
    switch (ret->type) {
    case OFPMBT_DROP:
    case OFPMBT_DSCP_REMARK:
        if (size != BAND_SIZE)
            return OF_ELENGTH;
        if (ret->type == OFPMBT_DSCP_REMARK)
            ret->prec_level = p[12];
        break;
    case OFPMBT_EXPERIMENTER:
        if (size < BAND_SIZE)
            return OF_ELENGTH;
        ret->experimenter = of_get32(p + 12);
        ret->data = of_rest(p + BAND_SIZE, size - BAND_SIZE);
        break;
    default:
        ret->data = of_rest(p + BAND_HEADER, size - BAND_HEADER);
    }
    of_skip(bands, size);
    return 1;
}

void
of_add_band(struct of_buffer *list, const struct of_band *band)
{
    bool known = band->type == OFPMBT_DROP || band->type == OFPMBT_DSCP_REMARK;
    uint32_t head = known || band->type == OFPMBT_EXPERIMENTER ? BAND_SIZE : BAND_HEADER;
    uint32_t more = known ? 0 : band->data.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - head ? of_grow(list, head + more) : NULL;

    if (!p) {
        of_refuse(list);
        return;
    }
    memset(p, 0, head);
    of_store16(p, band->type);
    of_store16(p + 2, (uint16_t)(head + more));
    of_store32(p + 4, band->rate);
    of_store32(p + 8, band->burst);
    if (band->type == OFPMBT_DSCP_REMARK)
        p[12] = band->prec_level;
    else if (band->type == OFPMBT_EXPERIMENTER)
        of_store32(p + 12, band->experimenter);
    of_copy(p + head, band->data.p, more);
}

static int
check_bands(struct of_cursor c, const uint8_t **at)
{
    struct of_band band;
    int error;

    while (*at = c.p, (error = of_next_band(&c, &band)) > 0)
        ;
    return error;
}

static const char *const flag_names[] = {"kbps", "pktps", "burst", "stats"};
static const char *const band_names[] = {
    [OFPMBT_DROP] = "drop", [OFPMBT_DSCP_REMARK] = "dscp_remark"};

static void
say_bands(struct of_printer *printer, struct of_cursor bands)
{
    struct of_band band;

    while (of_next_band(&bands, &band) > 0) {
        of_say(printer, " band={type=");
        if (band.type == OFPMBT_EXPERIMENTER)
            of_say(printer, "experimenter");
        else
            OF_SAY_NAME(printer, band.type, band_names);
        of_say(printer, " rate=%u", band.rate);
        if (band.burst)
            of_say(printer, " burst_size=%u", band.burst);
        if (band.type == OFPMBT_DSCP_REMARK)
            of_say(printer, " prec_level=%u", band.prec_level);
        if (band.type == OFPMBT_EXPERIMENTER)
            of_say(printer, " experimenter=0x%x", band.experimenter);
        if (band.data.left) {
            of_say(printer, " data=");
            of_say_hex(printer, band.data.p, band.data.left);
        }
        of_say(printer, "}");
    }
}

void
of_say_meter(struct of_printer *printer, const char *name, uint32_t meter)
{
    static const char *const reserved[] = {"SLOWPATH", "CONTROLLER", "ALL"};

    if (meter >= OFPM_SLOWPATH)
        of_say(printer, "%s%s", name, reserved[meter - OFPM_SLOWPATH]);
    else
        of_say(printer, "%s%u", name, meter);
}

/* ---- METER_MOD ----------------------------------------------------------------------------- */

int
of_decode_meter_mod(const uint8_t *m, struct of_meter_mod *ret, struct of_where *where)
{
    struct of_cursor bands = of_rest(m + MOD_SIZE, of_length(m) - (uint32_t)MOD_SIZE);
    const uint8_t *at;
    int error;

    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    if (of_get16(m + 8) > OFPMC_DELETE)
        return of_fail(where, m, m + 8, "command", OF_EVALUE);
    error = check_bands(bands, &at);
    if (error)
        return of_fail(where, m, at, "band", error);
    ret->command = of_get16(m + 8);
    ret->flags = of_get16(m + 10);
    ret->meter = of_get32(m + 12);
    ret->bands = bands;
    return OF_OK;
}

void
of_put_meter_mod(struct of_buffer *b, uint32_t xid, const struct of_meter_mod *mod)
{
    uint8_t *p = of_begin(b, OF13, OFPT13_METER_MOD, xid, MOD_SIZE, mod->bands.left);

    if (!p)
        return;
    of_store16(p + 8, mod->command);
    of_store16(p + 10, mod->flags);
    of_store32(p + 12, mod->meter);
    of_copy(p + MOD_SIZE, mod->bands.p, mod->bands.left);
}

static void
say_meter_mod(struct of_printer *printer, const struct of_meter_mod *mod)
{
    of_say_meter(printer, "meter=", mod->meter);
    of_say(printer, " flags=");
    OF_SAY_FLAGS(printer, mod->flags, flag_names);
    say_bands(printer, mod->bands);
}

int
of_print_meter_mod(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const commands[] = {"ADD", "MODIFY", "DELETE"};
    struct of_meter_mod mod;
    int error = of_decode_meter_mod(m, &mod, where);

    if (error)
        return error;
    of_say(printer, " %s ", commands[mod.command]);
    say_meter_mod(printer, &mod);
    return OF_OK;
}

/* ---- METER_CONFIG ---------------------------------------------------------------------------- */

int
of_next_meter_config(struct of_cursor *body, struct of_meter_mod *ret)
{
    const uint8_t *p = body->p, *at;
    struct of_cursor bands;
    uint32_t size;
    int error;

    if (body->left == 0)
        return 0;
    if (body->left < CONFIG_SIZE)
        return OF_ESHORT;
    size = of_get16(p);
    if (size < CONFIG_SIZE || size > body->left)
        return OF_ELENGTH;
    bands = of_rest(p + CONFIG_SIZE, size - CONFIG_SIZE);
    error = check_bands(bands, &at);
    if (error)
        return error;
    ret->command = OFPMC_ADD;
    ret->flags = of_get16(p + 2);
    ret->meter = of_get32(p + 4);
    ret->bands = bands;
    of_skip(body, size);
    return 1;
}

void
of_add_meter_config(struct of_buffer *b, const struct of_meter_mod *meter)
{
    uint32_t more = meter->bands.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - CONFIG_SIZE ? of_grow(b, CONFIG_SIZE + more) : NULL;

    if (!p) {
        of_refuse(b);
        return;
    }
    of_store16(p, (uint16_t)(CONFIG_SIZE + more));
    of_store16(p + 2, meter->flags);
    of_store32(p + 4, meter->meter);
    of_copy(p + CONFIG_SIZE, meter->bands.p, more);
}

int
of_print_meter_configs(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_meter_mod meter;
    int error;

    (void)version;
    while ((error = of_next_meter_config(body, &meter)) > 0) {
        of_say(printer, " [");
        say_meter_mod(printer, &meter);
        of_say(printer, "]");
    }
    return error;
}

/* ---- METER, METER_FEATURES --------------------------------------------------------------------
 */

int
of_next_meter_stats(struct of_cursor *body, struct of_meter_stats *ret)
{
    const uint8_t *p = body->p;
    uint32_t size;

    if (body->left == 0)
        return 0;
    if (body->left < STATS_SIZE)
        return OF_ESHORT;
    size = of_get16(p + 4);
    if (size < STATS_SIZE || size > body->left || (size - STATS_SIZE) % 16)
        return OF_ELENGTH;
    ret->meter = of_get32(p);
    ret->flows = of_get32(p + 12);
    ret->packets = of_get64(p + 16);
    ret->bytes = of_get64(p + 24);
    ret->duration_s = of_get32(p + 32);
    ret->duration_ns = of_get32(p + 36);
    ret->counters = of_rest(p + STATS_SIZE, size - STATS_SIZE);
    of_skip(body, size);
    return 1;
}

void
of_add_meter_stats(struct of_buffer *b, const struct of_meter_stats *stats)
{
    uint32_t more = stats->counters.left;
    uint8_t *p = more <= OF_MESSAGE_MAX - STATS_SIZE ? of_grow(b, STATS_SIZE + more) : NULL;

    if (!p) {
        of_refuse(b);
        return;
    }
    of_store32(p, stats->meter);
    of_store64(p + 4, (uint64_t)(STATS_SIZE + more) << 48);
    of_store32(p + 12, stats->flows);
    of_store64(p + 16, stats->packets);
    of_store64(p + 24, stats->bytes);
    of_store32(p + 32, stats->duration_s);
    of_store32(p + 36, stats->duration_ns);
    of_copy(p + STATS_SIZE, stats->counters.p, more);
}

int
of_print_meter_stats(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_meter_stats stats;
    int error;

    (void)version;
    while ((error = of_next_meter_stats(body, &stats)) > 0) {
        of_say(printer, " [");
        of_say_meter(printer, "meter=", stats.meter);
        of_say(printer, " flows=%u", stats.flows);
        of_say_counter(printer, "packets", stats.packets);
        of_say_counter(printer, "bytes", stats.bytes);
        of_say_duration(printer, stats.duration_s, stats.duration_ns);
        of_say_counters(printer, "band", stats.counters);
        of_say(printer, "]");
    }
    return error;
}

int
of_next_meter_features(struct of_cursor *body, struct of_meter_features *ret)
{
    const uint8_t *p;

    if (body->left == 0)
        return 0;
    if (!of_take(body, FEATURES_SIZE, &p))
        return OF_ESHORT;
    ret->max_meters = of_get32(p);
    ret->band_types = of_get32(p + 4);
    ret->capabilities = of_get32(p + 8);
    ret->max_bands = p[12];
    ret->max_color = p[13];
    return 1;
}

void
of_add_meter_features(struct of_buffer *b, const struct of_meter_features *features)
{
    uint8_t *p = of_grow(b, FEATURES_SIZE);

    if (!p)
        return;
    of_store32(p, features->max_meters);
    of_store32(p + 4, features->band_types);
    of_store32(p + 8, features->capabilities);
    of_store32(p + 12, (uint32_t)features->max_bands << 24 | (uint32_t)features->max_color << 16);
}

int
of_print_meter_features(struct of_printer *printer, uint8_t version, struct of_cursor *body)
{
    struct of_meter_features f;
    int error;

    (void)version;
    while ((error = of_next_meter_features(body, &f)) > 0) {
        of_say(printer, " max_meter=%u max_bands=%u max_color=%u band_types=", f.max_meters,
               f.max_bands, f.max_color);
        OF_SAY_FLAGS(printer, f.band_types, band_names);
        of_say(printer, " capabilities=");
        OF_SAY_FLAGS(printer, f.capabilities, flag_names);
    }
    return error;
}
