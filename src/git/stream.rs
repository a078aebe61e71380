//! What git prints, piece by piece, where it is too much to be held at once.

use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;

use super::command::{NoAnswer, command_in, name_of};
use super::error::Error;

/// How much of a long output is shown at once, in bytes.
const STREAM_CHUNK: usize = 64 * 1024;

/// Shows what a command of git prints, piece by piece, however long it takes: whoever calls this is
/// looked after by somebody. What git complains of goes where this process's complaints go.
///
/// # Errors
/// git could not be started, or failed; or `show` fails.
pub(super) fn stream<E: From<Error>>(
    git_dir: &Path,
    settings: &[&str],
    arguments: &[&str],
    mut show: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let call = name_of(arguments);
    let no_answer = |error| Error::new(git_dir, error);
    let mut command = command_in(git_dir, &[], settings, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| no_answer(NoAnswer::Start(error)))?;

    let mut shown = Ok(());
    if let Some(mut output) = child.stdout.take() {
        let mut buffer = vec![0; STREAM_CHUNK];
        while shown.is_ok() {
            match output.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => shown = show(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let call = call.to_owned();
                    shown = Err(no_answer(NoAnswer::Read { call, source }).into());
                }
            }
        }
    }
    // With its output closed, git ends.
    let status = child.wait();
    shown?;
    match status {
        Ok(status) if status.code() == Some(0) => Ok(()),
        Ok(status) => Err(no_answer(NoAnswer::Failed {
            call: call.to_owned(),
            status,
            complaint: "it has said why".to_owned(),
        }))?,
        Err(source) => Err(no_answer(NoAnswer::Read {
            call: call.to_owned(),
            source,
        }))?,
    }
}
