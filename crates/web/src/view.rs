//! One deploy repository, opened to be looked at.
//!
//! Protocol: each look opens the repository and reads its configuration anew. The state stays open
//! as long as the same file is in its place. One look at a time works with it, and each is short:
//! what can take long, such as a question to an application's repository, happens after it. What
//! all rows together say is kept as long as the state does not change, but for [`OVERVIEW_AGE`] at
//! most: the calendar and processes change without it.
//!
//! If the configuration has mistakes, it is not known what is hidden. So nothing is shown then.
//! Whatever a page, a feed or a program gets to see comes from here, and what is hidden is left out
//! here: nobody else has the state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deploy_by_code::config::WebSection;
use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::git;
use deploy_by_code::id::{Application, DeploymentId, Environment, Revision, Target};
use deploy_by_code::report::{DeploymentRow, NotificationRow, StatusRow, entry_lines};
use deploy_by_code::store::{ChangeMark, Deployment, Filter, Period, Store, VERSION};
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::verbs::{self, Overview, Place};

use crate::commits::Asked;
use crate::fault::Fault;
use crate::hiding::Hiding;

/// How old the overview may be.
const OVERVIEW_AGE: Duration = Duration::from_secs(5);

/// What is another value after each change of the state.
pub(crate) type Mark = (u64, ChangeMark);

/// See the head of the file.
pub(crate) struct View {
    deploy: DeployRepository,
    store: Store,
    /// The database's file when it was opened.
    file: Option<(u64, u64)>,
    /// How many times the state was opened.
    generation: u64,
    overview: Option<KnownOverview>,
}

/// What is kept from one look to the next.
pub(crate) struct OpenState {
    store: Store,
    file: Option<(u64, u64)>,
    generation: u64,
    overview: Option<KnownOverview>,
}

/// What all rows say, of which moment it is, and how long it may be used.
struct KnownOverview {
    mark: Mark,
    web: WebSection,
    until: Deadline,
    overview: Arc<Overview>,
}

impl View {
    /// Opens a repository. `old`: its state, as it was opened before.
    pub(crate) fn open(place: &Place, old: Option<OpenState>) -> Result<Self, Fault> {
        let (deploy, mistakes) = place.deploy_to_look()?;
        if mistakes.is_some() {
            return Err(Fault::Configuration);
        }
        let generation = old.as_ref().map_or(0, |old| old.generation);
        let is_same = |old: &OpenState| {
            old.store.folder() == deploy.state_dir()
                && old.file.is_some()
                && old.file == old.store.file_in_place()
                // A newer program may have changed it meanwhile.
                && old.store.version().is_ok_and(|version| version == VERSION)
        };
        let OpenState {
            store,
            file,
            generation,
            overview,
        } = match old.filter(is_same) {
            Some(old) => old,
            None => {
                let store = deploy.open_store_read_only()?;
                OpenState {
                    file: store.file_in_place(),
                    store,
                    generation: generation + 1,
                    overview: None,
                }
            }
        };
        Ok(Self {
            deploy,
            store,
            file,
            generation,
            overview,
        })
    }

    /// What is kept for the next look.
    pub(crate) fn into_state(self) -> OpenState {
        OpenState {
            store: self.store,
            file: self.file,
            generation: self.generation,
            overview: self.overview,
        }
    }

    /// What the configuration says of the page.
    pub(crate) fn web(&self) -> &WebSection {
        &self.deploy.config.web
    }

    /// The mark of the state as it is now.
    pub(crate) fn mark(&mut self) -> Result<Mark, Fault> {
        Ok((self.generation, self.store.change_mark()?))
    }

    /// Everything that `status` shows, without what is hidden.
    pub(crate) fn overview(&mut self) -> Result<Arc<Overview>, Fault> {
        // The mark comes first: a change during the look below is seen by the next one.
        let mark = self.mark()?;
        if let Some(known) = &self.overview
            && known.mark == mark
            && known.web == *self.web()
            && !known.until.is_over()
        {
            return Ok(Arc::clone(&known.overview));
        }
        // Two of them at once would need twice the memory, and scatter it.
        self.overview = None;
        let everything = Filter::default();
        let mut overview = verbs::overview(&self.deploy, &mut self.store, &everything, true)?;
        Hiding::of(&self.deploy).overview(&mut overview);
        let overview = Arc::new(overview);
        self.overview = Some(KnownOverview {
            mark,
            web: self.web().clone(),
            until: Deadline::after(OVERVIEW_AGE),
            overview: Arc::clone(&overview),
        });
        Ok(overview)
    }

    /// The same, if what a filter names is known. What is hidden is not known.
    pub(crate) fn overview_with(&mut self, filter: &Filter) -> Result<Arc<Overview>, Fault> {
        let overview = self.overview()?;
        match overview.names.knows(filter) {
            true => Ok(overview),
            false => Err(nothing_at(filter)),
        }
    }

    /// The same, if an application is known in some environment.
    pub(crate) fn overview_with_application(
        &mut self,
        name: &Application,
    ) -> Result<Arc<Overview>, Fault> {
        let overview = self.overview()?;
        match overview.rows.iter().any(|row| row.application == *name) {
            true => Ok(overview),
            false => Err(nothing_at(&Filter {
                environment: None,
                application: Some(name.clone()),
            })),
        }
    }

