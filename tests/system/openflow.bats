# SPDX-License-Identifier: Apache-2.0
#
# openflow.bats - the codec against other programs: ovs-ofctl and tshark read one of every message that
# we make, and say what we say; we read what os-ken makes, and what Open vSwitch, ovs-ofctl,
# ovs-testcontroller and os-ken say to each other, as tshark and ovs-ofctl do.
# Bridge t-codec, ports 16791 and 16792.
load helper

BRIDGE=t-codec
SWITCH=tcp:127.0.0.1:16791
LISTEN=16792

setup_file() {
    "$(tool openflow_hex)" >"$BATS_FILE_TMPDIR/every"
}

teardown() {
    local pid
    for pid in ${CAPTURE:-} ${CONTROLLER:-}; do kill "$pid" 2>/dev/null || true; done
    ovs-vsctl --timeout=5 --if-exists del-br $BRIDGE
}

@test "ovs-ofctl reads one of every message, and says the same" {
    python3 "$ROOT/tests/system/openflow_oracle.py" ovs <"$BATS_FILE_TMPDIR/every"
}

@test "tshark reads one of every message, and says the same" {
    python3 "$ROOT/tests/system/openflow_oracle.py" tshark <"$BATS_FILE_TMPDIR/every"
    cut -f 3,4 "$BATS_FILE_TMPDIR/every" | python3 "$ROOT/tests/system/openflow_fields.py"
}

@test "the codes of errors have the names that tshark and ovs-ofctl give them" {
    python3 "$ROOT/tests/system/openflow_oracle.py" errors "$(tool openflow_hex)"
}

@test "the comparison sees a wrong number, and a wrong word" {
    local -r every=$BATS_FILE_TMPDIR/every oracle=$ROOT/tests/system/openflow_oracle.py
    grep '^1.3 FLOW_MOD'$'\t' "$every" | sed 's/priority=1000/priority=1001/' >"$BATS_TEST_TMPDIR/number"
    grep '^1.3 PORT_STATUS'$'\t' "$every" | sed 's/LINK_DOWN/BLOCKED/' >"$BATS_TEST_TMPDIR/word"
    for file in number word; do [ "$(wc -l <"$BATS_TEST_TMPDIR/$file")" = 1 ]; done
    not python3 "$oracle" ovs <"$BATS_TEST_TMPDIR/number"
    not python3 "$oracle" tshark <"$BATS_TEST_TMPDIR/number"
    not python3 "$oracle" ovs <"$BATS_TEST_TMPDIR/word" # tshark names all flags there are, set or not
}

# The messages that os-ken makes: name, ovs or -, hex, our line.
osken_rows() {
    local -r here=$BATS_TEST_TMPDIR
    [ -x /usr/bin/osken-manager ] || skip "no os-ken"
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$ROOT/tests/system/openflow_osken.py" >"$here/messages"
    cut -f 3 "$here/messages" | "$(tool openflow_hex)" - >"$here/lines"
    paste "$here/messages" "$here/lines" >"$here/rows"
    [ "$(wc -l <"$here/rows")" -gt 380 ]
}

@test "what os-ken makes, field by field as tshark reads it" {
    osken_rows
    cut -f 3,4 "$BATS_TEST_TMPDIR/rows" | python3 "$ROOT/tests/system/openflow_fields.py"
}

@test "what os-ken makes, as ovs-ofctl reads it" {
    full_only
    osken_rows
    python3 "$ROOT/tests/system/openflow_oracle.py" ovs <"$BATS_TEST_TMPDIR/rows"
}

