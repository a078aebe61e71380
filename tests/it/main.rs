//! Integration tests: the binary under test, real repositories, real pushes.

mod observe;
mod processes;
mod run;
mod tree;
mod world;

mod cgroups;
mod checkout;
mod commands;
mod config;
mod crash;
mod crowd;
mod faults;
mod hooks;
mod hostile;
mod hostile_trees;
mod install;
mod late;
mod planning;
mod races;
mod refusals;
mod repositories;
mod runner;
mod ssh;
mod stopping;
mod surroundings;
mod syslog;
mod tidy;
