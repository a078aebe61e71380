//! A state with very many rows: how many are asked for is a limit, and nothing else.

use crate::processes::BINARY;
use crate::world::{World, rev};

/// How much memory an export may have, in KiB.
const MEMORY_MAX: u32 = 60_000;

/// How many deployments are recorded.
const COUNT: usize = 100_000;

/// A world whose state has many deployments that are done, of some applications in two
/// environments.
fn world_with_many() -> World {
    let world = World::installed();
    world.deploy("production/a0", 1);
    world.push();
    world.settled();
    world.wait_until_idle();

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = format!(
        "WITH RECURSIVE number(n) AS
             (VALUES (2) UNION ALL SELECT n + 1 FROM number WHERE n < {COUNT})
         INSERT INTO deployments (id, rollout, environment, application, revision, status,
             queued_at_ms, finished_at_ms, finish_order)
         SELECT n, 1, CASE n % 2 WHEN 0 THEN 'production' ELSE 'staging' END, 'a' || (n % 50),
             '{}', 'succeeded', n, n, n FROM number;
         INSERT INTO exceptions (deployment, kind, reason)
         SELECT id, 'rollback', 'reason ' || id FROM deployments WHERE id % 3 = 0;",
        rev(1)
    );
    database.execute_batch(&sql).unwrap();
    world
}

#[test]
fn number_of_rows_is_only_a_limit() {
    let world = world_with_many();
    let lines = |arguments: &[&str]| world.cmd(arguments).ok().stdout.lines().count();

    // The first line has the names of the columns.
    for (number, expected) in [
        ("1", 1),
        ("99999", 99_999),
        ("1000000", COUNT),
        ("4294967295", COUNT),
    ] {
        assert_eq!(lines(&["log", "-n", number]), expected + 1, "{number}");
    }
    assert_eq!(
        lines(&["log", "production", "-n", "1000000"]),
        COUNT / 2 + 2
    );
    let of_one = lines(&["log", "production/a0", "-n", "1000000"]);
    assert_eq!(of_one, COUNT / 50 + 2);

    let rows = world.json(&["log", "-n", "1000000"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), COUNT);
    assert_eq!(rows[0]["id"], COUNT);
    let reasons = |row: &serde_json::Value| row["exceptions"].as_array().unwrap().len();
    assert_eq!(rows.iter().map(reasons).sum::<usize>(), COUNT / 3);

    // A reader who needs a part of an export ends it, which is no error.
    let export = |filter: &str, end: &str| {
        let script = format!(
            "ulimit -v {MEMORY_MAX}; '{BINARY}' -C deploy.git log --json-lines {filter} | {end}"
        );
        let run = world.shell_in(".", &script).ok();
        assert_eq!(run.stderr, "", "{filter} | {end}");
        run.stdout
    };
    assert_eq!(export("", "wc -l").trim(), COUNT.to_string());
    let of_one = (COUNT / 2 + 1).to_string();
    assert_eq!(export("production", "wc -l").trim(), of_one);
    let last = export("--until 1970-01-01T00:00:01Z -n 3", "tail -n 1");
    assert!(last.contains("\"id\":997,"), "{last}");
    let first = export("", "head -n 1");
    assert!(first.contains(&format!("\"id\":{COUNT},")), "{first}");
    let bounded = |arguments: &str, end: &str| {
        let script =
            format!("ulimit -v {MEMORY_MAX}; '{BINARY}' -C deploy.git log {arguments} | {end}");
        world.shell_in(".", &script).stdout.trim().to_owned()
    };
    let array = bounded("-n 1000000 --json", "grep -c '\"id\":'");
    assert_eq!(array, COUNT.to_string());
    // The control: a table is as wide as its widest cells, so it needs more memory.
    assert_eq!(bounded("-n 1000000", "wc -l"), "0");

    assert_eq!(world.json(&["status"]).as_array().unwrap().len(), 50);
    let figures = world.cmd(&["metrics"]).ok().stdout;
    let name = "deploy_by_code_deployments_total";
    let figures = figures.lines().filter(|line| line.starts_with(name));
    let counts = figures.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap());
    assert_eq!(counts.sum::<usize>(), COUNT);
    let last = COUNT.to_string();
    world.cmd(&["show", &last]).ok().says(&format!("#{last}"));
    world.deploy("production/a0", 2);
    world.push().says(&format!("#{} production/a0", COUNT + 1));
}
