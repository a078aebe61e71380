//! A deploy file is a regular file of at most 1 MiB whose first word is a whole commit hash.

use super::{Facts, Objection};
use crate::change::Node;
use crate::config::Config;
use crate::deployfile;
use crate::plan::Candidate;

pub(super) fn judge(_: &Config, candidate: &Candidate, _: &Facts) -> Result<(), Objection> {
    let a_file = "put a regular file there, with the commit hash to deploy as its first word";
    match &candidate.change.new {
        None => Ok(()),
        Some(Node::File(content)) => match deployfile::revision(content) {
            Ok(_) => Ok(()),
            Err(error) => Err(Objection::new(error.to_string(), error.hint())),
        },
        Some(Node::TooLarge(bytes)) => Err(Objection::new(
            format!("the file has {bytes} bytes, more than 1 MiB"),
            "cut the oldest entries off its end",
        )),
        Some(Node::Symlink) => Err(Objection::new("a symbolic link, not a regular file", a_file)),
        Some(Node::Submodule) => Err(Objection::new("a submodule, not a regular file", a_file)),
        Some(Node::Folder) => Err(Objection::new("a folder, not a regular file", a_file)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, added, ask, file};
    use super::*;

    #[test]
    fn files() {
        let table = [
            (file(A), ""),
            (None, ""),
            (file(""), "the file names no revision"),
            (file("main\n"), "line 1: \"main\" is no commit hash"),
            (Some(Node::TooLarge(2_000_000)), "the file has 2000000 bytes, more than 1 MiB"),
            (Some(Node::Symlink), "a symbolic link, not a regular file"),
            (Some(Node::Submodule), "a submodule, not a regular file"),
            (Some(Node::Folder), "a folder, not a regular file"),
        ];
        for (node, expect) in table {
            let change = added("production/app.deploy", node);
            assert_eq!(ask(judge, "", change.clone(), &Facts::default()), expect, "{change:?}");
        }
    }
}
