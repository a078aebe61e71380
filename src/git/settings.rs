//! What git's own configuration says about a repository.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{
    SHORT_MAX, answer_if_any_within, answer_within, command, failed, git, run_within,
};
use super::error::Error;
use crate::sys::user::User;
use crate::text;

/// How long git may take to read its configuration. It does so in a moment, unless one of the files
/// is a pipe or on a file system that hangs.
const SETTING_LIMIT: Duration = Duration::from_secs(10);

/// What git says about its configuration. `None`: there is nothing to say.
fn setting(git_dir: &Path, arguments: &[&str]) -> Result<Option<String>, Error> {
    answer_if_any_within(git_dir, arguments, SETTING_LIMIT)
}

/// A value of a repository's git configuration, the user's and the system's included. `None`: it is
/// not set.
///
/// # Errors
/// git gave no answer.
pub fn config_value(git_dir: &Path, key: &str) -> Result<Option<String>, Error> {
    setting(git_dir, &["config", "--get", key])
}

/// A setting of a repository that is true or false, in any of the words that git knows for them
/// (git-config(1), "boolean"). One that is not set is false.
///
/// # Errors
/// git gave no answer, or the value is neither.
pub fn config_bool(git_dir: &Path, key: &str) -> Result<bool, Error> {
    let arguments = ["config", "--type=bool", "--get", key];
    let value = setting(git_dir, &arguments)?;
    Ok(value.as_deref() == Some("true"))
}

/// Sets a value in the repository's own git configuration.
///
/// # Errors
/// git could not set it.
pub fn set_config_value(git_dir: &Path, key: &str, value: &str) -> Result<(), Error> {
    let output = git(git_dir, &["config", "--local", key, value], SHORT_MAX)?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(git_dir, &format!("config {key} {value}"), &output))
}

/// The folder from which git runs a repository's hooks.
///
/// # Errors
/// git gave no answer.
pub fn hooks_folder(git_dir: &Path) -> Result<PathBuf, Error> {
    let arguments = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"];
    let folder = answer_within(git_dir, &arguments, SETTING_LIMIT, SHORT_MAX)?;
    Ok(PathBuf::from(folder))
}

/// Checks that this process may write into a repository. Whose a repository is decides what git
/// does there: links lead it to other files, alternates let it read other objects, and newer
/// versions of git run programs that its configuration names. So it must be this user's, or root's,
/// or one that this machine trusts (git-config(1), `safe.directory`).
///
/// # Errors
/// It is another user's, or that can't be found out.
pub fn check_may_write(git_dir: &Path) -> Result<(), Error> {
    let found = git_dir.metadata();
    let owner = found.map_err(|error| Error::new(git_dir, error))?.uid();
    if owner == 0 || owner == User::own_number() || trusts(git_dir)? {
        return Ok(());
    }
    let message = format!(
        "it belongs to user {owner}, and is not written into; if everybody who can change it is \
         trusted: git config --system --add safe.directory {}",
        text::escape(git_dir.as_os_str().as_encoded_bytes(), 200)
    );
    Err(Error::new(git_dir, message))
}

/// Whether git treats a repository as safe when this user pushes to it (safe.directory). git is
/// called in the same way as receive-pack, without an explicit `--git-dir`.
///
/// # Errors
/// git gave no answer.
pub fn trusts(git_dir: &Path) -> Result<bool, Error> {
    let mut command = command();
    // receive-pack does not look at safe.bareRepository.
    command.arg("-C").arg(git_dir).args([
        "-c",
        "safe.bareRepository=all",
        "rev-parse",
        "--git-dir",
    ]);
    let output = run_within(command, git_dir, "rev-parse", SETTING_LIMIT, SHORT_MAX)?;

    if output.status.success() {
        return Ok(true);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("dubious ownership") {
        return Ok(false);
    }
    Err(failed(git_dir, "rev-parse", &output))
}
