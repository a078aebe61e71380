"""What can be counted: peak memory, system calls, flushes to the disk."""

import re
import statistics

from ..driver import HOOK_ENVIRONMENT, Fault, reap, run
from ..worlds import application, deploy_steps, many_files
from .large import judging

FLUSHES = {"fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync"}


def memory(bench):
    """peak resident memory, median of 5"""
    bench.results.title("memory", memory.__doc__)
    small = bench.deploys("memory", steps=deploy_steps(5))
    many = {"base": list(many_files(100_000)), "records": 100_000}
    large = bench.deploys("memory-large", steps=deploy_steps(5), **many)
    app = bench.folder / "memory.app"
    ids = application(app, commits=50_000)
    judged = judging(bench, "memory-judged", app, ids[0], ids[-1])
    other = bench.lines("memory-other", small.commits[0], ["refs/heads/topic"])
    branches = (f"refs/heads/topic/{n}" for n in range(20_000))
    branches = bench.lines("memory-refs", small.commits[0], branches)

    def peak(repository, hook, lines=None, *arguments):
        said = bench.folder / "peak.said"
        argv = [bench.floor("peak"), repository.hook(hook), *arguments]
        lines = lines or repository.line
        status = run(argv, lines, repository.path, HOOK_ENVIRONMENT, said)[1]
        reap()
        words = said.read_text().split()
        if status != 0 or not words[-1:] or not words[-1].isdigit():
            raise Fault(f"memory: {hook} in {repository.path}: {said.read_text()}")
        return int(words[-1]) / 1024

    def stepping(repository):
        repository.step()
        return peak(repository, "post-receive")

    def show(name, measure, most=None):
        found = statistics.median(measure() for _ in range(5))
        bench.results.number("memory", name, found, most, "MiB")

    transaction = "reference-transaction"
    show("post-receive, other branch", lambda: peak(small, "post-receive", other))
    show(f"{transaction} prepared", lambda: peak(small, transaction, other, "prepared"))
    show("post-receive, 20,000 refs, none ours", lambda: peak(small, "post-receive", branches))
    show("post-receive, one deployment", lambda: stepping(small), 6)
    show("post-receive, one among 100,000 files and records", lambda: stepping(large), 6)
    show("pre-receive, 50,000 commits gained", lambda: peak(judged, "pre-receive"), 8)


def flushes(bench):
    """system calls and flushes to the disk"""
    bench.results.title("flushes", flushes.__doc__)
    strace = bench.tool("strace")
    small = bench.deploys("flushes", steps=deploy_steps(4))
    unchanged = bench.deploys("flushes-unchanged", steps=[[("README.md", "1\n")]])
    other = bench.lines("flushes-other", small.commits[0], ["refs/heads/topic"])

    def count(repository, hook, lines=None, *arguments):
        """How many calls the hook itself makes, how many flushes among them, and how many flushes
        with everything that it starts."""
        if not strace:
            return None, None, None
        log = bench.folder / "strace.log"
        argv = [strace, "-f", "-o", log, repository.hook(hook), *arguments]
        run(argv, lines or repository.line, repository.path, HOOK_ENVIRONMENT)
        reap()
        calls = re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
        flushing = [pid for pid, call in calls if call in FLUSHES]
        # A flush counts where it begins. The hook is the process that makes the first call.
        hook_pid = calls[0][0]
        own = sum(pid == hook_pid for pid, _ in calls)
        return own, flushing.count(hook_pid), len(flushing)

    def show(name, found, hook_flushes=None, all_flushes=None):
        for what, value, most in zip(
            ("system calls", "flushes of the hook", "flushes of hook and runner"),
            found,
            (None, hook_flushes, all_flushes),
        ):
            bench.results.number("flushes", f"{name}: {what}", value, most, missing="strace")

    transaction = "reference-transaction"
    show(f"{transaction} prepared", count(small, transaction, other, "prepared"))
    show("post-receive, other branch", count(small, "post-receive", other))
    unchanged.step()
    show("post-receive, no deploy file changed", count(unchanged, "post-receive"))
    # The first ones find out about the repository what later ones know.
    for _ in range(3):
        small.step()
        found = count(small, "post-receive")
    show("post-receive, one deployment", found, 1, 5)
