# SPDX-License-Identifier: Apache-2.0
# What Mininet users type, against a running trivet.
load helper

setup() {
    fresh
    up --policy shortest
}
teardown() { finish; }

mn_test() { # ARGUMENT...: the share of dropped pings must be 0 in every pingall
    run timeout 110 mn --controller "remote,ip=127.0.0.1,port=${TRIVET_CONTROLLER##*:}" "$@" 3>&- < <(printf 'pingall\npingall\nexit\n') # read when there is no --test
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"Results: 0% dropped"* ]]
    [[ ! $output =~ Results:\ [1-9] ]]
}

@test "tree,2" { mn_test --topo tree,2 --switch ovs,datapath=user --test pingall; }
@test "tree,2 with OpenFlow13" {
    full_only # what a bridge that may choose takes, as in the others
    mn_test --topo tree,2 --switch ovs,datapath=user,protocols=OpenFlow13 --test pingall
}
@test "tree,2 with --arp" { mn_test --topo tree,2 --arp --switch ovs,datapath=user --test pingall; }
@test "torus,3,3, pingall twice, no storm" {
    mn_test --topo torus,3,3 --switch ovs,datapath=user
    [ "$(grep -c 'Results: 0% dropped' <<<"$output")" = 2 ]
}
@test "env/mininet/trivet.py: the pod by mn --custom" {
    full_only
    mn_test --custom "$ROOT/env/mininet/trivet.py" --topo pod --arp --switch trivet --controller trivet --test pingall
}
@test "env/mininet/trivet.py: diamond and ring" {
    full_only
    mn_test --custom "$ROOT/env/mininet/trivet.py" --topo diamond --switch trivet --controller trivet --test pingall
    mn_test --custom "$ROOT/env/mininet/trivet.py" --topo ring,6 --switch trivet --controller trivet --test pingall
}
@test "agents finds the Mininet hosts" {
    mkfifo "$BATS_TEST_TMPDIR/cli"
    mn --topo single,2 --switch ovs,datapath=user \
        --controller "remote,ip=127.0.0.1,port=${TRIVET_CONTROLLER##*:}" \
        <"$BATS_TEST_TMPDIR/cli" >"$BATS_TEST_TMPDIR/mn.log" 2>&1 3>&- &
    mn=$!
    exec {cli}>"$BATS_TEST_TMPDIR/cli"
    eventually 20 grep -q 'Starting CLI' "$BATS_TEST_TMPDIR/mn.log"
    trivet agents
    [ "$(state_of agent.h1)" = 'running running' ]
    [ "$(state_of agent.h2)" = 'running running' ]
    [ "$(readlink "/proc/$(pid_of agent.h1)/ns/net")" != "$(readlink /proc/self/ns/net)" ]
    trivet agents --stop
    echo exit >&$cli
    exec {cli}>&-
    wait $mn
}
