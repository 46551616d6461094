# SPDX-License-Identifier: Apache-2.0
# Who the services are, what is open to whom, and what root does with things that others could have made.
load helper

setup() {
    getent passwd trivet >/dev/null || skip "no user trivet: env/setup makes it"
    fresh
    PREFIX='' HOLDER=''
}
teardown() {
    # shellcheck disable=SC2086 # several pids
    [ -z "$HOLDER" ] || kill $HOLDER 2>/dev/null || true
    finish
    ip netns del t-sec 2>/dev/null || true
    [ -z "$PREFIX" ] || rm -rf --one-file-system "$PREFIX"
    rm -f /run/trivet-test-victim
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@" 3>&-; }
as_member() { setpriv --reuid 65534 --regid 65534 --groups "$(id -g trivet)" "$@" 3>&-; }
as_service() { setpriv --reuid trivet --regid trivet --init-groups "$@" 3>&-; }
of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(pid_of "$1")/status"; } # SERVICE FIELD
user_is() { [ "$(of "$1" Uid | cut -f2)" = "$(id -u "$2")" ]; }
installed() { # into a directory that other users reach
    PREFIX=$(mktemp -d /var/tmp/trivet-test.XXXXXX)
    chmod 755 "$PREFIX"
    cmake --install "$BUILD" --prefix "$PREFIX" >/dev/null
}

@test "the services run as user trivet, with no capability but pcapcheck's NET_RAW; others get in nowhere" {
    ip netns add t-sec
    up
    trivet agents t-sec
    [ "$(trivet status --json | jq -r .user | sort -u)" = trivet ]
    for service in controller pcapcheck agent.t-sec; do
        user_is $service trivet
        [ "$(of $service NoNewPrivs)" = 1 ]
        case $service in pcapcheck) caps=0000000000002000 ;; *) caps=0000000000000000 ;; esac
        for set in CapPrm CapEff; do [ "$(of $service $set)" = $caps ]; done
    done
    [ "$(stat -c '%a %U %G' "$RUN")" = '750 trivet trivet' ]
    [ "$(stat -c '%a %U %G' "$RUN.supervisor")" = '2750 root trivet' ]
    for owner in controller pcapcheck agent.t-sec supervisor; do
        [ "$(stat -c '%a %U %G' "/dev/shm/trivet.$INSTANCE.$owner")" = '640 trivet trivet' ]
        [ "$(stat -c '%a %F' "$RUN/$owner.pub")" = '660 socket' ]
        not as_nobody cat "/dev/shm/trivet.$INSTANCE.$owner" >/dev/null 2>&1
        not as_nobody /usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('$RUN/$owner.pub')" 2>/dev/null
    done
    # A reader has no way to write, whoever it is.
    "$(tool statebus)" --instance "$INSTANCE" watch >/dev/null 3>&- &
    HOLDER=$!
    eventually 3 grep -q "trivet.$INSTANCE.controller" "/proc/$HOLDER/maps"
    [ "$(grep "/dev/shm/trivet" "/proc/$HOLDER/maps" | cut -d' ' -f2 | sort -u)" = r--s ]
}

@test "who is in the group may look, and change nothing; a stranger is told what to do" {
    installed
    up
    run as_member "$PREFIX/bin/statebus" --instance "$INSTANCE" ls
    [ "$status" = 0 ]
    [ "$(grep -c ' alive ' <<<"$output")" = 3 ]
    as_member "$PREFIX/bin/statebus" --instance "$INSTANCE" dump service --json | jq -es 'length == 2'
    as_member env TRIVET_BUILD=none "$PREFIX/bin/trivet" --instance "$INSTANCE" status --json | jq -es 'all(.[]; .phase == "running")'
    run as_member env TRIVET_BUILD=none "$PREFIX/bin/trivet" --instance "$INSTANCE" down
    [ "$status" = 1 ]
    [[ $output == *"runs as root: sudo trivet down"* ]]
    run as_nobody "$PREFIX/bin/statebus" --instance "$INSTANCE" ls
    [ "$status" = 1 ]
    [[ $output == *"$RUN is closed to this user: sudo statebus, or join its group"* ]]
    run as_nobody env TRIVET_BUILD=none "$PREFIX/bin/trivet" --instance "$INSTANCE" status
    [ "$status" = 1 ]
    [[ $output == *"runs as root: sudo trivet status"* ]]
    run as_nobody "$PREFIX/sbin/trivet-controller" --instance "$INSTANCE" --listen tcp:127.0.0.1:16759
    [ "$status" = 1 ]
    [[ $output == *"$RUN is not a directory of ours, it is of uid $(id -u trivet): sudo, or another --instance"* ]]
    [ "$(pid_of controller)" -gt 0 ]
}

