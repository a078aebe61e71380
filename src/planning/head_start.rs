//! Leaves the planning of a push to the hooks of that push, which know who pushed.

use std::time::Duration;

use super::error::Error;
use crate::deploy_repository::DeployRepository;
use crate::store::{Cursor, Store};
use crate::sys::clock::{self, Deadline};

/// How long the `reconcile` that reference-transaction starts leaves a push to its post-receive.
pub const HEAD_START: Duration = Duration::from_secs(1);

/// How long everybody else leaves a push to its own hooks: longer than its `reconcile` waits, which
/// knows the pusher too.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often to look meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Whether the branch is still behind after the hooks of its pushes had time to plan them. If
/// `is_behind` says no, nobody waits any longer.
///
/// # Errors
/// It can't be found out.
pub fn is_left_behind<E>(mut is_behind: impl FnMut() -> Result<bool, E>) -> Result<bool, E> {
    let end = Deadline::after(PATIENCE);
    while is_behind()? {
        if end.is_over() {
            return Ok(true);
        }
        clock::sleep(LOOK);
    }
    Ok(false)
}

/// Whether the branch's tip has moved since the last planning. Without a cursor it has not: nobody
/// knows from where.
///
/// # Errors
/// The tip or the state can't be read, or the state belongs to another branch.
pub fn is_behind(deploy: &DeployRepository, store: &mut Store) -> Result<bool, Error> {
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let Some(cursor) = store.read()?.cursor()? else {
        return Ok(false);
    };
    check_branch(deploy, &cursor)?;
    Ok(cursor.commit != tip)
}

/// # Errors
/// The state belongs to another branch.
pub(super) fn check_branch(deploy: &DeployRepository, cursor: &Cursor) -> Result<(), Error> {
    if cursor.branch == deploy.branch {
        return Ok(());
    }
    Err(Error::OtherBranch {
        state: cursor.branch.clone(),
        config: deploy.branch.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn planning_is_left_to_the_hooks_of_a_push_only_for_a_while() {
        let mut looks = 0;
        let mut is_left_behind_for = |most: u32| {
            looks = 0;
            let is_behind = is_left_behind(|| {
                looks += 1;
                Ok::<_, Infallible>(looks <= most)
            });
            (is_behind.unwrap(), looks)
        };

        assert_eq!(is_left_behind_for(0), (false, 1));
        assert_eq!(is_left_behind_for(3), (false, 4));

        let begin = std::time::Instant::now();
        assert!(is_left_behind_for(u32::MAX).0);
        assert!(begin.elapsed() >= PATIENCE);
    }
}
