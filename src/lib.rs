//! Deploy by Code on the git server: hooks that deploy what a reviewed deploy file names.
//!
//! ARCHITECTURE.md has the map and the invariants. The modules form layers, and a module imports
//! only from layers below its own. They are listed here from the lowest layer to the highest.

#![deny(missing_docs, unsafe_code)]

pub mod id;
pub mod time;

pub mod candidate;
pub mod change;
pub mod config;
pub mod deploy_path;
pub mod deployfile;
pub mod event;
pub mod event_kind;
pub mod identity;
pub mod message;
pub mod near_miss;
pub mod order;
pub mod phase;
pub mod plan;
pub mod policy;
pub mod proposal;
pub mod refs;
pub mod review;
pub mod status;
pub mod text;
pub mod trailer_slip;
pub mod unit_name;

pub mod sys;

pub mod checkout;
pub mod clone;
pub mod deploy_repository;
pub mod git;
pub mod hook_files;
pub mod signers;
pub mod store;
pub mod timer_list;
pub mod units;
pub mod wake;

pub mod judging;
pub mod planning;
pub mod publish;
pub mod report;
pub mod runner;

pub mod hook;
pub mod verbs;

pub mod cli;
