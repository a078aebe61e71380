//! Tests of [`super`]: ranges of random histories, and what usual pushes cost.

use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::git::reach::is_reachable;

/// For each commit its date and its parents, whose numbers are smaller than its own.
type Graph = Vec<(i64, Vec<usize>)>;

/// A history, of which the commits below some others are in a commit-graph.
struct History<'g> {
    graph: &'g Graph,
    levels: Vec<u32>,
    read: BTreeSet<u32>,
}

impl<'g> History<'g> {
    fn new(graph: &'g Graph, in_commit_graph: &[usize]) -> Self {
        let mut levels = vec![NO_LEVEL; graph.len()];
        let known: BTreeSet<usize> = in_commit_graph
            .iter()
            .flat_map(|tip| reached(graph, *tip))
            .collect();
        for at in known {
            let below = graph[at].1.iter().map(|parent| levels[*parent]).max();
            levels[at] = below.unwrap_or_default() + 1;
        }
        Self {
            graph,
            levels,
            read: BTreeSet::new(),
        }
    }

    /// The same, where an old git wrote the commit-graph, which did not know any level.
    fn without_levels(graph: &'g Graph, in_commit_graph: &[usize]) -> Self {
        let mut history = Self::new(graph, in_commit_graph);
        let known = history.levels.iter_mut().filter(|it| **it != NO_LEVEL);
        known.for_each(|level| *level = 0);
        history
    }
}

impl CommitDag for History<'_> {
    type Error = Infallible;

    fn count(&self) -> usize {
        self.graph.len() / 2
    }

    fn date(&mut self, commit: u32) -> Result<i64, Infallible> {
        self.read.insert(commit);
        Ok(self.graph[commit as usize].0)
    }

    fn parents(&mut self, commit: u32, into: &mut Vec<u32>) -> Result<(), Infallible> {
        assert!(into.is_empty());
        self.read.insert(commit);
        into.extend(self.graph[commit as usize].1.iter().map(|it| number(*it)));
        Ok(())
    }

    fn level(&self, commit: u32) -> u32 {
        self.levels[commit as usize]
    }

    fn rely_on_level(&self, _: u32) {}
}

fn number(commit: usize) -> u32 {
    u32::try_from(commit).unwrap()
}

/// All that a commit reaches, itself too.
fn reached(graph: &Graph, tip: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![tip];
    while let Some(at) = next.pop() {
        if reached.insert(at) {
            next.extend(&graph[at].1);
        }
    }
    reached
}

fn set(commits: Vec<u32>) -> BTreeSet<usize> {
    commits.into_iter().map(|it| it as usize).collect()
}

/// The range, and how many commits were read for it.
fn walk(history: &mut History<'_>, old: Option<usize>, new: usize) -> (BTreeSet<usize>, usize) {
    history.read.clear();
    let (range, is_cut) = newest(history, old.map(number), number(new), usize::MAX).unwrap();
    assert!(!is_cut);
    (set(range), history.read.len())
}

/// What a walk finds that ends as soon as only known history waits.
fn walk_without_proof(graph: &Graph, old: usize, new: usize) -> BTreeSet<usize> {
    let mut history = History::new(graph, &[]);
    let mut walk = RangeWalk::begin(&mut history, Some(number(old)), number(new)).unwrap();
    walk.walk(usize::MAX).unwrap();
    set(walk.into_range())
}

/// Histories with several roots and merges of up to three commits, and with any dates; two commits,
/// and some that are in the commit-graph.
fn graphs() -> impl Strategy<Value = (Graph, usize, usize, Vec<usize>)> {
    let date = prop_oneof![
        4 => 0..20_i64,
        1 => Just(5),
        1 => Just(i64::MIN),
        1 => Just(-1),
        1 => Just(3_093_527_980_800),
        1 => Just(i64::MAX),
    ];
    let commit = (date, any::<bool>(), prop::collection::vec(1..8_usize, 0..4));
    prop::collection::vec(commit, 2..24).prop_flat_map(|all| {
        let count = all.len();
        let graph: Graph = all
            .into_iter()
            .enumerate()
            .map(|(at, (date, in_order, back))| {
                let date = if in_order {
                    i64::try_from(at).unwrap()
                } else {
                    date
                };
                let parents: BTreeSet<usize> = back
                    .into_iter()
                    .filter_map(|back| at.checked_sub(back))
                    .collect();
                (date, parents.into_iter().collect())
            })
            .collect();
        let known = prop::collection::vec(0..count, 0..4);
        (Just(graph), 0..count, 0..count, known)
    })
}

