use std::time::Duration;

use super::super::calendar::OnFreeze;
use super::super::key_place::KeyPlace;
use super::super::keys::keys;
use super::*;
use crate::id::{Application, Environment, Target};

pub(super) fn parse(text: &str) -> (Config, Vec<Mistake>) {
    Config::parse(text, &|_| None)
}

/// Asserts what is wrong with a text: one line for each mistake, with its hint in parentheses. In
/// `expect` an indented line continues the line before it.
#[track_caller]
pub(super) fn check(text: &str, expect: &str) {
    let (_, mistakes) = parse(text);
    let lines: Vec<String> = mistakes
        .iter()
        .map(|mistake| match mistake.hint() {
            Some(hint) => format!("{mistake} ({hint})"),
            None => mistake.to_string(),
        })
        .collect();

    let expect = expect.trim().replace("\n    ", " ");
    assert_eq!(lines.join("\n"), expect, "{text}");
}

pub(super) fn target(environment: &str, application: &str) -> Target {
    Target {
        environment: Environment::new(environment).unwrap(),
        application: Application::new(application).unwrap(),
    }
}

const SAMPLE: &str = r#"
branch = "main"
root = ""
state_dir = "/var/lib/deploy"

[defaults]
command = ["/usr/local/bin/deploy", "{environment}", "{application}", "{revision}"]
checkout = "/srv/apps/{environment}/{application}"
timeout = "30m"
queue = "latest"
env = { REGION = "eu" }
user = "deploy"

[environments.production]
parallel = 1
promotes_from = "staging"
soak = "1h"
prepend_only = true
timeout = "1h"

[applications.application_A]
repository = "/srv/git/application_A.git"
allowed_refs = ["refs/heads/main", "refs/tags/v*"]
after = ["application_B"]

[environments.production.applications.application_A]
timeout = "2h"
env = { ZONE = "a" }
"#;

#[test]
fn settings_are_those_of_the_most_specific_section() {
    check(SAMPLE, "");
    let (config, _) = parse(SAMPLE);

    let minutes = |environment, application| {
        let settings = config.settings(&target(environment, application));
        settings.timeout.as_secs() / 60
    };
    assert_eq!(minutes("production", "application_A"), 120);
    assert_eq!(minutes("production", "application_B"), 60);
    assert_eq!(minutes("staging", "application_A"), 30);

    let settings = config.settings(&target("production", "application_A"));
    assert_eq!(settings.allowed_refs, ["refs/heads/main", "refs/tags/v*"]);
    let env: Vec<_> = settings
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["REGION=eu", "ZONE=a"]);
    let checkout = settings.checkout.unwrap();
    let values = [("environment", "e"), ("application", "a")];
    assert_eq!(checkout.fill(&values), "/srv/apps/e/a");

    let production = config.environment(&Environment::new("production").unwrap());
    let from = production.promotes_from.as_ref();
    assert_eq!(from.map(Environment::as_str), Some("staging"));
    assert_eq!(production.soak, Some(Duration::from_secs(3600)));
    assert!(production.prepend_only);
}

#[test]
fn empty_file_has_the_defaults() {
    check("", "");

    let settings = Config::default().settings(&target("a", "b"));
    assert_eq!(settings.timeout, Duration::from_secs(1800));
    assert_eq!((settings.keep_releases, settings.log_limit), (5, 16 << 20));
    assert!(settings.command.is_none() && settings.checkout.is_none());
}

#[test]
fn status_is_not_published_at_the_deploy_branch() {
    check(
        "publish = \"refs/heads/live\"\nbranch = \"live\"\n",
        r#"
1:11: publish names the deploy branch refs/heads/live
    (name a ref that nobody else writes, such as "refs/deploy-by-code/status")
"#,
    );
    check(
        "branch = \"live\"\npublish = \"refs/heads/live/status\"\n",
        r#"
2:11: publish names refs/heads/live/status, which git can't have beside refs/heads/live
    (name a ref that nobody else writes, such as "refs/deploy-by-code/status")
"#,
    );
    check("branch = \"live\"\npublish = \"refs/heads/status\"\n", "");
}

