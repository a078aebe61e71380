//! The hooks as git calls them, and the hook that was there before.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Cursor, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::exit::Exit;
use super::{follow, output};
use crate::deploy_repository::DeployRepository;
use crate::git::find_repository;
use crate::hook::environment::HookEnvironment;
use crate::hook::{self, Announcement, Received};
use crate::hook_files::{HOOKS, kept};
use crate::id::{DeploymentId, Target};
use crate::planning::Queued;
use crate::policy::Exception;
use crate::report::refusal_lines;
use crate::status::Status;
use crate::store::Deployment;
use crate::sys::access::may_execute;
use crate::sys::exec::names_no_interpreter;
use crate::text;
use crate::verbs::Watch;

/// The hook whose name the program was called by: `hooks/post-receive`, or
/// `hooks/post-receive.d/…`.
pub(super) fn called_as(program: &OsStr) -> Option<&'static str> {
    let path = Path::new(program);
    let name = path.file_name()?;
    let folder = path.parent().and_then(Path::file_name);
    let is = |hook: &&&str| {
        name == **hook || folder.is_some_and(|folder| folder == format!("{hook}.d").as_str())
    };
    HOOKS.iter().find(is).copied()
}

/// Runs a hook, and the one that stood under its name before it was installed.
pub(super) fn run(
    hook: &'static str,
    repository: Option<&Path>,
    config: Option<&Path>,
    program: &OsStr,
    arguments: &[OsString],
) -> anyhow::Result<Exit> {
    let mut environment = HookEnvironment::read();
    if let Some(repository) = repository {
        environment.git_dir = find_repository(repository).unwrap_or_else(|| repository.to_owned());
    }
    let Some(chained) = Chained::find(hook, program) else {
        let (own, follow) = own(hook, config, arguments, &environment, io::stdin().lock());
        follow.into_iter().for_each(Follow::follow);
        return Ok(own);
    };
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input)?;
    let (own, follow) = own(hook, config, arguments, &environment, Cursor::new(&input));
    // A refused push must not look accepted to the other hook.
    if hook == "pre-receive" && own != Exit::Done {
        return Ok(own);
    }
    let other = chained.run(arguments, &input);
    // Last: it can take as long as a deployment does, and whoever follows can lose patience.
    follow.into_iter().for_each(Follow::follow);
    let other = other?;
    Ok(if other == Exit::Done { own } else { other })
}

fn own(
    hook: &str,
    config: Option<&Path>,
    arguments: &[OsString],
    environment: &HookEnvironment,
    input: impl BufRead,
) -> (Exit, Option<Follow>) {
    match hook {
        "pre-receive" => (
            pre_receive(&hook::pre_receive(environment, config, input)),
            None,
        ),
        "post-receive" => post_receive(hook::post_receive(environment, config, input), environment),
        _ => {
            let state = arguments
                .first()
                .map(|state| state.to_string_lossy())
                .unwrap_or_default();
            hook::reference_transaction(environment, config, &state, input);
            (Exit::Done, None)
        }
    }
}

struct Chained(PathBuf);

impl Chained {
    fn find(hook: &str, program: &OsStr) -> Option<Self> {
        let path = Path::new(program);
        if path.file_name()? != hook {
            return None;
        }
        let kept = kept(path)?;
        // One that git would have passed over because it may not be executed is passed over here;
        // one that leads nowhere is not: it may have refused.
        let may_run = may_execute(&kept);
        let leads_nowhere = kept.symlink_metadata().is_ok() && kept.metadata().is_err();
        (may_run || leads_nowhere).then_some(Self(kept))
    }

    fn run(&self, arguments: &[OsString], input: &[u8]) -> anyhow::Result<Exit> {
        let start = |mut command: Command| command.args(arguments).stdin(Stdio::piped()).spawn();
        let started = match start(Command::new(&self.0)) {
            // As git does for a script that does not name its interpreter.
            Err(error) if names_no_interpreter(&error) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg(&self.0);
                start(shell)
            }
            started => started,
        };
        let mut child: Child = started.with_context(|| {
            format!(
                "the hook that was there before, {}",
                text::escape(self.0.as_os_str().as_encoded_bytes(), 200)
            )
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A hook need not read what it does not want.
            let _ = stdin.write_all(input);
        }
        let status = child.wait()?;
        if let Some(signal) = status.signal() {
            let shown = text::escape(self.0.as_os_str().as_encoded_bytes(), 200);
            output::complain(&format!("{shown} was ended by signal {signal}"), None);
        }
        Ok(if status.success() {
            Exit::Done
        } else {
            Exit::Refused
        })
    }
}

