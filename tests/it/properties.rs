//! Properties that hold for every history of an application and every sequence of pushes: what is
//! deployed never goes backwards without a recorded reason, and what was accepted is deployed. They
//! are tested with the rules alone on thousands of histories, and with real pushes on a few.

use std::cell::Cell;
use std::collections::BTreeSet;

use deploy_by_code::candidate::candidates;
use deploy_by_code::change::{Change, Depth, Node};
use deploy_by_code::config::Config;
use deploy_by_code::deployfile;
use deploy_by_code::id::{DeploymentId, Revision, Target};
use deploy_by_code::plan::{PlannedDeployment, decide};
use deploy_by_code::policy::{
    Base, Commits, Direction, Exception, ExceptionKind, Facts, Hold, Newest, Stage, TargetFacts,
    Trailers,
};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::Value;

use crate::applications::{commit_on, try_deploy, try_deploy_saying, world};
use crate::run::run;
use crate::world::World;

/// A history: for each commit the numbers of its parents, which are smaller than its own.
#[derive(Debug, Clone)]
struct History(Vec<BTreeSet<usize>>);

impl History {
    /// Whether `commit` is `tip` or an ancestor of it.
    fn contains(&self, tip: usize, commit: usize) -> bool {
        tip == commit
            || self.0[tip]
                .iter()
                .any(|parent| self.contains(*parent, commit))
    }

    fn direction(&self, from: usize, to: usize) -> Direction {
        match (self.contains(to, from), self.contains(from, to)) {
            (true, true) => Direction::Same,
            (true, false) => Direction::Ahead,
            (false, true) => Direction::Behind(Commits::default()),
            (false, false) => Direction::Diverged {
                gained: Commits::default(),
                lost: Commits::default(),
            },
        }
    }
}

/// One push: which commit it deploys, with which trailers, and whether its deployment succeeds.
#[derive(Debug, Clone)]
struct Push {
    commit: usize,
    rollback: bool,
    release: bool,
    succeeds: bool,
}

/// Histories of fewer than `most` commits.
fn histories(most: usize) -> impl Strategy<Value = History> {
    // Each commit has none, one or two parents among the four before it.
    let parents = prop::collection::vec((0..5_usize, 0..5_usize), 2..most);
    parents.prop_map(|all| {
        let of = |at: usize, back: usize| at.checked_sub(back).filter(|_| back > 0);
        let parents = |(at, (one, two)): (usize, (usize, usize))| {
            of(at, one).into_iter().chain(of(at, two)).collect()
        };
        History(all.into_iter().enumerate().map(parents).collect())
    })
}

/// A history with fewer than `commits` commits, and fewer than `pushes` pushes.
fn scenarios(commits: usize, pushes: usize) -> impl Strategy<Value = (History, Vec<Push>)> {
    histories(commits).prop_flat_map(move |history| {
        let count = history.0.len();
        let push = (
            0..count,
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.8),
        );
        let push = push.prop_map(|(commit, rollback, release, succeeds)| Push {
            commit,
            rollback,
            release,
            succeeds,
        });

        (Just(history), prop::collection::vec(push, 1..pushes))
    })
}

fn revision(commit: usize) -> Revision {
    Revision::new(format!("{:040x}", commit + 1)).unwrap()
}

/// What a server knows after some pushes.
#[derive(Default)]
struct Server {
    /// For the control: the rules do not know what is wanted and deployed.
    forgets: bool,
    accepted: u32,
    refused: u32,
    content: String,
    wanted: Option<usize>,
    deployed: Option<usize>,
    newest: Option<(usize, bool)>,
    holds: BTreeSet<usize>,
}

impl Server {
    fn facts(&self, history: &History, push: &Push) -> TargetFacts {
        let known = |_: &usize| !self.forgets;
        let base = |from: usize| Base {
            revision: revision(from),
            direction: history.direction(from, push.commit),
        };
        let hold = |from: &usize| Hold {
            by: DeploymentId(1),
            from: revision(*from),
            reason: "why".to_owned(),
            is_contained: Ok(history.contains(push.commit, *from)),
        };
        let why = || Exception::new(ExceptionKind::Rollback, "why".to_owned());
        let given = |is_given: bool| is_given.then(|| "why".to_owned());

        TargetFacts {
            wanted: self.wanted.filter(known).map(base),
            deployed: self.deployed.filter(known).map(base),
            newest: self.newest.map(|(of, went_back)| Newest {
                id: DeploymentId(1),
                revision: revision(of),
                went_back: went_back.then(why),
            }),
            holds: self.holds.iter().map(hold).collect(),
            trailers: Trailers {
                rollback: given(push.rollback),
                release: given(push.release),
                ..Trailers::default()
            },
            ..TargetFacts::default()
        }
    }

