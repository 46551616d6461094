# SPDX-License-Identifier: Apache-2.0
# What a controller that was away finds in the switches: it adopts, mends and deletes its own, and
# nothing else. The controller runs without the supervisor here, so that it stays away.
load helper

teardown() {
    [ -z "${sinks:-}" ] || kill "${sinks[@]}" 2>/dev/null || true
    [ -z "${monitor:-}" ] || kill "$monitor" 2>/dev/null || true
    stop_controller
    finish
}

controller= policy=shortest
start_controller() {
    "$(tool trivet-controller)" --instance "$INSTANCE" --listen "$TRIVET_CONTROLLER" --policy $policy \
        2>>"$BATS_TEST_TMPDIR/controller.log" 3>&- &
    controller=$!
}
stop_controller() { # [SIGNAL]
    [ -n "$controller" ] || return 0
    kill "${1:--TERM}" $controller 2>/dev/null || true
    wait $controller 2>/dev/null || true
    controller=
}

settled() { # all switches ready, all ports known
    local n
    n=$(ovs-vsctl list-br | grep -c '^t-')
    [ "$(statebus dump switch --json | jq -s 'map(select(.state == "ready")) | length')" = "$n" ] &&
        [ "$(statebus dump port --json | jq -s 'map(select(.type == "unknown" and .up)) | length')" = 0 ]
}
begin() { # TOPOLOGY...
    fresh
    topology "$@"
    start_controller
    eventually 10 settled
}
of() { ovs-ofctl -O OpenFlow13 --no-names "$@"; }
dump() { of dump-flows "t-$1" "${2:-}" | sed -n 's/^ *\(cookie=\)/\1/p'; } # SWITCH [MATCH]
groups() { of dump-groups "t-$1" | sed -n 's/^ *\(group_id\)/\1/p' | sort; }
row_states() { statebus dump flow --json | jq -r 'select(.dpid == "'"$1"'").state' | sort | uniq -c; }
reconciled() { # DPID: a reconciled event after the mark
    statebus dump event --json | jq -se --argjson t "$mark" --arg d "$1" 'any(.kind == "reconciled" and .t > $t and .dpid == $d)' >/dev/null
}
events() { statebus dump event --json | jq -r --argjson t "$mark" 'select(.t > $t) | .dpid + " " + .text'; }
back() { # the controller comes back; until all switches in "$@" (dpids) are reconciled
    mark=$(date +%s%N)
    start_controller
    for d in "$@"; do eventually 6 reconciled "$d"; done
    eventually 5 settled
}
watch_switch() { # what changes in it from now on, but for counters
    ovs-ofctl monitor "t-$1" 'watch:!initial' >"$BATS_TEST_TMPDIR/monitor" 2>&1 3>&- &
    monitor=$!
}
field() { sed -n "s/.*[ ,]$1=\([0-9.]*\).*/\1/p" <<<"$2"; } # NAME LINE
learn() { # SWITCHES' hosts reach each other
    local a b
    for a in $(hosts); do
        for b in $(hosts); do [ "$a" = "$b" ] || in_host "$a" ping -c 2 -i 0.1 -W 2 -q "$(address "$b")" >/dev/null; done
    done
}
S1=0000000000000001 S2=0000000000000002
ours() { echo "priority=100,in_port=$1,dl_src=00:00:00:00:00:0$2,dl_dst=00:00:00:00:00:0$3"; } # the place of a flow of ours

