"""The baseline of `make bench-instructions`: what the project's own release build needs."""

import json
import platform

from . import machine
from .driver import Fault

# A case fails above this multiple of its baseline.
MOST = 1.05

# Below this multiple, the baseline is worth renewing, so that the gain is kept.
GAINED = 0.95

RENEW = "make bench-instructions BASELINE=new"


def made_with():
    """What has a part in the numbers besides the program itself."""
    with open("/proc/cpuinfo") as file:
        has_avx2 = " avx2 " in file.read()
    return {
        "rustc": machine.first_line("rustc", "--version"),
        "libc": machine.libc(),
        "git": machine.first_line("git", "--version"),
        "valgrind": machine.first_line("valgrind", "--version"),
        "processor": f"{platform.machine()} {'with' if has_avx2 else 'without'} AVX2",
    }


def read(path):
    """The whole file, which has one baseline for each architecture."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as fault:
        raise Fault(f"{path}: {fault}") from fault


def renew(path, counts):
    """Writes the counts as the baseline of this architecture. Those of other cases and
    architectures stay."""
    whole = read(path)
    known = whole.get(platform.machine(), {}).get("instructions", {})
    whole[platform.machine()] = {
        "made_with": made_with(),
        "instructions": {**known, **counts},
    }
    path.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")


def compare(path, counts, is_whole):
    """Compares the counts with the baseline. Returns a line for each case, and the faults.
    `is_whole` says that every case was counted, so that the baseline has no other."""
    here = platform.machine()
    known = read(path).get(here)
    if not known:
        return [], [f"{path} has no baseline for {here}: make one with {RENEW}, and commit it"]

    lines, faults = [], []
    for case, count in counts.items():
        before = known["instructions"].get(case)
        if before is None:
            faults.append(f"{case}: {path} has no baseline for it: renew it with {RENEW}")
            continue
        ratio = count / before
        word = ""
        if ratio > MOST:
            word = f"TOO MANY, at most {MOST:.2f}"
            faults.append(
                f"{case}: {count:,} instructions, which is {ratio - 1:+.1%} against the baseline of"
                f" {before:,}"
            )
        elif ratio < GAINED:
            word = "fewer: renew the baseline, so that this is kept"
        lines.append(f"{case:44} {count:>14,} {before:>14,} {ratio:8.3f}  {word}".rstrip())
    for case in known["instructions"] if is_whole else ():
        if case not in counts:
            faults.append(f"{case}: {path} has a baseline, but there is no such case: take it out")
    return lines, faults + differences(known["made_with"]) if faults else []


def differences(then):
    """What is not as it was when the baseline was made: it can explain a difference."""
    return [
        f"the baseline was made with another {name}: {then.get(name)}; here it is {now}"
        for name, now in made_with().items()
        if now != then.get(name)
    ]
