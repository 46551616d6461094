#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# pcapcheck on a real OVS: two bridges joined by a veth, one host namespace each, rules set by hand, and
# pc-fake-controller in the place of the controller, which tells on the bus what was "decided".
#
#   pct-h1 --- pct-s1 1|2 --- 1|2 pct-s2 --- pct-h2        port 3 of both: a second, unused host port
#
# PCAPCHECK_BUILD names the build directory (default: build/release of this tree).

load helper.bash

pct_build() {
    local build=${PCAPCHECK_BUILD:-$TRIVET_BUILD}
    [[ $build == /* ]] || build=$ROOT/build/$build
    echo "$build"
}

setup_file() {
    local i
    export PCT_BUILD BIN FAKE PCT_DIR
    PCT_BUILD=$(pct_build)
    BIN=$PCT_BUILD/pcapcheck/pcapcheck
    FAKE=$PCT_BUILD/tests/pc-fake-controller
    PCT_DIR=$BATS_FILE_TMPDIR
    mkdir -p "$PCT_DIR/run"
    # shellcheck source=../../env/topology/lib.sh
    (topology_script=pcapcheck.bats && . "$ROOT/env/topology/lib.sh" && ovs_start)
    pct_clean
    for i in 1 2; do
        ovs-vsctl --may-exist add-br pct-s$i -- set bridge pct-s$i datapath_type=netdev \
            fail_mode=secure other-config:datapath-id=000000000000070$i
        ip netns add pct-h$i
        ip netns exec pct-h$i sysctl -qw net.ipv6.conf.default.disable_ipv6=1
        ip link add pct-s$i-h type veth peer name eth0 netns pct-h$i
        ip link add pct-s$i-x type veth peer name eth1 netns pct-h$i
    done
    ip link add pct-s1-s2 type veth peer name pct-s2-s1
    for i in pct-s{1,2}-{h,x} pct-s1-s2 pct-s2-s1; do # else the kernel talks on them when it likes
        sysctl -qw "net.ipv6.conf.$i.disable_ipv6=1"
    done
    for i in 1 2; do
        ovs-vsctl add-port pct-s$i pct-s$i-h -- set interface pct-s$i-h ofport_request=1 \
            -- add-port pct-s$i pct-s$i-s$((3 - i)) -- set interface pct-s$i-s$((3 - i)) ofport_request=2 \
            -- add-port pct-s$i pct-s$i-x -- set interface pct-s$i-x ofport_request=3
        ip link set pct-s$i-h up
        ip link set pct-s$i-x up
        ip link set pct-s$i-s$((3 - i)) up
        ip -n pct-h$i link set eth0 address 02:00:00:00:00:0$i
        ip -n pct-h$i addr add 10.77.0.$i/24 dev eth0
        ip -n pct-h$i link set eth0 up
        ip -n pct-h$i link set eth1 up
        ip netns exec pct-h$i ethtool -K eth0 tx off >/dev/null 2>&1 || true
        ip -n pct-h$i neigh replace 10.77.0.$((3 - i)) lladdr 02:00:00:00:00:0$((3 - i)) dev eth0
    done
    rules_right
    rows >"$PCT_DIR/rows"
}

setup() {
    export TRIVET_RUNTIME_DIR=$PCT_DIR/run # helper.bash unsets it
}

teardown_file() {
    pct_clean
}

pct_clean() {
    local i
    for i in 1 2; do
        ovs-vsctl --if-exists del-br pct-s$i
        ip netns del pct-h$i 2>/dev/null || true
        ip link del pct-s$i-h 2>/dev/null || true
        ip link del pct-s$i-x 2>/dev/null || true
    done
    ip link del pct-s1-s2 2>/dev/null || true
    rm -f /dev/shm/trivet.pct*
}

teardown() {
    if [ -n "${fake_pid:-}" ]; then
        kill "$fake_pid" 2>/dev/null || true
        wait "$fake_pid" 2>/dev/null || true
    fi
    rules_right
}

rules_right() {
    local i
    for i in 1 2; do
        ovs-ofctl -O OpenFlow13 del-flows pct-s$i
        ovs-ofctl -O OpenFlow13 add-flow pct-s$i priority=100,in_port=1,actions=output:2
        ovs-ofctl -O OpenFlow13 add-flow pct-s$i priority=100,in_port=2,actions=output:1
    done
}

# What the controller would have on the bus. rows [PORT_NAME_OF_S2_PORT_3]
rows() {
    local i a b
    for i in 1 2; do
        echo "{\"table\":\"switch\",\"dpid\":\"000000000000070$i\",\"name\":\"pct-s$i\"}"
        echo "{\"dpid\":\"000000000000070$i\",\"port\":1,\"name\":\"pct-s$i-h\",\"type\":\"edge\"}"
        echo "{\"dpid\":\"000000000000070$i\",\"port\":2,\"name\":\"pct-s$i-s$((3 - i))\",\"type\":\"link\"}"
        if [ $i = 1 ]; then a=pct-s1-x; else a=${1:-pct-s2-x}; fi
        echo "{\"dpid\":\"000000000000070$i\",\"port\":3,\"name\":\"$a\",\"type\":\"edge\"}"
        a=02:00:00:00:00:0$i b=02:00:00:00:00:0$((3 - i))
        echo "{\"dpid\":\"000000000000070$i\",\"in_port\":1,\"eth_src\":\"$a\",\"eth_dst\":\"$b\",\"priority\":100,\"output\":2,\"cookie\":\"00000000000000a$i\",\"policy\":\"shortest\"}"
        echo "{\"dpid\":\"000000000000070$i\",\"in_port\":2,\"eth_src\":\"$b\",\"eth_dst\":\"$a\",\"priority\":100,\"output\":1,\"cookie\":\"00000000000000b$i\",\"policy\":\"shortest\"}"
    done
    echo '{"dpid_a":"0000000000000701","port_a":2,"dpid_b":"0000000000000702","port_b":2}'
}

# controller INSTANCE [ROWS]
controller() {
    local n=0
    "$FAKE" "$1" "${2:-$PCT_DIR/rows}" >"$PCT_DIR/fake.out" 2>&1 3>&- &
    fake_pid=$!
    until grep -q ready "$PCT_DIR/fake.out"; do
        n=$((n + 1))
        if [ $n -gt 50 ]; then cat "$PCT_DIR/fake.out"; return 1; fi
        sleep 0.1
    done
}

traffic() { # pings in the background while pcapcheck runs, for a second and a half
    ip netns exec pct-h1 ping -q -i 0.02 -c 70 -W 1 10.77.0.2 >/dev/null 2>&1 3>&- &
}

# capture FILE ARGUMENT...: tcpdump in the background, pid in $capture; returns when it listens
capture() {
    tcpdump -Z root -q -U --immediate-mode -w "$@" 2>/dev/null 3>&- &
    capture=$!
    eventually 5 test -s "$1"
}
captured() { [ "$(tcpdump -nr "$1" "${@:3}" 2>/dev/null | wc -l)" -ge "$2" ]; } # FILE AT-LEAST [FILTER]
capturing() { grep -q 'capturing on' "$1"; } # LOG of pcapcheck

@test "decided and obeyed: pass" {
    controller pct1
    traffic
    run "$BIN" --instance pct1 --for 2s --junit "$PCT_DIR/junit.xml"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^pass  *port-claim' <<<"$output")" -eq 4 ]
    grep -q '^pass  *loop' <<<"$output"
    grep -q '^pass  *duplicate' <<<"$output"
    python3 - "$PCT_DIR/junit.xml" <<'PY'
import sys, xml.etree.ElementTree as E
s = E.parse(sys.argv[1]).getroot()
assert s.get("failures") == "0" and int(s.get("tests")) >= 6, s.attrib
PY
}

@test "a rule that sends a decided flow out of another port: fail with evidence" {
    ovs-ofctl -O OpenFlow13 add-flow pct-s2 priority=200,in_port=2,actions=output:3
    controller pct2
    traffic
    run "$BIN" --instance pct2 --for 2s
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q '^fail  *port-claim *pct-s2 in 2 .*decided pct-s2-h, left by pct-s2-x at .*10.77.0.1>10.77.0.2' <<<"$output"
    not grep -q '^fail  *port-claim *pct-s1' <<<"$output"
}

@test "a copy out of another port beside the right one: fail" {
    full_only
    ovs-ofctl -O OpenFlow13 add-flow pct-s1 priority=200,in_port=1,actions=output:2,output:3
    controller pct3
    traffic
    run "$BIN" --instance pct3 --for 2s
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q '^fail  *port-claim *pct-s1 in 1 .*left by pct-s1-x' <<<"$output"
}

@test "packets that enter and never leave: fail" {
    ovs-ofctl -O OpenFlow13 add-flow pct-s2 priority=200,in_port=2,actions=drop
    controller pct4
    traffic
    run "$BIN" --instance pct4 --for 2s
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q '^fail  *port-claim *pct-s2 in 2 .*none left by pct-s2-h' <<<"$output"
}

@test "no traffic: inconclusive" {
    controller pct5
    run "$BIN" --instance pct5 --for 1s
    echo "$output"
    [ "$status" -eq 3 ]
    grep -q 'no traffic' <<<"$output"
}

@test "a port without an interface: inconclusive, with the reason" {
    rows pct-patch >"$PCT_DIR/rows-patch"
    controller pct6 "$PCT_DIR/rows-patch"
    traffic
    run "$BIN" --instance pct6 --for 2s
    echo "$output"
    [ "$status" -eq 3 ]
    grep -q '^inconclusive port-claim *pct-s2 in 2 .*pct-patch not capturable: no such interface' <<<"$output"
    grep -q '^pass  *port-claim *pct-s1 in 1' <<<"$output"
}

@test "a duplicated packet: fail" {
    full_only
    ovs-ofctl -O OpenFlow13 add-flow pct-s2 priority=200,in_port=2,actions=output:1,output:1
    controller pct7
    traffic
    run "$BIN" --instance pct7 --for 2s
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q '^fail  *duplicate *network: .*left pct-s2-h 2 times, injected 1 times' <<<"$output"
}

@test "a loop between two switches: fail" {
    # s2 sends it back with a mark, s1 returns it, s2 delivers what has the mark: each packet crosses the
    # link from s1 to s2 twice.
    ovs-ofctl -O OpenFlow13 add-flow pct-s2 priority=200,in_port=2,ip,nw_tos=0,actions=set_field:1-\>ip_dscp,in_port
    ovs-ofctl -O OpenFlow13 add-flow pct-s1 priority=200,in_port=2,ip,ip_dscp=1,actions=in_port
    ovs-ofctl -O OpenFlow13 add-flow pct-s2 priority=200,in_port=2,ip,ip_dscp=1,actions=output:1
    controller pct8
    traffic
    run "$BIN" --instance pct8 --for 2s
    echo "$output"
    [ "$status" -eq 1 ]
    grep -q '^fail  *loop *network: .*crossed pct-s1-s2 2 times, injected 1 times' <<<"$output"
}

@test "flows: path in order, decision and verdict as JSON and as a table" {
    controller pct9
    traffic
    run "$BIN" flows --instance pct9 --for 2s --once --json
    echo "$output"
    [ "$status" -eq 0 ]
    printf '%s\n' "$output" | grep '^{' >"$PCT_DIR/flows.json"
    python3 - "$PCT_DIR/flows.json" <<'PY'
import json, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
r = [r for r in rows if r["ip_proto"] == 1]
assert len(r) == 1, rows
r = r[0]
assert r["ip_a"] == "10.77.0.1" and r["ip_b"] == "10.77.0.2", r
assert r["points"] == "pct-s1-h>pct-s1-s2>pct-s2-h", r
assert r["verdict"] == "pass" and r["packets_ab"] >= 50 and r["packets_ba"] >= 50, r
assert r["cookie_ab"] == "00000000000000a1" and r["cookie_ba"] == "00000000000000a2", r
assert r["decision_ab"] == "shortest -> pct-s1-s2", r
PY
    traffic
    run "$BIN" flows --instance pct9 --for 2s --once
    echo "$output"
    grep -q 'icmp  10.77.0.1 <> 10.77.0.2 .*pass' <<<"$output"
    grep -q 'pct-s1-h>pct-s1-s2>pct-s2-h  \[shortest -> pct-s1-s2\]' <<<"$output"
    [ "$(awk '{ if (length($0) > 80) n++ } END { print n + 0 }' <<<"$output")" -eq 0 ]
}

@test "flows of a running checker are read from the bus; killed, it is warm again" {
    local pid a
    controller pcta
    seen() { # NUMBER: so many echo requests in the table of flows
        a=$("$BIN" flows --instance pcta --once --json 2>/dev/null)
        [ "$(jq -s 'map(select(.ip_proto == 1)) | map(.packets_ab) | add' <<<"$a")" = "$1" ]
    }
    "$BIN" --instance pcta >"$PCT_DIR/a.out" 2>&1 3>&- &
    pid=$!
    eventually 5 capturing "$PCT_DIR/a.out"
    ip netns exec pct-h1 ping -q -i 0.02 -c 50 10.77.0.2 >/dev/null
    eventually 5 seen 50
    kill -9 $pid
    wait $pid || true
    "$BIN" --instance pcta >"$PCT_DIR/b.out" 2>&1 3>&- &
    pid=$!
    eventually 5 capturing "$PCT_DIR/b.out"
    icmp() { statebus dump observed --instance pcta --json | jq -r 'select(.ip_proto == 1).restored'; }
    [ "$(icmp)" = true ]
    ip netns exec pct-h1 ping -q -i 0.02 -c 50 10.77.0.2 >/dev/null
    eventually 5 seen 100
    icmp | grep -q false
    kill $pid
    wait $pid || true
}

@test "an internal port: what its host sends is received by the switch" {
    full_only
    ovs-vsctl add-port pct-s1 pct-int -- set interface pct-int type=internal ofport_request=9
    ip link set pct-int address 02:00:00:00:00:09
    ip addr add 10.78.0.9/24 dev pct-int
    ip link set pct-int up
    ip neigh replace 10.78.0.77 lladdr 02:00:00:00:00:77 dev pct-int
    ovs-ofctl -O OpenFlow13 add-flow pct-s1 priority=300,in_port=9,actions=output:3
    {
        cat "$PCT_DIR/rows"
        echo '{"dpid":"0000000000000701","port":9,"name":"pct-int","type":"edge"}'
        echo '{"dpid":"0000000000000701","in_port":9,"eth_src":"02:00:00:00:00:09","eth_dst":"02:00:00:00:00:77","priority":300,"output":3}'
    } >"$PCT_DIR/rows-int"
    controller pctd "$PCT_DIR/rows-int"
    ping -q -i 0.02 -c 50 -W 1 10.78.0.77 >/dev/null 2>&1 3>&- &
    run "$BIN" --instance pctd --for 2s
    echo "$output"
    ovs-vsctl del-port pct-s1 pct-int
    [ "$status" -eq 0 ]
    grep -q '^pass  *port-claim *pct-s1 in 9 .* left by pct-s1-x' <<<"$output"
}

@test "openflow: the messages of a captured channel in order" {
    capture "$PCT_DIR/channel.pcap" -i lo tcp port 6653
    ovs-vsctl set-controller pct-s1 ptcp:6653:127.0.0.1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ovs-ofctl -O OpenFlow13 dump-flows tcp:127.0.0.1:6653 >/dev/null 2>&1 && break
        sleep 0.2
    done
    ovs-ofctl -O OpenFlow13 show tcp:127.0.0.1:6653 >/dev/null
    ovs-vsctl del-controller pct-s1
    # all of both connections: ofctl closes them
    eventually 5 captured "$PCT_DIR/channel.pcap" 2 'tcp[tcpflags] & tcp-fin != 0 and dst port 6653'
    kill $capture
    wait $capture || true
    run "$BIN" openflow "$PCT_DIR/channel.pcap"
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q 'HELLO' <<<"$output"
    grep -q 'FEATURES_REPLY' <<<"$output"
    grep -q 'MULTIPART_REPLY' <<<"$output"
    grep -q ', 0 malformed, 0 bytes not in the capture' <<<"$output"
}

@test "an interface given by hand that does not exist: named, with those that do" {
    run "$BIN" --instance pctb -i pct-none --for 1s
    echo "$output"
    [ "$status" -eq 2 ]
    grep -q 'no interface pct-none here; there are: .*lo' <<<"$output"
}

@test "offline: tcpdump's files per port judged against a dump of the bus" {
    local p pids=() args=()
    for p in pct-s1-h pct-s1-s2 pct-s1-x pct-s2-h pct-s2-s1 pct-s2-x; do
        capture "$PCT_DIR/$p.pcap" -i $p
        pids+=($capture)
        args+=(-r "$PCT_DIR/$p.pcap")
    done
    ip netns exec pct-h1 ping -q -i 0.02 -c 50 10.77.0.2 >/dev/null
    for p in pct-s1-h pct-s1-s2 pct-s2-h pct-s2-s1; do eventually 5 captured "$PCT_DIR/$p.pcap" 100 icmp; done
    kill "${pids[@]}"
    wait "${pids[@]}" || true
    run "$BIN" "${args[@]}" --expect "$PCT_DIR/rows"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^pass  *port-claim' <<<"$output")" -eq 4 ]
    gzip -k "$PCT_DIR/pct-s1-h.pcap"
    run "$BIN" -r "$PCT_DIR/pct-s1-h.pcap.gz" --json
    echo "$output"
    [ "$status" -eq 3 ]
    # decided otherwise than the packets went
    sed 's/"in_port":1\(.*\)"output":2/"in_port":1\1"output":3/' "$PCT_DIR/rows" >"$PCT_DIR/rows-wrong"
    run "$BIN" "${args[@]}" --expect "$PCT_DIR/rows-wrong"
    echo "$output"
    [ "$status" -eq 1 ]
}
