//! The log files of deployments.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::id::DeploymentId;
use crate::sys::file::is_absence;

const FOLDER: &str = "logs";
const SUFFIX: &str = ".log";

/// The log file of a deployment in a state directory.
pub(super) fn log_file(state: &Path, id: DeploymentId) -> PathBuf {
    state.join(FOLDER).join(format!("{}{SUFFIX}", id.0))
}

/// The deployments that have a log file in a state directory. `None`: there is no folder for them.
///
/// # Errors
/// The folder can't be read.
pub fn with_log(state: &Path) -> io::Result<Option<BTreeSet<DeploymentId>>> {
    let entries = match fs::read_dir(state.join(FOLDER)) {
        Err(error) if is_absence(&error) => return Ok(None),
        entries => entries?,
    };

    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        found.extend(number.and_then(|number| number.parse::<DeploymentId>().ok()));
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir};

    use super::*;

    #[test]
    fn only_logs_of_deployments_are_found() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(with_log(state.path()).unwrap(), None);

        create_dir(state.path().join(FOLDER)).unwrap();
        for name in ["10.log", "2.log", "x.log", "3", "4.log.new", ".log"] {
            File::create(state.path().join(FOLDER).join(name)).unwrap();
        }
        let found = with_log(state.path()).unwrap().unwrap();
        assert_eq!(Vec::from_iter(found), [DeploymentId(2), DeploymentId(10)]);
        assert!(log_file(state.path(), DeploymentId(2)).exists());
    }
}
