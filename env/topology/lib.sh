# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# lib.sh - what the topology scripts share: namespaces as hosts, Open vSwitch bridges as switches,
# veth pairs as cables. A topology script is a list of
#     bridge NAME DPID
#     host NAME NUMBER BRIDGE PORT          (address 10.0.0.NUMBER, MAC 00:00:00:00:00:NUMBER)
#     link BRIDGE PORT BRIDGE PORT
# between topology_begin and topology_end. Running it again changes nothing.
#
# Everything made is on record: bridges carry external_ids:trivet=TOPOLOGY, namespaces and veths are
# listed in a file below /run/trivet-topology. `clean` removes what is on record and nothing else.
# Neighbours: env/trivet (up --topology), env/demo, tests/system.

set -euo pipefail

TOPOLOGY_RECORDS=/run/trivet-topology
OVS_CTL=/usr/share/openvswitch/scripts/ovs-ctl

topology_usage() {
    cat <<USAGE
Usage: env/topology/$topology_script [up|down] [option]...

Makes (up, the default) or removes (down) the topology '$topology_script'. Idempotent.

  --controller TARGET  OpenFlow controller, default \$TRIVET_CONTROLLER or tcp:127.0.0.1:6653;
                       'none' for none (the bridges then drop everything)
  --patch A-B          join bridges A and B by patch ports instead of a veth pair; 'all' for all
  --arp, --no-arp      static ARP entries for all pairs of hosts, as mn --arp (default: $arp_default)
  --ipv6               leave IPv6 on in the hosts
  --rate RATE          limit the links between bridges, e.g. 20mbit
  --protocols LIST     OpenFlow versions of the bridges, e.g. OpenFlow13 (default: all of OVS)
  --datapath TYPE      netdev (userspace, default) or system (kernel module)
  --prefix P           put P before every bridge, namespace and interface name, so that several
                       topologies can stand side by side
  --standalone         no controller, the bridges learn by themselves (only without rings)
  --help
USAGE
}

die() {
    printf '%s: %s\n' "${topology_script:-topology}" "$*" >&2
    exit 1
}

usage_error() {
    printf "%s: %s; see --help\n" "$topology_script" "$*" >&2
    exit 2
}

# Runs a command that leaves daemons behind without the caller's descriptors: who waits for the end of
# a pipe (a test runner, CI) would wait for the daemons.
without_descriptors() (
    local fd
    for fd in "/proc/$BASHPID/fd"/*; do
        fd=${fd##*/}
        ((fd < 3)) || eval "exec $fd>&-"
    done
    exec "$@"
)

# Starts Open vSwitch when it does not run: by systemd where there is one, else by its own script.
ovs_start() {
    [ "$(id -u)" = 0 ] || die "needs root: run it with sudo"
    command -v ovs-vsctl >/dev/null || die "Open vSwitch is not installed: run env/setup"
    if ovs-vsctl --timeout=5 show >/dev/null 2>&1 &&
        ovs-appctl --timeout=5 -t ovs-vswitchd version >/dev/null 2>&1; then
        return
    fi
    echo "$topology_script: starting Open vSwitch" >&2
    if [ ! -c /dev/net/tun ]; then # containers may lack it; OVS makes its internal ports with it
        mkdir -p /dev/net
        mknod /dev/net/tun c 10 200 2>/dev/null || true
    fi
    local log
    log=$(mktemp)
    if [ -d /run/systemd/system ]; then
        systemctl start openvswitch-switch >"$log" 2>&1 || true
    else
        without_descriptors "$OVS_CTL" --system-id=random start </dev/null >"$log" 2>&1 || true
    fi
    if ! ovs-vsctl --timeout=10 show >/dev/null 2>&1; then
        cat "$log" >&2
        die "Open vSwitch does not start; its own words are above and in /var/log/openvswitch"
    fi
    rm -f "$log"
}

# ---- what is on record ----------------------------------------------------------

record_file() { echo "$TOPOLOGY_RECORDS/${prefix:-default}"; }
record() { recorded "$1" || echo "$1" >>"$(record_file)"; }
recorded() { [ -f "$(record_file)" ] && grep -qxF -- "$1" "$(record_file)"; }

our_bridges() { # the bridges of this prefix, or of topology $1 only
    ovs-vsctl --timeout=10 --bare --columns=name find bridge \
        "external_ids:trivet-prefix=${prefix:-none}" ${1:+"external_ids:trivet=\"$1\""} |
        grep . || true
}

exists_link() { [ -e "/sys/class/net/$1" ]; }
exists_netns() { [ -e "/run/netns/$1" ]; }

