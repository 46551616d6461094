#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# agent.bats - agents in namespaces (agt-h1 to agt-h3) on a Linux bridge in a fourth (agt-sw): they find
# each other, measure, count loss where there is loss and nowhere else, and answer no strangers.

bats_require_minimum_version 1.5.0
load helper

INSTANCE=agt
RUN=/run/trivet/$INSTANCE
SUBNET=10.77.0

inside() { ip netns exec "agt-$1" "${@:2}" 3>&-; } # HOST COMMAND...

plug() { # NUMBER: host hN with address SUBNET.N
    ip netns add "agt-h$1"
    ip -n agt-sw link add "p$1" type veth peer name "h$1-eth0" netns "agt-h$1"
    ip -n agt-sw link set "p$1" master br0 up
    ip -n "agt-h$1" link set lo up
    ip -n "agt-h$1" link set "h$1-eth0" up
    ip -n "agt-h$1" addr add "$SUBNET.$1/24" dev "h$1-eth0"
}

# HOST ARGUMENT...: the program in the background, its pid in $RUN/HOST.test-pid. (ip netns exec becomes
# the program it runs; a function in the background would be a shell around it.)
launch() {
    ip netns exec "agt-$1" "$(tool trivet-agent)" "${@:2}" 2>>"$RUN/$1.log" 3>&- &
    echo $! >"$RUN/$1.test-pid"
}
start() { launch "$1" --instance $INSTANCE "${@:2}"; } # HOST [OPTION]...: an agent
reflect() { launch "$1" reflect "${@:2}"; }             # HOST [OPTION]...

pid() { cat "$RUN/$1.test-pid"; }
stop() { # HOST [SIGNAL]: and wait until it is gone
    local pid
    pid=$(pid "$1")
    kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
    eventually 5 gone "$pid"
}
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }

