//! Releases: `<checkout>/releases/<revision>` and the symbolic link `<checkout>/current`.
//!
//! Protocol: a tree is written into a folder of another name, synced, and renamed. So a release
//! under its final name is complete, also after a power cut. `current` is replaced by renaming a
//! new link over it. The file `<checkout>/.deploy-by-code` names the environment and the
//! application that the folder belongs to, so that no two of them can ever share one.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs::{self, DirEntry, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

use crate::git;
use crate::id::{Revision, Target};
use crate::sys::file::{sync_file_system, sync_folder, touch};
use crate::text;

/// The file that names a checkout's owner.
const OWNER: &str = ".deploy-by-code";

/// How the names of folders begin that are being written or removed.
const UNFINISHED: &str = ".unfinished-";

/// The folder of one application in one environment.
pub(super) struct Checkout {
    folder: PathBuf,
}

/// Why a release can't be made or used.
#[derive(Debug, Error)]
pub(super) enum CheckoutError {
    /// A file or folder can't be made or read.
    #[error("{path}: {error}", path = shown(.0), error = .1)]
    Io(PathBuf, #[source] io::Error),
    /// The folder belongs to another application or environment.
    #[error(
        "{} belongs to {owner}; give each application in each environment a checkout of its own",
        shown(.folder)
    )]
    Taken {
        /// The checkout's folder.
        folder: PathBuf,
        /// Whom it belongs to, escaped.
        owner: String,
    },
    /// The configuration does not say where the application's repository is.
    #[error("no repository is configured")]
    NoRepository,
    /// The application's repository can't be read.
    #[error(transparent)]
    Git(#[from] git::Error),
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// Names the path that an error is about.
fn at(path: &Path) -> impl FnOnce(io::Error) -> CheckoutError {
    move |error| CheckoutError::Io(path.to_owned(), error)
}

impl Checkout {
    /// Takes a folder for a target, and makes it where it is missing.
    ///
    /// # Errors
    /// It can't be made, or it belongs to another target.
    pub(super) fn claim(folder: PathBuf, target: &Target) -> Result<Self, CheckoutError> {
        let releases = folder.join("releases");
        fs::create_dir_all(&releases).map_err(at(&releases))?;

        let owner = folder.join(OWNER);
        let name_owner = || {
            let mut file = File::create_new(&owner)?;
            writeln!(file, "{target}")?;
            file.sync_all()
        };
        match name_owner() {
            Ok(()) => return Ok(Self { folder }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&owner)(error)),
        }

        let found = fs::read(&owner).map_err(at(&owner))?;
        let found = found.trim_ascii();
        if found.is_empty() {
            // A runner claimed the folder and died before it wrote the name. So nothing was put
            // there under another name.
            fs::write(&owner, format!("{target}\n")).map_err(at(&owner))?;
        } else if found != target.to_string().as_bytes() {
            let owner = text::escape(found, 140);
            return Err(CheckoutError::Taken { folder, owner });
        }
        Ok(Self { folder })
    }

    /// The folder of a revision.
    pub(super) fn release(&self, revision: &Revision) -> PathBuf {
        self.folder.join("releases").join(revision.as_str())
    }

    /// Writes a revision's release where it is missing, and returns whether it was written.
    ///
    /// # Errors
    /// The repository can't be read, or the release can't be written.
    pub(super) fn export(
        &self,
        repository: &Path,
        revision: &Revision,
    ) -> Result<bool, CheckoutError> {
        let release = self.release(revision);
        if release.symlink_metadata().is_ok() {
            return Ok(false);
        }

        self.remove_unfinished();
        let releases = self.folder.join("releases");
        let unfinished = releases.join(format!("{UNFINISHED}{revision}"));
        fs::create_dir(&unfinished).map_err(at(&unfinished))?;
        let repository = git::open_application(repository)?;
        git::export(&repository, revision, &unfinished)?;

        sync_file_system(&unfinished).map_err(at(&unfinished))?;
        fs::rename(&unfinished, &release).map_err(at(&release))?;
        sync_folder(&releases).map_err(at(&release))?;
        Ok(true)
    }

    /// Makes `current` lead to a release.
    ///
    /// # Errors
    /// The link can't be written.
    pub(super) fn flip(&self, revision: &Revision) -> Result<(), CheckoutError> {
        let current = self.folder.join("current");
        let flip = || -> io::Result<()> {
            // The release that was deployed last is removed last. A release that only another user
            // may write to can't be dated, and is removed earlier.
            match touch(&self.release(revision)) {
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                _ => {}
            }

            let new = self.folder.join(format!("{UNFINISHED}current"));
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            symlink(Path::new("releases").join(revision.as_str()), &new)?;
            fs::rename(&new, &current)?;
            sync_folder(&self.folder)
        };
        flip().map_err(at(&current))
    }

    /// Removes all releases but the `keep` newest ones and the one that `current` leads to. What
    /// can't be removed stays until the next time.
    pub(super) fn prune(&self, keep: usize) {
        let current = fs::read_link(self.folder.join("current")).ok();
        let current = current.as_deref().and_then(Path::file_name);

        let is_release =
            |entry: &DirEntry| Revision::new(entry.file_name().as_encoded_bytes()).is_ok();
        let releases = self.entries().filter(is_release);
        let mut dated: Vec<(SystemTime, DirEntry)> = releases
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry)))
            .collect();
        dated.sort_by_key(|(modified, _)| Reverse(*modified));

        let old = dated.into_iter().map(|(_, entry)| entry).skip(keep);
        for entry in old.filter(|entry| Some(entry.file_name().as_os_str()) != current) {
            let mut unfinished = OsString::from(UNFINISHED);
            unfinished.push(entry.file_name());
            // It is renamed before it is removed: half a release must not have a release's name.
            let _ = fs::rename(entry.path(), entry.path().with_file_name(unfinished));
        }
        self.remove_unfinished();
    }

    /// Removes what a dead runner left half written. Nothing else writes here while the
    /// environment's lock is held.
    fn remove_unfinished(&self) {
        let prefix = UNFINISHED.as_bytes();
        for entry in self.entries() {
            if entry.file_name().as_encoded_bytes().starts_with(prefix) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The entries of the folder of releases, as far as they can be read.
    fn entries(&self) -> impl Iterator<Item = DirEntry> + use<> {
        let entries = fs::read_dir(self.folder.join("releases"));
        entries.into_iter().flatten().filter_map(Result::ok)
    }
}