#[test]
fn all_mistakes_are_reported_with_their_places() {
    let text = r#"brnach = "main"
root = 5
[defaults]
timout = "1h"
timeout = "soon"
queue = "newest"
command = "deploy {revision}"
[environments.production]
parallel = 0
promotes_from = "stagging"
env = { "A-B" = "x", DEPLOY_ID = "1" }
[environments.staging]
soak = "1h"
command = ["x", "{revison}", "{"]
[environments."a b"]
[applications.app]
checkout = "srv/{application}"
allowed_refs = ["main"]
log_limit = "16 MB"
parallel = 1
"#;
    check(
        text,
        r#"
1:1: unknown key "brnach" (did you mean "branch"?)
2:8: root is of type integer, not a string
4:1: unknown key "timout" in defaults (did you mean "timeout"?)
5:11: defaults.timeout: "soon" is not a length of time like "90s", "30m", "1h 30m" or "2d"
6:9: unknown value "newest" of defaults.queue (known here: "latest", "all")
7:11: defaults.command is a string, not an array of strings
    (it is not passed to a shell: write ["/path/to/program", "argument"])
9:12: environments.production.parallel is not between 1 and 64
10:17: unknown environment "stagging" in environments.production.promotes_from
    (did you mean "staging"?)
11:9: environments.production.env.A-B is not a valid name of an environment variable
11:22: environments.production.env.DEPLOY_ID is set by deploy-by-code itself
    (names that begin with DEPLOY_ tell the command what it deploys)
13:8: environments.staging.soak is set without promotes_from
    (soak is how long ago a revision must have succeeded in the environment of promotes_from)
14:17: environments.staging.command names {revison}, which is not known here
    (did you mean {revision}?)
15:15: environments: "a b": the name has a character outside A-Z a-z 0-9 . _ -
17:12: applications.app.checkout: "srv/{application}" is not an absolute path
18:17: applications.app.allowed_refs: "main" is not a full ref name
    (write "refs/heads/main")
19:13: applications.app.log_limit: "16 MB" is not a size like "64KiB" or "16MiB"
20:1: unknown key "parallel" in applications.app
    (it belongs to an environment: put it under [environments.NAME])
"#,
    );
}

#[test]
fn text_that_is_not_toml() {
    let (_, mistakes) = parse("branch = \"main\"\n[defaults\ntimeout = 5\n");
    assert!(
        mistakes[0].to_string().starts_with("2:10: not TOML: "),
        "{mistakes:?}"
    );
}

#[test]
fn cycle_in_after_is_reported_once() {
    let cycle = "2:9: after makes a cycle: a after b after a";
    let a = "[applications.a]\nafter = [\"b\"]\n";

    check(&format!("{a}[applications.b]\nafter = [\"a\"]\n"), cycle);
    check(
        &format!("{a}[environments.e.applications.b]\nafter = [\"a\"]\n"),
        cycle,
    );
    check(
        &format!("{a}[environments.e.applications.a]\nafter = []\n"),
        "",
    );
}

#[test]
fn names_that_are_not_valid_are_quoted() {
    check(
        r#"
[environments.production]
promotes_from = "a b"
after = ["-x"]
"#,
        r#"
3:17: environments.production.promotes_from: "a b":
    the name has a character outside A-Z a-z 0-9 . _ -
4:10: environments.production.after: "-x": the name does not start with a letter or digit
"#,
    );
}

#[test]
fn branch_is_a_name_without_refs_heads() {
    for good in ["main", "release/1.x", "deploy"] {
        check(&format!("branch = \"{good}\"\n"), "");
    }
    for bad in [
        "",
        "refs/heads/main",
        "-h",
        "a..b",
        "a b",
        "a.lock",
        "/a",
        "a//b",
        ".a",
    ] {
        let (_, mistakes) = parse(&format!("branch = \"{bad}\"\n"));
        assert_eq!(mistakes.len(), 1, "{bad:?}");
    }
}

