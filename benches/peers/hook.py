#!/usr/bin/python3
"""The post-receive hook of hook.sh, as somebody writes it who prefers Python."""

import fcntl
import os
import re
import subprocess
import sys

if not any(line.split()[2] == "refs/heads/main" for line in sys.stdin):
    sys.exit()

state = os.path.join(os.getcwd(), "peer")
lock = open(state + "/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
with open(state + "/cursor") as file:
    cursor = file.read().strip()


def git(*words, **more):
    return subprocess.run(["git", *words], capture_output=True, **more).stdout


tip = git("rev-parse", "--verify", "--quiet", "refs/heads/main").decode().strip()
if cursor == tip:
    sys.exit()

changed = git("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=AM", cursor, tip)
changed = changed.split(b"\0")
pattern = rb"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\.deploy"
found = [
    (about.split()[3], path)
    for about, path in zip(changed[::2], changed[1::2])
    if re.fullmatch(pattern, path)
]

lines = []
if found:
    wanted = b"".join(blob + b"\n" for blob, _ in found)
    batch, at = git("cat-file", "--batch", input=wanted), 0
    for _, path in found:
        end = batch.index(b"\n", at)
        size = int(batch[at:end].split()[2])
        word = batch[end + 1 : end + 1 + size].split(None, 1)[0].decode()
        at = end + 2 + size
        environment, application = path.decode()[: -len(".deploy")].split("/")
        if re.fullmatch("[0-9a-f]{40}", word):
            lines.append((environment, application, word))
            print("queued", environment + "/" + application, word)
    with open(state + "/new", "w") as queue:
        queue.writelines(" ".join(line) + "\n" for line in lines)
    os.rename(state + "/new", state + "/queue/" + tip)

with open(state + "/cursor.new", "w") as file:
    file.write(tip + "\n")
os.rename(state + "/cursor.new", state + "/cursor")
lock.close()

quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
for environment in {environment for environment, _, _ in lines}:
    subprocess.Popen([state + "/runner", state, environment], start_new_session=True, **quiet)
