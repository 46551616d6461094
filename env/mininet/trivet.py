# SPDX-License-Identifier: Apache-2.0
"""trivet.py - trivet's topologies and controller for Mininet.

    sudo env/trivet up
    sudo mn --custom env/mininet/trivet.py --topo pod --arp --switch trivet --controller trivet --test pingall

--topo diamond, pod or ring,N; --switch trivet is Open vSwitch with the userspace datapath, so that it
runs without the kernel module; --controller trivet is the running trivet on TRIVET_CONTROLLER
(default tcp:127.0.0.1:6653). Port numbers and addresses are those of env/topology.
"""

import os

from mininet.node import OVSSwitch, RemoteController
from mininet.topo import Topo


class TrivetTopo(Topo):
    """Switches with dpid 1.., hosts with addresses 10.0.0.N and MACs ending in N."""

    def switches_up_to(self, n):
        for i in range(1, n + 1):
            self.addSwitch('s%d' % i, dpid='%016x' % i)

    def host(self, n, switch, port):
        name = self.addHost('h%d' % n, ip='10.0.0.%d/24' % n, mac='00:00:00:00:%02x:%02x' % (n >> 8, n & 255))
        self.addLink(switch, name, port1=port, port2=0)


class Diamond(TrivetTopo):
    """h1-s1, s1-s3-s2, s1-s4-s2, s2-h2."""

    def build(self):
        self.switches_up_to(4)
        self.host(1, 's1', 1)
        self.host(2, 's2', 1)
        self.addLink('s1', 's3', port1=2, port2=1)
        self.addLink('s1', 's4', port1=3, port2=1)
        self.addLink('s2', 's3', port1=2, port2=2)
        self.addLink('s2', 's4', port1=3, port2=2)


class Pod(TrivetTopo):
    """h1, h2 on s1; h3, h4 on s3; aggregation s2, s4: a ring."""

    def build(self):
        self.switches_up_to(4)
        self.host(1, 's1', 1)
        self.host(2, 's1', 2)
        self.host(3, 's3', 1)
        self.host(4, 's3', 2)
        self.addLink('s1', 's2', port1=3, port2=1)
        self.addLink('s1', 's4', port1=4, port2=1)
        self.addLink('s3', 's2', port1=3, port2=2)
        self.addLink('s3', 's4', port1=4, port2=2)


class Ring(TrivetTopo):
    """N switches in a ring, one host each: port 1 host, 2 next, 3 previous."""

    def build(self, n=4):
        self.switches_up_to(n)
        for i in range(1, n + 1):
            self.host(i, 's%d' % i, 1)
            self.addLink('s%d' % i, 's%d' % (i % n + 1), port1=2, port2=3)


class TrivetSwitch(OVSSwitch):
    """Open vSwitch in userspace; checksum offload off in the hosts, which that datapath needs."""

    def __init__(self, name, **params):
        params.setdefault('datapath', 'user')
        super().__init__(name, **params)

    def start(self, controllers):
        for port in self.intfList():
            if port.link:
                self.cmd('sysctl -qw net.ipv6.conf.%s.disable_ipv6=1' % port.name)
                peer = port.link.intf1 if port.link.intf2 is port else port.link.intf2
                if not isinstance(peer.node, OVSSwitch):
                    peer.node.cmd('ethtool -K %s tx off' % peer.name)
        super().start(controllers)


class Trivet(RemoteController):
    """The trivet that runs on TRIVET_CONTROLLER."""

    def __init__(self, name, **params):
        _, ip, port = os.environ.get('TRIVET_CONTROLLER', 'tcp:127.0.0.1:6653').split(':')
        params.setdefault('ip', ip)
        params.setdefault('port', int(port))
        super().__init__(name, **params)


topos = {'diamond': Diamond, 'pod': Pod, 'ring': Ring}
switches = {'trivet': TrivetSwitch}
controllers = {'trivet': Trivet}
