/* SPDX-License-Identifier: Apache-2.0
 *
 * openflow_hostile.c - messages that lie, each with the error it must get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <trivet/openflow.h>

#include "openflow_all.h"
#include "openflow_bytes.h"

struct vector {
    const char *name;
    const char *hex; /* blanks are skipped */
    int error;       /* of openflow_all() */
};

#define ZERO16 "0000000000000000"
/* cookie, mask, table, command, timeouts, priority, buffer, out_port, out_group, flags of a
 * flow_mod */
#define FIXED(command)                                                                             \
    ZERO16 ZERO16 "00" command "00000000 0000 ffffffff 00000000 00000000 0000 0000"
/* buffer_id, total_len, reason, table, cookie of a packet_in */
#define HEAD "ffffffff 0000 00 00 0000000000000000"

/* Bodies after those in reports against other controllers (zero-length elements that hang a parser)
 * and one for each check of the decoders. */
static const struct vector vectors[] = {
    {"length 0", "04000000 00000001", OF_ELENGTH},
    {"length 7", "04000007 00000001", OF_ELENGTH},
    {"version 0", "00000008 00000001", OF_EVERSION},
    {"version 5 that is no hello", "050e0008 00000001", OF_EVERSION},
    {"hello of a version we lack", "06000008 00000001", OF_OK},
    {"unknown type", "041e0008 00000001", OF_ETYPE},
    {"unknown type of 1.0", "01160008 00000001", OF_ETYPE},
    {"hello element of length 0", "04000010 00000001 00010000 00000012", OF_ELENGTH},
    {"hello element of length 3", "04000010 00000001 00010003 00000012", OF_ELENGTH},
    {"hello element beyond the end", "04000010 00000001 00010009 00000012", OF_ELENGTH},
    {"hello bitmap without a word", "04000010 00000001 00010004 00000012", OF_ELENGTH},
    {"hello half an element", "0400000a 00000001 0001", OF_ESHORT},
    {"hello unknown element first", "04000018 00000001 00770004 00000000 00010008 00000012", OF_OK},
    {"hello of 1.0 with garbage", "0100000a 00000001 ffff", OF_OK},
    {"error without code", "0401000a 00000001 0001", OF_ESHORT},
    {"features reply too short",
     "0406001f 00000001 0000000000000001 00000000 00000000 00000000 000000", OF_ESHORT},
    {"packet_in with match length 0",
     "040a002a 00000001 " HEAD "0001 0000 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match length 3",
     "040a002a 00000001 " HEAD "0001 0003 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with match beyond the end",
     "040a002a 00000001 " HEAD "0001 0013 80000004 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in without padding",
     "040a0029 00000001 " HEAD "0001 000c 80000004 00000001 00000000 00", OF_ESHORT},
    {"packet_in without in_port",
     "040a002a 00000001 " HEAD "0001 0004 00000000 80000004 00000001 0000", OF_EVALUE},
    {"packet_in with in_port as second field",
     "040a0032 00000001 " HEAD "0001 0012 80000a02 0800 80000004 00000001"
     "000000000000 0000",
     OF_OK},
    {"packet_in with an oxm beyond the match",
     "040a002a 00000001 " HEAD "0001 000c 800000ff 00000001 00000000 0000", OF_ELENGTH},
    {"packet_in with half an oxm header",
     "040a002a 00000001 " HEAD "0001 0006 80000004 00000001 00000000 0000", OF_ESHORT},
    {"port_status with reason 3",
     "040c0050 00000001 03000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16,
     OF_EVALUE},
    {"port_status of 79 bytes",
     "040c004f 00000001 00000000 00000000" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 ZERO16
     "00000000000000",
     OF_ESHORT},
    {"packet_out with actions beyond the end",
     "040d0020 00000001 ffffffff 00000001 0009 000000000000 0000000000000000", OF_ELENGTH},
    {"flow_mod with command 5", "040e0038 00000001" FIXED("05") "0001 0004 00000000", OF_EVALUE},
    {"flow_mod with the match of 1.1", "040e0038 00000001" FIXED("00") "0000 0004 00000000",
     OF_EVALUE},
    {"flow_mod with match length 2", "040e0038 00000001" FIXED("00") "0001 0002 00000000",
     OF_ELENGTH},
    {"flow_mod with an oxm of wrong size",
     "040e0040 00000001" FIXED("00") "0001 000b 80000003 000001 0000000000", OF_ELENGTH},
    {"flow_mod with in_port twice",
     "040e0048 00000001" FIXED("00") "0001 0014 80000004 00000001 80000004 00000002 00000000",
     OF_EVALUE},
    {"flow_mod with a masked in_port",
     "040e0040 00000001" FIXED("00") "0001 0010 80000108 00000001 0000ffff", OF_EVALUE},
    {"flow_mod with an unknown oxm of size 0",
     "040e0040 00000001" FIXED("00") "0001 000c 0001fe00 0001fc00 00000000", OF_OK},
    {"flow_mod with an instruction of length 0",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0000 00000000", OF_ELENGTH},
    {"flow_mod with an instruction of length 9",
     "040e0048 00000001" FIXED("00") "0001 0004 00000000 0004 0009 00000000" ZERO16, OF_ELENGTH},
    {"flow_mod with an instruction beyond the end",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0004 0010 00000000", OF_ELENGTH},
    {"flow_mod with half an instruction header",
     "040e003a 00000001" FIXED("00") "0001 0004 00000000 0004", OF_ESHORT},
    {"flow_mod with short write_metadata",
     "040e0040 00000001" FIXED("00") "0001 0004 00000000 0002 0008 00000000", OF_ELENGTH},
    {"flow_removed with a match beyond the end",
     "040b0038 00000001" ZERO16 ZERO16 ZERO16 ZERO16 ZERO16 "0001 0010 00000000", OF_ELENGTH},
    {"group_mod of 15 bytes", "040f000f 00000001 0000 0000 000000", OF_ESHORT},
    {"group_mod without buckets", "040f0010 00000001 0000 0000 00000001", OF_OK},
    {"group_mod with command 3", "040f0010 00000001 0003 0000 00000001", OF_EVALUE},
    {"group_mod with a bucket of length 0",
     "040f0020 00000001 0000 0000 00000001 0000 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 8",
     "040f0020 00000001 0000 0000 00000001 0008 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with a bucket of length 17",
     "040f0028 00000001 0000 0000 00000001 0011 0000 ffffffff ffffffff 00000000" ZERO16,
     OF_ELENGTH},
    {"group_mod with a bucket beyond the end",
     "040f0020 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000", OF_ELENGTH},
    {"group_mod with half a bucket", "040f0018 00000001 0000 0000 00000001 0010 0000 ffffffff",
     OF_ESHORT},
    {"group_mod with an action of length 0",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0016 0000 00000001",
     OF_ELENGTH},
    {"group_mod with an action beyond its bucket",
     "040f0028 00000001 0000 0000 00000001 0018 0000 ffffffff ffffffff 00000000 0000 0010 00000001",
     OF_ELENGTH},
    {"meter_mod with a band of length 0",
     "041d002000000001"
     "000000010000000100010000000000010000000000000000",
     OF_ELENGTH},
    {"meter_mod with a band of length 11",
     "041d002000000001"
     "00000001000000010077000b000000010000000000000000",
     OF_ELENGTH},
    {"meter_mod with a drop band of length 12",
     "041d001c00000001"
     "00000001000000010001000c0000000100000000",
     OF_ELENGTH},
    {"meter_mod with a band beyond the end",
     "041d002000000001"
     "000000010000000100010011000000010000000000000000",
     OF_ELENGTH},
    {"meter_mod with half a band",
     "041d001800000001"
     "00000001000000010001001000000001",
     OF_ESHORT},
    {"meter_mod with an experimenter band without its number",
     "041d001c00000001"
     "0000000100000001ffff000c0000000100000000",
     OF_ELENGTH},
    {"meter_mod with command 3",
     "041d001000000001"
     "0003000100000001",
     OF_EVALUE},
    {"queue config with a queue of length 0",
     "0417002000000001"
     "000000030000000000000009000000030000000000000000",
     OF_ELENGTH},
    {"queue config with a queue beyond the end",
     "0417002000000001"
     "000000030000000000000009000000030011000000000000",
     OF_ELENGTH},
    {"queue config with half a queue",
     "0417001400000001"
     "000000030000000000000009",
     OF_ESHORT},
    {"queue config with a property of length 0",
     "0417002800000001"
     "0000000300000000000000090000000300180000000000000001000000000000",
     OF_ELENGTH},
    {"queue config with a rate of 8 bytes",
     "0417002800000001"
     "0000000300000000000000090000000300180000000000000001000800000000",
     OF_ELENGTH},
    {"queue config with a property beyond its queue",
     "0417003000000001"
     "0000000300000000000000090000000300180000000000000077001000000000"
     "0000000000000000",
     OF_ELENGTH},
    {"queue config with an experimenter of 8 bytes",
     "0417002800000001"
     "000000030000000000000009000000030018000000000000ffff000800000000",
     OF_ELENGTH},
    {"queue config of 1.0 with a queue of length 0",
     "0115001800000001"
     "00030000000000000000000900000000",
     OF_ELENGTH},
    {"queue config of 1.0 with a property of length 0",
     "0115002000000001"
     "000300000000000000000009001000000001000000000000",
     OF_ELENGTH},
    {"table features of length 0",
     "0413005000000001"
     "000c000000000000000001000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000",
     OF_ELENGTH},
    {"table features of length 65",
     "0413005800000001"
     "000c000000000000004101000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"table features beyond the end",
     "0413005000000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000",
     OF_ELENGTH},
    {"half of table features",
     "0413003000000001"
     "000c000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000",
     OF_ESHORT},
    {"table features with a property of length 0",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"table features with a property beyond the end",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000c00000000",
     OF_ELENGTH},
    {"table features with a property whose padding is beyond the end",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000900000000",
     OF_ELENGTH},
    {"table features with an instruction of length 0",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000800010000",
     OF_ELENGTH},
    {"table features with half an OXM",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000008000680000000",
     OF_ESHORT},
    {"table features with half an experimenter OXM",
     "0413005800000001"
     "000c000000000000004801000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000080008ffff0004",
     OF_ESHORT},
    {"table features request that lies",
     "0412005000000001"
     "000c000000000000000001000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000",
     OF_ELENGTH},
    {"flow entry of length 0",
     "0413004800000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000001000400000000",
     OF_ELENGTH},
    {"flow entry beyond the end",
     "0413004800000001"
     "0001000000000000003900000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000001000400000000",
     OF_ELENGTH},
    {"half a flow entry",
     "0413003800000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ESHORT},
    {"flow entry with match length 0",
     "0413004800000001"
     "0001000000000000003800000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000001000000000000",
     OF_ELENGTH},
    {"flow entry with an instruction of length 0",
     "0413005000000001"
     "0001000000000000004000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000001000400000000"
     "0004000000000000",
     OF_ELENGTH},
    {"flow entry with an action of length 0",
     "0413005800000001"
     "0001000000000000004800000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000001000400000000"
     "00040010000000000016000000000000",
     OF_ELENGTH},
    {"flow entry of 1.0 of length 0",
     "0111006400000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000000000000000000000000000",
     OF_ELENGTH},
    {"flow entry of 1.0 with an action of length 0",
     "0111006c00000001"
     "0001000000600000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00010000",
     OF_ELENGTH},
    {"aggregate of 23 bytes",
     "0413002700000001"
     "00020000000000000000000000000000000000000000000000000000000000",
     OF_ESHORT},
    {"table entry of 23 bytes",
     "0413002700000001"
     "00030000000000000000000000000000000000000000000000000000000000",
     OF_ESHORT},
    {"table entry of 1.0 of 63 bytes",
     "0111004b00000001"
     "0003000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "000000",
     OF_ESHORT},
    {"port counters of 111 bytes",
     "0413007f00000001"
     "0004000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000",
     OF_ESHORT},
    {"port counters of 1.0 of 103 bytes",
     "0111007300000001"
     "0004000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000",
     OF_ESHORT},
    {"queue counters of 39 bytes",
     "0413003700000001"
     "0005000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000",
     OF_ESHORT},
    {"group counters of length 0",
     "0413003800000001"
     "0006000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"group counters with half a bucket",
     "0413004000000001"
     "0006000000000000003000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000",
     OF_ELENGTH},
    {"group entry of length 0",
     "0413001800000001"
     "00070000000000000000000000000000",
     OF_ELENGTH},
    {"group features of 39 bytes",
     "0413003700000001"
     "0008000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000",
     OF_ESHORT},
    {"meter counters of length 0",
     "0413003800000001"
     "0009000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"meter counters with half a band",
     "0413004000000001"
     "0009000000000000000000010030000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000",
     OF_ELENGTH},
    {"meter entry of length 0",
     "0413001800000001"
     "000a0000000000000000000000000000",
     OF_ELENGTH},
    {"meter entry with a band of length 0",
     "0413002800000001"
     "000a000000000000001800000000000100010000000000010000000000000000",
     OF_ELENGTH},
    {"meter features of 15 bytes",
     "0413001f00000001"
     "000b000000000000000000000000000000000000000000",
     OF_ESHORT},
    {"port entry of 63 bytes",
     "0413004f00000001"
     "000d000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000",
     OF_ESHORT},
    {"experimenter reply of 7 bytes",
     "0413001700000001"
     "ffff00000000000000000000000000",
     OF_ESHORT},
    {"experimenter request of 7 bytes",
     "0412001700000001"
     "ffff00000000000000000000000000",
     OF_ESHORT},
    {"vendor request of 3 bytes",
     "0110000f00000001"
     "ffff0000000000",
     OF_ESHORT},
    {"description request with a body",
     "0412001800000001"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"flow request with match length 0",
     "0412003800000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000001000000000000",
     OF_ELENGTH},
    {"flow request with something behind the match",
     "0412004000000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000010004000000000000000000000000",
     OF_ELENGTH},
    {"flow request of 31 bytes",
     "0412002f00000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "00000000000000",
     OF_ESHORT},
    {"flow request of 1.0 of 43 bytes",
     "0110003700000001"
     "0001000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000",
     OF_ELENGTH},
    {"port request of 4 bytes",
     "0412001400000001"
     "000400000000000000000000",
     OF_ESHORT},
    {"queue request of 16 bytes",
     "0412002000000001"
     "000500000000000000000000000000000000000000000000",
     OF_ELENGTH},
    {"barrier of 9 bytes",
     "0414000900000001"
     "00",
     OF_ELENGTH},
    {"barrier of 1.0 of 16 bytes",
     "0112001000000001"
     "0000000000000000",
     OF_ELENGTH},
    {"role request of 23 bytes",
     "0418001700000001"
     "000000000000000000000000000000",
     OF_ESHORT},
    {"role request of 32 bytes",
     "0418002000000001"
     "000000000000000000000000000000000000000000000000",
     OF_ELENGTH},
    {"async of 31 bytes",
     "041c001f00000001"
     "0000000000000000000000000000000000000000000000",
     OF_ESHORT},
    {"flow_removed with something behind its match",
     "040b004000000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000010004000000000000000000000000",
     OF_ELENGTH},
    {"packet_in with a masked in_port",
     "040a002a00000001"
     "ffffffff000000000000000000000000000100108000010800000001ffffffff"
     "0000",
     OF_EVALUE},
    {"flow_mod with an experimenter oxm of 3 bytes",
     "040e004000000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000001000bffff00030102030000000000",
     OF_ELENGTH},
    {"flow_mod with goto_table of 16 bytes",
     "040e004800000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000100040000000000010010000000000000000000000000",
     OF_ELENGTH},
    {"flow_mod of 1.0 with an action of length 0",
     "010e005000000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000010000",
     OF_ELENGTH},
    {"flow_mod of 1.0 with an action of length 7",
     "010e005000000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000700010000",
     OF_ELENGTH},
    {"flow_mod of 1.0 with an output of 16 bytes",
     "010e005800000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000010000100000000000000000000",
     OF_ELENGTH},
    {"flow_mod of 1.0 with command 5",
     "010e004800000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "0000000000000000000000000000000000050000000000000000000000000000",
     OF_EVALUE},
    {"packet_out of 1.0 with actions beyond the end",
     "010d001800000001"
     "ffffffff000100090000000000000000",
     OF_ELENGTH},
    {"packet_out with an action of length 0",
     "040d002000000001"
     "ffffffff0000000100080000000000000000000000000001",
     OF_ELENGTH},
    {"features of 1.0 with half a port",
     "0106003800000001"
     "0000000000000000000000000000000000000000000000000000000000000000"
     "00000000000000000000000000000000",
     OF_ELENGTH},
    {"port_status of 1.0 with reason 9",
     "010c004000000001"
     "0900000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000",
     OF_EVALUE},
    {"vendor of 1.0 of 11 bytes",
     "0104000b00000001"
     "000000",
     OF_ESHORT},
    {"multipart without body", "0413000f 00000001 000d 0000 000000", OF_ESHORT},
};

static void
hostile_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        uint8_t wide[512], *exact; /* no vector is longer */
        char line[512];
        size_t n = bytes_of(v->hex, wide, sizeof(wide));
        struct of_header header;
        int error;

        assert_true(n >= OF_HEADER_SIZE);
        header.length = 0;
        of_frame(wide, n, &header);
        if (header.length >= OF_HEADER_SIZE && header.length != n)
            fail_msg("%s: the vector has %zu bytes, says %u", v->name, n, header.length);
        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        error = openflow_all(exact, n);
        if (error != v->error)
            fail_msg("%s: %s, expected %s", v->name, of_strerror(error), of_strerror(v->error));
        /* the line says so too, and where */
        error = of_print(exact, n, line, sizeof(line));
        assert_true(v->error ? error == v->error : error >= 0);
        if (v->error)
            assert_non_null(strstr(line, of_strerror(v->error)));
        free(exact);
    }
}

/* Lists of actions, which packet_out and flow_mod leave to who walks them. */
static void
hostile_actions(void **state)
{
    static const struct vector lists[] = {
        {"length 0", "0000 0000 00000001 ffe5 000000000000", OF_ELENGTH},
        {"length 4", "0012 0004 00000000", OF_ELENGTH},
        {"no multiple of 8", "0016 000c 00000001 00000000", OF_ELENGTH},
        {"beyond the list", "0016 0010 00000001", OF_ELENGTH},
        {"half a header", "0016", OF_ESHORT},
        {"output of 8 bytes", "0000 0008 00000001", OF_ELENGTH},
        {"group of 16 bytes", "0016 0010 00000001 0000000000000000", OF_ELENGTH},
        {"set_field of 8 bytes", "0019 0008 80000606", OF_ELENGTH},
        {"set_field longer than its action", "0019 0010 800034ff 0000000000000000", OF_ELENGTH},
        {"set_field shorter than its action",
         "0019 0018 80000606 0000000000000000 0000000000000000", OF_ELENGTH},
        {"unknown, then too short", "1234 0008 00000000 0000 0004", OF_ELENGTH},
        {"unknown alone", "1234 0008 00000000", OF_OK},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint8_t wide[64], *exact;
        size_t n = bytes_of(lists[i].hex, wide, sizeof(wide));
        struct of_cursor c;
        struct of_action action;
        int error;

        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, wide, n);
        c = (struct of_cursor){exact, (uint32_t)n};
        while ((error = of_next_action(&c, &action)) > 0)
            ;
        if (error != lists[i].error)
            fail_msg("%s: %s", lists[i].name, of_strerror(error));
        free(exact);
    }
}