    /// A deployment by its number. One that is hidden is not there.
    pub(crate) fn deployment(&mut self, id: DeploymentId) -> Result<Deployment, Fault> {
        let found = self.store.read()?.deployment(id)?;
        let shown = found.and_then(|found| Hiding::of(&self.deploy).deployment(found));
        shown.ok_or_else(|| Fault::NotFound(format!("there is no deployment {id}")))
    }

    /// The row of a deployment that came from here.
    pub(crate) fn row(&mut self, deployment: &Deployment) -> Result<DeploymentRow, Fault> {
        let record = self.store.read()?;
        let mut row = DeploymentRow::new(&self.deploy, deployment, &record)?;
        drop(record);
        Hiding::of(&self.deploy).row(&mut row);
        Ok(row)
    }

    /// What became of telling everybody of a deployment.
    pub(crate) fn notifications_of(
        &mut self,
        deployment: &Deployment,
    ) -> Result<Vec<NotificationRow>, Fault> {
        let record = self.store.read()?;
        Ok(verbs::notifications_of(&self.deploy, &record, deployment)?)
    }

    /// What is shown of some deployments.
    fn shown(&self, found: Vec<Deployment>) -> Vec<Deployment> {
        let hiding = Hiding::of(&self.deploy);
        let shown = found.into_iter();
        shown.filter_map(|found| hiding.deployment(found)).collect()
    }

    /// The history as far as a filter lets it through, newest first: at most `most` deployments
    /// with lower numbers than `before`.
    pub(crate) fn history(
        &mut self,
        filter: &Filter,
        before: Option<DeploymentId>,
        most: usize,
    ) -> Result<Vec<Deployment>, Fault> {
        let record = self.store.read()?;
        let web = &self.deploy.config.web;
        let found = match web.hidden.is_empty() {
            true => {
                let most = u32::try_from(most).unwrap_or(u32::MAX);
                record.history_before(before, filter, &Period::default(), most)?
            }
            // However long the history is of what is hidden, it is not read.
            false => {
                let mut shown = record.deployed_targets()?;
                shown.retain(|target| filter.lets_through(target) && web.shows(target));
                record.history_of(shown, before, most)?
            }
        };
        drop(record);
        Ok(self.shown(found))
    }

    /// The same of one application in all environments of an overview.
    pub(crate) fn history_of(
        &mut self,
        name: &Application,
        overview: &Overview,
        before: Option<DeploymentId>,
        most: usize,
    ) -> Result<Vec<Deployment>, Fault> {
        let own = overview.rows.iter().filter(|row| row.application == *name);
        let own = own.map(StatusRow::target);
        let found = self.store.read()?.history_of(own, before, most)?;
        Ok(self.shown(found))
    }

    /// What is queued or runs in an environment, in its order.
    pub(crate) fn open_deployments(
        &mut self,
        environment: &Environment,
    ) -> Result<Vec<Deployment>, Fault> {
        let found = self.store.read()?.open_deployments(environment)?;
        Ok(self.shown(found))
    }

    /// The newest deployments that are found by a word, at most `most`. Words that are not shown
    /// are not searched.
    pub(crate) fn search(&mut self, word: &str, most: usize) -> Result<Vec<Deployment>, Fault> {
        let web = &self.deploy.config.web;
        let record = self.store.read()?;
        let wants = |target: &Target| web.shows(target);
        let found = record.search(word, wants, web.hidden.is_empty(), most)?;
        drop(record);
        Ok(self.shown(found))
    }

    /// The figures, without those of what is hidden.
    pub(crate) fn metrics(&mut self) -> Result<String, Fault> {
        let web = &self.deploy.config.web;
        Ok(verbs::metrics_of(&self.deploy, &mut self.store, web)?)
    }

    /// Checks that the state can be read.
    pub(crate) fn check(&mut self) -> Result<(), Fault> {
        self.store.read()?.last_event()?;
        Ok(())
    }

    /// What the entry of a deployment's deploy file says.
    ///
    /// # Errors
    /// The commit that asked for the deployment can't be read.
    pub(crate) fn entry(&self, deployment: &Deployment) -> Result<Vec<String>, git::Error> {
        match &deployment.deploy_commit {
            Some(commit) => entry_lines(&self.deploy, commit, deployment),
            None => Ok(Vec::new()),
        }
    }

    /// The question which commits of an application `to` has and `without` does not have; `None`:
    /// no repository is configured for it.
    pub(crate) fn question(
        &self,
        target: &Target,
        without: &Revision,
        to: &Revision,
    ) -> Option<Asked> {
        Some(Asked {
            path: self.deploy.application_repository(target)?,
            folder: self.deploy.subdirectory(target),
            without: without.clone(),
            to: to.clone(),
        })
    }

    /// The log of a deployment, unless logs are not shown.
    pub(crate) fn log_file(&self, id: DeploymentId) -> Result<PathBuf, Fault> {
        if self.web().without_logs {
            let message = "this page does not show the output of deployments";
            return Err(Fault::NotFound(message.to_owned()));
        }
        Ok(self.store.log_file(id))
    }
}

/// The error where nothing is known of what somebody names, or where it is hidden.
fn nothing_at(filter: &Filter) -> Fault {
    let environment = filter.environment.iter().map(ToString::to_string);
    let application = filter.application.iter().map(ToString::to_string);
    let parts: Vec<String> = environment.chain(application).collect();
    Fault::NotFound(format!("nothing is known of {}", parts.join("/")))
}
