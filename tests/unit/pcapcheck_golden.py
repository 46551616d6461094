#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# pcapcheck_golden.py - makes golden/pcapcheck_layers.pcap and .txt with scapy: one packet of each
# encapsulation, and what its innermost headers are according to scapy's own layers.
#
# A line: name, outer vlan, vni, source, destination, protocol, source port, destination port, inner
# EtherType, payload bytes. Packets with the same group (name up to the first '.') are one packet seen
# at different places of a network: their identity must be the same.

import os
import struct
import sys
from scapy.all import (ARP, GRE, ICMP, IP, SCTP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPv6,
                       ICMPv6EchoRequest, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, PadN, Raw, SCTPChunkData, fragment)
from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS
from scapy.layers.vxlan import VXLAN

A, B = "02:00:00:00:00:01", "02:00:00:00:00:02"
C, D = "02:00:00:00:00:0c", "02:00:00:00:00:0d"
DATA = Raw(bytes(range(48)))


def eth(src=A, dst=B):
    return Ether(src=src, dst=dst)


def tcp(ttl=64, tos=0, **kw):
    return IP(src="10.0.0.1", dst="10.0.0.2", id=7, ttl=ttl, tos=tos) / TCP(
        sport=1000, dport=80, seq=100, ack=200, flags="PA", **kw) / DATA


def udp6():
    return UDP(sport=5000, dport=53) / DATA


def ip6(**kw):
    return IPv6(src="fd00::1", dst="fd00::2", **kw)


OUTER = IP(src="192.0.2.1", dst="192.0.2.2", id=99)
TCP4 = ("10.0.0.1", "10.0.0.2", 6, 1000, 80, 0x0800, 48)
UDP6 = ("fd00::1", "fd00::2", 17, 5000, 53, 0x86dd, 48)

frags = fragment(IP(src="10.0.0.1", dst="10.0.0.2", id=11) / UDP(sport=1, dport=2) / Raw(bytes(100)),
                 fragsize=56)
packets = [
    # one TCP segment as it looks at many places
    ("tcp.plain", 0, 0, *TCP4, eth() / tcp()),
    ("tcp.hop", 0, 0, *TCP4, eth(C, D) / tcp(ttl=63, tos=4)),
    ("tcp.vlan", 5, 0, *TCP4, eth() / Dot1Q(vlan=5) / tcp()),
    ("tcp.qinq", 7, 0, *TCP4, eth() / Dot1AD(vlan=7) / Dot1Q(vlan=5) / tcp()),
    ("tcp.mpls", 0, 0, *TCP4, eth() / MPLS(label=16, s=0, ttl=9) / MPLS(label=17, s=1) / tcp()),
    ("tcp.vxlan", 0, 42, *TCP4, eth(C, D) / OUTER / UDP(sport=49152, dport=4789) / VXLAN(flags=8, vni=42) /
     eth() / tcp()),
    ("tcp.geneve", 0, 43, *TCP4, eth(C, D) / OUTER / UDP(sport=49152, dport=6081) /
     GENEVE(vni=43, proto=0x6558) / eth() / tcp()),
    ("tcp.gre", 0, 0, *TCP4, eth(C, D) / OUTER / GRE() / tcp()),
    ("tcp.grekey", 0, 9, *TCP4, eth(C, D) / OUTER / GRE(key_present=1, key=9, chksum_present=1,
                                                        seqnum_present=1, proto=0x6558) /
     eth() / tcp()),
    ("tcp.ipip", 0, 0, *TCP4, eth(C, D) / OUTER / tcp()),
    ("tcp.padded", 0, 0, *TCP4, eth() / tcp() / Raw(b"") ),
    # others
    ("tcp2.seq", 0, 0, *TCP4, eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=8) /
     TCP(sport=1000, dport=80, seq=101, ack=200, flags="PA") / DATA),
    ("udp6.plain", 0, 0, *UDP6, eth() / ip6() / udp6()),
    ("udp6.vxlan", 3, 1, *UDP6, eth(C, D) / Dot1Q(vlan=3) / OUTER / UDP(sport=1, dport=4789) /
     VXLAN(vni=1) / eth() / ip6(hlim=3, tc=8) / udp6()),
    ("udp6ext.plain", 0, 0, "fd00::1", "fd00::2", 17, 5000, 53, 0x86dd, 48,
     eth() / ip6() / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 8)]) /
     IPv6ExtHdrRouting(addresses=["fd00::9"], segleft=0) /
     IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) / udp6()),
    ("frag6first.x", 0, 0, "fd00::1", "fd00::2", 17, 5000, 53, 0x86dd, 48,
     eth() / ip6() / IPv6ExtHdrFragment(offset=0, m=1, id=77, nh=17) / udp6()),
    ("frag6.x", 0, 0, "fd00::1", "fd00::2", 17, 0, 0, 0x86dd, 24,
     eth() / ip6() / IPv6ExtHdrFragment(offset=8, m=0, id=77, nh=17) / Raw(bytes(range(24)))),
    ("frag4a.x", 0, 0, "10.0.0.1", "10.0.0.2", 17, 1, 2, 0x0800, 48, eth() / frags[0]),
    ("frag4b.x", 0, 0, "10.0.0.1", "10.0.0.2", 17, 0, 0, 0x0800, 52, eth() / frags[1]),
    ("icmp.x", 0, 0, "10.0.0.1", "10.0.0.2", 1, 21, 21, 0x0800, 48,
     eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=3) / ICMP(type=8, id=21, seq=1) / DATA),
    ("icmp6.x", 0, 0, "fd00::1", "fd00::2", 58, 22, 22, 0x86dd, 48,
     eth() / ip6() / ICMPv6EchoRequest(id=22, seq=5, data=bytes(range(48)))),
    ("sctp.x", 0, 0, "10.0.0.1", "10.0.0.2", 132, 300, 400, 0x0800, 64,
     eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=4) / SCTP(sport=300, dport=400, tag=5) /
     SCTPChunkData(data=bytes(48))),
    ("arp.x", 0, 0, "10.0.0.1", "10.0.0.2", 0, 0, 0, 0x0806, 0,
     eth(dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.2")),
    ("lldp.x", 0, 0, "-", "-", 0, 0, 0, 0x88cc, 30,
     Ether(src=A, dst="01:80:c2:00:00:0e", type=0x88cc) / Raw(bytes(30))),
    ("esp.x", 0, 0, "10.0.0.1", "10.0.0.2", 50, 0, 0, 0x0800, 40,
     eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=5, proto=50) / Raw(bytes(range(40)))),
    ("notvxlan.x", 0, 0, "10.0.0.1", "10.0.0.2", 17, 1, 4789, 0x0800, 48,
     eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=6) / UDP(sport=1, dport=4789) /
     Raw(bytes([0xff] * 48))),
]

out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "golden")
with open(os.path.join(out, "pcapcheck_layers.txt"), "w") as f:
    for p in packets:
        f.write(" ".join(str(x) for x in p[:-1]) + "\n")
with open(os.path.join(out, "pcapcheck_layers.pcap"), "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i, p in enumerate(packets):
        # what a link adds after a packet is no part of it
        raw = bytes(p[-1]) + (b"\xaa" * 10 if p[0] == "tcp.padded" else b"")
        f.write(struct.pack("<IIII", 1700000000, i, len(raw), len(raw)) + raw)
