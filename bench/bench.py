#!/usr/bin/env python3
"""Compares cairn with its peers, side by side on one machine: passes alternate (A B C A B C), figures
are medians. CPU is that of all server processes together, per operation.

Usage: bench/bench.py [--seconds S] [--passes N] [--only NAME[,NAME...]] [--nodes] [--quick] [--json FILE]

Systems: cairn (three nodes, durability fsync, asked at the leader; then through every node), redis (no persistence),
redis-always (appendfsync always), redis-wait (two replicas, appendfsync always on all, SET + WAIT 1),
etcd (three nodes). A peer that is not installed is left out, and said so.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from cluster import ROOT, Cluster, Resp  # noqa: E402

BENCH = os.path.join(ROOT, "build", "cairn")


def cpu_of(pids):
    total = 0.0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def rss_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def wait_port(port, patience=20):
    end = time.time() + patience
    while time.time() < end:
        try:
            Resp(port, 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


class System:
    """What is measured: its processes, where to send, and what it can do."""
    wait = 0

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cairn-bench-")
        self.processes = []

    def spawn(self, command):
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL))

    def pids(self):
        return [process.pid for process in self.processes]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, case, seconds):
        before = cpu_of(self.pids())
        command = [BENCH, "bench", "--node", f"127.0.0.1:{self.port()}", "--json", "--command", case["command"],
                   "--clients", str(case["clients"]), "--pipeline", str(case["pipeline"]),
                   "--bytes", str(case["bytes"]), "--seconds", str(seconds)]
        if self.wait and case["command"] == "set":
            command += ["--wait", str(self.wait)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        result["cpu_us"] = (cpu_of(self.pids()) - before) * 1e6 / max(result["ops"], 1)
        return result


class Cairn(System):
    name = "cairn"

    def __init__(self):
        super().__init__()
        self.cluster = Cluster(3, offset=23000, folder=self.folder)
        self.cluster.start_all()
        self.processes = list(self.cluster.processes.values())

    def port(self):
        return self.cluster.redis(self.cluster.leader())


class Redis(System):
    name = "redis"
    arguments = ["--appendonly", "no"]

    def __init__(self):
        super().__init__()
        self.start(24001)
        wait_port(24001)

    def start(self, port, extra=()):
        folder = os.path.join(self.folder, str(port))
        os.makedirs(folder)
        self.spawn(["redis-server", "--port", str(port), "--save", "", "--dir", folder] + self.arguments +
                   list(extra))

    def port(self):
        return 24001


class RedisAlways(Redis):
    name = "redis-always"
    arguments = ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
                 "--repl-diskless-sync-delay", "0"]


class RedisWait(RedisAlways):
    name = "redis-wait"
    wait = 1

    def __init__(self):
        System.__init__(self)
        self.start(24001)
        wait_port(24001)
        for port in (24002, 24003):
            self.start(port, ["--replicaof", "127.0.0.1", "24001"])

        client = Resp(24001)
        end = time.time() + 30
        while client("INFO", "replication").count(b"state=online") < 2 and time.time() < end:
            time.sleep(0.1)
        client.close()


class Etcd(System):
    name = "etcd"

    def __init__(self):
        super().__init__()
        peers = ",".join(f"n{i}=http://127.0.0.1:{24380 + i}" for i in (1, 2, 3))
        for i in (1, 2, 3):
            self.spawn(["etcd", "--name", f"n{i}", "--data-dir", f"{self.folder}/n{i}", "--listen-client-urls",
                        f"http://127.0.0.1:{24370 + i}", "--advertise-client-urls", f"http://127.0.0.1:{24370 + i}",
                        "--listen-peer-urls", f"http://127.0.0.1:{24380 + i}", "--initial-advertise-peer-urls",
                        f"http://127.0.0.1:{24380 + i}", "--initial-cluster", peers, "--logger", "zap",
                        "--log-level", "error"])
        for i in (1, 2, 3):
            wait_port(24370 + i)
        time.sleep(3)

    def leader_port(self):
        import urllib.request
        for i in (1, 2, 3):
            with urllib.request.urlopen(f"http://127.0.0.1:{24370 + i}/metrics", timeout=3) as page:
                if re.search(rb"^etcd_server_is_leader 1", page.read(), re.M):
                    return 24370 + i
        return 24371

    @staticmethod
    def message(case):
        def field(number, data):
            size, length = len(data), b""
            while size > 127:
                length += bytes([size & 127 | 128])
                size >>= 7
            return bytes([number << 3 | 2]) + length + bytes([size]) + data
        body = field(1, b"key:000000000001")
        if case["command"] == "set":
            body += field(2, b"v" * case["bytes"])
        return b"\0" + len(body).to_bytes(4, "big") + body

    def run(self, case, seconds):
        """h2load speaks gRPC when it is given the frames: one key, a fixed value."""
        data = os.path.join(self.folder, "message")
        log = os.path.join(self.folder, "times")
        with open(data, "wb") as out:
            out.write(self.message(case))
        if os.path.exists(log):
            os.remove(log)
        method = "Put" if case["command"] == "set" else "Range"
        before = cpu_of(self.pids())
        began = time.time()
        # A first guess of how many make the time; h2load's own timing mode loses its log.
        count = (900 if case["clients"] == 1 else 6000) * max(1, min(case["pipeline"], 3)) * seconds // 3 + 1
        subprocess.run(["h2load", "-n", str(max(count, case["clients"])), "-c", str(case["clients"]), "-m",
                        str(case["pipeline"]), "-d", data, "--log-file", log, "-H", "content-type: application/grpc",
                        "-H", "te: trailers", f"http://127.0.0.1:{self.leader_port()}/etcdserverpb.KV/{method}"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=600)
        elapsed = time.time() - began
        times = sorted(int(line.split()[2]) / 1000 for line in open(log, encoding="utf-8")
                       if line.split()[1] == "200")
        ops = len(times)
        return {"ops": ops, "ops_per_second": ops / elapsed, "p50_ms": times[ops // 2], "p99_ms": times[ops * 99 // 100],
                "p999_ms": times[min(ops - 1, ops * 999 // 1000)], "errors": 0,
                "cpu_us": (cpu_of(self.pids()) - before) * 1e6 / ops}


SYSTEMS = {"cairn": (Cairn, []), "redis": (Redis, ["redis-server"]), "redis-always": (RedisAlways, ["redis-server"]),
           "redis-wait": (RedisWait, ["redis-server"]), "etcd": (Etcd, ["etcd", "h2load"])}


def cases(quick):
    for size in (100,) if quick else (100, 1024):
        for command in ("set", "get"):
            for clients, pipeline in ((1, 1), (50, 1), (50, 16)):
                yield {"command": command, "clients": clients, "pipeline": pipeline, "bytes": size}


def label(case):
    return f"{case['command'].upper()} {case['bytes']} B, c={case['clients']}, pipeline {case['pipeline']}"


def one_pass(name, all_cases, seconds, results, left_out):
    """Starts the system afresh and runs every case on it; a case's SETs fill the keys of its GETs."""
    system = SYSTEMS[name][0]()
    try:
        for case in all_cases:
            try:
                system.run(case, 1)  # warm
                results.setdefault((label(case), name), []).append(system.run(case, seconds))
            except (subprocess.SubprocessError, RuntimeError, OSError, IndexError) as problem:
                left_out.append(f"{name}, {label(case)}: {problem}")
    finally:
        system.close()


