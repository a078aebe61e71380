"""What people ask: status and log, where much is recorded."""

from ..driver import program, take_turns

COLUMNS = (
    "id, rollout, environment, application, revision, previous_revision, status, reason, "
    "deploy_commit, pusher, queued_at_ms, started_at_ms, finished_at_ms, exit_status"
)


def read(bench):
    """status and log, 100,000 recorded"""
    ours = bench.deploys("read", records=100_000)
    sqlite = bench.tool("sqlite3")
    database = ours.state / "state.db"

    def command(*words):
        return program(" ".join(words), [bench.binary, "-C", ours.path, *words])

    def asked(name, rest, *options):
        if not sqlite:
            return []
        query = f"SELECT {COLUMNS} FROM deployments {rest}"
        return [program(name, [sqlite, "-readonly", *options, database, query])]

    newest = "WHERE id IN (SELECT MAX(id) FROM deployments GROUP BY environment, application)"
    twenty, whole = "ORDER BY id DESC LIMIT 20", "ORDER BY id DESC"
    all = [
        bench.true(),
        command("status"),
        command("status", "production/a"),
        command("log", "-n", "20"),
        command("log", "production/a", "-n", "20"),
        command("show", "50000"),
        *asked("sqlite3, newest of each", newest),
        *asked("sqlite3, 20 newest", twenty),
    ]
    take_turns(all, bench.fewer())
    bench.results.contenders("read", read.__doc__, all)
    bench.results.ratio("read", "status", "sqlite3, newest of each", 1.3, missing="sqlite3")
    bench.results.ratio("read", "log -n 20", "sqlite3, 20 newest", 1.3, missing="sqlite3")

    logs = [
        command("log", "-n", "1000000"),
        command("log", "-n", "1000000", "--json"),
        *asked("sqlite3, everything", whole),
        *asked("sqlite3 -json, everything", whole, "-json"),
    ]
    take_turns(logs, min(10, bench.rounds), 1)
    case = "read-all"
    bench.results.contenders(case, "the log of all 100,000", logs)
    text, json = "log -n 1000000", "log -n 1000000 --json"
    bench.results.ratio(case, text, "sqlite3, everything", 1.5, missing="sqlite3")
    bench.results.ratio(case, json, "sqlite3 -json, everything", 2, missing="sqlite3")
