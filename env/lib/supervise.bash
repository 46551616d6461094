# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# supervise.bash - the supervisor itself: starts services, watches them by process and by the state
# bus, starts again what died, and is adopted from and by others of its kind. Sourced by trivet(8),
# which says in its head what the files mean; the clients there only write want files and wake it.
# shellcheck disable=SC2154 # variables that trivet sets

# Per service. svc_state: starting running stopping backoff stopped hung
declare -A svc_pid=() svc_start=() svc_state=() svc_restarts=() svc_due=() svc_since=() svc_fails=() \
    svc_crashes=() svc_want=()

log_line() { # LEVEL TEXT
    local t=$EPOCHREALTIME
    TZ=UTC printf '%(%FT%T)T.%.3sZ %s %s\n' "${t%.*}" "${t#*.}" "$1" "$2"
}

set_state() { # NAME STATE
    [ "${svc_state[$1]:-}" != "$2" ] || return 0
    svc_state[$1]=$2
    now_cs
    svc_since[$1]=$now
    changed=yes
    table_row "$1"
    [ "$2" != running ] || log_line info "$1: running"
}

# The `service` table has its writer in a coprocess; it is started again when it died.
table_row() {
    local state=${svc_state[$1]}
    table_line "$1 ${svc_pid[$1]:-0} ${state/stopping/running} ${svc_restarts[$1]:-0}"
}
table_line() {
    [ -z "${TABLE_PID:-}" ] || echo "$1" 2>/dev/null 1>&"${TABLE[1]}" || true
}

table_ensure() {
    local cold=()
    { read -r user <"$sup/user"; } 2>/dev/null
    if [ -n "${TABLE_PID:-}" ]; then
        [ "$user" = "$table_user" ] || kill "$TABLE_PID" 2>/dev/null # it comes back as the other
        return 0
    fi
    now_cs
    ((now >= table_due)) || return 0
    table_due=$((now + 200)) table_user=$user
    # What an earlier supervisor said is nothing to this one, unless it took services over.
    [ ${#svc_state[@]} -gt 0 ] || cold=(--cold)
    # shellcheck disable=SC2034 # TABLE[1] is used above
    coproc TABLE { exec {lock}>&-; exec "$statebus" --instance "$instance" --user "${user:-root}" "${cold[@]}" services >/dev/null; }
    local name
    for name in "${!svc_state[@]}"; do table_row "$name"; done
}

# In the child: the network namespace, a session of its own, the log. exec keeps the pid all along.
service_exec() { # NAME WHERE COMMAND...
    local name=$1 where=$2 enter=() bin pid
    shift 2
    exec {lock}>&- </dev/null >>"$sup/log/$name.log" 2>&1
    bin=$(program "$1") || exit 127
    case $where in
    netns=*) enter=(nsenter "--net=/run/netns/${where#*=}") ;;
    mininet=*)
        pid=$(mininet_hosts | sed -n "s/^${where#*=} //p")
        enter=(nsenter "--net=/proc/${pid:-gone}/ns/net")
        ;;
    esac
    exec "${enter[@]}" setsid "$bin" "${@:2}" || exit 126
}

# What the next supervisor needs to take the service over. Until it could be written (a full disk), each
# turn tries again.
service_record() { # NAME
    mkdir -p "$sup/run" &&
        printf '%s\n' "${svc_pid[$1]} ${svc_start[$1]}" "${svc_want[$1]}" >"$sup/run.new" &&
        mv "$sup/run.new" "$sup/run/$1"
} 2>/dev/null

