//! One deploy repository, opened to be looked at.
//!
//! Protocol: each look opens the repository and reads its configuration anew. The state stays open
//! as long as the same file is in its place. One look at a time works with it, and each is short:
//! what can take long, such as a question to an application's repository, happens after it. What
//! all rows together say is kept as long as the state does not change, but for [`OVERVIEW_AGE`] at
//! most: the calendar and processes change without it.
//!
//! If the configuration has mistakes, it is not known what is hidden. So nothing is shown then.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deploy_by_code::config::WebSection;
use deploy_by_code::deploy_path::target_of;
use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::report::DeploymentRow;
use deploy_by_code::store::{ChangeMark, Deployment, Filter, Period, Reader, Store, VERSION};
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::verbs::{self, Overview, Place};

use crate::fault::Fault;

/// How old the overview may be.
const OVERVIEW_AGE: Duration = Duration::from_secs(5);

/// How many deployments are read at once where some of them may be hidden.
const PIECE: u32 = 100;

/// What is another value after each change of the state.
pub(crate) type Mark = (u64, ChangeMark);

/// See the head of the file.
pub(crate) struct View {
    pub(crate) deploy: DeployRepository,
    pub(crate) store: Store,
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
        let overview = Arc::new(self.look_at_all(&Filter::default())?);
        self.overview = Some(KnownOverview {
            mark,
            web: self.web().clone(),
            until: Deadline::after(OVERVIEW_AGE),
            overview: Arc::clone(&overview),
        });
        Ok(overview)
    }

    fn look_at_all(&mut self, filter: &Filter) -> Result<Overview, Fault> {
        let mut overview = verbs::overview(&self.deploy, &mut self.store, filter, true)?;
        let web = &self.deploy.config.web;
        overview.rows.retain(|row| web.shows(&row.target()));
        let left = &mut overview.unwatched;
        left.retain(|left| web.shows(&left.deployment.target));
        let root = &self.deploy.config.root;
        overview.problems.retain(|problem| {
            let target = target_of(root, &problem.refusal.path);
            target.is_none_or(|target| web.shows(&target))
        });
        Ok(overview)
    }

    /// The same for a part of it that somebody names.
    pub(crate) fn overview_of(&mut self, filter: &Filter) -> Result<Overview, Fault> {
        let overview = self.look_at_all(filter)?;
        match filter.application {
            Some(_) if overview.rows.is_empty() => Err(nothing_at(filter)),
            _ => Ok(overview),
        }
    }

    /// A deployment by its number. One that is hidden is not there.
    pub(crate) fn deployment(&mut self, id: DeploymentId) -> Result<Deployment, Fault> {
        let found = self.store.read()?.deployment(id)?;
        let shown = found.filter(|found| self.web().shows(&found.target));
        shown.ok_or_else(|| Fault::NotFound(format!("there is no deployment {id}")))
    }

    /// The row of a deployment.
    pub(crate) fn row(&mut self, deployment: &Deployment) -> Result<DeploymentRow, Fault> {
        let record = self.store.read()?;
        let mut row = DeploymentRow::new(&self.deploy, deployment, &record)?;
        if self.deploy.config.web.without_logs {
            row.log = None;
        }
        // A note is in words, and these can name another application or environment.
        if !self.deploy.config.web.hidden.is_empty() {
            row.notes.clear();
        }
        Ok(row)
    }

    /// The newest deployments that `read` finds below a number, at most `most`, without those that
    /// are hidden.
    pub(crate) fn newest(
        &mut self,
        before: Option<DeploymentId>,
        most: usize,
        read: impl Fn(
            &Reader<'_>,
            Option<DeploymentId>,
            u32,
        ) -> Result<Vec<Deployment>, deploy_by_code::store::Error>,
    ) -> Result<Vec<Deployment>, Fault> {
        let web = &self.deploy.config.web;
        let (mut found, mut before) = (Vec::new(), before);
        loop {
            // Each piece is a snapshot of its own.
            let piece = read(&*self.store.read()?, before, PIECE)?;
            let is_last = u32::try_from(piece.len()) != Ok(PIECE);
            before = piece.last().map(|last| last.id);
            found.extend(piece.into_iter().filter(|one| web.shows(&one.target)));
            if is_last || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// The history, newest first.
    pub(crate) fn history(
        &mut self,
        filter: &Filter,
        before: Option<DeploymentId>,
        most: usize,
    ) -> Result<Vec<Deployment>, Fault> {
        let all = Period::default();
        self.newest(before, most, |record, before, piece| {
            record.history_before(before, filter, &all, piece)
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
pub(crate) fn nothing_at(filter: &Filter) -> Fault {
    let environment = filter.environment.iter().map(ToString::to_string);
    let application = filter.application.iter().map(ToString::to_string);
    let parts: Vec<String> = environment.chain(application).collect();
    Fault::NotFound(format!("nothing is known of {}", parts.join("/")))
}
