# SPDX-License-Identifier: Apache-2.0
"""osken_learning.py - peer in env/bench: the least that a learning switch needs in os-ken.

Each packet-in to a known destination is answered as trivet's policy `learning` does, with a rule for
(in_port, eth_src, eth_dst): a flow-mod and a packet-out with the frame in OpenFlow 1.3, one flow-mod
that releases the buffer in 1.0. Unknown destinations are flooded. Nothing is logged, and addresses
are cut out of the frame without os-ken's packet library, so that what remains is the framework.
"""
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.mac import haddr_to_str
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3

PRIORITY = 10
IDLE_S = 60


class Learning(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_0.OFP_VERSION, ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}  # (datapath id, address): port

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def switch_features(self, event):
        """The table-miss rule, which 1.0 does not need."""
        datapath = event.msg.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        if ofproto.OFP_VERSION == ofproto_v1_0.OFP_VERSION:
            return
        actions = [parser.OFPActionOutput(ofproto.OFPP_CONTROLLER, ofproto.OFPCML_NO_BUFFER)]
        datapath.send_msg(parser.OFPFlowMod(
            datapath=datapath, priority=0, match=parser.OFPMatch(),
            instructions=[parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        msg = event.msg
        datapath = msg.datapath
        ofproto, parser = datapath.ofproto, datapath.ofproto_parser
        old = ofproto.OFP_VERSION == ofproto_v1_0.OFP_VERSION
        in_port = msg.in_port if old else msg.match['in_port']
        dst, src = msg.data[0:6], msg.data[6:12]

        self.ports[datapath.id, src] = in_port
        out = self.ports.get((datapath.id, dst))
        actions = [parser.OFPActionOutput(ofproto.OFPP_FLOOD if out is None else out)]
        if out is not None and old:
            datapath.send_msg(parser.OFPFlowMod(
                datapath, parser.OFPMatch(in_port=in_port, dl_dst=dst, dl_src=src), 0,
                ofproto.OFPFC_ADD, idle_timeout=IDLE_S, priority=PRIORITY, buffer_id=msg.buffer_id,
                actions=actions))
            if msg.buffer_id != ofproto.OFP_NO_BUFFER:
                return
        elif out is not None:
            match = parser.OFPMatch(in_port=in_port, eth_dst=haddr_to_str(dst),
                                    eth_src=haddr_to_str(src))
            datapath.send_msg(parser.OFPFlowMod(
                datapath=datapath, match=match, idle_timeout=IDLE_S, priority=PRIORITY,
                instructions=[parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)]))
        datapath.send_msg(parser.OFPPacketOut(
            datapath=datapath, buffer_id=msg.buffer_id, in_port=in_port, actions=actions,
            data=msg.data if msg.buffer_id == ofproto.OFP_NO_BUFFER else None))
