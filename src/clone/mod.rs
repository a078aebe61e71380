//! A clone of the deploy repository, or of an application, in which a person works.
//!
//! Protocol:
//! * git is called as the person calls it, in [`UsersGit`]: with the person's environment,
//!   settings, hooks, credentials, ssh agent and signing key, on the person's terminal, and without
//!   a limit of time: it is the person who waits, and who can press Ctrl-C. It is called with
//!   argument vectors, and never through a shell.
//! * Objects and refs that are there are read by [`Repository`](crate::git::Repository), as on the
//!   server.
//!
//! What is trusted: the configuration, the hooks and the filters of the clone. They are the
//! person's own, and each `git fetch` runs what they name. git itself refuses to work in the clone
//! of another user (git-config(1), `safe.directory`), and each clone is opened by git first. That
//! is not asked of what a remote sends: names, files, subjects and hashes are bounded and validated
//! here or where they are used.

mod application;
mod deploy_clone;
mod error;
mod local_clone;
mod remote;
mod users_git;

pub use deploy_clone::{Chosen, DeployClone, root};
pub use error::Error;
pub use local_clone::LocalClone;
pub use remote::{Remote, RemoteTip};
pub use users_git::UsersGit;
