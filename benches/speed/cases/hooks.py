"""The hooks in a push: of others' refs, of nothing to deploy, of one deployment."""

import json
import os

from ..bench import git
from ..driver import ENVIRONMENT, Contender, program, take_turns
from ..worlds import deploy_steps, revision, sh

BRANCHES = "post-receive, branches"
TRANSACTION_BRANCHES = "reference-transaction committed, branches"


def called(repository, label, hook, lines, *arguments):
    return repository.contender(label, hook, lines=lines, arguments=arguments)


def startup(bench):
    """a push that is none of ours"""
    small = bench.small()
    other = bench.lines("other", small.commits[0], ["refs/heads/topic"])
    tag = bench.lines("tag", small.commits[0], ["refs/tags/v1"])
    shell = bench.deploys("startup-sh", peer="hook.sh")
    python = bench.deploys("startup-py", peer="hook.py")

    transaction = "reference-transaction"
    all = [
        bench.true(),
        program("static C, does nothing", [bench.floor("nothing")]),
        program("sh -c :", ["/bin/sh", "-c", ":"]),
        program("git --version", [git(), "--version"]),
        program("deploy-by-code --version", [bench.binary, "--version"]),
        called(small, "post-receive, other branch", "post-receive", other),
        called(small, "pre-receive, other branch", "pre-receive", other),
        called(small, "reference-transaction prepared", transaction, other, "prepared"),
        called(small, "reference-transaction committed, tag", transaction, tag, "committed"),
        called(small, "reference-transaction committed, branch", transaction, other, "committed"),
        shell.contender("shell hook, other branch", lines=other),
        python.contender("Python hook, other branch", lines=other),
    ]
    take_turns(all, bench.rounds)
    bench.results.contenders("startup", startup.__doc__, all)
    goals = [
        ("post-receive, other branch", 1.1),
        ("reference-transaction prepared", 1.1),
        ("reference-transaction committed, tag", 1.1),
        ("reference-transaction committed, branch", 1.1),
        ("pre-receive, other branch", None),
        ("static C, does nothing", None),
    ]
    for name, most in goals:
        bench.results.ratio("startup", name, "/bin/true", most)


def unchanged(bench):
    """the deploy branch moves, no deploy file changes"""
    steps = [[("README.md", f"{n}\n")] for n in range(bench.rounds + 2)]
    ours = bench.deploys("unchanged", steps=steps)
    shell = bench.deploys("unchanged-sh", steps=steps, peer="hook.sh")
    all = [
        bench.true(),
        ours.post_receive("post-receive"),
        shell.post_receive("shell hook"),
        ours.contender("pre-receive", "pre-receive"),
    ]
    take_turns(all, bench.rounds)
    bench.results.contenders("unchanged", unchanged.__doc__, all)
    bench.results.ratio("unchanged", "post-receive", "/bin/true", 2)
    bench.results.ratio("unchanged", "post-receive", "shell hook")
    bench.results.ratio("unchanged", "pre-receive", "/bin/true")


def one(bench):
    """one deployment: planned, durable, its runner woken"""
    steps = list(deploy_steps(bench.rounds + 2))
    ours = bench.deploys("one", steps=steps)
    held = bench.deploys("one-held", steps=steps)
    shell = bench.deploys("one-sh", steps=steps, peer="hook.sh")
    python = bench.deploys("one-py", steps=steps, peer="hook.py")

    def floor(name, sync):
        argv = [bench.floor("record"), bench.folder / "record.out", sync, "/bin/true"]
        return program(name, argv, ours.line)

    all = [
        bench.true(),
        ours.post_receive("post-receive"),
        held.post_receive("post-receive, lock held"),
        shell.post_receive("shell hook"),
        python.post_receive("Python hook"),
        floor("floor: record, fdatasync, spawn", "sync"),
        floor("floor without fdatasync", "no-sync"),
    ]
    nq = bench.tool("nq")
    if nq:
        queue = bench.folder / "nq-one"
        queue.mkdir()
        environment = dict(ENVIRONMENT, NQDIR=str(queue))
        all.append(program("nq /bin/true", [nq, "/bin/true"], environment=environment))
    with held.hold():
        take_turns(all, bench.rounds)
    bench.results.contenders("one", one.__doc__, all)
    bench.results.ratio("one", "post-receive", "/bin/true", 3.5)
    bench.results.ratio("one", "post-receive", "shell hook", 0.25)
    bench.results.ratio("one", "post-receive", "Python hook")
    bench.results.ratio("one", "post-receive", "floor: record, fdatasync, spawn")

    rows = json.loads(sh(bench.binary, "-C", ours.path, "log", "--json", "-n", "100000"))
    ended = sum(row["status"] in ("succeeded", "superseded") for row in rows)
    bench.results.number("one", "deployments that got lost", bench.rounds + 2 - ended, 0)


