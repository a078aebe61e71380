//! A program that the configuration names for a phase, with what it gets to know.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::job::Job;
use crate::config::Template;
use crate::id::Revision;
use crate::phase::Phase;
use crate::store::Run;
use crate::sys::invocation::Invocation;
use crate::sys::surroundings::PATH;
use crate::sys::tree::Tree;
use crate::sys::user::User;

/// The variable that names the phase.
const PHASE: &str = "DEPLOY_PHASE";

/// A program of a phase.
pub(super) struct PhaseProgram {
    pub(super) phase: Phase,
    /// The program and its arguments.
    arguments: Vec<Template>,
    /// The folder of the release that it begins in; `None`: there is no checkout.
    release: Option<PathBuf>,
    /// The revision that it deploys, activates or checks.
    revision: Revision,
    /// The revision that this one takes the place of.
    previous: Option<Revision>,
}

impl PhaseProgram {
    /// A program about the revision of a deployment.
    pub(super) fn new(
        job: &Job<'_>,
        phase: Phase,
        arguments: Vec<Template>,
        release: Option<PathBuf>,
    ) -> Self {
        Self {
            phase,
            arguments,
            release,
            revision: job.deployment.revision.clone(),
            previous: job.previous.clone(),
        }
    }

    /// The program that activates what was active before a deployment, of which the release is in a
    /// folder.
    pub(super) fn going_back(
        job: &Job<'_>,
        arguments: Vec<Template>,
        release: PathBuf,
        revision: Revision,
    ) -> Self {
        Self {
            phase: Phase::GoBack,
            arguments,
            release: Some(release),
            revision,
            previous: Some(job.deployment.revision.clone()),
        }
    }

    /// The folder that it begins in.
    pub(super) fn folder(&self, job: &Job<'_>) -> PathBuf {
        let work = || job.store.folder().join("work");
        self.release.clone().unwrap_or_else(work)
    }

    /// Its name, as the configuration has it for this deployment.
    pub(super) fn name(&self, job: &Job<'_>) -> String {
        let program = self.filled(job).into_iter().next();
        program.unwrap_or_default()
    }

    /// Everything that its process `run` starts.
    ///
    /// What an earlier phase left running does not count: a program that checks a service must not
    /// end that service when it takes too long.
    pub(super) fn tree(&self, job: &Job<'_>, run: &Run) -> Tree {
        let mut tree = run.own_tree(job.deployment.id, job.store.folder());
        if self.phase != Phase::Command {
            tree.marks.push(format!("{PHASE}={}", self.phase).into());
        }
        tree
    }

    /// Its arguments and its environment, and the folder that it begins in. It gets nothing of the
    /// runner's own environment. `streams`: its standard input, output and error.
    ///
    /// # Errors
    /// No program is configured.
    pub(super) fn invocation(
        &self,
        job: &Job<'_>,
        user: Option<&User>,
        streams: [File; 3],
    ) -> io::Result<Invocation> {
        let arguments = self.filled(job);
        if arguments.is_empty() {
            let why = "no program is configured";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }

        let mut invocation = Invocation {
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            folder: self.folder(job),
            streams,
        };
        invocation.set("PATH", PATH);
        invocation.set("LANG", "C.UTF-8");
        if let Some(user) = user {
            invocation.set("HOME", &user.home);
            invocation.set("USER", &user.name);
            invocation.set("LOGNAME", &user.name);
        }

        for (name, value) in &job.settings.env {
            invocation.set(name, value);
        }
        // These come last: the configuration can't replace them.
        for (name, value) in self.values(job) {
            invocation.set(format!("DEPLOY_{}", name.to_ascii_uppercase()), value);
        }
        invocation.set(PHASE, self.phase.as_str());
        invocation.set("DEPLOY_STATE_DIR", job.store.folder());
        Ok(invocation)
    }

    /// The program and its arguments, with the values of the deployment in them.
    fn filled(&self, job: &Job<'_>) -> Vec<String> {
        let values = self.values(job);
        let by_name: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let arguments = self.arguments.iter();
        arguments.map(|argument| argument.fill(&by_name)).collect()
    }

    /// What it gets to know about the deployment: in its arguments in place of `{name}`, and in its
    /// environment as `DEPLOY_NAME`. A value that does not apply is empty.
    fn values(&self, job: &Job<'_>) -> [(&'static str, String); 9] {
        let path = |path: Option<&Path>| {
            let path = path.map(Path::to_string_lossy);
            path.unwrap_or_default().into_owned()
        };
        // Neither an argument nor a variable can have a NUL.
        let text = |text: Option<&str>| text.unwrap_or_default().replace('\0', "");
        let hash = |hash: Option<&Revision>| text(hash.map(Revision::as_str));

        let deployment = &job.deployment;
        let pusher = deployment.pusher.as_ref();
        [
            ("id", deployment.id.0.to_string()),
            ("environment", deployment.target.environment.to_string()),
            ("application", deployment.target.application.to_string()),
            ("revision", self.revision.to_string()),
            ("previous_revision", hash(self.previous.as_ref())),
            ("commit", hash(deployment.deploy_commit.as_ref())),
            ("pusher", text(pusher.map(|pusher| pusher.name.as_str()))),
            ("repository", path(job.repository.as_deref())),
            ("checkout", path(self.release.as_deref())),
        ]
    }
}
