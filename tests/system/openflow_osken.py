#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""openflow_osken.py - messages that os-ken makes, a line each: name, "ovs" or "-" (Open vSwitch does
not know what is in it, or refuses it), hex, with tabs between. What os-ken only reads (replies) is
packed from its own constants. Nothing here knows our codec. Runs with Debian's python, which has os-ken."""
import struct

from os_ken.lib.packet import ether_types as ether
from os_ken.ofproto import ofproto_v1_0 as o10
from os_ken.ofproto import ofproto_v1_0_parser as p10
from os_ken.ofproto import ofproto_v1_3 as o13
from os_ken.ofproto import ofproto_v1_3_parser as p13
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

D13, D10 = ProtocolDesc(o13.OFP_VERSION), ProtocolDesc(o10.OFP_VERSION)
XID = 0x6b656e01
MAC, MAC2 = "02:6b:65:6e:00:01", "02:6b:65:6e:00:02"
FRAME = bytes.fromhex("026b656e0002026b656e00010800") + bytes(range(46))


def show(name, message, known=True):
    message.set_xid(XID)
    message.serialize()
    print(name, "ovs" if known else "-", bytes(message.buf).hex(), sep="\t")


def show_raw(name, version, kind, body, known=True):
    head = struct.pack(o13.OFP_HEADER_PACK_STR, version, kind, 8 + len(body), XID)
    print(name, "ovs" if known else "-", (head + body).hex(), sep="\t")


def serialized(part):
    buf = bytearray()
    part.serialize(buf, 0)
    return bytes(buf)


def pad8(data):
    return data + bytes(-len(data) % 8)


# ---- 1.3: fields ----------------------------------------------------------------------------------

IP4, IP6 = {"eth_type": ether.ETH_TYPE_IP}, {"eth_type": ether.ETH_TYPE_IPV6}
ARP, MPLS = {"eth_type": ether.ETH_TYPE_ARP}, {"eth_type": ether.ETH_TYPE_MPLS}
TCP, UDP, SCTP = IP4 | {"ip_proto": 6}, IP6 | {"ip_proto": 17}, IP4 | {"ip_proto": 132}
ICMP, ICMP6 = IP4 | {"ip_proto": 1}, IP6 | {"ip_proto": 58}
ND = ICMP6 | {"icmpv6_type": 135}

FIELDS = [  # name, what it needs, values without and with a mask, does Open vSwitch know it
    ("in_port", {}, [7, o13.OFPP_LOCAL], True),
    ("in_phy_port", {"in_port": 7}, [8], False),
    ("metadata", {}, [0x1122334455667788, (0x11220000, 0xffff0000), (0, 0x8000000000000001)], True),
    ("eth_dst", {}, [MAC, ("01:00:00:00:00:00", "01:00:00:00:00:00"), "ff:ff:ff:ff:ff:ff"], True),
    ("eth_src", {}, [MAC2, ("02:6b:00:00:00:00", "ff:ff:00:00:00:00"), "00:00:00:00:00:00"], True),
    ("eth_type", {}, [0x88cc, 0x0800, 0x86dd, 0x05ff], True),
    ("vlan_vid", {}, [0x1000 | 77, 0, (0x1000, 0x1000), (0x1040, 0x1fc0)], True),
    ("vlan_pcp", {"vlan_vid": 0x1000 | 77}, [5, 0], True),
    ("ip_dscp", IP4, [46, 0], True),
    ("ip_ecn", IP6, [3, 0], True),
    ("ip_proto", IP6, [89, 0], True),
    ("ipv4_src", IP4, ["10.1.2.3", ("10.1.0.0", "255.255.0.0"), ("10.0.0.3", "255.0.0.255")], True),
    ("ipv4_dst", IP4, ["10.4.5.6", ("10.4.5.0", "255.255.255.128"), "0.0.0.0"], True),
    ("tcp_src", TCP, [40001, 0], True),
    ("tcp_dst", TCP, [443], True),
    ("udp_src", UDP, [40002], True),
    ("udp_dst", UDP, [4789, 65535], True),
    ("sctp_src", SCTP, [40003], True),
    ("sctp_dst", SCTP, [2905], True),
    ("icmpv4_type", ICMP, [8, 0], True),
    ("icmpv4_code", ICMP | {"icmpv4_type": 3}, [13, 0], True),
    ("arp_op", ARP, [2], True),
    ("arp_spa", ARP, ["10.7.8.9", ("10.7.0.0", "255.255.0.0")], True),
    ("arp_tpa", ARP, ["10.7.8.10", ("10.0.0.10", "255.0.0.255")], True),
    ("arp_sha", ARP, [MAC, ("02:00:00:00:00:01", "ff:00:00:00:00:ff")], True),
    ("arp_tha", ARP, [MAC2, ("02:6b:65:00:00:00", "ff:ff:ff:00:00:00")], True),
    ("ipv6_src", IP6, ["fd01::6b:1", ("fd01:2345::", "ffff:ffff::"), ("::1", "::ffff")], True),
    ("ipv6_dst", IP6, ["ff02::1:ff00:1", ("fd02::", "ffff:ffff:ffff:ff00::"), "::"], True),
    ("ipv6_flabel", IP6, [0x6b656, (0x6b600, 0xfff00), 0], True),
    ("icmpv6_type", ICMP6, [128, 0], True),
    ("icmpv6_code", ICMP6 | {"icmpv6_type": 1}, [4, 0], True),
    ("ipv6_nd_target", ND, ["fe80::6b:2"], True),
    ("ipv6_nd_sll", ND, [MAC], True),
    ("ipv6_nd_tll", ICMP6 | {"icmpv6_type": 136}, [MAC2], True),
    ("mpls_label", MPLS, [0x6b656, 3], True),
    ("mpls_tc", MPLS, [6, 0], True),
    ("mpls_bos", MPLS, [1, 0], True),
    ("pbb_isid", {"eth_type": 0x88e7}, [0x6b656e, (0x6b0000, 0xff0000)], False),
    ("tunnel_id", {}, [0x6b656e, (0x6b00, 0xff00), 0x1122334455667788], True),
    ("ipv6_exthdr", IP6, [0x15, (0x14, 0x1ff)], False),
    # extensions
    ("tcp_flags", TCP, [0x12, (2, 0x17)], True),
    ("pbb_uca", {"eth_type": 0x88e7}, [1], False),
    ("actset_output", {}, [5], True),
    ("xreg1", {}, [0x1122334455667788, (0x11, 0xff)], True),
    ("reg3", {}, [0x6b656e, (0x6b00, 0xff00)], True),
    ("xxreg1", {}, [0x11223344556677889900aabbccddeeff], True),
    ("ct_state", {}, [(0x21, 0x21)], True),
    ("ct_zone", {}, [77], True),
    ("ct_mark", {}, [0x6b, (0x60, 0xf0)], True),
    ("ct_label", {}, [0x6b656e], True),
    ("conj_id", {}, [107], True),
    ("pkt_mark", {}, [(0x6b00, 0xff00)], True),
    ("tun_ipv4_src", {}, ["10.9.9.1", ("10.9.0.0", "255.255.0.0")], True),
    ("tun_ipv6_dst", {}, ["fd09::1"], True),
    ("ip_frag", IP4, [(1, 1)], False),  # os-ken puts them before what they need
    ("nw_ttl", IP4, [63], False),
    ("vlan_tci", {}, [(0x1000, 0x1000)], True),
]
# The values of a set-field: no masks, and what a packet can hold.
UNSETTABLE = {"in_phy_port", "eth_type", "ip_proto", "ipv6_exthdr", "pbb_uca", "actset_output", "ct_state", "ct_zone",
              "conj_id", "ip_frag", "vlan_tci", "in_port", "ipv6_nd_target", "tcp_flags", "mpls_bos",
              "ct_mark", "ct_label", "arp_spa"}


