#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""openflow_fields.py [FILE.pcap PORT] < LINES - what of_print() says, field by field against tshark.

A line is the hex of a message and our line of it, with a tab between: the messages of the capture in
its order, or any, of which a capture is made. openflow_oracle.py asks whether a number of ours is
somewhere in what the other says; here it must stand under the same name, as often, in the same order:
type, xid, length; each OXM field with value and mask; each action with its argument; counters,
identifiers, times, flags. Of 1.0, which tshark knows less well, what it has. Exit status 1 when
something differs, or when a message is malformed to tshark and not in MALFORMED."""
import ipaddress
import re
import subprocess
import sys
import tempfile

PORTS = {"IN_PORT": 0xfffffff8, "TABLE": 0xfffffff9, "NORMAL": 0xfffffffa, "FLOOD": 0xfffffffb,
         "ALL": 0xfffffffc, "CONTROLLER": 0xfffffffd, "LOCAL": 0xfffffffe, "ANY": 0xffffffff}
GROUPS = {"ANY": 0xffffffff, "ALL": 0xfffffffc}
METERS = {"SLOWPATH": 0xfffffffd, "CONTROLLER": 0xfffffffe, "ALL": 0xffffffff}
TABLES = {"ALL": 255}

OXM = ("in_port in_phy_port metadata dl_dst dl_src dl_type vlan_vid vlan_pcp ip_dscp ip_ecn nw_proto nw_src nw_dst "
       "tcp_src tcp_dst udp_src udp_dst sctp_src sctp_dst icmp_type icmp_code arp_op arp_spa arp_tpa arp_sha arp_tha "
       "ipv6_src ipv6_dst ipv6_label icmpv6_type icmpv6_code nd_target nd_sll nd_tll mpls_label mpls_tc mpls_bos "
       "pbb_isid tun_id ipv6_exthdr").split()
ACTIONS = {"output": (0, "output.port"), "copy_ttl_out": (11, None), "copy_ttl_in": (12, None),
           "set_mpls_ttl": (15, "set_mpls_ttl.ttl"), "dec_mpls_ttl": (16, None), "push_vlan": (17, "push_vlan.ethertype"),
           "pop_vlan": (18, None), "push_mpls": (19, "push_mpls.ethertype"), "pop_mpls": (20, "pop_mpls.ethertype"),
           "set_queue": (21, "set_queue.queue_id"), "group": (22, "group.group_id"), "set_nw_ttl": (23, "set_nw_ttl.ttl"),
           "dec_nw_ttl": (24, None), "set_field": (25, None), "push_pbb": (26, "push_pbb.ethertype"), "pop_pbb": (27, None),
           "experimenter": (0xffff, "experimenter.experimenter")}
INSTRUCTIONS = ["", "goto_table", "write_metadata", "write_actions", "apply_actions", "clear_actions", "meter"]
TYPES13 = ("HELLO ERROR ECHO_REQUEST ECHO_REPLY EXPERIMENTER FEATURES_REQUEST FEATURES_REPLY GET_CONFIG_REQUEST "
           "GET_CONFIG_REPLY SET_CONFIG PACKET_IN FLOW_REMOVED PORT_STATUS PACKET_OUT FLOW_MOD GROUP_MOD PORT_MOD "
           "TABLE_MOD MULTIPART_REQUEST MULTIPART_REPLY BARRIER_REQUEST BARRIER_REPLY QUEUE_GET_CONFIG_REQUEST "
           "QUEUE_GET_CONFIG_REPLY ROLE_REQUEST ROLE_REPLY GET_ASYNC_REQUEST GET_ASYNC_REPLY SET_ASYNC METER_MOD").split()
TYPES10 = TYPES13[:4] + ["VENDOR"] + TYPES13[5:15] + ["PORT_MOD", "STATS_REQUEST", "STATS_REPLY"] + TYPES13[20:24]


def words(*names, bits=None):
    """A reader of "A|B|0x80", each name a bit."""
    table = {name: 1 << bit for bit, name in enumerate(names)} | (bits or {})

    def read(text):
        return sum(table[word] if word in table else int(word, 0) for word in text.split("|"))
    return read


def one_of(*names):
    return lambda text: names.index(text) if text in names else int(text)


def number(names=None):
    return lambda text: (names or {}).get(text, None) if text in (names or {}) else int(text.split("/")[0], 0)


def hexadecimal(text):
    return int(text, 16)


FLAGS = words("SEND_FLOW_REM", "CHECK_OVERLAP", "RESET_COUNTS", "NO_PKT_COUNTS", "NO_BYT_COUNTS")
CONFIG = words("PORT_DOWN", "NO_STP", "NO_RECV", "NO_RECV_STP", "NO_FLOOD", "NO_FWD", "NO_PACKET_IN")
STATE = words("LINK_DOWN", "BLOCKED", "LIVE")
FEATURES = words("10MB-HD", "10MB-FD", "100MB-HD", "100MB-FD", "1GB-HD", "1GB-FD", "10GB-FD", "40GB-FD", "100GB-FD", "1TB-FD",
                 "OTHER", "COPPER", "FIBER", "AUTO_NEG", "AUTO_PAUSE", "AUTO_PAUSE_ASYM")
METER_FLAGS = words("kbps", "pktps", "burst", "stats")
REASONS_IN, REASONS_PORT = ("no_match", "action", "invalid_ttl"), ("add", "delete", "modify")
REASONS_REMOVED = ("idle", "hard", "delete", "group_delete")
N, PORT, TABLE, GROUP, METER = number(), number(PORTS), number(TABLES), number(GROUPS), number(METERS)
# What our line leaves out: no buffer, nothing watched, no burst.
ABSENT = {"buffer": 0xffffffff, "watch_port": 0xffffffff, "watch_group": 0xffffffff, "burst_size": 0}

PORT_DESC = {"config": ("port.config", CONFIG), "state": ("port.sate", STATE)}  # sate: tshark's spelling
FILTER = {"table": ("table_id", TABLE), "out_port": ("out_port", PORT), "out_group": ("out_group", GROUP),
          "cookie": ("cookie", hexadecimal), "cookie_mask": ("cookie_mask", hexadecimal)}
TIMES = {"seconds": ("duration_sec", N), "nanoseconds": ("duration_nsec", N)}
COUNTS = {"packets": ("packet_count", N), "bytes": ("byte_count", N)}
BUCKET = {"weight": ("bucket.weight", N), "watch_port": ("bucket.watch_port", PORT), "watch_group": ("bucket.watch_group", GROUP)}
BANDS = {"rate": ("meter_band.rate", N), "burst_size": ("meter_band.burst_size", N), "prec_level": ("meter_band.dscp_remark.prec_level", N)}
ROLE = one_of("NOCHANGE", "EQUAL", "MASTER", "SLAVE")


def within(prefix, fields):
    return {key: (prefix + name, read) for key, (name, read) in fields.items()}


# Ours: key, theirs: field of openflow_v4 and how our text is read.
FIELDS13 = {
    "FEATURES_REPLY": within("switch_features.", {
        "dpid": ("datapath_id", hexadecimal), "n_buffers": ("n_buffers", N), "n_tables": ("n_tables", N), "aux": ("auxiliary_id", N),
        "capabilities": ("capabilities", words(bits={"FLOW_STATS": 1, "TABLE_STATS": 2, "PORT_STATS": 4, "GROUP_STATS": 8,
                                                     "IP_REASM": 32, "QUEUE_STATS": 64, "PORT_BLOCKED": 256}))}),
    "SET_CONFIG": {"frags": ("switch_config.flags", one_of("normal", "drop", "reassemble")), "miss_send_len": ("switch_config.miss_send_len", N)},
    "PACKET_IN": within("packet_in.", {"reason": ("reason", one_of(*REASONS_IN)), "total_len": ("total_len", N), "table": ("table_id", N),
                                       "cookie": ("cookie", hexadecimal), "buffer": ("buffer_id", N)}),
    "FLOW_REMOVED": within("flow_removed.", TIMES | COUNTS | {
        "reason": ("reason", one_of(*REASONS_REMOVED)), "cookie": ("cookie", hexadecimal), "table": ("table_id", N), "priority": ("priority", N),
        "idle": ("idle_timeout", N), "hard": ("hard_timeout", N)}),
    "PORT_STATUS": PORT_DESC | {"reason": ("port_status.reason", one_of(*REASONS_PORT))},
    "PACKET_OUT": within("packet_out.", {"in_port": ("in_port", PORT), "buffer": ("buffer_id", N)}),
    "FLOW_MOD": within("flowmod.", FILTER | {
        "priority": ("priority", N), "idle": ("idle_timeout", N), "hard": ("hard_timeout", N), "flags": ("flags", FLAGS), "buffer": ("buffer_id", N),
        "command": ("command", one_of("ADD", "MODIFY", "MODIFY_STRICT", "DELETE", "DELETE_STRICT"))}),
    "GROUP_MOD": BUCKET | within("groupmod.", {"group": ("group_id", GROUP), "type": ("type", one_of("all", "select", "indirect", "ff")),
                                               "command": ("command", one_of("ADD", "MODIFY", "DELETE"))}),
    "PORT_MOD": within("portmod.", {"port": ("port_no", PORT), "config": ("config", CONFIG), "mask": ("mask", CONFIG),
                                    "advertise": ("advertise", FEATURES)}),
    "TABLE_MOD": within("tablemod.", {"table": ("table_id", TABLE), "config": ("config", N)}),
    "METER_MOD": BANDS | within("metermod.", {"meter": ("meter_id", METER), "flags": ("flags", METER_FLAGS),
                                              "command": ("command", one_of("ADD", "MODIFY", "DELETE"))}),
    "QUEUE_GET_CONFIG_REQUEST": {"port": ("queue_get_config_request.port", PORT)},
    "QUEUE_GET_CONFIG_REPLY": {"port": ("queue_get_config_reply.port packet_queue.port", PORT), "queue": ("packet_queue.queue_id", N)},
    "ROLE_REQUEST": within("role_request.", {"role": ("role", ROLE), "generation_id": ("generation_id", N)}),
    "ROLE_REPLY": within("role_reply.", {"role": ("role", ROLE), "generation_id": ("generation_id", N)}),
    "EXPERIMENTER": {"experimenter": ("experimenter.experimenter", N), "type": ("experimenter.exp_type", N)},
    "request FLOW": within("flow_stats_request.", FILTER),
    "request AGGREGATE": within("aggregate_stats_request.", FILTER),
    "request PORT_STATS": {"port": ("port_stats_request.port_no", PORT)},
    "request QUEUE": {"port": ("queue_stats_request.port_no", PORT), "queue": ("queue_stats_request.queue_id", number({"ALL": 0xffffffff}))},
    "request GROUP": {"group": ("group_stats_request.group_id", GROUP)},
    "request METER": {"meter": ("meter_stats_request.meter_id", METER)},
    "request METER_CONFIG": {"meter": ("meter_config_request.meter_id", METER)},
    "reply DESC": {},
    "reply FLOW": within("flow_stats.", TIMES | COUNTS | {
        "table": ("table_id", N), "priority": ("priority", N), "idle": ("idle_timeout", N), "hard": ("hard_timeout", N),
        "cookie": ("cookie", hexadecimal), "flags": ("flags", FLAGS)}),
    "reply AGGREGATE": within("aggregate_stats.", COUNTS | {"flows": ("flow_count", N)}),
    "reply TABLE": within("table_stats.", {"table": ("table_id", N), "active": ("active_count", N), "lookups": ("lookup_count", N),
                                           "matched": ("match_count", N)}),
    "reply PORT_STATS": within("port_stats.", TIMES | {"port": ("port_no", PORT)} | {
        key: (name, N) for key, name in (
            ("rx_packets", "rx_packets"), ("tx_packets", "tx_packets"), ("rx_bytes", "rx_bytes"), ("tx_bytes", "tx_bytes"),
            ("rx_dropped", "rx_dropped"), ("tx_dropped", "tx_dropped"), ("rx_errors", "rx_errors"), ("tx_errors", "tx_errors"),
            ("rx_frame_errors", "rx_frame_error"), ("rx_overruns", "rx_over_error"), ("rx_crc_errors", "rx_crc_error"),
            ("collisions", "collisions"))}),
    "reply QUEUE": within("queue_stats.", TIMES | {"port": ("port_no", PORT), "queue": ("queue_id", N), "bytes": ("tx_bytes", N)}),
    "reply GROUP": within("group_stats.", {"group": ("group_id", N), "ref_count": ("ref_count", N)}),
    "reply GROUP_DESC": BUCKET | within("group_desc.", {"group": ("group_id", N), "type": ("type", one_of("all", "select", "indirect", "ff"))}),
    "reply GROUP_FEATURES": {"max": (" ".join("group_stats.max_groups." + kind for kind in ("all", "select", "indirect", "ff")), N)},
    "reply METER": within("meter_stats.", TIMES | {"meter": ("meter_id", METER), "flows": ("flow_count", N)}),
    "reply METER_CONFIG": BANDS | within("meter_config.", {"meter": ("meter_id", METER), "flags": ("flags", METER_FLAGS)}),
    "reply METER_FEATURES": within("meter_features.", {"max_meter": ("max_meter", N), "max_bands": ("max_bands", N), "max_color": ("max_color", N)}),
    "reply TABLE_FEATURES": within("table_features.", {
        "table": ("table_id", N), "metadata_match": ("metadata_match", N), "metadata_write": ("metadata_write", N), "max_entries": ("max_entries", N)}),
    "reply PORT_DESC": PORT_DESC | {"port": ("port.port_no", PORT)},
}
FIELDS13["GET_CONFIG_REPLY"] = FIELDS13["SET_CONFIG"]
FIELDS13["request TABLE_FEATURES"] = FIELDS13["reply TABLE_FEATURES"]
SWITCH10 = {"miss_send_len": ("miss_send_len", N)}
FIELDS10 = {
    "FEATURES_REPLY": {"n_buffers": ("n_buffers", N), "n_tables": ("n_tables", N)},
    "SET_CONFIG": SWITCH10, "GET_CONFIG_REPLY": SWITCH10,
    "PACKET_IN": {"total_len": ("total_len", N), "reason": ("reason", one_of(*REASONS_IN)), "in_port": ("in_port", PORT), "buffer": ("buffer_id", N)},
    "PACKET_OUT": {"in_port": ("in_port", PORT), "buffer": ("buffer_id", N)},
    "FLOW_MOD": {"cookie": ("cookie", hexadecimal), "command": ("command", FIELDS13["FLOW_MOD"]["command"][1]),
                 "idle": ("idle_timeout", N), "hard": ("hard_timeout", N), "priority": ("priority", N), "buffer": ("buffer_id", N)},
}
# A match of 1.0: ours, theirs; where it begins in the word of wildcards, and how many bits.
MATCH10 = {"in_port": ("in_port", 0, 1), "vlan_vid": ("dl_vlan", 1, 1), "dl_src": ("eth_src", 2, 1), "dl_dst": ("eth_dst", 3, 1),
           "dl_type": ("ofp_match.dl_type", 4, 1), "nw_proto": ("ofp_match.nw_proto", 5, 1), "arp_op": ("ofp_match.nw_proto", 5, 1),
           "tcp_src": ("ofp_match.source_port", 6, 1), "tcp_dst": ("ofp_match.dest_port", 7, 1),
           "nw_src": ("ofp_match.source_addr", 8, 6), "nw_dst": ("ofp_match.dest_addr", 14, 6),
           "vlan_pcp": ("dl_vlan_pcp", 20, 1), "ip_dscp": ("ofp_match.tos", 21, 1)}
MATCH10 |= {other: MATCH10[name] for other, name in (
    ("udp_src", "tcp_src"), ("udp_dst", "tcp_dst"), ("icmp_type", "tcp_src"), ("icmp_code", "tcp_dst"), ("arp_spa", "nw_src"), ("arp_tpa", "nw_dst"))}
INSTRUCTION_FIELDS = {"goto_table": ("instruction.goto_table.table_id", N), "meter": ("instruction.meter.meter_id", N),
                      "write_metadata": ("instruction.write_metadata.value", N), "metadata_mask": ("instruction.write_metadata.mask", N)}
KINDS_WITH_INSTRUCTIONS = {"FLOW_MOD", "reply FLOW"}

# What tshark calls malformed and is not: it counts an experimenter's bytes wrongly, and dissects the
# request in an error beyond the bytes that the error holds.
MALFORMED = re.compile(r"^(ERROR|EXPERIMENTER|METER_MOD .*experimenter|MULTIPART_(REQUEST|REPLY) .*(experimenter|dscp_remark|EXPERIMENTER)"
                       r"|METER_MOD .*dscp_remark|.* \(OF1\.0\))")


# ---- ours -----------------------------------------------------------------------------------------

def value_of(text):
    """The number that a value of a match is."""
    if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        return int(text.replace(":", ""), 16)
    if text in PORTS:
        return PORTS[text]
    try:
        return int(ipaddress.ip_address(text))
    except ValueError:
        return int(text, 0)


def split(text):
    """At the commas, but for those in oxm(class,field)."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part]


