//! The configuration file.

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::deploy_repository::InstallRecord;
use crate::store::Store;
use crate::verbs::people::examine_people;

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

/// Whether what `install` recorded is still what the configuration means. The hooks rely on it
/// while the configuration can't be read.
pub(super) fn record(installation: &Installation<'_>) -> Finding {
    let install = installation.run("install");
    let file = shown(&InstallRecord::file(installation.git_dir()));
    let recorded = match InstallRecord::read(installation.git_dir()) {
        Ok(Some(recorded)) => recorded,
        Ok(None) => {
            let found = format!(
                "{file} is missing: while the configuration can't be read, pushes to every branch \
                 are refused"
            );
            return Finding::warning(found, install);
        }
        Err(error) => return Finding::problem(format!("{file}: {error}"), install),
    };

    // With mistakes, it is not known what the configuration means.
    let deploy = installation.deploy;
    if installation.request.config_error.is_some() || recorded == deploy.install_record() {
        return Finding::ok(file);
    }
    match deploy.check_as_installed(Ok(Some(recorded))) {
        Err(error) => Finding::problem(error.to_string(), install),
        Ok(()) => Finding::warning(
            format!("{file} names another configuration file than the one that is used now"),
            install,
        ),
    }
}

/// Whether the names in the configuration are names of something.
pub(super) fn names(installation: &Installation<'_>, store: &mut Store) -> Finding {
    let recorded = match store.read().and_then(|record| record.newest()) {
        Ok(newest) => newest.into_keys(),
        Err(error) => return Finding::problem(error.to_string(), error.hint()),
    };
    let Ok(wanted) = &installation.wanted else {
        return Finding::ok("not compared, because the deploy branch can't be read");
    };
    let known = wanted.keys().cloned().chain(recorded).collect();

    let unknown = installation.deploy.config.unknown_names(&known);
    let Some(first) = unknown.first() else {
        return Finding::ok("nothing in the configuration is known to be misspelt");
    };
    let messages: Vec<&str> = unknown.iter().map(|name| name.message.as_str()).collect();
    Finding::warning(messages.join("; "), first.hint.clone())
}

/// Whether those who must sign can do so; nothing where nobody must.
pub(super) fn signatures(installation: &Installation<'_>) -> Vec<Finding> {
    let examined = examine_people(installation.deploy);
    let faults = examined.faults.into_iter().map(|fault| {
        let found = format!("{}: {}", fault.key, fault.found);
        if fault.is_error {
            Finding::problem(found, fault.fix)
        } else {
            Finding::warning(found, fault.fix)
        }
    });
    let good = (!examined.good.is_empty()).then(|| Finding::ok(examined.good.join(", ")));
    good.into_iter().chain(faults).collect()
}
