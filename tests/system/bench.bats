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
    with_controller <<SCRIPT
#!/bin/bash
printf 'tables: {flow: 4096}\n' >"$BATS_TEST_TMPDIR/small.yaml"
exec "$BUILD/controller/trivet-controller" "\$@" --config "$BATS_TEST_TMPDIR/small.yaml"
SCRIPT
    run "$ROOT/env/bench" --quick --json --openflow 1.0 --server trivet 3>&-
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output = *"flow lacks "*" of 64000 decisions, such as"* ]]
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
