//! The repository that a clone was made of.

use std::collections::BTreeMap;

use super::error::Error;
use super::local_clone::LocalClone;
use super::users_git::unexpected;
use crate::id::Revision;
use crate::text;

/// The remote that a clone has by default (git-clone(1)).
const DEFAULT: &str = "origin";

/// What to do where HEAD of a remote can't be followed.
const NAME_ONE: &str = "name the right one: --branch BRANCH for the deploy repository, or a \
                        revision for an application";

/// A remote of a clone.
pub struct Remote<'c> {
    clone: &'c LocalClone,
    /// Its name.
    pub name: String,
}

/// A branch of a remote, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTip {
    /// The branch, without `refs/heads/`. `None`: the remote has no branch yet.
    pub branch: Option<String>,
    /// The commit at its tip. `None`: it does not exist.
    pub commit: Option<Revision>,
    /// The other refs that were asked for, as far as they exist.
    pub others: BTreeMap<String, Revision>,
}

impl LocalClone {
    /// A remote of this clone: the one that is named, or else the one that the branch of the work
    /// tree has as its upstream, or else `origin`, or else the only one. `None`: there is no
    /// remote.
    ///
    /// # Errors
    /// There is no remote of that name, or there are several, or git can't be asked.
    pub fn remote(&self, named: Option<&str>) -> Result<Option<Remote<'_>>, Error> {
        let remotes = self.text_if_any(&["remote"])?.unwrap_or_default();
        let remotes: Vec<&str> = remotes.lines().collect();
        let remote = |name: &str| Remote {
            clone: self,
            name: name.to_owned(),
        };

        if let Some(named) = named {
            if remotes.contains(&named) {
                return Ok(Some(remote(named)));
            }
            let message = format!("{self} has no remote {}", text::quote(named, 80));
            return Err(Error::unnamed(message, known(&remotes)));
        }
        let upstream = match self.branch()? {
            Some(branch) => self.setting(&format!("branch.{branch}.remote"))?,
            None => None,
        };
        let candidates = [upstream.as_deref(), Some(DEFAULT)];
        let mut candidates = candidates.into_iter().flatten();
        if let Some(found) = candidates.find(|name| remotes.contains(name)) {
            return Ok(Some(remote(found)));
        }
        match remotes.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(remote(only))),
            several => Err(Error::unnamed(
                format!("{self} has several remotes, and none of them is {DEFAULT}"),
                known(several),
            )),
        }
    }
}

/// What to do where no remote was found.
fn known(remotes: &[&str]) -> String {
    let shown: Vec<String> = remotes.iter().map(|name| text::escape(name, 80)).collect();
    if shown.is_empty() {
        "it has none; to add one: git remote add origin URL".to_owned()
    } else {
        format!("name one of its remotes: {}", shown.join(", "))
    }
}

/// Whether the name of a branch, as a remote says it, can become a part of what git and people
/// type: in a refspec or a shell, other characters could mean something.
fn is_plain(branch: &str) -> bool {
    let mut characters = branch.chars();
    !branch.starts_with('-')
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | '+' | '#'))
}

impl Remote<'_> {
    /// Asks the remote where a branch is; `None`: the branch that its HEAD names. It is also asked
    /// for some other refs by their full names.
    ///
    /// # Errors
    /// The remote can't be asked, and git has said why; or its answer can't be understood.
    pub fn ask(&self, branch: Option<&str>, others: &[&str]) -> Result<RemoteTip, Error> {
        let full_name = branch.map(|branch| format!("refs/heads/{branch}"));
        let name = full_name.as_deref().unwrap_or("HEAD");
        let mut arguments = vec!["ls-remote", "--quiet", "--symref", "--", &self.name, name];
        arguments.extend(others);
        let printed = self.clone.git.answer(&arguments)?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let wrong = |line: &str| unexpected("ls-remote", line.as_bytes());

        // A remote has more refs that end with these names.
        let mut head_branch = None;
        let mut tips: BTreeMap<String, Revision> = BTreeMap::new();
        for line in printed.lines() {
            let (value, found) = line.split_once('\t').ok_or_else(|| wrong(line))?;
            if found != name && !others.contains(&found) {
                continue;
            }
            if let Some(target) = value.strip_prefix("ref: ") {
                let is_head = found == "HEAD";
                head_branch = head_branch.or_else(|| {
                    let branch = target.strip_prefix("refs/heads/");
                    branch.filter(|_| is_head).map(str::to_owned)
                });
                continue;
            }
            let revision = Revision::new(value).map_err(|_| wrong(line))?;
            tips.insert(found.to_owned(), revision);
        }
        let commit = tips.remove(name);
        match &head_branch {
            Some(strange) if !is_plain(strange) => {
                let strange = text::quote(strange, 100);
                return Err(Error::unnamed(
                    format!(
                        "HEAD of the remote {} names the branch {strange}",
                        self.shown()
                    ),
                    NAME_ONE,
                ));
            }
            None if commit.is_some() && branch.is_none() => {
                return Err(Error::unnamed(
                    format!("HEAD of the remote {} names no branch", self.shown()),
                    NAME_ONE,
                ));
            }
            _ => {}
        }
        Ok(RemoteTip {
            branch: branch.map(str::to_owned).or(head_branch),
            commit,
            others: tips,
        })
    }

    /// What is known of the remote without asking it: what was fetched last. `others` are refs of
    /// the clone itself.
    ///
    /// # Errors
    /// The refs can't be read, or nothing says which branch the remote's HEAD names.
    pub fn remembered(&self, branch: Option<&str>, others: &[&str]) -> Result<RemoteTip, Error> {
        let prefix = format!("refs/remotes/{}/", self.name);
        let branch = match branch {
            Some(branch) => branch.to_owned(),
            None => self.head_branch(&prefix)?,
        };
        let repository = &self.clone.repository;
        let commit = repository.branch_tip(&format!("{prefix}{branch}"))?;

        let mut tips = BTreeMap::new();
        for name in others {
            if let Some(tip) = repository.branch_tip(name)? {
                tips.insert((*name).to_owned(), tip);
            }
        }
        Ok(RemoteTip {
            branch: Some(branch),
            commit,
            others: tips,
        })
    }

    /// The branch that HEAD of the remote named when the clone was made.
    fn head_branch(&self, prefix: &str) -> Result<String, Error> {
        let head = format!("{prefix}HEAD");
        let arguments = ["symbolic-ref", "--quiet", &head];
        let target = self.clone.text_if_any(&arguments)?;
        let branch = target.as_deref().and_then(|name| name.strip_prefix(prefix));
        branch.map(str::to_owned).ok_or_else(|| {
            let name = self.shown();
            Error::unnamed(
                format!("the clone does not know the branch that HEAD of {name} names"),
                format!("name the branch, or run: git remote set-head {name} --auto"),
            )
        })
    }

    /// Fetches some refs, or without any what the clone is configured to fetch.
    ///
    /// # Errors
    /// git could not, and has said why.
    pub fn fetch(&self, refspecs: &[String]) -> Result<(), Error> {
        let mut arguments = vec!["fetch", "--quiet", "--", &self.name];
        arguments.extend(refspecs.iter().map(String::as_str));
        self.clone.git.run(&arguments)
    }

    /// Its name, for a message.
    #[must_use]
    pub fn shown(&self) -> String {
        text::escape(&self.name, 80)
    }
}
