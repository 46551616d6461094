# SPDX-License-Identifier: Apache-2.0
#
# fuzz.bats - each fuzz target runs for a while over its corpus, with AddressSanitizer and UBSan, after
# every input that was ever a bug. Full tier. TRIVET_FUZZ_SECONDS: 20 by default.
bats_require_minimum_version 1.5.0

ROOT=$(readlink -f "$(dirname "$BATS_TEST_FILENAME")/../..")
BUILD=$ROOT/build/fuzz

setup_file() {
    export BATS_TEST_TIMEOUT=900
    CC=clang cmake -S "$ROOT" -B "$ROOT/build/fuzz" -G Ninja -DTRIVET_FUZZ=ON >/dev/null
    ninja -C "$ROOT/build/fuzz" fuzz_openflow agent_fuzz pcapcheck_fuzz controller_fuzz connection_fuzz >/dev/null
}

fuzz() { # PROGRAM CORPUS
    local program=$BUILD/tests/$1 work corpus=$ROOT/tests/fuzz/corpus/$2 old=$ROOT/tests/fuzz/regression/$2
    work=$(mktemp -d)
    if [ -d "$old" ] && [ -n "$(ls "$old")" ]; then
        "$program" "$old"/* || return 1
    fi
    mkdir "$work/corpus"
    [ ! -d "$corpus" ] || cp -r "$corpus/." "$work/corpus/"
    run "$program" -max_total_time="${TRIVET_FUZZ_SECONDS:-20}" \
        -artifact_prefix="$work/" -print_final_stats=1 "$work/corpus"
    echo "$output" | tail -30
    [ "$status" -eq 0 ]
    grep -q 'stat::number_of_executed_units: [1-9]' <<<"$output"
    rm -rf "$work"
}

@test "fuzz: OpenFlow messages" { fuzz fuzz_openflow openflow; }
@test "fuzz: probes and beacons" { fuzz agent_fuzz agent; }
@test "fuzz: captured frames and capture files" { fuzz pcapcheck_fuzz pcapcheck; }
@test "fuzz: frames and discovery frames of the controller" { fuzz controller_fuzz controller; }
@test "fuzz: a switch's messages in any state of its connection" { fuzz connection_fuzz connection; }
