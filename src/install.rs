//! Putting the hooks into a repository, and taking them out again.
//!
//! Protocol: a hook is a symbolic link to this program under the hook's name. A hook that is there
//! already is moved to `chained/<name>`, and this program runs it with a full copy of its input;
//! what lies beside it is linked there, so that it finds that where it looks. Everything is done in
//! an order in which a crash leaves something that a second `install` completes: the state and its
//! cursor come first, so that no hook ever runs without them.

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
use crate::hook_files::{CHAINED, HOOKS, Host, Places, is_own_link, kept, leads_to, sibling};
use crate::id::Revision;
use crate::store::{self, Cursor, Store};
use crate::sys::file::rename_to_free_name;
use crate::text;
use crate::timer_list;
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
    /// What is done to the machine.
    System(SystemStep),
}

/// Something that is done outside of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemStep {
    /// In this list, the timer's, the entry of this repository goes.
    Unregister(PathBuf, PathBuf),
    /// A file of systemd's configuration.
    Write(PathBuf, String),
    /// A file of it goes, and its folder if nothing else is in there.
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
            Self::CreateState(folder, commit) => {
                write!(f, "make {} ({})", shown(folder), at(commit))
            }
            Self::UpgradeState(folder, from) => {
                write!(
                    f,
                    "bring {} from version {from} to {}",
                    shown(folder),
                    store::VERSION
                )
            }
            Self::MoveCursor(branch, commit) => write!(
                f,
                "start from {} ({})",
                text::escape(branch, 200),
                at(commit)
            ),
            Self::Keep(from, to) | Self::PutBack(from, to) => {
                write!(f, "rename {} to {}", shown(from), shown(to))
            }
            Self::Link(from, to) => write!(f, "link {} -> {}", shown(from), shown(to)),
            Self::LinkBeside(folder, name) => {
                write!(
                    f,
                    "link {} -> ../{}",
                    shown(&folder.join(name)),
                    text::escape(name.as_encoded_bytes(), 100)
                )
            }
            Self::RemoveKept(folder) => write!(f, "remove {}", shown(folder)),
            Self::Unlink(path) => write!(f, "remove {}", shown(path)),
            Self::Configure(key, value) => write!(f, "git config {key} {value}"),
            Self::Register(folder) => write!(f, "register with the timer, in {}", shown(folder)),
            Self::System(SystemStep::Unregister(folder, _)) => {
                write!(f, "take out of the timer's list, in {}", shown(folder))
            }
            Self::System(SystemStep::Write(file, text)) => {
                write!(
                    f,
                    "write {}: {}",
                    shown(file),
                    text::escape(text.trim_end().replace('\n', " "), 400)
                )
            }
            Self::System(SystemStep::Remove(file)) => write!(f, "remove {}", shown(file)),
            Self::System(SystemStep::Systemctl(words)) => {
                write!(f, "systemctl {}", words.join(" "))
            }
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
    /// A hook is a link that leads nowhere.
    Dangling(PathBuf),
    /// A hook is a link to this other one, in words that would lead to the new one once it is kept.
    ByPath(PathBuf, &'static str),
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
            Self::ByPath(path, name) => write!(
                f,
                "{} is a link to {name} by its path, which leads elsewhere once both are kept; link it by the name alone: ln -sfn {name} {}",
                shown(path),
                shown(path)
            ),
            Self::Dangling(path) => write!(
                f,
                "{} leads nowhere, so git passes over it, and kept it would refuse every push; remove it, or put back what it leads to",
                shown(path)
            ),
            Self::Taken(path) => write!(
                f,
                "{} exists already; move it away, or call it from the hook",
                shown(path)
            ),
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
/// git can't be asked, or `core.hooksPath` names a folder whose hooks other repositories may run as
/// well.
fn own_hooks_folder(deploy: &DeployRepository) -> Result<PathBuf, Error> {
    let folder = git::hooks_folder(deploy.repository.path())?;
    if is_within(deploy, &folder) {
        Ok(folder)
    } else {
        Err(Error::HooksElsewhere(folder))
    }
}

/// Whether a folder is one of the repository, also by way of links.
fn is_within(deploy: &DeployRepository, folder: &Path) -> bool {
    folder
        .canonicalize()
        .as_deref()
        .unwrap_or(folder)
        .starts_with(deploy.repository.path())
}

/// Who manages a repository, and where its hooks stand.
///
/// # Errors
/// git can't be asked.
pub fn host(deploy: &DeployRepository) -> Result<(Host, Places), Error> {
    let git_dir = deploy.repository.path();
    let host = Host::of(
        git_dir,
        git::config_value(git_dir, "gitlab.fullpath")?.is_some(),
    );
    // GitLab's own folder of hooks is none of ours.
    let hooks = if host == Host::GitLab {
        git_dir.join("hooks")
    } else {
        own_hooks_folder(deploy)?
    };
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
pub fn plan_entry(
    deploy: &DeployRepository,
    owner: u32,
    is_installed: bool,
    registry: &Path,
) -> EntryChange {
    let registrar = timer_list::entry_owner(registry, deploy.repository.path());
    // Without the package there is no timer.
    let is_due = if is_installed {
        registry.is_dir() && !timer_list::has(registry, deploy.repository.path())
    } else {
        registrar.is_some()
    };
    match registrar {
        _ if !is_due => EntryChange::None,
        Some(other) if other != owner => EntryChange::ByRoot(other),
        _ => EntryChange::ByOwner,
    }
}

/// What has to be done so that `program` is this repository's hooks. `register`: the timer's list,
/// if this is to be entered there.
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
    let tip = || {
        if deploy_existing {
            Ok(None)
        } else {
            deploy.repository.branch_tip(&deploy.branch)
        }
    };
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
            if store
                .read()
                .cursor()?
                .is_none_or(|Cursor { branch, .. }| branch != deploy.branch)
            {
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
            let sibling = sibling(&hook);
            if let Some(name) = sibling
                && !fs::read_link(&hook).is_ok_and(|target| {
                    target.strip_prefix(".").unwrap_or(&target) == Path::new(name)
                })
            {
                return Err(Error::ByPath(hook, name));
            }
            // What a stopped install has kept, it finds beside it once it is kept as well.
            let has_kept = |name| {
                kept(&hook.with_file_name(name)).is_some_and(|kept| kept.symlink_metadata().is_ok())
            };
            let leads_nowhere = hook
                .metadata()
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            if leads_nowhere && !sibling.is_some_and(has_kept) {
                return Err(Error::Dangling(hook));
            }
            let kept = kept(&hook).unwrap_or_else(|| hook.clone());
            // An install that was stopped may have kept a link and not put its own in place.
            if !fs::read_link(&kept).is_ok_and(|link| is_kept_link(&link, &hook)) {
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
        let missing = beside
            .into_iter()
            .filter(|name| chained.join(name).symlink_metadata().is_err());
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
pub fn plan_system(
    deploy: &DeployRepository,
    owner: u32,
    is_installed: bool,
) -> Result<Vec<SystemStep>, Error> {
    let units = Units::of(deploy.repository.path());
    if is_installed && deploy.config.runner == RunnerKind::Systemd {
        let mut steps = Vec::new();
        let drop_ins = units
            .drop_ins(&deploy.wake_folder(), owner)
            .map_err(|error| Error::Systemd(error.to_string()))?;
        if !units.are_set_up(&drop_ins) {
            steps.extend(drop_ins.map(|drop_in| SystemStep::Write(drop_in.file, drop_in.content)));
            steps.push(systemctl(&["daemon-reload"]));
            steps.push(systemctl(&["enable", "--now", &units.path_unit]));
        }
        return Ok(steps);
    }
    Ok(without_units(deploy.repository.path()))
}

/// What root has to do so that systemd starts the runners of the repository with this path no more,
/// whether it is there or not.
#[must_use]
pub fn without_units(repository: &Path) -> Vec<SystemStep> {
    let units = Units::of(repository);
    if !units.is_anything_there() {
        return Vec::new();
    }
    vec![
        systemctl(&["disable", "--now", &units.path_unit]),
        SystemStep::Remove(units.path),
        SystemStep::Remove(units.service),
        systemctl(&["daemon-reload"]),
    ]
}

fn systemctl(words: &[&str]) -> SystemStep {
    SystemStep::Systemctl(words.iter().map(|word| (*word).to_owned()).collect())
}

/// What lies in the hooks folder beside the hooks of this program, and may be used by those that
/// were there before.
fn beside(folder: &Path) -> impl Iterator<Item = OsString> {
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.file_name());
    names.filter(|name| {
        let is_sample = name.as_encoded_bytes().ends_with(b".sample");
        let is_aside = HOOKS
            .iter()
            .any(|hook| aside(&folder.join(hook)).file_name() == Some(name));
        name != CHAINED && !is_sample && !is_aside && !HOOKS.iter().any(|hook| name == hook)
    })
}

/// Makes the folder of kept hooks, as open to a group as the folder that it is in.
fn create_chained(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(
            folder,
            folder
                .parent()
                .unwrap_or(Path::new("."))
                .metadata()?
                .permissions(),
        ),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// What has to be done so that the hooks are as they were. The state stays. `unregister`: the
/// timer's list, if this is to be taken out of it.
///
/// # Errors
/// git can't be asked where the hooks are.
pub fn plan_uninstall(
    deploy: &DeployRepository,
    unregister: Option<&Path>,
) -> Result<Vec<Step>, Error> {
    let git_dir = deploy.repository.path();
    // Wherever an install can have put them: since then, the repository may have moved to another
    // host, or git been told of another folder.
    let folders = BTreeSet::from([git::hooks_folder(git_dir)?, git_dir.join("hooks")]);
    let folders: Vec<PathBuf> = folders
        .into_iter()
        .filter(|folder| is_within(deploy, folder))
        .collect();
    let places = Host::ALL.iter().flat_map(|host| {
        folders
            .iter()
            .flat_map(|folder| host.places(git_dir, folder))
    });
    let hooks: BTreeSet<PathBuf> = places.map(|(_, hook)| hook).collect();
    // Without the state, which an install makes first, none was begun here, and a folder of that
    // name is somebody else's.
    let was_installed = hooks.iter().any(|hook| is_own_link(hook)) || deploy.state_dir().exists();
    let mut steps = Vec::new();
    for hook in hooks {
        let kept = kept(&hook).filter(|kept| {
            was_installed && is_folder(kept.parent()) && kept.symlink_metadata().is_ok()
        });
        match kept {
            // An install or uninstall that was stopped left none in its place.
            Some(kept) if is_own_link(&hook) || hook.symlink_metadata().is_err() => {
                steps.push(Step::PutBack(kept, hook))
            }
            // One that was stopped had put it back.
            Some(kept) if fs::read_link(&kept).is_ok_and(|link| is_kept_link(&link, &hook)) => {
                steps.push(Step::Unlink(kept));
            }
            None if is_own_link(&hook) => steps.push(Step::Unlink(hook)),
            _ if is_link(&aside(&hook)) => steps.push(Step::Unlink(aside(&hook))),
            _ => {}
        }
    }
    for folder in folders
        .iter()
        .map(|folder| folder.join(CHAINED))
        .filter(|folder| is_folder(Some(folder)))
    {
        let is_putting_back = steps
            .iter()
            .any(|step| matches!(step, Step::PutBack(kept, _) if kept.starts_with(&folder)));
        let is_empty = || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
        if is_putting_back || links_beside(&folder).next().is_some() || was_installed && is_empty()
        {
            steps.push(Step::RemoveKept(folder));
        }
    }
    let path = || deploy.repository.path().to_owned();
    steps.extend(
        unregister
            .map(|registry| Step::System(SystemStep::Unregister(registry.to_owned(), path()))),
    );
    Ok(steps)
}

/// Whether there is a folder, and no link to one.
fn is_folder(path: Option<&Path>) -> bool {
    path.is_some_and(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir()))
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|found| found.is_symlink())
}

/// Whether a kept link is this hook's, which is a relative one: one folder further down, it leads
/// to the same place.
fn is_kept_link(kept: &Path, hook: &Path) -> bool {
    fs::read_link(hook).is_ok_and(|target| *kept == Path::new("..").join(target))
}

/// The links in the folder of kept hooks to what lies beside it, as [`Step::LinkBeside`] makes
/// them.
fn links_beside(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    names.filter(|path| {
        path.file_name().is_some_and(|name| {
            fs::read_link(path).is_ok_and(|link| link == Path::new("..").join(name))
        })
    })
}

/// Where a link is made before it takes its place, so that there is no moment without a hook.
fn aside(link: &Path) -> PathBuf {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    link.with_file_name(format!(".{name}.deploy-by-code"))
}

/// Puts a link in a place, over what stands there.
fn replace_by_link(target: &Path, link: &Path) -> io::Result<()> {
    let aside = aside(link);
    let _ = fs::remove_file(&aside);
    symlink(target, &aside)?;
    fs::rename(&aside, link)
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
        Step::MoveCursor(_, commit) => {
            set_cursor(&mut deploy.open_store()?, deploy, commit.as_ref())
        }
        Step::Keep(from, to) => {
            let folder = to.parent().unwrap_or(Path::new("."));
            create_chained(folder).map_err(at(folder))?;
            // A link that is relative leads to the same place from one folder further down.
            // A link to a sibling hook finds that one kept beside it.
            match fs::read_link(from) {
                Ok(target) if target.is_relative() && sibling(from).is_none() => {
                    symlink(Path::new("..").join(target), to).map_err(at(to))
                }
                _ => rename_to_free_name(from, to).map_err(at(from)),
            }
        }
        Step::LinkBeside(folder, name) => {
            create_chained(folder).map_err(at(folder))?;
            symlink(Path::new("..").join(name), folder.join(name)).map_err(at(&folder.join(name)))
        }
        Step::PutBack(from, to) => {
            let _ = fs::remove_file(aside(to));
            match fs::read_link(from)
                .ok()
                .and_then(|link| Some(link.strip_prefix("..").ok()?.to_owned()))
            {
                Some(target) => replace_by_link(&target, to)
                    .and_then(|()| fs::remove_file(from))
                    .map_err(at(to)),
                None => fs::rename(from, to).map_err(at(from)),
            }
        }
        Step::RemoveKept(folder) => {
            links_beside(folder)
                .try_for_each(fs::remove_file)
                .map_err(at(folder))?;
            match fs::remove_dir(folder) {
                // What somebody else put there stays.
                Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                    Err(Error::Io(folder.clone(), error))
                }
                _ => Ok(()),
            }
        }
        Step::Link(link, program) => {
            let folder = link.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(at(folder))?;
            replace_by_link(program, link).map_err(at(link))
        }
        Step::Unlink(path) => {
            let _ = fs::remove_file(aside(path));
            fs::remove_file(path).map_err(at(path))
        }
        Step::Configure(key, value) => {
            Ok(git::set_config_value(deploy.repository.path(), key, value)?)
        }
        Step::Register(folder) => {
            timer_list::add(folder, deploy.repository.path()).map_err(at(folder))
        }
        Step::System(step) => take_system(step),
    }
}

