//! What a person, a hook, a page or an agent can ask for. Verbs return values and print nothing.

mod cancel;
mod check;
pub mod doctor;
mod error;
mod follow;
mod freeze;
mod frozen;
pub mod install;
mod names;
mod ownership;
mod place;
mod plan;
mod reconcile;
mod release;
mod retry;
mod run;
mod serve;
mod start;
mod status;
mod timer;

pub use cancel::{Cancelled, cancel};
pub use check::{Checked, check};
pub use error::{Error, Kind};
pub use follow::{Following, News, NoRunner, Watch, find, unreadable_log};
pub use freeze::{Frozen, NotATime, Thawed, freeze, thaw, until};
pub use names::{Names, names};
pub use ownership::{Acts, become_owner, belongs_to_root, is_owner, owner, owner_to_become};
pub use place::{Place, is_repository};
pub use plan::{CommonCommit, PlannedChange, plan, two_commits};
pub use reconcile::{Reconciled, reconcile};
pub use release::release;
pub use retry::retry;
pub use run::run;
pub use serve::serve;
pub use status::{Overview, overview};
pub use timer::{Complaint, Listed, OfOneUser, list_registered, reconcile_registered};
