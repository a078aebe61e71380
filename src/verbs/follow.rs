//! `logs -f`, `wait` and the push options: watching deployments until they end, or until nothing of
//! them can go on.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use super::error::Error;
use super::find::find;
use super::runner_watch::{NoRunner, RunnerWatch, Starter};
use crate::deploy_repository::DeployRepository;
use crate::id::{DeploymentId, Environment};
use crate::policy::freeze_of;
use crate::report::Tail;
use crate::runner::{Unwatched, running, unwatched};
use crate::status::Status;
use crate::store::{self, Deployment, Filter, Store};
use crate::sys::clock::{self, Deadline};

/// How often to look whether an environment is frozen or held.
const OBSTACLES: Duration = Duration::from_secs(1);

/// How much output one look hands over before the other deployments wait for the next look, in
/// bytes.
const OUTPUT_MAX: usize = 256 * 1024;

/// What is watched of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its output, and how it ends.
    Output,
    /// How it ends.
    End,
}

/// Something new about deployments that are watched.
#[derive(Debug)]
pub enum News {
    /// A deployment wrote something: a piece of bounded size that can end inside of a line.
    Output(Deployment, Vec<u8>),
    /// A deployment can't go on now. Its reason is the recorded one, or that its environment is
    /// frozen or held. Each reason comes once.
    Waits(Deployment),
    /// A deployment has ended, and all its output was handed over.
    Ended(Deployment),
    /// The deployments of an environment can't continue now, or nobody knows whether they can. Each
    /// reason comes once for an environment.
    NoRunner(NoRunner),
}

/// Deployments that are watched until they have ended.
pub struct Following {
    starter: Starter,
    deploy: DeployRepository,
    store: Store,
    watch: Watch,
    open: VecDeque<Followed>,
    runners: BTreeMap<Environment, RunnerWatch>,
    obstacles: BTreeMap<Environment, Obstacles>,
}

impl Following {
    /// Begins to watch some deployments.
    #[must_use]
    pub fn new(
        starter: Starter,
        deploy: DeployRepository,
        store: Store,
        ids: &[DeploymentId],
        watch: Watch,
    ) -> Self {
        let follow = |id: &DeploymentId| Followed {
            id: *id,
            tail: Tail::new(store.log_file(*id)),
            told: None,
            outlook: Outlook::Open,
        };
        Self {
            starter,
            deploy,
            open: ids.iter().map(follow).collect(),
            store,
            watch,
            runners: BTreeMap::new(),
            obstacles: BTreeMap::new(),
        }
    }

    /// Whether all of them have ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Those whose end was not handed over yet, as they are now.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn open(&mut self) -> Result<Vec<Deployment>, Error> {
        let record = self.store.read()?;
        let open = self.open.iter();
        open.map(|followed| find(&record, followed.id)).collect()
    }

    /// Whether nothing goes on: each one that has not ended waits for a thaw, for what a dead
    /// runner left running, or for a runner where none works. [`News::Waits`] or
    /// [`News::NoRunner`] has said why.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        let mut open = self.open.iter();
        !self.is_over() && open.all(|followed| followed.outlook != Outlook::Open)
    }

    /// Whether each one that has not ended waits for a runner where none works.
    /// [`News::NoRunner`] has said so.
    #[must_use]
    pub fn is_deserted(&self) -> bool {
        let mut open = self.open.iter();
        !self.is_over() && open.all(|followed| followed.outlook == Outlook::Deserted)
    }

    /// What is new since the last call. If nothing is, the caller calls again a moment later.
    ///
    /// # Errors
    /// The state or a log can't be read, or there is no such deployment.
    pub fn look(&mut self) -> Result<Vec<News>, Error> {
        let mut news = Vec::new();
        let mut room = OUTPUT_MAX;

        for _ in 0..self.open.len() {
            let Some(mut followed) = self.open.pop_front() else {
                break;
            };
            let id = followed.id;
            // The status is read before the output. So when the deployment has ended, all that it
            // wrote before its end is read.
            let mut deployment = find(&*self.store.read()?, id)?;
            followed.outlook = Outlook::Open;
            let bytes = match self.watch {
                Watch::Output => followed.tail.read().map_err(unreadable_log(id))?,
                Watch::End => Vec::new(),
            };

            if !bytes.is_empty() {
                room = room.saturating_sub(bytes.len());
                news.push(News::Output(deployment, bytes));
                self.open.push_back(followed);
                if room == 0 {
                    break;
                }
            } else if deployment.status.has_ended() {
                news.push(News::Ended(deployment));
            } else {
                let environment = deployment.target.environment.clone();
                let (why, is_deserted) = self.ensure_runner(environment)?;
                if is_deserted {
                    followed.outlook = Outlook::Deserted;
                }
                if let Some(obstacle) = self.obstacle(&deployment)? {
                    deployment.reason = Some(obstacle);
                    followed.outlook = Outlook::Blocked;
                }
                if followed.has_new_reason(&deployment) {
                    news.push(News::Waits(deployment));
                }
                news.extend(why.map(News::NoRunner));
                self.open.push_back(followed);
            }
        }
        Ok(news)
    }

    /// What a deployment waits for that can last without end; `None`: nothing is known of.
    fn obstacle(&mut self, deployment: &Deployment) -> Result<Option<String>, Error> {
        let environment = &deployment.target.environment;
        let known = self.obstacles.get(environment);
        if known.is_none_or(|known| known.next.is_over()) {
            let found = Obstacles::find(&self.deploy, &mut self.store, environment)?;
            self.obstacles.insert(environment.clone(), found);
        }
        let known = self.obstacles.get(environment);
        Ok(known.and_then(|known| known.of(deployment)))
    }

    /// Starts a runner where none works. Returns what is to be said about it, and whether nobody is
    /// expected to work.
    fn ensure_runner(
        &mut self,
        environment: Environment,
    ) -> Result<(Option<NoRunner>, bool), store::Error> {
        let record = self.store.read()?;
        let watch = self.runners.entry(environment.clone()).or_default();
        let why = watch.look(&self.starter, &self.deploy, &record, &environment);
        Ok((why, watch.is_deserted()))
    }
}