@test "the comparison by fields sees another number, place, mask, action and flag" {
    full_only
    local change
    osken_rows
    for change in '1.3 FLOW_MOD all fields|priority=77|priority=78' '1.3 FLOW_MOD all fields|in_port=3,|in_port=4,' \
        '1.3 FLOW_MOD all fields|nw_src=10.1.0.0/255.255.0.0|nw_src=10.1.0.0' \
        '1.3 FLOW_MOD all fields|tcp_src=1234,tcp_dst=443|tcp_dst=443,tcp_src=1234' \
        '1.3 FLOW_MOD action output controller|output:CONTROLLER:128,|' '1.3 FLOW_MOD action pbb|push_pbb|push_mpls' \
        '1.3 FLOW_MOD flag 1|RESET_COUNTS|NO_BYT_COUNTS' '1.3 MULTIPART_REPLY port|rx_packets=1000|rx_packets=1001' \
        '1.3 MULTIPART_REPLY table_features|match=in_port,|match=in_phy_port,' '1.3 ECHO_REPLY|xid=0x6|xid=0x7' \
        '1.0 FLOW_MOD match 13|10.0.0.0/255.0.0.0|10.0.0.0/255.128.0.0' '1.0 FLOW_MOD match 3|dl_src|dl_dst'; do
        IFS='|' read -r name old new <<<"$change"
        grep "^$name"$'\t' "$BATS_TEST_TMPDIR/rows" | cut -f 3,4 >"$BATS_TEST_TMPDIR/row"
        python3 "$ROOT/tests/system/openflow_fields.py" <"$BATS_TEST_TMPDIR/row"
        grep -q "$old" "$BATS_TEST_TMPDIR/row"
        not python3 "$ROOT/tests/system/openflow_fields.py" < <(sed "s|$old|$new|" "$BATS_TEST_TMPDIR/row")
    done
}

# Everything that ovs-ofctl can ask and say, in one version.
talk() { # OpenFlow10 | OpenFlow13
    ofctl() { ovs-ofctl --timeout=5 -O "$version" "$@" $SWITCH "${arguments[@]}"; }
    local version=$1 arguments=() command actions=output:2
    for command in show dump-desc get-frags dump-flows dump-aggregate dump-tables dump-ports dump-ports-desc \
        queue-stats queue-get-config probe; do
        arguments=()
        [ $command = queue-get-config ] && arguments=(1)
        ofctl $command || true
    done
    arguments=(drop) && ofctl set-frags
    [ "$version" = OpenFlow10 ] || actions=group:1
    if [ "$version" = OpenFlow13 ]; then
        arguments=() && ofctl dump-table-features || true
        arguments=('group_id=1,type=select,bucket=weight:50,actions=output:1,bucket=weight:30,output:2') && ofctl add-group
        arguments=('group_id=2,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2') && ofctl add-group
        arguments=('group_id=3,type=all,bucket=output:1,bucket=output:2') && ofctl add-group
        arguments=('group_id=4,type=indirect,bucket=set_field:02:00:00:00:00:09->eth_dst,output:1') && ofctl add-group
        arguments=('group_id=4,type=indirect,bucket=output:2') && ofctl mod-group
        arguments=('meter=1,kbps,burst,stats,band=type=drop,rate=1000,burst_size=200') && ofctl add-meter
        arguments=('meter=2,pktps,band=type=drop,rate=50') && ofctl add-meter
        arguments=('table=0,priority=5,metadata=0x1/0xff,actions=meter:1,output:1') && ofctl add-flow
        arguments=('priority=6,tun_id=5,actions=write_metadata:0x12/0xff,goto_table:2') && ofctl add-flow
        arguments=('priority=7,mpls,mpls_label=17,mpls_tc=3,mpls_bos=1,actions=set_mpls_ttl(9),dec_mpls_ttl,pop_mpls:0x0800,output:1') && ofctl add-flow
        arguments=('priority=8,ip,actions=push_mpls:0x8847,set_field:18->mpls_label,output:1') && ofctl add-flow
        arguments=('priority=9,icmp6,icmpv6_type=135,nd_target=fe80::1,nd_sll=02:00:00:00:00:01,actions=write_actions(output:2)') && ofctl add-flow
        arguments=('priority=10,ipv6,ipv6_src=fd01::/64,ipv6_label=0x12340/0xffff0,actions=clear_actions') && ofctl add-flow
        arguments=('priority=11,sctp,sctp_dst=2905,nw_ecn=1,actions=push_vlan:0x8100,set_field:4107->vlan_vid,set_queue:3,output:1') && ofctl add-flow
        arguments=('priority=12,arp,arp_sha=02:00:00:00:00:01,arp_tpa=10.0.0.0/24,actions=drop') && ofctl add-flow
        for command in dump-groups dump-group-stats dump-group-features dump-meters meter-stats meter-features; do
            arguments=() && ofctl $command
        done
        arguments=(group_id=3) && ofctl del-groups
        arguments=(meter=2) && ofctl del-meters
    fi
    arguments=("cookie=0x77,priority=1,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,send_flow_rem,check_overlap,actions=$actions") && ofctl add-flow
    arguments=('priority=2,tcp,nw_src=10.1.0.0/16,nw_dst=10.0.0.2,tp_dst=80,dl_vlan=5,dl_vlan_pcp=3,nw_tos=184,actions=mod_vlan_vid:7,mod_vlan_pcp:2,mod_dl_src:02:00:00:00:00:07,mod_nw_dst:10.0.0.9,mod_nw_tos:40,mod_tp_src:99,strip_vlan,IN_PORT') && ofctl add-flow
    arguments=('priority=3,icmp,icmp_type=8,icmp_code=0,actions=CONTROLLER:128,LOCAL,ALL,FLOOD,NORMAL') && ofctl add-flow
    arguments=('priority=4,arp,arp_op=1,arp_spa=10.0.0.1,idle_timeout=60,hard_timeout=90,actions=resubmit(,1),note:01.02.03') && ofctl add-flow
    arguments=('priority=13,in_port=2,dl_vlan=0xffff,actions=enqueue:1:7') && ofctl add-flow || true
    arguments=('cookie=0x77/-1,actions=drop') && ofctl mod-flows || true
    arguments=() && ofctl dump-flows && ofctl dump-aggregate
    for command in up down no-flood flood no-forward forward no-packet-in packet-in; do
        arguments=(2 $command) && ofctl mod-port
    done
    arguments=('in_port=1 packet=0200000000020200000000010800450000320000000040110000000a0000010a0000021234003500 actions=output:2,mod_dl_dst:02:00:00:00:00:08,LOCAL')
    ofctl packet-out || true
    arguments=('priority=99999999') && not ofctl add-flow
    arguments=('group_id=77,type=all,bucket=output:1') && ofctl mod-group || true # an ERROR
    arguments=('in_port=1') && ofctl --strict del-flows
    arguments=() && ofctl del-flows
}

