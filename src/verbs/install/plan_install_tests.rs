//! What an install plans in a repository, as it is shown.

use std::collections::BTreeSet;

use super::*;
use crate::hook_files::Host;
use crate::id::Revision;
use crate::verbs::install::found::{FoundState, Sibling};

const PROGRAM: &str = "/usr/bin/deploy-by-code";

/// A hook that is a file of its own, with nothing in its way.
fn script() -> OtherHook {
    OtherHook {
        link: None,
        sibling: None,
        leads_nowhere: false,
        kept: Kept::Nothing,
    }
}

fn hook(name: &'static str, standing: FoundHook) -> Hook {
    Hook {
        name,
        path: Path::new("/r/hooks").join(name),
        form: HookForm::File,
        kept_path: Path::new("/r/hooks/chained").join(name),
        standing,
    }
}

/// A repository in which everything is in place.
fn installed() -> BeforeInstall {
    let own = || FoundHook::Own { is_current: true };
    BeforeInstall {
        host: Host::Plain,
        program: PROGRAM.into(),
        branch: "refs/heads/main".to_owned(),
        state_folder: "/r/state".into(),
        state: Some(FoundState {
            version: store::VERSION,
            branch: Some("refs/heads/main".to_owned()),
        }),
        start: None,
        record_file: "/r/record".into(),
        is_recorded: true,
        hooks: vec![hook("pre-receive", own()), hook("post-receive", own())],
        beside: Some(Beside {
            chained: "/r/hooks/chained".into(),
            chained_is_link: false,
            names: BTreeSet::new(),
            linked: BTreeSet::new(),
        }),
        takes_push_options: true,
    }
}

/// A repository in which nothing is in place, with these hooks.
fn fresh(hooks: Vec<Hook>) -> BeforeInstall {
    BeforeInstall {
        state: None,
        is_recorded: false,
        start: Some(Revision::new("1".repeat(40)).unwrap()),
        hooks,
        takes_push_options: false,
        ..installed()
    }
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(Step::to_string).collect()
}

#[track_caller]
fn check(found: &BeforeInstall, expect: &[&str]) {
    assert_eq!(words(&plan_install(found, None).unwrap()), expect);
}

#[test]
fn nothing_is_planned_when_everything_is_in_place() {
    check(&installed(), &[]);
}

#[test]
fn state_comes_first_and_the_timer_last() {
    let found = fresh(vec![hook("pre-receive", FoundHook::Nothing)]);
    let steps = plan_install(&found, Some(Path::new("/list"))).unwrap();
    let expect = [
        "make /r/state (planned up to 1111111)",
        "write /r/record (refs/heads/main is the deploy branch)",
        "write /r/hooks/pre-receive, which starts /usr/bin/deploy-by-code",
        "git config receive.advertisePushOptions true",
        "register with the timer, in /list",
    ];
    assert_eq!(words(&steps), expect);
}

#[test]
fn what_a_kept_hook_needs_is_linked_before_the_hook_is_moved() {
    let mut found = fresh(vec![
        hook("pre-receive", FoundHook::Nothing),
        hook("post-receive", FoundHook::Other(script())),
    ]);
    let beside = found.beside.as_mut().unwrap();
    beside.names = ["lib.sh", "there.sh"].map(OsString::from).into();
    beside.linked = ["there.sh"].map(OsString::from).into();
    check(
        &found,
        &[
            "make /r/state (planned up to 1111111)",
            "write /r/record (refs/heads/main is the deploy branch)",
            "link /r/hooks/chained/lib.sh -> ../lib.sh",
            "link /r/hooks/chained/post-receive.d -> ../post-receive.d",
            "write /r/hooks/pre-receive, which starts /usr/bin/deploy-by-code",
            "keep /r/hooks/post-receive as /r/hooks/chained/post-receive",
            "write /r/hooks/post-receive, which starts /usr/bin/deploy-by-code",
            "git config receive.advertisePushOptions true",
        ],
    );

    found.beside.as_mut().unwrap().chained_is_link = true;
    let error = plan_install(&found, None).unwrap_err();
    assert!(matches!(error, Error::Taken(path) if path == Path::new("/r/hooks/chained")));
}

#[test]
fn gitlab_has_nothing_linked_beside_a_kept_hook() {
    let mut found = installed();
    found.hooks = vec![hook("pre-receive", FoundHook::Other(script()))];
    found.beside = None;
    check(
        &found,
        &[
            "keep /r/hooks/pre-receive as /r/hooks/chained/pre-receive",
            "write /r/hooks/pre-receive, which starts /usr/bin/deploy-by-code",
        ],
    );
}

#[test]
fn link_to_another_build_is_replaced() {
    let mut found = installed();
    found.hooks[0].standing = FoundHook::Own { is_current: false };
    let expect = ["write /r/hooks/pre-receive, which starts /usr/bin/deploy-by-code"];
    check(&found, &expect);
}

#[test]
fn state_is_upgraded_and_moved_to_the_branch() {
    let mut found = installed();
    found.state = Some(FoundState {
        version: 1,
        branch: Some("refs/heads/old".to_owned()),
    });
    let version = store::VERSION;
    check(
        &found,
        &[
            &format!("upgrade /r/state from version 1 to {version}"),
            "start from refs/heads/main (nothing planned yet)",
        ],
    );

    found.state = None;
    check(&found, &["make /r/state (nothing planned yet)"]);
}

#[test]
fn record_is_written_again_when_something_else_is_meant() {
    let mut found = installed();
    found.is_recorded = false;
    check(
        &found,
        &["write /r/record (refs/heads/main is the deploy branch)"],
    );
}

#[test]
fn hook_that_a_stopped_install_has_kept_is_only_replaced() {
    let relative = OtherHook {
        link: Some("../script".into()),
        kept: Kept::ThisHook,
        ..script()
    };
    let mut found = installed();
    found.hooks = vec![hook("pre-receive", FoundHook::Other(relative.clone()))];
    let beside = found.beside.as_mut().unwrap();
    beside.linked = ["pre-receive.d"].map(OsString::from).into();
    let expect = ["write /r/hooks/pre-receive, which starts /usr/bin/deploy-by-code"];
    check(&found, &expect);

    // The control: something else is kept there.
    let other = OtherHook {
        kept: Kept::Other,
        ..relative
    };
    found.hooks = vec![hook("pre-receive", FoundHook::Other(other))];
    let error = plan_install(&found, None).unwrap_err();
    assert!(matches!(error, Error::Taken(path) if path.ends_with("chained/pre-receive")));
}

#[test]
fn links_that_cannot_be_kept_are_refused() {
    let to_sibling = |link: &str, leads_nowhere, is_kept| {
        let sibling = Sibling {
            name: "pre-receive",
            is_kept,
        };
        let other = OtherHook {
            link: Some(link.into()),
            sibling: Some(sibling),
            leads_nowhere,
            ..script()
        };
        let hooks = vec![hook("post-receive", FoundHook::Other(other))];
        plan_install(&fresh(hooks), None)
    };
    to_sibling("pre-receive", false, false).unwrap();
    to_sibling("./pre-receive", false, false).unwrap();
    to_sibling("pre-receive", true, true).unwrap();

    let error = to_sibling("/r/hooks/pre-receive", false, false).unwrap_err();
    let says = error.to_string();
    assert!(
        says.ends_with("ln -sfn pre-receive /r/hooks/post-receive"),
        "{says}"
    );

    let error = to_sibling("pre-receive", true, false).unwrap_err();
    assert!(matches!(error, Error::Dangling(path) if path.ends_with("post-receive")));
}
