//! The users of the machine: the one that runs the tests, which can be root, and a second one,
//! `nobody`, who works with the repositories of a world.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

use crate::processes::BINARY;
use crate::run::{Run, run, skip};
use crate::world::World;

/// The unix user that runs the tests.
pub fn unix_user() -> nix::unistd::User {
    nix::unistd::User::from_uid(nix::unistd::Uid::current())
        .unwrap()
        .unwrap()
}

/// Its name.
pub fn user() -> String {
    unix_user().name
}

/// The number of the user `nobody` and of its group.
pub const NOBODY: u32 = 65534;

/// Whether the tests run as root. Where they do not, the calling test is skipped.
#[track_caller]
pub fn root_or_skip() -> bool {
    let is_root = nix::unistd::Uid::effective().is_root();
    if !is_root {
        skip("only root can do what this test does");
    }
    is_root
}

/// The user `nobody`, in root's group, with a folder `other` in the world.
pub struct Nobody<'w> {
    world: &'w World,
    gitconfig: PathBuf,
}

impl<'w> Nobody<'w> {
    /// Lets the user into the world. Returns `None`, and skips the test, where the tests do not run
    /// as root or another user cannot execute the binary under test.
    #[track_caller]
    pub fn new(world: &'w World) -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let gitconfig = world.path("gitconfig");
        fs::write(&gitconfig, "[safe]\n\tdirectory = *\n").unwrap();

        let nobody = Self { world, gitconfig };
        if nobody.run(".", &format!("'{BINARY}' --version")).code != Some(0) {
            skip(&format!("another user cannot execute {BINARY}"));
            return None;
        }

        fs::create_dir(world.path("other")).unwrap();
        chown(world.path("other"), Some(NOBODY), Some(0)).unwrap();
        Some(nobody)
    }

    /// The same, and makes the deploy repository writable for root's group. Hooks must be installed
    /// after this, since a state that exists already is removed.
    #[track_caller]
    pub fn sharing(world: &'w World) -> Option<Self> {
        let nobody = Self::new(world)?;
        world.server_git(&["config", "core.sharedRepository", "group"]);
        world.shell_in(".", "chmod -R g+w deploy.git").ok();
        let _ = fs::remove_dir_all(world.state());
        // Otherwise the state would be one that was lost.
        let _ = fs::remove_file(world.path("deploy.git/deploy-by-code.installed"));
        Some(nobody)
    }

    /// Runs a script of the shell as this user.
    #[track_caller]
    pub fn run(&self, folder: &str, script: &str) -> Run {
        self.run_as("nobody", folder, script)
    }

    /// Runs a script of the shell as a named user, in root's group.
    #[track_caller]
    pub fn run_as(&self, user: &str, folder: &str, script: &str) -> Run {
        let mut other = self.world.command("setpriv", folder);
        other
            .args(["--reuid", user, "--regid", "0", "--clear-groups"])
            .args(["sh", "-c", script])
            .env("GIT_CONFIG_GLOBAL", &self.gitconfig);
        run(&mut other, b"")
    }
}
