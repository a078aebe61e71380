//! The commands that look at the state and change nothing in it, except that some of them start a
//! runner where one is missing. `metrics` can write a file. When root types one, the program first
//! becomes the repository's owner.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::filter::FilterArgument;
use crate::id::{DeploymentId, RolloutId};
use crate::verbs::{self, Acts};

#[derive(Debug, Clone, Subcommand)]
pub(super) enum LookCommand {
    /// Check the installation, and say how to fix what is wrong
    #[command(after_help = "Example:\n  deploy-by-code -C /srv/git/deploys.git doctor")]
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Check the configuration and every deploy file of a revision against every rule
    #[command(after_help = "Example:\n  deploy-by-code check main")]
    Check {
        /// A commit of the deploy repository [default: the deploy branch]
        #[arg(value_name = "REV")]
        revision: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Show what a push from OLD to NEW would deploy or have refused
    #[command(after_help = "Example:\n  deploy-by-code plan main topic")]
    Plan {
        /// A commit of the deploy repository; OLD..NEW names both
        #[arg(value_name = "OLD")]
        old: String,
        /// A commit of the deploy repository
        #[arg(value_name = "NEW")]
        new: Option<String>,
        /// Print Markdown, for a merge request
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Show what is deployed and what is wanted
    #[command(after_help = "Example:\n  deploy-by-code status production")]
    Status {
        /// One environment, or one application of it
        #[arg(value_name = "ENV[/APP]")]
        filter: Option<FilterArgument>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Show the history, newest first
    #[command(
        after_help = "Example:\n  deploy-by-code log production/application_A -n 5\n  \
        deploy-by-code log --since 2026-12-01 --json-lines > december.jsonl"
    )]
    Log(LogArguments),

    /// Print the figures as Prometheus text
    #[command(after_help = "Example:\n  deploy-by-code metrics \
        --textfile /var/lib/prometheus/node-exporter")]
    Metrics {
        /// Write them into a folder instead, for the textfile collector of node_exporter
        #[arg(long, value_name = "DIR")]
        textfile: Option<PathBuf>,
    },

    /// Show everything about deployments
    #[command(after_help = "Example:\n  deploy-by-code show 42")]
    Show {
        #[command(flatten)]
        which: WhichArguments,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Show the output of deployments
    #[command(after_help = "Example:\n  deploy-by-code logs -f 42")]
    Logs {
        /// Follow until they end, and exit with their outcome
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        which: WhichArguments,
    },

    /// Wait until deployments end, and exit with their outcome
    #[command(after_help = "Example:\n  deploy-by-code wait 42 && echo deployed")]
    Wait {
        #[command(flatten)]
        which: WhichArguments,
    },
}

impl LookCommand {
    /// What the command does in the repository.
    pub(super) fn acts(&self) -> Acts {
        match self {
            Self::Metrics { textfile: Some(_) } => Acts::Changes,
            _ => Acts::Reads,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(super) struct LogArguments {
    /// One environment, or one application of it
    #[arg(value_name = "ENV[/APP]")]
    pub(super) filter: Option<FilterArgument>,
    /// At most this many deployments [default: 20; all with --since, --until or --json-lines]
    #[arg(
        short = 'n',
        long = "number",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(super) number: Option<u32>,
    /// Only those queued at this time or later: 2d, "2026-12-24 16:00" (UTC)
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only those queued before this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print JSON, each deployment in a line of its own
    #[arg(long, conflicts_with = "json")]
    pub(super) json_lines: bool,
}

#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhichArguments {
    /// The numbers of the deployments
    #[arg(value_name = "ID")]
    ids: Vec<DeploymentId>,
    /// All deployments of this rollout
    #[arg(long, value_name = "NUMBER")]
    rollout: Option<RolloutId>,
}

impl WhichArguments {
    /// Which deployments are meant.
    pub(super) fn which(self) -> verbs::Which {
        match self.rollout {
            Some(rollout) => verbs::Which::Rollout(rollout),
            None => verbs::Which::Numbers(self.ids),
        }
    }
}
