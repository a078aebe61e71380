//! The application repositories for a command that a person types.

use std::time::Duration;

use super::ownership::{Acts, may_act};
use super::place::Place;
use crate::id::Application;
use crate::judging::ApplicationRepositories;

/// The repositories, which are fetched where they are on other hosts and this user may act in the
/// deploy repository. Otherwise its owner would decide to which host this user goes, with this
/// user's keys, and would get what is there. `listener` gets to know whose repository is fetched;
/// the first fetch may take `first_limit`, if `fetch_timeout` is shorter.
pub(super) fn applications<'l>(
    place: &Place,
    first_limit: Duration,
    listener: impl FnMut(&Application) + 'l,
) -> ApplicationRepositories<'l> {
    if may_act(place, Acts::Starts).is_ok() {
        ApplicationRepositories::fetching_first_within(first_limit, listener)
    } else {
        ApplicationRepositories::default()
    }
}
