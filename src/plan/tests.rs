use super::decide;
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::id::Revision;
use crate::policy::Facts;

const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
const B: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3";
const CONFIG: &str = "[defaults]\ncommand = [\"deploy\"]\n[applications.all]\nqueue = \"all\"\n";

fn file(content: &str) -> Option<Node> {
    Some(Node::File(content.as_bytes().into()))
}

fn change(path: &str, old: Option<Node>, new: Option<Node>) -> Change {
    Change {
        path: path.as_bytes().to_vec(),
        depth: Depth::Right,
        old,
        new,
        twin: None,
    }
}

/// The plan for some changes in words, one line for each deployment, retirement and refusal.
fn plan(changes: Vec<Change>) -> Vec<String> {
    let (config, problems) = Config::parse(CONFIG, &|_| None);
    assert_eq!(problems, []);
    let plan = decide(&config, &candidates(changes), &Facts::default());

    let mut lines = Vec::new();
    for deployment in &plan.deployments {
        let from = deployment.from().map_or("new", Revision::short);
        let again = if deployment.is_redeploy() {
            " again"
        } else {
            ""
        };
        let all = if deployment.supersedes() { "" } else { " all" };
        let (target, to) = (deployment.target(), deployment.revision().short());
        lines.push(format!("{target} {from} -> {to}{again}{all}"));
    }
    for retirement in &plan.retirements {
        lines.push(format!("retire {}", retirement.target));
    }
    for refusal in &plan.refusals {
        let (path, message) = (refusal.shown_path(), &refusal.message);
        lines.push(format!("refuse {path}: {message}"));
    }
    lines
}

/// Checks the plan for one change of production/app.deploy.
fn check(old: Option<Node>, new: Option<Node>, expect: &[&str]) {
    let shown = format!("{old:?} -> {new:?}");
    let change = change("production/app.deploy", old, new);
    assert_eq!(plan(vec![change]), expect, "{shown}");
}

#[test]
fn new_revision_on_top_is_deployed() {
    let entry = format!("{A}\n* why\n{B}\n* first\n");
    check(None, file(A), &["production/app new -> 6037512"]);
    check(
        file(B),
        file(&entry),
        &["production/app 0170b60 -> 6037512"],
    );
    check(
        file(&entry),
        file(B),
        &["production/app 6037512 -> 0170b60"],
    );
}

#[test]
fn same_revision_is_deployed_again_by_a_new_entry_only() {
    let entry = format!("{A}\n* why\n{B}\n* first\n");
    let again = format!("{A}\n* again\n{entry}");
    let comment = format!("{A}\n* why, better said\n{B}\n* first\n");

    check(file(&entry), file(&comment), &[]);
    check(
        file(&entry),
        file(&again),
        &["production/app 6037512 -> 6037512 again"],
    );
}

#[test]
fn file_that_named_no_revision_before_counts_as_new() {
    let new = &["production/app new -> 6037512"];
    check(file("main"), file(A), new);
    check(Some(Node::Symlink), file(A), new);
}

#[test]
fn deleted_file_retires_what_it_named() {
    check(file(A), None, &["retire production/app"]);
    check(file("main"), None, &[]);
    check(Some(Node::Folder), None, &[]);
}

#[test]
fn file_without_a_revision_is_refused() {
    check(
        file(A),
        file("main"),
        &["refuse production/app.deploy: line 1: \"main\" is no commit hash"],
    );
    check(
        file(A),
        Some(Node::Symlink),
        &["refuse production/app.deploy: a symbolic link, not a regular file"],
    );
}

#[test]
fn refusal_of_one_file_leaves_the_others() {
    let changes = vec![
        change("production/a.deploy", None, file("x")),
        change("production/b.deploy", None, file(A)),
        change("staging/all.deploy", file(B), file(A)),
        change("staging/-.deploy", None, file(A)),
    ];
    assert_eq!(
        plan(changes),
        [
            "production/b new -> 6037512",
            "staging/all 0170b60 -> 6037512 all",
            "refuse production/a.deploy: line 1: \"x\" is no commit hash",
            "refuse staging/-.deploy: application: the name does not start with a letter or digit",
        ]
    );
}

#[test]
fn renamed_file_retires_one_application_and_deploys_another() {
    let changes = vec![
        change("production/a.deploy", file(A), None),
        change("production/b.deploy", None, file(A)),
    ];
    assert_eq!(
        plan(changes),
        ["production/b new -> 6037512", "retire production/a"]
    );
}

#[test]
fn file_at_the_wrong_depth_may_be_deleted() {
    let deleted = Change {
        depth: Depth::TooDeep,
        ..change("production/x/a.deploy", file(A), None)
    };
    assert_eq!(plan(vec![deleted]), [""; 0]);
}
