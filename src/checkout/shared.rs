//! What all releases of a checkout share: the folder `<checkout>/shared`, and the links to what is
//! in it.
//!
//! Protocol: the links are made in a release that has no name yet. So a release under its final
//! name always has them. What the revision has at a shared path is moved to `shared` where nothing
//! is there, after it is on disk, and in one step; otherwise it is removed from the release. Of
//! `shared` only folders on the way to a path are opened. Whatever is at the path itself is never
//! opened, followed, changed or removed.
//!
//! It does not promise that what is shared stays: it belongs to the application.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{CheckoutError, at};
use super::order::CheckoutOrder;
use crate::config::SharedPath;
use crate::sys::file_status::FileKind;
use crate::sys::folder::OpenFolder;

/// The name of the folder in the checkout's folder.
pub const SHARED: &str = "shared";

/// What has to be done so that something is shared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SharedBy {
    /// Nothing: it is there.
    Itself,
    /// Moving what the revision has.
    Moving,
    /// Making an empty folder.
    NewFolder,
}

/// Whether everything is there that releases share. Where that can't be found out, the answer is
/// no, and then a release is written that tells why.
pub(super) fn is_all_there(checkout: &OpenFolder, paths: &[SharedPath]) -> bool {
    let is_there = |path: &SharedPath| -> io::Result<bool> {
        let mut folder = checkout.folder(OsStr::new(SHARED))?;
        for name in path.folders() {
            folder = folder.folder(OsStr::new(name))?;
        }
        Ok(folder.status(OsStr::new(path.name()))?.is_some())
    };
    paths.iter().all(|path| is_there(path).unwrap_or(false))
}

/// Makes the links of a release to everything that is shared. Before anything is moved, it is
/// known that nothing is in the way. `place` is where the release will be, for errors.
///
/// # Errors
/// Something is in the way, a file is missing, or the kernel refuses.
pub(super) fn link_shared(
    order: &CheckoutOrder,
    checkout: &OpenFolder,
    release: &OpenFolder,
    place: &Path,
) -> Result<(), CheckoutError> {
    let sides = Sides {
        release: Side {
            root: release,
            place,
            inside: None,
            advice: "deploy a revision without it, or take the path out of shared",
        },
        shared: Side {
            root: checkout,
            place: &order.folder,
            inside: Some(SHARED),
            advice: "what is shared may be a link, but the folders above it may not",
        },
    };

    let looked = order.shared.iter();
    let looked = looked.map(|path| Ok((path, sides.look(path)?)));
    let looked: Vec<(&SharedPath, SharedBy)> = looked.collect::<Result<_, CheckoutError>>()?;
    if looked.iter().any(|(_, by)| *by == SharedBy::Moving) {
        // What is in `shared` is never written again, so its content has to be on disk first.
        release.sync_file_system().map_err(at(place))?;
    }
    let mut looked = looked.into_iter();
    looked.try_for_each(|(path, by)| sides.link(path, by))
}

/// The two sides of a link.
struct Sides<'s> {
    /// Where the link is made.
    release: Side<'s>,
    /// Where it leads.
    shared: Side<'s>,
}

impl Sides<'_> {
    /// Finds out what has to be done for a path.
    fn look(&self, path: &SharedPath) -> Result<SharedBy, CheckoutError> {
        let in_release = self.release.kind(path)?;
        if in_release == Some(FileKind::Link) {
            let place = self.release.path(path);
            return Err(self.release.in_the_way(place, FileKind::Link, path));
        }
        match (in_release, self.shared.kind(path)?) {
            (_, Some(_)) => Ok(SharedBy::Itself),
            (Some(_), None) => Ok(SharedBy::Moving),
            (None, None) if path.is_folder() => Ok(SharedBy::NewFolder),
            (None, None) => Err(CheckoutError::NoSharedFile {
                place: self.shared.path(path),
                path: path.as_str().to_owned(),
            }),
        }
    }

    /// Makes the link of a path.
    fn link(&self, path: &SharedPath, by: SharedBy) -> Result<(), CheckoutError> {
        let name = OsStr::new(path.name());
        let release = self.release.folder_above(path)?;

        if by != SharedBy::Itself {
            let place = self.shared.path(path);
            let shared = self.shared.folder_above(path)?;
            let done = match by {
                SharedBy::Moving => release.move_to(name, &shared),
                _ => shared.folder_or_new(name).map(drop),
            };
            match done {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    return Err(CheckoutError::SharedElsewhere(place));
                }
                done => done.map_err(at(&place))?,
            }
            // It may be on another file system than the release, which is synced later.
            shared.sync_file_system().map_err(at(place))?;
        }

        let up = "../".repeat(2 + path.folders().count());
        let target = format!("{up}{SHARED}/{}", path.as_str());
        let link = || -> io::Result<()> {
            release.remove(name)?;
            release.new_link(name, OsStr::new(&target))
        };
        link().map_err(at(self.release.path(path)))
    }
}

/// One side of a link.
struct Side<'s> {
    root: &'s OpenFolder,
    /// The path of `root`.
    place: &'s Path,
    /// The folder in `root` in which the paths begin.
    inside: Option<&'static str>,
    /// What to do if something is in the way.
    advice: &'static str,
}

impl Side<'_> {
    /// Where a path is.
    fn path(&self, path: &SharedPath) -> PathBuf {
        let mut place = self.place.to_owned();
        place.extend(self.inside);
        place.push(path.as_str());
        place
    }

    /// What is at a path; `None`: nothing.
    fn kind(&self, path: &SharedPath) -> Result<Option<FileKind>, CheckoutError> {
        let status = self.folder_above(path)?.status(OsStr::new(path.name()));
        let status = status.map_err(at(self.path(path)))?;
        Ok(status.map(|status| status.kind))
    }

    /// Opens the folder that a path is in, and makes it and those above it where they are missing.
    fn folder_above(&self, path: &SharedPath) -> Result<OpenFolder, CheckoutError> {
        let mut place = self.place.to_owned();
        let mut folder = self.root.folder(OsStr::new(".")).map_err(at(&place))?;
        for name in self.inside.into_iter().chain(path.folders()) {
            place.push(name);
            let name = OsStr::new(name);
            match folder.status(name).map_err(at(&place))? {
                Some(status) if status.kind != FileKind::Folder => {
                    return Err(self.in_the_way(place, status.kind, path));
                }
                _ => folder = folder.folder_or_new(name).map_err(at(&place))?,
            }
        }
        Ok(folder)
    }

    fn in_the_way(&self, place: PathBuf, kind: FileKind, path: &SharedPath) -> CheckoutError {
        CheckoutError::NotShareable {
            place,
            found: match kind {
                FileKind::Folder => "a folder",
                FileKind::Link => "a symbolic link",
                FileKind::Other => "a file",
            },
            path: path.as_str().to_owned(),
            advice: self.advice,
        }
    }
}
