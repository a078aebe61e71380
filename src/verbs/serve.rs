//! The process of the systemd service: it starts a runner for each environment for which a hook
//! left a wake file.

use std::process::Child;
use std::time::Duration;

use super::error::Error;
use super::ownership::{Acts, become_owner, is_owner};
use super::place::Place;
use super::report_failure::report_failure;
use crate::deploy_repository::DeployRepository;
use crate::sys::clock;
use crate::text;
use crate::wake::{self, WakeFiles, Wanted};

/// How long it waits before it looks again at something that it can't change.
const PAUSE: Duration = Duration::from_secs(5);

/// How often it looks for wake files.
const LOOK: Duration = Duration::from_millis(100);

/// Starts a runner for each environment for which a hook left a wake file, and returns when no
/// runner and no file is left. A process that tells others can wait for somebody for a day. It is
/// not waited for: it lives on when the service has ended. If an error is in the way, it is handed
/// to `on_error` once, and this waits until it is gone: if it ended, the path unit would only start
/// it again at once.
pub fn serve(place: &Place, mut on_error: impl FnMut(&Error)) {
    let mut runners: Vec<Child> = Vec::new();
    let mut others: Vec<Child> = Vec::new();
    let mut was_told = false;

    loop {
        let (deploy, files) = match look(place) {
            Ok(found) => found,
            Err(error) => {
                if !std::mem::replace(&mut was_told, true) {
                    let shown = text::with_causes(&error);
                    let why = format!("waiting until this is fixed: {shown}");
                    report_failure(place, "serve", &why);
                    on_error(&error);
                }
                clock::sleep(PAUSE);
                continue;
            }
        };
        match &files.left {
            Some(error) if !was_told => {
                let why = format!("a wake file in the state directory can't be removed: {error}");
                report_failure(place, "serve", &why);
                was_told = true;
            }
            left => was_told = left.is_some(),
        }

        for wanted in &files.wanted {
            // A runner that finds the lock taken ends: the one that holds it looks at the queue
            // once more before it ends. If no runner can be started, the timer tries again.
            match wake::as_child(&deploy, wanted) {
                Ok(child) => match wanted {
                    Wanted::Runner(_) => runners.push(child),
                    Wanted::Background(_) => others.push(child),
                },
                Err(error) => report_failure(place, "serve", &error.to_string()),
            }
        }
        for children in [&mut runners, &mut others] {
            children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_)) | Err(_)));
        }

        // What asks for it is still there, so it is done again and again, but not all the time.
        if files.left.is_some() {
            clock::sleep(PAUSE);
            continue;
        }
        if runners.is_empty() && files.wanted.is_empty() {
            if wake::is_anything_left(&deploy) {
                clock::sleep(PAUSE);
            }
            return;
        }
        clock::sleep(LOOK);
    }
}

/// The repository as it is now, and what the wake files ask for.
fn look(place: &Place) -> Result<(DeployRepository, WakeFiles), Error> {
    become_owner(place, Acts::Starts)?;
    is_owner(place)?;
    let deploy = place.deploy()?;
    let error = Error::system(
        "the wake files in the state directory can't be read",
        "make sure that this user can write to the state directory",
    );
    let files = wake::take_wake_files(&deploy).map_err(error)?;
    Ok((deploy, files))
}
