//! Putting the hooks into a repository, and taking them out again.
//!
//! Protocol: a hook is a symbolic link to this program under the hook's name. A hook that is there already is moved to `chained/<name>`, and
//! this program runs it with a full copy of its input; what lies beside it is linked there, so that it finds that where it looks. Everything is done in an order in which a crash leaves something that a second
//! `install` completes: the state and its cursor come first, so that no hook ever runs without them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::RunnerKind;
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::hook_files::{CHAINED, HOOKS, Host, Places, is_own_link, kept, leads_to};
use crate::id::Revision;
use crate::registry;
use crate::store::{self, Cursor, Store};
use crate::text;
use crate::units::Units;

/// Something that `install` or `uninstall` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The state is made, with the cursor there.
    CreateState(PathBuf, Option<Revision>),
    /// The state is brought from an older version to this program's.
    UpgradeState(PathBuf, i64),
    /// A state of another branch gets its cursor there.
    MoveCursor(String, Option<Revision>),
    /// A hook that is there is kept under another name.
    Keep(PathBuf, PathBuf),
    /// What lies beside the hooks is linked beside those that are kept.
    LinkBeside(PathBuf, OsString),
    /// A hook that was kept gets its name back.
    PutBack(PathBuf, PathBuf),
    /// The folder of kept hooks goes, with its links.
    RemoveKept(PathBuf),
    /// A link to this program.
    Link(PathBuf, PathBuf),
    /// A link to this program goes.
    Unlink(PathBuf),
    /// A value in the repository's git configuration.
    Configure(&'static str, &'static str),
    /// The timer looks after the repository from now on.
    Register(PathBuf),
    /// The timer looks after it no more.
    Unregister(PathBuf),
    /// What root does.
    System(SystemStep),
}

/// Something that root does for a repository whose runner systemd starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemStep {
    /// A file of systemd's configuration.
    Write(PathBuf, String),
    /// A folder of it goes.
    Remove(PathBuf),
    /// A call of systemctl.
    Systemctl(Vec<String>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| text::escape(path.as_os_str().as_encoded_bytes(), 300);
        let at = |commit: &Option<Revision>| match commit {
            Some(commit) => format!("planned up to {}", commit.short()),
            None => "nothing planned yet".to_owned(),
        };
        match self {
            Self::CreateState(folder, commit) => write!(f, "make {} ({})", shown(folder), at(commit)),
            Self::UpgradeState(folder, from) => {
                write!(f, "bring {} from version {from} to {}", shown(folder), store::VERSION)
            }
            Self::MoveCursor(branch, commit) => write!(f, "start from {} ({})", text::escape(branch, 200), at(commit)),
            Self::Keep(from, to) | Self::PutBack(from, to) => write!(f, "rename {} to {}", shown(from), shown(to)),
            Self::Link(from, to) => write!(f, "link {} -> {}", shown(from), shown(to)),
            Self::LinkBeside(folder, name) => {
                write!(f, "link {} -> ../{}", shown(&folder.join(name)), text::escape(name.as_encoded_bytes(), 100))
            }
            Self::RemoveKept(folder) => write!(f, "remove {}", shown(folder)),
            Self::Unlink(path) => write!(f, "remove {}", shown(path)),
            Self::Configure(key, value) => write!(f, "git config {key} {value}"),
            Self::Register(folder) => write!(f, "register with the timer, in {}", shown(folder)),
            Self::Unregister(folder) => write!(f, "take out of the timer's list, in {}", shown(folder)),
            Self::System(SystemStep::Write(file, text)) => {
                write!(f, "write {}: {}", shown(file), text::escape(text.trim_end().replace('\n', " "), 400))
            }
            Self::System(SystemStep::Remove(folder)) => write!(f, "remove {}", shown(folder)),
            Self::System(SystemStep::Systemctl(words)) => write!(f, "systemctl {}", words.join(" ")),
        }
    }
}

