//! The commands of docs/approvals.md, as they are written there, and the merges that the buttons of
//! forges make.

use std::fs;
use std::path::Path;

use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::signing::{ONE_APPROVAL, approve, commit_signed, push_commits, world_of_signers};
use crate::world::World;

const A: &str = "production/a";

/// The blocks of one language in a page.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(path).unwrap();
    let begin = format!("```{language}\n");
    let blocks = page
        .split(&begin)
        .skip(1)
        .map(|block| block.split("```").next().unwrap().to_owned());
    blocks.collect()
}

/// The page, and a server with the people that it is about.
struct Page {
    world: World,
    commands: Vec<String>,
    settings: Vec<String>,
}

impl Page {
    fn new() -> Self {
        let world = World::installed();
        world.write("README", "x");
        world.push();
        fs::create_dir(world.path("etc")).unwrap();
        for person in ["alice", "bob"] {
            let home = world.path(person);
            fs::create_dir_all(home.join(".ssh")).unwrap();
            world.git_in(person, &["clone", "-q", "../deploy.git", "deploys"]);
            world.git_in(person, &["init", "-q", "-b", "main", "website"]);
        }
        Self {
            world,
            commands: blocks("docs/approvals.md", "sh"),
            settings: blocks("docs/approvals.md", "toml"),
        }
    }

    /// The commands of the block whose first words are these.
    fn block(&self, begin: &str) -> &str {
        let mut found = self.commands.iter();
        let found = found.find(|block| block.starts_with(begin));
        found.unwrap_or_else(|| panic!("no block begins with {begin:?}"))
    }

    /// Runs commands as a person who answers that a key has no passphrase.
    fn shell(&self, person: &str, folder: &str, commands: &str) -> Run {
        let commands = self.here(commands).replace("alice@", &format!("{person}@"));
        let script = format!(
            "set -e\n\
             ssh-keygen() {{ case $1 in -t) set -- -N '' \"$@\" ;; esac; \
             command ssh-keygen -q \"$@\"; }}\n{commands}"
        );
        let home = self.world.path(person);
        let path = std::env::var("PATH").unwrap();
        let own = Path::new(BINARY).parent().unwrap().display();
        let mut shell = self.world.command("bash", home.join(folder));
        shell
            .args(["-c", &script])
            .env("HOME", &home)
            .env("GNUPGHOME", home.join(".gnupg"))
            .env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"))
            .env("PATH", format!("{own}:{path}"));
        run(&mut shell, b"")
    }

    /// A text of the page with the paths of this server.
    fn here(&self, text: &str) -> String {
        let path = |name: &str| self.world.path(name).display().to_string();
        text.replace("/etc/deploy-by-code", &path("etc"))
            .replace("/srv/git/deploys.git", &path("deploy.git"))
    }

    fn configure(&self, text: &str) {
        self.world.config(&self.here(text));
    }

    fn signers(&self, lines: &str) {
        fs::write(self.world.path("etc/allowed_signers"), lines).unwrap();
    }

    /// Alice makes a change of a new commit of the website, on a branch of her own.
    fn change(&self) {
        let start = "git -C ../website commit -q --allow-empty -m c\n\
                     git fetch -q origin\ngit switch -q --detach origin/main\n\
                     git branch -q -D deploy-website 2>/dev/null || true\n";
        let commands = format!("{start}{}", self.block("git switch -c deploy-website"));
        self.shell("alice", "deploys", &commands).ok();
    }

    /// Bob approves it with an empty commit, and pushes.
    fn approve(&self) -> Run {
        let forget = "git switch -q main\ngit branch -q -D deploy-website 2>/dev/null || true\n";
        let commands = format!("{forget}{}", self.block("git fetch origin\ngit log -p"));
        self.shell("bob", "deploys", &commands)
    }
}

#[test]
fn page_leads_from_a_new_key_to_an_approved_deploy() {
    let page = Page::new();
    let world = &page.world;
    let make_key = page.block("ssh-keygen -t");
    let lines = ["alice", "bob"].map(|person| page.shell(person, "", make_key).ok().stdout);
    page.signers(&lines.concat());
    page.configure(&page.settings[0]);
    page.shell("alice", "", page.block("deploy-by-code -C"))
        .ok();

    page.change();
    let said = page
        .shell("alice", "deploys", "git push origin HEAD:main")
        .exits(1);
    let text = fs::read_to_string("docs/approvals.md").unwrap();
    for line in text
        .lines()
        .filter(|line| line.starts_with("    refused") || line.starts_with("      hint"))
    {
        assert!(said.all().contains(line.trim()), "{line}: {said:?}");
    }

    page.approve().ok();
    assert_eq!(world.settled(), ["#1 production/website succeeded"]);
    let show = page.block("deploy-by-code -C /srv/git/deploys.git show");
    page.shell("alice", "", show)
        .ok()
        .says("approved by    bob@example.org (");

    // The deploy branch moves before Bob merges.
    page.change();
    let commands = "git switch -q --detach origin/main\necho y >README\n\
                    git commit -q -a -m y\ngit push -q origin HEAD:main\n";
    page.shell("alice", "deploys", commands).ok();
    let merge = page.block("git fetch origin\ngit switch main");
    page.shell("bob", "deploys", merge).ok();
    world.settled();
    world
        .cmd(&["show", "2"])
        .ok()
        .says("approved by    bob@example.org (");

    page.configure(&format!(
        "[people]\nallowed_signers = \"/etc/deploy-by-code/allowed_signers\"\n{}",
        page.settings[1]
    ));
    page.change();
    let reason = page.block("git commit --amend -S");
    page.shell(
        "alice",
        "deploys",
        &format!("{reason}git push origin HEAD:main"),
    )
    .ok();
    world.settled();
    world
        .cmd(&["show", "3"])
        .ok()
        .says("nobody else is awake")
        .says("alice@example.org");
}

