//! Sending by the machine's program sendmail.
//!
//! Protocol: the recipients are arguments behind `--`, so that an address is never an option, and
//! the message comes on the standard input (`-i`: a line with a point alone does not end it). The
//! exit statuses are those of sysexits(3), and the program has a limited time.
//!
//! It does not promise that the mail leaves the machine: the mail server's queue has it.

use std::process::Command;
use std::time::Duration;

use deploy_by_code::sys::file::in_memory;
use deploy_by_code::sys::output::output_of_input;
use deploy_by_code::sys::surroundings::PATH;
use deploy_by_code::text::escape;
use lettre::Message;

use super::fate::Fate;

/// How long the program may take.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How much it may write, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;

/// How much of that is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Exit statuses for what never works: wrong data, an unknown user, an unknown host. What an
/// administrator can mend is tried again.
const REFUSED: &[i32] = &[65, 67, 68];

/// Hands a message over.
pub(super) fn send(message: &Message) -> Fate {
    send_by("sendmail", TIME_MAX, message)
}

fn send_by(program: &str, limit: Duration, message: &Message) -> Fate {
    let mut command = Command::new(program);
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

    // The lines of a program's input end with a newline alone. Nothing else in a message that was
    // written here has a carriage return.
    let mut input = message.formatted();
    input.retain(|byte| *byte != b'\r');
    let output = match in_memory(&input) {
        Ok(input) => output_of_input(command, input, limit, OUTPUT_MAX),
        Err(error) => return Fate::Failed(format!("sendmail: no input: {error}")),
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => return Fate::Failed(format!("sendmail: {error}")),
    };
    if output.status.success() {
        return Fate::Taken("sendmail has taken it".to_owned());
    }

    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty());
    let mut why = format!("sendmail: {}", output.status);
    if let Some(line) = line {
        why.push_str(": ");
        why.push_str(&escape(line.trim(), SHOWN_MAX));
    }
    match output.status.code() {
        Some(code) if REFUSED.contains(&code) => Fate::Refused(why),
        _ => Fate::Failed(why),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lettre::message::Mailbox;

    use super::*;

    /// A mail to two people, with a line that a program may take for the end.
    fn message() -> Message {
        let mailbox = |text: &str| Mailbox::new(None, text.parse().unwrap());
        let builder = Message::builder()
            .from(mailbox("deploys@example.org"))
            .to(mailbox("ada@example.org"))
            .to(mailbox("bob@example.org"));
        builder.body("one\n.\ntwo\n".to_owned()).unwrap()
    }

    /// Sends it by a program with this script.
    fn sent_by(script: &str, limit: Duration) -> (Fate, String) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sendmail");
        let took = folder.path().join("took");
        let script = format!("#!/bin/sh\ntook='{}'\n{script}\n", took.display());
        // Another process writes it: a file can't be run while a child of this one inherits it.
        let write = "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"";
        let mut writer = Command::new("/bin/sh");
        writer.args(["-c", write]).arg(&program).arg(script);
        assert!(writer.status().unwrap().success());

        let told = send_by(program.to_str().unwrap(), limit, &message());
        (told, fs::read_to_string(took).unwrap_or_default())
    }

    #[test]
    fn program_gets_addresses_as_arguments_and_the_message_as_its_input() {
        let script = "{ printf '%s\\n' \"$@\"; echo; cat; } >\"$took\"";
        let (told, took) = sent_by(script, TIME_MAX);
        assert_eq!(told, Fate::Taken("sendmail has taken it".to_owned()));

        let (arguments, mail) = took.split_once("\n\n").unwrap();
        let expect = "-i\n-f\ndeploys@example.org\n--\nada@example.org\nbob@example.org";
        assert_eq!(arguments, expect);
        assert!(mail.ends_with("\n\none\n.\ntwo\n"), "{mail}");
        assert!(mail.contains("To: ada@example.org, bob@example.org\n"));
    }

    #[test]
    fn exit_status_says_whether_it_is_tried_again() {
        let table = [
            ("exit 67", "sendmail: exit status: 67", true),
            (
                "echo no such user: ada >&2; echo >&2; exit 67",
                "sendmail: exit status: 67: no such user: ada",
                true,
            ),
            ("exit 65", "sendmail: exit status: 65", true),
            ("exit 68", "sendmail: exit status: 68", true),
            ("exit 75", "sendmail: exit status: 75", false),
            ("exit 78", "sendmail: exit status: 78", false),
            ("exit 1", "sendmail: exit status: 1", false),
            ("kill -9 $$", "sendmail: signal: 9 (SIGKILL)", false),
        ];
        for (script, why, is_refused) in table {
            let (told, _) = sent_by(script, TIME_MAX);
            let why = why.to_owned();
            let expect = if is_refused {
                Fate::Refused(why)
            } else {
                Fate::Failed(why)
            };
            assert_eq!(told, expect, "{script}");
        }
    }

    #[test]
    fn program_that_is_missing_hangs_or_never_stops_is_tried_again() {
        let missing = send_by("/nowhere/sendmail", TIME_MAX, &message());
        let (hanging, _) = sent_by("sleep 60", Duration::from_millis(200));
        let (endless, _) = sent_by("yes", TIME_MAX);
        let table = [
            (missing, "sendmail: the command could not be started"),
            (hanging, "sendmail: the command took longer than 0.2 s"),
            (endless, "sendmail: the command wrote more than 65536 bytes"),
        ];
        for (told, expect) in table {
            let Fate::Failed(why) = told else {
                panic!("{told:?}")
            };
            assert!(why.starts_with(expect), "{why}");
        }
    }
}
