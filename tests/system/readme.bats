# SPDX-License-Identifier: Apache-2.0
#
# readme.bats - every command of the README does what it says, in the README's order: all lines of its
# sh blocks, run as they stand (this test is root, so `sudo` is left out). They use the default instance
# and the names s1, h1 ..., so nothing of that may be running. The two commands of its first block are
# covered elsewhere: env/test runs this very file, env/demo --once is run by its own test.
load helper

setup_file() {
    export BATS_TEST_TIMEOUT=240
    unset TRIVET_CONTROLLER TRIVET_PREFIX
    cd "$ROOT" || return 1
    if [ -d /run/trivet/default/supervisor ] && env/trivet status 2>/dev/null | grep -q running; then
        echo "the default instance is running: this test would disturb it" >&2
        return 1
    fi
    for bridge in br0 br1; do # the reader's own bridges
        ovs-vsctl --may-exist add-br $bridge -- set bridge $bridge datapath_type=netdev 3>&-
    done
}

teardown_file() {
    unset TRIVET_CONTROLLER TRIVET_PREFIX
    cd "$ROOT" || return 1
    env/trivet down 3>&- || true
    env/topology/clean 3>&-
    ovs-vsctl --if-exists del-br br0 -- --if-exists del-br br1
    rm -f /dev/shm/trivet.default.*
}

commands() { # of the README's section $1, one a line, without sudo and remarks
    sed -n "/^## $1/,/^## /p" "$ROOT/README.md" | sed -n '/^```sh/,/^```/p' |
        grep -v '^```' | sed 's/[[:space:]]*#.*//; s/^sudo //'
}

follow() { # run a section; Mininet's shell and pagers see the end of their input
    local line
    unset TRIVET_CONTROLLER TRIVET_PREFIX
    cd "$ROOT" || return 1
    while read -r line; do
        [ -n "$line" ] || continue
        echo "\$ $line"
        PATH="$ROOT/env:$PATH" timeout 100 bash -c "$line" </dev/null 3>&- || { echo "failed: $line"; return 1; }
    done < <(commands "$1")
}

@test "the tour" {
    run follow "A tour of one minute"
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q '3 received' <<<"$output"          # the ping
    grep -q 'settled: 4 switches, 4 links' <<<"$output"
    grep -Eq 'icmp  10.0.0.1 <> 10.0.0.3' <<<"$output"
    grep -q ' 0 failed' <<<"$output"           # the doctor
}

@test "your own Open vSwitch" {
    run follow "Your own Open vSwitch"
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$(ovs-vsctl get-controller br0)" ]
    [ "$(ovs-vsctl get-fail-mode br0)" != secure ]
}

@test "your own Mininet" {
    run follow "Your own Mininet"
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q 'Results: 0% dropped' <<<"$output"
}

@test "no command of the README is left out" {
    local all known
    all=$(sed -n '/^```sh/,/^```/p' "$ROOT/README.md" | grep -v '^```' | grep -c .)
    known=$( (commands "Two commands"; commands "A tour of one minute"; commands "Your own Open vSwitch"
        commands "Your own Mininet"; commands Figures) | grep -c .)
    [ "$all" = "$known" ]
}
