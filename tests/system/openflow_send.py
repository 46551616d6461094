#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""openflow_send.py 1.0|1.3 HOST PORT < LINES - sends what a controller sends, of the lines that
openflow_hex writes, to a switch, each followed by a barrier. Prints a line of hex for each message
that comes back, after the name of the one it answers. Exit status 1 when the switch hangs up."""
import socket
import struct
import sys

VERSIONS = {"1.0": 1, "1.3": 4}
BARRIER = {1: (18, 19), 4: (20, 21)}
# What only a switch sends (or what opens a connection).
NOT_OURS = {"HELLO", "ERROR", "ECHO_REPLY", "FEATURES_REPLY", "GET_CONFIG_REPLY", "PACKET_IN",
            "FLOW_REMOVED", "PORT_STATUS", "QUEUE_GET_CONFIG_REPLY", "ROLE_REPLY", "GET_ASYNC_REPLY",
            "BARRIER_REPLY"}


def receive(file):
    head = file.read(8)
    if len(head) < 8:
        print("the switch hung up")
        sys.exit(1)
    return head + file.read(struct.unpack(">H", head[2:4])[0] - 8)


def main():
    version = VERSIONS[sys.argv[1]]
    ask, answer = BARRIER[version]
    connection = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=5)
    file = connection.makefile("rb")
    connection.sendall(struct.pack(">BBHI", version, 0, 8, 1))
    for line in sys.stdin:
        name, _, code, _ = line.rstrip("\n").split("\t")
        words = name.split(" ")
        if words[0] != sys.argv[1] or words[1] in NOT_OURS or "reply" in words:
            continue
        connection.sendall(bytes.fromhex(code) + struct.pack(">BBHI", version, ask, 8, 0xbabe))
        while True:
            message = receive(file)
            if message[1] == answer and message[4:8] == struct.pack(">I", 0xbabe):
                break
            if message[1] == 2:  # ECHO_REQUEST
                connection.sendall(message[:1] + b"\3" + message[2:])
            else:
                print(f"{name}\t{message.hex()}")


main()
