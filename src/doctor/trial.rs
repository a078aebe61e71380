//! A real push to a scratch repository that has this repository's hooks: proof, where everything
//! else only looks right.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Check, ok, problem};
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::hook_files::{Host, is_own_link};
use crate::status::Status;
use crate::store::{Deployment, Filter, Store};
use crate::sys::clock;
use crate::text;

/// Proves that the hooks fire: a real push of a commit to a scratch repository, in a folder for
/// temporary files, that has this repository's hooks, and nothing else of it.
pub(super) fn firing(deploy: &DeployRepository, temporary: &Path) -> Check {
    let name = "a push";
    match try_push(deploy, temporary) {
        Ok((_, Some(done))) if done.status == Status::Succeeded => ok(
            name,
            "to a scratch repository with these hooks was planned and deployed",
        ),
        Ok((_, Some(done))) => problem(
            name,
            format!(
                "to a scratch repository with these hooks was planned, but is {}: {}",
                done.status,
                text::escape(done.reason.unwrap_or_default(), 300)
            ),
            "syslog says what its runner did",
        ),
        Ok((said, None)) => {
            let said = text::escape(said.trim(), 300);
            problem(
                name,
                format!(
                    "to a scratch repository with these hooks was not planned; it said: {said}"
                ),
                "see the checks of the hooks above",
            )
        }
        Err(error) => problem(
            name,
            format!("could not be tried: {error}"),
            "see that git works for this user and that there is room for temporary files",
        ),
    }
}

/// What a push to a scratch repository says, and the deployment that came of it. It has links to
/// where this repository's lead, a configuration that deploys by `true`, and a state of its own.
fn try_push(
    deploy: &DeployRepository,
    temporary: &Path,
) -> io::Result<(String, Option<Deployment>)> {
    let git_dir = deploy.repository.path();
    let folder = git::hooks_folder(git_dir).map_err(io::Error::other)?;
    let gitlab = git::config_value(git_dir, "gitlab.fullpath").map_err(io::Error::other)?;
    let scratch = Scratch::new(temporary)?;
    let git = |folder: &Path, words: &[&str]| git::scratch(folder, words).map_err(io::Error::other);
    git(
        &scratch.0,
        &["init", "-q", "--bare", "-b", "main", "deploy.git"],
    )?;
    git(&scratch.0, &["init", "-q", "-b", "main", "work"])?;
    let (bare, work) = (scratch.0.join("deploy.git"), scratch.0.join("work"));
    fs::write(
        bare.join("deploy-by-code.toml"),
        "[defaults]\ncommand = [\"true\"]\n",
    )?;
    for (hook, place) in Host::of(git_dir, gitlab.is_some()).places(git_dir, &folder) {
        let link = bare.join("hooks").join(hook);
        let _ = fs::remove_file(&link);
        // Another hook is none of these, and does what it does to this repository.
        if !is_own_link(&place) {
            continue;
        }
        if let Ok(target) = place.canonicalize().or_else(|_| fs::read_link(&place)) {
            std::os::unix::fs::symlink(target, &link)?;
        }
    }
    fs::create_dir(work.join("scratch"))?;
    fs::write(work.join("scratch/doctor.deploy"), format!("{:040x}\n", 1))?;
    git(&work, &["add", "scratch"])?;
    git(&work, &["commit", "-q", "-m", "Try the hooks"])?;
    let url = bare.to_string_lossy().into_owned();
    let said = git(&work, &["push", "-q", &url, "HEAD:refs/heads/main"])?;
    // The runner that it started has nothing to do any more once it is on record.
    let deadline = clock::Deadline::after(Duration::from_secs(10));
    while let Ok(mut store) = Store::open(&bare.join("deploy-by-code")) {
        let newest = store
            .read()
            .and_then(|record| record.history(&Filter::default(), 1))
            .unwrap_or_default()
            .pop();
        if newest
            .as_ref()
            .is_none_or(|newest| !matches!(newest.status, Status::Queued | Status::Running))
            || deadline.is_over()
        {
            return Ok((said, newest));
        }
        clock::sleep(Duration::from_millis(20));
    }
    Ok((said, None))
}

/// A folder that goes when it is done with.
struct Scratch(PathBuf);

impl Scratch {
    fn new(temporary: &Path) -> io::Result<Self> {
        let name = format!(
            "deploy-by-code-doctor.{}.{}",
            std::process::id(),
            clock::now().as_ms()
        );
        let folder = temporary.join(name);
        // Fails where something of that name is there already: nobody else's folder is used.
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
            .create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
