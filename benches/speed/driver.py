"""Starts programs and measures how long they take, in turns.

The contenders of a case take turns, so that what disturbs the machine disturbs all of them alike.
What a hook starts detached is waited for between two measurements, and is not in the hook's time.
"""

import ctypes
import os
import signal
import statistics
import sys
import time

PR_SET_CHILD_SUBREAPER = 36

# What git and the hooks see, on every machine the same.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}
# What git gives to a hook besides.
HOOK_ENVIRONMENT = dict(ENVIRONMENT, GIT_DIR=".")

# How long a measurement waits for a moment in which nothing else runs, in seconds.
PATIENCE = 0.05


class Fault(Exception):
    """Something could not be measured. The text says what and why."""


def begin():
    """Makes this process the parent of every detached process that a hook leaves behind, and lets
    SIGTERM end it like an error, so that its folder is removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Fault(f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(ctypes.get_errno())}")


def reap():
    """Waits for everything that the last measurement left running."""
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass


def run(argv, stdin=None, folder=None, environment=None, output=None):
    """Starts a program and waits for it, but not for what it leaves running. Returns the seconds,
    the wait status and the resource usage. `stdin` and `output` are files."""
    read = os.open(stdin or "/dev/null", os.O_RDONLY)
    write = os.open(output or "/dev/null", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    places = ((read, 0), (write, 1), (write, 2))
    actions = [(os.POSIX_SPAWN_DUP2, opened, place) for opened, place in places]
    argv = [str(word) for word in argv]
    try:
        # posix_spawn has no action for the folder.
        if folder:
            os.chdir(folder)
        begin = time.perf_counter_ns()
        pid = os.posix_spawn(argv[0], argv, environment or ENVIRONMENT, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        return (time.perf_counter_ns() - begin) / 1e9, status, usage
    finally:
        os.close(read)
        os.close(write)


def nothing_else_runs(seconds):
    """Waits for a moment in which no other process runs, and says whether it came."""
    end = time.monotonic() + seconds
    while True:
        with open("/proc/loadavg") as file:
            running = int(file.read().split()[3].split("/")[0])
        if running <= 1:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.002)


class Contender:
    """One thing that is measured. `prepare` runs before each measurement and is not in its time.
    `work` returns the seconds that it took and the seconds of processor time, or None for these."""

    def __init__(self, name, work, prepare=None):
        self.name, self.work, self.prepare = name, work, prepare or (lambda: None)
        self.samples = []

    def add(self, seconds, processor, is_quiet):
        self.samples.append((seconds, processor, is_quiet))

    def has_enough_quiet(self):
        """Whether so many measurements began in a quiet moment that only these need to count."""
        quiet = sum(is_quiet for _, _, is_quiet in self.samples)
        return quiet >= max(3, len(self.samples) * 0.3)

    def times(self, only_quiet):
        """The seconds of each measurement that counts, the shortest first."""
        return sorted(took for took, _, is_quiet in self.samples if is_quiet or not only_quiet)

    def processor(self):
        """The median processor time in seconds, or None where it is not known."""
        known = [processor for _, processor, _ in self.samples if processor is not None]
        return statistics.median(known) if known else None


def program(name, argv, stdin=None, folder=None, environment=None, prepare=None):
    """A contender that is a program, and must succeed."""

    def work():
        took, status, usage = run(argv, stdin, folder, environment)
        if status != 0:
            code = os.waitstatus_to_exitcode(status)
            raise Fault(f"{name}: exit status {code}: {' '.join(map(str, argv))}")
        return took, usage.ru_utime + usage.ru_stime

    return Contender(name, work, prepare)


def take_turns(contenders, rounds, warm=2):
    """Measures the contenders in turns. The first rounds, `warm` many, do not count."""
    for turn in range(rounds + warm):
        for contender in contenders:
            contender.prepare()
            is_quiet = nothing_else_runs(PATIENCE)
            seconds, processor = contender.work()
            reap()
            if turn >= warm:
                contender.add(seconds, processor, is_quiet)
