//! Approvals with OpenPGP keys, through gpgv with the keyring of the configuration.

use std::fs;
use std::process::Command;

use crate::run::{run, skip};
use crate::signing::{
    Attack, ONE_APPROVAL, allowed_signer, approve, change, commit_raw, commit_signed,
    cut_signature, head, programs_with, push_commits, push_with_programs, raw, refuse_all,
    start_over, world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const AUTHOR: &str = "has changed the file too";

/// gpg with the keys of the people, which need no passphrase.
fn gpg(world: &World, arguments: &[&str]) -> Command {
    let mut gpg = world.command("gpg", "work");
    gpg.env("GNUPGHOME", world.path("gnupg"));
    gpg.args([
        "--batch",
        "--quiet",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
    ]);
    gpg.args(arguments);
    gpg
}

#[track_caller]
fn do_gpg(world: &World, arguments: &[&str]) -> String {
    run(&mut gpg(world, arguments), b"").ok().stdout
}

/// The fingerprints of the keys of a person: the main key, and those that belong to it.
fn fingerprints(world: &World, person: &str) -> Vec<String> {
    let listed = do_gpg(world, &["--list-keys", "--with-colons", person]);
    let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
    lines
        .map(|line| line.split(':').nth(9).unwrap().to_owned())
        .collect()
}

/// A server that knows OpenPGP keys too.
fn world() -> Option<World> {
    for program in ["gpg", "gpgv", "gpg-agent"] {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !found.unwrap().status.success() {
            skip(&format!("{program} is missing"));
            return None;
        }
    }
    let world = world_with_deployments("");
    let home = world.path("gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();

    for user in [
        "Alice <alice@example.org>",
        "Gwen <gwen@example.org>",
        "Nobody",
        "Rose <rose@example.org>",
    ] {
        do_gpg(
            &world,
            &["--quick-gen-key", user, "ed25519", "sign", "never"],
        );
    }
    // The newest address is the one that gpgv names first.
    do_gpg(
        &world,
        &[
            "--quick-gen-key",
            "Al <bob@example.org>",
            "ed25519",
            "sign",
            "never",
        ],
    );
    do_gpg(
        &world,
        &["--quick-add-uid", "bob@example.org", "Al <al@example.org>"],
    );
    do_gpg(
        &world,
        &[
            "--faked-system-time",
            "20200101T000000!",
            "--quick-gen-key",
            "Eve <eve@example.org>",
            "ed25519",
            "sign",
            "1d",
        ],
    );
    for person in ["sue", "sid"] {
        let user = format!("{person} <{person}@example.org>");
        do_gpg(
            &world,
            &["--quick-gen-key", &user, "ed25519", "cert", "never"],
        );
        let main = fingerprints(&world, &user).remove(0);
        do_gpg(
            &world,
            &["--quick-add-key", &main, "ed25519", "sign", "never"],
        );
    }
    Some(world)
}

/// Revokes a key as its owner does who imports what gpg has written for this case.
fn revoke(world: &World, person: &str) {
    let main = fingerprints(world, person).remove(0);
    let file = world.path(&format!("gnupg/openpgp-revocs.d/{main}.rev"));
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace(":-----BEGIN", "-----BEGIN");
    fs::write(&file, text).unwrap();
    do_gpg(world, &["--import", &file.display().to_string()]);
}

fn revoke_subkey(world: &World, person: &str) {
    let mut gpg = world.command("gpg", "work");
    gpg.env("GNUPGHOME", world.path("gnupg"));
    gpg.args([
        "--batch",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        "--command-fd",
        "0",
    ]);
    gpg.args(["--edit-key", person]);
    run(&mut gpg, b"key 1\nrevkey\ny\n0\n\ny\nsave\n").ok();
}

/// Sets the keyring of the server: the public keys of gpg.
fn configure(world: &World) {
    let exported = gpg(world, &["--export"]).output().unwrap();
    fs::write(world.path("keyring"), exported.stdout).unwrap();
    world.config(&format!(
        "[people]\nallowed_signers = \"{}\"\ngpg_keyring = \"{}\"\n{ONE_APPROVAL}",
        world.path("signers").display(),
        world.path("keyring").display()
    ));
}

/// Commits what has changed, signed with the OpenPGP key of somebody.
#[track_caller]
fn commit_with_gpg(world: &World, person: &str, paragraphs: &[&str]) {
    world.git(&["add", "-A"]);
    let mut git = world.command("git", "work");
    git.env("GNUPGHOME", world.path("gnupg"));
    git.args(["commit", "-q", "--allow-empty", &format!("-S{person}")]);
    git.args(paragraphs.iter().flat_map(|text| ["-m", text]));
    run(&mut git, b"").ok();
}

fn approved_by(world: &World, person: &str) {
    change(world);
    commit_with_gpg(world, person, &["Approve", "Deploy-Approve: production/a"]);
}

/// The header of a commit with what gpg makes of a text, in the armour of a signature.
fn header(world: &World, arguments: &[&str], text: &str) -> String {
    let made = run(&mut gpg(world, arguments), text.as_bytes()).ok().stdout;
    let made = made.replace("PGP MESSAGE", "PGP SIGNATURE");
    format!("gpgsig {}\n", made.trim_end().replace('\n', "\n "))
}

/// The parts of an approval, as [`cut_signature`] has them.
fn parts(world: &World) -> [String; 3] {
    approved_by(world, "gwen");
    cut_signature(&raw(world, &head(world)))
}

#[test]
fn openpgp_signatures_count_as_those_of_ssh_do() {
    let Some(world) = world() else { return };
    let signers = fs::read_to_string(world.path("signers")).unwrap();
    let signers = signers + &allowed_signer(&world, "al", "al");
    fs::write(world.path("signers"), signers).unwrap();

    // An expired key signs at a time when it was valid.
    let expired = |w: &World| {
        let [before, _, after] = parts(w);
        let arguments = [
            "--faked-system-time",
            "20200101T010000!",
            "-u",
            "eve",
            "-bsa",
        ];
        let signature = header(w, &arguments, &format!("{before}{after}"));
        commit_raw(w, &format!("{before}{signature}{after}"));
    };
    // What a revoked key signed before it was revoked.
    configure(&world);
    for person in ["rose", "sid"] {
        start_over(&world);
        approved_by(&world, person);
        let tag = format!("revoked-{person}");
        world.git(&["tag", &tag]);
    }
    revoke(&world, "rose");
    revoke_subkey(&world, "sid");
    configure(&world);

    let attacks: &[Attack] = &[
        ("expired key", expired, "its key has expired"),
        (
            "revoked key",
            |w| {
                w.git(&["checkout", "-q", "revoked-rose"]);
            },
            "its key was revoked",
        ),
        (
            "revoked subkey",
            |w| {
                w.git(&["checkout", "-q", "revoked-sid"]);
            },
            "its key was revoked",
        ),
        (
            "key without an address",
            |w| approved_by(w, "Nobody"),
            "its key names no mail address: ",
        ),
        (
            "author with a key of OpenPGP",
            |w| approved_by(w, "alice"),
            AUTHOR,
        ),
        (
            "author with a key of SSH",
            |w| {
                w.deploy(A, 2);
                commit_with_gpg(w, "alice", &["Deploy"]);
                approve(w, "alice", A);
            },
            AUTHOR,
        ),
        (
            "author by one address of a key",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "bob", &["Deploy"]);
                commit_with_gpg(
                    w,
                    "al@example.org",
                    &["Approve", "Deploy-Approve: production/a"],
                );
            },
            AUTHOR,
        ),
        (
            "author by the other address of a key",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "al", &["Deploy"]);
                commit_with_gpg(
                    w,
                    "al@example.org",
                    &["Approve", "Deploy-Approve: production/a"],
                );
            },
            AUTHOR,
        ),
        (
            "signature of another commit",
            |w| {
                let [_, signature, _] = parts(w);
                let [before, _, after] = {
                    start_over(w);
                    w.deploy(A, 3);
                    commit_signed(w, "alice", &["Deploy"]);
                    approve(w, "alice", A);
                    cut_signature(&raw(w, &head(w)))
                };
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "it is not the signature of this commit",
        ),
        (
            "signed message instead of a signature",
            |w| {
                let [before, _, after] = parts(w);
                let signature = header(w, &["-u", "gwen", "--armor", "--sign"], "Hello.\n");
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "signed message that is not packed",
            |w| {
                let [before, _, after] = parts(w);
                let arguments = ["-u", "gwen", "--armor", "-z", "0", "--sign"];
                let signature = header(w, &arguments, &format!("{before}{after}"));
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "signature of text",
            |w| {
                let [before, _, after] = parts(w);
                let signature = header(
                    w,
                    &["-u", "gwen", "--textmode", "-bsa"],
                    &format!("{before}{after}"),
                );
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "it is not one of bytes as they are",
        ),
        (
            "two signatures in one",
            |w| {
                let [before, _, after] = parts(w);
                let arguments = ["-u", "gwen", "-u", "sue", "-bsa"];
                let signature = header(w, &arguments, &format!("{before}{after}"));
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "it is more than one signature",
        ),
        (
            "broken armour",
            |w| {
                let [before, _, after] = parts(w);
                let armour =
                    "-----BEGIN PGP SIGNATURE-----\n \n garbage\n -----END PGP SIGNATURE-----";
                commit_raw(w, &format!("{before}gpgsig {armour}\n{after}"));
            },
            "its signature does not count: ",
        ),
    ];
    refuse_all(&world, attacks);

    // A key that the keyring does not have.
    start_over(&world);
    let fresh = [
        "--quick-gen-key",
        "New <new@example.org>",
        "ed25519",
        "sign",
        "never",
    ];
    do_gpg(&world, &fresh);
    refuse_all(
        &world,
        &[(
            "unknown key",
            |w| approved_by(w, "new"),
            "gpg_keyring does not have its key",
        )],
    );

    // The controls: a key, and one that belongs to another one.
    for (person, n) in [("gwen", 2), ("sue", 3)] {
        start_over(&world);
        world.deploy(A, n);
        commit_with_gpg(&world, "alice", &["Deploy"]);
        commit_with_gpg(&world, person, &["Approve", "Deploy-Approve: production/a"]);
        push_commits(&world).ok();
    }

    // So does a keybox, as gpg itself keeps its keys.
    fs::copy(world.path("gnupg/pubring.kbx"), world.path("keyring")).unwrap();
    start_over(&world);
    world.deploy(A, 4);
    commit_with_gpg(&world, "alice", &["Deploy"]);
    commit_with_gpg(&world, "sue", &["Approve", "Deploy-Approve: production/a"]);
    push_commits(&world).ok();

    // Without gpgv nobody knows.
    start_over(&world);
    world.deploy(A, 5);
    commit_with_gpg(&world, "alice", &["Deploy"]);
    let path = programs_with(&world, None);
    let pushed = push_with_programs(&world, &path);
    assert_ne!(pushed.code, Some(0));
    let expected = "nobody knows who changed and approved this: gpgv: ";
    assert!(pushed.stderr.contains(expected), "{pushed:#?}");

    let broken = "echo gpgv: a library is missing >&2; exit 127";
    let path = programs_with(&world, Some(("gpgv", broken)));
    let pushed = push_with_programs(&world, &path);
    assert_ne!(pushed.code, Some(0));
    pushed.says(&format!(
        "{expected}exit status: 127: gpgv: a library is missing"
    ));

    fs::write(world.path("keyring"), "garbage").unwrap();
    refuse_all(
        &world,
        &[(
            "keyring that is none",
            |w| approved_by(w, "gwen"),
            "its signature does not count: ",
        )],
    );
}
