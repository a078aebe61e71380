//! Names that are misspelt: in the configuration, in folders and files, and in commands.

use crate::world::World;

fn configured(sections: &str) -> World {
    let world = World::installed();
    world.config(sections);
    world
}

/// Pushes one deploy file, which is refused. Returns what the pusher sees.
#[track_caller]
fn refused(world: &World, target: &str) -> String {
    world.deploy(target, 1);
    let said = world.try_push().exits(1).all();
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    said
}

#[test]
fn misspelt_section_does_not_open_the_environment_that_was_meant() {
    let world = configured(
        "[environments.staging]\n\
         [environments.prodution]\nfrozen = [\"2026-01-01 .. 2099-01-01\"]\n\
         promotes_from = \"staging\"\n",
    );
    world.deploy("staging/web", 1);
    world.push();

    let said = refused(&world, "production/web");
    assert!(said.contains("refused production/web.deploy"), "{said}");
    assert!(said.contains("did you mean prodution?"), "{said}");
}

#[test]
fn misspelt_folder_is_no_environment_of_its_own() {
    let world = configured("[environments.production]\n[environments.staging]\n");
    world.deploy("production/web", 1);
    world.push();

    for (target, near) in [
        ("prodution/web", "did you mean production?"),
        ("Production/api", "only in upper and lower case"),
        ("stagingg/web", "did you mean staging?"),
        ("xyz/web", "known here: production, staging"),
    ] {
        let said = refused(&world, target);
        assert!(said.contains(near), "{target}: {said}");
    }
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
}

#[test]
fn pattern_is_a_section_for_many_environments() {
    let world = configured(
        "[environments.production]\n\
         [environments.\"review-*\"]\nfrozen = [\"2026-01-01 .. 2099-01-01\"]\n\
         [environments.review-main]\n",
    );
    world.deploy("review-main/web", 1);
    world.push();

    let said = refused(&world, "review-1/web");
    assert!(said.contains("frozen"), "{said}");
    let said = refused(&world, "preview-1/web");
    assert!(said.contains("no environment preview-1"), "{said}");
}

#[test]
fn without_sections_every_folder_is_an_environment() {
    let world = configured("[applications.web]\n");
    world.deploy("anything/web", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 anything/web succeeded"]);

    let said = refused(&world, "anything/Web");
    assert!(said.contains("upper and lower case"), "{said}");
}

/// A file that was accepted before its environment lost its section can still be taken away.
#[test]
fn deploy_file_of_an_unknown_environment_can_be_removed() {
    let world = configured("");
    world.deploy("old/web", 1);
    world.push();
    world.settled();
    world.config("[environments.production]\n");

    world.cmd(&["check"]).exits(1).says("no environment old");
    world.retire("old/web");
    world.push();
    world.cmd(&["check"]).ok();
}
