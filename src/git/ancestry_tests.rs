//! Tests of [`super`]: real repositories with random histories, with each kind of commit-graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::git::scratch;

/// Numbers that look random and are the same each time (xorshift).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Commits as git fast-import reads them: with merges that cross, with several roots, and, where
/// the dates are `false_dates`, with dates in any order.
pub(super) fn history(numbers: &mut Numbers, commits: u64, false_dates: bool) -> String {
    let mut text = String::new();
    for at in 1..=commits {
        let date = match false_dates {
            true => 1_700_000_000 + numbers.below(100_000),
            false => 1_700_000_000 + at * 100,
        };
        let _ = write!(
            text,
            "commit refs/heads/b{}\nmark :{at}\ncommitter A <a@x> {date} +0000\ndata 2\nx\n",
            at % 4,
        );
        let back = |numbers: &mut Numbers| at - 1 - numbers.below(at.min(9) - 1).min(at - 2);
        if at > 1 && numbers.below(20) > 0 {
            let _ = writeln!(text, "from :{}", back(numbers));
            for _ in 0..numbers.below(3) {
                let _ = writeln!(text, "merge :{}", back(numbers));
            }
        }
        text.push('\n');
    }
    text
}

pub(super) fn import(folder: &Path, history: &str) {
    let mut git = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = git.stdin.take().unwrap();
    stdin.write_all(history.as_bytes()).unwrap();
    drop(stdin);
    assert!(git.wait().unwrap().success());
}

/// For each commit of a repository, its history and itself.
pub(super) type Reached = BTreeMap<String, BTreeSet<String>>;

pub(super) fn reached(folder: &Path) -> Reached {
    let listed = [
        "rev-list",
        "--all",
        "--parents",
        "--topo-order",
        "--reverse",
    ];
    let mut reached = Reached::new();
    for line in scratch(folder, &listed).unwrap().lines() {
        let mut ids = line.split(' ');
        let own = ids.next().unwrap();
        let mut all: BTreeSet<String> = ids.flat_map(|parent| reached[parent].clone()).collect();
        all.insert(own.to_owned());
        reached.insert(own.to_owned(), all);
    }
    reached
}

/// Compares the answers about pairs of commits with what their histories say.
pub(super) fn check(folder: &Path, reached: &Reached, numbers: &mut Numbers, by_git: bool) {
    let repository = Repository::open(folder).unwrap();
    let ids: Vec<&String> = reached.keys().collect();
    let mut pick = || ids[usize::try_from(numbers.below(ids.len() as u64)).unwrap()];

    for turn in 0..30 {
        let (one, other) = (pick(), pick());
        let (from, to) = (Revision::new(one).unwrap(), Revision::new(other).unwrap());
        let gained = &reached[other] - &reached[one];
        let lost = &reached[one] - &reached[other];

        let is_there = repository.contains(&to, &from).unwrap();
        assert_eq!(is_there, reached[other].contains(one), "{one} in {other}");

        let range = repository.range(Some(&from), &to, usize::MAX).unwrap();
        let range: BTreeSet<String> = range.commits.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(range, gained, "{one}..{other}");

        let id = |id: &str| ObjectId::from_hex(id.as_bytes()).unwrap();
        let counted = repository.count_lost(id(one), id(other));
        assert_eq!(counted, Some(lost.len() as u64), "{other}..{one}");
        if by_git && turn < 3 {
            let range = format!("{other}..{one}");
            let count = scratch(folder, &["rev-list", "--count", &range]).unwrap();
            assert_eq!(counted, count.trim().parse().ok());
        }

        if turn < 3 {
            match repository.direction(&from, &to, None) {
                Direction::Same => assert_eq!(one, other),
                Direction::Ahead => assert!(lost.is_empty()),
                Direction::Behind(commits) => {
                    assert!(gained.is_empty());
                    check_named(&commits, &lost);
                }
                Direction::Diverged {
                    gained: come,
                    lost: gone,
                } => {
                    check_named(&come, &gained);
                    check_named(&gone, &lost);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn check_named(commits: &crate::policy::Commits, expected: &BTreeSet<String>) {
    assert_eq!(commits.count, expected.len() as u64);
    assert_eq!(commits.newest.len(), expected.len().min(20));
    let mut newest = commits.newest.iter();
    assert!(newest.all(|commit| expected.contains(commit.id.as_str())));
}

#[test]
fn histories_are_read_alike_with_each_kind_of_commit_graph() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for false_dates in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        scratch(folder, &["init", "-q", "--bare", "."]).unwrap();
        let first = history(&mut numbers, 60, false_dates);
        import(folder, &first);
        check(folder, &reached(folder), &mut numbers, !false_dates);

        for version in ["1", "2"] {
            let setting = format!("commitGraph.generationVersion={version}");
            let _ = std::fs::remove_file(folder.join("objects/info/commit-graph"));
            let write = ["-c", &setting, "commit-graph", "write", "--reachable"];
            scratch(folder, &write).unwrap();
            assert!(folder.join("objects/info/commit-graph").exists());
            check(folder, &reached(folder), &mut numbers, !false_dates);
        }

        // Commits that the commit-graph does not have, and then a chain of commit-graphs.
        let more = "reset refs/heads/b0\nfrom refs/heads/b1^0\n\n\
                    commit refs/heads/b0\ncommitter A <a@x> 1 +0000\ndata 2\ny\n\
                    merge refs/heads/b2^0\n\n\
                    commit refs/heads/b1\ncommitter A <a@x> 1700009000 +0000\ndata 2\nz\n\
                    from refs/heads/b1^0\n\n";
        import(folder, more);
        check(folder, &reached(folder), &mut numbers, false);
        scratch(folder, &["commit-graph", "write", "--reachable", "--split"]).unwrap();
        check(folder, &reached(folder), &mut numbers, false);
    }
}
