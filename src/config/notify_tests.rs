use super::tests::{check, parse, target};
use crate::event_kind::EventKind;
use crate::id::NotifyName;

const NOTIFY: &str = r#"
[notify.team]
kind = "mail"
to = ["deploys@example.org", "{author}"]
smtp = "smtp://mail.example.org:587"
login = "deploys"
password_file = "/etc/deploy-by-code/smtp.password"
environments = ["production", "review-*"]

[notify.hook]
kind = "webhook"
url = "https://example.org/hook"
secret_file = "/etc/deploy-by-code/hook.secret"
events = ["planned"]
applications = ["web"]

[notify.chat]
kind = "slack"
url_file = "/etc/deploy-by-code/chat.url"

[notify.events]
kind = "cdevents"
url = "http://127.0.0.1:8080/"

[notify.pager]
kind = "command"
command = ["/usr/local/bin/page"]
events = ["failed", "interrupted", "problem"]
"#;

#[test]
fn those_who_are_told_are_told_of_what_they_asked_for() {
    check(NOTIFY, "");
    let (config, _) = parse(NOTIFY);
    let wants = |name: &str, kind, environment: &str, application: &str| {
        let section = &config.notify[&NotifyName::new(name).unwrap()];
        let target = target(environment, application);
        section.wants(
            &[kind],
            Some(&target.environment),
            Some(&target.application),
        )
    };

    let table = [
        ("team", EventKind::Failed, "production", "web", true),
        ("team", EventKind::Failed, "review-7", "web", true),
        ("team", EventKind::Failed, "staging", "web", false),
        ("team", EventKind::Planned, "production", "web", false),
        ("hook", EventKind::Planned, "staging", "web", true),
        ("hook", EventKind::Planned, "staging", "api", false),
        ("hook", EventKind::Failed, "staging", "web", false),
        ("chat", EventKind::Succeeded, "a", "b", true),
        ("pager", EventKind::Succeeded, "a", "b", false),
        ("pager", EventKind::Interrupted, "a", "b", true),
    ];
    for (name, kind, environment, application, expect) in table {
        let found = wants(name, kind, environment, application);
        assert_eq!(found, expect, "{name} {kind} {environment}/{application}");
    }

    // What names no environment is told to everybody.
    let team = &config.notify[&NotifyName::new("team").unwrap()];
    assert!(team.wants(&[EventKind::Problem], None, None));

    let files = |name: &str| {
        let section = &config.notify[&NotifyName::new(name).unwrap()];
        let files = section.kind.files().into_iter();
        files.map(|(key, _)| key).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(files("team"), "password_file");
    assert_eq!(files("hook"), "secret_file");
    assert_eq!(files("chat"), "url_file");
    assert_eq!(files("pager"), "");
}

#[test]
fn section_of_those_who_are_told_is_checked_as_a_whole() {
    check(
        r#"
[notify.a]
to = ["x@example.org"]
[notify.b]
kind = "mial"
[notify.c]
kind = "mail"
to = ["nobody", "{pusher}"]
events = ["suceeded", "failed"]
[notify.d]
kind = "mail"
url = "https://example.org"
login = "x"
[notify.e]
kind = "webhook"
url = "https://me:secret@example.org"
[notify.f]
kind = "slack"
url = "https://a.example"
url_file = "/b"
[notify.g]
kind = "command"
command = "page me"
[notify."h i"]
kind = "command"
"#,
        r#"
2:1: notify.a has no kind
    (write kind = "mail", "webhook", "slack", "cdevents" or "command")
5:8: unknown value "mial" of notify.b.kind (did you mean "mail"?)
8:7: notify.c.to: "nobody" is not a mail address
8:17: notify.c.to: "{pusher}" is not a mail address ("{author}" is the only name for one)
9:11: unknown value "suceeded" of notify.c.events (did you mean "succeeded"?)
10:1: notify.d is of kind mail and has no to (add to)
10:1: notify.d is of kind mail and has no password_file (add password_file)
10:1: notify.d is of kind mail and has no smtp (add smtp)
12:1: notify.d is of kind mail, which has no key url
    (remove it; this kind has: to, from, smtp, login, password_file, ca_file)
14:1: notify.e is of kind webhook and has no secret_file (add secret_file)
16:7: notify.e.url: the URL has a user or a password in it
    (put the whole URL into a file that only this user can read, and name the file in url_file)
17:1: notify.f has both url and url_file
    (remove one of them; a URL that is a secret belongs into url_file)
23:11: notify.g.command is a string, not an array of strings
    (it is not passed to a shell: write ["/path/to/program", "argument"])
24:9: notify: "h i": the name has a character outside A-Z a-z 0-9 . _ -
"#,
    );
}
