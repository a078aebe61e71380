//! What may stand on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use thiserror::Error;

use crate::id::{Application, DeploymentId, Environment, NameError, Revision, RevisionError};
use crate::identity::Evidence;
use crate::store::Filter;
use crate::timer_list;

/// Deploy by Code: what a reviewed deploy file names is what gets deployed.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deploy-by-code",
    version,
    arg_required_else_help = true,
    max_term_width = 80,
    after_help = "Example:\n  deploy-by-code -C /srv/git/deploy.git status\n\nExit codes: 0 done, 1 refused or failed, 2 usage, 3 configuration, 4 state or I/O."
)]
pub(super) struct Arguments {
    /// The deploy repository [default: $GIT_DIR, or the one above the current folder]
    #[arg(
        short = 'C',
        long = "repository",
        visible_alias = "dir",
        value_name = "DIR",
        global = true
    )]
    pub(super) repository: Option<PathBuf>,

    /// The configuration file [default: deploy-by-code.toml in the repository, or
    /// /etc/deploy-by-code/config.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// `ENV` or `ENV/APP`.
#[derive(Debug, Clone, Default)]
pub(super) struct FilterArgument(pub(super) Filter);

/// Why some text is no [`FilterArgument`].
#[derive(Debug, Clone, Error)]
pub(super) enum FilterError {
    #[error("write ENV or ENV/APP")]
    TooDeep,
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for FilterArgument {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (environment, application) = match text.split_once('/') {
            Some((_, application)) if application.contains('/') => {
                return Err(FilterError::TooDeep);
            }
            Some((environment, "")) => (environment, None),
            Some((environment, application)) => (environment, Some(application)),
            None => (text, None),
        };

        Ok(Self(Filter {
            environment: Some(Environment::new(environment)?),
            application: application.map(Application::new).transpose()?,
        }))
    }
}

