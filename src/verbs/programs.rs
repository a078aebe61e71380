//! Whether the program of a command can be executed, before anybody deploys.

use std::path::{Component, Path};

use crate::config::Template;
use crate::deploy_repository::{DeployRepository, folder_values};
use crate::git::{self, TreeProgram};
use crate::id::{Revision, Target};
use crate::sys::program::{HEAD_MAX, Obstacle, find};
use crate::sys::surroundings;
use crate::text;

/// Stands in a program's name for the folder of the release, in which a command starts.
const IN_CHECKOUT: &str = ".";

/// Stands in a program's name for what is known only when the deployment begins.
const LATER: &str = "{later}";

/// Why the program of a command can't be executed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramFault {
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: String,
}

/// For each program that a target's settings name, with the revision that its deploy file asks for:
/// its name, if nothing shows that it can't be executed; otherwise why it can't be.
pub(super) fn check_programs(
    deploy: &DeployRepository,
    target: &Target,
    revision: &Revision,
) -> Vec<Result<String, ProgramFault>> {
    let settings = deploy.config.settings(target);
    let named = [
        ("command", &settings.command),
        ("activate", &settings.activate),
        ("verify", &settings.verify),
    ];
    let named = named.into_iter().filter_map(|(key, arguments)| {
        let program = arguments.as_deref()?.first()?;
        check_program(deploy, target, revision, (key, program)).transpose()
    });
    named.collect()
}

/// The same for one program, with the key that names it. `None`: its name is not known yet.
fn check_program(
    deploy: &DeployRepository,
    target: &Target,
    revision: &Revision,
    (key, program): (&str, &Template),
) -> Result<Option<String>, ProgramFault> {
    let settings = deploy.config.settings(target);
    let [environment, application] = folder_values(target);
    let program = program.fill(&[
        environment,
        application,
        ("revision", revision.as_str()),
        ("checkout", IN_CHECKOUT),
        ("id", LATER),
        ("previous_revision", LATER),
        ("commit", LATER),
        ("pusher", LATER),
        ("repository", LATER),
    ]);
    if program.contains(LATER) {
        return Ok(None);
    }
    let shown = text::escape(&program, 200);

    if program.contains('/') && !program.starts_with('/') {
        if settings.checkout.is_some() {
            return check_in_revision(deploy, target, revision, (key, &program))
                .map(|()| Some(shown));
        }
        let work = deploy.state_dir().join("work");
        let folder = text::escape(work.as_os_str().as_encoded_bytes(), 200);
        return match Obstacle::of(&work.join(&program)) {
            None => Ok(Some(shown)),
            Some(_) => Err(ProgramFault {
                found: format!(
                    "{shown} is a relative path, and without checkout a command starts in {folder}"
                ),
                fix: format!(
                    "write the whole path in {key}, or set checkout if the program is a file of \
                     the application"
                ),
            }),
        };
    }

    let path = settings.env.get("PATH");
    let path = path.map_or(surroundings::PATH, String::as_str);
    let Some(file) = find(&program, Path::new("/"), path) else {
        return Err(ProgramFault {
            found: format!("{shown} is in no folder of PATH, which is {path}"),
            fix: format!("install it, or write its whole path in {key}"),
        });
    };
    match Obstacle::of(&file) {
        None => Ok(Some(shown)),
        Some(obstacle) => Err(ProgramFault {
            fix: fix(
                &obstacle,
                key,
                &text::escape(file.to_string_lossy().as_ref(), 200),
            ),
            found: format!("{shown} {obstacle}"),
        }),
    }
}

/// The same for a program that is a file of the application.
fn check_in_revision(
    deploy: &DeployRepository,
    target: &Target,
    revision: &Revision,
    (key, program): (&str, &str),
) -> Result<(), ProgramFault> {
    let Some(path) = inside(program) else {
        return Ok(());
    };
    let mut shared = deploy.config.settings(target).shared.into_iter();
    if shared.any(|shared| shared.has(&path)) {
        // It is none of the revision's files.
        return Ok(());
    }
    let path = match deploy.subdirectory(target) {
        Some(folder) => format!("{folder}/{path}"),
        None => path,
    };
    // Whether the repository and the revision are there is looked at elsewhere.
    let program = deploy
        .application_repository(target)
        .and_then(|repository| {
            let repository = git::open_application(&repository).ok()?;
            repository.program(revision, &path, HEAD_MAX).ok()
        });
    let obstacle = match program {
        None | Some(TreeProgram::Other) => None,
        Some(TreeProgram::Missing) => Some(Obstacle::Missing),
        Some(TreeProgram::File {
            is_executable: false,
            ..
        }) => Some(Obstacle::NotExecutable),
        Some(TreeProgram::File { head, .. }) => head.as_deref().and_then(Obstacle::in_head),
    };
    let Some(obstacle) = obstacle else {
        return Ok(());
    };

    let (application, short) = (&target.application, revision.short());
    let shown = text::escape(&path, 200);
    let fix = match obstacle {
        Obstacle::NotExecutable => {
            format!("in the clone of {application}: git update-index --chmod=+x {shown}")
        }
        Obstacle::CarriageReturn => format!(
            "in the clone of {application}: echo '{shown} text eol=lf' >>.gitattributes; \
             git add --renormalize {shown}"
        ),
        _ => fix(&obstacle, key, &shown),
    };
    Err(ProgramFault {
        found: format!("{shown} of {application} at {short} {obstacle}"),
        fix: format!("{fix}; then commit, and deploy that commit"),
    })
}

/// A relative path without `.`; `None`: it leads out of the folder.
fn inside(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// What to do about an obstacle.
fn fix(obstacle: &Obstacle, key: &str, file: &str) -> String {
    match obstacle {
        Obstacle::Missing | Obstacle::NotAFile => {
            format!("put the program there, or correct {key} in the configuration")
        }
        Obstacle::NotExecutable => format!("chmod +x {file}"),
        Obstacle::CarriageReturn => format!("sed -i 's/\\r$//' {file}"),
        Obstacle::NoInterpreter(_) => {
            format!("install the interpreter, or correct the first line of {file}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_stays_inside_of_the_release() {
        let table = [
            ("./deploy.sh", Some("deploy.sh")),
            ("bin/./deploy", Some("bin/deploy")),
            ("../deploy.sh", None),
            ("bin/../../x", None),
        ];
        for (path, expect) in table {
            assert_eq!(inside(path).as_deref(), expect, "{path}");
        }
    }
}