@test "flows changed while the controller was away" {
    begin pod
    learn
    dump s1 >"$BATS_TEST_TMPDIR/before"
    up1=$(dump s1 "$(ours 1 1 3 | sed 's/priority=100,//')") # h1 to h3
    out=$(field actions "${up1/output:/}")
    cookie() { dump s1 "$(ours "$@" | sed 's/priority=100,//')" | sed 's/cookie=\(0x[0-9a-f]*\).*/\1/'; }
    c12=$(cookie 1 1 2) c21=$(cookie 2 2 1) c14=$(cookie 1 1 4) c23=$(cookie 2 2 3) c24=$(cookie 2 2 4)
    kept=$(dump s1 "$(ours 1 1 3 | sed 's/priority=100,//')")
    [ -n "$c12" ] && [ -n "$c21" ] && [ -n "$c14" ] && [ -n "$c23" ] && [ -n "$c24" ] && [ -n "$kept" ] && [ -n "$out" ]
    stop_controller -KILL
    away=$SECONDS
    of --strict del-flows t-s1 "$(ours 1 1 2)"                                             # gone: has ended
    of --strict mod-flows t-s1 "$(ours 2 2 1),actions=drop"                                # other actions
    of add-flow t-s1 "cookie=$c14,send_flow_rem,idle_timeout=77,$(ours 1 1 4),actions=output:3"  # other time-outs
    of add-flow t-s1 "cookie=0x7472abcd00000001,send_flow_rem,idle_timeout=300,$(ours 2 2 3),actions=output:3" # other cookie of ours
    of add-flow t-s1 "cookie=0xbeef,$(ours 2 2 4),actions=drop"                            # a foreign one in its place
    of add-flow t-s1 "cookie=0x1234,priority=7,in_port=9,actions=drop"                     # a foreign one of its own
    of add-flow t-s1 "cookie=0x7473000000000001,priority=8,in_port=9,actions=drop"         # nearly our tag
    of add-flow t-s1 "cookie=0x7472000100000005,priority=33,in_port=9,actions=output:1"    # ours, but nobody decided it
    of add-flow t-s1 "cookie=0x7472000100000006,priority=34,in_port=9,idle_timeout=1,send_flow_rem,actions=drop"
    of --strict del-flows t-s1 "priority=0"                                                # table-miss
    of --strict mod-flows t-s1 "priority=65535,dl_type=0x88cc,actions=drop"                # discovery
    in_host h1 ping -c 5 -i 0.1 -W 1 -q 10.0.0.3 | grep -q ' 5 received'                   # goes on meanwhile
    watch_switch s1
    back $S1
    dump s1 | tee "$BATS_TEST_TMPDIR/after"
    events
    # as it was: age and counters go on
    now=$(dump s1 "$(ours 1 1 3 | sed 's/priority=100,//')")
    echo "$kept -> $now"
    awk -v a="$(field duration "$kept")" -v b="$(field duration "$now")" -v least=$((SECONDS - away)) 'BEGIN { exit !(b >= a + least - 1 && b > a) }'
    [ "$(field n_packets "$now")" -ge $(($(field n_packets "$kept") + 5)) ]
    [ "$(cut -d, -f1 <<<"$now")" = "$(cut -d, -f1 <<<"$kept")" ]
    # gone for good: flow and row
    [ -z "$(dump s1 "$(ours 1 1 2 | sed 's/priority=100,//')")" ]
    # mended: same cookie, right actions, its counters and age kept
    now=$(dump s1 "$(ours 2 2 1 | sed 's/priority=100,//')")
    [[ $now == "cookie=$c21,"*"actions=output:1" ]]
    [ "$(field n_packets "$now")" -gt 0 ]
    # replaced: time-outs and cookies are those decided
    [[ $(dump s1 "$(ours 1 1 4 | sed 's/priority=100,//')") == "cookie=$c14,"*"idle_timeout=300,"* ]]
    [[ $(dump s1 "$(ours 2 2 3 | sed 's/priority=100,//')") == "cookie=$c23,"* ]]
    # foreign ones stay, also in our place, and the row of ours there is gone
    [[ $(dump s1 "$(ours 2 2 4 | sed 's/priority=100,//')") == "cookie=0xbeef,"*"actions=drop" ]]
    [ "$(dump s1 | grep -c 'cookie=0x1234,\|cookie=0x7473000000000001,')" = 2 ]
    statebus dump flow --json | jq -r 'select(.dpid == "'$S1'") | .eth_src + " " + .eth_dst' >"$BATS_TEST_TMPDIR/rows"
    run grep -e ':02 .*:04$' -e ':01 .*:02$' "$BATS_TEST_TMPDIR/rows"
    [ "$status" = 1 ]
    # stale ones of ours are gone
    run grep 'priority=33\|priority=34' "$BATS_TEST_TMPDIR/after"
    [ "$status" = 1 ]
    # those of every switch are there
    [[ $(dump s1 | grep 'priority=0 ') == "cookie=0x74720000ffffffff,"*"CONTROLLER:65535" ]]
    [[ $(dump s1 | grep 'priority=65535,') == "cookie=0x74720000fffffffe,"*"CONTROLLER:65535" ]]
    [ "$(row_states $S1 | awk '{print $2}')" = installed ]
    # what the monitor saw: the one stale flow deleted, nothing else
    cat "$BATS_TEST_TMPDIR/monitor"
    [ "$(grep -c 'event=DELETED' "$BATS_TEST_TMPDIR/monitor")" = "$(grep -c 'event=DELETED.*cookie=0x74720001' "$BATS_TEST_TMPDIR/monitor")" ]
    grep -q 'event=DELETED.*cookie=0x7472000100000005' "$BATS_TEST_TMPDIR/monitor"
    # and all pairs find each other again (but the one the foreign flow drops)
    of --strict del-flows t-s1 "$(ours 2 2 4)"
    pingall
}