fn revision(text: &str) -> Result<Revision, RevisionError> {
    Revision::new(text)
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Command {
    /// The hook that judges a push before anything has changed
    #[command(
        after_help = "Example, as git calls it:\n  echo \"$old $new refs/heads/main\" | deploy-by-code pre-receive"
    )]
    PreReceive,

    /// The hook that records what a push deploys and wakes the runners
    #[command(
        after_help = "Example, as git calls it:\n  echo \"$old $new refs/heads/main\" | deploy-by-code post-receive"
    )]
    PostReceive,

    /// The hook that sees to pushes whose post-receive never came
    #[command(
        after_help = "Example, as git calls it:\n  echo \"$old $new refs/heads/main\" | deploy-by-code reference-transaction committed"
    )]
    ReferenceTransaction {
        /// prepared, committed or aborted
        state: String,
    },

    /// Put the hooks into a repository, beside those that are there
    #[command(after_help = "Example:\n  deploy-by-code install --dry-run /srv/git/deploy.git")]
    Install {
        /// Deploy what stands on the deploy branch now
        #[arg(long)]
        deploy_existing: bool,
        /// Show what would be done
        #[arg(long)]
        dry_run: bool,
        #[arg(long, hide = true, default_value = timer_list::FOLDER)]
        registry: PathBuf,
        /// The repository
        #[arg(value_name = "REPO")]
        named: Option<PathBuf>,
    },

    /// Take the hooks out again; the state stays
    #[command(after_help = "Example:\n  deploy-by-code uninstall /srv/git/deploy.git")]
    Uninstall {
        /// Show what would be done
        #[arg(long)]
        dry_run: bool,
        #[arg(long, hide = true, default_value = timer_list::FOLDER)]
        registry: PathBuf,
        /// The repository
        #[arg(value_name = "REPO")]
        named: Option<PathBuf>,
    },

    /// Check the installation, and say how to mend it
    #[command(after_help = "Example:\n  deploy-by-code -C /srv/git/deploy.git doctor")]
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Check the configuration and every deploy file of a revision against every rule
    #[command(after_help = "Example:\n  deploy-by-code check main")]
    Check {
        /// A commit of the deploy repository [default: the deploy branch]
        #[arg(value_name = "REV")]
        revision: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Show what a push from OLD to NEW would deploy or have refused
    #[command(after_help = "Example:\n  deploy-by-code plan main topic")]
    Plan {
        /// A commit of the deploy repository
        #[arg(value_name = "OLD")]
        old: String,
        /// A commit of the deploy repository
        #[arg(value_name = "NEW")]
        new: String,
        /// As Markdown, for a merge request
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Show what is deployed and wanted where
    #[command(after_help = "Example:\n  deploy-by-code status production")]
    Status {
        /// One environment, or one application of it
        #[arg(value_name = "ENV[/APP]")]
        filter: Option<FilterArgument>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Show the history, newest first
    #[command(after_help = "Example:\n  deploy-by-code log production/application_A -n 5")]
    Log {
        /// One environment, or one application of it
        #[arg(value_name = "ENV[/APP]")]
        filter: Option<FilterArgument>,
        /// How many at the most
        #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Show everything about one deployment
    #[command(after_help = "Example:\n  deploy-by-code show 42")]
    Show {
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
        /// As JSON
        #[arg(long)]
        json: bool,
    },

    /// Show a deployment's output
    #[command(after_help = "Example:\n  deploy-by-code logs -f 42")]
    Logs {
        /// Follow until it ends, and exit with its outcome
        #[arg(short, long)]
        follow: bool,
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
    },

    /// Wait until a deployment ends, and exit with its outcome
    #[command(after_help = "Example:\n  deploy-by-code wait 42 && echo deployed")]
    Wait {
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
    },

    /// Queue a failed, interrupted, cancelled or skipped deployment again
    #[command(after_help = "Example:\n  deploy-by-code retry 42")]
    Retry {
        /// Also when its revision is no longer what the deploy file asks for
        #[arg(long)]
        stale: bool,
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
    },

    /// End a queued or running deployment
    #[command(after_help = "Example:\n  deploy-by-code cancel 42")]
    Cancel {
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
    },

    /// Let nothing change in an environment until it is thawed
    #[command(
        after_help = "Example:\n  deploy-by-code freeze production --reason \"incident 7\" --until 2h\n\nTimes without a zone are UTC."
    )]
    Freeze {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
        /// Why; whoever pushes meanwhile is told
        #[arg(long, value_name = "REASON")]
        reason: String,
        /// Until when: 2h, 2026-12-24, "2026-12-24 16:00" [default: until thaw]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },

    /// Show what waits in a frozen environment, and let it go on
    #[command(after_help = "Example:\n  deploy-by-code thaw production --dry-run")]
    Thaw {
        /// Only show what would deploy
        #[arg(long)]
        dry_run: bool,
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },

    /// Give up waiting for what a dead runner left running
    #[command(after_help = "Example:\n  deploy-by-code release production")]
    Release {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },

    /// Plan what hooks missed, mark dead runs interrupted, start runners where something waits
    #[command(after_help = "Example:\n  deploy-by-code -C /srv/git/deploy.git reconcile")]
    Reconcile {
        /// All repositories that install registered, each as its owner: what the timer does
        #[arg(long)]
        registered: bool,
        /// Show those repositories, and do nothing
        #[arg(long, requires = "registered")]
        list: bool,
        #[arg(long, hide = true, default_value = timer_list::FOLDER)]
        registry: PathBuf,
        #[arg(long, hide = true)]
        after_push: bool,
        #[arg(long, hide = true, value_parser = revision)]
        push_old: Option<Revision>,
        #[arg(long, hide = true, value_parser = revision)]
        push_new: Option<Revision>,
        #[arg(long, hide = true)]
        pusher: Option<String>,
        #[arg(long, hide = true)]
        pusher_known_by: Option<Evidence>,
    },

    /// Start the runners that hooks ask for, until none is needed: the process of the systemd
    /// service
    #[command(
        hide = true,
        after_help = "Example:\n  deploy-by-code -C /srv/git/deploy.git serve"
    )]
    Serve,

    /// Say what can come next on a command line, for the shells
    #[command(hide = true, after_help = "Example:\n  deploy-by-code complete -- sta")]
    Complete {
        /// The words so far; the last is to be completed
        #[arg(last = true)]
        words: Vec<String>,
    },

    /// Carry out what is queued for an environment
    #[command(hide = true, after_help = "Example:\n  deploy-by-code run production")]
    Run {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Arguments::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.starts_with("Example"), "{}", command.get_name());
        }
    }
}
