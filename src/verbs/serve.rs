//! The process of the systemd service: a runner for each environment that a hook left a file for.

use std::process::Child;
use std::time::Duration;

use super::error::Error;
use super::ownership::{Acts, become_owner, is_owner};
use super::place::Place;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::sys::{clock, syslog};
use crate::wake;

/// How long it waits before it looks again at what it can do nothing about.
const DAMPING: Duration = Duration::from_secs(5);

/// How often it looks for wake files.
const LOOK: Duration = Duration::from_millis(100);

/// Starts a runner for each environment that a hook left a wake file for, and returns when no runner
/// and no file is left. What is in its way is handed to `waits` once, and waited for: ending would
/// only have the path unit start it again at once.
pub fn serve(place: &Place, mut waits: impl FnMut(&str)) {
    let mut runners: Vec<Child> = Vec::new();
    let mut has_told = false;

    loop {
        let (deploy, woken) = match look(place) {
            Ok(found) => found,
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    let message = format!("waiting until this is fixed: {error}");
                    syslog::failure("serve", &message);
                    waits(&message);
                }
                clock::sleep(DAMPING);
                continue;
            }
        };
        has_told = false;

        for environment in &woken {
            // One that finds the lock taken leaves: whoever holds it looks once more before it
            // goes. One that can't be started is left to the timer.
            match wake::runner_as_child(&deploy, environment) {
                Ok(runner) => runners.push(runner),
                Err(error) => syslog::failure("serve", &error.to_string()),
            }
        }
        runners.retain_mut(|runner| !matches!(runner.try_wait(), Ok(Some(_)) | Err(_)));

        if runners.is_empty() && woken.is_empty() {
            if wake::is_anything_left(&deploy) {
                clock::sleep(DAMPING);
            }
            return;
        }
        clock::sleep(LOOK);
    }
}

/// The repository as it is now, and for which environments there was a wake file.
fn look(place: &Place) -> Result<(DeployRepository, Vec<Environment>), Error> {
    become_owner(place, Acts::Yes)?;
    is_owner(place)?;
    let deploy = place.deploy()?;
    let woken = wake::take_wake_files(&deploy)?;
    Ok((deploy, woken))
}