def flow(match=None, actions=None, instructions=None, **more):
    if instructions is None:
        instructions = [p13.OFPInstructionActions(o13.OFPIT_APPLY_ACTIONS, actions)] if actions else []
    return p13.OFPFlowMod(D13, match=match if match is not None else p13.OFPMatch(),
                          instructions=instructions, **more)


def output(port=1, max_len=0):
    return p13.OFPActionOutput(port, max_len)


def fields13():
    for name, needs, values, known in FIELDS:
        for i, value in enumerate(values):
            match = p13.OFPMatch(**(needs | {name: value}))
            show(f"1.3 FLOW_MOD match {name} {i}", flow(match, [output()]), known)
        if name in UNSETTABLE and known:
            continue
        value = values[0][0] if isinstance(values[0], tuple) else values[0]
        tagged = {"vlan_vid": 0x1000 | 5} if name == "vlan_vid" else needs
        show(f"1.3 FLOW_MOD set {name}",
             flow(p13.OFPMatch(**tagged), [p13.OFPActionSetField(**{name: value}), output(2)]), known)


ALL_FIELDS = dict(in_port=3, metadata=(0x10, 0xf0), tunnel_id=0x77, eth_dst=MAC, eth_src=(MAC2, "ff:ff:ff:ff:00:00"),
                  vlan_vid=0x1005, vlan_pcp=4, eth_type=0x0800, ip_dscp=10, ip_ecn=1, ip_proto=6,
                  ipv4_src=("10.1.0.0", "255.255.0.0"), ipv4_dst="10.2.3.4", tcp_src=1234, tcp_dst=443)


# ---- 1.3: actions and instructions --------------------------------------------------------------

def actions13():
    ip4, mpls = p13.OFPMatch(**IP4), p13.OFPMatch(**MPLS)
    vlan = p13.OFPMatch(vlan_vid=0x1005)
    for name, match, actions, known in [
        ("output reserved", None, [output(port) for port in (
            o13.OFPP_IN_PORT, o13.OFPP_TABLE, o13.OFPP_NORMAL, o13.OFPP_FLOOD, o13.OFPP_ALL, o13.OFPP_LOCAL)], True),
        ("output controller", None, [output(o13.OFPP_CONTROLLER, 128),
                                     output(o13.OFPP_CONTROLLER, o13.OFPCML_NO_BUFFER)], True),
        ("output high", None, [output(0xfffe), output(70000)], False),
        ("group", None, [p13.OFPActionGroup(0x6b65)], True),
        ("set_queue", None, [p13.OFPActionSetQueue(7), output()], True),
        ("set_mpls_ttl", mpls, [p13.OFPActionSetMplsTtl(61)], True),
        ("dec_mpls_ttl", mpls, [p13.OFPActionDecMplsTtl()], True),
        ("set_nw_ttl", ip4, [p13.OFPActionSetNwTtl(62)], True),
        ("dec_nw_ttl", ip4, [p13.OFPActionDecNwTtl()], True),
        ("copy_ttl", mpls, [p13.OFPActionCopyTtlOut(), p13.OFPActionCopyTtlIn()], False),
        ("push_vlan", None, [p13.OFPActionPushVlan(0x88a8), p13.OFPActionSetField(vlan_vid=0x1000 | 99),
                             output()], True),
        ("pop_vlan", vlan, [p13.OFPActionPopVlan(), output()], True),
        ("push_mpls", ip4, [p13.OFPActionPushMpls(0x8848)], True),
        ("pop_mpls", mpls, [p13.OFPActionPopMpls(0x0800)], True),
        ("pbb", None, [p13.OFPActionPushPbb(0x88e7), p13.OFPActionPopPbb()], False),
        ("experimenter", None, [p13.OFPActionExperimenterUnknown(0x6b656e, bytes(range(12)))], False),
    ]:
        show("1.3 FLOW_MOD action " + name, flow(match, actions), known)


