//! Tests of [`super`]: ranges of random histories, and what usual pushes cost.

use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// For each commit its date and its parents, whose numbers are smaller than its own.
type Graph = Vec<(i64, Vec<usize>)>;

fn id(number: usize) -> ObjectId {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&(number + 1).to_be_bytes());
    ObjectId::from_bytes_or_panic(&bytes)
}

fn number(id: &ObjectId) -> usize {
    let bytes = id.as_bytes()[..8].try_into().unwrap();
    usize::from_be_bytes(bytes) - 1
}

fn read(graph: &Graph, id: &ObjectId) -> (i64, Vec<ObjectId>) {
    let (date, parents) = &graph[number(id)];
    (
        *date,
        parents
            .iter()
            .map(|parent| super::tests::id(*parent))
            .collect(),
    )
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

/// The range, and how many commits were read for it.
fn walk(graph: &Graph, old: Option<usize>, new: usize) -> (BTreeSet<usize>, usize) {
    let mut reads = 0;
    let range = range(old.map(id), id(new), usize::MAX, |id| {
        reads += 1;
        Ok::<_, Infallible>(read(graph, id))
    });
    let range = range.unwrap();
    assert!(!range.is_cut);
    let commits = range.commits.iter().map(|commit| number(&commit.id));
    (commits.collect(), reads)
}

/// What a walk finds that ends as soon as only known history waits.
fn walk_without_proof(graph: &Graph, old: usize, new: usize) -> BTreeSet<usize> {
    let mut walk = RangeWalk {
        read: |id: &ObjectId| Ok::<_, Infallible>(read(graph, id)),
        found: Vec::new(),
        by_id: HashMap::new(),
        queue: BinaryHeap::new(),
        walked: Vec::new(),
        goal: OLD,
        lacking: 0,
    };
    for (tip, paint) in [(new, NEW), (old, OLD)] {
        let at = walk.find(&id(tip)).unwrap();
        walk.paint(at, paint);
    }
    walk.walk(usize::MAX).unwrap();
    let range = walk.result(usize::MAX, false);
    range
        .commits
        .iter()
        .map(|commit| number(&commit.id))
        .collect()
}

/// Histories with several roots and merges of up to three commits, and with any dates.
fn graphs() -> impl Strategy<Value = (Graph, usize, usize)> {
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
        (Just(graph), 0..count, 0..count)
    })
}

#[test]
fn range_is_what_one_commit_reaches_and_the_other_does_not() {
    let config = Config {
        cases: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let wrong_without_proof = std::cell::Cell::new(0);

    let result = TestRunner::new(config).run(&graphs(), |(graph, old, new)| {
        let expected = &reached(&graph, new) - &reached(&graph, old);
        prop_assert_eq!(&walk(&graph, Some(old), new).0, &expected);
        prop_assert_eq!(walk(&graph, None, new).0, reached(&graph, new));

        let is_wrong = walk_without_proof(&graph, old, new) != expected;
        wrong_without_proof.update(|count| count + usize::from(is_wrong));
        Ok(())
    });

    result.unwrap();
    // The control: these graphs are hostile enough.
    let wrong = wrong_without_proof.get();
    assert!(wrong > 100, "only {wrong} graphs need the proof");
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
    for (new, count, most) in [(one, 1, 1), (two, 2, 3), (merge, 2, 100)] {
        let (range, reads) = walk(&graph, Some(last), new);
        assert_eq!(range.len(), count);
        assert!(
            reads <= most,
            "{reads} commits were read for {count} new ones"
        );
    }

    // A merge of a branch that was forked from the very first commit.
    let old_topic = add(&mut graph, vec![0]);
    let merge = add(&mut graph, vec![last, old_topic]);
    assert_eq!(walk(&graph, Some(last), merge).0.len(), 2);
}

#[test]
fn branch_that_is_new_is_cut_after_the_newest_commits() {
    let graph = long_history();
    let mut reads = 0;
    let range = range(None, id(graph.len() - 1), 10, |id| {
        reads += 1;
        Ok::<_, Infallible>(read(&graph, id))
    });
    let range = range.unwrap();

    assert!(range.is_cut);
    assert_eq!(range.commits.len(), 10);
    assert!(reads < 30, "{reads} commits were read");
}
