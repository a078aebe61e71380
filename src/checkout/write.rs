//! Writing a release's files as they arrive. Every file is named by the open folder that it is in.

use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{CheckoutError, at, explain};
use super::file_key::PlaceNumber;
use super::stream::{Head, HeadKind, copy, receive};
use super::work::{Batch, Feeder, Maker, NewFile, ReleaseFolder, with_workers};
use crate::sys::folder::OpenFolder;

/// How long the target of a link may be, in bytes (`PATH_MAX`, symlink(2)).
const TARGET_MAX: u64 = 4096;

/// A file of more bytes is written as it arrives.
const COLLECTED_MAX: u64 = 256 * 1024;

/// Writes everything that arrives into an empty folder, until the end is told.
///
/// # Errors
/// Something can't be written, or the sender went away.
pub(super) fn write_tree(
    input: &mut impl BufRead,
    root: &OpenFolder,
    number: PlaceNumber,
    maker: &Maker<'_>,
    workers: usize,
) -> Result<(), CheckoutError> {
    let path = || maker.path.to_owned();
    let dot = OsStr::new(".");
    let base = maker.base.map(|base| base.folder.folder(dot)).transpose();
    let root = ReleaseFolder {
        folder: root.folder(dot).map_err(at(path()))?,
        base: base.map_err(at(path()))?,
        path: PathBuf::new(),
        number,
    };
    with_workers(workers, maker, |feeder| {
        receive_all(input, Arc::new(root), maker, feeder)
    })
}

fn receive_all(
    input: &mut impl BufRead,
    root: Arc<ReleaseFolder>,
    maker: &Maker<'_>,
    feeder: &Feeder<'_>,
) -> Result<(), CheckoutError> {
    let mut open: Vec<Arc<ReleaseFolder>> = Vec::new();
    let mut batch = Batch::default();

    loop {
        let head = receive(input).map_err(gone)?;
        match head.kind {
            HeadKind::End if open.is_empty() => return feeder.feed(batch),
            HeadKind::Up if open.pop().is_some() => {
                if batch.is_worth_it() {
                    feeder.feed(std::mem::take(&mut batch))?;
                }
                continue;
            }
            HeadKind::End | HeadKind::Up => return Err(gone(io::ErrorKind::InvalidData.into())),
            _ => {}
        }

        let place = open.last().unwrap_or(&root);
        let name = OsStr::from_bytes(&head.name);
        if !is_one_part(name) {
            return Err(gone(io::ErrorKind::InvalidData.into()));
        }
        let at_file = |error| at(maker.path.join(&place.path).join(name))(explain(error));
        match head.kind {
            HeadKind::Folder => {
                let inner = ReleaseFolder {
                    folder: place.folder.new_folder(name).map_err(at_file)?,
                    base: place.base.as_ref().and_then(|base| base.folder(name).ok()),
                    path: place.path.join(name),
                    number: place.number.inside(&head.name),
                };
                open.push(Arc::new(inner));
            }
            HeadKind::Link => {
                let target = target(input, &head).map_err(gone)?;
                let target = OsStr::from_bytes(&target);
                place.folder.new_link(name, target).map_err(at_file)?;
            }
            kind => {
                let is_known = matches!(kind, HeadKind::KnownFile | HeadKind::KnownExecutable);
                let is_executable = kind.is_executable();
                let mut file = NewFile {
                    place: Arc::clone(place),
                    name: name.to_owned(),
                    is_executable,
                    key: place.number.file(&head.name, is_executable, &head.id),
                    content: None,
                };
                if !is_known && head.content > COLLECTED_MAX {
                    write_large(input, head.content, maker, &file)?;
                    continue;
                }
                if !is_known {
                    let start = batch.content.len();
                    copy(input, head.content, &mut batch.content)
                        .map_err(gone)?
                        .map_err(at_file)?;
                    file.content = Some(start..batch.content.len());
                }
                batch.push(file);
            }
        }
        if batch.is_full() {
            feeder.feed(std::mem::take(&mut batch))?;
        }
    }
}

/// Writes a large file while it arrives.
fn write_large(
    input: &mut impl BufRead,
    size: u64,
    maker: &Maker<'_>,
    file: &NewFile,
) -> Result<(), CheckoutError> {
    let mut is_gone = Ok(());
    let made = maker.make_one(file, |new| match copy(input, size, new) {
        Ok(copied) => copied,
        Err(error) => {
            is_gone = Err(gone(error));
            Ok(())
        }
    });
    is_gone.and(made)
}

fn gone(error: io::Error) -> CheckoutError {
    CheckoutError::Gone("reader", error.to_string())
}

/// Whether a name is one part of a path, and no way up.
fn is_one_part(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty() && bytes != b"." && bytes != b".." && !bytes.contains(&b'/')
}

fn target(input: &mut impl BufRead, head: &Head) -> io::Result<Vec<u8>> {
    if head.content > TARGET_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut target = Vec::new();
    input.take(head.content).read_to_end(&mut target)?;
    if (target.len() as u64) < head.content {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(target)
}
