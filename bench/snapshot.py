#!/usr/bin/env python3
"""What a snapshot costs the clients: latency of a steady load without and with snapshots under way.

Fills a cluster with state, then drives a paced SET/GET mix from a few connections, first with
snapshots out of reach and then with a log limit so small that one follows another. Prints the
percentiles of both and the longest slice of the event loop that snapshot work took on any node.

  bench/snapshot.py --keys 900000 --size 1024 --seconds 20
"""
import argparse
import os
import random
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from cluster import Cluster, Resp, RespError  # noqa: E402

PIPELINE = 500


def fill(port, keys, size):
    client = Resp(port, timeout=60)
    for start in range(0, keys, PIPELINE):
        batch = range(start, min(start + PIPELINE, keys))
        out = [b"*3\r\n$3\r\nSET\r\n$%d\r\nkey:%d\r\n$%d\r\n%s\r\n"
               % (len(b"key:%d" % key), key, size, random.randbytes(size // 2).hex().encode())
               for key in batch]
        client.sock.sendall(b"".join(out))
        for _ in batch:
            if isinstance(client._value(), RespError):
                raise RuntimeError("the cluster refused to be filled")
    client.close()


def drive(port, keys, size, until, rate, seed, samples):
    """One connection: a request at each tick of its own clock; late ones count from their tick."""
    rng = random.Random(seed)
    client = Resp(port, timeout=30)
    value = b"v" * size
    due = time.perf_counter() + rng.random() / rate
    while due < until:
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        key = f"key:{rng.randrange(keys)}"
        if rng.random() < 0.5:
            client("SET", key, value)
        else:
            client("GET", key)
        samples.append(time.perf_counter() - due)
        due += 1 / rate
    client.close()


def load(cluster, options):
    until = time.perf_counter() + options.seconds
    leader, samples = cluster.leader(), []
    threads = []
    for number in range(options.connections):
        mine = []
        samples.append(mine)
        threads.append(threading.Thread(target=drive, args=(
            cluster.redis(leader), options.keys, options.size, until,
            options.rate / options.connections, number, mine)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(sample for mine in samples for sample in mine)


def percentiles(samples):
    at = lambda q: samples[min(len(samples) - 1, int(len(samples) * q))] * 1e3  # noqa: E731
    return at(0.5), at(0.99), at(0.999), samples[-1] * 1e3


def metrics(cluster, node):
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin(node)}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in lines if line and not line.startswith("#")}


def report(name, samples, taken):
    p50, p99, p999, worst = percentiles(samples)
    print(f"{name:18} {len(samples):7} requests  p50 {p50:7.2f} ms  p99 {p99:7.2f}  "
          f"p99.9 {p999:7.2f}  max {worst:7.2f}  snapshots {taken}", flush=True)
    return p999


def restart(cluster, settings):
    for node in list(cluster.processes):
        cluster.stop(node, 60)
    cluster.settings[:] = settings
    for node in range(1, cluster.nodes + 1):
        cluster.start(node)
    cluster.wait_healthy(300)


def wait_for_keys(cluster, keys):
    """A node that starts is healthy before it has applied its log."""
    while any(cluster.status(node)["keys"] < keys for node in cluster.processes):
        time.sleep(0.2)


def snapshots(cluster):
    return int(sum(metrics(cluster, node)["cairn_snapshots_taken_total"] for node in cluster.processes))


def run(options):
    cluster = Cluster(3, options.offset, options.binary, options.dir, ["log.snapshot_log_mb=32"])
    try:
        cluster.start_all()
        fill(cluster.redis(cluster.leader()), options.keys, options.size)
        restart(cluster, ["log.snapshot_log_mb=4096"])
        wait_for_keys(cluster, options.keys)
        quiet = report("without snapshots", load(cluster, options), snapshots(cluster))
        restart(cluster, [f"log.snapshot_log_mb={options.log_mb}", "log.snapshot_trailing=1000"])
        wait_for_keys(cluster, options.keys)
        before = snapshots(cluster)
        busy = report("with snapshots", load(cluster, options), snapshots(cluster) - before)
        print(f"p99.9 with snapshots is {busy / quiet:.1f} times that without")
        for node in cluster.processes:
            found = metrics(cluster, node)
            prefix = "cairn_snapshot_slice_seconds"
            slow = found[prefix + "_count"] - found[prefix + '_bucket{le="0.002"}']
            print(f"node {node}: {found[prefix + '_count']:.0f} slices, {slow:.0f} above 2 ms, "
                  f"longest {found[prefix + '_max'] * 1e3:.2f} ms")
    finally:
        cluster.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=900000)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=2000, help="requests a second, over all connections")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--log-mb", type=int, default=1)
    parser.add_argument("--offset", type=int, default=20000)
    parser.add_argument("--binary")
    parser.add_argument("--dir")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
