//! The rule `place`: a deploy file is at `<root>/<environment>/<application>.deploy`, neither
//! higher nor deeper. Its names are safe everywhere, and no other file differs from it only in
//! upper and lower case. The configuration knows its environment, if it knows any.

use super::{Answer, Case, Objection, Pass};
use crate::change::{Change, Depth, Node};
use crate::deployfile::EXTENSION;
use crate::id::{Application, Environment, Target};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let change = &case.candidate.change;
    if change.new.is_none() {
        return Ok(Pass::default());
    }

    check_depth(&case.config.root, change)?;
    let target = check_names(change)?;
    check_twin(change)?;
    case.config
        .check_environment(&target.environment)
        .and_then(|()| case.config.check_application(&target))
        .map_err(|unknown| Objection::new(unknown.message, unknown.hint))?;
    Ok(Pass::default())
}

fn check_depth(root: &str, change: &Change) -> Result<(), Objection> {
    let message = match change.depth {
        Depth::Right => return Ok(()),
        _ if change.new == Some(Node::Folder) => "a folder that has the name of a deploy file",
        Depth::TooShallow => "a deploy file that is not in an environment's folder",
        Depth::TooDeep => "a deploy file in a subfolder of an environment's folder",
    };

    let separator = if root.is_empty() { "" } else { "/" };
    let hint = format!(
        "deploy files belong at {root}{separator}<environment>/<application>{EXTENSION}, \
         neither higher nor deeper"
    );
    Err(Objection::new(message, hint))
}

fn check_names(change: &Change) -> Result<Target, Objection> {
    let (folder, file) = change.names();
    let application = file.strip_suffix(EXTENSION.as_bytes()).unwrap_or(file);
    let rename = "rename it: a name has the form [A-Za-z0-9][A-Za-z0-9._-]* and at most 64 bytes";

    let environment = Environment::new(folder)
        .map_err(|error| Objection::new(format!("environment: {error}"), rename))?;
    let application = Application::new(application)
        .map_err(|error| Objection::new(format!("application: {error}"), rename))?;
    Ok(Target {
        environment,
        application,
    })
}

fn check_twin(change: &Change) -> Result<(), Objection> {
    match &change.twin {
        None => Ok(()),
        Some(twin) if *twin == change.path => Err(Objection::new(
            "the path is in the tree twice, so it is not clear which entry counts",
            "create the commit again with git; git fsck finds such trees",
        )),
        Some(twin) => Err(Objection::new(
            format!(
                "the path differs from {} only in upper and lower case",
                text::quote(twin, 200)
            ),
            "keep only one of the two: on some file systems they are the same file",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, added, ask_file, file, refused_if_any};
    use super::*;

    fn check(change: Change, message: &str) {
        assert_eq!(
            ask_file(judge, "", change.clone()),
            refused_if_any(message),
            "{change:?}"
        );
    }

    fn at(path: &str, depth: Depth) -> Change {
        Change {
            depth,
            ..added(path, file(A))
        }
    }

    #[test]
    fn depth_must_be_right() {
        check(at("production/app.deploy", Depth::Right), "");
        check(
            at("app.deploy", Depth::TooShallow),
            "a deploy file that is not in an environment's folder",
        );
        check(
            at("production/x/app.deploy", Depth::TooDeep),
            "a deploy file in a subfolder of an environment's folder",
        );

        let folder = Change {
            new: Some(Node::Folder),
            ..at("app.deploy", Depth::TooShallow)
        };
        check(folder, "a folder that has the name of a deploy file");
    }

    #[test]
    fn names_must_be_safe() {
        let too_long = format!("production/{}.deploy", "a".repeat(65));
        let table = [
            (
                "pro duction/app.deploy",
                "environment: the name has a character outside A-Z a-z 0-9 . _ -",
            ),
            ("production/.deploy", "application: the name is empty"),
            (
                "production/-h.deploy",
                "application: the name does not start with a letter or digit",
            ),
            (&too_long, "application: the name is longer than 64 bytes"),
        ];
        for (path, message) in table {
            check(at(path, Depth::Right), message);
        }
    }

    #[test]
    fn environment_must_be_known_as_soon_as_one_is() {
        let unknown = "the configuration has no environment production";
        let case = "app differs from App, which the configuration names, only in upper and lower \
                    case";
        let table = [
            ("", ""),
            ("[applications.app]\n", ""),
            ("[environments.production]\n", ""),
            ("[environments.\"p*n\"]\n", ""),
            ("[environments.staging]\n", unknown),
            (
                "[environments.prodution]\nfrozen = [\"2026-01-01 .. 2026-01-02\"]\n",
                unknown,
            ),
            ("[environments.\"p*m\"]\n", unknown),
            ("[environments.Production]\n", unknown),
            // The pattern must not let through what the other section was meant for.
            ("[environments.Production]\n[environments.\"*\"]\n", unknown),
            ("[applications.App]\n", case),
            ("[environments.production.applications.App]\n", case),
            (
                "[environments.production]\n[environments.staging.applications.App]\n",
                "",
            ),
        ];
        for (config, message) in table {
            let change = at("production/app.deploy", Depth::Right);
            let found = ask_file(judge, config, change);
            assert_eq!(found, refused_if_any(message), "{config}");

            // What is unknown can always be taken away.
            let deleted = Change {
                new: None,
                old: file(A),
                ..at("production/app.deploy", Depth::Right)
            };
            assert_eq!(ask_file(judge, config, deleted), "", "{config}");
        }
    }

    #[test]
    fn path_must_be_unique() {
        let with_twin = |twin: &[u8]| Change {
            twin: Some(twin.to_vec()),
            ..at("production/app.deploy", Depth::Right)
        };
        check(
            with_twin(b"production/app.deploy"),
            "the path is in the tree twice, so it is not clear which entry counts",
        );
        check(
            with_twin(b"production/App.deploy"),
            "the path differs from \"production/App.deploy\" only in upper and lower case",
        );
    }

    #[test]
    fn wrong_path_may_be_deleted() {
        let deleted = Change {
            new: None,
            old: file(A),
            twin: Some(b"production/App.deploy".to_vec()),
            ..at("production/app.deploy", Depth::Right)
        };
        check(deleted, "");
    }
}