#[test]
fn root_is_a_folder_in_the_repository() {
    for (given, expect) in [("", ""), ("deploys", "deploys"), ("a/b/", "a/b")] {
        let (config, _) = parse(&format!("root = \"{given}\"\n"));
        assert_eq!(config.root, expect);
    }
    for bad in ["/deploys", "../x", "a/../b", "a//b", "."] {
        let (_, mistakes) = parse(&format!("root = \"{bad}\"\n"));
        assert_eq!(mistakes.len(), 1, "{bad:?}");
    }
}

#[test]
fn freezes_and_groups_are_read() {
    let text = r#"
allow_rewind = true
syslog = false
[environments.production]
frozen = ["Fri 16:00 .. Mon 08:00", "2026-12-24 .. 2027-01-02"]
on_freeze = "hold"
override_by = ["alice"]
together = ["a", "b"]
[environments.staging]
together = [["a", "b"], ["c", "d"]]
"#;
    check(text, "");

    let (config, _) = parse(text);
    assert!(config.allow_rewind);
    assert!(config.without_syslog);
    let section = |name| config.environment(&Environment::new(name).unwrap());
    let production = section("production");
    assert_eq!(production.frozen.len(), 2);
    assert_eq!(production.on_freeze, OnFreeze::Hold);
    assert_eq!(production.override_by, ["alice"]);
    assert_eq!(production.together.len(), 1);
    assert_eq!(section("staging").together.len(), 2);
}

#[test]
fn mistakes_in_freezes_and_groups_are_reported() {
    check(
        r#"
allow_rewind = "yes"
[environments.production]
frozen = ["Fri", "Fri 16:00 .. Mon 08:00 Mars/Base"]
on_freeze = "wait"
override_by = "alice"
together = ["a"]
"#,
        r#"
2:16: allow_rewind is of type string, not true or false
4:11: environments.production.frozen: "Fri" is not a period
    like "Fri 16:00 .. Mon 08:00 Europe/Zurich" or "2026-12-24 .. 2027-01-02"
4:18: environments.production.frozen: unknown time zone "Mars/Base";
    names are those of the package tzdata
5:13: unknown value "wait" of environments.production.on_freeze
    (known here: "refuse", "hold")
6:15: environments.production.override_by is of type string, not an array of strings
7:12: environments.production.together is not a group of applications
    (name two or more applications that change in the same push)
"#,
    );
}

/// Each key is in its place with a value that no key takes. What is wrong is its type, so the key
/// is known there and its value is read.
#[test]
fn every_key_is_read_where_it_may_stand() {
    for (key, place) in keys() {
        let sections: &[&str] = match place {
            KeyPlace::Top => &[""],
            KeyPlace::Environment => &["environments.e"],
            KeyPlace::Notify => &["notify.n"],
            KeyPlace::People => &["people"],
            KeyPlace::Web => &["web"],
            KeyPlace::Settings => &[
                "defaults",
                "environments.e",
                "applications.a",
                "environments.e.applications.a",
            ],
        };
        for section in sections {
            let (head, full) = match *section {
                "" => (String::new(), key.to_owned()),
                section => (format!("[{section}]\n"), format!("{section}.{key}")),
            };

            let (_, mut mistakes) = parse(&format!("{head}{key} = 2026-11-23\n"));
            mistakes.retain(|mistake| !mistake.to_string().ends_with("notify.n has no kind"));
            let [mistake] = mistakes.as_slice() else {
                panic!("{full}: {mistakes:?}");
            };
            let expect = format!("{full} is of type datetime, not ");
            assert!(mistake.to_string().contains(&expect), "{mistake}");
        }
    }
}

/// The parser and what it returns must not call themselves once for each level of a text.
#[test]
fn depth_of_a_text_needs_no_stack() {
    let deep = 100_000;
    let texts = [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}", "{a = ".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]\nb = 1", "a.".repeat(deep)),
        format!("[[{}a]]\nb = 1", "a.".repeat(deep)),
        format!("[environments.{}a]\nb = 1", "a.".repeat(deep)),
        format!("a = {{{}a = 1}}", "a.".repeat(deep)),
    ];
    for text in texts {
        let (_, mistakes) = parse(&text);
        assert!(!mistakes.is_empty(), "{}", &text[..20]);
    }
}

