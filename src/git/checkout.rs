//! A revision's tree, written out as files.
//!
//! Blobs are written byte for byte: no filter, line ending or attribute of anybody's configuration
//! changes what was reviewed. A submodule becomes an empty folder, as with git itself.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::bstr::{BStr, ByteSlice};
use gix::filter::plumbing::Pipeline;
use gix::index::State;
use gix::progress::Discard;
use gix::worktree::state::checkout::{Options, Outcome};

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;

/// Which names a tree may have: what git itself takes on Linux, and nothing that some file system
/// takes for `.git`. What Windows can't name is no concern of a server that deploys.
const VALIDATE: gix::validate::path::component::Options = gix::validate::path::component::Options {
    protect_windows: false,
    protect_hfs: true,
    protect_ntfs: true,
};

/// Writes the tree of `revision` into `destination`, an empty folder, with as many threads as there
/// are processors.
///
/// # Errors
/// An object can't be read, a file can't be written, or a path of the tree could lead out of the
/// folder (`..`, `.git`, a symbolic link with files below it). What was written by then is left to
/// the caller.
pub fn export(
    repository: &Repository,
    revision: &Revision,
    destination: &Path,
) -> Result<(), Error> {
    let tree = repository.commit_tree(revision)?;
    let objects = repository.objects()?;
    let mut index =
        State::from_tree(&tree, objects, VALIDATE).map_err(|error| repository.error(error))?;
    if let Some(path) = conflict(&index) {
        let path = crate::text::quote(path, 200);
        return Err(repository.error(format!(
            "the tree of {revision} names {path} both as a file and as a folder or twice"
        )));
    }
    let filters = Pipeline::new(
        gix::command::Context::default(),
        objects.kind,
        gix::filter::plumbing::pipeline::Options::default(),
    );
    let options = Options {
        destination_is_initially_empty: true,
        validate: VALIDATE,
        ..Options::new(filters)
    };
    let interrupt = AtomicBool::new(false);
    let outcome = gix::worktree::state::checkout(
        &mut index,
        destination,
        objects.clone(),
        &Discard,
        &Discard,
        &interrupt,
        options,
    );
    let Outcome {
        collisions, errors, ..
    } = outcome.map_err(|error| repository.error(error))?;
    let first_error = errors
        .first()
        .map(|record| format!("{}: {}", record.path, record.error));
    let first_collision = collisions
        .first()
        .map(|collision| format!("{}: already there", collision.path));
    match first_error.or(first_collision) {
        Some(message) => Err(repository.error(message)),
        None => Ok(()),
    }
}

/// A path that stands twice, or as a file and as a folder of another file. gix takes such trees as
/// they are, and a link `a` beside a file `a/x` would let the file be written wherever the link
/// points.
fn conflict(index: &State) -> Option<&BStr> {
    let mut files = HashSet::with_capacity(index.entries().len());
    let twice = index
        .entries()
        .iter()
        .map(|entry| entry.path(index))
        .find(|path| !files.insert(*path));
    let below_a_file = |path: &&BStr| {
        let slashes = path.find_iter(b"/");
        slashes
            .map(|at| path[..at].as_bstr())
            .any(|folder| files.contains(folder))
    };
    twice.or_else(|| {
        index
            .entries()
            .iter()
            .map(|entry| entry.path(index))
            .find(below_a_file)
    })
}
