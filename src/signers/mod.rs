//! Whose signature something has: asked of ssh-keygen and gpgv.
//!
//! Protocol: the files of keys are read once, after a check that nobody else can change them, and
//! the programs get what was read: files in memory, which they inherit. They get nothing of this
//! process's environment, and run within a limit of time. A signature counts if it is valid now;
//! the date that it claims does not matter.
//!
//! `git verify-commit` is not used. It judges the validity of a key at the date that the commit
//! claims, takes a missing file of revoked keys for an empty one, and reads the settings of the
//! repository and of the user.
//!
//! It does not promise that the right person has the key, nor that a revoked key is known to be.

mod allowed_signers;
mod error;
mod examine;
mod examined;
mod gpg;
mod key_files;
mod keyring;
mod known;
mod limits;
mod lookup;
mod people;
mod proof;
mod ssh;
mod usable_lines;

pub use error::Error;
pub use examine::examine;
pub use examined::{ExaminedKeys, KeyFault};
pub use known::KnownPeople;
pub use lookup::Signers;
