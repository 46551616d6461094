# SPDX-License-Identifier: Apache-2.0
# The supervisor: starts, watches and ends the services of its instance, and nothing else.
load helper

setup() { fresh; }
teardown() { finish; }

supervisor() { cut -d' ' -f1 "$RUN/supervisor/pid"; }
restarts() { trivet status --json | jq -r --arg s "$1" 'select(.service == $s).restarts'; }
gone() { # a zombie whose new parent does not care is gone, too
    [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"
}
runs_again() { # SERVICE OLD-PID: another process, ready
    [ "$(pid_of "$1")" != "$2" ] && [ "$(state_of "$1")" = 'running running' ]
}

@test "up starts controller and pcapcheck, down ends them; both may be said twice" {
    up
    [ "$(state_of controller)" = 'running running' ]
    [ "$(state_of pcapcheck)" = 'running running' ]
    before=$(trivet status --json | jq -r .pid | tr '\n' ' ')
    up
    [ "$(trivet status --json | jq -r .pid | tr '\n' ' ')" = "$before" ]
    supervisor=$(supervisor)
    trivet down
    for pid in $before $supervisor; do gone "$pid"; done
    trivet down
    run trivet status
    [ "$status" = 1 ]
    [[ $output == *"not up"*"trivet up"* ]]
}

@test "status --json has one object a service, and the bus has the same" {
    up
    trivet status --json | jq -es 'length == 2 and all(.[]; .service and .pid > 0 and .state == "running"
        and (.incarnation | test("^[0-9a-f]{16}$")) and .restarts == 0 and .age_s >= 0 and .phase == "running")'
    eventually 2 eval 'statebus dump service --json | jq -es "length == 2 and all(.[]; .state == \"running\" and .pid > 0)"'
    [ "$(statebus dump service --json | jq -r 'select(.service == "controller").pid')" = "$(pid_of controller)" ]
}

@test "a killed service is started again at once and alone; one without its segment ends, and is started, too" {
    topology diamond
    up
    trivet agents
    for service in controller pcapcheck agent.t-h1; do
        old=$(pid_of $service)
        others=$(trivet status --json | jq -r --arg s $service 'select(.service != $s).pid' | tr '\n' ' ')
        kill -9 "$old"
        eventually 2 runs_again $service "$old"
        [ "$(trivet status --json | jq -r --arg s $service 'select(.service != $s).pid' | tr '\n' ' ')" = "$others" ]
        [ "$(restarts $service)" = 1 ]
    done
    for service in controller pcapcheck agent.t-h1; do
        old=$(pid_of $service)
        rm "/dev/shm/trivet.$INSTANCE.$service"
        eventually 5 runs_again $service "$old"
        [ "$(restarts $service)" = 2 ]
        [ "$(grep -c "error .*segment /trivet.$INSTANCE.$service was removed from /dev/shm" "$RUN/log/$service.log")" = 1 ]
    done
    rm "/dev/shm/trivet.$INSTANCE.supervisor" # the table of services comes back, too
    eventually 5 eval 'statebus dump service --json 2>/dev/null | jq -es "length == 4 and all(.[]; .state == \"running\")"'
}

@test "a hung service is killed and started again" {
    up
    old=$(pid_of pcapcheck)
    kill -STOP "$old"
    eventually 10 runs_again pcapcheck "$old"
    grep -q 'pcapcheck: no heartbeat for .* killing' "$RUN/log/supervisor.log"
}