def nicira13():
    spec = [p13.NXFlowSpecMatch(src=("eth_src_nxm", 0), dst=("eth_dst_nxm", 0), n_bits=48),
            p13.NXFlowSpecLoad(src=5, dst=("reg1", 0), n_bits=32),
            p13.NXFlowSpecOutput(src=("in_port_nxm", 0), dst="", n_bits=16)]
    tcp = p13.OFPMatch(**TCP)
    for name, match, action in [
        ("set_queue", None, p13.NXActionSetQueue(9)),
        ("pop_queue", None, p13.NXActionPopQueue()),
        ("reg_load", None, p13.NXActionRegLoad(31, "reg2", 0x6b656e)),
        ("reg_load2", None, p13.NXActionRegLoad2("tun_ipv4_dst", "10.9.9.2")),
        ("note", None, p13.NXActionNote(note=[1, 2, 3, 4, 5, 6])),
        ("set_tunnel", None, p13.NXActionSetTunnel(0x77)),
        ("set_tunnel64", None, p13.NXActionSetTunnel64(0x7700000000)),
        ("reg_move", None, p13.NXActionRegMove("reg1", "reg2", 16, 0, 16)),
        ("resubmit", None, p13.NXActionResubmit(5)),
        ("resubmit_table", None, p13.NXActionResubmitTable(5, 7)),
        ("output_reg", None, p13.NXActionOutputReg(31, "reg3", 128)),
        ("output_reg2", None, p13.NXActionOutputReg2(31, "reg3", 128)),
        ("learn", None, p13.NXActionLearn(3, spec, 10, 20, 30, 0x6b, 1, 5, 6)),
        ("exit", None, p13.NXActionExit()),
        ("dec_ttl", tcp, p13.NXActionDecTtl()),
        ("controller", None, p13.NXActionController(128, 3, 1)),
        ("controller2", None, p13.NXActionController2(max_len=128, controller_id=3, reason=1,
                                                      userdata=b"\x01\x02\x03\x04", pause=True)),
        ("dec_ttl_cnt_ids", tcp, p13.NXActionDecTtlCntIds([1, 2, 3])),
        ("stack_push", None, p13.NXActionStackPush("reg2", 0, 16)),
        ("stack_pop", None, p13.NXActionStackPop("reg2", 0, 16)),
        ("sample", None, p13.NXActionSample(30000, 12, 13, 14)),
        ("fin_timeout", tcp, p13.NXActionFinTimeout(30, 15)),
        ("conjunction", None, p13.NXActionConjunction(1, 3, 77)),
        ("multipath", None, p13.NXActionMultipath(0, 50, 0, 4, 0, 31, "reg1")),
        ("bundle", None, p13.NXActionBundle(0, 0, 0, 2, 2, 0, 0, [1, 2])),
        ("ct", tcp, p13.NXActionCT(1, "", 77, 4, 0, [])),
        ("ct nat", tcp, p13.NXActionCT(1, "", 77, 4, 0, [p13.NXActionNAT(
            1, range_ipv4_min="10.1.12.0", range_ipv4_max="10.1.13.255", range_proto_min=1, range_proto_max=1023)])),
        ("ct_clear", None, p13.NXActionCTClear()),
        ("output_trunc", None, p13.NXActionOutputTrunc(8080, 128)),
    ]:
        show("1.3 FLOW_MOD nicira " + name, flow(match, [action]), name not in ("set_queue", "dec_ttl"))  # of 1.0


def flows13():
    everything = p13.OFPMatch(**ALL_FIELDS)
    show("1.3 FLOW_MOD all fields", flow(everything, [output(2)], cookie=0x6b65, table_id=9, priority=77,
                                         idle_timeout=61, hard_timeout=62, flags=o13.OFPFF_SEND_FLOW_REM))
    flags = (o13.OFPFF_CHECK_OVERLAP, o13.OFPFF_RESET_COUNTS, o13.OFPFF_NO_PKT_COUNTS, o13.OFPFF_NO_BYT_COUNTS)
    for i, flag in enumerate(flags + (sum(flags),)):
        show(f"1.3 FLOW_MOD flag {i}", flow(None, [output()], flags=flag))
    for i, command in enumerate((o13.OFPFC_ADD, o13.OFPFC_MODIFY, o13.OFPFC_MODIFY_STRICT, o13.OFPFC_DELETE,
                                 o13.OFPFC_DELETE_STRICT)):
        mask = (1 << 64) - 1 if command != o13.OFPFC_ADD else 0
        delete = command in (o13.OFPFC_DELETE, o13.OFPFC_DELETE_STRICT)
        show(f"1.3 FLOW_MOD command {i}",
             flow(everything, None if delete else [output(3)], command=command, cookie=0x6b656e, cookie_mask=mask,
                  table_id=4, priority=5, out_port=6 if delete else o13.OFPP_ANY,
                  out_group=7 if delete else o13.OFPG_ANY))
    show("1.3 FLOW_MOD delete everything",
         flow(table_id=o13.OFPTT_ALL, command=o13.OFPFC_DELETE, out_port=o13.OFPP_ANY, out_group=o13.OFPG_ANY))
    show("1.3 FLOW_MOD buffer", flow(None, [output()], buffer_id=0x6b65))
    show("1.3 FLOW_MOD drop", flow(everything))
    instruction = p13.OFPInstructionActions
    sets = [p13.OFPActionSetField(eth_src=MAC), output(4)]
    show("1.3 FLOW_MOD instructions", flow(everything, instructions=[
        p13.OFPInstructionMeter(5), instruction(o13.OFPIT_APPLY_ACTIONS, sets), instruction(o13.OFPIT_CLEAR_ACTIONS, []),
        instruction(o13.OFPIT_WRITE_ACTIONS, [p13.OFPActionGroup(3)]),
        p13.OFPInstructionWriteMetadata(0x6b00, 0xff00), p13.OFPInstructionGotoTable(200)]))
    show("1.3 FLOW_MOD empty lists", flow(instructions=[instruction(o13.OFPIT_APPLY_ACTIONS, []),
                                                        instruction(o13.OFPIT_WRITE_ACTIONS, [])]))
    show("1.3 FLOW_MOD metadata", flow(instructions=[
        p13.OFPInstructionWriteMetadata(0x1122334455667788, 0xffffffffffffffff)]))
    show("1.3 FLOW_MOD instructions out of order", flow(instructions=[
        p13.OFPInstructionGotoTable(9), instruction(o13.OFPIT_APPLY_ACTIONS, [output()])]), False)


# ---- 1.3: the other requests ----------------------------------------------------------------------

