//! Fetching a mirror, and making it where there is none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use gix::hash::Kind;

use super::call::{git_for, run};
use super::error::{FetchError, at};
use super::leftovers::{remove_leftovers, remove_unfinished};
use super::place::Mirror;
use super::records::{FetchFailure, record_fetched, replace};
use crate::git::command::list;
use crate::git::error::Error;
use crate::git::look::is_git_dir;
use crate::sys::clock::{self, Deadline};
use crate::sys::file::{is_absence, is_there, sync_folder};
use crate::sys::lock::{Lock, try_lock};
use crate::sys::open;
use crate::sys::sharing::Sharing;
use crate::text;
use crate::time::Timestamp;

/// How often a lock that is taken is tried again.
const LOOK: Duration = Duration::from_millis(20);

/// The largest configuration that is compared, in bytes.
const CONFIG_MAX: u64 = 4096;

/// What is fetched: all branches and tags, as they are there.
const REFSPECS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

impl Mirror {
    /// Fetches the mirror, or makes it. If another process fetches it, it is waited for. If it was
    /// fetched at `since` or later by then, nothing is done. It may take until `end`, which is what
    /// is left of `limit`. `heard` gets what git writes about its progress, at least a few times a
    /// second.
    ///
    /// # Errors
    /// It can't be fetched. What was known before is still known, and why it failed is recorded.
    pub fn fetch(
        &self,
        since: Timestamp,
        (limit, end): (Duration, Deadline),
        heard: &mut dyn FnMut(&[u8]),
    ) -> Result<(), FetchError> {
        let sharing = self.folder_of_all()?;
        let _lock = self.lock(sharing, end, limit)?;

        let folder = self.folder();
        let known = self.fetched().map_err(at(&folder))?;
        let began = clock::now();
        if known.is_some_and(|known| (since..=began).contains(&known)) {
            return Ok(());
        }
        if end.is_over() {
            return Err(FetchError::TooLong(limit));
        }

        let is_there = is_there(&folder).map_err(at(&folder))?;
        let mut tried = FetchTry {
            mirror: self,
            sharing,
            began,
            end,
            limit,
            heard,
        };
        let done = if is_there {
            tried.fetch_again(&folder)
        } else {
            tried.make(&folder)
        };
        if let Err(error) = &done {
            let why = text::escape(error.to_string(), 1000);
            self.record_failure(sharing, &FetchFailure::new(clock::now(), why));
        }
        done
    }

    /// Whether the host answers, within a limit of time.
    ///
    /// # Errors
    /// It does not.
    pub fn reach(&self, limit: Duration) -> Result<(), FetchError> {
        let mut command = git_for(&self.url, Path::new("/"))?;
        command.args(["ls-remote", "--quiet", "--", self.url.as_str(), "HEAD"]);
        run(command, limit, &mut |_| {})
    }

    /// Makes the folder of all mirrors, and returns how its files are shared.
    fn folder_of_all(&self) -> Result<Sharing, FetchError> {
        let state = self.mirrors.parent().unwrap_or(Path::new("/"));
        let sharing = Sharing::of_folder(state).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FetchError::NoState(state.to_owned()),
            _ => FetchError::Io(state.to_owned(), error),
        })?;
        let made = sharing.create_folder(&self.mirrors);
        made.map_err(at(&self.mirrors))?;
        Ok(sharing)
    }

    /// Waits until no other process fetches the mirror.
    fn lock(&self, sharing: Sharing, end: Deadline, limit: Duration) -> Result<Lock, FetchError> {
        let file = self.file("lock");
        loop {
            match try_lock(&file, sharing).map_err(at(&file))? {
                Some(lock) => return Ok(lock),
                None if end.is_over() => return Err(FetchError::Busy(limit)),
                None => clock::sleep(LOOK.min(end.left())),
            }
        }
    }
}

/// One try, while the mirror's lock is held.
struct FetchTry<'t> {
    mirror: &'t Mirror,
    sharing: Sharing,
    began: Timestamp,
    end: Deadline,
    limit: Duration,
    heard: &'t mut dyn FnMut(&[u8]),
}