@test "a service that keeps dying is started later and later; the third death by a signal makes it cold, once" {
    die() { # SIGNAL
        local old
        old=$(pid_of pcapcheck)
        kill "-$1" "$old"
        eventually 5 runs_again pcapcheck "$old"
    }
    is_cold() { [[ $(tr '\0' ' ' <"/proc/$(pid_of pcapcheck)/cmdline") == *--cold* ]]; }
    colds() { grep -c 'pcapcheck: three crashes in 30 s, starting it with --cold' "$RUN/log/supervisor.log"; }
    up
    die KILL
    die TERM # it exits, with status 0: no crash
    die KILL
    [ "$(colds)" = 0 ]
    die KILL
    [ "$(colds)" = 1 ]
    is_cold
    grep -q 'starting it again in 0 ms' "$RUN/log/supervisor.log"
    grep -Eq 'starting it again in (2[5-9]|30)0 ms' "$RUN/log/supervisor.log"
    grep -Eq 'starting it again in (5[0-9]|60)0 ms' "$RUN/log/supervisor.log"
    trivet restart pcapcheck # the waiting time begins anew
    die KILL
    [ "$(colds)" = 1 ] # and the count did, too
    if is_cold; then false; fi
}

@test "hanging three times is three crashes, also for services that were adopted" {
    full_only
    up
    kill -9 "$(supervisor)"
    up
    for i in 1 2 3; do
        old=$(pid_of pcapcheck)
        kill -STOP "$old"
        eventually 12 runs_again pcapcheck "$old"
    done
    grep -q 'pcapcheck: three crashes in 30 s, starting it with --cold' "$RUN/log/supervisor.log"
}

@test "the services survive their supervisor, the next one adopts them" {
    up
    before=$(trivet status --json | jq -r .pid | tr '\n' ' ')
    old=$(supervisor)
    kill -9 "$old"
    run trivet status
    [ "$status" = 1 ]
    [[ $output == *"run on: trivet up takes them over"* ]]
    up
    [ "$(supervisor)" != "$old" ]
    [ "$(trivet status --json | jq -r .pid | tr '\n' ' ')" = "$before" ]
    pid=$(pid_of pcapcheck) # an adopted service is no child, and watched all the same
    kill -9 "$pid"
    eventually 2 runs_again pcapcheck "$pid"
}

@test "down ends what a killed supervisor left" {
    up
    pids=$(trivet status --json | jq -r .pid)
    kill -9 "$(supervisor)"
    trivet down
    for pid in $pids; do gone "$pid"; done
}

@test "only its own processes are ended: a reused pid is left alone" {
    up
    kill -9 "$(supervisor)" # its records stay
    sleep 60 3>&- &
    mine=$!
    real=$(pid_of controller)
    sed -i "1s/^[0-9]*/$mine/" "$RUN/supervisor/run/controller"
    trivet down
    kill -0 $mine
    kill $mine
    kill "$real"
}

@test "restart starts one service anew and waits for it" {
    up
    controller=$(pid_of controller) pcapcheck=$(pid_of pcapcheck)
    trivet restart controller
    [ "$(state_of controller)" = "running running" ]
    [ "$(pid_of controller)" != "$controller" ]
    [ "$(pid_of pcapcheck)" = "$pcapcheck" ]
    run trivet restart nonsense
    [ "$status" = 1 ]
    [[ $output == *"no service 'nonsense'"*controller* ]]
}

@test "up with another policy restarts the controller and nothing else" {
    up --policy learning
    controller=$(pid_of controller) pcapcheck=$(pid_of pcapcheck)
    up --policy shortest
    [ "$(pid_of controller)" != "$controller" ]
    [ "$(pid_of pcapcheck)" = "$pcapcheck" ]
    tr '\0' ' ' <"/proc/$(pid_of controller)/cmdline" | grep -q -- '--policy shortest'
}

@test "agents run in the namespaces of their hosts and stop when told" {
    topology diamond
    up
    run trivet agents t-h1 t-h2
    [[ $output == *"agents started: t-h1 t-h2"* ]]
    for h in t-h1 t-h2; do
        [ "$(readlink "/proc/$(pid_of agent.$h)/ns/net")" = "$(ip netns exec $h readlink /proc/self/ns/net)" ]
    done
    pid=$(pid_of agent.t-h1)
    trivet agents --stop t-h1
    eventually 2 gone "$pid"
    [ "$(state_of agent.t-h2)" = 'running running' ]
    run trivet agents t-nowhere
    [ "$status" = 1 ]
    [[ $output == *"no network namespace 't-nowhere'"* ]]
}

