# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# agents.bash - one agent in each host: Mininet's, or a named network namespace. Sourced by trivet(8).
# shellcheck disable=SC2154 # variables that trivet sets

mininet_hosts() { # "NAME PID": Mininet's shells that have a network namespace of their own
    local file words ours
    ours=$(readlink /proc/self/ns/net)
    for file in /proc/[0-9]*/cmdline; do
        mapfile -d '' words 2>/dev/null <"$file" || continue
        [[ ${words[-1]:-} == mininet:* ]] || continue
        file=${file%/cmdline}
        [ "$(readlink "$file/ns/net")" = "$ours" ] || echo "${words[-1]#mininet:} ${file##*/}"
    done 2>/dev/null
}

cmd_agents() {
    local names=("$@") name where mininet started=() options=() before=() fresh=()
    if [ "${1:-}" = --stop ]; then
        shift
        names=("$@")
        [ $# -gt 0 ] || mapfile -t names < <(cd "$sup/want" 2>/dev/null && compgen -G 'agent.*' | sed 's/^agent\.//')
        for name in "${names[@]}"; do
            [ -f "$sup/want/agent.$name" ] || die "no agent '$name'"
            rm -f "$sup/want/agent.$name"
        done
        wake
        echo "agents stopped: ${names[*]:-none}"
        return
    fi
    [ "$(id -u)" = 0 ] || die "agents: entering namespaces needs root"
    program trivet-agent >/dev/null || exit 1
    mininet=$(mininet_hosts)
    [ $# -gt 0 ] || mapfile -t names < <(cut -d' ' -f1 <<<"$mininet" | grep . | sort -V)
    [ ${#names[@]} -gt 0 ] || mapfile -t names < <(sed -n 's/^netns //p' "/run/trivet-topology/${TRIVET_PREFIX:-default}" 2>/dev/null | sort -V)
    [ ${#names[@]} -gt 0 ] || die "no Mininet host and no topology is up: name the network namespaces (ip netns)"
    make_dirs
    mapfile -t options < <(grep -A1 -x -- --config "$sup/want/controller" 2>/dev/null)
    for name in "${names[@]}"; do
        where=
        [ ! -e "/run/netns/$name" ] || where=netns=$name
        ! grep -q "^$name " <<<"$mininet" || where=mininet=$name
        [ -n "$where" ] || die "no Mininet host and no network namespace '$name' (ip netns lists them)"
        if [ -f "$sup/want/agent.$name" ]; then before+=("$name"); else fresh+=("$name"); fi
        want "agent.$name" "$where" trivet-agent "${options[@]}" --instance "$instance" --user "$user" --name "$name"
        started+=("agent.$name")
    done
    ensure_supervisor
    wake
    wait_running 15 "${started[@]}" || exit 1
    [ ${#fresh[@]} = 0 ] || echo "agents started: ${fresh[*]}"
    [ ${#before[@]} = 0 ] || echo "agents running already: ${before[*]}"
}
