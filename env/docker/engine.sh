# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# engine.sh - a Docker engine and the base image, for tests and for machines without either.
#   docker_engine_start   uses the running dockerd, or starts one (its pid then is in DOCKERD_STARTED)
#   docker_engine_stop    ends the dockerd that docker_engine_start started here, and no other
#   docker_base_image     debian:bookworm-slim: pulled, or made by debootstrap when it cannot be
# Neighbours: tests/docker, env/docker/base-image.

DOCKER_BASE=debian:bookworm-slim

docker_engine_start() {
    local i
    DOCKERD_STARTED=
    ! docker info >/dev/null 2>&1 || return 0
    echo "docker: starting dockerd" >&2
    # The default bridge needs iptables; everything else of it may be missing in a nested machine.
    # Descriptors of a test runner must not live on in it.
    (
        for fd in "/proc/$BASHPID/fd"/*; do
            fd=${fd##*/}
            ((fd < 3)) || eval "exec $fd>&-"
        done
        exec setsid dockerd </dev/null >/var/log/trivet-dockerd.log 2>&1
    ) &
    DOCKERD_STARTED=$!
    for ((i = 0; i < 150; i++)); do
        ! docker info >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    echo "docker: dockerd does not start; see /var/log/trivet-dockerd.log" >&2
    return 1
}

docker_engine_stop() {
    local i
    [ -n "$DOCKERD_STARTED" ] && [ "$(cat "/proc/$DOCKERD_STARTED/comm" 2>/dev/null)" = dockerd ] || return 0
    kill "$DOCKERD_STARTED"
    for ((i = 0; i < 150; i++)); do
        [ -e "/proc/$DOCKERD_STARTED/exe" ] || return 0 # gone, or a zombie
        sleep 0.1
    done
    echo "docker: dockerd (pid $DOCKERD_STARTED) does not end" >&2
    return 1
}

docker_base_image() {
    local dir
    ! docker image inspect "$DOCKER_BASE" >/dev/null 2>&1 || return 0
    ! timeout 60 docker pull -q "$DOCKER_BASE" >/dev/null 2>&1 || return 0
    command -v debootstrap >/dev/null || {
        echo "docker: $DOCKER_BASE cannot be pulled, and there is no debootstrap to make it: run env/setup" >&2
        return 1
    }
    echo "docker: no registry within reach; making $DOCKER_BASE by debootstrap (about 30 s)" >&2
    dir=$(mktemp -d)
    debootstrap --variant=minbase bookworm "$dir" >"$dir.log" 2>&1 || {
        tail -n 5 "$dir.log" >&2
        echo "docker: debootstrap failed; all of its output is in $dir.log" >&2
        rm -rf --one-file-system "$dir"
        return 1
    }
    rm -rf "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/*
    tar -C "$dir" -c . | docker import - "$DOCKER_BASE" >/dev/null
    rm -rf --one-file-system "$dir" "$dir.log"
}
