"""What all cases share: the binary, the folder, the helpers, and a world that several cases use."""

import pathlib
import shutil

from .driver import Fault, program
from .worlds import ZERO, DeployRepository, deploy_steps, sh

FLOORS = pathlib.Path(__file__).resolve().parent.parent / "floors"

# The Debian packages of the programs that some cases measure against.
PACKAGES = {
    "nq": "nq",
    "tsp": "task-spooler",
    "sqlite3": "sqlite3",
    "strace": "strace",
    "valgrind": "valgrind",
}


class Bench:
    """One run over some cases. `rounds` is how often each contender is measured, `plots` the folder
    for what is drawn, which is also on a disk like the programs of the system."""

    def __init__(self, binary, folder, results, rounds, quick=False, plots=None):
        self.folder, self.results, self.rounds = folder, results, rounds
        self.quick, self.plots = quick, plots
        # Under a short name of its own, so that no other path than the folder's has a part in it.
        # A copy, as an installed program is one: the kernel keeps what a linker has written in
        # smaller pieces, and then each start takes longer. In memory (tmpfs) they are as small.
        self.binary = (plots or folder) / "deploy-by-code"
        self.binary.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(binary, self.binary)
        self.made = {}

    def fewer(self):
        """How often a case measures whose worlds take long to make."""
        return self.rounds if self.quick else max(40, self.rounds * 2 // 3)

    def floor(self, name):
        """A program of benches/floors, compiled."""
        if name not in self.made:
            path = self.folder / name
            source = FLOORS / f"{name}.c"
            sh("cc", "-O2", "-Wall", "-Wextra", "-static", "-o", path, source)
            self.made[name] = path
        return self.made[name]

    def tool(self, name):
        """The path of a program that a case measures against, or None: then it is left out."""
        found = shutil.which(name)
        if not found:
            self.results.say(f"   left out: there is no {name} (package {PACKAGES[name]})")
        return found

    def true(self):
        return program("/bin/true", ["/bin/true"])

    def deploys(self, name, **how):
        """A deploy repository with our hooks, unless `how` says something else."""
        binary = None if how.get("peer") else self.binary
        return DeployRepository(self.folder / f"{name}.git", **{"binary": binary, **how})

    def small(self):
        """A deploy repository with one deploy file, in which no case moves the branch."""
        if "small" not in self.made:
            self.made["small"] = self.deploys("small", steps=deploy_steps(1))
        return self.made["small"]

    def lines(self, name, commit, refs):
        """A file with the lines that a hook reads when these refs are created."""
        path = self.folder / f"{name}.stdin"
        path.write_text("".join(f"{ZERO} {commit} {ref}\n" for ref in refs))
        return path


def git():
    """The path of git."""
    found = shutil.which("git")
    if not found:
        raise Fault("there is no git in PATH (package git)")
    return found
