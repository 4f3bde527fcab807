#!/usr/bin/env python3
"""What is too long for every change; the last line is "N passed, N failed".

Usage: tools/soak.py [--minutes M] [--only PART[,PART...]]

Parts:
  seeds     the simulator over fresh seeds, for M minutes
  cores     protocol cores alone: fresh seeds for M minutes, by chance and guided
  schedules all schedules of small groups, for M minutes each set of bounds: 60, to see what an hour covers
  mutants   how soon each seeded bug is found, within ten core-minutes; the table in docs/simulation.md is made from it
  judge     every mutant of the checkers must be killed by the tests
  histories more than a million tiny histories, judged as exhaustive search over the definitions does
  fuzz      every fuzz target, a million executions
  failover  50 kills of the leader under load
  upgrade   a cluster of an earlier build is upgraded node by node under load
  dev       first starts of cairn dev that are killed within milliseconds
  founding  founders that lose their disks in the first moments, 60 rounds
  members   200 changes of members on real processes
  attack    whatever a stranger can do at every port, for M minutes in all (tools/attack.py)
  day       an operator's day: machines with networks and disks of their own, replaced, moved, filled, lost
  bare      README's commands on a bare Debian root (tools/bare_system)
"""
import argparse
import re
import subprocess
import sys
import time

import power

CAIRN = "build/cairn"
MUTANT_MINUTES = 10
FUZZ_RUNS = 1000000
KILLS = 50
# Bounds of the search of all schedules: elections, entries, crashes, lost, deadlines, overtaking. Each goes on for M
# minutes of processor time at most, and says how far it came.
SEARCHED = (("raft", (2, 2, 1, 2, 2, 0)), ("raft", (2, 2, 1, 2, 3, 0)), ("raft", (3, 2, 1, 1, 3, 1)),
            ("zab", (2, 2, 1, 2, 2, 0)), ("zab", (2, 2, 1, 2, 3, 0)), ("zab", (3, 2, 1, 1, 3, 1)))
SEARCH_MB = 12000
ATTACKS = 29  # those at the peer port twice
CHANGES = 200
FIRST_STARTS = 40  # of cairn dev, killed in their first milliseconds
FOUNDING_ROUNDS = 60
HISTORIES = [("check_random", {"CAIRN_TEST_TIMES": "20"}), ("forced", {"CAIRN_TEST_TIMES": "10"}),
             ("txn", {"TXN_RUNS": "300000"})]


def run(command):
    print("$", " ".join(command), flush=True)
    start = time.time()
    code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    print(f"  exit code {code} after {time.time() - start:.0f} s", flush=True)
    return code


def part_seeds(minutes):
    """Half of the runs make rare branches common; one that none of them took is reported."""
    first = int(time.time()) * 1000
    command = [CAIRN, "sim", "--seeds", f"{first}-{first + 999999}", "--minutes", str(minutes), "--rare"]
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    print(done.stdout, flush=True)
    missed = re.search(r"^never taken, of \d+: (.*)$", done.stdout, re.M)
    results = [("seeds", done.returncode == 0)]
    if missed and missed.group(1) != "none":
        results += [(f"rare branch {name} is taken", False) for name in missed.group(1).split()]
    elif missed:
        results.append(("every rare branch is taken", True))
    return results


def part_cores(minutes):
    first = int(time.time()) * 1000000
    seeds = [CAIRN, "sim", "--cores", "--seeds", f"{first}-{first + 999999999}", "--minutes", str(minutes)]
    results = [("cores", run(seeds) == 0), ("cores, guided", run(seeds + ["--guided"]) == 0)]
    return results


