//! What is proposed for one application, or why nothing is.

use super::super::error::Error;
use super::application::ApplicationClone;
use super::deploy_files::read;
use super::situation::Situation;
use crate::deploy_path::deploy_path;
use crate::deployfile::{self, ContentError, SIZE_MAX};
use crate::id::{Environment, Revision, Target};
use crate::policy::Commits;
use crate::proposal::{
    Entry, ProposalSource, ProposedFile, ProposedStep, commit_lines, lines_between, revisions_below,
};
use crate::report::PublishedRow;
use crate::text::escape;

/// How many commits are named for the person, at least.
const NAMED_MIN: usize = 10;

/// Why nothing is proposed for an application.
pub(super) enum NotProposed {
    /// It needs nothing, or may not have it. Of several applications, the others are proposed.
    Left {
        /// What was found.
        why: String,
        /// What to do.
        hint: String,
    },
    /// It can't be said what is to be proposed.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for NotProposed {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NotProposed {
    fn left(why: String, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        Self::Left { why, hint }
    }
}

/// The deploy file of an application now, and what is known of it.
struct Present<'s> {
    target: Target,
    path: String,
    old: Option<Vec<u8>>,
    /// What it asks for.
    from: Option<Revision>,
    /// What is published of it.
    row: Option<&'s PublishedRow>,
}