def field_of(text):
    """(number of the field, value, mask or None), of class OPENFLOW_BASIC; else the bytes."""
    name, _, value = text.partition("=")
    if name not in OXM:
        return name, value
    value, _, mask = value.partition("/")
    return OXM.index(name), value_of(value), value_of(mask) if mask else None


class Ours:
    """A line of of_print(), taken apart."""

    def __init__(self, line):
        head = re.match(r"(\S+) \(OF1\.(\d)\) xid=(0x[0-9a-f]+) ?(.*)", line)
        self.name, self.minor, self.xid, rest = head[1], int(head[2]), int(head[3], 16), head[4]
        self.kind = self.name
        if self.name in ("MULTIPART_REQUEST", "MULTIPART_REPLY"):
            part, _, rest = rest.partition(" ")
            self.kind = ("request " if self.name == "MULTIPART_REQUEST" else "reply ") + part
        self.fields, self.actions = [], []
        self.fields10 = []  # of 1.0: name, value, mask
        self.values = {}
        self.lists = {"oxm.field": [], "action.type": [], "instruction.type": []}  # of TABLE_FEATURES
        if self.kind.endswith("TABLE_FEATURES"):
            self.take_lists(rest)
        # in the order of the wire
        for m in re.finditer(r"match=\{([^}]*)\}|(?<!\w)actions=([^ \]}]*)", rest):
            if m[1] is not None:
                self.fields += [field_of(text) for text in split(m[1])]
                if self.minor != 3:
                    self.fields10 = [(text.split("=")[0],) + field_of(text)[1:] for text in split(m[1])]
            elif m[2] != "drop" and self.kind != "reply GROUP_FEATURES" and self.minor == 3:
                self.take_actions(m[2])
        if self.kind in ("FLOW_MOD", "GROUP_MOD", "METER_MOD"):
            command, _, rest = rest.partition(" ")
            self.values["command"] = [command]
        rest = re.sub(r"match=\{[^}]*\}|actions=[^ \]}]*|\"[^\"]*\"|data=\S*", " ", rest)
        for m in re.finditer(r"(?<![\w-])([a-z_0-9]+)[=:]([^\s,{}\[\]()]+)", rest):
            self.take(m[1], m[2])

    def take(self, key, text):
        if key == "duration":
            seconds, _, fraction = text.partition(".")
            self.values.setdefault("seconds", []).append(seconds)
            self.values.setdefault("nanoseconds", []).append(str(int(fraction)))
            return
        if key == "write_metadata":
            self.values.setdefault("metadata_mask", []).append((text + "/0xffffffffffffffff").split("/")[1])
        if key == "cookie" and "/" in text:
            text, _, mask = text.partition("/")
            self.values.setdefault("cookie_mask", []).append(mask)
        self.values.setdefault(key, []).append(text)

    def take_lists(self, text):
        for kind, names in re.findall(r" (match|wildcards|\w+_setfield|\w+_actions|instructions)(?:_miss)?=(\S*)", text):
            for name in split(names.rstrip("]")):
                if "actions" in kind:
                    self.lists["action.type"].append(ACTIONS[name][0])
                elif kind == "instructions":
                    self.lists["instruction.type"].append(INSTRUCTIONS.index(name))
                else:
                    self.lists["oxm.field"].append(OXM.index(name) if name in OXM else name)

    def take_actions(self, text):
        for action in split(text):
            name = re.match(r"[a-z_]+", action)[0]
            if name == "set_field":
                self.fields.append(field_of(action[len("set_field:"):]))
                self.actions.append((25, None))
            elif name == "experimenter":
                self.actions.append((0xffff, int(re.search(r"0x[0-9a-f]+", action)[0], 16)))
            else:
                kind, has = ACTIONS[name]
                argument = action[len(name) + 1:].split(":")[0]
                read = PORT if name == "output" else N
                self.actions.append((kind, read(argument) if has else None))