def modify13():
    bucket = p13.OFPBucket
    lists = {
        o13.OFPGT_ALL: [bucket(actions=[output(1)]), bucket(actions=[p13.OFPActionSetField(ipv4_dst="10.0.0.9"),
                                                                    output(2)])],
        o13.OFPGT_SELECT: [bucket(50, actions=[output(1)]), bucket(65535, actions=[output(2)]),
                           bucket(1, actions=[p13.OFPActionGroup(9)])],
        o13.OFPGT_INDIRECT: [bucket(actions=[p13.OFPActionPopVlan(), output(3)])],
        o13.OFPGT_FF: [bucket(watch_port=1, actions=[output(1)]), bucket(watch_group=8, actions=[output(2)]),
                       bucket(watch_port=o13.OFPP_LOCAL, actions=[])],
    }
    for kind, buckets in lists.items():
        for command in (o13.OFPGC_ADD, o13.OFPGC_MODIFY):
            show(f"1.3 GROUP_MOD {kind} {command}", p13.OFPGroupMod(D13, command, kind, 0x6b65 + kind, buckets))
    show("1.3 GROUP_MOD delete", p13.OFPGroupMod(D13, o13.OFPGC_DELETE, o13.OFPGT_ALL, 5, []))
    show("1.3 GROUP_MOD delete all", p13.OFPGroupMod(D13, o13.OFPGC_DELETE, o13.OFPGT_ALL, o13.OFPG_ALL, []))
    show("1.3 GROUP_MOD empty", p13.OFPGroupMod(D13, o13.OFPGC_ADD, o13.OFPGT_ALL, o13.OFPG_MAX, []))

    config = (o13.OFPPC_PORT_DOWN, o13.OFPPC_NO_RECV, o13.OFPPC_NO_FWD, o13.OFPPC_NO_PACKET_IN)
    for i, bit in enumerate(config):
        show(f"1.3 PORT_MOD {i}", p13.OFPPortMod(D13, 7 + i, MAC, bit, bit, 1 << (4 * i)))
    show("1.3 PORT_MOD all", p13.OFPPortMod(D13, o13.OFPP_LOCAL, MAC2, 0, sum(config), 0xffff))
    show("1.3 TABLE_MOD", p13.OFPTableMod(D13, 5, 3))
    show("1.3 TABLE_MOD all", p13.OFPTableMod(D13, o13.OFPTT_ALL, 0))
    drop, remark = p13.OFPMeterBandDrop, p13.OFPMeterBandDscpRemark
    show("1.3 METER_MOD add", p13.OFPMeterMod(D13, o13.OFPMC_ADD, o13.OFPMF_KBPS | o13.OFPMF_BURST | o13.OFPMF_STATS, 6,
                                              [drop(1000, 200), drop(2000, 300)]))
    show("1.3 METER_MOD remark", p13.OFPMeterMod(D13, o13.OFPMC_MODIFY, o13.OFPMF_PKTPS, 7, [remark(500, 0, 2)]), False)
    show("1.3 METER_MOD delete", p13.OFPMeterMod(D13, o13.OFPMC_DELETE, 0, o13.OFPM_ALL, []))
    show("1.3 METER_MOD controller", p13.OFPMeterMod(D13, o13.OFPMC_ADD, o13.OFPMF_PKTPS, o13.OFPM_CONTROLLER, [drop(9)]))
    show("1.3 METER_MOD experimenter",
         p13.OFPMeterMod(D13, o13.OFPMC_ADD, o13.OFPMF_KBPS, 8, [p13.OFPMeterBandExperimenter(100, 10, 0x6b656e)]), False)


def session13():
    show("1.3 HELLO", p13.OFPHello(D13))
    show_raw("1.3 HELLO versions", 4, o13.OFPT_HELLO, struct.pack("!HHI", 1, 8, 1 << 1 | 1 << 4))
    show_raw("1.3 HELLO long bitmap", 4, o13.OFPT_HELLO, struct.pack("!HHII4x", 1, 12, 1 << 1 | 1 << 4, 0))
    show("1.3 ECHO_REQUEST", p13.OFPEchoRequest(D13, b"ken" * 5))
    show("1.3 ECHO_REPLY", p13.OFPEchoReply(D13, b""))
    refused = bytearray.fromhex("040e0050" + "%08x" % XID) + bytes(56)
    show("1.3 ERROR", p13.OFPErrorMsg(D13, o13.OFPET_BAD_MATCH, o13.OFPBMC_BAD_PREREQ, bytes(refused)))
    show("1.3 ERROR hello", p13.OFPErrorMsg(D13, o13.OFPET_HELLO_FAILED, o13.OFPHFC_INCOMPATIBLE, b"no such version"))
    show("1.3 ERROR experimenter", p13.OFPErrorExperimenterMsg(
        D13, o13.OFPET_EXPERIMENTER, 77, 0x6b656e, bytes(refused)), False)
    show("1.3 EXPERIMENTER", p13.OFPExperimenter(D13, 0x6b656e, 5, b"12345678"), False)
    for request in (p13.OFPFeaturesRequest, p13.OFPGetConfigRequest, p13.OFPBarrierRequest, p13.OFPBarrierReply,
                    p13.OFPGetAsyncRequest):
        show("1.3 " + request.__name__, request(D13))
    show("1.3 SET_CONFIG", p13.OFPSetConfig(D13, o13.OFPC_FRAG_REASM, 0xffe5))
    show_raw("1.3 GET_CONFIG_REPLY", 4, o13.OFPT_GET_CONFIG_REPLY, struct.pack(
        o13.OFP_SWITCH_CONFIG_PACK_STR, o13.OFPC_FRAG_DROP, 128))
    show_raw("1.3 FEATURES_REPLY", 4, o13.OFPT_FEATURES_REPLY, struct.pack(
        o13.OFP_SWITCH_FEATURES_PACK_STR, 0x6b656e0000000001, 256, 254, 3, 0x16f, 0))
    for role in (o13.OFPCR_ROLE_NOCHANGE, o13.OFPCR_ROLE_EQUAL, o13.OFPCR_ROLE_MASTER, o13.OFPCR_ROLE_SLAVE):
        show(f"1.3 ROLE_REQUEST {role}", p13.OFPRoleRequest(D13, role, 0x1122334455667788 + role))
        show_raw(f"1.3 ROLE_REPLY {role}", 4, o13.OFPT_ROLE_REPLY, struct.pack(
            o13.OFP_ROLE_REQUEST_PACK_STR, role, (1 << 64) - 1 - role))
    show("1.3 SET_ASYNC", p13.OFPSetAsync(D13, [7, 2], [5, 3], [15, 6]))
    show_raw("1.3 GET_ASYNC_REPLY", 4, o13.OFPT_GET_ASYNC_REPLY, struct.pack("!6I", 1, 4, 2, 7, 9, 4))
    show("1.3 QUEUE_GET_CONFIG_REQUEST", p13.OFPQueueGetConfigRequest(D13, 5))
    show("1.3 QUEUE_GET_CONFIG_REQUEST any", p13.OFPQueueGetConfigRequest(D13, o13.OFPP_ANY))
    rate = [struct.pack(o13.OFP_QUEUE_PROP_HEADER_PACK_STR, kind, 16) + struct.pack("!H6x", value)
            for kind, value in ((o13.OFPQT_MIN_RATE, 250), (o13.OFPQT_MAX_RATE, 1000), (o13.OFPQT_MIN_RATE, 0xffff))]
    queues = b"".join(struct.pack(o13.OFP_PACKET_QUEUE_PACK_STR, queue, 5, 16 + len(p)) + p for queue, p in (
        (1, rate[0] + rate[1]), (2, rate[2]), (3, b"")))
    show_raw("1.3 QUEUE_GET_CONFIG_REPLY", 4, o13.OFPT_QUEUE_GET_CONFIG_REPLY, struct.pack(
        o13.OFP_QUEUE_GET_CONFIG_REPLY_PACK_STR, 5) + queues)


