//! What the rules said of a deployment: recorded when it is planned, and shown.

use serde_json::{Value, json};

use crate::applications::{self, commits, configure, deploy, short, try_deploy_saying};
use crate::page::Page;
use crate::signing::{ONE_APPROVAL, approved_by, push_commits, world_of_signers};

const A: &str = "production/a";

fn note(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

#[test]
fn note_of_each_rule_that_allowed_a_deployment_is_shown() {
    let world = applications::world(&["a"], "");
    let [one, two] = commits(&world, "a", 2).try_into().unwrap();
    deploy(&world, A, &one);
    deploy(&world, A, &two);

    let reachable = note("reachable", "on refs/heads/main");
    let contains = format!("{} contains {}", short(&two), short(&one));
    let both = json!([reachable, note("backwards", &contains)]);
    assert_eq!(world.show(2)["notes"], both);
    let log = world.json(&["log"]);
    assert_eq!(log[0]["notes"], both);
    assert_eq!(log[1]["notes"], json!([reachable]));

    let show = world.cmd(&["show", "2"]).ok().stdout;
    let lines = format!(
        "rules          reachable: on refs/heads/main\n{:15}backwards: {contains}\n",
        ""
    );
    assert!(show.ends_with(&lines), "{show}");

    let items = format!(
        "<h2>Rules</h2><ul class=\"queue\"><li><strong>reachable</strong> on refs/heads/main</li>\
         <li><strong>backwards</strong> {contains}</li></ul>"
    );
    let page = Page::of(&world);
    assert_eq!(page.json("/api/deployment/2")["notes"], both);
    let html = page.get("/deployment/2");
    assert!(html.contains(&items), "{html}");

    // The words of a rule can name what is hidden.
    let hide = "[web]\nhide = [\"production/payroll\"]\n";
    world.config_file(&format!("{}\n{hide}", world.config_text()));
    assert_eq!(page.json("/api/deployment/2")["notes"], json!([]));
    let html = page.get("/deployment/2");
    assert!(
        !html.contains("Rules") && html.contains(short(&two)),
        "{html}"
    );
}

#[test]
fn note_about_approvals_says_who_approved() {
    let world = world_of_signers(ONE_APPROVAL);
    approved_by(&world, "bob");
    push_commits(&world).ok();
    world.settled();

    let shown = world.show(1);
    let commit = short(shown["approvals"][0]["commit"].as_str().unwrap());
    let said = format!("approved by bob@example.org ({commit})");
    let notes = shown["notes"].as_array().unwrap();
    assert!(notes.contains(&note("approvals", &said)), "{shown}");
    let show = world.cmd(&["show", "1"]).ok();
    show.says(&format!("approvals: {said}"));
}

#[test]
fn note_with_a_hostile_reason_stays_text() {
    const HOSTILE: &str = "\"><script>alert(1)</script>\u{202e}\u{1b}[31m";
    let world = applications::world(&["a"], "");
    let [one, two] = commits(&world, "a", 2).try_into().unwrap();
    deploy(&world, A, &two);
    let trailer = format!("Deploy-Rollback: {HOSTILE}");
    try_deploy_saying(&world, A, &one, &trailer).ok();
    world.settled();

    let said = r#""><script>alert(1)</script>\u{202e}\u{1b}[31m"#;
    let said = format!("a rollback from {}: {said}", short(&two));
    assert_eq!(world.show(2)["notes"][1], note("backwards", &said));
    let show = world.cmd(&["show", "2"]).ok().stdout;
    assert!(show.contains(&format!("backwards: {said}\n")), "{show}");

    let html = Page::of(&world).get("/deployment/2");
    let shown = "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\u{1b}[31m</li>";
    assert!(html.contains(shown), "{html}");
    assert!(!html.contains("<script>"), "{html}");
}

/// What the rules said of the deployment that is retried can be untrue by now.
#[test]
fn retry_has_the_notes_of_the_rules_that_were_asked_again_and_no_others() {
    let world = applications::world(&["a"], "");
    world.job("exit 1");
    let [one] = commits(&world, "a", 1).try_into().unwrap();
    deploy(&world, A, &one);
    assert_eq!(
        world.show(1)["notes"],
        json!([note("reachable", "on refs/heads/main")])
    );

    configure(&world, "allowed_refs = [\"refs/heads/release\"]\n");
    world.git_in(world.path("apps/a.git"), &["branch", "release", &one]);
    world.cmd(&["retry", "1"]).ok();
    world.settled();
    let on_release = json!([note("reachable", "on refs/heads/release")]);
    assert_eq!(world.show(2)["notes"], on_release);

    world.cmd(&["retry", "--stale", "2"]).ok();
    world.settled();
    assert_eq!(world.show(3)["notes"], json!([]));
    assert_eq!(world.show(2)["notes"], on_release);
    let show = world.cmd(&["show", "3"]).ok().stdout;
    assert!(!show.contains("rules "), "{show}");
}
