#!/usr/bin/env python3
"""The simulator's power: how soon it finds each seeded bug (`cairn sim --power`). The result is the table in
docs/simulation.md.

Usage: tools/power.py [--starts N] [--seconds S] [--minutes M] [--first A] [--only NAME,...] [--results FILE] [--write]

  --starts N      each bug is hunted from so many starting seeds (3), from each for at most
  --seconds S     of processor time (60); one that the first start does not find gets no other start, but
  --minutes M     of processor time from the first (10; 0: none)
  --first A       the first starting seed (1000001); the others lie a million apart
  --only NAMES    of the bugs, these alone
  --results FILE  one line a start (build/power.jsonl); what it has is not run again
  --write         puts the table into docs/simulation.md
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

CAIRN = "build/cairn"
DOCS = "docs/simulation.md"
BEGIN, END = "<!-- tools/power.py writes what follows -->", "<!-- as far as here -->"
APART = 1000000


def mutants():
    """The seeded bugs, by the one list of them."""
    with open("src/base/mutant.h", encoding="utf-8") as header:
        names = re.findall(r'^    X\(\w+,[\s\\]*"([^"]+)",', header.read(), re.M)
    return [name for name in names if name != "none"]


def hunt(name, first, starts, seconds):
    command = [CAIRN, "sim", "--power", "--mutant", name, "--seeds", str(first), "--starts", str(starts), "--seconds",
               str(seconds), "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(name, arguments):
    """What each start gave. A first start that finds nothing is run once more, for longer, in place of all."""
    short = hunt(name, arguments.first, 1, arguments.seconds)
    if short[0]["found"] and arguments.starts > 1:
        return short + hunt(name, arguments.first + APART, arguments.starts - 1, arguments.seconds)
    if not short[0]["found"] and arguments.minutes * 60 > arguments.seconds:
        return hunt(name, arguments.first, 1, arguments.minutes * 60)
    return short


def tell(name, starts):
    found = [start for start in starts if start["found"]]
    line = f"{name:<30} {len(found)} of {len(starts)}  {median(starts):7.1f} s"
    if found:
        line += f"  {found[0]['world']}, seed {found[0]['seed']}: {found[0]['reason'][:90]}"
    print(line, flush=True)
    for start in starts:
        if "plain" in start:
            print(f"    fails without it as well: {start['plain_world']}, seed {start['plain_seed']}", flush=True)


def median(starts):
    return statistics.median(start["seconds"] if start["found"] else start["budget_s"] for start in starts)


def is_found(starts):
    return 2 * sum(start["found"] for start in starts) > len(starts)


def power(arguments):
    """Starts by bug; what is measured is kept at once."""
    asked = arguments.only.split(",") if arguments.only else mutants()
    results = {}
    if os.path.exists(arguments.results):
        with open(arguments.results, encoding="utf-8") as file:
            for start in map(json.loads, file):
                results.setdefault(start["mutant"], []).append(start)
    for name in asked:
        if name not in results:
            results[name] = measure(name, arguments)
            with open(arguments.results, "a", encoding="utf-8") as file:
                file.writelines(json.dumps(start) + "\n" for start in results[name])
        tell(name, results[name])
    return {name: results[name] for name in asked}


def rule(reason):
    """The rule, without what the run had."""
    return reason.removeprefix("cairn: ").split(": ")[0 if "assertion" not in reason else 1].replace("|", "\\|")


def sums(results):
    found = [starts for starts in results.values() if is_found(starts)]
    return (f"{len(found)} of {len(results)} are found ({100 * len(found) / len(results):.0f} %); median "
            f"{statistics.median(map(median, results.values())):.2f} core-seconds, "
            f"{sum(map(median, results.values())):.0f} together.")


def budgets(results):
    """How many bugs had how many starts, of how many core-seconds at most."""
    had = collections.Counter((len(starts), starts[0]["budget_s"]) for starts in results.values())
    told = [f"{bugs} had {starts} start{'s' if starts > 1 else ''} of at most {seconds} core-seconds"
            for (starts, seconds), bugs in sorted(had.items(), reverse=True)]
    first = min(start["first"] for starts in results.values() for start in starts)
    return ", ".join(told) + f"; the first start is seed {first}."


def table(results):
    lines = [f"{sums(results)} Of all, {budgets(results)}", "",
             "| seeded bug | grade | found | core-seconds | where | by |", "| --- | --- | --- | --- | --- | --- |"]
    for name, starts in results.items():
        found = [start for start in starts if start["found"]]
        counted = f"{len(found)} of {len(starts)}"
        if found:
            lines.append(f"| `{name}` | {starts[0]['grade']} | {counted} | {median(starts):.1f} | {found[0]['world']} | "
                         f"{rule(found[0]['reason'])} |")
        else:
            lines.append(f"| `{name}` | {starts[0]['grade']} | {counted} | {median(starts):.0f} in vain | | |")
    return "\n".join(lines)


def write(results):
    with open(DOCS, encoding="utf-8") as file:
        text = file.read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    with open(DOCS, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n\n{table(results)}\n\n{END}{tail}")


def parse(line=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("starts", 3), ("seconds", 60), ("minutes", 10), ("first", 1000001)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only")
    parser.add_argument("--results", default="build/power.jsonl")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args(line)


def main():
    arguments = parse()
    results = power(arguments)
    print(sums(results))
    if arguments.write:
        write(results)
    return 0 if all(map(is_found, results.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