def deep(bench):
    """300 deep files change, none of them a deploy file"""
    rounds = bench.fewer()

    def path(n):
        return f"src{n % 30}/a{n}/b/c/d/e/f/file{n}.txt"

    base = [("production/a.deploy", revision(1) + "\n")]
    base += [(path(n), "x\n") for n in range(300)]
    steps = [[(path(n), f"{turn} {n}\n") for n in range(300)] for turn in range(rounds + 2)]
    ours = bench.deploys("deep", base=base, steps=steps, loose=False)
    shell = bench.deploys("deep-sh", base=base, steps=steps, peer="hook.sh", loose=False)
    all = [
        bench.true(),
        ours.post_receive("post-receive"),
        shell.post_receive("shell hook"),
        ours.contender("pre-receive", "pre-receive"),
    ]
    take_turns(all, rounds)
    bench.results.contenders("deep", deep.__doc__, all)
    bench.results.ratio("deep", "post-receive", "shell hook", 0.15)
    bench.results.ratio("deep", "pre-receive", "shell hook")


def refs(bench):
    """20,000 refs in one push, none of them ours"""
    small = bench.small()
    commit = small.commits[0]
    branches = bench.lines("refs", commit, (f"refs/heads/topic/{n}" for n in range(20_000)))
    tags = bench.lines("tags", commit, (f"refs/tags/v{n}" for n in range(20_000)))
    shell = bench.deploys("refs-sh", peer="hook.sh")

    transaction = "reference-transaction"
    all = [
        bench.true(),
        program("cat", ["/bin/cat"], branches),
        called(small, BRANCHES, "post-receive", branches),
        called(small, "pre-receive, branches", "pre-receive", branches),
        called(small, TRANSACTION_BRANCHES, transaction, branches, "committed"),
        called(small, "reference-transaction committed, tags", transaction, tags, "committed"),
        called(small, "reference-transaction prepared", transaction, branches, "prepared"),
    ]
    take_turns(all, bench.rounds)
    slow = shell.contender("shell hook", lines=branches)
    take_turns([slow], min(5, bench.rounds), 1)
    bench.results.contenders("refs", refs.__doc__, all + [slow])
    bench.results.ratio("refs", BRANCHES, "cat", 2)
    bench.results.ratio("refs", TRANSACTION_BRANCHES, "cat", 2)
    bench.results.ratio("refs", "reference-transaction committed, tags", "cat", 2)
    bench.results.ratio("refs", "pre-receive, branches", "cat")


def push(bench):
    """whole pushes over file://, one deployment each"""
    rounds = bench.fewer()
    steps = list(deploy_steps(rounds + 2))
    source = bench.deploys("push-source", steps=steps, binary=None)
    hooks = ("pre-receive", "post-receive", "reference-transaction")

    def contender(name, repository):
        turn = iter(source.commits[1:])

        def work():
            to = [f"file://{repository.path}", f"{next(turn)}:refs/heads/main"]
            pushing = program(name, [git(), "-C", source.path, "push", "-q", *to])
            # The processor time of the programs that git starts is not in git's own.
            return pushing.work()[0], None

        return Contender(name, work)

    def with_true(slug, names):
        repository = bench.deploys(slug, binary=None)
        for name in names:
            os.symlink("/bin/true", repository.hook(name))
        return repository

    alone = bench.deploys("push-ours-post")
    for name in ("pre-receive", "reference-transaction"):
        os.unlink(alone.hook(name))
    all = [
        contender("our hooks", bench.deploys("push-ours")),
        contender("post-receive is /bin/true", with_true("push-true", ["post-receive"])),
        contender("all three are /bin/true", with_true("push-trues", hooks)),
        contender("no hook", with_true("push-none", [])),
        contender("post-receive is the shell hook", bench.deploys("push-sh", peer="hook.sh")),
        contender("our post-receive alone", alone),
    ]
    take_turns(all, rounds)
    bench.results.contenders("push", push.__doc__, all)
    bench.results.ratio("push", "our hooks", "all three are /bin/true", 1.15)
    bench.results.ratio("push", "our hooks", "post-receive is /bin/true")
    bench.results.ratio("push", "our hooks", "post-receive is the shell hook")
    bench.results.ratio("push", "our hooks", "no hook")
    bench.results.ratio("push", "our post-receive alone", "post-receive is /bin/true")
