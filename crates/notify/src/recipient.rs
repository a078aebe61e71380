//! Somebody whom a section `[notify.NAME]` names.

use std::fs::Metadata;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use deploy_by_code::config::{NotifyKind, NotifySection};
use deploy_by_code::deploy_repository::{ConfigError, DeployRepository};
use deploy_by_code::event::Event;
use deploy_by_code::id::{EventId, NotifyName};
use deploy_by_code::judging::ApplicationRepositories;
use deploy_by_code::publish::{AGE_MAX, Audience, Recipient, Told, target_faults, wants};
use deploy_by_code::report::{EventRow, event_row};
use deploy_by_code::store::{self, Addressees, RecordedEvent, Store};
use deploy_by_code::sys::clock;
use deploy_by_code::sys::file::last_change;
use deploy_by_code::sys::user::User;

use crate::{cdevents, command, mail, slack, webhook};

/// One target, with the configuration as it was read last.
pub(crate) struct Target {
    deploy: DeployRepository,
    name: NotifyName,
}

impl Target {
    /// The target of a section.
    pub(crate) fn new(deploy: DeployRepository, name: NotifyName) -> Self {
        Self { deploy, name }
    }

    fn section(&self) -> Option<&NotifySection> {
        self.deploy.config.notify.get(&self.name)
    }
}

impl Recipient for Target {
    fn refresh(&mut self) -> Result<ControlFlow<()>, ConfigError> {
        self.deploy.reload_config()?;
        Ok(match self.section() {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        })
    }

    fn wants(&self, event: &Event) -> bool {
        let root = &self.deploy.config.root;
        self.section()
            .is_some_and(|section| wants(section, event, root))
    }

    /// A target that is new is told of what happened since the configuration was changed last, and
    /// of nothing older than what is given up.
    fn begins_after(&self, store: &mut Store) -> Result<EventId, store::Error> {
        let file = self.deploy.config_file.as_deref();
        let changed = file.map(last_change).transpose();
        let now = clock::now();
        let oldest = now.before(AGE_MAX);
        // A time in the future says nothing: somebody has set the clock back. Then rather too much
        // is told than too little.
        let since = match changed {
            // Events of the same millisecond may have come afterwards.
            Ok(Some(changed)) if changed <= now => {
                changed.before(Duration::from_millis(1)).max(oldest)
            }
            _ => oldest,
        };
        store.read()?.last_event_until(since)
    }

    /// In a repository that several users push to, this process can be that of one who may not read
    /// a secret.
    fn obstacle(&self) -> Option<String> {
        let own = User::own_number();
        let is_owner = |found: Metadata| found.uid() == own;
        if self.deploy.state_dir().metadata().is_ok_and(is_owner) {
            return None;
        }
        let fault = target_faults(&self.section()?.kind).into_iter().next()?;
        let user = User::current().map_or_else(|_| own.to_string(), |user| user.name);
        Some(format!(
            "the user {user} can't tell it, and leaves it to a process of another user: {}",
            fault.found
        ))
    }

    fn report_failure(&self, message: &str) {
        Audience::of(&self.deploy).report_failure("notify", message);
    }

    fn tell(&mut self, store: &mut Store, event: &RecordedEvent, settled: &mut Addressees) -> Told {
        let Some(section) = self.section() else {
            return Told::Later("the configuration does not name it any more".to_owned());
        };
        let mut applications = ApplicationRepositories::default();
        match event_row(&self.deploy, store, &mut applications, event) {
            Ok(row) => send(store, section, &row, settled),
            Err(error) => Told::Later(format!("the state can't be read: {error}")),
        }
    }
}

/// Sends what is told in the way of a section, except to those of several people for whom nothing
/// is left to try. To these it adds those for whom that is so now.
pub(crate) fn send(
    store: &Store,
    section: &NotifySection,
    row: &EventRow,
    settled: &mut Addressees,
) -> Told {
    match &section.kind {
        NotifyKind::Mail(settings) => mail::send(store, settings, row, settled),
        NotifyKind::Webhook {
            address,
            secret_file,
        } => webhook::send(address, secret_file, row),
        NotifyKind::Slack(address) => slack::send(address, row),
        NotifyKind::CdEvents(address) => cdevents::send(address, row),
        NotifyKind::Command(command) => command::send(command, row),
    }
}
