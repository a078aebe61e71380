//! Writes a manual page for each command from the command line's own description, into the folder
//! that is named.
//!
//!     cargo run --example manpages -- DIR
//!
//! deploy-by-code(1) itself and the pages of section 5 are written by hand, in packaging/man.

use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

use clap_mangen::Man;

fn main() -> io::Result<()> {
    let folder = env::args_os()
        .nth(1)
        .ok_or_else(|| io::Error::other("name a folder"))?;
    fs::create_dir_all(&folder)?;
    // The package's, and not the day on which it is built.
    let entry = include_str!("../packaging/debian/changelog")
        .lines()
        .find_map(|line| line.split_once(">  "));
    let (_, date) = entry.ok_or_else(|| io::Error::other("the changelog has no date"))?;
    let date = jiff::fmt::rfc2822::parse(date)
        .map_err(io::Error::other)?
        .date();
    let mut command = deploy_by_code::cli::command();
    command.build();
    for command in command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let name = format!("deploy-by-code-{}", command.get_name());
        let example = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let shown = command
            .clone()
            .display_name(name.clone())
            .bin_name(name.replacen("code-", "code ", 1));
        let usage = shown.clone().render_usage().to_string();
        let man = Man::new(shown)
            .title(name.to_uppercase())
            .section("1")
            .date(date.to_string())
            .source(format!("deploy-by-code {}", env!("CARGO_PKG_VERSION")));
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        let usage = usage
            .trim_start_matches("Usage:")
            .trim()
            .replace('-', "\\-");
        writeln!(page, ".SH SYNOPSIS\n.nf\n{usage}\n.fi")?;
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        writeln!(
            page,
            ".SH DESCRIPTION\n{about}.\n.PP\nWhat it does in full is in \\fBdeploy\\-by\\-code\\fR(1)."
        )?;
        man.render_options_section(&mut page)?;
        writeln!(page, ".SH EXAMPLES")?;
        for line in example.lines().filter(|line| !line.starts_with("Example")) {
            match line.strip_prefix("  ") {
                Some(code) => writeln!(
                    page,
                    ".RS 4\n.nf\n{}\n.fi\n.RE",
                    code.replace('\\', "\\e").replace('-', "\\-")
                )?,
                None if line.is_empty() => writeln!(page, ".PP")?,
                None => writeln!(page, "{line}")?,
            }
        }
        writeln!(page, ".SH \"EXIT STATUS\"")?;
        writeln!(
            page,
            "0 done; 1 refused, or what was asked about failed; 2 wrong usage; 3 the configuration is wrong; 4 state or input and output."
        )?;
        writeln!(
            page,
            ".SH \"SEE ALSO\"\n\\fBdeploy\\-by\\-code\\fR(1), \\fBdeploy\\-by\\-code.toml\\fR(5), \\fBdeploy\\-files\\fR(5)"
        )?;
        fs::write(Path::new(&folder).join(format!("{name}.1")), page)?;
    }
    Ok(())
}
