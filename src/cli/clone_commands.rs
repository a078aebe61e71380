//! The commands that work in a clone of the deploy repository, as the person who types them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::filter::FilterArgument;
use crate::clone::Chosen;
use crate::id::Environment;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum CloneCommand {
    /// In a clone: put the next revision on top of a deploy file, and commit it
    #[command(
        after_help = "Example:\n  deploy-by-code propose production/website\n  \
        deploy-by-code propose production --from staging --push\n  \
        deploy-by-code propose production/website --rollback \"alarms since noon\""
    )]
    Propose(Box<ProposeArguments>),

    /// In a clone: show what a branch deploys, ask, and approve it with a signed commit
    #[command(
        after_help = "Example:\n  deploy-by-code approve origin/deploy-website --push\n  \
        deploy-by-code approve origin/deploy-website --merge --push"
    )]
    Approve(ApproveArguments),
}

#[derive(Debug, Clone, Args)]
pub(super) struct ApproveArguments {
    /// The branch to approve [default: the upstream of the current branch]
    #[arg(value_name = "REV")]
    pub(super) revision: Option<String>,
    /// Approve it by merging it into the deploy branch
    #[arg(long = "merge")]
    pub(super) is_merge: bool,
    /// Push the approval to the branch that it belongs to
    #[arg(long = "push")]
    pub(super) is_pushed: bool,
    /// Do not ask
    #[arg(long = "yes", short = 'y')]
    pub(super) is_agreed: bool,
    #[command(flatten)]
    pub(super) clone: CloneArguments,
}

#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(super) struct ProposeArguments {
    /// One application in an environment, or all of the environment
    #[arg(value_name = "ENV[/APP]")]
    pub(super) target: FilterArgument,
    /// A commit of the application [default: the tip of the branch that HEAD of its remote names]
    #[arg(value_name = "REV", conflicts_with_all = ["from", "is_redeploy"])]
    pub(super) revision: Option<String>,
    /// Take what is deployed there, or else what is wanted there
    #[arg(long, value_name = "ENV", conflicts_with = "is_redeploy")]
    pub(super) from: Option<Environment>,
    /// Go back, for this reason [default of REV: the revision before]
    #[arg(long, value_name = "REASON", conflicts_with_all = ["from", "is_redeploy"])]
    pub(super) rollback: Option<String>,
    /// Deploy once more what the file asks for
    #[arg(long = "redeploy")]
    pub(super) is_redeploy: bool,
    /// The environment is new, or the application is, though its name is like another one
    #[arg(long = "new")]
    pub(super) is_new: bool,
    /// How many commits the entry names at most
    #[arg(long, value_name = "N", default_value = "20",
        value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(super) lines: u16,
    /// A clone of the application [default: see deploy-by-code(1)]
    #[arg(long, value_name = "FOLDER")]
    pub(super) application_repository: Option<PathBuf>,
    /// Open the editor for the message
    #[arg(long)]
    pub(super) edit: bool,
    /// Only show what would be committed
    #[arg(long, conflicts_with_all = ["edit", "push"])]
    pub(super) dry_run: bool,
    /// Push the commit to a branch of the deploy repository
    #[arg(long, value_name = "BRANCH", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the option can have no value")]
    pub(super) push: Option<Option<String>>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) clone: CloneArguments,
}

/// Which remote and which files of the clone are meant.
#[derive(Debug, Clone, Args)]
pub(super) struct CloneArguments {
    /// The remote that is the deploy repository [default: that of the branch, or origin]
    #[arg(long, value_name = "REMOTE")]
    remote: Option<String>,
    /// The deploy branch [default: the branch that HEAD of the remote names]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The folder above the environment folders [default: the top folder]
    #[arg(long, value_name = "FOLDER")]
    root: Option<String>,
    /// The ref with the published status [default: refs/deploy-by-code/status]
    #[arg(long, value_name = "REF")]
    status_ref: Option<String>,
    /// Fetch nothing, and use what was fetched before
    #[arg(long)]
    no_fetch: bool,
}

impl CloneArguments {
    /// What the person has chosen about the clone in a folder.
    pub(super) fn chosen(self, folder: Option<PathBuf>) -> Chosen {
        Chosen {
            folder,
            remote: self.remote,
            branch: self.branch,
            root: self.root,
            status_ref: self.status_ref,
            is_offline: self.no_fetch,
        }
    }
}
