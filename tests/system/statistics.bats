# SPDX-License-Identifier: Apache-2.0
# Counters that are read from real switches: what the bus says is what ovs-ofctl says.
load helper

setup_file() { begin pod; } # the cases of the quick tier share it
teardown_file() { finish; }

begin() { # TOPOLOGY [OPTION]...
    fresh
    topology "$@"
    printf 'controller:\n  statistics-s: 1\n' >"$BATS_FILE_TMPDIR/trivet.yaml"
    up --policy shortest --config "$BATS_FILE_TMPDIR/trivet.yaml"
    trivet wait
    pingall
}
rows() { statebus dump "$1" --json | jq -c "select(.dpid == \"000000000000000$2\")"; } # TABLE NUMBER
ofctl() { ovs-ofctl -O "${VERSION:-OpenFlow13}" "${@:1:1}" --no-names "${@:2}"; }

flows_agree() { # NUMBER: as many flows, packets of priority 100 agree
    local listed told
    listed=$(ofctl dump-flows "t-s$1" | grep -c 'cookie=')
    told=$(rows installed "$1" | wc -l)
    [ "$listed" = "$told" ] || return 1
    listed=$(ofctl dump-flows "t-s$1" | sed -n 's/.*n_packets=\([0-9]*\), n_bytes=\([0-9]*\),.*priority=100,.*/\1 \2/p' | sort)
    told=$(rows installed "$1" | jq -r 'select(.priority == 100) | "\(.packets) \(.bytes)"' | sort)
    [ "$listed" = "$told" ]
}
ports_agree() { # NUMBER
    local listed told
    listed=$(ofctl dump-ports "t-s$1" | sed -n 's/^ *port *\([0-9]*\): rx pkts=\([0-9]*\), bytes=\([0-9]*\), drop=\([0-9]*\).*/\1 \2 \3 \4/p' | sort)
    told=$(rows port "$1" | jq -r 'select(.type != "local") | "\(.port) \(.rx_packets) \(.rx_bytes) \(.rx_dropped)"' | sort)
    [ -n "$listed" ] && [ "$listed" = "$told" ]
}
kind() { rows installed 1 | jq -r "select($1).kind" | sort | uniq -c | awk '{print $2, $1}'; } # FILTER

@test "installed, port and flow_table say what the switch says" {
    for n in 1 2; do
        eventually 10 flows_agree $n
    done
    # discovery goes on all the time: the counts agree between two of its frames
    eventually 15 ports_agree 1
    [ "$(rows switch 1 | jq -r '.n_flows == (.polled_ns > 0 | if . then '"$(rows installed 1 | wc -l)"' else -1 end)')" = true ]
    [ "$(rows flow_table 1 | jq -r '.table == 0 and .flows > 0 and .lookups >= .matched')" = true ]
    [ "$(rows installed 1 | jq -s 'map(select(.priority == 0 and .kind == "own")) | length')" = 1 ]
}
@test "flows of others are there, with who they are, and go when they go" {
    ovs-ofctl -O OpenFlow13 add-flow t-s1 "priority=7,dl_type=0x9999,actions=drop"
    ovs-ofctl -O OpenFlow13 add-flow t-s1 "priority=8,in_port=1,dl_type=0x9999,actions=output:2"
    ovs-ofctl -O OpenFlow13 add-flow t-s1 "cookie=0x7472000100000005,priority=9,dl_type=0x9998,actions=output:2"
    agree() { [ "$(kind '.priority == 7 or .priority == 8 or .priority == 9' | tr '\n' ' ')" = "foreign 2 stale 1 " ]; }
    eventually 10 agree
    [ "$(rows installed 1 | jq -c 'select(.priority == 8) | [.in_port, .output, .eth_type, .n_actions]')" = "[1,2,39321,1]" ]
    ovs-ofctl -O OpenFlow13 del-flows t-s1 dl_type=0x9999
    agree() { [ "$(kind '.priority == 7 or .priority == 8')" = "" ]; }
    eventually 10 agree
}
@test "1.0: flows and ports, no groups" {
    full_only
    begin pod --protocols OpenFlow10
    VERSION=OpenFlow10
    eventually 10 flows_agree 1
    eventually 15 ports_agree 1
}
@test "group: packets and bytes" {
    full_only
    begin pod
    counted() { [ "$(rows group 1 | jq '.packets > 0 and .bytes > .packets')" = true ]; }
    in_host h1 python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.1"))
for _ in range(200):
    s.sendto(b"x" * 100, ("239.1.1.1", 5000))
    time.sleep(0.01)'
    eventually 10 counted
}