#[test]
fn page_says_how_keys_end_and_come_from_an_authority() {
    let page = Page::new();
    let make_key = page.block("ssh-keygen -t");
    let lines = ["alice", "bob"].map(|person| page.shell(person, "", make_key).ok().stdout);
    page.signers(&lines.concat());
    page.configure(&page.settings[0].replace(
        "[people]",
        "[people]\nrevoked_keys = \"/etc/deploy-by-code/revoked_keys\"",
    ));
    let revoke = page.block("cat ~/.ssh/deploy.pub");
    page.shell("bob", "", revoke).ok();

    page.change();
    page.approve().exits(1).says("its signature does not count");

    // A certificate does not help a key that was revoked.
    page.shell("bob", "", "ssh-keygen -t ed25519 -f authority")
        .ok();
    let authority = fs::read_to_string(page.world.path("bob/authority.pub")).unwrap();
    page.signers(&format!(
        "{}*@example.org cert-authority {authority}",
        lines[0]
    ));
    page.shell(
        "bob",
        "",
        &page.block("ssh-keygen -s").replace("-I alice", "-I bob"),
    )
    .ok();
    page.approve().exits(1).says("its signature does not count");
    fs::write(page.world.path("etc/revoked_keys"), "").unwrap();
    page.approve().ok();
    assert_eq!(page.world.settled(), ["#1 production/website succeeded"]);

    // A key that has ended.
    page.signers(&format!(
        "{}{}",
        lines[0],
        lines[1].replacen(' ', " valid-before=\"20260101Z\" ", 1)
    ));
    page.change();
    page.approve().exits(1).says("the key is not valid now");
}

#[test]
fn page_says_how_a_keyring_is_made() {
    let page = Page::new();
    let make_keys = "mkdir -m 700 .gnupg\n\
        for name in alice bob; do gpg --batch -q --passphrase '' --quick-gen-key \
        $name'@'example.org ed25519 sign never; done\n";
    page.shell("bob", "", make_keys).ok();
    let export = page.block("gpg --export");
    let export = format!(
        "{}gpgconf --kill all\n",
        export.replace("alice@", "alice'@'")
    );
    page.shell("bob", "", &export).ok();
    page.configure(&format!(
        "[people]\ngpg_keyring = \"/etc/deploy-by-code/keyring.gpg\"\n{ONE_APPROVAL}"
    ));
    let doctor = page.world.cmd(&["doctor"]).ok();
    doctor.says("gpgv checks signatures, gpg_keyring has 2 keys, 2 people can sign");
}

/// A branch with a change that is signed and approved; the deploy branch goes on meanwhile if
/// `is_behind`. Then the server of a forge merges it.
#[track_caller]
fn pressed(is_behind: bool, button: &str) -> (World, Run) {
    let world = world_of_signers(&format!("[environments.staging]\n{ONE_APPROVAL}"));
    world.write("README", "x");
    world.push();
    world.git(&["checkout", "-q", "-b", "topic"]);
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    approve(&world, "bob", A);
    world.git(&["checkout", "-q", "main"]);
    if is_behind {
        world.write("README", "y");
        world.push();
    }
    world.shell_in("work", &format!("set -e\n{button}")).ok();
    let push = push_commits(&world);
    (world, push)
}

#[test]
fn merges_of_a_forge_that_keep_the_commits_are_accepted() {
    for (is_behind, button) in [
        (false, "git merge -q --no-ff -m 'Merge #1' topic"),
        (true, "git merge -q --no-ff -m 'Merge #1' topic"),
        (false, "git merge -q --ff-only topic"),
    ] {
        let (world, push) = pressed(is_behind, button);
        push.ok();
        assert_eq!(world.settled(), ["#1 production/a succeeded"], "{button}");
        let row = &world.json(&["log"])[0];
        assert_eq!(row["approvals"][0]["by"], "bob@example.org", "{button}");
    }
}

#[test]
fn merges_of_a_forge_that_lose_the_signatures_are_refused() {
    let unsigned = "a commit that changes the file must be signed";
    for button in [
        "git merge -q --squash topic; \
         git commit -q -m 'Deploy (#1)' -m 'Deploy-Approve: production/a'",
        "git checkout -q topic; git rebase -q main; git checkout -q -B main topic",
        "git checkout -q topic; git rebase -q main; git checkout -q main; \
         git merge -q --no-ff -m 'Merge #1' topic",
    ] {
        let (_, push) = pressed(true, button);
        push.exits(1)
            .says(unsigned)
            .says("does not count: it is not signed");
    }
}
