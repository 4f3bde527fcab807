#!/usr/bin/env python3
"""Builds and runs every fuzz target; the last line is "N passed, N failed".

Usage: tools/fuzz.py [--seconds S | --runs N] [--target NAME]
A failure leaves the input that shows it in build-fuzz/findings/TARGET/.
"""
import argparse
import glob
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

BUILD = "build-fuzz"


def build():
    env = dict(os.environ, CC="clang")
    if not os.path.exists(f"{BUILD}/build.ninja"):
        subprocess.run(["meson", "setup", BUILD, "--buildtype=debugoptimized", "-Dfuzz=true",
                        "-Db_sanitize=address,undefined", "-Db_lundef=false"], env=env, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "--quiet", "-j2", "-C", BUILD], env=env, check=True)


def fuzz(path, arguments):
    name = os.path.basename(path)
    corpus, findings = f"{BUILD}/corpus/{name}", f"{BUILD}/findings/{name}/"
    os.makedirs(corpus, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    limit = [f"-runs={arguments.runs}"] if arguments.runs else [f"-max_total_time={arguments.seconds}"]
    seeds = [folder for folder in [f"fuzz/corpus/{name}"] if os.path.isdir(folder)]
    command = [path, corpus] + seeds + limit + ["-rss_limit_mb=4096", "-timeout=20", "-print_final_stats=1",
                                                "-verbosity=0", f"-artifact_prefix={findings}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    executed = [line.split()[-1] for line in done.stdout.splitlines() if "number_of_executed_units" in line]
    told = [f"{'ok    ' if done.returncode == 0 else 'not ok'} {name}: {executed[0] if executed else '?'} executions"]
    if done.returncode:
        told += ["    " + line for line in done.stdout.splitlines()[-40:]]
    print("\n".join(told), flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--target")
    arguments = parser.parse_args()
    build()
    targets = sorted(path for path in glob.glob(f"{BUILD}/fuzz/fuzz_*") if os.access(path, os.X_OK)
                     and os.path.isfile(path))
    if arguments.target:
        targets = [path for path in targets if os.path.basename(path) in (arguments.target, "fuzz_" + arguments.target)]
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        results = list(pool.map(lambda path: fuzz(path, arguments), targets))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
