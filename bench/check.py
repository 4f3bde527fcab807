#!/usr/bin/env python3
"""How fast the judge is, beside the recorded figures of other checkers.

Usage: bench/check.py [--histories DIR] [--passes N] [--json FILE]

DIR holds recorded histories and their verdicts.tsv (columns file, model, level, verdict, and
porcupine_s where that checker was measured); without it only histories that are made here are
judged. Times are the best of N passes (default 3) and of five checks in each, as the peers' are in one process; memory is the peak of the
process. The peers' figures were recorded on a machine of the same kind (2 cores), not in this run.
"""
import argparse
import csv
import json
import os

import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CAIRN = os.path.join(ROOT, "build", "cairn")

rows = []

def row(what, measured, goal, peer, ok):
    rows.append({"what": what, "measured": measured, "goal": goal, "peer": peer, "ok": ok})
    print(f"{what:<58} {measured:>18} {goal:>14} {'ok' if ok else 'MISSED':>7}  {peer}", flush=True)

def run(args, **kwargs):
    """Exit code, output, seconds, peak MB of the process."""
    began = time.monotonic()
    process = subprocess.Popen([CAIRN] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)
    out, err = process.communicate()
    took = time.monotonic() - began
    return process.returncode, out, took, err

def peak_mb(args):
    """Of one more run, by itself in a child of its own."""
    code = ("import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,"
            "stderr=subprocess.DEVNULL);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = subprocess.run([sys.executable, "-c", code, CAIRN] + args, stdout=subprocess.PIPE, text=True).stdout
    return int(out) / 1024

def best(args, passes, key="check_s"):
    """The least of check_s (inside), and of the whole process."""
    inside = whole = float("inf")
    answer = "?"
    for _ in range(passes):
        whole = min(whole, run(args)[2])
        code, out, took, err = run(args + ["--json", "--repeat", "5"])
        if code == 3:
            sys.exit(f"cairn {' '.join(args)}: {err}")
        result = json.loads(out)
        answer = result["answer"]
        inside = min(inside, result[key])
    return inside, whole, answer

def gen(folder, name, *args):
    path = os.path.join(folder, name)
    subprocess.run([CAIRN, "gen", *args, "-o", path], check=True, stdout=subprocess.DEVNULL)
    return path

def ms(seconds):
    return f"{seconds * 1e3:.3f} ms" if seconds < 0.1 else f"{seconds:.3f} s"

def recorded(folder, passes):
    groups = {}
    with open(os.path.join(folder, "verdicts.tsv"), newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for entry in table:
        if not entry.get("porcupine_s"):
            continue
        group = groups.setdefault("/".join(entry["file"].split("/")[:2]), [0, 0.0, 0.0, 0.0, 0.0])
        inside, whole, answer = best(["check", os.path.join(folder, entry["file"]), "--model", entry["model"],
                                      "--level", entry["level"]], passes)
        if answer != {"true": "yes", "false": "no"}[entry["verdict"]]:
            sys.exit(f"{entry['file']}: {answer}, which is wrong")
        group[0] += 1
        group[1] += inside
        group[2] += float(entry["porcupine_s"])
        group[3] = max(group[3], inside)
        group[4] = max(group[4], whole)
    for name, (count, inside, peer, worst, process) in groups.items():
        row(f"{name}: {count} files, sum of check times", ms(inside), ms(peer / 10), f"porcupine {ms(peer)}",
            inside <= peer / 10)
        row(f"{name}: slowest file", ms(worst), "15 ms", "porcupine 297 ms (etcd_002)", worst <= 0.015)
        row(f"{name}: slowest process", ms(process), "5 ms", "-", process <= 0.005)
    named = {entry["file"]: entry for entry in table}
    for file, goal, peer in (("porcupine/kv/c10-ok.txt", 0.000074, "porcupine 0.74 ms"),
                             ("porcupine/kv/c10-bad.txt", 0.000037, "porcupine 0.37 ms"),
                             ("porcupine/kv/c50-ok.txt", 0.025, "porcupine 0.20-0.26 s")):
        if file in named:
            path = os.path.join(folder, file)
            inside, _, answer = best(["check", path, "--model", "kv"], passes * 3)
            row(f"{file}, key by key: {answer}", ms(inside), ms(goal), peer, inside <= goal)
    for file, peer in (("porcupine/kv/c10-ok.txt", "porcupine 3.2 s"), ("porcupine/kv/c10-bad.txt", "porcupine 4.1 s")):
        if file in named:
            inside, _, answer = best(["check", os.path.join(folder, file), "--model", "kv", "--whole"], passes)
            row(f"{file}, all keys as one object: {answer}", ms(inside), "0.1 s", peer, inside <= 0.1)
    huge = os.path.join(folder, "elle/huge-scc.edn")
    if os.path.exists(huge):
        _, whole, answer = best(["check", huge, "--model", "txn-append", "--level", "strong-snapshot-isolation"], passes)
        row(f"elle/huge-scc.edn, with a shortest cycle: {answer}", ms(whole), "3 s",
            "elle: cycle search times out", whole <= 3)

def kv_keys(folder, passes):
    """50 clients, 2,000 operations, ten keys: every key decided."""
    for name, extra in (("valid", []), ("stale", ["--bad"])):
        path = gen(folder, f"kv-{name}.jsonl", "--model", "kv", "--clients", "50", "--ops", "2000", "--keys", "10",
                   "--seed", "50", *extra)
        keys = {}
        with open(path) as file:
            for line in file:
                keys.setdefault(json.loads(line).get("key"), []).append(line)
        slowest, undecided = 0.0, 0
        for i, lines in enumerate(keys.values()):
            one = os.path.join(folder, "one.jsonl")
            with open(one, "w") as file:
                file.writelines(lines)
            inside, _, answer = best(["check", one, "--model", "kv"], 1)
            slowest = max(slowest, inside)
            undecided += answer == "undecided"
        row(f"kv, 50 clients, 2,000 operations, {name}: slowest of {len(keys)} keys", ms(slowest), "1 s",
            "porcupine: 4 of 10 keys undecided after 10 s", slowest <= 1 and undecided == 0)

def made(folder, passes):
    for name, extra in (("valid", []), ("stale", ["--bad"])):
        path = gen(folder, f"u20-{name}.jsonl", "--clients", "20", "--ops", "1000", "--seed", "1", *extra)
        inside, _, answer = best(["check", path], passes)
        row(f"register, unique, 20 clients, 1,000 operations, {name}: {answer}", ms(inside), "5 ms",
            "porcupine: undecided after 10 s", inside <= 0.005)
    path = gen(folder, "v5-20.jsonl", "--clients", "20", "--ops", "1000", "--values", "5", "--seed", "2")
    inside, _, answer = best(["check", path], passes)
    row(f"register, five values, 20 clients, 1,000 operations: {answer}", ms(inside), "1 s",
        "porcupine: 8.6 s, or undecided after 10 s", inside <= 1)
    path = gen(folder, "v5-10.jsonl", "--clients", "10", "--ops", "20000", "--values", "5", "--seed", "3")
    _, whole, answer = best(["check", path], passes)
    memory = peak_mb(["check", path])
    row(f"register, five values, 10 clients, 20,000 operations: {answer}", f"{ms(whole)} {memory:.0f} MB",
        "0.5 s 64 MB", "porcupine 8.3 s, 1.6 GB", whole <= 0.5 and memory <= 64)
    path = gen(folder, "u50.jsonl", "--clients", "50", "--ops", "1000000", "--seed", "4")
    _, whole, answer = best(["check", path], passes)
    memory = peak_mb(["check", path])
    row(f"register, unique, 50 clients, a million operations: {answer}", f"{ms(whole)} {memory:.0f} MB",
        "2 s 200 MB", "porcupine: undecided at 1,000", whole <= 2 and memory <= 200)
    os.unlink(path)
    path = gen(folder, "place.jsonl", "--clients", "10", "--ops", "10000", "--keys", "4", "--seed", "5")
    began = min(run(["place", path])[2] for _ in range(passes))
    row("cairn place, 10,000 unique operations, all levels", ms(began), "2 s", "-", began <= 2)
    os.unlink(path)
    path = gen(folder, "txn.jsonl", "--model", "txn-rw", "--clients", "50", "--ops", "300000", "--keys", "1000",
               "--seed", "6")
    with open(path) as file:
        mops = sum(line.count('"r"') + line.count('"w"') for line in file if '"ok"' in line)
    # What plume and AWDIT call read committed, read atomic and causal: with session order.
    for level in ("session-monotonic-atomic-view", "session-read-atomic", "causal"):
        inside, whole, answer = best(["check", path, "--level", level], 1)
        row(f"transactions, 50 sessions, {mops:,} operations, {level}: {answer}", ms(whole), "5 s",
            "plume: up to 50 GB at such sizes", whole <= 5)
    os.unlink(path)
    path = os.path.join(folder, "tiny.jsonl")
    with open(path, "w") as file:
        file.write('{"process":0,"type":"invoke","f":"write","value":1}\n{"process":0,"type":"ok","f":"write","value":1}\n')
    whole = min(run(["check", path])[2] for _ in range(20))
    row("start to end of a process, one operation", ms(whole), "5 ms", "a JVM: seconds", whole <= 0.005)

def main():
    global CAIRN
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--histories", default="")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--json", default="")
    parser.add_argument("--cairn", default=CAIRN)
    args = parser.parse_args()
    CAIRN = os.path.abspath(args.cairn)
    print(f"{'what':<58} {'measured':>18} {'goal':>14} {'':>7}  peer, as recorded")
    if args.histories:
        recorded(args.histories, args.passes)
    else:
        print("no --histories: recorded histories are left out")
    with tempfile.TemporaryDirectory() as folder:
        kv_keys(folder, args.passes)
        made(folder, args.passes)
    missed = sum(not entry["ok"] for entry in rows)
    print(f"{len(rows)} rows, {missed} missed")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(rows, file, indent=1)

if __name__ == "__main__":
    main()