capture() { # PORT
    tcpdump -i lo --immediate-mode -B 8192 -U -s 0 -w "$BATS_TEST_TMPDIR/pcap" "tcp port $1" 3>&- 2>"$BATS_TEST_TMPDIR/tcpdump" &
    CAPTURE=$!
    eventually 5 grep -q 'listening on' "$BATS_TEST_TMPDIR/tcpdump"
}

# Our line of each message that was captured, compared with tshark's, and with OVS's but for experimenters
# that it does not know. What our codec calls malformed fails.
captured() { # PORT
    local -r here=$BATS_TEST_TMPDIR
    kill -INT $CAPTURE
    wait $CAPTURE || true
    python3 "$ROOT/tests/system/openflow_stream.py" "$1" "$here/pcap" >"$here/hex"
    "$(tool openflow_hex)" - <"$here/hex" >"$here/lines" || { grep -n ' !' "$here/lines"; return 1; }
    not grep -n ' !' "$here/lines"
    echo "$(wc -l <"$here/lines") messages"
    "$(tool pcapcheck)" openflow --port "$1" --json "$here/pcap" | jq -r .message | diff - "$here/lines"
    if [ "$(stat -c %s "$here/pcap")" -lt 2000000 ]; then
        paste "$here/hex" "$here/lines" | python3 "$ROOT/tests/system/openflow_fields.py" "$here/pcap" "$1"
    else # the features of all tables, again and again: a gigabyte of fields
        paste "$here/hex" "$here/lines" | grep -v ' TABLE_FEATURES more ' | python3 "$ROOT/tests/system/openflow_fields.py"
    fi
    paste -d '\t' <(sed 's/.*/captured/' "$here/lines") \
        <(sed 's/.*experimenter=0x6b656e.*/-/; s/^ERROR .*\(BAD_EXPERIMENTER\|BAD_VENDOR\).*/-/; t; s/.*/ovs/' "$here/lines") \
        "$here/hex" "$here/lines" >"$here/rows"
    python3 "$ROOT/tests/system/openflow_oracle.py" ovs <"$here/rows"
}

