use std::collections::BTreeMap;

use super::super::testing::{A, PATH, added, answer, ask_deploy, file, revision};
use super::super::{Facts, TargetFacts, TracedFile, Unknown, VoidApproval, VoidReason};
use super::*;
use crate::review::WhyVoid;

const ONE: &str = "[people]\nallowed_signers = \"/x\"\n[environments.production]\napprovals = 1\n";
const TWO: &str = "[people]\nallowed_signers = \"/x\"\n[environments.production]\napprovals = 2\n";

/// The n-th commit.
fn id(n: usize) -> Revision {
    revision(&format!("{:07}{:033}", n + 1, 0))
}

fn names(names: &str) -> BTreeSet<String> {
    names.split(' ').map(str::to_owned).collect()
}

/// A review. Each commit is a text: the names of who signed it, or nothing where nobody did.
fn review(changes: &[&str], approvals: &[&str]) -> Review {
    let mut file = TracedFile::default();
    let mut signatures = BTreeMap::new();
    for (n, signer) in changes.iter().chain(approvals).enumerate() {
        let list = match n < changes.len() {
            true => &mut file.changes,
            false => &mut file.approvals,
        };
        list.push(id(n));
        let fact = match *signer {
            "" => SignatureFact::Missing,
            signer => SignatureFact::By(names(signer)),
        };
        signatures.insert(id(n), fact);
    }
    Review {
        file,
        signatures,
        same_people: Vec::new(),
    }
}

/// What the rule says of a review.
fn ask(config: &str, review: Review) -> String {
    let target = TargetFacts {
        review: Some(Ok(review)),
        ..TargetFacts::default()
    };
    ask_deploy(judge, config, &before(), target)
}

fn before() -> Facts {
    Facts {
        stage: Stage::Before,
        ..Facts::default()
    }
}

fn objection(config: &str, stage: Stage, review: Option<Result<Review, Unknown>>) -> Objection {
    let target = TargetFacts {
        review,
        ..TargetFacts::default()
    };
    let facts = Facts {
        stage,
        ..Facts::default()
    };
    answer(judge, config, vec![added(PATH, file(A))], &facts, target).unwrap_err()
}

const NEEDS: &str = "production needs 1 approval by other people than who changed the file";

#[test]
fn each_other_person_counts_once() {
    let by = |names: &str| format!("approved by {names}");
    let table: &[(&str, &[&str], &[&str], String)] = &[
        ("", &["alice"], &[], String::new()),
        (ONE, &["alice"], &["bob"], by("bob (0000002)")),
        (
            ONE,
            &["alice"],
            &[],
            format!("refused: {NEEDS}, and there is none"),
        ),
        (
            TWO,
            &["alice"],
            &["bob", "carol"],
            by("bob (0000002), carol (0000003)"),
        ),
        (
            TWO,
            &["alice"],
            &["bob", "bob"],
            "only bob (0000002) approved it".to_owned(),
        ),
        (
            TWO,
            &["alice"],
            &["bob", "BOB"],
            "only bob (0000002) approved it".to_owned(),
        ),
        (
            TWO,
            &["alice"],
            &["bob", "bob rob", "rob"],
            "only bob (0000002) approved it".to_owned(),
        ),
        (
            TWO,
            &["alice"],
            &["bob", "rob", "bob rob"],
            "only bob (0000002) approved it".to_owned(),
        ),
        (
            ONE,
            &["alice"],
            &["alice"],
            "alice has changed the file too".to_owned(),
        ),
        (
            ONE,
            &["alice"],
            &["Alice"],
            "Alice has changed the file too".to_owned(),
        ),
        (
            ONE,
            &["alice al"],
            &["al"],
            "al has changed the file too".to_owned(),
        ),
        (
            ONE,
            &["alice", "bob"],
            &["bob"],
            "bob has changed the file too".to_owned(),
        ),
        // A name that another approval links.
        (
            ONE,
            &["alice"],
            &["al", "alice al"],
            "al has changed the file too".to_owned(),
        ),
        (ONE, &["alice", ""], &["bob"], "it is not signed".to_owned()),
        (ONE, &["alice"], &[""], "it is not signed".to_owned()),
        (
            ONE,
            &[],
            &["bob"],
            "no commit of this push changes the file".to_owned(),
        ),
    ];
    for (config, changes, approvals, expect) in table {
        let said = ask(config, review(changes, approvals));
        assert!(
            said.contains(expect.as_str()),
            "{changes:?} {approvals:?}: {said}"
        );
        let is_refused = !expect.is_empty() && !expect.starts_with("approved");
        assert_eq!(said.starts_with("refused"), is_refused, "{said}");
    }
}

