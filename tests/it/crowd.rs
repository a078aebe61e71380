//! A crowd of pushers: nothing is lost, nothing runs twice, nothing overlaps.

use std::fs;

use crate::run::run;
use crate::runner::overlap;
use crate::world::{World, rev};

const CLIENTS: u32 = 10;
const PUSHES: u32 = 10;

/// The environment and application that a client deploys.
fn target(number: u32) -> String {
    let environment = ["production", "staging"][number as usize % 2];
    format!("{environment}/app-{number}")
}

/// One client. It has a clone and an application of its own, and tries each push until it succeeds.
fn client(world: &World, number: u32) {
    let folder = format!("client-{number}");
    let file = format!("{folder}/{}.deploy", target(number));
    let file = world.path(&file);
    world.git_in(".", &["clone", "-q", "deploy.git", &folder]);

    for n in 1..=PUSHES {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let old = fs::read_to_string(&file).unwrap_or_default();
        let entry = format!("{}\n* number {n}\n{old}", rev(1000 * number + n));
        fs::write(&file, entry).unwrap();
        world.git_in(&folder, &["add", "-A"]);
        world.git_in(&folder, &["commit", "-q", "-m", "Deploy"]);

        for attempt in 1.. {
            let mut push = world.command("git", &folder);
            push.args(["push", "-q", "origin", "HEAD:refs/heads/main"]);
            let push = run(&mut push, b"");
            if push.code == Some(0) {
                break;
            }

            // Another client was faster.
            let raced = [
                "fetch first",
                "non-fast-forward",
                "failed to update ref",
                "failed to lock",
                "cannot lock ref",
            ];
            assert!(
                raced.iter().any(|reason| push.stderr.contains(reason)),
                "refused for another reason: {push:#?}"
            );
            assert!(attempt < 200, "still not pushed after {attempt} attempts");
            world.git_in(&folder, &["fetch", "-q", "origin"]);
            world.git_in(&folder, &["rebase", "-q", "origin/main"]);
        }
    }
}

#[test]
fn crowd_of_clients_loses_doubles_and_overlaps_nothing() {
    let world = World::installed();
    world.config("queue = \"all\"");
    world.job("note $DEPLOY_REVISION; note start; note end");
    world.write("README.md", "The clients clone something.\n");
    world.push();
    std::thread::scope(|scope| {
        for number in 1..=CLIENTS {
            let world = &world;
            std::thread::Builder::new()
                .spawn_scoped(scope, move || client(world, number))
                .unwrap();
        }
    });

    let history = world.settled();
    assert_eq!(history.len(), (CLIENTS * PUSHES) as usize);
    assert!(
        history.iter().all(|line| line.ends_with(" succeeded")),
        "{history:#?}"
    );

    let ran = world.ran();
    for number in 1..=CLIENTS {
        // Each revision once, and in the order in which they were merged.
        let target = target(number);
        let revisions: Vec<_> = (1..=PUSHES).map(|n| rev(1000 * number + n)).collect();
        assert_eq!(
            &world.status(&target)["deployed"],
            revisions.last().unwrap()
        );
        assert_eq!(deployed(&ran, &target), revisions, "{target}");
    }

    for environment in ["production/", "staging/"] {
        assert_eq!(overlap(&ran, environment), 1);
    }

    world.wait_until_idle();
}

/// The revisions that the jobs of an application noted.
fn deployed(ran: &[String], target: &str) -> Vec<String> {
    let of_target = format!("{target} #");
    ran.iter()
        .filter(|line| line.starts_with(&of_target))
        .filter_map(|line| line.rsplit(' ').next())
        .filter(|word| !["start", "end"].contains(word))
        .map(str::to_owned)
        .collect()
}
