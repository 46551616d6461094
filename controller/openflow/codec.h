/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - what the files of the codec share: the rows of its tables and the printer. Private to
 * this folder; the public face is <trivet/openflow.h>.
 */
#ifndef OPENFLOW_CODEC_H
#define OPENFLOW_CODEC_H

#include <string.h>

#include <trivet/openflow.h>

static inline uint32_t
of_pad8(uint32_t n)
{
    return (n + 7) & ~UINT32_C(7);
}

/* Says where decoding failed and passes the error on. */
static inline int
of_fail(struct of_where *where, const uint8_t *message, const uint8_t *at, const char *field,
        int error)
{
    if (where)
        *where = (struct of_where){.offset = (uint32_t)(at - message), .field = field};
    return error;
}

/* OF1.0 has 16-bit port numbers; its reserved ports keep their meaning in 32 bits (1.0.0, 5.2.1).
 */
static inline uint32_t
of_port_from10(uint16_t port)
{
    return port >= 0xff00 ? UINT32_C(0xffff0000) | port : port;
}

/* The other way; false when 16 bits cannot say it. */
static inline bool
of_port_to10(uint32_t port, uint16_t *ret)
{
    *ret = (uint16_t)port;
    return port < 0xff00 || port >= OFPP_MAX;
}

static inline uint16_t
of_length(const uint8_t *m)
{
    return of_get16(m + 2);
}

static inline void
of_copy(uint8_t *to, const void *from, size_t size)
{
    if (size) /* from may be NULL then, which memcpy() does not take */
        memcpy(to, from, size);
}

/* The fixed text of a peer, which need not end with NUL. */
static inline void
of_text(char *ret, const uint8_t *p, size_t size)
{
    memcpy(ret, p, size);
    ret[size] = '\0';
}

static inline struct of_cursor
of_rest(const uint8_t *p, size_t size)
{
    return (struct of_cursor){p, (uint32_t)size};
}

/* ---- message.c ---------------------------------------------------------------- */

struct of_printer {
    char *text;     /* where the line grows; always ends with NUL */
    size_t size;    /* of text */
    size_t len;     /* written so far, without NUL */
    bool truncated; /* something did not fit */
};

/* Prints the body of one message. Returns OF_OK or the error that stopped it, *where filled. */
typedef int of_print_function(struct of_printer *printer, const uint8_t *m, struct of_where *where);

struct of_row {
    const char *name; /* as in the spec, without prefix; NULL: no such type */
    uint16_t size;    /* of the whole message, or its smallest */
    enum { AT_LEAST, FIXED } size_is;
    of_print_function *print; /* NULL: the header says it all, or the body is shown by size */
};

/* The row of a type, or NULL and *ret_error. */
const struct of_row *of_row(uint8_t version, uint8_t type, int *ret_error);

/* ---- oxm.c ---------------------------------------------------------------------- */

#define OF_OXM_IN_PORT UINT32_C(0x80000004)
#define OF_OXM_ETH_DST UINT32_C(0x80000606)
#define OF_OXM_ETH_SRC UINT32_C(0x80000806)
#define OF_OXM_VLAN_VID UINT32_C(0x80000c02)

/* Size of an ofp_match with its padding, at p with n bytes to come, or OF_ESHORT, OF_ELENGTH. */
int of_match_size(const uint8_t *p, uint32_t n);
/* The list of fields in an ofp_match that of_match_size() accepted. */
struct of_cursor of_match_list(const uint8_t *p);
/* Decodes an ofp_match that of_match_size() accepted. On error *at is the TLV at fault. */
int of_match_decode(const uint8_t *p, struct of_match *ret, const uint8_t **at);
/* Port of the first IN_PORT of an ofp_match that of_match_size() accepted. */
int of_match_in_port(const uint8_t *p, uint32_t *ret);
/* Size on the wire with padding; 0 when the match holds what cannot be encoded. oxm is taken in its
 * place when it has OF_M_OTHER. */
uint32_t of_match_wire_size(const struct of_match *match, const struct of_cursor *oxm);
/* Writes it and returns the end; the caller made sure of the room. */
uint8_t *of_match_encode(uint8_t *p, const struct of_match *match, const struct of_cursor *oxm);
uint8_t *of_oxm_list_encode(uint8_t *p, const struct of_cursor *oxm);
/* Fails only where no decoder has seen the match. On error *at is the TLV at fault. */
int of_match_print(struct of_printer *printer, const uint8_t *p, const uint8_t **at);
/* The fields of the struct, in the order of their bits. */
void of_match_say(struct of_printer *printer, const struct of_match *match);
void of_oxm_print(struct of_printer *printer, const uint8_t *tlv, uint32_t size);

