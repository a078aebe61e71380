"""How much the hooks' time depends on what is there already: files, commits, refs, records."""

from .. import svg
from ..bench import git
from ..driver import HOOK_ENVIRONMENT, Fault, program, reap, run, take_turns
from ..worlds import MAIN, application, deploy_steps, many_files, revision


def large(bench):
    """one deployment among much (post-receive, lock held)"""
    count, rounds = 100_000, bench.fewer()
    steps = list(deploy_steps(rounds + 2))
    many = {
        "files": {"base": list(many_files(count))},
        "commits": {"history": count},
        "recorded": {"records": count},
        "refs": {"refs": count},
    }
    worlds = {"small": {}}
    worlds.update({f"100,000 {what}": how for what, how in many.items()})
    worlds["all of them"] = {key: value for how in many.values() for key, value in how.items()}
    all, locks = [bench.true()], []
    for name, how in worlds.items():
        slug = "large-" + name.replace(" ", "-").replace(",", "")
        repository = bench.deploys(slug, steps=steps, **how)
        all.append(repository.post_receive(name))
        locks.append(repository.hold())
    take_turns(all, rounds)
    bench.results.contenders("large", large.__doc__, all)
    for name in list(worlds)[1:]:
        bench.results.ratio("large", name, "small", 1.1)


def thousand(bench):
    """1,000 of 100,000 deploy files change"""
    rounds = min(20, bench.rounds)
    base = list(many_files(100_000))
    changed = [
        (path, f"{revision(500_000 + n)}\n* second\n{text}")
        for n, (path, text) in enumerate(base[:1000])
    ]
    kinds = {
        "post-receive": None,
        "shell hook, batching": "hook.sh",
        "Python hook, batching": "hook.py",
    }
    all, locks, worlds = [bench.true()], [], []
    for number, (name, peer) in enumerate(kinds.items()):
        slug = f"thousand-{number}"
        world = bench.deploys(slug, base=base, steps=[changed], peer=peer, loose=False)
        world.step()
        world.keep()
        locks.append(world.hold())
        all.append(world.contender(name, prepare=world.restore))
        worlds.append(world)
    take_turns(all, rounds, 1)

    ours = worlds[0]
    ours.restore()
    ours.move(*ours.commits)
    (ours.path / MAIN).write_text(ours.commits[0] + "\n")
    judged = ours.contender("pre-receive", "pre-receive")
    take_turns([judged], rounds, 1)
    bench.results.contenders("thousand", thousand.__doc__, all + [judged])
    bench.results.ratio("thousand", "post-receive", "shell hook, batching", 1)
    bench.results.ratio("thousand", "post-receive", "Python hook, batching")
    bench.results.ratio("thousand", "pre-receive", "shell hook, batching")


def judged(bench):
    """pre-receive, one deployment of an application with 50,000 commits"""
    all, goals = [bench.true()], []
    for graph in (True, False):
        app = bench.folder / ("judged-graph.app" if graph else "judged-plain.app")
        ids = application(app, commits=50_000, graph=graph)
        kinds = (("tip~1 to tip", -2, -1), ("nothing to root", None, 0), ("root to tip", 0, -1))
        for label, deployed, wanted in kinds if graph else kinds[2:]:
            name = f"pre-receive, {label}" + ("" if graph else ", no commit-graph")
            slug = f"judged-{len(all)}"
            before = None if deployed is None else ids[deployed]
            ours = judging(bench, slug, app, before, ids[wanted])
            all.append(ours.contender(name, "pre-receive"))
            peer = name.replace("pre-receive", "git merge-base")
            question = [ids[wanted] if before is None else before, "main"]
            ask = [git(), "-C", app, "merge-base", "--is-ancestor", *question]
            all.append(program(peer, ask))
            goals.append((name, peer, 1 if before is None else 1.5))
    take_turns(all, bench.rounds)
    bench.results.contenders("judged", judged.__doc__, all)
    for goal in goals:
        bench.results.ratio("judged", *goal)


def judging(bench, name, app, deployed, wanted):
    """A deploy repository whose next push deploys the commit `wanted` of the application `app`,
    where `deployed` has been deployed before, unless it is None."""
    config = (
        f'[defaults]\ncommand = ["/bin/true"]\nrepository = "{app}"\n'
        'allowed_refs = ["refs/heads/main"]\n\n[environments.production]\n'
    )
    steps = [[("production/a.deploy", id + "\n")] for id in (deployed, wanted) if id]
    ours = bench.deploys(name, base=[("README", "x\n")], steps=steps, config=config)
    if deployed:
        ours.step()
        run([ours.hook("post-receive")], ours.line, ours.path, HOOK_ENVIRONMENT)
        reap()
    old, new = ours.commits[-2:]
    ours.move(old, new)
    (ours.path / MAIN).write_text(old + "\n")
    said = bench.folder / "judged.said"
    status = run([ours.hook("pre-receive")], ours.line, ours.path, HOOK_ENVIRONMENT, said)[1]
    if status != 0:
        raise Fault(f"pre-receive refuses the push of {name}: {said.read_text()}")
    return ours


def growth(bench):
    """post-receive, one deployment (lock held), over what is there already"""
    rounds = max(20, bench.rounds // 3) if not bench.quick else bench.rounds
    sizes = (10, 100, 1_000, 10_000) if bench.quick else (10, 100, 1_000, 10_000, 100_000)
    steps = list(deploy_steps(rounds + 2))
    kinds = {
        "files": lambda count: {"base": list(many_files(count))},
        "commits": lambda count: {"history": count},
        "refs": lambda count: {"refs": count},
        "records": lambda count: {"records": count},
    }
    all, locks = [bench.true()], []
    for kind, how in kinds.items():
        for size in sizes:
            repository = bench.deploys(f"growth-{kind}-{size}", steps=steps, **how(size))
            all.append(repository.post_receive(f"{size:,} {kind}"))
            locks.append(repository.hold())
    take_turns(all, rounds)
    bench.results.contenders("growth", growth.__doc__, all)

    def median(name):
        return bench.results.median("growth", name)

    bench.plots.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        lines = {
            "post-receive": [(size, median(f"{size:,} {kind}")) for size in sizes],
            "/bin/true": [(size, median("/bin/true")) for size in sizes],
        }
        plot = bench.plots / f"growth-{kind}.svg"
        title = f"One deployment: post-receive over the number of {kind}"
        plot.write_text(svg.plot(title, kind, "milliseconds (median)", lines))
        bench.results.say(f"   {plot}")
