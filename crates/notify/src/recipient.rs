//! Somebody whom a section `[notify.NAME]` names.

use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use deploy_by_code::config::{NotifyKind, NotifySection};
use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::event::Event;
use deploy_by_code::id::{EventId, NotifyName};
use deploy_by_code::judging::ApplicationRepositories;
use deploy_by_code::publish::{AGE_MAX, Recipient, Told, wants};
use deploy_by_code::report::{EventRow, event_row};
use deploy_by_code::store::{self, RecordedEvent, Store};
use deploy_by_code::sys::clock;
use deploy_by_code::time::Timestamp;

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
    fn refresh(&mut self) -> ControlFlow<()> {
        // A configuration with mistakes is not used, and the one from before stays in force.
        let _ = self.deploy.reload_config();
        match self.section() {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let root = &self.deploy.config.root;
        self.section()
            .is_some_and(|section| wants(section, event, root))
    }

    /// A target that is new is told of what happened since the configuration file was changed last,
    /// and of nothing older than what is given up.
    fn begins_after(&self, store: &mut Store) -> Result<EventId, store::Error> {
        let file = self.deploy.config_file.as_ref();
        let changed = file.and_then(|file| file.metadata().ok());
        // The time of the last change of the file's inode can't be set back.
        let changed = changed.map_or(0, |found| {
            found.ctime() * 1000 + found.ctime_nsec() / 1_000_000
        });
        let oldest = clock::now().before(AGE_MAX);
        let since = Timestamp::from_ms(changed - 1).max(oldest);
        store.read()?.last_event_until(since)
    }

    fn tell(&mut self, store: &mut Store, event: &RecordedEvent) -> Told {
        let Some(section) = self.section() else {
            return Told::Later("the configuration does not name it any more".to_owned());
        };
        let mut applications = ApplicationRepositories::default();
        match event_row(&self.deploy, store, &mut applications, event) {
            Ok(row) => send(store, section, &row),
            Err(error) => Told::Later(format!("the state can't be read: {error}")),
        }
    }
}

/// Sends what is told in the way of a section.
pub(crate) fn send(store: &Store, section: &NotifySection, row: &EventRow) -> Told {
    match &section.kind {
        NotifyKind::Mail(settings) => mail::send(store, settings, row),
        NotifyKind::Webhook {
            address,
            secret_file,
        } => webhook::send(address, secret_file, row),
        NotifyKind::Slack(address) => slack::send(address, row),
        NotifyKind::CdEvents(address) => cdevents::send(address, row),
        NotifyKind::Command(command) => command::send(command, row),
    }
}
