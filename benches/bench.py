#!/usr/bin/env python3
"""Measures how fast deploy-by-code is, against what people use instead and against the least that
the machine needs. docs/performance.md says what each case measures and how to read the numbers."""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

from speed import machine
from speed.bench import Bench
from speed.cases import counts, hooks, large, reading, runs
from speed.driver import Fault, begin
from speed.figures import Results

CASES = [
    hooks.startup,
    hooks.unchanged,
    hooks.one,
    hooks.deep,
    hooks.refs,
    hooks.push,
    large.large,
    large.thousand,
    large.judged,
    large.growth,
    runs.runner,
    runs.checkout,
    reading.read,
    counts.memory,
    counts.flushes,
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", help="the cases to measure; all if none is named")
    parser.add_argument("--binary", type=pathlib.Path, default="target/release/deploy-by-code")
    parser.add_argument("--rounds", type=int, help="how often each contender is measured (60)")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that all works")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--target", type=pathlib.Path, default="target",
                        help="where bench.json and the plots go, and what is measured if TMPDIR"
                        " is not set")
    given = parser.parse_args()
    names = [case.__name__ for case in CASES]
    for name in given.case:
        if name not in names:
            parser.error(f"there is no case {name}; there are: {', '.join(names)}")
    if given.rounds is not None and given.rounds < 3:
        parser.error("--rounds must be at least 3: of fewer there is no median to speak of")
    given.rounds = given.rounds or (5 if given.quick else 60)
    return given


def measure(given, folder):
    results = Results()
    about = machine.describe(given.binary, folder)
    for key, value in about.items():
        results.say(f"{key:12} {value}")
    plots = given.target / "bench"
    bench = Bench(given.binary, folder, results, given.rounds, given.quick, plots)
    for case in CASES:
        if given.case and case.__name__ not in given.case:
            continue
        start = time.monotonic()
        case(bench)
        results.say(f"   [{case.__name__}: {time.monotonic() - start:.0f} s]")
        # After each case: a run that ends early leaves what it has.
        results.write(given.target / "bench.json", about)
    results.table()
    results.say(f"   {given.target / 'bench.json'}")


def main():
    given = arguments()
    if given.list:
        for case in CASES:
            print(f"{case.__name__:10} {case.__doc__}")
        return
    sys.stdout.reconfigure(line_buffering=True)
    given.binary, given.target = given.binary.resolve(), given.target.resolve()
    given.target.mkdir(parents=True, exist_ok=True)
    below = os.environ.get("TMPDIR") or given.target
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=below))
    try:
        begin()
        measure(given, folder)
    except (Fault, OSError) as fault:
        raise SystemExit(f"bench: {fault}") from fault
    finally:
        # Only now: see speed/worlds.py.
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