impl Situation<'_> {
    /// What is proposed for an application.
    pub(super) fn step(&self, target: &Target) -> Result<ProposedStep, NotProposed> {
        let present = self.present(target)?;
        let request = self.request;
        if request.is_redeploy {
            return redeploy(present);
        }
        let known = match &request.from {
            Some(environment) => Some(self.elsewhere(environment, target)?),
            None => None,
        };
        if let Some((to, _)) = &known {
            check_is_new(&present, to)?;
        }

        let named = request.revision.as_ref();
        let named = named.and_then(|name| Revision::new(name).ok());
        let expected = [
            present.from.as_ref(),
            known.as_ref().map(|(to, _)| to),
            named.as_ref(),
        ];
        let expected = expected.into_iter().flatten().next();
        let clone = ApplicationClone::find(self.deploy, &target.application, request, expected)?;
        let (to, source) = match (known, &request.revision) {
            (Some((to, source)), _) => {
                clone.check_has(&to)?;
                (to, source)
            }
            (None, Some(name)) => clone.resolve(name)?,
            (None, None) if request.rollback.is_some() => {
                (before(&present, &clone)?, ProposalSource::Before)
            }
            (None, None) => clone.deploy_branch()?,
        };
        check_is_new(&present, &to)?;
        let lost = lost(&present, &clone, &to)?;
        self.check_direction(&present, &to, &lost)?;

        let most = request.lines_max.max(NAMED_MIN);
        let gained = clone.gained(present.from.as_ref(), &to, most, present.subdirectory())?;
        let lines = self.lines(&present, &to, &source, &gained)?;
        let mut remarks = vec![format!("the commits are those of {}", clone.clone)];
        remarks.extend(clone.unpublished(&to)?);
        Ok(present.propose(to, source, (gained, lost), lines, remarks)?)
    }

    /// The deploy file as it is, and what is known of it.
    fn present(&self, target: &Target) -> Result<Present<'_>, Error> {
        let old = read(self.deploy, self.head.as_ref(), target)?;
        let path = deploy_path(&self.deploy.root, target);
        let from = match old.as_deref().map(deployfile::revision) {
            Some(Ok(revision)) => Some(revision),
            None | Some(Err(ContentError::NoRevision)) => None,
            Some(Err(error)) => {
                return Err(Error::refused(
                    format!("{}: {error}", escape(&path, 300)),
                    "correct the file first: nobody can tell what it asked for",
                ));
            }
        };
        Ok(Present {
            target: target.clone(),
            path,
            old,
            from,
            row: self.status.as_ref().and_then(|status| status.of(target)),
        })
    }

    /// What another environment has of an application: what is deployed there by the published
    /// status, or else what is wanted there.
    fn elsewhere(
        &self,
        environment: &Environment,
        target: &Target,
    ) -> Result<(Revision, ProposalSource), NotProposed> {
        let there = target_in(environment, target);
        if let Some(status) = &self.status {
            let row = status.of(&there);
            if row.is_none() && status.left_out > 0 {
                let what = format!("the published status does not say what is deployed of {there}");
                let hint = "it has only a part of the applications; name the revision";
                return Err(Error::refused(what, hint).into());
            }
            if let Some(deployed) = row.and_then(|row| row.deployed.clone()) {
                let id = row.and_then(|row| row.deployment);
                return Ok((deployed, ProposalSource::Deployed(environment.clone(), id)));
            }
            let why = format!(
                "by {}, nothing is deployed of {there}",
                self.deploy.status_ref
            );
            return Err(NotProposed::left(why, "deploy it there first"));
        }
        match self.at_branch.get(&there) {
            Some(Some(wanted)) => Ok((wanted.clone(), ProposalSource::Wanted(environment.clone()))),
            Some(None) => {
                let why = format!("the deploy file of {there} asks for no revision");
                Err(NotProposed::left(why, "correct it first"))
            }
            None => {
                let why = format!("there is no deploy file of {there}");
                Err(NotProposed::left(why, "deploy it there first"))
            }
        }
    }

    /// Refuses what would go back, or what would not and claims to.
    fn check_direction(
        &self,
        present: &Present<'_>,
        to: &Revision,
        lost: &Commits,
    ) -> Result<(), NotProposed> {
        let (target, short) = (&present.target, to.short());
        match (&self.request.rollback, lost.count) {
            (None, 0) | (Some(_), 1..) => Ok(()),
            (Some(_), 0) => Err(NotProposed::left(
                format!("{short} is no rollback of {target}: no commit would be lost"),
                "leave out --rollback",
            )),
            (None, _) => Err(NotProposed::left(
                format!(
                    "{short} goes back: {target} would lose {}:{}",
                    lost.count_in_words(),
                    lost.lines()
                ),
                format!(
                    "propose a revision that has them; if going back is intended: \
                     deploy-by-code propose {target} --rollback REASON {short}, which gives the \
                     commit the trailer Deploy-Rollback: REASON"
                ),
            )),
        }
    }

    /// The lines of the entry.
    fn lines(
        &self,
        present: &Present<'_>,
        to: &Revision,
        source: &ProposalSource,
        gained: &Commits,
    ) -> Result<Vec<String>, Error> {
        let most = self.request.lines_max;
        if let Some(environment) = &self.request.from
            && matches!(
                source,
                ProposalSource::Deployed(..) | ProposalSource::Wanted(_)
            )
            && let Some(tip) = &self.deploy.tip
        {
            let there = target_in(environment, &present.target);
            let repository = &self.deploy.clone.repository;
            let content = repository.deploy_file(tip, &self.deploy.root, &there)?;
            let content = content.unwrap_or_default();
            if let Some(lines) = lines_between(&content, present.from.as_ref(), to, most) {
                return Ok(lines);
            }
        }

        let reason = self.request.rollback.as_ref().map(|reason| {
            let from = present.from.as_ref().map_or("nothing", Revision::short);
            format!("* Roll back from {from}: {}", escape(reason, 200))
        });
        let commits = commit_lines(gained, most);
        Ok(reason.into_iter().chain(commits).collect())
    }
}

/// The same application in another environment.
fn target_in(environment: &Environment, target: &Target) -> Target {
    Target {
        environment: environment.clone(),
        application: target.application.clone(),
    }
}

/// Proposes once more what the file asks for.
fn redeploy(present: Present<'_>) -> Result<ProposedStep, NotProposed> {
    let Some(to) = present.from.clone() else {
        let why = format!("{} asks for no revision yet", present.path);
        return Err(NotProposed::left(why, "leave out --redeploy"));
    };
    let lines = vec!["* Deploy again".to_owned()];
    let commits = (Commits::default(), Commits::default());
    Ok(present.propose(to, ProposalSource::Again, commits, lines, Vec::new())?)
}

