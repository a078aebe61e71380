//! Sending by the machine's program sendmail.
//!
//! Protocol: the recipients are arguments behind `--`, so that an address is never an option, and
//! the message comes on the standard input (`-i`: a line with a point alone does not end it). The
//! exit statuses are those of sysexits(3).
//!
//! It does not promise that the mail leaves the machine: the mail server's queue has it.

use std::process::Command;
use std::time::Duration;

use deploy_by_code::publish::Told;
use deploy_by_code::sys::file::in_memory;
use deploy_by_code::sys::output::output_of_input;
use deploy_by_code::sys::surroundings::PATH;
use deploy_by_code::text::escape;
use lettre::Message;

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How much it may write, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// How much of that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Exit statuses for what never works: wrong data, an unknown user, an unknown host.
const REFUSED: &[i32] = &[65, 67, 68];

/// Hands a message over.
pub(super) fn send(message: &Message) -> Told {
    let mut command = Command::new("sendmail");
    command
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .arg("-i");
    if let Some(from) = message.envelope().from() {
        command.arg("-f").arg(AsRef::<str>::as_ref(from));
    }
    command.arg("--");
    let to = message.envelope().to().iter();
    command.args(to.map(AsRef::<str>::as_ref));

    let output = match in_memory(&message.formatted()) {
        Ok(input) => output_of_input(command, input, LIMIT, OUTPUT_MAX),
        Err(error) => return Told::Later(format!("sendmail: no input: {error}")),
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => return Told::Later(format!("sendmail: {error}")),
    };
    if output.status.success() {
        return Told::Delivered("sendmail has taken it".to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty());
    let why = escape(line.unwrap_or_default().trim(), SHOWN_MAX);
    let why = format!("sendmail: {}: {why}", output.status);
    match output.status.code() {
        Some(code) if REFUSED.contains(&code) => Told::Refused(why),
        _ => Told::Later(why),
    }
}
