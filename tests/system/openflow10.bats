# SPDX-License-Identifier: Apache-2.0
# Switches that speak OpenFlow 1.0 only, alone and beside others: decided, read back, adopted.
load helper

teardown() { finish; }

# The bridges speak these versions only, from now on.
speak() { # VERSIONS BRIDGE...
    local bridge
    for bridge in "${@:2}"; do ovs-vsctl set bridge "$bridge" protocols="$1"; done
}
versions() { # VERSION COUNT: as many switches are ready with it
    [ "$(statebus dump switch --json | jq -s "map(select(.state == \"ready\" and .version == $1)) | length")" = "$2" ]
}
dump10() { ovs-ofctl -O OpenFlow10 --no-names dump-flows "$1"; }
ours() { dump10 "$1" | grep -c 'cookie=0x7472.*priority=\(100\|10\|1\),' || true; }

old_pod() { # POLICY
    fresh
    topology pod
    speak OpenFlow10 t-s1 t-s2 t-s3 t-s4
    up --policy "$1"
    trivet wait
    versions 1 4
}

@test "1.0: all pairs, shortest, and a restart that sends nothing" {
    local before
    old_pod shortest
    pingall
    pingall
    [ "$(ours t-s1)" -ge 6 ]
    dump10 t-s1 | grep -q 'priority=0 actions=CONTROLLER:65535'
    dump10 t-s1 | grep -q 'dl_type=0x88cc actions=CONTROLLER:65535'
    before=$(ours t-s1)
    ovs-ofctl -O OpenFlow10 monitor t-s1 watch:!initial >"$BATS_TEST_TMPDIR/changes" 2>&1 3>&- &
    monitor=$!
    trivet restart controller
    trivet wait
    versions 1 4
    kill $monitor
    not grep -E 'ADDED|DELETED|MODIFIED' "$BATS_TEST_TMPDIR/changes"
    [ "$(ours t-s1)" = "$before" ]
    statebus dump event --json | jq -es 'map(select(.text | test(" adopted")) | .text
        | select(test("[1-9][0-9]* adopted, 0 mended, 0 replaced, 0 ended, 0 again, 0 stale"))) | length >= 4'
}
@test "1.0: all pairs, learning and round-robin" {
    full_only
    for policy in learning round-robin; do
        old_pod $policy
        pingall
        pingall
    done
}
@test "1.0: a flow of others stays when a port dies; ours are decided anew" {
    full_only
    old_pod shortest
    pingall
    used=$(dump10 t-s1 | sed -n 's/.*in_port=1,.*actions=output:\([34]\)$/\1/p' | head -n 1)
    [ -n "$used" ]
    ovs-ofctl -O OpenFlow10 add-flow t-s1 "cookie=0x42,priority=7,dl_type=0x9999,actions=output:$used"
    ip link set "t-s1-eth$used" down
    pingall
    dump10 t-s1 | grep -q 'cookie=0x42'
    [ "$(dump10 t-s1 | grep 'cookie=0x7472' | grep -c "output:$used\$")" = 0 ]
}
@test "1.0 beside 1.3: all pairs" {
    full_only
    fresh
    topology pod
    speak OpenFlow10 t-s2 t-s3
    up --policy shortest
    trivet wait
    versions 1 2
    versions 4 2
    pingall
    pingall
}
@test "a switch changes its version: its rules are adopted" {
    full_only
    network pod shortest
    pingall
    speak OpenFlow10 t-s1
    eventually 10 versions 1 1
    speak OpenFlow10,OpenFlow13 t-s1
    eventually 10 versions 4 4
    pingall
}
