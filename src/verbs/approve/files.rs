//! The deploy files that a branch changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::error::Error;
use crate::candidate::{Candidate, Intent, candidates};
use crate::clone::{DeployClone, NamedCommit, SignatureHint};
use crate::deployfile::newest_entry;
use crate::git::{DeepScan, commits_between};
use crate::id::{Revision, Target};
use crate::policy::{Commits, TracedFile};
use crate::report::{CommitsUnseen, FileToApprove, StatusFile, shown_entry};
use crate::text;

/// How many deploy files can be approved at once. Somebody reads all of them.
const FILES_MAX: usize = 500;

/// How many commits of one kind are shown for each file: the server checks no more signatures.
const COMMITS_MAX: usize = 20;

/// The deploy files that a branch changes.
pub(super) struct FilesOfBranch {
    pub(super) files: Vec<FileToApprove>,
    /// What the person should know besides.
    pub(super) warnings: Vec<String>,
}

/// Finds the deploy files that a commit changes against the deploy branch. `status` is what the
/// server publishes of them.
///
/// # Errors
/// There are none, or the deploy branch has changed one of them too.
pub(super) fn files(
    deploy: &DeployClone,
    named: &NamedCommit,
    tip: &Revision,
    status: Option<&StatusFile<'_>>,
) -> Result<FilesOfBranch, Error> {
    let (mut warnings, mut targets) = (Vec::new(), BTreeMap::new());
    for candidate in changed(deploy, named, tip)? {
        match candidate.target.clone() {
            Some(target) => drop(targets.insert(target, candidate)),
            None => {
                let path = text::escape(&candidate.change.path, 200);
                warnings.push(format!(
                    "{path} is not approved: its path names no application"
                ));
            }
        }
    }
    let branch = deploy.shown_branch();
    if targets.is_empty() {
        return Err(Error::refused(
            format!("{} changes no deploy file of {branch}", named.shown),
            format!(
                "name the branch with the change; to see those with something new: \
                 git branch -r --no-merged {}",
                text::shell_word(&branch, 200)
            ),
        ));
    }
    if targets.len() > FILES_MAX {
        return Err(Error::refused(
            format!("{} changes {} deploy files", named.shown, targets.len()),
            format!("nobody can look at more than {FILES_MAX}; ask for several smaller branches"),
        ));
    }

    let names: BTreeSet<Target> = targets.keys().cloned().collect();
    let repository = &deploy.clone.repository;
    let mut traced = repository.trace(&deploy.root, Some(tip), &named.commit, &names)?;
    let hints = hints(deploy, traced.values())?;
    let mut files = Vec::new();
    for (target, candidate) in targets {
        let traced = traced.remove(&target).unwrap_or_default();
        warnings.extend(
            traced
                .overrides
                .iter()
                .take(COMMITS_MAX)
                .map(|(commit, reason)| {
                    let reason = text::escape(reason, 200);
                    format!("{} asks to override for {target}: {reason}", commit.short())
                }),
        );
        let file = FileToApprove {
            commits: commits(deploy, &target, &candidate, subdirectory(status, &target)),
            entry: entry(deploy, &named.commit, &target)?,
            needs: status
                .and_then(|status| status.environment(&target.environment))
                .cloned(),
            changes: with_hints(&traced.changes, &hints),
            approvals: with_hints(&traced.approvals, &hints),
            void: void(&traced),
            from: candidate.from,
            intent: candidate.intent,
            target,
        };
        files.push(file);
    }
    warnings.extend(warnings_about(&files, &hints));
    Ok(FilesOfBranch { files, warnings })
}

/// The deploy files that a commit changes since it left the deploy branch.
fn changed(
    deploy: &DeployClone,
    named: &NamedCommit,
    tip: &Revision,
) -> Result<Vec<Candidate>, Error> {
    let repository = &deploy.clone.repository;
    let Some(base) = repository.common_commit(tip, &named.commit)? else {
        return Err(Error::refused(
            format!(
                "{} has no commit in common with {}",
                named.shown,
                deploy.shown_branch()
            ),
            "name a branch that began at the deploy branch",
        ));
    };
    let changes = |from: &Revision, to: &Revision| {
        repository.changes(&deploy.root, Some(from), Some(to), DeepScan::Everywhere)
    };
    let paths = |from, to| -> Result<BTreeSet<Vec<u8>>, Error> {
        Ok(changes(from, to)?.into_iter().map(|one| one.path).collect())
    };
    let (moved, differs) = (paths(&base, tip)?, paths(tip, &named.commit)?);

    let mut changed = changes(&base, &named.commit)?;
    // What the deploy branch has already is no change of it.
    changed.retain(|change| differs.contains(&change.path));
    let mut both = changed.iter().filter(|change| moved.contains(&change.path));
    match both.next() {
        None => Ok(candidates(changed)),
        Some(both) => Err(Error::refused(
            format!(
                "{} has changed {} too since {} began, so the server would see another content",
                deploy.shown_branch(),
                text::escape(&both.path, 200),
                named.shown
            ),
            "its author has to rebase it, or to merge the deploy branch into it, first",
        )),
    }
}

