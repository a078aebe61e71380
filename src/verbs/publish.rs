//! `publish`: the process that writes marks, the published status and the figures.

use std::thread;

use super::error::Error;
use super::metrics::keep_metrics;
use super::place::Place;
use super::published_status::PublishedStatus;
use super::report_failure::report_failure;
use crate::publish::{MARKS, METRICS, STATUS, mark_all, publishers, tell_all};
use crate::sys::own_program::OwnProgram;
use crate::text;

/// Lets each reader of events that the configuration switches on do what waits for it, each on a
/// thread of its own, and returns when nothing waits. Where a new program has taken the place of
/// this one, the process goes on as that one. What goes wrong goes to the system log.
///
/// # Errors
/// The deploy repository or its configuration can't be used.
pub fn publish(place: &Place) -> Result<(), Error> {
    loop {
        let program = OwnProgram::find();
        publish_all(place)?;
        if !program.is_replaced() {
            return Ok(());
        }
        let error = program.go_on_as_it();
        let why = format!("the new program can't be started, so this one goes on: {error}");
        report_failure(place, "publish", &why);
    }
}

fn publish_all(place: &Place) -> Result<(), Error> {
    let deploy = place.deploy()?;
    let mut threads = Vec::new();
    for reader in publishers(&deploy.config) {
        let own_place = place.clone();
        let work = move || {
            if let Err(error) = publish_one(&own_place, reader) {
                let why = format!("{reader}: {}", text::with_causes(&error));
                report_failure(&own_place, "publish", &why);
            }
        };
        match thread::Builder::new().spawn(work) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                let why = format!("no thread can be started: {error}");
                report_failure(place, "publish", &why);
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
