"""Counts the instructions of a program with callgrind, so that two counts of the same work differ
by less than a measurement of time ever could.

What would make them differ is fixed from outside: addresses (`setarch -R`), the environment, the
lengths of all paths, the commits and their times. The C library picks its functions by what the
processor can do, and Valgrind shows each processor that has AVX2 as the same one.
What can't be fixed are the seeds of hash tables, the clock and the numbers of processes."""

import os
import re
import shutil
import subprocess

from .driver import ENVIRONMENT, Fault, reap, run

# What one count may differ from the next one of the same program, as a part of it. What differs
# more would hide what the comparison is to find.
NOISE_MAX = 0.005

TOTAL = re.compile(r"Collected : (\d+)")

# The first mention of a function, and of one that it calls (Valgrind's manual, "Callgrind Format
# Specification"). A function that calls itself is mentioned a second time, with a number.
FUNCTION = re.compile(r"^c?fn=\(\d+\) (\S+?)(?:'\d+)?$", re.MULTILINE)


class Callgrind:
    """Counts in a folder, in which it writes callgrind's files."""

    def __init__(self, folder):
        self.folder = folder
        self.tools = []
        for name, package in (("setarch", "util-linux"), ("valgrind", "valgrind")):
            found = shutil.which(name)
            if not found:
                raise Fault(f"there is no {name} in PATH (package {package})")
            self.tools.append(found)

    def count(self, argv, stdin=None, folder=None, environment=None):
        """The instructions of the program itself, in user space, without those of the programs that
        it starts; and its exit status."""
        setarch, valgrind = self.tools
        files = self.folder / "callgrind.%p"
        options = [
            "--tool=callgrind",
            "--trace-children=no",
            "--demangle=no",
            f"--callgrind-out-file={files}.out",
            f"--log-file={files}.log",
        ]
        environment = dict(environment or ENVIRONMENT, PATH="/usr/bin:/bin")
        before = set(self.folder.glob("callgrind.*.log"))
        started = [setarch, "-R", valgrind, *options, *argv]
        _, status, _ = run(started, stdin, folder, environment)
        reap()
        # A child that the program forks has a log too. It starts its count at its parent's, and is
        # replaced by another program before it has one of its own.
        logs = set(self.folder.glob("callgrind.*.log")) - before
        totals = [int(total) for log in logs for total in TOTAL.findall(log.read_text())]
        if len(totals) != 1:
            said = "\n".join(log.read_text()[-500:] for log in logs)
            words = " ".join(map(str, argv))
            raise Fault(f"callgrind gave {len(totals)} totals for {words}: {said}")
        return totals[0], os.waitstatus_to_exitcode(status)

    def functions(self):
        """The functions that were called in all counts, those of the earliest count first."""
        files = list(self.folder.glob("callgrind.*.out"))
        files.sort(key=lambda file: file.stat().st_mtime_ns)
        return functions_in(file.read_text() for file in files)


def functions_in(profiles):
    """The functions that some profiles name, as c++filt shows them."""
    called = [name for profile in profiles for name in FUNCTION.findall(profile)]
    names = "\n".join(dict.fromkeys(called))
    filter = ["c++filt", "--no-verbose"]
    shown = subprocess.run(filter, input=names, stdout=subprocess.PIPE, text=True, check=True)

    # What has no name, and what Valgrind calls the part before `main`.
    unnamed = re.compile(r"0x[0-9a-f]+|\(below main\)")
    functions = dict.fromkeys(shown.stdout.splitlines())
    return [name for name in functions if not unnamed.fullmatch(name)]