@test "a foreign flow where the table-miss rule belongs is left, and told" {
    fresh
    topology diamond --controller none
    ovs-vsctl set-controller t-s3 "$TRIVET_CONTROLLER"
    of add-flow t-s3 "cookie=0x99,priority=0,actions=drop"
    mark=$(date +%s%N)
    start_controller
    eventually 5 eval 'events | grep "a foreign flow stands where the table-miss rule belongs"'
    [ "$(dump s3 | grep -c 'priority=0 ')" = 1 ]
    dump s3 | grep 'cookie=0x99,.*priority=0 actions=drop'
}

@test "groups changed while the controller was away; foreign ones stay" {
    begin ring 4
    eventually 5 eval '[ "$(statebus dump group --json | jq -s "map(select(.state == \"installed\")) | length")" = 4 ]'
    G=$((0x74720001))
    for s in s1 s2 s3 s4; do groups $s; done >"$BATS_TEST_TMPDIR/groups"
    cat "$BATS_TEST_TMPDIR/groups"
    rules() { for s in s1 s2 s3 s4; do flows $s | grep "priority=5[01]," | sort; done; }
    rules >"$BATS_TEST_TMPDIR/rules"
    cast=$(dump s4 | grep 'priority=50,')
    [ "$(wc -l <"$BATS_TEST_TMPDIR/rules")" = $((4 * 2 + 6)) ] # two a switch, both ends of three links
    stop_controller -KILL
    of del-groups t-s1 group_id=$G                                        # its rules go with it
    of mod-group t-s2 "group_id=$G,type=all,bucket=actions=drop"          # other content
    of mod-group t-s3 "group_id=$G,type=select,bucket=output:1,bucket=output:2" # another type
    of add-group t-s2 "group_id=7,type=all,bucket=output:1"                # foreign
    of add-group t-s2 "group_id=$((0x74720099)),type=all,bucket=output:1"  # ours by its id, nobody knows it
    of add-group t-s3 "group_id=$((0x74720098)),type=all,bucket=output:1"  # the same, and a foreign flow uses it
    of add-flow t-s3 "cookie=0x55,priority=5,in_port=9,actions=group:$((0x74720098))"
    of add-flow t-s2 "cookie=0x56,priority=5,in_port=9,actions=group:7"
    of add-flow t-s2 "cookie=0x7472000200000001,priority=6,in_port=9,actions=group:$((0x74720099))" # stale, of ours
    back $S2
    same() { for s in s1 s2 s3 s4; do groups $s | grep "group_id=$G,"; done | diff "$BATS_TEST_TMPDIR/groups" -; }
    eventually 2 same
    eventually 2 eval 'rules | diff "$BATS_TEST_TMPDIR/rules" -'
    for s in s1 s2 s3 s4; do groups $s; dump $s; done
    [ "$(groups s2 | grep -v "=$G,")" = 'group_id=7,type=all,bucket=actions=output:1' ]
    [ "$(groups s3 | grep -v "=$G,")" = "group_id=$((0x74720098)),type=all,bucket=actions=output:1" ]
    [ "$(dump s3 | grep -c cookie=0x55,)" = 1 ]
    [ "$(dump s2 | grep -c cookie=0x56,)" = 1 ]
    [ "$(dump s2 | grep -c 'priority=6,')" = 0 ]
    # the one that nobody had touched was not sent again
    awk -v a="$(field duration "$cast")" -v b="$(field duration "$(dump s4 | grep 'priority=50,')")" 'BEGIN { exit !(b > a + 1) }'
    # with a policy that does not use it, it goes, flows first; foreign ones stay
    stop_controller -KILL
    policy=learning
    start_controller
    eventually 5 eval '[ -z "$(for s in s1 s2 s3 s4; do groups $s | grep =$G,; done)" ]'
    [ -z "$(rules)" ]
    [ "$(groups s2)" = 'group_id=7,type=all,bucket=actions=output:1' ]
    [ "$(dump s3 | grep -c cookie=0x55,)" = 1 ]
}

