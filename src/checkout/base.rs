//! The release from which another one takes the files that are the same.
//!
//! A file is taken only if it is what was written there: its status is the one that was noted then.
//! A reflink shares the content until one of the two files is written to. A hard link is the same
//! file under two names, and whoever writes to it changes both releases.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::file_key::FileKey;
use super::folder::Checkout;
use super::manifest::{self, ListedFile, ManifestWriter, file_print};
use super::release_name::ReleaseName;
use crate::config::Link;
use crate::sys::file::share_content;
use crate::sys::file_status::FileStatus;
use crate::sys::folder::OpenFolder;

/// A smaller file is sent: to share it saves nothing, since it needs a block of its own anyway.
const SHARED_MIN: u64 = 4096;

/// How many files can be taken from one release.
const FILES_MAX: usize = 1_000_000;

/// How many files of a kept release are looked at before others are removed.
const KEPT_MAX: usize = 200_000;

/// A release with the files that can be taken from it.
pub(super) struct BaseRelease {
    pub(super) name: ReleaseName,
    pub(super) folder: OpenFolder,
    link: Link,
    /// In the order of their keys.
    files: Vec<KnownFile>,
    /// What has to be added to the fingerprint of the release, because its files have more names.
    print_change: AtomicU64,
}

struct KnownFile {
    key: FileKey,
    status: AtomicU64,
}

/// Why a file can't be taken, though it could be when the list was compared.
pub(super) struct Changed;

impl BaseRelease {
    /// Looks for a release of which the new one can take files: the current one, or another good
    /// one. `None`: there is none with a list of its files.
    pub(super) fn open(checkout: &Checkout<'_>, link: Link, new: &ReleaseName) -> Option<Self> {
        let candidates = checkout.good_releases().into_iter();
        let mut others = candidates.filter(|name| name != new);
        others.find_map(|name| {
            let folder = checkout.release(&name).ok()?;
            let list = checkout.manifest(&name).ok()?;
            let mut files = Vec::new();
            each(list, &folder, |path, name, file, status| {
                // What all releases share belongs to the application, and is nobody else's file.
                if checkout.shares(&path.join(name)) {
                    return Ok(());
                }
                let status = status.filter(|status| manifest::number(status) == file.status);
                let size = status.and_then(|status| status.file_size());
                if files.len() < FILES_MAX
                    && size.is_some_and(|size| link == Link::Hard || size >= SHARED_MIN)
                {
                    files.push(KnownFile {
                        key: file.key,
                        status: AtomicU64::new(file.status),
                    });
                }
                Ok(())
            })
            .ok()?;
            files.sort_by_key(|file| file.key);
            Some(Self {
                name,
                folder,
                link,
                files,
                print_change: AtomicU64::new(0),
            })
        })
    }

    /// The files that can be taken.
    pub(super) fn keys(&self) -> impl Iterator<Item = FileKey> {
        self.files.iter().map(|file| file.key)
    }

    /// Takes a file into a folder of the new release. `path` is the path of the folder in both.
    /// Returns the status of the new file.
    ///
    /// # Errors
    /// The file of the base is not what it was, or the new one can't be made.
    pub(super) fn take(
        &self,
        (from, to): (&OpenFolder, &OpenFolder),
        path: &Path,
        name: &OsStr,
        (key, is_executable): (FileKey, bool),
    ) -> Result<FileStatus, Changed> {
        let at = self.files.binary_search_by_key(&key, |file| file.key);
        let known = at.map_err(|_| Changed)?;
        let known = self.files.get(known).ok_or(Changed)?;
        let taken = match self.link {
            Link::Hard => self.link_to((from, to), path, name, known),
            Link::Reflink => clone((from, to), name, is_executable, known),
        };
        taken.ok().flatten().ok_or(Changed)
    }

    fn link_to(
        &self,
        (from, to): (&OpenFolder, &OpenFolder),
        path: &Path,
        name: &OsStr,
        known: &KnownFile,
    ) -> io::Result<Option<FileStatus>> {
        let before = from.status(name)?;
        let Some(before) = before.filter(|status| known.is(status)) else {
            return Ok(None);
        };
        from.link_into(name, to)?;
        let after = to.status(name)?;
        let Some(after) = after.filter(|after| before.differs_by_links_only(after)) else {
            return Ok(None);
        };

        // The link is the only thing that changed the time of the last change. So what is noted of
        // the base stays true.
        known
            .status
            .store(manifest::number(&after), Ordering::Relaxed);
        let path = path.join(name);
        let change = file_print(&path, &after).wrapping_sub(file_print(&path, &before));
        self.print_change.fetch_add(change, Ordering::Relaxed);
        Ok(Some(after))
    }

