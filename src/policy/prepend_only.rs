//! The rule `prepend only`: with the setting `prepend_only`, a deploy file only grows at its top.
//!
//! Its old content must be below the new entry, byte for byte, so the history of what was deployed
//! can't be rewritten. If the old content had no final newline, one may be added.

use super::{Answer, Case, Objection, Pass};
use crate::change::Node;
use crate::deployfile::Comparison;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let candidate = case.candidate;
    let Some(target) = &candidate.target else {
        return Ok(Pass::default());
    };
    if !case.config.environment(&target.environment).prepend_only {
        return Ok(Pass::default());
    }
    let (Some(Node::File(_)), Some(Node::File(_))) = (&candidate.change.old, &candidate.change.new)
    else {
        return Ok(Pass::default());
    };

    match &candidate.change.comparison {
        Some(Comparison {
            changed_line: None, ..
        }) => Ok(Pass::note("the old content is kept")),
        Some(Comparison {
            changed_line: Some(line),
            ..
        }) => Err(Objection::new(
            format!(
                "the old content below the new entry has changed: \
                 its line {line} was changed or removed"
            ),
            "put the new entry on top, on lines of its own, \
             and leave everything below it as it was",
        )),
        None => Err(Objection::new(
            "the old content can't be read any more, because its commit was removed; \
             so nobody can tell whether it is kept",
            "see that the history in the file is complete, and push the file with a new entry on \
             top",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, ask_file, changed};
    use super::*;

    const CONFIG: &str = "[environments.production]\nprepend_only = true\n";
    const OLD: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3\n* first\n";
    const WITHOUT_NEWLINE: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3\n* first";

    fn ask(config: &str, old: &str, new: &str) -> String {
        ask_file(judge, config, changed(old, new))
    }

    #[test]
    fn file_may_grow_at_its_top() {
        let table = [
            (OLD, format!("{A}\n* next\n{OLD}")),
            (OLD, format!("\n{OLD}")),
            (WITHOUT_NEWLINE, format!("{A}\n{WITHOUT_NEWLINE}")),
            (WITHOUT_NEWLINE, format!("{A}\n{WITHOUT_NEWLINE}\n")),
        ];
        for (old, new) in table {
            assert_eq!(ask(CONFIG, old, &new), "the old content is kept", "{new:?}");
        }
    }

    #[test]
    fn file_may_not_change_below_its_top() {
        let table = [
            (WITHOUT_NEWLINE, format!("{A}\n{WITHOUT_NEWLINE}\n\n"), 2),
            (OLD, format!("{A}\n{WITHOUT_NEWLINE}"), 1),
            (OLD, format!("{A}\n* next\n"), 2),
            (OLD, format!("{A}\n{B}\n* edited\n"), 2),
            (OLD, format!("{A}\n{B}x\n* first\n"), 1),
            (OLD, format!("{A} {OLD}"), 1),
            (OLD, format!("{A}\r\n{}", OLD.replace('\n', "\r\n")), 2),
        ];
        for (old, new, line) in table {
            assert_eq!(
                ask(CONFIG, old, &new),
                format!(
                    "refused: the old content below the new entry has changed: \
                     its line {line} was changed or removed"
                ),
                "{new:?}"
            );
        }
    }

    #[test]
    fn file_may_change_without_the_setting() {
        assert_eq!(ask("", OLD, &format!("{A}\n{B}\n* edited\n")), "");
    }
}
