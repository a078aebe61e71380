"""Repositories as the cases need them, made in one go with git fast-import.

Nothing here removes files between two measurements. After tens of thousands of files were removed,
ext4 without a journal does not use their inodes again for some seconds, and looks past all of them
for each new file. So what is no longer needed is moved aside.
"""

import fcntl
import itertools
import os
import pathlib
import shutil
import sqlite3
import subprocess

from .driver import ENVIRONMENT, HOOK_ENVIRONMENT, Fault, program, reap

ZERO = "0" * 40
MAIN = "refs/heads/main"
PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
TRUE = '[defaults]\ncommand = ["/bin/true"]\n'


def sh(*argv, stdin=None):
    """Runs a program that must succeed, and returns what it printed."""
    argv = [str(word) for word in argv]
    done = subprocess.run(
        argv, env=ENVIRONMENT, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0:
        raise Fault(f"{' '.join(argv)}: exit status {done.returncode}: {said[-800:]}")
    return said


def revision(number):
    """A revision that no commit needs to have."""
    return f"{number:040x}"


def deploy_steps(count, first=1000):
    """`count` commits that each deploy production/a once."""
    for number in range(first, first + count):
        text = f"{revision(number)}\n* note {number}\n{revision(number - 1)}\n* note\n"
        yield [("production/a.deploy", text)]


def many_files(count, in_one_folder=1000):
    """`count` deploy files: those of production first, then those of other environments."""
    for number in range(count):
        folder, within = divmod(number, in_one_folder)
        environment = f"env{folder:03}" if folder else "production"
        application = f"app{within:04}" if number else "a"
        yield f"{environment}/{application}.deploy", f"{revision(number + 1)}\n* first\n"


class Stream:
    """Commits on one branch, for git fast-import. Their times are the same in every run."""

    def __init__(self, repository, branch="refs/heads/build", parent=None, loose=False):
        self.repository, self.branch, self.parent = repository, branch, parent
        self.loose, self.parts, self.count = loose, [], 0

    def commit(self, files):
        self.count += 1
        when = 1_600_000_000 + self.count
        head = f"commit {self.branch}\nmark :{self.count}\n"
        head += f"committer A <a@example.org> {when} +0000\ndata 1\nc\n"
        if self.count == 1 and self.parent:
            head += f"from {self.parent}\n"
        self.parts.append(head.encode())
        for path, text in files:
            data = text if isinstance(text, bytes) else text.encode()
            self.parts.append(b"M 100644 inline %s\n" % path.encode())
            self.parts.append(b"data %d\n%s\n" % (len(data), data))
        self.parts.append(b"\n")

    def run(self):
        """Writes the commits, and returns their hashes in order."""
        marks = f"{self.repository}.marks"
        pack = "1000000" if self.loose else "0"
        options = ["-c", f"fastimport.unpackLimit={pack}", "-C", self.repository]
        more = ["--quiet", "--force", f"--export-marks={marks}"]
        sh("git", *options, "fast-import", *more, stdin=b"".join(self.parts))
        with open(marks) as file:
            found = dict(line.split() for line in file)
        return [found[f":{number + 1}"] for number in range(self.count)]


def application(path, files=(("README", "x\n"),), commits=1, graph=True):
    """An application's repository with that many commits; returns their hashes."""
    sh("git", "init", "-q", "--bare", "-b", "main", path)
    stream = Stream(path, MAIN)
    stream.commit(files)
    for number in range(1, commits):
        stream.commit([("README", f"{number}\n")] if number % 10 == 0 else [])
    commits = stream.run()
    sh("git", "-C", path, "repack", "-adq")
    if graph:
        sh("git", "-C", path, "commit-graph", "write", "--reachable")
    return commits


class DeployRepository:
    """A bare deploy repository with hooks, and commits to step through.

    `base` are the deploy files of its first commit, `steps` the files that each later one changes.
    `peer` is the name of a hook in benches/peers, which takes the place of ours. `history`, `refs`
    and `records` are how many older commits, other refs and recorded deployments it has."""

    def __init__(
        self, path, binary=None, base=None, steps=(), config=TRUE, peer=None, loose=True,
        history=0, refs=0, records=0,
    ):
        self.path, self.peer = path, peer
        self.state = path / ("peer" if peer else "deploy-by-code")
        self.line = pathlib.Path(f"{path}.stdin")
        self.asides = itertools.count()
        sh("git", "init", "-q", "--bare", "-b", "main", path)
        self.begin(base or [("production/a.deploy", revision(1) + "\n")], history)
        self.add_refs(refs)
        (path / "deploy-by-code.toml").write_text(config)
        if peer:
            self.use_peer()
        elif binary:
            sh(binary, "install", "--registry", f"{path}.registry", path)
            self.add_records(records)

        # Each step is written as a push leaves it: its objects loose, or in one pack.
        stream = Stream(path, parent=self.commits[0], loose=loose)
        for files in steps:
            stream.commit(files)
        if stream.count:
            self.commits += stream.run()
            sh("git", "-C", path, "update-ref", "-d", stream.branch)

    def begin(self, base, history):
        stream = Stream(self.path)
        for number in range(history):
            stream.commit([("README", f"{number}\n")] if number % 10 == 0 else [])
        stream.commit(base)
        self.at, self.commits = 0, stream.run()[-1:]
        if history:
            sh("git", "-C", self.path, "commit-graph", "write", "--reachable")
        sh("git", "-C", self.path, "update-ref", "-d", stream.branch)
        sh("git", "-C", self.path, "update-ref", MAIN, self.commits[0])

    def add_refs(self, count):
        if count:
            create = "".join(f"create refs/tags/t{n} {self.commits[0]}\n" for n in range(count))
            sh("git", "-C", self.path, "update-ref", "--stdin", stdin=create.encode())
            sh("git", "-C", self.path, "pack-refs", "--all")

    def use_peer(self):
        for folder in ("queue", "done"):
            (self.state / folder).mkdir(parents=True)
        (self.state / "cursor").write_text(self.commits[0] + "\n")
        shutil.copy(PEERS / "runner.sh", self.state / "runner")
        shutil.copy(PEERS / self.peer, self.hook("post-receive"))

    def add_records(self, count):
        """Rows as `count` pushes of one deployment each have left them: 100 applications."""
        if not count:
            return
        rollouts, deployments = [], []
        for n in range(count):
            at = 1_600_000_000_000 + n
            name = f"app{n % 100}" if n % 100 else "a"
            previous = revision(n - 99) if n >= 100 else None
            rollouts.append((revision(n + 1), revision(n + 2), at))
            deployments.append(
                (n + 1, "production", name, revision(n + 1), previous, "succeeded",
                 revision(n + 1), "alice", "unix", "A <a@example.org>", at, at + 1, at + 2,
                 n + 1, 0)
            )
        columns = (
            "rollout, environment, application, revision, previous_revision, status, "
            "deploy_commit, pusher, pusher_known_by, author, queued_at_ms, started_at_ms, "
            "finished_at_ms, finish_order, exit_status"
        )
        marks = ",".join("?" * len(columns.split(",")))
        with self.database() as database:
            database.executemany(
                "INSERT INTO rollouts (old_commit, new_commit, planned_at_ms) VALUES (?,?,?)",
                rollouts,
            )
            sql = f"INSERT INTO deployments ({columns}) VALUES ({marks})"
            database.executemany(sql, deployments)
        self.settle()

    def database(self):
        return sqlite3.connect(self.state / "state.db")

    def settle(self):
        """Writes what the log of the database holds into the database."""
        database = self.database()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()

    def hook(self, name):
        return self.path / "hooks" / name

    def step(self):
        """Moves the branch to the next commit as receive-pack does it, and writes the line that the
        hook reads."""
        self.move(self.commits[self.at], self.commits[self.at + 1])
        self.at += 1

    def move(self, old, new):
        (self.path / MAIN).write_text(new + "\n")
        self.line.write_text(f"{old} {new} {MAIN}\n")

    def contender(self, name, hook="post-receive", prepare=None, lines=None, arguments=()):
        """The hook as a contender, which reads `lines`, or else the line of the last step."""
        argv = [self.hook(hook), *arguments]
        return program(name, argv, lines or self.line, self.path, HOOK_ENVIRONMENT, prepare)

    def post_receive(self, name):
        """post-receive as a contender that takes one step for each measurement."""
        return self.contender(name, prepare=self.step)

    def aside(self, path):
        """Moves a file or folder out of the way."""
        if path.exists():
            path.rename(self.path / f"aside-{next(self.asides)}")

    def keep(self):
        """Keeps the state as it is now, for `restore`."""
        reap()
        if not self.peer:
            self.settle()
        shutil.copytree(self.state, self.path / "kept")

    def restore(self):
        """Makes the state what it was at `keep`. Locks stay as they are."""
        ours = ("state.db", "state.db-wal", "state.db-shm", "logs")
        for name in ("cursor", "queue") if self.peer else ours:
            self.aside(self.state / name)
            kept = self.path / "kept" / name
            if kept.is_dir():
                shutil.copytree(kept, self.state / name)
            elif kept.exists():
                shutil.copy(kept, self.state / name)
        # What the copy leaves to write is not the hook's.
        os.sync()

    def hold(self, environment="production"):
        """Holds the lock of an environment, so that runners leave at once. Closing the file that
        is returned ends this."""
        folder = self.state if self.peer else self.state / "locks"
        lock = open(folder / f"{environment}.lock", "a")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock
