# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# bridges.bash - Open vSwitch bridges: attach, which points them at the controller, and detach, which
# gives them back as they were. Sourced by trivet(8); needs listen.bash.
# shellcheck disable=SC2154 # variables that trivet sets

bridges() { command -v ovs-vsctl >/dev/null && ovs-vsctl --timeout=5 list-br 2>/dev/null; }
attached() { # the bridges that attach pointed at this instance
    command -v ovs-vsctl >/dev/null &&
        ovs-vsctl --timeout=5 --bare --columns=name find bridge "external_ids:trivet-attached=$instance" 2>/dev/null | grep .
}
is_ours() { # BRIDGE: points at this controller and is secure
    [ "$(ovs-vsctl --timeout=5 get-fail-mode "$1" 2>/dev/null)" = secure ] &&
        grep -qxF -f <(printf '%s\n' "${targets[@]}") <<<"$(ovs-vsctl --timeout=5 get-controller "$1" 2>/dev/null)"
}
unattached() {
    local b
    for b in $(bridges); do is_ours "$b" || echo "$b"; done
}

# What detach gives back: {fail_mode, controllers: [["COLUMN=VALUE", ...], ...]}, as ovs-vsctl takes it.
bridge_save() { # BRIDGE
    local fail uuid
    fail=$(ovs-vsctl --timeout=5 get bridge "$1" fail_mode) || return 1
    for uuid in $(ovs-vsctl --timeout=5 get bridge "$1" controller | tr -d '[],'); do
        ovs-vsctl --timeout=5 list controller "$uuid" |
            sed -E '/^(_uuid|is_connected|role|status) /d; s/ *: /=/' | jq -Rnc '[inputs | select(. != "")]'
    done | jq -sc --arg fail "$fail" '{fail_mode: $fail, controllers: .}'
}

point() { # BRIDGE: at our controller; what it was before the first time is kept in external_ids
    local old args=()
    if [ -z "$(ovs-vsctl --timeout=5 --if-exists get bridge "$1" external_ids:trivet-old)" ]; then
        old=$(bridge_save "$1") || die "$1: cannot read what it is now (is jq installed?); not attached"
        args=("external_ids:trivet-old=$(jq -n --arg old "$old" '$old')")
    fi
    ovs-vsctl --timeout=10 set bridge "$1" "external_ids:trivet-attached=$instance" "${args[@]}" \
        -- set-controller "$1" "$controller" -- set-fail-mode "$1" secure \
        -- set controller "$1" max_backoff=1000 || die "$1: not attached"
}

check_ssl() { # what bridges need to connect by ssl: is one setting for all of them
    [[ $controller != ssl:* ]] || [ -n "$(ovs-vsctl --timeout=5 get-ssl 2>/dev/null)" ] ||
        die "the controller listens at $controller, and Open vSwitch has no key to connect by ssl:; give it one, for all its bridges: ovs-vsctl set-ssl KEY CERTIFICATE CA-CERTIFICATE (trivet-controller(8), TLS, says how to make them); nothing was changed"
}

repoint() { # the bridges that were attached when the controller listened elsewhere
    local b
    for b in $(attached); do
        is_ours "$b" || { point "$b" && echo "$b: now attached to $controller, where the controller listens"; }
    done
}

# Bridges that are not ours; those that look for a controller on this machine by where they look.
tell_unattached() {
    local b target host rest=()
    local -A elsewhere=()
    for b in $(unattached); do
        target=$(ovs-vsctl --timeout=5 get-controller "$b" 2>/dev/null | head -n 1)
        host=${target#*:} host=${host%:*} host=${host#[} host=${host%]}
        if ! printf '%s\n' "${targets[@]}" | grep -qxF -- "$target" && [ -n "$target" ] &&
            { [[ $target == unix:* || $host == 127.* ]] || ip -o address 2>/dev/null | grep -qF " $host/"; }; then
            elsewhere[$target]+=" $b"
        else
            rest+=("$b")
        fi
    done
    for target in "${!elsewhere[@]}"; do
        find_holder "$target"
        b=${elsewhere[$target]}
        if [ -n "$holder" ]; then say "at another controller, $target of $holder, not at ours, $controller:$b"
        else say "looking for a controller at $target, where nobody listens; ours is at $controller: trivet attach$b"; fi
    done
    [ ${#rest[@]} = 0 ] || say "not attached to this controller: ${rest[*]} (trivet attach BRIDGE...)"
}

cmd_attach() {
    local b rest list=("$@")
    command -v ovs-vsctl >/dev/null || die "Open vSwitch is not installed: run env/setup"
    repoint
    if [ $# = 0 ] || [ "$1" = --all ]; then
        mapfile -t list < <(unattached)
        if [ ${#list[@]} = 0 ]; then
            if [ -n "$(bridges)" ]; then echo "all attached"; else echo "Open vSwitch has no bridge"; fi
            return
        elif [ $# = 0 ]; then
            echo "not attached: ${list[*]}"
            echo "name the bridges to attach, or --all"
            return
        fi
    fi
    for b in "${list[@]}"; do
        ovs-vsctl --timeout=5 br-exists "$b" || die "no bridge '$b'; there are: $(bridges | tr '\n' ' ')"
    done
    check_ssl
    for b in "${list[@]}"; do
        if is_ours "$b"; then echo "$b: attached already"; continue; fi
        point "$b"
        echo "$b: attached to $controller, fail mode secure"
    done
}

cmd_detach() {
    local b i n old columns args refs list=("$@")
    [ $# -gt 0 ] || mapfile -t list < <(attached)
    [ ${#list[@]} -gt 0 ] || echo "no bridge is attached"
    for b in "${list[@]}"; do
        old=$(ovs-vsctl --timeout=5 --if-exists get bridge "$b" external_ids:trivet-old 2>/dev/null | jq -r .)
        n=$(jq '.controllers | length' <<<"$old")
        [ -n "$n" ] || die "bridge '$b' was not attached by trivet: nothing to give back"
        args=() refs=''
        for ((i = 0; i < n; i++)); do
            mapfile -t columns < <(jq -r ".controllers[$i][]" <<<"$old")
            args+=(-- "--id=@c$i" create controller "${columns[@]}")
            refs+="${refs:+,}@c$i"
        done
        ovs-vsctl --timeout=10 remove bridge "$b" external_ids trivet-attached \
            -- remove bridge "$b" external_ids trivet-old "${args[@]}" \
            -- set bridge "$b" "controller=[$refs]" "fail_mode=$(jq -r .fail_mode <<<"$old")" >/dev/null ||
            die "$b: not detached"
        refs=$(ovs-vsctl get-controller "$b" | tr '\n' ' ') old=$(ovs-vsctl get-fail-mode "$b")
        echo "$b: detached; controller ${refs:-none }and fail mode ${old:-unset} as before"
    done
}
