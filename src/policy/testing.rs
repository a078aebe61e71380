//! Helpers for the tables of cases in the rules' own files.

use super::{Answer, Case, Facts, Objection, Pass, TargetFacts};
use crate::candidate::candidates;
use crate::change::{Change, Depth, Node};
use crate::config::Config;
use crate::deployfile;
use crate::id::Revision;

pub(super) const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
pub(super) const B: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3";
pub(super) const PATH: &str = "production/app.deploy";

pub(super) fn revision(hash: &str) -> Revision {
    Revision::new(hash).unwrap()
}

pub(super) fn file(content: &str) -> Option<Node> {
    Some(Node::File(deployfile::revision(content.as_bytes())))
}

pub(super) fn added(path: &str, new: Option<Node>) -> Change {
    Change {
        path: path.as_bytes().to_vec(),
        depth: Depth::Right,
        old: None,
        new,
        comparison: None,
        summary: None,
        twin: None,
    }
}

/// The change of the deploy file at [`PATH`] from one content to another.
pub(super) fn changed(old: &str, new: &str) -> Change {
    Change {
        old: file(old),
        comparison: Some(deployfile::compare(old.as_bytes(), new.as_bytes())),
        ..added(PATH, file(new))
    }
}

/// The answer of a rule to the first of some changes, with facts about its target.
pub(super) fn answer(
    rule: fn(&Case<'_>) -> Answer,
    config: &str,
    changes: Vec<Change>,
    facts: &Facts,
    target: TargetFacts,
) -> Answer {
    let (config, problems) = Config::parse(config, &|_| None);
    assert_eq!(problems, []);

    let all = candidates(changes);
    let mut facts = facts.clone();
    facts
        .targets
        .extend(all[0].target.clone().map(|name| (name, target)));
    rule(&Case {
        config: &config,
        candidate: &all[0],
        all: &all,
        facts: &facts,
    })
}

/// The [`answer`] in words: `refused: …`, or the note of what is allowed, or nothing.
pub(super) fn ask(
    rule: fn(&Case<'_>) -> Answer,
    config: &str,
    changes: Vec<Change>,
    facts: &Facts,
    target: TargetFacts,
) -> String {
    match answer(rule, config, changes, facts, target) {
        Ok(Pass { note, .. }) => note.unwrap_or_default(),
        Err(Objection { message, .. }) => format!("refused: {message}"),
    }
}

/// The words that [`ask`] has for a message; where the message is empty: nothing.
pub(super) fn refused_if_any(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!("refused: {message}"),
    }
}

/// What a rule says about a change, without any facts.
pub(super) fn ask_file(rule: fn(&Case<'_>) -> Answer, config: &str, change: Change) -> String {
    let (facts, target) = (Facts::default(), TargetFacts::default());
    ask(rule, config, vec![change], &facts, target)
}

/// What a rule says about a new deploy file that asks for [`A`], with these facts.
pub(super) fn ask_deploy(
    rule: fn(&Case<'_>) -> Answer,
    config: &str,
    facts: &Facts,
    target: TargetFacts,
) -> String {
    ask(rule, config, vec![added(PATH, file(A))], facts, target)
}
