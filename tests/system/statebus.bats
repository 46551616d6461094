# SPDX-License-Identifier: Apache-2.0
# The statebus tool against a real owner: `statebus services` with lines piped into it.
load helper

setup() {
    INSTANCE=bats-statebus
    export TRIVET_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
    SEGMENT=/dev/shm/trivet.$INSTANCE.supervisor
    rm -f "$SEGMENT"
    PIDS=()
}

teardown() {
    exec 9>&- || true
    for pid in "${PIDS[@]}"; do slay "$pid"; done
    rm -f "$SEGMENT"
}

# `statebus services`, fed through file descriptor 9
services() {
    rm -f "$BATS_TEST_TMPDIR/feed"
    mkfifo "$BATS_TEST_TMPDIR/feed"
    "$(tool statebus)" --instance $INSTANCE services "$@" <"$BATS_TEST_TMPDIR/feed" 2>>"$BATS_TEST_TMPDIR/log" 3>&- &
    OWNER=$!
    PIDS+=("$OWNER")
    exec 9>"$BATS_TEST_TMPDIR/feed"
}
slay() { kill -KILL "$1" 2>/dev/null && wait "$1" 2>/dev/null || true; }
say() { printf '%s\n' "$@" >&9; }

alive() { [ "$(statebus ls --json 2>/dev/null | jq -r 'select(.owner == "supervisor").liveness')" = "${1:-alive}" ]; }
rows() { statebus dump service --json 2>/dev/null | jq -r '[.owner, .service, .pid, .state, .restarts] | join(" ")'; }
rows_are() { [ "$(rows)" = "$1" ]; }

@test "usage errors exit 2 and say what there is; no instance exits 1 and says what to do" {
    run statebus
    [ "$status" = 2 ]
    run statebus no-such-thing
    [ "$status" = 2 ]
    run statebus dump
    [ "$status" = 2 ]
    run statebus dump mak
    [ "$status" = 2 ]
    [[ $output == *"no such table: mak; there are switch port "* ]]
    run statebus dump mac more
    [ "$status" = 2 ]
    run statebus services --json
    [ "$status" = 2 ]
    run statebus watch --for never
    [ "$status" = 2 ]
    for c in ls 'dump mac' watch doctor; do
        # shellcheck disable=SC2086
        run statebus $c
        [ "$status" = 1 ]
        [[ $output == *"no owner in $TRIVET_RUNTIME_DIR; start trivet up"* ]]
    done
    statebus --version | grep -q '^statebus [0-9]'
    statebus --help | grep -q 'dump TABLE'
}

@test "services publishes its lines; ls and dump show them; bad lines are skipped with a warning" {
    services
    say 'controller 123 running 0' 'agent.h1 77 starting 2' 'rubbish' 'x 1 flying 0' 'y -1 running 0' \
        'z 99999999999 running 0' '../q 1 running 0' '- nobody' "$(head -c 1000 /dev/zero | tr '\0' a) 1 running 0" ''
    eventually 5 rows_are $'supervisor agent.h1 77 starting 2\nsupervisor controller 123 running 0'
    [ "$(grep -c 'warning services: line .* skipped: ' "$BATS_TEST_TMPDIR/log")" = 7 ]
    # ls: at most 80 columns of text, whole as JSON
    statebus ls | awk 'length > 80 { exit 1 }'
    statebus ls | grep -Eq '^  service 2/128 \([0-9.]+ KiB\)$'
    statebus ls --json | jq -e --argjson pid "$OWNER" '.owner == "supervisor" and .liveness == "alive"
        and .phase == "running" and .pid == $pid and .tables.service.rows == 2
        and .heartbeat_age_ns < 1e9 and (.incarnation | test("^[0-9a-f]{16}$"))'
    # dump: aligned text, times of day, and the owner first in JSON
    statebus dump service | head -1 | grep -Eq '^service +pid +state +restarts +started$'
    statebus dump service | grep -Eq '^controller +123  running +0  [0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}$'
    statebus dump service --json | grep -q '^{"owner":"supervisor","service":"agent.h1","started_ns":[0-9]*,'
    run statebus dump mac
    [ "$status" = 1 ]
    [[ $output == *"no owner holds the table mac"* ]]
    run statebus dump service --owner nobody
    [ "$status" = 1 ]
}

