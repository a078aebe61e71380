"""The cases of `make bench-instructions`: each begins in the same state every time."""

from ..driver import HOOK_ENVIRONMENT, Fault, reap, run
from ..worlds import application, deploy_steps, many_files, revision
from .large import judging


class Counted:
    """One case: what is run, and what puts the world into the state from which it begins."""

    def __init__(self, argv, stdin=None, folder=None, environment=None, prepare=None):
        self.argv, self.stdin, self.folder = argv, stdin, folder
        self.environment, self.prepare = environment, prepare or (lambda: None)

    def count(self, callgrind):
        """The instructions of one run. The program must succeed."""
        self.prepare()
        words = [str(word) for word in self.argv]
        total, status = callgrind.count(words, self.stdin, self.folder, self.environment)
        if status != 0:
            raise Fault(f"exit status {status}: {' '.join(words)}")
        return total


def hook(bench, repository, name, lines=None, arguments=(), prepare=None):
    """A hook, started as the kernel starts its file."""
    argv = [bench.binary, "as-hook", repository.hook(name), *arguments]
    lines = lines or repository.line
    return Counted(argv, lines, repository.path, HOOK_ENVIRONMENT, prepare)


def others(bench):
    """A push that is none of ours."""
    small = bench.small()
    return small, bench.lines("other", small.commits[0], ["refs/heads/topic"])


def transaction_of_others(bench):
    """reference-transaction, not ours"""
    small, lines = others(bench)
    return hook(bench, small, "reference-transaction", lines, ["committed"])


def other_branch(bench):
    """post-receive, other branch"""
    small, lines = others(bench)
    return hook(bench, small, "post-receive", lines)


def stepping(bench, name, steps, hook_name, arguments=(), **how):
    """A hook for the last one of some steps, always from the same state. The steps before are taken
    without being counted: the first push finds out what later ones know."""
    ours = bench.deploys(name, steps=steps, **how)
    # Open as long as the repository is used, so that runners leave at once.
    ours.lock = ours.hold()
    for _ in range(len(ours.commits) - 2):
        ours.step()
        run([ours.hook("post-receive")], ours.line, ours.path, HOOK_ENVIRONMENT)
        reap()
    ours.step()
    ours.keep()
    return hook(bench, ours, hook_name, None, arguments, ours.restore)


def nothing_ours(bench):
    """post-receive, no deploy file changed"""
    steps = [*deploy_steps(1), [("README.md", "1\n")]]
    return stepping(bench, "unchanged", steps, "post-receive")


def transaction_of_the_branch(bench):
    """reference-transaction, deploy branch"""
    return stepping(bench, "wakes", list(deploy_steps(2)), "reference-transaction", ["committed"])


def one(bench):
    """post-receive, one deployment"""
    return stepping(bench, "one", list(deploy_steps(2)), "post-receive")


def thousand(bench):
    """post-receive, 1,000 of 10,000 files"""
    base = list(many_files(10_000))
    changed = [
        (path, f"{revision(50_000 + n)}\n{old}") for n, (path, old) in enumerate(base[:1000])
    ]
    steps = [[base[-1]], changed]
    return stepping(bench, "thousand", steps, "post-receive", base=base, loose=False)


def judged(bench):
    """pre-receive, 1,000 commits gained"""
    app = bench.folder / "judged.app"
    ids = application(app, commits=1_001)
    ours = judging(bench, "judged", app, ids[0], ids[-1])
    ours.keep()
    return hook(bench, ours, "pre-receive", prepare=ours.restore)


def reading(bench, *words):
    """A command that reads 10,000 records."""
    if "read" not in bench.made:
        bench.made["read"] = bench.deploys("read", records=10_000)
    ours = bench.made["read"]
    return Counted([bench.binary, "-C", ours.path, *words], folder=ours.path)


def status(bench):
    """status, 10,000 recorded"""
    return reading(bench, "status")


def log(bench):
    """log -n 20, 10,000 recorded"""
    return reading(bench, "log", "-n", "20")


def log_json(bench):
    """log -n 1000 --json, 10,000 recorded"""
    return reading(bench, "log", "-n", "1000", "--json")


CASES = [
    transaction_of_others,
    other_branch,
    nothing_ours,
    transaction_of_the_branch,
    one,
    thousand,
    judged,
    status,
    log,
    log_json,
]
