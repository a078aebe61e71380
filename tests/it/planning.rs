//! What counts as a change: every line of the contract's section of that name, save the refusals.

use serde_json::Value;

use crate::world::{World, rev};

#[test]
fn a_new_file_and_a_changed_revision_deploy() {
    let world = World::installed();
    world.deploy("production/application_A", 1);
    assert_eq!(
        world.push().remote(),
        [
            "deploy-by-code: #1 production/application_A new -> 0000001 queued",
            "deploy-by-code: follow with: git push -o follow, or on the server: deploy-by-code logs -f 1",
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
    assert_eq!(
        second["author"]
            .as_str()
            .map(|author| author.contains("Ada Lovelace")),
        Some(true),
        "{second:#}"
    );
}

#[test]
fn environment_and_application_come_from_the_path() {
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
fn the_first_word_is_the_revision_and_the_rest_is_history() {
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
fn only_the_comments_changed() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.deploy_file("production/a", format!("{}\n* Another comment\n", rev(1)));
    assert_eq!(world.push().remote(), [""; 0]);
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn a_repeated_entry_redeploys() {
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
fn a_deleted_file_retires_and_a_restored_one_deploys() {
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
fn a_rename_is_a_deletion_and_an_addition() {
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
fn the_branch_is_created_with_deploy_files() {
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
fn installation_deploys_nothing_unless_asked() {
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
fn other_branches_and_tags_cost_nothing() {
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
fn only_the_full_ref_name_counts() {
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
    // A tag of the branch's name must not be read in the branch's place either.
    world.deploy("production/a", 3);
    world.push();
    world.settled();
    assert_eq!(world.show(2)["revision"], rev(3));
}

#[test]
fn replacement_objects_are_refused_and_never_honoured() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let refused = world.push_with(&[
        "origin",
        "HEAD:refs/replace/1234567890123456789012345678901234567890",
    ]);
    refused.exits(1).says("refs/replace/");
    assert_eq!(world.server_git(&["for-each-ref", "refs/replace"]), "");

    // One that got there by another way: it would make the next deploy file's content, or its
    // commit's tree, another one.
    world.deploy("production/a", 2);
    let commit = world.commit();
    let forged = world.git(&["rev-parse", "HEAD~1"]);
    let (blob, other) = (
        world.git(&["rev-parse", "HEAD:production/a.deploy"]),
        world.git(&["rev-parse", "HEAD~1:production/a.deploy"]),
    );
    world.server_git(&["update-ref", &format!("refs/replace/{commit}"), &forged]);
    world.server_git(&["update-ref", &format!("refs/replace/{blob}"), &other]);
    world.push();
    assert_eq!(
        world.settled(),
        ["#1 production/a succeeded", "#2 production/a succeeded"]
    );
    assert_eq!(world.show(2)["revision"], rev(2));
    assert_eq!(world.status("production/a")["wanted"], rev(2));
}

#[test]
fn two_trees_are_compared_and_not_the_commits_between() {
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
fn a_merge_deploys_once() {
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
fn files_that_are_no_deploy_files_do_not_matter() {
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
    assert_eq!(world.push().remote(), [""; 0]);
    assert_eq!(world.history(), [""; 0]);
}
