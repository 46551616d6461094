/* SPDX-License-Identifier: Apache-2.0
 *
 * tables.h - the rows of the state bus as C structs, made from tables.def.
 *
 * struct sb_<table> is one row, enum sb_<name> one enumeration, and
 * enum sb_table_id numbers the tables. Rows hold only fixed-width integers and
 * byte arrays and are whole 8-byte words, so they may be copied, sent and
 * compared as bytes; a row on the stack is zeroed (= {0}) before it is filled.
 */
#ifndef TRIVET_TABLES_H
#define TRIVET_TABLES_H

#include <stdint.h>

/* Which match columns of a flow row count (column `fields`). */
enum sb_match {
    SB_MATCH_IN_PORT = 1 << 0,
    SB_MATCH_ETH_SRC = 1 << 1,
    SB_MATCH_ETH_DST = 1 << 2,
    SB_MATCH_ETH_TYPE = 1 << 3,
    SB_MATCH_VLAN = 1 << 4,
    SB_MATCH_IP_SRC = 1 << 5,
    SB_MATCH_IP_DST = 1 << 6,
    SB_MATCH_IP_PROTO = 1 << 7,
    SB_MATCH_L4_SRC = 1 << 8,
    SB_MATCH_L4_DST = 1 << 9,
};

/* Window lengths of the table `latency`, in seconds. */
#define SB_WINDOW_SHORT_S 1
#define SB_WINDOW_LONG_S 10

/* enum sb_<name> { SB_<name>_<SYMBOL> = number } */
#define SB_ENUM(name)                                                                              \
    enum sb_##name                                                                                 \
    {
#define SB_VALUE(name, symbol, number, text) SB_##name##_##symbol = number,
#define SB_ENUM_END(name)                                                                          \
    }                                                                                              \
    ;
#include <trivet/tables.def>

/* enum sb_table_id { SB_T_<table>, ... SB_T_COUNT } */
enum sb_table_id {
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) SB_T_##name,
#include <trivet/tables.def>
    SB_T_COUNT
};

/* struct sb_<table>: one row */
#define SB_TABLE(name, kind, owner, thread, capacity, full, text) struct sb_##name {
#define SB_KEY(table, type, member, array, format, unit, json, text) type member array;
#define SB_COL(table, type, member, array, format, unit, json, text) type member array;
#define SB_PAD(table, member, bytes) uint8_t member[bytes];
#define SB_END(table)                                                                              \
    }                                                                                              \
    ;
#include <trivet/tables.def>

#define SB_TABLE(name, kind, owner, thread, capacity, full, text)                                  \
    _Static_assert(sizeof(struct sb_##name) % 8 == 0, #name " rows must be whole words");
#include <trivet/tables.def>

#endif
