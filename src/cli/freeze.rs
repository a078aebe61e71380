//! `freeze` and `thaw`.

use std::collections::BTreeSet;

use super::{Context, Exit, Refusal, status};
use crate::deploy_repository::DeployRepository;
use crate::event::Event;
use crate::hook::wake;
use crate::id::{Environment, Target};
use crate::status::Status;
use crate::store::Store;
use crate::sys::{clock, syslog};
use crate::text;
use crate::time::{Timestamp, parse_duration};

/// The longest reason that is kept, in characters.
const REASON_MAX: usize = 500;

/// Reads the end of a freeze: a length of time from now, `2026-12-24`, `2026-12-24 16:00`, both in
/// UTC, or RFC 3339.
pub(super) fn until(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let end = match parse_duration(text) {
        Ok(length) => {
            let ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
            Some(Timestamp::from_ms(now.as_ms().saturating_add(ms)))
        }
        Err(_) => Timestamp::parse(text),
    };
    match end {
        Some(end) if end > now => Ok(end),
        Some(end) => Err(format!("{} UTC is over already", end.minute())),
        None => Err(format!(
            "{} is no time like \"2h\", \"2026-12-24\", \"2026-12-24 16:00\" (UTC) or \"2026-12-24T16:00:00+01:00\"",
            text::quote(text, 60)
        )),
    }
}

/// The environments of some deploy files and of the configuration.
pub(super) fn known<'a>(
    deploy: &'a DeployRepository,
    targets: impl Iterator<Item = &'a Target>,
) -> BTreeSet<&'a Environment> {
    targets
        .map(|target| &target.environment)
        .chain(deploy.config.environments().map(|(name, _)| name))
        .collect()
}

/// An environment that nobody knows is a slip of the fingers, and freezing it would freeze nothing.
fn check(
    deploy: &DeployRepository,
    store: &Store,
    environment: &Environment,
) -> anyhow::Result<()> {
    let wanted = status::wanted(deploy)?;
    let newest = store.read().newest()?;
    let known = known(deploy, wanted.keys().chain(newest.keys()));
    if known.contains(environment) {
        return Ok(());
    }
    let hint = match text::nearest(environment.as_str(), known.iter().map(|name| name.as_str())) {
        Some(near) => format!("did you mean {near}?"),
        None => "deploy-by-code status shows what there is".to_owned(),
    };
    Err(Refusal::error(
        format!("there is no environment {environment}"),
        hint,
    ))
}

pub(super) fn freeze(
    context: &Context,
    environment: &Environment,
    reason: &str,
    until_text: Option<&str>,
) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.deploy_and_store()?;
    check(&deploy, &store, environment)?;
    let reason = text::decode(reason.trim().as_bytes(), REASON_MAX);
    if reason.is_empty() {
        return Err(Refusal::usage(
            "the reason is empty",
            "say why: --reason \"incident 7\"",
        ));
    }
    let now = clock::now();
    let end = until_text.map(|text| until(text, now)).transpose();
    let end = end.map_err(|error| {
        Refusal::usage(
            format!("--until: {error}"),
            "deploy-by-code freeze --help shows an example",
        )
    })?;
    let by = context.person().name.clone();
    store.transaction(|transaction| transaction.freeze(environment, &reason, &by, end, now))?;
    syslog::log([Event::Frozen {
        environment,
        by: &by,
        reason: &reason,
    }]);
    let frozen = store
        .read()
        .freezes(now)?
        .remove(environment)
        .map(|freeze| freeze.describe())
        .unwrap_or_default();
    context.output.line(&format!("{environment}: {frozen}"))?;
    for open in store.read().open_deployments(environment)? {
        let what = if open.status == Status::Running {
            "goes on"
        } else {
            "waits for the thaw"
        };
        context.output.line(&format!(
            "{} {} is {} and {what}",
            open.id, open.target, open.status
        ))?;
    }
    Ok(Exit::Done)
}

pub(super) fn thaw(
    context: &Context,
    environment: &Environment,
    dry_run: bool,
) -> anyhow::Result<Exit> {
    let (deploy, mut store) = context.deploy_and_store()?;
    let now = clock::now();
    if !store.read().freezes(now)?.contains_key(environment) {
        check(&deploy, &store, environment)?;
        let by_calendar = status::freezes(&deploy, &store, std::iter::empty())?.remove(environment);
        return Err(match by_calendar {
            Some(freeze) => Refusal::error(
                format!("{environment} is {}", freeze.describe()),
                "the calendar is in the configuration: change frozen there",
            ),
            None => Refusal::error(
                format!("{environment} is not frozen"),
                "deploy-by-code status shows what is",
            ),
        });
    }
    let open = store.read().open_deployments(environment)?;
    let waiting: Vec<_> = open
        .iter()
        .filter(|open| open.status == Status::Queued)
        .collect();
    for deployment in &waiting {
        let pusher = deployment.pusher.as_deref().unwrap_or("-");
        let (id, target, revision) = (
            deployment.id,
            &deployment.target,
            deployment.revision.short(),
        );
        let from = deployment
            .previous_revision
            .as_ref()
            .map_or("new", |from| from.short());
        let line = format!(
            "{id} {target} {from} -> {revision} by {}",
            text::escape(pusher, 64)
        );
        context.output.line(&format!(
            "{} {line}",
            if dry_run {
                "would deploy"
            } else {
                "will deploy"
            }
        ))?;
    }
    if waiting.is_empty() {
        context
            .output
            .line(&format!("nothing waits in {environment}"))?;
    }
    if dry_run {
        return Ok(Exit::Done);
    }
    let by = context.person().name.clone();
    store.transaction(|transaction| transaction.thaw(environment, &by, now))?;
    syslog::log([Event::Thawed {
        environment,
        by: &by,
    }]);
    wake::runner(&deploy, environment)?;
    context.output.line(&format!("{environment} is thawed"))?;
    if let Some(freeze) = status::freezes(&deploy, &store, std::iter::empty())?.remove(environment)
    {
        context
            .output
            .line(&format!("but it is {}", freeze.describe()))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let now = Timestamp::from_ms(0);
        let table = [
            ("2h", Ok("1970-01-01 02:00")),
            ("1970-01-02", Ok("1970-01-02 00:00")),
            ("1970-01-02 16:00", Ok("1970-01-02 16:00")),
            ("1970-01-02T16:00:00+01:00", Ok("1970-01-02 15:00")),
            ("1969-12-31", Err("1969-12-31 00:00 UTC is over already")),
            ("0s", Err("1970-01-01 00:00 UTC is over already")),
        ];
        for (text, expect) in table {
            let found = until(text, now).map(Timestamp::minute);
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{text}");
        }
        assert!(
            until("tomorrow", now)
                .unwrap_err()
                .starts_with("\"tomorrow\" is no time like")
        );
    }
}