fn pre_receive(verdict: &hook::Verdict) -> Exit {
    let mut text: String = verdict
        .refusals
        .iter()
        .map(|refusal| refusal_lines("deploy-by-code: refused", refusal))
        .collect();
    let accepted = text.is_empty() && verdict.failure.is_none();
    if let Some(failure) = verdict.failure.as_ref().map(ToString::to_string) {
        let mut lines = failure.lines();
        text.push_str(&format!(
            "deploy-by-code: refused: {}\n",
            lines.next().unwrap_or_default()
        ));
        lines.for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    for queued in &verdict.caught_up {
        let (id, target, to) = (
            queued.id,
            queued.planned.target(),
            queued.planned.revision().short(),
        );
        text.push_str(&format!(
            "deploy-by-code: {id} {target} {to} queued, from an earlier push\n"
        ));
    }
    for (path, warning) in &verdict.warnings {
        let path = text::escape(path, 200);
        text.push_str(&format!("deploy-by-code: warning {path}: {warning}\n"));
    }
    output::print_error(&text);
    if accepted { Exit::Done } else { Exit::Refused }
}

/// What the pusher wants to see of the deployments of a push.
struct Follow {
    deploy: DeployRepository,
    ids: Vec<DeploymentId>,
    watch: Watch,
}

impl Follow {
    /// All is recorded; whether anybody reads this changes nothing.
    fn follow(self) {
        let _ = follow::for_pusher(self.deploy, &self.ids, self.watch);
    }
}

fn post_receive(received: Received, environment: &HookEnvironment) -> (Exit, Option<Follow>) {
    let Received {
        announcements,
        failures,
        deploy,
    } = received;
    let mut text = String::new();
    let mut ids = Vec::new();
    for announcement in &announcements {
        match announcement {
            Announcement::Queued(queued) => {
                ids.push(queued.id);
                push_queued(&mut text, queued);
            }
            Announcement::QueuedByOther(deployment) => {
                ids.push(deployment.id);
                push_queued_by_other(&mut text, deployment);
            }
            Announcement::Retired(target) => text.push_str(&format!(
                "deploy-by-code: retired {target} (its deploy file was deleted)\n"
            )),
            Announcement::Problem(refusal) => {
                text.push_str(&refusal_lines("deploy-by-code: problem", refusal));
            }
        }
    }

    let watch = read_wish(&environment.push_options, &mut text);
    if let (Some(first), None) = (ids.first(), &watch) {
        text.push_str(&format!(
            "deploy-by-code: follow with: git push -o follow, or on the server: \
             deploy-by-code logs -f {}\n",
            first.0
        ));
    }
    failures
        .iter()
        .for_each(|failure| output::complain(failure, None));
    let is_heard = io::stdout().lock().write_all(text.as_bytes()).is_ok();

    let follow = match (watch, deploy) {
        (Some(watch), Some(deploy)) if is_heard && !ids.is_empty() => {
            Some(Follow { deploy, ids, watch })
        }
        _ => None,
    };
    (Exit::of(failures.is_empty()), follow)
}

fn push_queued(text: &mut String, queued: &Queued) {
    let Queued { id, planned } = queued;
    let to = planned.revision().short();
    let change = match planned.from() {
        _ if planned.is_redeploy() => format!("{to} again"),
        Some(from) => format!("{} -> {to}", from.short()),
        None => format!("new -> {to}"),
    };
    push_change(text, *id, planned.target(), &change);

    for Exception { kind, reason } in planned.exceptions() {
        let (kind, reason) = (kind.as_str(), text::escape(reason, 200));
        text.push_str(&format!("deploy-by-code: {id} {kind}: {reason}\n"));
    }
    push_waits(text, *id, planned.target(), planned.waits());
}

fn push_queued_by_other(text: &mut String, deployment: &Deployment) {
    let to = deployment.revision.short();
    let change = match &deployment.previous_revision {
        Some(from) if *from == deployment.revision => format!("{to} again"),
        Some(from) => format!("{} -> {to}", from.short()),
        None => format!("new -> {to}"),
    };
    push_change(text, deployment.id, &deployment.target, &change);

    let reason = deployment.reason.as_deref();
    let waits = reason.filter(|_| deployment.status == Status::Queued);
    push_waits(text, deployment.id, &deployment.target, waits);
}

fn push_change(text: &mut String, id: DeploymentId, target: &Target, change: &str) {
    text.push_str(&format!("deploy-by-code: {id} {target} {change} queued\n"));
}

fn push_waits(text: &mut String, id: DeploymentId, target: &Target, waits: Option<&str>) {
    if let Some(waits) = waits {
        let waits = text::escape(waits, 300);
        text.push_str(&format!(
            "deploy-by-code: {id} waits until {} is thawed: {waits}\n",
            target.environment
        ));
    }
}

/// What the pusher asked for with `git push -o`. Other programs have push options too, so an unknown
/// one is only told about when it looks like one of these.
fn read_wish(options: &[String], text: &mut String) -> Option<Watch> {
    for option in options {
        let near = text::nearest(option, ["follow", "wait", "skip-deploy"]);
        let shown = text::escape(option, 40);
        match (option.as_str(), near) {
            ("follow" | "wait", _) | (_, None) => {}
            (_, Some("skip-deploy")) => text.push_str(&format!(
                "deploy-by-code: there is no push option {shown}: what is merged is wanted\n"
            )),
            (_, Some(near)) => {
                text.push_str(&format!(
                    "deploy-by-code: unknown push option {shown}; did you mean {near}?\n"
                ));
            }
        }
    }
    let has = |wanted: &str| options.iter().any(|option| option == wanted);
    if has("follow") {
        Some(Watch::Output)
    } else {
        has("wait").then_some(Watch::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_known_by_name_and_by_folder() {
        let table = [
            ("hooks/post-receive", Some("post-receive")),
            ("/srv/x.git/hooks/pre-receive", Some("pre-receive")),
            ("hooks/post-receive.d/deploy-by-code", Some("post-receive")),
            ("/usr/bin/deploy-by-code", None),
            ("deploy-by-code", None),
        ];
        for (program, expect) in table {
            assert_eq!(called_as(OsStr::new(program)), expect, "{program}");
        }
    }

    #[test]
    fn push_options() {
        let read = |options: &[&str]| {
            let mut text = String::new();
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            (read_wish(&options, &mut text), text)
        };
        assert_eq!(read(&["follow"]), (Some(Watch::Output), String::new()));
        assert_eq!(
            read(&["wait", "ci.skip"]),
            (Some(Watch::End), String::new())
        );
        assert!(read(&["folow"]).1.contains("did you mean follow?"));
        assert!(
            read(&["skip-deploy"])
                .1
                .contains("what is merged is wanted")
        );
    }
}
