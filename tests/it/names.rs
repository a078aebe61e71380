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

#[test]
fn commands_name_what_was_meant() {
    let world = configured("[environments.production]\n[environments.staging]\n");
    world.deploy("production/website", 1);
    world.push();
    world.settled();

    for (arguments, near) in [
        (&["status", "prodution"][..], "did you mean production?"),
        (&["status", "website"], "did you mean production/website?"),
        (&["log", "websit"], "did you mean production/website?"),
        (
            &["status", "production/websit"],
            "did you mean production/website?",
        ),
        (
            &["log", "prodution/website"],
            "did you mean production/website?",
        ),
        (&["status", "stagin"], "did you mean staging?"),
        (&["release", "prodution"], "did you mean production?"),
        (&["thaw", "prodution"], "did you mean production?"),
        (
            &["freeze", "prodution", "--reason", "x"],
            "did you mean production?",
        ),
        (&["status", "zzz"], "deploy-by-code status"),
    ] {
        world.cmd(arguments).exits(1).says(near);
    }
    // The configuration knows it, and nothing was deployed there yet.
    world.cmd(&["status", "staging"]).ok();
    world
        .cmd(&["log", "staging"])
        .ok()
        .says("nothing was deployed yet");
}

#[test]
fn what_only_the_record_knows_is_known() {
    let world = configured("");
    world.deploy("old/web", 1);
    world.push();
    world.settled();
    world.retire("old/web");
    world.push();
    world.config("[environments.production]\n");

    for arguments in [
        &["status", "old"][..],
        &["status", "old/web"],
        &["log", "old/web"],
        &["freeze", "old", "--reason", "x"],
        &["status", "old"],
        &["thaw", "old"],
    ] {
        world.cmd(arguments).ok();
    }
}

#[test]
fn status_of_an_environment_shows_no_problem_of_another_one() {
    let world = configured("");
    world.deploy("production/web", 1);
    world.deploy_file("production/broken", "no hash\n");
    world.deploy_file("staging/other", "no hash\n");
    let line = world.push_unseen();
    world.hook("post-receive", &line).ok();
    world.settled();

    let of = |filter: &str| world.cmd(&["status", filter]).ok().all();
    let production = of("production");
    assert!(
        production.contains("production/broken.deploy"),
        "{production}"
    );
    assert!(!production.contains("staging"), "{production}");
    assert!(!of("production/web").contains("broken"));
    assert!(of("staging").contains("staging/other.deploy"));
    assert!(of("production/broken").contains("production/broken.deploy"));
    let all = world.cmd(&["status"]).ok().all();
    assert!(
        all.contains("production/broken") && all.contains("staging/other"),
        "{all}"
    );
}

#[test]
fn misspelt_application_that_goes_first_is_refused() {
    let world = configured("[applications.web]\nafter = [\"databse\"]\n");
    world.deploy("production/database", 1);
    world.push();

    let said = refused(&world, "production/web");
    assert!(said.contains("did you mean database?"), "{said}");
    world
        .cmd(&["check"])
        .ok()
        .says("applications.web.after")
        .says("\"database\"");

    // It may be one that is still to come.
    world.config("[applications.web]\nafter = [\"cache\"]\n");
    world.deploy("production/web", 1);
    world.push();
    let doctor = world.cmd(&["doctor"]).all();
    assert!(doctor.contains("is known of \"cache\""), "{doctor}");
}

#[test]
fn misspelt_application_of_a_group_is_named_and_not_worked_around() {
    let world = configured("[environments.production]\ntogether = [[\"website\", \"databse\"]]\n");
    world.deploy("production/database", 1);
    world.push();

    let said = refused(&world, "production/website");
    assert!(said.contains("did you mean database?"), "{said}");
    assert!(!said.contains("Deploy-Alone"), "{said}");
}

#[test]
fn misspelt_section_does_not_switch_off_what_protects_the_application() {
    let section = "[environments.production]\n[environments.production.applications.wesbite]\n";
    let pattern = "[environments.\"prod*\"]\n[environments.\"prod*\".applications.wesbite]\n";
    for (section, setting) in [
        (
            "[applications.websiet]\n",
            "allowed_refs = [\"refs/heads/a\"]",
        ),
        (
            "[applications.webste]\n",
            "repository = \"/srv/git/website.git\"",
        ),
        (section, "after = [\"database\"]"),
        (pattern, "allowed_refs = [\"refs/heads/a\"]"),
    ] {
        let world = configured(&format!("{section}{setting}\n[applications.database]\n"));
        world.deploy("production/database", 1);
        world.push();

        let said = refused(&world, "production/website");
        let key = setting.split(' ').next().unwrap();
        assert!(said.contains("did you mean website?"), "{section}: {said}");
        assert!(said.contains(key), "{section}: {said}");
    }
}

#[test]
fn section_that_is_like_another_name_protects_what_it_names() {
    let protected = "allowed_refs = [\"refs/heads/a\"]\n";
    for sections in [
        // Both have a section.
        format!("[applications.worker]\n[applications.workers]\n{protected}"),
        // They are numbered.
        format!("[applications.worker2]\n{protected}"),
        // It is another environment's, or switches off no safeguard.
        format!(
            "[environments.production]\n\
             [environments.staging.applications.workers]\n{protected}"
        ),
        "[applications.workers]\ntimeout = \"1h\"\n".to_owned(),
    ] {
        let world = configured(&sections);
        world.deploy("production/worker", 1);
        world.push();
    }

    // Both are known.
    let world = World::installed();
    world.deploy("production/workers", 1);
    world.push();
    world.config(&format!("[applications.workers]\n{protected}"));
    world.deploy("production/worker", 1);
    world.push();
}

#[test]
fn names_of_which_nothing_is_known_are_warned_of() {
    let world = configured(
        "[applications.wesbite]\n[environments.prodution]\n[environments.production]\n\
         together = [\"website\", \"databse\"]\n[environments.production.applications.webiste]\n",
    );
    let line = {
        world.deploy("production/website", 1);
        world.deploy("production/database", 1);
        world.push_unseen()
    };
    world.hook("post-receive", &line).ok();

    let check = world.cmd(&["check"]).all();
    let doctor = world.cmd(&["doctor"]).all();
    for said in [&check, &doctor] {
        for name in [
            "applications.wesbite: ",
            "environments.prodution: ",
            "environments.production.together: ",
            "environments.production.applications.webiste: ",
        ] {
            assert!(said.contains(name), "{name} is missing: {said}");
        }
    }
    assert!(check.contains("did you mean \"website\"?"), "{check}");
}
