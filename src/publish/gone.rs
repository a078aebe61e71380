//! Targets that the configuration does not name any more, and what waited for them.
//!
//! Protocol: a section that is missing can be one that somebody has removed, and also one that is
//! not written yet: a file that is cut off can be one without mistakes. So what waits is given up
//! only after two looks, [`GONE_MIN`] apart, neither of which saw the section or a file that was
//! changed a moment before. A look that sees the section begins anew. Until then everything waits,
//! and is told if the section comes back. What is given up is on record, by the transaction that
//! forgets how far the target had come.
//!
//! It does not promise to know which of the later events the target wanted: the section said it.

use std::time::Duration;

use super::audience::{Audience, target_of};
use crate::config::Config;
use crate::deploy_repository::DeployRepository;
use crate::id::NotifyName;
use crate::store::{self, EventReader, Store};
use crate::sys::clock;
use crate::sys::file::last_change;
use crate::sys::lock::is_taken;
use crate::time::Timestamp;

/// How long a configuration must be unchanged before it is looked at.
const SETTLED: Duration = Duration::from_secs(5);

/// How long after a target was first seen to be gone what waits for it is given up.
const GONE_MIN: Duration = Duration::from_secs(10 * 60);

/// What one look at a target comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// The configuration names it, or it was seen gone a moment ago.
    Nothing,
    /// It is there again.
    Back,
    /// It is gone, and was not before.
    Gone,
    /// What waits for it is given up.
    GiveUp,
}

/// Gives up what waits for those whom the configuration does not name any more, and forgets how far
/// they had come. If it names one of them again later, that one is told of nothing that happened in
/// between. Where the state is busy, a later call does it.
pub fn give_up_gone(store: &mut Store, deploy: &DeployRepository) {
    let now = clock::now();
    let file = deploy.config_file.as_deref();
    let changed = file.and_then(|file| last_change(file).ok());
    let Some(changed) = changed.filter(|changed| now.since(*changed) >= SETTLED) else {
        return;
    };
    if let Err(error) = try_to_give_up(store, &deploy.config, changed, now) {
        Audience::of(deploy).report_failure("notify", &error.to_string());
    }
}

/// `changed`: when the configuration was changed last.
fn try_to_give_up(
    store: &mut Store,
    config: &Config,
    changed: Timestamp,
    now: Timestamp,
) -> Result<(), store::Error> {
    let readers = store.read()?.event_readers()?.into_iter();
    let looked = readers.filter_map(|reader| {
        let target = target_of(&reader.name)?;
        let look = sight(config.notify.contains_key(&target), reader.gone_since, now);
        Some((target, reader, look))
    });
    // A process that has read an earlier configuration may still tell it.
    let is_free = |reader: &EventReader| is_taken(&store.reader_lock_file(&reader.name));
    let found: Vec<(NotifyName, EventReader, Sight)> = looked
        .filter(|(_, reader, look)| match look {
            Sight::Nothing => false,
            Sight::Back | Sight::Gone => true,
            Sight::GiveUp => is_free(reader).is_ok_and(|is_taken| !is_taken),
        })
        .collect();
    if found.is_empty() {
        return Ok(());
    }

    store.optional_transaction(|transaction| {
        for (target, reader, look) in &found {
            match look {
                Sight::Nothing => {}
                Sight::Back => transaction.mark_gone(&reader.name, None)?,
                Sight::Gone => transaction.mark_gone(&reader.name, Some(now))?,
                Sight::GiveUp => {
                    let why = format!("no section [notify.{target}] any more");
                    // What happened later was not for it.
                    transaction.give_up_reader(reader, changed, &why)?;
                }
            }
        }
        Ok(())
    })
}

/// What a look at a target comes to. `gone_since`: when it was first seen to be gone.
fn sight(is_named: bool, gone_since: Option<Timestamp>, now: Timestamp) -> Sight {
    match (is_named, gone_since) {
        (true, None) => Sight::Nothing,
        (true, Some(_)) => Sight::Back,
        (false, Some(since)) if now.since(since) >= GONE_MIN => Sight::GiveUp,
        (false, Some(since)) if since <= now => Sight::Nothing,
        // Nobody has seen it yet, or the clock was set back since.
        (false, _) => Sight::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_given_up_only_after_two_looks() {
        let now = Timestamp::from_ms(1_000_000_000);
        let table = [
            (true, None, Sight::Nothing),
            (true, Some(now.before(GONE_MIN)), Sight::Back),
            (false, None, Sight::Gone),
            (false, Some(now), Sight::Nothing),
            (false, Some(now.before(GONE_MIN / 2)), Sight::Nothing),
            (false, Some(now.before(GONE_MIN)), Sight::GiveUp),
            (false, Some(now.after(GONE_MIN)), Sight::Gone),
        ];
        for (is_named, gone_since, expect) in table {
            let found = sight(is_named, gone_since, now);
            assert_eq!(found, expect, "{is_named} {gone_since:?}");
        }
    }
}
