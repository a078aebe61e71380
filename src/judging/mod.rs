//! The one pipeline: changes, candidates, facts, decision.
//!
//! pre-receive, post-receive, `check`, `plan` and `retry` ask it, each with a [`Subject`] of its
//! own: [`judge`], or [`prepare`] and [`Prepared::judge`] in two steps. What a rule needs to know is
//! gathered in one place, so a new input of a rule is wired once. Application repositories belong to
//! others, so they are asked on a thread of their own, with a limit of time: [`Applications`].

mod applications;
mod case;
mod changes;
mod error;
mod gather;
mod judge;
mod needs;
mod reasons;
mod subject;
mod wanted;

pub use applications::Applications;
pub use error::Error;
pub use judge::{Judged, Prepared, judge, prepare};
pub use subject::Subject;
pub use wanted::wanted;
