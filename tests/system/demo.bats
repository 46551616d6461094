# SPDX-License-Identifier: Apache-2.0
# demo.bats - the demonstration judges itself; this test sees that it does, and that it leaves nothing.
load helper

setup() { export BATS_TEST_TIMEOUT=180; }

@test "demo --once: all hosts reached, uplinks in turn, no loop, no duplicate, nothing left" {
    local before
    before=$(ovs-vsctl list-br | wc -l)
    run env -u TRIVET_CONTROLLER -u TRIVET_PREFIX "$ROOT/env/demo" --once"$([ -n "${TRIVET_FULL:-}" ] || echo =10)" 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q '^ok .*every host reaches every other' <<<"$output"
    grep -q '^ok .*s1 uses its equal uplinks in turn: [34] [34] [34]' <<<"$output"
    grep -q '^ok .*s3 uses its equal uplinks in turn: [34] [34] [34]' <<<"$output"
    grep -q '^ok .*no packet was seen as a loop' <<<"$output"
    grep -q '^ok .*no packet was seen as a duplicate' <<<"$output"
    grep -Eq '^ok .*no verdict is fail, [1-9][0-9]* pass' <<<"$output"
    [ ! -e /run/trivet/demo ]
    not ls /dev/shm/trivet.demo.* 2>/dev/null
    [ "$(ovs-vsctl list-br | wc -l)" = "$before" ]
}
