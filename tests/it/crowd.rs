//! A crowd of pushers: nothing lost, nothing doubled, nothing overlapping.

use std::collections::BTreeMap;
use std::fs;

use crate::run::run;
use crate::runner::overlap;
use crate::world::{World, rev};

const CLIENTS: u32 = 10;
const PUSHES: u32 = 10;

/// One client: a clone of its own, an application of its own, and as many tries for each push as it
/// takes.
fn client(world: &World, number: u32) {
    let folder = format!("client-{number}");
    let environment = ["production", "staging"][number as usize % 2];
    let file = world
        .path(&folder)
        .join(environment)
        .join(format!("app-{number}.deploy"));
    world.git_in(".", &["clone", "-q", "deploy.git", &folder]);
    for n in 1..=PUSHES {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let old = fs::read_to_string(&file).unwrap_or_default();
        fs::write(
            &file,
            format!("{}\n* number {n}\n{old}", rev(1000 * number + n)),
        )
        .unwrap();
        world.git_in(&folder, &["add", "-A"]);
        world.git_in(&folder, &["commit", "-q", "-m", "Deploy"]);
        for attempt in 1.. {
            let push = run(
                world.command("git", &folder).args([
                    "push",
                    "-q",
                    "origin",
                    "HEAD:refs/heads/main",
                ]),
                b"",
            );
            if push.code == Some(0) {
                break;
            }
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
            assert!(attempt < 200, "no turn after {attempt} attempts");
            world.git_in(&folder, &["fetch", "-q", "origin"]);
            world.git_in(&folder, &["rebase", "-q", "origin/main"]);
        }
    }
}

#[test]
fn a_hundred_pushes_from_ten_clients() {
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
    let mut deployed: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &ran {
        *deployed
            .entry(line.rsplit(' ').next().unwrap())
            .or_default() += 1;
    }
    for number in 1..=CLIENTS {
        for n in 1..=PUSHES {
            assert_eq!(
                deployed.get(rev(1000 * number + n).as_str()),
                Some(&1),
                "push {n} of client {number}"
            );
        }
        let target = format!(
            "{}/app-{number}",
            ["production", "staging"][number as usize % 2]
        );
        assert_eq!(
            world.status(&target)["deployed"],
            rev(1000 * number + PUSHES)
        );
        // Each application's revisions were deployed in the order in which they were merged.
        let order: Vec<_> = ran
            .iter()
            .filter(|line| {
                line.starts_with(&format!("{target} "))
                    && !line.ends_with("start")
                    && !line.ends_with("end")
            })
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect();
        assert!(order.is_sorted(), "{target}: {order:#?}");
    }
    for environment in ["production/", "staging/"] {
        assert_eq!(overlap(&ran, environment), 1);
    }
    world.wait_until("no process is left", || world.ours().is_empty());
}
