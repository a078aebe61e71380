//! Writes a manual page for each command from the command line's own description, into the folder
//! that is named.
//!
//!     cargo run --package manpages -- DIR
//!
//! deploy-by-code(1) itself and the pages of section 5 are written by hand, in packaging/man.
//!
//! This is a program of its own, and no example of the package: an example would be built with the
//! features that the tests switch on in dependencies, and so would compile the library once more.

use std::io::Write;
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use jiff::civil::Date;

const EXIT_STATUS: &str = "0 done; 1 refused, or what was asked about failed; 2 wrong usage; \
    3 the configuration is wrong; 4 state or input and output.";

const SEE_ALSO: &str = "\\fBdeploy\\-by\\-code\\fR(1), \\fBdeploy\\-by\\-code.toml\\fR(5), \
    \\fBdeploy\\-files\\fR(5)";

fn main() -> Result<()> {
    let folder = env::args_os()
        .nth(1)
        .context("name the folder for the pages")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;

    let date = date_of_the_package()?;
    let mut command = deploy_by_code::cli::command();
    command.build();
    let source = format!(
        "{} {}",
        command.get_name(),
        command.get_version().unwrap_or_default()
    );

    for command in command.get_subcommands() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        let name = format!("deploy-by-code-{}", command.get_name());
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page(command, &name, date, &source)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The day of the newest entry in the package's changelog. The day of the build would make two
/// packages of one version differ.
fn date_of_the_package() -> Result<Date> {
    let date = include_str!("../../../packaging/debian/changelog")
        .lines()
        .find_map(|line| line.split_once(">  "));
    let (_, date) = date.context("packaging/debian/changelog has no date")?;

    let date = jiff::fmt::rfc2822::parse(date)
        .with_context(|| format!("packaging/debian/changelog has the date {date:?}"))?;
    Ok(date.date())
}

/// The page of one command, as roff.
fn page(command: &Command, name: &str, date: Date, source: &str) -> Result<Vec<u8>> {
    let shown = command
        .clone()
        .display_name(name.to_owned())
        .bin_name(name.replacen("code-", "code ", 1));
    let usage = shown.clone().render_usage().to_string();
    let usage = escaped(usage.trim_start_matches("Usage:").trim());
    let about = command.get_about();
    let about = about.map(ToString::to_string).unwrap_or_default();

    let man = Man::new(shown)
        .title(name.to_uppercase())
        .section("1")
        .date(date.to_string())
        .source(source);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n.nf\n{usage}\n.fi")?;
    writeln!(page, ".SH DESCRIPTION\n{about}.\n.PP")?;
    writeln!(
        page,
        "What it does in full is in \\fBdeploy\\-by\\-code\\fR(1)."
    )?;
    man.render_options_section(&mut page)?;

    write_examples(command, &mut page)?;
    writeln!(page, ".SH \"EXIT STATUS\"\n{EXIT_STATUS}")?;
    writeln!(page, ".SH \"SEE ALSO\"\n{SEE_ALSO}")?;
    Ok(page)
}

/// The examples that `--help` shows below the options; lines that are indented are commands.
fn write_examples(command: &Command, page: &mut Vec<u8>) -> Result<()> {
    let help = command.get_after_help();
    let help = help.map(ToString::to_string).unwrap_or_default();

    writeln!(page, ".SH EXAMPLES")?;
    for line in help.lines().filter(|line| !line.starts_with("Example")) {
        if let Some(code) = line.strip_prefix("  ") {
            let code = escaped(&code.replace('\\', "\\e"));
            writeln!(page, ".RS 4\n.nf\n{code}\n.fi\n.RE")?;
        } else if line.is_empty() {
            writeln!(page, ".PP")?;
        } else {
            writeln!(page, "{line}")?;
        }
    }
    Ok(())
}

/// The text with each hyphen written so that roff keeps it one that can be copied into a shell.
fn escaped(text: &str) -> String {
    text.replace('-', "\\-")
}
