//! Which changes of the deploy branch are deployed. What is refused is in `refusals.rs`.

use serde_json::Value;

use crate::world::{World, rev};

#[test]
fn new_file_and_changed_revision_are_deployed() {
    let world = World::installed();
    world.deploy("production/application_A", 1);
    assert_eq!(
        world.push().remote(),
        [
            "deploy-by-code: #1 production/application_A new -> 0000001 queued",
            "deploy-by-code: follow with: git push -o follow, or on the server: \
             deploy-by-code logs -f 1",
        ]
    );
    world.settled();

    world.deploy("production/application_A", 2);
    let said = world.push().remote();
    assert_eq!(
        said[0],
        "deploy-by-code: #2 production/application_A 0000001 -> 0000002 queued"
    );
    assert_eq!(
        world.settled(),
        [
            "#1 production/application_A succeeded",
            "#2 production/application_A succeeded"
        ]
    );

    let second = world.show(2);
    assert_eq!(second["revision"], rev(2));
    assert_eq!(second["previous_revision"], rev(1));
    assert_eq!(second["deploy_commit"], world.tip());

    let author = second["author"].as_str().unwrap();
    assert!(author.contains("Ada Lovelace"), "{author}");
}

#[test]
fn environment_and_application_are_named_by_the_path() {
    let world = World::installed();
    world.deploy("production/application_A", 1);
    world.deploy("staging/application_B", 2);
    world.push();
    world.settled();
    assert_eq!(world.status("production/application_A")["deployed"], rev(1));
    assert_eq!(world.status("staging/application_B")["deployed"], rev(2));
    assert_eq!(world.json(&["status"]).as_array().unwrap().len(), 2);
}

#[test]
fn first_word_is_the_revision_and_the_rest_is_history() {
    let world = World::installed();
    world.deploy_file(
        "production/a",
        format!("\n\n \t{}\r\n* why\nnot a hash\n", rev(1)),
    );
    world.deploy_file(
        "production/b",
        format!("{} * same line\n\0\u{1b}[31m\n", rev(2)),
    );
    world.deploy_file("production/c", "AB".repeat(20));
    world.push();
    world.settled();

    assert_eq!(world.show(1)["revision"], rev(1));
    assert_eq!(world.show(2)["revision"], rev(2));
    assert_eq!(world.show(3)["revision"], "ab".repeat(20));
}

#[test]
fn comments_that_change_alone_deploy_nothing() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.deploy_file("production/a", format!("{}\n* Another comment\n", rev(1)));
    world
        .push()
        .says("production/a: still 0000001, nothing to deploy");
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn repeated_entry_deploys_the_same_revision_again() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 1);
    assert_eq!(
        world.push().remote()[0],
        "deploy-by-code: #2 production/a 0000001 again queued"
    );
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
}

#[test]
fn deleted_file_retires_and_a_restored_file_deploys() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.settled();

    world.retire("production/a");
    let said = world.push().remote();
    assert_eq!(
        said,
        ["deploy-by-code: retired production/a (its deploy file was deleted)"]
    );
    assert_eq!(world.settled().len(), 2, "nothing is run");

    let row = world.status("production/a");
    assert_eq!(
        (&row["wanted"], &row["deployed"]),
        (&Value::Null, &Value::from(rev(1))),
        "{row:#}"
    );

    world.cmd(&["status"]).ok().says("retired");

    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled().last().unwrap(), "#3 production/a succeeded");
    assert_eq!(world.status("production/a")["wanted"], rev(1));

    world.cmd(&["status"]).ok().says_nothing_of("retired");
}

#[test]
fn renamed_file_retires_the_old_name_and_deploys_the_new() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.git(&["mv", "production/a.deploy", "production/b.deploy"]);
    let said = world.push().says("retired production/a").remote();
    assert!(
        said.contains(&"deploy-by-code: #2 production/b new -> 0000001 queued".to_owned()),
        "{said:#?}"
    );
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/b succeeded"]
    );
}

#[test]
fn new_deploy_branch_deploys_all_its_files() {
    let world = World::installed();
    for (target, n) in [("production/a", 1), ("production/b", 2), ("staging/a", 3)] {
        world.deploy(target, n);
        world.commit();
    }

    world.push();
    let mut history: Vec<_> = world
        .settled()
        .iter()
        .map(|line| line[3..].to_owned())
        .collect();
    history.sort();

    assert_eq!(
        history,
        [
            "production/a succeeded",
            "production/b succeeded",
            "staging/a succeeded"
        ]
    );
}

