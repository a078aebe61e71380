//! `subdirectory`: of the commits that are gained and lost, those of the folder are counted beside
//! all, and are the ones that are named.

use std::fs;

use serde_json::{Value, json};

use crate::applications::refused;
use crate::checkout::{configure, world};
use crate::world::World;

/// A name with characters that are a pattern elsewhere.
pub const FOLDER: &str = "services/w*b [x]";

/// A world whose application is the folder of a repository, and whose commits are made in the clone
/// `clone`.
fn monorepo(more: &str) -> World {
    let world = world("");
    configure(&world, &format!("subdirectory = \"{FOLDER}\"\n{more}"));
    world.git_in("apps", &["clone", "-q", "a.git", "../clone"]);
    world.git_in("clone", &["switch", "-q", "--orphan", "main"]);
    world
}

/// Commits a new content of a file, pushes it, and returns the commit.
pub fn commit(world: &World, path: &str, subject: &str) -> String {
    let file = world.path("clone").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, subject).unwrap();
    world.git_in("clone", &["add", "-A"]);
    world.git_in("clone", &["commit", "-q", "-m", subject]);
    world.git_in("clone", &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    world.git_in("clone", &["rev-parse", "HEAD"])
}

/// Commits 12 changes, 3 of them in the folder. Returns the first revision, which has the folder,
/// and the last.
pub fn twelve_commits(world: &World) -> (String, String) {
    let inside = format!("{FOLDER}/file");
    let old = commit(world, &inside, "first");
    for n in 0..9 {
        // One of them is in a folder that the name would fit as a pattern.
        let path = ["other/file", "services/web x/file"][usize::from(n == 4)];
        commit(world, path, &format!("outside {n}"));
        if n % 3 == 0 {
            commit(world, &inside, &format!("inside {n}"));
        }
    }
    (old, world.git_in("clone", &["rev-parse", "HEAD"]))
}

pub fn deploy(world: &World, revision: &str) {
    world.deploy_rev("production/a", revision);
    world.push();
    let last = world.settled().pop().unwrap();
    assert!(last.ends_with(" succeeded"), "{last}");
}

/// The plan of the clone's commit that was not pushed yet.
fn plan(world: &World, revision: &str, arguments: &[&str]) -> String {
    world.deploy_rev("production/a", revision);
    world.git(&["switch", "-q", "-C", "topic"]);
    world
        .push_with(&["-f", "origin", "HEAD:refs/heads/topic"])
        .ok();
    world.git(&["switch", "-q", "-C", "main", "origin/main"]);
    world
        .cmd(&[&["plan", "main", "topic"], arguments].concat())
        .stdout
}

