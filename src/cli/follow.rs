//! `logs` and `wait`, and the push options of the same kind: showing how deployments proceed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output;
use super::output_lines::OutputLines;
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::report::{Tail, outcome_line};
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::clock;
use crate::sys::poll::reader_is_gone;
use crate::text;
use crate::verbs::{self, Following, News, NoRunner, Starter, Watch};

/// How long to wait before looking again for something new.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest outcome that is shown, in characters.
const OUTCOME_MAX: usize = 300;

/// The exit code for a deployment that has ended.
fn exit(deployment: &Deployment) -> Exit {
    Exit::of(deployment.status == Status::Succeeded)
}

/// A deployment and how it ended, in one line.
fn end_line(deployment: &Deployment) -> String {
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
        let is_idle = !news.iter().any(|news| matches!(news, News::Output(..)));
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

/// Shows the pusher what a push started, until all of it has ended or the pusher has gone away.
pub(super) fn for_pusher(
    deploy: DeployRepository,
    ids: &[DeploymentId],
    watch: Watch,
) -> Result<(), Error> {
    let store = deploy.open_store()?;
    let mut following = Following::new(Starter::Push, deploy, store, ids, watch);
    let mut lines: BTreeMap<DeploymentId, OutputLines> = BTreeMap::new();

    while !following.is_over() {
        let news = following.look()?;
        let is_idle = !news.iter().any(|news| matches!(news, News::Output(..)));
        for news in news {
            match news {
                News::Output(deployment, bytes) => {
                    let prefix = if ids.len() > 1 {
                        format!("{} | ", deployment.target)
                    } else {
                        String::new()
                    };
                    lines
                        .entry(deployment.id)
                        .or_insert_with(|| OutputLines::escaped(prefix))
                        .write(&mut io::stdout().lock(), &bytes)?;
                }
                News::Waits(deployment) => say_waits(&deployment),
                News::NoRunner(why) => say_no_runner(&why),
                News::Ended(deployment) => {
                    if let Some(lines) = lines.get_mut(&deployment.id) {
                        lines.end(&mut io::stdout().lock())?;
                    }
                    let line = format!("deploy-by-code: {}\n", end_line(&deployment));
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(line.as_bytes()).map_err(Error::Output)?;
                }
            }
        }

        if is_idle && !following.is_over() {
            // A deployment that prints nothing must not keep the hook of a pusher who has left.
            if reader_is_gone(&io::stdout()) {
                return Ok(());
            }
            clock::sleep(PAUSE);
        }
    }
    Ok(())
}
