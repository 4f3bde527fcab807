#!/usr/bin/env python3
"""An attacker's hour: what can be done to a cluster of three by one that reaches its ports, at every door, before
and after authentication, while clients of two nodes go on reading and writing.

Usage: tools/attack.py [--seconds S] [--only NAME[,NAME...]] [--offset N] [--list]

--seconds   each attack lasts so long (default 5; make soak: 60)

After each attack every node must be healthy again, must have stayed below 512 MiB, and must have written few
lines into its log; what the other clients waited is printed, and compared with 100 ms. Last line: "N passed, N failed".
"""
import argparse
import multiprocessing
import os
import random
import socket
import struct
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "client")]
from cluster import Cluster, Resp, RespError  # noqa: E402
from stranger import BULK, PROTOCOL, Stranger, fill, flood  # noqa: E402

MIB = 1 << 20
MEMORY_MAX = 512 * MIB
LATE_MS = 100
LINES_MAX = 300
PASSWORD = "of-the-clients"


# ---- those that are to be served meanwhile ----

EVERY = 0.005


def canary(port, stop, out):
    """SET and GET, every 5 ms: latencies in ms, and how many were not served. While one waits, those that should have
    been asked meanwhile wait, too: they count with what is left of the wait."""
    waits, lost, client = [], 0, None
    while not stop.is_set():
        began = time.time()
        try:
            if client is None:
                client = Resp(port, 10)
                client("AUTH", PASSWORD)
            client("SET", f"canary-{port}", str(began))
            client("GET", f"canary-{port}")
        except (OSError, RespError):
            lost, client = lost + 1, None
        took = time.time() - began
        waits.append(took * 500)  # of two commands
        waits.extend((took - missed * EVERY) * 500 for missed in range(1, int(took / EVERY)))
        time.sleep(EVERY)
    out.put((waits, lost))


class Watch:
    """Memory, log lines and the canaries of one attack."""

    def __init__(self, cluster):
        self.cluster, self.stop, self.out = cluster, multiprocessing.Event(), multiprocessing.Queue()
        self.most = 0
        self.lines = self.count_lines()
        self.canaries = [multiprocessing.Process(target=canary, args=(cluster.redis(node), self.stop, self.out), daemon=True)
                         for node in (1, 2)]
        for each in self.canaries:
            each.start()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def count_lines(self):
        lines = 0
        for node in range(1, self.cluster.nodes + 1):
            with open(f"{self.cluster.data(node)}.log", "rb") as log:
                lines += log.read().count(b"\n")
        return lines

    def look(self):
        while not self.stop.is_set():
            for node in list(self.cluster.processes):
                try:
                    self.most = max(self.most, self.cluster.resident_bytes(node))
                except OSError:
                    pass
            time.sleep(0.02)

    def end(self):
        """(ms sorted, not served, most bytes, lines)"""
        self.stop.set()
        results = [self.out.get(timeout=30) for _ in self.canaries]
        self.thread.join()
        waits = sorted(wait for result in results for wait in result[0])
        return waits, sum(result[1] for result in results), self.most, self.count_lines() - self.lines


# ---- tools of the attacker ----

