#!/usr/bin/env python3
"""Compares cairn with ZooKeeper, both as three servers on one machine: passes alternate, figures are
medians. CPU is that of the three servers together, per operation. Both force their log to disk; the JVM
is warmed by a pass that is not counted.

Usage: bench/zookeeper.py [--seconds S] [--passes N] [--kills N] [--only load,start,kill,scale] [--json FILE]

load: 10 sessions pinned to the servers in turn, 10 requests under way on each, values of 1 KiB.
start: from the launch of three servers until all three serve; idle memory 40 s (--idle) after that.
scale: cairn's memory with 100,000 sessions, and with a million watches of 1,000 connections.
kill: SIGKILL of the leader, or of a follower, under set load; the longest time without a good answer.
Needs Debian's zookeeper (or libzookeeper-java) and a Java; without them cairn alone is measured.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from bench import cpu_of, rss_of  # noqa: E402
from cluster import ROOT, Cluster  # noqa: E402

BENCH = os.path.join(ROOT, "build", "cairn")
JARS = ["/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-nop.jar"]
CASES = ["set", "get", "mix", "create"]


def word(port, text, timeout=2.0):
    """A four-letter word's answer; empty when no server answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(text.encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer.decode()
    except OSError:
        return ""


class System:
    """Three servers: self.processes by number, self.port(number)."""

    def pids(self):
        return [process.pid for process in self.processes.values()]

    def resident(self):
        return [rss_of(pid) / 2**20 for pid in self.pids()]

    def mode(self, number):
        for line in word(self.port(number), "srvr").splitlines():
            if line.startswith("Mode: "):
                return line[6:]
        return ""

    def wait_serving(self, patience=60):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if all(self.mode(number) in ("leader", "follower") for number in self.processes):
                return
            time.sleep(0.005)
        raise RuntimeError(f"{self.name} does not serve")

    def which(self, role):
        return next(number for number in self.processes if self.mode(number) == role)

    def generate(self, command, seconds, warm_up=0, extra=()):
        servers = ",".join(f"127.0.0.1:{self.port(number)}" for number in (1, 2, 3))
        return subprocess.Popen(
            [BENCH, "bench", "--zookeeper", servers, "--command", command, "--clients", "10", "--pipeline", "10",
             "--bytes", "1024", "--keys", "1000", "--seconds", str(seconds), "--warm-up", str(warm_up), "--json",
             "--seed", str(time.time_ns() % 10**9)] + list(extra), stdout=subprocess.PIPE, text=True)

    def load(self, command, seconds):
        self.generate(command, 1).communicate()
        before = cpu_of(self.pids())
        result = json.loads(self.generate(command, seconds).communicate()[0])
        result["cpu_us"] = (cpu_of(self.pids()) - before) * 1e6 / max(result["ops"], 1)
        return result


class Cairn(System):
    name = "cairn"

    def __init__(self):
        self.cluster = Cluster(3, offset=23000)
        for number in (1, 2, 3):
            self.cluster.start(number)
        self.processes = self.cluster.processes

    def port(self, number):
        return self.cluster.zookeeper(number)

    def kill(self, number):
        self.cluster.kill(number)

    def again(self, number):
        self.cluster.start(number)

    def close(self):
        self.cluster.close()