/// It can't be installed or taken out; what was done by then is done again by the next try.
#[derive(Debug)]
pub enum Error {
    /// The repository can't be read or configured.
    Git(git::Error),
    /// The state can't be made.
    Store(store::Error),
    /// A file can't be changed.
    Io(PathBuf, io::Error),
    /// A hook stands in the way and its place aside is taken.
    Taken(PathBuf),
    /// git runs hooks from a folder outside the repository.
    HooksElsewhere(PathBuf),
    /// systemd can't or could not be told.
    Systemd(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| text::escape(path.as_os_str().as_encoded_bytes(), 300);
        match self {
            Self::Git(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Io(path, error) => write!(f, "{}: {error}", shown(path)),
            Self::Systemd(what) => f.write_str(what),
            Self::HooksElsewhere(path) => write!(
                f,
                "core.hooksPath is {}, outside the repository, and other repositories may run what is put there; unset it for this one",
                shown(path)
            ),
            Self::Taken(path) => write!(f, "{} exists already; move it away, or call it from the hook", shown(path)),
        }
    }
}

impl std::error::Error for Error {}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        Self::Git(error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// The hooks folder of this repository, and of it alone.
///
/// # Errors
/// git can't be asked, or `core.hooksPath` names a folder whose hooks other repositories may run as well.
fn own_hooks_folder(deploy: &DeployRepository) -> Result<PathBuf, Error> {
    let folder = git::hooks_folder(deploy.repository.path())?;
    if is_within(deploy, &folder) { Ok(folder) } else { Err(Error::HooksElsewhere(folder)) }
}

/// Whether a folder is one of the repository, also by way of links.
fn is_within(deploy: &DeployRepository, folder: &Path) -> bool {
    folder.canonicalize().as_deref().unwrap_or(folder).starts_with(deploy.repository.path())
}

/// Who manages a repository, and where its hooks stand.
///
/// # Errors
/// git can't be asked.
pub fn host(deploy: &DeployRepository) -> Result<(Host, Places), Error> {
    let git_dir = deploy.repository.path();
    let host = Host::of(git_dir, git::config_value(git_dir, "gitlab.fullpath")?.is_some());
    // GitLab's own folder of hooks is none of ours.
    let hooks = if host == Host::GitLab { git_dir.join("hooks") } else { own_hooks_folder(deploy)? };
    Ok((host, host.places(git_dir, &hooks)))
}

/// What is to be done about a repository's entry in the timer's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryChange {
    /// Nothing.
    None,
    /// The repository's owner writes or removes it.
    ByOwner,
    /// First root removes the one of this user, who is not the owner.
    ByRoot(u32),
}

/// What has to be done so that the timer looks after the repository of a user, or no more.
#[must_use]
pub fn plan_entry(deploy: &DeployRepository, owner: u32, is_installed: bool, registry: &Path) -> EntryChange {
    let registrar = registry::registrar(registry, deploy.repository.path());
    // Without the package there is no timer.
    let is_due = if is_installed {
        registry.is_dir() && !registry::has(registry, deploy.repository.path())
    } else {
        registrar.is_some()
    };
    match registrar {
        _ if !is_due => EntryChange::None,
        Some(other) if other != owner => EntryChange::ByRoot(other),
        _ => EntryChange::ByOwner,
    }
}

/// What has to be done so that `program` is this repository's hooks. `register`: the timer's list, if this is to be entered there.
///
/// # Errors
/// The repository or its state can't be read, or a hook can't be kept.
pub fn plan_install(
    deploy: &DeployRepository,
    program: &Path,
    deploy_existing: bool,
    register: Option<&Path>,
) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let tip = || if deploy_existing { Ok(None) } else { deploy.repository.branch_tip(&deploy.branch) };
    let state = deploy.state_dir();
    let store = match Store::open_as_it_is(&state) {
        Err(store::Error::Missing(_)) => None,
        opened => Some(opened?),
    };
    let version = store.as_ref().map_or(Ok(0), Store::version)?;
    match store {
        Some(store) if version > 0 => {
            if version < store::VERSION {
                steps.push(Step::UpgradeState(state, version));
            }
            if store.read().cursor()?.is_none_or(|Cursor { branch, .. }| branch != deploy.branch) {
                steps.push(Step::MoveCursor(deploy.branch.clone(), tip()?));
            }
        }
        _ => steps.push(Step::CreateState(state, tip()?)),
    }
    let (host, places) = host(deploy)?;
    let first_hook = steps.len();
    let mut keeps = Vec::new();
    for (name, hook) in places {
        if is_own_link(&hook) {
            if !leads_to(&hook, program) {
                steps.push(Step::Link(hook, program.to_owned()));
            }
            continue;
        }
        if hook.symlink_metadata().is_ok() {
            let kept = kept(&hook).unwrap_or_else(|| hook.clone());
            let link = |path: &Path| fs::read_link(path).ok();
            let is_kept = |target| link(&kept) == Some(Path::new("..").join(target));
            // An install that was stopped may have kept a link and not put its own in place.
            if !link(&hook).is_some_and(is_kept) {
                if kept.symlink_metadata().is_ok() {
                    return Err(Error::Taken(kept));
                }
                steps.push(Step::Keep(hook.clone(), kept));
            }
            keeps.push(OsString::from(format!("{name}.d")));
        }
        steps.push(Step::Link(hook, program.to_owned()));
    }
    if host != Host::GitLab && !keeps.is_empty() {
        let folder = own_hooks_folder(deploy)?;
        let chained = folder.join(CHAINED);
        if chained.is_symlink() {
            return Err(Error::Taken(chained));
        }
        let beside = beside(&folder).chain(keeps).collect::<BTreeSet<OsString>>();
        let missing = beside.into_iter().filter(|name| chained.join(name).symlink_metadata().is_err());
        // Before the hooks are moved: what they need stands there when they run.
        let links = missing.map(|name| Step::LinkBeside(chained.clone(), name));
        steps.splice(first_hook..first_hook, links);
    }
    if !git::config_bool(deploy.repository.path(), "receive.advertisePushOptions")? {
        steps.push(Step::Configure("receive.advertisePushOptions", "true"));
    }
    steps.extend(register.map(|registry| Step::Register(registry.to_owned())));
    Ok(steps)
}

