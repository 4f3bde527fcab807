#!/usr/bin/env python3
"""Runs every command of the command table at its limits, one after the other, while other clients set and
get small keys on every node, and looks at what that does to the event loops.

Usage: bench/watchdog.py [--only TEXT] [--stop-ms MS] [--wait-ms MS] [--binary FILE] [--offset N] [--cpu] [--follower] [--json FILE]

Prints, for each case, the rounds of the loop above 5, 20 and 50 ms on any node, elections, and the worst latency
of the other clients. Exit code 1 when a round took more than --stop-ms (20), when there was an election, when
another client waited for more than --wait-ms (100), or when a command of the machine has no case here. On a machine
that has other work the figures are upper bounds: the kernel's own pauses count.
"""
import argparse
import json
import multiprocessing
import os
import re
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from cluster import Cluster, Resp, RespError  # noqa: E402

MB = 1 << 20
BIG = 63 * MB
MANY = 100000  # names of one command
BURST = 500000  # commands of one pipeline


# ---- what other clients see ----

def probe(port, number, pipe):
    """Sets and gets small keys; tells the worst wait since it was last asked."""
    client, worst, errors, last = Resp(port, 30), 0.0, 0, ""
    turn = 0
    while True:
        if pipe.poll():
            if pipe.recv() == "end":
                return
            pipe.send((worst, errors, last))
            worst, errors, last = 0.0, 0, ""
        began = time.perf_counter()
        try:
            client("SET", f"probe:{number}", turn)
            client("GET", f"probe:{number}")
        except (RespError, OSError) as problem:
            errors += 1
            last = str(problem)[:60]
            if isinstance(problem, OSError):
                client = Resp(port, 30)
        worst = max(worst, (time.perf_counter() - began) / 2)
        turn += 1
        time.sleep(0.002)


class Probes:
    def __init__(self, cluster):
        self.pipes, self.processes = [], []
        for node in sorted(cluster.processes):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=probe, args=(cluster.redis(node), node, theirs), daemon=True)
            process.start()
            self.pipes.append(ours)
            self.processes.append(process)

    def ask(self):
        for pipe in self.pipes:
            pipe.send("ask")
        return [pipe.recv() for pipe in self.pipes]

    def close(self):
        for pipe in self.pipes:
            pipe.send("end")
        for process in self.processes:
            process.join(5)


# ---- what the loops say ----

METRIC = "cairn_loop_round_seconds"


def loops(cluster):
    """Rounds above each bound, and elections won, over all nodes."""
    rounds, elections, longest = {}, 0, 0.0
    for node in cluster.processes:
        page = urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin(node)}/metrics", timeout=30).read().decode()
        count = int(re.search(rf"^{METRIC}_count (\d+)", page, re.M)[1])
        for bound, below in re.findall(METRIC + r'_bucket\{le="([^"]+)"\} (\d+)', page):
            if bound != "+Inf":
                rounds[float(bound)] = rounds.get(float(bound), 0) + count - int(below)
        longest = max(longest, float(re.search(rf"^{METRIC}_max (\S+)", page, re.M)[1]))
        elections += sum(int(n) for n in re.findall(r"^cairn_elections_won_total (\d+)", page, re.M))
    return rounds, elections, longest


# ---- cases ----

