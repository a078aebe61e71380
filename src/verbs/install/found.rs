//! What is found before anything is done: plain values, from which the plans are made.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::hook_files::Host;
use crate::id::Revision;
use crate::units::{DropIn, Units};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The hooks are to be put in.
    Install,
    /// The hooks are to be taken out.
    Uninstall,
}

/// What there is in a repository before an install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeInstall {
    /// What manages the repository.
    pub host: Host,
    /// The program that the hooks are to start, by the path by which it was called.
    pub program: PathBuf,
    /// The deploy branch.
    pub branch: String,
    /// The folder of the state.
    pub state_folder: PathBuf,
    /// The state in this folder, if there is one.
    pub state: Option<FoundState>,
    /// The commit from which planning is to start; `None`: what is on the branch already is to be
    /// deployed, or the branch has no commit.
    pub start: Option<Revision>,
    /// The file of the record that `install` keeps in the repository.
    pub record_file: PathBuf,
    /// Whether what is recorded there is what is meant now.
    pub is_recorded: bool,
    /// The place of each hook.
    pub hooks: Vec<Hook>,
    /// What else is in the folder of hooks; `None`: the folder belongs to the host.
    pub beside: Option<Beside>,
    /// Whether git accepts the options of a push.
    pub takes_push_options: bool,
}

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundState {
    /// The version of its database.
    pub version: i64,
    /// The branch of its cursor, if it has one.
    pub branch: Option<String>,
}

impl FoundState {
    /// Whether the cursor is on this branch.
    pub(super) fn is_about(&self, branch: &str) -> bool {
        self.branch.as_deref() == Some(branch)
    }
}

/// The place of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: &'static str,
    /// Where it is to be.
    pub path: PathBuf,
    /// How it starts the program.
    pub form: HookForm,
    /// Where another hook that is there is kept.
    pub kept_path: PathBuf,
    /// What is there.
    pub standing: FoundHook,
}

/// How a hook starts the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookForm {
    /// A file names the program.
    File,
    /// A link leads to the program, because the kernel can't start it by a file there: its path has
    /// white space in it or is too long, or the file system does not allow programs.
    Link,
}

/// What is in the place of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundHook {
    /// Nothing.
    Nothing,
    /// A hook of this program.
    Own {
        /// Whether it is as an install would make it.
        is_current: bool,
    },
    /// Another hook.
    Other(OtherHook),
}

/// A hook that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherHook {
    /// The target of the link, if the hook is a link.
    pub link: Option<PathBuf>,
    /// The hook beside it that it leads to, if it leads to one.
    pub sibling: Option<Sibling>,
    /// Whether it is a broken link.
    pub leads_nowhere: bool,
    /// What is in the place where it would be kept.
    pub kept: Kept,
}

/// A hook that another hook leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// Its name.
    pub name: &'static str,
    /// Whether something is kept under that name.
    pub is_kept: bool,
}

/// What is in the place where a hook is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// The hook that is still in its place: the same file, a link to the same place, or a copy.
    ThisHook,
    /// Something else.
    Other,
}

/// What is in the folder of hooks beside the hooks of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The folder of kept hooks.
    pub chained: PathBuf,
    /// Whether a link is in the place of that folder.
    pub chained_is_link: bool,
    /// The names of the files that are beside the hooks and that the hooks may use.
    pub names: BTreeSet<OsString>,
    /// Which of these files, and of the folders that belong to hooks, are in the folder of kept
    /// hooks.
    pub linked: BTreeSet<OsString>,
}

/// What a repository has of this program before an uninstall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Whether there is a state, which an install makes first.
    pub has_state: bool,
    /// The file of the record that an install makes; `None`: there is none.
    pub record_file: Option<PathBuf>,
    /// The places where an install can have put hooks.
    pub places: Vec<HookPlace>,
    /// The folders of kept hooks.
    pub kept_folders: Vec<KeptFolder>,
}

/// A place where an install can have put a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookPlace {
    /// The place.
    pub path: PathBuf,
    /// Whether anything is there.
    pub is_taken: bool,
    /// Whether it is a hook of this program.
    pub is_own: bool,
    /// Where a hook that was there before is kept.
    pub kept_path: PathBuf,
    /// What is there. The folder itself must not be a link.
    pub kept: Kept,
    /// What an install that was stopped has left beside the place.
    pub left_aside: Option<PathBuf>,
}

/// A folder of kept hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whether links are in there that an install has made.
    pub has_links: bool,
    /// Whether nothing is in there.
    pub is_empty: bool,
}

/// What the machine has for a repository, outside of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The repository.
    pub repository: PathBuf,
    /// Its units.
    pub units: Units,
    /// Whether any file of these is there.
    pub has_units: bool,
    /// The units that there have to be, if any.
    pub wanted: Option<WantedUnits>,
    /// The timer's list.
    pub list: PathBuf,
    /// Whether there is a list: without the package there is no timer.
    pub has_list: bool,
    /// The number of the user who made the repository's entry there, if there is one.
    pub entry_owner: Option<u32>,
    /// Whether that entry counts.
    pub is_listed: bool,
    /// The folder of the state, and what root has there that has to be the owner's: paths from that
    /// folder.
    pub of_root: (PathBuf, Vec<PathBuf>),
}

/// Units that are to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedUnits {
    /// Their drop-in files.
    pub drop_ins: [DropIn; 2],
    /// Whether they are there already, and the path unit is active.
    pub are_set_up: bool,
}
