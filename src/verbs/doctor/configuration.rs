//! The configuration file.

use super::finding::Finding;
use super::installation::{Installation, shown};

/// Whether there is a configuration file without mistakes.
pub(super) fn file(installation: &Installation<'_>) -> Finding {
    if let Some(error) = &installation.request.config_error {
        let fix = "correct the file; nothing is deployed until then";
        return Finding::problem(error.to_string(), fix);
    }

    match &installation.deploy.config_file {
        Some(file) => Finding::ok(shown(file)),
        None => {
            let folder = shown(installation.git_dir());
            Finding::problem(
                "there is no configuration file, so nothing can be deployed",
                format!("write {folder}/deploy-by-code.toml; see deploy-by-code.toml(5)"),
            )
        }
    }
}