def port13(number, name, config, state, features):
    return struct.pack(o13.OFP_PORT_PACK_STR, number, bytes.fromhex("026b656e00%02x" % (number & 0xff)), name, config, state,
                       *features, 10000000, 100000000)


PORTS13 = (port13(1, b"ken1", 1, 1, (0x2840, 0x1820, 0x2fff, 0xffff)) + port13(2, b"a-name-of-16-chr", 0x64, 6, (0x280, 0, 0, 0))
           + port13(o13.OFPP_LOCAL, b"ken0", 0, 4, (0, 0, 0, 0)))


def asynchronous13():
    show("1.3 PACKET_OUT", p13.OFPPacketOut(D13, o13.OFP_NO_BUFFER, 3, [output(1), output(o13.OFPP_FLOOD)], FRAME))
    show("1.3 PACKET_OUT buffer", p13.OFPPacketOut(D13, 0x6b65, o13.OFPP_CONTROLLER, [output(o13.OFPP_TABLE)]))
    show("1.3 PACKET_OUT rewritten", p13.OFPPacketOut(D13, o13.OFP_NO_BUFFER, o13.OFPP_CONTROLLER, [
        p13.OFPActionSetField(eth_src=MAC2), p13.OFPActionPushVlan(), p13.OFPActionSetField(vlan_vid=0x1000 | 5),
        output(9)], FRAME))
    show("1.3 PACKET_OUT nothing", p13.OFPPacketOut(D13, o13.OFP_NO_BUFFER, o13.OFPP_CONTROLLER, [], FRAME))
    for reason in (o13.OFPR_NO_MATCH, o13.OFPR_ACTION, o13.OFPR_INVALID_TTL):
        match = p13.OFPMatch(in_port=5 + reason, metadata=0x6b, tunnel_id=7) if reason else p13.OFPMatch(in_port=5)
        show_raw(f"1.3 PACKET_IN {reason}", 4, o13.OFPT_PACKET_IN, struct.pack(
            o13.OFP_PACKET_IN_PACK_STR, o13.OFP_NO_BUFFER if reason else 0x6b65, 60 + reason, reason, 3 + reason, 0x1122334455667788)
            + serialized(match) + b"\0\0" + FRAME)
    for reason in range(4):
        match = serialized(p13.OFPMatch(**ALL_FIELDS))
        show_raw(f"1.3 FLOW_REMOVED {reason}", 4, o13.OFPT_FLOW_REMOVED, struct.pack(
            o13.OFP_FLOW_REMOVED_PACK_STR0, 0x6b656e, 77, reason, 9, 1000, 123456789, 10, 30, 1 << 40, 1 << 50) + match)
    for reason in range(3):
        show_raw(f"1.3 PORT_STATUS {reason}", 4, o13.OFPT_PORT_STATUS,
                 struct.pack("!B7x", reason) + PORTS13[64 * reason:64 * reason + 64])


# ---- 1.3: statistics ------------------------------------------------------------------------------

def requests13():
    match = p13.OFPMatch(**ALL_FIELDS)
    for name in ("Desc", "Table", "PortDesc", "GroupDesc", "GroupFeatures", "MeterFeatures"):
        show(f"1.3 MULTIPART_REQUEST {name}", getattr(p13, f"OFP{name}StatsRequest")(D13))
    for name in ("Flow", "Aggregate"):
        request = getattr(p13, f"OFP{name}StatsRequest")
        show(f"1.3 MULTIPART_REQUEST {name}",
             request(D13, 0, 5, 6, 7, 0x1122334455667788, 0xffff000000000000, match))
        show(f"1.3 MULTIPART_REQUEST {name} all",
             request(D13, 0, o13.OFPTT_ALL, o13.OFPP_ANY, o13.OFPG_ANY, 0, 0, p13.OFPMatch()))
    for name, arguments in (("Port", (3,)), ("Port", (o13.OFPP_ANY,)), ("Queue", (3, 4)), ("Queue", (o13.OFPP_ANY, o13.OFPQ_ALL)),
                            ("Group", (5,)), ("Group", (o13.OFPG_ALL,)), ("Meter", (6,)), ("Meter", (o13.OFPM_ALL,)),
                            ("MeterConfig", (7,)), ("MeterConfig", (o13.OFPM_ALL,))):
        show(f"1.3 MULTIPART_REQUEST {name} {arguments}", getattr(p13, f"OFP{name}StatsRequest")(D13, 0, *arguments))
    show("1.3 MULTIPART_REQUEST experimenter", p13.OFPExperimenterStatsRequest(D13, 0, 0x6b656e, 9, b"12345678"), False)
    show("1.3 MULTIPART_REQUEST TableFeatures", p13.OFPTableFeaturesStatsRequest(D13, 0, []))
    show("1.3 MULTIPART_REQUEST TableFeatures set", p13.OFPTableFeaturesStatsRequest(D13, 0, tables()))