@test "an agent whose namespace is gone is given up, not started again and again" {
    topology diamond
    up
    trivet agents t-h1
    pid=$(pid_of agent.t-h1)
    topology clean
    kill -9 "$pid"
    eventually 2 grep -q 'agent.t-h1: its namespace is gone' "$RUN/log/supervisor.log"
    eventually 2 eval '[ -z "$(pid_of agent.t-h1)" ]'
}

@test "attach points a bridge at the controller and detach gives back what was" {
    ovs-vsctl add-br t-mine -- set bridge t-mine datapath_type=netdev -- set-controller t-mine tcp:127.0.0.1:9 tcp:127.0.0.1:10
    up
    run trivet attach t-mine
    [ "$status" = 0 ]
    [ "$(ovs-vsctl get-controller t-mine)" = "$TRIVET_CONTROLLER" ]
    [ "$(ovs-vsctl get-fail-mode t-mine)" = secure ]
    trivet attach t-mine # again: the old values are not lost
    eventually 5 eval 'statebus dump switch --json | grep -q "\"name\":\"t-mine\""'
    trivet detach t-mine
    [ "$(ovs-vsctl get-controller t-mine | sort -V | tr '\n' ' ')" = 'tcp:127.0.0.1:9 tcp:127.0.0.1:10 ' ]
    [ -z "$(ovs-vsctl get-fail-mode t-mine)" ]
    [ "$(ovs-vsctl get bridge t-mine external_ids)" = '{}' ]
    run trivet detach t-mine
    [ "$status" = 1 ]
    run trivet attach t-nonsense
    [ "$status" = 1 ]
    [[ $output == *"no bridge 't-nonsense'"* ]]
    ovs-vsctl del-br t-mine
}

@test "up tells of bridges that are not attached, and leaves them" {
    ovs-vsctl add-br t-mine -- set bridge t-mine datapath_type=netdev
    run up
    [[ $output == *"not attached"*t-mine* ]]
    [ -z "$(ovs-vsctl get-controller t-mine)" ]
    ovs-vsctl del-br t-mine
}

@test "logs shows each service's lines" {
    up
    run trivet logs supervisor
    [[ $output == *"controller: started, pid $(pid_of controller)"* ]]
    [ -n "$(trivet logs controller)" ]
    run trivet logs nonsense
    [ "$status" = 1 ]
}

@test "it runs installed, from any directory" {
    prefix=$BATS_TEST_TMPDIR/usr
    cmake --install "$BUILD" --prefix "$prefix" >/dev/null
    cd /
    installed() { env TRIVET_BUILD=none "$prefix/bin/trivet" --instance "$INSTANCE" "$@" 3>&-; }
    installed up --listen "$TRIVET_CONTROLLER" --topology diamond
    [ "$(readlink "/proc/$(pid_of controller)/exe")" = "$(readlink -f "$(find "$prefix" -name trivet-controller -type f)")" ]
    installed wait
    installed down
}

@test "up --topology and wait: settled means all switches ready and all links up" {
    up --topology pod
    run trivet wait --timeout 15
    [ "$status" = 0 ]
    [[ $output == *"settled: 4 switches, 4 links"* ]]
    run trivet up --topology nonsense
    [ "$status" = 1 ]
    [[ $output == *"no topology 'nonsense'"*diamond* ]]
}

@test "wait gives up after its time-out and says what is missing" {
    topology diamond
    up
    kill -STOP "$(pid_of controller)"
    ovs-vsctl add-br t-s9 -- set bridge t-s9 datapath_type=netdev -- set-controller t-s9 "$TRIVET_CONTROLLER"
    run trivet wait --timeout 2
    kill -CONT "$(pid_of controller)"
    ovs-vsctl del-br t-s9
    [ "$status" = 1 ]
    [[ $output == *"not settled after 2 s"*"5 switches ready"* ]]
}