@test "started_ns changes with the pid and with nothing else" {
    started() { statebus dump service --json | jq -r .started_ns; }
    services
    say 'a 10 starting 0'
    eventually 5 rows_are 'supervisor a 10 starting 0'
    first=$(started)
    say 'a 10 running 0'
    eventually 5 rows_are 'supervisor a 10 running 0'
    [ "$(started)" = "$first" ]
    say 'a 0 backoff 1'
    eventually 5 rows_are 'supervisor a 0 backoff 1'
    [ "$(started)" = 0 ]
    say 'a 11 starting 1'
    eventually 5 rows_are 'supervisor a 11 starting 1'
    [ "$(started)" -gt "$first" ]
}

@test "watch shows what is there, then each change" {
    services
    say 'a 10 running 0' 'b 11 running 0'
    eventually 5 alive
    "$(tool statebus)" --instance $INSTANCE watch service --json >"$BATS_TEST_TMPDIR/json" 3>&- &
    json=$!
    "$(tool statebus)" --instance $INSTANCE watch >"$BATS_TEST_TMPDIR/text" 3>&- &
    text=$!
    PIDS+=("$json" "$text")
    seen() { [ "$(wc -l <"$BATS_TEST_TMPDIR/$1")" = "$2" ]; }
    eventually 5 seen json 2
    eventually 5 seen text 2
    say 'a 10 hung 0' '- b' 'c 12 starting 0' 'a 10 hung 0'
    eventually 5 seen json 5
    eventually 5 seen text 5
    [ "$(sort "$BATS_TEST_TMPDIR/json" | jq -c '[.op, .owner, .table, .row.service, .row.state]' | sort)" = "$(sort <<'END'
["put","supervisor","service","a","running"]
["put","supervisor","service","b","running"]
["put","supervisor","service","a","hung"]
["remove","supervisor","service","b","running"]
["put","supervisor","service","c","starting"]
END
    )" ]
    grep -Eq '^[0-9:.]{12} ~ supervisor service service=a state=running>hung$' "$BATS_TEST_TMPDIR/text"
    grep -Eq '^[0-9:.]{12} - supervisor service service=b$' "$BATS_TEST_TMPDIR/text"
    grep -Eq '^[0-9:.]{12} \+ supervisor service service=c pid=12 state=starting restarts=0 \.\.\.$' "$BATS_TEST_TMPDIR/text"
    # A new incarnation with the same rows is no change.
    slay "$OWNER"
    services
    say 'd 1 running 0'
    eventually 5 seen text 6
    grep -q 'service=d' "$BATS_TEST_TMPDIR/text"
    statebus watch --for 0.3 --wide | grep -Eq 'service=d started_ns=[0-9:.]{12} pid=1 restarts=0 state=running$'
    # Not a line is longer than the terminal, and what a table is for is not what is left out.
    cat >"$BATS_TEST_TMPDIR/owner.c" <<'C'
#include <trivet/statebus.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct sb_owner_table tables[] = {{.id = SB_T_link}, {.id = SB_T_verdict}};
    struct sb_owner_config config = {.instance = argv[argc - 1], .name = "agent.h1", .tables = tables, .n_tables = 2};
    struct sb_link link = {.dpid_a = 3, .port_a = 1, .dpid_b = 5, .port_b = 2, .state = SB_link_state_HALF};
    struct sb_verdict verdict = {.check = "port-claim", .subject = "10.0.0.1:5001 > 10.0.0.2:80 tcp over a long, long way", .result = SB_verdict_result_FAIL};
    char message[SB_MESSAGE_MAX];
    struct sb_owner *owner;
    if (sb_owner_open(&owner, &config, message) < 0)
        return puts(message), 1;
    sb_put(sb_owner_table(owner, SB_T_link, 0), &link);
    sb_put(sb_owner_table(owner, SB_T_verdict, 0), &verdict);
    sb_owner_phase(owner, SB_RUNNING);
    sb_owner_close(&owner);
    return 0;
}
C
    # shellcheck disable=SC2046 # words
    cc -D_GNU_SOURCE -I"$ROOT/include" "$BATS_TEST_TMPDIR/owner.c" "$BUILD/statebus/libtrivet-statebus.a" $(pkg-config --libs libczmq) -lzmq -pthread -o "$BATS_TEST_TMPDIR/owner"
    "$BATS_TEST_TMPDIR/owner" $INSTANCE
    run script -qc "stty cols 80 rows 24; $(tool statebus) --instance $INSTANCE watch link verdict --for 0.3" /dev/null </dev/null
    rm -f /dev/shm/trivet.$INSTANCE.agent.h1
    echo "$output"
    not grep -Eq '^.{81}' < <(tr -d '\r' <<<"$output")
    [[ $output == *" link state=half dpid_a=0000000000000003 port_a=1 ..."* ]]
    [[ $output == *" verdict result=fail check=port-claim good=0 bad=0 ..."* ]]
    # SIGINT is a clean end. (A shell's background job ignores it, so SIGTERM stands in.)
    kill -TERM "$text"
    wait "$text"
}

