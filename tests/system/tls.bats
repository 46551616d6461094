# SPDX-License-Identifier: Apache-2.0
# TLS on real Open vSwitch: a bridge connects by ssl: and forwards; who has no right certificate, does
# not speak TLS, or does not go on is refused with one line and a counter, and nobody else notices.
load helper

SSL_PORT=16754
PKI=/tmp/t-tls-pki # OVS reads its files, too

setup_file() {
    fresh
    remove_network
    rm -rf --one-file-system "$PKI"
    mkdir -p "$PKI"
    authority ca
    authority strangers
    certificate controller ca
    certificate switch ca
    certificate stranger strangers
    certificate lost ca
    revoke
    chmod 600 "$PKI"/*.key # root's: the controller reads its key before it becomes user trivet
    cat >"$PKI/trivet.yaml" <<YAML
controller:
  tls: {certificate: $PKI/controller.pem, private-key: $PKI/controller.key, ca-certificate: $PKI/ca.pem, crl: $PKI/crl.pem}
  discovery: {interval-ms: 250, settle-ms: 300}
YAML
    ovs-vsctl get-ssl >"$PKI/before" # global in OVS
    up --listen "ssl:127.0.0.1:$SSL_PORT" --config "$PKI/trivet.yaml" --policy shortest
    ovs-vsctl set-ssl "$PKI/switch.key" "$PKI/switch.pem" "$PKI/ca.pem"
    network_of_one
}

teardown_file() {
    [ -s "$PKI/before" ] || ovs-vsctl del-ssl
    remove_network
    finish
    rm -rf --one-file-system "$PKI"
}

authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$PKI/$1.key" -out "$PKI/$1.pem" 2>/dev/null
}
certificate() { # NAME AUTHORITY
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=trivet/CN=$1" \
        -keyout "$PKI/$1.key" -out "$PKI/$1.csr" 2>/dev/null
    openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/$2.pem" -CAkey "$PKI/$2.key" -CAcreateserial -days 2 \
        -out "$PKI/$1.pem" 2>/dev/null
}

revoke() { # [NAME]: and write the list of ca
    [ -e "$PKI/ca.cnf" ] || {
        : >"$PKI/ca.index"
        printf '[ca]\ndefault_ca=x\n[x]\ndatabase=%s\ndefault_md=sha256\ndefault_crl_days=2\n' "$PKI/ca.index" >"$PKI/ca.cnf"
    }
    [ $# = 0 ] || openssl ca -config "$PKI/ca.cnf" -keyfile "$PKI/ca.key" -cert "$PKI/ca.pem" -revoke "$PKI/$1.pem" 2>/dev/null
    openssl ca -config "$PKI/ca.cnf" -keyfile "$PKI/ca.key" -cert "$PKI/ca.pem" -gencrl -out "$PKI/crl.pem" 2>/dev/null
}

network_of_one() { # bridge t-tls with hosts t-tlsh1 and t-tlsh2
    local i
    ovs-vsctl add-br t-tls -- set bridge t-tls datapath_type=netdev fail_mode=secure \
        other_config:datapath-id=0000000000007a11 protocols=OpenFlow13
    for i in 1 2; do
        ip netns add "t-tlsh$i"
        ip link add "t-tls-e$i" type veth peer name eth0 netns "t-tlsh$i"
        ip -n "t-tlsh$i" addr add "10.9.9.$i/24" dev eth0
        ip -n "t-tlsh$i" link set eth0 up
        ip netns exec "t-tlsh$i" ethtool -K eth0 tx off >/dev/null
        ip link set "t-tls-e$i" up
        ovs-vsctl add-port t-tls "t-tls-e$i" -- set interface "t-tls-e$i" "ofport_request=$i"
    done
    ovs-vsctl set-controller t-tls "ssl:127.0.0.1:$SSL_PORT" -- set controller t-tls max_backoff=1000
}
remove_network() {
    ovs-vsctl --if-exists del-br t-tls
    ip link del t-tls-e1 2>/dev/null || true
    ip link del t-tls-e2 2>/dev/null || true
    ip netns del t-tlsh1 2>/dev/null || true
    ip netns del t-tlsh2 2>/dev/null || true
}

connected() { [ "$(ovs-vsctl get controller t-tls is_connected)" = true ]; }
ready() { statebus dump switch --json | jq -e 'select(.dpid == "0000000000007a11" and .state == "ready")' >/dev/null; }
connects() { statebus dump switch --json | jq 'select(.dpid == "0000000000007a11").connects'; }
log() { tail -n "+$((lines + 1))" "$RUN/log/controller.log"; }
log_lines() { wc -l <"$RUN/log/controller.log"; }
logged() { log | grep -Eq "$1"; }
counters() { kill -USR1 "$(pid_of controller)"; }
counted() { # NAME: is it in the newest line of the greeter or a worker?
    counters
    eventually 5 logged "$1=[1-9]"
}
begin() { lines=$(log_lines) before=$(connects); }
harmless() {
    [ "$(connects)" = "$before" ]
    ip netns exec t-tlsh1 ping -c 2 -i 0.2 -W 2 -q 10.9.9.2 >/dev/null 3>&-
}
client() { # OPTION...: a TLS client that stays for a moment
    timeout 5 openssl s_client -connect "127.0.0.1:$SSL_PORT" -CAfile "$PKI/ca.pem" "$@" \
        < <(sleep 0.5) >/dev/null 2>&1 || true
}
one_line() { # PATTERN: it is in the log once
    eventually 5 logged "$1"
    [ "$(log | grep -E 'warning switch' | grep -cE "$1")" = 1 ]
}

@test "a bridge connects by ssl:, is ready and forwards" {
    lines=0
    eventually 15 ready
    eventually 10 ip netns exec t-tlsh1 ping -c 1 -W 1 -q 10.9.9.2 3>&-
    ip netns exec t-tlsh1 ping -c 20 -i 0.02 -W 2 -q 10.9.9.2 3>&- | grep -q ' 0% packet loss'
    eventually 10 connected
    ovs-ofctl -O OpenFlow13 dump-flows t-tls | grep -q 'cookie=0x7472.*priority=100'
}

@test "who connected is in the log: the subject of its certificate" {
    lines=0
    logged 'switch-up: switch t-tls from 127.0.0.1:[0-9]+, OpenFlow 1.3, 2 ports, certificate O = trivet, CN = switch'
}

@test "the controller's own key is root's alone, and it runs as trivet" {
    [ "$(stat -c %a "$PKI/controller.key")" = 600 ]
    [ "$(stat -c %U "/proc/$(pid_of controller)")" != root ] || ! getent passwd trivet >/dev/null
}

@test "a client without a certificate is refused" {
    begin
    client
    one_line 'TLS: it shows no certificate'
    counted tls_no_certificate
    harmless
}

@test "a client whose certificate is of another CA is refused, by TLS 1.2 as by 1.3" {
    for version in -tls1_2 -tls1_3; do
        begin
        client -cert "$PKI/stranger.pem" -key "$PKI/stranger.key" "$version"
        one_line 'TLS: its certificate is not accepted: .*issuer'
        counted tls_bad_certificate
        harmless
    done
}

@test "old versions of TLS are refused" {
    begin
    client -cert "$PKI/switch.pem" -key "$PKI/switch.key" -tls1_1 -cipher DEFAULT:@SECLEVEL=0
    one_line 'TLS: .*(version|protocol)'
    counted tls_failed
    harmless
}

@test "plain OpenFlow at the TLS address is refused, and told where it is" {
    begin
    /usr/bin/python3 - $SSL_PORT <<'PY'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=5)
s.sendall(bytes.fromhex('0400000800000001'))
try:
    while s.recv(4096):
        pass
except ConnectionResetError:
    pass
PY
    one_line 'TLS: it does not speak TLS but plain OpenFlow'
    counted tls_plaintext
    harmless
}

@test "TLS at the plain address is refused, and told where it is" {
    begin
    timeout 5 openssl s_client -connect "${TRIVET_CONTROLLER#tcp:}" < <(sleep 0.5) >/dev/null 2>&1 || true
    one_line 'it speaks TLS, and this address is not for ssl:'
    counted bad_peers
    harmless
}

@test "a handshake that stands still ends after 10 s" {
    full_only
    begin
    exec 7<>"/dev/tcp/127.0.0.1/$SSL_PORT"
    printf '\x16\x03\x01' >&7
    sleep 2
    harmless
    eventually 15 logged 'TLS: the handshake took longer than 10 s'
    exec 7>&-
    counted tls_stalled
    harmless
}

@test "a hundred strangers at once change nothing for the bridge" {
    full_only
    begin
    pids=
    for i in $(seq 100); do
        client &
        pids+=" $!"
    done
    harmless
    for pid in $pids; do wait "$pid"; done
    harmless
}

@test "SIGHUP reads certificates again; a bad one leaves the old, and says so" {
    begin
    kill -HUP "$(pid_of controller)"
    # the key is root's, and the service is not root any more
    eventually 5 logged 'SIGHUP: (certificates read again|TLS: private-key .*Permission denied.*the old certificates stay)'
    chmod 644 "$PKI/controller.key"
    lines=$(log_lines)
    kill -HUP "$(pid_of controller)"
    eventually 5 logged 'SIGHUP: certificates read again'
    eventually 5 logged 'can be read by everybody'
    chmod 600 "$PKI/controller.key"
    harmless
}

@test "a certificate that was revoked is refused from then on, others are not" {
    begin
    client -cert "$PKI/lost.pem" -key "$PKI/lost.key"
    not logged 'its certificate is not accepted'
    revoke lost
    chmod 644 "$PKI/controller.key"
    kill -HUP "$(pid_of controller)"
    eventually 5 logged 'SIGHUP: certificates read again'
    chmod 600 "$PKI/controller.key"
    client -cert "$PKI/lost.pem" -key "$PKI/lost.key"
    one_line 'TLS: its certificate is not accepted: certificate revoked'
    counted tls_bad_certificate
    harmless
}

@test "attach to an ssl: address says what Open vSwitch lacks, and does it when that is there" {
    lines=0
    ovs-vsctl del-controller t-tls -- del-ssl
    TRIVET_CONTROLLER=ssl:127.0.0.1:$SSL_PORT run trivet attach t-tls
    [ "$status" = 1 ]
    [[ $output == *"ovs-vsctl set-ssl KEY CERTIFICATE CA-CERTIFICATE"*"nothing was changed"* ]]
    [ -z "$(ovs-vsctl get-controller t-tls)" ]
    ovs-vsctl set-ssl "$PKI/switch.key" "$PKI/switch.pem" "$PKI/ca.pem"
    TRIVET_CONTROLLER=ssl:127.0.0.1:$SSL_PORT trivet attach t-tls
    eventually 10 connected
    eventually 10 ready
}

@test "a restart of the controller is a new handshake of the bridge" {
    begin
    trivet restart controller
    eventually 15 ready
    eventually 10 ip netns exec t-tlsh1 ping -c 1 -W 1 -q 10.9.9.2 3>&-
}

@test "what is wrong with the files is said at the start" {
    controller=$(tool trivet-controller)
    try() { run timeout 10 "$controller" --instance bats2 --listen ssl:127.0.0.1:16799 "$@" 3>&-; [ "$status" = 1 ]; }
    try
    [[ $output == *"no certificate"*--certificate*--private-key*--ca-certificate* ]]
    try --certificate "$PKI/none.pem" --private-key "$PKI/controller.key" --ca-certificate "$PKI/ca.pem"
    [[ $output == *"certificate $PKI/none.pem: No such file"* ]]
    try --certificate "$PKI/controller.pem" --private-key "$PKI/switch.key" --ca-certificate "$PKI/ca.pem"
    [[ $output == *"private-key $PKI/switch.key does not belong to certificate $PKI/controller.pem"* ]]
    try --certificate "$PKI/controller.pem" --private-key "$PKI/controller.pem" --ca-certificate "$PKI/ca.pem"
    [[ $output == *"private-key $PKI/controller.pem: "*PEM* ]]
    try --certificate "$PKI/controller.pem" --private-key "$PKI/controller.key" --ca-certificate "$PKI/ca.key"
    [[ $output == *"ca-certificate $PKI/ca.key: "* ]]
    try --certificate "$PKI/controller.pem" --private-key "$PKI/controller.key" --ca-certificate "$PKI/ca.pem" \
        --crl "$PKI/ca.pem"
    [[ $output == *"crl $PKI/ca.pem: "*"revoked certificates"* ]]
    rm -f /dev/shm/trivet.bats2.*
}
