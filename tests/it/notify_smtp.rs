//! Mail servers that mails are not safe with, or that do not work for a while: nothing is shown to
//! the wrong one, lost, or told out of order.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::notify_mail::{PASSWORD, deploy, section, starttls, subjects, told};
use crate::processes::{BINARY, kill_one, of_program};
use crate::run::{Run, run};
use crate::world::{World, rev};

/// The program that sends mails.
fn notifier() -> PathBuf {
    PathBuf::from(BINARY).with_file_name("deploy-by-code-notify")
}

/// Sends a test event to the section.
fn try_once(world: &World) -> Run {
    let mut command = world.command(notifier().to_str().unwrap(), ".");
    command.arg("-C").arg(world.repository());
    run(command.args(["--test", "team"]), b"")
}

#[test]
fn without_encryption_nothing_is_sent_to_another_machine() {
    let (world, mut server) = told(json!({ "encryption": "none" }));
    try_once(&world)
        .exits(1)
        .says("team: not delivered: the server does not offer STARTTLS, so nothing was sent to it");

    // A server on this machine needs no encryption.
    let plain = format!("smtp = \"smtp://localhost:{}\"", server.port);
    let keys = format!("[notify.team]\nkind = \"mail\"\nto = [\"team@example.org\"]\n{plain}");
    world.config(&keys);
    try_once(&world).ok().says("team: delivered: 250 taken");
    assert!(!server.wait_for_mails(&world, 1)[0].encrypted);

    // TLS from the first byte.
    server.behave(&world, json!({ "encryption": "smtps" }));
    let smtps = format!("smtp = \"smtps://localhost:{}\"", server.port);
    let ca_file = format!("ca_file = {:?}", server.ca_file());
    world.config(&format!("{}\n{ca_file}", keys.replace(&plain, &smtps)));
    try_once(&world).ok().says("team: delivered: 250 taken");
    assert!(server.wait_for_mails(&world, 2)[1].encrypted);
}

#[test]
fn server_with_a_wrong_certificate_gets_nothing() {
    let (world, mut server) = told(starttls());
    let right = world.config_text();

    // The certificate does not name the host.
    let other = right.replace("smtp://127.0.0.1", "smtp://127.0.0.2");
    // Nobody whom the machine trusts has signed it.
    let ca_file = format!("ca_file = {:?}\n", server.ca_file());
    let machine = right.replace(&ca_file, "login = \"x\"\npassword_file = \"/dev/null\"\n");
    // The file is none of certificates.
    let none = right.replace("ca.pem", "openssl.cnf");
    let table = [
        (other, "not delivered: "),
        (machine, "not delivered: "),
        (none, "there is no certificate in it"),
    ];
    for (config, why) in table {
        world.config_file(&config);
        try_once(&world).exits(1).says(why);
    }
    assert_eq!(server.mails().len(), 0);

    // Another authority has signed it, and later it is the right one.
    world.config_file(&right);
    let pem = world.path("smtp/server.pem");
    let signed = fs::read(&pem).unwrap();
    let of_authority = [("ca.pem", "server.pem"), ("ca.key", "server.key")];
    let key = fs::read(world.path("smtp/server.key")).unwrap();
    for (from, to) in of_authority {
        fs::copy(world.path("smtp").join(from), world.path("smtp").join(to)).unwrap();
    }
    server.behave(&world, starttls());
    deploy(&world, "production/website", 1);
    try_once(&world)
        .exits(1)
        .says("TLS: invalid peer certificate: ");
    fs::write(&pem, signed).unwrap();
    fs::write(world.path("smtp/server.key"), key).unwrap();
    server.behave(&world, starttls());
    let mails = server.wait_for_mails(&world, 1);
    assert_eq!(
        subjects(&mails),
        [format!("[production] website {} succeeded", &rev(1)[..7])]
    );
}

