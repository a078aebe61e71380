//! The configuration file.

use super::finding::Finding;
use super::patient::{Patient, shown};

/// Whether there is a configuration file without mistakes.
pub(super) fn file(patient: &Patient<'_>) -> Finding {
    if let Some(error) = &patient.request.config_error {
        let fix = "correct the file; nothing is deployed until then";
        return Finding::problem(error.to_string(), fix);
    }

    match &patient.deploy.config_file {
        Some(file) => Finding::ok(shown(file)),
        None => {
            let folder = shown(patient.git_dir());
            Finding::problem(
                "there is no configuration file, so nothing can be deployed",
                format!("write {folder}/deploy-by-code.toml; see deploy-by-code.toml(5)"),
            )
        }
    }
}
