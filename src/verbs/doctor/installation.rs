//! What all checks look at: one installation.

use std::collections::BTreeMap;
use std::path::Path;

use crate::deploy_repository::{ConfigError, DeployRepository};
use crate::git;
use crate::hook_files::Places;
use crate::id::{Revision, Target};
use crate::judging;
use crate::text;
use crate::verbs::hook_faults::hook_places;

/// What `doctor` needs to be given.
pub struct Request<'a> {
    /// The repository.
    pub deploy: &'a DeployRepository,
    /// What is wrong with its configuration, if anything.
    pub config_error: Option<ConfigError>,
    /// The file of this program.
    pub program: &'a Path,
    /// The version of this program.
    pub version: &'a str,
    /// A folder for temporary files.
    pub temporary: &'a Path,
    /// Why this user may not run the hooks of the repository; `None`: they are run.
    pub untried: Option<String>,
}

/// The installation that the checks look at, with what several of them need to know.
pub(super) struct Installation<'a> {
    pub(super) request: Request<'a>,
    pub(super) deploy: &'a DeployRepository,
    /// The targets of all deploy files, and the revisions that these ask for.
    pub(super) wanted: Result<BTreeMap<Target, Revision>, git::Error>,
    /// Where the links of the hooks should be.
    pub(super) hooks: Result<Places, git::Error>,
}

impl<'a> Installation<'a> {
    /// Finds out what several checks need to know.
    pub(super) fn new(request: Request<'a>) -> Self {
        let deploy = request.deploy;

        Self {
            deploy,
            wanted: wanted(deploy),
            hooks: hook_places(deploy.repository.path()),
            request,
        }
    }

    /// The git folder of the repository.
    pub(super) fn git_dir(&self) -> &Path {
        self.deploy.repository.path()
    }

    /// The fix "run this command of this program on the repository".
    pub(super) fn run(&self, command: &str) -> String {
        let repository = shown(self.git_dir());
        format!("run: deploy-by-code -C {repository} {command}")
    }

    /// The fix "give git this setting in the repository".
    pub(super) fn set(&self, setting: &str) -> String {
        let repository = shown(self.git_dir());
        format!("git -C {repository} config {setting}")
    }
}

fn wanted(deploy: &DeployRepository) -> Result<BTreeMap<Target, Revision>, git::Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    judging::wanted(deploy, tip.as_ref())
}

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
