#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""openflow_stream.py PORT FILE.pcap - the OpenFlow messages of TCP connections to and from a port, in
the order they were captured, a line of hex each. For captures of the loopback: segments are in order,
what was sent twice is dropped."""
import struct
import sys


def packets(path):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def main():
    port, streams = int(sys.argv[1]), {}
    for frame in packets(sys.argv[2]):
        ip = frame[14:]
        if frame[12:14] != b"\x08\x00" or ip[9] != 6:
            continue
        tcp = ip[(ip[0] & 15) * 4:struct.unpack(">H", ip[2:4])[0]]
        source, target, seq = struct.unpack(">HHI", tcp[:8])
        if port not in (source, target):
            continue
        payload = tcp[(tcp[12] >> 4) * 4:]
        stream = streams.setdefault((ip[12:20], source, target), {"next": None, "data": b""})
        if tcp[13] & 2:  # SYN
            stream["next"], stream["data"] = (seq + 1) & 0xffffffff, b""
            continue
        if not payload or stream["next"] is None:
            continue
        old = (stream["next"] - seq) & 0xffffffff
        if old >= len(payload):
            continue
        stream["data"] += payload[old:]
        stream["next"] = (seq + len(payload)) & 0xffffffff
        while len(stream["data"]) >= 8:
            size = struct.unpack(">H", stream["data"][2:4])[0]
            if size < 8 or len(stream["data"]) < size:
                break
            print(stream["data"][:size].hex())
            stream["data"] = stream["data"][size:]


main()
