//! What a hooks folder holds of this program.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::sys::open;

/// The hooks that this program is.
pub const HOOKS: &[&str] = &["pre-receive", "post-receive", "reference-transaction"];

/// The folder, in the hooks folder, of the hooks that were there before.
pub const CHAINED: &str = "chained";

/// Where a hook that was there before is kept. Under its own name, since it may look at that: a
/// script's `$0` is the path that it is started by.
#[must_use]
pub fn kept(hook: &Path) -> Option<PathBuf> {
    Some(hook.parent()?.join(CHAINED).join(hook.file_name()?))
}

/// The path of each hook's link, by the hook's name.
pub type Places = Vec<(&'static str, PathBuf)>;

/// What manages a repository and its hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Nobody: git runs what lies in the hooks folder.
    Plain,
    /// Gitea or Forgejo: hooks of its own call what lies in `hooks/<name>.d`.
    Gitea,
    /// GitLab: Gitaly runs what lies in `custom_hooks/<name>.d`, and no hook of this program on
    /// reference transactions.
    GitLab,
    /// Gitolite: it sets links to what lies in `hooks/common` of its `LOCAL_CODE` and leaves others
    /// alone.
    Gitolite,
}

/// The name of this program's link where a host has a folder for each hook.
const NAME: &str = "deploy-by-code";

/// The same where all hooks of the folder run in the order of their names, whatever the others did:
/// whoever follows a deployment keeps none waiting.
const LAST_NAME: &str = "zz-deploy-by-code";

impl Host {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Plain, Self::Gitea, Self::GitLab, Self::Gitolite];

    /// Who manages a repository, by what its folder shows. `is_gitlabs`: whether its configuration
    /// has `gitlab.fullpath`.
    #[must_use]
    pub fn of(git_dir: &Path, is_gitlabs: bool) -> Self {
        // A script beside a folder of its name, which calls what is in there.
        let dispatches = |name: &str| {
            let hook = git_dir.join("hooks").join(name);
            let text = read_beginning(&hook).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            hook.with_extension("d").is_dir()
                && !hook.is_symlink()
                && (text.contains("}.d/") || text.contains(&format!("{name}.d/")))
        };
        // GitLab keeps repositories under names that are hashes, and a cluster of Gitaly's under
        // numbers.
        if is_gitlabs
            || git_dir
                .components()
                .any(|part| part.as_os_str() == "@hashed" || part.as_os_str() == "@cluster")
        {
            Self::GitLab
        } else if git_dir.join("gl-conf").exists() {
            Self::Gitolite
        } else if dispatches("pre-receive") && dispatches("post-receive") {
            Self::Gitea
        } else if git_dir.join("custom_hooks").is_dir() {
            // Not every version writes gitlab.fullpath, and nobody else has a folder of this name.
            Self::GitLab
        } else {
            Self::Plain
        }
    }

    /// Where each hook's link stands. `hooks`: the folder that git runs hooks from.
    #[must_use]
    pub fn places(self, git_dir: &Path, hooks: &Path) -> Places {
        let place = |name: &'static str| {
            let in_folder = |folder: &Path, own: &str| folder.join(format!("{name}.d")).join(own);
            match (self, name) {
                (Self::GitLab, "reference-transaction") => None,
                (Self::GitLab, _) => Some((name, in_folder(&git_dir.join("custom_hooks"), NAME))),
                (Self::Gitea, "pre-receive" | "post-receive") => {
                    Some((name, in_folder(hooks, LAST_NAME)))
                }
                _ => Some((name, hooks.join(name))),
            }
        };
        HOOKS.iter().copied().filter_map(place).collect()
    }

    /// What its administrator should know, if anything.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gitea => Some(
                "Gitea or Forgejo: its own hooks call these; see /usr/share/doc/deploy-by-code/docs/hosts/gitea.md",
            ),
            Self::GitLab => Some(
                "GitLab: what a broken connection misses, only the timer picks up; see /usr/share/doc/deploy-by-code/docs/hosts/gitlab.md",
            ),
            Self::Gitolite => Some(
                "Gitolite: a hook of the same name in hooks/common of LOCAL_CODE would take the place of these; see /usr/share/doc/deploy-by-code/docs/hosts/gitolite.md",
            ),
        }
    }
}

/// How much of a hook is read, in bytes.
const SCRIPT_MAX: u64 = 64 * 1024;

/// The beginning of a file; nothing of a pipe, which would be waited for.
fn read_beginning(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = open::without_waiting(file)?;
    if file.metadata()?.is_file() {
        file.take(SCRIPT_MAX).read_to_end(&mut text)?;
    }
    Ok(text)
}

/// Whether a path is one of this program's links, whichever build of it they lead to; also by way
/// of the package's own links, as in Gitolite's common hooks.
#[must_use]
pub fn is_own_link(path: &Path) -> bool {
    if let Some(hook) = sibling(path).map(|name| path.with_file_name(name)) {
        // What it led to before may be kept: then it is to be kept as well.
        let is_kept = kept(&hook).is_some_and(|kept| kept.symlink_metadata().is_ok());
        return !is_kept && sibling(&hook).is_none() && is_own_link(&hook);
    }
    let is_own = |target: &Path| target.file_name().is_some_and(|name| name == NAME);
    std::fs::read_link(path).is_ok_and(|target| {
        // A link that leads nowhere is known by its name alone.
        is_own(&target)
            || target
                .parent()
                .is_some_and(|folder| folder.ends_with("share/deploy-by-code/hooks"))
            || path.canonicalize().is_ok_and(|end| is_own(&end))
    })
}

/// The hook in a link's own folder that the link leads to, if it leads to one.
#[must_use]
pub fn sibling(link: &Path) -> Option<&'static str> {
    let folder = link.parent()?;
    let target = folder.join(std::fs::read_link(link).ok()?);
    let name = HOOKS
        .iter()
        .find(|hook| target.file_name().is_some_and(|name| name == **hook))?;
    (target.parent()?.canonicalize().ok()? == folder.canonicalize().ok()?).then_some(name)
}

/// Whether a link leads to a program, directly or by way of others.
#[must_use]
pub fn leads_to(link: &Path, program: &Path) -> bool {
    link.canonicalize()
        .is_ok_and(|end| program.canonicalize().is_ok_and(|program| end == program))
}