@test "watch ends with --for, and when nobody reads it any more" {
    services
    say 'a 10 running 0'
    eventually 5 alive
    begin=${EPOCHREALTIME/./}
    statebus watch --for 0.5 >"$BATS_TEST_TMPDIR/out"
    ((${EPOCHREALTIME/./} - begin >= 500000 && ${EPOCHREALTIME/./} - begin < 3000000))
    [ -s "$BATS_TEST_TMPDIR/out" ]
    # The reader goes after one line; no further change comes, yet watch ends by itself.
    timeout 5 bash -c "'$(tool statebus)' --instance $INSTANCE watch | head -1; exit \${PIPESTATUS[0]}" 3>&-
}

@test "rows survive kill -9 of their owner, and a clean end" {
    services
    say 'a 10 running 0'
    eventually 5 rows_are 'supervisor a 10 running 0'
    slay "$OWNER"
    eventually 5 alive dead
    run statebus dump service
    [ "$status" = 0 ]
    [[ $output == *"supervisor is dead: its rows are those of its last moment"* ]]
    before=$(statebus ls --json | jq -r .incarnation)
    services
    eventually 5 alive
    rows_are 'supervisor a 10 running 0'
    [ "$(statebus ls --json | jq -r .incarnation)" != "$before" ]
    exec 9>&- # end of input
    wait "$OWNER"
    services --cold
    eventually 5 alive
    rows_are ''
}

