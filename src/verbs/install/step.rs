//! The steps of a plan, and how they are shown.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::id::Revision;
use crate::{store, text};

/// How many of the paths are named that are given to their owner.
const NAMED_MAX: usize = 10;

/// Something that `install` or `uninstall` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The state is made, and planning starts from a commit, or from nothing.
    CreateState {
        /// The folder of the state.
        folder: PathBuf,
        /// The commit.
        start: Option<Revision>,
    },
    /// The state is upgraded from an older version to this program's version.
    UpgradeState {
        /// The folder of the state.
        folder: PathBuf,
        /// The older version.
        from: i64,
    },
    /// The state has the cursor of another branch. Planning starts from a commit of the deploy
    /// branch instead.
    MoveCursor {
        /// The deploy branch.
        branch: String,
        /// The commit.
        start: Option<Revision>,
    },
    /// What the configuration means now is recorded in the repository.
    Record {
        /// The file.
        file: PathBuf,
        /// The deploy branch.
        branch: String,
    },
    /// A file that is beside the hooks is linked beside the kept hooks.
    LinkBeside {
        /// The folder of kept hooks.
        folder: PathBuf,
        /// The name.
        name: OsString,
    },
    /// A hook that is there gets another place.
    Keep {
        /// The hook.
        hook: PathBuf,
        /// Its new place.
        kept: PathBuf,
    },
    /// A file that starts this program is put in the place of a hook.
    WriteHook {
        /// The place.
        hook: PathBuf,
        /// The program.
        program: PathBuf,
    },
    /// A link to this program is set in the place of a hook.
    Link {
        /// The place.
        hook: PathBuf,
        /// The program.
        program: PathBuf,
    },
    /// A value is set in the repository's git configuration.
    Configure {
        /// The key.
        key: &'static str,
        /// The value.
        value: &'static str,
    },
    /// The timer looks after the repository from now on.
    AddToTimerList {
        /// The list.
        list: PathBuf,
    },
    /// A hook that was kept gets its place back.
    PutBack {
        /// Where it is kept.
        kept: PathBuf,
        /// Its place.
        hook: PathBuf,
    },
    /// A hook of this program is removed, or the second name that it gave to another hook.
    Unlink(PathBuf),
    /// The folder of kept hooks is removed, with the links that an install has made there.
    RemoveKeptFolder(PathBuf),
    /// What an install has recorded in the repository is removed.
    RemoveRecord {
        /// The file.
        file: PathBuf,
    },
    /// Something is done outside of the repository.
    OnMachine(MachineStep),
}

/// Something that is done outside of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineStep {
    /// A file of systemd's configuration is written.
    WriteUnit {
        /// The file.
        file: PathBuf,
        /// Its whole content.
        content: String,
    },
    /// A file of systemd's configuration is removed, and its folder if nothing else is in there.
    RemoveUnit(PathBuf),
    /// What root made in the state is given to the state's owner.
    HandOver {
        /// The folder of the state.
        state: PathBuf,
        /// The number of the owner.
        owner: u32,
        /// The paths from the state.
        paths: Vec<PathBuf>,
    },
    /// systemctl is called with these words.
    Systemctl(Vec<String>),
    /// The timer no longer looks after the repository.
    RemoveFromTimerList {
        /// The list.
        list: PathBuf,
        /// The repository.
        repository: PathBuf,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateState { folder, start } => {
                write!(f, "make {} ({})", shown(folder), from(start.as_ref()))
            }
            Self::UpgradeState { folder, from } => write!(
                f,
                "upgrade {} from version {from} to {}",
                shown(folder),
                store::VERSION
            ),
            Self::MoveCursor { branch, start } => {
                let branch = text::escape(branch, 200);
                write!(f, "start from {branch} ({})", from(start.as_ref()))
            }
            Self::Record { file, branch } => {
                let branch = text::escape(branch, 200);
                write!(f, "write {} ({branch} is the deploy branch)", shown(file))
            }
            Self::LinkBeside { folder, name } => {
                let link = shown(&folder.join(name));
                let name = text::escape(name.as_encoded_bytes(), 100);
                write!(f, "link {link} -> ../{name}")
            }
            Self::Keep { hook, kept } => write!(f, "keep {} as {}", shown(hook), shown(kept)),
            Self::PutBack { kept, hook } => {
                write!(f, "move {} back to {}", shown(kept), shown(hook))
            }
            Self::WriteHook { hook, program } => {
                write!(f, "write {}, which starts {}", shown(hook), shown(program))
            }
            Self::Link { hook, program } => {
                write!(f, "link {} -> {}", shown(hook), shown(program))
            }
            Self::Configure { key, value } => write!(f, "git config {key} {value}"),
            Self::AddToTimerList { list } => {
                write!(f, "register with the timer, in {}", shown(list))
            }
            Self::Unlink(path)
            | Self::RemoveKeptFolder(path)
            | Self::RemoveRecord { file: path } => {
                write!(f, "remove {}", shown(path))
            }
            Self::OnMachine(step) => step.fmt(f),
        }
    }
}

impl fmt::Display for MachineStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteUnit { file, content } => {
                let content = content.trim_end().replace('\n', " ");
                write!(f, "write {}: {}", shown(file), text::escape(content, 400))
            }
            Self::RemoveUnit(file) => write!(f, "remove {}", shown(file)),
            Self::HandOver {
                state,
                owner,
                paths,
            } => {
                let named: Vec<String> = paths.iter().take(NAMED_MAX).map(|p| shown(p)).collect();
                let named = named.join(", ");
                let more = match paths.len().saturating_sub(NAMED_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let state = shown(state);
                write!(
                    f,
                    "give what root has in {state} to user {owner}: {named}{more}"
                )
            }
            Self::Systemctl(words) => write!(f, "systemctl {}", words.join(" ")),
            Self::RemoveFromTimerList { list, .. } => {
                write!(f, "remove from the timer's list, in {}", shown(list))
            }
        }
    }
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 300)
}

fn from(start: Option<&Revision>) -> String {
    match start {
        Some(commit) => format!("planned up to {}", commit.short()),
        None => "nothing planned yet".to_owned(),
    }
}
