//! Integration tests: the binary under test, real repositories, real pushes.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and may say more"
)]
#![allow(
    clippy::needless_collect,
    clippy::pedantic,
    unreachable_pub,
    reason = "tests are not held to a style"
)]

// What the tests share.
mod applications;
mod approvers;
mod browser;
mod clones;
mod git_host;
mod http_server;
mod init;
mod names;
mod newer_program;
mod no_runner;
mod nobody;
mod observe;
mod page;
mod processes;
mod rule_notes;
mod run;
mod signing;
mod smtp_server;
mod trailers;
mod transcript;
mod tree;
mod world;

// The tests, a file for each feature.
mod answers;
mod approvals;
mod approvals_gpg;
mod approvals_keys;
mod approvals_merges;
mod approvals_overrides;
mod approvals_page;
mod approvals_property;
mod approvals_scope;
mod approvals_signatures;
mod approvals_signers;
mod approvals_together;
mod approve;
mod benches;
mod cgroups;
mod chained_hooks;
mod checkout;
mod ci;
mod commands;
mod config;
mod crash;
mod crowd;
mod damaged_tip;
mod dependencies;
mod doctor;
mod events;
mod exact_refs;
mod exportable;
mod facts;
mod faults;
mod flushes;
mod freezing;
mod git_deploy;
mod given_up;
mod going_back;
mod going_back_changed;
mod hangs;
mod hook_files;
mod hooks;
mod hostile;
mod hostile_trees;
mod hosts;
mod install;
mod install_steps;
mod installed;
mod late;
mod late_pusher;
mod layers;
mod left_running;
mod limits;
mod linked_trees;
mod links;
mod listeners;
mod long_steps;
mod looking;
mod lost_state;
mod many_rows;
mod marks;
mod marks_faults;
mod merge_requests;
mod metrics;
mod metrics_file;
mod mirror_faults;
mod mirror_hosts;
mod mirrors;
mod missing_facts;
mod name_service;
mod namespaces;
mod newcomers;
mod notifications;
mod notifier;
mod notifier_changes;
mod notify;
mod notify_http;
mod notify_kinds;
mod notify_mail;
mod notify_smtp;
mod phases;
mod pipes;
mod plan;
mod planning;
mod programs;
mod promotion;
mod properties;
mod propose;
mod propose_faults;
mod propose_trains;
mod published_crashes;
mod published_refs;
mod published_status;
mod push_options;
mod pushers;
mod races;
mod ranges;
mod raw_push;
mod reachable;
mod recipes;
mod refusal_snapshots;
mod refusals;
mod release_users;
mod releases;
mod repositories;
mod retries;
mod rollbacks;
mod runner;
mod safeguards;
mod secrets;
mod service;
mod shared;
mod shared_ahead;
mod shared_crashes;
mod shortages;
mod signatures;
mod silence;
mod snapshots;
mod ssh;
mod state_files;
mod stopping;
mod strangers;
mod subdirectory;
mod subdirectory_clones;
mod subdirectory_commits;
mod surroundings;
mod syslog;
mod tidy;
mod timer;
mod uninstall;
mod unseen;
mod users;
mod web;
mod web_browser;
mod web_crowd;
mod web_hidden;
mod web_live;
mod web_markup;
mod web_places;
mod web_safety;
mod web_unknown;