@test "up fails soon, with the last words of a service that cannot start" {
    mkdir -p "$RUN/log" "$BATS_TEST_TMPDIR/taken" # a socket path that cannot be bound: it is a directory
    echo 'words of long ago' >"$RUN/log/controller.log"
    begin=$SECONDS
    run trivet up --listen "unix:$BATS_TEST_TMPDIR/taken"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"controller"*"not ready"*"$BATS_TEST_TMPDIR/taken"*"trivet logs controller"*"goes on starting it"*"trivet down"* ]]
    [ "$(grep -c "listen unix:$BATS_TEST_TMPDIR/taken" <<<"$output")" = 1 ] # of the last attempt only
    [[ $output != *"long ago"* ]]
    [ $((SECONDS - begin)) -le 6 ]
}

@test "a bad policy or listen address leaves what runs alone and is not kept" {
    up
    before=$(pid_of controller) want=$(cat "$RUN/supervisor/want/controller")
    for arguments in '--policy nonsense' '--listen tcp:nowhere:1' '--listen tcp:127.0.0.1:0' '--listen tcp:127.0.0.1:65536' \
        '--listen 127.0.0.1:6653' '--listen tcp:256.0.0.1:6653' '--listen unix:'; do
        run trivet up $arguments
        [ "$status" = 2 ]
        [[ $output == *"${arguments#* }"* ]]
    done
    python3 -c 'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 16754)); s.listen(); time.sleep(60)' 3>&- &
    other=$!
    eventually 5 eval 'ss -Hltn "sport = :16754" | grep -q .'
    for address in tcp:127.0.0.1:16754 tcp:0.0.0.0:16754; do
        run trivet up --policy learning --listen $address
        [ "$status" = 1 ]
        [[ $output == *"$address: in use by python3 (pid $other)"*"nothing was changed"* ]]
    done
    kill $other
    [ "$(cat "$RUN/supervisor/want/controller")" = "$want" ]
    [ "$(pid_of controller)" = "$before" ]
}

@test "up again changes what it is told and nothing else" {
    up --policy learning
    before=$(pid_of controller)
    trivet up
    [ "$(pid_of controller)" = "$before" ]
    trivet up --policy shortest
    tr '\0' ' ' <"/proc/$(pid_of controller)/cmdline" | grep -q -- "--policy shortest --listen $TRIVET_CONTROLLER"
}

@test "attached bridges follow the controller to another address" {
    ovs-vsctl add-br t-mine -- set bridge t-mine datapath_type=netdev
    unset TRIVET_CONTROLLER
    trivet up --listen tcp:127.0.0.1:16753
    trivet attach t-mine
    run trivet up --listen tcp:0.0.0.0:16754
    [ "$status" = 0 ]
    [[ $output == *"t-mine: now attached to tcp:127.0.0.1:16754"* ]]
    [ "$(ovs-vsctl get-controller t-mine)" = tcp:127.0.0.1:16754 ]
    ovs-vsctl set-controller t-mine tcp:127.0.0.1:16753 # somebody else
    run trivet up
    [[ $output == *"t-mine: now attached to tcp:127.0.0.1:16754"* ]]
    trivet detach t-mine
    ovs-vsctl set-controller t-mine tcp:127.0.0.1:16753
    run trivet up
    [[ $output == *"a controller at tcp:127.0.0.1:16753, where nobody listens; ours is at tcp:127.0.0.1:16754: trivet attach t-mine"* ]]
    ovs-vsctl set-controller t-mine tcp:127.0.0.1:16755
    python3 -c 'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 16755)); s.listen(); time.sleep(60)' 3>&- &
    other=$!
    eventually 5 eval 'ss -Hltn "sport = :16755" | grep -q .'
    run trivet up
    kill $other
    [[ $output == *"another controller, tcp:127.0.0.1:16755 of python3 (pid $other)"*": t-mine"* && $output != *"attach t-mine"* ]]
    ovs-vsctl set-controller t-mine tcp:127.0.0.1:16753
    trivet attach t-mine
    run trivet down
    [[ $output == *"stay secure"*": t-mine; trivet detach"* ]]
    trivet detach
    [ "$(ovs-vsctl get-controller t-mine)" = tcp:127.0.0.1:16753 ]
    ovs-vsctl del-br t-mine
}