python() { in_host "$1" python3 "$BATS_TEST_DIRNAME/frames.py" "$2" "$1-eth0" "${@:3}"; } # HOST COMMAND...
start_sink() { # HOST
    ip netns exec "t-$1" python3 "$BATS_TEST_DIRNAME/frames.py" sink "$1-eth0" >"$BATS_TEST_TMPDIR/sink.$1" 3>&- &
    sinks+=($!)
    eventually 3 grep -q ready "$BATS_TEST_TMPDIR/sink.$1"
}
stop_sinks() {
    kill "${sinks[@]}"
    wait "${sinks[@]}" || true
    sinks=()
}

# many_flows NUMBER: flows of real packet-ins, a hundred of them under traffic while the controller is
# killed and comes back
many_flows() {
    local n=$1 sources=$(($1 / 100)) count before after sent got ms
    begin pod
    python h1 announce 1 "$sources"
    python h2 announce 2 80
    python h3 announce 3 20
    eventually 5 eval '[ "$(statebus dump host --json | grep -c "\"mac\":\"02:00")" = '$((sources + 100))' ]'
    count() { of dump-aggregate t-s1 cookie=0x7472000000000000/0xffff000000000000 | grep -o 'flow_count=[0-9]*' | cut -d= -f2; }
    all_there() { # packet-ins that OVS had no room for come again
        python h1 pairs 1 "$sources" 2 80 4000
        python h1 pairs 1 "$sources" 3 20 4000
        [ "$(count)" -ge "$n" ]
    }
    eventually 60 all_there
    rows() { statebus dump flow --json | jq -r '[.dpid, .cookie, .in_port, .eth_src, .eth_dst, .output] | @csv' | sort; }
    states() { statebus dump flow --json | jq -r .state | sort | uniq -c; }
    eventually 5 eval '[ "$(states | wc -l)" = 1 ]'
    rows >"$BATS_TEST_TMPDIR/rows"
    for s in s1 s2 s3 s4; do dump $s | grep 'priority=100,'; done | sed 's/, n_packets.* priority/ priority/' | sort >"$BATS_TEST_TMPDIR/before"
    # traffic on a hundred: 80 within the switch, 20 over two more
    sinks=()
    start_sink h2
    start_sink h3
    python h1 stream 1 "$sources" 2 80 1600 4 >"$BATS_TEST_TMPDIR/sent2" &
    streams=$!
    python h1 stream 1 "$sources" 3 20 400 4 >"$BATS_TEST_TMPDIR/sent3" &
    streams+=" $!"
    watch_switch s1
    stop_controller -KILL
    back $S1
    # shellcheck disable=SC2086
    wait $streams
    stop_sinks
    sent=$(($(cat "$BATS_TEST_TMPDIR/sent2") + $(cat "$BATS_TEST_TMPDIR/sent3")))
    got=$(cat "$BATS_TEST_TMPDIR"/sink.h[23] | grep frames | jq -s 'map(.frames) | add')
    events | grep adopted
    ms=$(events | sed -n "s/^$S1 .* in \([0-9]*\) ms$/\1/p")
    for s in s1 s2 s3 s4; do dump $s | grep 'priority=100,'; done | sed 's/, n_packets.* priority/ priority/' | sort >"$BATS_TEST_TMPDIR/after"
    before=$(cut -d' ' -f1,4- "$BATS_TEST_TMPDIR/before" | sort | md5sum) after=$(cut -d' ' -f1,4- "$BATS_TEST_TMPDIR/after" | sort | md5sum)
    echo "# $n flows: reconciled $ms ms after the connect; $sent frames on 100 of them, $((sent - got)) lost; deletions: $(grep -c 'event=DELETED' "$BATS_TEST_TMPDIR/monitor" || true)" >&3
    [ "$sent" -ge 7000 ]
    [ "$sent" = "$got" ]
    [ "$before" = "$after" ]
    run grep -c 'event=' "$BATS_TEST_TMPDIR/monitor"
    cat "$BATS_TEST_TMPDIR/monitor" | head -5
    [ "$output" = 0 ]
    # no age began anew
    join -t'|' <(younger before) <(younger after) | awk -F'|' '$3 <= $2 { bad++ } END { print NR " ages compared"; exit NR < '"$n"' || bad > 0 }'
    eventually 3 eval '[ "$(states | wc -l)" = 1 ]'
    rows | diff -q "$BATS_TEST_TMPDIR/rows" -
    [ "$ms" -le 1000 ]
}
younger() { sed 's/^cookie=\(0x[0-9a-f]*\), duration=\([0-9.]*\)s,.*/\1|\2/' "$BATS_TEST_TMPDIR/$1" | sort -t'|' -k1,1; }

