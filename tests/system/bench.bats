# SPDX-License-Identifier: Apache-2.0
# bench.bats - the benchmark of env/bench runs and is answered right: every packet-in once, at the right
# port, every distinct decision in the table `flow`; the bus loses nothing. How fast is not asked here.
load helper

setup() { export BATS_TEST_TIMEOUT=120; }

@test "bench --quick: every packet-in answered once, every decision in the table" {
    servers=(trivet) # the canned responder alone is among the unit tests
    [ -z "${TRIVET_FULL:-}" ] || servers+=(canned)
    # shellcheck disable=SC2046 # words
    run "$ROOT/env/bench" --quick --json $(printf -- "--server %s " "${servers[@]}") 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    for server in "${servers[@]}"; do
        for version in 1.3 1.0; do
            grep -E '^\{' <<<"$output" | jq -es --arg server "$server" --arg version "$version" '
                map(select(.server == $server and .openflow == $version)) | length == 2 and
                all(.answered > 0 and .lost == 0 and .duplicates == 0)'
        done
    done
}

# A build tree whose controller is the script on standard input; all else is the real one.
with_controller() {
    local tree=$BATS_TEST_TMPDIR/build
    mkdir -p "$tree/controller"
    ln -s "$BUILD/tests" "$BUILD/statebus" "$tree"
    cat >"$tree/controller/trivet-controller"
    chmod +x "$tree/controller/trivet-controller"
    export TRIVET_BUILD=$tree
}

@test "bench: a controller that answers at the wrong port fails, in each version" {
    full_only
    with_controller <<SCRIPT
#!/bin/bash
# the canned responder, which says port 1 to everything
while [[ \$1 != --listen ]]; do shift; done
exec "$BUILD/tests/ofcanned" "\$VERSION" "\${2##*:}"
SCRIPT
    for VERSION in 1.3 1.0; do
        export VERSION
        run "$ROOT/env/bench" --quick --json --openflow "$VERSION" --server trivet 3>&-
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output = *"trivet lost, repeated or misdirected packets: "*'"wrong_port":'[1-9]* ]]
    done
}

@test "bench: a table that does not hold every decision fails" {
    full_only
    with_controller <<SCRIPT
#!/bin/bash
printf 'tables: {flow: 4096}\n' >"$BATS_TEST_TMPDIR/small.yaml"
exec "$BUILD/controller/trivet-controller" "\$@" --config "$BATS_TEST_TMPDIR/small.yaml"
SCRIPT
    run "$ROOT/env/bench" --quick --json --openflow 1.0 --server trivet 3>&-
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output = *"flow lacks "*" decisions, such as"* ]]
}

@test "bench: the peers that are installed answer in each version, what makes no sense is refused" {
    full_only
    run "$ROOT/env/bench" --quick --server canned --server nobody 3>&-
    [ "$status" -eq 2 ]
    [[ $output = *"no server 'nobody'"* ]]
    run "$ROOT/env/bench" idle --openflow 1.0 3>&-
    [ "$status" -eq 2 ]
    [[ $output = *"idle is about trivet and OpenFlow 1.3 only"* ]]
    ovs-testcontroller --version && /usr/bin/python3 -c 'import os_ken' || skip "not all are installed"
    run "$ROOT/env/bench" --quick --json --server testcontroller --server os-ken 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    for server in testcontroller os-ken; do
        grep -E '^\{' <<<"$output" | jq -es --arg server "$server" 'map(select(.server == $server))
            | map(.openflow) == ["1.3", "1.3", "1.0", "1.0"] and
            all(.answered > 0 and .wrong_port + .flooded + .duplicates + .errors == 0)'
    done
}

@test "bench macs --quick: a larger table holds every decision, both sizes are shown" {
    full_only
    run "$ROOT/env/bench" macs --quick --json --macs 8000 --openflow 1.0 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    for size in 1000 8000; do
        grep -E '^\{' <<<"$output" | jq -es --argjson size "$size" '
            map(select(.server == "trivet" and .macs == $size)) | length == 1 and (.[0] |
            .missing == 0 and .distinct == 16 * ([4000, $size] | max) and .first_ns_per_packet_in > 0)'
    done
}

@test "bench workers --quick: two workers hold every decision, both figures are shown" {
    full_only
    run "$ROOT/env/bench" workers --quick --openflow 1.3 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    grep -qE '^1\.3 +trivet +1 +[0-9.]+ +1$' <<<"$output"
    grep -qE '^1\.3 +trivet +2 +[0-9.]+ +[0-9.]+$' <<<"$output"
    grep -qE '2 workers: flow held ([0-9]+) of \1 distinct decisions' <<<"$output"
}

@test "bench idle --quick: all switches become ready and stay so" {
    full_only
    run "$ROOT/env/bench" idle --quick --json --switches 100 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    grep -E '^\{' <<<"$output" | jq -es 'map(.policy) == ["learning", "shortest"] and
        all(.switches == 100 and .ready_ms > 0 and .bytes_per_switch > 0 and .idle_cpu_share >= 0)'
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