class Client(Resp):
    """Reads long replies without copying them again and again, and throws away what they hold."""

    def __init__(self, port, timeout):
        super().__init__(port, timeout)
        self.file = self.sock.makefile("rb", 1 << 20)

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        return line[:-2]

    def _value(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$" and int(rest) >= 0:
            data = self.file.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise ConnectionError("closed")
            return data[:-2]
        if kind == b"-":
            return RespError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None
        if kind == b"*":
            return None if int(rest) < 0 else [self._value() for _ in range(int(rest))]
        return rest.decode()

    def encode(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

    def many(self, commands):
        """One pipeline, written and read at once."""
        data = commands if isinstance(commands, bytes) else b"".join(self.encode(*c) for c in commands)
        writer = threading.Thread(target=self.sock.sendall, args=(data,))
        writer.start()
        return data, writer

    def burst(self, command, count):
        writer = self.many(self.encode(*command) * count)[1]
        last = None
        for _ in range(count):
            last = self._value()
        writer.join()
        return last


def names(prefix, count):
    return [f"{prefix}:{n}" for n in range(count)]


def pairs(prefix, count):
    return [word for name in names(prefix, count) for word in (name, "x")]


def multi(client, commands):
    writer = client.many([["MULTI"], *commands, ["EXEC"]])[1]
    for _ in range(len(commands) + 1):
        client._value()
    reply = client._value()
    writer.join()
    return reply


def call(*words):
    return lambda client: client(*words)


def repeated(count, words_of):
    def run(client):
        for number in range(count):
            client(*words_of(number))
    return run


def due_at_once(client):
    """Two million keys end at one moment."""
    at = int(time.time() * 1000) + 45000
    for start in range(0, 2000000, 20000):
        data = b"".join(client.encode("SET", f"due:{n}", "v", "PXAT", at) for n in range(start, start + 20000))
        writer = client.many(data)[1]
        for _ in range(20000):
            client._value()
        writer.join()
    time.sleep(max(0.0, at / 1000 - time.time()))
    end = time.time() + 60
    while client("EXISTS", *[f"due:{n}" for n in range(0, 2000000, 20000)]) and time.time() < end:
        pass
    while int(client("DBSIZE")) > 1000000 and time.time() < end:
        client("SCAN", "0")
        client("RANDOMKEY")


def cases():
    """(name, commands covered, preparation, what is measured)"""
    big = b"x" * BIG
    clear = call("FLUSHALL")

    def with_big(client):
        client("FLUSHALL")
        client("SETRANGE", "big", BIG - 1, "x")
        client("SETRANGE", "other", BIG - 1, "y")

    def with_full(client):
        client("FLUSHALL")
        client("SET", "big", big)

    def with_many(client):
        client("FLUSHALL")
        client("MSET", *pairs("k", MANY))

    yield "SET 63 MiB", "SET", clear, call("SET", "big", big)
    yield "SET 63 MiB by 4 clients", "SET", clear, None
    yield "SET GET 63 MiB", "SET", with_full, call("SET", "big", big, "GET")
    yield "GET 63 MiB", "GET", with_full, call("GET", "big")
    yield "GETEX 63 MiB", "GETEX", with_full, call("GETEX", "big", "EX", "100")
    yield "GETSET 63 MiB", "GETSET", with_full, call("GETSET", "big", big)
    yield "GETDEL 63 MiB", "GETDEL", with_full, call("GETDEL", "big")
    yield "SETNX 63 MiB", "SETNX", clear, call("SETNX", "big", big)
    yield "SETEX 63 MiB", "SETEX", clear, call("SETEX", "big", 100, big)
    yield "PSETEX 63 MiB", "PSETEX", clear, call("PSETEX", "big", 100000, big)
    yield "APPEND 1,000 to 63 MiB", "APPEND", with_full, repeated(1000, lambda n: ["APPEND", "big", "x"])
    yield "SETRANGE 1,000 in 63 MiB", "SETRANGE", with_full, repeated(1000, lambda n: ["SETRANGE", "big", n * 60000, "y"])
    yield "SETRANGE at the limit", "SETRANGE", clear, call("SETRANGE", "far", 64 * MB - 10, "x")
    yield "SETBIT 1,000 in 63 MiB", "SETBIT", with_full, repeated(1000, lambda n: ["SETBIT", "big", n * 500000, "1"])
    yield "SETBIT at the limit", "SETBIT", clear, call("SETBIT", "far", 64 * MB * 8 - 1, "1")
    yield "GETBIT in 63 MiB", "GETBIT", with_full, repeated(1000, lambda n: ["GETBIT", "big", n * 500000])
    yield "BITCOUNT 63 MiB", "BITCOUNT", with_full, call("BITCOUNT", "big")
    yield "BITPOS 63 MiB", "BITPOS", with_big, call("BITPOS", "big", "1")
    yield "BITOP 63 MiB", "BITOP", with_big, call("BITOP", "XOR", "dest", "big", "other")
    yield "BITFIELD 63 MiB", "BITFIELD", with_full, repeated(300, lambda n: ["BITFIELD", "big", "SET", "u8", n * 100000, "7"])
    yield "BITFIELD 100,000 parts", "BITFIELD", with_full, call(
        "BITFIELD", "big", *[w for n in range(MANY) for w in ("INCRBY", "u8", n * 800, "1")])
    yield "BITFIELD_RO 100,000 parts", "BITFIELD_RO", with_full, call(
        "BITFIELD_RO", "big", *[w for n in range(MANY) for w in ("GET", "u8", n * 800)])
    yield "STRLEN, GETRANGE, SUBSTR", "STRLEN GETRANGE SUBSTR", with_full, repeated(
        300, lambda n: [["STRLEN", "big"], ["GETRANGE", "big", n * 1000, n * 1000 + 9], ["SUBSTR", "big", 5, 9]][n % 3])
    yield "GETRANGE 63 MiB", "GETRANGE SUBSTR", with_full, call("GETRANGE", "big", 0, -1)
    yield "LCS", "LCS", call("MSET", "l1", b"ab" * 2200, "l2", b"ba" * 2200), call("LCS", "l1", "l2", "IDX")
    yield "COPY 63 MiB", "COPY", with_full, call("COPY", "big", "copy")
    yield "RENAME 63 MiB", "RENAME RENAMENX", with_full, repeated(
        100, lambda n: ["RENAME" if n % 2 else "RENAMENX", f"big{n or ''}", f"big{n + 1}"])
    yield "EXPIRE 63 MiB", "EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST TTL PTTL EXPIRETIME PEXPIRETIME TYPE", with_full, repeated(
        300, lambda n: [["EXPIRE", "big", 1000], ["PEXPIRE", "big", 1000000], ["EXPIREAT", "big", 4000000000],
                        ["PEXPIREAT", "big", 4000000000000], ["PERSIST", "big"], ["TTL", "big"], ["PTTL", "big"],
                        ["EXPIRETIME", "big"], ["PEXPIRETIME", "big"], ["TYPE", "big"]][n % 10])
    yield "DUMP 63 MiB", "DUMP", with_full, call("DUMP", "big")
    yield "RESTORE 63 MiB", "RESTORE", with_full, None
    yield "OBJECT, MEMORY", "OBJECT MEMORY", with_full, repeated(
        100, lambda n: [["OBJECT", "ENCODING", "big"], ["MEMORY", "USAGE", "big"], ["OBJECT", "IDLETIME", "big"]][n % 3])
    yield "INCR, DECR", "INCR DECR INCRBY DECRBY INCRBYFLOAT", clear, repeated(
        300, lambda n: [["INCR", "n"], ["DECR", "n"], ["INCRBY", "n", 5], ["DECRBY", "n", 5], ["INCRBYFLOAT", "f", "0.5"]][n % 5])
    yield "DEL 63 MiB", "DEL UNLINK", with_full, call("DEL", "big", "other")
    yield "MSET 100,000", "MSET", clear, call("MSET", *pairs("m", MANY))
    yield "MSETNX 100,000", "MSETNX", clear, call("MSETNX", *pairs("nx", MANY))
    yield "MSET 500,000", "MSET", clear, call("MSET", *pairs("m", 500000))
    yield "MGET 100,000", "MGET", with_many, call("MGET", *names("k", MANY))
    yield "EXISTS, TOUCH 100,000", "EXISTS TOUCH", with_many, lambda c: (c("EXISTS", *names("k", MANY)), c("TOUCH", *names("k", MANY)))
    yield "WATCH 100,000", "", with_many, lambda c: (c("WATCH", *names("k", MANY)), c("UNWATCH"))
    yield "DEL 100,000", "DEL UNLINK", with_many, lambda c: (c("DEL", *names("k", MANY // 2)), c("UNLINK", *names("k", MANY)))
    yield "KEYS", "KEYS", with_many, call("KEYS", "*")
    yield "KEYS, a long pattern", "KEYS SCAN", call("SET", b"a" * 200000, "x"), lambda c: c("KEYS", b"*" + b"a" * 100000 + b"b")
    yield "SCAN", "SCAN DBSIZE RANDOMKEY", with_many, repeated(300, lambda n: [["SCAN", n, "COUNT", 10000], ["DBSIZE"], ["RANDOMKEY"]][n % 3])
    yield "MULTI 100,000 SET", "", clear, lambda c: multi(c, [["SET", f"t:{n}", "v"] for n in range(MANY)])
    yield "MULTI of large values", "", with_full, lambda c: multi(c, [["GET", "big"], ["SET", "other", big[: 50 * MB]], ["GET", "other"]])
    yield "PUBLISH 63 MiB", "PUBLISH", clear, call("PUBLISH", "channel", big)
    yield "FLUSHALL of 100,000", "FLUSHDB FLUSHALL", with_many, lambda c: (c("FLUSHDB"), c("FLUSHALL"))
    yield "burst of 500,000 SETs", "", clear, lambda c: c.burst(["SET", "b", "v"], BURST)
    yield "burst of 500,000 GETs", "", clear, lambda c: c.burst(["GET", "b"], BURST)
    yield "burst of 500,000 PINGs", "", clear, lambda c: c.burst(["PING"], BURST)
    yield "burst of 20,000 SETBITs in 63 MiB", "SETBIT", with_full, lambda c: c.burst(["SETBIT", "big", "12345678", "1"], 20000)
    yield "two million keys due at once", "", clear, due_at_once


def by_four(cluster):
    data = b"x" * BIG

    def one(number):
        try:
            Client(cluster.redis(number % 3 + 1), 120)("SET", f"big{number}", data)
        except (RespError, OSError):
            pass  # what others see of it counts here
    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_case(cluster, port, probes, case):
    name, _, prepare, run = case
    client = Client(port, 300)
    result = {"case": name, "error": ""}
    before = loops(cluster)
    try:
        dumped = None
        if prepare is not None:
            prepare(client)
        if name == "RESTORE 63 MiB":
            dumped = client("DUMP", "big")
        time.sleep(0.5)
        before = loops(cluster)
        probes.ask()
        began = time.perf_counter()
        if dumped is not None:
            client("RESTORE", "again", 0, dumped)
        elif run is None:
            by_four(cluster)
        else:
            run(client)
        result["seconds"] = time.perf_counter() - began
        time.sleep(0.3)
    except (RespError, OSError) as problem:
        result["error"] = str(problem)[:100]
        result.setdefault("seconds", 0.0)
        if isinstance(problem, OSError):
            time.sleep(2)
    finally:
        client.close()
    after = loops(cluster)
    seen = probes.ask()
    result["rounds"] = {bound: after[0][bound] - before[0][bound] for bound in after[0]}
    result["elections"] = after[1] - before[1]
    result["longest_ms"] = after[2] * 1000
    result["wait_ms"] = max(worst for worst, _, _ in seen) * 1000
    result["errors"] = sum(errors for _, errors, _ in seen)
    return result


def machine_commands(port):
    """The commands of the table that work on keys or values."""
    client = Client(port, 30)
    own = {name.decode().upper() for name in client("COMMAND", "LIST")}
    client.close()
    return own


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="cases whose name holds this text")
    parser.add_argument("--stop-ms", type=float, default=20)
    parser.add_argument("--wait-ms", type=float, default=100)
    parser.add_argument("--binary")
    parser.add_argument("--offset", type=int, default=23000)
    parser.add_argument("--follower", action="store_true", help="ask a follower instead of the leader")
    parser.add_argument("--json", help="write every figure to this file")
    parser.add_argument("--cpu", action="store_true", help="count rounds by processor time: for a machine that has other work")
    arguments = parser.parse_args()
    if arguments.cpu:
        global METRIC
        METRIC = "cairn_loop_round_cpu_seconds"
    cluster = Cluster(3, offset=arguments.offset, binary=arguments.binary)
    results, failed = [], []
    probes = None
    try:
        cluster.start_all()
        covered = {word for case in cases() for word in case[1].split()}
        others = {"PING", "ECHO", "HELLO", "AUTH", "QUIT", "RESET", "SELECT", "TIME", "LOLWUT", "WAIT", "FUNCTION", "INFO",
                  "CLIENT", "COMMAND", "CONFIG", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SUBSCRIBE", "UNSUBSCRIBE",
                  "PSUBSCRIBE", "PUNSUBSCRIBE", "PUBSUB", "CAIRN.SESSION", "CAIRN.ONCE", "CAIRN.MEMBER", "CAIRN.LEADER",
                  "CAIRN.STATUS", "CAIRN.PARAMETER", "CAIRN.TIME"}
        missing = machine_commands(cluster.redis(1)) - covered - others
        if missing:
            failed.append("no case for " + " ".join(sorted(missing)))
        probes = Probes(cluster)
        print("| case | s | >5 ms | >20 ms | >50 ms | elections | worst wait ms | errors |")
        print("|---|---|---|---|---|---|---|---|")
        for case in cases():
            if arguments.only and arguments.only not in case[0]:
                continue
            leader = cluster.leader()
            node = next(n for n in cluster.processes if n != leader) if arguments.follower else leader
            result = run_case(cluster, cluster.redis(node), probes, case)
            results.append(result)
            rounds = result["rounds"]
            print(f"| {result['case']} | {result['seconds']:.2f} | {rounds[0.005]} | {rounds[0.02]} | {rounds[0.05]} | "
                  f"{result['elections']} | {result['wait_ms']:.0f} | {result['errors'] or ''} {result['error']} |", flush=True)
            stops = sum(rounds[bound] for bound in rounds if bound == min(b for b in rounds if b * 1000 >= arguments.stop_ms))
            if stops or result["elections"] or result["errors"] or result["wait_ms"] > arguments.wait_ms:
                failed.append(result["case"])
        rounds, elections, longest = loops(cluster)
        print("\nRounds of the loops, all nodes:")
        for bound in sorted(rounds):
            print(f"  above {bound * 1000:g} ms: {rounds[bound]}")
        print(f"  longest: {longest * 1000:.1f} ms; elections in all: {elections}")
    finally:
        if probes is not None:
            probes.close()
        cluster.close()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=2)
    for name in failed:
        print("above the bounds:", name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
