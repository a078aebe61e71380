//! Finding out when the commits that deployments gained were committed.
//!
//! Protocol: the state marks a deployment that succeeded with another revision until its
//! application's repository was asked. Whoever writes figures and `reconcile` ask; hooks and
//! runners do not, so nothing waits for the answer. If a process dies before it has recorded the
//! answer, or a repository gives none, the next process asks again, for [`AGE_MAX`].

use std::time::Duration;

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::judging::ApplicationRepositories;
use crate::policy::Unknown;
use crate::store::{Store, Undated};
use crate::sys::clock::{self, Deadline};
use crate::time::Timestamp;

/// For how long after the end of a deployment its repository is asked, 24 hours.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How many deployments are looked at in one call, and for how long. Then the answers so far are
/// recorded, and the next call looks at the others.
const DEPLOYMENTS_MAX: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(20);

/// How many commits of one deployment are looked at.
const COMMITS_MAX: usize = 10_000;

/// How long before the beginning of a deployment a commit can have been committed, 365 days.
/// Everybody can write any date into a commit. One that is older, or later than that beginning,
/// does not count.
const LEAD_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Records the dates of what deployments gained, as far as the repositories say them now.
///
/// # Errors
/// The state can't be read or changed.
pub(super) fn find_dates(deploy: &DeployRepository, store: &mut Store) -> Result<(), Error> {
    let since = clock::now().before(AGE_MAX);
    let undated = store.read()?.undated(since, DEPLOYMENTS_MAX)?;

    let mut repositories = ApplicationRepositories::default();
    let mut found = Vec::new();
    let deadline = Deadline::after(PATIENCE);
    for deployment in undated.iter().take_while(|_| !deadline.is_over()) {
        // Where there is no answer, the deployment stays marked.
        if let Ok(date) = date_of(deploy, &mut repositories, deployment) {
            found.push((deployment.id, date));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Ok(store.optional_transaction(|transaction| {
        let mut found = found.into_iter();
        found.try_for_each(|(id, date)| transaction.date(id, date))
    })?)
}

/// The date of the middle one of the commits that a deployment gained; `None`: none counts, or the
/// application has no repository.
fn date_of(
    deploy: &DeployRepository,
    repositories: &mut ApplicationRepositories<'_>,
    deployment: &Undated,
) -> Result<Option<Timestamp>, Unknown> {
    let Some(path) = deploy.application_repository(&deployment.target) else {
        return Ok(None);
    };
    let (from, to) = (&deployment.previous, &deployment.revision);
    let dates = repositories.dates(&path, from, to, COMMITS_MAX)?;
    Ok(middle(dates, deployment.started_at))
}

/// The middle one of the dates, in seconds since 1970, that a deployment can have waited since. Of
/// two middle ones, it is the later.
fn middle(dates: Vec<i64>, started_at: Timestamp) -> Option<Timestamp> {
    let date = |seconds: i64| Timestamp::from_ms(seconds.saturating_mul(1000));
    let counts = |date: &Timestamp| *date <= started_at && *date >= started_at.before(LEAD_MAX);
    let mut dates: Vec<Timestamp> = dates.into_iter().map(date).filter(counts).collect();

    dates.sort_unstable();
    dates.get(dates.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_that_cannot_be_true_does_not_count() {
        const START: i64 = 1_800_000_000;
        const YEAR: i64 = 365 * 24 * 60 * 60;
        let table: [(&[i64], Option<i64>); 9] = [
            (&[], None),
            (&[START - 5], Some(START - 5)),
            (&[START - 1, START - 9, START - 5], Some(START - 5)),
            (&[START - 5, START - 9], Some(START - 5)),
            (&[START, START - YEAR], Some(START)),
            (&[START + 1], None),
            (&[START - YEAR - 1], None),
            (&[i64::MAX, i64::MIN, -1, 0, 3_093_527_980_800], None),
            (
                &[i64::MAX, START - 7, i64::MIN, START - 8, START - 9, 0],
                Some(START - 8),
            ),
        ];
        for (dates, expect) in table {
            let found = middle(dates.to_vec(), Timestamp::from_ms(START * 1000));
            let expect = expect.map(|seconds| Timestamp::from_ms(seconds * 1000));
            assert_eq!(found, expect, "{dates:?}");
        }
    }
}