def medians_of(runs):
    return {key: statistics.median(run[key] for run in runs) for key in
            ("ops_per_second", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "errors")}


def print_case(case, medians):
    print(f"\n### {label(case)}\n")
    print("| system | ops/s | p50 ms | p99 ms | p99.9 ms | CPU us/op | cairn's ops/s over its |")
    print("|---|---|---|---|---|---|---|")
    own = medians.get("cairn", {}).get("ops_per_second")
    for name, m in medians.items():
        ratio = f"{own / m['ops_per_second']:.2f}" if own and name != "cairn" else ""
        print(f"| {name} | {m['ops_per_second']:,.0f} | {m['p50_ms']:.3f} | {m['p99_ms']:.3f} | {m['p999_ms']:.3f} "
              f"| {m['cpu_us']:.1f} | {ratio} |", flush=True)


def floor(seconds, passes):
    """One client's SET beside what the machine allows, alternating."""
    system, folder = Cairn(), tempfile.mkdtemp(prefix="cairn-floor-", dir=ROOT + "/build")
    own, bare = [], []
    case = {"command": "set", "clients": 1, "pipeline": 1, "bytes": 100}
    try:
        for _ in range(passes):
            own.append(system.run(case, seconds)["p50_ms"])
            done = subprocess.run([BENCH, "bench", "--floor", folder, "--seconds", str(seconds), "--json"],
                                  capture_output=True, text=True, check=True)
            bare.append(json.loads(done.stdout)["p50_ms"])
    finally:
        system.close()
        shutil.rmtree(folder, ignore_errors=True)
    own, bare = statistics.median(own), statistics.median(bare)
    print(f"\n### The floor\n\nSET c=1 p50: cairn {own:.3f} ms, the same hops and disk writes without any protocol "
          f"{bare:.3f} ms: {own / bare:.2f} times.", flush=True)
    return {"cairn_p50_ms": own, "floor_p50_ms": bare, "ratio": own / bare}


