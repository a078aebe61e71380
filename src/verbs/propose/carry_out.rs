//! Committing and pushing a proposal, with the person's own git.

use super::super::error::Error;
use super::deploy_files::{WrittenFile, pathspec};
use super::prepare::Proposal;
use crate::deployfile;
use crate::id::Revision;
use crate::message::trailers;
use crate::sys::interrupts::Interrupts;
use crate::text::{escape, shell_word};

impl Proposal {
    /// Writes the files and commits them, so that the person's hooks, signing key and identity
    /// apply. With `edit`, git opens the editor for the message. Returns the commit.
    ///
    /// # Errors
    /// There is no commit. Then the files are as they were before.
    pub fn commit(&self, edit: bool) -> Result<Revision, Error> {
        let clone = &self.deploy.clone;
        if self.needs_approval {
            clone.check_can_sign()?;
        }
        let hold = Error::system("signals can't be held back", "run the command again");
        let interrupts = Interrupts::hold().map_err(hold)?;
        let mut written = WrittenFile::new(clone.folder());
        let done = self.write_and_commit(&mut written, edit, &interrupts);

        // Whether there is a commit is known by HEAD alone: git can be ended after it moved HEAD.
        match clone.head()? {
            Some(commit) if Some(&commit) != self.head.as_ref() => {
                self.check(&commit)?;
                Ok(commit)
            }
            _ => {
                let unstaged = self.unstage();
                written.put_back()?;
                unstaged?;
                let no_commit =
                    Error::refused("git made no commit", "look at the hooks of the clone");
                Err(done.err().unwrap_or(no_commit))
            }
        }
    }

    fn write_and_commit<'p>(
        &'p self,
        written: &mut WrittenFile<'p>,
        edit: bool,
        interrupts: &Interrupts,
    ) -> Result<(), Error> {
        for step in &self.steps {
            written.write(&step.file)?;
        }
        let git = &self.deploy.clone.git;
        git.run(&self.with_paths(&["add", "--"]))?;
        if interrupts.has_come() {
            return Err(Error::refused("it was interrupted", "run it again"));
        }

        let mut arguments = vec!["commit", "--quiet", "--only"];
        arguments.extend(edit.then_some("--edit"));
        // Where approvals are needed, the server refuses a change that nobody signed.
        arguments.extend(self.needs_approval.then_some("-S"));
        arguments.extend(self.message.paragraphs().flat_map(|text| ["-m", text]));
        arguments.push("--");
        let status = git.show(&self.with_paths(&arguments))?;
        if status.success() {
            return Ok(());
        }
        Err(match status.code() {
            Some(1) => Error::refused(
                "git made no commit, and the files are as they were",
                "if git says nothing above: the message was empty, or a hook refused it",
            ),
            _ => git.failed(&arguments, status).into(),
        })
    }

    /// Some arguments, and the paths of the deploy files.
    fn with_paths(&self, arguments: &[&str]) -> Vec<String> {
        let paths = self.steps.iter().map(|step| pathspec(&step.file.path));
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        arguments.chain(paths).collect()
    }

    /// Takes the files out of the index again. Files that were new are in no commit.
    fn unstage(&self) -> Result<(), Error> {
        let git = &self.deploy.clone.git;
        let arguments = match self.head {
            Some(_) => ["reset", "--quiet", "--"].as_slice(),
            None => ["rm", "--quiet", "--cached", "--ignore-unmatch", "--"].as_slice(),
        };
        Ok(git.run(&self.with_paths(arguments))?)
    }

    /// Checks that a commit has what was proposed: a hook, a filter or the editor could have
    /// changed it.
    fn check(&self, commit: &Revision) -> Result<(), Error> {
        let repository = &self.deploy.clone.repository;
        let wrong = |what: String| {
            Error::refused(
                format!(
                    "the commit {} is not what was proposed: {what}",
                    commit.short()
                ),
                "look at the hooks and filters of the clone; to give the commit up: \
                 git reset --keep HEAD~1",
            )
        };
        for step in &self.steps {
            let content = repository.deploy_file(commit, &self.deploy.root, &step.target)?;
            let found = content.map(|content| deployfile::revision(&content));
            if !matches!(found, Some(Ok(found)) if found == step.to) {
                let path = escape(&step.file.path, 300);
                return Err(wrong(format!(
                    "{path} does not ask for {}",
                    step.to.short()
                )));
            }
        }
        if let Some(trailer) = &self.message.trailer {
            let message = repository.commit_message(commit)?;
            let declared = trailers(message.as_bytes(), None).counted;
            if !declared.iter().any(|declared| declared.name == "rollback") {
                return Err(wrong(format!(
                    "its message has no trailer {}",
                    escape(trailer, 80)
                )));
            }
        }
        Ok(())
    }

    /// Checks that a branch can have a name.
    ///
    /// # Errors
    /// It can't.
    pub fn check_branch(&self, branch: &str) -> Result<(), Error> {
        let full_name = format!("refs/heads/{branch}");
        let git = &self.deploy.clone.git;
        if git
            .answer_if_any(&["check-ref-format", &full_name])?
            .is_some()
        {
            return Ok(());
        }
        Err(Error::refused(
            format!("a branch can't be called {}", escape(branch, 100)),
            "name another one: --push=BRANCH",
        ))
    }

    /// Pushes a commit to a branch of the deploy repository. git shows what the remote answers.
    ///
    /// # Errors
    /// The remote refuses it, or can't be reached.
    pub fn push(&self, commit: &Revision, branch: &str) -> Result<(), Error> {
        let git = &self.deploy.clone.git;
        let refspec = format!("{commit}:refs/heads/{branch}");
        let arguments = ["push", "--", &self.deploy.remote, &refspec];
        let status = git.show(&arguments)?;
        if status.success() {
            return Ok(());
        }
        Err(match status.code() {
            Some(1) => Error::refused(
                format!(
                    "{} refused the push; the commit {} is still here",
                    escape(&self.deploy.remote, 80),
                    commit.short()
                ),
                format!(
                    "the lines above say why; if the branch is there already, another one: \
                     git push {} {}:refs/heads/BRANCH; to give the commit up: \
                     git reset --keep HEAD~1",
                    shell_word(&self.deploy.remote, 80),
                    commit.short()
                ),
            ),
            _ => git.failed(&arguments, status).into(),
        })
    }
}