/// Refuses what the file asks for already.
fn check_is_new(present: &Present<'_>, to: &Revision) -> Result<(), NotProposed> {
    if present.from.as_ref() != Some(to) {
        return Ok(());
    }
    let state = present.deployed().map(|state| format!("; {state}"));
    let why = format!(
        "{} asks for {} already{}",
        present.path,
        to.short(),
        state.unwrap_or_default()
    );
    Err(NotProposed::left(why, "to deploy it once more: --redeploy"))
}

/// The commits that a revision loses, of what the file asks for or of what is deployed.
fn lost(present: &Present<'_>, clone: &ApplicationClone, to: &Revision) -> Result<Commits, Error> {
    let deployed = present.row.and_then(|row| row.deployed.as_ref());
    let mut bases = present.from.iter().chain(deployed);
    bases.try_fold(Commits::default(), |known, base| {
        if known.count > 0 {
            return Ok(known);
        }
        clone.lost(base, to, present.subdirectory())
    })
}

/// The revision before, by the history in the file: the newest that does not have the present one.
/// What was wanted before an earlier rollback does have it.
fn before(present: &Present<'_>, clone: &ApplicationClone) -> Result<Revision, NotProposed> {
    let content = present.old.as_deref().unwrap_or_default();
    if let Some(from) = &present.from {
        for earlier in revisions_below(content) {
            if earlier == *from {
                continue;
            }
            clone.check_has(&earlier)?;
            if !clone.clone.repository.contains(&earlier, from)? {
                return Ok(earlier);
            }
        }
    }
    let why = format!(
        "the history in {} has no revision to go back to",
        present.path
    );
    Err(NotProposed::left(why, "name the revision"))
}

impl Present<'_> {
    /// The folder of the repository that is deployed; `None`: it is all of it, or none is
    /// published.
    fn subdirectory(&self) -> Option<&str> {
        Some(self.row?.subdirectory.as_ref()?.as_str())
    }

    /// What is deployed now, by the published status; `None`: nothing is published of it.
    fn deployed(&self) -> Option<String> {
        let row = self.row?;
        let Some(deployed) = &row.deployed else {
            return Some("nothing is deployed yet".to_owned());
        };
        let mut words = format!("{} is deployed", deployed.short());
        if let Some(id) = row.deployment {
            words.push_str(&format!(" ({id})"));
        }
        if let Some(since) = row.since {
            words.push_str(&format!(" since {}", since.minute()));
        }
        if let Some(by) = &row.by {
            words.push_str(&format!(" by {}", escape(by, 64)));
        }
        words.extend(row.remark().map(|remark| format!(", {remark}")));
        Some(words)
    }

    /// The step, if the file does not become too large.
    fn propose(
        self,
        to: Revision,
        source: ProposalSource,
        (gained, lost): (Commits, Commits),
        lines: Vec<String>,
        mut remarks: Vec<String>,
    ) -> Result<ProposedStep, Error> {
        remarks.extend(self.deployed());
        if self
            .row
            .is_some_and(|row| row.rolled_back.as_ref() == Some(&to))
        {
            remarks.push(format!(
                "warning: {} was rolled back, and is held back until a commit says \
                 Deploy-Release: REASON",
                to.short()
            ));
        }
        let entry = Entry {
            revision: to.clone(),
            lines,
        };
        let file = ProposedFile {
            entry: entry.text(self.old.as_deref().unwrap_or_default()),
            path: self.path,
            old: self.old,
        };
        if file.content().len() as u64 > SIZE_MAX {
            return Err(Error::refused(
                format!("{} would be larger than {SIZE_MAX} bytes", file.path),
                "remove its oldest entries first, in a commit of their own",
            ));
        }
        Ok(ProposedStep {
            target: self.target,
            from: self.from,
            to,
            source,
            gained,
            lost,
            remarks,
            file,
        })
    }
}
