/* SPDX-License-Identifier: Apache-2.0
 *
 * config_document.h - a YAML file as a tree whose nodes know their line and column.
 * Private to config*.c; the contract with the rest is trivet/config.h. Main thread.
 */
#ifndef TRIVET_CONFIG_DOCUMENT_H
#define TRIVET_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>
#include <trivet/config.h>

struct document {
    const char *path; /* of the file; borrowed */
    char *message;    /* SB_CONFIG_MESSAGE_MAX bytes for the first error; borrowed */
    uint8_t *text;    /* owned */
    size_t size;      /* bytes of text */
    yaml_document_t yaml;
    bool loaded; /* yaml is to be deleted */
    bool empty;  /* nothing in it but comments */
};

/* ---- config_document.c ---- */

/* Reads and parses; refuses what no config needs (aliases, several documents, deep nesting, keys
 * that are no scalars, more than 1 MiB). 0, or -1 with the message filled. Free it in both cases.
 */
int document_load(struct document *doc, const char *path, char *message);
void document_free(struct document *doc);
/* The value node at a path of keys, "controller.workers", or NULL. */
yaml_node_t *document_find(struct document *doc, const char *key_path);
/* The nth key (from 1) of that name in the mapping at a path of keys, or NULL. */
yaml_node_t *document_key(struct document *doc, const char *map_path, const char *key,
                          unsigned nth);
/* Fills the message with "FILE:LINE:COLUMN: key: ..."; line and column count from 1, line 0: the
 * file as a whole. Returns -1. */
int document_error(struct document *doc, size_t line, size_t column, const char *key,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same at a node. */
#define node_error(doc, node, ...)                                                                 \
    document_error(doc, (node)->start_mark.line + 1, (node)->start_mark.column + 1, __VA_ARGS__)
/* A scalar's text (UTF-8, NUL terminated), or NULL for another kind of node. */
const char *node_text(const yaml_node_t *node);
/* A whole number, decimal or 0x hex, nothing else around it and no leading zeros. */
bool parse_number(const char *text, uint64_t *ret);

/* ---- config_uplinks.c ---- */

/* controller.round-robin.switches into config. 0, or -1 with the message filled. */
int config_uplinks(struct document *doc, struct sb_config *config);

#endif
