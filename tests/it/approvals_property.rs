//! Approvals on random histories: the program's judgement, and that of a second implementation,
//! which is written from the words of the contract alone. It knows each commit's ancestors as a
//! set, merges each two sides by itself, and knows who has which key.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use deploy_by_code::candidate::candidates;
use deploy_by_code::config::Config;
use deploy_by_code::id::{Revision, Target};
use deploy_by_code::plan::decide;
use deploy_by_code::policy::{Facts, Review, SignatureFact, Stage, TargetFacts, TracedFile};
use deploy_by_code::review::{self, ReviewedCommit, ReviewedParent};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use crate::properties::change;

/// How many files a commit has: `production/a` and `production/b`.
const FILES: usize = 2;

/// What a file is: one of a few contents, so that contents come back; 0: it is missing.
type Content = u8;

/// Two keys for each of four people.
const KEYS: usize = 8;

#[derive(Debug, Clone)]
struct Commit {
    parents: Vec<usize>,
    /// The commit itself and all its ancestors.
    contains: BTreeSet<usize>,
    files: [Content; FILES],
    /// The key that signed it.
    key: Option<usize>,
    /// Whether it approves each of the files.
    approves: [bool; FILES],
}

/// A push: some commits, of which the last is the new tip, and the old tip.
#[derive(Debug, Clone)]
struct Pushed {
    commits: Vec<Commit>,
    old: usize,
}

/// What is drawn for one commit.
type Drawn = ((usize, usize, usize), u8, (u8, u8), usize, u8);

fn drawn() -> impl Strategy<Value = Drawn> {
    (
        (1..4_usize, 0..5_usize, 0..9_usize),
        0..10_u8,
        (0..4_u8, 0..4_u8),
        0..25_usize,
        0..10_u8,
    )
}

fn pushes() -> impl Strategy<Value = Pushed> {
    let all = (prop::collection::vec(drawn(), 3..11), 0..3_usize);
    all.prop_map(|(all, old)| {
        let mut commits: Vec<Commit> = Vec::new();
        for (at, drawn) in all.into_iter().enumerate() {
            let commit = commit(&commits, at, drawn);
            commits.push(commit);
        }
        Pushed { commits, old }
    })
}

/// The next commit. Most merges have what a merge makes by itself, and the others what one of their
/// parents has, or something else.
fn commit(commits: &[Commit], at: usize, drawn: Drawn) -> Commit {
    let ((one, two, three), action, (content, other), key, approves) = drawn;
    let back = |back: usize| at.checked_sub(back).filter(|_| back > 0);
    let mut parents: Vec<usize> = Vec::new();
    for parent in [back(one).or(at.checked_sub(1)), back(two), back(three)]
        .into_iter()
        .flatten()
    {
        if !parents.contains(&parent) {
            parents.push(parent);
        }
    }

    let of = |parent: usize, file: usize| commits[parents[parent % parents.len()]].files[file];
    let files = std::array::from_fn(|file| match (parents.as_slice(), action) {
        ([], _) => content,
        // An empty commit, or a merge that takes its first parent.
        (_, 0..=1) => of(0, file),
        (_, 2) => of(1, file),
        (_, 3) => of(2, file),
        (_, 4..=6) => merged(commits, &parents, file).unwrap_or(of(0, file)),
        (_, 7..=8) if file == 0 => content,
        (_, 9) if file == 1 => other,
        (_, _) => of(0, file),
    });
    let above = parents.iter().flat_map(|parent| &commits[*parent].contains);
    Commit {
        contains: above.copied().chain([at]).collect(),
        parents,
        files,
        key: Some(key % KEYS).filter(|_| key < 3 * KEYS),
        approves: [approves > 0, approves < 8],
    }
}

/// What a file becomes where some commits are merged into the first one; `None`: a conflict.
fn merged(commits: &[Commit], parents: &[usize], file: usize) -> Option<Content> {
    let content = |commit: usize| commits[commit].files[file];
    let agreed = parents.iter().copied().find(|one| {
        parents.iter().all(|other| {
            let merged = merge_two(commits, *one, *other, file);
            merged == Some(content(*one))
        })
    });
    agreed.map(content)
}

/// What a file becomes in a merge of two commits, whatever commit they have in common is taken.
fn merge_two(commits: &[Commit], one: usize, other: usize, file: usize) -> Option<Content> {
    let content = |commit: usize| commits[commit].files[file];
    let common = best_common(commits, one, other);
    let bases: Vec<Content> = match common.is_empty() {
        true => vec![0],
        false => common.into_iter().map(content).collect(),
    };
    let by_base = bases
        .into_iter()
        .map(|base| match (content(one), content(other)) {
            (one, other) if one == other => Some(one),
            (one, other) if one == base => Some(other),
            (one, other) if other == base => Some(one),
            _ => None,
        });
    let results: BTreeSet<Option<Content>> = by_base.collect();
    match results.len() {
        1 => results.into_iter().next().flatten(),
        _ => None,
    }
}

