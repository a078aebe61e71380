//! The release from which another one takes the files that are the same.
//!
//! A file is taken only if it is what was written there: its status is the one that was noted then.
//! A reflink shares the content until one of the two files is written to. A hard link is the same
//! file under two names, and whoever writes to it changes both releases.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::folder::Checkout;
use super::manifest::{self, Manifest, ManifestItem, file_print};
use super::order::CheckoutOrder;
use super::release_name::ReleaseName;
use crate::config::Link;
use crate::sys::file::share_content;
use crate::sys::file_status::FileStatus;
use crate::sys::folder::OpenFolder;

/// A smaller file is copied: to share it saves nothing, since it needs a block of its own anyway.
const SHARED_MIN: usize = 4096;

/// How many files of a kept release are looked at before others are removed.
const KEPT_MAX: usize = 200_000;

/// A release with the files that can be taken from it.
pub(super) struct BaseRelease<'o> {
    pub(super) name: ReleaseName,
    pub(super) folder: OpenFolder,
    order: &'o CheckoutOrder,
    /// The number of the status that each file of its list has.
    statuses: Vec<AtomicU64>,
    /// What has to be added to the fingerprint of the release, because its files have more names.
    print_change: AtomicU64,
}

impl<'o> BaseRelease<'o> {
    /// Looks for a release of which the new one can take files: the current one, or another good
    /// one. `None`: there is none with a list of its files.
    pub(super) fn open(checkout: &Checkout<'o>, new: &ReleaseName) -> Option<(Self, Manifest)> {
        let candidates = checkout.good_releases().into_iter();
        let mut others = candidates.filter(|name| name != new);
        others.find_map(|name| {
            let folder = checkout.release(&name).ok()?;
            let (list, statuses) = checkout.manifest(&name).ok()?;
            let statuses = statuses.into_iter();
            let base = Self {
                name,
                folder,
                order: checkout.order,
                statuses: statuses.map(AtomicU64::new).collect(),
                print_change: AtomicU64::new(0),
            };
            Some((base, list))
        })
    }

    /// Takes a file into a folder of the new release. `path` is the path of the folder in both.
    /// Returns the status of the new file; `None`: it can't be taken, and its place is free.
    ///
    /// # Errors
    /// What was made in its place can't be removed.
    pub(super) fn take(
        &self,
        (from, to): (&OpenFolder, &OpenFolder),
        path: &Path,
        name: &OsStr,
        (number, is_executable): (usize, bool),
    ) -> io::Result<Option<FileStatus>> {
        let path = path.join(name);
        let known = self.statuses.get(number);
        // What all releases share belongs to the application, and is nobody else's file.
        let Some(known) = known.filter(|_| !self.order.shares(&path)) else {
            return Ok(None);
        };
        match self.order.link {
            Link::Hard => self.link((from, to), &path, name, known),
            Link::Reflink => copy((from, to), name, is_executable, known),
        }
    }

    fn link(
        &self,
        (from, to): (&OpenFolder, &OpenFolder),
        path: &Path,
        name: &OsStr,
        known: &AtomicU64,
    ) -> io::Result<Option<FileStatus>> {
        let before = from.status(name).ok().flatten();
        let Some(before) = before.filter(|status| is(status, known)) else {
            return Ok(None);
        };
        if from.link_into(name, to).is_err() {
            return Ok(None);
        }
        let after = to.status(name).ok().flatten();
        let Some(after) = after.filter(|after| before.differs_by_links_only(after)) else {
            return to.remove(name).map(|()| None);
        };

        // The link is the only thing that changed the time of the last change. So what is noted of
        // the base stays true.
        known.store(manifest::number(&after), Ordering::Relaxed);
        let change = file_print(path, &after).wrapping_sub(file_print(path, &before));
        self.print_change.fetch_add(change, Ordering::Relaxed);
        Ok(Some(after))
    }

    /// Notes of the base what is true now that its files have more names.
    ///
    /// # Errors
    /// It can't be written. What is noted is not true then, and the files are written anew.
    pub(super) fn note_links(self, checkout: &mut Checkout<'_>) -> io::Result<()> {
        if self.order.link != Link::Hard {
            return Ok(());
        }
        checkout.change_fingerprint(&self.name, self.print_change.into_inner())?;
        let statuses = self.statuses.into_iter().map(AtomicU64::into_inner);
        checkout.renew_manifest(&self.name, &statuses.collect::<Vec<_>>())
    }
}

