//! `publish`: the process that writes marks, the published status and the figures.

use std::thread;

use super::error::Error;
use super::metrics::keep_metrics;
use super::place::Place;
use super::published_status::PublishedStatus;
use crate::publish::{MARKS, METRICS, STATUS, mark_all, publishers, tell_all};
use crate::sys::syslog;
use crate::text;

/// Lets each reader of events that the configuration switches on do what waits for it, each on a
/// thread of its own, and returns when nothing waits. What goes wrong goes to the system log.
///
/// # Errors
/// The deploy repository or its configuration can't be used.
pub fn publish(place: &Place) -> Result<(), Error> {
    let deploy = place.deploy()?;
    let mut threads = Vec::new();
    for reader in publishers(&deploy.config) {
        let place = place.clone();
        let work = move || {
            if let Err(error) = publish_one(&place, reader) {
                syslog::failure(
                    "publish",
                    &format!("{reader}: {}", text::with_causes(&error)),
                );
            }
        };
        match thread::Builder::new().spawn(work) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                syslog::failure("publish", &format!("no thread can be started: {error}"));
            }
        }
    }
    for thread in threads {
        // A thread that panicked has said so.
        let _ = thread.join();
    }
    Ok(())
}

/// Lets one reader of events do what waits for it.
fn publish_one(place: &Place, reader: &'static str) -> Result<(), Error> {
    let deploy = place.deploy()?;
    let mut store = deploy.open_store()?;
    match reader {
        MARKS => mark_all(&mut store, deploy)?,
        METRICS => keep_metrics(&deploy, &mut store)?,
        STATUS => {
            let mut status = PublishedStatus::new(deploy);
            tell_all(&mut store, reader, &mut status)?;
        }
        _ => {}
    }
    Ok(())
}