#[test]
fn password_is_secret_and_can_be_corrected() {
    let (world, server) = told(json!({ "encryption": "starttls", "login": ["deploys", PASSWORD] }));
    let file = world.path("password");
    let write = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let keys =
        format!("to = [\"team@example.org\"]\nlogin = \"deploys\"\npassword_file = {file:?}\n");
    section(&world, &server, &keys);

    write("hunter2\n", 0o644);
    deploy(&world, "production/website", 1);
    try_once(&world)
        .exits(1)
        .says("other users can read or change it");
    write("hunter2\n", 0o600);
    // The server repeats the password in its answer.
    let refused = try_once(&world).exits(1);
    let refused = refused.says("the server refuses the login: 535; see login and password_file");
    refused.says_nothing_of("hunter2");
    assert_eq!(server.mails().len(), 0);

    write(&format!("{PASSWORD}\n"), 0o600);
    let mails = server.wait_for_mails(&world, 1);
    assert_eq!(mails[0].login.as_deref(), Some("deploys"));
    for file in ["state.db", "state.db-wal"] {
        let state = fs::read(world.state().join(file)).unwrap_or_default();
        let holds = |text: &str| {
            state
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(!holds("hunter2") && !holds(PASSWORD), "{file}");
    }
}

#[test]
fn mail_that_is_put_off_is_sent_once_and_in_order() {
    let (world, server) = told(json!({
        "encryption": "starttls",
        "commands": {
            "MAIL": ["451 later", "ok"],
            "RCPT team@example.org": ["ok", "450 later", "ok"],
            "DATA": ["ok", "ok", "452 full", "ok"],
        },
    }));
    for n in 1..=3 {
        deploy(&world, "production/website", n);
    }
    let mails = server.wait_for_mails(&world, 3);
    let expect = ["0000001", "0000001 -> 0000002", "0000002 -> 0000003"]
        .map(|change| format!("[production] website {change} succeeded"));
    assert_eq!(subjects(&mails), expect);
}

#[test]
fn mail_that_is_refused_holds_up_no_other() {
    let (world, mut server) = told(json!({
        "encryption": "starttls",
        "commands": { "DATA": ["554 not this one", "ok"] },
    }));
    deploy(&world, "production/website", 1);
    deploy(&world, "production/website", 2);
    let mails = server.wait_for_mails(&world, 1);
    assert_eq!(
        subjects(&mails),
        ["[production] website 0000001 -> 0000002 succeeded"]
    );

    // One of the recipients is refused: the others get the mail, and the answer says who did not.
    let to = "to = [\"team@example.org\", \"gone@example.org\", \"full@example.org\"]";
    section(&world, &server, to);
    let commands = json!({
        "RCPT gone@example.org": ["550 no such user"],
        "RCPT full@example.org": ["452 mailbox full"],
    });
    server.behave(
        &world,
        json!({ "encryption": "starttls", "commands": commands }),
    );
    try_once(&world).exits(1).says(
        "team: partly delivered: not to everybody: gone@example.org: 550 no such user; \
         full@example.org: 452 mailbox full; to the others: 250 taken",
    );
    assert_eq!(server.wait_for_mails(&world, 2)[1].to, ["team@example.org"]);
}

/// The notifications of the section, the newest first.
fn rows(world: &World) -> Vec<Value> {
    world.json(&["notifications"]).as_array().unwrap().clone()
}

#[test]
fn recipient_who_is_put_off_gets_it_later_and_nobody_gets_it_twice() {
    let (world, server) = told(json!({
        "encryption": "starttls",
        "commands": {
            "RCPT late@example.org": ["450 greylisted", "ok", "450 greylisted", "ok"],
            "RCPT gone@example.org": ["550 no such user"],
        },
    }));
    let to = "to = [\"team@example.org\", \"late@example.org\", \"gone@example.org\"]";
    section(&world, &server, to);
    deploy(&world, "production/website", 1);
    world.wait_until("one is put off", || {
        rows(&world)
            .first()
            .is_some_and(|row| row["status"] == "partial")
    });
    world
        .cmd(&["notifications"])
        .ok()
        .says("not to everybody: gone@example.org: 550 no such user; ");
    world
        .cmd(&["status"])
        .ok()
        .says("team: 1 event not told to everybody yet: not to everybody: gone@example.org");

    // Another process goes on with it.
    let of_program = || of_program(&world.path(""), &notifier());
    of_program().into_iter().for_each(kill_one);
    world.wait_until("it is gone", || of_program().is_empty());
    world.cmd(&["reconcile"]).ok();
    world.wait_until("nothing is left to try", || {
        rows(&world)[0]["status"] == "refused"
    });
    let answer = "not to everybody: gone@example.org: 550 no such user; to the others: 250 taken";
    assert_eq!(rows(&world)[0]["answer"], answer);
    let mails = server.wait_for_mails(&world, 2);
    let whom: Vec<&[String]> = mails.iter().map(|mail| &*mail.to).collect();
    assert_eq!(whom, [["team@example.org"], ["late@example.org"]]);
    assert_eq!(mails[0].raw, mails[1].raw);

    // Who was refused can be added again. Those who have it do not get it again.
    world.cmd(&["notifications", "--again", "1"]).ok();
    world.wait_until("it was tried again", || {
        rows(&world)[0]["attempts"] == 1 && rows(&world)[0]["status"] == "refused"
    });
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn recipient_who_is_put_off_holds_up_no_later_event() {
    let (world, mut server) = told(json!({
        "encryption": "starttls",
        "commands": { "RCPT full@example.org": ["452 mailbox full"] },
    }));
    let to = "to = [\"team@example.org\", \"full@example.org\"]";
    section(&world, &server, to);
    deploy(&world, "production/website", 1);
    deploy(&world, "production/website", 2);
    let mails = server.wait_for_mails(&world, 2);
    assert!(mails.iter().all(|mail| mail.to == ["team@example.org"]));
    world.wait_until("both are recorded", || {
        rows(&world).iter().all(|row| row["status"] == "partial")
    });

    // What could not be sent for a day is given up.
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    database
        .execute_batch(
            "UPDATE events SET at_ms = at_ms - 25 * 3600 * 1000;
             UPDATE notifications SET attempts = 10, next_attempt_ms = 0 WHERE id = 1",
        )
        .unwrap();
    world.wait_until("it is given up", || {
        rows(&world).iter().any(|row| row["status"] == "given-up")
    });

    server.behave(&world, starttls());
    database
        .execute_batch("UPDATE notifications SET next_attempt_ms = 0")
        .unwrap();
    let mails = server.wait_for_mails(&world, 3);
    assert_eq!(mails[2].to, ["full@example.org"]);
    assert_eq!(mails[2].header("Message-ID"), mails[1].header("Message-ID"));
}

#[test]
fn author_who_is_put_off_gets_it_later() {
    let (world, server) = told(json!({
        "encryption": "starttls",
        "commands": { "RCPT ada@example.org": ["450 greylisted", "ok"] },
    }));
    section(&world, &server, "to = [\"team@example.org\", \"{author}\"]");
    deploy(&world, "production/website", 1);
    let mails = server.wait_for_mails(&world, 2);
    assert_eq!(mails[0].to, ["team@example.org"]);
    assert_eq!(mails[1].to, ["ada@example.org"]);
    world.wait_until("the record says so", || {
        rows(&world)[0]["status"] == "delivered"
    });
}

#[test]
fn server_that_takes_only_ascii_refuses_one_address_and_no_mail() {
    let (world, server) = told(json!({ "encryption": "starttls", "utf8": false }));
    let to = "to = [\"team@example.org\", \"jürgen@example.org\"]";
    section(&world, &server, to);
    let none = "553 the server has no SMTPUTF8, which this address needs";
    try_once(&world).exits(1).says(&format!(
        "team: refused: not to everybody: jürgen@example.org: {none}; to the others: 250 taken",
    ));
    let mail = &server.wait_for_mails(&world, 1)[0];
    assert_eq!(mail.to, ["team@example.org"]);
    assert!(mail.raw.is_ascii(), "{mail:#?}");
    assert_eq!(
        mail.header("To"),
        Some("team@example.org, j?rgen@example.org")
    );

    section(&world, &server, "to = [\"jürgen@example.org\"]");
    try_once(&world)
        .exits(1)
        .says(&format!("team: refused: jürgen@example.org: {none}"));
}

#[test]
fn server_that_hangs_or_is_away_holds_up_nobody() {
    let (world, mut server) = told(json!({ "encryption": "starttls", "hang": true }));
    let file = world.path("told");
    let script = format!("cat >>'{}'", file.display());
    let text = world.config_text();
    world.config_file(&format!(
        "{text}\n[notify.file]\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\n"
    ));

    // The deployment ends and the other one is told, while the server says nothing.
    deploy(&world, "production/website", 1);
    world.wait_until("the program is told", || {
        fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
    });
    assert_eq!(server.mails().len(), 0);

    server.stop();
    deploy(&world, "production/website", 2);
    server.behave(&world, starttls());
    let mails = server.wait_for_mails(&world, 2);
    let expect = ["0000001", "0000001 -> 0000002"]
        .map(|change| format!("[production] website {change} succeeded"));
    assert_eq!(subjects(&mails), expect);
}

#[test]
fn mail_whose_answer_is_lost_is_sent_again_as_the_same() {
    let (world, server) = told(json!({
        "encryption": "starttls",
        "commands": { "DATA": ["cut", "keep and cut", "ok"] },
    }));
    deploy(&world, "production/website", 1);
    let mails = server.wait_for_mails(&world, 2);
    assert_eq!(mails[0].raw, mails[1].raw);
    assert!(mails[0].header("Message-ID").is_some());
}
