//! What is tried under faults.

use crate::arena::Arena;
use crate::fault::{Fault, Strace, points};
use crate::installation;
use crate::notifier;
use crate::releases::Releases;
use crate::table::Findings;

/// The calls that start another process.
const STARTS: &[&str] = &["clone", "clone3", "fork", "vfork"];

/// A program under test, and what surrounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A whole push: receive-pack, all hooks and the runner.
    Push,
    /// The hook pre-receive, in a push.
    PreReceive,
    /// The hook post-receive, called by hand.
    PostReceive,
    /// The hook reference-transaction, called by hand after the branch has moved.
    ReferenceTransaction,
    /// A runner, which finds work.
    Run,
    /// `reconcile`, which finds something that no hook saw.
    Reconcile,
    /// A runner that finds what a dead runner left: a command that still runs.
    Recovery,
    /// `retry` of a deployment that failed.
    Retry,
    /// `freeze`, and then `thaw`.
    Freeze,
    /// `install` beside a hook that refuses some pushes.
    Install,
    /// `uninstall`, which puts that hook back.
    Uninstall,
    /// The process that tells others what happened.
    Notifier,
    /// A runner of a deployment with all phases.
    Phases,
    /// The same where the check fails, so that it goes back.
    GoBack,
}

/// What a sweep breaks on purpose, so that it shows that it can find something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    None,
    /// Nobody picks up what the hook left: neither `reconcile` nor another hook.
    NobodyPicksUp,
    /// The cursor is set back, as if the planner did not use it.
    CursorIsNotUsed,
    /// The record says that the machine restarted, so that what still runs counts as ended.
    UnknownCountsAsEnded,
    /// `current` is removed and made again, and not replaced.
    CurrentIsRemoved,
}

/// A program and the faults that it is tried with.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    pub program: Program,
    pub is_kill: bool,
    /// Whether the processes that it starts meet the fault too.
    pub in_children: bool,
    pub sabotage: Sabotage,
}

impl Target {
    pub fn method(&self) -> &'static str {
        if self.is_kill { "kill" } else { "error" }
    }

    /// The kind of what a control must find.
    pub fn must_find(&self) -> Option<&'static str> {
        match self.sabotage {
            Sabotage::None => None,
            Sabotage::NobodyPicksUp => Some("lost"),
            Sabotage::CursorIsNotUsed => Some("doubled"),
            Sabotage::UnknownCountsAsEnded => Some("overlapped"),
            Sabotage::CurrentIsRemoved => Some("wrong"),
        }
    }
}

/// All targets.
pub fn targets() -> Vec<Target> {
    use Program::*;
    let target = |name, program, is_kill, in_children| Target {
        name,
        program,
        is_kill,
        in_children,
        sabotage: Sabotage::None,
    };
    let control = |name, program, sabotage| Target {
        name,
        program,
        is_kill: true,
        in_children: false,
        sabotage,
    };
    // git itself does not survive every failing call, so in a whole push nothing fails.
    let mut targets = vec![target(
        "push: receive-pack, hooks, runner",
        Push,
        true,
        true,
    )];
    for is_kill in [true, false] {
        targets.extend([
            target("pre-receive", PreReceive, is_kill, true),
            target("post-receive", PostReceive, is_kill, is_kill),
            target(
                "reference-transaction",
                ReferenceTransaction,
                is_kill,
                is_kill,
            ),
            target("runner", Run, is_kill, is_kill),
            target("reconcile", Reconcile, is_kill, is_kill),
            target("recovery from a dead runner", Recovery, is_kill, is_kill),
            target("retry", Retry, is_kill, is_kill),
            target("freeze and thaw", Freeze, is_kill, false),
            target("install", Install, is_kill, false),
            target("uninstall", Uninstall, is_kill, false),
            target("notifier", Notifier, is_kill, true),
            target("all phases of a checkout", Phases, is_kill, true),
            target("going back", GoBack, is_kill, true),
        ]);
    }
    targets.extend([
        control("nobody picks up", PostReceive, Sabotage::NobodyPicksUp),
        control("cursor not used", PostReceive, Sabotage::CursorIsNotUsed),
        control(
            "unknown counts as ended",
            Recovery,
            Sabotage::UnknownCountsAsEnded,
        ),
        control("current removed", Phases, Sabotage::CurrentIsRemoved),
    ]);
    targets
}

/// Somebody who tries the points of one target, in a world that is used again for each of them.
pub enum Worker {
    Deployments(Arena),
    Releases(Releases),
    /// Each point needs a repository of its own.
    Installation,
    /// The same.
    Notifier,
}

impl Worker {
    pub fn new(target: &Target) -> Self {
        match target.program {
            Program::Install | Program::Uninstall => Self::Installation,
            Program::Notifier => Self::Notifier,
            Program::Phases | Program::GoBack => Self::Releases(Releases::new()),
            _ => Self::Deployments(Arena::new()),
        }
    }

    /// Runs a target without a fault. Returns the points that it has, and what is wrong already.
    pub fn record(&mut self, target: &Target) -> (Vec<Fault>, Findings) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls");
        let strace = Strace::Record(&file, target.in_children);
        let findings = self.go(target, &strace);
        let mut points = points(&file, target.is_kill, target.in_children);
        if target.sabotage == Sabotage::CursorIsNotUsed {
            // What was planned before the kill is planned once more. So the kill has to come after
            // the record, when a runner is about to be started.
            points.retain(|point| STARTS.contains(&point.call.as_str()));
        }
        (points, findings)
    }

    /// Runs a target with a fault, and returns what users would see that should not be.
    pub fn go(&mut self, target: &Target, strace: &Strace<'_>) -> Findings {
        match self {
            Self::Deployments(arena) => arena.go(target, strace),
            Self::Releases(releases) => releases.go(target, strace),
            Self::Installation => installation::go(target.program, strace),
            Self::Notifier => notifier::go(strace),
        }
    }
}