rows() { statebus dump "$1" --json 2>/dev/null | jq -c "select(.owner == \"agent.$2\")" | jq -c "$3"; } # TABLE HOST FILTER
finds() { [ -n "$(rows agent "$1" "select(.name == \"$2\" and .alive)")" ]; } # HOST PEER
loses() { [ -z "$(rows agent "$1" "select(.name == \"$2\" and .alive)")" ]; }
measures() { [ -n "$(rows latency "$1" "select(.peer == \"$2\" and .received > 0)")" ]; }
samples() { rows sample "$1" "select(.state == \"$2\")" | wc -l; } # HOST STATE
ping_json() { inside "$1" "$(tool trivet-agent)" ping --json "${@:2}"; }

setup_file() {
    teardown_all
    ip netns add agt-sw
    ip -n agt-sw link add br0 type bridge
    ip -n agt-sw link set br0 up
    for i in 1 2 3; do plug $i; done
}

teardown_file() { teardown_all; }

teardown_all() {
    local i
    for i in sw h1 h2 h3; do ip netns del agt-$i 2>/dev/null || true; done
}

setup() {
    rm -f /dev/shm/trivet.$INSTANCE.*
    rm -rf --one-file-system "$RUN"
    mkdir -p "$RUN"
}

teardown() {
    local file
    for file in "$RUN"/*.test-pid; do
        [ -e "$file" ] && stop "$(basename "$file" .test-pid)"
    done
    cat "$RUN"/*.log 2>/dev/null || true
    rm -f /dev/shm/trivet.$INSTANCE.*
    rm -rf --one-file-system "$RUN"
}

@test "three agents find each other and measure with kernel time stamps, close to ping" {
    local h p row rtt ping
    for h in h1 h2 h3; do start $h; done
    for h in h1 h2 h3; do for p in h1 h2 h3; do
        [ $h = $p ] || eventually 3 finds $h $p
        [ $h = $p ] || eventually 6 measures $h $p
    done; done
    [ "$(rows agent h1 'select(.self) | .name + " " + .ip + " " + (.probe_port | tostring)')" = "\"h1 $SUBNET.1 18620\"" ]
    # A window that began after both were up: each 0.5 s, all answered, all by four kernel stamps.
    settled() { [ -n "$(rows latency h1 'select(.peer == "h2" and .window_s == 1 and .sent == 2 and .kernel == 2)')" ]; }
    eventually 6 settled
    row=$(rows latency h1 'select(.peer == "h2" and .window_s == 1)')
    echo "$row"
    [ "$(jq -r .method <<<"$row")" = kernel ]
    [ "$(jq '.lost + .late + .duplicated + .reordered' <<<"$row")" = 0 ]
    [ "$(samples h1 lost)" = 0 ]
    # The path has no delay: what is measured must be positive and not above what ping takes.
    rtt=$(jq .rtt_min_ns <<<"$row")
    ping=$(inside h1 ping -c 10 -i 0.05 -q $SUBNET.2 | sed -n 's|.*= [0-9.]*/\([0-9.]*\)/.*|\1|p')
    echo "agent $rtt ns, ping $ping ms"
    awk -v a="$rtt" -v b="$ping" 'BEGIN { exit !(a > 500 && a < b * 1e6) }'
    # Shared clock: both ways add up to the round trip, within the histogram's error.
    jq -e '(.fwd_p50_ns + .rev_p50_ns - .rtt_p50_ns) as $d | .fwd_p50_ns > 0 and .rev_p50_ns > 0
        and ($d * $d < .rtt_max_ns * .rtt_max_ns)' <<<"$row"
}

@test "killed and restarted: loss only while it is down, same id, no loss afterwards" {
    full_only
    local id lost before
    start h1
    start h2
    eventually 6 measures h1 h2
    id=$(rows agent h2 'select(.self).id')
    before=$(samples h1 lost)
    [ "$before" = 0 ]
    stop h2 KILL
    # It is still probed while it may come back; these probes are lost.
    lost_some() { [ "$(samples h1 lost)" -ge 2 ]; }
    eventually 6 lost_some
    start h2
    restarted() { grep -q "peer h2 restarted" "$RUN/h1.log"; }
    eventually 3 restarted
    lost=$(samples h1 lost)
    clean() { [ "$(samples h1 received)" -ge $((received + 6)) ]; }
    received=$(samples h1 received)
    eventually 6 clean
    [ "$(samples h1 lost)" = "$lost" ]
    [ "$(rows agent h2 'select(.self).id')" = "$id" ]
    # The one restarted knew its peer from the bus and lost nothing either.
    [ "$(samples h2 lost)" = 0 ]
    full_window() { [ -n "$(rows latency h1 'select(.peer == "h2" and .window_s == 1 and .lost == 0 and .sent == 2 and .received == 2)')" ]; }
    eventually 5 full_window
}

@test "what a restarted agent knew is marked until it is heard or measured again" {
    marked() { [ -n "$(rows "$1" h2 "select(.$2 == \"h1\" and .restored == $3)")" ]; }
    start h1
    start h2
    eventually 6 measures h1 h2
    eventually 6 measures h2 h1
    stop h1 KILL
    stop h2 KILL
    start h2
    eventually 3 marked agent name true
    marked latency peer true
    start h1
    eventually 5 marked agent name false
    eventually 5 marked latency peer false
}

@test "a peer that a restarted agent never hears again is dropped" {
    full_only
    start h1
    start h2
    eventually 6 measures h2 h1
    stop h1 KILL
    stop h2 KILL
    rows agent h2 'select(.name == "h1").id' | grep -q .
    sleep 12 # longer than the peer may be silent
    start h2
    dropped() { grep -q 'dropped 1 peers and . windows' "$RUN/h2.log"; }
    eventually 35 dropped
    [ -z "$(rows agent h2 'select(.name == "h1").id')" ]
    [ -z "$(rows latency h2 .peer)" ]
}

@test "a clean stop says goodbye: no loss, and the segment stays" {
    full_only
    start h1
    start h2
    eventually 6 measures h1 h2
    stop h2
    eventually 1 loses h1 h2
    grep -q "peer h2 down: said goodbye" "$RUN/h1.log"
    sleep 2.5
    [ "$(samples h1 lost)" = 0 ]
    [ -e /dev/shm/trivet.$INSTANCE.agent.h2 ]
    [ "$(statebus dump latency --json 2>/dev/null | jq -c 'select(.owner == "agent.h2")' | wc -l)" -gt 0 ]
}

@test "a peer that falls silent is given up after ten beacons" {
    full_only
    start h1
    start h2
    eventually 6 measures h1 h2
    stop h2 KILL
    eventually 13 loses h1 h2
    grep -q "peer h2 down: no beacon and no reply" "$RUN/h1.log"
    [ "$(samples h1 lost)" -ge 15 ]
}

@test "loss on the path is counted by direction" {
    full_only
    inside h1 iptables -S INPUT || skip "no iptables in a namespace here"
    start h1 --interval 20 --timeout 500
    start h2 --interval 20 --timeout 500
    eventually 6 measures h1 h2
    # All within one window of 10 s, which begin when CLOCK_MONOTONIC is a multiple of that.
    early() { awk '{ exit !($1 % 10 < 7) }' /proc/uptime; }
    eventually 5 early
    # Replies that reach h1 are dropped for a while: lost on their way back. Then probes that reach h2.
    inside h1 iptables -A INPUT -p udp --sport 18620 -j DROP
    sleep 0.3
    inside h1 iptables -F INPUT
    sleep 0.5
    inside h2 iptables -A INPUT -p udp --dport 18620 -j DROP
    sleep 0.2
    inside h2 iptables -F INPUT
    lossy() { row=$(rows latency h1 'select(.peer == "h2" and .window_s == 10 and .lost > 15)'); [ -n "$row" ]; }
    eventually 14 lossy
    echo "$row"
    jq -e '.lost == .lost_fwd + .lost_rev and .lost_rev >= 10 and .lost_rev <= 20
        and .lost_fwd >= 5 and .lost_fwd <= 15 and .sent == .received + .lost' <<<"$row"
}

@test "ping: lines, and one JSON object at the end" {
    start h1
    start h2
    eventually 3 finds h2 h1
    run -0 ping_json h1 $SUBNET.2 --count 20 --interval 20
    echo "$output" | tail -n 1
    [ "$(echo "$output" | wc -l)" = 21 ]
    echo "$output" | tail -n 1 | jq -e 'keys_unsorted == ["sent", "received", "lost", "duplicated",
        "reordered", "rtt_min_ns", "rtt_mean_ns", "rtt_p50_ns", "rtt_p99_ns", "rtt_max_ns", "method"]
        and .sent == 20 and .received == 20 and .lost == 0 and .method == "kernel"
        and .rtt_min_ns > 0 and .rtt_min_ns <= .rtt_p50_ns and .rtt_p50_ns <= .rtt_p99_ns'
    run -0 inside h1 "$(tool trivet-agent)" ping $SUBNET.2 --count 3 --interval 50
    [[ $output == *"3 sent, 3 received, 0 lost"* ]]
}

@test "a stranger is not answered, and counted" {
    start h1 --peer $SUBNET.2 # no agent runs on h2, which makes h2 a member and h3 a stranger
    eventually 3 grep -q "probes on UDP port" "$RUN/h1.log"
    run -1 ping_json h3 $SUBNET.1 --count 3 --interval 50 --timeout 300
    echo "$output" | tail -n 1 | jq -e '.sent == 3 and .received == 0 and .lost == 3'
    run -0 ping_json h2 $SUBNET.1 --count 3 --interval 50
    stop h1
    grep -q "dropped: stranger 3, " "$RUN/h1.log"
}

@test "reflect answers those it was told, and with --any everybody" {
    reflect h1 --peer $SUBNET.2
    eventually 3 grep -q reflecting "$RUN/h1.log"
    run -0 ping_json h2 $SUBNET.1 --count 2 --interval 20
    run -1 ping_json h3 $SUBNET.1 --count 2 --interval 20 --timeout 300
    stop h1
    reflect h1 --any
    eventually 3 grep -q everybody "$RUN/h1.log"
    run -0 ping_json h3 $SUBNET.1 --count 2 --interval 20
}

@test "without multicast: --peer on both sides" {
    start h1 --interface lo --peer $SUBNET.2 --name h1
    start h2 --interface lo --peer $SUBNET.1 --name h2
    eventually 3 finds h1 h2
    eventually 3 finds h2 h1
    eventually 6 measures h1 h2
    [ "$(samples h1 lost)" = 0 ]
}

@test "an interface that is missing is named, with those there are" {
    run -1 inside h1 "$(tool trivet-agent)" --instance $INSTANCE --interface eth7
    [[ $output == *"interface eth7: no such interface; there are: lo h1-eth0"* ]]
}

@test "a port in use names its holder" {
    start h1
    eventually 3 grep -q "probes on UDP port" "$RUN/h1.log"
    run -1 inside h1 "$(tool trivet-agent)" --instance $INSTANCE --name other
    [[ $output == *"UDP port 18620"*"held by trivet-agent (pid $(pid h1))"* ]]
}

@test "an interface that vanishes and comes back, an address that changes" {
    full_only
    start h1
    start h3
    eventually 6 measures h1 h3
    ip -n agt-h3 link del h3-eth0
    eventually 3 grep -q "interface h3-eth0: gone" "$RUN/h3.log"
    ip -n agt-sw link add p3 type veth peer name h3-eth0 netns agt-h3
    ip -n agt-sw link set p3 master br0 up
    ip -n agt-h3 link set h3-eth0 up
    ip -n agt-h3 addr add $SUBNET.33/24 dev h3-eth0
    moved() { [ "$(rows agent h1 'select(.name == "h3" and .alive).ip')" = "\"$SUBNET.33\"" ]; }
    eventually 8 moved
    again() { [ -n "$(rows latency h1 'select(.peer == "h3" and .window_s == 1 and .lost == 0 and .received == 2)')" ]; }
    eventually 8 again
    kill -0 "$(pid h3)"
    ip -n agt-h3 addr del $SUBNET.33/24 dev h3-eth0
    ip -n agt-h3 addr add $SUBNET.3/24 dev h3-eth0
}

@test "tshark reads our probes as STAMP" {
    full_only
    command -v tshark || skip "no tshark"
    start h1
    start h2
    eventually 6 measures h1 h2
    inside h1 timeout 10 tcpdump -q -i h1-eth0 -c 6 -w "$RUN/probes.pcap" udp port 18620
    run -0 --separate-stderr tshark -r "$RUN/probes.pcap" -d udp.port==18620,twamp.test -Y twamp.test -T fields \
        -e frame.protocols -e ip.ttl -e udp.length
    echo "$output"
    [ "$(grep -c 'twamp.test' <<<"$output")" = 6 ]
    [ "$(cut -f 2,3 <<<"$output" | sort -u)" = $'255\t72' ]
    run -0 --separate-stderr tshark -r "$RUN/probes.pcap" -d udp.port==18620,twamp.test -Y '_ws.malformed'
    [ -z "$output" ]
}
