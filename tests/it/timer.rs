//! The list of repositories that the timer looks after: who may put a repository into it, who may
//! take it out, and that nobody can hold up the others.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;

use crate::nobody::{NOBODY, Nobody, root_or_skip};
use crate::processes::BINARY;
use crate::world::World;

/// A list to which every user may write, like the one of the Debian package.
pub struct List {
    folder: PathBuf,
}

/// Makes the list of a world.
pub fn list(world: &World) -> List {
    let folder = world.path("registry");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
    List { folder }
}

impl List {
    fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    /// Arguments with the option that names this list.
    pub fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--registry", self.path()]].concat()
    }

    /// The files in the list.
    pub fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// The only file in the list.
    #[track_caller]
    fn entry(&self) -> PathBuf {
        let entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    /// Gives the only file in the list to another user.
    #[track_caller]
    fn give_to(&self, user: u32) {
        chown(self.entry(), Some(user), None).unwrap();
    }
}

#[test]
fn timer_reconciles_the_repositories_that_install_registered() {
    let world = World::new();
    let list = list(&world);
    let install = list.with(&["install"]);
    world.cmd(&install).ok().says("register with the timer");
    world.cmd(&install).ok().says("everything is in place");
    world.deploy("production/a", 1);
    world.push_unseen();

    let shown = world.cmd_in(".", &list.with(&["reconcile", "--registered", "--list"]));
    let repository = world.repository();
    assert_eq!(shown.ok().stdout, format!("{}\n", repository.display()));
    assert_eq!(world.history(), [""; 0]);

    world
        .cmd_in(".", &list.with(&["reconcile", "--registered"]))
        .ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);

    world
        .cmd(&list.with(&["uninstall"]))
        .ok()
        .says("remove from the timer's list");
    assert_eq!(list.entries().len(), 0);
}

#[test]
fn timer_does_nothing_for_an_entry_that_is_not_of_the_owner() {
    if !root_or_skip() {
        return;
    }
    let world = World::new();
    let list = list(&world);
    world.cmd(&list.with(&["install"])).ok();
    world.deploy("production/a", 1);
    world.push_unseen();
    let reconcile = list.with(&["reconcile", "--registered"]);

    list.give_to(NOBODY);
    world
        .cmd_in(".", &reconcile)
        .ok()
        .says("registered by user 65534, but it belongs to user 0");
    assert_eq!(world.settled().len(), 0);

    list.give_to(0);
    world.cmd_in(".", &reconcile).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn timer_goes_on_beside_a_repository_that_hangs() {
    let world = World::new();
    let list = list(&world);
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    // The name `a` makes it the first in the list. Reading its branch waits for a writer.
    fs::rename(world.path("other"), world.path("a")).unwrap();
    let install = format!(
        "git init -q --bare -b main x.git && '{BINARY}' install x.git --registry '{}'",
        list.path()
    );
    nobody.run("a", &install).ok();
    let pipe = world.path("a/x.git/refs/heads/main");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    chown(&pipe, Some(NOBODY), Some(0)).unwrap();
    world.cmd(&list.with(&["install"])).ok();
    world.deploy("production/a", 1);
    world.push_unseen();

    let mut timer = world
        .command(BINARY, ".")
        .args(list.with(&["reconcile", "--registered"]))
        .spawn()
        .unwrap();
    world.wait_until("the other user's repository is deployed", || {
        world.history() == ["#1 production/a succeeded"]
    });
    assert!(
        timer.try_wait().unwrap().is_none(),
        "the timer still waits for the repository that hangs"
    );

    // Opening the pipe for writing lets the reader go on.
    world.wait_until("the timer ends", || {
        let _ = fs::File::options()
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&pipe);
        timer.try_wait().unwrap().is_some()
    });
    assert_eq!(timer.wait().unwrap().code(), Some(1));
}

#[test]
fn timer_entry_of_another_user_is_replaced_and_removed_by_root() {
    if !root_or_skip() {
        return;
    }
    let world = World::new();
    let list = list(&world);
    let install = list.with(&["install"]);
    world.cmd(&install).ok().says("register with the timer");

    list.give_to(1);
    world
        .cmd(&list.with(&["install", "--dry-run"]))
        .ok()
        .says("would remove from")
        .says("would register with");
    world
        .cmd(&install)
        .ok()
        .says("remove from the timer's list")
        .says("register with the timer");
    world.cmd(&install).ok().says("everything is in place");

    list.give_to(1);
    world
        .cmd(&list.with(&["uninstall"]))
        .ok()
        .says("remove from the timer's list");
    assert_eq!(list.entries().len(), 0);
}

