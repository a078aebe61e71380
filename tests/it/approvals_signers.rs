//! Keys whose signatures must not count: of the author, of nobody, of everybody, of another time.

use std::fs;

use crate::run::run;
use crate::signing::{
    Attack, ONE_APPROVAL, approve, approved_by, change, commit_signed, configure_signers,
    git_with_key, make_key, public_key, push_commits, refuse_all, start_over,
    world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const NOT_SIGNED: &str = "does not count: it is not signed";
const UNKNOWN: &str = "does not count: its signature does not count: allowed_signers does not name \
                       its key, or the key is not valid now";
const AUTHOR: &str = "has changed the file too";

/// The people whose keys count only in some way, and all that is wrong with some of them.
fn signers(world: &World) -> String {
    let mut lines = vec![fs::read_to_string(world.path("signers")).unwrap()];
    let mut line = |names: &str, options: &str, key: &str| {
        if !world.path(&format!("key.{key}")).exists() {
            make_key(world, key);
        }
        lines.push(format!("{names} {options} {}\n", public_key(world, key)));
    };
    line("alice@example.org", "", "alice-again");
    line("ALICE@example.org", "", "alice-shouts");
    line("alice@example.org,ally@example.org", "", "alice-both");
    line("ally@example.org", "", "ally");
    line("al@example.org", "", "al");
    line("al@example.org", "", "alice-shared");
    line("alice@example.org", "", "alice-shared");
    line("erin@example.org", "valid-before=\"20200101\"", "expired");
    line("fay@example.org", "valid-after=\"20990101\"", "future");
    line("gus@example.org", "", "revoked");
    line("*@example.org", "", "wildcard");
    line("hal@example.org,*@example.org", "", "half-wildcard");
    line("hal@example.org", "namespaces=\"file\"", "file-only");
    line("a@x,b@x,c@x,d@x,e@x,f@x", "", "many-names");
    line("*@example.org", "cert-authority", "ca");
    line("*@example.org", "cert-authority", "revoked-ca");
    lines.concat()
}

fn world() -> World {
    let world = world_with_deployments("");
    let text = signers(&world);
    fs::write(world.path("signers"), text).unwrap();
    let revoked = ["revoked", "revoked-ca"].map(|key| public_key(&world, key) + "\n");
    fs::write(world.path("revoked"), revoked.concat()).unwrap();
    configure(&world, "revoked");

    for (key, ca, options) in [
        ("certified", "ca", "-n dora@example.org -V -1h:+1h"),
        ("cert-expired", "ca", "-n dora@example.org -V -2h:-1h"),
        ("cert-other", "ca", "-n dora@elsewhere.org"),
        ("cert-wildcard", "ca", "-n *@example.org"),
        ("cert-nobody", "ca", ""),
        ("cert-alice", "ca", "-n alice@example.org"),
        ("cert-host", "ca", "-h -n dora@example.org"),
        ("cert-revoked-ca", "revoked-ca", "-n dora@example.org"),
    ] {
        make_key(&world, key);
        let mut keygen = world.command("ssh-keygen", ".");
        keygen.args(["-q", "-s", &format!("key.{ca}"), "-I", key]);
        keygen.args(options.split_whitespace());
        run(keygen.arg(format!("key.{key}.pub")), b"").ok();
    }
    world
}

fn configure(world: &World, revoked: &str) {
    let file = world.path(revoked);
    let key = format!("revoked_keys = \"{}\"\n", file.display());
    configure_signers(world, &format!("{key}{ONE_APPROVAL}"));
}

#[test]
fn signatures_of_the_wrong_people_do_not_count() {
    let world = world();
    make_key(&world, "mallory");
    let attacks: &[Attack] = &[
        (
            "no key",
            |w| {
                change(w);
                w.git(&[
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-m",
                    "Approve",
                    "-m",
                    "Deploy-Approve: production/a",
                ]);
            },
            NOT_SIGNED,
        ),
        ("author's key", |w| approved_by(w, "alice"), AUTHOR),
        (
            "author's second key",
            |w| approved_by(w, "alice-again"),
            AUTHOR,
        ),
        (
            "author in capitals",
            |w| approved_by(w, "alice-shouts"),
            AUTHOR,
        ),
        (
            "author's key with two names",
            |w| approved_by(w, "alice-both"),
            AUTHOR,
        ),
        (
            "author by a name that a third key links",
            |w| approved_by(w, "ally"),
            AUTHOR,
        ),
        (
            "author by a name that another line of a key links",
            |w| approved_by(w, "al"),
            AUTHOR,
        ),
        (
            "author's certificate",
            |w| approved_by(w, "cert-alice-cert.pub"),
            AUTHOR,
        ),
        (
            "author as a committer with another name",
            |w| {
                change(w);
                let mut git = git_with_key(w, "alice");
                git.args([
                    "commit",
                    "-q",
                    "-S",
                    "--allow-empty",
                    "-m",
                    "Approve",
                    "-m",
                    "Deploy-Approve: production/a",
                ]);
                for who in ["AUTHOR", "COMMITTER"] {
                    git.env(format!("GIT_{who}_NAME"), "Bob");
                    git.env(format!("GIT_{who}_EMAIL"), "bob@example.org");
                }
                run(&mut git, b"").ok();
            },
            AUTHOR,
        ),
        ("unknown key", |w| approved_by(w, "mallory"), UNKNOWN),
        ("expired key", |w| approved_by(w, "expired"), UNKNOWN),
        (
            "expired key of a time when it was not",
            |w| {
                change(w);
                let mut git = git_with_key(w, "expired");
                git.args([
                    "commit",
                    "-q",
                    "-S",
                    "--allow-empty",
                    "-m",
                    "Approve",
                    "-m",
                    "Deploy-Approve: production/a",
                ]);
                git.env("GIT_COMMITTER_DATE", "2019-01-01T00:00:00Z");
                run(&mut git, b"").ok();
            },
            UNKNOWN,
        ),
        ("key of the future", |w| approved_by(w, "future"), UNKNOWN),
        (
            "revoked key",
            |w| approved_by(w, "revoked"),
            "its signature does not count: ",
        ),
        (
            "key of everybody",
            |w| approved_by(w, "wildcard"),
            "its key stands for many people: *@example.org",
        ),
        (
            "key of somebody and everybody",
            |w| approved_by(w, "half-wildcard"),
            "its key stands for many people: *@example.org",
        ),
        (
            "key for files",
            |w| approved_by(w, "file-only"),
            "its signature does not count: ",
        ),
        (
            "key with many names",
            |w| approved_by(w, "many-names"),
            "its key has 6 names, and may have 1 to 5",
        ),
        ("key of an authority", |w| approved_by(w, "ca"), UNKNOWN),
        (
            "expired certificate",
            |w| approved_by(w, "cert-expired-cert.pub"),
            UNKNOWN,
        ),
        (
            "certificate of elsewhere",
            |w| approved_by(w, "cert-other-cert.pub"),
            UNKNOWN,
        ),
        (
            "certificate of everybody",
            |w| approved_by(w, "cert-wildcard-cert.pub"),
            "its key stands for many people: *@example.org",
        ),
        (
            "certificate of nobody",
            |w| approved_by(w, "cert-nobody-cert.pub"),
            UNKNOWN,
        ),
        (
            "certificate of a host",
            |w| approved_by(w, "cert-host-cert.pub"),
            UNKNOWN,
        ),
        (
            "certificate of a revoked authority",
            |w| approved_by(w, "cert-revoked-ca-cert.pub"),
            "its signature does not count: ",
        ),
        (
            "key that has a certificate, alone",
            |w| approved_by(w, "certified"),
            UNKNOWN,
        ),
    ];
    refuse_all(&world, attacks);

    // A key revocation list says the same.
    let mut keygen = world.command("ssh-keygen", ".");
    run(
        keygen.args([
            "-q",
            "-k",
            "-f",
            "krl",
            "key.revoked.pub",
            "key.revoked-ca.pub",
        ]),
        b"",
    )
    .ok();
    configure(&world, "krl");
    refuse_all(
        &world,
        &[
            (
                "revoked key",
                |w| approved_by(w, "revoked"),
                "its signature does not count: ",
            ),
            (
                "certificate of a revoked authority",
                |w| approved_by(w, "cert-revoked-ca-cert.pub"),
                "its signature does not count: ",
            ),
        ],
    );

    // The control: the same files let a good certificate and a good key pass.
    for (key, n) in [("certified-cert.pub", 2), ("bob", 3)] {
        start_over(&world);
        world.deploy(A, n);
        commit_signed(&world, "alice", &["Deploy"]);
        approve(&world, key, A);
        push_commits(&world).ok();
        world.settled();
    }
}
