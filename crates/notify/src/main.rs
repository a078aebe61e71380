//! deploy-by-code-notify: tells people and other programs what deploy-by-code did.
//!
//! It is a program of its own, so that TLS, HTTP and mail stay out of the hooks. A hook, a runner,
//! a command or the timer starts it when an event is recorded that somebody is told of, and waits
//! for it nowhere. Each `[notify.NAME]` gets a thread of its own: who does not answer holds up
//! nobody else. The program ends when nothing waits.

mod arguments;
mod authorities;
mod cdevents;
mod check;
mod command;
mod http;
mod mail;
mod recipient;
mod slack;
mod try_once;
mod webhook;

use std::process::ExitCode;
use std::thread;

use clap::Parser;
use deploy_by_code::id::NotifyName;
use deploy_by_code::publish::{give_up_gone, reader_of, tell_all};
use deploy_by_code::sys::own_program::OwnProgram;
use deploy_by_code::text::with_causes;
use deploy_by_code::verbs::{self, Acts, Place, report_failure};

use crate::arguments::Arguments;
use crate::recipient::Target;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (repository, config) = (arguments.repository.clone(), arguments.config.clone());
    let done = Place::find(repository, None, config).and_then(|place| {
        let failed = |error: &verbs::Error| report_failure(&place, "notify", &with_causes(error));
        run(&place, &arguments).inspect_err(failed)
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            arguments::complain(&error);
            ExitCode::from(4)
        }
    }
}

/// Tells everybody, or tries one target. Returns whether everything was done.
fn run(place: &Place, arguments: &Arguments) -> Result<bool, verbs::Error> {
    if !arguments.is_checked {
        verbs::become_owner(place, Acts::Starts)?;
    }

    let deploy = place.deploy()?;
    if let Some(name) = &arguments.test {
        return Ok(try_once::try_once(&deploy, name));
    }
    if arguments.check {
        check::check(&deploy);
        return Ok(true);
    }
    give_up_gone(&mut deploy.open_store()?, &deploy);
    let names: Vec<NotifyName> = deploy.config.notify.keys().cloned().collect();
    loop {
        let program = OwnProgram::find();
        let is_done = tell_everybody(place, names.clone());
        if !program.is_replaced() {
            return Ok(is_done);
        }
        // Every try is on record, and no lock is held.
        let error = program.go_on_as_it();
        let why = format!("the new program can't be started, so this one goes on: {error}");
        report_failure(place, "notify", &why);
    }
}

/// Tells each target on a thread of its own. Returns whether all were told what waited.
fn tell_everybody(place: &Place, names: Vec<NotifyName>) -> bool {
    let mut threads = Vec::new();
    let mut is_done = true;
    for name in names {
        let own_place = place.clone();
        let tell = move || tell_one(&own_place, &name);
        match thread::Builder::new().spawn(tell) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                let why = format!("no thread can be started: {error}");
                report_failure(place, "notify", &why);
                is_done = false;
            }
        }
    }
    for thread in threads {
        is_done &= thread.join().unwrap_or(false);
    }
    is_done
}

/// Tells one target what waits for it. What goes wrong is for the administrator, in the system log.
fn tell_one(place: &Place, name: &NotifyName) -> bool {
    let told = place.deploy().and_then(|deploy| {
        let mut store = deploy.open_store()?;
        let mut target = Target::new(deploy, name.clone());
        tell_all(&mut store, &reader_of(name), &mut target)?;
        Ok(())
    });
    if let Err(error) = &told {
        let why = format!("{name}: {}", with_causes(error));
        report_failure(place, "notify", &why);
    }
    told.is_ok()
}
