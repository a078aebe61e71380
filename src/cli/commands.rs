//! The commands and their arguments. `help` lists them in the order in which they are here.
//!
//! They are grouped by how they start: which repository they work on, and which user they run as
//! when root types them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::clone_commands::CloneCommand;
use super::intervene_commands::InterveneCommand;
use super::look_commands::LookCommand;
use crate::checkout::CheckoutStep;
use crate::id::{Environment, Revision, RevisionError};
use crate::identity::{Evidence, Identity};
use crate::planning::Push;
use crate::timer_list;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    Hook(HookCommand),
    #[command(flatten)]
    Install(InstallCommand),
    #[command(flatten)]
    Look(LookCommand),
    #[command(flatten)]
    Intervene(InterveneCommand),
    #[command(flatten)]
    Clone(CloneCommand),

    /// Plan what hooks missed, mark dead runs interrupted, start runners where something waits
    #[command(after_help = "Example:\n  deploy-by-code -C /srv/git/deploys.git reconcile")]
    Reconcile(ReconcileArguments),

    /// Start the runners that hooks ask for, until none is needed: the process of the systemd
    /// service
    #[command(
        hide = true,
        after_help = "Example:\n  deploy-by-code -C /srv/git/deploys.git serve"
    )]
    Serve,

    /// Write marks, the published status and the figures, as far as the configuration asks for them
    #[command(
        hide = true,
        after_help = "Example:\n  deploy-by-code -C /srv/git/deploys.git publish"
    )]
    Publish {
        /// The process that starts this one has the right to: it is a hook of a push, or has
        /// checked it
        #[arg(long = "checked", hide = true)]
        is_checked: bool,
    },

    /// Say what can come next on a command line, for the shells
    #[command(hide = true, after_help = "Example:\n  deploy-by-code complete -- sta")]
    Complete {
        /// The words so far; the last is to be completed
        #[arg(last = true)]
        words: Vec<String>,
    },

    /// Carry out one step of a checkout; the order stands on standard input
    #[command(
        hide = true,
        after_help = "Example, as a runner calls it:\n  deploy-by-code checkout-step prune < order"
    )]
    CheckoutStep {
        /// fetch, export, write, make-current, switch-back or prune
        step: CheckoutStep,
    },

    /// Carry out what is queued for an environment
    #[command(hide = true, after_help = "Example:\n  deploy-by-code run production")]
    Run {
        /// The process that starts this one has the right to: it is a hook of a push, or has
        /// checked it
        #[arg(long = "checked", hide = true)]
        is_checked: bool,
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },
}

// The commands that git calls. If root pushes, they stay root, because git runs a hook as the user
// who pushes.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum HookCommand {
    /// The hook that judges a push before anything has changed
    #[command(after_help = "Example, as git calls it:\n  \
        echo \"$old $new refs/heads/main\" | deploy-by-code pre-receive")]
    PreReceive,

    /// The hook that records what a push deploys and starts the runners
    #[command(after_help = "Example, as git calls it:\n  \
        echo \"$old $new refs/heads/main\" | deploy-by-code post-receive")]
    PostReceive,

    /// The hook that takes care of pushes for which git never runs post-receive
    #[command(after_help = "Example, as git calls it:\n  \
        echo \"$old $new refs/heads/main\" | deploy-by-code reference-transaction committed")]
    ReferenceTransaction {
        /// prepared, committed or aborted
        state: String,
    },
}

// The commands that begin as root, if root types them, and continue as the repository's owner.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum InstallCommand {
    /// Put the hooks into a repository, beside those that are there
    #[command(after_help = "Example:\n  deploy-by-code install --dry-run /srv/git/deploys.git")]
    Install {
        /// Deploy what the deploy branch already has
        #[arg(long)]
        deploy_existing: bool,
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[arg(long, hide = true, default_value = timer_list::FOLDER)]
        registry: PathBuf,
        /// The repository
        #[arg(value_name = "REPO")]
        named: Option<PathBuf>,
    },

    /// Take the hooks out again; the state stays
    #[command(after_help = "Example:\n  deploy-by-code uninstall /srv/git/deploys.git")]
    Uninstall {
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        #[arg(long, hide = true, default_value = timer_list::FOLDER)]
        registry: PathBuf,
        /// The repository
        #[arg(value_name = "REPO")]
        named: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(super) struct ReconcileArguments {
    /// All repositories that install registered, each as its owner: what the timer does
    #[arg(long)]
    pub(super) registered: bool,
    /// Only show those repositories
    #[arg(long, requires = "registered")]
    pub(super) list: bool,
    #[arg(long, hide = true, default_value = timer_list::FOLDER)]
    pub(super) registry: PathBuf,
    /// Also report hooks that git does not run: the timer asks for this
    #[arg(long, hide = true)]
    pub(super) check_hooks: bool,
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
}

impl ReconcileArguments {
    /// The push after which reference-transaction started this process; `None`: somebody else
    /// started it.
    pub(super) fn push(self) -> Option<Push> {
        let evidence = self.pusher_known_by.unwrap_or(Evidence::Unrecorded);
        let pusher = self.pusher.map(|name| Identity { name, evidence });

        self.after_push.then_some(Push {
            old_is_told: self.push_old.is_some(),
            old: self.push_old,
            new: self.push_new,
            pusher,
        })
    }
}

fn revision(text: &str) -> Result<Revision, RevisionError> {
    Revision::new(text)
}
