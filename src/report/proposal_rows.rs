//! A proposal as rows, for programs.

use serde::Serialize;

use super::plan_rows::CommitRow;
use crate::id::{Application, Environment, Revision, Target};
use crate::policy::Commits;
use crate::proposal::ProposedStep;

/// What is proposed for one application, or why nothing is. The keys are stable.
#[derive(Debug, Serialize)]
pub struct ProposalRow {
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
    /// The path of the deploy file; null if nothing is proposed.
    pub path: Option<String>,
    /// What the file asks for now; null if there is no file yet.
    pub from: Option<Revision>,
    /// The revision that is proposed; null if none is.
    pub to: Option<Revision>,
    /// How many commits it gains.
    pub gained: Option<u64>,
    /// How many commits it loses.
    pub lost: Option<u64>,
    /// The folder of the repository that is deployed, as it is published; null: it is all of it, or
    /// nothing is known of one.
    pub subdirectory: Option<String>,
    /// How many of the commits gained change something in this folder.
    pub gained_in_subdirectory: Option<u64>,
    /// How many of the commits lost change something in this folder.
    pub lost_in_subdirectory: Option<u64>,
    /// The newest of those gained. Where a folder is deployed, they are the newest of those in it.
    pub gained_commits: Vec<CommitRow>,
    /// The newest of those lost, likewise.
    pub lost_commits: Vec<CommitRow>,
    /// What a person should know.
    pub remarks: Vec<String>,
    /// Why nothing is proposed; null if something is.
    pub left_out: Option<String>,
    /// The commit that was made; null if none was.
    pub commit: Option<Revision>,
}

impl ProposalRow {
    /// The row of an application for which something is proposed. `commit` is the commit that was
    /// made.
    #[must_use]
    pub fn proposed(step: &ProposedStep, commit: Option<&Revision>) -> Self {
        let rows = |commits: &Commits| commits.newest.iter().map(CommitRow::of).collect();
        let in_folder = |commits: &Commits| commits.in_folder.as_ref().map(|found| found.count);
        let gained_in_folder = in_folder(&step.gained);
        Self {
            path: Some(step.file.path.clone()),
            from: step.from.clone(),
            to: Some(step.to.clone()),
            gained: Some(step.gained.count),
            lost: Some(step.lost.count),
            subdirectory: step.gained.in_folder.clone().map(|found| found.folder),
            gained_in_subdirectory: gained_in_folder,
            // Where none are lost, nobody was asked about the folder.
            lost_in_subdirectory: in_folder(&step.lost).or(gained_in_folder.map(|_| 0)),
            gained_commits: rows(&step.gained),
            lost_commits: rows(&step.lost),
            remarks: step.remarks.clone(),
            commit: commit.cloned(),
            ..Self::left_out(&step.target, None)
        }
    }

    /// The row of an application for which nothing is proposed.
    #[must_use]
    pub fn left_out(target: &Target, why: Option<&str>) -> Self {
        Self {
            environment: target.environment.clone(),
            application: target.application.clone(),
            path: None,
            from: None,
            to: None,
            gained: None,
            lost: None,
            subdirectory: None,
            gained_in_subdirectory: None,
            lost_in_subdirectory: None,
            gained_commits: Vec::new(),
            lost_commits: Vec::new(),
            remarks: Vec::new(),
            left_out: why.map(str::to_owned),
            commit: None,
        }
    }
}