new_bridge() { # CONTROLLER
    ovs-vsctl --timeout=5 --if-exists del-br $BRIDGE
    ovs-vsctl --timeout=5 add-br $BRIDGE -- set bridge $BRIDGE datapath_type=netdev fail_mode=secure \
        protocols=OpenFlow10,OpenFlow13 -- \
        add-port $BRIDGE t-codec1 -- set interface t-codec1 type=internal ofport_request=1 -- \
        add-port $BRIDGE t-codec2 -- set interface t-codec2 type=internal ofport_request=2 -- \
        set-controller $BRIDGE "$1"
}

talk_and_read() { # VERSION
    new_bridge ptcp:16791:127.0.0.1
    capture 16791
    eventually 5 ovs-ofctl --timeout=1 -O "$1" probe $SWITCH
    talk "$1"
    captured 16791
    [ "$(wc -l <"$BATS_TEST_TMPDIR/lines")" -gt 150 ]
}

@test "we read what ovs-ofctl and Open vSwitch say to each other in 1.3" {
    full_only
    talk_and_read OpenFlow13
}
@test "we read what ovs-ofctl and Open vSwitch say to each other in 1.0" {
    full_only
    talk_and_read OpenFlow10
}

# What a switch refuses of ours, with reason: it lacks the thing (no group 1, no meter 5, no port 3), or
# does not know it. Anything else would be a mistake in how we write it.
refused_1_3() {
    cat <<'END'
PACKET_OUT buffer: BAD_REQUEST/BUFFER_UNKNOWN
PORT_MOD: PORT_MOD_FAILED/BAD_HW_ADDR
QUEUE_GET_CONFIG_REQUEST: QUEUE_OP_FAILED/BAD_PORT
FLOW_MOD actions: BAD_ACTION/BAD_OUT_GROUP
FLOW_MOD rare actions: BAD_ACTION/BAD_TYPE
FLOW_MOD instructions: METER_MOD_FAILED/INVALID_METER
FLOW_MOD experimenter instruction: BAD_INSTRUCTION/BAD_EXPERIMENTER
FLOW_MOD experimenter field: BAD_MATCH/BAD_FIELD
GROUP_MOD fast failover: GROUP_MOD_FAILED/UNKNOWN_GROUP
METER_MOD add: METER_MOD_FAILED/BAD_BAND
METER_MOD modify: BAD_REQUEST/BAD_LEN
QUEUE request: QUEUE_OP_FAILED/BAD_PORT
METER request: METER_MOD_FAILED/UNKNOWN_METER
METER_CONFIG request: METER_MOD_FAILED/UNKNOWN_METER
EXPERIMENTER request: BAD_REQUEST/BAD_EXPERIMENTER
FLOW_MOD in_phy_port: BAD_MATCH/BAD_FIELD
FLOW_MOD pbb_isid: BAD_MATCH/BAD_FIELD
FLOW_MOD pbb_isid masked: BAD_MATCH/BAD_FIELD
FLOW_MOD ipv6_exthdr: BAD_MATCH/BAD_FIELD
FLOW_MOD ipv6_exthdr masked: BAD_MATCH/BAD_FIELD
END
}
refused_1_0() {
    cat <<'END'
PACKET_OUT buffer: BAD_REQUEST/BUFFER_UNKNOWN
PORT_MOD: PORT_MOD_FAILED/BAD_HW_ADDR
QUEUE_GET_CONFIG_REQUEST: QUEUE_OP_FAILED/BAD_PORT
QUEUE request: QUEUE_OP_FAILED/BAD_PORT
EXPERIMENTER request: BAD_REQUEST/BAD_VENDOR
END
}

