# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# listen.bash - where the controller listens: what an address may be, where bridges find it, and who is
# there already. Sourced by trivet(8).
# shellcheck disable=SC2154 # variables that trivet sets

listen_valid() { # ADDRESS: as trivet-controller takes it
    local host port
    case $1 in
    unix:?*) [ ${#1} -le 112 ]; return ;; # 5 and what sun_path holds
    tcp:*:* | ssl:*:*) ;;
    *) return 1 ;;
    esac
    host=${1#*:} port=${1##*:} host=${host%:*}
    [[ $port =~ ^[0-9]{1,5}$ ]] && ((10#$port >= 1 && 10#$port <= 65535)) || return 1
    host=${host#[} host=${host%]}
    [[ $host != *:* || ! $host =~ ^[0-9A-Fa-f:.]+(%.+)?$ ]] || return 0
    [[ $host =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || return 1
    for host in "${BASH_REMATCH[@]:1}"; do ((10#$host <= 255)) || return 1; done
}

target_of() { # LISTEN-ADDRESS: where a bridge of this machine finds it
    case $1 in
    tcp:0.0.0.0:* | ssl:0.0.0.0:*) echo "${1%%:*}:127.0.0.1:${1##*:}" ;;
    tcp:\[::\]:* | tcp::::* | ssl:\[::\]:* | ssl::::*) echo "${1%%:*}:[::1]:${1##*:}" ;;
    *) echo "$1" ;;
    esac
}

# Who listens where ADDRESS would: "NAME (pid N)" into $holder, its pid into $holder_pid.
find_holder() {
    local line words host=${1#*:} there
    holder='' holder_pid=0
    host=${host%:*} host=${host#[} host=${host%]}
    while read -r line; do
        read -ra words <<<"$line"
        if [[ $1 == unix:* ]]; then
            [ "${words[4]:-}" = "${1#unix:}" ] || continue
        else
            there=${words[3]%:*} there=${there#[} there=${there%]} there=${there%%%*}
            case $there/$host in
            "$host/$there" | '*'/*) ;;
            *:*/::) ;;
            ::/*:*) ;;
            *:*/* | */*:*) continue ;;
            0.0.0.0/* | */0.0.0.0) ;;
            *) continue ;;
            esac
        fi
        holder='another process'
        [[ $line =~ \(\(\"([^\"]*)\",pid=([0-9]+) ]] || return 0
        holder="${BASH_REMATCH[1]} (pid ${BASH_REMATCH[2]})" holder_pid=${BASH_REMATCH[2]}
        return
    done < <(if [[ $1 == unix:* ]]; then ss -Hlxp; else ss -Hltnp "sport = :${1##*:}"; fi 2>/dev/null)
}

is_our_controller() { # PID: recorded, or started just now by our supervisor
    local pid='' stat fields
    { read -r pid _ <"$sup/run/controller"; } 2>/dev/null
    [ "$1" != "$pid" ] || return 0
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null && read -ra fields <<<"${stat##*) }" &&
        supervisor_alive && [ "${fields[1]}" = "$supervisor" ]
}

check_listen() { # ADDRESS...: free, or ours already
    local address
    for address in "$@"; do
        find_holder "$address"
        [ -z "$holder" ] || is_our_controller "$holder_pid" ||
            die "--listen $address: in use by $holder; stop that, or choose another address; nothing was changed"
    done
}
