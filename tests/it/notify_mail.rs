//! Mails about what happens: how they read, and who gets them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::applications::{self, commits, short, try_deploy, try_deploy_saying};
use crate::run::run;
use crate::smtp_server::{Mail, SmtpServer};
use crate::world::{World, rev};

pub const PASSWORD: &str = "correct horse battery staple";

/// The keys of a section that sends mail by a server with STARTTLS.
pub fn section(world: &World, server: &SmtpServer, keys: &str) -> String {
    let keys = format!(
        "[notify.team]\nkind = \"mail\"\nfrom = \"deploys@example.org\"\n\
         smtp = \"smtp://127.0.0.1:{}\"\nca_file = {:?}\n{keys}\n",
        server.port,
        server.ca_file(),
    );
    world.config(&keys);
    keys
}

/// A world with such a server. The team's list is told how deployments end.
pub fn told(behaviour: Value) -> (World, SmtpServer) {
    let world = World::installed();
    let server = SmtpServer::start(&world, behaviour);
    section(&world, &server, "to = [\"team@example.org\"]");
    (world, server)
}

pub fn starttls() -> Value {
    json!({ "encryption": "starttls" })
}

/// Lets a deployment fail or succeed, and waits until it has ended.
pub fn deploy(world: &World, target: &str, n: u32) {
    world.deploy(target, n);
    world.push();
    world.settled();
}

pub fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(Mail::subject).collect()
}

