#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""openflow_oracle.py ovs|tshark < LINES, or errors OPENFLOW_HEX - does another program read our messages, and say the same?

A line is as openflow_hex writes it: name, "ovs" or "-", hex, what of_print() says, with tabs between.
The other program must take the message without an error, and every number, address and word that we
print must be in what it says, in some notation. What cannot be compared is in the tables below, with
the reason. With errors, the names of all types and codes of an ERROR are compared
instead: those of 1.3 with tshark, which has the names of the specification, those of 1.0 with OVS.
Exit status 1 when something is wrong."""
import ipaddress
import re
import subprocess
import sys
import tempfile

# Words of ours that are not values: the keys, and what the other program says in a way of its own.
SILENT_WORDS = {
    # of_print's own frame
    "of1", "xid", "more",
    # the other program leaves the default out
    "normal", "any", "drop", "type", "all", "nochange", "off",
}
# Keys whose number the other program turns into the name of a protocol, or leaves out.
SILENT_KEYS = {"dl_type", "nw_proto", "payload", "bitmap", "data"}
SYNONYMS = {"master": "primary", "slave": "secondary", "modify": "mod", "reassemble": "reasm",
            "no_pkt_counts": "no_packet_counts", "no_byt_counts": "no_byte_counts", "delete": "del", "auto_pause": "pause", "auto_pause_asym": "pause_asym"}

# tshark 4.0 on OpenFlow 1.0: its dissector is a sketch, so only type and length are compared there.
# On 1.3 it fails by itself on these: the experimenter's own bytes are counted wrongly.
TSHARK_WRONG = {"1.3 METER_MOD modify", "1.3 EXPERIMENTER reply",
                # 1.0: it reads an action also where there is none, and a set_dl_src as an output
                "1.0 FLOW_MOD delete", "1.0 FLOW_MOD icmp", "1.0 PACKET_OUT", "1.0 FLOW_MOD actions"}

NAMES_OVS = {  # of our types, in OVS's notation
    "MULTIPART_REQUEST": "OFPST_{} request", "STATS_REQUEST": "OFPST_{} request",
    "MULTIPART_REPLY": "OFPST_{} reply", "STATS_REPLY": "OFPST_{} reply",
    "EXPERIMENTER": "", "VENDOR": "", "GET_ASYNC_REQUEST": "OFPT_GET_ASYNC_REQUEST",
}
PART_NAMES_OVS = {"PORT_STATS": "PORT"}


def numbers(text):
    """All numbers of a text, as values: decimal, hex, MACs, addresses with their masks."""
    found = set()
    text = re.sub(r"\b(?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2}\b",
                  lambda m: found.add("mac" + m[0]) or " ", text, flags=re.I)
    for m in re.finditer(r"\b(\d+\.\d+\.\d+\.\d+)(?:/(\d+\.\d+\.\d+\.\d+|\d+))?", text):
        found.add("ip" + m[1])
        if m[2]:
            found.add("mask" + str(ipaddress.ip_network("0.0.0.0/" + m[2], False).netmask)
                      if "." not in m[2] or is_prefix(m[2]) else "mask" + m[2])
    text = re.sub(r"\b\d+\.\d+\.\d+\.\d+(/[\d.]+)?", " ", text)
    for m in re.finditer(r"(?<![\w.])([0-9a-f]*:[0-9a-f:]*:[0-9a-f]*)", text, flags=re.I):
        try:
            found.add("ip" + str(ipaddress.IPv6Address(m[1])))
        except ValueError:
            pass
    for m in re.finditer(r"Value: ([0-9a-f]+)\b", text):  # tshark, of fields it does not know well
        found.add(int(m[1], 16))
        if len(m[1]) == 32:
            found.add("ip" + str(ipaddress.IPv6Address(int(m[1], 16))))
    for m in re.finditer(r"dpid:([0-9a-f]{16})", text):
        found.add(int(m[1], 16))
    for m in re.finditer(r"0x[0-9a-f]+", text, flags=re.I):
        found.add(int(m[0], 16))
    for m in re.finditer(r"(?<![\w.])(\d+)\.(\d+)", text):
        found.add(float(m[0]))
    # OVS glues its units and names: 1000kbps, band0, duration:61.005s
    for m in re.finditer(r"\d+", text):
        found.add(int(m[0]))
    for m in re.finditer(r"\d+\.\d+", text):
        found.add(float(m[0]))
    for m in re.finditer(r"(?<![0-9a-fx:])[0-9a-f]{4,16}(?![0-9a-f:])", text, flags=re.I):
        found.add(int(m[0], 16))
    return found


def is_prefix(mask):
    value = int(ipaddress.IPv4Address(mask))
    return (~value & 0xffffffff) & ((~value & 0xffffffff) + 1) == 0


def ours(line):
    """(key, value) of what of_print() said, flags and lists taken apart."""
    line = re.sub(r'"([^"]*)"', lambda m: m[1].replace(" ", "_"), line).replace("actions=", " ")
    pairs = []
    for m in re.finditer(r"([A-Za-z_0-9]+)[=:]((?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?:/[0-9a-f:]+)?"
                         r"|[0-9a-fA-Fx:.|/_A-Z-]*[^\s,{}\[\]()]*)", line):
        for value in m[2].split("|"):
            for part in value.split("/"):
                pairs.append((m[1], part))
    return pairs


def values(key, text):
    """The forms a value may take with others; empty: not compared."""
    if key in SILENT_KEYS or not text:
        return []
    if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        return ["mac" + text]
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text):
        return ["ip" + text, "mask" + text]
    if ":" in text:
        try:
            address = ipaddress.IPv6Address(text)
            return ["ip" + str(address), bin(int(address)).count("1")]
        except ValueError:
            return []
    if key in ("cookie", "dpid"):
        return [int(text, 16)] if int(text, 16) else []
    if key == "priority" and text == "32768":
        return []  # OVS's default
    if re.fullmatch(r"0x[0-9a-f]+|\d+", text):
        number = int(text, 0)
        forms = [number]
        if key in ("vlan_vid",):
            forms = [number & 0xfff, number, number | 0x1000]
        if key == "ip_dscp":
            forms = [number, number << 2]
        if key in ("meter", "group") and number == 0:
            forms = []
        return forms if number else []  # what is 0 is often left out
    if re.fullmatch(r"\d+\.\d+%?", text):
        return [float(text.rstrip("%")), int(float(text.rstrip("%")) * 10)] if float(text.rstrip("%")) else []
    return [text.lower(), SYNONYMS.get(text.lower(), text.lower())] if re.fullmatch(r"[A-Za-z_0-9-]+", text) and text.lower() not in SILENT_WORDS else []


def words(text):
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def compare(line, theirs, silent=()):
    """What of our line is not in theirs."""
    found = numbers(theirs)
    flat = words(theirs)
    missing = []
    for key, text in ours(line):
        forms = values(key, text)
        if not forms or key in silent:
            continue
        if not any(form in found or (isinstance(form, str) and words(form) in flat) or
                   (isinstance(form, float) and any(isinstance(f, float) and abs(f - form) < 1e-6
                                                    for f in found))
                   for form in forms):
            missing.append(f"{key}={text}")
    return missing


def type_ovs(line):
    first = line.split(" ", 1)[0]
    name = NAMES_OVS.get(first, "OFPT_" + first)
    if "{}" in name:
        part = line.split(") ", 1)[1].split(" ")[1]
        name = "" if part == "EXPERIMENTER" else name.format(PART_NAMES_OVS.get(part, part))
    return name


SILENT_OVS = {
    "n_tables", "aux",  # of features: OVS says what they can do, in 1.0 as a list of names
    "type",        # of a group, band or experimenter, in words of its own
    "config",      # TABLE_MOD: OVS has none in 1.3
    "instructions", "instructions_miss", "next_tables", "next_tables_miss", "write_actions",
    "write_actions_miss", "apply_actions_miss", "apply_actions", "match", "write_setfield",
    "write_setfield_miss", "apply_setfield", "apply_setfield_miss", "experimenter_miss",
    "experimenter", "wildcards",  # in its own words
    "total_len",
    "tcp_flags", "ct_state",  # as names of bits
    "xreg1", "xxreg1",  # as the smaller registers they are made of
    "speed",       # in kbps or Mbps, as it likes
}

# What OVS leaves out of messages whose line has this.
SKIP_OVS = {
    " TABLE ": {"table"},  # it says "tables 2...253: ditto"
    " TABLE_FEATURES ": {"table"},
    "REQUEST (OF1.3) FLOW ": {"cookie", "out_group"},
    "REQUEST (OF1.3) AGGREGATE ": {"cookie", "out_group"},
    "FLOW_MOD (OF1.3) DELETE": {"out_group"},
    " role=NOCHANGE": {"generation_id"},
    " generation_id=18446744073709551615": {"generation_id"},  # there is none
    "QUEUE_GET_CONFIG_REPLY (OF1.0)": {"port"},
    " NICIRA/": {"type", "code"},  # it has names for them
    " GROUP_FEATURES capabilities": {"capabilities", "actions", "pop_vlan", "set_nw_ttl"},
}


def skipped(line):
    line = re.sub(" xid=0x[0-9a-f]+", "", line)
    return set().union(*(keys for text, keys in SKIP_OVS.items() if text in line))


def check_ovs(rows):
    bad, seen = 0, set()
    for name, known, code, line in rows:
        if known != "ovs" or code[:8] + code[16:] in seen:  # the same but for its xid
            continue
        seen.add(code[:8] + code[16:])
        run = subprocess.run(["ovs-ofctl", "ofp-print", code], capture_output=True, text=True, check=False)
        theirs = run.stdout
        problem = ""
        if run.returncode or "decode error" in theirs or "WARN" in run.stderr:
            problem = "refused: " + (theirs + run.stderr)[:300]
        elif not type_ovs(line).lower() in theirs.lower():
            problem = f"another type than {type_ovs(line)}: " + theirs[:100]
        else:
            missing = compare(line, theirs, SILENT_OVS | skipped(line))
            if missing:
                problem = ("without " + ", ".join(missing)[:300] + "\n  ours: " + line[:1000] +
                           "\n  OVS:  " + theirs[:1000])
        if problem:
            print(f"{name}: {problem[:2500]}")
            bad += 1
    return bad


SILENT_TSHARK = SILENT_OVS | {"tun_id", "duration", "speed", "output", "oxm", "reg0", "min_rate", "max_rate"}


def check_tshark(rows):
    bad = 0
    frames = tshark_text([code for _, _, code, _ in rows])
    for (name, _, _, line), theirs in zip(rows, frames):
        theirs = theirs[theirs.find("OpenFlow 1."):]
        problem = ""
        first = re.escape("OFPT_" + line.split(" ", 1)[0])
        if "Malformed" in theirs:
            if name not in TSHARK_WRONG:
                problem = "malformed"
        elif not re.search(r"Type: " + first, theirs):
            problem = "another type"
        elif name.startswith("1.3"):
            missing = compare(line, theirs, SILENT_TSHARK)
            if missing:
                problem = "without " + ", ".join(missing) + "\n  ours: " + line
        if problem:
            print(f"{name}: {problem}\n{theirs[:3000]}")
            bad += 1
    return bad


def tshark_text(codes):
    """What tshark says of each message, one frame each."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/hex", "w", encoding="ascii") as out:
            for code in codes:
                out.write("000000 " + " ".join(code[i:i + 2] for i in range(0, len(code), 2)) + "\n")
        subprocess.run(["text2pcap", "-q", "-T", "40000,6653", folder + "/hex", folder + "/pcap"],
                       check=True, capture_output=True)
        text = subprocess.run(["tshark", "-r", folder + "/pcap", "-d", "tcp.port==6653,openflow", "-V"],
                              capture_output=True, text=True, check=True).stdout
    frames = re.split(r"^Frame \d+: .*$", text, flags=re.M)[1:]
    assert len(frames) == len(codes), (len(frames), len(codes))
    return frames