@test "who is in the group cannot lock an owner out, nor pass for one" {
    hold=$(cat <<'PY'
import fcntl, sys, time
held, refused = [], []
for path in sys.argv[1:]:
    for lock in fcntl.flock, fcntl.lockf:
        try:
            f = open(path, 'rb')
            lock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held.append(f)
        except OSError as e:
            refused.append(path)
print('holds', len(held), 'refused', len(refused), flush=True)
time.sleep(60)
PY
    )
    up
    trivet down
    segment=/dev/shm/trivet.$INSTANCE.controller
    chmod 640 "$RUN/controller.lock" # as earlier versions made it
    as_member /usr/bin/python3 -c "$hold" "$RUN/controller.lock" "$segment" >"$BATS_TEST_TMPDIR/held" &
    HOLDER=$!
    eventually 3 grep -q 'holds 4' "$BATS_TEST_TMPDIR/held"
    [ "$(statebus ls --json | jq -r 'select(.owner == "controller").liveness')" = dead ]
    up
    [ "$(state_of controller)" = 'running running' ]
    grep -q 'a reader keeps the old one locked' "$RUN.supervisor/log/controller.log"
    grep -q 'start: .*, warm$' "$RUN.supervisor/log/controller.log"
    [ "$(stat -c '%a %U' "$RUN/controller.lock")" = '600 trivet' ]
    run as_member timeout 1 /usr/bin/python3 -c "$hold" "$RUN/controller.lock" "$segment"
    [[ $output == 'holds 1 refused 3' ]] # a flock of the segment, which means nothing
}

@test "from root to trivet and back: what the other left is taken over, warm" {
    started() { grep -c "start: .*, $1\$" "$RUN.supervisor/log/controller.log"; }
    up --user root
    user_is controller root
    [ "$(stat -c %U "/dev/shm/trivet.$INSTANCE.controller")" = root ]
    up --user trivet
    user_is controller trivet
    [ "$(stat -c %U "/dev/shm/trivet.$INSTANCE.controller")" = trivet ]
    eventually 3 eval '[ "$(stat -c %U:%G "/dev/shm/trivet.$INSTANCE.supervisor")" = trivet:trivet ]'
    grep -q "trivet.$INSTANCE.controller, left by root, is trivet's now" "$RUN.supervisor/log/controller.log"
    [ "$(started cold) $(started warm)" = '1 1' ]
    TRIVET_USER=root up
    user_is pcapcheck root
    [ "$(of pcapcheck CapEff)" = 0000000000002002 ] # NET_RAW, and DAC_OVERRIDE to read trivet's
    [ "$(started cold) $(started warm)" = '1 2' ]
    up # nothing named: as it was
    user_is controller root
    run up --user nonsense
    [ "$status" = 1 ]
    [[ $output == *"--user nonsense: no such user"* ]]
}

@test "an instance of an earlier version, all of it root's and in one directory, goes on" {
    up --user root
    pid=$(pid_of controller)
    kill -9 "$(cut -d' ' -f1 "$RUN/supervisor/pid")" # ours would miss its directory, theirs would not
    rm "$RUN/supervisor" "$RUN/log" "$RUN.supervisor/user"
    mv "$RUN.supervisor/log" "$RUN"
    mv "$RUN.supervisor" "$RUN/supervisor"
    trivet up
    grep -q "controller: adopted, pid $pid" "$RUN/log/supervisor.log"
    user_is controller trivet
    tr '\0' ' ' <"/proc/$(pid_of controller)/cmdline" | grep -q -- "--listen $TRIVET_CONTROLLER"
    grep -q 'start: .*, warm$' "$RUN/log/controller.log"
}

@test "a stranger's segment in the way is removed when it is dead, and named when it is in use" {
    segment=/dev/shm/trivet.$INSTANCE.controller
    as_nobody sh -c "umask 0; head -c 8192 /dev/urandom >$segment"
    up
    grep -q "trivet.$INSTANCE.controller of uid 65534 was in the way: removed" "$RUN.supervisor/log/controller.log"
    [ "$(stat -c %U "$segment")" = trivet ]
    trivet down
    rm "$segment"
    as_nobody mkdir "$segment" "$segment.new" "$segment/inside"
    up
    [ "$(stat -c '%U %F' "$segment")" = 'trivet regular file' ]
    rm -r "$segment".aside-*
    full_only
    trivet down
    rm "$segment"
    as_nobody sh -c "umask 0; : >$segment; exec flock $segment sleep 60" &
    HOLDER=$!
    eventually 2 eval '[ -e $segment ] && ! flock -n -s $segment true'
    run up
    [ "$status" = 1 ]
    [[ $output == *"in use by a process of uid 65534: choose another --instance"* ]]
}

