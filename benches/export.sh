#!/usr/bin/env bash
# Measures how long a deployment with `checkout` takes, against `git checkout -f` of the same files:
# the first deployment, which exports all files; and the two next ones, for which 1 % of the files
# differ, all of them in two of 200 folders, or one in each folder; with `link` as it is by default
# and with `link = "hard"`. All of them take turns, each in a folder that is new, and the ratios of
# the medians are printed. Beside them stands the least that they can cost: threads that only make
# or link such files, and the sync. `export` is the phase of that name alone. Then it looks at the
# peak memory (VmHWM) of every process that takes part in an export. It needs git, python3 and a C
# compiler. FOLDER is where the releases are written, so that another file system can be measured.
#
#   benches/export.sh [BINARY] [FILES] [ROUNDS] [FOLDER]
set -euo pipefail
binary=$(realpath "${1:-target/release/deploy-by-code}")
floors=$(realpath "$(dirname "$0")/floors/files.c")
scratch=$(mktemp -d -p "${4:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$scratch"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
cd "$scratch"
cc -O2 -pthread -o floor "$floors"
python3 - "$binary" "${2:-20000}" "${3:-7}" <<'P'
import ctypes, datetime, json, os, pathlib, shutil, statistics, subprocess, sys, time

binary, files, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
here = pathlib.Path.cwd()
ENV = dict(os.environ, GIT_AUTHOR_NAME="A", GIT_AUTHOR_EMAIL="a@example.org",
           GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@example.org")


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, env=ENV, **more).stdout.decode()


def application():
    """Three commits, of which the second and the third one change 1 % of the files."""
    run("git", "init", "-q", "--bare", "-b", "main", "app.git")
    lines = (f"line {n} of a file that is about four thousand bytes long\n" for n in range(70))
    body = "".join(lines).encode()
    stream = []
    for commit, step in enumerate((1, 100, 101)):
        head = b"commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 1\nc\n"
        stream.append(head % (1500000000 + commit))
        for n in range(0, files, step):
            text = b"%d %d\n" % (n, commit) + body[:(n * 37) % 4000]
            path = b"dir%03d/sub%d/file%05d.txt" % (n % 200, n % 10, n)
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(text), text))
    run("git", "-C", "app.git", "fast-import", "--quiet", input=b"".join(stream))
    run("git", "-C", "app.git", "repack", "-adq")
    return run("git", "-C", "app.git", "rev-list", "--reverse", "main").split()


def record(name, link):
    """A deploy repository whose runner has these commits to deploy."""
    run("git", "init", "-q", "--bare", "-b", "main", name)
    (here / name / "deploy-by-code.toml").write_text(
        f'[defaults]\nrepository = "{here}/app.git"\nallowed_refs = ["refs/heads/main"]\n{link}'
        f'checkout = "{here}/srv-{name}"\n\n[environments.production]\n')
    run(binary, "install", name)


def deploy(name, revision):
    """Deploys a revision as a push does, and returns how long it ran according to the record, and
    the peak memory of each step."""
    parents = run("git", "-C", name, "rev-list", "-n1", "--all").split()
    def write(*words, line):
        return run("git", "-C", name, *words, input=line.encode()).strip()
    blob = write("hash-object", "-w", "--stdin", line=revision)
    tree = write("mktree", line=f"100644 blob {blob}\tapp.deploy\n")
    tree = write("mktree", line=f"040000 tree {tree}\tproduction\n")
    message = "d\n\nDeploy-Rollback: once more\nDeploy-Release: once more\n"
    before = [word for parent in parents for word in ("-p", parent)]
    commit = write("commit-tree", tree, "-m", message, *before, line="")
    run("git", "-C", name, "-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main",
        commit)
    line = f"{parents[0] if parents else '0' * 40} {commit} refs/heads/main\n"
    os.sync()
    subprocess.run([binary, "post-receive"], input=line.encode(), cwd=here / name,
                   capture_output=True, env=dict(ENV, GIT_DIR="."))
    peaks, number = {}, str(len(run("git", "-C", name, "rev-list", "--all").split()))
    wait = subprocess.Popen([binary, "-C", name, "wait", number], stdout=subprocess.DEVNULL)
    while watched and wait.poll() is None:
        watch(peaks)
    assert wait.wait() == 0, run(binary, "-C", name, "show", number)
    shown = json.loads(run(binary, "-C", name, "show", number, "--json"))
    end, start = (datetime.datetime.fromisoformat(shown[at])
                  for at in ("finished_at", "started_at"))
    export = next(p["duration_ms"] for p in shown["phases"] if p["phase"] == "export")
    return (end - start).total_seconds(), export / 1000, peaks