/* ---- oxm_extension.c -------------------------------------------------------------------- */

enum of_format { /* how a value prints */
                 OF_FORMAT_DECIMAL,
                 OF_FORMAT_HEX,
                 OF_FORMAT_MAC,
                 OF_FORMAT_IPV4,
                 OF_FORMAT_IPV6,
                 OF_FORMAT_PORT
};

#define OF_ANY_SIZE 0

struct of_oxm_extension {
    const char *name;      /* as ovs-ofctl prints it; a row of several: without the number */
    uint16_t class;        /* of the TLV */
    uint32_t experimenter; /* class EXPERIMENTER */
    uint8_t first, last;   /* fields */
    uint8_t size;          /* of the value, or OF_ANY_SIZE */
    uint8_t format;        /* enum of_format */
};

/* NULL when it is none we know. */
const struct of_oxm_extension *of_oxm_extension(uint16_t class, uint32_t experimenter,
                                                uint8_t field);
/* The name of any field, or its class and number. */
void of_say_oxm_name(struct of_printer *printer, uint16_t class, uint32_t experimenter,
                     uint8_t field);

/* ---- match10.c -------------------------------------------------------------------- */

#define OF_MATCH10_SIZE 40

/* Any 40 bytes are a match. */
void of_match10_decode(const uint8_t *p, struct of_match *ret);
/* Can 1.0 say it? */
bool of_match10_fits(const struct of_match *match);
/* Writes one that fits. */
void of_match10_encode(uint8_t *p, const struct of_match *match);

/* ---- action.c, action10.c --------------------------------------------------------- */

#define OF_ACTION_HEADER 4 /* u16 type, u16 length with padding */

/* The bytes of the next action: 1, 0 at the end, or an error. A step takes at least 8 bytes. */
int of_next_raw(struct of_cursor *c, const uint8_t **ret, uint16_t *ret_size);
/* Size on the wire of a list; 0 and *ret_bad when one of them cannot be encoded. */
uint32_t of_actions_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad);
uint8_t *of_actions_encode(uint8_t *p, const struct of_action *actions, unsigned n);

static inline void
of_output_encode(uint8_t *p, const struct of_action *action)
{
    of_store32(p, 16); /* OFPAT_OUTPUT is 0 */
    of_store32(p + 4, action->port);
    of_store64(p + 8, (uint64_t)action->max_len << 48);
}

/* The same two, where nearly every list is one output: hot. */
static inline uint32_t
of_actions_hot_size(const struct of_action *actions, unsigned n, bool *ret_bad)
{
    if (n == 1 && actions->type == OF_A_OUTPUT)
        return 16;
    return of_actions_wire_size(actions, n, ret_bad);
}

static inline uint8_t *
of_actions_hot_encode(uint8_t *p, const struct of_action *actions, unsigned n)
{
    if (n != 1 || actions->type != OF_A_OUTPUT)
        return of_actions_encode(p, actions, n);
    of_output_encode(p, actions);
    return p + 16;
}

int of_actions_print(struct of_printer *printer, uint8_t version, const uint8_t *p, uint32_t size,
                     const uint8_t **at);
/* "output", by its number on the wire; NULL when it is not known */
const char *of_action_name(uint16_t wire);
/* A SET_FIELD, EXPERIMENTER or OTHER as it stands in raw: its size, 0 when that is none. */
uint32_t of_raw_action_size(const struct of_action *action);

int of_next_action10(struct of_cursor *actions, struct of_action *ret);
uint32_t of_actions10_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad);
uint8_t *of_actions10_encode(uint8_t *p, const struct of_action *actions, unsigned n);
void of_action10_print(struct of_printer *printer, const struct of_action *action);

/* ---- instruction.c ------------------------------------------------------------------ */

/* Walks instructions: finds the apply-actions list, OF_A_* undecoded. On error *at is where. */
int of_instructions_decode(const uint8_t *p, uint32_t size, const uint8_t **ret_actions,
                           uint16_t *ret_size, bool *ret_other, const uint8_t **at);