/* Entries of multipart replies. */
static void
hostile_lists(void **state)
{
    uint8_t entry[56] = {0, 56, [48] = 0, 1, 0, 4};
    struct of_cursor c = {entry, sizeof(entry)};
    struct of_group_mod group;
    struct of_flow flow;
    struct of_port one;
    static const uint16_t lies[] = {0, 1, 55, 57, 0xffff};

    (void)state;
    assert_int_equal(of_next_flow(&c, &flow), 1);
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        entry[0] = (uint8_t)(lies[i] >> 8);
        entry[1] = (uint8_t)lies[i];
        c = (struct of_cursor){entry, sizeof(entry)};
        assert_int_equal(of_next_flow(&c, &flow), OF_ELENGTH);
    }
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_flow(&c, &flow), OF_ESHORT);
    c = (struct of_cursor){entry, 55};
    assert_int_equal(of_next_port(&c, &one), OF_ESHORT);

    memset(entry, 0, sizeof(entry)); /* a group with one bucket */
    entry[1] = 24;
    entry[9] = 16;
    c = (struct of_cursor){entry, 24};
    assert_int_equal(of_next_group(&c, &group), 1);
    assert_int_equal(c.left, 0);
    for (uint8_t i = 0; i < 32; i++) { /* no other length of the bucket, or of the entry */
        entry[9] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 16)
            assert_int_equal(of_next_group(&c, &group), OF_ELENGTH);
        entry[9] = 16;
        entry[1] = i;
        c = (struct of_cursor){entry, 24};
        if (i != 24 && i != 8) /* 8: without buckets */
            assert_true(of_next_group(&c, &group) < 0);
        entry[1] = 24;
    }
    c = (struct of_cursor){entry, 7};
    assert_int_equal(of_next_group(&c, &group), OF_ESHORT);
}

