//! Those who are told of what happens, and the processes that tell them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::syslog::to_syslog;
use crate::config::{Config, NotifySection};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::id::NotifyName;
use crate::store::{self, Reader, Store};
use crate::sys::lock::is_taken;
use crate::sys::syslog;
use crate::wake::{Background, Call};

/// How many events are looked at before somebody is taken to wait for one of them.
const LOOKED_AT_MAX: u32 = 100;

/// The reader of events that writes marks into application repositories.
pub const MARKS: &str = "marks";

/// The reader of events that publishes the status at a ref.
pub const STATUS: &str = "status";

/// The reader of events that writes the figures for Prometheus.
pub const METRICS: &str = "metrics";

/// What the name of a target's reader begins with. No other reader has a colon in its name.
const NOTIFY: &str = "notify:";

/// The reader of events that a target is: the name of its position, its notifications and its lock.
#[must_use]
pub fn reader_of(target: &NotifyName) -> String {
    format!("{NOTIFY}{target}")
}

/// The target that a reader of events is; `None`: the reader is another one.
#[must_use]
pub fn target_of(reader: &str) -> Option<NotifyName> {
    NotifyName::new(reader.strip_prefix(NOTIFY)?).ok()
}

/// Those who are told of what happens, by the configuration as it was when this was made.
#[derive(Debug, Clone)]
pub struct Audience {
    call: Call,
    repository: PathBuf,
    /// Whether the system log gets lines.
    has_syslog: bool,
    root: String,
    notify: BTreeMap<NotifyName, NotifySection>,
    /// The other readers of events that the configuration switches on.
    publish: Vec<&'static str>,
}

impl Audience {
    /// Those whom the configuration of a deploy repository names.
    #[must_use]
    pub fn of(deploy: &DeployRepository) -> Self {
        Self {
            call: Call::of(deploy),
            repository: deploy.repository.path().to_owned(),
            has_syslog: !deploy.config.without_syslog,
            root: deploy.config.root.clone(),
            notify: deploy.config.notify.clone(),
            publish: publishers(&deploy.config),
        }
    }

    /// Tells everybody of what has happened and was not told yet: sends the lines for the system
    /// log, and starts the processes that tell the others where one of these waits for an event. It
    /// waits for none of them and never fails. What can't be told now is told by the next call.
    pub fn tell(&self, store: &mut Store) {
        if self.has_syslog {
            to_syslog(store, &self.repository);
        }

        for background in Background::ALL {
            // Where the state can't be read, the next call finds what waits.
            if self.is_awaited(background, store).unwrap_or(false)
                && let Err(error) = self.call.background(background)
            {
                self.report_failure("notify", &missing(background, &error));
            }
        }
    }

    /// Sends a line about a process that could not do its work to the system log, for the
    /// administrator. It is lost where nobody listens. `what`: the process.
    pub fn report_failure(&self, what: &str, message: &str) {
        if self.has_syslog {
            syslog::failure(&self.repository, what, message);
        }
    }

    /// Whether the system log gets lines.
    #[must_use]
    pub fn has_syslog(&self) -> bool {
        self.has_syslog
    }

    /// Whether somebody whom a process tells waits for an event, and no such process is at work for
    /// them. One that is looks once more before it ends.
    fn is_awaited(&self, background: Background, store: &mut Store) -> Result<bool, store::Error> {
        let waiting = match background {
            Background::Notify => self.waiting_targets(store)?,
            Background::Publish => self.waiting_publishers(store)?,
        };
        // Where that can't be seen, a process too many is better than none.
        let is_free = |reader: &String| {
            let taken = is_taken(&store.reader_lock_file(reader));
            !taken.is_ok_and(|is_taken| is_taken)
        };
        Ok(waiting.iter().any(is_free))
    }

    fn waiting_publishers(&self, store: &mut Store) -> Result<Vec<String>, store::Error> {
        let mut waiting = Vec::new();
        if self.publish.is_empty() {
            return Ok(waiting);
        }
        let record = store.read()?;
        for reader in &self.publish {
            let is_new = record.last_event()? > record.position(reader)?;
            if is_new || record.next_waiting(reader)?.is_some() {
                waiting.push((*reader).to_owned());
            }
        }
        Ok(waiting)
    }

    fn waiting_targets(&self, store: &mut Store) -> Result<Vec<String>, store::Error> {
        let mut waiting = Vec::new();
        if self.notify.is_empty() {
            return Ok(waiting);
        }
        let record = store.read()?;
        for (name, section) in &self.notify {
            if is_waiting(&record, name, section, &self.root)? {
                waiting.push(reader_of(name));
            }
        }
        Ok(waiting)
    }
}

/// Whether somebody waits for an event, or for another try.
fn is_waiting(
    record: &Reader<'_>,
    name: &NotifyName,
    section: &NotifySection,
    root: &str,
) -> Result<bool, store::Error> {
    let reader = reader_of(name);
    if record.next_waiting(&reader)?.is_some() || record.next_partial(&reader)?.is_some() {
        return Ok(true);
    }
    let Some(position) = record.known_position(&reader)? else {
        return Ok(true);
    };
    let events = record.events_after(position, LOOKED_AT_MAX)?;
    let is_full = u32::try_from(events.len()).is_ok_and(|found| found == LOOKED_AT_MAX);
    Ok(is_full
        || events
            .iter()
            .any(|event| wants(section, &event.event, root)))
}

/// Whether somebody is told of an event. `root` is the folder above the environments' folders.
#[must_use]
pub fn wants(section: &NotifySection, event: &Event, root: &str) -> bool {
    section.wants(
        &event.all_kinds(),
        event.environment(root).as_ref(),
        event.application(root).as_ref(),
    )
}

/// The readers of events that a configuration switches on, beside those of `[notify.NAME]`.
#[must_use]
pub fn publishers(config: &Config) -> Vec<&'static str> {
    let all = [
        (config.has_marks(), MARKS),
        (config.publish.is_some(), STATUS),
        (config.metrics_textfile.is_some(), METRICS),
    ];
    all.into_iter()
        .filter_map(|(is_on, reader)| is_on.then_some(reader))
        .collect()
}

/// What the administrator reads where a process can't be started.
fn missing(background: Background, error: &io::Error) -> String {
    match background {
        Background::Notify => format!(
            "nobody is told of what happens: deploy-by-code-notify can't be started: {error}"
        ),
        Background::Publish => format!("nothing is published: no process can be started: {error}"),
    }
}
