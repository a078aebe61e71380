//! `logs` and `wait`: showing how deployments proceed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output;
use super::output_lines::OutputLines;
use crate::id::{DeploymentId, Target};
use crate::report::{Tail, outcome_line};
use crate::status::Status;
use crate::store::{Deployment, Store};
use crate::sys::clock;
use crate::text;
use crate::verbs::{self, Following, News, NoRunner, Starter, Watch, Which};

/// How long to wait before looking again for something new.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// The longest outcome that is shown, in characters.
const OUTCOME_MAX: usize = 300;

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

/// Says why nothing carries out what is followed. The commands end when nobody works at all.
fn say_no_runner(why: &NoRunner) {
    output::complain(&text::with_causes(why), why.hint());
}

/// `wait ID…`: prints each outcome when it is known.
pub(super) fn wait(context: &Context, which: &Which) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    let ids = ids(&verbs::find_all(&*store.read()?, which)?);
    let starter = Starter::Person(context.place.clone());
    let mut following = Following::new(starter, deploy, store, &ids, Watch::End);
    let mut all_succeeded = true;

    while !following.is_over() {
        let news = following.look()?;
        let is_idle = news.is_empty();
        for news in news {
            match news {
                News::Ended(deployment) => {
                    context.output.line(&end_line(&deployment))?;
                    all_succeeded &= deployment.status == Status::Succeeded;
                }
                News::Waits(deployment) => say_waits(&deployment),
                News::NoRunner(why) => say_no_runner(&why),
                News::Output(..) => {}
            }
        }
        if following.is_deserted() {
            return Ok(Exit::State);
        }
        if is_idle {
            clock::sleep(PAUSE);
        }
    }
    Ok(Exit::of(all_succeeded))
}

/// `logs [-f] ID…`.
pub(super) fn logs(context: &Context, which: &Which, follow: bool) -> Result<Exit, Error> {
    let (deploy, mut store) = context.look()?;
    let deployments = verbs::find_all(&*store.read()?, which)?;
    let mut lines = lines_of(context, &deployments);

    if follow {
        let starter = Starter::Person(context.place.clone());
        let ids = ids(&deployments);
        let following = Following::new(starter, deploy, store, &ids, Watch::Output);
        return follow_logs(following, lines);
    }
    for id in ids(&deployments) {
        if let Some(lines) = lines.get_mut(&id) {
            show_log(&store, id, lines)?;
        }
    }
    Ok(Exit::Done)
}

/// Shows what is in the log of a deployment now.
fn show_log(store: &Store, id: DeploymentId, lines: &mut OutputLines) -> Result<(), Error> {
    let mut tail = Tail::new(store.log_file(id));
    loop {
        let bytes = tail.read().map_err(verbs::unreadable_log(id))?;
        if bytes.is_empty() {
            return lines.end(&mut io::stdout().lock());
        }
        lines.write(&mut io::stdout().lock(), &bytes)?;
    }
}

fn ids(deployments: &[Deployment]) -> Vec<DeploymentId> {
    let ids = deployments.iter().map(|deployment| deployment.id);
    ids.collect()
}

/// The way of each deployment's output to the reader. In that of several, each line says which
/// application it is of, and also which deployment if two are of the same application.
fn lines_of(context: &Context, deployments: &[Deployment]) -> BTreeMap<DeploymentId, OutputLines> {
    let targets: BTreeSet<&Target> = deployments.iter().map(|one| &one.target).collect();
    let lines = |deployment: &Deployment| match deployments.len() {
        // A file or another program gets the bytes unchanged. A terminal gets no deceptive
        // characters.
        1 if !context.output.is_terminal => OutputLines::raw(),
        1 => OutputLines::escaped(String::new()),
        count if count == targets.len() => OutputLines::escaped(prefix(deployment)),
        _ => OutputLines::escaped(format!("{} {}", deployment.id, prefix(deployment))),
    };
    let all = deployments.iter().map(|one| (one.id, lines(one)));
    all.collect()
}

/// What is put before the output of a deployment among several.
fn prefix(deployment: &Deployment) -> String {
    format!("{} | ", deployment.target)
}

/// Shows the logs of deployments until all of them have ended.
fn follow_logs(
    mut following: Following,
    mut lines: BTreeMap<DeploymentId, OutputLines>,
) -> Result<Exit, Error> {
    let mut all_succeeded = true;
    while !following.is_over() {
        let news = following.look()?;
        let is_idle = news.is_empty();
        for news in news {
            match news {
                News::Output(deployment, bytes) => {
                    if let Some(lines) = lines.get_mut(&deployment.id) {
                        lines.write(&mut io::stdout().lock(), &bytes)?;
                    }
                }
                News::Waits(deployment) => say_waits(&deployment),
                News::NoRunner(why) => say_no_runner(&why),
                News::Ended(deployment) => {
                    if let Some(mut lines) = lines.remove(&deployment.id) {
                        lines.end(&mut io::stdout().lock())?;
                        if !lines.is_at_line_start() {
                            output::print_error("\n");
                        }
                    }
                    output::complain(&end_line(&deployment), None);
                    all_succeeded &= deployment.status == Status::Succeeded;
                }
            }
        }

        if following.is_deserted() {
            return Ok(Exit::State);
        }
        if is_idle {
            clock::sleep(PAUSE);
        }
    }
    Ok(Exit::of(all_succeeded))
}
