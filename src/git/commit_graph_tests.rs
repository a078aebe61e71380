//! Tests of [`super`]: a commit-graph that can't be used, or only in part, changes no answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::tests::{Numbers, Reached, check, history, import, reached};
use super::*;
use crate::git::known_commits::KnownCommits;
use crate::git::scratch;

/// A repository with a random history, with its commit-graph, and what its commits reach.
fn with_graph(split: bool) -> (tempfile::TempDir, Reached, Numbers) {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let text = history(&mut numbers, 100, false);
    with_graph_of(&text, split, numbers)
}

fn with_graph_of(
    history: &str,
    split: bool,
    numbers: Numbers,
) -> (tempfile::TempDir, Reached, Numbers) {
    let folder = tempfile::tempdir().unwrap();
    git(&folder, &["init", "-q", "--bare", "."]);
    import(folder.path(), history);
    git(&folder, &["commit-graph", "write", "--reachable"]);
    if split {
        let graph = ["commit-graph", "write", "--reachable", "--split=no-merge"];
        fs::remove_file(folder.path().join(GRAPH)).unwrap();
        git(&folder, &graph);
        for branch in ["b1", "b2"] {
            let from = format!("refs/heads/{branch}^0");
            let more = format!(
                "commit refs/heads/{branch}\ncommitter A <a@x> 1700009000 +0000\ndata 2\nz\n\
                 from {from}\n\n"
            );
            import(folder.path(), &more);
            git(&folder, &graph);
        }
    }
    let reached = reached(folder.path());
    (folder, reached, numbers)
}

const GRAPH: &str = "objects/info/commit-graph";
const CHAIN: &str = "objects/info/commit-graphs/commit-graph-chain";

fn git(folder: &tempfile::TempDir, arguments: &[&str]) -> String {
    scratch(folder.path(), arguments).unwrap()
}

/// Whether walks over the history of a repository use its commit-graph. Compares some answers too.
fn uses_graph(folder: &Path, reached: &Reached, pairs: usize, numbers: &mut Numbers) -> bool {
    let repository = Repository::open(folder).unwrap();
    let ids: Vec<&String> = reached.keys().collect();
    let mut pick = || ids[usize::try_from(numbers.below(ids.len() as u64)).unwrap()];
    let id = |id: &str| ObjectId::from_hex(id.as_bytes()).unwrap();
    for _ in 0..pairs {
        let (one, other) = (pick(), pick());
        let is_there = repository.is_reachable(id(one), &[id(other)]).unwrap();
        assert_eq!(is_there, reached[other].contains(one), "{one} in {other}");

        let lost = (&reached[one] - &reached[other]).len() as u64;
        let counted = repository.count_lost(id(one), id(other));
        assert_eq!(counted, Some(lost), "{other}..{one}");
    }
    let known = repository.known_commits.borrow();
    known.as_ref().is_some_and(KnownCommits::has_graph)
}

#[test]
fn graft_and_replacement_change_no_history() {
    let (folder, reached, mut numbers) = with_graph(false);
    let tip = git(&folder, &["rev-parse", "refs/heads/b1"]);
    let tip = tip.trim();
    let root = git(
        &folder,
        &["rev-list", "--max-parents=0", "--max-count=1", "b1"],
    );
    assert!(reached[tip].len() > 2);
    let count = [
        "-c",
        "advice.graftFileDeprecated=false",
        "rev-list",
        "--count",
        tip,
    ];

    let grafts = folder.path().join("info/grafts");
    fs::create_dir_all(grafts.parent().unwrap()).unwrap();
    fs::write(&grafts, format!("{tip} {root}")).unwrap();
    assert_eq!(git(&folder, &count).trim(), "2");
    check(folder.path(), &reached, &mut numbers, false);
    fs::remove_file(&grafts).unwrap();

    git(&folder, &["replace", "--graft", tip, root.trim()]);
    assert_eq!(git(&folder, &count).trim(), "2");
    // The replacement is a commit of its own, which `refs/replace/` names.
    check(folder.path(), &reached, &mut numbers, false);
}

/// The objects below the cut are still there, as after `git fetch --depth` in a whole repository.
#[test]
fn history_that_is_cut_off_ends_where_it_ends_for_git() {
    let (folder, whole, mut numbers) = with_graph(false);
    let cut: String = whole
        .keys()
        .step_by(3)
        .map(|id| format!("{id}\n"))
        .collect();
    fs::write(folder.path().join("shallow"), cut).unwrap();
    let shallow = reached(folder.path());
    assert!(shallow.iter().any(|(id, all)| whole[id].len() > all.len()));

    assert!(!uses_graph(folder.path(), &shallow, 60, &mut numbers));
    let repository = Repository::open(folder.path()).unwrap();
    for one in shallow.keys().take(8) {
        for other in shallow.keys().take(8) {
            let range = format!("{other}..{one}");
            let count = git(&folder, &["rev-list", "--count", &range]);
            let [one, other] = [one, other].map(|id| Revision::new(id).unwrap());
            let found = repository.range(Some(&other), &one, usize::MAX).unwrap();
            assert_eq!(found.commits.len().to_string(), count.trim(), "{range}");
        }
    }
}

