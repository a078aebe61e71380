//! `doctor`: looks at everything that an installation needs, and says what to do where something
//! is missing.
//!
//! `checks` is the table of all checks, in the order in which they are reported. A check is a
//! function that looks at the `Installation` and returns a `Finding`. The other files hold these
//! functions by theme.

mod checks;
mod configuration;
mod deployments;
mod figures;
mod finding;
mod hooks;
mod installation;
mod machine;
mod mirrors;
mod notifications;
mod permissions;
mod published;
mod repository;
mod runners;
mod state;
mod trial;

pub use checks::{CheckResult, examine};
pub use finding::{Finding, Level};
pub use installation::Request;