# OVS names the codes of 1.0 as later versions do.
CODES_OVS = {"ALL_TABLES_FULL": "TABLE_FULL", "UNSUPPORTED": "BAD_INST", "BAD_VENDOR_TYPE": "BAD_EXP_TYPE"}


def check_errors(program):
    bad = compared = 0
    for version, types in ((4, 14), (1, 6)):
        codes = [f"{version:02x}01001400000001{kind:04x}{code:04x}{version:02x}{5:02x}000800000009"
                 for kind in range(types) for code in range(18)]
        lines = subprocess.run([program, "-"], input="\n".join(codes) + "\n", capture_output=True,
                               text=True, check=False).stdout.splitlines()
        assert len(lines) == len(codes)
        others = tshark_text(codes) if version == 4 else [
            subprocess.run(["ovs-ofctl", "ofp-print", code], capture_output=True, text=True, check=False).stdout
            for code in codes]
        for line, theirs in zip(lines, others):
            kind, code = re.search(r"xid=0x1 (\w+)/([\w ]+?)(?: of | \"|$)", line).groups()
            named = re.search(r"Code: OFP[A-Z0-9]+_(\w+) \(", theirs) if version == 4 else \
                re.search(r"\): OFP[A-Z0-9]+_(\w+)\n", theirs)
            known = not code.startswith("code ")
            if not known and not named:
                continue
            compared += 1
            wanted = [code, CODES_OVS.get(code, code)]
            if not named or not any(name == named[1] for name in wanted) or \
                    (version == 4 and f"OFPET_{kind} " not in theirs):
                print(f"{line}: theirs is {named[1] if named else 'not named'}")
                bad += 1
    print(f"{compared} codes, {bad} not alike")
    return bad or compared < 100


def main():
    if sys.argv[1] == "errors":
        sys.exit(1 if check_errors(sys.argv[2]) else 0)
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
    bad = {"ovs": check_ovs, "tshark": check_tshark}[sys.argv[1]](rows)
    print(f"{len(rows)} messages, {bad} not alike")
    sys.exit(1 if bad or not rows else 0)


main()