int of_instructions_print(struct of_printer *printer, const uint8_t *p, uint32_t size,
                          const uint8_t **at);

/* ---- buffer.c ------------------------------------------------------------------- */

/* Room for a message of that size, its header written; NULL and the sticky error when there is
 * none. Sizes that callers give may be anything: they come as `more`, so that no sum can wrap. Hot.
 */
static inline uint8_t *
of_begin(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint32_t fixed,
         size_t more)
{
    uint8_t *p = b->data + b->len;
    size_t size = fixed + more;

    if (b->full || more > OF_MESSAGE_MAX || size > OF_MESSAGE_MAX || size > b->size - b->len) {
        b->full = true;
        return NULL;
    }
    p[0] = version;
    p[1] = type;
    of_store16(p + 2, (uint16_t)size);
    of_store32(p + 4, xid);
    b->len += size;
    return p;
}

/* The same for a multipart of OF1.3; the body of `size` bytes is to be written at what it returns.
 */
uint8_t *of_begin_multipart(struct of_buffer *b, uint8_t type, uint32_t xid, uint16_t multipart,
                            uint16_t flags, size_t size);
/* The sticky error for what cannot be said. */
static inline void
of_refuse(struct of_buffer *b)
{
    b->full = true;
}

/* ---- print.c ----------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) void of_say(struct of_printer *printer, const char *format,
                                                  ...);
void of_say_port(struct of_printer *printer, const char *name, uint32_t port);
/* The port alone: "LOCAL", "7" */
void of_say_port_number(struct of_printer *printer, uint32_t port);
void of_say_mac(struct of_printer *printer, const uint8_t mac[6]);
/* Up to 64 bytes in hex, then their number */
void of_say_hex(struct of_printer *printer, const uint8_t *p, uint32_t size);
/* Text of a peer: nothing but printable ASCII leaves here. */
void of_say_text(struct of_printer *printer, const char *text);
/* The names of the bits that are set, joined by '|', others in hex; "0" for none. */
void of_say_flags(struct of_printer *printer, uint32_t value, const char *const *names, size_t n);
/* The name of a value, or its number. */
void of_say_name(struct of_printer *printer, uint32_t value, const char *const *names, size_t n);
#define OF_LEN(table) (sizeof(table) / sizeof((table)[0]))
#define OF_SAY_FLAGS(printer, value, names) of_say_flags(printer, value, names, OF_LEN(names))
#define OF_SAY_NAME(printer, value, names) of_say_name(printer, value, names, OF_LEN(names))
void of_say_buffer(struct of_printer *printer, uint32_t buffer_id);
/* What a switch does not count is all ones ("Counters" in section 5), and is not said. */
void of_say_counter(struct of_printer *printer, const char *name, uint64_t value);
void of_say_duration(struct of_printer *printer, uint32_t seconds, uint32_t nanoseconds);

/* name: with what separates it from the value, " out_group:" */
void of_say_group(struct of_printer *printer, const char *name, uint32_t group);
void of_say_meter(struct of_printer *printer, const char *name, uint32_t meter);
void of_say_table(struct of_printer *printer, const char *name, uint8_t table_id);
void of_say_counters(struct of_printer *printer, const char *name, struct of_cursor counters);
void of_say_port_desc(struct of_printer *printer, uint8_t version, const struct of_port *port);

of_print_function of_print_hello, of_print_error, of_print_echo, of_print_experimenter,
    of_print_features_reply, of_print_config, of_print_packet_in, of_print_flow_removed,
    of_print_port_status, of_print_packet_out, of_print_flow_mod, of_print_group_mod,
    of_print_port_mod, of_print_table_mod, of_print_multipart, of_print_queue_config, of_print_role,
    of_print_async, of_print_meter_mod;

/* Prints the entries of a multipart reply. On error body->p is where. */
typedef int of_print_body_function(struct of_printer *printer, uint8_t version,
                                   struct of_cursor *body);
of_print_body_function of_print_flows, of_print_aggregate, of_print_table_stats,
    of_print_port_stats, of_print_queue_stats, of_print_group_stats, of_print_groups,
    of_print_group_features, of_print_meter_stats, of_print_meter_configs, of_print_meter_features,
    of_print_table_features, of_print_port_descs;

#endif
