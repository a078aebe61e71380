//! `install` puts the hooks into a repository, and `uninstall` takes them out again.
//!
//! Protocol: a hook is a symbolic link to this program under the hook's name. A hook that is there
//! already is kept as `chained/<name>`, and this program runs it with a full copy of its input.
//! What lies beside it is linked there, so that it finds that where it looks.
//!
//! Both verbs go through the same stages, each in a file of its own: the folder is locked
//! ([`lock()`]), what is there is found out ([`look_before_install`] and its siblings), a plan is
//! made from that and from nothing else ([`plan_install`] and its siblings), and the caller takes
//! its steps one by one ([`take`]). A dry run ends after the plan. What root does to the machine is
//! a plan of its own, since root becomes the repository's owner before it looks at the repository.
//!
//! The steps stand in an order in which a call that is stopped anywhere leaves what the next one
//! completes: the state and its cursor come first, so that no hook ever runs without them, and what
//! a kept hook needs is linked before the hook is moved.
//!
//! A hook that is kept stands in its place until the link replaces it in one step, so that git
//! finds a hook at every moment.
//!
//! It does not promise that last thing where the kernel lets nobody give a file a second name: on
//! some file systems, and for a hook of another user. There a hook is moved, and until the link is
//! set, git finds none.

mod error;
mod execute;
mod found;
mod link;
mod lock;
mod look;
mod look_at_machine;
mod plan_for_machine;
mod plan_install;
mod plan_uninstall;
mod step;
mod warning;

pub use error::Error;
pub use execute::{take, take_on_machine};
pub use found::{BeforeInstall, Goal, Installed, Machine};
pub use lock::lock;
pub use look::{look_before_install, look_before_uninstall};
pub use look_at_machine::{look_at_machine, look_at_machine_by_path};
pub use plan_for_machine::{Caller, MachinePlan, plan_for_gone, plan_for_machine};
pub use plan_install::plan_install;
pub use plan_uninstall::plan_uninstall;
pub use step::{MachineStep, Step};
pub use warning::Warning;