    /// Judges a push as both hooks do, checks the properties, and deploys what is accepted.
    fn take(
        &mut self,
        config: &Config,
        history: &History,
        push: &Push,
    ) -> Result<(), TestCaseError> {
        let content = format!("{}\n{}", revision(push.commit), self.content);
        let asked = candidates(vec![change(&self.content, &content)]);
        let target: Target = asked[0].target.clone().unwrap();
        let facts = |stage| Facts {
            stage,
            has_record: true,
            targets: [(target.clone(), self.facts(history, push))].into(),
            ..Facts::default()
        };

        let judged = decide(config, &asked, &facts(Stage::Before));
        if !judged.refusals.is_empty() {
            self.refused += 1;
            return Ok(());
        }

        let planned = decide(config, &asked, &facts(Stage::After));
        prop_assert_eq!(planned.refusals.len(), 0, "what was accepted is planned");
        prop_assert_eq!(planned.deployments.len(), 1);
        self.check(history, push, &planned.deployments[0])?;
        self.deploy(history, push, &planned.deployments[0]);
        self.content = content;
        Ok(())
    }

    /// The revisions that are held back, and that a push would bring back.
    fn held(&self, history: &History, push: &Push) -> BTreeSet<usize> {
        let mut held = self.holds.clone();
        held.retain(|held| history.contains(push.commit, *held));
        held
    }

    /// Checks that a deployment which was accepted has a reason for everything that it loses or
    /// brings back.
    fn check(
        &self,
        history: &History,
        push: &Push,
        deployment: &PlannedDeployment,
    ) -> Result<(), TestCaseError> {
        for base in [self.wanted, self.deployed].into_iter().flatten() {
            let is_forward = history.contains(push.commit, base);
            prop_assert!(
                is_forward || has(deployment, ExceptionKind::Rollback),
                "{base} -> {} goes back without a reason",
                push.commit
            );
        }

        let held = self.held(history, push);
        prop_assert!(
            held.is_empty() || has(deployment, ExceptionKind::Release),
            "{held:?} come back without a release"
        );
        let released: BTreeSet<Revision> = deployment.released().iter().cloned().collect();
        prop_assert_eq!(released, held.iter().map(|held| revision(*held)).collect());
        Ok(())
    }

    fn deploy(&mut self, history: &History, push: &Push, deployment: &PlannedDeployment) {
        let released = self.held(history, push);
        self.holds.retain(|hold| !released.contains(hold));
        let back = deployment
            .rolled_back()
            .map(|back| (0..).find(|commit| revision(*commit) == *back).unwrap());
        self.holds.extend(back);

        self.accepted += 1;
        self.wanted = Some(push.commit);
        self.newest = Some((push.commit, has(deployment, ExceptionKind::Rollback)));
        if push.succeeds {
            self.deployed = Some(push.commit);
        }
    }
}

/// Whether a deployment was allowed for a reason of this kind.
fn has(deployment: &PlannedDeployment, kind: ExceptionKind) -> bool {
    let exceptions = deployment.exceptions();
    exceptions.iter().any(|exception| exception.kind == kind)
}

/// The change of the deploy file from one content to another. A file that is empty does not exist.
pub fn change(old: &str, new: &str) -> Change {
    let node = |content: &str| {
        let node = Node::File(deployfile::revision(content.as_bytes()));
        Some(node).filter(|_| !content.is_empty())
    };
    Change {
        path: b"production/a.deploy".to_vec(),
        depth: Depth::Right,
        old: node(old),
        new: node(new),
        comparison: Some(deployfile::compare(old.as_bytes(), new.as_bytes())),
        summary: None,
        twin: None,
    }
}