FIELDS_MAX = 300000


# ---- theirs ------------------------------------------------------------------------------------------

class Theirs:
    """A message in tshark's PDML."""

    def __init__(self, minor):
        self.minor = minor
        self.values = {}
        self.raw = []  # OXM fields, whole
        self.whole = True

    def take(self, line):
        m = re.search(r'name="(?:openflow_v4\.|openflow_1_0\.|openflow\.)?([^"]*)"', line)
        value = re.search(r' value="([0-9a-f]+)"', line)
        if not value:
            return
        if ' show="OXM field"' in line:
            self.raw.append(bytes.fromhex(value[1]))
        elif m[1]:
            unmasked = re.search(r' unmaskedvalue="([0-9a-f]+)"', line)
            self.values.setdefault(m[1], []).append(int((unmasked or value)[1], 16))

    def fields(self):
        found = []
        for tlv in self.raw:
            half = (len(tlv) - 4) // 2 if tlv[2] & 1 else len(tlv) - 4
            value, mask = tlv[4:4 + half], tlv[4 + half:]
            if tlv[:2] != b"\x80\0":
                found.append((tlv[:2], tlv[2] >> 1, value, mask))
                continue
            whole = not mask or mask == b"\xff" * half
            found.append((tlv[2] >> 1, int.from_bytes(value, "big"), None if whole else int.from_bytes(mask, "big")))
        return found

    def actions(self):
        found, left = [], {name: list(values) for name, values in self.values.items()}
        names = {kind: name for kind, name in ACTIONS.values()}
        for kind in self.values.get("action.type", []):
            name = names.get(kind)
            name = {"experimenter.experimenter": "action_experimenter.experimenter"}.get(name, name and "action." + name)
            found.append((kind, left[name].pop(0) if name else None))
        return found


