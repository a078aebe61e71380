//! People who sign commits with SSH keys, and a server that knows their keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::run::{Run, run};
use crate::world::World;

/// What an environment needs that wants one approval. It goes behind the settings of `[defaults]`.
pub const ONE_APPROVAL: &str = "[environments.production]\napprovals = 1\n";

/// A server that knows the keys of `alice`, `bob` and `carol`, with an environment `production` as
/// `section` says.
pub fn world_of_signers(section: &str) -> World {
    let world = World::installed();
    let allowed = ["alice", "bob", "carol"].map(|person| allowed_signer(&world, person, person));
    fs::write(world.path("signers"), allowed.concat()).unwrap();
    configure_signers(&world, section);
    world
}

/// Replaces the configuration of such a server.
pub fn configure_signers(world: &World, section: &str) {
    let signers = world.path("signers");
    world.config(&format!(
        "[people]\nallowed_signers = \"{}\"\n{section}",
        signers.display()
    ));
}

/// Makes a key of a person, and returns its line for the file of allowed signers. A person can have
/// several keys with different names.
pub fn allowed_signer(world: &World, person: &str, key: &str) -> String {
    make_key(world, key);
    format!("{person}@example.org {}\n", public_key(world, key))
}

/// Makes a key.
pub fn make_key(world: &World, key: &str) {
    let file = world.path(&format!("key.{key}"));
    let mut keygen = world.command("ssh-keygen", ".");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"])
        .arg(&file);
    run(&mut keygen, b"").ok();
}

/// The kind and the text of a public key.
pub fn public_key(world: &World, key: &str) -> String {
    let public = fs::read_to_string(world.path(&format!("key.{key}.pub"))).unwrap();
    let words: Vec<&str> = public.split_whitespace().take(2).collect();
    words.join(" ")
}

/// git in the clone, which signs with a key.
pub fn git_with_key(world: &World, key: &str) -> Command {
    let mut git = world.command("git", "work");
    git.args(["-c", "gpg.format=ssh", "-c"]);
    git.arg(format!(
        "user.signingkey={}",
        world.path(&format!("key.{key}")).display()
    ));
    git
}

/// Commits what has changed in the clone, signed with a key.
#[track_caller]
pub fn commit_signed(world: &World, key: &str, paragraphs: &[&str]) {
    world.git(&["add", "-A"]);
    let mut git = git_with_key(world, key);
    git.args(["commit", "-q", "-S", "--allow-empty"]);
    git.args(paragraphs.iter().flat_map(|text| ["-m", text]));
    run(&mut git, b"").ok();
}

/// Approves something with an empty signed commit.
#[track_caller]
pub fn approve(world: &World, key: &str, what: &str) {
    commit_signed(world, key, &["Approve", &format!("Deploy-Approve: {what}")]);
}

/// Changes `production/a` in a commit that alice signed.
#[track_caller]
pub fn change(world: &World) {
    world.deploy("production/a", 2);
    commit_signed(world, "alice", &["Deploy"]);
}

/// Changes `production/a` in a commit that alice signed, and approves it with a key.
#[track_caller]
pub fn approved_by(world: &World, key: &str) {
    change(world);
    approve(world, key, "production/a");
}

/// Pushes what is committed; the push can be refused.
#[track_caller]
pub fn push_commits(world: &World) -> Run {
    run(
        &mut world.push_command(&["origin", "HEAD:refs/heads/main"]),
        b"",
    )
}

/// Where the deploy branch was when the clone last pushed or fetched, with nothing else in the
/// clone.
#[track_caller]
pub fn start_over(world: &World) {
    go_to(world, "origin/main");
}

/// Goes to a commit in the clone, with nothing else there.
#[track_caller]
pub fn go_to(world: &World, commit: &str) {
    world.git(&["checkout", "-q", "-f", "--detach", commit]);
    world.git(&["clean", "-q", "-f", "-d"]);
}

/// The commit where the clone is.
#[track_caller]
pub fn head(world: &World) -> String {
    world.git(&["rev-parse", "HEAD"])
}

