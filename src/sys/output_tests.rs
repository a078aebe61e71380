//! What becomes of commands that end, hang, write too much or leave something behind.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;

use super::*;
use crate::sys::clock;
use crate::sys::detach::in_own_session;
use crate::sys::process::ProcessIdentity;

/// Longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(20);

const SHORT: Duration = Duration::from_millis(200);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[track_caller]
fn ok(script: &str) -> (Option<i32>, String, String) {
    let output = output_within(shell(script), LONG, 1024 * 1024).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code();
    (code, text(output.stdout), text(output.stderr))
}

fn is_alive(pid: i32) -> bool {
    let found = ProcessIdentity::of(pid).unwrap();
    found.is_some_and(|process| process.is_alive().unwrap())
}

/// Waits until a process that wrote its number into a file has ended.
#[track_caller]
fn assert_ends(file: &Path) {
    let pid = std::fs::read_to_string(file).unwrap();
    let pid = pid.trim().parse().unwrap();
    let deadline = Deadline::after(LONG);
    while is_alive(pid) {
        assert!(!deadline.is_over(), "process {pid} was not killed");
        clock::sleep(LOOK);
    }
}

#[test]
fn command_that_ends_gives_its_status_and_both_streams() {
    let (code, stdout, stderr) = ok("echo out; echo err >&2; exit 3");
    assert_eq!((code, &*stdout, &*stderr), (Some(3), "out\n", "err\n"));

    let killed = output_within(shell("kill -TERM $$"), LONG, 10).unwrap();
    assert_eq!(killed.status.signal(), Some(15));
}

#[test]
fn both_streams_are_read_at_the_same_time() {
    // More than two pipes hold, on one stream and then on the other.
    let (code, stdout, stderr) =
        ok("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 1000 /dev/zero >&2");
    assert_eq!(
        (code, stdout.len(), stderr.len()),
        (Some(0), 300_000, 301_000)
    );
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(ok("cat; echo end").1, "end\n");
}

#[test]
fn missing_program_is_an_error_with_its_source() {
    let error = output_within(Command::new("/nonexistent"), LONG, 10).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, OutputError::Start(_)), "{error:?}");
    assert!(source.contains("No such file"), "{source}");
}

#[test]
fn command_past_its_time_is_killed_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 60 & echo $! > '{}'; sleep 60", file.display());
    let limit = Duration::from_secs(2);

    let error = output_within(shell(&script), limit, 10).unwrap_err();
    assert!(matches!(error, OutputError::TooLong { limit: passed } if passed == limit));
    assert_eq!(
        error.to_string(),
        "the command took longer than 2 s and was ended"
    );
    assert_ends(&file);
}

#[test]
fn stopped_command_is_killed_as_well() {
    let error = output_within(shell("kill -STOP $$"), SHORT, 10).unwrap_err();
    assert!(matches!(error, OutputError::TooLong { .. }), "{error:?}");
}

#[test]
fn command_that_writes_too_much_is_killed_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 60 & echo $! > '{}'; yes", file.display());

    let error = output_within(shell(&script), LONG, 1000).unwrap_err();
    assert!(
        matches!(error, OutputError::TooLarge { max_bytes: 1000 }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the command wrote more than 1000 bytes and was ended"
    );
    assert_ends(&file);
}

#[test]
fn limit_of_size_counts_both_streams_together() {
    let command = || shell("printf 12345; printf 67890 >&2");
    let output = output_within(command(), LONG, 10).unwrap();
    assert_eq!(
        (output.stdout, output.stderr),
        (b"12345".to_vec(), b"67890".to_vec())
    );

    let error = output_within(command(), LONG, 9).unwrap_err();
    assert!(
        matches!(error, OutputError::TooLarge { max_bytes: 9 }),
        "{error:?}"
    );
}

#[test]
fn command_that_closes_its_output_is_still_waited_for() {
    assert_eq!(ok("echo said; exec >&- 2>&-; sleep 0.2; exit 4").0, Some(4));

    let error = output_within(shell("exec >&- 2>&-; sleep 60"), SHORT, 10).unwrap_err();
    assert!(matches!(error, OutputError::TooLong { .. }), "{error:?}");
}

#[test]
fn grandchild_that_keeps_the_pipe_open_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 60 & echo $! > '{}'; echo done", file.display());

    let output = output_within(shell(&script), LONG, 100).unwrap();
    assert_eq!(output.stdout, b"done\n");

    // It is left alone, so the test ends it.
    let pid: i32 = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(is_alive(pid));
    nix::sys::signal::kill(Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}

#[test]
fn where_the_kernel_cannot_watch_a_child_its_end_is_noticed_too() {
    let unwatched = |script, limit| run(shell(script), Stdio::null(), limit, 100, |_| None, None);

    let output = unwatched("echo said; exec >&- 2>&-; sleep 0.1; exit 4", LONG).unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(4), &b"said\n"[..])
    );

    let error = unwatched("sleep 60", SHORT).unwrap_err();
    assert!(matches!(error, OutputError::TooLong { .. }), "{error:?}");
}

#[test]
fn command_that_leads_a_group_or_session_already_runs_as_well() {
    let mut grouped = shell("echo grouped");
    grouped.process_group(0);
    assert_eq!(
        output_within(grouped, LONG, 100).unwrap().stdout,
        b"grouped\n"
    );

    let mut own = shell("echo own");
    in_own_session(&mut own);
    assert_eq!(output_within(own, LONG, 100).unwrap().stdout, b"own\n");
}
