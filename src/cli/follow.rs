//! `logs` and `wait`, and the push options of the same kind: showing how deployments proceed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output;
use super::output_lines::OutputLines;
use super::pusher::Pusher;
use crate::deploy_repository::DeployRepository;
use crate::id::{DeploymentId, Target};
use crate::report::{Tail, outcome_line};
use crate::status::Status;
use crate::store::{Deployment, Store};
use crate::sys::clock::{self, Deadline};
use crate::text;
use crate::verbs::{self, Following, News, NoRunner, Starter, Watch, Which};

/// How long to wait before looking again for something new.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a hook that follows something prints nothing: at first, and at most.
const SILENCE_MIN: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How many deployments are named that have not ended yet.
const OPEN_MAX: usize = 5;

/// The longest outcome that is shown, in characters.
const OUTCOME_MAX: usize = 300;

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

        if is_idle {
            clock::sleep(PAUSE);
        }
    }
    Ok(Exit::of(all_succeeded))
}

/// Shows the pusher what a push started, until all of it has ended, or the pusher has gone away or
/// reads nothing.
pub(super) fn for_pusher(
    deploy: DeployRepository,
    ids: &[DeploymentId],
    watch: Watch,
    pusher: &mut Pusher,
) -> Result<(), Error> {
    let store = deploy.open_store()?;
    let mut following = Following::new(Starter::Push, deploy, store, ids, watch);
    let mut lines: BTreeMap<DeploymentId, OutputLines> = BTreeMap::new();
    let mut silence = Silence::begin();

    while !following.is_over() {
        let news = following.look()?;
        if news.is_empty() {
            // A deployment that prints nothing must not keep the hook of a pusher who has left.
            if !pusher.listens() {
                return Ok(());
            }
            if silence.is_over() {
                let line = open_line(&following);
                pusher.write_all(line.as_bytes()).map_err(Error::Output)?;
            }
            clock::sleep(PAUSE);
            continue;
        }

        for news in news {
            match news {
                News::Output(deployment, bytes) => {
                    let prefix = if ids.len() > 1 {
                        prefix(&deployment)
                    } else {
                        String::new()
                    };
                    lines
                        .entry(deployment.id)
                        .or_insert_with(|| OutputLines::escaped(prefix))
                        .write(pusher, &bytes)?;
                }
                News::Waits(deployment) => pusher.complain(&end_line(&deployment), None),
                News::NoRunner(why) => {
                    pusher.complain(&text::with_causes(&why), why.hint());
                }
                News::Ended(deployment) => {
                    if let Some(mut lines) = lines.remove(&deployment.id) {
                        lines.end(pusher)?;
                    }
                    let line = format!("deploy-by-code: {}\n", end_line(&deployment));
                    pusher.write_all(line.as_bytes()).map_err(Error::Output)?;
                }
            }
        }
        silence = Silence::begin();
    }
    Ok(())
}

/// The line that says what has not ended yet.
fn open_line(following: &Following) -> String {
    let (count, shown) = (following.open().count(), following.open().take(OPEN_MAX));
    let mut names: Vec<String> = shown.map(|id| id.to_string()).collect();
    if count > names.len() {
        names.push("…".to_owned());
    }
    format!("deploy-by-code: not ended yet: {}\n", names.join(", "))
}

/// A time in which nothing is printed. After it the hook says that it still waits: the pusher sees
/// that, and only something that stays unread shows that the pusher has gone.
struct Silence {
    length: Duration,
    end: Deadline,
}

impl Silence {
    fn begin() -> Self {
        Self::of(SILENCE_MIN)
    }

    fn of(length: Duration) -> Self {
        let end = Deadline::after(length);
        Self { length, end }
    }

    /// Whether it is over. Then a longer one begins.
    fn is_over(&mut self) -> bool {
        let is_over = self.end.is_over();
        if is_over {
            *self = Self::of((self.length * 2).min(SILENCE_MAX));
        }
        is_over
    }
}