/// Does a step outside of the repository.
///
/// # Errors
/// It can't be done.
pub fn take_system(step: &SystemStep) -> Result<(), Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| Error::Io(path, error)
    };
    match step {
        SystemStep::Unregister(list, repository) => {
            timer_list::remove(list, repository).map_err(at(list))
        }
        SystemStep::Write(file, content) => {
            let folder = file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder).map_err(at(folder))?;
            fs::write(file, content).map_err(at(file))
        }
        SystemStep::Remove(file) => {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Io(file.clone(), error));
                }
                _ => {}
            }
            // Others' drop-ins stay.
            let _ = file.parent().map(fs::remove_dir);
            Ok(())
        }
        SystemStep::Systemctl(words) => {
            let status = Command::new("systemctl").args(words).status();
            match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(Error::Systemd(format!(
                    "systemctl {}: {status}",
                    words.join(" ")
                ))),
                Err(error) => Err(Error::Systemd(format!(
                    "systemctl could not be started: {error}"
                ))),
            }
        }
    }
}

fn set_cursor(
    store: &mut Store,
    deploy: &DeployRepository,
    commit: Option<&Revision>,
) -> Result<(), Error> {
    Ok(store.transaction(|transaction| transaction.move_cursor(&deploy.branch, commit))?)
}