# ---- multicast ----

cast() { # HOST SECONDS [RATE [FIRST]]: numbered multicast frames
    python "$1" cast "${1#h}" 01:00:5e:01:02:03 "${3:-200}" "$2" "${@:4}"
}
link_sink() { # all ends of links between switches: a frame twice at one is a loop
    local names
    names=$(ovs-vsctl --bare --columns=name list interface | grep '^t-s[0-9]*-eth[23]$')
    # shellcheck disable=SC2086
    python3 "$BATS_TEST_DIRNAME/frames.py" sink $names >"$BATS_TEST_TMPDIR/sink.links" 3>&- &
    sinks+=($!)
    eventually 3 grep -q ready "$BATS_TEST_TMPDIR/sink.links"
}
result() { tail -1 "$BATS_TEST_TMPDIR/sink.$1" | jq ".$2"; } # HOST|links FIELD
tree_stands() { [ "$(statebus dump group --json | jq -s 'map(select(.state == "installed")) | length')" = "$(ovs-vsctl list-br | grep -c '^t-')" ]; }

@test "multicast: data plane, every host once, no link twice, its source learned" {
    begin ring 4
    eventually 5 tree_stands
    sinks=()
    start_sink h2
    start_sink h3
    start_sink h4
    link_sink
    packet_ins() { statebus dump switch --json | jq -s 'map(.packet_ins) | add'; }
    sent=$(cast h1 2)
    stop_sinks
    for h in h2 h3 h4; do [ "$(result $h frames) $(result $h duplicates)" = "$sent 0" ]; done
    tail -qn1 "$BATS_TEST_TMPDIR"/sink.*
    [ "$(result links duplicates)" = 0 ]
    [ "$(result links frames)" -ge $((sent * 2)) ] # three links of the tree, but for the first frames
    statebus dump host --json | jq -e 'select(.mac == "02:00:00:01:00:00" and .dpid == "'$S1'" and .port == 1)'
    # most never came to the controller: the host settles for 200 ms
    eventually 3 eval 'dump s1 | grep "dl_src=02:00:00:01:00:00,dl_dst=01:00:5e:01:02:03 actions=group:$((0x74720001))"'
    [ "$(field n_packets "$(dump s1 | grep dl_src=02:00:00:01)")" -ge $((sent - 100)) ]
}

