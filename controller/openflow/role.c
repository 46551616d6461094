/* SPDX-License-Identifier: Apache-2.0
 *
 * role.c - several controllers on one switch: ROLE says who may write, ASYNC what each is told.
 * Neighbours: session.c. Any thread. OpenFlow 1.3.5 sections 7.3.9 and 7.3.10; 1.0 has neither.
 */
#include "codec.h"

#include <trivet/openflow_config.h>

#define ROLE_SIZE 24
#define ASYNC_SIZE 32

int
of_decode_role(const uint8_t *m, struct of_role *ret, struct of_where *where)
{
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    ret->role = of_get32(m + 8);
    ret->generation_id = of_get64(m + 16);
    return OF_OK;
}

void
of_put_role(struct of_buffer *b, uint8_t type, uint32_t xid, const struct of_role *role)
{
    uint8_t *p = of_begin(b, OF13, type, xid, ROLE_SIZE, 0);

    if (!p)
        return;
    of_store64(p + 8, (uint64_t)role->role << 32);
    of_store64(p + 16, role->generation_id);
}

int
of_print_role(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const roles[] = {"NOCHANGE", "EQUAL", "MASTER", "SLAVE"};
    struct of_role role;
    int error = of_decode_role(m, &role, where);

    if (error)
        return error;
    of_say(printer, " role=");
    OF_SAY_NAME(printer, role.role, roles);
    of_say(printer, " generation_id=%lu", (unsigned long)role.generation_id);
    return OF_OK;
}

int
of_decode_async(const uint8_t *m, struct of_async *ret, struct of_where *where)
{
    if (m[0] != OF13)
        return of_fail(where, m, m, "version", OF_EVERSION);
    for (unsigned i = 0; i < 2; i++) {
        ret->packet_in[i] = of_get32(m + 8 + 4 * i);
        ret->port_status[i] = of_get32(m + 16 + 4 * i);
        ret->flow_removed[i] = of_get32(m + 24 + 4 * i);
    }
    return OF_OK;
}

void
of_put_async(struct of_buffer *b, uint8_t type, uint32_t xid, const struct of_async *async)
{
    uint8_t *p = of_begin(b, OF13, type, xid, ASYNC_SIZE, 0);

    for (unsigned i = 0; p && i < 2; i++) {
        of_store32(p + 8 + 4 * i, async->packet_in[i]);
        of_store32(p + 16 + 4 * i, async->port_status[i]);
        of_store32(p + 24 + 4 * i, async->flow_removed[i]);
    }
}

int
of_print_async(struct of_printer *printer, const uint8_t *m, struct of_where *where)
{
    static const char *const sides[] = {"master", "slave"};
    static const char *const packet_in[] = {"no_match", "action", "invalid_ttl"};
    static const char *const port_status[] = {"add", "delete", "modify"};
    static const char *const flow_removed[] = {"idle", "hard", "delete", "group_delete"};
    struct of_async async;
    int error = of_decode_async(m, &async, where);

    for (unsigned i = 0; !error && i < 2; i++) {
        of_say(printer, " %s={packet_in=", sides[i]);
        OF_SAY_FLAGS(printer, async.packet_in[i], packet_in);
        of_say(printer, " port_status=");
        OF_SAY_FLAGS(printer, async.port_status[i], port_status);
        of_say(printer, " flow_removed=");
        OF_SAY_FLAGS(printer, async.flow_removed[i], flow_removed);
        of_say(printer, "}");
    }
    return error;
}
