//! The figures for Prometheus, of real deployments.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::applications;
use crate::run::{run, skip};
use crate::world::World;

/// The values of some figures: the name, and after it the labels but for `repository`.
#[derive(Debug)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut values = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once("{repository=\"").unwrap();
            let labels = labels.split_once('"').unwrap().1.trim_start_matches(',');
            let name = name.strip_prefix("deploy_by_code_").unwrap();
            let series = format!("{name} {}", labels.trim_end_matches('}').replace('"', ""));
            let before = values.insert(series, value.to_owned());
            assert_eq!(before, None, "{line} is there twice");
        }
        Self(values)
    }

    pub fn has(&self, series: &str, value: &str) -> bool {
        self.0.get(series).is_some_and(|found| found == value)
    }

    #[track_caller]
    fn get(&self, series: &str) -> &str {
        let value = self.0.get(series);
        value.unwrap_or_else(|| panic!("there is no {series} in {self:#?}"))
    }

    #[track_caller]
    pub fn expect(&self, expected: &[(&str, &str)]) {
        for (series, value) in expected {
            assert_eq!(self.get(series), *value, "{series} of {self:#?}");
        }
    }
}

/// The figures of a world.
#[track_caller]
fn values(world: &World) -> Values {
    Values::parse(&world.cmd(&["metrics"]).ok().stdout)
}

/// The deployments of `production/app` that succeeded.
pub const SUCCEEDED: &str =
    "deployments_total environment=production,application=app,status=succeeded";

/// Whether promtool can be used. Where it cannot, what it would check is left out.
#[track_caller]
pub fn promtool_or_skip(world: &World) -> bool {
    let mut which = world.command("sh", "");
    let can = run(which.args(["-c", "command -v promtool"]), b"").code == Some(0);
    if !can {
        skip("promtool is not installed");
    }
    can
}