MINORS = {"openflow_v4": 3, "openflow_v1": 0, "openflow": 0}


def messages_of(pcap, port):
    """Each message, and whether it is malformed. One field a line: no XML is parsed, for the features of
    many tables are 10 MB each. Beyond FIELDS_MAX of a capture only the headers are read."""
    command = ["tshark", "-r", pcap, "-d", f"tcp.port=={port},openflow", "-T", "pdml", "-2"]
    messages, n_fields, malformed, current = [], 0, False, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        for line in run.stdout:
            if line.startswith("  <proto "):
                name = re.search(r'name="([^"]*)"', line)[1]
                malformed = malformed or name == "_ws.malformed"
                current = Theirs(MINORS[name]) if name in MINORS else None
                if current:
                    messages.append(current)
            elif line.startswith("</packet>"):
                yield from ((message, malformed) for message in messages)
                messages, malformed, current = [], False, None
            elif current and current.whole and line.lstrip().startswith("<field "):
                n_fields += 1
                current.take(line)
                current.whole = n_fields < FIELDS_MAX or "xid" not in current.values
    if run.returncode:
        sys.exit(f"tshark: exit status {run.returncode}")


def capture_of(codes, folder):
    with open(folder + "/hex", "w", encoding="ascii") as out:
        for code in codes:
            out.write("000000 " + " ".join(code[i:i + 2] for i in range(0, len(code), 2)) + "\n")
    subprocess.run(["text2pcap", "-q", "-T", "40000,6653", folder + "/hex", folder + "/pcap"], check=True, capture_output=True)
    return folder + "/pcap"


