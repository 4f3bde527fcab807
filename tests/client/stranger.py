"""What one that reaches a peer port and knows no secret can say: frames with right checksums, a true hello, and
whatever comes behind it. Used by hostile.mjs and tools/attack.py.

Usage: stranger.py fill PORT COUNT MIB SECONDS    COUNT nodes that are no members each begin a message of MIB MiB,
                                                  send all but its end, and hold it; prints how many links came up
       stranger.py flood PORT ID SECONDS          as node ID, messages of a protocol that mean nothing; prints how many
"""
import ctypes
import ctypes.util
import os
import random
import select
import socket
import struct
import sys
import time

XXH = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
XXH.XXH3_64bits.restype = ctypes.c_uint64
XXH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
MAGIC = 0x314E5243
HEAD = 40
HELLO, PING, PROTOCOL, FACTS, FOUNDING = 1, 2, 3, 20, 21
CONTROL, BULK = 0, 1


def frame(kind, payload, number, lane=CONTROL, message=None, group=0):
    head = struct.pack("<IIBBHIQQ", MAGIC, len(payload), kind, lane, 0, len(payload) if message is None else message, group, number)
    return head + struct.pack("<Q", XXH.XXH3_64bits(head + payload, len(head) + len(payload))) + payload


class Stranger:
    """One connection. member: an id to pose as; incarnation: as that member's, 0: one of its own."""

    def __init__(self, port, node, incarnation=0, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got, self.out, self.node = b"", 0, node
        self.incarnation = incarnation or random.getrandbits(60) | 1

    def close(self):
        self.sock.close()

    def send(self, kind, payload, **more):
        self.sock.sendall(frame(kind, payload, self.out, **more))
        self.out += 1

    def receive(self, patience=3.0):
        """(type, payload) of the next frame; raises when there is none."""
        end = time.time() + patience
        while True:
            if len(self.got) >= HEAD:
                _, length, kind = struct.unpack_from("<IIB", self.got)
                if len(self.got) >= HEAD + length:
                    payload, self.got = self.got[HEAD:HEAD + length], self.got[HEAD + length:]
                    return kind, payload
            if not select.select([self.sock], [], [], max(0, end - time.time()))[0]:
                raise TimeoutError
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.got += data

    def await_frame(self, wanted):
        while True:
            kind, payload = self.receive()
            if kind == wanted:
                return payload

    def greet(self):
        """Hello, facts, founding, as a node that joins; raises when it is turned away."""
        theirs = self.await_frame(HELLO)
        low, high, cluster, epoch, node = struct.unpack_from("<IIQQQ", theirs)
        address = b"127.0.0.1:1"
        self.send(HELLO, struct.pack("<IIQQQQQQI", low, high, cluster, epoch, self.node, self.incarnation, random.getrandbits(60), node,
                                     len(address)) + address)
        number, _, largest, window = struct.unpack_from("<QQQI", self.await_frame(FACTS))
        self.send(FACTS, struct.pack("<QQQI", number, 0, largest, window))
        self.send(FOUNDING, bytes([1, 0]))
        self.send(FOUNDING, bytes([4, 0]))
        self.await_frame(FOUNDING)
        while True:  # settled, on both sides
            payload = self.await_frame(FOUNDING)
            if payload[0] == 4:
                return

    def drain(self):
        """What came is thrown away; False: the other side ended it."""
        while select.select([self.sock], [], [], 0)[0]:
            if not self.sock.recv(1 << 20):
                return False
        return True


def fill(port, count, mib, seconds):
    strangers, up = [], 0
    piece = os.urandom(262144)
    for i in range(count):
        try:
            stranger = Stranger(port, 1000 + i)
            strangers.append(stranger)
            stranger.greet()
            up += 1
            for _ in range(mib * 4 - 1):
                stranger.send(PROTOCOL, piece, lane=BULK, message=mib << 20, group=1)
        except OSError:
            pass
    time.sleep(seconds)
    for stranger in strangers:
        stranger.close()
    return up


def flood(port, node, seconds):
    sent, end = 0, time.time() + seconds
    while time.time() < end:
        try:
            stranger = Stranger(port, node)
            stranger.greet()
            while time.time() < end:
                for _ in range(100):
                    body = bytes([random.randrange(1, 20)]) + os.urandom(random.randrange(0, 200))
                    stranger.send(PROTOCOL, body, group=random.randrange(1, 3))
                sent += 100
                if not stranger.drain():
                    break
        except OSError:
            time.sleep(0.01)
    return sent


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[2:]]
    print({"fill": fill, "flood": flood}[sys.argv[1]](*numbers), flush=True)
