//! Mirrors of application repositories on other hosts.
//!
//! Protocol:
//! * A mirror is a bare repository below the state, one for each URL. It is made under another name
//!   and renamed in one step, so there is no mirror that was never fetched whole.
//! * One process fetches a mirror at a time: it holds a lock of the kernel. A git that fetches is
//!   killed when the process that started it ends. So whoever holds the lock may remove what a
//!   fetch that was killed has left.
//! * The mirror's configuration is this program's, and is written anew if it is another one. No
//!   hook, submodule or program that it names is used.
//! * git authenticates with what the user of this process has in the home folder: keys, known
//!   hosts, `.netrc`, credential helpers. It gets nothing of this process's environment that could
//!   lead it elsewhere, asks nobody, and may only use the protocol of the URL.
//! * No object is ever removed, because what was deployed must stay comparable also after a force
//!   push on the other host.
//!
//! It does not promise that a mirror is up to date: [`Mirror::fetched`] says when it was.

mod call;
mod error;
mod fetch;
mod leftovers;
mod place;
mod progress;
mod records;
mod tidy;

pub use error::FetchError;
pub use place::Mirror;
pub use progress::FetchProgress;
pub use records::FetchFailure;
pub use tidy::tidy_mirrors;
