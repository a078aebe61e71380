//! `git deploy`: the commands for a clone, as git calls them.
