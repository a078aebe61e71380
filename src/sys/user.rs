//! Users of the machine.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{Gid, Uid, getgrouplist, setgid, setgroups, setuid};

/// A user as which a command runs.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The home folder.
    pub home: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl User {
    /// Looks a user up by name.
    ///
    /// # Errors
    /// There is none, or it can't be told.
    pub fn find(name: &str) -> io::Result<Self> {
        let missing =
            || io::Error::new(io::ErrorKind::NotFound, format!("there is no user {name}"));
        Self::new(nix::unistd::User::from_name(name)?.ok_or_else(missing)?)
    }

    /// Looks a user up by number.
    ///
    /// # Errors
    /// The number has no entry, or it can't be told.
    pub fn by_number(uid: u32) -> io::Result<Self> {
        let missing = || {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("the user number {uid} has no name"),
            )
        };
        Self::new(nix::unistd::User::from_uid(Uid::from_raw(uid))?.ok_or_else(missing)?)
    }

    /// The number of the user that this process runs as.
    #[must_use]
    pub fn own_number() -> u32 {
        Uid::effective().as_raw()
    }

    /// Whether this process runs as root.
    #[must_use]
    pub fn is_root() -> bool {
        Uid::effective().is_root()
    }

    /// The user that this process runs as.
    ///
    /// # Errors
    /// The user's number has no entry.
    pub fn current() -> io::Result<Self> {
        let uid = Uid::effective();
        let missing = || {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("the user number {uid} has no name"),
            )
        };
        Self::new(nix::unistd::User::from_uid(uid)?.ok_or_else(missing)?)
    }

    fn new(user: nix::unistd::User) -> io::Result<Self> {
        let name = std::ffi::CString::new(user.name.as_str())?;
        Ok(Self {
            groups: getgrouplist(&name, user.gid)?,
            name: user.name,
            home: user.dir.to_string_lossy().into_owned(),
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// Whether this process runs as this user already.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.uid == Uid::effective()
    }

    /// Lets a command run as this user.
    pub fn run(self, command: &mut Command) {
        // SAFETY: between fork and exec only setgroups, setgid and setuid are called, on values
        // made before the fork.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || self.become_for_good());
        }
    }

    /// Gives up every right but this user's, for this process and what it starts. Between fork and
    /// exec it makes system calls alone.
    ///
    /// # Errors
    /// The kernel refused: only root may.
    pub fn become_for_good(&self) -> io::Result<()> {
        setgroups(&self.groups)?;
        setgid(self.gid)?;
        setuid(self.uid)?;
        Ok(())
    }
}
