//! `install` puts the hooks into a repository, and `uninstall` takes them out again.
//!
//! Protocol: a hook is a file that names this program (see [`crate::hook_files::hook_file`]). A
//! hook that is there already is kept as `chained/<name>`, and this program runs it with a full
//! copy of its input. The files beside the hook are linked in `chained`, so that the kept hook
//! still finds them beside itself.
//!
//! Both verbs go through the same stages, each in a file of its own: the repository's folder is
//! locked ([`lock()`]), its present content is read ([`look_before_install`] and its siblings), a
//! plan is made from this content alone ([`plan_install`] and its siblings), and the caller takes
//! the steps of the plan one by one ([`take`]). A dry run ends after the plan. The steps that root
//! takes outside of the repository are a plan of their own, because root becomes the repository's
//! owner before it reads the repository.
//!
//! The order of the steps makes sure that the next call can complete a call that was stopped
//! anywhere. The state and its cursor come first, so that no hook ever runs without them. The files
//! that a kept hook needs are linked before the hook is moved.
//!
//! A hook that is kept stays in its place until this program's own hook replaces it in one step,
//! and `uninstall` puts it back in one step. So at every moment git runs the hook that was there
//! before, or this program, which runs it too.
//!
//! It does not promise this where the kernel does not allow a second name for a file: on some file
//! systems, and for a hook of another user. There the hook is moved, and git finds no hook until
//! this program's own is in place.

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
mod roots_files;
mod step;
mod warning;

pub use error::Error;
pub use execute::{take, take_on_machine};
pub use found::{BeforeInstall, Goal, Installed, Machine};
pub use lock::lock;
pub use look::{is_checked_out, look_before_install, look_before_uninstall};
pub use look_at_machine::{look_at_machine, look_at_machine_by_path};
pub use plan_for_machine::{Caller, MachinePlan, plan_for_gone, plan_for_machine};
pub use plan_install::plan_install;
pub use plan_uninstall::plan_uninstall;
pub use step::{MachineStep, Step};
pub use warning::Warning;
