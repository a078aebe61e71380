//! The command line: the options that can stand before or after any command, and the command.

use std::path::PathBuf;

use clap::Parser;

use super::commands::Command;

/// Deploy by Code: what a reviewed deploy file names is what gets deployed.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deploy-by-code",
    version,
    arg_required_else_help = true,
    max_term_width = 80,
    after_help = "Example:\n  deploy-by-code -C /srv/git/deploys.git status\n\n\
        Exit codes: 0 done, 1 refused or failed, 2 usage, 3 configuration, 4 state or I/O."
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_accepts_the_description() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_of_every_command_has_an_example() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.starts_with("Example"), "{}", command.get_name());
        }
    }
}
