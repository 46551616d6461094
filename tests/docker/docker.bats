# SPDX-License-Identifier: Apache-2.0
# The Dockerfile's image: two Open vSwitch containers, two hosts, every service in a container of its
# own; services share /dev/shm and the runtime directory by volumes. Each service is killed and
# started again while a ping flows: no packet is lost.
#
#   h1 --- sw1 ======= sw2 --- h2      === and --- are veth pairs between the containers
#           \___ controller ___/       over a Docker network of their own
load ../system/helper

NET=trivet-test
SUBNET=172.31.253
CONTAINERS=(sw1 sw2 h1 h2 controller pcapcheck agent1 agent2)

name() { echo "trivet-test-$1"; }
in_container() { docker exec "$(name "$1")" "${@:2}"; }
container_pid() { docker inspect --format '{{.State.Pid}}' "$(name "$1")"; }

run_container() { # NAME DOCKER-OPTION... -- COMMAND...
    local c options=()
    c=$(name "$1")
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    docker run -d --name "$c" --label trivet-test -v trivet-test-shm:/dev/shm:nocopy -v trivet-test-run:/run/trivet \
        "${options[@]}" trivet:test "$@" >/dev/null
}

cable() { # CONTAINER INTERFACE CONTAINER INTERFACE
    ip link add "$2" netns "$(container_pid "$1")" type veth peer name "$4" netns "$(container_pid "$3")"
    in_container "$1" ip link set "$2" up
    in_container "$3" ip link set "$4" up
}

remove_all() {
    local c
    for c in "${CONTAINERS[@]}"; do docker rm -f "$(name "$c")" >/dev/null 2>&1 || true; done
    docker volume rm trivet-test-shm trivet-test-run >/dev/null 2>&1 || true
    docker network rm $NET >/dev/null 2>&1 || true
}

setup_file() {
    # shellcheck source=../../env/docker/engine.sh
    . "$ROOT/env/docker/engine.sh"
    docker_engine_start
    export DOCKERD_STARTED
    docker_base_image
    docker build -q -t trivet:test "$ROOT" >/dev/null
    remove_all
    docker network create --subnet "$SUBNET.0/24" $NET >/dev/null
    docker volume create --driver local --opt type=tmpfs --opt device=tmpfs --opt o=size=64m trivet-test-shm >/dev/null
    docker volume create trivet-test-run >/dev/null

    local n
    for n in 1 2; do
        run_container sw$n --network $NET --cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun -- \
            /usr/share/trivet/docker/switch
        run_container h$n --network none --cap-add NET_ADMIN -- sleep infinity
    done
    run_container controller --network $NET --ip $SUBNET.10 -- \
        trivet-controller --listen tcp:0.0.0.0:6653 --policy shortest
    cable sw1 s1-eth1 h1 h1-eth0
    cable sw2 s2-eth1 h2 h2-eth0
    cable sw1 s1-eth2 sw2 s2-eth2
    for n in 1 2; do
        in_container h$n ip address add 10.0.0.$n/24 dev h$n-eth0
        in_container h$n ethtool -K h$n-eth0 tx off >/dev/null
        eventually 20 in_container sw$n ovs-vsctl --timeout=2 show >/dev/null
        in_container sw$n ovs-vsctl --timeout=20 add-br s$n -- set bridge s$n datapath_type=netdev fail_mode=secure \
            other-config:datapath-id=000000000000000$n -- set-controller s$n tcp:$SUBNET.10:6653 \
            -- set controller s$n max_backoff=1000 \
            -- add-port s$n s$n-eth1 -- set interface s$n-eth1 ofport_request=1 \
            -- add-port s$n s$n-eth2 -- set interface s$n-eth2 ofport_request=2
        run_container agent$n --network "container:$(name h$n)" -- trivet-agent --name h$n
    done
    run_container pcapcheck --network "container:$(name sw1)" --cap-add NET_RAW --cap-add NET_ADMIN -- pcapcheck
    eventually 20 settled
    eventually 10 in_container h1 ping -c 1 -W 1 -q 10.0.0.2
}

teardown_file() {
    remove_all
    # shellcheck source=../../env/docker/engine.sh
    . "$ROOT/env/docker/engine.sh"
    docker_engine_stop
}

bus() { in_container controller statebus "$@" 2>/dev/null; }
settled() {
    [ "$(bus dump switch --json | grep -c '"state":"ready"')" = 2 ] &&
        [ "$(bus dump link --json | grep -c '"state":"up"')" = 1 ]
}
phase() { in_container sw1 statebus ls --json 2>/dev/null | jq -r --arg o "$1" 'select(.owner == $o) | .phase + " " + .liveness'; }
incarnation() { in_container sw1 statebus ls --json 2>/dev/null | jq -r --arg o "$1" 'select(.owner == $o).incarnation'; }

# kill_one CONTAINER OWNER: while a ping of 10 ms flows between the hosts
kill_one() {
    local before ping log=$BATS_TEST_TMPDIR/ping count=300
    [ -z "${TRIVET_FULL:-}" ] || count=600
    before=$(incarnation "$2")
    [ -n "$before" ]
    in_container h1 ping -i 0.01 -c $count -W 2 -q 10.0.0.2 >"$log" 3>&- &
    ping=$!
    eventually 3 eval '[ -n "$(in_container h1 pidof ping)" ]'
    docker kill -s KILL "$(name "$1")" >/dev/null
    docker start "$(name "$1")" >/dev/null
    eventually 5 eval '[ "$(phase '"$2"')" = "running alive" ] && [ "$(incarnation '"$2"')" != "'"$before"'" ]'
    wait $ping || true
    cat "$log"
    grep -q " $count received, 0% packet loss" "$log"
}

@test "containers see each other's state through the shared volumes" {
    in_container h1 ping -c 3 -i 0.2 -W 2 -q 10.0.0.2
    run in_container sw2 statebus dump switch --json
    [ "$(jq -s length <<<"$output")" = 2 ]
    eventually 10 eval '[ "$(phase agent.h1)" = "running alive" ] && [ "$(phase pcapcheck)" = "running alive" ]'
    eventually 10 eval 'bus dump latency --json | jq -es "any(.[]; .peer == \"h2\" and .received > 0)"'
}

@test "the controller is killed and started again: no ping lost, warm" {
    kill_one controller controller
    [ "$(bus dump host --json | wc -l)" -ge 2 ]
    eventually 10 settled
    in_container h2 ping -c 2 -i 0.2 -W 2 -q 10.0.0.1
}
@test "pcapcheck is killed and started again: no ping lost" { kill_one pcapcheck pcapcheck; }
@test "an agent is killed and started again: no ping lost" { kill_one agent1 agent.h1; }