def every_node(seconds, passes):
    """SET through each node of one cluster, alternating: what a client at a follower pays."""
    system = Cairn()
    figures = {}
    try:
        leader = system.cluster.leader()
        nodes = sorted(system.cluster.processes, key=lambda node: node != leader)
        for clients in (1, 50):
            runs = {}
            case = {"command": "set", "clients": clients, "pipeline": 1, "bytes": 100}
            for _ in range(passes):
                for node in nodes:
                    system.port = lambda node=node: system.cluster.redis(node)
                    runs.setdefault(node, []).append(system.run(case, seconds))
            figures[clients] = {("leader" if node == leader else f"follower {node}"): medians_of(done)
                                for node, done in runs.items()}
    finally:
        system.close()
    for clients, nodes in figures.items():
        print(f"\n### Through every node: SET 100 B, c={clients}\n")
        print("| node | ops/s | p50 ms | p99 ms | CPU us/op |")
        print("|---|---|---|---|---|")
        for name, m in nodes.items():
            print(f"| {name} | {m['ops_per_second']:,.0f} | {m['p50_ms']:.3f} | {m['p99_ms']:.3f} | {m['cpu_us']:.1f} |",
                  flush=True)
    return figures


def memory(names):
    """Resident memory with a million keys of 100 bytes."""
    sizes = {}
    for name in [n for n in names if n in ("cairn", "redis")]:
        system = SYSTEMS[name][0]()
        client = Resp(system.port(), 60)
        for start in range(0, 1000000, 500):
            words = ["MSET"]
            for number in range(start, start + 500):
                words += [f"key:{number:012d}", "x" * 100]
            client(*words)
        client.close()
        time.sleep(2)
        sizes[name] = statistics.median(rss_of(pid) for pid in system.pids())
        system.close()
    print("\n### Resident memory, a million keys of 100 bytes\n")
    for name, size in sizes.items():
        print(f"- {name}: {size / 1e6:.0f} MB a node")
    if len(sizes) == 2:
        print(f"- ratio: {sizes['cairn'] / sizes['redis']:.2f}", flush=True)
    return sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--only", help="systems, separated by commas")
    parser.add_argument("--nodes", action="store_true", help="only cairn through each of its nodes")
    parser.add_argument("--quick", action="store_true", help="100-byte values only, one pass")
    parser.add_argument("--json", help="write every figure to this file")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments.nodes:
        every_node(arguments.seconds, arguments.passes)
        return 0
    names = arguments.only.split(",") if arguments.only else list(SYSTEMS)
    for name in list(names):
        missing = [tool for tool in SYSTEMS[name][1] if not shutil.which(tool)]
        if missing:
            print(f"{name} is left out: {missing[0]} is not installed")
            names.remove(name)
    passes = 1 if arguments.quick else arguments.passes
    figures, results, left_out = {}, {}, []
    all_cases = list(cases(arguments.quick))
    for number in range(passes):
        for name in names:
            print(f"pass {number + 1} of {passes}: {name}", file=sys.stderr, flush=True)
            one_pass(name, all_cases, arguments.seconds, results, left_out)
    for case in all_cases:
        figures[label(case)] = {name: medians_of(results[label(case), name]) for name in names
                                if (label(case), name) in results}
        print_case(case, figures[label(case)])
    if "cairn" in names:
        figures["floor"] = floor(arguments.seconds, passes)
        figures["every_node"] = every_node(arguments.seconds, passes)
    figures["memory"] = memory(names)
    for line in left_out:
        print("not measured:", line)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(figures, out, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
