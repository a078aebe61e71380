//! The list of the commands in the help, grouped by what they are for.

use super::output::terminal_width;
use crate::report::wrap;

/// The headings, and the commands below each.
const GROUPS: &[(&str, &[&str])] = &[
    ("Set up", &["install", "uninstall", "doctor"]),
    ("Before a push", &["check", "plan"]),
    ("In a clone", &["propose"]),
    (
        "Look",
        &[
            "status",
            "log",
            "show",
            "logs",
            "wait",
            "notifications",
            "metrics",
        ],
    ),
    (
        "Intervene",
        &[
            "retry",
            "cancel",
            "freeze",
            "thaw",
            "release",
            "reconcile",
            "rebuild",
        ],
    ),
    (
        "Hooks, which git calls",
        &["pre-receive", "post-receive", "reference-transaction"],
    ),
];

/// The widest help, in characters.
pub(super) const WIDTH_MAX: usize = 80;

/// Groups the commands in the help of the program.
pub(super) fn with_groups(command: clap::Command) -> clap::Command {
    let list = list(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{list}Options:\n{{options}}{{after-help}}"
    ))
}

fn list(command: &clap::Command) -> String {
    let width = terminal_width().unwrap_or(WIDTH_MAX).min(WIDTH_MAX);
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let column = names.map(|name| name.len()).max().unwrap_or(0);

    let mut list = String::new();
    for (heading, names) in GROUPS {
        list.push_str(&format!("{heading}:\n"));
        for name in *names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let line = format!("  {name:<column$}  {about}");
            list.push_str(&wrap(&line, width, column + 4));
            list.push('\n');
        }
        list.push('\n');
    }
    list
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_that_is_not_hidden_is_in_one_group() {
        let command = crate::cli::command();
        let shown = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let shown: BTreeSet<&str> = shown.map(clap::Command::get_name).collect();

        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        assert_eq!(grouped.len(), shown.len(), "{shown:?}");
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), shown);
    }
}
