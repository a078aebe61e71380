//! Goes through the points of all targets, on two threads for each processor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::fault::Strace;
use crate::table::{Findings, Row};
use crate::target::{Target, Worker};

/// How many points one worker tries in one world. A world grows with each.
const POINTS_IN_A_WORLD: u32 = 40;

/// How many points are tried.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// Some of each target, chosen by the seed, for as long as there is time.
    Sample { time: Duration, seed: u64 },
    /// All.
    Whole,
}

/// The points of one target that are still to be tried.
struct Pending<'t> {
    target: &'t Target,
    points: Vec<Fault>,
    row: Row,
}

/// Tries the points of all targets. Returns one row for each target.
pub fn sweep(targets: &[Target], extent: Extent) -> Vec<Row> {
    let begin = Instant::now();
    let mut pending = all_pending(targets);
    if let Extent::Sample { seed, .. } = extent {
        for (index, pending) in pending.iter_mut().enumerate() {
            shuffle(&mut pending.points, seed + index as u64);
        }
    }

    let turns = Mutex::new((0_usize, pending));
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                let mut workers: Vec<Option<(Worker, u32)>> =
                    targets.iter().map(|_| None).collect();
                while let Some((index, fault)) = next(&turns, extent, begin) {
                    let target = &targets[index];
                    let findings = try_point(target, &mut workers[index], &fault);
                    let mut turns = turns.lock().unwrap();
                    turns.1[index].row.add(&findings, &fault.to_string());
                }
            });
        }
    });

    let (_, pending) = turns.into_inner().unwrap();
    pending.into_iter().map(|pending| pending.row).collect()
}

/// Most of the time, a point waits for something.
fn threads() -> usize {
    2 * thread::available_parallelism().map_or(2, usize::from)
}

/// Finds out the points of all targets.
fn all_pending(targets: &[Target]) -> Vec<Pending<'_>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(target) = targets.get(index) else {
                        return;
                    };
                    let pending = pending(target);
                    found.lock().unwrap().push((index, pending));
                }
            });
        }
    });

    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, pending)| pending).collect()
}

/// Finds out the points of a target by a run of it without a fault.
fn pending(target: &Target) -> Pending<'_> {
    let mut row = Row {
        name: target.name,
        method: target.method(),
        must_find: target.must_find(),
        points: 0,
        tried: 0,
        lost: 0,
        doubled: 0,
        overlapped: 0,
        wrong: 0,
        examples: std::collections::BTreeSet::new(),
    };
    let recorded = catch_unwind(AssertUnwindSafe(|| Worker::new(target).record(target)));
    let points = match recorded {
        Ok((points, findings)) => {
            if !findings.is_empty() && target.must_find().is_none() {
                row.add(&findings, "without any fault");
            }
            points
        }
        Err(_) => {
            row.add(&Findings::wrong("it can't be tried"), "without any fault");
            Vec::new()
        }
    };
    row.points = points.len();
    Pending {
        target,
        points,
        row,
    }
}

/// The next point: the targets take turns, so that a sample has about as many of each. When the
/// time of a sample is over, only controls get more points, and targets that had none yet.
fn next(
    turns: &Mutex<(usize, Vec<Pending<'_>>)>,
    extent: Extent,
    begin: Instant,
) -> Option<(usize, Fault)> {
    let is_over = matches!(extent, Extent::Sample { time, .. } if begin.elapsed() > time);
    let mut guard = turns.lock().unwrap();
    let (turn, pending) = &mut *guard;
    for step in 0..pending.len() {
        let index = (*turn + step) % pending.len();
        // A control has shown what it is for after a few points. Until then it goes on, however
        // slow the machine is.
        let row = &pending[index].row;
        let has_enough = match pending[index].target.must_find() {
            Some(_) => row.is_as_promised(),
            None => is_over && row.tried > 0,
        };
        if has_enough {
            continue;
        }
        if let Some(fault) = pending[index].points.pop() {
            *turn = index + 1;
            return Some((index, fault));
        }
    }
    None
}

fn try_point(target: &Target, worker: &mut Option<(Worker, u32)>, fault: &Fault) -> Findings {
    if worker
        .as_ref()
        .is_some_and(|(_, tried)| *tried >= POINTS_IN_A_WORLD)
    {
        *worker = None;
    }
    let (arena, tried) = worker.get_or_insert_with(|| (Worker::new(target), 0));
    *tried += 1;

    let findings = catch_unwind(AssertUnwindSafe(|| {
        arena.go(target, &Strace::Inject(fault))
    }));
    let findings = findings.unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Findings::wrong(text.unwrap_or_else(|| String::from("the harness panicked")))
    });
    // What is broken stays broken: the next point gets a world of its own.
    if !findings.is_empty() {
        *worker = None;
    }
    findings
}

/// Puts points into an order that depends on the seed alone: the shuffle of Fisher and Yates with
/// Knuth's linear congruential numbers.
fn shuffle(points: &mut [Fault], seed: u64) {
    let mut number = seed;
    for last in (1..points.len()).rev() {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (number >> 33) as usize % (last + 1);
        points.swap(last, other);
    }
}