/// What root has to do so that systemd starts the runners of a repository, or starts them no more.
///
/// # Errors
/// A path can't stand in a unit.
pub fn plan_system(deploy: &DeployRepository, owner: u32, is_installed: bool) -> Result<Vec<Step>, Error> {
    let systemctl = |words: &[&str]| SystemStep::Systemctl(words.iter().map(|word| (*word).to_owned()).collect());
    let units = Units::of(deploy.repository.path());
    let mut steps = Vec::new();
    if is_installed && deploy.config.runner == RunnerKind::Systemd {
        let drop_ins = units.drop_ins(&deploy.wake_folder(), owner).map_err(Error::Systemd)?;
        if !units.are_set_up(&drop_ins) {
            steps.extend(drop_ins.map(|(file, text)| SystemStep::Write(file, text)));
            steps.push(systemctl(&["daemon-reload"]));
            steps.push(systemctl(&["enable", "--now", &units.path_unit]));
        }
    } else if units.is_anything_there() {
        steps.push(systemctl(&["disable", "--now", &units.path_unit]));
        steps.extend([units.path, units.service].map(SystemStep::Remove));
        steps.push(systemctl(&["daemon-reload"]));
    }
    Ok(steps.into_iter().map(Step::System).collect())
}

/// What lies in the hooks folder beside the hooks of this program, and may be used by those that were there before.
fn beside(folder: &Path) -> impl Iterator<Item = OsString> {
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name());
    names.filter(|name| {
        let is_sample = name.as_encoded_bytes().ends_with(b".sample");
        name != CHAINED && !is_sample && !HOOKS.iter().any(|hook| name == hook)
    })
}

/// Whether a link's target is one of the hooks in the link's own folder.
fn is_a_hook(target: &Path) -> bool {
    let target = target.strip_prefix(".").unwrap_or(target);
    HOOKS.iter().any(|hook| target == Path::new(hook))
}

/// What has to be done so that the hooks are as they were. The state stays. `unregister`: the timer's list, if this is to be taken out of it.
///
/// # Errors
/// git can't be asked where the hooks are.
pub fn plan_uninstall(deploy: &DeployRepository, unregister: Option<&Path>) -> Result<Vec<Step>, Error> {
    let git_dir = deploy.repository.path();
    // Wherever an install can have put them: since then, the repository may have moved to another host, or git been told of another folder.
    let folders = BTreeSet::from([git::hooks_folder(git_dir)?, git_dir.join("hooks")]);
    let folders: Vec<PathBuf> = folders.into_iter().filter(|folder| is_within(deploy, folder)).collect();
    let places = Host::ALL.iter().flat_map(|host| folders.iter().flat_map(|folder| host.places(git_dir, folder)));
    let hooks: BTreeSet<PathBuf> = places.map(|(_, hook)| hook).filter(|hook| is_own_link(hook)).collect();
    let mut steps = Vec::new();
    for hook in hooks {
        steps.push(Step::Unlink(hook.clone()));
        if let Some(kept) = kept(&hook).filter(|kept| kept.symlink_metadata().is_ok()) {
            steps.push(Step::PutBack(kept, hook));
        }
    }
    let chained = folders.iter().map(|folder| folder.join(CHAINED));
    let is_folder = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_dir());
    steps.extend(chained.filter(is_folder).map(Step::RemoveKept));
    steps.extend(unregister.map(|registry| Step::Unregister(registry.to_owned())));
    Ok(steps)
}