#[test]
fn timer_entry_of_another_user_is_left_by_a_plain_owner() {
    let world = World::new();
    let list = list(&world);
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    let as_owner = |command: &str| {
        let command = format!("'{BINARY}' {command} x.git --registry '{}'", list.path());
        nobody.run("other", &command)
    };
    nobody.run("other", "git init -q --bare -b main x.git").ok();
    as_owner("install").ok();
    list.give_to(1);

    let hook = world.path("other/x.git/hooks/post-receive");
    as_owner("uninstall")
        .ok()
        .says("this repository's entry in the timer's list belongs to user 1, so the entry stays");
    assert!(!hook.exists());
    assert_eq!(list.entries().len(), 1);

    as_owner("install")
        .ok()
        .says("so the timer does not look after this repository")
        .says("run this as root");
    assert!(hook.exists());

    // Root registers it for the owner, who can then take it out.
    world
        .cmd_in("other", &list.with(&["install", "x.git"]))
        .ok();
    assert_eq!(fs::metadata(list.entry()).unwrap().uid(), NOBODY);
    as_owner("uninstall").ok();
    assert_eq!(list.entries().len(), 0);
}

#[test]
fn timer_entry_can_be_written_although_a_folder_is_in_its_place() {
    if !root_or_skip() {
        return;
    }
    let world = World::new();
    let list = list(&world);
    let name = world
        .repository()
        .to_str()
        .unwrap()
        .trim_start_matches('/')
        .replace('-', "\\x2d")
        .replace('/', "-");
    let folder = list.folder.join(name);

    for command in ["install", "uninstall"] {
        let _ = fs::remove_file(&folder);
        fs::create_dir_all(folder.join("deep")).unwrap();
        chown(&folder, Some(NOBODY), None).unwrap();
        world
            .cmd(&list.with(&[command]))
            .ok()
            .says("remove from the timer's list");
        assert_eq!(folder.is_file(), command == "install");
        assert!(!folder.is_dir(), "{command}");
    }
}

#[test]
fn timer_entry_of_a_removed_repository_is_removed_by_its_path() {
    let world = World::new();
    let list = list(&world);
    world.cmd(&list.with(&["install"])).ok();
    fs::rename(world.repository(), world.path("moved.git")).unwrap();
    let run = |arguments: &[&str]| world.cmd_in(".", &list.with(arguments));

    run(&["reconcile", "--registered"])
        .ok()
        .says("deploy.git: No such file");
    run(&["uninstall", "deploy.git", "--dry-run"])
        .ok()
        .says("would remove from the timer's list");
    assert_eq!(list.entries().len(), 1);

    run(&["uninstall", "deploy.git"])
        .ok()
        .says("there is no repository here any more");
    assert_eq!(list.entries().len(), 0);
    run(&["uninstall", "deploy.git"])
        .exits(4)
        .says("there is no git repository here");
}

/// Everybody can write to the list, so what is wrong in it is reported and is not a failure.
#[test]
fn timer_is_not_held_up_by_a_pipe_in_its_list() {
    let world = World::new();
    let list = list(&world);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
    nix::unistd::mkfifo(&list.folder.join("pipe"), mode).unwrap();
    world.cmd(&list.with(&["install"])).ok();
    world.deploy("production/a", 1);
    world.push_unseen();

    world
        .cmd_in(".", &list.with(&["reconcile", "--registered"]))
        .ok()
        .says("registry/pipe");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn timer_does_nothing_for_a_repository_open_to_everybody() {
    let world = World::new();
    let list = list(&world);
    world.cmd(&list.with(&["install"])).ok();
    world.deploy("production/a", 1);
    world.push_unseen();
    let mode =
        |mode| fs::set_permissions(world.repository(), fs::Permissions::from_mode(mode)).unwrap();

    mode(0o777);
    world
        .cmd_in(".", &list.with(&["reconcile", "--registered"]))
        .ok()
        .says("writable by everybody");

    mode(0o755);
    assert_eq!(world.history(), [""; 0]);
}
