# SPDX-License-Identifier: Apache-2.0
"""openflow_osken_app.py - an app for os-ken, beside tests/bench/osken_learning.py: once a switch is there,
asks it for everything there is to ask in its version, sets groups and meters, and when a link goes down
makes mistakes, so that a capture of the channel holds what a controller and a switch can say to each
other. (In 1.0 os-ken hangs up at the first ERROR: mistakes come last.)"""
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3


def requests13(dp):
    o, p = dp.ofproto, dp.ofproto_parser
    match = p.OFPMatch(in_port=1, eth_type=0x800, ipv4_dst=("10.1.0.0", "255.255.0.0"), ip_proto=6, tcp_dst=80)
    output = [p.OFPActionOutput(2)]
    apply = [p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [
        p.OFPActionSetField(eth_dst="02:00:00:00:00:09"), p.OFPActionPushVlan(0x8100),
        p.OFPActionSetField(vlan_vid=0x1000 | 9), p.OFPActionSetQueue(3)] + output)]
    yield p.OFPGetConfigRequest(dp)
    yield p.OFPSetConfig(dp, o.OFPC_FRAG_NORMAL, 0xffff)
    yield p.OFPRoleRequest(dp, o.OFPCR_ROLE_EQUAL, 0)
    yield p.OFPRoleRequest(dp, o.OFPCR_ROLE_MASTER, 7)
    yield p.OFPSetAsync(dp, [7, 0], [7, 7], [15, 0])
    yield p.OFPGetAsyncRequest(dp)
    yield p.OFPMeterMod(dp, o.OFPMC_ADD, o.OFPMF_KBPS | o.OFPMF_BURST, 1, [p.OFPMeterBandDrop(1000, 100)])
    yield p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_SELECT, 1, [p.OFPBucket(50, actions=output), p.OFPBucket(30, actions=[p.OFPActionOutput(1)])])
    yield p.OFPGroupMod(dp, o.OFPGC_ADD, o.OFPGT_FF, 2, [p.OFPBucket(watch_port=1, actions=output), p.OFPBucket(watch_port=2, actions=output)])
    yield p.OFPFlowMod(dp, cookie=0x77, priority=30, match=match, instructions=apply, flags=o.OFPFF_SEND_FLOW_REM)
    yield p.OFPFlowMod(dp, cookie=0x78, priority=31, match=match, hard_timeout=1, flags=o.OFPFF_SEND_FLOW_REM,
                       instructions=[p.OFPInstructionMeter(1), p.OFPInstructionWriteMetadata(5, 15), p.OFPInstructionGotoTable(3)])
    yield p.OFPFlowMod(dp, cookie=0x79, priority=32, match=match, instructions=[
        p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, [p.OFPActionGroup(1)])])
    for name in ("Desc", "Table", "PortDesc", "GroupDesc", "GroupFeatures", "MeterFeatures", "Flow", "Port", "Queue", "Group", "Meter",
                 "MeterConfig"):
        yield getattr(p, f"OFP{name}StatsRequest")(dp)
    yield p.OFPTableFeaturesStatsRequest(dp, 0, [])
    yield p.OFPAggregateStatsRequest(dp, 0, o.OFPTT_ALL, o.OFPP_ANY, o.OFPG_ANY, 0, 0, p.OFPMatch())
    yield p.OFPQueueGetConfigRequest(dp, 1)
    yield p.OFPFlowMod(dp, command=o.OFPFC_DELETE, cookie=0x77, cookie_mask=0xff, match=p.OFPMatch(), out_port=o.OFPP_ANY,
                       out_group=o.OFPG_ANY, table_id=o.OFPTT_ALL)
    yield p.OFPGroupMod(dp, o.OFPGC_DELETE, o.OFPGT_ALL, o.OFPG_ALL, [])
    yield p.OFPMeterMod(dp, o.OFPMC_DELETE, 0, o.OFPM_ALL, [])
    yield p.OFPEchoRequest(dp, b"ken")
    yield p.OFPBarrierRequest(dp)