#[test]
fn plan_counts_and_names_the_commits_of_the_folder() {
    let world = monorepo("");
    let (old, new) = twelve_commits(&world);
    deploy(&world, &old);

    let text = plan(&world, &new, &[]);
    let head = format!(
        "deploy production/a {} -> {}, gained: 12 commits, 3 of them in {FOLDER}\n",
        &old[..7],
        &new[..7]
    );
    assert!(text.starts_with(&head), "{text}");
    let named: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  + "))
        .filter_map(|line| Some(line.split_once(' ')?.1))
        .collect();
    let is_inside = |line: &&str| line.contains("inside ");
    assert_eq!(named.len(), 3, "{text}");
    assert!(named.iter().all(is_inside), "{text}");

    let rows: Value = serde_json::from_str(&plan(&world, &new, &["--json"])).unwrap();
    let row = &rows[0];
    assert_eq!(
        (&row["gained"], &row["gained_in_subdirectory"]),
        (&json!(12), &json!(3))
    );
    assert_eq!(
        (&row["lost"], &row["lost_in_subdirectory"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(row["subdirectory"], FOLDER);
    assert_eq!(row["gained_commits"].as_array().unwrap().len(), 3);

    let markdown = plan(&world, &new, &["--markdown"]);
    assert!(
        markdown.contains(" | 12, 3 of them in services/w\\*b \\[x\\] | 0 | deploy |"),
        "{markdown}"
    );
}

#[test]
fn going_back_is_decided_by_all_commits() {
    let world = monorepo("");
    let (old, new) = twelve_commits(&world);
    let outside = commit(&world, "other/file", "outside at the end");
    deploy(&world, &outside);

    world.deploy_rev("production/a", &old);
    let said = refused(world.try_push());
    let expected = format!(
        "{} would go back 13 commits, 3 of them in {FOLDER}, from {}, which is deployed, and \
         would lose:",
        &old[..7],
        &outside[..7]
    );
    assert!(said.contains(&expected), "{said}");
    assert!(
        said.contains(" inside 6") && !said.contains("outside"),
        "{said}"
    );

    // No commit of the folder would be lost, and it is refused all the same.
    world.git(&["reset", "-q", "--hard", "origin/main"]);
    world.deploy_rev("production/a", &new);
    let said = refused(world.try_push());
    let expected = format!(
        "{} would go back 1 commit, which is not in {FOLDER}, from {}",
        &new[..7],
        &outside[..7]
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(&format!("nothing in {FOLDER}")), "{said}");
}

#[test]
fn merges_count_as_git_counts_them() {
    let world = monorepo("");
    let inside = format!("{FOLDER}/file");
    let old = commit(&world, &inside, "first");
    // A side branch that changes the folder, and one that does not.
    for (name, path) in [("one", &inside), ("two", &"other/file".to_owned())] {
        world.git_in("clone", &["switch", "-q", "-c", name, &old]);
        let file = world.path("clone").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
        world.git_in("clone", &["add", "-A"]);
        world.git_in("clone", &["commit", "-q", "-m", name]);
        world.git_in("clone", &["switch", "-q", "main"]);
        world.git_in("clone", &["merge", "-q", "--no-ff", "-m", "merge", name]);
    }
    let new = commit(&world, "last", "last");
    deploy(&world, &old);

    let range = format!("{old}..{new}");
    let path = format!(":(literal){FOLDER}");
    let count = |more: &[&str]| {
        let arguments = [&["rev-list", "--count", &range, "--"], more].concat();
        world.git_in("clone", &arguments)
    };
    let (all, own) = (count(&[]), count(&[&path]));
    assert_eq!((all.as_str(), own.as_str()), ("5", "1"));
    let text = plan(&world, &new, &[]);
    let words = format!("{all} commits, {own} of them in {FOLDER}\n");
    assert!(text.contains(&words), "{text}");
}

#[test]
fn without_a_subdirectory_nothing_is_counted_twice() {
    let world = monorepo("");
    configure(&world, "subdirectory = \"\"\n");
    let (old, new) = twelve_commits(&world);
    deploy(&world, &old);
    let text = plan(&world, &new, &[]);
    assert!(text.contains(", 12 commits gained\n"), "{text}");
    let rows: Value = serde_json::from_str(&plan(&world, &new, &["--json"])).unwrap();
    assert_eq!(rows[0]["gained_in_subdirectory"], Value::Null);
    assert_eq!(rows[0]["subdirectory"], Value::Null);
}

#[test]
fn who_is_told_is_told_of_the_commits_of_the_folder() {
    let world = monorepo("");
    let script = format!("cd '{}'\ncat >>told", world.path("").display());
    fs::write(world.path("tell"), script).unwrap();
    let file = world.path("tell").display().to_string();
    configure(
        &world,
        &format!(
            "subdirectory = \"{FOLDER}\"\n[notify.program]\nkind = \"command\"\n\
             command = [\"/bin/sh\", {file:?}]\nevents = [\"succeeded\"]\n"
        ),
    );
    let (old, new) = twelve_commits(&world);
    deploy(&world, &old);
    deploy(&world, &new);

    let told = || -> Vec<Value> {
        let text = fs::read_to_string(world.path("told")).unwrap_or_default();
        let rows = serde_json::Deserializer::from_str(&text).into_iter();
        rows.filter_map(Result::ok).collect()
    };
    world.wait_until("both are told", || told().len() == 2);
    let gained = &told()[1]["gained"];
    assert_eq!(
        (&gained["count"], &gained["in_subdirectory"]),
        (&json!(12), &json!(3))
    );
    assert_eq!(gained["subdirectory"], FOLDER);
    let newest: Vec<&str> = gained["newest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|commit| commit["subject"].as_str().unwrap())
        .collect();
    assert_eq!(newest, ["inside 6", "inside 3", "inside 0"]);
}
