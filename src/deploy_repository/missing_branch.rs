//! A deploy branch that does not exist, though other branches do.

use std::fmt;
use std::path::PathBuf;

use super::install_record::InstallRecord;
use super::repository::DeployRepository;
use crate::git;
use crate::text;

/// How many other branches are named.
const NAMED_MAX: usize = 3;

/// The deploy branch does not exist, though other branches do: somebody may have pushed to one of
/// them and wait for a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingBranch {
    /// The full name of the deploy branch.
    pub branch: String,
    /// Whether the configuration names it. Otherwise, HEAD does.
    is_configured: bool,
    /// The full names of the other branches.
    others: Vec<String>,
    /// Whether pushes to the branch are refused until `install` has run.
    needs_install: bool,
    repository: PathBuf,
}

impl DeployRepository {
    /// The deploy branch, if it does not exist though other branches do.
    ///
    /// # Errors
    /// The branches can't be read.
    pub fn missing_branch(&self) -> Result<Option<MissingBranch>, git::Error> {
        if self.repository.branch_tip(&self.branch)?.is_some() {
            return Ok(None);
        }
        let others = self.repository.branches()?;
        let recorded = InstallRecord::read(self.repository.path());
        Ok((!others.is_empty()).then(|| MissingBranch {
            branch: self.branch.clone(),
            is_configured: self.config.branch.is_some(),
            others,
            needs_install: self.check_as_installed(recorded).is_err(),
            repository: self.repository.path().to_owned(),
        }))
    }
}

impl MissingBranch {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let branch = shown(&self.branch);
        let other = self.others.first().map_or_else(String::new, shown);
        let repository = text::escape(self.repository.as_os_str().as_encoded_bytes(), 200);
        let install = format!("deploy-by-code -C {repository} install");

        if self.needs_install {
            let what = if self.is_configured {
                "branch in the configuration"
            } else {
                "HEAD"
            };
            return format!(
                "the hooks were installed for another branch or state; if {branch} is meant, run \
                 on the server, before the next push: {install}; if not, undo the change of {what}"
            );
        }
        let change = if self.is_configured {
            format!("correct branch in the configuration, and run: {install}")
        } else {
            format!(
                "make {other} the deploy branch: git -C {repository} symbolic-ref HEAD {other}; \
                 {install}"
            )
        };
        format!("push to {branch}; or, on the server, {change}")
    }
}

impl fmt::Display for MissingBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.is_configured {
            "the configuration"
        } else {
            "HEAD"
        };
        let mut others: Vec<String> = self.others.iter().take(NAMED_MAX).map(shown).collect();
        if self.others.len() > NAMED_MAX {
            others.push("…".to_owned());
        }
        write!(
            f,
            "the deploy branch is {}, as {by} says, and it does not exist; there is {}",
            shown(&self.branch),
            others.join(", ")
        )
    }
}

fn shown(name: impl AsRef<str>) -> String {
    text::escape(name.as_ref(), 100)
}
