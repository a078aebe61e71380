//! Reading the deploy repository and the application repositories, writing what is published into
//! the former and marks into the latter, and keeping mirrors of those on other hosts.
//!
//! Protocol:
//! * Objects are read through gix's object database, below `gix::open`. It needs no configuration,
//!   it works in the quarantine of pre-receive, on SHA-1 and SHA-256, with alternates, linked work
//!   trees and reftable, and it never follows replacement objects.
//! * Refs are read from the files backend by gix. git is asked where gix can't read refs
//!   (reftable), and to confirm that a branch was deleted.
//! * git is called with an explicit `--git-dir`, with plumbing commands only, without the hook's
//!   own `GIT_*` variables, and within a limit of time and of output.
//! * Objects and refs are written by git alone, because it knows how a repository is shared, and
//!   without the repository's hooks.
//!
//! It does not promise a consistent view of several refs. It reads nothing but what the present
//! value of a ref leads to.

mod ancestry;
mod append;
mod changes;
mod command;
mod commit;
mod commit_dag;
mod commit_graph;
mod commit_reader;
mod commits;
mod contents;
mod deploy_file;
mod error;
mod export;
mod history;
mod kept_changes;
mod kept_objects;
mod known_commits;
mod look;
mod marks;
mod mirror;
mod notes;
mod objects;
mod other_files;
mod place;
mod program;
mod range;
mod reach;
mod ref_changes;
mod refs;
mod repository;
mod review;
mod scratch;
mod settings;
mod signature;
mod special_files;
mod stream;
mod survey;
mod symbolic;
mod totals;
mod trailers;
mod tree;

pub use append::NewCommit;
pub use commits::{commit_dates, commits_between, newest_commits};
pub use error::Error;
pub use export::{BaseTree, ExportItem, ReleaseTree};
pub use history::{Provenance, deploy_commits, first_parents};
pub use kept_changes::DeepScan;
pub use mirror::{FetchError, FetchFailure, FetchProgress, Mirror, tidy_mirrors};
pub use notes::NoteLine;
pub use other_files::{OtherFile, OtherFiles};
pub use place::{find_repository, open_application};
pub use program::{TreePlace, TreeProgram};
pub use repository::{Quarantine, Repository};
pub use scratch::scratch;
pub use settings::{
    check_may_write, config_bool, config_value, hooks_folder, set_config_value, trusts,
};
pub use signature::CommitSignature;
pub use survey::{ExportRules, Surveyor};
pub use symbolic::RefTargets;
pub use totals::Inside;
pub use trailers::{Bound, DeclaredNeed, Gained};
