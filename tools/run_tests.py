#!/usr/bin/env python3
"""Runs all tests and counts them; the last line is "N passed, N failed".

Usage: tools/run_tests.py [--only STAGE[,STAGE...]] [--list]

Stages, in order:
  lint      the include table, the allowed symbols, no rare branch in a hot path, layout
  release   unit, scenario and simulated tests on the release build
  asan      unit and scenario tests and a slice of the simulated ones, address + undefined sanitizers
  debug     the program without optimization, address + undefined sanitizers: it links, without a
            warning, and simulates
  tsan      unit tests that use threads, and a real node, thread sanitizer
  mutants   a tenth of the mutants of the judge, which its tests must kill (make soak: all)
  fuzz      a short slice of every fuzz target
  client    real processes: redis-cli, redis-benchmark, hiredis, Node clients, ZooKeeper's clients,
            kills and restarts
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

JOBS = int(os.environ.get("JOBS", "2"))
TEST_TIMEOUT_S = 900
MUTANTS_PART = "1/10"
PASSED = re.compile(r"\[  PASSED  \] (\d+) test")
FAILED = re.compile(r"\[  FAILED  \] (\d+) test")
COUNTED = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, name, passed, failed, seconds, output=""):
        """output: of what failed; its end is printed."""
        self.passed += passed
        self.failed += failed
        mark = "ok  " if failed == 0 else "FAIL"
        print(f"{mark} {name:<44} {passed:>5} passed {failed:>3} failed {seconds:8.1f} s", flush=True)
        if failed:
            print("\n".join("    " + line for line in output.splitlines()[-80:]), flush=True)


def run(command, env=None, timeout=TEST_TIMEOUT_S, cwd=None):
    """(exit code, output, seconds); a test that hangs is a failure with what it said until then."""
    start = time.time()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=timeout, env=env, cwd=cwd,
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, time.time() - start
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return 124, said + f"\nno end after {timeout} s", time.time() - start


def count(code, output):
    """How many tests a program reports; one when it reports none."""
    counted = COUNTED.findall(output)
    if counted:
        passed, failed = map(int, counted[-1])
    else:
        passed = sum(map(int, PASSED.findall(output)))
        failed = sum(map(int, FAILED.findall(output)))
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed == 0 and failed == 0:
        passed = 1
    return passed, failed


def build(tally, folder, options, env=None, targets=()):
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        code, output, seconds = run(["meson", "setup", folder] + options, env=env)
        if code:
            tally.add(f"{folder}: set-up", 0, 1, seconds, output)
            return False
    code, output, seconds = run(["ninja", "-j", str(JOBS), "-C", folder] + list(targets), env=env,
                                timeout=3600)
    if code:
        tally.add(f"{folder}: build", 0, 1, seconds, output)
    else:
        print(f"     {folder} built in {seconds:.0f} s", flush=True)
    return code == 0


def tests_of(folder, suites):
    out = subprocess.run(["meson", "introspect", "--tests", folder], capture_output=True, text=True)
    for test in json.loads(out.stdout):
        names = {suite.split(":")[-1] for suite in test["suite"]}
        if names & set(suites):
            yield test


def run_suites(tally, label, folder, suites, env=None, jobs=JOBS):
    full = dict(os.environ, **(env or {}))

    def one(test):
        merged = dict(full, **test.get("env", {}))
        return test, run(test["cmd"], env=merged, cwd=test.get("workdir") or None)

    # The longest first, so that the end is not one test on one core.
    tests = sorted(tests_of(folder, suites), key=lambda test: -test.get("priority", 0))
    with ThreadPoolExecutor(jobs) as pool:
        for test, (code, output, seconds) in pool.map(one, tests):
            passed, failed = count(code, output)
            tally.add(f"{label}: {test['name']}", passed, failed, seconds, output)


def stage_lint(tally):
    if not build(tally, "build", ["--buildtype=release"]):
        return
    for name, command in (("layers", ["tools/layers", "build"]), ("rare branches", ["tools/rare", "build"]),
                          ("sites of seeded bugs", ["tools/mutant_sites"]),
                          ("style", ["tools/lint", "--quick"])):
        code, output, seconds = run(command)
        tally.add(f"lint: {name}", code == 0, code != 0, seconds, output)


def stage_release(tally):
    if build(tally, "build", ["--buildtype=release"]):
        run_suites(tally, "release", "build", ["unit", "scenario", "sim"])


ASAN = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "CAIRN_TEST_SLICE": "1", "TXN_RUNS": "12000"}


def stage_asan(tally):
    options = ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false"]
    if build(tally, "build-asan", options):
        run_suites(tally, "asan", "build-asan", ["unit", "scenario", "sim"], ASAN)


def stage_debug(tally):
    """What an optimizer leaves out, a library's functions for one, is missed here or nowhere."""
    options = ["--buildtype=debug", "-Db_sanitize=address,undefined", "-Db_lundef=false", "--werror"]
    if build(tally, "build-debug", options, targets=["cairn"]):
        full = dict(os.environ, **ASAN)
        code, output, seconds = run(["build-debug/cairn", "sim", "--seeds", "1-2"], env=full)
        tally.add("debug: two seeds", code == 0, code != 0, seconds, output)


def stage_tsan(tally):
    options = ["--buildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false"]
    if build(tally, "build-tsan", options, dict(os.environ, CC="clang")):
        run_suites(tally, "tsan", "build-tsan", ["threads"],
                   {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})
        code, output, seconds = run(["node", "tests/client/thread_sanitizer.mjs", "build-tsan/cairn"])
        tally.add("tsan: a real cluster under load", code == 0, code != 0, seconds, output)


def stage_mutants(tally):
    code, output, seconds = run(["tools/mutants", "--part", MUTANTS_PART, "--jobs", str(JOBS)], timeout=3600)
    passed, failed = count(code, output)
    tally.add(f"mutants of the judge, part {MUTANTS_PART}", passed, failed, seconds, output)


def stage_fuzz(tally):
    code, output, seconds = run(["python3", "tools/fuzz.py", "--seconds", "1"], timeout=3600)
    passed, failed = count(code, output)
    tally.add("fuzz: a slice of every target", passed, failed, seconds, output)


def failures(output):
    """What of the client tests' output tells why some failed: "not ok" and the first lines behind it."""
    lines, left = [], 0
    for line in output.splitlines():
        left = 20 if line.startswith("not ok") else 0 if line.startswith(("ok", "#")) else left - 1
        lines += [line] if left > 0 else []
    return "\n".join(lines)


def stage_client(tally):
    if not build(tally, "build", ["--buildtype=release"]):
        return
    code, output, seconds = run(["tests/client/run"], timeout=1800)
    passed, failed = count(code, output)
    print("\n".join("     " + line for line in output.splitlines() if line.startswith("ok")))
    tally.add("client: real processes", passed, failed, seconds, failures(output))


STAGES = {"lint": stage_lint, "release": stage_release, "asan": stage_asan, "debug": stage_debug,
          "tsan": stage_tsan, "mutants": stage_mutants, "fuzz": stage_fuzz, "client": stage_client}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="stages, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the stages")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(STAGES))
        return 0
    names = arguments.only.split(",") if arguments.only else list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"no such stage: {unknown[0]}; there are {', '.join(STAGES)}", file=sys.stderr)
        return 3
    tally = Tally()
    start = time.time()
    for name in names:
        print(f"== {name}", flush=True)
        STAGES[name](tally)
    print(f"{time.time() - start:.0f} seconds")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
