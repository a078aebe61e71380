//! Whether a repository is root's alone.
//!
//! Root executes what a repository of root says. If another user can change what the repository
//! says, that user decides what root executes.

use std::io;
use std::path::Path;

use super::error::Error;
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, Repository};
use crate::hook_files::{CHAINED, HOOKS};
use crate::sys::access::changeable_by_others;
use crate::sys::open;
use crate::text;

/// The paths of a repository that decide what is executed, in addition to its folder, the deploy
/// branch, the hooks and the state.
const DECIDES: &[&str] = &[
    "config",
    "deploy-by-code.toml",
    "HEAD",
    "refs",
    "refs/heads",
    "packed-refs",
    "reftable",
    "objects",
    "objects/info",
    "objects/info/alternates",
    "objects/pack",
];

/// The parts of the state that decide what is executed, in addition to its folder.
const STATE: &[&str] = &[
    "state.db",
    "state.db-wal",
    "state.db-shm",
    "locks",
    "logs",
    "wake",
    "work",
];

/// The largest list of alternates that is read, in bytes.
const ALTERNATES_MAX: u64 = 64 * 1024;

/// Checks that only root can change what decides what root executes: the repository, its
/// configuration, its hooks and its state, with every folder and link on the way to them.
///
/// # Errors
/// Another user can change something, or it can't be found out. The error names it.
pub fn belongs_to_root(place: &Place) -> Result<(), Error> {
    let common = Repository::open(&place.git_dir)?.path().to_owned();
    for folder in [&place.git_dir, &common] {
        is_roots(folder)?;
        for name in DECIDES {
            is_roots(&folder.join(name))?;
        }
    }
    alternates(&common)?;
    place.config.iter().try_for_each(|file| is_roots(file))?;

    // The configuration says where the rest is, and only now is it known that root wrote it.
    let (deploy, _) = place.deploy_to_look()?;
    deploy
        .config_file
        .iter()
        .try_for_each(|file| is_roots(file))?;
    is_roots(&common.join(&deploy.branch))?;
    hooks(&deploy)?;

    let state = deploy.state_dir();
    is_roots(&state)?;
    STATE
        .iter()
        .try_for_each(|part| is_roots(&state.join(part)))
}

/// The folders from which the repository borrows objects (gitrepository-layout(5),
/// `objects/info/alternates`).
fn alternates(repository: &Path) -> Result<(), Error> {
    let objects = repository.join("objects");
    let file = objects.join("info/alternates");
    let list = match open::read_text(&file, ALTERNATES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        list => list.map_err(unknown(&file))?,
    };

    let folders = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    folders
        .map(|folder| objects.join(folder))
        .try_for_each(|folder| is_roots(&folder))
}

/// The hooks that git runs. A link to this program executes nothing but what runs already.
fn hooks(deploy: &DeployRepository) -> Result<(), Error> {
    let folder = git::hooks_folder(deploy.repository.path())?;
    is_roots(&folder)?;

    let error = Error::system(
        "the file of this program can't be found",
        "install it again",
    );
    let program = std::env::current_exe().and_then(|program| program.canonicalize());
    let program = program.map_err(error)?;
    let is_program = |hook: &Path| hook.canonicalize().is_ok_and(|file| file == program);
    let hooks = HOOKS.iter().chain([&CHAINED]).map(|name| folder.join(name));
    let mut others = hooks.filter(|hook| !is_program(hook));
    others.try_for_each(|hook| is_roots(&hook))
}

fn is_roots(path: &Path) -> Result<(), Error> {
    let Some(part) = changeable_by_others(path, 0).map_err(unknown(path))? else {
        return Ok(());
    };
    let part = shown(&part);
    Err(Error::refused(
        format!("users other than root can write to {part}, so root would execute their commands"),
        "give the repository to a user of its own: chown -R git:… , and run this again",
    ))
}

/// Makes an error of what went wrong when a path was looked at.
fn unknown(path: &Path) -> impl FnOnce(io::Error) -> Error {
    Error::system(
        format!("{} can't be looked at", shown(path)),
        "make sure that it is what git expects there",
    )
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
