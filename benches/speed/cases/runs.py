"""What a runner costs: many deployments of nothing, and one checkout of many files."""

import itertools
import json
import os
import statistics

from ..bench import git
from ..driver import ENVIRONMENT, HOOK_ENVIRONMENT, Contender, Fault, program, reap, run, take_turns
from ..worlds import application, revision, sh

JOBS = 1000


def runner(bench):
    """1,000 deployments of nothing in one environment, from the hook to the record"""
    step = [(f"production/app{n:04}.deploy", f"{revision(n + 1)}\n") for n in range(JOBS)]
    all, hooks = [], {}
    for parallel in (1, 2):
        config = '[defaults]\ncommand = ["/bin/true"]\n\n[environments.production]\n'
        config += f"parallel = {parallel}\n"
        repository = bench.deploys(
            f"runner-{parallel}", base=[("README", "x\n")], steps=[step], config=config, loose=False
        )
        repository.step()
        repository.keep()
        name = f"ours, parallel = {parallel}"
        hooks[name] = []
        all.append(queued_to_recorded(bench, repository, name, hooks[name]))
    nq, tsp = bench.tool("nq"), bench.tool("tsp")
    all += queues(bench, nq, tsp)

    rounds = min(3, bench.rounds)
    take_turns(all, rounds, 1)
    bench.results.contenders("runner", runner.__doc__, all)
    for name, took in hooks.items():
        median = statistics.median(took[-rounds:]) * 1000
        bench.results.number("runner", f"{name}: the hook alone", median, unit="ms")
    bench.results.ratio("runner", "ours, parallel = 1", "nq", 0.5, missing="nq")
    bench.results.ratio("runner", "ours, parallel = 1", "task-spooler", 2, missing="tsp")
    bench.results.ratio("runner", "ours, parallel = 2", "xargs -P2 -n1", 4)


def queued_to_recorded(bench, repository, name, hooks):
    """The hook while the lock is held, so that its runner leaves at once; then a runner. The time
    of the hook alone goes to the list `hooks`."""

    def work():
        with repository.hold():
            argv = [repository.hook("post-receive")]
            took, status, _ = run(argv, repository.line, repository.path, HOOK_ENVIRONMENT)
            reap()
        if status != 0:
            raise Fault(f"{name}: post-receive failed")
        hooks.append(took)
        ran, status, _ = run([bench.binary, "-C", repository.path, "run", "production"])
        rows = json.loads(sh(bench.binary, "-C", repository.path, "log", "--json", "-n", "2000"))
        done = sum(row["status"] == "succeeded" for row in rows)
        if status != 0 or done != JOBS:
            raise Fault(f"{name}: {done} of {JOBS} deployments succeeded")
        return took + ran, None

    return Contender(name, work, repository.restore)


def queues(bench, nq, tsp):
    """What runs 1,000 jobs otherwise."""
    turns = itertools.count()
    shell = ["/bin/sh", "-c"]
    count = f"i=0; while [ $i -lt {JOBS} ]; do"
    jobs = bench.folder / "jobs"
    jobs.write_text("".join(f"{n}\n" for n in range(JOBS)))
    found = []
    if nq:
        # nq keeps a file for each job: each measurement has a folder of its own.
        script = f'{count} "$1" -q /bin/true; i=$((i + 1)); done; "$1" -w'
        environment = dict(ENVIRONMENT)

        def prepare():
            folder = bench.folder / f"nq-{next(turns)}"
            folder.mkdir()
            environment["NQDIR"] = str(folder)

        found.append(program("nq", [*shell, script, "sh", nq], None, None, environment, prepare))
    if tsp:
        script = f'{count} "$1" -n /bin/true >/dev/null; i=$((i + 1)); done; "$1" -w; "$1" -K'
        environment = dict(ENVIRONMENT, TS_SOCKET=str(bench.folder / "tsp.socket"))
        environment["TMPDIR"] = str(bench.folder)
        found.append(program("task-spooler", [*shell, script, "sh", tsp], environment=environment))
    found += [
        program("xargs -n1", ["/usr/bin/xargs", "-n1", "/bin/true"], jobs),
        program("xargs -P2 -n1", ["/usr/bin/xargs", "-P2", "-n1", "/bin/true"], jobs),
        program("shell loop", [*shell, f"{count} /bin/true; i=$((i + 1)); done"]),
    ]
    return found


def checkout(bench):
    """20,000 files, the first release"""
    count = 2_000 if bench.quick else 20_000
    lines = (f"line {n} of a file that is about four thousand bytes long\n" for n in range(70))
    body = "".join(lines).encode()
    files = [
        (f"dir{n % 200:03}/sub{n % 10}/file{n:05}.txt", b"%d\n" % n + body[: (n * 37) % 4000])
        for n in range(count)
    ]
    app, releases = bench.folder / "checkout.app", bench.folder / "srv"
    commit = application(app, files)[0]
    config = (
        f'[defaults]\nrepository = "{app}"\nallowed_refs = ["refs/heads/main"]\n'
        f'checkout = "{releases}/{{application}}"\n\n[environments.production]\n'
    )
    steps = [[("production/a.deploy", commit + "\n")]]
    ours = bench.deploys("checkout", base=[("README", "x\n")], steps=steps, config=config)
    ours.step()
    with ours.hold():
        run([ours.hook("post-receive")], ours.line, ours.path, HOOK_ENVIRONMENT)
        reap()
    ours.keep()

    def deploy():
        took, status, _ = run([bench.binary, "-C", ours.path, "run", "production"])
        if status != 0 or not (releases / "a/current/dir199").is_dir():
            raise Fault("checkout: there is no release")
        return took, None

    def prepare():
        ours.aside(releases)
        ours.restore()

    turns = itertools.count()

    def other(name, script):
        environment = dict(ENVIRONMENT, APP=str(app), COMMIT=commit, GIT=git())

        def prepare():
            turn = next(turns)
            tree = bench.folder / f"tree-{turn}"
            tree.mkdir()
            environment.update(TREE=str(tree), GIT_INDEX_FILE=f"{tree}.index")
            os.sync()

        argv = ["/bin/sh", "-ec", script]
        return program(name, argv, None, bench.folder, environment, prepare)

    into = '--git-dir="$APP" --work-tree="$TREE" checkout -f "$COMMIT" -- .'
    two = "-c checkout.workers=2 -c checkout.thresholdForParallelism=1"
    add = 'unset GIT_INDEX_FILE; "$GIT" --git-dir="$APP" worktree add -f --detach "$TREE/w"'
    clone = 'unset GIT_INDEX_FILE; "$GIT" clone -q --shared "$APP" "$TREE/c"'
    all = [
        Contender("ours: run, synced", deploy, prepare),
        other("git checkout -f", f'"$GIT" {into}'),
        other("git checkout -f, 2 workers", f'"$GIT" {two} {into}'),
        other("git checkout -f; sync", f'"$GIT" {into}; sync -f "$TREE"'),
        other("git archive | tar -x", '"$GIT" -C "$APP" archive "$COMMIT" | tar -x -C "$TREE"'),
        other("git worktree add", f'{add} "$COMMIT" >/dev/null 2>&1'),
        other("git clone --shared", clone),
    ]
    take_turns(all, min(3, bench.rounds), 1)
    bench.results.contenders("checkout", checkout.__doc__, all)
    bench.results.ratio("checkout", "ours: run, synced", "git checkout -f", 0.4)
    bench.results.ratio("checkout", "ours: run, synced", "git checkout -f; sync")
    bench.results.ratio("checkout", "ours: run, synced", "git archive | tar -x")
