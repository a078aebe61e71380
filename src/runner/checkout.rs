//! Releases: `<checkout>/releases/<revision>` and the symbolic link `<checkout>/current`.
//!
//! Protocol: a tree is written into a folder of another name, synced, and renamed; so a release
//! under its final name is whole, also after a power cut. `current` is replaced by renaming a new
//! link over it. `<checkout>/.deploy-by-code` names whose folder it is, so that no two environments
//! or applications can ever share one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::git;
use crate::id::{Revision, Target};
use crate::sys::file::{sync_file_system, sync_folder, touch};
use crate::text;

/// The file that names a checkout's owner.
const OWNER: &str = ".deploy-by-code";

/// The beginning of the names of folders that are being written or removed.
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
    Io(PathBuf, io::Error),
    /// The folder is that of another application or environment.
    #[error(
        "{} belongs to {owner}; give each application in each environment a checkout of its own",
        shown(.folder)
    )]
    Taken {
        /// The checkout's folder.
        folder: PathBuf,
        /// Whose it is, escaped.
        owner: String,
    },
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
    /// Takes a folder for a target, making it where it is missing.
    pub(super) fn claim(folder: PathBuf, target: &Target) -> Result<Self, CheckoutError> {
        let releases = folder.join("releases");
        fs::create_dir_all(&releases).map_err(at(&releases))?;
        let owner = folder.join(OWNER);
        match File::create_new(&owner)
            .and_then(|mut file| writeln!(file, "{target}").and_then(|()| file.sync_all()))
        {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::read(&owner).map_err(at(&owner))?;
                let found = found.trim_ascii();
                // Empty: whoever claimed it died before the name was written, and nothing was put
                // there under another name.
                if found.is_empty() {
                    fs::write(&owner, format!("{target}\n")).map_err(at(&owner))?;
                } else if found != target.to_string().as_bytes() {
                    return Err(CheckoutError::Taken {
                        folder,
                        owner: text::escape(found, 140),
                    });
                }
            }
            Err(error) => return Err(at(&owner)(error)),
        }
        Ok(Self { folder })
    }

    /// The folder of a revision.
    pub(super) fn release(&self, revision: &Revision) -> PathBuf {
        self.folder.join("releases").join(revision.as_str())
    }

    /// Writes a revision's release, where it is not there already; says whether it was written.
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
        let unfinished = self
            .folder
            .join("releases")
            .join(format!("{UNFINISHED}{revision}"));
        fs::create_dir(&unfinished).map_err(at(&unfinished))?;
        let repository = git::open_application(repository)?;
        git::export(&repository, revision, &unfinished)?;
        sync_file_system(&unfinished).map_err(at(&unfinished))?;
        fs::rename(&unfinished, &release).map_err(at(&release))?;
        sync_folder(&self.folder.join("releases")).map_err(at(&release))?;
        Ok(true)
    }

    /// Points `current` at a release.
    pub(super) fn flip(&self, revision: &Revision) -> Result<(), CheckoutError> {
        let current = self.folder.join("current");
        let flip = || -> io::Result<()> {
            // What was deployed last is the last to be removed. A release that another user wrote,
            // and shares with nobody, goes earlier.
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

    /// Removes all releases but the `keep` newest and what `current` points to. What can't be
    /// removed stays until the next time.
    pub(super) fn prune(&self, keep: usize) {
        let releases = self.folder.join("releases");
        let current = fs::read_link(self.folder.join("current")).ok();
        let current = current.as_deref().and_then(Path::file_name);
        let entries = fs::read_dir(&releases)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let named =
            entries.filter(|entry| Revision::new(entry.file_name().as_encoded_bytes()).is_ok());
        let mut dated: Vec<_> = named
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry)))
            .collect();
        dated.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
        for (_, entry) in dated
            .iter()
            .skip(keep)
            .filter(|(_, entry)| Some(entry.file_name().as_os_str()) != current)
        {
            let mut name = std::ffi::OsString::from(UNFINISHED);
            name.push(entry.file_name());
            // First out of the way: half a release must not stand under a release's name.
            let _ = fs::rename(entry.path(), releases.join(name));
        }
        self.remove_unfinished();
    }

    /// Removes what a dead runner left half written. Nobody else writes here while the
    /// environment's lock is held.
    fn remove_unfinished(&self) {
        let entries = fs::read_dir(self.folder.join("releases"))
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        for entry in entries.filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(UNFINISHED.as_bytes())
        }) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