/// A deployment that is watched.
struct Followed {
    id: DeploymentId,
    tail: Tail,
    /// The reason to wait that was handed over last.
    told: Option<String>,
    /// What the last look has found.
    outlook: Outlook,
}

/// Whether a deployment can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// As far as anybody knows.
    Open,
    /// It waits for a thaw, or for what a dead runner left running.
    Blocked,
    /// It waits for a runner, and nobody works.
    Deserted,
}

impl Followed {
    /// Whether the deployment waits for a reason that was not handed over yet.
    fn has_new_reason(&mut self, deployment: &Deployment) -> bool {
        if deployment.reason.is_none() || deployment.reason == self.told {
            return false;
        }
        self.told.clone_from(&deployment.reason);
        true
    }
}

/// Makes an error of what went wrong when the log of a deployment was read.
pub fn unreadable_log(id: DeploymentId) -> impl FnOnce(io::Error) -> Error {
    Error::system(
        format!("the log of {id} can't be read"),
        "make sure that this user can read the state directory",
    )
}

/// What keeps an environment from going on, without end as far as anybody knows.
struct Obstacles {
    /// When to look again.
    next: Deadline,
    /// Why it is frozen, if it is.
    freeze: Option<String>,
    /// The deployments of dead runners that hold it by what they left running.
    held_by: Vec<DeploymentId>,
}

impl Obstacles {
    fn find(
        deploy: &DeployRepository,
        store: &mut Store,
        environment: &Environment,
    ) -> Result<Self, store::Error> {
        let now = clock::now();
        let record = store.read()?;
        let section = deploy.config.environment(environment);
        let freeze = freeze_of(&section, record.freezes(now)?.get(environment), now);

        let filter = Filter {
            environment: Some(environment.clone()),
            application: None,
        };
        // A runner that this process can't see may be alive. The one that has the lock knows: if it
        // can't see what is left either, it has recorded that it is stuck.
        let is_stuck = record.is_stuck(environment)?;
        let holds = |left: &Unwatched| match &left.is_alive {
            Ok(is_alive) => *is_alive,
            Err(_) => is_stuck,
        };
        let running = running(&record, &filter)?;
        drop(record);
        let left = unwatched(store, running)?;
        let held_by = left.iter().filter(|left| holds(left));

        Ok(Self {
            next: Deadline::after(OBSTACLES),
            freeze: freeze.map(|freeze| freeze.describe()),
            held_by: held_by.map(|left| left.deployment.id).collect(),
        })
    }

    /// What a deployment waits for. One that runs waits for nothing, unless its runner has died.
    fn of(&self, deployment: &Deployment) -> Option<String> {
        let is_queued = deployment.status == Status::Queued;
        let mut held_by = self.held_by.iter();
        if let Some(id) = held_by.find(|id| is_queued || **id == deployment.id) {
            return Some(format!("held by what {id} left running"));
        }
        let may_wait = is_queued && !deployment.overrides_freeze;
        self.freeze.clone().filter(|_| may_wait)
    }
}