service_start() { # NAME
    local name=$1 words log=$sup/log/$1.log
    mapfile -t words <<<"${svc_want[$name]}"
    if [ -f "$log" ] && [ "$(stat -c %s "$log")" -gt "$LOG_MAX" ]; then mv "$log" "$log.1"; fi
    now_cs
    read -ra crashes <<<"${svc_crashes[$name]:-}"
    if [ ${#crashes[@]} -ge "$COLD_AFTER" ] && ((now - crashes[-COLD_AFTER] <= CRASH_CS)); then
        log_line warning "$name: three crashes in 30 s, starting it with --cold"
        words+=(--cold)
    elif [ -f "$sup/cold/$name" ]; then
        log_line info "$name: starting it with --cold, as told"
        words+=(--cold)
    fi
    rm -f "$sup/cold/$name"
    [ "${words[-1]}" != --cold ] || svc_crashes[$name]= # from a clean slate: the count begins anew
    { stat -c %s "$log" || echo 0; } >"$sup/said/$name" 2>/dev/null
    service_exec "$name" "${words[@]:1}" &
    svc_pid[$name]=$!
    svc_start[$name]=$(start_time $!) || svc_start[$name]=0
    service_record "$name" || log_line warning "$name: cannot write $sup/run/$name"
    log_line info "$name: started, pid ${svc_pid[$name]}"
    set_state "$name" starting
}

service_died() { # NAME
    local name=$1 rc why fails crashes delay
    wait "${svc_pid[$name]}" 2>/dev/null
    rc=$? why="exit status $rc"
    [ $rc != 127 ] || why='exit status unknown' # not our child: adopted
    ((rc <= 128)) || why="signal $(kill -l "$rc")"
    rm -f "$sup/run/$name"
    svc_pid[$name]=0
    case ${svc_state[$name]} in
    stopping)
        log_line info "$name: stopped"
        set_state "$name" stopped
        return ;;
    esac
    now_cs
    ((now - svc_since[$name] < STABLE_CS)) || svc_fails[$name]=0
    fails=${svc_fails[$name]:-0}
    # A crash is a death by a signal, ours for hanging included; who exits has decided to, and another
    # state would not help: the port is taken, the configuration is wrong.
    if ((rc > 128)) || [ "${svc_state[$name]}" = hung ]; then
        read -ra crashes <<<"${svc_crashes[$name]:-} $now"
        [ ${#crashes[@]} -le "$COLD_AFTER" ] || crashes=("${crashes[@]:1}")
        svc_crashes[$name]=${crashes[*]}
    fi
    svc_fails[$name]=$((fails + 1))
    ((svc_restarts[$name] += 1))
    delay=${BACKOFF_CS[fails < 6 ? fails : 6]}
    delay=$((delay + RANDOM % (delay / 5 + 1)))
    svc_due[$name]=$((now + delay))
    log_line warning "$name: died, $why; starting it again in $((delay * 10)) ms"
    set_state "$name" backoff
}

service_stop() { # NAME
    case ${svc_state[$1]} in
    backoff) set_state "$1" stopped ;;
    starting | running | hung)
        log_line info "$1: stopping, pid ${svc_pid[$1]}"
        alive "${svc_pid[$1]}" "${svc_start[$1]}" && kill -TERM "${svc_pid[$1]}" 2>/dev/null
        set_state "$1" stopping ;;
    esac
}

service_forget() { # NAME
    table_line "- $1"
    unset "svc_pid[$1]" "svc_start[$1]" "svc_state[$1]" "svc_restarts[$1]" "svc_due[$1]" \
        "svc_since[$1]" "svc_fails[$1]" "svc_crashes[$1]" "svc_want[$1]"
    changed=yes
}

# A namespace that is gone takes its agent's job along.
where_gone() { # NAME
    local where
    where=$(sed -n 2p <<<"${svc_want[$1]}")
    case $where in
    netns=*) [ ! -e "/run/netns/${where#*=}" ] ;;
    mininet=*) ! grep -q "^${where#*=} " <<<"$(mininet_hosts)" ;;
    *) false ;;
    esac
}

# One look at everything: what is wanted, who died, what is due, who hangs.
supervise_turn() {
    local file name want
    for file in "$sup"/want/*; do
        [ -f "$file" ] || continue
        name=${file##*/}
        IFS= read -r -d '' want <"$file"
        want=${want%$'\n'}
        if [ -z "${svc_state[$name]:-}" ]; then
            svc_want[$name]=$want svc_restarts[$name]=0
            set_state "$name" stopped
        elif [ "$want" != "${svc_want[$name]}" ]; then
            [ "${svc_state[$name]}" = stopped ] || ((svc_restarts[$name] += 1))
            svc_want[$name]=$want svc_fails[$name]=0
            service_stop "$name"
        fi
    done
    now_cs
    for name in "${!svc_state[@]}"; do
        case ${svc_state[$name]} in
        starting | running | hung | stopping)
            if ! alive "${svc_pid[$name]}" "${svc_start[$name]}"; then service_died "$name"
            elif [ ! -s "$sup/run/$name" ]; then service_record "$name"; fi ;;
        esac
        if [ "$leaving" = yes ] || [ ! -f "$sup/want/$name" ]; then
            service_stop "$name"
            [ "${svc_state[$name]}" != stopped ] || { rm -f "$sup/want/$name"; service_forget "$name"; }
            [ -n "${svc_state[$name]:-}" ] || continue
        fi
        case ${svc_state[$name]} in
        stopping)
            if ((now - svc_since[$name] > KILL_CS)) && alive "${svc_pid[$name]}" "${svc_start[$name]}"; then
                log_line warning "$name: still there 5 s after TERM, sending KILL to ${svc_pid[$name]}"
                kill -KILL "${svc_pid[$name]}" 2>/dev/null
            fi ;;
        stopped | backoff)
            ((now >= ${svc_due[$name]:-0})) || continue
            if where_gone "$name"; then
                log_line warning "$name: its namespace is gone, not starting it again"
                rm -f "$sup/want/$name"
            else
                service_start "$name"
            fi ;;
        esac
    done
}

