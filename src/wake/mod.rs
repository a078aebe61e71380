//! Starting the processes that continue after a hook has ended: this program again, and the program
//! that notifies, both detached. The timer and the units wait for what they start.

mod background;
mod program;
mod reconcile;
mod runner;
mod service;

pub use background::{Background, notifier, notifier_call};
pub use program::Call;
pub use reconcile::{reconcile, reconcile_as, reconcile_in_unit};
pub use runner::runner;
pub use service::{WakeFiles, Wanted, as_child, is_anything_left, take_wake_files};
