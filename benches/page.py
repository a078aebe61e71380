#!/usr/bin/env python3
"""Measures how fast the page is, with 1,000 applications in 5 environments and 100,000 deployments
recorded.

wrk asks for each page again and again over one connection: first nginx, which has the same bytes in
a file, and then the page. After that the state changes before each request, so that everything is
looked up again. It needs git, and the packages wrk and nginx-light.

  benches/page.py [--binary PROGRAM] [--page PROGRAM] [--quick]"""

import argparse
import contextlib
import gzip
import http.client
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from speed.driver import Fault, begin
from speed.worlds import DeployRepository, revision

ENVIRONMENTS = ["development", "test", "staging", "canary", "production"]
PROGRAMS = {"wrk": "wrk", "nginx": "nginx-light"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default="target/release/deploy-by-code")
    parser.add_argument("--page", type=pathlib.Path, default="target/release/deploy-by-code-web")
    parser.add_argument("--quick", action="store_true", help="little of everything")
    return parser.parse_args()


def record(repository, targets, count):
    """Deployments as pushes have left them. Each target has as many as the others."""
    rollouts, deployments = [], []
    for n in range(count):
        at = 1_600_000_000_000 + n
        environment, application = targets[n % len(targets)]
        previous = revision(n + 1 - len(targets)) if n >= len(targets) else None
        rollouts.append((revision(n + 1), revision(n + 2), at))
        deployments.append((n + 1, environment, application, revision(n + 1), previous, "succeeded",
                            repository.commits[0], "alice", "unix", "A <a@example.org>", at, at + 1,
                            at + 2, n + 1, 0))
    with contextlib.closing(repository.database()) as database, database:
        database.executemany(
            "INSERT INTO rollouts (old_commit, new_commit, planned_at_ms) VALUES (?,?,?)", rollouts)
        database.executemany(
            "INSERT INTO deployments (rollout, environment, application, revision,"
            " previous_revision, status, deploy_commit, pusher, pusher_known_by, author,"
            " queued_at_ms, started_at_ms, finished_at_ms, finish_order, exit_status)"
            f" VALUES ({','.join('?' * 15)})", deployments)
    repository.settle()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(argv, port):
    """A server that listens on a port of loopback, with the environment that the unit sets."""
    environment = dict(os.environ, MALLOC_ARENA_MAX="1")
    server = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        else:
            raise Fault(f"{argv[0]} does not listen on port {port}")
        yield server
    finally:
        server.terminate()
        server.wait()


def get(connection, path):
    """The body of a page, compressed, and how long it took in milliseconds."""
    start = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    took = (time.perf_counter() - start) * 1000
    if answer.status != 200:
        raise Fault(f"{path}: {answer.status}")
    return body, took


def by_wrk(port, path, seconds):
    """The median time of a request in milliseconds."""
    said = subprocess.run(
        ["wrk", "-t1", "-c1", f"-d{seconds}s", "--latency", "-H", "Accept-Encoding: gzip",
         f"http://127.0.0.1:{port}{path}"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", said)
    if not found or "Non-2xx" in said:
        raise Fault(f"{path}: wrk said: {said}")
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def serve_files(folder, bodies, port):
    """nginx's configuration for files that are sent as they are."""
    root = folder / "root"
    root.mkdir()
    for name, body in bodies.items():
        (root / f"{name}.gz").write_bytes(body)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;"
        " worker_processes 1; events {}"
        f" http {{ access_log off; root {root}; default_type text/html; keepalive_requests 1000000;"
        f" client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;"
        f" server {{ listen 127.0.0.1:{port}; add_header Content-Encoding gzip; }} }}\n")
    return ["nginx", "-c", configuration]


def memory(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def measure(given, folder):
    applications, count, seconds = (50, 1_000, 1) if given.quick else (1_000, 100_000, 3)
    names = [f"app{n:04}" for n in range(applications)]
    targets = [(environment, name) for name in names for environment in ENVIRONMENTS]
    wanted = [(f"{environment}/{name}.deploy", revision(count - len(targets) + n + 1) + "\n")
              for n, (environment, name) in enumerate(targets)]
    repository = DeployRepository(folder / "deploys.git", binary=given.binary, base=wanted)
    record(repository, targets, count)
    # The page only reads. What it needs beside the database, somebody who may write leaves there.
    subprocess.run([given.binary, "-C", repository.path, "status"], check=True,
                   stdout=subprocess.DEVNULL)

    pages = {"matrix": "/", "environment": "/environment/production",
             "application": f"/application/{names[0]}", "deployment": f"/deployment/{count}",
             "status as JSON": "/api/status"}
    port, files = free_port(), free_port()
    argv = [given.page, "--listen", f"127.0.0.1:{port}", repository.path]
    print(f"{applications} applications, {len(ENVIRONMENTS)} environments, {count} deployments"
          " recorded; ms, the medians")
    print(f"{'':16} {'nginx':>8} {'page':>8} {'changed':>8} {'KiB':>8} {'gzip':>8}")
    with running(argv, port) as server:
        asker = http.client.HTTPConnection("127.0.0.1", port)
        bodies = {name.replace(" ", "-"): get(asker, path)[0] for name, path in pages.items()}
        with running(serve_files(folder, bodies, files), files):
            for name, path in pages.items():
                file = name.replace(" ", "-")
                nginx = by_wrk(files, f"/{file}.gz", seconds)
                page = by_wrk(port, path, seconds)
                changed = after_changes(repository, port, path, 5 if given.quick else 21)
                body = bodies[file]
                print(f"{name:16} {nginx:8.2f} {page:8.2f} {changed:8.2f}"
                      f" {len(gzip.decompress(body)) / 1024:8.0f} {len(body) / 1024:8.0f}")
        print(f"peak memory of the page: {memory(server):.0f} MiB")


def after_changes(repository, port, path, rounds):
    """The median time of a request before which the state has changed."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.closing(sqlite3.connect(repository.state / "state.db")) as database:
        for turn in range(rounds):
            with database:
                database.execute("UPDATE deployments SET reason = ? WHERE id = 1", (f"{turn}",))
            took.append(get(connection, path)[1])
    return statistics.median(took)


def main():
    given = arguments()
    given.binary, given.page = given.binary.resolve(), given.page.resolve()
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            raise SystemExit(f"page: there is no {program} (package {package})")
    sys.stdout.reconfigure(line_buffering=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="page-"))
    try:
        begin()
        measure(given, folder)
    except (Fault, OSError) as fault:
        raise SystemExit(f"page: {fault}") from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