@test "detach gives controllers back with all their columns" {
    columns() { ovs-vsctl list controller t-mine | grep -Ev '^(_uuid|is_connected|role|status) '; }
    for fail in '[]' standalone secure; do
        ovs-vsctl add-br t-mine -- set bridge t-mine datapath_type=netdev "fail_mode=$fail" -- set-controller t-mine tcp:127.0.0.1:9 \
            -- set controller t-mine connection_mode=out-of-band inactivity_probe=7000 max_backoff=3000 local_ip=10.9.9.9 'external_ids={k="a \"b\" c"}'
        columns >"$BATS_TEST_TMPDIR/before"
        trivet attach t-mine
        trivet detach
        columns | diff - "$BATS_TEST_TMPDIR/before"
        [ "$(ovs-vsctl get bridge t-mine fail_mode)" = "$fail" ]
        [ "$(ovs-vsctl get bridge t-mine external_ids)" = '{}' ]
        ovs-vsctl del-br t-mine
    done
}

@test "up --cold forgets earlier networks, once; wait does not count what is gone" {
    full_only
    up --topology diamond
    trivet wait
    topology clean
    eventually 5 eval '[ "$(statebus dump switch --json | grep -c "\"state\":\"gone\"")" = 4 ]'
    topology ring 3
    run trivet wait
    [[ $output == *"settled: 3 switches, 3 links"* ]]
    up --cold
    [ "$(statebus dump switch --json | grep -c '"state":"gone"')" = 0 ]
    grep -q 'pcapcheck: starting it with --cold, as told' "$RUN/log/supervisor.log"
    trivet restart controller
    [ "$(grep -c 'controller: starting it with --cold' "$RUN/log/supervisor.log")" = 1 ]
    before=$(pid_of controller)
    up
    [ "$(pid_of controller)" = "$before" ]
}

@test "doctor names what is gone: switches, and the interfaces of agents" {
    full_only
    up --topology diamond
    trivet wait
    trivet agents t-h1
    statebus doctor >"$BATS_TEST_TMPDIR/well"
    not grep -E '^(warn|fail) (switches|agent.*no interface|bridge t-)' "$BATS_TEST_TMPDIR/well"
    topology clean
    eventually 5 eval 'statebus doctor | grep "^warn switches: no switch is connected, 4 gone:.* t-s4.*--cold"'
    statebus doctor | grep '^warn agent.t-h1: its network namespace has no interface but lo'
}

@test "all that is for people fits 80 columns, and --wide shows all" {
    narrow() { awk 'length > 80 { print; bad = 1 } END { exit bad }'; }
    up --topology diamond
    trivet agents
    trivet wait
    in_host h1 ping -c 2 -i 0.2 -q "$(address h2)"
    trivet status | narrow
    statebus ls | narrow
    eventually 5 eval '[ "$(statebus dump latency --json | wc -l)" -gt 0 ] && [ "$(statebus dump observed --json | wc -l)" -gt 0 ]'
    for table in $(statebus dump nonsense 2>&1 | sed 's/.*there are//'); do
        statebus dump "$table" >"$BATS_TEST_TMPDIR/$table" 2>/dev/null
        narrow <"$BATS_TEST_TMPDIR/$table"
    done
    head -1 "$BATS_TEST_TMPDIR/flow" | grep -Eq '^dpid +in +eth_src +eth_dst +out'
    head -1 "$BATS_TEST_TMPDIR/observed" | grep -q 'ip_a .*ip_b .*verdict'
    head -1 "$BATS_TEST_TMPDIR/latency" | grep -q 'peer .*min .*p50'
    statebus dump flow 2>&1 >/dev/null | grep -q '^left out: .*; --wide shows all$'
    statebus dump flow --wide 2>&1 | head -1 | grep -q 'dpid .*cookie .*t_decided .*t_barrier .*idle_timeout'
    statebus watch --for 0.5 | narrow
    statebus watch --for 0.5 --wide flow | grep -q ' cookie=.* t_barrier='
}

