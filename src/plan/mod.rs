//! What is deployed, for what changed on the deploy branch. This is the central part of the
//! program.
//!
//! [`crate::candidate::candidates`] says what each change asks for. [`decide`] judges it by every
//! rule of [`crate::policy`]. Neither of the two can fail, and neither touches anything outside of
//! its arguments. A refused candidate cannot be recorded as a deployment, because only [`decide`]
//! makes a [`PlannedDeployment`].

mod decide;
mod deployment;
mod judgement;
mod several;
#[cfg(test)]
mod tests;

pub use decide::{Plan, decide};
pub use deployment::{PlannedDeployment, Retirement};
pub use judgement::Judgement;
