//! Where the clone of an application is.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::local_clone::LocalClone;
use crate::git::{Repository, find_repository, open_application};
use crate::id::{Application, Revision};
use crate::text;

/// How many folders beside a clone are looked at.
const SIBLINGS_MAX: usize = 1000;

impl LocalClone {
    /// Opens the clone of an application: the folder that is named, or else that of the setting
    /// `deploy-by-code.APPLICATION.repository`, or else the folder beside this clone with the name
    /// of the application, or else the only repository beside this clone that has the commit
    /// `known`.
    ///
    /// # Errors
    /// There is none, or more than one, or it can't be opened.
    pub fn application(
        &self,
        application: &Application,
        named: Option<&Path>,
        known: Option<&Revision>,
    ) -> Result<Self, Error> {
        if let Some(named) = named {
            return Self::open(named);
        }
        let key = format!("deploy-by-code.{application}.repository");
        if let Some(folder) = self.path_setting(&key)? {
            return Self::open(&folder);
        }

        let unnamed = |message: String| {
            let hint = format!(
                "name it: --application-repository FOLDER, or for always: git config {key} FOLDER"
            );
            Error::unnamed(message, hint)
        };
        let Some(beside) = self.folder().parent() else {
            return Err(unnamed(format!("nothing is beside {self}")));
        };
        for name in [application.to_string(), format!("{application}.git")] {
            let folder = beside.join(name);
            if is_repository(&folder) && folder != self.folder() {
                return Self::open(&folder);
            }
        }

        let message = format!("there is no clone of {application} in {}", shown(beside));
        let Some(known) = known else {
            return Err(unnamed(message));
        };
        let short = known.short();
        match self.siblings_with(beside, known).as_slice() {
            [(folder, _)] => Self::open(folder),
            [] => Err(unnamed(format!(
                "{message}, and no other repository that has {short}"
            ))),
            [(one, _), (other, _), ..] => Err(unnamed(format!(
                "{message}, and more than one repository has {short}: {}, {}",
                shown(one),
                shown(other)
            ))),
        }
    }

    /// The repositories in a folder that have a commit, with their git folders. Work trees of the
    /// same repository count once. A folder that can't be looked at has none.
    fn siblings_with(&self, beside: &Path, commit: &Revision) -> Vec<(PathBuf, PathBuf)> {
        let mut folders: Vec<PathBuf> = fs::read_dir(beside)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .take(SIBLINGS_MAX)
            .collect();
        folders.sort();

        let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
        for folder in folders.into_iter().filter(|folder| is_repository(folder)) {
            let Ok(repository) = open_application(&folder) else {
                continue;
            };
            let git_dir = repository.path().to_owned();
            let is_known = found.iter().any(|(_, known)| *known == git_dir);
            let is_own = git_dir == self.repository.path();
            if !is_known && !is_own && has(&repository, commit) {
                found.push((folder, git_dir));
            }
        }
        found
    }
}

fn has(repository: &Repository, commit: &Revision) -> bool {
    repository.has_commit(commit).unwrap_or(false)
}

/// Whether a folder is itself a repository or the top of a work tree.
fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists()
        || find_repository(folder).is_ok_and(|found| {
            let own = folder.canonicalize().ok();
            found.is_some() && found == own
        })
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