# Removes all of this prefix. The namespaces go last: their veths go with their other ends. All veths go
# at once, as a group of their own: one by one the kernel takes 20 ms for each.
topology_remove() {
    local kind name b args=() group=$((0x74720000 + BASHPID % 65536))
    if ovs-vsctl --timeout=5 show >/dev/null 2>&1; then
        for b in $(our_bridges); do args+=(-- --if-exists del-br "$b"); done
        [ ${#args[@]} = 0 ] || ovs-vsctl --timeout=20 "${args[@]}"
    fi
    [ -f "$(record_file)" ] || return 0
    while read -r kind name; do
        [ "$kind" != veth ] || ! exists_link "$name" || echo "link set dev $name group $group"
    done <"$(record_file)" | ip -force -batch - 2>/dev/null || true # what is left goes one by one
    ip link del group $group 2>/dev/null || true # there is none
    while read -r kind name; do
        case $kind in
        veth) ! exists_link "$name" || ip link del "$name" ;;
        netns) ! exists_netns "$name" || ip netns del "$name" ;;
        esac
    done < <(tac "$(record_file)")
    rm -f "$(record_file)"
}

# ---- one topology ---------------------------------------------------------------

# topology_begin NAME DEFAULT-FOR-ARP "$@"; NAME may carry a parameter, as in ring,5
topology_begin() {
    topology=$1 topology_script=${1%%,*} arp_default=$2
    shift 2
    local action=up
    prefix=${TRIVET_PREFIX:-} controller=${TRIVET_CONTROLLER:-tcp:127.0.0.1:6653}
    arp=$arp_default ipv6=no rate='' protocols='' datapath=netdev fail_mode=secure patches=' '
    while [ $# -gt 0 ]; do
        case $1 in
        --controller | --patch | --rate | --protocols | --datapath | --prefix)
            [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
        esac
        case $1 in
        up | down) action=$1 ;;
        --controller) controller=$2; shift ;;
        --patch) patches+="$2 "; shift ;;
        --arp) arp=yes ;;
        --no-arp) arp=no ;;
        --ipv6) ipv6=yes ;;
        --rate) rate=$2; shift ;;
        --protocols) protocols=$2; shift ;;
        --datapath) datapath=$2; shift ;;
        --prefix) prefix=$2; shift ;;
        --standalone) fail_mode=standalone controller=none ;;
        --help | -h) topology_usage; exit 0 ;;
        *) usage_error "unknown argument '$1'" ;;
        esac
        shift
    done
    [[ $prefix =~ ^[a-z0-9-]{0,5}$ ]] || usage_error "--prefix '$prefix': at most 5 of a-z 0-9 -"
    case $datapath in netdev | system) ;; *) usage_error "--datapath '$datapath': netdev or system" ;; esac

    ovs_start
    mkdir -p "$TOPOLOGY_RECORDS"
    exec {topology_lock}>"$TOPOLOGY_RECORDS/.lock"
    flock -w 30 "$topology_lock" || die "another topology script has been running for 30 s"
    if [ "$action" = down ]; then
        [ -z "$(our_bridges "$topology")" ] || topology_remove
        exit 0
    fi
    local other
    other=$(ovs-vsctl --timeout=10 --bare --columns=external_ids find bridge \
        "external_ids:trivet!=\"$topology\"" "external_ids:trivet-prefix=${prefix:-none}" |
        sed -n 's/.*trivet=\([^ ]*\).*/\1/p' | sort -u | head -1)
    [ -z "$other" ] || die "topology '$other' is up: run env/topology/clean first"
    transaction=() hosts=() internals=() cables=() want_ports=()
}

bridge() { # NAME DPID
    local b=$prefix$1 dpid
    printf -v dpid %016x "$2"
    if ovs-vsctl --timeout=10 br-exists "$b" &&
        [ "$(ovs-vsctl --timeout=10 --if-exists get bridge "$b" external_ids:trivet)" = '' ]; then
        die "bridge $b exists and is not ours (Mininet? run mn -c; else remove it or use --prefix)"
    fi
    transaction+=(-- --may-exist add-br "$b" -- set bridge "$b" "datapath_type=$datapath"
        "fail_mode=$fail_mode" "other-config:datapath-id=$dpid" other-config:disable-in-band=true
        "other-config:hwaddr=0e:00:00:00:${dpid:12:2}:${dpid:14:2}" "protocols=[$protocols]"
        "external_ids:trivet=\"$topology\"" "external_ids:trivet-prefix=${prefix:-none}")
    if [ "$controller" = none ]; then
        transaction+=(-- del-controller "$b")
    else # max_backoff: a restarted controller has its switches back within a second
        transaction+=(-- set-controller "$b" "$controller"
            -- set controller "$b" max_backoff=1000 inactivity_probe=5000)
    fi
}

# A port of a bridge, always with its number. The rest are columns of the interface.
port() { # BRIDGE PORT-NAME NUMBER [COLUMN=VALUE]...
    local b=$1 name=$2 number=$3
    shift 3
    transaction+=(-- --may-exist add-port "$b" "$name"
        -- set interface "$name" "ofport_request=$number" "$@")
    want_ports+=("$name $number")
}