#[test]
fn install_deploys_existing_files_only_when_asked() {
    for (arguments, expect) in [
        (&["install"][..], 0),
        (&["install", "--deploy-existing"], 2),
    ] {
        let world = World::new();
        world.deploy("production/a", 1);
        world.deploy("staging/b", 1);
        world.push();
        world.cmd(arguments).ok();

        assert_eq!(world.settled().len(), expect, "{arguments:?}");

        world.deploy("production/a", 2);
        let said = world.push().remote();

        let first = format!(
            "deploy-by-code: #{} production/a 0000001 -> 0000002 queued",
            expect + 1
        );
        assert_eq!(said[0], first, "{arguments:?}");
        assert_eq!(world.settled().len(), expect + 1);
    }
}

#[test]
fn other_branches_and_tags_are_neither_judged_nor_deployed() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.write(
        "x/y/z.deploy",
        "nonsense, which is nobody's business on another branch\n",
    );
    world.commit();
    world.git(&["tag", "-a", "-m", "A tag", "v1"]);

    let refs = [
        "origin",
        "HEAD:refs/heads/topic",
        "v1",
        "HEAD:refs/notes/x",
        "HEAD:refs/tags/light",
    ];
    assert_eq!(world.push_with(&refs).ok().remote(), [""; 0]);
    assert_eq!(
        world
            .push_with(&["origin", ":refs/heads/topic", ":refs/tags/v1"])
            .ok()
            .remote(),
        [""; 0]
    );
    assert_eq!(world.history(), [""; 0]);
}

#[test]
fn deploy_branch_is_matched_by_its_full_name() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 2);
    world.commit();
    for name in ["refs/tags/main", "refs/heads/HEAD", "refs/heads/main2"] {
        world.push_with(&["origin", &format!("HEAD:{name}")]).ok();
    }

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    // The tag of the same name must not be read instead of the branch either.
    world.deploy("production/a", 3);
    world.push();
    world.settled();

    assert_eq!(world.show(2)["revision"], rev(3));
}

#[test]
fn replacement_object_set_by_hand_is_not_honoured() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 2);
    world.commit();

    // They replace the new deploy commit, and the new content of the deploy file, by the old ones.
    for what in ["", ":production/a.deploy"] {
        let [new, old] =
            ["HEAD", "HEAD~1"].map(|commit| world.git(&["rev-parse", &format!("{commit}{what}")]));
        world.server_git(&["update-ref", &format!("refs/replace/{new}"), &old]);
    }

    world.push();

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
    assert_eq!(world.show(2)["revision"], rev(2));
    assert_eq!(world.status("production/a")["wanted"], rev(2));
}

#[test]
fn replacement_object_in_a_push_is_refused() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();

    let replace = format!("HEAD:refs/replace/{}", "1234567890".repeat(4));
    world
        .push_with(&["origin", &replace])
        .exits(1)
        .says("refused refs/replace/1234567890");

    assert_eq!(world.server_git(&["for-each-ref", "refs/replace"]), "");
}

#[test]
fn push_of_several_commits_deploys_only_what_they_come_to() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    world.settled();

    world.deploy("production/a", 2);
    world.commit();
    world.deploy("production/a", 3);
    world.deploy("production/b", 2);
    world.commit();
    world.git(&["checkout", "-q", "HEAD~2", "--", "production/b.deploy"]);

    let said = world.push().remote();
    assert_eq!(
        said[0],
        "deploy-by-code: #3 production/a 0000001 -> 0000003 queued"
    );
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn merged_branch_is_deployed_once() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy("production/a", 2);
    world.commit();
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
    world.git(&["checkout", "-q", "main"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "Merge", "topic"]);
    world.push();

    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );

    world.push_with(&["origin", ":refs/heads/topic"]).ok();
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn other_files_deploy_nothing() {
    let world = World::installed();
    for path in [
        "README.md",
        "production/README.md",
        "production/a.deploy.txt",
        "production/notes/x.md",
        "a/b/c/d/deploy",
    ] {
        world.write(path, "Any text.\n");
    }
    world
        .push()
        .says("production/a.deploy.txt: no deploy file, nothing to deploy");
    assert_eq!(world.history(), [""; 0]);
}
