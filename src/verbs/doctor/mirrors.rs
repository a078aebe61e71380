//! The mirrors of application repositories on other hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::git::Mirror;
use crate::id::Target;
use crate::sys::clock::{self, Deadline};
use crate::time::show_ago;

/// How long one host may take to answer, and all of them together.
const REACH_MAX: Duration = Duration::from_secs(3);
const REACH_ALL_MAX: Duration = Duration::from_secs(6);

/// When each mirror was fetched, and whether its host can be reached.
pub(super) fn mirrors(installation: &Installation<'_>) -> Vec<Finding> {
    let deploy = installation.deploy;
    let wanted = installation.wanted.iter().flatten();
    let mut targets: BTreeSet<Target> = wanted.map(|(target, _)| target.clone()).collect();
    targets.extend(deploy.config.named_targets());
    let mirrors = targets.iter().filter_map(|target| {
        let mirror = deploy.application_place(target)?.1?;
        Some((mirror.folder(), mirror))
    });
    let mirrors: BTreeMap<_, Mirror> = mirrors.collect();

    let end = Deadline::after(REACH_ALL_MAX);
    let mirrors = mirrors.values();
    mirrors.map(|it| look_at(installation, it, end)).collect()
}

fn look_at(installation: &Installation<'_>, mirror: &Mirror, end: Deadline) -> Finding {
    let (url, folder) = (mirror.url(), shown(&mirror.folder()));
    let fetched = match mirror.fetched() {
        Ok(fetched) => fetched.filter(|fetched| *fetched <= clock::now()),
        Err(error) => {
            let found = format!("{url}: {folder}: {error}");
            return Finding::problem(found, "check that this user may read it");
        }
    };
    let check = installation.run("check");
    let known = match fetched {
        Some(fetched) => format!("fetched {}", show_ago(clock::now().since(fetched))),
        None => "never fetched".to_owned(),
    };

    // The configuration of somebody else would decide where this user connects to.
    if let Some(why) = &installation.request.untried {
        return Finding::ok(format!("{url}: {known}; the host is not tried: {why}"));
    }
    match mirror.reach(REACH_MAX.min(end.left())) {
        Ok(()) if fetched.is_some() => Finding::ok(format!("{url}: {known}")),
        Ok(()) => Finding::warning(format!("{url}: {known}"), format!("fetch it: {check}")),
        Err(why) => {
            let failed = mirror.failed().ok().flatten();
            let last = failed.map_or_else(String::new, |failed| {
                let ago = show_ago(clock::now().since(failed.at()));
                format!("; the last fetch that failed was {ago}: {}", failed.why)
            });
            Finding::problem(
                format!("{url}: {known}; the host can't be asked: {why}{last}"),
                "let the user of the hooks fetch it without a question: keys and known_hosts in \
                 ~/.ssh, or ~/.netrc or credential.helper for https",
            )
        }
    }
}
