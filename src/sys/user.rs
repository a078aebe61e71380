//! Users of the machine, and becoming one of them.
//!
//! Protocol: a user is looked up in the machine's database ([`super::accounts`]) before the process
//! forks or gives up its rights, and so are the user's groups, which only who becomes the user
//! needs. Becoming the user makes system calls alone, groups first, since after the change of user
//! nothing else may be changed; there is no way back.
//!
//! It does not promise that a lookup is fast: the database can be behind a network.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
#[cfg(target_pointer_width = "64")]
use nix::libc::{
    SYS_setgid as SYS_SETGID, SYS_setgroups as SYS_SETGROUPS, SYS_setuid as SYS_SETUID,
};
#[cfg(target_pointer_width = "32")]
use nix::libc::{
    SYS_setgid32 as SYS_SETGID, SYS_setgroups32 as SYS_SETGROUPS, SYS_setuid32 as SYS_SETUID,
};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use super::accounts::{self, Account, UserKey};

/// A user as which a command runs.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The home folder.
    pub home: String,
    uid: Uid,
    gid: Gid,
}

/// The numbers with which a process has the rights of a user (credentials(7)).
#[derive(Debug)]
pub struct Credentials {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl User {
    /// Looks a user up by name.
    ///
    /// # Errors
    /// There is no such user, or the database can't be read.
    pub fn find(name: &str) -> io::Result<Self> {
        let found = accounts::find(UserKey::Name(name))?;
        Self::new(found, || format!("there is no user {name}"))
    }

    /// Looks a user up by number.
    ///
    /// # Errors
    /// No user has the number, or the database can't be read.
    pub fn by_number(uid: u32) -> io::Result<Self> {
        let found = accounts::find(UserKey::Number(uid))?;
        Self::new(found, || format!("the user number {uid} has no name"))
    }

    /// The user that this process runs as.
    ///
    /// # Errors
    /// No user has the number, or the database can't be read.
    pub fn current() -> io::Result<Self> {
        Self::by_number(Self::own_number())
    }

    /// The number of the user that this process runs as.
    #[must_use]
    pub fn own_number() -> u32 {
        Uid::effective().as_raw()
    }

    /// The number of the user who started this process. Only root can change it.
    #[must_use]
    pub fn real_number() -> u32 {
        Uid::current().as_raw()
    }

    /// Whether this process runs as root.
    #[must_use]
    pub fn is_root() -> bool {
        Uid::effective().is_root()
    }

    /// Whether this process runs as this user already.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.uid == Uid::effective()
    }

    fn new(found: Option<Account>, missing: impl FnOnce() -> String) -> io::Result<Self> {
        let user = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, missing()))?;
        Ok(Self {
            name: user.name,
            home: user.home,
            uid: Uid::from_raw(user.uid),
            gid: Gid::from_raw(user.gid),
        })
    }

    /// What a process needs to become this user.
    ///
    /// # Errors
    /// The groups of the user can't be looked up.
    pub fn credentials(&self) -> io::Result<Credentials> {
        let others = accounts::other_groups(&self.name)?;
        let others = others.into_iter().map(Gid::from_raw);
        Ok(Credentials {
            uid: self.uid,
            gid: self.gid,
            groups: [self.gid].into_iter().chain(others).collect(),
        })
    }
}

impl Credentials {
    /// Lets a command run as the user.
    pub fn run(self, command: &mut Command) {
        // SAFETY: between fork and exec only setgroups, setgid and setuid are called, on values
        // made before the fork.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            command.pre_exec(move || self.become_for_good());
        }
    }

    /// Gives up every right but the user's, for this process and what it starts. Between fork and
    /// exec it makes system calls alone.
    ///
    /// # Errors
    /// The kernel refused: only root may do this.
    pub fn become_for_good(&self) -> io::Result<()> {
        setgroups(&self.groups)?;
        setgid(self.gid)?;
        setuid(self.uid)?;
        Ok(())
    }

    /// Does the same for a process that shares its memory with another one, and makes system calls
    /// alone. There, the functions of libc would ask the threads of that other process to do the
    /// same (nptl(7), "C library/kernel differences").
    ///
    /// # Errors
    /// The kernel refused: only root may do this.
    pub(super) fn become_alone(&self) -> Result<(), Errno> {
        // SAFETY: setgroups(2) reads as many numbers as there are.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let set = unsafe { libc::syscall(SYS_SETGROUPS, self.groups.len(), self.groups.as_ptr()) };
        Errno::result(set)?;
        // SAFETY: setgid(2) takes a number and touches no memory.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        Errno::result(unsafe { libc::syscall(SYS_SETGID, self.gid.as_raw()) })?;
        // SAFETY: setuid(2) takes a number and touches no memory.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        Errno::result(unsafe { libc::syscall(SYS_SETUID, self.uid.as_raw()) })?;
        Ok(())
    }
}