ask_all() { # 1.0 | 1.3
    local -r here=$BATS_TEST_TMPDIR every=$BATS_FILE_TMPDIR/every
    new_bridge ptcp:16791:127.0.0.1
    eventually 5 ovs-ofctl --timeout=1 -O OpenFlow13 probe $SWITCH
    python3 "$ROOT/tests/system/openflow_send.py" "$1" 127.0.0.1 16791 <"$every" >"$here/answers"
    cut -f 2 "$here/answers" | "$(tool openflow_hex)" - >"$here/lines"
    paste <(cut -f 1 "$here/answers") "$here/lines" |
        sed -n 's/^1\.. \([^\t]*\)\tERROR ([^)]*) xid=0x11223344 \([^ ]*\) of .*/\1: \2/p' >"$here/refused"
    diff "$here/refused" <("refused_${1/./_}")
    paste -d '\t' <(cut -f 1 "$here/answers") <(sed 's/^ERROR.*/-/; t; s/.*/ovs/' "$here/lines") <(cut -f 2 "$here/answers") \
        "$here/lines" >"$here/rows"
    # an ERROR holds the request, which ofp-print refuses as the switch did
    python3 "$ROOT/tests/system/openflow_oracle.py" ovs <"$here/rows"
    for answer in FEATURES_REPLY GET_CONFIG_REPLY BARRIER_REPLY DESC FLOW AGGREGATE TABLE PORT_STATS "${@:2}"; do
        grep -q -w "$answer" "$here/lines" || { echo "no $answer"; return 1; }
    done
}

@test "Open vSwitch takes every request we make in 1.3, and we read its answers" {
    ask_all 1.3 ROLE_REPLY GET_ASYNC_REPLY GROUP GROUP_DESC GROUP_FEATURES METER_FEATURES TABLE_FEATURES PORT_DESC
}
@test "Open vSwitch takes every request we make in 1.0, and we read its answers" { ask_all 1.0; }

# Packets: another controller answers them.
controller_and_switch() { # VERSION testcontroller|osken TYPE...
    local i type
    if [ "$2" = osken ]; then
        [ -x /usr/bin/osken-manager ] || skip "no os-ken"
        PYTHONDONTWRITEBYTECODE=1 /usr/bin/osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port $LISTEN \
            "$ROOT/tests/bench/osken_learning.py" "$ROOT/tests/system/openflow_osken_app.py" 3>&- >"$BATS_TEST_TMPDIR/controller" 2>&1 &
    else
        ovs-testcontroller -v -O "$1" ptcp:$LISTEN:127.0.0.1 3>&- >"$BATS_TEST_TMPDIR/controller" 2>&1 &
    fi
    CONTROLLER=$!
    capture $LISTEN
    new_bridge tcp:127.0.0.1:$LISTEN
    ovs-vsctl --timeout=5 set bridge $BRIDGE protocols="$1"
    eventually 10 connected
    for i in 1 2; do ip link set t-codec$i up; done
    for i in 1 2 3; do # nobody answers: requests are packets too
        ping -c 1 -W 0.2 -I t-codec1 "10.254.254.$i" >/dev/null 2>&1 || true
    done
    eventually 10 came PACKET_OUT
    ip link set t-codec2 down
    eventually 10 came HELLO FEATURES_REQUEST FEATURES_REPLY PACKET_IN PACKET_OUT PORT_STATUS "${@:3}"
    captured $LISTEN
}
connected() { [ "$(ovs-vsctl --timeout=5 get controller $BRIDGE is_connected)" = true ]; }
came() { # TYPE...
    local type
    "$(tool pcapcheck)" openflow --port $LISTEN "$BATS_TEST_TMPDIR/pcap" 2>/dev/null | cut -d ' ' -f 5 | sort -u >"$BATS_TEST_TMPDIR/types" || true
    for type; do grep -qx "$type" "$BATS_TEST_TMPDIR/types" || { echo "no $type"; return 1; }; done
}

@test "we read what ovs-testcontroller and Open vSwitch say to each other in 1.3" { controller_and_switch OpenFlow13 testcontroller; }
@test "we read what ovs-testcontroller and Open vSwitch say to each other in 1.0" {
    full_only
    controller_and_switch OpenFlow10 testcontroller
}
@test "we read what os-ken and Open vSwitch say to each other in 1.3" {
    full_only
    controller_and_switch OpenFlow13 osken ERROR FLOW_REMOVED MULTIPART_REPLY METER_MOD GROUP_MOD QUEUE_GET_CONFIG_REPLY
    [ "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/lines" | sort -u | wc -l)" -ge 28 ] # of 30 types
}
@test "we read what os-ken and Open vSwitch say to each other in 1.0" {
    full_only
    controller_and_switch OpenFlow10 osken ERROR FLOW_REMOVED STATS_REPLY VENDOR
}
