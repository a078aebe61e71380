//! Everything that one deployment needs, and what is recorded of it.

use std::path::PathBuf;
use std::time::Duration;

use super::outcome::{JobEnd, Wait, cancelled, describe, failed};
use super::patience::Patience;
use super::phases::Phases;
use super::this_runner::Runner;
use crate::config::Settings;
use crate::deploy_repository::{DeployRepository, folder_values};
use crate::git::Mirror;
use crate::id::{Revision, Target};
use crate::publish::Audience;
use crate::status::Status;
use crate::store::{self, Deployment, Outcome, RecordedCheckout, RecordedPhase, Run, Stale, Store};
use crate::sys::clock::{self, Deadline};

/// How long to wait before it is tried again to read or change the state.
const PAUSE: Duration = Duration::from_secs(1);

/// How often to look whether a deployment that waits for another try is still wanted.
const LOOK: Duration = Duration::from_millis(250);

/// Everything that one deployment needs.
pub(super) struct Job<'s> {
    /// The connection of whoever carries it out, who lends it for one job after the other.
    pub(super) store: &'s mut Store,
    pub(super) deployment: Deployment,
    pub(super) settings: Settings,
    /// The application's repository, where one is configured.
    pub(super) repository: Option<PathBuf>,
    /// The folder of the revision that is deployed; `None`: it is all of it.
    pub(super) subdirectory: Option<String>,
    /// The mirror that this is, where it is on another host.
    pub(super) mirror: Option<Mirror>,
    pub(super) run: Run,
    /// Whether a runner began it that did not record its checkout, so that this is the configured
    /// one of now.
    pub(super) is_checkout_assumed: bool,
    /// The revision that is deployed now.
    pub(super) previous: Option<Revision>,
    /// How long the processes of the deployment may still run.
    pub(super) time_left: Duration,
    /// Whether this job, and no other, made the deployment `running`.
    pub(super) has_begun: bool,
    /// Which phase it is in.
    pub(super) phases: Phases,
    /// When what runs in this phase has to end, and how long that is after the phase began; `None`:
    /// only `timeout` limits it.
    pub(super) phase_limit: Option<(Deadline, Duration)>,
    /// Whether the wish that it ends is heeded. Somebody who has cancelled a deployment wants it to
    /// go back.
    pub(super) heeds_cancel: bool,
    /// How many of its processes were started.
    pub(super) started: usize,
    /// Who is told of it.
    audience: Audience,
    /// How often it was tried.
    pub(super) patience: Patience,
}