#[test]
fn mail_says_who_why_and_which_commits() {
    let world = applications::world(&["website"], "");
    let server = SmtpServer::start(
        &world,
        json!({ "encryption": "starttls", "login": ["deploys", PASSWORD] }),
    );
    let password = world.path("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let keys = format!(
        "to = [\"team@example.org\", \"{{author}}\"]\nlogin = \"deploys\"\n\
         password_file = {password:?}\nevents = [\"planned\", \"succeeded\", \"failed\"]\n\
         environments = [\"production\"]\n"
    );
    let mail = section(&world, &server, &keys);
    applications::configure(&world, &mail);

    let made = commits(&world, "website", 3);
    applications::deploy(&world, "staging/website", &made[0]);
    applications::deploy(&world, "production/website", &made[0]);
    server.wait_for_mails(&world, 4);

    world.job("note start\nprintf '\\033[31mno space left\\033[0m\\n\\tat line 1\\n'\nexit 7");
    world.deploy_file(
        "production/website",
        format!(
            "{}\n* Deploy alarms X, Y and Z\n* and the endpoint\n{}\n",
            made[2], made[0]
        ),
    );
    world.push();
    world.settled();
    let mails = server.wait_for_mails(&world, 8);

    let (old, new) = (short(&made[0]), short(&made[2]));
    let title = format!("[production] website {old} -> {new}");
    assert_eq!(
        subjects(&mails[4..]),
        [
            format!("{title} queued"),
            format!("{title} queued"),
            format!("{title} failed"),
            format!("{title} failed"),
        ]
    );
    let (team, author) = (&mails[6], &mails[7]);
    assert_eq!(
        (&*team.from, &*team.to),
        ("deploys@example.org", &["team@example.org".into()][..])
    );
    assert_eq!(author.to, ["ada@example.org"]);
    assert_eq!(author.header("To"), Some("ada@example.org"));
    assert!(team.encrypted && team.login.as_deref() == Some("deploys"));

    let by = world.show(3)["pusher"].as_str().unwrap().to_owned();
    let repository = world.repository().display().to_string();
    let body = |mail: &Mail| {
        let lines = mail
            .body
            .lines()
            .filter(|line| !line.starts_with("It took "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let expect = format!(
        "\
By {by}
Written by Ada Lovelace <ada@example.org>
Failed: exit status 7

Why:
  * Deploy alarms X, Y and Z
  * and the endpoint

2 commits gained:
  {new} c3
  {} c2

See more, on the server:
  deploy-by-code -C {repository} show 3

The end of its log:
  no space left
    at line 1",
        short(&made[1])
    );
    assert_eq!(body(team), expect);
    assert_eq!(body(author), expect);

    // The mails about one deployment are one thread, and the mails about another one are not.
    let thread = |mail: &Mail| mail.header("References").unwrap().to_owned();
    assert_eq!(thread(&mails[4]), thread(team));
    assert_ne!(thread(&mails[0]), thread(team));
    assert_eq!(team.header("In-Reply-To"), team.header("References"));
    assert_ne!(mails[4].header("Message-ID"), team.header("Message-ID"));
    assert_eq!(author.header("Message-ID"), team.header("Message-ID"));

    let headers = [
        ("Auto-Submitted", "auto-generated"),
        ("X-Git-Repo", "deploy"),
        ("X-Git-Refname", "refs/heads/main"),
        ("X-Git-Oldrev", &*made[0]),
        ("X-Git-Newrev", &*made[2]),
        ("X-Deploy-Event", "failed"),
        ("X-Deploy-Environment", "production"),
        ("X-Deploy-Application", "website"),
        ("X-Deploy-Id", "3"),
    ];
    for (name, value) in headers {
        assert_eq!(team.header(name), Some(value), "{name}");
    }
    let list = team.header("List-Id").unwrap();
    assert!(list.starts_with("<deploy.deploy-by-code."), "{list}");
}

#[test]
fn rollback_shows_what_is_lost_and_why() {
    let world = applications::world(&["website"], "");
    let server = SmtpServer::start(&world, starttls());
    let mail = section(&world, &server, "to = [\"{author}\"]");
    applications::configure(&world, &mail);

    let made = commits(&world, "website", 14);
    try_deploy(&world, "production/website", &made[13]).ok();
    world.settled();
    let reason = "Deploy-Rollback: it is slow";
    try_deploy_saying(&world, "production/website", &made[0], reason).ok();
    let mails = server.wait_for_mails(&world, 2);

    assert_eq!(mails[1].to, ["ada@example.org"]);
    let body = &mails[1].body;
    assert!(body.contains("\n13 commits lost:\n"), "{body}");
    assert!(body.contains("\n  … and "), "{body}");
    assert!(!body.contains("gained"), "{body}");
    let expect = "\nExceptions from rules:\n  rollback: it is slow\n";
    assert!(body.contains(expect), "{body}");
}

#[test]
fn commits_outside_of_the_deployed_folder_are_counted_and_not_named() {
    let world = applications::world(&["website"], "");
    let server = SmtpServer::start(&world, starttls());
    let keys = "to = [\"{author}\"]\n[applications.website]\nsubdirectory = \"web\"";
    let mail = section(&world, &server, keys);
    applications::configure(&world, &mail);

    // These commits change no file.
    let made = commits(&world, "website", 14);
    for revision in [&made[0], &made[13]] {
        try_deploy(&world, "production/website", revision).ok();
        world.settled();
    }
    let body = &server.wait_for_mails(&world, 2)[1].body;
    assert!(
        body.contains("\n\n13 commits gained, none of them in web.\n"),
        "{body}"
    );
    assert!(!body.contains("lost"), "{body}");
}

#[test]
fn each_kind_of_event_reads_well() {
    let (world, server) = told(starttls());
    let keys = "to = [\"team@example.org\"]\nevents = [\"refused\", \"problem\", \"retired\", \
                \"frozen\", \"thawed\", \"override\"]\n[environments.production]\n\
                override_by = [\"alice\"]";
    section(&world, &server, keys);
    // On a busy machine it would plan before post-receive does, and not know who pushes.
    fs::remove_file(world.path("deploy.git/hooks/reference-transaction")).unwrap();

    deploy(&world, "production/website", 1);
    world
        .cmd(&[
            "freeze",
            "production",
            "--reason",
            "incident 7",
            "--until",
            "2h",
        ])
        .ok();
    world.deploy("production/website", 2);
    world.try_push().exits(1);
    world.git(&["reset", "-q", "--hard", &world.tip()]);

    world.deploy("production/website", 3);
    world.commit_saying("Deploy-Override: it burns");
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("GL_USER", "alice"), b"").ok();
    world.cmd(&["thaw", "production"]).ok();
    world.settled();
    world.retire("production/website");
    world.push();
    world.write("production/broken.deploy", "main\n");
    world.without_hooks(|| world.push());
    world.cmd(&["reconcile"]);

    let mails = server.wait_for_mails(&world, 6);
    let (old, new) = (&rev(1)[..7], &rev(3)[..7]);
    assert_eq!(
        subjects(&mails),
        [
            "[production] frozen".to_owned(),
            "[production] push refused: production/website.deploy".to_owned(),
            format!("[production] website {old} -> {new} queued, overrides a safeguard"),
            "[production] thawed".to_owned(),
            "[production] website retired".to_owned(),
            "[production] problem: production/broken.deploy".to_owned(),
        ]
    );

    let by = world.show(1)["pusher"].as_str().unwrap().to_owned();
    let command = format!("deploy-by-code -C {}", world.repository().display());
    let ends = |mail: &Mail, what: &str| {
        let end = format!("\nSee more, on the server:\n  {command} {what}\n");
        assert!(mail.body.ends_with(&end), "{mail:#?}");
        mail.body.strip_suffix(&end).unwrap().to_owned()
    };
    let frozen = ends(&mails[0], "status production");
    let begin = format!("By {by}\nFrozen: incident 7\nNothing begins in production until ");
    assert!(
        frozen.starts_with(&begin) && frozen.ends_with(" UTC.\n"),
        "{frozen}"
    );
    let refused = ends(&mails[1], "check");
    assert!(
        refused.starts_with(&format!("By {by}\nRefused: ")),
        "{refused}"
    );
    assert!(refused.ends_with("Nothing has changed.\n"), "{refused}");
    let override_ = ends(&mails[2], "show 2");
    let expect = "\nExceptions from rules:\n  override: it burns\n";
    assert!(
        override_.starts_with("By alice\n") && override_.contains(expect),
        "{override_}"
    );
    let thawed = ends(&mails[3], "status production");
    assert_eq!(
        thawed,
        format!("By {by}\nDeployments in production begin again.\n")
    );
    let retired = ends(&mails[4], "log production/website");
    assert!(
        retired.starts_with(&format!("By {by}\nIts deploy file was deleted.")),
        "{retired}"
    );
    let problem = ends(&mails[5], "check");
    assert!(problem.starts_with("Problem: "), "{problem}");
    assert!(
        problem.ends_with("It is on the deploy branch, and is not deployed.\n"),
        "{problem}"
    );
}

#[test]
fn hostile_text_arrives_as_text() {
    let world = applications::world(&["website"], "");
    let server = SmtpServer::start(&world, starttls());
    let keys = "to = [\"team@example.org\"]\nevents = [\"failed\", \"refused\"]";
    let mail = section(&world, &server, keys);
    applications::configure(&world, &mail);

    let evil =
        "=?utf-8?q?x=0d=0aBcc:_eve@example.org?= \u{202e}\u{1b}[31m\r.\rBcc: eve@example.org";
    let made = commits(&world, "website", 1);
    let next = applications::commit(&world, "website", "main", evil);
    try_deploy(&world, "production/website", &made[0]).ok();
    world.settled();

    world.job(
        "printf '.\\r\\n.\\r\\nMAIL FROM:<eve@x>\\n\\033]0;x\\007\\0\\377\\nApproved: yes'; exit 1",
    );
    let entry = format!(
        "{next}\n.\n\r\n.\r\nQUIT\r\nApproved by:\n  bob {evil}\n{}\n",
        made[0]
    );
    world.deploy_file("production/website", entry);
    world.git(&["add", "-A"]);
    let author = "--author=Eve\u{202e} =?utf-8?q?x?= (comment) <eve@example.org>";
    world.git(&["commit", "-q", author, "-m", evil]);
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let name = "alice\nBcc: eve@example.org\r\n\r\n.";
    run(push.env("GL_USER", name), b"").ok();
    world.settled();

    let path = "production/bü=?utf-8?q?a=0d=0aBcc:_eve?=\r\nBcc: eve@example.org\r\n.deploy";
    world.write(path, "x");
    world.try_push().exits(1);

    let mails = server.wait_for_mails(&world, 2);
    for mail in &mails {
        assert_eq!(mail.to, ["team@example.org"]);
        let bad = |c: char| c == '\u{202e}' || (c.is_control() && c != '\n');
        for text in [mail.subject(), &mail.body] {
            assert!(!text.contains(bad), "{mail:#?}");
        }
        for name in mail.header_names() {
            let ours = [
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
                "In-Reply-To",
                "References",
            ];
            let others = ["MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
            let others = others.contains(&name) || ["Auto-Submitted", "List-Id"].contains(&name);
            let prefixed = name.starts_with("X-Git-") || name.starts_with("X-Deploy-");
            assert!(
                ours.contains(&name) || others || prefixed,
                "{name}: {mail:#?}"
            );
            mail.header(name);
        }
        assert!(mail.raw.is_ascii(), "{mail:#?}");
        assert!(mail.raw.lines().all(|line| line.len() <= 998), "{mail:#?}");
    }

    let body = &mails[0].body;
    assert!(body.contains("\n  Approved by:\n    bob "), "{body}");
    assert!(body.contains("\n  MAIL FROM:<eve@x>\n"), "{body}");
    assert!(body.ends_with("\n  Approved: yes\n"), "{body}");
    assert!(
        !body.lines().any(|line| line.starts_with("Approved")),
        "{body}"
    );
    assert!(
        mails[1].subject().contains("bü= ?utf-8?q?a=0d"),
        "{:#?}",
        mails[1]
    );
}

#[test]
fn author_who_has_no_address_gets_no_mail_and_stops_nobody() {
    let (world, server) = told(json!({
        "encryption": "starttls",
        "commands": { "RCPT gone@example.org": ["550 no such user"] },
    }));
    let keys = "to = [\"team@example.org\", \"{author}\"]\nevents = [\"succeeded\"]";
    section(&world, &server, keys);

    let long = format!("<{}@example.org>", "a".repeat(10_000));
    let authors = [
        ("A <>", None),
        ("A <none>", None),
        ("A <gone@example.org>", None),
        ("A <\"x y\"@example.org>", None),
        ("A <-oQ/tmp/x@example.org>", None),
        (&*format!("A {long}"), None),
        ("A <team@example.org>", None),
        ("A <eve@bücher.example>", Some("eve@xn--bcher-kva.example")),
        ("A <jürgen@example.org>", Some("jürgen@example.org")),
    ];
    let mut expect = Vec::new();
    for (number, (author, address)) in (1..).zip(&authors) {
        world.deploy(&format!("production/app{number}"), number);
        world.git(&["add", "-A"]);
        let author = format!("--author={author}");
        world.git(&["commit", "-q", &author, "-m", "Deploy"]);
        expect.push("team@example.org");
        expect.extend(address);
    }
    world.push();

    let mails = server.wait_for_mails(&world, expect.len());
    let found: Vec<String> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!(found, expect);
}
