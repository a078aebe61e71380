//! The deploy files in the work tree of a clone.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::super::error::Error;
use crate::clone::DeployClone;
use crate::deploy_path::deploy_path;
use crate::deployfile::SIZE_MAX;
use crate::git::Repository;
use crate::id::{Revision, Target};
use crate::proposal::ProposedFile;
use crate::sys::open;
use crate::text;

/// What to do where a file of the work tree can't be used.
const LOOK: &str = "make sure that this user can read and write the clone";

/// A path as git takes it for nothing else, whatever characters it has (gitglossary(7),
/// "pathspec").
pub(super) fn pathspec(path: &str) -> String {
    format!(":(literal){path}")
}

/// Checks that nothing is staged: it would be unclear what the commit is about.
///
/// # Errors
/// Something is staged, or git can't be asked.
pub(super) fn check_nothing_staged(deploy: &DeployClone) -> Result<(), Error> {
    let arguments = ["diff", "--cached", "--quiet"];
    if deploy.clone.git.answer_if_any(&arguments)?.is_some() {
        return Ok(());
    }
    Err(Error::refused(
        format!("something is staged in {}", deploy.clone),
        "commit it, or run: git restore --staged .",
    ))
}

/// The content of a deploy file, if it is in the work tree as it is in the last commit, and as the
/// deploy branch has it or newer. `None`: there is no such file.
///
/// # Errors
/// It is not, or can't be read.
pub(super) fn read(
    deploy: &DeployClone,
    head: Option<&Revision>,
    target: &Target,
) -> Result<Option<Vec<u8>>, Error> {
    let path = deploy_path(&deploy.root, target);
    let shown = text::escape(&path, 300);
    let own = pathspec(&path);
    let changes = [
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=all",
        "--",
        &own,
    ];
    let status = deploy.clone.git.answer(&changes)?;
    if !status.is_empty() {
        let hint = if status.starts_with(b"??") {
            "it is in no commit yet: commit it, or remove it".to_owned()
        } else {
            format!("commit them, or look at them and give them up: git restore -SW {shown}")
        };
        let message = format!("{shown} has changes that are not committed");
        return Err(Error::refused(message, hint));
    }

    let repository = &deploy.clone.repository;
    let at = |commit: Option<&Revision>| match commit {
        Some(commit) => repository.deploy_file(commit, &deploy.root, target),
        None => Ok(None),
    };
    let committed = at(head)?;
    if committed != at(deploy.tip.as_ref())? {
        check_is_newer(deploy, repository, head, &shown)?;
    }

    let file = deploy.clone.folder().join(&path);
    check_no_links(deploy.clone.folder(), &file)?;
    let content = content(&file, &shown)?;
    if content
        .as_ref()
        .is_some_and(|content| content.len() as u64 > SIZE_MAX)
    {
        return Err(Error::refused(
            format!("{shown} is larger than {SIZE_MAX} bytes"),
            "remove its oldest entries first, in a commit of their own",
        ));
    }
    if content.is_some() != committed.is_some() {
        return Err(Error::refused(
            format!("{shown} is not in the work tree as it is in the last commit"),
            "a sparse checkout may leave it out, or .gitignore may name it",
        ));
    }
    Ok(content)
}

/// Checks that what is checked out has all of the deploy branch.
fn check_is_newer(
    deploy: &DeployClone,
    repository: &Repository,
    head: Option<&Revision>,
    shown: &str,
) -> Result<(), Error> {
    let is_newer = match (head, &deploy.tip) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(head), Some(tip)) => repository.contains(head, tip)?,
    };
    if is_newer {
        return Ok(());
    }
    let branch = deploy.shown_branch();
    Err(Error::refused(
        format!("{shown} is another one at {branch}"),
        format!("bring this branch up to date first: git merge {branch}"),
    ))
}

/// Checks that no folder between the top and a file is a link: that could lead out of the clone.
fn check_no_links(top: &Path, file: &Path) -> Result<(), Error> {
    let folders = file.ancestors().skip(1);
    for folder in folders.take_while(|folder| *folder != top) {
        match fs::symlink_metadata(folder) {
            Ok(found) if !found.is_dir() => {
                return Err(Error::refused(
                    format!("{} is no folder", shown(folder)),
                    "deploy files are in folders: remove what is there",
                ));
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let what = format!("{} can't be looked at", shown(folder));
                return Err(Error::system(what, LOOK)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The content of a regular file; `None`: there is none.
fn content(file: &Path, shown: &str) -> Result<Option<Vec<u8>>, Error> {
    let error = |error| Error::system(format!("{shown} can't be read"), LOOK)(error);
    let file = match open::without_following(file) {
        Ok(file) => open::regular(file).map_err(error)?,
        Err(found) if found.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(found) => return Err(error(found)),
    };
    let mut content = Vec::new();
    file.take(SIZE_MAX + 1)
        .read_to_end(&mut content)
        .map_err(error)?;
    Ok(Some(content))
}

/// Deploy files that were changed, and can be put back.
pub(super) struct WrittenFile<'p> {
    top: PathBuf,
    files: Vec<&'p ProposedFile>,
    /// The folders that were made, the outer ones first.
    folders: Vec<PathBuf>,
}

impl<'p> WrittenFile<'p> {
    /// Nothing is changed yet.
    pub(super) fn new(top: &Path) -> Self {
        Self {
            top: top.to_owned(),
            files: Vec::new(),
            folders: Vec::new(),
        }
    }

    /// Puts the new entry on top of a file, and makes what is missing.
    ///
    /// # Errors
    /// It can't be written. It may be written in part, until it is put back.
    pub(super) fn write(&mut self, file: &'p ProposedFile) -> Result<(), Error> {
        let path = self.top.join(&file.path);
        let error = |path: &Path| Error::system(format!("{} can't be written", shown(path)), LOOK);
        let folders = path.ancestors().skip(1);
        let missing: Vec<&Path> = folders.take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(error(folder))?;
            self.folders.push(folder.to_owned());
        }
        self.files.push(file);
        overwrite(&path, &file.content()).map_err(error(&path))
    }

    /// Puts everything back as it was.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn put_back(self) -> Result<(), Error> {
        for file in &self.files {
            let path = self.top.join(&file.path);
            let done = match &file.old {
                Some(old) => overwrite(&path, old),
                None => fs::remove_file(&path),
            };
            let what = format!("{} can't be put back as it was", shown(&path));
            let hint = "git has its content: git restore -SW FILE, or git rm --cached FILE";
            done.map_err(Error::system(what, hint))?;
        }
        // A hook may have put something else there.
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}

fn overwrite(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = open::to_overwrite_without_following(path, 0o666)?;
    file.write_all(content)
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 300)
}
