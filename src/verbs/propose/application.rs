//! The clone of an application, and which of its commits is meant.

use super::super::error::Error;
use super::request::ProposeRequest;
use crate::clone::{DeployClone, LocalClone, RemoteTip};
use crate::git::newest_commits;
use crate::id::{Application, Revision};
use crate::policy::{Commits, Direction};
use crate::proposal::ProposalSource;
use crate::text;

/// The clone of an application, after it was fetched.
pub(super) struct ApplicationClone {
    pub(super) clone: LocalClone,
    application: Application,
    /// The name of its remote. `None`: it has none.
    remote: Option<String>,
    /// Whether no remote may be asked.
    is_offline: bool,
}

impl ApplicationClone {
    /// Finds the clone and fetches it. `known` is a commit that it should have.
    ///
    /// # Errors
    /// There is none, or it can't be fetched.
    pub(super) fn find(
        deploy: &DeployClone,
        application: &Application,
        request: &ProposeRequest,
        known: Option<&Revision>,
    ) -> Result<Self, Error> {
        let named = request.application_repository.as_deref();
        let clone = deploy.clone.application(application, named, known)?;
        let is_offline = request.chosen.is_offline;

        let remote = clone.remote(None)?;
        if let Some(remote) = remote.as_ref().filter(|_| !is_offline) {
            remote.fetch(&[])?;
        }
        let remote = remote.map(|remote| remote.name);
        Ok(Self {
            clone,
            application: application.clone(),
            remote,
            is_offline,
        })
    }

    /// The commit at the tip of the application's deploy branch: the one that HEAD of its remote
    /// names.
    ///
    /// # Errors
    /// There is no such branch, or the remote can't be asked.
    pub(super) fn deploy_branch(&self) -> Result<(Revision, ProposalSource), Error> {
        let remote = match &self.remote {
            Some(name) => self.clone.remote(Some(name))?,
            None => None,
        };
        let Some(remote) = remote else {
            return self.own_head();
        };
        let tip = if self.is_offline {
            remote.remembered(None, &[])?
        } else {
            remote.ask(None, &[])?
        };
        let RemoteTip {
            branch: Some(branch),
            commit: Some(commit),
            ..
        } = tip
        else {
            let shown = remote.shown();
            return Err(Error::refused(
                format!(
                    "HEAD of the remote {shown} of {} names no branch that is there",
                    self.clone
                ),
                format!(
                    "name a revision of {}, for example {shown}/BRANCH",
                    self.application
                ),
            ));
        };
        let name = self.named(&format!("{}/{branch}", remote.name));
        Ok((commit, name))
    }

    /// The commit at HEAD of a bare repository that is no copy of another one.
    fn own_head(&self) -> Result<(Revision, ProposalSource), Error> {
        if self.clone.has_work_tree {
            return Err(Error::refused(
                format!(
                    "{} has no remote whose newest commit could be taken",
                    self.clone
                ),
                "name the revision",
            ));
        }
        let head = self.clone.head()?;
        let head = head.ok_or_else(|| self.no_commit("HEAD"))?;
        Ok((head, self.named("HEAD")))
    }

    /// The commit that a person names.
    ///
    /// # Errors
    /// There is no such commit, or the name has two meanings.
    pub(super) fn resolve(&self, name: &str) -> Result<(Revision, ProposalSource), Error> {
        let of_remote = self
            .remote
            .as_ref()
            .map(|remote| format!("{remote}/{name}"));
        if let Some(of_remote) = &of_remote {
            self.check_one_branch(name, of_remote)?;
        }
        let mut found = self.clone.resolve(name)?;
        if let (None, Some(of_remote)) = (&found, &of_remote) {
            found = self.clone.resolve(of_remote)?;
        }
        let commit = found.ok_or_else(|| self.no_commit(&text::quote(name, 100)))?;
        let is_hash = commit.as_str().starts_with(&name.to_ascii_lowercase());
        let name = if is_hash { "a commit" } else { name };
        Ok((commit, self.named(name)))
    }

    /// Checks that a branch is where its remote has it. An old copy of a branch is what nobody
    /// wants to deploy.
    fn check_one_branch(&self, name: &str, of_remote: &str) -> Result<(), Error> {
        let tip = |full_name: String| self.clone.resolve(&full_name);
        let own = tip(format!("refs/heads/{name}"))?;
        let other = tip(format!("refs/remotes/{of_remote}"))?;
        match (own, other) {
            (Some(own), Some(other)) if own != other => {
                let (name, of_remote) = (text::escape(name, 100), text::escape(of_remote, 100));
                Err(Error::refused(
                    format!(
                        "the branch {name} of {} is {}, and {of_remote} is {}",
                        self.clone,
                        own.short(),
                        other.short()
                    ),
                    format!("write {of_remote}, or refs/heads/{name}"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a commit is there that a file or the published status names.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check_has(&self, commit: &Revision) -> Result<(), Error> {
        if self.clone.repository.has_commit(commit)? {
            return Ok(());
        }
        Err(self.no_commit(commit.short()))
    }

    /// What is said against a commit that only this clone has; `None`: nothing.
    ///
    /// # Errors
    /// git can't be asked.
    pub(super) fn unpublished(&self, commit: &Revision) -> Result<Option<String>, Error> {
        let Some(remote) = self.remote.as_ref().filter(|_| self.clone.has_work_tree) else {
            return Ok(None);
        };
        let contains = format!("--contains={commit}");
        let folder = format!("refs/remotes/{remote}/");
        let arguments = ["for-each-ref", "--count=1", &contains, &folder];
        let found = self.clone.git.answer(&arguments)?;
        let warning = || {
            format!(
                "warning: no branch of {} has {}: push it there before the deploy file is pushed",
                text::escape(remote, 80),
                commit.short()
            )
        };
        Ok(found.is_empty().then(warning))
    }

    /// The commits of `from` that `to` does not have. With a `folder`, those in it are counted too,
    /// and are the ones that are named.
    ///
    /// # Errors
    /// It can't be found out.
    pub(super) fn lost(
        &self,
        from: &Revision,
        to: &Revision,
        folder: Option<&str>,
    ) -> Result<Commits, Error> {
        match self.clone.repository.direction(from, to, folder) {
            Direction::Same | Direction::Ahead => Ok(Commits::default()),
            Direction::Behind(lost) | Direction::Diverged { lost, .. } => Ok(lost),
            Direction::FromRemoved => Err(self.no_commit(from.short())),
            Direction::Unknown(why) => Err(Error::refused(
                format!("what {} would lose is unknown: {why}", to.short()),
                "if the clone is shallow: git fetch --unshallow",
            )),
        }
    }

    /// The commits that `to` has and `from` does not have, at most `most` of them by name, and
    /// likewise with a `folder`.
    ///
    /// # Errors
    /// git can't be asked.
    pub(super) fn gained(
        &self,
        from: Option<&Revision>,
        to: &Revision,
        most: usize,
        folder: Option<&str>,
    ) -> Result<Commits, Error> {
        let git_dir = self.clone.repository.path();
        Ok(newest_commits(git_dir, from, to, most as u64, folder)?)
    }

    fn named(&self, name: &str) -> ProposalSource {
        ProposalSource::Named(format!("{name} of {}", self.application))
    }

    fn no_commit(&self, name: &str) -> Error {
        Error::refused(
            format!("there is no commit {name} in {}", self.clone),
            format!(
                "if this is not the clone of {}: --application-repository FOLDER",
                self.application
            ),
        )
    }
}
