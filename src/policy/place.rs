//! A deploy file stands at `<root>/<environment>/<application>.deploy`, exactly that deep, under
//! names that are safe everywhere.

use super::{Answer, Case, Objection, Pass};
use crate::change::{Depth, Node};
use crate::deployfile::EXTENSION;
use crate::id::{Application, Environment};
use crate::text;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let (config, change) = (case.config, &case.candidate.change);
    if change.new.is_none() {
        return Ok(Pass::default());
    }
    let root = if config.root.is_empty() {
        String::new()
    } else {
        format!("{}/", config.root)
    };
    let wanted = format!(
        "deploy files stand at {root}<environment>/<application>{EXTENSION}, exactly that deep"
    );
    if change.depth != Depth::Right && change.new == Some(Node::Folder) {
        return Err(Objection::new("a folder called like a deploy file", wanted));
    }
    match change.depth {
        Depth::TooShallow => {
            return Err(Objection::new(
                "a deploy file in no environment's folder",
                wanted,
            ));
        }
        Depth::TooDeep => {
            return Err(Objection::new(
                "a deploy file below an environment's folder",
                wanted,
            ));
        }
        Depth::Right => {}
    }
    let (folder, file) = change.names();
    let name = file.strip_suffix(EXTENSION.as_bytes()).unwrap_or(file);
    let rename = "rename it: [A-Za-z0-9][A-Za-z0-9._-]*, 64 bytes at most";
    Environment::new(folder)
        .map_err(|error| Objection::new(format!("environment: {error}"), rename))?;
    Application::new(name)
        .map_err(|error| Objection::new(format!("application: {error}"), rename))?;
    match &change.twin {
        Some(twin) if *twin == change.path => Err(Objection::new(
            "stands twice in the tree, so that it is not clear which one counts",
            "write the commit anew with git; git fsck finds such trees",
        )),
        Some(twin) => Err(Objection::new(
            format!("differs from {} in case only", text::quote(twin, 200)),
            "keep one of the two: on some file systems they are the same",
        )),
        None => Ok(Pass::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, added, ask_file, file};
    use super::*;
    use crate::change::Change;

    fn check(change: Change, expect: &str) {
        let expect = if expect.is_empty() {
            String::new()
        } else {
            format!("refused: {expect}")
        };
        assert_eq!(ask_file(judge, "", change.clone()), expect, "{change:?}");
    }

    #[test]
    fn places() {
        let at = |path: &str, depth| Change {
            depth,
            ..added(path, file(A))
        };
        check(at("production/app.deploy", Depth::Right), "");
        check(
            at("app.deploy", Depth::TooShallow),
            "a deploy file in no environment's folder",
        );
        let folder = Change {
            new: Some(Node::Folder),
            ..at("app.deploy", Depth::TooShallow)
        };
        check(folder, "a folder called like a deploy file");
        check(
            at("production/x/app.deploy", Depth::TooDeep),
            "a deploy file below an environment's folder",
        );
        check(
            at("pro duction/app.deploy", Depth::Right),
            "environment: the name has a character outside A-Z a-z 0-9 . _ -",
        );
        check(
            at("production/.deploy", Depth::Right),
            "application: the name is empty",
        );
        check(
            at("production/-h.deploy", Depth::Right),
            "application: the name does not start with a letter or digit",
        );
        check(
            at(
                &format!("production/{}.deploy", "a".repeat(65)),
                Depth::Right,
            ),
            "application: the name is longer than 64 bytes",
        );
        let twice = Some(b"production/app.deploy".to_vec());
        let change = Change {
            twin: twice,
            ..at("production/app.deploy", Depth::Right)
        };
        check(
            change,
            "stands twice in the tree, so that it is not clear which one counts",
        );
        let twin = Some(b"production/App.deploy".to_vec());
        let change = Change {
            twin,
            ..at("production/app.deploy", Depth::Right)
        };
        check(
            change.clone(),
            "differs from \"production/App.deploy\" in case only",
        );
        check(
            Change {
                new: None,
                old: file(A),
                ..change
            },
            "",
        );
    }
}