fn is(status: &FileStatus, known: &AtomicU64) -> bool {
    known.load(Ordering::Relaxed) == manifest::number(status)
}

/// Makes a file with the content of another one, which it shares where that saves something.
fn copy(
    (from, to): (&OpenFolder, &OpenFolder),
    name: &OsStr,
    is_executable: bool,
    known: &AtomicU64,
) -> io::Result<Option<FileStatus>> {
    let Ok(file) = from.own_file(name) else {
        return Ok(None);
    };
    let Ok(new) = to.new_file(name, is_executable) else {
        return Ok(None);
    };
    let fill = || -> io::Result<Option<FileStatus>> {
        let mut content = Vec::with_capacity(SHARED_MIN);
        (&file).take(SHARED_MIN as u64).read_to_end(&mut content)?;
        match content.len() < SHARED_MIN {
            true => (&new).write_all(&content)?,
            false => share_content(&file, &new)?,
        }
        // It is looked at afterwards: what was written to it before that is seen.
        let is_known = is(&FileStatus::of(&file)?, known);
        is_known.then(|| FileStatus::of(&new)).transpose()
    };
    match fill() {
        Ok(Some(status)) => Ok(Some(status)),
        _ => to.remove(name).map(|()| None),
    }
}

/// What is true of a release before others that share files with it are removed.
pub(super) struct KeptLinks {
    name: ReleaseName,
    release: OpenFolder,
    /// For each file of its list what the kernel said, if it is what was written.
    files: Vec<Option<FileStatus>>,
}

impl KeptLinks {
    /// Looks at a release. `None`: it shares no file, or there is no need to know.
    pub(super) fn before(checkout: &Checkout<'_>, name: ReleaseName) -> Option<Self> {
        if checkout.link() != Some(Link::Hard) {
            return None;
        }
        let release = checkout.release(&name).ok()?;
        let (list, statuses) = checkout.manifest(&name).ok()?;
        if statuses.len() > KEPT_MAX {
            return None;
        }
        let mut files = Vec::with_capacity(statuses.len());
        each(list, &release, |_, status| {
            let known = statuses.get(files.len()).copied();
            files.push(status.filter(|status| Some(manifest::number(status)) == known));
        })
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
        let (list, known) = checkout.manifest(&self.name)?;
        let mut statuses = Vec::with_capacity(known.len());
        each(list, &self.release, |path, now| {
            let mut number = known.get(statuses.len()).copied().unwrap_or_default();
            if let (Some(before), Some(now)) = (before.next().flatten(), now)
                && before.differs_by_links_only(&now)
            {
                change = change
                    .wrapping_add(file_print(path, &now))
                    .wrapping_sub(file_print(path, &before));
                number = manifest::number(&now);
            }
            statuses.push(number);
        })?;
        checkout.renew_manifest(&self.name, &statuses)?;
        checkout.change_fingerprint(&self.name, change)
    }
}

/// Shows the path of each file of a list with the status that it has now; `None`: it can't be
/// looked at.
fn each(
    mut list: Manifest,
    release: &OpenFolder,
    mut show: impl FnMut(&Path, Option<FileStatus>),
) -> io::Result<()> {
    let mut path = PathBuf::new();
    let mut open = vec![release.folder(OsStr::new(".")).ok()];
    loop {
        let here = open.last().and_then(Option::as_ref);
        match list.next()? {
            ManifestItem::Folder(name) => {
                let inner = here.and_then(|here| here.folder(&name).ok());
                open.push(inner);
                path.push(name);
            }
            ManifestItem::Up => {
                open.pop();
                path.pop();
            }
            ManifestItem::File { name, .. } => {
                let status = here.and_then(|here| here.status(&name).ok().flatten());
                path.push(name);
                show(&path, status);
                path.pop();
            }
            ManifestItem::Link { .. } => {}
            ManifestItem::End => return Ok(()),
        }
    }
}
