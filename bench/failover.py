#!/usr/bin/env python3
"""Kills the leader with SIGKILL again and again under write load; no acknowledged write may be lost.

Usage: bench/failover.py [--kills N] [--writers N] [--json]

Each writer sets rising values of its own key at whichever node answers, and remembers what was
acknowledged. After every kill the longest time without any acknowledged write is the gap. At the
end every node is asked for every key. Exit code 1: something acknowledged is missing.
"""
import argparse
import json
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from cluster import Cluster, Resp, RespError  # noqa: E402

ELECTION_TIMEOUT_MAX_MS = 300


class Writer(threading.Thread):
    def __init__(self, cluster, number, acks):
        super().__init__(daemon=True)
        self.cluster, self.number, self.acks = cluster, number, acks
        self.sent = self.acked = 0
        self.stopping = False

    def run(self):
        node = self.number % self.cluster.nodes + 1
        client = None
        while not self.stopping:
            try:
                client = client or Resp(self.cluster.redis(node), 2.0)
                self.sent += 1
                client("SET", f"writer:{self.number}", self.sent)
                self.acked = self.sent
                self.acks.append(time.monotonic())
            except (OSError, RespError):
                if client:
                    client.close()
                client = None
                node = node % self.cluster.nodes + 1
                time.sleep(0.001)


def longest_gap(acks, since, until):
    times = [since] + [t for t in acks if since <= t <= until] + [until]
    return max(b - a for a, b in zip(times, times[1:])) * 1000


def verify(cluster, writers):
    """What a key holds is what was acknowledged last, or a later write whose fate was unknown."""
    lost = 0
    for node in range(1, cluster.nodes + 1):
        client = Resp(cluster.redis(node))
        for writer in writers:
            value = int(client("GET", f"writer:{writer.number}") or 0)
            if not writer.acked <= value <= writer.sent:
                print(f"node {node}: writer {writer.number} was acknowledged {writer.acked}, found {value}")
                lost += 1
        client.close()
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cluster = Cluster(3, offset=21000)
    acks, gaps = [], []
    writers = [Writer(cluster, n, acks) for n in range(arguments.writers)]
    try:
        cluster.start_all()
        for writer in writers:
            writer.start()
        time.sleep(1)
        for _ in range(arguments.kills):
            leader = cluster.leader()
            killed_at = time.monotonic()
            cluster.kill(leader)
            time.sleep(1.5)
            gaps.append(longest_gap(acks, killed_at - 0.01, time.monotonic()))
            acks.clear()
            cluster.start(leader)
            cluster.wait_healthy()
        for writer in writers:
            writer.stopping = True
        for writer in writers:
            writer.join()
        lost = verify(cluster, writers)
    finally:
        cluster.close()
    result = {"kills": len(gaps), "acknowledged": sum(w.acked for w in writers), "lost": lost,
              "gap_ms_median": round(statistics.median(gaps), 1), "gap_ms_worst": round(max(gaps), 1),
              "election_timeout_max_ms": ELECTION_TIMEOUT_MAX_MS}
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"{result['kills']} kills of the leader: write gap median {result['gap_ms_median']} ms, worst "
              f"{result['gap_ms_worst']} ms; {lost} acknowledged writes lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