@test "multicast: links that fail and return close no ring" {
    full_only
    begin ring 4
    eventually 5 tree_stands
    cast h1 0.5 100 1000000 # its source is known, its rule is there
    sinks=()
    start_sink h2
    start_sink h3
    start_sink h4
    link_sink
    rounds=2
    [ -z "${TRIVET_FULL:-}" ] || rounds=15
    cast h1 $((rounds * 2)) 500 >"$BATS_TEST_TMPDIR/sent" &
    caster=$!
    for ((i = 0; i < rounds; i++)); do
        port=t-s$((i % 4 + 1))-eth$((i / 4 % 2 + 2))
        ip link set "$port" down
        sleep 0.5
        ip link set "$port" up
        sleep 1
    done
    wait $caster
    stop_sinks
    tail -n1 "$BATS_TEST_TMPDIR"/sink.*
    grep -v LLDP "$BATS_TEST_TMPDIR/controller.log"
    for h in h2 h3 h4 links; do [ "$(result $h duplicates)" = 0 ]; done
    echo "# $rounds link failures: longest gap $(for h in h2 h3 h4; do result $h gap_ms; done | sort -n | tail -1) ms, of $(cat "$BATS_TEST_TMPDIR/sent") frames $(result h2 frames) $(result h3 frames) $(result h4 frames) arrived" >&3
    for h in h2 h3 h4; do [ "$(result $h gap_ms)" -lt 1000 ]; done
}

@test "multicast: kill -9 of the controller loses none and changes nothing" {
    full_only
    begin ring 4
    eventually 5 tree_stands
    cast h1 0.5 100 1000000
    eventually 3 eval 'dump s1 | grep -q dl_src=02:00:00:01'
    for s in s1 s2 s3 s4; do groups $s; flows $s | sort; done >"$BATS_TEST_TMPDIR/before"
    sinks=()
    start_sink h3
    link_sink
    cast h1 4 >"$BATS_TEST_TMPDIR/sent" &
    caster=$!
    watch_switch s1
    stop_controller -KILL
    back $S1
    eventually 5 tree_stands
    wait $caster
    stop_sinks
    tail -qn1 "$BATS_TEST_TMPDIR"/sink.*
    [ "$(result h3 frames) $(result h3 duplicates) $(result links duplicates)" = "$(cat "$BATS_TEST_TMPDIR/sent") 0 0" ]
    [ "$(grep -c event= "$BATS_TEST_TMPDIR/monitor")" = 0 ]
    for s in s1 s2 s3 s4; do groups $s; flows $s | sort; done | diff "$BATS_TEST_TMPDIR/before" -
}

@test "multicast: a switch of others that joins two edge ports makes no storm" {
    full_only
    begin diamond
    ovs-vsctl add-br t-x -- set bridge t-x datapath_type=netdev fail_mode=standalone
    for s in 3 4; do
        ip link add t-s$s-eth9 type veth peer name t-x-eth$s
        ip link set t-s$s-eth9 up
        ip link set t-x-eth$s up
        ovs-vsctl add-port t-s$s t-s$s-eth9 -- set interface t-s$s-eth9 ofport_request=9 -- add-port t-x t-x-eth$s
    done
    edges() { statebus dump port --json | jq -s 'map(select(.port == 9 and .type == "edge" and .up)) | length'; }
    run eventually 5 eval '[ "$(edges)" = 2 ]'
    if [ "$status" = 0 ]; then
        sinks=()
        start_sink h2
        python3 "$BATS_TEST_DIRNAME/frames.py" sink t-x-eth3 t-x-eth4 >"$BATS_TEST_TMPDIR/sink.x" 3>&- &
        sinks+=($!)
        sent=$(cast h1 2 100)
        python h2 announce 2 1
        stop_sinks
        tail -qn1 "$BATS_TEST_TMPDIR"/sink.*
    fi
    ovs-vsctl del-br t-x
    ip link del t-s3-eth9
    ip link del t-s4-eth9
    [ "$status" = 0 ]
    [ "$(result x frames)" -gt 0 ]
    [ "$(result x duplicates)" = 0 ] # once over each of its cables, not round and round
    [ "$(result h2 frames)" -ge $((sent - 3)) ]
    grep -q 'where it is not attached' "$BATS_TEST_TMPDIR/controller.log"
}

# ---- many ----

@test "1000 flows and traffic while the controller is killed: nothing deleted, nothing lost" { many_flows 1000; }
@test "10000 flows and traffic while the controller is killed: nothing deleted, nothing lost" {
    full_only
    many_flows 10000
}
