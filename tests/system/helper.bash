# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# helper.bash - what the system tests share. Each test file runs an instance of its own (named "bats")
# on port 16753, with bridges and namespaces that start with "t-", so that it disturbs nothing else.

ROOT=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
INSTANCE=bats
RUN=/run/trivet/$INSTANCE
unset TRIVET_RUNTIME_DIR
export TRIVET_CONTROLLER=tcp:127.0.0.1:16753 TRIVET_PREFIX=t- TRIVET_BUILD=${TRIVET_BUILD:-release}
case $TRIVET_BUILD in /*) BUILD=$TRIVET_BUILD ;; *) BUILD=$ROOT/build/$TRIVET_BUILD ;; esac
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}

# The services and OVS must not inherit bats' file descriptor 3: bats would wait for them.
trivet() { "$ROOT/env/trivet" --instance "$INSTANCE" "$@" 3>&-; }
topology() { "$ROOT/env/topology/$1" "${@:2}" 3>&-; }
statebus() { "$(tool statebus)" --instance "$INSTANCE" "$@" 3>&-; }
up() { trivet up --listen "$TRIVET_CONTROLLER" "$@"; }

tool() { # path of one of our programs
    local p
    for p in "$BUILD"/*/"$1"; do [ -x "$p" ] && [ -f "$p" ] && readlink -f "$p" && return; done
    echo "no program $1 in $BUILD" >&2
    return 1
}

not() { if "$@"; then return 1; fi; } # `! command` alone does not fail a test

full_only() { [ -n "${TRIVET_FULL:-}" ] || skip "full tier (env/test --full)"; }

# Nothing of an earlier run is left, neither processes nor state.
fresh() {
    local bridge
    trivet down 2>/dev/null || true
    topology clean
    for bridge in $(ovs-vsctl --timeout=5 list-br 2>/dev/null | grep '^t-'); do # of a test that was cut short
        ovs-vsctl --if-exists del-br "$bridge"
    done
    rm -f /dev/shm/trivet."$INSTANCE".*
    rm -rf --one-file-system "$RUN" "$RUN.supervisor"
}

finish() {
    trivet down || true
    topology clean
    rm -f /dev/shm/trivet."$INSTANCE".*
}

# network TOPOLOGY POLICY [OPTION]...: fresh, up and settled
network() {
    fresh
    # shellcheck disable=SC2046 # ring,5 is ring 5
    topology $(tr , ' ' <<<"$1") "${@:3}"
    up --policy "$2"
    trivet wait
}

in_host() { ip netns exec "t-$1" "${@:2}" 3>&-; } # HOST COMMAND...
hosts() { ip netns list | sed -n 's/^t-\(h[0-9]*\).*/\1/p' | sort -V; }
address() { echo "10.0.0.${1#h}"; }

# Every host reaches every other; the first answer must come within the time-out of one ping.
pingall() {
    local a b lost=0 n=0
    for a in $(hosts); do
        for b in $(hosts); do
            [ "$a" != "$b" ] || continue
            n=$((n + 1))
            in_host "$a" ping -c 1 -W 2 -q "$(address "$b")" >/dev/null || { echo "$a does not reach $b"; lost=$((lost + 1)); }
        done
    done
    echo "$((n - lost)) of $n pings answered"
    [ "$n" -gt 0 ] && [ $lost = 0 ]
}

flows() { ovs-ofctl -O OpenFlow13 --no-names --no-stats dump-flows "t-$1" | grep -v '^OFPST\|^NXST' | sed 's/^ *//'; }
pid_of() { trivet status --json | jq -r --arg s "$1" 'select(.service == $s).pid'; }
state_of() { trivet status --json | jq -r --arg s "$1" 'select(.service == $s) | .state + " " + .phase'; }

# eventually SECONDS COMMAND...: true as soon as the command is, false after that time
eventually() {
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        ((${EPOCHREALTIME/./} < end)) || { echo "not within the time: $*"; return 1; }
        sleep 0.05
    done
}