def watch(peaks):
    """Looks at the peak memory of each step of a checkout, in KiB."""
    for folder in pathlib.Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"checkout-step" in words or b"cat-file" in words:
                step = "git cat-file"
                if b"checkout-step" in words:
                    step = words[words.index(b"checkout-step") + 1].decode()
                peak = int((folder / "status").read_text().split("VmHWM:")[1].split()[0])
                peaks[step] = max(peaks.get(step, 0), peak)
        except (OSError, ValueError, IndexError):
            pass


watched = False
syncfs = ctypes.CDLL(None).syncfs
revisions = dict(zip(("all files", "1 % differs", "1 % everywhere"), application()))
old = revisions["all files"]
names = {"reflink": "", "hard": 'link = "hard"\n'}
for name in names:
    record(name, names[name])
took = {}


def note(what, seconds):
    took.setdefault(what, []).append(seconds)


# Nothing is removed between the rounds: ext4 searches long for inodes after many files were
# removed.
for round in range(rounds + 1):
    tree = here / f"tree-{round}"
    tree.mkdir()
    os.sync()
    start = time.perf_counter()
    run("git", f"--git-dir={here}/app.git", f"--work-tree={tree}", "checkout", "-f", old, "--", ".")
    note("git checkout -f", time.perf_counter() - start)
    # As `sync -f` does, without another process.
    folder = os.open(tree, os.O_RDONLY)
    syncfs(folder)
    os.close(folder)
    note("git checkout -f; sync", time.perf_counter() - start)
    os.remove(here / "app.git/index")

    threads = str(os.cpu_count())
    for what, more in (("make", []), ("link", [f"floor-make-{round}"])):
        made, synced = run("./floor", f"floor-{what}-{round}", str(files), threads, *more).split()
        note(f"floor: {what} files", float(made))
        note(f"floor: {what} files; sync", float(made) + float(synced))
    for name in names:
        srv = here / f"srv-{name}"
        if srv.exists():
            srv.rename(here / f"old-{name}-{round}")
        for what, revision in revisions.items():
            whole, export, _ = deploy(name, revision)
            note(f"{name}: {what}", whole)
            note(f"{name}: {what}, export", export)

median = {what: statistics.median(seconds[1:]) for what, seconds in took.items()}
print(f"{files} files, {rounds} rounds; against git checkout -f, and against the same and a sync")
for what, seconds in median.items():
    ratio = seconds / median["git checkout -f"]
    durable = seconds / median["git checkout -f; sync"]
    print(f"  {what:<29} {seconds * 1000:>6.0f} ms {ratio:>6.2f} x {durable:>6.2f} x synced")
for name in names:
    for part in list(revisions)[1:]:
        for what in ("", ", export"):
            ratio = median[f"{name}: {part}{what}"] / median[f"{name}: all files{what}"]
            print(f"  {name + ': ' + part + what:<34} {ratio:>10.2f} x all files")

watched = True
for name in names:
    (here / f"srv-{name}").rename(here / f"old-{name}-watched")
    for what, revision in revisions.items():
        peaks = deploy(name, revision)[2]
        steps = (f"{step} {peak / 1024:.0f}" for step, peak in sorted(peaks.items()))
        print(f"  {name}: {what}, MiB: " + ", ".join(steps))
P
