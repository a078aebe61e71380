//! Watching deployments: their output, and how they end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::{Context, Exit, Refusal};
use crate::deploy_repository::DeployRepository;
use crate::hook::wake;
use crate::id::{DeploymentId, Environment};
use crate::report::{Tail, has_runner, outcome_line};
use crate::status::Status;
use crate::store::{Deployment, Store};
use crate::sys::clock::{self, Deadline};
use crate::sys::poll::reader_is_gone;
use crate::text;

/// How often it is looked whether there is more.
const LOOK: Duration = Duration::from_millis(50);

/// How long something may wait without a runner before one is started, and how long until the next
/// try.
const RUNNER_MISSING: Duration = Duration::from_secs(5);

/// Sees to it that what somebody waits for is carried out: a runner can have died, or left because
/// of the configuration.
struct Nudge {
    next: Deadline,
    has_told: bool,
}

impl Nudge {
    fn new() -> Self {
        Self {
            next: Deadline::after(RUNNER_MISSING),
            has_told: false,
        }
    }

    /// Starts a runner where none is at work; one that finds the lock taken leaves again. What
    /// can't be started is said once.
    fn look(&mut self, deploy: &DeployRepository, store: &Store, environment: &Environment) {
        if !self.next.is_over() {
            return;
        }
        self.next = Deadline::after(RUNNER_MISSING);
        if has_runner(store, environment).unwrap_or(true) {
            return;
        }
        let opened =
            DeployRepository::open(deploy.repository.path(), deploy.config_file.as_deref());
        let started = match opened {
            Ok(deploy) => wake::runner(&deploy, environment)
                .map_err(|error| format!("no runner can be started: {error}")),
            Err(error) => Err(format!(
                "{error}\nwhat is queued waits until this is mended"
            )),
        };
        if let (Err(error), false) = (started, self.has_told) {
            super::output::complain(&error, None);
            self.has_told = true;
        }
    }
}

/// The longest line that is held back until its end comes, in bytes.
const LINE_MAX: usize = 64 * 1024;

pub(super) fn find(store: &Store, id: DeploymentId) -> anyhow::Result<Deployment> {
    let found = store.read().deployment(id)?;
    found.ok_or_else(|| {
        Refusal::error(
            format!("there is no deployment {id}"),
            "deploy-by-code log shows what there is",
        )
    })
}

fn exit(deployment: &Deployment) -> Exit {
    if deployment.status == Status::Succeeded {
        Exit::Done
    } else {
        Exit::Refused
    }
}

pub(super) fn wait(context: &Context, id: DeploymentId) -> anyhow::Result<Exit> {
    let (deploy, store) = context.look()?;
    let mut nudge = Nudge::new();
    loop {
        let deployment = find(&store, id)?;
        if deployment.status.has_ended() {
            context.output.line(&format!(
                "{id} {} {}",
                deployment.target,
                outcome_line(&deployment)
            ))?;
            return Ok(exit(&deployment));
        }
        nudge.look(&deploy, &store, &deployment.target.environment);
        clock::sleep(LOOK);
    }
}

pub(super) fn logs(context: &Context, id: DeploymentId, follow: bool) -> anyhow::Result<Exit> {
    let (deploy, store) = context.look()?;
    let mut nudge = Nudge::new();
    let mut stream = Stream::new(&store, id, String::new());
    // A file or another program gets the bytes as they are, a terminal only what can't deceive it.
    let raw = !context.output.is_terminal;
    loop {
        let deployment = find(&store, id)?;
        let ended = deployment.status.has_ended() || !follow;
        let more = stream.copy(&mut io::stdout().lock(), raw, ended)?;
        if ended && !more {
            if !follow {
                return Ok(Exit::Done);
            }
            if !stream.ended_its_line {
                super::output::print_error("\n");
            }
            super::output::complain(
                &format!("{id} {} {}", deployment.target, outcome_line(&deployment)),
                None,
            );
            return Ok(exit(&deployment));
        }
        if !more {
            nudge.look(&deploy, &store, &deployment.target.environment);
            clock::sleep(LOOK);
        }
    }
}

/// Streams what a push started to the pusher, until all of it has ended or nobody listens any more.
pub(super) fn for_pusher(
    deploy: &DeployRepository,
    ids: &[DeploymentId],
    with_output: bool,
) -> anyhow::Result<()> {
    let store = deploy.open_store()?;
    let mut open = Vec::new();
    for id in ids {
        let prefix = if ids.len() > 1 {
            format!("{} | ", find(&store, *id)?.target)
        } else {
            String::new()
        };
        open.push(Stream::new(&store, *id, prefix));
    }
    let mut nudges: BTreeMap<Environment, Nudge> = BTreeMap::new();
    while !open.is_empty() {
        let mut left = Vec::new();
        let mut busy = false;
        for mut stream in open {
            let deployment = find(&store, stream.id)?;
            let ended = deployment.status.has_ended();
            let more = with_output && stream.copy(&mut io::stdout().lock(), false, ended)?;
            busy |= more;
            if ended && !more {
                let line = format!(
                    "deploy-by-code: {} {} {}\n",
                    stream.id,
                    deployment.target,
                    outcome_line(&deployment)
                );
                io::stdout().lock().write_all(line.as_bytes())?;
            } else {
                let environment = deployment.target.environment;
                nudges
                    .entry(environment.clone())
                    .or_insert_with(Nudge::new)
                    .look(deploy, &store, &environment);
                left.push(stream);
            }
        }
        open = left;
        if !open.is_empty() && !busy {
            // Otherwise a silent deployment would keep the hook of a pusher who left.
            if reader_is_gone(&io::stdout()) {
                return Ok(());
            }
            clock::sleep(LOOK);
        }
    }
    Ok(())
}

/// One deployment's output on its way to somebody.
struct Stream {
    id: DeploymentId,
    tail: Tail,
    prefix: String,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Whether what was copied as it is ended with a whole line.
    ended_its_line: bool,
}

impl Stream {
    fn new(store: &Store, id: DeploymentId, prefix: String) -> Self {
        Self {
            id,
            tail: Tail::new(store.log_file(id)),
            prefix,
            pending: Vec::new(),
            ended_its_line: true,
        }
    }

    /// Copies what is new; says whether there may be more at once. At the end an unfinished line is
    /// shown as well.
    fn copy(&mut self, output: &mut impl Write, raw: bool, ended: bool) -> io::Result<bool> {
        let bytes = self.tail.read()?;
        if raw {
            output.write_all(&bytes)?;
            output.flush()?;
            self.ended_its_line = bytes
                .last()
                .map_or(self.ended_its_line, |last| *last == b'\n');
            return Ok(!bytes.is_empty());
        }
        self.pending.extend_from_slice(&bytes);
        let mut shown = String::new();
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            self.show(&mut shown, &line[..end]);
        }
        if self.pending.len() > LINE_MAX || ended && bytes.is_empty() && !self.pending.is_empty() {
            let line = std::mem::take(&mut self.pending);
            self.show(&mut shown, &line);
        }
        output.write_all(shown.as_bytes())?;
        output.flush()?;
        Ok(!bytes.is_empty())
    }

    fn show(&self, shown: &mut String, line: &[u8]) {
        let mut text = String::new();
        text::push_output_line(&mut text, line);
        for line in text.split('\n') {
            shown.push_str(&self.prefix);
            shown.push_str(line);
            shown.push('\n');
        }
    }
}
