//! The hook that was there before this program was installed under its name.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::error::Error;
use super::exit::Exit;
use super::pusher::Pusher;
use crate::hook_files::kept;
use crate::sys::access::may_execute;
use crate::sys::exec::names_no_interpreter;
use crate::sys::file::is_there;
use crate::text;

/// The hook that was there before.
pub(super) struct KeptHook(PathBuf);

impl KeptHook {
    /// Finds the hook that `install` kept, if it is to run.
    ///
    /// # Errors
    /// Nobody knows whether there is one. It may have refused the push.
    pub(super) fn find(hook: &str, program: &OsStr) -> Result<Option<Self>, Error> {
        let path = Path::new(program);
        if path.file_name() != Some(OsStr::new(hook)) {
            return Ok(None);
        }
        let Some(kept) = kept(path) else {
            return Ok(None);
        };

        match is_there(&kept) {
            Ok(false) => Ok(None),
            // A hook that is not executable is ignored, as git does. A broken link is an error: the
            // hook that it led to may have refused the push.
            Ok(true) => {
                let is_to_run = may_execute(&kept) || kept.metadata().is_err();
                Ok(is_to_run.then_some(Self(kept)))
            }
            Err(error) => Err(Error::KeptHook(kept, error)),
        }
    }

    /// Runs it with the arguments and the input that git gave.
    pub(super) fn run(
        &self,
        arguments: &[OsString],
        input: &[u8],
        pusher: &mut Pusher,
    ) -> Result<Exit, Error> {
        let error = |error| Error::KeptHook(self.0.clone(), error);

        let mut child = self.start(arguments).map_err(error)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A hook need not read all of its input.
            let _ = stdin.write_all(input);
        }
        let status = child.wait().map_err(error)?;

        if let Some(signal) = status.signal() {
            let shown = text::escape(self.0.as_os_str().as_encoded_bytes(), 200);
            let message = format!("the earlier hook {shown} was ended by signal {signal}");
            pusher.complain(&message, None);
        }
        Ok(Exit::of(status.success()))
    }

    fn start(&self, arguments: &[OsString]) -> io::Result<Child> {
        let start = |mut command: Command| command.args(arguments).stdin(Stdio::piped()).spawn();
        match start(Command::new(&self.0)) {
            // git, too, gives a script to the shell that does not name its interpreter.
            Err(error) if names_no_interpreter(&error) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg(&self.0);
                start(shell)
            }
            started => started,
        }
    }
}
