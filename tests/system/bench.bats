# SPDX-License-Identifier: Apache-2.0
# bench.bats - the benchmark of env/bench runs and is answered right: every packet-in once, at the right
# port, every distinct decision in the table `flow`; the bus loses nothing. How fast is not asked here.
load helper

setup() { export BATS_TEST_TIMEOUT=120; }

@test "bench --quick: every packet-in answered once, every decision in the table" {
    run "$ROOT/env/bench" --quick --json 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    for server in canned trivet; do
        grep -E '^\{' <<<"$output" | jq -es "map(select(.server == \"$server\")) | length > 0 and
            all(.answered > 0 and .lost == 0 and .duplicates == 0)"
    done
}

@test "bench bus --quick: three subscribers get every record, both sides are shown" {
    run "$ROOT/env/bench" bus --quick --json 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    for side in trivet "libzmq, 1 a message" "libzmq, 16 KB messages"; do
        grep -E '^\{' <<<"$output" | jq -es --arg side "$side" 'map(select(.side == $side and
            .unit == "M records/s")) | length == 1 and .[0].value > 0'
    done
}
