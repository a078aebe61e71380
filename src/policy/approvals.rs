//! The rule `approvals`: a change needs people who approve it, and who did not make it.
//!
//! With `approvals = N`, each commit of the push that changes the deploy file must be signed, and N
//! more people must have signed an approval of the content that the file has at the tip. Who
//! somebody is only follows from the key of the signature. A person counts once, whatever number of
//! keys and names the person has.

use std::collections::BTreeSet;

use super::reviewed::{Approval, Review, SignatureFact, same_name, shown};
use super::{Answer, Case, Objection, Pass, Stage};
use crate::config::EnvironmentSection;
use crate::id::{Revision, Target};
use crate::text;

/// How many commits are named of which the signature or the approval does not count.
const NAMED_MAX: usize = 10;

/// How many people are named who can approve.
const PEOPLE_MAX: usize = 5;

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some(target) = &case.candidate.target else {
        return Ok(Pass::default());
    };
    let section = case.config.environment(&target.environment);
    if section.approvals == 0 {
        return Ok(Pass::default());
    }
    if case.facts.stage == Stage::Look {
        return Ok(Pass::note(format!(
            "a change needs {}",
            approvals(section.approvals)
        )));
    }

    let review = case.target_facts().and_then(|facts| facts.review.as_ref());
    let review = match review {
        Some(Ok(review)) => review,
        Some(Err(unknown)) => return Err(nobody_knows(&unknown.0)),
        None => return Err(nobody_knows("nobody looked for approvals")),
    };

    let approvers = case.config.approvers(&section);
    let count = Count::of(review, approvers.as_ref());
    if count.unsigned.is_empty() && !review.file.changes.is_empty() {
        let approved = count.approved.len() >= section.approvals;
        if approved {
            return Ok(Pass {
                approvals: count.approved.clone(),
                ..Pass::note(format!("approved by {}", count.by()))
            });
        }
        if let Some((by, reason)) = case.signed_override(&section) {
            let note = format!(
                "{} of {} given; overridden by {}: {}",
                count.approved.len(),
                approvals(section.approvals),
                shown(by),
                text::escape(reason, 200)
            );
            return Ok(Pass {
                approvals: count.approved,
                ..Pass::overridden_by(by, reason, note)
            });
        }
    }

    let objection = Objection::new(
        count.message(target, &section, review),
        hint(target, &section, review, &count, approvers.as_ref()),
    );
    Err(Objection {
        // What is on the branch already can still be approved there, and is then judged again.
        is_fault: count.is_unknown || case.facts.stage == Stage::After,
        ..objection
    })
}

fn nobody_knows(why: &str) -> Objection {
    Objection::fault(
        format!("nobody knows who changed and approved this: {why}"),
        "see what the message says, and push again",
    )
}

/// What counts of a review, and why the rest does not.
struct Count {
    /// The approvals that count, one for each person.
    approved: Vec<Approval>,
    /// The commits that change the file without a signature that counts, and why it does not.
    unsigned: Vec<(Revision, String)>,
    /// The approvals that do not count, and why they do not.
    not_counted: Vec<(Revision, String)>,
    /// The names of everybody who changed the file.
    authors: BTreeSet<String>,
    /// Whether a signature could not be checked.
    is_unknown: bool,
}

impl Count {
    /// `approvers`: the people whose approval counts; `None`: everybody whose signature counts.
    fn of(review: &Review, approvers: Option<&BTreeSet<String>>) -> Self {
        let mut count = Self {
            approved: Vec::new(),
            unsigned: Vec::new(),
            not_counted: Vec::new(),
            authors: review.authors(),
            is_unknown: false,
        };
        for commit in &review.file.changes {
            if let Some(why) = count.why_invalid(review, commit) {
                count.unsigned.push((commit.clone(), why));
            }
        }

        let mut counted: BTreeSet<String> = BTreeSet::new();
        for commit in &review.file.approvals {
            if let Some(why) = count.why_invalid(review, commit) {
                count.not_counted.push((commit.clone(), why));
                continue;
            }
            let signer = review.signer(commit).cloned().unwrap_or_default();
            let has = |names: &BTreeSet<String>| {
                signer.iter().any(|name| names.contains(&same_name(name)))
            };
            let is_approver = approvers
                .is_none_or(|approvers| signer.iter().any(|name| approvers.contains(name)));

            let by = shown(&signer);
            if has(&count.authors) {
                let why = format!("{by} has changed the file too");
                count.not_counted.push((commit.clone(), why));
            } else if !is_approver {
                let why = format!("approvers does not name {by}");
                count.not_counted.push((commit.clone(), why));
            } else if !has(&counted) {
                let names = signer.iter().map(|name| same_name(name)).collect();
                counted.extend(review.all_names(names));
                let by = signer.into_iter().collect::<Vec<_>>().join(", ");
                let commit = commit.clone();
                count.approved.push(Approval { by, commit });
            }
        }
        let void = review.file.void.iter();
        let void = void.map(|void| (void.commit.clone(), void.why.words()));
        count.not_counted.extend(void);
        count
    }