impl FetchTry<'_> {
    /// Fetches into a mirror that is there.
    fn fetch_again(&mut self, folder: &Path) -> Result<(), FetchError> {
        self.check(folder)?;
        remove_leftovers(folder, self.sharing).map_err(at(folder))?;
        let fetched = self.fetch_into(folder);
        if let Err(FetchError::Git(_)) = &fetched {
            // What looks like a fault of the host can be one of the mirror.
            check_refs(folder).map_err(|why| FetchError::damaged(folder, why.cause()))?;
        }
        fetched?;
        record_fetched(folder, self.began, self.sharing).map_err(at(folder))
    }

    /// Checks that a mirror is a repository, and gives it this program's configuration.
    fn check(&self, folder: &Path) -> Result<(), FetchError> {
        if !is_git_dir(folder)? {
            return Err(FetchError::damaged(folder, "it is no git repository"));
        }
        let file = folder.join("config");
        let found = match open::read_text(&file, CONFIG_MAX) {
            Ok(found) => found,
            // What is no text of this program's is replaced.
            Err(error) if is_absence(&error) || error.kind() == io::ErrorKind::InvalidData => {
                String::new()
            }
            Err(error) => return Err(FetchError::Io(file, error)),
        };
        let format = if found.contains("sha256") {
            Kind::Sha256
        } else {
            Kind::Sha1
        };
        let wanted = config(format, self.sharing);
        if found == wanted {
            return Ok(());
        }
        replace(&file, &wanted, self.sharing).map_err(at(file))
    }

    /// Makes the mirror. A host whose objects have names of another kind says so.
    fn make(&mut self, folder: &Path) -> Result<(), FetchError> {
        let new = self.mirror.file("new");
        let is_of_other_kind = |error: &FetchError| match error {
            FetchError::Git(why) => why.contains("mismatched algorithms"),
            _ => false,
        };
        let made = match self.make_as(&new, Kind::Sha1) {
            Err(error) if is_of_other_kind(&error) => self.make_as(&new, Kind::Sha256),
            made => made,
        };
        let renamed = made.and_then(|()| {
            fs::rename(&new, folder).map_err(at(folder))?;
            sync_folder(&self.mirror.mirrors).map_err(at(&self.mirror.mirrors))
        });
        if renamed.is_err() {
            let _ = remove_unfinished(&new);
        }
        renamed
    }

    /// Makes an empty repository (gitrepository-layout(5)), and fetches into it.
    fn make_as(&mut self, new: &Path, format: Kind) -> Result<(), FetchError> {
        remove_unfinished(new).map_err(at(new))?;
        for part in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
            let made = self.sharing.create_folder(&new.join(part));
            made.map_err(at(new))?;
        }
        let config = config(format, self.sharing);
        for (name, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", &config)] {
            let path = new.join(name);
            let mut options = OpenOptions::new();
            let file = self.sharing.open_file(&path, options.write(true));
            let written = file.and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            });
            written.map_err(at(path))?;
        }
        self.fetch_into(new)?;
        record_fetched(new, self.began, self.sharing).map_err(at(new))?;
        sync_folder(new).map_err(at(new))
    }

    /// Lets git fetch into a folder.
    fn fetch_into(&mut self, folder: &Path) -> Result<(), FetchError> {
        let url = &self.mirror.url;
        let mut command = git_for(url, folder)?;
        command
            .args(["--git-dir=.", "fetch", "--progress", "--prune"])
            .args([
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
            ])
            .args(["--no-recurse-submodules", "--no-show-forced-updates"])
            .args(["--", url.as_str()])
            .args(REFSPECS);
        match run(command, self.end.left(), self.heard) {
            Err(FetchError::TooLong(_)) => Err(FetchError::TooLong(self.limit)),
            done => done,
        }
    }
}

/// Checks that each ref of a mirror leads to an object that is there.
///
/// # Errors
/// One does not, or that can't be found out.
fn check_refs(folder: &Path) -> Result<(), Error> {
    list(folder, &["rev-list", "--all", "--max-count=1"]).map(drop)
}

/// The configuration of a mirror whose objects have names of some kind.
fn config(format: Kind, sharing: Sharing) -> String {
    let shared = sharing.to_git();
    let (version, extensions) = match format {
        Kind::Sha256 => (1, "[extensions]\n\tobjectformat = sha256\n"),
        _ => (0, ""),
    };
    format!(
        "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\t\
         sharedrepository = {shared}\n{extensions}"
    )
}
