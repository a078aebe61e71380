//! The kernel: what this program asks of it, one idea in each file. Each file begins with its
//! protocol and with what it does not promise. `unsafe` code and the crates `nix` and `libc` are
//! used here and nowhere else.

pub mod access;
mod accounts;
pub mod cgroup;
mod child;
pub mod clock;
pub mod detach;
pub mod environment;
pub mod exec;
pub mod file;
pub mod file_status;
pub mod folder;
mod folder_tree;
mod forks;
pub mod gated;
pub mod group;
pub mod hand_over;
pub mod host;
pub mod inherited;
pub mod interrupts;
pub mod invocation;
pub mod listener;
pub mod lock;
pub mod marked;
mod on_behalf;
pub mod open;
pub mod output;
pub mod own_program;
pub mod poll;
pub mod process;
pub mod program;
pub mod secret;
mod session;
pub mod sharing;
pub mod sparse;
pub mod start;
pub mod surroundings;
pub mod syslog;
pub mod terminal;
pub mod tree;
pub mod unseen;
pub mod user;
pub mod watch;
