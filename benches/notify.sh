#!/usr/bin/env bash
# Measures what telling others costs. First: how long post-receive takes for one deployment with
# three targets in the configuration, against the same without any, in turns. Then: how long it
# takes to tell EVENTS events to five targets of which one does not answer, and how much memory,
# files and write-ahead log the process needs meanwhile. It needs git and python3.
#
#   benches/notify.sh [BINARY] [EVENTS] [ROUNDS]
set -euo pipefail
binary=$(realpath "${1:-target/release/deploy-by-code}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org

cd "$scratch"
printf 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' >secret
chmod 600 secret
python3 - "$binary" "${2:-10000}" "${3:-60}" <<'P'
import http.server, os, sqlite3, statistics, subprocess, sys, threading, time

binary, events, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
here = os.getcwd()


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()


def repository(name, config):
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", name], check=True)
    with open(f"{name}/deploy-by-code.toml", "w") as file:
        file.write('[defaults]\ncommand = ["true"]\n' + config)
    subprocess.run([binary, "install", name], check=True, capture_output=True)


def idle(name):
    needle = f"{here}/{name}".encode()
    while True:
        found = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found += needle in file.read()
            except OSError:
                pass
        if not found:
            return
        time.sleep(.01)


def command(name, program):
    return f'[notify.{name}]\nkind = "command"\ncommand = ["{program}"]\n'


# The hook.
three = command("one", "true") + command("two", "true") + command("three", "true")
repository("without.git", "")
repository("with.git", three)
subprocess.run(["git", "init", "-q", "-b", "main", "work"], check=True)
os.mkdir("work/production")


def hook(name):
    """One deployment: wall and processor time of post-receive, in ms."""
    old = git(name, "for-each-ref", "--format=%(objectname)", "refs/heads/main") or "0" * 40
    os.rename(f"{name}/hooks", f"{name}/away")
    git("work", "push", "-qf", f"../{name}", "HEAD:refs/heads/main")
    os.rename(f"{name}/away", f"{name}/hooks")
    line = f"{old} {git('work', 'rev-parse', 'HEAD')} refs/heads/main\n".encode()
    inside, outside = os.pipe()
    os.write(outside, line)
    os.close(outside)
    begin = time.perf_counter()
    child = subprocess.Popen([binary, "post-receive"], cwd=name, env=dict(os.environ, GIT_DIR="."), stdin=inside,
                             stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    took = time.perf_counter() - begin
    child.returncode = status
    os.close(inside)
    assert status == 0, status
    idle(name)
    return took * 1000, (used.ru_utime + used.ru_stime) * 1000


samples = {"without.git": [], "with.git": []}
for n in range(1, rounds + 3):
    with open("work/production/app.deploy", "w") as file:
        file.write(f"{n:040x}\n")
    git("work", "add", "-A")
    git("work", "commit", "-q", "-m", str(n))
    for name in samples if n % 2 else reversed(samples):
        found = hook(name)
        if n > 2:
            samples[name].append(found)
print(f"post-receive, one deployment, {rounds} rounds; ms, medians")
medians = {}
for name, found in samples.items():
    medians[name] = [statistics.median(column) for column in zip(*found)]
    print(f"  {name:14} {medians[name][0]:8.3f} wall {medians[name][1]:8.3f} processor  (least {min(found)[0]:.3f})")
least = [min(took for took, _ in samples[name]) for name in ("with.git", "without.git")]
wall, cpu = (a / b for a, b in zip(medians["with.git"], medians["without.git"]))
print(f"  with / without: {wall:.3f} wall, {cpu:.3f} processor, {least[0] / least[1]:.3f} of the least (goal 1.05)")


# The events.
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()


def webhook(name, port):
    return f'[notify.{name}]\nkind = "webhook"\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "{here}/secret"\n'


many = command("one", "true") + command("two", "true") + webhook("three", server.server_port)
many += command("four", "true") + webhook("dead", 1)
repository("many.git", "[environments.production]\n")
freeze = [binary, "-C", "many.git", "freeze", "production", "--reason", "x"]
subprocess.run(freeze, check=True, capture_output=True)
with open("many.git/deploy-by-code.toml", "a") as file:
    file.write(many)
database = sqlite3.connect("many.git/deploy-by-code/state.db", isolation_level=None)
now = int(time.time() * 1000) + 1000
with database:
    database.execute("BEGIN")
    sql = "INSERT INTO events (at_ms, kind, data) SELECT ?, kind, data FROM events WHERE kind = 'frozen' LIMIT 1"
    database.executemany(sql, [(now,)] * events)
    database.execute("COMMIT")

begin = time.perf_counter()
notifier = os.path.join(os.path.dirname(binary), "deploy-by-code-notify")
process = subprocess.Popen([notifier, "-C", "many.git", "--checked"])
wal, files, done = 0, 0, {}
while len(done) < 4:
    time.sleep(.2)
    assert process.poll() is None, "it ended while one target waits"
    wal = max(wal, os.path.getsize("many.git/deploy-by-code/state.db-wal"))
    files = max(files, len(os.listdir(f"/proc/{process.pid}/fd")))
    counted = database.execute("SELECT target, COUNT(*) FROM notifications WHERE status = 'delivered' GROUP BY target")
    for target, count in counted.fetchall():
        if count == events:
            done.setdefault(target, time.perf_counter() - begin)
with open(f"/proc/{process.pid}/status") as file:
    memory = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in file if line.startswith(("VmHWM", "VmRSS"))}
with open(f"/proc/{process.pid}/stat") as file:
    ticks = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
cpu = ticks / os.sysconf("SC_CLK_TCK")
print(f"\n{events} events to five targets, one of which does not answer")
for target, took in done.items():
    print(f"  {target:14} {took:8.1f} s, {events / took:8.0f} a second")
waiting = database.execute("SELECT target, status, attempts FROM notifications WHERE status != 'delivered'").fetchall()
print(f"  not delivered: {waiting}")
print(f"  processor {cpu:.1f} s with the programs that it started, {cpu / events / 4 * 1e6:.0f} us a telling")
print(f"  memory {memory['VmHWM']:.1f} MiB at most, {memory['VmRSS']:.1f} now; {files} files; log of the database {wal / 2**20:.1f} MiB at most")
process.kill()
process.wait()
P
