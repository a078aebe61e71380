//! Making and pushing an approval, with the person's own git.

use std::collections::BTreeSet;

use super::super::error::Error;
use super::draft::ApprovalDraft;
use super::place::ApprovalWay;
use crate::clone::Upstream;
use crate::id::{Revision, Target};
use crate::text::{escape, shell_word};

impl ApprovalDraft {
    /// The applications that are approved, in their environments.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.files.iter().map(|file| &file.target)
    }

    /// How the approval is made, in words.
    #[must_use]
    pub fn way(&self) -> String {
        let what = match self.is_merge {
            true => format!("merge of {}", self.named.shown),
            false => "empty commit".to_owned(),
        };
        let upstream = shown(&self.place.upstream);
        match &self.place.way {
            ApprovalWay::Current => {
                format!("the approval is a signed {what} on the current branch")
            }
            ApprovalWay::Local(name) => format!(
                "the approval is a signed {what} on the branch {}; your work tree and your hooks \
                 have no part in it",
                escape(name, 200)
            ),
            ApprovalWay::Remote => format!(
                "the approval is a signed {what} for {upstream}; your work tree and your hooks \
                 have no part in it"
            ),
        }
    }

    /// Makes the signed commit, and checks that it approves what was shown. Returns the commit.
    ///
    /// # Errors
    /// git can't make it, or a hook has made something else of it.
    pub fn make(&self) -> Result<Revision, Error> {
        let commit = match &self.place.way {
            ApprovalWay::Current => self.make_in_work_tree()?,
            ApprovalWay::Local(_) | ApprovalWay::Remote => self.make_beside()?,
        };
        self.check(&commit)?;

        if let ApprovalWay::Local(name) = &self.place.way {
            let full_name = format!("refs/heads/{name}");
            let (new, old) = (commit.as_str(), self.named.commit.as_str());
            let git = &self.deploy.clone.git;
            git.run(&["update-ref", "-m", "approve", &full_name, new, old])?;
        }
        Ok(commit)
    }

    /// The paragraphs of the message: the title and the trailers.
    fn paragraphs(&self) -> [String; 2] {
        let mut targets = self.targets();
        let what = match (targets.next(), targets.next()) {
            (Some(only), None) => only.to_string(),
            _ => format!("{} deploy files", self.files.len()),
        };
        let title = match self.is_merge {
            true => format!("Approve {what}, and merge {}", self.named.shown),
            false => format!("Approve {what}"),
        };
        let trailers = self.targets();
        let trailers: Vec<String> = trailers
            .map(|target| format!("Deploy-Approve: {target}"))
            .collect();
        [title, trailers.join("\n")]
    }

    fn make_in_work_tree(&self) -> Result<Revision, Error> {
        let clone = &self.deploy.clone;
        let begin: &[&str] = match self.is_merge {
            true => &["merge", "--quiet", "--no-ff", "-S", "--cleanup=verbatim"],
            // With --only, what is in the index meanwhile stays there.
            false => &[
                "commit",
                "--quiet",
                "--only",
                "--allow-empty",
                "-S",
                "--cleanup=verbatim",
            ],
        };
        let paragraphs = self.paragraphs();
        let mut arguments = begin.to_vec();
        arguments.extend(paragraphs.iter().flat_map(|text| ["-m", text]));
        arguments.extend(self.is_merge.then_some(self.named.commit.as_str()));

        let before = clone.head()?;
        let is_moved = |head: &Option<Revision>| *head != Some(self.base().clone());
        if is_moved(&before) {
            let message = "the current branch has moved in the meantime";
            return Err(Error::refused(message, "run the command again"));
        }
        let status = clone.git.show(&arguments)?;
        if !status.success() {
            if clone.resolve("MERGE_HEAD")?.is_some() {
                clone.git.run(&["merge", "--abort"])?;
            }
            return Err(Error::refused(
                "git made no commit, so nothing is approved",
                "the lines above are git's own, and say why; if there are none, a hook refused it",
            ));
        }
        let made = clone.head()?.filter(|made| Some(made) != before.as_ref());
        made.ok_or_else(|| Error::refused("git made no commit", "look at the hooks of the clone"))
    }

    /// The commit that the approval is on top of.
    fn base(&self) -> &Revision {
        match self.is_merge {
            true => &self.tip,
            false => &self.named.commit,
        }
    }

    /// Makes the commit without the work tree.
    fn make_beside(&self) -> Result<Revision, Error> {
        let clone = &self.deploy.clone;
        let commit = self.named.commit.as_str();
        let tree = match self.is_merge {
            true => {
                let arguments = ["merge-tree", "--write-tree", self.tip.as_str(), commit];
                clone.git.answer_if_any(&arguments)?.ok_or_else(|| {
                    Error::refused(
                        format!(
                            "{} can't be merged into {}: both have changed the same lines",
                            self.named.shown,
                            self.deploy.shown_branch()
                        ),
                        "its author has to merge the deploy branch into it first",
                    )
                })?
            }
            false => {
                let tree = format!("{commit}^{{tree}}");
                clone.git.answer(&["rev-parse", "--verify", &tree])?
            }
        };

        let tree = String::from_utf8_lossy(&tree).into_owned();
        let paragraphs = self.paragraphs();
        let mut arguments = vec!["commit-tree", "-S", "-p", self.base().as_str()];
        if self.is_merge {
            arguments.extend(["-p", commit]);
        }
        arguments.extend(paragraphs.iter().flat_map(|text| ["-m", text]));
        arguments.push(&tree);
        let made = clone.git.answer(&arguments).map_err(|error| {
            Error::refused(
                format!("nothing is approved: {error}"),
                "the lines above are git's own, and say why",
            )
        })?;
        let made = String::from_utf8_lossy(&made).into_owned();
        let made = clone.resolve(&made)?;
        made.ok_or_else(|| Error::refused("git made no commit", "run the command again"))
    }

    /// Checks that a commit approves what was shown, by the rules of the server.
    fn check(&self, commit: &Revision) -> Result<(), Error> {
        let other = |why: String| {
            Error::refused(
                why,
                "look at the hooks of the clone, which may have changed the commit; to give a \
                 commit of the current branch up: git reset --keep HEAD~1",
            )
        };
        let merged = self.is_merge.then_some(&self.named.commit);
        let expected: Vec<&Revision> = [self.base()].into_iter().chain(merged).collect();
        let parents = self.deploy.clone.repository.parents(commit)?;
        if !parents.iter().eq(expected) {
            return Err(other(format!(
                "the commit {} is not on top of what was shown",
                commit.short()
            )));
        }
        let targets: BTreeSet<Target> = self.targets().cloned().collect();
        let (root, repository) = (&self.deploy.root, &self.deploy.clone.repository);
        let traced = repository.trace(root, Some(&self.tip), commit, &targets)?;
        for (target, traced) in traced {
            if traced.approvals.contains(commit) {
                continue;
            }
            let mut void = traced.void.iter();
            let why = void.find(|void| void.commit == *commit);
            let why = why.map_or_else(
                || "its message does not say so".to_owned(),
                |void| void.why.words(),
            );
            return Err(other(format!(
                "the commit {} does not approve {target}: {why}",
                commit.short()
            )));
        }
        Ok(())
    }

    /// The command that pushes the approval.
    #[must_use]
    pub fn push_command(&self, commit: &Revision) -> String {
        let Upstream { remote, branch } = &self.place.upstream;
        push_command(remote, commit, branch)
    }

    /// The command that deploys what is approved; `None`: the approval itself is the merge.
    #[must_use]
    pub fn deploy_command(&self, commit: &Revision) -> Option<String> {
        let branch = self.deploy.branch.as_ref().filter(|_| !self.is_merge)?;
        Some(push_command(&self.deploy.remote, commit, branch))
    }

    /// Pushes the approval to the branch that it belongs to. git shows what the remote answers.
    /// Returns the name of the branch, escaped.
    ///
    /// # Errors
    /// The remote refuses it, or can't be reached.
    pub fn push(&self, commit: &Revision) -> Result<String, Error> {
        let git = &self.deploy.clone.git;
        let Upstream { remote, branch } = &self.place.upstream;
        let refspec = format!("{commit}:refs/heads/{branch}");
        // Where the remote has the branch elsewhere by now, or has it no more, nothing is pushed.
        // So this adds to what was shown, and forces nothing.
        let lease = self.place.expected.as_ref();
        let lease = lease.map(|at| format!("--force-with-lease=refs/heads/{branch}:{at}"));
        let mut arguments = vec!["push"];
        arguments.extend(lease.as_deref());
        arguments.extend(["--", remote, &refspec]);

        let status = git.show(&arguments)?;
        match status.code() {
            Some(0) => Ok(shown(&self.place.upstream)),
            Some(1) => Err(Error::refused(
                format!(
                    "{} did not take the approval; the commit {} is still here",
                    escape(remote, 80),
                    commit.short()
                ),
                match self.place.way {
                    ApprovalWay::Current => {
                        "the lines above say why; to give the commit up: git reset --keep HEAD~1; \
                         if the branch has moved, look at it and approve it again"
                    }
                    _ => {
                        "the lines above say why; if the branch has moved, look at it and approve \
                         it again"
                    }
                },
            )),
            _ => Err(git.failed(&arguments, status).into()),
        }
    }
}

/// The command that pushes a commit to a branch. Somebody else may have named the branch.
fn push_command(remote: &str, commit: &Revision, branch: &str) -> String {
    let refspec = format!("{}:refs/heads/{branch}", commit.short());
    format!(
        "git push {} {}",
        shell_word(remote, 80),
        shell_word(refspec, 300)
    )
}

/// A branch of a remote, for a message.
fn shown(upstream: &Upstream) -> String {
    let Upstream { remote, branch } = upstream;
    escape(format!("{remote}/{branch}"), 200)
}
