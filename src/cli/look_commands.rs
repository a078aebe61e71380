//! The commands that only read, but for the file that `metrics` can write. When root types one, the
//! program first becomes the repository's owner.

use std::path::PathBuf;

use clap::Subcommand;

use super::filter::FilterArgument;
use crate::id::DeploymentId;
use crate::verbs::Acts;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum LookCommand {
    /// Check the installation, and say how to fix what is wrong
    #[command(after_help = "Example:\n  deploy-by-code -C /srv/git/deploy.git doctor")]
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
    #[command(after_help = "Example:\n  deploy-by-code log production/application_A -n 5")]
    Log {
        /// One environment, or one application of it
        #[arg(value_name = "ENV[/APP]")]
        filter: Option<FilterArgument>,
        /// At most this many deployments
        #[arg(
            short = 'n',
            long = "number",
            value_name = "N",
            default_value_t = 20,
            value_parser = clap::value_parser!(u32).range(1..)
        )]
        number: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },

    /// Print the figures as Prometheus text
    #[command(after_help = "Example:\n  deploy-by-code metrics \
        --textfile /var/lib/prometheus/node-exporter")]
    Metrics {
        /// Write them into a folder instead, for the textfile collector of node_exporter
        #[arg(long, value_name = "DIR")]
        textfile: Option<PathBuf>,
    },

    /// Show everything about one deployment
    #[command(after_help = "Example:\n  deploy-by-code show 42")]
    Show {
        /// The deployment's number
        #[arg(value_name = "ID")]
        id: DeploymentId,
        /// Print JSON
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
