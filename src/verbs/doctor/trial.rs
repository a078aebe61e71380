//! A real push to a scratch repository that has the hooks of the installation. It proves that the
//! hooks work. The other checks only see that nothing is missing.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, process};

use super::finding::Finding;
use super::installation::Installation;
use crate::git;
use crate::hook_files::{Places, is_own};
use crate::status::Status;
use crate::store::{Deployment, Filter, Store};
use crate::sys::clock;
use crate::text;

/// How long the deployment of the scratch repository may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long to sleep between two looks at it.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether a push is planned and deployed.
pub(super) fn push(installation: &Installation<'_>) -> Finding {
    if let Some(why) = &installation.request.untried {
        let fix = "run doctor again as the repository's owner";
        return Finding::problem(format!("the test push was not tried: {why}"), fix);
    }
    let hooks = match &installation.hooks {
        Ok(hooks) => hooks,
        Err(error) => return could_not_try(error),
    };

    let what = "a test push to a scratch repository with these hooks";
    match try_push(hooks, installation.request.temporary) {
        Ok((_, Some(done))) if done.status == Status::Succeeded => {
            Finding::ok(format!("{what} was planned and deployed"))
        }
        Ok((_, Some(done))) => {
            let reason = text::escape(done.reason.unwrap_or_default(), 300);
            let status = done.status;
            Finding::problem(
                format!("{what} was planned, but is {status}: {reason}"),
                "look at the check of the runner below, and whether the machine is busy",
            )
        }
        Ok((printed, None)) => {
            let printed = match printed.trim() {
                "" => "git printed nothing".to_owned(),
                printed => format!("git printed: {}", text::escape(printed, 300)),
            };
            Finding::problem(
                format!("{what} was not planned; {printed}"),
                "look at the checks of the hooks above",
            )
        }
        Err(error) => could_not_try(&error),
    }
}

fn could_not_try(error: &dyn fmt::Display) -> Finding {
    Finding::problem(
        format!("the test push could not be tried: {error}"),
        "check that git works for this user and that there is room for temporary files",
    )
}

/// Why a push could not be tried.
#[derive(Debug)]
enum Error {
    /// The scratch repository could not be made.
    Io(io::Error),
    /// git failed.
    Git(git::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Git(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        Self::Git(error)
    }
}

/// What a push to a scratch repository prints, and the deployment that came of it.
fn try_push(hooks: &Places, temporary: &Path) -> Result<(String, Option<Deployment>), Error> {
    let scratch = Scratch::new(temporary)?;
    scratch.make_repository(hooks)?;
    let printed = scratch.push()?;
    Ok((printed, scratch.deployment()))
}

/// A folder with a scratch repository. It is removed when it is dropped.
struct Scratch {
    folder: PathBuf,
    repository: PathBuf,
}

impl Scratch {
    fn new(temporary: &Path) -> io::Result<Self> {
        let now = clock::now().as_ms();
        let name = format!("deploy-by-code-doctor.{}.{now}", process::id());
        let folder = temporary.join(name);

        // This fails where something of that name is there already: a folder that another user
        // made is never used.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self {
            repository: folder.join("deploy.git"),
            folder,
        })
    }

    /// Makes a deploy repository with links to where those of `hooks` lead, and a configuration
    /// that deploys by `true`. Its state is its own.
    fn make_repository(&self, hooks: &Places) -> Result<(), Error> {
        let init = ["init", "-q", "--bare", "-b", "main", "deploy.git"];
        git::scratch(&self.folder, &init)?;
        // What happens here is nothing that an administrator has to know.
        let config = "syslog = false\n[defaults]\ncommand = [\"true\"]\n";
        fs::write(self.repository.join("deploy-by-code.toml"), config)?;

        for (hook, place) in hooks {
            let link = self.repository.join("hooks").join(hook);
            let _ = fs::remove_file(&link);
            // A hook of another program is left out, because it could change something outside of
            // the scratch repository.
            if !is_own(place)? {
                continue;
            }
            if let Ok(target) = place.canonicalize().or_else(|_| fs::read_link(place)) {
                symlink(target, &link)?;
            }
        }
        Ok(())
    }

    /// Pushes a commit with a deploy file, and returns what git and the hooks print.
    fn push(&self) -> Result<String, Error> {
        git::scratch(&self.folder, &["init", "-q", "-b", "main", "work"])?;
        let work = self.folder.join("work");

        fs::create_dir(work.join("scratch"))?;
        let revision = format!("{:040x}\n", 1);
        fs::write(work.join("scratch/doctor.deploy"), revision)?;
        git::scratch(&work, &["add", "scratch"])?;
        git::scratch(&work, &["commit", "-q", "-m", "Try the hooks"])?;

        let url = self.repository.to_string_lossy();
        let push = ["push", "-q", &url, "HEAD:refs/heads/main"];
        Ok(git::scratch(&work, &push)?)
    }

    /// The deployment that was planned, as it is when it has ended or [`DEADLINE`] is over. A
    /// runner whose deployment has ended does not need the folder any more.
    fn deployment(&self) -> Option<Deployment> {
        let mut store = Store::open(&self.repository.join("deploy-by-code")).ok()?;
        let deadline = clock::Deadline::after(DEADLINE);

        loop {
            let history = store
                .read()
                .and_then(|record| record.history(&Filter::default(), 1));
            let newest = history.unwrap_or_default().pop()?;

            let is_open = matches!(newest.status, Status::Queued | Status::Running);
            if !is_open || deadline.is_over() {
                return Some(newest);
            }
            clock::sleep(PAUSE);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
