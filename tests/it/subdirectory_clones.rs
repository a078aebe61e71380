//! `subdirectory` in a clone: what `propose` and `approve` count and name, as far as the server has
//! published which folder is deployed.

use serde_json::{Value, json};

use crate::approvers::{change, clone, configure, git_deploy, world_of_clones};
use crate::clones::{content, is_deployed, propose, refuses};
use crate::commands::keys;
use crate::published_status::{self, REF, subjects};
use crate::subdirectory_commits::{FOLDER, commit, deploy, twelve_commits};
use crate::world::World;

const A: &str = "production/a";

/// A server that has published that a folder of `a` is deployed, with clones. Returns the revision
/// that is deployed, and one that has 12 commits more, 3 of them in the folder.
fn published() -> (World, String, String) {
    let world = world_of_clones(&format!("subdirectory = \"{FOLDER}\"\n"));
    world.git_in(".", &["clone", "-q", "apps/a.git", "clone"]);
    let (old, new) = twelve_commits(&world);
    deploy(&world, &old);
    world.wait_until("the deployment is published", || {
        let subjects = subjects(&world, REF);
        subjects.last().is_some_and(|last| last.ends_with(" (#1)"))
    });
    world.wait_until_idle();
    (world, old, new)
}

/// The lines about commits that are gained.
fn gained(said: &str) -> Vec<&str> {
    let lines = said.lines().filter_map(|line| line.strip_prefix("  + "));
    lines.collect()
}

fn assert_only_inside(said: &str) {
    let named = gained(said);
    assert_eq!(named.len(), 3, "{said}");
    assert!(named.iter().all(|line| line.contains("inside ")), "{said}");
}

#[test]
fn proposal_counts_and_names_the_commits_of_the_folder() {
    let (world, old, new) = published();

    let rows = propose(&world, &[A, "--dry-run", "--json"]).ok().stdout;
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let row = &rows[0];
    let counts = [
        ("gained", 12),
        ("gained_in_subdirectory", 3),
        ("lost", 0),
        ("lost_in_subdirectory", 0),
    ];
    for (key, count) in counts {
        assert_eq!(row[key], count, "{key}");
    }
    assert_eq!(row["subdirectory"], FOLDER);
    assert_eq!(row["gained_commits"].as_array().unwrap().len(), 3);

    let words = format!("gained: 12 commits, 3 of them in {FOLDER}");
    let said =
        propose(&world, &[A])
            .ok()
            .says(&format!("{} -> {}, {words}\n", &old[..7], &new[..7]));
    assert_only_inside(&said.stdout);
    let entry = format!("{new}\n* inside 6\n* inside 3\n* inside 0\n{old}\n");
    assert!(content(&world, A).starts_with(&entry), "{said:?}");
    let message = world.git(&["log", "-1", "--format=%b"]);
    assert!(message.contains(&format!(", {words}, origin/main of a.")));

    world.git(&["push", "-q", "origin", "HEAD:refs/heads/main"]);
    is_deployed(&world, A, &new);
    refuses(&world, &[A, &old]).says(&format!("would lose 12 commits, 3 of them in {FOLDER}:"));
}

#[test]
fn proposal_without_a_commit_of_the_folder_says_so() {
    let (world, _, new) = published();
    deploy(&world, &new);
    let newest = commit(&world, "other/file", "outside at the end");

    let words = format!("1 commit, which is not in {FOLDER}");
    let said = propose(&world, &[A]).ok().says(&format!("gained: {words}"));
    assert_eq!(gained(&said.stdout), [""; 0]);
    assert!(content(&world, A).starts_with(&format!("{newest}\n* {words}\n{new}\n")));
}

#[test]
fn approver_sees_the_commits_of_the_folder() {
    let (world, old, new) = published();
    for person in ["alice", "bob"] {
        clone(&world, person);
    }
    change(&world, "alice", "next", A, &format!("{new}\n* Deploy\n"));

    let said = git_deploy(&world, "bob", &["approve", "origin/next", "--yes"])
        .ok()
        .says(&format!(
            "{A}: {} -> {}, gained: 12 commits, 3 of them in {FOLDER}\n",
            &old[..7],
            &new[..7]
        ));
    assert_only_inside(&said.stdout);

    // Where nothing is published, nobody knows of a folder.
    let arguments = ["approve", "origin/next", "--yes", "--status-ref", "refs/x"];
    let said = git_deploy(&world, "bob", &arguments)
        .ok()
        .says(", 12 commits gained\n");
    assert!(!said.stdout.contains(FOLDER), "{said:?}");
}

#[test]
fn all_commits_are_counted_where_no_folder_is_published() {
    let (world, _, _) = published();

    let arguments = [A, "--dry-run", "--status-ref", "refs/x"];
    let said = propose(&world, &arguments).ok().says("12 commits gained\n");
    assert!(!said.stdout.contains(FOLDER), "{said:?}");
    assert!(said.stdout.contains(" outside 8"), "{said:?}");

    let rows = propose(&world, &[&arguments[..], &["--json"]].concat());
    let rows: Value = serde_json::from_str(&rows.ok().stdout).unwrap();
    let inside = [
        "subdirectory",
        "gained_in_subdirectory",
        "lost_in_subdirectory",
    ];
    assert!(inside.iter().all(|key| rows[0][key].is_null()), "{rows:#}");
}

#[test]
fn folder_is_published_anew_where_the_configuration_names_another_one() {
    let (world, _, _) = published();
    let folder = || published_status::json(&world, "status.json")["applications"][0].clone();
    assert_eq!(folder()["subdirectory"], FOLDER);
    assert!(keys(&folder()).contains("subdirectory"));

    let reconcile = |expect: Value| {
        world.wait_until("the folder is published", || {
            world.cmd(&["reconcile"]).ok();
            folder()["subdirectory"] == expect
        });
        world.wait_until_idle();
    };
    configure(&world, "subdirectory = \"other/{application}\"\n");
    reconcile(json!("other/a"));
    let last = || world.server_git(&["log", "-1", "--format=%H %s", REF]);
    let published = last();
    assert!(published.ends_with(" The configuration has changed"));
    world.cmd(&["reconcile"]).ok();
    world.wait_until_idle();
    assert_eq!(last(), published, "it is published once");
    propose(&world, &[A, "--dry-run"])
        .ok()
        .says("gained: 12 commits, none of them in other/a");

    configure(&world, "");
    reconcile(Value::Null);
    propose(&world, &[A, "--dry-run"])
        .ok()
        .says("12 commits gained");
}