#[test]
fn names_that_another_key_links_are_of_one_person() {
    let linked = |changes: &[&str], approvals: &[&str]| Review {
        same_people: vec![names("al ALICE"), names("al a")],
        ..review(changes, approvals)
    };
    let said = ask(ONE, linked(&["alice"], &["a"]));
    assert!(said.contains("a has changed the file too"), "{said}");
    let said = ask(TWO, linked(&["bob"], &["a", "alice"]));
    assert!(said.contains("only a (0000002) approved it"), "{said}");
}

#[test]
fn change_without_a_commit_is_taken_back_by_a_signed_one() {
    let hint =
        |changes: &[&str]| objection(ONE, Stage::Before, Some(Ok(review(changes, &["bob"])))).hint;
    assert!(hint(&[]).ends_with("git revert -S"), "{}", hint(&[]));
    assert!(hint(&[""]).ends_with("git commit --amend --no-edit -S"));
}

#[test]
fn approvers_are_told_apart_from_others_by_their_exact_names() {
    let config = "[people]\nallowed_signers = \"/x\"\ngroups = { ops = [\"carol@x\"] }\n\
                  [environments.production]\napprovals = 1\napprovers = [\"ops\", \"dora@x\"]\n";
    for (signer, is_one) in [
        ("carol@x", true),
        ("dora@x", true),
        ("cc@x dora@x", true),
        ("bob@x", false),
        ("CAROL@x", false),
        ("ops", false),
    ] {
        let said = ask(config, review(&["alice@x"], &[signer]));
        assert_eq!(!said.starts_with("refused"), is_one, "{signer}: {said}");
    }
}

#[test]
fn what_does_not_count_is_named_with_its_reason() {
    let mut found = review(&["alice"], &["bob", "bob", "bob"]);
    let invalid = SignatureFact::Invalid("it is broken".to_owned());
    found.signatures.insert(id(1), invalid);
    found.signatures.insert(id(2), SignatureFact::Unchecked);
    found.signatures.insert(id(3), SignatureFact::Missing);
    let why = VoidReason::Commit(WhyVoid::ChangedAfterwards);
    found.file.void.push(VoidApproval { commit: id(4), why });

    let said = ask(ONE, found);
    for expected in [
        "its signature does not count: it is broken",
        "its signature was not checked, because too many commits",
        "it is not signed",
        "the file was changed in a commit that it does not contain",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn what_nobody_knows_is_a_fault() {
    let unknown = || Unknown("no memory".to_owned());
    let mut half = review(&["alice"], &["bob"]);
    half.signatures
        .insert(id(1), SignatureFact::Unknown(unknown()));
    let mut unseen = review(&["alice"], &["bob"]);
    unseen.signatures.clear();

    for review in [None, Some(Err(unknown())), Some(Ok(half)), Some(Ok(unseen))] {
        let objection = objection(ONE, Stage::Before, review);
        assert!(objection.is_fault, "{}", objection.message);
    }
}

#[test]
fn what_is_on_the_branch_can_still_be_approved() {
    let asked = |stage| objection(ONE, stage, Some(Ok(review(&["alice"], &[]))));
    assert!(!asked(Stage::Before).is_fault);
    assert!(asked(Stage::After).is_fault);
}

#[test]
fn override_goes_past_missing_approvals_and_not_past_missing_signatures() {
    let config = "[people]\nallowed_signers = \"/x\"\n[environments.production]\napprovals = 1\n\
                  override_by = [\"carol@x\"]\n";
    let asked = |changes: &[&str], by: usize| {
        let mut found = review(changes, &[]);
        found.file.overrides.push((id(by), "fire".to_owned()));
        ask(config, found)
    };
    assert_eq!(
        asked(&["carol@x"], 0),
        "0 of 1 approval given; overridden by carol@x: fire"
    );
    assert!(asked(&["alice@x"], 0).starts_with("refused"));
    assert!(asked(&["", "carol@x"], 1).starts_with("refused"));
    assert!(asked(&["carol@x", ""], 1).starts_with("refused"));
    assert!(asked(&["Carol@x"], 0).starts_with("refused"));
}

#[test]
fn looking_refuses_nothing() {
    let facts = Facts {
        stage: Stage::Look,
        ..Facts::default()
    };
    let said = ask_deploy(judge, ONE, &facts, TargetFacts::default());
    assert_eq!(said, "a change needs 1 approval");
}

/// No program gives such an answer today. Without the check, nobody would count as somebody else.
#[test]
fn signature_that_names_nobody_counts_for_nobody() {
    for place in [0, 1] {
        let mut review = review(&["alice"], &["bob"]);
        review
            .signatures
            .insert(id(place), SignatureFact::By(BTreeSet::new()));
        let said = ask(ONE, review);
        assert!(said.starts_with("refused: "), "{said}");
        assert!(said.contains("its signature names nobody"), "{said}");
    }
}
