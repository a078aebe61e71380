//! The hooks as git calls them. Each is followed by the hook that was there before it was
//! installed.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Cursor, Read, Write};
use std::path::Path;

use super::announce::{announcements, fetching, verdict};
use super::error::Error;
use super::exit::{Exit, fail};
use super::follow_push::PushFollow;
use super::kept_hook::KeptHook;
use super::push_options;
use super::pusher::Pusher;
use crate::git::find_repository;
use crate::hook::environment::HookEnvironment;
use crate::hook::{self, Announcement, Received};
use crate::hook_files::HOOKS;
use crate::id::DeploymentId;
use crate::sys::environment::hide;
use crate::text;
use crate::verbs;

/// The hook by whose name the program was called: `hooks/post-receive`, or
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

/// Runs a hook, and then the hook that had its name before it was installed.
pub(super) fn run(
    hook: &'static str,
    repository: Option<&Path>,
    config: Option<&Path>,
    program: &OsStr,
    arguments: &[OsString],
) -> Exit {
    let mut pusher = Pusher::new();
    let done = both(hook, repository, config, program, arguments, &mut pusher);
    done.unwrap_or_else(|error| fail(&error, |message, hint| pusher.complain(message, hint)))
}

/// Runs the program's own hook, and then the kept one.
fn both(
    hook: &'static str,
    repository: Option<&Path>,
    config: Option<&Path>,
    program: &OsStr,
    arguments: &[OsString],
    pusher: &mut Pusher,
) -> Result<Exit, Error> {
    // What git was told can be the pusher's password, and the command of a deployment begins while
    // this process lives.
    hide();
    let mut environment = HookEnvironment::read();
    if let Some(repository) = repository {
        let found = find_repository(repository).map_err(verbs::Error::from)?;
        environment.git_dir = found.unwrap_or_else(|| repository.to_owned());
    }
    let kept = KeptHook::find(hook, program);
    if let Ok(None) = kept {
        let stdin = io::stdin().lock();
        let (own, follow) = own(hook, config, arguments, &environment, stdin, pusher);
        show(follow, pusher);
        return Ok(own);
    }

    // Both hooks read all of the input.
    let mut input = Vec::new();
    let mut stdin = io::stdin().lock();
    stdin.read_to_end(&mut input).map_err(Error::Input)?;

    let cursor = Cursor::new(&input);
    let (own, follow) = own(hook, config, arguments, &environment, cursor, pusher);
    // If the push is refused here, the other hook must not treat it as accepted.
    if hook == "pre-receive" && own != Exit::Done {
        return Ok(own);
    }
    let kept = match kept {
        Ok(Some(kept)) => kept.run(arguments, &input, pusher),
        Ok(None) => Ok(Exit::Done),
        Err(error) => Err(error),
    };
    // This comes last: it can take as long as a deployment, and the pusher can end it.
    show(follow, pusher);

    let kept = kept?;
    Ok(if kept == Exit::Done { own } else { kept })
}

/// Runs the program's own hook. Returns its exit code, and the deployments that the pusher wants to
/// follow.
fn own(
    hook: &str,
    config: Option<&Path>,
    arguments: &[OsString],
    environment: &HookEnvironment,
    input: impl BufRead,
    pusher: &mut Pusher,
) -> (Exit, Option<PushFollow>) {
    match hook {
        "pre-receive" => {
            let judged = hook::pre_receive(environment, config, input, |application| {
                pusher.print_error(&fetching(application));
            });
            pusher.print_error(&verdict(&judged));
            (Exit::of(judged.is_accepted()), None)
        }
        "post-receive" => {
            let received = hook::post_receive(environment, config, input, |application| {
                pusher.print_error(&fetching(application));
            });
            post_receive(received, environment, pusher)
        }
        _ => {
            let state = arguments.first().map(|state| state.to_string_lossy());
            hook::reference_transaction(environment, config, &state.unwrap_or_default(), input);
            (Exit::Done, None)
        }
    }
}

/// Tells the pusher what post-receive recorded and what went wrong.
fn post_receive(
    received: Received,
    environment: &HookEnvironment,
    pusher: &mut Pusher,
) -> (Exit, Option<PushFollow>) {
    let Received {
        announcements: news,
        failures,
        deploy,
    } = received;
    let ids: Vec<DeploymentId> = news.iter().filter_map(Announcement::id).collect();
    let mut text = announcements(&news);

    let is_problem = |news: &&Announcement| matches!(news, Announcement::Problem(_));
    let problems = news.iter().filter(is_problem).count();
    let (wanted, remarks) = push_options::read(&environment.push_options);
    text.push_str(&remarks);
    if let (Some(first), None) = (ids.first(), wanted) {
        text.push_str(&format!(
            "deploy-by-code: follow with: git push -o follow, or on the server: \
             deploy-by-code logs -f {}\n",
            first.0
        ));
    }

    for failure in &failures {
        pusher.complain(&text::with_causes(failure), None);
    }
    let is_heard = pusher.write_all(text.as_bytes()).is_ok();

    let follow = match (wanted, deploy) {
        (Some(wanted), Some(deploy)) if is_heard && !ids.is_empty() => Some(PushFollow {
            deploy,
            ids,
            problems,
            wanted,
        }),
        _ => None,
    };
    (Exit::of(failures.is_empty()), follow)
}

/// Shows the pusher what becomes of the push. Everything is recorded, so it makes no difference to
/// the push whether the pusher still reads this.
fn show(follow: Option<PushFollow>, pusher: &mut Pusher) {
    if let Some(Err(error)) = follow.map(|follow| follow.follow(pusher)) {
        fail(&error, |message, hint| pusher.complain(message, hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_is_known_by_its_name_or_its_folder() {
        let table = [
            ("hooks/post-receive", Some("post-receive")),
            ("/srv/x.git/hooks/pre-receive", Some("pre-receive")),
            ("hooks/post-receive.d/deploy-by-code", Some("post-receive")),
            ("/usr/bin/deploy-by-code", None),
            ("deploy-by-code", None),
        ];
        for (program, expected) in table {
            assert_eq!(called_as(OsStr::new(program)), expected, "{program}");
        }
    }
}