# ---- comparison ----------------------------------------------------------------------------------------

def same_fields(ours, theirs):
    """Values of class OPENFLOW_BASIC; of others, that there is one."""
    if len(ours) != len(theirs):
        return False
    return all(a == b for a, b in zip(ours, theirs) if len(b) == 3)


def differences10(ours, theirs):
    """Of matches: what is not wild, is said, and nothing else."""
    wild = theirs.values["wildcards"][0]
    for name, value, mask in ours.fields10:
        other, bit, bits = MATCH10[name]
        other = theirs.values[other][0]
        bits = wild >> bit & (1 << bits) - 1
        if name == "ip_dscp":
            other >>= 2
        elif name == "vlan_vid":
            other = 0 if other == 0xffff else other | 0x1000
        elif name == "in_port" and value > 0xffff:
            value &= 0xffff
        prefix = 0xffffffff if mask is None else mask
        if name in ("nw_src", "nw_dst", "arp_spa", "arp_tpa"):
            other &= prefix
            if prefix != 0xffffffff << bits & 0xffffffff:
                yield f"{name}: mask {prefix:x}, tshark {bits} bits"
        elif bits:
            yield f"{name}: wild to tshark"
        if value != other:
            yield f"{name}: {value}, tshark {other}"
    said = {MATCH10[name][0] for name, _, _ in ours.fields10}
    for name, bit, bits in MATCH10.values():
        if name not in said and (wild >> bit & (1 << bits) - 1) < (1 if bits == 1 else 32):
            yield f"{name}: not wild to tshark"


