//! Integration tests: the binary under test, real repositories, real pushes.

mod observe;
mod processes;
mod run;
mod tree;
mod world;

mod applications;
mod cgroups;
mod checkout;
mod commands;
mod config;
mod crash;
mod crowd;
mod dependencies;
mod faults;
mod freezing;
mod hooks;
mod hostile;
mod hostile_trees;
mod hosts;
mod install;
mod late;
mod loopholes;
mod plan;
mod planning;
mod properties;
mod races;
mod refusals;
mod repositories;
mod runner;
mod safeguards;
mod ssh;
mod stopping;
mod surroundings;
mod syslog;
mod tidy;
