# SPDX-License-Identifier: Apache-2.0
# Kill any service at any instant: traffic goes on, its state is there again within a second.
load helper

setup_file() { export BATS_TEST_TIMEOUT=300; network pod shortest && trivet agents && pingall; }
teardown_file() { finish; }

ready_again() { [ "$(pid_of "$1")" != "$2" ] && [ "$(state_of "$1")" = 'running running' ]; }

# no_loss SERVICE: kills it under a ping of 10 ms between installed flows, which is back within a second
no_loss() {
    local service=$1 count=200 pid ping log=$BATS_TEST_TMPDIR/ping
    [ -z "${TRIVET_FULL:-}" ] || count=400
    in_host h1 ping -c 2 -i 0.2 -W 2 -q 10.0.0.3 >/dev/null # the flows are there
    in_host h1 ping -i 0.01 -c "$count" -W 2 -q 10.0.0.3 >"$log" &
    ping=$!
    eventually 2 eval '[ -n "$(ip netns pids t-h1)" ]'
    pid=$(pid_of "$service")
    kill -9 "$pid"
    eventually 3 ready_again "$service" "$pid" # pcapcheck's segment is free when the kernel has taken its rings down
    wait $ping || true
    cat "$log"
    grep -q " $count received, 0% packet loss" "$log"
}

content() { # the doctor has nothing to complain about
    run statebus doctor
    echo "$output"
    [ "$status" = 0 ]
}

rows() { statebus dump "$1" --json 2>/dev/null | jq -r "$2" | sort; }

@test "kill -9 of the controller: no ping lost, no flow touched, state warm within 1 s" {
    rows flow '[.dpid, .eth_src, .eth_dst, .in_port, .output] | @csv' >"$BATS_TEST_TMPDIR/flows"
    rows host '[.mac, .dpid, .port] | @csv' >"$BATS_TEST_TMPDIR/hosts"
    rows link '[.dpid_a, .port_a, .dpid_b, .port_b, .state] | @csv' >"$BATS_TEST_TMPDIR/links"
    for s in s1 s2 s3 s4; do flows $s; done | grep 'priority=100' | sort >"$BATS_TEST_TMPDIR/switches"
    no_loss controller
    eventually 1 content
    rows host '[.mac, .dpid, .port] | @csv' | diff "$BATS_TEST_TMPDIR/hosts" -
    rows link '[.dpid_a, .port_a, .dpid_b, .port_b, .state] | @csv' | diff "$BATS_TEST_TMPDIR/links" -
    [ -z "$(comm -23 "$BATS_TEST_TMPDIR/flows" <(rows flow '[.dpid, .eth_src, .eth_dst, .in_port, .output] | @csv'))" ]
    trivet wait
    for s in s1 s2 s3 s4; do flows $s; done | grep 'priority=100' | sort | comm -23 "$BATS_TEST_TMPDIR/switches" - >"$BATS_TEST_TMPDIR/gone"
    cat "$BATS_TEST_TMPDIR/gone"
    [ ! -s "$BATS_TEST_TMPDIR/gone" ]
}

@test "kill -9 of pcapcheck: no ping lost, its flows are there again" {
    eventually 3 eval '[ -n "$(rows observed .ip_a)" ]' # it publishes once a second
    before=$(rows observed '[.ip_a, .ip_b] | @csv' | wc -l)
    no_loss pcapcheck
    [ "$(rows observed '[.ip_a, .ip_b] | @csv' | wc -l)" -ge "$before" ]
    content
}

@test "kill -9 of an agent: no ping lost, the same agent is back" {
    id() { statebus --owner agent.t-h1 dump agent --json | jq -r 'select(.self).id'; }
    before=$(id)
    no_loss agent.t-h1
    [ -n "$before" ]
    [ "$(id)" = "$before" ]
    content
}

@test "kill -9 of the supervisor: no ping lost, nothing restarted" {
    full_only
    before=$(trivet status --json | jq -r .pid | tr '\n' ' ')
    in_host h1 ping -i 0.01 -c 300 -W 2 -q 10.0.0.3 >"$BATS_TEST_TMPDIR/ping" &
    ping=$!
    kill -9 "$(cut -d' ' -f1 "$RUN/supervisor/pid")"
    up --policy shortest
    wait $ping
    grep -q ' 0% packet loss' "$BATS_TEST_TMPDIR/ping"
    [ "$(trivet status --json | jq -r .pid | tr '\n' ' ')" = "$before" ]
}

@test "kill -9 of the writer of the service table: the same rows, confirmed" {
    said() { statebus dump service --json | jq -Sc 'del(.owner)'; }
    writer() { statebus ls --json | jq -r 'select(.owner == "supervisor" and .liveness == "alive").pid'; }
    before=$(said)
    old=$(writer)
    kill -9 "$old"
    anew() { local pid; pid=$(writer) && [ -n "$pid" ] && [ "$pid" != "$old" ]; }
    eventually 6 anew
    same() { [ "$(said)" = "$before" ]; }
    eventually 3 same
}

@test "after a restart of the controller new pairs find each other" {
    pid=$(pid_of controller)
    kill -9 "$pid"
    eventually 2 ready_again controller "$pid"
    for s in s1 s2 s3 s4; do ovs-ofctl -O OpenFlow13 del-flows t-$s priority=100 2>/dev/null || true; done
    pingall
}

@test "another policy takes the rules of the one before away" {
    full_only
    flows s1 | grep -q priority=100
    up --policy learning
    trivet wait
    eventually 2 eval 'not grep -q priority=100 <<<"$(flows s1)"'
    pingall
    flows s1 | grep -q priority=10,
    up --policy shortest
    trivet wait
    eventually 2 eval 'not grep -q priority=10, <<<"$(flows s1)"'
    pingall
}

@test "ten kills, each service in turn, under traffic: no ping lost" {
    full_only
    ip netns exec t-h1 ping -i 0.01 -q 10.0.0.3 >"$BATS_TEST_TMPDIR/ping" 3>&- & # not in_host: $! is ping
    ping=$!
    for service in controller pcapcheck agent.t-h1 controller pcapcheck agent.t-h1 controller pcapcheck agent.t-h1 controller; do
        pid=$(pid_of $service)
        kill -9 "$pid"
        eventually 5 ready_again $service "$pid"
        sleep 5 # a third death within 30 s would make a start cold, and a cold start decides anew
    done
    kill -INT $ping
    wait $ping || true
    cat "$BATS_TEST_TMPDIR/ping"
    grep -q ' 0% packet loss' "$BATS_TEST_TMPDIR/ping"
    content
}
