//! What holds for any history of an application and any sequence of pushes: what is deployed never
//! goes backwards without a reason on record, and what was accepted gets deployed. Once over the
//! pure rules with thousands of histories, once with real pushes.

use std::collections::BTreeSet;

use deploy_by_code::candidate::candidates;
use deploy_by_code::change::{Change, Depth, Node};
use deploy_by_code::config::Config;
use deploy_by_code::id::{DeploymentId, Revision, Target};
use deploy_by_code::plan::decide;
use deploy_by_code::policy::{
    Base, Commits, Direction, Exception, ExceptionKind, Facts, Hold, Newest, Stage, TargetFacts,
    Trailers,
};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use crate::applications::{commit_upon, configure, try_deploy, try_deploy_saying, world};
use crate::run::run;

/// A history: for each commit its parents, which come before it.
#[derive(Debug, Clone)]
struct History(Vec<BTreeSet<usize>>);

impl History {
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

/// One push: which commit, with which trailers, and whether its deployment succeeds.
#[derive(Debug, Clone)]
struct Push {
    commit: usize,
    rollback: bool,
    release: bool,
    succeeds: bool,
}

fn histories(most: usize) -> impl Strategy<Value = History> {
    // Each commit has one or two parents among the four before it, or none.
    let parents = prop::collection::vec((0..5_usize, 0..5_usize), 2..most);
    parents.prop_map(|all| {
        let of = |at: usize, back: usize| at.checked_sub(back).filter(|_| back > 0);
        let parents = |(at, (one, two)): (usize, (usize, usize))| {
            of(at, one).into_iter().chain(of(at, two)).collect()
        };
        History(all.into_iter().enumerate().map(parents).collect())
    })
}

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

/// What the server knows after some pushes.
#[derive(Default)]
struct Server {
    content: String,
    wanted: Option<usize>,
    deployed: Option<usize>,
    newest: Option<(usize, bool)>,
    holds: BTreeSet<usize>,
}

impl Server {
    fn facts(&self, history: &History, push: &Push) -> TargetFacts {
        let base = |from: usize| Base {
            revision: revision(from),
            direction: history.direction(from, push.commit),
        };
        let hold = |from: &usize| Hold {
            by: DeploymentId(1),
            from: revision(*from),
            reason: "why".to_owned(),
            is_contained: history.contains(push.commit, *from),
        };
        let why = || Exception {
            kind: ExceptionKind::Rollback,
            reason: "why".to_owned(),
        };
        let given = |is_given: bool| is_given.then(|| "why".to_owned());
        TargetFacts {
            wanted: self.wanted.map(base),
            deployed: self.deployed.map(base),
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

    /// Judges a push as both hooks do, and carries out what is accepted.
    fn take(
        &mut self,
        config: &Config,
        history: &History,
        push: &Push,
    ) -> Result<(), TestCaseError> {
        let content = format!("{}\n{}", revision(push.commit), self.content);
        let node = |content: &str| {
            Some(Node::File(content.as_bytes().into())).filter(|_| !content.is_empty())
        };
        let change = Change {
            path: b"production/a.deploy".to_vec(),
            depth: Depth::Right,
            old: node(&self.content),
            new: node(&content),
            twin: None,
        };
        let asked = candidates(vec![change]);
        let target: Target = asked[0].target.clone().unwrap();
        let facts = |stage| Facts {
            stage,
            has_record: true,
            targets: [(target.clone(), self.facts(history, push))].into(),
            ..Facts::default()
        };
        let judged = decide(config, &asked, &facts(Stage::Before));
        if !judged.refusals.is_empty() {
            return Ok(());
        }
        let planned = decide(config, &asked, &facts(Stage::After));
        prop_assert_eq!(planned.refusals.len(), 0, "what was accepted is planned");
        prop_assert_eq!(planned.deployments.len(), 1);
        let deployment = &planned.deployments[0];
        let reasons: Vec<ExceptionKind> = deployment
            .exceptions()
            .iter()
            .map(|exception| exception.kind)
            .collect();
        for base in [self.wanted, self.deployed].into_iter().flatten() {
            let is_forward = history.contains(push.commit, base);
            prop_assert!(
                is_forward || reasons.contains(&ExceptionKind::Rollback),
                "{base} -> {}",
                push.commit
            );
        }
        let held: BTreeSet<usize> = self
            .holds
            .iter()
            .copied()
            .filter(|held| history.contains(push.commit, *held))
            .collect();
        prop_assert!(
            held.is_empty() || reasons.contains(&ExceptionKind::Release),
            "{held:?} come back"
        );
        let released: BTreeSet<Revision> = deployment.released().iter().cloned().collect();
        prop_assert_eq!(released, held.iter().map(|held| revision(*held)).collect());
        self.holds.retain(|hold| !held.contains(hold));
        let back = deployment
            .rolled_back()
            .map(|back| (0..).find(|commit| revision(*commit) == *back).unwrap());
        self.holds.extend(back);
        self.content = content;
        self.wanted = Some(push.commit);
        self.newest = Some((push.commit, reasons.contains(&ExceptionKind::Rollback)));
        if push.succeeds {
            self.deployed = Some(push.commit);
        }
        Ok(())
    }
}

#[test]
fn nothing_goes_backwards_without_a_reason_by_the_rules() {
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
    let result = runner.run(&scenarios(12, 12), |(history, pushes)| {
        let mut server = Server::default();
        pushes
            .iter()
            .try_for_each(|push| server.take(&config, &history, push))
    });
    result.unwrap();
}

#[test]
fn nothing_goes_backwards_without_a_reason_by_real_pushes() {
    let mut runner = TestRunner::new(Cases {
        cases: 12,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Cases::default()
    });
    let result = runner.run(&scenarios(8, 10), |(history, pushes)| {
        let world = world(&["a"], "");
        configure(&world, "allowed_refs = [\"refs/heads/*\"]\n");
        let mut commits: Vec<String> = Vec::new();
        for (at, parents) in history.0.iter().enumerate() {
            let parents: Vec<&str> = parents
                .iter()
                .map(|parent| commits[*parent].as_str())
                .collect();
            commits.push(commit_upon(
                &world,
                "a",
                &format!("b{at}"),
                &format!("c{at}"),
                &parents,
            ));
        }
        let mut accepted = Vec::new();
        for push in &pushes {
            // The job looks at this when it runs; pushes are settled one by one, so that each push
            // has its own.
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
            let revision = &commits[push.commit];
            let run = match trailers.is_empty() {
                true => try_deploy(&world, "production/a", revision),
                false => try_deploy_saying(&world, "production/a", revision, &trailers.join("\n")),
            };
            if run.code == Some(0) {
                accepted.push((revision.clone(), push.succeeds));
            }
            world.settled();
        }
        let log = world.json(&["log", "-n", "1000"]);
        let log: Vec<_> = log.as_array().unwrap().iter().rev().collect();
        let carried_out: Vec<(String, bool)> = log
            .iter()
            .map(|row| {
                (
                    row["revision"].as_str().unwrap().to_owned(),
                    row["status"] == "succeeded",
                )
            })
            .collect();
        prop_assert_eq!(
            &carried_out,
            &accepted,
            "what was accepted, and nothing else, was carried out"
        );
        let mut deployed: Option<String> = None;
        for row in log.iter().filter(|row| row["status"] == "succeeded") {
            let revision = row["revision"].as_str().unwrap().to_owned();
            if let Some(before) = &deployed {
                let arguments = ["merge-base", "--is-ancestor", before, &revision];
                let is_forward =
                    run(world.command("git", "apps/a.git").args(arguments), b"").code == Some(0);
                let kinds: Vec<&str> = row["exceptions"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|row| row["kind"].as_str())
                    .collect();
                prop_assert!(
                    is_forward || kinds.contains(&"rollback"),
                    "{before} -> {revision}: {row:#}"
                );
            }
            deployed = Some(revision);
        }
        Ok(())
    });
    result.unwrap();
}
