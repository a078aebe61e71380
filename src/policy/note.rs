//! What a rule says of a deployment that it allows, as it is recorded.

use serde::{Deserialize, Serialize};

use super::rules::Gate;
use super::verdict::Pass;
use crate::text;

/// How many notes a deployment has at most. There are fewer rules. Whoever reads a record can rely
/// on it, whatever rules there will be.
const NOTES_MAX: usize = 32;

/// The longest message of a note, in characters. Some name all applications of a group, which can
/// be any number of them. The hook writes the notes in every push, and `log --json` reads all of
/// them.
const MESSAGE_MAX: usize = 1_000;

/// Why a rule allowed a deployment. It is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The name of the rule, as docs/safeguards.md has it.
    pub rule: String,
    /// What it said, in one line of at most 1,000 characters, and a final `…` if it was cut.
    pub message: String,
}

impl Note {
    /// The notes among some answers, in their order, at most 32.
    #[must_use]
    pub fn all(gates: &[Gate]) -> Vec<Self> {
        let notes = gates.iter().filter_map(Self::of);
        notes.take(NOTES_MAX).collect()
    }

    /// The note of an answer; `None`: the rule refuses, or has nothing to say.
    fn of(gate: &Gate) -> Option<Self> {
        let Ok(Pass {
            note: Some(note), ..
        }) = &gate.answer
        else {
            return None;
        };
        Some(Self {
            rule: gate.rule.to_owned(),
            message: text::escape(note, MESSAGE_MAX),
        })
    }

    /// Whether some notes are within the limits that [`Note::all`] keeps.
    #[must_use]
    pub fn are_bounded(notes: &[Self]) -> bool {
        // One more for the `…`.
        let fits = |text: &str| text.chars().count() <= MESSAGE_MAX + 1;
        notes.len() <= NOTES_MAX
            && notes
                .iter()
                .all(|note| fits(&note.rule) && fits(&note.message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Objection;
    use super::*;

    fn said(note: &str) -> Gate {
        Gate {
            rule: "reachable",
            answer: Ok(Pass::note(note)),
        }
    }

    #[test]
    fn note_is_one_line_of_bounded_length() {
        let long = "x".repeat(1_000);
        let table = [
            ("on main", "on main"),
            ("é\nb\u{202e}\u{1b}[1m", r"é\nb\u{202e}\u{1b}[1m"),
            (&long, &long),
            (&format!("{long}x"), &format!("{long}…")),
            (&format!("{}\n", &long[1..]), &format!("{}…", &long[1..])),
        ];
        for (note, message) in table {
            let notes = Note::all(&[said(note)]);
            let expect = Note {
                rule: "reachable".to_owned(),
                message: message.to_owned(),
            };
            assert_eq!(notes, [expect], "{note:?}");
            assert!(Note::are_bounded(&notes), "{note:?}");
        }
    }

    #[test]
    fn only_rules_that_allow_and_have_something_to_say_have_a_note() {
        let silent = Gate {
            rule: "frozen",
            answer: Ok(Pass::default()),
        };
        let refused = Gate {
            rule: "needs",
            answer: Err(Objection::new("no", "do")),
        };
        let notes = Note::all(&[silent, said("a"), refused, said("b")]);
        let messages: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
        assert_eq!(messages, ["a", "b"]);
    }

    #[test]
    fn there_are_no_more_notes_than_the_limit() {
        let gates = vec![said("a"); 40];
        assert_eq!(Note::all(&gates).len(), 32);

        let note = Note::all(&gates).remove(0);
        let longer = Note {
            message: "x".repeat(1_002),
            ..note.clone()
        };
        for (notes, expect) in [
            (vec![], true),
            (vec![note.clone(); 32], true),
            (vec![note; 33], false),
            (vec![longer], false),
        ] {
            assert_eq!(Note::are_bounded(&notes), expect, "{}", notes.len());
        }
    }
}
