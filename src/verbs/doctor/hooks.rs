//! The hooks through which git starts this program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::hook_files::{HookFault, OwnHook, fault, is_own, own_hook};

/// A problem, if git does not say where the hooks are, or runs them from a folder outside of the
/// repository. Where git does not say it, the checks of the hooks are left out.
pub(super) fn folder(installation: &Installation<'_>) -> Vec<Finding> {
    let repository = installation.git_dir();
    let places = match &installation.hooks {
        Ok(places) => places,
        Err(error) => {
            let fix = "check that git is installed";
            return vec![Finding::problem(error.to_string(), fix)];
        }
    };

    let outside = places
        .iter()
        .find(|(_, place)| !place.starts_with(repository));
    let Some(elsewhere) = outside.and_then(|(_, place)| place.parent()) else {
        return Vec::new();
    };
    let set = installation.set(&format!(
        "core.hooksPath {}",
        shown(&repository.join("hooks"))
    ));
    vec![Finding::problem(
        format!(
            "git runs the hooks of this repository from {} (core.hooksPath), and not its own",
            shown(elsewhere)
        ),
        format!("{set}; then {}", installation.run("install")),
    )]
}

/// Whether git runs this program as one hook. Not every host has every hook.
pub(super) fn hook(installation: &Installation<'_>, name: &str) -> Vec<Finding> {
    let places = installation.hooks.as_deref().unwrap_or_default();
    places
        .iter()
        .filter(|(hook, _)| *hook == name)
        .map(|(_, place)| look_at(installation, place))
        .collect()
}

fn look_at(installation: &Installation<'_>, place: &Path) -> Finding {
    let hook = shown(place);
    let install = installation.run("install");

    let fault = match fault(place) {
        Ok(fault) => fault,
        Err(error) => {
            let fix = "check that this user may read it";
            return Finding::problem(format!("{hook}: {error}"), fix);
        }
    };
    let fix = match &fault {
        None => return who_can_change(place),
        Some(HookFault::BrokenLink) if !is_own(place).unwrap_or(false) => {
            format!("restore the file that it leads to, or remove it and {install}")
        }
        Some(HookFault::Missing | HookFault::BrokenLink) => install,
        Some(HookFault::OfAnother) => format!("{install}; it keeps the other hook and runs it too"),
        Some(HookFault::NotExecutable) => format!("chmod +x {hook}"),
        Some(HookFault::NoProgram(_)) => {
            format!("install that program again, or {install}")
        }
    };
    let fault = fault.map(|fault| fault.to_string()).unwrap_or_default();
    Finding::problem(format!("{hook} {fault}"), fix)
}

/// Whether others than the owner can change what a hook does.
fn who_can_change(place: &Path) -> Finding {
    let program = match own_hook(place) {
        Ok(Some(OwnHook::File { program })) => program,
        _ => place.to_owned(),
    };
    for path in [place, &program] {
        // This is about the file: the mode of a link means nothing.
        match fs::metadata(path) {
            Ok(found) if found.mode() & 0o022 == 0 => {}
            Ok(_) => {
                let path = shown(path);
                let found = format!("{path} is writable by others than its owner");
                return Finding::problem(found, format!("chmod go-w {path}"));
            }
            Err(error) => {
                let fix = "check that this user may read it";
                return Finding::problem(format!("{}: {error}", shown(path)), fix);
            }
        }
    }
    Finding::ok(shown(place))
}