def tables():
    instruction, action, oxm = p13.OFPInstructionId, p13.OFPActionId, p13.OFPOxmId
    ids = [action(kind) for kind in (0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27)]
    names = [name for name, _, _, known in FIELDS[:40] if known]
    properties = [
        p13.OFPTableFeaturePropInstructions(o13.OFPTFPT_INSTRUCTIONS, instruction_ids=[instruction(i) for i in range(1, 7)]),
        p13.OFPTableFeaturePropInstructions(o13.OFPTFPT_INSTRUCTIONS_MISS, instruction_ids=[instruction(4)]),
        p13.OFPTableFeaturePropNextTables(o13.OFPTFPT_NEXT_TABLES, table_ids=[6, 7, 8, 20]),
        p13.OFPTableFeaturePropNextTables(o13.OFPTFPT_NEXT_TABLES_MISS, table_ids=[]),
        p13.OFPTableFeaturePropActions(o13.OFPTFPT_WRITE_ACTIONS, action_ids=ids),
        p13.OFPTableFeaturePropActions(o13.OFPTFPT_APPLY_ACTIONS, action_ids=ids[:3]),
        p13.OFPTableFeaturePropOxm(o13.OFPTFPT_MATCH, oxm_ids=[oxm(name) for name in names]),
        p13.OFPTableFeaturePropOxm(o13.OFPTFPT_WILDCARDS, oxm_ids=[oxm("eth_dst", hasmask=True), oxm("in_port")]),
        p13.OFPTableFeaturePropOxm(o13.OFPTFPT_WRITE_SETFIELD, oxm_ids=[oxm("vlan_vid")]),
        p13.OFPTableFeaturePropOxm(o13.OFPTFPT_APPLY_SETFIELD, oxm_ids=[oxm("ipv4_src")]),
    ]
    return [p13.OFPTableFeaturesStats(table, f"table{table}".encode(), 0xff00, 0xff, 3, 1000 + table, properties) for table in (0, 5)]


def part13(name, kind, body, flags=0, known=True):
    show_raw("1.3 MULTIPART_REPLY " + name, 4, o13.OFPT_MULTIPART_REPLY,
             struct.pack(o13.OFP_MULTIPART_REPLY_PACK_STR, kind, flags) + body, known)


def replies13():
    part13("desc", o13.OFPMP_DESC, struct.pack(o13.OFP_DESC_PACK_STR, b"ken", b"virtual", b"2.5.0", b"0x6b656e", b"a \"quoted\" name"))
    stats = [serialized(p13.OFPMatch(**match)) + b"".join(serialized(i) for i in instructions) for match, instructions in (
        (ALL_FIELDS, [p13.OFPInstructionActions(o13.OFPIT_APPLY_ACTIONS, [output(7)])]),
        ({"in_port": 3}, [p13.OFPInstructionMeter(4), p13.OFPInstructionGotoTable(12)]), ({}, []))]
    body = b"".join(struct.pack(o13.OFP_FLOW_STATS_0_PACK_STR, 48 + len(s), 3 + i, 100 + i, 5000000 + i, 200 + i, 300 + i, 400 + i,
                                0x1f >> i, 0x6b656e00 + i, 10**12 + i, 10**15 + i) + s for i, s in enumerate(stats))
    part13("flow", o13.OFPMP_FLOW, body)
    part13("flow more", o13.OFPMP_FLOW, body, o13.OFPMPF_REPLY_MORE)
    part13("flow none", o13.OFPMP_FLOW, b"")
    part13("aggregate", o13.OFPMP_AGGREGATE, struct.pack(o13.OFP_AGGREGATE_STATS_REPLY_PACK_STR, 10**12, 10**15, 107))
    part13("table", o13.OFPMP_TABLE, b"".join(struct.pack(o13.OFP_TABLE_STATS_PACK_STR, i, 100 + i, 10**10 + i, 10**9 + i) for i in (0, 9)))
    part13("port", o13.OFPMP_PORT_STATS, b"".join(struct.pack(
        o13.OFP_PORT_STATS_PACK_STR, port, *range(base, base + 12), 60 + port % 7, 7000000)
        for port, base in ((1, 1000), (o13.OFPP_LOCAL, 2 * 10**12))))
    part13("queue", o13.OFPMP_QUEUE, b"".join(struct.pack(
        o13.OFP_QUEUE_STATS_PACK_STR, port, 8 + port, 1100 + port, 2200 + port, 3300 + port, 44, 550000000) for port in (1, 2)))
    counters = b"".join(struct.pack(o13.OFP_BUCKET_COUNTER_PACK_STR, 500 + i, 600 + i) for i in range(3))
    part13("group", o13.OFPMP_GROUP, b"".join(struct.pack(
        o13.OFP_GROUP_STATS_PACK_STR, 40 + len(c), 0x6b + i, 2 + i, 10**9 + i, 10**12 + i, 70, 80) + c
        for i, c in enumerate((counters, b""))))
    buckets = b"".join(serialized(b) for b in (p13.OFPBucket(30, actions=[output(1)]), p13.OFPBucket(70, actions=[output(2)])))
    watch = b"".join(serialized(b) for b in (p13.OFPBucket(0, 1, actions=[output(1)]), p13.OFPBucket(0, 2, actions=[output(2)])))
    part13("group_desc", o13.OFPMP_GROUP_DESC, b"".join(struct.pack(o13.OFP_GROUP_DESC_PACK_STR, 8 + len(b), kind, 0x6b00 + kind) + b
                                                       for kind, b in ((o13.OFPGT_SELECT, buckets), (o13.OFPGT_FF, watch), (o13.OFPGT_ALL, b""))))
    part13("group_features", o13.OFPMP_GROUP_FEATURES, struct.pack(
        o13.OFP_GROUP_FEATURES_PACK_STR, 15, 7, 101, 102, 103, 104, 0x1, 0x3ff9801, 0x801, 0xffff801))
    bands = serialized(p13.OFPMeterBandDrop(1000, 200)), serialized(p13.OFPMeterBandDscpRemark(500, 100, 3))
    part13("meter", o13.OFPMP_METER, b"".join(struct.pack(
        o13.OFP_METER_STATS_PACK_STR, 6 + i, 40 + len(c), 3 + i, 10**9 + i, 10**12 + i, 77, 88) + c for i, c in enumerate((counters[:32], b""))))
    part13("meter_config", o13.OFPMP_METER_CONFIG, struct.pack(o13.OFP_METER_CONFIG_PACK_STR, 8 + 32, 13, 6) + b"".join(bands)
           + struct.pack(o13.OFP_METER_CONFIG_PACK_STR, 8 + 16, 2, 7) + bands[0])
    part13("meter_features", o13.OFPMP_METER_FEATURES, struct.pack(o13.OFP_METER_FEATURES_PACK_STR, 1000, 6, 15, 3, 4))
    part13("table_features", o13.OFPMP_TABLE_FEATURES, b"".join(bytes(t.serialize()) for t in tables()))
    part13("port_desc", o13.OFPMP_PORT_DESC, PORTS13)
    part13("experimenter", o13.OFPMP_EXPERIMENTER, struct.pack(o13.OFP_EXPERIMENTER_MULTIPART_HEADER_PACK_STR, 0x6b656e, 5) + b"1234", known=False)


