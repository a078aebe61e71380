use super::*;
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};

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

/// What the plan comes to, one word list a line.
fn plan(changes: Vec<Change>) -> Vec<String> {
    let (config, problems) = Config::parse(CONFIG, &|_| None);
    assert_eq!(problems, []);
    let plan = decide(&config, &candidates(changes), &Facts::default());
    let deployments = plan.deployments.iter().map(|d| {
        let from = d.from().map_or("new", Revision::short);
        let again = if d.is_redeploy() { " again" } else { "" };
        let all = if d.supersedes() { "" } else { " all" };
        format!(
            "{} {from} -> {}{again}{all}",
            d.target(),
            d.revision().short()
        )
    });
    let retirements = plan
        .retirements
        .iter()
        .map(|r| format!("retire {}", r.target));
    let refusals = plan
        .refusals
        .iter()
        .map(|r| format!("refuse {}: {}", r.shown_path(), r.message));
    deployments.chain(retirements).chain(refusals).collect()
}

#[test]
fn one_change() {
    let entry = format!("{A}\n* why\n{B}\n* first\n");
    let again = format!("{A}\n* again\n{entry}");
    let comment = format!("{A}\n* why, better said\n{B}\n* first\n");
    let table: &[(Option<Node>, Option<Node>, &[&str])] = &[
        (None, file(A), &["production/app new -> 6037512"]),
        (
            file(B),
            file(&entry),
            &["production/app 0170b60 -> 6037512"],
        ),
        (
            file(&entry),
            file(B),
            &["production/app 6037512 -> 0170b60"],
        ),
        (file(&entry), file(&comment), &[]),
        (
            file(&entry),
            file(&again),
            &["production/app 6037512 -> 6037512 again"],
        ),
        (file("main"), file(A), &["production/app new -> 6037512"]),
        (
            Some(Node::Symlink),
            file(A),
            &["production/app new -> 6037512"],
        ),
        (file(A), None, &["retire production/app"]),
        (file("main"), None, &[]),
        (Some(Node::Folder), None, &[]),
        (
            file(A),
            file("main"),
            &["refuse production/app.deploy: line 1: \"main\" is no commit hash"],
        ),
        (
            file(A),
            Some(Node::Symlink),
            &["refuse production/app.deploy: a symbolic link, not a regular file"],
        ),
    ];
    for (old, new, expect) in table {
        let change = change("production/app.deploy", old.clone(), new.clone());
        assert_eq!(plan(vec![change]), *expect, "{old:?} -> {new:?}");
    }
}

#[test]
fn a_refusal_leaves_the_others() {
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
fn a_rename_retires_and_deploys() {
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
fn what_stands_at_the_wrong_depth_may_go() {
    let gone = Change {
        depth: Depth::TooDeep,
        ..change("production/x/a.deploy", file(A), None)
    };
    assert_eq!(plan(vec![gone]), [""; 0]);
}
