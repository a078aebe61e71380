//! Pushes to the deploy branch that deploy nothing: they say so, and what may have been meant.

use serde_json::Value;

use crate::world::{World, rev};

/// What a push says that must be accepted.
#[track_caller]
fn said(world: &World) -> Vec<String> {
    world.push().remote()
}

/// A world in which `staging/a` and `staging/b` are deployed at the first revision.
fn deployed() -> World {
    let world = World::installed();
    world.deploy("staging/a", 1);
    world.deploy("staging/b", 1);
    world.push();
    world.settled();
    world
}

#[test]
fn unchanged_first_entry_is_said_with_what_was_added_below() {
    let world = deployed();
    let (one, two) = (rev(1), rev(2));
    let unchanged = "deploy-by-code: staging/a: still 0000001, nothing to deploy \
                     (its first entry is unchanged";
    let below = "; 0000002 was added below it, and a new entry goes to the top";

    for (content, rest) in [
        (format!("{one}\n* another comment\n"), ""),
        (format!("{one}\n* another comment\n{two}\n"), below),
        (format!("{one}\n"), ""),
        (format!("{one}\r\n* another comment\r\n{two}\r\n"), below),
        (format!("\n\n{one}\n"), ""),
        (one, ""),
    ] {
        world.deploy_file("staging/a", &content);
        assert_eq!(said(&world), [format!("{unchanged}{rest})")], "{content}");
    }
    assert_eq!(world.history().len(), 2);
}

#[test]
fn file_that_looks_like_a_slip_is_named() {
    let world = deployed();
    for (n, name) in [
        "staging/c.deply",
        "staging/c.Deploy",
        "staging/c.deploy.txt",
        "staging/c.deploy~",
        "staging/c.deploy.bak",
        "staging/c",
        "staging/c.txt",
        "production/c.deply",
        "production/c",
    ]
    .into_iter()
    .enumerate()
    {
        world.write(name, format!("{}\n", rev(u32::try_from(n).unwrap() + 5)));
        let folder = name.split('/').next().unwrap();
        let expect = format!(
            "deploy-by-code: {name}: no deploy file, nothing to deploy \
             (did you mean {folder}/c.deploy?)"
        );
        assert_eq!(said(&world), std::slice::from_ref(&expect));

        let shown = expect.trim_start_matches("deploy-by-code: ");
        world.cmd(&["plan", "main~", "main"]).ok().says(shown);
        world
            .cmd(&["plan", "main~", "main", "--markdown"])
            .ok()
            .says("**Not deployed:**");
        world
            .cmd(&["check"])
            .ok()
            .says(&format!("warning: {shown}"));
    }
}

#[test]
fn file_outside_of_the_environments_is_named() {
    let world = deployed();
    for name in ["c.deply", "c.Deploy", "c"] {
        world.write(name, format!("{}\n", rev(3)));
        assert_eq!(
            said(&world),
            [format!(
                "deploy-by-code: {name}: no deploy file, nothing to deploy \
                 (did you mean <environment>/c.deploy?)"
            )]
        );
    }
}

#[test]
fn file_outside_of_root_is_named() {
    let world = World::new();
    world.config_top("root = \"deploy/files\"");
    world.install();
    for (name, meant) in [
        ("staging/a.deploy", "deploy/files/staging/a.deploy"),
        ("a.deploy", "deploy/files/a.deploy"),
        (
            "deploy/staging.deploy",
            "deploy/files/deploy/staging.deploy",
        ),
        (
            "deploy/files/staging/a.deply",
            "deploy/files/staging/a.deploy",
        ),
        (
            "deploy/files/a.deply",
            "deploy/files/<environment>/a.deploy",
        ),
    ] {
        world.write(name, format!("{}\n", rev(3)));
        assert_eq!(
            said(&world),
            [format!(
                "deploy-by-code: {name}: no deploy file, nothing to deploy (did you mean {meant}?)"
            )]
        );
    }
}

#[test]
fn push_that_changes_no_deploy_file_is_said_in_one_line() {
    let world = deployed();
    let no_deploy_file = ["deploy-by-code: nothing to deploy: no deploy file has changed"];

    world.write("README.md", "Read me.\n");
    assert_eq!(said(&world), no_deploy_file);
    world.write("src/a/b/deploy.sh", "true\n");
    assert_eq!(said(&world), no_deploy_file);

    world.git(&["commit", "-q", "--allow-empty", "-m", "redeploy please"]);
    assert_eq!(
        said(&world),
        [
            "deploy-by-code: nothing to deploy: no file has changed; to deploy a revision again, \
             put a new entry for it at the top of its deploy file"
        ]
    );
}

