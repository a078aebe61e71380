//! `logs` and `wait`, and the push options of the same kind: showing how deployments go on.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::context::Context;
use super::exit::Exit;
use super::output::{self, OutputLines};
use crate::deploy_repository::DeployRepository;
use crate::id::DeploymentId;
use crate::report::{Tail, outcome_line};
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::clock;
use crate::sys::poll::reader_is_gone;
use crate::verbs::{self, Following, News, Watch};

/// How often it is looked whether there is more.
const LOOK: Duration = Duration::from_millis(50);

fn exit(deployment: &Deployment) -> Exit {
    Exit::of(deployment.status == Status::Succeeded)
}

pub(super) fn wait(context: &Context, id: DeploymentId) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.look()?;
    verbs::find(&*store.read()?, id)?;
    let mut following = Following::new(deploy, store, &[id], Watch::End);

    loop {
        for news in following.look()? {
            match news {
                News::Ended(deployment) => {
                    let outcome = outcome_line(&deployment);
                    let line = format!("{id} {} {outcome}", deployment.target);
                    context.output.line(&line)?;
                    return Ok(exit(&deployment));
                }
                News::NoRunner(why) => output::complain(&why, None),
                News::Output(..) => {}
            }
        }
        clock::sleep(LOOK);
    }
}

pub(super) fn logs(context: &Context, id: DeploymentId, follow: bool) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.look()?;
    verbs::find(&*store.read()?, id)?;
    // A file or another program gets the bytes as they are, a terminal only what can't deceive it.
    let mut lines = if context.output.is_terminal {
        OutputLines::escaped(String::new())
    } else {
        OutputLines::raw()
    };

    if !follow {
        let mut tail = Tail::new(store.log_file(id));
        loop {
            let bytes = tail.read()?;
            if bytes.is_empty() {
                lines.end(&mut io::stdout().lock())?;
                return Ok(Exit::Done);
            }
            lines.write(&mut io::stdout().lock(), &bytes)?;
        }
    }

    let mut following = Following::new(deploy, store, &[id], Watch::Output);
    loop {
        let news = following.look()?;
        let is_idle = !news.iter().any(|news| matches!(news, News::Output(..)));
        for news in news {
            match news {
                News::Output(_, bytes) => lines.write(&mut io::stdout().lock(), &bytes)?,
                News::NoRunner(why) => output::complain(&why, None),
                News::Ended(deployment) => {
                    lines.end(&mut io::stdout().lock())?;
                    if !lines.ended_their_line() {
                        output::print_error("\n");
                    }
                    let outcome = outcome_line(&deployment);
                    output::complain(&format!("{id} {} {outcome}", deployment.target), None);
                    return Ok(exit(&deployment));
                }
            }
        }
        if is_idle {
            clock::sleep(LOOK);
        }
    }
}

/// Shows the pusher what a push started, until all of it has ended or nobody listens any more.
pub(super) fn for_pusher(
    deploy: DeployRepository,
    ids: &[DeploymentId],
    watch: Watch,
) -> anyhow::Result<()> {
    let store = deploy.open_store()?;
    let mut following = Following::new(deploy, store, ids, watch);
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
                News::NoRunner(why) => output::complain(&why, None),
                News::Ended(deployment) => {
                    let id = deployment.id;
                    if let Some(lines) = lines.get_mut(&id) {
                        lines.end(&mut io::stdout().lock())?;
                    }
                    let (target, outcome) = (&deployment.target, outcome_line(&deployment));
                    let line = format!("deploy-by-code: {id} {target} {outcome}\n");
                    io::stdout().lock().write_all(line.as_bytes())?;
                }
            }
        }

        if is_idle && !following.is_over() {
            // Otherwise a silent deployment would keep the hook of a pusher who left.
            if reader_is_gone(&io::stdout()) {
                return Ok(());
            }
            clock::sleep(LOOK);
        }
    }
    Ok(())
}