impl Job<'_> {
    /// Collects what a deployment needs from the configuration as it is now. `previous` is the
    /// revision that is deployed now. The job itself is made where it is carried out, with the
    /// connection there.
    pub(super) fn prepare(
        runner: &Runner,
        deploy: &DeployRepository,
        deployment: Deployment,
        previous: Option<Revision>,
        patience: Patience,
    ) -> impl FnOnce(&mut Store) -> Job<'_> + Send + use<> {
        let settings = deploy.config.settings(&deployment.target);
        let place = deploy.application_place(&deployment.target);
        let (repository, mirror) = place.unzip();
        let subdirectory = deploy.subdirectory(&deployment.target);
        let run = Run {
            space: runner.space.clone(),
            runner: runner.identity,
            leader: None,
            cgroup: None,
            checkout: configured_checkout(&settings, &deployment.target),
        };
        let audience = Audience::of(deploy);

        move |store| Job {
            store,
            time_left: settings.timeout,
            repository,
            mirror: mirror.flatten(),
            subdirectory,
            run,
            settings,
            previous,
            deployment,
            is_checkout_assumed: false,
            has_begun: false,
            phases: Phases::default(),
            phase_limit: None,
            heeds_cancel: true,
            started: 0,
            audience,
            patience,
        }
    }

    /// Makes the queued deployment `running`. [`Stale`]: another process was faster, and it is not
    /// this job's to carry out.
    ///
    /// # Errors
    /// The state can't be changed.
    pub(super) fn begin(&mut self) -> Result<Result<(), Stale>, store::Error> {
        let (id, run, previous) = (self.deployment.id, &self.run, self.previous.as_ref());
        let phases = &self.phases;
        let begun = self.store.transaction(|transaction| {
            let now = clock::now();
            let begun = transaction.begin(id, run, previous, now)?;
            if begun.is_ok() {
                phases.record(transaction, id, now)?;
            }
            Ok::<_, store::Error>(begun)
        })?;

        if begun.is_ok() {
            self.has_begun = true;
            self.phases.is_recorded();
            self.audience.tell(self.store);
        }
        Ok(begun)
    }

    /// Makes the deployment `running` with the command's first process on record. [`Stale`]: as for
    /// [`Job::begin`].
    ///
    /// # Errors
    /// The state can't be changed, and the deployment is still queued.
    pub(super) fn begin_with_leader(&mut self) -> Result<Result<(), Stale>, store::Error> {
        if !self.has_begun {
            return self.begin();
        }
        let (id, run) = (self.deployment.id, self.run.clone());
        let set = self.insist("its first process can't be recorded", |store, phases| {
            store.transaction(|transaction| {
                let set = transaction.set_leader(id, &run)?;
                if set.is_ok() {
                    phases.record(transaction, id, clock::now())?;
                }
                Ok(set)
            })
        });
        if set.is_ok() {
            self.phases.is_recorded();
        }
        Ok(set)
    }

    /// Lets the job begin with going back for a runner that died, after a phase that failed and is
    /// on record. It goes back where that runner began, and as the same user, whatever the
    /// configuration says now.
    pub(super) fn goes_back_for(&mut self, dead: &Run, failed: &RecordedPhase) {
        self.phases = Phases::going_back_after(failed.phase);
        self.is_checkout_assumed = dead.checkout.is_none();
        if let Some(checkout) = &dead.checkout {
            self.settings.user.clone_from(&checkout.user);
            self.run.checkout = Some(checkout.clone());
        }
    }

    /// Goes on with what a runner that died has begun: it is this runner's now, and has no process
    /// yet. [`Stale`]: it is not what that runner left.
    ///
    /// # Errors
    /// The state can't be changed.
    pub(super) fn take_over(&mut self, dead: &Run) -> Result<Result<(), Stale>, store::Error> {
        let (id, run, phases) = (self.deployment.id, &self.run, &self.phases);
        let taken = self.store.transaction(|transaction| {
            let taken = transaction.take_over(id, dead, run)?;
            if taken.is_ok() {
                phases.record(transaction, id, clock::now())?;
            }
            Ok::<_, store::Error>(taken)
        })?;
        if taken.is_ok() {
            self.has_begun = true;
            self.phases.is_recorded();
        }
        Ok(taken)
    }

    /// The name of the user who asked for the deployment to end, if anybody did.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn look_for_cancel(&mut self) -> Result<Option<String>, store::Error> {
        let deployment = self.store.read()?.deployment(self.deployment.id)?;
        let by = deployment.and_then(|deployment| deployment.cancelled_by);
        Ok(by.map(|by| by.name))
    }

    /// Records the end.
    pub(super) fn record(&mut self, outcome: &Outcome) {
        let id = self.deployment.id;
        let what = format!("its end can't be recorded: {}", describe(outcome));
        // If an end is recorded already, another process did that, with the record as it is now.
        let (Ok(()) | Err(Stale)) = self.insist(&what, |store, phases| {
            store.transaction(|transaction| {
                let now = clock::now();
                let recorded = transaction.deployment(id)?;
                if recorded.is_some_and(|recorded| recorded.status == Status::Running) {
                    phases.record(transaction, id, now)?;
                }
                transaction.finish(id, outcome, now)
            })
        });
        self.audience.tell(self.store);
    }

    /// Records why the deployment can't go on now, waits, and says whether to try again. `why`: a
    /// fault of the server.
    pub(super) fn wait_because(&mut self, why: &str) -> Wait {
        let Some(pause) = self.patience.next_pause() else {
            let tried = self.patience.describe();
            return Wait::Over(JobEnd::Outcome(failed(format!("{why} ({tried})"))));
        };

        let id = self.deployment.id;
        let reason = format!("waits for another try: {why}");
        // A full disk may be the very reason. Then only the system log has it.
        let explained = self
            .store
            .transaction(|transaction| transaction.set_reason(id, &reason));
        if explained.is_err() {
            let target = &self.deployment.target;
            self.audience
                .report_failure("run", &format!("{id} {target}: {reason}"));
        }

        let end = Deadline::after(pause);
        while !end.is_over() {
            clock::sleep(LOOK.min(end.left()));
            if let Some(end) = self.is_over() {
                return Wait::Over(end);
            }
        }
        if self.has_begun {
            Wait::Again
        } else {
            Wait::Over(JobEnd::Later)
        }
    }

    /// How a deployment that waits for another try has ended meanwhile, if it has. Where the state
    /// can't be read now, the next look sees it.
    fn is_over(&mut self) -> Option<JobEnd> {
        let now = self.store.read().ok()?.deployment(self.deployment.id);
        let now = now.ok().flatten()?;
        match now.cancelled_by {
            _ if now.status.has_ended() => Some(JobEnd::NotOurs),
            Some(by) if self.heeds_cancel => Some(JobEnd::Outcome(cancelled(&by.name))),
            Some(_) | None => None,
        }
    }

    /// Reads or changes the state, and tries again until that works: the runner holds the lock, and
    /// a full disk has room again some time. Without this, a known end would become unknown.
    fn insist<T>(
        &mut self,
        what: &str,
        mut work: impl FnMut(&mut Store, &Phases) -> Result<T, store::Error>,
    ) -> T {
        let mut was_told = false;
        loop {
            match work(self.store, &self.phases) {
                Ok(done) => return done,
                Err(error) if !std::mem::replace(&mut was_told, true) => {
                    let (id, target) = (self.deployment.id, &self.deployment.target);
                    let message = format!("waiting until this is fixed: {id} {target}: {what}");
                    self.audience
                        .report_failure("run", &format!("{message}: {error}"));
                }
                Err(_) => {}
            }
            clock::sleep(PAUSE);
        }
    }
}

/// The folder of a run's checkout, if that is not the one that the configuration names now.
pub(super) fn checkout_elsewhere<'r>(
    run: &'r Run,
    settings: &Settings,
    target: &Target,
) -> Option<&'r str> {
    let folder = run.checkout.as_ref()?.folder.as_str();
    let configured = configured_checkout(settings, target);
    let is_other = configured.is_none_or(|configured| configured.folder != folder);
    is_other.then_some(folder)
}

/// The checkout of a target, if the configuration names one.
fn configured_checkout(settings: &Settings, target: &Target) -> Option<RecordedCheckout> {
    let folder = settings.checkout.as_ref()?;
    Some(RecordedCheckout {
        folder: folder.fill(&folder_values(target)),
        user: settings.user.clone(),
    })
}