/// The commits that two have in common and that are no ancestors of another such commit.
fn best_common(commits: &[Commit], one: usize, other: usize) -> BTreeSet<usize> {
    let (one, other) = (&commits[one].contains, &commits[other].contains);
    let common: BTreeSet<usize> = one.intersection(other).copied().collect();
    let is_below = |commit: usize| {
        let mut others = common.iter().filter(|other| **other != commit);
        others.any(|other| commits[*other].contains.contains(&commit))
    };
    common
        .iter()
        .copied()
        .filter(|commit| !is_below(*commit))
        .collect()
}

/// The person who has a key.
fn person(key: usize) -> usize {
    key / 2
}

/// The names of a key. Both keys of the first person have the same name; those of the second have
/// one in common; those of the third are linked by a key that signs nothing, and those of the
/// fourth differ in the case of their letters.
fn names(key: usize) -> BTreeSet<String> {
    let names: &[&str] = match key {
        0 | 1 => &["a@x"],
        2 => &["b@x"],
        3 => &["b@x", "bob@x"],
        4 => &["c@x"],
        5 => &["carol@x"],
        6 => &["d@x"],
        _ => &["D@x"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What the second implementation leaves out, for the controls.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Without {
    Nothing,
    /// An approval need not contain every change.
    EveryChange,
    /// A merge that takes the file from a parent is never a change.
    WhatIsDropped,
    /// Each key is a person.
    People,
    /// Who changed the file may approve it.
    OtherPeople,
}

impl Pushed {
    fn tip(&self) -> usize {
        self.commits.len() - 1
    }

    /// The commits that the new tip has and the old one does not have.
    fn range(&self) -> BTreeSet<usize> {
        let [new, old] = [self.tip(), self.old].map(|commit| &self.commits[commit].contains);
        new.difference(old).copied().collect()
    }

    /// Whether the second implementation accepts what the push does to a file.
    fn is_approved(&self, file: usize, count: usize, without: Without) -> bool {
        let commits = &self.commits;
        let range = self.range();
        let content = |commit: usize| commits[commit].files[file];
        let is_change = |commit: usize| match commits[commit].parents.as_slice() {
            [] => content(commit) != 0,
            parents if without == Without::WhatIsDropped => parents
                .iter()
                .all(|parent| content(*parent) != content(commit)),
            [parent] => content(*parent) != content(commit),
            parents => {
                let has_its_file = parents
                    .iter()
                    .any(|parent| content(*parent) == content(commit));
                !has_its_file || merged(commits, parents, file) != Some(content(commit))
            }
        };
        let changes: Vec<usize> = range
            .iter()
            .copied()
            .filter(|one| is_change(*one))
            .collect();
        if changes.is_empty() || changes.iter().any(|change| commits[*change].key.is_none()) {
            return false;
        }

        let approves = |commit: usize| {
            let is_of_a_kind = match commits[commit].parents.as_slice() {
                [] => false,
                [parent] => commits[*parent].files == commits[commit].files,
                parents => content(parents[0]) != content(commit),
            };
            let contains = &commits[commit].contains;
            commits[commit].approves[file]
                && is_of_a_kind
                && content(commit) == content(self.tip())
                && (without == Without::EveryChange
                    || changes.iter().all(|change| contains.contains(change)))
        };
        let who = |commit: &usize| {
            let key = commits[*commit].key;
            key.map(|key| {
                if without == Without::People {
                    key
                } else {
                    person(key)
                }
            })
        };
        let approvals = range.iter().copied().filter(|commit| approves(*commit));
        let mut people: BTreeSet<usize> = approvals.filter_map(|commit| who(&commit)).collect();
        if without != Without::OtherPeople {
            for author in changes.iter().filter_map(who) {
                people.remove(&author);
            }
        }
        people.len() >= count
    }

    /// What the program finds out of the push about a file.
    fn review(&self, file: usize) -> Review {
        let commits = &self.commits;
        let places: Vec<usize> = self.range().into_iter().rev().collect();
        let content = |commit: usize| Some(commits[commit].files[file]).filter(|one| *one != 0);
        let reviewed: Vec<ReviewedCommit<Content>> = places
            .iter()
            .map(|commit| {
                let parents = commits[*commit].parents.iter();
                ReviewedCommit {
                    file: content(*commit),
                    parents: parents
                        .map(|parent| ReviewedParent {
                            place: places.iter().position(|place| place == parent),
                            file: content(*parent),
                        })
                        .collect(),
                }
            })
            .collect();
        let changing = review::changing(&reviewed, |place, one, other| {
            let parents = &commits[places[place]].parents;
            let common = best_common(commits, parents[one], parents[other]);
            Ok::<_, Infallible>(common.into_iter().map(content).collect())
        });
        let changing = changing.unwrap();

        let tip = content(self.tip());
        let mut traced = TracedFile::default();
        let mut signatures = BTreeMap::new();
        for (place, commit) in places.iter().enumerate() {
            let Commit {
                parents,
                files,
                key,
                approves,
                ..
            } = &commits[*commit];
            let fact = match key {
                Some(key) => SignatureFact::By(names(*key)),
                None => SignatureFact::Missing,
            };
            signatures.insert(revision(*commit), fact);
            if changing.contains(&place) {
                traced.changes.push(revision(*commit));
            }
            let is_empty = parents.len() == 1 && commits[parents[0]].files == *files;
            let checked =
                review::check_approval(&reviewed, &changing, tip.as_ref(), place, is_empty);
            if approves[file] && checked.is_ok() {
                traced.approvals.push(revision(*commit));
            }
        }
        Review {
            file: traced,
            signatures,
            same_people: vec![["c@x", "carol@x"].map(str::to_owned).into()],
        }
    }

    /// Whether the program accepts what the push does to a file.
    fn is_accepted(&self, file: usize, config: &Config) -> bool {
        let text = |commit: usize| match self.commits[commit].files[file] {
            0 => String::new(),
            content => format!("{:040x}\n", 7 * u32::from(content)),
        };
        let asked = candidates(vec![change(&text(self.old), &text(self.tip()))]);
        let target: Target = asked[0].target.clone().unwrap();
        let of_target = TargetFacts {
            review: Some(Ok(self.review(file))),
            ..TargetFacts::default()
        };
        let facts = Facts {
            stage: Stage::Before,
            has_record: true,
            targets: [(target, of_target)].into(),
            ..Facts::default()
        };
        decide(config, &asked, &facts).refusals.is_empty()
    }
}

fn revision(commit: usize) -> Revision {
    Revision::new(format!("{:040x}", commit + 1)).unwrap()
}

/// How often something was seen.
#[derive(Debug, Default)]
struct Seen {
    accepted: Cell<u32>,
    refused: Cell<u32>,
    different: Cell<u32>,
}

/// Judges random pushes by both implementations.
fn judge(cases: u32, without: Without) -> Seen {
    let configs: Vec<Config> = [1, 2]
        .iter()
        .map(|count| {
            let text = format!(
                "[defaults]\ncommand = [\"x\"]\n[people]\nallowed_signers = \"/x\"\n\
                 [environments.production]\napprovals = {count}\n"
            );
            let (config, problems) = Config::parse(&text, &|_| None);
            assert_eq!(problems, []);
            config
        })
        .collect();
    let mut runner = TestRunner::new(Cases {
        cases,
        failure_persistence: None,
        ..Cases::default()
    });
    let seen = Seen::default();

    let result = runner.run(&pushes(), |pushed| {
        for (at, config) in configs.iter().enumerate() {
            for file in 0..FILES {
                let of = |commit: usize| pushed.commits[commit].files[file];
                if of(pushed.old) == of(pushed.tip()) {
                    continue;
                }
                let is_accepted = pushed.is_accepted(file, config);
                let is_approved = pushed.is_approved(file, at + 1, without);
                let count = if is_accepted {
                    &seen.accepted
                } else {
                    &seen.refused
                };
                count.update(|count| count + 1);
                if is_accepted != is_approved {
                    seen.different.update(|count| count + 1);
                    prop_assert!(
                        without != Without::Nothing,
                        "accepted: {is_accepted}, approved: {is_approved}, file {file}, {} needed",
                        at + 1
                    );
                }
            }
        }
        Ok(())
    });
    result.unwrap();
    seen
}

#[test]
fn approvals_are_judged_as_the_contract_says_in_every_history() {
    let seen = judge(20_000, Without::Nothing);
    assert!(seen.accepted.get() > 500, "{seen:?}");
    assert!(seen.refused.get() > 5000, "{seen:?}");
}

/// The controls of the test above: where the second implementation forgets a word of the contract,
/// the first one is seen to keep it.
#[test]
fn forgotten_words_of_the_contract_are_seen() {
    for without in [
        Without::EveryChange,
        Without::WhatIsDropped,
        Without::People,
        Without::OtherPeople,
    ] {
        let mut different = 0;
        for _ in 0..20 {
            different += judge(3000, without).different.get();
            if different > 100 {
                break;
            }
        }
        assert!(different > 100, "{without:?}: {different}");
    }
}
