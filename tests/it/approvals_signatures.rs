//! Signatures that must not count: of another commit, of something else, of nothing.

use std::fs;

use crate::run::run;
use crate::signing::{
    Attack, ONE_APPROVAL, allowed_signer, approve, approved_by, commit_raw, commit_signed,
    configure_signers, cut_signature, head, push_commits, raw, refuse_all, start_over,
    world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const NOT_SIGNED: &str = "does not count: it is not signed";

/// A change that alice signed, and an approval that bob signed: its parts as [`cut_signature`] has
/// them. The clone is where the approval can be replaced by another commit.
fn parts(world: &World) -> [String; 3] {
    approved_by(world, "bob");
    cut_signature(&raw(world, &head(world)))
}

/// A signature of a text as the header of a commit.
fn header(world: &World, key: &str, namespace: &str, text: &str) -> String {
    let mut keygen = world.command("ssh-keygen", ".");
    keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f"]);
    keygen.arg(world.path(&format!("key.{key}")));
    let signature = run(&mut keygen, text.as_bytes()).ok().stdout;
    format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "))
}

#[test]
fn signatures_of_something_else_do_not_count() {
    let world = world_with_deployments(ONE_APPROVAL);
    let attacks: &[Attack] = &[
        (
            "signature of another commit",
            |w| {
                let [_, signature, _] = parts(w);
                start_over(w);
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
                approve(w, "alice", A);
                let [before, _, after] = cut_signature(&raw(w, &head(w)));
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "approval that was cherry-picked",
            |w| {
                let [..] = parts(w);
                let approval = head(w);
                start_over(w);
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
                w.git(&["cherry-pick", "--allow-empty", &approval]);
            },
            NOT_SIGNED,
        ),
        (
            "message changed",
            |w| {
                let [before, signature, after] = parts(w);
                commit_raw(
                    w,
                    &format!(
                        "{before}{signature}{}",
                        after.replace("Approve\n", "Prove\n")
                    ),
                );
            },
            "its signature does not count: ",
        ),
        (
            "two signatures",
            |w| {
                let [before, signature, after] = parts(w);
                let other = header(w, "carol", "git", &format!("{before}{after}"));
                commit_raw(w, &format!("{before}{other}{signature}{after}"));
            },
            "it has more than one signature",
        ),
        (
            "signature in front of the parents",
            |w| {
                let [before, signature, after] = parts(w);
                let (tree, rest) = before.split_once('\n').unwrap();
                commit_raw(w, &format!("{tree}\n{signature}{rest}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "parent behind the signature",
            |w| {
                let [before, signature, after] = parts(w);
                let (parent, rest): (Vec<&str>, Vec<&str>) = before
                    .split_inclusive('\n')
                    .partition(|line| line.starts_with("parent"));
                let signed = format!("{}{after}", before);
                let _ = signature;
                let signature = header(w, "bob", "git", &signed);
                commit_raw(
                    w,
                    &format!("{}{signature}{}{after}", rest.concat(), parent.concat()),
                );
            },
            "its signature does not count: ",
        ),
        (
            "empty signature",
            |w| {
                let [before, _, after] = parts(w);
                commit_raw(w, &format!("{before}gpgsig \n{after}"));
            },
            "its signature is empty",
        ),
        (
            "signature that is none",
            |w| {
                let [before, _, after] = parts(w);
                commit_raw(w, &format!("{before}gpgsig yes, bob\n{after}"));
            },
            "it is neither one of SSH nor one of OpenPGP",
        ),
        (
            "empty armour",
            |w| {
                let [before, _, after] = parts(w);
                let armour = "-----BEGIN SSH SIGNATURE-----\n -----END SSH SIGNATURE-----";
                commit_raw(w, &format!("{before}gpgsig {armour}\n{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "broken signature",
            |w| {
                let [before, signature, after] = parts(w);
                let middle = signature.len() / 2;
                let broken = format!("{}!{}", &signature[..middle], &signature[middle + 1..]);
                commit_raw(w, &format!("{before}{broken}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "signature cut short",
            |w| {
                let [before, signature, after] = parts(w);
                let lines: Vec<&str> = signature.split_inclusive('\n').collect();
                commit_raw(w, &format!("{before}{}{after}", lines[..3].concat()));
            },
            "its signature does not count: ",
        ),
        (
            "OpenPGP where no keyring is set",
            |w| {
                let [before, signature, after] = parts(w);
                let other = signature.replace("SSH SIGNATURE", "PGP SIGNATURE");
                commit_raw(w, &format!("{before}{other}{after}"));
            },
            "it is one of OpenPGP, and gpg_keyring is not set",
        ),
        (
            "another namespace",
            |w| {
                let [before, _, after] = parts(w);
                let signature = header(w, "bob", "file", &format!("{before}{after}"));
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "signature of a tag",
            |w| {
                let [before, _, after] = parts(w);
                let commit = head(w);
                let tag = format!("object {commit}\ntype commit\ntag v1\n\nApprove\n");
                let signature = header(w, "bob", "git", &tag);
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            "its signature does not count: ",
        ),
        (
            "header of the other kind of hash",
            |w| {
                let [before, signature, after] = parts(w);
                let signature = signature.replacen("gpgsig ", "gpgsig-sha256 ", 1);
                commit_raw(w, &format!("{before}{signature}{after}"));
            },
            NOT_SIGNED,
        ),
        (
            "signature in the message",
            |w| {
                let [before, signature, after] = parts(w);
                commit_raw(w, &format!("{before}{after}\n{signature}"));
            },
            NOT_SIGNED,
        ),
        (
            "signature in the header of a merged tag",
            |w| {
                let [before, signature, after] = parts(w);
                let inner = signature.replace('\n', "\n ");
                commit_raw(
                    w,
                    &format!("{before}mergetag object x\n {}\n{after}", inner.trim_end()),
                );
            },
            NOT_SIGNED,
        ),
        (
            "unsigned change under an approval",
            |w| {
                w.deploy(A, 2);
                w.commit();
                approve(w, "bob", A);
            },
            "a commit that changes the file must be signed",
        ),
        (
            "change whose signature is of another one",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "alice", &["Deploy"]);
                let [before, signature, after] = cut_signature(&raw(w, &head(w)));
                commit_raw(w, &format!("{before}{signature}{after}\nMore"));
                approve(w, "bob", A);
            },
            "a commit that changes the file must be signed",
        ),
    ];
    refuse_all(&world, attacks);

    // The control: put together again, the parts are good.
    start_over(&world);
    let [before, signature, after] = parts(&world);
    commit_raw(&world, &format!("{before}{signature}{after}"));
    push_commits(&world).ok();
}

#[test]
fn signatures_count_in_a_repository_with_sha256() {
    let world = World::with_init(&["--object-format=sha256"]);
    world.install();
    let allowed = ["alice", "bob"].map(|person| allowed_signer(&world, person, person));
    fs::write(world.path("signers"), allowed.concat()).unwrap();
    configure_signers(&world, ONE_APPROVAL);

    world.deploy_rev(A, &"7".repeat(64));
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "bob", A);
    let approval = head(&world);
    let [before, signature, after] = cut_signature(&raw(&world, &approval));
    assert!(signature.starts_with("gpgsig-sha256 "), "{signature}");

    let other = signature.replacen("gpgsig-sha256 ", "gpgsig ", 1);
    commit_raw(&world, &format!("{before}{other}{after}"));
    let pushed = push_commits(&world);
    assert!(pushed.code != Some(0), "{pushed:#?}");
    assert!(pushed.stderr.contains("it is not signed"), "{pushed:#?}");

    world.git(&["checkout", "-q", &approval]);
    push_commits(&world).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}