#[track_caller]
pub fn promtool(world: &World, arguments: &[&str], input: &str) {
    let mut promtool = world.command("promtool", "");
    let checked = run(promtool.args(arguments), input.as_bytes()).ok();
    assert_eq!(checked.stderr, "", "{checked:#?}");
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// Makes a commit on `main` of an application that claims to be committed at a date.
fn commit_at(world: &World, application: &str, date: &str, parent: Option<&str>) -> String {
    let folder = format!("apps/{application}.git");
    let tree = run(world.command("git", &folder).arg("mktree"), b"").ok();
    let parent = parent.map(|parent| format!("parent {parent}\n"));
    let text = format!(
        "tree {}\n{}author A <a@x> {date} +0000\ncommitter A <a@x> {date} +0000\n\ncommit\n",
        tree.line(),
        parent.unwrap_or_default()
    );
    let mut hash_object = world.command("git", &folder);
    hash_object.args([
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--literally",
        "--stdin",
    ]);
    let commit = run(&mut hash_object, text.as_bytes())
        .ok()
        .line()
        .to_owned();
    world.git_in(&folder, &["update-ref", "refs/heads/main", &commit]);
    commit
}

/// Deploys a revision, and waits for its end.
#[track_caller]
fn deploy(world: &World, target: &str, revision: &str, message: &str) {
    world.deploy_rev(target, revision);
    world.try_push_saying(message).ok();
    world.settled();
    world.wait_until_idle();
}

#[test]
fn figures_are_those_of_what_happened() {
    let world = applications::world(&["web", "api"], "");
    let commits: Vec<String> = applications::commits(&world, "web", 3);
    world.job(&format!("[ $DEPLOY_REVISION != {} ] || exit 7", commits[1]));
    deploy(&world, "production/web", &commits[0], "");
    deploy(&world, "production/web", &commits[1], "");
    deploy(&world, "production/web", &commits[2], "");
    let rollback = "Deploy-Rollback: it is slow";
    deploy(&world, "production/web", &commits[0], rollback);

    let before = values(&world);
    before.expect(&[
        (
            "deployments_total environment=production,application=web,status=succeeded",
            "3",
        ),
        (
            "deployments_total environment=production,application=web,status=failed",
            "1",
        ),
        (
            "deployments_total environment=production,application=web,status=cancelled",
            "0",
        ),
        (
            "deployment_duration_seconds_count environment=production,application=web",
            "3",
        ),
        (
            "deployment_duration_seconds_bucket environment=production,application=web,le=60",
            "3",
        ),
        (
            "deployment_duration_seconds_bucket environment=production,application=web,le=+Inf",
            "3",
        ),
        ("drift environment=production,application=web", "0"),
        ("queued environment=production", "0"),
        ("oldest_queued_seconds environment=production", "0.000"),
        ("frozen environment=production", "0"),
        // The second failed, and the third was rolled back.
        ("changes_total environment=production", "4"),
        ("change_failures_total environment=production", "2"),
        ("change_failure_ratio environment=production", "0.500000"),
        ("time_to_restore_seconds_count environment=production", "2"),
    ]);
    let last = before.get("last_success_timestamp_seconds environment=production,application=web");
    let last: f64 = last.parse().unwrap();
    assert!((now() as f64 - last).abs() < 60.0, "{last}");

    // What is wanted waits for the thaw.
    world.cmd(&["freeze", "production", "--reason", "x"]).ok();
    applications::commit(&world, "api", "main", "c1");
    let api = world.git_in("apps/api.git", &["rev-parse", "main"]);
    fs::write(
        world.path("deploy.git/deploy-by-code.toml"),
        format!(
            "{}[environments.production]\non_freeze = \"hold\"\n",
            world.config_text()
        ),
    )
    .unwrap();
    world.deploy_rev("production/api", &api);
    world.push();
    let frozen = values(&world);
    frozen.expect(&[
        ("frozen environment=production", "1"),
        ("queued environment=production", "1"),
        ("drift environment=production,application=api", "1"),
        ("drift environment=production,application=web", "0"),
        (
            "deployments_total environment=production,application=api,status=succeeded",
            "0",
        ),
    ]);
    assert_ne!(
        frozen.get("oldest_queued_seconds environment=production"),
        "0.000"
    );

    if promtool_or_skip(&world) {
        let text = world.cmd(&["metrics"]).ok().stdout;
        promtool(&world, &["check", "metrics"], &text);
    }
}

#[test]
fn lead_time_is_that_of_the_middle_commit_whatever_dates_the_others_claim() {
    let world = applications::world(&["web"], "");
    let hour = |hours: i64| (now() - hours * 3600).to_string();
    let first = commit_at(&world, "web", &hour(90), None);
    deploy(&world, "production/web", &first, "");

    let mut tip = first.clone();
    for date in [
        hour(5),
        "3093527980800".to_owned(),
        "-5".to_owned(),
        hour(3),
        "99999999999999999999".to_owned(),
        hour(1),
        "0".to_owned(),
        hour(-24),
    ] {
        tip = commit_at(&world, "web", &date, Some(&tip));
    }
    deploy(&world, "production/web", &tip, "");

    // Nobody can tell what the first deployment gained, and a rollback gains nothing.
    deploy(&world, "production/web", &first, "Deploy-Rollback: x");
    world.cmd(&["reconcile"]).ok();
    let values = values(&world);
    values.expect(&[("lead_time_seconds_count environment=production", "1")]);
    for series in [
        "lead_time_seconds_sum environment=production",
        "lead_time_seconds environment=production,quantile=0.5",
    ] {
        let seconds: f64 = values.get(series).parse().unwrap();
        assert!(
            (10_800.0..10_900.0).contains(&seconds),
            "{series} {seconds}"
        );
    }
}

#[test]
fn repository_that_is_away_is_asked_again() {
    let world = applications::world(&["web"], "");
    let commits = applications::commits(&world, "web", 2);
    deploy(&world, "production/web", &commits[0], "");
    let [here, away] = ["apps/web.git", "away"].map(|name| world.path(name));
    world.job(&format!("mv '{}' '{}'", here.display(), away.display()));
    deploy(&world, "production/web", &commits[1], "");

    let count = "lead_time_seconds_count environment=production";
    world.cmd(&["reconcile"]).ok();
    values(&world).expect(&[(count, "0")]);
    fs::rename(&away, &here).unwrap();
    world.cmd(&["reconcile"]).ok();
    values(&world).expect(&[(count, "1")]);
}

#[test]
fn what_nobody_was_told_is_counted() {
    let world = World::installed();
    world.config(
        "[notify.status]\nkind = \"command\"\ncommand = [\"/bin/false\"]\n\
         events = [\"succeeded\"]\n",
    );
    world.config_top("publish = \"refs/deploy-by-code/status\"");
    let waiting = "notifications_waiting target=notify:status";
    for n in 1..=2 {
        world.deploy("production/app", n);
        world.push();
        world.wait_until("it is counted", || {
            values(&world).has(waiting, &n.to_string())
        });
    }
    values(&world).expect(&[
        ("notifications_failed target=notify:status", "0"),
        // What publishes the status is somebody else.
        ("notifications_waiting target=status", "0"),
    ]);

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let refused = "UPDATE notifications SET status = 'refused' WHERE target = 'notify:status'";
    database.execute(refused, []).unwrap();
    assert_ne!(
        values(&world).get("notifications_failed target=notify:status"),
        "0"
    );
}

#[test]
fn retired_application_is_counted_for_thirty_days() {
    let world = World::installed();
    for target in ["review-1/app", "production/app"] {
        world.deploy(target, 1);
    }
    world.push();
    world.settled();
    world.retire("review-1/app");
    world.push();
    world.settled();
    world.wait_until_idle();
    let gone = "deployments_total environment=review-1,application=app,status=succeeded";
    values(&world).expect(&[(gone, "1"), ("frozen environment=review-1", "0")]);

    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let earlier = "UPDATE retirements SET retired_at_ms = retired_at_ms - 31 * 86400000";
    database.execute(earlier, []).unwrap();
    let later = values(&world);
    later.expect(&[(SUCCEEDED, "1")]);
    let review = |series: &&String| series.contains("review-1");
    assert_eq!(later.0.keys().find(review), None);
}

#[test]
fn damaged_branch_is_no_drift() {
    let world = World::installed();
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    world.wait_until_idle();
    let drift = "drift environment=production,application=app";
    values(&world).expect(&[(drift, "0")]);

    let branch = world.path("deploy.git/refs/heads/main");
    fs::write(branch, format!("{}\n", "1".repeat(40))).unwrap();
    let damaged = values(&world);
    damaged.expect(&[(SUCCEEDED, "1")]);
    assert!(!damaged.0.contains_key(drift));
}

#[test]
fn broken_configuration_gives_no_figures() {
    let world = World::installed();
    world.config_top("brnach = \"main\"");
    let run = world.cmd(&["metrics"]).exits(3);
    assert_eq!(run.stdout, "");
}

#[test]
fn page_of_the_documentation_names_what_there_is() {
    let world = World::installed();
    world.config("[notify.x]\nkind = \"command\"\ncommand = [\"/bin/true\"]\n");
    world.deploy("production/app", 1);
    world.push();
    world.settled();
    let text = world.cmd(&["metrics"]).ok().stdout;
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = page.split(|c| !is_word(c));
    for word in words.filter(|word| word.starts_with("deploy_by_code_")) {
        assert!(
            names.contains(&word),
            "{word} in docs/metrics.md is no figure"
        );
    }
    let man = fs::read_to_string(root.join("packaging/man/deploy-by-code.1")).unwrap();
    for name in &names {
        assert!(
            man.contains(&format!(".It Li {name}\n")),
            "{name} is not in the man page"
        );
    }
    assert_eq!(man.matches(".It Li deploy_by_code_").count(), names.len());

    if promtool_or_skip(&world) {
        let (_, rules) = page.split_once("```yaml\n").unwrap();
        let (rules, _) = rules.split_once("```").unwrap();
        fs::write(world.path("rules.yml"), rules).unwrap();
        let mut promtool = world.command("promtool", "");
        run(promtool.args(["check", "rules", "rules.yml"]), b"")
            .ok()
            .says("5 rules found");
    }
}
