//! The settings of a deployment, each of which can stand in four kinds of sections.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::application_repository::RepositorySetting;
use super::release_path::SharedPath;
use super::template::Template;
use crate::id::Application;

/// What happens to a waiting deployment when a newer one of the same application is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// It is superseded.
    Latest,
    /// It runs, in its turn.
    All,
}

/// Who starts runners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunnerKind {
    /// The hooks, each runner as a process of its own.
    #[default]
    Detached,
    /// systemd, outside the session that pushed.
    Systemd,
}

/// What happens to a deployment whose runner or machine died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// A person decides.
    Stop,
    /// It is queued again, under a new number.
    Retry,
}

/// How a release takes the files that did not change from the release before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// Both share the content until one of them is written to, where the file system can do that.
    Reflink,
    /// It is the same file: whoever writes to it changes both releases.
    Hard,
}

/// The settings that one section of the file names; `None`: it does not name the setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartialSettings {
    pub(super) command: Option<Vec<Template>>,
    pub(super) checkout: Option<Template>,
    pub(super) activate: Option<Vec<Template>>,
    pub(super) verify: Option<Vec<Template>>,
    pub(super) verify_timeout: Option<Duration>,
    pub(super) verify_retries: Option<usize>,
    pub(super) repository: Option<RepositorySetting>,
    pub(super) fetch_timeout: Option<Duration>,
    pub(super) fetch_max_age: Option<Duration>,
    pub(super) allowed_refs: Option<Vec<String>>,
    pub(super) after: Option<Vec<Application>>,
    pub(super) timeout: Option<Duration>,
    pub(super) kill_after: Option<Duration>,
    pub(super) grace: Option<Duration>,
    pub(super) queue: Option<Queue>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) user: Option<String>,
    pub(super) subdirectory: Option<Template>,
    pub(super) shared: Option<Vec<SharedPath>>,
    pub(super) keep_releases: Option<usize>,
    pub(super) lfs_pointers: Option<bool>,
    pub(super) empty_submodules: Option<bool>,
    pub(super) link: Option<Link>,
    pub(super) marks: Option<bool>,
    pub(super) log_limit: Option<u64>,
    pub(super) on_interrupt: Option<OnInterrupt>,
}

impl PartialSettings {
    /// A setting of the section that protects an application; `None`: it sets none of these.
    pub(super) fn safeguard(&self) -> Option<&'static str> {
        if self.allowed_refs.is_some() {
            Some("allowed_refs")
        } else if self.repository.is_some() {
            Some("repository")
        } else if self.after.is_some() {
            Some("after")
        } else {
            None
        }
    }
}

/// The settings of one application in one environment, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The program and its arguments; they are not passed to a shell.
    pub command: Option<Vec<Template>>,
    /// The folder of `releases` and `current`; absolute.
    pub checkout: Option<Template>,
    /// The program that runs when `current` has moved, and its arguments.
    pub activate: Option<Vec<Template>>,
    /// The program that checks what is active, and its arguments.
    pub verify: Option<Vec<Template>>,
    /// How long the check may take, with all of its tries.
    pub verify_timeout: Duration,
    /// How often the check is tried again.
    pub verify_retries: usize,
    /// The application repository.
    pub repository: Option<RepositorySetting>,
    /// How long one fetch of a repository on another host may take.
    pub fetch_timeout: Duration,
    /// How old what is known of a repository on another host may be.
    pub fetch_max_age: Duration,
    /// The refs of the application repository from which a revision may be deployed.
    pub allowed_refs: Vec<String>,
    /// The applications that are deployed first when they are in the same rollout.
    pub after: Vec<Application>,
    /// How long a deployment may take.
    pub timeout: Duration,
    /// How long a command that gets SIGTERM may go on before it gets SIGKILL.
    pub kill_after: Duration,
    /// How long the runner waits for processes that the command left behind.
    pub grace: Duration,
    /// What a newer deployment does to a waiting one.
    pub queue: Queue,
    /// Added to the command's environment.
    pub env: BTreeMap<String, String>,
    /// The user that the command runs as; `None`: the runner's.
    pub user: Option<String>,
    /// What all releases of a checkout share.
    pub shared: Vec<SharedPath>,
    /// How many releases of a checkout are kept, at least 1.
    pub keep_releases: usize,
    /// Whether a checkout may have the pointers of Git LFS in place of the files.
    pub lfs_pointers: bool,
    /// Whether a checkout may have empty folders in place of submodules.
    pub empty_submodules: bool,
    /// How a checkout takes files that did not change from the release before.
    pub link: Link,
    /// Whether the application repository gets refs and notes that say what is deployed.
    pub marks: bool,
    /// How much of the output is kept, in bytes.
    pub log_limit: u64,
    /// What happens after the runner or the machine died.
    pub on_interrupt: OnInterrupt,
}

/// Puts the settings of some sections together. Of the sections that name a setting the first
/// decides; `env` is merged name by name.
pub(super) fn resolve<'a>(sections: impl Iterator<Item = &'a PartialSettings> + Clone) -> Settings {
    macro_rules! first {
        ($setting:ident) => {
            sections
                .clone()
                .find_map(|section| section.$setting.clone())
        };
    }

    let mut env = BTreeMap::new();
    for (name, value) in sections.clone().flat_map(|section| &section.env) {
        env.entry(name.clone()).or_insert_with(|| value.clone());
    }

    Settings {
        command: first!(command),
        checkout: first!(checkout),
        activate: first!(activate),
        verify: first!(verify),
        verify_timeout: first!(verify_timeout).unwrap_or(Duration::from_secs(30)),
        verify_retries: first!(verify_retries).unwrap_or(10),
        repository: first!(repository),
        fetch_timeout: first!(fetch_timeout).unwrap_or(Duration::from_secs(30)),
        fetch_max_age: first!(fetch_max_age).unwrap_or(Duration::from_secs(60)),
        allowed_refs: first!(allowed_refs).unwrap_or_else(|| vec!["refs/heads/main".to_owned()]),
        after: first!(after).unwrap_or_default(),
        timeout: first!(timeout).unwrap_or(Duration::from_secs(30 * 60)),
        kill_after: first!(kill_after).unwrap_or(Duration::from_secs(10)),
        grace: first!(grace).unwrap_or(Duration::from_secs(5)),
        queue: first!(queue).unwrap_or(Queue::Latest),
        env,
        user: first!(user),
        shared: first!(shared).unwrap_or_default(),
        keep_releases: first!(keep_releases).unwrap_or(5),
        lfs_pointers: first!(lfs_pointers).unwrap_or_default(),
        empty_submodules: first!(empty_submodules).unwrap_or_default(),
        link: first!(link).unwrap_or(Link::Reflink),
        marks: first!(marks).unwrap_or_default(),
        log_limit: first!(log_limit).unwrap_or(16 * 1024 * 1024),
        on_interrupt: first!(on_interrupt).unwrap_or(OnInterrupt::Stop),
    }
}