/// The folder of the repository that is deployed; `None`: it is all of it, or none is published.
fn subdirectory<'s>(status: Option<&'s StatusFile<'_>>, target: &Target) -> Option<&'s str> {
    Some(status?.of(target)?.subdirectory.as_ref()?.as_str())
}

/// The commits of the application that are gained and lost. With a `folder`, those in it are
/// counted too, and are the ones that are named.
fn commits(
    deploy: &DeployClone,
    target: &Target,
    candidate: &Candidate,
    folder: Option<&str>,
) -> Result<(Commits, Commits), CommitsUnseen> {
    let (Some(from), Intent::Deploy(to)) = (&candidate.from, &candidate.intent) else {
        return Err(CommitsUnseen(None));
    };
    let between = || -> Result<(Commits, Commits), Error> {
        let application = &target.application;
        let clone = deploy.clone.application(application, None, Some(to))?;
        let repository = &clone.repository;
        if !repository.has_commit(to)?
            && let Some(remote) = clone.remote(None)?.filter(|_| !deploy.is_offline)
        {
            remote.fetch(&[])?;
        }
        let git_dir: PathBuf = repository.path().to_owned();
        Ok((
            commits_between(&git_dir, from, to, folder)?,
            commits_between(&git_dir, to, from, folder)?,
        ))
    };
    between().map_err(|error| {
        CommitsUnseen(Some(format!(
            "its commits can't be shown: {}\n  to name its clone: git config \
             deploy-by-code.{}.repository FOLDER",
            text::with_causes(&error),
            target.application
        )))
    })
}

/// The lines of the newest entry.
fn entry(deploy: &DeployClone, commit: &Revision, target: &Target) -> Result<Vec<String>, Error> {
    let repository = &deploy.clone.repository;
    let content = repository.deploy_file(commit, &deploy.root, target)?;
    Ok(shown_entry(&newest_entry(&content.unwrap_or_default())))
}

/// What git says about the signatures of all commits that are shown.
fn hints<'t>(
    deploy: &DeployClone,
    traced: impl Iterator<Item = &'t TracedFile>,
) -> Result<BTreeMap<Revision, SignatureHint>, Error> {
    let mut commits: Vec<Revision> = traced
        .flat_map(|file| [&file.changes, &file.approvals])
        .flat_map(|commits| commits.iter().take(COMMITS_MAX))
        .cloned()
        .collect();
    commits.sort();
    commits.dedup();
    Ok(deploy.clone.signature_hints(&commits)?)
}

fn with_hints(
    commits: &[Revision],
    hints: &BTreeMap<Revision, SignatureHint>,
) -> Vec<(Revision, String)> {
    let commits = commits.iter();
    let known =
        commits.filter_map(|commit| Some((commit.clone(), hints.get(commit)?.words.clone())));
    known.collect()
}

fn void(traced: &TracedFile) -> Vec<(Revision, String)> {
    let void = traced.void.iter().take(COMMITS_MAX);
    void.map(|void| (void.commit.clone(), void.why.words()))
        .collect()
}

/// What will keep the server from counting the approval, as far as it can be seen here.
fn warnings_about(
    files: &[FileToApprove],
    hints: &BTreeMap<Revision, SignatureHint>,
) -> Vec<String> {
    let (mut own, mut unsigned) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        let needs_none = file
            .needs
            .as_ref()
            .is_some_and(|needs| needs.approvals == 0);
        let changes = file.changes.iter().map(|(commit, _)| commit);
        for (commit, hint) in changes.filter_map(|commit| hints.get_key_value(commit)) {
            if hint.is_own {
                own.insert(commit.short());
            }
            if !hint.is_signed && !needs_none {
                unsigned.insert(commit.short());
            }
        }
    }
    let named = |commits: BTreeSet<&str>| {
        let named: Vec<&str> = commits.into_iter().take(COMMITS_MAX).collect();
        named.join(", ")
    };
    let mut warnings = Vec::new();
    if !own.is_empty() {
        warnings.push(format!(
            "{} seems to be your own: the server does not count the approval of somebody who \
             changed the file",
            named(own)
        ));
    }
    if !unsigned.is_empty() {
        warnings.push(format!(
            "{} is not signed: where approvals are needed, the server refuses a change that is not \
             signed, whoever approves it",
            named(unsigned)
        ));
    }
    warnings
}