#[test]
fn hostile_names_are_escaped_and_lines_are_bounded() {
    let world = deployed();
    for n in 0..50 {
        world.write(&format!("staging/x\n\x1b[2J{n}.deply"), "x\n");
    }
    let said = said(&world);
    assert_eq!(said.len(), 11, "{said:#?}");
    assert!(said.iter().all(|line| !line.contains('\x1b')), "{said:#?}");
    assert_eq!(
        said[10],
        "deploy-by-code: nothing to deploy for 40 more files"
    );
}

#[test]
fn slip_is_named_beside_what_is_deployed() {
    let world = deployed();
    for (n, name) in [
        "staging/c.deply",
        "staging/c.deploy.txt",
        "staging/c.Deploy",
        "c",
    ]
    .into_iter()
    .enumerate()
    {
        let revision = u32::try_from(n).unwrap() + 2;
        world.deploy("staging/a", revision);
        world.write(name, format!("{}\n", rev(9)));
        let meant = if name == "c" {
            "<environment>"
        } else {
            "staging"
        };

        let said = said(&world);
        assert!(said[0].contains("staging/a"), "{said:#?}");
        let slip = format!(
            "deploy-by-code: {name}: no deploy file, nothing to deploy \
             (did you mean {meant}/c.deploy?)"
        );
        assert_eq!(
            said.iter().filter(|line| **line == slip).count(),
            1,
            "{said:#?}"
        );
        world.settled();
    }

    // Beside a retirement and beside a problem, too.
    world.retire("staging/b");
    world.write("staging/d.deply", "x\n");
    world
        .push()
        .says("retired staging/b")
        .says("staging/d.deploy?");

    world.deploy_file("staging/a", "nonsense\n");
    world.write("staging/e.deply", "x\n");
    let line = world.push_unseen();
    let hook = world.hook("post-receive", &line);
    hook.says("problem staging/a.deploy")
        .says("staging/e.deploy?");
}

#[test]
fn every_form_of_a_plan_shows_what_is_not_deployed() {
    let world = deployed();
    let plan = |form: &[&str]| {
        let all = [&["plan", "main~", "main"], form].concat();
        world.cmd(&all).ok().stdout
    };
    let rows = || -> Vec<Value> { serde_json::from_str(&plan(&["--json"])).unwrap() };

    let content = format!("{}\n* a comment\n{}\n", rev(1), rev(2));
    world.deploy_file("staging/a", &content);
    world.deploy("staging/b", 2);
    world.write("staging/c\u{1b}.deply", "x\n");
    world.push();
    let unchanged = "staging/a: still 0000001, nothing to deploy (its first entry is unchanged";
    let near_miss = "staging/c\\u{1b}.deply: no deploy file, nothing to deploy";
    for expect in [unchanged, near_miss] {
        assert!(plan(&[]).contains(expect));
    }
    assert!(plan(&["--markdown"]).contains("- staging/a: still 0000001, nothing to deploy"));
    assert!(plan(&["--markdown"]).contains("1b\\}.deply: no deploy file, nothing to deploy"));

    let found = rows();
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(found[0]["application"], "b");
    assert_eq!(found[1]["not_deployed"], "unchanged");
    assert_eq!(found[1]["environment"], "staging");
    assert_eq!(found[1]["application"], "a");
    assert_eq!(found[1]["revision"], rev(1));
    assert_eq!(found[1]["added_below"], rev(2));
    assert!(found[1]["message"].as_str().unwrap().starts_with(unchanged));
    assert_eq!(found[2]["not_deployed"], "near_miss");
    assert_eq!(found[2]["path"], "staging/c\u{1b}.deply");
    assert_eq!(found[2]["meant"], "staging/c.deploy");
    assert!(found[2]["message"].as_str().unwrap().starts_with(near_miss));

    // That no file was changed is said only where there is nothing else.
    world.write("README.md", "Read me.\n");
    world.push();
    assert_eq!(rows().len(), 1);
    assert_eq!(rows()[0]["not_deployed"], "no_deploy_file");
    world.git(&["commit", "-q", "--allow-empty", "-m", "again"]);
    world.push();
    assert_eq!(rows()[0]["not_deployed"], "no_file");
}

#[test]
fn push_to_another_branch_and_a_push_that_deploys_say_nothing_more() {
    let world = deployed();
    world.write("staging/c.deply", "x\n");
    world.commit();
    let push = world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    assert_eq!(push.remote(), [""; 0]);
    world.push();

    // Only what a push adds or changes is named.
    world.deploy("staging/a", 2);
    world
        .push()
        .says("#3 staging/a")
        .says_nothing_of("nothing to deploy");
    world.retire("staging/b");
    world
        .push()
        .says("retired staging/b")
        .says_nothing_of("nothing to deploy");
}