/// Does a step.
///
/// # Errors
/// It can't be done.
pub fn take(deploy: &DeployRepository, step: &Step) -> Result<(), Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::Io(path, error)
    };
    match step {
        Step::CreateState(_, commit) => {
            let mut store = deploy.create_store()?;
            set_cursor(&mut store, deploy, commit.as_ref())
        }
        Step::UpgradeState(..) => {
            deploy.open_store()?;
            Ok(())
        }
        Step::MoveCursor(_, commit) => set_cursor(&mut deploy.open_store()?, deploy, commit.as_ref()),
        Step::Keep(from, to) => {
            let folder = to.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(at(folder))?;
            // A link that is relative leads to the same place from one folder further down.
            // A link to a sibling hook finds that one kept beside it.
            match fs::read_link(from) {
                Ok(target) if target.is_relative() && !is_a_hook(&target) => {
                    symlink(Path::new("..").join(target), to).map_err(at(to))
                }
                _ => fs::rename(from, to).map_err(at(from)),
            }
        }
        Step::LinkBeside(folder, name) => {
            fs::create_dir_all(folder).map_err(at(folder))?;
            symlink(Path::new("..").join(name), folder.join(name)).map_err(at(&folder.join(name)))
        }
        Step::PutBack(from, to) => {
            match fs::read_link(from).ok().and_then(|link| Some(link.strip_prefix("..").ok()?.to_owned())) {
                Some(target) => symlink(target, to).and_then(|()| fs::remove_file(from)).map_err(at(to)),
                None => fs::rename(from, to).map_err(at(from)),
            }
        }
        Step::RemoveKept(folder) => {
            let links = fs::read_dir(folder).map_err(at(folder))?.filter_map(Result::ok);
            let links = links.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
            { links }.try_for_each(|link| fs::remove_file(link.path())).map_err(at(folder))?;
            match fs::remove_dir(folder) {
                // What somebody else put there stays.
                Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(Error::Io(folder.clone(), error)),
                _ => Ok(()),
            }
        }
        Step::Link(link, program) => {
            let folder = link.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(at(folder))?;
            // Renamed over an older link, so that there is no moment without a hook.
            let new = link.with_extension("new");
            let _ = fs::remove_file(&new);
            symlink(program, &new).and_then(|()| fs::rename(&new, link)).map_err(at(link))
        }
        Step::Unlink(path) => fs::remove_file(path).map_err(at(path)),
        Step::Configure(key, value) => Ok(git::set_config_value(deploy.repository.path(), key, value)?),
        Step::Register(folder) => registry::add(folder, deploy.repository.path()).map_err(at(folder)),
        Step::Unregister(folder) => registry::remove(folder, deploy.repository.path()).map_err(at(folder)),
        Step::System(SystemStep::Write(file, content)) => {
            let folder = file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder).map_err(at(folder))?;
            fs::write(file, content).map_err(at(file))
        }
        Step::System(SystemStep::Remove(folder)) => match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Io(folder.clone(), error)),
            _ => Ok(()),
        },
        Step::System(SystemStep::Systemctl(words)) => {
            let status = Command::new("systemctl").args(words).status();
            match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(Error::Systemd(format!("systemctl {}: {status}", words.join(" ")))),
                Err(error) => Err(Error::Systemd(format!("systemctl could not be started: {error}"))),
            }
        }
    }
}

fn set_cursor(store: &mut Store, deploy: &DeployRepository, commit: Option<&Revision>) -> Result<(), Error> {
    Ok(store.transaction(|transaction| transaction.move_cursor(&deploy.branch, commit))?)
}
