//! The commands that can change the state. When root types one, the program first becomes the
//! repository's owner.

use clap::{Args, Subcommand};

use crate::id::{DeploymentId, Environment, NotificationId, NotifyName};
use crate::verbs::Acts;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum InterveneCommand {
    /// Queue a failed, interrupted, cancelled or skipped deployment again
    #[command(after_help = "Example:\n  deploy-by-code retry 42")]
    Retry {
        /// Retry even if the deploy file no longer asks for the revision, or a rule refuses it now;
        /// this is recorded
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
    #[command(after_help = "Example:\n  \
        deploy-by-code freeze production --reason \"incident 7\" --until 2h\n\n\
        Times without a zone are UTC.")]
    Freeze {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
        /// The reason; people who push meanwhile see it
        #[arg(long, value_name = "REASON")]
        reason: String,
        /// Until when: 2h, 2026-12-24, "2026-12-24 16:00" [default: until thaw]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },

    /// Show what waits in a frozen environment, and let it continue
    #[command(after_help = "Example:\n  deploy-by-code thaw production --dry-run")]
    Thaw {
        /// Only show what would deploy
        #[arg(long)]
        dry_run: bool,
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },

    /// Make a new state where the database of the old one is gone or damaged; deploys nothing
    #[command(after_help = "Example:\n  deploy-by-code rebuild --dry-run")]
    Rebuild {
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Let the numbers of deployments continue above this one, if no higher one is known
        #[arg(long, value_name = "ID")]
        above: Option<DeploymentId>,
    },

    /// Show what was told to whom, what waits and what failed
    #[command(after_help = "Example:\n  deploy-by-code notifications team")]
    Notifications(NotificationsArguments),

    /// Stop waiting for what a dead runner left running
    #[command(after_help = "Example:\n  deploy-by-code release production")]
    Release {
        /// The environment
        #[arg(value_name = "ENV")]
        environment: Environment,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct NotificationsArguments {
    /// One section [notify.NAME]
    #[arg(value_name = "NAME", conflicts_with_all = ["test", "again"])]
    pub(super) name: Option<NotifyName>,
    /// At most this many notifications, and what is told next
    #[arg(
        short = 'n',
        long = "number",
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(super) number: u32,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["test", "again"])]
    pub(super) json: bool,
    /// Send a test event to the section [notify.NAME], and show the answer
    #[arg(long, value_name = "NAME", conflicts_with = "again")]
    pub(super) test: Option<NotifyName>,
    /// Try this notification once more
    #[arg(long, value_name = "ID")]
    pub(super) again: Option<NotificationId>,
}

impl InterveneCommand {
    /// What it does in the repository.
    pub(super) fn acts(&self) -> Acts {
        match self {
            Self::Thaw { dry_run: true, .. }
            | Self::Notifications(NotificationsArguments {
                test: None,
                again: None,
                ..
            }) => Acts::Reads,
            Self::Freeze { .. } | Self::Rebuild { .. } => Acts::Changes,
            Self::Retry { .. }
            | Self::Cancel { .. }
            | Self::Thaw { .. }
            | Self::Notifications(_)
            | Self::Release { .. } => Acts::Starts,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::Arguments;
    use super::super::commands::Command;
    use super::*;

    #[test]
    fn commands_that_can_start_a_runner_act() {
        let table: [(&[&str], Acts); 10] = [
            (&["thaw", "--dry-run", "production"], Acts::Reads),
            (&["retry", "42"], Acts::Starts),
            (&["cancel", "42"], Acts::Starts),
            (&["freeze", "production", "--reason", "x"], Acts::Changes),
            (&["thaw", "production"], Acts::Starts),
            (&["release", "production"], Acts::Starts),
            (&["notifications", "team"], Acts::Reads),
            (&["notifications", "--test", "team"], Acts::Starts),
            (&["notifications", "--again", "7"], Acts::Starts),
            (&["rebuild"], Acts::Changes),
        ];

        for (words, acts) in table {
            let words = ["deploy-by-code"].iter().chain(words);
            let Command::Intervene(command) = Arguments::parse_from(words).command else {
                panic!("another kind of command");
            };
            assert_eq!(command.acts(), acts, "{command:?}");
        }
    }
}
