//! The kernel, one idea a file. The only modules with `unsafe` in them.

pub mod access;
pub mod cgroup;
pub mod clock;
pub mod detach;
pub mod file;
pub mod group;
pub mod lock;
pub mod output;
pub mod poll;
pub mod process;
pub mod syslog;
pub mod tree;
pub mod user;
