//! People who sign commits with SSH keys, and a server that knows their keys.

use std::fs;
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

/// Pushes what is committed; the push can be refused.
#[track_caller]
pub fn push_commits(world: &World) -> Run {
    run(
        &mut world.push_command(&["origin", "HEAD:refs/heads/main"]),
        b"",
    )
}