@test "root follows nothing that the services' user put into their directory" {
    up
    trivet down
    echo secret >/run/trivet-test-victim
    chmod 600 /run/trivet-test-victim
    as_service sh -c "cd '$RUN' && rm -f log supervisor controller.lock pcapcheck.key && ln -s /run/trivet-test-victim log &&
        mkdir -p supervisor/want && printf '0\nhere\ntouch\n/run/trivet-test-evil\n' >supervisor/want/evil"
    ln -s /run/trivet-test-victim "$RUN/controller.lock"
    ln /run/trivet-test-victim "$RUN/pcapcheck.key" 2>/dev/null || : # where both are on one file system
    up
    [ "$(state_of controller)" = 'running running' ]
    [ "$(stat -c '%U %a' /run/trivet-test-victim)" = 'root 600' ]
    [ "$(cat /run/trivet-test-victim)" = secret ]
    [ ! -e /run/trivet-test-evil ]
    [ -f "$RUN/controller.lock" ] && [ ! -L "$RUN/controller.lock" ]
}

@test "units: valid, hardened, and none depends on another" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze: env/setup"
    installed
    dir=$BATS_TEST_TMPDIR/units
    mkdir "$dir"
    for unit in trivet-controller trivet-pcapcheck trivet-agent@ trivet-agent-netns@; do
        # They carry the prefix of the build; the test's files lie elsewhere.
        sed -E "s|^(Exec[A-Za-z]*=\\+?)/[^ ]*/((s?bin/\|share/)[^ ]*)|\1$PREFIX/\2|" \
            "$PREFIX/lib/systemd/system/$unit.service" >"$dir/${unit/%@/@x}.service"
        not grep -E '^(BindsTo|PartOf|Requires|Requisite)=' "$dir/${unit/%@/@x}.service"
    done
    run systemd-analyze verify --man=no "$dir"/trivet-*.service
    echo "$output"
    [ "$status" = 0 ]
    [[ $output != *"$dir"* && $output != *trivet-* ]]
    for unit in "$dir"/trivet-*.service; do
        systemd-analyze security --offline=true --threshold=20 "$unit" >"$dir/exposure" || { cat "$dir/exposure"; false; }
        grep 'Overall exposure' "$dir/exposure"
    done
}

@test "units: their command lines run with the user and capabilities they state" {
    installed
    export TRIVET_RUNTIME_DIR=$RUN
    install -d -m 750 -o trivet -g trivet "$RUN" # RuntimeDirectory=
    setting() { sed -n "s/^$1=//p" "$PREFIX/lib/systemd/system/$2.service"; }
    for unit in trivet-controller trivet-pcapcheck trivet-agent@; do
        caps=$(setting CapabilityBoundingSet $unit | tr 'A-Z' 'a-z' | sed 's/cap_/+/')
        [ "$(setting AmbientCapabilities $unit)" = "$(setting CapabilityBoundingSet $unit)" ]
        command=$(setting ExecStart $unit | sed -E "s|^/[^ ]*/(s?bin/)|$PREFIX/\1|"'; s/ [$][A-Z_]+//g; s/%i/lo/g; s/ --interface lo//')
        case $unit in trivet-controller) command+=" --listen $TRIVET_CONTROLLER" ;; esac
        # shellcheck disable=SC2086 # a command line
        setpriv --reuid "$(setting User $unit)" --regid "$(setting Group $unit)" --init-groups --no-new-privs \
            --inh-caps="-all${caps:+,$caps}" --bounding-set="-all${caps:+,$caps}" --ambient-caps="-all${caps:+,$caps}" \
            $command --instance "$INSTANCE" 2>>"$BATS_TEST_TMPDIR/log" 3>&- &
        HOLDER+=" $!"
    done
    ready() { [ "$(statebus ls --json | jq -r '[.phase, .liveness] | join(" ")' | grep -c 'running alive')" = 3 ]; }
    eventually 5 ready || { cat "$BATS_TEST_TMPDIR/log"; false; }
    read -ra pids <<<"$HOLDER"
    [ "$(sed -n 's/^CapEff:\t//p' "/proc/${pids[0]}/status") $(sed -n 's/^CapEff:\t//p' "/proc/${pids[1]}/status")" = '0000000000000000 0000000000002000' ]
    kill "${pids[@]}"
    wait "${pids[@]}" || true
    HOLDER=
}

@test "units: three crashes in 30 s make the next start cold, exits do not; waiting times grow" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\necho $1 >>%s/slept\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/sleep"
    chmod +x "$BATS_TEST_TMPDIR/bin/sleep"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    died() { SERVICE_RESULT=$1 EXIT_CODE=$2 TRIVET_RUNTIME_DIR=$BATS_TEST_TMPDIR/run "$ROOT/env/systemd/service-died" unit; }
    cold() { [ "$(cat "$BATS_TEST_TMPDIR/run.systemd/unit" 2>/dev/null)" = COLD=--cold ]; }
    died exit-code exited
    died signal killed
    died exit-code exited
    not cold
    died core-dump dumped
    not cold
    died signal killed
    cold
    died signal killed # the count began anew
    not cold
    died success exited
    [ -z "$(ls "$BATS_TEST_TMPDIR/run.systemd")" ]
    for i in 1 2 3 4 5 6 7 8; do died exit-code exited; done
    [ "$(tail -n 7 "$BATS_TEST_TMPDIR/slept" | tr '\n' ' ')" = '0.25 0.5 1 2 4 8 8 ' ]
}