#[test]
fn environment_is_that_of_its_name_or_else_of_the_pattern_that_it_matches() {
    let (config, mistakes) = parse(
        r#"
[environments."review-*"]
parallel = 2
timeout = "2m"
promotes_from = "review-main"
[environments."review-*".applications.web]
timeout = "3m"
[environments.review-main]
parallel = 3
"#,
    );
    assert_eq!(mistakes, []);

    let seconds = |environment, application| {
        config
            .settings(&target(environment, application))
            .timeout
            .as_secs()
    };
    assert_eq!(seconds("review-1", "api"), 120);
    assert_eq!(seconds("review-1", "web"), 180);
    assert_eq!(seconds("review-main", "web"), 30 * 60);

    let parallel = |name: &str| {
        config
            .environment(&Environment::new(name).unwrap())
            .parallel
    };
    assert_eq!(parallel("review-1"), 2);
    assert_eq!(parallel("review-main"), 3);
    assert_eq!(parallel("preview-1"), 1);
}

#[test]
fn patterns_must_be_clear() {
    check(
        r#"
[environments."review-*"]
promotes_from = "review-1"
[environments."*-test"]
after = ["a"]
[environments."re?iew"]
"#,
        r#"
2:1: a name can match both "review-*" and "*-test"
    (change one of them, so that only one section can count)
3:17: environments.review-*.promotes_from names the environment itself
6:15: environments: "re?iew": the name has a character outside A-Z a-z 0-9 . _ -
"#,
    );

    let many: String = (0..=100)
        .map(|n| format!("[environments.\"a{n}-*\"]\n"))
        .collect();
    check(&many, "1:2: environments has more than 100 patterns");
}

#[test]
fn names_that_differ_only_in_case_are_one_mistake_each() {
    check(
        r#"
[defaults]
after = ["WEB"]
[environments.production]
promotes_from = "Staging"
together = ["web", "API"]
[environments.Production]
[environments.staging.applications.Web]
[applications.web]
after = ["api", "other"]
[applications.api]
"#,
        r#"
3:9: defaults.after: "WEB" differs from "web" only in upper and lower case
    (write "web" everywhere)
4:1: environments.production: "production" differs from "Production" only in upper and lower case
    (write "Production" everywhere)
5:17: unknown environment "Staging" in environments.production.promotes_from
    (did you mean "staging"?)
6:12: environments.production.together: "API" differs from "api" only in upper and lower case
    (write "api" everywhere)
8:1: environments.staging.applications.Web: "Web" differs from "web" only in upper and lower case
    (write "web" everywhere)
"#,
    );
}

#[test]
fn number_without_a_unit_and_key_in_another_place_are_explained() {
    check(
        r#"timout = "1h"
frozen = []
xyzzy = 1
[defaults]
timeout = 30
kill_after = "10"
log_limit = 16
grace = 1.5
brnach = "main"
[environments.a]
promotes_from = "b"
soak = 2
runer = "systemd"
[environments.b]
"#,
        r#"
1:1: unknown key "timout"
    (did you mean "timeout"? It belongs under [defaults] or in a more specific section)
2:1: unknown key "frozen"
    (did you mean "frozen"? It belongs under [environments.NAME])
3:1: unknown key "xyzzy"
    (known here: "branch", "root", "state_dir", "allow_rewind", "runner", "syslog",
    "publish", "metrics_textfile", "notify", "people", "web", "defaults", "environments",
    "applications")
5:11: defaults.timeout: 30 has no unit (write "30s" or "30m")
6:14: defaults.kill_after: 10 has no unit (write "10s" or "10m")
7:13: defaults.log_limit: 16 has no unit (write "16KiB" or "16MiB")
8:9: defaults.grace is of type float, not a string
9:1: unknown key "brnach" in defaults
    (did you mean "branch"? It belongs at the top of the file, before the first section)
12:8: environments.a.soak: 2 has no unit (write "2s" or "2m")
13:1: unknown key "runer" in environments.a
    (did you mean "runner"? It belongs at the top of the file, before the first section)
"#,
    );
}
