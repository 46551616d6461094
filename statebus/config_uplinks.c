/* SPDX-License-Identifier: Apache-2.0
 *
 * config_uplinks.c - controller.round-robin.switches: {dpid: [port, ...], ...}
 *
 * Neighbours: config.c calls it after libcyaml has checked the rest. Its keys are data, not names,
 * which a libcyaml schema cannot say, so the schema ignores this subtree and it is read from the
 * document. Threads: main.
 */
#include "config_document.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY "controller.round-robin.switches"
#define PORT_MAX UINT64_C(0xffffff00) /* OFPP_MAX, OpenFlow 1.3.5 section A.2.1 */

static int
read_ports(struct document *doc, const yaml_node_t *list, struct sb_config_uplinks *uplinks)
{
    const yaml_node_item_t *item = list->data.sequence.items.start;
    size_t n;

    if (list->type != YAML_SEQUENCE_NODE || item == list->data.sequence.items.top)
        return node_error(doc, list, KEY, "give a list of ports, at least one, as in {2: [1, 2]}");
    n = (size_t)(list->data.sequence.items.top - item);
    uplinks->ports = calloc(n, sizeof *uplinks->ports);
    if (!uplinks->ports)
        return document_error(doc, 0, 0, KEY, "out of memory");
    for (; item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(&doc->yaml, *item);
        const char *text = node_text(node);
        uint64_t port;

        if (!text || !parse_number(text, &port) || port < 1 || port > PORT_MAX)
            return node_error(doc, node, KEY, "'%.40s' is not a port: give 1 to 0x%" PRIx64,
                              text ? text : "(a list or mapping)", PORT_MAX);
        for (unsigned i = 0; i < uplinks->n_ports; i++) {
            if (uplinks->ports[i] == port)
                return node_error(doc, node, KEY, "port %" PRIu64 " is there twice", port);
        }
        /* Duplicates are looked for one by one; a switch has not more uplinks than this. */
        if (uplinks->n_ports == 256)
            return node_error(doc, node, KEY, "more than 256 ports of one switch");
        uplinks->ports[uplinks->n_ports++] = (uint32_t)port;
    }
    return 0;
}

static int
by_dpid(const void *a, const void *b)
{
    uint64_t x = ((const struct sb_config_uplinks *)a)->dpid;
    uint64_t y = ((const struct sb_config_uplinks *)b)->dpid;

    return (x > y) - (x < y);
}

int
config_uplinks(struct document *doc, struct sb_config *config)
{
    yaml_node_t *map = document_find(doc, KEY);
    const yaml_node_pair_t *pair;

    if (!map || (node_text(map) && !*node_text(map)))
        return 0; /* absent, or "switches:" with nothing behind it */
    if (map->type != YAML_MAPPING_NODE)
        return node_error(doc, map, KEY, "give a mapping of dpids to ports, as {2: [1, 2]}");
    pair = map->data.mapping.pairs.start;
    if (pair == map->data.mapping.pairs.top)
        return 0;
    config->controller.uplinks =
        calloc((size_t)(map->data.mapping.pairs.top - pair), sizeof *config->controller.uplinks);
    if (!config->controller.uplinks)
        return document_error(doc, 0, 0, KEY, "out of memory");
    for (; pair < map->data.mapping.pairs.top; pair++) {
        struct sb_config_uplinks *uplinks =
            &config->controller.uplinks[config->controller.n_uplinks];
        const yaml_node_t *key = yaml_document_get_node(&doc->yaml, pair->key);

        if (!parse_number(node_text(key), &uplinks->dpid))
            return node_error(doc, key, KEY,
                              "'%.40s' is not a dpid: give it in decimal or with 0x in hex",
                              node_text(key));
        config->controller.n_uplinks++; /* from here on sb_config_free() frees its ports */
        if (read_ports(doc, yaml_document_get_node(&doc->yaml, pair->value), uplinks))
            return -1;
    }
    qsort(config->controller.uplinks, config->controller.n_uplinks,
          sizeof *config->controller.uplinks, by_dpid);
    for (unsigned i = 1; i < config->controller.n_uplinks; i++) {
        uint64_t dpid = config->controller.uplinks[i].dpid;

        if (dpid == config->controller.uplinks[i - 1].dpid)
            return node_error(doc, map, KEY, "dpid 0x%" PRIx64 " is there twice", dpid);
    }
    return 0;
}
