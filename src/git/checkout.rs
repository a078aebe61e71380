//! Writing out the tree of a revision as files.
//!
//! Blobs are written byte for byte: no filter, line ending or attribute of anybody's configuration
//! changes what was reviewed. A submodule becomes an empty folder, as git itself makes one.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::bstr::{BStr, ByteSlice};
use gix::filter::plumbing::Pipeline;
use gix::index::State;
use gix::progress::Discard;
use gix::worktree::state::checkout;
use gix::worktree::state::checkout::{Options, Outcome};

use super::error::Error;
use super::repository::Repository;
use crate::id::Revision;
use crate::text;

/// Which names a tree may have: what git itself accepts on Linux, except for names that some file
/// system treats as `.git`. Names that Windows does not allow are allowed here.
const VALIDATE: gix::validate::path::component::Options = gix::validate::path::component::Options {
    protect_windows: false,
    protect_hfs: true,
    protect_ntfs: true,
};

/// Writes the tree of `revision` into `destination`, which is an empty folder. It uses as many
/// threads as there are processors.
///
/// # Errors
/// An object can't be read, a file can't be written, or a path of the tree could lead out of the
/// folder (`..`, `.git`, a symbolic link with files below it). The caller removes what was written
/// before the error.
pub fn export(
    repository: &Repository,
    revision: &Revision,
    destination: &Path,
) -> Result<(), Error> {
    let tree = repository.commit_tree(revision)?;
    // A release can have files of any size.
    let objects = &repository.open_objects(None)?;
    let mut index =
        State::from_tree(&tree, objects, VALIDATE).map_err(|error| repository.error(error))?;
    if let Some(path) = conflict(&index) {
        let path = text::quote(path, 200);
        return Err(repository.error(format!(
            "the tree of {revision} has {path} twice, or both as a file and as a folder"
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
    let outcome = checkout(
        &mut index,
        destination,
        objects.clone(),
        &Discard,
        &Discard,
        &AtomicBool::new(false),
        options,
    );
    let outcome = outcome.map_err(|error| repository.error(error))?;

    match first_problem(&outcome) {
        Some(message) => Err(repository.error(message)),
        None => Ok(()),
    }
}

/// The first file that could not be written, and why.
fn first_problem(outcome: &Outcome) -> Option<String> {
    let error = outcome.errors.first();
    let error = error.map(|record| format!("{}: {}", record.path, record.error));

    let collision = outcome.collisions.first();
    let collision = || collision.map(|found| format!("{}: already there", found.path));

    error.or_else(collision)
}

/// A path that the tree names twice, or both as a file and as a folder of another file. gix accepts
/// such trees. With a symbolic link `a` beside a file `a/x`, the file would be written to wherever
/// the link points.
fn conflict(index: &State) -> Option<&BStr> {
    let paths = || index.entries().iter().map(|entry| entry.path(index));
    let mut files = HashSet::with_capacity(index.entries().len());
    if let Some(twice) = paths().find(|path| !files.insert(*path)) {
        return Some(twice);
    }

    let is_below_a_file = |path: &&BStr| {
        path.find_iter(b"/")
            .map(|slash| path[..slash].as_bstr())
            .any(|folder| files.contains(folder))
    };
    paths().find(is_below_a_file)
}