def main13():
    for part in (session13, fields13, actions13, nicira13, flows13, modify13, asynchronous13, requests13, replies13):
        part()


# ---- 1.0 ------------------------------------------------------------------------------------------

def flow10(match=None, actions=(), **more):
    more = dict(cookie=0x6b65, command=o10.OFPFC_ADD, actions=list(actions)) | more
    return p10.OFPFlowMod(D10, match or p10.OFPMatch(), **more)


def output10(port=1, max_len=0):
    return p10.OFPActionOutput(port, max_len)


MATCHES10 = [
    dict(), dict(in_port=7), dict(in_port=o10.OFPP_LOCAL), dict(dl_src=MAC), dict(dl_dst=MAC2), dict(dl_vlan=77),
    dict(dl_vlan=0xffff), dict(dl_vlan=77, dl_vlan_pcp=5), dict(dl_type=0x88cc), dict(dl_type=0x800, nw_tos=184),
    dict(dl_type=0x800, nw_proto=89), dict(dl_type=0x800, nw_src="10.1.2.3"), dict(dl_type=0x800, nw_dst="10.4.0.0", nw_dst_mask=16),
    dict(dl_type=0x800, nw_src="10.0.0.0", nw_src_mask=8, nw_dst="10.4.5.128", nw_dst_mask=25),
    dict(dl_type=0x800, nw_proto=6, tp_src=40001, tp_dst=443), dict(dl_type=0x800, nw_proto=17, tp_dst=53),
    dict(dl_type=0x800, nw_proto=1, tp_src=8, tp_dst=0), dict(dl_type=0x806, nw_proto=2, nw_src="10.7.8.9", nw_dst="10.7.8.10"),
    dict(dl_type=0x5ff),
]
ALL10 = dict(in_port=3, dl_src=MAC, dl_dst=MAC2, dl_vlan=5, dl_vlan_pcp=3, dl_type=0x800, nw_tos=184, nw_proto=6,
             nw_src="10.1.2.0", nw_src_mask=24, nw_dst="10.2.3.4", tp_src=1234, tp_dst=443)


def rules10():
    for i, match in enumerate(MATCHES10 + [ALL10]):
        show(f"1.0 FLOW_MOD match {i}", flow10(p10.OFPMatch(**match), [output10()]))
    for name, actions, known in [
        ("output reserved", [output10(port) for port in (o10.OFPP_IN_PORT, o10.OFPP_TABLE, o10.OFPP_NORMAL, o10.OFPP_FLOOD,
                                                         o10.OFPP_ALL, o10.OFPP_LOCAL)], True),
        ("output controller", [output10(o10.OFPP_CONTROLLER, 128)], True),
        ("vlan", [p10.OFPActionVlanVid(77), p10.OFPActionVlanPcp(5), p10.OFPActionStripVlan(), output10()], True),
        ("dl", [p10.OFPActionSetDlSrc(bytes.fromhex("026b656e0003")), p10.OFPActionSetDlDst(bytes.fromhex("026b656e0004")), output10()], True),
        ("enqueue", [p10.OFPActionEnqueue(3, 7)], True),
        ("vendor", [p10.OFPActionVendorUnknown(0x6b656e, bytes(8))], False),
    ]:
        show("1.0 FLOW_MOD action " + name, flow10(None, actions), known)
    tcp = p10.OFPMatch(dl_type=0x800, nw_proto=6)
    show("1.0 FLOW_MOD action nw", flow10(tcp, [
        p10.OFPActionSetNwSrc("10.0.0.1"), p10.OFPActionSetNwDst("10.0.0.2"), p10.OFPActionSetNwTos(184),
        p10.OFPActionSetTpSrc(1234), p10.OFPActionSetTpDst(443), output10()]))
    for name, action in [
        ("resubmit", p10.NXActionResubmit(5)), ("resubmit_table", p10.NXActionResubmitTable(5, 7)),
        ("set_tunnel", p10.NXActionSetTunnel(0x77)), ("reg_load", p10.NXActionRegLoad(31, "reg2", 0x6b656e)),
        ("note", p10.NXActionNote(note=[1, 2, 3, 4, 5, 6])), ("exit", p10.NXActionExit()),
    ]:
        show("1.0 FLOW_MOD nicira " + name, flow10(None, [action]))
    for i in range(5):
        show(f"1.0 FLOW_MOD command {i}", flow10(p10.OFPMatch(**ALL10), [] if i > 2 else [output10(5)], command=i,
                                                idle_timeout=61, hard_timeout=62, priority=77, buffer_id=0x6b65 if i < 3 else o10.OFP_NO_BUFFER,
                                                out_port=6 if i > 2 else o10.OFPP_NONE,
                                                flags=o10.OFPFF_SEND_FLOW_REM | o10.OFPFF_CHECK_OVERLAP if not i else 0))
    show("1.0 FLOW_MOD emergency", flow10(None, [output10()], flags=o10.OFPFF_EMERG), False)  # it refuses them


PORT10 = [struct.pack("!" + o10._OFP_PHY_PORT_PACK_STR, number, bytes.fromhex("026b656e0001"), name, config, state, *features)
          for number, name, config, state, features in (
              (1, b"ken1", 1, 1, (0x2c1, 0x7f, 0xfff, 0)), (2, b"a-name-of-16-chr", 0x10, 0x200, (0x102, 0, 0, 0)),
              (o10.OFPP_LOCAL, b"ken0", 0x62, 0x300, (0, 0, 0, 0)))]