    /// Notes of the base what is true now that its files have more names.
    ///
    /// # Errors
    /// It can't be written. What is noted is not true then, and the files are written anew.
    pub(super) fn note_links(self, checkout: &mut Checkout<'_>) -> io::Result<()> {
        if self.link != Link::Hard {
            return Ok(());
        }
        checkout.change_fingerprint(&self.name, self.print_change.into_inner())?;
        let list = checkout.manifest(&self.name)?;
        let mut new = ManifestWriter::new(checkout.begin_manifest(&self.name)?);
        manifest::read(list, |folder, name, file| {
            let known = self
                .files
                .binary_search_by_key(&file.key, |known| known.key);
            let known = known.ok().and_then(|at| self.files.get(at));
            let status = known.map_or(file.status, |known| known.status.load(Ordering::Relaxed));
            new.add(folder, name, ListedFile { status, ..file })
        })?;
        new.finish()?;
        checkout.complete_manifest(&self.name)
    }
}

/// What is true of the current release before others that share files with it are removed.
pub(super) struct KeptLinks {
    name: ReleaseName,
    release: OpenFolder,
    /// For each file of its list what the kernel said, if it is what was written.
    files: Vec<Option<FileStatus>>,
}

impl KeptLinks {
    /// Looks at the current release. `None`: it shares no file, or there is no need to know.
    pub(super) fn before(checkout: &Checkout<'_>) -> Option<Self> {
        if checkout.link() != Some(Link::Hard) {
            return None;
        }
        let name = checkout.good_releases().into_iter().next()?;
        let release = checkout.release(&name).ok()?;
        let mut files = Vec::new();
        each(
            checkout.manifest(&name).ok()?,
            &release,
            |_, _, file, status| {
                if files.len() >= KEPT_MAX {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                files.push(status.filter(|status| manifest::number(status) == file.status));
                Ok(())
            },
        )
        .ok()?;
        Some(Self {
            name,
            release,
            files,
        })
    }

    /// Notes what is true now that its files have fewer names.
    ///
    /// # Errors
    /// It can't be written. What is noted is not true then, and the files are written anew.
    pub(super) fn note(self, checkout: &mut Checkout<'_>) -> io::Result<()> {
        let mut change = 0_u64;
        let mut before = self.files.into_iter();
        let list = checkout.manifest(&self.name)?;
        let mut new = ManifestWriter::new(checkout.begin_manifest(&self.name)?);
        each(list, &self.release, |folder, name, mut file, now| {
            let before = before.next().flatten();
            if let (Some(before), Some(now)) = (before, now)
                && before.differs_by_links_only(&now)
            {
                let path = folder.join(name);
                change = change
                    .wrapping_add(file_print(&path, &now))
                    .wrapping_sub(file_print(&path, &before));
                file.status = manifest::number(&now);
            }
            new.add(folder, name, file)
        })?;
        new.finish()?;
        checkout.complete_manifest(&self.name)?;
        checkout.change_fingerprint(&self.name, change)
    }
}

impl KnownFile {
    fn is(&self, status: &FileStatus) -> bool {
        self.status.load(Ordering::Relaxed) == manifest::number(status)
    }
}

/// Makes a file that shares the content of another one.
fn clone(
    (from, to): (&OpenFolder, &OpenFolder),
    name: &OsStr,
    is_executable: bool,
    known: &KnownFile,
) -> io::Result<Option<FileStatus>> {
    let file = from.file(name)?;
    let new = to.new_file(name, is_executable)?;
    share_content(&file, &new)?;
    // It is looked at afterwards: what was written to it before that is seen.
    if !known.is(&FileStatus::of(&file)?) {
        return Ok(None);
    }
    FileStatus::of(&new).map(Some)
}

/// Shows each file of a list with the status that it has now; `None`: it can't be looked at.
fn each(
    list: File,
    release: &OpenFolder,
    mut show: impl FnMut(&Path, &OsStr, ListedFile, Option<FileStatus>) -> io::Result<()>,
) -> io::Result<()> {
    let mut open: Option<(PathBuf, Option<OpenFolder>)> = None;
    manifest::read(list, |path, name, file| {
        if open.as_ref().is_none_or(|(known, _)| known != path) {
            open = Some((path.to_owned(), release.below(path).ok()));
        }
        let folder = open.as_ref().and_then(|(_, folder)| folder.as_ref());
        let status = folder.and_then(|folder| folder.status(name).ok().flatten());
        show(path, name, file, status)
    })
}