def part_schedules(minutes):
    """Not to come to the end is no failure: the larger bounds are more than an hour's."""
    results = []
    names = ("elections", "entries", "crashes", "lost", "ticks", "overtaking")
    for protocol, bounds in SEARCHED:
        flags = [text for name, bound in zip(names, bounds) for text in (f"--{name}", str(bound))]
        code = run([CAIRN, "sim", "--cores", "--exhaustive", "--protocol", protocol, "--minutes", str(minutes),
                    "--memory", str(SEARCH_MB)] + flags)
        results.append((f"all schedules of {protocol} within {bounds}", code in (0, 2)))
    return results


def part_mutants(_):
    arguments = power.parse(["--minutes", str(MUTANT_MINUTES), "--results", f"build/power-{int(time.time())}.jsonl"])
    results = power.power(arguments)
    power.write(results)
    print(power.sums(results), flush=True)
    return [(f"mutant {name} is found", power.is_found(starts)) for name, starts in results.items()]


def part_judge(_):
    return [("mutants of the judge", run(["tools/mutants"]) == 0)]


def part_histories(_):
    """Each test fails at its first disagreement; what it compared is in what it prints."""
    results = []
    for name, more in HISTORIES:
        settings = [f"{key}={value}" for key, value in more.items()]
        good = run(["ninja", "-C", "build", f"tests/unit/test_{name}"]) == 0
        results.append((f"histories: {name}", good and run(["env"] + settings + [f"build/tests/unit/test_{name}"]) == 0))
    return results


def part_fuzz(_):
    return [("fuzz", run(["python3", "tools/fuzz.py", "--runs", str(FUZZ_RUNS)]) == 0)]


def part_failover(_):
    return [("failover", run(["python3", "bench/failover.py", "--kills", str(KILLS)]) == 0)]


def part_upgrade(_):
    """A cluster of an earlier build is upgraded under load."""
    built = subprocess.run(["tools/earlier"], stdout=subprocess.PIPE, text=True)
    if built.returncode:
        print("upgrade: skipped, the earlier build is not in this clone's history")
        return []
    old = built.stdout.strip().splitlines()[-1]
    return [("upgrade", run(["env", f"CAIRN_OLD={old}", "tests/client/run", "upgrade"]) == 0)]


def part_members(_):
    command = ["env", f"CHANGES={CHANGES}", f"SEED={int(time.time())}", "VERBOSE=1", "node", "tests/client/membership.mjs"]
    return [("members", run(command) == 0)]


def part_dev(_):
    return [("first starts", run(["env", f"KILLS={FIRST_STARTS}", "node", "tests/client/dev.mjs", "first start"]) == 0)]


def part_founding(_):
    command = ["env", f"CAIRN_FOUNDING_ROUNDS={FOUNDING_ROUNDS}", "node", "tests/client/founding.mjs"]
    return [("founders that lose their disks", run(command) == 0)]


def part_day(_):
    return [("operators' day", run(["node", "tests/client/operators_day.mjs"]) == 0)]


def part_bare(_):
    return [("bare system", run(["tools/bare_system"]) == 0)]


def part_attack(minutes):
    seconds = max(2, minutes * 60 // ATTACKS)
    return [("attack", run(["python3", "tools/attack.py", "--seconds", str(seconds)]) == 0)]


PARTS = {"seeds": part_seeds, "cores": part_cores, "schedules": part_schedules,
         "mutants": part_mutants, "judge": part_judge, "histories": part_histories,
         "fuzz": part_fuzz, "failover": part_failover, "members": part_members, "dev": part_dev,
         "founding": part_founding, "upgrade": part_upgrade,
         "attack": part_attack, "day": part_day, "bare": part_bare}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(PARTS)
    if subprocess.run(["make", "-s", "build/cairn"]).returncode:
        return 1
    results = []
    for name in names:
        if name not in PARTS:
            print(f"no such part: {name}; there are {', '.join(PARTS)}", file=sys.stderr)
            return 3
        results += PARTS[name](arguments.minutes)
    for name, good in results:
        print(f"{'ok    ' if good else 'not ok'} {name}")
    failed = sum(not good for _, good in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