class ZooKeeper(System):
    name = "zookeeper"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cairn-zookeeper-")
        self.processes = {}
        for number in (1, 2, 3):
            home = f"{self.folder}/{number}"
            os.makedirs(home + "/data")
            with open(home + "/data/myid", "w", encoding="utf-8") as out:
                out.write(f"{number}\n")
            with open(home + "/zoo.cfg", "w", encoding="utf-8") as out:
                out.write(f"tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={home}/data\n"
                          f"clientPort={self.port(number)}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n"
                          "admin.enableServer=false\n4lw.commands.whitelist=*\n"
                          + "".join(f"server.{n}=127.0.0.1:{24480 + n}:{24490 + n}\n" for n in (1, 2, 3)))
        for number in (1, 2, 3):
            self.again(number)

    def port(self, number):
        return 24470 + number

    def again(self, number):
        self.processes[number] = subprocess.Popen(
            ["java", "-Xmx512m", "-Djava.net.preferIPv4Stack=true", "-Dzookeeper.forceSync=yes", "-cp",
             ":".join(JARS), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             f"{self.folder}/{number}/zoo.cfg"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)

    def kill(self, number):
        self.processes[number].kill()
        self.processes.pop(number).wait()

    def close(self):
        for number in list(self.processes):
            self.kill(number)
        shutil.rmtree(self.folder, ignore_errors=True)


class Raw:
    """A connection that speaks frames by hand."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, payload):
        self.socket.sendall(struct.pack(">i", len(payload)) + payload)

    def take(self):
        head = self.exactly(4)
        return self.exactly(struct.unpack(">i", head)[0])

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise OSError("closed")
            data += part
        return data

    def ask_session(self):
        self.send(struct.pack(">iqiqi16sb", 0, 0, 3000000, 0, 16, bytes(16), 0))


def scale():
    """100,000 sessions (their clients gone, so that the sessions alone are measured), then a million watches."""
    cluster = Cluster(3, offset=21000, settings=["zookeeper.timeout_max_ms=3600000"])
    figures = {}
    try:
        cluster.start_all()

        def resident():
            time.sleep(3)
            return max(cluster.resident_bytes(number) for number in (1, 2, 3)) / 2**20
        figures["idle"] = resident()
        for start_at in range(0, 100000, 500):
            batch = [Raw(cluster.zookeeper(1 + n % 3)) for n in range(500)]
            for one in batch:
                one.ask_session()
            for one in batch:
                one.take()
                one.socket.close()
        figures["sessions"] = resident()
        watchers = [Raw(cluster.zookeeper(1)) for _ in range(1000)]
        for number, one in enumerate(watchers):
            one.ask_session()
            one.take()
            requests = b""
            for n in range(1000):
                path = f"/watched/{number}/{n}".encode()
                body = struct.pack(">iii", n + 1, 3, len(path)) + path + b"\1"
                requests += struct.pack(">i", len(body)) + body
            one.socket.sendall(requests)
            for _ in range(1000):
                one.take()
        figures["watches"] = resident()
        told = word(cluster.zookeeper(1), "mntr")
        counts = dict(line.split("\t")[:2] for line in told.splitlines() if "\t" in line)
        print(f"\ncairn, memory of the fullest server: idle {figures['idle']:.1f} MiB; with "
              f"{counts.get('zk_global_sessions', '?')} sessions {figures['sessions']:.1f} MiB; with "
              f"{counts.get('zk_watch_count', '?')} watches more, each on a path of its own, {figures['watches']:.1f} MiB",
              flush=True)
    finally:
        cluster.close()
    return {("scale", key): value for key, value in figures.items()}


def median(values):
    return statistics.median(values)


def load(systems, passes, seconds):
    """Every pass starts each system afresh; JVMs run all cases once before that counts."""
    results = {}
    for number in range(passes):
        for kind in systems:
            print(f"load, pass {number + 1} of {passes}: {kind.name}", file=sys.stderr, flush=True)
            system = kind()
            try:
                system.wait_serving()
                if kind is ZooKeeper:
                    for command in CASES:
                        system.generate(command, 3).communicate()
                for command in CASES:
                    results.setdefault((command, kind.name), []).append(system.load(command, seconds))
                results.setdefault(("resident", kind.name), []).append(median(system.resident()))
            finally:
                system.close()
    figures = {}
    for command in CASES:
        print(f"\n### {command}, 1 KiB, 10 sessions, 100 under way\n")
        print("| system | ops/s | p50 ms | p99 ms | p99.9 ms | server CPU us/op | ratio of ops/s | of p99 |")
        print("|---|---|---|---|---|---|---|---|")
        for kind in systems:
            runs = results[command, kind.name]
            m = {key: median(run[key] for run in runs) for key in
                 ("ops_per_second", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "errors")}
            figures[command, kind.name] = m
            other = figures.get((command, "cairn"))
            ratio = f"{other['ops_per_second'] / m['ops_per_second']:.1f}" if kind is ZooKeeper else ""
            tail = f"{other['p99_ms'] / m['p99_ms']:.2f}" if kind is ZooKeeper else ""
            print(f"| {kind.name} | {m['ops_per_second']:,.0f} | {m['p50_ms']:.2f} | {m['p99_ms']:.2f} "
                  f"| {m['p999_ms']:.2f} | {m['cpu_us']:.1f} | {ratio} | {tail} |", flush=True)
    for kind in systems:
        figures["resident", kind.name] = median(results["resident", kind.name])
        print(f"\nresident after the load, {kind.name}: {figures['resident', kind.name]:.1f} MiB a server")
    return figures


def start(systems, passes, idle):
    figures = {}
    for kind in systems:
        times, sizes = [], []
        for number in range(passes):
            began = time.monotonic()
            system = kind()
            try:
                system.wait_serving()
                times.append(time.monotonic() - began)
                if number == 0:
                    time.sleep(idle)
                    sizes = system.resident()
            finally:
                system.close()
        figures["start", kind.name] = {"seconds": median(times), "idle_mib": max(sizes)}
        print(f"\nstart until all three serve, {kind.name}: {median(times):.2f} s; idle memory after {idle} s: "
              f"{max(sizes):.1f} MiB a server", flush=True)
    return figures


def kills(systems, count):
    """One kill a run of the generator, whose sessions write nodes of their own and check them."""
    figures = {}
    for kind in systems:
        system = kind()
        try:
            system.wait_serving()
            system.generate("set", 5).communicate()
            for role in ("leader", "follower"):
                gaps, lost, expired, missing = [], 0, 0, 0
                for _ in range(count):
                    generator = system.generate("set", 3, 1, ["--own"])
                    time.sleep(2)
                    victim = system.which(role)
                    system.kill(victim)
                    time.sleep(1.5)
                    system.again(victim)
                    result = json.loads(generator.communicate()[0])
                    gaps.append(result["gap_ms"])
                    lost += result["lost"]
                    expired += result["expired"]
                    missing += result["missing"]
                    system.wait_serving()
                figures["kill", role, kind.name] = gaps
                print(f"\n{role} killed {count} times, {kind.name}: longest gap ms median {median(gaps):.0f}, worst "
                      f"{max(gaps):.0f}; {lost} requests unanswered, {expired} sessions expired, {missing} acknowledged "
                      "writes missing", flush=True)
        finally:
            system.close()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--idle", type=int, default=40)
    parser.add_argument("--only", default="load,start,scale,kill")
    parser.add_argument("--json", help="write every figure to this file")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    systems = [Cairn]
    if shutil.which("java") and os.path.exists(JARS[0]):
        systems.append(ZooKeeper)
    else:
        print("zookeeper is left out: it is not installed")
    figures, parts = {}, arguments.only.split(",")
    if "load" in parts:
        figures.update(load(systems, arguments.passes, arguments.seconds))
    if "start" in parts:
        figures.update(start(systems, arguments.passes, arguments.idle))
    if "scale" in parts:
        figures.update(scale())
    if "kill" in parts:
        figures.update(kills(systems, arguments.kills))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump({" ".join(key): value for key, value in figures.items()}, out, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