    /// Why the signature of a commit does not count; `None`: it does.
    fn why_invalid(&mut self, review: &Review, commit: &Revision) -> Option<String> {
        match review.signature(commit) {
            SignatureFact::By(names) if names.is_empty() => {
                Some("its signature names nobody".to_owned())
            }
            SignatureFact::By(_) => None,
            SignatureFact::Missing => Some("it is not signed".to_owned()),
            SignatureFact::Invalid(why) => Some(format!("its signature does not count: {why}")),
            SignatureFact::Unchecked => Some(
                "its signature was not checked, because too many commits of the push are about \
                 this file"
                    .to_owned(),
            ),
            SignatureFact::Unknown(why) => {
                self.is_unknown = true;
                Some(format!("its signature can't be checked: {}", why.0))
            }
        }
    }

    /// Who approved, for a sentence.
    fn by(&self) -> String {
        let names = self.approved.iter().map(|approval| {
            let by = text::escape(&approval.by, 200);
            format!("{by} ({})", approval.commit.short())
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// What is missing, and what does not count.
    fn message(&self, target: &Target, section: &EnvironmentSection, review: &Review) -> String {
        let mut lines = Vec::new();
        if review.file.changes.is_empty() {
            lines.push("no commit of this push changes the file, so nobody signed it".to_owned());
        }
        if !self.unsigned.is_empty() {
            lines.push("a commit that changes the file must be signed".to_owned());
            lines.extend(listed(&self.unsigned));
        }

        let missing = section.approvals.saturating_sub(self.approved.len());
        if missing > 0 {
            let given = match self.approved.as_slice() {
                [] => "there is none".to_owned(),
                _ => format!("only {} approved it", self.by()),
            };
            lines.push(format!(
                "{} needs {} by other people than who changed the file, and {given}",
                target.environment,
                approvals(section.approvals)
            ));
            lines.extend(listed(&self.not_counted));
        }
        lines.join("\n")
    }
}

/// Commits and why they do not count, a line for each.
fn listed(commits: &[(Revision, String)]) -> Vec<String> {
    let lines = commits.iter().take(NAMED_MAX);
    let mut lines: Vec<String> = lines
        .map(|(commit, why)| format!("{} does not count: {why}", commit.short()))
        .collect();
    if commits.len() > NAMED_MAX {
        lines.push(format!("and {} more", commits.len() - NAMED_MAX));
    }
    lines
}

/// `1 approval`, `2 approvals`.
fn approvals(count: usize) -> String {
    match count {
        1 => "1 approval".to_owned(),
        count => format!("{count} approvals"),
    }
}

/// What to do, where something is missing.
fn hint(
    target: &Target,
    section: &EnvironmentSection,
    review: &Review,
    count: &Count,
    approvers: Option<&BTreeSet<String>>,
) -> String {
    if review.file.changes.is_empty() {
        return "take the change back with a signed commit on top of the branch: git revert -S"
            .to_owned();
    }
    if !count.unsigned.is_empty() {
        return "sign each commit that changes the file, for example the newest with: \
                git commit --amend --no-edit -S"
            .to_owned();
    }
    let missing = section.approvals.saturating_sub(count.approved.len());
    let has_approved = |name: &String| {
        let names = |approval: &Approval| approval.by.split(", ").any(|by| by == name);
        count.approved.iter().any(names)
    };
    let can_approve =
        |name: &&String| !count.authors.contains(&same_name(name)) && !has_approved(name);
    let people = approvers.map(|approvers| {
        let people: Vec<String> = approvers
            .iter()
            .filter(can_approve)
            .map(|name| text::escape(name, 100))
            .collect();
        let more = people.len() > PEOPLE_MAX;
        let mut named = people;
        named.truncate(PEOPLE_MAX);
        let named = named.join(" or ");
        if more {
            format!("{named} or others")
        } else {
            named
        }
    });
    let who = match people {
        Some(people) if !people.is_empty() => people,
        Some(_) => {
            return "nobody else may approve this; the server's configuration says who may"
                .to_owned();
        }
        None => "somebody else who signs".to_owned(),
    };
    let and = match missing {
        1 => String::new(),
        missing => format!(", {missing} of them"),
    };
    format!(
        "ask {who}{and} to approve it in a clone with: git deploy approve; or with: \
         git commit -S --allow-empty -m Approve -m \"Deploy-Approve: {target}\""
    )
}

#[cfg(test)]
#[path = "approvals_tests.rs"]
mod tests;