def differences(ours, theirs, code):
    types = TYPES13 if ours.minor == 3 else TYPES10
    for name, mine in (("type", types.index(ours.name)), ("xid", ours.xid), ("length", len(code) // 2)):
        if theirs.values[name][0] != mine:
            yield f"{name}: {mine}, tshark {theirs.values[name][0]}"
    if ours.kind == "ERROR" or not theirs.whole:
        return
    table = dict((FIELDS13 if ours.minor == 3 else FIELDS10).get(ours.kind, {}))
    if ours.kind in KINDS_WITH_INSTRUCTIONS:
        table |= INSTRUCTION_FIELDS
    for key, (name, read) in table.items():
        mine = [read(text) for text in ours.values.get(key, [])]
        other = sum((theirs.values.get(one, []) for one in name.split(" ")), [])
        if ours.minor != 3 and read is PORT:  # 16 bits
            other = [value | 0xffff0000 if value >= 0xff00 else value for value in other]
        if key == "flags" and ours.kind == "reply FLOW":  # no flags are not said
            other = [value for value in other if value]
        if ours.kind.startswith("reply"):  # counters that the switch does not keep
            other = [value for value in other if value != 0xffffffffffffffff or "metadata" in key]
        if key in ABSENT:
            other = [value for value in other if value != ABSENT[key]]
        if key in ("out_port", "out_group") and ours.kind == "FLOW_MOD" and ours.values["command"][0] not in ("DELETE", "DELETE_STRICT"):
            continue  # has no meaning there
        if mine != other:
            yield f"{key}: {mine}, tshark {other}"
    if ours.minor != 3:
        if ours.kind == "FLOW_MOD":
            yield from differences10(ours, theirs)
        return
    if ours.kind.endswith("TABLE_FEATURES"):
        for name, mine in ours.lists.items():
            other = theirs.values.get(name, [])
            if name == "oxm.field":  # with the bit of the mask; of class OPENFLOW_BASIC, as above
                classes = theirs.values.get("oxm.class", [])
                # tshark takes the number of an experimenter, behind the header of its field, for another header
                other = [value >> 1 if of == 0x8000 and value >> 1 < len(OXM) else None for value, of, before in zip(other, classes, [0] + classes) if before != 0xffff]
                mine = [None if their is None else my for my, their in zip(mine, other)] if len(mine) == len(other) else mine
            if mine != other:
                yield f"{name}: {mine}, tshark {other}"
    else:
        mine = ours.fields
        if ours.kind == "PACKET_IN" and not mine:
            mine = [(0, PORT(ours.values["in_port"][0]), None)]
        if not same_fields(mine, theirs.fields()):
            yield f"fields: {mine}, tshark {theirs.fields()}"
        if ours.actions != theirs.actions():
            yield f"actions: {ours.actions}, tshark {theirs.actions()}"


def main():
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
    with tempfile.TemporaryDirectory() as folder:
        pcap, port = sys.argv[1:] if len(sys.argv) > 1 else (capture_of([row[0] for row in rows], folder), 6653)
        theirs = list(messages_of(pcap, port))
    bad = 0
    if len(theirs) != len(rows):
        print(f"{len(rows)} messages, tshark {len(theirs)}")
        bad += 1
    for (code, line), (other, malformed) in zip(rows, theirs):
        found = ["malformed"] if malformed and not MALFORMED.match(line) else []
        if not malformed or found:
            found += list(differences(Ours(line), other, code))
        if found:
            print(line[:600], *found, sep="\n    ")
            bad += 1
    print(f"{len(rows)} messages, {bad} not alike")
    sys.exit(1 if bad or not rows else 0)


main()