/* As many of the smallest elements as a message holds: the walk ends, each step takes some. */
static void
lists_that_fill_a_message(void **state)
{
    static const struct {
        const char *name, *head, *element;
        uint32_t fields; /* of the head: where the size of the list stands; 0: nowhere */
    } lists[] = {
        {"actions", "040d0000 00000001 ffffffff 00000001 0000 000000000000", "0012 0008 00000000",
         16},
        {"actions of 1.0", "010d0000 00000001 ffffffff 0001 0000", "0003 0008 00000000", 14},
        {"instructions", "040e0000 00000001 " FIXED("00") "0001 0004 00000000",
         "0005 0008 00000000", 0},
        {"buckets", "040f0000 00000001 0000 0000 00000001", "0010 0000 ffffffff ffffffff 00000000",
         0},
        {"bands", "041d0000 00000001 0000 0001 00000001", "0001 0010 00000001 00000000 00000000",
         0},
        {"queues of 1.0", "01150000 00000001 0003 000000000000", "00000009 0008 0000", 0},
        {"groups", "04130000 00000001 0007 0000 00000000", "0008 0000 00000001", 0},
        {"meters", "04130000 00000001 000a 0000 00000000", "0008 0001 00000001", 0},
        {"hello elements", "04000000 00000001", "0077 0008 00000000", 0},
    };
    static uint8_t m[OF_MESSAGE_MAX];

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint8_t element[64];
        size_t n = bytes_of(lists[i].head, m, sizeof(m)), head = n;
        size_t size = bytes_of(lists[i].element, element, sizeof(element));

        for (; n + size <= sizeof(m); n += size)
            memcpy(m + n, element, size);
        m[2] = (uint8_t)(n >> 8);
        m[3] = (uint8_t)n;
        if (lists[i].fields) {
            m[lists[i].fields] = (uint8_t)((n - head) >> 8);
            m[lists[i].fields + 1] = (uint8_t)(n - head);
        }
        if (openflow_all(m, n) != OF_OK)
            fail_msg("%s are not taken", lists[i].name);
    }
}

static void
a_line_that_is_too_long(void **state)
{
    struct of_buffer b = fresh(4096);
    struct of_flow_mod mod = {.match = full_match(6)};
    char line[64];

    (void)state;
    of_put_flow_mod(&b, OF13, 1, &mod);
    assert_int_equal(of_print(b.data, b.len, line, sizeof(line)), 63);
    assert_string_equal(line + 60, "...");
    assert_memory_equal(line, "FLOW_MOD (OF1.3)", 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_messages),        cmocka_unit_test(hostile_actions),
        cmocka_unit_test(hostile_lists),           cmocka_unit_test(lists_that_fill_a_message),
        cmocka_unit_test(a_line_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
