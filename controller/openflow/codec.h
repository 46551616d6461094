/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - what the files of the codec share: the rows of its tables, stores in network order, the
 * printer. Private to this folder; the public face is <trivet/openflow.h>.
 */
#ifndef OPENFLOW_CODEC_H
#define OPENFLOW_CODEC_H

#include <string.h>

#include <trivet/openflow.h>

/* ---- stores in network order ------------------------------------------------- */

static inline void
of_store16(uint8_t *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}

static inline void
of_store32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void
of_store64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the stores swap always");

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
    const char *name;         /* as in the spec, without prefix; NULL: no such type */
    uint16_t minimum;         /* smallest possible length of the whole message */
    of_print_function *print; /* NULL: the header says it all, or the body is shown by size */
};

/* The row of a type, or NULL and *ret_error. */
const struct of_row *of_row(uint8_t version, uint8_t type, int *ret_error);
const char *of_multipart_name(uint16_t type);

/* ---- oxm.c ---------------------------------------------------------------------- */

#define OF_OXM_IN_PORT UINT32_C(0x80000004)
#define OF_OXM_ETH_DST UINT32_C(0x80000606)
#define OF_OXM_ETH_SRC UINT32_C(0x80000806)
#define OF_OXM_VLAN_VID UINT32_C(0x80000c02)

/* Size of an ofp_match with its padding, at p with n bytes to come, or OF_ESHORT, OF_ELENGTH. */
int of_match_size(const uint8_t *p, uint32_t n);
/* Decodes an ofp_match that of_match_size() accepted. On error *at is the TLV at fault. */
int of_match_decode(const uint8_t *p, struct of_match *ret, const uint8_t **at);
/* Port of the first IN_PORT of an ofp_match that of_match_size() accepted. */
int of_match_in_port(const uint8_t *p, uint32_t *ret);
/* Size on the wire with padding; 0 when the match holds what cannot be encoded. */
uint32_t of_match_wire_size(const struct of_match *match);
/* Writes it and returns the end; the caller made sure of the room. */
uint8_t *of_match_encode(uint8_t *p, const struct of_match *match);
void of_match_print(struct of_printer *printer, const uint8_t *p);
void of_oxm_print(struct of_printer *printer, const uint8_t *tlv, uint32_t size);

/* ---- action.c -------------------------------------------------------------------- */

/* Size on the wire of a list; 0 and *ret_bad when one of them cannot be encoded. */
uint32_t of_actions_wire_size(const struct of_action *actions, unsigned n, bool *ret_bad);
uint8_t *of_actions_encode(uint8_t *p, const struct of_action *actions, unsigned n);
/* Walks instructions: finds the apply-actions list, OF_A_* undecoded. On error *at is where. */
int of_instructions_decode(const uint8_t *p, uint32_t size, const uint8_t **ret_actions,
                           uint16_t *ret_size, bool *ret_other, const uint8_t **at);
int of_actions_print(struct of_printer *printer, const uint8_t *p, uint32_t size,
                     const uint8_t **at);
int of_instructions_print(struct of_printer *printer, const uint8_t *p, uint32_t size,
                          const uint8_t **at);

/* ---- encode.c ------------------------------------------------------------------- */

/* Room for a message of that size, its header written; NULL and the sticky error when there is
 * none. Sizes that callers give may be anything: they come as `more`, so that no sum can wrap. */
uint8_t *of_begin(struct of_buffer *b, uint8_t version, uint8_t type, uint32_t xid, uint32_t fixed,
                  size_t more);
/* The same for a multipart of OF1.3; the body of `size` bytes is to be written at what it returns.
 */
uint8_t *of_begin_multipart(struct of_buffer *b, uint8_t type, uint32_t xid, uint16_t multipart,
                            uint16_t flags, size_t size);

/* ---- group.c -------------------------------------------------------------------- */

/* The entries of a GROUP_DESC reply, which lie in message m. */
int of_print_groups(struct of_printer *printer, struct of_cursor body, const uint8_t *m,
                    struct of_where *where);

/* ---- print.c ----------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) void of_say(struct of_printer *printer, const char *format,
                                                  ...);
void of_say_port(struct of_printer *printer, const char *name, uint32_t port);
void of_say_mac(struct of_printer *printer, const uint8_t mac[6]);

of_print_function of_print_hello, of_print_error, of_print_echo, of_print_features_reply,
    of_print_config, of_print_packet_in, of_print_flow_removed, of_print_port_status,
    of_print_packet_out, of_print_flow_mod, of_print_group_mod, of_print_multipart, of_print_role;

#endif
