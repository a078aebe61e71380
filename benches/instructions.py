#!/usr/bin/env python3
"""Counts the instructions of the hooks with callgrind and compares them with a baseline. Unlike
times, they are the same on a busy machine, so CI can hold a change against them.
docs/performance.md says what to do when a case fails."""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

from speed import baseline
from speed.bench import Bench
from speed.callgrind import NOISE_MAX, Callgrind
from speed.cases.instructions import CASES
from speed.driver import Fault, begin
from speed.figures import Results

HERE = pathlib.Path(__file__).resolve().parent

# How long the path of the folder with the repositories is.
PATH_LENGTH = 64


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", help="the cases to count; all if none is named")
    parser.add_argument("--binary", type=pathlib.Path, default="target/release/deploy-by-code")
    parser.add_argument("--baseline", type=pathlib.Path, default=HERE / "instructions.json")
    parser.add_argument("--new", action="store_true", help="make the counts the baseline")
    parser.add_argument("--functions", type=pathlib.Path, metavar="FILE",
                        help="compare nothing: write which functions are called")
    parser.add_argument("--list", action="store_true", help="list the cases")
    given = parser.parse_args()
    names = [case.__name__ for case in CASES]
    for name in given.case:
        if name not in names:
            parser.error(f"there is no case {name}; there are: {', '.join(names)}")
    return given


def scratch():
    """A folder whose path is of the same length everywhere, because each path that the program
    reads, joins and compares costs instructions for each of its bytes."""
    below = tempfile.gettempdir()
    random = len("/") + 8
    missing = PATH_LENGTH - len(below) - random
    if missing < 0:
        raise Fault(f"{below} is too long for a folder in it: let TMPDIR name another one")
    return pathlib.Path(tempfile.mkdtemp(prefix="i" * missing, dir=below))


def count(given, callgrind):
    """The instructions of each case. Each is counted twice, and the lower count is taken. Two that
    differ by more than the noise are a fault: the comparison would mean nothing."""
    bench = Bench(given.binary, callgrind.folder, Results(), rounds=1)
    counts = {}
    for case in CASES:
        if given.case and case.__name__ not in given.case:
            continue
        counted = case(bench)
        low, high = sorted(counted.count(callgrind) for _ in range(2))
        if high - low > low * NOISE_MAX:
            raise Fault(
                f"{case.__doc__}: two counts of the same work differ by {high / low - 1:.2%}:"
                f" {low:,} and {high:,}; at most {NOISE_MAX:.1%} is noise"
            )
        counts[case.__doc__] = low
        print(f"{case.__doc__:44} {low:>14,}   the second count: {high / low - 1:+.3%}")
    return counts


def judge(given, counts):
    """Compares with the baseline, or renews it. Returns the exit status."""
    if given.new:
        baseline.renew(given.baseline, counts)
        print(f"\n{given.baseline} is new: commit it, and say in the commit why it changed")
        return 0
    lines, faults = baseline.compare(given.baseline, counts, not given.case)
    print(f"\n{'':44} {'instructions':>14} {'baseline':>14} {'ratio':>8}")
    for line in lines:
        print(line)
    for fault in faults:
        print(f"bench-instructions: {fault}", file=sys.stderr)
    if faults:
        print("bench-instructions: find what the change costs (docs/performance.md says how). If it"
              f" is worth that:\n  {baseline.RENEW}, and commit benches/instructions.json with the"
              " reason", file=sys.stderr)
    return 1 if faults else 0


def write_functions(file, functions):
    """Writes them down. Returns the exit status."""
    if not any("::" in name for name in functions):
        raise Fault("the program has no symbols: it must be linked with -C strip=none")
    file.write_text("".join(f"{name}\n" for name in functions))
    print(f"{file} has {len(functions)} functions")
    return 0


def main():
    given = arguments()
    if given.list:
        for case in CASES:
            print(f"{case.__name__:26} {case.__doc__}")
        return 0
    sys.stdout.reconfigure(line_buffering=True)
    given.binary, given.baseline = given.binary.resolve(), given.baseline.resolve()
    given.functions = given.functions and given.functions.resolve()
    try:
        begin()
        folder = scratch()
        try:
            callgrind = Callgrind(folder)
            counts = count(given, callgrind)
            if given.functions:
                return write_functions(given.functions, callgrind.functions())
        finally:
            os.chdir("/")
            shutil.rmtree(folder, ignore_errors=True)
        return judge(given, counts)
    except (Fault, OSError) as fault:
        print(f"bench-instructions: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