@test "restored rows are marked until they are said again, and dropped when nobody does" {
    marks() { statebus dump service --json | jq -r '"\(.service) \(.restored)"' | paste -sd' '; }
    marks_are() { [ "$(marks)" = "$1" ]; }
    services
    say 'a 10 running 0' 'b 11 running 3' 'c 12 running 0'
    eventually 5 marks_are 'a false b false c false'
    started=$(statebus dump service --json | jq -r 'select(.service == "a").started_ns')
    slay "$OWNER"
    services
    eventually 5 alive
    marks_are 'a true b true c true'
    statebus dump service | grep -q '^b .* yes$'
    say 'a 10 running 0' 'b 14 running 4' 'b 15 running 5' # the same, and twice anew
    eventually 5 marks_are 'a false b false c true'
    [ "$(rows)" = 'supervisor a 10 running 0
supervisor b 15 running 5
supervisor c 12 running 0' ]
    [ "$(statebus dump service --json | jq -r 'select(.service == "a").started_ns')" = "$started" ]
    eventually 8 marks_are 'a false b false'
    not grep -q restored < <(statebus dump service)
}

@test "doctor tells of rows that no owner writes; the next owner drops them" {
    services
    say 'a 10 running 0' 'b 11 running 0'
    eventually 5 alive
    # the state of each row, in either copy, is the byte behind its restarts: all of them out of range
    python3 - "$SEGMENT" <<'EOF'
import mmap, re, sys
with open(sys.argv[1], "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
    at = [x.start() for x in re.finditer(rb"a\0{31}.{8}\x0a\0\0\0", m[4096:], re.S)]
    for a in at:
        m[4096 + a + 48] = 99
EOF
    run statebus doctor
    [ "$status" = 1 ]
    [[ $output == *"fail supervisor: 1 rows are as no owner writes them"*"restart it"* ]]
    rows_are 'supervisor b 11 running 0'
    slay "$OWNER"
    services
    eventually 5 alive
    grep -q 'dropped 1 damaged rows' "$BATS_TEST_TMPDIR/log"
    rows_are 'supervisor b 11 running 0'
    statebus doctor -v | grep -q '^ok *supervisor: no damaged rows'
}

@test "an owner whose segment is removed or replaced says so and ends, and its next start is found" {
    services
    say 'a 10 running 0'
    eventually 5 rows_are 'supervisor a 10 running 0'
    rm "$SEGMENT"
    status=0
    wait "$OWNER" || status=$?
    [ "$status" = 1 ]
    [ "$(grep -c "error services: segment /trivet.$INSTANCE.supervisor was removed from /dev/shm, or replaced" "$BATS_TEST_TMPDIR/log")" = 1 ]
    services
    say 'a 10 running 0'
    eventually 5 rows_are 'supervisor a 10 running 0'
    cp "$SEGMENT" "$SEGMENT.copy"
    mv "$SEGMENT.copy" "$SEGMENT"
    status=0
    wait "$OWNER" || status=$?
    [ "$status" = 1 ]
}

@test "a second services of the same instance is refused and names the first" {
    services
    eventually 5 alive
    run statebus services </dev/null
    [ "$status" = 1 ]
    [[ $output == *"already running as process $OWNER"* ]]
}

@test "doctor is content, and finds what is wrong" {
    services
    say 'a 10 running 0'
    eventually 5 alive
    statebus doctor --verbose | tee "$BATS_TEST_TMPDIR/out"
    grep -q '^ok   supervisor: a subscriber was in sync after ' "$BATS_TEST_TMPDIR/out"
    [ "$(grep -c '^ok   supervisor: ' "$BATS_TEST_TMPDIR/out")" = 6 ]
    # in short: one line an owner, and all checks counted
    statebus doctor >"$BATS_TEST_TMPDIR/brief"
    [ "$(grep -c supervisor "$BATS_TEST_TMPDIR/brief")" = 1 ]
    grep -Eq '^ok   supervisor: running, 1 rows, heartbeat [0-9]+ ms ago, in sync after [0-9]+ ms$' "$BATS_TEST_TMPDIR/brief"
    [ "$(tail -1 "$BATS_TEST_TMPDIR/brief")" = "$(tail -1 "$BATS_TEST_TMPDIR/out")" ]
    statebus doctor --json | jq -es 'length >= 6 and all(.level != "fail" and has("what") and has("why") and has("do"))'

    # with a problem the owner has no line of praise
    failing() { run statebus doctor; [[ $1 != supervisor* ]] || not grep -q '^ok   supervisor' <<<"$output"; [ "$status" = 1 ] && [[ $output == *"fail $1"* ]]; }
    chmod 0755 "$TRIVET_RUNTIME_DIR"
    failing "runtime directory: $TRIVET_RUNTIME_DIR has mode 0755, not 0750; chmod 0750 $TRIVET_RUNTIME_DIR"
    chmod 0750 "$TRIVET_RUNTIME_DIR"
    chmod 0644 "$SEGMENT"
    failing "supervisor: segment has mode 0644, not 0640; chmod 0640 $SEGMENT"
    chmod 0640 "$SEGMENT"
    statebus doctor
    kill -STOP "$OWNER"
    eventually 5 alive stalled
    failing "supervisor: pid $OWNER holds its lock but its heartbeat is "
    kill -CONT "$OWNER"
    eventually 5 alive
    eventually 2 statebus doctor
    slay "$OWNER"
    eventually 5 alive dead
    failing 'supervisor: not running'
    # A segment that is none of ours: refused, never read.
    head -c 8192 /dev/urandom >"$SEGMENT"
    failing 'supervisor: '
    run statebus ls
    [ "$status" = 1 ]
}

@test "doctor warns of bridges without their controller, and of those that forget their flows then" {
    command -v ovs-vsctl && ovs-vsctl --timeout=2 show >/dev/null || skip "no Open vSwitch"
    services
    eventually 5 alive
    ovs-vsctl --may-exist add-br t-sbd -- set bridge t-sbd datapath_type=netdev -- set-controller t-sbd tcp:127.0.0.1:1
    run statebus doctor
    ovs-vsctl set-fail-mode t-sbd secure
    first=$output
    run statebus doctor
    ovs-vsctl set-controller t-sbd tcp:127.0.0.1:2 tcp:127.0.0.1:1
    both=$(statebus doctor)
    ovs-vsctl del-controller t-sbd
    none=$(statebus doctor)
    ovs-vsctl del-br t-sbd
    [[ $first == *"warn bridge t-sbd: fail mode is standalone"*"ovs-vsctl set-fail-mode t-sbd secure"* ]]
    [[ $output != *"bridge t-sbd: fail mode"* ]]
    [[ $output == *"warn bridge t-sbd: not connected to its controller tcp:127.0.0.1:1; "*"trivet attach t-sbd"* ]]
    [[ $both == *"controller tcp:127.0.0.1:1;"* && $both == *"controller tcp:127.0.0.1:2;"* ]]
    [[ $none != *"bridge t-sbd"* ]]
}

@test "check-config says where a file is wrong" {
    printf 'controller:\n  polcy: shortest\n' >"$BATS_TEST_TMPDIR/bad.yaml"
    run statebus --config "$BATS_TEST_TMPDIR/bad.yaml" check-config
    [ "$status" = 1 ]
    [[ $output == *"bad.yaml:2:3: controller.polcy: unknown key"* ]]
    echo 'controller: {policy: learning}' >"$BATS_TEST_TMPDIR/good.yaml"
    statebus --config "$BATS_TEST_TMPDIR/good.yaml" check-config | grep -q 'good.yaml: ok'
}
