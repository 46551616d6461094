#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames of many addresses on one interface, for reconcile.bats.

  announce IF SIDE N               a broadcast from each of N addresses of a side
  pairs IF SIDE N SIDE M RATE      a frame from each of N to each of M addresses
  stream IF SIDE N SIDE M RATE TIME  numbered frames to M addresses, from N in turn; prints how many
  cast IF SIDE GROUP RATE TIME [N] numbered multicast frames of one host, from N; prints how many
  sink IF...                       until SIGTERM: {"frames", "duplicates", "gap_ms"} of numbered frames
                                   that come in; a duplicate came in on the same interface before
"""
import json
import select
import signal
import socket
import struct
import sys
import time

TYPE = 0x88b5  # IEEE 802: local experimental


def mac(side, n):
    return bytes([2, 0, 0, side, n >> 8, n & 0xff])


def open_on(interface, wanted=TYPE):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(wanted))
    s.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
    s.bind((interface, wanted))
    return s


def frame(dst, src, number=None):
    body = b"" if number is None else b"numb" + struct.pack("!I", number)
    return (dst + src + struct.pack("!H", TYPE) + body).ljust(60, b"\0")


def paced(s, frames, rate):
    begin = time.monotonic()
    n = 0
    for f in frames:
        wait = begin + n / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        s.send(f)
        n += 1
    return n


def numbered(pairs, rate, seconds, first=0):
    for n in range(first, first + int(rate * seconds)):
        src, dst = pairs[n % len(pairs)]
        yield frame(dst, src, n)


def sink(interfaces):
    sockets = [open_on(i) for i in interfaces]
    seen, result = set(), {"frames": 0, "duplicates": 0, "gap_ms": 0}
    last = {}

    def end(*_):
        result["gap_ms"] = round(result["gap_ms"] * 1000)
        print(json.dumps(result), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        for s in select.select(sockets, [], [])[0]:
            take(s, seen, last, result)


def take(s, seen, last, result):
    for _ in range(64):
        try:
            data, address = s.recvfrom(2048, socket.MSG_DONTWAIT)
        except (BlockingIOError, OSError):  # none, or the interface is down for now
            return
        if address[2] == socket.PACKET_OUTGOING or data[14:18] != b"numb":
            continue
        key = (address[0], data[:12] + data[18:22])
        result["duplicates" if key in seen else "frames"] += 1
        seen.add(key)
        now = time.monotonic()
        result["gap_ms"] = max(result["gap_ms"], now - last.get(data[:12], now))
        last[data[:12]] = now


def main():
    command, interface, *rest = sys.argv[1:]
    if command == "sink":
        sink([interface] + rest)
    s = open_on(interface)
    if command == "announce":
        side, n = map(int, rest)
        paced(s, (frame(b"\xff" * 6, mac(side, i)) for i in range(n)), 1000)
    elif command == "pairs":
        side, n, to, m, rate = map(int, rest)
        paced(s, (frame(mac(to, j), mac(side, i)) for i in range(n) for j in range(m)), rate)
    elif command == "stream":
        side, n, to, m = map(int, rest[:4])
        rate, seconds = map(float, rest[4:])
        pairs = [(mac(side, i % n), mac(to, i)) for i in range(m)]
        print(paced(s, numbered(pairs, rate, seconds), rate))
    elif command == "cast":
        side, group, rate, seconds = int(rest[0]), rest[1], float(rest[2]), float(rest[3])
        pairs = [(mac(side, 0), bytes.fromhex(group.replace(":", "")))]
        first = int(rest[4]) if len(rest) > 4 else 0
        print(paced(s, numbered(pairs, rate, seconds, first), rate))
    else:
        sys.exit(__doc__)


main()