def session10():
    show("1.0 HELLO", p10.OFPHello(D10))
    show("1.0 ECHO_REQUEST", p10.OFPEchoRequest(D10, b"ken"))
    show("1.0 ECHO_REPLY", p10.OFPEchoReply(D10, b"ken"))
    refused = bytes.fromhex("010e0048" + "%08x" % XID) + bytes(56)
    show("1.0 ERROR", p10.OFPErrorMsg(D10, o10.OFPET_FLOW_MOD_FAILED, o10.OFPFMFC_OVERLAP, refused))
    for request in (p10.OFPFeaturesRequest, p10.OFPGetConfigRequest, p10.OFPBarrierRequest, p10.OFPBarrierReply):
        show("1.0 " + request.__name__, request(D10))
    show("1.0 SET_CONFIG", p10.OFPSetConfig(D10, 1, 128))
    show_raw("1.0 GET_CONFIG_REPLY", 1, o10.OFPT_GET_CONFIG_REPLY, struct.pack(o10.OFP_SWITCH_CONFIG_PACK_STR, 0, 0xffff))
    show_raw("1.0 FEATURES_REPLY", 1, o10.OFPT_FEATURES_REPLY, struct.pack(
        o10.OFP_SWITCH_FEATURES_PACK_STR, 0x6b656e0000000002, 256, 254, 0xc7, 0xfff) + b"".join(PORT10))
    show("1.0 QUEUE_GET_CONFIG_REQUEST", p10.OFPQueueGetConfigRequest(D10, 5))
    queue = struct.pack("!IH2x", 7, 24) + struct.pack(o10.OFP_QUEUE_PROP_HEADER_PACK_STR, 1, 16) + struct.pack("!H6x", 250)
    show_raw("1.0 QUEUE_GET_CONFIG_REPLY", 1, o10.OFPT_QUEUE_GET_CONFIG_REPLY,
             struct.pack(o10.OFP_QUEUE_GET_CONFIG_REPLY_PACK_STR, 5) + queue)
    show("1.0 VENDOR role", p10.NXTRoleRequest(D10, 1))
    show("1.0 VENDOR flow format", p10.NXTSetFlowFormat(D10, 2))
    show("1.0 VENDOR packet in format", p10.NXTSetPacketInFormat(D10, 1))
    show("1.0 VENDOR async", p10.NXTSetAsyncConfig(D10, [7, 2], [5, 3], [15, 6]))
    show("1.0 VENDOR controller id", p10.NXTSetControllerId(D10, 77))
    show("1.0 PORT_MOD", p10.OFPPortMod(D10, 5, MAC, 0x21, 0x7f, 0xc1))
    show("1.0 PACKET_OUT", p10.OFPPacketOut(D10, o10.OFP_NO_BUFFER, 3, [output10(), output10(o10.OFPP_FLOOD)], FRAME))
    show("1.0 PACKET_OUT buffer", p10.OFPPacketOut(D10, 0x6b65, o10.OFPP_NONE, [output10(o10.OFPP_TABLE)]))
    for i in range(2):
        show_raw(f"1.0 PACKET_IN {i}", 1, o10.OFPT_PACKET_IN, struct.pack(
            o10.OFP_PACKET_IN_PACK_STR, 0x6b65 if i else o10.OFP_NO_BUFFER, 60 + i, 5 + i, i) + FRAME)
    for i in range(3):
        match = serialized(p10.OFPMatch(**ALL10))
        show_raw(f"1.0 FLOW_REMOVED {i}", 1, o10.OFPT_FLOW_REMOVED, match + struct.pack(
            o10.OFP_FLOW_REMOVED_PACK_STR0, 0x6b656e, 77, i, 1000, 123456789, 10, 1 << 40, 1 << 50))
        show_raw(f"1.0 PORT_STATUS {i}", 1, o10.OFPT_PORT_STATUS, struct.pack("!B7x", i) + PORT10[i])


def statistics10():
    show("1.0 STATS_REQUEST desc", p10.OFPDescStatsRequest(D10, 0))
    show("1.0 STATS_REQUEST table", p10.OFPTableStatsRequest(D10, 0))
    show("1.0 STATS_REQUEST flow", p10.OFPFlowStatsRequest(D10, 0, p10.OFPMatch(**ALL10), 5, 6))
    show("1.0 STATS_REQUEST aggregate", p10.OFPAggregateStatsRequest(D10, 0, p10.OFPMatch(), 0xff, o10.OFPP_NONE))
    show("1.0 STATS_REQUEST port", p10.OFPPortStatsRequest(D10, 0, 3))
    show("1.0 STATS_REQUEST queue", p10.OFPQueueStatsRequest(D10, 0, o10.OFPP_ALL, o10.OFPQ_ALL))
    show("1.0 STATS_REQUEST vendor", p10.OFPVendorStatsRequest(D10, 0, 0x6b656e, b"1234"), False)
    show("1.0 STATS_REQUEST nicira", p10.NXFlowStatsRequest(D10, 0, 5, 6))

    def reply(name, kind, body, known=True):
        show_raw("1.0 STATS_REPLY " + name, 1, o10.OFPT_STATS_REPLY, struct.pack(o10.OFP_STATS_MSG_PACK_STR, kind, 0) + body, known)
    reply("desc", o10.OFPST_DESC, struct.pack(o10.OFP_DESC_STATS_PACK_STR, b"ken", b"virtual", b"2.5.0", b"0x6b656e", b"name"))
    actions = [serialized(output10(7)) + serialized(p10.OFPActionVlanVid(77)), b""]
    reply("flow", o10.OFPST_FLOW, b"".join(
        struct.pack(o10.OFP_FLOW_STATS_0_PACK_STR, 88 + len(a), 3 + i) + serialized(p10.OFPMatch(**(ALL10 if i else {})))
        + struct.pack(o10.OFP_FLOW_STATS_1_PACK_STR, 100 + i, 5000000 + i, 200 + i, 300 + i, 400 + i, 0x6b656e00 + i, 10**12 + i, 10**15 + i)
        + a for i, a in enumerate(actions)))
    reply("aggregate", o10.OFPST_AGGREGATE, struct.pack(o10.OFP_AGGREGATE_STATS_REPLY_PACK_STR, 10**12, 10**15, 107))
    reply("table", o10.OFPST_TABLE, struct.pack(o10.OFP_TABLE_STATS_PACK_STR, 3, b"classifier", o10.OFPFW_ALL, 1000, 17, 10**10, 10**9))
    reply("port", o10.OFPST_PORT, b"".join(struct.pack(o10.OFP_PORT_STATS_PACK_STR, port, *range(base, base + 12))
                                          for port, base in ((1, 1000), (o10.OFPP_LOCAL, 2 * 10**12))))
    reply("queue", o10.OFPST_QUEUE, struct.pack(o10.OFP_QUEUE_STATS_PACK_STR, 1, 8, 1100, 2200, 3300))
    reply("vendor", o10.OFPST_VENDOR, struct.pack("!I", 0x6b656e) + b"1234", False)


def main10():
    for part in (session10, rules10, statistics10):
        part()


if __name__ == "__main__":
    main13()
    main10()