@test "other users are told whose instance it is, and start none" {
    nobody() { setpriv --reuid 65534 --clear-groups "$ROOT/env/trivet" "$@" 3>&-; }
    setpriv --reuid 65534 --clear-groups test -x "$ROOT/env/trivet" || skip "nobody cannot reach the source"
    up
    run nobody --instance "$INSTANCE" status
    [ "$status" = 1 ]
    [[ $output == *"runs as root: sudo trivet status"* ]]
    run nobody --instance bats2 up
    [ "$status" = 1 ]
    [[ $output == *"up needs root"* ]]
}

@test "two instances run side by side and end apart" {
    up
    other() { "$ROOT/env/trivet" --instance bats2 "$@" 3>&-; }
    TRIVET_CONTROLLER=tcp:127.0.0.1:16754 other up --listen tcp:127.0.0.1:16754
    pid=$(pid_of controller)
    other down
    kill -0 "$pid"
    rm -rf --one-file-system /run/trivet/bats2 /run/trivet/bats2.supervisor
    rm -f /dev/shm/trivet.bats2.*
}

@test "wrong usage exits with 2 and says what is wrong" {
    for arguments in '' 'nonsense' '--instance bad/name up' 'up --nonsense' 'up --policy' 'wait --timeout soon' 'restart'; do
        run "$ROOT/env/trivet" $arguments
        [ "$status" = 2 ]
        [ -n "$output" ]
    done
    run trivet --help
    [ "$status" = 0 ]
    run trivet --version
    [[ $output == trivet\ * ]]
}

@test "many clients at once do not mix up the services" {
    up
    before=$(pid_of controller)
    for round in 1 2 3 4 5 6; do
        ups=()
        for i in 1 2 3 4; do up >/dev/null 2>&1 & ups+=($!); done
        for i in "${ups[@]}"; do wait "$i"; done
        [ "$(sed -n 3p "$RUN/supervisor/want/controller")" = trivet-controller ]
        [ "$(sed -n 3p "$RUN/supervisor/want/pcapcheck")" = pcapcheck ]
    done
    [ "$(pid_of controller)" = "$before" ]
}

@test "restart takes the name of a service, not a path" {
    up
    before=$(cat "$RUN/supervisor/controller")
    run trivet restart ../controller
    [ "$status" = 1 ]
    [[ $output == *"no service '../controller'"* ]]
    [ "$(cat "$RUN/supervisor/controller")" = "$before" ]
}

@test "records that are cut short or stale stop neither up nor down" {
    up
    controller=$(pid_of controller)
    pcapcheck=$(pid_of pcapcheck)
    kill -9 "$(supervisor)" "$pcapcheck"
    : >"$RUN/supervisor/run/pcapcheck"
    up
    [ "$(pid_of controller)" = "$controller" ]
    eventually 2 runs_again pcapcheck "$pcapcheck"
    pids=$(trivet status --json | jq -r .pid)
    # shellcheck disable=SC2086 # two pids
    kill -9 "$(supervisor)" $pids
    trivet down # all that is left are their records
    [ ! -e "$RUN/supervisor/want/controller" ]
}

@test "records that got lost are written again; without its directory the supervisor ends" {
    up
    pids=$(trivet status --json | jq -r .pid)
    supervisor=$(supervisor)
    rm "$RUN"/supervisor/run/* "$RUN/supervisor/state"
    eventually 3 [ -s "$RUN/supervisor/run/controller" ]
    eventually 3 [ -s "$RUN/supervisor/state" ]
    [ "$(trivet status --json | jq -r .pid)" = "$pids" ]
    rm -rf --one-file-system "$RUN" "$RUN.supervisor"
    for pid in $pids $supervisor; do eventually 8 gone "$pid"; done
}
