use super::{Plan, decide};
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::deployfile;
use crate::id::{Application, Environment, Revision, Target};
use crate::policy::{Facts, Need, NeedState, Stage, TargetFacts, Trailers};

const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
const B: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3";
const CONFIG: &str = "[defaults]\ncommand = [\"deploy\"]\n[applications.all]\nqueue = \"all\"\n";

fn file(content: &str) -> Option<Node> {
    Some(Node::File(deployfile::revision(content.as_bytes())))
}

fn change(path: &str, old: Option<Node>, new: Option<Node>) -> Change {
    Change {
        path: path.as_bytes().to_vec(),
        depth: Depth::Right,
        old,
        new,
        comparison: None,
        summary: None,
        twin: None,
    }
}

/// The plan for some changes in words.
fn plan(changes: Vec<Change>) -> Vec<String> {
    in_words(&plan_with(CONFIG, changes, &Facts::default()))
}

fn plan_with(config: &str, changes: Vec<Change>, facts: &Facts) -> Plan {
    let (config, problems) = Config::parse(config, &|_| None);
    assert_eq!(problems, []);
    decide(&config, &candidates(changes), facts)
}

/// A plan in words, one line for each deployment, retirement and refusal.
fn in_words(plan: &Plan) -> Vec<String> {
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

    let check = |new: &str, expect: &[&str]| {
        let changed = Change {
            comparison: Some(deployfile::compare(entry.as_bytes(), new.as_bytes())),
            ..change("production/app.deploy", file(&entry), file(new))
        };
        assert_eq!(plan(vec![changed]), expect, "{new:?}");
    };
    check(&comment, &[]);
    check(&again, &["production/app 6037512 -> 6037512 again"]);
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
        &["refuse production/app.deploy: line 1: \"main\" is not a commit hash"],
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
            "refuse production/a.deploy: line 1: \"x\" is not a commit hash",
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

fn target(application: &str) -> Target {
    Target {
        environment: Environment::new("production").unwrap(),
        application: Application::new(application).unwrap(),
    }
}

/// The facts about an application that needs a commit of another one, which the same push deploys.
fn needing(other: &str, alone: Option<&str>) -> TargetFacts {
    TargetFacts {
        needs: vec![Need {
            declared_by: Revision::new(A).unwrap(),
            application: Application::new(other).unwrap(),
            commit: B.to_owned(),
            state: NeedState::SamePush(Revision::new(B).unwrap()),
        }],
        trailers: Trailers {
            alone: alone.map(str::to_owned),
            ..Trailers::default()
        },
        ..TargetFacts::default()
    }
}

/// The plan for a and b, where a needs b and the configuration says that b goes after a.
fn plan_of_a_cycle(alone: Option<&str>) -> Plan {
    let config = format!("{CONFIG}[applications.b]\nafter = [\"a\"]\n");
    let changes = vec![
        change("production/a.deploy", None, file(A)),
        change("production/b.deploy", None, file(B)),
    ];
    let facts = Facts {
        targets: [(target("a"), needing("b", alone))].into(),
        ..Facts::default()
    };
    plan_with(&config, changes, &facts)
}

#[test]
fn impossible_order_is_refused() {
    let lines = in_words(&plan_of_a_cycle(None));
    assert_eq!(
        lines,
        [
            "production/b new -> 0170b60",
            "refuse production/a.deploy: Deploy-After and the setting \"after\" \
             ask for an impossible order: a waits for b, which waits for a",
        ]
    );
}

#[test]
fn impossible_order_is_ignored_with_a_reason() {
    let plan = plan_of_a_cycle(Some("not used yet"));
    assert_eq!(
        in_words(&plan),
        ["production/a new -> 6037512", "production/b new -> 0170b60"]
    );
    let deployment = &plan.deployments[0];
    assert!(deployment.first().is_empty());
    assert_eq!(deployment.exceptions()[0].reason, "not used yet");
}

/// The plan for a chain: a needs b, b needs c, and c is refused.
fn plan_of_a_refused_chain(stage: Stage) -> Vec<String> {
    let changes = vec![
        change("production/a.deploy", None, file(A)),
        change("production/b.deploy", None, file(A)),
        change("production/c.deploy", None, file("x")),
    ];
    let facts = Facts {
        stage,
        targets: [
            (target("a"), needing("b", None)),
            (target("b"), needing("c", None)),
        ]
        .into(),
        ..Facts::default()
    };
    in_words(&plan_with(CONFIG, changes, &facts))
}

#[test]
fn nothing_is_deployed_without_what_it_must_go_with() {
    assert_eq!(
        plan_of_a_refused_chain(Stage::After),
        [
            "refuse production/a.deploy: a must not be deployed without b, which is refused",
            "refuse production/b.deploy: b must not be deployed without c, which is refused",
            "refuse production/c.deploy: line 1: \"x\" is not a commit hash",
        ]
    );

    // Before the branch moves, one refusal refuses the whole push anyway.
    let before = plan_of_a_refused_chain(Stage::Before);
    assert_eq!(
        before,
        [
            "production/a new -> 6037512",
            "production/b new -> 6037512",
            "refuse production/c.deploy: line 1: \"x\" is not a commit hash",
        ]
    );
}
