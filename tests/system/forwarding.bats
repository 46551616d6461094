# SPDX-License-Identifier: Apache-2.0
# Every policy on every topology: all hosts reach each other, and no ring storms.
load helper

teardown() { finish; }

each_policy() { # TOPOLOGY [OPTION]...: on a fresh network each; in the quick tier one after the other on one
    local policy
    for policy in shortest learning round-robin; do
        if [ -n "${TRIVET_FULL:-}" ] || [ $policy = shortest ]; then
            network "$1" $policy "${@:2}"
        else
            up --policy $policy
            trivet wait
        fi
        pingall
        pingall
        run statebus dump switch --json
        [ "$(jq -s 'map(select(.state == "ready")) | length' <<<"$output")" = "$(ovs-vsctl list-br | grep -c '^t-')" ]
    done
}

@test "diamond: all pairs, all policies" {
    full_only
    each_policy diamond
}
@test "pod with static ARP: all pairs, all policies" {
    full_only
    each_policy pod
}
@test "pod without static ARP: all pairs, shortest; TCP moves data between all ends" {
    network pod shortest --no-arp
    pingall
    for pair in 'h1 h3' 'h4 h2'; do
        read -r a b <<<"$pair"
        in_host "$b" iperf3 -s -1 -D
        eventually 3 eval 'in_host $b ss -ltn | grep -q :5201'
        in_host "$a" iperf3 -c "$(address "$b")" -n 5M --connect-timeout 3000 >/dev/null
    done
}
@test "ring of 5: all pairs, all policies" { each_policy ring,5; }
@test "a ring with a patch link: all pairs" {
    full_only
    network ring,4 shortest --patch s2-s3
    pingall
}
@test "agents-ipv4: patch ports under the controller" {
    network agents-ipv4 shortest
    in_host agent1 ping -c 3 -i 0.2 -W 2 -q 10.1.1.6
}
@test "ring of 12: all pairs, all policies" {
    full_only
    each_policy ring,12
}

@test "a ring does not storm from the first second" {
    fresh
    topology ring 4
    tcpdump -i t-s1-eth2 -U -w "$BATS_TEST_TMPDIR/link.pcap" 2>/dev/null 3>&- &
    dump=$!
    eventually 5 test -s "$BATS_TEST_TMPDIR/link.pcap"
    # Broadcasts from before the controller comes until discovery has settled
    in_host h1 ping -i 0.1 -w 6 -q 10.0.0.3 >/dev/null &
    pings=$!
    in_host h2 ping -i 0.1 -w 6 -q -b 10.0.0.255 >/dev/null 2>&1 &
    pings+=" $!"
    up --policy learning
    trivet wait
    wait $pings || true
    pingall
    kill $dump
    wait $dump || true
    # Broadcast pings of h2 on this link, and how often the one most frequent was seen. Broadcasts go
    # from the controller to edge ports, so none needs to be here; a tree would show each once.
    tcpdump -r "$BATS_TEST_TMPDIR/link.pcap" -n 'icmp[icmptype] == icmp-echo and ether broadcast' 2>/dev/null |
        sed -n 's/.* seq \([0-9]*\),.*/\1/p' | sort | uniq -c | sort -rn >"$BATS_TEST_TMPDIR/copies"
    head -3 "$BATS_TEST_TMPDIR/copies"
    [ "$(awk 'NR == 1 {print $1}' "$BATS_TEST_TMPDIR/copies" | grep . || echo 0)" -le 1 ]
    # everything else that is broadcast there: discovery frames of the controller, a few a second
    n=$(tcpdump -r "$BATS_TEST_TMPDIR/link.pcap" -n -e 'ether broadcast' 2>/dev/null | wc -l)
    echo "broadcast frames on s1-s2: $n"
    [ "$n" -le 200 ]
}

@test "a switch that joins later is found and used" {
    full_only
    network diamond shortest
    ovs-vsctl del-controller t-s3
    eventually 15 eval 'statebus dump switch --json | grep "\"name\":\"t-s3\"" | grep -q "\"state\":\"gone\""'
    pingall
    topology diamond
    trivet wait
    pingall
}
