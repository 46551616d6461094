/* SPDX-License-Identifier: Apache-2.0
 *
 * config_document.c - reads a config file and parses it into a libyaml document.
 *
 * Neighbours: config.c hands the same text to libcyaml, which checks it against the schema but
 * cannot say where a value lies afterwards, takes "1.5" and "0x1g" for 1, and loses the position of
 * syntax errors. So the syntax is checked here first, and positions come from here.
 * Standard: YAML 1.1, as libyaml 0.2.5 reads it. Threads: main.
 */
#include "config_document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1u << 20) /* bytes: room for some ten thousand switches */
#define DEPTH_MAX 16        /* libyaml's work grows with depth squared; the schema needs 4 */

int
document_error(struct document *doc, size_t line, size_t column, const char *key,
               const char *format, ...)
{
    char where[48] = "", what[SB_CONFIG_MESSAGE_MAX / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (line)
        snprintf(where, sizeof where, ":%zu:%zu", line, column);
    /* A long path loses its end, never the reason. */
    snprintf(doc->message, SB_CONFIG_MESSAGE_MAX, "%.*s%s: %.64s%s%s", SB_CONFIG_MESSAGE_MAX / 4,
             doc->path, where, key, *key ? ": " : "", what);
    return -1;
}

const char *
node_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

bool
parse_number(const char *text, uint64_t *ret)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    uint64_t value;
    char *end;

    /* strtoull() would skip blanks and take signs. */
    if (digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")] || !*digits)
        return false;
    if (!hex && digits[0] == '0' && digits[1])
        return false; /* 010: eight or ten? */
    errno = 0;
    value = strtoull(digits, &end, hex ? 16 : 10);
    if (errno || *end)
        return false;
    *ret = value;
    return true;
}

static int
read_file(struct document *doc)
{
    int fd = open(doc->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    int result = -1;

    if (fd < 0) {
        if (errno == ENOENT)
            return document_error(doc, 0, 0, "",
                                  "there is no such file; give another --config, or "
                                  "none for the defaults");
        return document_error(doc, 0, 0, "", "cannot be opened: %s", strerror(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        document_error(doc, 0, 0, "", "is a directory; give a YAML file");
        goto out;
    }
    doc->text = malloc(FILE_MAX + 1);
    if (!doc->text) {
        document_error(doc, 0, 0, "", "out of memory");
        goto out;
    }
    while (doc->size <= FILE_MAX) {
        ssize_t n = read(fd, doc->text + doc->size, FILE_MAX + 1 - doc->size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            document_error(doc, 0, 0, "", "cannot be read: %s", strerror(errno));
            goto out;
        }
        if (n == 0) {
            result = 0;
            goto out;
        }
        doc->size += (size_t)n;
    }
    document_error(doc, 0, 0, "", "is larger than %u bytes, so it is no config file", FILE_MAX);
out:
    close(fd);
    return result;
}

static int
syntax_error(struct document *doc, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "out of memory";
    size_t line = parser->problem_mark.line + 1, column = parser->problem_mark.column + 1;

    if (parser->error == YAML_READER_ERROR) { /* has an offset but no mark */
        line = column = 1;
        for (size_t i = 0; i < parser->problem_offset && i < doc->size; i++) {
            column = doc->text[i] == '\n' ? 1 : column + 1;
            line += doc->text[i] == '\n';
        }
    }
    return document_error(doc, line, column, "", "not YAML: %s%s%s", problem,
                          parser->context ? ", " : "", parser->context ? parser->context : "");
}

/* One pass over the events, which need no memory, before a tree is built of them. */
static int
check_events(struct document *doc)
{
    unsigned depth = 0, documents = 0, content = 0;
    yaml_event_type_t type = YAML_NO_EVENT;
    yaml_parser_t parser;
    int result = 0;

    if (!yaml_parser_initialize(&parser))
        return document_error(doc, 0, 0, "", "out of memory");
    yaml_parser_set_input_string(&parser, doc->text, doc->size);
    while (!result && type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            result = syntax_error(doc, &parser);
            break;
        }
        type = event.type;
        size_t line = event.start_mark.line + 1, column = event.start_mark.column + 1;
        switch (type) {
        case YAML_DOCUMENT_START_EVENT:
            if (++documents > 1)
                result = document_error(doc, line, column, "",
                                        "a second document begins here; a config has one");
            break;
        case YAML_ALIAS_EVENT:
            result = document_error(doc, line, column, "",
                                    "aliases (*%.40s) are not taken; write the value out",
                                    (const char *)event.data.alias.anchor);
            break;
        case YAML_SCALAR_EVENT:
            if (!depth && !event.data.scalar.length)
                break; /* "---" alone, or comments */
            content++;
            break;
        case YAML_MAPPING_START_EVENT:
        case YAML_SEQUENCE_START_EVENT:
            content++;
            if (++depth > DEPTH_MAX)
                result = document_error(doc, line, column, "",
                                        "nested deeper than %d levels, so it is no config file",
                                        DEPTH_MAX);
            break;
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
            depth--;
            break;
        default:
            break;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    doc->empty = content == 0;
    return result;
}

int
document_load(struct document *doc, const char *path, char *message)
{
    yaml_parser_t parser;

    *doc = (struct document){.path = path, .message = message};
    if (read_file(doc) || check_events(doc))
        return -1;
    if (doc->empty)
        return 0;
    if (!yaml_parser_initialize(&parser))
        return document_error(doc, 0, 0, "", "out of memory");
    yaml_parser_set_input_string(&parser, doc->text, doc->size);
    if (yaml_parser_load(&parser, &doc->yaml))
        doc->loaded = true;
    else
        syntax_error(doc, &parser);
    yaml_parser_delete(&parser);
    if (!doc->loaded)
        return -1;
    for (yaml_node_t *node = doc->yaml.nodes.start; node < doc->yaml.nodes.top; node++) {
        if (node->type != YAML_MAPPING_NODE)
            continue;
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            yaml_node_t *key = yaml_document_get_node(&doc->yaml, pair->key);

            if (!node_text(key))
                return node_error(doc, key, "", "a key must be a word, not a list or a mapping");
        }
    }
    return 0;
}

void
document_free(struct document *doc)
{
    if (doc->loaded)
        yaml_document_delete(&doc->yaml);
    free(doc->text);
    doc->loaded = false;
    doc->text = NULL;
}

/* The pair of a mapping whose key is these bytes; the nth one, from 1. NULL: there is none. */
static yaml_node_pair_t *
find_pair(struct document *doc, yaml_node_t *map, const char *name, size_t len, unsigned nth)
{
    if (map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++) {
        const char *key = node_text(yaml_document_get_node(&doc->yaml, pair->key));

        if (key && strlen(key) == len && !memcmp(key, name, len) && !--nth)
            return pair;
    }
    return NULL;
}

yaml_node_t *
document_find(struct document *doc, const char *key_path)
{
    yaml_node_t *node = doc->loaded ? yaml_document_get_root_node(&doc->yaml) : NULL;

    while (node && *key_path) {
        size_t len = strcspn(key_path, ".");
        yaml_node_pair_t *pair = find_pair(doc, node, key_path, len, 1);

        node = pair ? yaml_document_get_node(&doc->yaml, pair->value) : NULL;
        key_path += len + (key_path[len] == '.');
    }
    return node;
}

yaml_node_t *
document_key(struct document *doc, const char *map_path, const char *key, unsigned nth)
{
    yaml_node_t *map = document_find(doc, map_path);
    yaml_node_pair_t *pair = map ? find_pair(doc, map, key, strlen(key), nth) : NULL;

    return pair ? yaml_document_get_node(&doc->yaml, pair->key) : NULL;
}
