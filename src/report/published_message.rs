//! The messages of the commits of the published status. Pure.

use crate::event::Event;
use crate::id::{EventId, Revision, Target};
use crate::identity::Identity;
use crate::policy::{Approval, Exception};
use crate::store::{Deployment, RecordedEvent};
use crate::text::escape;
use crate::time::Timestamp;

/// The trailer that names the event which a commit is about, so that no event gets two commits.
const EVENT: &str = "Deploy-Event: ";

/// The longest value of one trailer, in characters.
const VALUE_MAX: usize = 300;

/// Something that happened, with what is known of it.
#[derive(Debug)]
pub struct Happened {
    /// The event.
    pub recorded: RecordedEvent,
    /// The deployment that it is about.
    pub deployment: Option<Deployment>,
    /// The reasons for which rules made exceptions for that.
    pub exceptions: Vec<Exception>,
    /// Who approved that.
    pub approvals: Vec<Approval>,
    /// What the newest entry of the deploy file says about it.
    pub why: Vec<String>,
}

impl Happened {
    /// Who did it.
    #[must_use]
    pub fn by(&self) -> Option<&Identity> {
        let pusher = || self.deployment.as_ref()?.pusher.as_ref();
        match &self.recorded.event {
            Event::Became { by, .. } => by.as_ref().or_else(pusher),
            Event::Planned { pusher: by, .. } => by.as_ref().or_else(pusher),
            Event::Retired { pusher: by, .. } => by.as_ref(),
            Event::Frozen { by, .. } | Event::Thawed { by, .. } | Event::Released { by, .. } => {
                Some(by)
            }
            Event::Refused { .. } | Event::Problem { .. } => None,
        }
    }

    /// What happened, in one line: `production/website 0170b60 -> 6037512 succeeded (#42)`.
    fn title(&self) -> String {
        let change = |target: &Target, revision: &Revision, id, word: &str| {
            let deployment = self.deployment.as_ref();
            let from = deployment.and_then(|deployment| deployment.previous_revision.as_ref());
            let from = from.map_or_else(String::new, |from| format!("{} -> ", from.short()));
            format!("{target} {from}{} {word} ({id})", revision.short())
        };
        match &self.recorded.event {
            Event::Planned {
                target,
                revision,
                deployment,
                ..
            } => change(target, revision, deployment, "planned"),
            Event::Became {
                target,
                revision,
                deployment,
                status,
                ..
            } => change(target, revision, deployment, status.as_str()),
            Event::Retired { target, .. } => format!("{target} retired"),
            Event::Frozen { environment, .. } => format!("{environment} frozen"),
            Event::Thawed { environment, .. } => format!("{environment} thawed"),
            Event::Released { environment, .. } => format!("{environment} released"),
            Event::Refused { path, .. } => format!("push refused: {}", escape(path, 100)),
            Event::Problem { path, .. } => format!("problem: {}", escape(path, 100)),
        }
    }

    /// Why it happened, as trailers.
    fn reasons(&self) -> Vec<String> {
        let reason = match &self.recorded.event {
            Event::Became { reason, .. } => reason.as_deref(),
            Event::Frozen { reason, .. } => Some(reason.as_str()),
            _ => None,
        };
        let until = match &self.recorded.event {
            Event::Frozen { until, .. } => until.map(Timestamp::minute),
            _ => None,
        };
        let exception = |exception: &Exception| {
            let reason = exception.shown(VALUE_MAX);
            format!("Deploy-Exception: {}: {reason}", exception.kind.as_str())
        };

        let reason = reason.map(|reason| trailer("Deploy-Reason", reason));
        let until = until.map(|until| format!("Deploy-Until: {until} UTC"));
        let exceptions = self.exceptions.iter().map(exception);
        let approvals = self.approvals.iter();
        let approvals = approvals.map(|approval| trailer("Deploy-Approved-By", &approval.by));
        let reasons = reason.into_iter().chain(until).chain(exceptions);
        reasons.chain(approvals).collect()
    }
}

/// The message of the commit about what happened; the last of it is what the commit is known by.
/// `state` is the id of the state. Every line of others is escaped, and none of them can be a
/// trailer: they are in a paragraph before these.
#[must_use]
pub fn published_message(happened: &[Happened], state: &str) -> String {
    let Some((last, before)) = happened.split_last() else {
        return String::new();
    };
    let mut paragraphs = vec![match before.len() {
        0 => last.title(),
        more => format!("{} and {more} more", last.title()),
    }];

    let mut trailers = Vec::new();
    if before.is_empty() {
        let why: Vec<String> = last
            .why
            .iter()
            .map(|line| escape(line, VALUE_MAX))
            .collect();
        paragraphs.push(why.join("\n"));
        trailers.extend(last.by().map(|by| trailer("Deploy-By", &by.name)));
        trailers.extend(last.reasons());
    } else {
        let titles: Vec<String> = happened.iter().map(Happened::title).collect();
        paragraphs.push(titles.join("\n"));
    }
    trailers.push(format!("{EVENT}{state}-{}", last.recorded.id.0));
    paragraphs.push(trailers.join("\n"));

    paragraphs.retain(|paragraph| !paragraph.is_empty());
    format!("{}\n", paragraphs.join("\n\n"))
}

/// The message of the commit that publishes what the configuration asks for by now. Nothing has
/// happened after the event that was published last.
#[must_use]
pub fn message_of_configuration(event: EventId, state: &str) -> String {
    format!(
        "The configuration has changed\n\n{EVENT}{state}-{}\n",
        event.0
    )
}

/// The event that a message of [`published_message`] is about; `None`: it is about none of this
/// state.
#[must_use]
pub fn last_published(message: &str, state: &str) -> Option<EventId> {
    let last = message.lines().next_back()?;
    let event = last.strip_prefix(EVENT)?.strip_prefix(state)?;
    event.strip_prefix('-')?.parse().ok().map(EventId)
}

fn trailer(name: &str, value: &str) -> String {
    format!("{name}: {}", escape(value, VALUE_MAX))
}