def dial(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def resp(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def login(port):
    client = Resp(port, 30)
    client("AUTH", PASSWORD)
    return client


def hold(port, count, first, seconds, each=None):
    """So many connections at once, kept at that number; first: what each says at first; each(sock): now and then."""
    socks, end = [], time.time() + seconds
    while time.time() < end:
        for _ in range(min(200, count - len(socks))):
            try:
                sock = dial(port)
                sock.setblocking(False)
                socks.append(sock)
                if first:
                    sock.send(first() if callable(first) else first)
            except OSError:
                break
        for sock in list(socks) if each else []:
            try:
                each(sock)
            except BlockingIOError:
                pass
            except OSError:
                socks.remove(sock)
                sock.close()
        time.sleep(0.02)
    for sock in socks:
        sock.close()


def repeat(seconds, act):
    end = time.time() + seconds
    while time.time() < end:
        try:
            act()
        except (OSError, RespError):
            pass


def junk(sock):
    sock.send(os.urandom(random.randrange(1, 3000)))


# ---- Redis ----

def redis_idle(c, s):
    hold(c.redis(1), 3000, None, s)


def redis_half_commands(c, s):
    hold(c.redis(1), 3000, b"*3\r\n$3\r\nSET\r\n$1000\r\nhalf", s)


def redis_garbage(c, s):
    texts = [b"*-2147483648\r\n", b"*2147483647\r\n$2147483647\r\n", b"$-1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
             b"\x16\x03\x01\x02\x00\x01\x00", b"*1\r\n$99999999999999999999\r\n", b"\0" * 5000, b"x" * 70000]
    repeat(s, lambda: hold(c.redis(1), 100, lambda: random.choice(texts), 0.1, junk))


def redis_large_before_password(c, s):
    piece = b"x" * MIB

    def act():
        sock = dial(c.redis(1))
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$66000000\r\n")
        for _ in range(62):
            sock.sendall(piece)
    repeat(s, act)


def redis_many_before_password(c, s):
    words = b"*10\r\n" + b"$16384\r\n%s\r\n" % (b"x" * 16384) * 9
    pieces = {}

    def more(sock):
        at = pieces.get(sock, 0)
        if at < len(words):
            pieces[sock] = at + sock.send(words[at:at + 65536])
    hold(c.redis(1), 3000, None, s, more)


def redis_guess_passwords(c, s):
    hold(c.redis(1), 200, None, s, lambda sock: sock.send(resp("AUTH", random.random())))


def redis_unread(c, s):
    login(c.redis(1))("SET", "large", b"x" * MIB)
    words = resp("AUTH", PASSWORD) + resp("GET", "large") * 1000
    hold(c.redis(2), 200, words, s)


def redis_uploads(c, s):
    piece = b"x" * 65536
    hold(c.redis(1), 20, resp("AUTH", PASSWORD) + b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$66000000\r\n", s, lambda sock: sock.send(piece))


def pour(port, words, count, seconds):
    """So many connections that each send all of it, as it is taken, and read what comes."""
    at = {}

    def more(sock):
        begin = at.get(sock, 0)
        if begin < len(words):
            at[sock] = begin + sock.send(words[begin:begin + MIB])
        sock.recv(MIB)
    hold(port, count, None, seconds, more)


def redis_queues(c, s):
    pour(c.redis(1), resp("AUTH", PASSWORD) + resp("MULTI") + resp("SET", "k", b"x" * MIB) * 60, 20, s)


def redis_exec_of_own_commands(c, s):
    pour(c.redis(1), resp("AUTH", PASSWORD) + resp("MULTI") + resp("COMMAND") * 20000 + resp("EXEC"), 20, s)


def redis_subscribes(c, s):
    words = [resp("SUBSCRIBE", *[f"channel-{j}-{i}" for i in range(10000)]) for j in range(10)]
    pour(c.redis(1), resp("AUTH", PASSWORD) + b"".join(words), 20, s)


def redis_watch_long(c, s):
    words = [resp("WATCH", *["k" * 10000 + f"{j}-{i}" for i in range(500)]) for j in range(60)]
    pour(c.redis(1), resp("AUTH", PASSWORD) + b"".join(words), 10, s)


def redis_watch_many(c, s):
    words = ["WATCH"] + [f"w{i}" for i in range(40000)]
    repeat(s, lambda: login(c.redis(1))(*words))


def redis_exec_of_reads(c, s):
    client = login(c.redis(1))
    client("SET", "large", b"x" * MIB)
    commands = resp("MULTI") + resp("GET", "large") * 1000 + resp("EXEC")
    hold(c.redis(1), 5, resp("AUTH", PASSWORD) + commands, s)


def redis_exec_of_reads_and_a_write(c, s):
    client = login(c.redis(1))
    client("SET", "large", b"x" * MIB)
    commands = resp("MULTI") + resp("GET", "large") * 1000 + resp("INCR", "n") + resp("EXEC")
    hold(c.redis(1), 5, resp("AUTH", PASSWORD) + commands, s)


def redis_patterns(c, s):
    client = login(c.redis(1))
    for i in range(0, 20000, 500):
        client("MSET", *[word for j in range(500) for word in (f"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{i + j}", "1")])
    repeat(s, lambda: client("KEYS", "*a" * 40 + "b"))


def redis_deaf_subscribers(c, s):
    client = login(c.redis(1))
    message = b"m" * 100000

    def publish():
        end = time.time() + s
        while time.time() < end:
            try:
                client("PUBLISH", "news", message)
            except (OSError, RespError):
                return
    thread = threading.Thread(target=publish)
    thread.start()
    hold(c.redis(1), 50, resp("AUTH", PASSWORD) + resp("SUBSCRIBE", "news"), s)
    thread.join()


# ---- ZooKeeper ----

CONNECT = struct.pack(">iiqiqi", 44, 0, 0, 30000, 0, 16) + b"\0" * 16


def zookeeper_half_frames(c, s):
    hold(c.zookeeper(1), 1000, lambda: CONNECT + struct.pack(">i", 1000000) + b"x" * 60000, s)


def zookeeper_large_before_session(c, s):
    hold(c.zookeeper(1), 3000, struct.pack(">i", 1000000) + b"x" * 60000, s)


def zookeeper_lies(c, s):
    def lie():
        size = random.choice([-1, -2147483648, 2147483647, 1048576, 4, 0])
        return CONNECT + struct.pack(">iii", size, 1, random.randrange(-12, 120)) + os.urandom(random.randrange(200))
    repeat(s, lambda: hold(c.zookeeper(1), 100, lie, 0.1, junk))


def zookeeper_sessions(c, s):
    hold(c.zookeeper(1), 3000, CONNECT, s)


def zookeeper_words(c, s):
    hold(c.zookeeper(1), 200, lambda: random.choice([b"wchc", b"dump", b"mntr", b"cons", b"stat"]), s, lambda sock: sock.send(b"mntr"))


# ---- admin ----

def admin_held(c, s):
    hold(c.admin(1), 2000, None, s)


def admin_slow(c, s):
    hold(c.admin(1), 300, b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", s, lambda sock: sock.send(b"x"))


def admin_floods(c, s):
    hold(c.admin(1), 50, None, s, lambda sock: sock.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50))


def admin_large(c, s):
    texts = [b"GET /" + b"x" * 60000, b"POST /member/remove/3 HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 60000,
             b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(5000))]
    repeat(s, lambda: hold(c.admin(1), 60, lambda: random.choice(texts), 0.2, lambda sock: sock.send(b"x" * 60000)))


def admin_guesses(c, s):
    ask = b"POST /member/remove/3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %d\r\nContent-Length: 0\r\n\r\n"
    hold(c.admin(1), 20, None, s, lambda sock: sock.send(ask % random.getrandbits(64)))


# ---- peers ----

def peer_silent(c, s):
    hold(c.peer(1), 1000, None, s)


def peer_garbage(c, s):
    repeat(s, lambda: hold(c.peer(1), 100, lambda: os.urandom(3000), 0.1, junk))


def peer_fills(c, s):
    fill(c.peer(1), 20, 50, s)


def peer_floods(c, s):
    flood(c.peer(1), 77, s)


def peer_impostor(c, s):
    """Poses as a voter that is stopped: messages by chance, to all others."""
    incarnation = int((c.status(3) or {}).get("incarnation", "0"), 16)
    c.stop(3)
    end = time.time() + s
    while time.time() < end:
        for node in (1, 2):
            try:
                stranger = Stranger(c.peer(node), 3, incarnation)
                stranger.greet()
                for _ in range(2000):
                    body = struct.pack("<BQI", random.randrange(1, 20), incarnation, 0)
                    numbers = [random.choice([0, 1, 2, random.getrandbits(20), (1 << 40) - 1, random.getrandbits(41), random.getrandbits(62)])
                               for _ in range(random.randrange(1, 12))]
                    stranger.send(PROTOCOL, body + struct.pack(f"<{len(numbers)}Q", *numbers), group=random.randrange(1, 3),
                                  lane=random.choice([0, BULK]))
                    if not stranger.drain():
                        break
                stranger.close()
            except OSError:
                time.sleep(0.01)
    c.start(3)


ATTACKS = [redis_idle, redis_half_commands, redis_garbage, redis_large_before_password, redis_many_before_password, redis_guess_passwords,
           redis_unread, redis_uploads, redis_queues, redis_exec_of_own_commands, redis_subscribes, redis_watch_long, redis_watch_many,
           redis_exec_of_reads, redis_exec_of_reads_and_a_write, redis_patterns, redis_deaf_subscribers, zookeeper_half_frames,
           zookeeper_large_before_session, zookeeper_lies, zookeeper_sessions, zookeeper_words, admin_held, admin_slow, admin_floods,
           admin_large, admin_guesses, peer_silent, peer_garbage, peer_fills, peer_floods, peer_impostor]


def healthy(cluster, patience=60):
    """Every node serves: by its Redis port, and with a word of health on the admin port."""
    end = time.time() + patience
    while time.time() < end:
        try:
            for node in range(1, cluster.nodes + 1):
                login(cluster.redis(node))("SET", "healthy", node)
                sock = dial(cluster.admin(node))
                sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                if b" 200 " not in sock.recv(4096):
                    raise OSError
            return True
        except (OSError, RespError):
            time.sleep(0.1)
    return False


def try_one(cluster, attack, seconds):
    """What was not as it should be, in words."""
    watch = Watch(cluster)
    time.sleep(0.3)
    attack(cluster, seconds)
    ended = [node for node, process in cluster.processes.items() if process.poll() is not None]
    well = healthy(cluster)
    waits, lost, most, lines = watch.end()
    p99 = waits[int(len(waits) * 0.99)] if waits else 0
    print(f"     {attack.__name__:<28} memory {most // MIB:4} MiB, log {lines:4} lines, others: {len(waits)} asked, {lost} not served, "
          f"p50 {waits[len(waits) // 2]:.1f} p99 {p99:.1f} max {waits[-1]:.0f} ms{'' if p99 < LATE_MS else f' (p99 above {LATE_MS})'}", flush=True)
    problems = [f"node {node} ended" for node in ended]
    problems += [] if well else ["not healthy within a minute"]
    problems += [] if most < MEMORY_MAX else [f"{most // MIB} MiB"]
    problems += [] if lines < LINES_MAX else [f"{lines} lines of log"]
    return problems


def run(attacks, seconds, offset):
    """With and without a secret among nodes: those at the peer port are done to both."""
    passed = failed = 0
    for secret in (False, True):
        chosen = [attack for attack in attacks if not secret or attack.__name__.startswith("peer_")]
        if not chosen:
            continue
        cluster = Cluster(offset=offset, binary=os.environ.get("CAIRN"), settings=[f"redis.password={PASSWORD}"])
        cluster.wait_healthy = lambda patience=30, c=cluster: healthy(c, patience)
        cluster.status = lambda node, c=cluster: status(c, node)
        if secret:
            path = os.path.join(cluster.folder, "secret")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
                out.write(os.urandom(32).hex() + "\n")
            cluster.settings.append(f"peer.secret_file={path}")
        try:
            cluster.start_all()
            print(f"== nodes {'share a secret' if secret else 'have no secret'}", flush=True)
            for attack in chosen:
                problems = try_one(cluster, attack, seconds)
                print(f"{'not ok' if problems else 'ok'} {attack.__name__}{': ' if problems else ''}{', '.join(problems)}", flush=True)
                passed, failed = passed + (not problems), failed + bool(problems)
                if any("ended" in problem or "healthy" in problem for problem in problems):
                    break
        finally:
            cluster.close()
    print(f"{passed} passed, {failed} failed")
    return failed


def status(cluster, node):
    import json
    import urllib.request
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin(node)}/status", timeout=5) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only")
    parser.add_argument("--offset", type=int, default=20500)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [attack.__name__ for attack in ATTACKS]
    if arguments.list:
        print("\n".join(attack.__name__ for attack in ATTACKS))
        return 0
    unknown = [name for name in names if name not in [attack.__name__ for attack in ATTACKS]]
    if unknown:
        print(f"no such attack: {unknown[0]}; --list names them", file=sys.stderr)
        return 3
    return 1 if run([attack for attack in ATTACKS if attack.__name__ in names], arguments.seconds, arguments.offset) else 0


if __name__ == "__main__":
    sys.exit(main())