#[test]
fn commit_graph_that_is_cut_short_or_has_zeros_changes_no_answer() {
    let (folder, reached, mut numbers) = with_graph(false);
    let graph = folder.path().join(GRAPH);
    let whole = fs::read(&graph).unwrap();
    let mut check = |bytes: &[u8]| {
        fs::remove_file(&graph).unwrap();
        fs::write(&graph, bytes).unwrap();
        uses_graph(folder.path(), &reached, 40, &mut numbers)
    };
    assert!(check(&whole));

    for length in (0..whole.len()).step_by(100) {
        assert!(
            !check(&whole[..length]),
            "{length} of {} bytes",
            whole.len()
        );
    }

    // What is lost by a power cut are blocks.
    let mut noticed = 0;
    for size in [512, 1024, 4096] {
        for start in (0..whole.len()).step_by(size) {
            let mut bytes = whole.clone();
            let end = bytes.len().min(start + size);
            bytes[start..end].fill(0);
            noticed += usize::from(!check(&bytes));
        }
    }
    assert!(noticed > 5, "{noticed} times the graph was not used");
}

/// A number that is wrong: a parent, or a level. In a straight history each commit has a level of
/// its own, and so any of these contradicts others.
#[test]
fn commit_graph_that_contradicts_itself_changes_no_answer() {
    let commit = |at: u64| {
        let date = 1_700_000_000 + at;
        format!("commit refs/heads/b1\ncommitter A <a@x> {date} +0000\ndata 2\nx\n\n")
    };
    let straight: String = (0..30).map(commit).collect();
    let (folder, reached, mut numbers) = with_graph_of(&straight, false, Numbers(7));
    let graph = folder.path().join(GRAPH);
    let whole = fs::read(&graph).unwrap();
    let chunk = whole.windows(4).position(|name| name == b"CDAT").unwrap() + 4;
    let data = u64::from_be_bytes(whole[chunk..chunk + 8].try_into().unwrap());
    let data = usize::try_from(data).unwrap();

    let mut noticed = 0;
    for commit in 0..reached.len() {
        // The first parent, and the level, which has the upper 30 bits of its word.
        for (offset, bit) in [(20, 0), (20, 3), (20, 31), (28, 2), (28, 4), (28, 31)] {
            let at = data + commit * 36 + offset;
            let mut bytes = whole.clone();
            let word = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            bytes[at..at + 4].copy_from_slice(&(word ^ (1 << bit)).to_be_bytes());
            fs::remove_file(&graph).unwrap();
            fs::write(&graph, bytes).unwrap();
            noticed += usize::from(!uses_graph(folder.path(), &reached, 40, &mut numbers));
        }
    }
    assert!(noticed > 100, "{noticed} times the graph was not used");
}

#[test]
fn chain_of_commit_graphs_counts_only_as_it_was_written() {
    let (folder, reached, mut numbers) = with_graph(true);
    let chain = folder.path().join(CHAIN);
    let list = fs::read_to_string(&chain).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3);
    let mut check = || uses_graph(folder.path(), &reached, 60, &mut numbers);
    assert!(check());

    for wrong in [
        vec![lines[0], lines[2]],
        vec![lines[1], lines[2]],
        vec![lines[1], lines[0], lines[2]],
        vec![lines[2]],
        vec![lines[0], lines[0]],
        vec!["../../../x", lines[0]],
    ] {
        fs::remove_file(&chain).unwrap();
        fs::write(&chain, wrong.join("\n")).unwrap();
        assert!(!check(), "{wrong:?}");
    }

    // The first part of a chain is one too.
    fs::remove_file(&chain).unwrap();
    fs::write(&chain, lines[..2].join("\n")).unwrap();
    assert!(check());
}

#[test]
fn commit_graph_may_name_commits_that_are_not_there_any_more() {
    let (folder, before, mut numbers) = with_graph(false);
    git(&folder, &["update-ref", "-d", "refs/heads/b2"]);
    git(&folder, &["repack", "-adq"]);
    git(&folder, &["prune", "--expire=now"]);
    let left = reached(folder.path());
    let gone: BTreeSet<&String> = before.keys().filter(|id| !left.contains_key(*id)).collect();
    assert!(!gone.is_empty());

    assert!(uses_graph(folder.path(), &left, 60, &mut numbers));
    check(folder.path(), &left, &mut numbers, true);
    let repository = Repository::open(folder.path()).unwrap();
    let gone = Revision::new(gone.first().unwrap()).unwrap();
    let tip = Revision::new(left.keys().next().unwrap()).unwrap();
    assert!(!repository.has_commit(&gone).unwrap());
    assert!(!repository.contains(&tip, &gone).unwrap());
    let direction = repository.direction(&gone, &tip, None);
    assert!(matches!(direction, Direction::FromRemoved), "{direction:?}");
}

#[test]
fn commit_graph_of_a_repository_whose_objects_are_used_counts() {
    let (folder, reached, mut numbers) = with_graph(false);
    let fork = tempfile::tempdir().unwrap();
    git(&fork, &["init", "-q", "--bare", "."]);
    let objects = folder.path().join("objects");
    let alternates = fork.path().join("objects/info/alternates");
    fs::create_dir_all(alternates.parent().unwrap()).unwrap();
    fs::write(alternates, format!("{}\n", objects.display())).unwrap();

    assert!(uses_graph(fork.path(), &reached, 60, &mut numbers));
    check(fork.path(), &reached, &mut numbers, false);
}
