# SPDX-License-Identifier: Apache-2.0
# bench.bats - the benchmark of env/bench runs and is answered right: every packet-in once, at the right
# port, every distinct decision in the table `flow`. How fast is not asked here.
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
