# SPDX-License-Identifier: Apache-2.0
# One image for every service and for the switches of the tests; the command says which.
#   docker build -t trivet .
#   docker run trivet trivet-controller --listen tcp:0.0.0.0:6653
# Services in separate containers share /dev/shm and /run/trivet by volumes (tests/docker shows how); the
# first with :nocopy, else Docker gives it the mode of the image's directory, closed to user trivet.
# Where no registry is in reach, env/docker/base-image makes the base image.

FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential cmake ninja-build pkg-config libzmq3-dev libczmq-dev libpcap-dev libssl-dev \
        libcyaml-dev libyaml-dev libjansson-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_TESTING=OFF \
        -DCMAKE_INSTALL_PREFIX=/usr \
    && ninja -C /build && DESTDIR=/install ninja -C /build install

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libzmq5 libczmq4 libpcap0.8 libssl3 libcyaml1 libyaml-0-2 libjansson4 zlib1g \
        openvswitch-switch iproute2 iputils-ping ethtool procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trivet
COPY --from=build /install /
VOLUME /run/trivet
CMD ["trivet", "--help"]