/// Makes a signed commit with the files of another one, and goes there.
#[track_caller]
pub fn commit_of(
    world: &World,
    key: &str,
    files: &str,
    parents: &[&str],
    paragraphs: &[&str],
) -> String {
    let mut git = git_with_key(world, key);
    git.args(["commit-tree", "-S", &format!("{files}^{{tree}}")]);
    git.args(parents.iter().flat_map(|parent| ["-p", parent]));
    git.args(paragraphs.iter().flat_map(|text| ["-m", text]));
    let commit = run(&mut git, b"").ok().line().to_owned();
    go_to(world, &commit);
    commit
}

/// The bytes of a commit of the clone.
#[track_caller]
pub fn raw(world: &World, commit: &str) -> String {
    let mut git = world.command("git", "work");
    run(git.args(["cat-file", "commit", commit]), b"")
        .ok()
        .stdout
}

/// Makes a commit of bytes that git itself would not write, and goes there.
#[track_caller]
pub fn commit_raw(world: &World, bytes: &str) -> String {
    let mut git = world.command("git", "work");
    git.args([
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--stdin",
        "--literally",
    ]);
    let commit = run(&mut git, bytes.as_bytes()).ok().line().to_owned();
    go_to(world, &commit);
    commit
}

/// Splits the bytes of a signed commit into what is in front of the header with the signature, this
/// header, and what is behind it.
pub fn cut_signature(bytes: &str) -> [String; 3] {
    let start = bytes.find("\ngpgsig").unwrap() + 1;
    let end = bytes[start..].find(" -----END").unwrap() + start;
    let end = bytes[end..].find('\n').unwrap() + end + 1;
    [&bytes[..start], &bytes[start..end], &bytes[end..]].map(str::to_owned)
}

/// A way in which somebody tries to get past the approvals: its name, what is done in a clone
/// that has the deploy branch, and what the refusal says.
pub type Attack = (&'static str, fn(&World), &'static str);

/// Tries attacks by real pushes. Each must be refused for its reason, and change nothing.
#[track_caller]
pub fn refuse_all(world: &World, attacks: &[Attack]) {
    let mut wrong = Vec::new();
    for (name, attack, expected) in attacks {
        start_over(world);
        let tip = world.tip();
        attack(world);
        // git's own refusal of what is no descendant is on the side of the attacker.
        let pushed = run(
            &mut world.push_command(&["origin", "+HEAD:refs/heads/main"]),
            b"",
        );
        let said = format!("{}{}", pushed.stdout, pushed.stderr);
        let said: String = said
            .replace("remote: ", "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if pushed.code == Some(0) || world.tip() != tip || !said.contains(expected) {
            wrong.push(format!("{name}: expected {expected:?}: {said}"));
        }
        if world.tip() != tip {
            world.git_in("deploy.git", &["update-ref", "refs/heads/main", &tip]);
            world.git(&["fetch", "-q", "-f"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A server that knows the keys of `alice`, `bob` and `carol`, and has deployed `production/a` and
/// `production/b`. From now on its configuration is this section.
pub fn world_with_deployments(section: &str) -> World {
    let world = world_of_signers("");
    for target in ["production/a", "production/b"] {
        world.deploy(target, 1);
    }
    world.push();
    world.settled();
    configure_signers(&world, section);
    world.git(&["fetch", "-q"]);
    world
}

/// Where a server finds programs that has a script in the place of one of them, or that lacks all
/// of them but those that a push needs.
pub fn programs_with(world: &World, script: Option<(&str, &str)>) -> String {
    let folder = world.path("programs");
    fs::create_dir_all(&folder).unwrap();
    if let Some((name, script)) = script {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        return format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    }

    for name in ["git", "sh"] {
        let which = format!("command -v {name}");
        let program = run(world.command("sh", ".").args(["-c", &which]), b"").ok();
        symlink(program.line(), folder.join(name)).unwrap();
    }
    folder.display().to_string()
}

/// Pushes to a server that finds programs in a folder.
pub fn push_with_programs(world: &World, path: &str) -> Run {
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("PATH", path), b"")
}
