//! Fetching the application's repository from another host, before anything of a deployment is
//! done. The fetch is a process that is started, recorded and supervised as a command is, so
//! `timeout` and `cancel` end it.

use super::activation::enter;
use super::checkout::try_step;
use super::job::Job;
use super::log::Log;
use super::outcome::JobEnd;
use super::start::remove_cgroup;
use super::tries::{NotDone, persist};
use crate::checkout::{CheckoutStep, FetchOrder};
use crate::git::{self, Mirror, open_application};
use crate::id::Revision;
use crate::phase::Phase;
use crate::sys::clock;
use crate::text;
use crate::time::{Timestamp, show_ago};

/// Fetches the mirror of the application's repository, where there is one, if it is older than
/// `fetch_max_age` or the revision is not in it. A fetch that fails only matters if the revision is
/// not there afterwards. Then it is tried again.
pub(super) fn fetch(job: &mut Job<'_>, log: &mut Log) -> Result<(), JobEnd> {
    let Some(mirror) = job.mirror.clone() else {
        return Ok(());
    };
    persist(job, |job| {
        let now = clock::now();
        let mut since = now.before(job.settings.fetch_max_age);
        // A mirror that can't be read may be complete after a fetch.
        if !has(&mirror, &job.deployment.revision).unwrap_or(false) {
            since = now;
        } else if fetched(&mirror, now).is_some_and(|fetched| fetched >= since) {
            return Ok(());
        }
        let tried = try_fetch(job, log, &mirror, since);
        remove_cgroup(job);
        tried
    })
}

fn try_fetch(
    job: &mut Job<'_>,
    log: &mut Log,
    mirror: &Mirror,
    since: Timestamp,
) -> Result<(), NotDone> {
    let url = mirror.url();
    let order = FetchOrder {
        state: job.store.folder().to_owned(),
        url: url.clone(),
        since_ms: since.as_ms(),
        limit: job.settings.fetch_timeout,
    };
    enter(job, log, Phase::Fetch);
    log.say(&format!("fetching {url}"));
    let why = try_step(job, log, CheckoutStep::Fetch, &order)?;

    let revision = &job.deployment.revision;
    match (why.as_str(), has(mirror, revision)) {
        ("", Ok(true)) => {}
        (why, Ok(true)) => {
            let now = clock::now();
            let known = fetched(mirror, now).map(|fetched| show_ago(now.since(fetched)));
            let known = known.unwrap_or_else(|| "before".to_owned());
            log.say(&format!(
                "could not fetch {url}: {why}; it goes on with what was known {known}"
            ));
        }
        ("", Ok(false)) => {
            let why = format!("{} is not in {url}", revision.short());
            return Err(NotDone::Fault(why));
        }
        ("", Err(error)) => {
            let folder = text::escape(mirror.folder().as_os_str().as_encoded_bytes(), 300);
            let why = text::with_causes(&error);
            return Err(NotDone::Fault(format!(
                "the mirror {folder} can't be read: {why}"
            )));
        }
        (why, _) => return Err(NotDone::Fault(format!("could not fetch {url}: {why}"))),
    }
    Ok(())
}

/// When a mirror was fetched; `None`: that is not known.
fn fetched(mirror: &Mirror, now: Timestamp) -> Option<Timestamp> {
    let fetched = mirror.fetched().ok().flatten();
    fetched.filter(|fetched| *fetched <= now)
}

/// Whether a mirror has a revision.
///
/// # Errors
/// It can't be read.
fn has(mirror: &Mirror, revision: &Revision) -> Result<bool, git::Error> {
    open_application(&mirror.folder())?.has_commit(revision)
}
