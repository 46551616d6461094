# SPDX-License-Identifier: Apache-2.0
# Bad input gets a clear error, harms nothing else, and crashes nothing.
load helper

setup_file() { network diamond shortest; }
teardown_file() { finish; }

# lie HEX [ZEROS]: says HELLO, then these bytes; true when the controller closes the connection
lie() {
    /usr/bin/python3 - "${TRIVET_CONTROLLER##*:}" "$1" "${2:-0}" <<'PY'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=5)
s.sendall(bytes.fromhex('0400000800000001'))
try:
    s.sendall(bytes.fromhex(sys.argv[2]) + bytes(int(sys.argv[3])))
    while s.recv(65536):
        pass
except ConnectionResetError:
    pass
except socket.timeout:
    sys.exit('the connection is still open after 5 s')
PY
}

harmless() { # the switches kept their connections, the process is the same, pings pass
    [ "$(pid_of controller)" = "$pid" ]
    [ "$(connects)" = "$connects" ]
    in_host h1 ping -c 2 -i 0.2 -W 2 -q 10.0.0.2 >/dev/null
}
connects() { statebus dump switch --json | jq -r 'select(.state == "ready") | [.dpid, .connects] | @csv' | tr '\n' ' '; }
log_from() { tail -n "+$((lines + 1))" "$RUN/log/controller.log"; }
begin() {
    pid=$(pid_of controller) connects=$(connects) lines=$(wc -l <"$RUN/log/controller.log")
}

@test "a length below the header closes that connection, with a line that says so" {
    begin
    lie '04 05 0004 00000002'
    log_from | grep -Eiq 'length.* 4( |,|;|:|$)|length 4'
    harmless
}

@test "a truncated message closes that connection, with type and length" {
    begin
    lie '04 0a 000c 00000002 ffffffff' # PACKET_IN of 12 bytes
    log_from | grep -Eiq 'packet_in.*12|127\.0\.0\.1.*closing'
    harmless
}

@test "an oversized message closes that connection" {
    begin
    lie '04 06 ffff 00000002' 65527 # FEATURES_REPLY of 65535 bytes
    log_from | grep -Eiq 'closing|closed'
    harmless
}

@test "garbage closes that connection" {
    begin
    for seed in 1 2 3 4 5; do
        lie "$(/usr/bin/python3 -c "import random; random.seed($seed); print('ff' + random.randbytes(400).hex())")"
    done
    log_from | grep -Eiq 'version|closing'
    harmless
}

@test "a message that never ends is not waited for: half a handshake is closed" {
    full_only
    begin
    /usr/bin/python3 - "${TRIVET_CONTROLLER##*:}" <<'PY'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=60)
s.sendall(bytes.fromhex('040000'))
while s.recv(65536):
    pass
PY
    harmless
}

@test "many bad connections at once leave the switches alone" {
    begin
    liars=
    for i in $(seq 20); do
        lie '04 05 0004 00000002' &
        liars+=" $!"
    done
    for liar in $liars; do wait "$liar"; done
    harmless
}

@test "a bad config names file, line and key, and nothing starts" {
    printf 'controller:\n  polcy: shortest\n' >"$BATS_TEST_TMPDIR/bad.yaml"
    run trivet check-config "$BATS_TEST_TMPDIR/bad.yaml"
    [ "$status" = 1 ]
    [[ $output == *"bad.yaml:2:"*polcy* ]]
    run "$ROOT/env/trivet" --instance bats2 up --config "$BATS_TEST_TMPDIR/bad.yaml"
    [ "$status" = 1 ]
    [[ $output == *"bad.yaml:2:"*polcy* ]]
    [ ! -e /run/trivet/bats2/supervisor/pid ]
    printf 'controller:\n  workers: many\n' >"$BATS_TEST_TMPDIR/bad.yaml"
    run trivet check-config "$BATS_TEST_TMPDIR/bad.yaml"
    [ "$status" = 1 ]
    [[ $output == *"bad.yaml:2:"*workers* ]]
    printf 'controller: {policy: shortest}\n' >"$BATS_TEST_TMPDIR/good.yaml"
    trivet check-config "$BATS_TEST_TMPDIR/good.yaml"
    run trivet check-config "$BATS_TEST_TMPDIR/none.yaml"
    [ "$status" = 1 ]
    [[ $output == *none.yaml* ]]
}

@test "an address in use names its holder" {
    begin
    run timeout 10 "$(tool trivet-controller)" --instance bats2 --listen "$TRIVET_CONTROLLER" 3>&-
    [ "$status" = 1 ]
    [[ $output == *"${TRIVET_CONTROLLER##*:}"*trivet-controll*"$pid"* ]]
    harmless
}

@test "a second controller of the same instance is refused and named" {
    begin
    run timeout 10 "$(tool trivet-controller)" --instance "$INSTANCE" --listen tcp:127.0.0.1:16799 3>&-
    [ "$status" = 1 ]
    [[ $output == *"$pid"* ]]
    harmless
}

@test "a missing interface is an error that names it" {
    run timeout 10 "$(tool pcapcheck)" --instance bats2 -i nonsense0 --for 1s 3>&-
    [ "$status" = 1 ] || [ "$status" = 2 ]
    [[ $output == *nonsense0* ]]
    run timeout 10 "$(tool trivet-agent)" --instance bats2 --interface nonsense0 3>&-
    [ "$status" = 1 ] || [ "$status" = 2 ]
    [[ $output == *nonsense0* ]]
}

@test "a foreign segment is refused with both versions" {
    cp /dev/shm/trivet.$INSTANCE.controller "$BATS_TEST_TMPDIR/segment"
    /usr/bin/python3 - "$BATS_TEST_TMPDIR/segment" <<'PY'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
for i in range(8, 64): # whatever the header says after its magic
    data[i] ^= 0x55
open('/dev/shm/trivet.bats2.controller', 'wb').write(data)
PY
    mkdir -p /run/trivet/bats2
    touch /run/trivet/bats2/controller.lock
    run "$(tool statebus)" --instance bats2 --owner controller ls
    rm -rf --one-file-system /run/trivet/bats2 /dev/shm/trivet.bats2.controller
    echo "$output"
    [ "$status" = 1 ]
    [[ $output =~ (layout|ABI|abi|magic) ]]
}
