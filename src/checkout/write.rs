//! Writing a release's files as they arrive. Every file is named by the open folder that it is in.

use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::{CheckoutError, at};
use super::stream::{Head, HeadKind, copy, receive};
use crate::sys::folder::OpenFolder;

/// How long the target of a link may be, in bytes (`PATH_MAX`, symlink(2)).
const TARGET_MAX: u64 = 4096;

/// Writes everything that arrives into an empty folder, until the end is told. `path` is where that
/// folder will be, for errors.
///
/// # Errors
/// Something can't be written, or the sender went away.
pub(super) fn write_tree(
    input: &mut impl BufRead,
    root: &OpenFolder,
    path: &Path,
) -> Result<(), CheckoutError> {
    let gone = |error: io::Error| CheckoutError::Gone("reader", error.to_string());
    let mut path = path.to_owned();
    let mut open: Vec<OpenFolder> = Vec::new();

    loop {
        let head = receive(input).map_err(gone)?;
        match head.kind {
            HeadKind::End if open.is_empty() => return Ok(()),
            HeadKind::Up if open.pop().is_some() => {
                path.pop();
                continue;
            }
            HeadKind::End | HeadKind::Up => return Err(gone(io::ErrorKind::InvalidData.into())),
            _ => {}
        }

        let folder = open.last().unwrap_or(root);
        let name = OsStr::from_bytes(&head.name);
        if !is_one_part(name) {
            return Err(gone(io::ErrorKind::InvalidData.into()));
        }
        let at_file = |error| at(path.join(name))(explain(error));
        match head.kind {
            HeadKind::Folder => {
                let inner = folder.new_folder(name).map_err(at_file)?;
                path.push(name);
                open.push(inner);
            }
            HeadKind::Link => {
                let target = target(input, &head).map_err(gone)?;
                let target = OsStr::from_bytes(&target);
                folder.new_link(name, target).map_err(at_file)?;
            }
            _ => {
                let is_executable = head.kind == HeadKind::Executable;
                let mut file = folder.new_file(name, is_executable).map_err(at_file)?;
                copy(input, head.content, &mut file)
                    .map_err(gone)?
                    .map_err(at_file)?;
            }
        }
    }
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

/// Says what it means that a name is taken in a folder that was empty.
fn explain(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return error;
    }
    io::Error::other("this file system takes two names of the revision for the same one")
}
