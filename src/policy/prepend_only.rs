//! `prepend_only`: a deploy file grows at its top alone. Its old content stands, byte for byte,
//! below the new entry, so that the history of what was deployed can't be rewritten. A final
//! newline that the old content lacked may be added.

use super::{Answer, Case, Objection, Pass};
use crate::change::Node;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let candidate = case.candidate;
    let Some(target) = &candidate.target else {
        return Ok(Pass::default());
    };
    if !case.config.environment(&target.environment).prepend_only {
        return Ok(Pass::default());
    }
    let (Some(Node::File(old)), Some(Node::File(new))) =
        (&candidate.change.old, &candidate.change.new)
    else {
        return Ok(Pass::default());
    };
    let with_newline = [old.as_ref(), b"\n"].concat();
    let is_below = |old: &[u8]| {
        new.strip_suffix(old)
            .is_some_and(|entry| entry.is_empty() || entry.ends_with(b"\n"))
    };
    if is_below(old) || !old.ends_with(b"\n") && is_below(&with_newline) {
        return Ok(Pass::note("the old content is kept"));
    }
    let line = last_change(old, new);
    Err(Objection::new(
        format!(
            "the old content is not kept as it was below the new entry: line {line} of it was changed or removed"
        ),
        "put the new entry on top, on lines of its own, and leave everything below it as it was",
    ))
}

/// The last line of the old content that does not stand, counted from the end, in the new.
fn last_change(old: &[u8], new: &[u8]) -> usize {
    fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
        text.strip_suffix(b"\n")
            .unwrap_or(text)
            .split(|b| *b == b'\n')
    }
    let same = lines(old)
        .rev()
        .zip(lines(new).rev())
        .take_while(|(old, new)| old == new)
        .count();
    (lines(old).count() - same).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, B, PATH, ask_file, file};
    use super::*;
    use crate::change::{Change, Depth};

    #[test]
    fn growing_at_the_top() {
        let old = format!("{B}\n* first\n");
        let bare = format!("{B}\n* first");
        let kept = "the old content is kept";
        let changed = |line| {
            format!(
                "refused: the old content is not kept as it was below the new entry: line {line} of it was changed or removed"
            )
        };
        let table = [
            (&old, format!("{A}\n* next\n{old}"), kept.to_owned()),
            (&old, format!("\n{old}"), kept.to_owned()),
            (&bare, format!("{A}\n{bare}"), kept.to_owned()),
            (&bare, format!("{A}\n{bare}\n"), kept.to_owned()),
            (&bare, format!("{A}\n{bare}\n\n"), changed(2)),
            (&old, format!("{A}\n{bare}"), changed(1)),
            (&old, format!("{A}\n* next\n"), changed(2)),
            (&old, format!("{A}\n{B}\n* edited\n"), changed(2)),
            (&old, format!("{A}\n{B}x\n* first\n"), changed(1)),
            (&old, format!("{A} {old}"), changed(1)),
            (
                &old,
                format!("{A}\r\n{}", old.replace('\n', "\r\n")),
                changed(2),
            ),
        ];
        for (old, new, expect) in table {
            let change = Change {
                path: PATH.into(),
                depth: Depth::Right,
                old: file(old),
                new: file(&new),
                twin: None,
            };
            assert_eq!(
                ask_file(
                    judge,
                    "[environments.production]\nprepend_only = true\n",
                    change.clone()
                ),
                expect,
                "{new:?}"
            );
            assert_eq!(ask_file(judge, "", change), "", "{new:?}");
        }
    }
}
