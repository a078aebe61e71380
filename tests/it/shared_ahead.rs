//! What is known before a deployment about what the releases of a checkout share.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::checkout::{commit, deploy, world};
use crate::nobody::Nobody;
use crate::processes::BINARY;
use crate::shared::{checkout, files};
use crate::tree::{FILE, SYMLINK};
use crate::world::{World, rev};

/// Lets a branch that deploys nothing ask for a revision, and names it.
fn propose(world: &World, revision: &str) -> &'static str {
    world.deploy_rev("production/a", revision);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Propose"]);
    world.git(&["push", "-q", "-f", "origin", "HEAD:refs/heads/proposal"]);
    "proposal"
}

#[test]
fn missing_file_is_known_before_the_deployment() {
    let world = world("shared = [\"storage\", \"config/.env\"]\n");
    let one = files(&world, "one", &[("storage/seed", "one")]);
    let file = checkout(&world, "shared/config/.env");
    let missing = format!(
        "production/a: {} is missing; it is shared, and a at {} does not have it",
        file.display(),
        &one[..7]
    );
    let warning = format!(
        "deploy-by-code: warning: {missing}\n  hint: put the file there before the deployment, or \
         write \"config/.env/\" in shared if a folder is meant\n"
    );
    let proposal = propose(&world, &one);
    let checked = world.cmd(&["check", proposal]).ok();
    assert_eq!(checked.stderr, warning);
    assert!(!checkout(&world, "").exists(), "it only looks");

    // That is what happens.
    let failed = deploy(&world, &one);
    assert!(
        failed.contains(&format!("{} is missing", file.display())),
        "{failed}"
    );
    world.cmd(&["check"]).ok().says(&warning);
    world
        .cmd(&["doctor"])
        .exits(1)
        .says(&format!("PROBLEM  shared: {missing}"));

    fs::write(&file, "SECRET=1").unwrap();
    assert_eq!(world.cmd(&["check"]).ok().stderr, "");
    world
        .cmd(&["doctor"])
        .says(&format!(
            "ok       shared: production/a: {}\n",
            file.display()
        ))
        .says_nothing_of("is missing; it is shared");
}

#[test]
fn file_of_the_revision_need_not_be_there() {
    let world = world("shared = [\"config/.env\"]\nsubdirectory = \"web\"\n");
    let inside = files(&world, "one", &[("web/config/.env", "one")]);
    let outside = files(&world, "two", &[("config/.env", "two"), ("web/x", "two")]);

    let checked = world.cmd(&["check", propose(&world, &inside)]).ok();
    assert_eq!(checked.stderr, "");
    let checked = world.cmd(&["check", propose(&world, &outside)]).ok();
    checked.says("shared/config/.env is missing; it is shared");

    let checked = world.cmd(&["check", propose(&world, &rev(9))]).exits(1);
    checked.says("shared/config/.env is missing, and nobody could look whether a at 0000009 has");
}

#[test]
fn what_is_in_the_way_is_known_before_the_deployment() {
    let world = world("shared = [\"public/uploads\"]\n");
    let link = commit(&world, |trees| {
        trees.path(SYMLINK, b"public/uploads", &trees.blob("/srv"))
    });
    let above = commit(&world, |trees| trees.path(FILE, b"public", &trees.blob("")));
    let plain = files(&world, "plain", &[]);
    let cannot = |revision: &str, why: &str| {
        let warning =
            format!("warning: production/a: public/uploads can't be shared, because {why}\n");
        let checked = world.cmd(&["check", propose(&world, revision)]).ok();
        checked.says(&warning);
    };

    let short = &link[..7];
    cannot(&link, &format!("in a at {short} it is a symbolic link"));
    let short = &above[..7];
    let why = format!("in a at {short} something on the way to it is no folder");
    cannot(&above, &why);

    let folder = checkout(&world, "shared/public");
    fs::create_dir_all(checkout(&world, "shared")).unwrap();
    symlink("/srv", &folder).unwrap();
    cannot(&plain, &format!("{} is no folder", folder.display()));
}

#[test]
fn folder_that_cannot_be_looked_at_is_said_to_be_one() {
    let world = world("shared = [\"storage\", \".env\"]\n");
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    world.install();
    let one = files(&world, "one", &[("storage/seed", "one")]);
    fs::create_dir_all(checkout(&world, "shared")).unwrap();
    fs::write(checkout(&world, "shared/.env"), "SECRET=1").unwrap();
    assert_eq!(deploy(&world, &one), "#1 production/a succeeded");
    let private = Permissions::from_mode(0o700);
    fs::set_permissions(checkout(&world, ""), private).unwrap();

    let unseen = format!(
        "production/a: nobody could look whether {} is there: {}: Permission denied (os error 13)",
        checkout(&world, "shared/.env").display(),
        checkout(&world, "shared").display()
    );
    let checked = nobody
        .run(".", &format!("'{BINARY}' -C deploy.git check"))
        .ok();
    checked.says(&format!(
        "deploy-by-code: warning: {unseen}\n  hint: look as the user"
    ));
    nobody
        .run(".", &format!("'{BINARY}' -C deploy.git doctor"))
        .says(&format!("warning  shared: {unseen}"))
        .says_nothing_of("ok       shared");
}
