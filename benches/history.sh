#!/usr/bin/env bash
# Measures how long pre-receive takes to judge one deploy file of an application with a long
# history. In the same run it measures /bin/true, and how long git itself takes to answer whether
# one commit is an ancestor of another. It prints the ratios. It needs git and python3.
#
#   benches/history.sh [BINARY] [COMMITS]
set -euo pipefail
binary=$(realpath "${1:-target/release/deploy-by-code}")
commits=${2:-100000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org

git init -q --bare -b main app.git
python3 - "$commits" <<'P' | git -C app.git fast-import --quiet
import sys
count = int(sys.argv[1])
for n in range(count):
    print(f"commit refs/heads/main\nmark :{n + 1}\ncommitter A <a@b> {1500000000 + n * 60} +0000\ndata 3\nc\n\n")
for n in range(1, 2001):
    print(f"reset refs/tags/v{n}\nfrom :{count - n * (count // 2500)}\n")
print(f"commit refs/heads/old\ncommitter A <a@b> 1500000000 +0000\ndata 3\no\n\nfrom :{count // 2}\n")
P
git -C app.git pack-refs --all
git -C app.git repack -adq
git init -q --bare -b main deploy.git
printf '[defaults]\ncommand = ["true"]\nrepository = "%s/app.git"\nallowed_refs = ["refs/heads/main", "refs/tags/v*"]\n' "$scratch" \
    >deploy.git/deploy-by-code.toml
"$binary" install deploy.git >/dev/null
git clone -q deploy.git work 2>/dev/null
mkdir work/production
deploy() { # deploy REVISION: commits a deploy file for this revision; prints the commit
    git -C app.git rev-parse "$1" >work/production/app.deploy
    git -C work add -A
    git -C work commit -q -m "$1"
    git -C work rev-parse HEAD
}
first=$(deploy main~2000)
git -C work push -q origin "$first:refs/heads/main" 2>/dev/null
"$binary" -C deploy.git wait 1 >/dev/null

measure() {
    printf '%s\n' "$1"
    printf '  %-44s %10s %14s %14s\n' 'from main~2000 to' 'ms' '/bin/true' 'merge-base'
    local revision line
    for revision in main~1999 main~1000 main main~2001 "main~$((commits - 1))" old; do
        git -C work reset -q --hard "$first"
        line="$first $(deploy "$revision") refs/heads/main"
        git -C work push -qf origin HEAD:refs/heads/topic
        python3 - "$binary" "$line" "$revision" <<'P'
import os, statistics, subprocess, sys, time
binary, line, revision = sys.argv[1:]
env = dict(os.environ, GIT_DIR=".")
def once(command, **more):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, **more)
    return time.perf_counter() - start, done
own, nothing, git = [], [], []
ancestor = ["git", "-C", "app.git", "merge-base", "--is-ancestor", revision, "main"]
for _ in range(9):
    took, done = once([binary, "pre-receive"], input=line.encode() + b"\n", env=env, cwd="deploy.git")
    own.append(took)
    nothing.append(once(["/bin/true"])[0])
    git.append(once(ancestor)[0])
own, nothing, git = (statistics.median(each) for each in (own, nothing, git))
verdict = "taken" if done.returncode == 0 else "refused"
print(f"  {revision + ', ' + verdict:<44} {own * 1000:>10.1f} {own / nothing:>12.1f} x {own / git:>12.1f} x")
P
    done
}
measure 'without a commit-graph'
git -C app.git commit-graph write --reachable 2>/dev/null
measure 'with a commit-graph'