#[test]
fn range_is_what_one_commit_reaches_and_the_other_does_not() {
    let config = Config {
        cases: 4_000,
        failure_persistence: None,
        ..Config::default()
    };
    let wrong_without_proof = std::cell::Cell::new(0);

    let result = TestRunner::new(config).run(&graphs(), |(graph, old, new, known)| {
        let expected = &reached(&graph, new) - &reached(&graph, old);
        for mut history in [
            History::new(&graph, &[]),
            History::new(&graph, &known),
            History::without_levels(&graph, &known),
        ] {
            prop_assert_eq!(&walk(&mut history, Some(old), new).0, &expected);
            prop_assert_eq!(walk(&mut history, None, new).0, reached(&graph, new));

            // What is cut is the beginning of the whole.
            let (old, new) = (number(old), number(new));
            let (whole, _) = newest(&mut history, Some(old), new, usize::MAX).unwrap();
            let (some, is_cut) = newest(&mut history, Some(old), new, 2).unwrap();
            prop_assert_eq!(&some, &whole[..whole.len().min(2)]);
            prop_assert_eq!(is_cut, whole.len() > 2);

            let count = count(&mut history, old, new).unwrap();
            prop_assert_eq!(count, expected.len() as u64);
        }

        let is_wrong = walk_without_proof(&graph, old, new) != expected;
        wrong_without_proof.update(|count| count + usize::from(is_wrong));
        Ok(())
    });

    result.unwrap();
    // The control: these graphs are hostile enough.
    let wrong = wrong_without_proof.get();
    assert!(wrong > 20, "only {wrong} graphs need the proof");
}

/// A long history with true dates: each tenth commit merges a side branch that was forked some
/// commits before.
fn long_history() -> Graph {
    let mut graph: Graph = vec![(0, Vec::new())];
    let mut tip = 0;
    for date in 1..100_000 {
        let at = graph.len();
        if date % 10 == 0 && at > 50 {
            graph.push((date, vec![at - 30]));
            graph.push((date, vec![tip, at]));
            tip = at + 1;
        } else {
            graph.push((date, vec![tip]));
            tip = at;
        }
    }
    graph
}

#[test]
fn commit_is_reachable_from_what_has_it_in_its_history() {
    let config = Config {
        cases: 4_000,
        failure_persistence: None,
        ..Config::default()
    };

    let result = TestRunner::new(config).run(&graphs(), |(graph, one, other, known)| {
        for mut history in [
            History::new(&graph, &[]),
            History::new(&graph, &known),
            History::without_levels(&graph, &known),
        ] {
            let others: Vec<usize> = known.iter().copied().chain([other]).collect();
            let expected = others.iter().any(|it| reached(&graph, *it).contains(&one));
            let others: Vec<u32> = others.into_iter().map(number).collect();
            let found = is_reachable(&mut history, number(one), &others).unwrap();
            prop_assert_eq!(found, expected);
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn usual_push_reads_what_is_new_and_little_more() {
    let mut graph = long_history();
    let last = graph.len() - 1;
    let date = graph[last].0;
    let add = |graph: &mut Graph, parents: Vec<usize>| {
        graph.push((date + 1, parents));
        graph.len() - 1
    };

    let one = add(&mut graph, vec![last]);
    let two = add(&mut graph, vec![one]);
    let topic = add(&mut graph, vec![last - 20]);
    let merge = add(&mut graph, vec![last, topic]);
    for known in [vec![], vec![last]] {
        for (new, count, most) in [(one, 1, 2), (two, 2, 3), (merge, 2, 100)] {
            let (range, reads) = walk(&mut History::new(&graph, &known), Some(last), new);
            assert_eq!(range.len(), count);
            assert!(
                reads <= most,
                "{reads} commits were read for {count} new ones"
            );
        }
    }

    // A merge of a branch that was forked from the very first commit.
    let old_topic = add(&mut graph, vec![0]);
    let merge = add(&mut graph, vec![last, old_topic]);
    let mut history = History::new(&graph, &[]);
    assert_eq!(walk(&mut history, Some(last), merge).0.len(), 2);
}

#[test]
fn commit_graph_saves_the_walk_to_the_first_commit() {
    let graph = long_history();
    let last = graph.len() - 1;
    let mut history = History::new(&graph, &[last]);

    let (range, is_cut) = newest(&mut history, Some(0), number(last), 10).unwrap();
    assert_eq!((range.len(), is_cut), (10, true));
    assert!(!is_reachable(&mut history, number(last), &[number(last - 1)]).unwrap());
    assert!(is_reachable(&mut history, number(last - 60), &[number(last)]).unwrap());

    let reads = history.read.len();
    assert!(reads < 150, "{reads} commits were read");
}

#[test]
fn branch_that_is_new_is_cut_after_the_newest_commits() {
    let graph = long_history();
    let mut history = History::new(&graph, &[]);
    let last = number(graph.len() - 1);
    let (range, is_cut) = newest(&mut history, None, last, 10).unwrap();

    assert!(is_cut);
    assert_eq!(range.len(), 10);
    let reads = history.read.len();
    assert!(reads < 30, "{reads} commits were read");
}