/// Lets the rules judge thousands of scenarios, and checks the properties. Returns how many pushes
/// were accepted and refused.
fn judge_scenarios(forgets: bool) -> Result<(u32, u32), String> {
    let (config, problems) = Config::parse(
        "[defaults]\ncommand = [\"x\"]\nrepository = \"/x\"\n",
        &|_| None,
    );
    assert_eq!(problems, []);

    let mut runner = TestRunner::new(Cases {
        cases: 3000,
        failure_persistence: None,
        ..Cases::default()
    });
    let (accepted, refused) = (Cell::new(0), Cell::new(0));

    let result = runner.run(&scenarios(12, 12), |(history, pushes)| {
        let mut server = Server {
            forgets,
            ..Server::default()
        };
        let result = pushes
            .iter()
            .try_for_each(|push| server.take(&config, &history, push));
        accepted.update(|count| count + server.accepted);
        refused.update(|count| count + server.refused);
        result
    });
    match result {
        Ok(()) => Ok((accepted.get(), refused.get())),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn backwards_needs_a_recorded_reason_in_every_history() {
    let (accepted, refused) = judge_scenarios(false).unwrap();

    assert!(accepted > 3000, "only {accepted} pushes were accepted");
    assert!(refused > 3000, "only {refused} pushes were refused");
}

/// The control of the test above.
#[test]
fn backwards_goes_unnoticed_by_rules_that_know_nothing() {
    let error = judge_scenarios(true).unwrap_err();

    assert!(error.contains("goes back without a reason"), "{error}");
}

/// Makes the commits of a history, each on a branch of its own.
fn make(world: &World, history: &History) -> Vec<String> {
    let mut commits: Vec<String> = Vec::new();
    for (at, parents) in history.0.iter().enumerate() {
        let parents: Vec<&str> = parents
            .iter()
            .map(|parent| commits[*parent].as_str())
            .collect();
        let (branch, message) = (format!("b{at}"), format!("c{at}"));
        commits.push(commit_on(world, "a", &branch, &message, &parents));
    }
    commits
}

/// Pushes, and waits until the deployment has ended. Returns whether the push was accepted.
fn push_and_wait(world: &World, push: &Push, revision: &str) -> bool {
    world.job(if push.succeeds { "true" } else { "false" });
    let trailers = [
        (push.rollback, "Deploy-Rollback: why"),
        (push.release, "Deploy-Release: why"),
    ];
    let trailers: Vec<&str> = trailers
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, trailer)| trailer)
        .collect();

    let run = match trailers.is_empty() {
        true => try_deploy(world, "production/a", revision),
        false => try_deploy_saying(world, "production/a", revision, &trailers.join("\n")),
    };
    world.settled();
    run.code == Some(0)
}

/// Makes a history, pushes, and checks the properties. Returns how many pushes were accepted.
fn check_real_pushes(
    world: &World,
    history: &History,
    pushes: &[Push],
) -> Result<usize, TestCaseError> {
    let commits = make(world, history);
    let mut accepted = Vec::new();

    for push in pushes {
        let revision = &commits[push.commit];
        if push_and_wait(world, push, revision) {
            accepted.push((revision.clone(), push.succeeds));
        }
    }

    let log = world.json(&["log", "-n", "1000"]);
    let log: Vec<_> = log.as_array().unwrap().iter().rev().collect();
    let revision = |row: &Value| row["revision"].as_str().unwrap().to_owned();
    let has_succeeded = |row: &Value| row["status"] == "succeeded";

    let deployed: Vec<(String, bool)> = log
        .iter()
        .map(|row| (revision(row), has_succeeded(row)))
        .collect();
    prop_assert_eq!(
        &deployed,
        &accepted,
        "what was accepted is deployed, and nothing else"
    );

    let succeeded: Vec<_> = log.iter().filter(|row| has_succeeded(row)).collect();
    for pair in succeeded.windows(2) {
        let (before, after) = (revision(pair[0]), revision(pair[1]));
        let mut git = world.command("git", "apps/a.git");
        git.args(["merge-base", "--is-ancestor", &before, &after]);
        let is_forward = run(&mut git, b"").code == Some(0);
        let exceptions = pair[1]["exceptions"].as_array().unwrap();
        let is_rollback = exceptions.iter().any(|row| row["kind"] == "rollback");
        prop_assert!(
            is_forward || is_rollback,
            "{before} -> {after} goes back without a reason: {:#}",
            pair[1]
        );
    }

    Ok(accepted.len())
}

#[test]
fn backwards_needs_a_recorded_reason_by_real_pushes() {
    let mut runner = TestRunner::new(Cases {
        cases: 12,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Cases::default()
    });
    let (pushed, accepted) = (Cell::new(0), Cell::new(0));

    let result = runner.run(&scenarios(8, 10), |(history, pushes)| {
        let world = world(&["a"], "allowed_refs = [\"refs/heads/*\"]\n");
        pushed.update(|count| count + pushes.len());
        let count = check_real_pushes(&world, &history, &pushes)?;
        accepted.update(|sum| sum + count);
        Ok(())
    });

    result.unwrap();
    let (pushed, accepted) = (pushed.get(), accepted.get());
    assert!(accepted > 0, "nothing was accepted");
    assert!(accepted < pushed, "nothing was refused");
}

/// The control of the test above: without `repository` the rules do not know the history.
#[test]
fn backwards_goes_unnoticed_without_a_repository() {
    let world = world(&["a"], "");
    world.config("");
    let history = History(vec![BTreeSet::new(), [0].into()]);
    let pushes = [1, 0].map(|commit| Push {
        commit,
        rollback: false,
        release: false,
        succeeds: true,
    });

    let error = check_real_pushes(&world, &history, &pushes).unwrap_err();

    let error = error.to_string();
    assert!(error.contains("goes back without a reason"), "{error}");
}