# The switch end of a cable lies in the root namespace; the kernel must not talk on it.
quiet_up() {
    ip link set "$1" addrgenmode none
    [ ! -w "/proc/sys/net/ipv6/conf/$1/disable_ipv6" ] || echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"
    ip link set "$1" up
}

veth() { # NAME PEER [NETNS-OF-PEER]
    if exists_link "$1"; then
        recorded "veth $1" ||
            die "interface $1 exists and is not ours (Mininet? run mn -c; else remove it or use --prefix)"
        return
    fi
    record "veth $1"
    # shellcheck disable=SC2086 # two words, or none
    ip link add "$1" type veth peer name "$2" ${3:+netns $3}
}

namespace() { # NAME
    if exists_netns "$1"; then
        recorded "netns $1" ||
            die "namespace $1 exists and is not ours: remove it (ip netns del $1) or use --prefix"
    else
        record "netns $1"
        ip netns add "$1"
    fi
    if [ "$ipv6" = no ] && [ -w /proc/sys/net/ipv6/conf/all/disable_ipv6 ]; then # read-only in containers
        # shellcheck disable=SC2016 # for the inner shell
        ip netns exec "$1" sh -c 'for i in all default; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done'
    fi
    ip -n "$1" link set lo up
}

# Address, and checksum offload off: the userspace datapath does not fill in what the sender left out
host_interface() { # NETNS INTERFACE ADDRESS/LENGTH
    [ "$ipv6" = yes ] || ip -n "$1" link set "$2" addrgenmode none
    ip -n "$1" address replace "$3" dev "$2"
    ip -n "$1" link set "$2" up
    ip netns exec "$1" ethtool -K "$2" tx off >/dev/null
}

host() { # NAME NUMBER BRIDGE PORT
    local ns=$prefix$1 mac cable=$prefix$3-eth$4
    printf -v mac 00:00:00:00:%02x:%02x $(($2 >> 8)) $(($2 & 255))
    namespace "$ns"
    veth "$cable" "$1-eth0" "$ns"
    quiet_up "$cable"
    ip -n "$ns" link set "$1-eth0" address "$mac"
    host_interface "$ns" "$1-eth0" "10.0.0.$2/24"
    port "$prefix$3" "$cable" "$4" 'type=""'
    hosts+=("$ns $1-eth0 10.0.0.$2 $mac")
}

# An internal port of a bridge, moved into a namespace
host_internal() { # NAME BRIDGE PORT INTERFACE ADDRESS/LENGTH
    namespace "$prefix$1"
    port "$prefix$2" "$prefix$4" "$3" type=internal
    internals+=("$prefix$1 $prefix$4 $5")
}

link() { # BRIDGE PORT BRIDGE PORT
    local a=$prefix$1-eth$2 b=$prefix$3-eth$4
    case $patches in
    *" $1-$3 "* | *" $3-$1 "* | *" all "*)
        ! recorded "veth $a" || ! exists_link "$a" || ip link del "$a"
        port "$prefix$1" "$a" "$2" type=patch "options:peer=$b"
        port "$prefix$3" "$b" "$4" type=patch "options:peer=$a"
        ;;
    *)
        veth "$a" "$b"
        quiet_up "$a"
        quiet_up "$b"
        cables+=("$a" "$b")
        port "$prefix$1" "$a" "$2" 'type=""' 'options={}'
        port "$prefix$3" "$b" "$4" 'type=""' 'options={}'
        ;;
    esac
}

# One transaction, so that no bridge ever stands without its fail mode and port numbers.
topology_end() {
    local a b ns interface address ip mac other_ip other_mac name number got
    ovs-vsctl --timeout=30 "${transaction[@]}"
    for a in "${internals[@]}"; do
        read -r ns interface address <<<"$a"
        ! exists_link "$interface" || ip link set "$interface" netns "$ns"
        host_interface "$ns" "$interface" "$address"
    done
    for a in "${hosts[@]}"; do
        read -r ns interface ip mac <<<"$a"
        if [ "$arp" = no ]; then
            ip -n "$ns" neigh flush dev "$interface" nud permanent
            continue
        fi
        for b in "${hosts[@]}"; do
            read -r _ _ other_ip other_mac <<<"$b"
            [ "$ip" = "$other_ip" ] ||
                ip -n "$ns" neigh replace "$other_ip" lladdr "$other_mac" dev "$interface" nud permanent
        done
    done
    for a in "${cables[@]}"; do # now: OVS removes the qdisc of an interface that it adds
        [ -z "$rate" ] || tc qdisc replace dev "$a" root tbf rate "$rate" burst 32kb latency 100ms
    done
    for a in "${want_ports[@]}"; do
        read -r name number <<<"$a"
        got=$(ovs-vsctl --timeout=10 get interface "$name" ofport)
        [ "$got" = "$number" ] ||
            die "port $name has number $got instead of $number; see /var/log/openvswitch/ovs-vswitchd.log"
    done
}