def requests10(dp):
    o, p = dp.ofproto, dp.ofproto_parser
    match = p.OFPMatch(in_port=1, dl_type=0x800, nw_dst="10.1.0.0", nw_dst_mask=16, nw_proto=6, tp_dst=80)
    more = dict(cookie=0x77, command=o.OFPFC_ADD)
    yield p.OFPGetConfigRequest(dp)
    yield p.OFPSetConfig(dp, 0, 0xffff)
    yield p.OFPFlowMod(dp, match, priority=30, flags=o.OFPFF_SEND_FLOW_REM, **more, actions=[
        p.OFPActionVlanVid(9), p.OFPActionVlanPcp(3), p.OFPActionStripVlan(), p.OFPActionSetDlDst(b"\2\0\0\0\0\x09"),
        p.OFPActionSetNwDst("10.0.0.9"), p.OFPActionSetNwTos(40), p.OFPActionSetTpDst(99), p.OFPActionEnqueue(1, 5), p.OFPActionOutput(2)])
    yield p.OFPFlowMod(dp, match, priority=31, flags=o.OFPFF_SEND_FLOW_REM, hard_timeout=1, **more, actions=[p.OFPActionOutput(2)])
    yield p.OFPDescStatsRequest(dp, 0)
    yield p.OFPTableStatsRequest(dp, 0)
    yield p.OFPFlowStatsRequest(dp, 0, p.OFPMatch(), 0xff, o.OFPP_NONE)
    yield p.OFPAggregateStatsRequest(dp, 0, p.OFPMatch(), 0xff, o.OFPP_NONE)
    yield p.OFPPortStatsRequest(dp, 0, o.OFPP_NONE)
    yield p.OFPQueueStatsRequest(dp, 0, o.OFPP_ALL, o.OFPQ_ALL)
    yield p.NXTRoleRequest(dp, 1)
    yield p.OFPFlowMod(dp, match, cookie=0, command=o.OFPFC_DELETE, out_port=2)
    yield p.OFPEchoRequest(dp, b"ken")
    yield p.OFPBarrierRequest(dp)


def mistakes13(dp):
    o, p = dp.ofproto, dp.ofproto_parser
    match = p.OFPMatch(in_port=1)
    yield p.OFPPortMod(dp, 2, "02:00:00:00:00:99", 0, o.OFPPC_NO_FWD, 0)  # not its address
    yield p.OFPFlowMod(dp, match=match, instructions=[p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, [p.OFPActionGroup(99)])])
    yield p.OFPGroupMod(dp, o.OFPGC_MODIFY, o.OFPGT_ALL, 98, [])
    yield p.OFPMeterStatsRequest(dp, 0, 97)
    yield p.OFPExperimenter(dp, 0x6b656e, 5, b"12345678")
    yield p.OFPExperimenterStatsRequest(dp, 0, 0x6b656e, 5, b"12345678")


def mistakes10(dp):
    o, p = dp.ofproto, dp.ofproto_parser
    match = p.OFPMatch(in_port=1)
    more = dict(cookie=0x77, command=o.OFPFC_ADD)
    yield p.OFPFlowMod(dp, match, priority=30, **more, actions=[p.OFPActionOutput(2)])
    yield p.OFPPortMod(dp, 2, "02:00:00:00:00:99", 0, o.OFPPC_NO_FWD, 0)
    yield p.OFPVendorStatsRequest(dp, 0, 0x6b656e, b"1234")
    yield p.OFPFlowMod(dp, match, priority=30, flags=o.OFPFF_CHECK_OVERLAP, **more, actions=[])  # overlaps
    yield p.OFPQueueGetConfigRequest(dp, 1)


class Talk(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_0.OFP_VERSION, ofproto_v1_3.OFP_VERSION]

    def send(self, datapath, old, new):
        is_old = datapath.ofproto.OFP_VERSION == ofproto_v1_0.OFP_VERSION
        for message in (old if is_old else new)(datapath):
            datapath.send_msg(message)

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features(self, event):
        self.send(event.msg.datapath, requests10, requests13)

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, event):
        ofproto = event.msg.datapath.ofproto
        if event.msg.reason == ofproto.OFPPR_MODIFY and event.msg.desc.state & ofproto.OFPPS_LINK_DOWN:
            self.send(event.msg.datapath, mistakes10, mistakes13)
