//! `logs` and `wait`: showing how deployments proceed.

use std::io;
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output;
use super::output_lines::OutputLines;
use crate::id::DeploymentId;
use crate::report::{Tail, outcome_line};
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::clock;
use crate::text;
use crate::verbs::{self, Following, News, NoRunner, Starter, Watch};

/// How long to wait before looking again for something new.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// The longest outcome that is shown, in characters.
const OUTCOME_MAX: usize = 300;

/// The exit code for a deployment that has ended.
fn exit(deployment: &Deployment) -> Exit {
    Exit::of(deployment.status == Status::Succeeded)
}

/// A deployment and how it ended, in one line.
pub(super) fn end_line(deployment: &Deployment) -> String {
    let (id, target) = (deployment.id, &deployment.target);
    let outcome = text::escape(outcome_line(deployment), OUTCOME_MAX);
    format!("{id} {target} {outcome}")
}

/// Says why a deployment can't go on now.
fn say_waits(deployment: &Deployment) {
    output::complain(&end_line(deployment), None);
}

/// Says why nothing carries out what is followed.
fn say_no_runner(why: &NoRunner) {
    output::complain(&text::with_causes(why), why.hint());
}

/// `wait ID`.
pub(super) fn wait(context: &Context, id: DeploymentId) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    verbs::find(&*store.read()?, id)?;
    let starter = Starter::Person(context.place.clone());
    let mut following = Following::new(starter, deploy, store, &[id], Watch::End);

    loop {
        for news in following.look()? {
            match news {
                News::Ended(deployment) => {
                    context.output.line(&end_line(&deployment))?;
                    return Ok(exit(&deployment));
                }
                News::Waits(deployment) => say_waits(&deployment),
                News::NoRunner(why) => say_no_runner(&why),
                News::Output(..) => {}
            }
        }
        clock::sleep(PAUSE);
    }
}

/// `logs [-f] ID`.
pub(super) fn logs(context: &Context, id: DeploymentId, follow: bool) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    verbs::find(&*store.read()?, id)?;
    // A file or another program gets the bytes unchanged. A terminal gets no deceptive characters.
    let mut lines = if context.output.is_terminal {
        OutputLines::escaped(String::new())
    } else {
        OutputLines::raw()
    };

    if follow {
        let starter = Starter::Person(context.place.clone());
        let following = Following::new(starter, deploy, store, &[id], Watch::Output);
        return follow_log(following, lines);
    }
    let mut tail = Tail::new(store.log_file(id));
    loop {
        let bytes = tail.read().map_err(verbs::unreadable_log(id))?;
        if bytes.is_empty() {
            lines.end(&mut io::stdout().lock())?;
            return Ok(Exit::Done);
        }
        lines.write(&mut io::stdout().lock(), &bytes)?;
    }
}

/// Shows the log of one deployment until it ends.
fn follow_log(mut following: Following, mut lines: OutputLines) -> Result<Exit, Error> {
    loop {
        let news = following.look()?;
        let is_idle = news.is_empty();
        for news in news {
            match news {
                News::Output(_, bytes) => lines.write(&mut io::stdout().lock(), &bytes)?,
                News::Waits(deployment) => say_waits(&deployment),
                News::NoRunner(why) => say_no_runner(&why),
                News::Ended(deployment) => {
                    lines.end(&mut io::stdout().lock())?;
                    if !lines.is_at_line_start() {
                        output::print_error("\n");
                    }
                    output::complain(&end_line(&deployment), None);
                    return Ok(exit(&deployment));
                }
            }
        }

        if is_idle {
            clock::sleep(PAUSE);
        }
    }
}