# Readiness and liveness, from the state bus.
supervise_bus() {
    local name
    bus_read
    for name in "${!svc_state[@]}"; do
        [ "${bus_pid[$name]:-}" = "${svc_pid[$name]}" ] || continue
        case ${svc_state[$name]} in
        starting | running)
            if [ "${bus_live[$name]}" = stalled ] && ((${bus_age[$name]:-0} > HUNG_MS)); then
                log_line warning "$name: no heartbeat for ${bus_age[$name]} ms, killing pid ${svc_pid[$name]}"
                set_state "$name" hung
                alive "${svc_pid[$name]}" "${svc_start[$name]}" && kill -KILL "${svc_pid[$name]}"
            elif [ "${bus_phase[$name]}" = running ] && [ "${svc_state[$name]}" = starting ]; then
                set_state "$name" running
            fi ;;
        esac
    done
}

write_state() {
    local name
    for name in "${!svc_state[@]}"; do
        echo "$name ${svc_pid[$name]:-0} ${svc_state[$name]} ${svc_restarts[$name]:-0}"
    done | sort >"$sup/state.new" && mv "$sup/state.new" "$sup/state" && changed=no
}

# Services of a supervisor that was killed go on under this one.
adopt() {
    local file name pid start restarts
    for file in "$sup"/run/*; do
        [ -f "$file" ] || continue
        name=${file##*/}
        read -r pid start <"$file"
        if ! alive "$pid" "$start"; then
            rm -f "$file"
            continue
        fi
        restarts=$(sed -n "s/^$name [0-9]* [a-z]* //p" "$sup/state" 2>/dev/null)
        svc_pid[$name]=$pid svc_start[$name]=$start svc_restarts[$name]=${restarts:-0}
        svc_want[$name]=$(tail -n +2 "$file")
        log_line info "$name: adopted, pid $pid"
        set_state "$name" starting
    done
}

# Without it another supervisor may start, so nobody may keep on under a lock that has no name.
lock_stands() { [ "$sup/lock" -ef "/proc/$$/fd/$lock" ]; }

supervise() {
    local ticker='' bus_due=0 state period fd
    for fd in "/proc/$$/fd"/*; do # who waits for the end of a pipe must not wait for us; bash reads us by 255
        fd=${fd##*/}
        ((fd < 3 || fd == 255)) || eval "exec $fd>&-"
    done
    leaving=no woken=no table_due=0 changed=no
    trap 'leaving=yes' TERM INT # before anybody can know whom to wake
    trap 'woken=yes' USR1 HUP
    trap : PIPE # the table's writer died; children must not inherit an ignored SIGPIPE
    exec {lock}>"$sup/lock"
    flock -n "$lock" || { log_line error "another supervisor of instance $instance is running"; exit 1; }
    echo "$$ $(start_time $$)" >"$sup/pid" || { log_line error "cannot write $sup/pid"; exit 1; }
    log_line info "supervisor of instance $instance: started, pid $$"
    adopt
    while :; do
        if [ $leaving = no ] && ! lock_stands; then
            log_line error "$sup/lock was removed: stopping"
            leaving=yes
        fi
        table_ensure
        supervise_turn
        now_cs
        period=100 # 1/100 s; shorter while something is about to change
        for state in "${svc_state[@]}"; do
            [[ $state == running || $state == stopped ]] || period=10
        done
        if ((now >= bus_due)) && [ ${#svc_state[@]} -gt 0 ]; then
            supervise_bus
            bus_due=$((now + period))
        fi
        if [ "$changed" = yes ] || [ ! -f "$sup/state" ]; then write_state; fi
        [ $leaving = no ] || [ ${#svc_state[@]} -gt 0 ] || break
        # Sleep until a child ends, a client wakes us, or the ticker does.
        if [ -z "$ticker" ] || ! [ -e "/proc/$ticker" ]; then
            sleep "0.$((period / 20 + 1))" {lock}>&- &
            ticker=$!
        fi
        [ $woken = yes ] || wait -n 2>/dev/null
        woken=no
    done
    log_line info "supervisor of instance $instance: stopped"
    ! lock_stands || rm -f "$sup/pid" "$sup/state"
}
