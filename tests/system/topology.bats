# SPDX-License-Identifier: Apache-2.0
# The topologies: idempotent, numbered as promised, and clean removes them and nothing else.
load helper

setup() { fresh; }
teardown() { topology clean; }

# What stands: bridges with their columns, ports with numbers and types, namespaces with addresses
picture() {
    local ns
    ovs-vsctl --columns=name,datapath_type,fail_mode,other_config,external_ids,controller list bridge
    ovs-vsctl --format=csv --columns=name,type,ofport,options list interface | sort
    for ns in $(ip netns list | cut -d' ' -f1 | sort); do
        ip -n "$ns" -o address | sed 's/valid_lft.*//'
        ip -n "$ns" neigh show nud permanent | sort
    done
}

@test "each topology twice is the same as once" {
    for t in diamond pod 'ring 5' agents-ipv4; do
        topology $t --controller none
        picture >"$BATS_TEST_TMPDIR/once"
        topology $t --controller none
        picture >"$BATS_TEST_TMPDIR/twice"
        diff "$BATS_TEST_TMPDIR/once" "$BATS_TEST_TMPDIR/twice"
        topology clean
    done
}

@test "dpids and port numbers of the diamond and the pod are the documented ones" {
    ports() { ovs-ofctl show "t-$1" | sed -n 's/^ \([0-9]*\)(t-\(.*\)): addr.*/\1=\2/p' | sort -n | tr '\n' ' '; }
    peer() { basename "$(ip -o link show "t-$1" | sed 's/.*t-[^@]*@t-\([^:]*\):.*/\1/')"; }
    topology diamond --controller none
    [ "$(ports s1)" = "1=s1-eth1 2=s1-eth2 3=s1-eth3 " ]
    [ "$(peer s1-eth2) $(peer s1-eth3) $(peer s2-eth2) $(peer s2-eth3)" = "s3-eth1 s4-eth1 s3-eth2 s4-eth2" ]
    [ "$(ovs-ofctl show t-s4 | sed -n 's/.*dpid://p')" = 0000000000000004 ]
    topology clean
    topology pod --controller none
    [ "$(ports s3)" = "1=s3-eth1 2=s3-eth2 3=s3-eth3 4=s3-eth4 " ]
    [ "$(peer s1-eth3) $(peer s1-eth4) $(peer s3-eth3) $(peer s3-eth4)" = "s2-eth1 s4-eth1 s2-eth2 s4-eth2" ]
    [ "$(in_host h4 cat /sys/class/net/h4-eth0/address)" = 00:00:00:00:00:04 ]
    in_host h1 ip neigh show nud permanent | grep -q '10.0.0.4 .*00:00:00:00:00:04'
}

@test "bridges stand secure, with our controller, from their first moment" {
    topology ring 3
    for b in t-s1 t-s2 t-s3; do
        [ "$(ovs-vsctl get-fail-mode $b)" = secure ]
        [ "$(ovs-vsctl get-controller $b)" = "$TRIVET_CONTROLLER" ]
        [ "$(ovs-vsctl get controller $b max_backoff)" = 1000 ]
    done
}

@test "patch ports join two bridges instead of a veth pair" {
    topology pod --controller none --patch s1-s2
    [ "$(ovs-vsctl get interface t-s1-eth3 type)" = patch ]
    [ "$(ovs-vsctl get interface t-s1-eth4 type)" = '""' ]
    [ ! -e /sys/class/net/t-s1-eth3 ]
    topology pod --controller none # and back
    [ -e /sys/class/net/t-s1-eth3 ]
}

@test "TCP flows through the userspace datapath" {
    topology diamond --controller none
    ovs-ofctl add-flow t-s1 actions=NORMAL
    ovs-ofctl add-flow t-s2 actions=NORMAL
    ovs-ofctl add-flow t-s3 actions=NORMAL
    in_host h2 iperf3 -s -1 -D
    eventually 3 eval 'in_host h2 ss -ltn | grep -q :5201'
    in_host h1 iperf3 -c 10.0.0.2 -n 2M --connect-timeout 2000 >/dev/null
}

@test "agents-ipv4 --standalone is the original: the agents reach each other without a controller" {
    topology agents-ipv4 --standalone
    [ "$(ovs-vsctl get-fail-mode t-ovs1)" = standalone ]
    in_host agent1 ping -c 2 -i 0.2 -W 2 -q 10.1.1.6
}

no_foreigners() { # also those of a run that was cut short
    ovs-vsctl --if-exists del-br t-foreign
    ip netns del t-foreign 2>/dev/null || true
    ip link del t-foreign0 2>/dev/null || true
}

@test "clean removes what is on record and nothing else" {
    no_foreigners
    ovs-vsctl add-br t-foreign -- set bridge t-foreign datapath_type=netdev
    ip netns add t-foreign
    ip link add t-foreign0 type veth peer name t-foreign1
    topology diamond
    topology clean
    topology clean
    run ovs-vsctl list-br
    [[ $output == *t-foreign* ]]
    [[ $output != *t-s1* ]]
    [ -e /run/netns/t-foreign ]
    [ ! -e /run/netns/t-h1 ]
    [ -e /sys/class/net/t-foreign0 ]
    [ ! -e /sys/class/net/t-s1-eth2 ]
    no_foreigners
}

@test "another topology, a foreign bridge and a foreign interface are refused by name" {
    topology diamond
    run topology pod
    [ "$status" = 1 ]
    [[ $output == *"topology 'diamond' is up"*clean* ]]
    topology clean
    ovs-vsctl add-br t-s2 -- set bridge t-s2 datapath_type=netdev
    run topology diamond
    [ "$status" = 1 ]
    [[ $output == *"bridge t-s2 exists and is not ours"* ]]
    ovs-vsctl del-br t-s2
    topology clean
    ip link add t-s1-eth2 type veth peer name t-x
    run topology diamond
    [ "$status" = 1 ]
    [[ $output == *"interface t-s1-eth2 exists and is not ours"* ]]
    ip link del t-s1-eth2
}

@test "wrong arguments exit with 2" {
    for arguments in 'pod --nonsense' 'ring 1' 'ring 300' 'pod --controller' 'pod --prefix Far_too_long'; do
        run topology $arguments
        [ "$status" = 2 ]
    done
}
